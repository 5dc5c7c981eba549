"""Kaplan-Meier, log-rank and what stands between a table and them: against definitions, R and simulated trials."""

from __future__ import annotations

import itertools
import math
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.statistics import multivariate_logrank_test

from microbiome.clinical.cox import cox
from microbiome.clinical.curves import curves
from microbiome.clinical.endpoints import endpoint_problems
from microbiome.clinical.kaplan_meier import kaplan_meier, quantile, restricted_mean, survival_at
from microbiome.clinical.log_rank import log_rank, log_rank_permutation
from microbiome.clinical.survival import survival
from microbiome.clinical.survival_command import Request, survival_command
from microbiome.clinical.survival_tables import CLINICAL_SURVIVAL, SURVIVAL_CURVES
from microbiome.errors import InputError

INTERVALS = ("log_log", "log", "plain")
DATASETS = ("tied", "fine", "small")
times = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=2, max_size=25)


def read(golden: Path, name: str) -> pd.DataFrame:
    frame = pd.read_csv(golden / f"survival_{name}.tsv", sep="\t", float_precision="round_trip")
    return frame.assign(part=frame["part"].fillna("")) if "part" in frame else frame


def dataset(golden: Path, name: str) -> pd.DataFrame:
    data = read(golden, "data")
    return data[data["data"] == name].reset_index(drop=True)


def values(golden: Path, name: str, what: str, part: str) -> pd.DataFrame:
    table = read(golden, "values")
    return table[(table["data"] == name) & (table["what"] == what) & (table["part"] == part)]


def table_of(data: pd.DataFrame, endpoint: str = "os") -> pd.DataFrame:
    return data.rename(columns={"time": f"{endpoint}_days", "event": f"{endpoint}_event"})


# Kaplan-Meier


@given(times)
def test_kaplan_meier_is_the_product_of_its_definition(pairs: list[tuple[int, bool]]) -> None:
    curve = kaplan_meier([t for t, _ in pairs], [e for _, e in pairs]).set_index("day")
    for day in range(13):
        expected = 1.0
        for step in range(1, day + 1):
            at_risk = sum(t >= step for t, _ in pairs)
            deaths = sum(t == step and e for t, e in pairs)
            expected *= 1 - deaths / at_risk if at_risk else 1
        assert curve.loc[:day, "survival"].iloc[-1] == pytest.approx(expected)
        if day in curve.index and day > 0:
            row = curve.loc[day]
            assert row["at_risk"] == sum(t >= day for t, _ in pairs)
            assert row["censored"] == sum(t == day and not e for t, e in pairs)
    assert curve["events"].sum() == sum(e for _, e in pairs)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("name", DATASETS)
def test_curves_equal_survfit(golden: Path, name: str, interval: str) -> None:
    data = dataset(golden, name)
    expected = read(golden, "curves")
    chosen = (expected["data"] == name) & (expected["interval"] == interval.replace("_", "-"))
    expected = expected[chosen].reset_index(drop=True)
    found = kaplan_meier(data["time"], data["event"], interval=interval).iloc[1:].reset_index(drop=True)
    columns = ["day", "at_risk", "events", "censored", "survival", "ci_low", "ci_high"]
    np.testing.assert_allclose(found[columns].astype(float), expected[columns].astype(float), rtol=1e-10)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("name", DATASETS)
def test_medians_and_survival_at_days_equal_r(golden: Path, name: str, interval: str) -> None:
    data = dataset(golden, name)
    curve = kaplan_meier(data["time"], data["event"], interval=interval)
    part = interval.replace("_", "-")
    for row in values(golden, name, "quantile", part).itertuples():
        found = quantile(curve, row.time)
        np.testing.assert_allclose(found[:3], [row.value, row.low, row.high], rtol=1e-10)
    at_risk = values(golden, name, "at_risk", part)["value"].tolist()
    for row, number in zip(values(golden, name, "survival", part).itertuples(), at_risk, strict=True):
        found, n, _ = survival_at(curve, row.time)
        np.testing.assert_allclose(found[:3], [row.value, row.low, row.high], rtol=1e-10)
        assert n == number


@pytest.mark.parametrize("name", DATASETS)
def test_restricted_mean_and_follow_up_equal_r(golden: Path, name: str) -> None:
    data = dataset(golden, name)
    expected = values(golden, name, "rmean", "").iloc[0]
    found = restricted_mean(kaplan_meier(data["time"], data["event"]), expected["time"])
    assert found.value == pytest.approx(expected["value"])
    assert (found.high - found.value) / 1.959963984540054 == pytest.approx(expected["statistic"])
    row = survival(table_of(data)).set_index("quantity").loc["median_follow_up"]
    follow_up = values(golden, name, "follow_up", "log-log").iloc[0]
    np.testing.assert_allclose(
        row[["estimate", "ci_low", "ci_high"]].astype(float), follow_up[["value", "low", "high"]].astype(float)
    )
    assert row["method"].startswith("reverse_kaplan_meier")


def test_nobody_or_everybody_had_the_event() -> None:
    nobody = kaplan_meier([10, 20, 30, 40], [0, 0, 0, 0])
    found, at_risk, events = survival_at(nobody, 25)
    # Clopper-Pearson for 2 of 2: the smallest p with p^2 >= 0.025.
    assert (found.value, found.high, at_risk, events) == (1.0, 1.0, 2, 0)
    assert found.low == pytest.approx(math.sqrt(0.025))
    assert "nobody had the event" in found.note
    everybody = kaplan_meier([10, 20, 30], [1, 1, 1])
    found, _, events = survival_at(everybody, 365)
    assert (found.value, found.low, events) == (0.0, 0.0, 3)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 3))
    beyond = survival_at(kaplan_meier([10, 20, 30], [1, 0, 0]), 365)[0]
    assert math.isnan(beyond.value)
    assert "the curve ends after 30" in beyond.note
    assert "not reached: survival is 0.667" in quantile(kaplan_meier([10, 20, 30], [1, 0, 0])).note


# Log-rank


@pytest.mark.parametrize("name", DATASETS)
def test_log_rank_equals_survdiff_and_lifelines(golden: Path, name: str) -> None:
    data = dataset(golden, name)
    for part in ("group", "group | site", "site"):
        label, _, stratum = part.partition(" | ")
        found = log_rank(data["time"], data["event"], data[label], data[stratum] if stratum else None)
        expected = values(golden, name, "survdiff", part).iloc[0]
        assert found.statistic == pytest.approx(expected["statistic"])
        assert (found.df, found.p_value) == (expected["df"], pytest.approx(expected["p"]))
        assert found.observed.sum() == pytest.approx(found.expected.sum())
        if not stratum:
            other = multivariate_logrank_test(data["time"], data[label], data["event"])
            assert found.statistic == pytest.approx(other.test_statistic)


def test_permutation_looks_at_every_arrangement() -> None:
    rng = np.random.default_rng(5)
    days, event = rng.integers(1, 9, 8), rng.random(8) < 0.8
    labels = np.array(list("aaabbbbb"))
    observed = log_rank(days, event, labels).statistic
    chances = []
    for first in itertools.combinations(range(8), 3):
        dealt = np.array(["a" if i in first else "b" for i in range(8)])
        one = log_rank(days, event, dealt)
        chances.append(one.statistic if one.df else 0.0)
    found = log_rank_permutation(days, event, labels)
    assert (found.scheme, found.permutations, found.p_floor) == ("exact", 56, 1 / 56)
    assert found.statistic == pytest.approx(observed)
    assert found.p_value == pytest.approx(np.mean(np.array(chances) >= observed - 1e-9))


def test_permutation_within_strata_and_of_three_groups() -> None:
    rng = np.random.default_rng(6)
    days, event = rng.integers(1, 20, 9), np.ones(9, dtype=bool)
    labels, strata = np.array(list("abababacc")), np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    found = log_rank_permutation(days, event, labels, strata)
    chances = []
    for one in set(itertools.permutations("abab")):
        for two in set(itertools.permutations("abacc")):
            chances.append(log_rank(days, event, np.array([*one, *two]), strata).statistic)
    assert found.permutations == len(chances) == 6 * 30
    assert found.statistic == pytest.approx(log_rank(days, event, labels, strata).statistic)
    assert found.p_value == pytest.approx(np.mean(np.array(chances) >= found.statistic - 1e-9))
    # A stratum of one label has nothing to exchange.
    alone = log_rank_permutation(days, event, labels, np.array([0, 0, 0, 0, 1, 2, 3, 4, 4]))
    assert alone.permutations == 6


@given(times, st.integers(0, 1000))
def test_log_rank_knows_only_the_order_of_times(pairs: list[tuple[int, bool]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, event = np.array([t for t, _ in pairs], float), np.array([e for _, e in pairs])
    labels = rng.permutation(np.arange(len(pairs)) % 2)
    first = log_rank_permutation(days, event, labels, permutations=200, seed=1)
    shuffle = rng.permutation(len(pairs))
    other = log_rank_permutation(days[shuffle] ** 3, event[shuffle], 5 - labels[shuffle], permutations=200, seed=1)
    np.testing.assert_allclose([first.statistic, first.p_value], [other.statistic, other.p_value], atol=1e-9)
    assert first.p_floor <= first.p_value <= 1


def test_permutation_holds_where_chi_square_does_not() -> None:
    rng = np.random.default_rng(7)
    chance, chi = [], []
    for _ in range(300):
        days, event = rng.exponential(100, 10).round() + 1, rng.random(10) < 0.7
        labels = np.array(["a"] * 3 + ["b"] * 7)
        found = log_rank(days, event, labels)
        if not found.df:
            continue
        chi.append(found.p_value)
        chance.append(log_rank_permutation(days, event, labels).p_value)
    for level in (0.05, 0.2, 0.5):
        # Exact, with 120 arrangements and ties: never above, and not far below.
        share = np.mean(np.array(chance) <= level)
        assert level * 0.55 - 0.02 <= share <= level + 3 * math.sqrt(level * (1 - level) / len(chance))
    assert np.mean(np.array(chi) <= 0.05) > np.mean(np.array(chance) <= 0.05)


# The table


def test_table_has_a_row_for_everything(golden: Path) -> None:
    data = table_of(dataset(golden, "tied"))
    data["pfs_days"], data["pfs_event"] = data["os_days"] * 0.5, data["os_event"]
    table = survival(data, ["group", "site"], times=(100, 365), until=200, permutations=99)
    assert list(table) == CLINICAL_SURVIVAL.names
    assert set(table["endpoint"]) == {"pfs", "os"}
    kaplan = table[table["analysis"] == "kaplan_meier"]
    # Everybody, three groups, two sites: median, two days, restricted mean, follow-up; for two endpoints.
    assert len(kaplan) == 2 * 6 * 5
    assert kaplan["method"].notna().all()
    assert (kaplan["estimate"].notna() | kaplan["note"].notna()).all()
    tests = table[(table["analysis"] == "log_rank") & (table["endpoint"] == "os")]
    # Three groups together and in pairs, two sites; each by permutation and by chi-square.
    assert len(tests) == 2 * (1 + 3 + 1)
    pairs = tests[(tests["by"] == "group") & tests["reference"].notna()]
    assert (pairs["q_value"] >= pairs["p_value"]).all()
    assert set(pairs["family"]) == {"3 pairs of groups of group, os"}
    chi = tests[tests["method"] == "log_rank_chi_square"].iloc[0]
    assert chi["p_value"] == pytest.approx(values(golden, "tied", "survdiff", "group")["p"].iloc[0])
    assert tests.loc[tests["method"] == "log_rank_permutation", "p_floor"].notna().all()
    strata = survival(data, ["group"], ["os"], strata="site", permutations=99)
    chi = strata[strata["method"] == "log_rank_chi_square within site"].iloc[0]
    assert chi["p_value"] == pytest.approx(values(golden, "tied", "survdiff", "group | site")["p"].iloc[0])


def test_same_seed_same_table(golden: Path) -> None:
    data = table_of(dataset(golden, "fine"))
    first, second = (survival(data, ["group"], permutations=199, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    shuffled = survival(data.sample(frac=1, random_state=1), ["group"], permutations=199, seed=4)
    pd.testing.assert_frame_equal(first, shuffled)


def test_curves_table(golden: Path) -> None:
    data = table_of(dataset(golden, "small"))
    table = curves(data, ["site"])
    assert list(table) == SURVIVAL_CURVES.names
    for site in ("s1", "s2"):
        own = table[(table["group"] == site) & (table["by"] == "site")]
        assert own["at_risk"].iloc[0] == (data["site"] == site).sum()
        assert (own["day"].iloc[0], own["survival"].iloc[0]) == (0, 1)
        assert own["survival"].is_monotonic_decreasing
        assert own["events"].sum() + own["censored"].sum() == own["at_risk"].iloc[0]


def test_donors_and_who_is_not_known_do_not_count() -> None:
    table = pd.DataFrame(
        {
            "subject": ["D1", "R1", "R2", "R3"],
            "arm": [None, "fmt", "fmt", "placebo"],
            "os_days": [math.nan, 100, 200, math.nan],
            "os_event": pd.array([None, 1, 1, None], dtype="Int64"),
            "age": [30, 50, 60, 70],
        }
    )
    found = survival(table, ["arm"])
    everybody = found[(found["by"].isna()) & (found["quantity"] == "median")].iloc[0]
    assert (everybody["n"], everybody["excluded"], everybody["exclusions"]) == (2, 1, "1 without os_days")
    placebo = found[(found["group"] == "placebo") & (found["quantity"] == "median")].iloc[0]
    assert placebo["n"] == 0
    assert found["method"].notna().all()
    assert placebo["note"] == "nobody is left (1 without os_days)"
    tests = found[found["analysis"] == "log_rank"]
    assert tests["note"].str.startswith("not testable: nobody is left in placebo").all()
    assert curves(table, ["arm"])["note"].dropna().tolist() == ["no curve: nobody is left (1 without os_days)"]


def test_all_censored_is_said_in_words() -> None:
    table = pd.DataFrame({"subject": list("abcd"), "arm": list("xxyy"), "os_days": [9, 8, 7, 6], "os_event": [0] * 4})
    found = survival(table, ["arm"], times=(5,))
    median = found[found["quantity"] == "median"]
    assert median["estimate"].isna().all()
    assert median["note"].str.contains("not reached").all()
    assert median["note"].str.contains(r"all \d are censored: no event was seen").all()
    assert found.loc[found["analysis"] == "log_rank", "note"].eq("not testable: 0 events, and 2 are needed").all()


# Landmark


def test_groups_known_later_need_a_landmark() -> None:
    table = pd.DataFrame(
        {
            "subject": list("abcdef"),
            "best_response": ["CR", "PR", "PD", "PD", "SD", "NE"],
            "os_days": [300, 200, 50, 100, 90, 20],
            "os_event": [0, 1, 1, 0, 1, 1],
        }
    )
    with pytest.raises(InputError, match="immortal time"):
        survival(table, ["responder"])
    with pytest.raises(InputError, match="measured on day 90, and cannot count from day 30"):
        survival(table, ["responder"], measured={"responder": 90}, landmark=30)
    found = survival(table, ["responder"], measured={"responder": 90})
    rows = found[(found["by"] == "responder") & (found["quantity"] == "median")].set_index("group")
    assert (rows["landmark"] == 90).all()
    # Whoever had the event, or was censored, on day 90 or before is out; times count from day 90.
    assert rows["n"].to_dict() == {"no": 1, "yes": 2}
    assert rows.loc["no", "exclusions"] == "2 with the event by day 90"
    assert rows.loc["yes", "estimate"] == (110 + 210) / 2
    assert found.loc[found["by"].isna(), "landmark"].eq(0).all()
    said = survival(table, ["responder"], landmark=90)
    assert said.loc[said["by"] == "responder", "note"].str.contains("was known by day 90 of everybody").all()
    naive = survival(table, ["responder"], naive=True)
    own = naive[naive["by"] == "responder"]
    assert own["method"].str.endswith("immortal_time_biased").all()
    assert own["note"].str.contains("the result is biased").all()
    assert own["landmark"].eq(0).all()
    assert not naive.loc[naive["by"].isna(), "method"].str.contains("biased").any()


def test_naive_responders_are_immortal_and_those_at_the_landmark_are_not() -> None:
    rng = np.random.default_rng(8)
    rejected = {"naive": 0, "landmark": 0}
    for _ in range(40):
        died, responds = rng.exponential(120, 60), rng.uniform(0, 90, 60)
        able = rng.random(60) < 0.5
        # Nothing is true: whether somebody would respond has nothing to do with how long they live.
        responder = np.where(able & (responds < died), "yes", "no")
        table = pd.DataFrame({"subject": range(60), "responder": responder, "os_days": died, "os_event": 1})
        for kind, options in (("naive", {"naive": True}), ("landmark", {"measured": {"responder": 90}})):
            found = survival(table, ["responder"], permutations=1, **options)
            p = found.loc[found["method"].str.contains("chi_square", na=False), "p_value"].iloc[0]
            rejected[kind] += int(p <= 0.05)
    # Of 40: half of them, against one in twenty (P of more than 6 is 0.003).
    assert rejected["naive"] >= 14
    assert rejected["landmark"] <= 6


# Bad input


def test_every_problem_at_once() -> None:
    table = pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d", "e", "e"],
            "arm": ["x"] * 6,
            "os_days": [10, None, 30, -5, math.inf, 4],
            "os_event": [1, 1, None, 0, 2, 1],
        },
        index=pd.Index(range(2, 8), name="line"),
    )
    found = {(p.line, p.column): str(p) for p in endpoint_problems(table, ["os"], "subjects.tsv")}
    assert set(found) == {
        (3, "os_days"),
        (4, "os_event"),
        (5, "os_days"),
        (6, "os_days"),
        (6, "os_event"),
        (7, "subject"),
    }
    assert found[3, "os_days"].startswith("subjects.tsv:3: os_days: subject 'b' has os_event 1 and no os_days")
    assert "has os_days 30 and no os_event" in found[4, "os_event"]
    assert "-5" in found[5, "os_days"]
    with pytest.raises(InputError) as caught:
        survival(table, ["arm", "nope"], ["os", "efs"], times=(-1,), level=2, group_order=["zz"], strata="arm")
    text = str(caught.value)
    for words in (
        "'nope'",
        "'efs'",
        "day -1",
        "level 2",
        "'zz'",
        "cannot be the strata",
        "stands twice",
        "no os_event",
    ):
        assert words in text
    with pytest.raises(InputError, match="has no survival"):
        survival(pd.DataFrame({"subject": ["a"]}))
    with pytest.raises(InputError, match="column 'pfs_event' is missing"):
        survival(pd.DataFrame({"subject": ["a"], "pfs_days": [1]}))


def test_progression_after_death_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    table = pd.DataFrame(
        {"subject": ["a", "b"], "pfs_days": [9, 5], "pfs_event": [1, 1], "os_days": [8, 6], "os_event": [1, 1]}
    )
    survival(table)
    assert "subject 'a' has pfs_days 9, longer than os_days 8" in caplog.text


def test_command(tmp_path: Path, golden: Path) -> None:
    data = table_of(dataset(golden, "tied")).drop(columns="data")
    data.to_csv(tmp_path / "subjects.tsv", sep="\t", index=False)
    command = ["microbiome", "clinical", "survival", "--subjects", str(tmp_path / "subjects.tsv"), "--by", "group"]
    command += ["--predictors", "x", "--cut", "50", "--permutations", "99", "--curves", str(tmp_path / "curves.tsv")]
    subprocess.run([*command, "-o", str(tmp_path / "out.tsv")], check=True)
    table = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert set(table["analysis"]) == {"kaplan_meier", "log_rank", "cox"}
    column = f"x > {data['x'].median():.4g} (percentile 50)"
    assert {column, "group"} <= set(table["by"].dropna())
    drawn = pd.read_csv(tmp_path / "curves.tsv", sep="\t")
    assert set(drawn.loc[drawn["by"] == column, "group"]) == {"low", "high"}
    bad = data.astype({"os_days": object}).assign(os_event=[7, *data["os_event"][1:]])
    bad.loc[1, "os_days"] = None
    bad.to_csv(tmp_path / "subjects.tsv", sep="\t", index=False)
    found = subprocess.run([*command, "--by", "goup"], capture_output=True, text=True)
    assert found.returncode == 2
    assert ":2: os_event: '7' is not 0 or 1" in found.stderr
    assert ":3: os_days: subject 'tied2' has os_event" in found.stderr
    assert "did you mean 'group'" in found.stderr
    assert "Traceback" not in found.stderr
    data.drop(columns="os_event").to_csv(tmp_path / "subjects.tsv", sep="\t", index=False)
    found = subprocess.run(command, capture_output=True, text=True)
    assert f"{tmp_path}/subjects.tsv: os_event: column 'os_event' is missing" in found.stderr


# What chooses subjects, or makes strata, is known as late as what makes groups


def immortal(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    days = np.sort(rng.integers(10, 400, n))
    return pd.DataFrame(
        {
            "subject": [f"s{i:02}" for i in range(n)],
            "arm": np.where(np.arange(n) % 2, "fmt", "placebo"),
            "responder": np.where(days > 150, "yes", "no"),
            "irae_grade": np.arange(n) % 4,
            "os_days": days,
            "os_event": 1,
            "age": rng.normal(60, 9, n),
        }
    )


@pytest.mark.parametrize("later", [{"among": {"responder": "yes"}}, {"strata": "responder"}])
def test_what_chooses_subjects_or_makes_strata_is_no_way_around_the_landmark(later: dict[str, object]) -> None:
    table = immortal()
    for call in (survival, curves) if "among" in later else (survival,):
        with pytest.raises(InputError, match="immortal time"):
            call(table, ["arm"], **later)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="immortal time"):
        cox(table, ["age"], **later)  # type: ignore[arg-type]
    for found in (survival(table, ["arm"], landmark=200, **later), cox(table, ["age"], landmark=200, **later)):  # type: ignore[arg-type]
        assert found["landmark"].eq(200).all()
        assert found["n"].max() == table["os_days"].gt(200).sum()
        assert found["note"].str.contains("right only if responder was known by day 200").all()
    known = survival(table, ["arm"], measured={"responder": 90}, **later)  # type: ignore[arg-type]
    assert known["landmark"].eq(90).all()
    naive = survival(table, ["arm"], naive=True, **later)  # type: ignore[arg-type]
    assert naive["method"].str.contains("immortal_time_biased").all()
    assert naive["landmark"].eq(0).all()


def test_an_endpoint_chooses_nobody() -> None:
    with pytest.raises(InputError, match="is an endpoint"):
        survival(immortal(), ["arm"], among={"os_event": "1"})


def test_a_cut_of_what_is_known_later_is_labelled(tmp_path: Path) -> None:
    immortal().to_csv(tmp_path / "subjects.tsv", sep="\t", index=False)
    request = Request(str(tmp_path / "subjects.tsv"), predictors=("irae_grade",), cut=50, naive=True)
    table, _ = survival_command(request)
    groups = table[table["by"].notna() | table["predictor"].notna()]
    assert groups["by"].notna().any()
    assert groups["method"].str.contains("immortal_time_biased").all()
    with pytest.raises(InputError, match="irae_grade is known only some time after"):
        survival_command(Request(str(tmp_path / "subjects.tsv"), predictors=("irae_grade",), cut=50))


def test_a_covariate_that_is_left_out_is_not_in_the_method() -> None:
    found = cox(immortal().assign(site="one"), ["age"], covariates=["site", "arm"])
    assert found["method"].str.contains("adjusted for arm").all()
    assert not found["method"].str.contains("site").any()
    assert found["note"].str.contains("covariate left out: site").all()


def test_a_feature_may_be_called_as_a_column_is() -> None:
    table = immortal().assign(age=[math.nan] * 3 + list(range(37)))
    features = pd.DataFrame({"subject": table["subject"], "sample": table["subject"], "day": 0.0, "age": range(40)})
    features["age"] = np.random.default_rng(1).normal(size=40)
    found = cox(table, ["age"], features=features, joint=True)
    assert found["n"].eq(37).all()
    assert found["p_value"].notna().all()
