"""Figures that compare groups of subjects: effects with intervals, and rates over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY, INK, finish, group_shapes_of, limits, rows_of, scale_of, tips
from microbiome.report.theme import FIGURE_WIDTH

__all__ = ["METHOD_TITLES", "effects", "trajectories"]

METHOD_TITLES = {
    "subject_permutation": "per subject (primary)",
    "mixed_model": "mixed model, all samples",
    "pooled_wilcoxon": "samples pooled (anti-conservative)",
}
_COLOURS = {"per subject (primary)": INK, "mixed model, all samples": "#0072B2"}
_COLOURS["samples pooled (anti-conservative)"] = "#A9AFB5"
_SHAPES = dict(zip(_COLOURS, ("circle", "square", "diamond"), strict=True))
_LABELS, _WIDEST, _GAP = 170, 220, 34
_ROW = 44  # height of a rate
_PER_ROW = 3


def effects(frame: pd.DataFrame, pairs: Mapping[str, str], counts: Sequence[str] = ()) -> Any:
    """Draw every effect with its interval: rates in rows, methods below each other, log odds on an axis of their own.

    Parameters
    ----------
    frame
        ``groups, rate, title, method, scale, effect, ci_low, ci_high, p_value, n_subjects, n_samples``; rates in the
        order of the rows.
    pairs
        Value of ``groups`` and what its effect means, for the axis.
    counts
        Rates that are no fractions: each has an axis of its own.
    """
    frame = frame.assign(analysis=frame["method"].map(METHOD_TITLES))
    blocks = []
    for groups, direction in pairs.items():
        part = frame[frame["groups"] == groups]
        for kind in (part[~part["rate"].isin(counts)], *(part[part["rate"] == name] for name in counts)):
            if len(kind):
                unit = "taxa" if kind["rate"].iloc[0] in counts else "rate"
                blocks.append(_forest(kind, direction, unit))
    return finish(alt.vconcat(*blocks, spacing=18), "Effects with 95 % intervals by rate and method.")


def _forest(frame: pd.DataFrame, direction: str, unit: str) -> Any:
    odds = frame["scale"] == "log_odds"
    panels = [
        (part, words) for part, words in ((frame[~odds], f"difference in {unit}"), (frame[odds], "log odds ratio"))
    ]
    panels = [(part, words) for part, words in panels if len(part)]
    titles = list(dict.fromkeys(frame["title"]))
    labels = max(_LABELS, min(_WIDEST, 6 * max(map(len, titles)) + 12))
    width = (FIGURE_WIDTH - labels - _GAP * (len(panels) - 1) - 30) / len(panels)
    charts = [
        _intervals(part, titles, f"{words}, {direction}", (width, _ROW * len(titles)), i == 0)
        for i, (part, words) in enumerate(panels)
    ]
    return alt.hconcat(*charts, spacing=_GAP).resolve_scale(yOffset="independent")


def _intervals(frame: pd.DataFrame, titles: list[str], title: str, size: tuple[float, float], labels: bool) -> Any:
    methods = [name for name in _COLOURS if name in set(frame["analysis"])]
    ends = pd.concat([frame[name] for name in ("effect", "ci_low", "ci_high")]).dropna()
    most = float(ends.abs().max()) * 1.06 if len(ends) and ends.abs().max() > 0 else 1.0
    y = alt.Y(
        "title:N",
        title=None,
        sort=titles,
        scale=alt.Scale(domain=titles),
        axis=alt.Axis(labels=labels, ticks=False, labelLimit=_WIDEST, labelPadding=8, grid=False),
    )
    offset = alt.YOffset("analysis:N", sort=methods, scale=alt.Scale(domain=methods, paddingOuter=0.4))
    x = alt.X(
        "effect:Q",
        title=title,
        scale=alt.Scale(domain=[-most, most], nice=False),
        axis=alt.Axis(grid=True, tickCount=7),
    )
    color = alt.Color("analysis:N", title=None, scale=scale_of(_COLOURS), legend=alt.Legend(symbolOpacity=1))
    tooltip = [
        *tips("title:N", "analysis:N", "scale:N", effect=".3f", ci_low=".3f", ci_high=".3f", p_value=".3g"),
        *tips("n_subjects:Q", "n_samples:Q"),
    ]
    base = alt.Chart(frame).encode(y=y, yOffset=offset, color=color, tooltip=tooltip)
    primary = alt.condition("datum.method === 'subject_permutation'", alt.value(2.6), alt.value(1.4))
    zero = alt.Chart(pd.DataFrame({"effect": [0]})).mark_rule(color=GREY, strokeDash=[3, 3]).encode(x="effect:Q")
    rules = base.mark_rule().encode(x=x.copy(), strokeWidth=primary).encode(x="ci_low:Q", x2="ci_high:Q")
    points = base.mark_point(filled=True, opacity=1).encode(
        x=x,
        shape=alt.Shape("analysis:N", title=None, scale=scale_of(_SHAPES)),
        size=alt.condition("datum.method === 'subject_permutation'", alt.value(90), alt.value(44)),
    )
    return alt.layer(zero, rules, points).properties(width=size[0], height=size[1])


def trajectories(
    means: pd.DataFrame, lines: pd.DataFrame, palette: Mapping[str, str], titles: Mapping[str, str]
) -> Any:
    """Draw the mean of each group at each visit with its interval, over a thin line per subject; a panel per rate.

    Parameters
    ----------
    means
        ``rate, group, day_median, mean, ci_low, ci_high, n_subjects, n_samples``.
    lines
        ``rate, group, subject, sample, day, value``.
    palette
        Group and its colour, in order.
    titles
        Rate and the title of its panel.
    """
    last = max(float(lines["day"].max()) if len(lines) else 0.0, float(means["day_median"].max()), 1.0)
    # Side by side, so that intervals of one visit do not cover each other.
    shift = {name: (i - (len(palette) - 1) / 2) * 0.018 * last for i, name in enumerate(palette)}
    means = means.assign(day=means["day_median"] + means["group"].map(shift))
    shown = [name for name in titles if (means["rate"] == name).any()]
    per_row = min(_PER_ROW, max(len(shown), 1))
    width = (FIGURE_WIDTH - 52 - 34 * (per_row - 1)) / per_row
    charts = [
        _trajectory(means[means["rate"] == name], lines[lines["rate"] == name], palette, last, width).properties(
            title=titles[name]
        )
        for name in shown
    ]
    return finish(rows_of(charts, per_row), "Means of groups over time, with intervals.")


def _trajectory(means: pd.DataFrame, lines: pd.DataFrame, palette: Mapping[str, str], last: float, width: float) -> Any:
    color = alt.Color("group:N", title=None, scale=scale_of(palette), legend=alt.Legend(symbolOpacity=1))
    x = alt.X(
        "day:Q",
        title="day",
        scale=alt.Scale(domain=[0, last * 1.04], nice=False),
        axis=alt.Axis(tickMinStep=1, tickCount=5),
    )
    ends = pd.Series(
        [*lines["value"], *means[["mean", "ci_low", "ci_high"]].to_numpy().ravel()], dtype="float64"
    ).dropna()
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(domain=limits(ends), nice=False, zero=False),
        axis=alt.Axis(tickCount=5, minExtent=30),
    )
    many = lines["subject"].nunique() > 40
    thin = (
        alt.Chart(lines)
        .mark_line(strokeWidth=0.9, opacity=0.15 if many else 0.3, point={"size": 10, "opacity": 0.3})
        .encode(x=x, y=y, color=color, detail="subject:N", tooltip=tips("subject:N", "sample:N", "day:Q", value=".3f"))
    )
    tooltip = [
        *tips("group:N", mean=".3f", ci_low=".3f", ci_high=".3f"),
        *tips("n_subjects:Q", "n_samples:Q"),
    ]
    base = alt.Chart(means).encode(x=x, color=color, tooltip=tooltip)
    path = base.mark_line(strokeWidth=2.2).encode(y="mean:Q")
    rule = base.mark_rule(strokeWidth=2).encode(y="ci_low:Q", y2="ci_high:Q")
    point = base.mark_point(filled=True, size=64, opacity=1).encode(
        y="mean:Q", shape=alt.Shape("group:N", title=None, scale=scale_of(group_shapes_of(palette)))
    )
    return alt.layer(thin, path, rule, point).properties(width=width, height=170)
