"""What a cell of a table of measurements says: a number, nothing, or that it is below or above what can be measured."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from microbiome.validation import is_number, shown

__all__ = ["Cell", "parse_cell"]

#: What programs write where nothing was measured.
MISSING = ("", "NA", "NaN", "nan")
_BOUND = re.compile(r"([<>])\s*(.*)", re.DOTALL)
_NAMED_LOW = re.compile(r"(L?LO[DQ]|DL)", re.IGNORECASE)
_NAMED_HIGH = re.compile(r"(ULO[DQ])", re.IGNORECASE)


@dataclass(frozen=True)
class Cell:
    """One cell.

    Parameters
    ----------
    kind
        ``number``, ``missing``, ``below`` or ``above`` a limit, or ``bad``.
    value
        The number, or the limit; NaN where there is none, or where the cell names a limit that stands elsewhere
        (``<LOD``).
    message, fix
        What is wrong with a bad cell.
    """

    kind: Literal["number", "missing", "below", "above", "bad"]
    value: float = math.nan
    message: str = ""
    fix: str = ""


def parse_cell(text: str) -> Cell:
    """Parse one cell.

    ``0.5`` is a number; an empty cell, ``NA`` and ``NaN`` are missing; ``<0.5`` (``< 0.5``) is below the limit 0.5 and
    ``>100`` above 100; ``<LOD``, ``<LOQ``, ``<LLOD``, ``<LLOQ`` and ``<DL`` are below, ``>ULOD`` and ``>ULOQ`` above a
    limit that the cell does not tell. All else is bad: also ``n.d.``, which may mean *not done* or *not detected*.
    """
    cell = text.strip()
    if cell in MISSING:
        return Cell("missing")
    if is_number(cell):
        return Cell("number", float(cell))
    bound = _BOUND.fullmatch(cell)
    if bound:
        mark, limit = bound.groups()
        kind: Literal["below", "above"] = "below" if mark == "<" else "above"
        if is_number(limit):
            return Cell(kind, float(limit))
        if (_NAMED_LOW if mark == "<" else _NAMED_HIGH).fullmatch(limit):
            return Cell(kind)
        fix = f"write {mark} and the limit, such as {mark}0.5"
        if "," in limit:
            fix += ", decimals with a point"
        return Cell("bad", message=f"{shown(text)} names no limit", fix=fix)
    if "," in cell:
        thousands = is_number(cell.replace(",", "")) and ("." in cell or cell.count(",") > 1)
        fix = "leave the commas out" if thousands else "write decimals with a point"
    else:
        fix = "write a number, <LIMIT or >LIMIT; leave the cell empty where nothing was measured"
    return Cell("bad", message=f"{shown(text)} is not a number", fix=fix)
