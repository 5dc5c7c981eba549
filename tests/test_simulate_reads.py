"""Simulated sequences and reads: strains, fragments, errors, adapters, FASTQ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from microbiome.simulate.parameters import Parameters
from microbiome.simulate.reads import Reads, fastq, lanes, simulate_reads
from microbiome.simulate.strains import BASES, Genomes, host_genome
from microbiome.simulate.taxa import load_taxa

PARAMETERS = Parameters(seed=7, sgbs=3, markers=8, min_abundance=0.0)
STRAINS = pd.DataFrame(
    {
        "taxon": ["t__SGB1626", "t__SGB1626", "t__SGB4037", "t__SGB4761"],
        "strain": ["SGB1626:a", "SGB1626:b", "SGB4037:a", "SGB4761:a"],
        "fraction": [0.3, 0.7, 1.0, 1.0],
    }
)
ABUNDANCE = pd.Series({"t__SGB1626": 0.5, "t__SGB4037": 0.2, "t__SGB4761": 0.3})
COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def revcomp(sequence: bytes) -> bytes:
    return sequence.translate(COMPLEMENT)[::-1]


def draw(parameters: Parameters = PARAMETERS, **changes: object) -> tuple[Reads, Genomes, np.ndarray]:
    genomes = Genomes(parameters, load_taxa(parameters))
    host = host_genome(parameters)
    depth = {"layout": "paired", "fragments": 4000, "host": 0.1, "junk": 0.05} | changes
    return simulate_reads(parameters, genomes, host, pd.Series(depth, name="s"), ABUNDANCE, STRAINS), genomes, host


def test_strains_differ_at_the_stated_fraction_of_positions() -> None:
    parameters = Parameters(strain_divergence=0.02, markers=60)
    genomes = Genomes(parameters, load_taxa(parameters))
    one, other = (genomes.strain("t__SGB1626", f"SGB1626:{name}") for name in "ab")
    expected = 0.02 - 0.02**2 / 3
    error = np.sqrt(expected * (1 - expected) / one.size)
    assert abs((one != other).mean() - expected) < 4.5 * error
    ancestor = genomes.ancestor("t__SGB1626")
    assert abs((one != ancestor).mean() - 0.01) < 4.5 * error


def test_a_strain_follows_from_its_name() -> None:
    taxa = load_taxa(PARAMETERS)
    first, second = Genomes(PARAMETERS, taxa), Genomes(PARAMETERS, taxa)
    second.strain("t__SGB1626", "SGB1626:x")
    np.testing.assert_array_equal(first.strain("t__SGB1626", "SGB1626:a"), second.strain("t__SGB1626", "SGB1626:a"))
    assert set(np.unique(first.ancestor("t__SGB1626"))) == {0, 1, 2, 3}


def test_divergence_counts_marker_positions() -> None:
    genomes = Genomes(PARAMETERS, load_taxa(PARAMETERS))
    table = genomes.divergence(STRAINS)
    assert len(table) == 1
    row = table.iloc[0]
    starts, stops = genomes.marker_bounds("t__SGB1626")
    one, other = (genomes.strain("t__SGB1626", name) for name in ("SGB1626:a", "SGB1626:b"))
    pairs = [(one[i], other[i]) for a, b in zip(starts, stops, strict=True) for i in range(a, b)]
    assert row["sites"] == len(pairs)
    assert row["differences"] == sum(a != b for a, b in pairs) > 0
    assert row["divergence"] == row["differences"] / row["sites"]
    assert (starts[1:] > stops[:-1]).all()
    assert genomes.ancestor("t__SGB1626").size >= stops[-1]


def test_fragments_fall_to_strains_by_genome_copies() -> None:
    reads, genomes, _ = draw(fragments=60_000)
    assert np.bincount(reads.source, minlength=3)[1:] == pytest.approx([6000, 3000], rel=0.08)
    copies = ABUNDANCE[STRAINS["taxon"]].to_numpy() * STRAINS["fraction"].to_numpy()
    bases = copies * [genomes.ancestor(taxon).size for taxon in STRAINS["taxon"]]
    found = np.bincount(reads.row[reads.source == 0], minlength=4) / (reads.source == 0).sum()
    np.testing.assert_allclose(found, bases / bases.sum(), atol=0.01)
    assert (reads.row[reads.source > 0] == -1).all()


def test_mates_lie_on_their_strain_and_face_each_other() -> None:
    reads, genomes, host = draw(short_inserts=0.0)
    circles = []
    for taxon, strain in STRAINS[["taxon", "strain"]].itertuples(index=False):
        genome = BASES[genomes.strain(taxon, strain)].tobytes()
        circles.append(genome + genome[: PARAMETERS.max_insert])
    sequence = BASES[host].tobytes()
    circles.append(sequence + sequence[: PARAMETERS.max_insert])
    k = 16
    seen = {"found": 0, "forward": 0, "all": 0}
    ends = []
    long = reads.insert >= PARAMETERS.read_length
    for i in np.flatnonzero((reads.source < 2) & long)[:1500]:
        # Only a start without errors can be looked up; errors have a test of their own.
        first, second = (mate[i].tobytes() for mate in reads.bases)
        if min(reads.qualities[0][i, :k].min(), reads.qualities[1][i, :k].min()) < 25:
            continue
        circle = circles[reads.row[i]] if reads.source[i] == 0 else circles[-1]
        seen["all"] += 1
        forward, backward = circle.find(first[:k]), circle.find(second[:k])
        if forward >= 0:
            end = circle.find(revcomp(second[:k]))
            start = forward
            seen["forward"] += 1
        else:
            end, start = circle.find(revcomp(first[:k])), backward
        if start < 0 or end < 0:
            continue
        seen["found"] += 1
        ends.append((end + k - start - reads.insert[i]) % (len(circle) - PARAMETERS.max_insert) == 0)
    assert seen["all"] > 500
    # 32 bases of Q25 or better hold an error with probability 1.2 % or so.
    assert seen["found"] / seen["all"] > 0.93
    assert np.mean(ends) > 0.99
    assert 0.3 < seen["forward"] / seen["all"] < 0.7


def test_errors_follow_the_qualities() -> None:
    """Both mates of a fragment shorter than a read show all of it: they disagree where one of them is wrong."""
    reads, _, _ = draw(replace(PARAMETERS, short_inserts=1.0), fragments=3000)
    wrong, expected = 0, 0.0
    for i in range(3000):
        size = reads.insert[i]
        first = reads.bases[0][i, :size].tobytes()
        second = revcomp(reads.bases[1][i, :size].tobytes())
        chance = [10.0 ** (quality[i, :size] / -10.0) for quality in reads.qualities]
        one, other = chance[0], chance[1][::-1]
        # Equal by chance: both right, or both wrong in the same of three ways.
        expected += float((1 - (1 - one) * (1 - other) - one * other / 3).sum())
        wrong += sum(a != b for a, b in zip(first, second, strict=True))
    assert wrong == pytest.approx(expected, rel=0.06)
    assert set(np.unique(reads.qualities[0])) == {2, 11, 25, 37}
    # Second mates are the worse ones, and reads get worse towards their end.
    assert reads.qualities[1].mean() < reads.qualities[0].mean()
    assert reads.qualities[0][:, -1].mean() < reads.qualities[0][:, 0].mean() - 1


def test_short_fragments_end_in_the_adapter() -> None:
    reads, _, _ = draw(replace(PARAMETERS, short_inserts=0.5))
    short = np.flatnonzero(reads.insert < 60)
    assert len(short) > 300
    for mate, adapter in enumerate((b"AGATCGGAAGAGCACACGTCTGAACTCCAGTCA", b"AGATCGGAAGAGCGTCGTGTAGGGAAAGAGTGT")):
        hits = [reads.bases[mate][i, reads.insert[i] : reads.insert[i] + 12].tobytes() == adapter[:12] for i in short]
        assert np.mean(hits) > 0.85
    assert (reads.insert < PARAMETERS.read_length).mean() == pytest.approx(0.5, abs=0.04)
    assert draw(replace(PARAMETERS, short_inserts=0.0))[0].insert.mean() == pytest.approx(250, abs=4)


def test_single_reads_have_one_mate() -> None:
    reads, _, _ = draw(layout="single")
    assert len(reads.bases) == len(reads.qualities) == 1


def test_reads_of_one_seed_are_equal() -> None:
    first, second = draw()[0], draw()[0]
    other = draw(replace(PARAMETERS, seed=8))[0]
    assert fastq(first, 0, slice(None), "x") == fastq(second, 0, slice(None), "x") != fastq(other, 0, slice(None), "x")


def test_fastq_is_well_formed() -> None:
    reads, _, _ = draw(fragments=25)
    texts = [fastq(reads, mate, slice(10, 25), "SIM:s:2").decode().splitlines() for mate in (0, 1)]
    for mate, lines in enumerate(texts):
        assert len(lines) == 60
        for i in range(15):
            name, sequence, plus, quality = lines[4 * i : 4 * i + 4]
            assert name == f"@SIM:s:2:{11 + i:08d} {mate + 1}:N:0:SIM"
            assert sequence.encode() == reads.bases[mate][10 + i].tobytes()
            assert plus == "+"
            assert [ord(mark) - 33 for mark in quality] == reads.qualities[mate][10 + i].tolist()


def test_no_read_is_lost_between_units() -> None:
    for size, units in ((10, 1), (10, 2), (10, 3), (1, 3), (12_345, 3)):
        parts = lanes(size, units)
        assert len(parts) == units
        assert [i for part in parts for i in range(size)[part]] == list(range(size))
