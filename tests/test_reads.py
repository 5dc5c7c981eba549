"""Read accounting from the small files that the steps leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from strategies import samples_frame

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.reads import read_accounting
from microbiome.report.blocks import Figure, Note, Section
from microbiome.report.data import Tables
from microbiome.report.roster import people, sample_table, scheme
from microbiome.report.sections import reads
from microbiome.study import Study
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
        kinds = ("profiles", "units", "fastp", "host", "profiled")
        self.files: dict[str, list[str]] = {kind: [] for kind in kinds}

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
    assert list(frame.columns) == [name for name in READS.names if name != "reads_rarefied"]
    assert list(frame["sample"]) == ["low", "NA", "007"]
    counts = frame[["units", "reads_raw", "reads_trimmed", "reads_nonhost", "reads_profiled", "taxa"]]
    assert counts.to_numpy().tolist() == [[1, 60, 50, 40, 0, 0], [1, 300, 290, 280, 280, 2], [2, 300, 290, 280, 280, 2]]
    assert list(frame["status"]) == ["few_reads", "ok", "ok"]
    assert frame["reason"][0].startswith("40 of 40 reads")
    assert frame["unclassified"].isna().tolist() == [True, False, False], "nobody measured it in a placeholder"
    assert frame["unclassified"][1] == 0.25


class TestRarefied:
    """Three samples of 280, 180 and 40 reads after host removal, of which 100 are drawn."""

    @pytest.fixture
    def rarefied(self, steps: Steps) -> Steps:
        steps.files["rarefied"] = []
        for sample, units, status in (("A", 150, "ok"), ("B", 100, "ok"), ("C", 30, "few_reads")):
            steps.add(sample, [units], status, "too few" if status != "ok" else "")
            came = 2 * units - 20
            asked, kept = 150, min(150, came)
            reason = "" if kept == asked else f"fewer reads than rarefy_reads: {came} of {asked}, all kept"
            text = f"sample\treads\treads_rarefied\treason\n{sample}\t{came}\t{kept}\t{reason}\n"
            steps.write("rarefied", f"{sample}.tsv", text)
            text = Path(steps.files["profiled"][-1]).read_text().replace(f"\t{came}\t", f"\t{kept}\t")
            Path(steps.files["profiled"][-1]).write_text(text)
        return steps

    def test_reads_drawn_stand_beside_the_others(self, rarefied: Steps, caplog: pytest.LogCaptureFixture) -> None:
        frame = read_accounting(["A", "B", "C"], **rarefied.files)
        assert list(frame.columns) == READS.names
        assert frame["reads_nonhost"].tolist() == [280, 180, 40]
        assert frame["reads_rarefied"].tolist() == [150, 150, 40]
        assert list(frame["status"]) == ["ok", "ok", "few_reads"]
        assert frame["reason"].tolist() == [None, None, "too few"], "why there is no profile comes first"
        assert "C: fewer reads than rarefy_reads: 40 of 150, all kept" in caplog.text

    def test_a_sample_with_fewer_keeps_its_status(self, rarefied: Steps) -> None:
        path = Path(rarefied.files["rarefied"][1])
        path.write_text(path.read_text().replace("150\t", "150\tfewer reads than 200"))
        frame = read_accounting(["A", "B", "C"], **rarefied.files).set_index("sample")
        assert tuple(frame.loc["B", ["status", "reason"]]) == ("ok", "fewer reads than 200")

    @pytest.mark.parametrize(
        ("kind", "old", "new", "message"),
        [
            ("rarefied", "A\t280", "A\t28", "rarefaction got 28 reads of sample 'A', the step before gave 280"),
            ("rarefied", "280\t150", "280\t149", "profiling got 150 reads of sample 'A', the step before gave 149"),
        ],
    )
    def test_reads_lost_are_an_error(self, rarefied: Steps, kind: str, old: str, new: str, message: str) -> None:
        path = Path(rarefied.files[kind][0])
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(InputError, match=message):
            read_accounting(["A", "B", "C"], **rarefied.files)


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


class TestReport:
    """What the report says of reads that were drawn."""

    @pytest.fixture
    def section(self) -> Section:
        study = Study(
            samples_frame([("A", "P", "recipient", 0), ("B", "P", "recipient", 9), ("C", "P", "recipient", 30)])
        )
        frame = pd.DataFrame(
            {
                "sample": ["A", "B", "C"],
                "units": 1,
                "reads_raw": [500, 300, 50],
                "reads_trimmed": [450, 260, 40],
                "reads_nonhost": [400, 250, 30],
                "reads_rarefied": [250, 240, 30],
                "reads_profiled": [250, 240, 0],
                "unclassified": 0.5,
                "taxa": [5, 4, 0],
                "status": ["ok", "ok", "few_reads"],
                "reason": [None, "fewer reads than rarefy_reads: 240 of 250, all kept", "30 of 30 reads"],
            }
        )
        tables = Tables(study, reads=frame)
        subjects = people(tables)
        return reads(tables, sample_table(tables, subjects), scheme(subjects))

    def test_shallower_samples_are_named_apart_from_those_without_a_profile(self, section: Section) -> None:
        notes = [block for block in section.blocks if isinstance(block, Note)]
        assert [list(note.items) for note in notes] == [
            ["C: few_reads (30 of 30 reads)"],
            ["B: fewer reads than rarefy_reads: 240 of 250, all kept"],
        ]

    def test_parts_add_up_to_the_reads_sequenced(self, section: Section) -> None:
        figure = next(block for block in section.blocks if isinstance(block, Figure) and block.key == "reads")
        parts = figure.data.pivot_table(index="sample", columns="part", values="reads")
        assert parts["kept"].to_dict() == {"A": 250, "B": 240, "C": 30}
        assert parts["not drawn"].to_dict() == {"A": 150, "B": 10, "C": 0}
        assert parts.sum(axis=1).to_dict() == {"A": 500, "B": 300, "C": 50}

    def test_depth_is_that_of_what_was_profiled(self, section: Section) -> None:
        figure = next(block for block in section.blocks if isinstance(block, Figure) and block.key == "depth")
        assert dict(zip(figure.data["sample"], figure.data["reads"], strict=True)) == {"A": 250, "B": 240}
