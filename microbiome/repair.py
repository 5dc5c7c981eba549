r"""What can be done about finished profiles whose samples differ in depth, and saying in words that they do.

A shallow sample lacks taxa that a deep one shows: it "lost" them. Subsampling the FASTQ files to a common depth before
profiling restores comparability (``rarefy_reads`` of the workflow). Profiles that are finished can only be brought to
the level of the shallowest sample, at the price of the rarer taxa; two ways of doing that were shown to keep the level
of a test under a tenfold difference in depth, others (rarefying to reads, to marker reads, to 1 / lowest abundance; a
threshold at the largest lowest abundance) were not:

* ``threshold``: one detection threshold for all samples, 5 times the largest unit of any sample;
* ``thinning``: the evidence of every sample is thinned to a fifth of that of the shallowest sample.

Thinning gives all samples the same noise as well as the same level; a threshold leaves the taxa near it to the noise of
the shallow samples, and keeps fewer. ``docs/calibration.md`` has both.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.detection import detection_limit
from microbiome.errors import InputError, Problem
from microbiome.seeds import stream
from microbiome.study import Study

__all__ = [
    "REPAIRS",
    "Repaired",
    "chosen_repair",
    "common_threshold",
    "depth_ratio",
    "depth_sentences",
    "depth_warnings",
    "relevant_samples",
    "repair",
]

logger = logging.getLogger(__name__)

#: ``auto`` is ``thinning`` where depth differs by more than :data:`NOTABLE_RATIO`, else ``none``: of the two repairs it
#: leaves less of the difference (the threshold leaves taxa near it to the noise of the shallow samples) and more taxa.
REPAIRS = ("none", "threshold", "thinning", "auto")
#: Depth that differs by this factor between groups or time points is said, and repaired under ``auto``.
NOTABLE_RATIO = 1.5
FACTOR = 5.0
# A sample whose unit is this many times the median would cost all others too much: it is left out instead.
_TOO_SHALLOW = 30.0


@dataclass(frozen=True)
class Repaired:
    """Profiles brought to a common depth.

    Parameters
    ----------
    abundance
        **sample x taxon**; thinned, or as it was.
    detection
        Threshold to use with it.
    limits
        Units and limits that go with it (:data:`microbiome.tables.LIMITS`).
    method
        ``none``, ``threshold`` or ``thinning``.
    note
        What was done, and at which price.
    left_out
        Samples too shallow to be brought to any useful level: they are as if they had no profile.
    """

    abundance: pd.DataFrame
    detection: float
    limits: pd.DataFrame
    method: str
    note: str
    left_out: tuple[str, ...] = ()


def chosen_repair(method: str, differs: bool) -> str:
    """Return what ``auto`` stands for: ``thinning`` where depth `differs`, else ``none``; other methods as they are."""
    if method != "auto":
        return method
    return "thinning" if differs else "none"


def common_threshold(limits: pd.DataFrame, factor: float = FACTOR) -> float:
    """Return one threshold for all samples: `factor` times the largest unit.

    At 5 units a taxon is seen with probability 0.993 in the shallowest sample, so that depth hardly decides any more
    what is detected.

    Raises
    ------
    InputError
        When no sample has a profile.
    """
    if limits.empty:
        raise InputError(Problem("no sample has a profile", "give the profiles of the study"))
    return float(factor * limits["unit"].max())


def repair(
    abundance: pd.DataFrame,
    limits: pd.DataFrame,
    method: str,
    detection: float = 0.0,
    seed: int = 0,
    factor: float = FACTOR,
) -> Repaired:
    r"""Bring profiles to a common depth.

    Thinning takes the :math:`k = a / u` pieces of evidence of a taxon in a sample with unit u (a fraction of one counts
    with its probability), keeps each with probability :math:`u / (factor \cdot u_{max})`, and gives the number kept
    times :math:`factor \cdot u_{max}`, the new unit of every sample.

    Parameters
    ----------
    abundance
        **sample x taxon**; a row of NaN stays one.
    limits
        Of the samples that are compared (:func:`microbiome.detection.limits`); the shallowest of them sets the level,
        but for those whose unit is more than 30 times the median: these are left out, as if they had no profile.
        Samples without a row keep their abundances.
    method
        ``none``, ``threshold`` or ``thinning``.
    detection
        Threshold asked for; a repair never lowers it.
    seed
        Of the thinning; each sample has a stream of its own.
    factor
        How far below the shallowest sample.

    Returns
    -------
    Repaired
        With ``none`` everything as it was.

    Raises
    ------
    InputError
        When `method` is unknown or no sample has a profile.
    """
    if method not in ("none", "threshold", "thinning"):
        raise InputError(Problem(f"repair {method!r} is unknown", "use none, threshold or thinning", value=method))
    if method == "none":
        return Repaired(abundance, detection, limits, method, "depth not repaired")
    shallow = limits["unit"] > _TOO_SHALLOW * limits["unit"].median()
    left_out = tuple(limits.loc[shallow, "sample"])
    limits = limits[~shallow].reset_index(drop=True)
    level = common_threshold(limits, factor)
    worst = limits.loc[limits["unit"].idxmax()]
    rows = abundance.index.get_indexer(limits["sample"])
    values = abundance.to_numpy(dtype=float, copy=True)
    values[abundance.index.isin(left_out)] = np.nan
    if left_out:
        logger.warning("too shallow to be compared, and left out by the repair of depth: %s", ", ".join(left_out))
    before = int((values[rows] > detection).sum())
    if method == "threshold":
        threshold = max(level, detection)
        after = int((values[rows] > threshold).sum())
        limit = detection_limit(limits["unit"].to_numpy(dtype=float), threshold)
        note = f"one detection threshold, {threshold:.3g}, {factor:g} times the unit of {worst['sample']}"
        frame = pd.DataFrame(values, index=abundance.index, columns=abundance.columns) if left_out else abundance
        limits = limits.assign(limit=limit)
        return Repaired(frame, threshold, limits, method, f"{note}; {_price(after, before)}", left_out)
    units = limits["unit"].to_numpy(dtype=float)
    order = np.argsort(abundance.columns.to_numpy(dtype=str), kind="stable")
    thinned = values.copy()
    for row, unit, sample in zip(rows, units, limits["sample"], strict=True):
        rng = stream(seed, "thinning", sample)
        evidence = values[row, order] / unit
        whole = np.floor(evidence) + (rng.random(len(order)) < evidence % 1)
        thinned[row, order] = rng.binomial(whole.astype(np.int64), unit / level) * level
    after = int((thinned[rows] > detection).sum())
    empty = limits.loc[~(thinned[rows] > 0).any(axis=1), "sample"].tolist()
    if empty:
        logger.warning("nothing is left after thinning of: %s", ", ".join(empty))
    frame = pd.DataFrame(thinned, index=abundance.index, columns=abundance.columns)
    limit = detection_limit(np.full(len(limits), level), detection)
    note = f"thinned to a unit of {level:.3g} in every sample, {factor:g} times that of {worst['sample']}"
    limits = limits.assign(unit=level, limit=limit)
    return Repaired(frame, detection, limits, method, f"{note}; {_price(after, before)}", left_out)


def relevant_samples(study: Study, posts: pd.DataFrame, products: pd.DataFrame) -> list[str]:
    """Return the samples that comparisons rest on: post samples, their baselines, and the donor products received.

    Parameters
    ----------
    study
        Gives the order.
    posts, products
        As in :class:`microbiome.triads.Triads`.
    """
    used = {*posts["sample"], *posts["baseline_sample"].dropna(), *products.loc[products["profiled"], "donor_sample"]}
    return [sample for sample in study.samples["sample"] if sample in used]


def depth_ratio(first: pd.Series, second: pd.Series) -> float:
    """Return how many times deeper the samples with units `first` are than those with `second`: ratio of medians."""
    if first.empty or second.empty:
        return float("nan")
    return float(second.median() / first.median())


def depth_warnings(limits: pd.DataFrame, posts: pd.DataFrame, groups: pd.Series | None = None) -> list[str]:
    """Say in words where depth differs between time points or groups.

    Parameters
    ----------
    limits
        Units by sample.
    posts
        ``subject``, ``sample``, ``baseline_sample`` of the post samples that are compared.
    groups
        Group of each subject, by its name; missing values do not count.

    Returns
    -------
    list of str
        One sentence per contrast whose ratio of median units is above 1.5, with the ratio; empty where none is.
    """
    unit = limits.set_index("sample")["unit"]
    post = posts.assign(unit=posts["sample"].map(unit)).dropna(subset=["unit"])
    base = posts.drop_duplicates("subject").dropna(subset=["baseline_sample"])
    base = base.assign(unit=base["baseline_sample"].map(unit)).dropna(subset=["unit"])
    found = list(_sentences([("baselines", base["unit"]), ("post samples", post["unit"])], "taxa seem lost or gained"))
    if groups is None:
        return found
    for name, frame in (("post samples", post), ("baselines", base)):
        group = frame["subject"].map(groups)
        parts = [(f"{name} of {label}", frame.loc[group == label, "unit"]) for label in sorted(group.dropna().unique())]
        found += _sentences(parts, "their rates differ")
    return found


def depth_sentences(samples: pd.DataFrame, groups: pd.Series) -> list[str]:
    """Say where groups differ in depth: the medians of the limits of detection by a factor above 1.5.

    Parameters
    ----------
    samples
        ``subject``, ``sample``, ``baseline_sample``, ``post_limit``, ``baseline_limit`` of the samples compared;
        nothing is said without limits.
    groups
        Group of each subject (index).
    """
    if not {"baseline_sample", "post_limit", "baseline_limit"} <= set(samples.columns):
        return []
    units = pd.concat(
        [
            pd.DataFrame({"sample": samples["sample"], "unit": samples["post_limit"]}),
            pd.DataFrame({"sample": samples["baseline_sample"], "unit": samples["baseline_limit"]}),
        ]
    )
    units = units.dropna().astype({"unit": float})
    limits = units[units["unit"] > 0].drop_duplicates("sample")
    found = depth_warnings(limits, samples[["subject", "sample", "baseline_sample"]], groups)
    # Baselines against post samples do not tell the groups apart.
    return [sentence for sentence in found if not sentence.startswith(("baselines are ", "post samples are "))]


def _sentences(parts: list[tuple[str, pd.Series]], consequence: str) -> Iterable[str]:
    for i, (one, first) in enumerate(parts):
        for other, second in parts[i + 1 :]:
            ratio = depth_ratio(first, second)
            if max(ratio, 1 / ratio) > NOTABLE_RATIO:
                deep, shallow = (one, other) if ratio > 1 else (other, one)
                times = f"{max(ratio, 1 / ratio):.1f} times"
                yield f"{deep} are {times} deeper than {shallow}: {consequence} by depth alone"


def _price(after: int, before: int) -> str:
    return f"{after} of {before} detections remain ({100 * after / max(before, 1):.0f} %)"
