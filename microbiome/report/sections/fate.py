"""Sections on what became of the taxa: outcomes and rates."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    Heading,
    Missing,
    Note,
    Section,
    TableBlock,
    counts,
    listed,
    number,
    plural,
    span,
)
from microbiome.report.counting import RATE_NAMES, outcome_bars, rates_by_group
from microbiome.report.data import Tables
from microbiome.report.roster import Scheme, arm_scheme, by_group
from microbiome.report.text import CAVEATS, CELLS
from microbiome.report.theme import OUTCOME_ORDER
from microbiome.tables import OUTCOME_NAMES, RATES

__all__ = ["outcomes", "rates"]

_DRAWN = {
    "engraftment_rate": "engraftment rate",
    "depletion_rate": "depletion rate",
    "donor_recovery": "donor recovery",
}


def outcomes(tables: Tables, subjects: pd.DataFrame, by: Scheme) -> Section:
    """Make the section on the seven outcomes per subject and time point."""
    definition = TableBlock(
        "cells",
        "The seven outcomes",
        "",
        [
            Heading(
                "in the donor set",
                "Detected in any profiled donor product received on or before the day of the post sample.",
            ),
            Heading("in the baseline", "Detected in the subject's last profiled sample with day <= 0."),
            Heading("in the post sample"),
            Heading("outcome"),
        ],
        [[Cell(cell) for cell in row] for row in CELLS],
    )
    if tables.rates is None:
        missing = Missing("There is no table of counts and rates (make it with microbiome rates, option --rates).")
        return Section("outcomes", "Outcomes", (), [definition, missing])
    bars = outcome_bars(tables.rates, subjects)
    blocks: list[Any] = [definition]
    unknown = tables.rates.loc[tables.rates[list(OUTCOME_NAMES)].isna().any(axis=1), "sample"]
    if len(unknown):
        blocks.append(
            Note(
                f"Outcomes of {plural(len(unknown), 'sample')} are not known in full, because a donor product or the "
                f"baseline has no profile: {listed(list(unknown))}.",
                "warn",
            )
        )
    most = int(bars.groupby("subject")["sample"].nunique().max()) if len(bars) else 0
    if len(bars):
        blocks.append(
            Figure(
                "outcomes",
                "Outcomes of the taxa of each subject",
                "Number of taxa by outcome. Above the line the taxa that the post sample holds, below it those it "
                "lacks" + ("." if most == 1 else "; numbers under the bars are days."),
                figures.outcomes(bars, by.panel),
                bars.drop(columns=["signed", "order"]),
                bars["subject"].nunique(),
                bars["sample"].nunique(),
            )
        )
    text = (
        "What became of each taxon between the baseline and each later sample, given what the donors carried. "
        + CAVEATS["presence"]
    )
    return Section("outcomes", "Outcomes", [text], blocks)


def rates(tables: Tables, subjects: pd.DataFrame, by: Scheme) -> Section:
    """Make the section on rates over time, per group and per sample, each beside its count."""
    title = "Rates"
    if tables.rates is None or tables.rates.empty:
        return Section(
            "rates",
            title,
            (),
            [Missing("There is no table of counts and rates (make it with microbiome rates, option --rates).")],
        )
    frame = by_group(tables.rates, subjects)
    scheme = arm_scheme(subjects) or by
    blocks: list[Any] = []
    without = subjects[(subjects["role"] != "donor") & (subjects["products"] == 0) & (subjects["post"] > 0)]
    if len(without):
        blocks.append(
            Note(
                f"{plural(len(without), 'subject')} received no dose. What they lose and gain is the turnover that "
                "happens without FMT: read the depletion_rate of the others against theirs."
            )
        )
    else:
        blocks.append(
            Note("Every subject received a dose: this trial has no concurrent measure of the turnover without FMT.")
        )
    lacking = frame[frame["donor_products_unprofiled"] > 0] if "donor_products_unprofiled" in frame else frame.iloc[:0]
    if len(lacking):
        blocks.append(
            Note(
                f"Donor sets of {plural(len(lacking), 'sample')} of "
                f"{plural(lacking['subject'].nunique(), 'subject')} lack products that have no profile (column donor "
                "products unprofiled): what those carried is not counted."
            )
        )
    long = _long(frame)
    bounded = "low" in long
    if len(long):
        blocks.append(
            Figure(
                "rates",
                "Rates of each post sample",
                "; ".join(f"{_DRAWN[name]} = {RATES[name].meaning.rstrip('.')}" for name in _DRAWN)
                + ". Baseline recovery is 1 - depletion rate. "
                + (CAVEATS["bounds"] + " " if bounded else "")
                + CAVEATS["donor_sets"],
                figures.rates(long, scheme, _DRAWN),
                long,
                long["subject"].nunique(),
                long["sample"].nunique(),
            )
        )
    blocks += [_groups_table(tables.rates, subjects, scheme.colour), _samples_table(frame, subjects)]
    return Section("rates", title, [CAVEATS["rates"], CAVEATS["dilution"]], blocks)


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per post sample and drawn rate, with the bounds ``low`` and ``high`` where the table has them."""
    keys = ["subject", "sample", "day", "arm", "response"]
    parts = []
    for rate in _DRAWN:
        ends = {f"{rate}_{end}": end for end in ("low", "high") if f"{rate}_{end}" in frame}
        part = frame[[*keys, rate, *ends]].rename(columns={rate: "value", **ends})
        parts.append(part.assign(rate=rate)[[*keys, "rate", "value", *ends.values()]])
    return pd.concat(parts, ignore_index=True).dropna(subset=["value"]).reset_index(drop=True)


def _rate_cell(record: dict[str, Any], rate: str) -> Cell:
    # Without a profile of what the rate needs its counts are missing, too.
    value = record[rate]
    if pd.isna(value):
        return Cell("–", numeric=True)
    over, under = (sum(record[name] for name in names) for names in RATE_NAMES[rate])
    words = f"{number(over, 1)} / {number(under, 1)}"
    low, high = (record.get(f"{rate}_{end}") for end in ("low", "high"))
    words += "" if pd.isna(low) or pd.isna(high) else f"\n{low:.2f} to {high:.2f}"
    return Cell(f"{value:.2f}", words, str(value), numeric=True)


def _groups_table(rates_frame: pd.DataFrame, subjects: pd.DataFrame, group: str) -> TableBlock:
    summary = rates_by_group(rates_frame, subjects, group)
    headings = [
        Heading("rate"),
        Heading(group),
        Heading("mean", "Mean over subjects of each subject's mean over its post samples.", True),
        Heading("95 % interval", "Of the mean, over subjects: t on the logit of the mean.", True),
        Heading("range", "Lowest and highest subject.", True),
        Heading("bounds", "The mean if every call below the limit of detection fell either way.", True),
        Heading("taxa", "Numerator / denominator, added up over the samples.", True),
        Heading("subjects", "Subjects for whom the rate is defined.", True),
        Heading("samples", "Their post samples.", True),
    ]
    rows = []
    for rate in RATE_NAMES:
        for record in summary[summary["rate"] == rate].to_dict("records"):
            none = record["subjects"] == 0
            rows.append(
                [
                    Cell(rate.replace("_", " ")),
                    Cell(str(record["group"])),
                    Cell(
                        "–" if none else f"{record['mean']:.2f}", sort="" if none else str(record["mean"]), numeric=True
                    ),
                    Cell(span(record["ci_low"], record["ci_high"]), numeric=True),
                    Cell(span(record["low"], record["high"]), numeric=True),
                    Cell(span(record["bound_low"], record["bound_high"]), numeric=True),
                    Cell(
                        "–" if none else f"{number(record['numerator'], 1)} / {number(record['denominator'], 1)}",
                        numeric=True,
                    ),
                    Cell(str(record["subjects"]), numeric=True),
                    Cell(str(record["samples"]), numeric=True),
                ]
            )
    return TableBlock(
        "rates_by_group",
        "Rates by group",
        "Samples are averaged within a subject first, so that each subject counts once. No test is made here."
        + (CAVEATS["no_donor"] if (subjects.loc[subjects["role"] != "donor", "products"] == 0).any() else ""),
        headings,
        rows,
        summary,
        counts(rates_frame["subject"].nunique(), len(rates_frame)),
    )


def _samples_table(frame: pd.DataFrame, subjects: pd.DataFrame) -> TableBlock:
    position = {name: i for i, name in enumerate(subjects["subject"])}
    frame = (
        frame.assign(_order=frame["subject"].map(position))
        .sort_values(["_order", "day"], kind="stable")
        .drop(columns="_order")
    )
    several = [name for name in ("arm", "response") if len(set(frame[name])) > 1]
    products = [
        name for name in ("donor_products", "donor_products_unprofiled") if name in frame and frame[name].sum() > 0
    ]
    headings = [
        Heading("subject"),
        *(Heading(name) for name in several),
        Heading("sample"),
        Heading("day", RATES["day"].meaning, True),
        *(Heading(name.replace("_", " "), RATES[name].meaning, True) for name in RATE_NAMES),
        *(Heading(name.replace("_", " "), RATES[name].meaning, True) for name in products),
    ]
    rows = []
    for record in frame.to_dict("records"):
        row = [
            Cell(str(record["subject"])),
            *(Cell(str(record[name])) for name in several),
            Cell(str(record["sample"])),
        ]
        row.append(Cell(number(record["day"]), sort=str(record["day"]), numeric=True))
        row += [_rate_cell(record, rate) for rate in RATE_NAMES]
        row += [Cell(number(record[name]), sort=str(record[name]), numeric=True) for name in products]
        rows.append(row)
    return TableBlock(
        "rates_by_sample",
        "Rates of each post sample",
        "Each rate with its count, numerator / denominator, in taxa, and below it its bounds: what it would be if "
        "every call below the limit of detection fell either way. A rate with denominator 0 is missing.",
        headings,
        rows,
        frame.reset_index(drop=True),
        counts(frame["subject"].nunique(), len(frame)),
    )


if set(OUTCOME_ORDER) != set(OUTCOME_NAMES) or {row[-1] for row in CELLS} != set(OUTCOME_NAMES):
    raise RuntimeError("the report must know each outcome that microbiome/tables.py declares")
