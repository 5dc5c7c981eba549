"""Colours, shapes and chart settings that all figures share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from microbiome.simulate.tables import STRAIN_OUTCOME_NAMES
from microbiome.strains.rate_tables import VERDICTS
from microbiome.tables import OUTCOME_NAMES

__all__ = [
    "ARM_COLOURS",
    "BEST_RESPONSE_COLOURS",
    "CONFIG",
    "DONOR_COLOURS",
    "FIGURE_WIDTH",
    "GRADE_COLOURS",
    "GROUP_COLOURS",
    "KIND_SHAPES",
    "NEUTRAL",
    "OUTCOME_COLOURS",
    "OUTCOME_ORDER",
    "RESPONSE_COLOURS",
    "STRAIN_COLOURS",
    "VERDICT_COLOURS",
    "colours",
    "line_safe",
    "natural_key",
    "shapes",
]

#: Room for one figure in the page, in pixels: the column beside the table of contents at 1280 px, less its margins.
FIGURE_WIDTH = 880

# The palette of Okabe and Ito, which readers with any common colour-vision deficiency can tell apart.
_ORANGE, _SKY, _GREEN, _BLUE = "#E69F00", "#56B4E9", "#009E73", "#0072B2"
_VERMILION, _PURPLE, _BLACK = "#D55E00", "#CC79A7", "#000000"
NEUTRAL = "#8A9099"

RESPONSE_COLOURS = {"responder": _BLUE, "non-responder": _VERMILION, "response unknown": NEUTRAL}
ARM_COLOURS = (_GREEN, _PURPLE, _ORANGE, _SKY, _BLUE, _VERMILION, NEUTRAL)
#: Groups by any other column, so that they are not taken for arms or responders.
GROUP_COLOURS = (_ORANGE, _SKY, _PURPLE, _GREEN, _BLACK, _VERMILION, _BLUE)
DONOR_COLOURS = (_BLUE, _ORANGE, _GREEN, _PURPLE, _SKY, _VERMILION, _BLACK)
_SHAPES = ("triangle-down", "square", "cross", "triangle-up", "diamond")

#: What a sample is, as a shape: told apart without colour too.
KIND_SHAPES = {"donor": "diamond", "before": "triangle-up", "baseline": "square", "post": "circle", "no day": "cross"}

# Above the line what the post sample holds, below it what it lacks; each list runs outwards from the line.
_HELD = ("persisted", "shared_kept", "engrafted", "gained")
_LACKED = ("depleted", "shared_depleted", "not_engrafted")
OUTCOME_ORDER = (*_HELD, *_LACKED)
OUTCOME_COLOURS = {
    "persisted": _BLUE,
    "shared_kept": _SKY,
    "engrafted": _GREEN,
    "gained": _ORANGE,
    "depleted": _VERMILION,
    "shared_depleted": _PURPLE,
    "not_engrafted": "#C9CDD2",
}
if set(OUTCOME_ORDER) != set(OUTCOME_NAMES):  # a new outcome needs a place and a colour
    raise RuntimeError("each outcome needs its place and colour in microbiome/report/theme.py")

#: Whose strain a taxon of a post sample is; what is not resolved stays visible, and is never taken for absent.
STRAIN_COLOURS = {
    "donor": _GREEN,
    "coexist": _PURPLE,
    "recipient": _BLUE,
    "other": _ORANGE,
    "unresolved": "#D3D7DB",
}
if set(STRAIN_COLOURS) != set(STRAIN_OUTCOME_NAMES):
    raise RuntimeError("each strain_outcome needs its colour in microbiome/report/theme.py")
#: What the audit says of a sample.
VERDICT_COLOURS = {
    "ok": _BLUE,
    "untestable": NEUTRAL,
    "swapped": _VERMILION,
    "wrong_person": _ORANGE,
    "wrong_donor": _PURPLE,
    "contaminated": _BLACK,
}
if set(VERDICT_COLOURS) != set(VERDICTS):
    raise RuntimeError("each verdict needs its colour in microbiome/report/theme.py")

#: CTCAE grades, darker with severity; the grade itself stands in or beside each mark.
GRADE_COLOURS = {"1": "#F7DDB5", "2": "#EDAE6A", "3": "#D9662F", "4": "#A3270F", "5": "#4A0B05"}
#: Best response in four: blues respond, vermilions do not, as in RESPONSE_COLOURS.
BEST_RESPONSE_COLOURS = {"CR": "#00456D", "PR": _BLUE, "SD": "#E9A27B", "PD": _VERMILION, "NE": NEUTRAL}

_FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
_INK, _SOFT, _HAIR = "#1F2529", "#565D64", "#E6E8EA"

CONFIG: dict[str, Any] = {
    "background": "white",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "gridColor": _HAIR,
        "tickColor": "#C4C8CC",
        "tickSize": 4,
        "labelColor": _SOFT,
        "labelFontSize": 11,
        "labelLimit": 260,
        "titleColor": _INK,
        "titleFontSize": 11.5,
        "titleFontWeight": 500,
        "titlePadding": 8,
    },
    "axisX": {"grid": False, "domain": True, "domainColor": "#C4C8CC"},
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "labelColor": _INK,
        "labelFontSize": 11.5,
        "labelLimit": 260,
        "titleColor": _SOFT,
        "titleFontSize": 11.5,
        "titleFontWeight": 500,
        "titleOrient": "left",
        "symbolSize": 90,
        "symbolStrokeWidth": 1.5,
        "columnPadding": 14,
        "offset": 10,
    },
    "header": {
        "labelColor": _INK,
        "labelFontSize": 11.5,
        "labelFontWeight": 600,
        "labelLimit": 200,
        "titleColor": _SOFT,
        "titleFontSize": 11.5,
        "titleFontWeight": 500,
    },
    "title": {"color": _INK, "fontSize": 12, "fontWeight": 600, "anchor": "start", "offset": 8},
    "facet": {"spacing": 14},
    "concat": {"spacing": 16},
}


def colours(names: Iterable[str], palette: Sequence[str]) -> dict[str, str]:
    """Give each name a colour of `palette`, beginning again at its end (shape or label then tells the names apart)."""
    return {name: palette[position % len(palette)] for position, name in enumerate(names)}


def shapes(names: Iterable[str]) -> dict[str, str]:
    """Give each name a shape; five shapes and seven colours repeat together only after 35 names."""
    return {name: _SHAPES[position % len(_SHAPES)] for position, name in enumerate(names)}


def natural_key(name: object) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``pt9`` before ``pt10``."""
    parts = re.split(r"(\d+)", str(name))
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in parts)


def line_safe(text: object) -> str:
    """Return `text` with line breaks and tabs as spaces, for labels that use a line break of their own."""
    return re.sub(r"[\r\n\t\u2028\u2029]+", " ", str(text))
