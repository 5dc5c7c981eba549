"""Blocks on the rows of tables of measurements: which were joined by subject and day, and which were not."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report.blocks import Cell, Heading, Note, TableBlock, Title, number, number_cell, plural, signed

__all__ = ["joined_rows"]

_SIDES = {"only_1": "1", "only_2": "2"}


def joined_rows(frame: pd.DataFrame | None) -> list[Any]:
    """Make the blocks; none where no tables were joined.

    Parameters
    ----------
    frame
        Columns of :data:`microbiome.molecules.tables.JOINS`.
    """
    if frame is None or frame.empty:
        return []
    alone = frame[frame["status"].isin(list(_SIDES))]
    blocks: list[Any] = [Title("Rows that were joined"), _summary(frame)]
    if alone.empty:
        return [*blocks, Note("Every row of every table has a partner in every other.")]
    return [*blocks, _alone(alone)]


def _summary(frame: pd.DataFrame) -> TableBlock:
    """Make the table with a row per pair of tables."""
    headings = [
        Heading("tables"),
        Heading("joined", "Pairs of rows, and of how many subjects.", True),
        Heading("first alone", "Rows of the first table without a partner.", True),
        Heading("second alone", "Rows of the second table without a partner.", True),
        Heading("days apart", "Day in the second less day in the first table, smallest to largest.", True),
        Heading("most days", "Window within which rows are joined.", True),
        Heading("taken", "Which of several partners within the window is taken."),
    ]
    rows = []
    for (one, two), part in frame.groupby(["table_1", "table_2"], sort=False):
        joined = part[part["status"] == "joined"]
        counts = part["status"].value_counts()
        lag = joined["lag"].dropna().astype(float)
        span = f"{signed(lag.min(), 0)} to {signed(lag.max(), 0)}" if len(lag) else "–"
        window = part["window"].dropna()
        first, second = (int(counts.get(status, 0)) for status in _SIDES)
        rows.append(
            [
                Cell(f"{one} with {two}"),
                number_cell(len(joined), number(len(joined)), f"\n{plural(joined['subject'].nunique(), 'subject')}"),
                number_cell(first, number(first)),
                number_cell(second, number(second)),
                number_cell(lag.abs().max() if len(lag) else None, span),
                number_cell(window.iloc[0] if len(window) else None, number(window.iloc[0]) if len(window) else "–"),
                Cell(", ".join(map(str, part["prefer"].dropna().unique()))),
            ]
        )
    caption = (
        "Rows are joined by subject and day; of before the first dose with such of before, of after with such of after."
    )
    return TableBlock("joins", "Rows of the tables, joined by subject and day", caption, headings, rows, frame)


def _alone(frame: pd.DataFrame) -> TableBlock:
    """Make the table of the rows that have no partner."""
    headings = [
        Heading("row of", "The table."),
        Heading("without partner in", "The other table."),
        Heading("subject"),
        Heading("row", "A sample, or subject and day."),
        Heading("day", "0: first dose.", True),
        Heading("why"),
    ]
    rows = []
    for row in frame.to_dict("records"):
        side = _SIDES[str(row["status"])]
        other = "2" if side == "1" else "1"
        day = row[f"day_{side}"]
        rows.append(
            [
                Cell(str(row[f"table_{side}"])),
                Cell(str(row[f"table_{other}"])),
                Cell(str(row["subject"])),
                Cell("" if pd.isna(row[f"row_{side}"]) else str(row[f"row_{side}"])),
                number_cell(day, signed(day, 0)),
                Cell(row["note"] if isinstance(row["note"], str) else ""),
            ]
        )
    return TableBlock("joins_alone", "Rows without a partner", "", headings, rows, frame, plural(len(rows), "row"))
