"""Effect sizes of two groups by permutation or rank: difference of means, Hodges-Lehmann shift."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from microbiome.stats.intervals import Interval
from microbiome.stats.permutations import restrict
from microbiome.stats.values import check_level, present

__all__ = ["difference_by_permutation", "hodges_lehmann"]

# As in R's wilcox.test: below this many in each group, and without ties, the distribution of the rank sum is exact.
_EXACT = 50


def difference_by_permutation(
    first: ArrayLike, second: ArrayLike, level: float = 0.95, permutations: int = 9999, seed: int = 0
) -> Interval:
    r"""Return mean(second) - mean(first) with the interval that :func:`microbiome.stats.tests.group_permutation` gives.

    The shifts :math:`\delta` that the two-sided test does not reject when they are taken from the second group. With d
    the difference observed, :math:`d_A` that of arrangement A and :math:`c_A` the difference of means of the indicator
    of the second group under A, A is as extreme as the data at :math:`\delta` where
    :math:`|d_A - \delta c_A| \ge |d - \delta|`: between :math:`(d - d_A) / (1 - c_A)` and
    :math:`(d + d_A) / (1 + c_A)`, an interval around d. The bounds are order statistics of these ends, exactly.

    Parameters
    ----------
    first, second
        One number per subject of each group. NaN is left out.
    level
        Confidence level.
    permutations, seed
        As in :func:`microbiome.stats.tests.group_permutation`.

    Returns
    -------
    Interval
        It leaves out 0 exactly where the test of the same permutations and seed has p <= 1 - level. Without bounds
        where the smallest attainable p-value is above that (3 subjects against 3), or a group is empty.

    Raises
    ------
    ValueError
        A level outside 0..1, an infinite value, `permutations` below 1.

    Notes
    -----
    It holds where the groups differ by a shift and are alike otherwise. Where they differ in spread and in size use
    :func:`microbiome.stats.intervals.difference_interval`.

    References
    ----------
    Garthwaite, Biometrics 52:1387 (1996), 10.2307/2532852 (tests inverted by simulation).
    """
    check_level(level)
    if permutations < 1:
        raise ValueError(f"{permutations} permutations are too few: at least 1 is needed")
    x, y = present(first), present(second)
    n = len(x) + len(y)
    if not len(x) or not len(y):
        return Interval(math.nan, math.nan, math.nan, n, "permutation")
    if len(y) > len(x):
        mirror = difference_by_permutation(y, x, level, permutations, seed)
        return Interval(-mirror.estimate, -mirror.high, -mirror.low, n, "permutation")
    pooled = np.concatenate([x, y])
    second_of = np.repeat([0.0, 1.0], [len(x), len(y)])
    order = np.lexsort((second_of, pooled))
    centre = float(pooled.mean())
    pooled, second_of = pooled[order] - centre, second_of[order]
    design = restrict(np.repeat(np.array([0, 1], dtype=np.int8), [len(x), len(y)]))
    weights = 1 / len(y) + 1 / len(x)
    estimate = float(y.mean() - x.mean())
    lows, highs = [], []
    for rows in design.pieces(permutations, seed):
        taken = rows.astype(float)
        d = taken @ pooled * weights
        c = taken @ second_of * weights - len(y) / len(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.array([(estimate - d) / (1 - c), (estimate + d) / (1 + c)])
        # The observed arrangement (c = 1), and its mirror image (c = -1), are as extreme as the data at any shift.
        always = (1 - np.abs(c)) * n < 1e-6
        lows.append(np.where(always, -math.inf, ends.min(axis=0)))
        highs.append(np.where(always, math.inf, ends.max(axis=0)))
    low, high = np.concatenate(lows), np.concatenate(highs)
    if not design.exact(permutations):
        low, high = np.append(low, -math.inf), np.append(high, math.inf)
    # Rejected where at most this many are as extreme: the next of them bounds the interval.
    rejected = math.floor((1 - level) * len(low) * (1 + 1e-12))
    bounds = np.array([np.sort(low)[rejected], -np.sort(-high)[rejected]])
    bounds[~np.isfinite(bounds)] = math.nan
    return Interval(estimate, float(bounds[0]), float(bounds[1]), n, "permutation")


def hodges_lehmann(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Interval:
    r"""Return the shift of the second group against the first, with the interval of the Wilcoxon rank-sum test.

    The median of all differences :math:`y_j - x_i`. The interval holds the shifts that the test does not reject: with
    the differences in ascending order, from the k-th smallest to the k-th largest. k comes from the exact
    distribution of the rank sum where both groups have fewer than 50 values and no two values are equal; else from
    the normal one, corrected for continuity and for ties within groups.

    Parameters
    ----------
    first, second
        One number per subject of each group. NaN is left out.
    level
        Confidence level.

    Returns
    -------
    Interval
        In the unit of the values. Without bounds where no interval of the level exists (3 values against 3) or no two
        values differ; R then gives the most extreme differences with a warning. NaN where a group is empty.

    Raises
    ------
    ValueError
        A level outside 0..1, an infinite value.

    Notes
    -----
    R ``wilcox.test(second, first, conf.int = TRUE)``. Without the exact distribution R searches for the bounds, to
    1e-4, and for an estimate between the two differences in the middle; here the bounds are exact and the estimate
    stays the median. Where many values are equal (zeros in both groups) the interval can touch 0 although the test of
    no shift rejects: at any other shift fewer values are tied.

    References
    ----------
    Hodges & Lehmann, Ann Math Stat 34:598 (1963), 10.1214/aoms/1177704172; Bauer, J Am Stat Assoc 67:687 (1972),
    10.1080/01621459.1972.10481279.
    """
    check_level(level)
    x, y = present(first), present(second)
    n, pairs = len(x) + len(y), len(x) * len(y)
    pooled = np.sort(np.concatenate([x, y]))
    exact = max(len(x), len(y)) < _EXACT and bool((np.diff(pooled) > 0).all())
    method = "wilcoxon_exact" if exact else "wilcoxon_normal"
    if not pairs:
        return Interval(math.nan, math.nan, math.nan, n, method)
    differences = np.sort((y[:, np.newaxis] - x).ravel())
    k = _exact_rank(len(x), len(y), level) if exact else _normal_rank(x, y, level)
    bounds = (math.nan, math.nan) if k < 1 else (float(differences[k - 1]), float(differences[pairs - k]))
    return Interval(float(np.median(differences)), *bounds, n, method)


def _exact_rank(n1: int, n2: int, level: float) -> int:
    """Return how many numbers u of pairs in order have P(U <= u) < (1 - level) / 2 when nothing differs.

    The arrangements with U = u are counted by the coefficient of q^u in the Gaussian binomial coefficient
    prod (1 - q^(n2 + i)) / (1 - q^i), i = 1..n1; whole numbers of any size, so that nothing is rounded.
    """
    half = n1 * n2 // 2 + 1
    ways = np.zeros(half, dtype=object)
    ways[0] = 1
    for i in range(1, n1 + 1):
        ways[n2 + i :] = ways[n2 + i :] - ways[: max(0, half - n2 - i)]
        for start in range(min(i, half)):
            ways[start::i] = np.cumsum(ways[start::i])
    share = np.cumsum(ways) / math.comb(n1 + n2, n1)
    return int((share.astype(float) < (1 - level) / 2 * (1 - 1e-12)).sum())


def _normal_rank(x: np.ndarray, y: np.ndarray, level: float) -> int:
    """Return the rank of the difference at which the normal rank-sum test begins not to reject; below 1 for none.

    While k of the n1 n2 differences lie below the shift, z = (n1 n2 / 2 - k - 1/2) / sigma.
    """
    n, pairs = len(x) + len(y), len(x) * len(y)
    if min(x[0], y[0]) == max(x[-1], y[-1]):
        return 0
    ties = np.concatenate([np.unique(group, return_counts=True)[1] for group in (x, y)]).astype(float)
    sigma = math.sqrt(pairs / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1))))
    return math.ceil(pairs / 2 - 0.5 - float(stats.norm.ppf((1 + level) / 2)) * sigma)
