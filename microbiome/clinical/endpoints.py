"""Time and event of each subject, the day on which the clock starts, and who does not count and why."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.clinical.survival_tables import ENDPOINTS
from microbiome.errors import Problem
from microbiome.tables import SUBJECTS

__all__ = [
    "AFTER_FMT",
    "Clock",
    "Cohort",
    "chosen_by",
    "clock",
    "cohort",
    "endpoint_problems",
    "endpoints_of",
    "latest",
    "patients",
]

#: Columns of the subjects table that are known only some time after FMT: who lives longer has more time to get there.
AFTER_FMT = ("best_response", "responder", "irae_grade")
_ENDPOINT_COLUMNS = {f"{endpoint}_{part}" for endpoint in ENDPOINTS for part in ("days", "event")}


@dataclass(frozen=True)
class Clock:
    """When an analysis starts.

    Parameters
    ----------
    landmark
        Day from which times count, and on which a subject must be at risk.
    biased
        Whether what is known only later counts from the start: asked for by name, and labelled.
    notes
        What a reader must know about it.
    """

    landmark: float = 0.0
    biased: bool = False
    notes: tuple[str, ...] = ()

    def method(self, name: str) -> str:
        """Return the name of a method, with the label of a biased analysis."""
        return f"{name}, immortal_time_biased" if self.biased else name


@dataclass(frozen=True)
class Cohort:
    """Who counts in an analysis, from the landmark on.

    Parameters
    ----------
    time
        Index subject: days from the landmark to the event or the end of follow-up.
    event
        Same index: whether the event happened.
    excluded
        Index subject: in words why it does not count.
    """

    time: pd.Series
    event: pd.Series
    excluded: pd.Series

    def only(self, subjects: Collection[object], reason: str = "") -> Cohort:
        """Keep these subjects; with a reason the others are excluded for it, without they are no part of the matter."""
        inside = self.time.index.isin(list(subjects))
        excluded = self.excluded
        if reason:
            more = pd.Series(reason, index=self.time.index[~inside], dtype=object)
            excluded = pd.concat([excluded, more]) if len(more) else excluded
        else:
            excluded = excluded[excluded.index.isin(list(subjects))]
        return Cohort(self.time[inside], self.event[inside], excluded)

    @property
    def exclusions(self) -> str | None:
        """How many are excluded for each reason, in words."""
        counts = self.excluded.value_counts(sort=False)
        return "; ".join(f"{number} {reason}" for reason, number in counts.items()) or None


def endpoints_of(
    subjects: pd.DataFrame, endpoints: Sequence[str], problems: list[Problem], file: str = "subjects"
) -> list[str]:
    """Return the endpoints to analyse, each once: those asked for, else those whose columns are there.

    Parameters
    ----------
    subjects
        Subjects table.
    endpoints
        Of :data:`microbiome.clinical.survival_tables.ENDPOINTS`; empty for all that there are.
    problems
        Added to when an endpoint is unknown or one of its columns is missing, or there is none at all.
    file
        Name used in the messages.
    """
    wanted = list(dict.fromkeys(endpoints)) or [
        name for name in ENDPOINTS if {f"{name}_days", f"{name}_event"} & set(subjects.columns)
    ]
    for name in [name for name in wanted if name not in ENDPOINTS]:
        fix = f"use {', '.join(ENDPOINTS)}"
        problems.append(Problem(f"no endpoint is named {name!r}", fix, column="endpoint", value=name))
    if not wanted:
        fix = "add pfs_days and pfs_event, or os_days and os_event"
        problems.append(Problem("the subjects table has no survival", fix, file))
    found = []
    for name in [name for name in wanted if name in ENDPOINTS]:
        absent = [column for column in (f"{name}_days", f"{name}_event") if column not in subjects]
        problems += [Problem(f"column {column!r} is missing", "add it", file, column=column) for column in absent]
        found += [] if absent else [name]
    return found


def endpoint_problems(subjects: pd.DataFrame, endpoints: Sequence[str], file: str = "subjects") -> list[Problem]:
    """Return what is wrong with times and events: negative or infinite days, flags not 0 or 1, one without the other.

    Parameters
    ----------
    subjects
        With the columns of these endpoints; its index, where it is called ``line``, is the line of the file.
    endpoints
        As :func:`endpoints_of` returns them.
    file
        Name used in the messages.

    Returns
    -------
    list of Problem
        A time to progression that is longer than that to death, or than the follow-up, is a warning.
    """
    problems = []
    lines = list(subjects.index) if subjects.index.name == "line" else [None] * len(subjects)
    if "subject" not in subjects:
        return [Problem("column 'subject' is missing", "add it", file, column="subject")]

    def say(place: int, column: str, value: object, message: str, fix: str, warning: bool = False) -> None:
        name = subjects["subject"].iloc[place]
        level = "warning" if warning else "error"
        said = f"subject {name!r} {message}"
        problems.append(Problem(said, fix, file, lines[place], column, "" if value is None else str(value), level))  # type: ignore[arg-type]

    for again in np.flatnonzero(subjects["subject"].duplicated()).tolist():
        say(again, "subject", subjects["subject"].iloc[again], "stands twice", "keep one row")
    for name in endpoints:
        days, event = _numbers(subjects[f"{name}_days"]), _numbers(subjects[f"{name}_event"])
        for place, (day, flag) in enumerate(zip(days, event, strict=True)):
            if day < 0 or math.isinf(day):
                say(place, f"{name}_days", day, f"has {name}_days {day:g}", "days are 0 or more")
            if not (flag in (0.0, 1.0) or math.isnan(flag)):
                say(place, f"{name}_event", flag, f"has {name}_event {flag:g}", "write 1 or 0")
            if math.isnan(day) and not math.isnan(flag):
                fix = "write how many days it was followed, or leave both empty"
                say(place, f"{name}_days", None, f"has {name}_event {flag:g} and no {name}_days", fix)
            if math.isnan(flag) and not math.isnan(day):
                fix = "write 1 where it happened and 0 where it was censored, or leave both empty"
                say(place, f"{name}_event", None, f"has {name}_days {day:g} and no {name}_event", fix)
    if set(ENDPOINTS) <= set(endpoints):
        first, last = _numbers(subjects["pfs_days"]), _numbers(subjects["os_days"])
        for late in np.flatnonzero(first > last).tolist():
            message = f"has pfs_days {first[late]:g}, longer than os_days {last[late]:g}"
            say(late, "pfs_days", first[late], message, "correct one", warning=True)
    return problems


def patients(subjects: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which something clinical is known: donors, of whom there is nothing, are no patients."""
    known = [name for name in SUBJECTS.names if name != "subject" and name in subjects]
    return subjects[subjects[known].notna().any(axis=1)] if known else subjects


def cohort(subjects: pd.DataFrame, endpoint: str, landmark: float = 0.0) -> Cohort:
    """Return who is at risk from the landmark on.

    Parameters
    ----------
    subjects
        Checked by :func:`endpoint_problems`.
    endpoint
        ``pfs`` or ``os``.
    landmark
        Above 0: only subjects whose time is **longer** count, their time being less the landmark. At 0 all count,
        those with an event on day 0 among them.
    """
    table = patients(subjects)
    index = pd.Index(table["subject"], name="subject", dtype=object)
    days = pd.Series(_numbers(table[f"{endpoint}_days"]), index=index)
    event = pd.Series(_numbers(table[f"{endpoint}_event"]) == 1, index=index)
    missing = days.isna()
    early = ~missing & (days <= landmark) if landmark > 0 else pd.Series(False, index=index)
    excluded = pd.Series(None, index=index, dtype=object)
    excluded[missing] = f"without {endpoint}_days"
    excluded[early & event] = f"with the event by day {landmark:g}"
    excluded[early & ~event] = f"censored by day {landmark:g}"
    there = ~(missing | early)
    return Cohort(days[there] - max(landmark, 0.0), event[there], excluded.dropna())


def clock(
    name: str, measured: Mapping[str, float], landmark: float | None, naive: bool, problems: list[Problem]
) -> Clock:
    """Tell when the clock starts for groups or predictors made from a column of the subjects table.

    Parameters
    ----------
    name
        The column. Of ``best_response``, ``responder`` and ``irae_grade`` (:data:`AFTER_FMT`) it is known only that
        they come after FMT; of others that are not in `measured` it is believed that they were known at day 0.
    measured
        Day on which a column was measured.
    landmark
        Day asked for; None for the day on which the column was measured, or day 0.
    naive
        Whether to count from day 0 what is known only later.
    problems
        Added to when what is known later would count from before.
    """
    day = measured.get(name, math.nan if name in AFTER_FMT else 0.0)
    if day <= 0:
        return Clock(landmark or 0.0)
    if naive:
        when = "later than day 0" if math.isnan(day) else f"on day {day:g}"
        words = f"{name} is known {when}, and whoever has it was immortal until then: the result is biased"
        return Clock(0.0, True, (words,))
    if math.isnan(day):
        if not landmark:
            problems.append(
                Problem(
                    f"{name} is known only some time after day 0: nobody who leaves before can have it, and survival "
                    "from day 0 would be biased (immortal time)",
                    f"give the day by which it was known (--landmark DAY, or --measured {name}=DAY), or ask for the "
                    "biased analysis by name (--naive)",
                    column=name,
                    value=name,
                )
            )
            return Clock()
        return Clock(landmark, notes=(f"right only if {name} was known by day {landmark:g} of everybody",))
    if landmark is not None and landmark < day:
        problems.append(
            Problem(
                f"{name} was measured on day {day:g}, and cannot count from day {landmark:g} on (immortal time)",
                "give a later landmark or none, or ask for the biased analysis by name (--naive)",
                column="landmark",
                value=f"{landmark:g}",
            )
        )
    return Clock(day if landmark is None else landmark)


def chosen_by(
    names: Mapping[str, str],
    measured: Mapping[str, float],
    landmark: float | None,
    naive: bool,
    problems: list[Problem],
) -> list[Clock]:
    """Tell when the clock starts for columns that choose subjects or make strata: they are groups like any other.

    Parameters
    ----------
    names
        Option by column: ``among`` or ``strata``.
    measured, landmark, naive
        As in :func:`clock`.
    problems
        Added to, also where subjects would be chosen by the endpoint itself.
    """
    found = []
    for name, option in names.items():
        if name in _ENDPOINT_COLUMNS:
            words = f"{name!r} is an endpoint: who is chosen by what happened to them tells nothing of what happens"
            problems.append(Problem(words, "choose another column", column=option, value=name))
        else:
            found.append(clock(name, measured, landmark, naive, problems))
    return found


def latest(clocks: Sequence[Clock]) -> Clock:
    """Return the clock of an analysis: the latest, or day 0 where what is known only later counts from day 0."""
    notes = tuple(dict.fromkeys(note for one in clocks for note in one.notes))
    if any(one.biased for one in clocks):
        return Clock(0.0, True, notes)
    return Clock(max(one.landmark for one in clocks), notes=notes)


def _numbers(column: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64")
    return np.asarray(numbers.to_numpy(dtype=float, na_value=np.nan))
