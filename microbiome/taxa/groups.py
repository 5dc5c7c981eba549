"""Groups of the subjects of an analysis of taxa, and the donors that they received from."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.repair import depth_sentences
from microbiome.subject_groups import (
    confounding,
    donor_sets,
    few_donors,
    group_labels,
    left_out,
    ordered,
    subject_columns,
)

__all__ = ["EVERYBODY", "cautions", "donor_matrix", "groups_of", "members_of", "pairs_of_groups"]

logger = logging.getLogger(__name__)

#: Name of the group of all subjects.
EVERYBODY = "all"


def groups_of(
    subjects: pd.DataFrame | None, by: str | None, names: Sequence[str], doses: pd.DataFrame | None = None
) -> pd.Series:
    """Return the group of each subject.

    Parameters
    ----------
    subjects
        Subjects table.
    by
        Its column that makes the groups (``responder`` is derived where it is not given), or ``donor``, which needs
        `doses`. None for no groups.
    names
        The subjects of the analysis.
    doses
        Doses table.

    Returns
    -------
    Series
        Index `names`; None where a subject is not in the table, or has no value: they are named in the log.

    Raises
    ------
    InputError
        When there is no subjects table, no such column, a column that makes no groups, or a subject twice.
    """
    if by is None:
        return pd.Series(None, index=pd.Index(names, name="subject"), dtype=object)
    if subjects is None and by != "donor":
        raise InputError(Problem(f"groups by {by!r} need a subjects table", "give it, or no groups", column="by"))
    table = pd.DataFrame({"subject": list(names)}) if subjects is None else subjects
    twice = table["subject"].duplicated()
    if twice.any():
        name = table.loc[twice, "subject"].iloc[0]
        raise InputError(Problem(f"subject {name!r} stands twice in the subjects table", "keep one row", value=name))
    problems: list[Problem] = []
    labels = group_labels(by, subject_columns(table), donor_sets(doses), problems)
    raise_problems(problems)
    found = labels.reindex(list(names)).astype(object)
    for sentence in left_out(by, found, table["subject"]):
        logger.warning("%s", sentence)
    return found.where(found.notna(), None)


def pairs_of_groups(groups: pd.Series) -> list[tuple[str, str]]:
    """Return every pair (first, second) of the groups of these subjects; the first is the reference."""
    return list(itertools.combinations(ordered(groups.dropna()), 2))


def members_of(groups: pd.Series) -> dict[str, np.ndarray]:
    """Return which subjects are in each group, as booleans: first all of them, then by group, the reference first.

    Raises :class:`microbiome.errors.InputError` when a group is called ``all``.
    """
    names = ordered(groups.dropna())
    if EVERYBODY in names:
        raise InputError(Problem(f"a group is called {EVERYBODY!r}, as everybody is", "give it another name"))
    everybody = {EVERYBODY: np.ones(len(groups), dtype=bool)}
    return everybody | {name: (groups == name).to_numpy(dtype=bool) for name in names}


def donor_matrix(doses: pd.DataFrame | None, names: Sequence[str]) -> np.ndarray | None:
    """Return which donors each subject received from, as booleans **subject x donor**; None without doses table."""
    sets = donor_sets(doses)
    if sets is None:
        return None
    donors = sorted({donor for name in names for donor in sets.get(name, ())})
    return np.array([[donor in sets.get(name, ()) for donor in donors] for name in names], dtype=bool).reshape(
        len(names), len(donors)
    )


def cautions(
    groups: pd.Series, by: str | None, doses: pd.DataFrame | None, samples: pd.DataFrame | None = None
) -> list[str]:
    """Say what besides the group may make a difference: few donors, donors that go with the group, depth.

    Parameters
    ----------
    groups
        Group of each subject of the analysis, missing where it has none.
    by
        What makes the groups; that donors go with groups by donor needs no saying.
    doses
        Doses table, or None.
    samples
        The samples that count, with ``baseline_sample`` and their limits where there are any.
    """
    donors = donor_sets(doses)
    found = few_donors(groups.index, donors)
    for pair in pairs_of_groups(groups) if by != "donor" else []:
        sides = [(name, list(groups.index[groups == name])) for name in pair]
        found += [f"{pair[1]} - {pair[0]}: {text}" for text in confounding(sides[0], sides[1], donors)]
    if samples is not None and groups.notna().any():
        found += depth_sentences(samples, groups)
    return found
