"""RECIST 1.1 from lesions: the tables of the guideline written out, its bounds, and what a course of lesions gives."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microbiome.clinical import Rules, assess, best_responses
from microbiome.clinical.best import Best, best_overall
from microbiome.clinical.lesions import Visit, lesion_problems, visits_of
from microbiome.clinical.recist import judge, overall_response, target_response
from microbiome.clinical.response_tables import ASSESSMENTS, BEST_RESPONSES, RESPONSES
from microbiome.errors import InputError
from microbiome.tables import LESIONS
from microbiome.tsv import read_result, read_table, write_table

CONFIRMED = Rules(confirmed=True)

# Table 1 of RECIST 1.1, target and other lesions, read from the top; None is "no such lesions", * is any.
TABLE_1 = [
    ("*", "*", True, "PD"),
    ("PD", "*", "*", "PD"),
    ("*", "PD", "*", "PD"),
    ("CR", ("CR", None), False, "CR"),
    ("CR", ("non_CR_non_PD", "NE"), False, "PR"),
    ("PR", ("CR", "non_CR_non_PD", "NE", None), False, "PR"),
    ("SD", ("CR", "non_CR_non_PD", "NE", None), False, "SD"),
    ("NE", ("CR", "non_CR_non_PD", "NE", None), False, "NE"),
]
# Table 2: other lesions only.
TABLE_2 = [
    (None, "*", True, "PD"),
    (None, "PD", False, "PD"),
    (None, "CR", False, "CR"),
    (None, "non_CR_non_PD", False, "non_CR_non_PD"),
    (None, ("NE", None), False, "NE"),
]


def looked_up(*cells: object) -> str:
    for *pattern, response in TABLE_2 if cells[0] is None else TABLE_1:
        if all(
            want == "*" or cell == want or (isinstance(want, tuple) and cell in want)
            for cell, want in zip(cells, pattern, strict=True)
        ):
            return str(response)
    raise AssertionError(cells)


def test_the_overall_response_is_that_of_tables_1_and_2() -> None:
    targets = ("CR", "PR", "SD", "PD", "NE", None)
    others = ("CR", "non_CR_non_PD", "PD", "NE", None)
    for cells in itertools.product(targets, others, (False, True)):
        assert overall_response(*cells) == looked_up(*cells), cells


@pytest.mark.parametrize(
    ("total", "baseline", "nadir", "response"),
    [
        (70.0, 100.0, 100.0, "PR"),  # 30 % exactly
        (70.07, 100.1, 100.1, "PR"),  # 30 % exactly, which binary fractions miss
        (70.08, 100.1, 100.1, "SD"),
        (29.4, 42.0, 42.0, "PR"),
        (30.0, 50.0, 25.0, "PD"),  # 20 % and 5 mm exactly
        (29.9, 50.0, 25.0, "PR"),
        (28.8, 50.0, 24.0, "PR"),  # 20 %, but 4.8 mm
        (29.0, 40.0, 24.0, "PD"),  # more than 20 %, 5 mm
        (24.3, 30.0, 19.3, "PD"),  # 5 mm exactly, which binary fractions miss
        (119.9, 100.0, 100.0, "SD"),  # 19.9 mm, but 19.9 %
        (120.0, 100.0, 100.0, "PD"),
        (60.0, 100.0, 40.0, "PD"),  # PR against baseline, PD against the nadir
        (0.0, 100.0, 40.0, "CR"),
        (4.0, 100.0, 0.0, "PR"),  # target lesions were gone (others not): less than 5 mm
        (5.0, 100.0, 0.0, "PD"),
        (None, 100.0, 40.0, "NE"),
    ],
)
def test_target_lesions(total: float | None, baseline: float, nadir: float, response: str) -> None:
    assert target_response(total, baseline, nadir) == response


@given(st.integers(1, 5000))
def test_thirty_percent_is_pr_and_a_hundredth_of_a_millimetre_more_is_not(tenths: int) -> None:
    baseline = Decimal(tenths) / 10
    exactly = baseline * 7 / 10
    assert target_response(float(exactly), float(baseline), float(baseline)) == "PR"
    assert target_response(float(exactly + Decimal("0.01")), float(baseline), float(baseline)) in ("SD", "PD")


@given(st.integers(250, 5000))
def test_twenty_percent_is_pd_and_a_hundredth_of_a_millimetre_less_is_not(tenths: int) -> None:
    nadir = Decimal(tenths) / 10
    exactly = nadir * 12 / 10
    assert target_response(float(exactly), 1000.0, float(nadir)) == "PD"
    assert target_response(float(exactly - Decimal("0.01")), 1000.0, float(nadir)) == "PR"


@given(st.integers(1, 249))
def test_five_millimetres_are_pd_where_they_are_more_than_twenty_percent(tenths: int) -> None:
    nadir = Decimal(tenths) / 10
    assert target_response(float(nadir + 5), 1000.0, float(nadir)) == "PD"
    assert target_response(float(nadir + 5 - Decimal("0.01")), 1000.0, float(nadir)) == "PR"


# Table 3: first response, second, what follows; the best response where SD lasted long enough, and where not.
TABLE_3 = [
    ("CR", "CR", None, "CR", "CR"),
    ("CR", "SD", None, "SD", "PD"),
    ("CR", "PD", None, "SD", "PD"),
    ("CR", "NE", None, "SD", "NE"),
    ("PR", "CR", None, "PR", "PR"),
    ("PR", "PR", None, "PR", "PR"),
    ("PR", "SD", None, "SD", "SD"),
    ("PR", "PD", None, "SD", "PD"),
    ("PR", "NE", None, "SD", "NE"),
    ("NE", "NE", None, "NE", "NE"),
    # Section 4.4: SD that did not last is PD where that follows, NE where nothing does.
    ("SD", "PD", None, "SD", "PD"),
    ("SD", None, None, "SD", "NE"),
]


@pytest.mark.parametrize(("first", "second", "third", "lasting", "short"), TABLE_3)
def test_the_best_response_with_confirmation_is_that_of_table_3(
    first: str, second: str | None, third: str | None, lasting: str, short: str
) -> None:
    responses = [word for word in (first, second, third) if word]
    for start, expected in ((50, lasting), (5, short)):
        days = [start + 30 * place for place in range(len(responses))]
        assert best_overall(days, responses, CONFIRMED).response == expected


def test_a_complete_response_that_was_none_is_a_partial_one() -> None:
    # The footnote of table 3: where disease is seen again that was not new, CR should have been called PR.
    assert best_overall([50, 90], ["CR", "PR"], CONFIRMED).response == "PR"


def test_one_assessment_between_a_response_and_its_confirmation() -> None:
    # The guideline's appendix: 32 %, 28 % and 33 % below baseline is a confirmed PR; with two or three in between SD.
    assert best_overall([50, 100, 150], ["PR", "SD", "PR"], CONFIRMED).response == "PR"
    assert best_overall([50, 100, 150, 200], ["PR", "SD", "SD", "PR"], CONFIRMED).response == "SD"
    assert best_overall([50, 100, 150], ["PR", "SD", "PR"], Rules(True, between=0)).response == "SD"
    assert best_overall([50, 100, 150], ["CR", "NE", "CR"], CONFIRMED).response == "CR"
    assert best_overall([50, 77, 78], ["PR", "PR", "PR"], CONFIRMED) == best_overall([50, 78], ["PR", "CR"], CONFIRMED)
    assert best_overall([50, 77], ["PR", "PR"], CONFIRMED).response == "SD"


def test_the_days_that_the_protocol_names_count() -> None:
    assert best_overall([42], ["SD"]).response == "SD"
    assert best_overall([41], ["SD"]).response == "NE"
    assert best_overall([41], ["SD"], Rules(sd_days=41)).response == "SD"
    assert best_overall([50, 78], ["PR", "PR"], CONFIRMED) == Best("PR", 50)
    assert best_overall([50, 77], ["PR", "PR"], Rules(True, confirm_days=27)) == Best("PR", 50)


_DAYS = st.lists(st.integers(1, 60), min_size=1, max_size=6).map(lambda gaps: list(itertools.accumulate(gaps)))
_COURSES = _DAYS.flatmap(
    lambda days: st.tuples(
        st.just(days), st.lists(st.sampled_from(["CR", "PR", "SD", "PD", "NE"]), min_size=len(days), max_size=len(days))
    )
)


@given(_COURSES)
def test_without_confirmation_the_best_is_the_best(course: tuple[list[int], list[str]]) -> None:
    days, responses = course
    until = responses[: responses.index("PD") + 1] if "PD" in responses else responses
    if "CR" in until:
        expected = "CR"
    elif "PR" in until:
        expected = "PR"
    elif any(word == "SD" and day >= 42 for day, word in zip(days, until, strict=False)):
        expected = "SD"
    else:
        expected = "PD" if "PD" in until else "NE"
    best = best_overall(days, responses)
    assert best.response == expected
    assert (best.day is None) == (expected == "NE")


@given(_COURSES, st.integers(0, 2))
def test_confirmation_against_its_definition(course: tuple[list[int], list[str]], between: int) -> None:
    days, words = course
    until = words.index("PD") if "PD" in words else len(words)
    pairs = [(i, j) for i, j in itertools.combinations(range(until), 2) if days[j] - days[i] >= 28]

    def confirmed(same: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
        for i, j in pairs:
            inside = [word for word in words[i + 1 : j] if word not in same]
            if words[i] in same and words[j] in same and len(inside) <= between and set(inside) <= set(allowed):
                return True
        return False

    best = best_overall(days, words, Rules(True, between=between)).response
    assert (best == "CR") == confirmed(("CR",), ("NE",))
    assert (best in ("CR", "PR")) == (confirmed(("CR",), ("NE",)) or confirmed(("CR", "PR"), ("SD", "NE")))


@given(_COURSES)
def test_confirmation_never_makes_a_response_better(course: tuple[list[int], list[str]]) -> None:
    order = ("CR", "PR", "SD", "PD", "NE")
    plain, confirmed = best_overall(*course).response, best_overall(*course, CONFIRMED).response
    # PR and CR that are not confirmed may be SD, PD or NE; SD may come of SD alone.
    if confirmed in ("CR", "PR") or plain in ("CR", "PR"):
        assert order.index(confirmed) >= order.index(plain)


_NEW = st.sampled_from([False, False, False, True])
_VISITS = st.lists(
    st.tuples(
        st.integers(-30, 400),
        st.one_of(st.none(), st.integers(0, 200).map(float)),
        _NEW,
        st.sampled_from([None, "CR", "non_CR_non_PD", "PD", "NE"]),
    ),
    min_size=1,
    max_size=7,
    unique_by=lambda row: row[0],
).map(lambda rows: [(day, total, new and day > 0, other) for day, total, new, other in rows])


def frame(rows: Sequence[tuple[object, ...]], subject: str = "P") -> pd.DataFrame:
    """Lesions of one subject from (day, sum, new lesion, non-target)."""
    table = pd.DataFrame(
        [(subject, *row) + (None,) * (4 - len(row)) for row in rows],
        columns=["subject", "day", "sum_diameters", "new_lesion", "non_target"],
    )
    table["new_lesion"] = table["new_lesion"].map(lambda value: int(value == 1))
    return table.astype({"day": "Int64", "sum_diameters": float, "new_lesion": "Int64", "non_target": object})


@given(_VISITS, _VISITS, st.booleans())
@settings(max_examples=25)
def test_nothing_after_progression_changes_the_best_response(
    rows: list[tuple[object, ...]], more: list[tuple[object, ...]], confirmed: bool
) -> None:
    rules = Rules(confirmed)
    rows = [(-40, 80.0, False, "non_CR_non_PD"), *rows, (500, 80.0, True, "PD")]
    last = best_responses(frame(rows), rules=rules).drop(columns="note")
    after = [(int(str(day)) + 600, *cells) for day, *cells in more]
    again = best_responses(frame([*rows, *after]), rules=rules).drop(columns="note")
    pd.testing.assert_frame_equal(last, again)


@settings(max_examples=20)
@given(_VISITS, st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows: list[tuple[object, ...]], chance: Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    pd.testing.assert_frame_equal(assess(frame(rows)), assess(frame(shuffled)))


@given(st.lists(st.integers(25, 300), min_size=2, max_size=7), st.sampled_from([2, 3, 10]))
def test_without_the_five_millimetres_only_the_shares_count(sums: list[int], times: int) -> None:
    # From 25 mm on 20 % are 5 mm.
    visits = [Visit(50 * place, float(total)) for place, total in enumerate(sums)]
    larger = [Visit(50 * place, float(total * times)) for place, total in enumerate(sums)]
    assert [one.response for one in judge(visits)] == [one.response for one in judge(larger)]


def naive(rows: list[tuple[int, float]]) -> list[str]:
    """Responses of target lesions only, in exact numbers, until PD or CR."""
    baseline, *others = [Decimal(str(total)) for _, total in rows]
    found: list[str] = []
    for place, total in enumerate(others):
        nadir = min([baseline, *others[:place]])
        if total == 0:
            found.append("CR")
        elif total - nadir >= 5 and (nadir == 0 or total / nadir >= Decimal("1.2")):
            found.append("PD")
        else:
            found.append("PR" if total / baseline <= Decimal("0.7") else "SD")
        if found[-1] in ("PD", "CR"):
            break
    return found


@given(st.lists(st.integers(0, 900).map(lambda tenths: tenths / 10), min_size=2, max_size=6).filter(lambda x: x[0] > 0))
def test_target_lesions_over_time_against_exact_numbers(sums: list[float]) -> None:
    rows = [(50 * place, total) for place, total in enumerate(sums)]
    expected = naive(rows)
    # `target` is by the numbers alone, also where a confirmed PR is held.
    found = [one.target for one in judge([Visit(day, total) for day, total in rows])][1 : len(expected) + 1]
    assert found == expected


def responses(*visits: Visit) -> list[str | None]:
    return [one.response for one in judge(visits) if one.visit.day > 0]


def test_baseline_is_the_last_assessment_before_the_first_dose() -> None:
    table = assess(frame([(-50, 50.0), (-3, 100.0), (0, 90.0), (60, 63.0), (61, 64.0)]))
    assert table["visit"].tolist() == ["before", "before", "baseline", "on_study", "on_study"]
    assert table["response"].tolist() == [None, None, None, "PR", "SD"]
    assert table["nadir"].tolist()[3:] == [90.0, 63.0]
    assert table["change_from_baseline"].tolist()[3] == pytest.approx(-0.3)


def test_the_nadir_includes_baseline_and_everything_since() -> None:
    assert responses(Visit(0, 50), Visit(50, 59), Visit(100, 60)) == ["SD", "PD"]
    assert responses(Visit(0, 100), Visit(50, 50), Visit(100, 55), Visit(150, 60)) == ["PR", "PR", "PD"]


def test_disease_after_a_complete_response_is_progression() -> None:
    assert responses(Visit(0, 40), Visit(50, 0), Visit(100, 2)) == ["CR", "PD"]
    gone = Visit(50, 0, non_target="CR")
    back = Visit(100, 0, non_target="non_CR_non_PD")
    assert responses(Visit(0, 40, non_target="non_CR_non_PD"), gone, back) == ["CR", "PD"]
    # Normal nodes are no disease; that they vary by a millimetre or two is no progression.
    nodes = [Visit(0, 40), Visit(50, 12, nodes_normal=True), Visit(100, 15, nodes_normal=True), Visit(150, 16)]
    assert responses(*nodes) == ["CR", "CR", "PR"]
    assert responses(*nodes, Visit(200, 17)) == ["CR", "CR", "PR", "PD"]


def test_normal_nodes_are_a_complete_response_only_with_the_others_gone() -> None:
    start = Visit(0, 40, non_target="non_CR_non_PD")
    assert responses(start, Visit(50, 14, nodes_normal=True, non_target="CR")) == ["CR"]
    assert responses(start, Visit(50, 14, nodes_normal=True, non_target="non_CR_non_PD")) == ["PR"]
    assert responses(start, Visit(50, 14, nodes_normal=True)) == ["PR"]
    assert responses(start, Visit(50, 14, non_target="CR")) == ["PR"]


def test_disease_that_cannot_be_measured() -> None:
    rows = [(0, None, 0, "non_CR_non_PD"), (50, None, 0, "non_CR_non_PD"), (100, None, 0, "CR"), (150, None, 1, "CR")]
    assert assess(frame(rows))["response"].tolist() == [None, "non_CR_non_PD", "CR", "PD"]
    best = best_responses(frame(rows[:2])).iloc[0]
    assert best["best_response"] == "non_CR_non_PD"
    assert pd.isna(best["best_change"])
    assert best_responses(frame(rows)).iloc[0][["best_response", "progression_day"]].tolist() == ["CR", 150]


def test_a_confirmed_partial_response_stays_one_until_progression() -> None:
    # The working group's example: sums of 100, 70, 70, 80, 80, 80 are PR at every assessment.
    table = assess(frame([(56 * place, float(total)) for place, total in enumerate((100, 70, 70, 80, 80, 80))]))
    assert table["response"].tolist()[1:] == ["PR"] * 5
    assert table["target"].tolist()[1:] == ["PR", "PR", "SD", "SD", "SD"]
    assert table["note"].notna().tolist() == [False, False, False, True, True, True]
    assert "PR was confirmed" in table["note"].iloc[3]
    # Progression ends it.
    assert responses(*(Visit(56 * place, total) for place, total in enumerate((100, 70, 70, 90, 80)))) == [
        "PR",
        "PR",
        "PD",
        "SD",
    ]


def test_best_responses_tell_the_waterfall_and_the_progression() -> None:
    rows = [(-2, 100.0), (50, 60.0), (90, 55.0), (130, 90.0), (170, 10.0)]
    best = best_responses(frame(rows), rules=CONFIRMED).iloc[0]
    assert best["criteria"] == "recist_1_1_confirmed"
    assert best[["best_response", "best_response_day", "n_assessments"]].tolist() == ["PR", 50, 3]
    assert best["best_change"] == pytest.approx(-0.45)
    assert best[["best_change_day", "progression_day", "last_day"]].tolist() == [90, 130, 130]
    assert best["progression_by"] == "target"
    assert best["note"] == "1 assessments after PD do not count"


def test_follow_up_ends_with_the_last_assessment_that_could_be_evaluated() -> None:
    best = best_responses(frame([(0, 100.0), (50, 90.0), (100, 85.0), (150, None)])).iloc[0]
    assert best[["last_day", "n_assessments"]].tolist() == [100, 3]
    assert pd.isna(best["progression_day"])


def test_what_cannot_be_evaluated_keeps_its_row_and_its_reason() -> None:
    lesions = pd.concat(
        [
            frame([(20, 50.0), (60, 40.0)], "late"),
            frame([(0, 50.0)], "once"),
            frame([(0, 50.0), (30, 50.0)], "early"),
            frame([(0, 50.0), (60, None)], "unmeasured"),
            frame([(0, None), (60, None)], "nothing"),
        ]
    )
    names = ["early", "late", "once", "unmeasured", "nothing", "absent", "donor"]
    subjects = pd.DataFrame({"subject": names, "best_response": ["SD", "PR", None, "SD", None, "NE", None]})
    best = best_responses(lesions, subjects).set_index("subject")
    assert best.index.tolist() == names[:-1]
    assert set(best["best_response"]) == {"NE"}
    assert best["note"].to_dict() == {
        "early": "no response but NE on day 42 or later, and no progression",
        "late": "no baseline: no assessment with day <= 0",
        "once": "no assessment after day 0",
        "unmeasured": "no assessment could be evaluated",
        "nothing": "no assessment could be evaluated",
        "absent": "no assessment",
    }
    assert best["agrees"].to_dict()["absent"] == 1
    assert best["agrees"].to_dict()["late"] == 0
    assert pd.isna(best["agrees"].to_dict()["once"])


def test_tables_read_back_as_declared(tmp_path: Path) -> None:
    lesions = frame([(0, 50.0), (60, 30.0), (120, 60.0)])
    for table, made in ((ASSESSMENTS, assess(lesions)), (BEST_RESPONSES, best_responses(lesions))):
        path = tmp_path / f"{table.name}.tsv"
        write_table(made, path)
        again = read_result(path, table)
        assert again.columns.tolist() == table.names
        assert again["subject"].tolist() == made["subject"].tolist()
    assert set(assess(lesions)["response"].dropna()) <= set(RESPONSES)


def problems_of(table: pd.DataFrame, subjects: list[str] | None = None) -> list[str]:
    return [str(problem) for problem in lesion_problems(table, subjects)]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("sum_diameters", -3.0, "-3.0 is not a number that is at least 0"),
        ("sum_diameters", float("inf"), "inf is not a number"),
        ("non_target", "stable", "'stable' is not allowed"),
        ("day", None, "the row has no day"),
        ("subject", "Q", "subject 'Q' is not in the subjects table; add a row there"),
        ("day", 0, "two assessments on day 0"),
        ("sum_new_targets", -1.0, "-1.0 is not a number"),
        ("new_non_target", "bigger", "'bigger' is not allowed; use one of larger, not_larger"),
        ("sum_new_targets", 9.0, "measures of new lesions on day 60 where new_lesion is not 1"),
    ],
)
def test_each_mistake_has_one_message(column: str, value: object, words: str) -> None:
    table = frame([(0, 50.0), (60, 40.0)]).astype({"subject": object, "day": object})
    table["sum_new_targets"], table["new_non_target"] = None, None
    table.loc[1, column] = value
    found = problems_of(table, ["P"])
    assert len(found) == 1
    assert words in found[0]


def test_mistakes_at_baseline() -> None:
    assert "new lesion at baseline" in problems_of(frame([(0, 50.0, 1), (60, 40.0, 1)]))[0]
    assert "non_target CR at baseline" in problems_of(frame([(0, 50.0, 0, "CR"), (60, 40.0, 0, "CR")]))[0]
    assert "later, but none at baseline" in problems_of(frame([(0, 50.0), (60, 40.0, 0, "CR")]))[0]
    assert "none above 0 at baseline" in problems_of(frame([(0, None), (60, 40.0)]))[0]
    assert problems_of(frame([(0, 50.0), (60, 40.0)])) == []
    table = frame([(0, 50.0), (60, None)])
    table["nodes_normal"] = [None, 1]
    assert "normal nodes, but no sum" in problems_of(table)[0]
    with pytest.raises(InputError, match="is missing"):
        visits_of(table.drop(columns="sum_diameters"))
    with pytest.raises(InputError, match="no criteria 'who'"):
        assess(frame([(0, 50.0)]), "who")
    with pytest.raises(InputError, match="sd_days is -1"):
        assess(frame([(0, 50.0)]), rules=Rules(sd_days=-1))


def test_problems_of_a_file_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "lesions.tsv"
    path.write_text("subject\tday\tsum_diameters\tnew_lesion\nP\t0\t50\t1\nP\t60\t40\t0\n")
    found = lesion_problems(read_table(path, LESIONS), ["P"], "lesions.tsv")
    assert [str(problem).split(":")[:2] for problem in found] == [["lesions.tsv", "2"]]
