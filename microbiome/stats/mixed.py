"""Linear model with random intercepts of units nested in clusters: restricted maximum likelihood, in closed pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

__all__ = ["MixedFit", "containment_df", "fit_nested"]

# Start values of the ratios of standard deviations (random intercept to residual).
_STARTS = (0.0, 0.3, 1.0, 3.0, 10.0)
# Largest ratio looked for; a residual that small is none.
_LARGEST = 1e4
# A ratio of standard deviations below this is on the boundary: the variance is 0.
_ZERO = 1e-4


@dataclass(frozen=True)
class MixedFit:
    """A fitted model.

    Parameters
    ----------
    coefficients
        Of the columns of x.
    covariance
        Their covariance matrix, variances of the random intercepts taken as known.
    residual_variance, unit_variance, cluster_variance
        The last is 0 where there are no clusters.
    log_likelihood
        Restricted log-likelihood (R ``logLik(lmer(...))``).
    converged
        Whether the optimum is one: no step from it finds a larger likelihood.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    residual_variance: float
    unit_variance: float
    cluster_variance: float
    log_likelihood: float
    converged: bool


def fit_nested(y: ArrayLike, x: ArrayLike, unit: ArrayLike, cluster: ArrayLike | None = None) -> MixedFit:
    r"""Fit :math:`y = X \beta + u_{unit} + v_{cluster} + e` by restricted maximum likelihood.

    With :math:`V / \sigma^2 = I + a Z Z' + b W W'` for the ratios a, b of the variances of unit and cluster to that of
    the residual, and units nested in clusters, every sum over :math:`V^{-1}` falls apart: for M = [X y], unit i with
    :math:`n_i` values of mean :math:`\bar m_i` and :math:`w_i = n_i / (1 + n_i a)`, cluster k with
    :math:`d_k = \sum_{i \in k} w_i` and :math:`\tilde m_k` the mean of its units weighted by w,

    .. math:: M'V^{-1}M \sigma^2 = \sum_{ij} (m_{ij} - \bar m_i)^{\otimes 2}
              + \sum_{i} w_i (\bar m_i - \tilde m_{k(i)})^{\otimes 2}
              + \sum_k \frac{d_k}{1 + b d_k} \tilde m_k^{\otimes 2}, \qquad
              \log |V / \sigma^2| = \sum_i \log(1 + n_i a) + \sum_k \log(1 + b d_k)

    so that one evaluation costs no more than a regression on the means of units. The residual variance is profiled
    out; a and b are searched from several starts, as the ratios of standard deviations (lme4's theta).

    Parameters
    ----------
    y
        One number per sample, none missing.
    x
        **sample x coefficient**, of full column rank, the intercept among them.
    unit
        Unit of each sample, such as a subject.
    cluster
        Cluster of each sample, such as a donor; a missing one (None, NaN) has no random intercept. Constant within
        units. None for no clusters.

    Returns
    -------
    MixedFit
        Equal to R ``lme4::lmer(y ~ x + (1 | unit) + (1 | cluster))``.

    Raises
    ------
    ValueError
        Lengths that differ, missing values, a cluster that changes within a unit, no more samples than coefficients,
        columns of x that depend on one another, or no unit with two samples and a varying y (the residual cannot be
        told from the unit).
    """
    values, design = np.asarray(y, dtype=float), np.atleast_2d(np.asarray(x, dtype=float))
    units = np.unique(np.asarray(unit), return_inverse=True)[1]
    clusters = _codes(cluster, len(values))
    if not len(values) == len(design) == len(units) == len(clusters):
        raise ValueError("y, x, unit and cluster do not have the same length")
    if not (np.isfinite(values).all() and np.isfinite(design).all()):
        raise ValueError("a value is missing or infinite")
    n, p = design.shape
    if n <= p or np.linalg.matrix_rank(design) < p:
        raise ValueError("the coefficients are not determined by these samples")
    pieces = _pieces(np.column_stack([design, values]), units, clusters)
    if not (np.bincount(units) > 1).any() or not pieces.within[-1, -1] > 1e-20 * max(float(values @ values), 1e-300):
        raise ValueError("nothing varies within units")
    with_clusters = len(pieces.cluster_sizes) > 0 and cluster is not None
    theta, best, converged = _search(pieces, n, p, 2 if with_clusters else 1)
    a, b = theta[0] ** 2, theta[1] ** 2
    cross, _ = _cross(pieces, a, b)
    inverse = np.linalg.inv(cross[:p, :p])
    coefficients = inverse @ cross[:p, p]
    variance = float(cross[p, p] - cross[p, :p] @ coefficients) / (n - p)
    return MixedFit(coefficients, variance * inverse, variance, a * variance, b * variance, -best / 2, converged)


@dataclass(frozen=True)
class _Pieces:
    """What the likelihood needs of the data."""

    within: np.ndarray
    means: np.ndarray
    sizes: np.ndarray
    cluster: np.ndarray
    cluster_sizes: np.ndarray


def _codes(cluster: ArrayLike | None, size: int) -> np.ndarray:
    """Return clusters as 0, 1, ..., -1 where there is none."""
    if cluster is None:
        return np.full(size, -1)
    names = np.asarray(cluster, dtype=object)
    none = np.array([name is None or name != name for name in names], dtype=bool)
    codes = np.full(len(names), -1)
    codes[~none] = np.unique(names[~none].astype(str), return_inverse=True)[1]
    return codes


def _pieces(m: np.ndarray, units: np.ndarray, clusters: np.ndarray) -> _Pieces:
    sizes = np.bincount(units).astype(float)
    sums = np.zeros((len(sizes), m.shape[1]))
    np.add.at(sums, units, m)
    means = sums / sizes[:, None]
    residual = m - means[units]
    of_unit = np.full(len(sizes), -2)
    of_unit[units] = clusters
    if (of_unit[units] != clusters).any():
        raise ValueError("a unit has samples of different clusters")
    return _Pieces(residual.T @ residual, means, sizes, of_unit, np.bincount(of_unit[of_unit >= 0]))


def _cross(pieces: _Pieces, a: float, b: float) -> tuple[np.ndarray, float]:
    """Return [X y]' (V / s2)^-1 [X y] and log |V / s2|."""
    weight = pieces.sizes / (1 + pieces.sizes * a)
    log_det = float(np.log1p(pieces.sizes * a).sum())
    means = pieces.means
    if not len(pieces.cluster_sizes) or b == 0:
        return pieces.within + (means * weight[:, None]).T @ means, log_det
    inside = pieces.cluster >= 0
    code, w, m = pieces.cluster[inside], weight[inside], means[inside]
    d = np.bincount(code, w)
    centre = np.zeros((len(d), m.shape[1]))
    np.add.at(centre, code, m * w[:, None])
    centre /= d[:, None]
    apart = m - centre[code]
    alone, alone_weight = means[~inside], weight[~inside]
    cross = pieces.within + (apart * w[:, None]).T @ apart + (centre * (d / (1 + b * d))[:, None]).T @ centre
    return cross + (alone * alone_weight[:, None]).T @ alone, log_det + float(np.log1p(b * d).sum())


def _criterion(theta: np.ndarray, pieces: _Pieces, n: int, p: int) -> float:
    """Return -2 restricted log-likelihood, the residual variance profiled out."""
    cross, log_det = _cross(pieces, float(theta[0]) ** 2, float(theta[1]) ** 2 if len(theta) > 1 else 0.0)
    # The Cholesky factor of [X y]'V^-1[X y] holds the determinant of X'V^-1X and, last, the residual norm.
    diagonal = np.diagonal(np.linalg.cholesky(cross))
    return float(
        log_det + 2 * np.log(diagonal[:p]).sum() + (n - p) * (1 + math.log(2 * math.pi * diagonal[p] ** 2 / (n - p)))
    )


def _search(pieces: _Pieces, n: int, p: int, number: int) -> tuple[np.ndarray, float, bool]:
    """Return the ratios of standard deviations (unit, cluster), the criterion there, and whether it is a minimum."""
    grid = np.stack(np.meshgrid(*[_STARTS] * number, indexing="ij"), axis=-1).reshape(-1, number)
    starts = sorted((_criterion(theta, pieces, n, p), tuple(theta)) for theta in grid)
    best, at = starts[0][0], np.array(starts[0][1])
    for _, start in starts[:2]:
        found = optimize.minimize(
            _criterion, np.maximum(start, 0.05), (pieces, n, p), "L-BFGS-B", bounds=[(0, _LARGEST)] * number
        )
        if found.fun < best:
            best, at = float(found.fun), np.asarray(found.x)
    # Gradients by differences leave a last bit of the way.
    found = optimize.minimize(
        _criterion,
        at,
        (pieces, n, p),
        "Nelder-Mead",
        bounds=[(0, _LARGEST)] * number,
        options={"initial_simplex": _simplex(at), "xatol": 1e-9, "fatol": 1e-13},
    )
    if found.fun < best:
        best, at = float(found.fun), np.asarray(found.x)
    # On the boundary the derivative in theta vanishes always: try it.
    for place in range(number):
        zero = at.copy()
        zero[place] = 0
        value = _criterion(zero, pieces, n, p)
        if value <= best + 1e-9:
            best, at = value, zero
    converged = bool((at < _LARGEST).all())
    for place in range(number):
        for factor in (0.99, 1.01):
            near = at.copy()
            near[place] = near[place] * factor if near[place] > _ZERO else _ZERO * factor
            converged &= _criterion(near, pieces, n, p) >= best - 1e-6
    return np.append(at, np.zeros(2 - number)), best, converged


def containment_df(x: ArrayLike, unit: ArrayLike, cluster: ArrayLike | None = None) -> np.ndarray:
    r"""Return the degrees of freedom of the t test of each coefficient, by the level at which its column varies.

    A column that changes within a unit is estimated among samples, one that is constant within units but not within
    clusters among units, one that is constant within clusters among clusters. With N samples, m units, k clusters and
    :math:`p_l` columns of each level (the intercept apart): :math:`N - m - p_0`, :math:`m - k - p_1` (k = 1 without
    clusters) and :math:`k - 1 - p_2`.

    Parameters
    ----------
    x
        **sample x coefficient**, without the intercept.
    unit, cluster
        As in :func:`fit_nested`; units without a cluster are one together.

    Returns
    -------
    ndarray of float
        One per column, 0 or less where nothing is left to test with. R ``nlme::lme(..., random = ~ 1 | cluster /
        unit)$fixDF``.

    References
    ----------
    Pinheiro & Bates, Mixed-Effects Models in S and S-PLUS (2000), 2.4.2, 10.1007/b98882.
    """
    design = np.asarray(x, dtype=float)
    units = np.unique(np.asarray(unit), return_inverse=True)[1]
    clusters = np.zeros(len(units), dtype=int) if cluster is None else _codes(cluster, len(units))
    level = np.array([_level(column, units, clusters, cluster is not None) for column in design.T], dtype=int)
    number = np.array([len(units), units.max() + 1, len(np.unique(clusters)), 1])
    used = np.array([(level == i).sum() for i in range(3)])
    return (number[:3] - number[1:] - used)[level].astype(float)


def _level(column: np.ndarray, units: np.ndarray, clusters: np.ndarray, with_clusters: bool) -> int:
    """Return 0 for a column that changes within units, 1 within clusters only, 2 between clusters only."""
    if _changes_within(column, units):
        return 0
    return 2 if with_clusters and not _changes_within(column, clusters) else 1


def _changes_within(column: np.ndarray, groups: np.ndarray) -> bool:
    order = np.argsort(groups, kind="stable")
    same = groups[order][1:] == groups[order][:-1]
    return bool((same & (column[order][1:] != column[order][:-1])).any())


def _simplex(at: np.ndarray) -> np.ndarray:
    """Return the corners of a small simplex around a point of numbers that are not below 0."""
    return np.vstack([at, at + np.diag(np.maximum(1e-3 * at, 1e-4))])
