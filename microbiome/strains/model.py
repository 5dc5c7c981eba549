"""The model of the pair distances of every taxon: fitted to each, shrunken towards all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from microbiome.strains.pair_counts import ANCHOR, UNRELATED, counts, pair_weights, scales_of_taxa, support, thinned
from microbiome.strains.parts import Parts, base_parts, evidence, fit, likelihood, share_of_kind, tail
from microbiome.strains.relations import once

__all__ = ["Judged", "TaxonModel", "fit_models", "judge", "model_cut"]

#: What the pooled fit is worth in the fit of a taxon, and what is assumed before (`base_parts`) in the pooled fit.
OWN_PSEUDO_PAIRS, POOLED_PSEUDO_PAIRS, KIND_PSEUDO_PAIRS = 20.0, 10.0, 10.0
#: Fewer pairs of unrelated people than this: the origin is `model_pooled`; fewer over all taxa: there is no model.
LEAST_PAIRS = 10
#: Rows of a taxon and class that a fit looks at, taken evenly over the sorted pairs; over all taxa in the pooled fit.
ROWS_OWN, ROWS_POOLED = 400, 60000
#: Relations that share a prior. It does not know who received what: a call that did could not show engraftment.
ONE_PERSON = ("same_person", "before_after")
TWO_PEOPLE = ("unrelated", "other_donor", "own_donor", "shared_donor")
#: A prior alone may not settle a call.
PRIOR_BOUNDS = (0.01, 0.99)


@dataclass(frozen=True)
class TaxonModel:
    """The model of one taxon and method.

    Parameters
    ----------
    parts
        Distribution of relative divergences, shared parts of unrelated people and of one person.
    scale
        Typical distance of different strains, without reading errors.
    origin
        ``model`` or ``model_pooled``; ``none`` where there is no model.
    weight_own
        W / (W + 20) with W pairs (one per person and per two people) of the taxon.
    priors
        Prior probability of the same strain by relation.
    note
        What needs care.
    """

    parts: Parts
    scale: float
    origin: str
    weight_own: float
    priors: Mapping[str | None, float]
    note: str = ""


@dataclass(frozen=True)
class Judged:
    """What the model says of pairs, one number each: logarithm of the Bayes factor, p_same and p_value."""

    factors: np.ndarray
    p_same: np.ndarray
    p_value: np.ndarray


def fit_models(groups: Mapping[tuple[str, str], pd.DataFrame]) -> dict[tuple[str, str], TaxonModel]:
    r"""Fit the two-part model (:mod:`microbiome.strains.parts`) to the pairs of every taxon, by method.

    1. The typical distance of different strains of a taxon is the weighted median of the distances (less the expected
       errors) of unrelated people that exceed a third of their upper quartile, so that pairs with the same strain do
       not count. With W such pairs its logarithm has weight W / (W + 1) against the median over taxa; it is not below a
       tenth of that median. Distances are divided by it: what taxa have in common is on this scale.
    2. Both parts are fitted to the pairs of all taxa together, then to those of each taxon with the pooled fit as a
       prior worth 20 pairs. Pairs of unrelated people are a mixture of which an unknown part has the same strain;
       pairs of one person without a dose between are its counterpart, of which most have. Weights of the pairs of one
       person, or of two people, sum to 1. Pairs that FMT connects (own_donor, before_after, shared_donor) are not in
       the fit.
    3. Where the table has ``evidence_same`` (a logarithm of a Bayes factor), it counts beside the distance, at most 1
       either way because it is of the same reads: it tells mixtures of the same strain from near lineages.
    4. The prior of a pair is the part that has the same strain among all pairs of one person, or among all pairs of two
       people, **whatever FMT did between them**: a prior that knew donors from strangers would find engraftment where
       there is none. Estimated with the parts as they are, over all taxa, then per taxon with that worth 10 pairs;
       within 0.01..0.99.

    Parameters
    ----------
    groups
        By taxon and method: ``distance`` (none missing), ``sites``, ``noise``, ``evidence_same`` (NaN where unknown),
        ``relation``, ``people``.

    Returns
    -------
    dict
        A model of each; origin ``none`` with a note where fewer than 10 pairs of unrelated people have a distance by
        the method over all taxa, or all of these distances are 0.
    """
    models: dict[tuple[str, str], TaxonModel] = {}
    for method in dict.fromkeys(key[1] for key in groups):
        # In the order of names: sums of numbers depend on their order in the last digit.
        own = {key[0]: groups[key] for key in sorted(groups) if key[1] == method}
        models.update({(taxon, method): model for taxon, model in _fit_method(own).items()})
    return models


def judge(pairs: pd.DataFrame, model: TaxonModel) -> Judged:
    """Judge pairs by the model of their taxon.

    Parameters
    ----------
    pairs
        As in :func:`fit_models`.
    model
        A model whose origin is not ``none``.
    """
    k, expected, noise = counts(pairs, model.scale)
    factors = evidence(likelihood(k, expected, noise), support(pairs), model.parts)
    names = pairs["relation"].astype("category")
    by_code = [model.priors[name] for name in names.cat.categories]
    # The code of a missing relation is -1, the last.
    prior = np.array([*by_code, model.priors[None]])[names.cat.codes.to_numpy()]
    odds = factors + np.log(prior / (1 - prior))
    return Judged(factors, 1 / (1 + np.exp(-np.clip(odds, -700, 700))), tail(k, expected, noise, model.parts))


def model_cut(pairs: pd.DataFrame, model: TaxonModel) -> tuple[float, float]:
    """Return the largest distance at which two people have the same strain, and the part of different strains within.

    p_same is at least 0.5 up to there, for a pair with the median number of positions and of expected errors of
    `pairs`. NaN where not even distance 0 reaches 0.5.
    """
    sites, noise = (_median(pairs[name]) for name in ("sites", "noise"))
    grid = np.linspace(0, 1.5, 1501) * model.scale
    if sites > 0 and noise > 0:
        grid = grid + noise / sites
    steps = pd.DataFrame(
        {"distance": grid, "sites": sites, "noise": noise, "evidence_same": np.nan, "relation": UNRELATED[0]}
    )
    judged = judge(steps, model)
    same = np.flatnonzero(judged.p_same >= 0.5)
    return (float(grid[same[-1]]), float(judged.p_value[same[-1]])) if len(same) else (np.nan, np.nan)


def _median(values: pd.Series) -> float:
    there = values.dropna()
    return float(there.median()) if len(there) else np.nan


def _fit_method(groups: Mapping[str, pd.DataFrame]) -> dict[str, TaxonModel]:
    base = base_parts()
    weights = {taxon: pair_weights(frame) for taxon, frame in groups.items()}
    unrelated = {taxon: frame["relation"].isin(UNRELATED).to_numpy() for taxon, frame in groups.items()}
    anchors = {taxon: frame["relation"].isin(ANCHOR).to_numpy() for taxon, frame in groups.items()}
    number = {taxon: float(weights[taxon][unrelated[taxon]].sum()) for taxon in groups}
    total = sum(number.values())
    scales, typical = scales_of_taxa(groups)
    if total < LEAST_PAIRS or not typical > 0:
        why = (
            f"only {total:.0f} pairs of unrelated people over all taxa (10 are needed)"
            if total < LEAST_PAIRS
            else "the distances of unrelated people are all 0: no different strains to compare with"
        )
        return {taxon: TaxonModel(base, np.nan, "none", 0.0, {}, why) for taxon in groups}

    def material(taxon: str, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Likelihoods, weights, kind and support of the pairs that a fit looks at."""
        frame = groups[taxon]
        chosen, weight, anchor = [], [], []
        for mask, is_anchor in ((unrelated[taxon], False), (anchors[taxon], True)):
            at, heavy = thinned(frame, weights[taxon], mask, rows)
            chosen.append(at)
            weight.append(heavy)
            anchor.append(np.full(len(at), is_anchor))
        seen = frame.iloc[np.concatenate(chosen)]
        kinds = np.concatenate(anchor)
        return likelihood(*counts(seen, scales[taxon])), np.concatenate(weight), kinds, support(seen)

    rows = int(np.clip(ROWS_POOLED // (2 * len(groups)), 20, ROWS_OWN))
    parts = [material(taxon, rows) for taxon in groups]
    pooled = fit(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
        np.concatenate([part[3] for part in parts]),
        base,
        POOLED_PSEUDO_PAIRS,
    )
    no_anchor = not any(mask.any() for mask in anchors.values())
    models = {}
    for taxon in groups:
        own = fit(*material(taxon, ROWS_OWN), pooled, OWN_PSEUDO_PAIRS)
        seen = number[taxon] + float(weights[taxon][anchors[taxon]].sum())
        few = number[taxon] < LEAST_PAIRS
        notes = []
        if few:
            notes.append(f"{number[taxon]:.0f} pairs of unrelated people: mostly the pooled fit")
        if no_anchor:
            notes.append("no pairs of one person without a dose between")
        models[taxon] = TaxonModel(
            own,
            scales[taxon],
            "model_pooled" if few else "model",
            seen / (seen + OWN_PSEUDO_PAIRS),
            {},
            "; ".join(notes),
        )
    return _with_priors(groups, models)


def _with_priors(groups: Mapping[str, pd.DataFrame], models: Mapping[str, TaxonModel]) -> dict[str, TaxonModel]:
    """Return the models with the prior of every relation."""
    low, high = PRIOR_BOUNDS
    priors: dict[str, dict[str | None, float]] = {taxon: {} for taxon in groups}
    for names in (ONE_PERSON, TWO_PEOPLE):
        found = {}
        for taxon, frame in groups.items():
            chosen = frame["relation"].isin(names)
            weight = once(chosen.to_numpy(dtype=np.int64), frame["people"].to_numpy())
            rows, kept = thinned(frame, weight, chosen.to_numpy(), ROWS_OWN)
            seen = frame.iloc[rows]
            likelihoods = likelihood(*counts(seen, models[taxon].scale))
            found[taxon] = (evidence(likelihoods, support(seen), models[taxon].parts), kept)
        factors, weights = (np.concatenate(column) for column in zip(*found.values(), strict=True))
        pooled = share_of_kind(factors, weights, 0.5, 1.0)
        for taxon, own in found.items():
            prior = float(np.clip(share_of_kind(*own, pooled, KIND_PSEUDO_PAIRS), low, high))
            priors[taxon] |= dict.fromkeys(names, prior)
    # Who is unknown is taken for another person.
    return {
        taxon: replace(model, priors={**priors[taxon], None: priors[taxon][UNRELATED[0]]})
        for taxon, model in models.items()
    }
