"""Rates over the days: the mean of each group at each visit, and who has left by then."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from microbiome.among import among_subjects, nobody_among
from microbiome.compare.checks import option_problems, order_problems, rate_names, table_problems
from microbiome.compare.material import Row, is_fraction, joined, rate_values
from microbiome.compare.tables import TRAJECTORIES
from microbiome.errors import Problem, raise_problems
from microbiome.stats import mean_interval
from microbiome.subject_groups import donor_sets, few_donors, group_labels, left_out, ordered, subject_columns
from microbiome.validation import as_table
from microbiome.visits import visits

__all__ = ["trajectories"]

logger = logging.getLogger(__name__)


def trajectories(
    rates: pd.DataFrame,
    subjects: pd.DataFrame | None = None,
    by: str | None = None,
    rate: Sequence[str] = (),
    doses: pd.DataFrame | None = None,
    group_order: Sequence[str] = (),
    interval: str = "logit_t",
    level: float = 0.95,
    seed: int = 0,
    among: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the mean of each rate over subjects at each visit, by group.

    Visits are those of :func:`microbiome.visits.visits`, the same for all rates and groups. Samples of a subject at one
    visit are averaged first. Besides the mean there is the mean change of each subject from its value at the first
    visit, which drop-out does not move as it moves the mean.

    Parameters
    ----------
    rates, rate, doses, group_order, interval, level, seed, among
        As in :func:`microbiome.compare.compare`.
    subjects
        Subjects table; needed with `by` and `among`.
    by
        What makes the groups; None for one group of all subjects, ``all``.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.compare.tables.TRAJECTORIES`, a row per rate, group and visit, also where a group
        has no value. The interval of the change is always t. Neither says anything of donors in general.

    Raises
    ------
    InputError
        As :func:`microbiome.compare.compare`.
    """
    nobody = pd.DataFrame({"subject": []}, dtype=object)
    problems = table_problems(rates, nobody if subjects is None else subjects)
    problems += option_problems(interval, level)
    if by is not None and by != "donor" and subjects is None:
        problems.append(Problem(f"groups by {by!r} need the subjects table", "give it", column="by", value=by))
    if among and subjects is None:
        problems.append(Problem("to compare some subjects only needs the subjects table", "give it", column="among"))
    raise_problems(problems)
    if among and subjects is not None:
        rates = rates[rates["subject"].isin(among_subjects(subject_columns(subjects), among, problems))]
    names = rate_names(rates, rate, problems)
    values = {name: rate_values(rates, name, problems) for name in names}
    donors = donor_sets(doses)
    group = pd.Series("all", index=rates.index, dtype=object)
    if by is not None:
        labels = group_labels(by, subject_columns(nobody if subjects is None else subjects), donors, problems)
        group = rates["subject"].map(labels)
    raise_problems(problems)
    order = ordered(group.dropna(), group_order)
    raise_problems(order_problems(group_order, order))
    if by is not None:
        known = [] if subjects is None else subjects["subject"]
        for sentence in left_out(by, group.set_axis(rates["subject"]), known):
            logger.warning("%s", sentence)
    frame = rates.assign(group=group)[group.notna()]
    frame = frame.assign(visit=visits(frame))
    if among and rates.empty and not problems:
        words = f"not testable: {nobody_among(among)}"
        empty = {"n_subjects": 0, "n_samples": 0, "note": words}
        return as_table([{"rate": name, "by": by} | empty for name in names], TRAJECTORIES)
    rows: list[Row] = []
    for name in names:
        there = frame.assign(value=values[name])
        fraction = is_fraction(name, there["value"])
        for label in order:
            own = there[there["group"] == label]
            conditional = few_donors(own["subject"].unique(), donors)
            for row in _visits(own, there, fraction, interval, level, seed):
                known = own[(own["visit"] == row["visit"]) & own["value"].notna()]
                if donors is not None:
                    row["n_donors"] = len({one for who in known["subject"] for one in donors.get(who, ())})
                notes = [str(row.pop("note"))] if row["note"] else []
                rows.append({"rate": name, "by": by, "group": label} | row | {"note": joined([*notes, *conditional])})
    return as_table(rows, TRAJECTORIES)


def _visits(
    own: pd.DataFrame, everyone: pd.DataFrame, fraction: bool, interval: str, level: float, seed: int
) -> list[Row]:
    """Return one row per visit of a group; `everyone` has the samples of all groups."""
    method = "t" if interval == "logit_t" and not fraction else interval
    table = own.groupby(["subject", "visit"])["value"].mean().unstack("visit")
    last = own.groupby("subject")["visit"].max()
    first = everyone["visit"].min()
    rows: list[Row] = []
    for visit, all_of in everyone.groupby("visit"):
        here = own[own["visit"] == visit]
        known = table[visit].dropna() if visit in table else pd.Series(dtype=float)
        mean = mean_interval(known.to_numpy(dtype=float), method, level, seed)
        row: Row = {
            "visit": int(visit),
            "day_low": int(all_of["day"].min()),
            "day_median": float((here if len(here) else all_of)["day"].median()),
            "day_high": int(all_of["day"].max()),
            "n_subjects": len(known),
            "n_samples": int(here["value"].notna().sum()),
            "n_left": int((last < visit).sum()),
            "mean": mean.estimate,
            "ci_low": mean.low,
            "ci_high": mean.high,
            "method": method,
            "note": _note(len(known), len(here), own),
        }
        if visit != first and first in table and visit in table:
            change = (table[visit] - table[first]).dropna().to_numpy(dtype=float)
            found = mean_interval(change, "t", level)
            row |= {"n_change": len(change), "change": found.estimate}
            row |= {"change_ci_low": found.low, "change_ci_high": found.high}
        elif visit != first:
            row["n_change"] = 0
        rows.append(row)
    return rows


def _note(values: int, samples: int, own: pd.DataFrame) -> str:
    if values > 1:
        return ""
    if values == 1:
        return "one subject: no interval"
    if samples or not own["value"].notna().any():
        return "no value" if samples else "no value at any visit"
    return "no sample at this visit"
