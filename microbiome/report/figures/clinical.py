"""Figures of clinical results: response rates, Kaplan-Meier curves, hazard ratios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.clinical_frames import risk_rows
from microbiome.report.figures.parts import GREY, INK, SOFT, finish, labelled_rows, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH

__all__ = ["hazard_ratios", "kaplan_meier", "response_rates"]


def response_rates(frame: pd.DataFrame) -> Any:
    """Draw response rates with their intervals: a panel per rate, a row per group.

    Parameters
    ----------
    frame
        ``quantity, title, label, colour, estimate, ci_low, ci_high, events, n, method``; rows in order.
    """
    titles = list(dict.fromkeys(frame["title"]))
    labels = list(dict.fromkeys(frame["label"]))
    left = min(220, 7 * max(map(len, labels)) + 14)
    width = (FIGURE_WIDTH - left - 28 * (len(titles) - 1) - 40) / len(titles)
    charts = []
    for i, title in enumerate(titles):
        part = frame[frame["title"] == title]
        text = part["events"].astype(str) + "/" + part["n"].astype(str)
        part = part.assign(text=text)
        y = labelled_rows(labels, left, i == 0)
        x = alt.X(
            "estimate:Q",
            title="share of subjects",
            scale=alt.Scale(domain=[0, 1], nice=False),
            axis=alt.Axis(grid=True, format="%", tickCount=5),
        )
        colour = alt.Color("colour:N", scale=None)
        tooltip = tips("label:N", "events:Q", "n:Q", estimate=".1%", ci_low=".1%", ci_high=".1%")
        base = alt.Chart(part).encode(y=y, color=colour, tooltip=[*tooltip, *tips("method:N")])
        rule = base.mark_rule(strokeWidth=2.2).encode(x=alt.X("ci_low:Q", title="share of subjects"), x2="ci_high:Q")
        point = base.mark_point(filled=True, size=80, opacity=1).encode(x=x)
        words = alt.Chart(part).mark_text(dy=-10, fontSize=10, color=SOFT).encode(x=x, y=y, text="text:N")
        charts.append(alt.layer(rule, point, words).properties(width=width, height=alt.Step(32), title=title))
    return finish(alt.hconcat(*charts, spacing=28), "Response rates with intervals.")


def kaplan_meier(curves: pd.DataFrame, palette: Mapping[str, str], title: str, start: float = 0) -> Any:
    """Draw one Kaplan-Meier figure: steps with their interval, censored subjects as ticks, numbers at risk below.

    Parameters
    ----------
    curves
        ``group, day, at_risk, events, censored, survival, ci_low, ci_high`` of one endpoint and one set of groups.
    palette
        Colour of each group.
    title
        Of the axis.
    start
        Day on which the clock starts: days on the axis count from it.
    """
    last = max(float(curves["day"].max()), 1.0)
    days = _marks(last)
    extent = [0.0, max(last, days[-1])]
    names = [name for name in palette if name in set(curves["group"])]
    width, left = FIGURE_WIDTH - 170, 96
    x = alt.X(
        "day:Q",
        title=f"days after day {start:.0f} (landmark)" if start > 0 else "day",
        scale=alt.Scale(domain=extent, nice=False, padding=6),
        axis=alt.Axis(values=days, grid=False),
    )
    y = alt.Y(
        "survival:Q",
        title=title,
        scale=alt.Scale(domain=[0, 1.02], nice=False),
        axis=alt.Axis(format="%", tickCount=5, minExtent=left, maxExtent=left),
    )
    colours = scale_of({name: palette[name] for name in names})
    colour = alt.Color("group:N", title=None, scale=colours, legend=alt.Legend(symbolOpacity=1, symbolType="stroke"))
    curves = curves.sort_values(["group", "day"], kind="stable")
    base = alt.Chart(curves).encode(x=x, color=colour)
    band = base.mark_area(interpolate="step-after", opacity=0.12).encode(
        y=alt.Y("ci_low:Q", title=title), y2="ci_high:Q", color=colour
    )
    line = base.mark_line(interpolate="step-after", strokeWidth=2).encode(y=y)
    tooltip = tips(
        "group:N", "day:Q", "at_risk:Q", "events:Q", "censored:Q", survival=".3f", ci_low=".3f", ci_high=".3f"
    )
    hidden = base.mark_point(size=60, opacity=0).encode(y=y, tooltip=tooltip)
    layers = [band, line, hidden]
    ended = curves[(curves["censored"].fillna(0) > 0) & (curves["day"] > 0)]
    if len(ended):
        tick = alt.Chart(ended).mark_tick(orient="vertical", size=10, thickness=1.6)
        layers.append(tick.encode(x=x, y=y, color=colour, tooltip=tooltip))
    top = alt.layer(*layers).properties(width=width, height=230)
    risk = risk_rows(curves, days)
    rows = (
        alt.Chart(risk)
        .mark_text(fontSize=11)
        .encode(
            x=alt.X("day:Q", scale=alt.Scale(domain=extent, nice=False, padding=6), axis=None),
            y=alt.Y(
                "group:N",
                title=None,
                sort=names,
                axis=alt.Axis(
                    ticks=False, domain=False, labelPadding=12, minExtent=left, maxExtent=left, labelLimit=left - 8
                ),
            ),
            text="at_risk:Q",
            color=colour,
        )
        .properties(
            width=width, height=alt.Step(16), title=alt.TitleParams("at risk", fontSize=10.5, color=SOFT, offset=2)
        )
    )
    return finish(alt.vconcat(top, rows, spacing=4), "Kaplan-Meier curves with the numbers at risk.")


def _marks(last: float) -> list[float]:
    """Return round days up to `last`: of a month, a quarter, half a year or a year."""
    step = next((s for s in (7, 14, 30, 60, 90, 180, 365) if last / s <= 9), 730)
    return [float(step * i) for i in range(int(last // step) + 1)]


def hazard_ratios(frame: pd.DataFrame) -> Any:
    """Draw hazard ratios with their intervals on a log scale, a panel per endpoint.

    Parameters
    ----------
    frame
        ``endpoint, title, label, estimate, ci_low, ci_high, p_value, n, events``.
    """
    charts = []
    labels = list(dict.fromkeys(frame["label"]))
    left = min(300, 6 * max(map(len, labels)) + 14)
    titles = list(dict.fromkeys(frame["title"]))
    width = (FIGURE_WIDTH - left - 30 * (len(titles) - 1) - 30) / len(titles)
    ends = pd.concat([frame["ci_low"], frame["ci_high"], frame["estimate"]]).dropna()
    ends = ends[(ends > 0.02) & (ends < 50)]
    reach = max(2.0, float(ends.max()) if len(ends) else 2.0, 1 / float(ends.min()) if len(ends) else 2.0) * 1.1
    domain = [1 / reach, reach]
    ticks = [value for value in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if domain[0] <= value <= domain[1]]
    words = "hazard ratio (log scale; above 1: earlier events)"
    for i, title in enumerate(titles):
        part = frame[frame["title"] == title]
        part = part.assign(
            from_=part["ci_low"].clip(lower=domain[0], upper=domain[1]),
            to_=part["ci_high"].clip(lower=domain[0], upper=domain[1]).fillna(domain[1]),
            at=part["estimate"].clip(lower=domain[0], upper=domain[1]),
        )
        y = labelled_rows(labels, left, i == 0)
        x = alt.X(
            "at:Q",
            title=words,
            scale=alt.Scale(type="log", domain=domain, nice=False),
            axis=alt.Axis(grid=True, values=ticks, format="~g"),
        )
        tooltip = tips("label:N", "n:Q", "events:Q", estimate=".2f", ci_low=".2f", ci_high=".2f", p_value=".3g")
        one = alt.Chart(pd.DataFrame({"at": [1.0]})).mark_rule(color=GREY, strokeDash=[3, 3])
        one = one.encode(x=alt.X("at:Q", title=words))
        base = alt.Chart(part).encode(y=y, tooltip=tooltip)
        rule = base.mark_rule(strokeWidth=2, color=INK).encode(x=alt.X("from_:Q", title=words), x2="to_:Q")
        point = base.mark_point(filled=True, size=70, color=INK, opacity=1).encode(x=x)
        charts.append(alt.layer(one, rule, point).properties(width=width, height=alt.Step(26), title=title))
    return finish(alt.hconcat(*charts, spacing=30), "Hazard ratios with intervals.")
