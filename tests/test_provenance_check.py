"""``microbiome check --provenance``: what is said of results that are out of date, one difference at a time."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microbiome.cli import main
from microbiome.config import load_config
from microbiome.config_keys import KEYS
from microbiome.errors import InputError
from microbiome.provenance import provenance, write_provenance
from microbiome.provenance_check import DEPENDS, compare_provenance
from microbiome.provenance_files import sha256_of

PROFILE = "#mpa_vTest_1\n#SampleID\tA\n#clade_name\tclade_taxid\trelative_abundance\nk__B|t__SGB1\t2\t100.0\n"
RECORD = "results/provenance.json"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder of a study from FASTQ with some results, all up to date."""
    monkeypatch.chdir(tmp_path)
    for name in ("db", "results/qc/units", "results/qc/host", "results/profiles", "results/outcomes"):
        Path(name).mkdir(parents=True)
    Path("samples.tsv").write_text("sample\tsubject\trole\tday\nA\tP\trecipient\t0\n")
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\t\n")
    Path("a.fq").write_text("@r\nA\n+\nI\n")
    for name in ("db/mpa_vTest_1.pkl", "db/mpa_vTest_1.1.bt2l", "host.1.bt2"):
        Path(name).write_text(name)
    Path("config.yaml").write_text(
        "samples: samples.tsv\nunits: units.tsv\nseed: 7\nhost_index: host\n"
        "metaphlan: {database: db, index: mpa_vTest_1}\ndiversity: {alpha: [], beta: []}\n"
    )
    digest = sha256_of("a.fq")
    Path("results/qc/units/A.tsv").write_text(
        f"sample\tunit\tmate\tfile\tbytes\tsha256\treads\nA\tL1\t1\ta.fq\t9\t{digest}\t1\n"
    )
    Path("results/qc/host/A.tsv").write_text("sample\treads\treads_nonhost\tbowtie2\nA\t1\t1\t2.5.0\n")
    Path("results/profiles/A_profile.tsv").write_text(PROFILE)
    Path("results/profiles/merged.tsv").write_text(PROFILE)
    Path("results/outcomes/rates.tsv").write_text("sample\nA\n")
    Path("results/report.html").write_text("page")
    monkeypatch.setattr(
        "microbiome.provenance_check.installed_version", lambda name: {"bowtie2": "2.5.0"}.get(name, "")
    )
    write_provenance(provenance(load_config("config.yaml")), RECORD)
    return tmp_path


def found(**options: Any) -> list[str]:
    compared = compare_provenance("results", **options)
    return [f"{problem.level}: {problem}" for problem in compared.problems]


def test_nothing_is_said_of_results_that_are_up_to_date(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found() == []
    for words in (["results"], [RECORD], ["results", "--config", "config.yaml"], ["--config", "config.yaml"]):
        words = words if words[0] != "--config" else ["", *words]
        assert main(["check", "--provenance", *filter(None, words)]) == 0
        said = capsys.readouterr().err
        assert said.startswith("OK: results")
        assert "is up to date: 3 inputs, " in said
    # A touch changes nothing that matters; neither does the place of the results.
    os.utime("samples.tsv", (1, 1))
    Path("results").rename("moved")
    assert compare_provenance("moved").problems == []


def replaced(path: str, text: str) -> None:
    """Write a file of the same size with the same time."""
    before = Path(path).stat()
    Path(path).write_text(text)
    assert Path(path).stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda: Path("samples.tsv").write_text("sample\tsubject\trole\tday\nA\tQ\trecipient\t0\n"),
            "error: samples.tsv: samples: has changed since these results were made; all tables but the profiles rest",
        ),
        (
            lambda: replaced("a.fq", "@r\nC\n+\nI\n"),
            "error: a.fq: units: has changed since these results were made; the profile of sample A, and all",
        ),
        (lambda: Path("a.fq").unlink(), "error: a.fq: units: does not exist any more; the profile of sample A, and"),
        (
            lambda: Path("results/outcomes/rates.tsv").write_text("sample\nB\n"),
            "error: results/outcomes/rates.tsv: is not as the workflow wrote it: changed by hand, or half of a later",
        ),
        (
            lambda: Path("results/profiles/A_profile.tsv").unlink(),
            "error: results/profiles/A_profile.tsv: is missing; it was among these results; the workflow makes it "
            "again when it is asked for it: snakemake results/profiles/A_profile.tsv  followed by",
        ),
        (
            lambda: Path("results/outcomes/rates.tsv").unlink(),
            "error: results/outcomes/rates.tsv: is missing; it was among these results; start the workflow again (",
        ),
        (lambda: Path("results/report.html").unlink(), "error: results/report.html: is missing; start the workflow"),
        (
            lambda: Path("results/outcomes/nulls.tsv").write_text("x\n"),
            "error: results/outcomes/nulls.tsv: was not there when these results were described; start the workflow",
        ),
        (
            lambda: Path("db/mpa_vTest_1.pkl").write_text("another"),
            "error: db/mpa_vTest_1.pkl: metaphlan.database: has changed since these results were made; the profiles,",
        ),
        (
            lambda: Path("host.1.bt2").unlink(),
            "error: host.1.bt2: host_index: does not exist any more; the profiles, and all that is made of them rest",
        ),
        (
            lambda: Path("db/mpa_vTest_1.2.bt2l").write_text("more"),
            "error: db/mpa_vTest_1.2.bt2l: metaphlan.database: is new: these results were made without it; start",
        ),
    ],
)
def test_one_difference_is_the_one_that_is_named(study: Path, change: Callable[[], object], said: str) -> None:
    change()
    (line,) = found()
    assert line.startswith(said), line


def test_a_run_that_is_added(study: Path) -> None:
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\t\nA\tL2\tb.fq\t\n")
    lines = found()
    assert len(lines) == 2
    assert lines[0].startswith("error: units.tsv: units: has changed since these results were made")
    assert lines[1].startswith("error: b.fq: units: is new: these results were made without it")


def test_parameters_are_those_of_todays_configuration(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.yaml").write_text(Path("config.yaml").read_text().replace("seed: 7", "seed: 8") + "report: {title: T}\n")
    assert found() == [], "nobody named another configuration"
    lines = found(config=load_config("new.yaml"))
    assert len(lines) == 2
    assert lines[0].startswith(
        f"error: {RECORD}: seed: is 8 today and was 7; every table with chance in it rest on it; start the workflow"
    )
    assert f'{RECORD}: report.title: is "T" today and was ""; the report' in lines[1]
    assert main(["check", "--provenance", "results", "--config", "new.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith("out of date: results, made 20")
    assert said.endswith(": 2 differences\n")


def test_versions(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = json.loads(Path(RECORD).read_text())
    record["microbiome"], record["software"]["numpy"] = "0.0.1", "1.0"
    record["software"]["python"] = record["software"]["snakemake"] = "1.0"
    record["software"] |= {"bowtie2": ["2.4.1"], "fastp": ["0.23", "1.0"]}
    Path(RECORD).write_text(json.dumps(record))
    lines = found()
    assert [line.split(": ")[0] for line in lines] == ["error", "error", "error", "warning", "warning"]
    assert f"{RECORD}: microbiome: these results were made with version 0.0.1, " in lines[0]
    assert "numpy: these results were made with version 1.0, " in lines[1]
    assert "bowtie2: these results were made with version 2.4.1, 2.5.0 is installed; start" in lines[2]
    assert "fastp: these results were made with versions 0.23 and 1.0" in lines[3]
    assert "fastp: these results were made with version 1.0; it is not here; nothing, if Snakemake brings" in lines[4]
    assert len(found(tools=False)) == 3, "programs are not looked for"


def test_quick_trusts_size_and_time(study: Path) -> None:
    replaced("a.fq", "@r\nC\n+\nI\n")
    assert found(quick=True) == []
    os.utime("a.fq", (1, 1))
    assert len(found(quick=True)) == 1


def test_from_another_folder(study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert main(["check", "--provenance", "../results"]) == 2
    first, last = capsys.readouterr().err.splitlines()
    assert first == (
        "error: ../results/provenance.json: none of the inputs is there; their paths are relative to another folder; "
        f"start this in {study}, where the workflow was started"
    )
    assert last.endswith(": 1 difference")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            None,
            "error: results/provenance.json: there is no record of what these results were made from; ",
        ),
        ('{"run": ', "error: results/provenance.json: not a record of provenance (Expecting value: "),
        (
            "[]",
            "error: results/provenance.json: not a record of provenance (it lacks a part); remove it (rm results/prov",
        ),
        ("[" * 200_000, "error: results/provenance.json: not a record of provenance (it is nested too deep); remove"),
    ],
)
def test_a_record_that_cannot_be_used(
    study: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(RECORD).unlink() if text is None else Path(RECORD).write_text(text)
    assert main(["check", "--provenance", "results"]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_what_is_no_record_by_its_name_is_not_to_be_removed(study: Path) -> None:
    Path("mine.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"not a record .*; name the folder of results, or the file of that name in it$"
    ):
        compare_provenance("mine.json")
    Path(RECORD).write_text("{}")
    with pytest.raises(InputError, match=r"; remove it \(rm results/provenance\.json\) and start the workflow again"):
        compare_provenance("results")


def deep(levels: int) -> Any:
    nested: Any = {}
    for _ in range(levels):
        nested = {"a": nested}
    return nested


VALUES: list[Any] = [None, 7, "x", [], {}, [1], ["x"], [None], [{}], {"a": 1}, True, 1.5, deep(800)]
NO_SIZES: list[Any] = ["3", 3.0, -1, float("inf"), [], 10**30, True]
NO_CHECKSUMS: list[Any] = [7, [1], {}]
# Changes of one entry of a list of files.
ENTRIES: list[dict[str, Any]] = [
    *({"file": value} for value in (7, None, "", "\0", "/dev/zero", "a" * 5000, "\ud800", ["x"], "results", "/")),
    *({"bytes": number} for number in NO_SIZES),
    *({"sha256": digest} for digest in NO_CHECKSUMS),
    *({name: value} for name in ("key", "sample", "there") for value in (7, None, [1], "\x1b[31m\nerror: y")),
]


@pytest.mark.parametrize(
    "part",
    [
        "microbiome",
        "parameters",
        "software",
        "database",
        "host_index",
        "function_databases",
        "inputs",
        "results",
        "run",
    ],
)
def test_a_record_of_any_shape_gives_a_result_or_one_clear_error(study: Path, part: str) -> None:
    record = json.loads(Path(RECORD).read_text())
    good = record[part]
    values = [*VALUES]
    if isinstance(good, list):
        entry = good[0] if good else record["inputs"][0]
        values += [[entry | change] for change in ENTRIES] + [[{k: entry[k] for k in entry if k != "bytes"}]]
    elif isinstance(good, dict):
        some = list(good)[:6]
        values += [good | {name: value} for name in some for value in VALUES]
    if part == "database":
        values += [{"name": "x", "files": [record["inputs"][0] | change]} for change in ENTRIES]
    for value in values:
        Path(RECORD).write_text(json.dumps(record | {part: value}))
        lines, refusals = [], []
        try:
            lines = found()
        except InputError as error:
            refusals = list(error.problems)
        assert len(refusals) <= 1, value
        assert all("not a record of provenance (" in str(problem) for problem in refusals), value
        assert all(line.isprintable() for line in lines), value
        if value is None or isinstance(value, bool | float) or value == [1] or value == [{}]:
            assert refusals, value


@pytest.mark.parametrize("part", ["host_index", "function_databases", "database"])
def test_a_folder_that_todays_configuration_does_not_name_is_not_walked_through(
    study: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads(Path(RECORD).read_text())
    entry = [{"file": "/usr", "bytes": 3, "sha256": None, "sha256_of_names_and_sizes": "0"}]
    record[part] = {"name": record["database"]["name"], "files": entry} if part == "database" else entry
    Path(RECORD).write_text(json.dumps(record))
    walked: list[str] = []
    monkeypatch.setattr("microbiome.provenance_check.described_folder", walked.append)
    assert any(re.match(r"error: /usr: .*: is not named any more, but these results rest on it", x) for x in found())
    Path("units.tsv").unlink()
    found()
    assert walked == []


def test_a_result_that_may_not_be_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: object) -> str:
        if str(path).endswith(("rates.tsv", "a.fq")):
            raise PermissionError(13, "Permission denied")
        return sha256_of(str(path))

    with monkeypatch.context() as patch:
        patch.setattr("microbiome.provenance_files.sha256_of", refused)
        lines = found()
    assert [line.split("; ")[0] for line in lines] == [
        "error: a.fq: units: cannot be read",
        "error: results/outcomes/rates.tsv: cannot be read",
    ]


def test_a_recorded_parameter_that_is_no_longer_known(study: Path) -> None:
    record = json.loads(Path(RECORD).read_text())
    record["parameters"]["gone"] = 1
    Path(RECORD).write_text(json.dumps(record))
    (line,) = found()
    assert line.startswith(f"error: {RECORD}: gone: the recorded parameter cannot be used any more: key 'gone' is not")


def test_it_is_said_what_rests_on_every_key() -> None:
    assert {key.place[0] for key in KEYS} == set(DEPENDS)


def test_nothing_is_written(study: Path) -> None:
    shutil.copytree("results", "before")
    found()
    assert sorted(p.name for p in Path("before").rglob("*")) == sorted(p.name for p in Path("results").rglob("*"))
