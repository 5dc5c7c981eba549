"""Pieces that several figures are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.roster import Scheme
from microbiome.report.theme import CONFIG

__all__ = [
    "GREY",
    "INK",
    "PALE",
    "SOFT",
    "counted",
    "finish",
    "group_shapes",
    "group_shapes_of",
    "labelled_rows",
    "limits",
    "over_time",
    "panels",
    "present",
    "rows_of",
    "scale_of",
    "short_names",
    "tips",
]

INK, SOFT, GREY, PALE = "#1F2529", "#6B7278", "#9AA1A8", "#D5D9DC"
_GROUP_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def finish(chart: Any, description: str) -> Any:
    """Give a chart the settings of the page and the text that screen readers say for it."""
    return chart.properties(description=description).configure(**CONFIG)


def scale_of(mapping: Mapping[str, str]) -> alt.Scale:
    """Return the scale that gives each name its colour or shape."""
    return alt.Scale(domain=list(mapping), range=list(mapping.values()))


def present(values: pd.Series, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the part of `mapping` whose names occur, in its order: a legend lists nothing else."""
    seen = set(values)
    return {name: value for name, value in mapping.items() if name in seen}


def short_names(most: int) -> str:
    """Return the expression of labels of at most `most` letters: the middle is left out, as ids often end alike."""
    half = (most - 1) // 2
    short = f"slice(datum.label, 0, {half}) + '…' + slice(datum.label, -{half})"
    return f"length(datum.label) > {most} ? {short} : datum.label"


def tips(*fields: str, **formats: str) -> list[alt.Tooltip]:
    """Return tooltips for ``name:TYPE`` fields, titled by name; `formats` are of further quantitative fields."""
    plain = [alt.Tooltip(field, title=field.split(":")[0].replace("_", " ")) for field in fields]
    return plain + [
        alt.Tooltip(f"{name}:Q", title=name.replace("_", " "), format=form) for name, form in formats.items()
    ]


def labelled_rows(labels: Sequence[str], width: float, named: bool) -> alt.Y:
    """Return a row for each label, the same in every panel; only the first is `named`, in at most `width` pixels."""
    return alt.Y(
        "label:N",
        title=None,
        sort=labels,
        scale=alt.Scale(domain=labels),
        axis=alt.Axis(labels=named, ticks=False, labelLimit=width, labelPadding=8),
    )


def limits(values: pd.Series) -> list[float]:
    """Return the limits of an axis: the values with a little room on either side."""
    smallest, largest = float(values.min()), float(values.max())
    room = 0.06 * (largest - smallest) or 0.05 * abs(largest) or 0.5
    return [smallest - room, largest + room]


def group_shapes(by: Scheme) -> dict[str, str]:
    """Return a shape for each group, so that colour is not alone in telling them apart."""
    return group_shapes_of(by.colours)


def group_shapes_of(names: Iterable[str]) -> dict[str, str]:
    """Return a shape for each name, in order."""
    return {name: _GROUP_SHAPES[i % len(_GROUP_SHAPES)] for i, name in enumerate(names)}


def counted(name: str, subjects: pd.Series) -> str:
    """Return the title of a panel with its number of subjects."""
    return f"{name} · n = {subjects.nunique()}"


def panels(frame: pd.DataFrame, by: Scheme) -> list[tuple[str, pd.DataFrame]]:
    """Split a frame into the panels of the page: (title, rows)."""
    if not by.panel:
        return [(counted("recipients", frame["subject"]), frame)]
    names = [name for name in dict.fromkeys(frame[by.panel]) if isinstance(name, str)]
    if by.panel == by.colour:
        names = [name for name in by.colours if name in names]
    parts = [(name, frame[frame[by.panel] == name]) for name in names]
    return [(counted(name, part["subject"]), part) for name, part in parts]


def rows_of(charts: Sequence[Any], per_row: int) -> Any:
    """Put charts beside each other, `per_row` at most, further ones below."""
    rows = [list(charts[i : i + per_row]) for i in range(0, len(charts), per_row)]
    if len(rows) == 1:
        return alt.hconcat(*rows[0])
    return alt.vconcat(*[alt.hconcat(*row) for row in rows])


def over_time(
    frame: pd.DataFrame,
    by: Scheme,
    value: str,
    title: str,
    domain: Sequence[float],
    size: tuple[float, float],
    axis: bool,
    days: Sequence[float],
    bounds: Sequence[str] = (),
) -> Any:
    """Draw one panel of values over days: a thin line and points per subject, a dashed rule at the first dose.

    Parameters
    ----------
    frame
        ``subject, sample, day``, the column that `by` colours by, and `value`.
    by
        What the colour means.
    value, title
        Column and its title.
    domain, days
        Limits of the two axes, the same in each panel of a figure.
    size
        Width and height in pixels.
    axis
        Whether the value axis is labelled: the first panel of a row.
    bounds
        Columns of the lower and upper bound of each value, drawn as a line through its point; empty for none.
    """
    many = frame["subject"].nunique() > 40
    base = alt.Chart(frame).encode(
        x=alt.X(
            "day:Q",
            title="day",
            scale=alt.Scale(domain=list(days), nice=False, zero=False, padding=8),
            axis=alt.Axis(tickMinStep=1, tickCount=max(2, min(6, int(size[0] / 55)))),
        ),
        y=alt.Y(
            f"{value}:Q",
            title=title if axis else None,
            scale=alt.Scale(domain=list(domain), nice=False, zero=False),
            axis=alt.Axis(labels=axis, ticks=axis, tickCount=5),
        ),
        color=alt.Color(f"{by.colour}:N", title=None, scale=scale_of(by.colours), legend=alt.Legend(symbolOpacity=1)),
    )
    line = base.mark_line(strokeWidth=1.3, opacity=0.3 if many else 0.5).encode(detail="subject:N")
    point = base.mark_point(filled=True, size=30 if many else 46, opacity=0.65 if many else 0.9).encode(
        shape=alt.Shape(f"{by.colour}:N", title=None, scale=scale_of(group_shapes(by))),
        tooltip=[
            *tips("subject:N", "arm:N", "response:N", "sample:N", "day:Q"),
            alt.Tooltip(f"{value}:Q", title=title, format=".4~g"),
            *[alt.Tooltip(f"{name}:Q", title=f"{name} bound", format=".4~g") for name in bounds],
        ],
    )
    start = alt.Chart(pd.DataFrame({"day": [0]})).mark_rule(color=GREY, strokeDash=[3, 3]).encode(x="day:Q")
    layers = [start, line, point] if days[0] <= 0 <= days[1] else [line, point]
    if bounds:
        layers.insert(-1, base.mark_rule(strokeWidth=1.6, opacity=0.45).encode(y=f"{bounds[0]}:Q", y2=f"{bounds[1]}:Q"))
    return alt.layer(*layers).properties(width=size[0], height=size[1])
