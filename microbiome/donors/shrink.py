"""Empirical Bayes: estimates of donors drawn towards the mean of all donors, as far as chance may have spread them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from microbiome.donors.shrunken import Shrunken, Spread, no_spread, nothing, too_few, words
from microbiome.stats.mixed import fit_nested

__all__ = ["shrink_means", "shrink_proportions"]

# A precision above this is no spread: the beta-binomial is the binomial.
_NO_SPREAD = 1e6
_PROPORTIONS, _MEANS = "beta_binomial_ml", "random_intercept_reml"
# Points of the grid over the shrinkage, and over the mean of proportions.
_GRID = 40


def shrink_proportions(events: ArrayLike, n: ArrayLike) -> tuple[Shrunken, Spread]:
    r"""Shrink proportions by the beta-binomial model.

    :math:`x_d \sim Bin(n_d, \pi_d)`, :math:`\pi_d \sim Beta(M \mu, M (1 - \mu))`. Mean :math:`\mu` and precision M are
    those of largest marginal likelihood
    :math:`\prod_d B(M\mu + x_d, M(1-\mu) + n_d - x_d) / B(M\mu, M(1-\mu))` with M >= 1
    (Jeffreys' prior: where donors are all or nothing the likelihood would have M = 0, and no interval any width); then

    .. math:: \hat\pi_d = w_d \frac{x_d}{n_d} + (1 - w_d) \hat\mu, \qquad w_d = \frac{n_d}{n_d + M},

    the mean of the posterior :math:`Beta(M\mu + x_d, M(1-\mu) + n_d - x_d)`. The interval does not take mean and
    precision as known: it is that of the beta distribution with mean and variance of the mixture of these posteriors
    over :math:`\mu` and M, weighted by their likelihood, with uniform priors of :math:`\mu` and of the shrinkage
    :math:`M / (M + \bar n)`. The mean of donors has variance
    :math:`var(\hat\mu) = 1 / \sum_d n_d (M + 1) / (\mu (1 - \mu) (M + n_d))`, the spread between donors
    is :math:`\sqrt{\mu (1 - \mu) / (M + 1)}`; Pearson's :math:`Q = \sum_d n_d (x_d/n_d - p)^2 / (p (1 - p))` with p the
    pooled proportion.

    Parameters
    ----------
    events, n
        Per group; a group with n = 0 has its whole estimate from the others.

    Returns
    -------
    Shrunken, Spread
        With one group (of n > 0) nothing can be drawn anywhere: all missing, and the note says so. Where the donors
        spread no more than chance does, M is infinite: all estimates are the pooled proportion. Where all or no
        subjects have the event likewise, and the mean has the exact interval of the pooled proportion.

    Raises
    ------
    ValueError
        Lengths that differ, a negative count, more events than subjects.

    References
    ----------
    Skellam, J R Stat Soc B 10:257 (1948); Casella, Am Stat 39:83 (1985), 10.1080/00031305.1985.10479400; Daniels, Can J
    Stat 27:567 (1999), 10.2307/3316112 (the prior).
    """
    x, size = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    if x.shape != size.shape or (x < 0).any() or (x > size).any():
        raise ValueError("events and n are counts of the same groups, 0 <= events <= n")
    there = size > 0
    groups, total = int(there.sum()), int(size.sum())
    if groups < 2:
        return nothing(len(x), too_few(groups)), no_spread(groups, total, _PROPORTIONS, too_few(groups))
    pooled = x.sum() / total
    mixed = _mixture(x, size, there)
    if pooled in (0.0, 1.0):
        bound = stats.binomtest(int(x.sum()), total).proportion_ci(method="exact")
        word = "no" if pooled == 0 else "every"
        note = f"{word} recipient of any donor has the event: drawn wholly to the pooled proportion"
        full = np.full(len(x), pooled)
        spread = Spread(
            pooled, bound.low, bound.high, 0.0, math.nan, groups - 1, math.nan, groups, total, _PROPORTIONS, note
        )
        return Shrunken(full, *_beta_interval(full, *mixed), np.zeros(len(x)), note), spread
    mu, precision = _beta_binomial(x[there], size[there])
    finite = math.isfinite(precision)
    weight = size / (size + precision) if finite else np.zeros(len(x))
    between = mu * (1 - mu) / (precision + 1) if finite else 0.0
    # The variance of a donor's own proportion about mu.
    own = mu * (1 - mu) / size[there] + between * (1 - 1 / size[there])
    variance_mu = 1 / (1 / own).sum()
    raw = np.divide(x, size, out=np.zeros(len(x)), where=there)
    estimate = weight * raw + (1 - weight) * mu
    low, high = _beta_interval(estimate, *mixed)
    half = float(stats.t.ppf(0.975, groups - 1)) * math.sqrt(variance_mu) / (mu * (1 - mu))
    centre = float(special.logit(mu))
    q = float((size[there] * (raw[there] - pooled) ** 2).sum() / (pooled * (1 - pooled)))
    spread = Spread(
        mu,
        float(special.expit(centre - half)),
        float(special.expit(centre + half)),
        math.sqrt(between),
        q,
        groups - 1,
        max(0.0, (q - groups + 1) / q) if q > 0 else 0.0,
        groups,
        total,
        _PROPORTIONS,
        words(groups, between),
    )
    return Shrunken(estimate, low, high, weight, words(groups, between)), spread


def _beta_binomial(x: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Return mean and precision (infinite for no spread) of largest marginal likelihood."""

    def loss(theta: np.ndarray) -> float:
        mu, precision = special.expit(theta[0]), _precision(theta[1])
        a, b = precision * mu, precision * (1 - mu)
        return -float((special.betaln(a + x, b + n - x) - special.betaln(a, b)).sum())

    pooled = x.sum() / n.sum()
    flat = -float(special.xlogy(x, pooled).sum() + special.xlog1py(n - x, -pooled).sum())
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
    starts = [np.array([special.logit(pooled), math.log(m)]) for m in (1.5, 10.0, 100.0)]
    best = optimize.minimize(loss, min(starts, key=loss), method="Nelder-Mead", options=options)
    precision = _precision(float(best.x[1]))
    if best.fun > flat - 1e-7 or precision > _NO_SPREAD:
        return float(pooled), math.inf
    return float(special.expit(best.x[0])), precision


def _precision(log: float) -> float:
    return math.exp(min(max(log, 0.0), 30.0))


def _mixture(x: np.ndarray, n: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of each group's proportion, with mean and precision of all integrated out."""
    shrinkage = (np.arange(_GRID) + 0.5) / _GRID
    m = (n[there].mean() * shrinkage / (1 - shrinkage))[:, np.newaxis]
    mu = ((np.arange(_GRID) + 0.5) / _GRID)[np.newaxis, :]
    a, b = (m * mu)[..., np.newaxis], (m * (1 - mu))[..., np.newaxis]
    log = (special.betaln(a + x[there], b + (n - x)[there]) - special.betaln(a, b)).sum(axis=-1)
    weight = np.exp(log - log.max())[..., np.newaxis]
    weight /= weight.sum()
    mean = (a + x) / (a + b + n)
    expected = (weight * mean).sum(axis=(0, 1))
    within = mean * (1 - mean) / (a + b + n + 1)
    return expected, (weight * (within + (mean - expected) ** 2)).sum(axis=(0, 1))


def _beta_interval(estimate: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = mean * (1 - mean) / variance - 1
    low, high = (stats.beta.ppf(p, mean * size, (1 - mean) * size) for p in (0.025, 0.975))
    return np.minimum(low, estimate), np.maximum(high, estimate)


def shrink_means(values: ArrayLike, group: ArrayLike, groups: ArrayLike) -> tuple[Shrunken, Spread]:
    r"""Shrink the means of groups by the random-intercept model.

    :math:`y_{di} = \mu + b_d + e_{di}` with variances :math:`\tau^2` between and :math:`\sigma^2` within groups by
    restricted maximum likelihood, and :math:`v_d = \sigma^2 / n_d`:

    .. math:: \hat\mu_d = w_d \bar y_d + (1 - w_d) \hat\mu, \quad w_d = \frac{\tau^2}{\tau^2 + v_d}, \quad
              se_d^2 = w_d v_d + (1 - w_d)^2 var(\hat\mu), \quad var(\hat\mu) = 1 / \sum_d (\tau^2 + v_d)^{-1}

    The interval does not take :math:`\tau^2` as known: it is :math:`m_d \pm t\,s_d` (t with the degrees of freedom of
    :math:`\sigma^2`), cut to 0..1, with mean and variance of the mixture of :math:`N(\hat\mu_d, se_d^2)` over
    :math:`\tau^2`, weighted by the restricted likelihood, with a uniform prior of the shrinkage
    :math:`\bar v / (\bar v + \tau^2)`, :math:`\bar v = \sigma^2 / \bar n`.
    Equal to R ``coef(lme4::lmer(y ~ 1 + (1 | d)))`` and, given :math:`\tau^2` and :math:`v_d`, ``metafor::blup``.
    :math:`Q = \sum_d (\bar y_d - \tilde y)^2 / v_d` with :math:`\tilde y` the mean of all values.

    Parameters
    ----------
    values
        Fractions, one per recipient (and donor).
    group
        The group of each value.
    groups
        All groups, in the order of the result; one without values has its whole estimate from the others.

    Returns
    -------
    Shrunken, Spread
        All missing, and the note says why, with fewer than two groups that have a value, or where no group has two
        values that differ: then the spread between groups cannot be told from that within.

    References
    ----------
    Robinson, Stat Sci 6:15 (1991), 10.1214/ss/1177011926; Daniels, Can J Stat 27:567 (1999), 10.2307/3316112.
    """
    y, label = np.asarray(values, dtype=float), np.asarray(group, dtype=object)
    names = np.asarray(groups, dtype=object)
    sizes = np.array([(label == name).sum() for name in names], dtype=float)
    there = sizes > 0
    number = int(there.sum())
    if number < 2:
        return nothing(len(names), too_few(number)), no_spread(number, len(y), _MEANS, too_few(number))
    try:
        fit = fit_nested(y, np.ones((len(y), 1)), label.astype(str))
    except ValueError:
        note = "not shrunk: no donor has two recipients who differ, so that donors cannot be told from recipients"
        return nothing(len(names), note), no_spread(number, len(y), _MEANS, note)
    tau2, sigma2, mu = fit.unit_variance, fit.residual_variance, float(fit.coefficients[0])
    means = np.array([y[label == name].mean() if has else 0.0 for name, has in zip(names, there, strict=True)])
    v = np.divide(sigma2, sizes, out=np.full(len(names), np.inf), where=there)
    weight = tau2 / (tau2 + v)
    variance_mu = 1 / (1 / (tau2 + v[there])).sum()
    estimate = weight * means + (1 - weight) * mu
    mean, error = _mixed_means(means, v, there, sigma2 / sizes[there].mean())
    half = stats.t.ppf(0.975, len(y) - number) * error
    low, high = np.minimum(mean - half, estimate), np.maximum(mean + half, estimate)
    half_mu = float(stats.t.ppf(0.975, number - 1)) * math.sqrt(variance_mu)
    q = float(((means[there] - y.mean()) ** 2 / v[there]).sum())
    note = words(number, tau2)
    spread = Spread(
        mu,
        max(0.0, mu - half_mu),
        min(1.0, mu + half_mu),
        math.sqrt(tau2),
        q,
        number - 1,
        max(0.0, (q - number + 1) / q) if q > 0 else 0.0,
        number,
        len(y),
        _MEANS,
        note,
    )
    return Shrunken(estimate, np.maximum(low, 0), np.minimum(high, 1), weight, note), spread


def _mixed_means(means: np.ndarray, v: np.ndarray, there: np.ndarray, typical: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each group's mean, with the variance between groups integrated out."""
    shrinkage = (np.arange(_GRID) + 0.5) / _GRID
    tau2 = (typical * (1 - shrinkage) / shrinkage)[:, np.newaxis]
    inverse = 1 / (tau2 + v[there])
    total = inverse.sum(axis=1)
    mu = (inverse * means[there]).sum(axis=1) / total
    square = (inverse * (means[there] - mu[:, np.newaxis]) ** 2).sum(axis=1)
    log = np.log(inverse).sum(axis=1) / 2 - np.log(total) / 2 - square / 2
    weight = np.exp(log - log.max())[:, np.newaxis]
    weight /= weight.sum()
    own = tau2 / (tau2 + v)
    each = own * means + (1 - own) * mu[:, np.newaxis]
    variance = tau2 * (1 - own) + (1 - own) ** 2 / total[:, np.newaxis]
    expected = (weight * each).sum(axis=0)
    return expected, np.sqrt((weight * (variance + (each - expected) ** 2)).sum(axis=0))
