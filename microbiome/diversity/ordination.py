"""Ordination of distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import skbio
from scipy.linalg import eigh, eigh_tridiagonal, eigvalsh_tridiagonal, lapack

from microbiome.errors import InputError, Problem

__all__ = ["Ordination", "gower", "ordinate"]

_MOST_AXES = 1000
# Up to so many samples all eigenvectors are found at once.
_SMALL = 1000
# An eigenvalue below this share of the largest is rounding error.
_ZERO = 1e-10
# Coordinates this close to the largest count as equal to it when the sign of an axis is chosen.
_SIGN = 1e-6


@dataclass(frozen=True)
class Ordination:
    """Samples in the space of the first principal coordinates.

    Parameters
    ----------
    coordinates
        One row per sample, in the order of the matrix: ``sample``, ``axis_1``, ``axis_2``, ...; unit of the distance.
    explained
        Per axis, its eigenvalue over the sum of the positive ones, 0..1.
    negative_eigenvalues
        How many eigenvalues are below 0.
    negative_share
        Their sum (sign turned) over the sum of the positive ones: how far the distances are from Euclidean, 0..1.
    """

    coordinates: pd.DataFrame
    explained: pd.Series
    negative_eigenvalues: int
    negative_share: float

    def comments(self) -> list[str]:
        """Say in words what a table of the coordinates needs beside it."""
        fractions = " ".join(f"{axis}={value:.6g}" for axis, value in self.explained.items())
        return [
            f"explained: {fractions}",
            "explained is the eigenvalue over the sum of the positive eigenvalues; "
            f"{self.negative_eigenvalues} negative eigenvalues, together {self.negative_share:.6g} of that sum, "
            "are left out",
        ]


def ordinate(distances: skbio.DistanceMatrix, axes: int = 10) -> Ordination:
    r"""Principal coordinates analysis (PCoA, classical scaling).

    Eigenvectors of :math:`G = -\tfrac12 J D^{(2)} J` (squared distances, centred by rows and columns), each times the
    square root of its eigenvalue. Where no eigenvalue is negative, the Euclidean distance of two samples over all
    axes is their distance.

    Parameters
    ----------
    distances
        Any distance matrix.
    axes
        How many axes to return. Axes beyond those with a positive eigenvalue are 0.

    Returns
    -------
    Ordination
        Coordinates, explained fractions and what is left out. The sign of an axis, which is arbitrary, is chosen so
        that the sample farthest from 0 (the first of equals) is positive; axes of equal eigenvalue remain arbitrary
        among themselves.

    Raises
    ------
    InputError
        `axes` is below 1.

    Notes
    -----
    Negative eigenvalues arise because distances such as Bray-Curtis are not Euclidean. They are not corrected for;
    their axes are left out, and their number and weight is told (``skbio.stats.ordination.pcoa`` sets them to 0
    unseen, which is why it is not used here; the coordinates agree). The explained fractions are shares of the sum of
    the positive ones. Same eigenvalues as ``stats::cmdscale(d, eig = TRUE)`` and ``vegan::wcmdscale``.

    References
    ----------
    Gower, Biometrika 53:325 (1966), 10.1093/biomet/53.3-4.325.
    """
    if not 1 <= axes <= _MOST_AXES:
        raise InputError(Problem(f"{axes} axes were asked for", f"ask for 1 to {_MOST_AXES}", value=str(axes)))
    values, vectors = _eigen(gower(distances.data), axes)
    values = np.where(np.abs(values) > _ZERO * np.abs(values).max(initial=0.0), values, 0.0)
    positive, negative = values[values > 0].sum(), -values[values < 0].sum()
    kept = np.zeros(axes)
    kept[: len(values)] = np.maximum(values[:axes], 0.0)
    coordinates = np.zeros((len(values), axes))
    coordinates[:, : len(values)] = _signed(vectors[:, :axes]) * np.sqrt(kept[: len(values)])
    names = [f"axis_{number}" for number in range(1, axes + 1)]
    frame = pd.DataFrame(coordinates, columns=names)
    frame.insert(0, "sample", list(distances.ids))
    return Ordination(
        frame,
        pd.Series(kept / positive if positive > 0 else kept, index=names, name="explained"),
        int((values < 0).sum()),
        float(negative / positive) if positive > 0 else 0.0,
    )


def _eigen(gram: np.ndarray, axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all eigenvalues of a symmetric matrix, which is overwritten, and the vectors of the largest; descending.

    All vectors of a small matrix. Of a large one the tridiagonal form is kept, whose eigenvalues are quick to find, and
    only the vectors that are asked for are turned back from it.
    """
    if len(gram) <= max(_SMALL, 2 * axes):
        values, vectors = eigh(gram, overwrite_a=True)
        return values[::-1], vectors[:, ::-1]
    size = len(gram)
    # Symmetric: its transpose is the same matrix in the order of Fortran, and no copy.
    reduced, diagonal, beside, scales, code = lapack.dsytrd(gram.T, lower=1, overwrite_a=1, lwork=64 * size)
    if code:
        raise ArithmeticError(f"dsytrd ended with {code}")
    values = eigvalsh_tridiagonal(diagonal, beside)
    last = (size - axes, size - 1)
    vectors = eigh_tridiagonal(diagonal, beside, select="i", select_range=last)[1]
    # Q = diag(1, Q'), and Q' is the product of the reflectors below the diagonal.
    turned, _, code = lapack.dormqr("L", "N", reduced[1:, :-1], scales, vectors[1:], 64 * axes)
    if code:
        raise ArithmeticError(f"dormqr ended with {code}")
    return values[::-1], np.vstack([vectors[:1], turned])[:, ::-1]


def gower(distances: np.ndarray) -> np.ndarray:
    r"""Centre squared distances: :math:`G = -\tfrac12 J D^{(2)} J`, :math:`J = I - \tfrac1n 11'`.

    Rows and columns of G add up to 0, and its trace is the total sum of squares :math:`\tfrac1n \sum_{i<j} d_{ij}^2`.
    """
    squared = np.square(distances)
    squared *= -0.5
    mean = squared.mean(axis=0)
    squared -= mean
    squared -= mean[:, None]
    squared += mean.mean()
    return squared


def _signed(vectors: np.ndarray) -> np.ndarray:
    """Turn each column so that its largest entry (the first of equals, up to rounding) is positive."""
    size = np.abs(vectors)
    first = (size >= size.max(axis=0, initial=0.0) * (1 - _SIGN)).argmax(axis=0)
    signs = np.where(vectors[first, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
    return np.asarray(vectors * signs)
