"""How clearly samples share strains: against what unrelated people share, and what one person's samples do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special, stats

from microbiome.strains.audit_labels import MAY, SAME, UNRELATED
from microbiome.strains.calls import Calls

__all__ = ["Links", "links_of", "poisson_binomial_tail", "taxon_rates", "usual_excess"]

# Pairs of people that the pooled rate counts for in the rate of a taxon.
_PRIOR_PAIRS = 4.0
# How much the same-strain rate of one person's samples varies: the weight of a beta distribution.
_PRIOR_SAME = 4.0
# Above this bound of the p-value it is not worth computing.
_BOUND = 0.1
_BATCH = 2048


@dataclass(frozen=True)
class Links:
    """What is known of each pair of samples; all arrays are **sample x sample**, symmetric.

    Parameters
    ----------
    taxa, shared
        Taxa compared, and those with the same strain.
    expected
        How many unrelated samples would share.
    p
        Probability that unrelated samples share as many (1 where nothing was compared). For unrelated pairs with few
        an upper bound of it.
    p_stranger
        The same, but 1 where the two share no more than some unrelated people of this study do anyway (see
        :func:`usual_excess`).
    p_missing
        Probability that two samples of one person share as few.
    likelihood
        **3 x sample x sample**: natural logarithm of the likelihood of the calls if the two are UNRELATED, MAY share,
        or are the SAME person.
    """

    taxa: np.ndarray
    shared: np.ndarray
    expected: np.ndarray
    p: np.ndarray
    p_stranger: np.ndarray
    p_missing: np.ndarray
    likelihood: np.ndarray


def taxon_rates(calls: Calls, relation: np.ndarray, person: np.ndarray) -> np.ndarray:
    r"""Return how often unrelated people have the same strain of each taxon.

    :math:`u_t = (\sum_q m_{tq} + 4 \bar u) / (n_t + 4)`: the mean over the :math:`n_t` pairs of people q of the part of
    their pairs of samples with the same strain, drawn towards the mean :math:`\bar u` of all taxa. Within 0.0001..0.9.
    """
    use = ~np.isnan(calls.same) & (relation[calls.first, calls.second] == UNRELATED)
    one, other = person[calls.first[use]], person[calls.second[use]]
    frame = pd.DataFrame(
        {
            "taxon": calls.taxon[use],
            "one": np.minimum(one, other),
            "other": np.maximum(one, other),
            "same": calls.same[use],
        }
    )
    pairs = frame.groupby(["taxon", "one", "other"], sort=False)["same"].mean().reset_index()
    total = np.bincount(pairs["taxon"], weights=pairs["same"], minlength=len(calls.taxa))
    number = np.bincount(pairs["taxon"], minlength=len(calls.taxa))
    pooled = (total.sum() + 0.5) / (number.sum() + 1.0)
    rates: np.ndarray = np.clip((total + _PRIOR_PAIRS * pooled) / (number + _PRIOR_PAIRS), 1e-4, 0.9)
    return rates


def links_of(calls: Calls, relation: np.ndarray, person: np.ndarray) -> Links:
    r"""Return how clearly each pair of samples shares strains.

    With :math:`u_t` of :func:`taxon_rates`, n taxa compared and k shared:

    * UNRELATED: :math:`\prod_t u_t^{x_t} (1 - u_t)^{1 - x_t}`; its upper tail in k is Poisson-binomial;
    * SAME: every order of the calls alike likely, k beta-binomial with the median rate of the pairs labelled so (within
      0.5..0.9) as mean and a weight of 4;
    * MAY: as likely UNRELATED as of any rate (uniform over 0..1).

    Parameters
    ----------
    calls
        Calls of pairs.
    relation
        **sample x sample** (:func:`microbiome.strains.audit_labels.relations`).
    person
        Code of the person on each label.
    """
    size = len(calls.samples)
    known = ~np.isnan(calls.same)
    first, second, taxon = calls.first[known], calls.second[known], calls.taxon[known]
    same = calls.same[known]
    rate = taxon_rates(calls, relation, person)[taxon]
    pair = first * size + second

    def table(weights: np.ndarray | None = None) -> np.ndarray:
        half = np.bincount(pair, weights=weights, minlength=size * size).reshape(size, size).astype(float)
        whole: np.ndarray = half + half.T
        return whole

    taxa, shared, expected = table(), table(same), table(rate)
    unrelated = table(np.where(same == 1, np.log(rate), np.log1p(-rate)))
    p = _p_values(pair, rate, relation, expected, shared)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(taxa > 0, (shared - expected) / (taxa - expected), np.nan)
    p_stranger = np.where(excess > usual_excess(excess, relation, person), p, 1.0)
    a, b = _beta_of_same(relation, taxa, shared)
    like_same = special.betaln(shared + a, taxa - shared + b) - special.betaln(a, b)
    like_any = special.betaln(shared + 1, taxa - shared + 1)
    may = np.logaddexp(unrelated, like_any) - np.log(2)
    missing = np.ones((size, size))
    rows, columns = np.nonzero((relation == SAME) & (taxa > 0))
    missing[rows, columns] = stats.betabinom.cdf(shared[rows, columns], taxa[rows, columns], a, b)
    likelihood = np.empty((3, size, size))
    likelihood[UNRELATED], likelihood[MAY], likelihood[SAME] = unrelated, may, like_same
    return Links(taxa, shared, expected, p, p_stranger, missing, likelihood)


def usual_excess(excess: np.ndarray, relation: np.ndarray, person: np.ndarray) -> float:
    r"""Return how much more than expected unrelated people of this study may share without a mistake.

    The taxa of a pair are independent only among people who live alike: two of one town share more. With the excess
    :math:`x = (k - e) / (n - e)` of a pair of samples (0 as expected, 1 all of them), the median over the samples
    of each pair of people, which one wrong label does not move, and the quartiles of these medians over all unrelated
    pairs of people: :math:`Q_3 + 3 (Q_3 - Q_1)`, Tukey's outer fence.

    Parameters
    ----------
    excess
        **sample x sample**, NaN where nothing was compared.
    relation
        **sample x sample**.
    person
        Code of the person on each label.

    Returns
    -------
    float
        0 without any unrelated pair; never below 0.
    """
    rows, columns = np.nonzero(np.triu((relation == UNRELATED) & ~np.isnan(excess), 1))
    if not len(rows):
        return 0.0
    one, other = person[rows], person[columns]
    people = np.minimum(one, other) * (person.max() + 1) + np.maximum(one, other)
    medians = pd.Series(excess[rows, columns]).groupby(people).median()
    first, third = np.quantile(medians, [0.25, 0.75])
    return max(0.0, float(third + 3 * (third - first)))


def _beta_of_same(relation: np.ndarray, taxa: np.ndarray, shared: np.ndarray) -> tuple[float, float]:
    """Return the beta distribution of the rate of one person's samples; its median pair decides, whoever is swapped."""
    rows, columns = np.nonzero(np.triu(relation == SAME, 1) & (taxa >= 5))
    rates = shared[rows, columns] / taxa[rows, columns] if len(rows) else np.array([0.8])
    mean = float(np.clip(np.median(rates), 0.5, 0.9))
    return _PRIOR_SAME * mean, _PRIOR_SAME * (1 - mean)


def _p_values(
    pair: np.ndarray,
    rate: np.ndarray,
    relation: np.ndarray,
    expected: np.ndarray,
    shared: np.ndarray,
) -> np.ndarray:
    """Return the p-value of each pair: exact where it may matter, else Chernoff's bound."""
    size = len(relation)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = shared > expected
        bound = np.where(above, np.exp(shared - expected + shared * np.log(expected / shared)), 1.0)
    exact = above & ((relation != UNRELATED) | (bound < _BOUND))
    wanted = np.flatnonzero(np.triu(exact, 1).ravel())
    here = np.isin(pair, wanted)
    order = np.argsort(pair[here], kind="stable")
    pairs, rates = pair[here][order], rate[here][order]
    starts = np.searchsorted(pairs, wanted)
    lengths = np.diff(np.append(starts, len(pairs)))
    found = np.minimum(bound, 1.0)
    by_length = np.argsort(lengths, kind="stable")
    for begin in range(0, len(wanted), _BATCH):
        batch = by_length[begin : begin + _BATCH]
        table = np.zeros((len(batch), int(lengths[batch].max(initial=0))))
        for row, place in enumerate(batch):
            table[row, : lengths[place]] = rates[starts[place] : starts[place] + lengths[place]]
        one, other = wanted[batch] // size, wanted[batch] % size
        tail = poisson_binomial_tail(table, shared[one, other].astype(np.int64))
        found[one, other] = found[other, one] = tail
    return found


def poisson_binomial_tail(rates: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return P(K >= least) of sums of independent events of unequal probability, one sum per row.

    Parameters
    ----------
    rates
        **sum x event**: probabilities; 0 pads rows with fewer events.
    least
        One number per row, 0 or more.

    Returns
    -------
    ndarray
        Exact, by adding one event after the other.
    """
    rows, events = rates.shape
    mass = np.zeros((rows, events + 2))
    mass[:, 0] = 1.0
    for event in range(events):
        p = rates[:, event : event + 1]
        mass[:, 1 : event + 2] = mass[:, 1 : event + 2] * (1 - p) + mass[:, : event + 1] * p
        mass[:, 0] *= 1 - p[:, 0]
    # From the top: the far tail is not lost as a difference from 1.
    tails = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
    found: np.ndarray = np.minimum(tails[np.arange(rows), np.minimum(least, events + 1)], 1.0)
    return found
