"""Reading of a table of rates: of ``microbiome rates``, ``strains rates``, or any with one row per post sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from microbiome.strains.rate_tables import STRAIN_RATES
from microbiome.tables import RATES, Table
from microbiome.tsv import read_result

__all__ = ["read_rates"]

_KEYS = ("subject", "sample", "day")
_ANY_RATES = Table(
    RATES.name,
    "One row per post sample, with numbers.",
    tuple(
        replace(column, required=column.name in _KEYS, filled=column.name in _KEYS)
        for column in {column.name: column for column in (*STRAIN_RATES.columns, *RATES.columns)}.values()
    ),
    key=RATES.key,
)


def read_rates(path: str | Path) -> pd.DataFrame:
    """Read a table with one row per post sample: ``subject``, ``sample``, ``day``, and any numbers.

    Columns of :data:`microbiome.tables.RATES` and :data:`microbiome.strains.rate_tables.STRAIN_RATES` are read as
    declared and may be absent; others are text until they are compared.

    Raises
    ------
    InputError
        With every problem of the table.
    """
    return read_result(path, _ANY_RATES)
