"""Cox's partial likelihood: its value, slope and curvature, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import optimize, stats

__all__ = ["Maximum", "PartialLikelihood", "Schoenfeld", "maximise", "profile_bound", "proportional_hazards"]

# Most steps of Newton's method; it ends when a step gains, and promised to gain, no more than this.
_STEPS, _GAIN, _PROMISE, _RIDGE = 80, 1e-12, 1e-9, 1e-10
# A coefficient per range of its column that goes further than this is on its way to infinity.
_FAR = 1e4


@dataclass(frozen=True)
class Schoenfeld:
    """What the likelihood is a sum of, one entry per event, in the order of their times.

    Parameters
    ----------
    loglik
        Sum of the logarithms.
    residual
        **event x column**: covariates less their mean over those at risk.
    variance
        **event x column x column**: their variance over those at risk.
    """

    loglik: float
    residual: np.ndarray
    variance: np.ndarray


class PartialLikelihood:
    r"""The partial likelihood of a Cox model.

    :math:`\ell(\beta) = \sum_k \left[ \sum_{i \in D_k} x_i \beta - \sum_{l=0}^{d_k - 1} \ln \left( \sum_{j \in R_k}
    e^{x_j \beta} - \frac{l}{d_k} \sum_{j \in D_k} e^{x_j \beta} \right) \right]` over the event times k of each
    stratum, :math:`D_k` having the event then and :math:`R_k` being at risk (Efron); Breslow's has 0 for
    :math:`l / d_k`. R ``coxph(..., ties = )``.

    Parameters
    ----------
    x
        **subject x column**, numbers without missing values.
    time, event
        Of each subject.
    strata
        Strata (0, 1, ...) with a baseline hazard each; None for one.
    ties
        ``efron`` or ``breslow``.

    References
    ----------
    Efron, J Am Stat Assoc 72:557 (1977), 10.1080/01621459.1977.10480613.
    """

    def __init__(
        self,
        x: np.ndarray,
        time: np.ndarray,
        event: np.ndarray,
        strata: np.ndarray | None = None,
        ties: str = "efron",
    ) -> None:
        if ties not in ("efron", "breslow"):
            raise ValueError(f"ties are handled by efron or breslow, not by {ties}")
        block = np.zeros(len(time), int) if strata is None else strata
        # Latest first within each stratum, so that who is at risk comes before; of one time events come last.
        order = np.lexsort((event, -time, block))
        self.x = np.asarray(x, dtype=float)[order]
        days, happened, block = time[order], event[order].astype(bool), block[order]
        change = np.flatnonzero((np.diff(days) != 0) | (np.diff(block) != 0)) + 1
        self.start = np.concatenate([[0], change])
        self.end = np.concatenate([change, [len(days)]])
        self.happened = happened
        deaths = np.add.reduceat(happened.astype(int), self.start)
        kept = deaths > 0
        self.start, self.end = self.start[kept], self.end[kept]
        d = deaths[kept]
        self.edges = np.concatenate([[0], np.flatnonzero(np.diff(block)) + 1, [len(days)]])
        self.times = days[self.start]
        self.which = np.repeat(np.arange(len(d)), d)
        number = np.arange(d.sum()) - np.repeat(np.cumsum(d) - d, d)
        self.share = number / d[self.which] if ties == "efron" else np.zeros(len(number))

    def only(self, columns: np.ndarray) -> PartialLikelihood:
        """Return the likelihood of a model with only these columns."""
        other = object.__new__(PartialLikelihood)
        other.__dict__.update(self.__dict__)
        other.x = self.x[:, columns]
        return other

    def at(self, beta: np.ndarray, offset: np.ndarray | None = None) -> Schoenfeld:
        """Return value, residuals and variances at `beta`; `offset` is added to the risk score of each row of `x`."""
        score = self.x @ beta
        if offset is not None:
            score = score + offset
        # Within a stratum only ratios of risks matter: the largest is 1, and no stratum's sums drown another's.
        for first, end in pairwise(self.edges):
            score[first:end] -= score[first:end].max()
        # Where a coefficient runs away, risks would otherwise come to 0 (exp(-745) in double precision).
        risk = np.exp(score.astype(np.longdouble) if score.min() < -600 else score)
        columns = self.x.shape[1]
        square = (self.x[:, :, None] * self.x[:, None, :]).reshape(len(self.x), -1)
        sums = np.column_stack([risk, self.x * risk[:, None], square * risk[:, None]])
        total = np.empty_like(sums)
        for first, end in pairwise(self.edges):
            total[first:end] = np.cumsum(sums[first:end], axis=0)
        at_risk = total[self.end - 1][self.which]
        # Rows between the event times of `start` have no event.
        dying = np.add.reduceat(sums * self.happened[:, None], self.start, axis=0)[self.which]
        at_risk = at_risk - self.share[:, None] * dying
        weight = at_risk[:, :1]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = at_risk[:, 1 : columns + 1] / weight
            variance = at_risk[:, columns + 1 :] / weight
            loglik = float(score[self.happened].sum() - np.log(weight).sum())
        mean, variance = mean.astype(float), variance.astype(float)
        variance = variance.reshape(len(mean), columns, columns) - mean[:, :, None] * mean[:, None, :]
        # The rows of the events are in the order of their times, as `which` is.
        return Schoenfeld(loglik, self.x[self.happened] - mean, variance)


@dataclass(frozen=True)
class Maximum:
    """Where the partial likelihood is largest.

    Parameters
    ----------
    beta
        Coefficients; very large where the likelihood has no maximum.
    loglik
        Its value.
    information
        **column x column**: minus the second derivatives.
    converged
        Whether the likelihood came to its largest value, or to its limit.
    """

    beta: np.ndarray
    loglik: float
    information: np.ndarray
    converged: bool


def maximise(
    likelihood: PartialLikelihood, start: np.ndarray | None = None, offset: np.ndarray | None = None
) -> Maximum:
    """Find the coefficients by Newton's method, halving steps that lead down.

    Parameters
    ----------
    likelihood
        Columns of similar spread, centred.
    start
        Where to begin; zeros by default.
    offset
        As in :meth:`PartialLikelihood.at`.
    """
    beta = np.zeros(likelihood.x.shape[1]) if start is None else np.array(start, dtype=float)
    here = likelihood.at(beta, offset)
    if not math.isfinite(here.loglik):
        return Maximum(beta, math.nan, here.variance.sum(axis=0), False)
    for number in range(_STEPS if len(beta) else 0):
        information = here.variance.sum(axis=0)
        slope = here.residual.sum(axis=0)
        # The ridge leaves the maximum where it is, and leads up where the likelihood is too flat to have a curvature.
        step = np.linalg.lstsq(information + _RIDGE * np.eye(len(beta)), slope, rcond=1e-15)[0]
        promise = float(slope @ step)
        # Small steps first: far from the maximum the curvature misleads.
        step *= min(1.0, 5.0 * 1.4**number / max(float(np.abs(step).max()), 1e-300))
        size = 1.0
        there = likelihood.at(beta + step, offset)
        while not there.loglik >= here.loglik - 1e-13 * abs(here.loglik) and size > 1e-6:
            size /= 2
            there = likelihood.at(beta + size * step, offset)
        gain = there.loglik - here.loglik
        if not math.isfinite(there.loglik) or size <= 1e-6:
            break
        beta, here = beta + size * step, there
        # Where there is no maximum the coefficients go on and the likelihood comes to its limit all the same.
        if abs(gain) < _GAIN * (1 + abs(here.loglik)) and promise < _PROMISE:
            return Maximum(beta, here.loglik, here.variance.sum(axis=0), True)
        if np.abs(beta).max() > _FAR:
            break
    return Maximum(beta, here.loglik, here.variance.sum(axis=0), not len(beta))


def profile_bound(likelihood: PartialLikelihood, best: Maximum, column: int, side: int, level: float = 0.95) -> float:
    r"""Return a bound of the profile-likelihood interval of one coefficient.

    The :math:`b` at which :math:`2 (\ell(\hat\beta) - \max_{\beta_j = b} \ell(\beta)) = \chi^2_{1, level}`.

    Parameters
    ----------
    likelihood
        Columns scaled to a range of about 1, centred.
    best
        Its maximum.
    column
        j.
    side
        -1 for the lower bound, 1 for the upper.
    level
        Confidence level.

    Returns
    -------
    float
        NaN where the likelihood does not fall so far on that side: the data set no bound.
    """
    others = np.array([k for k in range(len(best.beta)) if k != column], dtype=int)
    rest = likelihood.only(others)
    allowed = float(stats.chi2.ppf(level, 1))
    state, seen = {"start": best.beta[others]}, dict[float, float]()

    def fall(b: float) -> float:
        if b not in seen:
            seen[b] = _fall(b)
        return seen[b]

    def _fall(b: float) -> float:
        found = maximise(rest, state["start"], likelihood.x[:, column] * b)
        if not found.converged:
            found = maximise(rest, None, likelihood.x[:, column] * b)
        if found.converged:
            state["start"] = found.beta
        return 2 * (best.loglik - found.loglik) - allowed

    near = float(best.beta[column])
    if fall(near) >= 0:
        return math.nan
    curvature = float(best.information[column, column])
    reach = math.sqrt(allowed / curvature) if curvature > 1e-6 else 1.0
    far = near + side * reach
    while fall(far) < 0:
        near, reach = far, 1.6 * reach
        far = near + side * reach
        if abs(far) > _FAR:
            return math.nan
    if math.isnan(fall(far)):
        return math.nan
    return float(optimize.brentq(fall, *sorted((near, far)), xtol=1e-10, rtol=1e-12))


def proportional_hazards(
    likelihood: PartialLikelihood, beta: np.ndarray, before: np.ndarray, terms: list[np.ndarray]
) -> list[tuple[float, int, float]]:
    r"""Test proportional hazards: the score test of adding :math:`g(t) x` for :math:`g(t) = 1 - S(t-)`.

    With Schoenfeld residuals :math:`r_k` and the variances :math:`V_k` of the covariates over those at risk at event k,
    and g centred over the events: :math:`u = \sum g_k r_k`, of variance
    :math:`\sum g_k^2 V_k - (\sum g_k V_k)(\sum V_k)^{-1}(\sum g_k V_k)`. R ``cox.zph(fit)`` of survival 3.0 and later.

    Parameters
    ----------
    likelihood, beta
        The model and its maximum.
    before
        S(t-) at each event, in the order of the residuals.
    terms
        Columns of each term.

    Returns
    -------
    list of (statistic, degrees of freedom, p)
        For each term (the time dependence of that term alone is added), then for all together. NaN where every event is
        at the same time.

    References
    ----------
    Grambsch & Therneau, Biometrika 81:515 (1994), 10.1093/biomet/81.3.515.
    """
    here = likelihood.at(beta)
    g = 1 - before
    g = g - g.mean()
    score = g @ here.residual
    plain = here.variance.sum(axis=0)
    once = np.einsum("k,kij->ij", g, here.variance)
    twice = np.einsum("k,kij->ij", g * g, here.variance)
    variance = twice - once @ np.linalg.pinv(plain) @ once
    found = []
    for columns in [*terms, np.arange(len(beta))]:
        part = variance[np.ix_(columns, columns)]
        scale = twice[np.ix_(columns, columns)].diagonal()
        if not len(columns) or np.linalg.eigvalsh(part).min() <= 1e-10 * max(float(scale.max()), 1e-300):
            found.append((math.nan, 0, math.nan))
            continue
        statistic = float(score[columns] @ np.linalg.solve(part, score[columns]))
        found.append((statistic, len(columns), float(stats.chi2.sf(statistic, len(columns)))))
    return found
