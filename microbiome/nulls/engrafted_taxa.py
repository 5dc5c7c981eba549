"""Which taxa appear in those whose donor has them: the test of each taxon by moving dose schedules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse, special

from microbiome.nulls.reassignment import arrangements
from microbiome.nulls.schedules import Schedules
from microbiome.stats import benjamini_hochberg, restrict

__all__ = ["Appearance", "TaxonTest", "appearance", "donor_taxa", "engrafted_taxa"]

# Rates closer than this are equal.
_TIE = 1e-9
# Permutations handled at once: bounds the memory.
_ROWS = 250


@dataclass(frozen=True)
class Appearance:
    r"""What the subjects lack before and have after, by epoch: arrays **subject x taxon**, one per epoch.

    Parameters
    ----------
    appeared
        :math:`\sum_k w_k R_k (1 - B)` over the subject's samples k of the epoch; the weights of a subject sum to 1.
    lacking
        :math:`\sum_k w_k (1 - B)`.
    """

    appeared: tuple[np.ndarray, ...]
    lacking: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class TaxonTest:
    """Result of :func:`engrafted_taxa`, one entry per taxon.

    Parameters
    ----------
    observed
        Share of the subjects without the taxon at the baseline, and with it in the donor set, in whom it appeared.
    expected
        The same share of those whose own donor set lacks it.
    p_value, p_floor, q_value
        NaN (floor 1) where not testable.
    permutations
        Arrangements in which the rate is defined.
    n_with, n_without
        Subjects that the two shares are of.
    reason
        Why a taxon is not testable; empty where it is.
    """

    observed: np.ndarray
    expected: np.ndarray
    p_value: np.ndarray
    p_floor: np.ndarray
    q_value: np.ndarray
    permutations: np.ndarray
    n_with: np.ndarray
    n_without: np.ndarray
    reason: np.ndarray
    scheme: str


def appearance(
    post: np.ndarray,
    baseline: np.ndarray,
    subject: np.ndarray,
    weight: np.ndarray,
    epoch: np.ndarray,
    size: int,
    epochs: int,
) -> Appearance:
    """Return what appeared in each subject.

    Parameters
    ----------
    post, baseline
        **sample x taxon**, boolean.
    subject, weight, epoch
        Of each sample: position of its subject, its weight, its epoch.
    size, epochs
        Number of subjects and of epochs.
    """
    appeared, lacking = [], []
    for e in range(epochs):
        at = np.flatnonzero(epoch == e)
        average = sparse.csr_array((weight[at], (subject[at], np.arange(len(at)))), shape=(size, len(at)))
        appeared.append(average @ (post[at] & ~baseline[at]).astype(float))
        lacking.append(average @ (~baseline[at]).astype(float))
    return Appearance(tuple(appeared), tuple(lacking))


def donor_taxa(found: Schedules, products: dict[str, np.ndarray], taxa: int) -> np.ndarray:
    """Return whether any product of a schedule has a taxon: boolean, **epoch x schedule x taxon**; whole donor sets."""
    result = np.zeros((len(found.starts), len(found.sets), taxa), dtype=bool)
    for j, row in enumerate(found.sets):
        for e, names in enumerate(row):
            for name in names:
                result[e, j] |= products[name]
    return result


def engrafted_taxa(
    seen: Appearance,
    holds: np.ndarray,
    label: np.ndarray,
    stratum: np.ndarray,
    permutations: int = 9999,
    seed: int = 0,
    tested: bool = True,
) -> TaxonTest:
    r"""Test for each taxon whether it appears in those whose donor set has it, by moving whole schedules.

    With :math:`D_{i}` whether the (re-assigned) donor set of subject i has the taxon, the statistic is
    :math:`\sum_i a_i D_i / \sum_i l_i D_i` with a and l of :class:`Appearance` (summed over epochs): the mean over the
    subjects without the taxon at the baseline whose donor set has it of their visit-averaged presence. One-sided:
    larger with the own donors. Arrangements under which nobody without the taxon has it in the donor set say nothing
    and are not counted.

    Parameters
    ----------
    seen
        Of the subjects that take part.
    holds
        As :func:`donor_taxa` returns it.
    label, stratum
        Schedule and stratum of each subject.
    permutations, seed
        As in :func:`microbiome.nulls.reassignment.reassign`: the same arrangements.
    tested
        False gives the rates alone.

    Returns
    -------
    TaxonTest
        `expected` is averaged over strata by the number of subjects behind `observed`; strata without a subject whose
        own donor set lacks the taxon do not count there. ``p_floor`` is that of the number of subjects whose donors
        have the taxon.
    """
    taxa = holds.shape[2]
    own = [part[label] for part in holds]
    top = sum(a * d for a, d in zip(seen.appeared, own, strict=True))
    bottom = sum(b * d for b, d in zip(seen.lacking, own, strict=True))
    top, bottom = np.asarray(top), np.asarray(bottom)
    rest_top = np.asarray(sum(seen.appeared)) - top
    rest_bottom = np.asarray(sum(seen.lacking)) - bottom
    observed = _ratio(top.sum(axis=0), bottom.sum(axis=0))
    expected = _expected(bottom, rest_top, rest_bottom, stratum)
    design = restrict(label, np.unique(stratum, return_inverse=True)[1]) if tested else None
    reached, defined = np.zeros(taxa, dtype=np.int64), np.zeros(taxa, dtype=np.int64)
    low, high = np.full(taxa, np.inf), np.full(taxa, -np.inf)
    exact = True
    if design is not None:
        exact = design.arrangements <= permutations + 1
        for rows in arrangements(design, permutations, seed):
            for start in range(0, len(rows), _ROWS):
                rate = _rates(rows[start : start + _ROWS], seen, holds)
                known = ~np.isnan(rate)
                defined += known.sum(axis=0)
                reached += (np.where(known, rate, -1) >= observed - _TIE).sum(axis=0)
                low = np.fmin(low, np.where(known, rate, np.inf).min(axis=0))
                high = np.fmax(high, np.where(known, rate, -np.inf).max(axis=0))
    reason = _reasons(seen, holds[:, np.unique(label)], observed, low, high, tested)
    testable = (reason == "") & tested
    extra = 0 if exact else 1
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(testable, (reached + extra) / (defined + extra), np.nan)
    floor = np.ones(taxa)
    if testable.any():
        floor[testable] = _floors(holds[:, :, testable], label, stratum)
        floor = np.maximum(floor, 0 if exact else 1 / (permutations + 1))
    return TaxonTest(
        observed,
        expected,
        p,
        floor,
        benjamini_hochberg(p),
        np.where(testable, defined, 0),
        (bottom > 0).sum(axis=0),
        (rest_bottom > 0).sum(axis=0),
        reason,
        "exact" if exact else "monte_carlo",
    )


def _rates(rows: np.ndarray, seen: Appearance, holds: np.ndarray) -> np.ndarray:
    """Return the statistic of each arrangement (rows) and taxon."""
    top, bottom = np.zeros((len(rows), holds.shape[2])), np.zeros((len(rows), holds.shape[2]))
    for label, who in _by_label(rows, holds.shape[1]):
        for e in range(len(holds)):
            columns = np.flatnonzero(holds[e, label])
            top[:, columns] += who @ seen.appeared[e][:, columns]
            bottom[:, columns] += who @ seen.lacking[e][:, columns]
    return _ratio(top, np.where(bottom > _TIE, bottom, 0))


def _by_label(rows: np.ndarray, labels: int) -> Iterator[tuple[int, sparse.csr_array]]:
    """Yield for each label who has it: arrangement x subject, sparse."""
    size = rows.shape[1]
    flat = rows.ravel()
    order = np.argsort(flat, kind="stable")
    ends = np.searchsorted(flat[order], np.arange(labels + 1))
    for label in range(labels):
        at = order[ends[label] : ends[label + 1]]
        if len(at):
            yield label, sparse.csr_array((np.ones(len(at)), (at // size, at % size)), shape=rows.shape)


def _expected(bottom: np.ndarray, rest_top: np.ndarray, rest_bottom: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    total, weights = np.zeros(bottom.shape[1]), np.zeros(bottom.shape[1])
    for s in np.unique(stratum):
        here = stratum == s
        rate = _ratio(rest_top[here].sum(axis=0), rest_bottom[here].sum(axis=0))
        weight = np.where(np.isnan(rate), 0, bottom[here].sum(axis=0))
        total += weight * np.nan_to_num(rate)
        weights += weight
    nobody = bottom.sum(axis=0) == 0
    return np.where(nobody, _ratio(rest_top.sum(axis=0), rest_bottom.sum(axis=0)), _ratio(total, weights))


def _reasons(
    seen: Appearance, holds: np.ndarray, observed: np.ndarray, low: np.ndarray, high: np.ndarray, tested: bool
) -> np.ndarray:
    """Say why a taxon cannot be tested; empty where it can, or where only the design forbids it."""
    ever, always = holds.any(axis=(0, 1)), holds.all(axis=(0, 1))
    lacking = np.asarray(sum(seen.lacking)).sum(axis=0)
    appeared = np.asarray(sum(seen.appeared)).sum(axis=0)
    constant = high - low <= _TIE
    choices = [
        # The first that holds is said.
        (~ever, "no donor set has it"),
        (lacking <= _TIE, "nobody lacks it at the baseline"),
        (always & tested, "every donor set has it"),
        (np.isnan(observed), "nobody without it at the baseline had it in the donor set"),
        (np.full(len(observed), not tested), ""),
        (constant & (appeared <= _TIE), "it appeared in nobody"),
        (constant & (appeared >= lacking - _TIE), "it appeared in everybody without it"),
        (constant | ~np.isfinite(high), "every re-assignment of donors gives the same rate"),
    ]
    return np.select([test for test, _ in choices], [text for _, text in choices], default="").astype(object)


def _floors(holds: np.ndarray, label: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Return 1 / number of arrangements that differ in who has the taxon in the donor set, per taxon."""
    # Schedules that agree on a taxon at every epoch have the same code.
    codes = np.tensordot(2.0 ** np.arange(len(holds)), holds.astype(float), axes=1)
    logs = np.zeros(holds.shape[2])
    for s in np.unique(stratum):
        of = codes[label[stratum == s]]
        logs += special.gammaln(len(of) + 1)
        if len(holds) == 1:
            some = of.sum(axis=0)
            logs -= special.gammaln(some + 1) + special.gammaln(len(of) - some + 1)
        else:
            for t in range(of.shape[1]):
                counts = np.unique(of[:, t], return_counts=True)[1]
                logs[t] -= special.gammaln(counts + 1).sum()
    return np.minimum(1, np.exp(-logs))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)
