"""BIOM tables: version 2 (HDF5) and version 1 (JSON), with or without lineages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import refuse_special
from microbiome.metaphlan_format import RANKS, UNCLASSIFIED, ParsedTable
from microbiome.profilers.clades import Place, clade_name, profile_of

__all__ = ["biom_features", "is_biom", "parse_biom"]

_HDF5, _JSON = b"\x89HDF\r\n\x1a\n", re.compile(rb'^\s*\{.*?"(?:format|format_url|matrix_type|rows)"\s*:', re.DOTALL)
_FIX = "copy or make the table again (biom convert, or the program that wrote it)"
_PREFIX = re.compile(r"(?:D_(\d)__|([a-z])__)(.*)", re.DOTALL)
_NOT_TAXA = {*(word.lower() for word in UNCLASSIFIED), "unassigned"}


def is_biom(path: str | Path) -> bool:
    """Tell whether a file is a BIOM table, by its first bytes."""
    try:
        refuse_special(path)
        with Path(path).open("rb") as stream:
            start = stream.read(2000)
    except OSError:
        return False
    return start.startswith(_HDF5) or _JSON.match(start) is not None


def biom_features(path: str | Path) -> pd.DataFrame:
    """Read a BIOM table as a feature table: **sample x feature**, by the identifiers of the observations."""
    table = _load(str(path))
    return pd.DataFrame(
        _values(str(path), table).T,
        index=pd.Index(map(str, table.ids()), name="sample", dtype=object),
        columns=pd.Index(map(str, table.ids(axis="observation")), name="taxon", dtype=object),
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
    told = [_lineage(data) for data in table.metadata(axis="observation") or [None] * len(ids)]
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
    return profile_of(name, [str(sample) for sample in table.ids()], rows, values.sum(axis=0), "biom", unclassified)


def _load(name: str) -> Any:
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


def _values(name: str, table: Any) -> np.ndarray:
    values = np.asarray(table.matrix_data.toarray(), dtype=float)
    ids, samples = table.ids(axis="observation"), table.ids()
    raise_problems(
        Problem(f"{str(ids[i])!r} of sample {str(samples[j])!r} is {values[i, j]:g}", "amounts are 0 or more", name)
        for i, j in np.argwhere(~np.isfinite(values) | (values < 0))[:20]
    )
    return values


def _lineage(metadata: Any) -> list[str]:
    """Return the parts of a lineage: a list in most tables, a text with semicolons in others."""
    keys = ("taxonomy", "Taxonomy", "Taxon", "taxon")
    given = next((metadata[key] for key in keys if key in metadata), None) if metadata else None
    parts = given.split(";") if isinstance(given, str) else list(given) if given is not None else []
    return [str(part).strip() for part in parts if str(part).strip()]


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
