"""The markers of a MetaPhlAn database: which clade each belongs to, and where it lies in it."""

from __future__ import annotations

import bz2
import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microbiome.errors import InputError, Problem

__all__ = ["Layout", "Markers", "layout_of", "read_markers"]


@dataclass(frozen=True)
class Markers:
    """Markers of a MetaPhlAn database.

    Parameters
    ----------
    database
        Its index, such as ``mpa_vJan25_CHOCOPhlAnSGB_202503``.
    clade
        Clade (``t__SGB...``) of each marker.
    length
        Length of each marker, in bases.
    """

    database: str
    clade: dict[str, str]
    length: dict[str, int]


def read_markers(database: str | Path) -> Markers:
    """Read the markers of a database from its pickle (``mpa_v....pkl``).

    Raises
    ------
    InputError
        When the file is missing or is not such a pickle. It is read without running any code it may hold.
    """
    name = str(database)
    try:
        data = Path(database).read_bytes()
        content = _Plain(io.BytesIO(bz2.decompress(data) if data[:3] == b"BZh" else data)).load()
        markers = content["markers"]
        clade = {str(marker): str(row["clade"]) for marker, row in markers.items()}
        length = {str(marker): int(row["len"]) for marker, row in markers.items()}
    except FileNotFoundError:
        raise InputError(Problem("the file does not exist", "correct the path", name)) from None
    except OSError as error:
        raise InputError(
            Problem(f"cannot be read ({error})", "give the .pkl of the MetaPhlAn database", name)
        ) from None
    # A damaged pickle may fail in any way, also by asking for more memory than there is.
    except Exception:
        raise InputError(
            Problem("not the pickle of a MetaPhlAn database", "give the .pkl beside its bowtie2 index", name)
        ) from None
    return Markers(Path(database).name.removesuffix(".pkl"), clade, length)


# Containers and numbers that databases hold besides dictionaries, lists and text.
_HARMLESS = {
    *((module, name) for module in ("builtins", "__builtin__") for name in ("set", "frozenset", "bytearray")),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")),
    *((module, name) for module in ("builtins", "__builtin__") for name in ("dict", "list", "int", "float", "str")),
}


class _Plain(pickle.Unpickler):
    """Loads dictionaries, lists, text and numbers, and nothing that would run code."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not plain data")


@dataclass(frozen=True)
class Layout:
    """Where the markers of an alignment lie.

    Parameters
    ----------
    taxa
        Clades, in order.
    clade
        Of each marker of the alignment the number of its clade, -1 for one of no SGB.
    start, length
        Of each marker its first position in the clade, and its length.
    markers
        Of each clade the lengths of its markers as they are laid end to end.
    """

    taxa: list[str]
    clade: np.ndarray
    start: np.ndarray
    length: np.ndarray
    markers: dict[str, np.ndarray]


def layout_of(names: Sequence[str], lengths: np.ndarray, known: Markers | None, file: str) -> Layout:
    """Lay the markers of an alignment out, clade by clade in the order of their names.

    Parameters
    ----------
    names, lengths
        Of the markers, as the header of the alignment has them.
    known
        The database; without it the last part of a name (``UniRef90_X|1__1|SGB6751``) is its clade.
    file
        Name of the alignment, for messages.

    Raises
    ------
    InputError
        When some are not in the database or of another length there.
    """
    if known is not None:
        strange = [n for n in names if n not in known.clade]
        other = [n for n, size in zip(names, lengths.tolist(), strict=True) if known.length.get(n, size) != size]
        for found, what in ((strange, "not in the database"), (other, "of another length in the database")):
            if found:
                message = f"{len(found)} markers of the alignment are {what}, such as {found[0]}"
                raise InputError(Problem(message, "give the database of the alignment", file, value=found[0]))
        owners = [known.clade[n] for n in names]
    else:
        parts = [n.rsplit("|", 1)[-1] for n in names]
        owners = [f"t__{part}" if part.startswith(("SGB", "EUK")) else "" for part in parts]
    taxa = sorted({owner for owner in owners if owner.startswith("t__")})
    number = {taxon: i for i, taxon in enumerate(taxa)}
    clade = np.array([number.get(owner, -1) for owner in owners], dtype=np.int64)
    # Markers of a clade lie end to end in the order of their names, whatever the order of the header.
    order = np.lexsort((np.array(names, dtype=object).astype(str), clade)) if names else np.zeros(0, dtype=np.int64)
    start = np.zeros(len(names), dtype=np.int64)
    ends = np.cumsum(lengths[order])
    first = np.searchsorted(clade[order], clade[order], side="left")
    start[order] = ends - lengths[order] - np.concatenate([[0], ends])[first]
    edges = np.searchsorted(clade[order], np.arange(len(taxa) + 1))
    markers = {taxon: lengths[order[edges[i] : edges[i + 1]]] for i, taxon in enumerate(taxa)}
    return Layout(taxa, clade, start, lengths, markers)
