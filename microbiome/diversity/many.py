"""Distances between thousands of samples, each with a tenth of the taxa: the same numbers, by matrix products and sums.

The definitions, and what a small table is measured by, stand in :mod:`microbiome.diversity.beta`. Values agree to
rounding (some 1e-15): where a difference of large numbers would lose digits, a pair is measured by the definition.
"""

from __future__ import annotations

import numpy as np

__all__ = ["MANY", "bray_curtis", "euclidean", "jaccard"]

#: From more samples than this on these are the quicker way.
MANY = 1000
# Samples at once: bounds the work arrays at some tens of MB.
_BLOCK = 512
# Pairs nearer than this share of their size are measured one by one.
_NEAR = 1e-3


def jaccard(values: np.ndarray) -> np.ndarray:
    """Return 1 - (taxa in both) / (taxa in either) of every two samples, condensed as by ``pdist``."""
    # Counts are whole numbers below 2^24: exact in single precision.
    present = (values > 0).astype(np.float32)
    number = present.sum(axis=1, dtype=float)
    out = np.empty(len(values) * (len(values) - 1) // 2)
    for rows, target in _blocks(len(values)):
        both = (present[rows] @ present[rows.start :].T).astype(float)
        either = number[rows, None] + number[rows.start :] - both
        _put(out, (either - both) / either, target)
    return out


def bray_curtis(values: np.ndarray) -> np.ndarray:
    """Return the sum of |x - y| over the sum of x + y of every two samples, condensed as by ``pdist``.

    :math:`|x - y| = x + y - 2 min(x, y)`, and only taxa that a sample has can have a minimum above 0.
    """
    samples = len(values)
    turned = np.ascontiguousarray(values.T)
    total = values.sum(axis=1)
    out = np.empty(samples * (samples - 1) // 2)
    start = 0
    for i in range(samples - 1):
        stop = start + samples - 1 - i
        own = np.flatnonzero(values[i])
        shared = np.minimum(turned[own, i + 1 :], values[i, own, None]).sum(axis=0)
        size = total[i] + total[i + 1 :]
        part = (size - 2 * shared) / size
        for j in np.flatnonzero(part < _NEAR).tolist():
            part[j] = np.abs(values[i] - values[i + 1 + j]).sum() / (values[i] + values[i + 1 + j]).sum()
        out[start:stop] = part
        start = stop
    return out


def euclidean(values: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of every two rows, condensed as by ``pdist``."""
    squares = np.einsum("ij,ij->i", values, values)
    out = np.empty(len(values) * (len(values) - 1) // 2)
    for rows, target in _blocks(len(values)):
        size = squares[rows, None] + squares[rows.start :]
        squared = size - 2 * (values[rows] @ values[rows.start :].T)
        # A row of the block has its pairs with later samples only.
        for i, j in np.argwhere(np.triu(squared < _NEAR * size, 1)).tolist():
            squared[i, j] = ((values[rows.start + i] - values[rows.start + j]) ** 2).sum()
        _put(out, np.sqrt(np.maximum(squared, 0)), target)
    return out


def _blocks(samples: int) -> list[tuple[slice, int]]:
    """Return blocks of rows, and where the first pair of each stands in the condensed form."""
    starts = range(0, samples, _BLOCK)
    return [(slice(at, min(at + _BLOCK, samples)), at * samples - at * (at + 1) // 2) for at in starts]


def _put(out: np.ndarray, block: np.ndarray, target: int) -> None:
    """Copy what lies right of the diagonal, row by row; `block` begins with the column of its first row."""
    for i, row in enumerate(block):
        pairs = row[i + 1 :]
        out[target : target + len(pairs)] = pairs
        target += len(pairs)
