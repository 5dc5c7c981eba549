"""Figure of what each sample can show."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import INK, finish, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH

__all__ = ["limits"]

_SPREAD = 3  # places beside each other within a group


def limits(frame: pd.DataFrame, palette: dict[str, str]) -> Any:
    """Draw the limit of detection of each sample (log scale) by time point, the groups beside each other.

    Parameters
    ----------
    frame
        ``sample, subject, time, group, limit, taxa, source``; time points in the order of the rows.
    palette
        Group and its colour, in order.
    """
    times = list(dict.fromkeys(frame["time"]))
    # Spread by rank, not by chance: the same input gives the same picture.
    rank = frame.sort_values("limit", kind="stable").groupby(["time", "group"]).cumcount() % _SPREAD
    place = frame["group"].map({name: i for i, name in enumerate(palette)})
    places = [str(i) for i in range(len(palette) * (_SPREAD + 1) - 1)]
    middle = place * (_SPREAD + 1) + _SPREAD // 2
    frame = frame.assign(place=(place * (_SPREAD + 1) + rank).astype(str))
    medians = (
        frame.assign(place=middle.astype(str)).groupby(["time", "group", "place"], as_index=False)["limit"].median()
    )
    x = alt.X("time:N", title=None, sort=times, axis=alt.Axis(labelAngle=0, ticks=False, labelPadding=6))
    offset = alt.XOffset("place:N", scale=alt.Scale(domain=places))
    y = alt.Y(
        "limit:Q",
        title="limit of detection (log scale)",
        scale=alt.Scale(type="log", nice=False, padding=10),
        axis=alt.Axis(format=".0e", tickCount=5),
    )
    color = alt.Color("group:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1))
    dots = (
        alt.Chart(frame)
        .mark_point(filled=True, size=40, opacity=0.7)
        .encode(
            x=x,
            xOffset=offset,
            y=y,
            color=color,
            tooltip=[*tips("sample:N", "subject:N", "group:N", "time:N", limit=".2e"), *tips("taxa:Q", "source:N")],
        )
    )
    ticks = (
        alt.Chart(medians)
        .mark_tick(color=INK, thickness=2, size=26)
        .encode(
            x=x,
            xOffset=offset,
            y=y,
            tooltip=[*tips("time:N", "group:N"), alt.Tooltip("limit:Q", title="median", format=".2e")],
        )
    )
    chart = alt.layer(dots, ticks).properties(width=FIGURE_WIDTH - 80, height=220)
    return finish(chart, "Limit of detection of each sample by time point and group.")
