"""Section on whose abundance each post sample is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import Figure, Missing, Section, counts, table_of
from microbiome.report.counting import share_bars
from microbiome.report.data import Tables
from microbiome.report.notes import told
from microbiome.report.roster import Scheme, by_group
from microbiome.report.text import CAVEATS
from microbiome.taxa.tables import DECOMPOSITION

__all__ = ["decomposition"]

_SHARES = (
    "post_engrafted",
    "post_shared",
    "post_persisted",
    "post_gained",
    "baseline_lost",
    "donor_taken_up",
)


def decomposition(tables: Tables, subjects: pd.DataFrame, by: Scheme) -> Section:
    """Make the section: shares of the abundance of every post sample, per subject over time, and as a table."""
    title = "Whose abundance it is"
    frame = tables.decomposition
    if frame is None or frame.empty:
        text = "Abundances were not decomposed (make the table with microbiome decomposition, option --decomposition)."
        return Section("decomposition", title, (), [Missing(text)])
    blocks: list[Any] = []
    bars = share_bars(frame, subjects)
    if len(bars):
        blocks.append(
            Figure(
                "decomposition",
                "Shares of the abundance of each subject over time",
                "Above the line the post sample: the four shares sum to 1. Below it the baseline: the share of its "
                "abundance in taxa that the post sample lacks; what is missing to 100 % is still there.",
                figures.decomposition(bars, by.panel),
                bars.drop(columns=["signed", "order"]),
                bars["subject"].nunique(),
                bars["sample"].nunique(),
            )
        )
    else:
        blocks.append(Missing("No share is known: donors or baselines have no profile."))
    position = {name: i for i, name in enumerate(subjects["subject"])}
    known = by_group(frame, subjects).assign(_order=frame["subject"].map(position))
    known = known.sort_values(["_order", "day"], kind="stable").drop(columns="_order")
    columns = ["subject", "response", "sample", "day", *(name for name in _SHARES if name in known), "note"]
    shown = known[[name for name in columns if name in known and known[name].notna().any()]]
    if "response" in shown and (shown["response"] == "response unknown").all():
        shown = shown.drop(columns="response")
    said = told(frame, frame["subject"]) if "note" in frame else []
    shown = shown.drop(columns=[name for name in ("note",) if name in shown])
    blocks.append(
        table_of(
            "decomposition",
            "Shares of the abundance of each post sample",
            " ".join(said),
            shown,
            DECOMPOSITION,
            formats={name: (lambda v: f"{v:.1%}") for name in _SHARES},
            size=counts(frame["subject"].nunique(), frame["sample"].nunique()),
            data=frame,
        )
    )
    text = (
        "Rates count taxa, rare and abundant alike; here each taxon weighs as much as it is abundant. A few abundant "
        f"taxa can make most of a sample. {CAVEATS['presence']}"
    )
    return Section("decomposition", title, [text], blocks)
