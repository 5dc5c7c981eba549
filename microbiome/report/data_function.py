"""Reading the tables on functions that the report is made of, each given as ``GROUP=FILE`` (ec, ko, pathway, ...)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.compare.tables import COMPARE
from microbiome.diversity.tables import ALPHA, PERMANOVA, SIMILARITY
from microbiome.errors import InputError, Problem, collecting
from microbiome.function.tables import FUNCTION_CONTRIBUTIONS, FUNCTION_READS
from microbiome.nulls.tables import NULLS
from microbiome.report.data_clinical import complete
from microbiome.report.places import Inputs, metric_of
from microbiome.tables import OUTCOMES, RATES, Table
from microbiome.tsv import read_result

__all__ = ["FUNCTION_KINDS", "FunctionTables", "Functions", "read_functions", "split_word"]

#: Kinds of functions, in their order, and what they are called.
FUNCTION_KINDS = {
    "ec": "Enzymes (EC)",
    "ko": "KEGG orthologs (KO)",
    "pathway": "Pathways (MetaCyc)",
    "genefamilies": "Gene families (UniRef)",
}
_ONE: dict[str, Table] = {
    "alpha": ALPHA,
    "outcomes": OUTCOMES,
    "rates": RATES,
    "nulls": NULLS,
    "contributions": FUNCTION_CONTRIBUTIONS,
}
_METRIC: dict[str, Table] = {"permanova": PERMANOVA, "similarity": SIMILARITY}


@dataclass
class FunctionTables:
    """Results on one kind of function; None or empty where there are none."""

    alpha: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    rates: pd.DataFrame | None = None
    nulls: pd.DataFrame | None = None
    contributions: pd.DataFrame | None = None
    compare: dict[str, pd.DataFrame] = field(default_factory=dict)
    pcoa: dict[str, Any] = field(default_factory=dict)
    permanova: dict[str, pd.DataFrame] = field(default_factory=dict)
    similarity: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Functions:
    """Results on functions by kind, what HUMAnN had to work with, and the names of the functions."""

    kinds: dict[str, FunctionTables] = field(default_factory=dict)
    reads: pd.DataFrame | None = None
    names: dict[str, str] = field(default_factory=dict)


def split_word(word: str) -> tuple[str, str]:
    """Split ``GROUP=FILE``; of a file alone the group is the kind of function that its name holds.

    Raises
    ------
    InputError
        Where no kind of function is told.
    """
    group, sign, path = word.partition("=")
    if sign and group in FUNCTION_KINDS:
        return group, path
    stem = Path(word).name.removesuffix(".gz").removesuffix(".tsv")
    found = [kind for kind in FUNCTION_KINDS if kind in stem.split("_")]
    if len(found) != 1:
        fix = f"write GROUP=FILE with one of {', '.join(FUNCTION_KINDS)}"
        raise InputError(Problem("which kind of function the table is of is not told", fix, word))
    return found[0], word


def read_functions(paths: Inputs, problems: list[Problem], ordination: Callable[[str], Any]) -> Functions:
    """Read all tables on functions; problems are added to `problems`, `ordination` reads one of coordinates."""
    kinds: dict[str, FunctionTables] = {}

    def each(name: str) -> Sequence[str]:
        words: Sequence[str] = getattr(paths, f"function_{name}")
        return words

    def read(word: str, load: Callable[[str, FunctionTables], None]) -> None:
        with collecting(problems):
            group, path = split_word(word)
            load(path, kinds.setdefault(group, FunctionTables()))

    def one(name: str, table: Table) -> Callable[[str, FunctionTables], None]:
        return lambda path, tables: setattr(tables, name, complete(read_result(path, table), table))

    for name, table in _ONE.items():
        for word in each(name):
            read(word, one(name, table))
    for word in each("compare"):
        read(word, _add_comparison)
    for name in ("pcoa", *_METRIC):
        for word in each(name):

            def load(path: str, tables: FunctionTables, name: str = name) -> None:
                metric = _metric(path)
                value = ordination(path) if name == "pcoa" else read_result(path, _METRIC[name])
                getattr(tables, name)[metric] = value

            read(word, load)
    reads = None
    if paths.function_reads:
        with collecting(problems):
            reads = read_result(paths.function_reads, FUNCTION_READS)
    names: dict[str, str] = {}
    if paths.function_names:
        with collecting(problems):
            names = _names(paths.function_names)
    return Functions({kind: kinds[kind] for kind in FUNCTION_KINDS if kind in kinds}, reads, names)


def _add_comparison(path: str, tables: FunctionTables) -> None:
    frame = complete(read_result(path, COMPARE), COMPARE)
    said = [str(value) for value in frame["by"].dropna().unique()]
    tables.compare[said[0] if said else ""] = frame


def _metric(path: str) -> str:
    metric = metric_of(path)
    for kind in FUNCTION_KINDS:
        metric = metric.removesuffix(f"_{kind}")
    return metric


def _names(path: str) -> dict[str, str]:
    """Read ``function, name``: two columns of text."""
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    if list(frame.columns[:2]) != ["function", "name"]:
        raise InputError(Problem("not a table of names of functions", "its columns are function and name", path, 1))
    return dict(zip(frame["function"], frame["name"], strict=True))
