"""Principal coordinates: against vegan, scikit-bio, and what they mean."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from skbio import DistanceMatrix
from skbio.stats.ordination import pcoa

from microbiome.diversity import beta, ordinate
from microbiome.errors import InputError


def coordinates(found: pd.DataFrame) -> np.ndarray:
    return found.drop(columns="sample").to_numpy()


@given(st.integers(0, 1000), st.integers(2, 9), st.integers(1, 4))
def test_euclidean_distances_come_back(seed: int, n: int, dimensions: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, dimensions))
    distances = DistanceMatrix(squareform(pdist(points)))
    found = ordinate(distances, axes=n)
    np.testing.assert_allclose(squareform(pdist(coordinates(found.coordinates))), distances.data, atol=1e-7)
    assert found.explained.sum() == pytest.approx(1)
    assert found.negative_eigenvalues == 0
    assert found.negative_share == 0


def test_vegan(golden: Path) -> None:
    abundance = pd.read_csv(golden / "vegan_abundance.tsv", sep="\t", index_col=0)
    eigenvalues = pd.read_csv(golden / "vegan_pcoa.tsv", sep="\t")
    for metric in ("bray_curtis", "jaccard", "aitchison", "robust_aitchison", "hellinger"):
        expected = eigenvalues.loc[eigenvalues["metric"] == metric, "eigenvalue"].to_numpy()
        found = ordinate(beta(abundance, metric), axes=29)
        values = (coordinates(found.coordinates) ** 2).sum(axis=0)
        positive = expected[expected > 0]
        np.testing.assert_allclose(values[: len(positive)], positive, rtol=0, atol=1e-8)
        np.testing.assert_allclose(values[len(positive) :], 0, atol=1e-8)
        np.testing.assert_allclose(found.explained[: len(positive)], positive / positive.sum(), atol=1e-8)
        assert found.negative_eigenvalues == (expected < 0).sum()
        assert found.negative_share == pytest.approx(-expected[expected < 0].sum() / positive.sum(), abs=1e-8)
    points = pd.read_csv(golden / "vegan_points.tsv", sep="\t")
    found = coordinates(ordinate(beta(abundance, "bray_curtis"), 3).coordinates)
    np.testing.assert_allclose(np.abs(found), np.abs(coordinates(points)), atol=1e-8)


def test_scikit_bio() -> None:
    rng = np.random.default_rng(2)
    points = rng.random((12, 3))
    distances = DistanceMatrix(squareform(pdist(points, "cityblock")))
    expected = pcoa(distances, dimensions=4, warn_neg_eigval=False).samples.to_numpy()
    np.testing.assert_allclose(np.abs(coordinates(ordinate(distances, 4).coordinates)), np.abs(expected), atol=1e-9)


def test_sign_is_fixed() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(10, 3))
    one = coordinates(ordinate(DistanceMatrix(squareform(pdist(points)))).coordinates)
    two = coordinates(ordinate(DistanceMatrix(squareform(pdist(-points + 5)))).coordinates)
    np.testing.assert_allclose(one, two, atol=1e-8)
    assert (one[np.abs(one).argmax(axis=0), range(10)] >= 0).all()


def test_more_axes_than_there_are() -> None:
    found = ordinate(DistanceMatrix([[0, 2], [2, 0]], ["a", "b"]), axes=4)
    assert list(found.coordinates) == ["sample", "axis_1", "axis_2", "axis_3", "axis_4"]
    np.testing.assert_allclose(coordinates(found.coordinates), [[1, 0, 0, 0], [-1, 0, 0, 0]], atol=1e-9)
    assert found.explained.tolist() == pytest.approx([1, 0, 0, 0])


@pytest.mark.parametrize("data", [[[0.0]], [[0.0, 0.0], [0.0, 0.0]]])
def test_no_distances(data: list[list[float]]) -> None:
    found = ordinate(DistanceMatrix(data), axes=2)
    assert (coordinates(found.coordinates) == 0).all()
    assert found.explained.tolist() == [0, 0]


def test_comments_tell_fractions_and_negative_eigenvalues() -> None:
    # Three points 1 apart with a fourth 0.5 from each: no such points exist.
    distances = np.array([[0, 1, 1, 0.5], [1, 0, 1, 0.5], [1, 1, 0, 0.5], [0.5, 0.5, 0.5, 0]])
    found = ordinate(DistanceMatrix(distances), 2)
    assert found.negative_eigenvalues == 1
    first, second = found.comments()
    assert first == "explained: axis_1=0.5 axis_2=0.5"
    assert "1 negative eigenvalues, together 0.0625 of that sum, are left out" in second


def test_no_axes() -> None:
    with pytest.raises(InputError, match="0 axes"):
        ordinate(DistanceMatrix([[0.0]]), 0)


def test_golden_inputs_are_those_of_the_script(golden: Path, tmp_path: Path) -> None:
    runpy.run_path(str(golden / "make_inputs.py"))["main"](tmp_path)
    for name in ("vegan_samples.tsv", "vegan_abundance.tsv"):
        made, kept = (pd.read_csv(folder / name, sep="\t") for folder in (tmp_path, golden))
        pd.testing.assert_frame_equal(made, kept)
