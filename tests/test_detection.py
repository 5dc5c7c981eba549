"""Limits of detection, the detection curve, certainty of calls and bounds of rates."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from strategies import abundance_frame, doses_frame, samples_frame, studies

from microbiome.cells import CELLS
from microbiome.depth import describe_limits, study_limits
from microbiome.detection import Curve, detection_limit, fit_curve, limits, probability_detected, repeat_pairs
from microbiome.errors import InputError
from microbiome.outcomes import outcomes, rates
from microbiome.rates import RATE_COUNTS
from microbiome.repair import common_threshold, depth_warnings, repair
from microbiome.study import Study
from microbiome.tables import LIMITS, RATE_NAMES


def frame(rows: dict[str, list[float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, dtype=float).T
    table.index = pd.Index(list(rows), name="sample", dtype=object)
    table.columns = pd.Index([f"t{i}" for i in range(table.shape[1])], name="taxon", dtype=object)
    return table


# --------------------------------------------------------------------------- the model


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_probability_is_that_of_a_poisson_number_above_the_threshold(steps: int) -> None:
    unit = 2e-5
    abundance = np.array([1e-6, 2e-5, 1e-4, 1e-3])
    expected = [1 - sum(stats.poisson.pmf(k, a / unit) for k in range(steps + 1)) for a in abundance]
    assert probability_detected(abundance, np.array(unit), steps * unit) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("detection", [0.0, 1e-5, 3e-4])
def test_the_limit_is_detected_with_probability_095(detection: float) -> None:
    unit = np.array([1e-6, 1e-5, 1e-4])
    limit = detection_limit(unit, detection)
    assert probability_detected(limit, unit, detection) == pytest.approx([0.95] * 3, abs=1e-12)
    if detection == 0:
        assert limit == pytest.approx(-np.log(0.05) * unit)


def test_an_unknown_unit_gives_no_probability() -> None:
    assert np.isnan(probability_detected(np.array(0.1), np.array(np.nan)))


# --------------------------------------------------------------------------- what is known of a sample


def test_the_lowest_abundance_is_the_unit_where_nothing_else_is_known() -> None:
    table = limits(frame({"a": [0.9, 0.1, 0.0], "b": [0.5, 0.49, 0.01], "none": [np.nan] * 3, "zero": [0.0] * 3}))
    assert table["sample"].tolist() == ["a", "b"]
    assert table["unit"].tolist() == [0.1, 0.01]
    assert table["limit"].to_numpy() == pytest.approx(-np.log(0.05) * np.array([0.1, 0.01]))
    assert table["taxa"].tolist() == [2, 3]
    assert set(table["source"]) == {"lowest_abundance"}


def test_reads_give_the_unit_where_they_go_with_the_lowest_abundances() -> None:
    abundance = frame({"a": [0.9, 0.1], "b": [0.99, 0.01], "c": [0.998, 0.002]})
    reads = pd.Series({"a": 1000, "b": 10_000, "c": 100_000})
    table = limits(abundance, reads)
    # reads x lowest = 100, 100, 200.
    assert table["unit"].to_numpy() == pytest.approx([0.1, 0.01, 0.001])
    assert table["source"].tolist() == ["reads"] * 3
    part = limits(abundance, reads.drop("b").reindex(["c", "a", "b"]))
    assert part["source"].tolist() == ["lowest_abundance"] * 3


def test_reads_that_contradict_the_abundances_are_not_used(caplog: pytest.LogCaptureFixture) -> None:
    abundance = frame({name: [0.9, low] for name, low in zip("abcd", (0.1, 0.1, 0.1, 0.1), strict=True)})
    table = limits(abundance, pd.Series({"a": 10, "b": 1000, "c": 100_000, "d": 10**7}))
    assert set(table["source"]) == {"lowest_abundance"}
    assert "do not go with the lowest abundances" in caplog.text


def test_reads_of_clades_come_first() -> None:
    abundance = frame({"a": [0.9, 0.1], "b": [0.99, 0.01]})
    evidence = pd.DataFrame(
        {"reads_per_abundance": [2000.0, np.nan], "fewest_reads": pd.array([4, None], dtype="Int64")}, index=["a", "b"]
    )
    table = limits(abundance, None, evidence)
    assert table["unit"].to_numpy() == pytest.approx([4 / 2000, 0.01])
    assert table["source"].tolist() == ["reads_per_clade", "lowest_abundance"]


# --------------------------------------------------------------------------- the study's own repeats


def test_repeats_are_neighbours_with_no_dose_between() -> None:
    rows = [("D.1", "D", "donor", None), ("D.2", "D", "donor", None)]
    rows += [(f"R{day}", "R", "recipient", day) for day in (-14, 0, 28, 56)]
    rows += [(f"P{day}", "P", "recipient", day) for day in (0, 28)]
    study = Study(samples_frame(rows), doses=doses_frame([("R", 0, "D", None), ("R", 40, "D", None)]))
    pairs = repeat_pairs(study, pd.Index(study.samples["sample"]))
    found = pairs[["first", "second", "kind"]].to_numpy().tolist()
    assert found == [["D.1", "D.2", "donor"], ["R-14", "R0", "before"], ["P0", "P28", "untreated"]]
    assert pairs["days"].tolist() == [pd.NA, 14, 28]
    later = repeat_pairs(study, pd.Index(["R28", "R56", "R-14"]))
    assert later.empty


def repeats(scale: float, seed: int = 0, persons: int = 40, taxa: int = 400) -> tuple[pd.DataFrame, Study]:
    """Two samples of each person at different depths; a piece of evidence takes `scale` times the lowest abundance."""
    rng = np.random.default_rng(seed)
    rows, values, names = [], [], []
    for i in range(persons):
        true = np.exp(rng.normal(0, 2.5, taxa))
        true /= true.sum()
        stays = rng.random(taxa) < 0.6 + 0.08 * (np.log10(true) + 4).clip(-3, 3)
        for k in range(2):
            unit = 10 ** rng.uniform(-5.5, -3.5)
            # The profiler asks for `scale` times what it prints at the least.
            seen = rng.random(taxa) < -np.expm1(-true / unit)
            own = np.where(seen & (stays | (k == 0)), true, 0.0)
            own[0] = unit / scale
            values.append(own)
            names.append(f"P{i}-{k}")
            rows.append((names[-1], f"P{i}", "control", 28 * k))
    return pd.DataFrame(values, index=pd.Index(names, name="sample", dtype=object)), Study(samples_frame(rows))


@pytest.mark.parametrize("scale", [3.0, 10.0])
def test_the_curve_finds_how_many_units_a_piece_of_evidence_takes(scale: float) -> None:
    abundance, study = repeats(scale)
    table = limits(abundance)
    curve, text = fit_curve(abundance, study, table)
    assert curve is not None
    assert curve.pairs == 40
    # Taxa below the unit are seen at their true abundance here: the lowest abundance is somewhat below unit / scale.
    assert scale * 0.6 < curve.scale * np.median(table["unit"] / [row[0] for row in abundance.to_numpy()]) < scale * 1.7
    assert f"{curve.scale:.2f} units" in text
    applied = curve.apply(table)
    assert applied["unit"].to_numpy() == pytest.approx(curve.scale * table["unit"].to_numpy())
    assert applied["limit"].to_numpy() == pytest.approx(-np.log(0.05) * applied["unit"].to_numpy())
    assert curve.remains(np.array([1e-2])) > curve.remains(np.array([1e-5]))


def test_too_little_gives_no_curve_and_the_reason() -> None:
    abundance, study = repeats(1.0, persons=4)
    curve, text = fit_curve(abundance, study, limits(abundance))
    assert curve is None
    assert "too little" in text
    assert "4 pairs of samples of 4 persons" in text


# --------------------------------------------------------------------------- certainty


def trial(baseline: list[float], post: list[float], donor: list[float]) -> tuple[pd.DataFrame, Study]:
    rows = [("D1", "D", "donor", None), ("B", "R", "recipient", 0), ("A", "R", "recipient", 28)]
    study = Study(samples_frame(rows), doses=doses_frame([("R", 0, "D", None)]))
    return frame({"D1": donor, "B": baseline, "A": post}), study


def test_a_taxon_that_the_post_sample_would_have_missed_is_not_surely_depleted() -> None:
    # The post sample's lowest abundance is 0.01: 0.029 would be missed with 5.5 %, 0.031 with 4.5 %.
    abundance, study = trial(
        baseline=[0.029, 0.031, 0.5, 0.0, 0.0001], post=[0.0, 0.0, 0.5, 0.01, 0.3], donor=[0.0, 0.0, 0.0, 0.0, 0.00001]
    )
    table = outcomes(abundance, study).set_index("taxon")
    assert table["outcome"].to_dict() == {
        "t0": "depleted",
        "t1": "depleted",
        "t2": "persisted",
        "t3": "gained",
        "t4": "shared_kept",
    }
    assert table["certainty"].to_dict() == {
        "t0": "below_limit",
        "t1": "sure",
        "t2": "sure",
        "t3": "sure",
        "t4": "sure",
    }
    assert table.loc["t0", "unsure"] == "post"
    assert table["post_limit"].unique() == pytest.approx([-np.log(0.05) * 0.01])


def test_an_engrafted_taxon_may_have_been_there_before() -> None:
    abundance, study = trial(baseline=[0.0, 0.0, 0.01], post=[0.02, 0.2, 0.78], donor=[0.3, 0.3, 0.0001])
    table = outcomes(abundance, study).set_index("taxon")
    assert table["outcome"].tolist() == ["engrafted", "engrafted", "shared_kept"]
    assert table["certainty"].tolist() == ["below_limit", "sure", "sure"]
    assert table.loc["t0", "unsure"] == "baseline"


def test_nothing_can_be_missed_in_an_empty_donor_set() -> None:
    rows = [("B", "P", "recipient", 0), ("A", "P", "recipient", 28)]
    abundance = frame({"B": [1e-6, 0.5], "A": [1e-6, 0.5]})
    table = outcomes(abundance, Study(samples_frame(rows)))
    assert table["outcome"].tolist() == ["persisted", "persisted"]
    assert table["certainty"].tolist() == ["sure", "sure"]


def test_without_a_baseline_there_is_neither_outcome_nor_certainty() -> None:
    rows = [("D1", "D", "donor", None), ("A", "R", "recipient", 28)]
    study = Study(samples_frame(rows), doses=doses_frame([("R", 0, "D", None)]))
    table = outcomes(frame({"D1": [0.5, 0.5], "A": [0.5, 0.5]}), study)
    assert table["outcome"].isna().all()
    assert table["certainty"].isna().all()
    assert rates(table)["donor_recovery"].tolist() == [1.0]


@given(studies(), st.sampled_from([0.0, 0.01, 0.1]))
def test_each_rate_lies_within_its_bounds(drawn: tuple[Study, pd.DataFrame], detection: float) -> None:
    study, abundance = drawn
    try:
        table = outcomes(abundance, study, detection)
    except InputError:
        return
    found = rates(table)
    assert set(table["certainty"].dropna()) <= {"sure", "below_limit"}
    assert (table["certainty"].isna() == table["outcome"].isna()).all()
    assert (table["unsure"].notna() == (table["certainty"] == "below_limit")).all()
    for name in RATE_NAMES:
        rate, low, high = (found[column].to_numpy(dtype=float) for column in (name, f"{name}_low", f"{name}_high"))
        assert (np.isnan(rate) == np.isnan(low)).all()
        there = ~np.isnan(rate)
        assert (low[there] <= rate[there]).all()
        assert (rate[there] <= high[there]).all()


@given(studies(max_recipients=2, max_taxa=5))
def test_bounds_are_the_extremes_over_every_way_to_settle_the_unsure(drawn: tuple[Study, pd.DataFrame]) -> None:
    study, abundance = drawn
    try:
        table = outcomes(abundance, study)
    except InputError:
        return
    found = rates(table).set_index("sample")
    for sample, group in table[table["outcome"].notna()].groupby("sample"):
        choices = []
        for outcome, unsure in zip(group["outcome"], group["unsure"], strict=True):
            bits = [bit for bit, word in ((4, "donor"), (2, "baseline"), (1, "post")) if word in str(unsure or "")]
            extra = [sum(some) for n in range(len(bits) + 1) for some in itertools.combinations(bits, n)]
            choices.append([CELLS[CELLS.index(outcome) | more] for more in extra])
        if np.prod([len(choice) for choice in choices]) > 2000:
            continue
        for name, (over, under) in RATE_COUNTS.items():
            values = []
            for settled in itertools.product(*choices):
                bottom = sum(word in under for word in settled)
                if bottom:
                    values.append(sum(word in over for word in settled) / bottom)
            rate = found.loc[sample, name]
            if not np.isnan(rate):
                assert found.loc[sample, f"{name}_low"] == pytest.approx(min(values))
                assert found.loc[sample, f"{name}_high"] == pytest.approx(max(values))


def test_without_named_sources_every_absence_of_an_unsure_call_is_open() -> None:
    abundance, study = trial(baseline=[0.029, 0.5, 0.02], post=[0.0, 0.5, 0.01], donor=[0.0, 0.0, 0.3])
    table = outcomes(abundance, study)
    narrow, wide = rates(table), rates(table.drop(columns="unsure"))
    for name in RATE_NAMES:
        assert (wide[f"{name}_low"].dropna() <= narrow[f"{name}_low"].dropna()).all()
        assert (wide[f"{name}_high"].dropna() >= narrow[f"{name}_high"].dropna()).all()
    assert "depletion_rate_low" not in rates(table.drop(columns=["certainty"]))


def test_words_that_are_none_are_refused() -> None:
    abundance, study = trial(baseline=[0.5, 0.5], post=[0.5, 0.5], donor=[0.5, 0.5])
    table = outcomes(abundance, study)
    with pytest.raises(InputError, match="certainty 'perhaps' unknown"):
        rates(table.assign(certainty="perhaps"))
    with pytest.raises(InputError, match="unsure 'elsewhere' unknown"):
        rates(table.assign(unsure="elsewhere"))


# --------------------------------------------------------------------------- repairs


def thinned_counts(depth: float, seeds: range) -> np.ndarray:
    rng = np.random.default_rng(1)
    true = np.exp(rng.normal(0, 2, 300))
    true /= true.sum()
    rows = {}
    for i in seeds:
        reads = 40_000 * (depth if i % 2 else 1)
        counts = np.random.default_rng([2, i]).poisson(true * reads)
        rows[f"s{i}"] = counts / reads
    abundance = frame(rows)
    table = limits(abundance)
    return np.array(
        [
            (repair(abundance, table, method).abundance > repair(abundance, table, method).detection).sum(axis=1)
            for method in ("none", "threshold", "thinning")
        ]
    )


def test_both_repairs_bring_samples_of_different_depth_to_the_same_richness() -> None:
    none, threshold, thinning = (counts.reshape(-1, 2).mean(axis=0) for counts in thinned_counts(0.1, range(40)))
    assert none[1] < 0.8 * none[0]
    assert threshold[1] == pytest.approx(threshold[0], rel=0.06)
    assert thinning[1] == pytest.approx(thinning[0], rel=0.06)


def test_the_threshold_is_five_times_the_largest_unit_and_never_below_the_one_asked_for() -> None:
    abundance = frame({"a": [0.9, 0.1], "b": [0.99, 0.01]})
    table = limits(abundance)
    assert common_threshold(table) == pytest.approx(0.5)
    assert repair(abundance, table, "threshold").detection == pytest.approx(0.5)
    assert repair(abundance, table, "threshold", 0.6).detection == 0.6
    assert "5 times the unit of a" in repair(abundance, table, "threshold").note


def test_a_sample_with_next_to_nothing_does_not_cost_all_others() -> None:
    abundance = frame({"a": [0.9999, 1e-4], "b": [0.9999, 1e-4], "c": [0.9999, 1e-4], "poor": [0.6, 0.4]})
    repaired = repair(abundance, limits(abundance), "threshold")
    assert repaired.left_out == ("poor",)
    assert repaired.detection == pytest.approx(5e-4)
    assert repaired.abundance.loc["poor"].isna().all()
    assert not abundance.loc["poor"].isna().any()


def test_thinning_is_seeded_by_sample_and_does_not_hang_on_the_order_of_the_taxa() -> None:
    rng = np.random.default_rng(5)
    abundance = frame({name: rng.dirichlet(np.ones(30)).tolist() for name in "abc"})
    table = limits(abundance)
    once = repair(abundance, table, "thinning", seed=3).abundance
    assert once.equals(repair(abundance, table, "thinning", seed=3).abundance)
    assert not once.equals(repair(abundance, table, "thinning", seed=4).abundance)
    turned = abundance[abundance.columns[::-1]].iloc[::-1]
    assert repair(turned, limits(turned), "thinning", seed=3).abundance.loc[once.index, once.columns].equals(once)


def test_a_repair_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="'bleach' is unknown"):
        repair(frame({"a": [1.0]}), limits(frame({"a": [1.0]})), "bleach")


def test_depth_that_differs_is_said_with_the_ratio() -> None:
    unit = {"B1": 1e-5, "A1": 1e-5, "B2": 1e-5, "A2": 1e-4}
    table = pd.DataFrame({"sample": list(unit), "unit": list(unit.values())})
    posts = pd.DataFrame({"subject": ["1", "2"], "sample": ["A1", "A2"], "baseline_sample": ["B1", "B2"]})
    groups = pd.Series({"1": "fmt", "2": "placebo"})
    found = depth_warnings(table, posts, groups)
    assert "baselines are 5.5 times deeper than post samples: taxa seem lost or gained by depth alone" in found
    assert any(
        text.startswith("post samples of fmt are 10.0 times deeper than post samples of placebo") for text in found
    )
    assert len(found) == 2
    assert depth_warnings(table.assign(unit=1e-5), posts, groups) == []


@settings(max_examples=30)
@given(studies(max_taxa=12))
def test_thinning_never_makes_calls_surer_on_average(drawn: tuple[Study, pd.DataFrame]) -> None:
    study, abundance = drawn
    try:
        plain = outcomes(abundance, study, fitted=False)
        thinned = [outcomes(abundance, study, method="thinning", seed=seed, fitted=False) for seed in range(4)]
    except InputError:
        return
    if repair(abundance, study_limits(abundance, study), "thinning").left_out:
        # Without a shallow donor product or baseline another one counts.
        return
    sure = (plain["certainty"] == "sure").sum()
    assert np.mean([(table["certainty"] == "sure").sum() for table in thinned]) <= sure + 1e-9


def test_auto_repairs_where_depth_differs_and_only_there() -> None:
    rng = np.random.default_rng(3)
    rows = [("D1", "D", "donor", None)]
    for i in range(6):
        rows += [(f"B{i}", f"R{i}", "recipient", 0), (f"A{i}", f"R{i}", "recipient", 28)]
    study = Study(samples_frame(rows), doses=doses_frame([(f"R{i}", 0, "D", None) for i in range(6)]))
    true = rng.dirichlet(np.full(100, 0.5), len(rows))
    even = abundance_frame(rng.poisson(true * 20_000).astype(float), [row[0] for row in rows])
    depth = np.array([20_000 if (row[3] or 0) <= 0 else 1000 for row in rows])[:, None]
    uneven = abundance_frame(rng.poisson(true * depth).astype(float), [row[0] for row in rows])
    assert outcomes(even, study, method="auto").equals(outcomes(even, study, method="none"))
    repaired = outcomes(uneven, study, method="auto")
    assert repaired.equals(outcomes(uneven, study, method="thinning"))
    assert not repaired.equals(outcomes(uneven, study, method="none"))
    table, comments = describe_limits(uneven, study)
    assert any("baselines are" in line and "deeper than post samples" in line for line in comments)
    assert table["sample"].tolist() == [row[0] for row in rows]
    assert study_limits(uneven, study)["unit"].tolist() == table["unit"].tolist()


def test_a_curve_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Curve(1.0, 0.0, 0.0, 1, 1, 1).scale = 2.0  # type: ignore[misc]


# --------------------------------------------------------------------------- what a review found


def test_a_baseline_that_takes_the_place_of_a_shallow_one_is_repaired_too() -> None:
    rng = np.random.default_rng(8)
    rows = [("D1", "D", "donor", None), ("E", "R0", "recipient", -7)]
    for i in range(8):
        rows += [(f"B{i}", f"R{i}", "recipient", 0), (f"A{i}", f"R{i}", "recipient", 28)]
    study = Study(samples_frame(rows), doses=doses_frame([(f"R{i}", 0, "D", None) for i in range(8)]))
    true = rng.dirichlet(np.full(300, 0.3))
    depth = {name: 20_000.0 for name, *_ in rows} | {"E": 3e6, "B0": 30.0}
    counts = np.array([rng.poisson(true * depth[name]) for name, *_ in rows], dtype=float)
    abundance = abundance_frame(counts, [row[0] for row in rows])
    for method in ("thinning", "threshold"):
        found = rates(outcomes(abundance, study, method=method)).set_index("subject")
        assert found.loc["R0", "baseline_sample"] == "E"
        assert found["baseline_limit"].notna().all()
        others = found["baseline_taxa"].drop("R0")
        assert others.min() - 15 < found.loc["R0", "baseline_taxa"] < others.max() + 15


def test_a_sample_without_any_taxon_is_sure_of_nothing() -> None:
    abundance, study = trial(baseline=[0.5, 0.3, 0.2], post=[0.0, 0.0, 0.0], donor=[0.5, 0.3, 0.2])
    table = outcomes(abundance, study)
    assert set(table["outcome"]) == {"shared_depleted"}
    assert set(table["unsure"]) == {"post"}
    found = rates(table).iloc[0]
    assert (found["depletion_rate_low"], found["depletion_rate_high"]) == (0.0, 1.0)


def test_what_a_product_without_profile_held_is_not_known() -> None:
    rows = [("D1", "D", "donor", None), ("D2", "D", "donor", None)]
    rows += [("B", "R", "recipient", 0), ("A", "R", "recipient", 28)]
    study = Study(samples_frame(rows), doses=doses_frame([("R", 0, "D", None)]))
    parts = {"D1": [0.5, 0.499, 0.0, 0.001], "B": [0.0, 0.5, 0.499, 0.001], "A": [0.4, 0.3, 0.299, 0.001]}
    table = outcomes(frame(parts), study).set_index("taxon")
    assert table.loc["t2", "outcome"] == "persisted"
    assert table.loc["t2", "unsure"] == "donor"
    whole = outcomes(frame(parts | {"D2": parts["D1"]}), study).set_index("taxon")
    assert whole.loc["t2", "outcome"] == "persisted"
    assert whole.loc["t2", "certainty"] == "sure"


def test_a_study_in_which_nothing_is_classified_has_no_limits() -> None:
    nothing = pd.DataFrame(index=pd.Index(["a", "b"], name="sample", dtype=object), dtype=float)
    found = limits(nothing)
    assert found.empty
    assert list(found.columns) == list(LIMITS.names)
