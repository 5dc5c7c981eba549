"""BIOM tables: version 2 (HDF5) and version 1 (JSON), with or without lineages."""

from __future__ import annotations

import bz2
import gzip
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import refuse_special
from microbiome.metaphlan_format import RANKS, UNCLASSIFIED, ParsedTable
from microbiome.profilers.clades import Place, clade_name, name_problems, profile_of
from microbiome.validation import shown

__all__ = ["biom_features", "is_biom", "parse_biom"]

_HDF5, _JSON = b"\x89HDF\r\n\x1a\n", re.compile(rb'^\s*\{.*?"(?:format|format_url|matrix_type|rows)"\s*:', re.DOTALL)
_START = 2000
_PACKED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open}
_FIX = "copy or make the table again (biom convert, or the program that wrote it)"
_PREFIX = re.compile(r"(?:D_(\d)__|([a-z])__)(.*)", re.DOTALL)
_NOT_TAXA = {*(word.lower() for word in UNCLASSIFIED), "unassigned"}


def is_biom(path: str | Path) -> bool:
    """Tell whether a file is a BIOM table, by its first bytes; also a compressed one, which is not read."""
    try:
        refuse_special(path)
        start = _start(path)
    except OSError:
        return False
    opener = next((opener for magic, opener in _PACKED.items() if start.startswith(magic)), None)
    if opener is not None:
        try:
            with opener(Path(path), "rb") as stream:
                start = stream.read(_START)
        except (OSError, EOFError, ValueError, zlib.error):
            return False
    return start.startswith(_HDF5) or _JSON.match(start) is not None


def _start(path: str | Path) -> bytes:
    with Path(path).open("rb") as stream:
        return stream.read(_START)


def biom_features(path: str | Path) -> pd.DataFrame:
    """Read a BIOM table as a feature table: **sample x feature**, by the identifiers of the observations."""
    name = str(path)
    table = _load(name)
    samples, features = ([str(word) for word in table.ids(axis=axis)] for axis in ("sample", "observation"))
    raise_problems(
        [
            *name_problems(samples, name),
            *(
                Problem(f"observation {shown(word)} has no name, or one that cannot be printed", "rename it", name)
                for word in features
                if not word.strip() or not word.isprintable()
            ),
        ]
    )
    return pd.DataFrame(
        _values(name, table).T,
        index=pd.Index(samples, name="sample", dtype=object),
        columns=pd.Index(features, name="taxon", dtype=object),
    )


def parse_biom(path: str | Path) -> ParsedTable | None:
    """Return the profile of a BIOM table whose observations have a ``taxonomy``, None of one without.

    The amounts may be in any unit; percentages are of their sum in the sample, and are not taken for reads.
    Observations of one lineage are summed, those that are unassigned are the unclassified part.

    Raises
    ------
    InputError
        When the file cannot be read, values are negative or no numbers, or only some observations have a lineage.
    """
    name = str(path)
    table = _load(name)
    ids = [str(identifier) for identifier in table.ids(axis="observation")]
    about = table.metadata(axis="observation") or [None] * len(ids)
    told = [_lineage(data, identifier, name) for data, identifier in zip(about, ids, strict=True)]
    if not any(told):
        return None
    raise_problems(
        Problem(f"observation {identifier!r} has no taxonomy, while others have", "add it, or remove them all", name)
        for identifier, lineage in zip(ids, told, strict=True)
        if not lineage
    )
    values = _values(name, table)
    unknown = [_is_unknown(lineage) for lineage in told]
    rows = [(_place(lineage), values[k]) for k, lineage in enumerate(told) if not unknown[k]]
    nothing = np.full(values.shape[1], np.nan)
    unclassified = values[unknown].sum(axis=0) if any(unknown) else nothing
    with np.errstate(over="ignore"):
        total = values.sum(axis=0)
    return profile_of(name, [str(sample) for sample in table.ids()], rows, total, "biom", unclassified)


def _load(name: str) -> Any:
    _refuse_damaged(name)
    # Imported late: it takes a second, and most profiles are text.
    import biom

    try:
        return biom.load_table(name)
    except FileNotFoundError:
        raise InputError(Problem("the file does not exist", "correct the path", name)) from None
    except Exception as error:
        # Its readers raise whatever h5py, json and numpy do.
        text = str(error).split("\n")[0][:200] or type(error).__name__
        raise InputError(Problem(f"not a BIOM table that can be read ({text})", _FIX, name)) from error


def _refuse_damaged(name: str) -> None:
    """Look at the structure of an HDF5 table: the library trusts it, and would lose values or end the process."""
    try:
        start = _start(name)
    except OSError:
        # The library says what is wrong with it.
        return
    if start.startswith(tuple(_PACKED)):
        raise InputError(Problem("a compressed BIOM table", "unpack it first (gunzip, bunzip2)", name))
    if not start.startswith(_HDF5):
        return
    import h5py

    wrong = ""
    try:
        with h5py.File(name, "r") as file:
            size = {axis: len(file[f"{axis}/ids"]) for axis in ("sample", "observation")}
            for axis, other in (("sample", "observation"), ("observation", "sample")):
                matrix = file[f"{axis}/matrix"]
                data, indices, indptr = (np.asarray(matrix[part][:]) for part in ("data", "indices", "indptr"))
                fault = _matrix_fault(data, indices, indptr, size[axis], size[other])
                wrong = wrong or (f"{axis}/matrix: {fault}" if fault else "")
    except Exception as error:
        # Whatever h5py says of a group that is missing, or of a block that it cannot read.
        text = (str(error).split("\n")[0] or type(error).__name__)[:200]
        raise InputError(Problem(f"not a BIOM table that can be read ({text})", _FIX, name)) from error
    if wrong:
        raise InputError(Problem(f"the BIOM table is damaged ({wrong})", _FIX, name))


def _matrix_fault(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, rows: int, columns: int) -> str:
    """Return what is wrong with a sparse matrix of so many rows and columns, or nothing."""
    if any(part.ndim != 1 for part in (data, indices, indptr)) or data.dtype.kind not in "fiub":
        return "data, indices and indptr are not rows of numbers"
    # A table of nothing is written with empty parts.
    if not len(data) and not len(indices) and not indptr.any() and (not len(indptr) or len(indptr) == rows + 1):
        return ""
    if indices.dtype.kind not in "iu" or indptr.dtype.kind not in "iu":
        return "indices and indptr are not whole numbers"
    if len(data) != len(indices):
        return f"{len(data)} values for {len(indices)} indices"
    if len(indptr) != rows + 1:
        return f"indptr has {len(indptr)} entries for {rows} names"
    # As signed numbers: the difference of unsigned ones never falls below 0.
    starts, places = indptr.astype(np.int64), indices.astype(np.int64)
    if starts[0] != 0 or starts[-1] != len(data) or (np.diff(starts) < 0).any():
        return f"indptr does not rise from 0 to {len(data)}"
    if len(places) and (places.min() < 0 or places.max() >= columns):
        return f"an index lies outside of 0 to {columns - 1}"
    cells = np.repeat(np.arange(rows), np.diff(starts)) * columns + places
    return "one cell stands twice" if len(np.unique(cells)) < len(cells) else ""


def _values(name: str, table: Any) -> np.ndarray:
    values = np.asarray(table.matrix_data.toarray(), dtype=float)
    ids, samples = table.ids(axis="observation"), table.ids()
    raise_problems(
        Problem(f"{str(ids[i])!r} of sample {str(samples[j])!r} is {values[i, j]:g}", "amounts are 0 or more", name)
        for i, j in np.argwhere(~np.isfinite(values) | (values < 0))[:20]
    )
    return values


def _lineage(metadata: Any, identifier: str, file: str) -> list[str]:
    """Return the parts of a lineage: a list in most tables, a text with semicolons in others."""
    keys = ("taxonomy", "Taxonomy", "Taxon", "taxon")
    given: Any = metadata
    if isinstance(metadata, Mapping):
        given = next((metadata[key] for key in keys if key in metadata), None)
    if given is None:
        return []
    listed = metadata is not given and isinstance(given, list | tuple | np.ndarray)
    # A rank that is not known is null or NaN in the tables of some programs.
    parts = [part for part in given if not _is_nothing(part)] if listed else [given]
    if metadata is given or not all(isinstance(part, str) for part in parts):
        message = f"the taxonomy of observation {identifier!r} is {shown(str(given))}"
        raise InputError(Problem(message, "give a list of names, or a text of names with semicolons", file))
    parts = parts if listed else parts[0].split(";")
    return [part.strip() for part in parts if part.strip()]


def _is_nothing(part: Any) -> bool:
    return part is None or (isinstance(part, float) and np.isnan(part))


def _is_unknown(lineage: list[str]) -> bool:
    bare = _PREFIX.sub(r"\3", lineage[0]).lower()
    return bare in _NOT_TAXA or not any(_bare(part) for part in lineage)


def _bare(part: str) -> str:
    found = _PREFIX.fullmatch(part)
    return (found.group(3) if found else part).strip()


def _place(lineage: list[str]) -> Place:
    """Return the place of a lineage: by the prefixes of its parts, else by their order."""
    prefixes = list(RANKS.values())
    names: dict[str, str] = {}
    for position, part in enumerate(lineage):
        found = _PREFIX.fullmatch(part)
        letter = "k" if found and found.group(2) == "d" else found.group(2) if found else None
        if found and found.group(1):
            prefix = prefixes[int(found.group(1))] if int(found.group(1)) < len(prefixes) else ""
        else:
            prefix = f"{letter}__" if letter else prefixes[position] if position < len(prefixes) else ""
        bare = _bare(part)
        if prefix not in prefixes or not bare or bare.lower() in ("__", "na", "nan", "none"):
            continue
        # Greengenes writes the species without its genus.
        if prefix == "s__" and "g__" in names and re.fullmatch(r"[a-z][a-z-]*", bare):
            bare = f"{names['g__'][3:]} {bare}"
        names[prefix] = clade_name(prefix, bare)
    order = [prefix for prefix in prefixes if prefix in names]
    return Place(tuple(names[prefix] for prefix in order), ("",) * len(order))
