r"""The mathematics of the two-part model: differences between samples with the same strain, and with different ones.

The differences :math:`k` between two samples follow

.. math:: k \mid \rho \sim \text{negative binomial with mean } \rho E + \nu \text{ and size } R

where :math:`E` is what different strains of the taxon typically show over the positions compared (positions times the
typical divergence), :math:`\nu` what reading errors alone make, and :math:`\rho` the divergence of the two dominant
strains relative to the typical one. :math:`\rho` has a distribution on a fixed grid (:data:`GRID`), one for pairs with
the same strain and one for pairs without, neither of a given shape: the same strain has most of its mass near 0;
different strains lie around 1, with nearer lineages where a taxon has them.

A sample with two strains has a consensus between them, and lies at an intermediate distance of another sample with one
of them. Two samples of a person mostly hold the same mixture, samples of two people do not: the same strain in two
people therefore has a tail that pairs of one person do not show (:data:`TAIL`). Up to about half of the typical
divergence the dominant strain is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

__all__ = ["GRID", "Parts", "base_parts", "evidence", "fit", "likelihood", "share_of_kind", "tail"]

#: Divergences relative to the typical one of different strains.
GRID = np.concatenate([[0.0], np.geomspace(0.01, 6.0, 47)])
#: Size of the negative binomial: a relative standard deviation of 0.1 beyond counting, about a step of the grid.
SIZE = 100.0
#: Differences that are always allowed for: without, a single wrong base would exclude the same strain.
FLOOR = 0.05
#: Below the first relative divergence strains are the same by definition, above the second they are different.
SURELY_SAME, SURELY_DIFFERENT = 0.05, 0.7
#: Part of the pairs of two people with the same dominant strain that lie in the tail (0.2 to 0.5 give equal calls).
MIXED = 0.35
# Nothing is divided by less, so that what is impossible under both parts has no evidence instead of NaN.
_TINY = 1e-300


def _closed(values: np.ndarray) -> np.ndarray:
    return values / values.sum()


#: The tail of the same strain in two people: falls evenly from 0 to a relative divergence of 0.6.
TAIL = _closed(np.clip(0.6 - GRID, 0, None) * np.gradient(GRID))


@dataclass(frozen=True)
class Parts:
    """The two parts of the model.

    Parameters
    ----------
    same_person
        Probability of each relative divergence of :data:`GRID` between samples of one person with the same strain.
    same
        The same of two people: with the tail. It is what pairs are judged by.
    different
        The same of different strains.
    shared
        Part of unrelated pairs that have the same strain.
    kept
        Part of pairs of one person (no dose between) that have the same strain.
    """

    same_person: np.ndarray
    same: np.ndarray
    different: np.ndarray
    shared: float
    kept: float

    @property
    def mean_same(self) -> float:
        """Mean relative divergence of the same strain."""
        return float(self.same @ GRID)

    @property
    def mean_different(self) -> float:
        """Mean relative divergence of different strains."""
        return float(self.different @ GRID)


def base_parts() -> Parts:
    """Return what is assumed before any pair is seen.

    The same strain of a person: three quarters of the mass fall off from 0 with mean 0.02, a quarter lies in the tail.
    Different strains: 95 % log-normal around 1 (standard deviation of the logarithm 0.25), 5 % rise evenly from 0.05
    to 1. Shared by unrelated people 5 %, kept by a person 85 %.
    """
    width = np.gradient(GRID)
    same = 0.75 * _closed(np.exp(-GRID / 0.02) * width) + 0.25 * TAIL
    logs = np.log(np.maximum(GRID, 1e-9))
    typical = np.where(GRID > 0.3, np.exp(-0.5 * (logs / 0.25) ** 2), 0.0)
    near = np.where((GRID > SURELY_SAME) & (GRID <= 1), GRID - SURELY_SAME, 0.0) * width
    return _with_tail(same, 0.95 * _closed(typical) + 0.05 * _closed(near), 0.05, 0.85)


def likelihood(differences: np.ndarray, expected: np.ndarray, noise: np.ndarray) -> np.ndarray:
    r"""Return the likelihood of each relative divergence, pair x grid, up to a factor per pair (largest is 1).

    :math:`\log P = k \log \mu - (k + R) \log(\mu + R) + const`, :math:`\mu = \rho E + \nu + 0.05` (negative binomial
    with size R); the constant does not depend on :math:`\rho`.

    Parameters
    ----------
    differences, expected, noise
        k >= 0, E > 0 and nu >= 0 of every pair; k need not be whole.
    """
    mean = expected[:, None] * GRID + (noise[:, None] + FLOOR)
    k = differences[:, None]
    log = k * np.log(mean) - (k + SIZE) * np.log(mean + SIZE)
    log -= log.max(axis=1, keepdims=True)
    return np.exp(log, out=log)


def fit(
    likelihoods: np.ndarray,
    weight: np.ndarray,
    anchor: np.ndarray,
    support: np.ndarray,
    prior: Parts,
    pseudo_pairs: float,
    iterations: int = 200,
    tolerance: float = 1e-5,
) -> Parts:
    r"""Fit both parts to pairs of one person and pairs of unrelated people (EM, maximum a posteriori).

    A pair of one person has :math:`P = \pi_1 \sum_j S_j L_j + (1 - \pi_1) \sum_j D_j L_j`, one of unrelated people
    :math:`P = \pi_2 \sum_j (0.65 S_j + 0.35 T_j) L_j + (1 - \pi_2) \sum_j D_j L_j` with T the tail. S is 0 above a
    relative divergence of 0.7 and D below 0.05: without such anchors two mixtures of two unknown parts could be
    explained in many ways.

    Parameters
    ----------
    likelihoods
        Of :func:`likelihood`, pair x grid.
    weight
        Weight of every pair; those of one person, or of two people, sum to at most 1.
    anchor
        True for pairs of one person.
    support
        What else speaks for the same strain: natural logarithm of a Bayes factor, 0 where nothing.
    prior
        What is known before: counts as `pseudo_pairs` pairs of each part and of each kind.
    pseudo_pairs
        How many pairs the prior is worth, above 0.
    iterations, tolerance
        At most so many steps, or until no probability changes by more than that.

    Returns
    -------
    Parts
        Made monotone: the larger divergence is never the likelier to be of the same strain. `prior` where there are no
        pairs.
    """
    if not len(likelihoods):
        return prior
    base_same = np.where(GRID <= SURELY_DIFFERENT, prior.same_person, 0) * pseudo_pairs
    base_different = np.where(GRID >= SURELY_SAME, prior.different, 0) * pseudo_pairs
    same, different = _closed(base_same), _closed(base_different)
    shared, kept = prior.shared, prior.kept
    of_one, of_two = float(weight[anchor].sum()), float(weight[~anchor].sum())
    peaked = np.where(anchor, 1.0, 1 - MIXED)
    supported = np.exp(support)
    in_tail = (1 - peaked) * (likelihoods @ TAIL)
    for _ in range(iterations):
        share = np.where(anchor, kept, shared)
        if_same = share * supported * (peaked * (likelihoods @ same) + in_tail)
        total = np.maximum(if_same + (1 - share) * (likelihoods @ different), _TINY)
        rate = weight / total
        new_same = _closed(same * ((rate * share * supported * peaked) @ likelihoods) + base_same)
        new_different = _closed(different * ((rate * (1 - share)) @ likelihoods) + base_different)
        part = if_same * rate
        new_shared = (float(part[~anchor].sum()) + pseudo_pairs * prior.shared) / (of_two + pseudo_pairs)
        new_kept = (float(part[anchor].sum()) + pseudo_pairs * prior.kept) / (of_one + pseudo_pairs)
        change = max(
            float(np.abs(new_same - same).max()),
            float(np.abs(new_different - different).max()),
            abs(new_shared - shared),
            abs(new_kept - kept),
        )
        same, different, shared, kept = new_same, new_different, new_shared, new_kept
        if change < tolerance:
            break
    return _with_tail(same, different, shared, kept)


def _with_tail(same: np.ndarray, different: np.ndarray, shared: float, kept: float) -> Parts:
    """Add the tail, and make the share of the same strain fall with the divergence.

    The share B / (B + D) of each point of the grid, B the same strain of two people, is replaced by the closest falling
    sequence (isotonic regression, weighted by B + D), and both parts are closed to 1 again.
    """
    of_two = (1 - MIXED) * same + MIXED * TAIL
    mass = np.maximum(of_two + different, _TINY)
    values: list[float] = []
    weights: list[float] = []
    lengths: list[int] = []
    for value, weight in zip((of_two / mass).tolist(), mass.tolist(), strict=True):
        values.append(value)
        weights.append(weight)
        lengths.append(1)
        while len(values) > 1 and values[-2] < values[-1]:
            total = weights[-2] + weights[-1]
            values[-2:] = [(values[-2] * weights[-2] + values[-1] * weights[-1]) / total]
            weights[-2:] = [total]
            lengths[-2:] = [lengths[-2] + lengths[-1]]
    falling = np.repeat(values, lengths)
    return Parts(same, _closed(mass * falling), _closed(mass * (1 - falling)), shared, kept)


def evidence(likelihoods: np.ndarray, support: np.ndarray, parts: Parts) -> np.ndarray:
    """Return the natural logarithm of the Bayes factor of every pair: the same strain against different ones."""
    same, different = likelihoods @ parts.same, likelihoods @ parts.different
    return np.log(np.maximum(same, _TINY)) - np.log(np.maximum(different, _TINY)) + support


def share_of_kind(factors: np.ndarray, weight: np.ndarray, prior: float, pseudo_pairs: float) -> float:
    """Return the part of pairs of one kind that have the same strain, from the logarithms of their Bayes factors (EM).

    `prior` counts as `pseudo_pairs` pairs; it is returned where there are none.
    """
    total = float(weight.sum())
    share = prior
    if total <= 0:
        return share
    for _ in range(200):
        posterior = special.expit(factors + special.logit(share))
        new = (float(weight @ posterior) + pseudo_pairs * prior) / (total + pseudo_pairs)
        if abs(new - share) < 1e-7:
            return new
        share = new
    return share


def tail(differences: np.ndarray, expected: np.ndarray, noise: np.ndarray, parts: Parts) -> np.ndarray:
    r"""Return the probability of at most so many differences between different strains.

    :math:`\sum_j D_j P(K \le k \mid \mu_j)`. For the negative binomial this is a comparison of two gamma variables of
    mean 1, :math:`P(K \le k) = P((k + 1) G_{k+1} \ge \mu G_R)` with shapes k + 1 and R, whose cube roots are taken as
    normal (Wilson and Hilferty; right to 0.005).

    Parameters
    ----------
    differences, expected, noise
        As in :func:`likelihood`.
    parts
        The fitted parts.
    """
    used = parts.different > 1e-7
    a = differences[:, None] + 1.0
    ratio = np.cbrt((expected[:, None] * GRID[used] + (noise[:, None] + FLOOR)) / a)
    top = (1 - 1 / (9 * a)) - ratio * (1 - 1 / (9 * SIZE))
    below = special.ndtr(top / np.sqrt(1 / (9 * a) + ratio**2 / (9 * SIZE)))
    return np.clip(below @ parts.different[used] / parts.different[used].sum(), 0.0, 1.0)
