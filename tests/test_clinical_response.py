"""Response rates: the trials' intervals and 2 x 2 tables through the command, R's values, mistakes in the tables."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microbiome.cli import main
from microbiome.clinical import clinical_overview, clinical_response
from microbiome.clinical.proportions import (
    chi2_test,
    compare_proportions,
    fisher_test,
    newcombe_interval,
    odds_ratio_interval,
)
from microbiome.clinical.response_tables import ASSESSMENTS, BEST_RESPONSES, CLINICAL, CLINICAL_RESPONSE
from microbiome.errors import InputError
from microbiome.stats.intervals import proportion_interval
from microbiome.tables import SUBJECTS
from microbiome.tsv import read_result, read_table


def table_of(words: Sequence[str | None], **columns: Sequence[object]) -> pd.DataFrame:
    """Subjects S0, S1, ... with these best responses, and any other columns."""
    frame = pd.DataFrame(
        {"subject": [f"S{place}" for place in range(len(words))], "best_response": list(words), **columns}
    )
    return frame.astype({"best_response": object})


def written(folder: Path, frame: pd.DataFrame) -> str:
    path = folder / "subjects.tsv"
    frame.to_csv(path, sep="\t", index=False)
    return str(path)


def command(*arguments: str) -> int:
    return main(["clinical", *arguments])


def row_of(table: pd.DataFrame, quantity: str, group: str = "all", **cells: object) -> pd.Series:
    chosen = table["quantity"].eq(quantity) & table["group"].eq(group)
    for name, value in (cells or {"measure": "proportion"}).items():
        chosen &= table[name].eq(value)
    assert chosen.sum() == 1, (quantity, group, cells)
    return table[chosen].iloc[0]


LUMINATE_NSCLC = ["PR"] * 16 + ["SD"] * 3 + ["PD"]
LUMINATE_MELANOMA = ["CR"] * 5 + ["PR"] * 10 + ["PD"] * 5
THIRTEEN = ["PR"] * 13 + ["SD"] * 2 + ["PD"] * 5
PERFORM = ["CR"] + ["PR"] * 8 + ["SD"] * 5 + ["PD"] * 4


@pytest.mark.parametrize(
    ("words", "quantity", "events", "n", "low", "high"),
    [
        (LUMINATE_NSCLC, "orr", 16, 20, 56.3, 94.3),
        (LUMINATE_MELANOMA, "orr", 15, 20, 50.9, 91.3),
        (LUMINATE_NSCLC, "dcr", 19, 20, 75.1, 99.9),
        (THIRTEEN, "orr", 13, 20, 40.8, 84.6),
        (LUMINATE_NSCLC, "SD", 3, 20, 3.2, 37.9),
        (LUMINATE_NSCLC, "CR", 0, 20, 0.0, 16.8),
        (PERFORM, "orr", 9, 18, 26.0, 74.0),
        (PERFORM, "clinical_benefit", 12, 18, 41.0, 86.7),
    ],
)
def test_the_intervals_of_the_trials(
    words: list[str], quantity: str, events: int, n: int, low: float, high: float, tmp_path: Path
) -> None:
    # Of the five SD of PERFORM three lasted six months or more.
    days = [400.0] * 9 + [183.0, 200.0, 300.0, 182.0, 90.0] + [50.0] * 4 if words is PERFORM else [300.0] * n
    subjects = table_of(words, pfs_days=days, pfs_event=[1] * n)
    out = tmp_path / "out.tsv"
    assert command("response", "--subjects", written(tmp_path, subjects), "-o", str(out)) == 0
    row = row_of(read_result(out, CLINICAL_RESPONSE), quantity)
    assert row[["method", "events", "n", "level", "criteria"]].tolist() == [
        "clopper_pearson",
        events,
        n,
        0.95,
        "best_response",
    ]
    assert (round(100 * row["ci_low"], 1), round(100 * row["ci_high"], 1)) == (low, high)
    assert row["estimate"] == events / n


def test_the_two_by_two_table_of_perform(tmp_path: Path) -> None:
    # Grade 3 or more in 1 of 9 responders and 8 of 9 others: response in 1 of 9 with it and 8 of 9 without.
    words = ["PR"] + ["SD"] * 8 + ["PR"] * 8 + ["PD"]
    subjects = table_of(words, grade_3=["yes"] * 9 + ["no"] * 9)
    out = tmp_path / "out.tsv"
    assert command("response", "--subjects", written(tmp_path, subjects), "--by", "grade_3", "-o", str(out)) == 0
    table = read_result(out, CLINICAL_RESPONSE)
    pair = {"group": "yes", "reference": "no", "by": "grade_3"}
    tests = {
        name: row_of(table, "orr", **pair, measure="test", method=name)
        for name in ("fisher_exact", "chi2", "chi2_yates")
    }
    for row in tests.values():
        assert row[["n", "events", "n_reference", "events_reference"]].tolist() == [9, 1, 9, 8]
    assert tests["fisher_exact"]["p_value"] == pytest.approx(0.00337, abs=5e-6)
    assert tests["chi2"][["statistic", "df"]].tolist() == [pytest.approx(10.89, abs=5e-3), 1]
    assert tests["chi2"]["p_value"] == pytest.approx(0.00097, abs=5e-6)
    # What the trial reported as chi-squared without saying so.
    assert tests["chi2_yates"][["statistic", "p_value"]].tolist() == [
        pytest.approx(8.0),
        pytest.approx(0.005, abs=5e-4),
    ]
    difference = row_of(table, "orr", **pair, measure="risk_difference")
    assert difference["method"] == "newcombe"
    assert difference["estimate"] == pytest.approx(-7 / 9)
    ratio = row_of(table, "orr", **pair, measure="odds_ratio")
    assert ratio["method"] == "conditional_exact"
    assert ratio["estimate"] == pytest.approx(0.0245, abs=1e-4)
    assert tests["fisher_exact"]["p_floor"] == pytest.approx(2 / math.comb(18, 9))


def test_proportions_equal_those_of_r(golden: Path) -> None:
    for row in pd.read_csv(golden / "response_proportions.tsv", sep="\t").itertuples():
        found = proportion_interval(row.events, row.n, row.method, row.level)
        assert [found.low, found.high] == pytest.approx([row.low, row.high], rel=1e-9, abs=1e-12), row


def test_differences_equal_those_of_r(golden: Path) -> None:
    for row in pd.read_csv(golden / "response_differences.tsv", sep="\t").itertuples():
        counts = (row.events, row.n, row.events_reference, row.n_reference)
        difference = newcombe_interval(*counts, level=row.level)
        assert [difference.estimate, difference.low, difference.high] == pytest.approx(
            [row.difference, row.difference_low, row.difference_high], abs=1e-10
        )
        ratio = odds_ratio_interval(*counts, level=row.level)
        ours = [ratio.estimate, ratio.low, ratio.high]
        assert ours == pytest.approx([row.odds_ratio, row.odds_ratio_low, row.odds_ratio_high], rel=1e-9)
        # fisher.test itself stops its search at 1e-4, of the odds ratio or of its inverse.
        for mine, theirs in zip(ours, [row.r_odds_ratio, row.r_odds_ratio_low, row.r_odds_ratio_high], strict=True):
            assert mine == pytest.approx(theirs, abs=2e-4 * max(1, mine**2 if mine < math.inf else 1))
        assert fisher_test(*counts)[0] == pytest.approx(row.fisher_exact, rel=1e-9)
        for corrected, statistic, p in (
            (False, row.chi2_statistic, row.chi2),
            (True, row.chi2_yates_statistic, row.chi2_yates),
        ):
            assert chi2_test(*counts, corrected=corrected)[:2] == pytest.approx((statistic, p), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_own_examples(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    # Table II of the paper, method 10.
    found = newcombe_interval(*counts)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


_COUNTS = st.tuples(st.integers(1, 25), st.integers(1, 25)).flatmap(
    lambda sizes: st.tuples(st.integers(0, sizes[0]), st.just(sizes[0]), st.integers(0, sizes[1]), st.just(sizes[1]))
)


@given(_COUNTS)
def test_fishers_test_against_its_definition(counts: tuple[int, int, int, int]) -> None:
    a, n, b, m = counts
    total = a + b
    weight = {k: math.comb(n, k) * math.comb(m, total - k) for k in range(max(0, total - m), min(n, total) + 1)}
    p_value, p_floor = fisher_test(*counts)
    if total in (0, n + m):
        assert math.isnan(p_value)
        assert math.isnan(p_floor)
        return

    def p(k: int) -> float:
        return sum(w for w in weight.values() if w <= weight[k]) / sum(weight.values())

    assert p_value == pytest.approx(p(a))
    assert p_floor == pytest.approx(min(p(k) for k in weight))
    assert p_floor <= p_value + 1e-12


@given(_COUNTS)
def test_the_other_way_round(counts: tuple[int, int, int, int]) -> None:
    a, n, b, m = counts
    forth, back = newcombe_interval(a, n, b, m), newcombe_interval(b, m, a, n)
    assert [forth.estimate, forth.low, forth.high] == pytest.approx([-back.estimate, -back.high, -back.low])
    assert forth.low <= forth.estimate <= forth.high
    ratio, other = odds_ratio_interval(a, n, b, m), odds_ratio_interval(b, m, a, n)
    if 0 < ratio.estimate < math.inf:
        assert ratio.estimate == pytest.approx(1 / other.estimate, rel=1e-6)
    assert fisher_test(a, n, b, m) == pytest.approx(fisher_test(b, m, a, n), nan_ok=True)


def test_all_five_comparisons_are_there_whatever_the_counts() -> None:
    methods = ["newcombe", "conditional_exact", "fisher_exact", "chi2", "chi2_yates"]
    for counts, words in (
        ((0, 5, 0, 7), "nobody has it"),
        ((5, 5, 7, 7), "everybody has it"),
        ((0, 0, 3, 7), "no subject"),
    ):
        found = compare_proportions(*counts)
        assert [one.method for one in found] == methods
        assert all(words in one.note and one.note.startswith("not testable: ") for one in found[2:])
        assert all(math.isnan(one.p_value) for one in found)
        assert words in found[1].note
    with pytest.raises(ValueError, match="6 of 5 is no proportion"):
        compare_proportions(6, 5, 0, 3)


def test_bounds_that_are_infinite_are_words() -> None:
    words = ["PR"] * 5 + ["PD"] * 7
    table = clinical_response(table_of(words, arm=["fmt"] * 5 + ["placebo"] * 7))
    row = row_of(table, "orr", "fmt", measure="odds_ratio")
    assert pd.isna(row["estimate"])
    assert pd.isna(row["ci_high"])
    assert row["ci_low"] == pytest.approx(3.388, abs=1e-3)
    assert row["note"] == "the odds ratio is infinite"


def test_wilson_on_request_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    path = written(tmp_path, table_of(LUMINATE_NSCLC))
    assert command("response", "--subjects", path, "--interval", "wilson", "--level", "0.9", "-o", str(out)) == 0
    row = row_of(read_result(out, CLINICAL_RESPONSE), "orr")
    z, p, n = 1.6448536269514722, 0.8, 20
    centre, half = p + z * z / 2 / n, z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    assert row[["method", "level"]].tolist() == ["wilson", 0.9]
    assert row["ci_low"] == pytest.approx((centre - half) / (1 + z * z / n))
    assert row["ci_high"] == pytest.approx((centre + half) / (1 + z * z / n))


def test_what_cannot_be_evaluated_is_in_the_denominator_unless_asked_otherwise() -> None:
    subjects = table_of(["PR"] * 4 + ["SD"] * 2 + ["PD"] * 2 + ["NE"] * 2 + [None] * 3)
    everybody, evaluable = clinical_response(subjects), clinical_response(subjects, evaluable=True)
    assert row_of(everybody, "orr")[["events", "n", "n_not_evaluable", "denominator"]].tolist() == [4, 10, 2, "all"]
    assert row_of(evaluable, "orr")[["events", "n", "n_not_evaluable", "denominator"]].tolist() == [
        4,
        8,
        2,
        "evaluable",
    ]
    assert row_of(everybody, "NE")["events"] == 2
    assert (
        row_of(evaluable, "NE")["note"]
        == "left out of the denominator; 3 without best response not counted (donors may be among them)"
    )
    assert pd.isna(row_of(evaluable, "NE")["estimate"])


def test_subjects_without_a_response_are_named_and_not_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, table_of(["PR", "PD", None]))
    assert command("response", "--subjects", path, "-o", str(tmp_path / "out.tsv")) == 0
    assert "subjects without best response are not counted: S2" in caplog.text


def test_the_table_says_who_is_not_counted() -> None:
    words = ["PR", "PD", "SD", None, None, None]
    arms = ["fmt", "placebo", None, "fmt", "sham", None]
    table = clinical_response(table_of(words, arm=arms, pfs_days=[300.0] * 6))
    everybody = row_of(table, "orr")
    assert everybody[["n", "events", "n_missing"]].tolist() == [3, 1, 3]
    assert everybody["note"] == "3 without best response not counted (donors may be among them)"
    fmt = row_of(table, "orr", "fmt")
    assert fmt[["n", "n_missing"]].tolist() == [1, 1]
    left = "no response known of any of 1 of sham; 1 without arm in no group"
    assert fmt["note"] == f"1 without best response not counted (donors may be among them); {left}"
    assert row_of(table, "orr", "placebo")["note"] == left
    pair = row_of(table, "orr", "placebo" if "placebo" in set(table["group"][table["measure"].eq("test")]) else "fmt",
                  measure="test", method="fisher_exact")  # fmt: skip
    assert pair["n_missing"] == 1


def test_donors_are_told_by_the_samples_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, table_of(["PR", "PD", None, None], sex=["f", "m", "m", "f"]))
    (tmp_path / "samples.tsv").write_text("sample\tsubject\trole\tday\nd\tS2\tdonor\t\nr\tS3\trecipient\t0\n")
    out = str(tmp_path / "out.tsv")
    options = ["response", "--subjects", path, "--samples", str(tmp_path / "samples.tsv"), "--by", "sex", "-o", out]
    assert command(*options) == 0
    table = read_result(out, CLINICAL_RESPONSE)
    assert row_of(table, "orr")[["n", "n_missing"]].tolist() == [2, 1]
    assert row_of(table, "orr")["note"] == "1 without best response not counted"
    assert row_of(table, "orr", "m")[["n", "n_missing"]].tolist() == [1, 0]
    assert "not counted: S3 (" in caplog.text


def test_responder_alone_gives_the_objective_response_rate_and_says_what_it_cannot_give(tmp_path: Path) -> None:
    subjects = pd.DataFrame({"subject": list("ABCDE"), "responder": ["yes", "no", "yes", "no", None]})
    table = clinical_response(subjects)
    row = row_of(table, "orr")
    assert row[["n", "events", "n_missing", "criteria"]].tolist() == [4, 2, 1, "responder"]
    expected = proportion_interval(2, 4, "clopper_pearson")
    assert (row["estimate"], row["ci_low"], row["ci_high"]) == (0.5, expected.low, expected.high)
    for quantity in ("dcr", "clinical_benefit", "CR", "PD", "NE"):
        other = row_of(table, quantity)
        assert other["note"].startswith("not available: only responder is known, not best_response")
        assert other[["estimate", "events", "ci_low"]].isna().all()
    path = written(tmp_path, subjects)
    assert command("response", "--subjects", path, "-o", str(tmp_path / "out.tsv")) == 0
    assert main(["clinical", "--subjects", path, "-o", str(tmp_path / "all.tsv")]) == 0
    overview = read_result(tmp_path / "all.tsv", CLINICAL)
    assert overview.loc[overview["quantity"].eq("orr"), "events"].tolist() == [2]


def test_responder_where_best_response_is_empty_counts_for_the_objective_response_rate_only() -> None:
    words = ["PR", "SD", None, None]
    table = clinical_response(table_of(words, responder=["yes", "no", "yes", "no"], pfs_days=[300.0] * 4))
    assert row_of(table, "orr")[["n", "events"]].tolist() == [4, 2]
    assert row_of(table, "orr")["note"] == "2 without best_response counted by responder"
    assert row_of(table, "dcr")[["n", "events"]].tolist() == [2, 2]
    assert row_of(table, "dcr")["note"] == "2 without best_response known as responder yes or no only and not counted"


def test_responder_that_contradicts_best_response_is_said(caplog: pytest.LogCaptureFixture) -> None:
    table = clinical_response(table_of(["PD", "CR", "SD"], responder=["yes", "no", "no"]))
    assert "responder is not what best_response says of S0, S1: best_response counts" in caplog.text
    assert row_of(table, "orr")["note"] == "responder is not what best_response says of 2: best_response counts"
    with pytest.raises(InputError, match="responder 'maybe'; use one of yes, no"):
        clinical_response(table_of(["PD"], responder=["maybe"]))


def test_one_group_keeps_rows_of_the_tests() -> None:
    table = clinical_response(table_of(["PR", "PD"], arm=["fmt", "fmt"], cohort=pd.Series([None, None], dtype=object)),
                              by=["arm", "cohort"])  # fmt: skip
    tests = table[table["measure"].eq("test")]
    assert len(tests) == 2 * 3 * 3
    assert set(tests.loc[tests["by"].eq("arm"), "note"]) == {"not testable: one group (fmt)"}
    assert tests.loc[tests["by"].eq("arm"), "n"].eq(2).all()
    assert (
        tests.loc[tests["by"].eq("cohort"), "note"]
        .str.startswith("not testable: no subject has a value of cohort")
        .all()
    )
    assert tests["p_value"].isna().all()


def test_clinical_benefit_needs_stable_disease_that_lasted() -> None:
    words = ["CR", "SD", "SD", "SD", "SD", "PD"]
    days = [10.0, 183.0, 182.0, 100.0, None, 20.0]
    subjects = table_of(words, pfs_days=days, pfs_event=[1, 0, 1, 0, None, 1])
    row = row_of(clinical_response(subjects), "clinical_benefit")
    assert row[["events", "n", "benefit_days"]].tolist() == [2, 6, 183]
    # Followed for 100 days without progression, or not known at all; progression on day 182 is known.
    assert row["note"] == "2 with SD not known to have lasted 183 days count as without benefit"
    row = row_of(clinical_response(subjects, benefit_days=90), "clinical_benefit")
    assert row[["events", "n", "benefit_days"]].tolist() == [4, 6, 90]
    row = row_of(clinical_response(subjects, evaluable=True), "clinical_benefit")
    assert row[["events", "n"]].tolist() == [2, 4]
    unknown = row_of(clinical_response(subjects.drop(columns="pfs_days").replace("CR", "PD")), "clinical_benefit")
    assert unknown["note"] == "how long SD lasted is known of none of 4 subjects with SD"
    assert pd.isna(unknown["estimate"])
    assert pd.isna(unknown["events"])


def test_groups_by_any_column_with_their_reference() -> None:
    words = ["PR", "PD", "PR", "SD", "NE", "PR"]
    subjects = table_of(words, arm=["fmt", "placebo"] * 3, cohort=["a", "b", "c", "a", "b", None])
    table = clinical_response(subjects, by=["arm", "cohort"])
    assert table["by"].isna().sum() == 8
    pairs = table[table["reference"].notna()][["by", "group", "reference"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["arm", "fmt", "placebo"], ["cohort", "b", "a"], ["cohort", "c", "a"], ["cohort", "c", "b"]]
    assert len(table) == 8 * (1 + 2 + 3) + 3 * 5 * (1 + 3)
    tests = table[table["measure"].eq("test")]
    assert tests.loc[tests["by"].eq("arm"), "q_value"].isna().all()
    for _, family in tests[tests["by"].eq("cohort")].groupby(["quantity", "method"]):
        ordered = family["p_value"].dropna().sort_values()
        by_hand = (ordered * len(ordered) / range(1, len(ordered) + 1))[::-1].cummin().reindex(family.index)
        assert family["q_value"].tolist() == pytest.approx(by_hand.tolist(), nan_ok=True)
    first = clinical_response(subjects, group_order=["fmt"])
    assert first["reference"].dropna().unique().tolist() == ["fmt"]
    assert set(clinical_response(subjects, by=[])["group"]) == {"all"}
    among = clinical_response(subjects, among={"cohort": "a"})
    assert row_of(among, "orr")["n"] == 2
    assert not table.duplicated(list(CLINICAL_RESPONSE.key)).any()


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["CR", "PR", "SD", "PD", "NE"]), min_size=1, max_size=12))
def test_counts_against_counting(words: list[str]) -> None:
    table = clinical_response(table_of(words))
    assert row_of(table, "orr")["events"] == sum(word in ("CR", "PR") for word in words)
    assert row_of(table, "dcr")["events"] == sum(word in ("CR", "PR", "SD") for word in words)
    assert sum(row_of(table, word)["events"] for word in ("CR", "PR", "SD", "PD", "NE")) == len(words)
    assert set(table["n"]) == {len(words)}


LESIONS = """subject\tday\tsum_diameters\tnew_lesion\tnon_target
S0\t-7\t100\t\t
S0\t56\t60\t0\t
S0\t112\t60\t0\t
S1\t0\t100\t\t
S1\t56\t130\t0\t
S1\t112\t50\t0\t
S2\t0\t\t\tnon_CR_non_PD
S2\t60\t\t0\tnon_CR_non_PD
S2\t200\t\t0\tnon_CR_non_PD
S3\t0\t50\t\t
S3\t56\t30\t0\t
"""


def test_responses_from_lesions_through_the_command(tmp_path: Path) -> None:
    path = written(tmp_path, table_of(["PR", "PD", "SD", "PR", "NE", None]))
    lesions, out = tmp_path / "lesions.tsv", tmp_path / "out.tsv"
    lesions.write_text(LESIONS)
    base = ["response", "--subjects", path, "--lesions", str(lesions), "-o", str(out)]
    more = ["--assessments", str(tmp_path / "a.tsv"), "--best", str(tmp_path / "b.tsv")]
    assert command(*base, *more) == 0
    table = read_result(out, CLINICAL_RESPONSE)
    assert row_of(table, "orr")[["events", "n", "criteria"]].tolist() == [2, 5, "recist_1_1"]
    # S2 has no target lesions: non_CR_non_PD until day 200 is disease control and benefit.
    assert row_of(table, "dcr")["events"] == 3
    assert row_of(table, "clinical_benefit")["events"] == 3
    assert row_of(table, "NE")["events"] == 1
    assert len(read_result(tmp_path / "a.tsv", ASSESSMENTS)) == 11
    best = read_result(tmp_path / "b.tsv", BEST_RESPONSES).set_index("subject")
    assert best["best_response"].to_dict() == {"S0": "PR", "S1": "PD", "S2": "non_CR_non_PD", "S3": "PR", "S4": "NE"}
    assert best["agrees"].tolist() == [1, 1, 1, 1, 1]

    assert command(*base, "--confirmed") == 0
    row = row_of(read_result(out, CLINICAL_RESPONSE), "orr")
    assert row[["events", "criteria"]].tolist() == [1, "recist_1_1_confirmed"]
    assert command(*base, "--criteria", "irecist") == 0
    row = row_of(read_result(out, CLINICAL_RESPONSE), "orr")
    assert row[["events", "criteria"]].tolist() == [3, "irecist"]
    assert command(*base, *more, "--criteria", "given") == 0
    row = row_of(read_result(out, CLINICAL_RESPONSE), "orr")
    assert row[["events", "n", "criteria"]].tolist() == [2, 5, "best_response"]
    assert set(read_result(tmp_path / "b.tsv", BEST_RESPONSES)["criteria"]) == {"recist_1_1"}
    assert command(*base, "--benefit-days", "201") == 0
    row = row_of(read_result(out, CLINICAL_RESPONSE), "clinical_benefit")
    assert row[["events", "note"]].tolist() == [
        2,
        "1 with SD not known to have lasted 201 days count as without benefit; "
        "1 without best response not counted (donors may be among them)",
    ]


SUBJECTS_TEXT = "subject\tarm\tbest_response\tpfs_days\tpfs_event\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A\tfmt\tPR\t10\t1\nA\tfmt\tPD\t9\t1\n", ":3: subject: subject 'A' stands already in line 2; keep one row"),
        ("A\tfmt\tresponse\t10\t1\n", ":2: best_response: 'response' is not allowed; use one of CR, PR, SD, PD, NE"),
        ("A\tfmt\tpr\t10\t1\n", ":2: best_response: 'pr' is not allowed"),
        ("A\tfmt\tSD\t-10\t1\n", ":2: pfs_days: -10 is out of range; it must be at least 0"),
        ("A\tfmt\tSD\t10\t2\n", ":2: pfs_event: '2' is not 0 or 1"),
        ("A\tfmt\t\t10\t1\n", "no subject has a best response; fill best_response"),
    ],
)
def test_mistakes_in_the_subjects(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "subjects.tsv"
    path.write_text(SUBJECTS_TEXT + text)
    assert command("response", "--subjects", str(path)) == 2
    found = capsys.readouterr()
    assert message in found.err
    assert found.err.count("error:") == 1
    assert found.out == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S0\t0\t-5\t0\t\n", ":2: sum_diameters: -5 is out of range; it must be at least 0"),
        ("S0\t0\t50\t0\t\nS0\t0\t40\t0\t\n", " stands already in line 2; keep one row"),
        ("S0\t0\t50\t0\tstable\n", ":2: non_target: 'stable' is not allowed"),
        (
            "SO\t0\t50\t0\t\nSO\t60\t40\t0\t\n",
            ":2: subject: subject 'SO' is not in the subjects table; add a row there",
        ),
        ("S0\t0\t50\t1\t\n", ":2: new_lesion: subject 'S0' has a new lesion at baseline"),
        ("S0\tweek 8\t50\t0\t\n", ":2: day: 'week 8' is not an integer"),
    ],
)
def test_mistakes_in_the_lesions(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, lesions = written(tmp_path, table_of(["PR", "PD"])), tmp_path / "lesions.tsv"
    lesions.write_text("subject\tday\tsum_diameters\tnew_lesion\tnon_target\n" + text)
    assert command("response", "--subjects", path, "--lesions", str(lesions)) == 2
    found = capsys.readouterr().err
    assert message in found
    assert found.count("error:") == 1


def test_an_empty_lesions_table_is_no_measurement_of_anybody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, table_of(["PR", "PD"]))
    (tmp_path / "lesions.tsv").write_text("subject\tday\tsum_diameters\n")
    assert command("response", "--subjects", path, "--lesions", str(tmp_path / "lesions.tsv")) == 2
    assert "lesions.tsv: the lesions table has no rows" in capsys.readouterr().err


def test_two_tables_are_never_written_to_one_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, table_of(["PR", "PD"]))
    (tmp_path / "lesions.tsv").write_text("subject\tday\tsum_diameters\nS0\t0\t50\nS0\t60\t20\n")
    both = ["response", "--subjects", path, "--lesions", str(tmp_path / "lesions.tsv")]
    assert command(*both, "--best", "-") == 2
    assert "two tables would go to standard output" in capsys.readouterr().err
    assert command(*both, "-o", str(tmp_path / "x.tsv"), "--best", f"{tmp_path}/./x.tsv") == 2
    assert not (tmp_path / "x.tsv").exists()


def test_messages_name_the_file_that_was_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, pd.DataFrame({"subject": ["A"], "arm": ["fmt"]}))
    assert command("response", "--subjects", path) == 2
    assert f"error: {path}: best_response: column 'best_response' is missing" in capsys.readouterr().err
    assert main(["clinical", "--subjects", path]) == 2
    assert f"error: {path}: the subjects table has neither" in capsys.readouterr().err


def test_a_column_that_is_not_there_has_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                                    caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    path = written(tmp_path, table_of(["PR", "PD"]))
    assert command("response", "--subjects", path, "--by", "cohort") == 2
    assert capsys.readouterr().err.count("cohort") == 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--by", "cohrt"], "the subjects table has no column 'cohrt' (did you mean 'cohort'?)"),
        (["--by", "best_response"], "'best_response' is the response itself"),
        (["--by", "cohort", "--group-order", "z"], "there is no group 'z'; the groups are a, b"),
        (["--level", "95"], "level 95 is not between 0 and 1"),
        (["--benefit-days", "-1"], "-1 benefit days"),
        (["--among", "cohort=c"], "no subject with a best response has cohort=c"),
        (["--best", "x.tsv"], "--best needs lesions; give --lesions"),
        (["--criteria", "irecist"], "--criteria irecist needs lesions; give --lesions"),
        (["--confirmed"], "--confirmed needs lesions; give --lesions"),
    ],
)
def test_options_that_cannot_be(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, table_of(["PR", "PD"], cohort=["a", "b"]))
    assert command("response", "--subjects", path, *options) == 2
    assert message in capsys.readouterr().err


def test_frames_that_did_not_come_from_a_file_are_checked_too() -> None:
    twice = table_of(["PR", "PD"]).assign(subject="A")
    with pytest.raises(InputError, match="subject 'A' stands already"):
        clinical_response(twice)
    with pytest.raises(InputError, match="best_response 'maybe'; use one of CR"):
        clinical_response(table_of(["maybe"]))
    with pytest.raises(InputError, match="subject 'S0' has pfs_days x") as error:
        clinical_response(table_of(["PR", "SD"], pfs_days=["x", -1], pfs_event=["y", 1]))
    assert len(error.value.problems) == 3
    clinical_response(table_of(["PR", "SD"], pfs_days=[10, 20], pfs_event=[True, False]))
    with pytest.raises(InputError, match=r"'best_response' is missing; add it \(or responder"):
        clinical_response(table_of(["PR"]).drop(columns="best_response"))
    with pytest.raises(InputError, match="a group of 'arm' is called 'all'"):
        clinical_response(table_of(["PR"], arm=["all"]))
    with pytest.raises(InputError) as caught:
        clinical_response(table_of(["maybe", "PR"], pfs_days=[1.0, -1.0]), interval="wald", level=2)
    assert len(caught.value.problems) == 4


def test_inputs_are_not_changed() -> None:
    subjects = table_of(PERFORM, arm=["fmt", "placebo"] * 9)
    before = subjects.copy()
    clinical_response(subjects)
    pd.testing.assert_frame_equal(subjects, before)


# --- microbiome clinical, without a subcommand


def trial(arms: bool = True) -> pd.DataFrame:
    days = [float(100 + 30 * place) for place in range(18)]
    frame = table_of(
        PERFORM,
        pfs_days=days,
        pfs_event=[1] * 12 + [0] * 6,
        os_days=[day + 200 for day in days],
        os_event=[1, 0] * 9,
    )
    return frame.assign(arm=["fmt", "placebo"] * 9) if arms else frame


def test_the_command_alone_tells_response_and_survival(tmp_path: Path) -> None:
    out, path = tmp_path / "out.tsv", written(tmp_path, trial())
    assert command("--subjects", path, "-o", str(out)) == 0
    table = read_result(out, CLINICAL)
    assert table["group"].unique().tolist() == ["all", "placebo", "fmt"]
    for endpoint, quantities in (
        ("response", ["orr", "dcr", "clinical_benefit"]),
        ("pfs", ["median", "survival"]),
        ("os", ["median", "survival"]),
    ):
        own = table[table["endpoint"].eq(endpoint)]
        for _, rows in own.groupby("group"):
            assert rows["quantity"].tolist() == quantities
    assert table["method"].notna().all()
    assert set(table["level"]) == {0.95}
    row = table[table["endpoint"].eq("response") & table["group"].eq("all") & table["quantity"].eq("orr")].iloc[0]
    assert row[["n", "events", "unit", "method"]].tolist() == [18, 9, "fraction", "clopper_pearson"]
    assert (round(row["ci_low"], 3), round(row["ci_high"], 3)) == (0.260, 0.740)
    survival = table[table["endpoint"].eq("pfs") & table["group"].eq("all")].set_index("quantity")
    # Events on days 100, 130, ...: half of the 18 are left from day 340 to 370, and the median is between (as in R).
    assert survival.loc["median", ["n", "events", "estimate", "unit"]].tolist() == [18, 12, 355, "days"]
    assert survival.loc["survival", ["time", "unit"]].tolist() == [365, "fraction"]
    assert survival.loc["survival", "estimate"] == pytest.approx(0.5)
    assert not table.duplicated(list(CLINICAL.key)).any()


def test_its_options(tmp_path: Path) -> None:
    out, path = tmp_path / "out.tsv", written(tmp_path, trial().assign(cohort=["x"] * 9 + ["y"] * 9))
    options = ["--by", "cohort", "--interval", "wilson", "--landmark", "200", "400", "--level", "0.9"]
    assert command("--subjects", path, *options, "--output", str(out)) == 0
    table = read_result(out, CLINICAL)
    assert table["by"].dropna().unique().tolist() == ["cohort"]
    assert set(table.loc[table["endpoint"].eq("response"), "method"]) == {"wilson"}
    assert sorted(table["time"].dropna().unique()) == [200, 400]
    assert set(table["level"]) == {0.9}


def test_what_is_not_in_the_table_has_a_row_that_says_so() -> None:
    table = clinical_overview(trial(arms=False).drop(columns=["best_response", "os_days", "os_event"]))
    assert table["endpoint"].tolist() == ["response", "pfs", "pfs", "os"]
    notes = table.set_index("endpoint")["note"]
    assert notes["response"] == "the subjects table has neither best_response nor responder"
    assert notes["os"] == "the subjects table has neither os_days nor os_event"
    with pytest.raises(InputError, match="neither response nor survival"):
        clinical_overview(pd.DataFrame({"subject": ["A"], "arm": ["fmt"]}))
    bad = trial(arms=False).assign(best_response="who", pfs_event=7)
    with pytest.raises(InputError) as caught:
        clinical_overview(bad)
    assert {problem.column for problem in caught.value.problems} >= {"best_response", "pfs_event"}


def test_options_before_a_subcommand_are_refused_not_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, table_of(["PR", "PD"]))
    with pytest.raises(SystemExit) as caught:
        command("-o", str(tmp_path / "lost.tsv"), "response", "--subjects", path)
    assert caught.value.code == 2
    assert "--output stands before the subcommand 'response'; write its options after it" in capsys.readouterr().err
    assert command() == 2
    assert "`microbiome clinical` needs --subjects, or a subcommand" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command("respons", "--subjects", path)
    assert "invalid choice: 'respons'" in capsys.readouterr().err


def test_own_options_cannot_be_overwritten_by_a_subcommand() -> None:
    from microbiome.cli import clinical

    parser = argparse.ArgumentParser()
    clinical.add(parser.add_subparsers())
    arguments = parser.parse_args(["clinical", "response", "--subjects", "s.tsv", "--level", "0.9"])
    assert (arguments.subjects, arguments.level, arguments.clinical_subjects) == ("s.tsv", 0.9, None)
    arguments = parser.parse_args(["clinical", "--subjects", "s.tsv", "--level", "0.9"])
    assert (arguments.clinical_subjects, arguments.clinical_level) == ("s.tsv", 0.9)
    assert not hasattr(arguments, "subjects")


def test_help_does_not_wait_for_libraries() -> None:
    code = (
        "import argparse, sys; from microbiome.cli import clinical\n"
        "parser = argparse.ArgumentParser(); clinical.add(parser.add_subparsers())\n"
        "parser.parse_args(['clinical', 'response', '--subjects', 'subjects.tsv'])\n"
        "print([name for name in ('pandas', 'scipy', 'lifelines', 'skbio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_subjects_table_of_a_file_gives_the_same_as_a_frame(tmp_path: Path) -> None:
    frame = trial()
    read = read_table(written(tmp_path, frame), SUBJECTS)
    pd.testing.assert_frame_equal(clinical_response(read), clinical_response(frame))
