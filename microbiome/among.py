"""Which subjects are compared: those with given values of the subjects table; and whether they mix treatments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from microbiome.errors import Problem, raise_problems
from microbiome.subject_groups import as_groups, no_such_column

__all__ = ["among_subjects", "mixed_doses", "nobody_among", "parse_among"]


def parse_among(texts: Sequence[str]) -> dict[str, str]:
    """Return the value of each column from texts ``COLUMN=VALUE``.

    Raises
    ------
    InputError
        When a text is not of that form, or a column is there twice.
    """
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        column, sign, value = (part.strip() for part in text.partition("="))
        if not (column and sign and value):
            problems.append(Problem(f"{text!r} is not COLUMN=VALUE", "write arm=fmt", column="among", value=text))
        elif column in found:
            fix = "give one value of each column"
            problems.append(Problem(f"column {column!r} is there twice", fix, column="among", value=text))
        else:
            found[column] = value
    raise_problems(problems)
    return found


def among_subjects(table: pd.DataFrame, among: Mapping[str, str] | None, problems: list[Problem]) -> set[str]:
    """Return the subjects that have all these values.

    Parameters
    ----------
    table
        As :func:`microbiome.subject_groups.subject_columns` returns it.
    among
        Value by column; None or empty for all subjects.
    problems
        Added to when there is no such column.
    """
    chosen = pd.Series(True, index=table.index)
    for column, value in (among or {}).items():
        if column not in table.columns:
            known = [name for name in table.columns if name != "subject"]
            problems.append(no_such_column(column, known, "among", "subjects"))
            continue
        chosen &= as_groups(table[column]).eq(value).fillna(False).astype(bool)
    return set(table.index[chosen])


def nobody_among(among: Mapping[str, str]) -> str:
    """Say that no subject with samples has these values."""
    return f"no subject with a post sample has {' and '.join(f'{name}={value}' for name, value in among.items())}"


def mixed_doses(samples: pd.DataFrame, rates: pd.DataFrame, groups: Sequence[str], subjects: pd.DataFrame) -> list[str]:
    """Say where a group has both subjects with and subjects without doses.

    Parameters
    ----------
    samples
        ``subject`` and ``group`` of the samples compared.
    rates
        ``subject`` and ``donor_products`` (products received by then) of all samples; nothing is said without.
    groups
        The groups compared, in order.
    subjects
        As :func:`microbiome.subject_groups.subject_columns` returns it; ``arm`` is used where it is there.

    Returns
    -------
    list of str
        One sentence with the number of subjects without doses in each group, or none.
    """
    if "donor_products" not in rates:
        return []
    products = pd.to_numeric(rates["donor_products"]).groupby(rates["subject"]).max().dropna()
    group = samples.drop_duplicates("subject").set_index("subject")["group"]
    group = group[group.isin(groups) & group.index.isin(products.index)]
    none = products.loc[group.index].eq(0).astype(bool)
    if not none.groupby(group).nunique().gt(1).any():
        return []
    numbers = [f"{int((group[none] == name).sum())} {name}" for name in reversed(groups)]
    total = int(none.sum())
    words = f"includes {total} {'subject' if total == 1 else 'subjects'} without doses ({', '.join(numbers)})"
    arm = _arm_of_treated(none, subjects)
    return [f"{words}: --among arm={arm} compares the treated only" if arm else words]


def _arm_of_treated(none: pd.Series, subjects: pd.DataFrame) -> str:
    """Return the arm that all subjects with doses have, and nobody else; empty where there is none."""
    if "arm" not in subjects:
        return ""
    arms = as_groups(subjects["arm"]).reindex(none.index)
    treated = set(arms[~none])
    apart = arms[~none].notna().all() and not arms[none].isin(treated).any()
    return str(treated.pop()) if len(treated) == 1 and apart else ""
