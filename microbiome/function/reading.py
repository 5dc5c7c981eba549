"""Tables of functions as HUMAnN writes them (2.x, 3.x, 4 alpha), plain, joined, regrouped or renormalised, into one."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.features import parse_features, write_features
from microbiome.files import open_text

__all__ = ["GROUPS", "SPECIAL", "FunctionTable", "kind_of", "kind_of_file", "read_functions", "write_functions"]

logger = logging.getLogger(__name__)

#: Kinds of functions.
GROUPS = ("ec", "ko", "pathway", "genefamilies")
#: Rows that are no function: what is left of the sample.
SPECIAL = ("UNMAPPED", "UNGROUPED", "UNINTEGRATED")

# HUMAnN 4 counts unmapped reads, which is not the unit of the other rows.
_OTHER_UNIT = "READS_UNMAPPED"
_BETWEEN = "|"
_NAMED = ": "
# What HUMAnN's programs put behind the name of a sample.
_SUFFIX = re.compile(r"(?P<name>.+?)(?:[_-]Abundance(?:[_-](?:RPKs?|CPM|RELAB))?|-(?:RPKs?|CPM|RELAB))")
_COVERAGE = re.compile(r".+_Coverage")
_KINDS = {"ec": r"\d+\.(?:\d+|-)\.(?:\d+|-)\.(?:[a-z]?\d+|[a-z]|-)", "ko": r"K\d{5}", "genefamilies": r"UniRef\d+_\S+"}
_LISTED = 20
# Characters at the head of a file that tell what it is.
_HEAD = 1_000_000
# Rows of a table that tell what it is.
_ENOUGH = 1000


@dataclass(frozen=True)
class FunctionTable:
    """Abundances of functions, of whole samples and of the taxa in them.

    Parameters
    ----------
    whole
        **sample x function**, the :data:`SPECIAL` rows among them, all of one unit, 0 where a table does not list a
        function.
    strata
        **sample x (function, taxon)**: how much of a function is of which taxon; without columns where no table says.
    names
        Descriptions of functions, where the tables have them.
    """

    whole: pd.DataFrame
    strata: pd.DataFrame
    names: dict[str, str] = field(default_factory=dict)

    @property
    def functions(self) -> list[str]:
        """Names of the functions, without the special rows."""
        return [name for name in self.whole.columns if name not in SPECIAL]


def read_functions(paths: str | Path | Iterable[str | Path]) -> FunctionTable:
    """Read any mix of tables of one kind of function, of one or several samples each, and join them.

    Parameters
    ----------
    paths
        Plain, gzip or bzip2 TSV, the functions in rows. ``FUNCTION: description`` is taken apart, and so is
        ``FUNCTION|taxon``; what HUMAnN puts behind the names of samples (``_Abundance-RPKs``, ``-CPM``) is taken off
        where all columns of a file have it. A function that a table does not list is 0 in its samples.

    Raises
    ------
    InputError
        With every problem of every file: not a feature table, empty or negative cells, a sample and function in two
        files, coverage instead of abundance, strata without the functions they are parts of, different kinds of
        functions.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise InputError("no table of functions was given; name at least one")
    problems: list[Problem] = []
    frames: dict[str, pd.DataFrame] = {}
    names: dict[str, str] = {}
    for path in files:
        with collecting(problems):
            frame = _parse(str(path), names)
            frames[str(path)] = frame
    problems += _different_kinds(frames)
    raise_problems(problems)
    joined = _join(frames)
    wholes = [name for name in joined.columns if _BETWEEN not in name]
    parts = [name for name in joined.columns if _BETWEEN in name]
    orphans = sorted({name.split(_BETWEEN, 1)[0] for name in parts} - set(wholes))
    if orphans:
        message = f"{len(orphans)} functions have strata only ({', '.join(orphans[:3])}, ...)"
        fix = "give the table as it was before it was split, or the unstratified one beside it"
        raise InputError(Problem(message, fix, str(files[0]), value=orphans[0]))
    strata = joined[parts]
    strata.columns = pd.MultiIndex.from_tuples(
        [tuple(name.split(_BETWEEN, 1)) for name in parts], names=["function", "taxon"]
    )
    values = joined[wholes]
    empty = values.index[values.sum(axis=1) == 0]
    if len(empty):
        logger.warning("%d samples have no function at all: %s", len(empty), ", ".join(map(str, empty)))
    return FunctionTable(values, strata, {name: text for name, text in names.items() if name in set(wholes)})


def kind_of(functions: Iterable[str]) -> str:
    """Tell by their names what most functions are: ``ec``, ``ko``, ``genefamilies``, else ``pathway``."""
    found: Counter[str] = Counter()
    for name in functions:
        if name not in SPECIAL:
            kinds = (kind for kind, pattern in _KINDS.items() if re.fullmatch(pattern, name))
            found[next(kinds, "pathway")] += 1
    return found.most_common(1)[0][0] if found else "pathway"


def kind_of_file(path: str | Path) -> str | None:
    """Tell by its first rows what the functions of a file are (:func:`kind_of`); None where it cannot be read."""
    try:
        text = open_text(path)
    except InputError:
        return None
    rows = [line.split("\t")[0].strip('"') for line in text[:_HEAD].split("\n") if "\t" in line]
    names = [name.split(_BETWEEN)[0].split(_NAMED)[0] for name in rows[1:]]
    if all(name in SPECIAL for name in names):
        # A sample in which nothing was found: only the header tells.
        return "genefamilies" if rows and "gene family" in rows[0].lower() else "pathway"
    return kind_of(names)


def write_functions(table: FunctionTable, path: str | Path, stratified: str | Path | None = None) -> None:
    """Write the functions of whole samples as TSV of function x sample; those of taxa (``FUNCTION|taxon``) beside."""
    write_features(table.whole, path, corner="function")
    if stratified is not None:
        strata = table.strata.copy()
        strata.columns = pd.Index([_BETWEEN.join(pair) for pair in table.strata.columns], dtype=object)
        write_features(strata, stratified, corner="function")


def _parse(file: str, names: dict[str, str]) -> pd.DataFrame:
    frame = parse_features(open_text(file), file)
    samples = [str(name) for name in frame.index]
    if all(_COVERAGE.fullmatch(name) for name in samples):
        raise InputError(Problem("these are coverages of pathways", "give the table of abundances", file))
    matches = [_SUFFIX.fullmatch(name) for name in samples]
    if all(matches):
        frame.index = pd.Index([match["name"] for match in matches if match], name="sample", dtype=object)
    rows = []
    for name in map(str, frame.columns):
        whole, bar, taxon = name.partition(_BETWEEN)
        function, _, text = whole.partition(_NAMED)
        if text:
            names.setdefault(function, text)
        rows.append(f"{function}{bar}{taxon}")
    frame.columns = pd.Index(rows, name="function", dtype=object)
    frame = frame.drop(columns=[name for name in rows if name.split(_BETWEEN)[0] == _OTHER_UNIT])
    twice = frame.columns[frame.columns.duplicated()].tolist()
    problems = [Problem(f"function {name!r} stands twice", "keep one row", file, value=name) for name in twice]
    values = frame.to_numpy()
    for bad, word, fix in (
        (np.isnan(values), "empty", "write 0 where it was looked for and not found"),
        (values < 0, "negative", "abundances are 0 or more: give the table as HUMAnN made it"),
    ):
        for i, j in np.argwhere(bad)[:_LISTED]:
            message = f"function {frame.columns[j]!r} of sample {frame.index[i]!r} is {word}"
            problems.append(Problem(message, fix, file, column=str(frame.index[i])))
    if frame.shape[1] == 0:
        problems.append(Problem("the table has no functions", "give a table that HUMAnN made", file))
    raise_problems(problems)
    return frame


def _different_kinds(frames: dict[str, pd.DataFrame]) -> list[Problem]:
    kinds = {
        file: kind_of(name.split(_BETWEEN)[0] for name in frame.columns[:_ENOUGH]) for file, frame in frames.items()
    }
    # A sample without anything has special rows only, and is of any kind.
    told = {
        file: kind
        for file, kind in kinds.items()
        if any(name.split(_BETWEEN)[0] not in SPECIAL for name in frames[file].columns)
    }
    if len(set(told.values())) < 2:
        return []
    text = "; ".join(f"{file}: {kind}" for file, kind in list(told.items())[:5])
    return [Problem(f"the tables are of different kinds of functions ({text})", "join each kind by itself")]


def _join(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return all tables as one; tables of the same samples may each have some of the functions."""
    problems: list[Problem] = []
    together: list[pd.DataFrame] = []
    source: dict[str, str] = {}
    rest: dict[str, pd.DataFrame] = {}
    for file, frame in frames.items():
        if any(sample in source for sample in frame.index):
            rest[file] = frame
        else:
            together.append(frame)
            source.update(dict.fromkeys(frame.index, file))
    joined = pd.concat(together)
    for file, frame in rest.items():
        again = [name for name in frame.index if name in joined.index]
        common = [name for name in frame.columns if name in joined.columns]
        if again and joined.loc[again, common].notna().any(axis=None):
            message = f"sample {again[0]!r} stands in {source.get(again[0], 'another file')} too"
            problems.append(Problem(message, "give each sample and function once", file, value=again[0]))
            continue
        joined = joined.combine_first(frame)
    raise_problems(problems)
    columns = dict.fromkeys(name for frame in frames.values() for name in frame.columns)
    rows = dict.fromkeys(name for frame in frames.values() for name in frame.index)
    joined = joined.reindex(index=list(rows), columns=list(columns)).fillna(0.0)
    joined.index.name, joined.columns.name = "sample", "function"
    return joined
