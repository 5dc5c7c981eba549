"""Distances between the strains of all samples of a clade, from allele counts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.strains.allele_file import AlleleFile, check_mixable, open_alleles
from microbiome.strains.genotypes import BLOCK, Genotypes, genotypes, same_strain_evidence
from microbiome.strains.panel import CladePanel, panel_of, read_clade
from microbiome.strains.tables import STRAIN_DISTANCES

__all__ = ["ALLELE_METHODS", "allele_distances", "chosen_taxa", "clade_distances", "open_all", "square"]

logger = logging.getLogger(__name__)

#: What a distance from alleles can be.
ALLELE_METHODS = ("consensus", "shared_alleles")

# A base counts as present where it is in this part of the reads; in a shallow sample one read is enough.
_PRESENT = 0.05
_BITS = 64
_TOO_FEW = "fewer than the minimum of positions are read in both"
# The evidence is summed over no more sites than this; with few samples that is all of them.
_EVIDENCE_SITES, _MANY_SAMPLES = 2000, 200


def allele_distances(
    paths: Sequence[str | Path],
    taxa: Sequence[str] | None = None,
    part: tuple[int, int] | None = None,
    minimum_sites: int = 500,
    minimum_depth: int = 1,
    methods: Sequence[str] = ("consensus",),
) -> pd.DataFrame:
    """Compare the strains of every two samples in every clade, from allele files.

    Parameters
    ----------
    paths
        Files that :func:`microbiome.strains.alleles.alleles` wrote, of one database and with the same filters.
    taxa
        Clades to compare; default: all.
    part
        ``(k, n)``: only the k-th of n parts of the clades, so that several jobs share the work.
    minimum_sites, minimum_depth
        As in :func:`clade_distances`.
    methods
        ``consensus``, ``shared_alleles`` or both: what ``distance`` is, consensus_differences or allele_differences
        over sites. One row of each.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.strains.tables.STRAIN_DISTANCES`: a row for every two samples that both have reads
        of the clade. Memory is that of one clade at a time.

    Raises
    ------
    InputError
        When a file is missing or damaged, files cannot be mixed, or a clade is in none of them.
    """
    strange = [name for name in methods if name not in ALLELE_METHODS]
    raise_problems(
        [Problem(f"alleles give no method {n!r}", f"use {' or '.join(ALLELE_METHODS)}", value=n) for n in strange]
    )
    files = open_all(paths)
    frames = []
    for taxon in chosen_taxa(files, taxa, part):
        samples, clades, markers = read_clade(files, taxon)
        found = clade_distances(panel_of(taxon, samples, clades, markers), minimum_sites, minimum_depth)
        frames += [_as_method(found, name) for name in ALLELE_METHODS if name in methods]
        logger.info("%s: samples %d", taxon, len(samples))
    if len(files) == 1:
        logger.warning("%s is the only allele file: there are no pairs", files[0].path)
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=STRAIN_DISTANCES.names)


def _as_method(pairs: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return pairs with the distance of a method."""
    if method == "consensus" or pairs.empty:
        return pairs
    sites = pairs["sites"].to_numpy(dtype=float)
    differences = pairs["allele_differences"].to_numpy(dtype=float)
    distance = np.where(pairs["distance"].isna(), np.nan, differences / np.maximum(sites, 1))
    return pairs.assign(distance=distance, method=method)


def open_all(paths: Sequence[str | Path]) -> list[AlleleFile]:
    """Open allele files and make sure that they can be compared; all problems at once."""
    problems: list[Problem] = []
    files: list[AlleleFile] = []
    for path in paths:
        with collecting(problems):
            files.append(open_alleles(path))
    raise_problems(problems)
    if not files:
        raise InputError("there are no allele files; give at least one")
    check_mixable(files)
    return sorted(files, key=lambda file: file.sample)


def chosen_taxa(
    files: Sequence[AlleleFile], taxa: Sequence[str] | None = None, part: tuple[int, int] | None = None
) -> list[str]:
    """Return the clades of some files, in order; those that are asked for, and of these one part.

    Raises
    ------
    InputError
        When a clade that is asked for is in no file, or there is no such part.
    """
    there = {taxon for file in files for taxon in file.taxa}
    strange = [taxon for taxon in taxa or () if taxon not in there]
    raise_problems(
        [Problem(f"clade {t!r} is in none of the allele files", "write it as t__SGB...", value=t) for t in strange]
    )
    chosen = sorted(there if taxa is None else there & set(taxa))
    if part is None:
        return chosen
    if not 1 <= part[0] <= part[1]:
        raise InputError(f"part {part[0]}/{part[1]} is not possible; give K/N with K from 1 to N")
    return chosen[part[0] - 1 :: part[1]]


def clade_distances(
    panel: CladePanel, minimum_sites: int = 500, minimum_depth: int = 1, evidence: bool = True
) -> pd.DataFrame:
    r"""Compare the strains of every two samples of a clade.

    Over the ``sites`` that have at least `minimum_depth` reads in both samples, after bases that look like errors were
    taken out (:func:`microbiome.strains.panel.panel_of`):

    * ``consensus_differences``: positions at which the most frequent bases differ; over sites, 1 - conANI of inStrain
      (10.1038/s41587-020-00797-0). Where two bases are equally frequent either counts.
    * ``allele_differences``: positions without any base in common, where a base is present that is in 5 % of the reads;
      over sites, 1 - popANI of inStrain and 1 - MVS of SameStr (10.1016/j.xcrm.2022.100711).
    * ``noise``: consensus differences that misread bases alone are expected to make,
      :math:`(\epsilon / 3) (s_1 + s_2)`, s the variable positions read in both that one sample reads once.
    * ``evidence_*``: whether a strain of one sample is a strain of the other
      (:func:`microbiome.strains.genotypes.same_strain_evidence`), which the consensus cannot tell where a sample holds
      two; with more than 200 samples over the 2,000 sites with the most even frequencies.

    Parameters
    ----------
    panel
        The samples of the clade.
    minimum_sites
        ``distance`` is missing below this many sites, and ``note`` says so.
    minimum_depth
        Reads that a position needs in either sample.
    evidence
        Work out ``minor_*`` and ``evidence_*``; otherwise they are missing.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.strains.tables.STRAIN_DISTANCES`, with ``distance`` = consensus_differences /
        sites.
    """
    covered = panel.depth >= max(1, minimum_depth)
    bits = _bits(panel, covered)
    first, second, (sites, both, same, shared, single) = _compared(bits, len(panel.samples))
    if not first.size:
        return pd.DataFrame(columns=STRAIN_DISTANCES.names)
    differences = both - same
    enough = sites >= max(1, minimum_sites)
    distance = np.where(enough, differences / np.maximum(sites, 1), np.nan)
    depth = _mean_depths(panel.depth, covered)
    names = np.array(panel.samples, dtype=object)
    frame = pd.DataFrame(
        {
            "taxon": panel.taxon,
            "sample_1": names[first],
            "sample_2": names[second],
            "sites": sites,
            "distance": distance,
            "method": "consensus",
            "consensus_differences": differences,
            "allele_differences": both - shared,
            "noise": panel.error / 3 * single,
            "depth_1": depth[first],
            "depth_2": depth[second],
        }
    )
    if evidence:
        found = genotypes(panel, square(len(names), first, second, distance))
        for name, values in _evidence(found, first, second).items():
            frame[name] = np.where(sites > 0, values, np.nan)
    frame["note"] = pd.Series(_TOO_FEW, index=frame.index, dtype=object).where(~enough, None)
    return frame.reindex(columns=STRAIN_DISTANCES.names)


def square(size: int, first: np.ndarray, second: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the symmetric matrix of values of pairs, NaN where there is none."""
    matrix = np.full((size, size), np.nan)
    matrix[first, second] = matrix[second, first] = values
    return matrix


@dataclass(frozen=True)
class _Bits:
    """What each sample has, a bit per position: 64-bit words, so that one machine operation compares 64 positions.

    ``cover`` is over all positions; ``read`` (any base) and, per base, ``consensus`` and ``present`` over the variable
    ones; ``single`` has the variable positions that are read once.
    """

    cover: np.ndarray
    read: np.ndarray
    consensus: list[np.ndarray]
    present: list[np.ndarray]
    single: np.ndarray


def _bits(panel: CladePanel, covered: np.ndarray) -> _Bits:
    blocks: list[list[np.ndarray]] = []
    for start in range(0, max(panel.sites.size, 1), BLOCK):
        here = panel.sites[start : start + BLOCK]
        counts = panel.counts(start, start + BLOCK) * covered[:, here, None]
        reads = counts.sum(axis=2, dtype=np.int32)
        most = counts.max(axis=2)
        consensus = (counts == most[:, :, None]) & (most > 0)[:, :, None]
        present = (counts >= np.maximum(_PRESENT * reads, 1)[:, :, None]) | consensus
        flags = [reads > 0, reads == 1, *np.moveaxis(consensus, 2, 0), *np.moveaxis(present, 2, 0)]
        blocks.append([_packed(flag) for flag in flags])
    planes = [np.ascontiguousarray(np.hstack(plane)) for plane in zip(*blocks, strict=True)]
    bases = (len(planes) - 2) // 2
    return _Bits(_packed(covered), planes[0], planes[2 : 2 + bases], planes[2 + bases :], planes[1])


def _compared(bits: _Bits, number: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Count over every two rows: positions covered, sites read, those with a consensus base and any in common."""
    rows: list[list[np.ndarray]] = [[] for _ in range(5)]
    for i in range(number - 1):
        single = _count(bits.single[i] & bits.read[i + 1 :]) + _count(bits.read[i] & bits.single[i + 1 :])
        rows[4].append(single)
        rows[0].append(_count(bits.cover[i] & bits.cover[i + 1 :]))
        rows[1].append(_count(bits.read[i] & bits.read[i + 1 :]))
        rows[2].append(_count(_in_common(bits.consensus, i)))
        rows[3].append(_count(_in_common(bits.present, i)))
    first, second = np.triu_indices(number, 1)
    return first, second, [np.concatenate(row) if row else np.zeros(0, dtype=np.int64) for row in rows]


def _packed(flags: np.ndarray) -> np.ndarray:
    padded = np.pad(flags, ((0, 0), (0, -flags.shape[1] % _BITS)))
    return np.packbits(padded, axis=1).view(np.uint64)


def _count(bits: np.ndarray) -> np.ndarray:
    return np.asarray(np.bitwise_count(bits).sum(axis=1, dtype=np.int64))


def _in_common(planes: Sequence[np.ndarray], row: int) -> np.ndarray:
    found = planes[0][row] & planes[0][row + 1 :]
    for plane in planes[1:]:
        found |= plane[row] & plane[row + 1 :]
    return found


def _mean_depths(depth: np.ndarray, covered: np.ndarray) -> np.ndarray:
    total = depth.sum(axis=1, where=covered, dtype=np.int64)
    return np.asarray(total / np.maximum(covered.sum(axis=1), 1))


def _evidence(found: Genotypes, first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """Return parts of second strains, and the evidence of each strain of one sample being one of the other."""
    number, frequency = len(found.minor), found.frequency
    use = np.arange(frequency.size)
    if number > _MANY_SAMPLES and frequency.size > _EVIDENCE_SITES:
        read = np.count_nonzero(found.depth, axis=0) / number
        use = np.sort(np.argsort(-frequency * (1 - frequency) * read, kind="stable")[:_EVIDENCE_SITES])
    frequency = frequency[use]
    posteriors = [found.posteriors(row, use) for row in range(number)]
    dominant = np.stack([pair[0] for pair in posteriors])
    minor = np.stack([pair[1] for pair in posteriors])
    two = found.minor > 0
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("evidence_same", "evidence_1_in_2", "evidence_2_in_1", "evidence_minor")
    }
    for i in range(number - 1):
        later = slice(i + 1, number)
        missing = np.full(number - 1 - i, np.nan)
        columns["evidence_same"].append(same_strain_evidence(dominant[i], dominant[later], frequency))
        for name, own, others, asked in (
            ("evidence_1_in_2", dominant[i], minor, two[later]),
            ("evidence_2_in_1", minor[i], dominant, np.full(missing.shape, two[i])),
            ("evidence_minor", minor[i], minor, two[later] & two[i]),
        ):
            values = missing.copy()
            values[asked] = same_strain_evidence(own, others[later][asked], frequency)
            columns[name].append(values)
    parts = {"minor_1": found.minor[first], "minor_2": found.minor[second]}
    return parts | {name: np.concatenate(rows) for name, rows in columns.items()}
