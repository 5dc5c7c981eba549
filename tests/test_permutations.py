"""Restricted permutations: against all permutations, filtered by brute force."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from microbiome.stats.permutations import Design, restrict


def allowed(labels: np.ndarray, strata: np.ndarray | None) -> set[tuple[int, ...]]:
    """Every arrangement of the samples' labels that the scheme allows, from all permutations of samples or strata."""
    samples = range(len(labels))
    if strata is None:
        return set(itertools.permutations(labels.tolist()))
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    if all(len(set(labels[member])) == 1 for member in members):
        found = set()
        for order in itertools.permutations([labels[member[0]] for member in members]):
            found.add(tuple(order[strata[i]] for i in samples))
        return found
    return {
        tuple(labels[list(order)].tolist())
        for order in itertools.permutations(samples)
        if all(strata[i] == strata[order[i]] for i in samples)
    }


def partition(arrangement: tuple[int, ...]) -> frozenset[frozenset[int]]:
    return frozenset(
        frozenset(i for i, label in enumerate(arrangement) if label == group) for group in set(arrangement)
    )


def of_samples(design: Design, rows: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(row[design.unit].tolist()) for row in rows]


@st.composite
def small_designs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None]:
    n = draw(st.integers(2, 6))
    labels = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    labels = np.unique(labels, return_inverse=True)[1]
    kind = draw(st.sampled_from(["free", "within", "whole"]))
    if kind == "free":
        return labels, None
    strata = np.unique(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), return_inverse=True)[1]
    if kind == "whole":
        labels = np.unique(labels[[int(np.flatnonzero(strata == s)[0]) for s in strata]], return_inverse=True)[1]
    return labels, strata


@given(small_designs(), st.integers(1, 4))
def test_arrangements_are_all_that_are_allowed(drawn: tuple[np.ndarray, np.ndarray | None], size: int) -> None:
    labels, strata = drawn
    design = restrict(labels, strata)
    expected = allowed(labels, strata)
    assert design.arrangements == len(expected)
    pieces = list(design.every(size))
    assert all(1 <= len(piece) <= size for piece in pieces)
    rows = of_samples(design, np.concatenate(pieces))
    assert len(rows) == len(expected)
    assert set(rows) == expected
    same = sum(partition(row) == partition(tuple(labels.tolist())) for row in expected)
    assert design.equivalent == same
    assert design.smallest_p == same / len(expected)


@given(small_designs(), st.integers(0, 100))
def test_draws_are_allowed(drawn: tuple[np.ndarray, np.ndarray | None], seed: int) -> None:
    labels, strata = drawn
    design = restrict(labels, strata)
    rows = of_samples(design, design.draw(np.random.default_rng(seed), 20))
    assert set(rows) <= allowed(labels, strata)


@pytest.mark.parametrize(
    ("labels", "strata", "scheme"),
    [
        ([0, 0, 1, 1, 2], None, "free"),
        ([0, 1, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], "within strata"),
        ([0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 1, 2], "whole strata"),
    ],
)
def test_draws_are_uniform(labels: list[int], strata: list[int] | None, scheme: str) -> None:
    design = restrict(np.array(labels), None if strata is None else np.array(strata))
    assert design.scheme == scheme
    draws = 6000
    seen = Counter(of_samples(design, design.draw(np.random.default_rng(1), draws)))
    assert len(seen) == design.arrangements
    expected = draws / design.arrangements
    chi2 = sum((count - expected) ** 2 / expected for count in seen.values())
    freedom = design.arrangements - 1
    assert chi2 < freedom + 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize(
    ("first", "of", "floor"),
    [(3, 6, 0.1), (4, 8, 2 / 70), (5, 10, 2 / 252), (4, 10, 1 / 210), (1, 10, 0.1), (2, 10, 1 / 45)],
)
def test_floors_of_two_groups(first: int, of: int, floor: float) -> None:
    labels = np.array([0] * first + [1] * (of - first))
    assert restrict(labels).smallest_p == pytest.approx(floor)
    # Subjects with any number of samples each: the same floor.
    sizes = np.arange(of) % 3 + 1
    design = restrict(np.repeat(labels, sizes), np.repeat(np.arange(of), sizes))
    assert design.scheme == "whole strata"
    assert design.smallest_p == pytest.approx(floor)


def test_one_stratum_that_varies_makes_it_within() -> None:
    design = restrict(np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2]))
    assert design.scheme == "within strata"
    assert design.arrangements == 2
    assert [block.tolist() for block in design.blocks] == [[4, 5]]


@given(st.lists(st.integers(0, 4), min_size=3, max_size=6), st.booleans())
def test_numbers_turned_around(numbers: list[int], halves: bool) -> None:
    strata = np.arange(len(numbers)) % 2 if halves else None
    levels, labels = np.unique(np.array(numbers, dtype=float), return_inverse=True)
    assume(len(levels) > 1)
    design = restrict(labels, strata, levels)
    assume(design.scheme != "whole strata")
    x = np.array(numbers, dtype=float)
    turned = levels[0] + levels[-1] - x
    blocks = [np.arange(len(x))] if strata is None else [strata == 0, strata == 1]
    same = all(sorted(x[block]) == sorted(turned[block]) for block in blocks)
    assert design.equivalent == (2 if same else 1)


def test_big_numbers_stay_exact() -> None:
    labels = np.repeat(np.arange(2), 1000)
    design = restrict(labels)
    assert design.arrangements > 10**590
    assert 0 <= design.smallest_p < 1e-300


def test_who_is_taken_apart() -> None:
    persons = np.array(["a", "a", "b", "b"])
    labels = np.array([0, 1, 0, 1])
    assert restrict(labels).separates(persons)
    assert not restrict(labels, np.array([0, 0, 1, 1])).separates(persons)
    assert restrict(labels, np.array([0, 1, 0, 1])).separates(persons)
    assert not restrict(labels).separates(np.array(["a", "b", "c", "d"]))
    # Centres as wholes, each with its own persons.
    assert not restrict(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])).separates(persons)
