"""nGD from trees: against the definition, scikit-bio and MetaPhlAn's strain_transmission.py."""

from __future__ import annotations

import gzip
import itertools
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skbio
from hypothesis import given
from hypothesis import strategies as st
from phylogeny import Tree, random_tree

from microbiome.diversity.tree import parse_newick
from microbiome.errors import InputError
from microbiome.strains.trees import ngd, parse_ngd, taxon_and_path, taxon_in, tip_distances, total_length


@st.composite
def trees(draw: st.DrawFn) -> tuple[Tree, list[str]]:
    """Random trees with polytomies and, now and then, branches of length 0."""
    names = [f"S{number}" for number in range(draw(st.integers(2, 12)))]
    return random_tree(np.random.default_rng(draw(st.integers(0, 2**32))), names, draw(st.integers(2, 5))), names


def as_dict(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    return {
        (one, two): value for one, two, value in frame[["sample_1", "sample_2", "distance"]].itertuples(index=False)
    }


@given(trees())
def test_definition(case: tuple[Tree, list[str]]) -> None:
    tree, names = case
    found = as_dict(parse_ngd(tree.newick, "t__SGB1"))
    total = sum(length for _, length in tree.branches)
    assert set(found) == set(itertools.combinations(sorted(names), 2))
    for (one, two), value in found.items():
        # The branches between two tips are those with one of them below and the other not.
        patristic = sum(length for tips, length in tree.branches if (one in tips) != (two in tips))
        assert value == pytest.approx(patristic / total, rel=1e-12, abs=1e-15)


@given(trees())
def test_as_scikit_bio_and_however_it_is_rooted(case: tuple[Tree, list[str]]) -> None:
    tree = skbio.TreeNode.read([case[0].newick])
    names, distances = tip_distances(tree)
    np.testing.assert_allclose(distances, tree.cophenet().filter(names).data, rtol=1e-12, atol=1e-15)
    if len(names) > 3:
        rooted = tree.root_at_midpoint()
        again, others = tip_distances(rooted)
        frame = pd.DataFrame(others, again, again).loc[names, names]
        np.testing.assert_allclose(frame, distances, rtol=1e-9, atol=1e-12)
        assert total_length(rooted) == pytest.approx(total_length(tree), rel=1e-12)


def test_worked_example() -> None:
    # A polytomy at the root, a support value, a quoted name, tips without distance; 0.5 + 1.5 + 0 + 0 + 1 + 1 = 4.
    text = "((B:0.5,'C-1':1.5)98:0,D:0,A:1,E:1);"
    found = as_dict(parse_ngd(text, "t__SGB1"))
    assert found == {
        ("A", "B"): 1.5 / 4,
        ("A", "C-1"): 2.5 / 4,
        ("A", "D"): 1 / 4,
        ("A", "E"): 2 / 4,
        ("B", "C-1"): 2 / 4,
        ("B", "D"): 0.5 / 4,
        ("B", "E"): 1.5 / 4,
        ("C-1", "D"): 1.5 / 4,
        ("C-1", "E"): 2.5 / 4,
        ("D", "E"): 1 / 4,
    }


def test_names_stay_as_they_are() -> None:
    frame = parse_ngd("(007:1,1e5:2,S_1.x:3,NA:1);", "t__SGB1")
    assert set(frame["sample_1"]) | set(frame["sample_2"]) == {"007", "1e5", "S_1.x", "NA"}


def test_identical_strains_are_at_zero() -> None:
    """Lengths are added, never taken off: deep below a long branch 0 stays 0."""
    frame = parse_ngd("(((A:0,B:0):0.1234567,C:0.3):7.7,D:0.1);", "t__SGB1")
    assert as_dict(frame)["A", "B"] == 0


@pytest.mark.parametrize("text", ["A:0.1;", "(A:0.1);", "((A:1):1):1;"])
def test_single_tip(text: str) -> None:
    frame = parse_ngd(text, "t__SGB1")
    assert len(frame) == 0
    assert list(frame.columns) == ["taxon", "sample_1", "sample_2", "distance", "method", "note"]


def test_all_lengths_zero() -> None:
    frame = parse_ngd("(A:0,B:0,C:0);", "t__SGB1")
    assert len(frame) == 3
    assert frame["distance"].isna().all()
    assert frame["note"].eq("all branches of the tree have length 0").all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("((A:1,B):1,C:1);", "1 branches of the tree have no length"),
        ("((A:1,B:1),C:1);", "1 branches of the tree have no length"),
        ("(A:1,B:-0.1,C:1);", "negative"),
        ("(A:1,A:2,C:1);", "two tips named 'A'"),
        ("(A:1,:2,C:1);", "a tip without a name"),
        ("(A:1,B:2", "not a Newick tree"),
        ("", "not a Newick tree"),
    ],
)
def test_bad_trees(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "RAxML_bestTree.t__SGB7.StrainPhlAn4.tre"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        ngd(path)
    assert all(problem.file == str(path) for problem in caught.value.problems)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "RAxML_bestTree.t__SGB4933_group.StrainPhlAn4.tre.gz"
    path.write_bytes(gzip.compress(b"(A:1,B:2,C:1);\n"))
    assert set(ngd(path)["taxon"]) == {"t__SGB4933_group"}
    other = tmp_path / "tree.nwk"
    other.write_text("(A:1,B:2,C:1);\n")
    assert set(ngd(other, "mine")["taxon"]) == {"mine"}
    with pytest.raises(InputError, match="TAXON=FILE"):
        ngd(other)


@pytest.mark.parametrize(
    ("name", "taxon"),
    [
        ("RAxML_bestTree.t__SGB6751.StrainPhlAn4.tre", "t__SGB6751"),
        ("RAxML_bestTree.t__SGB6751.StrainPhlAn4.tre.dist", "t__SGB6751"),
        ("RAxML_bestTree.s__Prevotella_copri.StrainPhlAn3.tre", "s__Prevotella_copri"),
        ("t__SGB4933_group.mutation", "t__SGB4933_group"),
        ("SGB15.fraction.txt", "t__SGB15"),
        ("tree.nwk", None),
        ("t__SGB1/tree.nwk", None),
    ],
)
def test_taxon_in(name: str, taxon: str | None) -> None:
    assert taxon_in(name) == taxon


def test_taxon_and_path(tmp_path: Path) -> None:
    assert taxon_and_path("t__SGB1=a/b.tre") == ("t__SGB1", Path("a/b.tre"))
    assert taxon_and_path("a/t__SGB2.tre") == ("t__SGB2", Path("a/t__SGB2.tre"))
    assert taxon_and_path("folder/x=1/t__SGB2.tre") == ("t__SGB2", Path("folder/x=1/t__SGB2.tre"))
    odd = tmp_path / "day=3.t__SGB3.tre"
    odd.touch()
    assert taxon_and_path(odd) == ("t__SGB3", odd)


@pytest.mark.real
def test_published_tree(real_data: Path) -> None:
    """276 values of MetaPhlAn 4.2.5's strain_transmission.py."""
    folder = real_data / "strain_transmission"
    expected = {
        (min(one, two), max(one, two)): float(value)
        for one, two, value in (line.split("\t") for line in (folder / "tree.nwk.dist").read_text().splitlines())
    }
    found = as_dict(ngd(folder / "tree.nwk", "t__SGB1"))
    assert len(found) == 276
    assert set(found) == set(expected)
    assert max(abs(found[pair] - expected[pair]) for pair in expected) < 1e-12


@pytest.mark.tools
def test_strain_transmission(tmp_path: Path) -> None:
    """The real program on fresh trees: many tips, polytomies, short branches, a branch above the root."""
    rng = np.random.default_rng(5)
    tree = random_tree(rng, [f"S{number:02}" for number in range(40)], 4).newick
    texts = {"t__SGB1": tree, "t__SGB2": tree.removesuffix(";") + ":0.75;", "t__SGB3": "((A:1e-6,B:0):2,C:1e-6,D:1);"}
    for taxon, text in texts.items():
        path = tmp_path / f"RAxML_bestTree.{taxon}.StrainPhlAn4.tre"
        path.write_text(text)
        metadata = tmp_path / "metadata.tsv"
        tips = [tip.name for tip in parse_newick(text).tips()]
        rows = [f"{tip}\tP{place}\tF{place}\t0" for place, tip in enumerate(tips)]
        metadata.write_text("\n".join(["sample\tsubject\trelation\ttimepoint", *rows]) + "\n")
        command = ["strain_transmission.py", "-t", str(path), "-m", str(metadata), "-o", str(tmp_path), "--save_dist"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = [line.split("\t") for line in Path(f"{path}.dist").read_text().splitlines()]
        expected = {(one, two): float(value) for one, two, value in lines}
        found = as_dict(ngd(path))
        assert set(found) == set(expected)
        assert max(abs(found[pair] - expected[pair]) for pair in expected) < 1e-12
