"""Diversity within a sample."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import skbio
from skbio.diversity import alpha as skbio_alpha

from microbiome.diversity.abundance import check_abundance
from microbiome.diversity.tree import Placed, place
from microbiome.errors import Problem, raise_problems

__all__ = ["ALPHA_METRICS", "alpha", "faith_pd"]

logger = logging.getLogger(__name__)


def _pielou(values: np.ndarray) -> float:
    # Of one taxon evenness has no meaning: 0 / ln 1. Rounding may carry an even community above 1.
    return min(1.0, float(skbio_alpha.pielou_e(values))) if (values > 0).sum() > 1 else np.nan


# scikit-bio's functions close the values themselves; entropies to base e, Simpson with p_i^2 (not the finite-sample
# form).
_FUNCTIONS: dict[str, Callable[[np.ndarray], float]] = {
    "richness": skbio_alpha.sobs,
    "shannon": lambda values: skbio_alpha.shannon(values, base=np.e),
    "simpson": skbio_alpha.simpson,
    "inverse_simpson": skbio_alpha.inv_simpson,
    "pielou": _pielou,
    "berger_parker": skbio_alpha.berger_parker_d,
}

#: The metrics :func:`alpha` knows.
ALPHA_METRICS = (*_FUNCTIONS, "faith_pd")


def alpha(
    abundance: pd.DataFrame, metrics: Sequence[str] = tuple(_FUNCTIONS), tree: skbio.TreeNode | None = None
) -> pd.DataFrame:
    r"""Compute diversity within each sample.

    With :math:`p_i` the abundance of taxon i closed to :math:`\sum_i p_i = 1` and S the taxa with :math:`p_i > 0`:

    =================== ============================================== ==========================================
    metric              value                                          range, unit; R
    =================== ============================================== ==========================================
    ``richness``        :math:`|S|`                                    1..; taxa; ``vegan::specnumber``
    ``shannon``         :math:`H = -\sum p_i \ln p_i`                  0..ln S; nat; ``diversity(index="shannon")``
    ``simpson``         :math:`1 - \sum p_i^2`                         0..1; ``diversity(index="simpson")``
    ``inverse_simpson`` :math:`1 / \sum p_i^2`                         1..S; taxa; ``diversity(index="invsimpson")``
    ``pielou``          :math:`H / \ln |S|`, missing for one taxon     0..1; ``diversity(x) / log(specnumber(x))``
    ``berger_parker``   :math:`\max_i p_i`                             0..1
    ``faith_pd``        summed length of all branches between the      0..; unit of the tree; ``picante::pd``
                        taxa present and the root                      (``include.root = TRUE``)
    =================== ============================================== ==========================================

    Parameters
    ----------
    abundance
        sample x taxon, non-negative; closed or not makes no difference. A row of NaN or of zeros is a sample without
        profile.
    metrics
        Names from :data:`ALPHA_METRICS`, in the order of the columns wanted.
    tree
        For ``faith_pd``: tips named like the taxa or by bare SGB numbers; see :func:`microbiome.diversity.read_tree`
        for the root.

    Returns
    -------
    DataFrame
        One row per sample of `abundance`, in its order: ``sample``, one column per metric. A sample without profile has
        every value missing and is named in the log; it is never dropped. With ``faith_pd`` also
        ``faith_unplaced_taxa`` (how many taxa of the sample are no tips of the tree, and so count for nothing) and
        ``faith_unplaced_abundance`` (their summed abundance); where none of a sample's taxa is a tip, ``faith_pd`` is
        missing.

    Raises
    ------
    InputError
        An unknown metric, ``faith_pd`` without a tree, a profile with negative or single missing cells, an unusable
        tree.

    References
    ----------
    Faith, Biol Conserv 61:1 (1992), 10.1016/0006-3207(92)91201-3; Hill, Ecology 54:427 (1973), 10.2307/1934352.
    """
    problems = [
        Problem(f"alpha diversity {metric!r} is not known", f"use one of {', '.join(ALPHA_METRICS)}", value=metric)
        for metric in metrics
        if metric not in ALPHA_METRICS
    ]
    if "faith_pd" in metrics and tree is None:
        problems.append(Problem("faith_pd needs a tree", "give --tree, or leave the metric out", value="faith_pd"))
    raise_problems(problems)
    values, profiled = check_abundance(abundance)
    if not profiled.all():
        names = ", ".join(map(str, abundance.index[~profiled]))
        logger.warning("%d samples have no profile, their diversity is missing: %s", (~profiled).sum(), names)
    columns: dict[str, object] = {"sample": abundance.index.to_numpy(dtype=object)}
    for metric in dict.fromkeys(metrics):
        if metric == "faith_pd":
            assert tree is not None  # noqa: S101 - checked above; for the type checker
            columns |= _faith_columns(place(values, abundance.columns, tree), profiled)
        else:
            function = _FUNCTIONS[metric]
            found = [float(function(row)) if has else np.nan for row, has in zip(values, profiled, strict=True)]
            columns[metric] = pd.array(found, dtype="Int64") if metric == "richness" else np.array(found, dtype=float)
    return pd.DataFrame(columns)


def faith_pd(placed: Placed) -> np.ndarray:
    r"""Faith's phylogenetic diversity, :math:`\sum_b \ell_b [x_b > 0]` with :math:`x_b` the abundance below branch b.

    Returns
    -------
    ndarray
        One value per sample, in the unit of the tree, 0 where no taxon is placed.

    Notes
    -----
    Not by ``skbio.diversity.alpha.faith_pd``: it turns abundances into integers first, so that every fraction counts as
    absent. On counts the two agree.
    """
    return (placed.branches > 0) @ placed.lengths


def _faith_columns(placed: Placed, profiled: np.ndarray) -> dict[str, object]:
    some = (placed.branches > 0).any(axis=1)
    placed.log_unplaced()
    taxa = pd.array(placed.unplaced_taxa, dtype="Int64")
    taxa[~profiled] = pd.NA
    return {
        "faith_pd": np.where(some, faith_pd(placed), np.nan),
        "faith_unplaced_taxa": taxa,
        "faith_unplaced_abundance": np.where(profiled, placed.unplaced_abundance, np.nan),
    }
