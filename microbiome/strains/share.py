"""Calls of pairs of samples: the same strain, another one, or unresolved."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from microbiome.errors import InputError, Problem
from microbiome.stats.multiplicity import benjamini_hochberg
from microbiome.strains.model import ONE_PERSON, judge
from microbiome.strains.relations import once
from microbiome.strains.rules import Rule
from microbiome.strains.tables import STRAIN_SHARED
from microbiome.strains.thresholds import Prepared, Thresholds, fit_thresholds, prepare
from microbiome.study_tables import Study

__all__ = ["share"]

# Methods whose distance counts positions without any base in common: minor strains are part of the comparison.
_OF_ANY_STRAIN = ("shared_alleles", "samestr")
# Prior of a second strain being one of the other sample: what is assumed before, worth so many pairs.
_OTHER_STRAINS = ("evidence_1_in_2", "evidence_2_in_1", "evidence_minor")
_CONTAINED, _CONTAINED_PAIRS, _CONTAINED_BOUNDS = 0.05, 10.0, (0.005, 0.95)


def share(
    pairs: pd.DataFrame,
    study: Study,
    rule: Rule | None = None,
    certain: float | None = None,
    least_evidence: float = 2.0,
) -> pd.DataFrame:
    r"""Call every pair of samples: the same dominant strain, another one, or unresolved.

    Under the model ``p_same`` is the posterior probability; its prior, estimated for the taxon, tells pairs of one
    person from pairs of two, and nothing of who received what (:func:`microbiome.strains.model.fit_models`).
    ``same_strain`` is 1 from 0.5 on, and unresolved where the distance itself tells too little (`least_evidence`).
    ``p_value`` is the probability of so small a distance between different strains, ``q_value`` its Benjamini-Hochberg
    over all pairs of the table. Under a published rule ``same_strain`` is 1 where distance <= threshold.

    A strain in common may be a minor one. Where the table has the evidence of read counts for the second strains
    (``evidence_1_in_2``, ``evidence_2_in_1``, ``evidence_minor``: logarithms of Bayes factors),
    :math:`p_{any} = 1 - (1 - p_{same}) \prod_e (1 - p_e)`, with :math:`p_e` from each evidence that is there and a
    prior that is estimated over all taxa, for one person and for two (0.05 before, worth 10 pairs). Without, the
    methods that compare all bases (``shared_alleles``, ``samestr``) answer both questions alike; of the others a pair
    with the same dominant strain has one in common, and of the rest the distance cannot tell: ``any_shared`` is empty.

    Parameters
    ----------
    pairs
        A table of :data:`microbiome.strains.tables.STRAIN_DISTANCES`; ``method`` and ``sites`` may be absent.
    study
        The study.
    rule
        The model where None, or a published rule.
    certain
        Above 0.5: leave pairs unresolved whose probability of the call is below it.
    least_evidence
        Leave a pair unresolved where its Bayes factor lies between 1 / `least_evidence` and `least_evidence`: the
        prior alone would make the call.

    Returns
    -------
    DataFrame
        :data:`microbiome.strains.tables.STRAIN_SHARED`, one row per row of `pairs`, same order. Pairs without a
        distance, and those of a taxon without a threshold, are unresolved (empty).

    Raises
    ------
    InputError
        A required column is missing, none of the samples is in the samples table, `certain` is not within 0.5..1 or
        `least_evidence` below 1.
    """
    if certain is not None and not 0.5 <= certain <= 1:
        raise InputError(Problem(f"certain is {certain:g}, and not within 0.5 to 1", "give such as 0.9"))
    if not least_evidence >= 1:
        raise InputError(Problem(f"least_evidence is {least_evidence:g}, and not at least 1", "give such as 3"))
    prepared = prepare(pairs, study)
    found = fit_thresholds(prepared, rule or Rule())
    frame = prepared.frame.assign(relation=prepared.looked_up["relation"].astype(object))
    frame["relation"] = frame["relation"].where(frame["relation"].notna(), None)
    calls = _calls(prepared, found, least_evidence)
    calls["q_value"] = benjamini_hochberg(calls["p_value"])
    probabilities = {"same_strain": "p_same", "any_shared": "p_any"}
    calls["p_any"], calls["any_shared"] = _any(prepared, calls["same_strain"], calls["p_same"])
    if certain is not None:
        for call, probability in probabilities.items():
            p = calls[probability]
            calls[call] = np.where(np.maximum(p, 1 - p) < certain, np.nan, calls[call])
    noted = [frame["note"]] if "note" in frame else []
    columns: dict[str, object] = {name: frame[name] for name in frame.columns if name in STRAIN_SHARED.names}
    columns |= {name: calls[name] for name in calls if name != "call_note"}
    columns["note"] = _joined([*noted, pd.Series(calls["call_note"], dtype=object)])
    result = pd.DataFrame({name: columns[name] for name in STRAIN_SHARED.names if name in columns}, index=frame.index)
    integers = [name for name in ("sites", "same_strain", "any_shared") if name in result]
    result = result.astype(dict.fromkeys(integers, "Int64"))
    extra = [name for name in pairs.columns if name not in result.columns]
    return pd.concat([result, frame[extra]], axis=1) if extra else result


def _calls(prepared: Prepared, found: Thresholds, least_evidence: float) -> dict[str, np.ndarray]:
    """Return same_strain (NaN = unresolved), p_same, p_value, threshold, threshold_origin and a note of every row."""
    frame = prepared.frame
    size = len(frame)
    numbers = {name: np.full(size, np.nan) for name in ("same_strain", "p_same", "p_value", "threshold")}
    origin, note = np.full(size, None, dtype=object), np.full(size, None, dtype=object)
    distance, sites = (prepared.looked_up[name].to_numpy(dtype=float) for name in ("distance", "sites"))
    for key, rows in prepared.groups.items():
        cut = found.cuts[key]
        origin[rows], numbers["threshold"][rows] = cut.origin, cut.threshold
        if cut.origin == "none":
            note[rows] = cut.note
            continue
        there = rows[~np.isnan(distance[rows])]
        if key in found.models:
            judged = judge(prepared.looked_up.take(there), found.models[key])
            numbers["p_same"][there], numbers["p_value"][there] = judged.p_same, judged.p_value
            weak = np.abs(judged.factors) < np.log(least_evidence)
            numbers["same_strain"][there] = np.where(weak, np.nan, judged.p_same >= 0.5)
            note[there[weak]] = "the distance tells too little"
        else:
            numbers["same_strain"][there] = distance[there] <= cut.threshold
            few = there[~(sites[there] > cut.more_sites_than)] if cut.more_sites_than else there[:0]
            numbers["same_strain"][few] = np.nan
            note[few] = f"not more than {cut.more_sites_than} positions"
    return {**numbers, "threshold_origin": origin, "call_note": note}


def _any(prepared: Prepared, same: np.ndarray, p_same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return p_any and any_shared."""
    frame, looked_up = prepared.frame, prepared.looked_up
    all_bases = frame["method"].isin(_OF_ANY_STRAIN).to_numpy()
    p_any = np.where(all_bases, p_same, np.nan)
    shared = np.where(all_bases | (same == 1), same, np.nan)
    names = [name for name in _OTHER_STRAINS if name in frame]
    if not names:
        return p_any, shared
    evidence = frame[names].to_numpy(dtype=float)
    one = looked_up["relation"].isin(ONE_PERSON).to_numpy()
    # A cell is also empty where a sample has no second strain: then there is nothing else to share.
    told = looked_up["evidence_same"].notna().to_numpy() | ~np.isnan(evidence).all(axis=1)
    taxon, _ = pd.factorize(frame["taxon"])
    weight = once(told.astype(np.int64), taxon, looked_up["people"].to_numpy())
    absent = np.ones(len(frame))
    for kind in (one, ~one):
        prior = _contained(evidence[kind], weight[kind])
        absent[kind] = np.prod(1 - np.nan_to_num(special.expit(evidence[kind] + special.logit(prior))), axis=1)
    p_any = np.where(told & ~np.isnan(p_same), 1 - (1 - np.nan_to_num(p_same)) * absent, p_any)
    # Where even the dominant strains are open, the others can show that something is shared, not that nothing is.
    called = np.where(p_any >= 0.5, 1.0, np.where(np.isnan(same), np.nan, 0.0))
    return p_any, np.where(told & ~np.isnan(p_any), called, shared)


def _contained(evidence: np.ndarray, weight: np.ndarray) -> float:
    there = ~np.isnan(evidence)
    weights = np.broadcast_to(weight[:, None], evidence.shape)[there]
    factors = evidence[there]
    prior = _CONTAINED
    for _ in range(100):
        total = float(weights @ special.expit(factors + special.logit(prior)))
        new = (total + _CONTAINED_PAIRS * _CONTAINED) / (float(weights.sum()) + _CONTAINED_PAIRS)
        new = float(np.clip(new, *_CONTAINED_BOUNDS))
        if abs(new - prior) < 1e-7:
            break
        prior = new
    return prior


def _joined(notes: list[pd.Series]) -> pd.Series:
    result = notes[0].astype(object)
    for other in notes[1:]:
        both = result.notna() & other.notna()
        result = result.where(~both, result + "; " + other).where(result.notna(), other)
    return result.where(result.notna(), None)
