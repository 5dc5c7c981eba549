"""Which species, genus and family a taxon is of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.metaphlan import read_metaphlan, taxonomy
from microbiome.metaphlan_format import RANKS
from microbiome.profilers import has_clades

__all__ = ["LINEAGE", "clades_of", "lineage_if_any", "read_lineage", "with_lineage"]

#: Ranks that are joined to tables of taxa.
LINEAGE = ("species", "genus", "family")


def read_lineage(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Return the lineage of every clade of MetaPhlAn tables.

    Returns
    -------
    DataFrame
        As :func:`microbiome.metaphlan.taxonomy`: index ``taxon`` (all ranks, as outcomes name them), one column per
        rank.

    Raises
    ------
    InputError
        When a file is no MetaPhlAn table: another feature table has no lineages.
    """
    files = list(paths)
    for path in files:
        if not has_clades(path):
            message = "is not a MetaPhlAn table and has no lineages"
            raise InputError(Problem(message, "leave out --profile and --rank for other features", str(path)))
    return taxonomy(read_metaphlan(files).percent.index)


def lineage_if_any(paths: Iterable[str | Path]) -> pd.DataFrame | None:
    """Return :func:`read_lineage`, or None for a feature table, which has no lineages."""
    files = list(paths)
    return read_lineage(files) if all(has_clades(path) for path in files) else None


def clades_of(taxa: Sequence[str], lineage: pd.DataFrame | None, rank: str) -> list[str]:
    """Return the clade of each taxon at a rank; ``(no RANK)`` where its lineage ends above.

    Raises
    ------
    InputError
        When there is no lineage, no such rank, or a taxon has no lineage.
    """
    if lineage is None:
        raise InputError(Problem(f"--rank {rank} needs lineages", "give the profile, too", value=rank))
    if rank not in RANKS:
        raise InputError(Problem(f"rank {rank!r} is not known", f"use one of {', '.join(RANKS)}", value=rank))
    unknown = [name for name in taxa if name not in lineage.index]
    if unknown:
        names = ", ".join(map(repr, unknown[:5]))
        message = f"{len(unknown)} of {len(taxa)} taxa are not in the profile, the first are {names}"
        raise InputError(Problem(message, "give the profile that the outcomes were made of", value=unknown[0]))
    clades = lineage.loc[list(taxa), rank]
    return list(clades.where(clades.notna(), f"(no {rank})"))


def with_lineage(table: pd.DataFrame, lineage: pd.DataFrame | None) -> pd.DataFrame:
    """Return `table` (column ``taxon``) with species, genus and family, missing where they are not known."""
    if lineage is None:
        return table.assign(**{rank: pd.Series(None, index=table.index, dtype=object) for rank in LINEAGE})
    joined = lineage[list(LINEAGE)].reindex(table["taxon"])
    return table.assign(**{rank: joined[rank].astype(object).to_numpy() for rank in LINEAGE})
