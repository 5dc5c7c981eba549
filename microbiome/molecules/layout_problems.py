"""What can be wrong with the names in a table of measurements."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from microbiome.errors import Problem
from microbiome.molecules.grid import Grid
from microbiome.validation import did_you_mean

__all__ = ["KEYS", "header_problems", "left_out_problems", "unknown_names"]

#: Columns that tell what a row is about, never features.
KEYS = ("sample", "subject", "day")


def header_problems(grid: Grid, file: str) -> list[Problem]:
    """Return what is wrong with the names of the columns: none, twice, in capitals."""
    problems: list[Problem] = []
    seen: set[str] = set()
    for position, name in enumerate(grid.header, start=1):
        if not name and position > 1:
            problems.append(Problem(f"column {position} has no name", "name it or remove it", file, grid.line))
        elif name in seen:
            problems.append(Problem(f"column {name!r} stands twice", "keep one", file, grid.line, name, name))
        elif name.lower() in KEYS and name not in KEYS and name.lower() not in grid.header:
            fix = "column names are lower case"
            message = f"column {name!r} must be written {name.lower()!r}"
            problems.append(Problem(message, fix, file, grid.line, name, name))
        seen.add(name)
    return problems


def left_out_problems(names: Sequence[str], leave_out: Collection[str], grid: Grid, file: str) -> list[Problem]:
    """Return the names that are to be left out and are not there."""
    absent = [name for name in leave_out if name not in names]
    return [
        Problem(
            f"{name!r} is to be left out and is not there", "correct it" + did_you_mean(name, names), file, grid.line
        )
        for name in absent
    ]


def unknown_names(
    what: str, names: list[str], matched: int, known: set[str], file: str, donors: Collection[str] = ()
) -> list[Problem]:
    """Name what the study does not know; the example of its own names is none of `donors`, where there are others."""
    if not names:
        return []
    names = list(dict.fromkeys(names))
    if not matched:
        some = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
        fix = "correct the names"
        if known:
            like = min(known.difference(donors) or known)
            fix += f"{did_you_mean(names[0], known)}: those of the study are like {like!r}"
        message = f"none of the {len(names)} {what}s is in the study ({some})"
        return [Problem(message, fix, file, column=what)]
    message = f"{len(names)} {what}s are not in the study and are left out: {', '.join(names)}"
    if len(names) == 1:
        message = f"{what} {names[0]!r} is not in the study and is left out"
    return [Problem(message, "correct the names, or leave it at that", file, column=what, level="warning")]
