"""Transforms of measurements, and numbers for what lies beyond a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from microbiome.molecules.measured import Measured
from microbiome.molecules.tables import TRANSFORMS

__all__ = ["LOGARITHMS", "TRANSFORMS", "filled", "transform_values", "transformed", "upper_end"]

LOGARITHMS = ("log", "log2", "log10")

_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": np.array,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "asinh": np.arcsinh,
}
_PERCENT = ("%", "percent", "per cent")


def upper_end(unit: str) -> float:
    """Return the largest value that a fraction can have in that unit: 100 of percentages (``% ...``), else 1."""
    return 100.0 if unit.strip().lower().startswith(_PERCENT) else 1.0


def transform_values(values: np.ndarray, transform: str, unit: str = "") -> np.ndarray:
    r"""Transform measurements.

    Parameters
    ----------
    values
        row x feature; NaN stays NaN.
    transform
        ``none``; ``log``, ``log2``, ``log10`` of values above 0; ``asinh``, :math:`\log(x + \sqrt{x^2 + 1})`;
        ``logit``, :math:`\log(x / (u - x))` with :math:`0 < x < u`; ``rank``, :math:`(r - 1/2) / n` with r the mean
        rank among the n values of the feature.
    unit
        Where it begins with ``%`` or ``percent``, u is 100, else 1.

    Raises
    ------
    ValueError
        For a transform that is not known, and for values outside its domain.
    """
    values = np.asarray(values, dtype=float)
    top = upper_end(unit)
    low = 0.0 if transform in (*LOGARITHMS, "logit") else -np.inf
    high = top if transform == "logit" else np.inf
    if (values <= low).any() or (values >= high).any():
        raise ValueError(f"{transform} of values that are not above {low:g} and below {high:g}")
    if transform == "rank":
        ranks = pd.DataFrame(values).rank(axis=0)
        return ((ranks - 0.5) / ranks.count(axis=0)).to_numpy(dtype=float)
    if transform == "logit":
        return np.asarray(np.log(values) - np.log(top - values))
    if transform not in _FUNCTIONS:
        raise ValueError(f"transform {transform!r}; known are {', '.join(TRANSFORMS)}")
    return _FUNCTIONS[transform](values)


def filled(measured: Measured, beyond: Literal["half", "limit", "missing"] = "half") -> pd.DataFrame:
    r"""Return the values with a number where a cell is below or above its limit.

    Parameters
    ----------
    measured
        The table.
    beyond
        ``half``: half the limit where it is below one that is above 0 (with a transform of ``none`` or ``rank`` it thus
        lies below every value that could be measured); a limit of 0 or less stands for itself. ``limit``: the
        limit itself. ``missing``: nothing. What is above a limit is that limit (a fraction under ``logit``: half way
        from the limit to its upper end).

    Returns
    -------
    DataFrame
        row x feature as ``measured.values``, in its unit. A fixed number in place of a spread one makes the variance
        too small where many cells are beyond the limit: rank methods do not mind, others should be told how many.
    """
    values = measured.values.copy()  # noqa: PD011
    if beyond == "missing":
        return values
    if not measured.below.empty:
        limit = measured.below.reindex(index=values.index, columns=values.columns)
        values = values.where(limit.isna(), limit.where((limit <= 0) | (beyond == "limit"), limit / 2))
    if not measured.above.empty:
        limit = measured.above.reindex(index=values.index, columns=values.columns)
        inner = measured.transform == "logit" and beyond == "half"
        values = values.where(limit.isna(), (limit + upper_end(measured.unit)) / 2 if inner else limit)
    return values


def transformed(measured: Measured, beyond: Literal["half", "limit", "missing"] = "half") -> pd.DataFrame:
    """Return the table on the scale it is analysed on: :func:`filled`, then :func:`transform_values`.

    Parameters
    ----------
    measured
        The table with its transform and unit.
    beyond
        As in :func:`filled`.

    Returns
    -------
    DataFrame
        row x feature; missing where it was not measured.
    """
    values = filled(measured, beyond)
    result = transform_values(values.to_numpy(dtype=float), measured.transform, measured.unit)
    return pd.DataFrame(result, index=values.index, columns=values.columns)
