#!/usr/bin/env python3
"""Bring the sequencing runs (units) of a sample together, one file per mate, and read every byte on the way.

Programs further down do not notice a truncated gzip file: fastp ends with 0 and fewer reads. So each FASTQ is
decompressed here once, its records are counted, its SHA-256 is taken (for the provenance) and both mates must have as
many reads.
A single gzip unit is linked, not copied; several are joined as gzip members; plain FASTQ is compressed.

Uses the standard library alone, because it runs in any environment.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from whole_files import whole, write_whole

CHUNK = 1 << 20
#: The names of both mates are compared of evenly spread reads: of one of so many at first, and of at most so many.
STRIDE, MOST_NAMES = 64, 512
GZIP = b"\x1f\x8b"


class BadFastqError(Exception):
    """A FASTQ file that cannot be used; the message names it and says what to do."""


@dataclass
class Unit:
    """What was read of one FASTQ file."""

    path: Path
    compressed: bool
    bytes: int
    sha256: str
    reads: int
    ends_with_newline: bool
    names: dict[int, str]


class Records:
    """Counts FASTQ records in text that arrives in pieces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self.last = b""
        self.names: dict[int, str] = {}
        self.step = STRIDE

    def add(self, text: bytes) -> None:
        """Count the lines of the next piece."""
        if not text:
            return
        if not self.last and text[:1] != b"@":
            raise BadFastqError(f"{self.path}: not FASTQ: the first byte is {text[:1]!r}, not '@'")
        first = self.lines
        begun = self.last not in (b"", b"\n")
        self.lines += text.count(b"\n")
        self.last = text[-1:]
        # Headers that stand wholly in this piece; one that is divided is passed over.
        step = 4 * self.step
        wanted = range(-(-(first + begun) // step) * step, self.lines, step)
        if wanted:
            lines = text.split(b"\n", wanted[-1] - first + 1)
            self.names |= {line // 4: name_of(lines[line - first]) for line in wanted}
        while len(self.names) > MOST_NAMES:
            self.step *= 2
            self.names = {number: name for number, name in self.names.items() if number % self.step == 0}

    def reads(self) -> int:
        """Return the number of records; a last one that is not whole is an error."""
        lines = self.lines + (self.last not in (b"", b"\n"))
        if lines % 4:
            raise BadFastqError(
                f"{self.path}: {lines} lines, not a multiple of 4: the last record is cut off; copy the file again"
            )
        return lines // 4


def name_of(header: bytes) -> str:
    """Return the name in a header without the mate (``/1``; ``.1`` and ``_1`` of SRA exports)."""
    words = header[1:].decode(errors="replace").split(maxsplit=1)
    name = words[0] if words else ""
    return name[:-2] if len(name) > 2 and name[-2] in "/._" and name[-1] in "12" else name


def compare_mates(first: Unit, second: Unit) -> None:
    """Refuse two files that do not hold the mates of the same reads in the same order."""
    if first.reads != second.reads:
        raise BadFastqError(
            f"{first.path} has {first.reads} reads, {second.path} has {second.reads}: "
            "both mates must have as many; copy the files again"
        )
    for number in sorted(first.names.keys() & second.names.keys()):
        if first.names[number] != second.names[number]:
            raise BadFastqError(
                f"read {number + 1} is {first.names[number]!r} in {first.path} and {second.names[number]!r} in "
                f"{second.path}: give both mates in the same order of reads; sort both by name, or pair them again"
            )


def read_unit(path: Path, copy_to: BinaryIO | None) -> Unit:
    """Read one FASTQ file to its end, and append it to `copy_to` as gzip where that is given."""
    records, digest, size = Records(path), hashlib.sha256(), 0
    with path.open("rb") as stream:
        compressed = stream.read(2) == GZIP
        stream.seek(0)
        inflate = zlib.decompressobj(31) if compressed else None
        deflate = zlib.compressobj(1, zlib.DEFLATED, 31) if copy_to and not compressed else None
        fresh = True  # between two gzip members
        while data := stream.read(CHUNK):
            digest.update(data)
            size += len(data)
            if copy_to:
                copy_to.write(deflate.compress(data) if deflate else data)
            if inflate is None:
                records.add(data)
                continue
            while data:
                if fresh:
                    # Some writers pad the end with zeros, which every gzip reader passes over.
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    inflate, fresh = zlib.decompressobj(31), False
                try:
                    records.add(inflate.decompress(data))
                except zlib.error as error:
                    if records.last and "header" in str(error):
                        message = f"{path}: something else follows the end of the gzip; copy the file again"
                        raise BadFastqError(message) from None
                    raise BadFastqError(f"{path}: corrupt gzip file ({error}); copy the file again") from None
                data, fresh = inflate.unused_data, inflate.eof
        if compressed and not fresh:
            raise BadFastqError(
                f"{path}: truncated gzip file: it ends after {records.lines // 4} reads; copy the file again"
            )
    reads = records.reads()
    if copy_to and deflate:
        copy_to.write(deflate.flush())
    return Unit(path, compressed, size, digest.hexdigest(), reads, records.last in (b"", b"\n"), records.names)


def merge_mate(paths: list[Path], target: Path) -> list[Unit]:
    """Write the units of one mate to `target` and return what was read of each."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with paths[0].open("rb") as stream:
        link = len(paths) == 1 and stream.read(2) == GZIP
    if link:
        unit = read_unit(paths[0], None)
        target.symlink_to(paths[0].absolute())
        return [unit]
    units = []
    with whole(target) as part, part.open("wb") as out:
        for path in paths:
            units.append(read_unit(path, out))
            if not units[-1].ends_with_newline:
                # A gzip member of its own, so that the next unit begins on a new line.
                newline = zlib.compressobj(1, zlib.DEFLATED, 31)
                out.write(newline.compress(b"\n") + newline.flush())
    return units


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Merge and verify the FASTQ files of a sample.")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--units", required=True, nargs="+", help="names of the units, in the order of the files")
    parser.add_argument(
        "--fq1", required=True, nargs="+", type=Path, help="FASTQ of the first mates, or of single reads"
    )
    parser.add_argument("--fq2", nargs="*", type=Path, default=[], help="FASTQ of the second mates")
    parser.add_argument("--out1", required=True, type=Path)
    parser.add_argument("--out2", type=Path)
    parser.add_argument("--table", required=True, type=Path, help="TSV: reads, bytes and SHA-256 of each file")
    arguments = parser.parse_args()
    jobs = [(arguments.fq1, arguments.out1)]
    if arguments.fq2:
        jobs.append((arguments.fq2, arguments.out2))
    try:
        # zlib and hashlib let go of the interpreter's lock, so the two mates are read at the same time.
        with ThreadPoolExecutor(len(jobs)) as pool:
            mates = [f.result() for f in [pool.submit(merge_mate, paths, target) for paths, target in jobs]]
        for first, second in zip(mates[0], mates[-1], strict=True):
            compare_mates(first, second)
    except (BadFastqError, OSError) as error:
        sys.stderr.write(f"error: sample {arguments.sample}: {error}\n")
        return 1
    lines = ["sample\tunit\tmate\tfile\tbytes\tsha256\treads"]
    for i, unit in enumerate(arguments.units):
        lines += [
            f"{arguments.sample}\t{unit}\t{mate}\t{u[i].path}\t{u[i].bytes}\t{u[i].sha256}\t{u[i].reads}"
            for mate, u in enumerate(mates, 1)
        ]
    write_whole(arguments.table, "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
