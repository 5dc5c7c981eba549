"""Figures of the trial itself: who was sampled and dosed when, and how well the samples were sequenced."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import INK, SOFT, counted, finish, present, scale_of, short_names, tips
from microbiome.report.roster import Scheme
from microbiome.report.theme import DONOR_COLOURS, FIGURE_WIDTH, KIND_SHAPES, colours, natural_key, shapes

__all__ = ["depth", "reads", "timeline"]

_PARTS = {
    "kept": "#0072B2",
    "not drawn": "#A6CEE3",
    "host": "#E69F00",
    "trimmed away": "#C9CDD2",
    "sequenced": "#0072B2",
    "profiled": "#0072B2",
}


def timeline(samples: pd.DataFrame, doses: pd.DataFrame, subjects: pd.DataFrame) -> Any:
    """Draw who was sampled and dosed when: a row per subject, samples on the line, doses below it by donor.

    Parameters
    ----------
    samples
        ``sample, subject, day, kind, profiled``; those without a day are not drawn.
    doses
        ``subject, day, donors, products``.
    subjects
        ``subject, arm, response, best_response`` in the order of the rows.
    """
    dated = samples.dropna(subset=["day"])
    dots = dated.assign(profile=dated["profiled"].map({True: "profiled", False: "no profile"}))
    days = [float(day) for day in [*dots["day"], *doses["day"]]] or [0.0]
    extent = [min(days), max(*days, min(days) + 1)]
    note = subjects["best_response"].where(subjects["best_response"] != "", subjects["response"])
    rows = subjects.assign(note=note.replace("response unknown", ""))
    longest = max((len(text) for text in rows["note"]), default=0)
    left = min(150, 7 * max((len(str(name)) for name in subjects["subject"]), default=0)) + 24
    width = FIGURE_WIDTH - left - 7 * longest - 24

    arms = list(dict.fromkeys(subjects["arm"]))
    scales = _Scales(dots, doses, len(subjects))
    charts = []
    for i, arm in enumerate(arms):
        part = rows[rows["arm"] == arm]
        chart = _lane(part, dots, doses, scales, extent, i == len(arms) - 1)
        charts.append(chart.properties(width=width, height=alt.Step(scales.step), title=counted(arm, part["subject"])))
    return finish(alt.vconcat(*charts, spacing=18), "Timeline of samples and doses, one row per subject.")


class _Scales:
    """Scales and sizes of the timeline, the same for each arm; many subjects get lower rows."""

    def __init__(self, dots: pd.DataFrame, doses: pd.DataFrame, subjects: int) -> None:
        self.step = 22 if subjects <= 40 else 15
        self.mark = 52 if subjects <= 40 else 26
        donors = sorted(set(doses["donors"]), key=lambda text: (text.count(" + "), natural_key(text)))
        self.dose_colour = scale_of(colours(donors, DONOR_COLOURS))
        self.dose_shape = scale_of(shapes(donors))
        self.kind = scale_of(present(dots["kind"], KIND_SHAPES))
        self.unprofiled = bool((dots["profile"] == "no profile").any())
        self.dosed = bool(donors)


def _lane(
    subjects: pd.DataFrame,
    dots: pd.DataFrame,
    doses: pd.DataFrame,
    scales: _Scales,
    extent: list[float],
    last: bool,
) -> Any:
    """One arm of the timeline; only the last has legends and the labels of the days."""
    names = list(subjects["subject"])
    y = alt.Y(
        "subject:N",
        title=None,
        sort=names,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(
            labelLimit=150,
            labelExpr=short_names(25),
            ticks=False,
            grid=True,
            gridColor="#EDEFF1",
            labelPadding=8,
        ),
    )
    x = alt.X(
        "day:Q",
        title="day (0 = first dose)" if last else None,
        scale=alt.Scale(domain=extent, nice=False, zero=False, padding=12),
        axis=alt.Axis(
            grid=True, gridColor="#F3F4F5", tickMinStep=1, tickCount=10, labels=last, ticks=last, domain=last
        ),
    )
    kinds = alt.Legend(orient="bottom", symbolFillColor=INK, symbolStrokeColor=INK) if last else None
    dot = (
        alt.Chart(dots[dots["subject"].isin(names)])
        .mark_point(size=scales.mark, strokeWidth=1.5, opacity=1, stroke=INK)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape("kind:N", title="Sample", scale=scales.kind, legend=kinds),
            fill=alt.Fill(
                "profile:N",
                title=None,
                scale=alt.Scale(domain=["profiled", "no profile"], range=[INK, "white"]),
                legend=alt.Legend(orient="bottom", symbolType="circle", symbolStrokeColor=INK)
                if last and scales.unprofiled
                else None,
            ),
            tooltip=tips("subject:N", "sample:N", "day:Q", "kind:N", "profile:N"),
        )
    )
    note = (
        alt.Chart(subjects)
        .mark_text(align="left", dx=8, color=SOFT, fontSize=11)
        .encode(x=alt.value("width"), y=y, text="note:N")
    )
    layers = [dot, note]
    if scales.dosed:
        title, dose_legend = "Dose from", alt.Legend(orient="bottom", columns=6) if last else None
        gift = (
            alt.Chart(doses[doses["subject"].isin(names)])
            .mark_point(filled=True, size=1.2 * scales.mark, yOffset=0.41 * scales.step, opacity=1)
            .encode(
                x=x,
                y=y,
                color=alt.Color(
                    "donors:N",
                    title=title,
                    scale=scales.dose_colour,
                    legend=dose_legend,
                ),
                shape=alt.Shape("donors:N", title=title, scale=scales.dose_shape, legend=dose_legend),
                tooltip=tips("subject:N", "day:Q", "donors:N", "products:Q"),
            )
        )
        layers.insert(0, gift)
    return alt.layer(*layers).resolve_scale(shape="independent", color="independent", fill="independent")


def reads(frame: pd.DataFrame, order: list[str]) -> Any:
    """Draw what became of the reads of each sample: a stacked bar each, flagged samples marked.

    Parameters
    ----------
    frame
        ``sample, subject, part, rank, reads, flagged`` (text of the flag, or empty); `rank` orders the parts from the
        bottom.
    order
        Samples from left to right.
    """
    step = max(1.6, min(18.0, (FIGURE_WIDTH - 60) / max(len(order), 1)))
    labels = step >= 10
    x = alt.X(
        "sample:N",
        title=None if labels else f"{len(order)} samples, in the order of the subjects",
        sort=order,
        axis=alt.Axis(labels=labels, ticks=False, labelAngle=-90, labelLimit=120, labelPadding=4),
    )
    bars = (
        alt.Chart(frame)
        .mark_bar(stroke="white", strokeWidth=0.6 if labels else 0)
        .encode(
            x=x,
            y=alt.Y(
                "reads:Q",
                stack="zero",
                title="reads (both mates)",
                axis=alt.Axis(format="~s", tickCount=5, labelExpr="datum.value ? datum.label : '0'"),
            ),
            color=alt.Color("part:N", title=None, scale=scale_of(present(frame["part"], _PARTS))),
            order=alt.Order("rank:Q"),
            tooltip=tips("sample:N", "subject:N", "part:N", reads=",d"),
        )
    )
    flagged = frame[frame["flagged"] != ""].groupby(["sample", "flagged"], as_index=False)["reads"].sum()
    marks = (
        alt.Chart(flagged)
        .mark_point(shape="triangle-down", filled=True, size=70, yOffset=-9, color="#B3261E", opacity=1)
        .encode(x=x, y="reads:Q", tooltip=tips("sample:N", "flagged:N"))
    )
    layers = [bars, marks] if len(flagged) else [bars]
    chart = alt.layer(*layers).properties(width=alt.Step(step), height=210)
    return finish(chart, "Reads of each sample and what became of them.")


def depth(frame: pd.DataFrame, by: Scheme) -> Any:
    """Draw the number of taxa of each sample against its reads (log scale).

    Parameters
    ----------
    frame
        ``sample, subject, kind, group, reads, taxa``.
    by
        What the colour of `group` means.
    """
    kinds = present(frame["kind"], KIND_SHAPES)
    palette = present(frame["group"], {**by.colours, "donor": INK})
    chart = (
        alt.Chart(frame)
        .mark_point(filled=True, size=58, opacity=0.8)
        .encode(
            x=alt.X(
                "reads:Q",
                title="reads (log scale)",
                scale=alt.Scale(type="log", nice=False, padding=14),
                axis=alt.Axis(format="~s", tickCount=8),
            ),
            y=alt.Y("taxa:Q", title="taxa detected"),
            color=alt.Color(
                "group:N",
                title=None,
                scale=scale_of(palette),
                # Donors are told by their shape: in the legend of the groups they would stand twice.
                legend=alt.Legend(
                    symbolOpacity=1, symbolType="circle", values=[name for name in palette if name != "donor"]
                ),
            ),
            shape=alt.Shape(
                "kind:N",
                title=None,
                scale=scale_of(kinds),
                legend=alt.Legend(symbolFillColor=SOFT, symbolStrokeColor=SOFT),
            ),
            tooltip=tips("sample:N", "subject:N", "kind:N", "group:N", reads=",d", taxa="d"),
        )
        .properties(width=FIGURE_WIDTH - 70, height=250)
    )
    return finish(chart, "Taxa detected in each sample against its number of reads.")
