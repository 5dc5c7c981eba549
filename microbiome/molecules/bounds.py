"""Between which values a feature can be measured, and what a zero means where a logarithm is to be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from microbiome.errors import Problem
from microbiome.molecules.tables import FEATURE_LIMITS
from microbiome.molecules.transforms import LOGARITHMS, upper_end
from microbiome.tsv import parse_table

__all__ = ["Bounds", "Readings", "censor", "parse_bounds"]


@dataclass(frozen=True)
class Bounds:
    """Limits of detection (`low`) and of quantification (`high`) by feature, and one for all others."""

    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    everywhere: float | None = None

    def lows(self, features: Sequence[str]) -> np.ndarray:
        """Limit of detection per feature; NaN where it is not known."""
        rest = np.nan if self.everywhere is None else self.everywhere
        return np.array([self.low.get(feature, rest) for feature in features], dtype=float)

    def highs(self, features: Sequence[str]) -> np.ndarray:
        """Upper limit per feature; NaN where it is not known."""
        return np.array([self.high.get(feature, np.nan) for feature in features], dtype=float)


@dataclass(frozen=True)
class Readings:
    """What the cells say, row x feature.

    Parameters
    ----------
    values
        Numbers; NaN where there is none.
    below, above
        The limit where the cell was ``<limit`` or ``>limit``, infinite (``-inf``, ``inf``) where it named a limit
        without telling it (``<LOD``); else NaN.
    """

    values: np.ndarray
    below: np.ndarray
    above: np.ndarray


def parse_bounds(path: str | Path | None, everywhere: float | None = None) -> tuple[Bounds, list[Problem]]:
    """Read a table of limits (:data:`microbiome.molecules.tables.FEATURE_LIMITS`); None is none."""
    if not path:
        return Bounds(everywhere=everywhere), []
    frame, problems = parse_table(path, FEATURE_LIMITS)
    # A row without the name of its feature is a problem already.
    frame = frame[frame["feature"].notna()]
    low = {feature: limit for feature, limit in zip(frame["feature"], frame["lod"], strict=True) if limit == limit}
    high: dict[str, float] = {}
    if "upper" in frame:
        high = {feature: top for feature, top in zip(frame["feature"], frame["upper"], strict=True) if top == top}
    if "upper" in frame:
        for line, feature in frame.loc[frame["lod"] >= frame["upper"], "feature"].items():
            message = f"the upper limit of {feature!r} is not above its lod"
            problems.append(Problem(message, "correct one of them", str(path), int(str(line)), "upper"))
    return Bounds(low, high, everywhere), problems


def censor(readings: Readings, low: np.ndarray, transform: str, unit: str) -> tuple[Readings, np.ndarray, np.ndarray]:
    r"""Take for below (above) the limit what a logarithm cannot be taken of.

    Parameters
    ----------
    readings
        With finite limits.
    low
        Limit of detection per feature, NaN where it is not known.
    transform, unit
        As of :class:`microbiome.molecules.Measured`.

    Returns
    -------
    readings
        Under ``log``, ``log2``, ``log10`` and ``logit`` a 0 is a value below the limit of detection of its feature:
        the stated one, else the smallest value above 0 that the feature has (numbers and stated limits alike), else,
        for a feature that has none, the smallest of the whole table. Under ``logit`` the upper end (1, or 100 %) is
        above the largest value below it, found in the same way. Otherwise as given.
    zeros, ends
        Boolean row x feature: which cells these were.
    """
    values, below, above = readings.values.copy(), readings.below.copy(), readings.above.copy()
    none = np.zeros(values.shape, dtype=bool)
    if transform not in (*LOGARITHMS, "logit"):
        return Readings(values, below, above), none, none
    zeros = values == 0
    stated = np.broadcast_to(low, values.shape)
    limit = np.where(np.isfinite(stated) & (stated > 0), stated, _smallest(values, below))
    below[zeros] = limit[zeros]
    values[zeros] = np.nan
    ends = none
    if transform == "logit":
        top = upper_end(unit)
        ends = values == top
        above[ends] = (top - _smallest(top - values, top - above))[ends]
        values[ends] = np.nan
    return Readings(values, below, above), zeros, ends


def _smallest(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Smallest value above 0 of each column, of all columns where it has none, broadcast to the whole shape."""
    both = np.concatenate([values, limits])
    positive = np.where(both > 0, both, np.inf)
    of_column = positive.min(axis=0)
    return np.broadcast_to(np.where(np.isfinite(of_column), of_column, positive.min()), values.shape)
