"""Checking of the units table against the samples table, and of the FASTQ files it names."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from microbiome.check_paths import BRACES
from microbiome.errors import Problem
from microbiome.fastq import Fastq, check_pair, inspect_fastq
from microbiome.validation import did_you_mean, shown

__all__ = ["fastq_problems", "unit_problems"]

logger = logging.getLogger(__name__)

# Seconds between two lines of progress.
_PROGRESS_EVERY = 5.0
_MOST_THREADS = 8


@dataclass(frozen=True)
class _Use:
    """One cell of the units table that names a FASTQ file."""

    line: int
    column: str
    path: str


def unit_problems(
    units: pd.DataFrame, samples: pd.DataFrame | None, units_file: str = "units.tsv", samples_file: str = "samples.tsv"
) -> list[Problem]:
    """Return what is wrong between the rows of the units table and with the samples table.

    Parameters
    ----------
    units, samples
        Frames whose index is the line of the file; `samples` None when it could not be read.
    units_file, samples_file
        Names used in the messages.
    """
    problems: list[Problem] = []
    if samples is not None:
        known = {name for name in samples["sample"] if name is not None}
        unused = known - {name for name in units["sample"] if name is not None}
        for line, name in units["sample"].items():
            if name is not None and name not in known:
                fix = "correct it, or add a row there" + did_you_mean(name, unused)
                message = f"sample {name!r} is not in {samples_file}"
                problems.append(Problem(message, fix, units_file, int(str(line)), "sample", name))
        for line, name in samples["sample"].items():
            if name in unused:
                fix = f"add its FASTQ files to {units_file}, or remove the row"
                message = f"sample {name!r} has no unit"
                problems.append(Problem(message, fix, samples_file, int(str(line)), "sample", str(name)))
    first_of: dict[str, tuple[int, bool]] = {}
    said: set[str] = set()
    for line, name, mates in units[["sample", "fq2"]].itertuples():
        paired = mates is not None
        first, first_paired = first_of.setdefault(name, (line, paired))
        if name is None or paired == first_paired or name in said:
            continue
        said.add(name)
        kind, other = ("paired-end", "single-end") if paired else ("single-end", "paired-end")
        message = f"this unit of sample {name!r} is {kind}, the unit in line {first} is {other}"
        fix = "give all units of a sample one or both mates, or make two samples of it"
        problems.append(Problem(message, fix, units_file, int(line), "fq2", name))
    return problems + _used_twice(_uses(units), units_file)


def fastq_problems(units: pd.DataFrame, units_file: str = "units.tsv", whole: bool = True) -> list[Problem]:
    """Look at every FASTQ file that the units table names, several at a time.

    Parameters
    ----------
    units
        Frame whose index is the line of the file.
    units_file
        Name used in the messages.
    whole
        Read the files to their end (see :func:`microbiome.fastq.inspect_fastq`); progress is logged.
    """
    uses = _uses(units)
    files = _inspect_all(list(dict.fromkeys(use.path for use in uses)), whole)
    problems: list[Problem] = []

    def say(use: _Use, problem: Problem) -> None:
        place = use.path + (f":{problem.line}" if problem.line is not None else "")
        where = (units_file, use.line, use.column, use.path)
        problems.append(Problem(f"{place}: {problem.message}", problem.fix, *where, level=problem.level))

    pairs: dict[int, dict[str, _Use]] = {}
    copies: dict[tuple[int, bytes], _Use] = {}
    copied: set[int] = set()
    for use in uses:
        file = files[use.path]
        pairs.setdefault(use.line, {})[use.column] = use
        if "{" in use.path or "}" in use.path:
            say(use, Problem(f"the path has a brace in it: {BRACES}", "rename the file, or give a link to it"))
        for problem in file.problems:
            say(use, problem)
        if not file.record:
            continue
        if file.interleaved:
            fix = "give each mate a file of its own: as single reads, the mates of a host read are kept"
            say(use, Problem("both mates of a pair follow one another (interleaved)", fix, level="warning"))
        # Two libraries never begin with the same read and have the same size to the byte.
        first = copies.setdefault((file.size, file.record), use)
        if _identity(first.path) != _identity(use.path):
            message = (
                f"as large as {first.path} (line {first.line}, {first.column}) and begins with the same read: a copy"
            )
            say(use, Problem(message, "name the right file"))
            copied.add(use.line)
    for line, pair in pairs.items():
        if len(pair) == 2 and line not in copied:
            one, two = files[pair["fq1"].path], files[pair["fq2"].path]
            same = _identity(one.path) == _identity(two.path)
            if not (_unusable(one) or _unusable(two) or same):
                for problem in check_pair(one, two):
                    say(pair["fq2"], problem)
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column))


def _unusable(file: Fastq) -> bool:
    return any(problem.level == "error" for problem in file.problems)


def _uses(units: pd.DataFrame) -> list[_Use]:
    return [
        _Use(int(line), column, path)
        for line, *paths in units[["fq1", "fq2"]].itertuples()
        for column, path in zip(("fq1", "fq2"), paths, strict=True)
        if path is not None
    ]


def _identity(path: str) -> object:
    """Return what is the same for two paths of one file: links of either kind are seen through."""
    try:
        status = Path(path).stat()
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def _used_twice(uses: Sequence[_Use], file: str) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[object, _Use] = {}
    for use in uses:
        before = first.setdefault(_identity(use.path), use)
        if before is use:
            continue
        alias = "" if before.path == use.path else f" (the same file as {shown(before.path)})"
        if before.line == use.line:
            message, fix = (
                f"fq1 and fq2 are the same file, {shown(use.path)}{alias}",
                "name the file of the second mates",
            )
        else:
            message = f"{shown(use.path)} is used already in line {before.line} ({before.column}){alias}"
            fix = "name the right file, or remove the row"
        problems.append(Problem(message, fix, file, use.line, use.column, use.path))
    return problems


def _inspect_all(paths: Sequence[str], whole: bool) -> dict[str, Fastq]:
    """Inspect files in parallel (zlib and numpy let go of the interpreter); log how far it is."""
    threads = max(1, min(_MOST_THREADS, len(os.sched_getaffinity(0)), len(paths)))
    found: dict[str, Fastq] = {}
    said = time.monotonic()
    pool = ThreadPoolExecutor(threads)
    try:
        futures = [pool.submit(inspect_fastq, path, whole) for path in paths]
        for number, (path, future) in enumerate(zip(paths, futures, strict=True), start=1):
            found[path] = future.result()
            if time.monotonic() - said > _PROGRESS_EVERY:
                said = time.monotonic()
                logger.info("checked %d of %d FASTQ files", number, len(paths))
    finally:
        # After an interrupt the files still waiting are not opened any more.
        pool.shutdown(cancel_futures=True)
    return found
