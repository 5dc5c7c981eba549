"""Intervals and sign-flip tests for many columns at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special, stats

from microbiome.stats import sign_flip

__all__ = ["clopper_pearson", "column_means", "column_signs", "mover"]

# Up to this many subjects every sign flip is looked at, as in :func:`microbiome.stats.sign_flip`.
_FLIPPED = 14
# Sums closer than this share of what they sum are equal: rounding, not evidence.
_TIE = 1e-12
# Numbers of random signs held at once.
_BLOCK = 1 << 22


def column_means(values: np.ndarray, method: str, level: float = 0.95) -> pd.DataFrame:
    """Return the mean of each column over its subjects with the interval of :func:`microbiome.stats.mean_interval`.

    Parameters
    ----------
    values
        **subject x column**; NaN where a subject does not take part.
    method
        ``logit_t`` (fractions) or ``t``.
    level
        Confidence level.

    Returns
    -------
    DataFrame
        One row per column: ``n``, ``mean``, ``low``, ``high``. Of one subject no bounds, of none no mean.
    """
    there = ~np.isnan(values)
    n = there.sum(axis=0)
    filled = np.where(there, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = filled.sum(axis=0) / n
        spread = (np.where(there, values - mean, 0.0) ** 2).sum(axis=0) / (n - 1)
        half = stats.t.ppf((1 + level) / 2, np.maximum(n - 1, 1)) * np.sqrt(spread / n)
        if method == "logit_t":
            centre, half = special.logit(mean), half / (mean * (1 - mean))
            low, high = special.expit(centre - half), special.expit(centre + half)
        else:
            low, high = mean - half, mean + half
        smallest = np.where(there, values, np.inf).min(axis=0, initial=np.inf)
        constant = (n > 1) & (smallest == np.where(there, values, -np.inf).max(axis=0, initial=-np.inf))
        # Without any spread there is no interval (microbiome.stats.mean_interval).
        mean = np.where(constant, smallest, mean)
        low, high = (np.where(constant, np.nan, x) for x in (low, high))
        if method == "logit_t":
            reach = 1 - ((1 - level) / 2) ** (1 / np.maximum(n, 1))
            high = np.where(constant & (mean == 0), reach, high)
            low = np.where(constant & (mean == 1), 1 - reach, low)
            low = np.where(constant & (mean == 0), 0.0, low)
            high = np.where(constant & (mean == 1), 1.0, high)
    low, high = (np.where(n > 1, x, np.nan) for x in (low, high))
    return pd.DataFrame({"n": n, "mean": mean, "low": low, "high": high})


def mover(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    r"""Return the difference of two means with an interval made of those of the means.

    With :math:`l_g \le m_g \le u_g` for group g the difference :math:`d = m_2 - m_1` lies in

    .. math:: d - \sqrt{(m_2 - l_2)^2 + (u_1 - m_1)^2}, \quad d + \sqrt{(u_2 - m_2)^2 + (m_1 - l_1)^2}

    Parameters
    ----------
    first, second
        As :func:`column_means` returns them.

    Returns
    -------
    DataFrame
        ``difference``, ``low``, ``high``, no bounds where a group has fewer than two subjects.

    Notes
    -----
    Of fractions within -1..1, also where a group does not vary, for which Welch's interval has no width on that side:
    coverage of nominal 95 % for the share of lost among 3 to 20 subjects a group was 0.98-1.00 with ``logit_t``
    intervals, 0.80-1.00 with Welch's, which is as wide.

    References
    ----------
    Zou & Donner, Stat Med 27:1693 (2008), 10.1002/sim.3095; for proportions Newcombe, Stat Med 17:873 (1998),
    10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    difference = second["mean"] - first["mean"]
    below = np.hypot(second["mean"] - second["low"], first["high"] - first["mean"])
    above = np.hypot(second["high"] - second["mean"], first["mean"] - first["low"])
    return pd.DataFrame({"difference": difference, "low": difference - below, "high": difference + above})


def clopper_pearson(successes: np.ndarray, n: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact bounds of many proportions, as :func:`microbiome.stats.proportion_interval` of each.

    The quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k); NaN where n is 0. R ``binom.test``.
    """
    k, size = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    alpha = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k == 0, 0.0, stats.beta.ppf(alpha, k, size - k + 1))
        high = np.where(k == size, 1.0, stats.beta.ppf(1 - alpha, k + 1, size - k))
    return np.where(size > 0, low, np.nan), np.where(size > 0, high, np.nan)


def column_signs(values: np.ndarray, permutations: int = 9999, seed: int = 0) -> pd.DataFrame:
    """Test in each column whether the mean is 0, by flipping signs: :func:`microbiome.stats.sign_flip` of each.

    Parameters
    ----------
    values
        **subject x column**; NaN where a subject does not take part.
    permutations
        Columns with at most 14 subjects are tested exactly, the others by this many random flips, the same for all.
    seed
        Of the random flips. Which subject is which row plays a part in them, within Monte Carlo error.

    Returns
    -------
    DataFrame
        One row per column: ``p_value``, ``p_floor``, ``permutations``, ``scheme``; NaN without subjects.
    """
    there = ~np.isnan(values)
    n = there.sum(axis=0)
    p, floor = np.full(len(n), np.nan), np.ones(len(n))
    looked = np.zeros(len(n), dtype=np.int64)
    scheme = np.full(len(n), None, dtype=object)
    exact = (n <= _FLIPPED) | (2.0**n <= permutations + 1)
    for i in np.flatnonzero(exact & (n > 0)):
        test = sign_flip(values[there[:, i], i], permutations, seed)
        p[i], floor[i], looked[i], scheme[i] = test.p_value, test.p_floor, test.permutations, test.scheme
    many = np.flatnonzero(~exact)
    if len(many):
        filled = np.where(there[:, many], values[:, many], 0.0)
        threshold = np.abs(filled.sum(axis=0)) - _TIE * np.abs(filled).sum(axis=0)
        extreme = np.zeros(len(many), dtype=np.int64)
        rng = np.random.default_rng(seed)
        rows = max(1, _BLOCK // max(values.shape))
        for start in range(0, permutations, rows):
            signs = rng.integers(0, 2, (min(rows, permutations - start), len(values)), dtype=np.int8)
            extreme += (np.abs((2.0 * signs - 1) @ filled) >= threshold).sum(axis=0)
        p[many] = (extreme + 1) / (permutations + 1)
        floor[many] = np.maximum(2.0 ** (1 - n[many]), 1 / (permutations + 1))
        looked[many], scheme[many] = permutations, "monte_carlo"
    return pd.DataFrame({"p_value": p, "p_floor": floor, "permutations": looked, "scheme": scheme})
