"""Which tables the report is made of, where they lie, and reading them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.diversity.tables import ALPHA, PCOA, PERMANOVA, SIMILARITY
from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.metaphlan import is_metaphlan, read_metaphlan, taxonomy
from microbiome.study import Study, read_study
from microbiome.tables import OUTCOMES, RATES, READS
from microbiome.tsv import open_text, read_result

__all__ = ["INPUT_NAMES", "Inputs", "Ordination", "Tables", "inputs", "metric_of", "read"]

#: What the report can be made of, besides the tables of the study.
INPUT_NAMES = (
    "profile",
    "reads",
    "alpha",
    "outcomes",
    "rates",
    "pcoa",
    "permanova",
    "similarity",
    "provenance",
    "link",
)

_SINGLE = ("reads", "alpha", "outcomes", "rates", "provenance")

# Where the workflow puts each of them, below its results folder.
_PLACES = {
    "profile": "profiles/merged.tsv",
    "reads": "qc/reads.tsv",
    "alpha": "diversity/alpha.tsv",
    "outcomes": "outcomes/outcomes.tsv",
    "rates": "outcomes/rates.tsv",
    "pcoa": "diversity/pcoa_*.tsv",
    "permanova": "diversity/permanova_*.tsv",
    "similarity": "diversity/similarity_*.tsv",
    "provenance": "provenance.json",
}
# Linked besides: what belongs to what is shown, and tables of parts that are not shown here.
_LINKED = (
    "qc/multiqc.html",
    "diversity/beta_*.tsv",
    "strains/*.tsv",
    "function/*.tsv",
    "clinical/*.tsv",
    "association/*.tsv",
)


@dataclass(frozen=True)
class Inputs:
    """Paths of the tables; None or empty where there is none."""

    profile: tuple[str, ...] = ()
    reads: str | None = None
    alpha: str | None = None
    outcomes: str | None = None
    rates: str | None = None
    pcoa: tuple[str, ...] = ()
    permanova: tuple[str, ...] = ()
    similarity: tuple[str, ...] = ()
    provenance: str | None = None
    link: tuple[str, ...] = ()


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
    reads, alpha, outcomes, rates
        Result tables.
    pcoa, permanova, similarity
        By beta metric.
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
    outcomes: pd.DataFrame | None = None
    rates: pd.DataFrame | None = None
    pcoa: Mapping[str, Ordination] = field(default_factory=dict)
    permanova: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    similarity: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    lineages: pd.DataFrame = field(default_factory=lambda: taxonomy([]))
    database: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[tuple[str, str]] = ()


def inputs(results: str | Path | None = None, **given: str | Sequence[str] | None) -> Inputs:
    """Put the paths together: those given by name, and for the others what lies in the results folder of the workflow.

    Parameters
    ----------
    results
        Folder; None for no other tables than the given ones.
    given
        Keys of :data:`INPUT_NAMES`. None is looked for in `results`; an empty string or list means that there is none,
        whatever lies there (a table of an earlier configuration, for example).

    Raises
    ------
    InputError
        When `results` is not a folder.
    """
    unknown = set(given) - set(INPUT_NAMES)
    if unknown:
        raise TypeError(f"not an input of the report: {', '.join(sorted(unknown))}")
    chosen: dict[str, Any] = {}
    folder = None if results is None else Path(results)
    if folder is not None and not folder.is_dir():
        raise InputError(
            Problem("the results folder does not exist", "name the folder that the workflow wrote", str(results))
        )
    for name in INPUT_NAMES:
        value = given.get(name)
        paths = [path for path in ([value] if isinstance(value, str) else list(value or [])) if path]
        if value is None and folder is not None and name in _PLACES:
            paths = sorted(str(path) for path in folder.glob(_PLACES[name]))
        chosen[name] = (paths[0] if paths else None) if name in _SINGLE else tuple(paths)
    if folder is not None:
        shown = {metric_of(path) for name in ("pcoa", "permanova", "similarity") for path in chosen[name]}
        found = [str(path) for pattern in _LINKED for path in sorted(folder.glob(pattern))]
        extra = [path for path in found if not Path(path).name.startswith("beta_") or metric_of(path) in shown]
        chosen["link"] = tuple(dict.fromkeys([*chosen["link"], *extra]))
    return Inputs(**chosen)


def metric_of(path: str) -> str:
    """Return the metric that a file name ends with: ``pcoa_bray_curtis.tsv`` gives ``bray_curtis``."""
    stem = Path(path).name.removesuffix(".gz").removesuffix(".tsv")
    return stem.split("_", 1)[1] if "_" in stem else stem


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
    found: dict[str, Any] = {}
    for name, table in (("reads", READS), ("alpha", ALPHA), ("outcomes", OUTCOMES), ("rates", RATES)):
        path = getattr(paths, name)
        if path:
            with collecting(problems):
                found[name] = read_result(path, table)
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
    raise_problems(problems)
    if study is None:
        raise InputError("the study tables could not be read")
    files = [
        (str(p), f"{what} of the study")
        for p, what in ((samples, "samples"), (subjects, "subjects"), (doses, "doses"))
        if p
    ]
    files += [(path, _WORDS.get(name, name)) for name in INPUT_NAMES for path in _paths_of(getattr(paths, name))]
    return Tables(study=study, files=files, **found)


def _strangers(study: Study, paths: Inputs, found: Mapping[str, Any]) -> list[Problem]:
    """Tables made from the samples table can name no other sample: where they do, they belong to another study.

    Alpha diversity and ordination are made of all samples of the profile; those not in the study are passed over.
    """
    known = set(study.samples["sample"])
    tables = [(getattr(paths, name), found.get(name)) for name in ("reads", "outcomes", "rates")]
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


_WORDS = {
    "profile": "abundance profiles",
    "reads": "read accounting",
    "alpha": "alpha diversity",
    "outcomes": "outcome of every taxon in every post sample",
    "rates": "counts and rates per post sample",
    "pcoa": "ordination",
    "permanova": "PERMANOVA",
    "similarity": "similarity to donor and baseline",
    "provenance": "versions, databases, parameters, checksums",
    "link": "further result",
}


def _paths_of(value: str | Sequence[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


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
    for line in text.splitlines():
        if not line.startswith("#"):
            break
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
    if len(paths) == 1 and not is_metaphlan(open_text(paths[0])):
        return {}
    table = read_metaphlan(paths)
    return {"lineages": taxonomy(table.percent.index), "database": table.database}


def _read_provenance(path: str) -> dict[str, Any]:
    try:
        value = json.loads(open_text(path))
    except json.JSONDecodeError as error:
        raise InputError(Problem(f"not JSON ({error.msg})", "make the file again", path, error.lineno)) from None
    if not isinstance(value, dict):
        raise InputError(Problem("not a JSON object", "make the file again", path, 1))
    return value
