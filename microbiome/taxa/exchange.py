"""Permutation tests of two groups for many columns at once, each among the subjects who have a value in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from microbiome.errors import InputError, Problem

__all__ = ["check_permutations", "column_tests"]

# Statistics closer than this share of what they sum are equal: rounding, not evidence.
_TIE = 1e-12
# Random arrangements looked at first; only where few of them are as extreme are all drawn.
_FIRST = 999
_FEW = 100
# Larger numbers of arrangements are written as this: a column of numbers holds it exactly.
_MOST_COUNTED = 10**18
# Numbers held at once by random draws.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class _Null:
    """What the sum over the followed group can be when labels are dealt out at random.

    Parameters
    ----------
    levels, counts
        The different values, ascending, and how many subjects have each.
    taken
        Subjects in the followed group.
    tables
        How many different ways there are to take so many of these values; infinite where too many to look at.
    arrangements
        How many ways there are to take so many subjects.
    """

    levels: np.ndarray
    counts: np.ndarray
    taken: int
    tables: float
    arrangements: int

    @property
    def expected(self) -> float:
        return float(self.levels @ self.counts) * self.taken / int(self.counts.sum())

    @property
    def tie(self) -> float:
        return _TIE * float(np.abs(self.levels).max()) * int(self.counts.sum())


def check_permutations(permutations: int) -> None:
    """Raise InputError unless there is at least one permutation."""
    if permutations < 1:
        message = f"{permutations} permutations are too few"
        raise InputError(Problem(message, "give at least 1, such as 9999", value=str(permutations)))


def column_tests(values: np.ndarray, second: np.ndarray, permutations: int = 9999, seed: int = 0) -> pd.DataFrame:
    r"""Test in each column whether two groups differ in the mean, labels permuted among the subjects with a value.

    As :func:`microbiome.stats.group_permutation` (two-sided, without strata) column by column: the share of the
    arrangements of the labels whose difference of means is at least as far from 0 as the observed one. Arrangements
    that give a group equal values are counted together: for values 0 and 1 the number of ones in a group is
    hypergeometric, in general (:math:`c_j` subjects with the j-th value, :math:`x_j` of them in the group of k)

    .. math:: P(x) = \prod_j \binom{c_j}{x_j} \Big/ \binom{n}{k}

    Parameters
    ----------
    values
        **subject x column**; NaN where a subject does not take part.
    second
        Boolean per subject: in the second group.
    permutations
        With at most ``permutations + 1`` different tables x all are looked at (exact). Else random arrangements are:
        999, and where fewer than 100 of these are as extreme, this many; p = (b + 1) / (m + 1).
    seed
        Of the random arrangements. They are those of the counts :math:`c_j`: equal columns have equal p-values.

    Returns
    -------
    DataFrame
        One row per column: ``p_value``, NaN without a value in either group; ``p_floor``, smallest p-value that any
        values of these subjects could have given (1 / arrangements, 2 / arrangements for groups of one size);
        ``p_attainable``, smallest that these values could have given; ``permutations``, all arrangements of the labels
        (exact, counted by tables: there can be more than `permutations`), or the random ones looked at; ``scheme``,
        exact or monte_carlo.

    Notes
    -----
    Stopping early with p > 0.1 keeps the test valid: whoever is stopped has not rejected, and the share of the first
    draws is valid by itself. For values 0 and 1 this is Fisher's exact test but for what is called as extreme in a
    two-sided sense: here the difference of the shares, there the probability of the table.
    """
    rows: list[tuple[float, float, float, int, str | None]] = []
    nulls: dict[tuple[bytes, bytes, int], _Null] = {}
    found: dict[tuple[bytes, bytes, int, float], tuple[float, int, str]] = {}
    for column in values.T:
        there = ~np.isnan(column)
        y, label = column[there], second[there]
        sizes = int((~label).sum()), int(label.sum())
        if min(sizes) == 0:
            rows.append((math.nan, 1.0, 1.0, 0, None))
            continue
        levels, counts = np.unique(y, return_counts=True)
        followed = np.sort(y[label] if sizes[1] <= sizes[0] else y[~label])
        key = (levels.tobytes(), counts.tobytes(), len(followed))
        if key not in nulls:
            nulls[key] = _null(levels, counts, len(followed), permutations)
        null = nulls[key]
        total = float(followed.sum())
        if (*key, total) not in found:
            found[*key, total] = _tested(null, total, permutations, seed)
        p, looked, scheme = found[*key, total]
        least = 0.0 if scheme == "exact" else 1 / (permutations + 1)
        floor = max(least, (2 if sizes[0] == sizes[1] else 1) / null.arrangements)
        attainable = max(least, _attainable(null))
        rows.append((max(p, attainable), min(floor, 1.0), attainable, looked, scheme))
    return pd.DataFrame(rows, columns=["p_value", "p_floor", "p_attainable", "permutations", "scheme"])


def _null(levels: np.ndarray, counts: np.ndarray, taken: int, permutations: int) -> _Null:
    arrangements = math.comb(int(counts.sum()), taken)
    # Subjects of different values already make more tables than that.
    if len(levels) >= taken and math.comb(len(levels), taken) > permutations + 1:
        return _Null(levels, counts, taken, math.inf, arrangements)
    # The ways to take 0, 1, ..., `taken` of the values so far.
    ways = np.zeros(taken + 1)
    ways[0] = 1
    for count in counts:
        sums = np.concatenate([[0.0], np.cumsum(ways)])
        ways = sums[1:] - sums[np.maximum(0, np.arange(taken + 1) - count)]
        if ways[taken] > permutations + 1:
            return _Null(levels, counts, taken, math.inf, arrangements)
    return _Null(levels, counts, taken, float(ways[taken]), arrangements)


def _tested(null: _Null, total: float, permutations: int, seed: int) -> tuple[float, int, str]:
    """Return p-value, what was looked at, and the scheme."""
    if len(null.levels) == 1:
        return 1.0, min(null.arrangements, _MOST_COUNTED), "exact"
    threshold = abs(total - null.expected) - null.tie
    if math.isfinite(null.tables):
        totals, weights = _tables(null)
        extreme = np.abs(totals - null.expected) >= threshold
        return float(weights[extreme].sum() / weights.sum()), min(null.arrangements, _MOST_COUNTED), "exact"
    rng = np.random.default_rng([seed, null.taken, *null.counts.tolist()])
    extreme_draws, drawn = 0, 0
    for until in (min(_FIRST, permutations), permutations):
        for totals in _draws(null, rng, until - drawn):
            extreme_draws += int((np.abs(totals - null.expected) >= threshold).sum())
        drawn = until
        if extreme_draws >= _FEW:
            break
    return (extreme_draws + 1) / (drawn + 1), drawn, "monte_carlo"


def _tables(null: _Null) -> tuple[np.ndarray, np.ndarray]:
    """Return the total of the followed group in each table, and a weight proportional to its probability."""
    totals, weights = np.zeros(1), np.ones(1)
    taken = np.zeros(1, dtype=np.int64)
    # The value that most have comes last: how many are taken of it follows from the others.
    *order, last = np.argsort(null.counts, kind="stable").tolist()
    rest = int(null.counts.sum())
    for level, count in zip(null.levels[order], null.counts[order].tolist(), strict=True):
        rest -= count
        x = np.arange(count + 1)
        after = taken[:, np.newaxis] + x
        possible = (after <= null.taken) & (after + rest >= null.taken)
        totals = (totals[:, np.newaxis] + level * x)[possible]
        weights = (weights[:, np.newaxis] * _coins(count))[possible]
        taken = after[possible]
    left = null.taken - taken
    return totals + null.levels[last] * left, weights * _coins(int(null.counts[last]))[left]


def _coins(count: int) -> np.ndarray:
    """Return the probabilities of 0, 1, ... heads of `count` coins: binomial coefficients that do not overflow."""
    x = np.arange(count + 1)
    # Exact as long as the coefficients are whole numbers in double precision: 0.5**count is a power of two.
    return np.asarray(special.comb(count, x) * 0.5**count if count <= 1000 else stats.binom.pmf(x, count, 0.5))


def _draws(null: _Null, rng: np.random.Generator, size: int) -> Iterator[np.ndarray]:
    """Yield totals of the followed group in random arrangements."""
    many = len(null.levels)
    # Both draw from the same distribution; the first takes time by levels, the second by subjects.
    method: Literal["marginals", "count"] = "marginals" if many * 16 < null.taken else "count"
    rows = max(1, _BLOCK // many)
    for start in range(0, size, rows):
        drawn = rng.multivariate_hypergeometric(null.counts, null.taken, min(rows, size - start), method=method)
        yield drawn @ null.levels


def _attainable(null: _Null) -> float:
    """Return the probability of the totals that lie furthest from the expected one."""
    arrangements = null.arrangements
    (low, low_ways), (high, high_ways) = (_end(null, order) for order in (1, -1))
    below, above = null.expected - low, high - null.expected
    if abs(below - above) <= null.tie:
        return 1.0 if high - low <= null.tie else (low_ways + high_ways) / arrangements
    return (low_ways if below > above else high_ways) / arrangements


def _end(null: _Null, order: int) -> tuple[float, int]:
    """Return the smallest (order 1) or largest (-1) total, and how many arrangements have it."""
    total, left = 0.0, null.taken
    for level, count in zip(null.levels[::order].tolist(), null.counts[::order].tolist(), strict=True):
        if left <= count:
            return total + left * level, math.comb(count, left)
        total, left = total + count * level, left - count
    return total, 1
