"""What features are tested against besides other features: groups and numbers of subjects, donors, days."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import Problem
from microbiome.subject_groups import as_groups, group_labels, no_such_column, ordered

__all__ = ["DAY", "Predictor", "covariate_columns", "predictor", "strata_of"]

#: The day of a sample, over repeated measures.
DAY = "day"
_COMPARISON = re.compile(r"^(.+?)\s*(>=|<=|>|<)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)$")
_SHORT = {"irae": "irae_grade", "toxicity": "irae_grade"}


@dataclass(frozen=True)
class Predictor:
    """One thing to test against.

    Parameters
    ----------
    name
        As asked for.
    groups
        Group of each subject (index), None without; None where it is a number or the day.
    numbers
        Number of each subject; None where it makes groups or is the day.
    order
        The groups, the reference first.
    """

    name: str
    groups: pd.Series | None = None
    numbers: pd.Series | None = None
    order: tuple[str, ...] = ()

    def indicators(self, subjects: Sequence[str]) -> list[tuple[str | None, str | None, np.ndarray]]:
        """Return (group, reference, value per subject): 0 and 1 of each group against the reference, or the number.

        Where nobody is in a group, or all are in one, there is no reference, and nothing can be tested.
        """
        if self.numbers is not None:
            return [(None, None, self.numbers.reindex(subjects).to_numpy(dtype=float))]
        if self.groups is None:
            return []
        if not self.order:
            return [(None, None, np.full(len(subjects), np.nan))]
        label = self.groups.reindex(subjects).to_numpy(dtype=object)
        reference = self.order[0]
        if len(self.order) == 1:
            # Nothing to compare with: the rows stay, and say so.
            return [(reference, None, np.where(label == reference, 1.0, np.nan))]
        return [
            (group, reference, np.where(label == group, 1.0, np.where(label == reference, 0.0, np.nan)))
            for group in self.order[1:]
        ]


def predictor(
    text: str,
    table: pd.DataFrame,
    donors: Mapping[str, tuple[str, ...]] | None,
    problems: list[Problem],
    group_order: Sequence[str] = (),
) -> Predictor | None:
    """Return what a text stands for; None, and a problem, where it stands for nothing.

    Parameters
    ----------
    text
        A column of the subjects table, ``donor``, ``day``, or a comparison such as ``irae_grade>=3``, which makes the
        groups yes and no. A column of more than two different numbers is a number, any other makes groups.
    table
        As :func:`microbiome.subject_groups.subject_columns` returns it.
    donors
        As :func:`microbiome.subject_groups.donor_sets` returns them.
    problems
        Added to.
    group_order
        Groups in order, the reference first.
    """
    if text == DAY and DAY not in table:
        return Predictor(DAY)
    compared = _COMPARISON.match(text) if text not in table else None
    if compared:
        column, sign, bound = compared.groups()
        column = _SHORT.get(column, column) if column not in table else column
        if column not in table:
            problems.append(_absent(column, table, donors))
            return None
        numbers = _numbers(table[column])
        if numbers is None:
            message = f"{text} needs numbers, and column {column!r} has words"
            problems.append(Problem(message, "compare a column of numbers", column="by", value=text))
            return None
        values, limit = numbers.to_numpy(), float(bound)
        if any(_censored(column, table)[values < limit]):
            problems.append(_refused(text, column, "some are censored before"))
            return None
        holds = {">=": values >= limit, "<=": values <= limit, ">": values > limit, "<": values < limit}[sign]
        words = pd.Series(np.where(holds, "yes", "no"), index=table.index, dtype=object)
        return _grouped(text, words.where(numbers.notna(), None), group_order)
    if text in table and text != "subject":
        found = _numbers(table[text])
        if found is not None and _censored(text, table).any():
            problems.append(_refused(text, text, "some are censored"))
            return None
        if found is not None and found.nunique() > 2:
            return Predictor(text, numbers=found)
    if text != "donor" and (text not in table or text == "subject"):
        problems.append(_absent(text, table, donors))
        return None
    before = len(problems)
    labels = group_labels(text, table, donors, problems)
    return None if len(problems) > before else _grouped(text, labels, group_order)


def _censored(name: str, table: pd.DataFrame) -> np.ndarray:
    """Tell of which subjects a time to an event is censored; of none where the column is no such time."""
    event = name.removesuffix("_days") + "_event"
    if not name.endswith("_days") or event not in table:
        return np.zeros(len(table), dtype=bool)
    flags = pd.to_numeric(table[event], errors="coerce").astype("Float64").astype(float)
    return np.asarray(flags.to_numpy() == 0)


def _refused(text: str, column: str, why: str) -> Problem:
    words = f"{column} is a time to an event, and {why}: it is no number like others"
    return Problem(words, "use `microbiome clinical survival`", column="by", value=text)


def _absent(name: str, table: pd.DataFrame, donors: Mapping[str, tuple[str, ...]] | None) -> Problem:
    own = [str(column) for column in table.columns if column != "subject"]
    if not own:
        text = f"{name!r} is no column: the subjects table is not given, or has none"
        return Problem(text, "give the subjects table (--subjects)", column="by", value=name)
    known = [*own, DAY]
    return no_such_column(name, [*known, *(["donor"] if donors is not None else [])], "by", "subjects")


def _grouped(name: str, labels: pd.Series, order: Sequence[str]) -> Predictor:
    return Predictor(name, groups=labels, order=tuple(ordered(labels.dropna(), order)))


def _numbers(column: pd.Series) -> pd.Series | None:
    """Return a column as numbers, missing where empty; None where a cell is none."""
    text = as_groups(column)
    numbers = pd.to_numeric(text, errors="coerce").astype("Float64").astype(float)
    return None if (numbers.isna() & text.notna()).any() or not np.isfinite(numbers.dropna()).all() else numbers


def covariate_columns(
    names: Sequence[str],
    table: pd.DataFrame,
    subjects: Sequence[str],
    donors: Mapping[str, tuple[str, ...]] | None,
    problems: list[Problem],
) -> np.ndarray | None:
    """Return **subject x column** of what is held constant: numbers as they are, an indicator of each group but one.

    NaN where a subject has no value; None without names.
    """
    blocks = []
    for name in names:
        if name == "donor" and name not in table and donors is not None:
            column = pd.Series({subject: "+".join(of) for subject, of in donors.items()}, dtype=object)
        elif name not in table or name == "subject":
            known = [str(column) for column in table.columns if column != "subject"]
            problems.append(no_such_column(name, known, "covariate", "subjects"))
            continue
        else:
            column = table[name]
        numbers = _numbers(column)
        if numbers is not None:
            blocks.append(numbers.reindex(subjects).to_numpy(dtype=float)[:, np.newaxis])
            continue
        label = as_groups(column).reindex(subjects)
        known_rows = label.notna().to_numpy()[:, np.newaxis]
        levels = sorted(label.dropna().unique())[1:]
        table_of = np.array([[value == level for level in levels] for value in label], dtype=float)
        blocks.append(np.where(known_rows, table_of.reshape(len(label), len(levels)), np.nan))
    return np.column_stack(blocks) if blocks else None


def strata_of(name: str | None, table: pd.DataFrame, subjects: Sequence[str], problems: list[Problem]) -> pd.Series:
    """Return the stratum of each subject; all one where `name` is None, None where a subject has none."""
    if name is None:
        return pd.Series("", index=pd.Index(subjects), dtype=object)
    if name not in table or name == "subject":
        known = [str(column) for column in table.columns if column != "subject"]
        problems.append(no_such_column(name, known, "strata", "subjects"))
        return pd.Series(None, index=pd.Index(subjects), dtype=object)
    return as_groups(table[name]).reindex(subjects)
