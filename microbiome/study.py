"""The study: who gave which stool when, who received what, and which samples are compared with which."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from microbiome.errors import Problem, raise_problems
from microbiome.study_checks import study_problems
from microbiome.study_tables import Study
from microbiome.tables import DOSES, SAMPLES, SUBJECTS
from microbiome.tsv import empty_table, parse_table

__all__ = ["Study", "donor_products", "post_samples", "read_study", "study_problems"]

logger = logging.getLogger(__name__)


def read_study(
    samples: str | Path,
    subjects: str | Path | None = None,
    doses: str | Path | None = None,
    allow_missing_baseline: bool = True,
) -> Study:
    """Read and validate the tables of a study.

    Parameters
    ----------
    samples, subjects, doses
        Paths of the TSV tables; the last two may be absent.
    allow_missing_baseline
        A recipient without a sample on or before day 0 has no outcomes; False makes that an error.

    Raises
    ------
    InputError
        With every problem of every table, or where each is good by itself, every problem between them. Warnings are
        logged.
    """
    problems: list[Problem] = []
    frames: list[pd.DataFrame] = []
    names: list[str] = []
    for path, table in ((samples, SAMPLES), (subjects, SUBJECTS), (doses, DOSES)):
        names.append(str(path) if path else f"{table.name}.tsv")
        if not path:
            frames.append(empty_table(table))
            continue
        frame, found = parse_table(path, table)
        problems += found
        frames.append(frame)
    raise_problems(problems)
    study = Study(*frames)
    problems += study_problems(study, names[0], names[1], names[2], allow_missing_baseline, bool(doses))
    raise_problems(problems)
    for problem in problems:
        logger.warning("%s", problem)
    return study


def post_samples(study: Study, profiled: Collection[str] | None = None) -> pd.DataFrame:
    """List every sample taken after FMT (or after day 0 of a placebo or control) with the baseline it is compared to.

    Parameters
    ----------
    study
        The study.
    profiled
        Samples that have a profile; the baseline is the last of these with day <= 0. None takes all as profiled.

    Returns
    -------
    DataFrame
        One row per sample with day > 0 of a recipient or control, by subject (order of the samples table) and day:
        ``subject``,
        ``sample``, ``day``, ``baseline_sample`` (None where there is none), ``baseline_day``, ``arm``, ``profiled``.
        Of several baseline samples of
        one day the last row of the table counts.
    """
    has = set(study.samples["sample"]) if profiled is None else set(profiled)
    samples = study.samples[study.samples["role"].isin(["recipient", "control"]) & study.samples["day"].notna()]
    arms: dict[str, str | None] = {}
    if "arm" in study.subjects:
        arms = dict(zip(study.subjects["subject"], study.subjects["arm"], strict=True))
    # Plain lists: a frame for each of a thousand subjects takes seconds.
    dated: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for subject, sample, day in zip(samples["subject"], samples["sample"], samples["day"].astype(int), strict=True):
        dated[subject].append((day, sample))
    rows: list[tuple[object, ...]] = []
    for subject, own in dated.items():
        own.sort(key=lambda pair: pair[0])
        before = [(day, sample) for day, sample in own if day <= 0 and sample in has]
        day_before, baseline = before[-1] if before else (None, None)
        for day, sample in own:
            if day > 0:
                rows.append((subject, sample, day, baseline, day_before, arms.get(subject), sample in has))
    columns = ["subject", "sample", "day", "baseline_sample", "baseline_day", "arm", "profiled"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"day": "Int64", "baseline_day": "Int64", "profiled": bool})


def donor_products(study: Study, profiled: Collection[str] | None = None) -> pd.DataFrame:
    """List the donor products that each post sample's subject had received on or before its day.

    Parameters
    ----------
    study
        The study.
    profiled
        Samples that have a profile; None takes all as profiled.

    Returns
    -------
    DataFrame
        One row per post sample and product: ``subject``, ``sample`` (the post sample), ``dose_day`` (first day the
        product was received),
        ``donor``, ``donor_sample``, ``profiled``. A dose without ``donor_sample`` stands for all samples of that
        donor; a donor without any
        sample gives one row with ``donor_sample`` None and ``profiled`` False. A post sample of a subject without
        doses has no row.
    """
    has = set(study.samples["sample"]) if profiled is None else set(profiled)
    donors = study.samples[study.samples["role"] == "donor"]
    of_donor: dict[str, list[str | None]] = defaultdict(list)
    for sample, donor in zip(donors["sample"], donors["subject"], strict=True):
        of_donor[donor].append(sample)
    received: dict[str, list[tuple[int, str, str | None]]] = defaultdict(list)
    for subject, day, donor, sample in study.doses[["subject", "day", "donor", "donor_sample"]].itertuples(index=False):
        for product in [sample] if sample is not None else of_donor.get(donor, [None]):
            received[subject].append((int(day), donor, product))
    rows: list[tuple[object, ...]] = []
    for subject, post, day in post_samples(study)[["subject", "sample", "day"]].itertuples(index=False):
        seen: set[tuple[str, str | None]] = set()
        for dose_day, donor, product in sorted(received.get(subject, []), key=lambda dose: dose[0]):
            if dose_day <= day and (donor, product) not in seen:
                seen.add((donor, product))
                rows.append((subject, post, dose_day, donor, product, product in has))
    columns = ["subject", "sample", "dose_day", "donor", "donor_sample", "profiled"]
    return pd.DataFrame(rows, columns=columns).astype({"dose_day": "Int64", "profiled": bool})
