"""Distance matrices as square TSV files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import skbio

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text, write_pieces
from microbiome.number_text import lines_of, number_of, number_row, numbers_of
from microbiome.tsv import write_table

__all__ = ["read_distances", "read_metric", "write_distances"]

# Two cells that were printed by a program with fewer digits than ours may differ by this much.
_ASYMMETRY = 1e-9
# Of one kind of problem as many are named one by one; the rest are counted.
_NAMED = 20
# Rows that are compared at once.
_BLOCK = 256
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
    ids = list(distances.ids)
    lines = ([f"metric: {metric}"] if metric else []) + list(comments)
    if any(mark in name for name in ids for mark in '\t\n\r"') or not np.isfinite(distances.data).all():
        frame = pd.DataFrame(distances.data, index=ids, columns=ids)
        frame.insert(0, "sample", ids, allow_duplicates=True)
        write_table(frame, path, lines)
        return
    # A row at a time: the text of a large matrix takes several times its memory.
    head = "".join(f"# {line}\n" for comment in lines for line in comment.splitlines() or [""])
    rows = (f"{name}\t{number_row(row)}\n" for name, row in zip(ids, distances.data, strict=True))
    write_pieces(itertools.chain([head, "\t".join(["sample", *ids]) + "\n"], rows), path)


def read_metric(path: str | Path) -> str:
    """Return the metric that the comment lines of a distance file name, ``""`` where they name none."""
    text, start = open_text(path), 0
    while text.startswith("#", start):
        end = text.find("\n", start) + 1 or len(text)
        found = _METRIC.match(text[start:end])
        if found:
            return found[1]
        start = end
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
    lines = [(number, line) for number, line in enumerate(lines_of(open_text(path)), start=1) if line.strip()]
    first = next((place for place, (_, line) in enumerate(lines) if not line.startswith("#")), len(lines))
    lines = lines[first:]
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
        sample, _, text = line.partition("\t")
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
        count = line.count("\t")
        if count != len(ids):
            problems.append(
                Problem(f"the row has {count} distances for {len(ids)} samples", "mend the row", name, number)
            )
            continue
        try:
            values[row] = numbers_of(text)
        except ValueError:
            values[row] = [_number(part) for part in text.split("\t")]
        wrong = np.flatnonzero(~(np.isfinite(values[row]) & (values[row] >= 0)))
        parts = text.split("\t") if len(wrong) else []
        for column in wrong:
            fix = "write a number, 0 or more"
            cells.append(Problem(f"{parts[column]!r} is not a distance", fix, name, number, ids[column], parts[column]))
    problems += _first(cells, name, "cells are not distances")
    raise_problems(problems)
    numbers = [number for number, _ in lines[1:]]
    raise_problems(_shape_problems(values, ids, numbers, name))
    # In place: what is symmetric to 1e-9 is made so, and stays as it is where it was. By the difference: the sum of
    # two very large numbers is none.
    for at in range(len(ids)):
        values[at, at:] = values[at:, at] = values[at, at:] + (values[at:, at] - values[at, at:]) / 2
    return skbio.DistanceMatrix(values, ids)


def _number(text: str) -> float:
    try:
        return number_of(text)
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
    # By blocks of rows: a handful of whole matrices would be many times the memory of one.
    rows_at, columns_at = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.intp)]
    for start in range(0, len(values), _BLOCK):
        upper, lower = values[start : start + _BLOCK], values[:, start : start + _BLOCK].T
        gap = np.abs(upper - lower) > _ASYMMETRY * np.maximum(1.0, np.maximum(upper, lower))
        found = np.nonzero(np.triu(gap, start + 1))
        rows_at.append(found[0] + start)
        columns_at.append(found[1])
    rows, columns = np.concatenate(rows_at), np.concatenate(columns_at)
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
