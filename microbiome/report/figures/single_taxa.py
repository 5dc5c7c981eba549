"""Figures of single taxa: most lost and most engrafted by group, and how long taxa are retained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import finish, group_shapes_of, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH

__all__ = ["retention", "retention_of_taxa", "taxon_rates"]

_LABELS, _COUNTS, _STEP = 270, 84, 25
_PER_ROW = 4


def taxon_rates(frame: pd.DataFrame, palette: Mapping[str, str], title: str) -> Any:
    """Draw, per taxon, the share of each group in whom it happened, with its interval; the counts stand on the right.

    Parameters
    ----------
    frame
        ``name, group, rate, ci_low, ci_high, n_event, n_at_risk, count`` (text); names in the order of the rows.
    palette
        Group and its colour, in order.
    title
        Of the axis.
    """
    names = list(dict.fromkeys(frame["name"]))
    groups = list(palette)
    width = FIGURE_WIDTH - _LABELS - _COUNTS * len(groups) - 50
    height = _STEP * len(names)
    y = alt.Y(
        "name:N",
        title=None,
        sort=names,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(ticks=False, labelLimit=_LABELS, grid=True, gridColor="#F1F2F3"),
    )
    offset = alt.YOffset("group:N", sort=groups, scale=alt.Scale(domain=groups, paddingOuter=0.6))
    color = alt.Color("group:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1))
    tooltip = [
        *tips("name:N", "group:N", rate=".3f", ci_low=".3f", ci_high=".3f", n_event=".3~g"),
        *tips("n_at_risk:Q"),
    ]
    base = alt.Chart(frame).encode(y=y, yOffset=offset, color=color, tooltip=tooltip)
    axis = alt.Axis(grid=True, format=".0%", tickCount=5)
    x = alt.X("rate:Q", title=title, scale=alt.Scale(domain=[0, 1], nice=False, padding=6), axis=axis)
    rule = base.mark_rule(strokeWidth=1.6, opacity=0.55).encode(x=alt.X("ci_low:Q", title=title), x2="ci_high:Q")
    point = base.mark_point(filled=True, size=50, opacity=1).encode(
        x=x, shape=alt.Shape("group:N", title=None, scale=scale_of(group_shapes_of(groups)))
    )
    charts: list[Any] = [alt.layer(rule, point).properties(width=width, height=height)]
    for group in groups:
        part = frame[frame["group"] == group]
        texts = (
            alt.Chart(part)
            .mark_text(align="right", color=palette[group], fontSize=10.5)
            .encode(
                x=alt.value(_COUNTS - 14),
                y=alt.Y("name:N", title=None, sort=names, scale=alt.Scale(domain=names), axis=None),
                text="count:N",
            )
        )
        # Only a name that is short is not cut by the next column.
        head = alt.TitleParams(group if len(group) <= 14 else group[:13] + "…", anchor="end", dx=-12, fontSize=11)
        charts.append(texts.properties(width=_COUNTS, height=height, title=head))
    return finish(alt.hconcat(*charts, spacing=4), f"{title} by taxon and group.")


def retention(frame: pd.DataFrame, palette: Mapping[str, str]) -> Any:
    """Draw the share of the baseline taxa that is still present at each visit, with its interval, a line per group.

    Parameters
    ----------
    frame
        ``group, day_median, retention, ci_low, ci_high, n_subjects, n_samples``.
    palette
        Group and its colour, in order.
    """
    chart = _curve(frame, palette, (FIGURE_WIDTH - 90, 200), "share of baseline taxa present")
    return finish(chart, "Share of the baseline taxa still present, by day.")


def retention_of_taxa(frame: pd.DataFrame, palette: Mapping[str, str]) -> Any:
    """Draw the same for single taxa, a small panel each: share of the subjects who had it that still have it.

    Parameters
    ----------
    frame
        As for :func:`retention`, and ``name`` of the taxon, in the order of the panels.
    palette
        As for :func:`retention`.
    """
    names = list(dict.fromkeys(frame["name"]))
    width = (FIGURE_WIDTH - 60 - 26 * (_PER_ROW - 1)) / _PER_ROW
    chart = _curve(frame, palette, (width, 110), None)
    facet = alt.Facet("name:N", title=None, sort=names, header=alt.Header(labelLimit=width, labelFontSize=10.5))
    grid = chart.facet(facet=facet, columns=_PER_ROW, spacing={"row": 16, "column": 26})
    return finish(grid, "Share of the subjects who still have a taxon, by day.")


def _curve(frame: pd.DataFrame, palette: Mapping[str, str], size: tuple[float, float], title: str | None) -> Any:
    last = max(float(frame["day_median"].max()), 1.0)
    shift = {name: (i - (len(palette) - 1) / 2) * 0.02 * last for i, name in enumerate(palette)}
    start = frame.drop_duplicates([name for name in ("name", "group") if name in frame])
    start = start.assign(day=0.0, retention=1.0, ci_low=float("nan"), ci_high=float("nan"), start=True)
    frame = frame.assign(day=frame["day_median"] + frame["group"].map(shift), start=False)
    color = alt.Color("group:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1))
    x = alt.X(
        "day:Q",
        title="day" if title else None,
        scale=alt.Scale(domain=[0, last * 1.05], nice=False),
        axis=alt.Axis(tickMinStep=1, tickCount=4),
    )
    y = alt.Y(
        "retention:Q",
        title=title,
        scale=alt.Scale(domain=[0, 1.02], nice=False),
        axis=alt.Axis(format=".0%", tickCount=5 if title else 3),
    )
    tooltip = [
        *tips("group:N", retention=".3f", ci_low=".3f", ci_high=".3f"),
        *tips("n_subjects:Q", "n_samples:Q"),
    ]
    # The line begins at day 0, where everything of the baseline is there.
    path = alt.Chart().mark_line(strokeWidth=1.8).encode(x=x, y=y, color=color, order="day:Q")
    base = alt.Chart().transform_filter("!datum.start").encode(x=x, color=color, tooltip=tooltip)
    rule = base.mark_rule(strokeWidth=1.6, opacity=0.6).encode(y=alt.Y("ci_low:Q", title=title), y2="ci_high:Q")
    point = base.mark_point(filled=True, size=44, opacity=1).encode(
        y=y, shape=alt.Shape("group:N", title=None, scale=scale_of(group_shapes_of(palette)))
    )
    data = pd.concat([start, frame], ignore_index=True)
    return alt.layer(path, rule, point, data=data).properties(width=size[0], height=size[1])
