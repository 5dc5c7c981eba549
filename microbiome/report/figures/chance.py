"""Figures of what was observed beside what chance alone would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY, INK, PALE, SOFT, finish, rows_of, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH

__all__ = ["overall", "recipients"]

_LABELS, _GAP, _STEP = 300, 40, 30
_KINDS = {"observed": INK, "expected": "#D55E00"}
_SHAPES = {"observed": "circle", "expected": "diamond"}
_PER_ROW = 3


def overall(frame: pd.DataFrame) -> Any:
    """Draw what was observed (with its interval) and expected, and beside it the excess with its interval.

    Parameters
    ----------
    frame
        ``title`` (quantity and null), ``observed, observed_ci_low, observed_ci_high, expected, excess, ci_low, ci_high,
        p_value, n_subjects, n_samples``, in the order of the rows.
    """
    titles = list(frame["title"])
    height = _STEP * len(titles) + 10
    width = (FIGURE_WIDTH - _LABELS - _GAP - 30) / 2
    tooltip = [
        *tips("title:N", observed=".3f", expected=".3f", excess=".3f", ci_low=".3f", ci_high=".3f", p_value=".3g"),
        *tips("n_subjects:Q", "n_samples:Q"),
    ]
    y = alt.Y(
        "title:N",
        title=None,
        sort=titles,
        scale=alt.Scale(domain=titles),
        axis=alt.Axis(ticks=False, labelLimit=_LABELS, labelPadding=8, grid=False),
    )
    plain = alt.Y("title:N", title=None, sort=titles, scale=alt.Scale(domain=titles), axis=None)
    axis = alt.Axis(grid=True, tickCount=6)
    base = alt.Chart(frame).encode(y=y, tooltip=tooltip)
    ends = alt.Scale(domain=[0, 1], nice=False)
    join = base.mark_rule(color=PALE, strokeWidth=1.5).encode(
        x=alt.X("expected:Q", title="observed, and expected by chance", scale=ends, axis=axis), x2="observed:Q"
    )
    span = base.mark_rule(color=INK, strokeWidth=2.2).encode(x="observed_ci_low:Q", x2="observed_ci_high:Q")
    long = frame.melt(["title"], ["observed", "expected"], "kind", "value").dropna(subset=["value"])
    dots = (
        alt.Chart(long)
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            x="value:Q",
            y=y,
            color=alt.Color("kind:N", title=None, scale=scale_of(_KINDS), legend=alt.Legend(symbolOpacity=1)),
            shape=alt.Shape("kind:N", title=None, scale=scale_of(_SHAPES)),
            tooltip=tips("title:N", "kind:N", value=".3f"),
        )
    )
    bounds = pd.concat([frame[name] for name in ("excess", "ci_low", "ci_high")]).dropna().abs()
    most = float(bounds.max()) * 1.08 if len(bounds) and bounds.max() > 0 else 1.0
    second = alt.Chart(frame).encode(y=plain, tooltip=tooltip)
    zero = alt.Chart(pd.DataFrame({"excess": [0]})).mark_rule(color=GREY, strokeDash=[3, 3]).encode(x="excess:Q")
    x = alt.X("excess:Q", title="excess", scale=alt.Scale(domain=[-most, most], nice=False), axis=axis)
    lines = second.mark_rule(color=INK, strokeWidth=2.2).encode(x=alt.X("ci_low:Q", title="excess"), x2="ci_high:Q")
    points = second.mark_point(filled=True, size=80, color=INK, opacity=1).encode(x=x)
    left = alt.layer(join, span, dots).properties(width=width, height=height)
    right = alt.layer(zero, lines, points).properties(width=width, height=height)
    return finish(alt.hconcat(left, right, spacing=_GAP), "Observed and expected rates, and the excess.")


def recipients(frame: pd.DataFrame, titles: Mapping[str, str], order: Sequence[str]) -> Any:
    """Draw, for each recipient, what was observed and what would be expected, joined by a line; a panel per quantity.

    Parameters
    ----------
    frame
        ``quantity, subject, group, observed, expected, p_value, p_floor, q_value``.
    titles
        Quantity and the title of its panel, in order.
    order
        Subjects from top to bottom.
    """
    shown = {key: title for key, title in titles.items() if (frame["quantity"] == key).any()}
    names = [name for name in order if name in set(frame["subject"])]
    per_row = min(_PER_ROW, max(len(shown), 1))
    label = min(130, 7 * max((len(name) for name in names), default=0) + 12)
    width = (FIGURE_WIDTH - 30 - label - 22 * (per_row - 1)) / per_row
    step = 16 if len(names) <= 40 else 10
    most = frame[["observed", "expected"]].max().max()
    top = 1.0 if pd.isna(most) or most <= 0 else min(1.0, float(most) * 1.08)
    charts = []
    for i, (quantity, title) in enumerate(shown.items()):
        part = frame[frame["quantity"] == quantity]
        y = alt.Y(
            "subject:N",
            title=None,
            sort=names,
            scale=alt.Scale(domain=names),
            axis=alt.Axis(labels=i % per_row == 0, ticks=False, labelLimit=130, grid=False),
        )
        x = alt.X(
            "value:Q",
            title="fraction",
            scale=alt.Scale(domain=[0, top], nice=False),
            axis=alt.Axis(grid=True, tickCount=5),
        )
        tooltip = [
            *tips("subject:N", "group:N", observed=".3f", expected=".3f", p_value=".3g", p_floor=".3g", q_value=".3g")
        ]
        join = (
            alt.Chart(part)
            .mark_rule(color=SOFT, strokeWidth=1.4)
            .encode(x=alt.X("expected:Q", title="fraction"), x2="observed:Q", y=y, tooltip=tooltip)
        )
        keys = ["subject", "group", "observed", "expected", "p_value", "p_floor", "q_value"]
        long = part[keys].assign(a=part["observed"], b=part["expected"]).melt(keys, ["a", "b"], "kind", "value")
        long = long.assign(kind=long["kind"].map({"a": "observed", "b": "expected"})).dropna(subset=["value"])
        dots = (
            alt.Chart(long)
            .mark_point(filled=True, size=54, opacity=1)
            .encode(
                x=x,
                y=y,
                color=alt.Color("kind:N", title=None, scale=scale_of(_KINDS), legend=alt.Legend(symbolOpacity=1)),
                shape=alt.Shape("kind:N", title=None, scale=scale_of(_SHAPES)),
                tooltip=tooltip,
            )
        )
        charts.append(alt.layer(join, dots).properties(width=width, height=alt.Step(step), title=title))
    return finish(rows_of(charts, per_row), "Observed and expected rates of each recipient.")
