"""Which bases are real, distances between samples, and whether they have strains in common."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.strains.genotypes import genotypes, minor_strain, same_strain_evidence, sample_weights
from microbiome.strains.pairs import allele_distances, chosen_taxa, clade_distances, open_all, square
from microbiome.strains.panel import CladePanel, panel_of
from microbiome.strains.tables import STRAIN_DISTANCES
from tests.strain_counts import MARKER, Clade, alleles_of, lengths, write


def panel(counts: list[np.ndarray], names: list[str] | None = None) -> CladePanel:
    names = names or [f"S{i}" for i in range(len(counts))]
    return panel_of("t__SGB1", names, [alleles_of(c) for c in counts], np.array(lengths(len(counts[0]))))


def dense(found: CladePanel) -> np.ndarray:
    """Sample x position x base after errors were taken out."""
    counts = np.zeros((*found.depth.shape, 5), dtype=int)
    counts[:, :, 0] = found.depth
    counts[:, found.sites] = found.counts()
    return counts


# ---------------------------------------------------------------------------------------------- what is an error


def test_bases_of_the_strains_are_kept_and_misread_ones_are_not() -> None:
    clade, rng = Clade(1), np.random.default_rng(1)
    strains = [f"s{i // 3}" for i in range(12)]
    counts = [clade.counts({name: 1}, 6, rng, error=1e-3) for name in strains]
    found = panel(counts)
    truth = {tuple(x) for name in set(strains) for x in np.argwhere(np.eye(4)[clade.strain(name)][:, 1:])}
    taken = {(found.sites[s], b - 1) for s, b in zip(found.site, found.base, strict=True)}
    false, missed = len(taken - truth), len(truth - taken)
    assert len(truth) > 150
    assert false <= 0.03 * len(truth)
    assert missed <= 0.03 * len(truth)


def test_the_base_of_the_marker_is_an_error_where_everybody_has_another() -> None:
    counts = np.zeros((3, 1000, 4), dtype=int)
    counts[:, :, 0] = 10
    counts[:, 500] = [0, 12, 0, 0]
    counts[1, 500, 0] = 1
    found = panel(list(counts))
    assert found.sites.tolist() == [500]
    assert found.counts()[:, 0].tolist() == [[0, 0, 12, 0, 0]] * 3
    assert found.depth[:, 500].tolist() == [12, 12, 12]


def test_a_read_that_looks_like_an_error_is_not_counted_as_depth() -> None:
    counts = np.zeros((2, 5000, 4), dtype=int)
    counts[:, :, 0] = 5
    counts[0, 7] = [0, 0, 1, 0]
    found = panel(list(counts))
    assert not found.sites.size
    assert found.depth[0, 7] == 0


def test_parts_of_the_sites_equal_the_whole() -> None:
    clade, rng = Clade(2), np.random.default_rng(2)
    found = panel([clade.counts({f"s{i}": 1}, 4, rng) for i in range(4)])
    whole = found.counts()
    np.testing.assert_array_equal(np.hstack([found.counts(0, 7), found.counts(7, 30), found.counts(30)]), whole)
    np.testing.assert_array_equal(whole.sum(axis=2), found.depth[:, found.sites])


# --------------------------------------------------------------------------------------------------- distances


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), number=st.integers(2, 5), minimum=st.integers(1, 3))
def test_counts_of_pairs_equal_the_definition(seed: int, number: int, minimum: int) -> None:
    """Every number of a pair, position by position."""
    rng = np.random.default_rng(seed)
    counts = rng.choice([0, 0, 1, 2, 7, 40], size=(number, 130, 4), p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    counts[:, 60:] = 0
    counts[:, 60:, 0] = rng.integers(0, 4, (number, 70))
    found = panel(list(counts))
    table = clade_distances(found, minimum_sites=1, minimum_depth=minimum, evidence=False)
    bases = dense(found)
    assert len(table) == number * (number - 1) // 2
    for row, (i, j) in zip(table.itertuples(), itertools.combinations(range(number), 2), strict=True):
        sites = differ = apart = 0
        for one, other in zip(bases[i], bases[j], strict=True):
            if one.sum() < minimum or other.sum() < minimum:
                continue
            sites += 1
            most = [{b for b in range(5) if c[b] == c.max()} for c in (one, other)]
            differ += not most[0] & most[1]
            here = [
                {b for b in range(5) if c[b] >= max(1, 0.05 * c.sum())} | m
                for c, m in zip((one, other), most, strict=True)
            ]
            apart += not here[0] & here[1]
        assert (row.sample_1, row.sample_2) == (f"S{i}", f"S{j}")
        assert (row.sites, row.consensus_differences, row.allele_differences) == (sites, differ, apart)
        if sites:
            assert row.distance == differ / sites
        else:
            assert np.isnan(row.distance)


def test_the_same_strain_has_no_differences_however_shallow_and_others_have_those_that_are_there() -> None:
    clade, rng = Clade(3, divergence=0.002), np.random.default_rng(3)
    names = [f"s{i // 3}" for i in range(15)]
    depths = [0.7, 2, 10] * 5
    found = clade_distances(panel([clade.counts({n: 1}, d, rng) for n, d in zip(names, depths, strict=True)]))
    for row in found.itertuples():
        one, other = names[int(row.sample_1[1:])], names[int(row.sample_2[1:])]
        truth = np.mean(clade.strain(one) != clade.strain(other))
        if one == other:
            assert row.consensus_differences <= 1 + 3 * row.noise
        elif row.sites > 5000:
            assert row.distance == pytest.approx(truth, abs=4 * np.sqrt(truth / row.sites))


def test_too_few_positions_have_no_distance_and_say_so() -> None:
    clade, rng = Clade(4), np.random.default_rng(4)
    found = clade_distances(panel([clade.counts({"a": 1}, 0.1, rng), clade.counts({"b": 1}, 0.1, rng)]))
    assert found["sites"].tolist() == [int((panel_depths(clade, 4) > 0).all(axis=0).sum())]
    assert found["distance"].isna().all()
    assert "fewer than the minimum" in found["note"].item()


def panel_depths(clade: Clade, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return panel([clade.counts({"a": 1}, 0.1, rng), clade.counts({"b": 1}, 0.1, rng)]).depth


def test_no_overlap_is_a_row_without_distance() -> None:
    counts = np.zeros((2, 1000, 4), dtype=int)
    counts[0, :400, 0] = 3
    counts[1, 600:, 0] = 3
    found = clade_distances(panel(list(counts)))
    assert found[["sites", "consensus_differences"]].to_numpy().tolist() == [[0, 0]]
    assert found["distance"].isna().all()
    assert found["evidence_same"].isna().all()


def test_one_strain_everywhere_and_a_single_sample() -> None:
    clade, rng = Clade(5), np.random.default_rng(5)
    found = clade_distances(panel([clade.counts({"a": 1}, 8, rng) for _ in range(4)]))
    assert found["distance"].tolist() == [0.0] * 6
    assert clade_distances(panel([clade.counts({"a": 1}, 8, rng)])).empty


def test_order_of_the_samples_does_not_matter() -> None:
    clade, rng = Clade(6), np.random.default_rng(6)
    counts = [clade.counts({f"s{i // 2}": 0.7, f"s{i}x": 0.3}, 5, rng) for i in range(6)]
    one = clade_distances(panel(counts))
    names = [f"S{i}" for i in (3, 1, 5, 0, 4, 2)]
    other = clade_distances(panel([counts[int(n[1:])] for n in names], names))
    swapped = other["sample_1"] > other["sample_2"]
    pairs = [("sample_1", "sample_2"), ("depth_1", "depth_2"), ("minor_1", "minor_2")]
    for a, b in [*pairs, ("evidence_1_in_2", "evidence_2_in_1")]:
        other.loc[swapped, [a, b]] = other.loc[swapped, [b, a]].to_numpy()
    other = other.sort_values(["sample_1", "sample_2"], ignore_index=True)
    pd.testing.assert_frame_equal(one, other)


# ------------------------------------------------------------------------------------- two strains in a sample


@pytest.mark.parametrize("part", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("depth", [3, 15])
def test_part_of_the_second_strain(part: float, depth: float) -> None:
    clade, rng = Clade(7), np.random.default_rng(7)
    counts = [clade.counts({f"s{i}": 1}, 8, rng) for i in range(8)]
    counts.append(clade.counts({"a": 1 - part, "b": part}, depth, rng))
    found = panel(counts)
    table = clade_distances(found, evidence=False)
    first, second = np.triu_indices(9, 1)
    minor = genotypes(found, square(9, first, second, table["distance"].to_numpy())).minor
    assert minor[:8].tolist() == [0.0] * 8
    assert minor[8] == pytest.approx(part, abs=0.1)


def test_minor_strain_of_nothing_is_none() -> None:
    assert minor_strain(np.zeros(5, dtype=int), np.zeros(5, dtype=int), np.full(5, 0.2), 0.01) == 0.0


def test_evidence_is_the_bayes_factor() -> None:
    """Against the two hypotheses written out: one base for both, or a base for each."""
    rng = np.random.default_rng(8)
    p, one, other = rng.uniform(0.05, 0.5, 20), rng.random(20), rng.random(20)
    # Likelihoods of the reads given the base, from the posteriors: L(1) / L(0) = odds(posterior) / odds(prior).
    total = 0.0
    for i in range(20):
        a = np.array([(1 - one[i]) / (1 - p[i]), one[i] / p[i]])
        b = np.array([(1 - other[i]) / (1 - p[i]), other[i] / p[i]])
        prior = np.array([1 - p[i], p[i]])
        apart = (prior * a).sum() * (prior * b).sum()
        total += np.log(0.98 * (prior * a * b).sum() / apart + 0.02)
    assert same_strain_evidence(one, other, p) == pytest.approx(total)


def test_a_strain_in_common_is_found_although_it_is_the_minor_one() -> None:
    clade, rng = Clade(9), np.random.default_rng(9)
    counts = [clade.counts({f"s{i}": 1}, 8, rng) for i in range(8)]
    counts += [clade.counts({"a": 1}, 6, rng), clade.counts({"b": 0.75, "a": 0.25}, 6, rng)]
    counts += [clade.counts({"c": 0.7, "a": 0.3}, 12, rng), clade.counts({"d": 0.7, "e": 0.3}, 12, rng)]
    table = clade_distances(panel(counts)).set_index(["sample_1", "sample_2"])
    single_in_mixed = table.loc[("S8", "S9")]
    assert single_in_mixed["evidence_same"] < -5
    assert single_in_mixed["evidence_1_in_2"] > 5
    assert np.isnan(single_in_mixed["evidence_2_in_1"])
    assert table.loc[("S9", "S10"), "evidence_minor"] > 5
    assert (table.loc[("S9", "S11"), ["evidence_same", "evidence_1_in_2", "evidence_minor"]].astype(float) < -3).all()


def test_samples_with_one_strain_count_once() -> None:
    distance = np.full((5, 5), 0.01)
    distance[:3, :3] = 0.0
    np.testing.assert_allclose(sample_weights(distance), [1 / 3, 1 / 3, 1 / 3, 1, 1])


# ------------------------------------------------------------------------------------------- files and command


def two_clades(folder: Path, **more: str) -> list[Path]:
    one, other, rng = Clade(10, 4000), Clade(11, 3000), np.random.default_rng(10)
    samples = {f"S{i}": {"t__SGB2": one.counts({f"s{i}": 1}, 5, rng)} for i in range(3)}
    samples["S0"]["t__SGB10"] = other.counts({"x": 1}, 5, rng)
    samples["S2"]["t__SGB10"] = other.counts({"y": 1}, 5, rng)
    return write(folder, samples, **more)


def test_parts_put_together_are_the_whole(tmp_path: Path) -> None:
    paths = two_clades(tmp_path)
    whole = allele_distances(paths)
    assert whole["taxon"].tolist() == ["t__SGB10"] + ["t__SGB2"] * 3
    parts = [allele_distances(paths, part=(k, 3)) for k in (1, 2, 3)]
    together = pd.concat([part for part in parts if len(part)], ignore_index=True)
    pd.testing.assert_frame_equal(whole, together.sort_values("taxon", kind="stable", ignore_index=True))
    assert parts[2].empty
    assert list(parts[2].columns) == STRAIN_DISTANCES.names
    assert chosen_taxa(open_all(paths), ["t__SGB2"]) == ["t__SGB2"]


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    paths = two_clades(tmp_path)
    with pytest.raises(InputError, match="clade 't__SGB3' is in none of the allele files"):
        allele_distances(paths, ["t__SGB3"])
    with pytest.raises(InputError, match="part 4/3 is not possible"):
        allele_distances(paths, part=(4, 3))
    paths[0].write_bytes(b"something else")
    paths[1].unlink()
    with pytest.raises(InputError) as caught:
        allele_distances(paths)
    assert [p.message for p in caught.value.problems] == ["the file is no allele file", "the file does not exist"]


def test_the_command(tmp_path: Path) -> None:
    paths = two_clades(tmp_path)
    out = tmp_path / "distances.tsv"
    assert main(["strains", "distances", "--alleles", *map(str, paths), "-o", str(out)]) == 0
    table = pd.read_csv(out, sep="\t")
    assert list(table.columns) == STRAIN_DISTANCES.names
    expected = allele_distances(paths)
    np.testing.assert_array_equal(table["consensus_differences"], expected["consensus_differences"])
    assert table["sites"].max() <= MARKER * 8
