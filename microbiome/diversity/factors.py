"""Factors of a test: columns of the samples and subjects tables, aligned with a distance matrix."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import skbio

from microbiome.config_keys import SAMPLE_CHOICES
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.response import responder
from microbiome.study import Study
from microbiome.subject_groups import as_groups

__all__ = ["aligned", "as_factor", "samples_of", "untestable", "with_subjects"]

logger = logging.getLogger(__name__)


def with_subjects(study: Study) -> pd.DataFrame:
    """Return the samples table with what is known of each subject (arm, response, ...) beside it.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    DataFrame
        The samples table, its index kept, followed by the columns of the subjects table that it does not have itself.
        ``responder`` is derived from ``best_response`` where it is not given. Missing where the subject is not known.
    """
    subjects = study.subjects
    if {"responder", "best_response"} & set(subjects.columns):
        subjects = subjects.assign(responder=responder(subjects).to_numpy())
    both = [name for name in subjects if name != "subject" and name in study.samples]
    if both:
        logger.warning("both tables have %s: that of the samples table is used", ", ".join(map(str, both)))
    own = [name for name in subjects if name == "subject" or name not in study.samples]
    joined = study.samples.merge(subjects[own], on="subject", how="left")
    joined.index = study.samples.index
    return joined


def samples_of(study: Study, which: str, among: Collection[str]) -> list[str]:
    """Return the samples that a comparison is restricted to.

    Parameters
    ----------
    study
        The study.
    which
        ``all``; ``recipients`` (those of recipients and controls); of these ``baseline`` (the last with day <= 0 of
        each subject) or ``post`` (day > 0).
    among
        Samples that there are, for example those of a distance matrix.

    Returns
    -------
    list of str
        In the order of the samples table.
    """
    if which not in SAMPLE_CHOICES:
        raise InputError(Problem(f"{which!r} is no choice of samples", f"use one of {', '.join(SAMPLE_CHOICES)}"))
    samples = study.samples[study.samples["sample"].isin(list(among))]
    if which == "all":
        return list(samples["sample"])
    samples = samples[samples["role"] != "donor"]
    if which == "post":
        samples = samples[(samples["day"] > 0).fillna(False)]
    if which == "baseline":
        before = samples[(samples["day"] <= 0).fillna(False)].sort_values("day", kind="stable")
        samples = samples.loc[before.drop_duplicates("subject", keep="last").index.sort_values()]
    return list(samples["sample"])


def untestable(samples: int, levels: int, is_number: bool) -> list[str]:
    """Say why a factor cannot be tested; nothing where it can."""
    if not samples:
        return ["not testable: no sample has a value"]
    if levels == 1:
        return ["not testable: all samples have the same value"]
    if not is_number and levels == samples:
        return ["not testable: every sample is a group of its own"]
    if samples < 3:
        return ["not testable: fewer than three samples"]
    return []


def aligned(distances: skbio.DistanceMatrix, samples: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows of `samples` in the order of the matrix, the index kept; complain of all that does not fit."""
    problems: list[Problem] = []
    known = list(samples.columns)
    for column in dict.fromkeys(["sample", *columns]):
        if column not in known:
            near = difflib.get_close_matches(column, known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, known))}"
            problems.append(Problem(f"there is no column {column!r}", fix, column=column, value=column))
    raise_problems(problems)
    names = samples["sample"]
    ids = list(distances.ids)
    for sample in names[names.duplicated() & names.isin(ids)].unique():
        problems.append(Problem(f"sample {sample!r} stands twice in the samples table", "keep one row", value=sample))
    position = {sample: place for place, sample in enumerate(names)}
    absent = [sample for sample in ids if sample not in position]
    if absent:
        problems.append(
            Problem(
                f"{len(absent)} samples of the distance matrix are not in the samples table: {', '.join(absent)}",
                "add their rows",
                column="sample",
                value=absent[0],
            )
        )
    raise_problems(problems)
    without = names[~names.isin(ids)].tolist()
    if without:
        logger.warning("%d samples have no distances and are left out: %s", len(without), ", ".join(map(str, without)))
    return samples.iloc[[position[sample] for sample in ids]]


def as_factor(column: pd.Series, continuous: bool, problems: list[Problem]) -> tuple[pd.Series, bool]:
    """Return a factor as groups (strings) or numbers, missing where it is empty, and which of the two it is."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numeric and not continuous:
        text = as_groups(column)
        as_numbers = pd.to_numeric(text, errors="coerce")
        if text.nunique() > 5 and as_numbers[text.notna()].notna().all():
            logger.warning(
                "%r holds numbers but is text, and is taken as %d groups; name it in continuous to regress on it",
                column.name,
                text.nunique(),
            )
        return text, False
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64").astype("float64")
    wrong = column.notna() & (column.astype(str) != "") & ~np.isfinite(numbers)
    for line, value in column[wrong].items():
        at = int(str(line)) if column.index.name == "line" else None
        fix = "leave it empty where it is unknown, or do not name the column in continuous"
        problems.append(Problem(f"{value!r} is not a number", fix, line=at, column=str(column.name), value=str(value)))
    if numeric and not continuous and numbers.nunique() <= 2:
        return numbers.map(lambda value: f"{value:g}", na_action="ignore").astype(object), False
    return numbers, True
