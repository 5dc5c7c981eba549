"""Distances between strains from the files of other programs, told apart by their content, in one form."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.declared import wrong_table
from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.files import open_text
from microbiome.strains.other_tables import parse_dist, parse_mutations, parse_samestr_events, parse_samestr_matrix
from microbiome.strains.tables import STRAIN_DISTANCES
from microbiome.strains.trees import parse_ngd, taxon_and_path
from microbiome.tables import ID_PATTERN
from microbiome.tsv import parse_table, read_result

__all__ = ["KINDS", "kind_of", "read_distances", "tidy_pairs"]

logger = logging.getLogger(__name__)

#: What a file of distances can be, and how it is called in messages.
KINDS = {
    "tree": "a tree (Newick)",
    "mutations": "a table of mutation rates (.mutation of StrainPhlAn)",
    "dist": "distances of strain_transmission.py (.dist: two samples and a number to a line)",
    "table": "a table with taxon, sample_1, sample_2 and distance",
    "samestr_events": "strain events of SameStr (sstr_strain_events.tsv)",
    "samestr_matrix": "a matrix of SameStr (TAXON.fraction.txt, with TAXON.overlap.txt beside it)",
}

_TEXT = ("taxon", "sample_1", "sample_2", "method", "note")
# Columns that tell of one sample of the pair, and the same of the other: depth_1 and depth_2, evidence_1_in_2 and
# evidence_2_in_1.
_MIRRORED = tuple(
    (name, other)
    for name in STRAIN_DISTANCES.names
    for other in (re.sub(r"_1$", "_2", name), re.sub(r"_1_in_2$", "_2_in_1", name))
    if other != name and other in STRAIN_DISTANCES.names
)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|nan", re.IGNORECASE)


def kind_of(text: str, path: str | Path = "") -> str:
    """Tell by its content what a file of distances is: one of :data:`KINDS`.

    Raises
    ------
    InputError
        It is none of them.
    """
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    cells = [cell.strip().strip('"') for cell in first.split("\t")]
    if first.lstrip().startswith("(") or (len(cells) == 1 and first.rstrip().endswith(";")):
        return "tree"
    if {"row", "col", "clade", "similarity", "overlap"} <= set(cells):
        return "samestr_events"
    if {"sample_1", "sample_2", "distance"} <= set(cells):
        return "table"
    if cells[0] == "ids" and len(cells) > 1:
        return "mutations"
    if cells[0] == "Sample" and len(cells) > 1:
        return "samestr_matrix"
    if len(cells) == 3 and _NUMBER.fullmatch(cells[2]):
        return "dist"
    other = wrong_table(cells, STRAIN_DISTANCES, str(path))
    if other is not None:
        raise InputError(other)
    if not first:
        raise InputError(Problem("the file is empty", f"give one of: {'; '.join(KINDS.values())}", str(path)))
    raise InputError(Problem("not a file of distances", f"give one of: {'; '.join(KINDS.values())}", str(path)))


def read_distances(files: Iterable[str | Path], kinds: Sequence[str] = tuple(KINDS)) -> pd.DataFrame:
    """Read distances between strains from files of any mixture of kinds.

    Parameters
    ----------
    files
        Each ``FILE`` or ``TAXON=FILE``, plain, gzip or bzip2; of SameStr also the folder that ``samestr compare``
        wrote. The taxon is needed for trees, ``.mutation``, ``.dist`` and the matrices of SameStr, and is taken from
        the name of the file where it is not given. Samples are named as in the file, which for StrainPhlAn is the name
        of the consensus file without its ending.
    kinds
        Which of :data:`KINDS` are expected; another one is refused.

    Returns
    -------
    DataFrame
        Columns of ``strain_distances`` (:mod:`microbiome.strains.tables`), sorted; ``sample_1`` < ``sample_2``, each
        pair of a taxon and method once; a pair that stands in several places with the same values is one row.

        ======================= ============== ====================================================================
        file                    method         distance; sites
        ======================= ============== ====================================================================
        tree, ``.dist``         ngd            patristic distance / total branch length; not told
        ``.mutation``           mutation_rate  d / n of the lower triangle; n, and d are the consensus_differences
        SameStr                 samestr        1 - MVS; overlap. Missing where the overlap is 0 (SameStr writes 0)
        table                   its own        as it stands; ``method`` is table where it has no such column
        ======================= ============== ====================================================================

    Raises
    ------
    InputError
        With all problems of all files: not of an expected kind, a taxon unknown, cells that cannot be understood, names
        that no sample can have, triangles that contradict each other, a pair with two different values.
    """
    parts: list[pd.DataFrame] = []
    problems: list[Problem] = []
    for argument in files:
        taxon, path = taxon_and_path(argument)
        with collecting(problems):
            for one in _members(path):
                parts.append(_read(one, taxon if one == path else taxon_and_path(one)[0], kinds))
    raise_problems(problems)
    return tidy_pairs(parts)


def _members(path: Path) -> list[Path]:
    """Return the file, or of a folder the matrices of SameStr in it."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.fraction.txt"))
    if not found:
        raise InputError(
            Problem("the folder has no file *.fraction.txt of SameStr", "name the files themselves", str(path))
        )
    return found


def _read(path: Path, taxon: str | None, kinds: Sequence[str]) -> pd.DataFrame:
    """Read one file; the frame has the columns ``file`` and ``line`` as well, for messages."""
    name = str(path)
    text = open_text(path)
    kind = kind_of(text, name)
    if kind not in kinds:
        fix = f"give {' or '.join(KINDS[expected] for expected in kinds)}; strains distances has an option for each"
        raise InputError(Problem(f"this is {KINDS[kind]}", fix, name))
    if kind == "table":
        frame = _read_table(name)
    elif kind == "samestr_events":
        frame = parse_samestr_events(text, name)
    elif kind == "samestr_matrix":
        # Any id may name a taxon there (mOTUs), and the name of the file is all there is.
        frame = parse_samestr_matrix(path, taxon)
    elif taxon is None:
        raise InputError(Problem("the name of the file does not tell its taxon", "give it as TAXON=FILE", name))
    else:
        parsers: dict[str, Callable[[str, str, str], pd.DataFrame]] = {
            "tree": parse_ngd,
            "mutations": parse_mutations,
            "dist": parse_dist,
        }
        frame = parsers[kind](text, taxon, name)
    _check_names(frame, name)
    return frame.assign(file=name)


def _read_table(name: str) -> pd.DataFrame:
    """Read a table of distances as declared, but for the order and the number of the pairs."""
    frame = read_result(name, replace(STRAIN_DISTANCES, key=()))
    frame = frame.assign(method=frame["method"].fillna("table") if "method" in frame else "table")
    # Lines are only looked up for a message, because the quick reader does not tell them.
    return frame[[column for column in STRAIN_DISTANCES.names if column in frame]]


def _check_names(frame: pd.DataFrame, name: str) -> None:
    """Refuse names that no sample can have: a match by name with the samples table would be impossible."""
    names = pd.unique(pd.concat([frame["sample_1"], frame["sample_2"]], ignore_index=True))
    raise_problems(
        Problem(
            f"{sample!r} cannot be the name of a sample",
            "a name has letters, digits, '.', '_' and '-', and begins with a letter or digit: rename it there",
            name,
            value=str(sample),
        )
        for sample in names
        if not re.fullmatch(ID_PATTERN, str(sample))
    )


def tidy_pairs(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Bring pairs into one form: sample_1 < sample_2, each pair of a taxon and method once, sorted.

    Parameters
    ----------
    parts
        Frames with columns of ``strain_distances``; ``file`` and ``line`` in addition are for messages.

    Returns
    -------
    DataFrame
        Columns in the order of the declaration: those that every table has, and of the others what any part has. A
        sample paired with itself is left out, and their number is logged.

    Raises
    ------
    InputError
        A pair stands there with two different values.
    """
    filled = [part for part in parts if len(part)]
    names = STRAIN_DISTANCES.names
    always = ("taxon", "sample_1", "sample_2", "sites", "distance", "method", "note")
    columns = [name for name in names if name in always or any(name in part for part in filled)]
    if not filled:
        return _typed(pd.DataFrame({name: [] for name in columns}))
    frame = pd.concat([_typed(part.reindex(columns=[*columns, "file", "line"])) for part in filled], ignore_index=True)
    own = frame["sample_1"] == frame["sample_2"]
    if own.any():
        logger.info("%d rows pair a sample with itself and are left out", int(own.sum()))
        frame = frame[~own]
    turned = (frame["sample_1"] > frame["sample_2"]).to_numpy()
    for one, two in (pair for pair in _MIRRORED if pair[0] in frame):
        first, second = frame[one], frame[two]
        frame = frame.assign(**{one: first.where(~turned, second), two: second.where(~turned, first)})
    key = list(STRAIN_DISTANCES.key)
    # The same values said twice (both triangles of a matrix, overlapping tables) are one row.
    frame = frame.drop_duplicates([*key, "sites", "distance"])
    twice = frame.duplicated(key, keep=False)
    if twice.any():
        _raise_conflicts(frame[twice], key)
    return frame.sort_values(key, ignore_index=True)[columns]


def _raise_conflicts(rows: pd.DataFrame, key: list[str]) -> None:
    problems = []
    for pair, group in rows.groupby(key, sort=False):
        first, *others = group.to_dict("records")
        place = _place(first)
        for other in others:
            file, line = _place(other)
            where = f"{place[0]}:{place[1]}" if place[1] else place[0]
            problems.append(
                Problem(
                    f"{pair[0]}: {pair[1]} and {pair[2]} have {_said(other)} here, but {_said(first)} in {where}",
                    "keep one of the two; a matrix must be symmetric, and trees of one taxon must not be mixed",
                    file,
                    line,
                    "distance",
                    f"{other['distance']:g}",
                )
            )
    raise InputError(problems)


def _said(row: dict[str, object]) -> str:
    sites = "" if pd.isna(row["sites"]) else f" over {row['sites']} sites"
    return f"{row['method']} distance {row['distance']:.12g}{sites}"


def _place(row: dict[str, object]) -> tuple[str, int | None]:
    """Return file and line of a row; of a table the line is looked up, in either order of the samples."""
    file = str(row["file"]) if isinstance(row.get("file"), str) else "the distances"
    line = row.get("line")
    if line is not None and not pd.isna(line):
        return file, int(str(line))
    if not Path(file).is_file() or kind_of(open_text(file)) != "table":
        return file, None
    table, _ = parse_table(file, replace(STRAIN_DISTANCES, key=()))
    pair = {row["sample_1"], row["sample_2"]}
    match = table["sample_1"].isin(pair) & table["sample_2"].isin(pair) & (table["taxon"] == row["taxon"])
    lines = table.index[match & (np.isclose(table["distance"], float(str(row["distance"])), equal_nan=True))]
    return file, int(lines[-1]) if len(lines) else None


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give every column the type that a table of strain_distances has when it is read."""
    types: dict[str, str] = {"file": "object", "line": "Int64"}
    for column in STRAIN_DISTANCES.columns:
        types[column.name] = {"integer": "Int64", "number": "float64"}.get(column.kind, "object")
    frame = frame.astype({name: types[name] for name in frame.columns})
    text = [name for name in _TEXT if name in frame]
    return frame.assign(**{name: frame[name].where(frame[name].notna(), None) for name in text})
