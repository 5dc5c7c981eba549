"""``microbiome check --provenance``: whether results are what today's inputs, parameters and programs would give."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microbiome.config import validate_config
from microbiome.errors import InputError, Problem
from microbiome.provenance import database_files, database_name, function_references, packages, study_inputs
from microbiome.provenance_files import described, described_folder, is_file, is_there, modified, same
from microbiome.provenance_record import NAME, read_record
from microbiome.tools import installed_version
from microbiome.workflow import Plan, read_plan

__all__ = ["DEPENDS", "Compared", "compare_provenance"]

#: What depends on a key of the configuration, by its first word; of single keys where another word is better.
DEPENDS = {
    "samples": "all tables but the profiles",
    "subjects": "comparisons, clinical results, associations and the report",
    "doses": "outcomes, and all that is made of them",
    "units": "the profiles, and all that is made of them",
    "profiles": "all tables",
    "results": "",
    "seed": "every table with chance in it",
    "host_index": "the profiles, and all that is made of them",
    "min_reads": "the profiles, and all that is made of them",
    "rarefy_reads": "the profiles, and all that is made of them",
    "allow_missing_baseline": "outcomes, and all that is made of them",
    "profiler": "the profiles, and all that is made of them",
    "keep": "nothing but what is kept",
    "metaphlan": "the profiles, and all that is made of them",
    "kraken2": "the profiles, and all that is made of them",
    "sourmash": "the profiles, and all that is made of them",
    "fastp": "the profiles, and all that is made of them",
    "profile": "all tables but the profiles",
    "detection": "outcomes, and all that is made of them",
    "diversity": "the tables in diversity/",
    "nulls": "nulls.tsv, and nulls_*.tsv of functions",
    "compare": "comparisons in outcomes/, strains/ and function/",
    "sensitivity": "sensitivity*.tsv",
    "strains": "the tables in strains/",
    "function": "the tables in function/",
    "lesions": "the tables in clinical/",
    "toxicities": "the tables in clinical/",
    "treatments": "the tables in clinical/",
    "clinical": "the tables in clinical/",
    "donors": "the tables of donors in clinical/",
    "tables": "the tables in association/",
    "associate": "the tables in association/",
    "report": "the report",
}
_AGAIN = "start the workflow again (--dry-run says which steps that are)"
_TOUCH = f"{_AGAIN}; where it finds nothing to do, touch the file first"
_RIGHTS = "make it readable"
_FORCE = "start the workflow with --forceall to have everything of the new one"
# Neither changes a number: the interpreter's own version, and what starts the programs.
_RUNNERS = ("python", "snakemake")
_PAGE = "report.html"


@dataclass(frozen=True)
class Compared:
    """What is out of date (errors), what is worth knowing (warnings), how much was compared, and when it was made."""

    problems: list[Problem]
    counts: dict[str, int]
    written: str


def compare_provenance(
    results: str | Path, config: Mapping[str, Any] | None = None, quick: bool = False, tools: bool = True
) -> Compared:
    """Compare a folder of results with what it was made from, as that is today.

    Parameters
    ----------
    results
        Folder with a ``provenance.json``, or that file.
    config
        Today's validated configuration; without it the recorded parameters stand for it. Paths are relative to the
        current folder, which has to be the one that the workflow was started in.
    quick
        Files whose size is as recorded, and inputs whose time of change is too, are not read.
    tools
        Compare the programs on PATH too.

    Returns
    -------
    Compared
        Nothing is an error when the results are what the workflow would make now.

    Raises
    ------
    InputError
        When there is no record, or it cannot be read.
    """
    place = Path(results)
    file = place if place.suffix == ".json" else place / NAME
    record = read_record(file)
    written = str(record["run"].get("written", ""))
    parameters = record["parameters"]
    problems, today = [], dict(config) if config is not None else None
    if today is None:
        today, found = validate_config(parameters)
        problems += [_of_record(problem, file) for problem in found if problem.level == "error"]
    else:
        problems += _parameters(parameters, today, str(file))
    comparison = _Comparison(record, quick)
    elsewhere = comparison.elsewhere(file)
    plan: Plan | None = None
    if elsewhere:
        # Nothing that these paths lead to is what was meant.
        problems += elsewhere
    else:
        try:
            plan = read_plan(today)
        except InputError as error:
            problems += error.problems
        problems += comparison.inputs(plan)
        problems += comparison.databases(plan)
    problems += comparison.results(file.parent, plan)
    problems += _software(record, str(file), tools)
    counts = {
        "inputs": len(record["inputs"]),
        "results": len(record["results"]),
        "versions": len(record["software"]) + 1,
    }
    return Compared(list(dict.fromkeys(problems)), counts, written)


@dataclass(frozen=True)
class _Comparison:
    """Compares the files of a record with those that there are."""

    record: Mapping[str, Any]
    quick: bool

    def elsewhere(self, file: Path) -> list[Problem]:
        """Return a problem when the paths of the record lead nowhere."""
        names = [entry["file"] for entry in self.record["inputs"]]
        if not names or any(is_there(name) for name in names):
            return []
        there = self.record["run"].get("folder", "")
        fix = f"start this in {there}, where the workflow was started" if there else "start this where it was started"
        return [Problem("none of the inputs is there; their paths are relative to another folder", fix, str(file))]

    def inputs(self, plan: Plan | None) -> list[Problem]:
        """Compare what the user gives: tables, profiles, FASTQ files."""
        recorded = {entry["file"]: entry for entry in self.record["inputs"]}
        problems = [problem for entry in recorded.values() for problem in self._one(entry, _what(entry), described)]
        if plan is None:
            return problems
        now = dict(reversed([(path, key) for key, path in study_inputs(plan)]))
        now |= {path: "units" for sample in plan.samples for mate in (1, 2) for path in plan.fastq(sample, mate)}
        problems += [
            Problem("is new: these results were made without it", _AGAIN, path, column=key)
            for path, key in now.items()
            if path not in recorded
        ]
        problems += [
            Problem("is not named any more, but these results rest on it", _AGAIN, name, column=entry.get("key", ""))
            for name, entry in recorded.items()
            if name not in now and is_there(name)
        ]
        return problems

    @property
    def _database(self) -> str:
        """Key of the configuration that names the database of the profiler."""
        return f"{self.record['parameters'].get('profiler', 'metaphlan')}.database"

    def databases(self, plan: Plan | None) -> list[Problem]:
        """Compare databases and indexes."""
        recorded = {
            self._database: self.record["database"]["files"],
            "host_index": self.record["host_index"],
            "function": self.record.get("function_databases", []),
        }
        now: dict[str, list[str]] = {}
        if plan is not None:
            now = {
                self._database: database_files(plan),
                "host_index": plan.host_files(),
                "function": function_references(plan),
            }
        problems: list[Problem] = []
        for key, entries in recorded.items():
            for entry in entries:
                name = entry["file"]
                # A folder that today's configuration does not name is not walked through: it may be the whole disk.
                if name in now.get(key, []) or not (is_there(name) and Path(name).is_dir()):
                    problems += self._one(entry | {"key": key}, DEPENDS[key.split(".")[0]], _reference)
                elif plan is not None:
                    message = "is not named any more, but these results rest on it"
                    problems.append(Problem(message, _AGAIN, name, column=key))
        if plan is None:
            return problems
        known = {entry["file"] for entries in recorded.values() for entry in entries}
        problems += [
            Problem("is new: these results were made without it", _AGAIN, path, column=key)
            for key, paths in now.items()
            for path in paths
            if path not in known
        ]
        name, today = self.record["database"]["name"], database_name(plan)
        if today and name != today:
            message = f"the merged profile is of {today}, these results of {name}"
            problems.append(Problem(message, _AGAIN, plan.profile, column=self._database, value=today))
        return problems

    def results(self, folder: Path, plan: Plan | None) -> Iterator[Problem]:
        """Compare the results with what they were when they were made; the folder may have been moved."""
        before = self.record["parameters"].get("results", "")
        # What the workflow makes unasked, which is not known without a plan; what is named as a target it always makes.
        asked = set(plan.targets()) if plan else set()
        for entry in self.record["results"]:
            name = entry["file"]
            place = str(folder / Path(name).relative_to(before)) if Path(name).is_relative_to(before) else name
            if not is_file(place):
                if entry["bytes"] is not None or entry.get("there"):
                    fix = _AGAIN if name in asked else _as_target(name)
                    yield Problem("is missing; it was among these results", fix, place)
            elif entry["bytes"] is None and not entry.get("there"):
                yield Problem("was not there when these results were described", _AGAIN, place)
            elif entry["bytes"] is not None and not (alike := self._is_same(entry, place, described)):
                if alike is None:
                    yield Problem("cannot be read", _RIGHTS, place)
                    continue
                fix = "remove it and start the workflow again; keep what you changed under another name"
                yield Problem("is not as the workflow wrote it: changed by hand, or half of a later run", fix, place)
        if not (folder / _PAGE).is_file():
            yield Problem("is missing", _AGAIN, str(folder / _PAGE))

    def _one(
        self, entry: Mapping[str, Any], depends: str, describe: Callable[[str], dict[str, Any]]
    ) -> Iterator[Problem]:
        name, key = entry["file"], entry.get("key", "")
        rest = f"; {depends} rest on it" if depends else ""
        if entry["bytes"] is None:
            return
        if not is_there(name):
            yield Problem(f"does not exist any more{rest}", "bring it back, or correct the paths", name, column=key)
        elif (alike := self._is_same(entry, name, describe)) is None:
            yield Problem("cannot be read", _RIGHTS, name, column=key)
        elif not alike:
            yield Problem(f"has changed since these results were made{rest}", _TOUCH, name, column=key)

    def _is_same(self, entry: Mapping[str, Any], path: str, describe: Callable[[str], dict[str, Any]]) -> bool | None:
        """Tell whether a file is as recorded; None where it cannot be read."""
        if is_file(path) and Path(path).stat().st_size != entry["bytes"]:
            return False
        times = self.record["run"].get("inputs_modified", {})
        if self.quick and is_file(path) and times.get(entry["file"]) in (None, modified(path)):
            return True
        try:
            return same(dict(entry), describe(path))
        except OSError:
            return None


def _as_target(name: str) -> str:
    """Say how a result is made again that the workflow does not miss: what is made of it is there."""
    parts = Path(name).parts
    # A step whose result is a folder is asked for by that folder, which is there.
    target = str(Path(name).parent) if parts[-3:-2] == ("strainphlan",) else name
    words = f"snakemake {'--force ' if target != name else ''}{shlex.quote(target)}"
    return f"the workflow makes it again when it is asked for it: {words}  followed by the options you always give"


def _reference(path: str) -> dict[str, Any]:
    return described_folder(path) if Path(path).is_dir() else described(path, whole=False)


def _what(entry: Mapping[str, Any]) -> str:
    """Return what rests on an input."""
    if entry.get("sample"):
        return f"the profile of sample {entry['sample']}, and all that is made of profiles,"
    return DEPENDS.get(str(entry.get("key", "")).split(".")[0], "")


def _parameters(recorded: Mapping[str, Any], today: Mapping[str, Any], file: str) -> list[Problem]:
    """Compare the parameters, but for where results go."""
    before, now = dict(_flat(recorded)), dict(_flat(today))
    problems = []
    for key in dict.fromkeys([*before, *now]):
        if key == "results" or before.get(key) == now.get(key):
            continue
        old, new = (json.dumps(values[key]) if key in values else "not there" for values in (before, now))
        depends = DEPENDS.get(key.split(".")[0], "")
        rest = f"; {depends} rest on it" if depends else ""
        problems.append(Problem(f"is {new} today and was {old}{rest}", _AGAIN, file, column=key))
    return problems


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and their values."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif not isinstance(value, Mapping):
            yield f"{prefix}{key}", value


def _software(record: Mapping[str, Any], file: str, tools: bool) -> list[Problem]:
    """Compare versions of this package, of the Python packages, and of the programs on PATH."""
    own = {"microbiome": importlib.metadata.version("fmt-microbiome")}
    before = {"microbiome": record["microbiome"], **record["software"]}
    problems = []
    for name, version in before.items():
        if name in _RUNNERS:
            continue
        used = [version] if isinstance(version, str) else list(version)
        if isinstance(version, str):
            now = (own | packages()).get(name, "")
        else:
            now = installed_version(name) if tools else used[-1]
        if len(used) > 1:
            message = f"these results were made with versions {' and '.join(used)}"
            problems.append(Problem(message, _FORCE, file, column=name, level="warning"))
        if not now:
            message = f"these results were made with version {used[-1]}; it is not here"
            fix = "nothing, if Snakemake brings it (--sdm conda)" if not isinstance(version, str) else "install it"
            problems.append(Problem(message, fix, file, column=name, level="warning"))
        elif now not in used:
            message = f"these results were made with version {' and '.join(used)}, {now} is installed"
            problems.append(Problem(message, _FORCE, file, column=name, value=now))
    return problems


def _of_record(problem: Problem, file: Path) -> Problem:
    message = f"the recorded parameter cannot be used any more: {problem.message}"
    return Problem(message, "give today's configuration with --config", str(file), column=problem.column)
