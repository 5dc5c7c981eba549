"""Two proportions against each other: difference, odds ratio and three tests, each under its own name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from microbiome.stats.intervals import Interval, proportion_interval
from microbiome.stats.values import check_level

__all__ = ["Comparison", "chi2_test", "compare_proportions", "fisher_test", "newcombe_interval", "odds_ratio_interval"]

#: Smallest expected count with which the chi-squared approximation is trusted (Cochran).
_EXPECTED = 5


@dataclass(frozen=True)
class Comparison:
    """An estimate or a test of two proportions.

    Parameters
    ----------
    measure
        ``risk_difference``, ``odds_ratio`` or ``test``.
    method
        ``newcombe``, ``conditional_exact``; ``fisher_exact``, ``chi2``, ``chi2_yates``.
    estimate, low, high
        NaN where there is none; the upper bound of an odds ratio may be infinite.
    statistic
        Chi-squared; NaN of others.
    p_value, p_floor
        Of tests; the smallest p-value that the margins allow is known of ``fisher_exact`` only.
    note
        Why a number is missing, or what to know.
    """

    measure: str
    method: str
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    statistic: float = math.nan
    p_value: float = math.nan
    p_floor: float = math.nan
    note: str = ""


def compare_proportions(
    events: int, n: int, events_reference: int, n_reference: int, level: float = 0.95
) -> list[Comparison]:
    """Compare the proportion events / n of a group with that of a reference.

    Returns
    -------
    list of Comparison
        Always five: the risk difference (:func:`newcombe_interval`), the odds ratio (:func:`odds_ratio_interval`), and
        the tests ``fisher_exact`` (:func:`fisher_test`), ``chi2`` and ``chi2_yates`` (:func:`chi2_test`).

    Raises
    ------
    ValueError
        Counts that are none, a level outside 0..1.
    """
    table = (events, n, events_reference, n_reference)
    difference = newcombe_interval(*table, level=level)
    ratio = odds_ratio_interval(*table, level=level)
    empty = "a group has no subject" if not n or not n_reference else ""
    same = "" if empty else _constant(*table)
    p_value, p_floor = fisher_test(*table)
    found = [
        Comparison(
            "risk_difference", difference.method, difference.estimate, difference.low, difference.high, note=empty
        ),
        Comparison("odds_ratio", ratio.method, ratio.estimate, ratio.low, ratio.high, note=empty or same),
    ]
    untestable = f"not testable: {empty or same}" if empty or same else ""
    found.append(Comparison("test", "fisher_exact", p_value=p_value, p_floor=p_floor, note=untestable))
    for method, corrected in (("chi2", False), ("chi2_yates", True)):
        statistic, p_value, expected = chi2_test(*table, corrected=corrected)
        few = f"an expected count is {expected:.1f}: the approximation is poor, see fisher_exact"
        note = untestable or (few if expected < _EXPECTED else "")
        found.append(Comparison("test", method, statistic=statistic, p_value=p_value, note=note))
    return found


def _constant(events: int, n: int, events_reference: int, n_reference: int) -> str:
    total = events + events_reference
    return "nobody has it" if total == 0 else "everybody has it" if total == n + n_reference else ""


def newcombe_interval(events: int, n: int, events_reference: int, n_reference: int, level: float = 0.95) -> Interval:
    r"""Return the difference of two independent proportions with Newcombe's hybrid score interval (his method 10).

    :math:`d = p_1 - p_2`, from :math:`d - \sqrt{(p_1 - l_1)^2 + (u_2 - p_2)^2}` to
    :math:`d + \sqrt{(u_1 - p_1)^2 + (p_2 - l_2)^2}`, with :math:`l, u` the Wilson bounds of each proportion.

    Returns
    -------
    Interval
        All NaN where a group is empty.

    References
    ----------
    Newcombe, Stat Med 17:873 (1998), 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    first = proportion_interval(events, n, "wilson", level)
    second = proportion_interval(events_reference, n_reference, "wilson", level)
    difference = first.estimate - second.estimate
    below = math.hypot(first.estimate - first.low, second.high - second.estimate)
    above = math.hypot(first.high - first.estimate, second.estimate - second.low)
    low, high = max(difference - below, -1.0), min(difference + above, 1.0)
    if math.isnan(difference):
        low = high = math.nan
    return Interval(difference, low, high, n + n_reference, "newcombe")


def odds_ratio_interval(events: int, n: int, events_reference: int, n_reference: int, level: float = 0.95) -> Interval:
    """Return the conditional maximum likelihood odds ratio with its exact interval, as R ``fisher.test``.

    Given the margins of the 2 x 2 table, the count of events in the group has Fisher's noncentral hypergeometric
    distribution; the bounds are the odds ratios at which each tail has (1 - level) / 2. Not the sample odds ratio.

    Returns
    -------
    Interval
        0 or infinite where a cell is 0; all NaN where a margin is 0.
    """
    check_level(level)
    _checked(events, n, events_reference, n_reference)
    size = n + n_reference
    if not n or not n_reference or _constant(events, n, events_reference, n_reference):
        return Interval(math.nan, math.nan, math.nan, size, "conditional_exact")
    from scipy.stats import contingency

    table = [[events, n - events], [events_reference, n_reference - events_reference]]
    found = contingency.odds_ratio(table, kind="conditional")
    bounds = found.confidence_interval(level)
    return Interval(float(found.statistic), float(bounds.low), float(bounds.high), size, "conditional_exact")


def fisher_test(events: int, n: int, events_reference: int, n_reference: int) -> tuple[float, float]:
    """Return the two-sided p-value of Fisher's exact test (R ``fisher.test``) and the smallest that the margins allow.

    The p-value is the sum of the probabilities of all tables with these margins that are no more probable than the one
    observed. Both NaN where a margin is 0.
    """
    _checked(events, n, events_reference, n_reference)
    total = events + events_reference
    if not n or not n_reference or _constant(events, n, events_reference, n_reference):
        return math.nan, math.nan
    from scipy.stats import fisher_exact

    def p_of(first: int) -> float:
        return float(fisher_exact([[first, n - first], [total - first, n_reference - total + first]]).pvalue)

    low, high = max(0, total - n_reference), min(n, total)
    return p_of(events), min(p_of(low), p_of(high))


def chi2_test(
    events: int, n: int, events_reference: int, n_reference: int, corrected: bool
) -> tuple[float, float, float]:
    r"""Return chi-squared of a 2 x 2 table with one degree of freedom, its p-value and the smallest expected count.

    :math:`\sum (|O - E| - y)^2 / E` with :math:`y = 0` (Pearson) or :math:`y = \min(1/2, |O - E|)` (Yates); R
    ``chisq.test(correct = ...)`` and ``prop.test``. All NaN where a margin is 0.
    """
    _checked(events, n, events_reference, n_reference)
    if not n or not n_reference or _constant(events, n, events_reference, n_reference):
        return math.nan, math.nan, math.nan
    from scipy.stats import chi2

    total, size = events + events_reference, n + n_reference
    expected = [[row * column / size for column in (total, size - total)] for row in (n, n_reference)]
    # In a 2 x 2 table all four counts are off by the same amount.
    off = abs(events - expected[0][0])
    off -= min(0.5, off) if corrected else 0
    statistic = sum(off**2 / value for row in expected for value in row)
    return statistic, float(chi2.sf(statistic, 1)), min(min(row) for row in expected)


def _checked(events: int, n: int, events_reference: int, n_reference: int) -> None:
    for count, size in ((events, n), (events_reference, n_reference)):
        if not 0 <= count <= size:
            raise ValueError(f"{count} of {size} is no proportion")
