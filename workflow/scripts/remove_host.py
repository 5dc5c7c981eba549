#!/usr/bin/env python3
"""Map the reads of a sample against the host genome with bowtie2 and keep those that do not map.

A pair goes when either mate maps: the other mate is then of the host as well. Kept pairs are written interleaved, in
the order of the input whatever the number of threads. The reads are counted on the way.

Uses the standard library alone, because it runs in the environment of bowtie2.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from tool_runs import IncompleteError, advice, how_it_ended, refuse
from tool_versions import version_of
from whole_files import whole, write_whole

#: What bowtie2 says of no reads.
NO_READS = "0 reads\n0.00% overall alignment rate\n"
UNMAPPED, MATE_UNMAPPED = 4, 8


def keep_unmapped(alignments: Iterable[bytes], paired: bool, out: BinaryIO) -> tuple[int, int]:
    """Write the reads of SAM lines that do not map (nor do their mates) as FASTQ; return how many came and stayed."""
    wanted = UNMAPPED | MATE_UNMAPPED if paired else UNMAPPED
    reads = kept = 0
    for line in alignments:
        cells = line.split(b"\t", 11)
        if len(cells) < 11 or not line.endswith(b"\n"):
            raise IncompleteError("bowtie2 ended in the middle of an alignment")
        name, flag, *_, sequence, quality = cells[:11]
        reads += 1
        if int(flag) & wanted == wanted:
            out.write(b"@%b\n%b\n+\n%b\n" % (name, sequence, quality))
            kept += 1
    return reads, kept


def empty(path: Path) -> bool:
    """Tell whether a gzip file holds nothing."""
    with gzip.open(path, "rb") as stream:
        return not stream.read(1)


def remove_host(about: str, command: list[str], paired: bool, summary: Path, out: BinaryIO) -> tuple[int, int]:
    """Run bowtie2, write the reads that stay, and return how many came and stayed; end where any is missing."""
    if shutil.which(command[0]) is None:
        refuse(about, "bowtie2 is not on PATH; install it (make setup), or let Snakemake: --sdm conda")
    problem = None
    with summary.open("w") as stream, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream) as process:
        try:
            reads, kept = keep_unmapped(process.stdout or [], paired, out)
        except IncompleteError as error:
            problem, reads, kept = error, 0, 0
            # What follows is of no use, but a program that nobody listens to is killed.
            for _ in process.stdout or ():
                pass
    said = summary.read_text(encoding="utf-8", errors="replace")
    sys.stderr.write(said)
    if process.returncode:
        refuse(about, how_it_ended("bowtie2", process.returncode, said))
    # Its own count is of pairs where there are any.
    counted = re.search(r"^(\d+) reads; of these:", said, re.MULTILINE)
    expected = int(counted[1]) * (1 + paired) if counted else None
    if problem is None and reads != expected:
        there = "no count of them" if expected is None else f"{expected} reads"
        problem = IncompleteError(f"bowtie2 ended with exit code 0 and gave {reads} reads, its summary {there}")
    if problem:
        refuse(about, advice(problem))
    return reads, kept


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Remove host reads with bowtie2.")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--index", required=True, help="prefix of the bowtie2 index of the host genome")
    parser.add_argument("--reads", required=True, nargs="+", type=Path, help="FASTQ, one or both mates")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", required=True, type=Path, help="gzip FASTQ to write")
    parser.add_argument(
        "--summary", required=True, type=Path, help="what bowtie2 says of the mapping (read by MultiQC)"
    )
    parser.add_argument(
        "--counts", required=True, type=Path, help="TSV to write: reads, reads kept, version of bowtie2"
    )
    arguments = parser.parse_args()

    about = f"sample {arguments.sample}"
    version = version_of("bowtie2")
    mates = [f"-{i}" for i in (1, 2)] if len(arguments.reads) == 2 else ["-U"]
    files = [word for mate, path in zip(mates, arguments.reads, strict=True) for word in (mate, str(path))]
    command = ["bowtie2", "-x", arguments.index, *files, "--very-sensitive", "--no-head"]
    command += ["--reorder", "-p", str(arguments.threads)]
    with (
        whole(arguments.summary) as summary,
        whole(arguments.out) as part,
        part.open("wb") as stream,
        # The name of the final file goes into the header.
        gzip.GzipFile(arguments.out, "wb", compresslevel=1, fileobj=stream, mtime=0) as out,
    ):
        if all(empty(path) for path in arguments.reads):
            # Some versions of bowtie2 fail without reads.
            reads = kept = 0
            summary.write_text(NO_READS, encoding="utf-8")
        else:
            reads, kept = remove_host(about, command, len(mates) == 2, summary, out)
    cells = [arguments.sample, str(reads), str(kept), version]
    write_whole(arguments.counts, "sample\treads\treads_nonhost\tbowtie2\n" + "\t".join(cells) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
