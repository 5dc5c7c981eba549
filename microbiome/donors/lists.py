"""Taxa of concern and of benefit: the list that comes with the package, or the user's own."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pandas as pd

from microbiome.donors.names import find_taxa, plain_name
from microbiome.donors.tables import LISTS
from microbiome.errors import InputError, Problem
from microbiome.tsv import read_table

__all__ = ["listed_taxa", "taxon_lists"]


def taxon_lists(path: str | Path | None = None) -> pd.DataFrame:
    """Read lists of taxa of concern and of benefit.

    Parameters
    ----------
    path
        TSV with the columns of :data:`microbiome.donors.tables.LISTS`; None for the list of the package. Neither is a
        rule for choosing donors: each row says why it is there and how well that is known.

    Returns
    -------
    DataFrame
        Columns of LISTS; the index is the line of the file.

    Raises
    ------
    InputError
        When the table cannot be read, an entry has no name of a taxon, or two entries of one list name one taxon.
    """
    if path is None:
        with resources.as_file(resources.files("microbiome.donors").joinpath("lists.tsv")) as own:
            return read_table(own, LISTS)
    table = read_table(path, LISTS)
    file = str(path)
    problems: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    for line, (kind, taxon) in zip(table.index, table[["list", "taxon"]].itertuples(index=False), strict=True):
        if not plain_name(taxon):
            problems.append(
                Problem("no name is left of the taxon", "give a species or an SGB", file, line, "taxon", taxon)
            )
            continue
        first = seen.setdefault((kind, plain_name(taxon)), line)
        if first != line:
            message = f"taxon {taxon!r} stands in list {kind} already, in line {first}"
            problems.append(Problem(message, "remove one", file, line, "taxon", taxon))
    if table.empty:
        problems.append(Problem("the list has no taxon", "add one, or leave out --list", file))
    if problems:
        raise InputError(problems)
    return table


def listed_taxa(lists: pd.DataFrame, taxa: pd.Index, lineage: pd.DataFrame | None = None) -> pd.DataFrame:
    """Find the taxa of lists in a profile.

    Returns
    -------
    DataFrame
        ``list``, ``reason``, ``source``, ``evidence`` (the certainty of the list) and the columns of
        :func:`microbiome.donors.names.find_taxa`; one row per entry and taxon, an entry without any keeps a row. A
        taxon that two entries of a list name (a species and its genus) stands with the first only, so that it counts
        once.
    """
    found = find_taxa(lists["taxon"], list(taxa), lineage)
    table = lists.rename(columns={"taxon": "asked", "certainty": "evidence"})
    for name in ("reason", "source", "evidence"):
        if name not in table:
            table = table.assign(**{name: None})
    table = table[["list", "asked", "reason", "source", "evidence"]].merge(found, on="asked", how="left", sort=False)
    twice = table["taxon"].notna() & table.duplicated(["list", "taxon"])
    for asked in set(table.loc[twice, "asked"]):
        # An entry all of whose taxa stand with another keeps a row that says so.
        rows = table.index[table["asked"].eq(asked) & twice]
        if len(rows) == int(table["asked"].eq(asked).sum()):
            twice[rows[0]] = False
            table.loc[rows[0], ["taxon", "species", "certainty"]] = None
            table.loc[rows[0], "how"] = "not_found"
    return table[~twice].reset_index(drop=True)
