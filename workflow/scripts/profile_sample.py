#!/usr/bin/env python3
"""Profile one sample with MetaPhlAn, or say why it cannot be profiled.

MetaPhlAn fails on a FASTQ without reads or with short reads only, and a handful of reads gives a profile that looks
as good as any. So the reads are counted first. Where there are too few, a valid profile with nothing but UNCLASSIFIED
100 is written, a comment in it says so, and the run goes on; the count table carries the status for the read
accounting.

Uses the standard library alone, because it runs in the environment of MetaPhlAn.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import importlib.metadata
import os
import re
import shutil
import sys
from pathlib import Path

from tool_runs import (
    IncompleteError,
    advice,
    bz2_lines,
    bz2_written,
    cut_off,
    reads_left,
    refuse,
    run_tool,
    text_written,
)
from tool_versions import version_of
from whole_files import whole, write_whole

#: MetaPhlAn leaves out shorter reads (its --read_min_len).
MIN_LENGTH = 70
#: How far the sum of the rows of a rank may lie from the sum of its kingdoms (percent): rounding.
ROUNDING = 0.05
COLUMNS = (
    "clade_name",
    "clade_taxid",
    "relative_abundance",
    "coverage",
    "estimated_number_of_reads_from_the_clade",
)


def count_reads(path: Path, enough: int) -> tuple[int, int]:
    """Count the reads of a gzip FASTQ, and those that are long enough, the latter only until there are `enough`."""
    reads = usable = 0
    with gzip.open(path, "rb") as stream:
        while usable < enough:
            if not stream.readline():
                return reads, usable
            usable += len(stream.readline().rstrip()) >= MIN_LENGTH
            stream.readline()
            stream.readline()
            reads += 1
        return reads + reads_left(stream), usable


def counted(paths: list[Path], enough: int) -> tuple[int, str]:
    """Count the reads of a sample; return how many, and why they are too few for a profile: empty if enough."""
    counts = [count_reads(path, enough) for path in paths]
    reads, usable = sum(c[0] for c in counts), sum(c[1] for c in counts)
    if usable >= enough:
        return reads, ""
    return reads, f"{usable} of {reads} reads are at least {MIN_LENGTH} bases long, {enough} are needed (min_reads)"


def metaphlan_version() -> str:
    """Return the version of the MetaPhlAn on PATH; asking the package is quicker than starting the program."""
    program = shutil.which("metaphlan")
    if program is None:
        raise SystemExit("error: metaphlan is not on PATH")
    if Path(program).parent == Path(sys.executable).parent:
        try:
            return importlib.metadata.version("metaphlan")
        except importlib.metadata.PackageNotFoundError:
            pass
    return version_of(program)


def command_line(arguments: argparse.Namespace, version: str, mapout: Path) -> list[str]:
    """Return the command for this version of MetaPhlAn: 4.2 renamed two options and estimates UNCLASSIFIED unasked."""
    new = tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= (4, 2)
    database, mapping = ("--db_dir", "--mapout") if new else ("--bowtie2db", "--bowtie2out")
    command = ["metaphlan", ",".join(map(str, arguments.reads)), "--input_type", "fastq"]
    command += [database, str(arguments.database), "-x", arguments.index, "--offline", mapping, str(mapout)]
    command += ["--nproc", str(arguments.threads), "-t", "rel_ab_w_read_stats", "--sample_id", arguments.sample]
    command += ["-s", str(arguments.sam), "-o", str(arguments.profile)]
    command += [] if new else ["--unclassified_estimation"]
    return command + arguments.extra


def whole_profile(path: Path, extra: list[str], enough: int) -> str:
    """Return the text of a profile that MetaPhlAn wrote; refuse one that is missing or cut off.

    SGBs come last, and every kingdom is wholly divided into them. MetaPhlAn ends well, too, with nothing but
    UNCLASSIFIED where no read reached it.
    """
    text = text_written("metaphlan", path)
    lines = [line.split("\t") for line in text.splitlines()]
    columns = next((cells for cells in lines if cells[0] == "#clade_name"), [])
    rows = [cells for cells in lines if not cells[0].startswith("#")]
    if not columns or not rows:
        raise cut_off("metaphlan", path, "it has no rows")
    if any(len(cells) != len(columns) for cells in rows):
        raise cut_off("metaphlan", path, "its last row is not complete")
    ranks = {"k__": 0.0, "t__": 0.0}
    for cells in rows:
        rank = cells[0].rpartition("|")[2][:3]
        if rank in ranks:
            ranks[rank] += float(cells[columns.index("relative_abundance")])
    if "--tax_lev" not in extra and ranks["t__"] < ranks["k__"] - ROUNDING:
        raise cut_off("metaphlan", path, f"its SGBs sum to {ranks['t__']:.6g}, its kingdoms to {ranks['k__']:.6g}")
    found = re.search(r"^#(\d+) reads processed", text, re.MULTILINE)
    if found and "--read_min_len" not in extra and int(found[1]) < enough:
        raise IncompleteError(f"metaphlan processed {found[1]} reads, and {enough} or more are there")
    return text


def whole_alignment(path: Path) -> None:
    """Refuse an alignment that is missing, cut off, or without the header that bowtie2 always writes."""
    bz2_written("metaphlan", path)
    # MetaPhlAn itself writes one line (@CO) before those of bowtie2.
    if not any(line.startswith((b"@HD", b"@SQ")) for line in bz2_lines(path, 3)):
        raise IncompleteError("bowtie2, which metaphlan calls, ended with exit code 0 and wrote no alignment")


def restated(text: str, names: dict[Path, Path]) -> str:
    """Return a profile that states its command with the final names, and without the number of threads.

    Equal reads give equal files then, however many cores there are.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not line.startswith("#"):
            break
        for name, final in names.items():
            line = line.replace(str(name), str(final))
        lines[number] = re.sub(r" --nproc \d+", "", line)
    return "\n".join(lines)


def write_empty(arguments: argparse.Namespace, reason: str) -> None:
    """Write a profile in which nothing is classified and an alignment without reads."""
    lines = [
        f"#{arguments.index}",
        f"#not profiled: {reason}",
        "#0 reads processed",
        f"#SampleID\t{arguments.sample}",
        "#" + "\t".join(COLUMNS),
        "UNCLASSIFIED\t-1\t100.0\t-\t0",
    ]
    write_whole(arguments.profile, "\n".join(lines) + "\n")
    with whole(arguments.sam) as part:
        part.write_bytes(bz2.compress(f"@HD\tVN:1.5\tSO:unsorted\n@CO\tindex:{arguments.index}\n".encode()))


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Profile a sample with MetaPhlAn; flag it where it has too few reads.")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--reads", required=True, nargs="+", type=Path, help="gzip FASTQ, one or both mates")
    parser.add_argument("--min-reads", required=True, type=int, help="usable reads below which there is no profile")
    parser.add_argument("--database", required=True, type=Path, help="folder of the MetaPhlAn database")
    parser.add_argument("--index", required=True, help="name of the database")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--profile", required=True, type=Path)
    parser.add_argument("--sam", required=True, type=Path, help="alignment to write, .sam.bz2")
    parser.add_argument(
        "--counts", required=True, type=Path, help="TSV to write: reads, usable reads, status, reason, versions"
    )
    parser.add_argument("extra", nargs="*", help="further options of metaphlan, after --")
    arguments = parser.parse_args()

    enough = max(1, arguments.min_reads)
    reads, reason = counted(arguments.reads, enough)
    status, metaphlan, bowtie2 = "few_reads" if reason else "ok", "", ""
    if reason:
        write_empty(arguments, reason)
    else:
        metaphlan, bowtie2 = metaphlan_version(), version_of("bowtie2")
        # The name is the same in every run, because MetaPhlAn writes its command into the profile.
        mapout = arguments.profile.with_name(f"{arguments.sample}.mapout.bz2")
        mapout.unlink(missing_ok=True)
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        with whole(arguments.profile) as profile, whole(arguments.sam) as sam:
            under_way = argparse.Namespace(**vars(arguments) | {"profile": profile, "sam": sam})
            try:
                run_tool(f"sample {arguments.sample}", command_line(under_way, metaphlan, mapout), environment)
                text = whole_profile(profile, arguments.extra, enough)
                whole_alignment(sam)
            except IncompleteError as error:
                refuse(f"sample {arguments.sample}", advice(error))
            finally:
                mapout.unlink(missing_ok=True)
            profile.write_text(restated(text, {profile: arguments.profile, sam: arguments.sam}), encoding="utf-8")
    header = ["sample", "reads", "status", "reason", "metaphlan", "bowtie2"]
    cells = [arguments.sample, str(reads), status, reason, metaphlan, bowtie2]
    write_whole(arguments.counts, "\t".join(header) + "\n" + "\t".join(cells) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
