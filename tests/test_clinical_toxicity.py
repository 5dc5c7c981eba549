"""Toxicity: against R, against enumeration by hand, under the null with a donor effect, and with bad input."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from microbiome.cli import main
from microbiome.clinical.toxicity_analysis import toxicity
from microbiome.clinical.toxicity_grades import ToxicitySettings
from microbiome.clinical.toxicity_groups import odds_ratio
from microbiome.clinical.toxicity_tables import CLINICAL_TOXICITY, TOXICITY_CURVES
from microbiome.clinical.toxicity_tests import donor_permutation, exposure, fisher_test
from microbiome.clinical.toxicity_time import cumulative_incidence, time_to_toxicity
from microbiome.errors import InputError
from microbiome.tsv import read_result, write_table

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"toxicity_{name}.tsv", sep="\t", float_precision="round_trip")


def counts(text: str) -> np.ndarray:
    return np.array([[int(cell) for cell in row.split()] for row in text.split("|")])


def only(table: pd.DataFrame, **wanted: Any) -> pd.Series:
    chosen = table
    for name, value in wanted.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1, f"{len(chosen)} rows with {wanted}"
    return chosen.iloc[0]


def perform() -> pd.DataFrame:
    """1 of 9 responders and 8 of 9 others with grade 3, as PERFORM reports."""
    rows = [(f"R{i}", "yes", 3 if i == 0 else 2) for i in range(9)]
    rows += [(f"N{i}", "no", 3 if i < 8 else 1) for i in range(9)]
    return pd.DataFrame(rows, columns=["subject", "responder", "irae_grade"])


def trial(grades: dict[str, list[int]]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Subjects, doses and samples of recipients of one donor each, by donor."""
    rows = [(f"{donor}_{i}", grade, donor) for donor, own in grades.items() for i, grade in enumerate(own)]
    subjects = pd.DataFrame([row[:2] for row in rows], columns=["subject", "irae_grade"])
    doses = pd.DataFrame(
        [(name, 0, donor, None) for name, _, donor in rows], columns=["subject", "day", "donor", "donor_sample"]
    )
    samples = pd.DataFrame([(f"s{d}", d, "donor", None) for d in grades], columns=["sample", "subject", "role", "day"])
    return subjects, doses, samples


# Tests of tables


def naive_fisher(table: np.ndarray) -> float:
    """Sum the probabilities of all tables with the same margins, over all assignments of columns to rows."""
    rows = np.repeat(np.arange(len(table)), table.sum(axis=1))
    columns = np.repeat(np.arange(table.shape[1]), table.sum(axis=0))

    def probability(x: np.ndarray) -> float:
        top = math.prod(math.factorial(m) for m in [*x.sum(axis=0), *x.sum(axis=1)])
        return top / math.factorial(int(x.sum())) / math.prod(math.factorial(c) for c in x.ravel())

    seen = {}
    for order in set(itertools.permutations(columns.tolist())):
        x = np.zeros_like(table)
        for row, column in zip(rows, order, strict=True):
            x[row, column] += 1
        seen[x.tobytes()] = probability(x)
    own = probability(table)
    return sum(p for p in seen.values() if p <= own * (1 + 1e-7))


def test_fisher_is_that_of_r() -> None:
    for row in golden("tables").itertuples():
        found = fisher_test(counts(row.table))
        assert found.p_value == pytest.approx(row.p_value, rel=1e-7), row.table
        assert found.scheme == "exact"
        assert found.p_floor <= found.p_value


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=6, max_size=6).filter(lambda x: 0 < sum(x) < 8))
def test_fisher_is_the_definition(cells: list[int]) -> None:
    table = np.array(cells).reshape(2, 3)
    found = fisher_test(table)
    if min((table.sum(axis=0) > 0).sum(), (table.sum(axis=1) > 0).sum()) < 2:
        assert math.isnan(found.p_value)
        return
    assert found.p_value == pytest.approx(naive_fisher(table), rel=1e-9)
    assert fisher_test(table.T).p_value == pytest.approx(found.p_value, rel=1e-9)
    assert fisher_test(table[:, ::-1]).p_value == pytest.approx(found.p_value, rel=1e-9)


def test_fisher_of_large_tables_is_drawn() -> None:
    rng = np.random.default_rng(1)
    table = rng.multinomial(20, [0.1, 0.2, 0.2, 0.3, 0.1, 0.1], size=8)
    found = fisher_test(table, permutations=1999, seed=1)
    assert found.scheme == "monte_carlo"
    assert found.permutations == 1999
    other = stats.fisher_exact(table, method=stats.MonteCarloMethod(n_resamples=1999, rng=np.random.default_rng(2)))
    assert abs(found.p_value - other.pvalue) < 0.05
    assert found == fisher_test(table, permutations=1999, seed=1)


def test_odds_ratio_is_that_of_r_and_its_definition() -> None:
    for row in golden("tables").itertuples():
        table = counts(row.table)
        if table.shape != (2, 2):
            continue
        # R's a d / (b c): our reference stands in the first row, those not severe in the first column.
        found = odds_ratio(table, 0.95)
        assert found["p_value"] == pytest.approx(row.p_value, rel=1e-7)
        for name, value in (("estimate", row.odds_ratio), ("ci_low", row.ci_low), ("ci_high", row.ci_high)):
            if value != value or (name == "estimate" and value == 0):
                assert found[name] is None or found[name] == 0
                continue
            # R's root finder stops at 1e-4 of a transformed scale: its far bounds are off by some per cent.
            assert found[name] == pytest.approx(value, rel=0.05), (row.table, name)
        x, n1, n0 = table[1, 1], table[1].sum(), table[0].sum()
        null = stats.nchypergeom_fisher
        if found["estimate"]:
            assert null.mean(table.sum(), n1, table[:, 1].sum(), found["estimate"]) == pytest.approx(x, rel=1e-6)
        for bound, tail in (("ci_low", null.sf), ("ci_high", null.cdf)):
            if found[bound]:
                at = x - 1 if bound == "ci_low" else x
                assert tail(at, table.sum(), n1, table[:, 1].sum(), found[bound]) == pytest.approx(0.025, rel=1e-4)
        assert n0 > 0


@pytest.mark.parametrize(("grade", "word"), [(1, "nobody is severe"), (3, "all are severe")])
def test_odds_ratio_says_why_there_is_none(grade: int, word: str) -> None:
    subjects = pd.DataFrame({"subject": list("abcd"), "irae_grade": [grade] * 4, "arm": ["x", "x", "y", "y"]})
    row = only(toxicity(subjects, by=["arm"]), quantity="odds_ratio")
    assert row["note"] == f"not testable: {word}"


def test_infinite_odds_ratio_is_in_words() -> None:
    found = odds_ratio(np.array([[3, 0], [0, 3]]), 0.95)
    assert found["estimate"] is None
    assert found["ci_high"] is None
    assert found["ci_low"] > 0
    assert "infinite" in found["note"]


# The whole table


def test_perform_by_three_tests_each_named() -> None:
    table = toxicity(perform(), by=["responder"])
    tests = table[(table["factor"] == "responder") & (table["quantity"] == "severe_test")].set_index("method")
    assert tests.loc["fisher_exact", "p_value"] == pytest.approx(0.0033730974907445464, rel=1e-9)
    assert tests.loc["chi2", "p_value"] == pytest.approx(0.00096742845024774522, rel=1e-9)
    assert tests.loc["chi2_yates", "p_value"] == pytest.approx(0.004677734981047268, rel=1e-9)
    assert "chi-squared 8," in tests.loc["chi2_yates", "note"]
    assert tests.loc["chi2_yates", "statistic"] == pytest.approx(8.0)
    assert tests.loc["chi2", "statistic"] == pytest.approx(18 * (1 * 1 - 8 * 8) ** 2 / 9**4)
    assert tests.loc[["chi2", "chi2_yates"], "df"].tolist() == [1, 1]
    assert tests.loc["fisher_exact", ["statistic", "df"]].isna().all()
    assert "approximate: 4 of 4" in tests.loc["chi2", "note"]
    assert tests.loc["donor_permutation", "note"].startswith("not testable: no doses table")
    for group, events, low, high in (("yes", 1, 0.003, 0.482), ("no", 8, 0.518, 0.997)):
        row = only(table, factor="responder", group=group, quantity="severe")
        assert (row["events"], row["n"], row["method"]) == (events, 9, "clopper_pearson")
        assert row["ci_low"] == pytest.approx(low, abs=1e-3)
        assert row["ci_high"] == pytest.approx(high, abs=1e-3)
    row = only(table, quantity="odds_ratio")
    assert (row["group"], row["reference"]) == ("yes", "no")
    assert row["estimate"] < 0.03 < row["ci_high"]
    assert not table.duplicated(list(CLINICAL_TOXICITY.key)).any()


def test_chi_squared_is_that_of_r() -> None:
    for row in golden("tables").itertuples():
        table = counts(row.table)
        if table.shape[1] > 2:
            continue
        rows = [(g, s) for g, own in enumerate(table) for s, n in enumerate(own) for _ in range(n)]
        subjects = pd.DataFrame(
            [(f"s{i}", f"g{g}", 3 * s) for i, (g, s) in enumerate(rows)], columns=["subject", "cohort", "irae_grade"]
        )
        found = toxicity(subjects, by=["cohort"])
        found = found[found["quantity"] == "severe_test"].set_index("method")["p_value"]
        assert found["chi2"] == pytest.approx(row.chi2, rel=1e-9)
        if len(table) == 2:
            assert found["chi2_yates"] == pytest.approx(row.chi2_yates, rel=1e-9)


def test_published_shares_have_their_exact_intervals() -> None:
    for events, n, low, high in ((13, 20, 0.408, 0.846), (3, 20, 0.032, 0.379), (0, 20, 0.0, 0.168)):
        subjects = pd.DataFrame(
            {"subject": [f"s{i}" for i in range(n)], "irae_grade": [3] * events + [1] * (n - events)}
        )
        row = only(toxicity(subjects), quantity="severe")
        assert (row["events"], row["n"]) == (events, n)
        assert (round(row["ci_low"], 3), round(row["ci_high"], 3)) == (low, high)
        wilson = only(toxicity(subjects, settings=ToxicitySettings(interval="wilson")), quantity="severe")
        assert wilson["method"] == "wilson"
        assert wilson["ci_high"] < high if events else wilson["ci_high"] != high


def test_threshold_and_counts_per_grade() -> None:
    subjects = pd.DataFrame({"subject": list("abcdef"), "irae_grade": [0, 1, 2, 2, 4, 5]})
    table = toxicity(subjects, settings=ToxicitySettings(threshold=2))
    assert only(table, quantity="severe")["events"] == 4
    assert only(table, quantity="severe")["grade"] == 2
    assert table[table["quantity"] == "grade_count"].set_index("grade")["events"].tolist() == [1, 1, 2, 0, 1, 1]


def test_grades_of_two_groups_by_enumeration_in_r() -> None:
    row = golden("grades").iloc[0]
    values = {name: [int(grade) for grade in row[name].split()] for name in "ab"}
    subjects = pd.DataFrame(
        [(f"{name}{i}", name, grade) for name, own in values.items() for i, grade in enumerate(own)],
        columns=["subject", "cohort", "irae_grade"],
    )
    found = only(toxicity(subjects, by=["cohort"]), quantity="grade_test", method="wilcoxon_permutation")
    assert found["p_value"] == pytest.approx(row["p_value"], rel=1e-12)
    assert found["scheme"] == "exact"


def test_more_groups_have_freeman_halton_and_kruskal() -> None:
    subjects = pd.DataFrame(
        [(f"{g}{i}", g, 3 if i < severe else 0) for g, severe in (("a", 2), ("b", 5), ("c", 8)) for i in range(9)],
        columns=["subject", "cohort", "irae_grade"],
    )
    table = toxicity(subjects, by=["cohort"])
    own = table[table["factor"] == "cohort"]
    severe = np.array([[7, 2], [4, 5], [1, 8]])
    found = only(own, quantity="severe_test", method="fisher_freeman_halton")
    assert found["p_value"] == pytest.approx(fisher_test(severe).p_value)
    assert "kruskal_wallis_permutation" in set(own["method"])
    assert "chi2_yates" not in set(own["method"])
    assert own.loc[own["quantity"] == "odds_ratio", "group"].tolist() == ["b", "c"]


# Donors


def naive_donor_p(y: list[int], donor: list[int], value: list[float], statistic: str) -> float:
    """Every order of the donors' values, each order once, by the definition for recipients of one donor."""

    def size(values: tuple[float, ...]) -> float:
        x = [values[d] for d in donor]
        if statistic == "delta":
            pairs = [(a, b) for a, s in zip(x, y, strict=True) for b, t in zip(x, y, strict=True) if s and not t]
            return abs(sum((a > b) - (a < b) for a, b in pairs) / len(pairs))
        return 0.0 if len(set(x)) < 2 else float(np.corrcoef(x, y)[0, 1] ** 2)

    every = [size(order) for order in itertools.permutations(value)]
    return float(np.mean([s >= size(tuple(value)) - 1e-9 for s in every]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["correlation", "delta"]))
def test_donor_permutation_is_the_enumeration(seed: int, statistic: str) -> None:
    rng = np.random.default_rng(seed)
    donors = int(rng.integers(2, 6))
    donor = [*range(donors), *rng.integers(0, donors, int(rng.integers(1, 8))).tolist()]
    y = rng.integers(0, 2, len(donor)).tolist()
    value = (rng.integers(0, 2, donors) if statistic == "correlation" else rng.integers(0, 4, donors)).tolist()
    received = np.array(donor)[:, np.newaxis] == np.arange(donors)
    found = donor_permutation(np.array(y), received, np.array(value), statistic)
    if len(set(y)) < 2 or len(set(value)) < 2:
        assert math.isnan(found.p_value)
        return
    assert found.scheme == "exact"
    assert found.p_value == pytest.approx(naive_donor_p(y, donor, value, statistic))
    assert found.p_floor <= found.p_value + 1e-12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_groups_of_donors_are_the_analysis_of_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    donors = 5
    donor = np.array([*range(donors), *rng.integers(0, donors, 6)])
    group = np.array([0, 0, 1, 1, 2])
    y = rng.integers(0, 5, len(donor)).astype(float)
    received = donor[:, np.newaxis] == np.arange(donors)

    def between(labels: np.ndarray) -> float:
        own = labels[donor]
        return sum((own == g).sum() * (y[own == g].mean() - y.mean()) ** 2 for g in range(3) if (own == g).any())

    found = donor_permutation(y, received, group, "groups")
    every = [between(np.array(order)) for order in itertools.permutations(group)]
    if np.ptp(y) == 0:
        return
    assert found.p_value == pytest.approx(np.mean([s >= between(group) - 1e-9 for s in every]))


def test_several_donors_are_exposures_computed_anew() -> None:
    received = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1]], dtype=bool)
    np.testing.assert_allclose(exposure(received, np.array([1, 0, 0])), [0.5, 0, 1, 0])
    np.testing.assert_allclose(exposure(received, np.array([1, 0, 0]), "any"), [1, 0, 1, 0])
    y = np.array([1, 0, 1, 0])
    for several in ("mean", "any"):
        found = donor_permutation(y, received, np.array([1, 0, 0]), several=several)
        every = []
        for order in itertools.permutations([1, 0, 0]):
            x = np.array([max(np.array(order)[r]) if several == "any" else np.array(order)[r].mean() for r in received])
            every.append(0.0 if np.ptp(x) == 0 else np.corrcoef(x, y)[0, 1] ** 2)
        assert found.p_value == pytest.approx(np.mean([s >= every[0] - 1e-9 for s in every]))


def test_floors_of_a_design() -> None:
    # One donor with the property among ten of one recipient each: 1 in 10.
    received = np.eye(10, dtype=bool)
    y = np.array([1] + [0] * 9)
    found = donor_permutation(y, received, np.array([1] + [0] * 9))
    assert found.p_value == found.p_floor == 0.1
    # Four severe of ten, five donors with it: at best all four have it, or none: 2 * C(6, 1) of 252.
    y = np.array([1] * 4 + [0] * 6)
    found = donor_permutation(y, received, np.array([1] * 5 + [0] * 5))
    assert found.p_value == found.p_floor == 12 / 252


def test_many_donors_are_drawn_with_the_seed() -> None:
    rng = np.random.default_rng(4)
    received = np.arange(60)[:, np.newaxis] // 3 == np.arange(20)
    y, x = rng.integers(0, 2, 60), rng.random(20)
    found = donor_permutation(y, received, x, "delta", permutations=999, seed=2)
    assert (found.scheme, found.permutations) == ("monte_carlo", 999)
    assert found == donor_permutation(y, received, x, "delta", permutations=999, seed=2)
    assert abs(found.p_value - donor_permutation(y, received, x, "delta", permutations=999, seed=3).p_value) < 0.1


def test_recipients_of_few_donors_reject_too_often_and_donors_do_not() -> None:
    """Nothing true of the taxon: donors differ in risk, the taxon is in half of them at random."""
    rng = np.random.default_rng(8)
    trials, each, donors = 400, 8, 6
    recipient = donor = 0
    received = np.repeat(np.eye(donors, dtype=bool), each, axis=0)
    for _ in range(trials):
        risk = np.repeat(rng.beta(0.6, 0.6, donors), each)
        y = (rng.random(len(risk)) < risk).astype(int)
        has = rng.permutation([0] * (donors // 2) + [1] * (donors // 2))
        x = np.repeat(has, each)
        table = np.array([[((x == a) & (y == b)).sum() for b in (0, 1)] for a in (0, 1)])
        recipient += fisher_test(table).p_value <= 0.1
        # 20 arrangements: a tenth of them are as extreme as the two most extreme.
        donor += donor_permutation(y, received, has).p_value <= 0.1
    assert recipient / trials > 0.3
    assert donor / trials < 0.1 + 3 * math.sqrt(0.1 * 0.9 / trials)
    assert donor / trials > 0.1 - 3 * math.sqrt(0.1 * 0.9 / trials)


@pytest.mark.parametrize("statistic", ["delta", "groups"])
def test_p_of_donors_is_uniform_under_the_null(statistic: str) -> None:
    rng = np.random.default_rng(5)
    donors, trials = 6, 400
    received = np.repeat(np.eye(donors, dtype=bool), 4, axis=0)
    # A third of the recipients had another donor besides.
    received[::3, 0] = True
    p = []
    for _ in range(trials):
        # Grades of recipients go with their donor, but not with what is tested.
        mood = rng.normal(0, 1, donors)
        y = (received / received.sum(axis=1, keepdims=True)) @ mood + rng.normal(0, 0.5, len(received))
        outcome = (y > 0.3).astype(int) if statistic == "delta" else y
        value = rng.random(donors) if statistic == "delta" else rng.permutation([0, 0, 1, 1, 2, 2])
        p.append(donor_permutation(outcome, received, value, statistic).p_value)
    p = [value for value in p if value == value]
    for alpha in (0.1, 0.25, 0.5):
        error = 3 * math.sqrt(alpha * (1 - alpha) / len(p))
        assert alpha - error - 0.05 < np.mean(np.array(p) <= alpha) < alpha + error


def profiles(samples: pd.DataFrame, has: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(has, index=samples["sample"].tolist())


def test_every_taxon_of_the_donors_at_both_levels() -> None:
    subjects, doses, samples = trial({"D1": [3, 4, 3], "D2": [3, 3], "D3": [0, 1, 2], "D4": [0, 2]})
    abundance = profiles(
        samples,
        {
            "t__SGB1626": [0.3, 0.2, 0.0, 0.0],
            "t__SGB1644": [0.1, 0.2, 0.0, 0.0],
            "t__SGB10": [0.1, 0.1, 0.5, 0.4],
            "t__SGB11": [0.5, 0.5, 0.5, 0.6],
            "t__SGB99": [0.0, 0.0, 0.0, 0.0],
        },
    )
    table = toxicity(subjects, None, doses, samples, abundance, taxa=["Prevotella copri", "Nonsuch species"])
    # Every taxon that a donor has, four rows each; the one that none has is not of the donors.
    taxa = table[table["factor"].isin(["taxon_presence", "taxon_abundance"])]
    assert set(taxa["taxon"]) == {"t__SGB1626", "t__SGB1644", "t__SGB10", "t__SGB11"}
    assert (taxa.groupby("taxon").size() == 4).all()
    row = only(taxa, taxon="t__SGB1626", factor="taxon_presence", unit="recipient")
    assert row["p_value"] == pytest.approx(2 / 252)
    assert (row["n"], row["n_donors"], row["events"]) == (10, 4, 5)
    row = only(taxa, taxon="t__SGB1626", factor="taxon_presence", unit="donor")
    # Two of four donors: 6 arrangements, two of them as extreme.
    assert row["p_value"] == row["p_floor"] == pytest.approx(2 / 6)
    assert row["estimate"] == 1
    row = only(taxa, taxon="t__SGB10", factor="taxon_presence", unit="donor")
    assert row["note"] == "not testable: every donor has it"
    row = only(taxa, taxon="t__SGB10", factor="taxon_abundance", unit="recipient")
    assert row["estimate"] == -1
    # The recipients of two donors hold the smallest value: values 0.1, 0.1, 0.5, 0.4 have 12 orders.
    assert only(taxa, taxon="t__SGB10", factor="taxon_abundance", unit="donor")["p_value"] == pytest.approx(4 / 12)
    assert taxa.loc[taxa["p_value"].notna(), "q_value"].notna().all()
    family = taxa[(taxa["factor"] == "taxon_abundance") & (taxa["unit"] == "recipient")]
    np.testing.assert_allclose(family["q_value"], stats.false_discovery_control(family["p_value"]))
    named = table[table["factor"].str.startswith("named_")]
    row = only(named, taxon="Prevotella copri", factor="named_taxon_presence", unit="recipient")
    assert row["p_value"] == pytest.approx(2 / 252)
    assert "Segatella copri: t__SGB1626 (sgb_id), t__SGB1644 (sgb_id)" in row["note"]
    row = only(named, taxon="Nonsuch species", factor="named_taxon_presence", unit="donor")
    assert "no donor has it" in row["note"]
    assert "called so" in row["note"]
    # The named ones do not weigh on the q-values of all.
    assert only(named, taxon="Prevotella copri", factor="named_taxon_presence", unit="recipient")["q_value"] == (
        pytest.approx(2 / 252)
    )


def test_factor_donor_and_what_cannot_be_tested() -> None:
    subjects, doses, samples = trial({"D1": [3, 3, 3, 0], "D2": [0, 0, 1, 3]})
    table = toxicity(subjects, None, doses, samples)
    assert only(table, factor="donor", quantity="severe", group="D1")["events"] == 3
    row = only(table, factor="donor", quantity="severe_test", unit="donor")
    assert row["note"].startswith("not testable: the groups are the donors")
    assert row["p_floor"] == 1
    # All recipients of one donor.
    subjects, doses, samples = trial({"D1": [3, 0, 3]})
    abundance = profiles(samples, {"a": [0.4], "b": [0.6]})
    table = toxicity(subjects, None, doses, samples, abundance)
    rows = table[table["factor"].str.startswith("taxon_")]
    assert rows["note"].str.startswith("not testable: ").all()
    assert rows["p_value"].isna().all()
    assert only(table, factor="donor", quantity="severe_test", method="chi2")["note"].startswith(
        "not testable: one group"
    )
    # Nobody is severe.
    subjects, doses, samples = trial({"D1": [1, 0], "D2": [0, 2]})
    table = toxicity(subjects, None, doses, samples, profiles(samples, {"a": [0.4, 1.0], "b": [0.6, 0.0]}))
    rows = table[table["factor"].str.startswith("taxon_") | (table["quantity"] == "severe_test")]
    # Two donors are one cluster.
    assert rows.loc[rows["factor"] == "donor_cluster", "note"].str.startswith("not testable: one group").any()
    tested = rows[(rows["unit"] == "recipient") & (rows["factor"] != "donor_cluster")]
    assert tested["note"].str.contains("not testable: no recipient is severe").all()


def test_a_difference_of_shares_has_an_interval_within_its_range() -> None:
    subjects, doses, samples = trial({"D1": [3, 3, 0], "D2": [3, 3, 3], "D3": [0, 0, 0], "D4": [0, 0, 0]})
    abundance = profiles(samples, {"a": [0.5, 0.4, 0.0, 0.0], "b": [0.5, 0.6, 1.0, 1.0]})
    row = only(toxicity(subjects, None, doses, samples, abundance), taxon="a", quantity="risk_difference")
    assert row["estimate"] == pytest.approx(5 / 6)
    assert row[["ci_low", "ci_high"]].tolist() == [-1, 1]
    assert row["note"] == "interval cut at -1 and 1: too few donors to tell"


def test_recipients_of_several_donors() -> None:
    subjects, doses, samples = trial({"D1": [3, 3], "D2": [0, 3], "D3": [0, 0]})
    more = pd.DataFrame([("D1_0", 5, "D2", None), ("D3_1", 9, "D2", None)], columns=doses.columns)
    abundance = profiles(samples, {"a": [0.6, 0.0, 0.0], "b": [0.4, 0.7, 0.2], "c": [0.0, 0.3, 0.8]})
    doses = pd.concat([doses, more])
    received = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=bool)
    y = np.array([1, 1, 0, 1, 0, 0])
    for several in ("mean", "any"):
        table = toxicity(subjects, None, doses, samples, abundance, settings=ToxicitySettings(several=several))
        row = only(table, factor="taxon_presence", taxon="a", unit="donor")
        every = []
        for order in itertools.permutations([1, 0, 0]):
            x = [max(np.array(order)[r]) if several == "any" else np.array(order)[r].mean() for r in received]
            every.append(np.corrcoef(x, y)[0, 1] ** 2)
        assert row["p_value"] == pytest.approx(np.mean([s >= every[0] - 1e-9 for s in every]))
        x = [1, 1, 0, 0, 0, 0] if several == "any" else [0.5, 1, 0, 0, 0, 0]
        assert row["estimate"] == pytest.approx(np.polyfit(x, y, 1)[0])
        assert f"per unit of the {several} over their donors" in row["note"]
        # Recipients take it as given by any donor, whatever the parameter: 2 of 2 severe against 1 of 4.
        recipient = only(table, factor="taxon_presence", taxon="a", unit="recipient")
        assert recipient["p_value"] == pytest.approx(fisher_test(np.array([[3, 1], [0, 2]])).p_value)
        given = np.array([0.3, 0.6, 0, 0, 0, 0]) if several == "mean" else np.array([0.6, 0.6, 0, 0, 0, 0])
        pairs = np.sign(given[y == 1][:, np.newaxis] - given[y == 0])
        assert only(table, factor="taxon_abundance", taxon="a", unit="donor")["estimate"] == pytest.approx(pairs.mean())
    groups = table.loc[(table["factor"] == "donor") & (table["quantity"] == "severe"), "group"]
    assert groups.tolist() == ["D1", "D1+D2", "D2", "D2+D3", "D3"]


def test_donors_without_profiles_keep_rows_that_say_so() -> None:
    subjects, doses, samples = trial({"D1": [3, 4], "D2": [0, 3], "D3": [0, 0]})
    nothing = pd.DataFrame(np.nan, index=samples["sample"], columns=["a"])
    table = toxicity(subjects, None, doses, samples, nothing)
    for factor in ("donor_cluster", "taxon_presence", "taxon_abundance"):
        assert only(table, factor=factor)["note"] == "not testable: no donor has a sample with a profile"
    abundance = profiles(samples, {"a": [0.5, 0.0, np.nan], "b": [0.5, 1.0, np.nan]})
    table = toxicity(subjects, None, doses, samples, abundance)
    rows = table[table["factor"].str.startswith("taxon_")]
    assert (rows["n"] == 4).all()
    assert rows["note"].str.contains("2 left out: no donor, or one without profile").all()


def test_clusters_are_a_property_of_donors() -> None:
    subjects, doses, samples = trial({"D1": [3, 4, 3], "D2": [3, 3], "D3": [0, 1, 2], "D4": [0, 2], "D5": [1, 1]})
    clusters = pd.DataFrame({"donor": ["D1", "D2", "D3", "D4", "D5"], "cluster": ["c1", "c1", "c2", "c2", "c2"]})
    table = toxicity(subjects, None, doses, samples, clusters=clusters)
    assert only(table, factor="donor_cluster", quantity="severe", group="c1")["events"] == 5
    assert only(table, factor="donor_cluster", quantity="severe_test", unit="donor")["p_value"] == pytest.approx(0.1)
    assert only(table, factor="donor_cluster", quantity="severe_test", method="fisher_exact")[
        "p_value"
    ] == pytest.approx(2 / math.comb(12, 5), rel=0.6)


def test_a_column_within_donors_is_permuted_within_them() -> None:
    subjects, doses, samples = trial({"D1": [3, 3, 0, 0], "D2": [3, 0, 0, 0]})
    subjects["arm"] = ["a", "a", "b", "b", "a", "b", "b", "b"]
    row = only(toxicity(subjects, None, doses, samples, by=["arm"]), factor="arm", quantity="severe_test", unit="donor")
    assert row["method"] == "permutation_within_donors"
    # 6 x 4 arrangements, only one of which has every severe recipient in group a.
    assert row["p_value"] == pytest.approx(1 / 24)
    subjects["cohort"] = ["x"] * 4 + ["y"] * 4
    row = only(
        toxicity(subjects, None, doses, samples, by=["cohort"]), factor="cohort", quantity="severe_test", unit="donor"
    )
    assert (row["method"], row["p_value"]) == ("donor_permutation", 1.0)


def test_the_floor_within_donors_can_be_attained() -> None:
    # D1: two of a and two of b, one severe; D2: one of each, none severe; D3: one group only.
    subjects, doses, samples = trial({"D1": [3, 0, 0, 0], "D2": [0, 0], "D3": [3, 0]})
    subjects["arm"] = ["a", "b", "a", "b", "a", "b", "a", "a"]
    row = only(toxicity(subjects, None, doses, samples, by=["arm"]), factor="arm", quantity="severe_test", unit="donor")
    # All 6 x 2 arrangements: the severe recipient of D1 is in a or in b, which are equally far from what is expected.
    assert row[["p_value", "p_floor", "permutations"]].tolist() == [1.0, 1.0, 12]
    assert row["note"].endswith("2 whose donor has recipients of one group only tell nothing")
    # By hand: three severe of six, all of one group in the most extreme 2 of 20 arrangements.
    subjects, doses, samples = trial({"D1": [3, 3, 0, 0, 0, 3], "D2": [0, 0]})
    subjects["arm"] = ["a", "a", "b", "b", "a", "b", "b", "b"]
    row = only(toxicity(subjects, None, doses, samples, by=["arm"]), factor="arm", quantity="severe_test", unit="donor")
    assert row["p_floor"] == pytest.approx(2 / 20)
    # Each donor's recipients fared alike: nothing to exchange.
    subjects, doses, samples = trial({"D1": [3, 3], "D2": [0, 0]})
    subjects["arm"] = ["a", "b", "a", "b"]
    row = only(toxicity(subjects, None, doses, samples, by=["arm"]), factor="arm", quantity="severe_test", unit="donor")
    assert row["note"] == "not testable: the recipients of each donor all fared alike"


def test_recipients_without_a_donor_are_named_in_the_donor_rows() -> None:
    subjects, doses, samples = trial({"D1": [3, 0], "D2": [0, 0]})
    subjects = pd.concat([subjects, pd.DataFrame({"subject": ["P1"], "irae_grade": [3]})], ignore_index=True)
    subjects["cohort"] = ["x", "y", "x", "y", "y"]
    table = toxicity(subjects, None, doses, samples, by=["cohort"])
    row = only(table, factor="cohort", quantity="severe_test", unit="donor")
    assert row["n"] == 4
    assert row["note"].endswith("without a donor and left out: P1")
    assert only(table, factor="cohort", quantity="severe_test", method="fisher_exact")["n"] == 5


def test_a_p_value_of_one_is_one() -> None:
    for table in ([[4, 1], [5, 0]], [[5, 1], [12, 3]], [[3, 2, 1], [4, 2, 1], [9, 4, 3]], [[1, 1], [1, 1]]):
        counts = np.array(table)
        p = fisher_test(counts).p_value
        assert p <= 1
        assert p == 1.0 or p < 1 - 1e-6


def test_groups_by_treatment() -> None:
    treatments = pd.DataFrame(
        {
            "subject": ["R0", "R0", "R1", "N0", "N0"],
            "day": [0, 0, 0, 0, 5],
            "kind": ["immunotherapy"] * 4 + ["antibiotic"],
            "name": ["nivolumab", "ipilimumab", "nivolumab", "nivolumab", "x"],
        }
    )
    table = toxicity(perform(), by=["treatment"], treatments=treatments)
    groups = table[(table["factor"] == "treatment") & (table["quantity"] == "severe")].set_index("group")["n"]
    assert groups.to_dict() == {"ipilimumab+nivolumab": 1, "nivolumab": 2}
    note = only(table, factor="treatment", quantity="severe_test", method="fisher_exact")["note"]
    assert "R2" in note
    assert note.endswith("immunotherapy of any day counts, also after the worst event")


# Two tables of grades, and bad input


def test_worst_grade_of_the_events() -> None:
    subjects = pd.DataFrame({"subject": ["a", "b", "c"]})
    events = pd.DataFrame({"subject": ["a", "a", "b", "b"], "day": [5, 9, 3, -4], "grade": [2, 4, 1, 3]})
    table = toxicity(subjects, events)
    # The event of b on day -4 began before any dose; c has none.
    assert table[table["quantity"] == "grade_count"].set_index("grade")["events"].to_dict() == {
        0: 1, 1: 1, 2: 0, 3: 0, 4: 1, 5: 0
    }  # fmt: skip
    assert "a subject without an event has grade 0" in table["note"].iloc[0]
    # Nothing tells whether c is a donor; the samples table does.
    assert "donors are not told from recipients" in table["note"].iloc[0]
    samples = pd.DataFrame({"sample": ["s"], "subject": ["c"], "role": ["donor"], "day": [None]})
    table = toxicity(subjects, events, samples=samples)
    assert table["n"].iloc[0] == 2
    assert "told" not in table["note"].iloc[0]


def test_a_subject_whose_grade_is_unknown_is_not_free_of_events() -> None:
    subjects, events = follow_up()
    subjects = subjects.assign(irae_grade=pd.array([4, None, 0, 5, 0], dtype="Int64"))
    table = time_to_toxicity(subjects, events)
    assert table["n"].eq(3).all()  # b has no grade and no event, e no follow-up
    assert table["note"].str.contains("without a grade and left out: b").all()
    worst = toxicity(subjects, events)
    assert "without a grade and left out: b" in worst["note"].iloc[0]


def test_times_refuse_tables_that_disagree_as_the_worst_grades_do() -> None:
    subjects, events = follow_up()
    subjects = subjects.assign(irae_grade=pd.array([4, 0, 0, 2, 0], dtype="Int64"))
    with pytest.raises(InputError, match="'d' has irae_grade 2, but its worst event in toxicities is of grade 5"):
        time_to_toxicity(subjects, events)


def test_treatments_and_clusters_that_match_nothing_are_refused() -> None:
    treatments = pd.DataFrame({"subject": ["R0", "Q"], "day": [0, 0], "kind": ["immunotherapy"] * 2})
    with pytest.raises(InputError, match="subject 'Q' is not in the subjects table"):
        toxicity(perform(), by=["treatment"], treatments=treatments)
    with pytest.raises(InputError, match="no course is of kind 'chemo'; use one of immunotherapy"):
        toxicity(perform(), by=["treatment"], treatments=treatments.iloc[:1], treatment_kind="chemo")
    subjects, doses, samples = trial({"D1": [3, 3], "D2": [0, 0]})
    with pytest.raises(InputError, match=r"no sample of the profiles is in the samples table \('x'\)"):
        toxicity(subjects, None, doses, samples, pd.DataFrame({"a": [1.0]}, index=["x"]))
    clusters = pd.DataFrame({"donor": ["X1", "X2"], "cluster": ["c1", "c2"]})
    with pytest.raises(InputError, match="no donor of the clusters table gave to a recipient"):
        toxicity(subjects, None, doses, samples, clusters=clusters)


def test_a_factor_without_groups_is_not_passed_over() -> None:
    subjects, events = follow_up()
    table = time_to_toxicity(subjects.assign(site=None), events, by=["site"])
    assert table["note"].str.contains("no recipient has a value of 'site': there are no groups").all()
    doses = pd.DataFrame({"subject": ["a"], "day": [0], "donor": ["D1"], "donor_sample": [None]})
    clusters = pd.DataFrame({"donor": ["X"], "cluster": ["c1"]})
    with pytest.raises(InputError, match="no donor of the clusters table gave to a recipient"):
        time_to_toxicity(subjects, events, doses, by=["donor_cluster"], clusters=clusters)
    with pytest.raises(InputError) as error:
        time_to_toxicity(subjects, events, by=["cohrt"])
    assert len(error.value.problems) == 1


def test_among_looks_at_some_recipients_only(tmp_path: Path) -> None:
    subjects, doses, samples = trial({"D1": [3, 0, 0], "D2": [3, 3, 0]})
    subjects["cohort"] = ["x", "y", "x", "x", "y", "y"]
    abundance = profiles(samples, {"a": [1.0, 0.5], "b": [0.0, 0.5]})
    whole = toxicity(subjects[subjects["cohort"] == "x"], None, doses[subjects["cohort"].to_numpy() == "x"],
                     samples, abundance)  # fmt: skip
    part = toxicity(subjects, None, doses, samples, abundance, among={"cohort": "x"})
    assert part["note"].str.contains("among cohort=x").all()
    pd.testing.assert_frame_equal(part.drop(columns="note"), whole.drop(columns="note"))
    tested = part["note"].str.contains("not testable")
    assert part.loc[tested, "note"].str.startswith("not testable").all()
    with pytest.raises(InputError, match="no recipient has cohort=z"):
        toxicity(subjects, None, doses, samples, among={"cohort": "z"})
    with pytest.raises(InputError, match="no column 'site'"):
        toxicity(subjects, None, doses, samples, among={"site": "z"})
    people, events = follow_up()
    curves = time_to_toxicity(people, events, among={"cohort": "x"})
    wanted = people["cohort"].eq("x").to_numpy()
    alone = time_to_toxicity(people[wanted], events[events["subject"].isin(people["subject"][wanted])])
    pd.testing.assert_frame_equal(curves.drop(columns="note"), alone.drop(columns="note"))
    write_table(subjects, tmp_path / "s.tsv")
    options = ["--subjects", str(tmp_path / "s.tsv"), "--among", "cohort=x", "-o", str(tmp_path / "o.tsv")]
    assert main(["clinical", "toxicity", *options]) == 0
    assert read_result(tmp_path / "o.tsv", CLINICAL_TOXICITY)["n"].iloc[0] == 3


def test_clusters_made_here_say_how_they_were_chosen() -> None:
    subjects, doses, samples = trial({f"D{i}": [3 * (i % 2), 0] for i in range(4)})
    table = toxicity(subjects, None, doses, samples, profiles(samples, {"a": [0.9, 0.1, 0.85, 0.15],
                                                                       "b": [0.1, 0.9, 0.15, 0.85]}))  # fmt: skip
    rows = table[table["factor"].eq("donor_cluster") & table["quantity"].isin(["severe_test", "grade_test"])]
    assert rows["note"].str.contains(r"clusters of 4 donors by silhouette: ").all()


def test_tables_that_disagree_are_said_with_names() -> None:
    subjects = pd.DataFrame({"subject": ["a", "b", "c"], "irae_grade": [3, 2, 1]}).astype({"irae_grade": "Int64"})
    events = pd.DataFrame({"subject": ["a", "b"], "day": [5, 9], "grade": [2, 4]})
    with pytest.raises(InputError) as error:
        toxicity(subjects, events)
    text = str(error.value)
    assert "'a' has irae_grade 3" in text
    assert "'b' has irae_grade 2" in text
    assert text.count("error") + text.count("agree") >= 2


def test_bad_input_is_said_all_at_once() -> None:
    subjects = pd.DataFrame({"subject": ["a", "b", "b"], "irae_grade": [7, 1, 2]})
    events = pd.DataFrame({"subject": ["zz", "a", "a"], "day": [1, -3, 4], "grade": [2, 2, 9]})
    doses = pd.DataFrame({"subject": ["a", "qq"], "day": [0, 0], "donor": ["D9", "D1"], "donor_sample": [None, None]})
    samples = pd.DataFrame({"sample": ["s1"], "subject": ["D1"], "role": ["donor"], "day": [None]})
    with pytest.raises(InputError) as error:
        toxicity(subjects, events, doses, samples, settings=ToxicitySettings(threshold=9, level=2))
    text = str(error.value)
    for word in (
        "7 is no CTCAE grade",
        "9 is no CTCAE grade",
        "'b' stands twice",
        "'zz' is not in the subjects table",
        "day -3, before the first dose",
        "'qq' is not in the subjects table",
        "'D9' does not exist",
        "threshold 9",
        "level 2",
    ):
        assert text.count(word) == 1, word
    with pytest.raises(InputError, match="nobody has a grade"):
        toxicity(pd.DataFrame({"subject": ["a"]}))
    with pytest.raises(InputError, match="nobody has a grade"):
        toxicity(pd.DataFrame({"subject": ["a"], "irae_grade": pd.array([None], dtype="Int64")}))
    with pytest.raises(InputError, match="groups by donor need the doses table"):
        toxicity(perform(), by=["donor"])
    with pytest.raises(InputError, match="taxa and clusters of donors need the doses table"):
        toxicity(perform(), taxa=["SGB1"])
    with pytest.raises(InputError, match="no column 'cohrt'"):
        toxicity(perform().assign(cohort="a"), by=["cohrt"])


def test_the_command_names_file_line_and_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "subjects.tsv").write_text("subject\tirae_grade\na\t7\nb\t1\nb\t2\n")
    (tmp_path / "tox.tsv").write_text("subject\tday\tgrade\na\t1\t6\nb\tlate\t2\n")
    options = ["--subjects", str(tmp_path / "subjects.tsv"), "--toxicities", str(tmp_path / "tox.tsv")]
    assert main(["clinical", "toxicity", *options]) == 2
    said = capsys.readouterr().err
    for word in ("subjects.tsv:2: irae_grade: 7", "subjects.tsv:4", "tox.tsv:2: grade: 6", "tox.tsv:3: day: 'late'"):
        assert word in said
    (tmp_path / "subjects.tsv").write_text("subject\tirae_grade\na\t3\nb\t1\n")
    (tmp_path / "tox.tsv").write_text("subject\tday\tgrade\na\t1\t2\nx\t3\t2\n")
    assert main(["clinical", "toxicity", *options]) == 2
    assert "tox.tsv:3: subject: subject 'x' is not in the subjects table" in capsys.readouterr().err


def test_command_from_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    subjects, doses, samples = trial({f"D{i}": rng.integers(0, 5, 4).tolist() for i in range(5)})
    x = rng.gamma(0.4, 1, (5, 30))
    abundance = pd.DataFrame(x / x.sum(axis=1, keepdims=True), samples["sample"], [f"t__SGB{i}" for i in range(30)])
    for frame, name in ((subjects, "subjects"), (doses, "doses"), (samples, "samples")):
        write_table(frame, tmp_path / f"{name}.tsv")
    abundance.T.to_csv(tmp_path / "profile.tsv", sep="\t", index_label="taxon")
    options = [part for n in ("subjects", "doses", "samples", "profile") for part in (f"--{n}", f"{tmp_path}/{n}.tsv")]
    out = tmp_path / "toxicity.tsv"
    assert main(["clinical", "toxicity", *options, "--taxon", "SGB3", "--permutations", "99", "-o", str(out)]) == 0
    table = read_result(out, CLINICAL_TOXICITY)
    assert {"all", "donor", "donor_cluster", "taxon_presence", "named_taxon_abundance"} <= set(table["factor"])
    assert table.loc[table["p_value"].notna(), "p_value"].between(0, 1).all()
    untested = table[table["quantity"].str.endswith("_test") & table["p_value"].isna()]
    assert untested["note"].str.startswith("not testable: ").all()
    tested = table.dropna(subset=["p_value", "p_floor"])
    assert (tested["p_value"] >= tested["p_floor"] - 1e-12).all()


# Time


def test_curves_are_those_of_r() -> None:
    data, expected = golden("times"), golden("curves")
    for method, rows in expected.groupby("method"):
        status = data["status"].to_numpy()
        if method == "one_minus_kaplan_meier":
            status = np.where(status == 2, 0, status)
        found = cumulative_incidence(data["time"].to_numpy(dtype=float), status)
        np.testing.assert_array_equal(found["time"], rows["time"])
        np.testing.assert_array_equal(found["at_risk"], rows["at_risk"])
        np.testing.assert_allclose(found["incidence"], rows["incidence"], atol=1e-12)
        np.testing.assert_allclose(found["std_error"], rows["std_error"], atol=1e-10)
        if method == "aalen_johansen":
            there = rows["ci_low"].notna().to_numpy()
            np.testing.assert_allclose(found["ci_low"][there], rows["ci_low"][there], atol=1e-9)
            np.testing.assert_allclose(found["ci_high"][there], rows["ci_high"][there], atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_without_ties_lifelines_gives_the_same(seed: int) -> None:
    from lifelines import AalenJohansenFitter, KaplanMeierFitter

    rng = np.random.default_rng(seed)
    times, status = rng.permutation(30) + 1.0, rng.integers(0, 3, 30)
    if not (status == 1).any():
        return
    found = cumulative_incidence(times, status)
    fitted = AalenJohansenFitter(calculate_variance=False).fit(times, status, event_of_interest=1)
    np.testing.assert_allclose(found["incidence"], fitted.cumulative_density_.iloc[1:, 0], atol=1e-10)
    km = KaplanMeierFitter().fit(times, status == 1)
    alone = cumulative_incidence(times, np.where(status == 1, 1, 0))
    np.testing.assert_allclose(1 - alone["incidence"], km.survival_function_.iloc[1:, 0], atol=1e-10)
    assert (found["incidence"] <= alone["incidence"] + 1e-12).all()


def test_without_censoring_it_is_a_binomial_share() -> None:
    times, status = np.arange(1.0, 11), np.array([1, 2, 1, 2, 2, 1, 2, 1, 2, 2])
    last = cumulative_incidence(times, status).iloc[-1]
    assert last["incidence"] == pytest.approx(0.4)
    assert last["std_error"] == pytest.approx(math.sqrt(0.4 * 0.6 / 10))


def test_the_interval_covers_with_competing_deaths() -> None:
    rng = np.random.default_rng(9)
    a, b, day, trials, inside = 1 / 200, 1 / 300, 150, 300, 0
    truth = a / (a + b) * (1 - math.exp(-(a + b) * day))
    for _ in range(trials):
        event, death, end = (rng.exponential(1 / a, 40), rng.exponential(1 / b, 40), rng.uniform(60, 400, 40))
        times = np.minimum(np.minimum(event, death), end)
        status = np.select([times == event, times == death], [1, 2], 0)
        curve = cumulative_incidence(times, status)
        last = curve[curve["time"] <= day].iloc[-1]
        inside += last["ci_low"] <= truth <= last["ci_high"]
    assert abs(inside / trials - 0.95) < 0.01 + 3 * math.sqrt(0.95 * 0.05 / trials)


def follow_up() -> tuple[pd.DataFrame, pd.DataFrame]:
    subjects = pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d", "e"],
            "cohort": ["x", "x", "x", "y", "y"],
            "os_days": [100.0, 50.0, 80.0, 60.0, np.nan],
            "os_event": pd.array([0, 1, 0, 1, None], dtype="Int64"),
        }
    )
    events = pd.DataFrame({"subject": ["a", "a", "a", "d"], "day": [30, 20, 10, 60], "grade": [4, 3, 2, 5]})
    return subjects, events


def test_time_to_the_first_severe_event_by_hand() -> None:
    subjects, events = follow_up()
    table = time_to_toxicity(subjects, events, by=["cohort"])
    everybody = table[(table["factor"] == "all") & (table["method"] == "aalen_johansen")].set_index("day")
    # a on day 20 (not 10: grade 2; not 30: not the first), b dies on day 50, d has grade 5 on day 60, c is censored.
    assert everybody["incidence"].tolist() == pytest.approx([0, 1 / 4, 1 / 4, 1 / 4 + 1 / 2 * 1 / 2, 1 / 2])
    assert everybody["competing"].to_dict() == {0: 0, 20: 0, 50: 1, 60: 0, 80: 0}
    km = table[(table["factor"] == "all") & (table["method"] == "one_minus_kaplan_meier")].set_index("day")
    assert km["incidence"].tolist() == pytest.approx([0, 1 / 4, 1 / 4, 1 - 3 / 4 * 1 / 2, 1 - 3 / 4 * 1 / 2])
    assert "left out: e" in everybody["note"].iloc[0]
    assert set(table.loc[table["factor"] == "cohort", "group"]) == {"x", "y"}
    assert (everybody["n"] == 4).all()
    graded = subjects.assign(irae_grade=pd.array([4, 0, 3, 5, 0], dtype="Int64"))
    left = time_to_toxicity(graded, events)
    assert "the day of the first event unknown, and left out: c; these had one" in left["note"].iloc[0]
    assert (left["n"] == 3).all()
    no_bounds = table["ci_low"].isna()
    assert table.loc[no_bounds, "note"].str.contains("no interval").all()


def test_severe_events_without_a_day_make_the_curve_too_low_and_it_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subjects, events = follow_up()
    # a has one more severe event, at an unknown day: its first one may be that.
    events = pd.concat([events, pd.DataFrame({"subject": ["a"], "day": [None], "grade": [3]})], ignore_index=True)
    events["day"] = events["day"].astype("Int64")
    write_table(subjects, tmp_path / "s.tsv")
    write_table(events, tmp_path / "t.tsv")
    files = ["--subjects", f"{tmp_path}/s.tsv", "--toxicities", f"{tmp_path}/t.tsv"]
    command = ["clinical", "time-to-toxicity", *files, "--by", "cohort", "-o", f"{tmp_path}/o.tsv"]
    assert main(command) == 0
    assert f"{tmp_path}/t.tsv:6: day: a severe event of subject 'a' has no day" in caplog.text
    table = read_result(tmp_path / "o.tsv", TOXICITY_CURVES)
    table = table[table["method"] == "aalen_johansen"]
    everybody = table[table["factor"] == "all"].set_index("day")
    # b dies on day 50, d has its event on day 60, c is censored on day 80; a is not among them.
    assert everybody["incidence"].to_dict() == pytest.approx({0: 0, 50: 0, 60: 1 / 3, 80: 1 / 3})
    low = "severe, the day of the first event unknown, and left out: a; these had one, so that the share is estimated"
    assert everybody["note"].str.contains(low).all()
    # Only the cohort that a is of lacks it. It has no other severe event, and no curve that would stay at 0.
    cohorts = table[table["factor"] == "cohort"].set_index("group")
    of_a = subjects.set_index("subject")["cohort"]["a"]
    assert cohorts["note"].str.contains(low).groupby(level=0).any().to_dict() == {"x": of_a == "x", "y": of_a == "y"}
    lone = cohorts.loc[[of_a]]
    assert len(lone) == 1
    assert lone["incidence"].isna().all()
    assert lone["note"].iloc[0].startswith("not estimable: no day of a severe event is known; ")
    nobody = time_to_toxicity(subjects.assign(os_days=np.nan, os_event=pd.NA), events.iloc[:0])
    assert nobody["note"].str.startswith("not estimable: nobody has a time; without follow-up").all()
    assert nobody[["n", "at_risk"]].eq(0).all(axis=None)


def test_times_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subjects = pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d"],
            "os_days": [np.nan, 50.0, 10.0, 90.0],
            "os_event": pd.array([1, None, 0, 0], dtype="Int64"),
        }
    )
    events = pd.DataFrame(
        {"subject": ["c", "d"], "day": pd.array([30, None], dtype="Int64"), "grade": pd.array([3, 4], dtype="Int64")}
    )
    with pytest.raises(InputError) as error:
        time_to_toxicity(subjects, events)
    text = str(error.value)
    for word in (
        "'a' has os_event 1 and no os_days",
        "'b' has os_days 50 and no os_event",
        "'c' is on day 30, after os_days 10",
        "toxicities: day: a severe event of subject 'd' has no day",
    ):
        assert word in text
    with pytest.raises(InputError, match="os_days"):
        time_to_toxicity(subjects[["subject"]], events)
    # All at once, the disagreement of the grades among them; no line where the frame is of no file.
    with pytest.raises(InputError) as error:
        time_to_toxicity(subjects.assign(irae_grade=pd.array([0, 0, 5, 4], dtype="Int64")), events)
    assert "subjects: irae_grade: subject 'c' has irae_grade 5, but" in str(error.value)
    assert "'a' has os_event 1 and no os_days" in str(error.value)
    subjects, events = follow_up()
    write_table(subjects, tmp_path / "s.tsv")
    write_table(events, tmp_path / "t.tsv")
    options = ["--subjects", str(tmp_path / "s.tsv"), "--toxicities", str(tmp_path / "t.tsv")]
    assert main(["clinical", "time-to-toxicity", *options, "--by", "cohort", "-o", str(tmp_path / "o.tsv")]) == 0
    assert len(read_result(tmp_path / "o.tsv", TOXICITY_CURVES)) > 10
