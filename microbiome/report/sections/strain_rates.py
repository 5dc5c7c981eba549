"""Rates of strains with their denominators, and how long strains of a person stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    Heading,
    Note,
    TableBlock,
    Title,
    counts,
    number,
    number_cell,
    span,
)
from microbiome.report.data import Tables
from microbiome.report.notes import told
from microbiome.report.roster import Scheme, arm_scheme, by_group
from microbiome.report.strain_frames import PAIR_KINDS, pairs_of_people
from microbiome.strains.rate_tables import STRAIN_PERSISTENCE, STRAIN_RATE_COUNTS, STRAIN_RATE_NAMES, STRAIN_RATES

__all__ = ["over_time", "rates"]

_DRAWN = {
    "strain_engraftment_rate_donor": "engrafted, of donor strains",
    "strain_engraftment_rate_profiled": "engrafted, of taxa compared",
    "strain_persistence_rate": "own strains kept",
    "weighted_donor_fraction": "donor's part of abundance",
}
_TITLES = {
    "strain_engraftment_rate_donor": "strain engraftment (of donor strains that could be seen)",
    "strain_engraftment_rate_profiled": "strain engraftment (of taxa compared with the donor)",
    "donor_sharing_rate_before": "shared with the own donor before FMT",
    "other_donor_sharing_rate": "shared with donors not received",
    "engrafted_confirmed_rate": "engrafted taxa with the donor's strain",
    "strain_persistence_rate": "own strains kept (of taxa resolved)",
    "strain_persistence_rate_profiled": "own strains kept (of taxa compared with the baseline)",
    "weighted_donor_fraction": "donor's part of the abundance",
    "weighted_baseline_fraction": "baseline's part of the abundance",
    "weighted_common_fraction": "part that donor and baseline both have",
    "weighted_other_fraction": "part of neither",
}
if set(_TITLES) != set(STRAIN_RATE_NAMES):
    raise RuntimeError("each rate of strains needs its title in microbiome/report/sections/strain_rates.py")


def rates(tables: Tables, subjects: pd.DataFrame, by: Scheme) -> list[Any]:
    """Make the blocks on rates: a figure over time, means over subjects, and every sample with its denominators."""
    frame, summary = tables.strains.get("rates"), tables.strains.get("summary")
    means = [_summary(summary)] if summary is not None and summary["mean"].notna().any() else []
    if frame is None or frame.empty:
        return [Title("Rates of strains"), *means] if means else []
    known = by_group(frame, subjects)
    long = _long(known)
    blocks: list[Any] = [Title("Rates of strains")]
    if len(long):
        blocks.append(
            Figure(
                "strain_rates",
                "Rates of strains of each post sample",
                "Of donor strains: those that could be seen in the post sample, because they are resolved there, or "
                "surely absent; the line through a point joins its values if no strain, or every strain, of those left "
                "open had engrafted. Of taxa compared: those whose strains were compared between the post sample and a "
                "received product. The two have different denominators and need not agree.",
                figures.rates(long, arm_scheme(subjects) or by, _DRAWN),
                long,
                long["subject"].nunique(),
                long["sample"].nunique(),
            )
        )
    blocks += [*means, _samples(known)]
    said = told(frame, frame["subject"]) if frame["note"].notna().any() else []
    return blocks + ([Note("What the table of rates says:", items=said)] if said else [])


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    keys = ["subject", "sample", "day", "arm", "response"]
    parts = []
    for rate in _DRAWN:
        part = frame[keys].assign(rate=rate, value=frame[rate].astype(float))
        ends = [f"{rate}_{end}" for end in ("low", "high")]
        for end, name in zip(("low", "high"), ends, strict=True):
            bound = frame[name].astype(float) if name in frame else part["value"]
            part[end] = bound.fillna(part["value"])
        parts.append(part)
    return pd.concat(parts, ignore_index=True).dropna(subset=["value"]).reset_index(drop=True)


def _summary(frame: pd.DataFrame) -> TableBlock:
    shown = frame[frame["mean"].notna()]
    headings = [
        Heading("rate"),
        Heading("group"),
        Heading("days", "First and last day of the visit.", True),
        Heading("mean", "Over subjects; samples of a subject at one visit are averaged first.", True),
        Heading("95 % interval", "Over subjects.", True),
        Heading("subjects", "With a value.", True),
        Heading("samples", "With a value.", True),
    ]
    rows = []
    for row in shown.to_dict("records"):
        low, high = row["day_low"], row["day_high"]
        rows.append(
            [
                Cell(_TITLES.get(row["rate"], row["rate"].replace("_", " "))),
                Cell(str(row["group"])),
                number_cell(low, str(low) if low == high else f"{low} to {high}"),
                number_cell(row["mean"], f"{row['mean']:.2f}"),
                Cell(span(row["ci_low"], row["ci_high"]), numeric=True),
                number_cell(row["n_subjects"], number(row["n_subjects"])),
                number_cell(row["n_samples"], number(row["n_samples"])),
            ]
        )
    return TableBlock(
        "strain_summary",
        "Rates of strains over subjects",
        "What is shared before FMT, and with donors not received, is what people share without this FMT: read "
        "engraftment beside it.",
        headings,
        rows,
        frame,
        f"n = {int(shown['n_subjects'].max())} subjects in the largest group" if len(shown) else "",
    )


def _samples(frame: pd.DataFrame) -> TableBlock:
    names = [name for name in STRAIN_RATE_NAMES if frame[name].notna().any()]
    headings = [
        Heading("subject"),
        Heading("sample"),
        Heading("day", STRAIN_RATES["day"].meaning, True),
        Heading("resolved", STRAIN_RATES["taxa_resolved"].meaning, True),
        Heading("unresolved", STRAIN_RATES["taxa_unresolved"].meaning, True),
        *(Heading(name.replace("_", " "), STRAIN_RATES[name].meaning, True) for name in names),
    ]
    rows = []
    for record in frame.to_dict("records"):
        row = [Cell(str(record["subject"])), Cell(str(record["sample"]))]
        row += [number_cell(record[name], number(record[name])) for name in ("day", "taxa_resolved", "taxa_unresolved")]
        rows.append(row + [_cell(record, name) for name in names])
    return TableBlock(
        "strain_rates",
        "Rates of strains of each post sample",
        "With numerator / denominator. A rate with denominator 0 is missing, and so is one that needs a donor where "
        "none was received.",
        headings,
        rows,
        frame.drop(columns=["arm", "response"]),
        counts(frame["subject"].nunique(), frame["sample"].nunique()),
    )


def _cell(record: Mapping[str, Any], rate: str) -> Cell:
    value = record[rate]
    if pd.isna(value):
        return Cell("–", numeric=True)
    words = ""
    if rate in STRAIN_RATE_COUNTS:
        over, under = STRAIN_RATE_COUNTS[rate]
        words = f"{number(record[over])} / {number(record[under])}"
    low, high = record.get(f"{rate}_low"), record.get(f"{rate}_high")
    words += "" if pd.isna(low) or pd.isna(high) else f"\n{low:.2f} to {high:.2f}"
    return Cell(f"{value:.2f}", words, str(value), numeric=True)


def over_time(tables: Tables) -> list[Any]:
    """Make the blocks on how long strains stay: pairs of samples of one person by the days between them."""
    frame = tables.strains.get("persistence")
    if frame is None or frame.empty:
        return []
    pairs = pairs_of_people(frame)
    if pairs.empty:
        return [
            Note("No two dated samples of one person could be compared: nothing is known of how long strains stay.")
        ]
    palette = {name: colour for name, colour in PAIR_KINDS.items() if (pairs["kind"] == name).any()}
    columns = ["subject", "kind", *(name for name in STRAIN_PERSISTENCE.names if name in pairs and name != "subject")]
    samples = pd.concat([pairs["sample_1"], pairs["sample_2"]]).nunique()
    lots = frame[(frame["role"] == "donor") & frame["same_strain_rate"].notna()]
    words = ""
    if len(lots) and lots["days_apart"].isna().any():
        rate = lots["taxa_same_strain"].sum() / lots["taxa_compared"].sum()
        words = (
            f" Lots of donors without days are not drawn: {len(lots)} pairs, {rate:.0%} of the taxa compared "
            f"({int(lots['taxa_same_strain'].sum()):,} of {int(lots['taxa_compared'].sum()):,}) with the same strain."
        )
    return [
        Title("How long strains stay"),
        Figure(
            "strain_persistence",
            "The same strain in two samples of one person",
            "Every two samples of a person. Lines are 95 % intervals over the taxa of the pair. Pairs without a dose "
            f"between show how long strains stay by themselves.{words}",
            figures.persistence(pairs, palette),
            pairs[columns],
            pairs["subject"].nunique(),
            samples,
        ),
    ]
