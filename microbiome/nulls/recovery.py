"""Rates of every post sample against every donor set that it could have had, by products of matrices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microbiome.nulls.schedules import Schedules, product_subsets

__all__ = ["BY_DONOR", "common_number", "pair_rates", "rates_by_baseline", "rates_by_schedule", "subject_matrix"]

#: Rates that need a donor set.
BY_DONOR = ("engraftment_rate", "donor_recovery", "depletion_rate_donor_absent")
# Post samples handled at once: bounds the memory.
_BLOCK = 512


def pair_rates(donor: np.ndarray, baseline: np.ndarray, post: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rates of each row (:data:`microbiome.tables.RATE_NAMES`) from D, B and R.

    Parameters
    ----------
    donor, baseline, post
        **row x taxon**, boolean.

    Returns
    -------
    dict
        By name of the rate, a number per row; NaN where the denominator is 0. The definitions are those of
        :func:`microbiome.rates.rates`.
    """
    d, b = donor.sum(axis=1), baseline.sum(axis=1)
    both, kept = (donor & baseline).sum(axis=1), (baseline & post).sum(axis=1)
    gained = (donor & ~baseline & post).sum(axis=1)
    shared = (donor & baseline & post).sum(axis=1)
    return {
        "engraftment_rate": _ratio(gained, d - both),
        "depletion_rate": _ratio(b - kept, b),
        "depletion_rate_donor_absent": _ratio(b - kept - (both - shared), b - both),
        "donor_recovery": _ratio(gained + shared, d),
        "baseline_recovery": _ratio(kept, b),
    }


def common_number(found: Schedules) -> tuple[int, int, int]:
    """Return how many products every donor set can be reduced to, and the smallest and largest number there is.

    Empty sets do not count; three zeros where there is no other.
    """
    sizes = found.sizes[found.sizes > 0]
    return (int(sizes.min()), int(sizes.min()), int(sizes.max())) if sizes.size else (0, 0, 0)


def rates_by_schedule(
    post: np.ndarray,
    baseline: np.ndarray,
    days: np.ndarray,
    found: Schedules,
    products: dict[str, np.ndarray],
    number: int | None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    r"""Return the rates of each post sample against the donor set of each schedule on its day.

    With R and B of the samples and the rows U of different donor sets, the counts of all pairs are three products of
    matrices: :math:`(R \wedge \neg B) U^T`, :math:`(R \wedge B) U^T` and :math:`B U^T`.

    Parameters
    ----------
    post, baseline
        **sample x taxon**, boolean.
    days
        Day of each sample.
    found
        The schedules.
    products
        Detected taxa of each donor product, boolean.
    number
        Each set is reduced to so many products: the rate is the mean over its subsets of this size
        (:func:`microbiome.nulls.schedules.product_subsets`). None for sets as they are.
    seed
        Of the choice of subsets.

    Returns
    -------
    dict
        By rate (:data:`BY_DONOR`) an array **sample x schedule**; NaN where the set is empty or the denominator is 0.
    """
    epoch = found.epoch(days)
    result = {name: np.full((len(post), len(found.sets)), np.nan) for name in BY_DONOR}
    for e in np.unique(epoch).tolist():
        at = np.flatnonzero(epoch == e)
        subsets = [
            [row[e]] if number is None and row[e] else product_subsets(row[e], number or 0, seed) for row in found.sets
        ]
        place = {one: i for i, one in enumerate(sorted({one for many in subsets for one in many}))}
        if not place:
            continue
        unions = np.array([np.logical_or.reduce([products[name] for name in one]) for one in place])
        columns = [[place[one] for one in many] for many in subsets]
        for rows in _blocks(at):
            for name, rates in _against(post[rows], baseline[rows], unions).items():
                result[name][rows] = _means(rates, columns)
    return result


def rates_by_baseline(post: np.ndarray, baselines: np.ndarray) -> np.ndarray:
    r"""Return baseline_recovery of each post sample against each of some baselines (sample x baseline).

    :math:`|B_j \cap R_i| / |B_j|`; NaN for a baseline without taxa.
    """
    columns = baselines.astype(np.float32).T
    kept = np.concatenate(
        [post[rows].astype(np.float32) @ columns for rows in _blocks(np.arange(len(post)))]
        or [np.empty((0, len(baselines)))]
    )
    return _ratio(kept, baselines.sum(axis=1))


def subject_matrix(rates: np.ndarray, subject: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
    """Average the rows of a matrix of rates within subjects.

    Parameters
    ----------
    rates
        **sample x schedule**; NaN is left out, and the weights of the other samples of the subject count in full.
    subject
        Position of the subject of each sample.
    weight
        Weight of each sample.
    size
        Number of subjects.

    Returns
    -------
    ndarray
        **subject x schedule**; NaN where no sample has a rate.
    """
    total, weights = np.zeros((size, rates.shape[1])), np.zeros((size, rates.shape[1]))
    known = ~np.isnan(rates)
    np.add.at(total, subject, np.where(known, rates, 0) * weight[:, np.newaxis])
    np.add.at(weights, subject, known * weight[:, np.newaxis])
    return _ratio(total, weights)


def _against(post: np.ndarray, baseline: np.ndarray, unions: np.ndarray) -> dict[str, np.ndarray]:
    # Counts below 2^24 are exact in single precision.
    columns = unions.astype(np.float32).T
    gained = ((post & ~baseline).astype(np.float32) @ columns).astype(float)
    shared = ((post & baseline).astype(np.float32) @ columns).astype(float)
    both = (baseline.astype(np.float32) @ columns).astype(float)
    size = unions.sum(axis=1).astype(float)
    b = baseline.sum(axis=1)[:, np.newaxis].astype(float)
    lost = b - (post & baseline).sum(axis=1)[:, np.newaxis]
    return {
        "engraftment_rate": _ratio(gained, size - both),
        "donor_recovery": _ratio(gained + shared, size),
        "depletion_rate_donor_absent": _ratio(lost - (both - shared), b - both),
    }


def _means(rates: np.ndarray, columns: list[list[int]]) -> np.ndarray:
    """Average groups of columns, NaN left out; an empty group gives NaN."""
    if all(len(group) == 1 for group in columns):
        return rates[:, [group[0] for group in columns]]
    result = np.full((len(rates), len(columns)), np.nan)
    for i, group in enumerate(columns):
        if group:
            part = rates[:, group]
            known = ~np.isnan(part)
            result[:, i] = _ratio(np.where(known, part, 0).sum(axis=1), known.sum(axis=1))
    return result


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)
