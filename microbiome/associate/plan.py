"""Which test a pair gets, and which combinations of options make none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from microbiome.associate.predictors import DAY
from microbiome.associate.tables import AT, PARTS
from microbiome.errors import Problem
from microbiome.molecules import Measured

__all__ = ["ASKED_METHODS", "KINDS", "SUBJECTS", "features_of", "method_of", "option_problems", "table_problems"]

#: Name of the second table where features are tested against subjects, donors and days.
SUBJECTS = "subjects"

#: What a user may ask for; `auto` takes what fits.
ASKED_METHODS = ("auto", "spearman", "partial_spearman", "permutation", "mixed_model", "rm_corr")
#: What a feature is tested against.
KINDS = ("group", "number", "day", "feature")
_FOR = {
    "spearman": ("number", "feature"),
    "partial_spearman": ("group", "number", "feature"),
    "permutation": ("group",),
    "mixed_model": KINDS,
    "rm_corr": ("day", "feature"),
}
_REPEATED = ("mixed_model", "rm_corr")


def method_of(kind: str, at: str, part: str, asked: str, adjusted: bool) -> str:
    """Return the method of a pair.

    Parameters
    ----------
    kind
        What the feature is tested against (:data:`KINDS`).
    at, part
        As in :mod:`microbiome.associate.tables`.
    asked
        Method of part ``value`` that is asked for, or ``auto``.
    adjusted
        Whether covariates or strata are held constant.
    """
    if part == "presence" and at == "all":
        return "share" if kind in ("group", "number") else "within_subject"
    if part == "presence" and at != "change":
        return "logistic"
    if part == "abundance" and at != "all":
        return "least_squares"
    if asked != "auto" and part == "value":
        return asked
    # A mixed model of what varies both between and within subjects has no right degrees of freedom.
    if at == "all":
        return "rm_corr" if kind == "feature" else "mixed_model"
    if adjusted:
        return "partial_spearman"
    return "permutation" if kind == "group" else "spearman"


def option_problems(
    kinds: Sequence[tuple[str, str]], at: Sequence[str], part: Sequence[str], asked: str, adjusted: bool
) -> list[Problem]:
    """Return what is wrong with words and their combination.

    Parameters
    ----------
    kinds
        (name, kind) of everything that features are tested against.
    at, part, asked, adjusted
        As in :func:`method_of`.
    """
    problems = []
    for option, given, known in (("at", at, AT), ("part", part, PARTS), ("method", (asked,), ASKED_METHODS)):
        for word in given:
            if word not in known:
                problems.append(Problem(f"{word!r} is not known", f"use {', '.join(known)}", column=option, value=word))
        if not given:
            problems.append(Problem(f"no {option} is given", f"use some of {', '.join(known)}", column=option))
    if problems or asked == "auto":
        return problems
    for name, kind in kinds:
        if kind not in _FOR[asked]:
            can = [method for method, of in _FOR.items() if kind in of]
            what = {"group": "groups", "number": "a number", "day": "days", "feature": "features"}[kind]
            message = f"{asked} is not for {what} ({name})"
            problems.append(Problem(message, f"use auto, {', '.join(can)}", column="method", value=asked))
    days_only = bool(kinds) and all(kind == "day" for _, kind in kinds)
    for word in at:
        if (word == "all") != (asked in _REPEATED) and not (days_only and asked in _REPEATED):
            fix = "use at all" if asked in _REPEATED else "use mixed_model or rm_corr at all, or another at"
            problems.append(Problem(f"{asked} is not for samples at {word}", fix, column="method", value=asked))
    if asked in ("spearman", "permutation") and adjusted:
        message = f"{asked} holds nothing constant, and covariates or strata are given"
        problems.append(Problem(message, "use auto or partial_spearman", column="method", value=asked))
    if asked == "partial_spearman" and not adjusted:
        fix = "give covariates or strata, or use spearman"
        problems.append(Problem("partial_spearman needs something to hold constant", fix, column="method", value=asked))
    return problems


def features_of(table: Measured) -> np.ndarray:
    """Return the names of the features of a table."""
    return table.values.columns.astype(str).to_numpy(dtype=object)


def table_problems(
    tables: Sequence[Measured],
    others: Sequence[Measured],
    by: Sequence[str],
    at: Sequence[str],
    covariates: Sequence[str],
    held: Sequence[str],
    days: Sequence[int] | None,
    permutations: int,
    level: float,
    window: int,
) -> list[Problem]:
    """Return what is wrong with the tables and with numbers among the options.

    Parameters
    ----------
    tables, others, by, at, covariates, days, permutations, level, window
        As in :func:`microbiome.associate.associate`.
    held
        The covariates that are columns of the subjects table, and not the day.
    """
    found = []
    if not tables:
        found.append(Problem("there is no table of features", "give at least one"))
    if not by and not others:
        fix = "name columns of the subjects table (by), or another table (with)"
        found.append(Problem("there is nothing to associate the features with", fix))
    for name, number in Counter(table.name for table in (*tables, *others)).items():
        if number > 1 or name == SUBJECTS:
            what = "two tables are" if number > 1 else "a table is"
            found.append(Problem(f"{what} called {name!r}", "give each table a name of its own", value=name))
    for table in (*tables, *others):
        if not len(features_of(table)):
            found.append(Problem(f"table {table.name!r} has no features", "leave it out", value=table.name))
    if len(held) < len(covariates) and any(time != "all" for time in at):
        fix = "hold it constant over all samples (at all)"
        found.append(Problem("one value per subject has no day to hold constant", fix, column="covariate", value=DAY))
    if days is not None and (len(days) != 2 or days[0] > days[1]):
        text = " ".join(map(str, days))
        found.append(Problem(f"the days {text} are not a first and a last day", "give two days", column="days"))
    if permutations < 0:
        found.append(Problem(f"{permutations} permutations", "give 0 or more", value=str(permutations)))
    if not 0 < level < 1:
        found.append(Problem(f"{level} is no confidence level", "give one such as 0.95", value=str(level)))
    if window < 0:
        found.append(Problem(f"a window of {window} days", "give 0 days or more", column="window", value=str(window)))
    return found
