"""Tests of many taxa between two groups of subjects, or within subjects: exact by counting arrangements."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from microbiome.stats import TestResult, group_permutation, sign_flip

__all__ = ["UNTESTABLE", "compare_taxa", "exact_difference", "flip_taxa"]

_LARGEST_DENOMINATOR = 5040
# Counting arrangements takes at most so many steps; beyond, labels are drawn.
_STEPS = 20_000_000
_TIE = 1e-9
_ROWS = 500
#: Where there is nothing to test.
UNTESTABLE = TestResult(math.nan, math.nan, 1.0, 0, "exact")


def compare_taxa(
    values: np.ndarray, counts: np.ndarray, label: np.ndarray, stratum: np.ndarray, permutations: int, seed: int
) -> list[TestResult]:
    """Test for each taxon whether two groups differ in the mean of the subjects that count; two-sided.

    The test is :func:`microbiome.stats.group_permutation` of the subjects that count for the taxon. Where the values
    are few different fractions, all arrangements are counted, however many they are (with values of 0 and 1 and no
    strata this is Fisher's test with the distance from the mean as the measure of extremeness). Where that takes too
    long, labels of all subjects are drawn, the same for all taxa, and the statistic is the sum of the residuals from
    the stratum's mean.

    Parameters
    ----------
    values
        **subject x taxon**, fractions; what does not count is not looked at.
    counts
        **subject x taxon**, boolean.
    label
        1 for the group whose mean is compared with that of 0.
    stratum
        Stratum of each subject (numbers).
    permutations, seed
        Where labels are drawn.

    Returns
    -------
    list of TestResult
        One per taxon; p NaN and floor 1 where no stratum has subjects of both groups that count. The subjects' order is
        without meaning.
    """
    results: list[TestResult] = []
    later: list[int] = []
    for t in range(values.shape[1]):
        at = np.flatnonzero(counts[:, t])
        found = exact_difference(values[at, t], label[at], stratum[at])
        results.append(UNTESTABLE if found is None else found)
        if found is None:
            later.append(t)
    if not later:
        return results
    if len(label) <= 60:
        for t in later:
            at = np.flatnonzero(counts[:, t])
            results[t] = group_permutation(values[at, t], label[at], stratum[at], permutations, seed)
        return results
    for t, found in zip(later, _drawn(values, counts, label, stratum, later, permutations, seed), strict=True):
        results[t] = found
    return results


def exact_difference(values: np.ndarray, label: np.ndarray, stratum: np.ndarray) -> TestResult | None:
    """Return :func:`microbiome.stats.group_permutation` over all arrangements, counted; None where that takes too long.

    Parameters
    ----------
    values
        Fractions with small denominators, one per subject.
    label, stratum
        Group (0, 1) and stratum of each subject.
    """
    parts: list[tuple[int, tuple[tuple[int, int], ...], int]] = []
    scale = _denominator(values)
    if scale is None:
        return None
    whole = np.rint(values * scale).astype(np.int64)
    weight = 0.0
    for s in np.unique(stratum):
        here = stratum == s
        first, second = whole[here & (label == 0)], whole[here & (label == 1)]
        if len(first) and len(second):
            together = np.concatenate([first, second])
            levels = tuple((int(v), int(n)) for v, n in zip(*np.unique(together, return_counts=True), strict=True))
            parts.append((len(second), levels, int(second.sum())))
            weight += len(first) * len(second) / len(together)
    if not parts:
        return UNTESTABLE
    found = _count(tuple(sorted(parts)))
    if found is None:
        return None
    difference, p, floor, number = found
    return TestResult(difference / weight / scale, p, floor, number, "exact")


@lru_cache(maxsize=100_000)
def _count(parts: tuple[tuple[int, tuple[tuple[int, int], ...], int], ...]) -> tuple[float, float, float, int] | None:
    """Return the sum of residuals of group 1, p, its floor and the number of arrangements.

    Each part is a stratum: number of subjects in group 1, (value, subjects) of both groups together, sum in group 1.
    """
    steps = 0
    for taken, levels, _ in parts:
        total = sum(n for _, n in levels)
        steps += total * min(taken, total - taken) ** 2 * max(1, levels[-1][0] - levels[0][0])
    if steps > _STEPS:
        return None
    # The sum of group 1: its first possible value, and in which share of the arrangements it has each.
    sums, start, residual, number, mirrored = np.ones(1), 0, 0.0, 1, True
    expected = 0.0
    for taken, levels, own in parts:
        total = sum(n for _, n in levels)
        whole = sum(v * n for v, n in levels)
        ways, least = _sums(levels, min(taken, total - taken))
        if 2 * taken > total:
            ways, least = ways[::-1], whole - least - len(ways) + 1
        sums, start = np.convolve(sums, ways), start + least
        expected += taken * whole / total
        residual += own - taken * whole / total
        number *= math.comb(total, taken)
        mirrored &= 2 * taken == total
    distance = np.abs(start + np.arange(len(sums)) - expected)
    p = float(sums[distance >= abs(residual) - _TIE].sum() / sums.sum())
    return residual, min(1.0, p), (2 if mirrored else 1) / number, number


def _sums(levels: tuple[tuple[int, int], ...], taken: int) -> tuple[np.ndarray, int]:
    """Return in how many ways `taken` of the subjects have each sum (as shares), and the sum that comes first."""
    lowest = levels[0][0]
    span = taken * (levels[-1][0] - lowest) + 1
    table = np.zeros((taken + 1, span))
    table[0, 0] = 1
    for value, number in levels:
        step = value - lowest
        after = np.zeros_like(table)
        for k in range(min(number, taken) + 1):
            if step * k < span:
                after[k:, step * k :] += math.comb(number, k) * table[: taken + 1 - k, : span - step * k]
        # Shares, not counts: these may be larger than a number can be.
        table = after / after.max()
    return table[taken], taken * lowest


def _denominator(values: np.ndarray) -> int | None:
    scale = 1
    for value in np.unique(values).tolist():
        scale = math.lcm(scale, Fraction(value).limit_denominator(_LARGEST_DENOMINATOR).denominator)
        if scale > _LARGEST_DENOMINATOR:
            return None
    return scale if np.abs(values * scale - np.rint(values * scale)).max(initial=0) < _TIE else None


def _drawn(
    values: np.ndarray,
    counts: np.ndarray,
    label: np.ndarray,
    stratum: np.ndarray,
    taxa: list[int],
    permutations: int,
    seed: int,
) -> list[TestResult]:
    residual, weight, both = _residuals(np.where(counts, values, 0)[:, taxa], counts[:, taxa], label, stratum)
    observed = label @ residual
    rng = np.random.default_rng(seed)
    extreme = np.zeros(len(taxa), dtype=np.int64)
    blocks = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    for start in range(0, permutations, _ROWS):
        rows = np.tile(label.astype(float), (min(_ROWS, permutations - start), 1))
        for block in blocks:
            rows[:, block] = rng.permuted(rows[:, block], axis=1)
        extreme += (np.abs(rows @ residual) >= np.abs(observed) - _TIE).sum(axis=0)
    results = []
    for t in range(len(taxa)):
        if not both[t]:
            results.append(UNTESTABLE)
            continue
        p = (int(extreme[t]) + 1) / (permutations + 1)
        results.append(
            TestResult(float(observed[t] / weight[t]), p, 1 / (permutations + 1), permutations, "monte_carlo")
        )
    return results


def _residuals(
    values: np.ndarray, counts: np.ndarray, label: np.ndarray, stratum: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values less the stratum's mean (0 where they do not count), the weight, and whether both groups count."""
    residual, weight = np.zeros(values.shape), np.zeros(values.shape[1])
    for s in np.unique(stratum):
        here = stratum == s
        number = counts[here].sum(axis=0)
        second = counts[here & (label == 1)].sum(axis=0)
        used = (second > 0) & (second < number)
        mean = values[here].sum(axis=0) / np.maximum(number, 1)
        residual[here] = np.where(counts[here] & used, values[here] - mean, 0)
        weight += np.where(used, second * (number - second) / np.maximum(number, 1), 0)
    return residual, weight, weight > 0


def flip_taxa(differences: np.ndarray, counts: np.ndarray, permutations: int, seed: int) -> list[TestResult]:
    """Test for each taxon whether the differences within subjects are symmetric around 0.

    Parameters
    ----------
    differences
        **subject x taxon**; those that do not count are not looked at.
    counts
        **subject x taxon**, boolean.
    permutations, seed
        As in :func:`microbiome.stats.sign_flip`.
    """

    @lru_cache(maxsize=100_000)
    def test(values: tuple[float, ...]) -> TestResult:
        return sign_flip(values, permutations, seed) if values else UNTESTABLE

    columns = np.round(differences, 12)
    return [test(tuple(sorted(columns[counts[:, t], t].tolist()))) for t in range(differences.shape[1])]
