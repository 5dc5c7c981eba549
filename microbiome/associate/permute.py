"""Rank correlations of all columns of one table with all of another, subjects permuted: matrix products of ranks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from microbiome.associate.orders import Orders, orders
from microbiome.stats.adjusted import independent_columns

__all__ = ["RankTests", "centred_ranks", "held_columns", "rank_tests", "same_subjects"]

# After so many permutations only pairs with fewer extreme ones than _FEW go on: the others cannot become significant.
_STAGES = (999, 9999, 99999)
_FEW = 100
# Numbers held at once by a product: some 16 MB of float32; and columns of either side taken together.
_BLOCK = 1 << 22
_ROWS, _COLUMNS = 256, 8192
# Sums of products of whole numbers up to this are exact in single precision.
_EXACT_SINGLE = 2**24
# Statistics of residuals that are closer than this share are equal.
_TIE = 1e-9


@dataclass(frozen=True)
class RankTests:
    """Every pair of a column of x (rows) and a column of y (columns).

    Parameters
    ----------
    rho
        Correlation of the ranks (of their residuals); NaN where a column does not vary among the subjects of the pair.
    n
        Subjects with both values and all covariates.
    held
        Coefficients that are held constant, the intercept apart.
    p_value, p_floor
        NaN where nothing could be tested; `p_floor` is NaN where p comes from t.
    permutations
        Arrangements looked at.
    exact
        Whether these were all.
    """

    rho: np.ndarray
    n: np.ndarray
    held: np.ndarray
    p_value: np.ndarray
    p_floor: np.ndarray
    permutations: np.ndarray
    exact: np.ndarray


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """Return :math:`2 r - (n + 1)` of each column, r being its ranks, the average of ties: whole numbers of sum 0."""
    return np.asarray(2 * stats.rankdata(values, axis=0) - (len(values) + 1))


def rank_tests(
    x: np.ndarray,
    y: np.ndarray,
    permutations: int = 9999,
    seed: int = 0,
    covariates: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    groups: bool = False,
    ranked: bool = True,
) -> RankTests:
    r"""Correlate the ranks of every column of x with those of every column of y, and permute subjects.

    Of the subjects that have both values (and all covariates) the ranks are taken anew for each pair. Without
    covariates and strata :math:`\rho` is Spearman's. With them ranks are replaced by their residuals
    :math:`e = (I - H_Z) r` from the intercept, the columns of covariates and an indicator of each stratum, and

    .. math:: r_{xy.z} = \frac{e_x' e_y}{|e_x| |e_y|}, \qquad r^*_{xy.z} = \frac{e_x^{*\prime} e_y}
              {|(I - H_Z) e_x^*| |e_y|}

    for the residuals of x in another order (Freedman-Lane). The p-value is the share of orders with
    :math:`|r^*| \ge |r|`.

    Parameters
    ----------
    x, y
        **subject x column**, NaN where it is not known; infinite values are ties at either end.
    permutations
        All orders are looked at where there are no more than ``permutations + 1``. Else random ones: 999, 9,999,
        99,999, then this many, of which only pairs with fewer than 100 extreme ones so far see the next;
        p = (b + 1) / (m + 1).
        0 for none: p from t with n - 2 - (coefficients held constant) degrees of freedom, R ``cor.test(method =
        "spearman", exact = FALSE)``.
    seed
        Of the random orders.
    covariates
        **subject x column**, held constant by their ranks among the subjects of the pair.
    strata
        Stratum of each subject, 0, 1, ...: held constant, and orders change within strata only.
    groups
        x is one column of 0 and 1: orders that deal out the same labels are one, and ``p_floor`` is that of the labels.
    ranked
        False takes values as they are in place of ranks: Pearson's correlation.

    Returns
    -------
    RankTests

    Notes
    -----
    Twice the centred ranks are whole numbers, and so are the sums of their products: ties between statistics are found
    exactly. Pairs are computed by blocks with the same subjects: without missing values one block, at worst one for
    each pair of patterns of missing values.
    """
    shape = (x.shape[1], y.shape[1])
    rho, p, floor = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    looked, exact = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    count, held = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    known = np.ones(len(x), dtype=bool) if covariates is None else ~np.isnan(covariates).any(axis=1)
    cache: dict[tuple[int, bytes, bytes], Orders] = {}
    for rows, left, right in same_subjects(x, y, known):
        where = np.ix_(left, right)
        n = int(rows.sum())
        count[where] = n
        stratum = None if strata is None else np.unique(strata[rows], return_inverse=True)[1]
        z = held_columns(n, _scaled(covariates, rows, ranked), stratum)
        held[where] = z.shape[1] - 1
        if n - 1 - z.shape[1] < 1:
            continue
        block = _Block.of(x[np.ix_(rows, left)], y[np.ix_(rows, right)], z, ranked)
        rho[where] = block.rho
        some = np.flatnonzero(block.varies_x), np.flatnonzero(block.varies_y)
        if not len(some[0]) or not len(some[1]):
            continue
        inside = np.ix_(left[some[0]], right[some[1]])
        if permutations == 0:
            df = n - 1 - z.shape[1]
            r = block.rho[np.ix_(*some)]
            with np.errstate(divide="ignore"):
                t = np.abs(r) * np.sqrt(df / np.maximum(1 - r * r, 0))
            p[inside] = 2 * stats.t.sf(t, df)
            continue
        labels = np.unique(x[rows, 0], return_inverse=True)[1] if groups else None
        key = (n, b"" if stratum is None else stratum.tobytes(), b"" if labels is None else labels.tobytes())
        if key not in cache:
            cache = {key: orders(n, stratum, permutations, seed, labels)}
        order = cache[key]
        extreme, drawn = block.count(order, *some)
        p[inside] = extreme / drawn if order.exact else (extreme + 1) / (drawn + 1)
        floor[inside], looked[inside], exact[inside] = order.floor, drawn, order.exact
    return RankTests(rho, count, held, p, floor, looked, exact)


def same_subjects(
    x: np.ndarray, y: np.ndarray, known: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (subjects, columns of x, columns of y) of blocks whose pairs have the same subjects; sizes in order."""
    sides = []
    for side in (x, y):
        there = ~np.isnan(side) & known[:, np.newaxis]
        patterns, code = np.unique(there, axis=1, return_inverse=True)
        sides.append((patterns, [np.flatnonzero(code.reshape(-1) == i) for i in range(patterns.shape[1])]))
    (first, of_x), (second, of_y) = sides
    pairs = [(int((first[:, i] & second[:, j]).sum()), i, j) for i in range(len(of_x)) for j in range(len(of_y))]
    for _, i, j in sorted(pairs):
        yield first[:, i] & second[:, j], of_x[i], of_y[j]


def held_columns(n: int, covariates: np.ndarray | None, stratum: np.ndarray | None) -> np.ndarray:
    """Return the intercept and what varies besides, as orthonormal columns."""
    one = np.ones((n, 1))
    columns = np.zeros((n, 0)) if covariates is None else covariates
    if stratum is not None:
        columns = np.column_stack([columns, stratum[:, np.newaxis] == np.arange(1, stratum.max(initial=0) + 1)])
    chosen = columns[:, independent_columns(columns, one)] if n else columns[:, :0]
    return np.asarray(np.linalg.qr(np.column_stack([one, chosen]))[0]) if n else one


def _scaled(covariates: np.ndarray | None, rows: np.ndarray, ranked: bool) -> np.ndarray | None:
    if covariates is None:
        return None
    return centred_ranks(covariates[rows]) if ranked else _centred(covariates[rows])


def _centred(values: np.ndarray) -> np.ndarray:
    """Return the columns less their means, in units of their largest deviation; one that is constant is 0."""
    centred = values - values.mean(axis=0)
    largest = np.abs(centred).max(axis=0, initial=0)
    constant = largest <= 1e-12 * np.abs(values).max(axis=0, initial=0)
    return np.asarray(np.where(constant, 0.0, centred / np.where(constant, 1.0, largest)))


@dataclass(frozen=True)
class _Block:
    """Pairs with the same subjects: ranks or their residuals, and the observed sums of products."""

    a: np.ndarray
    b: np.ndarray
    q: np.ndarray
    rho: np.ndarray
    sums: np.ndarray
    norm: np.ndarray
    varies_x: np.ndarray
    varies_y: np.ndarray
    ranked: bool

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, z: np.ndarray, ranked: bool) -> _Block:
        a, b = (centred_ranks(side) if ranked else _centred(side) for side in (x, y))
        length = [np.sqrt((side**2).sum(axis=0)) for side in (a, b)]
        if z.shape[1] > 1:
            a, b = (side - z @ (z.T @ side) for side in (a, b))
        norm_a, norm_b = (np.sqrt((side**2).sum(axis=0)) for side in (a, b))
        # What the covariates explain wholly does not vary.
        varies = [norm > 1e-8 * np.maximum(full, 1) for norm, full in zip((norm_a, norm_b), length, strict=True)]
        sums = a.T @ b
        with np.errstate(divide="ignore", invalid="ignore"):
            rho = np.clip(sums / np.outer(norm_a, norm_b), -1, 1)
        rho[~np.outer(*varies)] = np.nan
        return cls(a, b, z, rho, sums, norm_a, varies[0], varies[1], ranked)

    def count(self, order: Orders, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return of how many orders the statistic is as extreme, and how many were looked at, per pair."""
        n, whole = len(self.a), self.q.shape[1] == 1
        kind = np.float32 if self.ranked and whole and n * (n * n - 1) / 3 < _EXACT_SINGLE else np.float64
        a, b = (np.ascontiguousarray(side.T, dtype=kind) for side in (self.a[:, left], self.b[:, right]))
        threshold = np.abs(self.sums[np.ix_(left, right)])
        if not (self.ranked and whole):
            threshold = threshold * (1 - _TIE)
        if not whole:
            threshold = threshold / self.norm[left][:, np.newaxis]
        # Moving y by the inverse order gives the same sums: the side with fewer columns is moved.
        turned = len(b) < len(a)
        rows = order.inverse if turned else order.rows
        pair = _Pair(b, a, True) if turned else _Pair(a, b, False)
        extreme, drawn = pair.count(threshold.T if turned else threshold, rows, order.exact, self.q)
        return (extreme.T, drawn.T) if turned else (extreme, drawn)


@dataclass(frozen=True)
class _Pair:
    """Two sides, **column x subject**: the one that is moved, and the one that stays; residuals of x are permuted."""

    moved: np.ndarray
    fixed: np.ndarray
    x_is_fixed: bool

    def count(
        self, threshold: np.ndarray, rows: np.ndarray, exact: bool, q: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Count in stages: after each only pairs that can still become significant go on."""
        threshold = np.ascontiguousarray(threshold, dtype=self.moved.dtype)
        extreme = np.zeros(threshold.shape, dtype=np.int64)
        drawn = np.zeros_like(extreme)
        stages = [len(rows)] if exact else [*(stage for stage in _STAGES if stage < len(rows)), len(rows)]
        for i in range(0, len(threshold), _ROWS):
            for j in range(0, threshold.shape[1], _COLUMNS):
                some = slice(i, i + _ROWS), slice(j, j + _COLUMNS)
                extreme[some] = self._reached(
                    some[0], np.arange(*some[1].indices(len(self.fixed))), threshold[some], rows[: stages[0]], q
                )
        drawn[:] = stages[0]
        for done, until in itertools.pairwise(stages):
            for i in range(len(threshold)):
                going = np.flatnonzero(extreme[i] < _FEW)
                for start in range(0, len(going), _COLUMNS):
                    part = going[start : start + _COLUMNS]
                    one = slice(i, i + 1)
                    extreme[one, part] += self._reached(one, part, threshold[one, part], rows[done:until], q)
                    drawn[one, part] = until
        return extreme, drawn

    def _reached(
        self, some: slice, part: np.ndarray, threshold: np.ndarray, rows: np.ndarray, q: np.ndarray
    ) -> np.ndarray:
        """Return of how many orders (rows) the statistic reaches the threshold."""
        moved, fixed = self.moved[some], np.ascontiguousarray(self.fixed[part].T)
        found = np.zeros(threshold.shape, dtype=np.int64)
        size = max(1, _BLOCK // max(found.size, moved.size, fixed.size if q.shape[1] > 1 else 1))
        for start in range(0, len(rows) if found.size else 0, size):
            order = rows[start : start + size]
            shuffled = moved[:, order].reshape(-1, moved.shape[1])
            sums = (shuffled @ fixed).reshape(len(moved), len(order), fixed.shape[1])
            np.abs(sums, out=sums)
            if q.shape[1] > 1:
                # What the covariates explain of the residuals in their new places is not part of the correlation.
                if self.x_is_fixed:
                    parts = (q.T[:, order].reshape(-1, len(q)) @ fixed).reshape(q.shape[1], len(order), -1)
                    rest = ((fixed**2).sum(axis=0) - (parts**2).sum(axis=0))[np.newaxis]
                else:
                    rest = (shuffled**2).sum(axis=1) - ((shuffled @ q) ** 2).sum(axis=1)
                    rest = rest.reshape(len(moved), len(order), 1)
                sums /= np.sqrt(np.maximum(rest, 1e-300))
            found += (sums >= threshold[:, np.newaxis]).sum(axis=1)
        return found
