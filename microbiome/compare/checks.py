"""Checks that the comparisons share."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from microbiome.compare.tables import COMPARE_METHODS
from microbiome.errors import Problem
from microbiome.strains.rate_tables import STRAIN_RATE_NAMES
from microbiome.subject_groups import no_such_column
from microbiome.tables import RATE_NAMES

__all__ = ["INTERVALS", "option_problems", "order_problems", "rate_names", "table_problems"]

#: Intervals of a mean (:func:`microbiome.stats.intervals.mean_interval`).
INTERVALS = ("logit_t", "t", "percentile", "bca")


def option_problems(
    interval: str,
    level: float,
    permutations: int = 1,
    window: Sequence[int] | None = None,
    methods: Sequence[str] = COMPARE_METHODS,
) -> list[Problem]:
    """Return what is wrong with options."""
    problems = []
    if permutations < 1:
        problems.append(Problem(f"{permutations} permutations are too few", "give 1 or more", column="permutations"))
    if interval not in INTERVALS:
        problems.append(Problem(f"no interval is named {interval!r}", f"use {', '.join(INTERVALS)}", column="interval"))
    if not 0 < level < 1:
        problems.append(Problem(f"level {level:g} is not between 0 and 1", "give 0.95", column="level"))
    for name in methods:
        if name not in COMPARE_METHODS:
            problems.append(
                Problem(f"no method is named {name!r}", f"use {', '.join(COMPARE_METHODS)}", column="methods")
            )
    if window is not None and (len(window) != 2 or window[0] > window[1]):
        text = " ".join(map(str, window))
        problems.append(Problem(f"window {text!r} is not a first and a last day", "give two days", column="window"))
    return problems


def table_problems(rates: pd.DataFrame, subjects: pd.DataFrame) -> list[Problem]:
    """Return what is wrong with the tables: columns and cells that are missing, rows that stand twice."""
    problems = [
        Problem(f"column {name!r} is missing", "add it", source, column=name)
        for frame, source, names in (
            (rates, "rates", ("subject", "sample", "day")),
            (subjects, "subjects", ("subject",)),
        )
        for name in names
        if name not in frame
    ]
    for frame, name, source in ((rates, "sample", "rates"), (subjects, "subject", "subjects")):
        twice = frame.loc[frame[name].duplicated(), name].tolist() if name in frame else []
        if twice:
            value = str(twice[0])
            problems.append(Problem(f"{name} {value!r} stands twice", "keep one row", source, column=name, value=value))
    for name in ("subject", "sample", "day"):
        if name in rates and rates[name].isna().any():
            problems.append(Problem(f"a row has no {name}", "fill it in", "rates", column=name))
    return problems


def rate_names(rates: pd.DataFrame, rate: Sequence[str], problems: list[Problem]) -> list[str]:
    """Return the columns to compare, each once: those named, else all rates there are; unknown ones are problems."""
    names = list(dict.fromkeys(rate)) or [name for name in (*RATE_NAMES, *STRAIN_RATE_NAMES) if name in rates]
    if not names:
        problems.append(Problem("the rates table has none of the usual rates", "name its columns", column="rate"))
    known = [name for name in rates if name not in ("subject", "sample", "baseline_sample")]
    problems += [no_such_column(name, known, "rate", "rates") for name in names if name not in known]
    return [name for name in names if name in known]


def order_problems(group_order: Sequence[str], groups: Sequence[str]) -> list[Problem]:
    """Return a problem for each name of a group that there is not."""
    return [
        Problem(f"there is no group {name!r}", f"the groups are {', '.join(groups)}", column="group-order", value=name)
        for name in group_order
        if name not in groups
    ]
