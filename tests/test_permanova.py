"""PERMANOVA and PERMDISP: against the textbook, vegan, all arrangements, and data without any effect."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from points import distances_of, frame_of, letters, one
from scipy.stats import f_oneway
from skbio import DistanceMatrix
from skbio.stats.distance import permanova as skbio_permanova

from microbiome.diversity import beta, permanova, with_subjects
from microbiome.diversity.ordination import gower
from microbiome.diversity.squares import between_groups, between_groups_of_values, dispersions
from microbiome.diversity.tables import PERMANOVA
from microbiome.errors import InputError
from microbiome.stats.permutations import restrict
from microbiome.study import Study


def textbook(distances: np.ndarray, groups: list[str]) -> tuple[float, float]:
    """Pseudo-F and R2 by Anderson's sums over pairs."""
    n, names = len(groups), sorted(set(groups))
    pairs = list(itertools.combinations(range(n), 2))
    total = sum(distances[i, j] ** 2 for i, j in pairs) / n
    within = sum(
        sum(distances[i, j] ** 2 for i, j in pairs if groups[i] == groups[j] == name) / groups.count(name)
        for name in names
    )
    between = total - within
    return (between / (len(names) - 1)) / (within / (n - len(names))), between / total


# ------------------------------------------------------------------ the statistics


@given(st.integers(0, 10_000), st.integers(5, 14), st.integers(2, 4), st.sampled_from(["euclidean", "braycurtis"]))
@settings(max_examples=40)
def test_textbook_and_scikit_bio(seed: int, n: int, k: int, metric: str) -> None:
    rng = np.random.default_rng(seed)
    groups = letters(np.r_[np.arange(k), rng.integers(0, k, n - k)])
    distances = distances_of(rng.random((n, 3)), metric)
    found = one(distances, frame_of(g=groups), "g", permutations=9)
    assert (found["pseudo_f"], found["r2"]) == pytest.approx(textbook(distances.data, groups), rel=1e-9)
    assert found["pseudo_f"] == pytest.approx(skbio_permanova(distances, groups, permutations=0)["test statistic"])
    order = rng.permutation(n)
    moved = one(distances.filter([distances.ids[i] for i in order]), frame_of(g=groups), "g", permutations=9)
    assert moved["pseudo_f"] == pytest.approx(found["pseudo_f"])


@pytest.mark.parametrize("sizes", [[30, 30], [100, 3, 2, 1], [40, 25, 10, 1, 1], [1, 1, 1, 1], [150, 150, 4]])
def test_kernel_large_and_small_groups(sizes: list[int]) -> None:
    """Matrix products for large groups, picked cells for small ones: the same sums as written out."""
    rng = np.random.default_rng(len(sizes))
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int16)
    gram = gower(distances_of(rng.normal(size=(len(labels), 4))).data)
    arrangements = restrict(labels).draw(rng, 7)
    found = between_groups(gram, arrangements, len(sizes))
    for row, value in zip(arrangements, found, strict=True):
        inside = [np.flatnonzero(row == group) for group in range(len(sizes))]
        assert value == pytest.approx(sum(gram[np.ix_(i, i)].sum() / len(i) for i in inside), rel=1e-9, abs=1e-9)
    numbers = rng.normal(size=len(labels))
    numbers -= numbers.mean()
    for row, value in zip(arrangements, between_groups_of_values(numbers, arrangements, len(sizes)), strict=True):
        assert value == pytest.approx(
            sum(numbers[row == group].sum() ** 2 / (row == group).sum() for group in range(len(sizes)))
        )


def golden_trial(golden: Path, metric: str) -> tuple[DistanceMatrix, pd.DataFrame]:
    abundance = pd.read_csv(golden / "vegan_abundance.tsv", sep="\t", index_col=0)
    frame = pd.read_csv(golden / "vegan_samples.tsv", sep="\t")
    return beta(abundance, metric), frame


@pytest.mark.parametrize("metric", ["bray_curtis", "aitchison", "hellinger"])
def test_vegan(golden: Path, metric: str) -> None:
    """F and R2 to 1e-8, p-values of all three schemes within 4.5 standard errors."""
    distances, frame = golden_trial(golden, metric)
    expected = pd.read_csv(golden / "vegan_permanova.tsv", sep="\t")
    for _, row in expected[expected["metric"] == metric].iterrows():
        strata = None if row["scheme"] == "free" else "subject"
        found = one(distances, frame, row["factor"], strata, permutations=19999, seed=3)
        assert found["scheme"].removesuffix(", exact") == row["scheme"]
        assert found["pseudo_f"] == pytest.approx(row["pseudo_f"], rel=0, abs=1e-8)
        assert found["r2"] == pytest.approx(row["r2"], rel=0, abs=1e-8)
        p = row["p_value"]
        error = np.sqrt(p * (1 - p) * 2 / row["permutations"])
        assert found["p_value"] == pytest.approx(p, abs=4.5 * error), (row["factor"], row["scheme"])


@pytest.mark.parametrize("metric", ["bray_curtis", "aitchison", "hellinger"])
def test_vegan_permdisp(golden: Path, metric: str) -> None:
    distances, frame = golden_trial(golden, metric)
    expected = pd.read_csv(golden / "vegan_permdisp.tsv", sep="\t")
    gram = gower(distances.data)
    for (name, factor, adjust), rows in expected.groupby(["metric", "factor", "adjust"]):
        if name != metric:
            continue
        labels = np.unique(frame[factor], return_inverse=True)[1]
        found = dispersions(gram, labels, labels.max() + 1, adjust=bool(adjust))
        np.testing.assert_allclose(found, rows["distance"], rtol=0, atol=1e-8)
        if adjust:
            statistic = one(distances, frame, factor, permutations=9)["permdisp_f"]
            assert statistic == pytest.approx(rows["f"].iloc[0], rel=0, abs=1e-8)


def test_permdisp_of_strata_is_written_out() -> None:
    """With strata, the distance to the centroid mixes in that to the other strata's centroid."""
    rng = np.random.default_rng(8)
    points = rng.normal(size=(11, 3))
    groups, strata = np.array([0] * 6 + [1] * 5), np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5])
    found = dispersions(gower(distances_of(points).data), groups, 2, strata)
    for i in range(11):
        inside = groups == groups[i]
        k = len(set(strata[inside]))
        r2 = ((points[i] - points[inside].mean(axis=0)) ** 2).sum()
        l2 = ((points[i] - points[inside & (strata != strata[i])].mean(axis=0)) ** 2).sum()
        assert found[i] == pytest.approx(np.sqrt((k * r2 + (k - 1) * l2) / (2 * k - 1)))
    frame = frame_of(g=letters(groups), subject=letters(strata))
    statistic = one(distances_of(points), frame, "g", "subject")["permdisp_f"]
    assert statistic == pytest.approx(f_oneway(found[groups == 0], found[groups == 1]).statistic)


def test_regression_on_a_number() -> None:
    """R2 of a number is the share of variance that linear regression of the coordinates explains."""
    rng = np.random.default_rng(5)
    points, x = rng.normal(size=(20, 4)), rng.normal(size=20)
    found = one(distances_of(points), frame_of(x=x), "x", permutations=99)
    design = np.c_[np.ones(20), x]
    rest = points - design @ np.linalg.lstsq(design, points, rcond=None)[0]
    r2 = 1 - (rest**2).sum() / ((points - points.mean(axis=0)) ** 2).sum()
    assert found["r2"] == pytest.approx(r2)
    assert found["pseudo_f"] == pytest.approx(r2 / (1 - r2) * 18)
    assert pd.isna(found["n_groups"])
    assert np.isnan(found["permdisp_f"])
    assert "regression" in found["note"]


def test_two_numbers_are_two_groups() -> None:
    rng = np.random.default_rng(6)
    distances, flag = distances_of(rng.normal(size=(12, 3))), np.arange(12) % 2
    number = permanova(distances, frame_of(flag=pd.array(flag, dtype="Int64"), text=letters(flag)), ["flag", "text"])
    assert number["n_groups"].tolist() == [2, 2]
    pd.testing.assert_series_equal(number.iloc[0].drop("factor"), number.iloc[1].drop("factor"), check_names=False)


def test_text_of_numbers_is_groups_unless_named_continuous(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(6)
    distances = distances_of(rng.normal(size=(14, 3)))
    age = [str(30 + i // 2) for i in range(14)]
    with caplog.at_level(logging.WARNING):
        groups = one(distances, frame_of(age=age), "age", permutations=9)
    assert groups["n_groups"] == 7
    assert "name it in continuous" in caplog.text
    number = one(distances, frame_of(age=age), "age", continuous=["age"], permutations=9)
    assert number["r2"] == pytest.approx(one(distances, frame_of(age=[float(x) for x in age]), "age")["r2"])
    with pytest.raises(InputError, match="'x' is not a number"):
        permanova(distances, frame_of(age=["x", *age[1:]]), "age", continuous=["age"])


# ------------------------------------------------------------------ p-values


def test_exact_is_every_arrangement() -> None:
    rng = np.random.default_rng(1)
    distances = distances_of(rng.normal(size=(7, 2)))
    groups = ["a", "a", "a", "b", "b", "b", "b"]
    observed = textbook(distances.data, groups)[0]
    every = [textbook(distances.data, list(order))[0] for order in set(itertools.permutations(groups))]
    found = one(distances, frame_of(g=groups), "g")
    assert found["scheme"] == "free, exact"
    assert found["permutations"] == len(every) == 35
    assert found["p_value"] == pytest.approx(np.mean(np.array(every) >= observed - 1e-12))
    random = one(distances, frame_of(g=groups), "g", permutations=34)
    assert random["scheme"] == "free"
    assert random["p_floor"] == pytest.approx(1 / 35)


@pytest.mark.parametrize(("first", "of", "floor"), [(3, 6, 0.1), (4, 8, 2 / 70), (4, 10, 1 / 210)])
def test_complete_separation_reaches_the_floor(first: int, of: int, floor: float) -> None:
    points = np.random.default_rng(2).normal(size=(of, 2)) * 0.1
    points[:first] += 10
    found = one(distances_of(points), frame_of(g=letters(np.arange(of) < first)), "g")
    assert found["p_value"] == found["p_floor"] == pytest.approx(floor)
    assert ("cannot fall below 0.1" in str(found["note"])) == (floor > 0.05)


def test_random_permutations_approach_the_exact_p() -> None:
    rng = np.random.default_rng(3)
    subjects = np.repeat(np.arange(10), [1, 2, 3, 1, 2, 3, 2, 2, 1, 3])
    points = rng.normal(size=(10, 3))[subjects] + rng.normal(size=(len(subjects), 3)) * 0.4
    frame = frame_of(g=letters(subjects < 4), subject=letters(subjects))
    distances = distances_of(points)
    exact, random = (one(distances, frame, "g", "subject", permutations=m) for m in (210, 209))
    assert exact["scheme"] == "whole strata, exact"
    assert random["scheme"] == "whole strata"
    many = np.mean([one(distances, frame, "g", "subject", permutations=209, seed=s)["p_value"] for s in range(30)])
    assert many == pytest.approx(exact["p_value"], abs=0.03)


def test_seed_and_company_of_other_factors() -> None:
    rng = np.random.default_rng(4)
    distances = distances_of(rng.normal(size=(30, 3)))
    frame = frame_of(g=letters(rng.integers(0, 3, 30)), h=letters(rng.integers(0, 2, 30)))
    table = permanova(distances, frame, ["g", "h"], seed=5)
    pd.testing.assert_frame_equal(table, permanova(distances, frame, ["g", "h"], seed=5))
    pd.testing.assert_frame_equal(table.iloc[[1]].reset_index(drop=True), permanova(distances, frame, "h", seed=5))
    assert permanova(distances, frame, "h", seed=6)["p_value"][0] != table["p_value"][1]
    assert list(table) == PERMANOVA.names


def test_whole_strata_do_not_count_samples() -> None:
    """A subject sampled again at the same place changes nothing: the unit of the test is the subject."""
    rng = np.random.default_rng(7)
    points = rng.normal(size=(9, 3))
    groups = letters(np.arange(9) < 4)
    single = one(distances_of(points), frame_of(g=groups, subject=letters(range(9))), "g", "subject")
    again = np.repeat(np.arange(9), [1, 2, 5, 1, 1, 2, 1, 4, 1])
    frame = frame_of(g=[groups[i] for i in again], subject=letters(again))
    repeated = one(distances_of(points[again]), frame, "g", "subject")
    assert repeated["p_value"] == pytest.approx(single["p_value"])
    assert repeated["p_floor"] == single["p_floor"]
    assert repeated["n_strata"] == 9


def test_ties_count_as_equal() -> None:
    """All samples equally far apart: no arrangement is more extreme than another, whatever rounding says."""
    n = 9
    distances = DistanceMatrix(0.1 * (np.ones((n, n)) - np.eye(n)), [f"s{i}" for i in range(n)])
    found = one(distances, frame_of(g=letters(np.arange(n) % 3)), "g", permutations=99)
    assert found["p_value"] == 1
    assert np.isnan(found["permdisp_p_value"]) or found["permdisp_p_value"] == 1


# ------------------------------------------------------------------ what cannot be tested, and what is said


@pytest.mark.parametrize(
    ("values", "strata", "note"),
    [
        (["a"] * 6, None, "all samples have the same value"),
        ([None] * 6, None, "no sample has a value"),
        (list("abcdef"), None, "every sample is a group of its own"),
        (list("aaabbb"), list("xxxyyy"), "every allowed arrangement"),
        (list("aabbcc"), list("xxyyzz"), "every allowed arrangement"),
        (["a", "b", None, None, None, None], None, "every sample is a group of its own"),
    ],
)
def test_not_testable(values: list[str | None], strata: list[str] | None, note: str) -> None:
    frame = frame_of(g=values, strata=strata or ["x"] * 6)
    found = one(distances_of(np.random.default_rng(0).normal(size=(6, 2))), frame, "g", "strata" if strata else None)
    assert np.isnan(found["p_value"])
    assert found["note"].startswith("not testable")
    assert note in found["note"]


def test_all_distances_zero() -> None:
    found = one(distances_of(np.zeros((6, 2))), frame_of(g=list("aaabbb")), "g")
    assert "all distances are 0" in found["note"]
    assert np.isnan(found["p_value"])


def test_missing_values_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(9)
    points = rng.normal(size=(12, 3))
    groups = [*letters(np.arange(10) % 2), None, ""]
    found = one(distances_of(points), frame_of(g=groups), "g")
    assert (found["n_samples"], found["n_missing"]) == (10, 2)
    expected = one(distances_of(points[:10]), frame_of(g=groups[:10]), "g")
    assert found["pseudo_f"] == pytest.approx(expected["pseudo_f"])
    assert found["p_value"] == expected["p_value"]


def test_repeated_subjects_without_strata_are_pointed_out() -> None:
    rng = np.random.default_rng(10)
    frame = frame_of(g=letters(np.arange(12) % 2), subject=letters(np.arange(12) // 2))
    distances = distances_of(rng.normal(size=(12, 3)))
    assert "12 samples of 6 subjects are taken as independent" in one(distances, frame, "g")["note"]
    assert one(distances, frame, "g", "subject")["note"] is None


def test_strata_that_do_not_vary_are_told() -> None:
    rng = np.random.default_rng(10)
    frame = frame_of(g=list("ababaabb"), subject=list("wwxxyyzz"))
    found = one(distances_of(rng.normal(size=(8, 3))), frame, "g", "subject")
    assert found["scheme"] == "within strata, exact"
    assert found["permutations"] == 4
    assert "varies in 2 of 4 strata" in found["note"]


def test_samples_of_the_table_without_distances_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.concat([frame_of(g=list("aabb")), pd.DataFrame({"sample": ["lost"], "g": ["a"]})])
    with caplog.at_level(logging.WARNING):
        found = one(distances_of(np.random.default_rng(0).normal(size=(4, 2))), frame, "g")
    assert found["n_samples"] == 4
    assert "lost" in caplog.text


def test_bad_input() -> None:
    distances = distances_of(np.random.default_rng(0).normal(size=(4, 2)))
    frame = frame_of(arm=list("aabb"))
    with pytest.raises(InputError) as caught:
        permanova(distances, frame, ["arms", "sex"], "subject")
    assert [problem.value for problem in caught.value.problems] == ["arms", "sex", "subject"]
    assert "did you mean 'arm'?" in str(caught.value)
    with pytest.raises(InputError, match="2 samples of the distance matrix are not in the samples table: s2, s3"):
        permanova(distances, frame.iloc[:2], "arm")
    with pytest.raises(InputError, match="'s0' stands twice"):
        permanova(distances, pd.concat([frame, frame.iloc[[0]]]), "arm")
    with pytest.raises(InputError, match="0 permutations"):
        permanova(distances, frame, "arm", permutations=0)


def test_properties_of_the_subject_are_joined() -> None:
    samples = pd.DataFrame(
        {"sample": ["a", "b", "c"], "subject": ["p", "q", "p"], "role": ["recipient"] * 3, "sex": list("mfm")}
    )
    subjects = pd.DataFrame(
        {"subject": ["q", "p"], "best_response": ["PD", "CR"], "sex": ["x", "y"], "arm": ["u", None]}
    )
    found = with_subjects(Study(samples.set_index(pd.Index([2, 3, 4], name="line")), subjects))
    assert found.index.tolist() == [2, 3, 4]
    assert found["responder"].tolist() == ["yes", "no", "yes"]
    assert found["sex"].tolist() == ["m", "f", "m"]
    assert found["arm"].tolist() == [None, "u", None]


def test_no_random_permutation_as_extreme_gives_the_floor_and_never_0() -> None:
    rng = np.random.default_rng(8)
    points = rng.normal(size=(30, 4)) + 50 * np.repeat([0, 1], 15)[:, None]
    row = one(distances_of(points), frame_of(g=["a"] * 15 + ["b"] * 15), "g", permutations=99, seed=1)
    assert row["p_value"] == row["p_floor"] == 1 / 100


def test_arrangements_that_rename_the_groups_count_whatever_the_rounding() -> None:
    """With two groups of one size each arrangement has a twin with the same F, so the exact count is even."""
    rng = np.random.default_rng(9)
    odd = 0
    for _ in range(60):
        points = rng.random((8, 5)) * 10.0 ** rng.integers(-6, 6)
        row = one(distances_of(points), frame_of(g=["a", "b"] * 4), "g", permutations=999)
        assert row["scheme"] == "free, exact"
        odd += round(row["p_value"] * 70) % 2
    assert odd == 0
