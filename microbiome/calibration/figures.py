"""Figures of the page: type-I error, coverage, depth."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY, INK, finish, scale_of, tips
from microbiome.report.theme import ARM_COLOURS, NEUTRAL, colours, shapes

__all__ = ["coverage_by_size", "rejections"]

_WIDTH = 520
_ROW = 22
_REJECTED = "share with p \u2264 0.05, nothing being true"


def rejections(table: pd.DataFrame, names: list[str]) -> Any:
    """Draw rejection rates: a row per test, a point with its Monte Carlo interval per design.

    Parameters
    ----------
    table
        ``name`` (of the row), ``design``, ``offered``, ``rejected``, ``ci_low``, ``ci_high``, ``trials``.
    names
        Order of the rows.
    """
    known = table[table["rejected"].notna()].copy()
    known["kind"] = known["offered"].map({1: "offered", 0: "shortcut, shown to fail"})
    # Designs of one test stand beside each other.
    order = known.groupby("name").cumcount()
    many = known.groupby("name")["design"].transform("size")
    known["offset"] = (order + 0.5) / many - 0.5
    palette = {"offered": ARM_COLOURS[0], "shortcut, shown to fail": ARM_COLOURS[1]}
    palette = {kind: colour for kind, colour in palette.items() if (known["kind"] == kind).any()}
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=330))
    offset = alt.YOffset("offset:Q", scale=alt.Scale(domain=[-0.6, 0.6]))
    x = alt.X("rejected:Q", title=_REJECTED, scale=alt.Scale(domainMin=0, nice=True))
    colour = alt.Color("kind:N", title=None, scale=scale_of(palette))
    level = alt.Chart(pd.DataFrame({"rejected": [0.05]})).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=x)
    bar = (
        alt.Chart(known)
        .mark_rule(opacity=0.55)
        .encode(y=y, yOffset=offset, x=alt.X("ci_low:Q", title=_REJECTED), x2="ci_high:Q", color=colour)
    )
    point = (
        alt.Chart(known)
        .mark_point(filled=True, size=26, opacity=1)
        .encode(
            y=y,
            yOffset=offset,
            x=x,
            color=colour,
            shape=alt.Shape("kind:N", title=None, scale=scale_of(shapes(palette))),
            tooltip=tips("name:N", "design:N", "trials:Q", rejected=".3f", ci_low=".3f", ci_high=".3f"),
        )
    )
    height = {name: max(_ROW, 7 * int(count)) for name, count in known["name"].value_counts().items()}
    chart = alt.layer(level, bar, point).properties(width=_WIDTH, height=max(height.values()) * len(height))
    return finish(chart, "Rejection rates of each test over the designs, with 0.05 marked.")


def coverage_by_size(table: pd.DataFrame, panels: list[str]) -> Any:
    """Draw coverage against the number of subjects, a line per interval, a panel per quantity.

    Parameters
    ----------
    table
        ``panel``, ``subjects``, ``method``, ``covered``, ``ci_low``, ``ci_high``, ``target``, ``trials``.
    panels
        Order of the panels.
    """
    methods = list(dict.fromkeys(table["method"]))
    palette = colours(methods, ARM_COLOURS)
    marks = shapes(methods)
    low = float(min(table["ci_low"].min(), 0.75))
    charts = []
    for name in panels:
        part = table[table["panel"] == name].copy()
        part["place"] = part["subjects"] * (1 + 0.03 * (part["method"].map(methods.index) - (len(methods) - 1) / 2))
        x = alt.X("place:Q", title="subjects", scale=alt.Scale(type="log", nice=False, padding=14))
        ticks = sorted(part["subjects"].unique().tolist())
        x = alt.X(
            "place:Q",
            title="subjects",
            scale=alt.Scale(type="log", nice=False, padding=14),
            axis=alt.Axis(values=ticks, format="d"),
        )
        y = alt.Y("covered:Q", title="coverage", scale=alt.Scale(domain=[low, 1], nice=False))
        colour = alt.Color("method:N", title=None, scale=scale_of(palette), sort=methods)
        levels = pd.DataFrame({"covered": [0.95, float(part["target"].iloc[0])], "word": ["nominal", "asked for"]})
        rule = (
            alt.Chart(levels)
            .mark_rule(color=NEUTRAL)
            .encode(
                y=y,
                strokeDash=alt.StrokeDash(
                    "word:N", title=None, scale=alt.Scale(domain=["nominal", "asked for"], range=[[1, 0], [4, 3]])
                ),
            )
        )
        bar = (
            alt.Chart(part).mark_rule().encode(x=x, y=alt.Y("ci_low:Q", title="coverage"), y2="ci_high:Q", color=colour)
        )
        line = alt.Chart(part).mark_line(opacity=0.4, strokeWidth=1.2).encode(x=x, y=y, color=colour)
        point = (
            alt.Chart(part)
            .mark_point(filled=True, size=45, opacity=1)
            .encode(
                x=x,
                y=y,
                color=colour,
                shape=alt.Shape("method:N", title=None, scale=scale_of(marks), sort=methods),
                tooltip=tips("method:N", "subjects:Q", "trials:Q", covered=".3f", ci_low=".3f", ci_high=".3f"),
            )
        )
        charts.append(
            alt.layer(rule, line, bar, point).properties(width=330, height=240, title=alt.TitleParams(name, color=INK))
        )
    return finish(alt.hconcat(*charts), "Coverage of nominal 95 % intervals against the number of subjects.")
