"""How deep the samples of a study are: their limits of detection, and whether what is compared is of one depth."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from microbiome.detection import detection_limit, fit_curve, limits
from microbiome.errors import InputError
from microbiome.repair import Repaired, depth_warnings, relevant_samples, repair
from microbiome.response import responder
from microbiome.study import Study
from microbiome.triads import checked_detection, triads

__all__ = ["describe_limits", "repair_study", "study_depth_warnings", "study_groups", "study_limits"]


def study_limits(abundance: pd.DataFrame, study: Study, evidence: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the limits of detection of the samples of a study, with the ``reads`` of its samples table where given.

    Parameters
    ----------
    abundance
        **sample x taxon**; rows of samples that are not in the study are not used.
    study
        Its samples table may have a column ``reads``.
    evidence
        As :func:`microbiome.evidence.evidence` returns it.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.tables.LIMITS`; see :func:`microbiome.detection.limits`.
    """
    reads = study.samples.set_index("sample")["reads"] if "reads" in study.samples else None
    known = abundance.loc[abundance.index.isin(study.samples["sample"])]
    return limits(known, reads, evidence)


def study_groups(study: Study) -> list[pd.Series]:
    """Return arm and response of each subject (index), where the subjects table has them."""
    found = []
    if "arm" in study.subjects:
        found.append(study.subjects.set_index("subject")["arm"])
    if {"responder", "best_response"} & set(study.subjects.columns):
        found.append(responder(study.subjects))
    return found


def study_depth_warnings(table: pd.DataFrame, study: Study, posts: pd.DataFrame) -> list[str]:
    """Say where depth differs between baselines and post samples, between arms, or with response.

    Parameters
    ----------
    table
        Limits of the samples that are compared.
    study
        Its subjects table has arm and response.
    posts
        As in :class:`microbiome.triads.Triads`.

    Returns
    -------
    list of str
        Each sentence once; see :func:`microbiome.repair.depth_warnings`.
    """
    sentences = [text for groups in (None, *study_groups(study)) for text in depth_warnings(table, posts, groups)]
    return list(dict.fromkeys(sentences))


def repair_study(
    abundance: pd.DataFrame,
    study: Study,
    table: pd.DataFrame,
    method: str,
    detection: float = 0.0,
    seed: int = 0,
    also: Collection[str] = (),
) -> Repaired:
    """Bring every sample that a comparison of the study rests on to a common depth.

    Where a baseline is too shallow and left out, an earlier one takes its place: the repair is made again with it,
    until no sample is used that was not repaired.

    Parameters
    ----------
    abundance, study
        As in :func:`microbiome.triads.triads`.
    table
        Limits of all samples (:func:`study_limits`).
    method
        ``none``, ``threshold`` or ``thinning``.
    detection, seed
        As in :func:`microbiome.repair.repair`.
    also
        Further samples that are compared.

    Returns
    -------
    Repaired
        ``left_out`` holds all samples left out on the way.

    Raises
    ------
    InputError
        As :func:`microbiome.repair.repair`.
    """
    aligned = triads(abundance, study)
    left_out: list[str] = []
    while True:
        used = {*relevant_samples(study, aligned.posts, aligned.products), *also} - set(left_out)
        repaired = repair(abundance, table[table["sample"].isin(used)], method, detection, seed)
        if not repaired.left_out:
            break
        left_out += repaired.left_out
        try:
            aligned = triads(abundance.loc[~abundance.index.isin(left_out)], study)
        except InputError:
            # No post sample is deep enough: whoever asks finds none.
            break
    if left_out:
        values = repaired.abundance.copy()
        values.loc[values.index.isin(left_out)] = np.nan
        repaired = replace(repaired, abundance=values, left_out=tuple(left_out))
    return repaired


def describe_limits(
    abundance: pd.DataFrame, study: Study, detection: float = 0.0, evidence: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Return the limits of a study as they are used for certainty, and in words what they rest on.

    Parameters
    ----------
    abundance, study, evidence
        As in :func:`study_limits`.
    detection
        Threshold that the limits are to hold for.

    Returns
    -------
    table
        Columns of :data:`microbiome.tables.LIMITS`, scaled by the detection curve where one could be fitted.
    comments
        What the curve rests on, and a sentence for every contrast that differs in depth.

    Raises
    ------
    InputError
        As :func:`microbiome.triads.triads`, and when `detection` is not possible.
    """
    checked_detection(abundance, detection)
    aligned = triads(abundance, study)
    table = study_limits(abundance, study, evidence)
    curve, text = fit_curve(abundance, study, table)
    compared = table[table["sample"].isin(relevant_samples(study, aligned.posts, aligned.products))]
    comments = [text, *study_depth_warnings(compared, study, aligned.posts)]
    if curve is not None:
        return curve.apply(table, detection), comments
    return table.assign(limit=detection_limit(table["unit"].to_numpy(dtype=np.float64), detection)), comments
