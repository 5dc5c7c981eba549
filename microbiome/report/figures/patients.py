"""The figure of a patient: what happened on top, what was measured below it, on one axis of days."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.panels import Column, Days, Panel, dose_rules, legend, y_axis
from microbiome.report.figures.parts import INK, SOFT, limits, present, scale_of, tips
from microbiome.report.figures.patient_lanes import events
from microbiome.report.patient_frames import PatientFrames
from microbiome.report.theme import OUTCOME_COLOURS, OUTCOME_ORDER, STRAIN_COLOURS

__all__ = ["last_day", "patient"]

_PANEL, _STACK = 54, 84
_SERIES = {
    "to its donors": STRAIN_COLOURS["donor"],
    "to its baseline": STRAIN_COLOURS["recipient"],
    "engraftment rate": OUTCOME_COLOURS["engrafted"],
    "depletion rate": OUTCOME_COLOURS["depleted"],
}
_BESIDE = {"new lesion": "diamond", "sum": "circle"}
# How many times as long as everything else the follow-up may make the axis.
_STRETCH = 2.0


def last_day(happened: pd.DataFrame, lines: pd.DataFrame) -> tuple[float, float]:
    """Return the first and last day of a patient's axis.

    Follow-up (progression, death, censoring) makes it longer only up to twice the last sample, dose, treatment,
    toxicity or assessment: what is beyond is told at the edge.
    """
    follow = happened["lane"] == "follow-up"
    inner = [
        *happened.loc[~follow, "day"].dropna(),
        *happened.loc[~follow, "end_day"].dropna(),
        *lines["day"].dropna(),
        0.0,
    ]
    low, high = float(min(inner)), float(max(inner))
    later = [float(day) for day in happened.loc[follow, "day"].dropna()]
    within = [day for day in later if day <= max(_STRETCH * high, 30)]
    high = max([high, *within])
    room = max(1.0, 0.025 * (high - low))
    return low - room, high + room


def patient(frames: PatientFrames, donors: list[str], description: str) -> Any:
    """Draw one patient.

    Parameters
    ----------
    frames
        Of :func:`microbiome.report.patient_frames.frames_of`.
    donors
        Donors of the whole trial in order, joined as on a dose day, so that each has one colour on every page.
    description
        For screen readers.
    """
    days = last_day(frames.events, frames.lines)
    doses = frames.events.loc[frames.events["what"] == "dose", ["day"]].drop_duplicates()
    seen = set(frames.lines["panel"]) | ({"outcomes"} if len(frames.outcomes) else set())
    seen |= {"strains"} if len(frames.strains) else set()
    order = [name for name in ("tumour", "alpha", "similarity", "outcomes", "rates", "strains") if name in seen]
    charts = [events(frames.events, Days(*days, last=not order), donors)]
    for name in order:
        place = Days(*days, last=name == order[-1])
        if name == "outcomes":
            charts.append(_outcomes(frames.outcomes, place, doses))
        elif name == "strains":
            charts.append(_strains(frames.strains, place, doses))
        else:
            charts.append(_line(frames, name, place, doses))
    return Column(charts, description)


def _line(frames: PatientFrames, panel: str, days: Days, doses: pd.DataFrame) -> Any:
    rows = frames.lines[frames.lines["panel"] == panel]
    title = frames.titles[panel]
    share = panel == "rates" or (panel == "similarity" and rows["value"].between(0, 1).all())
    domain = [0.0, 1.04] if share else limits(pd.concat([rows["value"], frames.reference(panel)]))
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(domain=domain, nice=False, zero=False),
        axis=y_axis(tickCount=3, grid=True),
    )
    series = {name: colour for name, colour in _SERIES.items() if name in set(rows["series"])}
    single = not series
    colour = alt.value(INK) if single else alt.Color("series:N", title=None, scale=scale_of(series), legend=legend())
    base = alt.Chart(rows).encode(x=days.x, y=y, color=colour)
    tooltip = [*tips("sample:N", "day:Q", "series:N"), alt.Tooltip("value:Q", title="value", format=".4~g")]
    layers: list[Any] = dose_rules(doses, days)
    if panel == "tumour":
        rules = pd.DataFrame({"value": [-30.0, 0.0]})
        layers.append(alt.Chart(rules).mark_rule(color="#C4C8CC", strokeDash=[2, 2]).encode(y=y))
    level = frames.donor_alpha if panel == "alpha" else float("nan")
    if level == level:  # known
        rule = alt.Chart(pd.DataFrame({"value": [level]})).mark_rule(color=STRAIN_COLOURS["donor"], strokeDash=[5, 3])
        layers.append(rule.encode(y=y, tooltip=[alt.Tooltip("value:Q", title="its donors (median)", format=".4~g")]))
        words = alt.Chart(pd.DataFrame([{"day": days.high, "value": level, "text": "its donors (median)"}]))
        text = words.mark_text(align="left", dx=4, fontSize=10, color=SOFT)
        layers.append(text.encode(x=days.x, y=y, text="text:N"))
    if rows["low"].notna().any():
        bound = alt.Chart(rows[rows["low"].notna()]).mark_rule(strokeWidth=1.6, opacity=0.45)
        layers.append(bound.encode(x=days.x, y=alt.Y("low:Q", title=None), y2="high:Q", color=colour))
    line = base.mark_line(strokeWidth=1.4, opacity=0.6)
    layers.append(line.encode(detail="series:N") if panel != "tumour" else line)
    point = base.mark_point(filled=True, size=42, opacity=1).encode(tooltip=tooltip)
    if panel == "tumour":
        point = point.encode(shape=alt.Shape("series:N", scale=scale_of(_BESIDE), legend=None))
    layers.append(point)
    return Panel(layers, _PANEL, title)


def _bar_width(frame: pd.DataFrame, days: Days) -> float:
    """Pixels of a bar, so that bars of neighbouring samples do not lie on each other."""
    ordered = sorted(set(frame["day"]))
    gaps = [b - a for a, b in itertools.pairwise(ordered)]
    return max(2.0, min(15.0, (min(gaps) if gaps else 1e9) / days.per_pixel - 1))


def _outcomes(frame: pd.DataFrame, days: Days, doses: pd.DataFrame) -> Any:
    rank = {name: i for i, name in enumerate(OUTCOME_ORDER)}
    frame = frame[frame["taxa"] > 0].assign(rank=frame["outcome"].map(rank))
    axis = y_axis(tickCount=4, grid=True, labelExpr="format(abs(datum.value), 'd')", tickMinStep=1)
    title = "Taxa by outcome (below the line: not in the sample)"
    return _stack(frame, "outcome", "signed", OUTCOME_COLOURS, axis, days, doses, title)


def _strains(frame: pd.DataFrame, days: Days, doses: pd.DataFrame) -> Any:
    rank = {name: i for i, name in enumerate(STRAIN_COLOURS)}
    frame = frame.assign(rank=frame["strain_outcome"].map(rank))
    axis = y_axis(tickCount=4, grid=True, format="d", tickMinStep=1)
    title = "Taxa by whose strain they are"
    return _stack(frame, "strain_outcome", "taxa", STRAIN_COLOURS, axis, days, doses, title)


def _stack(
    frame: pd.DataFrame,
    column: str,
    value: str,
    palette: Mapping[str, str],
    axis: alt.Axis,
    days: Days,
    doses: pd.DataFrame,
    title: str,
) -> Any:
    frame = frame.sort_values(["day", "rank"]).assign(label=frame[column].str.replace("_", " "))
    width = _bar_width(frame, days)
    # Two samples of one day stand beside each other.
    order = frame.drop_duplicates("sample").groupby("day").cumcount()
    shift = dict(zip(frame.drop_duplicates("sample")["sample"], order * (width + 1) * days.per_pixel, strict=True))
    frame = frame.assign(day=frame["day"] + frame["sample"].map(shift))
    colours = {name.replace("_", " "): colour for name, colour in present(frame[column], palette).items()}
    bars = (
        alt.Chart(frame)
        .mark_bar(size=width, stroke="white", strokeWidth=0.5)
        .encode(
            x=days.x,
            y=alt.Y(f"{value}:Q", title=None, axis=axis, stack="zero"),
            color=alt.Color("label:N", title=None, scale=scale_of(colours), legend=legend()),
            order=alt.Order("rank:Q"),
            detail="sample:N",
            tooltip=[
                *tips("sample:N", "day:Q"),
                alt.Tooltip("label:N", title=column.replace("_", " ")),
                *tips("taxa:Q"),
            ],
        )
    )
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=SOFT, strokeWidth=0.8).encode(y="y:Q")
    return Panel([*dose_rules(doses, days), bars, zero], _STACK, title)
