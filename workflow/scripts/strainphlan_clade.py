#!/usr/bin/env python3
"""Make the tree of one clade with StrainPhlAn, or say why there is none.

That too few samples have enough markers, or that all have the same strain, is a result and not a failure: it is written
into the status table of the clade and the run goes on. Any other failure of StrainPhlAn is one, and its message stands
in the log.

Uses the standard library alone, because it runs in the environment of MetaPhlAn.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tool_runs import IncompleteError, advice, cut_off, how_it_ended, refuse, text_written, wrote_nothing
from whole_files import whole

#: What StrainPhlAn, PhyloPhlAn or RAxML say where there can be no tree: status and reason.
NO_TREE = (
    (r"Less than 4 samples remained after filtering", "few_samples", "fewer than 4 samples with enough markers"),
    (r"main inputs samples \+ references are less than 4", "few_samples", "fewer than 4 samples in the study"),
    (r"No alignments found to concatenate", "one_strain", "no position differs: one single strain in all samples"),
    (r"TOO FEW SPECIES", "few_samples", "fewer than 4 samples left in the alignment"),
)
HEADER = ("taxon", "status", "reason", "samples")


def outcome(said: str, code: int, tree: bool) -> tuple[str, str] | None:
    """Return status and reason of a run that said this and ended with this exit code; None of a failure."""
    if code == 0 and tree:
        return "tree", ""
    if code:
        for pattern, status, reason in NO_TREE:
            if re.search(pattern, said):
                return status, reason
    return None


def look(made: Path, tree: str) -> None:
    """Refuse a tree, or a table of mutation rates, that is cut off."""
    if tree:
        text_written("strainphlan", made / tree, ";")
    rates = made / "mutation_rates.tsv"
    for path in (rates, *made.glob("*.mutation")):
        if path.is_file():
            # Square: as many rows as columns.
            rows = [line.split("\t") for line in text_written("strainphlan", path, "").splitlines()]
            if {len(row) for row in rows} != {len(rows)}:
                raise cut_off("strainphlan", path)


def run(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command in a folder, with repeatable hashes; return its exit code and what it said, which is logged too."""
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stderr.write(done.stdout)
    return done.returncode, done.stdout


def main() -> int:
    """Run the command line; return the exit code."""
    # @FILE: the words that a file holds, one per line.
    parser = argparse.ArgumentParser(
        description="Make the tree of a clade with StrainPhlAn.", fromfile_prefix_chars="@"
    )
    parser.add_argument("--clade", required=True)
    parser.add_argument("--markers", required=True, nargs="+", type=Path, help="consensus markers, .json.bz2, or @FILE")
    parser.add_argument("--database", required=True, type=Path, help=".pkl of the MetaPhlAn database")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tmp", type=Path, help="where temporary files go")
    parser.add_argument("--out", required=True, type=Path, help="folder to write: tree, .mutation, status.tsv")
    arguments = parser.parse_args()
    clade = arguments.clade
    tree = f"RAxML_bestTree.{clade}.StrainPhlAn4.tre"

    with whole(arguments.out) as out, tempfile.TemporaryDirectory(dir=arguments.tmp, prefix=f"{clade}.") as scratch:
        out.mkdir()
        # PhyloPhlAn leaves a folder where it is started.
        work = Path(scratch).absolute()
        # Through a link, because extract_markers.py does not take a path with a space.
        (work / "database").symlink_to(arguments.database.absolute().parent)
        database = str(work / "database" / arguments.database.name)
        names = work / "samples.txt"
        names.write_text("".join(f"{path.absolute()}\n" for path in arguments.markers), encoding="utf-8")
        code, said = run(["extract_markers.py", "-d", database, "-c", clade, "-o", str(work)], work)
        markers = work / f"{clade}.fna"
        if code or not markers.is_file():
            if code:
                refuse(clade, how_it_ended("extract_markers.py", code, said))
            refuse(clade, advice(wrote_nothing("extract_markers.py", markers)))
        made = work / "out"
        made.mkdir()
        command = ["strainphlan", "--sample_list", str(names), "-m", str(markers), "-c", clade]
        command += ["-d", database, "-o", str(made), "-n", str(arguments.threads)]
        # The order of the taxa would follow the hash seed; an option list of one needs the form with =.
        command += ["--mutation_rates", "--phylophlan_params=--sort"]
        code, said = run(command, work)
        found = outcome(said, code, (made / tree).is_file())
        if found is None:
            if not code:
                refuse(clade, advice(wrote_nothing("strainphlan", made / tree)))
            refuse(clade, how_it_ended("strainphlan", code, said))
        try:
            look(made, tree if found[0] == "tree" else "")
        except IncompleteError as error:
            refuse(clade, advice(error))
        # Without a tree the mutation rates are there all the same, under the name that PhyloPhlAn gives them.
        rates = made / "mutation_rates.tsv"
        if rates.is_file():
            rates.rename(made / f"{clade}.mutation")
        for name in (tree, f"{clade}.mutation", f"{clade}.info", f"{clade}.polymorphic"):
            if (made / name).is_file():
                shutil.copyfile(made / name, out / name)
        mutations = out / f"{clade}.mutation"
        header = mutations.read_text(encoding="utf-8").split("\n", 1)[0] if mutations.is_file() else ""
        row = (clade, *found, str(header.count("\t")))
        (out / "status.tsv").write_text("\t".join(HEADER) + "\n" + "\t".join(row) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
