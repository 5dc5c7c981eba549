"""The Kaplan-Meier estimate: its curve, and what is read from it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from microbiome.clinical.survival_tables import SURVIVAL_INTERVALS

__all__ = ["Estimate", "kaplan_meier", "quantile", "restricted_mean", "survival_at"]

# As in R: survival that differs less from a quantile is equal to it.
_TIE = 1e-9


class Estimate(NamedTuple):
    """A number with its bounds, NaN where there is none, and in words why."""

    value: float
    low: float
    high: float
    note: str = ""


def kaplan_meier(time: ArrayLike, event: ArrayLike, level: float = 0.95, interval: str = "log_log") -> pd.DataFrame:
    r"""Return the Kaplan-Meier curve.

    :math:`S(t) = \prod_{t_k \le t} (1 - d_k / n_k)` with :math:`d_k` events among :math:`n_k` at risk, by lifelines.
    With Greenwood's :math:`s^2 = \sum_{t_k \le t} d_k / (n_k (n_k - d_k))` and z the normal quantile, the interval is

    - ``log_log``: :math:`S^{\exp(\pm z s / \ln S)}`, in 0..1 and the best with few subjects;
    - ``log``: :math:`S \exp(\pm z s)`, cut at 1, what R does without being asked;
    - ``plain``: :math:`S \pm z s S`, cut at 0 and 1.

    R ``survfit(Surv(time, event) ~ 1, conf.type = "log-log")``.

    Parameters
    ----------
    time
        Days to the event or to the end of follow-up, 0 or more.
    event
        Whether it was the event.
    level, interval
        Of the interval.

    Returns
    -------
    DataFrame
        One row at day 0 and one for each later day with an event or a censoring: ``day``, ``at_risk`` (just before),
        ``events``, ``censored``, ``survival``, ``ci_low``, ``ci_high``, ``error`` (s). Without bounds where survival
        is 0, and with ``log_log`` where it is 1.

    Raises
    ------
    ValueError
        An unknown interval, a level outside 0..1, no subject, or a time that is missing or negative.

    References
    ----------
    Kaplan & Meier, J Am Stat Assoc 53:457 (1958), 10.1080/01621459.1958.10501452.
    """
    days, happened = np.asarray(time, dtype=float), np.asarray(event, dtype=bool)
    if interval not in SURVIVAL_INTERVALS:
        raise ValueError(f"no interval is named {interval}; there are {', '.join(SURVIVAL_INTERVALS)}")
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, such as 0.95, and is not {level}")
    if not len(days) or not (days >= 0).all():
        raise ValueError("times are needed, each 0 or more")
    # Imported late: lifelines takes a second.
    from lifelines import KaplanMeierFitter

    fitter = KaplanMeierFitter().fit(days, happened)
    table = fitter.event_table
    survival = fitter.survival_function_.iloc[:, 0].reindex(table.index).to_numpy(dtype=float)
    at_risk, events = table["at_risk"].to_numpy(dtype=float), table["observed"].to_numpy(dtype=float)
    # Its products of (1 - d / n) may leave a rest where the last subject at risk has the event.
    survival = np.where(np.cumsum(events == at_risk) > 0, 0.0, survival)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)))
    low, high = _bounds(survival, error, level, interval)
    return pd.DataFrame(
        {
            "day": table.index.to_numpy(dtype=float),
            "at_risk": at_risk.astype(int),
            "events": events.astype(int),
            "censored": table["censored"].to_numpy(dtype=int),
            "survival": survival,
            "ci_low": low,
            "ci_high": high,
            "error": error,
        }
    )


def _bounds(survival: np.ndarray, error: np.ndarray, level: float, interval: str) -> tuple[np.ndarray, np.ndarray]:
    z = float(stats.norm.ppf((1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        if interval == "log_log":
            reach = z * error / np.log(survival)
            low, high = survival ** np.exp(-reach), survival ** np.exp(reach)
        elif interval == "log":
            low, high = survival * np.exp(-z * error), np.minimum(1.0, survival * np.exp(z * error))
        else:
            low = np.maximum(0.0, survival - z * error * survival)
            high = np.minimum(1.0, survival + z * error * survival)
    none = (survival <= 0) | ((survival >= 1) if interval == "log_log" else False)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def quantile(curve: pd.DataFrame, share: float = 0.5) -> Estimate:
    r"""Return the time by which a share of the subjects had the event, with the interval of Brookmeyer and Crowley.

    The first day with :math:`S(t) \le 1 -` share; where S stays exactly there, the middle of that stretch. The interval
    is made of the days at which the bounds of S get there. R ``quantile(survfit(...), share)``.

    Parameters
    ----------
    curve
        Of :func:`kaplan_meier`.
    share
        Above 0 and below 1; 0.5 for the median.

    References
    ----------
    Brookmeyer & Crowley, Biometrics 38:29 (1982), 10.2307/2530286.
    """
    last = float(curve["day"].iloc[-1])
    value, low, high = (_reaches(curve, name, 1 - share) for name in ("survival", "ci_low", "ci_high"))
    if math.isnan(value):
        lowest = float(curve["survival"].iloc[-1])
        return Estimate(value, low, high, f"not reached: survival is {lowest:.3g} at the end, after {last:g} days")
    missing = [word for word, bound in (("lower", low), ("upper", high)) if math.isnan(bound)]
    note = f"no {' and no '.join(missing)} bound: the data set none" if missing else ""
    return Estimate(value, low, high, note)


def _reaches(curve: pd.DataFrame, name: str, goal: float) -> float:
    """Return when a curve comes down to `goal`; the middle of the stretch where it stays there."""
    # Where the curve has no bounds it has no step of its own.
    there = curve[curve[name].notna()]
    level, day = there[name].to_numpy(), there["day"].to_numpy()
    down = np.flatnonzero(level <= goal + _TIE)
    if not len(down):
        return math.nan
    first = float(day[down[0]])
    below = np.flatnonzero(level < goal - _TIE)
    if abs(level[down[0]] - goal) > _TIE:
        return first
    return (first + float(day[below[0]] if len(below) else curve["day"].iloc[-1])) / 2


def survival_at(curve: pd.DataFrame, time: float, level: float = 0.95) -> tuple[Estimate, int, int]:
    """Return survival at a time, who is still at risk then, and the events until then.

    Where nobody had the event yet (or everybody), Greenwood's error is 0, and an interval without width could not
    cover: the bound is that of Clopper and Pearson for no event (or nothing but events) in those at risk.

    Parameters
    ----------
    curve
        Of :func:`kaplan_meier`.
    time
        Days.
    level
        Confidence level; that of the curve.

    Returns
    -------
    estimate
        NaN after the last day that anybody was followed, unless survival has come to 0 before.
    at_risk
        Subjects followed at least until `time`.
    events
        Events up to and with `time`.
    """
    before = curve[curve["day"] <= time]
    later = curve.loc[curve["day"] >= time]
    at_risk = int(later["at_risk"].iloc[0]) if len(later) else 0
    events, last = int(before["events"].sum()), before.iloc[-1]
    value = float(last["survival"])
    if not at_risk and value > 0:
        words = f"nobody was followed for {time:g} days: the curve ends after {curve['day'].iloc[-1]:g}"
        return Estimate(math.nan, math.nan, math.nan, words), 0, events
    if value >= 1:
        words = f"nobody had the event by then: bound of Clopper-Pearson for 0 of {at_risk} at risk"
        return Estimate(1.0, ((1 - level) / 2) ** (1 / at_risk), 1.0, words), at_risk, events
    if value <= 0:
        n = int(curve["at_risk"].iloc[0])
        if before["censored"].sum():
            words = "everybody at risk had the event by then, others were censored before: no bounds"
            return Estimate(0.0, math.nan, math.nan, words), at_risk, events
        words = f"everybody had the event by then: bound of Clopper-Pearson for {n} of {n}"
        return Estimate(0.0, 0.0, 1 - ((1 - level) / 2) ** (1 / n), words), at_risk, events
    return Estimate(value, float(last["ci_low"]), float(last["ci_high"])), at_risk, events


def restricted_mean(curve: pd.DataFrame, until: float, level: float = 0.95) -> Estimate:
    r"""Return the mean time without event up to a day, :math:`\mu = \int_0^\tau S(t) dt`.

    Its variance is :math:`\sum_k A_k^2 d_k / (n_k (n_k - d_k))`, :math:`A_k` the area under the curve from
    :math:`t_k` to :math:`\tau`; the interval is normal, cut at 0 and :math:`\tau`. R
    ``print(survfit(...), rmean = until)``.

    Parameters
    ----------
    curve
        Of :func:`kaplan_meier`.
    until
        :math:`\tau`, days; NaN is returned where nobody was followed so long and survival is not 0.
    level
        Confidence level.
    """
    last = float(curve["day"].iloc[-1])
    if until > last and curve["survival"].iloc[-1] > 0:
        words = f"nobody was followed for {until:g} days: the curve ends after {last:g}"
        return Estimate(math.nan, math.nan, math.nan, words)
    inside = curve[curve["day"] <= until]
    days = np.append(inside["day"].to_numpy(), until)
    areas = inside["survival"].to_numpy() * np.diff(days)
    mean = float(areas.sum())
    after = areas[::-1].cumsum()[::-1]
    d, n = inside["events"].to_numpy(dtype=float), inside["at_risk"].to_numpy(dtype=float)
    some = (d > 0) & (d < n)
    variance = float((after[some] ** 2 * d[some] / (n[some] * (n[some] - d[some]))).sum())
    if variance == 0:
        return Estimate(mean, math.nan, math.nan, "no bounds: no event before that day")
    half = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    return Estimate(mean, max(0.0, mean - half), min(until, mean + half))
