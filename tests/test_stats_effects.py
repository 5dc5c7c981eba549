"""Effect sizes of two groups: against R, against the tests that they invert, and what must hold always."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from stats_golden import bounds, rates, read, same, values_of

from microbiome.stats import Interval, cliff, cliffs_delta, difference_by_permutation, group_permutation, hodges_lehmann
from microbiome.stats.cliff import cliffs_deltas

EFFECTS = (cliffs_delta, difference_by_permutation, hodges_lehmann)
NAN = math.nan


def test_hodges_lehmann_of_r(golden: Path) -> None:
    expected = read(golden, "groups")
    expected = expected[expected["method"].str.startswith("wilcoxon")]
    assert set(expected["method"]) == {"wilcoxon_exact", "wilcoxon_normal"}
    for row in expected.itertuples():
        first, second = values_of(golden, row.dataset, "a"), values_of(golden, row.dataset, "b")
        found = hodges_lehmann(first, second, row.level)
        assert found.method == row.method
        assert bounds(found) == pytest.approx((row.low, row.high), abs=1e-8), row
        if row.method == "wilcoxon_exact":
            assert found.estimate == pytest.approx(row.estimate, abs=1e-12)
        else:
            # Found by search: some place between the two differences in the middle.
            differences = np.sort((second[:, None] - first).ravel())
            middle = differences[[(len(differences) - 1) // 2, len(differences) // 2]]
            assert middle[0] - 1e-8 <= row.estimate <= middle[1] + 1e-8
            assert found.estimate == pytest.approx(middle.mean())


def test_cliffs_delta_of_effsize(golden: Path) -> None:
    expected = read(golden, "groups")
    expected = expected[(expected["method"] == "feng_cliff") & (expected["estimate"].abs() < 1)]
    assert len(expected) == 10
    for row in expected.itertuples():
        found = cliffs_delta(values_of(golden, row.dataset, "a"), values_of(golden, row.dataset, "b"), row.level)
        assert found.estimate == pytest.approx(row.estimate, abs=1e-12)
        assert bounds(found) == pytest.approx((row.low, row.high), rel=1e-9), row


@given(st.lists(rates, min_size=2, max_size=8), st.lists(rates, min_size=2, max_size=8))
def test_cliffs_delta_by_definition(first: list[float], second: list[float]) -> None:
    found = cliffs_delta(first, second)
    d = np.array([[np.sign(y - x) for y in second] for x in first])
    assert found.estimate == pytest.approx(d.mean(), abs=1e-12)
    n1, n2 = d.shape
    if len({*first, *second}) == 1:
        assert np.isnan(bounds(found)).all()
        return
    assert -1 <= found.low <= found.estimate + 1e-12
    assert found.estimate - 1e-12 <= found.high <= 1
    if abs(d.mean()) == 1:
        # Wilson's interval of a share p of m that are all in order, as 2 p - 1.
        m = min(n1, n2)
        wilson = stats.binomtest(m, m).proportion_ci(method="wilson").low
        expected = (2 * wilson - 1, 1.0) if d.mean() > 0 else (-1.0, 1 - 2 * wilson)
    else:
        rows, columns, mean = d.mean(axis=1), d.mean(axis=0), d.mean()
        s1 = sum((rows - mean) ** 2) / (n1 - 1)
        s2 = sum((columns - mean) ** 2) / (n2 - 1)
        s12 = ((d - mean) ** 2).sum() / ((n1 - 1) * (n2 - 1))
        v = ((n2 - 1) * s1 + (n1 - 1) * s2 + s12) / (n1 * n2)
        t = stats.t.ppf(0.975, n1 + n2 - 2)
        root = t * math.sqrt(v * ((1 - mean**2) ** 2 + t**2 * v))
        expected = tuple((mean - mean**3 + side * root) / (1 - mean**2 + t**2 * v) for side in (-1, 1))
    assert bounds(found) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n1", "n2"), [(2, 2), (4, 6), (5, 5), (7, 3), (1, 40)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_exact_ranks_by_enumeration(n1: int, n2: int, level: float) -> None:
    rng = np.random.default_rng(n1 * 100 + n2)
    x, y = rng.random(n1), rng.random(n2)
    found = hodges_lehmann(x, y, level)
    differences = np.sort((y[:, None] - x).ravel())
    assert found.estimate == pytest.approx(np.median(differences))
    u = [sum(chosen) - n1 * (n1 - 1) // 2 for chosen in itertools.combinations(range(n1 + n2), n1)]
    k = sum(np.mean(np.array(u) <= rank) < (1 - level) / 2 for rank in range(n1 * n2))
    if k == 0:
        assert np.isnan(bounds(found)).all()
    else:
        assert bounds(found) == (differences[k - 1], differences[-k])


def test_normal_ranks_invert_the_test() -> None:
    # Ties and whole numbers: no shift within the bounds is rejected by the rank-sum test, none outside is kept.
    rng = np.random.default_rng(12)
    x, y = rng.poisson(9, 17).astype(float), rng.poisson(12, 14).astype(float)
    found = hodges_lehmann(x, y)
    assert found.method == "wilcoxon_normal"
    for shift in np.arange(-4.5, 12, 1.0):
        p = stats.mannwhitneyu(y - shift, x, method="asymptotic", use_continuity=True).pvalue
        assert (p > 0.05) == (found.low < shift < found.high), shift


groups = st.tuples(st.lists(rates, min_size=1, max_size=6), st.lists(rates, min_size=1, max_size=6))


@settings(max_examples=60)
@given(groups, st.sampled_from([0.5, 0.8, 0.95]), st.sampled_from([30, 9999]))
def test_permutation_interval_inverts_the_test(
    both: tuple[list[float], list[float]], level: float, permutations: int
) -> None:
    first, second = (np.array(group) for group in both)
    found = difference_by_permutation(first, second, level, permutations, seed=3)
    assert found.estimate == pytest.approx(second.mean() - first.mean())
    label = np.repeat([0, 1], [len(first), len(second)])

    def kept(shift: float) -> bool:
        values = np.concatenate([first, second - shift])
        return group_permutation(values, label, permutations=permutations, seed=3).p_value > 1 - level + 1e-9

    exact = math.comb(len(label), len(first)) <= permutations + 1
    assert np.isnan(found.low) == np.isnan(found.high)
    if np.isnan(found.low):
        assert not exact or (kept(50.0) and kept(-50.0))
        return
    assert found.low <= found.estimate + 1e-12
    assert found.estimate - 1e-12 <= found.high
    if exact:
        for inside in (found.estimate, found.low + 1e-7, found.high - 1e-7):
            if found.low < inside < found.high:
                assert kept(inside)
        assert not kept(found.low - 1e-7)
        assert not kept(found.high + 1e-7)
    elif min(abs(found.low), abs(found.high)) > 1e-9:
        assert kept(0.0) == (found.low < 0 < found.high)


def test_random_arrangements_bound_as_they_test() -> None:
    # 31 arrangements with the observed one: p is 1/31, 2/31, ..., and 0.05 lies between the first two.
    rng = np.random.default_rng(9)
    label = np.repeat([0, 1], 10)
    seen = set()
    for seed in range(150):
        values = rng.normal(0.9 * label)
        p = group_permutation(values, label, permutations=30, seed=seed).p_value
        found = difference_by_permutation(values[:10], values[10:], 0.95, 30, seed)
        assert (found.low <= 0 <= found.high) == (p > 0.05)
        seen.add(round(31 * p))
    assert {1, 2, 3} <= seen


def test_permutation_interval_by_hand() -> None:
    # 2 against 1: three arrangements, of which more than half must be as extreme as the data for a shift to be kept.
    found = difference_by_permutation([0.0, 1.0], [3.0], level=0.5)
    assert found.estimate == 2.5
    values = np.array([0.0, 1.0])
    kept = []
    for shift in np.arange(0, 6.001, 0.001):
        pooled = np.append(values, 3 - shift)
        d = [abs(pooled[i] - np.delete(pooled, i).mean()) for i in range(3)]
        kept.append(np.mean([x >= d[2] - 1e-12 for x in d]) > 0.5)
    inside = np.arange(0, 6.001, 0.001)[kept]
    assert bounds(found) == pytest.approx((inside.min(), inside.max()), abs=0.002)


@pytest.mark.parametrize(
    ("first", "second", "bounded"),
    [(3, 3, False), (3, 4, True), (2, 8, True), (2, 4, False), (1, 19, True), (1, 18, False)],
)
def test_when_a_permutation_interval_exists(first: int, second: int, bounded: bool) -> None:
    # 1 / 35, 1 / 45 and 1 / 20 are at most 0.05; 2 / 20, 1 / 15 and 1 / 19 are not.
    rng = np.random.default_rng(first * 10 + second)
    found = difference_by_permutation(rng.random(first), rng.random(second))
    assert np.isfinite(bounds(found)).all() == bounded
    assert np.isnan(bounds(found)).all() != bounded


def test_cliffs_delta_of_a_table_is_that_of_each_column(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    label = rng.choice([0.0, 1.0, NAN], 30, p=[0.5, 0.3, 0.2])
    table = np.where(rng.random((30, 40)) < 0.2, NAN, rng.integers(0, 4, (30, 40)))
    table[:, 0], table[:, 1] = NAN, np.where(label == 1, NAN, table[:, 1])
    table[:, 2], table[:, 3] = 1.0, np.where(label == 1, 9, table[:, 3])
    monkeypatch.setattr(cliff, "_CELLS", 30 * 7)
    found = cliffs_deltas(label, table, 0.9)
    for column, row in zip(table.T, found, strict=True):
        one = cliffs_delta(column[label == 0], column[label == 1], 0.9)
        np.testing.assert_allclose(row, [one.estimate, one.low, one.high], rtol=1e-12)
    assert np.isnan(found[:2]).all()
    assert found[2, 0] == 0
    assert found[3, 0] == found[3, 2] == 1


def test_cliffs_delta_with_other_degrees_of_freedom() -> None:
    rng = np.random.default_rng(6)
    label, table = np.repeat([1.0, 0.0], [2, 80]), rng.integers(0, 30, (82, 3)).astype(float)
    table[:2, 2] = 31
    usual = cliffs_deltas(label, table, 0.95)
    wide = cliffs_deltas(label, table, 0.95, np.array([NAN, 1.0, 1.0]))
    np.testing.assert_array_equal(wide[0], usual[0])
    for row in (usual[1], wide[1]):
        assert -1 <= row[1] < row[0] < row[2] <= 1
    assert wide[1, 1] < usual[1, 1]
    assert wide[1, 2] > usual[1, 2]
    # Groups that do not overlap have Wilson's bound of two in two, whatever their spread.
    z2 = stats.norm.ppf(0.975) ** 2
    assert wide[2] == pytest.approx([1, (2 - z2) / (2 + z2), 1])


def test_groups_that_tell_nothing() -> None:
    for effect in EFFECTS:
        for first, second in [([], [0.1, 0.2]), ([0.1, 0.2], [math.nan]), ([], [])]:
            found = effect(first, second)
            assert np.isnan([found.estimate, found.low, found.high]).all()
    assert same(cliffs_delta([0.1], [0.2, 0.3, math.nan]), Interval(1.0, NAN, NAN, 3, "feng_cliff"))
    assert same(cliffs_delta([0.1, 0.1], [0.1, 0.1]), Interval(0.0, NAN, NAN, 4, "feng_cliff"))
    assert same(hodges_lehmann([0.1] * 9, [0.1] * 9), Interval(0.0, NAN, NAN, 18, "wilcoxon_normal"))
    assert same(hodges_lehmann([1, 2, 3.0], [4, 5, 6.5]), Interval(3.0, NAN, NAN, 6, "wilcoxon_exact"))
    assert same(difference_by_permutation([0.1] * 9, [0.1] * 9), Interval(0.0, 0.0, 0.0, 18, "permutation"))


@given(groups, st.sampled_from(EFFECTS), st.randoms(use_true_random=False))
def test_order_swap_and_scale(both: tuple[list[float], list[float]], effect: object, random: object) -> None:
    first, second = both
    found = effect(first, second)  # type: ignore[operator]
    shuffled = [[*group, math.nan] for group in both]
    for group in shuffled:
        random.shuffle(group)  # type: ignore[attr-defined]
    assert same(effect(*shuffled), found)  # type: ignore[operator]
    back = effect(second, first)  # type: ignore[operator]
    assert same(Interval(-back.estimate, -back.high, -back.low, back.n, back.method), found, 1e-9)
    scale = 1 if effect is cliffs_delta else 4
    # Four times the values: exact in binary.
    scaled = effect([4 * x for x in first], [4 * y for y in second])  # type: ignore[operator]
    assert same(
        Interval(scaled.estimate / scale, scaled.low / scale, scaled.high / scale, scaled.n, scaled.method), found, 1e-9
    )


def test_seeds() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random(15), rng.random(14)
    assert difference_by_permutation(x, y, seed=1) == difference_by_permutation(x, y, seed=1)
    assert difference_by_permutation(x, y, seed=1) != difference_by_permutation(x, y, seed=2)
    # Close to Welch's, of which it is the permutation version.
    welch = stats.ttest_ind(y, x, equal_var=False).confidence_interval(0.95)
    assert bounds(difference_by_permutation(x, y)) == pytest.approx((welch.low, welch.high), abs=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hodges_lehmann([1, 2], [1, math.inf]), "infinite"),
        (lambda: cliffs_delta([1, 2], [1, 3], level=0), "confidence level"),
        (lambda: difference_by_permutation([1, 2], [1, 3], permutations=0), "at least 1"),
        (lambda: difference_by_permutation([1, 2], [1, 3], level=1.5), "confidence level"),
    ],
)
def test_what_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
