"""Who is held out together, so that nobody learnt from is tested."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.donors.tables import CVS
from microbiome.seeds import stream

__all__ = ["JOIN", "blocks", "folds"]

#: Between the donors of one recipient, and the names in a block.
JOIN = " + "

_FOLDS = 5
# With more donors each is not held out by itself any more: that would take as many models.
_MOST_FOLDS = 20


def blocks(rows: pd.DataFrame, cv: str) -> pd.Series:
    """Return the block of each row: what must not be parted.

    ``subject``: the subject. ``donor``: all subjects linked by donors (a recipient of two donors links both).
    ``cohort``: all subjects linked by cohort or donor.

    Returns
    -------
    Series of str
        The block, named by the donors or cohorts in it, joined by `` + ``; same index.
    """
    if cv not in CVS:
        raise ValueError(f"no cross-validation is named {cv}; there are {', '.join(CVS)}")
    if cv == "subject":
        return rows["subject"].astype(str)
    people = rows[["cohort", "subject", "donor"]].drop_duplicates()
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for cohort, subject, donors in people.itertuples(index=False):
        links = [("donor", name) for name in donors.split(JOIN)] + ([("cohort", cohort)] if cv == "cohort" else [])
        for link in links:
            parent[root(link)] = root(("subject", subject))
    members: dict[tuple[str, str], list[str]] = {}
    for node in sorted(parent):
        if node[0] == cv:
            members.setdefault(root(node), []).append(node[1])
    name = {subject: JOIN.join(members[root(("subject", subject))]) for subject in people["subject"]}
    return rows["subject"].map(name)


def folds(rows: pd.DataFrame, cv: str, seed: int = 0) -> pd.Series:
    """Return the fold in which each row is tested.

    One per block of :func:`blocks`; of more than twenty blocks of donors or cohorts ten, of even size, to which the
    blocks are dealt at random; subjects are dealt into at most five.
    """
    block = blocks(rows, cv)
    names = np.array(sorted(block.unique()), dtype=object)
    if cv != "subject" and len(names) <= _MOST_FOLDS:
        return block
    stream(seed, "match", "folds").shuffle(names)
    folds = _FOLDS if cv == "subject" else _MOST_FOLDS // 2
    number = {name: f"{place % folds + 1:0{len(str(folds))}d}" for place, name in enumerate(names)}
    return block.map(number)
