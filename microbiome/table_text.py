"""The text of a table, piece by piece: what the csv module would write, for millions of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

__all__ = ["table_pieces"]

# Cells of a piece: bounds the memory at some tens of MB.
_CELLS = 1 << 18
# A cell or name with one of these has to be quoted.
_QUOTED = frozenset('\t\n\r"')


def table_pieces(frame: pd.DataFrame) -> Iterator[str] | None:
    """Return the text of a table in pieces, header first: cells by tabs, missing ones empty, numbers as ``repr``.

    Returns
    -------
    iterator of str, or None
        None where the table is not of this simple kind: a cell or name that needs quotes, one column alone, or a type
        other than text, numbers and flags.
    """
    names = [str(name) for name in frame.columns]
    if len(names) < 2 or any(_needs_quotes(name) for name in names):
        return None
    columns = [frame.iloc[:, place] for place in range(len(names))]
    if not all(_is_simple(column) for column in columns):
        return None
    return _pieces(names, columns, len(frame))


def _pieces(names: list[str], columns: list[pd.Series], rows: int) -> Iterator[str]:
    yield "\t".join(names) + "\n"
    step = max(1, _CELLS // len(names))
    for start in range(0, rows, step):
        texts = [_texts(column.iloc[start : start + step]) for column in columns]
        yield "\n".join(map("\t".join, zip(*texts, strict=True))) + "\n"


def _needs_quotes(text: str) -> bool:
    return not _QUOTED.isdisjoint(text)


def _is_simple(column: pd.Series) -> bool:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fi":
        return column.dtype.kind == "i" or column.dtype == np.float64
    if isinstance(column.dtype, pd.Int64Dtype):
        return True
    if column.dtype != object:
        return False
    return all(type(value) is str and not _needs_quotes(value) for value in column.dropna().unique())


def _texts(column: pd.Series) -> list[str]:
    """Return the cells of a part of a column."""
    missing = column.isna().to_numpy(dtype=bool)
    if column.dtype == object:
        cells: list[str] = column.to_list()
    elif column.dtype == np.float64:
        cells = list(map(repr, column.to_list()))
    else:
        cells = list(map(str, column.fillna(0).to_numpy(dtype=np.int64).tolist()))
    for place in np.flatnonzero(missing).tolist():
        cells[place] = ""
    return cells
