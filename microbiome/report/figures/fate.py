"""Figures of what became of the taxa: rates, and the taxa that engrafted or were depleted most."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import (
    INK,
    SOFT,
    finish,
    group_shapes,
    over_time,
    scale_of,
    tips,
)
from microbiome.report.roster import Scheme
from microbiome.report.theme import FIGURE_WIDTH, OUTCOME_COLOURS

__all__ = ["rates", "taxa"]

_EVENT_COLOURS = {"engrafted": OUTCOME_COLOURS["engrafted"], "depleted": OUTCOME_COLOURS["depleted"]}


def rates(frame: pd.DataFrame, by: Scheme, titles: dict[str, str]) -> Any:
    """Draw each rate over time, a line per subject; or, with one post sample each, as points per group.

    Parameters
    ----------
    frame
        Long: ``subject, sample, day, arm, response, rate, value``, and ``low`` and ``high`` where bounds are known.
    by
        What the colour means.
    titles
        Rate and the title of its panel.
    """
    known = frame.dropna(subset=["value", "day"])
    shown = {key: name for key, name in titles.items() if (known["rate"] == key).any()}
    width = (FIGURE_WIDTH - 52 - 18 * (len(shown) - 1)) / max(len(shown), 1)
    single = int(known.groupby("subject")["sample"].nunique().max()) == 1
    days = [0.0, float(known["day"].max())]
    bounds = ("low", "high") if "low" in known else ()
    charts = []
    for i, (key, name) in enumerate(shown.items()):
        part = known[known["rate"] == key]
        if single:
            chart = _strip(part, by, i == 0, (width, 210), bounds)
        else:
            chart = over_time(part, by, "value", "fraction", [0, 1.04], (width, 210), i == 0, days, bounds)
        charts.append(chart.properties(title=name))
    # Panels have as many groups as have the rate: each needs its own places.
    return finish(
        alt.hconcat(*charts).resolve_scale(x="independent", xOffset="independent"), "Rates of each post sample."
    )


def _strip(frame: pd.DataFrame, by: Scheme, axis: bool, size: tuple[float, float], bounds: tuple[str, ...] = ()) -> Any:
    """Points of one rate per group, side by side; the mean of each group as a bar."""
    groups = [name for name in by.colours if (frame[by.colour] == name).any()]
    # Spread by rank, not by chance: the same input gives the same picture.
    most = int(frame.groupby(by.colour).size().max())
    spread = frame.sort_values("value", kind="stable").groupby(by.colour).cumcount() % max(5, min(most, 15))
    frame = frame.assign(spread=spread)
    x = alt.X(
        f"{by.colour}:N",
        title=None,
        sort=groups,
        axis=alt.Axis(labelAngle=0, ticks=False, labelPadding=6, labelLimit=100),
    )
    offset = alt.XOffset("spread:O", sort="ascending")
    title = "fraction" if axis else None
    y = alt.Y(
        "value:Q",
        title=title,
        scale=alt.Scale(domain=[0, 1.04], nice=False),
        axis=alt.Axis(labels=axis, ticks=axis, tickCount=5),
    )
    color = alt.Color(f"{by.colour}:N", title=None, scale=scale_of(by.colours), legend=alt.Legend(symbolOpacity=1))
    point = (
        alt.Chart(frame)
        .mark_point(filled=True, size=44, opacity=0.85)
        .encode(
            x=x,
            xOffset=offset,
            y=y,
            color=color,
            shape=alt.Shape(f"{by.colour}:N", title=None, scale=scale_of(group_shapes(by))),
            tooltip=[
                *tips("subject:N", "sample:N", "day:Q", "arm:N", "response:N"),
                alt.Tooltip("value:Q", format=".3f"),
                *[alt.Tooltip(f"{name}:Q", title=f"{name} bound", format=".3f") for name in bounds],
            ],
        )
    )
    means = frame.groupby(by.colour, as_index=False)["value"].mean()
    mean = (
        alt.Chart(means)
        .mark_tick(color=INK, thickness=2, size=46)
        .encode(x=x, y=y, tooltip=[*tips(f"{by.colour}:N"), alt.Tooltip("value:Q", title="mean", format=".3f")])
    )
    layers = [point, mean]
    if bounds:
        ends = {"y": alt.Y(f"{bounds[0]}:Q", title=title), "y2": f"{bounds[1]}:Q"}
        span = alt.Chart(frame).mark_rule(strokeWidth=1.6, opacity=0.45)
        layers.insert(0, span.encode(x=x, xOffset=offset, color=color, **ends))
    return alt.layer(*layers).properties(width=size[0], height=size[1])


def taxa(frame: pd.DataFrame, event: str, groups: dict[str, str]) -> Any:
    """Draw, per taxon, the subjects in whom it engrafted or was depleted, over those in whom it could.

    Parameters
    ----------
    frame
        Long: ``name, group, subjects, possible, samples, samples_possible``; names in the order of the rows.
    event
        ``engrafted`` or ``depleted``.
    groups
        Value of ``group`` and the title of its panel.
    """
    names = list(dict.fromkeys(frame["name"]))
    shown = {key: title for key, title in groups.items() if (frame.loc[frame["group"] == key, "possible"] > 0).any()}
    tooltip = tips("name:N", "subjects:Q", "possible:Q", "samples:Q", "samples_possible:Q")
    width = (FIGURE_WIDTH - 320 - 44 * (len(shown) - 1)) / max(len(shown), 1)
    charts = []
    for i, (key, title) in enumerate(shown.items()):
        part = frame[frame["group"] == key]
        part = part.assign(count=part["subjects"].astype(str) + " of " + part["possible"].astype(str))
        y = alt.Y(
            "name:N", title=None, sort=names, axis=alt.Axis(labels=i == 0, ticks=False, labelLimit=265, grid=False)
        )
        axis = alt.Axis(tickMinStep=1, grid=True, format="d", tickCount=6)
        base = alt.Chart(part)
        could = base.mark_bar(color="#DDE3E7", height=11).encode(
            x=alt.X("possible:Q", title="subjects", axis=axis), y=y, tooltip=tooltip
        )
        did = base.mark_bar(color=_EVENT_COLOURS[event], height=11).encode(x="subjects:Q", y=y, tooltip=tooltip)
        text = base.mark_text(align="left", dx=4, color=SOFT, fontSize=10.5).encode(x="possible:Q", y=y, text="count:N")
        charts.append(alt.layer(could, did, text).properties(width=width, height=alt.Step(17), title=title))
    return finish(alt.hconcat(*charts, spacing=34), f"Taxa that were {event} in most subjects.")
