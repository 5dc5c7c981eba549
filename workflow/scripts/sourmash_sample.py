#!/usr/bin/env python3
"""Find the genomes that explain the reads of one sample with sourmash gather, or say why that cannot be done.

The reads are counted first: a sample with too few gets a table without rows, and the run goes on; the count table
carries the status for the read accounting.

Uses the standard library alone, because it runs in the environment of sourmash.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from profile_sample import counted
from tool_runs import how_it_ended, refuse
from tool_versions import version_of
from whole_files import whole, write_whole

#: The columns that are read of a table; one without rows has no others.
HEADER = "intersect_bp,f_unique_to_query,f_unique_weighted,name,filename,query_name,ksize,scaled\n"
#: What gather says where there is no match; it writes no table then.
NOTHING = ("no matches found", "found less than", "found 0 matches")
#: What it says where the database has no sketch of the size of k-mers that is asked for.
OTHER_SIZE = "no compatible signatures"
ADVICE = "read what it says above, mend the program or its database, and start the same again"


def run(sample: str, command: list[str]) -> str:
    """Run a program and return what it said; end with a message where it fails."""
    sys.stderr.write(f"+ {' '.join(command)}\n")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    sys.stderr.write(said)
    if done.returncode and OTHER_SIZE in said:
        message = "the database has no sketches with these ksize, scaled and molecule"
        refuse(f"sample {sample}", f"{message}; set sourmash.ksize and sourmash.scaled to those of the database")
    if done.returncode:
        refuse(f"sample {sample}", how_it_ended(" ".join(command[:2]), done.returncode, said))
    return said


def gather(arguments: argparse.Namespace) -> None:
    """Sketch the reads and write the table."""
    sample, kmers = arguments.sample, f"k={arguments.ksize},scaled={arguments.scaled},abund"
    with tempfile.TemporaryDirectory() as scratch, whole(arguments.table) as part:
        sketch = str(Path(scratch) / "reads.zip")
        files = list(map(str, arguments.reads))
        run(sample, ["sourmash", "sketch", "dna", "-p", kmers, "--merge", sample, "-o", sketch, *files])
        command = ["sourmash", "gather", sketch, str(arguments.database), "-o", str(part)]
        command += ["-k", str(arguments.ksize), "--scaled", str(arguments.scaled)]
        said = run(sample, [*command, "--threshold-bp", str(arguments.threshold_bp), *arguments.extra])
        if part.is_file() and part.stat().st_size:
            with part.open(newline="") as stream:
                columns = next(csv.reader(stream))
            if "f_unique_weighted" not in columns:
                raise SystemExit(f"error: sample {sample}: sourmash gather wrote no table of its kind")
        elif any(word in said.lower() for word in NOTHING):
            part.write_text(HEADER)
        else:
            message = "sourmash gather wrote no table though it ended well"
            raise SystemExit(f"error: sample {sample}: {message}; {ADVICE}")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Find the genomes in the reads of a sample with sourmash gather.")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--reads", required=True, nargs="+", type=Path, help="gzip FASTQ, one or several files")
    parser.add_argument("--min-reads", required=True, type=int, help="usable reads below which there is no profile")
    parser.add_argument("--database", required=True, type=Path, help="sketches of the genomes")
    parser.add_argument("--ksize", type=int, default=31)
    parser.add_argument("--scaled", type=int, default=1000)
    parser.add_argument("--threshold-bp", type=int, default=50_000)
    parser.add_argument("--table", required=True, type=Path, help="table to write")
    parser.add_argument("--counts", required=True, type=Path, help="TSV: reads, status, reason, version")
    parser.add_argument("extra", nargs="*", help="further options of sourmash gather, after --")
    arguments = parser.parse_args()

    reads, reason = counted(arguments.reads, max(1, arguments.min_reads))
    status, sourmash = "few_reads" if reason else "ok", ""
    if reason:
        write_whole(arguments.table, HEADER)
    else:
        sourmash = version_of("sourmash")
        gather(arguments)
    cells = [arguments.sample, str(reads), status, reason, sourmash]
    write_whole(arguments.counts, "sample\treads\tstatus\treason\tsourmash\n" + "\t".join(cells) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
