"""Feature tables: TSV of feature x sample (ECs, pathways, metabolites, counts of any profiler)."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text
from microbiome.metaphlan_format import UNCLASSIFIED
from microbiome.tsv import write_table
from microbiome.validation import is_number, shown

__all__ = ["closed", "feature_abundance", "parse_features", "read_features", "write_features"]

logger = logging.getLogger(__name__)

# Rows of HUMAnN's tables that are no feature.
_NOT_FEATURES = ("UNMAPPED", "UNGROUPED", "UNINTEGRATED")
_MOST_LISTED = 100


def read_features(path: str | Path) -> pd.DataFrame:
    """Read a feature table (ECs, pathways, metabolites, ...): TSV of feature x sample.

    Parameters
    ----------
    path
        BIOM table, or plain or gzip TSV: the first column names the feature, the other headers are samples, cells are
        finite numbers.
        Comment lines (``#...``) before the header are skipped; a header that itself starts with ``#`` is understood.
        Feature and sample names stay strings; quotes around a cell are taken off. An empty cell is missing (NaN).

    Returns
    -------
    frame
        **sample x feature**, ``float64``; index named ``sample``, columns named ``taxon``.

    Raises
    ------
    InputError
        With every problem (of cells that are not numbers, the first 100).
    """
    # Imported late: few tables are of that kind.
    from microbiome.profilers.biom import biom_features, is_biom

    return biom_features(path) if is_biom(path) else parse_features(open_text(path), str(path))


def parse_features(text: str, name: str) -> pd.DataFrame:
    """Parse the text of a feature table as :func:`read_features` does; `name` is the file named in messages."""
    # Not splitlines(): that also splits at form feeds and at Unicode separators, which a name may contain.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = _feature_header(lines)
    if start is None:
        raise InputError(Problem("the file is empty", "write a header row: feature, then the samples", name))
    samples = [_unquoted(cell) for cell in lines[start].split("\t")][1:]
    if not samples:
        raise InputError(
            Problem("the header has one column only", "separate feature and samples by tabs", name, start + 1)
        )
    problems = _feature_header_problems(samples, name, start + 1)
    features: list[str] = []
    seen: dict[str, int] = {}
    values = np.empty((len(lines) - start - 1, len(samples)))
    bad_cells = 0
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line.strip(" \t"):
            continue
        first, *row = line.split("\t")
        feature = _unquoted(first)
        if feature in seen:
            message = f"feature {shown(feature)} stands already in line {seen[feature]}"
            problems.append(Problem(message, "keep one row per feature", name, number, value=feature))
            continue
        if not feature.strip():
            problems.append(Problem("the feature has no name", "name it or remove the row", name, number))
            continue
        seen[feature] = number
        if len(row) != len(samples):
            message = f"the row has {len(row)} values for {len(samples)} samples"
            problems.append(Problem(message, "mend the row", name, number))
            continue
        try:
            numbers = [float(cell) if cell else math.nan for cell in row]
        except ValueError:
            numbers = [math.nan]
        # float() also takes "nan", "inf", "1_000" and digits of other scripts: only cells that are surely plain numbers
        # take the short way.
        cells = line[len(first) :]
        if "_" in cells or not cells.isascii() or not math.isfinite(sum(numbers)):
            bad = [k for k, cell in enumerate(row) if cell.strip() and not is_number(_unquoted(cell))]
            for k in bad[: _MOST_LISTED - bad_cells]:
                fix = "write decimals with a point" if "," in row[k] else "write a number or leave it empty"
                problems.append(Problem(f"{shown(row[k])} is not a number", fix, name, number, samples[k], row[k]))
            bad_cells = min(bad_cells + len(bad), _MOST_LISTED)
            if bad:
                continue
            numbers = [float(_unquoted(cell)) if cell.strip() else math.nan for cell in row]
        values[len(features)] = numbers
        features.append(feature)
    if problems:
        # Imported late: what collects the declarations of all tables imports this module.
        from microbiome.declared import wrong_table

        wrong = wrong_table([_unquoted(lines[start].split("\t")[0]), *samples], None, name)
        raise_problems(problems if wrong is None else [wrong])
    return pd.DataFrame(
        values[: len(features)].T.copy(),
        index=pd.Index(samples, name="sample", dtype=object),
        columns=pd.Index(features, name="taxon", dtype=object),
    )


def write_features(frame: pd.DataFrame, path: str | Path, corner: str = "taxon", comments: Sequence[str] = ()) -> None:
    """Write a sample x feature frame as TSV of feature x sample (the form :func:`read_features` reads)."""
    for name in [*frame.index, *frame.columns]:
        if any(mark in str(name) for mark in "\t\n\r"):
            raise ValueError(f"the name {name!r} has a tab or line break: it cannot stand in a TSV of features")
    turned = frame.T
    turned.index.name = corner
    write_table(turned.reset_index(), path, comments)


def feature_abundance(path: str | Path, close: bool = True) -> pd.DataFrame:
    """Read a feature table into the frame that every measure takes.

    Parameters
    ----------
    path
        As in :func:`read_features`; every cell must be filled with a number of 0 or more. Of HUMAnN's tables the rows
        ``UNMAPPED``, ``UNGROUPED``, ``UNINTEGRATED`` and the stratified ones (``feature|taxon``) are left out: they
        would be counted twice.
    close
        As in :func:`closed`.

    Raises
    ------
    InputError
        As :func:`read_features`, and with the first 20 cells each that are empty, negative or infinite.
    """
    frame = read_features(path)
    names = frame.columns
    wholes = set(names)
    keep = [
        name not in _NOT_FEATURES + UNCLASSIFIED and not ("|" in name and name.split("|", 1)[0] in wholes)
        for name in names
    ]
    frame = frame.loc[:, keep]
    values = frame.to_numpy()
    problems = [
        Problem(
            f"feature {names[j]!r} of sample {frame.index[i]!r} is {word}", fix, str(path), column=str(frame.index[i])
        )
        for bad, word, fix in (
            (np.isnan(values), "empty", "write 0 where it was looked for and not found"),
            (values < 0, "negative", "abundances are 0 or more"),
            (np.isinf(values), "infinite", "correct it"),
        )
        for i, j in np.argwhere(bad)[:20]
    ]
    raise_problems(problems)
    return closed(values, frame.index, list(frame.columns), close)


def closed(values: np.ndarray, samples: pd.Index, taxa: list[str], close: bool) -> pd.DataFrame:
    r"""Return abundances as the frame that every measure takes.

    Parameters
    ----------
    values
        **sample x taxon**, finite and not negative, in any unit.
    samples, taxa
        Names of the rows and of the columns.
    close
        Close each sample to 1, :math:`x_{ij} / \sum_j x_{ij}`; otherwise the values keep their unit.

    Returns
    -------
    DataFrame
        **sample x taxon**, index ``sample``, columns ``taxon``. A sample without anything is a row of NaN, and is
        named in the log: it has no profile, which is not the same as having no taxa.
    """
    totals = values.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        result = values / totals if close else np.where(totals > 0, values, np.nan)
    empty = samples[totals[:, 0] == 0]
    if len(empty):
        logger.warning(
            "%d of %d samples have nothing classified: %s", len(empty), len(samples), ", ".join(map(str, empty))
        )
    return pd.DataFrame(
        result, index=pd.Index(samples, name="sample", dtype=object), columns=pd.Index(taxa, name="taxon", dtype=object)
    )


def _unquoted(cell: str) -> str:
    """Take the quotes off a cell that is quoted as a whole (R's write.table and pandas do that)."""
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _feature_header(lines: list[str]) -> int | None:
    """Position of the header: the first line without ``#``, or the ``#`` line above it when that can only be data."""
    for position, line in enumerate(lines):
        if not line.strip():
            continue
        if not line.startswith("#"):
            previous = lines[position - 1] if position else ""
            # "#OTU ID<TAB>s1<TAB>s2" is a header when the line under it is already a row of as many numbers.
            numbers = [_unquoted(cell) for cell in line.split("\t")[1:]]
            if previous.startswith("#") and previous.count("\t") == len(numbers) > 0:
                return position - 1 if all(not cell or is_number(cell) for cell in numbers) else position
            return position
    return None


def _feature_header_problems(samples: Sequence[str], file: str, line: int) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for position, sample in enumerate(samples, start=2):
        if not sample.strip():
            problems.append(Problem(f"column {position} has no name", "name it or remove it", file, line))
        elif sample != sample.strip():
            message = f"the sample name {shown(sample)} has extra white space"
            problems.append(Problem(message, f"write {sample.strip()!r}", file, line, sample.strip(), sample))
        elif sample in seen:
            message = f"sample {sample!r} stands twice in the header"
            problems.append(Problem(message, "keep one", file, line, sample, sample))
        seen.add(sample)
    return problems
