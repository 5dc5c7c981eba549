"""Distances between samples."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
import skbio
from scipy.spatial.distance import pdist
from skbio.diversity import beta_diversity
from skbio.stats.composition import clr, multi_replace, rclr

from microbiome.diversity import many
from microbiome.diversity.abundance import check_abundance
from microbiome.diversity.tree import Placed, place
from microbiome.errors import InputError, Problem, raise_problems

__all__ = ["BETA_METRICS", "BOUNDED_METRICS", "beta", "unweighted_unifrac", "weighted_unifrac", "zero_replacement"]

logger = logging.getLogger(__name__)

ZeroReplacement = Literal["multiplicative", "pseudocount"]

_UNIFRAC = ("unweighted_unifrac", "weighted_unifrac")
#: The metrics :func:`beta` knows.
BETA_METRICS = ("bray_curtis", "jaccard", "aitchison", "robust_aitchison", "hellinger", *_UNIFRAC)
#: Those that never exceed 1, so that 1 - distance is a similarity.
BOUNDED_METRICS = ("bray_curtis", "jaccard", "unweighted_unifrac", "weighted_unifrac_normalized")


def beta(
    abundance: pd.DataFrame,
    metric: str,
    tree: skbio.TreeNode | None = None,
    zeros: ZeroReplacement = "multiplicative",
    delta: float | None = None,
    normalized: bool = False,
) -> skbio.DistanceMatrix:
    r"""Compute the distance between every two samples.

    With x, y the abundances of two samples and p, q the same closed to 1:

    ====================== ===================================================================== ============
    metric                 distance                                                              range
    ====================== ===================================================================== ============
    ``bray_curtis``        :math:`\sum|x_i-y_i| / \sum(x_i+y_i)`, of the values as they are      0..1
    ``jaccard``            1 - (taxa in both) / (taxa in either); present is > 0                 0..1
    ``aitchison``          Euclidean distance of the centred log-ratios
                           :math:`\ln p_i - \frac1D\sum_j \ln p_j` after replacement of zeros    0..
    ``robust_aitchison``   Euclidean distance of the centred log-ratios taken over the taxa
                           present in the sample alone, **absent taxa set to 0 afterwards**      0..
    ``hellinger``          Euclidean distance of :math:`\sqrt{p_i}`                              0..sqrt 2
    ``unweighted_unifrac`` branch length below which only one sample has taxa / that below
                           which either has                                                      0..1
    ``weighted_unifrac``   :math:`\sum_b \ell_b |p_b - q_b|` over branches b, raw; with
                           `normalized` divided by :math:`\sum_t d_t (p_t+q_t)` over tips t at
                           distance :math:`d_t` from the root                                    0.. (or 0..1)
    ====================== ===================================================================== ============

    Parameters
    ----------
    abundance
        sample x taxon, non-negative. A row of NaN or of zeros is a sample without profile.
    metric
        One of :data:`BETA_METRICS`.
    tree
        For UniFrac; see :func:`microbiome.diversity.read_tree`. Taxa that are no tips of it are left out and logged,
        and abundances are closed over the others.
    zeros, delta
        For ``aitchison``, see :func:`zero_replacement`. The default is multiplicative replacement by half the smallest
        abundance above 0 of the whole table.
    normalized
        For ``weighted_unifrac``.

    Returns
    -------
    skbio.DistanceMatrix
        Of the samples that have a profile, in the order of `abundance`. The others cannot stand in a matrix: they are
        left out **and named in a warning**.

    Raises
    ------
    InputError
        An unknown metric, UniFrac without a tree, no sample with a profile, an unusable profile or tree, a `delta`
        that is too large.

    Notes
    -----
    ``robust_aitchison`` is ``vegdist(method = "robust.aitchison")`` of vegan 2.6. It compares a taxon's log-ratio
    with 0 where the other sample lacks the taxon; later versions of vegan, and DEICODE, fill such cells by matrix
    completion instead. Taxa that no sample has are dropped before ``aitchison``: they would only shift every
    log-ratio.

    References
    ----------
    Aitchison, J R Stat Soc B 44:139 (1982), 10.1111/j.2517-6161.1982.tb01195.x; Martino, mSystems 4:e00016-19 (2019),
    10.1128/mSystems.00016-19; Lozupone, Appl Environ Microbiol 71:8228 (2005), 10.1128/AEM.71.12.8228-8235.2005 and
    73:1576 (2007), 10.1128/AEM.01996-06; Legendre, Oecologia 129:271 (2001), 10.1007/s004420100716.
    """
    problems: list[Problem] = []
    if metric not in BETA_METRICS:
        problems.append(
            Problem(f"beta diversity {metric!r} is not known", f"use one of {', '.join(BETA_METRICS)}", value=metric)
        )
    if metric in _UNIFRAC and tree is None:
        problems.append(Problem(f"{metric} needs a tree", "give --tree, or another metric", value=metric))
    if delta is not None and not delta > 0:
        problems.append(Problem(f"delta is {delta:g}", "zeros are replaced by a number above 0", value=f"{delta:g}"))
    raise_problems(problems)
    values, has = check_abundance(abundance)
    placed: Placed | None = None
    if metric in _UNIFRAC and has.any():
        assert tree is not None  # noqa: S101 - checked above; for the type checker
        placed = place(values, abundance.columns, tree)
        placed.log_unplaced()
        has = placed.total > 0
    if not has.all():
        names = ", ".join(map(str, abundance.index[~has]))
        logger.warning("%d samples have no profile and are left out of the distances: %s", (~has).sum(), names)
    ids = [str(sample) for sample in abundance.index[has]]
    if not ids:
        raise InputError(Problem("no sample has a profile", "distances need at least one sample with taxa"))
    values = values[has][:, (values[has] > 0).any(axis=0)]
    if placed is not None:
        kept = placed.only(has)
        condensed = unweighted_unifrac(kept) if metric == "unweighted_unifrac" else weighted_unifrac(kept, normalized)
    elif metric == "aitchison":
        condensed = pdist(clr(zero_replacement(values, zeros, delta)), "euclidean")
    else:
        kernel = _MANY.get(metric, _PLAIN[metric]) if len(values) > many.MANY else _PLAIN[metric]
        condensed = kernel(values)
    return skbio.DistanceMatrix(condensed, ids)


def zero_replacement(
    values: np.ndarray, zeros: ZeroReplacement = "multiplicative", delta: float | None = None
) -> np.ndarray:
    r"""Replace zeros of a composition, so that its logarithms exist.

    Parameters
    ----------
    values
        samples x taxa, >= 0, no row all zero. Closed to 1 first.
    zeros
        ``multiplicative``: a zero becomes `delta`, and the other parts of the sample are multiplied by 1 - (zeros of
        the sample) x `delta`, so that their ratios stay as they are (Martin-Fernandez, Math Geol 35:253 (2003),
        10.1023/A:1023866030544). ``pseudocount``: `delta` is added to every part, which changes the ratios of rare
        taxa (``vegdist(method = "aitchison", pseudocount = delta)``).
    delta
        A fraction; None is half of the smallest value above 0 of the whole table, one number for all samples, so that
        two samples lacking a taxon agree in it.

    Raises
    ------
    InputError
        `delta` times the zeros of a sample reaches 1.
    """
    closed = values / values.sum(axis=1, keepdims=True)
    if delta is None:
        delta = float(closed[closed > 0].min()) / 2
        logger.info("zeros are replaced by %.3g (%s, half of the smallest abundance above 0)", delta, zeros)
    if zeros == "pseudocount":
        return np.asarray(closed + delta)
    most = int((closed == 0).sum(axis=1).max(initial=0))
    if most * delta >= 1:
        raise InputError(
            Problem(
                f"delta {delta:g} times the {most} zeros of a sample is 1 or more",
                "use a smaller delta",
                value=f"{delta:g}",
            )
        )
    return np.asarray(multi_replace(closed, delta=delta)).reshape(closed.shape)


def unweighted_unifrac(placed: Placed) -> np.ndarray:
    """Unweighted UniFrac of every two samples, condensed as by ``pdist``: unshared over observed length, 0..1."""
    present = (placed.branches > 0).astype(float)
    shared = (present * placed.lengths) @ present.T
    rows, columns = np.triu_indices(len(present), 1)
    own = np.diag(shared)
    observed = own[rows] + own[columns] - shared[rows, columns]
    # Branches of length 0 only: nothing observed, nothing unshared.
    unshared = observed - shared[rows, columns]
    # Rounding leaves 1e-17 where the samples have the same taxa.
    return np.where(unshared > 1e-12 * observed, unshared, 0.0) / np.where(observed > 0, observed, 1.0)


def weighted_unifrac(placed: Placed, normalized: bool = False) -> np.ndarray:
    """Weighted UniFrac of every two samples, condensed as by ``pdist``.

    Notes
    -----
    Not by scikit-bio: its version turns abundances into integers first, so that fractions are all 0. On counts the two
    agree.
    """
    share = placed.branches / placed.total[:, None]
    distance = np.asarray(pdist(share * placed.lengths, "cityblock"))
    if not normalized:
        return distance
    reach = share @ placed.depths
    rows, columns = np.triu_indices(len(share), 1)
    largest = reach[rows] + reach[columns]
    return distance / np.where(largest > 0, largest, 1.0)


def _hellinger(values: np.ndarray) -> np.ndarray:
    return np.asarray(pdist(np.sqrt(values / values.sum(axis=1, keepdims=True)), "euclidean"))


def _robust(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(rclr(values), nan=0.0))


_PLAIN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bray_curtis": lambda values: beta_diversity("braycurtis", values).condensed_form(),
    "jaccard": lambda values: beta_diversity("jaccard", values).condensed_form(),
    "robust_aitchison": lambda values: np.asarray(pdist(_robust(values), "euclidean")),
    "hellinger": _hellinger,
}
# The same of many samples.
_MANY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bray_curtis": many.bray_curtis,
    "jaccard": many.jaccard,
    "robust_aitchison": lambda values: many.euclidean(_robust(values)),
}
