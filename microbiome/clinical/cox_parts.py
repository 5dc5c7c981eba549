"""What goes into a Cox model and what comes out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Fit", "Ratio", "Term", "Tested"]


@dataclass(frozen=True)
class Term:
    """A predictor as columns of a model.

    Parameters
    ----------
    name
        The predictor.
    columns
        **subject x column**: a number in its unit, or 0 and 1 for each level but the reference.
    levels
        Level of each column; empty for a number.
    reference
        The level that others are compared with; empty for a number.
    units
        What the hazard ratio of each column is per.
    note
        What a reader must know.
    """

    name: str
    columns: np.ndarray
    levels: tuple[str, ...] = ()
    reference: str = ""
    units: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Tested:
    """A chi-square test."""

    statistic: float = math.nan
    df: int = 0
    p_value: float = math.nan


@dataclass(frozen=True)
class Ratio:
    """The hazard ratio of one column; NaN where there is none, and in words why.

    Parameters
    ----------
    ratio, low, high
        With its interval.
    wald
        P-value of Wald's test.
    likelihood
        Likelihood-ratio test of this column, all others kept.
    note
        Why a number is missing.
    """

    ratio: float
    low: float
    high: float
    wald: float
    likelihood: Tested
    note: str = ""


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Parameters
    ----------
    untestable
        Why there is none; empty where there is.
    ratios
        Of each term, one for each column.
    likelihood
        Likelihood-ratio test of each term, all others kept.
    hazards
        Test of proportional hazards of each term, and at the end of all together.
    model
        Likelihood-ratio test of the whole model.
    harrell
        Concordance and its standard error.
    variables
        Coefficients.
    """

    untestable: str = ""
    ratios: list[list[Ratio]] = field(default_factory=list)
    likelihood: list[Tested] = field(default_factory=list)
    hazards: list[Tested] = field(default_factory=list)
    model: Tested = field(default_factory=Tested)
    harrell: tuple[float, float] = (math.nan, math.nan)
    variables: int = 0
