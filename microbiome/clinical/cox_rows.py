"""Rows of Cox models: who is in them, their terms, and q-values over a family of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.clinical.cox_model import fit_model
from microbiome.clinical.cox_parts import Fit, Ratio, Term, Tested
from microbiome.clinical.endpoints import Clock, Cohort
from microbiome.clinical.predictors import make_term
from microbiome.compare.material import Row, joined
from microbiome.stats import benjamini_hochberg

__all__ = ["Question", "Settings", "family_rows", "model_rows"]

# With fewer events for each coefficient ratios are biased away from 1 (Peduzzi 1995, 10.1016/0895-4356(95)00048-8).
_FEW = 10.0
# With fewer events than this the likelihood-ratio test rejects some 7 % of trials in which nothing is true.
_FEW_EVENTS = 20
# Hazards are called not proportional below this p-value.
_PROPORTIONAL = 0.05


@dataclass(frozen=True)
class Settings:
    """How models are fitted: as in :func:`microbiome.clinical.cox.cox`, and `quick` as in :func:`.fit_model`."""

    scale: str
    transform: str
    categorical: tuple[str, ...]
    order: tuple[str, ...]
    strata: str | None
    ties: str
    interval: str
    level: float
    prevalence: float
    quick: bool = False


@dataclass(frozen=True)
class Question:
    """One predictor.

    Parameters
    ----------
    name, source
        The predictor and the table that it is from.
    column
        Its value for each subject (index), missing where it has none.
    clock
        From when times count.
    words
        Which samples it is taken from; empty for a column of the subjects table.
    lacking
        Why a subject has no sample.
    absent
        Which subjects have none.
    cut
        Labels, percentile and threshold where it is cut in two.
    """

    name: str
    source: str
    column: pd.Series
    clock: Clock
    words: str = ""
    lacking: str = ""
    absent: pd.Series | None = None
    cut: tuple[pd.Series, float, float] | None = None

    def cut_at(self, percentile: float, cutter: Callable[[pd.Series, float], tuple[pd.Series, float]]) -> Question:
        """Return the question with its numbers cut in two; words stay as they are."""
        numbers = pd.to_numeric(self.column, errors="coerce").astype("Float64").astype(float)
        if numbers.notna().sum() < self.column.notna().sum() or numbers.nunique() <= 2:
            return self
        labels, threshold = cutter(numbers, percentile)
        return replace(self, cut=(labels, percentile, threshold))


def model_rows(
    members: Cohort,
    endpoint: str,
    questions: Sequence[Question],
    clock: Clock,
    covariates: Mapping[str, pd.Series],
    strata: pd.Series | None,
    settings: Settings,
    joint: bool = False,
) -> list[Row]:
    """Return the rows of one model: hazard ratios of its predictors, then one about the model.

    Parameters
    ----------
    members
        Who is at risk when the clock starts.
    endpoint
        ``pfs`` or ``os``.
    questions
        The predictors in the model; several in a joint one.
    clock
        From when times count.
    covariates, strata
        Values of each subject (index).
    settings
        How it is fitted.
    joint
        Whether it is the joint model.
    """
    for question in questions:
        if question.absent is not None:
            members = members.only(question.absent.index[~question.absent], question.lacking)
    # A list: a feature may be called as a column of the subjects table is.
    columns = [(question.name, question.column) for question in questions] + list(covariates.items())
    columns += [] if strata is None else [(str(settings.strata), strata)]
    for name, values in columns:
        text = values.astype(object)
        members = members.only(values.index[text.notna() & (text != "")], f"without {name}")
    base: Row = {
        "endpoint": endpoint,
        "analysis": "cox_joint" if joint else "cox",
        "n": len(members.time),
        "events": int(members.event.sum()),
        "level": settings.level,
        "method": clock.method(_method(settings, list(covariates))),
        "landmark": clock.landmark,
        "excluded": len(members.excluded),
        "exclusions": members.exclusions,
    }
    made = [_term(question, members, settings) for question in questions]
    wrong = [one for one in made if isinstance(one, str)]
    said = list(clock.notes)
    if wrong:
        return _bare(base, questions, joint, [one if isinstance(one, str) else wrong[0] for one in made], said)
    terms = [one for one in made if isinstance(one, Term)]
    for name, values in covariates.items():
        term = _term(Question(name, "subjects", values, clock), members, replace(settings, prevalence=0.0))
        if isinstance(term, str):
            said.append(f"covariate left out: {term}")
        else:
            terms.append(term)
    base["method"] = clock.method(_method(settings, [term.name for term in terms[len(questions) :]]))
    labels = None if strata is None else strata.reindex(members.time.index).astype(str).to_numpy(dtype=object)
    fit = fit_model(
        terms,
        members.time.to_numpy(dtype=float),
        members.event.to_numpy(dtype=bool).astype(int),
        None if labels is None else labels.astype(str),
        settings.ties,
        settings.interval,
        settings.level,
        len(questions),
        settings.quick,
    )
    if fit.untestable:
        return _bare(base, questions, joint, [fit.untestable] * len(questions), said)
    per = float(str(base["events"])) / fit.variables
    base |= {"events_per_variable": per}
    said += [f"{per:.1f} events per coefficient: with fewer than {_FEW:g} ratios may be far off"] if per < _FEW else []
    small = int(members.event.sum()) < _FEW_EVENTS
    said += ["few events: a p-value near 0.05 is really some 0.07"] if small else []
    rows: list[Row] = []
    for place, (question, term) in enumerate(zip(questions, terms, strict=False)):
        rows += _term_rows(base, question, term, fit, place, said)
    return [*rows, _about(base, questions, joint, fit, said, settings.level)]


def _method(settings: Settings, held: Sequence[str]) -> str:
    interval = "wald" if settings.interval == "wald" else "profile_likelihood"
    method = f"cox ({settings.ties} ties), {interval} interval, likelihood_ratio test"
    method += f"; adjusted for {', '.join(held)}" if held else ""
    return f"{method}; strata {settings.strata}" if settings.strata else method


def _term(question: Question, members: Cohort, settings: Settings) -> Term | str:
    values = question.column.reindex(members.time.index)
    if values.empty:
        return "nobody is left"
    if settings.prevalence > 0 and question.source != "subjects":
        present = float((values > 0).mean())
        if present < settings.prevalence:
            count = int((values > 0).sum())
            return f"above 0 in {count} of {len(values)}, fewer than the share {settings.prevalence:g} asked for"
    transform = settings.transform if question.source != "subjects" else "none"
    return make_term(
        question.name, values, settings.scale, transform, question.cut, settings.categorical, settings.order
    )


def _bare(
    base: Row, questions: Sequence[Question], joint: bool, reasons: Sequence[str], said: Sequence[str]
) -> list[Row]:
    """Return rows without numbers."""
    rows = [
        base
        | {
            "predictor": question.name,
            "source": question.source,
            "quantity": "hazard_ratio",
            "note": joined([f"not testable: {reason}", question.words, *said]),
        }
        for question, reason in zip(questions, reasons, strict=True)
    ]
    if joint:
        rows.append(base | {"quantity": "concordance", "note": joined([f"not testable: {reasons[0]}", *said])})
    return rows


def _term_rows(base: Row, question: Question, term: Term, fit: Fit, place: int, said: Sequence[str]) -> list[Row]:
    tested, hazards, ratios = fit.likelihood[place], fit.hazards[place], fit.ratios[place]
    row = base | {"predictor": question.name, "source": question.source}
    about = [term.note, question.words, *said]
    crossing = f"hazards are not proportional (p {hazards.p_value:.2g}): the ratio is an average over time"
    about += [crossing] if hazards.p_value < _PROPORTIONAL else []
    several = len(ratios) > 1
    rows = [
        row
        | _ratio_cells(ratio)
        | _test_cells(ratio.likelihood if several else tested)
        | {
            "quantity": "hazard_ratio",
            "group": term.levels[number] if term.levels else None,
            "reference": term.reference or None,
            "unit": term.units[number],
            "ph_statistic": math.nan if several else hazards.statistic,
            "ph_p_value": math.nan if several else hazards.p_value,
            "note": joined([ratio.note, *about]),
        }
        for number, ratio in enumerate(ratios)
    ]
    if several:
        rows.append(
            row
            | _test_cells(tested)
            | {
                "quantity": "all_levels",
                "group": " / ".join(term.levels),
                "reference": term.reference,
                "ph_statistic": hazards.statistic,
                "ph_p_value": hazards.p_value,
                "note": joined(about),
            }
        )
    return rows


def _about(base: Row, questions: Sequence[Question], joint: bool, fit: Fit, said: Sequence[str], level: float) -> Row:
    """Return the row about the whole model."""
    value, error = fit.harrell
    half = float(stats.norm.ppf((1 + level) / 2)) * error
    hazards = fit.hazards[-1]
    no_bounds = "" if error > 0 else "no bounds: the error of the concordance is 0"
    cells: Row = {} if joint else {"predictor": questions[0].name, "source": questions[0].source}
    return (
        base
        | cells
        | _test_cells(fit.model)
        | {
            "quantity": "concordance",
            "estimate": value,
            "ci_low": max(0.0, value - half) if error > 0 else math.nan,
            "ci_high": min(1.0, value + half) if error > 0 else math.nan,
            "method": f"{base['method']}; harrell, infinitesimal_jackknife",
            "ph_statistic": hazards.statistic,
            "ph_p_value": hazards.p_value,
            "note": joined([no_bounds, *said]),
        }
    )


def _ratio_cells(ratio: Ratio) -> Row:
    return {"estimate": ratio.ratio, "ci_low": ratio.low, "ci_high": ratio.high, "p_wald": ratio.wald}


def _test_cells(tested: Tested) -> Row:
    return {"statistic": tested.statistic, "df": tested.df or None, "p_value": tested.p_value}


def family_rows(rows: list[Row], endpoint: str) -> list[Row]:
    """Return the rows with q-values: over the predictors of one source, one p-value each."""
    leading: dict[str, dict[str, int]] = {}
    for place, row in enumerate(rows):
        # Of a predictor with several levels the row of all of them stands after those of each.
        if row["quantity"] in ("hazard_ratio", "all_levels"):
            leading.setdefault(str(row["source"]), {})[str(row["predictor"])] = place
    found = list(rows)
    for source, places in leading.items():
        p = [rows[place].get("p_value") for place in places.values()]
        numbers = np.array([float(value) if isinstance(value, float) else math.nan for value in p])
        tested = int((~np.isnan(numbers)).sum())
        words = f"{tested} predictor{'' if tested == 1 else 's'} of {source}, {endpoint}"
        for place, q in zip(places.values(), benjamini_hochberg(numbers), strict=True):
            found[place] = rows[place] | {"q_value": float(q), "family": words if not np.isnan(q) else None}
    return found
