"""Read accounting: how many reads each sample had after each step, and which samples have no usable profile."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.evidence import evidence_of
from microbiome.files import open_text
from microbiome.metaphlan import read_abundance, read_metaphlan
from microbiome.profilers import Taxonomy, has_clades
from microbiome.tables import READS, Column, Table
from microbiome.tsv import read_table

__all__ = ["read_accounting"]

logger = logging.getLogger(__name__)

_COUNT = {"kind": "integer", "minimum": 0}
_ID = Column("sample", "id", "Sample.", required=True, filled=True)

# The small tables that the scripts of the workflow leave behind, one file per sample.
_UNITS = Table(
    "unit counts",
    "One row per FASTQ file.",
    (
        _ID,
        Column("unit", "id", "Unit.", required=True, filled=True),
        Column("mate", "integer", "1 or 2.", required=True, filled=True),
        Column("reads", "integer", "Reads in the file.", required=True, filled=True, minimum=0),
    ),
)
_HOST = Table(
    "host removal",
    "One row.",
    (
        _ID,
        Column("reads", "integer", "Reads that came.", required=True, filled=True, minimum=0),
        Column("reads_nonhost", "integer", "Reads that were kept.", required=True, filled=True, minimum=0),
    ),
)
_RAREFIED = Table(
    "rarefaction",
    "One row.",
    (
        _ID,
        Column("reads", "integer", "Reads that came.", required=True, filled=True, minimum=0),
        Column("reads_rarefied", "integer", "Reads that were drawn.", required=True, filled=True, minimum=0),
        Column("reason", "text", "Why fewer than asked for.", required=True),
    ),
)
_PROFILED = Table(
    "profiling",
    "One row.",
    (
        _ID,
        Column("reads", "integer", "Reads that came.", required=True, filled=True, minimum=0),
        Column("status", "choice", "Whether it was profiled.", required=True, filled=True, allowed=("ok", "few_reads")),
        Column("reason", "text", "Why not.", required=True),
    ),
)


def read_accounting(
    samples: Sequence[str],
    profiles: Iterable[str | Path],
    units: Iterable[str | Path] = (),
    fastp: Iterable[str | Path] = (),
    host: Iterable[str | Path] = (),
    profiled: Iterable[str | Path] = (),
    rank: str = "auto",
    rarefied: Iterable[str | Path] = (),
    taxonomy: Taxonomy | None = None,
) -> pd.DataFrame:
    """Put together what each step says of the reads it got and gave.

    Parameters
    ----------
    samples
        All samples of the study, in the order of the rows to come.
    profiles
        MetaPhlAn tables, or one feature table.
    units
        Tables of the merging of units, one per sample: reads and checksum of each FASTQ file.
    fastp
        JSON reports of fastp, named ``SAMPLE.json``.
    host
        Tables of the host removal, one per sample; none where it was skipped.
    profiled
        Tables of the profiling, one per sample.
    rank
        Which rows of the profiles are counted as taxa.
    rarefied
        Tables of the rarefaction, one per sample; none where reads were not rarefied.
    taxonomy
        As in :func:`microbiome.metaphlan.read_metaphlan`.

    Returns
    -------
    DataFrame
        :data:`microbiome.tables.READS`, one row per sample, every sample of the study. What is not known is missing:
        starting from profiles all counts of reads but those of MetaPhlAn. ``unclassified`` is a fraction in 0..1. There
        is a column ``reads_rarefied`` where reads were rarefied; a sample that had fewer than were asked for keeps its
        status, says so in ``reason``, and is named in the log.

    Raises
    ------
    InputError
        When a step got another number of reads than the step before gave: reads were lost on the way. Profiles of
        samples that are not in `samples` are passed over (``check`` warns of them).
    """
    frame = pd.DataFrame(index=pd.Index(list(samples), name="sample", dtype=object))
    steps = (("units", units), ("host", host), ("rarefied", rarefied), ("profiled", profiled))
    given = {name: list(paths) for name, paths in steps}
    merged = _stack(given["units"], _UNITS)
    frame["units"] = merged.groupby("sample")["unit"].nunique().astype("Int64")
    frame["reads_raw"] = merged.groupby("sample")["reads"].sum().astype("Int64")
    trimmed = _fastp(fastp)
    frame["reads_trimmed"] = trimmed["after"]
    removed = _stack(given["host"], _HOST).set_index("sample")
    frame["reads_nonhost"] = removed["reads_nonhost"] if given["host"] else frame["reads_trimmed"]
    drawn = _stack(given["rarefied"], _RAREFIED).set_index("sample")
    if given["rarefied"]:
        frame["reads_rarefied"] = drawn["reads_rarefied"]
    counted = _stack(given["profiled"], _PROFILED).set_index("sample")

    problems = _lost("fastp", frame["reads_raw"], trimmed["before"])
    problems += _lost("host removal", frame["reads_trimmed"], removed["reads"])
    problems += _lost("rarefaction", frame["reads_nonhost"], drawn["reads"])
    last = "reads_rarefied" if given["rarefied"] else "reads_nonhost"
    problems += _lost("profiling", frame[last], counted["reads"])
    raise_problems(problems)

    frame = frame.join(_profile_facts(list(profiles), rank, taxonomy))
    flagged = counted["status"].reindex(frame.index).eq("few_reads")
    absent = frame.pop("known").isna()
    frame["status"] = "ok"
    frame["reason"] = drawn["reason"].reindex(frame.index).astype(object)
    for sample, reason in frame["reason"].dropna().items():
        logger.warning("%s: %s", sample, reason)
    for mask, status, reason in (
        (frame["taxa"].eq(0).fillna(False), "no_taxa", "no taxon was found"),
        (absent, "no_profile", "the profile tables have no such sample"),
        (flagged, "few_reads", counted["reason"].reindex(frame.index) + _where_lost(frame)),
    ):
        frame.loc[mask, "status"] = status
        frame.loc[mask, "reason"] = reason
    # A placeholder profile says 100 % unclassified, which nobody measured.
    frame.loc[flagged, "unclassified"] = float("nan")
    frame = frame.reset_index()
    return frame[[name for name in READS.names if name in frame]]


def _where_lost(frame: pd.DataFrame) -> pd.Series:
    """Say of samples that lost half of their reads or more before the profiling at which step; empty of others."""
    left = frame["reads_nonhost"]
    many = left.notna() & frame["reads_raw"].notna() & (2 * left <= frame["reads_raw"])
    said = {}
    for sample, row in frame[many.fillna(False)].iterrows():
        if row["reads_raw"] == 0:
            said[sample] = "; the FASTQ files hold no reads"
            continue
        trimmed, host = row["reads_raw"] - row["reads_trimmed"], row["reads_trimmed"] - left[sample]
        said[sample] = (
            f"; of {row['reads_raw']} reads fastp left out {trimmed} (short, poor, N), {host} are of the host"
        )
    return pd.Series(said, index=frame.index, dtype=object).fillna("")


def _stack(paths: Iterable[str | Path], table: Table) -> pd.DataFrame:
    frames: list[pd.DataFrame] = []
    problems: list[Problem] = []
    for path in paths:
        with collecting(problems):
            frames.append(read_table(path, table))
    raise_problems(problems)
    if not frames:
        return pd.DataFrame(
            {c.name: pd.Series(dtype="Int64" if c.kind == "integer" else object) for c in table.columns}
        )
    return pd.concat(frames, ignore_index=True)


def _fastp(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Return reads before and after filtering per sample."""
    rows: dict[str, tuple[int, int]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            summary: dict[str, Any] = json.loads(open_text(path))["summary"]
            sample = Path(path).name.removesuffix(".json")
            rows[sample] = (
                int(summary["before_filtering"]["total_reads"]),
                int(summary["after_filtering"]["total_reads"]),
            )
        except InputError as error:
            problems.extend(error.problems)
        except (KeyError, TypeError, ValueError) as error:
            problems.append(Problem(f"not a JSON report of fastp ({error!r})", "remove it and run again", str(path)))
    raise_problems(problems)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["before", "after"]).astype("Int64")


def _lost(step: str, gave: pd.Series, got: pd.Series) -> list[Problem]:
    """Compare what one step gave with what the next one got."""
    pair = pd.DataFrame({"gave": gave, "got": got}).dropna()
    return [
        Problem(
            f"{step} got {row.got} reads of sample {sample!r}, the step before gave {row.gave}", "run the sample again"
        )
        for sample, row in pair[pair["gave"] != pair["got"]].iterrows()
    ]


def _profile_facts(profiles: list[str | Path], rank: str, taxonomy: Taxonomy | None) -> pd.DataFrame:
    """Return reads used, unclassified fraction and number of taxa per sample with a column in the tables."""
    abundance = read_abundance(profiles, rank, taxonomy=taxonomy)
    facts = pd.DataFrame({"known": True, "taxa": (abundance > 0).sum(axis=1).astype("Int64")}, index=abundance.index)
    facts["reads_profiled"] = pd.Series(pd.NA, index=facts.index, dtype="Int64")
    facts["unclassified"] = float("nan")
    facts["reads_per_abundance"] = float("nan")
    facts["fewest_reads"] = pd.Series(pd.NA, index=facts.index, dtype="Int64")
    if has_clades(profiles[0]):
        table = read_metaphlan(profiles, taxonomy)
        facts["reads_profiled"] = table.reads_processed
        # Dividing by 100 leaves noise in the last digit.
        facts["unclassified"] = (table.unclassified / 100).round(12)
        behind = evidence_of(table, rank)
        facts["reads_per_abundance"], facts["fewest_reads"] = behind["reads_per_abundance"], behind["fewest_reads"]
    return facts
