"""Read accounting from the small files that the steps leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.reads import read_accounting
from microbiome.tables import READS
from microbiome.tsv import read_table

LINEAGE = "k__Bacteria|p__P|c__C|o__O|f__F|g__G|s__{0}|t__{0}"


def profile(folder: Path, sample: str, reads: int, unclassified: float, taxa: dict[str, float]) -> str:
    lines = ["#mpa_vTest_1", f"#{reads} reads processed", f"#SampleID\t{sample}"]
    lines += ["#clade_name\tclade_taxid\trelative_abundance", f"UNCLASSIFIED\t-1\t{unclassified}"]
    lines += [f"{LINEAGE.format(name)}\t2\t{percent}" for name, percent in taxa.items()]
    path = folder / f"{sample}_profile.tsv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


class Steps:
    """Files of the steps for some samples, each with ten reads less than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, list[str]] = {"profiles": [], "units": [], "fastp": [], "host": [], "profiled": []}

    def write(self, kind: str, name: str, text: str) -> None:
        path = self.folder / kind / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self.files[kind].append(str(path))

    def add(self, sample: str, units: list[int], status: str = "ok", reason: str = "", paired: bool = True) -> None:
        mates = (1, 2) if paired else (1,)
        raw = sum(units) * len(mates)
        rows = [f"{sample}\tL{i}\t{m}\tf\t1\tx\t{n}\n" for i, n in enumerate(units) for m in mates]
        self.write("units", f"{sample}.tsv", "sample\tunit\tmate\tfile\tbytes\tsha256\treads\n" + "".join(rows))
        summary = {"before_filtering": {"total_reads": raw}, "after_filtering": {"total_reads": raw - 10}}
        self.write("fastp", f"{sample}.json", json.dumps({"summary": summary}))
        self.write(
            "host", f"{sample}.tsv", f"sample\treads\treads_nonhost\tbowtie2\n{sample}\t{raw - 10}\t{raw - 20}\t2.5\n"
        )
        self.write(
            "profiled", f"{sample}.tsv", f"sample\treads\tstatus\treason\n{sample}\t{raw - 20}\t{status}\t{reason}\n"
        )
        given = (0, 100.0, {}) if status == "few_reads" else (raw - 20, 25.0, {"SGB1": 50.0, "SGB2": 25.0})
        self.files["profiles"].append(profile(self.folder, sample, *given))


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path)


def test_every_step_of_every_sample(steps: Steps) -> None:
    steps.add("007", [100, 50])
    steps.add("NA", [300], paired=False)
    steps.add("low", [30], "few_reads", "40 of 40 reads are long enough, 1000 are needed (min_reads)")
    frame = read_accounting(["low", "NA", "007"], **steps.files)
    assert list(frame.columns) == READS.names
    assert list(frame["sample"]) == ["low", "NA", "007"]
    counts = frame[["units", "reads_raw", "reads_trimmed", "reads_nonhost", "reads_profiled", "taxa"]]
    assert counts.to_numpy().tolist() == [[1, 60, 50, 40, 0, 0], [1, 300, 290, 280, 280, 2], [2, 300, 290, 280, 280, 2]]
    assert list(frame["status"]) == ["few_reads", "ok", "ok"]
    assert frame["reason"][0].startswith("40 of 40 reads")
    assert frame["unclassified"].isna().tolist() == [True, False, False], "nobody measured it in a placeholder"
    assert frame["unclassified"][1] == 0.25


def test_without_host_removal_nothing_is_lost_there(steps: Steps) -> None:
    steps.add("A", [100])
    Path(steps.files["profiled"][0]).write_text("sample\treads\tstatus\treason\nA\t190\tok\t\n")
    steps.files["host"] = []
    frame = read_accounting(["A"], **steps.files)
    assert frame["reads_nonhost"][0] == frame["reads_trimmed"][0] == 190


def test_from_profiles_only_what_they_say_is_known(tmp_path: Path) -> None:
    files = [profile(tmp_path, "A", 500, 10.0, {"SGB1": 90.0}), profile(tmp_path, "B", 400, 100.0, {})]
    frame = read_accounting(["A", "B", "C"], files)
    assert frame[["units", "reads_raw", "reads_trimmed", "reads_nonhost"]].isna().all(axis=None)
    assert list(frame["status"]) == ["ok", "no_taxa", "no_profile"]
    assert frame["reads_profiled"].tolist() == [500, 400, pd.NA]
    assert frame["unclassified"][:2].tolist() == [0.1, 1.0]
    assert "no such sample" in frame["reason"][2]


def test_a_feature_table_has_taxa_only(tmp_path: Path) -> None:
    path = tmp_path / "ec.tsv"
    path.write_text("ec\tA\tB\n1.1.1.1\t3\t0\n2.2.2.2\t1\t0\n")
    frame = read_accounting(["A", "B"], [path])
    assert list(frame["status"]) == ["ok", "no_taxa"]
    assert frame["taxa"].tolist() == [2, 0]
    assert frame[["unclassified", "reads_profiled"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("kind", "old", "new", "message"),
    [
        (
            "fastp",
            '"total_reads": 200',
            '"total_reads": 128',
            "fastp got 128 reads of sample 'A', the step before gave 200",
        ),
        ("host", "A\t190", "A\t100", "host removal got 100 reads of sample 'A', the step before gave 190"),
        ("profiled", "A\t180", "A\t17", "profiling got 17 reads of sample 'A', the step before gave 180"),
    ],
)
def test_reads_lost_between_two_steps_are_an_error(steps: Steps, kind: str, old: str, new: str, message: str) -> None:
    steps.add("A", [100])
    path = Path(steps.files[kind][0])
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        read_accounting(["A"], **steps.files)


def test_broken_json_is_named(steps: Steps) -> None:
    steps.add("A", [100])
    steps.add("B", [100])
    for path in steps.files["fastp"]:
        Path(path).write_text('{"summary": {}}')
    with pytest.raises(InputError) as error:
        read_accounting(["A", "B"], **steps.files)
    assert [problem.file for problem in error.value.problems] == steps.files["fastp"]


def test_command_writes_what_the_table_declares(steps: Steps, tmp_path: Path) -> None:
    steps.add("A", [100])
    steps.add("B", [30], "few_reads", "too few")
    (tmp_path / "samples.tsv").write_text("sample\tsubject\trole\tday\nA\tP\trecipient\t0\nB\tP\trecipient\t9\n")
    words = ["reads", "--samples", str(tmp_path / "samples.tsv"), "--profile", *steps.files["profiles"]]
    for kind in ("units", "fastp", "host", "profiled"):
        words += [f"--{kind}", *steps.files[kind]]
    assert main([*words, "-o", str(tmp_path / "reads.tsv")]) == 0
    table = read_table(tmp_path / "reads.tsv", READS)
    assert list(table["status"]) == ["ok", "few_reads"]
    assert table["reason"].tolist() == [None, "too few"]
