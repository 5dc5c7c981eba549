"""Pairs of samples as the two-part model takes them: differences on the scale of their taxon, people counted once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from microbiome.strains.relations import once

__all__ = ["ANCHOR", "UNRELATED", "counts", "pair_weights", "scales_of_taxa", "support", "thinned", "typical_distances"]

#: Relations whose pairs the parts are fitted to.
UNRELATED, ANCHOR = ("unrelated", "other_donor"), ("same_person",)
#: A distance without positions is read as if different strains typically differed at so many.
RESOLUTION = 200.0
#: The evidence of read counts counts at most so much beside the distance (natural logarithm of a Bayes factor), because
#: it is of the same reads. 0.3 to 3 give about equal calls, 1 the best probabilities.
SUPPORT = 1.0


def typical_distances(groups: Mapping[tuple[str, str], pd.DataFrame]) -> dict[tuple[str, str], float]:
    """Return the typical distance of different strains by taxon and method.

    Step 1 of :func:`microbiome.strains.model.fit_models`; NaN where no unrelated people have a distance above 0 by the
    method, of any taxon.
    """
    result: dict[tuple[str, str], float] = {}
    for method in dict.fromkeys(key[1] for key in groups):
        own = {key[0]: groups[key] for key in sorted(groups) if key[1] == method}
        found, _ = scales_of_taxa(own)
        result.update({(taxon, method): found.get(taxon, np.nan) for taxon in own})
    return result


def pair_weights(frame: pd.DataFrame) -> np.ndarray:
    """Return weights that sum to 1 over the pairs of one person, or of two people, with the same use."""
    use = frame["relation"].isin(UNRELATED).to_numpy(dtype=np.int64) + 2 * frame["relation"].isin(ANCHOR).to_numpy()
    return once(use, frame["people"].to_numpy())


def thinned(frame: pd.DataFrame, weight: np.ndarray, mask: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at most so many rows, evenly over the sorted pairs in proportion to their weights, and their weights."""
    at = np.flatnonzero(mask)
    keys = (frame[name].to_numpy(dtype=float)[at] for name in ("evidence_same", "noise", "sites", "distance"))
    at = at[np.lexsort((weight[at], *keys))]
    if len(at) <= rows:
        return at, weight[at]
    up_to = np.cumsum(weight[at])
    middle = (np.arange(rows) + 0.5) * up_to[-1] / rows
    return at[np.searchsorted(up_to, middle)], np.full(rows, up_to[-1] / rows)


def counts(frame: pd.DataFrame, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return differences, those typical of different strains, and those of errors alone.

    Without positions distances are read as if different strains typically differed at 200.
    """
    distance = frame["distance"].to_numpy(dtype=float)
    sites = frame["sites"].to_numpy(dtype=float)
    counted = sites > 0
    differences = np.where(counted, distance * sites, distance / scale * RESOLUTION)
    noise = np.where(counted, np.nan_to_num(frame["noise"].to_numpy(dtype=float)), 0.0)
    return differences, np.where(counted, sites * scale, RESOLUTION), noise


def support(frame: pd.DataFrame) -> np.ndarray:
    """Return what else the reads say, within bounds: it is of the same reads as the distance."""
    return np.clip(np.nan_to_num(frame["evidence_same"].to_numpy(dtype=float)), -SUPPORT, SUPPORT)


def scales_of_taxa(groups: Mapping[str, pd.DataFrame]) -> tuple[dict[str, float], float]:
    """Return the typical distance of different strains of every taxon (of one method), and its median over taxa.

    Nothing and NaN where no unrelated people have a distance above 0.
    """
    own: dict[str, float] = {}
    number: dict[str, float] = {}
    for taxon, frame in groups.items():
        mask = frame["relation"].isin(UNRELATED).to_numpy()
        pairs = frame[mask]
        weight = once(pairs["people"].to_numpy())
        number[taxon] = float(weight.sum())
        sites = pairs["sites"].to_numpy(dtype=float)
        noise = np.nan_to_num(pairs["noise"].to_numpy(dtype=float) / sites)
        distance = np.maximum(pairs["distance"].to_numpy(dtype=float) - noise, 0)
        # Pairs with few positions say little.
        weight = weight * np.where(sites >= 0, sites / (sites + 1000), 1.0)
        far = distance > _quantile(distance, weight, 0.75) / 3
        own[taxon] = _quantile(distance[far], weight[far], 0.5)
    seen = [value for value in own.values() if value > 0]
    if not seen:
        return {}, np.nan
    typical = float(np.median(seen))
    result = {}
    for taxon, value in own.items():
        part = number[taxon] / (number[taxon] + 1)
        shrunken = np.exp(part * np.log(value) + (1 - part) * np.log(typical)) if value > 0 else 0.0
        result[taxon] = max(float(shrunken), typical / 10) if number[taxon] else typical
    return result, typical


def _quantile(values: np.ndarray, weight: np.ndarray, q: float) -> float:
    """Return the weighted quantile; NaN of none."""
    if not len(values) or weight.sum() <= 0:
        return np.nan
    order = np.argsort(values, kind="stable")
    up_to = np.cumsum(weight[order])
    return float(values[order][min(int(np.searchsorted(up_to, q * up_to[-1])), len(values) - 1)])
