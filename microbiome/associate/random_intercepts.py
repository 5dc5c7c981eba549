"""Mixed models with a random intercept of the subject, for many outcomes with one design at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["RandomIntercepts", "random_intercepts"]

# Ratios of standard deviations (subject to residual) that are tried first; beyond the last there is no residual.
_GRID = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 61)])
_GOLDEN = (np.sqrt(5) - 1) / 2
_STEPS = 60


@dataclass(frozen=True)
class RandomIntercepts:
    """One coefficient of every fit.

    Parameters
    ----------
    coefficient, variance
        Estimate and the square of its standard error.
    converged
        False where the search ended at its border, or nothing varies within subjects.
    """

    coefficient: np.ndarray
    variance: np.ndarray
    converged: np.ndarray


def random_intercepts(y: np.ndarray, x: np.ndarray, unit: np.ndarray, place: int = 1) -> RandomIntercepts:
    r"""Fit :math:`y = X \beta + u_{unit} + e` by restricted maximum likelihood to every column of y.

    As :func:`microbiome.stats.mixed.fit_nested` without clusters, and to the same digits: the likelihood is a function
    of the ratio of the two standard deviations only, which is searched on a grid and then by golden section, for all
    columns side by side.

    Parameters
    ----------
    y
        **row x outcome**, none missing.
    x
        **row x coefficient**, of full column rank.
    unit
        Subject of each row, some with several rows.
    place
        Which coefficient is asked for.
    """
    pieces = _Pieces.of(y, x, unit)
    values = np.array([pieces.criterion(np.full(y.shape[1], theta)) for theta in _GRID])
    best = values.argmin(axis=0)
    low, high = _GRID[np.maximum(best - 1, 0)], _GRID[np.minimum(best + 1, len(_GRID) - 1)]
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = pieces.criterion(left), pieces.criterion(right)
    for _ in range(_STEPS):
        down = at_left <= at_right
        high, low = np.where(down, right, high), np.where(down, low, left)
        new = np.where(down, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        at_new = pieces.criterion(new)
        left, right, at_left, at_right = (
            np.where(down, new, right),
            np.where(down, left, new),
            np.where(down, at_new, at_right),
            np.where(down, at_left, at_new),
        )
    theta = (low + high) / 2
    # On the border the derivative vanishes always: a variance of 0 is taken where it is as likely.
    theta = np.where(values[0] <= pieces.criterion(theta) + 1e-9, 0.0, theta)
    cross, beta, rest = pieces.solved(theta)
    variance = rest / (len(y) - x.shape[1]) * np.linalg.inv(cross)[:, place, place]
    converged = (best < len(_GRID) - 1) & (pieces.within_y > 1e-18 * np.maximum((y**2).sum(axis=0), 1e-300))
    return RandomIntercepts(beta[:, place], variance, converged & np.isfinite(variance))


@dataclass(frozen=True)
class _Pieces:
    """Sums within units, and the means of units."""

    within_x: np.ndarray
    within_xy: np.ndarray
    within_y: np.ndarray
    mean_x: np.ndarray
    mean_y: np.ndarray
    sizes: np.ndarray
    rows: int

    @classmethod
    def of(cls, y: np.ndarray, x: np.ndarray, unit: np.ndarray) -> _Pieces:
        code = np.unique(unit, return_inverse=True)[1]
        sizes = np.bincount(code).astype(float)
        indicator = (code[:, np.newaxis] == np.arange(len(sizes))).astype(float)
        mean_x, mean_y = (indicator.T @ side / sizes[:, np.newaxis] for side in (x, y))
        own_x, own_y = x - mean_x[code], y - mean_y[code]
        return cls(own_x.T @ own_x, own_x.T @ own_y, (own_y**2).sum(axis=0), mean_x, mean_y, sizes, len(y))

    def solved(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X'V^-1X, the coefficients and the residual sum of squares of each outcome, in units of sigma^2."""
        weight = self.sizes[:, np.newaxis] / (1 + self.sizes[:, np.newaxis] * theta**2)
        squares = self.mean_x[:, :, np.newaxis] * self.mean_x[:, np.newaxis, :]
        cross = self.within_x + np.tensordot(weight.T, squares, axes=1)
        right = self.within_xy.T + (weight * self.mean_y).T @ self.mean_x
        beta = np.linalg.solve(cross, right[:, :, np.newaxis])[:, :, 0]
        total = self.within_y + (weight * self.mean_y**2).sum(axis=0)
        return cross, beta, np.maximum(total - (right * beta).sum(axis=1), 1e-300)

    def criterion(self, theta: np.ndarray) -> np.ndarray:
        """Return -2 restricted log-likelihood of each outcome, but for a constant."""
        cross, _, rest = self.solved(theta)
        log_det = np.log1p(self.sizes[:, np.newaxis] * theta**2).sum(axis=0)
        free = self.rows - self.mean_x.shape[1]
        return np.asarray(log_det + np.linalg.slogdet(cross)[1] + free * np.log(rest))
