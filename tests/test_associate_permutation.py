"""Permuted subjects: every pair equals the definition, one pair and one order at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from microbiome.associate.orders import orders
from microbiome.associate.permute import rank_tests


def naive_p(x: np.ndarray, y: np.ndarray, all_orders: list[tuple[int, ...]]) -> tuple[float, float]:
    """Correlate ranks in every order: the textbook, without a shortcut."""
    ranks_x, ranks_y = stats.rankdata(x), stats.rankdata(y)
    observed = np.corrcoef(ranks_x, ranks_y)[0, 1]
    drawn = [np.corrcoef(ranks_x[list(order)], ranks_y)[0, 1] for order in all_orders]
    return observed, float(np.mean(np.abs(drawn) >= abs(observed) - 1e-9))


def tied(rng: np.random.Generator, shape: tuple[int, int], missing: float) -> np.ndarray:
    values = rng.integers(0, 4, shape).astype(float)
    values[rng.random(shape) < missing] = np.nan
    return values


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(4, 6), st.sampled_from([0.0, 0.2]))
def test_all_orders_equal_the_definition(seed: int, n: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = tied(rng, (n, 2), missing), tied(rng, (n, 3), missing)
    found = rank_tests(x, y, permutations=999)
    for i, j in itertools.product(range(2), range(3)):
        both = ~np.isnan(x[:, i]) & ~np.isnan(y[:, j])
        a, b = x[both, i], y[both, j]
        assert found.n[i, j] == both.sum()
        if both.sum() < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
            assert np.isnan(found.p_value[i, j])
            continue
        rho, p = naive_p(a, b, list(itertools.permutations(range(len(a)))))
        assert found.rho[i, j] == pytest.approx(rho, abs=1e-12)
        assert found.p_value[i, j] == pytest.approx(p, abs=1e-12)
        assert found.exact[i, j]
        assert found.p_floor[i, j] == 2 / math.factorial(len(a))


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_groups_equal_all_labels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.permutation([1.0] * 4 + [0.0] * 6), tied(rng, (10, 3), 0.1)
    found = rank_tests(x[:, np.newaxis], y, permutations=999, groups=True)
    for j in range(3):
        there = ~np.isnan(y[:, j])
        ranks, label = stats.rankdata(y[there, j]), x[there]
        n, k = len(ranks), int(label.sum())
        if np.ptp(ranks) == 0 or k in (0, n):
            continue
        centre = ranks.mean() * k
        sums = [abs(ranks[list(chosen)].sum() - centre) for chosen in itertools.combinations(range(n), k)]
        p = np.mean(np.array(sums) >= abs(ranks[label == 1].sum() - centre) - 1e-9)
        assert found.p_value[0, j] == pytest.approx(p, abs=1e-12)
        assert found.permutations[0, j] == math.comb(n, k)
        assert found.p_floor[0, j] == (2 if 2 * k == n else 1) / math.comb(n, k)


def test_missing_values_change_nothing_for_other_pairs() -> None:
    """A pair has the same numbers alone, among others, and without the subjects that lack one of its values."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 9))
    x[rng.random(x.shape) < 0.15] = np.nan
    y[rng.random(y.shape) < 0.15] = np.nan
    x[:, 0] = np.where(rng.random(40) < 0.4, 0, x[:, 0])
    found = rank_tests(x, y, permutations=2500, seed=3)
    assert set(np.unique(found.permutations)) == {999, 2500}
    for i, j in itertools.product(range(6), range(9)):
        both = ~np.isnan(x[:, i]) & ~np.isnan(y[:, j])
        alone = rank_tests(x[both][:, [i]], y[both][:, [j]], permutations=2500, seed=3)
        assert found.p_value[i, j] == alone.p_value[0, 0]
        assert found.rho[i, j] == pytest.approx(stats.spearmanr(x[both, i], y[both, j]).statistic)


def test_random_orders_equal_the_definition() -> None:
    rng = np.random.default_rng(1)
    x, y = np.where(rng.random((30, 2)) < 0.4, 0, rng.normal(size=(30, 2))), rng.normal(size=(30, 3))
    y[:, 0] += 3 * x[:, 0]
    found = rank_tests(x, y, permutations=499, seed=7)
    drawn = [tuple(order) for order in orders(30, None, 499, 7).rows.tolist()]
    assert len(set(drawn)) == 499
    for i, j in itertools.product(range(2), range(3)):
        _, share = naive_p(x[:, i], y[:, j], drawn)
        assert found.p_value[i, j] == pytest.approx((share * 499 + 1) / 500, abs=1e-12)
    assert found.p_value[0, 0] < 0.05


def test_many_subjects_use_double_precision() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 3, (500, 1)).astype(float), rng.normal(size=(500, 1))
    found = rank_tests(x, y, permutations=99)
    _, share = naive_p(x[:, 0], y[:, 0], [tuple(order) for order in orders(500, None, 99, 0).rows.tolist()])
    assert found.p_value[0, 0] == pytest.approx((share * 99 + 1) / 100)


def residuals(values: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.asarray(values - z @ np.linalg.lstsq(z, values, rcond=None)[0])


@pytest.mark.parametrize("columns", [(2, 3), (3, 2)])
def test_covariates_equal_freedman_lane(columns: tuple[int, int]) -> None:
    """Whichever table is the wider one, residuals of x change places, and what covariates then explain is taken off."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(12, 2))
    x, y = (rng.normal(size=(12, k)) + z[:, [0]] for k in columns)
    found = rank_tests(x, y, permutations=300, seed=2, covariates=z)
    held = np.column_stack([np.ones(12), stats.rankdata(z, axis=0)])
    drawn = orders(12, None, 300, 2).rows
    for i, j in itertools.product(*map(range, columns)):
        a, b = (residuals(stats.rankdata(side), held) for side in (x[:, i], y[:, j]))
        rho = np.corrcoef(a, b)[0, 1]
        moved = [np.corrcoef(residuals(a[order], held), b)[0, 1] for order in drawn]
        assert found.rho[i, j] == pytest.approx(rho)
        assert found.p_value[i, j] == (1 + (np.abs(moved) >= abs(rho) - 1e-9).sum()) / 301


def test_strata_are_held_and_kept_apart() -> None:
    rng = np.random.default_rng(4)
    strata = np.repeat([0, 1], [3, 4])
    x, y = rng.normal(size=(7, 1)), rng.normal(size=(7, 1))
    y[strata == 1] += 10
    found = rank_tests(x, y, permutations=999, strata=strata)
    held = (strata[:, np.newaxis] == [0, 1]).astype(float)
    a, b = residuals(stats.rankdata(x[:, 0]), held), residuals(stats.rankdata(y[:, 0]), held)
    drawn = [
        a[[*first, *(3 + i for i in second)]]
        for first in itertools.permutations(range(3))
        for second in itertools.permutations(range(4))
    ]
    assert found.permutations[0, 0] == len(drawn) == 144
    assert found.p_value[0, 0] == pytest.approx(np.mean([abs(one @ b) >= abs(a @ b) - 1e-9 for one in drawn]))
    assert found.p_floor[0, 0] == 1 / 144
    assert found.rho[0, 0] == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_a_covariate_that_explains_all_leaves_nothing_to_test() -> None:
    x = np.arange(8.0)[:, np.newaxis]
    found = rank_tests(x, np.random.default_rng(0).normal(size=(8, 2)), 99, covariates=x)
    assert np.isnan(found.p_value).all()


def test_infinite_values_are_ties_at_the_end() -> None:
    y = np.array([-np.inf, -np.inf, 1, 2, 3, np.inf])[:, np.newaxis]
    x = np.random.default_rng(0).normal(size=(6, 1))
    numbers = np.array([0, 0, 1, 2, 3, 4.0])[:, np.newaxis]
    assert rank_tests(x, y, 999).p_value == rank_tests(x, numbers, 999).p_value


def test_pearson() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(6, 1)), (rng.random((6, 1)) < 0.5).astype(float)
    y[:2, 0] = 0, 1
    found = rank_tests(x, y, 999, ranked=False)
    r = [abs(np.corrcoef(x[list(o), 0], y[:, 0])[0, 1]) for o in itertools.permutations(range(6))]
    assert found.rho[0, 0] == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1])
    assert found.p_value[0, 0] == pytest.approx(np.mean(np.array(r) >= r[0] - 1e-9))
