"""Distances between the strains of samples from the trees of StrainPhlAn: normalised genetic distance (nGD)."""

from __future__ import annotations

import logging
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import skbio

from microbiome.diversity.tree import parse_newick
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text

__all__ = ["ngd", "parse_ngd", "taxon_and_path", "taxon_in", "tip_distances", "total_length"]

logger = logging.getLogger(__name__)

# RAxML_bestTree.t__SGB6751.StrainPhlAn4.tre, t__SGB4933_group.mutation, s__Prevotella_copri.tre, SGB6751.fraction.txt.
_TAXON = re.compile(r"(?:^|[^A-Za-z0-9])((?:[ts]__|SGB(?=\d))[A-Za-z0-9_-]+)")
_FIX = "give a tree of StrainPhlAn: Newick, one tip per sample, a length for every branch"


def taxon_in(path: str | Path) -> str | None:
    """Return the taxon that a file of StrainPhlAn or SameStr is named for; None where the name does not tell.

    ``RAxML_bestTree.t__SGB6751.StrainPhlAn4.tre`` is of ``t__SGB6751``, and so is ``SGB6751.mutation``.
    """
    found = _TAXON.search(Path(path).name)
    if found is None:
        return None
    return f"t__{found[1]}" if found[1].startswith("SGB") else found[1]


def taxon_and_path(argument: str | Path) -> tuple[str | None, Path]:
    """Take apart ``FILE`` or ``TAXON=FILE``; the taxon of a plain file is the one in its name, or None.

    A file whose own name has a ``=`` in it is taken as it is when it exists.
    """
    taxon, equals, path = str(argument).partition("=")
    if equals and taxon and path and "/" not in taxon and not Path(argument).exists():
        return taxon, Path(path)
    return taxon_in(argument), Path(argument)


def tip_distances(tree: skbio.TreeNode) -> tuple[list[str], np.ndarray]:
    """Patristic distances: summed length of the branches between two tips.

    Parameters
    ----------
    tree
        Every branch has a length >= 0; any number of children per node. How the tree is rooted plays no part.

    Returns
    -------
    names
        Of the tips, in their order in the tree.
    distances
        Tips x tips, symmetric, 0 on the diagonal, in the unit of the tree.

    Notes
    -----
    At a node, the tips below one child are as far from those below another as both are from the node: an outer sum,
    which fills every cell once, O(tips^2). Only lengths are added up and nothing is taken off, so that tips without
    length between them are at a distance of exactly 0.
    """
    names: list[str] = []
    first: dict[int, int] = {}  # node -> position of the first tip below it
    total = sum(1 for _ in tree.tips(include_self=True))
    up = np.zeros(total)  # tip -> its distance from the node in hand
    distances = np.zeros((total, total))
    for node in tree.postorder(include_self=True):
        if not node.children:
            first[id(node)] = len(names)
            names.append(str(node.name))
        else:
            start = first[id(node)] = first[id(node.children[0])]
            ends = [first[id(child)] for child in node.children[1:]] + [len(names)]
            for low, high in pairwise(ends):
                # The tips of one child against those of all children before it.
                block = up[low:high, None] + up[None, start:low]
                distances[low:high, start:low] = block
                distances[start:low, low:high] = block.T
        up[first[id(node)] : len(names)] += node.length or 0.0
    return names, distances


def total_length(tree: skbio.TreeNode) -> float:
    """Return the summed length of all branches, with that above the root where the tree has one."""
    return float(sum(node.length or 0.0 for node in tree.traverse(include_self=True)))


def parse_ngd(text: str, taxon: str, file: str = "") -> pd.DataFrame:
    """Normalised genetic distances of all pairs of tips of a Newick text; see :func:`ngd`."""
    tree = parse_newick(text, file, _FIX)
    tips = [tip.name for tip in tree.tips(include_self=True)]
    lengths = [node.length for node in tree.traverse(include_self=False)]
    problems = [
        Problem(f"the tree has two tips named {name!r}", "keep one", file, value=str(name))
        for name, number in Counter(tips).items()
        if name and number > 1
    ]
    if not all(tips):
        problems.append(Problem("the tree has a tip without a name", _FIX, file))
    absent = sum(length is None for length in lengths)
    if absent:
        problems.append(Problem(f"{absent} branches of the tree have no length", _FIX, file))
    if any(length is not None and not 0 <= length < np.inf for length in [*lengths, tree.length]):
        problems.append(Problem("a branch of the tree has a negative or infinite length", _FIX, file))
    raise_problems(problems)
    names, distances = tip_distances(tree)
    total = total_length(tree)
    if len(names) < 2:
        logger.warning("%s: the tree of %s has one tip, and so no pair", file, taxon)
    if total == 0 and len(names) > 1:
        logger.warning("%s: all branches of the tree of %s have length 0: its distances are missing", file, taxon)
    # Sorted by name, so that the rows do not depend on how the program happened to turn the branches.
    order = np.argsort(np.array(names, dtype=object))
    by_name = np.array(names, dtype=object)[order]
    one, two = np.triu_indices(len(names), k=1)
    patristic = distances[order[one], order[two]]
    frame = pd.DataFrame(
        {
            "taxon": taxon,
            "sample_1": by_name[one],
            "sample_2": by_name[two],
            "distance": patristic / total if total > 0 else np.nan,
            "method": "ngd",
            "note": None if total > 0 else "all branches of the tree have length 0",
        },
        index=pd.RangeIndex(len(one)),
    )
    return frame.astype(dict.fromkeys(("taxon", "sample_1", "sample_2", "method", "note"), object))


def ngd(path: str | Path, taxon: str | None = None) -> pd.DataFrame:
    """Normalised genetic distance (nGD) of all pairs of samples in a tree of StrainPhlAn.

    nGD = patristic distance of two tips / total branch length of the tree, in 0..1. It is relative to the samples that
    happen to be in the tree: with further samples the same two strains get another value, and StrainPhlAn leaves
    invariant positions out, so that it is no number of differences per site.

    Parameters
    ----------
    path
        Newick, plain, gzip or bzip2. One tip per sample, named as the sample; every branch has a length >= 0.
    taxon
        Of the tree; None takes it from the name of the file (:func:`taxon_in`).

    Returns
    -------
    DataFrame
        ``taxon``, ``sample_1`` < ``sample_2``, ``distance``, ``method`` (``ngd``), ``note``; n (n - 1) / 2 rows,
        sorted. A tree of one tip has none; where all branches have length 0 the distance is missing (0 / 0) and
        ``note`` says so.

    Raises
    ------
    InputError
        The file is not Newick, its taxon is unknown, a tip has no name or that of another, or a branch has no length or
        a negative one.

    References
    ----------
    Valles-Colomer et al. 2023, 10.1038/s41586-022-05620-1. Values are those of ``strain_transmission.py`` of MetaPhlAn
    4 (``--save_dist``), which counts a branch above the root in the total as well.
    """
    taxon = taxon or taxon_in(path)
    if taxon is None:
        raise InputError(Problem("the name of the file does not tell its taxon", "give it as TAXON=FILE", str(path)))
    return parse_ngd(open_text(path), taxon, str(path))
