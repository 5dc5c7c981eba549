"""Checks of what the keys under ``function`` name: finished tables, databases, maps, programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from microbiome.config_function import FUNCTION_GROUPS, function_method
from microbiome.errors import Problem, collecting
from microbiome.function.reading import read_functions
from microbiome.function.regroup import read_map
from microbiome.references import metaphlan_database_problems
from microbiome.tools import HUMANN_TOOLS, Tool
from microbiome.workflow_function import function_files

__all__ = ["function_problems", "function_tools"]

_NUCLEOTIDE, _PROTEIN = "v201901_v31", "201901b"
_DOWNLOAD = "correct it, or download the database: humann_databases --download"


def function_problems(
    settings: Mapping[str, Any], whole: bool, samples: Collection[str] | None = None
) -> list[Problem]:
    """Look at what the configuration names for functions.

    Parameters
    ----------
    settings
        Validated configuration.
    whole
        Read tables and maps to their end. Otherwise only whether they are there: the workflow asks at every start.
    samples
        Samples of the study, where their table could be read.

    Returns
    -------
    list of Problem
        Those of the configuration have its key as `column`, and no file.
    """
    method = function_method(settings)
    if method == "tables":
        return _tables(settings, whole, samples)
    return _humann(settings, whole) if method == "humann" else []


def function_tools(settings: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Return the programs that HUMAnN needs, where it is run."""
    return HUMANN_TOOLS if function_method(settings) == "humann" else ()


def _humann(settings: Mapping[str, Any], whole: bool) -> list[Problem]:
    section = settings["function"]
    problems = [
        *_database(section["nucleotide_database"], "nucleotide_database", "chocophlan full", _NUCLEOTIDE, "g__*.ffn*"),
        *_database(section["protein_database"], "protein_database", "uniref uniref90_diamond", _PROTEIN, "*.dmnd"),
    ]
    if section["prescreen"] and section["metaphlan_database"] and section["metaphlan_index"]:
        for problem in metaphlan_database_problems(section["metaphlan_database"], section["metaphlan_index"]):
            problems.append(_of_key(f"metaphlan_{problem.column}", problem))
    for key in ("ec_map", "ko_map", "reactions", "pathways"):
        problems += _file(section[key], key)
    if whole:
        for key in ("ec_map", "ko_map"):
            if section[key] and Path(section[key]).is_file():
                with collecting(problems):
                    read_map(section[key], ())
    return problems


def _database(folder: str, key: str, name: str, version: str, pattern: str) -> list[Problem]:
    """HUMAnN asks for a word in the names of all files of its databases, and stops where one lacks it."""
    if not folder:
        return []
    place, fix = Path(folder), f"{_DOWNLOAD} {name} FOLDER"
    if not place.is_dir():
        word = "is not a folder" if place.exists() else "does not exist"
        return [_of_key(key, Problem(f"{folder!r} {word}", fix, value=folder))]
    files = [path.name for path in place.iterdir()]
    if not list(place.glob(pattern)):
        return [_of_key(key, Problem(f"there is no {pattern} in {folder!r}", fix, value=folder))]
    others = sorted(file for file in files if version not in file)
    if others:
        message = f"{others[0]!r} in {folder!r} is not of the version {version} that HUMAnN 3.9 takes"
        return [
            _of_key(key, Problem(message, "take away what does not belong there, or download it anew", value=folder))
        ]
    return []


def _file(path: str, key: str) -> list[Problem]:
    if not path or Path(path).is_file():
        return []
    return [_of_key(key, Problem(f"{path!r} does not exist", "correct the path", value=path))]


def _tables(settings: Mapping[str, Any], whole: bool, samples: Collection[str] | None) -> list[Problem]:
    section = settings["function"]
    problems = [_missing(entry) for entry in section["tables"] if not _there(entry)]
    given = function_files(settings)
    for key in ("ec_map", "ko_map"):
        problems += _file(section[key], key)
    for group in section["groups"]:
        mapped = group in ("ec", "ko") and section[f"{group}_map"] and given.get("genefamilies")
        if not given.get(group) and not mapped and not problems:
            fix = "name its tables in function.tables, or take it out of function.groups"
            fix += f"; or give gene families and function.{group}_map" if group in ("ec", "ko") else ""
            level = "warning" if any(given.get(other) for other in section["groups"]) else "error"
            message = f"function.tables has no table of the kind {group}"
            problems.append(Problem(message, fix, column="function.groups", value=group, level=level))  # type: ignore[arg-type]
    if not whole:
        return problems
    for group, files in given.items():
        with collecting(problems):
            table = read_functions(files)
            problems += _samples(set(map(str, table.whole.index)), samples, group)
    return problems


def _samples(there: set[str], samples: Collection[str] | None, group: str) -> list[Problem]:
    if samples is None:
        return []
    problems = []
    strange, lacking = sorted(there - set(samples)), sorted(set(samples) - there)
    key = "function.tables"
    if len(lacking) == len(set(samples)):
        message = f"no sample of the study is in the tables of {group} (they have {', '.join(strange[:3])}, ...)"
        return [Problem(message, "name the samples alike in both", column=key, value=strange[0] if strange else "")]
    if strange:
        message = f"{len(strange)} samples of the tables of {group} are not in the study: {', '.join(strange[:5])}"
        problems.append(Problem(message, "they are not used", column=key, value=strange[0], level="warning"))
    if lacking:
        message = f"{len(lacking)} samples are not in the tables of {group}: {', '.join(lacking[:5])}"
        fix = "they have no outcomes of functions; name them alike in both if they should"
        problems.append(Problem(message, fix, column=key, value=lacking[0], level="warning"))
    return problems


def _there(entry: str) -> bool:
    group, equals, path = entry.partition("=")
    pattern = path if equals and group in FUNCTION_GROUPS else entry
    return (any(mark in pattern for mark in "*?[") and bool(list(_matching(pattern)))) or Path(pattern).exists()


def _matching(pattern: str) -> list[str]:
    import glob

    return glob.glob(pattern, recursive=True)  # noqa: PTH207 - a pattern may be absolute


def _missing(entry: str) -> Problem:
    pattern = any(mark in entry for mark in "*?[")
    message = f"no file matches {entry!r}" if pattern else f"{entry!r} does not exist"
    return Problem(message, "correct the path", column="function.tables", value=entry)


def _of_key(key: str, problem: Problem) -> Problem:
    return Problem(problem.message, problem.fix, column=f"function.{key}", value=problem.value, level=problem.level)
