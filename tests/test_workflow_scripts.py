"""The scripts of the workflow by themselves, without the tools they call."""

from __future__ import annotations

import argparse
import bz2
import gzip
import hashlib
import io
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from plain_tables import rows_of
from tool_runs import how_it_ended
from workflow_scripts import load

from microbiome.metaphlan import read_abundance, read_metaphlan


def test_cells_of_a_table_are_taken_as_they_stand(tmp_path: Path) -> None:
    """A file may be called anything that a table can hold."""
    names = ['"a b.fastq.gz', 'a "b" c', "a\u2028b", "a\x85b\x1cc", ""]
    lines = ["file\treads", *(f"{name}\t{number}" for number, name in enumerate(names))]
    path = tmp_path / "table.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert rows_of(path) == [{"file": name, "reads": str(number)} for number, name in enumerate(names)]
    path.write_text("file\treads\n", encoding="utf-8")
    assert rows_of(path) == []


def fastq(names: list[str], length: int = 80) -> bytes:
    return "".join(
        f"@{name}\n{'ACGT' * 50}"[: len(name) + 2 + length] + f"\n+\n{'I' * length}\n" for name in names
    ).encode()


class TestMergeUnits:
    @pytest.fixture
    def module(self, repository: Path) -> ModuleType:
        return load(repository, "merge_units")

    def merge(
        self,
        module: ModuleType,
        folder: Path,
        first: list[bytes],
        second: list[bytes],
        capsys: pytest.CaptureFixture[str],
    ) -> str:
        words = ["--sample", "S", "--units", *(f"L{i}" for i in range(len(first)))]
        for option, units in (("--fq1", first), ("--fq2", second)):
            files = [folder / f"{option[2:]}_{i}" for i in range(len(units))]
            for path, data in zip(files, units, strict=True):
                path.write_bytes(data)
            words += [option, *map(str, files)] if files else []
        words += ["--out1", str(folder / "out1.gz"), "--table", str(folder / "table.tsv")]
        words += ["--out2", str(folder / "out2.gz")] if second else []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["merge_units.py", *words])
            code = module.main()
        error = capsys.readouterr().err
        assert (code == 0) == (error == "")
        return error

    def test_units_are_joined_in_order(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = [
            gzip.compress(fastq(["a", "b"])),
            fastq(["c"]),
            gzip.compress(fastq(["d"])) + gzip.compress(fastq(["e"])),
        ]
        second = [gzip.compress(fastq(["a/2", "b/2"])), fastq(["c/2"]), gzip.compress(fastq(["d/2", "e/2"]))]
        assert self.merge(module, tmp_path, first, second, capsys) == ""
        assert gzip.decompress((tmp_path / "out1.gz").read_bytes()) == fastq(["a", "b", "c", "d", "e"])
        assert gzip.decompress((tmp_path / "out2.gz").read_bytes()) == fastq(["a/2", "b/2", "c/2", "d/2", "e/2"])
        header, *rows = [line.split("\t") for line in (tmp_path / "table.tsv").read_text().splitlines()]
        assert header == ["sample", "unit", "mate", "file", "bytes", "sha256", "reads"]
        assert [(row[1], row[2], row[6]) for row in rows] == [
            (f"L{i}", mate, reads) for i, reads in enumerate(["2", "1", "2"]) for mate in "12"
        ]
        assert rows[2][4:6] == [str(len(first[1])), hashlib.sha256(first[1]).hexdigest()]

    def test_one_gzip_unit_is_not_copied(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.merge(module, tmp_path, [gzip.compress(fastq(["a"]))], [], capsys) == ""
        assert (tmp_path / "out1.gz").resolve() == (tmp_path / "fq1_0").resolve()

    def test_one_plain_unit_is_compressed(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.merge(module, tmp_path, [fastq(["a", "b"])], [], capsys) == ""
        assert gzip.decompress((tmp_path / "out1.gz").read_bytes()) == fastq(["a", "b"])

    def test_a_missing_last_newline_does_not_glue_records(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert (
            self.merge(module, tmp_path, [gzip.compress(fastq(["a"])[:-1]), gzip.compress(fastq(["b"]))], [], capsys)
            == ""
        )
        assert gzip.decompress((tmp_path / "out1.gz").read_bytes()) == fastq(["a", "b"])

    def test_zeros_after_the_last_member_are_passed_over(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.merge(module, tmp_path, [gzip.compress(fastq(["a"])) + bytes(512)], [], capsys) == ""

    @pytest.mark.parametrize("cut", [1, 8, 9, 300])
    def test_truncated_gzip(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: int
    ) -> None:
        data = gzip.compress(b"".join(fastq([hashlib.sha256(bytes([i])).hexdigest()]) for i in range(200)))
        error = self.merge(module, tmp_path, [data[:-cut]], [], capsys)
        assert error.startswith(f"error: sample S: {tmp_path}/fq1_0: truncated gzip file: it ends after")

    def test_truncated_second_member(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = gzip.compress(fastq(["a"])) + gzip.compress(fastq(["b"]))[:-3]
        assert "truncated gzip file: it ends after 2 reads" in self.merge(module, tmp_path, [data], [], capsys)

    def test_corrupt_gzip(self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = bytearray(gzip.compress(fastq(["a"] * 50)))
        data[-6] ^= 1  # the checksum of the content
        assert "corrupt gzip file" in self.merge(module, tmp_path, [bytes(data)], [], capsys)

    def test_garbage_after_gzip(self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = gzip.compress(fastq(["a"])) + b"@b\nACGT"
        assert "something else follows the end of the gzip" in self.merge(module, tmp_path, [data], [], capsys)

    def test_record_cut_off(self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = fastq(["a", "b"]).rsplit(b"\n+", 1)[0]
        assert "6 lines, not a multiple of 4" in self.merge(module, tmp_path, [data], [], capsys)

    def test_not_fastq(self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "not FASTQ: the first byte is b'>'" in self.merge(module, tmp_path, [b">a\nACGT\n"], [], capsys)

    def test_mates_of_different_number(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        error = self.merge(
            module, tmp_path, [fastq(["a", "b"]), fastq(["c"])], [fastq(["a", "b"]), fastq(["c", "d"])], capsys
        )
        assert f"{tmp_path}/fq1_1 has 1 reads, {tmp_path}/fq2_1 has 2" in error

    def test_mates_in_another_order(
        self,
        module: ModuleType,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Headers are found wherever the pieces of the text begin and end."""
        monkeypatch.setattr(module, "STRIDE", 3)
        monkeypatch.setattr(module, "MOST_NAMES", 20)
        names = [f"read{i}" for i in range(40)]
        first, second = (fastq([f"{name}/{mate}" for name in names]) for mate in (1, 2))
        swapped = fastq([f"{name}/2" for name in [*names[:24], names[25], names[24], *names[26:]]])
        for chunk in (1 << 20, 100, 7):
            monkeypatch.setattr(module, "CHUNK", chunk)
            for pack in (bytes, gzip.compress):
                assert self.merge(module, tmp_path, [pack(first)], [pack(second)], capsys) == ""
        monkeypatch.setattr(module, "CHUNK", 1000)
        said = self.merge(module, tmp_path, [first], [swapped], capsys).replace(f"{tmp_path}/", "")
        assert said.startswith("error: sample S: read 25 is 'read24' in fq1_0 and 'read25' in fq2_0: give both mates")

    def test_missing_file(self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        words = [
            "--sample",
            "S",
            "--units",
            "L1",
            "--fq1",
            "absent",
            "--out1",
            str(tmp_path / "o"),
            "--table",
            str(tmp_path / "t"),
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["merge_units.py", *words])
            assert module.main() == 1
        assert "absent" in capsys.readouterr().err


class TestRemoveHost:
    @pytest.fixture
    def module(self, repository: Path) -> ModuleType:
        return load(repository, "remove_host")

    @staticmethod
    def sam(*flags: int) -> list[bytes]:
        return [
            f"r{i // 2}\t{flag}\t*\t0\t0\t*\t*\t0\t0\tACGT{i}\tIIII{i}\tYT:Z:UP\n".encode()
            for i, flag in enumerate(flags)
        ]

    def test_a_pair_goes_when_either_mate_maps(self, module: ModuleType) -> None:
        # Flags of both mates: neither maps; both map; the first alone; the second alone; neither maps.
        pairs = [(77, 141), (99, 147), (73, 133), (69, 137), (77, 141)]
        out = io.BytesIO()
        assert module.keep_unmapped(self.sam(*(flag for pair in pairs for flag in pair)), True, out) == (10, 4)
        assert out.getvalue().decode().split("\n")[::4] == ["@r0", "@r0", "@r4", "@r4", ""]
        assert out.getvalue().startswith(b"@r0\nACGT0\n+\nIIII0\n@r0\nACGT1\n+\nIIII1\n")

    def test_single_reads(self, module: ModuleType) -> None:
        out = io.BytesIO()
        assert module.keep_unmapped(self.sam(4, 0, 16, 4), False, out) == (4, 2)
        assert out.getvalue() == b"@r0\nACGT0\n+\nIIII0\n@r1\nACGT3\n+\nIIII3\n"


class TestProfileSample:
    @pytest.fixture
    def module(self, repository: Path) -> ModuleType:
        return load(repository, "profile_sample")

    @staticmethod
    def arguments(folder: Path, *extra: str) -> argparse.Namespace:
        return argparse.Namespace(
            sample="007",
            reads=[Path("R1.fastq.gz"), Path("R2.fastq.gz")],
            database=Path("db"),
            index="mpa_vTest_1",
            threads=3,
            profile=folder / "007_profile.tsv",
            sam=folder / "007.sam.bz2",
            extra=list(extra),
        )

    @pytest.mark.parametrize(
        ("lengths", "enough", "expected"),
        [([70, 69, 100], 1, (3, 1)), ([70, 70], 5, (2, 2)), ([69] * 3, 1, (3, 0)), ([], 1, (0, 0))],
    )
    def test_counting(
        self, module: ModuleType, tmp_path: Path, lengths: list[int], enough: int, expected: tuple[int, int]
    ) -> None:
        path = tmp_path / "r.fastq.gz"
        path.write_bytes(gzip.compress(b"".join(fastq(["r"], length) for length in lengths)))
        assert module.count_reads(path, enough) == expected

    def test_options_of_metaphlan_4_2(self, module: ModuleType, tmp_path: Path) -> None:
        words = module.command_line(self.arguments(tmp_path, "--min_mapq_val", "5"), "4.2.5", tmp_path / "m.bz2")
        text = " ".join(words)
        assert text.startswith(
            "metaphlan R1.fastq.gz,R2.fastq.gz --input_type fastq --db_dir db -x mpa_vTest_1 --offline --mapout "
        )
        assert "-t rel_ab_w_read_stats --sample_id 007" in text
        assert "--unclassified_estimation" not in words
        assert text.endswith("--min_mapq_val 5")

    @pytest.mark.parametrize("version", ["4.1.1", "4.0.6", "4.1"])
    def test_options_of_metaphlan_4_1(self, module: ModuleType, tmp_path: Path, version: str) -> None:
        words = module.command_line(self.arguments(tmp_path), version, tmp_path / "m.bz2")
        assert {"--bowtie2db", "--bowtie2out", "--unclassified_estimation"} < set(words)
        assert not {"--db_dir", "--mapout"} & set(words)

    def test_the_command_in_a_profile_is_the_same_with_any_number_of_threads(self, module: ModuleType) -> None:
        text = "#db\n#metaphlan r --nproc {} -s .{}.part.s.bz2 -o x/.{}.part.p.tsv --min_mapq_val 5\n#n\nA --nproc 1\n"
        expected = "#db\n#metaphlan r -s s.bz2 -o x/p.tsv --min_mapq_val 5\n#n\nA --nproc 1\n"
        for threads, process in ((1, 20), (16, 3)):
            names = {Path(f".{process}.part.s.bz2"): Path("s.bz2"), Path(f"x/.{process}.part.p.tsv"): Path("x/p.tsv")}
            assert module.restated(text.format(threads, process, process), names) == expected

    def test_a_profile_without_reads_can_be_read(self, module: ModuleType, tmp_path: Path) -> None:
        arguments = self.arguments(tmp_path)
        module.write_empty(arguments, "3 of 3 reads")
        table = read_metaphlan(arguments.profile)
        assert (table.database, table.unclassified["007"], table.reads_processed["007"]) == ("mpa_vTest_1", 100.0, 0)
        assert read_abundance([arguments.profile]).shape[0] == 1
        assert b"@HD" in bz2.decompress(arguments.sam.read_bytes())

    def test_few_reads_do_not_start_metaphlan(
        self, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "r.fastq.gz").write_bytes(gzip.compress(fastq(["a", "b"]) + fastq(["c"], 50)))
        monkeypatch.setattr(subprocess, "run", None)
        words = f"--sample S --reads {tmp_path}/r.fastq.gz --min-reads 3 --database db --index mpa_vTest_1"
        words += f" --profile {tmp_path}/p.tsv --sam {tmp_path}/s.sam.bz2 --counts {tmp_path}/c.tsv -- --min_mapq_val 5"
        monkeypatch.setattr(sys, "argv", ["profile_sample.py", *words.split()])
        assert module.main() == 0
        header, row = (line.split("\t") for line in (tmp_path / "c.tsv").read_text().splitlines())
        found = dict(zip(header, row, strict=True))
        assert (found["reads"], found["status"]) == ("3", "few_reads")
        assert found["reason"] == "2 of 3 reads are at least 70 bases long, 3 are needed (min_reads)"


class TestRarefyReads:
    @pytest.fixture
    def module(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        module = load(repository, "rarefy_reads")
        monkeypatch.setattr(module, "BLOCK", 3)
        return module

    @staticmethod
    def pairs(number: int) -> tuple[bytes, bytes]:
        first, second = ([f"r{i} {mate}" for i in range(number)] for mate in (1, 2))
        return fastq(first, 5), fastq(second, 7)

    @staticmethod
    def interleaved(number: int) -> bytes:
        return b"".join(fastq([f"r{i} 1"], 5) + fastq([f"r{i} 2"], 7) for i in range(number))

    def draw(
        self, module: ModuleType, folder: Path, files: list[bytes], depth: int, *words: str, sample: str = "S"
    ) -> tuple[int, bytes, dict[str, str]]:
        """Return the exit code, the reads that were written, and the row of the table."""
        paths = [folder / f"in{i}.gz" for i in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(gzip.compress(data) if not data.startswith(b"\x1f") else data)
        given = ["--sample", sample, "--reads", *map(str, paths), "--depth", str(depth), "--seed", "1", *words]
        given += ["--out", str(folder / "out.gz"), "--counts", str(folder / "counts.tsv")]
        (folder / "counts.tsv").unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["rarefy_reads.py", *given])
            code = module.main()
        if code:
            return code, b"", {}
        header, row = (line.split("\t") for line in (folder / "counts.tsv").read_text().splitlines())
        return code, gzip.decompress((folder / "out.gz").read_bytes()), dict(zip(header, row, strict=True))

    @pytest.mark.parametrize("depth", [2, 3, 8, 9, 16])
    def test_whole_pairs_are_drawn_in_their_order(self, module: ModuleType, tmp_path: Path, depth: int) -> None:
        _, out, row = self.draw(module, tmp_path, list(self.pairs(10)), depth, "--paired")
        names = [line.decode() for line in out.split(b"\n")[:-1:4]]
        kept = [int(name.split()[0].removeprefix("@r")) for name in names[::2]]
        assert len(kept) == depth // 2
        assert kept == sorted(set(kept))
        assert out == b"".join(fastq([f"r{i} 1"], 5) + fastq([f"r{i} 2"], 7) for i in kept)
        assert row == {"sample": "S", "reads": "20", "reads_rarefied": str(2 * len(kept)), "reason": ""}

    def test_two_files_and_one_interleaved_give_the_same(self, module: ModuleType, tmp_path: Path) -> None:
        apart = self.draw(module, tmp_path, list(self.pairs(30)), 20, "--paired")
        assert self.draw(module, tmp_path, [self.interleaved(30)], 20, "--paired") == apart

    def test_single_reads(self, module: ModuleType, tmp_path: Path) -> None:
        data = fastq([f"r{i}" for i in range(10)])
        _, out, row = self.draw(module, tmp_path, [data], 3)
        assert (out.count(b"@r"), row["reads"], row["reads_rarefied"]) == (3, "10", "3")
        assert set(out.split(b"\n")) <= set(data.split(b"\n"))

    @pytest.mark.parametrize(
        ("pairs", "depth", "flagged"), [(5, 12, True), (5, 11, False), (5, 10, False), (0, 4, True)]
    )
    def test_fewer_reads_are_all_kept_and_named(
        self,
        module: ModuleType,
        tmp_path: Path,
        pairs: int,
        depth: int,
        flagged: bool,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        code, out, row = self.draw(module, tmp_path, list(self.pairs(pairs)), depth, "--paired")
        assert (code, out) == (0, self.interleaved(pairs))
        reason = f"fewer reads than rarefy_reads: {2 * pairs} of {depth}, all kept" if flagged else ""
        assert row["reason"] == reason
        assert capsys.readouterr().err == (f"warning: sample S: {reason}\n" if flagged else "")

    def test_bytes_are_those_of_seed_and_sample(self, module: ModuleType, tmp_path: Path) -> None:
        files = list(self.pairs(40))

        def packed(*words: str, sample: str = "S") -> bytes:
            self.draw(module, tmp_path, files, 20, "--paired", *words, sample=sample)
            return (tmp_path / "out.gz").read_bytes()

        first = packed()
        assert packed() == first
        assert packed("--seed", "2") != first
        assert packed(sample="T") != first

    def test_every_set_of_reads_is_equally_likely(self, module: ModuleType) -> None:
        # All 10 sets of 2 of 5, in 5,000 draws: each 500 times, with a standard deviation of 21.
        seen: dict[tuple[bool, ...], int] = {}
        generator = random.Random(7)
        for _ in range(5000):
            keep = tuple(module.chosen(5, 2, generator))
            seen[keep] = seen.get(keep, 0) + 1
        assert len(seen) == 10
        assert all(len(keep) == 5 and sum(keep) == 2 for keep in seen)
        assert max(abs(number - 500) for number in seen.values()) < 4.5 * 21.2

    def test_a_missing_last_newline_does_not_glue_records(self, module: ModuleType, tmp_path: Path) -> None:
        first, second = self.pairs(4)
        _, out, row = self.draw(module, tmp_path, [first[:-1], second[:-1]], 8, "--paired")
        assert (out, row["reads"]) == (self.interleaved(4), "8")

    @pytest.mark.parametrize(
        ("files", "words"),
        [
            (lambda a, b, c: [a, b.rsplit(b"@r", 1)[0]], ["--paired"]),
            (lambda a, b, c: [a.rsplit(b"@r", 1)[0], b], ["--paired"]),
            (lambda a, b, c: [c.rsplit(b"@r", 1)[0]], ["--paired"]),
            (lambda a, b, c: [gzip.compress(a)[:-9]], []),
        ],
    )
    def test_broken_reads(
        self, module: ModuleType, tmp_path: Path, files: Any, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = files(*self.pairs(5), self.interleaved(5))
        assert self.draw(module, tmp_path, given, 4, *words) == (1, b"", {})
        assert capsys.readouterr().err.startswith("error: sample S: ")
        assert not (tmp_path / "counts.tsv").exists()


def test_what_colours_a_terminal_is_left_out_of_a_message() -> None:
    said = "\x1b[31m[Error]\x1b[0m \x1b[Kno index\x1b[?25h\nbye\n"
    assert how_it_ended("tool", 3, said).startswith("tool ended with exit code 3 ([Error] no index); ")
