"""Nothing true: each method rejects at 0.05 in five of a hundred simulated studies, also with few subjects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from associate_tables import measured, study_of
from scipy import stats

from microbiome.associate import associate
from microbiome.associate.presence_abundance import presence
from microbiome.associate.subject_level import Settings, correlated
from microbiome.molecules import Measured
from microbiome.study import Study

FEATURES = 150


def panel(seed: int, subjects: int, days: tuple[int, ...], name: str = "taxa", transform: str = "none") -> Measured:
    """Zero-inflated log-normal features; a subject's samples are alike in level and in what is there."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(subjects), len(days))
    level = rng.normal(size=(subjects, FEATURES))
    own = rng.normal(size=(subjects, FEATURES))[who] + rng.normal(size=(len(who), FEATURES))
    values = np.exp(level[who] + rng.normal(size=(len(who), FEATURES)))
    values[own < stats.norm.ppf(rng.uniform(0, 0.6, FEATURES)) * np.sqrt(2)] = 0
    names = [f"S{i:02d}" for i in who]
    below = np.where(values < 0.2, 0.2, np.nan) if transform == "log" else None
    values = values if below is None else np.where(np.isnan(below), values, np.nan)
    return measured(name, values, names, list(days) * subjects, below, transform)


def people(seed: int, subjects: int) -> Study:
    rng = np.random.default_rng([seed, 1])
    names = [f"S{i:02d}" for i in range(subjects)]
    table = pd.DataFrame({"subject": names, "age": rng.normal(60, 9, subjects), "bmi": rng.normal(26, 4, subjects)})
    table["arm"] = rng.permutation(np.where(np.arange(subjects) < 0.4 * subjects, "fmt", "placebo"))
    table["centre"] = np.where(rng.random(subjects) < 0.5, "a", "b")
    return study_of(table)


def rejected(found: pd.DataFrame) -> pd.Series:
    """Share of p < 0.05 among the tested, by kind of test; tests that cannot reach 0.05 do not count."""
    tested = found[found["p_value"].notna() & ~(found["p_floor"] > 0.05)]
    return tested["p_value"].lt(0.05).groupby([tested[name] for name in ("method", "at", "part", "feature_2")]).mean()


def check(tables: list[pd.DataFrame], most: float = 0.075) -> None:
    share = pd.concat([rejected(table) for table in tables], axis=1).mean(axis=1)
    assert (share < most).all(), share
    # Presence is discrete, and its tests cannot spend all of their level.
    continuous = share[share.index.get_level_values("part") != "presence"]
    assert (continuous > 0.028).all(), share


@pytest.mark.parametrize("subjects", [10, 24])
def test_one_value_per_subject(subjects: int) -> None:
    check(
        [
            associate(
                [panel(seed, subjects, (0, 20, 60))], people(seed, subjects), ["arm", "age"],
                at=["baseline", "post", "change"], part=["value", "presence", "abundance"], permutations=199, seed=seed,
            )[0]
            for seed in range(4)
        ],
        0.09,
    )  # fmt: skip


def test_covariates_and_strata() -> None:
    check(
        [
            associate(
                [panel(seed, 16, (0,))], people(seed, 16), ["arm", "age"], covariates=["bmi"], strata="centre",
                permutations=199, seed=seed,
            )[0]
            for seed in range(5)
        ],
        0.08,
    )  # fmt: skip


def test_repeated_measures() -> None:
    check(
        [
            associate(
                [panel(seed, 12, (-5, 10, 30, 90), transform="log")], people(seed, 12), ["arm", "age", "day"],
                at=["all"], part=["value", "presence"], permutations=199, seed=seed,
            )[0]
            for seed in range(6)
        ],
        0.08,
    )  # fmt: skip


def small(table: Measured) -> Measured:
    return replace(
        table,
        values=table.values.iloc[:, :20],  # noqa: PD011
        below=table.below if table.below.empty else table.below.iloc[:, :20],
    )


def test_features_against_features() -> None:
    found = []
    for seed in range(3):
        taxa = small(panel(seed, 12, (0, 20, 60)))
        molecules = small(panel(seed + 100, 12, (0, 20, 60), "molecules", "log"))
        options = {"at": ["baseline", "post", "change", "all"], "permutations": 199, "seed": seed}
        table, _ = associate([taxa], people(seed, 12), others=[molecules], **options)
        found.append(table.assign(feature_2="molecules"))
    check(found, 0.08)


def test_pooled_samples_would_reject_too_often() -> None:
    """The panel has what makes repeated samples dependent: taken for independent they reject far more often."""
    table, study = panel(1, 12, (-5, 10, 30, 90)), people(1, 12)
    arm = study.subjects.set_index("subject")["arm"].reindex(table.rows["subject"]).to_numpy()
    values = table.values.to_numpy()  # noqa: PD011
    p = stats.mannwhitneyu(values[arm == "fmt"], values[arm == "placebo"]).pvalue
    assert (p < 0.05).mean() > 0.15


def test_planted_links_are_found_and_few_others() -> None:
    """Ten of 900 pairs are linked (rho about 0.7, 40 subjects): power, and the share of false ones among q < 0.1."""
    found, false = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(40, 30)), rng.normal(size=(40, 30))
        y[:, :10] = 0.75 * x[:, :10] + np.sqrt(1 - 0.75**2) * y[:, :10]
        names = [f"S{i:02d}" for i in range(40)]
        tables = [measured(name, np.exp(side), names, [0] * 40) for name, side in (("taxa", x), ("molecules", y))]
        table, _ = associate(tables[:1], people(seed, 40), others=tables[1:], permutations=19999, seed=seed)
        called = table[table["q_value"] < 0.1]
        true = (called["feature_1"] == called["feature_2"]) & called["feature_1"].isin([f"f{i}" for i in range(10)])
        found.append(true.sum() / 10)
        false.append(1 - true.mean() if len(called) else 0.0)
        assert table["detectable_family"].between(0.5, 0.75).all()
    assert np.mean(found) > 0.8
    assert np.mean(false) < 0.2


@pytest.mark.parametrize("r", [0.0, 0.7])
def test_intervals_of_correlations_cover(r: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 500))
    y = r * x + np.sqrt(1 - r**2) * rng.normal(size=x.shape)
    rows = pd.concat([correlated(x[:, [i]], y[:, [i]], Settings(0)) for i in range(500)])
    rho = 6 / np.pi * np.arcsin(r / 2)
    assert rows["ci_low"].le(rho).mul(rows["ci_high"].ge(rho)).mean() == pytest.approx(0.96, abs=0.025)


@pytest.mark.parametrize("log_odds", [0.0, 2.0])
def test_intervals_of_presence_cover(log_odds: float) -> None:
    rng = np.random.default_rng(1)
    group = np.repeat([0.0, 1.0], 10)
    there = rng.random((800, 20)) < 1 / (1 + np.exp(0.7 - log_odds * group))
    rows = presence(group[:, np.newaxis], there.astype(float).T, Settings(0), groups=True).dropna(subset="effect")
    assert rows["ci_low"].le(log_odds).mul(rows["ci_high"].ge(log_odds)).mean() == pytest.approx(0.96, abs=0.025)
