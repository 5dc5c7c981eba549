"""Distances between samples: against the textbook, vegan, and trees that know their own tip sets."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phylogeny import random_tree
from skbio import TreeNode
from skbio.diversity import beta_diversity

from microbiome.diversity import BETA_METRICS, beta
from microbiome.diversity.beta import zero_replacement
from microbiome.errors import InputError

PLAIN = [metric for metric in BETA_METRICS if "unifrac" not in metric]


def frame_of(values: np.ndarray, taxa: list[str] | None = None) -> pd.DataFrame:
    names = taxa or [f"t{i}" for i in range(values.shape[1])]
    return pd.DataFrame(values, index=pd.Index([f"s{i}" for i in range(len(values))], name="sample"), columns=names)


@st.composite
def profiles(draw: st.DrawFn, taxa: int = 6) -> np.ndarray:
    cells = st.sampled_from([0.0, 0.0, 1e-5, 0.02, 0.3, 1.0])
    rows = draw(st.lists(st.lists(cells, min_size=taxa, max_size=taxa), min_size=2, max_size=5))
    values = np.array(rows)
    values[~(values > 0).any(axis=1), 0] = 1.0
    return values / values.sum(axis=1, keepdims=True)


def textbook(metric: str, x: np.ndarray, y: np.ndarray, table: np.ndarray) -> float:
    def clr(row: np.ndarray) -> list[float]:
        logs = [math.log(value) for value in row]
        return [value - sum(logs) / len(logs) for value in logs]

    def robust(row: np.ndarray) -> list[float]:
        logs = [math.log(value) for value in row if value > 0]
        return [math.log(value) - sum(logs) / len(logs) if value > 0 else 0.0 for value in row]

    def replaced(row: np.ndarray) -> np.ndarray:
        kept = [value for value, column in zip(row, table.T, strict=True) if column.any()]
        delta = min(value for value in table.ravel() if value > 0) / 2
        zeros = sum(value == 0 for value in kept)
        return np.array([value * (1 - zeros * delta) if value > 0 else delta for value in kept])

    if metric == "bray_curtis":
        return sum(abs(a - b) for a, b in zip(x, y, strict=True)) / (sum(x) + sum(y))
    if metric == "jaccard":
        either = sum((a > 0) or (b > 0) for a, b in zip(x, y, strict=True))
        return 1 - sum((a > 0) and (b > 0) for a, b in zip(x, y, strict=True)) / either
    if metric == "hellinger":
        return math.dist(np.sqrt(x), np.sqrt(y))
    if metric == "aitchison":
        return math.dist(clr(replaced(x)), clr(replaced(y)))
    return math.dist(robust(x), robust(y))


@given(profiles())
def test_textbook(values: np.ndarray) -> None:
    for metric in PLAIN:
        found = beta(frame_of(values), metric)
        for i in range(len(values)):
            for j in range(len(values)):
                expected = textbook(metric, values[i], values[j], values)
                assert found[i, j] == pytest.approx(expected, abs=1e-9), metric


@given(profiles(), st.randoms(use_true_random=False))
def test_axioms_and_invariance(values: np.ndarray, random: object) -> None:
    samples, taxa = list(range(len(values))), list(range(values.shape[1]))
    random.shuffle(samples)  # type: ignore[attr-defined]
    random.shuffle(taxa)  # type: ignore[attr-defined]
    scale = np.linspace(0.2, 3, len(values))[:, None]
    for metric in PLAIN:
        found = beta(frame_of(values), metric).data
        np.testing.assert_array_equal(found, found.T)
        np.testing.assert_array_equal(np.diag(found), 0)
        assert (found >= 0).all()
        moved = beta(frame_of(values[np.ix_(samples, taxa)]), metric).data
        np.testing.assert_allclose(moved, found[np.ix_(samples, samples)], atol=1e-10)
        if metric in ("bray_curtis", "jaccard"):
            assert (found <= 1).all()
        if metric == "hellinger":
            assert (found <= math.sqrt(2) + 1e-12).all()
        if metric != "bray_curtis":
            # Not of the depth: closing is part of these.
            np.testing.assert_allclose(beta(frame_of(values * scale), metric).data, found, atol=1e-8)
            # Metrics, unlike Bray-Curtis.
            for k in range(len(found)):
                assert (found <= found[:, [k]] + found[[k], :] + 1e-9).all()


def test_vegan(golden: Path) -> None:
    expected = pd.read_csv(golden / "vegan_beta.tsv", sep="\t")
    abundance = pd.read_csv(golden / "vegan_abundance.tsv", sep="\t", index_col=0)
    for column in expected.columns[2:]:
        if column == "aitchison_pseudocount":
            found = beta(abundance, "aitchison", zeros="pseudocount", delta=0.001)
        else:
            found = beta(abundance, column)
        values = [found[one, two] for one, two in zip(expected["sample_1"], expected["sample_2"], strict=True)]
        np.testing.assert_allclose(values, expected[column], rtol=0, atol=1e-8, err_msg=column)


def test_samples_without_profile_are_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    frame = frame_of(np.array([[0.5, 0.5], [np.nan, np.nan], [0.0, 0.0], [0.1, 0.9]]))
    with caplog.at_level(logging.WARNING):
        found = beta(frame, "bray_curtis")
    assert found.ids == ("s0", "s3")
    assert "2 samples have no profile and are left out of the distances: s1, s2" in caplog.text
    assert found["s0", "s3"] == pytest.approx(0.4)


def test_one_sample() -> None:
    for metric in PLAIN:
        assert beta(frame_of(np.array([[0.5, 0.5, 0.0]])), metric).shape == (1, 1)


def test_bad_input() -> None:
    frame = frame_of(np.array([[0.5, 0.5], [1, 0]]))
    with pytest.raises(InputError, match="'braycurtis' is not known"):
        beta(frame, "braycurtis")
    with pytest.raises(InputError, match="needs a tree"):
        beta(frame, "weighted_unifrac")
    with pytest.raises(InputError, match="no sample has a profile"):
        beta(frame * 0, "jaccard")
    with pytest.raises(InputError, match="is 1 or more"):
        beta(frame, "aitchison", delta=1.0)
    with pytest.raises(InputError, match="delta is 0"):
        beta(frame, "aitchison", delta=0.0)


def test_zero_replacement_keeps_ratios_and_sums() -> None:
    values = np.array([[0.6, 0.3, 0.1, 0.0], [0.5, 0.0, 0.0, 0.5]])
    found = zero_replacement(values, delta=0.01)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[0, 0] / found[0, 1] == pytest.approx(2)
    assert (found[values == 0] == 0.01).all()
    assert zero_replacement(values)[0, 3] == pytest.approx(0.05)  # half of 0.1


def test_taxa_that_nobody_has_change_nothing() -> None:
    rng = np.random.default_rng(1)
    values = rng.dirichlet(np.ones(5), 4) * np.array([1, 1, 1, 0, 0])
    for metric in PLAIN:
        np.testing.assert_allclose(
            beta(frame_of(values), metric).data, beta(frame_of(values[:, :3]), metric).data, atol=1e-12
        )


# ------------------------------------------------------------------ UniFrac


@given(st.integers(0, 10_000), st.integers(2, 10))
def test_unifrac_over_tip_sets(seed: int, n_tips: int) -> None:
    rng = np.random.default_rng(seed)
    names = [str(i) for i in range(n_tips)]
    tree = random_tree(rng, names)
    values = rng.random((4, n_tips)) * (rng.random((4, n_tips)) < 0.6)
    values[~values.any(axis=1), 0] = 0.3
    frame = frame_of(values, [f"t__SGB{name}" for name in names])
    node = TreeNode.read([tree.newick])
    plain, raw = beta(frame, "unweighted_unifrac", node), beta(frame, "weighted_unifrac", node)
    normal = beta(frame, "weighted_unifrac", node, normalized=True)
    for i in range(4):
        for j in range(4):
            one, two = (dict(zip(names, values[k], strict=True)) for k in (i, j))
            sets = [{name for name, value in sample.items() if value > 0} for sample in (one, two)]
            assert plain[i, j] == pytest.approx(tree.unweighted_unifrac(*sets), abs=1e-9)
            expected = tree.weighted_unifrac(one, two)
            assert raw[i, j] == pytest.approx(expected, abs=1e-9)
            largest = sum(
                tree.depth(name) * (one[name] / sum(one.values()) + two[name] / sum(two.values())) for name in names
            )
            assert normal[i, j] == pytest.approx(expected / largest if largest else 0.0, abs=1e-9)
    assert (plain.data <= 1).all()
    assert (normal.data <= 1 + 1e-12).all()


def test_unifrac_of_counts_is_scikit_bio() -> None:
    rng = np.random.default_rng(3)
    names = [f"x{i}" for i in range(40)]
    tree = TreeNode.read([random_tree(rng, names, forks=2).newick])
    counts = rng.poisson(0.8, (7, 40))
    frame, ids = frame_of(counts, names), [f"s{i}" for i in range(7)]
    for metric, options in (
        ("unweighted_unifrac", {}),
        ("weighted_unifrac", {}),
        ("weighted_unifrac", {"normalized": True}),
    ):
        expected = beta_diversity(metric, counts, ids=ids, taxa=names, tree=tree, **options)
        np.testing.assert_allclose(beta(frame, metric, tree, **options).data, expected.data, atol=1e-12)


def test_unifrac_of_fractions_is_that_of_counts() -> None:
    """Scikit-bio turns fractions into integers, all of them 0: the reason why it is not used here."""
    rng = np.random.default_rng(4)
    names = [f"x{i}" for i in range(12)]
    tree = TreeNode.read([random_tree(rng, names, forks=2).newick])
    counts = rng.poisson(2, (5, 12)) + np.eye(5, 12, dtype=int)
    closed = counts / counts.sum(axis=1, keepdims=True)
    for metric in ("unweighted_unifrac", "weighted_unifrac"):
        fractions = beta(frame_of(closed, names), metric, tree).data
        np.testing.assert_allclose(fractions, beta(frame_of(counts, names), metric, tree).data, atol=1e-12)
        assert fractions.max() > 0.1


def test_unplaced_taxa_are_left_out_of_unifrac(caplog: pytest.LogCaptureFixture) -> None:
    tree = TreeNode.read(["((1:1,2:1):1,3:2);"])
    values = np.array([[0.5, 0, 0.5, 0], [0, 0.25, 0, 0.75], [0, 0, 0, 1]])
    frame = frame_of(values, ["t__SGB1", "t__SGB2", "t__SGB3", "t__EUK9"])
    with caplog.at_level(logging.WARNING):
        found = beta(frame, "weighted_unifrac", tree)
    assert found.ids == ("s0", "s1")
    # Closed over what is placed: s1 is all of SGB2.
    assert found["s0", "s1"] == pytest.approx(0.5 * 1 + 1 * 1 + 0.5 * 1 + 0.5 * 2)
    assert "t__EUK9" in caplog.text
    assert "left out of the distances: s2" in caplog.text
