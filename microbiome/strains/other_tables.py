"""Parsers of the tables in which StrainPhlAn, strain_transmission.py and SameStr write distances.

Each returns the columns of ``strain_distances`` that the file tells, and ``line``: the line of the file, for messages.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text

__all__ = ["parse_dist", "parse_mutations", "parse_samestr_events", "parse_samestr_matrix"]

logger = logging.getLogger(__name__)

_RATIO = re.compile(r"([0-9]+)/([0-9]+)")
# Rates are printed with all their digits; more than this apart they are not the same number.
_TOLERANCE = 1e-9
# What SameStr adds to the name of a sample that was reduced to its dominant variants.
_DOMINANT = ".dom"


@dataclass(frozen=True)
class _Matrix:
    """A square table: names of rows and columns, cells as text, and the line of each row."""

    names: list[str]
    cells: np.ndarray
    lines: np.ndarray


def parse_mutations(text: str, taxon: str, file: str = "") -> pd.DataFrame:
    """Parse a ``.mutation`` table: upper triangle d / n, lower triangle ``d/n``, where d of n positions differ.

    Returns
    -------
    DataFrame
        One row per pair; ``sites`` n, ``consensus_differences`` d, ``distance`` d / n, missing where n is 0. A pair
        that no marker has in common (``nan`` in both triangles) has 0 sites.

    Raises
    ------
    InputError
        The table is not square, a cell is no ratio, or the triangles contradict each other.
    """
    matrix = _square(text, file)
    low, high = np.tril_indices(len(matrix.names), k=-1)
    ratios, rates = matrix.cells[low, high], matrix.cells[high, low]
    problems: list[Problem] = []
    differences = np.zeros(len(low), dtype=np.int64)
    sites = np.zeros(len(low), dtype=np.int64)
    for position, (ratio, rate) in enumerate(zip(ratios, rates, strict=True)):
        found = _RATIO.fullmatch("0/0" if ratio.lower() == "nan" else ratio)
        line, column = int(matrix.lines[low[position]]), matrix.names[high[position]]
        if found is None:
            fix = "the lower triangle has differences/positions, such as 488/22790"
            problems.append(Problem(f"{ratio!r} is no ratio", fix, file, line, column, ratio))
            continue
        differences[position], sites[position] = int(found[1]), int(found[2])
        rated = abs(_number(rate) * sites[position] - differences[position]) <= _TOLERANCE * sites[position]
        if differences[position] > sites[position] or not (rated if sites[position] else rate.lower() == "nan"):
            message = f"{ratio} contradicts {rate} in the upper triangle (line {matrix.lines[high[position]]})"
            problems.append(Problem(message, "make the table again", file, line, column, ratio))
    raise_problems(problems)
    with np.errstate(invalid="ignore"):
        distance = differences / np.where(sites > 0, sites, np.nan)
    names = np.array(matrix.names, dtype=object)
    frame = pd.DataFrame(
        {
            "sample_1": names[high],
            "sample_2": names[low],
            "sites": sites,
            "distance": distance,
            "consensus_differences": differences,
            "line": matrix.lines[low],
        },
        index=pd.RangeIndex(len(low)),
    )
    return frame.assign(taxon=taxon, method="mutation_rate")


def parse_dist(text: str, taxon: str, file: str = "") -> pd.DataFrame:
    """Parse what ``strain_transmission.py --save_dist`` writes: two samples and their nGD to a line, no header."""
    rows: list[tuple[str, str, float, int]] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("\t")
        if not line.strip() or line.startswith("#"):
            continue
        value = _number(cells[2]) if len(cells) == 3 else np.nan
        if not 0 <= value < np.inf:
            problems.append(
                Problem(f"{line[:80]!r} is no pair", "each line has two samples and a distance >= 0", file, number)
            )
            continue
        rows.append((cells[0].strip(), cells[1].strip(), value, number))
    raise_problems(problems)
    frame = pd.DataFrame(rows, columns=["sample_1", "sample_2", "distance", "line"])
    return frame.assign(taxon=taxon, method="ngd")


def parse_samestr_events(text: str, file: str = "") -> pd.DataFrame:
    """Parse ``sstr_strain_events.tsv`` of ``samestr summarize``: row, col, clade, similarity (MVS), overlap."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    header = [cell.strip().strip('"') for cell in lines[start].split("\t")]
    place = {name: header.index(name) for name in ("row", "col", "clade", "similarity", "overlap")}
    rows: list[tuple[str, str, str, float, float, int]] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(header):
            message = f"the row has {len(cells)} cells, the header has {len(header)}"
            problems.append(Problem(message, "copy or make the file again", file, number))
            continue
        similarity, overlap = _number(cells[place["similarity"]]), _number(cells[place["overlap"]])
        problems += _checked(similarity, overlap, cells[place["similarity"]], cells[place["overlap"]], file, number)
        rows.append((cells[place["clade"]], cells[place["row"]], cells[place["col"]], similarity, overlap, number))
    raise_problems(problems)
    frame = pd.DataFrame(rows, columns=["taxon", "sample_1", "sample_2", "similarity", "sites", "line"])
    # A table without rows has columns of no type.
    frame = frame.astype({"similarity": float, "sites": float})
    return _without_dominant(_from_mvs(frame), file)


def parse_samestr_matrix(path: str | Path, taxon: str | None = None) -> pd.DataFrame:
    """Parse a matrix that ``samestr compare`` wrote, with its sisters beside it.

    Parameters
    ----------
    path
        ``TAXON.fraction.txt`` (MVS). ``TAXON.overlap.txt`` (positions covered in both) must be beside it, because where
        nothing overlaps SameStr writes an MVS of 0, which is not a distance of 1. ``TAXON.overlap.txt`` and
        ``TAXON.closest.txt`` may be given as well, so that a pattern such as ``compare/*.txt`` will do; they stand for
        the MVS file beside them.
    taxon
        None takes the name of the file up to ``.fraction.txt``.
    """
    name = str(path)
    found = re.fullmatch(r"(.+)\.(fraction|overlap|closest)\.txt", Path(path).name)
    if found is None:
        raise InputError(
            Problem(
                "the name of the matrix does not tell what is in it", "keep SameStr's name TAXON.fraction.txt", name
            )
        )
    stem = found[1]
    files = [str(Path(path).with_name(f"{stem}.{what}.txt")) for what in ("fraction", "overlap")]
    mvs, overlaps = (_square(open_text(file), file) for file in files)
    if mvs.names != overlaps.names:
        raise InputError(Problem(f"not of the same samples as {files[0]}", "keep the files of one run", files[1]))
    one, two = np.triu_indices(len(mvs.names), k=1)
    rows: list[tuple[float, float]] = []
    problems: list[Problem] = []
    for row, column in zip(one, two, strict=True):
        similarity, overlap = mvs.cells[row, column], overlaps.cells[row, column]
        line = int(mvs.lines[row])
        problems += _checked(_number(similarity), _number(overlap), similarity, overlap, files[0], line)
        for matrix, file in ((mvs, files[0]), (overlaps, files[1])):
            if _number(matrix.cells[row, column]) != _number(matrix.cells[column, row]):
                message = f"{matrix.names[row]} and {matrix.names[column]} differ between the two triangles"
                problems.append(Problem(message, "make the matrix again", file, line, matrix.names[column]))
        rows.append((_number(similarity), _number(overlap)))
    raise_problems(problems)
    values = np.array(rows, dtype=float).reshape(-1, 2)
    names = np.array(mvs.names, dtype=object)
    frame = pd.DataFrame(
        {
            "taxon": taxon or stem,
            "sample_1": names[one],
            "sample_2": names[two],
            "similarity": values[:, 0],
            "sites": values[:, 1],
            "line": mvs.lines[one],
        },
        index=pd.RangeIndex(len(one)),
    )
    return _without_dominant(_from_mvs(frame), name)


def _checked(similarity: float, overlap: float, first: str, second: str, file: str, line: int) -> list[Problem]:
    problems = []
    if not 0 <= similarity <= 1:
        fix = "the similarity (MVS) of SameStr is in 0..1"
        problems.append(Problem(f"{first!r} is no similarity", fix, file, line, "similarity", first))
    if not (0 <= overlap < np.inf and overlap == int(overlap)):
        fix = "the overlap is a number of positions"
        problems.append(Problem(f"{second!r} is no overlap", fix, file, line, "overlap", second))
    return problems


def _from_mvs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return distance 1 - MVS, missing without overlap, and the positions without any allele in common."""
    sites = frame["sites"]
    # Counted, not subtracted, so that 1 - 0.999 is the ratio of two whole numbers.
    differing = (sites * (1 - frame["similarity"])).round()
    exact = np.isclose(differing, sites * (1 - frame["similarity"]), atol=1e-3, rtol=0)
    differing = differing.where(exact)
    distance = np.where(exact, differing / sites.where(sites > 0), 1 - frame["similarity"])
    return frame.drop(columns="similarity").assign(
        distance=np.where(sites > 0, distance, np.nan), allele_differences=differing, method="samestr"
    )


def _without_dominant(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    """Leave out the copies that SameStr makes of samples (``.dom``, dominant variants only); name them in the log.

    Where a file has nothing but them (``samestr compare --dominant-variants``) they are the samples.
    """
    names = set(frame["sample_1"]) | set(frame["sample_2"])
    copies = {name for name in names if name.endswith(_DOMINANT) and name.removesuffix(_DOMINANT) in names}
    if copies:
        logger.info("%s: %d copies with dominant variants only (.dom) are left out", file, len(copies))
        frame = frame[~(frame["sample_1"].isin(copies) | frame["sample_2"].isin(copies))]
    elif names and all(name.endswith(_DOMINANT) for name in names):
        logger.info("%s: compared by dominant variants; .dom is taken off the names", file)
        frame = frame.assign(
            sample_1=frame["sample_1"].str.removesuffix(_DOMINANT),
            sample_2=frame["sample_2"].str.removesuffix(_DOMINANT),
        )
    return frame


def _square(text: str, file: str) -> _Matrix:
    """Take a square table with the same names at the head of rows and columns apart."""
    rows = [(number, line.split("\t")) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    number, header = rows[0] if rows else (1, [])
    names = [cell.strip() for cell in header[1:]]
    problems = [
        Problem(f"the row has {len(cells)} cells, the header has {len(header)}", "copy the file again", file, line)
        for line, cells in rows[1:]
        if len(cells) != len(header)
    ]
    if len(set(names)) != len(names):
        problems.append(Problem("a sample has two columns", "keep one", file, number))
    if [cells[0].strip() for _, cells in rows[1:]] != names:
        problems.append(
            Problem("the rows are not named as the columns, in the same order", "make the table again", file, number)
        )
    raise_problems(problems)
    cells = np.array([[cell.strip() for cell in row[1:]] for _, row in rows[1:]], dtype=object)
    return _Matrix(names, cells.reshape(len(names), len(names)), np.array([line for line, _ in rows[1:]], dtype=int))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
