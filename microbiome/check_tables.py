"""Reading and checking of the tables of measurements that the configuration names."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from microbiome.config_tables import TableEntry
from microbiome.errors import Problem, raise_problems
from microbiome.molecules import Measured, parse_measured
from microbiome.study_tables import Study

__all__ = ["check_tables", "read_tables"]

logger = logging.getLogger(__name__)


def check_tables(
    entries: Sequence[TableEntry],
    study: Study,
    file: str = "",
    lines: Mapping[tuple[str | int, ...], int] | None = None,
) -> list[Problem]:
    """Return everything that is wrong with the tables themselves.

    Parameters
    ----------
    entries
        What the configuration names (:func:`microbiome.config_table_entries.table_entries`).
    study
        Whose samples and subjects there are.
    file, lines
        The configuration and the line of each key: a file that does not exist is a problem of the key that names it.
    """
    problems: list[Problem] = []
    there: list[TableEntry] = []
    for entry in entries:
        paths = {"file": entry.file, "limits": entry.limits}
        absent = {key: path for key, path in paths.items() if path and not Path(path).exists()}
        for key, path in absent.items():
            place = ("tables", entry.name, key)
            # A table given as a path alone has no line for its key `file`.
            line = next((lines[place[:n]] for n in (3, 2, 1) if place[:n] in lines), None) if lines else None
            problems.append(Problem(f"{path!r} does not exist", "correct the path", file, line, ".".join(place), path))
        if not absent:
            there.append(entry)
    for _, _, found in _parsed(there, study):
        problems += found
    return problems


def read_tables(entries: Sequence[TableEntry], study: Study) -> dict[str, Measured]:
    """Read all tables of the configuration, by name; raise one :class:`InputError` with all problems, log warnings."""
    tables: dict[str, Measured] = {}
    problems: list[Problem] = []
    for entry, measured, found in _parsed(entries, study):
        problems += found
        if measured is not None:
            tables[entry.name] = measured
    raise_problems(problems)
    for problem in problems:
        logger.warning("%s", problem)
    return tables


def _parsed(entries: Sequence[TableEntry], study: Study) -> Iterator[tuple[TableEntry, Measured | None, list[Problem]]]:
    for e in entries:
        yield e, *parse_measured(e.file, e.name, study, e.unit, e.transform, e.limits or None, e.lod, e.leave_out)
