"""Exact tests of toxicity: tables of any size, and donors' properties permuted between donors."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from microbiome.stats import TestResult, restrict

__all__ = ["SEVERAL", "donor_permutation", "exposure", "fisher_test"]

#: How the donors of a recipient with several are put together.
SEVERAL = ("mean", "any")
# States kept at once while tables are enumerated; with more of them random tables are drawn.
_MOST_STATES = 50_000
# Probabilities closer than this share are equal (R uses 1e-7 too); so are statistics of 0..1 closer than the other.
_TIE, _ROUNDING = 1e-7, 1e-10
# Numbers per piece of arrangements.
_BLOCK = 1 << 21


def fisher_test(table: np.ndarray, permutations: int = 9999, seed: int = 0) -> TestResult:
    r"""Test whether rows and columns of a table of counts are independent, given its margins.

    p is the sum of the probabilities :math:`\prod_i r_i! \prod_j c_j! / (n! \prod_{ij} x_{ij}!)` of all tables with
    these margins that are at most as likely as the observed one: Fisher's exact test of a 2 x 2 table,
    Fisher-Freeman-Halton of larger ones; R ``fisher.test``.

    Parameters
    ----------
    table
        Counts, rows x columns; rows and columns of zeros do not matter.
    permutations
        Where the tables are too many to enumerate, this many are drawn and p = (b + 1) / (m + 1).
    seed
        Of the random tables.

    Returns
    -------
    TestResult
        The statistic is the probability of the table. ``p_floor`` is the probability of the least likely tables with
        these margins. NaN, and ``p_floor`` 1, where only one row or column has counts.

    References
    ----------
    Freeman & Halton, Biometrika 38:141 (1951), 10.1093/biomet/38.1-2.141.
    """
    counts = np.asarray(table, dtype=np.int64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape, default=0) < 2:
        return TestResult(math.nan, math.nan, 1.0, 0, "exact")
    if counts.shape[0] < counts.shape[1]:
        counts = counts.T
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    logs = np.array([math.lgamma(i + 1) for i in range(int(counts.sum()) + 1)])
    constant = logs[rows].sum() + logs[columns].sum() - logs[counts.sum()]
    own = constant - logs[counts].sum()
    found = _enumerated(np.sort(rows)[::-1].tolist(), columns, logs)
    if found is None:
        from scipy.stats import random_table

        drawn = random_table(rows, columns).rvs(size=permutations, random_state=np.random.default_rng(seed))
        extreme = int((constant - logs[drawn.astype(np.int64)].sum(axis=(1, 2)) <= own + _TIE).sum())
        least = 1 / (permutations + 1)
        return TestResult(math.exp(own), (extreme + 1) / (permutations + 1), least, permutations, "monte_carlo")
    probability, number = np.exp(constant - found[0]), found[1]
    mass = probability * number
    # The probabilities of all tables are 1: what rounding adds or takes is shared out, so that a p-value of 1 is 1.
    mass /= mass.sum()
    p = float(mass[probability <= math.exp(own) * (1 + _TIE)].sum())
    floor = float(mass[probability <= probability.min() * (1 + _TIE)].sum())
    return TestResult(math.exp(own), min(1.0, p), min(1.0, floor), int(number.sum()), "exact")


def _enumerated(rows: list[int], columns: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    r"""Return the different :math:`\sum \ln x_{ij}!` of all tables with these margins and how many tables have each.

    Row by row; partial tables with the same column sums and the same value go on together. None where they are too
    many.
    """
    sums = np.zeros((1, len(columns)), dtype=np.int64)
    value: np.ndarray = np.zeros(1)
    number: np.ndarray = np.ones(1)
    radix = np.concatenate([[1], np.cumprod(columns[:-1] + 1)])
    for row in rows:
        if math.comb(row + len(columns) - 1, len(columns) - 1) > _MOST_STATES:
            return None
        parts = np.array(list(_compositions(row, len(columns))), dtype=np.int64)
        parts = parts[(parts <= columns).all(axis=1)]
        if len(sums) * len(parts) > 20 * _MOST_STATES:
            return None
        sums = (sums[:, np.newaxis] + parts).reshape(-1, len(columns))
        value = (value[:, np.newaxis] + logs[parts].sum(axis=1)).ravel()
        number = np.repeat(number, len(parts))
        fits = (sums <= columns).all(axis=1)
        sums, value, number = sums[fits], value[fits], number[fits]
        # Equal sums and values side by side; the values as whole numbers, so that rounding does not tell them apart.
        place, whole = sums @ radix, np.round(value * 1e9).astype(np.int64)
        order = np.lexsort((whole, place))
        place, whole = place[order], whole[order]
        new = np.concatenate([[True], (np.diff(place) != 0) | (np.diff(whole) != 0)])
        number = np.add.reduceat(number[order], np.flatnonzero(new))
        sums, value = sums[order][new], value[order][new]
        if len(sums) > _MOST_STATES:
            return None
    return value, number


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)


def exposure(received: np.ndarray, values: np.ndarray, several: str = "mean") -> np.ndarray:
    """Return what each recipient was exposed to.

    Parameters
    ----------
    received
        Booleans, **recipient x donor**; every recipient has a donor.
    values
        The property of each donor, 0 or more: **donor**, or **arrangement x donor**.
    several
        Of recipients with several donors: ``mean`` over them, or ``any``, the largest (1 where any donor has it).

    Returns
    -------
    ndarray
        **recipient**, or **arrangement x recipient**.
    """
    if several == "mean":
        return np.asarray(values @ (received / received.sum(axis=1, keepdims=True)).T)
    return np.stack([values[..., row].max(axis=-1) for row in received], axis=-1)


def donor_permutation(
    outcome: np.ndarray,
    received: np.ndarray,
    values: np.ndarray,
    statistic: str = "correlation",
    several: str = "mean",
    permutations: int = 9999,
    seed: int = 0,
) -> TestResult:
    r"""Test whether an outcome of recipients goes with a property of their donors, the donor being what is independent.

    The property is permuted between donors; all recipients of a donor stay together, and of a recipient with several
    donors the exposure is computed anew. p is the share of the arrangements, the observed one among them, whose
    statistic is at least the observed one.

    Parameters
    ----------
    outcome
        One number per recipient.
    received
        Booleans, **recipient x donor**; every recipient has a donor, every donor a recipient.
    values
        Property of each donor: 0 or 1, an abundance, or (``groups``) the number of its group.
    statistic
        ``correlation``: :math:`r^2` of outcome and exposure; of 0 and 1 the chi-squared of the 2 x 2 table over n.
        ``delta``: :math:`|\delta|` of Cliff, of the exposures of recipients with outcome 1 against 0. ``groups``:
        :math:`R^2` of the outcome on the exposures to each group; of single donors the sum of squares between groups.
    several
        As in :func:`exposure`.
    permutations
        With at most ``permutations + 1`` arrangements all of them are looked at (exact), else this many random ones.
    seed
        Of the random arrangements.

    Returns
    -------
    TestResult
        The statistic has no sign. ``p_floor`` is the share of arrangements that reach the largest statistic of all: the
        smallest p that this property of the donors could have given with these outcomes. NaN, and ``p_floor`` 1, where
        all donors are alike or all outcomes are.
    """
    y = np.asarray(outcome, dtype=float)
    levels, labels, number = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    if len(levels) < 2 or len(y) < 2 or np.ptp(y) == 0:
        return TestResult(math.nan, math.nan, 1.0, 0, "exact")
    if statistic == "groups":
        levels = np.arange(len(levels), dtype=float)
    received = np.asarray(received, dtype=bool)
    question = _Question(statistic, several, permutations, seed, received.shape)
    observed = float(_statistics(y, received, levels[labels][np.newaxis], question)[0])
    found, exact = _null(question, y.tobytes(), received.tobytes(), tuple(levels.tolist()), tuple(number.tolist()))
    extreme = len(found) - int(np.searchsorted(found, observed - _ROUNDING))
    largest = max(observed, float(found[-1]))
    at_largest = len(found) - int(np.searchsorted(found, largest - _ROUNDING))
    if exact:
        return TestResult(observed, max(extreme, 1) / len(found), max(at_largest, 1) / len(found), len(found), "exact")
    # The observed arrangement counts as one of those drawn.
    at_largest += int(observed >= largest - _ROUNDING)
    total = permutations + 1
    return TestResult(observed, (extreme + 1) / total, max(at_largest, 1) / total, permutations, "monte_carlo")


class _Question(NamedTuple):
    """What, besides the numbers, tells one null distribution from another."""

    statistic: str
    several: str
    permutations: int
    seed: int
    shape: tuple[int, ...]


# Thousands of taxa have few different numbers of donors with them, and few patterns of ties.
@functools.lru_cache(maxsize=256)
def _null(
    question: _Question, outcome: bytes, donors: bytes, levels: tuple[float, ...], number: tuple[int, ...]
) -> tuple[np.ndarray, bool]:
    """Return the statistics of all arrangements (or of random ones) in ascending order, and whether they are all."""
    y = np.frombuffer(outcome)
    received = np.frombuffer(donors, dtype=bool).reshape(question.shape)
    design = restrict(np.repeat(np.arange(len(number)), number))
    value = np.array(levels)
    size = max(1, _BLOCK // max(question.shape))
    found = [
        _statistics(y, received, value[rows[start : start + size]], question)
        for rows in design.pieces(question.permutations, question.seed)
        for start in range(0, len(rows), size)
    ]
    return np.sort(np.concatenate(found)), design.exact(question.permutations)


def _statistics(y: np.ndarray, received: np.ndarray, values: np.ndarray, question: _Question) -> np.ndarray:
    """Return the statistic of each arrangement (row) of the donors' values."""
    if question.statistic == "groups":
        return _explained(y, received, values, int(values.max()) + 1, question.several)
    if question.statistic == "delta":
        severe = (y > 0).astype(float)
        if (received.sum(axis=1) == 1).all():
            # Recipients of a donor are exposed alike: they count together.
            return _delta(severe @ received, (1 - severe) @ received, values)
        return _delta(severe, 1 - severe, exposure(received, values, question.several))
    return _squared(y, exposure(received, values, question.several))


def _squared(y: np.ndarray, exposed: np.ndarray) -> np.ndarray:
    """Return the squared correlation of y with each row; 0 where a row does not vary."""
    centred = exposed - exposed.mean(axis=-1, keepdims=True)
    own = y - y.mean()
    spread = (centred**2).sum(axis=-1) * (own**2).sum()
    scale = 1e-18 * max(1e-300, float(np.abs(exposed).max(initial=0.0)) ** 2) * len(y) * float((own**2).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > scale, (centred @ own) ** 2 / spread, 0.0)


def _delta(severe: np.ndarray, others: np.ndarray, exposed: np.ndarray) -> np.ndarray:
    """Return the size of Cliff's delta for each row of exposures, each had by so many severe and so many others."""
    order = np.argsort(exposed, axis=1)
    ordered = np.take_along_axis(exposed, order, axis=1)
    # Means over several donors differ by rounding where they are equal.
    tie = 1e-12 * np.abs(exposed).max(axis=1, keepdims=True)
    apart = np.diff(ordered, axis=1) > tie
    edge, place = np.ones((len(exposed), 1), dtype=bool), np.arange(exposed.shape[1])
    first = np.maximum.accumulate(np.where(np.hstack([edge, apart]), place, 0), axis=1)
    last = np.where(np.hstack([apart, edge]), place, exposed.shape[1])
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    before = np.hstack([np.zeros((len(exposed), 1)), np.cumsum(others[order], axis=1)])
    below, upto = np.take_along_axis(before, first, axis=1), np.take_along_axis(before, last + 1, axis=1)
    pairs = severe.sum() * others.sum()
    return np.asarray(np.abs((severe[order] * (below + upto)).sum(axis=1) / pairs - 1))


def _explained(y: np.ndarray, received: np.ndarray, codes: np.ndarray, groups: int, several: str) -> np.ndarray:
    """Return the share of the spread of y that the exposures to each group explain, for each row of groups."""
    design = np.stack([exposure(received, (codes == group).astype(float), several) for group in range(groups)], axis=2)
    design = design - design.mean(axis=1, keepdims=True)
    own = y - y.mean()
    fitted = design @ (np.linalg.pinv(design, rcond=1e-9) @ own)[:, :, np.newaxis]
    return np.asarray((fitted[:, :, 0] ** 2).sum(axis=1) / (own**2).sum())
