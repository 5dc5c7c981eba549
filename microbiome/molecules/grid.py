"""The text of a table of measurements as header and rows, with the line of each."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

from microbiome.errors import Problem
from microbiome.molecules.cells import parse_cell

__all__ = ["Grid", "read_grid"]


@dataclass(frozen=True)
class Grid:
    """Header and rows of a TSV.

    Parameters
    ----------
    header
        Names of the columns without white space around them, and without the ``#`` that some headers begin with.
    line
        Line of the header in the file.
    rows
        Line and cells of each row that has any content; as many cells as the header has.
    whole
        False where rows could not be read.
    """

    header: list[str] = field(default_factory=list)
    line: int = 0
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    whole: bool = True


def read_grid(text: str, file: str) -> tuple[Grid, list[Problem]]:
    """Split a TSV into header and rows.

    Comment lines (``#...``) before the header are skipped; a header that itself begins with ``#`` is understood. Cells
    may be quoted. Blank rows are passed over.

    Parameters
    ----------
    text
        The whole text.
    file
        Name used in messages.

    Returns
    -------
    grid, problems
        Rows with another number of cells than the header, a quote without end, an empty file are problems.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if start is None:
        return Grid(), [Problem("the file is empty", "write a header row: sample, then the features", file)]
    start -= _header_above(lines, start)
    problems: list[Problem] = []
    reader = csv.reader(io.StringIO("\n".join(lines[start:]), newline=""), delimiter="\t", strict=True)
    table: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for row in reader:
            line, before = start + before + 1, reader.line_num
            if any(cell.strip() for cell in row):
                table.append((line, row))
    except csv.Error as error:
        line = start + before + 1
        problems.append(Problem(f"not a tab-separated table ({error})", "mend the quotes of this row", file, line))
    if not table:
        empty = Problem("the file is empty", "write a header row: sample, then the features", file)
        return Grid(), problems or [empty]
    line, first = table[0]
    header = [cell.strip() for cell in first]
    header[0] = header[0].lstrip("#").strip()
    if len(header) == 1:
        marks = [(",", "commas"), (";", "semicolons"), ("|", "bars"), (" ", "spaces")]
        word = next((f"by {word}" for mark, word in marks if mark in header[0]), "")
        message = f"the columns are separated {word}" if word else "the header has one column only"
        return Grid(), [*problems, Problem(message, "separate them by tabs (TSV)", file, line, value=first[0])]
    rows = []
    for number, row in table[1:]:
        if len(row) == len(header):
            rows.append((number, row))
            continue
        message = f"the row has {len(row)} cells, the header has {len(header)}"
        problems.append(Problem(message, "separate all cells by tabs, also the empty ones", file, number))
    return Grid(header, line, rows, not problems), problems


def _header_above(lines: list[str], start: int) -> bool:
    """Tell whether the comment above is the header: as many cells, and what stands below it can only be values."""
    above = lines[start - 1] if start else ""
    cells = lines[start].split("\t")[1:]
    if not above.startswith("#") or above.count("\t") != len(cells) or not cells:
        return False
    return all(parse_cell(cell.strip('"')).kind != "bad" for cell in cells)
