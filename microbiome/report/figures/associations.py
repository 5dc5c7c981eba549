"""Figures of associations: all that was tested (volcano), and what passes FDR (network)."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY, INK, SOFT, finish, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH, RESPONSE_COLOURS

__all__ = ["network", "volcano"]

_FOUND = {"q ≤ 0.05": "#0072B2", "not found": "#B4BAC0"}
# Blue and vermilion as for two groups elsewhere: here the direction, told by the dash too.
_SIGNS = dict(zip(("together", "opposite"), list(RESPONSE_COLOURS.values())[:2], strict=True))


def volcano(panels: dict[str, tuple[pd.DataFrame, float, float]]) -> Any:
    """Draw effect against evidence, a panel per kind of effect.

    Parameters
    ----------
    panels
        Title of the effect, its rows (:func:`microbiome.report.association_frames.cloud`), the smallest effect that
        could have been found at p < 0.05, and that at the level of the family; missing where not known.
    """
    width = (FIGURE_WIDTH - 60 * min(len(panels), 2)) / min(len(panels), 2)
    charts = []
    for i, (title, (frame, single, family)) in enumerate(panels.items()):
        frame = frame.assign(what=frame["found"].map({True: "q ≤ 0.05", False: "not found"}))
        reach = float(frame["effect"].abs().max()) * 1.08 or 1.0
        for level in (single, family):
            reach = max(reach, min(level, 1.6 * reach) * 1.02) if level == level else reach
        x = alt.X(
            "effect:Q", title=title, scale=alt.Scale(domain=[-reach, reach], nice=False), axis=alt.Axis(tickCount=7)
        )
        y = alt.Y("evidence:Q", title="−log10 p" if i % 2 == 0 else None, axis=alt.Axis(tickCount=5))
        crowd = bool((frame["pairs"] > 1).any())
        opacity = (
            alt.Opacity(
                "pairs:Q",
                scale=alt.Scale(type="log", domain=[1, max(2, int(frame["pairs"].max()))], range=[0.25, 1]),
                legend=None,
            )
            if crowd
            else alt.value(0.75)
        )
        mark = alt.Chart(frame).mark_point(filled=True, size=26)
        points = mark.encode(
            x=x,
            y=y,
            color=alt.Color("what:N", title=None, scale=scale_of(_FOUND), legend=alt.Legend(symbolOpacity=1)),
            opacity=opacity,
            tooltip=[
                *tips("pair:N", "pairs:Q", effect=".3g"),
                alt.Tooltip("evidence:Q", title="−log10 p", format=".2f"),
            ],
        )
        layers = [points]
        for level, dash, words in ((single, [2, 3], "p < 0.05"), (family, [6, 3], "family")):
            if level == level and level <= reach:
                rows = pd.DataFrame({"effect": [-level, level], "words": [words, words]})
                rule = alt.Chart(rows).mark_rule(color=GREY, strokeDash=dash)
                layers.append(rule.encode(x="effect:Q", tooltip=tips("words:N", effect=".3g")))
        charts.append(alt.layer(*layers).properties(width=width, height=220))
    rows_of = [alt.hconcat(*charts[k : k + 2], spacing=40) for k in range(0, len(charts), 2)]
    return finish(alt.vconcat(*rows_of), "Effect against evidence of every pair tested.")


def network(nodes: pd.DataFrame, edges: pd.DataFrame) -> Any:
    """Draw features as nodes in a column per table, and the associations between them as lines.

    Parameters
    ----------
    nodes, edges
        As :func:`microbiome.report.association_frames.network` returns them.
    """
    most = int(nodes.groupby("table").size().max())
    height = max(120, min(900, 22 * most))
    columns = int(nodes["x"].max())
    x = alt.X(
        "x:Q",
        axis=None,
        scale=alt.Scale(domain=[-0.85 if columns else -1, columns + 0.85], nice=False, zero=False, padding=0),
    )
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[1.04, -0.07], nice=False, zero=False))
    tooltip = [*tips("pair:N", "effect_name:N", effect=".3g"), alt.Tooltip("q_value:Q", title="q", format=".2g")]
    lines = (
        alt.Chart(edges)
        .mark_line(opacity=0.6, strokeWidth=1.6)
        .encode(
            x=x,
            y=y,
            detail="edge:N",
            color=alt.Color("sign:N", title=None, scale=scale_of(_SIGNS)),
            strokeDash=alt.StrokeDash(
                "sign:N", title=None, scale=alt.Scale(domain=["together", "opposite"], range=[[1, 0], [5, 3]])
            ),
            tooltip=tooltip,
        )
    )
    dots = alt.Chart(nodes).mark_point(filled=True, size=60, color=INK, opacity=1)
    layers = [lines, dots.encode(x=x, y=y, tooltip=tips("name:N", "table:N", "partners:Q"))]
    first = nodes["x"] == 0
    left = alt.Chart(nodes[first]).mark_text(align="right", dx=-9, fontSize=11, limit=290, color=INK)
    layers.append(left.encode(x=x, y=y, text="name:N"))
    if (~first).any():
        right = alt.Chart(nodes[~first]).mark_text(align="left", dx=9, fontSize=11, limit=290, color=INK)
        layers.append(right.encode(x=x, y=y, text="name:N"))
    heads = nodes.drop_duplicates("table").assign(y=-0.04)
    head = alt.Chart(heads).mark_text(fontSize=11.5, fontWeight=600, color=SOFT)
    layers.append(head.encode(x=x, y=y, text="table:N"))
    chart = alt.layer(*layers).properties(width=FIGURE_WIDTH - 20, height=height)
    return finish(chart, "Associations that pass the false discovery rate, as lines between features.")
