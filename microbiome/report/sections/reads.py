"""Section on the reads of each sample."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import Figure, Missing, Note, Section, counts, plural, table_of
from microbiome.report.data import Tables
from microbiome.report.roster import Scheme
from microbiome.tables import READS

__all__ = ["reads"]


def reads(tables: Tables, samples: pd.DataFrame, by: Scheme) -> Section:
    """Make the section on reads: what each step left, which samples were flagged, taxa against depth."""
    frame = tables.reads
    if frame is None:
        return Section("reads", "Reads", (), [Missing("There is no read accounting (qc/reads.tsv, option --reads).")])
    known = samples.merge(frame, on="sample", how="inner", suffixes=("", "_reads"))
    blocks: list[Any] = [_flagged(frame), *_shallower(frame)]
    steps = _steps(known)
    if len(steps):
        blocks.append(_steps_figure(steps, list(known["sample"])))
    scatter = _depth(tables, known, by)
    blocks += [scatter] if scatter is not None else []
    if steps.empty and scatter is None:
        words = (
            "Numbers of reads are not known: the profiles do not tell them, and the samples table has no column reads."
        )
        blocks.append(Note(words + " Whether depth differs between groups or time points cannot be seen here.", "warn"))
    shown = frame.drop(columns=[name for name in frame if frame[name].isna().all()])
    blocks.append(
        table_of(
            "reads",
            "Reads of each sample",
            READS.meaning,
            shown,
            READS,
            formats={"unclassified": lambda v: f"{v:.1%}"},
            size=counts(known["subject"].nunique(), len(known)),
        )
    )
    text = (
        "What each step left of the reads of every sample. Depth bounds all that follows: a shallow sample lacks "
        "its rare taxa, which then look depleted, or not engrafted."
    )
    return Section("reads", "Reads", [text], blocks)


def _flagged(frame: pd.DataFrame) -> Note:
    bad = frame[frame["status"] != "ok"]
    if bad.empty:
        return Note("No sample was flagged.")
    items = [
        f"{row.sample}: {row.status}" + (f" ({row.reason})" if isinstance(row.reason, str) else "")
        for row in bad.itertuples()
    ]
    was = plural(len(bad), "sample was", "samples were")
    words = f"{was} flagged and {'is' if len(bad) == 1 else 'are'} in no analysis below:"
    return Note(words, "warn", items)


def _shallower(frame: pd.DataFrame) -> list[Note]:
    """Name the samples that are in the analyses although they could not be brought to the depth of the others."""
    said = frame[(frame["status"] == "ok") & frame["reason"].notna()]
    if said.empty:
        return []
    was = plural(len(said), "sample has", "samples have")
    words = (
        f"{was} fewer reads than the common depth, all of them kept; what is rare may be missing there by depth alone:"
    )
    return [Note(words, "warn", [f"{row.sample}: {row.reason}" for row in said.itertuples()])]


def _steps(known: pd.DataFrame) -> pd.DataFrame:
    """Long frame of the parts that the steps divide the reads into, as far as they are known."""
    flag = known["status"].where(known["status"] != "ok", "")
    base = known[["sample", "subject"]].assign(flagged=flag)

    def has(name: str) -> bool:
        return name in known and bool(known[name].notna().any())

    if has("reads_raw"):
        nonhost = (
            known["reads_nonhost"].fillna(known["reads_trimmed"]) if has("reads_nonhost") else known["reads_trimmed"]
        )
        kept = known["reads_rarefied"].fillna(nonhost) if has("reads_rarefied") else nonhost
        parts = {
            "kept": kept,
            "not drawn": nonhost - kept,
            "host": known["reads_trimmed"] - nonhost,
            "trimmed away": known["reads_raw"] - known["reads_trimmed"],
        }
        # Without host removal there is no host part to speak of, nor without rarefaction one that was not drawn.
        optional = ("host", "not drawn")
        parts = {name: values for name, values in parts.items() if name not in optional or (values > 0).any()}
    elif has("reads_profiled"):
        parts = {"profiled": known["reads_profiled"]}
    else:
        return pd.DataFrame(columns=["sample", "subject", "flagged", "part", "rank", "reads"])
    frames = [
        base.assign(part=name, rank=i, reads=values.astype("float64")) for i, (name, values) in enumerate(parts.items())
    ]
    return pd.concat(frames, ignore_index=True).dropna(subset=["reads"])


def _steps_figure(steps: pd.DataFrame, order: list[str]) -> Figure:
    return Figure(
        "reads",
        "What became of the reads",
        "Reads of both mates. Samples are in the order of the subjects, donors last; a red triangle marks a flagged "
        "sample."
        if (steps["flagged"] != "").any()
        else "Reads of both mates. Samples are in the order of the subjects, donors last.",
        figures.reads(steps, order),
        steps,
        steps["subject"].nunique(),
        steps["sample"].nunique(),
    )


def _depth(tables: Tables, known: pd.DataFrame, by: Scheme) -> Figure | None:
    """Taxa against the reads that were profiled, or sequenced where that is all that is known."""
    sequenced = (
        known["sample"].map(dict(zip(tables.study.samples["sample"], tables.study.samples["reads"], strict=True)))
        if "reads" in tables.study.samples
        else None
    )
    left = known["reads_rarefied"] if "reads_rarefied" in known else known["reads_nonhost"]
    candidates = (
        ("left for profiling", left),
        ("profiled", known["reads_profiled"]),
        ("sequenced, by the samples table", sequenced),
    )
    usable = [(words, values) for words, values in candidates if values is not None and values.notna().sum() >= 2]
    if not usable:
        return None
    words, values = usable[0]
    frame = known[["sample", "subject", "kind", "role", "taxa"]].assign(
        reads=values.astype("float64"),
        taxa=known["taxa"].astype("float64"),
        group=known[by.colour].where(known["role"] != "donor", "donor"),
    )
    frame = frame[(frame["reads"] > 0) & (frame["taxa"] > 0)].drop(columns="role")
    if len(frame) < 2:
        return None
    return Figure(
        "depth",
        "Taxa detected against depth",
        f"Reads {words}. Where taxa rise with reads, differences in depth between groups or time points pass for "
        "differences in taxa.",
        figures.depth(frame, by),
        frame,
        frame["subject"].nunique(),
        len(frame),
    )
