"""The worst grade of each recipient, from one table or two, and what can be wrong with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.among import among_subjects
from microbiome.errors import Problem
from microbiome.subject_groups import donor_sets, subject_columns
from microbiome.tables import DOSES, SUBJECTS, TOXICITIES, TREATMENTS
from microbiome.tsv import missing_columns
from microbiome.validation import did_you_mean

__all__ = [
    "Recipients",
    "ToxicitySettings",
    "chosen_among",
    "first_days",
    "line_of",
    "recipients_of",
    "said_of_among",
    "table_problems",
    "treatment_problems",
    "undated_problems",
    "worst_grades",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ToxicitySettings:
    """How toxicity is analysed; the parameters of :func:`microbiome.clinical.toxicity_analysis.toxicity`."""

    threshold: int = 3
    several: str = "mean"
    detection: float = 0.0
    interval: str = "clopper_pearson"
    permutations: int = 9999
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True)
class Recipients:
    """The subjects whose worst grade is known.

    Parameters
    ----------
    names
        In the order of the subjects table.
    grades
        Worst grade of each, 0 to 5.
    severe
        1 where it is at least the threshold, else 0.
    donors
        The donors of each; None without doses table, an empty tuple for a subject without doses.
    """

    names: list[str]
    grades: np.ndarray
    severe: np.ndarray
    donors: list[tuple[str, ...]] | None

    def part(self, chosen: np.ndarray) -> Recipients:
        """Return some of them, by booleans."""
        places = np.flatnonzero(chosen)
        donors = None if self.donors is None else [self.donors[i] for i in places]
        return Recipients([self.names[i] for i in places], self.grades[places], self.severe[places], donors)

    @property
    def n_donors(self) -> int | None:
        """How many donors they have together; None without doses table."""
        return None if self.donors is None else len({donor for own in self.donors for donor in own})

    def received(self) -> tuple[list[str], np.ndarray]:
        """Return the donors in sorted order and booleans **recipient x donor**."""
        own = self.donors or []
        names = sorted({donor for one in own for donor in one})
        return names, np.array([[name in one for name in names] for one in own], dtype=bool).reshape(
            len(own), len(names)
        )


def line_of(frame: pd.DataFrame, index: object) -> int | None:
    """Return the line of a row in its file; None for a frame that was not read from one."""
    return int(str(index)) if frame.index.name == "line" else None


def table_problems(
    subjects: pd.DataFrame,
    toxicities: pd.DataFrame | None,
    doses: pd.DataFrame | None = None,
    samples: pd.DataFrame | None = None,
) -> list[Problem]:
    """Return everything that is wrong with the tables and between them: rows twice, unknown subjects, donors, grades.

    A row that began before day 0 is a warning: it is no outcome of what was given later, and is left out.
    """
    problems = missing_columns(subjects, SUBJECTS, "subjects")
    if toxicities is not None:
        problems += missing_columns(toxicities, TOXICITIES, "toxicities")
    if doses is not None:
        problems += missing_columns(doses, DOSES, "doses")
    if problems:
        return problems

    known = set(subjects["subject"])
    given = {"subjects": subjects, "toxicities": toxicities, "doses": doses}
    frames = {name: frame for name, frame in given.items() if frame is not None}

    def say(source: str, at: object, column: str, value: object, message: str, fix: str, warning: bool = False) -> None:
        level = "warning" if warning else "error"
        problems.append(Problem(message, fix, source, line_of(frames[source], at), column, str(value), level=level))  # type: ignore[arg-type]

    for at, name in subjects.loc[subjects["subject"].duplicated(), "subject"].items():
        say("subjects", at, "subject", name, f"subject {name!r} stands twice", "keep one row")
    for source, column in (("subjects", "irae_grade"), ("toxicities", "grade")):
        frame = frames.get(source)
        if frame is None or column not in frame:
            continue
        grades = pd.to_numeric(frame[column], errors="coerce").astype(float)
        for at in frame.index[(frame[column].notna() & ~grades.isin(range(6))).to_numpy()]:
            value = frame.loc[at, column]
            say(source, at, column, value, f"{value} is no CTCAE grade", "grades are 0 to 5")
    if toxicities is not None:
        for at, name, day in toxicities[["subject", "day"]].itertuples():
            if name not in known:
                fix = "add a row there or correct it" + did_you_mean(str(name), known)
                say("toxicities", at, "subject", name, f"subject {name!r} is not in the subjects table", fix)
            elif pd.notna(day) and day < 0:
                text = f"the event of {name!r} began on day {day}, before the first dose: it is left out"
                say("toxicities", at, "day", day, text, "correct the day if that is not meant", warning=True)
        if "end_day" in toxicities:
            for at in toxicities.index[(toxicities["end_day"] < toxicities["day"]).fillna(False).to_numpy(dtype=bool)]:
                value = toxicities.loc[at, "end_day"]
                text = f"the event of {toxicities.loc[at, 'subject']!r} ends on day {value}, before it began"
                say("toxicities", at, "end_day", value, text, "correct one of the days")
    if doses is not None:
        sampled = set() if samples is None else set(samples["subject"])
        for at, name in doses["subject"].drop_duplicates().items():
            if name not in known:
                fix = "add a row there or correct it" + did_you_mean(str(name), known)
                text = f"subject {name!r} is not in the subjects table"
                say("doses", at, "subject", name, text, fix, warning=name in sampled)
    if doses is not None and samples is not None:
        role = dict(zip(samples["subject"], samples["role"], strict=True))
        donors = {name for name, word in role.items() if word == "donor"}
        for name in dict.fromkeys(doses["donor"]):
            at = doses.index[(doses["donor"] == name).to_numpy()][0]
            if name in role and name not in donors:
                say("doses", at, "donor", name, f"donor {name!r} has role {role[name]}", "name a donor")
            elif name not in donors:
                word = "has no sample" if name in known else "does not exist"
                fix = "correct it or add its samples" + did_you_mean(str(name), donors)
                say("doses", at, "donor", name, f"donor {name!r} {word}", fix, warning=name in known)
    return problems


def treatment_problems(subjects: pd.DataFrame, treatments: pd.DataFrame | None, kind: str) -> list[Problem]:
    """Return what is wrong with the courses of drugs: a subject that there is not, no course of that kind."""
    if treatments is None:
        return []
    problems = missing_columns(treatments, TREATMENTS, "treatments")
    if problems:
        return problems
    known = set(subjects["subject"])
    for at, name in treatments["subject"].drop_duplicates().items():
        if name not in known:
            fix = "add a row there or correct it" + did_you_mean(str(name), known)
            text = f"subject {name!r} is not in the subjects table"
            problems.append(Problem(text, fix, "treatments", line_of(treatments, at), "subject", str(name)))
    kinds = sorted(set(treatments["kind"].dropna()))
    if kind not in kinds:
        fix = f"use one of {', '.join(kinds)}" if kinds else "fill the table in"
        problems.append(Problem(f"no course is of kind {kind!r}", fix, "treatments", column="kind", value=kind))
    return problems


def chosen_among(subjects: pd.DataFrame, among: Mapping[str, str] | None, problems: list[Problem]) -> set[str]:
    """Return the subjects with these values by column; what is wrong with them is added to the problems."""
    known = len(problems)
    chosen = among_subjects(subject_columns(subjects), among, problems)
    if not chosen and len(problems) == known:
        text = " and ".join(f"{column}={value}" for column, value in (among or {}).items())
        problems.append(Problem(f"no recipient has {text}", "correct --among", column="among"))
    return chosen


def said_of_among(among: Mapping[str, str] | None) -> str:
    """Say in a note who was looked at; nothing where it is everybody."""
    return f"among {' and '.join(f'{column}={value}' for column, value in among.items())}" if among else ""


def _after_dose(toxicities: pd.DataFrame) -> pd.DataFrame:
    """Return the events that did not begin before the first dose."""
    early = (pd.to_numeric(toxicities["day"], errors="coerce").astype(float) < 0).to_numpy()
    return toxicities[~early]


def worst_grades(
    subjects: pd.DataFrame, toxicities: pd.DataFrame | None, problems: list[Problem]
) -> tuple[pd.Series, str]:
    """Return the worst grade of each subject, and in words where it is from.

    Parameters
    ----------
    subjects
        With ``irae_grade``, or without where `toxicities` is given.
    toxicities
        Events; the worst grade of those that began on day 0 or later (or at an unknown day) counts.
    problems
        Added to, where the two disagree about a subject: never is one of them silently taken.

    Returns
    -------
    grades
        Index subject, ``float``; NaN where it is unknown. With a table of events and no column ``irae_grade`` a subject
        without an event has grade 0; with the column, its cell counts, and where that is empty the events.
    source
        For a note.
    """
    names = subjects["subject"].tolist()
    given = pd.Series(np.nan, index=names)
    if "irae_grade" in subjects:
        given = pd.Series(subjects["irae_grade"].astype("Float64").to_numpy(dtype=float, na_value=np.nan), index=names)
    if toxicities is None:
        return given, "worst grade: irae_grade"
    events = _after_dose(toxicities)
    worst = events.groupby("subject")["grade"].max().astype(float).reindex(names)
    for line, name in zip(subjects.index, names, strict=True):
        said, seen = given[name], worst[name]
        if said == said and seen == seen and said != seen:
            message = (
                f"subject {name!r} has irae_grade {said:g}, but its worst event in toxicities is of grade {seen:g}"
            )
            fix = "make the two tables agree"
            problems.append(Problem(message, fix, "subjects", line_of(subjects, line), "irae_grade", f"{said:g}"))
        elif said == said and said >= 1 and seen != seen:
            message = f"subject {name!r} has irae_grade {said:g}, and no event in toxicities: irae_grade is used"
            message += ", the day is not known"
            fix = "add its events if they are known"
            problems.append(
                Problem(message, fix, "subjects", line_of(subjects, line), "irae_grade", f"{said:g}", level="warning")
            )
    if "irae_grade" in subjects:
        return given.where(given.notna(), worst), "worst grade: irae_grade, where empty of the events"
    return worst.fillna(0.0), "worst grade: of the events; a subject without an event has grade 0"


def _severe_events(toxicities: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Return the events of at least this grade that did not begin before the first dose."""
    severe = _after_dose(toxicities)
    return severe[(severe["grade"] >= threshold).fillna(False).to_numpy(dtype=bool)]


def undated_problems(toxicities: pd.DataFrame, threshold: int) -> list[Problem]:
    """Return a warning for each severe event without a day: the time to the first one of its subject is not known."""
    severe = _severe_events(toxicities, threshold)
    undated = severe.loc[severe["day"].isna().to_numpy(), "subject"].dropna()
    text = "a severe event of subject {!r} has no day: the subject is left out of the time to toxicity"
    fix = "fill in the day: without this subject the share with a severe event by a day is estimated too low"
    return [
        Problem(text.format(name), fix, "toxicities", line_of(toxicities, at), "day", level="warning")
        for at, name in undated.items()
    ]


def first_days(toxicities: pd.DataFrame, threshold: int) -> pd.Series:
    """Return the day of each subject's first event of at least this grade (index subject), NaN where it is unknown."""
    severe = _severe_events(toxicities, threshold)
    days = pd.Series(pd.to_numeric(severe["day"], errors="coerce").astype(float).to_numpy(), index=severe["subject"])
    # Of a subject with one severe event at an unknown day the first may be that one.
    return days.groupby(level=0).agg(lambda own: own.min() if own.notna().all() else np.nan)


def recipients_of(
    subjects: pd.DataFrame,
    grades: pd.Series,
    doses: pd.DataFrame | None,
    donors: set[str],
    threshold: int,
    chosen: set[str],
) -> tuple[Recipients, str]:
    """Return those of the chosen subjects whose grade is known, donors left out, and in words who else is."""
    sets = donor_sets(doses)
    donors = donors | {donor for own in (sets or {}).values() for donor in own}
    names = [name for name in subjects["subject"] if name not in donors and name in chosen]
    unknown = [name for name in names if np.isnan(grades[name])]
    known = [name for name in names if not np.isnan(grades[name])]
    values = grades.reindex(known).to_numpy(dtype=float)
    note = f"without a grade and left out: {', '.join(unknown)}" if unknown else ""
    if note:
        logger.warning("%s", note)
    own = None if sets is None else [sets.get(name, ()) for name in known]
    return Recipients(known, values, (values >= threshold).astype(np.int64), own), note
