"""What was measured: one form for metabolites, cytokines, cell counts, taxa and enzymes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """One table of measurements.

    Parameters
    ----------
    name
        Short name: the key of the table in the configuration, ``taxa``, ``ec``, ...
    values
        **row x feature**, ``float64``; the index is unique. Missing where it was not measured, and where it was below
        (or above) what can be measured: `below` and `above` tell the one from the other.
    rows
        The same index; ``subject`` (text), ``day`` (``Int64``, missing for donors) and ``sample`` (text, missing where
        the row is not a stool sample).
    below, above
        **row x feature** as `values`: the limit of detection where the cell said ``<limit`` (or ``>limit``), else
        missing. Empty frames where no cell did.
    unit
        Unit of the values, as the user names it; empty where nobody said.
    transform
        What is to be done before analysis: ``none``, ``log``, ``log2``, ``log10``, ``asinh``, ``logit`` or ``rank``.
        `values` are as measured.
    """

    name: str
    values: pd.DataFrame
    rows: pd.DataFrame
    below: pd.DataFrame = field(default_factory=pd.DataFrame)
    above: pd.DataFrame = field(default_factory=pd.DataFrame)
    unit: str = ""
    transform: str = "none"
