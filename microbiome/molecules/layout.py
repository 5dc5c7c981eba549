"""The three shapes of a table of measurements, and what each row of it is about."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from microbiome.errors import Problem
from microbiome.molecules.grid import Grid
from microbiome.molecules.layout_problems import KEYS, header_problems, left_out_problems, unknown_names
from microbiome.study_tables import Study
from microbiome.validation import shown

__all__ = ["SHAPES", "Layout", "Row", "lay_out"]

Shape = Literal["sample", "subject_day", "feature"]

#: Each shape in words.
SHAPES: dict[Shape, str] = {
    "sample": "one row per sample",
    "subject_day": "one row per subject and day",
    "feature": "one row per feature, one column per sample",
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}(\.0+)?")


@dataclass(frozen=True)
class Row:
    """What a row of measurements is about: its name in the table, and line or column where it stands."""

    name: str
    subject: str
    day: int | None
    sample: str | None
    place: int


@dataclass(frozen=True)
class Layout:
    """A table of measurements as text.

    Parameters
    ----------
    shape
        How the file is laid out.
    rows
        What each row is about, in the order of the file.
    features
        Names of the features; `lines` are theirs in the file where the features are the rows of it.
    cells
        row x feature.
    lines
        Line of each feature where the shape is ``feature``, else empty.
    """

    shape: Shape
    rows: list[Row]
    features: list[str]
    cells: list[list[str]]
    lines: list[int]

    def place(self, row: int, feature: int) -> tuple[int, str]:
        """Line and column of a cell in the file."""
        if self.shape == "feature":
            return self.lines[feature], self.rows[row].name
        return self.rows[row].place, self.features[feature]


def lay_out(
    grid: Grid, study: Study, file: str, leave_out: Collection[str] = ()
) -> tuple[Layout | None, list[Problem]]:
    """Recognise the shape of a table by its header, and say what each row is about.

    * Columns ``subject`` and ``day``, and no ``sample``: one row per subject and day, of any role.
    * A column ``sample``: one row per sample. Columns ``subject`` and ``day`` may stand beside it; they must agree
      with the samples table.
    * Else one row per feature, named in the first column, and a column per sample. This is also what a table is whose
      first column is called ``sample`` and whose other columns are all samples of the study.

    Parameters
    ----------
    grid
        Header and rows.
    study
        Whose samples and subjects there are.
    file
        Name used in messages.
    leave_out
        Columns (or rows, where features are rows) that are no features.

    Returns
    -------
    layout
        Rows of samples and subjects that the study knows; None where there are none. Rows of donors have no day.
    problems
        Names that the study does not know are a warning that lists them, an error where it knows none.
    """
    header = grid.header
    known = set(study.samples["sample"])
    problems = header_problems(grid, file)
    wide = len(header) > 1 and all(name in known for name in header[1:])
    if not wide and "sample" in header:
        return _by_sample(grid, study, file, leave_out, problems)
    if not wide and {"subject", "day"} <= set(header):
        return _by_subject(grid, study, file, leave_out, problems)
    if not wide and not any(name in known for name in header[1:]):
        fix = "write sample and the features; or subject, day and the features; or feature and the samples"
        message = "the header names no sample of the study, and has neither a column sample nor subject and day"
        if problems:
            return None, problems
        lacks = next((word for word, other in (("day", "subject"), ("subject", "day")) if other in header), "")
        if lacks:
            message, fix = f"column {lacks!r} is missing", "a table by subject needs subject and day"
        return None, [Problem(message, fix, file, grid.line, lacks)]
    return _by_feature(grid, study, file, leave_out, problems)


def _by_sample(
    grid: Grid, study: Study, file: str, leave_out: Collection[str], problems: list[Problem]
) -> tuple[Layout | None, list[Problem]]:
    header = grid.header
    columns = [i for i, name in enumerate(header) if name not in (*KEYS, *leave_out)]
    problems += left_out_problems(header, leave_out, grid, file)
    of = _samples_of(study)
    at = header.index("sample")
    rows, cells, unknown = list[Row](), list[list[str]](), list[str]()
    first: dict[str, int] = {}
    for line, row in grid.rows:
        sample = row[at].strip()
        if not sample:
            fix = "fill it in; without a stool sample, give subject and day, and no column sample"
            problems.append(Problem("the cell is empty", fix, file, line, "sample"))
        elif sample in first:
            message = f"sample {sample!r} stands already in line {first[sample]}"
            problems.append(Problem(message, "keep one row", file, line, "sample", sample))
        elif sample not in of:
            unknown.append(sample)
        else:
            subject, day = of[sample]
            problems += _disagreements(header, row, subject, day, file, line, sample)
            rows.append(Row(sample, subject, day, sample, line))
            cells.append([row[i] for i in columns])
        first.setdefault(sample, line)
    problems += unknown_names("sample", unknown, len(rows), set(of), file, _of_donors(study, "sample"))
    return _result("sample", rows, [header[i] for i in columns], cells, [], problems, grid, file)


def _disagreements(
    header: list[str], row: list[str], subject: str, day: int | None, file: str, line: int, sample: str
) -> list[Problem]:
    """Compare subject and day, where they are given beside the sample, with the samples table."""
    problems: list[Problem] = []
    for name, own in (("subject", subject), ("day", day)):
        cell = row[header.index(name)].strip() if name in header else ""
        if not cell or own is None:
            continue
        same = cell == own if name == "subject" else _INTEGER.fullmatch(cell) is not None and _whole(cell) == own
        if not same:
            message = f"{name} {shown(cell)}, but {own!r} in the samples table"
            problems.append(Problem(f"sample {sample!r} has {message}", "correct one of them", file, line, name, cell))
    return problems


def _by_subject(
    grid: Grid, study: Study, file: str, leave_out: Collection[str], problems: list[Problem]
) -> tuple[Layout | None, list[Problem]]:
    header = grid.header
    columns = [i for i, name in enumerate(header) if name not in (*KEYS, *leave_out)]
    problems += left_out_problems(header, leave_out, grid, file)
    roles = study.samples.groupby("subject")["role"].agg(set).to_dict()
    known = {*roles, *study.subjects["subject"]} if "subject" in study.subjects else set(roles)
    who, when = header.index("subject"), header.index("day")
    rows, cells, unknown = list[Row](), list[list[str]](), list[str]()
    first: dict[tuple[str, int | None], int] = {}
    for line, row in grid.rows:
        subject, written = row[who].strip(), row[when].strip()
        if not subject:
            problems.append(Problem("the cell is empty", "fill it in", file, line, "subject"))
            continue
        if written and not _INTEGER.fullmatch(written):
            message = f"{shown(written)} is not an integer"
            problems.append(Problem(message, "write whole days", file, line, "day", written))
            continue
        if not written and roles.get(subject) != {"donor"}:
            fix = "fill it in: days since the subject's first dose, 0 or less before it"
            problems.append(Problem("the cell is empty", fix, file, line, "day"))
            continue
        day = _whole(written) if written else None
        if (subject, day) in first:
            message = f"subject {subject!r} day {written or 'empty'} stands already in line {first[subject, day]}"
            problems.append(Problem(message, "keep one row", file, line, "day", written))
            continue
        first[subject, day] = line
        if subject not in known:
            unknown.append(subject)
            continue
        counted = None if roles.get(subject) == {"donor"} else day
        rows.append(Row(f"{subject} day {'none' if day is None else day}", subject, counted, None, line))
        cells.append([row[i] for i in columns])
    problems += unknown_names("subject", unknown, len(rows), known, file, _of_donors(study, "subject"))
    return _result("subject_day", rows, [header[i] for i in columns], cells, [], problems, grid, file)


def _by_feature(
    grid: Grid, study: Study, file: str, leave_out: Collection[str], problems: list[Problem]
) -> tuple[Layout | None, list[Problem]]:
    of = _samples_of(study)
    names = grid.header[1:]
    kept = [i for i, name in enumerate(names, start=1) if name in of and names.index(name) == i - 1]
    rows = [Row(grid.header[i], *of[grid.header[i]], grid.header[i], i) for i in kept]
    problems += unknown_names(
        "sample",
        [name for name in names if name and name not in of],
        len(rows),
        set(of),
        file,
        _of_donors(study, "sample"),
    )
    features, lines, turned = list[str](), list[int](), list[list[str]]()
    first: dict[str, int] = {}
    for line, row in grid.rows:
        feature = row[0].strip()
        if not feature:
            problems.append(Problem("the feature has no name", "name it or remove the row", file, line))
        elif feature in first:
            message = f"feature {shown(feature)} stands already in line {first[feature]}"
            problems.append(Problem(message, "keep one row per feature", file, line, value=feature))
        elif feature not in leave_out:
            features.append(feature)
            lines.append(line)
            turned.append([row[i] for i in kept])
        first.setdefault(feature, line)
    problems += left_out_problems(list(first), leave_out, grid, file)
    cells = [list(row) for row in zip(*turned, strict=True)] if turned else []
    return _result("feature", rows, features, cells, lines, problems, grid, file)


def _samples_of(study: Study) -> dict[str, tuple[str, int | None]]:
    samples = study.samples
    # The day of a donor's sample is counted from no dose.
    days = [
        None if pd.isna(day) or role == "donor" else int(day)
        for day, role in zip(samples["day"], samples["role"], strict=True)
    ]
    return dict(zip(samples["sample"], zip(samples["subject"], days, strict=True), strict=True))


def _of_donors(study: Study, column: str) -> set[str]:
    return set(study.samples.loc[(study.samples["role"] == "donor").to_numpy(), column])


def _whole(cell: str) -> int:
    return int(cell.partition(".")[0])


def _result(
    shape: Shape,
    rows: list[Row],
    features: list[str],
    cells: list[list[str]],
    lines: list[int],
    problems: list[Problem],
    grid: Grid,
    file: str,
) -> tuple[Layout | None, list[Problem]]:
    errors = any(problem.level == "error" for problem in problems)
    if not errors and not rows and grid.whole:
        problems.append(Problem("the table has no rows", "fill it in", file))
    elif not errors and not features:
        problems.append(Problem("the table has no features", "add a column (or row) per feature", file))
    return (Layout(shape, rows, features, cells, lines) if rows and features else None), problems
