"""Tables of `sourmash gather`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.metaphlan_format import ParsedTable
from microbiome.profilers.clades import PREFIXES, Place, bare_name, clade_name, profile_of, sample_name
from microbiome.profilers.taxonomy import Taxonomy, comma_rows
from microbiome.validation import is_number, shown

__all__ = ["is_gather", "parse_gather"]

_FRACTION = "f_unique_weighted"
_NEEDED = ("name", _FRACTION, "f_unique_to_query")
# Lineages that `sourmash tax annotate` adds are names from the superkingdom down.
_LINEAGE = ("superkingdom", "phylum", "class", "order", "family", "genus", "species")


def is_gather(header: str) -> bool:
    """Tell whether a line is the header of a table of `sourmash gather`."""
    return "f_unique_weighted" in header and "intersect_bp" in header


def parse_gather(
    file: str,
    text: str,
    taxonomy: Taxonomy | None = None,
    sample: str = "",
    database: str = "",
    reads: int | None = None,
) -> ParsedTable:
    r"""Return the profile of a table of `sourmash gather`.

    The percentage of a clade is :math:`100 \sum f_i`, with :math:`f_i` the ``f_unique_weighted`` of its genomes: the
    part of the k-mers of the sample, each as often as it stands in the reads, that this genome explains and none
    before it. What no genome explains is unclassified.

    Parameters
    ----------
    file, text
        The table, plain or with the ``lineage`` of `sourmash tax annotate`.
    taxonomy
        Lineages of the genomes of the database; not needed where the table has a ``lineage``.
    sample
        Name; empty takes ``query_name``, or that of the file where the table has none.
    database
        As in :class:`ParsedTable`; empty is made of the name of the database, k-mer size and ``scaled`` in the table.
    reads
        Reads processed.

    Raises
    ------
    InputError
        For a missing column, fractions that are none, a genome that stands twice or has no lineage, and a table of
        several samples, databases or k-mer sizes.
    """
    rows = comma_rows(file, text)
    header = rows[0] if rows else []
    raise_problems(
        Problem(f"column {name!r} is missing", "give the table that `sourmash gather -o` writes", file, 1, name)
        for name in _NEEDED
        if name not in header
    )
    column = {name: place for place, name in enumerate(header)}
    problems: list[Problem] = []
    found: list[tuple[Place, np.ndarray]] = []
    seen: dict[str, int] = {}
    said: dict[str, dict[str, int]] = {name: {} for name in ("query_name", "filename", "ksize", "moltype", "scaled")}
    total = 0.0
    for number, cells in enumerate(rows[1:], start=2):
        if not any(cells):
            continue
        if len(cells) != len(header):
            message = f"the row is cut off: {len(cells)} of {len(header)} cells"
            problems.append(Problem(message, "copy or make the table again", file, number))
            continue
        for name, values in said.items():
            if name in column:
                values.setdefault(cells[column[name]], number)
        genome, cell = cells[column["name"]], cells[column[_FRACTION]]
        if genome in seen:
            message = f"genome {shown(genome)} stands already in line {seen[genome]}"
            problems.append(Problem(message, "keep one row", file, number, "name", genome))
            continue
        seen[genome] = number
        if not is_number(cell) or not 0 <= float(cell) <= 1:
            fix = "give sourmash's own numbers: fractions of 0 to 1, not percentages"
            problems.append(Problem(f"{shown(cell)} is not a fraction", fix, file, number, _FRACTION, cell))
            continue
        place = _place(cells[column["lineage"]]) if "lineage" in column else _of(genome, taxonomy)
        # Left out, what it explains would be in no clade and not in the unclassified part either.
        if place is None or (not place.names and ("lineage" in column or taxonomy is not None)):
            identifier = genome.split(" ", 1)[0]
            source = taxonomy.source if taxonomy is not None else ""
            if place is None:
                message, fix = f"genome {shown(identifier)} is not in {source}", "give the lineages of this database"
            elif "lineage" in column:
                message = f"genome {shown(identifier)} has no lineage"
                fix = "run `sourmash tax annotate` with lineages that have this genome, or write its lineage here"
            else:
                message = f"genome {shown(identifier)} has no name at any rank in {source}"
                fix = "fill its row in the table of lineages"
            problems.append(Problem(message, fix, file, number, "name", identifier))
            continue
        total += float(cell)
        found.append((place, np.array([float(cell)])))
    if seen and "lineage" not in column and taxonomy is None:
        fix = "name the lineages of the database (profile.taxonomy, --taxonomy), or run `sourmash tax annotate`"
        problems = [Problem("the table does not tell which species its genomes are", fix, file)]
    for name, values in said.items():
        if len(values) > 1:
            message = f"{name} is {' and '.join(map(shown, values))}: tables of several runs"
            problems.append(Problem(message, "give one table per sample", file, max(values.values()), name))
    raise_problems(problems)
    # Fractions are rounded sums of many k-mers.
    if total > 1.005:
        raise InputError(Problem(f"{_FRACTION} sums to {total:.4g}, more than 1", "give one table per sample", file))
    own = next(iter(said["query_name"]), "")
    return profile_of(
        file,
        [sample or own or sample_name(file)],
        found,
        np.array([1.0]),
        database or _database(said),
        np.array([max(0.0, 1.0 - total)]),
        reads,
    )


def _of(genome: str, taxonomy: Taxonomy | None) -> Place | None:
    """Return the lineage of a genome, by the first word of its name."""
    return Place((), ()) if taxonomy is None else taxonomy.place(genome.split(" ", 1)[0])


def _place(lineage: str) -> Place:
    names = lineage.split(";")[: len(_LINEAGE)]
    pairs = [(PREFIXES[rank], name) for rank, name in zip(_LINEAGE, names, strict=False) if bare_name(name)]
    return Place(tuple(clade_name(prefix, name) for prefix, name in pairs), ("",) * len(pairs))


def _database(said: dict[str, dict[str, int]]) -> str | None:
    first = {name: next(iter(values), "") for name, values in said.items()}
    if not any(said.values()):
        # A table without rows says nothing of its database: it goes with any.
        return None
    name = Path(first["filename"]).name.removesuffix(".zip").replace(" ", "_")
    words = [name, *(word + first[key] for word, key in (("k", "ksize"), ("scaled", "scaled")) if first[key])]
    return "sourmash:" + "_".join(filter(None, words))
