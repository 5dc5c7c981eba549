#!/usr/bin/env python3
"""Trim the reads of one sample with fastp, and see that none was lost on the way in or out.

fastp ends with 0 where a record is damaged, and leaves out the reads behind it; so it does where a file grew or shrank
since it was verified. So the reads that it says it took are compared with those of the units, and the reads that it
says it kept with those in its files, which are read to their end.

Uses the standard library alone, because it runs in the environment of fastp.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from plain_tables import rows_of
from tool_runs import IncompleteError, advice, cut_off, fastq_written, json_written, refuse, run_tool
from whole_files import whole

TOOL = "fastp"


def damage(path: Path) -> tuple[int, str] | None:
    """Return the line of a gzip FASTQ where the first record is none, and why; None where all are well."""
    line = 0
    with gzip.open(path, "rb") as stream:
        while header := stream.readline():
            bases, plus, qualities = (stream.readline() for _ in range(3))
            if not header.startswith(b"@"):
                return line + 1, "does not begin with @"
            if not plus.startswith(b"+"):
                return line + 3, "does not begin with +"
            found = len(bases.rstrip(b"\r\n")), len(qualities.rstrip(b"\r\n"))
            if found[0] != found[1]:
                return line + 4, f"a read has {found[0]} bases and {found[1]} qualities"
            line += 4
    return None


def changed(arguments: argparse.Namespace) -> None:
    """Refuse a file that is read where it lies and is not as large any more as when it was verified."""
    for mate, path in enumerate(arguments.reads, start=1):
        before = [row for row in rows_of(arguments.units) if row["mate"] == str(mate)]
        if path.is_symlink() and len(before) == 1 and path.stat().st_size != int(before[0]["bytes"]):
            message = (
                f"{before[0]['file']} changed during the run: {before[0]['bytes']} bytes when it was verified, now "
                f"{path.stat().st_size}; wait until it is complete, then start the same again"
            )
            refuse(f"sample {arguments.sample}", message)


def lost(arguments: argparse.Namespace, expected: int, took: int) -> str:
    """Say why fastp took another number of reads than the units have: which line of which file it could not read."""
    for mate, path in enumerate(arguments.reads, start=1):
        found = damage(path)
        if found is None:
            continue
        line, why = found
        for row in (row for row in rows_of(arguments.units) if row["mate"] == str(mate)):
            if line <= 4 * int(row["reads"]):
                fix = "copy or download it again, then start the same again (microbiome check --config names all such)"
                return f"{row['file']}:{line}: {why}: {TOOL} took {took} of {expected} reads; {fix}"
            line -= 4 * int(row["reads"])
    return f"{TOOL} took {took} of {expected} reads; see its messages above"


def run(arguments: argparse.Namespace) -> None:
    """Run fastp into hidden files, look at them, and let them take their names."""
    about = f"sample {arguments.sample}"
    with ExitStack() as stack:
        parts = [stack.enter_context(whole(path)) for path in arguments.out]
        report = stack.enter_context(whole(arguments.json))
        command = [TOOL]
        for i, (reads, part) in enumerate(zip(arguments.reads, parts, strict=True), start=1):
            command += [f"--in{i}", str(reads), f"--out{i}", str(part)]
        command += ["--detect_adapter_for_pe"] if len(parts) == 2 else []
        command += ["--json", str(report), "--html", "/dev/null", "--report_title", arguments.sample]
        command += ["--length_required", str(arguments.min_length), "--compression", "1"]
        run_tool(about, [*command, "--thread", str(arguments.threads), *arguments.extra])
        found: Any = json_written(TOOL, report)
        try:
            took, kept = (int(found["summary"][f"{when}_filtering"]["total_reads"]) for when in ("before", "after"))
        except (KeyError, TypeError, ValueError):
            raise cut_off(TOOL, report) from None
        changed(arguments)
        expected = sum(int(row["reads"]) for row in rows_of(arguments.units))
        if took != expected:
            refuse(about, lost(arguments, expected, took))
        with ThreadPoolExecutor(len(parts)) as pool:
            each = kept // len(parts)
            list(pool.map(lambda part: fastq_written(TOOL, part, each), parts))
        # fastp writes its command into the report: with the final names, and without the number of threads, so that
        # equal reads give equal files.
        text = re.sub(r" --thread \d+", "", report.read_text(encoding="utf-8"))
        for path, part in zip([*arguments.out, arguments.json], [*parts, report], strict=True):
            text = text.replace(str(part), str(path))
        report.write_text(text, encoding="utf-8")


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Trim the reads of a sample with fastp.")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--reads", required=True, nargs="+", type=Path, help="gzip FASTQ, one or both mates")
    parser.add_argument("--units", required=True, type=Path, help="table of the units: reads of each file")
    parser.add_argument("--min-length", required=True, type=int, help="shorter reads are left out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", required=True, nargs="+", type=Path, help="gzip FASTQ to write, as many as --reads")
    parser.add_argument("--json", required=True, type=Path, help="report to write")
    parser.add_argument("extra", nargs="*", help="further options of fastp, after --")
    arguments = parser.parse_args()
    if len(arguments.reads) != len(arguments.out):
        parser.error("--out needs as many files as --reads")
    try:
        run(arguments)
    except IncompleteError as error:
        refuse(f"sample {arguments.sample}", advice(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
