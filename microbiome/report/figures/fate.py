"""Figures of what became of the taxa: outcomes, rates, and the taxa that engrafted or were depleted most."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import (
    INK,
    SOFT,
    counted,
    finish,
    group_shapes,
    over_time,
    scale_of,
    tips,
)
from microbiome.report.roster import Scheme
from microbiome.report.theme import FIGURE_WIDTH, OUTCOME_COLOURS, OUTCOME_ORDER

__all__ = ["outcomes", "rates", "taxa"]

_CELL_SPACING = 14
_EVENT_COLOURS = {"engrafted": OUTCOME_COLOURS["engrafted"], "depleted": OUTCOME_COLOURS["depleted"]}


def outcomes(frame: pd.DataFrame, group: str) -> Any:
    """Draw the seven outcomes as stacked bars: above the line what the post sample holds, below what it lacks.

    A panel per subject with a bar per time point; where each subject has one post sample, one panel with a bar per
    subject.

    Parameters
    ----------
    frame
        As :func:`microbiome.report.roster.outcome_bars` returns it.
    group
        Column by whose values subjects are grouped, or empty.
    """
    frame = frame.assign(rank=frame["outcome"].map({name: i for i, name in enumerate(OUTCOME_ORDER)}))
    totals = frame.groupby(["sample", frame["signed"] < 0])["signed"].sum()
    domain = [min(float(totals.min()), 0.0) * 1.04, max(float(totals.max()), 0.0) * 1.04]
    names = list(dict.fromkeys(frame[group])) if group else [""]
    parts = [(name, frame[frame[group] == name] if group else frame) for name in names]
    most = int(frame.groupby("subject")["sample"].nunique().max())
    room = (FIGURE_WIDTH - 62 * len(parts)) / frame["subject"].nunique()
    blocks = []
    for name, part in parts:
        title = counted(name or "recipients", part["subject"])
        if most == 1:
            blocks.append(_bars_by_subject(part, domain, title, max(4.0, min(34.0, room))))
        else:
            step = max(20.0, min(34.0, (room - _CELL_SPACING) / most))
            blocks.append(_bars_over_time(part, domain, title, most, step))
    total = sum(width for _, width in blocks) + 22 * (len(blocks) - 1)
    charts = [chart for chart, _ in blocks]
    combined = alt.hconcat(*charts, spacing=22) if total <= FIGURE_WIDTH - 10 else alt.vconcat(*charts, spacing=22)
    return finish(combined, "Outcomes of the taxa of each subject over time, as stacked bars.")


def _stack(domain: list[float], x: Any, size: float) -> Any:
    bars = (
        alt.Chart()
        .mark_bar(size=size, stroke="white", strokeWidth=0.6)
        .encode(
            x=x,
            y=alt.Y(
                "signed:Q",
                title="lacks  ←  taxa  →  holds",
                stack="zero",
                scale=alt.Scale(domain=domain, nice=False),
                axis=alt.Axis(labelExpr="format(abs(datum.value), '~s')", tickCount=6),
            ),
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=scale_of({name: OUTCOME_COLOURS[name] for name in OUTCOME_ORDER}),
                legend=alt.Legend(symbolType="square", columns=7, labelExpr="replace(datum.label, '_', ' ')"),
            ),
            order=alt.Order("rank:Q"),
            tooltip=tips("subject:N", "arm:N", "response:N", "sample:N", "day:Q", "outcome:N", "taxa:Q"),
        )
    )
    zero = alt.Chart().mark_rule(color=INK, strokeWidth=1).encode(y=alt.datum(0))
    return bars, zero


def _bars_over_time(frame: pd.DataFrame, domain: list[float], title: str, most: int, step: float) -> tuple[Any, float]:
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
        alt.layer(*_stack(domain, x, 0.65 * step), data=frame)
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


def _bars_by_subject(frame: pd.DataFrame, domain: list[float], title: str, step: float) -> tuple[Any, float]:
    """One panel of a group whose subjects have one post sample each, `step` pixels per subject; and its width."""
    subjects = list(dict.fromkeys(frame["subject"]))
    x = alt.X(
        "subject:N",
        title=None,
        sort=subjects,
        axis=alt.Axis(labels=step >= 9, labelAngle=-90, ticks=False, labelPadding=4, labelLimit=90, domain=False),
    )
    chart = alt.layer(*_stack(domain, x, 0.62 * step), data=frame)
    return chart.properties(width=alt.Step(step), height=230, title=title), step * len(subjects) + 40


def rates(frame: pd.DataFrame, by: Scheme, titles: dict[str, str]) -> Any:
    """Draw each rate over time, a line per subject; or, with one post sample each, as points per group.

    Parameters
    ----------
    frame
        Long: ``subject, sample, day, arm, response, rate, value``.
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
    charts = []
    for i, (key, name) in enumerate(shown.items()):
        part = known[known["rate"] == key]
        if single:
            chart = _strip(part, by, i == 0, (width, 210))
        else:
            chart = over_time(part, by, "value", "fraction", [0, 1.04], (width, 210), i == 0, days)
        charts.append(chart.properties(title=name))
    # Panels have as many groups as have the rate: each needs its own places.
    return finish(
        alt.hconcat(*charts).resolve_scale(x="independent", xOffset="independent"), "Rates of each post sample."
    )


def _strip(frame: pd.DataFrame, by: Scheme, axis: bool, size: tuple[float, float]) -> Any:
    """Points of one rate per group, side by side; the mean of each group as a bar."""
    groups = [name for name in by.colours if (frame[by.colour] == name).any()]
    # Spread by rank, not by chance: the same input gives the same picture.
    spread = frame.sort_values("value").groupby(by.colour).cumcount() % 5
    frame = frame.assign(spread=spread)
    x = alt.X(
        f"{by.colour}:N",
        title=None,
        sort=groups,
        axis=alt.Axis(labelAngle=0, ticks=False, labelPadding=6, labelLimit=100),
    )
    y = alt.Y(
        "value:Q",
        title="fraction" if axis else None,
        scale=alt.Scale(domain=[0, 1.04], nice=False),
        axis=alt.Axis(labels=axis, ticks=axis, tickCount=5),
    )
    point = (
        alt.Chart(frame)
        .mark_point(filled=True, size=44, opacity=0.85)
        .encode(
            x=x,
            xOffset=alt.XOffset("spread:O"),
            y=y,
            color=alt.Color(
                f"{by.colour}:N", title=None, scale=scale_of(by.colours), legend=alt.Legend(symbolOpacity=1)
            ),
            shape=alt.Shape(f"{by.colour}:N", title=None, scale=scale_of(group_shapes(by))),
            tooltip=[
                *tips("subject:N", "sample:N", "day:Q", "arm:N", "response:N"),
                alt.Tooltip("value:Q", format=".3f"),
            ],
        )
    )
    means = frame.groupby(by.colour, as_index=False)["value"].mean()
    mean = (
        alt.Chart(means)
        .mark_tick(color=INK, thickness=2, size=46)
        .encode(x=x, y=y, tooltip=[*tips(f"{by.colour}:N"), alt.Tooltip("value:Q", title="mean", format=".3f")])
    )
    return alt.layer(point, mean).properties(width=size[0], height=size[1])


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
