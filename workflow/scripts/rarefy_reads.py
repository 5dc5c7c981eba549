#!/usr/bin/env python3
"""Draw the same number of reads from every sample, so that none shows more taxa only for being sequenced deeper.

Every set of n of the N fragments of a sample (pairs, or single reads) is equally likely (selection sampling: a fragment
is kept with probability (n - kept so far) / (N - seen so far)). The reads keep their order and both mates of a pair
stay together; a sample with fewer reads keeps them all, and is named. What is drawn depends on the seed, the name of
the sample and N alone.

Uses the standard library alone, because it runs in any environment.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import compress, islice
from pathlib import Path

from tool_runs import reads_in
from whole_files import whole, write_whole

CHUNK = 1 << 22
# Fragments handled at once: bounds the memory at some ten megabytes.
BLOCK = 1 << 14
# Lines of a FASTQ record.
LINES = 4


class BadReadsError(Exception):
    """Reads that cannot be used; the message says why."""


def chosen(total: int, wanted: int, generator: random.Random) -> Iterator[bool]:
    """Tell of each of `total` fragments whether it is among the `wanted` that are drawn without replacement."""
    left = wanted
    for rest in range(total, 0, -1):
        kept = generator.random() * rest < left
        left -= kept
        yield kept


def blocks(paths: list[Path], paired: bool) -> Iterator[list[bytes]]:
    """Yield the fragments in order, some thousands at a time: the text of a read, or of a pair, mate behind mate."""
    mates = 2 if paired else 1
    lines = LINES * mates // len(paths)
    with ExitStack() as stack:
        # Iterating over a GzipFile itself calls Python for every line.
        streams = [io.BufferedReader(stack.enter_context(gzip.open(path, "rb")), CHUNK) for path in paths]
        while True:
            parts = [list(islice(stream, lines * BLOCK)) for stream in streams]
            if not parts[0] and not parts[-1]:
                return
            for part in parts:
                if part and not part[-1].endswith(b"\n"):
                    part[-1] += b"\n"
            if len({len(part) for part in parts}) > 1 or len(parts[0]) % lines:
                names = " and ".join(map(str, paths))
                raise BadReadsError(f"{names}: the mates are not in step; make the file again")
            columns = [part[line::lines] for part in parts for line in range(lines)]
            yield list(map(b"".join, zip(*columns, strict=True)))


def rarefy(paths: list[Path], paired: bool, depth: int, seed: int, sample: str, out: Path) -> tuple[int, int]:
    """Write the reads that are drawn to `out` (gzip FASTQ, pairs interleaved); return how many came and were kept."""
    mates = 2 if paired else 1
    reads = reads_in(paths[0]) * len(paths)
    total = reads // mates
    wanted = min(total, depth // mates)
    digest = hashlib.sha256(f"{seed}\trarefy_reads\t{sample}".encode()).digest()
    keep = chosen(total, wanted, random.Random(int.from_bytes(digest, "big")))  # noqa: S311 - not for secrets
    seen = 0
    with (
        whole(out) as part,
        part.open("wb") as target,
        # The name of the final file goes into the header.
        gzip.GzipFile(out, "wb", compresslevel=1, fileobj=target, mtime=0) as packed,
        io.BufferedWriter(packed, CHUNK) as stream,
    ):
        for block in blocks(paths, paired):
            seen += len(block)
            stream.writelines(compress(block, islice(keep, len(block))))
    if seen != total:
        raise BadReadsError(f"{paths[-1]}: the file changed while it was read")
    return reads, wanted * mates


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Draw a number of reads from a sample, at random and without return.")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--reads", required=True, nargs="+", type=Path, help="gzip FASTQ, one or both mates")
    parser.add_argument("--paired", action="store_true", help="reads come in pairs: two files, or interleaved in one")
    parser.add_argument("--depth", required=True, type=int, help="reads to keep, both mates counted")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--out", required=True, type=Path, help="gzip FASTQ to write, pairs interleaved")
    parser.add_argument("--counts", required=True, type=Path, help="TSV to write: reads, reads kept, reason")
    arguments = parser.parse_args()
    if len(arguments.reads) > 1 + arguments.paired:
        parser.error("two files are both mates of pairs: give --paired")
    try:
        reads, kept = rarefy(
            arguments.reads, arguments.paired, arguments.depth, arguments.seed, arguments.sample, arguments.out
        )
    except (BadReadsError, EOFError, OSError) as error:
        sys.stderr.write(f"error: sample {arguments.sample}: {error}\n")
        return 1
    reason = ""
    # Of pairs, an odd last read cannot be drawn.
    if kept < arguments.depth - arguments.paired:
        reason = f"fewer reads than rarefy_reads: {reads} of {arguments.depth}, all kept"
        sys.stderr.write(f"warning: sample {arguments.sample}: {reason}\n")
    cells = [arguments.sample, str(reads), str(kept), reason]
    write_whole(arguments.counts, "sample\treads\treads_rarefied\treason\n" + "\t".join(cells) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
