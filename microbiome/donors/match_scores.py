"""AUROC by person and pooled, and how far it can be trusted: samples of a person are alike, people of a donor too."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats

from microbiome.stats.intervals import Interval, mean_interval

__all__ = ["auroc", "clustered_mean", "pooled_auroc", "subject_aurocs"]

#: From this many donors on, intervals are for donors in general; below, for the donors at hand.
FEW_DONORS = 5


def auroc(present: ArrayLike, score: ArrayLike) -> float:
    r"""Return the area under the receiver operating characteristic.

    The share of pairs of a present and an absent taxon of which the present one has the larger score, ties counting
    half: :math:`(R - n_1 (n_1 + 1) / 2) / (n_1 n_0)` with R the sum of the (mid) ranks of the present.

    Returns
    -------
    float
        In 0..1; NaN where all or none are present. ``sklearn.metrics.roc_auc_score``; R ``pROC::auc``.
    """
    y, s = np.asarray(present, dtype=bool), np.asarray(score, dtype=float)
    n1, n0 = int(y.sum()), int((~y).sum())
    if not n1 or not n0:
        return math.nan
    return float((stats.rankdata(s)[y].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def subject_aurocs(rows: pd.DataFrame, score: str) -> pd.Series:
    """Return one AUROC per subject: the mean over its samples; missing where all or none of its taxa are present."""
    by_sample = {
        key: auroc(part["present"], part[score])
        for key, part in rows.groupby(["subject", "sample"], sort=False)[["present", score]]
    }
    index = pd.MultiIndex.from_tuples(list(by_sample), names=["subject", "sample"])
    found = pd.Series(list(by_sample.values()), index=index, dtype=float)
    return found.groupby("subject", sort=False).mean()


def clustered_mean(values: pd.Series, cluster: pd.Series, fraction: bool = True, level: float = 0.95) -> Interval:
    r"""Return the mean of one value per subject with an interval that allows for donors.

    From five clusters (donors) on, the cluster-robust standard error
    :math:`se^2 = \frac{G}{G - 1} \sum_g (\sum_{s \in g} (a_s - \bar a))^2 / n^2` and t with G - 1 degrees of freedom:
    for donors in general. With fewer that cannot be told, and the interval is that of independent subjects, conditional
    on these donors. On the logit scale for fractions (delta method), else cut to -1..1.

    Parameters
    ----------
    values, cluster
        Per subject, same index; missing values are left out.
    fraction
        Values in 0..1: an interval within these bounds.
    level
        Confidence level.
    """
    there = values.dropna()
    groups = cluster.reindex(there.index)
    number, n = groups.nunique(), len(there)
    if number < FEW_DONORS or n < 2 or there.max() == there.min():
        return _bounded(mean_interval(there, "logit_t" if fraction else "t", level))
    mean = float(there.mean())
    sums = (there - mean).groupby(groups.to_numpy()).sum()
    se = math.sqrt(number / (number - 1) * float((sums**2).sum())) / n
    t = float(stats.t.ppf((1 + level) / 2, number - 1))
    if fraction:
        half, centre = t * se / (mean * (1 - mean)), float(special.logit(mean))
        return Interval(mean, float(special.expit(centre - half)), float(special.expit(centre + half)), n, "cluster_t")
    return _bounded(Interval(mean, mean - t * se, mean + t * se, n, "cluster_t"))


def _bounded(found: Interval) -> Interval:
    """Cut bounds that no AUROC, nor a difference of two, can have."""
    if math.isnan(found.low):
        return found
    return replace(found, low=max(-1.0, found.low), high=min(1.0, found.high))


def concordance(rows: pd.DataFrame, score: str, cluster: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return U (clusters x clusters), n present and n absent per cluster.

    :math:`U_{cd}` counts the pairs of a present taxon of c and an absent one of d in which the former scores higher,
    ties half, so that leaving clusters out needs no new sorting.
    """
    parts = [part for _, part in rows.groupby(cluster, sort=False)]
    up = [part.loc[part["present"] == 1, score].to_numpy(dtype=float) for part in parts]
    down = [np.sort(part.loc[part["present"] == 0, score].to_numpy(dtype=float)) for part in parts]
    u = np.array(
        [[(np.searchsorted(d, p, "left").sum() + np.searchsorted(d, p, "right").sum()) / 2 for d in down] for p in up]
    )
    return u, np.array([len(p) for p in up], dtype=float), np.array([len(d) for d in down], dtype=float)


def pooled_auroc(rows: pd.DataFrame, score: str, reference: str, cluster: str) -> tuple[Interval, Interval]:
    r"""Return the AUROC of all pairs of subject and taxon, and its difference from that of `reference`.

    Standard errors are of the jackknife, one of the G clusters left out at a time,
    :math:`se^2 = \frac{G - 1}{G} \sum_g (A_{-g} - \bar A_-)^2`; intervals are t with G - 1 degrees of freedom, on the
    logit scale for the AUROC (delta method). Without bounds with fewer than two clusters, or where the clusters left
    have no present or no absent taxon. (Percentiles of resampled clusters held the truth in .83 to .89 of simulated
    trials with 5 to 10 donors; these in .93 to .95.)
    """
    u, n1, n0 = concordance(rows, score, cluster)
    v = concordance(rows, reference, cluster)[0]
    size, n = len(n1), int(rows["subject"].nunique())
    method = f"jackknife of {cluster.removeprefix('_')}s, t"

    def areas(weight: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.einsum("rc,cd,rd->r", weight, matrix, weight) / ((weight @ n1) * (weight @ n0))

    def error(without: np.ndarray) -> float:
        return math.sqrt((size - 1) / size * float(((without - without.mean()) ** 2).sum()))

    one, left_out = np.ones((1, size)), 1 - np.eye(size)
    own, other = float(areas(one, u)[0]), float(areas(one, v)[0])
    without, without_other = (areas(left_out, matrix) for matrix in (u, v)) if size > 1 else (np.array([np.nan]),) * 2
    if not np.isfinite(without).all():
        nothing = (math.nan, math.nan, n, method)
        return Interval(own, *nothing), Interval(own - other, *nothing)
    t = float(stats.t.ppf(0.975, size - 1))
    half = t * error(without - without_other)
    difference = Interval(own - other, max(-1.0, own - other - half), min(1.0, own - other + half), n, method)
    if not 0 < own < 1:
        return Interval(own, math.nan, math.nan, n, method), difference
    centre, reach = float(special.logit(own)), t * error(without) / (own * (1 - own))
    return Interval(
        own, float(special.expit(centre - reach)), float(special.expit(centre + reach)), n, method
    ), difference
