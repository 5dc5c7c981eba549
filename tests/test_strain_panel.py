"""The strain trial: what its truth says must be what its samples, sequences and reads hold."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.errors import InputError
from microbiome.simulate.strain_panel import StrainPanel, StrainPanelParameters, simulate_strain_panel
from microbiome.simulate.strain_panel_truth import true_pairs, true_triads
from microbiome.simulate.strain_panel_write import LineageGenomes, write_strain_panel
from microbiome.study import read_study
from microbiome.tsv import write_table

SMALL = StrainPanelParameters(seed=3, sgbs=6, markers=10, pairs_low=300, pairs_high=600)


@pytest.fixture(scope="module")
def panel() -> StrainPanel:
    return simulate_strain_panel(StrainPanelParameters(seed=1))


def held(panel: StrainPanel) -> dict[tuple[str, str], dict[str, float]]:
    return {
        (str(sample), str(taxon)): dict(zip(group["strain"], group["fraction"], strict=True))
        for (sample, taxon), group in panel.strains.groupby(["sample", "taxon"])
    }


def test_fractions_and_abundances_sum_to_one(panel: StrainPanel) -> None:
    sums = panel.strains.groupby(["sample", "taxon"])["fraction"].sum()
    assert np.allclose(sums, 1)
    assert (panel.strains["fraction"] > 0).all()
    assert np.allclose(panel.abundance.sum(axis=1), 1)
    present = panel.abundance.stack()  # noqa: PD013 - pairs of labels are wanted
    assert set(present[present > 0].index) == set(sums.index)


def test_pairs_are_a_naive_recount(panel: StrainPanel) -> None:
    depth, content = panel.depth(), held(panel)
    table = true_pairs(panel.strains, depth).set_index(["taxon", "sample_1", "sample_2"])
    number = 0
    for taxon in panel.abundance.columns:
        for one, other in combinations(panel.abundance.index, 2):
            first, second = content.get((one, taxon)), content.get((other, taxon))
            if first is None or second is None:
                assert (taxon, one, other) not in table.index
                continue
            number += 1
            row = table.loc[(taxon, one, other)]
            assert row["any_shared"] == (len(set(first) & set(second)) > 0)
            assert row["mixed"] == (max(len(first), len(second)) > 1)
            assert (row["depth_1"], row["depth_2"]) == (depth.loc[one, taxon], depth.loc[other, taxon])
            ranked = [sorted(x.values(), reverse=True) for x in (first, second)]
            if any(len(x) > 1 and x[0] - x[1] < 1e-6 for x in ranked):
                assert row["same_dominant"] is pd.NA or row["same_dominant"] == 0
            else:
                assert row["same_dominant"] == (
                    max(first, key=first.__getitem__) == max(second, key=second.__getitem__)
                )
    assert number == len(table)


def test_ties_leave_the_dominant_strain_open() -> None:
    rows = [("a", "t", "x", 0.5), ("a", "t", "y", 0.5), ("b", "t", "x", 1.0), ("c", "t", "z", 1.0)]
    strains = pd.DataFrame(rows, columns=["sample", "taxon", "strain", "fraction"])
    table = true_pairs(strains, pd.DataFrame({"t": [1.0, 2.0, 3.0]}, index=["a", "b", "c"]))
    assert table["same_dominant"].tolist() == [pd.NA, 0, 0]
    assert table["any_shared"].tolist() == [1, 0, 0]


def test_triads_follow_from_the_strains(panel: StrainPanel) -> None:
    content = held(panel)
    table = true_triads(panel.samples, panel.doses, panel.strains, panel.depth())
    assert len(table) > 300
    for row in table.itertuples(index=False):
        products: set[str] = set()
        for dose in panel.doses[panel.doses["subject"] == row.subject].itertuples(index=False):
            lots = panel.samples.loc[panel.samples["subject"] == dose.donor, "sample"]
            for lot in lots if dose.donor_sample is None else [dose.donor_sample]:
                products |= set(content.get((lot, row.taxon), ()))
        own = set(content.get((f"{row.subject}-T0", row.taxon), ()))
        parts = {"donor": 0.0, "baseline": 0.0, "common": 0.0, "other": 0.0}
        for strain, fraction in content[row.sample, row.taxon].items():
            word = {(True, False): "donor", (False, True): "baseline", (True, True): "common", (False, False): "other"}
            parts[word[strain in products, strain in own]] += fraction
        got = (row.donor_fraction, row.baseline_fraction, row.common_fraction, row.other_fraction)
        assert got == pytest.approx(tuple(parts.values()))
        assert row.clear == (not products & own)


def test_design_has_what_the_benchmark_needs(panel: StrainPanel) -> None:
    assert len(panel.samples) == 39
    assert panel.pairs.between(5_000, 40_000).all()
    depth = panel.depth().to_numpy()
    assert np.quantile(depth[depth > 0], [0.02, 0.98]) == pytest.approx([0.4, 40], rel=0.8)
    # Depth is bases sequenced per base of genome: the bases of all taxa are those of all reads.
    length = panel.taxa["miniature_length"].to_numpy()
    assert depth @ length == pytest.approx(panel.pairs.to_numpy() * 300)
    triads = true_triads(panel.samples, panel.doses, panel.strains, panel.depth())
    shared = triads[(triads["outcome"] == "shared_kept") & (triads["clear"] == 1) & (triads["other_fraction"] == 0)]
    assert set(shared["donor_fraction"].round(6)) == {0, 0.1, 0.5, 0.9, 1}
    assert shared.groupby(["subject", "taxon"])["donor_fraction"].nunique().eq(1).all()
    assert panel.doses.groupby("subject")["donor"].nunique().eq(2).sum() == 2
    # People before FMT: unrelated ones share a strain in some 6 % of pairs, one in seven of their taxa is mixed.
    first = panel.samples.groupby("subject")["sample"].first().tolist()
    pairs = true_pairs(panel.strains, panel.depth())
    pairs = pairs[pairs["sample_1"].isin(first) & pairs["sample_2"].isin(first)]
    assert 0.03 < pairs["any_shared"].mean() < 0.11
    numbers = panel.strains[panel.strains["sample"].isin(first)].groupby(["sample", "taxon"]).size()
    assert 0.08 < (numbers > 1).mean() < 0.22


@pytest.mark.parametrize("divergence", [0.01, 0.002])
@pytest.mark.parametrize("structure", [0.0, 0.3])
def test_strains_are_as_far_apart_as_asked(divergence: float, structure: float) -> None:
    genomes = LineageGenomes(replace(SMALL, divergence=divergence, structure=structure, markers=400))
    taxon = str(genomes.taxa.index[0])
    names = [f"s{i}" for i in range(12)]
    table = genomes.divergence(pd.DataFrame({"taxon": taxon, "strain": names}))
    same = [genomes.lineage(taxon, a) == genomes.lineage(taxon, b) for a, b in combinations(sorted(names), 2)]
    assert any(same)
    within, between = table.loc[same, "divergence"].mean(), table.loc[~np.array(same), "divergence"].mean()
    assert between == pytest.approx(divergence, rel=0.1)
    assert within == pytest.approx(divergence * (1 - structure), rel=0.1)


def test_equal_names_are_equal_sequences() -> None:
    one, other = LineageGenomes(SMALL), LineageGenomes(SMALL)
    taxon, second = map(str, one.taxa.index[:2])
    assert np.array_equal(one.strain(taxon, "a"), other.strain(taxon, "a"))
    assert not np.array_equal(one.strain(taxon, "a"), one.strain(taxon, "b"))
    assert not np.array_equal(one.ancestor(taxon)[:500], one.ancestor(second)[:500])


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("bowtie2-build") is None, reason="needs bowtie2")
@pytest.mark.parametrize("flat_error", [None, 0.003])
def test_files_hold_the_trial(tmp_path: Path, flat_error: float | None) -> None:
    panel = simulate_strain_panel(replace(SMALL, flat_error=flat_error))
    write_strain_panel(panel, tmp_path)
    study = read_study(tmp_path / "samples.tsv", tmp_path / "subjects.tsv", tmp_path / "doses.tsv")
    assert study.samples["sample"].tolist() == panel.samples["sample"].tolist()
    sample = panel.samples["sample"].iloc[0]
    for mate in (1, 2):
        with gzip.open(tmp_path / "fastq" / f"{sample}_R{mate}.fastq.gz", "rt") as handle:
            lines = handle.read().splitlines()
        assert len(lines) == 4 * panel.pairs[sample]
        assert {len(line) for line in lines[1::4]} == {150}
        qualities = set("".join(lines[3::4]))
        assert qualities == ({"F"} if flat_error else set("F:,#"))
    strains = pd.read_csv(tmp_path / "truth" / "strains.tsv", sep="\t")
    assert len(strains) == len(panel.strains)
    write_table(true_pairs(panel.strains, panel.depth()), tmp_path / "again.tsv")
    assert (tmp_path / "again.tsv").read_bytes() == (tmp_path / "truth" / "pairs.tsv").read_bytes()


def test_nobody_is_without_any_taxon() -> None:
    panel = simulate_strain_panel(replace(SMALL, carriage=0.0, donor_carriage=0.0, depletion=1.0, engraftment=0.0))
    assert set(panel.strains["sample"]) == set(panel.samples["sample"])
    assert (panel.abundance.gt(0).sum(axis=1) == 1).all()
    assert len(true_triads(panel.samples, panel.doses, panel.strains, panel.depth())) == 22


def test_what_makes_no_sense_is_refused_at_once() -> None:
    with pytest.raises(InputError) as caught:
        StrainPanelParameters(structure=1.5, donor_lots=(), placebo=20, pairs_high=1)
    assert len(caught.value.problems) >= 4
