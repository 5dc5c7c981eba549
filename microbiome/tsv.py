"""Reading and writing of declared TSV tables: strict about form and complete about problems."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import BOM, decoded, open_text, write_pieces
from microbiome.table_text import table_pieces
from microbiome.tables import Column, Table
from microbiome.validation import check_header, check_key, convert, typed

__all__ = [
    "empty_table",
    "missing_columns",
    "parse_table",
    "read_result",
    "read_table",
    "write_table",
]

# Lines of comment before a header.
_MOST_COMMENTS = 1000
_NUMERIC_DTYPES = {"integer": "Int64", "flag": "Int64", "number": "float64"}


def parse_table(path: str | Path, table: Table) -> tuple[pd.DataFrame, list[Problem]]:
    """Read and validate one table, and return what could be read together with every problem found.

    Parameters
    ----------
    path
        TSV with a header row, UTF-8, plain or gzip. Lines that start with ``#`` before the header are comments; rows
        without any content are passed over.
    table
        The declaration to validate against.

    Returns
    -------
    frame
        One row per data row; **the index, named** ``line``, **is the line of the file**, so that later checks can
        name it. Declared columns come first, absent optional ones are left out. ``id``, ``text``, ``path`` and
        ``choice`` are strings with missing as ``None``; ``integer`` and ``flag`` are ``Int64``; ``number`` is
        ``float64`` with NaN. Cells that could not be understood are missing. Without rows where the file cannot be
        read or lacks a required column.
    problems
        Everything that is wrong, in file order; empty when the table is good. A byte-order mark and white space around
        free text are warnings: the table is read without them. Of another of our tables only that it is the wrong one
        (:func:`microbiome.declared.wrong_table`).
    """
    name = str(path)
    try:
        text = decoded(path)
    except InputError as error:
        return empty_table(table), list(error.problems)
    problems: list[Problem] = []
    if text.startswith(BOM):
        text = text.removeprefix(BOM)
        problems.append(
            Problem("the file begins with a byte-order mark", "save it as UTF-8 without BOM", name, 1, level="warning")
        )
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for line, row in _rows(text):
            lines.append(line)
            rows.append(row)
    except InputError as error:
        problems += [Problem(problem.message, problem.fix, name, problem.line) for problem in error.problems]
    if not rows:
        if all(problem.level == "warning" for problem in problems):
            problems.append(Problem("the file is empty", f"write a header row: {' '.join(table.names)}", name))
        return empty_table(table), problems

    header, header_problems = check_header(rows[0], lines[0], table, name)
    problems += header_problems
    if not any(header):
        return empty_table(table), problems
    if sum(column.required and column.name not in header for column in table.columns) > 1:
        wrong = _wrong_table(header, table, name)
        if wrong is not None:
            return empty_table(table), [wrong]
    cells: list[list[str | None]] = []
    for line, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            message = f"the row has {len(row)} cells, the header has {len(header)}"
            problems.append(Problem(message, "separate all cells by tabs, also the empty ones", name, line))
            # Its cells stand under the wrong names: what is said of them would mislead.
            cells.append([None] * len(header))
        else:
            cells.append([*row])

    index = pd.Index(lines[1:], name="line", dtype="int64")
    declared = {column.name: column for column in table.columns}
    order = [n for n in table.names if n in header] + [n for n in header if n and n not in declared]
    columns: dict[str, pd.Series] = {}
    found: list[Problem] = []
    for column_name in order:
        position = header.index(column_name)
        column = declared.get(column_name, Column(column_name, "text", "Covariate."))
        columns[column_name] = convert([row[position] for row in cells], column, index, name, found)
    frame = pd.DataFrame(columns, index=index)
    problems += [*found, *check_key(frame, table, name)]
    if any(problem.level == "error" for problem in problems):
        wrong = _wrong_table(header, table, name)
        if wrong is not None:
            return empty_table(table), [wrong]
    problems.sort(key=lambda problem: problem.line or 0)
    if any(column.required and column.name not in header for column in table.columns):
        frame = empty_table(table)
    return frame, problems


def _wrong_table(header: Sequence[str], table: Table, name: str) -> Problem | None:
    # Imported late: what collects the declarations of all tables imports this module.
    from microbiome.declared import wrong_table

    return wrong_table(header, table, name)


def read_table(path: str | Path, table: Table) -> pd.DataFrame:
    """Read and validate one table, as :func:`parse_table`, raising one :class:`InputError` with all problems."""
    frame, problems = parse_table(path, table)
    raise_problems(problems)
    return frame


def read_result(path: str | Path, table: Table) -> pd.DataFrame:
    """Read a table that the package itself wrote: as :func:`read_table`, but quick for millions of rows.

    The fast parser converts; only when it fails is the file read again line by line, to name what is wrong.

    Returns
    -------
    DataFrame
        Types as in :func:`parse_table`; the index is 0, 1, 2, ...
    """
    text = open_text(path)
    # Offsets, not pieces: a table of millions of rows is held once.
    skip, start = 0, 0
    while text.startswith("#", start) and skip < _MOST_COMMENTS:
        skip, start = skip + 1, text.find("\n", start) + 1 or len(text)
    declared = {column.name: column for column in table.columns}
    try:
        end = text.find("\n", start)
        names = next(csv.reader([text[start : end if end >= 0 else None].rstrip("\r")], delimiter="\t"), [])
        numeric = {
            n: _NUMERIC_DTYPES[declared[n].kind] for n in names if n in declared and declared[n].kind in _NUMERIC_DTYPES
        }
        tabs = text.count("\t", start) if '"' not in text else re.sub('"[^"]*"', "", text[start:]).count("\t")
        data = text.encode()
        del text
        frame = pd.read_csv(
            io.BytesIO(data),
            sep="\t",
            skiprows=skip,
            dtype={n: numeric.get(n, "object") for n in names},
            keep_default_na=False,
            na_values={n: [""] for n in names},
            quoting=csv.QUOTE_MINIMAL,
            float_precision="round_trip",
        )
        del data
        # A row that is cut off is filled up with missing cells by the fast parser; one that is too long makes an index.
        whole = tabs == (len(names) - 1) * (len(frame) + 1)
        whole = whole and isinstance(frame.index, pd.RangeIndex) and list(frame.columns) == names
        if whole and not check_header(names, skip + 1, table, "")[1] and _is_valid(frame, table):
            return frame.assign(**{n: _texts(frame[n]) for n in names if n not in numeric})
    except (ValueError, LookupError, TypeError, OverflowError, csv.Error):
        # Whatever the fast parser stumbles over, the strict one names.
        pass
    return read_table(path, table).reset_index(drop=True)


def _texts(cells: pd.Series) -> np.ndarray:
    """Return the texts of a column, missing ones as None."""
    texts = cells.to_numpy(dtype=object)
    missing = cells.isna().to_numpy()
    if missing.any():
        texts = texts.copy()
        texts[missing] = None
    return texts


def _is_valid(frame: pd.DataFrame, table: Table) -> bool:
    """Tell whether a frame with converted columns keeps to all declarations of the table."""
    if any(column.required and column.name not in frame for column in table.columns):
        return False
    for column in table.columns:
        if column.name not in frame:
            continue
        cells = frame[column.name]
        if column.filled and cells.isna().any():
            return False
        there = cells.dropna()
        # Each name stands in many rows.
        if column.kind in ("id", "path") and not all(_is_name(name, column) for name in there.unique()):
            return False
        if column.kind == "choice" and not there.isin(column.allowed).all():
            return False
        if column.kind == "flag" and not there.isin((0, 1)).all():
            return False
        low, high = column.minimum, column.maximum
        if (low is not None and (there < low).any()) or (high is not None and (there > high).any()):
            return False
    return not table.key or not frame.duplicated(list(table.key)).any()


def _is_name(cell: str, column: Column) -> bool:
    if not cell.isprintable() or cell != cell.strip():
        return False
    return not column.pattern or re.fullmatch(column.pattern, cell) is not None


def write_table(frame: pd.DataFrame, path: str | Path, comments: Sequence[str] = ()) -> None:
    """Write a tidy TSV: whole or not at all, missing cells empty, numbers so that they read back to the same value.

    Parameters
    ----------
    frame
        Written without its index.
    path
        Target; ``-`` is standard output. A name that ends in ``.gz`` is compressed (without a time stamp, so that equal
        tables are equal files).
    comments
        Lines put before the header, each behind ``# ``.

    Notes
    -----
    What :func:`read_table` reads back is the same but for rows without any content, which it passes over, and white
    space around text.
    """
    head = "".join(f"# {line}\n" for comment in comments for line in comment.splitlines() or [""])
    pieces = table_pieces(frame)
    if pieces is not None:
        write_pieces(itertools.chain([head], pieces), path)
        return
    buffer = io.StringIO()
    frame.to_csv(buffer, sep="\t", index=False, na_rep="", lineterminator="\n")
    if "\r" in buffer.getvalue():
        # The csv module does not quote a lone carriage return, which readers take for the end of the line.
        buffer = io.StringIO()
        frame.to_csv(buffer, sep="\t", index=False, na_rep="", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    write_pieces([head, buffer.getvalue()], path)


def missing_columns(frame: pd.DataFrame, table: Table, source: str) -> list[Problem]:
    """Return a problem for each required column of `table` that a frame handed to the API lacks."""
    return [
        Problem(f"column {column.name!r} is missing", "add it", source, column=column.name)
        for column in table.columns
        if column.required and column.name not in frame.columns
    ]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells); comments before the header and rows without content are passed over.

    Raises :class:`InputError` with the line where a quoted cell begins that has no end.
    """
    lines = io.StringIO(text, newline="")
    before = 0
    # Comments are taken off first: a quote in one of them means nothing.
    while True:
        start = lines.tell()
        comment = lines.readline()
        if not comment or not (comment.startswith("#") or not comment.strip()):
            break
        before += 1
    lines.seek(start)
    reader = csv.reader(lines, delimiter="\t", strict=True)
    previous = 0
    try:
        for row in reader:
            line, previous = before + previous + 1, reader.line_num
            if any(cell.strip() for cell in row):
                yield line, row
    except csv.Error as error:
        line = before + previous + 1
        if "unexpected end" in str(error):
            problem = Problem('a quote (") opens a cell here and is never closed', "remove or close it", line=line)
        elif "expected after" in str(error):
            problem = Problem('a cell goes on after its closing quote (")', "remove the quotes", line=line)
        elif "field larger" in str(error):
            fix = "look at this line: something else was pasted into it, or a quote is missing"
            problem = Problem(f"a cell has more than {csv.field_size_limit()} characters", fix, line=line)
        else:
            problem = Problem(f"not a tab-separated table ({error})", "export it again as TSV", line=line)
        raise InputError(problem) from None


def empty_table(table: Table) -> pd.DataFrame:
    """Return a frame without rows that has the required columns of `table`."""
    index = pd.Index([], name="line", dtype="int64")
    return pd.DataFrame({c.name: typed([], c.kind, index) for c in table.columns if c.required}, index=index)
