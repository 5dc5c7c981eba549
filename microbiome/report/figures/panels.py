"""Panels below each other on one axis of days, put together as JSON: there are many pages, and Altair copies often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.figures.parts import GREY
from microbiome.report.theme import CONFIG, FIGURE_WIDTH

__all__ = ["AXIS", "WIDTH", "Column", "Days", "Panel", "dose_rules", "legend", "y_axis"]

AXIS, LEGEND = 128, 150
WIDTH = FIGURE_WIDTH - AXIS - LEGEND - 12


@dataclass(frozen=True)
class Panel:
    """Layers on one pair of axes; the scales `independent` are each layer's own."""

    layers: Sequence[Any]
    height: Any
    title: str = ""
    independent: tuple[str, ...] = ()

    def to_dict(self, datasets: dict[str, Any]) -> dict[str, Any]:
        """Return the specification; its data are added to `datasets`."""
        parts = []
        for layer in self.layers:
            # Not validated: of hundreds of pages all look alike, and drawing them to SVG refuses what is no chart.
            part = layer.to_dict(validate=False)
            datasets |= part.pop("datasets", {})
            part.pop("config", None)
            part.pop("$schema", None)
            parts.append(part)
        found: dict[str, Any] = {"layer": parts, "width": WIDTH, "height": self.height}
        if self.title:
            title = {"fontSize": 11, "fontWeight": 600, "offset": 4, "frame": "group", "anchor": "start"}
            found["title"] = {"text": self.title, **title}
        if self.independent:
            found["resolve"] = {"scale": dict.fromkeys(self.independent, "independent")}
        return found


@dataclass(frozen=True)
class Column:
    """Panels below each other; `description` is for screen readers."""

    panels: Sequence[Panel]
    description: str

    def to_dict(self) -> dict[str, Any]:
        """Return the Vega-Lite specification; panels share no scale, their axes of days are the same anyway."""
        datasets: dict[str, Any] = {}
        parts = [panel.to_dict(datasets) for panel in self.panels]
        scales = ("color", "fill", "shape", "x")
        return {
            "$schema": alt.SCHEMA_URL,
            "config": CONFIG,
            "datasets": datasets,
            "description": self.description,
            "vconcat": parts,
            "spacing": 12,
            "resolve": {"scale": dict.fromkeys(scales, "independent")},
        }


@dataclass(frozen=True)
class Days:
    """The axis of days of one panel; only the last panel has labels."""

    low: float
    high: float
    last: bool = False

    @property
    def x(self) -> alt.X:
        """The channel."""
        return alt.X(
            "day:Q",
            title="day (0 = first dose)" if self.last else None,
            scale=alt.Scale(domain=[self.low, self.high], nice=False, zero=False, padding=0),
            axis=alt.Axis(labels=self.last, ticks=self.last, tickCount=9, tickMinStep=1, format="d", labelOverlap=True),
        )

    @property
    def per_pixel(self) -> float:
        """Days of one pixel."""
        return (self.high - self.low) / WIDTH


def y_axis(**options: Any) -> alt.Axis:
    """Return an axis as wide as that of every panel, so that they stand exactly below each other."""
    return alt.Axis(minExtent=AXIS - 14, maxExtent=AXIS - 14, ticks=False, labelLimit=AXIS - 18, **options)


def legend(**options: Any) -> alt.Legend:
    """Return the legend beside a panel."""
    return alt.Legend(
        orient="right", direction="vertical", columns=1, offset=12, rowPadding=1, labelLimit=LEGEND - 34,
        symbolSize=60, symbolOpacity=1, labelFontSize=10.5, titleOrient="top", **options,
    )  # fmt: skip


def dose_rules(doses: pd.DataFrame, days: Days) -> list[Any]:
    """Return dashed lines on the days with a dose; nothing without doses."""
    if doses.empty:
        return []
    return [alt.Chart(doses).mark_rule(color=GREY, strokeDash=[3, 3], strokeWidth=0.9).encode(x=days.x)]
