"""Engraftment against re-assigned donors: against the definition over sets, and every design that cannot be tested."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from nulls_trial import Trial, random_trial, rate, row

from microbiome.errors import InputError
from microbiome.nulls.schedules import product_subsets

A, B, C = (0, "A", None), (0, "B", None), (0, "C", None)


def subjects_frame(**columns: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=object)


@pytest.mark.parametrize("quantity", ["engraftment_rate", "donor_recovery"])
@pytest.mark.parametrize(
    ("schedules", "days", "lots"),
    [
        ([[A], [B], [C]], (28,), 1),
        ([[A], [A], [B], [B]], (7, 28), 1),
        ([[A], [A], [A], [A], [B]], (28, 60, 90), 1),
        ([[A], [B], [C], [A], [B], [C]], (28,), 2),
        # Repeated doses and several donors: sets grow between the visits.
        ([[A, (20, "B", None)], [B], [A, (40, "C", None)], [B, (40, "C", None)]], (28, 60), 1),
        # The same sets at every visit though the doses differ in day: one schedule.
        ([[A, (20, "B", None)], [A, (25, "B", None)], [C], [B]], (28, 60), 1),
    ],
)
def test_moving_schedules_is_the_definition(
    schedules: list[list[tuple[int, str, str | None]]], days: tuple[int, ...], lots: int, quantity: str
) -> None:
    tested = 0
    for seed in range(4):
        trial = random_trial(seed, schedules, days, lots=lots)
        if np.isnan([trial.rate(quantity, i, j) for i in trial.days for j in trial.days]).any():
            continue
        tested += 1
        found = row(trial.nulls(levels=["overall"]), quantity, "donor_permutation")
        expected = trial.by_permutation(quantity)
        assert found[list(expected)].to_dict() == pytest.approx(expected, abs=1e-12)
        assert found["excess"] == pytest.approx(expected["observed"] - expected["expected"], abs=1e-12)
        assert found["n_subjects"] == len(schedules)
        assert found["n_samples"] == len(schedules) * len(days)
    assert tested


def test_doses_that_make_no_difference_at_any_visit_are_one_schedule() -> None:
    schedules = [[A, (20, "B", None)], [A, (25, "B", None)], [C], [B]]
    found = row(random_trial(1, schedules, (28, 60)).nulls(levels=["overall"]), "donor_recovery", "donor_permutation")
    assert found["permutations"] == 12
    earlier = row(random_trial(1, schedules, (22, 60)).nulls(levels=["overall"]), "donor_recovery", "donor_permutation")
    assert earlier["permutations"] == 24


@pytest.mark.parametrize(
    ("counts", "floor"),
    [((9, 1), 0.10), ((8, 2), 0.0222), ((5, 5), 0.00397), ((1, 1, 1), 0.1667), ((2, 2, 1), 1 / 30)],
)
def test_smallest_p(counts: tuple[int, ...], floor: float) -> None:
    schedules = [[(0, "ABC"[d], None)] for d, number in enumerate(counts) for _ in range(number)]
    # Everybody takes all of its own donor and nothing else: the own arrangement is the best there is.
    own = [set(range(4 * d, 4 * d + 4)) for d in range(3)]
    people = {f"R{i}": {0: {12 + i}, 28: own["ABC".index(one[0][1])]} for i, one in enumerate(schedules)}
    doses = [(f"R{i}", *one[0]) for i, one in enumerate(schedules)]
    donors = {"ABC"[d]: {f"{'ABC'[d]}.0": own[d]} for d in range(len(counts))}
    table = Trial(people, donors, doses, taxa=30).nulls()
    found = row(table, "engraftment_rate", "donor_permutation")
    assert found["p_floor"] == pytest.approx(floor, rel=0.01)
    assert found["p_value"] == found["p_floor"]
    assert (found["observed"], found["expected"]) == (1, 0)
    share = counts[0] / sum(counts)
    first = row(table, "engraftment_rate", "donor_permutation", "R0")
    assert first["p_floor"] == first["p_value"] == pytest.approx(share)
    if found["p_floor"] > 0.025:
        assert np.isnan(found["ci_low"])
        assert "too few re-assignments for the lower" in found["note"]


@pytest.mark.parametrize("lots", [1, 3])
def test_one_donor_for_everybody(lots: int) -> None:
    schedules = [[(0, "A", f"A.{i % lots}")] for i in range(6)]
    trial = random_trial(0, schedules, lots=lots)
    table = trial.nulls()
    found = row(table, "engraftment_rate", "donor_permutation")
    assert found["note"].startswith("not testable: one donor for everybody (A)")
    assert found[["expected", "excess", "p_value", "p_floor", "ci_low"]].isna().all()
    assert found["observed"] == pytest.approx(np.mean([trial.rate("engraftment_rate", s, s) for s in trial.days]))
    assert found["n_donors"] == 1
    subject = row(table, "engraftment_rate", "donor_permutation", "R3")
    assert subject["note"] == "not testable: one donor for everybody (A)"
    assert subject["observed"] == pytest.approx(trial.rate("engraftment_rate", "R3", "R3"))
    taxa = table[(table["level"] == "taxon") & (table["quantity"] == "engraftment_rate")]
    assert len(taxa) == 12
    assert taxa["note"].str.startswith("not testable: ").all()


def test_one_recipient() -> None:
    found = row(random_trial(0, [[A]]).nulls(), "engraftment_rate", "donor_permutation")
    assert found["note"].startswith("not testable: one recipient (R0)")
    assert found["observed"] >= 0


def test_no_doses_at_all() -> None:
    trial = Trial({"R0": {0: [1], 28: [2]}}, {"A": {"A.0": [1]}}, [])
    table = trial.nulls()
    assert table["note"].str.startswith("not testable: no subject received a dose").all()
    assert {"engraftment_rate", "donor_recovery", "baseline_recovery", "depletion_rate"} <= set(table["quantity"])


def test_who_has_no_rate_is_named() -> None:
    people: dict[str, dict[int, list[int]]] = {
        "R0": {0: [1], 28: [2, 3]},
        "R1": {0: [1], 28: [5, 6]},
        "NOPOST": {0: [1]},
        "NOBASE": {28: [2]},
        "NODONOR": {0: [1], 28: [2]},
        "FULL": {0: [2, 3, 4], 28: [2]},
    }
    donors: dict[str, dict[str, list[int]]] = {"A": {"A.0": [2, 3, 4]}, "B": {"B.0": [5, 6, 7]}, "Z": {}}
    doses: list[tuple[str, int, str, str | None]] = [(s, 0, "A", None) for s in people if s not in ("R1", "NODONOR")]
    table = Trial(people, donors, [*doses, ("R1", 0, "B", None), ("NODONOR", 0, "Z", None)]).nulls()
    reasons = {
        "NOPOST": "no profiled post sample",
        "NOBASE": "no profiled baseline",
        "NODONOR": "none of its donor products is profiled",
        "FULL": "the denominator is 0",
    }
    for subject, reason in reasons.items():
        found = row(table, "engraftment_rate", "donor_permutation", subject)
        assert found["note"] == f"not testable: {reason}"
        assert np.isnan(found["observed"])
    overall = row(table, "engraftment_rate", "donor_permutation")
    assert overall["n_subjects"] == 2
    assert all(f"{subject} ({reason})" in overall["note"] for subject, reason in reasons.items())
    assert row(table, "donor_recovery", "donor_permutation")["n_subjects"] == 3
    # Depletion needs no donor.
    assert row(table, "depletion_rate", "none")["n_subjects"] == 4
    assert row(table, "depletion_rate", "none", "NODONOR")["observed"] == 1


def test_strata_keep_schedules_inside() -> None:
    strata = {f"R{i}": "xy"[i // 3] for i in range(6)} | {"R6": "z"}
    frame = subjects_frame(subject=list(strata), centre=list(strata.values()))
    trial = random_trial(5, [[A], [A], [B], [B], [C], [C], [A]], (28, 60), subjects=frame)
    table = trial.nulls(strata="centre")
    found = row(table, "donor_recovery", "donor_permutation")
    # R6 has nobody to exchange with.
    assert found["permutations"] == 9
    assert found["p_floor"] == pytest.approx(1 / 9)
    assert "R6 (no other donor in its stratum)" in found["note"]
    del trial.days["R6"]
    trial.doses = [dose for dose in trial.doses if dose[0] != "R6"]
    expected = trial.by_permutation("donor_recovery", strata)
    assert found[list(expected)].to_dict() == pytest.approx(expected, abs=1e-12)
    assert row(table, "donor_recovery", "donor_permutation", "R6")["note"] == (
        "not testable: no other donor in its stratum"
    )
    alone = random_trial(
        5, [[A], [A], [B], [B]], subjects=subjects_frame(subject=["R0", "R1", "R2", "R3"], c=[*"xxyy"])
    )
    assert (
        "one donor for everybody within each stratum"
        in (row(alone.nulls(strata="c"), "donor_recovery", "donor_permutation")["note"])
    )


def test_a_missing_stratum_leaves_out_by_name() -> None:
    frame = subjects_frame(subject=["R0", "R1", "R2", "R3"], centre=["x", "x", "x", None])
    table = random_trial(5, [[A], [A], [B], [B]], subjects=frame).nulls(strata="centre")
    assert row(table, "donor_recovery", "donor_permutation", "R3")["note"] == "not testable: its stratum is not known"
    assert row(table, "donor_recovery", "donor_permutation")["permutations"] == 3


def test_words_that_make_no_sense_are_refused_together() -> None:
    trial = random_trial(0, [[A], [B]])
    with pytest.raises(InputError) as error:
        trial.nulls(method="magic", products="all", permutations=0, levels=["sample"], window=[3, 1])
    assert len(error.value.problems) == 5
    with pytest.raises(InputError, match="there is no column 'center'"):
        trial.nulls(strata="center")
    varying = random_trial(0, [[A], [B]])
    varying.study.samples["batch"] = np.arange(len(varying.study.samples)).astype(str)
    with pytest.raises(InputError, match="R0 has several values"):
        varying.nulls(strata="batch")


def test_donor_sets_are_reduced_to_a_common_number() -> None:
    schedules = [[(0, "A", f"A.{k}") for k in range(3)], [(0, "B", "B.0")], [(0, "C", "C.0"), (0, "C", "C.1")]]
    trial = random_trial(3, schedules, lots=3, taxa=20)
    table = trial.nulls(products="common", levels=["overall", "subject"])
    for recipient, size in (("R0", 3), ("R1", 1), ("R2", 2)):
        products = sorted(trial.products(recipient, 28))
        assert len(products) == size
        each = [
            rate("engraftment_rate", trial.has[p], trial.baseline(recipient), trial.has[f"{recipient}.28"])
            for p in products
        ]
        found = row(table, "engraftment_rate", "donor_permutation", recipient)
        assert found["observed"] == pytest.approx(np.nanmean(each), abs=1e-12)
    overall = row(table, "engraftment_rate", "donor_permutation")
    assert "donor sets of 1 to 3 products reduced to 1, mean over their subsets" in overall["note"]
    given = row(trial.nulls(), "engraftment_rate", "donor_permutation")
    assert given["observed"] == pytest.approx(trial.by_permutation("engraftment_rate")["observed"], abs=1e-12)
    assert "differ in size (1 to 3 products): not comparable" in given["note"]


def test_subsets_of_products() -> None:
    assert product_subsets([], 2, 0) == []
    assert product_subsets(["a", "b"], 3, 0) == [("a", "b")]
    assert product_subsets(["a", "b", "c"], 2, 0) == [("a", "b"), ("a", "c"), ("b", "c")]
    names = [f"p{i:02d}" for i in range(12)]
    chosen = product_subsets(names, 4, 1)
    assert chosen == product_subsets(names, 4, 1)
    assert chosen != product_subsets(names, 4, 2)
    assert len(set(chosen)) == 20
    assert all(len(one) == 4 and list(one) == sorted(one) for one in chosen)


def test_baselines_are_reassigned() -> None:
    trial = random_trial(2, [[A], [A], [A], [B]], (7, 30))
    people = sorted(trial.days)
    m = np.array(
        [
            [
                np.mean(
                    [rate("baseline_recovery", frozenset(), trial.baseline(j), trial.has[f"{i}.{d}"]) for d in (7, 30)]
                )
                for j in people
            ]
            for i in people
        ]
    )
    table = trial.nulls()
    found = row(table, "baseline_recovery", "baseline_permutation")
    moved = [m[range(4), order].mean() for order in itertools.permutations(range(4))]
    assert found["permutations"] == 24
    assert found["p_value"] == pytest.approx(np.mean(np.array(moved) >= np.trace(m) / 4 - 1e-12))
    assert found["expected"] == pytest.approx(m[~np.eye(4, dtype=bool)].mean())
    assert found["observed"] == pytest.approx(1 - row(table, "depletion_rate", "none")["observed"])


def test_why_a_taxon_cannot_be_tested() -> None:
    people = {
        "R0": {0: [0, 5], 28: [1, 3, 4]},
        "R1": {0: [0, 5], 28: [1, 3]},
        "R2": {0: [0], 28: [1, 3]},
        "R3": {0: [0], 28: [1, 3]},
    }
    donors = {"A": {"A.0": [0, 2, 3, 4, 6]}, "B": {"B.0": [0, 2, 3, 5]}}
    doses: list[tuple[str, int, str, str | None]] = [(f"R{i}", 0, "AABB"[i], None) for i in range(4)]
    table = Trial(people, donors, doses, taxa=8).nulls()
    notes = [str(row(table, "engraftment_rate", "donor_permutation", taxon=f"t__SGB{i + 1}")["note"]) for i in range(8)]
    assert notes[0] == "not testable: nobody lacks it at the baseline"
    assert notes[1] == "not testable: no donor set has it"
    assert notes[2] == "not testable: every donor set has it"
    assert notes[3] == "not testable: every donor set has it"
    assert notes[4] in ("None", "")
    assert notes[5] == "not testable: it appeared in nobody"
    assert notes[6] == "not testable: it appeared in nobody"
    tested = row(table, "engraftment_rate", "donor_permutation", taxon="t__SGB5")
    assert (tested["observed"], tested["expected"], tested["n_subjects"], tested["n_null"]) == (0.5, 0, 2, 2)
    # Of the six choices of two, three give R0 the donor that has it.
    assert (tested["p_value"], tested["p_floor"], tested["permutations"]) == (0.5, pytest.approx(1 / 6), 6)
    assert tested["q_value"] == 0.5


def test_random_arrangements_are_counted_with_the_own_one() -> None:
    schedules = [[(0, "ABCD"[i % 4], None)] for i in range(12)]
    trial = random_trial(4, schedules)
    table = trial.nulls(permutations=99, seed=3)
    found = row(table, "engraftment_rate", "donor_permutation")
    assert (found["scheme"], found["permutations"], found["p_floor"]) == ("monte_carlo", 99, 0.01)
    assert found["p_value"] * 100 == pytest.approx(round(found["p_value"] * 100))
    pd.testing.assert_frame_equal(table, trial.nulls(permutations=99, seed=3))
    many = row(trial.nulls(permutations=20000, seed=3), "engraftment_rate", "donor_permutation")
    assert many["p_value"] == pytest.approx(
        row(trial.nulls(permutations=20000, seed=4), "engraftment_rate", "donor_permutation")["p_value"], abs=0.02
    )
    assert abs(many["p_value"] - found["p_value"]) < 0.2


def test_interval_holds_what_the_test_does_not_reject() -> None:
    for seed in range(6):
        trial = random_trial(seed, [[(0, "AB"[i % 2], None)] for i in range(8)], taxa=30)
        found = row(trial.nulls(levels=["overall"]), "donor_recovery", "donor_permutation")
        assert found["ci_low"] <= found["excess"] <= found["ci_high"]
        if found["p_value"] > 0.025:
            assert found["ci_low"] <= 0
