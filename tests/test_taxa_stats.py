"""Tests and intervals of many columns at once, against the tests of one column, R and definitions written naively."""

from __future__ import annotations

import itertools
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.errors import InputError
from microbiome.stats import (
    group_permutation,
    mean_interval,
    proportion_interval,
    sign_flip,
)
from microbiome.taxa.columns import clopper_pearson, column_means, column_signs, mover
from microbiome.taxa.exchange import check_permutations, column_tests


@st.composite
def columns(draw: st.DrawFn, elements: st.SearchStrategy[float]) -> tuple[np.ndarray, np.ndarray]:
    """Values of up to 9 subjects in up to 4 columns, some missing; and who is in the second group."""
    n, m = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    cells = draw(st.lists(st.one_of(elements, st.just(np.nan)), min_size=n * m, max_size=n * m))
    second = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return np.array(cells).reshape(n, m), np.array(second)


def naive_test(y: np.ndarray, label: np.ndarray) -> tuple[float, float, float]:
    """p-value, smallest attainable p-value and smallest p-value of the design: every arrangement, one by one."""
    n, k = len(y), int(label.sum())
    seen = abs(y[label].mean() - y[~label].mean())
    found = []
    for chosen in itertools.combinations(range(n), k):
        rest = [i for i in range(n) if i not in chosen]
        found.append(abs(y[list(chosen)].mean() - y[rest].mean()))
    found = np.array(found)
    return (
        float((found >= seen - 1e-9).mean()),
        float((found >= found.max() - 1e-9).mean()),
        (2 if n == 2 * k else 1) / comb(n, k),
    )


@given(columns(st.sampled_from([0.0, 0.0, 1 / 3, 0.5, 1.0])))
def test_every_arrangement_is_counted(case: tuple[np.ndarray, np.ndarray]) -> None:
    values, second = case
    found = column_tests(values, second)
    for column, row in zip(values.T, found.itertuples(), strict=True):
        there = ~np.isnan(column)
        y, label = column[there], second[there]
        if label.all() or not label.any():
            assert np.isnan(row.p_value)
            assert row.p_attainable == row.p_floor == 1
            continue
        p, attainable, floor = naive_test(y, label)
        assert row.p_value == pytest.approx(p, rel=1e-12)
        assert row.p_attainable == pytest.approx(attainable, rel=1e-12)
        assert row.p_floor == pytest.approx(floor, rel=1e-12)
        assert row.scheme == "exact"
        assert row.permutations <= comb(len(y), int(label.sum()))


@given(columns(st.floats(-3, 3)))
def test_is_the_test_of_one_column(case: tuple[np.ndarray, np.ndarray]) -> None:
    values, second = case
    for column, row in zip(values.T, column_tests(values, second).itertuples(), strict=True):
        one = group_permutation(column, np.where(second, "b", "a"))
        if not np.isnan(one.p_value):
            assert row.p_value == pytest.approx(one.p_value, rel=1e-12)
            assert row.p_floor == pytest.approx(one.p_floor, rel=1e-12)


@given(columns(st.sampled_from([0.0, 0.5, 1.0])), st.randoms(use_true_random=False))
def test_does_not_depend_on_order_or_on_which_group_is_second(
    case: tuple[np.ndarray, np.ndarray], random: object
) -> None:
    values, second = case
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first = column_tests(values, second)
    pd.testing.assert_frame_equal(first, column_tests(values[order], second[order]), check_exact=True)
    swapped = column_tests(values, ~second)
    np.testing.assert_allclose(first["p_value"], swapped["p_value"], rtol=1e-12)


def test_ones_and_zeros_of_many_subjects_equal_r(golden: Path) -> None:
    for row in pd.read_csv(golden / "taxa_ones.tsv", sep="\t").itertuples():
        y = np.zeros(row.n_1 + row.n_2)
        y[: row.x_1] = 1
        y[row.n_1 : row.n_1 + row.x_2] = 1
        found = column_tests(y[:, None], np.arange(len(y)) >= row.n_1).iloc[0]
        assert found["p_value"] == pytest.approx(row.p_value, rel=1e-9)
        assert found["scheme"] == "exact"
        if row.n_1 == row.n_2:
            # Groups of one size: extreme by difference is extreme by probability.
            assert found["p_value"] == pytest.approx(row.fisher, rel=1e-9)


@pytest.mark.parametrize("levels", [5, 400])
def test_random_arrangements_come_close_and_stop_early(levels: int) -> None:
    rng = np.random.default_rng(1)
    second = np.arange(240) < 90
    values = rng.integers(0, levels, (240, 6)) / levels
    values[:90] += [0, 0, 0.05, 0.1, 0.15, 0.3]
    found = column_tests(values, second, seed=2)
    assert (found["scheme"] == "monte_carlo").all()
    assert set(found["permutations"]) == {999, 9999}
    assert (found.loc[found["permutations"] == 999, "p_value"] >= 0.1).all()
    assert (found["p_floor"] == 1e-4).all()
    for column, row in zip(values.T, found.itertuples(), strict=True):
        p = group_permutation(column, second, seed=7).p_value
        assert row.p_value == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / row.permutations) + 2e-4)
    assert found["p_value"].iloc[-1] == 1e-4
    pd.testing.assert_frame_equal(found, column_tests(values, second, seed=2), check_exact=True)
    # Each column for itself: its p-value does not depend on the others.
    alone = column_tests(values[:, [3]], second, seed=2)
    assert alone["p_value"].iloc[0] == found["p_value"].iloc[3]


def test_early_stop_keeps_the_level() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 6, (80, 1500)) / 5
    p = column_tests(values, np.arange(80) < 30, permutations=1999)["p_value"]
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() < level + 3 * np.sqrt(level * (1 - level) / 1500)
    assert 0.45 < p.mean() < 0.56


def test_the_observed_arrangement_counts_among_the_random_ones() -> None:
    values = np.random.default_rng(4).normal(size=(30, 40))
    p = column_tests(values, np.arange(30) < 12, permutations=19)["p_value"]
    np.testing.assert_allclose(p * 20, np.round(p * 20))
    assert p.min() >= 1 / 20
    assert p.max() <= 1
    assert p.nunique() > 8


def test_exact_tests_count_the_arrangements_of_the_labels() -> None:
    second = np.arange(7) < 2
    values = np.array([[0, 1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 0, 0, np.nan], [1, 1, 1, 1, 1, 1, 1]]).T
    found = column_tests(values, second)
    assert found["permutations"].tolist() == [comb(7, 2), comb(6, 2), comb(7, 2)]
    assert found["p_floor"].tolist() == [1 / comb(7, 2), 1 / comb(6, 2), 1 / comb(7, 2)]
    # Two values in 200 subjects are few tables and more arrangements than a column of integers holds.
    many = column_tests(np.arange(200.0)[:, np.newaxis] % 2, np.arange(200) < 100)
    assert many["scheme"].tolist() == ["exact"]
    assert int(many["permutations"].astype("Int64")[0]) == 10**18


def test_too_few_permutations_are_refused() -> None:
    with pytest.raises(InputError, match="0 permutations"):
        check_permutations(0)


@given(columns(st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, 1.0])))
def test_means_are_those_of_one_column(case: tuple[np.ndarray, np.ndarray]) -> None:
    values, _ = case
    for method in ("logit_t", "t"):
        found = column_means(values, method)
        for column, row in zip(values.T, found.itertuples(), strict=True):
            one = mean_interval(column, method)
            assert row.n == one.n
            np.testing.assert_allclose(
                [row.mean, row.low, row.high], [one.estimate, one.low, one.high], rtol=1e-9, atol=1e-12
            )


def test_difference_has_bounds_where_a_group_does_not_vary() -> None:
    first = column_means(np.array([[0.0], [0.0], [0.0]]), "logit_t")
    second = column_means(np.array([[1.0], [0.5], [0.0], [1.0]]), "logit_t")
    found = mover(first, second).iloc[0]
    a, b = mean_interval([0, 0, 0]), mean_interval([1, 0.5, 0, 1])
    assert found["difference"] == 0.625
    assert found["low"] == pytest.approx(0.625 - np.hypot(0.625 - b.low, a.high))
    assert found["high"] == pytest.approx(0.625 + b.high - 0.625)
    one = column_means(np.array([[1.0]]), "logit_t")
    assert np.isnan(mover(first, one)["low"].iloc[0])


def test_difference_covers() -> None:
    rng = np.random.default_rng(4)
    for n1, n2, p1, p2 in ((6, 4, 0.2, 0.6), (5, 20, 0.2, 0.2), (15, 10, 0.5, 0.5)):
        groups = []
        for n, p in ((n1, p1), (n2, p2)):
            own = rng.beta(p, 1 - p, (n, 4000))
            groups.append(column_means(rng.binomial(3, own) / 3, "logit_t"))
        found = mover(*groups)
        assert ((found["low"] <= p2 - p1) & (found["high"] >= p2 - p1)).mean() >= 0.95


def test_proportions_are_those_of_one() -> None:
    pairs = [(k, n) for n in (0, 1, 2, 9, 40) for k in range(n + 1)]
    low, high = clopper_pearson(*map(np.array, zip(*pairs, strict=True)))
    for i, (k, n) in enumerate(pairs):
        one = proportion_interval(k, n)
        np.testing.assert_allclose([low[i], high[i]], [one.low, one.high], rtol=1e-6, atol=1e-9)


@given(columns(st.sampled_from([-2.0, -1.0, 0.0, 0.3, 1.0, 2.5])))
def test_signs_are_those_of_one_column(case: tuple[np.ndarray, np.ndarray]) -> None:
    values, _ = case
    for column, row in zip(values.T, column_signs(values).itertuples(), strict=True):
        one = sign_flip(column)
        if np.isnan(column).all():
            assert np.isnan(row.p_value)
        else:
            assert (row.p_value, row.p_floor, row.scheme) == (one.p_value, one.p_floor, one.scheme)


def test_signs_of_many_subjects() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal([0, 0.2, 0.5, 2], 1, (40, 4))
    values[30:, 1] = np.nan
    found = column_signs(values, seed=1)
    assert (found["scheme"] == "monte_carlo").all()
    for column, row in zip(values.T, found.itertuples(), strict=True):
        p = sign_flip(column, seed=9).p_value
        assert row.p_value == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 9999) + 2e-4)
    pd.testing.assert_frame_equal(found, column_signs(values, seed=1), check_exact=True)
