"""Retention by visit, and the shares of abundance, against definitions written naively and against R."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import abundance_frame, doses_frame, samples_frame, studies
from test_taxa_fates import golden_trial, subjects_of, table_of

from microbiome.errors import InputError
from microbiome.outcomes import outcomes
from microbiome.stats import mean_interval
from microbiome.study import Study
from microbiome.taxa.curves import retention
from microbiome.taxa.shares import decomposition
from microbiome.taxa.tables import DECOMPOSITION, RETENTION

SHARES = ["post_engrafted", "post_persisted", "post_shared", "post_gained"]


def test_retention_of_taxa_equals_r(golden: Path) -> None:
    profile, study = golden_trial(golden)
    found = retention(outcomes(profile, study), doses=study.doses)
    assert list(found.columns) == RETENTION.names
    single = found[found["level"] == "taxon"].set_index(["day_low", "taxon"])
    expected = pd.read_csv(golden / "taxa_retention.tsv", sep="\t").set_index(["day", "taxon"])
    assert len(single) == len(expected)
    single = single.loc[expected.index]
    assert list(single["n_subjects"]) == list(expected["had"])
    assert list(single["taxa_kept"]) == list(expected["kept"])
    np.testing.assert_allclose(single["retention"], (expected["kept"] / expected["had"]).to_numpy())
    np.testing.assert_allclose(single[["ci_low", "ci_high"]], expected[["low", "high"]], rtol=1e-8, atol=1e-12)
    assert (single["n_donors"] == 1).all()


@settings(max_examples=25)
@given(studies())
def test_retention_equals_the_definition(case: tuple[Study, pd.DataFrame]) -> None:
    study, abundance = case
    try:
        table = outcomes(abundance, study)
        found = retention(table)
    except InputError:
        return
    known = table[table["baseline_detected"].notna()]
    held = known[known["baseline_detected"] == 1]
    for row in found[found["level"] == "all"].itertuples():
        # The visits keep a person's samples apart: at each, a subject has one sample.
        here = held[held["day"].between(row.day_low, row.day_high)]
        shares = here.groupby("subject")["post_detected"].mean()
        interval = mean_interval(shares.astype(float))
        assert (row.n_subjects, row.taxa_baseline) == (len(shares), len(here))
        assert row.taxa_kept == here["post_detected"].sum()
        np.testing.assert_allclose(
            [row.retention, row.ci_low, row.ci_high], [interval.estimate, interval.low, interval.high]
        )
    for row in found[found["level"] == "taxon"].itertuples():
        here = held[(held["taxon"] == row.taxon) & held["day"].between(row.day_low, row.day_high)]
        assert (row.n_subjects, row.taxa_kept) == (len(here), here["post_detected"].sum())
    assert set(found["taxon"].dropna()) == set(held["taxon"])


def test_retention_by_group_and_after_dropping_out() -> None:
    rows = [("A", 30, "t", "persisted"), ("B", 30, "t", "depleted"), ("C", 30, "t", "persisted")]
    rows += [("A", 90, "t", "persisted"), ("A", 90, "u", "gained")]
    found = retention(table_of(rows), subjects_of(A="yes", B="no", C="no"), "group")
    whole = found[found["level"] == "all"]
    assert list(zip(whole["group"], whole["visit"], whole["n_subjects"], strict=True)) == [
        ("all", 1, 3),
        ("all", 2, 1),
        ("no", 1, 2),
        ("no", 2, 0),
        ("yes", 1, 1),
        ("yes", 2, 1),
    ]
    gone = whole[(whole["group"] == "no") & (whole["visit"] == 2)].iloc[0]
    assert np.isnan(gone["retention"])
    assert gone["note"] == "no subject with a baseline taxon has a sample at this visit"
    single = found[(found["level"] == "taxon") & (found["group"] == "no")]
    assert list(single["retention"].fillna(-1)) == [0.5, -1]
    assert list(single["note"]) == [None, "nobody who had it has a sample at this visit"]
    assert set(found["taxon"].dropna()) == {"t"}
    assert (whole["method"] == "logit_t").all()
    assert (single["method"] == "clopper_pearson").all()
    with pytest.raises(InputError, match="a group is called 'all'"):
        retention(table_of(rows), subjects_of(A="all", B="no"), "group")


def test_retention_of_two_samples_of_one_day_and_of_nothing() -> None:
    table = table_of([("A", 30, "t", "depleted"), ("A", 30, "t", "persisted")]).assign(sample=["A.1", "A.2"])
    found = retention(table)
    assert list(found["retention"]) == [1, 1]
    assert list(found["n_samples"]) == [2, 2]
    empty = retention(table_of([("A", 30, "t", "gained")]))
    assert len(empty) == 1
    assert np.isnan(empty["retention"].iloc[0])


def test_decomposition_worked_example() -> None:
    samples = [("d", "D", "donor", None), ("a0", "A", "recipient", 0), ("a1", "A", "recipient", 9)]
    study = Study(samples_frame(samples), doses=doses_frame([("A", 0, "D", "d")]))
    # taxa: engrafted, not_engrafted, shared_kept, shared_depleted, persisted, depleted, gained
    counts = [[10, 20, 30, 40, 0, 0, 0], [0, 0, 40, 20, 20, 20, 0], [50, 0, 20, 0, 20, 0, 10]]
    row = decomposition(outcomes(abundance_frame(np.array(counts, dtype=float), ["d", "a0", "a1"]), study)).iloc[0]
    assert row[SHARES].tolist() == pytest.approx([0.5, 0.2, 0.2, 0.1])
    assert row["post_resident"] == pytest.approx(0.4)
    assert row[["baseline_kept", "baseline_lost"]].tolist() == pytest.approx([0.6, 0.4])
    assert row[["baseline_depleted", "baseline_shared_depleted"]].tolist() == pytest.approx([0.2, 0.2])
    assert row[["donor_taken_up", "donor_not_taken_up", "donor_engrafted"]].tolist() == pytest.approx([0.4, 0.6, 0.1])
    assert row[["post_total", "baseline_total", "donor_total"]].tolist() == pytest.approx([1, 1, 1])
    assert (row["visit"], row["donor_products"], row["note"]) == (1, 1, None)


def test_shares_that_need_an_unprofiled_donor_or_baseline_are_missing() -> None:
    samples = [("d", "D", "donor", None), ("a0", "A", "recipient", 0), ("a1", "A", "recipient", 9)]
    samples += [("b1", "B", "recipient", 9), ("p0", "P", "recipient", 0), ("p1", "P", "recipient", 9)]
    study = Study(samples_frame(samples), doses=doses_frame([("A", 0, "D", "d")]))
    counts = np.array([[1, 1, 0], [0, 1, 1], [1, 1, 1], [3, 1, 0], [0, 1, 1]], dtype=float)
    found = decomposition(outcomes(abundance_frame(counts, ["a0", "a1", "b1", "p0", "p1"]), study)).set_index("subject")
    assert found.loc["A", [*SHARES, "baseline_depleted", "donor_total", "donor_taken_up"]].isna().all()
    assert found.loc["A", ["post_resident", "baseline_kept", "baseline_lost"]].tolist() == [0.5, 0.5, 0.5]
    assert found.loc["A", "note"] == "no donor product has a profile"
    assert found.loc["B", [*SHARES, "post_resident", "baseline_total", "baseline_lost"]].isna().all()
    assert found.loc["B", "note"] == "no profiled baseline; nothing received: no donor shares"
    assert found.loc["P", SHARES].tolist() == [0, 0.5, 0, 0.5]
    assert found.loc["P", ["baseline_lost", "baseline_depleted", "donor_total"]].tolist() == [0.75, 0.75, 0]
    assert np.isnan(found.loc["P", "donor_taken_up"])


@settings(max_examples=30)
@given(studies(), st.floats(0.001, 1000), st.sampled_from([0.0, 0.02]))
def test_shares_sum_to_one(case: tuple[Study, pd.DataFrame], factor: float, detection: float) -> None:
    """Also of abundances that are not closed, such as ECs."""
    study, abundance = case
    scaled = abundance * factor * np.linspace(1, 3, len(abundance))[:, None]
    try:
        table = outcomes(scaled, study, detection * factor)
    except InputError:
        return
    found = decomposition(table)
    assert list(found.columns) == DECOMPOSITION.names
    assert set(found["sample"]) == set(table["sample"])
    both = found[SHARES].notna().all(axis=1)
    donor_known = table.groupby("sample")["donor_detected"].apply(lambda flags: flags.notna().all())[found["sample"]]
    baseline_known = found["baseline_sample"].notna()
    assert (both == (donor_known.to_numpy() & baseline_known & (found["post_total"] > 0))).all()
    np.testing.assert_allclose(found.loc[both, SHARES].sum(axis=1), 1)
    np.testing.assert_allclose(
        found.loc[both, "post_persisted"] + found.loc[both, "post_shared"], found.loc[both, "post_resident"]
    )
    for parts in (["baseline_kept", "baseline_lost"], ["donor_taken_up", "donor_not_taken_up"]):
        there = found[parts].notna().all(axis=1)
        assert (there == found[parts].notna().any(axis=1)).all()
        np.testing.assert_allclose(found.loc[there, parts].sum(axis=1), 1)
    halves = found[["baseline_depleted", "baseline_shared_depleted"]].sum(axis=1, skipna=False)
    np.testing.assert_allclose(halves[both], found.loc[both, "baseline_lost"], atol=1e-12)
    # Missing shares are explained.
    assert found.loc[~both & (found["post_total"] > 0), "note"].notna().all()
    # Nothing depends on the unit of the abundances.
    same = decomposition(outcomes(abundance * np.linspace(1, 3, len(abundance))[:, None], study, detection))
    shares = [column.name for column in DECOMPOSITION.columns if column.unit == "fraction"]
    np.testing.assert_allclose(found[shares], same[shares], atol=1e-12)


@settings(max_examples=10)
@given(studies(), st.randoms(use_true_random=False))
def test_curves_do_not_depend_on_the_order_of_rows(case: tuple[Study, pd.DataFrame], random: object) -> None:
    study, abundance = case
    try:
        table = outcomes(abundance, study)
        found = retention(table)
    except InputError:
        return
    order = list(range(len(table)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert_frame_equal(found, retention(table.iloc[order]))
    assert_frame_equal(decomposition(table), decomposition(table.iloc[order]))
