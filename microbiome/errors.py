"""What is said to a user whose input cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

__all__ = ["InputError", "Problem", "collecting", "raise_problems"]


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
        """One line: ``FILE:LINE: COLUMN: MESSAGE; FIX``."""
        place = self.file + (f":{self.line}" if self.line is not None else "")
        head = ": ".join(part for part in (place, self.column) if part)
        text = self.message + (f"; {self.fix}" if self.fix else "")
        text = f"{head}: {text}" if head else text
        # A value with a line break in it must not break the one-problem-one-line form.
        return text.replace("\r", "\\r").replace("\n", "\\n")


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
