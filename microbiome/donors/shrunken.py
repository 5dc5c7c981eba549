"""What shrinkage returns: the estimate of each group, how much groups differ, and the words for what cannot be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Shrunken", "Spread", "no_spread", "nothing", "too_few", "words"]

# With fewer groups than this their spread is hardly known.
_FEW = 10


@dataclass(frozen=True)
class Spread:
    """How much groups differ.

    Parameters
    ----------
    mean, low, high
        Mean of the population of groups, with 95 % interval; NaN where there is none.
    between_sd
        Standard deviation between groups beyond chance; NaN where it cannot be told.
    statistic, df, i_squared
        Cochran's Q, groups - 1, and max(0, (Q - df) / Q).
    groups, n
        How many.
    method
        Estimator.
    note
        Why a number is missing, or what it rests on.
    """

    mean: float
    low: float
    high: float
    between_sd: float
    statistic: float
    df: int
    i_squared: float
    groups: int
    n: int
    method: str
    note: str


@dataclass(frozen=True)
class Shrunken:
    """The estimate of each group; arrays in the order of the groups.

    Parameters
    ----------
    estimate, low, high
        Shrunken estimate with 95 % interval.
    weight
        Share of the group's own data in it; the rest is the mean.
    note
        Why these are missing, or what they rest on; the same of every group.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray
    note: str


def words(groups: int, variance: float) -> str:
    """Say what the estimates rest on, with this variance between groups; empty where there is nothing to say."""
    if variance <= 1e-12:
        return f"the {groups} donors spread no more than chance does: all are drawn wholly to the common mean"
    if groups < _FEW:
        return f"{groups} donors tell little of the spread between donors, which their intervals allow for"
    return ""


def too_few(groups: int) -> str:
    """Say that fewer than two groups have data."""
    return "not shrunk: " + ("one donor has recipients that tell" if groups else "no donor has recipients that tell")


def nothing(size: int, note: str) -> Shrunken:
    """Return missing estimates with their reason."""
    missing = np.full(size, np.nan)
    return Shrunken(missing, missing, missing, missing, note)


def no_spread(groups: int, n: int, method: str, note: str) -> Spread:
    """Return a spread that cannot be told, with its reason."""
    nan = math.nan
    note = note.replace("not shrunk", "not testable")
    return Spread(nan, nan, nan, nan, nan, max(groups - 1, 0), nan, groups, n, method, note)
