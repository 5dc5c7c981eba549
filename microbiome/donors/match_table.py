"""Which taxa will be present after FMT, foretold in people, donors and cohorts that were not learnt from."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from microbiome.donors.match_features import Experience
from microbiome.donors.match_folds import JOIN, blocks, folds
from microbiome.donors.match_models import LEARNT, fit_model
from microbiome.donors.match_scores import FEW_DONORS, clustered_mean, pooled_auroc, subject_aurocs
from microbiome.donors.tables import CVS, DONOR_MATCH, DONOR_MATCH_SCORES, MODELS
from microbiome.errors import Problem, raise_problems
from microbiome.seeds import stream
from microbiome.stats.intervals import Interval

__all__ = ["PUBLISHED", "MatchTables", "cross_validate", "inner_units", "match"]

logger = logging.getLogger(__name__)

#: The published reference, with its source.
PUBLISHED = (
    "published reference: mean AUROC 0.77, leave-one-dataset-out, 226 triads, double zeroes left out "
    "(Ianiro 2022, 10.1038/s41591-022-01964-3)"
)
_REFERENCE = "donor_or_baseline"


class MatchTables(NamedTuple):
    """What :func:`match` returns.

    Parameters
    ----------
    scores, predictions
        Columns of :data:`microbiome.donors.tables.DONOR_MATCH_SCORES` and ``DONOR_MATCH``.
    """

    scores: pd.DataFrame
    predictions: pd.DataFrame


def match(
    rows: pd.DataFrame,
    cvs: Sequence[str] = CVS,
    models: Sequence[str] = LEARNT,
    trees: int = 200,
    seed: int = 0,
) -> MatchTables:
    r"""Foretell which taxa are present after FMT, and tell how well that goes in people not learnt from.

    Only taxa of donor or baseline are asked about, so that the bare rule "present in donor or baseline" says yes to
    all of them, at an AUROC of exactly 0.5. ``donor_or_baseline`` is what can be made of it: present in both comes
    before present in one. ``larger_abundance`` is the larger of the two abundances, ``prevalence`` the share of donors
    and baselines of the people learnt from that have the taxon. Models are told what :mod:`match_features` says.
    Everything learnt, prevalences as well, is learnt anew for every fold from the others; a subject, with ``donor`` a
    donor, and with ``cohort`` a cohort or donor, is never on both sides.

    ``subject_mean`` is the mean over subjects of their AUROC (each a mean over its samples), ``pooled`` that of all
    pairs of taxon and subject together. Intervals: :func:`microbiome.donors.match_scores.clustered_mean` and
    :func:`pooled_auroc`; with five donors or more both are for donors in general.

    Parameters
    ----------
    rows
        Of :func:`microbiome.donors.match_rows.match_rows`, or several studies by :func:`combine_rows`.
    cvs
        What is held out together: ``donor``, ``cohort``, ``subject`` (the same donors on both sides).
    models
        Which to learn, of ``random_forest`` and ``logistic``; the first gives the predictions.
    trees
        Of the forest.
    seed
        Of folds and forests.

    Returns
    -------
    MatchTables
        Scores of every model and rule over all folds, and per fold of donors and cohorts; a cross-validation that
        cannot be done has its rows with the reason (``not testable``) and no predictions.

    Raises
    ------
    InputError
        An unknown cross-validation or model.
    """
    problems = [
        Problem(f"{what} {word!r} is not known", f"use {', '.join(known)}", value=word)
        for what, words, known in (("cross-validation", cvs, CVS), ("model", models, LEARNT))
        for word in words
        if word not in known
    ]
    if not models:
        problems.append(Problem("no model is named", f"use {', '.join(LEARNT)}"))
    if trees < 1:
        problems.append(Problem(f"{trees} trees make no forest", "give at least 1", value=str(trees)))
    raise_problems(problems)
    everything = (*models, *(name for name in MODELS if name not in LEARNT))
    scores, predictions = [], []
    for cv in dict.fromkeys(cvs):
        if one_outcome(rows) or blocks(rows, cv).nunique() < 2:
            scores += _untestable(rows, cv, everything)
            continue
        tested = cross_validate(rows, cv, models, trees, seed)
        scores += _scores(tested, cv, everything)
        predictions.append(tested.assign(cv=cv, predicted=tested[models[0]])[DONOR_MATCH.names])
    empty = pd.DataFrame(columns=DONOR_MATCH.names)
    return MatchTables(
        pd.DataFrame(scores)[DONOR_MATCH_SCORES.names],
        pd.concat(predictions, ignore_index=True) if predictions else empty,
    )


def one_outcome(rows: pd.DataFrame) -> str:
    """Return why there is nothing to tell apart: all taxa, or none, are present after FMT; empty where some are."""
    there = rows["present"] == 1
    if there.any() and not there.all():
        return ""
    return f"{'all' if there.all() else 'no'} taxa of donor or baseline are present after FMT"


def inner_units(rows: pd.DataFrame, cv: str) -> pd.Series:
    """Return the unit whose part the experience told to a row learnt from leaves out.

    It is what the cross-validation holds out: people learnt from are told as little of themselves as those who are
    tested. Of a single cohort its donors; of a single donor nothing is left to tell, and the model does without.
    """
    block = blocks(rows, cv)
    return blocks(rows, "donor") if cv == "cohort" and len(set(block)) == 1 else block


def cross_validate(
    rows: pd.DataFrame, cv: str, models: Sequence[str] = LEARNT, trees: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Return `rows` with ``fold`` and a score of every model and rule, learnt without the fold that the row is in.

    Returns
    -------
    DataFrame
        The rows with ``fold``, a column per model and rule, and ``base_rate``: the share present in the people learnt
        from, each counting once.
    """
    fold = folds(rows, cv, seed)
    parts = []
    for name in sorted(fold.unique()):
        train, test = rows[fold != name], rows[fold == name]
        units = inner_units(train, cv)
        experience = Experience(train, units)
        told = experience.features(test)
        out = test.assign(
            fold=name,
            donor_or_baseline=test["donor_present"] + test["baseline_present"],
            larger_abundance=test[["donor_abundance", "baseline_abundance"]].max(axis=1),
            prevalence=told["prevalence_donors"] + told["prevalence_baselines"],
        )
        weight = subject_weights(train)
        out["base_rate"] = float(np.average(train["present"], weights=weight))
        learnt = experience.features(train, units)
        for model in models:
            number = int(stream(seed, "match", cv, str(name), model).integers(2**31))
            out[model] = fit_model(model, learnt, train["present"], weight, trees, number)(told)
        parts.append(out)
    return pd.concat(parts).loc[rows.index]


def subject_weights(rows: pd.DataFrame) -> np.ndarray:
    """Return weights by which every subject counts the same, of mean 1."""
    size = rows.groupby("subject")["taxon"].transform("size").to_numpy(dtype=float)
    return (1 / size) / (1 / size).mean()


def _scores(tested: pd.DataFrame, cv: str, models: Sequence[str]) -> list[dict[str, object]]:
    people = tested.drop_duplicates("subject").set_index("subject")
    group = people.index.map(blocks(tested, "donor").groupby(tested["subject"]).first())
    cluster = pd.Series(group, index=people.index)
    areas = {model: subject_aurocs(tested, model) for model in models}
    parts = [("all", tested)]
    if cv != "subject":
        parts += [(name, part) for name, part in tested.groupby("fold", sort=True)]
    rows: list[dict[str, object]] = []
    for fold, part in parts:
        own = part["subject"].unique()
        for model in models:
            area, reference = areas[model].reindex(own), areas[_REFERENCE].reindex(own)
            rows.append(
                _score_row(cv, model, str(fold), "subject_mean", part)
                | _interval(clustered_mean(area, cluster), "auroc", ("ci_low", "ci_high"))
                | _difference(clustered_mean(area - reference, cluster, fraction=False), model)
                | {"note": _note(area, cluster.reindex(area.dropna().index).nunique(), cv, model)}
            )
            if fold != "all":
                continue
            few = cluster.nunique() < FEW_DONORS
            linked = tested.assign(_subject=tested["subject"], _donor=tested["subject"].map(cluster))
            pooled, difference = pooled_auroc(linked, model, _REFERENCE, "_subject" if few else "_donor")
            rows.append(
                _score_row(cv, model, "all", "pooled", part)
                | _interval(pooled, "auroc", ("ci_low", "ci_high"))
                | _difference(difference, model)
                | {"note": _note(area, cluster.nunique(), cv, model)}
            )
    return rows


def _score_row(cv: str, model: str, fold: str, level: str, part: pd.DataFrame) -> dict[str, object]:
    row: dict[str, object] = {"cv": cv, "model": model, "fold": fold, "level": level}
    row |= {"n_subjects": part["subject"].nunique(), "n_donors": _donors(part), "n_taxa": len(part)}
    row |= dict.fromkeys(("brier", "brier_reference"), math.nan)
    weight = subject_weights(part) if level == "subject_mean" else np.ones(len(part))
    row["prevalence"] = float(np.average(part["present"], weights=weight))
    if model in LEARNT:
        for name, column in (("brier", model), ("brier_reference", "base_rate")):
            row[name] = float(np.average((part[column] - part["present"]) ** 2, weights=weight))
    return row


def _interval(found: Interval, name: str, bounds: tuple[str, str]) -> dict[str, object]:
    low, high = bounds
    return {
        name: found.estimate,
        low: found.low,
        high: found.high,
        "method": found.method,
    }


def _difference(found: Interval, model: str) -> dict[str, object]:
    out = _interval(found, "difference", ("difference_ci_low", "difference_ci_high"))
    del out["method"]
    return dict.fromkeys(out, math.nan) if model == _REFERENCE else out


def _donors(part: pd.DataFrame) -> int:
    return len({name for names in part["donor"].unique() for name in names.split(JOIN)})


def _note(area: pd.Series, groups: int, cv: str, model: str) -> str:
    notes = []
    missing = int(area.isna().sum())
    if missing:
        notes.append(f"{missing} subjects have all or none of their taxa present, and no AUROC of their own")
    if groups < FEW_DONORS:
        noun = "donor" if groups == 1 else "donors or groups of donors that share recipients"
        notes.append(f"the interval is of subjects, conditional on {groups} {noun}")
    there = area.dropna()
    if len(there) < 2 or there.max() == there.min():
        notes.append(
            ("one subject" if len(there) == 1 else "all subjects alike" if len(there) else "no subject")
            + ": no interval"
        )
    if cv == "subject":
        notes.append("the same donors are on both sides")
    if model == _REFERENCE:
        notes.append("present in both before present in one; the bare rule says yes to all: 0.5")
    notes.append(PUBLISHED)
    return "; ".join(notes)


def _untestable(rows: pd.DataFrame, cv: str, models: Sequence[str]) -> list[dict[str, object]]:
    if cv == "subject":
        why = "one subject"
    elif cv == "donor":
        names = sorted({name for names in rows["donor"].unique() for name in names.split(JOIN)})
        why = f"one donor ({names[0]})" if len(names) == 1 else "recipients of several donors link all donors"
    else:
        names = sorted(rows["cohort"].unique())
        why = "one cohort" if len(names) == 1 else "cohorts share donors, and are linked by them"
    alike = one_outcome(rows)
    why = f"not testable: {alike or f'{why}: nobody is left to learn from'}; {PUBLISHED}"
    empty = dict.fromkeys(DONOR_MATCH_SCORES.names, math.nan)
    return [
        empty
        | {"cv": cv, "model": model, "fold": "all", "level": level, "method": None, "note": why}
        | {"n_subjects": rows["subject"].nunique(), "n_donors": _donors(rows), "n_taxa": len(rows)}
        for model in models
        for level in ("subject_mean", "pooled")
    ]
