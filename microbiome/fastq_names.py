"""Headers of FASTQ records: the name of a read, which mate it is, and whether two are of one pair."""

from __future__ import annotations

import re

__all__ = ["are_mates", "header_of", "mate_of", "name_of", "pair_name"]

_COMMENT_MATE = re.compile(r"([12]):[YN]:\d+:")


def header_of(record: bytes) -> str:
    """Return the first line of a record without its ``@``."""
    return record.split(b"\n", 1)[0][1:].decode(errors="replace")


def name_of(header: str) -> str:
    """Return the name of a read: the header up to the first white space."""
    words = header.split(maxsplit=1)
    return words[0] if words else ""


def mate_of(header: str) -> int | None:
    """Return the mate (1 or 2) that a header states (``name/1`` or ``name 1:N:0:``), None where it states none."""
    words = header.split(maxsplit=2)
    if words and words[0][-2:] in ("/1", "/2"):
        return int(words[0][-1])
    stated = _COMMENT_MATE.match(words[1]) if len(words) > 1 else None
    return int(stated.group(1)) if stated else None


def pair_name(name: str) -> str:
    """Return a name without the mate (``/1``; ``.1`` and ``_1`` of SRA exports)."""
    return name[:-2] if len(name) > 2 and name[-2] in "/._" and name[-1] in "12" else name


def are_mates(first: str, second: str) -> bool:
    """Tell whether two headers in a row are those of a pair.

    ``x.1`` and ``x.2`` alone do not tell: in SRA exports they are the first and the second read.
    """
    name, other = name_of(first), name_of(second)
    if (mate_of(first), mate_of(second)) == (1, 2):
        return pair_name(name) == pair_name(other)
    return bool(name) and name == other
