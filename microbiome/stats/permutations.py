"""Restricted permutations: which labels may change places, how many arrangements there are, and drawing them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Design", "restrict"]

# Labels per piece of arrangements: bounds the memory that what is computed from them takes to some 50 MB.
_PIECE = 1 << 20


@dataclass(frozen=True)
class Design:
    """Units whose labels may change places.

    Parameters
    ----------
    scheme
        ``free`` (all samples), ``within strata`` (samples of one stratum), ``whole strata`` (each stratum keeps one
        label for all its samples, and strata change labels).
    unit
        Unit of each sample: the sample itself, or its stratum with ``whole strata``.
    labels
        Label of each unit as observed, 0, 1, ....
    blocks
        Positions of the units that exchange labels with one another.
    arrangements
        How many different arrangements of the labels the scheme allows, the observed one included. Exact.
    equivalent
        How many of them the observed one cannot be told from: those that only rename groups (or turn a number
        around), and therefore always give the same statistic.
    """

    scheme: str
    unit: np.ndarray
    labels: np.ndarray
    blocks: tuple[np.ndarray, ...]
    arrangements: int
    equivalent: int

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that any data could give, all arrangements being looked at."""
        return self.equivalent / self.arrangements

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Return `size` random arrangements (rows; units in columns), each with the same probability."""
        drawn = np.tile(self.labels, (size, 1))
        for block in self.blocks:
            drawn[:, block] = rng.permuted(drawn[:, block], axis=1)
        return drawn

    def every(self, size: int) -> Iterator[np.ndarray]:
        """Yield all arrangements, each once, in pieces of at most `size` (rows; units in columns)."""
        orders = [list(_arrange(sorted(self.labels[block].tolist()))) for block in self.blocks]
        choices = itertools.product(*orders)
        while piece := list(itertools.islice(choices, size)):
            rows = np.tile(self.labels, (len(piece), 1))
            for row, choice in zip(rows, piece, strict=True):
                for block, labels in zip(self.blocks, choice, strict=True):
                    row[block] = labels
            yield rows

    def exact(self, permutations: int) -> bool:
        """Tell whether `permutations` suffice to look at all arrangements (the observed one is free)."""
        return self.arrangements <= permutations + 1

    def pieces(self, permutations: int, seed: int) -> Iterator[np.ndarray]:
        """Yield in pieces all arrangements, where :meth:`exact`, else as many random ones as `permutations`."""
        size = max(1, _PIECE // max(1, len(self.labels)))
        if self.exact(permutations):
            yield from self.every(size)
            return
        rng = np.random.default_rng(seed)
        for start in range(0, permutations, size):
            yield self.draw(rng, min(size, permutations - start))

    def separates(self, persons: np.ndarray) -> bool:
        """Tell whether samples of one person can take labels from other persons one by one, as if independent.

        Parameters
        ----------
        persons
            Whose each sample is.
        """
        units = pd.DataFrame({"unit": self.unit, "person": persons}).drop_duplicates()
        spread = units["person"].duplicated().any()
        mixed = any(len(set(units.loc[units["unit"].isin(block), "person"])) > 1 for block in self.blocks)
        return bool(spread and mixed)


def restrict(labels: np.ndarray, strata: np.ndarray | None = None, levels: np.ndarray | None = None) -> Design:
    """Choose what may be permuted for a factor with these labels.

    Parameters
    ----------
    labels
        Label of each sample, 0, 1, ...
    strata
        Stratum of each sample, 0, 1, ...; None for none. Where the factor is constant within **every** stratum (a
        property of the subject, such as its arm) the strata as wholes exchange labels, however many samples each has.
        Otherwise labels are exchanged within each stratum, and strata in which the factor does not vary stay as they
        are.
    levels
        For a number: the value that each label stands for (ascending).

    Returns
    -------
    Design
        The scheme with its exact number of arrangements.
    """
    samples = np.arange(len(labels))
    if strata is None:
        scheme, unit, unit_labels, groups = "free", samples, labels, [samples]
    else:
        members = [np.flatnonzero(strata == stratum) for stratum in range(strata.max(initial=-1) + 1)]
        if all((labels[member] == labels[member[0]]).all() for member in members):
            scheme, unit = "whole strata", strata
            unit_labels = np.array([labels[member[0]] for member in members], dtype=labels.dtype)
            groups = [np.arange(len(members))]
        else:
            scheme, unit, unit_labels, groups = "within strata", samples, labels, members
    table = np.array([np.bincount(unit_labels[group], minlength=labels.max(initial=-1) + 1) for group in groups])
    arrangements = math.prod(_multinomial(counts) for counts in table.tolist())
    blocks = tuple(group for group, counts in zip(groups, table, strict=True) if (counts > 0).sum() > 1)
    equivalent = _renamings(table) if levels is None else _reflections(table, levels)
    return Design(scheme, unit, unit_labels, blocks, arrangements, equivalent)


def _multinomial(counts: Sequence[int]) -> int:
    total, ways = 0, 1
    for count in counts:
        total += count
        ways *= math.comb(total, count)
    return ways


def _renamings(table: np.ndarray) -> int:
    """Count the permutations of the group names under which every block (row) keeps its counts."""
    _, alike = np.unique(table, axis=1, return_counts=True)
    return math.prod(math.factorial(int(count)) for count in alike)


def _reflections(table: np.ndarray, levels: np.ndarray) -> int:
    """Return 2 where turning numbers around (x -> smallest + largest - x) leaves every block its values, else 1."""
    turned = levels[0] + levels[-1] - levels[::-1]
    same = (
        np.allclose(turned, levels, rtol=0, atol=1e-12 * float(np.ptp(levels) or 1)) and (table == table[:, ::-1]).all()
    )
    return 2 if same and len(levels) > 1 else 1


def _arrange(labels: list[int]) -> Iterator[list[int]]:
    """Yield the different orders of sorted `labels`, each once, in lexicographic order."""
    labels = list(labels)
    while True:
        yield list(labels)
        rise = len(labels) - 2
        while rise >= 0 and labels[rise] >= labels[rise + 1]:
            rise -= 1
        if rise < 0:
            return
        swap = len(labels) - 1
        while labels[swap] <= labels[rise]:
            swap -= 1
        labels[rise], labels[swap] = labels[swap], labels[rise]
        labels[rise + 1 :] = labels[:rise:-1]
