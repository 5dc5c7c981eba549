"""Checking of finished profiles: their form, their databases, and that they are those of the samples table."""

from __future__ import annotations

import bz2
import gzip
import itertools
import zlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from microbiome.errors import InputError, Problem, collecting
from microbiome.features import parse_features, read_features
from microbiome.files import open_text, refuse_special
from microbiome.metaphlan import read_abundance
from microbiome.metaphlan_combine import combination_problems
from microbiome.metaphlan_format import ParsedTable, is_clade_row, is_metaphlan, parse_metaphlan
from microbiome.profilers import Taxonomy, has_clades, parse_profile, profile_format
from microbiome.validation import did_you_mean

__all__ = ["profile_problems", "profile_samples"]

# Lines before the first clade that a MetaPhlAn table may have, and rows of another table that are looked at.
_HEAD_LINES = 200


def profile_samples(
    files: Sequence[str], whole: bool = True, rank: str = "auto", taxonomy: Taxonomy | None = None
) -> tuple[dict[str, str], list[Problem]]:
    """Find out which samples the profiles are of.

    Parameters
    ----------
    files
        MetaPhlAn tables, or one feature table.
    whole
        Read every value; otherwise the headers only.
    rank
        The rank that must be there (with `whole`).
    taxonomy
        Lineages for profiles of other profilers that have none.

    Returns
    -------
    samples
        The file of each sample.
    problems
        What is wrong with the files, alone and together.
    """
    samples: dict[str, str] = {}
    problems: list[Problem] = []
    tables: list[ParsedTable] = []
    for file in files:
        with collecting(problems):
            kind = profile_format(file)
            if kind not in ("metaphlan", "features"):
                # Small files, and in none but taxpasta's does the header tell the samples.
                if kind == "biom" and len(files) == 1 and not has_clades(file):
                    samples.update(dict.fromkeys(read_features(file).index, file))
                    continue
                table = parse_profile(file, taxonomy)
                tables.append(table)
                samples.update(dict.fromkeys(table.samples, file))
                continue
            head, has_clade = _head(file)
            if len(files) == 1 and not is_metaphlan(head[:1_000_000].splitlines()):
                samples.update(dict.fromkeys(parse_features(head, file).index, file))
                continue
            # Without rows of data: the first row alone would look like a table that lost the others.
            before = "".join(head.splitlines(keepends=True)[:-1]) if has_clade else head
            table = parse_metaphlan(file, before, header_only=has_clade)
            tables.append(table)
            samples.update(dict.fromkeys(table.samples, file))
    problems += combination_problems(tables)
    if whole and files:
        with collecting(problems):
            read_abundance(files, rank, taxonomy=taxonomy)
    return samples, list(dict.fromkeys(problems))


def profile_problems(profiled: dict[str, str], samples: pd.DataFrame, samples_file: str) -> list[Problem]:
    """Return the samples that have no profile and the profiles that are of no sample.

    Parameters
    ----------
    profiled
        The file of each profiled sample.
    samples
        Samples table, its index the line of the file.
    samples_file
        Name used in the messages.
    """
    problems: list[Problem] = []
    known = {name for name in samples["sample"] if name is not None}
    loose = [name for name in profiled if name not in known]
    for line, name, role in samples[["sample", "role"]].itertuples():
        if name is None or name in profiled:
            continue
        if role == "donor":
            # A donor product without a profile is counted and named in the outcomes: the study may go on.
            message, fix = f"donor sample {name!r} has no profile", "its products count as not profiled"
            problems.append(
                Problem(message, fix + did_you_mean(name, loose), samples_file, line, "sample", name, "warning")
            )
        else:
            fix = "add the profile, or remove the row" + did_you_mean(name, loose)
            problems.append(Problem(f"sample {name!r} has no profile", fix, samples_file, line, "sample", name))
    for name in loose:
        fix = f"add a row to {samples_file}, or remove the profile" + did_you_mean(name, known)
        problems.append(
            Problem(f"profile of sample {name!r}, which is not in {samples_file}", fix, profiled[name], value=name)
        )
    return problems


def _head(file: str) -> tuple[str, bool]:
    """Return the first lines of a profile and whether the last of them is its first clade; the rest is not read."""
    lines: list[str] = []
    try:
        refuse_special(file)
        with Path(file).open("rb") as plain:
            magic = plain.read(3)
        opener = gzip.open if magic[:2] == b"\x1f\x8b" else bz2.open if magic == b"BZh" else Path.open
        with opener(Path(file), "rb") as stream:
            for line in itertools.islice(stream, _HEAD_LINES):
                lines.append(line.decode("utf-8-sig").replace("\r\n", "\n"))
                if is_clade_row(lines[-1]):
                    return "".join(lines), True
        return "".join(lines), False
    except (OSError, EOFError, ValueError, zlib.error):
        # Read again in whole by the function that says what is wrong.
        text = open_text(file)
        raise InputError(Problem("cannot be read", "copy or make the file again", file)) from ValueError(text[:100])
