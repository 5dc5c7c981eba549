"""Logistic regression of many presences at once: maximum and penalised likelihood, and profile intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

__all__ = ["LogisticFits", "logistic_fits"]

_STEPS, _HALVINGS, _LARGEST_STEP = 60, 12, 5.0
_SMALL = 1e-9
# Steps towards a bound, how near the profile must come to it, and how far away it may lie.
_BOUNDS, _NEAR, _FURTHEST = 60, 1e-9, 300


@dataclass(frozen=True)
class LogisticFits:
    """One coefficient of each fit.

    Parameters
    ----------
    coefficient
        NaN where the fit did not converge.
    low, high
        Profile bounds; NaN where there is none (without the penalty, where presence and absence are separated).
    ratio
        Twice the logarithm of the (penalised) likelihood ratio of the coefficient against 0.
    """

    coefficient: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ratio: np.ndarray


def logistic_fits(y: np.ndarray, x: np.ndarray, place: int, level: float = 0.95, firth: bool = True) -> LogisticFits:
    r"""Fit :math:`\operatorname{logit} P(y = 1) = X \beta` to many sets of data of one size.

    Firth's penalised likelihood :math:`\ell^*(\beta) = \ell(\beta) + \tfrac12 \log |X' W X|`,
    :math:`W = \operatorname{diag}(\pi (1 - \pi))`: finite also where presence and absence are separated, and less
    biased with few subjects; R ``logistf::logistf``. Without the penalty R ``glm(family = binomial)``. The bounds are
    those values of the coefficient at which :math:`2 (\ell^*_{max} - \ell^*_{profile})` is the quantile of
    chi-squared with one degree of freedom, the other coefficients (and in the penalty all of X) as in the full model.

    Parameters
    ----------
    y
        **fit x subject**, 0 or 1.
    x
        **fit x subject x coefficient**, of full rank, the intercept among them; numbers of the order of 1.
    place
        Which coefficient is asked for.
    level
        Of the bounds.
    firth
        Whether to penalise.

    References
    ----------
    Firth, Biometrika 80:27 (1993), 10.1093/biomet/80.1.27; Heinze & Schemper, Stat Med 21:2409 (2002),
    10.1002/sim.1047.
    """
    w, same = np.ones(y.shape), np.arange(len(y))
    if x.strides[0] == 0 and len(y):
        # Groups, and strata of groups: who is alike in x counts together, and fits alike in that are one.
        y, x, w, same = _together(y, x[0])
    model = _Model(y, x, w, firth)
    free = np.arange(x.shape[2])
    beta, top, converged = model.fit(np.zeros((len(y), x.shape[2])), free)
    rest = np.delete(free, place)
    at_zero = beta.copy()
    at_zero[:, place] = 0
    _, without, _ = model.fit(at_zero, rest)
    half = float(stats.chi2.ppf(level, 1)) / 2
    bounds = [_bound(model, beta, top, half, place, rest, sign) for sign in (-1, 1)]
    bad = ~converged
    out = [np.where(bad, np.nan, side)[same] for side in (beta[:, place], *bounds, np.maximum(2 * (top - without), 0))]
    return LogisticFits(*out)


def _together(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the data with one row per kind of subject: share with 1, x, number; and the fit that each fit equals."""
    kinds, kind = np.unique(x, axis=0, return_inverse=True)
    if 2 * len(kinds) > len(x):  # A number, and not groups.
        return y, np.broadcast_to(x, (len(y), *x.shape)), np.ones(y.shape), np.arange(len(y))
    member = (kind.reshape(-1, 1) == np.arange(len(kinds))).astype(float)
    ones, same = np.unique(y @ member, axis=0, return_inverse=True)
    count = np.broadcast_to(member.sum(axis=0), ones.shape)
    return ones / count, np.broadcast_to(kinds, (len(ones), *kinds.shape)), count, same.reshape(-1)


@dataclass(frozen=True)
class _Model:
    y: np.ndarray
    x: np.ndarray
    w: np.ndarray
    firth: bool

    def some(self, rows: np.ndarray) -> _Model:
        return _Model(self.y[rows], self.x[rows], self.w[rows], self.firth)

    def likelihood(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the (penalised) log-likelihood, the probabilities and the information."""
        eta = (self.x @ beta[:, :, np.newaxis])[:, :, 0]
        pi = special.expit(eta)
        value = (self.w * (self.y * eta - np.logaddexp(0, eta))).sum(axis=1)
        information = (self.x * (self.w * pi * (1 - pi))[:, :, np.newaxis]).transpose(0, 2, 1) @ self.x
        if self.firth:
            sign, log_det = np.linalg.slogdet(information)
            value = value + np.where(sign > 0, 0.5 * log_det, -np.inf)
        return value, pi, information

    def fit(self, start: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maximise over the coefficients in `free`; return coefficients, log-likelihood and whether it converged."""
        beta = start.copy()
        value, pi, information = self.likelihood(beta)
        done = np.zeros(len(beta), dtype=bool)
        if not len(free):
            return beta, value, ~done
        eye = np.eye(self.x.shape[2]) * 1e-12
        for _ in range(_STEPS):
            residual = self.w * (self.y - pi)
            if self.firth:
                inverse = np.linalg.inv(information + eye)
                hat = self.w * pi * (1 - pi) * ((self.x @ inverse) * self.x).sum(axis=2)
                residual = residual + hat * (0.5 - pi)
            score = (residual[:, np.newaxis, :] @ self.x)[:, 0, free]
            inner = information[:, free][:, :, free] + eye[np.ix_(free, free)]
            step = np.linalg.solve(inner, score[:, :, np.newaxis])[:, :, 0]
            size = np.abs(step).max(axis=1)
            step *= np.minimum(1, _LARGEST_STEP / np.maximum(size, 1e-300))[:, np.newaxis]
            step[done] = 0
            share = np.ones(len(beta))
            for _ in range(_HALVINGS):
                trial = beta.copy()
                trial[:, free] += share[:, np.newaxis] * step
                new = self.likelihood(trial)
                worse = ~(new[0] >= value - 1e-12 * np.abs(value))
                if not worse.any():
                    break
                share[worse] /= 2
            stuck = ~(new[0] >= value - 1e-12 * np.abs(value))
            trial[stuck] = beta[stuck]
            beta = trial
            value, pi, information = self.likelihood(beta) if stuck.any() else new
            done |= (np.abs(share[:, np.newaxis] * step).max(axis=1) < _SMALL) | stuck
            if done.all():
                break
        limit = 1e3 if self.firth else 15.0
        return beta, value, done & (np.abs(beta).max(axis=1) < limit)


def _bound(
    model: _Model, beta: np.ndarray, top: np.ndarray, half: float, place: int, rest: np.ndarray, sign: int
) -> np.ndarray:
    """Return where the profile lies `half` below its top on one side, by regula falsi (Illinois).

    The square root of how far the profile lies below its top is nearly linear in the coefficient.
    """
    root = float(np.sqrt(half))

    def fit(rows: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        trial, value, _ = model.some(rows).fit(start, rest)
        return trial, root - np.sqrt(np.maximum(top[rows] - value, 0))

    inside, outside = beta.copy(), beta.copy()
    above, under = np.full(len(beta), root), np.full(len(beta), np.nan)
    found = np.zeros(len(beta), dtype=bool)
    reach = 1.0
    while not found.all() and reach < _FURTHEST:
        rows = np.flatnonzero(~found)
        start = inside[rows].copy()
        start[:, place] = beta[rows, place] + sign * reach
        trial, gap = fit(rows, start)
        out = gap < 0
        outside[rows[out]], under[rows[out]], found[rows[out]] = trial[out], gap[out], True
        inside[rows[~out]], above[rows[~out]] = trial[~out], gap[~out]
        reach *= 2
    rows, side = np.flatnonzero(found), np.zeros(len(beta))
    for _ in range(_BOUNDS):
        share = above[rows] / (above[rows] - under[rows])
        trial, gap = fit(rows, inside[rows] + share[:, np.newaxis] * (outside[rows] - inside[rows]))
        for out, ends, gaps, other in ((gap < 0, outside, under, above), (gap >= 0, inside, above, under)):
            new = rows[out]
            ends[new], gaps[new] = trial[out], gap[out]
            # The end that stays twice loses half its weight.
            again = new[side[new] == (-1 if gaps is under else 1)]
            other[again] /= 2
            side[new] = -1 if gaps is under else 1
        near = np.abs(gap) < _NEAR
        inside[rows[near]] = outside[rows[near]] = trial[near]
        rows = rows[~near]
        if not len(rows):
            break
    return np.where(found, (inside[:, place] + outside[:, place]) / 2, np.nan)
