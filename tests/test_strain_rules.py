"""Published rules against their definitions and MetaPhlAn's own script."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strain_pairs import STUDY, pairs_of, study_of

from microbiome.errors import InputError
from microbiome.strains.relations import relations
from microbiome.strains.rules import Rule, percentile_cut, youden_cut
from microbiome.strains.share import share
from microbiome.strains.thresholds import thresholds

DISTANCES = st.lists(st.sampled_from([0.0, 0.001, 0.002, 0.01, 0.02, 0.05, 0.3, 1.0]), min_size=1, max_size=40)


@given(DISTANCES, st.floats(0, 0.999))
def test_percentile_is_that_of_strain_transmission(distances: list[float], fraction: float) -> None:
    assert percentile_cut(np.array(distances), fraction) == sorted(distances)[int(len(distances) * fraction)]


@given(DISTANCES, DISTANCES)
def test_youden_is_the_best_of_all_cuts(same: list[float], different: list[float]) -> None:
    def index(cut: float) -> Fraction:
        return Fraction(sum(d <= cut for d in same), len(same)) - Fraction(
            sum(d <= cut for d in different), len(different)
        )

    found = youden_cut(np.array(same), np.array(different))
    best = max(index(cut) for cut in {*same, *different})
    assert found == min(cut for cut in {*same, *different} if index(cut) == best)


@pytest.mark.real
@pytest.mark.parametrize(("name", "value"), [("percentile_3", None), ("percentile_table", {"t__SGB1": 0.03})])
def test_metaphlan_finds_the_same_threshold_and_events(
    real_data: Path, name: str, value: dict[str, float] | None
) -> None:
    folder = real_data / "strain_transmission"
    pairs = pd.read_csv(
        folder / "tree.nwk.dist", sep="\t", names=["sample_1", "sample_2", "distance"], float_precision="round_trip"
    )
    meta = pd.read_csv(folder / "meta.tsv", sep="\t")
    study = study_of(
        [
            (s, p, "donor" if p[0] == "D" else "recipient", None if p[0] == "D" else 28 * t)
            for s, p, t in zip(meta["sampleID"], meta["subjectID"], meta["timepoint"], strict=True)
        ],
        [(f"R{i}", 0, f"D{i}") for i in range(8)],
    )
    table = share(pairs.assign(taxon="t__SGB1", method="ngd"), study, Rule(name, percentiles=value))
    assert table["threshold"].unique().tolist() == [0.09037342588890301]
    events = table[(table["same_strain"] == 1) & (table["relation"] == "own_donor")]
    assert set(zip(events["sample_1"], events["sample_2"], strict=True)) == {
        (f"D{i}_t0", f"R{i}_post") for i in range(4)
    }


def naive_groups(pairs: pd.DataFrame) -> tuple[list[float], list[float]]:
    relation = relations(pairs, STUDY)
    return (
        pairs["distance"][relation == "same_person"].to_list(),
        pairs["distance"][relation == "unrelated"].to_list(),
    )


def test_youden_is_capped_and_falls_back() -> None:
    few = pairs_of(1, taxa=1)
    _, unrelated = naive_groups(few)
    row = thresholds(few, STUDY, Rule("youden")).iloc[0]
    assert (row["threshold_origin"], row["same_person_pairs"], row["unrelated_pairs"]) == ("percentile_3", 24, 1104)
    assert row["threshold"] == sorted(unrelated)[int(1104 * 0.03)]
    assert row["note"].startswith("24 pairs of one person within 180 days (50 are needed)")

    samples = [(f"p{i}-{day}", f"p{i}", "control", day) for i in range(20) for day in (0, 30, 60, 300)]
    study = study_of(samples)
    for shared, origin in ((0.0, "youden"), (0.3, "percentile_5")):
        pairs = pairs_of(2, taxa=1, study=study, shared=shared, kept=1.0, mixed=0, sites=(5000, 9000))
        relation = relations(pairs, study)
        near = [
            d
            for d, one, other, word in zip(
                pairs["distance"], pairs["sample_1"], pairs["sample_2"], relation, strict=True
            )
            if word == "same_person" and "300" not in one + other
        ]
        unrelated = pairs["distance"][relation == "unrelated"].to_list()
        best = youden_cut(np.array(near), np.array(unrelated))
        cap = sorted(unrelated)[int(len(unrelated) * 0.05)]
        row = thresholds(pairs, study, Rule("youden")).iloc[0]
        assert row["threshold_origin"] == origin
        assert row["threshold"] == min(best, cap)
        assert row["false_sharing_rate"] == pytest.approx(np.mean(np.array(unrelated) <= row["threshold"]))


def test_percentiles_look_at_first_samples_and_name_their_fall_back() -> None:
    pairs = pairs_of(3, taxa=2)
    table = thresholds(pairs, STUDY, Rule("percentile_table", percentiles={"t0": 0.05})).set_index("taxon")
    first = pairs["sample_1"].str.endswith("-0") & pairs["sample_2"].str.endswith("-0")
    for taxon, fraction, origin in (("t0", 0.05, "percentile_table"), ("t1", 0.03, "percentile_3")):
        distances = pairs["distance"][first & (pairs["taxon"] == taxon)].to_list()
        assert len(distances) == 24 * 23 / 2
        assert table.loc[taxon, "threshold"] == sorted(distances)[int(len(distances) * fraction)]
        assert table.loc[taxon, "threshold_origin"] == origin
    assert table.loc["t1", "note"] == "not in the table of percentiles: 3rd percentile"
    assert table.loc["t0", "note"] is None
    small = study_of([(f"q{i}", f"q{i}", "control", 0) for i in range(4)])
    row = thresholds(pairs_of(4, taxa=1, study=small), small, Rule("percentile_3")).iloc[0]
    assert row["note"] == "6 pairs between first samples of people: the smallest distance"


def test_fixed_cuts_of_other_programs() -> None:
    pairs = pairs_of(5, taxa=1)
    loose = share(pairs, STUDY, Rule("fixed", 0.004))
    assert (loose["same_strain"] == (pairs["distance"] <= 0.004)).all()
    assert loose["p_same"].isna().all()
    alleles = pairs.assign(method="shared_alleles")
    samestr = share(alleles, STUDY, Rule("samestr"))
    enough = pairs["sites"] > 5000
    assert samestr["same_strain"][~enough].isna().all()
    assert samestr["note"][~enough].eq("not more than 5000 positions").all()
    assert (samestr["same_strain"][enough] == (pairs["distance"][enough] <= 0.001)).all()
    instrain = share(alleles, STUDY, Rule("instrain"))
    assert (instrain["same_strain"] == (pairs["distance"] <= 0.00001)).all()
    other = share(pairs, STUDY, Rule("samestr"))
    assert other["same_strain"].isna().all()
    assert other["threshold_origin"].eq("none").all()
    assert other["note"].eq("rule samestr is for shared_alleles and samestr, not consensus").all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "best"}, "there is no rule 'best'"),
        ({"name": "fixed"}, "rule fixed needs a distance"),
        ({"name": "fixed", "value": -1.0}, "rule fixed needs a distance"),
        ({"name": "percentile_table"}, "needs the table of percentiles"),
    ],
)
def test_a_rule_that_cannot_be(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Rule(**arguments)  # type: ignore[arg-type]
