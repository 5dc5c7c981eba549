"""Permutation tests: against all arrangements in R and in the test, and what must hold always."""

from __future__ import annotations

import itertools
import math
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stats_golden import rates, read

from microbiome.stats import TestResult, group_permutation, sign_flip

ALTERNATIVES = ("two-sided", "greater", "less")


def adjusted(y: np.ndarray, label: np.ndarray, stratum: np.ndarray) -> float:
    """The coefficient of the label in a regression on strata and label."""
    columns = [*(stratum == s for s in np.unique(stratum)), label]
    return float(np.linalg.lstsq(np.column_stack(columns).astype(float), y, rcond=None)[0][-1])


def every(label: np.ndarray, stratum: np.ndarray) -> list[np.ndarray]:
    """All arrangements within strata, from all permutations of the subjects."""
    found = {
        tuple(label[list(order)].tolist())
        for order in itertools.permutations(range(len(label)))
        if all(stratum[i] == stratum[order[i]] for i in range(len(label)))
    }
    return [np.array(arrangement) for arrangement in sorted(found)]


def squares(y: np.ndarray, label: np.ndarray) -> float:
    return float(sum(len(y[label == g]) * (y[label == g].mean() - y.mean()) ** 2 for g in np.unique(label)))


def test_all_arrangements_of_r(golden: Path) -> None:
    data = read(golden, "data")
    expected = read(golden, "exact")
    assert set(expected["test"]) == {"groups", "strata", "signs", "three"}
    for row in expected.itertuples():
        set_ = data[data["dataset"] == row.dataset]
        if row.test == "signs":
            x = set_.loc[set_["group"] == "a", "value"].to_numpy()
            found = sign_flip(x - set_["value"].median())
        elif row.test == "three":
            found = group_permutation(set_["value"][:8], [0, 0, 0, 1, 1, 1, 2, 2])
        else:
            strata = set_["stratum"] if row.test == "strata" else None
            found = group_permutation(set_["value"], set_["group"], strata, alternative=row.alternative)
        assert found.scheme == "exact"
        assert found.permutations == row.arrangements
        assert found.statistic == pytest.approx(row.statistic, rel=1e-9)
        assert found.p_value == pytest.approx(row.p_value, rel=1e-12), row


@st.composite
def small_trials(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    n = draw(st.integers(2, 7))
    of = st.lists(st.integers(0, 1), min_size=n, max_size=n).map(np.array)
    y = np.array(draw(st.lists(rates, min_size=n, max_size=n)))
    return y, draw(of), draw(st.none() | of)


@given(small_trials(), st.sampled_from(ALTERNATIVES))
def test_two_groups_by_definition(trial: tuple[np.ndarray, np.ndarray, np.ndarray | None], alternative: str) -> None:
    y, label, strata = trial
    found = group_permutation(y, label, strata, alternative=alternative)
    stratum = np.zeros(len(y)) if strata is None else strata
    mixed = [s for s in np.unique(stratum) if len(set(label[stratum == s])) == 2]
    if not mixed:
        assert np.isnan([found.statistic, found.p_value]).all()
        assert found.p_floor == 1
        return
    inside = np.isin(stratum, mixed)
    d = adjusted(y, label, stratum)
    drawn = [adjusted(y, arrangement, stratum) for arrangement in every(label, stratum)]
    extreme = {
        "two-sided": [abs(x) >= abs(d) - 1e-9 for x in drawn],
        "greater": [x >= d - 1e-9 for x in drawn],
        "less": [x <= d + 1e-9 for x in drawn],
    }[alternative]
    assert found.statistic == pytest.approx(d, abs=1e-9)
    assert found.permutations == len(drawn)
    assert found.p_value == pytest.approx(np.mean(extreme))
    assert found.p_floor <= found.p_value <= 1
    # The floor is attained by values without ties that are larger in the second group, and not undercut by others.
    ideal = np.where(label == 1, 10.0, 0.0) + np.sqrt(np.arange(len(y)) + 2) / 50
    best = group_permutation(ideal if alternative != "less" else -ideal, label, strata, alternative=alternative)
    assert best.p_value == pytest.approx(found.p_floor)
    assert group_permutation(y[inside], label[inside], stratum[inside], alternative=alternative) == found


@settings(max_examples=30)
@given(st.lists(st.tuples(rates, st.integers(0, 2)), min_size=3, max_size=7), st.booleans())
def test_three_groups_by_definition(subjects: list[tuple[float, int]], halves: bool) -> None:
    y, label = np.array([s[0] for s in subjects]), np.array([s[1] for s in subjects])
    label[:3] = [0, 1, 2]
    stratum = (np.arange(len(y)) % 2 if len(y) > 5 else np.arange(len(y)) // 3) if halves else np.zeros(len(y), int)
    inside = np.array([len(set(label[stratum == s])) > 1 for s in stratum])
    if len(set(label[inside])) < 3:
        return
    found = group_permutation(y, label, stratum)
    y, label, stratum = y[inside], label[inside], stratum[inside]
    y = y - np.array([y[stratum == s].mean() for s in stratum])
    observed = squares(y, label)
    drawn = [squares(y, arrangement) for arrangement in every(label, stratum)]
    assert found.statistic == pytest.approx(observed, abs=1e-12)
    assert found.p_value == pytest.approx(np.mean([x >= observed - 1e-9 for x in drawn]))
    assert found.p_floor <= found.p_value


@pytest.mark.parametrize(
    ("first", "second", "floor"),
    [(3, 3, 0.1), (4, 4, 2 / 70), (5, 5, 2 / 252), (4, 6, 1 / 210), (9, 1, 0.1), (8, 2, 1 / 45), (1, 1, 1.0)],
)
def test_published_floors(first: int, second: int, floor: float) -> None:
    # Well apart, and no two alike.
    label = np.repeat([0, 1], [first, second])
    y = 100.0 * label + np.sqrt(np.arange(first + second))
    found = group_permutation(y, label)
    assert found.p_value == found.p_floor == pytest.approx(floor)
    one_sided = group_permutation(y, label, alternative="greater")
    assert one_sided.p_value == one_sided.p_floor == pytest.approx(1 / math.comb(first + second, first))


def test_floors_within_strata() -> None:
    # 2 + 2 in both centres, 36 arrangements: turning both around is one of them. A centre of one group changes nothing.
    label, centre = [0, 0, 1, 1, 0, 0, 1, 1, 1, 1], list("aaaabbbbcc")
    assert group_permutation(np.arange(10.0), label, centre).p_floor == pytest.approx(2 / 36)
    # 1 + 2 in one of them: 3 * 6 arrangements.
    assert group_permutation(np.arange(7.0), label[1:8], centre[1:8]).p_floor == pytest.approx(1 / 18)
    # Two groups that are mirror images only when taken together.
    opposite = group_permutation([1, 2, 3, 4, 5, 6.5], [0, 0, 1, 0, 1, 1], [0, 0, 0, 1, 1, 1])
    assert (opposite.permutations, opposite.p_floor) == (9, 1 / 9)


def test_random_arrangements_are_counted_with_the_observed_one() -> None:
    rng = np.random.default_rng(5)
    y, label = rng.normal(size=18), np.repeat([0, 1], 9)
    exact = group_permutation(y, label, permutations=math.comb(18, 9))
    assert exact.scheme == "exact"
    found = group_permutation(y, label, permutations=4999, seed=2)
    assert (found.scheme, found.permutations) == ("monte_carlo", 4999)
    assert found.p_value * 5000 == pytest.approx(round(found.p_value * 5000))
    assert abs(found.p_value - exact.p_value) < 4 * math.sqrt(exact.p_value * (1 - exact.p_value) / 5000)
    apart = group_permutation(y + 100 * label, label, permutations=4999)
    assert apart.p_value == apart.p_floor == 1 / 5000
    # Ten subjects have 252 arrangements: 251 permutations suffice to look at all, 250 do not.
    assert group_permutation(y[4:14], label[4:14], permutations=251).scheme == "exact"
    fewer = group_permutation(y[4:14], label[4:14], permutations=250)
    assert (fewer.scheme, fewer.p_floor) == ("monte_carlo", 2 / 252)


def test_strata_shift_nothing() -> None:
    rng = np.random.default_rng(6)
    y, label, centre = rng.random(14), np.tile([0, 1], 7), np.repeat([0, 1, 2], [4, 4, 6])
    found = group_permutation(y, label, centre)
    shifted = group_permutation(y + np.array([0, 10, -5])[centre], label, centre)
    assert shifted.p_value == found.p_value
    assert shifted.statistic == pytest.approx(found.statistic)
    # Unequal shares of responders in centres of different level: no difference, unless centres are ignored.
    label = np.array([0, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1])
    y = np.where(centre == 0, 0.0, 1.0) + np.array([1, 2, 3, 2, 2, 1, 2, 3, 2, 2, 2, 2, 2, 2]) / 100
    assert group_permutation(y, label).p_value < 0.2
    assert group_permutation(y, label, centre).statistic == pytest.approx(0)
    assert group_permutation(y, label, centre).p_value == 1


def test_missing_is_left_out() -> None:
    y, label, centre = [0.1, 0.5, 0.2, 0.7, 0.9, 0.3], [0, 1, 0, 1, 1, 0], ["a", "a", "a", "b", "b", "b"]
    found = group_permutation(y, label, centre)
    more = group_permutation([*y, math.nan, 9, 9], [*label, 1, None, 1], [*centre, "a", "a", None])
    assert more == found
    for values, labels in [([], []), ([1.0, 2.0], [1, 1]), ([1.0, math.nan], [0, 1]), ([1.0, 2.0], [None, 1])]:
        result = group_permutation(values, labels)
        assert np.isnan(result.p_value)
        assert (result.p_floor, result.permutations) == (1, 0)
    assert np.isnan(sign_flip([math.nan]).p_value)
    assert sign_flip([]).p_floor == 1


def test_labels_of_any_kind() -> None:
    y = [0.1, 0.5, 0.2, 0.7, 0.9]
    found = group_permutation(y, [0, 1, 0, 1, 1])
    assert found.statistic == pytest.approx(0.7 - 0.15)
    assert group_permutation(y, ["no", "yes", "no", "yes", "yes"]) == found
    assert group_permutation(y, [False, True, False, True, True]) == found
    assert group_permutation(y, [3.0, 7.0, 3.0, 7.0, 7.0]) == found


subjects = st.lists(st.tuples(rates, st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=16)


@given(subjects, st.sampled_from([20, 9999]), st.booleans(), st.randoms(use_true_random=False))
def test_order_and_names_are_irrelevant(
    rows: list[tuple[float, int, int]], permutations: int, stratified: bool, random: object
) -> None:
    def test(rows: list[tuple[float, int, int]], swap: bool = False) -> TestResult:
        y, label, stratum = (list(column) for column in zip(*rows, strict=True))
        labels = [1 - code for code in label] if swap else label
        return group_permutation(y, labels, stratum if stratified else None, permutations, seed=4)

    found, swapped = test(rows), test(rows, swap=True)
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    np.testing.assert_equal(test(shuffled), found)
    if np.isnan(found.p_value):
        assert np.isnan(swapped.p_value)
        return
    assert found.p_floor <= found.p_value <= 1
    assert swapped.p_value == found.p_value
    assert (swapped.p_floor, swapped.scheme) == (found.p_floor, found.scheme)
    assert swapped.statistic == pytest.approx(-found.statistic, abs=1e-12)


@given(st.lists(rates.map(lambda rate: rate - 0.4), min_size=1, max_size=9))
def test_sign_flips_by_definition(values: list[float]) -> None:
    x = np.array(values)
    found = sign_flip(x)
    means = [abs(np.mean(np.array(signs) * x)) for signs in itertools.product([-1, 1], repeat=len(x))]
    assert found.statistic == pytest.approx(x.mean())
    assert found.p_value == pytest.approx(np.mean([mean >= abs(x.mean()) - 1e-9 for mean in means]))
    assert found.permutations == 2 ** len(x)
    assert found.p_floor == pytest.approx(2 / 2 ** len(x))
    assert sign_flip(x[::-1]) == found
    assert sign_flip(-x).p_value == found.p_value
    assert sign_flip(np.abs(x) + 0.01).p_value == found.p_floor


def test_random_sign_flips() -> None:
    x = np.random.default_rng(7).normal(0.3, 1, 16)
    assert sign_flip(x[:14], permutations=99).scheme == "exact"
    exact = sign_flip(x, permutations=2**16)
    found = sign_flip(x, permutations=4999, seed=1)
    assert (exact.scheme, found.scheme) == ("exact", "monte_carlo")
    assert abs(found.p_value - exact.p_value) < 4 * math.sqrt(exact.p_value * (1 - exact.p_value) / 5000)
    assert sign_flip(x, permutations=4999, seed=1) == found
    assert sign_flip(x[::-1], permutations=4999, seed=1) == found
    assert sign_flip(-x, permutations=4999, seed=1).p_value == found.p_value
    # More flips than are looked at in one piece.
    many = sign_flip(np.tile(np.abs(x), 40), permutations=4999)
    assert many.p_value == many.p_floor == 1 / 5000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_permutation([1, 2], [0, 1], permutations=0), "at least 1"),
        (lambda: group_permutation([1, 2], [0, 1], alternative="both"), "no alternative is named both"),
        (lambda: group_permutation([1, 2, 3], [0, 1, 2], alternative="less"), "needs two groups"),
        (lambda: group_permutation([1, 2, 3], [0, 1]), "do not belong together"),
        (lambda: group_permutation([1, 2], [0, 1], [0]), "do not belong together"),
        (lambda: group_permutation([1, math.inf], [0, 1]), "infinite"),
        (lambda: sign_flip([1, 2], permutations=0), "at least 1"),
        (lambda: sign_flip([1, math.inf]), "infinite"),
    ],
)
def test_what_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_two_thousand_subjects() -> None:
    rng = np.random.default_rng(8)
    y, label, centre = rng.random(2000), rng.integers(0, 2, 2000), rng.integers(0, 10, 2000)
    tracemalloc.start()
    begun = time.perf_counter()
    found = group_permutation(y, label, centre)
    seconds, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.permutations == 9999
    assert peak < 100e6
    assert seconds < 10  # about 1 s; the machine may be busy
