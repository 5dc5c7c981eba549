"""The three tables of a study, kept together."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from microbiome.tables import DOSES, SUBJECTS
from microbiome.tsv import empty_table

__all__ = ["Study"]


def _no_subjects() -> pd.DataFrame:
    return empty_table(SUBJECTS)


def _no_doses() -> pd.DataFrame:
    return empty_table(DOSES)


@dataclass(frozen=True)
class Study:
    """The three tables of a study, validated together.

    Parameters
    ----------
    samples
        One row per sample: ``sample``, ``subject``, ``role``, ``day`` (:data:`microbiome.tables.SAMPLES`).
    subjects
        One row per subject; empty when nothing is known of them.
    doses
        One row per donor product received; empty when nobody received any.

    Notes
    -----
    Make it with :func:`microbiome.study.read_study`, or from frames of your own followed by
    :func:`microbiome.study_checks.study_problems`.
    """

    samples: pd.DataFrame
    subjects: pd.DataFrame = field(default_factory=_no_subjects)
    doses: pd.DataFrame = field(default_factory=_no_doses)
