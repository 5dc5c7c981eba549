"""Distance matrices as square TSV files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import skbio

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text
from microbiome.tsv import write_table

__all__ = ["read_distances", "read_metric", "write_distances"]

# Two cells that were printed by a program with fewer digits than ours may differ by this much.
_ASYMMETRY = 1e-9
# Of one kind of problem as many are named one by one; the rest are counted.
_NAMED = 20
_METRIC = re.compile(r"#\s*metric:\s*(\S+)")


def write_distances(
    distances: skbio.DistanceMatrix, path: str | Path, metric: str = "", comments: Sequence[str] = ()
) -> None:
    """Write a distance matrix: square, samples in the header and in the first column, all digits.

    Parameters
    ----------
    distances
        The matrix.
    path
        Target; ``-`` is standard output.
    metric
        Kept in a comment line (``# metric: bray_curtis``), by which :func:`microbiome.diversity.similarity` knows
        what 1 - distance means.
    comments
        Further comment lines.
    """
    frame = pd.DataFrame(distances.data, index=list(distances.ids), columns=list(distances.ids))
    frame.insert(0, "sample", list(distances.ids), allow_duplicates=True)
    write_table(frame, path, ([f"metric: {metric}"] if metric else []) + list(comments))


def read_metric(path: str | Path) -> str:
    """Return the metric that the comment lines of a distance file name, ``""`` where they name none."""
    for line in open_text(path).splitlines():
        if not line.startswith("#"):
            break
        found = _METRIC.match(line)
        if found:
            return found[1]
    return ""


def read_distances(path: str | Path) -> skbio.DistanceMatrix:
    """Read a square TSV of distances.

    Parameters
    ----------
    path
        Plain or gzip TSV; comment lines (``#...``) first, then a header whose first cell is free and whose others are
        the samples, then one row per sample in the order of the header. The form that :func:`write_distances` and
        scikit-bio write.

    Returns
    -------
    skbio.DistanceMatrix
        Distances between samples, in the order of the file.

    Raises
    ------
    InputError
        With every problem: a sample twice, rows that are not those of the header in their order, a row that is too
        short or long, a cell that is not a finite number >= 0, a distance of a sample to itself that is not 0, two
        distances of one pair that differ by more than 1e-9 (relative to the larger, or to 1).
    """
    name = str(path)
    lines = [(number, line) for number, line in enumerate(open_text(path).split("\n"), start=1) if line.strip()]
    lines = [(number, line.rstrip("\r")) for number, line in lines]
    while lines and lines[0][1].startswith("#"):
        lines.pop(0)
    if not lines:
        raise InputError(Problem("the file is empty", "make it with `microbiome beta`", name))
    top, header = lines[0]
    ids = header.split("\t")[1:]
    if not ids:
        raise InputError(Problem("the header has one column only", "separate the samples by tabs", name, top))
    problems = [
        Problem(f"sample {sample!r} stands twice in the header", "keep one", name, top, value=sample)
        for sample in dict.fromkeys(ids)
        if ids.count(sample) > 1
    ]
    if len(lines) - 1 != len(ids):
        problems.append(
            Problem(
                f"the matrix is not square: {len(lines) - 1} rows for {len(ids)} samples in the header",
                "give the whole matrix",
                name,
                top,
            )
        )
    values = np.zeros((len(lines) - 1, len(ids)))
    cells: list[Problem] = []
    for row, (number, line) in enumerate(lines[1:]):
        sample, *parts = line.split("\t")
        if row < len(ids) and sample != ids[row]:
            problems.append(
                Problem(
                    f"the row is {sample!r}, the header has {ids[row]!r} here",
                    "order rows like columns",
                    name,
                    number,
                    value=sample,
                )
            )
        if len(parts) != len(ids):
            problems.append(
                Problem(f"the row has {len(parts)} distances for {len(ids)} samples", "mend the row", name, number)
            )
            continue
        try:
            values[row] = [float(part) for part in parts]
        except ValueError:
            values[row] = [_number(part) for part in parts]
        for column in np.flatnonzero(~(np.isfinite(values[row]) & (values[row] >= 0))):
            fix = "write a number, 0 or more"
            cells.append(Problem(f"{parts[column]!r} is not a distance", fix, name, number, ids[column], parts[column]))
    problems += _first(cells, name, "cells are not distances")
    raise_problems(problems)
    numbers = [number for number, _ in lines[1:]]
    raise_problems(_shape_problems(values, ids, numbers, name))
    return skbio.DistanceMatrix((values + values.T) / 2, ids)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _shape_problems(values: np.ndarray, ids: list[str], lines: list[int], name: str) -> list[Problem]:
    """Return what keeps a square matrix of numbers from being one of distances."""
    hollow = [
        Problem(
            f"sample {ids[at]!r} has distance {values[at, at]:g} to itself", "it must be 0", name, lines[at], ids[at]
        )
        for at in np.flatnonzero(np.diag(values) != 0)
    ]
    gap = np.abs(values - values.T) > _ASYMMETRY * np.maximum(1.0, np.maximum(values, values.T))
    rows, columns = np.nonzero(np.triu(gap, 1))
    skew = [
        Problem(
            f"{values[row, column]:g} between {ids[row]!r} and {ids[column]!r} is {values[column, row]:g} in line "
            f"{lines[column]}",
            "a distance is the same both ways",
            name,
            lines[row],
            ids[column],
            f"{values[row, column]:g}",
        )
        for row, column in zip(rows[: _NAMED + 1], columns[: _NAMED + 1], strict=True)
    ]
    return _first(hollow, name, "samples have a distance to themselves") + _first(
        skew, name, "pairs are not symmetric", len(rows)
    )


def _first(problems: list[Problem], name: str, what: str, total: int | None = None) -> list[Problem]:
    """Return the first of many problems of one kind, and how many there are in all."""
    total = len(problems) if total is None else total
    if total <= _NAMED:
        return problems
    return [*problems[:_NAMED], Problem(f"{total} {what}; the first {_NAMED} are named", "", name)]
