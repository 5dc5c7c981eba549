"""Depletion against turnover without FMT: placebo, repeats, refusals; against the definitions over sets."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pandas as pd
import pytest
from nulls_trial import Trial, random_trial, rate, row, some
from scipy import stats

from microbiome.nulls import nulls
from microbiome.nulls.contrast import DILUTION
from microbiome.nulls.lost_taxa import compare_taxa, exact_difference, flip_taxa
from microbiome.simulate.panel import simulate_panel
from microbiome.simulate.panel_parameters import PanelParameters
from microbiome.stats import benjamini_hochberg, group_permutation, sign_flip
from microbiome.tables import SUBJECTS
from microbiome.tsv import empty_table

A, B = (0, "A", None), (0, "B", None)
QUANTITIES = ("engraftment_rate", "donor_recovery", "depletion_rate", "depletion_rate_donor_absent")


def all_choices(values: np.ndarray, first: int) -> float:
    """Two-sided p of the difference of means over all choices of the first group."""
    places = range(len(values))
    found = []
    for chosen in itertools.combinations(places, first):
        rest = [i for i in places if i not in chosen]
        found.append(abs(values[list(chosen)].mean() - values[rest].mean()))
    own = abs(values[:first].mean() - values[first:].mean())
    return float(np.mean(np.array(found) >= own - 1e-12))


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("days", [(28,), (7, 30, 60)])
def test_placebo_arm_is_the_definition(quantity: str, days: tuple[int, ...]) -> None:
    trial = random_trial(8, [[A], [A], [B], [A, (20, "B", None)]], days, placebo=3, taxa=60)
    treated = np.array([trial.rate(quantity, f"R{i}", f"R{i}") for i in range(4)])
    placebo = np.array([np.mean([trial.rate(quantity, f"P{i}", f"R{j}") for j in range(4)]) for i in range(3)])
    table = trial.nulls()
    found = row(table, quantity, "placebo_arm")
    welch = stats.ttest_ind(treated, placebo, equal_var=False).confidence_interval()
    assert found["observed"] == pytest.approx(treated.mean(), abs=1e-12)
    assert found["expected"] == pytest.approx(placebo.mean(), abs=1e-12)
    assert found["excess"] == pytest.approx(treated.mean() - placebo.mean(), abs=1e-12)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((welch.low, welch.high))
    if quantity == "depletion_rate":
        assert found["p_value"] == pytest.approx(all_choices(np.concatenate([treated, placebo]), 4))
        assert found["p_floor"] == pytest.approx(1 / 35)
    else:
        # R0 and R1 have the same schedule; the placebo recipients are alike.
        assert found["p_value"] == pytest.approx(all_dealt(trial, quantity, ["R0", "R0", "R2", "R3", "", "", ""]))
        assert found["p_floor"] == pytest.approx(1 / 420)
        assert (found["permutations"], found["scheme"]) == (420, "exact")
    assert (found["n_subjects"], found["n_null"], found["n_samples"]) == (4, 3, 7 * len(days))
    for i in range(4):
        one = row(table, quantity, "placebo_arm", f"R{i}")
        assert one["p_value"] == pytest.approx((1 + np.sum(placebo >= treated[i] - 1e-12)) / 4)
        assert one["p_floor"] == 0.25
        assert one["excess"] == pytest.approx(treated[i] - placebo.mean())


def all_dealt(trial: Trial, quantity: str, labels: list[str]) -> float:
    """Share of the ways to deal out arms and schedules with a difference at least as large as the first one."""
    people = [f"R{i}" for i in range(4)] + [f"P{i}" for i in range(3)]
    values = {(who, of): trial.rate(quantity, who, of) for who in people for of in ("R0", "R2", "R3")}
    for who in people:
        values[who, ""] = np.nanmean([values[who, of] for of in ("R0", "R0", "R2", "R3")])
    found = {}
    for order in set(itertools.permutations(labels)):
        given = [values[who, of] for who, of in zip(people, order, strict=True) if of]
        free = [values[who, of] for who, of in zip(people, order, strict=True) if not of]
        found[order] = abs(np.nanmean(given) - np.nanmean(free))
    assert len(found) == 420
    return float(np.mean([value >= found[tuple(labels)] - 1e-12 for value in found.values()]))


def test_every_row_of_depletion_says_that_it_includes_dilution() -> None:
    for trial in (random_trial(1, [[A], [B]], placebo=2), random_trial(1, [[A], [B]])):
        table = trial.nulls()
        depletion = table[table["quantity"].str.startswith("depletion")]
        assert len(depletion) > 10
        assert depletion["note"].str.contains(DILUTION).all()


def test_only_the_visits_of_both_groups_count() -> None:
    rng = np.random.default_rng(0)
    people = {f"R{i}": {day: some(rng, 12, 0.5) for day in (0, 7, 28, 90)} for i in range(3)}
    people |= {f"P{i}": {day: some(rng, 12, 0.5) for day in (0, 30)} for i in range(3)}
    doses: list[tuple[str, int, str, str | None]] = [(f"R{i}", 0, "A", None) for i in range(3)]
    trial = Trial(people, {"A": {"A.0": [0, 1, 2]}}, doses)
    found = row(trial.nulls(), "depletion_rate", "placebo_arm")
    expected = [rate("depletion_rate", frozenset(), trial.baseline(f"R{i}"), trial.has[f"R{i}.28"]) for i in range(3)]
    assert found["observed"] == pytest.approx(np.mean(expected))
    assert "days 28 to 30" in found["analysis"]
    late = row(trial.nulls(window=[60, 100]), "depletion_rate", "placebo_arm")
    assert late["note"].startswith("not testable: there are no samples in the day window in both groups")
    assert late["observed"] >= 0


@pytest.mark.parametrize(
    ("placebo_days", "reason"),
    [
        ((0, 90), "there are no samples of the same visits in both groups (treated: day 20 to 20, untreated: day 90"),
        ((0, 42), "post samples of the untreated are 42 days after the baseline, those of the treated 20"),
        ((-40, 20), "post samples of the untreated are 60 days after the baseline, those of the treated 20"),
    ],
)
def test_placebo_of_another_lag_is_refused(placebo_days: tuple[int, int], reason: str) -> None:
    rng = np.random.default_rng(0)
    people = {f"R{i}": {day: some(rng, 12, 0.5) for day in (0, 20)} for i in range(3)}
    people |= {f"P{i}": {day: some(rng, 12, 0.5) for day in placebo_days} for i in range(3)}
    doses: list[tuple[str, int, str, str | None]] = [(f"R{i}", 0, "A", None) for i in range(3)]
    table = Trial(people, {"A": {"A.0": [0, 1, 2]}}, doses).nulls()
    for quantity in QUANTITIES:
        found = row(table, quantity, "placebo_arm")
        assert found["note"].startswith(f"not testable: {reason}")
        assert found[["expected", "excess", "p_value", "ci_low"]].isna().all()
        assert found["observed"] >= 0
        assert found["observed_ci_low"] <= found["observed"]
        assert row(table, quantity, "placebo_arm", "R1")["note"].startswith(f"not testable: {reason}")


def repeats_trial(before: tuple[int, ...], donor_days: tuple[int, ...] = (0,), post: tuple[int, ...] = (28,)) -> Trial:
    rng = np.random.default_rng(3)
    people = {f"R{i}": {day: some(rng, 16, 0.5) for day in (*before, 0, *post)} for i in range(5)}
    donors = {d: {f"{d}.{k}": some(rng, 16, 0.5) for k in range(len(donor_days))} for d in "ABC"}
    doses: list[tuple[str, int, str, str | None]] = [(f"R{i}", 0, "ABC"[i % 3], f"{'ABC'[i % 3]}.0") for i in range(5)]
    days = {f"{d}.{k}": day for d in "ABC" for k, day in enumerate(donor_days)}
    return Trial(people, donors, doses, taxa=16, donor_days=days)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_repeats_before_fmt_are_compared_within_persons(quantity: str) -> None:
    trial = repeats_trial((-30,))
    fmt, null = [], []
    for i in range(5):
        donor = trial.donor_set(f"R{i}", 28)
        sets = [trial.has[f"R{i}.{day}"] for day in (-30, 0, 28)]
        null.append(rate(quantity, donor, sets[0], sets[1]))
        fmt.append(rate(quantity, donor, sets[1], sets[2]))
    difference = np.array(fmt) - np.array(null)
    found = row(trial.nulls(), quantity, "before_repeats")
    assert found["excess"] == pytest.approx(difference.mean())
    assert (found["observed"], found["expected"]) == pytest.approx((np.mean(fmt), np.mean(null)))
    signs = np.array(list(itertools.product((-1, 1), repeat=5)))
    means = np.abs((signs * difference).mean(axis=1))
    assert found["p_value"] == pytest.approx(np.mean(means >= abs(difference.mean()) - 1e-12))
    assert found["p_floor"] == 1 / 16
    paired = stats.ttest_rel(fmt, null).confidence_interval()
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((paired.low, paired.high))
    assert found["method"] == "sign_flip, paired_t"
    assert "5 of 5 pairs, 30 days apart, against post samples 28 days" in found["note"]


def test_repeats_of_donors() -> None:
    trial = repeats_trial((), (0, 25))
    table = trial.nulls()
    found = row(table, "depletion_rate", "donor_repeats")
    treated = np.array([trial.rate("depletion_rate", f"R{i}", f"R{i}") for i in range(5)])
    null = np.array([rate("depletion_rate", frozenset(), trial.has[f"{d}.0"], trial.has[f"{d}.1"]) for d in "ABC"])
    assert (found["observed"], found["expected"]) == pytest.approx((treated.mean(), null.mean()))
    assert found["p_value"] == pytest.approx(all_choices(np.concatenate([treated, null]), 5))
    assert found["n_null"] == 3
    assert row(table, "depletion_rate_donor_absent", "donor_repeats")["note"].startswith(
        "not testable: a donor has no donor set"
    )


def test_repeats_of_another_lag_are_refused() -> None:
    table = repeats_trial((-7,)).nulls()
    for quantity in QUANTITIES:
        found = row(table, quantity, "before_repeats")
        assert found["note"].startswith(
            "not testable: repeats before FMT are 7 days apart, post samples 28 days after the baseline"
        )
        assert found[["expected", "excess", "p_value"]].isna().all()
        assert found["observed"] >= 0
    # Donors are looked at next, and refused for their own reason.
    both = repeats_trial((-7,), (0, 100)).nulls()
    assert "are 7 days apart" in row(both, "depletion_rate", "before_repeats")["note"]
    assert "are 100 days apart" in row(both, "depletion_rate", "donor_repeats")["note"]
    assert row(repeats_trial((-7,), (0, 28)).nulls(), "depletion_rate", "donor_repeats")["p_value"] > 0


def test_the_visit_that_repeats_match_is_taken() -> None:
    trial = repeats_trial((-28,), post=(7, 30, 90))
    found = row(trial.nulls(), "depletion_rate", "before_repeats")
    at_30 = [rate("depletion_rate", frozenset(), trial.baseline(f"R{i}"), trial.has[f"R{i}.30"]) for i in range(5)]
    assert found["observed"] == pytest.approx(np.mean(at_30))
    assert found["n_samples"] == 10


def test_repeats_without_days_or_of_one_person_are_refused() -> None:
    undated = Trial(
        {f"R{i}": {0: [1, 2], 28: [2, i]} for i in range(3)},
        {"A": {"A.0": [1], "A.1": [1, 2]}},
        [(f"R{i}", 0, "A", None) for i in range(3)],
    )
    note = row(undated.nulls(), "depletion_rate", "donor_repeats")["note"]
    assert note.startswith("not testable: repeats of donors have no days")
    single = Trial(
        {f"R{i}": {0: [1, 2], 28: [2, i]} | ({-28: [1]} if i == 0 else {}) for i in range(3)},
        {"A": {"A.0": [1]}},
        [(f"R{i}", 0, "A", None) for i in range(3)],
    )
    note = row(single.nulls(), "depletion_rate", "before_repeats")["note"]
    assert note.startswith("not testable: only one person has repeats before FMT of that lag")


def test_nothing_to_compare_with() -> None:
    trial = random_trial(2, [[A], [B], [A]])
    table = trial.nulls()
    found = row(table, "depletion_rate", "none")
    assert found["note"].startswith("not testable: no placebo or control arm, and no repeats")
    values = [trial.rate("depletion_rate", f"R{i}", f"R{i}") for i in range(3)]
    assert found["observed"] == pytest.approx(np.mean(values))
    assert found["observed_ci_low"] < found["observed"] < found["observed_ci_high"]
    assert row(table, "depletion_rate", "none", taxon="t__SGB3")["note"].startswith("not testable: ")


def test_repeats_differing_in_depth_are_refused() -> None:
    parameters = PanelParameters(
        taxa=200, recipients=6, donors=2, donor_samples=1, baseline_repeats=(-28,), with_reads=False, depth_sd=0.1
    )
    panel = simulate_panel(parameters, 1)
    shallow = simulate_panel(PanelParameters(**{**parameters.__dict__, "reads": 2e6}), 1)
    abundance = panel.abundance.copy()
    first = [name for name in abundance.index if name.endswith("-S1")]
    abundance.loc[first] = shallow.abundance.loc[first]
    table = nulls(abundance, panel.study, method="none", levels=["overall"])
    note = row(table, "depletion_rate", "before_repeats")["note"]
    assert note.startswith("not testable: baselines are ")
    assert "times deeper than first of the repeats before FMT" in note
    repaired = row(nulls(abundance, panel.study, method="threshold"), "depletion_rate", "before_repeats")
    assert repaired["p_value"] > 0


def test_forgotten_doses_are_no_placebo(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame(
        {"subject": ["R0", "R1", "P0", "P1", "P2"], "arm": ["fmt", "fmt", "fmt", "placebo", "placebo"]}, dtype=object
    )
    trial = random_trial(1, [[A], [B]], placebo=3, subjects=frame)
    with caplog.at_level(logging.WARNING):
        found = row(trial.nulls(), "depletion_rate", "placebo_arm")
    assert found["n_null"] == 2
    assert any("neither treated nor untreated here: P0" in message for message in caplog.messages)
    everybody = frame.assign(arm="melanoma")
    assert (
        row(random_trial(1, [[A], [B]], placebo=3, subjects=everybody).nulls(), "depletion_rate", "placebo_arm")[
            "n_null"
        ]
        == 3
    )


def test_strata_of_placebo() -> None:
    frame = pd.DataFrame({"subject": ["R0", "R1", "R2", "P0", "P1", "P2"], "centre": list("xxyxyz")}, dtype=object)
    trial = random_trial(4, [[A], [A], [B]], placebo=3, subjects=frame)
    table = trial.nulls(strata="centre")
    found = row(table, "engraftment_rate", "placebo_arm")
    # P2 has no treated subject in its centre: no pseudo-donor.
    assert "P2 (no rate against any schedule of its stratum)" in found["note"]
    pseudo = [trial.rate("engraftment_rate", "P0", "R0"), trial.rate("engraftment_rate", "P1", "R2")]
    # In x two treated (one schedule) and one untreated, in y one and one.
    own = [trial.rate("engraftment_rate", f"R{i}", f"R{i}") for i in range(3)]
    weights = np.array([2 * 1 / 3, 1 * 1 / 2])
    differences = np.array([np.mean(own[:2]) - pseudo[0], own[2] - pseudo[1]])
    assert found["excess"] == pytest.approx(weights @ differences / weights.sum())
    assert found["expected"] == pytest.approx(np.mean(own) - found["excess"])
    # Three orders in x, two in y.
    assert found["permutations"] == 6
    assert "excess, interval and p within strata" in found["note"]
    alone = row(table, "engraftment_rate", "placebo_arm", "R2")
    assert (alone["expected"], alone["n_null"]) == (pytest.approx(pseudo[1]), 1)


@pytest.mark.parametrize("method", ["auto", "threshold", "none"])
def test_tenfold_depth_between_arms(method: str, caplog: pytest.LogCaptureFixture) -> None:
    parameters = PanelParameters(
        taxa=300, recipients=16, placebo=6, donors=2, engraftment=0.0, depth_factors={"post+fmt": 0.1}
    )
    panel = simulate_panel(parameters, 2)
    with caplog.at_level(logging.WARNING):
        found = row(
            nulls(panel.abundance, panel.study, method=method, levels=["overall"]), "depletion_rate", "placebo_arm"
        )
    assert "times deeper than post samples of treated" in found["note"]
    if method != "none":
        assert found["repair"] == ("threshold" if method == "threshold" else "thinning")
        assert "; repaired: " in found["note"]
        assert (found["detection"] > 0) == (method == "threshold")
        assert found["ci_low"] <= 0 <= found["ci_high"]
    else:
        assert found["repair"] == "none"
        assert "not repaired: " in found["note"]
        assert found["excess"] > 0.05
        assert any("see --repair" in message for message in caplog.messages)


def test_loss_of_each_taxon_among_those_who_had_it() -> None:
    trial = random_trial(6, [[A], [B], [A], [B], [A]], (28, 60), placebo=4, taxa=10)
    table = trial.nulls(levels=["taxon"])
    found = table[(table["quantity"] == "depletion_rate") & (table["null"] == "placebo_arm")].set_index("taxon")
    p_values = []
    for t in range(10):
        loss = {
            s: np.mean([t not in trial.has[f"{s}.{day}"] for day in (28, 60)])
            for s in sorted(trial.days)
            if t in trial.baseline(s)
        }
        treated = [value for s, value in loss.items() if s.startswith("R")]
        placebo = [value for s, value in loss.items() if s.startswith("P")]
        one = found.loc[f"t__SGB{t + 1}"]
        assert (one["n_subjects"], one["n_null"]) == (len(treated), len(placebo))
        if not treated or not placebo or len(set(loss.values())) == 1:
            assert one["note"].startswith("not testable: ")
            p_values.append(np.nan)
            continue
        assert one["observed"] == pytest.approx(np.mean(treated))
        assert one["expected"] == pytest.approx(np.mean(placebo))
        p_values.append(all_choices(np.array(treated + placebo), len(treated)))
    np.testing.assert_allclose(found["p_value"], p_values)
    np.testing.assert_allclose(found["q_value"], benjamini_hochberg(p_values))
    assert sum(~np.isnan(p_values)) > 3


def test_loss_of_a_taxon_before_and_after_fmt() -> None:
    trial = repeats_trial((-30,))
    table = trial.nulls(levels=["taxon"])
    for t in range(16):
        has = np.array([[t in trial.has[f"R{i}.{day}"] for day in (-30, 0, 28)] for i in range(5)])
        before, after = has[:, 0] & ~has[:, 1], has[:, 1] & ~has[:, 2]
        found = row(table, "depletion_rate", "before_repeats", taxon=f"t__SGB{t + 1}")
        assert (found["n_subjects"], found["n_null"]) == (has[:, 1].sum(), has[:, 0].sum())
        if has[:, 1].any():
            assert found["observed"] == pytest.approx(after.sum() / has[:, 1].sum())
        if has[:, 0].any():
            assert found["expected"] == pytest.approx(before.sum() / has[:, 0].sum())
        changed = int(after.sum() + before.sum())
        if changed and has[:, 0].any() and has[:, 1].any():
            # Losing it now or then: a fair coin for each who lost it.
            expected = min(1.0, 2 * stats.binom.cdf(min(after.sum(), before.sum()), changed, 0.5))
            assert found["p_value"] == pytest.approx(expected)
        else:
            assert found["note"].startswith("not testable: nobody")


def test_counting_arrangements_equals_going_through_them() -> None:
    rng = np.random.default_rng(5)
    for _ in range(80):
        n, strata = int(rng.integers(2, 11)), int(rng.integers(1, 3))
        values = rng.integers(0, 4, n) / 3
        label, stratum = rng.integers(0, 2, n), rng.integers(0, strata, n)
        ours = exact_difference(values, label, stratum)
        theirs = group_permutation(values, label, stratum, 10**6)
        assert ours is not None
        for name in ("statistic", "p_value", "p_floor"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-9, nan_ok=True)
        if not np.isnan(theirs.p_value):
            assert ours.permutations == theirs.permutations


def test_fisher_of_a_large_table() -> None:
    # 60 of 100 treated and 35 of 100 untreated lost it: hypergeometric tails of equal distance.
    values = np.repeat([1, 0, 1, 0], [60, 40, 35, 65]).astype(float)
    label = np.repeat([1, 0], [100, 100])
    found = exact_difference(values, label, np.zeros(200, dtype=int))
    assert found is not None
    law = stats.hypergeom(200, 95, 100)
    assert found.p_value == pytest.approx(law.cdf(35) + law.sf(59), rel=1e-6)


def test_labels_are_drawn_where_there_are_too_many_to_count() -> None:
    rng = np.random.default_rng(0)
    n = 400
    values = np.round(rng.random((n, 3)), 4)
    label = (np.arange(n) % 2).astype(np.int64)
    values[:, 2] += 0.2 * label
    counts = np.ones((n, 3), dtype=bool)
    counts[:150, 1] = False
    found = compare_taxa(values, counts, label, np.arange(n) // 200, 999, 1)
    for t in range(3):
        at = counts[:, t]
        one = group_permutation(values[at, t], label[at], (np.arange(n) // 200)[at], 9999, 2)
        assert found[t].statistic == pytest.approx(one.statistic)
        assert found[t].p_value == pytest.approx(one.p_value, abs=0.06)
        assert (found[t].scheme, found[t].p_floor) == ("monte_carlo", 0.001)
    assert found[2].p_value < 0.01


def test_flips_of_each_taxon() -> None:
    rng = np.random.default_rng(0)
    differences = rng.integers(-2, 3, (6, 5)) / 2
    counts = rng.random((6, 5)) < 0.8
    found = flip_taxa(differences, counts, 999, 0)
    for t in range(5):
        assert found[t].p_value == pytest.approx(sign_flip(differences[counts[:, t], t]).p_value)


def test_a_subject_alone_and_an_empty_table_of_subjects() -> None:
    trial = random_trial(1, [[A]], placebo=1, subjects=empty_table(SUBJECTS))
    found = row(trial.nulls(), "depletion_rate", "placebo_arm")
    # One against one: nothing below p = 1, and no interval.
    assert (found["p_value"], found["p_floor"]) == (1, 1)
    assert np.isnan(found["ci_low"])
