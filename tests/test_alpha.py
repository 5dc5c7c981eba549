"""Diversity within a sample: against the textbook, vegan, and trees that know their own tip sets."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phylogeny import random_tree
from skbio import TreeNode
from skbio.diversity import alpha_diversity

from microbiome.diversity import ALPHA_METRICS, alpha, read_tree
from microbiome.errors import InputError
from microbiome.metaphlan import read_abundance

PLAIN = [metric for metric in ALPHA_METRICS if metric != "faith_pd"]


def frame_of(values: np.ndarray, taxa: list[str] | None = None) -> pd.DataFrame:
    names = taxa or [f"t{i}" for i in range(values.shape[1])]
    return pd.DataFrame(values, index=pd.Index([f"s{i}" for i in range(len(values))], name="sample"), columns=names)


def textbook(metric: str, values: np.ndarray) -> float:
    p = [value / values.sum() for value in values if value > 0]
    entropy = -sum(x * math.log(x) for x in p)
    return {
        "richness": len(p),
        "shannon": entropy,
        "simpson": 1 - sum(x * x for x in p),
        "inverse_simpson": 1 / sum(x * x for x in p),
        "pielou": entropy / math.log(len(p)) if len(p) > 1 else math.nan,
        "berger_parker": max(p),
    }[metric]


abundances = hnp.arrays(
    float, st.tuples(st.integers(1, 5), st.integers(1, 8)), elements=st.sampled_from([0, 0, 1e-6, 0.01, 0.3, 1, 7])
).filter(lambda values: (values > 0).any(axis=1).all())


@given(abundances)
def test_textbook(values: np.ndarray) -> None:
    found = alpha(frame_of(values), PLAIN)
    assert list(found) == ["sample", *PLAIN]
    for metric in PLAIN:
        expected = [textbook(metric, row) for row in values]
        np.testing.assert_allclose(found[metric].to_numpy(float), expected, rtol=1e-10, atol=1e-12)


@given(abundances, st.randoms(use_true_random=False))
def test_order_and_scale_do_not_matter(values: np.ndarray, random: object) -> None:
    taxa = list(range(values.shape[1]))
    random.shuffle(taxa)  # type: ignore[attr-defined]
    one, two = alpha(frame_of(values), PLAIN), alpha(frame_of(values[:, taxa] * 3.7), PLAIN)
    pd.testing.assert_frame_equal(one, two, rtol=1e-9, atol=1e-12)


def test_vegan(golden: Path) -> None:
    expected = pd.read_csv(golden / "vegan_alpha.tsv", sep="\t")
    found = alpha(read_frame(golden), PLAIN)
    assert found["sample"].tolist() == expected["sample"].tolist()
    for metric in PLAIN:
        np.testing.assert_allclose(found[metric].to_numpy(float), expected[metric], rtol=0, atol=1e-8, err_msg=metric)


def read_frame(golden: Path) -> pd.DataFrame:
    return pd.read_csv(golden / "vegan_abundance.tsv", sep="\t", index_col=0)


def test_no_profile_is_missing_and_named(caplog: pytest.LogCaptureFixture) -> None:
    frame = frame_of(np.array([[np.nan, np.nan], [0.0, 0.0], [0.5, 0.5]]))
    tree = TreeNode.read(["(t0:1,t1:1);"])
    with caplog.at_level(logging.WARNING):
        found = alpha(frame, ALPHA_METRICS, tree)
    assert found["sample"].tolist() == ["s0", "s1", "s2"]
    assert found.drop(columns="sample").isna().iloc[:2].all(axis=None)
    assert found.drop(columns="sample").notna().iloc[2].all()
    assert "2 samples have no profile" in caplog.text
    assert "s0, s1" in caplog.text


def test_one_taxon_has_no_evenness() -> None:
    found = alpha(frame_of(np.array([[0.0, 1.0]])), PLAIN).iloc[0]
    assert np.isnan(found["pielou"])
    assert (found["richness"], found["shannon"], found["simpson"], found["inverse_simpson"]) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.5, -0.1]], "negative"),
        ([[0.5, np.nan]], "missing"),
        ([[0.5, np.inf]], "infinite"),
    ],
)
def test_bad_cells(values: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        alpha(frame_of(np.array(values)))


def test_all_problems_at_once() -> None:
    frame = frame_of(np.array([[0.5, -0.1], [np.nan, 1.0]]), ["a", "a"])
    with pytest.raises(InputError) as caught:
        alpha(frame)
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError) as caught:
        alpha(frame_of(np.ones((1, 2))), ["shanon", "faith_pd"])
    assert [problem.value for problem in caught.value.problems] == ["shanon", "faith_pd"]


# ------------------------------------------------------------------ Faith's phylogenetic diversity


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_faith_is_the_length_above_the_tips(seed: int, n_tips: int) -> None:
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, [str(i) for i in range(n_tips)])
    taxa = [f"t__SGB{i}" for i in range(n_tips)]
    values = rng.random((4, n_tips)) * (rng.random((4, n_tips)) < 0.5)
    values[0, 0] = 1e-9  # however rare: it is there
    found = alpha(frame_of(values, taxa), ["faith_pd"], TreeNode.read([tree.newick]))
    for row, value in zip(values, found["faith_pd"], strict=True):
        present = {str(i) for i in np.flatnonzero(row)}
        if present:
            assert value == pytest.approx(tree.faith(present), abs=1e-9)
        else:
            assert np.isnan(value)


def test_faith_of_counts_is_scikit_bio() -> None:
    rng = np.random.default_rng(5)
    names = [f"x{i}" for i in range(30)]
    tree = TreeNode.read([random_tree(rng, names, forks=2).newick])
    counts = rng.poisson(0.7, (6, 30))
    found = alpha(frame_of(counts, names), ["faith_pd"], tree)["faith_pd"]
    expected = alpha_diversity("faith_pd", counts, ids=list("abcdef"), taxa=names, tree=tree)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_root_does_not_depend_on_the_other_samples() -> None:
    """A sample's value is the same whatever else stands in the table: the tree is rooted before it is cut down."""
    tree = TreeNode.read(["((((1:1,2:1):1,3:1):4,4:2):1,5:6,6:1);"])
    taxa = [f"t__SGB{i}" for i in range(1, 7)]
    whole = alpha(frame_of(np.eye(6) + np.eye(6, k=1), taxa), ["faith_pd"], tree)["faith_pd"]
    for i in range(6):
        alone = frame_of((np.eye(6) + np.eye(6, k=1))[[i]], taxa)
        assert alpha(alone, ["faith_pd"], tree)["faith_pd"][0] == pytest.approx(whole[i])
        cut = alone.loc[:, (alone > 0).any()]
        assert alpha(cut, ["faith_pd"], tree)["faith_pd"][0] == pytest.approx(whole[i])


def test_unrooted_tree_is_rooted_at_its_midpoint() -> None:
    # The longest path is a-b, 4 long: the root lies on the branch of b, 2 from either.
    found = alpha(
        frame_of(np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1.0]]), ["a", "b", "c"]),
        ["faith_pd"],
        TreeNode.read(["(a:1,b:3,c:1);"]),
    )
    assert found["faith_pd"].tolist() == pytest.approx([2, 2, 3])


def test_unplaced_taxa_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    tree = TreeNode.read(["((1626:1,4933:2)100:1,7:5);"])
    # The branch named 100 (a support value) is not a tip.
    taxa = ["t__SGB1626", "t__SGB4933_group", "t__EUK4932", "t__SGB100", "t__SGB99"]
    values = np.array([[0.5, 0.2, 0.2, 0.1, 0], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0]])
    with caplog.at_level(logging.WARNING):
        found = alpha(frame_of(values, taxa), ["faith_pd"], tree)
    assert found["faith_pd"].tolist()[::2] == pytest.approx([4, 2])
    assert np.isnan(found["faith_pd"][1])
    assert found["faith_unplaced_taxa"].tolist() == [2, 1, 0]
    assert found["faith_unplaced_abundance"].tolist() == pytest.approx([0.3, 1, 0])
    assert "t__EUK4932, t__SGB100, t__SGB99" in caplog.text


def test_deep_tree(tmp_path: Path) -> None:
    """A comb of 5,000 tips: deeper than Python's own stack."""
    depth = 5000
    text = "(" * depth + "0:1" + "".join(f",{i}:1):1" for i in range(1, depth + 1)) + ";"
    (tmp_path / "comb.nwk").write_text(f"({text[:-1]},x:1,y:1);")
    tree = read_tree(tmp_path / "comb.nwk")
    values = np.eye(2)
    rooted = TreeNode.read([f"({text[:-1]},y:1);"])
    assert alpha(frame_of(values, ["t__SGB0", "y"]), ["faith_pd"], rooted)["faith_pd"].tolist() == [depth + 1, 1]
    longest = depth + 1 + 1
    found = alpha(frame_of(values, ["t__SGB0", "y"]), ["faith_pd"], tree)["faith_pd"]
    assert found.tolist() == pytest.approx([longest / 2, longest / 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a Newick tree"),
        ("hello", "not a Newick tree"),
        ("((a:1,b:1):1,c:1", "not a Newick tree"),
        ("(a:x,b:1);", "not a Newick tree"),
        ("(a,b:1);", "1 branches of the tree have no length"),
        ("(a:-1,b:1);", "negative length"),
        ("((a:1,a:1):1,b:1);", "two tips named 'a'"),
        ("a;", "no branches"),
    ],
)
def test_bad_trees(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tree.nwk"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_tree(path)
    assert caught.value.problems[0].file == str(path)


def test_tree_of_other_taxa() -> None:
    with pytest.raises(InputError, match="none of the 2 taxa"):
        alpha(frame_of(np.ones((1, 2)), ["t__SGB1", "t__SGB2"]), ["faith_pd"], TreeNode.read(["(a:1,b:1);"]))


@pytest.mark.real
def test_published_profiles_and_tree(real_data: Path) -> None:
    """65 samples on the tree of 26,931 SGBs, against sums over explicit tip sets."""
    abundance = read_abundance([real_data / "ucfmt1" / "profiles.tsv.gz"])
    tree = read_tree(real_data / "mpa_refs" / "mpa_vJan21_CHOCOPhlAnSGB_202103.nwk.gz")
    found = alpha(abundance, ["richness", "faith_pd"], tree)
    assert len(found) == 65
    assert found["faith_unplaced_taxa"].max() == 1  # Saccharomyces cerevisiae, t__EUK4932
    assert found["faith_pd"].notna().all()
    rooted = tree if len(tree.children) == 2 else tree.root_at_midpoint()
    for sample in (0, 17, 40):
        row = abundance.iloc[sample]
        present = {name.removeprefix("t__SGB").removesuffix("_group") for name in row.index[row > 0]}
        above = set()
        for tip in rooted.tips():
            if tip.name in present:
                above |= {tip, *(node for node in tip.ancestors() if node.parent is not None)}
        assert found["faith_pd"][sample] == pytest.approx(sum(node.length for node in above), rel=1e-12)


def test_an_even_community_is_not_more_than_even() -> None:
    """Rounding carries the ratio above 1 for some numbers of taxa (5, 12, ...), and 1 + 2e-16 is no evenness."""
    frame = pd.DataFrame([[1 / n] * n + [0.0] * (60 - n) for n in range(2, 60)])
    frame = frame.set_axis([f"s{n}" for n in range(2, 60)]).set_axis([f"t{j}" for j in range(60)], axis=1)
    found = alpha(frame, ["pielou"])["pielou"]
    assert found.max() == 1.0
    np.testing.assert_allclose(found, 1.0, rtol=1e-12)
