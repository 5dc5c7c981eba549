"""How much stands behind a profile: the reads that MetaPhlAn's tables say each clade had."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.features import read_features
from microbiome.metaphlan import MetaphlanTable, read_metaphlan, resolve_rank, rows_of_rank
from microbiome.profilers import has_clades
from microbiome.tables import READS
from microbiome.tsv import read_result

__all__ = ["evidence", "evidence_for", "evidence_of"]


def evidence(paths: str | Path | Iterable[str | Path], rank: str = "auto", close: bool = True) -> pd.DataFrame:
    """Read what the tables of profiles say of the reads behind them.

    Parameters
    ----------
    paths, rank, close
        As in :func:`microbiome.metaphlan.read_abundance`.

    Returns
    -------
    DataFrame
        As :func:`evidence_of` returns it. Merged tables and feature tables say nothing of reads: their samples are
        rows of missing values.

    Raises
    ------
    InputError
        Where ``read_abundance`` raises it; cells of feature tables may be empty or negative here.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if len(files) == 1 and not has_clades(files[0]):
        samples = read_features(files[0]).index
        return _frame(samples, pd.Series(pd.NA, index=samples, dtype="Int64"), {})
    return evidence_of(read_metaphlan(files), rank, close)


def evidence_for(
    paths: str | Path | Iterable[str | Path], reads: str | Path | None = None, rank: str = "auto", close: bool = True
) -> pd.DataFrame:
    """Return the evidence of profiles from a table of read accounting where there is one, else from the profiles.

    A merged table has no reads of clades any more; the accounting of the workflow keeps them.

    Parameters
    ----------
    paths, rank, close
        As in :func:`evidence`; not read where `reads` is given.
    reads
        Written by ``microbiome reads`` (:data:`microbiome.tables.READS`).
    """
    if reads is None:
        return evidence(paths, rank, close)
    columns = ["reads_profiled", "reads_per_abundance", "fewest_reads"]
    frame = read_result(reads, READS).set_index("sample").reindex(columns=columns)
    return frame.rename(columns={"reads_profiled": "reads_processed"}).astype({"reads_per_abundance": float})


def evidence_of(table: MetaphlanTable, rank: str = "auto", close: bool = True) -> pd.DataFrame:
    r"""Return per sample how many reads MetaPhlAn processed, and how many an abundance stands for.

    MetaPhlAn prints for each clade i the reads :math:`n_i` that its whole genome must have had for the depth seen on
    its markers: an extrapolation, with more reads than were aligned, and from the depth of those markers only that had
    any (4.2). It is printed by tables of ``-t rel_ab_w_read_stats``, 2.x to 4.2; for long reads they count bases, which
    are not taken for reads.

    Parameters
    ----------
    table
        What was read.
    rank, close
        As in :func:`microbiome.metaphlan.abundance_of`.

    Returns
    -------
    DataFrame
        Index ``sample``, in the order of the table.

        ``reads_processed``
            Reads that MetaPhlAn processed (``Int64``); missing where the table does not say, as before 4.0.
        ``reads_per_abundance``
            Median over the detected clades of that rank (:math:`x_i > 0`) of :math:`n_i / x_i`, where :math:`x_i` is
            the abundance as a fraction, closed or not (``float64``, in reads). It would be the same for each clade if
            all genomes were of one length. NaN where no detected clade has a number of reads.
        ``fewest_reads``
            Smallest :math:`n_i > 0` of the detected clades of that rank (``Int64``); missing likewise.

    Raises
    ------
    InputError
        When the table, or a sample that has other ranks, has no row of that rank.
    """
    rows = rows_of_rank(table, resolve_rank(table, rank))
    clades = table.percent.index[rows]
    percent = table.percent.to_numpy()[rows]
    found: dict[str, tuple[float, float]] = {}
    for position, sample in enumerate(table.percent.columns):
        if sample not in table.clade_reads:
            continue
        abundance = percent[:, position]
        reads = table.clade_reads[sample].reindex(clades).to_numpy()
        known = (abundance > 0) & ~np.isnan(reads)
        if known.any():
            total = abundance.sum() if close else 100.0
            counts = reads[known]
            fewest = counts[counts > 0].min(initial=np.inf)
            found[sample] = float(np.median(counts * total / abundance[known])), fewest
    return _frame(table.percent.columns, table.reads_processed, found)


def _frame(samples: pd.Index, processed: pd.Series, found: dict[str, tuple[float, float]]) -> pd.DataFrame:
    pairs = np.array([found.get(sample, (np.nan, np.nan)) for sample in samples], dtype=float).reshape(-1, 2)
    fewest = pd.Series(np.where(np.isfinite(pairs[:, 1]), pairs[:, 1], np.nan), index=samples)
    return pd.DataFrame(
        {
            "reads_processed": processed.reindex(samples).astype("Int64"),
            "reads_per_abundance": pairs[:, 0],
            "fewest_reads": fewest.astype("Int64"),
        },
        index=pd.Index(samples, name="sample", dtype=object),
    )
