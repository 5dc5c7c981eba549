"""Benjamini-Hochberg and its reach: against R, the definition, and each other."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stats_golden import read

from microbiome.stats import benjamini_hochberg, tests_needed


def test_q_values_of_r(golden: Path) -> None:
    expected = read(golden, "bh")
    assert expected["q_value"].isna().sum() == 2
    np.testing.assert_allclose(benjamini_hochberg(expected["p_value"]), expected["q_value"], rtol=1e-12)


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=12))
def test_q_values_by_definition(p: list[float]) -> None:
    found = benjamini_hochberg(p)
    tested = [value for value in p if not math.isnan(value)]
    for value, q in zip(p, found, strict=True):
        if math.isnan(value):
            assert math.isnan(q)
        else:
            # The smallest rate at which this value is rejected: over every larger one, its share of the tests.
            larger = [other for other in tested if other >= value]
            rejected = [sum(x <= other for x in tested) for other in larger]
            rates = [len(tested) * other / k for other, k in zip(larger, rejected, strict=True)]
            assert q == pytest.approx(min(1.0, *rates))


def test_inputs_stay_and_bad_ones_are_refused() -> None:
    p = np.array([0.5, 0.01, np.nan])
    benjamini_hochberg(p)
    np.testing.assert_array_equal(p, [0.5, 0.01, np.nan])
    for bad in ([0.5, 1.1], [-0.1]):
        with pytest.raises(ValueError, match="p"):
            benjamini_hochberg(bad)
    for floor, tests, q in [
        (0, 10, 0.05),
        (1.5, 10, 0.05),
        (0.1, 0, 0.05),
        (0.1, 10, 0),
        (0.1, 10, 1),
        (math.nan, 10, 0.05),
    ]:
        with pytest.raises(ValueError, match="floor"):
            tests_needed(floor, tests, q)


def test_the_published_reach() -> None:
    assert tests_needed(1 / math.comb(10, 4), 1000) == 96
    assert tests_needed(0.05, 1000) == 1000
    assert tests_needed(0.05 * 3, 1, 0.05) == 3
    assert tests_needed(1e-9, 5) == 1
    assert tests_needed(0.1, 10) == 20  # more than there are: out of reach


@given(st.integers(1, 400), st.integers(1, 300), st.sampled_from([0.05, 0.1, 0.2]))
def test_that_many_and_no_fewer(arrangements: int, tests: int, q: float) -> None:
    floor = 1 / arrangements
    k = tests_needed(floor, tests, q)

    def found(at_floor: int) -> bool:
        p = np.concatenate([np.full(at_floor, floor), np.ones(tests - at_floor)])
        return bool((benjamini_hochberg(p) <= q * (1 + 1e-9)).any())

    if k > tests:
        assert not found(tests)
    else:
        assert found(k)
        assert k == 1 or not found(k - 1)
