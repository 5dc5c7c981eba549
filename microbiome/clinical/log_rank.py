"""The log-rank test: by chi-square as in R, and by permutation, which holds in trials of ten."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from microbiome.stats import TestResult, restrict

__all__ = ["LogRank", "log_rank", "log_rank_permutation"]


@dataclass(frozen=True)
class LogRank:
    """The asymptotic test.

    Parameters
    ----------
    statistic, df, p_value
        Chi-square; NaN and 0 where no event happened while two groups were at risk.
    observed, expected
        Events of each group, in sorted order of the labels.
    """

    statistic: float
    df: int
    p_value: float
    observed: np.ndarray
    expected: np.ndarray


def log_rank(time: ArrayLike, event: ArrayLike, labels: ArrayLike, strata: ArrayLike | None = None) -> LogRank:
    r"""Test whether groups have the same hazard.

    Over the event times k of each stratum, with :math:`d_k` events among :math:`n_k` at risk, :math:`n_{kg}` of them in
    group g: :math:`E_g = \sum_k d_k n_{kg} / n_k`, :math:`V_{gh} = \sum_k d_k \frac{n_k - d_k}{n_k - 1}
    \frac{n_{kg}}{n_k} (\delta_{gh} - \frac{n_{kh}}{n_k})`, and :math:`\chi^2 = (O - E)^T V^- (O - E)` with one degree
    of freedom less than there are groups at risk at an event. R ``survdiff(Surv(time, event) ~ label + strata(s))``.

    Parameters
    ----------
    time, event, labels
        Of each subject.
    strata
        Groups of subjects that are compared only among themselves; None for none.

    References
    ----------
    Mantel, Cancer Chemother Rep 50:163 (1966); Peto & Peto, J R Stat Soc A 135:185 (1972), 10.2307/2344317.
    """
    days, happened = np.asarray(time, dtype=float), np.asarray(event, dtype=bool)
    names, group = np.unique(np.asarray(labels), return_inverse=True)
    blocks = np.zeros(len(days), int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    own = np.eye(len(names))[group]
    observed, expected = own[happened].sum(axis=0), np.zeros(len(names))
    variance = np.zeros((len(names), len(names)))
    for block in np.unique(blocks):
        inside = blocks == block
        for day in np.unique(days[inside & happened]):
            at_risk = own[inside & (days >= day)].sum(axis=0)
            d, n = int((inside & happened & (days == day)).sum()), float(at_risk.sum())
            share = at_risk / n
            expected += d * share
            if n > 1:
                variance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    used = np.flatnonzero(expected > 0)[1:]
    difference, square = (observed - expected)[used], variance[np.ix_(used, used)]
    if not len(used) or np.linalg.matrix_rank(square, tol=1e-10) < len(used):
        return LogRank(math.nan, 0, math.nan, observed, expected)
    statistic = float(difference @ np.linalg.solve(square, difference))
    return LogRank(statistic, len(used), float(stats.chi2.sf(statistic, len(used))), observed, expected)


def log_rank_permutation(
    time: ArrayLike,
    event: ArrayLike,
    labels: ArrayLike,
    strata: ArrayLike | None = None,
    permutations: int = 9999,
    seed: int = 0,
) -> TestResult:
    r"""Test whether groups have the same hazard, by permuting the labels of subjects.

    The statistic is the chi-square of :func:`log_rank`, its variance worked out anew for every arrangement; labels
    change places within strata. Exact where groups share one distribution of survival and of censoring; because the
    statistic is studentised it holds approximately where censoring differs, which that of O - E alone would not.

    Parameters
    ----------
    time, event, labels, strata
        As in :func:`log_rank`. Strata in which all subjects have one label tell nothing and are left out.
    permutations
        With at most ``permutations + 1`` arrangements all of them are looked at (exact); else this many random ones
        are, and p = (b + 1) / (m + 1) when b of m are as extreme.
    seed
        Of the random arrangements.

    Returns
    -------
    TestResult
        ``p_floor``: share of arrangements that only rename groups, and not below 1 / (m + 1) with random ones. NaN,
        with ``p_floor`` 1, where fewer than two groups are left. Neither the order of subjects nor the names of groups
        change p.

    References
    ----------
    Neuhaus, Ann Stat 21:1760 (1993), 10.1214/aos/1176349396.
    """
    days, happened = np.asarray(time, dtype=float), np.asarray(event, dtype=bool)
    label = np.unique(np.asarray(labels), return_inverse=True)[1]
    block = np.zeros(len(days), int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    pairs = np.unique(np.column_stack([block, label]), axis=0)[:, 0]
    inside = np.flatnonzero(np.bincount(pairs, minlength=1)[block] > 1)
    if not len(inside):
        return TestResult(math.nan, math.nan, 1.0, 0, "exact")
    days, happened = days[inside], happened[inside]
    label, block = (np.unique(codes[inside], return_inverse=True)[1] for codes in (label, block))
    # Groups are numbered by how many there are of them, so that their names make no difference.
    table = np.array(
        [np.bincount(block[label == group], minlength=block.max() + 1) for group in range(label.max() + 1)]
    )
    label = np.argsort(np.lexsort(table.T))[label]
    order = np.lexsort((label, happened, days, block))
    days, happened, label, block = days[order], happened[order], label[order], block[order]
    design = restrict(label[np.lexsort((label, block))], block)
    chi_square = _Statistic(days, happened, block, int(label.max()) + 1)
    observed = float(chi_square(label[np.newaxis])[0])
    threshold = observed - 1e-9 * (1 + observed)
    extreme = sum(int((chi_square(rows) >= threshold).sum()) for rows in design.pieces(permutations, seed))
    if design.exact(permutations):
        count = design.arrangements
        return TestResult(observed, extreme / count, design.smallest_p, count, "exact")
    p = (extreme + 1) / (permutations + 1)
    return TestResult(observed, p, max(design.smallest_p, 1 / (permutations + 1)), permutations, "monte_carlo")


class _Statistic:
    """The log-rank chi-square of many arrangements of labels at once."""

    def __init__(self, days: np.ndarray, happened: np.ndarray, block: np.ndarray, groups: int) -> None:
        keys = np.unique(np.column_stack([block, days])[happened], axis=0)
        self.groups, self.happened = groups, happened.astype(float)
        # One row per event time: who is at risk, the events, and the variance for each pair of labels.
        self.at_risk = ((block == keys[:, :1]) & (days >= keys[:, 1:])).astype(float)
        d = ((block == keys[:, :1]) & (days == keys[:, 1:]) & happened).sum(axis=1).astype(float)
        n = self.at_risk.sum(axis=1)
        self.rate = d / n
        self.spread = d * (n - d) / np.maximum(n - 1, 1) / n
        self.n = n

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return chi-square for each row of labels."""
        own = [(rows == group).astype(float) for group in range(self.groups)]
        at_risk = [self.at_risk @ one.T for one in own]
        difference = np.array([one @ self.happened - self.rate @ n for one, n in zip(own, at_risk, strict=True)])
        if self.groups == 2:
            variance = (self.spread / self.n) @ (at_risk[0] * at_risk[1])
            # Where the groups are never at risk together there is neither a difference nor a variance.
            return np.asarray(difference[1] ** 2 / np.where(variance > 1e-12, variance, np.inf))
        square = np.empty((len(rows), self.groups, self.groups))
        for g in range(self.groups):
            for h in range(g + 1):
                both = -((self.spread / self.n) @ (at_risk[g] * at_risk[h]))
                square[:, g, h] = square[:, h, g] = both + (self.spread @ at_risk[g] if g == h else 0.0)
        inverse = np.linalg.pinv(square, rcond=1e-10, hermitian=True)
        return np.asarray(np.einsum("gb,bgh,hb->b", difference, inverse, difference))
