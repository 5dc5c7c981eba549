"""Provenance of a folder of results."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import tool_versions

from microbiome.cli import main
from microbiome.config import load_config
from microbiome.errors import InputError
from microbiome.provenance import packages, provenance, sha256_of, write_provenance
from microbiome.tools import (
    BRACKEN,
    HUMANN_TOOLS,
    KRAKEN2,
    SOURMASH,
    STRAINPHLAN_TOOLS,
    TOOLS,
    installed_version,
)

PROFILE = (
    "#mpa_vTest_1\n#SampleID\tA\n#clade_name\tclade_taxid\trelative_abundance\nk__B\t2\t100.0\nk__B|t__SGB1\t2\t100.0\n"
)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder of a study with profiles and some results."""
    monkeypatch.chdir(tmp_path)
    Path("samples.tsv").write_text("sample\tsubject\trole\tday\nA\tP\trecipient\t0\n")
    Path("A_profile.tsv").write_text(PROFILE)
    Path("results/qc").mkdir(parents=True)
    Path("results/profiles").mkdir()
    Path("results/profiles/merged.tsv").write_text(PROFILE)
    Path("results/qc/reads.tsv").write_text("sample\nA\n")
    Path("config.yaml").write_text("samples: samples.tsv\nprofiles: A_profile.tsv\nseed: 7\ndiversity: {beta: []}\n")
    return tmp_path


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_inputs_and_results_with_their_checksums(study: Path) -> None:
    record = provenance(load_config("config.yaml"), "snakemake --cores 2")
    assert [(e["file"], e["bytes"], e["sha256"]) for e in record["inputs"]] == [
        (name, Path(name).stat().st_size, digest(name)) for name in ("samples.tsv", "A_profile.tsv")
    ]
    assert [e["key"] for e in record["inputs"]] == ["samples", "profiles"]
    results = {e["file"]: e["sha256"] for e in record["results"]}
    assert results["results/qc/reads.tsv"] == digest("results/qc/reads.tsv")
    assert results["results/outcomes/rates.tsv"] is None, "not there, and said so"
    assert record["seed"] == record["parameters"]["seed"] == 7
    assert record["database"] == {"name": "mpa_vTest_1", "files": []}
    assert record["software"]["python"] == platform.python_version()
    assert record["run"]["command"] == "snakemake --cores 2"


def test_equal_runs_differ_in_run_only(study: Path) -> None:
    config = load_config("config.yaml")
    first = provenance(config, "one")
    os.utime("samples.tsv", (1, 1))
    second = provenance(config, "two")
    assert first.pop("run") != second.pop("run")
    assert json.dumps(first) == json.dumps(second)


def test_tools_are_what_the_files_of_this_studys_samples_record(study: Path) -> None:
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\t\nB\tL1\tb.fq\t\n")
    for folder in ("fastp", "host", "metaphlan", "units", "multiqc_data"):
        Path("results/qc", folder).mkdir()
    for sample, version in (("A", "0.23.2"), ("B", "1.0.1"), ("removed", "0.1")):
        text = json.dumps({"summary": {"fastp_version": version}})
        Path(f"results/qc/fastp/{sample}.json").write_text(text)
        Path(f"results/qc/host/{sample}.tsv").write_text(
            f"sample\treads\treads_nonhost\tbowtie2\n{sample}\t1\t1\t2.5.0\n"
        )
        Path(f"results/qc/units/{sample}.tsv").write_text(
            f"sample\tunit\tmate\tfile\tbytes\tsha256\treads\n{sample}\tL1\t1\t{sample}.fq\t5\tabc\t1\n"
        )
    # A sample that was not profiled started no MetaPhlAn.
    header = "sample\treads\tstatus\treason\tmetaphlan\tbowtie2\n"
    Path("results/qc/metaphlan/A.tsv").write_text(header + "A\t1\tok\t\t4.2.5\t2.5.4\n")
    Path("results/qc/metaphlan/B.tsv").write_text(header + "B\t1\tfew_reads\tfew\t\t\n")
    Path("results/qc/multiqc_data/multiqc.log").write_text("[DEBUG] This is MultiQC v1.35\n")
    Path("config.yaml").write_text(
        "samples: samples.tsv\nunits: units.tsv\nhost_index: host\nmetaphlan: {database: db, index: mpa_vTest_1}\n"
    )
    Path("db").mkdir()
    for name in ("db/mpa_vTest_1.pkl", "db/mpa_vTest_1.1.bt2l", "db/mpa_vOther_1.pkl", "host.1.bt2", "hostile.1.bt2"):
        Path(name).write_text(name)
    record = provenance(load_config("config.yaml"))
    found = {tool: record["software"][tool] for tool in ("fastp", "bowtie2", "metaphlan", "multiqc")}
    assert found == {
        "fastp": ["0.23.2", "1.0.1"],
        "bowtie2": ["2.5.0", "2.5.4"],
        "metaphlan": ["4.2.5"],
        "multiqc": ["1.35"],
    }
    files = {e["file"]: e for e in record["inputs"]}
    read = {"file": "A.fq", "bytes": 5, "sha256": "abc", "key": "units", "sample": "A"}
    assert files["A.fq"] == read, "as it was when it was read"
    assert "removed.fq" not in files
    assert [e["file"] for e in record["database"]["files"]] == ["db/mpa_vTest_1.1.bt2l", "db/mpa_vTest_1.pkl"]
    assert [(e["file"], e["sha256"]) for e in record["host_index"]] == [("host.1.bt2", digest("host.1.bt2"))]


def test_of_large_index_files_pieces_are_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microbiome.provenance_files.LIMIT", 10)
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\t\n")
    Path("config.yaml").write_text(
        "samples: samples.tsv\nunits: units.tsv\nmetaphlan: {database: '.', index: mpa_vTest_1}\n"
    )
    index = Path("mpa_vTest_1.1.bt2l")
    data = bytearray(range(256)) * (70 << 12)  # 70 MiB: more than the pieces together
    index.write_bytes(data)
    entry = provenance(load_config("config.yaml"))["database"]["files"][0]
    last = len(data) - (1 << 20)
    pieces = b"".join(bytes(data[start : start + (1 << 20)]) for start in (last * i // 63 for i in range(64)))
    expected = hashlib.sha256(str(len(data)).encode() + pieces).hexdigest()
    assert entry == {"file": str(index), "bytes": len(data), "sha256": None, "sha256_of_pieces": expected}
    data[-1] ^= 1
    index.write_bytes(data)
    assert provenance(load_config("config.yaml"))["database"]["files"][0]["sha256_of_pieces"] != expected


def test_a_table_that_is_gone_is_an_error(study: Path) -> None:
    Path("A_profile.tsv").unlink()
    with pytest.raises(InputError, match=r"A_profile\.tsv"):
        provenance(load_config("config.yaml"))


def test_every_declared_package_is_named(repository: Path) -> None:
    declared = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split("[>=<]", text)[0] for text in declared}
    assert set(packages()) == {*names, "snakemake"}
    assert packages()["pandas"] == pd.__version__


def test_versions_of_helpers_are_those_that_the_steps_wrote_down(study: Path) -> None:
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\t\n")
    Path("config.yaml").write_text(
        "samples: samples.tsv\nunits: units.tsv\nmetaphlan: {database: db, index: mpa_vJun23_1}\n"
        "function: {nucleotide_database: nucleotides, protein_database: proteins}\nstrains: {strainphlan: true}\n"
    )
    for name in ("db", "nucleotides", "proteins"):
        Path(name).mkdir()
    Path("nucleotides/a.ffn.gz").write_text("ACGT")
    Path("results/strains").mkdir()
    Path("results/function").mkdir()
    Path("results/strains/strainphlan_versions.tsv").write_text("program\tversion\nmafft\t7.5\nraxmlHPC\t8.2\n")
    Path("results/function/versions.tsv").write_text(
        "program\tversion\nhumann\t3.9\nmetaphlan\t4.1.1\ndiamond\t2.1\nglpsol\t\n"
    )
    record = provenance(load_config("config.yaml"))
    tools = {name: found for name, found in record["software"].items() if isinstance(found, list)}
    assert tools == {
        "mafft": ["7.5"],
        "raxmlHPC": ["8.2"],
        "humann": ["3.9"],
        "humann/metaphlan": ["4.1.1"],
        "diamond": ["2.1"],
    }
    (folder,) = record["function_databases"]
    assert (folder["file"], folder["files"], folder["bytes"]) == ("nucleotides", 1, 4)


def test_the_script_of_versions_asks_as_the_check_does() -> None:
    every = (*TOOLS, KRAKEN2, BRACKEN, SOURMASH, *STRAINPHLAN_TOOLS, *HUMANN_TOOLS)
    tools = {tool.name: tool.option for tool in every}
    assert {name: tools[name] for name in tool_versions.OPTIONS} == tool_versions.OPTIONS
    others = set(tools) - set(tool_versions.OPTIONS)
    assert {tools[name] for name in others} == {"--version"}
    assert tool_versions.version_of("bowtie2") == installed_version("bowtie2") != ""
    assert tool_versions.version_of("no_such_program") == installed_version("no_such_program") == ""


def test_sha256_of_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(5_000_001))
    assert sha256_of(path) == digest(str(path))


def test_command(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provenance", "--config", "config.yaml", "--command", "x", "-o", "p.json"]) == 0
    record = json.loads(Path("p.json").read_text())
    assert record["run"]["command"] == "x"
    write_provenance(record, "-")
    assert json.loads(capsys.readouterr().out) == record
