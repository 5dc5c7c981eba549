"""The nested random-intercept model: against lme4 and nlme, a dense likelihood, and properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microbiome.compare import compare
from microbiome.stats.mixed import containment_df, fit_nested

FIXED = ("log post_limit", "log baseline_limit", "log baseline_taxa", "log lag")


@pytest.fixture(scope="module")
def data(golden: Path) -> pd.DataFrame:
    table = pd.read_csv(golden / "compare_data.tsv", sep="\t")
    kept = table["baseline_taxa"] - table["lost_taxa"]
    return table.assign(
        y=np.log((table["lost_taxa"] + 0.5) / (kept + 0.5)),
        yes=(table["responder"] == "yes").astype(float),
        **{
            "log post_limit": np.log(table["post_limit"]),
            "log baseline_limit": np.log(table["baseline_limit"]),
            "log baseline_taxa": np.log(table["baseline_taxa"]),
            "log lag": np.log(table["day"] - table["baseline_day"]),
        },
    )


@pytest.fixture(scope="module")
def lmer(golden: Path) -> pd.DataFrame:
    return pd.read_csv(golden / "compare_mixed.tsv", sep="\t").set_index(["set", "model"])


def columns_of(own: pd.DataFrame, model: str) -> tuple[np.ndarray, np.ndarray | None]:
    names = ["yes", *(() if model == "plain" else FIXED), *(("age",) if model == "age" else ())]
    x = own[names].to_numpy(dtype=float)
    if model == "donor_fixed":
        levels = sorted(own["donor"].unique())[1:]
        x = np.column_stack([x, *[(own["donor"] == level).astype(float) for level in levels]])
    return x, own["donor"].to_numpy() if model in ("donor_random", "plain") else None


@pytest.mark.parametrize("model", ["subject", "donor_random", "donor_fixed", "age", "plain"])
@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_equals_lme4_and_nlme(data: pd.DataFrame, lmer: pd.DataFrame, name: str, model: str) -> None:
    own, expected = data[data["set"] == name], lmer.loc[(name, model)]
    x, cluster = columns_of(own, model)
    fit = fit_nested(own["y"], np.column_stack([np.ones(len(x)), x]), own["subject"], cluster)
    assert fit.converged
    assert fit.coefficients[1] == pytest.approx(expected["estimate"], rel=1e-5)
    assert fit.covariance[1, 1] ** 0.5 == pytest.approx(expected["se"], rel=1e-5)
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-7)
    assert fit.unit_variance == pytest.approx(expected["subject_variance"], rel=1e-4)
    assert fit.cluster_variance == pytest.approx(expected["donor_variance"], rel=1e-4, abs=1e-6)
    assert fit.residual_variance == pytest.approx(expected["residual_variance"], rel=1e-4)
    assert containment_df(x, own["subject"], cluster)[0] == expected["containment_df"]


@pytest.mark.parametrize(("name", "model"), [("A", "donor_fixed"), ("B", "donor_random"), ("C", "donor_fixed")])
def test_rows_of_compare_equal_lme4(data: pd.DataFrame, lmer: pd.DataFrame, name: str, model: str) -> None:
    own, expected = data[data["set"] == name], lmer.loc[(name, model)]
    subjects = own.drop_duplicates("subject")[["subject", "responder"]]
    doses = own.drop_duplicates("subject")[["subject", "donor"]].assign(day=0, donor_sample=None)
    table = compare(own.drop(columns=["responder", "donor"]), subjects, "responder", ["depletion_rate"], doses)
    row = table.set_index("method").loc["mixed_model"]
    assert row["scale"] == "log_odds"
    assert row["effect"] == pytest.approx(expected["estimate"], rel=1e-4)
    assert row["ratio"] == pytest.approx(np.exp(expected["estimate"]), rel=1e-4)
    assert row["df"] == expected["containment_df"]
    assert row["p_value"] == pytest.approx(expected["p_value"], rel=1e-4)
    assert ("donor (fixed)" in row["covariates"]) == (model == "donor_fixed")
    assert ("donor a random effect" in str(row["note"])) == (model == "donor_random")


def test_covariate_of_compare_equals_lme4(data: pd.DataFrame, lmer: pd.DataFrame) -> None:
    for name in ("B", "C"):
        own, expected = data[data["set"] == name], lmer.loc[(name, "age")]
        subjects = own.drop_duplicates("subject")[["subject", "responder", "age"]].astype({"age": str})
        table = compare(
            own.drop(columns=["responder", "donor", "age"]),
            subjects,
            "responder",
            ["depletion_rate"],
            covariates=["age"],
        )
        row = table.set_index("method").loc["mixed_model"]
        assert row["effect"] == pytest.approx(expected["estimate"], rel=1e-4)
        assert row["p_value"] == pytest.approx(expected["p_value"], rel=1e-4)
        assert row["covariates"].startswith("age, ")


def dense(
    y: np.ndarray, x: np.ndarray, unit: np.ndarray, cluster: np.ndarray, s2: float, u2: float, v2: float
) -> float:
    """Return the restricted log-likelihood from the whole covariance matrix."""
    same_unit = unit[:, None] == unit[None, :]
    same_cluster = (cluster[:, None] == cluster[None, :]) & (cluster >= 0)[:, None]
    v = s2 * np.eye(len(y)) + u2 * same_unit + v2 * same_cluster
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    n, p = x.shape
    parts = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1] + residual @ inverse @ residual
    return float(-((n - p) * np.log(2 * np.pi) + parts) / 2)


def random_trial(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    units = int(rng.integers(6, 15))
    sizes = rng.integers(1, 5, units)
    sizes[0] = 3
    unit = np.repeat(np.arange(units), sizes)
    cluster = rng.integers(-1, 3, units)[unit]
    group = rng.permutation(np.arange(units) % 2)[unit]
    x = np.column_stack([np.ones(len(unit)), group, rng.normal(size=len(unit))])
    y = rng.normal(0, rng.choice([0, 0.7]), units)[unit] + rng.normal(0, 0.8, 3)[cluster] * (cluster >= 0)
    return y + rng.normal(size=len(unit)), x, unit, cluster


@pytest.mark.parametrize("seed", range(12))
def test_maximises_the_dense_restricted_likelihood(seed: int) -> None:
    y, x, unit, cluster = random_trial(seed)
    names = np.array([None if one < 0 else f"D{one}" for one in cluster], dtype=object)
    fit = fit_nested(y, x, unit, names)
    at = (fit.residual_variance, fit.unit_variance, fit.cluster_variance)
    top = dense(y, x, unit, cluster, *at)
    assert fit.log_likelihood == pytest.approx(top, abs=1e-8)
    for factors in np.stack(np.meshgrid([0.9, 1, 1.1], [0.8, 1, 1.25], [0.8, 1, 1.25]), -1).reshape(-1, 3):
        for extra in (0.0, 0.01):
            near = np.array(at) * factors + np.array([0, extra, extra])
            assert dense(y, x, unit, cluster, *near) <= top + 1e-8
    v = (
        at[0] * np.eye(len(y))
        + at[1] * (unit[:, None] == unit)
        + at[2] * ((cluster[:, None] == cluster) & (cluster >= 0))
    )
    assert fit.covariance == pytest.approx(np.linalg.inv(x.T @ np.linalg.inv(v) @ x), rel=1e-8)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), shift=st.floats(-5, 5), scale=st.floats(0.01, 100))
def test_order_shift_and_scale(seed: int, shift: float, scale: float) -> None:
    y, x, unit, cluster = random_trial(seed)
    names = np.array([None if one < 0 else f"D{one}" for one in cluster], dtype=object)
    fit = fit_nested(y, x, unit, names)
    order = np.random.default_rng(seed).permutation(len(y))
    other = fit_nested(scale * y[order] + shift, x[order], unit[order], names[order])
    assert other.coefficients[1:] == pytest.approx(scale * fit.coefficients[1:], rel=1e-4, abs=1e-4 * scale)
    assert other.coefficients[0] == pytest.approx(scale * fit.coefficients[0] + shift, rel=1e-4, abs=1e-3 * scale)
    assert other.unit_variance == pytest.approx(scale**2 * fit.unit_variance, rel=1e-3, abs=1e-4 * scale**2)


def test_balanced_without_covariates_is_the_anova_of_subject_means() -> None:
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(10), 4)
    group = (np.arange(10) % 2)[unit].astype(float)
    y = rng.normal(0, 1, 10)[unit] + rng.normal(size=40)
    fit = fit_nested(y, np.column_stack([np.ones(40), group]), unit)
    means = y.reshape(10, 4).mean(axis=1)
    one, two = means[::2], means[1::2]
    pooled = ((one - one.mean()) ** 2).sum() + ((two - two.mean()) ** 2).sum()
    assert fit.coefficients[1] == pytest.approx(two.mean() - one.mean())
    assert fit.covariance[1, 1] == pytest.approx(pooled / 8 * (1 / 5 + 1 / 5), rel=1e-6)


def test_degrees_of_freedom_by_level() -> None:
    unit = np.repeat(np.arange(6), 2)
    cluster = np.repeat(["a", "b", "c"], 4)
    between_clusters = (cluster == "a").astype(float)
    between_units = np.repeat([0, 1, 0, 1, 0, 1], 2)
    within = np.tile([0.0, 1.0], 6)
    x = np.column_stack([between_clusters, between_units, within])
    assert containment_df(x, unit).tolist() == [6 - 1 - 2, 6 - 1 - 2, 12 - 6 - 1]
    assert containment_df(x, unit, cluster).tolist() == [3 - 1 - 1, 6 - 3 - 1, 12 - 6 - 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": [1.0, np.nan, 2, 3]}, "missing"),
        ({"x": [[1, 1], [1, 1], [1, 1], [1, 1]]}, "not determined"),
        ({"unit": [1, 2, 3, 4]}, "within units"),
        ({"y": [1.0, 1, 2, 2]}, "within units"),
        ({"cluster": ["a", "b", "c", "c"]}, "different clusters"),
        ({"unit": [1, 1, 2]}, "same length"),
    ],
)
def test_refuses(change: dict[str, list[object]], words: str) -> None:
    given = {"y": [1.0, 2, 3, 5], "x": [[1, 0], [1, 0], [1, 1], [1, 1]], "unit": [1, 1, 2, 2], "cluster": None} | change
    with pytest.raises(ValueError, match=words):
        fit_nested(given["y"], given["x"], given["unit"], given["cluster"])
