"""Figures of toxicity: worst grades of the recipients of each group, and the time to a severe event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import SOFT, finish, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH, GRADE_COLOURS

__all__ = ["NO_EVENT", "grade_bars", "incidence"]

#: Grade 0: no adverse event.
NO_EVENT = "none"
_COLOURS = {NO_EVENT: "#E6E9EB", **GRADE_COLOURS}


def grade_bars(frame: pd.DataFrame) -> Any:
    """Draw how many recipients of each group had which worst grade, a panel per factor.

    Parameters
    ----------
    frame
        ``title`` (of the panel), ``label`` (of the group), ``grade``, ``events``, ``n``, and ``severe``: how many are
        severe, of how many, in words.
    """
    titles = list(dict.fromkeys(frame["title"]))
    left = min(180, 7 * max(len(str(name)) for name in frame["label"]) + 14)
    frame = frame.assign(
        grade_name=frame["grade"].map(lambda value: NO_EVENT if value == 0 else str(int(value))),
        rank=frame["grade"].astype(int),
        share=frame["events"] / frame["n"],
    )
    most = int(frame["n"].max())
    charts = []
    for title in titles:
        part = frame[frame["title"] == title]
        labels = list(dict.fromkeys(part["label"]))
        y = alt.Y(
            "label:N",
            title=None,
            sort=labels,
            axis=alt.Axis(ticks=False, labelLimit=left, labelPadding=8, minExtent=left, maxExtent=left),
        )
        x = alt.X(
            "events:Q",
            title="recipients" if title == titles[-1] else None,
            stack="zero",
            scale=alt.Scale(domain=[0, most], nice=False),
            axis=alt.Axis(tickMinStep=1, format="d", grid=True, tickCount=8),
        )
        bars = (
            alt.Chart(part[part["events"] > 0])
            .mark_bar(height=14, stroke="white", strokeWidth=0.8)
            .encode(
                x=x,
                y=y,
                color=alt.Color("grade_name:N", title="Worst grade", scale=scale_of(_COLOURS)),
                order=alt.Order("rank:Q", sort="descending"),
                tooltip=tips("label:N", "grade_name:N", "events:Q", "n:Q", share=".0%"),
            )
        )
        ends = part.drop_duplicates("label").assign(events=part.drop_duplicates("label")["n"])
        text = alt.Chart(ends).mark_text(align="left", dx=6, fontSize=10.5, color=SOFT)
        words = text.encode(x=alt.X("events:Q", title=None), y=y, text="severe:N")
        charts.append(
            alt.layer(bars, words).properties(width=FIGURE_WIDTH - left - 190, height=alt.Step(21), title=title)
        )
    chart = alt.vconcat(*charts, spacing=14).resolve_scale(color="shared")
    return finish(chart, "Worst grade of adverse events of the recipients of each group.")


def incidence(frame: pd.DataFrame, palette: Mapping[str, str], title: str) -> Any:
    """Draw the share with a severe event by each day, a step line per group with its interval.

    Parameters
    ----------
    frame
        ``group, day, incidence, ci_low, ci_high, at_risk, events, n``.
    palette
        Colour of each group.
    title
        Of the axis.
    """
    frame = frame.sort_values(["group", "day"], kind="stable")
    colour = alt.Color(
        "group:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1, symbolType="stroke")
    )
    x = alt.X("day:Q", title="day (0 = first dose)", scale=alt.Scale(nice=False, padding=6), axis=alt.Axis(tickCount=9))
    y = alt.Y("incidence:Q", title=title, scale=alt.Scale(domain=[0, 1.02], nice=False), axis=alt.Axis(format="%"))
    base = alt.Chart(frame).encode(x=x, color=colour)
    line = base.mark_line(interpolate="step-after", strokeWidth=2).encode(y=y)
    tooltip = tips("group:N", "day:Q", "at_risk:Q", "events:Q", "n:Q", incidence=".3f", ci_low=".3f", ci_high=".3f")
    hidden = base.mark_point(size=60, opacity=0).encode(y=y, tooltip=tooltip)
    known = frame[frame["ci_low"].notna()]
    layers = [line, hidden]
    if len(known) and len(palette) <= 3:
        band = alt.Chart(known).mark_area(interpolate="step-after", opacity=0.12)
        layers.insert(0, band.encode(x=x, y=alt.Y("ci_low:Q", title=title), y2="ci_high:Q", color=colour))
    chart = alt.layer(*layers).properties(width=FIGURE_WIDTH - 90, height=210)
    return finish(chart, "Share of recipients with a severe adverse event by each day.")
