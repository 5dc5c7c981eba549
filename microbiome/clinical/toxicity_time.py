"""Time to the first severe adverse event: cumulative incidence with death as a competing risk, and 1 - Kaplan-Meier."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from microbiome.clinical.toxicity_analysis import donor_roles, settings_problems, treatment_labels
from microbiome.clinical.toxicity_grades import (
    ToxicitySettings,
    chosen_among,
    first_days,
    said_of_among,
    table_problems,
    treatment_problems,
    worst_grades,
)
from microbiome.clinical.toxicity_incidence import CENSORED, COMPETING, EVENT, cumulative_incidence
from microbiome.clinical.toxicity_rows import joined
from microbiome.clinical.toxicity_tables import TOXICITY_CURVES
from microbiome.compare.checks import as_table
from microbiome.compare.groups import donor_sets, ordered
from microbiome.errors import InputError, Problem, raise_problems

__all__ = ["cumulative_incidence", "time_to_toxicity"]

logger = logging.getLogger(__name__)
_EVERYBODY = "all"


def time_to_toxicity(
    subjects: pd.DataFrame,
    toxicities: pd.DataFrame,
    doses: pd.DataFrame | None = None,
    samples: pd.DataFrame | None = None,
    by: Sequence[str] = (),
    clusters: pd.DataFrame | None = None,
    treatments: pd.DataFrame | None = None,
    treatment_kind: str = "immunotherapy",
    settings: ToxicitySettings | None = None,
    among: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Estimate the share of recipients with a severe event by each day since the first dose.

    Parameters
    ----------
    subjects
        With ``os_days`` (follow-up, counted from the first dose) and ``os_event`` (1: died), which ends the time at
        risk.
    toxicities
        Events with their days.
    doses, samples
        For groups by ``donor``, and to tell who is a donor.
    by
        Columns of the subjects table, ``donor``, ``donor_cluster`` (needs `clusters`) or ``treatment``.
    clusters
        As :func:`microbiome.clinical.donor_clusters` returns them.
    treatments, treatment_kind
        For groups by ``treatment``.
    settings
        Threshold of what is severe, and level.
    among
        Only recipients with these values, by column.

    Returns
    -------
    DataFrame
        :data:`microbiome.clinical.toxicity_tables.TOXICITY_CURVES`: for everybody and each group, by two methods, a row
        for day 0 and for each day on which a time ends. Without an event or death the follow-up ends on ``os_days``;
        an event on the day of death counts as the event. A subject without follow-up and without event, or severe by
        ``irae_grade`` without a day, is left out, by name.

    Raises
    ------
    InputError
        With every problem: those of the tables, a death without day, a day without word of death, a severe event
        without day, or after the end of follow-up.
    """
    chosen = settings or ToxicitySettings()
    problems = settings_problems(chosen) + table_problems(subjects, toxicities, doses, samples)
    if "treatment" in by and not any(problem.level == "error" for problem in problems):
        problems += treatment_problems(subjects, treatments, treatment_kind)
    if any(problem.level == "error" for problem in problems):
        raise InputError(problems)
    grades, _ = worst_grades(subjects, toxicities, problems)
    wanted = chosen_among(subjects, among, problems)
    looked_at = subjects[subjects["subject"].isin(wanted).to_numpy()]
    times, status, note = _times(looked_at, toxicities, doses, samples, grades, chosen.threshold, problems)
    note = joined(note, said_of_among(among)) or ""
    labels = _labels(by, subjects, doses, clusters, treatments, treatment_kind, problems)
    absent = [
        f"no recipient has a value of {factor!r}: there are no groups"
        for factor, own in labels.items()
        if not own.reindex(times.index).notna().any()
    ]
    raise_problems(problems)
    for problem in problems:
        logger.warning("%s", problem)
    for text in absent:
        logger.warning("%s", text)
    names = times.index.to_numpy(dtype=object)
    rows = _curve_rows(_EVERYBODY, _EVERYBODY, times, status, chosen.level, joined(note, *absent) or "")
    for factor, own in labels.items():
        group = own.reindex(names)
        lacking = [str(name) for name in names[group.isna().to_numpy()]]
        left = f"without a group and left out: {', '.join(lacking)}" if lacking else ""
        said = "; ".join(text for text in (note, left) if text)
        for name in ordered(group.dropna()):
            inside = (group == name).to_numpy(dtype=bool)
            rows += _curve_rows(factor, name, times[inside], status[inside], chosen.level, said)
    return as_table(rows, TOXICITY_CURVES)


def _times(
    subjects: pd.DataFrame,
    toxicities: pd.DataFrame,
    doses: pd.DataFrame | None,
    samples: pd.DataFrame | None,
    grades: pd.Series,
    threshold: int,
    problems: list[Problem],
) -> tuple[pd.Series, pd.Series, str]:
    """Return time and status of each recipient, and who is left out: also whose worst grade is unknown (NaN)."""
    lacking = [name for name in ("os_days", "os_event") if name not in subjects]
    problems += [
        Problem(f"column {name!r} is missing", "add it: the end of follow-up and whether it was death", "subjects")
        for name in lacking
    ]
    raise_problems(problems)
    first = first_days(toxicities, threshold)
    given = (donor for own in (donor_sets(doses) or {}).values() for donor in own)
    donors = donor_roles(samples) | set(given)
    times: dict[str, float] = {}
    status: dict[str, int] = {}
    left: list[str] = []
    undated: list[str] = []
    ungraded: list[str] = []

    def say(line: object, column: str, value: object, message: str, fix: str) -> None:
        at = int(line) if isinstance(line, int | np.integer) else None
        problems.append(Problem(message, fix, "subjects", at, column, str(value)))

    for line, name, days, died in subjects[["subject", "os_days", "os_event"]].itertuples():
        if name in donors:
            continue
        if pd.isna(days) and pd.notna(died) and died == 1:
            say(line, "os_days", "", f"subject {name!r} has os_event 1 and no os_days", "fill in the day of death")
        elif pd.notna(days) and pd.isna(died):
            fix = "write 1 where it is death, 0 where follow-up ended"
            say(line, "os_event", days, f"subject {name!r} has os_days {days:g} and no os_event", fix)
        elif pd.notna(days) and days < 0:
            say(line, "os_days", days, f"subject {name!r} has os_days {days:g}", "days count from the first dose")
        elif name in first.index and pd.isna(first[name]):
            fix = "fill in the day, or leave the subject out of both tables"
            say(line, "day", name, f"a severe event of subject {name!r} has no day", fix)
        elif name in first.index and pd.notna(days) and first[name] > days:
            text = f"the first severe event of subject {name!r} is on day {first[name]:g}, after os_days {days:g}"
            say(line, "os_days", days, text, "correct one of the days")
        elif name in first.index:
            times[name], status[name] = float(first[name]), EVENT
        elif grades[name] >= threshold:
            undated.append(name)
        elif pd.isna(days):
            left.append(name)
        elif pd.isna(grades[name]):
            # Nobody knows whether there was an event: neither with it nor without.
            ungraded.append(name)
        else:
            times[name], status[name] = float(days), COMPETING if died == 1 else CENSORED
    if not times and not any(problem.level == "error" for problem in problems):
        problems.append(Problem("nobody has a time", "fill in os_days and os_event", "subjects"))
    words = {"without follow-up": left, "without a grade": ungraded}
    words["severe by irae_grade, the day of the event unknown,"] = undated
    note = "; ".join(f"{word} and left out: {', '.join(names)}" for word, names in words.items() if names)
    return pd.Series(times, dtype=float), pd.Series(status, dtype=int), note


def _labels(
    by: Sequence[str],
    subjects: pd.DataFrame,
    doses: pd.DataFrame | None,
    clusters: pd.DataFrame | None,
    treatments: pd.DataFrame | None,
    kind: str,
    problems: list[Problem],
) -> dict[str, pd.Series]:
    """Return the groups of each factor asked for."""
    from microbiome.compare.groups import group_labels, subject_columns

    table, sets = subject_columns(subjects), donor_sets(doses)
    found = {}
    for name in dict.fromkeys(by):
        if name == "donor_cluster" and name not in subjects:
            if clusters is None or sets is None:
                fix = "give doses and clusters"
                text = "groups by donor_cluster need the doses table and the clusters"
                problems.append(Problem(text, fix, column="by", value=name))
                continue
            if not set(clusters["donor"]) & {donor for own in sets.values() for donor in own}:
                text = "no donor of the clusters table gave to a recipient"
                fix = "correct the names of the donors"
                problems.append(Problem(text, fix, "clusters", column="donor"))
                continue
            known = clusters.dropna(subset=["cluster"])
            of = dict(zip(known["donor"], known["cluster"], strict=True))
            found[name] = pd.Series(
                {
                    subject: "+".join(sorted({of[donor] for donor in own}))
                    for subject, own in sets.items()
                    if all(donor in of for donor in own)
                },
                dtype=object,
            )
        elif name == "treatment" and name not in subjects and treatments is not None:
            found[name] = treatment_labels(treatments, kind, subjects["subject"])
        else:
            found[name] = group_labels(name, table, sets, problems)
    return found


def _curve_rows(
    factor: str, group: str, times: pd.Series, status: pd.Series, level: float, note: str
) -> list[dict[str, Any]]:
    """Return both curves of one group."""
    rows: list[dict[str, Any]] = []
    t, kind = times.to_numpy(dtype=float), status.to_numpy(dtype=np.int64)
    shared = {"factor": factor, "group": group, "level": level, "n": len(t), "note": note or None}
    for method in ("aalen_johansen", "one_minus_kaplan_meier"):
        # Who dies is no longer followed: the end of follow-up, as if an event could still come.
        used = kind if method == "aalen_johansen" else np.where(kind == COMPETING, CENSORED, kind)
        curve = cumulative_incidence(t, used, level)
        whole = shared | {"method": method}
        if not len(curve) or curve["time"].iloc[0] > 0:
            zero = {"day": 0.0, "at_risk": len(t), "events": 0, "competing": 0, "censored": 0, "incidence": 0.0}
            rows.append(whole | zero)
        for row in curve.itertuples():
            now = t == row.time
            rows.append(
                whole
                | {
                    "day": float(row.time),
                    "at_risk": int(row.at_risk),
                    "events": int(row.events),
                    "competing": int((now & (kind == COMPETING)).sum()),
                    "censored": int((now & (kind == CENSORED)).sum()),
                    "incidence": float(row.incidence),
                    "ci_low": float(row.ci_low),
                    "ci_high": float(row.ci_high),
                }
            )
    for row in rows:
        if row.get("ci_low") is None or row["ci_low"] != row["ci_low"]:
            word = "no interval: no event yet" if row["incidence"] == 0 else "no interval: everybody had the event"
            row["note"] = "; ".join(text for text in (row["note"], word) if text)
    return rows
