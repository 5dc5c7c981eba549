"""Provenance of a folder of results."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path

import pytest

from microbiome.cli import main
from microbiome.config import load_config
from microbiome.errors import InputError
from microbiome.provenance import provenance, sha256_of, write_provenance

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
    assert files["A.fq"] == {"file": "A.fq", "bytes": 5, "sha256": "abc"}, "as it was when it was read"
    assert "removed.fq" not in files
    assert [e["file"] for e in record["database"]["files"]] == ["db/mpa_vTest_1.1.bt2l", "db/mpa_vTest_1.pkl"]
    assert [(e["file"], e["sha256"]) for e in record["host_index"]] == [("host.1.bt2", digest("host.1.bt2"))]


def test_large_index_files_have_no_checksum(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microbiome.provenance._INDEX_LIMIT", 10)
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\t\n")
    Path("config.yaml").write_text(
        "samples: samples.tsv\nunits: units.tsv\nmetaphlan: {database: '.', index: mpa_vTest_1}\n"
    )
    Path("mpa_vTest_1.1.bt2l").write_text("more than ten bytes")
    entry = provenance(load_config("config.yaml"))["database"]["files"][0]
    assert (entry["bytes"], entry["sha256"]) == (19, None)


def test_a_table_that_is_gone_is_an_error(study: Path) -> None:
    Path("A_profile.tsv").unlink()
    with pytest.raises(InputError, match=r"A_profile\.tsv"):
        provenance(load_config("config.yaml"))


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
