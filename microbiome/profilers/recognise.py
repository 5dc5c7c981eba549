"""Which profiler a file is of, told by its content, and its profile."""

from __future__ import annotations

import bz2
import gzip
import itertools
import zlib
from pathlib import Path
from typing import Literal

from microbiome.errors import InputError, Problem
from microbiome.files import BOM, open_text
from microbiome.metaphlan_format import (
    ParsedTable,
    database_in,
    is_metaphlan,
    parse_metaphlan,
    profiler_of,
)
from microbiome.profilers.biom import is_biom, parse_biom
from microbiome.profilers.kraken2 import BRACKEN_COLUMNS, is_report, parse_bracken, read_report, report_profile
from microbiome.profilers.sourmash import is_gather, parse_gather
from microbiome.profilers.taxonomy import Taxonomy
from microbiome.profilers.taxpasta import is_taxpasta, parse_taxpasta

__all__ = ["Format", "has_clades", "parse_profile", "profile_format", "profiler_in"]

Format = Literal["metaphlan", "kraken2", "bracken", "sourmash", "taxpasta", "biom", "features"]

_HEAD_LINES = 200


def profile_format(path: str | Path) -> Format:
    """Return what a file is: ``features`` is any other table of features, or what cannot be read.

    Of a BIOM table that is ``biom``, with lineages or without.
    """
    if is_biom(path):
        return "biom"
    lines = _head(path)
    first = next((line for line in lines if line.strip()), "").removeprefix(BOM)
    if is_taxpasta(first):
        return "taxpasta"
    if first.split("\t")[: len(BRACKEN_COLUMNS)][:3] == list(BRACKEN_COLUMNS[:3]):
        return "bracken"
    if is_gather(first):
        return "sourmash"
    if is_report(first):
        return "kraken2"
    return "metaphlan" if is_metaphlan(lines) else "features"


def profiler_in(path: str | Path) -> str:
    """Return the profiler that a file is of by its first lines; nothing of a table that has no lineages.

    What `microbiome convert` and `microbiome merge` wrote says there where it comes from.
    """
    found = profile_format(path)
    if found == "features" or (found == "biom" and not has_clades(path)):
        return ""
    if found != "metaphlan":
        return found
    return profiler_of(next((word for line in _head(path) if (word := database_in(line))), None))


def has_clades(path: str | Path) -> bool:
    """Tell a profile, which has lineages and ranks, from a table of any other features."""
    found = profile_format(path)
    return parse_biom(path) is not None if found == "biom" else found != "features"


def parse_profile(path: str | Path, taxonomy: Taxonomy | None = None) -> ParsedTable:
    """Return the profile that a file holds, whichever profiler it is of.

    Parameters
    ----------
    path
        MetaPhlAn table, Kraken2 report, Bracken table, table of `sourmash gather`, of taxpasta or BIOM; text plain or
        compressed. A file that is none of them is read as a MetaPhlAn table, which says what is wrong with it.
    taxonomy
        Lineages, for those that have none.

    Raises
    ------
    InputError
        With all problems of the file.
    """
    file, found = str(path), profile_format(path)
    if found == "biom":
        table = parse_biom(path)
        if table is not None:
            return table
        fix = "add it (biom add-metadata), or give the table alone: it is read as one of any features then"
        raise InputError(Problem("the observations of the BIOM table have no taxonomy", fix, file))
    text = open_text(path)
    if found == "kraken2":
        return report_profile(file, read_report(file, text))
    if found == "bracken":
        return parse_bracken(file, text, taxonomy)
    if found == "sourmash":
        return parse_gather(file, text, taxonomy)
    if found == "taxpasta":
        return parse_taxpasta(file, text, taxonomy)
    return parse_metaphlan(file, text)


def _head(path: str | Path) -> list[str]:
    """Return the first lines of a text; none where it cannot be read, which whoever opens it says."""
    try:
        with Path(path).open("rb") as plain:
            magic = plain.read(3)
        opener = gzip.open if magic[:2] == b"\x1f\x8b" else bz2.open if magic == b"BZh" else Path.open
        with opener(Path(path), "rb") as stream:
            lines = list(itertools.islice(stream, _HEAD_LINES))
    except (OSError, EOFError, ValueError, zlib.error):
        return []
    return [line.decode("utf-8", errors="replace").rstrip("\r\n") for line in lines]
