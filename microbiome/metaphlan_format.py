"""The text format of MetaPhlAn tables (single and merged, versions 3.x to 4.2) and what can be wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.number_text import lines_of, number_of, numbers_of

__all__ = [
    "HEADER_STARTS",
    "RANKS",
    "READS_COLUMN",
    "UNCLASSIFIED",
    "ParsedTable",
    "database_in",
    "is_clade_row",
    "is_metaphlan",
    "parse_metaphlan",
    "profiler_of",
]

#: Ranks by the prefix that MetaPhlAn writes before a name.
RANKS = {
    "kingdom": "k__",
    "phylum": "p__",
    "class": "c__",
    "order": "o__",
    "family": "f__",
    "genus": "g__",
    "species": "s__",
    "sgb": "t__",
}

#: Rows that are no clade; UNKNOWN was MetaPhlAn 3's word.
UNCLASSIFIED = ("UNCLASSIFIED", "UNKNOWN", "unclassified")
_TAXID_COLUMNS = ("NCBI_tax_id", "clade_taxid")
HEADER_STARTS = ("clade_name\t", "#clade_name\t")
_ABUNDANCE_COLUMN = "relative_abundance"
#: Estimated reads of a clade; tables of ``-t rel_ab_w_read_stats`` have it (those of long reads count bases instead).
READS_COLUMN = "estimated_number_of_reads_from_the_clade"
# What stands there for a clade whose reads were not estimated (3.x: the unnamed part of a clade).
_NOT_GIVEN = "-"
# Of a profile that was converted from that of another profiler, its name stands before that of the database.
_DATABASE = re.compile(r"#(mpa_v\w+|(?:kraken2|bracken|sourmash|taxpasta|biom)(?::\S+)?)(?:\s|$)")
# The sample id where none was given: MetaPhlAn's default.
_DEFAULT_ID = re.compile(r"Metaphlan2?_Analysis")
_READS = re.compile(r"#\s*([0-9]{1,18}) reads processed")
# Percentages are printed with five decimals; a column of many rounded values may exceed 100 by that much.
_TOTAL_LIMIT = 100.5
# Percent by which a rank may fall short of the kingdoms before rows must have been lost (rounding alone: < 0.01).
_LOST_LIMIT = 0.05


@dataclass(frozen=True)
class ParsedTable:
    """One file as it stands.

    Parameters
    ----------
    file, database, samples, clades
        Names; `database` is None where the table names none.
    percent
        **clade x sample**.
    unclassified
        Percentage per sample, NaN where it is not given.
    reads
        Reads processed, None where not given.
    clade_reads
        Estimated reads per clade of a single table, NaN where not given; None where the table has no such column.
    taxids
        Taxonomy ids of each lineage, joined by ``|``; None where they were not read.
    """

    file: str
    database: str | None
    samples: list[str]
    clades: list[str]
    percent: np.ndarray
    unclassified: np.ndarray
    reads: int | None
    clade_reads: np.ndarray | None = None
    taxids: list[str] | None = None

    @property
    def profiler(self) -> str:
        """Which profiler it is of, as far as the database tells: ``metaphlan`` unless it says otherwise."""
        return profiler_of(self.database)


def database_in(line: str) -> str | None:
    """Return the database that a line of a table names (``#mpa_v...``, ``#kraken2:standard``), None for other lines."""
    found = _DATABASE.match(line)
    return found[1] if found else None


def profiler_of(database: str | None) -> str:
    """Return the profiler that made profiles with a database of this name (``metaphlan``, ``kraken2``, ..)."""
    return "metaphlan" if database is None or database.startswith("mpa_v") else database.partition(":")[0]


@dataclass(frozen=True)
class _Header:
    """Which columns hold the abundances of which samples, and which the reads of the clade."""

    samples: list[str]
    columns: list[int]
    reads: int | None = None

    @property
    def width(self) -> int:
        """Cells of a row up to the last that is needed."""
        return max([0, *self.columns, self.reads or 0]) + 1


def parse_metaphlan(file: str, text: str, header_only: bool = False) -> ParsedTable:
    """Parse one table, single or merged.

    Parameters
    ----------
    file
        Name used in the messages.
    text
        The table, or with `header_only` the lines before its first row: then there are no clades in the result.

    Raises
    ------
    InputError
        With all problems of the table.
    """
    if not text.strip():
        raise InputError(Problem("the file is empty", "copy or make it again", file))
    # Spreadsheets and data frames put quotes around names; no clade has any.
    lines = lines_of(text.replace('"', ""))
    # What stands behind the last line end is no line.
    lines = lines if lines[-1] else lines[:-1]
    start = next((i for i, line in enumerate(lines) if is_clade_row(line)), len(lines))
    head = lines[:start]
    database = next((match.group(1) for line in head if (match := _DATABASE.match(line))), None)
    reads = next((int(match.group(1)) for line in head if (match := _READS.match(line))), None)
    if (
        start == len(lines)
        and not header_only
        and database is None
        and not any(line.startswith(HEADER_STARTS) for line in lines)
    ):
        raise InputError(
            Problem("not a MetaPhlAn table", "give the table that `metaphlan -o` writes, or a merged one", file)
        )
    header = _read_header(file, head)
    samples = header.samples
    if header_only:
        return ParsedTable(
            file, database, samples, [], np.zeros((0, len(samples))), np.full(len(samples), np.nan), reads
        )
    if start == len(lines):
        raise InputError(Problem("the table has no rows", "copy or make it again", file, max(1, len(lines))))
    if lines[start].startswith("d__"):
        fix = "give the table that `metaphlan -o` writes, not the one converted to GTDB names"
        raise InputError(Problem("the table has GTDB names (d__...)", fix, file, start + 1, value=lines[start][:40]))
    clades, values, clade_reads = _parse_rows(file, lines, start, header)
    keep = [i for i, clade in enumerate(clades) if clade not in UNCLASSIFIED]
    rest = [i for i, clade in enumerate(clades) if clade in UNCLASSIFIED]
    if len(rest) > 1:
        # Versions of MetaPhlAn have one word each: a sum of two might count the same part twice.
        words = [clades[i] for i in rest]
        place = next(i for i, line in enumerate(lines, 1) if i > start and line.split("\t", 1)[0] == words[1])
        message = f"{' and '.join(words)} are both there: each is the unclassified part"
        fix = "keep one row, the one that is right, or merge tables of one version of MetaPhlAn"
        raise InputError(Problem(message, fix, file, place, value=words[1]))
    unclassified = values[rest[-1]] if rest else np.full(len(samples), np.nan)
    kept_reads = None if clade_reads is None else clade_reads[keep]
    # Taken as it is where every row is a clade: a large table is held once.
    percent = values[keep] if rest else values
    parsed = ParsedTable(file, database, samples, [clades[i] for i in keep], percent, unclassified, reads, kept_reads)
    raise_problems(_total_problems(parsed))
    return parsed


def is_clade_row(line: str) -> bool:
    """Tell whether a line begins with a lineage, or with one of the words for the unclassified part."""
    first = line.split("\t", 1)[0].strip('"')
    return first.startswith(("k__", "d__")) or first in UNCLASSIFIED


def is_metaphlan(lines: Iterable[str]) -> bool:
    """Tell a MetaPhlAn table from another feature table, by its database line, its header or a row with a lineage."""
    return any(line.startswith(("#mpa_v", *HEADER_STARTS)) or is_clade_row(line) for line in lines)


def _read_header(file: str, head: list[str]) -> _Header:
    """Understand the header, which is the last line of `head`."""
    line = head[-1] if head else ""
    header = line.removeprefix("#").split("\t")
    sample_id = next((row.split("\t")[1].strip() for row in head if row.startswith("#SampleID\t")), "")
    if len(header) < 2:
        raise InputError(
            Problem(
                "the table has no header line with a name for each column",
                "give the table that `metaphlan -o` writes, or a merged one",
                file,
                max(1, len(head)),
            )
        )
    if _ABUNDANCE_COLUMN in header:
        named = sample_id and not _DEFAULT_ID.fullmatch(sample_id)
        reads = header.index(READS_COLUMN) if READS_COLUMN in header else None
        return _Header([sample_id if named else _name_of(file)], [header.index(_ABUNDANCE_COLUMN)], reads)
    columns = [i for i, name in enumerate(header) if i > 0 and name not in _TAXID_COLUMNS]
    samples = [header[i] for i in columns]
    problems = [
        Problem(
            f"the sample name {name!r} is empty or has extra white space", "correct it", file, len(head), value=name
        )
        for name in samples
        if not name or name != name.strip()
    ]
    problems += [
        Problem(f"the sample name {name!r} has an invisible character", "rename it", file, len(head), value=name)
        for name in samples
        if name == name.strip() and not name.isprintable()
    ]
    raise_problems(problems)
    return _Header([_name_of(file) if _DEFAULT_ID.fullmatch(name) else name for name in samples], columns)


def _parse_rows(
    file: str, lines: list[str], start: int, header: _Header
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Return clades, values (clade x sample) and reads (None without their column).

    At once where all is well, else row by row to name what is not.
    """
    rows = [line for line in lines[start:] if line and line[0] != "#"]
    clades = [row.split("\t", 1)[0] for row in rows]
    columns, place = header.columns, header.reads
    reads: np.ndarray | None = None
    try:
        if len(columns) == 1:
            # Nothing behind the last column that is needed is split off: single tables have long ones there.
            cut = [row.split("\t", header.width) for row in rows]
            values = np.array([number_of(cells[columns[0]]) for cells in cut])[:, None]
            if place is not None:
                reads = np.array([_reads(cells[0], cells[place]) for cells in cut])
        else:
            # One row after the other: the cells of all rows would take ten times the memory of their numbers.
            values = np.empty((len(rows), len(columns)))
            for i, row in enumerate(rows):
                values[i] = _numbers(row, header)
    except (ValueError, IndexError):
        values = np.full((len(rows), len(columns)), np.nan)
    if len(set(clades)) < len(clades) or not np.isfinite(values).all() or (values < 0).any():
        problems: list[Problem] = []
        first: dict[str, int] = {}
        for number, line in enumerate(lines[start:], start + 1):
            if line and line[0] != "#":
                problems += _row_problems(file, number, line.split("\t"), header, first)
        raise_problems(problems)
    return clades, values, reads


def _numbers(row: str, header: _Header) -> np.ndarray | list[float]:
    """Return the numbers of a row in the columns of the samples; ValueError or IndexError where one is missing."""
    columns = header.columns
    last = columns[-1] if columns else 0
    if columns and last - columns[0] + 1 == len(columns) and row.count("\t") == last:
        return numbers_of(row.split("\t", columns[0])[columns[0]])
    cells = row.split("\t", header.width)
    return [number_of(cells[j]) for j in columns]


def _reads(clade: str, cell: str) -> float:
    """Return the reads of a clade, NaN where none are given; ValueError for what is neither."""
    # Beside UNCLASSIFIED stands a difference of estimates, which may be negative.
    if cell == _NOT_GIVEN or clade in UNCLASSIFIED:
        return math.nan
    number = number_of(cell)
    if number < 0 or not number.is_integer():
        raise ValueError(cell)
    return number


def _row_problems(file: str, line: int, cells: list[str], header: _Header, first: dict[str, int]) -> list[Problem]:
    """Return what is wrong with one row; `first` remembers the line of each clade seen so far."""
    problems: list[Problem] = []
    clade = cells[0]
    if clade in first:
        message = f"clade {clade!r} stands already in line {first[clade]}"
        problems.append(Problem(message, "keep one row", file, line, value=clade))
    first.setdefault(clade, line)
    if len(cells) < header.width:
        message = f"the row is cut off: {len(cells)} of {header.width} cells"
        return [*problems, Problem(message, "copy or make the table again", file, line, value=clade)]
    problems += _cell_problems(file, line, [cells[j] for j in header.columns], header.samples)
    if header.reads is not None:
        cell = cells[header.reads]
        try:
            _reads(clade, cell)
        except ValueError:
            fix = "write a whole number, 0 or more, or - where it is not known"
            problems.append(Problem(f"{cell!r} is no number of reads", fix, file, line, READS_COLUMN, cell))
    return problems


def _cell_problems(file: str, line: int, cells: list[str], samples: list[str]) -> list[Problem]:
    problems = []
    for cell, sample in zip(cells, samples, strict=True):
        try:
            number = number_of(cell)
        except ValueError:
            fix = "write decimals with a point" if "," in cell else "write a percentage"
            problems.append(Problem(f"{cell!r} is not a number", fix, file, line, sample, cell))
            continue
        if not math.isfinite(number):
            problems.append(Problem(f"{cell!r} is not a finite number", "write a percentage", file, line, sample, cell))
        elif number < 0:
            problems.append(Problem(f"{cell} is negative", "percentages are 0 to 100", file, line, sample, cell))
    return problems


def _total_problems(parsed: ParsedTable) -> list[Problem]:
    """Check, per sample and rank, that the values are percentages and that no rank lost rows."""
    problems: list[Problem] = []
    rows: dict[str, list[int]] = {}
    for i, clade in enumerate(parsed.clades):
        start = clade.rfind("|") + 1
        rows.setdefault(clade[start : start + 3], []).append(i)
    totals = {rank: parsed.percent[rows[prefix]].sum(axis=0) for rank, prefix in RANKS.items() if prefix in rows}
    for i, sample in enumerate(parsed.samples):
        unclassified = np.nan_to_num(parsed.unclassified[i])
        top = max((float(total[i]) for total in totals.values()), default=0.0)
        if top + unclassified > _TOTAL_LIMIT:
            rank = next(rank for rank, total in totals.items() if total[i] == top)
            message = f"the {rank} rows of sample {sample!r} sum to {top + unclassified:.6g}, not to 100 at most"
            problems.append(
                Problem(message, "give MetaPhlAn's relative abundances (percent)", parsed.file, column=sample)
            )
        elif 0 < top + unclassified < 1.1:
            message = f"the rows of sample {sample!r} sum to {top + unclassified:.6g}: fractions, not percentages"
            problems.append(
                Problem(message, "give MetaPhlAn's relative abundances (percent)", parsed.file, column=sample)
            )
        # MetaPhlAn divides every kingdom wholly into species and SGBs; the ranks between may have unnamed parts. With
        # other profilers reads may stop above the species.
        for rank in ("species", "sgb") if parsed.profiler == "metaphlan" else ():
            if rank in totals and "kingdom" in totals and totals[rank][i] < totals["kingdom"][i] - _LOST_LIMIT:
                message = (
                    f"the {rank} rows of sample {sample!r} sum to {totals[rank][i]:.6g} percent, its kingdoms to "
                    f"{totals['kingdom'][i]:.6g}: rows are missing"
                )
                problems.append(Problem(message, "copy or make the table again", parsed.file, column=sample))
    return problems


def _name_of(file: str) -> str:
    name = Path(file).name.removesuffix(".gz").removesuffix(".bz2")
    return Path(name).stem.replace("_profile", "")
