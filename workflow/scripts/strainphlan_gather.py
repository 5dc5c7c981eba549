#!/usr/bin/env python3
"""Gather what StrainPhlAn found in each clade: one table of clades, and the distances of all trees.

The distances come from `microbiome strains distances`; where no clade has any, the table has no rows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from plain_tables import rows_of
from whole_files import write_whole

HEADER = ("taxon", "status", "reason", "samples")
EMPTY = ("taxon", "sample_1", "sample_2", "sites", "distance", "method", "note")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Gather the results of StrainPhlAn.")
    parser.add_argument("--listed", required=True, type=Path, help="the clades that were listed, chosen or not")
    parser.add_argument("--results", required=True, type=Path, help="folder with a folder of each chosen clade")
    parser.add_argument("--clades", required=True, type=Path, help="TSV to write: every clade and its status")
    parser.add_argument("--distances", required=True, type=Path, help="TSV to write")
    arguments = parser.parse_args()
    listed = rows_of(arguments.listed)
    folders = [arguments.results / row["taxon"] for row in listed if row["chosen"] == "1"]
    done = {row["taxon"]: row for folder in folders for row in rows_of(folder / "status.tsv")}
    lines = ["\t".join(HEADER)]
    for row in listed:
        if row["chosen"] == "1":
            lines.append("\t".join(done[row["taxon"]][name] for name in HEADER))
        else:
            status = "not_chosen" if int(row["samples"]) else "few_samples"
            lines.append("\t".join((row["taxon"], status, row["reason"], row["samples"])))
    write_whole(arguments.clades, "\n".join(lines) + "\n")
    # A file that the status promises and that is not there must fail: names are built and not looked for.
    trees = [folder for folder in folders if done[folder.name]["status"] == "tree"]
    rated = [folder for folder in folders if int(done[folder.name]["samples"])]
    words = ["--tree", *(str(folder / f"RAxML_bestTree.{folder.name}.StrainPhlAn4.tre") for folder in trees)]
    words = words if trees else []
    words += ["--mutations", *(str(folder / f"{folder.name}.mutation") for folder in rated)] if rated else []
    if not words:
        write_whole(arguments.distances, "\t".join(EMPTY) + "\n")
        return 0
    return subprocess.run(
        ["microbiome", "strains", "distances", *words, "-o", str(arguments.distances)], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
