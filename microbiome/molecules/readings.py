"""What the cells of a table say, and what is wrong with them."""

from __future__ import annotations

import numpy as np

from microbiome.errors import Problem
from microbiome.molecules.bounds import Bounds, Readings
from microbiome.molecules.cells import parse_cell
from microbiome.molecules.layout import Layout
from microbiome.molecules.transforms import LOGARITHMS, upper_end

__all__ = ["absent_features", "domain_problems", "limited", "readings_of"]

_MOST_LISTED = 100


def readings_of(layout: Layout, file: str) -> tuple[Readings, list[str], list[Problem]]:
    """Parse all cells (:func:`microbiome.molecules.cells.parse_cell`); the first 100 bad ones are named.

    Of a feature without any number only that is said: it is a column of words. Returns what the cells say, the names of
    such features, and the problems.
    """
    shape = (len(layout.rows), len(layout.features))
    values, below, above = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    problems: list[Problem] = []
    bad = np.zeros(shape, dtype=bool)
    words: dict[tuple[int, int], tuple[str, str]] = {}
    for i, row in enumerate(layout.cells):
        for j, text in enumerate(row):
            cell = parse_cell(text)
            if cell.kind == "number":
                values[i, j] = cell.value
            elif cell.kind == "below":
                below[i, j] = -np.inf if np.isnan(cell.value) else cell.value
            elif cell.kind == "above":
                above[i, j] = np.inf if np.isnan(cell.value) else cell.value
            elif cell.kind == "bad":
                bad[i, j] = True
                words[i, j] = (cell.message, cell.fix)
    # A column of words is no feature at all: that is said once.
    wordy = bad.any(axis=0) & ~(np.isfinite(values) | ~np.isnan(below) | ~np.isnan(above)).any(axis=0) & (shape[0] > 1)
    for j in map(int, np.flatnonzero(wordy)):
        i = int(np.argmax(bad[:, j]))
        message = f"feature {layout.features[j]!r} holds no number, but {layout.cells[i][j]!r}"
        line, _ = layout.place(i, j)
        where = layout.features[j] if layout.shape != "feature" else ""
        fix = "remove it, or name it in leave_out where it is no feature"
        problems.append(Problem(message, fix, file, None if where else line, where))
    cells = [place for place in words if not wordy[place[1]]]
    for place in cells[:_MOST_LISTED]:
        problems.append(Problem(*words[place], file, *layout.place(*place), layout.cells[place[0]][place[1]]))
    if len(cells) > _MOST_LISTED:
        more = f"{len(cells) - _MOST_LISTED} more cells are no measurement"
        problems.append(Problem(more, "mend these first", file))
    return Readings(values, below, above), [layout.features[int(j)] for j in np.flatnonzero(wordy)], problems


def limited(readings: Readings, bounds: Bounds, layout: Layout, file: str) -> tuple[Readings, list[Problem]]:
    """Put the stated limits where cells name one without telling it."""
    below, above = readings.below.copy(), readings.above.copy()
    problems: list[Problem] = []
    for limits, unknown, stated, word in (
        (below, np.isneginf(below), bounds.lows(layout.features), "lod"),
        (above, np.isposinf(above), bounds.highs(layout.features), "upper"),
    ):
        limits[unknown] = np.broadcast_to(stated, limits.shape)[unknown]
        for i, j in np.argwhere(unknown & np.isnan(limits))[:_MOST_LISTED]:
            message = f"the limit that {layout.cells[i][j]!r} means is not known"
            fix = f"write it into the cell, or give {word} of {layout.features[j]!r} in the table of limits"
            problems.append(Problem(message, fix, file, *layout.place(int(i), int(j)), layout.cells[i][j]))
    return Readings(readings.values, below, above), problems


def domain_problems(
    readings: Readings, layout: Layout, transform: str, unit: str, file: str, lows: np.ndarray
) -> list[Problem]:
    """Find what the transform cannot take, apart from the ends of its range.

    `lows` are the stated limits of detection of the features: a 0 of a feature that has one (above 0) lies below it.
    """
    logarithm = transform in LOGARITHMS
    if not logarithm and transform != "logit":
        return []
    top = upper_end(unit) if transform == "logit" else np.inf
    range_ = "0 or more" if logarithm else f"between 0 and {top:g}"
    values = readings.values
    outside = (values < 0) | (values > top) | (readings.below <= 0) | (readings.above >= top)
    problems = []
    for i, j in np.argwhere(outside)[:_MOST_LISTED]:
        cell = layout.cells[i][j].strip()
        message, fix = f"{cell} cannot stand under the transform {transform}", f"give values {range_}, or another one"
        if top == 1 and 1 < values[i, j] <= 100:
            fix += "; of percentages, the unit %"
        problems.append(Problem(message, fix, file, *layout.place(int(i), int(j)), cell))
    if (number := int(outside.sum())) > _MOST_LISTED:
        problems.append(Problem(f"{number - _MOST_LISTED} more cells are out of range", "mend these first", file))
    if not problems and not ((values > 0).any() or (readings.below > 0).any()) and (values == 0)[:, ~(lows > 0)].any():
        fix = "look for the numbers, or use another transform"
        problems.append(Problem(f"no value is above 0, so that {transform} cannot be taken", fix, file))
    return problems


def absent_features(bounds: Bounds, layout: Layout, file: str) -> list[Problem]:
    """Return a warning that lists the features that have limits and are not in the table."""
    absent = [feature for feature in dict.fromkeys([*bounds.low, *bounds.high]) if feature not in set(layout.features)]
    if not absent:
        return []
    message = f"limits of features that are not in the table: {', '.join(absent)}"
    return [Problem(message, "correct the names, or leave it at that", file, level="warning")]
