"""Figures of stacked bars per subject and time point: outcomes in numbers of taxa, and shares of the abundance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import INK, counted, finish, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH, OUTCOME_COLOURS, OUTCOME_ORDER

__all__ = ["decomposition", "outcomes"]

_CELL_SPACING = 14


@dataclass(frozen=True)
class _Look:
    """What a figure of stacked bars measures: title and labels of its axis, outcomes in order, tooltip, limits."""

    title: str
    labels: str
    outcomes: tuple[str, ...]
    tooltip: tuple[Any, ...]
    domain: tuple[float, float]


def outcomes(frame: pd.DataFrame, group: str) -> Any:
    """Draw the seven outcomes as stacked bars: above the line what the post sample holds, below what it lacks.

    A panel per subject with a bar per time point; where each subject has one post sample, one panel with a bar per
    subject.

    Parameters
    ----------
    frame
        As :func:`microbiome.report.counting.outcome_bars` returns it.
    group
        Column by whose values subjects are grouped, or empty.
    """
    totals = frame.groupby(["sample", frame["signed"] < 0])["signed"].sum()
    look = _Look(
        "lacks  ←  taxa  →  holds",
        "format(abs(datum.value), '~s')",
        OUTCOME_ORDER,
        tuple(tips("taxa:Q")),
        (min(float(totals.min()), 0.0) * 1.04, max(float(totals.max()), 0.0) * 1.04),
    )
    return _stacked(frame, group, look, "Outcomes of the taxa of each subject over time, as stacked bars.")


def decomposition(frame: pd.DataFrame, group: str) -> Any:
    """Draw shares of the abundance as stacked bars: above the line of the post sample, below it of the baseline lost.

    Parameters
    ----------
    frame
        As :func:`microbiome.report.counting.share_bars` returns it.
    group
        Column by whose values subjects are grouped, or empty.
    """
    shown = tuple(name for name in OUTCOME_ORDER if (frame["outcome"] == name).any())
    lost = bool((frame["signed"] < 0).any())
    look = _Look(
        "baseline lost  ←  share  →  post sample" if lost else "share of the post sample",
        "format(abs(datum.value), '.0%')",
        shown,
        tuple(tips(share=".1%")),
        (-1.02 if lost else 0.0, 1.02),
    )
    return _stacked(frame, group, look, "Shares of the abundance of each subject over time, as stacked bars.")


def _stacked(frame: pd.DataFrame, group: str, look: _Look, description: str) -> Any:
    frame = frame.assign(rank=frame["outcome"].map({name: i for i, name in enumerate(look.outcomes)}))
    names = list(dict.fromkeys(frame[group])) if group else [""]
    parts = [(name, frame[frame[group] == name] if group else frame) for name in names]
    most = int(frame.groupby("subject")["sample"].nunique().max())
    room = (FIGURE_WIDTH - 62 * len(parts)) / frame["subject"].nunique()
    blocks = []
    for name, part in parts:
        title = counted(name or "recipients", part["subject"])
        if most == 1:
            blocks.append(_bars_by_subject(part, look, title, max(4.0, min(34.0, room))))
        else:
            step = max(20.0, min(34.0, (room - _CELL_SPACING) / most))
            blocks.append(_bars_over_time(part, look, title, most, step))
    total = sum(width for _, width in blocks) + 22 * (len(blocks) - 1)
    charts = [chart for chart, _ in blocks]
    combined = alt.hconcat(*charts, spacing=22) if total <= FIGURE_WIDTH - 10 else alt.vconcat(*charts, spacing=22)
    return finish(combined, description)


def _stack(look: _Look, x: Any, size: float) -> Any:
    bars = (
        alt.Chart()
        .mark_bar(size=size, stroke="white", strokeWidth=0.6)
        .encode(
            x=x,
            y=alt.Y(
                "signed:Q",
                title=look.title,
                stack="zero",
                scale=alt.Scale(domain=list(look.domain), nice=False),
                axis=alt.Axis(labelExpr=look.labels, tickCount=6),
            ),
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=scale_of({name: OUTCOME_COLOURS[name] for name in look.outcomes}),
                legend=alt.Legend(symbolType="square", columns=7, labelExpr="replace(datum.label, '_', ' ')"),
            ),
            order=alt.Order("rank:Q"),
            tooltip=[*tips("subject:N", "arm:N", "response:N", "sample:N", "day:Q", "outcome:N"), *look.tooltip],
        )
    )
    zero = alt.Chart().mark_rule(color=INK, strokeWidth=1).encode(y=alt.datum(0))
    return bars, zero


def _bars_over_time(frame: pd.DataFrame, look: _Look, title: str, most: int, step: float) -> tuple[Any, float]:
    """Facet of one group, with room for `most` bars of `step` pixels in each panel; and its width."""
    subjects = list(dict.fromkeys(frame["subject"]))
    turned = most > 4 or frame["time"].str.len().max() > 3
    cell, spacing = max(46.0, step * most), _CELL_SPACING
    columns = max(1, min(len(subjects), int((FIGURE_WIDTH - 50 + spacing) // (cell + spacing))))
    x = alt.X(
        "time:N",
        title=None,
        sort=alt.EncodingSortField("order", op="min"),
        axis=alt.Axis(labelAngle=-90 if turned else 0, ticks=False, labelPadding=4, domain=False),
    )
    chart = (
        alt.layer(*_stack(look, x, 0.65 * step), data=frame)
        .properties(width=cell, height=180 if len(subjects) <= 40 else 120)
        .facet(
            facet=alt.Facet(
                "subject:N",
                title=None,
                sort=subjects,
                header=alt.Header(labelLimit=cell + 8, labelFontWeight=500, labelPadding=4),
            ),
            columns=columns,
            spacing={"row": 14, "column": spacing},
            title=title,
        )
        .resolve_scale(x="independent")
    )
    return chart, columns * (cell + spacing) + 40


def _bars_by_subject(frame: pd.DataFrame, look: _Look, title: str, step: float) -> tuple[Any, float]:
    """One panel of a group whose subjects have one post sample each, `step` pixels per subject; and its width."""
    subjects = list(dict.fromkeys(frame["subject"]))
    x = alt.X(
        "subject:N",
        title=None,
        sort=subjects,
        axis=alt.Axis(labels=step >= 9, labelAngle=-90, ticks=False, labelPadding=4, labelLimit=90, domain=False),
    )
    chart = alt.layer(*_stack(look, x, 0.62 * step), data=frame)
    return chart.properties(width=alt.Step(step), height=230, title=title), step * len(subjects) + 40
