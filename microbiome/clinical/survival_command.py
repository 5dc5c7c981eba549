"""All of ``microbiome clinical survival`` in one call: tables read and checked together, and what each part gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from microbiome.clinical.cox import cox
from microbiome.clinical.curves import curves
from microbiome.clinical.endpoints import AFTER_FMT, endpoint_problems, endpoints_of
from microbiome.clinical.predictors import cut_in_two, sampled, values_at
from microbiome.clinical.survival import survival
from microbiome.clinical.survival_groups import prepare
from microbiome.errors import Problem, collecting, raise_problems
from microbiome.strains.rate_tables import STRAIN_RATE_NAMES
from microbiome.subject_groups import no_such_column
from microbiome.tables import RATE_NAMES, SAMPLES, SUBJECTS, Column, Table
from microbiome.tsv import parse_table, read_result

__all__ = ["Request", "survival_command"]

_PER_SAMPLE = Table(
    "features",
    "One row per sample, with numbers.",
    (
        Column("sample", "id", "One stool library.", required=True, filled=True),
        Column("subject", "id", "One person."),
        Column("day", "number", "Days since the subject's first dose.", unit="days"),
    ),
    key=("sample",),
)
# More predictors than this are a scan: their cuts get no Kaplan-Meier of their own.
_MOST_CUTS = 12


@dataclass(frozen=True)
class Request:
    """The options of the command, as :func:`microbiome.clinical.survival.survival` and :func:`.cox.cox` have them.

    `subjects`, `samples`, `features` and `profile` are paths; `rate` are columns of the features, `taxa` of the
    profile; `measured` are texts ``COLUMN=DAY``.
    """

    subjects: str
    samples: str | None = None
    features: str | None = None
    rate: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    rank: str = "auto"
    taxa: tuple[str, ...] = ()
    prevalence: float = 0.1
    predictors: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    window: tuple[float, ...] | None = None
    joint: bool = False
    scale: str = "sd"
    transform: str = "none"
    categorical: tuple[str, ...] = ()
    cut: float | None = None
    ties: str = "efron"
    cox_interval: str = "profile"
    by: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    times: tuple[float, ...] = (365,)
    interval: str = "log_log"
    until: float | None = None
    permutations: int = 9999
    landmark: float | None = None
    measured: tuple[str, ...] = ()
    naive: bool = False
    among: Mapping[str, str] = field(default_factory=dict)
    group_order: tuple[str, ...] = ()
    strata: str | None = None
    level: float = 0.95
    seed: int = 0
    curves: bool = False


def survival_command(request: Request) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Read the tables and return the survival table and, where asked for, the curves.

    Raises
    ------
    InputError
        With the problems of all tables and options.
    """
    problems: list[Problem] = []
    subjects, found = parse_table(request.subjects, SUBJECTS)
    problems += found
    # What could be read is checked in the same go, so that nobody has to start three times. A cell that could not be
    # understood is missing in the frame, and is not complained of a second time.
    named = {(problem.line, problem.column) for problem in found}
    names = endpoints_of(subjects, request.endpoints, problems, request.subjects) if len(subjects.columns) > 1 else []
    for problem in endpoint_problems(subjects, names, request.subjects):
        other = problem.column.replace("_days", "_event") if "_days" in problem.column else ""
        if not {(problem.line, problem.column), (problem.line, other)} & named and problem.level == "error":
            problems.append(problem)
    sources = _sources(request, problems)
    measured = _measured(request.measured, problems)
    if any(problem.level == "error" for problem in problems):
        raise_problems(sorted([*problems, *_unknown(request, subjects)], key=lambda problem: problem.line or 10**9))
    by, order = list(request.by), list(request.group_order)
    parts: list[pd.DataFrame] = []
    lagging = dict(measured)
    with collecting(problems):
        if request.cut is not None and 0 < request.cut < 100 and not request.joint:
            subjects, cuts = _cut_columns(request, subjects, sources, lagging, problems)
            by += cuts
            order += [name for name in ("low", "high") if cuts and name not in order]
    wanted: dict[str, Any] = {"endpoints": request.endpoints, "level": request.level, "landmark": request.landmark}
    wanted |= {"naive": request.naive, "among": request.among or None, "file": request.subjects}
    with collecting(problems):
        parts.append(
            survival(
                subjects,
                by,
                times=request.times,
                interval=request.interval,
                until=request.until,
                strata=request.strata,
                permutations=request.permutations,
                seed=request.seed,
                measured=lagging,
                group_order=[name for name in order if _is_group(subjects, by, name)],
                **wanted,
            )
        )
    for number, (source, table) in enumerate(sources or ([("subjects", None)] if request.predictors else [])):
        with collecting(problems):
            parts.append(
                cox(
                    subjects,
                    # Columns of the subjects table are looked at once, or in a joint model beside each table.
                    request.predictors if number == 0 or request.joint else (),
                    request.covariates,
                    table,
                    request.window,
                    request.joint,
                    scale=request.scale,
                    transform=request.transform,
                    cut=request.cut,
                    categorical=request.categorical,
                    strata=request.strata,
                    prevalence=request.prevalence if source == "profile" and not request.taxa else 0.0,
                    ties=request.ties,
                    interval=request.cox_interval,
                    measured=measured,
                    group_order=order,
                    source=source,
                    **wanted,
                )
            )
    drawn = None
    if request.curves:
        with collecting(problems):
            drawn = curves(subjects, by, interval=request.interval, measured=lagging, **wanted)
    # Parts share their checks: each problem is said once.
    raise_problems(dict.fromkeys(problems))
    return pd.concat(parts, ignore_index=True), drawn


def _unknown(request: Request, subjects: pd.DataFrame) -> list[Problem]:
    """Return a problem for each column asked for that the subjects table does not have."""
    strata = (request.strata,) if request.strata else ()
    derived = ["responder"] if "best_response" in subjects else []
    known = list(dict.fromkeys([str(name) for name in subjects if name != "subject"] + derived))
    options = {"by": request.by, "predictors": request.predictors, "covariates": request.covariates, "strata": strata}
    return [
        no_such_column(name, known, option, "subjects")
        for option, names in options.items()
        for name in names
        if name not in known
    ]


def _sources(request: Request, problems: list[Problem]) -> list[tuple[str, pd.DataFrame]]:
    """Return the numbers per sample of each table that was given."""
    samples = None
    if request.samples:
        samples, found = parse_table(request.samples, SAMPLES)
        problems += found
    sources: list[tuple[str, pd.DataFrame]] = []
    if request.features:
        with collecting(problems):
            frame = read_result(request.features, _PER_SAMPLE)
            usual = [name for name in (*RATE_NAMES, *STRAIN_RATE_NAMES) if name in frame]
            sources.append(("features", sampled(frame, samples, request.rate or usual, problems, request.features)))
    elif request.rate:
        problems.append(Problem("rates are columns of a table that was not given", "give --features", column="rate"))
    if request.profile:
        from microbiome.metaphlan import read_abundance

        with collecting(problems):
            abundance = read_abundance(list(request.profile), request.rank)
            sources.append(("profile", sampled(abundance, samples, request.taxa, problems, "profile")))
    elif request.taxa:
        problems.append(Problem("taxa are rows of a profile that was not given", "give --profile", column="taxa"))
    return sources


def _measured(texts: tuple[str, ...], problems: list[Problem]) -> dict[str, float]:
    """Return the day of each column from texts ``COLUMN=DAY``."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, day = (part.strip() for part in text.rpartition("="))
        try:
            found[name] = float(day)
        except ValueError:
            name = ""
        if not name or not found[name] >= 0:
            words = f"{text!r} is not COLUMN=DAY"
            problems.append(Problem(words, "write responder=90", column="measured", value=text))
    return found


def _cut_columns(
    request: Request,
    subjects: pd.DataFrame,
    sources: list[tuple[str, pd.DataFrame]],
    lagging: dict[str, float],
    problems: list[Problem],
) -> tuple[pd.DataFrame, list[str]]:
    """Return the subjects with a column for each predictor that is cut in two, and the names of these columns.

    The day on which each is known is added to `lagging`.
    """
    cut = float(request.cut or 50)
    found: dict[str, pd.Series] = {}

    def add(name: str, values: pd.Series, day: float) -> None:
        numbers = pd.to_numeric(values, errors="coerce").astype("Float64").astype(float)
        if numbers.nunique() > 2 and numbers.notna().sum() == values.notna().sum():
            labels, threshold = cut_in_two(numbers, cut)
            column = f"{name} > {threshold:.4g} (percentile {cut:g})"
            found[column] = labels
            lagging[column] = day

    # The same subjects as Cox looks at, so that there is one threshold; what is wrong with them is said elsewhere.
    ready = prepare(subjects, request.endpoints, request.among, request.subjects, 0.95, "log_log", None, {})
    for name in [name for name in request.predictors if name in ready.subjects]:
        day = lagging.get(name, math.nan if name in AFTER_FMT else 0.0)
        # Cox refuses what is known on a later day that nobody has named.
        if not math.isnan(day) or request.landmark or request.naive:
            add(name, ready.subjects[name], day)
    for _, table in sources:
        taken = values_at(table, request.window, request.landmark, request.naive, problems)
        if len(taken.table.columns) <= _MOST_CUTS:
            # Asked for by name, the biased analysis is labelled by a day on which the values were known.
            late = float(table["day"].max()) if taken.clock.biased else 0.0
            for name in taken.table:
                add(str(name), taken.table[name].reindex(ready.subjects.index), late or taken.clock.landmark)
    columns = {name: subjects["subject"].map(labels).to_numpy() for name, labels in found.items()}
    return subjects.assign(**columns), list(columns)


def _is_group(subjects: pd.DataFrame, by: list[str], name: str) -> bool:
    """Tell whether an entry of the group order is a group, or nowhere (which is said); levels of predictors are not."""
    elsewhere = any(subjects[column].astype(str).eq(name).any() for column in subjects if column not in by)
    return any(subjects[column].astype(str).eq(name).any() for column in by if column in subjects) or not elsewhere
