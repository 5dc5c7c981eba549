"""Where a table of associations could mislead: confounders, depth, censored times, what could have been found."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from associate_tables import cross_section, measured, study_of
from scipy import stats

from microbiome.associate import associate
from microbiome.associate.detectable import detectable
from microbiome.associate.presence_abundance import presence
from microbiome.associate.subject_level import Settings, grouped
from microbiome.associate.within import within_subjects
from microbiome.errors import InputError


def test_presence_and_group_that_follow_one_covariate_are_not_associated() -> None:
    """Permuted residuals reject .15 to .2 here at every number of subjects."""
    rng = np.random.default_rng(5)
    p: list[float] = []
    for seed in range(40):
        z = rng.normal(size=24)
        x = 2 * z + rng.normal(size=24)
        y = 2 * z[:, None] + rng.normal(size=(24, 10))
        settings = Settings(permutations=199, seed=seed, covariates=z[:, None])
        found = presence((x > np.median(x)).astype(float)[:, None], (y > 0).astype(float), settings, groups=True)
        assert found.loc[found["p_value"].notna(), "scheme"].eq("likelihood_ratio").all()
        p += found["p_value"].dropna().tolist()
    assert np.mean(np.array(p) <= 0.05) < 0.08


def test_presence_within_strata_is_permuted() -> None:
    values = np.random.default_rng(0).integers(0, 2, (20, 5)).astype(float)
    table, study = cross_section(values)
    found, _ = associate([table], study, ["arm"], part=["presence"], strata="centre", permutations=99)
    assert found["scheme"].eq("monte_carlo").all()


@pytest.mark.parametrize("members", [3, 4])
def test_floor_of_presence_is_the_least_that_as_many_can_give(members: int) -> None:
    x = (np.arange(8) < members).astype(float)[:, None]
    for present in (1, 2, 4, 7):
        every = [np.isin(np.arange(8), some).astype(float) for some in itertools.combinations(range(8), present)]
        for given, groups in ((x, True), (np.array([1.0, 2, 4, 8, 16, 32, 64, 128])[:, None], False)):
            found = presence(given, np.array(every).T, Settings(permutations=10**5), groups)
            assert found["scheme"].eq("exact").all()
            assert found["p_value"].min() == pytest.approx(found["p_floor"].iloc[0], rel=1e-9)


def test_no_effect_is_detectable_of_what_one_subject_has() -> None:
    table, study = cross_section(np.eye(24, 3))
    found, _ = associate([table], study, ["arm"], part=["presence"])
    assert found["p_floor"].eq(1.0).all()  # present in 1 of 24, 12 in each group: either group is as far
    assert found["detectable"].isna().all()


@pytest.mark.parametrize("sizes", [(12, 12), (5, 20)])
def test_detectable_differences_are_detected(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = np.repeat([0.0, 1.0], sizes)
    settings = Settings(permutations=0)
    delta = detectable(grouped(x, rng.normal(size=(len(x), 1)), settings), np.array([0.05]))[0]
    shift = np.sqrt(2) * stats.norm.ppf((delta + 1) / 2)
    found = grouped(x, x[:, None] * shift + rng.normal(size=(len(x), 800)), settings)
    assert (found["p_value"] < 0.05).mean() == pytest.approx(0.81, abs=0.045)


def test_detectable_odds_of_permuted_presence_are_detected() -> None:
    rng = np.random.default_rng(1)
    x = np.repeat([0.0, 1.0], 20)
    half = np.tile([0.0, 1.0], 20)[:, None]
    settings = Settings(permutations=999)
    least = detectable(presence(x[:, None], half, settings, groups=True).assign(group="fmt"), np.array([0.05]))[0]
    there = rng.random((40, 400)) < 1 / (1 + np.exp(-least * (x[:, None] - 0.5)))
    found = presence(x[:, None], there.astype(float), settings, groups=True)
    # By Hsieh's formula alone it would be .68.
    assert 0.72 < (found["p_value"] < 0.05).mean() < 0.86


def test_the_interval_of_three_against_many_is_not_too_short() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat([0.0, 1.0], [21, 3])
    values = np.maximum(rng.normal(size=(24, 600)), 0)
    found = grouped(x, values, Settings(permutations=99))
    # With the degrees of freedom of both groups together .82.
    assert (found["ci_low"].le(0) & found["ci_high"].ge(0)).mean() > 0.95
    assert found["interval"].eq("feng_cliff, t of the smaller group").all()
    even = grouped(np.repeat([0.0, 1.0], [12, 12]), values, Settings(permutations=99))
    assert even["interval"].eq("feng_cliff").all()


# Within subjects


def followed(seed: int, people: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y (0 and 1), subject and day: both follow the day, and not each other."""
    rng = np.random.default_rng(seed)
    unit, day = np.repeat(np.arange(people), 4), np.tile([0.0, 30, 60, 90], people)
    x = day / 30 + rng.normal(size=len(day)) + rng.normal(size=people)[unit]
    y = rng.random((len(day), 10)) < 0.15 + 0.7 * day[:, None] / 90
    return x[:, None], y.astype(float), unit, day[:, None]


def test_presence_within_subjects_with_the_day_held_constant() -> None:
    plain, held = [], []
    for seed in range(12):
        x, y, unit, day = followed(seed)
        plain += within_subjects(x, y, unit, permutations=499, seed=seed)["p_value"].tolist()
        found = within_subjects(x, y, unit, permutations=499, seed=seed, covariates=day)
        held += found["p_value"].tolist()
    assert np.mean(np.array(plain) < 0.05) > 0.5
    assert np.mean(np.array(held) < 0.05) < 0.11
    # The slope is that of least squares with an intercept for each subject.
    design = np.column_stack([x, day, unit[:, None] == np.arange(24)]).astype(float)
    assert found["effect"].to_numpy() == pytest.approx(np.linalg.lstsq(design, y, rcond=None)[0][0])
    explained = within_subjects(day, y, unit, covariates=day)
    assert explained["note"].str.contains("what is held constant explains").all()
    assert explained["p_value"].isna().all()


def test_the_day_is_held_constant_where_the_table_says_so() -> None:
    x, y, unit, day = followed(1)
    names = [f"S{i:02d}" for i in unit]
    taxa, molecules = measured("taxa", y, names, day[:, 0]), measured("m", x, names, day[:, 0])
    subjects = pd.DataFrame({"subject": sorted(set(names)), "arm": ["fmt", "placebo"] * 12})
    tables, options = ([taxa], study_of(subjects)), {"at": ["all"], "part": ["presence"], "permutations": 499}
    held, _ = associate(*tables, ["arm"], [molecules], covariates=["day"], **options)
    plain, _ = associate(*tables, ["arm"], [molecules], **options)
    within = held["method"] == "within_subject"
    assert (held.loc[within, "effect"].to_numpy() < plain.loc[within, "effect"].to_numpy()).all()
    assert held.loc[~within, "note"].str.contains("the day is not held constant").all()


def test_without_permutations_slopes_within_subjects_have_p_from_t() -> None:
    x, y, unit, _ = followed(2)
    found = within_subjects(x, y, unit, permutations=0)
    assert found["scheme"].eq("t").all()
    assert found["p_floor"].isna().all()
    assert found["p_value"].nunique() == 10
    assert ((found["p_value"] < 0.05) == ((found["ci_low"] > 0) | (found["ci_high"] < 0))).all()
    alone = within_subjects(x[:4], np.array([[0.0], [1], [1], [0]]), unit[:4], permutations=0).iloc[0]
    assert np.isnan(alone["p_value"])
    assert alone["note"].startswith("not testable without permutations")


# What is refused or said


def test_what_is_held_constant_is_not_called_constant() -> None:
    table, study = cross_section(np.random.default_rng(0).random((12, 1)))
    found, _ = associate([table], study, ["age"], covariates=["age"], part=["value", "abundance"])
    assert found["note"].str.contains("follow from what is held constant").all()


def test_times_to_events_are_no_numbers() -> None:
    table, study = cross_section(np.random.default_rng(0).random((6, 1)))
    days = [400, 100, 200, 50, 500, 600]
    censored = replace(study, subjects=study.subjects.assign(os_days=days, os_event=[1, 1, 0, 1, 0, 0]))
    for by in ("os_days", "os_days>=365"):
        with pytest.raises(InputError, match="clinical survival"):
            associate([table], censored, [by])
    # Of everybody it is known whether 150 days were reached, and where all died the days are numbers.
    associate([table], censored, ["os_days>=150"])
    associate([table], replace(study, subjects=censored.subjects.assign(os_event=1)), ["os_days"])


def test_an_unknown_group_in_the_order_is_refused() -> None:
    table, study = cross_section(np.random.default_rng(0).random((6, 1)))
    with pytest.raises(InputError, match="there is no group 'control'"):
        associate([table], study, ["arm"], group_order=["control"])


@pytest.mark.parametrize("by", ["arm", "age"])
def test_depth_that_goes_with_what_is_tested_is_said(by: str) -> None:
    table, study = cross_section(np.random.default_rng(0).random((20, 1)))
    table = replace(table, rows=table.rows.assign(sample=list(table.rows.index)))
    of = table.rows["subject"].map(study.subjects.set_index("subject")[by])
    deep = of.eq("fmt") * 1e6 + 1e6 if by == "arm" else of * 1e4
    samples = pd.DataFrame({"sample": table.rows["sample"], "subject": table.rows["subject"], "reads": deep})

    def said(reads: pd.DataFrame, part: str = "presence") -> str:
        return " ".join(associate([table], replace(study, samples=reads), [by], part=[part], permutations=99)[1])

    assert "presence follows depth" in said(samples)
    assert "depth" not in said(samples, "value")
    assert "depth" not in said(samples.assign(reads=1e6))
    assert "which is not known" in said(samples.drop(columns="reads"))


def test_scores_below_zero_have_no_presence() -> None:
    values = np.random.default_rng(0).normal(size=(20, 2))
    values[:, 1] = np.abs(values[:, 1])
    table, study = cross_section(values)
    found, _ = associate([table], study, ["arm"], part=["value", "presence", "abundance"], permutations=99)
    found = found.set_index(["feature_1", "part"])
    for part in ("presence", "abundance"):
        assert np.isnan(found.loc[("f0", part), "p_value"])
        assert "values are below 0" in found.loc[("f0", part), "note"]
    assert found.loc[("f0", "value"), "p_value"] > 0
    assert found.loc[("f1", "abundance"), "n"] == 20


def test_means_of_differing_numbers_of_samples_are_told() -> None:
    names = [f"S{i}" for i in range(8) for _ in range(2)]
    table = measured("taxa", np.random.default_rng(0).random((16, 1)), names, [10, 20] * 7 + [10, 90])
    study = study_of(pd.DataFrame({"subject": sorted(set(names)), "age": np.arange(8.0) ** 2}))
    assert "subjects have 1 to 2 samples" in " ".join(associate([table], study, ["age"], at=["post"], days=[5, 40])[1])
    assert "subjects have" not in " ".join(associate([table], study, ["age"], at=["post"], days=[5, 15])[1])


def test_shares_of_differing_numbers_of_samples_are_told() -> None:
    rng = np.random.default_rng(0)
    names = [f"S{i:02d}" for i in range(24) for _ in range(4 if i < 12 else 1)]
    days = [day for i in range(24) for day in ((0, 10, 30, 90) if i < 12 else (0,))]
    arms = pd.DataFrame({"subject": sorted(set(names)), "arm": ["fmt"] * 12 + ["placebo"] * 12})
    values = (rng.random((len(names), 3)) < 0.2).astype(float)
    options = {"at": ["all"], "part": ["presence"], "permutations": 99}
    found, _ = associate([measured("taxa", values, names, days)], study_of(arms), ["arm"], **options)
    assert found["note"].str.contains("subjects have 1 to 4 samples").all()
    even = [place for place, day in enumerate(days) if day == 0]
    one = measured("taxa", values[even], [names[i] for i in even], [0] * 24)
    assert not associate([one], study_of(arms), ["arm"], **options)[0]["note"].fillna("").str.contains("samples").any()
