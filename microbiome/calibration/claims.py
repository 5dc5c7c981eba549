"""Sentences about tables: they say what the numbers say, and change with them."""

from __future__ import annotations

import pandas as pd

__all__ = ["covered", "held", "pivot", "span"]

_MARKS = {"above": " \u2191", "fails": " **\u2191\u2191**", "short": " \u2193", "fails_coverage": " **\u2193\u2193**"}


def span(values: pd.Series) -> str:
    """Return the range of some shares in words."""
    low, high = float(values.min()), float(values.max())
    return f"{low:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{low:.3f} to {high:.3f}"


def held(rows: pd.DataFrame) -> str:
    """Say whether a test held its level: in how many designs, between which rates, and where it did not."""
    known = rows[rows["rejected"].notna()]
    if known.empty:
        return "not run"
    over = known[known["verdict"].isin(["above", "fails"])]
    sure = known[known["verdict"] == "fails"]
    designs = f"{len(known)} design{'s' * (len(known) > 1)}"
    text = f"rejects {span(known['rejected'])} in {designs}"
    if over.empty:
        return f"{text}, never above its Monte Carlo error"
    text += f"; above its Monte Carlo error in {len(over)}"
    return text + (f", far above in {len(sure)}" if len(sure) else "")


def covered(rows: pd.DataFrame) -> str:
    """Say whether an interval covers: between which shares, and where it falls short of what is asked for."""
    known = rows[rows["covered"].notna()]
    if known.empty:
        return "not run"
    short = known[known["verdict"].isin(["short", "fails"])]
    text = f"covers {span(known['covered'])} in {len(known)} design{'s' * (len(known) > 1)}"
    return text + (f"; short of what is asked for in {len(short)}" if len(short) else "")


def pivot(rows: pd.DataFrame, columns: dict[str, pd.Series], value: str = "rejected") -> list[str]:
    """Return a Markdown table: a row per design, a column per test.

    Parameters
    ----------
    rows
        Of :data:`microbiome.calibration.tables.LEVEL` or ``COVERAGE``.
    columns
        Header, and which rows make the column.
    value
        ``rejected`` or ``covered``.
    """
    lines = ["| design | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    chosen = pd.concat([rows[mask] for mask in columns.values()])
    for design in dict.fromkeys(chosen["design"]):
        cells = []
        for mask in columns.values():
            part = rows[mask & (rows["design"] == design)]
            cells.append(_cell(part.iloc[0], value) if len(part) else "")
        lines.append(f"| {design} | " + " | ".join(cells) + " |")
    return lines


def _cell(row: pd.Series, value: str) -> str:
    if pd.isna(row[value]):
        return "not testable" if value == "rejected" else "none"
    verdict = str(row["verdict"])
    if value == "covered" and verdict == "fails":
        verdict = "fails_coverage"
    return f"{row[value]:.3f}" + _MARKS.get(verdict, "")
