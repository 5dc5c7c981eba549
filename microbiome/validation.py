"""Checking the header and the cells of a table against its declaration."""

from __future__ import annotations

import difflib
import functools
import math
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from microbiome.errors import Problem
from microbiome.tables import Column, Table

__all__ = ["as_table", "check_header", "check_key", "convert", "did_you_mean", "is_number", "shown", "typed", "visible"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(\.0+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOST_COMPARED = 300
# File systems take names of 255 bytes, and programs put something behind them.
_LONGEST_NAME = 150
# Zero width, soft hyphen, direction marks and byte-order mark are nothing; no-break blanks are blanks.
_UNSEEN = {
    **dict.fromkeys((0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)), None),
    **dict.fromkeys((0xA0, 0x2007, 0x202F), " "),
}
_SEPARATORS = ((",", "commas"), (";", "semicolons"), ("|", "bars"), (" ", "spaces"))


def is_number(cell: str) -> bool:
    """Tell whether a cell is a finite decimal number (``nan``, ``inf`` and ``1_000`` are not)."""
    return _NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))


def shown(cell: str) -> str:
    """Quote a cell for a message, shortened where it is long, with invisible characters made visible."""
    text = ascii(cell) if not cell.isprintable() else repr(cell)
    return text if len(text) <= 80 else f"{text[:76]}...{text[0]}"


def visible(cell: str) -> str:
    """Return a cell without the characters of no width that programs and web pages leave in it, blanks as blanks."""
    return cell.translate(_UNSEEN).strip()


def did_you_mean(word: str, words: Collection[str | None]) -> str:
    """Return ``" (did you mean 'X'?)"`` with the nearest of `words`, or nothing where none is near."""
    bare = _bare_names(frozenset(words))
    if _bare(word) in bare:
        return f" (did you mean {bare[_bare(word)]!r}?)"
    # The comparison of all pairs would take minutes when thousands of names are wrong in the same way.
    close = difflib.get_close_matches(word, bare.values(), n=1) if len(bare) <= _MOST_COMPARED else []
    return f" (did you mean {close[0]!r}?)" if close else ""


@functools.lru_cache(maxsize=8)
def _bare_names(words: frozenset[str | None]) -> dict[str, str]:
    return {_bare(word): word for word in sorted(word for word in words if word)}


def _bare(name: str) -> str:
    # In one way where Unicode has several: e and an accent, or one letter; full and half width.
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name)).casefold()


def check_header(header: Sequence[str], line: int, table: Table, file: str) -> tuple[list[str], list[Problem]]:
    """Compare a header with the declaration.

    Parameters
    ----------
    header
        Cells of the header row.
    line
        Its line in the file.
    table, file
        The declaration, and the name used in messages.

    Returns
    -------
    names
        What each column is meant to be called: without white space, a declared name in its own spelling; ``""`` for a
        column that cannot be used (without a name, or a second one of the same name).
    problems
        Everything wrong with the header. Where all of it is one cell with the wrong separator, only that is said.
    """
    if len(header) == 1 and len(table.columns) > 1:
        for mark, word in _SEPARATORS:
            if mark in header[0].strip():
                problem = Problem(
                    f"the columns are separated by {word}", "separate them by tabs (TSV)", file, line, "", header[0]
                )
                return [], [problem]
    problems: list[Problem] = []
    declared = {column.name: column for column in table.columns}
    present = {cell.strip() for cell in header}
    names: list[str] = []
    for position, cell in enumerate(header, start=1):
        name = cell.strip()
        if cell != name:
            fix = f"write {name!r}" if name else "name it or remove it"
            problems.append(
                Problem(f"the column name {shown(cell)} has extra white space", fix, file, line, name, cell)
            )
        elif not name:
            problems.append(Problem(f"column {position} has no name", "name it or remove it", file, line))
        if not name.isprintable():
            bare = visible(name)
            message = f"the column name {shown(name)} has an invisible character"
            problems.append(Problem(message, f"write {bare!r}", file, line, bare, cell))
            name = bare
        lower = name.lower()
        if name not in declared and lower in declared and lower not in present:
            problems.append(
                Problem(
                    f"column {name!r} must be written {lower!r}", "column names are lower case", file, line, name, name
                )
            )
            name = lower
        if name and name in names:
            problems.append(Problem(f"column {name!r} stands twice", "keep one", file, line, name, name))
            name = ""
        if name and not table.open and name not in declared:
            problems.append(Problem(f"column {name!r} is not known", "remove it", file, line, name, name))
        names.append(name)
    problems += [
        Problem(f"column {column.name!r} is missing", f"add it: {column.meaning}", file, line, column.name)
        for column in table.columns
        if column.required and column.name not in names
    ]
    return names, problems


def convert(
    cells: Sequence[str | None], column: Column, index: pd.Index, file: str, problems: list[Problem]
) -> pd.Series:
    """Convert the cells of one column to the type of its declaration.

    Parameters
    ----------
    cells
        As they stand in the file; ``""`` is missing, None is missing for a reason that was said already.
    column
        The declaration.
    index
        Line of each cell in the file.
    file
        Name used in messages.
    problems
        What is wrong is added to it.

    Returns
    -------
    Series
        As :func:`microbiome.tsv.parse_table` describes; a cell that could not be understood is missing.
    """
    values: list[str | int | float | None] = []
    pattern = re.compile(column.pattern) if column.pattern else None

    for line, given in zip(index, cells, strict=True):
        if given is None:
            values.append(None)
            continue
        cell = given.strip()

        def say(message: str, fix: str, level: str = "error", line: int = line, given: str = given) -> None:
            place = (file, line, column.name, given)
            problems.append(Problem(message, fix, *place, level="warning" if level == "warning" else "error"))

        if given != cell:
            # Groups "yes" and "yes " of a covariate are never meant; a stray blank in free text is no reason to stop.
            level = "warning" if column.kind == "text" else "error"
            say(
                f"{shown(given)} has extra white space",
                f"write {shown(cell)}" if cell else "leave the cell empty",
                level,
            )
        if not cell:
            values.append(None)
            if column.filled:
                say("the cell is empty", "fill it in")
            continue
        value: str | int | float | None = None
        if column.kind in ("id", "text", "path"):
            value = cell
            if column.kind == "text" and visible(cell) != cell:
                # Two groups that look the same are never meant.
                value = visible(cell) or None
                say(f"{shown(cell)} has an invisible character", f"write {shown(value or '')}", "warning")
            if pattern is not None and len(cell) > _LONGEST_NAME:
                fix = f"use at most {_LONGEST_NAME}: files are named after it"
                say(f"{shown(cell)} has {len(cell)} characters", fix)
            if pattern is not None and not pattern.fullmatch(cell):
                fix = "use letters, digits, '.', '_' and '-' only, a letter or digit first"
                say(f"{shown(cell)} is not a legal {column.name} name", fix)
            elif column.kind != "text" and not cell.isprintable():
                say(f"{shown(cell)} has an invisible character", "type the cell again")
        elif column.kind == "choice":
            value = cell if cell in column.allowed else None
            if value is None:
                say(f"{shown(cell)} is not allowed", f"use one of {', '.join(column.allowed)}")
        elif column.kind == "flag":
            value = int(cell) if cell in ("0", "1") else None
            if value is None:
                say(f"{shown(cell)} is not 0 or 1", "write 1 for yes, 0 for no, or leave it empty")
        elif column.kind == "integer":
            # A data frame with empty cells in the column writes 42 as 42.0.
            value = int(cell.partition(".")[0]) if _INTEGER.fullmatch(cell) else None
            if value is None:
                say(f"{shown(cell)} is not an integer", f"write whole {column.unit or 'numbers'}")
        else:
            value = float(cell) if is_number(cell) else None
            if value is None:
                fix = "write decimals with a point" if "," in cell else "write a number or leave it empty"
                say(f"{shown(cell)} is not a number", fix)
        if isinstance(value, int | float) and not _within(value, column):
            say(f"{cell} is out of range", f"it must be {_bounds(column)}")
            value = None
        values.append(value)
    return typed(values, column.kind, index)


def _within(value: float, column: Column) -> bool:
    return (column.minimum is None or value >= column.minimum) and (column.maximum is None or value <= column.maximum)


def _bounds(column: Column) -> str:
    if column.minimum is not None and column.maximum is not None:
        return f"between {column.minimum:g} and {column.maximum:g}"
    return f"at least {column.minimum:g}" if column.minimum is not None else f"at most {column.maximum:g}"


def typed(values: Sequence[object], kind: str, index: pd.Index) -> pd.Series:
    """Make the Series of a column of that kind."""
    dtypes: Mapping[str, str] = {"integer": "Int64", "flag": "Int64", "number": "float64"}
    return pd.Series(list(values), index=index, dtype=dtypes.get(kind, "object"))


def as_table(rows: Sequence[Mapping[str, object]], table: Table) -> pd.DataFrame:
    """Return rows as a declared table: all its columns, cells that a row lacks or that are NaN missing."""
    columns = {}
    index = pd.RangeIndex(len(rows))
    for column in table.columns:
        cells = [row.get(column.name) for row in rows]
        cells = [None if cell is None or cell != cell else cell for cell in cells]
        columns[column.name] = typed(cells, column.kind, index)
    return pd.DataFrame(columns, index=index)


def check_key(frame: pd.DataFrame, table: Table, file: str) -> list[Problem]:
    """Return a problem for each row whose key stands in an earlier row; a key with a missing part is passed over."""
    if not table.key or any(column not in frame for column in table.key):
        return []
    problems: list[Problem] = []
    first: dict[tuple[object, ...], int] = {}
    for line, *key in frame[list(table.key)].itertuples():
        if any(part is None for part in key):
            continue
        value = tuple(key)
        if value in first:
            # Numbers as they are written; the repr of numpy's names their type.
            written = [repr(part) if isinstance(part, str) else str(part) for part in key]
            words = " ".join(f"{column} {part}" for column, part in zip(table.key, written, strict=True))
            message = f"{words} stands already in line {first[value]}"
            problems.append(Problem(message, "keep one row", file, line, table.key[-1], str(key[-1])))
        else:
            first[value] = line
    return problems
