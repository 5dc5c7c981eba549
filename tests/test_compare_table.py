"""What the table of comparisons says: which rows there are, what cannot be tested, what the reader must know."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rate_tables import rates_and_subjects

from microbiome.cli import main
from microbiome.compare import COMPARE, COMPARE_METHODS, compare
from microbiome.errors import InputError
from microbiome.tsv import read_table, write_table

DEPLETION = ["depletion_rate"]
Trial = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture
def trial() -> Trial:
    return rates_and_subjects(np.random.default_rng(0))


def untestable(table: pd.DataFrame, words: str) -> bool:
    return bool(table["note"].str.startswith("not testable: ").all() and table["note"].str.contains(words).all())


def test_is_as_declared(trial: Trial, tmp_path: Path) -> None:
    rates, subjects, doses = trial
    table = compare(rates, subjects.assign(responder=["a", "b", "c", "c", "d"] * 2), "responder", (), doses)
    write_table(table, tmp_path / "compare.tsv")
    read = read_table(tmp_path / "compare.tsv", COMPARE)
    assert list(read) == COMPARE.names
    assert len(read) == 3 * (1 + 3 * 6)
    pd.testing.assert_frame_equal(read.reset_index(drop=True), table, check_dtype=False)


def test_several_groups_have_an_overall_row_and_q_values_over_the_pairs(trial: Trial) -> None:
    rates, subjects, _ = trial
    arms = subjects.assign(arm=["b", "placebo", "a", "a", "placebo", "b", "a", "b", "a", "placebo"])
    table = compare(rates, arms, "arm", DEPLETION)
    assert table["groups"].tolist() == [
        "placebo / a / b",
        *(3 * ["a - placebo", "b - placebo", "b - a"]),
    ]
    assert table["method"].value_counts().to_dict() == {COMPARE_METHODS[0]: 4, **dict.fromkeys(COMPARE_METHODS[1:], 3)}
    overall = table.iloc[0]
    value = rates.groupby("subject")["depletion_rate"].mean()
    labels = arms.set_index("subject")["arm"]
    between = sum(len(own) * (own.mean() - value.mean()) ** 2 for _, own in value.groupby(labels))
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1000):
        mixed = pd.Series(rng.permutation(labels.to_numpy()), index=labels.index)
        drawn.append(sum(len(own) * (own.mean() - value.mean()) ** 2 for _, own in value.groupby(mixed)))
    assert overall["p_value"] == pytest.approx(np.mean(np.array(drawn) >= between - 1e-12), abs=0.05)
    assert np.isnan(overall["q_value"])
    assert np.isnan(overall["effect"])
    for _, own in table.iloc[1:].groupby("method"):
        p = own["p_value"].to_numpy()
        order = np.argsort(p)
        q = np.minimum.accumulate((p[order] * 3 / np.arange(1, 4))[::-1])[::-1]
        assert own["q_value"].to_numpy()[order] == pytest.approx(np.minimum(q, 1))


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), drop=st.booleans(), strata=st.booleans(), age=st.booleans())
def test_order_is_irrelevant_and_exchanging_groups_negates(seed: int, drop: bool, strata: bool, age: bool) -> None:
    rng = np.random.default_rng(seed)
    rates, subjects, doses = rates_and_subjects(rng, subjects=9, donors=3, drop_out=0.3 * drop)
    subjects = subjects.assign(centre=["x", "y", "y"] * 3, age=rng.normal(60, 9, 9))
    of = {
        "doses": doses,
        "permutations": 99,
        "strata": "centre" if strata else None,
        "covariates": ["age"] if age else [],
    }
    table = compare(rates, subjects, "responder", DEPLETION, **of)
    mixed = compare(
        rates.sample(frac=1, random_state=seed),
        subjects.sample(frac=1, random_state=seed),
        "responder",
        DEPLETION,
        **of,
    )
    pd.testing.assert_frame_equal(table, mixed, check_exact=True)
    other = compare(rates, subjects, "responder", DEPLETION, group_order=["yes", "no"], **of)
    assert other["groups"].eq("no - yes").all()
    for column in ("effect", "hodges_lehmann", "cliffs_delta"):
        assert other[column].to_numpy() == pytest.approx(-table[column].to_numpy(), rel=1e-5, abs=1e-9, nan_ok=True)
    assert other["ci_low"].to_numpy() == pytest.approx(-table["ci_high"].to_numpy(), rel=1e-5, abs=1e-7, nan_ok=True)
    assert other["ratio"].to_numpy() == pytest.approx(1 / table["ratio"].to_numpy(), rel=1e-5, nan_ok=True)
    assert other["p_value"].to_numpy() == pytest.approx(table["p_value"].to_numpy(), rel=1e-4, nan_ok=True)


def test_same_seed_same_table(trial: Trial) -> None:
    rates, subjects, doses = trial
    of = {"doses": doses, "permutations": 50, "seed": 3, "interval": "bca"}
    pd.testing.assert_frame_equal(
        compare(rates, subjects, "responder", **of), compare(rates, subjects, "responder", **of)
    )
    assert compare(rates, subjects, "responder", **of)["scheme"].dropna().eq("monte_carlo").all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"responder": None}, "no subject has a value of responder"),
        ({"responder": "yes"}, r"all subjects are in one group \(yes\)"),
        ({"responder": ["yes", *["no"] * 9]}, "group yes has one subject"),
    ],
)
def test_groups_that_cannot_be_compared(trial: Trial, change: dict[str, object], words: str) -> None:
    rates, subjects, doses = trial
    table = compare(rates, subjects.assign(**change), "responder", DEPLETION, doses)
    assert table["method"].tolist() == list(COMPARE_METHODS)
    assert untestable(table, words)
    assert table[["p_value", "ci_low", "ci_high"]].isna().loc[table["method"] != "pooled_wilcoxon"].all(axis=None)
    assert table["p_value"].isna().all()


def test_rates_that_cannot_be_compared(trial: Trial) -> None:
    rates, subjects, doses = trial
    yes = rates["subject"].map(subjects.set_index("subject")["responder"]) == "yes"
    for gone, words in ((yes, "depletion_rate has no value in yes"), (yes | ~yes, "has no value in no and yes")):
        table = compare(
            rates.assign(depletion_rate=rates["depletion_rate"].mask(gone)), subjects, "responder", DEPLETION
        )
        assert untestable(table, words)
    table = compare(rates, subjects, "responder", DEPLETION, window=(1000, 2000))
    assert untestable(table, "no value in no and yes from day 1000 to 2000")
    assert table["n_left_out_1"].eq(5).all()
    table = compare(rates.assign(depletion_rate=0.0), subjects, "responder", DEPLETION, doses).set_index("method")
    assert table.loc["subject_permutation", ["effect", "p_value"]].tolist() == [0, 1]
    assert table.loc["mixed_model", "note"].startswith("not testable: all values are equal")
    table = compare(rates[rates["subject"] == "R001"], subjects, "responder", DEPLETION)
    assert untestable(table, "all subjects are in one group")
    assert table["n_subjects"].eq(1).all()
    assert untestable(compare(rates.iloc[:0], subjects, "responder", DEPLETION), "no subject has a value")


def test_two_against_two_is_compared(trial: Trial) -> None:
    rates, subjects, _ = trial
    few = subjects.groupby("responder").head(2)
    table = compare(rates[rates["subject"].isin(few["subject"])], few, "responder", DEPLETION).set_index("method")
    assert table.loc["subject_permutation", "p_floor"] == pytest.approx(1 / 3)
    assert table.loc["mixed_model", "df"] == 2
    assert "given up: log baseline_taxa, log baseline_limit" in table.loc["mixed_model", "note"]


def test_subjects_without_doses_have_other_rates(trial: Trial) -> None:
    rates, subjects, doses = trial
    arm = pd.Series(["fmt", "placebo"] * 5)
    treated = rates["subject"].map(dict(zip(subjects["subject"], arm == "fmt", strict=True)))
    rates = rates.assign(donor_products=treated.astype(int), engraftment_rate=rates["engraftment_rate"].where(treated))
    doses = doses[doses["subject"].isin(rates.loc[treated, "subject"])]
    names = ["engraftment_rate", "depletion_rate", "depletion_rate_donor_absent", "lost_taxa", "engrafted"]
    table = compare(rates, subjects.assign(arm=arm), "arm", names, doses)
    for name in ("engraftment_rate", "depletion_rate_donor_absent", "engrafted"):
        assert untestable(table[table["rate"] == name], "without doses the donor set is empty.*microbiome nulls")
    rest = table[table["rate"].isin(["depletion_rate", "lost_taxa"])]
    assert rest["p_value"].notna().all()
    assert rest["note"].str.contains("donor").sum() == rest["note"].str.contains("conditional on the one donor").sum()
    among = compare(rates, subjects, "responder", ["engraftment_rate"], doses)
    assert among["n_subjects"].eq(5).all()


def test_few_donors_and_confounded_donors_are_said(trial: Trial) -> None:
    rates, subjects, doses = trial
    table = compare(rates, subjects, "responder", DEPLETION, doses)
    assert table["note"].str.contains("conditional on these 2 donors").all()
    assert table["n_donors"].eq(2).all()
    assert not table["note"].str.contains("confounded").any()
    by_donor = dict(zip(doses["subject"], doses["donor"], strict=True))
    same = subjects.assign(responder=subjects["subject"].map(by_donor).map({"D1": "yes", "D2": "no"}))
    table = compare(rates, same, "responder", DEPLETION, doses).set_index("method")
    assert table["note"].str.contains(r"confounded: no donor has recipients in both groups \(no: D2; yes: D1\)").all()
    assert np.isnan(table.loc["mixed_model", "p_value"])
    assert table.loc["mixed_model", "note"].startswith("not testable: ")
    some = same.assign(responder=["yes", "no", "yes", "no", "yes", "no", "no", "no", "no", "no"])
    table = compare(rates, some, "responder", DEPLETION, doses)
    assert table["note"].str.contains("confounded: all 3 of yes received D1, of no 2 of 7").all()
    assert table["p_value"].notna().all()
    none = compare(rates, subjects, "responder", DEPLETION)
    assert none["n_donors"].isna().all()


def test_by_donor(trial: Trial) -> None:
    rates, subjects, doses = trial
    more = pd.concat([doses, doses[doses["subject"].isin(["R001", "R003"])].assign(donor="D2", day=14)])
    table = compare(rates, subjects, "donor", DEPLETION, more)
    pairs = table.loc[table["method"] == "mixed_model", "groups"].tolist()
    assert pairs == ["D1+D2 - D1", "D2 - D1", "D2 - D1+D2"]
    assert not table["covariates"].astype(str).str.contains("donor").any()


def test_depth_that_differs_is_said_in_every_row(trial: Trial, caplog: pytest.LogCaptureFixture) -> None:
    rates, subjects, doses = trial
    yes = rates["subject"].map(subjects.set_index("subject")["responder"]) == "yes"
    rates = rates.assign(post_limit=np.where(yes, 1e-4, 2e-5), baseline_limit=2e-5)
    with caplog.at_level(logging.WARNING):
        table = compare(rates, subjects, "responder", ["depletion_rate", "engraftment_rate"], doses)
    words = "post samples of no are 5.0 times deeper than post samples of yes"
    assert table["note"].str.contains(words).all()
    assert sum(words in message for message in caplog.messages) == 1
    assert "baselines" not in " ".join(caplog.messages)


def test_who_is_left_out_is_named(trial: Trial, caplog: pytest.LogCaptureFixture) -> None:
    rates, subjects, _ = trial
    subjects = subjects.assign(responder=["yes"] * 4 + ["no"] * 5 + [None], age=[None, *range(9)])
    with caplog.at_level(logging.WARNING):
        table = compare(rates, subjects, "responder", DEPLETION, covariates=["age"])
    assert "R010" in " ".join(caplog.messages)
    assert table["note"].str.contains("without a value of responder, left out: R010").all()
    assert table["note"].str.contains("covariate or stratum missing, left out: R001").all()
    assert table["n_left_out_2"].eq(1).all()
    assert table["n_subjects"].eq(8).all()


def test_response_is_derived_from_best_response(trial: Trial) -> None:
    rates, subjects, _ = trial
    best = subjects["responder"].map({"yes": "PR", "no": "PD"})
    derived = compare(
        rates, pd.DataFrame({"subject": subjects["subject"], "best_response": best}), "responder", DEPLETION
    )
    pd.testing.assert_frame_equal(derived, compare(rates, subjects, "responder", DEPLETION))


def test_covariates_of_subjects_and_samples(trial: Trial) -> None:
    rates, subjects, _ = trial
    subjects = subjects.assign(sex=["f", "m"] * 5, site=["u", "v", "w", "u", "v"] * 2)
    samples = rates[["sample"]].assign(score=np.arange(len(rates)) % 7)
    of = {"covariates": ["sex", "site", "score"], "samples": samples}
    table = compare(rates, subjects, "responder", DEPLETION, **of).set_index("method")
    assert table.loc["subject_permutation", "covariates"] == "sex, site, score"
    assert table.loc["mixed_model", "covariates"].startswith("sex, site, score")
    means = rates.assign(score=samples["score"]).groupby("subject")[["depletion_rate", "score"]].mean()
    x = pd.get_dummies(subjects.set_index("subject")[["responder", "sex", "site"]], drop_first=True).astype(float)
    x = x.assign(one=1.0, score=means["score"])
    beta = np.linalg.lstsq(x.to_numpy(), means["depletion_rate"].to_numpy(), rcond=None)[0]
    assert table.loc["subject_permutation", "effect"] == pytest.approx(beta[0])
    assert "Freedman-Lane" in table.loc["subject_permutation", "note"]
    assert "not adjusted" in table.loc["pooled_wilcoxon", "note"]
    explained = compare(rates, subjects.assign(copy=subjects["responder"]), "responder", DEPLETION, covariates=["copy"])
    assert explained["note"].iloc[:2].str.startswith("not testable: the group").all()


def test_any_column_of_numbers_can_be_compared(trial: Trial) -> None:
    rates, subjects, _ = trial
    text = rates.assign(strain_rate=rates["engraftment_rate"].map(str))[["subject", "sample", "day", "strain_rate"]]
    table = compare(text, subjects, "responder", ["strain_rate"]).set_index("method")
    assert table.loc["subject_permutation", "p_value"] >= table.loc["subject_permutation", "p_floor"]
    assert table.loc["mixed_model", "scale"] == "difference"
    assert "analysed as it is" in table.loc["mixed_model", "note"]
    count = compare(rates, subjects, "responder", ["lost_taxa"])
    assert count["note"].str.contains("a count, which follows baseline richness").all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "respnder"}, "did you mean 'responder'"),
        ({"by": "donor"}, "need the doses table"),
        ({"rate": ["depletion"]}, "did you mean 'depletion_rate'"),
        ({"rate": ["baseline_sample"]}, "no column 'baseline_sample'"),
        ({"covariates": ["agee"]}, "did you mean 'age'"),
        ({"covariates": ["responder"]}, "cannot be held constant"),
        ({"strata": "center"}, "did you mean 'centre'"),
        ({"group_order": ["Yes"]}, "there is no group 'Yes'"),
        ({"window": (60, 20)}, "not a first and a last day"),
        ({"permutations": 0}, "0 permutations"),
        ({"interval": "wald"}, "no interval is named 'wald'"),
        ({"level": 95}, "not between 0 and 1"),
    ],
)
def test_refuses(trial: Trial, options: dict[str, object], words: str) -> None:
    rates, subjects, _ = trial
    subjects = subjects.assign(age=range(10), centre=["a", "b"] * 5)
    with pytest.raises(InputError, match=re.escape(words)):
        compare(rates, subjects, **({"by": "responder"} | options))  # type: ignore[arg-type]


def test_names_all_problems_at_once(trial: Trial) -> None:
    rates, subjects, _ = trial
    with pytest.raises(InputError) as error:
        compare(rates, subjects, "arm", ["lost"], covariates=["x"], strata="y", permutations=0)
    assert len(error.value.problems) == 5
    with pytest.raises(InputError, match="stands twice"):
        compare(pd.concat([rates, rates.iloc[:1]]), subjects, "responder")
    with pytest.raises(InputError, match="not a number"):
        compare(rates.assign(depletion_rate="high"), subjects, "responder", DEPLETION)
    many, persons, _ = rates_and_subjects(np.random.default_rng(0), subjects=40, days=(28,))
    with pytest.raises(InputError, match="too many to be groups"):
        compare(many, persons.assign(age=range(40)), "age")


def test_command(trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates, subjects, doses = trial
    for name, frame in (("rates", rates), ("subjects", subjects.assign(age=range(10))), ("doses", doses)):
        write_table(frame, tmp_path / f"{name}.tsv")
    common = ["--rates", str(tmp_path / "rates.tsv"), "--subjects", str(tmp_path / "subjects.tsv")]
    call = ["compare", *common, "--by", "responder", "--rate", "depletion_rate", "--seed", "4"]
    call += [
        "--doses",
        str(tmp_path / "doses.tsv"),
        "--window",
        "7",
        "60",
        "--covariate",
        "age",
        "--permutations",
        "99",
    ]
    assert main([*call, "-o", str(tmp_path / "out.tsv")]) == 0
    expected = compare(
        rates,
        subjects.assign(age=range(10)),
        "responder",
        DEPLETION,
        doses,
        window=(7, 60),
        covariates=["age"],
        permutations=99,
        seed=4,
    )
    read = read_table(tmp_path / "out.tsv", COMPARE).reset_index(drop=True)
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)
    capsys.readouterr()
    assert main(["compare", *common, "--by", "respnder"]) == 2
    assert "did you mean 'responder'" in capsys.readouterr().err


def test_two_thousand_samples_take_seconds() -> None:
    rates, subjects, doses = rates_and_subjects(np.random.default_rng(1), subjects=500, donors=5)
    start = time.process_time()
    table = compare(rates, subjects, "responder", (), doses)
    assert time.process_time() - start < 10
    assert table["n_samples"].eq(2000).all()
    assert table["p_value"].notna().all()


def test_who_has_no_value_on_any_day_is_named() -> None:
    subjects = pd.DataFrame(
        {
            "subject": [*"abcdefgh", "D"],
            "arm": [*["fmt"] * 8, None],
            "responder": ["yes"] * 4 + ["no"] * 4 + [None],
        },
        dtype=object,
    )
    rows = [(name, f"{name}.28", 28, 0.1 * i) for i, name in enumerate("abcdefg")]
    rates = pd.DataFrame(rows, columns=["subject", "sample", "day", "depletion_rate"])
    rates.loc[rates["subject"] == "c", "depletion_rate"] = np.nan
    row = compare(rates, subjects, "responder", ["depletion_rate"]).set_index("method").loc["subject_permutation"]
    assert "no value on any day: c" in row["note"]
    assert "without a post sample or a group: h" in row["note"]
    assert row["n_subjects"] == 6


def test_strata_that_hold_one_group_each_cannot_be_tested() -> None:
    subjects = pd.DataFrame(
        {"subject": [*"abcdef"], "responder": ["yes"] * 3 + ["no"] * 3, "centre": ["X"] * 3 + ["Y"] * 3}, dtype=object
    )
    rows = [(name, f"{name}.28", 28, 0.1 * i) for i, name in enumerate("abcdef")]
    rates = pd.DataFrame(rows, columns=["subject", "sample", "day", "depletion_rate"])
    found = compare(rates, subjects, "responder", ["depletion_rate"], strata="centre").set_index("method")
    assert found.loc["subject_permutation", "note"].startswith("not testable: ")
    assert np.isnan(found.loc["subject_permutation", "p_value"])
