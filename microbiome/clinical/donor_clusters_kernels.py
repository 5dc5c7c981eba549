"""Clustering from distances: partitions, silhouette, dispersion against one cluster, agreement of partitions."""

from __future__ import annotations

import numpy as np

__all__ = ["coordinates", "jaccard", "log_dispersion", "partitions", "silhouettes", "uniform_reference"]


def partitions(distances: np.ndarray, numbers: list[int], method: str) -> dict[int, np.ndarray]:
    """Divide points into clusters.

    Parameters
    ----------
    distances
        Square and symmetric, **point x point**.
    numbers
        Numbers of clusters, each in 1..points.
    method
        ``average``: hierarchical, average linkage (UPGMA; R ``hclust(method = "average")``). ``pam``: partitioning
        around medoids, BUILD and SWAP (R ``cluster::pam``).

    Returns
    -------
    dict
        By number of clusters the cluster 0, 1, ... of each point; exactly that many clusters, none empty.
    """
    n = len(distances)
    if method == "pam":
        return {k: _pam(distances, k) for k in numbers}
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import squareform

    if n == 1:
        return {k: np.zeros(1, dtype=np.intp) for k in numbers}
    tree = linkage(squareform(distances, checks=False), "average")
    cut = cut_tree(tree, n_clusters=numbers)
    return {k: np.unique(cut[:, i], return_inverse=True)[1] for i, k in enumerate(numbers)}


def _pam(distances: np.ndarray, k: int) -> np.ndarray:
    """Partition around medoids (Kaufman & Rousseeuw 1990): add the best medoid k times, then swap while it helps."""
    n = len(distances)
    medoids = [int(distances.sum(axis=0).argmin())]
    while len(medoids) < k:
        nearest = distances[:, medoids].min(axis=1)
        gain = np.maximum(nearest[:, np.newaxis] - distances, 0).sum(axis=0)
        gain[medoids] = -1
        # Two neighbours far from the medoids gain the same: R takes the last of equal ones.
        medoids.append(int(np.flatnonzero(gain >= gain.max() - 1e-12)[-1]))
    cost = distances[:, medoids].min(axis=1).sum()
    while True:
        best, swap = cost, (-1, -1)
        for place in range(k):
            rest = distances[:, medoids[:place] + medoids[place + 1 :]].min(axis=1, initial=np.inf)
            costs = np.minimum(rest[:, np.newaxis], distances).sum(axis=0)
            costs[medoids] = np.inf
            if costs.min() < best - 1e-12 * max(1.0, cost):
                best, swap = float(costs.min()), (place, int(costs.argmin()))
        if swap[0] < 0:
            break
        medoids[swap[0]], cost = swap[1], best
    labels = distances[:, medoids].argmin(axis=1)
    # A medoid belongs to itself, also where another point lies on the same place.
    labels[medoids] = np.arange(k)
    return labels if n else np.zeros(0, dtype=np.intp)


def silhouettes(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    r"""Return the silhouette of each point.

    :math:`s_i = (b_i - a_i) / \max(a_i, b_i)` with a the mean distance to the others of its cluster and b the smallest
    mean distance to another cluster; 0 for a point alone in its cluster (Rousseeuw 1987, 10.1016/0377-0427(87)90125-7;
    R ``cluster::silhouette``). NaN with one cluster.
    """
    clusters = int(labels.max(initial=-1)) + 1
    if clusters < 2:
        return np.full(len(labels), np.nan)
    members = labels[:, np.newaxis] == np.arange(clusters)
    sizes = members.sum(axis=0)
    sums = distances @ members
    own = np.arange(len(labels)), labels
    inside = sums[own] / np.maximum(sizes[labels] - 1, 1)
    means = sums / sizes
    means[own] = np.inf
    outside = means.min(axis=1)
    larger = np.maximum(inside, outside)
    with np.errstate(invalid="ignore"):
        found = np.where(larger > 0, (outside - inside) / larger, 0.0)
    return np.where(sizes[labels] == 1, 0.0, found)


def coordinates(distances: np.ndarray) -> np.ndarray:
    """Return principal coordinates (classical scaling), **point x axis**, of the axes with positive eigenvalues."""
    n = len(distances)
    centre = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    kept = values > 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
    # The sign of an axis is free: the largest entry is made positive, so that the same data give the same numbers.
    axes = vectors[:, kept]
    if axes.size:
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.asarray(axes * np.sqrt(values[kept]))


def log_dispersion(points: np.ndarray, labels: np.ndarray) -> float:
    r"""Return :math:`\ln W`, W being the sum of squares of the points around the mean of their cluster.

    Equal to :math:`\ln \sum_r \frac{1}{2 n_r} \sum_{i, j \in r} d_{ij}^2` (R ``cluster::clusGap`` with
    ``d.power = 2``); minus infinity where every point lies on the mean of its cluster.
    """
    within = 0.0
    for cluster in range(int(labels.max(initial=-1)) + 1):
        member = points[labels == cluster]
        within += float(((member - member.mean(axis=0)) ** 2).sum())
    total = float(((points - points.mean(axis=0)) ** 2).sum())
    return float(np.log(within)) if within > 1e-18 * total else -np.inf


def uniform_reference(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return as many points, drawn uniformly from the box that `points` fill along their axes.

    One cluster without structure, with the extent of the data along each principal axis: reference (b) of Tibshirani,
    Walther & Hastie, J R Stat Soc B 63:411 (2001), 10.1111/1467-9868.00293.
    """
    return np.asarray(rng.uniform(points.min(axis=0), points.max(axis=0), points.shape))


def jaccard(labels: np.ndarray, again: np.ndarray) -> np.ndarray:
    """Return for each cluster of `labels` the largest Jaccard index with any cluster of `again`.

    Hennig, Comput Stat Data Anal 52:258 (2007), 10.1016/j.csda.2006.11.025; R ``fpc::clusterboot``. NaN for a cluster
    that has no member (a subsample without any of it).
    """
    first = labels[:, np.newaxis] == np.arange(int(labels.max(initial=-1)) + 1)
    second = again[:, np.newaxis] == np.arange(int(again.max(initial=-1)) + 1)
    both = first.T.astype(float) @ second
    either = first.sum(axis=0)[:, np.newaxis] + second.sum(axis=0) - both
    with np.errstate(invalid="ignore"):
        return np.where(first.any(axis=0), (both / np.maximum(either, 1)).max(axis=1, initial=0.0), np.nan)
