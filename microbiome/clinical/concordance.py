"""How well a score ranks subjects by their time to the event."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["concordance"]


def concordance(
    score: np.ndarray, time: np.ndarray, event: np.ndarray, strata: np.ndarray | None = None
) -> tuple[float, float]:
    r"""Return Harrell's C and its standard error.

    Of the pairs of a stratum in which the one with the shorter time had the event (of equal times: the one that had
    it, the other being censored), the share in which it had the larger score, half a pair for equal scores. The error
    is the infinitesimal jackknife, :math:`\sqrt{\sum_i ((c_i - C t_i) / T)^2}` with :math:`c_i` of :math:`t_i` pairs
    of subject i and T pairs in all. R ``concordance(fit)``.
    """
    happened = event.astype(bool)
    pair = happened[:, None] & (
        (time[:, None] < time[None, :]) | ((time[:, None] == time[None, :]) & ~happened[None, :])
    )
    if strata is not None:
        pair &= strata[:, None] == strata[None, :]
    total = float(pair.sum())
    if not total:
        return math.nan, math.nan
    # Equal predictors must give equal scores, whatever the rounding of their sums.
    rounded = np.round(score, 10)
    right = pair * (1.0 * (rounded[:, None] > rounded[None, :]) + 0.5 * (rounded[:, None] == rounded[None, :]))
    c = float(right.sum()) / total
    own = right.sum(axis=0) + right.sum(axis=1) - c * (pair.sum(axis=0) + pair.sum(axis=1))
    return c, float(np.sqrt((own**2).sum()) / total)
