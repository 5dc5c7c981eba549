"""Which post samples a primary analysis is made of, so that every subject counts once and the same time is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem

__all__ = ["Analysis", "analysis_samples", "empty_window", "subject_means", "visits"]

# A visit reaches at most from a day to twice that day and a week: day 20 to day 47, day 80 to day 167.
_SPAN_FACTOR, _SPAN_DAYS = 2, 7


@dataclass(frozen=True)
class Analysis:
    """The samples of a primary analysis, and what was left out of it.

    Parameters
    ----------
    samples
        ``subject``, ``sample``, ``day``, ``visit`` of the samples that count.
    visits
        One row per visit: ``visit`` (1, 2, ...), ``day_low``, ``day_high``, ``n_subjects``, ``n_samples``, ``used``
        (0 or 1).
    left_out
        Subjects that have samples, but none that counts.
    note
        In words: which days count, why, and who is left out.
    """

    samples: pd.DataFrame
    visits: pd.DataFrame
    left_out: tuple[str, ...]
    note: str


def visits(posts: pd.DataFrame) -> pd.Series:
    """Group the days of post samples into visits.

    Days next to each other are put together, the nearest first, as long as no subject has a sample on both sides, and
    the visit reaches from a day d to no further than day 2 d + 7. Planned visits that took place some days early or
    late thus come together; a person's own samples stay apart.

    Parameters
    ----------
    posts
        ``subject`` and ``day`` (> 0) of each sample.

    Returns
    -------
    Series of int
        Visit of each row, 1 for the earliest; same index. Samples of one subject on one day share a visit.
    """
    days = posts["day"].to_numpy(dtype=np.int64)
    present = np.unique(days)
    low, high = present.tolist(), present.tolist()
    persons = [set(posts["subject"].to_numpy(dtype=object)[days == day]) for day in present]
    while True:
        gaps = [
            (low[i + 1] - high[i], i)
            for i in range(len(low) - 1)
            if high[i + 1] <= _SPAN_FACTOR * low[i] + _SPAN_DAYS and persons[i].isdisjoint(persons[i + 1])
        ]
        if not gaps:
            break
        _, i = min(gaps)
        high[i] = high.pop(i + 1)
        low.pop(i + 1)
        persons[i] |= persons.pop(i + 1)
    return pd.Series(np.searchsorted(high, days) + 1, index=posts.index, name="visit", dtype=np.int64)


def analysis_samples(posts: pd.DataFrame, window: Sequence[int] | None = None) -> Analysis:
    """Choose the samples of the primary analysis.

    Without a window these are the samples of the visits that **all** subjects have: whoever leaves the study early
    would otherwise be compared at other days than those who stay (subject means over whatever there is reject 18 % of
    null trials where non-responders drop out). Where no visit is had by all, it is the visit that most subjects have
    (the earlier of two), and the others are left out by name.

    Parameters
    ----------
    posts
        ``subject``, ``sample``, ``day`` of every sample that could count: those with a value.
    window
        First and last day that count (both included), instead of the visits; every subject with a sample in it counts.

    Raises
    ------
    InputError
        When the window is not two days in order.
    """
    if window is not None and (len(window) != 2 or window[0] > window[1]):
        text = " ".join(map(str, window))
        raise InputError(Problem(f"the day window {text} is not a first and a last day", "give two days", value=text))
    frame = posts[["subject", "sample", "day"]].assign(visit=visits(posts))
    everyone = list(dict.fromkeys(frame["subject"]))
    table = (
        frame.groupby("visit", sort=True)
        .agg(
            day_low=("day", "min"),
            day_high=("day", "max"),
            n_subjects=("subject", "nunique"),
            n_samples=("sample", "size"),
        )
        .reset_index()
    )
    if window is not None:
        chosen = frame["day"].between(window[0], window[1])
        used = table["day_high"].ge(window[0]) & table["day_low"].le(window[1])
        note = f"days {window[0]} to {window[1]}"
    else:
        used = table["n_subjects"] == len(everyone)
        note = "visits that all have: " if used.any() else "no visit is had by all; the one that most have: "
        if not used.any() and len(table):
            used = table.index == table["n_subjects"].idxmax()
        kept = table[used]
        chosen = frame["visit"].isin(kept["visit"])
        spans = [_span(a, b) for a, b in zip(kept["day_low"], kept["day_high"], strict=True)]
        note += ", ".join(spans) if spans else "none"
    samples = frame[chosen.astype(bool)]
    there = set(samples["subject"])
    left_out = tuple(subject for subject in everyone if subject not in there)
    if left_out:
        note += f"; without a sample then and left out: {', '.join(left_out)}"
    dropped = int((~chosen.astype(bool)).sum())
    if dropped:
        note += f"; {dropped} of {len(frame)} samples do not count"
    return Analysis(samples, table.assign(used=np.asarray(used, dtype=np.int64)), left_out, note)


def empty_window(days: pd.Series, window: Sequence[int] | None) -> str:
    """Say that no post sample lies in a window of days, and where they lie; empty where one does, or without window."""
    days = days.dropna()
    if window is None or len(days) == 0 or days.between(window[0], window[1]).any():
        return ""
    lie = _span(int(days.min()), int(days.max())).replace("day ", "on day ").replace("days ", "on days ")
    return f"no post sample from day {window[0]} to {window[1]}; samples lie {lie}"


def subject_means(table: pd.DataFrame, column: str, window: Sequence[int] | None = None) -> tuple[pd.Series, Analysis]:
    """Return one value per subject: its mean over the samples of the primary analysis.

    Within a visit samples are averaged first, so that a visit with two samples counts once.

    Parameters
    ----------
    table
        ``subject``, ``sample``, ``day`` and `column`, such as a table of rates; rows without a value do not count.
    column
        What is averaged.
    window
        As in :func:`analysis_samples`.

    Returns
    -------
    means
        Index subject (in order of appearance), the mean over its visits.
    analysis
        Which samples count.
    """
    there = table[table[column].notna()]
    analysis = analysis_samples(there, window)
    values = analysis.samples.assign(value=there.loc[analysis.samples.index, column].astype(float))
    by_visit = values.groupby(["subject", "visit"], sort=False)["value"].mean()
    return by_visit.groupby("subject", sort=False).mean().rename(column), analysis


def _span(low: int, high: int) -> str:
    return f"day {low}" if low == high else f"days {low} to {high}"
