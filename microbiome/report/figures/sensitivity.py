"""Figures of what a finding hangs on: signs and effects over thresholds, depths, rates and units of analysis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY, finish, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH

__all__ = ["over_thresholds", "signs", "thresholds"]

_LABELS, _GAP = 120, 14
_TILE = 15


def signs(frame: pd.DataFrame, palette: Mapping[str, str], methods: Mapping[str, str]) -> Any:
    """Draw the direction of every effect as a tile: rates in rows, units of analysis in columns, thresholds on x.

    Parameters
    ----------
    frame
        ``title`` (of the rate), ``method, threshold, depth, sign, effect, ci_low, ci_high, p_value, taxa_per_sample,
        n_subjects, n_samples``; rates, thresholds and depths in the order of the rows.
    palette
        Value of ``sign`` and its colour, in order.
    methods
        Method and its title, in order.
    """
    frame, names, columns = _titled(frame, methods)
    thresholds, depths = (list(dict.fromkeys(frame[name])) for name in ("threshold", "depth"))
    width = (FIGURE_WIDTH - _LABELS - 96 - _GAP * (len(columns) - 1)) / len(columns)
    tile = (
        alt.Chart(frame)
        .mark_rect()
        .encode(
            x=alt.X(
                "threshold:O",
                title="detection threshold",
                sort=thresholds,
                scale=alt.Scale(domain=thresholds, paddingInner=0.08),
                axis=alt.Axis(ticks=False, labelAngle=-45, domain=False),
            ),
            y=alt.Y(
                "depth:N",
                title=None,
                sort=depths,
                scale=alt.Scale(domain=depths, paddingInner=0.12),
                axis=alt.Axis(ticks=False, domain=False, labelFontSize=10, labelPadding=4, grid=False),
            ),
            color=alt.Color(
                "sign:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolType="square", columns=2)
            ),
            tooltip=[
                *tips("title:N", "analysis:N", "threshold:N", "depth:N", "sign:N"),
                *tips(effect=".3f", ci_low=".3f", ci_high=".3f", p_value=".3g", taxa_per_sample=".0f"),
                *tips("n_subjects:Q", "n_samples:Q"),
            ],
        )
        .properties(width=width, height=max(_TILE * len(depths), 24))
    )
    grid = tile.facet(row=_row(names), column=_column(columns), spacing={"row": 9, "column": _GAP})
    return finish(grid, "Direction of every effect over thresholds, depths, rates and methods.")


def _titled(frame: pd.DataFrame, methods: Mapping[str, str]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Add ``rows`` (name of the rate, on two lines where it is long) and ``analysis``; return both in order."""
    frame = frame.assign(rows=frame["title"].map(_broken), analysis=frame["method"].map(methods))
    columns = [words for words in methods.values() if (frame["analysis"] == words).any()]
    return frame, list(dict.fromkeys(frame["rows"])), columns


def _row(names: Sequence[str]) -> Any:
    # A list of texts is a text of several lines; aligned to the left all names end at the panels.
    header = alt.Header(
        labelAngle=0, labelAlign="left", labelPadding=8, labelLimit=_LABELS, labelExpr="split(datum.label, '\\n')"
    )
    return alt.Row("rows:N", title=None, sort=list(names), header=header)


def _column(names: Sequence[str]) -> Any:
    return alt.Column(
        "analysis:N", title=None, sort=list(names), header=alt.Header(labelLimit=280, labelAnchor="start")
    )


def _broken(title: str) -> str:
    """Put a long name on two lines."""
    if len(title) <= 20:
        return title
    words = title.split(" ")
    half = (len(words) + 1) // 2
    return f"{' '.join(words[:half])}\n{' '.join(words[half:])}"


def _every_panel(frame: pd.DataFrame) -> pd.DataFrame:
    """Add an unseen point for each panel without any: a grid of facets closes up over gaps, under the wrong titles."""
    there = set(zip(frame["rows"], frame["analysis"], strict=True))
    every = itertools.product(dict.fromkeys(frame["rows"]), dict.fromkeys(frame["analysis"]))
    gaps = [pair for pair in every if pair not in there]
    if not gaps:
        return frame.assign(unseen=False)
    filler = pd.concat([frame.iloc[[0]]] * len(gaps), ignore_index=True)
    filler = filler.assign(
        rows=[row for row, _ in gaps],
        analysis=[analysis for _, analysis in gaps],
        effect=0.0,
        ci_low=0.0,
        ci_high=0.0,
        clear=False,
        unseen=True,
    )
    return pd.concat([frame.assign(unseen=False), filler], ignore_index=True)


def over_thresholds(frame: pd.DataFrame, palette: Mapping[str, str], methods: Mapping[str, str]) -> Any:
    """Draw effects with intervals over thresholds, as sequenced: rates in rows, units of analysis in columns.

    Parameters
    ----------
    frame
        As for :func:`signs`, of one depth, with ``scale``, ``higher`` (the group) and ``clear`` (p < 0.05: filled).
    palette
        Group and its colour.
    methods
        As for :func:`signs`.
    """
    known = frame.dropna(subset=["effect"])
    # A panel without any interval would have no axis.
    ends = {name: known[name].fillna(known["effect"]) for name in ("ci_low", "ci_high")}
    frame, names, columns = _titled(known.assign(**ends), methods)
    frame = _every_panel(frame)
    thresholds = list(dict.fromkeys(frame["threshold"]))
    width = (FIGURE_WIDTH - _LABELS - 40 * len(columns) - _GAP * (len(columns) - 1)) / len(columns)
    x = alt.X(
        "threshold:O",
        title="detection threshold",
        sort=thresholds,
        scale=alt.Scale(domain=thresholds),
        axis=alt.Axis(ticks=False, labelAngle=-45),
    )
    axis = alt.Axis(tickCount=4, labelFontSize=10, minExtent=30, grid=True)
    y = alt.Y("effect:Q", title=None, scale=alt.Scale(zero=True, nice=False, padding=6), axis=axis)
    color = alt.Color("higher:N", title="higher", scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1))
    tooltip = [
        *tips("title:N", "analysis:N", "threshold:N", "sign:N", effect=".3f", ci_low=".3f", ci_high=".3f"),
        *tips("n_subjects:Q", "n_samples:Q", p_value=".3g"),
    ]
    base = alt.Chart().encode(x=x, color=color, tooltip=tooltip)
    zero = alt.Chart().mark_rule(color=GREY, strokeDash=[3, 3]).encode(y=alt.datum(0))
    rule = base.mark_rule(strokeWidth=1.8, opacity=0.8).encode(y=alt.Y("ci_low:Q", title=None), y2="ci_high:Q")
    rule = rule.encode(opacity=alt.condition("datum.unseen", alt.value(0), alt.value(0.8)))
    inside = alt.Color("higher:N", title="higher", scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1))
    point = base.mark_point(size=46, opacity=1, strokeWidth=1.6).encode(
        y=y,
        fill=alt.condition("datum.clear", inside, alt.value("white")),
        opacity=alt.condition("datum.unseen", alt.value(0), alt.value(1)),
    )
    chart = alt.layer(zero, rule, point, data=frame)
    grid = (
        chart.properties(width=width, height=84)
        .facet(row=_row(names), column=_column(columns), spacing={"row": 14, "column": _GAP})
        .resolve_scale(y="independent")
    )
    return finish(grid, "Effects with intervals over detection thresholds.")


def thresholds(frame: pd.DataFrame, palette: Mapping[str, str]) -> Any:
    """Draw the mean of each rate with its interval over thresholds, a line per depth.

    Parameters
    ----------
    frame
        ``title, threshold, depth, mean_1, mean_1_ci_low, mean_1_ci_high, n_subjects, n_samples``.
    palette
        Depth and its colour, in order.
    """
    names = list(dict.fromkeys(frame["threshold"]))
    titles = list(dict.fromkeys(frame["title"]))
    frame = frame.assign(
        **{f"mean_1_{end}": frame[f"mean_1_{end}"].fillna(frame["mean_1"]) for end in ("ci_low", "ci_high")}
    )
    per_row = 3
    width = (FIGURE_WIDTH - 52 - 34 * (per_row - 1)) / per_row
    charts = []
    for title in titles:
        base = alt.Chart(frame[frame["title"] == title]).encode(
            x=alt.X(
                "threshold:O",
                title="detection threshold",
                sort=names,
                scale=alt.Scale(domain=names),
                axis=alt.Axis(labelAngle=-45),
            ),
            color=alt.Color("depth:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1)),
            tooltip=[
                *tips("threshold:N", "depth:N", mean_1=".3f", mean_1_ci_low=".3f", mean_1_ci_high=".3f"),
                *tips("n_subjects:Q", "n_samples:Q"),
            ],
        )
        y = alt.Y("mean_1:Q", title=None, axis=alt.Axis(tickCount=5))
        offset = alt.XOffset("depth:N", sort=list(palette), scale=alt.Scale(domain=list(palette)))
        rule = base.mark_rule(strokeWidth=1.6, opacity=0.6).encode(
            y=alt.Y("mean_1_ci_low:Q", title=None), y2="mean_1_ci_high:Q", xOffset=offset
        )
        point = base.mark_point(filled=True, size=40, opacity=1).encode(y=y, xOffset=offset)
        charts.append(alt.layer(rule, point).properties(width=width, height=150, title=title))
    rows = [alt.hconcat(*charts[i : i + per_row], spacing=34) for i in range(0, len(charts), per_row)]
    return finish(alt.vconcat(*rows, spacing=16), "Mean rates over detection thresholds and depths.")
