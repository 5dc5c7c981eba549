"""Figures of donors: what became of their recipients, the taxa they carry, how well presence is foretold."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY, INK, PALE, finish, labelled_rows, rows_of, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH

__all__ = ["auroc", "donor_estimates", "donor_tiles"]

#: The donor's own share, and the share drawn towards all donors.
ESTIMATES = {"own data": "#A9AFB5", "drawn towards all donors": INK}
_LISTS = {"concern": "#B3261E", "benefit": "#005A8C"}


def donor_estimates(frame: pd.DataFrame) -> Any:
    """Draw the rates of the recipients of each donor, raw and shrunken, with their intervals; a panel per rate.

    Parameters
    ----------
    frame
        ``donor, title, estimate_of, estimate, ci_low, ci_high, n``.
    """
    titles = list(dict.fromkeys(frame["title"]))
    donors = list(dict.fromkeys(frame["donor"]))
    left = min(120, 7 * max(len(str(name)) for name in donors) + 14)
    per_row = min(len(titles), 2)
    width = (FIGURE_WIDTH - (left + 20) * per_row) / per_row
    charts = []
    for title in titles:
        part = frame[frame["title"] == title]
        y = alt.Y(
            "donor:N",
            title=None,
            sort=donors,
            scale=alt.Scale(domain=donors),
            axis=alt.Axis(ticks=False, labelPadding=8, labelLimit=120, minExtent=left, maxExtent=left),
        )
        offset = alt.YOffset("estimate_of:N", sort=list(ESTIMATES), scale=alt.Scale(paddingOuter=0.5))
        colour = alt.Color("estimate_of:N", title=None, scale=scale_of(ESTIMATES))
        base = alt.Chart(part).encode(
            y=y,
            yOffset=offset,
            color=colour,
            tooltip=tips("donor:N", "estimate_of:N", "n:Q", estimate=".3f", ci_low=".3f", ci_high=".3f"),
        )
        scale = alt.Scale(domain=[0, 1], nice=False)
        rule = base.mark_rule(strokeWidth=1.8).encode(x=alt.X("ci_low:Q", title="share", scale=scale), x2="ci_high:Q")
        point = base.mark_point(filled=True, size=50, opacity=1).encode(
            x=alt.X("estimate:Q", title="share", scale=scale, axis=alt.Axis(grid=True, tickCount=5))
        )
        charts.append(alt.layer(rule, point).properties(width=width, height=alt.Step(13), title=title))
    return finish(rows_of(charts, per_row), "Rates of the recipients of each donor, with intervals.")


def donor_tiles(frame: pd.DataFrame) -> Any:
    """Draw the taxa of concern and of benefit in each donor: darker with abundance, pale where absent.

    Parameters
    ----------
    frame
        ``donor, list, name, abundance`` (0 where absent).
    """
    donors = list(dict.fromkeys(frame["donor"]))
    charts = []
    for kind, colour in _LISTS.items():
        part = frame[frame["list"] == kind]
        if part.empty:
            continue
        names = list(dict.fromkeys(part["name"]))
        x = alt.X(
            "donor:N", title=None, sort=donors, axis=alt.Axis(labelAngle=-90 if len(donors) > 12 else 0, ticks=False)
        )
        y = alt.Y("name:N", title=None, sort=names, axis=alt.Axis(ticks=False, labelLimit=250, labelPadding=6))
        tooltip = tips("donor:N", "name:N", abundance=".2%", prevalence=".0%")
        absent = alt.Chart(part).mark_rect(color="#F1F3F4", stroke="white").encode(x=x, y=y, tooltip=tooltip)
        there = part[part["abundance"] > 0]
        scale = alt.Scale(type="log", range=[PALE, colour], domain=[1e-4, 0.1], clamp=True)
        shade = alt.Color(
            "abundance:Q",
            title=f"of {kind}",
            scale=scale,
            legend=alt.Legend(format="%", values=[1e-4, 1e-3, 1e-2, 0.1]),
        )
        held = alt.Chart(there).mark_rect(stroke="white").encode(x=x, y=y, color=shade, tooltip=tooltip)
        step = max(14, min(46, 520 // max(len(donors), 1)))
        charts.append(
            alt.layer(absent, held).properties(width=alt.Step(step), height=alt.Step(17), title=f"taxa of {kind}")
        )
    chart = alt.vconcat(*charts, spacing=16).resolve_scale(color="independent")
    return finish(chart, "Taxa of concern and of benefit in each donor.")


def auroc(frame: pd.DataFrame) -> Any:
    """Draw the AUROC of each model with its interval, a panel per cross-validation.

    Parameters
    ----------
    frame
        ``title, label, auroc, ci_low, ci_high, n_subjects, n_donors``.
    """
    titles, labels = (list(dict.fromkeys(frame[name])) for name in ("title", "label"))
    left = 190
    width = (FIGURE_WIDTH - left - 30 * len(titles)) / len(titles)
    low = min(0.4, float(frame["ci_low"].min(skipna=True)) if frame["ci_low"].notna().any() else 0.4)
    charts = []
    for i, title in enumerate(titles):
        part = frame[frame["title"] == title]
        y = labelled_rows(labels, left, i == 0)
        scale = alt.Scale(domain=[low, 1], nice=False, zero=False)
        tooltip = tips("label:N", "n_subjects:Q", "n_donors:Q", auroc=".3f", ci_low=".3f", ci_high=".3f")
        base = alt.Chart(part).encode(y=y, tooltip=tooltip)
        rule = base.mark_rule(strokeWidth=2, color=INK).encode(
            x=alt.X("ci_low:Q", title="AUROC", scale=scale), x2="ci_high:Q"
        )
        point = base.mark_point(filled=True, size=70, color=INK, opacity=1)
        dot = point.encode(x=alt.X("auroc:Q", title="AUROC", scale=scale, axis=alt.Axis(grid=True, tickCount=6)))
        half = (
            alt.Chart(pd.DataFrame({"auroc": [0.5]}))
            .mark_rule(color=GREY, strokeDash=[3, 3])
            .encode(x=alt.X("auroc:Q", scale=scale))
        )
        charts.append(alt.layer(half, rule, dot).properties(width=width, height=alt.Step(26), title=title))
    return finish(alt.hconcat(*charts, spacing=30), "AUROC of the prediction of presence after FMT.")
