"""The compact file of allele counts of one sample: what it holds, how it is written, read and refused."""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import atomic_path, refuse_special

__all__ = ["AlleleFile", "CladeAlleles", "check_mixable", "open_alleles", "write_alleles"]

_MAGIC = b"FMTALLEL"
_LAST_BASE = 3
#: Version of the format; a file of another one is refused.
VERSION = 1
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
# Positions are counted in 32 bits.
_MOST = 2**31
_REMEDY = "make it again with `microbiome strains alleles`"


@dataclass(frozen=True)
class CladeAlleles:
    """Allele counts of one clade in one sample, over its markers laid end to end.

    Parameters
    ----------
    depth
        **position**, ``uint16``: bases that passed the filters (65535 = as many or more).
    position, base, count
        One entry per position and base that is not that of the marker in the database, ascending: position
        (``int32``), base (``uint8``: 0 A, 1 C, 2 G, 3 T), reads (``uint16``). The other reads of a position have the
        base of the marker.
    """

    depth: np.ndarray
    position: np.ndarray
    base: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class AlleleFile:
    """An allele file that is open for reading: its head is checked, its clades are read one by one.

    Parameters
    ----------
    path
        As the user named it.
    sample
        Name of the sample.
    database, checksum
        Index of the MetaPhlAn database, and the CRC-32 of the names and lengths of its markers.
    settings
        The filters that were used, by name.
    markers
        Of each clade the lengths of its markers, in the order in which they are laid end to end.
    """

    path: str
    sample: str
    database: str
    checksum: str
    settings: Mapping[str, Any]
    markers: Mapping[str, np.ndarray]
    _places: Mapping[str, tuple[int, int, int]] = field(repr=False)
    _start: int = field(repr=False)

    @property
    def taxa(self) -> list[str]:
        """Clades with counts, in order."""
        return list(self._places)

    def read(self, taxa: Collection[str] | None = None) -> dict[str, CladeAlleles]:
        """Return the counts of some clades (default: all) that are in the file; others are left out.

        Raises
        ------
        InputError
            When the file has changed or is damaged.
        """
        wanted = [taxon for taxon in self._places if taxa is None or taxon in taxa]
        found: dict[str, CladeAlleles] = {}
        try:
            with Path(self.path).open("rb") as stream:
                for taxon in wanted:
                    offset, size, crc = self._places[taxon]
                    stream.seek(self._start + offset)
                    block = stream.read(size)
                    if len(block) != size or zlib.crc32(block) != crc:
                        raise _damaged(self.path, f"the counts of {taxon} are damaged")
                    found[taxon] = _unpack(block, int(self.markers[taxon].sum()))
        except (OSError, lzma.LZMAError, struct.error, ValueError, MemoryError) as error:
            raise _damaged(self.path, f"cannot be read ({error})") from None
        return found


def write_alleles(
    path: str | Path,
    sample: str,
    database: str,
    checksum: str,
    settings: Mapping[str, Any],
    markers: Mapping[str, Sequence[int] | np.ndarray],
    clades: Mapping[str, CladeAlleles],
) -> None:
    """Write an allele file, whole or not at all; equal counts give equal bytes.

    Notes
    -----
    Layout: ``FMTALLEL``, the length of the head (unsigned 32 bit, little endian), the head, the blocks. The head is
    JSON behind zlib: ``version``, ``sample``, ``database``, ``checksum``, ``settings``, and per clade ``taxon``,
    ``markers`` (lengths), ``offset`` (from the end of the head), ``size``, ``crc``. A block is LZMA (raw LZMA2, lc = 0)
    over the number of entries (unsigned 32 bit), the change of depth from position to position (16 bit, low bytes of
    all before high bytes of all), the change of position from entry to entry (32 bit, byte by byte likewise), the
    bases and the counts (16 bit, likewise). What is put together byte by byte is mostly zeros and packs well.
    """
    blocks = {taxon: _pack(clade) for taxon, clade in clades.items()}
    places, offset = [], 0
    for taxon, block in blocks.items():
        lengths = [int(length) for length in markers[taxon]]
        places.append(
            {"taxon": taxon, "markers": lengths, "offset": offset, "size": len(block), "crc": zlib.crc32(block)}
        )
        offset += len(block)
    content = {"version": VERSION, "sample": sample, "database": database, "checksum": checksum}
    head = zlib.compress(json.dumps({**content, "settings": dict(settings), "clades": places}).encode(), 9)
    with atomic_path(path) as part, part.open("wb") as stream:
        stream.write(_MAGIC + struct.pack("<I", len(head)) + head)
        for block in blocks.values():
            stream.write(block)


def open_alleles(path: str | Path) -> AlleleFile:
    """Open an allele file and check its head.

    Raises
    ------
    InputError
        When it is missing, no allele file, damaged, cut off, or of another version of the format.
    """
    name = str(path)
    try:
        refuse_special(path)
        with Path(path).open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise InputError(
                    Problem("the file is no allele file", "give files that `microbiome strains alleles` wrote", name)
                )
            (size,) = struct.unpack("<I", stream.read(4))
            head = json.loads(zlib.decompress(stream.read(size)))
            start = stream.tell()
            end = stream.seek(0, 2)
    except FileNotFoundError:
        raise InputError(Problem("the file does not exist", "correct the path", name)) from None
    except OSError as error:
        raise InputError(
            Problem(f"cannot be read ({error.strerror})", "correct the path or its rights", name)
        ) from None
    except (struct.error, zlib.error, ValueError, EOFError, RecursionError, MemoryError):
        raise _damaged(name, "the head of the file is damaged") from None
    version = head.get("version") if isinstance(head, dict) else None
    if version != VERSION:
        raise _damaged(name, f"the file is of version {version} of the format, this is {VERSION}")
    try:
        _check_head(head)
        places = {c["taxon"]: (int(c["offset"]), int(c["size"]), int(c["crc"])) for c in head["clades"]}
        markers = {c["taxon"]: np.asarray(c["markers"], dtype=np.int64) for c in head["clades"]}
        whole = start + sum(size for _, size, _ in places.values())
        opened = AlleleFile(
            name, head["sample"], head["database"], head["checksum"], head["settings"], markers, places, start
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _damaged(name, "the head of the file is damaged") from None
    if end != whole:
        raise _damaged(name, f"the file is cut off: {end} of {whole} bytes")
    return opened


def _check_head(head: Mapping[str, Any]) -> None:
    """Raise ValueError where the head says what no file can hold."""
    words = [head["sample"], head["database"], head["checksum"], *(clade["taxon"] for clade in head["clades"])]
    numbers = [number for clade in head["clades"] for number in (clade["offset"], clade["size"], *clade["markers"])]
    if not all(isinstance(word, str) for word in words) or not isinstance(head["settings"], dict):
        raise ValueError("a name is none")
    if not all(type(number) is int and 0 <= number < _MOST for number in numbers):
        raise ValueError("a place or length is none")


def check_mixable(files: Sequence[AlleleFile]) -> None:
    """Refuse allele files that cannot be compared.

    Raises
    ------
    InputError
        When a sample stands twice, or files come from different databases or filters: all problems at once.
    """
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for file in files:
        if file.sample in seen:
            message = f"sample {file.sample} is in {seen[file.sample]} already"
            problems.append(Problem(message, "give each sample once", file.path, value=file.sample))
        seen.setdefault(file.sample, file.path)
        # A sample without any read has no markers either.
        first = next((other for other in files if other.checksum), file)
        if file.database != first.database or (file.checksum and file.checksum != first.checksum):
            same = " (of the same name, but with other markers)" if file.database == first.database else ""
            message = f"made with database {file.database}{same}, {first.path} with {first.database}"
            problems.append(Problem(message, "profile all samples with one database", file.path, value=file.database))
        elif file.settings != first.settings:
            names = [n for n in {**first.settings, **file.settings} if file.settings.get(n) != first.settings.get(n)]
            differ = ", ".join(f"{n} {file.settings.get(n)} and {first.settings.get(n)}" for n in names)
            message = f"made with other filters than {first.path}: {differ}"
            problems.append(Problem(message, "make all with the same options", file.path))
    raise_problems(problems)


def _damaged(path: str, what: str) -> InputError:
    return InputError(Problem(what, _REMEDY, path))


def _planes(values: np.ndarray) -> bytes:
    """Return the bytes of integers, the lowest of all first, then the next of all."""
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(len(little), -1).T.tobytes() if len(little) else b""


def _integers(block: bytes, size: int, dtype: str) -> np.ndarray:
    width = np.dtype(dtype).itemsize
    if len(block) != size * width:
        raise ValueError("a block is too short")
    planes = np.frombuffer(block, dtype=np.uint8).reshape(width, size)
    return np.ascontiguousarray(planes.T).view(np.dtype(dtype).newbyteorder("<")).ravel().astype(dtype)


def _pack(clade: CladeAlleles) -> bytes:
    # Differences wrap around in 16 and 32 bits, and cumulative sums take that back.
    depth = np.diff(clade.depth.astype(np.uint16), prepend=np.uint16(0)).astype(np.uint16)
    position = np.diff(clade.position.astype(np.uint32), prepend=np.uint32(0)).astype(np.uint32)
    text = struct.pack("<I", len(position)) + _planes(depth) + _planes(position)
    text += clade.base.astype(np.uint8).tobytes() + _planes(clade.count.astype(np.uint16))
    return lzma.compress(text, format=lzma.FORMAT_RAW, filters=_FILTERS)


def _unpack(block: bytes, length: int) -> CladeAlleles:
    text = lzma.decompress(block, format=lzma.FORMAT_RAW, filters=_FILTERS)
    (number,) = struct.unpack_from("<I", text)
    edges = np.cumsum([4, 2 * length, 4 * number, number, 2 * number])
    parts = [text[a:b] for a, b in pairwise(edges)]
    depth = np.cumsum(_integers(parts[0], length, "uint16"), dtype=np.uint16)
    position = np.cumsum(_integers(parts[1], number, "uint32"), dtype=np.uint32).astype(np.int32)
    base = np.frombuffer(parts[2], dtype=np.uint8)
    if len(base) != number or len(text) != edges[-1]:
        raise ValueError("a block has the wrong length")
    if number and not (position.min() >= 0 and position.max() < length and base.max() <= _LAST_BASE):
        raise ValueError("a block names a position or base that there is not")
    return CladeAlleles(depth, position, base, _integers(parts[3], number, "uint16"))
