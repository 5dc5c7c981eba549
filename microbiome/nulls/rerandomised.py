"""Treated with their own donors against untreated with pseudo-donors: arm and schedule are dealt out together."""

from __future__ import annotations

import numpy as np

from microbiome.nulls.reassignment import arrangements
from microbiome.stats import TestResult, restrict

__all__ = ["rerandomised"]

# Statistics closer than this are equal: rounding, not evidence.
_TIE = 1e-12


def rerandomised(
    matrix: np.ndarray, schedule: np.ndarray, stratum: np.ndarray, permutations: int = 9999, seed: int = 0
) -> TestResult:
    r"""Test whether the treated have more of their own donors than the untreated have of the same donors.

    The rate of an untreated subject is its mean over the schedules of the treated of its stratum, that of a treated one
    the rate against its own schedule: the former varies less, so that permuting these numbers between the arms would
    reject too often where few are treated. Under the null neither who was treated nor who got which donor matters:
    every arrangement deals out arm and schedule together, within strata, and the rates follow. With strata s of
    :math:`n_s` treated and :math:`m_s` untreated the statistic is the difference within strata,

    .. math:: T = \sum_s w_s (\bar y_s - \bar x_s) / \sum_s w_s, \qquad w_s = n_s m_s / (n_s + m_s)

    and p the share of arrangements, the own one among them, with :math:`|T(\pi)| \ge |T|`.

    Parameters
    ----------
    matrix
        **subject x schedule**; NaN (denominator 0) is left out of the means.
    schedule
        Own schedule of each subject; -1 for the untreated.
    stratum
        Stratum of each subject, 0, 1, ...; strata with one arm only tell nothing and are left out.
    permutations
        With at most so many + 1 arrangements all are looked at, else so many random ones, and p = (b + 1) / (m + 1).
    seed
        Of the random arrangements.

    Returns
    -------
    TestResult
        NaN, with ``p_floor`` 1, where no stratum has both arms.
    """
    both = [s for s in np.unique(stratum) if len(set((schedule[stratum == s] >= 0).tolist())) == 2]
    inside = np.isin(stratum, both)
    matrix, schedule, stratum = matrix[inside], schedule[inside], stratum[inside]
    if not len(schedule):
        return TestResult(np.nan, np.nan, 1.0, 0, "exact")
    code = np.unique(stratum, return_inverse=True)[1]
    none = matrix.shape[1]
    values = np.column_stack([matrix, np.full(len(matrix), np.nan)])
    known = ~np.isnan(matrix)
    for s in range(code.max() + 1):
        here = code == s
        counts = np.bincount(schedule[here & (schedule >= 0)], minlength=none).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            values[here, none] = (np.where(known[here], matrix[here], 0) @ counts) / (known[here] @ counts)
    label = np.where(schedule < 0, none, schedule)
    design = restrict(label, code)
    treated = np.bincount(code, schedule >= 0)
    untreated = np.bincount(code) - treated
    weight = treated * untreated / (treated + untreated)
    observed = float(_statistic(values, label[np.newaxis], code, weight)[0])
    extreme, looked = 0, 0
    for rows in arrangements(design, permutations, seed):
        found = _statistic(values, rows, code, weight)
        found = found[~np.isnan(found)]
        extreme += int((np.abs(found) >= abs(observed) - _TIE).sum())
        looked += len(found)
    if design.arrangements <= permutations + 1:
        return TestResult(observed, extreme / looked, 1 / design.arrangements, looked, "exact")
    floor = max(1 / design.arrangements, 1 / (permutations + 1))
    return TestResult(observed, (extreme + 1) / (looked + 1), floor, looked, "monte_carlo")


def _statistic(values: np.ndarray, rows: np.ndarray, code: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return T of each arrangement of labels (rows)."""
    at = np.arange(rows.shape[1])
    drawn = values[at, rows]
    known = ~np.isnan(drawn)
    none = values.shape[1] - 1
    total, weights = np.zeros(len(rows)), np.zeros(len(rows))
    for s in range(len(weight)):
        here = code == s
        part = np.where(known[:, here], drawn[:, here], 0.0)
        free = (rows[:, here] == none) & known[:, here]
        given = (rows[:, here] != none) & known[:, here]
        with np.errstate(invalid="ignore", divide="ignore"):
            difference = (part * given).sum(axis=1) / given.sum(axis=1) - (part * free).sum(axis=1) / free.sum(axis=1)
        there = ~np.isnan(difference)
        total += np.where(there, difference, 0.0) * weight[s]
        weights += np.where(there, weight[s], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / weights)
