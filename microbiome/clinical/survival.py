"""Survival of everybody and of groups: Kaplan-Meier, landmarks, log-rank."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from microbiome.clinical.kaplan_meier import Estimate, kaplan_meier, quantile, restricted_mean, survival_at
from microbiome.clinical.log_rank import log_rank, log_rank_permutation
from microbiome.clinical.survival_groups import Grouped, prepare
from microbiome.clinical.survival_tables import CLINICAL_SURVIVAL
from microbiome.compare.material import Row, joined
from microbiome.errors import Problem
from microbiome.seeds import stream
from microbiome.stats import benjamini_hochberg
from microbiome.validation import as_table

__all__ = ["survival"]

# So many events or fewer, and the chi-square of a log-rank test is not to be relied on.
_FEW_EVENTS = 20
_METHODS = {
    "median": "kaplan_meier, brookmeyer_crowley ({interval})",
    "survival": "kaplan_meier, {interval}",
    "restricted_mean": "kaplan_meier, greenwood",
    "median_follow_up": "reverse_kaplan_meier, brookmeyer_crowley ({interval})",
}


def survival(
    subjects: pd.DataFrame,
    by: Sequence[str] = (),
    endpoints: Sequence[str] = (),
    times: Sequence[float] = (365,),
    interval: str = "log_log",
    level: float = 0.95,
    until: float | None = None,
    strata: str | None = None,
    permutations: int = 9999,
    seed: int = 0,
    landmark: float | None = None,
    measured: Mapping[str, float] | None = None,
    naive: bool = False,
    group_order: Sequence[str] = (),
    among: Mapping[str, str] | None = None,
    file: str = "subjects",
) -> pd.DataFrame:
    """Estimate survival of everybody and of groups, and compare the groups.

    Of everybody and of each group: the median with the interval of Brookmeyer and Crowley, survival at `times`, the
    median follow-up by reverse Kaplan-Meier and, with `until`, the restricted mean
    (:mod:`microbiome.clinical.kaplan_meier`). Between groups: the log-rank test by chi-square and by permutation
    (:mod:`microbiome.clinical.log_rank`); of more than two groups all together, then each pair.

    Parameters
    ----------
    subjects
        Subjects table: ``pfs_days`` and ``pfs_event``, ``os_days`` and ``os_event``, in days since the first dose.
        Rows in which no declared column is filled (donors) are no patients.
    by
        Columns that make groups, each by itself.
    endpoints
        ``pfs``, ``os``; those whose columns are there when empty.
    times
        Days (after the landmark) at which survival is told.
    interval
        ``log_log``, ``log`` or ``plain`` (:func:`microbiome.clinical.kaplan_meier.kaplan_meier`).
    level
        Confidence level.
    until
        Day (after the landmark) up to which the mean is restricted; None for no restricted mean.
    strata
        Column within whose groups the log-rank test compares, and labels are permuted.
    permutations, seed
        As in :func:`microbiome.clinical.log_rank.log_rank_permutation`.
    landmark
        Day from which times count: only who is at risk later than that day counts. None for the day on which the column
        that makes the groups was measured, and day 0 for others.
    measured
        Day on which a column was measured, where that is after day 0. It is not known of ``best_response``,
        ``responder`` and ``irae_grade``: groups by them need a day here, or a landmark.
    naive
        Count from day 0 even what is known only later. Who lives longer has more time to respond: groups are biased
        in favour of those who had the time, which method and note then say.
    group_order
        Groups in order, the reference first; by default no, placebo and control, then by the alphabet.
    among
        Value by column: only subjects with these values.
    file
        Name of the subjects table in messages.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.clinical.survival_tables.CLINICAL_SURVIVAL`. What cannot be told stays as a row
        with the reason in ``note``.

    Raises
    ------
    InputError
        With all problems at once: events without times and the reverse, negative days, flags that are not 0 or 1,
        columns or groups that do not exist, groups known only later without a landmark.
    """
    days = dict(measured or {})
    ready = prepare(subjects, endpoints, among, file, level, interval, landmark, days)
    for name, numbers in (("times", times), ("restricted-mean", [] if until is None else [until])):
        for number in numbers:
            if not (number > 0 and math.isfinite(number)):
                ready.problems.append(Problem(f"day {number:g} is not after day 0", "give a later day", column=name))
    if permutations < 1:
        ready.problems.append(
            Problem(f"{permutations} permutations are too few", "give 1 or more", column="permutations")
        )
    rows: list[Row] = []
    for grouped in ready.grouped(by, strata, group_order, days, landmark, naive):
        for group in grouped.groups:
            rows += _group_rows(grouped, group, times, interval, level, until)
        if grouped.by is not None:
            rows += _test_rows(grouped, strata, permutations, seed)
    return as_table(rows, CLINICAL_SURVIVAL)


def _group_rows(
    grouped: Grouped, group: str, times: Sequence[float], interval: str, level: float, until: float | None
) -> list[Row]:
    members = grouped.members(group)
    events = int(members.event.sum())
    row: Row = {
        "endpoint": grouped.endpoint,
        "analysis": "kaplan_meier",
        "by": grouped.by,
        "group": group,
        "n": len(members.time),
        "events": events,
        "level": level,
        "landmark": grouped.clock.landmark,
        "excluded": len(members.excluded),
        "exclusions": members.exclusions,
    }
    said = list(grouped.clock.notes)
    wanted: list[Row] = [{"quantity": "median"}, *({"quantity": "survival", "time": time} for time in times)]
    wanted += [] if until is None else [{"quantity": "restricted_mean", "time": until}]
    wanted.append({"quantity": "median_follow_up"})
    for one in wanted:
        method = _METHODS[str(one["quantity"])].format(interval=interval)
        one |= {"method": grouped.clock.method(method)}
    if members.time.empty:
        words = f"nobody is left ({members.exclusions})" if members.exclusions else "nobody has this endpoint"
        return [row | one | {"note": joined([words, *said])} for one in wanted]
    curve = kaplan_meier(members.time, members.event, level, interval)
    said += [] if events else [f"all {len(members.time)} are censored: no event was seen"]
    rows: list[Row] = []
    for one in wanted:
        cells = dict(one)
        if one["quantity"] == "median":
            estimate = quantile(curve)
        elif one["quantity"] == "survival":
            estimate, at_risk, until_then = survival_at(curve, float(str(one["time"])), level)
            cells |= {"at_risk": at_risk, "events": until_then}
            if "Clopper-Pearson" in estimate.note:
                cells |= {"method": grouped.clock.method("kaplan_meier, clopper_pearson")}
        elif one["quantity"] == "restricted_mean":
            estimate = restricted_mean(curve, float(str(one["time"])), level)
        else:
            estimate = _follow_up(members.time, members.event, level, interval)
        cells |= {"estimate": estimate.value, "ci_low": estimate.low, "ci_high": estimate.high}
        rows.append(row | cells | {"note": joined([estimate.note, *said])})
    return rows


def _follow_up(time: pd.Series, event: pd.Series, level: float, interval: str) -> Estimate:
    """Return the median follow-up: Kaplan-Meier with censoring as the event (Schemper & Smith 1996)."""
    found = quantile(kaplan_meier(time, ~event, level, interval))
    if math.isnan(found.value):
        words = "nobody is censored" if event.all() else "fewer than half would be followed beyond the last day"
        return found._replace(note=f"no median follow-up: {words}")
    return found


def _test_rows(grouped: Grouped, strata: str | None, permutations: int, seed: int) -> list[Row]:
    """Return the log-rank rows of all groups together and, of more than two, of each pair."""
    names = grouped.groups
    rows = [] if len(names) == 2 else _log_rank(grouped, names, strata, permutations, seed)
    pairs = list(itertools.combinations(names, 2))
    own = [_log_rank(grouped, pair, strata, permutations, seed) for pair in pairs]
    if len(pairs) > 1:
        family = f"{len(pairs)} pairs of groups of {grouped.by}, {grouped.endpoint}"
        for one in zip(*own, strict=True):
            q = benjamini_hochberg([float(str(row.get("p_value", "nan"))) for row in one])
            for row, value in zip(one, q, strict=True):
                row |= {"q_value": float(value), "family": family}
    return rows + [row for two in own for row in two]


def _log_rank(grouped: Grouped, names: Sequence[str], strata: str | None, permutations: int, seed: int) -> list[Row]:
    labels = grouped.labels
    members = grouped.everyone.only(labels.index[labels.isin(list(names)) | labels.isna()])
    blocks = None
    if grouped.strata is not None:
        members = members.only(grouped.strata.index[grouped.strata.notna()], f"without {strata}")
        blocks = grouped.strata.reindex(members.time.index).to_numpy(dtype=object).astype(str)
    label = labels.reindex(members.time.index).to_numpy(dtype=object).astype(str)
    events = int(members.event.sum())
    row: Row = {
        "endpoint": grouped.endpoint,
        "analysis": "log_rank",
        "by": grouped.by,
        "group": names[1] if len(names) == 2 else " / ".join(names),
        "reference": names[0] if len(names) == 2 else None,
        "quantity": "difference",
        "n": len(label),
        "events": events,
        "landmark": grouped.clock.landmark,
        "excluded": len(members.excluded),
        "exclusions": members.exclusions,
    }
    within = f" within {strata}" if strata else ""
    methods = [grouped.clock.method(f"{name}{within}") for name in ("log_rank_permutation", "log_rank_chi_square")]
    nobody = [name for name in names if name not in label]
    words = ""
    if len(names) < 2:
        words = f"all subjects are in one group ({names[0]})" if names else f"no subject has a value of {grouped.by}"
    elif nobody:
        words = f"nobody is left in {' and '.join(nobody)}"
    elif events < 2:
        words = f"{events} event{'' if events == 1 else 's'}, and 2 are needed"
    said = grouped.clock.notes
    if words:
        return [row | {"method": method, "note": joined([f"not testable: {words}", *said])} for method in methods]
    chi = log_rank(members.time, members.event, label, blocks)
    if not chi.df:
        words = "not testable: no event happened while two of the groups were at risk"
        return [row | {"method": method, "note": joined([words, *said])} for method in methods]
    rng = stream(seed, "log_rank", grouped.endpoint, str(grouped.by), *names)
    chance = log_rank_permutation(members.time, members.event, label, blocks, permutations, int(rng.integers(2**31)))
    seen = dict(zip(sorted(set(label)), zip(chi.observed, chi.expected, strict=True), strict=True))
    counted = "events seen and expected: " + ", ".join(f"{n} {seen[n][0]:.0f} and {seen[n][1]:.1f}" for n in names)
    few = f"{events} events: rely on the permutation" if events <= _FEW_EVENTS else ""
    return [
        row
        | {
            "method": methods[0],
            "statistic": chance.statistic,
            "p_value": chance.p_value,
            "p_floor": chance.p_floor,
            "permutations": chance.permutations,
            "scheme": chance.scheme,
            "note": joined([counted, *said]),
        },
        row
        | {
            "method": methods[1],
            "statistic": chi.statistic,
            "df": chi.df,
            "p_value": chi.p_value,
            "note": joined([counted, few, *said]),
        },
    ]
