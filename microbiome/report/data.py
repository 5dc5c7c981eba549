"""Reading the tables that the report is made of."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.compare.tables import COMPARE, TRAJECTORIES
from microbiome.diversity.tables import ALPHA, PCOA, PERMANOVA, SIMILARITY
from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.files import open_text
from microbiome.metaphlan import read_metaphlan, taxonomy
from microbiome.nulls.tables import NULLS
from microbiome.profilers import has_clades
from microbiome.report.data_clinical import clinical_strangers, complete, read_clinical
from microbiome.report.data_function import Functions, read_functions, split_word
from microbiome.report.places import INPUT_NAMES, WORDS, Inputs, inputs, metric_of
from microbiome.sensitivity.tables import SENSITIVITY
from microbiome.strains.rate_tables import STRAIN_AUDIT, STRAIN_PERSISTENCE, STRAIN_RATES
from microbiome.strains.tables import STRAIN_RESOLVED, STRAIN_SOURCES, STRAIN_SWEEP, STRAIN_THRESHOLDS
from microbiome.study import Study, read_study
from microbiome.tables import LIMITS, OUTCOMES, RATES, READS, Table
from microbiome.taxa.tables import CHANGES, DECOMPOSITION, RETENTION, TAXA
from microbiome.tsv import read_result

__all__ = ["INPUT_NAMES", "Inputs", "Ordination", "Tables", "inputs", "metric_of", "read"]

# Tables of which there is one, and those of which there may be one per column that makes groups.
_ONE: dict[str, Table] = {
    "reads": READS,
    "alpha": ALPHA,
    "limits": LIMITS,
    "outcomes": OUTCOMES,
    "rates": RATES,
    "nulls": NULLS,
    "decomposition": DECOMPOSITION,
}
_BY_COLUMN: dict[str, Table] = {
    "compare": COMPARE,
    "trajectories": TRAJECTORIES,
    "taxa": TAXA,
    "retention": RETENTION,
    "changes": CHANGES,
    "sensitivity": SENSITIVITY,
}
# Tables on strains, of which there is one.
_STRAINS: dict[str, Table] = {
    "strain_resolved": STRAIN_RESOLVED,
    "strain_sources": STRAIN_SOURCES,
    "strain_rates": STRAIN_RATES,
    "strain_summary": TRAJECTORIES,
    "strain_persistence": STRAIN_PERSISTENCE,
    "strain_sweep": STRAIN_SWEEP,
    "strain_thresholds": STRAIN_THRESHOLDS,
    "strain_audit": STRAIN_AUDIT,
}
# Of these what is not required may be shown as missing; of the others a column that is not there is not spoken of.
_WHOLE = ("limits", "nulls", "decomposition")
# Of these each sample has to be in the samples table.
_OF_SAMPLES = ("reads", "limits", "outcomes", "rates", "decomposition")


@dataclass(frozen=True)
class Ordination:
    """Coordinates of one ordination (``sample``, then the axes), and the share that each axis explains."""

    axes: pd.DataFrame
    explained: tuple[float, ...] = ()


@dataclass(frozen=True)
class Tables:
    """Everything the report is made of, read; None or empty where it was not given.

    Parameters
    ----------
    study
        Samples, subjects, doses.
    reads, alpha, limits, outcomes, rates, nulls, decomposition
        Result tables.
    compare, trajectories, sensitivity, taxa, retention, changes
        By the column that makes the groups; the empty string is for a table without groups.
    pcoa, permanova, similarity
        By beta metric.
    strains
        Tables on strains, by the name of their option without ``strain_``: ``resolved``, ``sources``, ``rates``,
        ``summary``, ``persistence``, ``sweep``, ``thresholds``, ``audit``.
    strain_compare
        Comparisons of their rates, by the column that makes the groups.
    lesions, toxicities, treatments
        Tables of the study on tumour assessments, adverse events and other treatments.
    clinical
        Results on patients and donors, by the name of their option without ``clinical_``: ``response``,
        ``assessments``, ``best_responses``, ``survival``, ``curves``, ``toxicity``, ``toxicity_curves``,
        ``donor_clusters``, ``donor_cluster_choice``, ``donor_table``, ``donor_spread``, ``donor_taxa``,
        ``donor_match``; and ``joins`` of the tables of features.
    functions
        Results on functions, by kind.
    associations
        By the end of the file name.
    comments
        Lines above the header, by (name of the table, column that makes its groups).
    lineages
        Index taxon; ``lineage`` and a column per rank. Empty when the profile is not MetaPhlAn's.
    database
        MetaPhlAn database of the profile.
    provenance
        As the workflow wrote it.
    files
        Every file that was read or is to be linked: (path, what it is).
    """

    study: Study
    reads: pd.DataFrame | None = None
    alpha: pd.DataFrame | None = None
    limits: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    rates: pd.DataFrame | None = None
    nulls: pd.DataFrame | None = None
    decomposition: pd.DataFrame | None = None
    compare: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    trajectories: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    sensitivity: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    taxa: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    retention: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    changes: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    strains: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    strain_compare: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    lesions: pd.DataFrame | None = None
    toxicities: pd.DataFrame | None = None
    treatments: pd.DataFrame | None = None
    clinical: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    associations: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    functions: Functions = field(default_factory=Functions)
    pcoa: Mapping[str, Ordination] = field(default_factory=dict)
    permanova: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    similarity: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    comments: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    lineages: pd.DataFrame = field(default_factory=lambda: taxonomy([]))
    database: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[tuple[str, str]] = ()


def read(
    paths: Inputs, samples: str | Path, subjects: str | Path | None = None, doses: str | Path | None = None
) -> Tables:
    """Read everything that was given.

    Raises
    ------
    InputError
        With the problems of all files together.
    """
    problems: list[Problem] = []
    study: Study | None = None
    with collecting(problems):
        study = read_study(samples, subjects or None, doses or None)
    found: dict[str, Any] = {"comments": {}}
    for name, table in _ONE.items():
        path = getattr(paths, name)
        if path:
            with collecting(problems):
                frame = read_result(path, table)
                found[name] = complete(frame, table) if name in _WHOLE else frame
                found["comments"][name, ""] = _comments(open_text(path))
    for name, table in _BY_COLUMN.items():
        found[name] = {}
        for path in getattr(paths, name):
            with collecting(problems):
                column = _add(found[name], complete(read_result(path, table), table), path)
                found["comments"][name, column] = _comments(open_text(path))
    found |= _read_strains(paths, problems)
    found |= read_clinical(paths, problems)
    found["functions"] = read_functions(paths, problems, lambda path: _read_metric("pcoa", path))
    for name in ("pcoa", "permanova", "similarity"):
        found[name] = {}
        for path in getattr(paths, name):
            with collecting(problems):
                found[name][metric_of(path)] = _read_metric(name, path)
    if paths.profile:
        with collecting(problems):
            found.update(_read_names(paths.profile))
    if paths.provenance:
        with collecting(problems):
            found["provenance"] = _read_provenance(paths.provenance)
    for path in paths.link:
        if not Path(path).is_file():
            problems.append(Problem("the file to link does not exist", "correct --link", path))
    if study is not None:
        problems += _strangers(study, paths, found)
        problems += clinical_strangers(study, paths, found)
    raise_problems(problems)
    if study is None:
        raise InputError("the study tables could not be read")
    files = [
        (str(p), f"{what} of the study")
        for p, what in ((samples, "samples"), (subjects, "subjects"), (doses, "doses"))
        if p
    ]
    for name, words in WORDS.items():
        given = _paths_of(getattr(paths, name))
        by_kind = name.startswith("function_") and not isinstance(getattr(paths, name), str)
        files += [(split_word(path)[1] if by_kind else path, words) for path in given]
    return Tables(study=study, files=files, **found)


def _read_strains(paths: Inputs, problems: list[Problem]) -> dict[str, Any]:
    """Read the tables on strains; that of all pairs may have millions of rows, and is linked only."""
    strains: dict[str, pd.DataFrame] = {}
    compared: dict[str, pd.DataFrame] = {}
    for name, table in _STRAINS.items():
        path = getattr(paths, name)
        if path:
            with collecting(problems):
                strains[name.removeprefix("strain_")] = complete(read_result(path, table), table)
    for path in paths.strain_compare:
        with collecting(problems):
            _add(compared, complete(read_result(path, COMPARE), COMPARE), path)
    return {"strains": strains, "strain_compare": compared}


def _strangers(study: Study, paths: Inputs, found: Mapping[str, Any]) -> list[Problem]:
    """Tables made from the samples table can name no other sample: where they do, they belong to another study.

    Alpha diversity and ordination are made of all samples of the profile; those not in the study are passed over.
    """
    known = set(study.samples["sample"])
    tables = [(getattr(paths, name), found.get(name)) for name in _OF_SAMPLES]
    tables += [
        (getattr(paths, f"strain_{name}"), frame) for name, frame in found["strains"].items() if "sample" in frame
    ]
    tables += [(path, found["similarity"].get(metric_of(path))) for path in paths.similarity]
    problems = []
    for path, frame in tables:
        if frame is None:
            continue
        strange = [sample for sample in frame["sample"].unique() if sample not in known]
        if strange:
            name = str(strange[0])
            message = f"{len(strange)} samples are not in the samples table, such as {name!r}"
            problems.append(Problem(message, "give the tables of one study", str(path), None, "sample", name))
    rates = found.get("rates")
    if study.doses.empty and rates is not None and "donor_products" in rates and (rates["donor_products"] > 0).any():
        message = "the rates are of subjects who received donor products, but there are no doses"
        problems.append(Problem(message, "give --doses", str(paths.rates), None, "donor_products"))
    return problems


def _paths_of(value: str | Sequence[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _add(tables: dict[str, pd.DataFrame], frame: pd.DataFrame, path: str) -> str:
    """Put a table beside those of other columns, under the column that it says, or else its name, makes the groups."""
    said = [str(value) for value in frame["by"].dropna().unique()] if "by" in frame else []
    column = said[0] if said else metric_of(path) if "_" in Path(path).name else ""
    if column in tables:
        what = f"groups by {column!r}" if column else "no groups"
        raise InputError(Problem(f"a second table with {what}", "give one table per column", path, column="by"))
    tables[column] = frame
    return column


def _comments(text: str) -> list[str]:
    """Return the comment lines above the header, without their signs."""
    return [
        line.lstrip("# ").rstrip()
        for line in itertools.takewhile(lambda line: line.startswith("#"), text.split("\n", 1000))
    ]


def _read_metric(name: str, path: str) -> Ordination | pd.DataFrame:
    if name == "permanova":
        return read_result(path, PERMANOVA)
    if name == "similarity":
        return read_result(path, SIMILARITY)
    frame = read_result(path, PCOA)
    axes = [column for column in frame if re.fullmatch(r"axis_\d+", column)]
    if len(axes) < 2:
        raise InputError(Problem("fewer than two axes", "make it with `microbiome ordinate --axes 2` or more", path))
    return Ordination(_numbers(frame[["sample", *axes]], path, axes), _explained(open_text(path), len(axes)))


def _explained(text: str, axes: int) -> tuple[float, ...]:
    """Read the explained fractions from the comment lines above the header."""
    for line in _comments(text):
        if "explained" in line.lower():
            numbers = re.findall(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])", line)
            return tuple(float(number) for number in numbers[:axes])
    return ()


def _numbers(frame: pd.DataFrame, path: str, columns: Sequence[str]) -> pd.DataFrame:
    """Turn columns that are not declared one by one into numbers."""
    result = frame.copy()
    problems: list[Problem] = []
    for column in columns:
        result[column] = pd.to_numeric(frame[column], errors="coerce")
        bad = result[column].isna() & frame[column].notna()
        if bad.any():
            value = str(frame.loc[bad, column].iloc[0])
            problems.append(Problem(f"{value!r} is not a number", "make the table again", path, None, column, value))
    raise_problems(problems)
    return result


def _read_names(paths: Sequence[str]) -> dict[str, Any]:
    if len(paths) == 1 and not has_clades(paths[0]):
        return {}
    table = read_metaphlan(paths)
    return {"lineages": taxonomy(table.percent.index), "database": table.database}


def _read_provenance(path: str) -> dict[str, Any]:
    try:
        value = json.loads(open_text(path))
    except json.JSONDecodeError as error:
        raise InputError(
            Problem(f"not JSON ({error.msg})", "remove it and start the workflow again", path, error.lineno)
        ) from None
    if not isinstance(value, dict):
        raise InputError(Problem("not a JSON object", "remove it and start the workflow again", path, 1))
    return value
