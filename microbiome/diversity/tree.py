"""Phylogenetic trees of SGBs: reading, rooting, and the abundance below each branch."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import skbio

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text

__all__ = ["Placed", "parse_newick", "place", "read_tree", "tips_of"]

logger = logging.getLogger(__name__)

# MetaPhlAn's trees name a tip by the bare number of its SGB: 4933 for t__SGB4933_group.
_SGB = re.compile(r"(?:t__)?SGB(\d+)(?:_group)?")


@dataclass(frozen=True)
class Placed:
    """A profile laid upon a tree.

    Parameters
    ----------
    branches
        samples x branches: summed abundance of the taxa below the branch. Only branches above a taxon of the profile
        are kept, and unbranched chains of them are one branch.
    lengths
        Length per branch, in the unit of the tree.
    depths
        Distance from the root to the lower end of each branch that ends in a tip, 0 for the others.
    total
        Per sample, the summed abundance of the placed taxa.
    unplaced
        Taxa of the profile that are no tips of the tree.
    unplaced_taxa
        Per sample, how many of them are present.
    unplaced_abundance
        Per sample, their summed abundance, in the unit of the profile.
    """

    branches: np.ndarray
    lengths: np.ndarray
    depths: np.ndarray
    total: np.ndarray
    unplaced: tuple[str, ...]
    unplaced_taxa: np.ndarray
    unplaced_abundance: np.ndarray

    def only(self, samples: np.ndarray) -> Placed:
        """Return the profile of the chosen samples (mask or positions)."""
        return replace(
            self,
            branches=self.branches[samples],
            total=self.total[samples],
            unplaced_taxa=self.unplaced_taxa[samples],
            unplaced_abundance=self.unplaced_abundance[samples],
        )

    def log_unplaced(self) -> None:
        """Say which taxa are left out, and how much of a sample they are at most."""
        if self.unplaced:
            logger.warning(
                "%d of the taxa of the profile are no tips of the tree and are left out of the phylogenetic measures "
                "(at most %.3g of a sample's abundance): %s",
                len(self.unplaced),
                self.unplaced_abundance.max(initial=0.0),
                ", ".join(self.unplaced),
            )


def read_tree(path: str | Path) -> skbio.TreeNode:
    """Read a Newick tree, plain or gzip, and root it.

    Parameters
    ----------
    path
        Newick. Every tip has a name of its own, every branch a length >= 0.

    Returns
    -------
    skbio.TreeNode
        Rooted: a tree whose outermost node has two children is taken as it is; one with more is unrooted by Newick's
        convention and is rooted at its midpoint (so comes MetaPhlAn's vJan21 tree; its vJun23 tree is midpoint-rooted
        already). It is done on the whole tree, before any taxon is left out, so that no value depends on which samples
        stand in one table.

    Raises
    ------
    InputError
        The file is not Newick, a tip name stands twice, a branch has no length or a negative one.
    """
    name = str(path)
    tree = parse_newick(open_text(path), name, "give the tree of the marker database")
    return _rooted(tree, name)


def parse_newick(text: str, file: str = "", fix: str = "give a Newick tree") -> skbio.TreeNode:
    """Return the tree of a Newick text as it stands: not rooted, lengths that are absent None.

    Raises :class:`InputError` with `file` and `fix` when the text is not Newick.
    """
    try:
        with warnings.catch_warnings():
            # scikit-bio warns that the file does not look like Newick, and then raises.
            warnings.simplefilter("ignore")
            return skbio.TreeNode.read(io.StringIO(text), format="newick", convert_underscores=False)
    except Exception as error:  # scikit-bio raises several kinds for a malformed file; none of them is a bug here.
        raise InputError(Problem(f"not a Newick tree ({error})", fix, file)) from None


def tips_of(taxa: Iterable[str], tips: Iterable[str]) -> dict[str, str]:
    """Return the tip of each taxon that has one.

    A taxon has the tip of its own name, else, for an SGB (``t__SGB1626``, ``t__SGB4933_group``), the tip named by the
    bare number (``1626``, ``4933``). Eukaryotes (``t__EUK...``) are not in the SGB trees.
    """
    known = set(tips)
    found: dict[str, str] = {}
    for taxon in taxa:
        sgb = _SGB.fullmatch(taxon)
        if taxon in known:
            found[taxon] = taxon
        elif sgb and sgb[1] in known:
            found[taxon] = sgb[1]
    return found


def place(values: np.ndarray, taxa: Iterable[str], tree: skbio.TreeNode) -> Placed:
    """Lay a profile upon a tree.

    Parameters
    ----------
    values
        samples x taxa, >= 0.
    taxa
        Names of the columns. Two taxa of one tip are added up.
    tree
        With branch lengths; rooted as :func:`read_tree` does when it is not.

    Raises
    ------
    InputError
        As :func:`read_tree`, or no taxon of the profile is a tip of the tree.
    """
    taxa = list(taxa)
    index = _rooted(tree).to_array(nan_length_value=0.0)
    parent = np.full(len(index["id"]), -1)
    for node, first, last in index["child_index"]:
        parent[first : last + 1] = node
    inner = set(index["child_index"][:, 0].tolist())  # they may bear names too: support values, for example
    tip_id = {name: number for number, name in enumerate(index["name"]) if name is not None and number not in inner}
    tips = tips_of(taxa, tip_id)
    if taxa and not tips:
        raise InputError(
            Problem(
                f"none of the {len(taxa)} taxa (the first is {taxa[0]!r}) is a tip of the tree",
                "give the tree of the database the profiles were made with; its tips are SGB numbers",
            )
        )
    ids, lengths, depths, up = _backbone({tip_id[tip] for tip in tips.values()}, parent, index["length"])
    row = {node: position for position, node in enumerate(ids)}
    branches = np.zeros((len(ids), len(values)))
    for column, taxon in enumerate(taxa):
        if taxon in tips:
            branches[row[tip_id[tips[taxon]]]] += values[:, column]
    for position, above in enumerate(up):
        if above >= 0:
            branches[above] += branches[position]
    out = np.array([taxon not in tips for taxon in taxa], dtype=bool)
    unplaced = values[:, out]
    return Placed(
        branches.T,
        lengths,
        depths,
        values[:, ~out].sum(axis=1),
        tuple(taxon for taxon in taxa if taxon not in tips),
        (unplaced > 0).sum(axis=1),
        unplaced.sum(axis=1),
    )


def _backbone(
    tips: set[int], parent: np.ndarray, length: np.ndarray
) -> tuple[list[int], np.ndarray, np.ndarray, np.ndarray]:
    """Return the branches above `tips`, children before parents: node, length, depth of tips, position of the parent.

    Node numbers are scikit-bio's: postorder, so that a parent's is larger than its children's; the root is the last.
    """
    root = len(parent) - 1
    children: dict[int, int] = {}
    kept: set[int] = set()
    for node in tips:
        while node != root and node not in kept:
            kept.add(node)
            above = int(parent[node])
            children[above] = children.get(above, 0) + 1
            node = above
    # A node with one kept child adds nothing but length: only tips and forks (and the children of the root) are
    # branches.
    forks = sorted(node for node in kept if node in tips or children.get(node, 0) > 1)
    position = {node: place for place, node in enumerate(forks)}
    lengths = np.zeros(len(forks))
    up = np.full(len(forks), -1)
    for place_, node in enumerate(forks):
        at = node
        while at != root:
            lengths[place_] += length[at]
            at = int(parent[at])
            if at in position:
                up[place_] = position[at]
                break
    depths = lengths.copy()
    for place_ in range(len(forks) - 1, -1, -1):
        if up[place_] >= 0:
            depths[place_] += depths[up[place_]]
    return forks, lengths, np.where(np.isin(forks, list(tips)), depths, 0.0), up


def _rooted(tree: skbio.TreeNode, file: str = "") -> skbio.TreeNode:
    """Check names and lengths of `tree` and return it rooted (see :func:`read_tree`)."""
    problems: list[Problem] = []
    lengths = [(node.name, node.length) for node in tree.traverse(include_self=False)]
    absent = sum(length is None for _, length in lengths)
    negative = sum(length is not None and length < 0 for _, length in lengths)
    endless = sum(length is not None and not abs(length) < np.inf for _, length in lengths)
    if not lengths:
        problems.append(Problem("the tree has no branches", "give a tree of the taxa", file))
    if absent:
        problems.append(
            Problem(f"{absent} branches of the tree have no length", "give a tree with branch lengths", file)
        )
    if negative:
        problems.append(Problem(f"{negative} branches of the tree have a negative length", "mend the tree", file))
    if endless:
        problems.append(Problem(f"{endless} branches of the tree have no finite length", "mend the tree", file))
    tips = pd.Series([tip.name for tip in tree.tips()], dtype=object)
    if tips.isna().any():
        problems.append(Problem(f"{tips.isna().sum()} tips of the tree have no name", "mend the tree", file))
    for name in tips[tips.duplicated() & tips.notna()].unique():
        problems.append(Problem(f"the tree has two tips named {name!r}", "keep one", file, value=str(name)))
    raise_problems(problems)
    if len(tree.children) <= 2:
        return tree
    logger.info(
        "the tree has %d branches at its outermost node, which means unrooted: rooted at its midpoint",
        len(tree.children),
    )
    rooted = tree.root_at_midpoint()
    rooted.length = None
    return rooted
