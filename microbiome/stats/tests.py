"""Permutation tests: groups of independent subjects, and one group against 0."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from microbiome.stats.permutations import Design, restrict
from microbiome.stats.values import present

__all__ = ["TestResult", "group_permutation", "sign_flip"]

# Labels that are kept for the next test: 20 MB.
_MOST_KEPT = 20_000_000
# Signs looked at together: bounds the memory to some 20 MB.
_BLOCK = 1 << 20
# Statistics closer than this share of what they sum are equal: rounding, not evidence.
_TIE = 1e-12
# Up to this many subjects all sign flips are looked at.
_FLIPPED = 14


@dataclass(frozen=True)
class TestResult:
    """A statistic and how rarely chance exceeds it.

    Parameters
    ----------
    statistic
        In the unit of the values (or its square); NaN where nothing can be tested.
    p_value
        In `p_floor`..1; NaN where nothing can be tested.
    p_floor
        The smallest p-value that any values of these subjects could have given.
    permutations
        How many arrangements were looked at: all of them when exact, else how many were drawn.
    scheme
        ``exact`` or ``monte_carlo``.
    """

    __test__: ClassVar[bool] = False  # pytest takes every class named Test... for tests

    statistic: float
    p_value: float
    p_floor: float
    permutations: int
    scheme: str


_UNTESTABLE = TestResult(math.nan, math.nan, 1.0, 0, "exact")


def group_permutation(
    values: ArrayLike,
    labels: ArrayLike,
    strata: ArrayLike | None = None,
    permutations: int = 9999,
    seed: int = 0,
    alternative: str = "two-sided",
) -> TestResult:
    r"""Test whether groups of subjects differ in the mean, by permuting the subjects' labels.

    Two groups: :math:`d = \bar y_1 - \bar y_0`. With strata s that hold :math:`n_{0s}` and :math:`n_{1s}` subjects,
    the difference within strata that least squares finds (R ``coef(lm(y ~ stratum + label))``):

    .. math:: d = \frac{\sum_s w_s (\bar y_{1s} - \bar y_{0s})}{\sum_s w_s}, \qquad
              w_s = \frac{n_{0s} n_{1s}}{n_{0s} + n_{1s}}

    More groups: the sum of squares between groups :math:`\sum_g n_g (\bar r_g - \bar r)^2` of the values r, less their
    stratum's mean where there are strata.

    The p-value is the share of arrangements of the labels, the observed one among them, whose statistic is at least
    the observed one (for two groups, its absolute value).

    Parameters
    ----------
    values
        One number per subject.
    labels
        Group of each subject. The first in sorted order is 0, the second 1.
    strata
        Stratum of each subject (centre, cohort): labels are exchanged only within strata. Strata in which all
        subjects have one label tell nothing and are left out. None for no strata.
    permutations
        With at most ``permutations + 1`` arrangements all of them are looked at (exact); else this many random ones
        are, and p = (b + 1) / (m + 1) when b of m are as extreme.
    seed
        Of the random arrangements.
    alternative
        ``two-sided``, ``greater`` (label 1 has the larger mean) or ``less``; the latter two for two groups only.

    Returns
    -------
    TestResult
        ``p_floor`` is the smallest p-value of the design: 1 / arrangements, and two-sided 2 / arrangements where
        exchanging the two groups is an arrangement too (equal numbers in each stratum). With more groups, the share
        of arrangements that only rename groups. Not below 1 / (m + 1) with m random arrangements. Equal values can
        put what is attainable above it. Where fewer than two groups are left, statistic and p-value are NaN and
        ``p_floor`` is 1.

    Raises
    ------
    ValueError
        Lengths that differ, an infinite value, `permutations` below 1, an unknown `alternative`, or a one-sided one
        with more than two groups.

    Notes
    -----
    Subjects with a missing value, label or stratum are left out. The result does not depend on the order of subjects,
    and two-sided not on which of two groups is 0: with the same seed p is the same to the last bit. Equal to R
    ``combn`` over all arrangements. Exact under exchangeability; where groups differ in spread and in size, the test
    of means is approximate.

    References
    ----------
    Phipson & Smyth, Stat Appl Genet Mol Biol 9:39 (2010), 10.2202/1544-6115.1585.
    """
    if permutations < 1:
        raise ValueError(f"{permutations} permutations are too few: at least 1 is needed")
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"no alternative is named {alternative}; there are two-sided, greater and less")
    y, label, stratum = _usable(values, labels, strata)
    groups = int(label.max(initial=-1)) + 1
    if groups > 2 and alternative != "two-sided":
        raise ValueError(f"{alternative} needs two groups, and there are {groups}")
    y, label, stratum = _informative(y, label, stratum)
    if not len(y):
        return _UNTESTABLE
    residuals = y - (np.bincount(stratum, y) / np.bincount(stratum))[stratum]
    tie = _TIE * float(np.abs(y).max()) * len(y)
    if groups > 2:
        design = _canonical(label, stratum)
        observed = float(_between(label[np.newaxis], residuals)[0])
        tie *= 2 * float(np.abs(residuals).max())
        squares = (_between(rows, residuals) for rows in design.pieces(permutations, seed))
        return _result(observed, squares, observed - tie, design, design.smallest_p, permutations)
    table = np.array([np.bincount(stratum[label == group], minlength=stratum[-1] + 1) for group in (0, 1)])
    # One of the groups is followed, the same one whichever is called 0.
    followed = 1 if table[1].tolist() <= table[0].tolist() else 0
    sign = 1 if followed == 1 else -1
    design = _canonical((label == followed).astype(np.int8), stratum)
    weight = float((table[0] * table[1] / table.sum(axis=0)).sum())
    total = float(residuals[label == followed].sum())
    drawn: Iterator[np.ndarray] = (rows.astype(float) @ residuals for rows in _pieces(design, permutations, seed))
    if alternative == "two-sided":
        drawn, threshold, floor = map(np.abs, drawn), abs(total), design.smallest_p
    else:
        up = sign if alternative == "greater" else -sign
        drawn, threshold, floor = (up * sums for sums in drawn), up * total, 1 / design.arrangements
    return _result(sign * total / weight, drawn, threshold - tie, design, floor, permutations)


def _usable(
    values: ArrayLike, labels: ArrayLike, strata: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, labels and strata (0, 1, ...) of the subjects for whom all three are known."""
    y = np.asarray(values, dtype=float)
    label, _ = pd.factorize(np.asarray(labels), sort=True)
    stratum = np.zeros(len(y), dtype=np.intp) if strata is None else pd.factorize(np.asarray(strata), sort=True)[0]
    if not y.shape == label.shape == stratum.shape:
        raise ValueError(f"{len(y)} values, {len(label)} labels and {len(stratum)} strata do not belong together")
    known = ~np.isnan(y) & (label >= 0) & (stratum >= 0)
    y, label, stratum = y[known], label[known], stratum[known]
    if not np.isfinite(y).all():
        raise ValueError("a value is infinite")
    return y, np.unique(label, return_inverse=True)[1], stratum


def _informative(y: np.ndarray, label: np.ndarray, stratum: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leave out strata of one label, number the rest 0, 1, ..., and order subjects by stratum, value and label."""
    pairs = np.unique(np.column_stack([stratum, label]), axis=0)[:, 0]
    inside = np.flatnonzero(np.bincount(pairs, minlength=1)[stratum] > 1)
    inside = inside[np.lexsort((label[inside], y[inside], stratum[inside]))]
    label, stratum = (np.unique(codes[inside], return_inverse=True)[1] for codes in (label, stratum))
    return y[inside], label, stratum


def _canonical(label: np.ndarray, stratum: np.ndarray) -> Design:
    """Return the design with labels in ascending order within strata: it holds nothing of the data but counts."""
    kind = np.int8 if label.max() < 128 else np.int32
    return restrict(label[np.lexsort((label, stratum))].astype(kind), stratum)


def _pieces(design: Design, permutations: int, seed: int) -> Iterable[np.ndarray]:
    """Return the arrangements of a design (:meth:`Design.pieces`).

    Those drawn last are kept: to draw them takes longer than all else, and the tests of one study ask for the same.
    """
    if design.exact(permutations) or permutations * len(design.labels) > _MOST_KEPT:
        return design.pieces(permutations, seed)
    blocks = tuple(tuple(block.tolist()) for block in design.blocks)
    return _drawn(design.labels.tobytes(), design.labels.dtype.str, blocks, permutations, seed)


@functools.lru_cache(maxsize=4)
def _drawn(
    labels: bytes, kind: str, blocks: tuple[tuple[int, ...], ...], permutations: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Return random arrangements of a design of which nothing but labels and blocks matters."""
    places = tuple(np.array(block, dtype=np.intp) for block in blocks)
    design = Design("drawn", np.zeros(0, dtype=np.intp), np.frombuffer(labels, dtype=kind), places, permutations + 2, 0)
    return tuple(design.pieces(permutations, seed))


def _between(rows: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Return the sum of squares between groups for each row of labels."""
    counts = np.bincount(rows[0])
    return np.asarray(
        sum(((rows == group).astype(float) @ residuals) ** 2 / count for group, count in enumerate(counts))
    )


def _result(
    statistic: float,
    drawn: Iterator[np.ndarray],
    threshold: float,
    design: Design,
    floor: float,
    permutations: int,
) -> TestResult:
    """Count the arrangements whose statistic reaches the threshold."""
    extreme = sum(int((sums >= threshold).sum()) for sums in drawn)
    if design.exact(permutations):
        return TestResult(statistic, extreme / design.arrangements, floor, design.arrangements, "exact")
    p = (extreme + 1) / (permutations + 1)
    return TestResult(statistic, p, max(floor, 1 / (permutations + 1)), permutations, "monte_carlo")


def sign_flip(values: ArrayLike, permutations: int = 9999, seed: int = 0) -> TestResult:
    """Test whether independent values are symmetric around 0, by the absolute value of their mean.

    Under the null each value could as well have had the other sign: p is the share of the 2^n sign flips, the
    observed one among them, whose mean lies at least as far from 0.

    Parameters
    ----------
    values
        One number per subject, such as observed less expected. NaN is left out.
    permutations
        With at most ``permutations + 1`` flips, and always up to 14 subjects, all are looked at (exact); else this
        many random ones are, and p = (b + 1) / (m + 1).
    seed
        Of the random flips.

    Returns
    -------
    TestResult
        The statistic is the mean. ``p_floor`` is 2 / 2^n, and not below 1 / (m + 1) with m random flips. NaN, and
        ``p_floor`` 1, without values.

    Raises
    ------
    ValueError
        An infinite value, `permutations` below 1.
    """
    if permutations < 1:
        raise ValueError(f"{permutations} permutations are too few: at least 1 is needed")
    x = present(values)
    n = len(x)
    if not n:
        return _UNTESTABLE
    sizes = np.sort(np.abs(x))
    threshold = abs(float(x.sum())) - _TIE * float(sizes.sum())
    floor = 2.0 ** (1 - n)
    if n <= _FLIPPED or 2**n <= permutations + 1:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate([sums - size, sums + size])
        p = float((np.abs(sums) >= threshold).mean())
        return TestResult(float(x.mean()), p, floor, 2**n, "exact")
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    extreme = 0
    for start in range(0, permutations, rows):
        signs = rng.integers(0, 2, (min(rows, permutations - start), n), dtype=np.int8)
        extreme += int((np.abs((2.0 * signs - 1) @ sizes) >= threshold).sum())
    p = (extreme + 1) / (permutations + 1)
    return TestResult(float(x.mean()), p, max(floor, 1 / (permutations + 1)), permutations, "monte_carlo")
