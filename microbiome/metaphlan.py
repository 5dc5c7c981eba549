"""Reading and merging of MetaPhlAn tables (3.x to 4.2, single or merged) and of other feature tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.config_profilers import PROFILER_NAMES
from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.features import closed, feature_abundance
from microbiome.files import write_pieces
from microbiome.metaphlan_combine import combination_problems
from microbiome.metaphlan_format import RANKS, ParsedTable, profiler_of
from microbiome.metaphlan_merge import Gathered, clade_order, merged_pieces
from microbiome.profilers import Taxonomy, has_clades, parse_profile

__all__ = [
    "RANKS",
    "MetaphlanTable",
    "abundance_of",
    "merge_files",
    "merge_profiles",
    "read_abundance",
    "read_metaphlan",
    "resolve_rank",
    "rows_of_rank",
    "taxonomy",
    "write_merged",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetaphlanTable:
    """What one or several MetaPhlAn tables say, in their own unit.

    Parameters
    ----------
    percent
        **clade x sample**, percentages as printed, 0 where a table does not list the clade; index ``clade_name`` are
        whole lineages
        (``k__..|..|t__SGB..``), by depth and then by name. ``UNCLASSIFIED`` is not in it.
    unclassified
        Percentage per sample that MetaPhlAn could not classify; NaN where it was not estimated.
    database
        Name of the marker database (``mpa_v...``), None where no table names one.
    reads_processed
        Reads that MetaPhlAn processed, per sample; missing where the table does not say.
    clade_reads
        By sample, the estimated reads of each clade that its table lists (index ``clade_name``, NaN where the table
        has none for the clade). Only of tables of ``-t rel_ab_w_read_stats``: other samples are not in it.
    """

    percent: pd.DataFrame
    unclassified: pd.Series
    database: str | None = None
    reads_processed: pd.Series = field(default_factory=lambda: pd.Series(dtype="Int64"))
    clade_reads: Mapping[str, pd.Series] = field(default_factory=dict)


def read_metaphlan(paths: str | Path | Iterable[str | Path], taxonomy: Taxonomy | None = None) -> MetaphlanTable:
    """Read profiles into one: MetaPhlAn tables, single or merged, or those of another profiler, plain or gzip.

    Parameters
    ----------
    paths
        One path or several. The sample of a single table is named after its ``#SampleID`` line, or, where that is
        MetaPhlAn's default, after the file without its extension and ``_profile``. Which profiler a file is of is told
        by its content (:func:`microbiome.profilers.parse_profile`).
    taxonomy
        Lineages, for tables of other profilers that have none.

    Raises
    ------
    InputError
        With every problem of every file: not a MetaPhlAn table, a row cut off, a clade twice, values that are
        negative, not numbers or not percentages, a sample in two files, tables of different databases (each
        file named).
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise InputError("no profile was given; name at least one MetaPhlAn table")
    problems: list[Problem] = []
    parsed: list[ParsedTable] = []
    # Each name of a clade is held once, not once per file.
    names: dict[str, str] = {}
    for path in files:
        with collecting(problems):
            table = parse_profile(path, taxonomy)
            parsed.append(replace(table, clades=[names.setdefault(clade, clade) for clade in table.clades]))
    _complain(problems, parsed)
    return _combine(parsed)


def merge_profiles(paths: Iterable[str | Path], taxonomy: Taxonomy | None = None) -> MetaphlanTable:
    """Merge profiles: :func:`read_metaphlan` under the name of its command.

    Every value is that of ``merge_metaphlan_tables.py``: the union of the clades, 0 where a table lacks one.
    """
    return read_metaphlan(paths, taxonomy)


def write_merged(table: MetaphlanTable, path: str | Path) -> None:
    """Write the form of ``merge_metaphlan_tables.py``.

    First ``#mpa_v...``, then the header ``clade_name`` and the samples, then a row of percentages per clade.
    ``UNCLASSIFIED`` comes first when any table has it; 0 where one was not estimated.
    """
    rows = zip(table.percent.index, table.percent.to_numpy(), strict=True)
    write_pieces(merged_pieces(table.database, table.percent.columns, table.unclassified.to_numpy(), rows), path)


def merge_files(paths: Iterable[str | Path], output: str | Path, taxonomy: Taxonomy | None = None) -> None:
    """Merge profiles into a file, as :func:`merge_profiles` and :func:`write_merged` do, without the whole table.

    One profile is read after the other, and only what is not 0 of it is kept: some tens of bytes per clade that a
    profile lists, however many profiles and clades there are.
    """
    files = list(paths)
    if not files:
        raise InputError("no profile was given; name at least one MetaPhlAn table")
    problems: list[Problem] = []
    gathered = Gathered()
    for path in files:
        with collecting(problems):
            gathered.add(parse_profile(path, taxonomy))
    _complain(problems, gathered.tables)
    write_pieces(gathered.pieces(), output)


def _complain(problems: list[Problem], parsed: list[ParsedTable]) -> None:
    """Raise what is wrong with tables, or with putting them together; log what is a warning only."""
    found = [*problems, *combination_problems(parsed)]
    raise_problems(found)
    for problem in found:
        logger.warning("%s", problem)


def taxonomy(clades: Iterable[str]) -> pd.DataFrame:
    """Split lineages into one column per rank.

    Parameters
    ----------
    clades
        Lineages (``k__..|p__..|..``).

    Returns
    -------
    DataFrame
        Index ``taxon`` (the last name of each lineage, as in :func:`abundance_of`), columns ``lineage`` and one per
        rank of :data:`RANKS`, missing where the lineage is shorter.
    """
    lineages = list(clades)
    frame = pd.DataFrame({"lineage": lineages}, index=pd.Index(_taxon_names(lineages), name="taxon", dtype=object))
    parts = [{name[:3]: name for name in lineage.split("|")} for lineage in lineages]
    for rank, prefix in RANKS.items():
        frame[rank] = pd.Series([part.get(prefix) for part in parts], index=frame.index, dtype=object)
    return frame


def abundance_of(table: MetaphlanTable, rank: str = "auto", close: bool = True) -> pd.DataFrame:
    r"""Return the abundances of one rank as fractions.

    Parameters
    ----------
    table
        What was read.
    rank
        A key of :data:`RANKS`, or ``auto``: SGBs, or species where the table has no SGBs (MetaPhlAn 3).
    close
        Close each sample to 1 over the classified part, :math:`x_{ij} / \sum_j x_{ij}`; otherwise percentages are
        divided by 100, so that they sum to one minus the unclassified fraction.

    Returns
    -------
    DataFrame
        **sample x taxon**, fractions in 0..1. A taxon is named by the last part of its lineage (``t__SGB1626``), or by
        the whole lineage where two share it. A sample with nothing classified is a row of NaN: it has no profile,
        which is not the same as having no taxa.

    Raises
    ------
    InputError
        When the table, or a sample that has other ranks, has no row of that rank.
    """
    chosen = resolve_rank(table, rank)
    # Other profilers than MetaPhlAn have no SGBs: that goes without saying.
    if rank == "auto" and chosen == "species" and len(table.percent) and profiler_of(table.database) == "metaphlan":
        logger.warning("the profile has no SGB rows (t__...): species are used")
    rows = rows_of_rank(table, chosen)
    values = table.percent.to_numpy()[rows].T / 100.0
    return closed(values, pd.Index(table.percent.columns), _taxon_names(table.percent.index[rows]), close)


def resolve_rank(table: MetaphlanTable, rank: str = "auto") -> str:
    """Return the rank that is meant: for ``auto`` SGBs, or species where the table has none; else `rank` itself.

    Raises :class:`InputError` for a rank that does not exist.
    """
    if rank == "auto":
        return "sgb" if _of_rank(table, "sgb").any() else "species"
    if rank not in RANKS:
        raise InputError(Problem(f"rank {rank!r} is not known", f"use one of auto, {', '.join(RANKS)}"))
    return rank


def rows_of_rank(table: MetaphlanTable, rank: str) -> np.ndarray:
    """Tell which clades are of a rank (a key of :data:`RANKS`), as booleans.

    Raises :class:`InputError` when the table, or a sample that has other ranks, has no row of that rank.
    """
    rows = _of_rank(table, rank)
    if not rows.any() and len(rows):
        there = ", ".join(name for name in RANKS if _of_rank(table, name).any())
        name = PROFILER_NAMES.get(profiler_of(table.database), "")
        why = f": {name} has no SGBs" if name and rank == "sgb" else ""
        raise InputError(
            Problem(f"the profile has no rows of rank {rank}{why}", f"choose a rank that it has: {there}", value=rank)
        )
    percent = table.percent.to_numpy()
    lost = table.percent.columns[(percent[rows].sum(axis=0) == 0) & (percent.sum(axis=0) > 0)]
    if len(lost):
        message = f"rows of rank {rank} are missing for {', '.join(map(str, lost))}, though other ranks have some"
        raise InputError(
            Problem(message, "give tables that all have that rank, or choose another one", value=str(lost[0]))
        )
    return rows


def _of_rank(table: MetaphlanTable, rank: str) -> np.ndarray:
    return np.array([clade.rsplit("|", 1)[-1].startswith(RANKS[rank]) for clade in table.percent.index], dtype=bool)


def read_abundance(
    paths: str | Path | Iterable[str | Path], rank: str = "auto", close: bool = True, taxonomy: Taxonomy | None = None
) -> pd.DataFrame:
    """Read profiles of either kind into the frame that every measure takes.

    Parameters
    ----------
    paths
        Profiles (:func:`read_metaphlan`), or **one** TSV of feature x sample (ECs, pathways, counts of any
        profiler). Of HUMAnN's
        tables the rows ``UNMAPPED``, ``UNGROUPED``, ``UNINTEGRATED`` and the stratified ones (``feature|taxon``) are
        left out: they would be
        counted twice.
    rank, close
        As in :func:`abundance_of`; a feature table has no rank, and unless closed stays in its own unit.
    taxonomy
        As in :func:`read_metaphlan`.

    Returns
    -------
    DataFrame
        **sample x taxon**; a sample without anything is a row of NaN.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if len(files) == 1 and not has_clades(files[0]):
        return feature_abundance(files[0], close)
    return abundance_of(read_metaphlan(files, taxonomy), rank, close)


def _taxon_names(lineages: Sequence[str] | pd.Index) -> list[str]:
    leaves = [lineage.rsplit("|", 1)[-1] for lineage in lineages]
    twice = {leaf for leaf, count in pd.Series(leaves, dtype=object).value_counts().items() if count > 1}
    return [lineage if leaf in twice else leaf for lineage, leaf in zip(lineages, leaves, strict=True)]


def _combine(parsed: list[ParsedTable]) -> MetaphlanTable:
    clades = clade_order(clade for table in parsed for clade in table.clades)
    position = {clade: i for i, clade in enumerate(clades)}
    samples = [sample for table in parsed for sample in table.samples]
    # A merged table as we write it is taken as it stands.
    whole = len(parsed) == 1 and parsed[0].clades == clades
    values = parsed[0].percent if whole else np.zeros((len(clades), len(samples)))
    start = 0
    for table in [] if whole else parsed:
        stop = start + len(table.samples)
        values[[position[clade] for clade in table.clades], start:stop] = table.percent
        start = stop
    columns = pd.Index(samples, name="sample", dtype=object)
    reads = [table.reads for table in parsed for _ in table.samples]
    return MetaphlanTable(
        percent=pd.DataFrame(values, index=pd.Index(clades, name="clade_name", dtype=object), columns=columns),
        unclassified=pd.Series(
            np.concatenate([table.unclassified for table in parsed]), index=columns, name="unclassified"
        ),
        database=next((table.database for table in parsed if table.database), None),
        reads_processed=pd.Series(reads, index=columns, dtype="Int64", name="reads_processed"),
        clade_reads={
            table.samples[0]: pd.Series(
                table.clade_reads, index=pd.Index(table.clades, name="clade_name", dtype=object), name=table.samples[0]
            )
            for table in parsed
            if table.clade_reads is not None
        },
    )
