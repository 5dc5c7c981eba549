"""iRECIST: the worked examples of the paper (10.1016/S1470-2045(17)30074-8, PMC5648544) and of the working group.

Table 3 of the paper is eight examples of a best overall response, table 2 the response of an assessment without and
with a progression before it. The scenarios and answers are those that the RECIST working group published beside it.
"""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.clinical import Rules, assess, best_responses
from microbiome.clinical.best import best_overall
from microbiome.clinical.irecist import ImmuneJudged, best_immune, judge_immune, progression
from microbiome.clinical.lesions import Visit
from microbiome.clinical.recist import judge

ANY = ("iCR", "iPR", "iSD", "iUPD", "iCPD", "NE")
# Table 3: what five assessments may show, and iBOR. Confirmation of responses is not required.
TABLE_3 = [
    ("iCR", ("iCR", "iPR", "iUPD", "NE"), ("iCR", "iPR", "iUPD", "NE"), "iUPD", "iCPD", "iCR"),
    ("iUPD", ("iPR", "iSD", "NE"), "iCR", ("iCR", "iUPD", "NE"), ANY, "iCR"),
    ("iUPD", "iPR", ("iPR", "iSD", "iUPD", "NE"), ("iPR", "iSD", "iUPD", "NE", "iCPD"), ANY[1:], "iPR"),
    ("iUPD", ("iSD", "NE"), "iPR", ("iPR", "iSD", "iUPD", "NE"), ANY[1:], "iPR"),
    ("iUPD", "iSD", ("iSD", "iUPD", "NE"), ("iSD", "iUPD", "iCPD", "NE"), ANY[2:], "iSD"),
    ("iUPD", "iCPD", ANY, ANY, ANY, "iCPD"),
    ("iUPD", "iUPD", "iCPD", ANY, ANY, "iCPD"),
    ("iUPD", "NE", "NE", "NE", "NE", "iUPD"),
]


@pytest.mark.parametrize("number", range(1, 9))
def test_best_overall_response_of_the_eight_examples_of_table_3(number: int) -> None:
    *cells, expected = TABLE_3[number - 1]
    courses = itertools.product(*([cell] if isinstance(cell, str) else cell for cell in cells))
    for course in courses:
        assert best_immune([56, 112, 168, 224, 280], course).response == expected, course


WEEKS_8 = 56
#: An assessment: as it is; its sum; or its sum and what else there is to say.
Given = Visit | float | tuple[float | None, dict[str, Any]] | None


def immune(*visits: Given, confirm_days: int = 28) -> list[str | None]:
    """Responses by iRECIST of assessments 8 weeks apart; the first is the baseline."""
    return [row.response for row in rows_of(*visits, confirm_days=confirm_days)][1:]


def rows_of(*visits: Given, confirm_days: int = 28) -> list[ImmuneJudged]:
    course = []
    for place, visit in enumerate(visits):
        if isinstance(visit, Visit):
            course.append(visit)
        elif isinstance(visit, tuple):
            course.append(Visit(WEEKS_8 * place, visit[0], **visit[1]))
        else:
            course.append(Visit(WEEKS_8 * place, visit))
    return judge_immune(judge(course), confirm_days)


def others(total: float, status: str, change: str | None = None, **more: Any) -> tuple[float | None, dict[str, Any]]:
    return total, {"non_target": status, "non_target_change": change, **more}


def new(
    total: float, size: float | None = None, other: str | None = None, **more: object
) -> tuple[float | None, dict[str, Any]]:
    return total, {"new_lesion": True, "new_total": size, "new_non_target": other, **more}


STILL = "non_CR_non_PD"


# Table 2, first column: no iUPD before. Baseline 100 mm, other lesions present.
@pytest.mark.parametrize(
    ("visit", "response"),
    [
        (others(0, "CR"), "iCR"),
        (others(0, STILL), "iPR"),
        (others(60, STILL), "iPR"),
        (others(95, STILL), "iSD"),
        (others(95, "PD"), "iUPD"),  # target iSD, other lesions iUPD
        (others(60, "PD"), "iUPD"),  # target iPR
        (others(0, "PD"), "iUPD"),  # target iCR
        (others(120, STILL), "iUPD"),
        (others(120, "CR"), "iUPD"),
        (others(120, "PD"), "iUPD"),
        (others(120, "PD", new_lesion=True), "iUPD"),
        (others(95, STILL, new_lesion=True), "iUPD"),
        (others(0, "CR", new_lesion=True), "iUPD"),
    ],
)
def test_table_2_without_progression_before(visit: tuple[float | None, dict[str, Any]], response: str) -> None:
    assert immune(others(100, STILL), visit) == [response]


# Table 2, second column: the assessment before was iUPD. What that was, what follows, and the response to it.
@pytest.mark.parametrize(
    ("first", "second", "response"),
    [
        # Lesions shrink so that iCR, iPR or iSD holds: the bar is reset.
        (others(120, STILL), others(0, "CR"), "iCR"),
        (others(120, STILL), others(0, STILL), "iPR"),
        (others(120, STILL), others(65, STILL), "iPR"),
        (others(120, STILL), others(105, STILL), "iSD"),
        (others(95, "PD"), others(95, STILL), "iSD"),
        # Other lesions were iUPD: any further increase confirms, it need not be unequivocal.
        (others(95, "PD"), others(95, "PD", "not_larger"), "iUPD"),
        (others(95, "PD"), others(95, "PD"), "iUPD"),
        (others(95, "PD"), others(95, "PD", "larger"), "iCPD"),
        (others(60, "PD"), others(55, STILL, "larger"), "iCPD"),
        # Target lesions were iUPD: 5 mm more confirm.
        (others(120, STILL), others(120, STILL), "iUPD"),
        (others(120, STILL), others(124.9, STILL), "iUPD"),
        (others(120, STILL), others(125, STILL), "iCPD"),
        (others(130, STILL), others(122, "CR"), "iUPD"),
        # Both were: either confirms.
        (others(120, "PD"), others(120, "PD", "not_larger"), "iUPD"),
        (others(120, "PD"), others(126, "PD", "not_larger"), "iCPD"),
        (others(120, "PD"), others(115, "PD", "larger"), "iCPD"),
        # New lesions, and both: either of the three.
        (
            others(120, "PD", new_lesion=True, new_total=12.0),
            others(121, "PD", new_lesion=True, new_total=12.0),
            "iUPD",
        ),
        (
            others(120, "PD", new_lesion=True, new_total=12.0),
            others(121, "PD", new_lesion=True, new_total=17.0),
            "iCPD",
        ),
        (others(120, "PD", new_lesion=True), others(121, "PD", new_lesion=True, new_non_target="larger"), "iCPD"),
        # New lesions only: 5 mm of those that are measured, any increase of the others, or more of them.
        (new(95, 12.0), new(95, 12.0), "iUPD"),
        (new(95, 12.0), new(95, 16.9), "iUPD"),
        (new(95, 12.0), new(95, 17.0), "iCPD"),
        (new(95, None, "not_larger"), new(95, None, "not_larger"), "iUPD"),
        (new(95, None), new(95, None, "larger"), "iCPD"),
        (new(95, None, new_lesions=1), new(95, None, new_lesions=1), "iUPD"),
        (new(95, None, new_lesions=1), new(95, None, new_lesions=2), "iCPD"),
        # Progression of a category that had not progressed confirms as well.
        (others(120, STILL), others(120, "PD"), "iCPD"),
        (others(120, STILL), others(120, STILL, new_lesion=True), "iCPD"),
        (others(95, "PD"), others(125, "PD", "not_larger"), "iCPD"),
        (new(95, 12.0), new(125, 12.0), "iCPD"),
        # What cannot be evaluated neither confirms nor takes back.
        (others(120, STILL), (None, {"non_target": STILL}), "NE"),
        (others(95, "PD"), others(95, "NE"), "NE"),
    ],
)
def test_table_2_with_progression_before(
    first: tuple[float | None, dict[str, Any]], second: tuple[float | None, dict[str, Any]], response: str
) -> None:
    start = others(100, STILL) if "non_target" in first[1] else 100.0
    assert immune(start, first, second) == ["iUPD", response]


def test_scenario_b_a_new_lesion_does_not_preclude_a_response() -> None:
    # A new lesion first (iUPD), further shrinkage of the target lesions at the next assessment: iPR.
    assert immune(100.0, new(100), new(50), new(50)) == ["iUPD", "iPR", "iPR"]


def test_scenario_d_target_lesions_grow_and_shrink() -> None:
    # iUPD at the third assessment by an increase of the target lesions, which then meet the criteria of iPR.
    assert immune(100.0, 90.0, 80.0, 100.0, 60.0) == ["iSD", "iSD", "iUPD", "iPR"]


def test_scenario_f_a_response_then_a_new_lesion_and_no_change() -> None:
    # The criteria of PR were met before the iUPD by a new lesion, and nothing changed since: iUPD again.
    assert immune(100.0, 60.0, new(60), new(60)) == ["iPR", "iUPD", "iUPD"]
    # With further shrinkage, or the new lesion gone, it is iPR; with a larger new lesion iCPD.
    assert immune(100.0, 60.0, new(60), new(50)) == ["iPR", "iUPD", "iPR"]
    assert immune(100.0, 60.0, new(60), 60.0) == ["iPR", "iUPD", "iPR"]
    assert immune(100.0, 60.0, new(60, 10.0), new(50, 15.0)) == ["iPR", "iUPD", "iCPD"]


def test_increases_add_up() -> None:
    # "A 4 mm increase at one assessment, followed at the next by a further 2 mm, meets the criteria for iCPD."
    assert immune(100.0, new(100, 12.0), new(100, 16.0), new(100, 18.0)) == ["iUPD", "iUPD", "iCPD"]
    assert immune(100.0, 120.0, 124.0, 126.0) == ["iUPD", "iUPD", "iCPD"]


def test_new_lesions_that_stay_may_progress_much_later() -> None:
    # "The responses would be iUPD, iUPD, iUPD, iCPD for example."
    visits = (100.0, new(100, 12.0), new(100, 12.0), new(100, 12.0), new(100, 18.0))
    assert immune(*visits) == ["iUPD", "iUPD", "iUPD", "iCPD"]


def test_after_a_reset_known_new_lesions_progress_by_the_rules_of_recist() -> None:
    base = (100.0, new(100, 20.0, new_lesions=1), new(60, 20.0, new_lesions=1))
    assert immune(*base, new(60, 24.9, new_lesions=1)) == ["iUPD", "iPR", "iPR"]  # less than 5 mm
    assert immune(*base, new(60, 25.0, new_lesions=1)) == ["iUPD", "iPR", "iUPD"]  # 25 % and 5 mm
    assert immune(*base, new(60, 20.0, new_lesions=2)) == ["iUPD", "iPR", "iUPD"]  # a further one
    big = (100.0, new(100, 100.0), new(60, 100.0), new(60, 119.0))
    assert immune(*big) == ["iUPD", "iPR", "iPR"]  # 19 mm, but less than 20 %


def test_new_lesions_that_go_and_come_back_are_new_again() -> None:
    assert immune(100.0, new(100), 100.0, new(100)) == ["iUPD", "iSD", "iUPD"]
    # The target lesions keep the first iUPD open meanwhile: one more new lesion confirms it.
    assert immune(100.0, new(120), 120.0, new(120)) == ["iUPD", "iUPD", "iCPD"]


def test_after_a_reset_known_new_lesions_that_are_larger_progress() -> None:
    assert immune(100.0, new(100), new(60), new(60, None, "not_larger")) == ["iUPD", "iPR", "iPR"]
    assert immune(100.0, new(100), new(60), new(60, None, "larger")) == ["iUPD", "iPR", "iUPD"]


def test_a_better_response_takes_iupd_back_however_small_the_step() -> None:
    assert immune(100.0, new(73), new(70)) == ["iUPD", "iPR"]
    assert immune(100.0, new(73), new(71)) == ["iUPD", "iUPD"]


def test_a_confirmed_partial_response_stays_one() -> None:
    # The working group's example: 100, 70, 70, 80, 80, 80 is iPR at every assessment.
    assert immune(100.0, 70.0, 70.0, 80.0, 80.0, 80.0) == ["iPR"] * 5


def test_the_bar_is_reset_and_progression_has_to_occur_again_and_be_confirmed() -> None:
    # iUPD, not confirmed but iSD; then iUPD against the nadir, and confirmed at the next assessment.
    rows = rows_of(100.0, 125.0, 110.0, 121.0, 127.0)
    assert [row.response for row in rows] == [None, "iUPD", "iSD", "iUPD", "iCPD"]
    # The day of progression is the first iUPD of those that were confirmed.
    assert progression(rows) == (3 * WEEKS_8, ("target",), True)
    # The smallest sum so far counts, not only that since the reset.
    assert immune(100.0, 50.0, 65.0, 55.0, 60.0) == ["iPR", "iUPD", "iPR", "iUPD"]


def test_the_day_of_progression() -> None:
    assert progression(rows_of(100.0, 120.0, 120.0, 126.0)) == (WEEKS_8, ("target",), True)
    # Never confirmed, nothing but iUPD and NE after it: the first iUPD.
    assert progression(rows_of(100.0, 120.0, None, 121.0)) == (WEEKS_8, ("target",), False)
    # Taken back by iSD, iPR or iCR: none.
    assert progression(rows_of(100.0, 120.0, 110.0)) is None
    assert progression(rows_of(100.0, 120.0, 60.0, 60.0)) is None


def test_confirmation_takes_four_weeks() -> None:
    # Working group: scans earlier than 4 weeks after the first iUPD do not define iCPD, and are repeated.
    early = (Visit(0, 100), Visit(56, 120), Visit(83, 130))
    assert immune(*early) == ["iUPD", "iUPD"]
    assert immune(*early, Visit(84, 130)) == ["iUPD", "iUPD", "iCPD"]
    assert immune(*early[:2], Visit(84, 130)) == ["iUPD", "iCPD"]
    assert immune(*early, confirm_days=27) == ["iUPD", "iCPD"]
    # What an early scan showed first confirms once it is repeated.
    lesion = (Visit(70, 120, new_lesion=True), Visit(90, 120, new_lesion=True))
    assert immune(*early[:2], *lesion) == ["iUPD", "iUPD", "iCPD"]
    late = rows_of(Visit(0, 100), Visit(56, 120), Visit(113, 130))
    assert late[-1].response == "iCPD"
    assert late[-1].note == "confirmed 57 days after the first iUPD, later than 56"
    assert rows_of(Visit(0, 100), Visit(56, 120), Visit(112, 130))[-1].note == ""


def test_nothing_is_complete_while_new_lesions_are_there() -> None:
    assert immune(100.0, new(100), new(0), 0.0) == ["iUPD", "iPR", "iCR"]
    start = (None, {"non_target": STILL})
    gone = (None, {"non_target": "CR", "new_lesion": True, "new_total": 5.0})
    shown = (None, {"non_target": STILL, "new_lesion": True, "new_total": 10.0})
    assert immune(start, shown, gone) == ["iUPD", "non_iCR_non_iUPD"]


def test_disease_that_cannot_be_measured() -> None:
    course = [(None, {"non_target": status}) for status in (STILL, STILL, "PD", STILL, "CR")]
    assert immune(*course) == ["non_iCR_non_iUPD", "iUPD", "non_iCR_non_iUPD", "iCR"]


def lesions(sums: list[float], flags: list[int]) -> pd.DataFrame:
    table = pd.DataFrame({"subject": "P", "day": [WEEKS_8 * i for i in range(len(sums))], "sum_diameters": sums})
    return table.assign(new_lesion=pd.Series(flags, dtype="Int64"), non_target=None, sum_new_targets=None)


def test_pseudoprogression_in_the_tables() -> None:
    table = lesions([100, 130, 60, 55], [0, 0, 0, 0])
    seen = assess(table, "irecist")
    assert seen["response"].tolist() == [None, "PD", "PR", "PR"]
    assert seen["visit"].tolist() == ["baseline", "on_study", "after_progression", "after_progression"]
    assert seen["irecist"].tolist() == [None, "iUPD", "iPR", "iPR"]
    recist, irecist = (best_responses(table, criteria=name).iloc[0] for name in ("recist_1_1", "irecist"))
    assert recist[["best_response", "progression_day", "n_assessments"]].tolist() == ["PD", 56, 1]
    assert irecist[["best_response", "best_response_day", "n_assessments"]].tolist() == ["iPR", 112, 3]
    assert pd.isna(irecist["progression_day"])
    assert irecist["best_change"] == pytest.approx(-0.45)
    given_table = pd.DataFrame({"subject": ["P"], "best_response": ["PR"]})
    agreed = [best_responses(table, given_table, name)["agrees"].iloc[0] for name in ("recist_1_1", "irecist")]
    assert agreed == [0, 1]


def test_nothing_counts_after_confirmed_progression() -> None:
    table = lesions([100, 130, 140, 10], [0, 0, 0, 0])
    assert assess(table, "irecist")["irecist"].tolist() == [None, "iUPD", "iCPD", None]
    best = best_responses(table, criteria="irecist").iloc[0]
    assert best[["best_response", "progression_day", "progression_confirmed", "last_day"]].tolist() == [
        "iCPD",
        56,
        1,
        112,
    ]
    assert best["best_change"] == pytest.approx(0.3)
    assert best["note"] == "1 assessments after iCPD do not count"


def test_confirmation_of_responses() -> None:
    rules = Rules(confirmed=True)
    assert best_immune([56, 112, 168], ["iPR", "iUPD", "iPR"], rules).response == "iPR"
    assert best_immune([56, 112], ["iPR", "iUPD"], rules).response == "iSD"
    assert best_immune([28, 35], ["iPR", "iUPD"], rules).response == "iUPD"


_COURSES = st.lists(
    st.tuples(st.sampled_from([0, 40, 60, 70, 75, 100, 118, 120, 125, 150]), st.booleans()), min_size=1, max_size=6
)


@given(_COURSES)
def test_it_is_recist_until_the_first_progression_and_never_worse(course: list[tuple[int, bool]]) -> None:
    visits = [Visit(0, 100.0), *(Visit(56 * i, float(s), new_lesion=n) for i, (s, n) in enumerate(course, 1))]
    judged = judge(visits)
    rows = judge_immune(judged)
    words = {"CR": "iCR", "PR": "iPR", "SD": "iSD", "PD": "iUPD"}
    for one, row in zip(judged[1:], rows[1:], strict=True):
        assert one.response is not None
        assert row.response == words[one.response]
        if one.response == "PD":
            break
    days = [row.day for row in rows[1:] if row.response]
    immune_best = best_immune(days, [row.response for row in rows[1:] if row.response]).response
    plain = best_overall([one.visit.day for one in judged[1:]], [str(one.response) for one in judged[1:]]).response
    order = ("CR", "PR", "SD", "PD", "NE")
    back = {"iCR": "CR", "iPR": "PR", "iSD": "SD", "iCPD": "PD", "iUPD": "PD", "NE": "NE"}
    assert order.index(back[immune_best]) <= order.index(plain)


@given(_COURSES, _COURSES)
def test_nothing_after_confirmed_progression_changes_anything(
    course: list[tuple[int, bool]], more: list[tuple[int, bool]]
) -> None:
    both = [(100, False), *course, (400, True), (500, True), *more]
    rows = judge_immune(judge([Visit(56 * i, float(s), new_lesion=n) for i, (s, n) in enumerate(both)]))
    until = len(course) + 3
    assert "iCPD" in [row.response for row in rows[:until]]
    assert all(row.response is None for row in rows[until:])
    assert sum(row.response == "iCPD" for row in rows) == 1
    confirmed = next(place for place, row in enumerate(rows) if row.response == "iCPD")
    assert rows[confirmed - 1].response == "iUPD"
