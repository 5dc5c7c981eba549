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
    line_of,
    said_of_among,
    table_problems,
    treatment_problems,
    undated_problems,
    worst_grades,
)
from microbiome.clinical.toxicity_incidence import CENSORED, COMPETING, EVENT, cumulative_incidence
from microbiome.clinical.toxicity_rows import joined
from microbiome.clinical.toxicity_tables import CURVE_METHODS, TOXICITY_CURVES
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.subject_groups import donor_sets, group_labels, ordered, subject_columns
from microbiome.validation import as_table

__all__ = ["cumulative_incidence", "late_problems", "time_to_toxicity"]

logger = logging.getLogger(__name__)
_EVERYBODY = "all"
_UNDATED = "severe, the day of the first event unknown,"
_TOO_LOW = "these had one, so that the share is estimated too low"


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
        an event on the day of death counts as the event. Left out, by name in ``note``, is a subject without follow-up
        and without event, one without a grade, and one that is severe at an unknown day (a severe event without a day,
        or ``irae_grade`` alone): as these had an event, the share is then too low, which the note says. Where no day of
        a severe event is known, or nobody has a time, a group has one row without ``incidence``.

    Raises
    ------
    InputError
        With every problem: those of the tables, a death without day, a day without word of death, a severe event
        after the end of follow-up.
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
    times, status, left = _times(looked_at, toxicities, doses, samples, grades, chosen.threshold, problems)
    labels = _labels(by, subjects, doses, clusters, treatments, treatment_kind, problems)
    people = [*times.index, *(name for names in left.values() for name in names)]
    absent = [
        f"no recipient has a value of {factor!r}: there are no groups"
        for factor, own in labels.items()
        if not own.reindex(people).notna().any()
    ]
    raise_problems(problems)
    for problem in problems:
        logger.warning("%s", problem)
    for text in absent:
        logger.warning("%s", text)
    among_said = said_of_among(among)
    said = joined(_said_of_left(left), among_said, *absent)
    rows = _curve_rows(_EVERYBODY, _EVERYBODY, times, status, chosen.level, said, bool(left[_UNDATED]))
    for factor, own in labels.items():
        group = own.reindex(people)
        lacking = [str(name) for name in times.index if pd.isna(group[name])]
        without = f"without a group and left out: {', '.join(lacking)}" if lacking else ""
        for name in ordered(group.dropna()):
            members = group.index[(group == name).to_numpy(dtype=bool)]
            inside = times.index.isin(members)
            gone = {word: [one for one in names if one in members] for word, names in left.items()}
            said = joined(_said_of_left(gone), among_said, without)
            rows += _curve_rows(factor, name, times[inside], status[inside], chosen.level, said, bool(gone[_UNDATED]))
    return as_table(rows, TOXICITY_CURVES)


def late_problems(subjects: pd.DataFrame, toxicities: pd.DataFrame, threshold: int) -> list[Problem]:
    """Return a problem for each subject whose first severe event comes after the end of its follow-up, ``os_days``."""
    first = first_days(toxicities, threshold)
    day = subjects["subject"].map(first).to_numpy(dtype=float)
    end = pd.to_numeric(subjects["os_days"], errors="coerce").astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    text = "the first severe event of subject {!r} is on day {:g}, after os_days {:g}"
    return [
        Problem(
            text.format(subjects["subject"].iloc[i], day[i], end[i]),
            "correct one of the days",
            "subjects",
            line_of(subjects, subjects.index[i]),
            "os_days",
            f"{end[i]:g}",
        )
        for i in np.flatnonzero(day > end).tolist()
    ]


def _said_of_left(left: Mapping[str, Sequence[str]]) -> str | None:
    """Say in a note who is left out and why."""
    words = [f"{word} and left out: {', '.join(names)}" for word, names in left.items() if names]
    return joined(*words, _TOO_LOW if left[_UNDATED] else "")


def _times(
    subjects: pd.DataFrame,
    toxicities: pd.DataFrame,
    doses: pd.DataFrame | None,
    samples: pd.DataFrame | None,
    grades: pd.Series,
    threshold: int,
    problems: list[Problem],
) -> tuple[pd.Series, pd.Series, dict[str, list[str]]]:
    """Return time and status of each recipient, and by reason who is left out: also whose worst grade is unknown."""
    lacking = [name for name in ("os_days", "os_event") if name not in subjects]
    fix = "add it: the end of follow-up and whether it was death"
    problems += [Problem(f"column {name!r} is missing", fix, "subjects", column=name) for name in lacking]
    if lacking:
        raise InputError(problems)
    problems += undated_problems(toxicities[toxicities["subject"].isin(subjects["subject"])], threshold)
    problems += late_problems(subjects, toxicities, threshold)
    first = first_days(toxicities, threshold)
    given = (donor for own in (donor_sets(doses) or {}).values() for donor in own)
    donors = donor_roles(samples) | set(given)
    times: dict[str, float] = {}
    status: dict[str, int] = {}
    left_out: list[str] = []
    undated: list[str] = []
    ungraded: list[str] = []

    def say(line: object, column: str, value: object, message: str, fix: str) -> None:
        problems.append(Problem(message, fix, "subjects", line_of(subjects, line), column, str(value)))

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
            undated.append(name)
        elif name in first.index:
            times[name], status[name] = float(first[name]), EVENT
        elif grades[name] >= threshold:
            undated.append(name)
        elif pd.isna(days):
            left_out.append(name)
        elif pd.isna(grades[name]):
            # Nobody knows whether there was an event: neither with it nor without.
            ungraded.append(name)
        else:
            times[name], status[name] = float(days), COMPETING if died == 1 else CENSORED
    if not times:
        fix = "fill in the days of the severe events" if undated else "fill in os_days and os_event"
        said = "nobody has a time: there is no curve"
        problems.append(Problem(said, fix, "toxicities" if undated else "subjects", level="warning"))
    left = {"without follow-up": left_out, "without a grade": ungraded, _UNDATED: undated}
    return pd.Series(times, dtype=float), pd.Series(status, dtype=int), left


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
    factor: str, group: str, times: pd.Series, status: pd.Series, level: float, note: str | None, undated: bool
) -> list[dict[str, Any]]:
    """Return both curves of one group; without any day of a severe event, of whom there are some, none is drawn."""
    rows: list[dict[str, Any]] = []
    t, kind = times.to_numpy(dtype=float), status.to_numpy(dtype=np.int64)
    shared = {"factor": factor, "group": group, "level": level, "n": len(t), "note": note}
    if not len(t) or (undated and not (kind == EVENT).any()):
        why = "not estimable: " + ("no day of a severe event is known" if undated else "nobody has a time")
        empty = shared | {"day": 0.0, "at_risk": len(t), "note": joined(why, note)}
        return [empty | {"method": method} for method in CURVE_METHODS]
    for method in CURVE_METHODS:
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
