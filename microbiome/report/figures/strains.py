"""Figures of strains: whose they are, how much is the donor's, how long they stay, and what a cut calls the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY, SOFT, finish, group_shapes_of, rows_of, scale_of, tips
from microbiome.report.roster import Scheme
from microbiome.report.theme import FIGURE_WIDTH, STRAIN_COLOURS, VERDICT_COLOURS

__all__ = ["donor_fractions", "identities", "persistence", "source_bars", "strain_bars", "strain_tiles", "sweep"]

_LABELS, _TILE, _GAP = 250, 15, 10
_PER_ROW = 4
_PART, _KEPT, _CALLED = "donor's part", "taxa with the same strain", "pairs called the same strain"
_OWN, _OTHER = "taxa in common with its own person or donor", "taxa in common with somebody unrelated"
_RELATION_COLOURS = {
    "same_person": "#0072B2",
    "before_after": "#56B4E9",
    "own_donor": "#009E73",
    "shared_donor": "#E69F00",
    "other_donor": "#CC79A7",
    "unrelated": "#D55E00",
}


def strain_tiles(frame: pd.DataFrame, taxa: Sequence[str], subjects: Sequence[str]) -> Any:
    """Draw a tile per post sample (columns, a panel per subject) and taxon (rows), coloured by whose strain it is.

    Parameters
    ----------
    frame
        ``subject, sample, time, order, name, outcome, strain_outcome, donor_fraction, ci_low, ci_high,
        informative_sites, reason``; a taxon without a row is not in the sample.
    taxa
        Names from top to bottom.
    subjects
        From left to right.
    """
    tooltip = [
        *tips("subject:N", "sample:N", "day:Q", "name:N", "outcome:N", "strain_outcome:N"),
        *tips(donor_fraction=".2f", ci_low=".2f", ci_high=".2f"),
        *tips("informative_sites:Q", "reason:N"),
    ]
    charts = []
    for i, subject in enumerate(subjects):
        part = frame[frame["subject"] == subject]
        times = list(dict.fromkeys(part.sort_values("order", kind="stable")["time"]))
        chart = (
            alt.Chart(part)
            .mark_rect(stroke="white", strokeWidth=1)
            .encode(
                x=alt.X(
                    "time:N",
                    title=None,
                    sort=times,
                    axis=alt.Axis(labelAngle=-90, ticks=False, labelPadding=4, domain=False),
                ),
                y=alt.Y(
                    "name:N",
                    title=None,
                    sort=list(taxa),
                    scale=alt.Scale(domain=list(taxa)),
                    axis=alt.Axis(labels=i == 0, ticks=False, labelLimit=_LABELS, labelFontSize=10.5, grid=False),
                ),
                color=alt.Color(
                    "strain_outcome:N",
                    title=None,
                    scale=scale_of(STRAIN_COLOURS),
                    legend=alt.Legend(symbolType="square"),
                ),
                tooltip=tooltip,
            )
            .properties(width=max(_TILE * len(times), 24), height=14 * len(taxa))
        )
        room = max(_TILE * len(times), 24) + _GAP
        short = subject if len(subject) * 7 <= room else f"{subject[: max(int(room / 7) - 1, 1)]}…"
        charts.append(chart.properties(title=alt.TitleParams(short, anchor="middle", fontSize=10.5)))
    whole = alt.hconcat(*charts, spacing=_GAP).resolve_scale(x="independent", y="shared", color="shared")
    return finish(whole, "Whose strain each taxon of each post sample is, as tiles.")


def strain_bars(frame: pd.DataFrame, subjects: Sequence[str]) -> Any:
    """Draw the taxa of every post sample as a stacked bar by whose strain they are, a panel per subject.

    Parameters
    ----------
    frame
        ``subject, sample, time, order, strain_outcome, taxa``.
    subjects
        In the order of the panels.
    """
    tooltip = tips("subject:N", "sample:N", "day:Q", "strain_outcome:N", "taxa:Q")
    y = alt.Y("taxa:Q", title="taxa", stack="zero", axis=alt.Axis(tickCount=5))
    chart = _bars(frame, subjects, "strain_outcome", STRAIN_COLOURS, y, tooltip)
    return finish(chart, "Taxa of each post sample by whose strain they are, as stacked bars.")


def source_bars(frame: pd.DataFrame, subjects: Sequence[str], palette: Mapping[str, str]) -> Any:
    """Draw what every post sample is made of, on average over its resolved taxa, as a stacked bar by source.

    Parameters
    ----------
    frame
        ``subject, sample, time, order, source, part, taxa``.
    subjects
        In the order of the panels.
    palette
        Source and its colour, from the bottom.
    """
    tooltip = [*tips("subject:N", "sample:N", "day:Q", "source:N", part=".1%"), *tips("taxa:Q")]
    scale = alt.Scale(domain=[0, 1.001], nice=False)
    y = alt.Y(
        "part:Q", title="mean part of a taxon", stack="zero", scale=scale, axis=alt.Axis(format=".0%", tickCount=5)
    )
    chart = _bars(frame, subjects, "source", palette, y, tooltip)
    return finish(chart, "Mean part of each source in the resolved taxa of each post sample, as stacked bars.")


def _bars(
    frame: pd.DataFrame,
    subjects: Sequence[str],
    column: str,
    palette: Mapping[str, str],
    y: Any,
    tooltip: Sequence[Any],
) -> Any:
    """Stacked bars over time, a panel per subject, in the order and colours of `palette`."""
    most = int(frame.groupby("subject")["sample"].nunique().max())
    step = 24 if most <= 4 else 18
    cell = max(44, step * most)
    per_row = max(1, int((FIGURE_WIDTH - 50 + 14) // (cell + 14)))
    # Rows of like length: none with a single panel.
    per_row = math.ceil(len(subjects) / math.ceil(len(subjects) / per_row))
    frame = frame.assign(rank=frame[column].map({name: i for i, name in enumerate(palette)}))
    turned = most > 4 or frame["time"].str.len().max() > 3
    x = alt.X(
        "time:N",
        title=None,
        sort=alt.EncodingSortField("order", op="min"),
        axis=alt.Axis(labelAngle=-90 if turned else 0, ticks=False, labelPadding=4, domain=False),
    )
    legend = alt.Legend(symbolType="square")
    return (
        alt.Chart(frame)
        .mark_bar(size=0.68 * step, stroke="white", strokeWidth=0.6)
        .encode(
            x=x,
            y=y,
            color=alt.Color(f"{column}:N", title=None, scale=scale_of(palette), legend=legend),
            order=alt.Order("rank:Q"),
            tooltip=list(tooltip),
        )
        .properties(width=cell, height=150 if len(subjects) <= 24 else 100)
        .facet(
            facet=alt.Facet(
                "subject:N",
                title=None,
                sort=list(subjects),
                header=alt.Header(labelLimit=cell + 8, labelFontWeight=500, labelPadding=4),
            ),
            columns=per_row,
            spacing={"row": 14, "column": 14},
        )
        .resolve_scale(x="independent")
    )


def donor_fractions(frame: pd.DataFrame, by: Scheme, names: Sequence[str]) -> Any:
    """Draw the part of each taxon that is the donor's over the days, with its interval: a panel per taxon.

    Parameters
    ----------
    frame
        ``name, subject, sample, day, arm, response, donor_fraction, ci_low, ci_high, informative_sites``.
    by
        What the colour means.
    names
        In the order of the panels.
    """
    width = (FIGURE_WIDTH - 60 - 26 * (_PER_ROW - 1)) / _PER_ROW
    last = max(float(frame["day"].max()), 1.0)
    persons = list(dict.fromkeys(frame["subject"]))
    # Subjects of one day beside each other, so that no interval hides another.
    shift = {name: (i - (len(persons) - 1) / 2) * 0.06 * last / max(len(persons), 1) for i, name in enumerate(persons)}
    frame = frame.assign(at=frame["day"].astype(float) + frame["subject"].map(shift))
    palette = {name: colour for name, colour in by.colours.items() if name in set(frame[by.colour])}
    x: Any = alt.X(
        "at:Q",
        title="day",
        scale=alt.Scale(domain=[0, last * 1.06], nice=False),
        axis=alt.Axis(tickMinStep=1, tickCount=4),
    )
    if frame["day"].min() == frame["day"].max():
        title = f"subjects, day {frame['day'].iloc[0]}"
        x = alt.X("subject:N", title=title, sort=persons, axis=alt.Axis(labels=False, ticks=False))
    base = alt.Chart().encode(
        x=x,
        color=alt.Color(f"{by.colour}:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1)),
        tooltip=[
            *tips("name:N", "subject:N", "sample:N", "day:Q", "strain_outcome:N"),
            *tips(donor_fraction=".2f", ci_low=".2f", ci_high=".2f"),
            *tips("informative_sites:Q"),
        ],
    )
    scale = alt.Scale(domain=[-0.03, 1.03], nice=False)
    y = alt.Y("donor_fraction:Q", title=_PART, scale=scale, axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1]))
    line = base.mark_line(strokeWidth=1.2, opacity=0.4).encode(y=y, detail="subject:N")
    rule = base.mark_rule(strokeWidth=1.4, opacity=0.5).encode(y=alt.Y("ci_low:Q", title=_PART), y2="ci_high:Q")
    point = base.mark_point(filled=True, size=34, opacity=0.95).encode(
        y=y, shape=alt.Shape(f"{by.colour}:N", title=None, scale=scale_of(group_shapes_of(palette)))
    )
    facet = alt.Facet("name:N", title=None, sort=list(names), header=alt.Header(labelLimit=width, labelFontSize=10.5))
    grid = (
        alt.layer(line, rule, point, data=frame)
        .properties(width=width, height=112)
        .facet(facet=facet, columns=_PER_ROW, spacing={"row": 16, "column": 26})
    )
    return finish(grid, "Part of each taxon that is strains of the donor, by day.")


def persistence(frame: pd.DataFrame, palette: Mapping[str, str]) -> Any:
    """Draw the part of the taxa with the same strain in two samples of one person against the days between them.

    Parameters
    ----------
    frame
        ``subject, sample_1, sample_2, kind, days_apart, same_strain_rate, ci_low, ci_high, taxa_compared``.
    palette
        Kind of the pair and its colour, in order.
    """
    # Pairs of one distance are spread beside each other, by rank and not by chance.
    last = max(float(frame["days_apart"].max()), 1.0)
    step = 0.03 * last / max(len(palette), 1)
    first = {name: (i - (len(palette) - 1) / 2) * step for i, name in enumerate(palette)}
    rank = frame.sort_values("same_strain_rate", kind="stable").groupby(["days_apart", "kind"]).cumcount() % 5
    frame = frame.assign(at=frame["days_apart"].astype(float) + frame["kind"].map(first) + (rank - 2) * step / 6)
    base = alt.Chart(frame).encode(
        x=alt.X(
            "at:Q",
            title="days between the samples",
            scale=alt.Scale(domain=[0, 1.05 * last], nice=False),
            axis=alt.Axis(tickMinStep=1, tickCount=8),
        ),
        color=alt.Color("kind:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1)),
        tooltip=[
            *tips("subject:N", "sample_1:N", "sample_2:N", "kind:N", "days_apart:Q"),
            *tips(same_strain_rate=".2f", ci_low=".2f", ci_high=".2f"),
            *tips("taxa_same_strain:Q", "taxa_compared:Q"),
        ],
    )
    scale = alt.Scale(domain=[0, 1.02], nice=False)
    y = alt.Y("same_strain_rate:Q", title=_KEPT, scale=scale, axis=alt.Axis(format=".0%", tickCount=5))
    rule = base.mark_rule(strokeWidth=1.1, opacity=0.28).encode(y=alt.Y("ci_low:Q", title=_KEPT), y2="ci_high:Q")
    point = base.mark_point(filled=True, size=44, opacity=0.9).encode(
        y=y, shape=alt.Shape("kind:N", title=None, scale=scale_of(group_shapes_of(palette)))
    )
    chart = alt.layer(rule, point).properties(width=FIGURE_WIDTH - 90, height=230)
    return finish(chart, "Part of the taxa with the same strain in two samples of one person, by days between them.")


def sweep(frame: pd.DataFrame, titles: Mapping[str, str], cuts: pd.DataFrame) -> Any:
    """Draw how much is called shared at every cut, a line with its interval per relation and a panel per method.

    Parameters
    ----------
    frame
        ``method, cut, relation, shared_rate, ci_low, ci_high, pairs, subjects``.
    titles
        Relation and what it is called.
    cuts
        ``method, low, median, high``: middle half and median of the thresholds of the taxa; may be empty.
    """
    shown = {key: title for key, title in titles.items() if (frame["relation"] == key).any()}
    palette = {title: _RELATION_COLOURS[key] for key, title in shown.items()}
    methods = list(dict.fromkeys(frame["method"]))
    per_row = min(len(methods), 2)
    width = (FIGURE_WIDTH - 80 - 60 * (per_row - 1)) / per_row
    frame = frame.assign(who=frame["relation"].map(shown))
    charts = []
    for method in methods:
        part = frame[frame["method"] == method]
        # Of small cuts more is seen: there same and different strains part.
        x = alt.X(
            "cut:Q",
            title="largest distance that is the same strain (square-root scale)",
            scale=alt.Scale(type="sqrt", nice=False),
            axis=alt.Axis(tickCount=8, format="~g"),
        )
        base = alt.Chart(part).encode(
            x=x,
            color=alt.Color(
                "who:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1, columns=4)
            ),
            tooltip=[
                *tips("who:N", cut="~g", shared_rate=".3f", ci_low=".3f", ci_high=".3f"),
                *tips("pairs:Q", "subjects:Q"),
            ],
        )
        y = alt.Y(
            "shared_rate:Q",
            title=_CALLED,
            scale=alt.Scale(domain=[0, 1.02], nice=False),
            axis=alt.Axis(format=".0%", tickCount=5),
        )
        band = base.mark_area(opacity=0.13).encode(y=alt.Y("ci_low:Q", title=_CALLED), y2="ci_high:Q")
        layers = [band, base.mark_line(strokeWidth=2).encode(y=y)]
        used = cuts[cuts["method"] == method] if len(cuts) else cuts
        if len(used):
            marks = alt.Chart(used)
            layers.insert(0, marks.mark_rect(color=GREY, opacity=0.12).encode(x="low:Q", x2="high:Q"))
            layers.append(marks.mark_rule(color=SOFT, strokeDash=[4, 3]).encode(x="median:Q"))
        title = method.replace("_", " ") if len(methods) > 1 else ""
        charts.append(alt.layer(*layers).properties(width=width, height=230, title=title))
    return finish(rows_of(charts, per_row), "Part of the pairs called the same strain at every cut, by relation.")


def identities(frame: pd.DataFrame) -> Any:
    """Draw, per sample, the strains in common with its own person against those in common with a stranger.

    Parameters
    ----------
    frame
        ``sample, subject, verdict, own_rate, other_rate, own_taxa, other_taxa, sentence``.
    """
    palette = {name: colour for name, colour in VERDICT_COLOURS.items() if (frame["verdict"] == name).any()}
    titles = {name: name.replace("_", " ") for name in palette}
    frame = frame.assign(finding=frame["verdict"].map(titles))
    colours = {titles[name]: colour for name, colour in palette.items()}
    diagonal = alt.Chart(pd.DataFrame({"a": [0, 1]})).mark_line(color=GREY, strokeDash=[3, 3], strokeWidth=1)
    scale = alt.Scale(domain=[-0.02, 1.02], nice=False)
    axis = alt.Axis(format=".0%", grid=True, tickCount=5)
    x = alt.X("own_rate:Q", title=_OWN, scale=scale, axis=axis)
    y = alt.Y("other_rate:Q", title=_OTHER, scale=scale, axis=axis)
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, opacity=0.85)
        .encode(
            x=x,
            y=y,
            color=alt.Color("finding:N", title=None, scale=scale_of(colours), legend=alt.Legend(symbolOpacity=1)),
            shape=alt.Shape("finding:N", title=None, scale=scale_of(group_shapes_of(colours))),
            size=alt.condition("datum.verdict === 'ok'", alt.value(36), alt.value(90)),
            tooltip=tips("sample:N", "subject:N", "finding:N", "own_taxa:Q", "other_taxa:Q", "sentence:N"),
        )
    )
    line = diagonal.encode(x=alt.X("a:Q", title=_OWN, scale=scale), y=alt.Y("a:Q", title=_OTHER, scale=scale))
    chart = alt.layer(line, points).properties(width=430, height=300)
    return finish(chart, "Strains in common with the own person, and with somebody unrelated, per sample.")
