#!/usr/bin/env python3
"""List the clades that StrainPhlAn can make a tree of, and choose those that the configuration asks for.

Writes one row per clade that has markers in any sample: how many samples StrainPhlAn would keep, whether the clade is
chosen, and why not. StrainPhlAn itself names only clades with enough samples, and refuses to look at fewer than four.

Uses the standard library alone, because it runs in the environment of MetaPhlAn.
"""

from __future__ import annotations

import argparse
import bz2
import json
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tool_runs import IncompleteError, advice, refuse, run_tool, text_written
from whole_files import write_whole

#: StrainPhlAn makes no tree of fewer samples.
FEWEST = 4
HEADER = ("taxon", "samples", "chosen", "reason")


def marker_clades(path: Path) -> set[str]:
    """Return the clades of which a sample has any consensus marker; a marker's name ends in ``|SGB...``."""
    with bz2.open(path, "rt", encoding="utf-8") as stream:
        markers = json.load(stream)["consensus_markers"]
    found = (re.search(r"\|((?:SGB|EUK)\w+)$", marker["marker"]) for marker in markers)
    return {f"t__{match[1]}" for match in found if match}


def detected(markers: list[Path], database: Path, threads: int) -> dict[str, int]:
    """Return StrainPhlAn's own list: samples with enough markers, by clade."""
    if len(markers) < FEWEST:
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        names = Path(scratch) / "samples.txt"
        names.write_text("".join(f"{path}\n" for path in markers), encoding="utf-8")
        command = ["strainphlan", "--sample_list", str(names), "-d", str(database), "--print_clades_only"]
        command += ["-o", scratch, "-n", str(threads)]
        run_tool("all samples", command, os.environ | {"PYTHONHASHSEED": "0"})
        lines = text_written("strainphlan", Path(scratch) / "print_clades_only.tsv").splitlines()[1:]
    return {clade: int(number) for clade, number, *_ in (line.split("\t") for line in lines)}


def chosen(counts: dict[str, int], listed: list[str], top: int | None) -> list[str]:
    """Return the clades to make trees of: those in most samples first, equal ones by name."""
    order = sorted(counts, key=lambda clade: (-counts[clade], clade))
    if listed:
        return [clade for clade in order if clade in listed]
    return order if top is None else order[:top]


def main() -> int:
    """Run the command line; return the exit code."""
    # @FILE: the words that a file holds, one per line.
    parser = argparse.ArgumentParser(
        description="List the clades that StrainPhlAn can make a tree of.", fromfile_prefix_chars="@"
    )
    parser.add_argument("--markers", required=True, nargs="*", type=Path, help="consensus markers, .json.bz2, or @FILE")
    parser.add_argument("--database", required=True, type=Path, help=".pkl of the MetaPhlAn database")
    parser.add_argument("--clades", nargs="+", default=[], help="only these")
    parser.add_argument("--top", type=int, help="only so many, those in most samples")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", required=True, type=Path, help="TSV to write")
    arguments = parser.parse_args()
    try:
        counts = detected(arguments.markers, arguments.database, arguments.threads)
    except IncompleteError as error:
        refuse("all samples", advice(error))
    seen = Counter(clade for path in arguments.markers for clade in marker_clades(path))
    taken = chosen(counts, arguments.clades, arguments.top)
    # A marker of a group of SGBs is named for one of them.
    grouped = {clade.removesuffix("_group") for clade in counts}
    wanted = arguments.clades or sorted(clade for clade in seen if clade.removesuffix("_group") not in grouped)
    rows = [(clade, counts[clade], 1, "") for clade in taken]
    for clade in sorted(set(counts) - set(taken)):
        rows.append((clade, counts[clade], 0, "not among strains.clades"))
    for clade in wanted:
        if clade not in counts:
            rows.append((clade, 0, 0, f"fewer than {FEWEST} samples with enough markers"))
    lines = ["\t".join(HEADER), *("\t".join(map(str, row)) for row in rows)]
    write_whole(arguments.out, "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
