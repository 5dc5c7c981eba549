"""What Kaplan-Meier and log-rank are made of: endpoints, clocks and groups, checked together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from microbiome.among import among_subjects
from microbiome.clinical.endpoints import (
    Clock,
    Cohort,
    chosen_by,
    clock,
    cohort,
    endpoint_problems,
    endpoints_of,
    latest,
    patients,
)
from microbiome.clinical.survival_tables import SURVIVAL_INTERVALS
from microbiome.errors import Problem, raise_problems
from microbiome.subject_groups import group_labels, ordered, subject_columns

__all__ = ["EVERYBODY", "Grouped", "Prepared", "log_warnings", "prepare"]

logger = logging.getLogger(__name__)

#: Name of the group of all subjects.
EVERYBODY = "all"


@dataclass(frozen=True)
class Grouped:
    """One endpoint and what makes the groups.

    Parameters
    ----------
    endpoint, by
        Names; `by` is None for everybody together.
    clock
        From when times count.
    everyone
        Who counts, whatever the group.
    labels
        Group of each subject (index), missing where it has none.
    groups
        Names of the groups in order, the reference first; those in which nobody is left among them.
    strata
        Stratum of each subject (index); None without.
    """

    endpoint: str
    by: str | None
    clock: Clock
    everyone: Cohort
    labels: pd.Series
    groups: list[str]
    strata: pd.Series | None

    def members(self, group: str) -> Cohort:
        """Return who counts of a group."""
        return self.everyone.only(self.labels.index[self.labels == group])


@dataclass(frozen=True)
class Prepared:
    """Checked input of Kaplan-Meier, log-rank and Cox.

    Parameters
    ----------
    subjects
        By subject (:func:`microbiome.subject_groups.subject_columns`): the patients that are analysed.
    endpoints
        Those to analyse.
    problems
        What is wrong so far; more may be added before they are raised.
    among
        Columns by which subjects are chosen.
    """

    subjects: pd.DataFrame
    endpoints: list[str]
    problems: list[Problem]
    among: tuple[str, ...] = ()

    def chosen(
        self, strata: str | None, measured: Mapping[str, float], landmark: float | None, naive: bool
    ) -> list[Clock]:
        """Return the clocks of the columns that choose subjects and make strata; problems are added."""
        names = dict.fromkeys(self.among, "among") | ({strata: "strata"} if strata else {})
        return chosen_by(names, measured, landmark, naive, self.problems)

    def column(self, name: str, option: str) -> pd.Series:
        """Return the groups that a column makes; a problem is added where it makes none."""
        reserved = [f"{endpoint}_{part}" for endpoint in ("pfs", "os") for part in ("days", "event")]
        if name in reserved:
            words = f"{name!r} is an endpoint and makes no groups"
            self.problems.append(Problem(words, "choose another column", column=option, value=name))
            return pd.Series(None, index=self.subjects.index, dtype=object)
        if name == "donor" and name not in self.subjects:
            words = "the subjects table has no column 'donor', and who gives later doses is not known on day 0"
            fix = "add a column with the donor of the first dose"
            self.problems.append(Problem(words, fix, column=option, value=name))
            return pd.Series(None, index=self.subjects.index, dtype=object)
        return group_labels(name, self.subjects, None, self.problems, option)

    def grouped(
        self,
        by: Sequence[str],
        strata: str | None,
        group_order: Sequence[str],
        measured: Mapping[str, float],
        landmark: float | None,
        naive: bool,
    ) -> Iterator[Grouped]:
        """Yield for each endpoint everybody, then the groups of each column; raises all problems first."""
        blocks = None if strata is None else self.column(strata, "strata")
        labels = {name: self.column(name, "by") for name in dict.fromkeys(by)}
        chosen = [Clock(landmark or 0.0), *self.chosen(strata, measured, landmark, naive)]
        own_clocks = {name: clock(name, measured, landmark, naive, self.problems) for name in labels}
        clocks = {name: latest([one, *chosen]) for name, one in own_clocks.items()}
        for name, groups in labels.items():
            names = ordered(groups.dropna())
            if name == strata:
                words = f"{name!r} makes the groups and cannot be the strata"
                self.problems.append(Problem(words, "choose another column", column="strata", value=name))
            if EVERYBODY in names:
                words = f"a group of {name} is called {EVERYBODY!r}, as everybody is"
                self.problems.append(Problem(words, "give it another name", column=name, value=EVERYBODY))
        known = {name for groups in labels.values() for name in ordered(groups.dropna())}
        for name in [name for name in group_order if name not in known] if labels else []:
            fix = f"the groups are {', '.join(sorted(known))}"
            self.problems.append(Problem(f"there is no group {name!r}: nobody is in it", fix, column="group-order"))
        raise_problems(self.problems)
        log_warnings(self.problems)
        for endpoint in self.endpoints:
            everyone = cohort(self.subjects, endpoint, latest(chosen).landmark)
            none = pd.Series(EVERYBODY, index=self.subjects.index, dtype=object)
            yield Grouped(endpoint, None, latest(chosen), everyone, none, [EVERYBODY], blocks)
            for name, groups in labels.items():
                own = cohort(self.subjects, endpoint, clocks[name].landmark)
                own = own.only(groups.index[groups.notna()], f"without {name}")
                names = ordered(groups.dropna(), group_order)
                yield Grouped(endpoint, name, clocks[name], own, groups, names, blocks)


def prepare(
    subjects: pd.DataFrame,
    endpoints: Sequence[str],
    among: Mapping[str, str] | None,
    file: str,
    level: float,
    interval: str,
    landmark: float | None,
    measured: Mapping[str, float],
) -> Prepared:
    """Check table and options that all analyses of survival share.

    Parameters
    ----------
    subjects, endpoints, among, level, interval, landmark, measured
        As in :func:`microbiome.clinical.survival.survival`.
    file
        Name of the table in messages.
    """
    problems: list[Problem] = []
    if "subject" not in subjects:
        raise_problems([Problem("column 'subject' is missing", "add it", file, column="subject")])
    names = endpoints_of(subjects, endpoints, problems, file)
    problems += endpoint_problems(subjects, names, file)
    if not 0 < level < 1:
        problems.append(Problem(f"level {level:g} is not between 0 and 1", "give 0.95", column="level"))
    if interval not in SURVIVAL_INTERVALS:
        fix = f"use {', '.join(SURVIVAL_INTERVALS)}"
        problems.append(Problem(f"no interval is named {interval!r}", fix, column="interval", value=interval))
    if landmark is not None and not landmark >= 0:
        problems.append(Problem(f"landmark {landmark:g} is negative", "give a day from 0 on", column="landmark"))
    known = subject_columns(subjects[~subjects["subject"].duplicated()])
    for name, day in measured.items():
        if name not in known:
            words = f"the subjects table has no column {name!r} that was measured on day {day:g}"
            problems.append(Problem(words, "correct the name", column="measured", value=name))
    chosen = among_subjects(known, among, problems) if among else set(known.index)
    table = patients(known[known.index.isin(chosen)])
    if among and table.empty and not any(problem.column == "among" for problem in problems):
        words = " and ".join(f"{name}={value}" for name, value in among.items())
        problems.append(Problem(f"no subject has {words}", "correct the values", file, column="among"))
    return Prepared(table, names, problems, tuple(among or ()))


def log_warnings(problems: Sequence[Problem]) -> None:
    """Write the warnings among problems to the log."""
    for problem in problems:
        if problem.level == "warning":
            logger.warning("%s", problem)
