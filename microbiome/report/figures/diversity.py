"""Figures of alpha diversity, ordination and similarity."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import (
    INK,
    SOFT,
    counted,
    finish,
    limits,
    over_time,
    panels,
    present,
    rows_of,
    scale_of,
    tips,
)
from microbiome.report.roster import Scheme
from microbiome.report.theme import FIGURE_WIDTH, KIND_SHAPES

__all__ = ["alpha", "ordination", "similarity"]

_HEIGHT = 210
_MOST_PANELS = 4  # beside each other
_ORDINATION = (370, 330)  # two beside each other


def alpha(frame: pd.DataFrame, by: Scheme, metric: str, title: str) -> Any:
    """Draw one alpha diversity over time, a line per subject, a panel per group and one for the donors.

    Parameters
    ----------
    frame
        ``sample, subject, role, day, arm, response`` and the metric; rows without a value or, for recipients, without a
        day are not drawn.
    by
        What colour and panel mean.
    metric, title
        Column, and title of the axis.
    """
    known = frame[frame[metric].notna()]
    domain = limits(known[metric])
    donors = known[known["role"] == "donor"]
    patients = known[(known["role"] != "donor") & known["day"].notna()]
    parts = panels(patients, by) if len(patients) else []
    names = list(dict.fromkeys(donors["subject"]))
    strip_width = min(150, 34 + 20 * len(names)) if names else 0
    per_row = max(1, min(len(parts), _MOST_PANELS))
    room = FIGURE_WIDTH - 52 - (strip_width + 18 if strip_width else 0) - 18 * (per_row - 1)
    days = _days(patients)
    charts = [
        over_time(part, by, metric, title, domain, (room / per_row, _HEIGHT), i % per_row == 0, days).properties(
            title=name
        )
        for i, (name, part) in enumerate(parts)
    ]
    if names:
        strip = (
            alt.Chart(donors)
            .mark_point(shape="diamond", filled=True, size=46, color=INK, opacity=0.75)
            .encode(
                x=alt.X(
                    "subject:N",
                    title=None,
                    sort=names,
                    axis=alt.Axis(labelAngle=-45 if len(names) > 1 else 0, labelLimit=70, ticks=False, labelPadding=4),
                ),
                y=alt.Y(
                    f"{metric}:Q",
                    title=None if parts else title,
                    scale=alt.Scale(domain=domain, nice=False, zero=False),
                    axis=alt.Axis(labels=not parts, ticks=not parts, tickCount=5),
                ),
                tooltip=[*tips("subject:N", "sample:N"), alt.Tooltip(f"{metric}:Q", title=title, format=".4~g")],
            )
            .properties(width=strip_width, height=_HEIGHT, title=counted("donors", donors["subject"]))
        )
        charts.append(strip)
    return finish(rows_of(charts, per_row + bool(names)), f"{title} over time, a line per subject.")


def ordination(frame: pd.DataFrame, by: Scheme, explained: tuple[float, ...], name: str) -> Any:
    """Draw the first two axes in one scale: colour by group, shape by kind, a thin line along a subject's days.

    Parameters
    ----------
    frame
        ``sample, subject, kind, day, group, axis_1, axis_2``.
    by
        What the colour of `group` means.
    explained
        Fractions of the variation that the axes explain; empty when unknown.
    name
        Of the distance.
    """
    width, height = _ORDINATION
    spans = [limits(frame[axis]) for axis in ("axis_1", "axis_2")]
    # One unit is as long on either axis, as the eye compares distances; and all ordinations have one size.
    unit = max((spans[0][1] - spans[0][0]) / width, (spans[1][1] - spans[1][0]) / height)
    spans = [_widened(spans[0], unit * width), _widened(spans[1], unit * height)]

    def axis(i: int) -> str:
        return f"axis {i + 1}" + (f" ({explained[i]:.1%})" if len(explained) > i else "")

    def scale(i: int) -> alt.Scale:
        return alt.Scale(domain=spans[i], nice=False, zero=False)

    palette = present(frame["group"], {**by.colours, "donor": INK})
    # Donors are told by their shape: in the legend of the groups they would stand twice.
    legend = alt.Legend(
        symbolOpacity=1, symbolType="circle", columns=3, values=[name for name in palette if name != "donor"]
    )
    x = alt.X("axis_1:Q", title=axis(0), scale=scale(0), axis=alt.Axis(grid=True, tickCount=5))
    y = alt.Y("axis_2:Q", title=axis(1), scale=scale(1), axis=alt.Axis(tickCount=5))
    color = alt.Color("group:N", title=None, scale=scale_of(palette), legend=legend)
    trails = frame[(frame["kind"] != "donor") & frame["day"].notna()]
    path = (
        alt.Chart(trails)
        .mark_line(strokeWidth=1, opacity=0.3)
        .encode(x=x, y=y, color=color, detail="subject:N", order="day:Q")
    )
    point = (
        alt.Chart(frame)
        .mark_point(filled=True, size=58, opacity=0.85, stroke="white", strokeWidth=0.6)
        .encode(
            x=x,
            y=y,
            color=color,
            shape=alt.Shape(
                "kind:N",
                title=None,
                scale=scale_of(present(frame["kind"], KIND_SHAPES)),
                legend=alt.Legend(symbolFillColor=SOFT, symbolStrokeColor="white", columns=5),
            ),
            tooltip=tips("subject:N", "sample:N", "day:Q", "kind:N", "group:N"),
        )
    )
    chart = alt.layer(path, point).properties(width=width, height=height)
    return finish(chart, f"Principal coordinates of {name}: first two axes.")


def similarity(frame: pd.DataFrame, by: Scheme, title: str, references: dict[str, str]) -> Any:
    """Draw similarity (or distance) over time to each reference, a panel each.

    Parameters
    ----------
    frame
        Long: ``sample, subject, day, arm, response, reference, value``.
    by
        What the colour means.
    title
        Of the axis.
    references
        Value of ``reference`` and the title of its panel.
    """
    known = frame.dropna(subset=["value", "day"])
    domain, days = limits(known["value"]), _days(known)
    shown = {key: name for key, name in references.items() if (known["reference"] == key).any()}
    width = (FIGURE_WIDTH - 52 - 18 * (len(shown) - 1)) / max(len(shown), 1)
    charts = []
    for i, (key, name) in enumerate(shown.items()):
        part = known[known["reference"] == key]
        chart = over_time(part, by, "value", title, domain, (width, _HEIGHT + 10), i == 0, days)
        charts.append(chart.properties(title=counted(name, part["subject"])))
    return finish(alt.hconcat(*charts), f"{title} over time.")


def _days(frame: pd.DataFrame) -> list[float]:
    days = frame["day"].dropna().astype(float)
    if days.empty:
        return [0.0, 1.0]
    low, high = min(float(days.min()), 0.0), float(days.max())
    return [low, high if high > low else low + 1]


def _widened(span: list[float], length: float) -> list[float]:
    middle = sum(span) / 2
    return [middle - length / 2, middle + length / 2]
