"""Associations equal R: cor.test, ranks by lm, glm, lm, lme, analysis of covariance, Firth's likelihood by optim."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from associate_tables import measured, study_of

from microbiome.associate import associate
from microbiome.associate.logistic import logistic_fits
from microbiome.associate.random_intercepts import random_intercepts
from microbiome.stats.mixed import fit_nested


@pytest.fixture(scope="module")
def expected(golden: Path) -> pd.DataFrame:
    table = pd.read_csv(golden / "associate_expected.tsv", sep="\t", float_precision="round_trip")
    return table.pivot_table(index=["method", "feature_1", "feature_2"], columns="quantity", values="value")


@pytest.fixture(scope="module")
def subjects(golden: Path) -> pd.DataFrame:
    return pd.read_csv(golden / "associate_subjects.tsv", sep="\t")


def check(found: pd.DataFrame, expected: pd.DataFrame, method: str, tolerance: float = 1e-8) -> None:
    """Compare every number that R has of a method with the row of the pair."""
    wanted = expected.loc[method].dropna(axis=1, how="all")
    own = found.set_index(["feature_1", "feature_2"]).loc[wanted.index, list(wanted.columns)].astype(float)
    assert len(own) == len(wanted) > 0
    pd.testing.assert_frame_equal(own, wanted, check_names=False, check_like=True, rtol=tolerance, atol=tolerance)


def tables_of(subjects: pd.DataFrame) -> list:
    days = [0] * len(subjects)
    return [
        measured(
            name,
            subjects[[column for column in subjects if column[0] == name[0] and len(column) == 2]],
            subjects["subject"],
            days,
        )
        for name in ("taxa", "metabolites")
    ]


def test_spearman(subjects: pd.DataFrame, expected: pd.DataFrame) -> None:
    taxa, metabolites = tables_of(subjects)
    found, _ = associate([taxa], study_of(subjects), ["age"], [metabolites], permutations=0)
    assert found["method"].eq("spearman").all()
    check(found, expected, "spearman")


def test_partial_spearman(subjects: pd.DataFrame, expected: pd.DataFrame) -> None:
    taxa, metabolites = tables_of(subjects)
    found, _ = associate([taxa], study_of(subjects), [], [metabolites], covariates=["age", "bmi"], permutations=0)
    assert found["method"].eq("partial_spearman").all()
    check(found, expected, "partial_spearman")


def test_groups(subjects: pd.DataFrame, expected: pd.DataFrame) -> None:
    found, _ = associate(tables_of(subjects)[:1], study_of(subjects), ["arm"], group_order=["placebo"], permutations=99)
    assert found["method"].eq("permutation").all()
    assert found[["group", "reference"]].drop_duplicates().to_numpy().tolist() == [["fmt", "placebo"]]
    check(found, expected, "permutation")


def test_presence(subjects: pd.DataFrame, expected: pd.DataFrame) -> None:
    taxa = tables_of(subjects)[0]
    found, _ = associate(
        [taxa], study_of(subjects), ["arm", "age"], part=["presence"], group_order=["placebo"], permutations=99
    )
    check(found, expected, "logistic", 2e-6)
    separated = found.set_index(["feature_1", "feature_2"]).loc[("t4", "arm")]
    assert "separated" in separated["note"]
    assert separated["ci_low"] > 0
    assert separated["p_value"] == separated["p_floor"] == 0.01


def test_maximum_likelihood(subjects: pd.DataFrame, expected: pd.DataFrame) -> None:
    group = (subjects["arm"] == "fmt").to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(group)), group])
    for (taxon, _), row in expected.loc["glm"].iterrows():
        there = (subjects[taxon] > 0).to_numpy(dtype=float)
        fit = logistic_fits(there[np.newaxis], design[np.newaxis], 1, firth=False)
        numbers = [float(side[0]) for side in (fit.coefficient, fit.low, fit.high, fit.ratio)]
        # MASS interpolates the profile by splines.
        assert numbers[0] == pytest.approx(row["effect"], abs=1e-6)
        assert numbers[3] == pytest.approx(row["statistic"], abs=1e-7)
        assert numbers[1:3] == pytest.approx([row["ci_low"], row["ci_high"]], abs=2e-3)


def test_maximum_likelihood_has_no_estimate_where_groups_separate() -> None:
    group = np.repeat([0.0, 1.0], 5)
    fit = logistic_fits(group[np.newaxis], np.column_stack([np.ones(10), group])[np.newaxis], 1, firth=False)
    assert np.isnan(fit.coefficient[0])


@pytest.mark.parametrize(("covariates", "method"), [([], "least_squares"), (["age"], "least_squares_adjusted")])
def test_abundance(subjects: pd.DataFrame, expected: pd.DataFrame, covariates: list[str], method: str) -> None:
    found, _ = associate(
        tables_of(subjects)[:1], study_of(subjects), ["arm"], part=["abundance"], group_order=["placebo"],
        covariates=covariates,
    )  # fmt: skip
    check(found, expected, method)
    assert found.set_index("feature_1").loc["t4", "note"].startswith("not testable: no subject of group placebo")


@pytest.fixture(scope="module")
def repeated(golden: Path) -> pd.DataFrame:
    return pd.read_csv(golden / "associate_rows.tsv", sep="\t")


@pytest.mark.parametrize(("covariates", "method"), [([], "mixed_model"), (["bmi"], "mixed_model_adjusted")])
def test_mixed_model(
    repeated: pd.DataFrame, subjects: pd.DataFrame, expected: pd.DataFrame, covariates: list[str], method: str
) -> None:
    table = measured("taxa", repeated[["t1", "t2"]], repeated["subject"], repeated["day"])
    found, _ = associate(
        [table], study_of(subjects), ["arm", "age", "day"], at=["all"], group_order=["placebo"], covariates=covariates
    )
    assert found["method"].eq("mixed_model").all()
    check(found, expected, method, 1e-5)
    assert found["n_samples"].eq(len(repeated)).all()
    assert found["n_subjects"].eq(repeated["subject"].nunique()).all()


def test_repeated_measures_correlation(repeated: pd.DataFrame, subjects: pd.DataFrame, expected: pd.DataFrame) -> None:
    tables = [
        measured(name, repeated[columns], repeated["subject"], repeated["day"])
        for name, columns in (("taxa", ["t1", "t2"]), ("metabolites", ["m1", "m2"]))
    ]
    found, _ = associate(tables[:1], study_of(subjects), others=tables[1:], at=["all"])
    assert found["method"].eq("rm_corr").all()
    check(found, expected, "rm_corr", 1e-9)
    both = repeated.dropna(subset=["m1"])
    row = found.set_index(["feature_1", "feature_2"]).loc[("t1", "m1")]
    assert (row["n_samples"], row["n_subjects"]) == (len(both), both["subject"].nunique())


@pytest.mark.parametrize("seed", range(4))
def test_many_mixed_models_at_once_equal_one_at_a_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(9), rng.integers(1, 5, 9))
    x = np.column_stack([np.ones(len(unit)), rng.normal(size=9)[unit], rng.normal(size=len(unit))])
    y = rng.normal(size=(9, 12))[unit] * rng.choice([0, 0.3, 3], 12) + rng.normal(size=(len(unit), 12))
    for place in (1, 2):
        found = random_intercepts(y, x, unit, place)
        assert found.converged.all()
        for i in range(12):
            one = fit_nested(y[:, i], x, unit)
            assert found.coefficient[i] == pytest.approx(one.coefficients[place], rel=1e-5, abs=1e-6)
            assert found.variance[i] == pytest.approx(one.covariance[place, place], rel=1e-5)


def test_subjects_alike_in_all_that_is_regressed_on_may_be_counted_together() -> None:
    rng = np.random.default_rng(2)
    group, stratum = rng.integers(0, 2, 40), rng.integers(0, 3, 40)
    design = np.column_stack([np.ones(40), stratum == 1, stratum == 2, group]).astype(float)
    there = (rng.random((25, 40)) < rng.random((25, 1))).astype(float)
    there[3], there[4], there[5] = there[2], 0, group
    # Each fit with a design of its own is not gathered.
    alone = logistic_fits(there, np.repeat(design[np.newaxis], 25, axis=0), 3)
    together = logistic_fits(there, np.broadcast_to(design, (25, *design.shape)), 3)
    for one, other in zip(astuple(alone), astuple(together), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)
    assert np.isfinite(together.coefficient).all()
