"""Figures of the patients side by side: best change (waterfall), change over time (spider), course (swimmer)."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import (
    GREY,
    INK,
    SOFT,
    counted,
    finish,
    limits,
    present,
    scale_of,
    short_names,
    tips,
)
from microbiome.report.figures.patient_lanes import FOLLOW_UP_SHAPES
from microbiome.report.theme import BEST_RESPONSE_COLOURS, FIGURE_WIDTH, GRADE_COLOURS

__all__ = ["SWIMMER_MARKS", "spider", "swimmer", "waterfall"]

#: Marks of the swimmer plot: shape and fill.
SWIMMER_MARKS = {
    "dose": ("triangle-up", INK),
    "sample": ("circle", "white"),
    "irAE grade ≥ 3": ("square", GRADE_COLOURS["4"]),
    "progression": (FOLLOW_UP_SHAPES["progression"], "white"),
    "death": (FOLLOW_UP_SHAPES["death"], INK),
    "alive at last contact": (FOLLOW_UP_SHAPES["alive at last contact"], INK),
}
_BELOW, _ABOVE = ("dose",), ("irAE grade ≥ 3",)
# Samples are many: smaller, and under what else lies on the bar.
_SAMPLES = ("sample",)
_ON = tuple(name for name in SWIMMER_MARKS if name not in (*_BELOW, *_ABOVE, *_SAMPLES))
_ASIDE = 6
_MANY = 40  # subjects from which lines have no names
_LABEL, _LINE = 100, 11  # width and height of a name at the end of a line, in pixels
_LINES = pd.DataFrame({"value": [-30.0, 20.0]})


def waterfall(frame: pd.DataFrame) -> Any:
    """Draw the best change of each subject as a bar, largest growth first; lines at -30 % and +20 %.

    Parameters
    ----------
    frame
        ``subject, best_change_percent, best_response, arm`` in the order of the bars.
    """
    names = list(frame["subject"])
    step = max(5.0, min(34.0, (FIGURE_WIDTH - 70) / max(len(names), 1)))
    labels = step >= 11
    upright = 6.5 * max((len(str(name)) for name in names), default=0) > step  # Level names would cover each other.
    x = alt.X(
        "subject:N",
        sort=names,
        title=None if labels else f"{len(names)} subjects",
        axis=alt.Axis(
            labels=labels,
            ticks=False,
            labelAngle=-90 if upright else 0,
            labelExpr=short_names(15),
            orient="bottom",
            labelLimit=90,
        ),
    )
    both = [-30.0, 20.0, *frame["best_change_percent"]]
    room = 0.06 * (max(both) - min(both))
    y = alt.Y(
        "best_change_percent:Q",
        title="best change of the sum of diameters (%)",
        scale=alt.Scale(domain=[min(both) - room, max(both) + room], nice=False),
    )
    palette = present(frame["best_response"], BEST_RESPONSE_COLOURS)
    bars = (
        alt.Chart(frame)
        .mark_bar(size=max(3.0, step - 4))
        .encode(
            x=x,
            y=y,
            color=alt.Color("best_response:N", title="Best response", scale=scale_of(palette)),
            tooltip=tips("subject:N", "arm:N", "best_response:N", best_change_percent="+.1f"),
        )
    )
    # A change of 0 has no bar: a tick shows that it was measured.
    ticks = alt.Chart(frame).mark_tick(color=INK, thickness=1.4, size=max(3.0, step - 4)).encode(x=x, y=y)
    rule = alt.Chart(_LINES).mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="value:Q")
    zero = alt.Chart(pd.DataFrame({"value": [0.0]})).mark_rule(color=SOFT, strokeWidth=0.8).encode(y="value:Q")
    chart = alt.layer(rule, bars, ticks, zero).properties(width=alt.Step(step), height=250)
    return finish(chart, "Best change of the sum of diameters from baseline, a bar per subject.")


def spider(frame: pd.DataFrame) -> Any:
    """Draw the change of the sum of diameters over time, a line per subject, named where they are few.

    Parameters
    ----------
    frame
        ``subject, day, change_percent, new_lesion, best_response, arm``.
    """
    palette = present(frame["best_response"], BEST_RESPONSE_COLOURS)
    frame = frame.assign(lesion=frame["new_lesion"].map({1: "new lesion"}).fillna("no new lesion"))
    many = frame["subject"].nunique() > _MANY
    height = 270
    base = alt.Chart(frame).encode(
        x=alt.X(
            "day:Q",
            title="day (0 = first dose)",
            scale=alt.Scale(nice=False, zero=False, padding=10),
            axis=alt.Axis(tickCount=10),
        ),
        y=alt.Y(
            "change_percent:Q",
            title="change of the sum of diameters (%)",
            scale=alt.Scale(domain=limits(pd.concat([frame["change_percent"], _LINES["value"]])), nice=False),
        ),
        color=alt.Color(
            "best_response:N", title="Best response", scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1)
        ),
    )
    tooltip = [*tips("subject:N", "arm:N", "day:Q", "best_response:N", change_percent="+.1f"), *tips("lesion:N")]
    lines = base.mark_line(strokeWidth=1.5, opacity=0.4 if many else 0.7).encode(detail="subject:N")
    marks = base.mark_point(filled=True, size=30 if many else 44, opacity=0.9).encode(
        shape=alt.Shape("lesion:N", title=None, scale=scale_of({"no new lesion": "circle", "new lesion": "diamond"})),
        size=alt.condition("datum.new_lesion === 1", alt.value(110), alt.value(30 if many else 44)),
        tooltip=tooltip,
    )
    rule = alt.Chart(_LINES).mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="value:Q")
    start = alt.Chart(pd.DataFrame({"day": [0]})).mark_rule(color=GREY, strokeDash=[2, 3]).encode(x="day:Q")
    layers = [rule, start, lines, marks]
    if not many:
        text = alt.Chart(end_labels(frame, height)).mark_text(
            align="left", dx=8, fontSize=9.5, color=SOFT, limit=_LABEL
        )
        layers.append(text.encode(x="day:Q", y="label_at:Q", text="subject:N"))
    chart = alt.layer(*layers).properties(width=FIGURE_WIDTH - _LABEL - 10, height=height)
    return finish(chart, "Change of the sum of diameters over time, a line per subject.")


def end_labels(frame: pd.DataFrame, height: float) -> pd.DataFrame:
    """Return the last row of each subject, with ``label_at``: where its name stands, so that none covers another.

    Parameters
    ----------
    frame
        ``subject, day, change_percent``.
    height
        Of the figure, in pixels.
    """
    low, high = limits(pd.concat([frame["change_percent"], _LINES["value"]]))
    ends = frame.sort_values("day", kind="stable").drop_duplicates("subject", keep="last")
    ends = ends.sort_values("change_percent", kind="stable")
    first, last = float(frame["day"].min()), float(frame["day"].max())
    a_day = (FIGURE_WIDTH - _LABEL - 10) / max(last - first, 1.0)
    placed: list[tuple[float, float, float]] = []  # left, right and middle of the labels so far, in pixels
    marks = [(float(day) - first) * a_day for day in ends["day"]]
    heights = [(float(change) - low) / (high - low) * height for change in ends["change_percent"]]
    for mark, middle, name in zip(marks, heights, ends["subject"].astype(str), strict=True):
        left, right = mark + 8, mark + 8 + min(_LABEL, 6 * len(name))
        for from_left, to_right, at in sorted(placed, key=lambda label: label[2]):
            if left < to_right and from_left < right and abs(middle - at) < _LINE:
                middle = at + _LINE
        placed.append((left, right, middle))
    return ends.assign(label_at=[low + middle / height * (high - low) for _, _, middle in placed])


def swimmer(bars: pd.DataFrame, marks: pd.DataFrame) -> Any:
    """Draw the course of each subject as a bar with marks on it, a panel per arm, the longest first.

    Parameters
    ----------
    bars, marks
        As :func:`microbiome.report.clinical_frames.lanes` returns them.
    """
    low = min(0.0, float(marks["day"].min()) if len(marks) else 0.0)
    high = max(float(bars["end"].max()), float(marks["day"].max()) if len(marks) else 1.0, 1.0)
    room = 0.02 * (high - low)
    arms = list(dict.fromkeys(bars.sort_values("arm", kind="stable")["arm"]))
    step = 22 if len(bars) <= _MANY else 16
    left = min(150, 7 * max(len(str(name)) for name in bars["subject"])) + 24
    charts = []
    for i, arm in enumerate(arms):
        last = i == len(arms) - 1
        rows = bars[bars["arm"] == arm]
        chart = _lane(rows, marks, [low - room, high + room], last, bars)
        title = counted(str(arm), rows["subject"])
        charts.append(chart.properties(width=FIGURE_WIDTH - left - 20, height=alt.Step(step), title=title))
    return finish(alt.vconcat(*charts, spacing=14), "Course of each subject, a bar each, with events marked.")


def _lane(rows: pd.DataFrame, marks: pd.DataFrame, extent: list[float], last: bool, everybody: pd.DataFrame) -> Any:
    names = list(rows["subject"])
    y = alt.Y(
        "subject:N",
        title=None,
        sort=names,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(ticks=False, labelLimit=160, labelExpr=short_names(24), labelPadding=8, grid=False),
    )
    axis = alt.Axis(labels=last, ticks=last, domain=last, tickCount=10, tickMinStep=1, grid=True, gridColor="#F3F4F5")
    x = alt.X(
        "day:Q",
        title="day (0 = first dose)" if last else None,
        scale=alt.Scale(domain=extent, nice=False, zero=False, padding=0),
        axis=axis,
    )
    palette = present(everybody["best_response"], BEST_RESPONSE_COLOURS)
    legend = alt.Legend(orient="top")
    roomy = len(everybody) <= _MANY
    aside = _ASIDE if roomy else _ASIDE - 2
    bar = (
        alt.Chart(rows.assign(day=rows["start"]))
        .mark_bar(height=9 if roomy else 7, opacity=0.5, cornerRadius=2)
        .encode(
            x=x,
            x2="end:Q",
            y=y,
            color=alt.Color("best_response:N", title="Best response", scale=scale_of(palette), legend=legend),
            tooltip=[*tips("subject:N", "arm:N", "best_response:N"), alt.Tooltip("end:Q", title="followed to day")],
        )
    )
    layers: list[Any] = [bar]
    seen = present(marks["what"], {name: name for name in SWIMMER_MARKS})
    shapes = {name: SWIMMER_MARKS[name][0] for name in seen}
    fills = {name: SWIMMER_MARKS[name][1] for name in seen}
    under = alt.Legend(orient="bottom")
    inks = dict.fromkeys(seen, INK)
    # Doses below the bar and adverse events above it, so that those of one day stay apart from its sample.
    for names_of, down in ((_BELOW, aside), (_ABOVE, -aside), (_SAMPLES, 0), (_ON, 0)):
        part = marks[marks["what"].isin(names_of) & marks["subject"].isin(set(names))]
        if part.empty:
            continue
        mark = alt.Chart(part)
        size = (26 if names_of == _SAMPLES else 46) if roomy else (18 if names_of == _SAMPLES else 24)
        mark = mark.mark_point(size=size, strokeWidth=1.3, opacity=1, yOffset=down)
        layers.append(
            mark.encode(
                x=x,
                y=y,
                shape=alt.Shape("what:N", title=None, scale=scale_of(shapes), legend=under),
                fill=alt.Fill("what:N", title=None, scale=scale_of(fills), legend=under),
                stroke=alt.Stroke("what:N", title=None, scale=scale_of(inks), legend=under),
                tooltip=tips("subject:N", "what:N", "day:Q", "text:N"),
            )
        )
    return alt.layer(*layers)
