"""Sums of squares between groups, for many arrangements of the labels at once: the kernel of PERMANOVA and PERMDISP."""

from __future__ import annotations

import numpy as np

__all__ = ["between_groups", "between_groups_of_values", "dispersions", "regression"]

# Numbers per work array: bounds the memory that the permutations take (8 MiB each).
_BLOCK = 1 << 20
# Picking c x c cells out of a matrix costs this many times more per cell than multiplying by the matrix does.
_PICKING = 130


def between_groups(gram: np.ndarray, labels: np.ndarray, groups: int) -> np.ndarray:
    r"""Sum of squares between groups for many arrangements of labels at once.

    .. math:: SS_A = \sum_g \frac{1_g' G 1_g}{n_g}

    Parameters
    ----------
    gram
        units x units: centred squared distances (:func:`microbiome.diversity.ordination.gower`). Rows add up to 0.
    labels
        arrangements x units: group of each unit, 0, 1, ...; every arrangement has the same number of units per group.
    groups
        How many groups there are.

    Returns
    -------
    ndarray
        One value per arrangement, in squared units of distance.

    Notes
    -----
    For a large group a matrix product serves many arrangements at once; for a small one it is quicker to pick its few
    cells. Where all groups are large, one product is saved: what lies within the last group follows from the others, as
    G adds up to 0.
    """
    units = labels.shape[1]
    counts = np.bincount(labels[0], minlength=groups)
    small = counts.astype(float) ** 2 * _PICKING < float(units) ** 2
    result = np.zeros(len(labels))
    if small.any():
        order = np.argsort(labels, axis=1, kind="stable")
        ends = np.cumsum(counts)
        for group in np.flatnonzero(small):
            members = order[:, ends[group] - counts[group] : ends[group]]
            result += _within_members(gram, members) / counts[group]
    large = np.flatnonzero(~small)
    left_out = int(counts.argmax()) if not small.any() else -1
    inside_all = np.zeros((units, len(labels) if left_out >= 0 else 0))
    product_all = np.zeros_like(inside_all)
    turned = np.ascontiguousarray(labels.T)
    for group in large[large != left_out]:
        inside = (turned == group).astype(float)
        product = gram @ inside
        if left_out >= 0:
            inside_all += inside
            product_all += product
        product *= inside
        result += product.sum(axis=0) / counts[group]
    if left_out >= 0:
        inside_all *= product_all
        result += inside_all.sum(axis=0) / counts[left_out]
    return result


def between_groups_of_values(values: np.ndarray, labels: np.ndarray, groups: int) -> np.ndarray:
    r"""Sum of squares between groups, :math:`\sum_g (\sum_{i \in g} z_i)^2 / n_g`, of one number per unit.

    Parameters
    ----------
    values
        Of the units, centred so that they add up to 0.
    labels, groups
        As for :func:`between_groups`.
    """
    rows = len(labels)
    cell = labels + np.arange(rows)[:, None] * groups
    sums = np.bincount(cell.ravel(), weights=np.tile(values, rows), minlength=rows * groups).reshape(rows, groups)
    return np.asarray((sums**2 / np.bincount(labels[0], minlength=groups)).sum(axis=1))


def regression(gram: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    r"""Sum of squares explained by a number, :math:`x'Gx / x'x` with x centred.

    Parameters
    ----------
    gram
        As for :func:`between_groups`.
    numbers
        arrangements x units: the number of each unit.
    """
    centred = numbers - numbers.mean(axis=1, keepdims=True)
    return np.asarray(((gram @ centred.T).T * centred).sum(axis=1) / (centred**2).sum(axis=1))


def dispersions(
    gram: np.ndarray, labels: np.ndarray, groups: int, strata: np.ndarray | None = None, adjust: bool = True
) -> np.ndarray:
    r"""Distance of each sample to the centroid of its group.

    .. math:: r_i^2 = G_{ii} - \tfrac{2}{n_g} \sum_{j \in g} G_{ij} + \tfrac{1}{n_g^2} \sum_{j,k \in g} G_{jk}

    is the squared distance in the space of all principal coordinates, those of negative eigenvalues counted
    negatively. A sample pulls the centroid towards itself, so that :math:`r_i` is too small, the more the smaller the
    group: groups of unequal size then seem to differ in spread. With :math:`l_i` the distance to the centroid of the
    other samples of the group, and K samples,

    .. math:: z_i^2 = \frac{K r_i^2 + (K - 1) l_i^2}{2K - 1} \quad \bigl(= \tfrac{K}{K-1} r_i^2\bigr)

    has no such bias. Samples of one stratum pull together: with `strata`, :math:`l_i` is to the centroid of the
    *other strata* of the group, of which there are K in all, and the bias is gone whatever the correlation within
    strata (exactly so for strata of equal size).

    Parameters
    ----------
    gram
        samples x samples, centred squared distances.
    labels
        Group of each sample.
    groups
        How many groups there are.
    strata
        Stratum of each sample; None where each sample stands for itself.
    adjust
        Return :math:`z_i`, else :math:`r_i`.

    Returns
    -------
    ndarray
        Distances; 0 where the square is negative; NaN for the samples of a group with one stratum when adjusted.

    Notes
    -----
    Without strata ``betadisper(d, group, type = "centroid", bias.adjust = adjust)$distances`` of vegan.
    """
    inside = np.eye(groups)[labels]
    number = inside.sum(axis=0)
    own = np.diag(gram)
    to_group = (gram @ inside)[np.arange(len(labels)), labels]
    in_group = inside.T @ to_group
    n = number[labels]
    squared = own - 2 * to_group / n + in_group[labels] / n**2
    if adjust:
        # A cell holds the samples of one group and one stratum.
        cells = (
            np.arange(len(labels)) if strata is None else np.unique(labels + strata * groups, return_inverse=True)[1]
        )
        to_cell, in_cell = own.copy(), own.copy()
        if strata is not None:
            for member in np.split(np.argsort(cells, kind="stable"), np.cumsum(np.bincount(cells))[:-1]):
                part = gram[np.ix_(member, member)]
                to_cell[member], in_cell[member] = part.sum(axis=1), part.sum()
        k = np.bincount(labels[np.unique(cells, return_index=True)[1]], minlength=groups)[labels]
        rest = n - np.bincount(cells)[cells]
        crossing = np.bincount(cells, weights=to_group)[cells]
        with np.errstate(divide="ignore", invalid="ignore"):
            others = own - 2 * (to_group - to_cell) / rest + (in_group[labels] - 2 * crossing + in_cell) / rest**2
        squared = np.where(rest > 0, (k * squared + (k - 1) * np.where(rest > 0, others, 0.0)) / (2 * k - 1), np.nan)
    # What rounding leaves of a sample that is its group's centroid must not become the square root of it.
    squared[squared < 1e-14 * np.abs(own).max(initial=0.0)] = 0.0
    return np.asarray(np.sqrt(squared))


def _within_members(gram: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Sum the cells of `gram` between the members (columns) of each arrangement (rows)."""
    rows, count = members.shape
    flat = gram.ravel()
    result = np.zeros(rows)
    step = max(1, _BLOCK // count**2)
    for start in range(0, rows, step):
        part = members[start : start + step]
        result[start : start + step] = flat.take(part[:, :, None] * len(gram) + part[:, None, :]).sum(axis=(1, 2))
    return result
