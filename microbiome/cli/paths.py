"""Paths of the files that one command reads and writes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from microbiome.errors import InputError, Problem, raise_problems

__all__ = ["distinct_outputs", "named_files"]


def distinct_outputs(*paths: str | None) -> None:
    """Refuse, before anything is computed, two tables that would go to one file (or both to standard output).

    Parameters
    ----------
    paths
        What the options say; None where an option is not given.

    Raises
    ------
    InputError
        The later table would overwrite the first, or follow it without a break.
    """
    seen: set[str] = set()
    problems = []
    for path in paths:
        if path is None:
            continue
        place = path if path == "-" else os.path.normcase(Path(path).absolute())
        if place in seen:
            where = "standard output" if path == "-" else path
            problems.append(Problem(f"two tables would go to {where}", "give each a file of its own"))
        seen.add(place)
    raise_problems(problems)


@contextmanager
def named_files(paths: Mapping[str, str | None]) -> Iterator[None]:
    """Put the path that was given in the place of the name of a table, in what is said of it: errors and warnings.

    Parameters
    ----------
    paths
        By name of the table; None where none was given.
    """

    def named(problem: Problem) -> Problem:
        return replace(problem, file=paths.get(problem.file) or problem.file) if problem.file else problem

    def renamed(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(named(part) if isinstance(part, Problem) else part for part in record.args)
        return True

    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(renamed)
    try:
        yield
    except InputError as error:
        raise InputError(named(problem) for problem in error.problems) from None
    finally:
        for handler in handlers:
            handler.removeFilter(renamed)
