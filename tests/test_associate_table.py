"""The table of associations: a row for every pair, which samples count, what could be found, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from associate_tables import cross_section, measured, study_of
from scipy import stats

from microbiome.associate import ASSOCIATIONS, associate
from microbiome.associate.detectable import detectable
from microbiome.associate.subject_level import Settings, correlated
from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.stats import cliffs_delta
from microbiome.subject_groups import no_such_column
from microbiome.tsv import read_result

PARTS = ["value", "presence", "abundance"]


@pytest.fixture
def visits() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Six subjects at four days, the last of whom has no baseline."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame([(f"S{i}", day) for i in range(6) for day in (-9, -2, 14, 30)], columns=["subject", "day"])
    rows = rows[(rows["subject"] != "S5") | (rows["day"] > 0)].reset_index(drop=True)
    values = pd.DataFrame(rng.lognormal(size=(len(rows), 2)), columns=["a", "b"])
    return rows, values


def test_baseline_post_and_change_are_of_one_value_per_subject(visits: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows, values = visits
    table = replace(measured("taxa", values, rows["subject"], rows["day"]), transform="log2")
    ages = pd.Series([50, 61, 42, 70, 55, 66.0], index=[f"S{i}" for i in range(6)])
    study = study_of(pd.DataFrame({"subject": ages.index, "age": ages.to_numpy()}))
    found, comments = associate([table], study, ["age"], at=["baseline", "post", "change"])
    logs = np.log2(values["a"]).groupby([rows["subject"], rows["day"]]).first().unstack()
    wanted = {"baseline": logs[-2], "post": logs[[14, 30]].mean(axis=1)}
    wanted["change"] = wanted["post"] - wanted["baseline"]
    samples = {"baseline": 5, "post": 12, "change": 15}
    for at, numbers in wanted.items():
        row = found[(found["at"] == at) & (found["feature_1"] == "a")].iloc[0]
        numbers = numbers.dropna()
        assert row["effect"] == pytest.approx(stats.spearmanr(numbers, ages[numbers.index]).statistic)
        assert (row["n"], row["n_subjects"], row["n_samples"]) == (len(numbers), len(numbers), samples[at])
    assert any("visits that all have: day 14, day 30" in comment for comment in comments)
    only, _ = associate([table], study, ["age"], at=["post"], days=[20, 40])
    assert only["effect"].iloc[0] == pytest.approx(stats.spearmanr(logs[30], ages).statistic)


def test_presence_of_a_change_is_gained_or_lost() -> None:
    names = [f"S{i}" for i in range(8) for _ in range(2)]
    before, after = [0, 0, 0, 0, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0, 1, 0]
    values = np.column_stack([before, after]).reshape(-1, 1).astype(float)
    table = measured("taxa", values, names, [0, 10] * 8)
    arm = ["fmt"] * 4 + ["placebo"] * 4
    study = study_of(pd.DataFrame({"subject": [f"S{i}" for i in range(8)], "arm": arm}))
    found, _ = associate([table], study, ["arm"], at=["change"], part=["presence"], group_order=["placebo"])
    step = np.subtract(after, before)
    assert found["effect"].iloc[0] == pytest.approx(cliffs_delta(step[4:], step[:4]).estimate)
    assert found["p_floor"].iloc[0] == pytest.approx(2 / 70)


def test_below_the_limit_are_ties_for_ranks_and_half_the_limit_for_models() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.lognormal(size=(20, 1))
    below = np.where(numbers < 0.7, [[0.7]] * 10 + [[0.5]] * 10, np.nan)
    values = np.where(np.isnan(below), numbers, np.nan)
    _, study = cross_section(values)
    censored = measured("taxa", values, study.subjects["subject"], [0] * 20, below, "log")
    found, _ = associate([censored], study, ["age"])
    ranked = np.where(np.isnan(values), -1, values)[:, 0]
    assert found["effect"].iloc[0] == pytest.approx(stats.spearmanr(ranked, study.subjects["age"]).statistic)
    assert found["n"].iloc[0] == 20
    model, _ = associate([censored], study, ["age"], at=["all"])
    filled = np.log(np.where(np.isnan(values), below / 2, values))[:, 0]
    assert model["effect"].iloc[0] == pytest.approx(stats.linregress(study.subjects["age"], filled).slope)
    assert model["note"].iloc[0].endswith("values of taxa below the limit: half of it taken")
    part, _ = associate([censored], study, ["age"], part=["presence", "abundance"])
    assert part.set_index("part").loc["presence", "n"] == 20
    assert part.set_index("part").loc["abundance", "n"] == np.isnan(below).sum()


def test_nothing_is_dropped_and_every_row_without_p_says_why() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=(12, 6))
    values[:, 1], values[:, 2], values[2:, 3], values[:, 4] = 7, np.nan, np.nan, 0
    table, study = cross_section(values)
    other = replace(table, name="other")
    found, _ = associate(
        [table], study, ["arm", "age"], [other], at=["baseline", "all"], part=PARTS, permutations=99
    )  # fmt: skip
    found_2, _ = associate([table], study, ["arm", "day"], at=["post", "change"], part=PARTS, permutations=99)
    assert len(found) == 2 * 3 * (6 * 2 + 36)
    assert len(found_2) == 6 * (2 * 3 + 3)
    for one in (found, found_2):
        assert one.columns.tolist() == ASSOCIATIONS.names
        assert not one.duplicated(list(ASSOCIATIONS.key)).any()
        none = one["p_value"].isna()
        assert none.any()
        assert one.loc[none, "note"].notna().all()
        assert one.loc[none, ["ci_low", "q_value", "detectable"]].isna().all(axis=None)
        assert one.loc[none, "note"].str.startswith("not testable").all()
        assert one["family"].notna().all()
    assert found_2["p_value"].isna().all()


def test_a_group_of_one() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(10, 2)))
    study.subjects["arm"] = ["fmt"] + ["placebo"] * 9
    found, _ = associate([table], study, ["arm"], part=["value", "presence"])
    value = found[found["part"] == "value"]
    assert value["note"].str.contains("group placebo|group fmt has one subject").all()
    assert value["ci_low"].isna().all()
    assert (value["p_value"] >= value["p_floor"]).all()
    assert value["p_floor"].eq(0.1).all()


def test_three_groups_and_comparisons_of_numbers() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(12, 1)))
    study.subjects["diagnosis"] = ["CD", "UC", "control"] * 4
    study.subjects["irae_grade"] = pd.array([0, 1, 2, 3, 4, 5, 3, 2, 1, 0, None, 3], dtype="Int64")
    found, _ = associate([table], study, ["diagnosis", "irae>=3"])
    assert found[["group", "reference", "n"]].to_numpy().tolist() == [
        ["CD", "control", 8],
        ["UC", "control", 8],
        ["yes", "no", 11],
    ]


def test_families() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(30, 8)))
    found, _ = associate([table], study, ["arm", "age"], part=["value", "abundance"], permutations=199)
    for _, rows in found.groupby(["method", "part"]):
        assert len(set(rows["family"])) == 1
        assert rows["q_value"].to_numpy() == pytest.approx(stats.false_discovery_control(rows["p_value"]))
        assert rows["family_size"].eq(len(rows)).all()
    one, _ = associate([table], study, ["arm", "age"], family=["all"], permutations=199)
    assert one["family"].eq("all tests").all()
    assert one["q_value"].to_numpy() == pytest.approx(stats.false_discovery_control(one["p_value"]))


def test_detectable_correlation_is_found_with_power_four_fifths() -> None:
    rng = np.random.default_rng(0)
    n, repeats = 40, 1500
    row = correlated(rng.normal(size=(n, 1)), rng.normal(size=(n, 1)), Settings(0))
    least = float(detectable(row, np.array([0.05]))[0])
    # Spearman's rho of normal values is (6 / pi) asin(r / 2).
    r = 2 * np.sin(np.pi * least / 6)
    x = rng.normal(size=(n, repeats))
    y = r * x + np.sqrt(1 - r**2) * rng.normal(size=(n, repeats))
    found = [correlated(x[:, [i]], y[:, [i]], Settings(0))["p_value"].iloc[0] for i in range(repeats)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.8, abs=0.045)


def test_detectable_is_missing_below_the_floor() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(6, 3)))
    found, comments = associate([table], study, ["arm"])
    assert found["p_floor"].eq(0.1).all()
    assert found["detectable"].isna().all()
    assert any("needs more than there are" in comment for comment in comments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": ["respnder"]}, "no column 'respnder'"),
        ({"by": ["arm"], "covariates": ["agee"]}, "did you mean 'age'"),
        ({"by": ["arm"], "covariates": ["day"]}, "no day to hold constant"),
        ({"by": ["arm"], "strata": "site"}, "no column 'site'"),
        ({"by": ["arm"], "method": "rm_corr"}, "rm_corr is not for groups"),
        ({"by": ["age"], "method": "mixed_model"}, "not for samples at baseline"),
        ({"by": ["age"], "method": "spearman", "covariates": ["arm"]}, "holds nothing constant"),
        ({"by": ["age"], "method": "partial_spearman"}, "something to hold constant"),
        ({"by": ["arm"], "family": ["taxon"]}, "families cannot be made by 'taxon'"),
        ({"by": ["arm"], "at": ["later"]}, "'later' is not known"),
        ({"by": ["arm"], "days": [30, 3]}, "not a first and a last day"),
        ({"by": ["arm"], "permutations": -1}, "-1 permutations"),
        ({"by": ["arm"], "level": 95}, "no confidence level"),
        ({"by": ["arm>=3"]}, "has words"),
        ({"by": ["centre"], "among": {"centre": "c"}}, "no subject"),
        ({}, "nothing to associate"),
    ],
)
def test_options_that_cannot_be_used(options: dict, words: str) -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(10, 2)))
    with pytest.raises(InputError, match=words):
        associate([table], study, **options)


def test_columns_without_a_subjects_table() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(10, 2)))
    alone = replace(study, subjects=study.subjects[["subject"]])
    with pytest.raises(InputError, match=r"'arm' is no column: the subjects table is not given.*--subjects"):
        associate([table], alone, ["arm"])


def test_a_message_lists_some_of_many_names() -> None:
    problem = no_such_column("x", [f"t__SGB{i}" for i in range(500)], "predictor", "profile")
    assert problem.fix.endswith("t__SGB19, ... (500 in all)")
    assert "..." not in no_such_column("x", ["a", "b"], "by", "subjects").fix


def test_all_problems_at_once() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(10, 2)))
    with pytest.raises(InputError) as caught:
        associate([table, table], study, ["a", "b"], covariates=["c"], strata="d", permutations=-1)
    assert len(caught.value.problems) == 6


def test_tables_without_a_common_row() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(10, 2)))
    strangers = measured("other", np.ones((3, 1)), ["X", "Y", "Z"], [0, 0, 0])
    with pytest.raises(InputError, match="no row of taxa belongs to a row of other within 7 days"):
        associate([table], study, others=[strangers])
    late = measured("other", np.ones((10, 1)), list(table.rows["subject"]), [30] * 10)
    with pytest.raises(InputError, match="none within 7 days"):
        associate([table], study, others=[late])


def test_inputs_stay_as_they_are_and_the_seed_gives_the_same() -> None:
    table, study = cross_section(np.random.default_rng(0).lognormal(size=(12, 3)))
    values, subjects = table.values.copy(), study.subjects.copy()  # noqa: PD011
    first, _ = associate([table], study, ["arm", "age"], part=PARTS, seed=4, permutations=200)
    shuffled = table.rows.index[::-1]
    turned = replace(table, values=values.loc[shuffled], rows=table.rows.loc[shuffled])
    second, _ = associate([turned], study, ["arm", "age"], part=PARTS, seed=4, permutations=200)
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(table.values, values)
    pd.testing.assert_frame_equal(study.subjects, subjects)


def write(frame: pd.DataFrame, path: Path) -> str:
    frame.to_csv(path, sep="\t", index=False)
    return str(path)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    names = [f"P{i}" for i in range(10)]
    samples = pd.DataFrame(
        {"sample": [f"{name}.{d}" for name in names for d in (0, 20)], "subject": np.repeat(names, 2)}
    ).assign(role="recipient", day=[0, 20] * 10)
    people = pd.DataFrame({"subject": names, "responder": ["yes", "no"] * 5, "age": range(50, 60)})
    taxa = pd.DataFrame(rng.lognormal(size=(3, 20)), columns=samples["sample"])
    taxa.insert(0, "taxon", ["t1", "t2", "t3"])
    blood = samples[["subject", "day"]].assign(
        kynurenine=[f"{x:.3f}" if x > 0.5 else "<0.5" for x in rng.lognormal(size=20)], day=samples["day"] + 2
    )
    blood.loc[blood["day"] == 2, "day"] = -2
    out = tmp_path / "associations.tsv"
    words = [
        "--samples",
        write(samples, tmp_path / "samples.tsv"),
        "--subjects",
        write(people, tmp_path / "people.tsv"),
    ]
    words += ["--profile", write(taxa, tmp_path / "taxa.tsv"), "-o", str(out)]
    with_blood = ["--with", f"blood={write(blood, tmp_path / 'blood.tsv')}", "--transform", "blood=log"]
    questions = ["--by", "responder", "age", "day", "--at", "baseline", "change", "--permutations", "99"]
    assert main(["associate", *words, *with_blood, *questions]) == 0
    found = pd.read_csv(out, sep="\t", comment="#")
    assert found.columns.tolist() == ASSOCIATIONS.names
    assert len(found) == 3 * (2 * 2 + 1 + 2)
    assert found.loc[found["table_2"] == "blood", "n"].eq(10).all()
    capsys.readouterr()
    assert main(["associate", *words, "--by", "responser", "--unit", "blood=uM"]) == 2
    assert "no table is called 'blood'" in capsys.readouterr().err
    assert main(["associate", *words, "--by", "responser"]) == 2
    assert "did you mean 'responder'" in capsys.readouterr().err


def test_groups_that_nobody_or_everybody_is_in_keep_their_rows(tmp_path: Path) -> None:
    days = pd.DataFrame({"sample": [f"s{i}" for i in range(8)], "subject": [f"p{i}" for i in range(8)]})
    samples = write(days.assign(role="recipient", day=0), tmp_path / "samples.tsv")
    people = pd.DataFrame({"subject": days["subject"], "arm": "fmt", "best_response": None, "irae_grade": 1})
    values = pd.DataFrame({"sample": days["sample"], "a": range(8), "b": [3, 1, 2, 7, 5, 4, 8, 6]})
    subjects = write(people, tmp_path / "subjects.tsv")
    command = ["--quiet", "associate", "--samples", samples, "--subjects", subjects, "-o", str(tmp_path / "out.tsv")]
    command += ["--features", f"cells={write(values, tmp_path / 'cells.tsv')}", "--by", "responder", "arm"]
    command += ["irae_grade>=3", "--part", "value", "presence", "abundance", "--at", "baseline", "all"]
    assert main(command) == 0
    table = read_result(tmp_path / "out.tsv", ASSOCIATIONS)
    assert len(table) == 2 * 3 * 3 * 2
    assert table["p_value"].isna().all()
    assert table.groupby("feature_2")["note"].unique().map(list).to_dict() == {
        "arm": ["not testable: every subject is in the group fmt"],
        "irae_grade>=3": ["not testable: every subject is in the group no"],
        "responder": ["not testable: no subject has a value of responder"],
    }
