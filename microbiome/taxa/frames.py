"""Frames in the form that their declaration asks for."""

from __future__ import annotations

import pandas as pd

from microbiome.tables import Table

__all__ = ["as_declared"]

_DTYPES = {"integer": "Int64", "flag": "Int64", "number": "float64"}


def as_declared(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return the columns of `table` in their order and types, absent ones missing; missing text is None."""
    columns = {}
    for column in table.columns:
        cells = frame[column.name] if column.name in frame else pd.Series(pd.NA, index=frame.index, dtype=object)
        if column.kind in _DTYPES:
            columns[column.name] = pd.to_numeric(cells).astype(_DTYPES[column.kind])
        else:
            columns[column.name] = cells.astype(object).where(cells.notna(), None)
    return pd.DataFrame(columns, index=frame.index)
