"""The smallest effect that a test would have found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

__all__ = ["POWER", "detectable"]

#: The probability with which it is found.
POWER = 0.8
# The equation of a correlation is solved by iteration: each step gains a digit or more.
_STEPS = 12
_CORRELATIONS = ("rho", "partial_rho", "r_rm")


def detectable(rows: pd.DataFrame, alpha: np.ndarray, power: float = POWER) -> np.ndarray:
    r"""Return the smallest absolute effect that is found with probability `power` at a two-sided level `alpha`.

    With z the normal and t Student's quantile, s the scale of the row:

    * correlations: :math:`\tanh \zeta` with :math:`\zeta = s (z_{1 - \alpha/2} + z_{power} \sqrt{1 + r^2 / 2})`,
      :math:`r = \tanh \zeta`, :math:`s = 1 / \sqrt{n - 3 - k}`, k covariates; of repeated measures
      :math:`\zeta = s (z_{1 - \alpha/2} + z_{power})`, :math:`s = 1 / \sqrt{df - 1}`;
    * Cliff's delta (Noether): :math:`\delta = s (z_{1 - \alpha/2} + z_{power} \sqrt{1 - \delta^2})`,
      :math:`s = \sqrt{(n_1 + n_2 + 1) / (3 n_1 n_2)}`, its error being smaller where it is large;
    * log odds ratio (Hsieh): :math:`b = s (z_{1 - \alpha/2} + z_{power})` with
      :math:`s = 1 / \sqrt{n \bar p (1 - \bar p) v}`, p the share with the feature and v the variance of the predictor
      that the covariates leave; of groups whose subjects are permuted times
      :math:`(1 + \sqrt{1 + 2 s^2 / b}) / 2`, for counts cannot spend the whole level (Casagrande);
    * t tests: :math:`s (t_{1 - \alpha/2} + t_{power})`, s the standard error, which is that of these data.

    Parameters
    ----------
    rows
        ``effect_name``, ``df``, ``p_floor`` and ``scale`` (s); ``group`` and ``scheme`` where there are groups.
    alpha
        Level per row.
    power
        The probability.

    Returns
    -------
    ndarray
        Missing where s is, where `alpha` lies below ``p_floor``, or the effect would have to be larger than any is.

    References
    ----------
    Noether, J Am Stat Assoc 82:645 (1987), 10.1080/01621459.1987.10478478; Hsieh et al, Stat Med 17:1623 (1998),
    10.1002/(SICI)1097-0258(19980730)17:14<1623::AID-SIM871>3.0.CO;2-S; Casagrande et al, Biometrics 34:483 (1978),
    10.2307/2530613.
    """
    name = rows["effect_name"].to_numpy(dtype=object)
    scale, df, floor = (rows[column].to_numpy(dtype=float) for column in ("scale", "df", "p_floor"))
    level = np.broadcast_to(np.asarray(alpha, dtype=float), scale.shape)
    z_alpha, z_power = stats.norm.isf(level / 2), float(stats.norm.ppf(power))
    found = scale * (z_alpha + z_power)
    of_t = ~np.isnan(df) & ~np.isin(name, _CORRELATIONS)
    if of_t.any():
        # Few different degrees of freedom and levels: Student's quantiles are slow.
        pairs, code = np.unique(np.column_stack([df, level])[of_t], axis=0, return_inverse=True)
        reach = np.array([stats.t.isf(a / 2, d) + stats.t.ppf(power, d) if d > 0 else np.nan for d, a in pairs])
        found[of_t] = scale[of_t] * reach[code.reshape(-1)]
    single = name == "r_rm"
    found[single] = np.tanh(found[single])
    ranks = np.isin(name, _CORRELATIONS) & ~single
    r = np.zeros(int(ranks.sum()))
    for _ in range(_STEPS):
        r = np.tanh(scale[ranks] * (z_alpha[ranks] + z_power * np.sqrt(1 + r * r / 2)))
    found[ranks] = r
    delta = name == "cliffs_delta"
    d = np.zeros(int(delta.sum()))
    for _ in range(4 * _STEPS):
        # Half of the way each time: it swings where groups are small.
        d = (d + scale[delta] * (z_alpha[delta] + z_power * np.sqrt(np.maximum(1 - d * d, 0)))) / 2
    found[delta] = d
    found[delta & (found > 1)] = np.nan
    if {"group", "scheme"} <= set(rows.columns):
        counts = (name == "log_odds_ratio") & rows["group"].notna().to_numpy()
        counts &= rows["scheme"].isin(["exact", "monte_carlo"]).to_numpy()
        plain = found[counts]
        for _ in range(_STEPS):
            found[counts] = plain * (1 + np.sqrt(1 + 2 * scale[counts] ** 2 / found[counts])) / 2
    found[level < floor * (1 - 1e-12)] = np.nan
    return found
