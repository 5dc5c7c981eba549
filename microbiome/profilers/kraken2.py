"""Kraken2 reports and Bracken tables."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.metaphlan_format import RANKS, ParsedTable
from microbiome.number_text import lines_of
from microbiome.profilers.clades import Place, clade_name, profile_of, sample_name
from microbiome.profilers.taxonomy import Taxonomy
from microbiome.validation import is_number, shown

__all__ = ["BRACKEN_COLUMNS", "Report", "is_report", "parse_bracken", "read_report", "report_profile"]

logger = logging.getLogger(__name__)

BRACKEN_COLUMNS = (
    "name",
    "taxonomy_id",
    "taxonomy_lvl",
    "kraken_assigned_reads",
    "added_reads",
    "new_est_reads",
    "fraction_total_reads",
)
_PREFIX = {"D": "k__", "K": "k__", "P": "p__", "C": "c__", "O": "o__", "F": "f__", "G": "g__", "S": "s__"}
# Numbers of 18 digits at most: no count is larger, and what is goes beyond the numbers that are calculated with.
_WHOLE = "[0-9]{1,18}"
_LINE = re.compile(
    rf"\s*[0-9]{{1,3}}\.[0-9]+\t{_WHOLE}\t{_WHOLE}\t(?:{_WHOLE}\t{_WHOLE}\t)?[URDKPCOFGS-]?[0-9]*\t[0-9]+\t *\S"
)
_UNCLASSIFIED = "0"
_MOST_LISTED = 20
# Root and "cellular organisms" are above every domain; viruses are one, whatever the taxonomy calls its rank.
_ABOVE, _VIRUSES = ("1", "131567"), "10239"
_FIX = "copy or make the report again (kraken2 --report)"


@dataclass(frozen=True)
class Report:
    """A Kraken2 report.

    Parameters
    ----------
    places
        Lineage of each taxon, by its taxonomy id.
    levels
        Rank code of each taxon (``S``, ``S1``, ..).
    direct
        Sequences (a pair counts once) that were classified as this taxon and as none below it.
    unclassified
        Sequences without a taxon.
    total
        All sequences.
    """

    places: Mapping[str, Place]
    levels: Mapping[str, str]
    direct: Mapping[str, int]
    unclassified: int
    total: int


def is_report(line: str) -> bool:
    """Tell whether a line is one of a Kraken2 report (6 columns, or 8 with the minimizers)."""
    return _LINE.match(line) is not None


def read_report(file: str, text: str) -> Report:
    """Read a Kraken2 report, with or without ``--report-zero-counts`` and ``--report-minimizer-data``.

    Raises
    ------
    InputError
        For rows that are cut off or no rows of a report, a taxonomy id that stands twice, and a report in which the
        sequences of the rows do not add up to those of its root: rows are missing.
    """
    problems: list[Problem] = []
    places: dict[str, Place] = {}
    levels: dict[str, str] = {}
    direct: dict[str, int] = {}
    first: dict[str, int] = {}
    above: list[Place] = []
    sums: list[Problem] = []
    # Of each row that is open: its line, the sequences of its clade, those of itself and of the clades right below it,
    # and how many clades these are.
    open_rows: list[tuple[int, int, int, int]] = []
    told = 0.0
    roots = unclassified = root = 0
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        cells = line.split("\t")
        if not is_report(line):
            width = len(cells)
            message = f"the row has {width} cells, not 6 or 8" if width not in (6, 8) else "no row of a report"
            problems.append(Problem(message, _FIX, file, number, value=line[:40]))
            continue
        clade, own, (level, identifier, name) = int(cells[1]), int(cells[2]), cells[-3:]
        if identifier in first:
            message = f"taxonomy id {identifier} stands already in line {first[identifier]}"
            problems.append(Problem(message, "keep one row", file, number, value=identifier))
            continue
        first[identifier] = number
        if identifier == _UNCLASSIFIED or level == "U":
            unclassified += clade
            continue
        depth, odd = divmod(len(name) - len(name.lstrip(" ")), 2)
        if odd or depth > len(above):
            # What stands below a row that could not be read would only repeat that.
            if not problems:
                message = f"{shown(name)} stands below no row: it is indented by {2 * depth + odd} blanks"
                problems.append(Problem(message, _FIX, file, number, value=identifier))
            continue
        if depth == 0:
            root, roots, told = root + clade, roots + 1, told + float(cells[0])
        sums += _closed(file, open_rows, depth)
        open_rows.append((number, clade, own, 0))
        parent = above[depth - 1] if depth else Place((), ())
        place = _below(parent, level, identifier, name)
        above[depth:] = [place]
        places[identifier], levels[identifier], direct[identifier] = place, level, own
    raise_problems(problems)
    if sum(direct.values()) != root:
        message = f"the rows have {sum(direct.values())} sequences, the root {root}: rows are missing"
        raise InputError(Problem(message, _FIX, file))
    raise_problems([*sums, *_closed(file, open_rows, 0)][:_MOST_LISTED])
    total = unclassified + root
    # Printed with two decimals.
    if roots and total and abs(told - 100 * root / total) > 0.011 * roots:
        message = f"the root has {told:.2f} percent of the sequences, but {100 * root / total:.2f} of those in the rows"
        fix = f"the row of the unclassified sequences is missing or another one: {_FIX}"
        raise InputError(Problem(message, fix, file))
    _say_shared(file, places, levels)
    return Report(places, levels, direct, unclassified, total)


def _closed(file: str, rows: list[tuple[int, int, int, int]], depth: int) -> list[Problem]:
    """Close the rows from a depth on: each must have the sequences of itself and of the clades right below it.

    Bracken, which writes such reports too, cuts each number to a whole one: one sequence per clade may be lost.
    """
    problems = []
    while len(rows) > depth:
        line, clade, found, below = rows.pop()
        if abs(clade - found) > below:
            message = f"the clade has {clade} sequences, itself and the clades below it {found}"
            problems.append(Problem(f"{message}: rows are missing or changed", _FIX, file, line))
        if rows:
            above, whole, sofar, others = rows[-1]
            rows[-1] = above, whole, sofar + clade, others + 1
    return problems


def _below(parent: Place, level: str, identifier: str, name: str) -> Place:
    """Return the place of a taxon within that of the taxon above it: its own where it has a rank of a profile."""
    prefix = _PREFIX.get(level, "")
    # Kraken2 2.1.2 leaves out the letter of a superkingdom.
    if (not level and not parent.names and identifier not in _ABOVE) or identifier == _VIRUSES:
        prefix = "k__"
    order = list(RANKS.values())
    last = parent.names[-1][:3] if parent.names else ""
    # A kingdom within a domain is passed over, as is what a taxonomy has in the wrong order.
    if not prefix or (last and order.index(prefix) <= order.index(last)):
        return parent
    return Place((*parent.names, clade_name(prefix, name)), (*parent.ids, identifier))


def _say_shared(file: str, places: Mapping[str, Place], levels: Mapping[str, str]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for identifier, place in places.items():
        # A taxon without a rank of its own has the place of the one above.
        if place.ids and place.ids[-1] == identifier and seen.setdefault(place.names, identifier) != identifier:
            logger.warning(
                "%s: %s is the name of taxonomy ids %s and %s (%s): they count as one taxon",
                *(file, place.names[-1], seen[place.names], identifier, levels[identifier]),
            )


def report_profile(
    file: str,
    report: Report,
    sample: str = "",
    database: str = "kraken2",
    estimated: Mapping[str, int] | None = None,
    threshold: float = 0.0,
    reads: int | None = None,
) -> ParsedTable:
    r"""Return the profile of a report.

    The percentage of a clade is :math:`100 n_c / N`, :math:`n_c` the sequences of the clade and N all sequences, also
    those without a taxon. Sequences that stop above the species are in the rows above it, and in no species.

    Parameters
    ----------
    file, report
        As read.
    sample
        Name; empty takes that of the file.
    database
        As in :class:`ParsedTable`.
    estimated
        Bracken's ``new_est_reads`` by taxonomy id, in place of the report's own sequences.
    threshold
        Clades with fewer sequences are left out.
    reads
        Reads processed.
    """
    own = report.direct if estimated is None else estimated
    rows = [(report.places[identifier], np.array([float(number)])) for identifier, number in own.items() if number]
    return profile_of(
        file,
        [sample or sample_name(file)],
        rows,
        np.array([float(report.total)]),
        database,
        np.array([float(report.unclassified)]),
        reads,
        counted=True,
        threshold=threshold,
    )


def read_bracken(file: str, text: str) -> tuple[dict[str, tuple[str, int]], str]:
    """Return name and ``new_est_reads`` of each taxonomy id of a Bracken table, and the rank code of all."""
    lines = lines_of(text)
    header = lines[0].split("\t")
    raise_problems(
        Problem(f"column {name!r} is missing", "give the table that `bracken -o` writes", file, 1, name)
        for name in BRACKEN_COLUMNS
        if name not in header
    )
    column = {name: header.index(name) for name in BRACKEN_COLUMNS}
    problems: list[Problem] = []
    found: dict[str, tuple[str, int]] = {}
    first: dict[str, int] = {}
    levels: dict[str, int] = {}
    fractions = 0.0
    shares: dict[str, tuple[int, float]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(header):
            message = f"the row is cut off: {len(cells)} of {len(header)} cells"
            problems.append(Problem(message, "copy or make the table again", file, number))
            continue
        identifier, count = cells[column["taxonomy_id"]].strip(), cells[column["new_est_reads"]]
        fraction = cells[column["fraction_total_reads"]]
        if identifier in first:
            message = f"taxonomy id {identifier} stands already in line {first[identifier]}"
            problems.append(Problem(message, "keep one row", file, number, "taxonomy_id", identifier))
            continue
        first[identifier] = number
        levels.setdefault(cells[column["taxonomy_lvl"]].strip(), number)
        if not re.fullmatch(_WHOLE, count):
            negative = count.startswith("-") and is_number(count)
            digits = f"{shown(count)} is no count" if count.isdecimal() else f"{shown(count)} is not a whole number"
            message = f"{count} is negative" if negative else digits
            problems.append(Problem(message, "give Bracken's own numbers", file, number, "new_est_reads", count))
            continue
        if not is_number(fraction) or not 0 <= float(fraction) <= 1:
            message = f"{shown(fraction)} is not a fraction"
            fix = "give Bracken's own table: its fractions are 0 to 1, not percentages"
            problems.append(Problem(message, fix, file, number, "fraction_total_reads", fraction))
            continue
        if not cells[column["name"]].strip():
            message = f"taxonomy id {identifier} has no name"
            problems.append(Problem(message, "copy or make the table again", file, number, "name"))
            continue
        fractions += float(fraction)
        shares[identifier] = number, float(fraction)
        found[identifier] = cells[column["name"]], int(count)
    if len(levels) > 1:
        message = f"the taxa are of several ranks ({', '.join(levels)})"
        problems.append(Problem(message, "give a table of one rank (bracken -l S)", file, column="taxonomy_lvl"))
    elif not set(levels) <= set(_PREFIX):
        level, number = next(iter(levels.items()))
        message, fix = f"{shown(level)} is no rank of a profile", "make the table of species (bracken -l S)"
        problems.append(Problem(message, fix, file, number, "taxonomy_lvl", level))
    raise_problems(problems)
    # Five decimals are printed; a table that lost rows sums to less.
    if found and abs(fractions - 1) > max(0.01, 1e-5 * len(found)):
        message = f"fraction_total_reads sums to {fractions:.4f}, not to 1: rows are missing"
        raise InputError(Problem(message, "copy or make the table again", file))
    whole = sum(count for _, count in found.values())
    # Counts are cut to whole numbers, each by less than one.
    near = max(0.01, (len(found) + 1) / max(1, whole))
    parts = {identifier: count / max(1, whole) for identifier, (_, count) in found.items()}
    fix = "copy or make the table again: a number was changed, or rows are missing"
    raise_problems(
        Problem(
            f"new_est_reads is {found[identifier][1]} of {whole}, fraction_total_reads {share:g}",
            *(fix, file, line, "new_est_reads", str(found[identifier][1])),
        )
        for identifier, (line, share) in shares.items()
        if abs(share - parts[identifier]) > near
    )
    return found, next(iter(levels), "S")


def parse_bracken(
    file: str,
    text: str,
    taxonomy: Taxonomy | None = None,
    report: Report | None = None,
    sample: str = "",
    database: str = "bracken",
    threshold: float = 0.0,
    reads: int | None = None,
) -> ParsedTable:
    """Return the profile of a Bracken table.

    Parameters
    ----------
    file, text
        The table.
    taxonomy
        Tells the lineages where there is no report. Without either, the profile has the rank of the table only.
    report
        The Kraken2 report that the table was made of: lineages, all sequences and those without a taxon. Without it
        the unclassified part is not known, and percentages are of the reads that Bracken gave to a species.
    sample, database, threshold, reads
        As in :func:`report_profile`.

    Raises
    ------
    InputError
        For a missing column, numbers that are none, a taxonomy id that stands twice or is not in the report or the
        taxonomy, several ranks, and a table that lost rows.
    """
    found, level = read_bracken(file, text)
    source = "the report" if report is not None else taxonomy.source if taxonomy is not None else ""
    places: dict[str, Place | None] = {}
    for identifier, (name, _) in found.items():
        if report is not None:
            places[identifier] = report.places.get(identifier)
        elif taxonomy is not None:
            places[identifier] = taxonomy.place(identifier)
        else:
            places[identifier] = Place((clade_name(_PREFIX[level], name),), (identifier,))
    fix = "give the report, or the taxonomy, that the table was made with"
    raise_problems(
        Problem(f"taxonomy id {identifier} ({found[identifier][0]}) is not in {source}", fix, file, value=identifier)
        for identifier, place in places.items()
        if place is None
    )
    if report is not None:
        numbers = {identifier: number for identifier, (_, number) in found.items()}
        return report_profile(file, report, sample, database, numbers, threshold, reads)
    # Of a report this was said when it was read.
    _say_shared(file, {key: place for key, place in places.items() if place}, dict.fromkeys(places, level))
    rows = [(place, np.array([float(found[key][1])])) for key, place in places.items() if place is not None]
    total = float(sum(number for _, number in found.values()))
    name = sample or sample_name(file)
    return profile_of(
        file, [name], rows, np.array([total]), database, np.array([np.nan]), reads, counted=True, threshold=threshold
    )
