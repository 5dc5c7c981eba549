"""The lanes on top of a patient's figure: treatments, doses, samples, adverse events, response, follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.panels import Days, Panel, legend, y_axis
from microbiome.report.figures.parts import INK, SOFT, present, scale_of, tips
from microbiome.report.theme import (
    BEST_RESPONSE_COLOURS,
    DONOR_COLOURS,
    GRADE_COLOURS,
    KIND_SHAPES,
    NEUTRAL,
    shapes,
)
from microbiome.report.theme import colours as colours_of

__all__ = ["FOLLOW_UP_SHAPES", "events"]

_ROW = 19
_LETTER = 4.9  # width of a letter of the words on the follow-up, in pixels
#: How progression, death and the end of follow-up are marked, the same in every figure.
FOLLOW_UP_SHAPES = {
    "progression": "diamond",
    "death": "M-1,-1L1,1M1,-1L-1,1",
    "alive at last contact": "triangle-right",
}


def events(events_of: pd.DataFrame, days: Days, donors: list[str]) -> Panel:
    """Draw what happened to one subject: a lane for each kind of event, its marks in the shapes of the other figures.

    Parameters
    ----------
    events_of
        Of :class:`microbiome.report.patient_frames.PatientFrames`.
    days
        The axis.
    donors
        Donors of the whole trial in order.
    """
    dated = events_of[events_of["day"].notna()]
    lanes = list(dict.fromkeys(dated["lane"]))
    if not lanes:
        dated = pd.DataFrame([{"lane": "follow-up", "what": "", "day": 0.0, "label": "", "detail": ""}])
        lanes = ["follow-up"]
    y = alt.Y(
        "lane:N",
        title=None,
        sort=lanes,
        scale=alt.Scale(domain=lanes),
        axis=y_axis(grid=True, gridColor="#EDEFF1", labelPadding=8),
    )
    base = {"x": days.x, "y": y}
    layers: list[Any] = []
    frames = {name: dated[dated["what"] == name] for name in ("treatment", "toxicity", "dose", "sample", "response")}
    layers += _courses(frames["treatment"], base)
    layers += _toxicities(frames["toxicity"], base)
    layers += _doses(frames["dose"], base, donors)
    layers += _samples(frames["sample"], base)
    if len(frames["response"]):
        colour = alt.Color("label:N", scale=scale_of(BEST_RESPONSE_COLOURS), legend=None)
        mark = alt.Chart(frames["response"]).mark_text(fontWeight=700, fontSize=10.5)
        layers.append(mark.encode(**base, text="label:N", color=colour, tooltip=tips("day:Q", "label:N", "detail:N")))
    layers += _follow_up(dated[dated["lane"] == "follow-up"], base, days)
    return Panel(layers, {"step": _ROW}, "", ("color", "fill", "shape"))


def _courses(rows: pd.DataFrame, base: Mapping[str, Any]) -> list[Any]:
    if rows.empty:
        return []
    tooltip = tips("detail:N", "label:N", "day:Q", "end_day:Q")
    long = rows[rows["end_day"].notna() & (rows["end_day"] > rows["day"])]
    short = rows[~rows.index.isin(long.index)]
    found: list[Any] = []
    if len(long):
        bar = alt.Chart(long).mark_bar(height=9, color=NEUTRAL, cornerRadius=2, minBandSize=2)
        found.append(bar.encode(**base, x2="end_day:Q", tooltip=tooltip))
    if len(short):
        tick = alt.Chart(short).mark_tick(orient="vertical", size=12, thickness=2.6, color=NEUTRAL)
        found.append(tick.encode(**base, tooltip=tooltip))
    return found


def _toxicities(rows: pd.DataFrame, base: Mapping[str, Any]) -> list[Any]:
    if rows.empty:
        return []
    tooltip = [
        alt.Tooltip("detail:N", title="term"),
        alt.Tooltip("label:N", title="grade"),
        *tips("day:Q", "end_day:Q"),
    ]
    grades = scale_of(GRADE_COLOURS)
    found: list[Any] = []
    long = rows[rows["end_day"].notna()]
    if len(long):
        bar = alt.Chart(long).mark_bar(height=7, opacity=0.55, cornerRadius=2)
        found.append(bar.encode(**base, x2="end_day:Q", color=alt.Color("label:N", scale=grades, legend=None)))
    mark = alt.Chart(rows).mark_point(filled=True, size=150, opacity=1, stroke=INK, strokeWidth=0.5)
    fill = alt.Fill("label:N", title=None, scale=grades, legend=None)
    found.append(mark.encode(**base, fill=fill, tooltip=tooltip))
    dark = rows["label"].isin(["3", "4", "5"])
    for part, colour in ((rows[dark], "white"), (rows[~dark], INK)):
        if len(part):
            text = alt.Chart(part).mark_text(fontSize=9, fontWeight=700, color=colour, dy=0.5)
            found.append(text.encode(**base, text="label:N", tooltip=tooltip))
    return found


def _doses(rows: pd.DataFrame, base: Mapping[str, Any], donors: list[str]) -> list[Any]:
    if rows.empty:
        return []
    names = {name: colour for name, colour in colours_of(donors, DONOR_COLOURS).items() if name in set(rows["label"])}
    marks = {name: shape for name, shape in shapes(donors).items() if name in names}
    mark = alt.Chart(rows).mark_point(filled=True, size=95, opacity=1)
    return [
        mark.encode(
            **base,
            color=alt.Color("label:N", title="Donor", scale=scale_of(names), legend=legend()),
            shape=alt.Shape("label:N", title="Donor", scale=scale_of(marks), legend=legend()),
            tooltip=[alt.Tooltip("label:N", title="donor"), alt.Tooltip("detail:N", title="product"), *tips("day:Q")],
        )
    ]


def _samples(rows: pd.DataFrame, base: Mapping[str, Any]) -> list[Any]:
    if rows.empty:
        return []
    kind = rows["detail"].str.replace(", no profile", "", regex=False)
    rows = rows.assign(kind=kind, profile=rows["detail"].str.endswith("no profile").map({True: "none", False: "yes"}))
    mark = alt.Chart(rows).mark_point(size=48, strokeWidth=1.4, opacity=1, stroke=INK)
    return [
        mark.encode(
            **base,
            shape=alt.Shape("kind:N", scale=scale_of(present(kind, KIND_SHAPES)), legend=None),
            fill=alt.Fill("profile:N", scale=scale_of({"yes": INK, "none": "white"}), legend=None),
            tooltip=[alt.Tooltip("label:N", title="sample"), alt.Tooltip("detail:N", title="kind"), *tips("day:Q")],
        )
    ]


def _follow_up(rows: pd.DataFrame, base: Mapping[str, Any], days: Days) -> list[Any]:
    """Draw a line from day 0 to the last known day; what lies beyond the axis is told at its edge."""
    if rows.empty:
        return []
    start, end = max(0.0, days.low), float(min(rows["day"].max(), days.high))
    line = pd.DataFrame([{"lane": "follow-up", "day": start, "to": end}])
    found = [alt.Chart(line).mark_rule(strokeWidth=2, color="#C4C8CC").encode(**base, x2="to:Q")]
    names = {"progression": "progression", "death": "death", "censored_os": "alive at last contact"}
    shown = rows[rows["what"].isin(list(names))].assign(mark=rows["what"].map(names))
    inside = shown[shown["day"] <= days.high]
    if len(inside):
        mark = alt.Chart(inside).mark_point(size=60, strokeWidth=2, stroke=INK, opacity=1, fill="white")
        shape = alt.Shape("mark:N", title=None, scale=scale_of(FOLLOW_UP_SHAPES), legend=None)
        tooltip = [alt.Tooltip("mark:N", title="what"), *tips("day:Q")]
        found.append(mark.encode(**base, shape=shape, tooltip=tooltip))
    told = _apart(inside.assign(text=inside["mark"] + " " + inside["day"].map("{:.0f}".format)), days)
    beyond = shown[shown["day"] > days.high]
    late = told["day"] > days.low + 0.75 * (days.high - days.low)
    if (~late).any():
        text = alt.Chart(told[~late]).mark_text(align="left", dx=5, dy=-7, fontSize=9, color=SOFT)
        found.append(text.encode(**base, text="text:N"))
    if late.any():
        text = alt.Chart(told[late]).mark_text(align="right", dx=-5, dy=-7, fontSize=9, color=SOFT)
        found.append(text.encode(**base, text="text:N"))
    if len(beyond):
        words = ", ".join(f"{what} day {day:.0f}" for what, day in zip(beyond["mark"], beyond["day"], strict=True))
        edge = pd.DataFrame([{"lane": "follow-up", "day": days.high, "text": f"→ {words}"}])
        text = alt.Chart(edge).mark_text(align="left", dx=4, fontSize=10, color=SOFT)
        found.append(text.encode(**base, text="text:N"))
    return found


def _apart(told: pd.DataFrame, days: Days) -> pd.DataFrame:
    """Return the words on events, those that would cover each other as one text at the later of them."""
    ordered = told.sort_values("day", kind="stable")
    rows: list[dict[str, Any]] = []
    for row in ordered.to_dict("records"):
        letters = len(row["text"]) + (len(rows[-1]["text"]) if rows else 0) + 4
        if rows and row["day"] - rows[-1]["day"] < letters * _LETTER * days.per_pixel:
            row["text"] = f"{rows.pop()['text']}, {row['text']}"
        rows.append(row)
    return pd.DataFrame(rows, columns=[*told.columns])
