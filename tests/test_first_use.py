"""What somebody who takes the wrong table, comma or subject is told: little, and the right thing."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from strategies import doses_frame, samples_frame

import microbiome.taxa
from microbiome.cli import main
from microbiome.compare import compare, trajectories
from microbiome.declared import RESULT_TABLES, wrong_table
from microbiome.errors import Problem, report_lines
from microbiome.outcomes import outcomes, rates
from microbiome.study import Study, read_study
from microbiome.tables import INPUT_TABLES, SUBJECTS
from microbiome.taxa import changes, retention, taxa
from microbiome.tsv import read_result, write_table

WRITES = {name: f"(written by `microbiome {name}`)" for name in ("outcomes", "rates")}


@pytest.fixture
def study() -> Study:
    """Return four recipients with a sample before and two after, of one donor."""
    subjects = ["R1", "R2", "R3", "R4"]
    samples = [("d", "D", "donor", None)]
    samples += [(f"{name}.{day}", name, "recipient", day) for name in subjects for day in (0, 14, 28)]
    table = pd.DataFrame({"subject": subjects, "arm": ["fmt", "fmt", "placebo", "placebo"], "site": [None] * 4})
    return Study(samples_frame(samples), table, doses_frame([("R1", 0, "D", None), ("R2", 0, "D", None)]))


@pytest.fixture
def abundance(study: Study) -> pd.DataFrame:
    """Return random abundances of six taxa."""
    rng = np.random.default_rng(2)
    values = rng.random((len(study.samples), 6)) * (rng.random((len(study.samples), 6)) < 0.6) + 1e-9
    values[values < 1e-6] = 0
    index = pd.Index(study.samples["sample"], name="sample")
    return pd.DataFrame(values / values.sum(axis=1, keepdims=True), index, [f"t{k}" for k in range(6)])


@pytest.fixture
def folder(study: Study, abundance: pd.DataFrame, tmp_path: Path) -> Path:
    """Write the tables of the study, of outcomes and of rates."""
    calls = outcomes(abundance, study)
    for name, frame in (
        ("samples", study.samples),
        ("subjects", study.subjects),
        ("doses", study.doses),
        ("outcomes", calls),
        ("rates", rates(calls)),
    ):
        write_table(frame, tmp_path / f"{name}.tsv")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "given", "is_", "wanted"),
    [
        ("compare --subjects subjects.tsv --by arm --rates", "outcomes", "outcomes", "rates"),
        ("trajectories --rates", "outcomes", "outcomes", "rates"),
        ("rates --outcomes", "rates", "rates", "outcomes"),
        ("taxa --outcomes", "rates", "rates", "outcomes"),
        ("decomposition --outcomes", "samples", "samples", "outcomes"),
        ("compare --rates rates.tsv --by arm --subjects", "samples", "samples", "subjects"),
        ("outcomes --samples samples.tsv --doses doses.tsv --profile", "outcomes", "outcomes", ""),
        ("outcomes --samples samples.tsv --doses doses.tsv --profile", "rates", "rates", ""),
        ("power --rates", "outcomes", "outcomes", "rates"),
    ],
)
def test_the_wrong_table_is_named_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    given: str,
    is_: str,
    wanted: str,
) -> None:
    monkeypatch.chdir(folder)
    assert main([*command.split(), f"{given}.tsv"]) == 2
    what = f"a table of {is_} {WRITES[is_]}" if is_ in WRITES else f"the {is_} table"
    give = "a profile: MetaPhlAn tables, or a TSV of feature x sample"
    if wanted:
        give = (
            f"the one that `microbiome {wanted}` writes" if wanted in WRITES else f"the {wanted} table (docs/tables.md)"
        )
    assert capsys.readouterr().err == f"error: {given}.tsv: this looks like {what}; give {give}\n"


def test_a_table_is_never_taken_for_another_than_it_is() -> None:
    tables = (*INPUT_TABLES, *RESULT_TABLES)
    for table in tables:
        names = [column.name for column in table.columns]
        assert wrong_table(names, table, "f.tsv") is None
        # One required column is missing, and covariates that the subjects table has are there.
        required = [column.name for column in table.columns if column.required]
        for name in required if table.name != "subjects" else []:
            held = {*names, "arm", "response", "responder"} - {name}
            found = wrong_table(held, table, "f.tsv")
            assert found is None or "subjects table" not in found.message


def test_a_subjects_table_with_columns_of_samples_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"subject": ["A", "B"], "sample": ["a", "b"], "role": "recipient", "day": 0, "arm": "fmt"})
    write_table(frame, tmp_path / "subjects.tsv")
    assert read_result(tmp_path / "subjects.tsv", SUBJECTS)["subject"].tolist() == ["A", "B"]


def test_many_problems_of_one_column_are_cut_short(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(folder / "rates.tsv", sep="\t", dtype=str, keep_default_na=False)
    table["engraftment_rate"] = [f"0,{number}" for number in range(len(table))]
    table.loc[0, "depletion_rate"] = "many"
    write_table(table, folder / "wrong.tsv")
    assert main(["trajectories", "--rates", str(folder / "wrong.tsv")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    cut = [line for line in lines if "engraftment_rate" in line]
    assert cut[2].endswith("wrong.tsv:4: engraftment_rate: '0,2' is not a number; write decimals with a point")
    assert cut[3] == f"error: {folder}/wrong.tsv: ... and {len(table) - 3} more in column engraftment_rate"
    assert sum("depletion_rate" in line for line in lines) == 1


def test_problems_are_cut_only_where_they_are_alike() -> None:
    def some(number: int, message: str, column: str = "day", file: str = "f.tsv") -> list[Problem]:
        return [Problem(message.format(k), "", file, k, column, str(k)) for k in range(number)]

    five = [*some(5, "{} is out of range"), *some(5, "'{}' is not an integer"), *some(5, "{} is out of range", "age")]
    five += some(5, "{} is out of range", file="g.tsv")
    assert report_lines(five) == [f"error: {problem}" for problem in five]
    rows = report_lines(some(6, "the row has {} cells", ""))
    assert rows[3:] == ["error: f.tsv: ... and 3 more like this"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["outcomes", "--detection", "0,001"],
            "error: --detection: '0,001' is not a number; write decimals with a point "
            "(see `microbiome outcomes --help`)",
        ),
        (
            ["outcomes", "--detection", "few"],
            "error: --detection: 'few' is not a number (see `microbiome outcomes --help`)",
        ),
        (["taxa", "--seed", "1.5"], "error: --seed: '1.5' is not a whole number (see `microbiome taxa --help`)"),
        (
            ["rates"],
            "error: the following arguments are required: --outcomes (see `microbiome rates --help`)",
        ),
    ],
)
def test_wrong_arguments_are_said_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"{line}\n"


def test_without_doses_table_nothing_is_said_of_doses(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    tables = folder / "samples.tsv", folder / "subjects.tsv"
    read_study(*tables)
    assert "has no dose" not in caplog.text
    # A doses table without the doses of R1 does say something.
    write_table(pd.read_csv(folder / "doses.tsv", sep="\t").iloc[1:], folder / "fewer.tsv")
    read_study(*tables, folder / "fewer.tsv")
    assert "'R1' is of arm fmt but has no dose" in caplog.text


def test_who_has_no_group_is_named(study: Study, abundance: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    calls = outcomes(abundance, study)
    table = study.subjects.assign(centre=["a", None, "b", "b"]).iloc[:3]
    per_sample = rates(calls)
    runs = {
        "taxa": lambda by: taxa(calls, table, by),
        "retention": lambda by: retention(calls, table, by),
        "changes": lambda by: changes(abundance, Study(study.samples, table, study.doses), by),
        "trajectories": lambda by: trajectories(per_sample, table, by),
        "compare": lambda by: compare(per_sample, table, by, permutations=9),
    }
    absent = "subjects that are not in subjects.tsv are left out of the groups: R4"
    for name, run in runs.items():
        for by, sentences in (
            ("site", [absent, "no subject has a value of site: there are no groups"]),
            ("centre", [absent, "subjects without a value of centre are left out of the groups: R2"]),
            ("arm", [absent]),
        ):
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                run(by)
            said = [record.getMessage() for record in caplog.records if "subject" in record.getMessage()]
            assert said == sentences, (name, by)


def test_the_package_of_taxa_has_its_functions() -> None:
    assert all(callable(getattr(microbiome.taxa, name)) for name in microbiome.taxa.__all__)
    assert {"taxa", "retention", "changes", "decomposition", "top", "remarks"} == set(microbiome.taxa.__all__)
