"""Figures of functions: the taxa behind gained and lost functions."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import INK, SOFT, finish, scale_of, tips
from microbiome.report.theme import DONOR_COLOURS, FIGURE_WIDTH, colours

__all__ = ["contributions"]


def contributions(frame: pd.DataFrame, others: list[str]) -> Any:
    """Draw the mean change of each function as bars stacked by taxon, gains to the right and losses to the left.

    Parameters
    ----------
    frame
        As :func:`microbiome.report.function_frames.contribution_bars` returns it.
    others
        Labels that are no taxon, or several together, in grey.
    """
    titles = list(dict.fromkeys(frame["title"]))
    taxa = [name for name in dict.fromkeys(frame["taxon"]) if name not in others]
    palette = colours(taxa, DONOR_COLOURS)
    greys = dict(zip(others, ("#B4BAC0", "#D5D9DC", "#E9EBED"), strict=False))
    palette |= {name: greys[name] for name in others if name in set(frame["taxon"])}
    rank = {name: i for i, name in enumerate(palette)}
    frame = frame.assign(percent=100 * frame["change"], rank=frame["taxon"].map(rank))
    y = alt.Y("title:N", title=None, sort=titles, axis=alt.Axis(ticks=False, labelLimit=330, labelPadding=8))
    bars = (
        alt.Chart(frame)
        .mark_bar(height=13, stroke="white", strokeWidth=0.5)
        .encode(
            y=y,
            x=alt.X("percent:Q", title="mean change from baseline (percentage points)", stack="zero"),
            color=alt.Color(
                "taxon:N", title=None, scale=scale_of(palette), legend=alt.Legend(columns=3, labelLimit=250)
            ),
            order=alt.Order("rank:Q"),
            tooltip=tips("title:N", "taxon:N", "subjects:Q", percent=".4f"),
        )
    )
    net = frame.drop_duplicates("title").assign(net=lambda rows: 100 * rows["function_change"])
    mark = alt.Chart(net).mark_tick(color=INK, thickness=2, size=15)
    total = mark.encode(y=y, x=alt.X("net:Q", title=None), tooltip=tips("title:N", net=".4f"))
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=SOFT, strokeWidth=0.8).encode(x="x:Q")
    chart = alt.layer(bars, zero, total).properties(width=FIGURE_WIDTH - 360, height=alt.Step(20))
    return finish(chart, "Mean change of functions by the taxa it comes from.")
