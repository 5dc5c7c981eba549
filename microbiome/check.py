"""``microbiome check``: everything that can be wrong with the input of the workflow, all at once."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.check_clinical import clinical_problems
from microbiome.check_folders import future_problems, results_problems
from microbiome.check_function import function_problems, function_tools
from microbiome.check_paths import path_problems
from microbiome.check_profilers import finished_problems, given_taxonomy, profiler_problems, profiler_tools
from microbiome.check_profiles import profile_problems, profile_samples
from microbiome.check_strains import strain_problems, strain_tools
from microbiome.check_units import fastq_problems, unit_problems
from microbiome.config import expand_profiles, parse_config, validate_config
from microbiome.config_tables import TableEntry
from microbiome.errors import InputError, Problem
from microbiome.files import open_text
from microbiome.references import host_index_problems, metaphlan_database_problems
from microbiome.study import Study
from microbiome.study_checks import study_problems
from microbiome.tables import DOSES, LESIONS, SAMPLES, SUBJECTS, TOXICITIES, TREATMENTS, UNITS, Table
from microbiome.tools import check_tools
from microbiome.tsv import empty_table, parse_table
from microbiome.validation import did_you_mean, is_number
from microbiome.yamlfile import YamlFile, read_yaml

__all__ = ["Checked", "check", "check_all"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Parameters
    ----------
    problems
        Errors and warnings, in the order config, tables, files, references, tools.
    config
        The configuration with its defaults filled in.
    counts
        How many ``samples``, ``subjects``, ``doses``, and ``units`` or ``profiles`` there are.
    """

    problems: list[Problem]
    config: dict[str, Any]
    counts: dict[str, int]


def check(
    config: Mapping[str, Any] | str | Path, file: str = "", whole: bool = True, tools: bool = True
) -> list[Problem]:
    """Return everything that is wrong with the input of the workflow (see :func:`check_all`)."""
    return check_all(config, file, whole, tools).problems


def check_all(
    config: Mapping[str, Any] | str | Path, file: str = "", whole: bool = True, tools: bool = True
) -> Checked:
    """Check configuration, tables, FASTQ files or profiles, references and programs.

    Nothing is written. Whatever can still be checked is checked, so that all problems come at once.

    Parameters
    ----------
    config
        Path of the configuration, or what Snakemake read from it.
    file
        Where a mapping comes from, for the lines in messages.
    whole
        Read FASTQ files and profiles to their end. Otherwise their existence, size and first record or header are
        checked, which takes seconds for thousands of samples; the workflow does that at every start, so that a file
        that has disappeared is noticed although all results are there.
    tools
        Also look for the programs that the workflow calls when it starts from FASTQ.
    """
    if isinstance(config, Mapping):
        settings, problems = validate_config(config, file)
    else:
        file = str(config)
        settings, problems = parse_config(config)
    source = read_yaml(file) if file and Path(file).is_file() else YamlFile()
    place = _Place(file, source)

    tables = _Tables({}, set())
    for table in (SAMPLES, SUBJECTS, DOSES, UNITS, LESIONS, TOXICITIES, TREATMENTS):
        problems += _read(settings[table.name], table, place, tables)
    # Of a cell that could not be read it is no news that it is missing.
    unread = {(problem.file, problem.line, problem.column) for problem in problems}
    found = _study(tables, settings)
    problems += [problem for problem in found if (problem.file, problem.line, problem.column) not in unread]
    problems += _factors(tables, settings, place)
    problems += _groups(tables, settings, place)
    counts = {name: len(frame) for name, frame in tables.frames.items()}
    if "samples" in tables.frames:
        # The subjects table may be absent, or name people without a sample.
        counts = {"samples": 0, "subjects": 0} | counts
        counts["subjects"] = tables.frames["samples"]["subject"].nunique()
    if settings["units"]:
        problems += _from_fastq(tables, settings, place, whole)
    elif settings["profiles"]:
        found, counts["profiles"] = _from_profiles(tables, settings, place, whole)
        problems += found
    problems += _tree(settings["diversity"]["tree"], place, whole)
    problems += strain_problems(settings, whole)
    known = set(tables.frames["samples"]["sample"]) if {"samples"} <= tables.complete & tables.frames.keys() else None
    for problem in function_problems(settings, whole, known):
        problems.append(problem if problem.file else place.problem(problem.column, problem))
    problems += _molecules(tables, settings, place)
    found = clinical_problems(tables.frames, settings)
    for problem in [problem for problem in found if (problem.file, problem.line, problem.column) not in unread]:
        problems.append(problem if problem.file else place.problem(problem.column, problem))
    problems += future_problems(_files(tables, settings), settings["results"])
    problems += [place.problem("results", problem) for problem in results_problems(settings["results"])]
    problems += [place.problem(problem.column, problem) for problem in path_problems(settings)]
    if tools and settings["units"]:
        problems += check_tools((*profiler_tools(settings), *strain_tools(settings), *function_tools(settings)))
    return Checked(list(dict.fromkeys(problems)), settings, counts)


@dataclass(frozen=True)
class _Tables:
    """The tables that could be read, and the names of those among the given that have all their rows."""

    frames: dict[str, pd.DataFrame]
    complete: set[str]


@dataclass(frozen=True)
class _Place:
    """Where a key of the configuration stands."""

    file: str
    source: YamlFile

    def problem(self, key: str, problem: Problem) -> Problem:
        """Return the problem as one of that key."""
        line = self.source.lines.get(tuple(key.split(".")))
        return Problem(problem.message, problem.fix, self.file, line, key, problem.value, problem.level)


def _read(path: str, table: Table, place: _Place, tables: _Tables) -> list[Problem]:
    """Read one table into `tables`; one that is not given is complete without being there."""
    if not path:
        tables.complete.add(table.name)
        return []
    if not Path(path).exists():
        fix = "correct the path, or write the table (docs/tables.md)"
        return [place.problem(table.name, Problem(f"{path!r} does not exist", fix, value=path))]
    frame, problems = parse_table(path, table)
    errors = [problem for problem in problems if problem.level == "error"]
    if frame.empty and not errors and table in (SAMPLES, UNITS):
        return [*problems, Problem("the table has no rows", "fill it in (docs/tables.md)", path)]
    if not frame.empty or not errors:
        tables.frames[table.name] = frame
        # An error without a column is one of the file or of a whole row.
        if all(problem.column for problem in errors):
            tables.complete.add(table.name)
    return problems


def _files(tables: _Tables, settings: Mapping[str, Any]) -> list[str]:
    """Return the tables, FASTQ files and profiles that the configuration names."""
    names = [settings[table.name] for table in (SAMPLES, SUBJECTS, DOSES, UNITS, LESIONS, TOXICITIES, TREATMENTS)]
    names += [entry["file"] for entry in settings["tables"].values()]
    units = tables.frames.get("units") if settings["units"] else None
    if units is not None:
        names += [path for column in ("fq1", "fq2") if column in units for path in units[column].dropna()]
    elif settings["profiles"]:
        names += expand_profiles(settings["profiles"])
    return [name for name in names if name]


def _study(tables: _Tables, settings: Mapping[str, Any]) -> list[Problem]:
    """Compare the tables of the study with each other, when all that are given have all their rows."""
    if not {"samples", "subjects", "doses"} <= tables.complete or "samples" not in tables.frames:
        return []
    return study_problems(
        Study(
            tables.frames["samples"],
            tables.frames.get("subjects", empty_table(SUBJECTS)),
            tables.frames.get("doses", empty_table(DOSES)),
        ),
        settings["samples"],
        settings["subjects"] or "subjects.tsv",
        settings["doses"] or "doses.tsv",
        settings["allow_missing_baseline"],
        "doses" in tables.frames,
    )


def _molecules(tables: _Tables, settings: Mapping[str, Any], place: _Place) -> list[Problem]:
    """Read the tables of other molecules, when it is known whose samples there are."""
    if not settings["tables"] or not {"samples", "subjects"} <= tables.complete or "samples" not in tables.frames:
        return []
    # Imported late: few configurations name any, and this runs at every start.
    from microbiome.check_tables import check_tables

    entries = [
        TableEntry(name, **entry | {"leave_out": tuple(entry["leave_out"])})
        for name, entry in settings["tables"].items()
    ]
    study = Study(tables.frames["samples"], tables.frames.get("subjects", empty_table(SUBJECTS)), empty_table(DOSES))
    return check_tables(entries, study, place.file, place.source.lines)


def _factors(tables: _Tables, settings: Mapping[str, Any], place: _Place) -> list[Problem]:
    """Look for the columns that the PERMANOVA names."""
    given = [name for name in ("samples", "subjects") if settings[name]]
    if not given or not all(name in tables.frames for name in given):
        return []
    columns = [str(column) for name in given for column in tables.frames[name].columns]
    files = " and ".join(settings[name] for name in given)
    permanova = settings["diversity"]["permanova"]
    wanted = [("factors", factor) for factor in permanova["factors"]]
    wanted += [("continuous", name) for name in permanova["continuous"]]
    wanted += [("strata", permanova["strata"])] if permanova["strata"] else []
    numbers = [
        place.problem(
            "diversity.permanova.factors",
            Problem(
                f"column {name!r} holds {len(values)} different numbers, each of which is taken as a group",
                "name it in diversity.permanova.continuous to regress on it",
                value=name,
                level="warning",
            ),
        )
        for name in permanova["factors"]
        if name not in permanova["continuous"] and len(values := _numbers_as_text(name, tables)) > 5
    ]
    return numbers + [
        place.problem(
            f"diversity.permanova.{key}",
            Problem(f"column {name!r} is not in {files}", "name a column" + did_you_mean(name, columns), value=name),
        )
        for key, name in wanted
        if name not in columns
    ]


def _groups(tables: _Tables, settings: Mapping[str, Any], place: _Place) -> list[Problem]:
    """Look for the columns that group subjects, are held constant, or are strata."""
    given = [name for name in ("subjects", "samples") if settings[name]]
    if not all(name in tables.frames for name in given):
        return []
    of = {name: [str(column) for column in tables.frames[name].columns if column != "subject"] for name in given}
    own = of.get("subjects", [])
    own = [*own, "responder"] if "best_response" in own and "responder" not in own else own
    of_subjects = (own, settings["subjects"] or "a subjects table (none is given)")
    of_both = ([*own, *of.get("samples", [])], " and ".join(settings[name] for name in given))
    compare = settings["compare"]
    # Declared columns need not be there: what is not known is not compared.
    optional = (*SUBJECTS.names, "donor")
    grouped = ("compare", "sensitivity", "clinical", "associate")
    groups = [
        (f"{name}.by", re.sub(r"\s*[<>]=?.*$", "", column)) for name in grouped for column in settings[name]["by"]
    ]
    wanted = [(key, column, of_subjects) for key, column in groups if column not in optional]
    wanted += [("compare.covariates", column, of_both) for column in compare["covariates"]]
    wanted += [("compare.strata", compare["strata"], of_subjects)] if compare["strata"] != "donor" else []
    wanted += [("nulls.strata", settings["nulls"]["strata"], of_both)]
    wanted += [("clinical.predictors", column, of_subjects) for column in settings["clinical"]["predictors"]]
    wanted += [
        (f"{name}.covariates", column, of_subjects)
        for name in ("clinical", "associate")
        for column in settings[name]["covariates"]
    ]
    wanted += [("associate.strata", settings["associate"]["strata"], of_subjects)]
    wanted += [("donors.cohort", settings["donors"]["cohort"], of_subjects)]
    return [
        place.problem(
            key,
            Problem(f"column {name!r} is not in {files}", "name a column" + did_you_mean(name, columns), value=name),
        )
        for key, name, (columns, files) in wanted
        if name and name not in columns
    ]


def _numbers_as_text(name: str, tables: _Tables) -> set[str]:
    """Return the different values of a covariate when all are numbers, else nothing."""
    for frame in tables.frames.values():
        if name in frame and frame[name].dtype == object:
            values = {str(cell) for cell in frame[name].dropna()}
            return values if all(is_number(value) for value in values) else set()
    return set()


def _from_fastq(tables: _Tables, settings: Mapping[str, Any], place: _Place, whole: bool) -> list[Problem]:
    problems: list[Problem] = []
    units = tables.frames.get("units")
    if units is not None:
        comparable = {"samples", "units"} <= tables.complete
        samples = tables.frames.get("samples") if comparable else None
        problems += unit_problems(units, samples, settings["units"], settings["samples"])
        problems += fastq_problems(units, settings["units"], whole)
    for problem in profiler_problems(settings):
        problems.append(place.problem(problem.column, problem))
    metaphlan = settings["metaphlan"]
    if settings["profiler"] == "metaphlan" and metaphlan["database"] and metaphlan["index"]:
        for problem in metaphlan_database_problems(metaphlan["database"], metaphlan["index"]):
            problems.append(place.problem(f"metaphlan.{problem.column}", problem))
    if settings["host_index"]:
        problems += [place.problem("host_index", problem) for problem in host_index_problems(settings["host_index"])]
    return problems


def _from_profiles(
    tables: _Tables, settings: Mapping[str, Any], place: _Place, whole: bool
) -> tuple[list[Problem], int]:
    files = expand_profiles(settings["profiles"])
    lineages: list[Problem] = []
    taxonomy = given_taxonomy(settings, files, lineages)
    if lineages:
        return [place.problem("profile.taxonomy", problem) if not problem.file else problem for problem in lineages], 0
    without = [place.problem(problem.column, problem) for problem in finished_problems(settings, files)]
    # That a profiler has no SGBs is said once, with the line of the configuration.
    rank = "auto" if any(problem.column == "profile.rank" for problem in without) else settings["profile"]["rank"]
    profiled, found = profile_samples(files, whole, rank, taxonomy)
    problems = without + [_unmatched(problem, settings["profiles"], place) for problem in found]
    # After a file that cannot be read, samples without a profile would only repeat that.
    unread = any(problem.level == "error" for problem in found)
    if "samples" in tables.frames and "samples" in tables.complete and not unread:
        problems += profile_problems(profiled, tables.frames["samples"], settings["samples"])
    return problems, len(profiled)


def _unmatched(problem: Problem, patterns: list[str], place: _Place) -> Problem:
    """Make the absence of a file a problem of the configuration that names it."""
    if problem.file in patterns and not Path(problem.file).exists():
        pattern = any(mark in problem.file for mark in "*?[")
        message = f"no file matches {problem.file!r}" if pattern else f"{problem.file!r} does not exist"
        return place.problem("profiles", Problem(message, "correct the path", value=problem.file))
    return problem


def _tree(path: str, place: _Place, whole: bool) -> list[Problem]:
    if not path:
        return []
    try:
        if whole:
            from microbiome.diversity.tree import read_tree

            read_tree(path)
        else:
            text = open_text(path).strip()
            if not text.startswith("(") or not text.endswith(";"):
                raise InputError(Problem("not a Newick tree", "give the tree of the marker database", path))
    except InputError as error:
        return [
            place.problem("diversity.tree", Problem(f"{path!r}: {p.message}", p.fix, value=path, level=p.level))
            for p in error.problems
        ]
    return []
