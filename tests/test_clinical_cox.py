"""Cox regression: against its definition, lifelines, R and simulated trials, and on the published TOPOSCORE cohort."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from scipy import stats

from microbiome.clinical.concordance import concordance
from microbiome.clinical.cox import cox
from microbiome.clinical.cox_model import fit_model
from microbiome.clinical.cox_parts import Term
from microbiome.clinical.kaplan_meier import kaplan_meier, quantile, survival_at
from microbiome.clinical.log_rank import log_rank
from microbiome.clinical.partial_likelihood import PartialLikelihood, maximise
from microbiome.clinical.predictors import cut_in_two, sampled, values_at
from microbiome.clinical.survival_tables import CLINICAL_SURVIVAL
from microbiome.errors import InputError, Problem

TIES = ("efron", "breslow")


def read(golden: Path, name: str) -> pd.DataFrame:
    frame = pd.read_csv(golden / f"survival_{name}.tsv", sep="\t", float_precision="round_trip")
    return frame.assign(part=frame["part"].fillna("")) if "part" in frame else frame


def dataset(golden: Path, name: str) -> pd.DataFrame:
    data = read(golden, "data")
    return data[data["data"] == name].reset_index(drop=True).rename(columns={"time": "os_days", "event": "os_event"})


class Golden:
    """Values of R for one model."""

    def __init__(self, table: pd.DataFrame, name: str, part: str) -> None:
        own = table[(table["data"] == name) & ((table["part"] == part) | table["part"].str.startswith(f"{part} "))]
        if part in TIES:
            own = own[~own["part"].str.contains("alone|strata")]
        self.rows = own.assign(term=own["part"].str[len(part) + 1 :]).set_index(["what", "term"])

    def __call__(self, what: str, term: str = "") -> pd.Series:
        return self.rows.loc[(what, term)]


def check(found: pd.Series, expected: Golden, term: str, column: str | None = None, profile: bool = True) -> None:
    """Compare the row of a hazard ratio per unit with R."""
    coefficient = expected("coef", column or term)
    assert math.log(found["estimate"]) == pytest.approx(coefficient["value"], rel=1e-6)
    assert found["p_wald"] == pytest.approx(coefficient["p"], rel=1e-5)
    if profile:
        bounds = expected("profile", term)
        assert math.log(found["ci_low"]) == pytest.approx(bounds["low"], rel=1e-6, abs=1e-7)
        assert math.log(found["ci_high"]) == pytest.approx(bounds["high"], rel=1e-6, abs=1e-7)


def check_tests(found: pd.Series, expected: Golden, term: str) -> None:
    ratio, hazards = expected("lr", term), expected("zph", term)
    np.testing.assert_allclose(
        found[["statistic", "p_value"]].astype(float), ratio[["statistic", "p"]].astype(float), rtol=1e-6
    )
    assert found["df"] == ratio["df"]
    np.testing.assert_allclose(
        found[["ph_statistic", "ph_p_value"]].astype(float), hazards[["statistic", "p"]].astype(float), rtol=1e-5
    )


def check_model(found: pd.Series, expected: Golden) -> None:
    harrell = expected("concordance")
    assert found["estimate"] == pytest.approx(harrell["value"])
    assert (found["ci_high"] - found["estimate"]) / stats.norm.ppf(0.975) == pytest.approx(harrell["statistic"])
    assert found["statistic"] == pytest.approx(expected("loglik")["statistic"])
    assert found["ph_p_value"] == pytest.approx(expected("zph", "GLOBAL")["p"], rel=1e-5)


# Against the definition and lifelines


def naive_loglik(x: np.ndarray, time: np.ndarray, event: np.ndarray, beta: np.ndarray, ties: str) -> float:
    """Efron's and Breslow's partial likelihood, as the textbook writes them."""
    total = 0.0
    for day in sorted(set(time[event])):
        dying = [i for i in range(len(time)) if time[i] == day and event[i]]
        at_risk = [i for i in range(len(time)) if time[i] >= day]
        risk = sum(math.exp(x[i] @ beta) for i in at_risk)
        own = sum(math.exp(x[i] @ beta) for i in dying)
        for number, i in enumerate(dying):
            share = number / len(dying) if ties == "efron" else 0
            total += x[i] @ beta - math.log(risk - share * own)
    return total


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.booleans(), st.integers(-3, 3), st.floats(-1, 1)), min_size=4, max_size=14
    ),
    st.sampled_from(TIES),
)
def test_partial_likelihood_is_its_definition(rows: list[tuple[int, bool, int, float]], ties: str) -> None:
    time, event = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    x = np.array([row[2:] for row in rows], float)
    if not event.any():
        return
    beta = np.array([0.7, -0.4])
    likelihood = PartialLikelihood(x, time, event, None, ties)
    here = likelihood.at(beta)
    assert here.loglik == pytest.approx(naive_loglik(x, time, event, beta, ties))
    for j in range(2):
        step = np.eye(2)[j] * 1e-5
        ends = [naive_loglik(x, time, event, beta + side * step, ties) for side in (1, -1)]
        slopes = [likelihood.at(beta + side * step).residual.sum(axis=0) for side in (1, -1)]
        assert here.residual.sum(axis=0)[j] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-5)
        np.testing.assert_allclose(here.variance.sum(axis=0)[j], -(slopes[0] - slopes[1]) / 2e-5, atol=1e-5)
    # Strata: the sum over them.
    blocks = np.arange(len(time)) % 2
    parts = [naive_loglik(x[blocks == k], time[blocks == k], event[blocks == k], beta, ties) for k in (0, 1)]
    assert PartialLikelihood(x, time, event, blocks, ties).at(beta).loglik == pytest.approx(sum(parts))


def test_coefficients_are_those_of_lifelines(golden: Path) -> None:
    data = dataset(golden, "tied")
    table = cox(data, ["x"], ["z"], scale="unit")
    frame = data[["x", "z", "os_days", "os_event"]]
    fitted = CoxPHFitter().fit(frame, "os_days", "os_event")
    assert math.log(table["estimate"].iloc[0]) == pytest.approx(fitted.params_["x"], rel=1e-5)
    assert table["p_wald"].iloc[0] == pytest.approx(fitted.summary.loc["x", "p"], rel=1e-4)
    assert table["estimate"].iloc[1] == pytest.approx(fitted.concordance_index_)


def test_a_scan_comes_to_the_same(golden: Path) -> None:
    data = dataset(golden, "tied")
    rng = np.random.default_rng(12)
    names = [f"f{i}" for i in range(25)]
    features = pd.DataFrame(rng.normal(size=(len(data), 25)), columns=names).assign(f3=0.0)
    features = features.assign(subject=data["subject"], sample=data["subject"], day=0)
    scan = cox(data, covariates=["z"], features=features)
    few = cox(data, covariates=["z"], features=features[["subject", "sample", "day", *names[:5]]])
    both = [table[table["predictor"].isin(names[:5])].drop(columns=["q_value", "family"]) for table in (scan, few)]
    pd.testing.assert_frame_equal(both[0], both[1], rtol=1e-6)
    assert set(scan["family"].dropna()) == {"24 predictors of features, os"}


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", ["tied", "fine", "small"])
def test_one_predictor_equals_r(golden: Path, name: str, ties: str) -> None:
    expected = Golden(read(golden, "values"), name, f"{ties} alone")
    table = cox(dataset(golden, name), ["x"], scale="unit", ties=ties).set_index("quantity")
    check(table.loc["hazard_ratio"], expected, "x")
    check_tests(table.loc["hazard_ratio"], expected, "x")
    check_model(table.loc["concordance"], expected)
    assert table.loc["hazard_ratio", "unit"] == "per unit"


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", ["tied", "fine"])
def test_several_predictors_equal_r(golden: Path, name: str, ties: str) -> None:
    expected = Golden(read(golden, "values"), name, ties)
    data = dataset(golden, name)
    table = cox(data, ["x", "z", "group"], joint=True, scale="unit", ties=ties).set_index("predictor")
    assert set(table["analysis"]) == {"cox_joint"}
    for term in ("x", "z"):
        check(table.loc[term], expected, term)
        check_tests(table.loc[term], expected, term)
    group = table.loc["group"].set_index("group")
    for level in ("b", "c"):
        check(group.loc[level], expected, "group", f"group{level}", profile=False)
        assert (group.loc[level, "reference"], group.loc[level, "unit"]) == ("a", f"{level} / a")
    check_tests(group.loc["b / c"], expected, "group")
    check_model(table[table["quantity"] == "concordance"].iloc[0], expected)
    # The same model with covariates: one predictor is looked at, the others are held constant.
    adjusted = cox(data, ["x"], ["z", "group"], scale="unit", ties=ties).set_index("quantity")
    check(adjusted.loc["hazard_ratio"], expected, "x")
    check_tests(adjusted.loc["hazard_ratio"], expected, "x")
    assert "adjusted for z, group" in adjusted.loc["hazard_ratio", "method"]
    strata = Golden(read(golden, "values"), name, f"{ties} strata")
    table = cox(data, ["x"], ["group"], strata="site", scale="unit", ties=ties).set_index("quantity")
    check(table.loc["hazard_ratio"], strata, "x")
    check_tests(table.loc["hazard_ratio"], strata, "x")
    assert table.loc["concordance", "estimate"] == pytest.approx(strata("concordance")["value"])


def test_scales_units_and_intervals(golden: Path) -> None:
    data = dataset(golden, "fine")
    unit = cox(data, ["x"], scale="unit").iloc[0]
    sd = cox(data, ["x"], interval="wald").iloc[0]
    assert math.log(sd["estimate"]) == pytest.approx(math.log(unit["estimate"]) * data["x"].std())
    assert sd["unit"] == f"per SD ({data['x'].std():.4g})"
    expected = Golden(read(golden, "values"), "fine", "efron alone")("coef", "x")
    reach = stats.norm.ppf(0.975) * expected["statistic"] * data["x"].std()
    assert math.log(sd["ci_high"]) == pytest.approx(expected["value"] * data["x"].std() + reach)
    assert "wald interval" in sd["method"]
    assert "profile_likelihood interval" in unit["method"]
    turned = cox(data.assign(x=-data["x"]), ["x"], scale="unit").iloc[0]
    assert turned["estimate"] == pytest.approx(1 / unit["estimate"])
    assert turned["ci_low"] == pytest.approx(1 / unit["ci_high"])


def test_concordance_of_a_worked_example() -> None:
    # Pairs: (1,2) (1,3) (1,4) (2,3) (2,4); the third is censored before the fourth. (2,3) is wrong, (2,4) tied.
    score, time, event = np.array([4.0, 1, 2, 1]), np.array([1.0, 2, 3, 4]), np.array([1, 1, 0, 1])
    assert concordance(score, time, event)[0] == pytest.approx(3.5 / 5)


# Where there is nothing to estimate


def separated() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": range(14),
            "arm": ["a"] * 7 + ["b"] * 7,
            "score": [*range(7), *range(20, 27)],
            "one": 1,
            "os_days": [*range(300, 307), *range(20, 90, 10)],
            "os_event": [0] * 7 + [1] * 7,
        }
    )


def test_monotone_likelihood_is_said_in_words() -> None:
    row = cox(separated(), ["arm"]).iloc[0]
    assert math.isnan(row["estimate"])
    assert math.isnan(row["ci_high"])
    assert math.isnan(row["p_wald"])
    assert row["note"].startswith("monotone likelihood (0 of 7 had the event in one group, 7 of 7 in the other)")
    # The likelihood at infinity is that of the seven among themselves, against all fourteen.
    ratio = 2 * sum(math.log(14 - k) - math.log(7 - k) for k in range(7))
    assert row["statistic"] == pytest.approx(ratio)
    assert row["p_value"] == pytest.approx(stats.chi2.sf(ratio, 1))
    # The lower bound of the profile likelihood, found on a grid.
    x = (separated()["arm"] == "b").to_numpy(float)[:, None]
    likelihood = PartialLikelihood(x, separated()["os_days"].to_numpy(float), separated()["os_event"].to_numpy())
    grid = np.linspace(0, 8, 8001)
    inside = [2 * (-math.lgamma(8) - likelihood.at(np.array([b])).loglik) <= stats.chi2.ppf(0.95, 1) for b in grid]
    assert math.log(row["ci_low"]) == pytest.approx(grid[inside.index(True)], abs=0.002)
    turned = cox(separated(), ["arm"], group_order=["b", "a"]).iloc[0]
    assert math.isnan(turned["ci_low"])
    assert turned["ci_high"] == pytest.approx(1 / row["ci_low"])
    # Also where all else is in order, and where the predictor ranks everybody perfectly.
    ranked = separated().assign(os_event=1, score=lambda frame: -frame["os_days"])
    row = cox(ranked, ["score"]).iloc[0]
    assert row["note"].startswith("monotone likelihood (whoever has the event has the largest value")
    assert row["statistic"] == pytest.approx(2 * math.lgamma(15), rel=1e-3)


def test_a_separating_covariate_leaves_the_predictor_alone() -> None:
    rng = np.random.default_rng(3)
    table = separated().assign(x=rng.normal(size=14))
    found = cox(table, ["x"], ["arm"], scale="unit").iloc[0]
    late = table[table["arm"] == "b"]
    alone = cox(late, ["x"], scale="unit").iloc[0]
    # With an infinite ratio of the arms only those in whom it happens are ever compared.
    assert found["estimate"] == pytest.approx(alone["estimate"], rel=1e-4)
    assert found["p_value"] == pytest.approx(alone["p_value"], rel=1e-4)


def test_a_reference_without_events_makes_all_other_levels_infinite() -> None:
    rng = np.random.default_rng(0)
    level = np.repeat(["p", "q", "r"], 5)
    table = pd.DataFrame({"subject": range(15), "level": level, "os_days": rng.integers(1, 100, 15)})
    for interval in ("profile", "wald"):
        found = cox(table.assign(os_event=(level != "p").astype(int)), ["level"], interval=interval).set_index("group")
        for group in ("q", "r"):
            assert math.isnan(found.loc[group, "estimate"])
            assert math.isnan(found.loc[group, "ci_high"])
            assert found.loc[group, "note"].startswith("monotone likelihood (0 of 5 had the event in one group, 5 of 5")
        assert found.loc["q / r", "df"] == 2
        assert found.loc["q / r", "p_value"] < 0.01


def test_large_ratios_that_exist_are_estimated() -> None:
    table = separated()
    table.loc[3, ["os_days", "os_event"]] = [35, 1]
    row = cox(table, ["arm"]).iloc[0]
    assert row["estimate"] > 5
    assert row["ci_low"] < row["estimate"] < row["ci_high"] < math.inf
    assert not str(row["note"]).startswith("monotone")


def test_what_cannot_be_fitted_stays_as_a_row() -> None:
    table = separated().assign(twin=lambda frame: frame["score"] * 2 + 1, words=[f"w{i}" for i in range(14)])
    found = cox(table, ["one", "words"]).set_index("predictor")
    assert found.loc["one", "note"] == "not testable: one is 1 in all"
    assert found.loc["words", "note"] == "not testable: words has 14 different words, too many to be groups"
    twins = cox(table, ["twin"], ["score"]).iloc[0]
    assert twins["note"].startswith("not testable: predictor and covariates are collinear")
    few = cox(table.assign(os_event=[0] * 13 + [1]), ["score"]).iloc[0]
    assert few["note"] == "not testable: 1 event, and 2 are needed"
    assert few["n"] == 14
    held = cox(table, ["score"], ["one"]).iloc[0]
    assert "covariate left out: one is 1 in all" in held["note"]
    assert (held["events"], held["events_per_variable"]) == (7, 7)
    assert "7.0 events per coefficient: with fewer than 10" in held["note"]
    empty = cox(table.assign(score=[math.nan] * 13 + [1]), ["score"]).iloc[0]
    assert (empty["n"], empty["excluded"], empty["exclusions"]) == (1, 13, "13 without score")


def test_q_values_are_over_the_predictors_of_a_table(golden: Path) -> None:
    data = dataset(golden, "tied").assign(one=1)
    table = cox(data, ["x", "z", "group", "site", "one"])
    led = table[table["q_value"].notna()].set_index("predictor")
    assert list(led.index) == ["x", "z", "group", "site"]
    assert led.loc["group", "quantity"] == "all_levels"
    assert set(led["family"]) == {"4 predictors of subjects, os"}
    np.testing.assert_allclose(led["q_value"], stats.false_discovery_control(led["p_value"]))


def test_non_proportional_hazards_are_noted() -> None:
    rng = np.random.default_rng(2)
    early, late = rng.exponential(10, 150), 40 + rng.exponential(200, 150)
    second = rng.uniform(60, 70, 150)
    table = pd.DataFrame(
        {
            "subject": range(300),
            "arm": ["a"] * 150 + ["b"] * 150,
            "os_days": np.r_[np.where(rng.random(150) < 0.5, early, late), second],
            "os_event": 1,
        }
    )
    row = cox(table, ["arm"]).iloc[0]
    assert row["ph_p_value"] < 1e-4
    assert "hazards are not proportional" in row["note"]


# Samples, windows, landmarks


def samples_of(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["subject", "sample", "day", "rate"])


def test_values_come_from_samples_up_to_the_landmark() -> None:
    table = samples_of(
        [
            ("a", "a0", -3, 1),
            ("a", "a1", 0, 2),
            ("a", "a2", 28, 5),
            ("b", "b1", 20, 7),
            ("b", "b2", 36, 9),
            ("b", "b3", 60, 3),
        ]
    )
    problems: list[Problem] = []
    baseline = values_at(table, None, None, False, problems)
    assert baseline.table["rate"].to_dict() == {"a": 2}
    assert (baseline.clock.landmark, baseline.lacking) == (0, "without a sample with day <= 0")
    post = values_at(table, (20, 40), None, False, problems)
    assert post.table["rate"].to_dict() == {"a": 5, "b": 8}
    assert (post.clock.landmark, post.clock.biased) == (40, False)
    earlier = values_at(table, (20, 40), 30, False, problems)
    assert earlier.table["rate"].to_dict() == {"a": 5, "b": 7}
    assert earlier.clock.notes == ("1 samples later than day 30 do not count",)
    first = values_at(table[table["day"] > 0], None, None, False, problems)
    assert (first.table["rate"].to_dict(), first.clock.landmark) == ({"a": 5, "b": 7}, 28)
    naive = values_at(table, (20, 40), None, True, problems)
    assert (naive.clock.landmark, naive.clock.biased) == (0, True)
    assert not problems
    values_at(table, (20, 40), 10, False, problems)
    assert "immortal" in problems[0].message
    values_at(table, (50, 59), None, False, problems)
    assert problems[1].message == "there is no sample from day 50 to 59"
    values_at(table, (9, 3), None, False, problems)
    assert "window '9 3'" in problems[2].message


def test_landmark_counts_who_does_not_count() -> None:
    table = pd.DataFrame(
        {
            "subject": list("abcdefghij"),
            "os_days": [10, 20, 28, 29, 100, 200, 300, 400, 500, math.nan],
            "os_event": pd.array([1, 0, 1, 1, 1, 0, 1, 1, 1, None], dtype="Int64"),
            "arm": "fmt",
            "age": range(10),
        }
    )
    features = samples_of([(name, name, 14 + i, (i * 7) % 10) for i, name in enumerate("abcdefgh")])
    row = cox(table, features=features, window=(14, 28)).iloc[0]
    assert (row["landmark"], row["n"], row["events"], row["excluded"]) == (28, 5, 4, 5)
    reasons = {
        "2 with the event by day 28",
        "1 censored by day 28",
        "1 without os_days",
        "1 without a sample from day 14 to 28",
    }
    assert set(row["exclusions"].split("; ")) == reasons
    kept = table.iloc[3:8]
    by_hand = fit_model(
        [Term("rate", np.array([(i * 7) % 10 for i in range(3, 8)], float)[:, None])],
        kept["os_days"].to_numpy(float) - 28,
        kept["os_event"].to_numpy(int),
    )
    assert row["p_value"] == pytest.approx(by_hand.likelihood[0].p_value)
    with pytest.raises(InputError, match="immortal time"):
        cox(table, features=features, window=(14, 28), landmark=0)
    naive = cox(table, features=features, window=(14, 28), naive=True).iloc[0]
    assert (naive["landmark"], naive["n"]) == (0, 8)
    assert naive["method"].endswith("immortal_time_biased")
    assert "the result is biased" in naive["note"]
    # A covariate that is known later moves the clock of the model.
    later = cox(table, ["age"], landmark=100).iloc[0]
    assert (later["landmark"], later["n"]) == (100, 4)
    with pytest.raises(InputError, match="responder is known only some time after day 0"):
        cox(table.assign(responder=["yes", "no"] * 5), ["age"], ["responder"])


def test_naive_analysis_of_a_rate_is_biased_and_that_from_the_landmark_is_not() -> None:
    rng = np.random.default_rng(9)
    p: dict[str, list[float]] = {"naive": [], "landmark": []}
    for _ in range(30):
        died = rng.exponential(150, 50) + 11
        # Nothing is true: the rate only grows with the day of the sample, and those who live longer have later samples.
        rows = [
            (str(i), f"{i}_{day}", day, day / 100 + rng.normal(0, 0.3))
            for i in range(50)
            for day in (10, 40, 70, 100)
            if day < died[i]
        ]
        table = pd.DataFrame({"subject": [str(i) for i in range(50)], "os_days": died, "os_event": 1})
        for kind in p:
            found = cox(table, features=samples_of(rows), window=(1, 100), naive=kind == "naive").iloc[0]
            p[kind].append(found["p_value"])
            assert found["landmark"] == (0 if kind == "naive" else 100)
    assert np.mean(np.array(p["naive"]) <= 0.05) > 0.6
    assert np.mean(np.array(p["landmark"]) <= 0.05) <= 0.15


def test_likelihood_ratio_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(10)
    died, end = rng.exponential(100, 80), rng.uniform(50, 300, 80)
    table = pd.DataFrame(
        {"subject": range(80), "os_days": np.minimum(died, end), "os_event": (died <= end).astype(int)}
    )
    p = []
    for _ in range(300):
        x = rng.normal(size=(80, 1)) if rng.random() < 0.5 else (rng.random((80, 1)) < 0.3).astype(float)
        whole = maximise(PartialLikelihood(x - x.mean(), table["os_days"].to_numpy(), table["os_event"].to_numpy()))
        none = PartialLikelihood(np.zeros((80, 0)), table["os_days"].to_numpy(), table["os_event"].to_numpy())
        p.append(stats.chi2.sf(2 * (whole.loglik - none.at(np.zeros(0)).loglik), 1))
    assert stats.kstest(p, "uniform").pvalue > 0.01
    features = pd.DataFrame(rng.normal(size=(80, 60)), columns=[f"f{i}" for i in range(60)])
    features = pd.concat([table["subject"], table["subject"].rename("sample"), features], axis=1).assign(day=0.0)
    found = cox(table, features=features)
    own = found[found["quantity"] == "hazard_ratio"]
    assert len(own) == 60
    assert stats.kstest(own["p_value"], "uniform").pvalue > 0.01
    assert own["q_value"].min() > 0.05
    assert set(own["family"]) == {"60 predictors of features, os"}
    covered = (own["ci_low"] < 1) & (own["ci_high"] > 1)
    assert covered.mean() > 0.85


# Predictors


def test_cut_at_a_percentile(golden: Path) -> None:
    data = dataset(golden, "tied")
    labels, threshold = cut_in_two(data["x"], 77)
    assert threshold == pytest.approx(np.quantile(data["x"], 0.77))
    row = cox(data, ["x"], cut=77).iloc[0]
    by_hand = cox(data.assign(high=np.where(data["x"] > threshold, "yes", "no")), ["high"]).iloc[0]
    assert (row["group"], row["reference"]) == ("high", "low")
    assert row["estimate"] == pytest.approx(by_hand["estimate"])
    assert "the 77th percentile, which must be chosen beforehand" in row["note"]
    assert log_rank(data["os_days"], data["os_event"], labels).p_value == pytest.approx(row["p_value"], abs=0.05)
    flat, _ = cut_in_two(pd.Series([0.0, 0, 0, 0, 5]), 50)
    assert flat.tolist() == ["low"] * 4 + ["high"]
    with pytest.raises(InputError, match="the best cutpoint is not offered"):
        cox(data, ["x"], cut=100)


def test_samples_that_do_not_join_are_named(golden: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = dataset(golden, "small")
    samples = pd.DataFrame({"sample": ["s1", "s2"], "subject": ["small1", "nobody"], "role": "recipient", "day": 0})
    table = pd.DataFrame({"sample": ["s1", "s2", "s3"], "shannon": [1.0, 2.0, 3.0]})
    features = sampled(table, samples, (), [], "alpha.tsv")
    row = cox(data, features=features).iloc[0]
    assert "1 samples of alpha.tsv without subject or day are left out: s3" in caplog.text
    assert "not among the patients analysed are left out: nobody" in caplog.text
    assert row["exclusions"] == "13 without a sample with day <= 0"


def test_sampled_takes_profiles_rates_and_alpha() -> None:
    samples = pd.DataFrame(
        {
            "sample": ["s1", "s2", "d1"],
            "subject": ["a", "b", "D"],
            "role": ["recipient", "recipient", "donor"],
            "day": pd.array([0, 7, None], dtype="Int64"),
        }
    )
    profile = pd.DataFrame({"t1": [0.1, 0.0, 0.3]}, index=pd.Index(["s1", "s2", "d1"], name="sample"))
    problems: list[Problem] = []
    found = sampled(profile, samples, (), problems)
    assert found[["subject", "sample", "day", "t1"]].to_numpy().tolist() == [
        ["a", "s1", 0.0, 0.1],
        ["b", "s2", 7.0, 0.0],
    ]
    rates = pd.DataFrame({"subject": ["a"], "sample": ["s1"], "day": [28], "rate": ["0.5"], "word": ["x"]})
    assert list(sampled(rates, None, (), problems)) == ["subject", "sample", "day", "rate"]
    assert not problems
    sampled(rates, None, ["word", "rat"], problems)
    assert [problem.column for problem in problems] == ["predictor", "word"]
    sampled(profile, None, (), problems)
    assert "give the samples table" in problems[2].fix
    sampled(profile.rename(index=lambda name: f"x{name}"), samples, (), problems)
    assert problems[3].message == "none of its samples is in the samples table"


def test_transforms_and_prevalence(golden: Path) -> None:
    data = dataset(golden, "fine")
    rng = np.random.default_rng(4)
    taxon = np.where(rng.random(len(data)) < 0.4, 0, rng.lognormal(-4, 1, len(data)))
    features = pd.DataFrame(
        {"subject": data["subject"], "sample": data["subject"], "day": 0.0, "taxon": taxon, "rare": 0.0}
    )
    features.loc[0, "rare"] = 0.1
    presence = cox(data, features=features, transform="presence").set_index("predictor").loc["taxon"].iloc[0]
    by_hand = cox(data.assign(there=np.where(taxon > 0, "yes", "no")), ["there"]).iloc[0]
    assert presence["estimate"] == pytest.approx(by_hand["estimate"])
    assert (presence["group"], presence["reference"]) == ("present", "absent")
    logs = cox(data, features=features, transform="log10", scale="unit").iloc[0]
    least = taxon[taxon > 0].min() / 2
    by_hand = cox(data.assign(log=np.log10(np.where(taxon > 0, taxon, least))), ["log"], scale="unit").iloc[0]
    assert logs["estimate"] == pytest.approx(by_hand["estimate"])
    assert logs["unit"] == "per log10 unit"
    scan = cox(data, features=features, prevalence=0.1, source="profile").set_index("predictor")
    assert "above 0 in 1 of 60, fewer than the share 0.1 asked for" in scan.loc["rare", "note"]
    assert scan.loc["taxon", "family"].iloc[0] == "1 predictor of profile, os"


def test_every_problem_at_once(golden: Path) -> None:
    data = dataset(golden, "small")
    with pytest.raises(InputError) as caught:
        cox(data, ["y", "os_days", "x"], ["w", "x"], scale="sds", ties="exact", prevalence=3, strata="nope")
    text = str(caught.value)
    for words in (
        "'y'",
        "predicts itself",
        "'w'",
        "'sds'",
        "'exact'",
        "prevalence 3",
        "'nope'",
        "predictor and covariate",
    ):
        assert words in text
    with pytest.raises(InputError, match="there is no predictor"):
        cox(data)
    assert list(cox(data, ["x"])) == CLINICAL_SURVIVAL.names


# Published data


@pytest.mark.real
def test_toposcore_equals_r(real_data: Path, golden: Path) -> None:
    folder = real_data / "toposcore"
    clinical = pd.read_csv(folder / "DS1_oncology_clinical_data_DiscValid.csv")
    clinical = clinical[clinical["IDMGP"].notna()].rename(columns={"OS": "os_days", "Death": "os_event"})
    clinical = clinical.assign(subject=clinical["IDMGP"])
    profile = pd.read_csv(folder / "DS2_oncology_microbiome_data_DiscValid.csv.gz", index_col=0) / 100
    samples = pd.DataFrame({"sample": clinical["IDMGP"], "subject": clinical["IDMGP"], "role": "recipient", "day": 0})
    expected = read(golden, "toposcore")
    number = expected.set_index("what")["value"]
    assert (len(clinical), clinical["os_event"].sum()) == (number["n"], number["events"]) == (245, 165)
    curve = kaplan_meier(clinical["os_days"], clinical["os_event"])
    for row in expected[(expected["what"] == "quantile") & (expected["part"] == "log-log")].itertuples():
        np.testing.assert_allclose(quantile(curve, row.time)[:3], [row.value, row.low, row.high])
    for row in expected[(expected["what"] == "survival") & (expected["part"] == "log-log")].itertuples():
        np.testing.assert_allclose(survival_at(curve, row.time)[0][:3], [row.value, row.low, row.high])
    found = log_rank(clinical["os_days"], clinical["os_event"], clinical["AKK_TRICHO"])
    assert found.p_value == pytest.approx(expected.loc[expected["part"] == "AKK_TRICHO", "p"].iloc[0])
    problems: list[Problem] = []
    features = sampled(profile, samples, ["Faecalibacterium_prausnitzii"], problems)
    assert not problems
    table = cox(clinical, ["AKK_TRICHO"], features=features, scale="unit")
    alone = Golden(expected, "toposcore", "alone")
    own = table[table["predictor"] == "Faecalibacterium_prausnitzii"].set_index("quantity")
    check(own.loc["hazard_ratio"], alone, "x")
    check_tests(own.loc["hazard_ratio"], alone, "x")
    check_model(own.loc["concordance"], alone)
    assert "hazards are not proportional" in own.loc["hazard_ratio", "note"]
    groups = Golden(expected, "toposcore", "groups")
    own = table[table["predictor"] == "AKK_TRICHO"].set_index("group")
    for level in ("Low", "Zero"):
        check(own.loc[level], groups, "AKK_TRICHO", f"AKK_TRICHO{level}", profile=False)
    check_tests(own.loc["Low / Zero"], groups, "AKK_TRICHO")
    adjusted = cox(clinical, (), ["Age", "Gender"], features, scale="unit").set_index("quantity")
    check(adjusted.loc["hazard_ratio"], Golden(expected, "toposcore", "adjusted"), "x")
    check_tests(adjusted.loc["hazard_ratio"], Golden(expected, "toposcore", "adjusted"), "x")
    assert (adjusted["n"] == number["n adjusted"]).all()
    assert adjusted["exclusions"].str.contains("without").all()


def test_few_events_are_told() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"subject": [f"s{i}" for i in range(40)], "os_days": rng.permutation(40) + 1})
    table = table.assign(os_event=(np.arange(40) < 15).astype(int), age=rng.normal(60, 9, 40))
    words = "few events: a p-value near 0.05 is really some 0.07"
    # 1,500 trials of 20 subjects with 15 events: .072 at .05; of 30 with 23: .059.
    assert cox(table, ["age"])["note"].str.contains(words).all()
    assert not cox(table.assign(os_event=1), ["age"])["note"].fillna("").str.contains(words).any()
