"""Groups of independent subjects with covariates held constant: least squares and Freedman-Lane permutations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from microbiome.stats.intervals import Interval
from microbiome.stats.permutations import Design, restrict
from microbiome.stats.tests import TestResult
from microbiome.stats.values import check_level

__all__ = ["Adjusted", "adjust", "freedman_lane", "independent_columns"]

_BLOCK = 1 << 20
# A column whose part outside the others is below this share of its length depends on them.
_DEPENDENT = 1e-10
# Statistics closer than this share are equal.
_TIE = 1e-9


@dataclass(frozen=True)
class Adjusted:
    """Values with the covariates held at their mean.

    Parameters
    ----------
    adjusted
        Of each subject: the value less what the covariates' difference from their mean explains.
    difference
        Mean of the second group less that of the first, of these values: the coefficient of the group.
    df
        Degrees of freedom of its t interval: subjects - coefficients.
    """

    adjusted: np.ndarray
    difference: Interval
    df: int


def independent_columns(columns: np.ndarray, given: np.ndarray) -> list[int]:
    """Return which columns, from left to right, do not depend linearly on `given` and on those taken before.

    Parameters
    ----------
    columns, given
        **subject x column**; `given` usually holds the intercept.
    """
    basis = np.linalg.qr(given)[0] if given.shape[1] else given
    taken = []
    for place in range(columns.shape[1]):
        column = columns[:, place]
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > _DEPENDENT * max(float(np.linalg.norm(column)), 1e-300):
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            taken.append(place)
    return taken


def adjust(values: ArrayLike, second: ArrayLike, covariates: ArrayLike, level: float = 0.95) -> Adjusted:
    r"""Compare two groups by least squares with covariates.

    :math:`y = \beta_0 + \beta_1 g + Z \gamma + e` with g = 1 in the second group; the adjusted values are
    :math:`y - (Z - \bar Z) \hat\gamma`, whose means differ by :math:`\hat\beta_1`. Interval:
    :math:`\hat\beta_1 \pm t_{n - p} \, se`. R ``confint(lm(y ~ g + Z))``.

    Parameters
    ----------
    values
        One number per subject, none missing.
    second
        True for the subjects of the second group.
    covariates
        **subject x covariate**, numbers, none missing. Columns that depend on others are left out.
    level
        Confidence level.

    Raises
    ------
    ValueError
        When the group is a linear combination of the covariates, or not more subjects than coefficients.
    """
    check_level(level)
    y, group, z = _checked(values, np.asarray(second, dtype=float)[:, np.newaxis], covariates)
    n, p = len(y), 2 + z.shape[1]
    if n <= p:
        raise ValueError("there are not more subjects than coefficients")
    design = np.column_stack([np.ones(n), group, z])
    if len(independent_columns(group, np.column_stack([np.ones(n), z]))) < 1:
        raise ValueError("the group is a combination of the covariates")
    inverse = np.linalg.inv(design.T @ design)
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    residual = y - design @ beta
    se = math.sqrt(float(residual @ residual) / (n - p) * float(inverse[1, 1]))
    half = float(stats.t.ppf((1 + level) / 2, n - p)) * se
    effect = float(beta[1])
    if se <= 1e-12 * float(np.abs(y).max()):
        half = math.nan
    return Adjusted(y - z @ beta[2:], Interval(effect, effect - half, effect + half, n, "least_squares_t"), n - p)


def freedman_lane(
    values: ArrayLike,
    labels: ArrayLike,
    covariates: ArrayLike,
    strata: ArrayLike | None = None,
    permutations: int = 9999,
    seed: int = 0,
) -> TestResult:
    r"""Test whether groups differ in the mean with covariates held constant, by permuting residuals.

    The values less what the covariates explain, :math:`e = (I - H_Z) y`, change places between subjects; of each
    arrangement the partial F of the groups is taken, with groups and covariates staying with the subject:

    .. math:: F^* \propto \frac{|(H_{XZ} - H_Z) e^*|^2}{|(I - H_{XZ}) e^*|^2}

    Parameters
    ----------
    values
        One number per subject, none missing.
    labels
        Group of each subject; the first in sorted order is 0.
    covariates
        **subject x covariate**, numbers, none missing.
    strata
        Residuals change places only within strata. To hold the strata constant as well, have them among the
        covariates.
    permutations, seed
        As in :func:`microbiome.stats.tests.group_permutation`.

    Returns
    -------
    TestResult
        Statistic: the coefficient of label 1 against label 0, F with more groups. ``p_floor`` is one over the number of
        arrangements that differ, not below 1 / (m + 1).

    Raises
    ------
    ValueError
        When groups are linear combinations of the covariates, or not more subjects than coefficients.

    Notes
    -----
    Not exact: residuals of a fitted model are not exchangeable in the strict sense, and the test holds its level
    closely, not by construction. "exact" in ``scheme`` says that all arrangements were looked at. The result depends
    on the order of the subjects only through the random numbers: have them in an order of your own (by name).

    References
    ----------
    Freedman & Lane, J Bus Econ Stat 1:292 (1983), 10.2307/1391660; Winkler et al, NeuroImage 92:381 (2014),
    10.1016/j.neuroimage.2014.01.060.
    """
    names, code = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    y, groups, z = _checked(values, (code[:, None] == np.arange(1, len(names))).astype(float), covariates)
    n = len(y)
    given = np.column_stack([np.ones(n), z])
    if len(names) < 2 or len(independent_columns(groups, given)) < len(names) - 1:
        raise ValueError("the group is a combination of the covariates")
    if n <= given.shape[1] + groups.shape[1]:
        raise ValueError("there are not more subjects than coefficients")
    q_z = np.linalg.qr(given)[0]
    q_x = np.linalg.qr(groups - q_z @ (q_z.T @ groups))[0]
    residual = y - q_z @ (q_z.T @ y)
    statistic = _statistic(np.arange(n)[np.newaxis], residual, q_x, q_z)[0]
    # Subjects with the same group and covariates are alike: exchanging them changes nothing.
    rows, alike = np.unique(np.column_stack([code, z]).round(12), axis=0, return_inverse=True)
    stratum = None if strata is None else np.unique(np.asarray(strata, dtype=str), return_inverse=True)[1]
    design = _within(alike.reshape(-1).astype(np.int32), stratum)
    first = np.array([np.flatnonzero(alike.reshape(-1) == row)[0] for row in range(len(rows))])
    exact = design.arrangements <= permutations + 1
    extreme = 0
    for labels_drawn in _arrangements(design, permutations, seed, exact):
        drawn = _statistic(first[labels_drawn], residual, q_x, q_z)
        extreme += int((drawn >= statistic * (1 - _TIE)).sum())
    if len(names) == 2:
        shown = float(np.linalg.lstsq(np.column_stack([groups, given]), y, rcond=None)[0][0])
    else:
        freedom = n - given.shape[1] - groups.shape[1]
        shown = float(statistic) * freedom / groups.shape[1]
    if exact:
        return TestResult(shown, extreme / design.arrangements, 1 / design.arrangements, design.arrangements, "exact")
    floor = max(1 / design.arrangements, 1 / (permutations + 1))
    return TestResult(shown, (extreme + 1) / (permutations + 1), floor, permutations, "monte_carlo")


def _checked(values: ArrayLike, groups: np.ndarray, covariates: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, z = np.asarray(values, dtype=float), np.asarray(covariates, dtype=float)
    z = z.reshape(len(y), -1)
    if not len(y) == len(groups) == len(z):
        raise ValueError("values, groups and covariates do not have the same length")
    if not (np.isfinite(y).all() and np.isfinite(z).all()):
        raise ValueError("a value is missing or infinite")
    z = z[:, independent_columns(z, np.ones((len(y), 1)))]
    return y, groups, z - z.mean(axis=0)


def _within(labels: np.ndarray, strata: np.ndarray | None) -> Design:
    """Return the design in which labels change places within strata, never strata as wholes."""
    if strata is None:
        return restrict(labels)
    blocks = [restrict(labels[strata == stratum]) for stratum in range(strata.max() + 1)]
    places = tuple(np.flatnonzero(strata == stratum) for stratum in range(strata.max() + 1))
    return Design("within strata", np.arange(len(labels)), labels, places, math.prod(b.arrangements for b in blocks), 1)


def _arrangements(design: Design, permutations: int, seed: int, exact: bool) -> Iterator[np.ndarray]:
    size = max(1, _BLOCK // len(design.labels))
    if exact:
        yield from design.every(size)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, permutations, size):
        yield design.draw(rng, min(size, permutations - start))


def _statistic(places: np.ndarray, residual: np.ndarray, q_x: np.ndarray, q_z: np.ndarray) -> np.ndarray:
    """Return the explained over the unexplained sum of squares for each row of places."""
    of_groups = sum((q_x[places, i] @ residual) ** 2 for i in range(q_x.shape[1]))
    of_covariates = sum((q_z[places, i] @ residual) ** 2 for i in range(q_z.shape[1]))
    total = float(residual @ residual)
    rest = np.maximum(total - of_groups - of_covariates, 1e-12 * max(total, 1e-300))
    return np.asarray(of_groups / rest)
