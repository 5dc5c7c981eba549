"""Figure of the power against the number of patients."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from microbiome.power.needed import curve, patients_needed
from microbiome.report.figures.parts import GREY, SOFT, finish, scale_of, tips
from microbiome.report.theme import ARM_COLOURS, colours, shapes

__all__ = ["power"]

_SIZE = (560, 300)


def power(table: pd.DataFrame, target: float = 0.8) -> Any:
    """Draw power against n: a point with Monte Carlo interval per row, the curve that the number needed is read off.

    Parameters
    ----------
    table
        Rows of :data:`microbiome.power.tables.POWER`; those of one ``effect`` make a curve.
    target
        Power at which a line is drawn, and down from which one goes to the number needed.
    """
    known = table[table["power"].notna()].assign(
        n_1=table["n_1"].astype("Float64").astype(float), n_2=table["n_2"].astype("Float64").astype(float)
    )
    effects = list(dict.fromkeys(known["effect"]))
    palette = colours(effects, ARM_COLOURS)
    parts = [(effect, known[known["effect"] == effect]) for effect in effects]
    lines = pd.concat([curve(part).assign(effect=effect) for effect, part in parts], ignore_index=True)
    needed = pd.DataFrame(
        [(effect, patients_needed(part, target).n, 0.0, target) for effect, part in parts],
        columns=["effect", "n_subjects", "bottom", "top"],
    ).dropna()
    x = alt.X("n_subjects:Q", title="patients", scale=alt.Scale(zero=False, padding=12, nice=False))
    y = alt.Y("power:Q", title="power", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".1f", tickCount=6))
    legend = alt.Legend(title="effect put in") if len(effects) > 1 else None
    colour = alt.Color("effect:N", scale=scale_of(palette), legend=legend, sort=effects)
    level = alt.Chart(pd.DataFrame({"power": [target]})).mark_rule(color=GREY, strokeDash=[4, 3]).encode(y=y)
    alpha = alt.Chart(known.head(1)).mark_rule(color=GREY, strokeDash=[1, 3]).encode(y=alt.Y("alpha:Q", title="power"))
    line = alt.Chart(lines).mark_line(strokeWidth=1.5, opacity=0.6).encode(x=x, y=y, color=colour)
    down = (
        alt.Chart(needed)
        .mark_rule(strokeDash=[4, 3])
        .encode(x="n_subjects:Q", y=alt.Y("bottom:Q", title="power"), y2="top:Q", color=colour)
    )
    label = (
        alt.Chart(needed)
        .mark_text(align="left", dx=4, dy=-6, baseline="bottom", color=SOFT, fontSize=11)
        .encode(x="n_subjects:Q", y=alt.Y("bottom:Q", title="power"), text=alt.Text("n_subjects:Q", format=".0f"))
    )
    bar = (
        alt.Chart(known)
        .mark_rule(strokeWidth=1.5)
        .encode(x=x, y=alt.Y("ci_low:Q", title="power"), y2="ci_high:Q", color=colour)
    )
    point = (
        alt.Chart(known)
        .mark_point(filled=True, size=55, opacity=1)
        .encode(
            x=x,
            y=y,
            color=colour,
            shape=alt.Shape("effect:N", scale=scale_of(shapes(effects)), legend=legend, sort=effects),
            tooltip=tips("effect:N", "n_1:Q", "n_2:Q", "trials:Q", power=".3f", ci_low=".3f", ci_high=".3f"),
        )
    )
    chart = alt.layer(level, alpha, line, down, label, bar, point).properties(width=_SIZE[0], height=_SIZE[1])
    return finish(chart, f"Power against the number of patients, with {target:.0%} marked.")
