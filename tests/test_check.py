"""``microbiome check``: good input passes, each kind of broken input is said in full, and all of it at once."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from broken import (
    DOSES,
    INDEX,
    READ1,
    SAMPLES,
    UNITS,
    Case,
    append,
    both,
    edit,
    good,
    link,
    profile,
    put,
    remove,
    replace,
    tool,
)
from broken_cases import CASES, page

from microbiome import check_units
from microbiome.check import check, check_all
from microbiome.cli import main
from microbiome.tools import TOOLS, check_tools, version_in

ODD_NAMES = ["007", "NA", "1e5", "true", "nan", "None", "null", "0x1F", "1.0", "inf", "FALSE", "2024-01-02"]

#: What only reading to the end can find.
DEEP = {
    "FASTQ": {
        "a truncated gzip",
        "something after the end of a gzip",
        "a last record that is cut off",
        "mates with a read less",
        "the same mates twice",
    },
    "Profiles": {
        "a profile that is cut off",
        "fractions instead of percentages",
        "an abundance that is no number",
        "a feature table with an empty cell",
    },
    "References": {"a tree without lengths"},
}

Start = Callable[[str], Path]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Write good input of an entry into an empty folder, and work there with nothing but its programs."""

    def begin(entry: str) -> Path:
        good(tmp_path, entry)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        return tmp_path

    return begin


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    """Run the command in the current folder; return its exit code and what it says, without the folder's name."""
    code = main(["--quiet", "check", "--config", "config.yaml", *options])
    out, err = capsys.readouterr()
    assert out == "", "the table of a check is empty"
    return code, err.replace(f"{Path.cwd()}/", "").splitlines()


def summary(says: tuple[str, ...]) -> str:
    counts = [(sum(line.startswith(f"{level}: ") for line in says), level) for level in ("error", "warning")]
    return ", ".join(f"{number} {level}{'s' if number > 1 else ''}" for number, level in counts if number)


@pytest.mark.parametrize("options", [(), ("--quick",), ("--strict",), ("--no-tools",)], ids=" ".join)
@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("fastq", "OK: 5 samples, 4 subjects, 2 doses, 6 units"),
        ("profiles", "OK: 5 samples, 4 subjects, 2 doses, 5 profiles"),
    ],
)
def test_good_input(
    start: Start, capsys: pytest.CaptureFixture[str], entry: str, says: str, options: tuple[str, ...]
) -> None:
    root = start(entry)
    before = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}
    assert run(capsys, *options) == (0, [says])
    assert {path: path.lstat().st_mtime_ns for path in root.rglob("*")} == before, "nothing is written"


def test_checking_tables_waits_for_no_large_library(start: Start) -> None:
    root = start("profiles")
    code = (
        "import sys; from microbiome.cli import main\n"
        "code = main(['--quiet', 'check', '--config', 'config.yaml', '--quick'])\n"
        "print(code, [name for name in ('scipy', 'skbio', 'lifelines', 'altair') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.what}")
def test_broken_input(start: Start, capsys: pytest.CaptureFixture[str], case: Case) -> None:
    case.change(start(case.entry))
    code, lines = run(capsys)
    assert lines[:-1] == list(case.says)
    errors = any(line.startswith("error: ") for line in case.says)
    assert code == (2 if errors else 0)
    if errors:
        assert lines[-1] == f"{summary(case.says)} in the input described by config.yaml"
    else:
        assert lines[-1].startswith("OK: ")
        assert lines[-1].endswith(f"; {summary(case.says)}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.what}")
def test_broken_input_at_a_glance(start: Start, capsys: pytest.CaptureFixture[str], case: Case) -> None:
    case.change(start(case.entry))
    lines = run(capsys, "--quick", "--no-tools")[1][:-1]
    says = [] if case.group == "Programs" else list(case.says)
    if case.what in DEEP.get(case.group, ()):
        # One of two problems may already show in the first record.
        assert set(lines) < set(says)
    elif case.what == "a tree that is none":
        assert lines == [
            "error: config.yaml:10: diversity.tree: 'tree.nwk': not a Newick tree; give the tree of the marker database"
        ]
    else:
        assert lines == says


def test_there_are_many_kinds() -> None:
    kinds = [(case.group, case.what) for case in CASES]
    assert len(set(kinds)) == len(kinds) >= 40
    assert len({case.says for case in CASES}) > 100
    for group, names in DEEP.items():
        assert names <= {what for g, what in kinds if g == group}
    for case in CASES:
        for line in case.says:
            assert "; " in line or line.endswith("?"), f"{line}: says nothing of what to do"


def test_messages_page_is_up_to_date(repository: Path) -> None:
    assert (repository / "docs" / "messages.md").read_text() == page(), "run `python tests/broken_cases.py`"


def test_everything_at_once(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Faults in config, tables, files, references and programs do not hide each other."""
    root = start("fastq")
    both(
        edit("config.yaml", "host_index", "host-index"),
        append("config.yaml", "seed: x\n"),
        append("samples.tsv", "C1.0\tC1\tcontrol\t30\n"),
        edit("subjects.tsv", "SD", "stable"),
        edit("doses.tsv", "D2", "R1"),
        remove(READ1),
        replace("reads/C1.fq", ">r\nA\n"),
        remove(f"db/{INDEX}.pkl"),
        replace("tree.nwk", "(1,2"),
        remove("bin/fastp"),
        lambda root: tool(root, "bowtie2", "echo 'bowtie2-align-s version 2.3.5.1'"),
    )(root)
    code, lines = run(capsys)
    assert code == 2
    # What scikit-bio says of the tree, in brackets, is its own affair.
    assert [line.rsplit("; ", 1)[0].split(" (Could")[0].replace(READ1, "READ1") for line in lines[:-1]] == [
        "error: config.yaml:5: host-index: key 'host-index' is not known",
        "error: config.yaml:14: seed: 'x' is not an integer",
        "error: samples.tsv:7: sample: sample 'C1.0' stands already in line 6",
        "error: subjects.tsv:5: best_response: 'stable' is not allowed",
        "error: doses.tsv:3: donor: subject 'R1' is its own donor",
        "error: units.tsv:4: fq1: READ1: the file does not exist",
        "error: units.tsv:7: fq1: reads/C1.fq: the file is FASTA, not FASTQ",
        f"error: config.yaml:8: metaphlan.index: 'db/{INDEX}.pkl' is missing",
        "error: config.yaml:10: diversity.tree: 'tree.nwk': not a Newick tree",
        "error: fastp: not found on PATH (trims and filters reads)",
        "error: bowtie2: bin/bowtie2 is version 2.3.5.1, 2.4 or newer is needed",
    ]
    assert lines[-1] == "11 errors in the input described by config.yaml"


def test_a_file_that_disappears_after_the_first_run(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("fastq")
    assert run(capsys, "--quick")[0] == 0
    # Results that are there do not matter; Snakemake would say "Nothing to be done".
    put(root / "results" / "report.html", "done")
    (root / READ1).unlink()
    assert run(capsys, "--quick") == (
        2,
        [
            f"error: units.tsv:4: fq1: {READ1}: the file does not exist; correct the path",
            "1 error in the input described by config.yaml",
        ],
    )


def test_strict(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    append("doses.tsv", "R1\t0\tD1\tD1.a\n")(start("profiles"))
    warning = "warning: doses.tsv:4: donor: the same dose stands in line 2; it counts once"
    assert run(capsys) == (0, [warning, "OK: 5 samples, 4 subjects, 3 doses, 5 profiles; 1 warning"])
    assert run(capsys, "--strict") == (2, [warning, "1 warning in the input described by config.yaml"])


def test_allow_missing_baseline(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("profiles")
    edit("samples.tsv", "\t-1", "\t1")(root)
    assert run(capsys)[0] == 2
    append("config.yaml", "allow_missing_baseline: true\n")(root)
    code, lines = run(capsys)
    assert code == 0
    assert lines[0].startswith("warning: samples.tsv:4: day: recipient 'R1' has no baseline")


def test_tables_that_are_not_given(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("profiles")
    put(root / "config.yaml", "samples: samples.tsv\nprofiles: [profiles/*_profile.tsv]\n")
    assert run(capsys) == (0, ["OK: 5 samples, 4 subjects, 5 profiles"])


def test_no_programs_are_needed_for_profiles(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(start("profiles") / "bin")
    assert run(capsys)[0] == 0


@pytest.mark.parametrize("whole", [True, False])
def test_odd_ids_pass_through(start: Start, capsys: pytest.CaptureFixture[str], whole: bool) -> None:
    root = start("profiles")
    shutil.rmtree(root / "profiles")
    rows = "".join(f"{name}\t{name}\tcontrol\t0\n" for name in ODD_NAMES)
    put(root / "samples.tsv", "sample\tsubject\trole\tday\n" + rows)
    put(root / "subjects.tsv", "subject\tarm\n" + "".join(f"{name}\t{name}\n" for name in ODD_NAMES))
    put(root / "doses.tsv", "subject\tday\tdonor\tdonor_sample\n")
    for name in ODD_NAMES:
        put(root / "profiles" / f"{name}_profile.tsv", profile(name))
    options = [] if whole else ["--quick"]
    assert run(capsys, *options) == (0, ["OK: 12 samples, 12 subjects, 0 doses, 12 profiles"])
    # The same names as columns of one table, of MetaPhlAn or of anything else.
    for corner, feature in (("clade_name", "k__Bacteria|s__A_b"), ("ec", "1.1.1.1")):
        value = "100" if corner == "clade_name" else "4"
        table = "\t".join([corner, *ODD_NAMES]) + "\n" + "\t".join([feature, *[value] * len(ODD_NAMES)]) + "\n"
        put(root / "merged.tsv", table)
        put(root / "config.yaml", "samples: samples.tsv\nsubjects: subjects.tsv\nprofiles: merged.tsv\n")
        assert run(capsys, *options)[0] == 0


def test_odd_ids_in_units(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("fastq")
    for old, new in (("R1.28", "007"), ("C1.0", "NA")):
        for name in ("samples.tsv", "units.tsv"):
            text = (root / name).read_text()
            assert old in text
            put(root / name, text.replace(old, new))
    put(root / "units.tsv", (root / "units.tsv").read_text().replace("L1", "1e5").replace("L2", "true"))
    assert run(capsys) == (0, ["OK: 5 samples, 4 subjects, 2 doses, 6 units"])


def test_a_sample_is_not_confused_with_its_number(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("fastq")
    edit("units.tsv", "C1.0", "07")(root)
    edit("samples.tsv", "C1.0", "7")(root)
    assert run(capsys)[1][:2] == [
        "error: units.tsv:7: sample: sample '07' is not in samples.tsv; correct it, or add a row there "
        "(did you mean '7'?)",
        "error: samples.tsv:6: sample: sample '7' has no unit; add its FASTQ files to units.tsv, or remove the row",
    ]


def test_what_snakemake_hands_over(start: Start) -> None:
    """A mapping with the file it came from gives the same as the file itself, and an override counts."""
    root = start("fastq")
    edit("config.yaml", "[arm]", "[arms]")(root)
    read: dict[str, Any] = yaml.safe_load((root / "config.yaml").read_text())
    assert check(read, "config.yaml") == check("config.yaml") != []
    read["diversity"]["permanova"]["factors"] = ["arm"]
    assert check(read, "config.yaml") == []
    read["min_reads"] = -5
    (problem,) = check(read, "config.yaml", whole=False, tools=False)
    assert str(problem) == "config.yaml: min_reads: -5 is out of range; it must be at least 0"
    assert check_all("config.yaml").config["metaphlan"]["index"] == INDEX


@pytest.mark.parametrize("make", [os.link, os.symlink], ids=["hard link", "symbolic link"])
def test_links_are_seen_through(
    start: Start, capsys: pytest.CaptureFixture[str], make: Callable[[Path, Path], None]
) -> None:
    root = start("fastq")
    (root / "reads" / "D2_1.fq.gz").unlink()
    make(root / "reads" / "D1_1.fq.gz", root / "reads" / "D2_1.fq.gz")
    lines = run(capsys)[1]
    assert lines[0] == (
        "error: units.tsv:3: fq1: 'reads/D2_1.fq.gz' is used already in line 2 (fq1) "
        "(the same file as 'reads/D1_1.fq.gz'); name the right file, or remove the row"
    )


def test_links_are_fine_otherwise(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("fastq")
    shutil.move(root / "reads" / "D1_1.fq.gz", root / "elsewhere.gz")
    link("reads/D1_1.fq.gz", "../elsewhere.gz")(root)
    assert run(capsys)[0] == 0


def test_a_row_that_cannot_be_read_does_not_hide_files(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("fastq")
    edit("units.tsv", "\treads/D2_2.fq.gz", "")(root)
    (root / READ1).unlink()
    assert run(capsys)[1][:-1] == [
        "error: units.tsv:3: the row has 3 cells, the header has 4; separate all cells by tabs, also the empty ones",
        f"error: units.tsv:4: fq1: {READ1}: the file does not exist; correct the path",
    ]


def test_a_large_host_index_will_do(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("fastq")
    for path in list((root / "ref").iterdir()):
        path.rename(path.with_suffix(".bt2l"))
    assert run(capsys)[0] == 0


def test_progress_is_logged(start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    start("fastq")
    monkeypatch.setattr(check_units, "_PROGRESS_EVERY", -1.0)
    with caplog.at_level(logging.INFO):
        assert check("config.yaml") == []
    assert "checked 11 of 11 FASTQ files" in caplog.text


def test_thousands_of_samples_take_seconds(start: Start) -> None:
    root = start("fastq")
    number = 5000
    samples, units = [SAMPLES.splitlines()[0]], [UNITS.splitlines()[0]]
    doses, subjects = [DOSES.splitlines()[0]], ["subject\tarm"]
    samples.append("D\tD\tdonor\t")
    units.append("D\tL1\treads/D_1.fq.gz\treads/D_2.fq.gz")
    for i in range(number // 2):
        samples += [f"S{i}.0\tP{i}\trecipient\t-1", f"S{i}.1\tP{i}\trecipient\t30"]
        units += [f"S{i}.{k}\tL1\treads/S{i}.{k}_1.fq.gz\treads/S{i}.{k}_2.fq.gz" for k in (0, 1)]
        doses.append(f"P{i}\t0\tD\tD")
        subjects.append(f"P{i}\tfmt")
    for name, lines in (("samples", samples), ("units", units), ("doses", doses), ("subjects", subjects)):
        put(root / f"{name}.tsv", "\n".join(lines) + "\n")
    began = time.process_time()
    problems = check("config.yaml", whole=False, tools=False)
    taken = time.process_time() - began
    # None of the FASTQ files is there.
    assert len([p for p in problems if "does not exist" in p.message]) == 2 * (number + 1)
    # About 1 s of one core; anything quadratic would take minutes.
    assert taken < 15


def test_versions_in_what_programs_print() -> None:
    assert version_in("fastp 0.23.2") == "0.23.2"
    assert version_in("/opt/conda-23.1.0/bin/bowtie2-align-s version 2.5.4\n64-bit\nBuilt on ...") == "2.5.4"
    assert version_in("MetaPhlAn version 4.0.6 (1 Mar 2023)") == "4.0.6"
    assert version_in("multiqc, version 1.35") == "1.35"
    assert version_in("multiqc, version 1.35.dev0") == "1.35"
    assert version_in("tool v2.1") == "2.1"
    assert version_in("nothing") == ""


def test_versions_are_compared_as_numbers(start: Start) -> None:
    root = start("fastq")
    tool(root, "fastp", "echo 'fastp 0.9.1' >&2")
    (problem,) = check_tools()
    assert problem.message.endswith("fastp is version 0.9.1, 0.20 or newer is needed")
    tool(root, "fastp", "echo 'fastp 1.0.1' >&2")
    assert check_tools() == []


def test_a_program_that_hangs(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(start("fastq"), "fastp", "exec /bin/sleep 60")
    monkeypatch.setattr("microbiome.tools._TIMEOUT", 0.2)
    (problem,) = check_tools(TOOLS[:1])
    assert problem.message.endswith("bin/fastp --version does not end")


@pytest.mark.tools
def test_the_programs_of_this_environment() -> None:
    assert check_tools() == []


@pytest.mark.real
@pytest.mark.parametrize(("name", "samples"), [("ucfmt1", 65), ("baruch2021", 42)])
def test_published_studies(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, samples: int
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = real_data / name
    config: dict[str, object] = {t: f"{folder}/{t}.tsv" for t in ("samples", "subjects", "doses")}
    config["profiles"] = f"{folder}/profiles.tsv.gz"
    for whole in (True, False):
        checked = check_all(config, whole=whole)
        assert [str(problem) for problem in checked.problems if problem.level == "error"] == []
        assert checked.counts["samples"] == checked.counts["profiles"] == samples


def test_numbers_taken_as_groups_are_said(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    root = start("profiles")
    rows = "".join(f"X{i}\tfmt\t{40 + i}\n" for i in range(7))
    put(root / "subjects.tsv", "subject\tarm\tage\nR1\tfmt\t39\nC1\t\t38\nD1\t\t\nD2\t\t\n" + rows)
    append("config.yaml", "diversity: {permanova: {factors: [age]}}\n")(root)
    code, lines = run(capsys)
    assert code == 0
    assert [line for line in lines if "age" in line] == [
        "warning: config.yaml:6: diversity.permanova.factors: column 'age' holds 9 different numbers, each of which "
        "is taken as a group; name it in diversity.permanova.continuous to regress on it"
    ]
    edit("config.yaml", "factors: [age]", "factors: [age], continuous: [age]")(root)
    assert not [line for line in run(capsys)[1] if "age" in line]
