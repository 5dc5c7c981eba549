"""Tumour assessments of each subject, from the lesions table, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from microbiome.errors import Problem, raise_problems
from microbiome.tables import LESIONS
from microbiome.tsv import missing_columns
from microbiome.validation import did_you_mean

__all__ = ["Visit", "baseline_of", "lesion_problems", "visits_of"]

#: Columns that need not be there and that the lesions table keeps as covariates.
_CHANGES = ("larger", "not_larger")


@dataclass(frozen=True)
class Visit:
    """One tumour assessment of a subject, as the lesions table has it.

    Parameters
    ----------
    day
        Days since the subject's first dose.
    total
        Sum of the diameters of the target lesions in mm; None where not all could be measured.
    new_lesion
        Whether there is a lesion that baseline did not have.
    non_target
        Status of the other lesions, as given; None where the cell is empty.
    nodes_normal
        Whether all that is left of the target lesions are lymph nodes below 10 mm.
    new_total
        Sum of the diameters of the new lesions that are measured.
    new_non_target
        The new lesions that are not measured, against the assessment before: ``larger`` or ``not_larger``.
    non_target_change
        The other lesions, against the assessment before: ``larger`` or ``not_larger`` (optional column).
    new_lesions
        How many new lesions there are (optional column).
    line
        Line of the file.
    """

    day: int
    total: float | None = None
    new_lesion: bool = False
    non_target: str | None = None
    nodes_normal: bool = False
    new_total: float | None = None
    new_non_target: str | None = None
    non_target_change: str | None = None
    new_lesions: int | None = None
    line: int | None = None


def baseline_of(visits: Collection[Visit]) -> Visit | None:
    """Return the last assessment with day <= 0; None without."""
    before = [visit for visit in visits if visit.day <= 0]
    return max(before, key=lambda visit: visit.day) if before else None


def visits_of(lesions: pd.DataFrame) -> dict[str, list[Visit]]:
    """Return the assessments of each subject (in the order of the table), by day.

    Parameters
    ----------
    lesions
        As :data:`microbiome.tables.LESIONS` declares it. Two columns more are used where they are there:
        ``non_target_change`` (``larger`` or ``not_larger`` than at the assessment before) and ``new_lesions`` (how many
        there are), both of iRECIST.

    Raises
    ------
    InputError
        A required column is missing; a day is missing or stands twice; a sum is negative; an unknown word.
    """
    raise_problems([problem for problem in lesion_problems(lesions) if problem.level == "error"])
    absent = pd.Series(None, index=lesions.index, dtype=object)
    columns = {name: lesions.get(name, absent) for name in (*LESIONS.names, *_OPTIONAL)}
    found: dict[str, list[Visit]] = {}
    for line, *cells in zip(lesions.index, *(columns[name] for name in _ORDER), strict=True):
        subject, day, total, new, other, nodes, new_total, new_other, change, number = (
            None if pd.isna(cell) else cell for cell in cells
        )
        visit = Visit(
            int(float(str(day))),
            None if total is None else float(total),
            bool(new),
            other,
            bool(nodes),
            None if new_total is None else float(new_total),
            new_other,
            change,
            None if number is None else int(float(number)),
            int(line) if lesions.index.name == "line" else None,
        )
        found.setdefault(str(subject), []).append(visit)
    return {subject: sorted(visits, key=lambda visit: visit.day) for subject, visits in found.items()}


_OPTIONAL = ("non_target_change", "new_lesions")
_ORDER = (
    "subject",
    "day",
    "sum_diameters",
    "new_lesion",
    "non_target",
    "nodes_normal",
    "sum_new_targets",
    "new_non_target",
    *_OPTIONAL,
)


def lesion_problems(
    lesions: pd.DataFrame, subjects: Collection[str] | None = None, file: str = "lesions.tsv"
) -> list[Problem]:
    """Return everything that is wrong with a lesions table.

    Parameters
    ----------
    lesions
        The table, whose index is the line of the file.
    subjects
        Subjects there are; None where that is not known.
    file
        Name used in messages.

    Returns
    -------
    list of Problem
        Errors: columns, cells and keys that :func:`microbiome.tsv.parse_table` would refuse as well (for frames that
        did not come from a file); a subject that the subjects table does not have; a new lesion at baseline; normal
        nodes without a sum. Warnings: sums without one at baseline; other lesions that have a status later only, or
        are gone or progress at baseline; new lesions that are measured where ``new_lesion`` is not 1.
    """
    problems = missing_columns(lesions, LESIONS, file)
    if problems:
        return problems
    if not len(lesions):
        fix = "fill it in, or leave the table out: with it everybody would be not evaluable"
        return [Problem("the lesions table has no rows", fix, file)]

    def say(line: object, column: str, value: object, message: str, fix: str, warning: bool = False) -> None:
        at = int(str(line)) if lesions.index.name == "line" else None
        level = "warning" if warning else "error"
        problems.append(Problem(message, fix, file, at, column, str(value), level=level))  # type: ignore[arg-type]

    seen: set[tuple[str, int]] = set()
    own: dict[str, list[tuple[int | None, dict[str, Any]]]] = {}
    unknown: set[str] = set()
    known = set(subjects) if subjects is not None else None
    allowed = {column.name: column.allowed for column in LESIONS.columns if column.allowed}
    allowed["non_target_change"] = _CHANGES
    for line, row in zip(lesions.index, lesions.to_dict("records"), strict=True):
        cells = {str(name): None if pd.isna(value) else value for name, value in row.items()}
        subject, day = cells["subject"], cells["day"]
        for name in ("subject", "day"):
            if cells[name] is None:
                say(line, name, "", f"the row has no {name}", "fill it in")
        for name, words in allowed.items():
            word = cells.get(name)
            if word is not None and word not in words:
                say(line, name, word, f"{word!r} is not allowed", f"use one of {', '.join(words)}")
        for name in ("sum_diameters", "sum_new_targets", "new_lesions"):
            number = cells.get(name)
            if number is not None and not _is_size(number):
                say(
                    line, name, number, f"{number!r} is not a number that is at least 0", "write millimetres or a count"
                )
        if subject is None or day is None:
            continue
        if known is not None and subject not in known and subject not in unknown:
            unknown.add(subject)
            fix = "add a row there" + did_you_mean(subject, known)
            say(line, "subject", subject, f"subject {subject!r} is not in the subjects table", fix)
        if (subject, int(day)) in seen:
            say(line, "day", day, f"subject {subject!r} has two assessments on day {day}", "keep one row")
        seen.add((subject, int(day)))
        if cells.get("nodes_normal") == 1 and cells["sum_diameters"] is None:
            say(line, "nodes_normal", 1, "normal nodes, but no sum of diameters", "write the sum, or leave it empty")
        measured = _is_size(cells.get("sum_new_targets")) and float(str(cells["sum_new_targets"])) > 0
        if cells.get("new_lesion") != 1 and (measured or cells.get("new_non_target") == "larger"):
            message = f"subject {subject!r} has measures of new lesions on day {day} where new_lesion is not 1"
            say(line, "new_lesion", cells.get("new_lesion"), message, "write 1: as it stands there is none", True)
        own.setdefault(subject, []).append((int(str(line)) if lesions.index.name == "line" else None, cells))
    if not any(problem.level == "error" for problem in problems):
        problems += [problem for rows in own.values() for problem in _baseline_problems(rows, file)]
    return problems


def _is_size(number: object) -> bool:
    try:
        value = float(str(number))
    except ValueError:
        return False
    return 0 <= value < float("inf")


def _baseline_problems(rows: Sequence[tuple[int | None, dict[str, Any]]], file: str) -> list[Problem]:
    """Return what is wrong with the baseline of one subject, from the line and the cells of its assessments."""
    before = [row for row in rows if row[1]["day"] <= 0]
    if not before:
        return []
    line, first = max(before, key=lambda row: row[1]["day"])
    later = [cells for _, cells in rows if cells["day"] > 0]
    name, status = first["subject"], first.get("non_target")
    found: list[tuple[str, Any, str, str, Literal["error", "warning"]]] = []
    if first.get("new_lesion") == 1:
        message = "has a new lesion at baseline: there is nothing it could be new to"
        found.append(("new_lesion", 1, message, "write 0 or leave it empty", "error"))
    if status is None and any(cells.get("non_target") is not None for cells in later):
        message = "has a status of non-target lesions later, but none at baseline"
        fix = "write non_CR_non_PD at baseline: until the first status there are taken to be none"
        found.append(("non_target", "", message, fix, "warning"))
    if not first["sum_diameters"] and any(cells["sum_diameters"] for cells in later):
        message = "has sums of diameters, but none above 0 at baseline: they do not count"
        fix = "write the sum of the baseline, or leave all empty where no lesion could be measured"
        found.append(("sum_diameters", "", message, fix, "warning"))
    if status in ("CR", "PD"):
        message = f"has non_target {status} at baseline, which nothing precedes"
        fix = "write non_CR_non_PD where there are such lesions, else leave it empty; lesions are taken to be there"
        found.append(("non_target", status, message, fix, "warning"))
    return [
        Problem(f"subject {name!r} {message}", fix, file, line, column, str(value), level)
        for column, value, message, fix, level in found
    ]
