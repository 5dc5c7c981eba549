"""Groups of the subjects whose response is counted, and what can be wrong with their table."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from microbiome.among import among_subjects
from microbiome.compare.checks import order_problems
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.subject_groups import group_labels, left_out, ordered, subject_columns
from microbiome.tables import SUBJECTS
from microbiome.validation import check_key

__all__ = ["EVERYBODY", "Part", "grouped", "response_problems"]

logger = logging.getLogger(__name__)

#: Name of the group of all subjects.
EVERYBODY = "all"
# Columns that are the response: groups of them would be compared with themselves.
_RESPONSE = ("best_response", "responder")


@dataclass(frozen=True)
class Part:
    """Everybody, or the groups of one column.

    Parameters
    ----------
    by
        The column; None for everybody.
    groups
        The subjects of each group whose response is known, the reference first.
    missing
        How many subjects of a group have no response.
    ungrouped
        How many subjects with a response are in none of the groups.
    """

    by: str | None
    groups: dict[str, list[str]]
    missing: dict[str, int] = field(default_factory=dict)
    ungrouped: int = 0

    @property
    def empty(self) -> dict[str, int]:
        """How many subjects the groups have in which no response is known of anybody."""
        return {group: number for group, number in self.missing.items() if group not in self.groups}


def response_problems(subjects: pd.DataFrame, with_lesions: bool, file: str = "subjects") -> list[Problem]:
    """Return what is wrong with a subjects table for response: also of frames that did not come from a file.

    Parameters
    ----------
    subjects
        The table; its index, where it is called ``line``, is the line of the file.
    with_lesions
        Whether lesions are given, so that no ``best_response`` is needed.
    file
        Name used in the messages.
    """
    needed = {"subject": "add it"}
    if not with_lesions and "responder" not in subjects:
        needed["best_response"] = "add it (or responder, for the objective response rate alone), or give lesions"
    problems = [
        Problem(f"column {name!r} is missing", fix, file, column=name)
        for name, fix in needed.items()
        if name not in subjects
    ]
    if problems:
        return problems
    problems = check_key(subjects, SUBJECTS, file)
    lines = list(subjects.index) if subjects.index.name == "line" else [None] * len(subjects)

    def say(line: int | None, column: str, value: object, message: str, fix: str) -> None:
        problems.append(Problem(message, fix, file, line, column, str(value)))

    allowed, yes_no = SUBJECTS["best_response"].allowed, SUBJECTS["responder"].allowed
    absent = pd.Series(None, index=subjects.index, dtype=object)
    for line, name, word, yes, days, event in zip(
        lines,
        subjects["subject"],
        subjects.get("best_response", absent),
        subjects.get("responder", absent),
        subjects.get("pfs_days", absent),
        subjects.get("pfs_event", absent),
        strict=True,
    ):
        if not pd.isna(word) and word not in allowed:
            fix = f"use one of {', '.join(allowed)}"
            say(line, "best_response", word, f"subject {name!r} has best_response {word!r}", fix)
        if not pd.isna(yes) and yes not in yes_no:
            fix = f"use one of {', '.join(yes_no)}"
            say(line, "responder", yes, f"subject {name!r} has responder {yes!r}", fix)
        if not pd.isna(days) and not _number(days) >= 0:
            say(line, "pfs_days", days, f"subject {name!r} has pfs_days {days}", "days are 0 or more")
        if not pd.isna(event) and _number(event) not in (0, 1):
            say(line, "pfs_event", event, f"subject {name!r} has pfs_event {event}", "write 1 or 0")
    return problems


def _number(cell: object) -> float:
    """Return the number; NaN where the cell is none."""
    try:
        return float(cell)  # type: ignore[arg-type]  # what is no number is told below
    except (TypeError, ValueError):
        return math.nan


def grouped(
    subjects: pd.DataFrame,
    counted: pd.Index,
    by: Sequence[str] | None,
    group_order: Sequence[str] = (),
    among: Mapping[str, str] | None = None,
) -> list[Part]:
    """Return the groups whose response is told.

    Parameters
    ----------
    subjects
        Subjects table.
    counted
        The subjects with a best response.
    by
        Columns that make groups; None for ``arm`` where somebody has one.
    group_order
        Groups in order, the reference first.
    among
        Only subjects with these values, by column.

    Returns
    -------
    list of Part
        First everybody, then each column.
    """
    problems: list[Problem] = []
    table = subject_columns(subjects)
    chosen = among_subjects(table, among, problems)
    members = [name for name in counted if name in chosen]
    usual = ["arm"] if "arm" in table and table["arm"].notna().any() else []
    names = usual if by is None else [by] if isinstance(by, str) else list(by)
    told = set(counted)
    lacking = [name for name in table["subject"] if name in chosen and name not in told]
    parts = [Part(None, {EVERYBODY: members}, {EVERYBODY: len(lacking)})]
    seen: set[str] = set()
    for name in dict.fromkeys(names):
        if name in _RESPONSE:
            message = f"{name!r} is the response itself: every group would have 0 or 100 %"
            problems.append(Problem(message, "group by something else", column="by", value=name))
            continue
        known = len(problems)
        everyone = group_labels(name, table, None, problems)
        if len(problems) > known:
            continue
        labels = everyone.reindex(members)
        for sentence in left_out(name, labels, table["subject"]):
            logger.warning("%s", sentence)
        order = ordered(labels.dropna(), group_order)
        seen |= set(order)
        if EVERYBODY in order:
            message = f"a group of {name!r} is called {EVERYBODY!r}, as everybody is"
            problems.append(Problem(message, "give it another name", column=name, value=EVERYBODY))
        groups = {group: [one for one in members if labels[one] == group] for group in order}
        without = {str(group): int(number) for group, number in everyone.reindex(lacking).value_counts().items()}
        parts.append(Part(name, groups, without, int(labels.isna().sum())))
    problems += order_problems(group_order, sorted(seen))
    raise_problems(problems)
    if not members:
        text = " and ".join(f"{name}={value}" for name, value in (among or {}).items())
        raise InputError(Problem(f"no subject with a best response has {text}", "correct --among", column="among"))
    return parts
