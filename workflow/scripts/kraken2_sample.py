#!/usr/bin/env python3
"""Classify the reads of one sample with Kraken2, and let Bracken share them out where that is asked for.

The reads are counted first: a sample with too few gets a report without any, and the run goes on; the count table
carries the status for the read accounting. Both mates of a pair are classified as one sequence.

Uses the standard library alone, because it runs in the environment of Kraken2.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from profile_sample import counted
from tool_runs import how_it_ended, refuse
from tool_versions import version_of
from whole_files import remove, whole, write_whole

#: The report of a sample that was not classified.
EMPTY = "100.00\t0\t0\tU\t0\tunclassified\n"
BRACKEN_HEADER = (
    "name\ttaxonomy_id\ttaxonomy_lvl\tkraken_assigned_reads\tadded_reads\tnew_est_reads\tfraction_total_reads\n"
)
ADVICE = "read what it says above, mend the program or its database, and start the same again"
# Lines of two FASTQ records that are read at once.
BLOCK = 8 * 4096


@contextmanager
def mates(reads: list[Path], paired: bool, folder: Path) -> Iterator[list[Path]]:
    """Give one file, or one per mate: pairs that stand interleaved in one file are taken apart."""
    if not paired or len(reads) == 2:
        yield reads
        return
    parts = [folder / f"R{mate}.fastq.gz" for mate in (1, 2)]
    with (
        gzip.open(reads[0], "rb") as stream,
        gzip.open(parts[0], "wb", compresslevel=1) as first,
        gzip.open(parts[1], "wb", compresslevel=1) as second,
    ):
        while lines := list(islice(stream, BLOCK)):
            if len(lines) % 8:
                raise SystemExit(f"error: {reads[0]}: a read has no mate; make the file again")
            first.writelines(line for k, line in enumerate(lines) if k % 8 < 4)
            second.writelines(line for k, line in enumerate(lines) if k % 8 >= 4)
    yield parts


def run(sample: str, command: list[str]) -> None:
    """Run a program; end with a message where it fails."""
    sys.stderr.write(f"+ {' '.join(command)}\n")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        refuse(f"sample {sample}", how_it_ended(command[0], done.returncode))


def sequences(report: Path) -> int:
    """Count the sequences in a report: those without a taxon, and those of the root."""
    rows = [line.split("\t") for line in report.read_text(encoding="utf-8").splitlines()]
    return sum(int(row[1]) for row in rows if row[-2] in ("0", "1"))


def classify(arguments: argparse.Namespace, expected: int) -> None:
    """Write the report, and see that every sequence is in it."""
    command = ["kraken2", "--db", str(arguments.database), "--threads", str(arguments.threads)]
    command += ["--confidence", str(arguments.confidence), "--minimum-hit-groups", str(arguments.minimum_hit_groups)]
    command += ["--gzip-compressed", "--output", "-"]
    command += ["--paired"] if arguments.paired else []
    with tempfile.TemporaryDirectory() as scratch, whole(arguments.report) as part:
        with mates(arguments.reads, arguments.paired, Path(scratch)) as files:
            run(arguments.sample, [*command, "--report", str(part), *arguments.extra, *map(str, files)])
        if not part.is_file() or sequences(part) != expected:
            found = sequences(part) if part.is_file() else 0
            message = f"kraken2 reports {found} of {expected} sequences though it ended well"
            raise SystemExit(f"error: sample {arguments.sample}: {message}; {ADVICE}")


def estimate(arguments: argparse.Namespace, empty: bool) -> None:
    """Write the table of Bracken; only its header where no species has as many reads as it needs."""
    if not empty:
        rows = [line.split("\t") for line in arguments.report.read_text(encoding="utf-8").splitlines()]
        # Bracken ends with an error where there is nothing to share out.
        empty = not any(row[-3] == "S" and int(row[1]) >= max(1, arguments.threshold) for row in rows)
    if empty:
        write_whole(arguments.bracken, BRACKEN_HEADER)
        return
    with tempfile.TemporaryDirectory() as scratch, whole(arguments.bracken) as part:
        command = ["bracken", "-d", str(arguments.database), "-i", str(arguments.report), "-o", str(part)]
        command += ["-w", str(Path(scratch) / "report.txt"), "-r", str(arguments.read_length), "-l", "S"]
        run(arguments.sample, [*command, "-t", str(arguments.threshold)])
        # It ends well, too, where its input is missing.
        if not part.is_file() or not part.read_text(encoding="utf-8").startswith("name\ttaxonomy_id"):
            remove(part)
            message = "bracken wrote no table though it ended well"
            raise SystemExit(f"error: sample {arguments.sample}: {message}; {ADVICE}")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Classify the reads of a sample with Kraken2 (and Bracken).")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--reads", required=True, nargs="+", type=Path, help="gzip FASTQ: both mates, or one file")
    parser.add_argument("--paired", action="store_true", help="the reads are pairs; in one file, mate after mate")
    parser.add_argument("--min-reads", required=True, type=int, help="usable reads below which there is no profile")
    parser.add_argument("--database", required=True, type=Path, help="folder of the Kraken2 database")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--confidence", type=float, default=0.0)
    parser.add_argument("--minimum-hit-groups", type=int, default=2)
    parser.add_argument("--threshold", type=int, default=10, help="reads that Bracken asks for of a species")
    parser.add_argument("--read-length", type=int, default=150, help="length of reads for Bracken")
    parser.add_argument("--report", required=True, type=Path, help="report to write")
    parser.add_argument("--bracken", type=Path, help="table of Bracken to write; it is not run without")
    parser.add_argument("--counts", required=True, type=Path, help="TSV: reads, status, reason, versions")
    parser.add_argument("extra", nargs="*", help="further options of kraken2, after --")
    arguments = parser.parse_args()

    reads, reason = counted(arguments.reads, max(1, arguments.min_reads))
    status, kraken2, bracken = "few_reads" if reason else "ok", "", ""
    if reason:
        write_whole(arguments.report, EMPTY)
    else:
        kraken2 = version_of("kraken2")
        classify(arguments, reads // 2 if arguments.paired else reads)
    if arguments.bracken:
        bracken = version_of("bracken") if status == "ok" else ""
        estimate(arguments, status != "ok")
    cells = [arguments.sample, str(reads), status, reason, kraken2, bracken]
    header = "sample\treads\tstatus\treason\tkraken2\tbracken\n"
    write_whole(arguments.counts, header + "\t".join(cells) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
