"""What is said to a user whose input cannot be used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

__all__ = ["InputError", "Problem", "collecting", "raise_problems", "report_lines"]

# More problems of one column and kind than this are cut to the first few.
_MOST_ALIKE, _SHOWN = 5, 3
# A text without a comma that is longer than this is cut to its begin and its end.
_LONGEST, _BEGIN, _END = 400, 200, 150


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the input, where it stands, and what to do about it.

    Parameters
    ----------
    message
        What is wrong, in words; it names the offending value.
    fix
        What the user can do.
    file, line, column
        Where: path as the user gave it, line of the file (1 is the header), name of the column or config key.
    value
        The offending value, as it stands in the file.
    level
        ``error`` stops the run; ``warning`` is only said.
    """

    message: str
    fix: str = ""
    file: str = ""
    line: int | None = None
    column: str = ""
    value: str = ""
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """One line: ``FILE:LINE: COLUMN: MESSAGE; FIX``; what cannot be printed is escaped, very long cells are cut."""
        place = self.file + (f":{self.line}" if self.line is not None else "")
        head = ": ".join(part for part in (place, _cut(self.column)) if part)
        text = _cut(self.message) + (f"; {_cut(self.fix)}" if self.fix else "")
        return _printable(f"{head}: {text}" if head else text)


class InputError(Exception):
    """Input that cannot be used; carries every problem that was found, not only the first.

    The command line prints the problems and exits with 2; a bug raises anything else and keeps its traceback.
    """

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise one :class:`InputError` with all problems if any of them is an error."""
    found = list(problems)
    if any(problem.level == "error" for problem in found):
        raise InputError(found)


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of an :class:`InputError` raised in the block to `problems`, and go on."""
    try:
        yield
    except InputError as error:
        problems.extend(error.problems)


def report_lines(problems: Iterable[Problem]) -> list[str]:
    """Return one line per problem, ``LEVEL: PROBLEM``, in their order.

    Of more than 5 problems of one kind (they differ in line, value and advice only) in one column of a file, the first
    3 and how many more there are.
    """
    found = [(problem, _kind(problem)) for problem in problems]
    number = Counter(kind for _, kind in found)
    seen: Counter[tuple[str, ...]] = Counter()
    lines = []
    for problem, kind in found:
        seen[kind] += 1
        if number[kind] <= _MOST_ALIKE or seen[kind] <= _SHOWN:
            lines.append(f"{problem.level}: {problem}")
        elif seen[kind] == _SHOWN + 1:
            where = _printable(f"in column {_cut(problem.column)}") if problem.column else "like this"
            lines.append(f"{problem.level}: {problem.file}: ... and {number[kind] - _SHOWN} more {where}")
    return lines


def _cut(text: str) -> str:
    """Leave out the middle of what is longer than any name and any sentence, but never an element of a list."""
    if len(text) <= _LONGEST:
        return text
    parts = re.split("(, |; )", text)
    return "".join(part if len(part) <= _LONGEST else f"{part[:_BEGIN]} ... {part[-_END:]}" for part in parts)


def _printable(text: str) -> str:
    """Escape what would break the one-problem-one-line form, hide in it or steer a terminal."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def _kind(problem: Problem) -> tuple[str, ...]:
    words = problem.message.replace(problem.value, "") if problem.value else problem.message
    # Quoted values and numbers tell problems of one kind apart.
    words = re.sub(r"'[^']*'|\"[^\"]*\"|[-+]?[0-9][0-9.,eE+-]*", "", words)
    return (problem.file, problem.column, problem.level, words)
