"""Checking of FASTQ files: what is good passes in every form, what is broken is named with its line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.fastq import Fastq, check_fastq, check_pair, inspect_fastq


def record(name: str = "r1", bases: str = "ACGT", qualities: str | None = None) -> str:
    return f"@{name}\n{bases}\n+\n{'I' * len(bases) if qualities is None else qualities}\n"


READS = "".join(record(f"read{i} 1:N:0:AC", "ACGTN"[: 1 + i % 5] * 20) for i in range(500)).encode()


def written(tmp_path: Path, content: bytes, name: str = "a.fq.gz") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def said(path: Path, whole: bool = True) -> list[str]:
    return [str(problem).replace(str(path), path.name) for problem in check_fastq(path, whole)]


def bgzip(data: bytes, size: int = 1000) -> bytes:
    """Gzip of many members, as bgzip and concatenation make it."""
    return b"".join(gzip.compress(data[i : i + size]) for i in range(0, len(data), size))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (READS, "a.fastq"),
        (gzip.compress(READS), "a.fastq.gz"),
        (gzip.compress(READS), "a.fastq"),
        (bgzip(READS), "a.fq.gz"),
        (bgzip(READS, 7), "a.fq.gz"),
        (gzip.compress(READS) + gzip.compress(b""), "a.fq.gz"),
        (gzip.compress(READS) + b"\0" * 512, "a.fq.gz"),
        (gzip.compress(READS[:4000]) + b"\0" * 300_000 + gzip.compress(READS[4000:]), "a.fq.gz"),
        (gzip.compress(READS.rstrip(b"\n")), "a.fq.gz"),
        (READS.rstrip(b"\n"), "a.fq"),
        (READS + b"\n\n", "a.fq"),
    ],
    ids=[
        "plain",
        "gzip",
        "gzip with a plain name",
        "many members",
        "tiny members",
        "empty member at the end",
        "padding at the end",
        "padding between",
        "gzip without last line break",
        "plain without last line break",
        "blank lines at the end",
    ],
)
def test_good_files_in_every_form(tmp_path: Path, content: bytes, name: str) -> None:
    path = written(tmp_path, content, name)
    seen = inspect_fastq(path)
    names = {i: f"read{i}" for i in range(500)}
    assert seen == Fastq(str(path), (), b"\n".join(READS.split(b"\n")[:4]), 500, len(content), names)
    quick = inspect_fastq(path, whole=False)
    assert quick == Fastq(str(path), (), seen.record, None, len(content), {0: "read0"})
    assert (seen.name, seen.mate) == ("read0", 1)


@pytest.mark.parametrize("text", ["@r\n\n+\n\n", "@r\nAC.T\n+r\n!!!!\n", "@r\nacgtn\n+\n@@@@@\n", "@r\nRYKM\n+\n~~~~"])
def test_unusual_but_good_records(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text.encode(), "a.fq")
    assert said(path) == []
    assert inspect_fastq(path).reads == 1
    assert said(path, whole=False) == []


def test_long_reads_across_blocks(tmp_path: Path) -> None:
    text = "".join(record(f"r{i}", "ACGT" * length) for i, length in enumerate((1, 400_000, 7, 600_000, 2)))
    for name, content in (("a.fq", text.encode()), ("a.fq.gz", gzip.compress(text.encode(), 1))):
        assert inspect_fastq(written(tmp_path, content, name)).reads == 5
        assert said(tmp_path / name, whole=False) == []


NOT_FASTQ = "give a FASTQ file with four lines for each read"
AGAIN = "copy or download it again"
NO_READS = "copy it again if it should; else go on: a sample without reads is flagged"


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.fq.gz", "a.fq.gz: the file is empty (0 bytes); copy it again, or remove the row"),
        (b"", "a.fq", "a.fq: the file is empty (0 bytes); copy it again, or remove the row"),
        (gzip.compress(b""), "a.fq.gz", f"a.fq.gz: the file holds no reads; {NO_READS}"),
        (READS, "a.fq.gz", "a.fq.gz: not gzip though its name ends in .gz; compress it with gzip, or rename it"),
        (bz2.compress(READS), "a.fq.bz2", "a.fq.bz2: the file is compressed with bzip2; compress it with gzip"),
        (bz2.compress(READS), "a.fq.gz", "a.fq.gz: the file is compressed with bzip2; compress it with gzip"),
        (lzma.compress(READS), "a.fq.xz", "a.fq.xz: the file is compressed with xz; compress it with gzip"),
        (b"\x28\xb5\x2f\xfd1234", "a.zst", "a.zst: the file is compressed with zstd; compress it with gzip"),
        (b"PK\x03\x04", "a.zip", "a.zip: the file is a zip archive; unpack it and compress it with gzip"),
        (b"NCBI.sra\x05", "a.sra", "a.sra: the file is an SRA archive; convert it with fasterq-dump"),
        (
            gzip.compress(b"BAM\x01" + b"\0" * 99),
            "a.bam",
            "a.bam: the file is a BAM file; convert it with samtools fastq",
        ),
        (b">r1\nACGT\n", "a.fa", "a.fa: the file is FASTA, not FASTQ; give reads with qualities"),
        (
            gzip.compress(b">r1\nACGT\n"),
            "a.fa.gz",
            "a.fa.gz: the file is FASTA, not FASTQ; give reads with qualities",
        ),
        (b"<!DOCTYPE html>", "a.fq.gz", "a.fq.gz: the file is a web page or XML; download the file again"),
        (
            b"sample\tsubject\n",
            "a.fq",
            rf"a.fq:1: not FASTQ: a record begins with 'sample\tsubject', not with @; {NOT_FASTQ}",
        ),
        (b"@r\nAC GT\n+\nIIIII\n", "a.fq", "a.fq:2: not FASTQ: 'AC GT' is not a sequence; give a FASTQ file"),
        (b"@r\r\nACGT\r\n+\r\nIIII\r\n", "a.fq", "a.fq:1: lines end in CR LF (Windows); convert it with dos2unix"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 9 else "",
)
def test_broken_at_the_start(tmp_path: Path, content: bytes, name: str, message: str) -> None:
    path = written(tmp_path, content, name)
    assert said(path) == [message]
    assert said(path, whole=False) == [message], "a glance is enough"


CUT = gzip.compress(READS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CUT[:-1], f"a.fq.gz: truncated gzip: the file ends in the middle; {AGAIN}"),
        (CUT[:-8], f"a.fq.gz: truncated gzip: the file ends in the middle; {AGAIN}"),
        (CUT[: len(CUT) // 2], f"a.fq.gz: truncated gzip: the file ends in the middle; {AGAIN}"),
        (bgzip(READS)[:-30], f"a.fq.gz: truncated gzip: the file ends in the middle; {AGAIN}"),
        (gzip.compress(READS) + CUT[:5], f"a.fq.gz: truncated gzip: the file ends in the middle; {AGAIN}"),
        (CUT[:-6] + b"\0" + CUT[-5:], f"a.fq.gz: damaged gzip: it cannot be inflated; {AGAIN}"),
        (CUT[:200] + b"damage" + CUT[206:], None),
        (CUT + b"more", f"a.fq.gz: something else follows the end of the gzip; {AGAIN}"),
        (
            gzip.compress(READS[: -len("IIII\n")]),
            "a.fq.gz:2000: a read has 100 bases and 96 qualities",
        ),
        (
            gzip.compress(READS + b"@last\nACGT\n+\n"),
            "a.fq.gz:2001: the last record is incomplete (3 of 4 lines); copy or download the file again",
        ),
        (
            gzip.compress(READS + b"@last\nAC"),
            "a.fq.gz:2001: the last record is incomplete (2 of 4 lines); copy or download the file again",
        ),
        (
            gzip.compress(READS + record("r", "ACGT", "III").encode() + READS),
            "a.fq.gz:2004: a read has 4 bases and 3 qualities; copy or download the file again",
        ),
        (
            gzip.compress(READS + b"r\nACGT\n+\nIIII\n" + READS),
            f"a.fq.gz:2001: not FASTQ: a record begins with 'r', not with @; {NOT_FASTQ}",
        ),
        (
            gzip.compress(READS + b"@r\nACGT\nACGT\n+\nIIII\nIIII\n" + READS),
            f"a.fq.gz:2003: not FASTQ: the third line of a record does not begin with +; {NOT_FASTQ}",
        ),
        (
            gzip.compress(READS + b"\n" + READS),
            f"a.fq.gz:2001: not FASTQ: a record begins with '', not with @; {NOT_FASTQ}",
        ),
    ],
    ids=[
        "last byte",
        "trailer",
        "half",
        "member",
        "second member",
        "checksum",
        "damage",
        "garbage",
        "qualities",
        "3 lines",
        "2 lines",
        "record",
        "no @",
        "wrapped",
        "blank line",
    ],
)
def test_broken_further_on(tmp_path: Path, content: bytes, message: str | None) -> None:
    path = written(tmp_path, content)
    (line,) = said(path)
    if message is None:
        assert line.startswith("a.fq.gz")
    else:
        assert line.startswith(message)
    assert inspect_fastq(path).reads is None
    # The first record is good; a small gzip may be inflated at once, and its damage be met all the same.
    assert said(path, whole=False) in ([], [line] if "damaged" in line else [])


def test_a_file_cut_within_its_first_record_is_found_at_a_glance(tmp_path: Path) -> None:
    assert said(written(tmp_path, gzip.compress(record().encode())[:-12]), whole=False) == [
        f"a.fq.gz: truncated gzip: the file ends in the middle; {AGAIN}"
    ]
    assert said(written(tmp_path, b"@r\nACGT\n", "a.fq"), whole=False) == [
        "a.fq:1: the last record is incomplete (2 of 4 lines); copy or download the file again"
    ]


def test_every_truncation_is_found(tmp_path: Path) -> None:
    content = gzip.compress(READS[:2000]) + gzip.compress(READS[2000:4001])
    boundary = len(gzip.compress(READS[:2000]))
    for length in range(len(content)):
        problems = said(written(tmp_path, content[:length]))
        # Between two members the gzip is whole: then it is the record that is not.
        assert len(problems) == 1, length
        assert ("truncated" in problems[0]) == (length not in (0, 1, boundary)), length


def test_what_is_no_file(tmp_path: Path) -> None:
    assert said(tmp_path / "no.fq") == ["no.fq: the file does not exist; correct the path"]
    (tmp_path / "x").write_text("x")
    assert said(tmp_path / "x" / "y.fq") == ["y.fq: the file does not exist; correct the path"]
    (tmp_path / "link.fq").symlink_to("gone.fq")
    assert said(tmp_path / "link.fq") == ["link.fq: the link points to nothing; correct the path"]
    assert said(tmp_path) == [f"{tmp_path.name}: a folder, not a file; name the FASTQ file"]
    os.mkfifo(tmp_path / "pipe.fq")
    assert said(tmp_path / "pipe.fq") == ["pipe.fq: not an ordinary file; write the reads to a file"]
    name = "x" * 300
    assert check_fastq(tmp_path / name)[0].message == "cannot be read (file name too long)"


def test_no_right_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read anything, so the refusal is played.
    def refuse(*_: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, READS, "a.fq")
    monkeypatch.setattr(Path, "open", refuse)
    assert said(path) == ["a.fq: cannot be read (permission denied); correct the path or its rights"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # 200 MB inflated from 1 MB: a reader that inflates a block without a bound would hold much of it.
    block = record("r", "A" * 5000).encode() * 1000
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    path = written(tmp_path, b"".join(packer.compress(block) for _ in range(20)) + packer.flush())
    tracemalloc.start()
    try:
        assert inspect_fastq(path).reads == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30e6


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for name, data in (("a.fq", content), ("b.fq", b"@r\n" + content), ("c.fq.gz", gzip.compress(content))):
        path = written(folder, data, name)
        whole = inspect_fastq(path)
        assert (whole.reads is None) == any(problem.level == "error" for problem in whole.problems)
        assert all("\n" not in str(problem) for problem in whole.problems)
        # A glance never finds what the whole reading does not.
        assert whole.problems or not inspect_fastq(path, whole=False).problems


_LINE = st.text("ACGTN", max_size=30)


@given(st.lists(st.tuples(st.text("abc/1 ", min_size=1, max_size=9), _LINE, st.booleans()), min_size=1, max_size=20))
def test_counts_equal_a_naive_reader(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str, bool]]
) -> None:
    text = "".join(record(name, bases, "I" * (len(bases) + wrong)) for name, bases, wrong in records)
    path = written(tmp_path_factory.mktemp("naive"), bgzip(text.encode(), 50))
    lines = text.split("\n")
    bad = [i for i in range(0, len(lines) - 1, 4) if len(lines[i + 1]) != len(lines[i + 3])]
    seen = inspect_fastq(path)
    if bad:
        assert seen.problems[0].line == bad[0] + 4
    else:
        assert seen.reads == len(records)


# --- pairs ----------------------------------------------------------------------------------------------------------


def pair(tmp_path: Path, first: str, second: str, reads: tuple[int, int] = (1, 1)) -> list[str]:
    files = []
    for name, header, number in (("1.fq", first, reads[0]), ("2.fq", second, reads[1])):
        files.append(inspect_fastq(written(tmp_path, record(header).encode() * number, name)))
        assert not files[-1].problems
    return [f"{p.level}: {p}".replace(files[1].path, "2.fq") for p in check_pair(*files)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("r1", "r1"),
        ("r1/1", "r1/2"),
        ("r1 1:N:0:ACGT", "r1 2:N:0:ACGT"),
        ("SRR1.1 1 length=100", "SRR1.1 1 length=100"),
        ("SRR1.1.1 1 length=100", "SRR1.1.2 1 length=100"),
        ("r1_1", "r1_2"),
        ("r1/1 x", "r1/2 y"),
    ],
)
def test_good_pairs(tmp_path: Path, first: str, second: str) -> None:
    assert pair(tmp_path, first, second) == []


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            "r1/1",
            "r2/2",
            "error: 2.fq: its first read is 'r2/2', that of fq1 is 'r1/1'; "
            "give the two files of one run, in the same order of reads",
        ),
        ("r1/1", "r1/1", "error: 2.fq: fq1 and fq2 both hold mates 1; name the file of the other mates"),
        ("r1 2:N:0:A", "r1 2:N:0:A", "error: 2.fq: fq1 and fq2 both hold mates 2; name the file of the other mates"),
        ("r1/2", "r1/1", "warning: 2.fq: fq1 holds mates 2 and fq2 mates 1; swap them"),
    ],
)
def test_bad_pairs(tmp_path: Path, first: str, second: str, message: str) -> None:
    assert pair(tmp_path, first, second) == [message]


def test_numbers_of_mates_must_agree(tmp_path: Path) -> None:
    assert pair(tmp_path, "r/1", "r/2", (10, 9)) == [
        "error: 2.fq: it has 9 reads, fq1 has 10; copy both files again: mates must correspond"
    ]
    quick = [inspect_fastq(tmp_path / name, whole=False) for name in ("1.fq", "2.fq")]
    assert check_pair(*quick) == [], "reads are counted only when the whole file is read"


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("reads", "message"),
    [((0, 3), "it holds reads, fq1 none"), ((3, 0), "it holds no reads, fq1 does"), ((0, 0), None)],
)
def test_one_of_two_mates_without_reads(
    tmp_path: Path, whole: bool, reads: tuple[int, int], message: str | None
) -> None:
    files = [
        written(tmp_path, gzip.compress(record().encode() * number), f"{number}.{i}") for i, number in enumerate(reads)
    ]
    found = check_pair(*(inspect_fastq(path, whole) for path in files))
    assert [problem.message for problem in found] == ([message] if message else [])


@pytest.mark.parametrize("number", [3, 4000, 9001])
def test_the_order_of_mates_is_compared_further_on(tmp_path: Path, number: int) -> None:
    names = [f"r{i}" for i in range(20_000)]
    first = written(tmp_path, "".join(record(f"{name}/1") for name in names).encode(), "1.fq")
    good = written(tmp_path, "".join(record(f"{name}/2") for name in names).encode(), "2.fq")
    assert check_pair(inspect_fastq(first), inspect_fastq(good)) == []
    # As when one read was taken out of one file here, and another one at its end.
    del names[number]
    bad = written(tmp_path, "".join(record(f"{name}/2") for name in [*names, "x"]).encode(), "2.fq")
    (problem,) = check_pair(inspect_fastq(first), inspect_fastq(bad))
    at = int(problem.message.split()[2].removesuffix(",")) - 1
    # Of so many reads, every eighth is kept.
    assert number <= at < number + 8
    assert problem.message == f"its read {at + 1} is 'r{at + 1}/2', that of fq1 is 'r{at}/1'"


@pytest.mark.parametrize(
    ("headers", "interleaved"),
    [
        (("r1/1", "r1/2"), True),
        (("r1 1:N:0:A", "r1 2:N:0:A"), True),
        (("r1", "r1"), True),
        (("r1/1", "r2/1"), False),
        (("SRR1.1 1", "SRR1.2 2"), False),
        (("r1/1",), False),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_interleaved_mates(tmp_path: Path, headers: tuple[str, ...], interleaved: bool, whole: bool) -> None:
    path = written(tmp_path, "".join(map(record, headers)).encode(), "a.fq")
    assert inspect_fastq(path, whole).interleaved is interleaved
