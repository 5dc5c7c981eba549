"""One figure as a file: SVG, and its data as TSV beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import vl_convert

from microbiome.errors import InputError, Problem
from microbiome.files import write_text
from microbiome.tsv import write_table

__all__ = ["VEGA_LITE", "write_svg"]

VEGA_LITE = "6.4"


def write_svg(chart: Any, data: pd.DataFrame, path: str | Path, comment: str) -> None:
    """Write a chart as SVG, and what is drawn as TSV of the same name.

    Parameters
    ----------
    chart
        Altair chart.
    data
        What is drawn.
    path
        Ends in ``.svg``.
    comment
        First line of the TSV: what the figure shows.

    Raises
    ------
    InputError
        When `path` ends otherwise, or cannot be written.
    """
    place = Path(path)
    if place.suffix.lower() != ".svg":
        raise InputError(Problem("figures are written as SVG", "give a name that ends in .svg", str(path)))
    write_text(vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=VEGA_LITE), place)
    write_table(data, place.with_suffix(".tsv"), [comment])
