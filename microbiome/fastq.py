"""Checking of FASTQ files: whole in constant memory, or only the first record."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from microbiome.errors import Problem
from microbiome.fastq_names import are_mates, header_of, mate_of, name_of, pair_name
from microbiome.validation import shown

__all__ = ["Fastq", "check_fastq", "check_pair", "inspect_fastq"]

# Read at a time, and inflated at most at a time; the first record alone needs less.
_READ_BYTES, _GLANCE_BYTES = 1 << 18, 1 << 13
_INFLATED_BYTES = 1 << 20
# Names that are kept of a file at most, evenly spread, to compare the order of reads in two files.
_MOST_NAMES = 1 << 12
# A header is looked at so far.
_HEADER_BYTES = 1 << 10
# The longest reads ever sequenced have a few million bases: a longer line is no FASTQ.
_LONGEST_LINE = 1 << 26
_GZIP = b"\x1f\x8b"
_FOREIGN = (
    (b"BZh", "compressed with bzip2", "compress it with gzip"),
    (b"\xfd7zXZ", "compressed with xz", "compress it with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "compress it with gzip"),
    (b"PK\x03\x04", "a zip archive", "unpack it and compress it with gzip"),
    (b"NCBI.sra", "an SRA archive", "convert it with fasterq-dump"),
    (b"BAM\x01", "a BAM file", "convert it with samtools fastq"),
    (b"CRAM", "a CRAM file", "convert it with samtools fastq"),
    (b">", "FASTA, not FASTQ", "give reads with qualities"),
    (b"<", "a web page or XML", "download the file again"),
)


@dataclass(frozen=True)
class Fastq:
    """What was seen of one FASTQ file.

    Parameters
    ----------
    path
        As given.
    problems
        What is wrong with it: nothing, or one error, the first met; or a warning where it holds no reads.
    record
        The first record as it stands in the file, without its last line break; empty when there is none.
    reads
        Number of records; None unless the whole file was read to its end (or holds none).
    size
        Bytes of the file.
    names
        Names of reads, by their number from 0, evenly spread; only the first unless the whole file was read.
    interleaved
        Whether the first two reads are the mates of one pair.
    """

    path: str
    problems: tuple[Problem, ...] = ()
    record: bytes = b""
    reads: int | None = None
    size: int = 0
    names: Mapping[int, str] = field(default_factory=dict, repr=False)
    interleaved: bool = False

    @property
    def name(self) -> str:
        """Name of the first read, up to the first white space."""
        return name_of(header_of(self.record))

    @property
    def mate(self) -> int | None:
        """Mate (1 or 2) that the first header states (``name/1`` or ``name 1:N:0:``), None where it states none."""
        return mate_of(header_of(self.record))


class _BadFastqError(Exception):
    """The file is no good: message, what to do, and the line where one can be named."""

    def __init__(self, message: str, fix: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message, self.fix, self.line = message, fix, line


def check_fastq(path: str | Path, whole: bool = True) -> list[Problem]:
    """Return what is wrong with one FASTQ file (see :func:`inspect_fastq`)."""
    return list(inspect_fastq(path, whole).problems)


def inspect_fastq(path: str | Path, whole: bool = True) -> Fastq:
    """Look at one FASTQ file, plain or gzip (of one or many members, told by its first bytes).

    Parameters
    ----------
    path
        Path of the file.
    whole
        Read all of it: a gzip that was cut off or damaged is found (its checksums are compared), every record is
        checked (four lines, ``@``, ``+``, as many qualities as bases), and reads are counted. Otherwise only the first
        record is looked at. Memory does not grow with the file in either case.

    Returns
    -------
    Fastq
        With at most one error, the first met: what follows it would mean nothing.
    """
    file = str(path)
    try:
        with _opened(Path(path)) as stream:
            size = os.fstat(stream.fileno()).st_size
            start = stream.read(8)
            stream.seek(0)
            if not start:
                raise _BadFastqError("the file is empty (0 bytes)", "copy it again, or remove the row")
            zipped = start.startswith(_GZIP)
            if file.endswith(".gz") and not zipped:
                _refuse_foreign(start)
                raise _BadFastqError("not gzip though its name ends in .gz", "compress it with gzip, or rename it")
            step = _READ_BYTES if whole else _GLANCE_BYTES
            blocks = _inflated(stream, step) if zipped else iter(lambda: stream.read(step), b"")
            seen = _scan(blocks, whole)
    except _BadFastqError as error:
        return Fastq(file, (Problem(error.message, error.fix, file, error.line),))
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        return Fastq(file, (Problem(f"cannot be read ({words})", "correct the path or its rights", file),))
    problems: tuple[Problem, ...] = ()
    if seen.reads == 0:
        fix = "copy it again if it should; else go on: a sample without reads is flagged"
        problems = (Problem("the file holds no reads", fix, file, level="warning"),)
    reads = seen.reads if whole or problems else None
    return Fastq(file, problems, seen.first, reads, size, seen.names, seen.paired)


def check_pair(first: Fastq, second: Fastq) -> list[Problem]:
    """Return what shows, in names and numbers of reads, that two files do not hold mates of the same reads."""
    problems: list[Problem] = []

    def say(message: str, fix: str, level: str = "error") -> None:
        problems.append(Problem(message, fix, second.path, level="error" if level == "error" else "warning"))

    if 0 in (first.reads, second.reads):
        if first.reads != second.reads:
            found = "it holds no reads, fq1 does" if second.reads == 0 else "it holds reads, fq1 none"
            say(found, "copy both files again: mates must correspond")
        return problems
    if pair_name(first.name) != pair_name(second.name):
        say(
            f"its first read is {shown(second.name)}, that of fq1 is {shown(first.name)}",
            "give the two files of one run, in the same order of reads",
        )
    elif first.mate is not None and first.mate == second.mate:
        say(f"fq1 and fq2 both hold mates {first.mate}", "name the file of the other mates")
    elif (first.mate, second.mate) == (2, 1):
        say("fq1 holds mates 2 and fq2 mates 1", "swap them", "warning")
    both = sorted(first.names.keys() & second.names.keys())
    swapped = next((i for i in both if pair_name(first.names[i]) != pair_name(second.names[i])), 0)
    if first.reads is not None and second.reads is not None and first.reads != second.reads:
        say(f"it has {second.reads} reads, fq1 has {first.reads}", "copy both files again: mates must correspond")
    elif swapped and not problems:
        message = f"its read {swapped + 1} is {shown(second.names[swapped])}, that of fq1 is"
        fix = "the mates are in another order: sort both files by name, or pair them again (seqkit pair)"
        say(f"{message} {shown(first.names[swapped])}", fix)
    return problems


def _opened(path: Path) -> BinaryIO:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        word = "the link points to nothing" if path.is_symlink() else "the file does not exist"
        raise _BadFastqError(word, "correct the path") from None
    if stat.S_ISDIR(mode):
        raise _BadFastqError("a folder, not a file", "name the FASTQ file")
    # Opening a pipe would wait for ever, and it can be read only once.
    if not stat.S_ISREG(mode):
        raise _BadFastqError("not an ordinary file", "write the reads to a file")
    return path.open("rb")


def _refuse_foreign(start: bytes) -> None:
    for magic, what, fix in _FOREIGN:
        if start.startswith(magic):
            raise _BadFastqError(f"the file is {what}", fix)


def _inflated(stream: BinaryIO, step: int) -> Iterator[bytes]:
    """Yield what a gzip of one or many members holds, in blocks of bounded size; checksums are compared by zlib."""
    inflater = None
    members = 0
    try:
        while data := stream.read(step):
            while data:
                if inflater is None:
                    # Zeros between or after members are padding.
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    inflater = zlib.decompressobj(wbits=31)
                    members += 1
                if block := inflater.decompress(data, _INFLATED_BYTES):
                    yield block
                data = inflater.unused_data or inflater.unconsumed_tail
                if inflater.eof:
                    inflater = None
        # A bounded step may leave output inside the inflater when the input is used up.
        while inflater is not None and not inflater.eof:
            block = inflater.decompress(b"", _INFLATED_BYTES)
            if not block:
                raise _BadFastqError("truncated gzip: the file ends in the middle", "copy or download it again")
            yield block
    except zlib.error as error:
        if members > 1 and "header" in str(error):
            raise _BadFastqError("something else follows the end of the gzip", "copy or download it again") from None
        raise _BadFastqError("damaged gzip: it cannot be inflated", "copy or download it again") from None


@dataclass
class _Seen:
    """What :func:`_scan` has met so far."""

    first: bytes = b""
    reads: int = 0
    names: dict[int, str] = field(default_factory=dict)
    paired: bool = False
    # Only names of reads whose number is a multiple of this are kept.
    step: int = 1

    def add(self, buffer: bytes, starts: np.ndarray) -> None:
        """Take in complete records: where each begins in `buffer`."""
        if not self.reads:
            self.first = b"\n".join(buffer.split(b"\n", 4)[:4])
            _check_first(self.first)
            if len(starts) > 1:
                self.paired = are_mates(header_of(self.first), header_of(buffer[starts[1] : starts[1] + _HEADER_BYTES]))
        for i in range(-self.reads % self.step, len(starts), self.step):
            if (self.reads + i) % self.step == 0:
                self.names[self.reads + i] = name_of(header_of(buffer[starts[i] : starts[i] + _HEADER_BYTES]))
            if len(self.names) > _MOST_NAMES:
                self.step *= 2
                self.names = {number: name for number, name in self.names.items() if number % self.step == 0}
        self.reads += len(starts)


def _scan(blocks: Iterator[bytes], whole: bool) -> _Seen:
    """Check the records in `blocks`: all of them, or those in the first block that holds one."""
    seen = _Seen()
    rest = b""
    for block in blocks:
        buffer = rest + block if rest else block
        if not seen.reads:
            _refuse_foreign(buffer)
            if not buffer.startswith(b"@"):
                line = buffer.split(b"\n", 1)[0]
                raise _BadFastqError(_not_at(line), "give a FASTQ file with four lines for each read", 1)
        if not whole:
            rest = buffer
            if rest.count(b"\n", 0, _LONGEST_LINE) >= 4 or len(rest) > _LONGEST_LINE:
                first, *more = _lines(rest)
                starts = _check_records(np.frombuffer(first, dtype=np.uint8), 0)[1]
                if not len(starts):
                    raise _BadFastqError("not FASTQ: a line is longer than any read", "give a FASTQ file", 1)
                seen.add(first, starts)
                seen.paired = bool(more) and are_mates(header_of(first), header_of(more[0]))
                return seen
            continue
        end, starts = _check_records(np.frombuffer(buffer, dtype=np.uint8), seen.reads)
        if len(starts):
            seen.add(buffer, starts)
        rest = buffer[end:]
        if len(rest) > _LONGEST_LINE:
            at = 4 * seen.reads + 1
            raise _BadFastqError("not FASTQ: a line is longer than any read", "give a FASTQ file", at)
    if rest.strip():
        # Four lines, of which the last may lack its line break; fewer when the file was cut off.
        lines = rest.removesuffix(b"\n").split(b"\n")
        if len(lines) < 4:
            message = f"the last record is incomplete ({len(lines)} of 4 lines)"
            raise _BadFastqError(message, "copy or download the file again", 4 * seen.reads + 1)
        rest += b"\n"
        seen.add(rest, _check_records(np.frombuffer(rest, dtype=np.uint8), seen.reads)[1])
    return seen


def _lines(text: bytes) -> list[bytes]:
    """Return the first four lines, with their breaks, and the next one where it is whole."""
    lines = text.split(b"\n", 5)
    return [b"\n".join(lines[:4]) + b"\n", *(lines[4:5] if len(lines) > 5 else [])]


def _check_first(record: bytes) -> None:
    """Look in the first record for what is the same all over a file."""
    lines = record.split(b"\n")
    if any(line.endswith(b"\r") for line in lines):
        raise _BadFastqError("lines end in CR LF (Windows)", "convert it with dos2unix", 1)
    if not lines[1].replace(b".", b"").replace(b"*", b"").isalpha() and lines[1]:
        message = f"not FASTQ: {shown(lines[1][:60].decode(errors='replace'))} is not a sequence"
        raise _BadFastqError(message, "give a FASTQ file", 2)


def _check_records(data: np.ndarray, before: int) -> tuple[int, np.ndarray]:
    """Check the complete records at the start of `data`; return where the last of them ends, and where each begins."""
    breaks = np.flatnonzero(data == ord("\n"))
    count = len(breaks) // 4
    if not count:
        return 0, np.empty(0, dtype=int)
    ends = breaks[: 4 * count]
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = (ends - starts).reshape(-1, 4)
    starts = starts.reshape(-1, 4)
    no_at = data[starts[:, 0]] != ord("@")
    no_plus = data[starts[:, 2]] != ord("+")
    uneven = lengths[:, 1] != lengths[:, 3]
    bad = np.flatnonzero(no_at | no_plus | uneven)
    if len(bad):
        i = int(bad[0])
        line = 4 * (before + i) + 1
        if no_at[i]:
            begin = data[starts[i, 0] : starts[i, 0] + min(int(lengths[i, 0]), 60)].tobytes()
            raise _BadFastqError(_not_at(begin), "give a FASTQ file with four lines for each read", line)
        if no_plus[i]:
            message = "not FASTQ: the third line of a record does not begin with +"
            raise _BadFastqError(message, "give a FASTQ file with four lines for each read", line + 2)
        message = f"a read has {lengths[i, 1]} bases and {lengths[i, 3]} qualities"
        raise _BadFastqError(message, "copy or download the file again", line + 3)
    return int(ends[-1]) + 1, starts[:, 0]


def _not_at(line: bytes) -> str:
    return f"not FASTQ: a record begins with {shown(line[:60].decode(errors='replace'))}, not with @"
