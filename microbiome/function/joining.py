"""Tables of functions of many samples into one table: joined, regrouped on the way, normalised."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from microbiome.errors import Problem, collecting, raise_problems
from microbiome.function.reading import FunctionTable, read_functions
from microbiome.function.regroup import families_only, normalise, read_map, regroup

__all__ = ["join_functions"]


def join_functions(
    paths: Iterable[str | Path], groups: str | Path | None = None, unit: str = "fraction"
) -> FunctionTable:
    """Read tables of functions and join them.

    Parameters
    ----------
    paths
        As in :func:`microbiome.function.reading.read_functions`.
    groups
        Map (:func:`microbiome.function.regroup.read_map`) to which gene families are summed; file by file, so that the
        families of all samples together, of which there are millions, never stand in memory.
    unit
        As in :func:`microbiome.function.regroup.normalise`.

    Raises
    ------
    InputError
        As these functions do; with a map, also when a table is not of gene families.
    """
    files = [str(path) for path in paths]
    if groups is None:
        return normalise(read_functions(files), unit)
    problems: list[Problem] = []
    families: set[str] = set()
    for file in files:
        with collecting(problems):
            families.update(families_only(read_functions(file), file).functions)
    raise_problems(problems)
    known = read_map(groups, families)
    parts = [regroup(read_functions(file), known) for file in files]
    samples = pd.Index([name for part in parts for name in part.whole.index])
    again = samples[samples.duplicated()]
    raise_problems(
        Problem(f"sample {name!r} stands in two tables", "give each sample once", value=str(name)) for name in again
    )
    whole = pd.concat([part.whole for part in parts]).fillna(0.0)
    strata = [part.strata for part in parts if len(part.strata.columns)]
    joined = pd.concat(strata).reindex(whole.index).fillna(0.0) if strata else parts[0].strata.reindex(whole.index)
    whole.columns.name, whole.index.name = "function", "sample"
    if strata:
        joined.columns = pd.MultiIndex.from_tuples(list(joined.columns), names=["function", "taxon"])
    return normalise(FunctionTable(whole, joined), unit)
