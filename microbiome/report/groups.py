"""Groups of subjects that are compared: what they are called, their colours, and which donors they received from."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from microbiome.report.data import Tables
from microbiome.report.roster import arm_scheme
from microbiome.report.theme import DONOR_COLOURS, GROUP_COLOURS, NEUTRAL, RESPONSE_COLOURS, colours, natural_key
from microbiome.subject_groups import donor_sets, group_labels, subject_columns

__all__ = [
    "column_title",
    "donors_by_group",
    "effect_title",
    "group_colours",
    "group_noun",
    "group_title",
    "subject_groups",
]

_RESPONSES = {"yes": "responder", "no": "non-responder"}


def column_title(by: str) -> str:
    """Return what groups are made by, for a title: ``responder`` is ``response``."""
    return {"responder": "response", "irae_grade": "irAE grade"}.get(by, by.replace("_", " "))


def group_title(by: str, group: object) -> str:
    """Return the name of a group for reading: ``yes`` of ``responder`` is ``responder``."""
    return _RESPONSES.get(str(group), str(group)) if by == "responder" else str(group)


def effect_title(by: str, first: object, second: object) -> str:
    """Return the direction of an effect: ``responder - non-responder``, with a minus sign."""
    return f"{group_title(by, second)} − {group_title(by, first)}"


def group_noun(by: str, group: object) -> str:
    """Return what the subjects of a group are called in a sentence: ``responders``, ``subjects of arm placebo``."""
    title = group_title(by, group)
    return f"{title}s" if title in _RESPONSES.values() else f"subjects of {column_title(by)} {title}"


def group_colours(by: str, groups: Iterable[object], subjects: pd.DataFrame) -> dict[str, str]:
    """Return a colour for each group, by its title; responders and arms have the colour that they have everywhere.

    Parameters
    ----------
    by
        What makes the groups.
    groups
        As the tables name them, in order.
    subjects
        As :func:`microbiome.report.roster.people` returns it.
    """
    names = list(dict.fromkeys(group_title(by, group) for group in groups))
    if by == "responder":
        return {name: RESPONSE_COLOURS.get(name, NEUTRAL) for name in names}
    arms = arm_scheme(subjects) if by == "arm" else None
    if arms is not None:
        return {name: arms.colours.get(name, NEUTRAL) for name in names}
    return colours(names, DONOR_COLOURS if by == "donor" else GROUP_COLOURS)


def subject_groups(tables: Tables, by: str) -> dict[str, str]:
    """Return the group of each subject as the tables of comparison name it; subjects without one are left out.

    Parameters
    ----------
    tables
        Subjects and doses of the study.
    by
        Column of the subjects table (``responder`` also where it follows from ``best_response``), or ``donor``: the
        donors received from, joined by ``+``. A column that is not there makes no groups.
    """
    subjects, doses = tables.study.subjects, tables.study.doses
    labels = group_labels(by, subject_columns(subjects), donor_sets(doses), [])
    return {str(name): str(label) for name, label in labels.dropna().items()}


def donors_by_group(tables: Tables, by: str, order: Iterable[str]) -> pd.DataFrame:
    """Count the subjects of each group that received from each donor.

    Parameters
    ----------
    tables
        The study; those who received no dose are not counted.
    by
        What makes the groups.
    order
        Groups, in the order of the columns.

    Returns
    -------
    DataFrame
        ``donor``, and a column per group, named by :func:`group_title`. Whoever received from several donors counts
        for each of them.
    """
    group = subject_groups(tables, by)
    given = tables.study.doses[["subject", "donor"]].drop_duplicates()
    given = given.assign(group=given["subject"].map(group)).dropna(subset=["group"])
    donors = sorted(given["donor"].unique(), key=natural_key)
    columns = {group_title(by, name): given.loc[given["group"] == name, "donor"].value_counts() for name in order}
    counted = pd.DataFrame({name: values.reindex(donors, fill_value=0) for name, values in columns.items()})
    return counted.astype("int64").rename_axis("donor").reset_index()
