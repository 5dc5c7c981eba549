"""Reading and writing of TSV tables: strict about form, complete about problems, atomic on disk."""

from __future__ import annotations

import bz2
import csv
import errno
import gzip
import io
import math
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.tables import Column, Table
from microbiome.validation import check_header, check_key, convert, is_number, shown, typed

__all__ = [
    "atomic_path",
    "empty_table",
    "missing_columns",
    "open_text",
    "parse_features",
    "parse_table",
    "read_features",
    "read_result",
    "read_table",
    "write_features",
    "write_table",
    "write_text",
]

_NUMERIC_DTYPES = {"integer": "Int64", "flag": "Int64", "number": "float64"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = "\ufeff"
_MOST_LISTED = 100


def open_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file, plain, gzip or bzip2 (told by its first bytes, not its name).

    A byte-order mark is taken off. Raises :class:`InputError` when the file is missing, a folder, truncated,
    UTF-16, a workbook or not UTF-8.
    """
    return _decoded(path).removeprefix(_BOM)


def _decoded(path: str | Path) -> str:
    name = str(path)
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(Problem("the file does not exist", "correct the path", name)) from None
    except OSError as error:
        raise InputError(
            Problem(f"cannot be read ({error.strerror})", "correct the path or its rights", name)
        ) from None
    for magic, decompress, word in ((b"\x1f\x8b", gzip.decompress, "gzip"), (b"BZh", bz2.decompress, "bzip2")):
        if data.startswith(magic):
            try:
                data = decompress(data)
            except (EOFError, OSError, ValueError, zlib.error):
                message = f"truncated or corrupt {word} file"
                raise InputError(Problem(message, "copy or make the file again", name)) from None
            break
    if data[:4] == b"PK\x03\x04":
        raise InputError(
            Problem("the file is a workbook or zip archive", "export the sheet as tab-separated text", name)
        )
    if data[:2] in _UTF16 or b"\x00" in data[:1000]:
        raise InputError(Problem("the file is not UTF-8 but looks like UTF-16", "save it as UTF-8 text", name))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(Problem("the file is not UTF-8", "save it as UTF-8 text", name, line)) from None


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
        free text are warnings: the table is read without them.
    """
    name = str(path)
    try:
        text = _decoded(path)
    except InputError as error:
        return empty_table(table), list(error.problems)
    problems: list[Problem] = []
    if text.startswith(_BOM):
        text = text.removeprefix(_BOM)
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
    problems.sort(key=lambda problem: problem.line or 0)
    if any(column.required and column.name not in header for column in table.columns):
        frame = empty_table(table)
    return frame, problems


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
    skip = 0
    for line in text.split("\n", 1000):
        if not line.startswith("#"):
            break
        skip += 1
    declared = {column.name: column for column in table.columns}
    try:
        names = next(csv.reader([text.split("\n", skip + 1)[skip].rstrip("\r")], delimiter="\t"), [])
        numeric = {
            n: _NUMERIC_DTYPES[declared[n].kind] for n in names if n in declared and declared[n].kind in _NUMERIC_DTYPES
        }
        frame = pd.read_csv(
            io.StringIO(text),
            sep="\t",
            skiprows=skip,
            dtype={n: numeric.get(n, "object") for n in names},
            keep_default_na=False,
            na_values={n: [""] for n in names},
            quoting=csv.QUOTE_MINIMAL,
            float_precision="round_trip",
        )
        # A row that is cut off is filled up with missing cells by the fast parser.
        whole = '"' in text or text[text.index(names[0]) :].count("\t") == (len(names) - 1) * (len(frame) + 1)
        if whole and len(set(names)) == len(names) and _is_valid(frame, table):
            strings = [n for n in names if n not in numeric]
            return frame.astype(dict.fromkeys(strings, "object")).where(
                frame.notna() | ~frame.columns.isin(strings), None
            )
    except (ValueError, IndexError, pd.errors.ParserError):
        pass
    return read_table(path, table).reset_index(drop=True)


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
        if column.kind == "choice" and not there.isin(column.allowed).all():
            return False
        if column.kind == "flag" and not there.isin((0, 1)).all():
            return False
        low, high = column.minimum, column.maximum
        if (low is not None and (there < low).any()) or (high is not None and (there > high).any()):
            return False
    return not table.key or not frame.duplicated(list(table.key)).any()


def read_features(path: str | Path) -> pd.DataFrame:
    """Read a feature table (ECs, pathways, metabolites, ...): TSV of feature x sample.

    Parameters
    ----------
    path
        Plain or gzip TSV; the first column names the feature, the other headers are samples, cells are finite numbers.
        Comment lines (``#...``) before the header are skipped; a header that itself starts with ``#`` is understood.
        Feature and sample names stay strings; quotes around a cell are taken off. An empty cell is missing (NaN).

    Returns
    -------
    frame
        **sample x feature**, ``float64``; index named ``sample``, columns named ``taxon``.

    Raises
    ------
    InputError
        With every problem (of cells that are not numbers, the first 100).
    """
    return parse_features(open_text(path), str(path))


def parse_features(text: str, name: str) -> pd.DataFrame:
    """Parse the text of a feature table as :func:`read_features` does; `name` is the file named in messages."""
    # Not splitlines(): that also splits at form feeds and at Unicode separators, which a name may contain.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = _feature_header(lines)
    if start is None:
        raise InputError(Problem("the file is empty", "write a header row: feature, then the samples", name))
    samples = [_unquoted(cell) for cell in lines[start].split("\t")][1:]
    if not samples:
        raise InputError(
            Problem("the header has one column only", "separate feature and samples by tabs", name, start + 1)
        )
    problems = _feature_header_problems(samples, name, start + 1)
    features: list[str] = []
    seen: dict[str, int] = {}
    values = np.empty((len(lines) - start - 1, len(samples)))
    bad_cells = 0
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line.strip(" \t"):
            continue
        first, *row = line.split("\t")
        feature = _unquoted(first)
        if feature in seen:
            message = f"feature {shown(feature)} stands already in line {seen[feature]}"
            problems.append(Problem(message, "keep one row per feature", name, number, value=feature))
            continue
        if not feature:
            problems.append(Problem("the feature has no name", "name it or remove the row", name, number))
            continue
        seen[feature] = number
        if len(row) != len(samples):
            message = f"the row has {len(row)} values for {len(samples)} samples"
            problems.append(Problem(message, "mend the row", name, number))
            continue
        try:
            numbers = [float(cell) if cell else math.nan for cell in row]
        except ValueError:
            numbers = [math.nan]
        # float() also takes "nan", "inf" and "1_000": only cells that are surely plain numbers take the short way.
        if "_" in line or not math.isfinite(sum(numbers)):
            bad = [k for k, cell in enumerate(row) if cell.strip() and not is_number(_unquoted(cell))]
            for k in bad[: _MOST_LISTED - bad_cells]:
                fix = "write decimals with a point" if "," in row[k] else "write a number or leave it empty"
                problems.append(Problem(f"{shown(row[k])} is not a number", fix, name, number, samples[k], row[k]))
            bad_cells = min(bad_cells + len(bad), _MOST_LISTED)
            if bad:
                continue
            numbers = [float(_unquoted(cell)) if cell.strip() else math.nan for cell in row]
        values[len(features)] = numbers
        features.append(feature)
    raise_problems(problems)
    return pd.DataFrame(
        values[: len(features)].T.copy(),
        index=pd.Index(samples, name="sample", dtype=object),
        columns=pd.Index(features, name="taxon", dtype=object),
    )


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
    buffer = io.StringIO()
    for comment in comments:
        buffer.writelines(f"# {line}\n" for line in comment.splitlines() or [""])
    start = buffer.tell()
    frame.to_csv(buffer, sep="\t", index=False, na_rep="", lineterminator="\n")
    if "\r" in buffer.getvalue():
        # The csv module does not quote a lone carriage return, which readers take for the end of the line.
        buffer.seek(start)
        buffer.truncate()
        frame.to_csv(buffer, sep="\t", index=False, na_rep="", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    write_text(buffer.getvalue(), path)


def write_features(frame: pd.DataFrame, path: str | Path, corner: str = "taxon", comments: Sequence[str] = ()) -> None:
    """Write a sample x feature frame as TSV of feature x sample (the form :func:`read_features` reads)."""
    for name in [*frame.index, *frame.columns]:
        if any(mark in str(name) for mark in "\t\n\r"):
            raise ValueError(f"the name {name!r} has a tab or line break: it cannot stand in a TSV of features")
    turned = frame.T
    turned.index.name = corner
    write_table(turned.reset_index(), path, comments)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, remove it otherwise.

    A symbolic link stays one: what it points to is replaced. What is no ordinary file (``/dev/null``, a pipe) is
    written into when the block has ended well. Raises :class:`InputError` when `path` is a folder or cannot be written.
    """
    target = Path(path)
    special = target.exists() and not target.is_file()
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not special:
            target = Path(os.path.realpath(target))
            target.parent.mkdir(parents=True, exist_ok=True)
        folder = None if special else target.parent
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{target.name}."[:200], suffix=".part")
    except OSError as error:
        # mkdir() says "File exists" of a folder that is a file.
        reason = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
        raise InputError(Problem(f"cannot be written ({reason})", "choose another output file", str(path))) from error
    os.close(handle)
    part = Path(temporary)
    try:
        yield part
        if special:
            with target.open("wb") as stream:
                stream.write(part.read_bytes())
            return
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def missing_columns(frame: pd.DataFrame, table: Table, source: str) -> list[Problem]:
    """Return a problem for each required column of `table` that a frame handed to the API lacks."""
    return [
        Problem(f"column {column.name!r} is missing", "add it", source, column=column.name)
        for column in table.columns
        if column.required and column.name not in frame.columns
    ]


def write_text(text: str, path: str | Path) -> None:
    """Write text whole or not at all; ``-`` is standard output, a name that ends in ``.gz`` is compressed."""
    if str(path) == "-":
        if sys.stdout is None:
            raise InputError("standard output is closed; name a file with --output")
        sys.stdout.write(text)
        return
    with atomic_path(path) as part:
        data = text.encode()
        if str(path).endswith(".gz"):
            data = gzip.compress(data, compresslevel=6, mtime=0)
        part.write_bytes(data)


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
        else:
            problem = Problem(f"not a tab-separated table ({error})", "export it again as TSV", line=line)
        raise InputError(problem) from None


def empty_table(table: Table) -> pd.DataFrame:
    """Return a frame without rows that has the required columns of `table`."""
    index = pd.Index([], name="line", dtype="int64")
    return pd.DataFrame({c.name: typed([], c.kind, index) for c in table.columns if c.required}, index=index)


def _unquoted(cell: str) -> str:
    """Take the quotes off a cell that is quoted as a whole (R's write.table and pandas do that)."""
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _feature_header(lines: list[str]) -> int | None:
    """Position of the header: the first line without ``#``, or the ``#`` line above it when that can only be data."""
    for position, line in enumerate(lines):
        if not line.strip():
            continue
        if not line.startswith("#"):
            previous = lines[position - 1] if position else ""
            # "#OTU ID<TAB>s1<TAB>s2" is a header when the line under it is already a row of as many numbers.
            numbers = [_unquoted(cell) for cell in line.split("\t")[1:]]
            if previous.startswith("#") and previous.count("\t") == len(numbers) > 0:
                return position - 1 if all(not cell or is_number(cell) for cell in numbers) else position
            return position
    return None


def _feature_header_problems(samples: Sequence[str], file: str, line: int) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for position, sample in enumerate(samples, start=2):
        if not sample.strip():
            problems.append(Problem(f"column {position} has no name", "name it or remove it", file, line))
        elif sample != sample.strip():
            message = f"the sample name {shown(sample)} has extra white space"
            problems.append(Problem(message, f"write {sample.strip()!r}", file, line, sample.strip(), sample))
        elif sample in seen:
            message = f"sample {sample!r} stands twice in the header"
            problems.append(Problem(message, "keep one", file, line, sample, sample))
        seen.add(sample)
    return problems
