"""Adjustment by least squares and the permutations of Freedman and Lane."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.stats import group_permutation
from microbiome.stats.adjusted import adjust, freedman_lane, independent_columns


def rss(y: np.ndarray, columns: list[np.ndarray]) -> float:
    x = np.column_stack([np.ones(len(y)), *columns])
    return float(((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2).sum())


def naive(y: np.ndarray, groups: list[np.ndarray], z: list[np.ndarray], strata: np.ndarray) -> float:
    """Return the share of all permutations of residuals (within strata) with an F as large as observed."""
    x = np.column_stack([np.ones(len(y)), *z])
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    residual = y - fitted

    def f(values: np.ndarray) -> float:
        without, with_groups = rss(values, z), rss(values, [*groups, *z])
        return (without - with_groups) / with_groups

    observed = f(y)
    found = [
        f(fitted + residual[list(order)]) >= observed * (1 - 1e-9)
        for order in itertools.permutations(range(len(y)))
        if (strata[list(order)] == strata).all()
    ]
    return sum(found) / len(found)


@pytest.mark.parametrize("seed", range(4))
def test_freedman_lane_is_the_share_of_all_permutations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, z = rng.normal(size=6), rng.normal(size=6)
    group = np.array([0, 1, 0, 1, 1, 0])
    result = freedman_lane(y, group, z)
    assert result.p_value == pytest.approx(naive(y, [group], [z], np.zeros(6)), abs=1e-12)
    assert (result.scheme, result.permutations, result.p_floor) == ("exact", 720, 1 / 720)
    word = np.array([0, 0, 1, 1, 0, 1])
    result = freedman_lane(y, group, word)
    assert result.p_value == pytest.approx(naive(y, [group], [word], np.zeros(6)), abs=1e-12)
    assert result.permutations < 720
    three = np.array([0, 1, 2, 0, 1, 2])
    result = freedman_lane(y, three, z)
    assert result.p_value == pytest.approx(naive(y, [three == 1, three == 2], [z], np.zeros(6)), abs=1e-12)


def test_freedman_lane_within_strata() -> None:
    rng = np.random.default_rng(9)
    y, z = rng.normal(size=7), rng.normal(size=7)
    group, strata = np.array([0, 1, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 1, 1, 1, 1])
    result = freedman_lane(y, group, np.column_stack([z, strata]), strata)
    assert result.permutations == 6 * 24
    assert result.p_value == pytest.approx(naive(y, [group], [z, strata], strata), abs=1e-12)


def test_freedman_lane_with_a_constant_covariate_is_the_plain_test() -> None:
    rng = np.random.default_rng(2)
    y, group = rng.normal(size=11), np.arange(11) % 2
    plain = group_permutation(y, group)
    result = freedman_lane(y, group, np.ones(11))
    assert result.p_value == pytest.approx(plain.p_value)
    assert result.statistic == pytest.approx(plain.statistic)
    assert result.permutations == plain.permutations


def test_freedman_lane_monte_carlo_nears_exact_and_keeps_its_seed() -> None:
    rng = np.random.default_rng(5)
    y, z, group = rng.normal(size=7), rng.normal(size=7), np.array([0, 1, 1, 0, 1, 0, 0])
    exact = freedman_lane(y, group, z).p_value
    drawn = freedman_lane(y, group, z, permutations=4000, seed=1)
    assert drawn.scheme == "monte_carlo"
    assert drawn.p_value == pytest.approx(exact, abs=0.03)
    assert drawn == freedman_lane(y, group, z, permutations=4000, seed=1)
    assert drawn.p_floor == 1 / 4001


def test_freedman_lane_keeps_its_level_with_a_covariate_that_goes_with_group_and_value() -> None:
    rng = np.random.default_rng(11)
    rejected = plain = 0
    for _ in range(400):
        z = rng.normal(size=14)
        group = (z + rng.normal(size=14) > 0).astype(int)
        if group.sum() in (0, 14):
            continue
        y = 1.5 * z + rng.normal(size=14)
        rejected += freedman_lane(y, group, z, permutations=199).p_value <= 0.05
        plain += group_permutation(y, group, permutations=199).p_value <= 0.05
    assert rejected / 400 < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert plain / 400 > 0.2


def test_adjust_equals_lm_of_r(golden: Path) -> None:
    data = pd.read_csv(golden / "compare_data.tsv", sep="\t")
    expected = pd.read_csv(golden / "compare_subjects.tsv", sep="\t").set_index("set")
    value = data.groupby("subject")["depletion_rate"].mean()
    persons = data.drop_duplicates("subject").assign(value=lambda frame: frame["subject"].map(value))
    for name, own in persons.groupby("set"):
        second = (own["responder"] == "yes").to_numpy()
        dummies = np.column_stack([own["donor"] == level for level in sorted(own["donor"].unique())])
        for covariates, prefix in ((own["age"].to_numpy(), "age"), (dummies, "donor")):
            fit = adjust(own["value"], second, covariates)
            row = expected.loc[name]
            found = (fit.difference.estimate, fit.difference.low, fit.difference.high)
            assert found == pytest.approx([row[f"{prefix}_{end}"] for end in ("effect", "low", "high")])
            assert fit.adjusted[second].mean() - fit.adjusted[~second].mean() == pytest.approx(fit.difference.estimate)
            assert fit.adjusted.mean() == pytest.approx(own["value"].mean())


def test_independent_columns() -> None:
    x = np.array([[1.0, 2, 0, 1], [1, 2, 1, 2], [1, 2, 0, 1], [1, 2, 5, 6]])
    assert independent_columns(x, np.zeros((4, 0))) == [0, 2]
    assert independent_columns(x, np.ones((4, 1))) == [2]
    assert independent_columns(1e9 + x[:, 2:3], np.ones((4, 1))) == [0]


@pytest.mark.parametrize("function", [adjust, freedman_lane])
def test_refuses_groups_that_covariates_explain(function: object) -> None:
    group = np.array([True, True, False, False, True])
    with pytest.raises(ValueError, match="combination"):
        function(np.arange(5.0), group, 2 * group + 1)  # type: ignore[operator]
    with pytest.raises(ValueError, match="not more subjects"):
        function(np.arange(5.0), group, np.random.default_rng(0).normal(size=(5, 3)))  # type: ignore[operator]
    with pytest.raises(ValueError, match="missing"):
        function([1, 2, np.nan, 4, 5], group, np.arange(5.0))  # type: ignore[operator]
