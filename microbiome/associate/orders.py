"""Orders in which subjects change places: all of them, or random ones that depend on their number only."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microbiome.stats.permutations import restrict

__all__ = ["Orders", "orders"]


@dataclass(frozen=True)
class Orders:
    """Arrangements of n subjects: rows of positions."""

    rows: np.ndarray
    exact: bool
    floor: float

    @cached_property
    def inverse(self) -> np.ndarray:
        """The orders that undo them."""
        found = np.empty_like(self.rows)
        np.put_along_axis(found, self.rows.astype(np.intp), np.arange(self.rows.shape[1], dtype=found.dtype)[None], 1)
        return found


def orders(n: int, strata: np.ndarray | None, permutations: int, seed: int, labels: np.ndarray | None = None) -> Orders:
    """Return the orders in which subjects take the places 0 to n - 1.

    All of them where there are at most ``permutations + 1``, else as many random ones as `permutations`, which depend
    on `seed`, `n` and the sizes of the strata only: every pair of columns with the same n sees the same.

    Parameters
    ----------
    n
        Subjects.
    strata
        Stratum of each; places change within strata only.
    permutations, seed
        Of the random orders.
    labels
        Group of each subject, 0 and 1, where one of the columns is that: orders that give the same labels are one.
    """
    blocks = [np.arange(n)] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]
    if labels is None:
        number = math.prod(math.factorial(len(block)) for block in blocks)
        floor = (2 if strata is None else 1) / number if n > 1 else 1.0
    else:
        designs = [restrict(labels[block]) for block in blocks]
        number = math.prod(design.arrangements for design in designs)
        floor = designs[0].smallest_p if strata is None else 1 / number
    kind = np.int16 if n < 2**15 else np.int32
    if number <= permutations + 1:
        choices = [_all_orders(block, labels) for block in blocks]
        rows = np.empty((number, n), dtype=kind)
        for row, choice in zip(rows, itertools.product(*choices), strict=True):
            for block, order in zip(blocks, choice, strict=True):
                row[block] = order
        return Orders(rows, True, min(1.0, floor))
    rng = np.random.default_rng([seed, *(len(block) for block in blocks)])
    rows = np.tile(np.arange(n, dtype=kind), (permutations, 1))
    for block in blocks:
        rows[:, block] = rng.permuted(rows[:, block], axis=1)
    return Orders(rows, False, max(min(1.0, floor), 1 / (permutations + 1)))


def _all_orders(block: np.ndarray, labels: np.ndarray | None) -> list[tuple[int, ...]]:
    if labels is None:
        return list(itertools.permutations(block.tolist()))
    own = labels[block]
    found = []
    for arrangement in next(restrict(own).every(1 << 30), [own]):
        order = np.empty(len(block), dtype=np.int64)
        for label in np.unique(own):
            order[np.asarray(arrangement) == label] = block[own == label]
        found.append(tuple(order.tolist()))
    return found
