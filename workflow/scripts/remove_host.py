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
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

UNMAPPED, MATE_UNMAPPED = 4, 8


def keep_unmapped(alignments: Iterable[bytes], paired: bool, out: BinaryIO) -> tuple[int, int]:
    """Write the reads of SAM lines that do not map (nor do their mates) as FASTQ; return how many came and stayed."""
    wanted = UNMAPPED | MATE_UNMAPPED if paired else UNMAPPED
    reads = kept = 0
    for line in alignments:
        name, flag, *_, sequence, quality = line.split(b"\t", 11)[:11]
        reads += 1
        if int(flag) & wanted == wanted:
            out.write(b"@%b\n%b\n+\n%b\n" % (name, sequence, quality))
            kept += 1
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

    said = subprocess.run(["bowtie2", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"version (\S+)", said)
    mates = [f"-{i}" for i in (1, 2)] if len(arguments.reads) == 2 else ["-U"]
    files = [word for mate, path in zip(mates, arguments.reads, strict=True) for word in (mate, str(path))]
    command = ["bowtie2", "-x", arguments.index, *files, "--very-sensitive", "--no-head"]
    command += ["--reorder", "-p", str(arguments.threads)]
    with (
        arguments.summary.open("w") as summary,
        gzip.GzipFile(arguments.out, "wb", compresslevel=1, mtime=0) as out,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=summary) as process,
    ):
        reads, kept = keep_unmapped(process.stdout or [], len(mates) == 2, out)
    sys.stderr.write(arguments.summary.read_text())
    if process.returncode:
        sys.stderr.write(f"error: sample {arguments.sample}: bowtie2 ended with exit code {process.returncode}\n")
        return 1
    cells = [arguments.sample, str(reads), str(kept), version.group(1) if version else ""]
    arguments.counts.write_text("sample\treads\treads_nonhost\tbowtie2\n" + "\t".join(cells) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
