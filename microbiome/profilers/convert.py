"""A profile of another profiler in the form of MetaPhlAn's tables, one sample to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text, write_text
from microbiome.metaphlan_format import READS_COLUMN, ParsedTable
from microbiome.profilers.clades import name_problems
from microbiome.profilers.kraken2 import parse_bracken, read_report, report_profile
from microbiome.profilers.recognise import parse_profile, profile_format
from microbiome.profilers.sourmash import parse_gather
from microbiome.profilers.taxonomy import Taxonomy
from microbiome.tables import Column, Table
from microbiome.tsv import read_table

__all__ = ["Origin", "convert_profile", "profile_text", "write_profile"]

_COLUMNS = ("clade_name", "clade_taxid", "relative_abundance", "coverage", READS_COLUMN)
_NONE = "-"

# What the scripts of the workflow leave behind of the profiling of one sample.
_PROFILED = Table(
    "profiling",
    "One row.",
    (
        Column("sample", "id", "Sample.", required=True, filled=True),
        Column("reads", "integer", "Reads that came.", required=True, filled=True, minimum=0),
        Column("status", "choice", "Whether it was profiled.", required=True, filled=True, allowed=("ok", "few_reads")),
        Column("reason", "text", "Why not.", required=True),
    ),
)


@dataclass(frozen=True)
class Origin:
    """What a table does not say of itself.

    Parameters
    ----------
    sample
        Name of the sample; empty takes that of the table.
    database
        What is to stand in the first line, such as ``kraken2:standard``; empty takes what the table tells.
    threshold
        Clades with fewer reads are left out (Kraken2, Bracken).
    report
        Kraken2 report behind a Bracken table.
    taxonomy
        Lineages, for tables that have none.
    profiled
        Table with ``sample``, ``reads``, ``status`` and ``reason`` of the profiling, as the workflow writes it.
    """

    sample: str = ""
    database: str = ""
    threshold: float = 0.0
    report: str = ""
    taxonomy: Taxonomy | None = None
    profiled: str = ""


def convert_profile(path: str | Path, origin: Origin | None = None) -> tuple[ParsedTable, list[str]]:
    """Read the profile of one sample, whichever profiler it is of.

    Returns
    -------
    table
        The profile.
    comments
        What its file is to say beside the numbers.

    Raises
    ------
    InputError
        As :func:`microbiome.profilers.parse_profile`, for a table of several samples, and where `origin` says what the
        kind of table does not have.
    """
    origin = origin or Origin()
    file, kind = str(path), profile_format(path)
    raise_problems(name_problems([origin.sample] if origin.sample else [], "--sample"))
    if not origin.threshold >= 0 or origin.threshold == np.inf:
        message = f"the threshold is {origin.threshold:g}"
        raise InputError(Problem(message, "give a number of reads, 0 or more", column="--threshold"))
    if kind == "features" and Path(file).exists():
        text = open_text(path)
        if text.strip():
            # Of an empty file the reader of MetaPhlAn tables says more.
            fix = "give a Kraken2 report, a table of Bracken, of `sourmash gather` (CSV), of taxpasta (TSV), or BIOM"
            raise InputError(Problem("not a profile that is read here", fix, file))
    reads, comments = _profiled(origin.profiled)
    if origin.report and kind != "bracken":
        raise InputError(Problem("a report goes with the table of Bracken only", "leave out --report", file))
    if origin.threshold and kind not in ("kraken2", "bracken"):
        raise InputError(Problem("the table has no reads to hold against a threshold", "leave out --threshold", file))
    name, database = origin.sample, origin.database
    if kind == "kraken2":
        report = read_report(file, open_text(path))
        table = report_profile(file, report, name, database or "kraken2", None, origin.threshold, reads)
    elif kind == "bracken":
        behind = read_report(origin.report, open_text(origin.report)) if origin.report else None
        given = (open_text(path), origin.taxonomy, behind, name, database or "bracken", origin.threshold, reads)
        table = parse_bracken(file, *given)
    elif kind == "sourmash":
        table = parse_gather(file, open_text(path), origin.taxonomy, name, database, reads)
    else:
        table = parse_profile(path, origin.taxonomy)
        table = replace(table, database=database or table.database, reads=reads or table.reads)
    if len(table.samples) != 1:
        message = f"the table has {len(table.samples)} samples"
        raise InputError(Problem(message, "merge tables of several samples: microbiome merge", file))
    if name:
        table = replace(table, samples=[name])
    above = _stopped_above(table)
    return table, comments + (
        [f"{above:.4g} percent of all reads have a taxon above the species only"] if above else []
    )


def _profiled(path: str) -> tuple[int | None, list[str]]:
    if not path:
        return None, []
    row = read_table(path, _PROFILED).iloc[0]
    flagged = row["status"] != "ok"
    return (0 if flagged else int(row["reads"])), ([f"not profiled: {row['reason']}"] if flagged else [])


def _stopped_above(table: ParsedTable) -> float:
    """Return the percentage that has a taxon and is in no species; 0 where it is nothing but rounding.

    What stops at the root is in no kingdom either, so that the kingdoms do not tell.
    """
    top = sum(value for clade, value in zip(table.clades, table.percent[:, 0], strict=True) if "|" not in clade)
    leaves = np.array([clade.rsplit("|", 1)[-1].startswith("s__") for clade in table.clades], dtype=bool)
    unclassified = table.unclassified[0]
    # MetaPhlAn's sums are 100 up to rounding only, and of a sample without anything nothing stops anywhere.
    told = table.profiler != "metaphlan" and not (np.isnan(unclassified) and not table.clades)
    classified = 100.0 - float(np.nan_to_num(unclassified)) if told else float(top)
    return max(0.0, round(classified - float(table.percent[leaves, 0].sum()), 9))


def profile_text(table: ParsedTable, comments: Sequence[str] = ()) -> str:
    """Return the profile of one sample as text in the form of MetaPhlAn's tables.

    The first line is ``#PROFILER:DATABASE``; comments follow, among them the reads processed where they are known.
    """
    lines = [f"#{table.database}"] if table.database else []
    lines += [f"#{comment}" for comment in comments]
    lines += [f"#{table.reads} reads processed"] if table.reads is not None else []
    lines += [f"#SampleID\t{table.samples[0]}", "#" + "\t".join(_COLUMNS)]
    if not np.isnan(table.unclassified[0]):
        lines.append("\t".join(["UNCLASSIFIED", "-1", repr(float(table.unclassified[0])), _NONE, _NONE]))
    for position, (clade, value) in enumerate(zip(table.clades, table.percent[:, 0], strict=True)):
        number = table.clade_reads[position] if table.clade_reads is not None else np.nan
        reads = _NONE if np.isnan(number) else f"{number:.0f}"
        taxid = table.taxids[position] if table.taxids is not None else ""
        lines.append("\t".join([clade, taxid or _NONE, repr(float(value)), _NONE, reads]))
    return "\n".join(lines) + "\n"


def write_profile(table: ParsedTable, path: str | Path, comments: Sequence[str] = ()) -> None:
    """Write :func:`profile_text`, whole or not at all; ``-`` is standard output."""
    write_text(profile_text(table, comments), path)
