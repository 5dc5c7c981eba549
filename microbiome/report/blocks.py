"""What a page is put together from: sections with figures, tables and notes; nothing here knows HTML but for links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import altair as alt
import pandas as pd

from microbiome.report.theme import natural_key
from microbiome.tables import Table

__all__ = [
    "Cell",
    "Fact",
    "Figure",
    "FigureGroup",
    "Heading",
    "Missing",
    "Note",
    "PatientPage",
    "Section",
    "TableBlock",
    "Title",
    "below",
    "counts",
    "frame_cells",
    "listed",
    "number",
    "number_cell",
    "p_text",
    "plural",
    "signed",
    "span",
    "table_of",
]


@dataclass(frozen=True)
class Fact:
    """One number of the summary: the number, what it counts, and a remark."""

    value: str
    label: str
    remark: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart, the data drawn in it, and the words around it.

    Parameters
    ----------
    key
        Name of its files and its anchor in the page.
    title, caption
        What is shown, and how to read it.
    chart
        Altair chart.
    data
        What is drawn, offered as TSV.
    subjects, samples
        How many are in it; 0 samples where it is of subjects alone.
    half
        Drawn at half width, two beside each other.
    who
        What the `subjects` are.
    """

    key: str
    title: str
    caption: str
    chart: Any
    data: pd.DataFrame
    subjects: int
    samples: int
    half: bool = False
    who: str = "subject"
    kind: str = field(default="figure", init=False)

    @property
    def size(self) -> str:
        """``n`` in words."""
        return counts(self.subjects, self.samples, self.who)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Vega-Lite specification of the chart, made (and validated) once; of any number of rows."""
        with alt.data_transformers.enable("default", max_rows=None):
            spec: dict[str, Any] = self.chart.to_dict()
        return spec


@dataclass(frozen=True)
class FigureGroup:
    """Further figures of the same sort, folded away behind a line of text."""

    summary: str
    figures: Sequence[Figure]
    kind: str = field(default="group", init=False)


@dataclass(frozen=True)
class Cell:
    """One cell: what is shown, smaller text behind it, and by what it is sorted."""

    text: str
    sub: str = ""
    sort: str = ""
    href: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Heading:
    """Head of a column: name, what it means, and whether it holds numbers."""

    name: str
    meaning: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class TableBlock:
    """A table of the page, and the data behind it as TSV."""

    key: str
    title: str
    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    data: pd.DataFrame | None = None
    size: str = ""
    kind: str = field(default="table", init=False)

    @property
    def noted(self) -> bool:
        """Whether the last column holds notes: they stand below their rows, where no reader has to scroll to them."""
        return bool(self.headings) and self.headings[-1].name == "note"

    @property
    def columns(self) -> Sequence[Heading]:
        """Headings of the columns that stand beside each other."""
        return self.headings[:-1] if self.noted else self.headings

    @property
    def cells(self) -> list[list[str | list[str]]]:
        """Cells for the scripts of the page, in the order text, sort, sub; a text alone stands for itself."""
        return [
            [cell.text if not (cell.sort or cell.sub) else [cell.text, cell.sort, cell.sub] for cell in row]
            for row in self.rows
        ]


@dataclass(frozen=True)
class PatientPage:
    """The page of one patient, folded; its figure is drawn when it is opened. Of the tables `folded` are so, too."""

    key: str
    name: str
    summary: str
    facts: Sequence[Fact]
    figure: Figure
    tables: tuple[TableBlock, ...] = ()
    folded: tuple[TableBlock, ...] = ()
    kind: str = field(default="patient", init=False)


@dataclass(frozen=True)
class Note:
    """A paragraph set apart; `level` is ``note`` or ``warning``."""

    text: str
    level: str = "note"
    items: Sequence[str] = ()
    kind: str = field(default="note", init=False)


@dataclass(frozen=True)
class Title:
    """A heading within a section."""

    text: str
    kind: str = field(default="title", init=False)


@dataclass(frozen=True)
class Missing:
    """What a section lacks, and how to get it."""

    text: str
    kind: str = field(default="missing", init=False)


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    key: str
    title: str
    paragraphs: Sequence[str] = ()
    blocks: Sequence[Any] = ()
    facts: Sequence[Fact] = ()


def plural(n: int, word: str, words: str = "") -> str:
    """``1 subject``, ``2 subjects``."""
    return f"{n:,} {word if n == 1 else words or word + 's'}"


def counts(subjects: int, samples: int, who: str = "subject") -> str:
    """``n = 10 subjects, 40 samples``; subjects alone where nothing is taken of samples (0)."""
    return f"n = {plural(subjects, who)}" + (f", {plural(samples, 'sample')}" if samples else "")


def listed(names: Sequence[str], most: int = 12) -> str:
    """Join names in their natural order; beyond `most` say how many more."""
    ordered = sorted(names, key=natural_key)
    text = ", ".join(ordered[:most])
    return text if len(ordered) <= most else f"{text} and {len(ordered) - most} more"


def number(value: Any, digits: int = 3) -> str:
    """Write a number for reading; missing is an en dash."""
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    size = abs(float(value))
    return f"{value:.2e}" if size < 10 ** (-digits) or size >= 1e6 else f"{value:.{digits}f}"


def span(low: Any, high: Any, digits: int = 2) -> str:
    """Write an interval or a range for reading: ``0.12 to 0.31``; a missing end is an en dash."""
    if pd.isna(low) or pd.isna(high):
        return "–"
    return f"{signed(low, digits)} to {signed(high, digits)}"


def signed(value: Any, digits: int = 2) -> str:
    """Write a number with fixed digits, a minus sign for a hyphen, and no sign before 0; missing is an en dash."""
    if value is None or pd.isna(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def p_text(value: Any) -> str:
    """Write a p-value: three decimals, one digit below 0.001; missing is an en dash."""
    if value is None or pd.isna(value):
        return "–"
    return f"{value:.1g}" if value < 0.001 else f"{value:.3f}" if value < 0.995 else f"{value:.2f}"


def number_cell(value: Any, text: str, sub: str = "") -> Cell:
    """Return the cell of a number, sorted by its value; what is missing has no smaller text, and is sorted last."""
    missing = value is None or pd.isna(value)
    return Cell(text, "" if missing else sub, "" if missing else f"{float(value):.5g}", numeric=True)


def below(low: Any, high: Any) -> str:
    """Write an interval as the smaller text below a number; nothing where there is none."""
    text = span(low, high)
    return "" if text == "–" else f"\n{text}"


def frame_cells(frame: pd.DataFrame, formats: dict[str, Callable[[Any], str]] | None = None) -> list[list[Cell]]:
    """Turn a frame into cells: numbers right-aligned and sorted as numbers, the rest as text."""
    formats = formats or {}
    numeric = {name: pd.api.types.is_numeric_dtype(frame[name]) for name in frame}
    rows = []
    for record in frame.itertuples(index=False, name=None):
        row = []
        for name, value in zip(frame.columns, record, strict=True):
            empty = value is None or pd.isna(value)
            shown = (
                formats[name](value)
                if name in formats and not empty
                else number(value)
                if numeric[name]
                else ""
                if empty
                else str(value)
            )
            row.append(Cell(shown, sort="" if empty else str(value), numeric=numeric[name]))
        rows.append(row)
    return rows


def table_of(
    key: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    declared: Table | None = None,
    meanings: dict[str, str] | None = None,
    formats: dict[str, Callable[[Any], str]] | None = None,
    size: str = "",
    data: pd.DataFrame | None = None,
) -> TableBlock:
    """Make a table of a frame.

    What its columns mean comes from their declaration, or from `meanings`; `data` is for the download (the frame itself
    where it is None).
    """
    known = {column.name: column.meaning for column in declared.columns} if declared else {}
    known |= meanings or {}
    headings = [
        Heading(str(name).replace("_", " "), known.get(str(name), ""), pd.api.types.is_numeric_dtype(frame[name]))
        for name in frame
    ]
    return TableBlock(key, title, caption, headings, frame_cells(frame, formats), frame if data is None else data, size)
