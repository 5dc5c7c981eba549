"""Cox regression of survival on clinical and microbial predictors, one at a time or together."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from microbiome.clinical.cox_rows import Question, Settings, family_rows, model_rows
from microbiome.clinical.endpoints import Clock, Cohort, clock, cohort, latest
from microbiome.clinical.predictors import SCALES, TRANSFORMS, Values, cut_in_two, values_at
from microbiome.clinical.survival_groups import Prepared, log_warnings, prepare
from microbiome.clinical.survival_tables import CLINICAL_SURVIVAL, ENDPOINTS
from microbiome.compare.material import Row
from microbiome.errors import Problem, raise_problems
from microbiome.subject_groups import no_such_column
from microbiome.validation import as_table

__all__ = ["cox"]

logger = logging.getLogger(__name__)

_INTERVALS = ("profile", "wald")
# More predictors than this are fitted by Newton's method alone: lifelines comes to the same, in five times the time.
_SCAN = 20


def cox(
    subjects: pd.DataFrame,
    predictors: Sequence[str] = (),
    covariates: Sequence[str] = (),
    features: pd.DataFrame | None = None,
    window: Sequence[float] | None = None,
    joint: bool = False,
    endpoints: Sequence[str] = (),
    scale: str = "sd",
    transform: str = "none",
    cut: float | None = None,
    categorical: Sequence[str] = (),
    strata: str | None = None,
    prevalence: float = 0.0,
    ties: str = "efron",
    interval: str = "profile",
    level: float = 0.95,
    landmark: float | None = None,
    measured: Mapping[str, float] | None = None,
    naive: bool = False,
    group_order: Sequence[str] = (),
    among: Mapping[str, str] | None = None,
    source: str = "features",
    file: str = "subjects",
) -> pd.DataFrame:
    """Regress survival on predictors (:func:`microbiome.clinical.cox_model.fit_model`).

    Parameters
    ----------
    subjects
        As in :func:`microbiome.clinical.survival.survival`.
    predictors
        Columns of `subjects`, each in a model of its own.
    covariates
        Columns of `subjects` that are held constant in every model.
    features
        Numbers per sample (:func:`microbiome.clinical.predictors.sampled`); each column is a predictor too.
    window
        Which samples they are taken from (:func:`microbiome.clinical.predictors.values_at`): the last with day <= 0
        where there are any, else the first visit. From samples after FMT the clock starts on the last day of the
        window, and only who is at risk then counts.
    joint
        All predictors in one model, instead of one at a time.
    endpoints, strata, level, landmark, measured, naive, group_order, among, file
        As in :func:`microbiome.clinical.survival.survival`; each stratum has a baseline hazard of its own.
    scale, transform, categorical
        As in :func:`microbiome.clinical.predictors.make_term`.
    cut
        Percentile (of all subjects that have a value) at which numbers are cut into ``high`` and ``low``.
    prevalence
        Features that are above 0 in a smaller share of the subjects are not tested; their rows say so.
    ties
        ``efron`` or ``breslow``.
    interval
        ``profile`` (likelihood) or ``wald``.
    source
        Name of the features in the table.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.clinical.survival_tables.CLINICAL_SURVIVAL`: for each predictor its hazard ratios
        and a row about the model (``concordance``). What cannot be tested stays with the reason in ``note``.

    Raises
    ------
    InputError
        With all problems at once; those of :func:`microbiome.clinical.survival.survival`, and a predictor measured
        after the day on which the clock starts unless `naive`.
    """
    days = dict(measured or {})
    ready = prepare(subjects, endpoints, among, file, level, "log_log", landmark, days)
    problems = ready.problems
    problems += _option_problems(scale, transform, cut, ties, interval, prevalence)
    names, held = list(dict.fromkeys(predictors)), list(dict.fromkeys(covariates))
    _check_columns(ready, names, held, categorical, strata)
    clocks = {name: clock(name, days, landmark, naive, problems) for name in [*names, *held]}
    under = [*(clocks[name] for name in held), *ready.chosen(strata, days, landmark, naive)]
    values = None if features is None else values_at(features, window, landmark, naive, problems)
    if features is None and not names:
        problems.append(Problem("there is no predictor", "name columns, or give features", column="predictors"))
    raise_problems(problems)
    log_warnings(problems)
    blocks = None if strata is None else ready.column(strata, "strata")
    adjust = {name: ready.subjects[name] for name in held}
    questions = _questions(ready.subjects, names, clocks, values, source, cut)
    quick = len(questions) > _SCAN
    settings = Settings(
        scale, transform, tuple(categorical), tuple(group_order), strata, ties, interval, level, prevalence, quick
    )
    rows: list[Row] = []
    for endpoint in ready.endpoints:
        at_risk: dict[float, Cohort] = {}
        own: list[Row] = []
        for together in [questions] if joint else [[question] for question in questions]:
            started = latest([question.clock for question in together] + under)
            if started.landmark not in at_risk:
                at_risk[started.landmark] = cohort(ready.subjects, endpoint, started.landmark)
            members = at_risk[started.landmark]
            own += model_rows(members, endpoint, together, started, adjust, blocks, settings, joint)
        rows += family_rows(own, endpoint)
    return as_table(rows, CLINICAL_SURVIVAL)


def _questions(
    subjects: pd.DataFrame,
    names: Sequence[str],
    clocks: Mapping[str, Clock],
    values: Values | None,
    source: str,
    cut: float | None,
) -> list[Question]:
    """Return the predictors with their values by subject, those of the subjects table first."""
    found = [Question(name, "subjects", subjects[name], clocks[name]) for name in names]
    if values is not None:
        table = values.table.reindex(subjects.index)
        unknown = [str(name) for name in values.table.index if name not in subjects.index]
        if unknown:
            words = "subjects with samples that are not among the patients analysed are left out: %s"
            logger.warning(words, ", ".join(unknown))
        absent = pd.Series(~table.index.isin(values.table.index), index=table.index)
        for name in values.table:
            found.append(Question(str(name), source, table[name], values.clock, values.words, values.lacking, absent))
    if cut is None:
        return found
    return [question.cut_at(cut, cut_in_two) for question in found]


def _check_columns(
    ready: Prepared, names: Sequence[str], held: Sequence[str], categorical: Sequence[str], strata: str | None
) -> None:
    known = [str(name) for name in ready.subjects if name != "subject"]
    reserved = [f"{endpoint}_{part}" for endpoint in ENDPOINTS for part in ("days", "event")]
    wanted = {"predictors": names, "covariates": held, "categorical": categorical}
    wanted |= {"strata": [strata] if strata else []}
    for option, columns in wanted.items():
        for name in columns:
            if name in reserved:
                words = f"{name!r} is an endpoint and predicts itself"
                ready.problems.append(Problem(words, "choose another column", column=option, value=name))
            elif name not in known and option != "categorical":
                ready.problems.append(no_such_column(name, known, option, "subjects"))
    for name in [name for name in names if name in held]:
        words = f"{name!r} is predictor and covariate"
        ready.problems.append(Problem(words, "leave it out of one", column="covariates", value=name))


def _option_problems(
    scale: str, transform: str, cut: float | None, ties: str, interval: str, prevalence: float
) -> list[Problem]:
    problems = []
    for option, value, allowed in (
        ("scale", scale, SCALES),
        ("transform", transform, TRANSFORMS),
        ("ties", ties, ("efron", "breslow")),
        ("interval", interval, _INTERVALS),
    ):
        if value not in allowed:
            problems.append(Problem(f"{option} {value!r} is not known", f"use {', '.join(allowed)}", column=option))
    if cut is not None and not (0 < cut < 100 and math.isfinite(cut)):
        words = f"{cut:g} is not a percentile between 0 and 100"
        problems.append(Problem(words, "give 50 for the median; the best cutpoint is not offered", column="cut"))
    if not 0 <= prevalence <= 1:
        problems.append(Problem(f"prevalence {prevalence:g} is not in 0..1", "give a share", column="prevalence"))
    return problems
