"""Rows of thousands of numbers, to text and back: quick, and nothing but what a row needs is held."""

from __future__ import annotations

import numpy as np

__all__ = ["lines_of", "number_of", "number_row", "numbers_of"]

_TAB, _ZERO, _POINT = (ord(letter) for letter in "\t0.")
# Below this many cells the plain way is the quicker one.
_FEW = 64


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, ended as Unix, Windows or old Macs end them.

    Not ``splitlines()``: that also splits at form feeds and at separators of Unicode, which a name may have.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def number_of(cell: str) -> float:
    """Return the number of a cell as ``float`` reads it, but for what only Python takes for a number.

    ``6_0.0`` and digits of other scripts come of damage or of another program's thousands: :class:`ValueError`.
    """
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)
    return float(cell)


def numbers_of(text: str) -> np.ndarray:
    """Return the numbers of the cells of a row, separated by tabs, each as :func:`number_of` reads it.

    Nine in ten cells of a row of a profile are ``0`` or ``0.0``: only the others are read one by one.

    Raises
    ------
    ValueError
        Where :func:`number_of` raises it.
    """
    # Of the whole row at once: two searches, where a look at each cell would take longer than reading it.
    if "_" in text or not text.isascii():
        raise ValueError("could not convert to float: a cell has an underscore or a letter that is not ASCII")
    if text.count("\t") < _FEW:
        return np.array(list(map(float, text.split("\t"))))
    # Padded, so that a cell at the end can be looked at three bytes far.
    letters = np.frombuffer(f"{text}\t\t\t".encode(), dtype=np.uint8)
    ends = np.flatnonzero(letters[:-2] == _TAB)
    starts = np.concatenate([[0], ends[:-1] + 1])
    length = ends - starts
    nil = letters[starts] == _ZERO
    nil &= (length == 1) | ((length == 3) & (letters[starts + 1] == _POINT) & (letters[starts + 2] == _ZERO))
    others = np.flatnonzero(~nil)
    if 2 * len(others) > len(length):
        return np.array(list(map(float, text.split("\t"))))
    values = np.zeros(len(length))
    places = zip(starts[others].tolist(), ends[others].tolist(), strict=True)
    values[others] = [float(text[start:end]) for start, end in places]
    return values


def number_row(row: np.ndarray) -> str:
    """Return the numbers of a row as cells separated by tabs, so that they read back to the same values."""
    found = np.flatnonzero(row)
    if 2 * len(found) > len(row):
        return "\t".join(map(repr, row.tolist()))
    cells = ["0.0"] * len(row)
    for place, value in zip(found.tolist(), row[found].tolist(), strict=True):
        cells[place] = repr(value)
    return "\t".join(cells)
