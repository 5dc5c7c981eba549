"""What can be wrong between the rows and the tables of a study."""

from __future__ import annotations

import math
from collections import defaultdict

import pandas as pd

from microbiome.errors import Problem
from microbiome.name_checks import twin_problems
from microbiome.response import responder
from microbiome.study_tables import Study
from microbiome.validation import did_you_mean

__all__ = ["study_problems"]


def study_problems(
    study: Study,
    samples_file: str = "samples.tsv",
    subjects_file: str = "subjects.tsv",
    doses_file: str = "doses.tsv",
    allow_missing_baseline: bool = True,
    with_doses: bool = True,
) -> list[Problem]:
    """Return everything that is wrong between the rows and tables of a study.

    Parameters
    ----------
    study
        Frames whose index is the line of the file, as :func:`microbiome.tsv.parse_table` gives them.
    samples_file, subjects_file, doses_file
        Names used in the messages.
    allow_missing_baseline
        Whether a recipient without a sample on or before day 0 is a warning or an error.
    with_doses
        Whether a doses table was given: without one, nothing can be said of who received none.
    """
    return [
        *_sample_problems(study, samples_file, allow_missing_baseline),
        *_subject_problems(study, samples_file, subjects_file),
        *(_treated_without_dose(study, subjects_file) if with_doses else []),
        *_dose_problems(study, doses_file),
        *_twins(study, samples_file, subjects_file, doses_file),
    ]


def _twins(study: Study, samples_file: str, subjects_file: str, doses_file: str) -> list[Problem]:
    """Find samples, and subjects of any table, that differ in capitals or in how their accents are written only."""
    samples = [(name, samples_file, int(line), "sample") for line, name in study.samples["sample"].items() if name]
    subjects = [
        (name, file, int(line), column)
        for frame, file, column in (
            (study.samples, samples_file, "subject"),
            (study.subjects, subjects_file, "subject"),
            (study.doses, doses_file, "subject"),
            (study.doses, doses_file, "donor"),
        )
        for line, name in frame[column].items()
        if name
    ]
    return [*twin_problems("sample", samples, named_files=True), *twin_problems("subject", subjects)]


def _sample_problems(study: Study, file: str, allow_missing_baseline: bool) -> list[Problem]:
    problems: list[Problem] = []
    roles: dict[str, tuple[str, int]] = {}
    for row in study.samples[["sample", "subject", "role", "day"]].itertuples():
        line, sample, subject, role = row.Index, row.sample, row.subject, row.role
        if subject is None or role is None:
            continue
        if role == "recipient" and pd.isna(row.day):
            problems.append(
                Problem(
                    f"recipient sample {sample!r} has no day",
                    "write the days since the subject's first dose, e.g. -3 or 28",
                    file,
                    line,
                    "day",
                    sample or "",
                )
            )
        if role == "control" and pd.isna(row.day):
            problems.append(
                Problem(
                    f"control sample {sample!r} has no day: it is neither baseline nor post sample",
                    "write its day if it is one of a series",
                    file,
                    line,
                    "day",
                    sample or "",
                    level="warning",
                )
            )
        first_role, first_line = roles.setdefault(subject, (role, line))
        if role != first_role:
            problems.append(
                Problem(
                    f"subject {subject!r} is {role} here but {first_role} in line {first_line}",
                    "a subject has one role",
                    file,
                    line,
                    "role",
                    role,
                )
            )
    # Plain loops: a frame for each of thousands of subjects would take seconds at every start of the workflow.
    recipients: dict[str, list[tuple[int, str, int | None]]] = defaultdict(list)
    for line, sample, subject, role, day in study.samples[["sample", "subject", "role", "day"]].itertuples():
        if role == "recipient" and subject is not None:
            recipients[subject].append((line, sample, None if pd.isna(day) else int(day)))
    for subject, rows in recipients.items():
        before = [(line, sample, day) for line, sample, day in rows if day is not None and day <= 0]
        if not before and all(day is not None for *_, day in rows):
            problems.append(
                Problem(
                    f"recipient {subject!r} has no baseline (no sample with day <= 0)",
                    "add the sample, or set allow_missing_baseline to go on without outcomes for this subject",
                    file,
                    int(rows[0][0]),
                    "day",
                    str(subject),
                    level="warning" if allow_missing_baseline else "error",
                )
            )
        baseline_day = max((day for *_, day in before), default=None)
        last = [(line, sample) for line, sample, day in before if day == baseline_day]
        if len(last) > 1:
            problems.append(
                Problem(
                    f"recipient {subject!r} has {len(last)} samples on its baseline day {baseline_day}: "
                    f"{last[-1][1]!r} is used",
                    "keep one, or give them different days",
                    file,
                    int(last[-1][0]),
                    "day",
                    str(subject),
                    level="warning",
                )
            )
    return problems


def _subject_problems(study: Study, samples_file: str, subjects_file: str) -> list[Problem]:
    if study.subjects.empty:
        return []
    problems: list[Problem] = []
    known = [subject for subject in study.subjects["subject"] if subject is not None]
    sampled = study.samples.dropna(subset=["subject"]).drop_duplicates("subject")
    known_set = set(known)
    for line, subject in sampled["subject"].items():
        if subject not in known_set:
            problems.append(
                Problem(
                    f"subject {subject!r} is not in {subjects_file}",
                    "add a row there" + did_you_mean(subject, known),
                    samples_file,
                    int(str(line)),
                    "subject",
                    subject,
                    level="warning",
                )
            )
    if {"responder", "best_response"} <= set(study.subjects.columns):
        derived = responder(study.subjects.drop(columns="responder"))
        for (line, given), (subject, expected) in zip(
            study.subjects["responder"].items(), derived.items(), strict=True
        ):
            if pd.notna(given) and pd.notna(expected) and given != expected:
                best = study.subjects.loc[line, "best_response"]
                problems.append(
                    Problem(
                        f"subject {subject!r} has best_response {best} and responder {given}: responder is used",
                        "make them agree if that is not meant",
                        subjects_file,
                        int(str(line)),
                        "responder",
                        str(given),
                        level="warning",
                    )
                )
    return problems


def _treated_without_dose(study: Study, file: str) -> list[Problem]:
    """Warn of subjects without a dose in an arm that receives doses: they would be analysed like placebo."""
    if "arm" not in study.subjects:
        return []
    dosed = set(study.doses["subject"])
    recipients = set(study.samples.loc[study.samples["role"] == "recipient", "subject"])
    rows = [row for row in study.subjects[["subject", "arm"]].itertuples(name=None) if row[1] in recipients]
    treated = {"fmt", *(arm for _, subject, arm in rows if subject in dosed and arm is not None)}
    return [
        Problem(
            f"subject {subject!r} is of arm {arm} but has no dose: its donor set is empty, as for placebo",
            "add its doses",
            file,
            line,
            "arm",
            str(subject),
            level="warning",
        )
        for line, subject, arm in rows
        if arm in treated and subject not in dosed
    ]


def _dose_problems(study: Study, file: str) -> list[Problem]:
    problems: list[Problem] = []
    samples = study.samples.dropna(subset=["sample", "subject", "role"])
    role = dict(zip(samples["subject"], samples["role"], strict=True))
    owner = dict(zip(samples["sample"], samples["subject"], strict=True))
    known = set(study.subjects["subject"]) | set(role)
    seen: dict[tuple[object, ...], int] = {}

    def say(line: int, column: str, value: str, message: str, fix: str, warning: bool = False) -> None:
        problems.append(Problem(message, fix, file, line, column, value, level="warning" if warning else "error"))

    for line, subject, day, donor, sample in study.doses[["subject", "day", "donor", "donor_sample"]].itertuples():
        if subject is not None:
            if subject not in known:
                fix = "correct it or add its samples" + did_you_mean(
                    subject, [s for s in known if role.get(s) != "donor"]
                )
                say(line, "subject", subject, f"subject {subject!r} does not exist", fix)
            elif role.get(subject) == "donor":
                say(line, "subject", subject, f"subject {subject!r} has role donor but receives a dose", "correct one")
        if donor is not None:
            if donor == subject:
                say(line, "donor", donor, f"subject {subject!r} is its own donor", "name the donor of the product")
            elif donor not in known:
                fix = "correct it or add its samples" + did_you_mean(
                    donor, [s for s in known if role.get(s) == "donor"]
                )
                say(line, "donor", donor, f"donor {donor!r} does not exist", fix)
            elif donor not in role:
                say(
                    line,
                    "donor",
                    donor,
                    f"donor {donor!r} has no sample",
                    "its products count as not profiled",
                    warning=True,
                )
            elif role[donor] != "donor":
                say(line, "donor", donor, f"donor {donor!r} has role {role[donor]}", "name a subject with role donor")
        if sample is not None and donor != subject:
            if sample not in owner:
                fix = "correct it, or leave it empty for all samples of the donor" + did_you_mean(sample, list(owner))
                say(line, "donor_sample", sample, f"donor_sample {sample!r} does not exist", fix)
            elif role[owner[sample]] != "donor":
                message = f"donor_sample {sample!r} is of {owner[sample]!r}, who has role {role[owner[sample]]}"
                say(line, "donor_sample", sample, message, "name a sample of a donor")
            elif owner[sample] != donor:
                message = f"donor_sample {sample!r} is of donor {owner[sample]!r}, not of {donor!r}"
                say(line, "donor_sample", sample, message, "correct one of the two")
        key = (subject, day, donor, sample)
        if key in seen:
            say(line, "donor", donor or "", f"the same dose stands in line {seen[key]}", "it counts once", warning=True)
        seen.setdefault(key, line)
    first_dose: dict[str, tuple[int, int]] = {}
    for line, subject, day in study.doses[["subject", "day"]].itertuples():
        if subject is not None and not pd.isna(day) and day < first_dose.get(subject, (math.inf, 0))[0]:
            first_dose[subject] = (int(day), int(line))
    for subject, (first, line) in first_dose.items():
        if first != 0:
            message = f"the first dose of subject {subject!r} is on day {first}"
            say(line, "day", str(first), message, "count days from the first dose: it is day 0, in samples and doses")
    return problems
