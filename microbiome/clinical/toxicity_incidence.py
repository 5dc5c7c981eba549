"""Cumulative incidence of an event when another can come before it."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["CENSORED", "COMPETING", "EVENT", "cumulative_incidence"]

#: What ended the time of a person: the end of follow-up, the event, another event.
CENSORED, EVENT, COMPETING = 0, 1, 2


def cumulative_incidence(times: np.ndarray, status: np.ndarray, level: float = 0.95) -> pd.DataFrame:
    r"""Estimate the share that has had an event by each time, when another event can come before it (Aalen-Johansen).

    With n at risk just before time t, d events and c competing events at t, :math:`F(t) = F(t-) + S(t-) d / n` and
    :math:`S(t) = S(t-) (1 - (d + c) / n)`. The standard error is the infinitesimal jackknife,
    :math:`se^2 = \sum_i (\partial F / \partial w_i)^2` over persons of weight w; without censoring it is that of a
    binomial share. The interval is made on :math:`\ln(-\ln F)`. R ``survfit(Surv(time, factor(status)) ~ 1,
    conf.type = "log-log")``; without competing events F is 1 - Kaplan-Meier.

    Parameters
    ----------
    times
        Time of event, competing event or end of follow-up of each person, 0 or more.
    status
        0 follow-up ended, 1 event, 2 competing event. Of one time events come before ends.
    level
        Confidence level.

    Returns
    -------
    DataFrame
        One row per different time, in order: ``time``, ``at_risk``, ``events``, ``competing``, ``censored``,
        ``incidence``, ``std_error``, ``ci_low``, ``ci_high`` (no bounds while the incidence is 0, or without spread).

    Notes
    -----
    lifelines' ``AalenJohansenFitter`` gives the same where no two times are equal; of equal ones it moves the times at
    random, so this is our own.

    References
    ----------
    Aalen & Johansen, Scand J Stat 5:141 (1978), https://www.jstor.org/stable/4615704.
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + level) / 2))
    alive, share = 1.0, 0.0
    of_alive, of_share = np.zeros(len(times)), np.zeros(len(times))
    rows = []
    for time in np.unique(times):
        risk, now = times >= time, times == time
        n = int(risk.sum())
        event, other = (now & (status == kind) for kind in (EVENT, COMPETING))
        d, c = int(event.sum()), int(other.sum())
        # What one person's weight changes in each hazard, and through them in the two states.
        of_event, of_other = (event - risk * (d / n)) / n, (other - risk * (c / n)) / n
        of_share = of_share + of_alive * (d / n) + alive * of_event
        of_alive = of_alive * (1 - (d + c) / n) - alive * (of_event + of_other)
        share, alive = share + alive * d / n, alive * (1 - (d + c) / n)
        error = float(np.sqrt((of_share**2).sum()))
        low = high = np.nan
        if 1e-12 < share < 1 - 1e-12 and error > 1e-12:
            centre, half = np.log(-np.log(share)), z * error / abs(share * np.log(share))
            low, high = (float(np.exp(-np.exp(centre + sign * half))) for sign in (1, -1))
        censored = int((now & (status == CENSORED)).sum())
        rows.append((time, n, d, c, censored, min(share, 1.0), error, low, high))
    names = ["time", "at_risk", "events", "competing", "censored", "incidence", "std_error", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=names)
