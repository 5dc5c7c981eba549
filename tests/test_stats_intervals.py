"""Intervals of means and proportions: against R, the published intervals, the textbook and what must hold always."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from stats_golden import bounds, rates, read, same, values_of

from microbiome.stats import Interval, difference_interval, mean_interval, proportion_interval, ratio_interval

METHODS = ("logit_t", "t", "percentile", "bca")
GROUPS = {"welch": difference_interval, "log_welch": ratio_interval}


def test_means_of_r(golden: Path) -> None:
    expected = read(golden, "means")
    assert set(expected["method"]) == set(METHODS)
    for row in expected.itertuples():
        x = values_of(golden, row.dataset, row.group)
        found = mean_interval(x, row.method, seed=1)
        assert (found.n, found.method) == (len(x), row.method)
        assert found.estimate == pytest.approx(row.estimate, rel=1e-12)
        # Bootstraps differ by chance, and those of few values, whose means are often equal, by how boot and scipy count
        # resamples equal to the mean.
        error = x.std(ddof=1) / math.sqrt(len(x))
        tolerance = {"percentile": 0.12, "bca": 0.12 if len(x) > 50 else 0.35}.get(row.method, 1e-7) * error
        assert bounds(found) == pytest.approx((row.low, row.high), abs=tolerance), row


def test_two_groups_of_r(golden: Path) -> None:
    expected = read(golden, "groups")
    expected = expected[expected["method"].isin(list(GROUPS))]
    assert len(expected) == 24
    for row in expected.itertuples():
        first, second = values_of(golden, row.dataset, "a"), values_of(golden, row.dataset, "b")
        found = GROUPS[row.method](first, second, row.level)
        assert (found.n, found.method) == (len(first) + len(second), row.method)
        assert found.estimate == pytest.approx(row.estimate, rel=1e-9)
        assert bounds(found) == pytest.approx((row.low, row.high), rel=1e-6), row


def test_logit_t_by_hand() -> None:
    # m = 0.4, s^2 = (0.04 + 0 + 0.04) / 2, se = 0.2 / sqrt(3), on the logit scale se / 0.24, t with 2 df = 4.302653.
    half = 4.30265273 * 0.2 / math.sqrt(3) / 0.24
    centre = math.log(0.4 / 0.6)
    expected = [1 / (1 + math.exp(-(centre + side * half))) for side in (-1, 1)]
    assert bounds(mean_interval([0.2, 0.4, 0.6])) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n", "high"), [(2, 1 - 0.025**0.5), (5, 0.5218238), (20, 0.1684335)])
def test_all_zero_is_an_exact_bound(n: int, high: float) -> None:
    # 0 of 20 is 0 to 16.8 % in the published table.
    zero, one = mean_interval([0.0] * n), mean_interval([1.0] * n)
    assert (zero.estimate, zero.low) == (0, 0)
    assert zero.high == pytest.approx(high, rel=1e-6)
    assert zero.high == pytest.approx(proportion_interval(0, n).high)
    assert (one.estimate, one.high) == (1, 1)
    assert one.low == pytest.approx(1 - zero.high)


@pytest.mark.parametrize("method", METHODS)
def test_degenerate_groups(method: str) -> None:
    assert same(mean_interval([0.3, math.nan], method), Interval(0.3, math.nan, math.nan, 1, method))
    assert same(mean_interval([0.0], method), Interval(0.0, math.nan, math.nan, 1, method))
    assert same(mean_interval([], method), Interval(math.nan, math.nan, math.nan, 0, method))
    assert same(mean_interval([0.1, 0.1, 0.1], method), Interval(0.1, math.nan, math.nan, 3, method))
    two = mean_interval([0.1, 0.4], method)
    assert two.low < 0.25 < two.high


def test_degenerate_pairs_of_groups() -> None:
    nan = math.nan
    assert same(difference_interval([0.1], [0.4, 0.6]), Interval(0.4, nan, nan, 3, "welch"))
    assert same(difference_interval([], [0.4, 0.6]), Interval(nan, nan, nan, 2, "welch"))
    assert same(difference_interval([0.5, 0.5], [0.7, 0.7]), Interval(0.2, nan, nan, 4, "welch"))
    assert same(ratio_interval([0.1], [0.4, 0.6]), Interval(5.0, nan, nan, 3, "log_welch"))
    assert same(ratio_interval([0.0, 0.0], [0.4, 0.6]), Interval(nan, nan, nan, 4, "log_welch"))
    assert same(ratio_interval([0.4, 0.6], [0.0, 0.0]), Interval(nan, nan, nan, 4, "log_welch"))
    assert same(ratio_interval([-0.4, 0.1], [0.4, 0.6]), Interval(nan, nan, nan, 4, "log_welch"))
    # One group that does not vary adds nothing to the variance: the interval of the other one.
    other = mean_interval([0.4, 0.6, 0.8], "t")
    assert bounds(difference_interval([0.1, 0.1], [0.4, 0.6, 0.8])) == pytest.approx(
        (other.low - 0.1, other.high - 0.1)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([0.2, 1.5]), "1.5 is none"),
        (lambda: mean_interval([0.2, -0.5]), "-0.5 is none"),
        (lambda: mean_interval([0.2, math.inf], "t"), "infinite"),
        (lambda: mean_interval([0.2, 0.3], "median"), "no interval is named median"),
        (lambda: mean_interval([0.2, 0.3], level=95), "confidence level"),
        (lambda: mean_interval([[0.2, 0.3]]), "one number per subject"),
        (lambda: difference_interval([0.2, 0.3], [0.1, -math.inf]), "infinite"),
        (lambda: ratio_interval([0.2, 0.3], [0.1, 0.4], level=1), "confidence level"),
        (lambda: proportion_interval(3, 2), "3 of 2"),
        (lambda: proportion_interval(-1, 2), "-1 of 2"),
        (lambda: proportion_interval(1.5, 2), "1.5 of 2"),  # type: ignore[arg-type]
        (lambda: proportion_interval(1, 2, "wald"), "no interval is named wald"),
    ],
)
def test_what_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_proportions_of_r(golden: Path) -> None:
    for row in read(golden, "proportions").itertuples():
        found = proportion_interval(row.successes, row.n, row.method)
        assert (found.estimate, found.n, found.method) == (row.successes / row.n, row.n, row.method)
        assert bounds(found) == pytest.approx((row.low, row.high), abs=1e-9), row


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (16, 20, 56.3, 94.3),
        (15, 20, 50.9, 91.3),
        (19, 20, 75.1, 99.9),
        (13, 20, 40.8, 84.6),
        (3, 20, 3.2, 37.9),
        (0, 20, 0.0, 16.8),
        (9, 18, 26.0, 74.0),
        (12, 18, 41.0, 86.7),
    ],
)
def test_published_proportions(successes: int, n: int, low: float, high: float) -> None:
    found = proportion_interval(successes, n)
    assert (round(100 * found.low, 1), round(100 * found.high, 1)) == (low, high)


@given(st.integers(1, 60), st.data(), st.sampled_from([0.8, 0.95]))
def test_clopper_pearson_is_what_the_binomial_test_does_not_reject(n: int, data: st.DataObject, level: float) -> None:
    k = data.draw(st.integers(0, n))
    found = proportion_interval(k, n, level=level)
    if k:
        assert stats.binom.sf(k - 1, n, found.low) == pytest.approx((1 - level) / 2)
    if k < n:
        assert stats.binom.cdf(k, n, found.high) == pytest.approx((1 - level) / 2)
    # Wilson: where the score test's z is the normal quantile.
    wilson = proportion_interval(k, n, "wilson", level)
    z = stats.norm.ppf((1 + level) / 2)
    for bound in {wilson.low, wilson.high} - {0.0, 1.0}:
        assert abs(k / n - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / n), abs=1e-9)


def test_no_trials() -> None:
    assert same(proportion_interval(0, 0), Interval(math.nan, math.nan, math.nan, 0, "clopper_pearson"))


@given(st.lists(rates, min_size=2, max_size=12), st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_means_whatever_the_order(values: list[float], method: str, random: object) -> None:
    found = mean_interval(values, method, seed=3)
    shuffled = [*values, math.nan]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same(mean_interval(shuffled, method, seed=3), found)
    if math.isnan(found.low):
        assert len(set(values)) == 1
        return
    assert found.low <= found.estimate + 1e-12
    assert found.high >= found.estimate - 1e-12
    if method != "t":
        assert 0 <= found.low <= found.high <= 1
    if method in ("logit_t", "t"):
        # Of what is left over the interval is the mirror image, and more confidence is a wider interval.
        rest = mean_interval([1 - value for value in values], method)
        assert (1 - rest.high, 1 - rest.low) == pytest.approx(bounds(found), abs=1e-9)
        wider = mean_interval(values, method, level=0.99)
        assert wider.low <= found.low
        assert wider.high >= found.high


@given(st.lists(rates, min_size=2, max_size=9), st.lists(rates, min_size=2, max_size=9))
def test_swapping_groups(first: list[float], second: list[float]) -> None:
    there, back = difference_interval(first, second), difference_interval(second, first)
    assert same(there, Interval(-back.estimate, -back.high, -back.low, back.n, "welch"))
    there, back = ratio_interval(first, second), ratio_interval(second, first)
    assert same(there, Interval(1 / back.estimate, 1 / back.high, 1 / back.low, back.n, "log_welch"), 1e-9)
    # The unit does not matter to a ratio, and scales a difference.
    assert same(ratio_interval([3 * x for x in first], [3 * x for x in second]), there, 1e-6)


def test_seeds() -> None:
    x = [0.1, 0.25, 0.3, 0.7, 0.9, 0.92]
    assert mean_interval(x, "bca", seed=1) == mean_interval(x, "bca", seed=1)
    assert mean_interval(x, "bca", seed=1) != mean_interval(x, "bca", seed=2)


def test_inputs_stay_as_they_are() -> None:
    x = np.array([0.9, np.nan, 0.1, 0.5])
    for method in METHODS:
        mean_interval(x, method)
    difference_interval(x, x)
    np.testing.assert_array_equal(x, [0.9, np.nan, 0.1, 0.5])
