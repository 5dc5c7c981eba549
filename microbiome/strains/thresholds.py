"""The cut between same strain and different strains of every taxon, with its origin and what it implies."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import raise_problems
from microbiome.strains.model import TaxonModel, fit_models, model_cut
from microbiome.strains.relations import once, people, relations, unknown_samples
from microbiome.strains.rules import Cut, Rule, cut_of, first_samples
from microbiome.strains.tables import RELATIONS, STRAIN_DISTANCES, STRAIN_THRESHOLDS
from microbiome.study_tables import Study
from microbiome.tsv import missing_columns

__all__ = ["Prepared", "Thresholds", "fit_thresholds", "prepare", "thresholds"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """Pairs of samples with all that a rule looks at.

    Parameters
    ----------
    frame
        The pairs as they are, index 0, 1, ..., with ``method``.
    looked_up
        Same rows: ``distance``, ``sites``, ``noise`` and ``evidence_same`` (NaN where unknown), ``relation``
        (categories), ``people``, ``days`` between the samples, ``first`` (first samples of different people).
    groups
        Rows of each taxon and method, taxa and methods in order of their names.
    """

    frame: pd.DataFrame
    looked_up: pd.DataFrame
    groups: dict[tuple[str, str], np.ndarray]

    def of(self, key: tuple[str, str]) -> pd.DataFrame:
        """Return the pairs of a taxon and method that have a distance."""
        rows = self.looked_up.take(self.groups[key])
        return rows[rows["distance"].notna()]


@dataclass(frozen=True)
class Thresholds:
    """Cuts and, under the model, the fitted models, by taxon and method; the table that tells of them."""

    cuts: dict[tuple[str, str], Cut]
    models: dict[tuple[str, str], TaxonModel]
    table: pd.DataFrame


def thresholds(pairs: pd.DataFrame, study: Study, rule: Rule | None = None) -> pd.DataFrame:
    """Find the cut between same strain and different strains of every taxon.

    Parameters
    ----------
    pairs
        A table of :data:`microbiome.strains.tables.STRAIN_DISTANCES`; ``method`` and ``sites`` may be absent.
    study
        The study.
    rule
        What cuts: the model (:func:`microbiome.strains.model.fit_models`) where None, or a published rule
        (:func:`microbiome.strains.rules.cut_of`).

    Returns
    -------
    DataFrame
        :data:`microbiome.strains.tables.STRAIN_THRESHOLDS`, one row per taxon and method. The order in which the
        model falls back: own pairs with the pooled fit as a prior (``model``); with fewer than 10 pairs of unrelated
        people mostly the pooled fit (``model_pooled``); with fewer than 10 over all taxa nothing (``none``). Under the
        model the threshold is the largest distance at which p_same is 0.5 for two people with the taxon's median number
        of positions; calls go by p_same of each pair.

    Raises
    ------
    InputError
        A required column is missing, or none of the samples is in the samples table.
    """
    return fit_thresholds(prepare(pairs, study), rule or Rule()).table


def prepare(pairs: pd.DataFrame, study: Study) -> Prepared:
    """Look up what the samples of every pair are to each other.

    Raises
    ------
    InputError
        A required column is missing, or none of the samples is in the samples table.
    """
    raise_problems(missing_columns(pairs, STRAIN_DISTANCES, "distances"))
    unknown_samples(pairs, study)
    frame = pairs.reset_index(drop=True)
    frame["method"] = frame["method"].fillna("table") if "method" in frame else "table"
    found = {
        name: pd.to_numeric(frame[name]).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        if name in frame
        else np.full(len(frame), np.nan)
        for name in ("sites", "noise", "evidence_same", "distance")
    }
    day = study.samples.set_index("sample")["day"].astype("Float64").astype(float)
    is_first = pd.Series(1.0, index=sorted(first_samples(study)))
    relation = pd.Categorical(relations(frame, study), categories=RELATIONS)
    looked_up = pd.DataFrame(
        {
            **found,
            "relation": relation,
            "people": people(frame, study),
            "days": np.abs(_of_sample(frame["sample_1"], day) - _of_sample(frame["sample_2"], day)),
            "first": (_of_sample(frame["sample_1"], is_first) == 1)
            & (_of_sample(frame["sample_2"], is_first) == 1)
            & ~relation.isin(["same_person", "before_after"]),
        }
    )
    grouped = frame.groupby(["taxon", "method"], sort=True).indices
    return Prepared(frame, looked_up, {(str(taxon), str(name)): rows for (taxon, name), rows in grouped.items()})


def fit_thresholds(prepared: Prepared, rule: Rule) -> Thresholds:
    """Apply a rule to prepared pairs; as :func:`thresholds`, with the models beside the table."""
    groups = {key: prepared.of(key) for key in prepared.groups}
    models = fit_models(groups) if rule.name == "model" else {}
    cuts: dict[tuple[str, str], Cut] = {}
    rows = []
    for key, own in groups.items():
        implied = np.nan
        if key in models:
            model = models[key]
            cut, implied = _of_model(own, model)
        else:
            cut = cut_of(rule, *key, own)
            implied = cut.false_sharing_rate
        cuts[key] = cut
        rows.append(_row(key, rule, own, cut, implied, models.get(key)))
    table = pd.DataFrame(rows, columns=STRAIN_THRESHOLDS.names)
    integers = [column.name for column in STRAIN_THRESHOLDS.columns if column.kind == "integer"]
    return Thresholds(cuts, models, table.astype(dict.fromkeys(integers, "Int64")))


def _of_model(own: pd.DataFrame, model: TaxonModel) -> tuple[Cut, float]:
    if model.origin == "none":
        return Cut(np.nan, "none", model.note), np.nan
    threshold, implied = model_cut(own, model)
    return Cut(threshold, model.origin, model.note), implied


def _row(
    key: tuple[str, str], rule: Rule, own: pd.DataFrame, cut: Cut, implied: float, model: TaxonModel | None
) -> dict[str, object]:
    rates, number = {}, {}
    for name in ("same_person", "unrelated"):
        there = own[own["relation"] == name]
        number[name] = len(there)
        weight = once(there["people"].to_numpy())
        at_most = (there["distance"] <= cut.threshold).to_numpy(dtype=float)
        told = len(there) > 0 and not np.isnan(cut.threshold)
        rates[name] = min(1.0, float(weight @ at_most / weight.sum())) if told else np.nan
    row: dict[str, object] = {
        "taxon": key[0],
        "method": key[1],
        "rule": rule.text,
        "threshold": cut.threshold,
        "threshold_origin": cut.origin,
        "pairs": len(own),
        "same_person_pairs": number["same_person"],
        "unrelated_pairs": number["unrelated"],
        "same_person_rate": rates["same_person"],
        "unrelated_rate": rates["unrelated"],
        "false_sharing_rate": rates["unrelated"] if np.isnan(implied) else implied,
        "note": cut.note or None,
    }
    if model is not None and model.origin != "none":
        row["shared_unrelated"] = model.parts.shared
        row["same_mean"] = model.scale * model.parts.mean_same
        row["different_mean"] = model.scale * model.parts.mean_different
        row["weight_own"] = model.weight_own
    return row


def _of_sample(samples: pd.Series, values: pd.Series) -> np.ndarray:
    codes, names = pd.factorize(samples)
    return values.reindex(names).to_numpy()[codes]
