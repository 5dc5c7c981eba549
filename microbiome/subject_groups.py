"""Groups of subjects: which there are, in which order, who their donors were, and what sets them apart besides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from microbiome.errors import Problem
from microbiome.response import responder
from microbiome.validation import did_you_mean

__all__ = [
    "as_groups",
    "confounding",
    "donor_sets",
    "few_donors",
    "group_labels",
    "left_out",
    "no_such_column",
    "ordered",
    "subject_columns",
]

# Names of the group that others are compared with.
_REFERENCES = ("no", "placebo", "control")
# More groups than that are no groups, but a number or a name.
_MOST_GROUPS = 30
# Names listed in a message.
_MOST_NAMED = 20
# Cramer's V from which group and donor are called associated.
_ASSOCIATED = 0.5


def as_groups(column: pd.Series) -> pd.Series:
    """Return the values of a column as names of groups, None where it is empty."""
    text = column.astype(object)
    return text.where(text.notna() & (text != ""), None).map(str, na_action="ignore")


def no_such_column(name: str, known: Iterable[object], option: str, table: str) -> Problem:
    """Return the problem of a column that does not exist, with the nearest that does."""
    names = [str(column) for column in known]
    message = f"the {table} table has no column {name!r}{did_you_mean(name, names)}"
    # A profile has hundreds of them.
    more = f", ... ({len(names)} in all)" if len(names) > _MOST_NAMED else ""
    return Problem(message, f"use one of {', '.join(names[:_MOST_NAMED])}{more}", column=option, value=name)


def subject_columns(subjects: pd.DataFrame) -> pd.DataFrame:
    """Return the subjects table by subject, with ``responder`` derived from ``best_response`` where not given."""
    if {"responder", "best_response"} & set(subjects.columns):
        subjects = subjects.assign(responder=responder(subjects).to_numpy())
    return subjects.set_index("subject", drop=False)


def donor_sets(doses: pd.DataFrame | None) -> dict[str, tuple[str, ...]] | None:
    """Return the donors that each subject received from at any time, in sorted order; None without doses table."""
    if doses is None:
        return None
    found: dict[str, set[str]] = {}
    for subject, donor in zip(doses["subject"], doses["donor"], strict=True):
        found.setdefault(subject, set()).add(donor)
    return {subject: tuple(sorted(donors)) for subject, donors in found.items()}


def group_labels(
    by: str,
    table: pd.DataFrame,
    donors: Mapping[str, tuple[str, ...]] | None,
    problems: list[Problem],
    option: str = "by",
) -> pd.Series:
    """Return the group of each subject (index), missing where it has none.

    Parameters
    ----------
    by
        A column of `table`, or ``donor``: the donors that a subject received from, joined by ``+``.
    table
        As :func:`subject_columns` returns it.
    donors
        As :func:`donor_sets` returns them.
    problems
        Added to, when there is no such column, or it has too many values to be groups.
    """
    nothing = pd.Series(None, index=table.index, dtype=object)
    if by == "donor" and donors is not None:
        labels = pd.Series({subject: "+".join(names) for subject, names in donors.items()}, dtype=object)
    elif by not in table.columns or by == "subject":
        if by == "donor":
            problems.append(Problem("groups by donor need the doses table", "give --doses", column=option, value=by))
        else:
            known = [*(name for name in table.columns if name != "subject"), *(["donor"] if donors is not None else [])]
            problems.append(no_such_column(by, known, option, "subjects"))
        return nothing
    else:
        labels = as_groups(table[by])
    if labels.nunique() > _MOST_GROUPS:
        message = f"column {by!r} has {labels.nunique()} different values, too many to be groups"
        problems.append(Problem(message, "group them, or give the column as a covariate", column=option, value=by))
        return nothing
    return labels


def left_out(by: str, groups: pd.Series, known: Iterable[object]) -> list[str]:
    """Say which subjects are left out for want of a group, and why.

    Parameters
    ----------
    by
        What makes the groups.
    groups
        Group of each row, missing where there is none; the index are subjects, who may stand there several times.
    known
        The subjects of the subjects table.
    """
    there = set(known)
    lacking = list(dict.fromkeys(groups.index[groups.isna()]))
    absent = [str(name) for name in lacking if name not in there] if by != "donor" else []
    without = [str(name) for name in lacking if by == "donor" or name in there]
    found = []
    if absent:
        found.append(f"subjects that are not in subjects.tsv are left out of the groups: {', '.join(absent)}")
    if without and not groups.notna().any():
        found.append(f"no subject has a value of {by}: there are no groups")
    elif without:
        found.append(f"subjects without a value of {by} are left out of the groups: {', '.join(without)}")
    return found


def ordered(labels: Iterable[object], order: Sequence[str] = ()) -> list[str]:
    """Return the groups in order: those of `order` first, then no, placebo and control, then by the alphabet."""
    names = {str(label) for label in labels if label is not None and label == label}
    rank = {name: place for place, name in enumerate(order)}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), _reference(name), name))


def _reference(name: str) -> int:
    word = name.casefold()
    return _REFERENCES.index(word) if word in _REFERENCES else len(_REFERENCES)


def few_donors(subjects: Iterable[str], donors: Mapping[str, tuple[str, ...]] | None) -> list[str]:
    """Say that results are conditional on the donors where few are shared."""
    treated = [donors[subject] for subject in subjects if subject in donors] if donors else []
    names = sorted({name for one in treated for name in one})
    if not names or len(names) >= len(treated):
        return []
    return [
        f"conditional on the one donor ({names[0]})" if len(names) == 1 else f"conditional on these {len(names)} donors"
    ]


def confounding(
    first: tuple[str, Iterable[str]], second: tuple[str, Iterable[str]], donors: Mapping[str, tuple[str, ...]] | None
) -> list[str]:
    r"""Say where a difference of two groups may be one of their donors.

    Parameters
    ----------
    first, second
        Name of the group and its subjects.
    donors
        As :func:`donor_sets` returns them. Subjects without donors do not count.

    Returns
    -------
    list of str
        One sentence or none: no donor has recipients in both groups; all of one group have one donor and the other
        group has others as well; or Cramer's :math:`V = \sqrt{\chi^2 / n}` of group and donor is 0.5 or more.
    """
    if not donors:
        return []
    received = [[donors[subject] for subject in subjects if subject in donors] for _, subjects in (first, second)]
    if not all(received):
        return []
    names = sorted({one for group in received for one in group})
    if len(names) < 2:
        return []
    counts = np.array([[group.count(name) for name in names] for group in received], dtype=float)
    said = ["+".join(name) for name in names]
    if (counts.min(axis=0) == 0).all():
        whose = [", ".join(said[i] for i in np.flatnonzero(row)) for row in counts]
        text = f"no donor has recipients in both groups ({first[0]}: {whose[0]}; {second[0]}: {whose[1]})"
        return [f"group and donor are confounded: {text}"]
    for (label, _), row, (other, _), others in (
        (second, counts[1], first, counts[0]),
        (first, counts[0], second, counts[1]),
    ):
        place = int(row.argmax())
        if row[place] == row.sum() > 1 and others[place] < others.sum():
            text = f"all {int(row.sum())} of {label} received {said[place]}"
            return [f"group and donor are confounded: {text}, of {other} {int(others[place])} of {int(others.sum())}"]
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    v = float(np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum()))
    return [f"group and donor are associated (Cramer's V {v:.2f})"] if v >= _ASSOCIATED else []
