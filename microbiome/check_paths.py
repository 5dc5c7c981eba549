"""Paths that Snakemake or the programs it calls cannot take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from microbiome.config import expand_profiles
from microbiome.config_keys import KEYS
from microbiome.errors import Problem

__all__ = ["BRACES", "path_problems"]

# The wrapper of Bowtie 2 puts its command together as text for a shell, in double quotes, within which these mean
# something: $(...) in the name of a folder would be run.
_SHELL = re.compile(r"[$`\"\\!]")
#: Why a path cannot have braces.
BRACES = "Snakemake takes braces for a wildcard"
_TO_PROGRAMS = ("results", "host_index", "metaphlan.", "kraken2.", "sourmash.", "function.")


def path_problems(settings: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each path of a configuration that no rule could use.

    Parameters
    ----------
    settings
        A configuration with its defaults.

    Returns
    -------
    list of Problem
        Each with the key as its column: paths with braces, which are wildcards to Snakemake; with a line break or
        another control character; with a dash at its beginning; and, where FASTQ files are to be profiled, databases
        and results whose path holds what a shell reads, because programs such as Bowtie 2 hand it to one.
    """
    problems: list[Problem] = []
    for key, path in _paths(settings):
        found = ""
        if braces := re.search(r"[{}]", path):
            found, why = braces[0], BRACES
        elif any(ord(mark) < 32 or ord(mark) == 127 for mark in path):
            found, why = next(mark for mark in path if ord(mark) < 32 or ord(mark) == 127), "it ends a line or a word"
        elif settings["units"] and key.startswith(_TO_PROGRAMS) and (marks := _SHELL.search(path)):
            found, why = marks[0], "programs such as Bowtie 2 give it to a shell, which runs what it means"
        if path.startswith("-"):
            message = f"the path {path!r} begins like an option"
            problems.append(Problem(message, f"write ./{path}", column=key, value=path))
        if found:
            message = f"the path {path!r} has {found!r} in it: {why}"
            problems.append(Problem(message, "rename the folder or file", column=key, value=path))
    return problems


def _paths(settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for key in KEYS:
        if key.kind in ("path", "paths"):
            value: Any = settings
            for name in key.place:
                value = value[name]
            for path in [value] if isinstance(value, str) else value:
                if isinstance(path, str):
                    yield key.name, path
    for path in expand_profiles(settings["profiles"]):
        if path not in settings["profiles"]:
            yield "profiles", path
    for name, entry in settings["tables"].items():
        for part in ("file", "limits"):
            if entry[part]:
                yield f"tables.{name}.{part}", entry[part]
