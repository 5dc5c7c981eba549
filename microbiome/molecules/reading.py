"""Reading of tables of measurements: metabolites, cytokines, cells, or whatever was measured."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text
from microbiome.molecules.bounds import Readings, censor, parse_bounds
from microbiome.molecules.grid import Grid, read_grid
from microbiome.molecules.layout import SHAPES, Layout, lay_out
from microbiome.molecules.measured import Measured
from microbiome.molecules.readings import absent_features, domain_problems, limited, readings_of
from microbiome.molecules.transforms import TRANSFORMS
from microbiome.study_tables import Study

__all__ = ["from_profile", "parse_measured", "parse_rows", "read_measured"]

logger = logging.getLogger(__name__)


def read_measured(
    path: str | Path,
    name: str,
    study: Study,
    unit: str = "",
    transform: str = "none",
    limits: str | Path | None = None,
    lod: float | None = None,
    leave_out: Collection[str] = (),
) -> Measured:
    r"""Read a table of measurements.

    Parameters
    ----------
    path
        TSV, plain or compressed, in one of three shapes, told by the header
        (:func:`microbiome.molecules.layout.lay_out`) and said in the log: ``sample`` and the features; ``subject``,
        ``day`` and the features (no stool sample needed); or features as rows and samples as columns. A cell is a
        number; empty, ``NA`` or ``NaN`` (missing); ``<0.5`` (below the limit of detection 0.5; ``<LOD`` where `limits`
        or `lod` tells it); or ``>100`` (above). Names are text always.
    name
        Short name of the table.
    study
        Whose samples and subjects there are.
    unit
        Unit of the values. ``%`` matters: a ``logit`` then takes 100 for the whole.
    transform
        ``none``, ``log``, ``log2``, ``log10``, ``asinh``, ``logit`` or ``rank``: noted, not applied
        (:func:`microbiome.molecules.transformed` does that). Where it takes a logarithm a 0 is read as below the limit
        of detection; where that is not known, as below the smallest value above 0 of the feature (said in the log).
    limits
        Table of limits (:data:`microbiome.molecules.tables.FEATURE_LIMITS`).
    lod
        Limit of detection of the features that `limits` does not name. A number below its limit stays as it is: only
        ``<LOD`` and, under a logarithm, 0 are below it.
    leave_out
        Columns that are no features, such as a plate or batch.

    Returns
    -------
    Measured
        Rows in the order of the file; named by the sample, or ``SUBJECT day DAY``. Rows of donors have no day: they are
        joined by their samples only.

    Raises
    ------
    InputError
        With every problem: cells that are none of the above (the first 100), rows that stand twice, samples or subjects
        of which the study knows none, values that the transform cannot take. Names that the study does not know
        beside others that it does are left out with a warning that lists them.
    """
    measured, problems = parse_measured(path, name, study, unit, transform, limits, lod, leave_out)
    raise_problems(problems)
    for problem in problems:
        logger.warning("%s", problem)
    if measured is None:
        raise AssertionError("a table that cannot be used has a problem")
    return measured


def parse_measured(
    path: str | Path,
    name: str,
    study: Study,
    unit: str = "",
    transform: str = "none",
    limits: str | Path | None = None,
    lod: float | None = None,
    leave_out: Collection[str] = (),
) -> tuple[Measured | None, list[Problem]]:
    """Read a table as :func:`read_measured` does; return it (None where it cannot be used) and every problem found."""
    if transform not in TRANSFORMS:
        raise ValueError(f"transform {transform!r}; known are {', '.join(TRANSFORMS)}")
    file = str(path)
    bounds, problems = parse_bounds(limits, lod)
    grid, layout, found = _laid_out(path, study, leave_out)
    problems += found
    if layout is None:
        return None, problems
    readings, words, found = readings_of(layout, file)
    problems += found
    problems += absent_features(bounds, layout, str(limits or ""))
    readings, found = limited(readings, bounds, layout, file)
    problems += found
    lows = bounds.lows(layout.features)
    problems += domain_problems(readings, layout, transform, unit, file, lows)
    if any(problem.level == "error" for problem in problems):
        problems.sort(key=lambda problem: (problem.file != file, problem.line or 0))
        return None, _or_wrong_table(grid.header, problems, file) if words else problems
    readings, zeros, ends = censor(readings, lows, transform, unit)
    measured = _measured(name, layout, readings, unit, transform)
    _say(measured, layout, file, zeros, ends)
    low = int(np.less(readings.values, lows).sum())
    if low:
        logger.info("%s: %d numbers lie below the stated limit of detection and are taken as they are", name, low)
    return measured, problems


def parse_rows(
    path: str | Path, name: str, study: Study, leave_out: Collection[str] = ()
) -> tuple[Measured | None, list[Problem]]:
    """Read what the rows of a table are about, for joining.

    The cells must be such that :func:`parse_measured` takes them, so that a table that can be joined can be tested:
    words in them are problems here, too. Transform and limits do not matter: ``<LOD`` needs none. The values have no
    columns.
    """
    file = str(path)
    grid, layout, problems = _laid_out(path, study, leave_out)
    if layout is None:
        return None, problems
    _, words, found = readings_of(layout, file)
    problems += found
    if any(problem.level == "error" for problem in problems):
        problems.sort(key=lambda problem: problem.line or 0)
        return None, _or_wrong_table(grid.header, problems, file) if words else problems
    rows = _rows(layout)
    return Measured(name, pd.DataFrame(index=rows.index), rows), problems


def _laid_out(path: str | Path, study: Study, leave_out: Collection[str]) -> tuple[Grid, Layout | None, list[Problem]]:
    file = str(path)
    try:
        grid, problems = read_grid(open_text(path), file)
    except InputError as error:
        return Grid(), None, list(error.problems)
    if not grid.header:
        return grid, None, problems
    layout, found = lay_out(grid, study, file, leave_out)
    problems += found
    keyed = "sample" in grid.header or {"subject", "day"} <= set(grid.header)
    return grid, layout, problems if keyed or layout is not None else _or_wrong_table(grid.header, problems, file)


def from_profile(abundance: pd.DataFrame, study: Study, name: str = "taxa", unit: str = "fraction") -> Measured:
    """Return a sample x taxon frame (or of ECs, pathways, ...) as measurements.

    Parameters
    ----------
    abundance
        sample x feature, as :func:`microbiome.metaphlan.read_abundance` gives it. A sample without profile (a row of
        NaN) stays, missing. Samples of donors have no day.
    study
        Whose samples they are. Samples that it does not know are left out with a warning that names them.
    name, unit
        Of the table.

    Raises
    ------
    InputError
        Where the study knows none of the samples.
    """
    samples = study.samples.set_index("sample")
    known = abundance.index.isin(samples.index)
    if not known.any():
        some = ", ".join(map(repr, abundance.index[:5]))
        fix = "correct the names in the profiles or in the samples table"
        raise InputError(Problem(f"no sample of {name} is in the study ({some})", fix))
    if not known.all():
        strangers = ", ".join(map(str, abundance.index[~known]))
        logger.warning("%s: %d samples are not in the study and are left out: %s", name, (~known).sum(), strangers)
    values = abundance.loc[known].astype(float)
    values.index = pd.Index(values.index, name="row", dtype=object)
    values.columns = pd.Index(values.columns, name="feature", dtype=object)
    of = samples.loc[list(values.index)]
    rows = pd.DataFrame(
        {
            "subject": of["subject"].to_numpy(dtype=object),
            # The day of a donor's sample is counted from no dose.
            "day": pd.array(of["day"].astype("Int64").mask(of["role"] == "donor"), dtype="Int64"),
            "sample": values.index.to_numpy(dtype=object),
        },
        index=values.index,
    )
    return Measured(name, values, rows, unit=unit)


def _or_wrong_table(header: list[str], problems: list[Problem], file: str) -> list[Problem]:
    """Return the problems, or of another of our tables only that it is one."""
    # Imported late: what collects the declarations of all tables imports those of this package.
    from microbiome.declared import wrong_table

    wrong = wrong_table(header, None, file)
    if wrong is None:
        return problems
    return [Problem(wrong.message, "give a table of measurements (docs/tables.md)", file)]


def _rows(layout: Layout) -> pd.DataFrame:
    index = pd.Index([row.name for row in layout.rows], name="row", dtype=object)
    return pd.DataFrame(
        {
            "subject": pd.Series([row.subject for row in layout.rows], index=index, dtype=object),
            "day": pd.array([row.day for row in layout.rows], dtype="Int64"),
            "sample": pd.Series([row.sample for row in layout.rows], index=index, dtype=object),
        },
        index=index,
    )


def _measured(name: str, layout: Layout, readings: Readings, unit: str, transform: str) -> Measured:
    rows = _rows(layout)
    index, columns = rows.index, pd.Index(layout.features, name="feature", dtype=object)

    def frame(values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=index, columns=columns)

    below = frame(readings.below) if not np.isnan(readings.below).all() else pd.DataFrame()
    above = frame(readings.above) if not np.isnan(readings.above).all() else pd.DataFrame()
    return Measured(name, frame(readings.values), rows, below, above, unit, transform)


def _say(measured: Measured, layout: Layout, file: str, zeros: np.ndarray, ends: np.ndarray) -> None:
    counts = {"below": measured.below, "above": measured.above}
    number = {word: int(frame.notna().to_numpy().sum()) for word, frame in counts.items()}
    values = measured.values  # noqa: PD011
    missing = int(values.isna().to_numpy().sum()) - sum(number.values())
    logger.info(
        "%s (%s): %s; %d rows of %d subjects, %d features; %d of %d cells missing, %d below and %d above a limit",
        measured.name,
        file,
        SHAPES[layout.shape],
        len(measured.rows),
        measured.rows["subject"].nunique(),
        len(layout.features),
        missing,
        values.size,
        number["below"],
        number["above"],
    )
    for cells, word in ((zeros, "0 is taken as below"), (ends, "the whole is taken as above")):
        if cells.any():
            logger.info(
                "%s: for the transform %s %s what can be measured (the stated limit, else the nearest value of the "
                "feature); cells: %d, features: %d",
                measured.name,
                measured.transform,
                word,
                cells.sum(),
                cells.any(axis=0).sum(),
            )
