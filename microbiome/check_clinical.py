"""Checks of the tables on patients: whether they fit together and to the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.errors import Problem
from microbiome.tables import LESIONS, TOXICITIES, TREATMENTS
from microbiome.validation import did_you_mean

__all__ = ["clinical_problems"]


def clinical_problems(frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong between the tables on patients and those of the study.

    Parameters
    ----------
    frames
        The tables that could be read, by name; their index is the line of the file.
    settings
        Validated configuration.
    """
    problems: list[Problem] = []
    if settings["clinical"]["criteria"] in ("recist_1_1", "irecist") and not settings["lesions"]:
        message = f"{settings['clinical']['criteria']} needs tumour assessments"
        problems.append(Problem(message, "name their table in lesions", column="clinical.criteria"))
    problems += _outcome_problems(frames, settings)
    known = [frames[name]["subject"] for name in ("samples", "subjects") if name in frames]
    people = {str(subject) for column in known for subject in column.dropna()}
    for table in (LESIONS, TOXICITIES, TREATMENTS):
        frame = frames.get(table.name)
        if frame is None:
            continue
        if table is LESIONS:
            # Imported late: few configurations name lesions, and this runs at every start.
            from microbiome.clinical.lesions import lesion_problems

            own = set(frames["subjects"]["subject"].dropna()) if "subjects" in frames else None
            problems += lesion_problems(frame, own, settings["lesions"])
        elif people:
            problems += _strangers(frame, people, settings[table.name])
        if "end_day" in frame:
            problems += _turned(frame, settings[table.name])
    lists = settings["donors"]["lists"]
    if lists:
        # Imported late, too.
        from microbiome.donors.tables import LISTS
        from microbiome.tsv import parse_table

        missing = Problem(f"{lists!r} does not exist", "correct the path", column="donors.lists", value=lists)
        problems += parse_table(lists, LISTS)[1] if Path(lists).exists() else [missing]
    return problems


def _outcome_problems(frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]) -> list[Problem]:
    """Return what survival and toxicity would refuse, or leave out, hours later."""
    subjects = frames.get("subjects")
    if subjects is None or "subject" not in subjects or subjects["subject"].duplicated().any():
        return []  # The check of the study complains.
    problems: list[Problem] = []
    if {"pfs_days", "os_days"} & set(subjects.columns):
        from microbiome.clinical.endpoints import endpoint_problems, endpoints_of

        problems += endpoint_problems(subjects, endpoints_of(subjects, (), problems))
    events = frames.get("toxicities")
    if events is not None and {"subject", "day", "grade"} <= set(events.columns):
        from microbiome.clinical.toxicity_grades import undated_problems, worst_grades

        worst_grades(subjects, events, problems)
        if {"os_days", "os_event"} <= set(subjects.columns):
            from microbiome.clinical.toxicity_time import late_problems

            grade = settings["clinical"]["grade"]
            problems += undated_problems(events, grade) + late_problems(subjects, events, grade)
        known = {str(name) for name in subjects["subject"].dropna()}
        sampled = {str(name) for name in frames["samples"]["subject"].dropna()} if "samples" in frames else set()
        fix = "add a row there: toxicity is told of the subjects table"
        problems += [
            Problem(
                f"subject {name!r} is not in the subjects table", fix, "toxicities", int(str(line)), "subject", name
            )
            for line, name in events["subject"].dropna().items()
            if name in sampled - known
        ]
    return [replace(problem, file=str(settings.get(problem.file) or problem.file)) for problem in problems]


def _strangers(frame: pd.DataFrame, people: set[str], file: str) -> list[Problem]:
    return [
        Problem(
            f"subject {subject!r} is neither in the samples nor in the subjects table",
            "correct the name" + did_you_mean(str(subject), sorted(people)),
            file,
            int(str(line)),
            "subject",
            str(subject),
        )
        for line, subject in frame["subject"].dropna().items()
        if subject not in people
    ]


def _turned(frame: pd.DataFrame, file: str) -> list[Problem]:
    """Return the rows that end before they begin."""
    return [
        Problem(
            f"end_day {row.end_day} is before day {row.day}",
            "correct one of them",
            file,
            int(str(row.Index)),
            "end_day",
            str(row.end_day),
        )
        for row in frame[(frame["end_day"] < frame["day"]).fillna(False)].itertuples()
    ]
