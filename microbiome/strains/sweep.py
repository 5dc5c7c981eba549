"""How much is called shared at every cut: by relation, each person or pair of people once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special, stats

from microbiome.errors import InputError, Problem
from microbiome.stats.intervals import mean_interval
from microbiome.strains.pair_counts import typical_distances
from microbiome.strains.relations import PEOPLE, once
from microbiome.strains.tables import RELATIONS, STRAIN_SWEEP
from microbiome.strains.thresholds import Prepared, prepare
from microbiome.study_tables import Study

__all__ = ["default_cuts", "sweep"]

_STEPS = (1, 1.5, 2, 3, 5, 7)
_RELATIVE = (0, 0.01, 0.02, 0.03, 0.05, 0.07, *(round(0.05 * i, 2) for i in range(2, 21)), 1.2, 1.5, 2)


def sweep(
    pairs: pd.DataFrame, study: Study, cuts: Sequence[float] | None = None, relative: bool = False
) -> pd.DataFrame:
    r"""Count what is at or below every cut, by relation: how much a call depends on where it is drawn.

    A person (same_person, before_after) or pair of people counts once: its pairs of samples over all taxa are averaged
    first. The rate is the mean over these, with a 95 % interval:

    - of persons, Student's t on the logit of the mean (:func:`microbiome.stats.mean_interval`, ``logit_t``);
    - of pairs of people, which have people in common, the same with the standard error of a jackknife over people,
      :math:`se^2 = \frac{n - 1}{n} \sum_i (m_{-i} - \bar m)^2`, :math:`m_{-i}` the mean without all pairs of person
      i, and n - 1 degrees of freedom. Somebody who is in all of the pairs, such as the only donor, cannot be left out:
      the interval is for other people with that donor.
    - Where all are 0 or 1, as :func:`microbiome.stats.mean_interval` does, of pairs of people with half as many values
      as people: the number of pairs that have nobody in common.

    Parameters
    ----------
    pairs
        A table of :data:`microbiome.strains.tables.STRAIN_DISTANCES`.
    study
        The study.
    cuts
        The cuts; without, of a round series those within the range of the distances of each method, and 0.
    relative
        Cuts are multiples of the typical distance of different strains of the taxon
        (:func:`microbiome.strains.pair_counts.typical_distances`) instead of distances, so that taxa are comparable.

    Returns
    -------
    DataFrame
        :data:`microbiome.strains.tables.STRAIN_SWEEP`, by method, relation and cut; relations without pairs have none.

    Raises
    ------
    InputError
        A required column is missing, none of the samples is in the samples table, or a cut is below 0.
    """
    if cuts is not None and not all(0 <= cut < math.inf for cut in cuts):
        raise InputError(Problem("a cut is not a distance of at least 0", "give such as 0 0.001 0.01"))
    prepared = prepare(pairs, study)
    distance = _relative(prepared) if relative else prepared.looked_up["distance"].to_numpy(dtype=float)
    method = prepared.frame["method"].to_numpy(dtype=object)
    relation = prepared.looked_up["relation"].to_numpy(dtype=object)
    number = prepared.looked_up["people"].to_numpy()
    rows = []
    for name in dict.fromkeys(sorted(set(method))):
        at = (method == name) & ~np.isnan(distance)
        chosen = np.unique(cuts if cuts is not None else _RELATIVE if relative else default_cuts(distance[at]))
        for word in RELATIONS:
            mask = at & (relation == word)
            if mask.any():
                one_person = word in ("same_person", "before_after")
                rows += [
                    {"method": name, "relation": word, **row}
                    for row in _rates(distance[mask], number[mask], chosen, one_person)
                ]
    table = pd.DataFrame(rows, columns=STRAIN_SWEEP.names)
    return table.astype({"pairs": "Int64", "subjects": "Int64"})


def default_cuts(distances: np.ndarray) -> np.ndarray:
    """Return 0 and 1, 1.5, 2, 3, 5, 7 times powers of ten from the last below the smallest distance above 0.

    They start at 1e-6 at the earliest and go to the first at or above the largest distance.
    """
    above = distances[distances > 0]
    if not len(above):
        return np.zeros(1)
    series = np.array([step * 10.0**power for power in range(-6, 4) for step in _STEPS])
    first = max(int(np.searchsorted(series, above.min(), side="right")) - 1, 0)
    last = int(np.searchsorted(series, above.max()))
    return np.concatenate([[0.0], series[first : last + 1]])


def _relative(prepared: Prepared) -> np.ndarray:
    """Return the distances over the typical distance of different strains of their taxon; NaN where there is none."""
    result = np.full(len(prepared.looked_up), np.nan)
    typical = typical_distances({key: prepared.of(key) for key in prepared.groups})
    for key, rows in prepared.groups.items():
        result[rows] = prepared.looked_up["distance"].to_numpy(dtype=float)[rows] / typical[key]
    return result


def _rates(distance: np.ndarray, number: np.ndarray, cuts: np.ndarray, one_person: bool) -> list[dict[str, float]]:
    """Return one row per cut for the pairs of one relation."""
    units, position = np.unique(number, return_inverse=True)
    weight = once(position)
    # Sorted once: a cut is then a place in the order, and the means of all units come from one table of sums.
    below = np.zeros((len(cuts), len(units)))
    place = np.searchsorted(cuts, distance)
    inside = place < len(cuts)
    np.add.at(below, (place[inside], position[inside]), weight[inside])
    means = below.cumsum(axis=0)
    rows = []
    for cut, mean in zip(cuts, np.clip(means, 0.0, 1.0), strict=True):
        # Sums of weights that are 1 but for the last digit.
        values = np.where(np.isclose(mean, 1.0, rtol=0, atol=1e-9), 1.0, mean)
        low, high = _of_persons(values) if one_person else _of_pairs(values, units)
        rows.append(
            {
                "cut": float(cut),
                "pairs": len(distance),
                "subjects": len(units),
                "shared_rate": float(values.mean()),
                "ci_low": low,
                "ci_high": high,
            }
        )
    return rows


def _of_persons(values: np.ndarray) -> tuple[float, float]:
    found = mean_interval(values, "logit_t")
    return found.low, found.high


def _of_pairs(values: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Return the interval of the mean over pairs of people; see :func:`sweep`."""
    _, people = np.unique(np.concatenate([units // PEOPLE, units % PEOPLE]), return_inverse=True)
    first, second = people[: len(units)], people[len(units) :]
    count = np.bincount(first, minlength=people.max() + 1) + np.bincount(second, minlength=people.max() + 1)
    total = np.bincount(first, values, len(count)) + np.bincount(second, values, len(count))
    mean = float(values.mean())
    if values.min() == values.max():
        found = mean_interval(np.full(len(count) // 2, mean), "logit_t")
        return found.low, found.high
    left = count < len(units)
    without = (values.sum() - total[left]) / (len(units) - count[left])
    n = len(without)
    if n < 2:
        return math.nan, math.nan
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    half = float(stats.t.ppf(0.975, n - 1)) * error / (mean * (1 - mean))
    centre = float(special.logit(mean))
    return float(special.expit(centre - half)), float(special.expit(centre + half))
