"""Results against the truth of a simulated trial: numbers by hand, and what must never pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import braycurtis

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.features import write_features
from microbiome.metaphlan import read_abundance
from microbiome.outcomes import outcomes
from microbiome.simulate.accuracy import Limits, Truth, accuracy, judge, read_truth
from microbiome.simulate.parameters import Parameters
from microbiome.simulate.tables import ACCURACY
from microbiome.simulate.write import write_trial
from microbiome.study import read_study
from microbiome.tables import OUTCOMES
from microbiome.tsv import read_table, write_table


def small_truth() -> Truth:
    abundance = pd.DataFrame(
        [[0.5, 0.3, 0.2, 0.0], [0.0, 0.6, 0.4, 0.0], [0.25, 0.25, 0.25, 0.25]],
        index=pd.Index(["d", "b", "p"], name="sample"),
        columns=pd.Index(["A", "B", "C", "D"], name="taxon"),
    )
    table = pd.DataFrame(
        {
            "sample": "p",
            "taxon": ["A", "B", "C", "D"],
            "outcome": ["engrafted", "shared_kept", "shared_kept", "gained"],
        }
    )
    return Truth(abundance, table, pd.DataFrame({"sample": ["d", "b", "p"], "expected_status": "ok"}))


def test_numbers_by_hand() -> None:
    truth = small_truth()
    # In other proportions, one taxon missed in p, one seen too much in b; not closed, which must not matter.
    profile = pd.DataFrame(
        [[50, 30, 20, 0, 0], [0, 30, 40, 0, 30], [40, 30, 30, 0, 0]],
        index=["d", "b", "p"],
        columns=["A", "B", "C", "D", "E"],
        dtype=float,
    )
    found = pd.DataFrame(
        {"sample": "p", "taxon": ["A", "B", "C", "E"], "outcome": ["engrafted", "persisted", "shared_kept", "depleted"]}
    )
    table = accuracy(truth, profile, found).set_index("sample")
    assert table["status"].tolist() == ["ok"] * 3
    assert table[["true_taxa", "detected_taxa", "both_taxa"]].to_numpy().tolist() == [[3, 3, 3], [2, 3, 2], [4, 3, 3]]
    assert table["f1"].tolist() == pytest.approx([1, 4 / 5, 6 / 7])
    one, other = np.array([0.0, 0.6, 0.4, 0.0, 0.0]), np.array([0.0, 0.3, 0.4, 0.0, 0.3])
    assert table["bray_curtis"].tolist() == pytest.approx([0, braycurtis(one, other), 0.25])
    # Of A, B, C, D (missing) and E (too much), A and C are equal.
    assert pd.isna(table.loc["d", "outcomes"])
    assert table.loc["p", ["outcomes", "outcomes_equal"]].tolist() == [5, 2]
    verdict = judge(table.reset_index())
    assert verdict.f1 == pytest.approx(2 * 8 / (9 + 9))
    assert verdict.max_bray_curtis == pytest.approx(0.3)
    assert verdict.outcomes_equal == pytest.approx(0.4)
    assert not verdict.passed
    assert sum(line.endswith("FAILED") for line in verdict.lines) == 3
    assert judge(table.reset_index(), Limits(0.88, 0.31, 0.4)).passed


@pytest.mark.parametrize("strict", [{"min_f1": 0.81}, {"max_bray_curtis": 0.29}, {"min_outcomes": 0.41}])
def test_each_limit_counts_alone(strict: dict[str, float]) -> None:
    table = pd.DataFrame(
        [["a", "ok", 5, 5, 4, 0.8, 0.3, 10, 4], ["b", "ok", 5, 5, 4, 0.8, 0.1, 10, 4]], columns=ACCURACY.names
    )
    reached = {"min_f1": 0.8, "max_bray_curtis": 0.3, "min_outcomes": 0.4}
    assert judge(table, Limits(**reached)).passed
    assert not judge(table, Limits(**(reached | strict))).passed


def as_if_perfect(truth: Truth) -> tuple[pd.DataFrame, pd.DataFrame]:
    return truth.abundance.copy(), truth.outcomes.copy()


def test_a_sample_that_lost_its_profile_is_counted_as_wrong() -> None:
    truth = small_truth()
    for gone in ("dropped", "nan", "zero"):
        profile, found = as_if_perfect(truth)
        if gone == "dropped":
            profile = profile.drop(index="b")
        else:
            profile.loc["b"] = np.nan if gone == "nan" else 0.0
        table = accuracy(truth, profile, found)
        row = table.set_index("sample").loc["b"]
        assert (row["status"], row["f1"], row["bray_curtis"]) == ("no_profile", 0, 1)
        verdict = judge(table, Limits(0, 1, 0))
        assert not verdict.passed
        assert verdict.f1 == pytest.approx(2 * 7 / (9 + 7))
        assert verdict.max_bray_curtis == 1
        assert any(line.startswith("b: has no profile") for line in verdict.lines)


def test_lost_outcomes_are_counted_as_wrong() -> None:
    truth = small_truth()
    profile, found = as_if_perfect(truth)
    assert judge(accuracy(truth, profile, found)).passed
    table = accuracy(truth, profile, found.iloc[:0])
    assert table.set_index("sample").loc["p", ["outcomes", "outcomes_equal"]].tolist() == [4, 0]
    found["outcome"] = None
    assert accuracy(truth, profile, found).set_index("sample").loc["p", "outcomes_equal"] == 0


def test_the_shallow_sample_is_named_and_not_counted() -> None:
    truth = small_truth()
    truth.reads.loc[truth.reads["sample"] == "p", "expected_status"] = "few_reads"
    profile, found = as_if_perfect(truth)
    table = accuracy(truth, profile.drop(index="p"), found.iloc[:0])
    row = table.set_index("sample").loc["p"]
    assert row["status"] == "few_reads"
    assert row[["f1", "bray_curtis", "outcomes"]].isna().all()
    verdict = judge(table)
    # Nothing is left whose outcomes could be compared: that must not look like a pass.
    assert not verdict.passed
    assert np.isnan(verdict.outcomes_equal)
    assert any(line.startswith("p: flagged") for line in verdict.lines)
    for profile_given, outcomes_given in ((profile, found.iloc[:0]), (profile.drop(index="p"), found)):
        table = accuracy(truth, profile_given, outcomes_given)
        assert table.set_index("sample").loc["p", "status"] == "unexpected_profile"
        assert not judge(table, Limits(0, 1, 0)).passed


def test_results_of_another_trial_are_refused() -> None:
    truth = small_truth()
    profile, found = as_if_perfect(truth)
    with pytest.raises(InputError) as caught:
        accuracy(truth, profile.rename(index={"b": "x"}), found.assign(sample="y"))
    assert len(caught.value.problems) == 2


def test_every_missing_truth_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_truth(tmp_path)
    assert [Path(problem.file).name for problem in caught.value.problems] == [
        "abundance.tsv",
        "outcomes.tsv",
        "reads.tsv",
    ]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trial = write_trial(Parameters(recipients=4, placebo=1, seed=3), tmp_path / "trial")
    profiles = sorted(str(path) for path in (tmp_path / "trial" / "profiles").glob("*.tsv"))
    study = read_study(*(tmp_path / "trial" / f"{name}.tsv" for name in ("samples", "subjects", "doses")))
    write_table(outcomes(read_abundance(profiles), study), tmp_path / "outcomes.tsv")
    read_table(tmp_path / "outcomes.tsv", OUTCOMES)
    command = ["accuracy", "--truth", str(tmp_path / "trial" / "truth"), "--outcomes", str(tmp_path / "outcomes.tsv")]
    target = tmp_path / "accuracy.tsv"
    assert main([*command, "--profile", *profiles, "-o", str(target)]) == 0
    table = read_table(target, ACCURACY)
    assert table["sample"].tolist() == trial.samples["sample"].tolist()
    assert table["status"].value_counts().to_dict() == {"ok": 17, "few_reads": 1}
    assert target.read_text().startswith("# detected SGBs against truth: F1 1.0000 over 17 samples")
    assert main([*command, "--profile", *profiles, "-o", str(target), "--max-bray-curtis", "0.001"]) == 1
    write_features(trial.abundance.drop(index="D01-1"), tmp_path / "merged.tsv")
    capsys.readouterr()
    assert main([*command, "--profile", str(tmp_path / "merged.tsv"), "-o", str(target)]) == 1
    assert main([*command[:-1], "none.tsv", "--profile", *profiles, "-o", str(target)]) == 2
