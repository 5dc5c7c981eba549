"""A read simulator: fragments of SGBs, host and junk, with sequencing errors, quality values and adapters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from microbiome.simulate.parameters import Parameters, stream
from microbiome.simulate.strains import BASES, Genomes

__all__ = ["Reads", "fastq", "lanes", "simulate_reads"]

# What a sequencer reads when the fragment ends before the read does (Illumina TruSeq), then the empty cluster: poly-G.
_ADAPTERS = (b"AGATCGGAAGAGCACACGTCTGAACTCCAGTCA", b"AGATCGGAAGAGCGTCGTGTAGGGAAAGAGTGT")
_SHORTEST = 35
# Quality values (Phred) by base: good, fair, poor; a tail has the last two and ends at Q2. Binned, as current
# sequencers report them.
_GOOD, _FAIR, _POOR, _WORST = 37, 25, 11, 2
_FAIR_RATE, _POOR_RATE = 0.06, 0.01
_TAIL_RATES = (0.12, 0.20)
_PHRED_OFFSET = 33
# Probability of an error by quality value.
_CHANCE = (10.0 ** (-np.arange(_GOOD + 1) / 10)).astype(np.float32)


@dataclass(frozen=True)
class Reads:
    """Reads of one sample.

    Parameters
    ----------
    bases
        One array per mate (one or two): fragment x position, base letters as ``uint8``.
    qualities
        The same shape, Phred values.
    source
        Of each fragment: 0 SGB, 1 host, 2 junk.
    row
        Of each fragment of an SGB, the position of its strain in the strain table handed in; -1 for host and junk.
    insert
        Length of each fragment, base pairs.
    """

    bases: tuple[np.ndarray, ...]
    qualities: tuple[np.ndarray, ...]
    source: np.ndarray
    row: np.ndarray
    insert: np.ndarray


def simulate_reads(
    parameters: Parameters,
    genomes: Genomes,
    host: np.ndarray,
    depth: pd.Series,
    abundance: pd.Series,
    strains: pd.DataFrame,
    flat_error: float | None = None,
) -> Reads:
    r"""Draw the reads of one sample.

    Fragments fall to host, junk and SGBs by the fractions in `depth`, and among the strains in proportion to
    abundance x share of the strain x genome length, at uniform positions of the (circular) miniature genome and on
    either strand. Their lengths are normal (``insert_mean``, ``insert_sd``), with ``short_inserts`` of them uniform
    on 35 bp to one read length, so that both mates run into the adapter. Junk is random bases. Base qualities are 37,
    25 and 11; 12 % of first and 20 % of second mates have a tail of poor qualities over up to their last 35 % of
    positions; each base is read wrong with probability :math:`10^{-Q/10}`.

    Parameters
    ----------
    parameters
        Read and insert lengths, seed.
    genomes
        Sequences of the strains.
    host
        Host genome, codes 0 to 3.
    depth
        Row of the depth table (named by the sample): layout, fragments, host, junk.
    abundance
        True abundance of each taxon.
    strains
        Strains of this sample: taxon, strain, fraction.
    flat_error
        ``None`` = qualities and errors as above; else every base has quality 37 and is wrong with this probability, as
        where a sequencer's qualities mean nothing.

    Returns
    -------
    Reads
        In random order.
    """
    rng = stream(parameters.seed, "reads", str(depth.name))
    number = int(depth["fragments"])
    taxa, names = strains["taxon"].tolist(), strains["strain"].tolist()
    pool = [genomes.strain(taxon, name) for taxon, name in zip(taxa, names, strict=True)]
    lengths = np.array([genome.size for genome in pool])
    weights = abundance[taxa].to_numpy() * strains["fraction"].to_numpy() * lengths
    sgb = 1 - depth["host"] - depth["junk"]
    chances = np.concatenate([sgb * weights / weights.sum(), [depth["host"], depth["junk"]]])
    # Position in the pool; the last two are host and junk.
    where = rng.choice(chances.size, number, p=chances / chances.sum())
    source = np.select([where == len(pool), where > len(pool)], [1, 2], 0).astype(np.int8)
    insert = _inserts(parameters, rng, number)

    text, offsets, sizes = _concatenate([*pool, host], parameters.max_insert)
    junk_start = text.size
    junk = rng.integers(0, 4, int((source == 2).sum()) * parameters.max_insert, dtype=np.uint8)
    text = np.concatenate([text, junk])
    start = np.empty(number, dtype=np.int64)
    real = source < 2
    start[real] = offsets[where[real]] + (rng.random(real.sum()) * sizes[where[real]]).astype(np.int64)
    start[~real] = junk_start + np.arange((~real).sum()) * parameters.max_insert

    place = np.arange(parameters.read_length)
    forward = text[np.minimum(start[:, None] + place, text.size - 1)]
    # The other strand, read from the end of the fragment; what lies beyond a short fragment is overwritten by the
    # adapter.
    backward = 3 - text[np.maximum(start[:, None] + insert[:, None] - 1 - place, 0)]
    swap = rng.random(number) < 0.5
    first = np.where(swap[:, None], backward, forward)
    second = np.where(swap[:, None], forward, backward)
    mates = (first, second) if depth["layout"] == "paired" else (first,)
    bases, qualities = [], []
    for mate, codes in enumerate(mates):
        codes = _add_adapter(codes, insert, mate)
        if flat_error is None:
            quality = _qualities(rng, codes.shape, _TAIL_RATES[mate])
            chance = _CHANCE[quality]
        else:
            quality = np.full(codes.shape, _GOOD, dtype=np.uint8)
            chance = np.full(codes.shape, flat_error, dtype=np.float32)
        bases.append(BASES[_add_errors(rng, codes, chance)])
        qualities.append(quality)
    row = np.where(source == 0, where, -1)
    return Reads(tuple(bases), tuple(qualities), source, row, insert)


def fastq(reads: Reads, mate: int, chosen: slice, prefix: str) -> bytes:
    """Return the FASTQ text of one mate of some fragments.

    Names are ``PREFIX:NUMBER MATE:N:0:SIM``, numbered from 1 within the sample.
    """
    bases, quality = reads.bases[mate][chosen], reads.qualities[mate][chosen]
    number = len(bases)
    first = chosen.start or 0
    # All records are equally long, so the text is one matrix.
    digits = ((np.arange(first + 1, first + number + 1)[:, None] // 10 ** np.arange(7, -1, -1)) % 10 + ord("0")).astype(
        np.uint8
    )
    parts = [
        _repeat(f"@{prefix}:", number),
        digits,
        _repeat(f" {mate + 1}:N:0:SIM\n", number),
        bases,
        _repeat("\n+\n", number),
        (quality + _PHRED_OFFSET).astype(np.uint8),
        _repeat("\n", number),
    ]
    return np.hstack(parts).tobytes()


def lanes(fragments: int, units: int) -> list[slice]:
    """Divide the fragments of a sample among its units, unevenly: the k-th gets k parts of the whole."""
    parts = units * (units + 1) // 2
    stops = [fragments * (unit * (unit + 1) // 2) // parts for unit in range(units + 1)]
    return [slice(start, stop) for start, stop in pairwise(stops)]


def _repeat(text: str, number: int) -> np.ndarray:
    return np.tile(np.frombuffer(text.encode(), dtype=np.uint8), (number, 1))


def _concatenate(pool: list[np.ndarray], overhang: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join genomes, each followed by its own beginning, so that a fragment may start anywhere in the circle."""
    circles = [np.resize(genome, genome.size + overhang) for genome in pool]
    sizes = np.array([genome.size for genome in pool])
    offsets = np.concatenate([[0], np.cumsum(sizes + overhang)[:-1]])
    return np.concatenate(circles), offsets, sizes


def _inserts(parameters: Parameters, rng: np.random.Generator, number: int) -> np.ndarray:
    insert = np.rint(rng.normal(parameters.insert_mean, parameters.insert_sd, number))
    short = rng.random(number) < parameters.short_inserts
    insert = np.where(short, rng.integers(_SHORTEST, parameters.read_length, number), insert)
    return np.clip(insert, _SHORTEST, parameters.max_insert).astype(np.int64)


def _add_adapter(codes: np.ndarray, insert: np.ndarray, mate: int) -> np.ndarray:
    """Replace what lies beyond the end of the fragment by the adapter and poly-G."""
    length = codes.shape[1]
    adapter = np.searchsorted(BASES, np.frombuffer(_ADAPTERS[mate], dtype=np.uint8)).astype(np.uint8)
    after = np.full(length + adapter.size, 2, dtype=np.uint8)
    after[: adapter.size] = adapter
    beyond = np.arange(length) - insert[:, None]
    return np.where(beyond >= 0, after[np.maximum(beyond, 0)], codes)


def _qualities(rng: np.random.Generator, shape: tuple[int, ...], tail_rate: float) -> np.ndarray:
    number, length = shape
    draw = rng.random(shape, dtype=np.float32)
    quality = np.full(shape, _GOOD, dtype=np.uint8)
    quality[draw < _FAIR_RATE] = _FAIR
    quality[draw < _POOR_RATE] = _POOR
    with_tail = rng.random(number) < tail_rate
    tail = np.where(with_tail, rng.integers(round(0.65 * length), length, number), length)
    position = np.arange(length)
    in_tail = position >= tail[:, None]
    quality[in_tail] = np.where(draw[in_tail] < 0.4, _FAIR, _POOR)
    quality[with_tail[:, None] & (position >= length - 3)] = _WORST
    return quality


def _add_errors(rng: np.random.Generator, codes: np.ndarray, chance: np.ndarray) -> np.ndarray:
    wrong = rng.random(codes.shape, dtype=np.float32) < chance
    result = codes.copy()
    result[wrong] = (result[wrong] + rng.integers(1, 4, int(wrong.sum()), dtype=np.uint8)) % 4
    return result
