"""Two bases per site and up to two strains per sample: what each sample says of the bases of its strains."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from microbiome.strains.panel import CladePanel

__all__ = [
    "BLOCK",
    "Genotypes",
    "genotypes",
    "is_same_strain",
    "minor_strain",
    "same_strain_evidence",
    "sample_weights",
    "with_error",
]

# Besides misread bases: reads of relatives that were mapped here, and bases that changed since.
_ERROR = 0.003
# Sites of one and the same strain at which the bases differ.
_CHANGED = 0.02
# What the evidence that two strains are the same must reach, and the part of what it could be.
_SAME, _SAME_PART = 10.0, 0.25
# How often a strain has another base than the marker at a site where somebody has.
_RARE = 0.1
_MINOR_GRID = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
# Twice the logarithm of the likelihood ratio that a second strain must gain.
_MINOR_GAIN = 10.0
_MINOR_SITES = 3000
#: Sites that are worked on at a time: bounds the memory.
BLOCK = 4096
# Samples closer than this part of the median distance have one strain, and count once in frequencies.
_NEAR = 0.25


@dataclass(frozen=True)
class Genotypes:
    """A clade reduced to two bases per site.

    Parameters
    ----------
    alternative, depth
        **sample x site**: reads with the second most frequent base, and with either of the two most frequent.
    frequency
        **site**: part of strains with the second base, above 0 and below 1.
    expected
        **site**: what the frequency is taken to be before anybody is seen: 0.1, or 0.9 where the second base is the
        marker's.
    carriers, weight
        **site**: what `frequency` is made of, summed over the samples with their weights: those with the second base
        (its part of their reads), and those that were read.
    samples
        **sample**: weight of each, one over the number of samples with the same strain.
    minor
        **sample**: part of the second strain, 0 where one explains the reads (:func:`minor_strain`).
    error
        Probability of a misread base that is reckoned with.
    marker
        **site**: number of its marker.
    """

    alternative: np.ndarray
    depth: np.ndarray
    frequency: np.ndarray
    expected: np.ndarray
    carriers: np.ndarray
    weight: np.ndarray
    samples: np.ndarray
    minor: np.ndarray
    error: float
    marker: np.ndarray

    def frequency_without(self, rows: list[int]) -> np.ndarray:
        """Return the frequency among samples other than `rows`."""
        # All but a few: taking these off is quicker than adding up the others.
        carriers, weight = _sums(self.alternative[rows], self.depth[rows], self.samples[rows])
        return _frequency(self.carriers - carriers, self.weight - weight, self.expected)

    def posteriors(self, row: int, use: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        r"""Return, per site, how probably the dominant and the second strain of a sample have the second base.

        With bases :math:`a, b \in \{0, 1\}` of the two strains, prior
        :math:`p^{a + b}(1 - p)^{2 - a - b}` and reads binomial with
        :math:`(1 - m) a + m b`, but for errors; the other strain is summed over. `use` picks sites.
        """
        part, p = self.minor[row], self.frequency[use]
        k, n = self.alternative[row, use].astype(float), self.depth[row, use].astype(float)
        logs = np.stack([_site_logs(k, n, p, a, b, part, self.error) for a, b in itertools.product((0, 1), repeat=2)])
        each = np.exp(logs - logs.max(axis=0))
        each /= each.sum(axis=0)
        return each[2] + each[3], each[1] + each[3]


def genotypes(panel: CladePanel, distance: np.ndarray) -> Genotypes:
    """Reduce a clade to two bases per site and find which samples have two strains.

    Parameters
    ----------
    panel
        All samples of the clade.
    distance
        **sample x sample** consensus distance, NaN where it is not known.
    """
    weights = sample_weights(distance)
    size = (len(panel.samples), panel.sites.size)
    alternative, depth = np.zeros(size, dtype=np.uint16), np.zeros(size, dtype=np.uint16)
    expected = np.full(panel.sites.size, _RARE)
    for start in range(0, panel.sites.size, BLOCK):
        here = slice(start, start + BLOCK)
        counts = panel.counts(start, start + BLOCK)
        total = np.maximum(counts.sum(axis=2), 1)
        share = np.einsum("i,ivc->vc", weights, counts / total[:, :, None])
        order = np.argsort(-share, axis=1, kind="stable")
        site = np.arange(counts.shape[1])
        alternative[:, here] = counts[:, site, order[:, 1]]
        expected[here] = np.where(order[:, 1] == 0, 1 - _RARE, _RARE)
        depth[:, here] = alternative[:, here] + counts[:, site, order[:, 0]]
    carriers, weight = _sums(alternative, depth, weights)
    frequency = _frequency(carriers, weight, expected)
    error = max(panel.error, _ERROR)
    minor = np.array([minor_strain(k, n, frequency, error) for k, n in zip(alternative, depth, strict=True)])
    return Genotypes(alternative, depth, frequency, expected, carriers, weight, weights, minor, error, panel.marker)


def is_same_strain(one: np.ndarray, other: np.ndarray, frequency: np.ndarray) -> bool:
    """Tell whether two strains are the same beyond doubt.

    The evidence (:func:`same_strain_evidence`) is above 10, and above a quarter of what the less well-known of the two
    would have with itself: a second strain that was hardly read agrees with anything to some degree.
    """
    reached = min(float(same_strain_evidence(strain, strain, frequency)) for strain in (one, other))
    return float(same_strain_evidence(one, other, frequency)) > max(_SAME, _SAME_PART * reached)


def sample_weights(distance: np.ndarray) -> np.ndarray:
    """Return one over the number of samples (itself included) with the strain of each sample.

    The same strain here is a distance below a quarter of the median: the samples of one person, and those who got their
    strain from one donor, together count as about one when the frequency of a base among strains is reckoned.
    """
    known = distance[~np.isnan(distance)]
    near = distance < _NEAR * np.median(known) if known.size else np.zeros(distance.shape, dtype=bool)
    near = near | np.eye(len(distance), dtype=bool)
    return 1.0 / near.sum(axis=1)


def minor_strain(alternative: np.ndarray, depth: np.ndarray, frequency: np.ndarray, error: float) -> float:
    r"""Estimate the part of the second strain in a sample, 0 where one strain explains the reads.

    At each site the two strains have bases :math:`a, b \in \{0, 1\}` with prior probability
    :math:`p^{a + b}(1 - p)^{2 - a - b}`, and the second base is read with probability :math:`(1 - m) a + m b` but for
    errors. m is the maximum of the marginal likelihood over 0, 0.05, ..., 0.5; it is 0 unless twice the logarithm of
    the likelihood ratio against 0 is above 10. Of more than 3,000 sites those with the most even frequencies are used.
    """
    there = np.flatnonzero(depth > 0)
    if not there.size:
        return 0.0
    if there.size > _MINOR_SITES:
        even = frequency[there] * (1 - frequency[there])
        there = there[np.argsort(-even, kind="stable")[:_MINOR_SITES]]
    k, n, p = alternative[there].astype(float), depth[there].astype(float), frequency[there]
    values = []
    for part in _MINOR_GRID:
        logs = np.stack([_site_logs(k, n, p, a, b, part, error) for a, b in itertools.product((0, 1), repeat=2)])
        top = logs.max(axis=0)
        values.append(float((np.log(np.exp(logs - top).sum(axis=0)) + top).sum()))
    best = int(np.argmax(values))
    return float(_MINOR_GRID[best]) if 2 * (values[best] - values[0]) > _MINOR_GAIN else 0.0


def same_strain_evidence(one: np.ndarray, other: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    r"""Return the natural logarithm of the Bayes factor: two strains are the same against unrelated.

    .. math:: \sum_i \log\Big(0.98 \Big[\frac{\alpha_i \beta_i}{p_i}
        + \frac{(1 - \alpha_i)(1 - \beta_i)}{1 - p_i}\Big] + 0.02\Big)

    with :math:`\alpha_i, \beta_i` the probabilities that the strains have the second base, each given the reads of its
    own sample, and :math:`p_i` its frequency. The last term says that a base of one strain may have changed or be
    mistaken at one site in fifty, so that no single site decides.

    Parameters
    ----------
    one, other
        **... x site** probabilities; they are broadcast.
    frequency
        **site**.
    """
    both = one * other / frequency + (1 - one) * (1 - other) / (1 - frequency)
    return np.asarray(np.log((1 - _CHANGED) * both + _CHANGED).sum(axis=-1))


def with_error(share: np.ndarray | float, error: float) -> np.ndarray:
    """Return the probability of reading a base that `share` of the strains have, when bases are misread."""
    return np.asarray(share, dtype=float) * (1 - 2 * error) + error


def _site_logs(k: np.ndarray, n: np.ndarray, p: np.ndarray, a: int, b: int, part: float, error: float) -> np.ndarray:
    chance = float(with_error((1 - part) * a + part * b, error))
    prior = np.log(p) * (a + b) + np.log1p(-p) * (2 - a - b)
    return np.asarray(prior + k * np.log(chance) + (n - k) * np.log1p(-chance))


def _sums(alternative: np.ndarray, depth: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted samples with the second base, and those read, at each site."""
    carriers, weight = np.zeros(depth.shape[1]), np.zeros(depth.shape[1])
    for start in range(0, depth.shape[1], BLOCK):
        here = slice(start, start + BLOCK)
        k, n = alternative[:, here], depth[:, here]
        carriers[here] = weights @ (k / np.maximum(n, 1))
        weight[here] = weights @ (n > 0)
    return carriers, weight


def _frequency(carriers: np.ndarray, weight: np.ndarray, expected: np.ndarray) -> np.ndarray:
    # One strain more, of which only the marker is known: most strains have its base at most sites, also where one of
    # the few that were seen has another.
    return np.asarray(np.clip((carriers + expected) / (weight + 1), 0.005, 0.995))
