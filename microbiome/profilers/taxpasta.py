"""Tables in taxpasta's standard format, of one sample or merged."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.metaphlan_format import RANKS, ParsedTable
from microbiome.number_text import lines_of
from microbiome.profilers.clades import PREFIXES, Place, clade_name, profile_of, sample_name
from microbiome.profilers.taxonomy import Taxonomy
from microbiome.validation import is_number, shown

__all__ = ["is_taxpasta", "parse_taxpasta"]

logger = logging.getLogger(__name__)

_ID, _COUNT = "taxonomy_id", "count"
#: Columns that `taxpasta merge --add-...` puts behind the identifier.
_ABOUT = ("name", "rank", "lineage", "id_lineage", "rank_lineage")
_UNCLASSIFIED = "0"
_MOST_LISTED = 100


def is_taxpasta(header: str) -> bool:
    """Tell whether a line is the header of a table in taxpasta's standard format."""
    return header.split("\t")[0].strip('"') == _ID or header.startswith(f"{_ID},")


def parse_taxpasta(file: str, text: str, taxonomy: Taxonomy | None = None) -> ParsedTable:
    r"""Return the profile of a table in taxpasta's standard format.

    A row has a taxonomy id and the whole number of what was found of this very taxon, and not of those below it; the
    percentage of a clade is the sum of these over the clade, of the sum over the table. The counts are of reads with
    some profilers and scaled fractions with others, which the table does not tell: they are not taken for reads.

    Parameters
    ----------
    file, text
        TSV: ``taxonomy_id`` and ``count`` (the sample is named after the file), or ``taxonomy_id`` and a column per
        sample; between them perhaps ``name``, ``rank``, ``lineage``, ``id_lineage``, ``rank_lineage``.
    taxonomy
        Tells the lineages. Without it they come from ``lineage`` and ``rank_lineage``, or ``name`` and ``rank``; of a
        table that has none of them each identifier is taken for a species, ``s__taxid_853``.

    Raises
    ------
    InputError
        For a missing column, counts that are negative or no whole numbers, an identifier that stands twice or is not in
        the taxonomy, and a taxon whose species is not told.
    """
    lines = lines_of(text)
    header = [cell.strip('"') for cell in lines[0].split("\t")]
    if header[0] != _ID:
        message = "the columns are separated by commas"
        raise InputError(Problem(message, "write the table as TSV (taxpasta --output-format TSV)", file, 1))
    samples = _samples(file, header)
    column = {name: header.index(name) for name in _ABOUT if name in header}
    places = [header.index(name) for name in samples]
    if samples == [_COUNT]:
        samples = [sample_name(file)]
    problems: list[Problem] = []
    first: dict[str, int] = {}
    rows: list[tuple[Place, np.ndarray]] = []
    unclassified = np.full(len(samples), np.nan)
    total = np.zeros(len(samples))
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = [cell.strip('"') for cell in line.split("\t")]
        if len(cells) != len(header):
            message = f"the row is cut off: {len(cells)} of {len(header)} cells"
            problems.append(Problem(message, "copy or make the table again", file, number))
            continue
        identifier = cells[0]
        if identifier in first:
            message = f"taxonomy id {shown(identifier)} stands already in line {first[identifier]}"
            problems.append(Problem(message, "keep one row", file, number, _ID, identifier))
            continue
        first[identifier] = number
        bad = [_problem(file, number, header[k], cells[k]) for k in places if not _whole(cells[k])]
        problems += bad[: max(0, _MOST_LISTED - len(problems))]
        if bad:
            continue
        values = np.array([float(cells[k]) for k in places])
        with np.errstate(over="ignore"):
            total += values
        if identifier == _UNCLASSIFIED:
            unclassified = values
            continue
        place = _place(identifier, {name: cells[k] for name, k in column.items()}, taxonomy)
        if isinstance(place, str):
            fix = "name the taxonomy that the profiles were made with (profile.taxonomy, --taxonomy)"
            problems.append(Problem(place, fix, file, number, _ID, identifier))
            continue
        rows.append((place, values))
    raise_problems(problems)
    if taxonomy is None and not {"name", "lineage"} & set(column) and rows:
        logger.warning(
            "%s: the table has taxonomy ids and neither names nor lineages: each is taken for a species; name the "
            "taxonomy (profile.taxonomy, --taxonomy) to have them by rank",
            file,
        )
    return profile_of(file, samples, rows, total, "taxpasta", unclassified)


def _samples(file: str, header: list[str]) -> list[str]:
    """Return the names of the columns with counts, or say what is wrong with the header."""
    samples = [name for name in header[1:] if name not in _ABOUT]
    problems = [] if samples else [Problem(f"column {_COUNT!r} is missing", "give counts", file, 1, _COUNT)]
    if _COUNT in samples and "sample" in samples:
        fix = "merge with `taxpasta merge --wide`"
        problems.append(Problem("the table is in the long form, a row per sample and taxon", fix, file, 1))
    problems += [
        Problem(f"column {shown(name)} stands twice or has no name", "keep one, and name it", file, 1, name, name)
        for name in dict.fromkeys(header)
        if header.count(name) > 1 or not name.strip()
    ]
    raise_problems(problems)
    return samples


def _whole(cell: str) -> bool:
    return is_number(cell) and float(cell) >= 0 and float(cell).is_integer()


def _problem(file: str, line: int, column: str, cell: str) -> Problem:
    if not is_number(cell):
        return Problem(f"{shown(cell)} is not a number", "write a whole number, 0 or more", file, line, column, cell)
    if float(cell) < 0:
        return Problem(f"{cell} is negative", "counts are 0 or more", file, line, column, cell)
    fix = "give counts, not fractions or percentages: taxpasta's standard has whole numbers"
    return Problem(f"{cell} is not a whole number", fix, file, line, column, cell)


def _place(identifier: str, about: Mapping[str, str], taxonomy: Taxonomy | None) -> Place | str:
    """Return where a taxon stands, or what is wrong with it."""
    if taxonomy is not None:
        return taxonomy.place(identifier) or f"taxonomy id {identifier} is not in {taxonomy.source}"
    found: dict[str, tuple[str, str]] = {}
    if about.get("lineage") and about.get("rank_lineage"):
        names, ranks = about["lineage"].split(";"), about["rank_lineage"].split(";")
        ids = about["id_lineage"].split(";") if about.get("id_lineage") else [""] * len(names)
        if not len(names) == len(ranks) == len(ids):
            return f"the lineage of taxonomy id {identifier} has {len(names)} names for {len(ranks)} ranks"
        for rank, name, number in zip(ranks, names, ids, strict=True):
            prefix = PREFIXES.get(rank.strip().lower())
            # Of a domain and a kingdom within it, the domain.
            if prefix and prefix != "t__" and name.strip() and (prefix not in found or rank.strip() != "kingdom"):
                found[prefix] = clade_name(prefix, name), number.strip()
    rank, name = about.get("rank", "").strip().lower(), about.get("name", "").strip()
    own = PREFIXES.get(rank)
    if own and own != "t__" and name and own not in found:
        found[own] = clade_name(own, name), identifier
    if not found and not about:
        return Place((f"s__taxid_{identifier}",), (identifier,))
    if not found and own is None and rank not in ("no rank", "", "clade"):
        return f"of taxonomy id {identifier} (rank {rank}) no lineage is told"
    if not found and name and "rank" not in about:
        return Place((clade_name("s__", name),), (identifier,))
    order = [prefix for prefix in RANKS.values() if prefix in found]
    return Place(tuple(found[prefix][0] for prefix in order), tuple(found[prefix][1] for prefix in order))
