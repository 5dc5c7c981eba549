"""The test of own against re-assigned schedules (or baselines), on one number per subject and schedule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microbiome.stats import Design, Interval, benjamini_hochberg, mean_interval, restrict

__all__ = ["Reassigned", "arrangements", "exchangeable", "reassign"]

# Labels looked at together: bounds the memory.
_CELLS = 1 << 20
# Statistics closer than this are equal: rounding, not evidence.
_TIE = 1e-12
_ALPHA = 0.05


@dataclass(frozen=True)
class Reassigned:
    """Result of :func:`reassign`.

    Parameters
    ----------
    inside
        Subjects who take part: those with a rate of their own whom another donor's schedule could have reached.
    observed, expected
        Per subject (NaN where not inside): the own rate, the mean over schedules of other donors.
    subject_p, subject_floor, subject_q
        Per subject.
    excess
        Mean over the subjects inside of observed - expected, with the interval that the test gives.
    p_value, p_floor, permutations, scheme
        Of the test over all subjects; NaN, 1, 0, ``exact`` where there is none.
    """

    inside: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    subject_p: np.ndarray
    subject_floor: np.ndarray
    subject_q: np.ndarray
    subject_schedules: np.ndarray
    excess: Interval
    p_value: float
    p_floor: float
    permutations: int
    scheme: str


def exchangeable(
    matrix: np.ndarray, label: np.ndarray, donors: np.ndarray, stratum: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return who takes part, and what each would be expected to have.

    Parameters
    ----------
    matrix
        **subject x schedule**.
    label
        Own schedule of each subject.
    donors
        Donors behind each schedule (numbers).
    stratum
        Stratum of each subject (numbers); -1 takes no part.

    Returns
    -------
    inside
        Boolean: an own rate, and a schedule of other donors in the stratum against which there is one.
    expected
        Mean over the schedules of other donors in the stratum, each counted as often as it was given; NaN outside.
    """
    own = matrix[np.arange(len(label)), label]
    inside = ~np.isnan(own) & (stratum >= 0)
    other = donors[np.newaxis, :] != donors[label][:, np.newaxis]
    usable = other & ~np.isnan(matrix)
    filled = np.where(usable, matrix, 0)
    while True:
        expected = np.full(len(label), np.nan)
        for s in np.unique(stratum[inside]):
            here = inside & (stratum == s)
            counts = np.bincount(label[here], minlength=matrix.shape[1]).astype(float)
            weight = usable[here] @ counts
            with np.errstate(invalid="ignore", divide="ignore"):
                expected[here] = np.where(weight > 0, filled[here] @ counts / weight, np.nan)
        stays = inside & ~np.isnan(expected)
        if (stays == inside).all():
            return inside, expected
        inside = stays


def arrangements(design: Design, permutations: int, seed: int) -> Iterator[np.ndarray]:
    """Yield all arrangements (rows) where there are at most `permutations` + 1, else so many random ones, in pieces."""
    size = max(1, _CELLS // max(1, len(design.labels)))
    if design.arrangements <= permutations + 1:
        yield from design.every(size)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, permutations, size):
        yield design.draw(rng, min(size, permutations - start))


def reassign(
    matrix: np.ndarray,
    label: np.ndarray,
    donors: np.ndarray,
    stratum: np.ndarray,
    permutations: int = 9999,
    seed: int = 0,
) -> Reassigned:
    r"""Test whether subjects have more of their own donors than of others, by moving whole schedules between them.

    With M the rate of subject i against schedule j (its samples averaged within subject first), the statistic is
    :math:`T(\pi) = \frac1n \sum_i M_{i, \pi(i)}`; p is the share of arrangements, the own one among them, with
    :math:`T(\pi) \ge T`. Schedules change places within strata; identical ones are interchangeable.

    The interval inverts the test. Under an excess :math:`\delta` the entries of the own donors are larger by
    :math:`\delta`; with f the share of subjects to whom :math:`\pi` gives their own donors, :math:`\pi` is as extreme
    as what was seen where :math:`\delta \ge (T - T(\pi)) / (1 - f(\pi))`. The bounds are the 2.5 and 97.5 % points of
    these ends, counted as p is. For the interval, other products of the own donors count as the own ones: that they
    share less is no part of the excess over other donors.

    These bounds hold for an excess that is the same in everybody. Where it differs between recipients they are too
    narrow (0.78-0.95 with 5 donors), so that the wider of them and of the t interval of the subjects' own excesses is
    given: coverage 0.94-0.98 of the mean over recipients, for these donors, with 8 to 30 of them.

    Parameters
    ----------
    matrix, label, donors, stratum
        As in :func:`exchangeable`; subjects in an order that means nothing (such as that of their names).
    permutations
        With at most so many + 1 arrangements all are looked at, else so many random ones, and p = (b + 1) / (m + 1).
    seed
        Of the random arrangements.

    Returns
    -------
    Reassigned
        A bound is NaN where the arrangements are too few for it.

        Per subject, p is the share of the schedules of its stratum (each as often as it was given) against which its
        rate is at least the own one; the floor is the share of its own schedule.

    References
    ----------
    Phipson & Smyth, Stat Appl Genet Mol Biol 9:39 (2010), 10.2202/1544-6115.1585 (p-values); Garthwaite, Biometrics
    52:1387 (1996), 10.2307/2532852 (tests inverted).
    """
    inside, expected = exchangeable(matrix, label, donors, stratum)
    own = np.where(inside, matrix[np.arange(len(label)), label], np.nan)
    p, floor, number = _by_subject(matrix, label, stratum, inside)
    q = benjamini_hochberg(np.where(floor < 1, p, np.nan))
    if not inside.any():
        nothing = Interval(math.nan, math.nan, math.nan, 0, "inverted_permutation, t")
        return Reassigned(inside, own, expected, p, floor, q, number, nothing, math.nan, 1.0, 0, "exact")
    values, mine = matrix[inside], label[inside]
    same = (donors[np.newaxis, :] == donors[mine][:, np.newaxis]).astype(float)
    design = restrict(mine, np.unique(stratum[inside], return_inverse=True)[1])
    at = np.arange(len(mine))
    # What a subject has from its own donors, whichever of their products it is given.
    alike = np.where(same > 0, values[at, mine][:, np.newaxis], values)
    complete = not np.isnan(values).any()
    means, ends, shares = [], [], []
    for rows in arrangements(design, permutations, seed):
        means.append(_mean(values[at, rows], complete))
        ends.append(_mean(alike[at, rows], complete))
        shares.append(_mean(np.where(np.isnan(alike[at, rows]), np.nan, same[at, rows]), complete))
    # An arrangement under which nobody has a rate says nothing.
    mean, end, share = np.concatenate(means), np.concatenate(ends), np.concatenate(shares)
    mean, end, share = mean[~np.isnan(mean)], end[~np.isnan(end)], share[~np.isnan(share)]
    observed = float(values[at, mine].mean())
    exact = design.arrangements <= permutations + 1
    extreme, extra = int((mean >= observed - _TIE).sum()), 0 if exact else 1
    low, high = _ends(end, share, observed, extra)
    spread = mean_interval((own - expected)[inside], "t")
    # min and max of a missing bound and a number would be the number.
    excess = Interval(
        spread.estimate,
        math.nan if math.isnan(low) else min(low, spread.low),
        math.nan if math.isnan(high) else max(high, spread.high),
        len(mine),
        "inverted_permutation, t",
    )
    return Reassigned(
        inside,
        own,
        expected,
        p,
        floor,
        q,
        number,
        excess,
        (extreme + extra) / (len(mean) + extra),
        max(1 / design.arrangements, 0 if exact else 1 / (permutations + 1)),
        len(mean),
        "exact" if exact else "monte_carlo",
    )


def _mean(drawn: np.ndarray, complete: bool) -> np.ndarray:
    """Average rows, NaN left out."""
    if complete:
        return np.asarray(drawn.mean(axis=1))
    known = ~np.isnan(drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, drawn, 0).sum(axis=1) / known.sum(axis=1))


def _ends(mean: np.ndarray, share: np.ndarray, observed: float, extra: int) -> tuple[float, float]:
    moved = 1 - share
    with np.errstate(invalid="ignore", divide="ignore"):
        end = (observed - mean) / moved
    # Where nobody has another donor the excess cancels: as extreme as what was seen, whatever it is.
    fixed = moved < _TIE
    low, high = np.where(fixed, -math.inf, end), np.where(fixed, math.inf, end)
    low = np.append(low, [-math.inf] * extra)
    high = np.append(high, [math.inf] * extra)
    rejected = math.floor(_ALPHA / 2 * len(low) * (1 + 1e-12))
    bounds = float(np.sort(low)[rejected]), float(-np.sort(-high)[rejected])
    return (bounds[0] if math.isfinite(bounds[0]) else math.nan, bounds[1] if math.isfinite(bounds[1]) else math.nan)


def _by_subject(
    matrix: np.ndarray, label: np.ndarray, stratum: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return p, its floor, and the number of schedules looked at, of each subject inside (NaN, 1 and 0 outside)."""
    p, floor, number = np.full(len(label), np.nan), np.ones(len(label)), np.zeros(len(label), dtype=np.int64)
    known = ~np.isnan(matrix)
    for s in np.unique(stratum[inside]):
        here = np.flatnonzero(inside & (stratum == s))
        counts = np.bincount(label[here], minlength=matrix.shape[1]).astype(float)
        own = matrix[here, label[here]][:, np.newaxis]
        reached = known[here] & (np.where(known[here], matrix[here], -1) >= own - _TIE)
        total = known[here] @ counts
        p[here] = reached @ counts / total
        floor[here] = counts[label[here]] / total
        number[here] = total.astype(np.int64)
    return p, floor, number
