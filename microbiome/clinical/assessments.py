"""Tables of the tumour assessments and of the best response of each subject."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from microbiome.clinical.best import Best, Rules, best_overall
from microbiome.clinical.irecist import ImmuneJudged, best_immune, judge_immune, progression
from microbiome.clinical.lesions import Visit, lesion_problems, visits_of
from microbiome.clinical.recist import Judged, judge
from microbiome.clinical.response_tables import ASSESSMENTS, BEST_RESPONSES
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.validation import as_table

__all__ = ["CRITERIA", "assess", "best_responses", "plain_response"]

#: Criteria by which lesions are judged.
CRITERIA = ("recist_1_1", "irecist")
_PLAIN = {
    "non_CR_non_PD": "SD",
    "iCR": "CR",
    "iPR": "PR",
    "iSD": "SD",
    "non_iCR_non_iUPD": "SD",
    "iUPD": "PD",
    "iCPD": "PD",
}


def plain_response(response: str) -> str:
    """Return CR, PR, SD, PD or NE for a response by any criteria: iUPD and iCPD are PD, non_CR_non_PD is SD."""
    return _PLAIN.get(response, response)


def assess(lesions: pd.DataFrame, criteria: str = "recist_1_1", rules: Rules | None = None) -> pd.DataFrame:
    """Return every assessment with its response.

    Parameters
    ----------
    lesions
        Lesions table (:data:`microbiome.tables.LESIONS`).
    criteria
        ``recist_1_1`` or ``irecist``; RECIST 1.1 is in the table in any case.
    rules
        What the protocol says.

    Returns
    -------
    DataFrame
        One row per assessment, by subject (order of the lesions table) and day
        (:data:`microbiome.clinical.response_tables.ASSESSMENTS`).

    Raises
    ------
    InputError
        Everything that is wrong with the lesions (:func:`microbiome.clinical.lesions.lesion_problems`).
    """
    rules = _checked(criteria, rules)
    rows: list[dict[str, object]] = []
    for subject, visits in visits_of(lesions).items():
        judged = judge(visits, rules)
        immune = judge_immune(judged, rules.confirm_days) if criteria == "irecist" else [None] * len(judged)
        start = _baseline(judged)
        rows += [_row(subject, one, also, start) for one, also in zip(judged, immune, strict=True)]
    return as_table(rows, ASSESSMENTS)


def _checked(criteria: str, rules: Rules | None) -> Rules:
    if criteria not in CRITERIA:
        raise InputError(Problem(f"there are no criteria {criteria!r}", f"use one of {', '.join(CRITERIA)}"))
    rules = rules or Rules()
    problems = [
        Problem(f"{name} is {value}, below 0", "give a whole number that is 0 or more", column=name, value=str(value))
        for name, value in (
            ("confirm_days", rules.confirm_days),
            ("sd_days", rules.sd_days),
            ("between", rules.between),
        )
        if value < 0
    ]
    raise_problems(problems)
    return rules


def _baseline(judged: Sequence[Judged]) -> Visit | None:
    """Return the baseline assessment where it has target lesions."""
    found = next((one.visit for one in judged if one.kind == "baseline"), None)
    return found if found is not None and found.total else None


def _change(visit: Visit, start: Visit | None) -> float | None:
    return None if start is None or visit.total is None or not start.total else visit.total / start.total - 1


def _row(subject: str, one: Judged, also: ImmuneJudged | None, start: Visit | None) -> dict[str, object]:
    visit, nadir = one.visit, one.nadir
    measured = visit.total is not None and nadir is not None
    notes = [one.note] if one.note else []
    if also is not None and also.note and also.note not in notes:
        notes = [also.note]
    return {
        "subject": subject,
        "day": visit.day,
        "visit": one.kind,
        "sum_diameters": visit.total,
        "baseline_sum": start.total if start else None,
        "nadir": nadir,
        "change_from_baseline": _change(visit, start),
        "change_from_nadir": visit.total / nadir - 1 if measured and nadir and visit.total is not None else None,
        "increase_from_nadir": visit.total - nadir if visit.total is not None and nadir is not None else None,
        "target": one.target,
        "non_target": one.non_target if one.response else visit.non_target,
        "new_lesion": int(visit.new_lesion),
        "response": one.response,
        "progression_by": ",".join(one.progression_by) or None,
        "irecist": also.response if also else None,
        "irecist_by": ",".join(also.by) or None if also else None,
        "note": "; ".join(notes) or None,
    }


def best_responses(
    lesions: pd.DataFrame,
    subjects: pd.DataFrame | None = None,
    criteria: str = "recist_1_1",
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Return the best overall response of each subject, computed from lesions.

    Parameters
    ----------
    lesions
        Lesions table.
    subjects
        Subjects table: its ``best_response`` is compared, and a subject that has one but no assessment has a row with
        NE. All subjects of the lesions must be in it.
    criteria
        ``recist_1_1`` or ``irecist``.
    rules
        What the protocol says.

    Returns
    -------
    DataFrame
        One row per subject (:data:`microbiome.clinical.response_tables.BEST_RESPONSES`), in the order of the subjects
        table, else of the lesions. Progression-free survival is the time to ``progression_day``, or censored on
        ``last_day``; deaths are not in the lesions.

    Raises
    ------
    InputError
        As :func:`assess`; a subject without a row in the subjects table.
    """
    rules = _checked(criteria, rules)
    known = None if subjects is None else list(subjects["subject"])
    raise_problems(lesion_problems(lesions, known))
    visits = visits_of(lesions)
    given: dict[str, str] = {}
    if subjects is not None and "best_response" in subjects:
        pairs = zip(subjects["subject"], subjects["best_response"], strict=True)
        given = {subject: word for subject, word in pairs if isinstance(word, str)}
    order = list(visits) if known is None else [name for name in known if name in visits or name in given]
    rows = [_best_row(name, visits.get(name, []), given.get(name), criteria, rules) for name in order]
    return as_table(rows, BEST_RESPONSES)


def _best_row(
    subject: str, visits: Sequence[Visit], given: str | None, criteria: str, rules: Rules
) -> dict[str, object]:
    judged = judge(visits, rules)
    start = _baseline(judged)
    best, counted, end, notes = (_immune if criteria == "irecist" else _recist)(judged, rules)
    changes = [(change, visit.day) for visit, _ in counted if (change := _change(visit, start)) is not None]
    evaluated = [visit.day for visit, response in counted if response != "NE"]
    smallest = min(changes, default=(None, None))
    if not visits:
        notes = ["no assessment"]
    elif not any(one.kind == "baseline" for one in judged):
        notes = ["no baseline: no assessment with day <= 0"]
    elif not counted:
        notes = ["no assessment after day 0"]
    elif best.response == "NE" and not notes:
        notes = [_why(judged, rules)]
    agrees = None if given is None else int(plain_response(best.response) == given)
    return {
        "subject": subject,
        "criteria": criteria + ("_confirmed" if rules.confirmed else ""),
        "best_response": best.response,
        "best_response_day": best.day,
        "n_assessments": len(counted),
        "baseline_sum": start.total if start else None,
        "best_change": smallest[0],
        "best_change_day": smallest[1],
        "progression_day": end[0] if end else None,
        "progression_by": ",".join(end[1]) or None if end else None,
        "progression_confirmed": int(end[2]) if end and criteria == "irecist" else None,
        "last_day": evaluated[-1] if evaluated else None,
        "given_best_response": given,
        "agrees": agrees,
        "note": "; ".join(notes) or None,
    }


_Found = tuple[Best, list[tuple[Visit, str]], "tuple[int, tuple[str, ...], bool] | None", list[str]]


def _recist(judged: Sequence[Judged], rules: Rules) -> _Found:
    counted = [(one.visit, one.response or "NE") for one in judged if one.kind == "on_study" and one.visit.day > 0]
    best = best_overall([visit.day for visit, _ in counted], [response for _, response in counted], rules)
    end = next(((one.visit.day, one.progression_by, True) for one in judged if one.response == "PD"), None)
    after = sum(one.kind == "after_progression" for one in judged)
    return best, counted, end, [f"{after} assessments after PD do not count"] if after else []


def _immune(judged: Sequence[Judged], rules: Rules) -> _Found:
    rows = judge_immune(judged, rules.confirm_days)
    there = [(one.visit, row) for one, row in zip(judged, rows, strict=True) if row.response and row.day > 0]
    counted = [(visit, row.response or "NE") for visit, row in there]
    best = best_immune([visit.day for visit, _ in counted], [response for _, response in counted], rules)
    after = sum(row.response is None and row.day > 0 for row in rows)
    notes = [f"{after} assessments after iCPD do not count"] if after else []
    return best, counted, progression([row for _, row in there]), notes


def _why(judged: Sequence[Judged], rules: Rules) -> str:
    """Say why the best response is NE although there were assessments."""
    responses = {one.response for one in judged if one.visit.day > 0}
    if responses <= {"NE"}:
        return "no assessment could be evaluated"
    early = f"no response but NE on day {rules.sd_days} or later, and no progression"
    return f"not confirmed, and {early}" if rules.confirmed and responses & {"CR", "PR"} else early
