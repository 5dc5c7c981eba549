"""Allele counts from alignments, against a naive count base by base; and the file that holds them."""

from __future__ import annotations

import bz2
import gzip
import pickle
import re
import zlib
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.strains.alignment import opened
from microbiome.strains.allele_file import CladeAlleles, check_mixable, open_alleles, write_alleles
from microbiome.strains.alleles import AlleleSettings, alleles
from microbiome.strains.markers import read_markers

INDEX = "mpa_vTest_CHOCOPhlAnSGB_202601"
MARKERS = {"UniRef90_B|1__1|SGB7": 90, "UniRef90_A|1__2|SGB7": 120, "UniRef90_C|1__1|SGB8_group": 100}
BASES = "ACGT"


def sequence_of(name: str) -> str:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return "".join(BASES[i] for i in rng.integers(0, 4, MARKERS[name]))


def md_of(query: str, target: str) -> str:
    """MD tag of an alignment without insertions or deletions, written as its definition says."""
    text, run = "", 0
    for one, other in zip(query, target, strict=True):
        if one == other:
            run += 1
        else:
            text, run = f"{text}{run}{other}", 0
    return f"{text}{run}"


def sam(reads: list[tuple[str, int, str, str, int]], index: str = INDEX, md: bool = True) -> str:
    """SAM text of reads: marker, position (0-based), bases, qualities, mapping quality."""
    lines = ["@HD\tVN:1.5", f"@CO\tindex:{index}"]
    lines += [f"@SQ\tSN:{name}\tLN:{length}" for name, length in MARKERS.items()]
    for i, (name, position, bases, quality, mapq) in enumerate(reads):
        target = sequence_of(name)[position : position + len(bases)]
        wrong = sum(a != b for a, b in zip(bases, target, strict=True))
        tags = f"\tNM:i:{wrong}" + (f"\tMD:Z:{md_of(bases, target)}" if md else "")
        lines.append(f"r{i}\t0\t{name}\t{position + 1}\t{mapq}\t{len(bases)}M\t*\t0\t0\t{bases}\t{quality}{tags}")
    return "\n".join(lines) + "\n"


def naive(reads: list[tuple[str, int, str, str, int]], chosen: AlleleSettings) -> dict[str, np.ndarray]:
    """Counts clade -> position x base, one base at a time."""
    found = {name: np.zeros((length, 4), dtype=int) for name, length in MARKERS.items()}
    for name, position, bases, quality, mapq in reads:
        target = sequence_of(name)
        wrong = sum(base != target[position + i] for i, base in enumerate(bases))
        if mapq < chosen.min_mapq or len(bases) < chosen.min_length:
            continue
        if wrong > (1 - chosen.min_identity) * len(bases):
            continue
        for i, base in enumerate(bases):
            at = position + i
            inside = chosen.edge <= at < MARKERS[name] - chosen.edge
            if inside and ord(quality[i]) - 33 >= chosen.min_base_quality and base in BASES:
                found[name][at, BASES.index(base)] += 1
    seven = sorted(name for name in MARKERS if name.endswith("SGB7"))
    return {
        "t__SGB7": np.concatenate([found[name] for name in seven]),
        "t__SGB8_group": found["UniRef90_C|1__1|SGB8_group"],
    }


def counts_of(path: Path) -> dict[str, np.ndarray]:
    """Position x base of an allele file; the base of the marker is put back from the sequences."""
    seven = "".join(sequence_of(name) for name in sorted(MARKERS) if name.endswith("SGB7"))
    target = {"t__SGB7": seven, "t__SGB8_group": sequence_of("UniRef90_C|1__1|SGB8_group")}
    found = {}
    for taxon, clade in open_alleles(path).read().items():
        counts = np.zeros((len(clade.depth), 4), dtype=int)
        counts[clade.position, clade.base] = clade.count
        own = [BASES.index(base) for base in target[taxon]]
        assert not counts[np.arange(len(own)), own].any()
        counts[np.arange(len(own)), own] = clade.depth - counts.sum(axis=1)
        found[taxon] = counts
    return found


@st.composite
def some_reads(draw: st.DrawFn) -> list[tuple[str, int, str, str, int]]:
    reads = []
    for _ in range(draw(st.integers(0, 12))):
        name = draw(st.sampled_from(sorted(MARKERS)))
        length = draw(st.integers(20, 60))
        position = draw(st.integers(0, MARKERS[name] - length))
        bases = list(sequence_of(name)[position : position + length])
        for at in draw(st.lists(st.integers(0, length - 1), max_size=5)):
            bases[at] = draw(st.sampled_from("ACGTN"))
        quality = "".join(draw(st.sampled_from("#5:F")) for _ in range(length))
        reads.append((name, position, "".join(bases), quality, draw(st.sampled_from([0, 9, 10, 42]))))
    return reads


@settings(max_examples=60, deadline=None)
@given(reads=some_reads(), quality=st.sampled_from([0, 20, 30]), edge=st.sampled_from([0, 10]))
def test_counts_equal_a_naive_count(tmp_path_factory: pytest.TempPathFactory, reads, quality, edge) -> None:
    folder = tmp_path_factory.mktemp("sam")
    (folder / "S1.sam.bz2").write_bytes(bz2.compress(sam(reads).encode()))
    chosen = AlleleSettings(min_base_quality=quality, edge=edge, min_length=30, min_breadth=0.0)
    alleles(folder / "S1.sam.bz2", folder / "S1.alleles", settings=chosen)
    expected = {taxon: counts for taxon, counts in naive(reads, chosen).items() if counts.any()}
    found = counts_of(folder / "S1.alleles")
    assert found.keys() == expected.keys()
    for taxon, counts in expected.items():
        np.testing.assert_array_equal(found[taxon], counts)


def read_of(name: str, position: int, length: int, change: int | None = None) -> tuple[str, int, str, str, int]:
    bases = list(sequence_of(name)[position : position + length])
    if change is not None:
        bases[change] = BASES[(BASES.index(bases[change]) + 1) % 4]
    return name, position, "".join(bases), "F" * length, 42


READS = [read_of("UniRef90_A|1__2|SGB7", 10, 80), read_of("UniRef90_A|1__2|SGB7", 20, 80, change=30)]


def test_plain_gzip_bzip2_and_bam_give_the_same(tmp_path: Path) -> None:
    text = sam(READS)
    (tmp_path / "a.sam").write_text(text)
    (tmp_path / "a.sam.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "a.sam.bz2").write_bytes(bz2.compress(text.encode()))
    with (
        pysam.AlignmentFile(str(tmp_path / "a.sam")) as source,
        pysam.AlignmentFile(str(tmp_path / "a.bam"), "wb", template=source) as target,
    ):
        for read in source:
            target.write(read)
    written = []
    for name in ("a.sam", "a.sam.gz", "a.sam.bz2", "a.bam"):
        alleles(tmp_path / name, tmp_path / "out")
        assert open_alleles(tmp_path / "out").sample == "a"
        written.append((tmp_path / "out").read_bytes())
    assert len(set(written)) == 1


def test_inserted_and_deleted_bases(tmp_path: Path) -> None:
    name = "UniRef90_A|1__2|SGB7"
    target = sequence_of(name)
    # 30 bases, one inserted, 20 bases, two deleted, 20 bases.
    bases = target[20:50] + "A" + target[50:70] + target[72:92]
    lines = sam([]).splitlines()
    lines.append(
        f"r\t0\t{name}\t21\t42\t30M1I20M2D20M\t*\t0\t0\t{bases}\t{'F' * 71}\tNM:i:3\tMD:Z:50^{target[70:72]}20"
    )
    (tmp_path / "a.sam").write_text("\n".join(lines) + "\n")
    alleles(tmp_path / "a.sam", tmp_path / "a.alleles")
    depth = open_alleles(tmp_path / "a.alleles").read()["t__SGB7"].depth
    covered = np.flatnonzero(depth)
    # A comes first in the order of names.
    assert covered.tolist() == [*range(20, 70), *range(72, 92)]


def test_database_says_what_belongs_where(tmp_path: Path) -> None:
    (tmp_path / "a.sam").write_text(sam(READS))
    rows = {n: {"clade": "t__SGB9" if "|1__2|" in n else "t__SGB8", "len": length} for n, length in MARKERS.items()}
    content = {"markers": rows, "taxonomy": {}, "merged_taxon": {}}
    (tmp_path / f"{INDEX}.pkl").write_bytes(bz2.compress(pickle.dumps(content)))
    alleles(tmp_path / "a.sam", tmp_path / "a.alleles", tmp_path / f"{INDEX}.pkl")
    assert open_alleles(tmp_path / "a.alleles").taxa == ["t__SGB9"]
    other = tmp_path / "mpa_vOther.pkl"
    other.write_bytes(bz2.compress(pickle.dumps(content)))
    with pytest.raises(InputError, match=r"aligned to mpa_vTest.*but --database is mpa_vOther"):
        alleles(tmp_path / "a.sam", tmp_path / "a.alleles", other)
    rows["UniRef90_B|1__1|SGB7"]["len"] = 91
    (tmp_path / f"{INDEX}.pkl").write_bytes(bz2.compress(pickle.dumps(content)))
    with pytest.raises(InputError, match="of another length in the database, such as UniRef90_B"):
        alleles(tmp_path / "a.sam", tmp_path / "a.alleles", tmp_path / f"{INDEX}.pkl")


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_database_may_hold_sets_and_numbers_of_numpy(tmp_path: Path, protocol: int) -> None:
    rows = {n: {"clade": "t__SGB7", "len": np.int64(length), "ext": {"SGB1"}} for n, length in MARKERS.items()}
    content = OrderedDict(markers=defaultdict(dict, rows), merged_taxon=frozenset("a"))
    (tmp_path / "mpa.pkl").write_bytes(bz2.compress(pickle.dumps(content, protocol)))
    assert read_markers(tmp_path / "mpa.pkl").length == MARKERS


def test_a_pickle_cannot_run_code(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harm",))

    (tmp_path / "mpa.pkl").write_bytes(bz2.compress(pickle.dumps({"markers": Harmful()})))
    with pytest.raises(InputError, match="not the pickle of a MetaPhlAn database"):
        read_markers(tmp_path / "mpa.pkl")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: re.sub("\tMD:Z:[^\n]*", "", text), "no MD tag; add it with `samtools calmd`"),
        (lambda text: text.replace("@CO\tindex:" + INDEX + "\n", ""), "does not name the database"),
        (lambda text: re.sub("@SQ[^\n]*\n", "", text), "no @SQ lines"),
        (lambda text: "what is this\n", "cannot be read|not an alignment|no @SQ lines"),
    ],
)
def test_alignments_that_cannot_be_used(tmp_path: Path, spoil, message: str) -> None:
    (tmp_path / "a.sam").write_text(spoil(sam(READS)))
    with pytest.raises(InputError, match=message):
        alleles(tmp_path / "a.sam", tmp_path / "a.alleles")
    assert not (tmp_path / "a.alleles").exists()


def test_an_alignment_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    reads = [read_of("UniRef90_A|1__2|SGB7", 10 + i % 20, 60, i % 60) for i in range(3000)]
    data = bz2.compress(sam(reads).encode())
    (tmp_path / "a.sam.bz2").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"truncated or corrupt|cannot be read to its end|not an alignment"):
        alleles(tmp_path / "a.sam.bz2", tmp_path / "a.alleles")
    assert not (tmp_path / "a.alleles").exists()


@pytest.mark.parametrize("kind", ["bam", "sam.gz"])
def test_a_compressed_alignment_that_is_cut_off_is_refused(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = sam([read_of("UniRef90_A|1__2|SGB7", 10 + i % 20, 60, i % 60) for i in range(3000)])
    (tmp_path / "a.sam").write_text(text)
    with (
        pysam.AlignmentFile(str(tmp_path / "a.sam")) as source,
        pysam.AlignmentFile(str(tmp_path / "a.bam"), "wb", template=source) as target,
    ):
        for read in source:
            target.write(read)
    (tmp_path / "a.sam.gz").write_bytes(gzip.compress(text.encode()))
    data = (tmp_path / f"a.{kind}").read_bytes()
    cut, out = tmp_path / f"cut.{kind}", tmp_path / "a.alleles"
    for part in (len(data) // 2, len(data) - 20):
        cut.write_bytes(data[:part])
        assert main(["strains", "alleles", "--alignment", str(cut), "-o", str(out)]) == 2
        told = capsys.readouterr().err.strip()
        assert re.fullmatch(
            rf"error: .*cut\.{re.escape(kind)}: .*(cut off|cannot be read to its end).*make it again", told
        )
        assert not out.exists()


def test_what_is_no_alignment_at_all_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.bam").write_bytes(bytes(range(256)) * 20)
    arguments = ["strains", "alleles", "--alignment", str(tmp_path / "a.bam"), "-o", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_mistake_of_the_program_is_not_told_as_one_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.sam").write_text(sam(READS))
    with pytest.raises(ValueError, match="of the program"), opened(tmp_path / "a.sam"):
        raise ValueError("a mistake of the program")


def test_an_alignment_without_reads_gives_a_file_without_clades(tmp_path: Path) -> None:
    (tmp_path / "a.sam").write_text(sam([]))
    assert alleles(tmp_path / "a.sam", tmp_path / "a.alleles") == 0
    assert open_alleles(tmp_path / "a.alleles").taxa == []


def test_the_alignment_of_a_sample_with_too_few_reads_goes_with_any_of_its_database(tmp_path: Path) -> None:
    """The workflow writes a header without markers for a sample that was not profiled."""
    (tmp_path / "few.sam.bz2").write_bytes(bz2.compress(f"@HD\tVN:1.5\n@CO\tindex:{INDEX}\n".encode()))
    (tmp_path / "a.sam").write_text(sam(READS))
    assert alleles(tmp_path / "few.sam.bz2", tmp_path / "few.alleles") == 0
    alleles(tmp_path / "a.sam", tmp_path / "a.alleles")
    files = [open_alleles(tmp_path / "few.alleles"), open_alleles(tmp_path / "a.alleles")]
    check_mixable(files)
    check_mixable(files[::-1])
    other = tmp_path / "other.alleles"
    write_alleles(other, "T", "mpa_vOther", "", {}, {}, {})
    with pytest.raises(InputError, match="made with database mpa_vOther"):
        check_mixable([*files, open_alleles(other)])


def a_clade(rng: np.random.Generator, size: int) -> CladeAlleles:
    depth = rng.integers(0, 65536, size).astype(np.uint16)
    number = int(rng.integers(0, size))
    key = np.sort(rng.choice(size * 4, number, replace=False))
    count = rng.integers(1, 65536, number).astype(np.uint16)
    return CladeAlleles(depth, (key // 4).astype(np.int32), (key % 4).astype(np.uint8), count)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 400), max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, seed: int, sizes: list[int]) -> None:
    path = tmp_path_factory.mktemp("alleles") / "a"
    rng = np.random.default_rng(seed)
    clades = {f"t__SGB{i}": a_clade(rng, size) for i, size in enumerate(sizes)}
    write_alleles(path, "S", INDEX, "ab", {"edge": 3}, {t: [len(c.depth)] for t, c in clades.items()}, clades)
    opened = open_alleles(path)
    assert (opened.sample, opened.database, opened.settings, opened.taxa) == ("S", INDEX, {"edge": 3}, list(clades))
    for taxon, clade in opened.read().items():
        for name in ("depth", "position", "base", "count"):
            np.testing.assert_array_equal(getattr(clade, name), getattr(clades[taxon], name))


def written(path: Path, sample: str = "S", database: str = INDEX, checksum: str = "ab", edge: int = 3) -> Path:
    clade = a_clade(np.random.default_rng(1), 300)
    write_alleles(path, sample, database, checksum, {"edge": edge}, {"t__SGB1": [300]}, {"t__SGB1": clade})
    return path


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, 10_000), value=st.integers(1, 255))
def test_every_damaged_byte_is_noticed(tmp_path_factory: pytest.TempPathFactory, at: int, value: int) -> None:
    path = written(tmp_path_factory.mktemp("alleles") / "a")
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= value
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"damaged|no allele file|cut off|version|cannot be read"):
        open_alleles(path).read()


def test_a_file_that_is_cut_off_or_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    data = path.read_bytes()
    path.write_bytes(data[:-5])
    with pytest.raises(InputError, match=r"cut off: \d+ of \d+ bytes; make it again with `microbiome strains alleles`"):
        open_alleles(path)
    head = zlib.decompress(data[12 : 12 + int.from_bytes(data[8:12], "little")])
    later = zlib.compress(head.replace(b'"version": 1', b'"version": 2'))
    path.write_bytes(data[:8] + len(later).to_bytes(4, "little") + later)
    with pytest.raises(InputError, match="version 2 of the format, this is 1"):
        open_alleles(path)


def test_files_that_must_not_be_mixed(tmp_path: Path) -> None:
    files = [
        open_alleles(written(tmp_path / "a")),
        open_alleles(written(tmp_path / "b")),
        open_alleles(written(tmp_path / "c", "T", database="mpa_vOther")),
        open_alleles(written(tmp_path / "d", "U", checksum="cd")),
        open_alleles(written(tmp_path / "e", "V", edge=5)),
    ]
    with pytest.raises(InputError) as caught:
        check_mixable(files)
    text = [str(problem) for problem in caught.value.problems]
    assert len(text) == 4
    assert "sample S is in" in text[0]
    assert "made with database mpa_vOther" in text[1]
    assert "with other markers" in text[2]
    assert "edge 5 and 3" in text[3]


def test_the_command_names_file_and_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.sam").write_text(sam(READS))
    out = tmp_path / "a.alleles"
    assert main(["strains", "alleles", "--alignment", str(tmp_path / "a.sam"), "-o", str(out)]) == 0
    assert main(["strains", "alleles", "--alignment", str(tmp_path / "b.sam"), "-o", str(out)]) == 2
    assert "b.sam: the file does not exist; correct the path" in capsys.readouterr().err
    arguments = ["strains", "alleles", "--alignment", str(tmp_path / "a.sam"), "--edge", "-1", "-o", str(out)]
    assert main(arguments) == 2
    assert "edge -1 is not possible; give 0 or more" in capsys.readouterr().err
    written(tmp_path / "c", "T", database="mpa_vOther")
    assert main(["strains", "distances", "--alleles", str(out), str(tmp_path / "c")]) == 2
    assert "made with database mpa_vOther" in capsys.readouterr().err
