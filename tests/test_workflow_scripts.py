"""The scripts of the workflow by themselves, without the tools they call."""

from __future__ import annotations

import argparse
import bz2
import gzip
import hashlib
import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest

from microbiome.metaphlan import read_abundance, read_metaphlan


def load(repository: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, repository / "workflow" / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


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
        second = [gzip.compress(fastq(["A", "B"])), fastq(["C"]), gzip.compress(fastq(["D", "E"]))]
        assert self.merge(module, tmp_path, first, second, capsys) == ""
        assert gzip.decompress((tmp_path / "out1.gz").read_bytes()) == fastq(["a", "b", "c", "d", "e"])
        assert gzip.decompress((tmp_path / "out2.gz").read_bytes()) == fastq(["A", "B", "C", "D", "E"])
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
        assert "corrupt gzip file" in self.merge(module, tmp_path, [data], [], capsys)

    def test_record_cut_off(self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = fastq(["a", "b"]).rsplit(b"\n+", 1)[0]
        assert "6 lines, not a multiple of 4" in self.merge(module, tmp_path, [data], [], capsys)

    def test_not_fastq(self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "not FASTQ: the first byte is b'>'" in self.merge(module, tmp_path, [b">a\nACGT\n"], [], capsys)

    def test_mates_of_different_number(
        self, module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        error = self.merge(
            module, tmp_path, [fastq(["a", "b"]), fastq(["c"])], [fastq(["A", "B"]), fastq(["C", "D"])], capsys
        )
        assert f"{tmp_path}/fq1_1 has 1 reads, {tmp_path}/fq2_1 has 2" in error

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
        monkeypatch.setattr(module.subprocess, "run", None)
        words = f"--sample S --reads {tmp_path}/r.fastq.gz --min-reads 3 --database db --index mpa_vTest_1"
        words += f" --profile {tmp_path}/p.tsv --sam {tmp_path}/s.sam.bz2 --counts {tmp_path}/c.tsv -- --min_mapq_val 5"
        monkeypatch.setattr(sys, "argv", ["profile_sample.py", *words.split()])
        assert module.main() == 0
        header, row = (line.split("\t") for line in (tmp_path / "c.tsv").read_text().splitlines())
        found = dict(zip(header, row, strict=True))
        assert (found["reads"], found["status"]) == ("3", "few_reads")
        assert found["reason"] == "2 of 3 reads are at least 70 bases long, 3 are needed (min_reads)"
