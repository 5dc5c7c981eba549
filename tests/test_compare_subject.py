"""Comparison of subject means, and of all samples as published figures do it: against R, naive oracles and traps."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rate_tables import rates_and_subjects

from microbiome.compare import compare
from microbiome.stats import mean_interval

SUBJECT = ("subject_permutation",)


def one_row(table: pd.DataFrame, method: str = "subject_permutation") -> pd.Series:
    return table.set_index("method").loc[method]


@pytest.fixture(scope="module")
def data(golden: Path) -> pd.DataFrame:
    """Every sample is made a visit of its own day, so that all of them count, each the same."""
    table = pd.read_csv(golden / "compare_data.tsv", sep="\t")
    return table[["set", "subject", "sample", "day", "depletion_rate", "responder", "donor", "age"]]


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_subject_means_equal_r(data: pd.DataFrame, golden: Path, name: str) -> None:
    expected = pd.read_csv(golden / "compare_subjects.tsv", sep="\t").set_index("set").loc[name]
    own = data[data["set"] == name]
    # R averages whatever samples there are: one row per subject makes both the same.
    means = own.groupby("subject", as_index=False)["depletion_rate"].mean()
    means = means.assign(sample=means["subject"] + "-mean", day=28)
    subjects = own.drop_duplicates("subject")[["subject", "responder", "donor", "age"]]
    row = one_row(compare(means, subjects, "responder", ["depletion_rate"]))
    assert row["mean_1"] == pytest.approx(expected["mean_no"])
    assert row["mean_2"] == pytest.approx(expected["mean_yes"])
    assert row["effect"] == pytest.approx(expected["mean_yes"] - expected["mean_no"])
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((expected["welch_low"], expected["welch_high"]))
    shift = [row[f"hodges_lehmann{end}"] for end in ("", "_ci_low", "_ci_high")]
    assert shift == pytest.approx([expected[f"shift{end}"] for end in ("", "_low", "_high")], abs=1e-4)
    if not np.isnan(expected["exact_p"]):
        assert row["p_value"] == pytest.approx(expected["exact_p"])
        assert row["scheme"] == "exact"
    adjusted = one_row(compare(means, subjects, "responder", ["depletion_rate"], covariates=["age"]))
    found = adjusted[["effect", "ci_low", "ci_high"]].tolist()
    assert found == pytest.approx([expected[f"age_{end}"] for end in ("effect", "low", "high")])
    assert adjusted["mean_2"] - adjusted["mean_1"] == pytest.approx(adjusted["effect"])
    if all(len(set(own)) == 2 for _, own in subjects.groupby("donor")["responder"]):
        within = one_row(compare(means, subjects, "responder", ["depletion_rate"], strata="donor"))
        found = within[["effect", "ci_low", "ci_high"]].tolist()
        assert found == pytest.approx([expected[f"donor_{end}"] for end in ("effect", "low", "high")])


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_pooled_wilcoxon_equals_r(data: pd.DataFrame, golden: Path, name: str) -> None:
    expected = pd.read_csv(golden / "compare_subjects.tsv", sep="\t").set_index("set").loc[name]
    own = data[data["set"] == name]
    subjects = own.drop_duplicates("subject")[["subject", "responder"]]
    table = compare(own.drop(columns=["responder"]), subjects, "responder", ["depletion_rate"])
    row = one_row(table, "pooled_wilcoxon")
    assert row["p_value"] == pytest.approx(expected["pooled_p"], rel=1e-6)
    assert row["effect"] == pytest.approx(expected["pooled_shift"], abs=1e-4)
    assert row["n_samples"] == len(own)
    assert "rejects 28-30 % of null trials" in row["note"]


def test_exact_p_and_counts_by_hand() -> None:
    rates, subjects, doses = rates_and_subjects(np.random.default_rng(3), subjects=7, responders=3, donors=3)
    row = one_row(compare(rates, subjects, "responder", ["depletion_rate"], doses))
    value = rates.groupby("subject")["depletion_rate"].mean()
    yes = subjects.loc[subjects["responder"] == "yes", "subject"].tolist()

    def difference(names: tuple[str, ...]) -> float:
        inside = value.index.isin(names)
        return float(value[inside].mean() - value[~inside].mean())

    all_ways = [difference(names) for names in itertools.combinations(value.index, 3)]
    observed = difference(tuple(yes))
    share = np.mean(np.abs(all_ways) >= abs(observed) - 1e-12)
    assert row["p_value"] == pytest.approx(share)
    assert (row["permutations"], row["p_floor"], row["scheme"]) == (35, 1 / 35, "exact")
    assert row["effect"] == pytest.approx(observed)
    assert row["ratio"] == pytest.approx(value[yes].mean() / value.drop(yes).mean())
    pairs = [(a, b) for a in value[yes] for b in value.drop(yes)]
    assert row["cliffs_delta"] == pytest.approx(np.mean([np.sign(a - b) for a, b in pairs]))
    assert row["hodges_lehmann"] == pytest.approx(np.median([a - b for a, b in pairs]))
    counts = ["n_subjects", "n_samples", "n_donors", "n_subjects_1", "n_subjects_2", "n_samples_1", "n_samples_2"]
    assert row[counts].tolist() == [7, 28, 3, 4, 3, 16, 12]
    assert row["groups"] == "yes - no"


def test_intervals_of_means_are_logit_t_for_fractions_and_t_for_counts() -> None:
    rates, subjects, _ = rates_and_subjects(np.random.default_rng(8))
    yes = rates["subject"].map(subjects.set_index("subject")["responder"]) == "yes"
    for name, method in (("depletion_rate", "logit_t"), ("lost_taxa", "t")):
        row = one_row(compare(rates, subjects, "responder", [name], methods=SUBJECT))
        interval = mean_interval(rates[~yes].groupby("subject")[name].mean(), method)
        found = row[["mean_1", "mean_1_ci_low", "mean_1_ci_high"]].tolist()
        assert found == pytest.approx([interval.estimate, interval.low, interval.high])
    row = one_row(compare(rates, subjects, "responder", ["depletion_rate"], interval="t", level=0.9, methods=SUBJECT))
    interval = mean_interval(rates[~yes].groupby("subject")["depletion_rate"].mean(), "t", 0.9)
    assert row["mean_1_ci_high"] == pytest.approx(interval.high)


def test_permutation_within_strata_is_exact() -> None:
    rates, subjects, _ = rates_and_subjects(np.random.default_rng(5), subjects=8, responders=4)
    subjects["centre"] = ["a", "a", "a", "b", "b", "b", "b", "c"]
    subjects["responder"] = ["yes", "no", "no", "yes", "yes", "no", "no", "yes"]
    row = one_row(compare(rates, subjects, "responder", ["depletion_rate"], strata="centre"))
    value = rates.groupby("subject")["depletion_rate"].mean().to_numpy()
    statistics = []
    for i in range(3):
        for pair in itertools.combinations(range(3, 7), 2):
            group = np.isin(np.arange(7), [i, *pair]).astype(float)
            x = np.column_stack([np.ones(7), group, np.arange(7) < 3])
            statistics.append(np.linalg.lstsq(x, value[:7], rcond=None)[0][1])
    observed = statistics[[(0, *pair) for pair in itertools.combinations(range(3, 7), 2)].index((0, 3, 4))]
    assert row["effect"] == pytest.approx(observed)
    assert row["p_value"] == pytest.approx(np.mean(np.abs(statistics) >= abs(observed) - 1e-12))
    assert row["permutations"] == 18
    assert row["n_subjects"] == 7
    assert "strata of one group, which tell nothing, are left out: c" in row["note"]


def test_a_window_counts_its_days_only() -> None:
    rates, subjects, _ = rates_and_subjects(np.random.default_rng(6))
    rates = rates[(rates["subject"] != "R001") | (rates["day"] < 28)]
    row = one_row(compare(rates, subjects, "responder", ["depletion_rate"], window=(28, 60)))
    inside = rates[rates["day"].between(28, 60)]
    value = inside.groupby("subject")["depletion_rate"].mean()
    yes = set(subjects.loc[subjects["responder"] == "yes", "subject"])
    assert row["effect"] == pytest.approx(value[value.index.isin(yes)].mean() - value[~value.index.isin(yes)].mean())
    assert row["n_left_out_1"] + row["n_left_out_2"] == 1
    assert row["n_samples"] == 18
    assert row["days"].startswith("days 28 to 60")
    assert "left out: R001" in row["days"]
    assert "left out: 1 of 5" in row["note"]


def rejected(trials: int, seed: int, **options: object) -> dict[str, float]:
    """Return how often each analysis of trials without any effect has p <= 0.05."""
    rng = np.random.default_rng(seed)
    found = dict.fromkeys(("visits", "all samples", "count"), 0)
    for _ in range(trials):
        rates, subjects, _ = rates_and_subjects(rng, **options)  # type: ignore[arg-type]
        # One sample per subject, its mean over all days: what is done where nobody minds who left.
        naive = rates.groupby("subject", as_index=False)[["depletion_rate"]].mean().assign(day=1)
        naive["sample"] = naive["subject"]
        of = {"permutations": 199, "methods": SUBJECT}
        names = ["depletion_rate", "lost_taxa"]
        p = compare(rates, subjects, "responder", names, **of).set_index("rate")["p_value"]  # type: ignore[arg-type]
        q = compare(naive, subjects, "responder", names[:1], **of)["p_value"]  # type: ignore[arg-type]
        found["visits"] += p["depletion_rate"] <= 0.05
        found["count"] += p["lost_taxa"] <= 0.05
        found["all samples"] += q.iloc[0] <= 0.05
    return {name: number / trials for name, number in found.items()}


def test_drop_out_does_not_make_a_difference() -> None:
    found = rejected(40, 1, subjects=30, drop_out=0.6, day_slope=0.45, subject_sd=0.2)
    assert found["all samples"] > 0.4
    assert found["visits"] <= 0.05 + 3 * (0.05 * 0.95 / 40) ** 0.5


def test_count_follows_richness_and_the_rate_does_not() -> None:
    found = rejected(40, 2, subjects=20, richness_effect=0.35, subject_sd=0.2)
    assert found["count"] > 0.4
    assert found["visits"] <= 0.05 + 3 * (0.05 * 0.95 / 40) ** 0.5


def test_an_effect_is_found() -> None:
    rates, subjects, _ = rates_and_subjects(np.random.default_rng(12), subjects=20, effect=1.0)
    table = compare(rates, subjects, "responder", ["depletion_rate"]).set_index("method")
    assert (table["p_value"] < 0.01).all()
    assert (table["ci_low"] > 0).all()
    assert table.loc["mixed_model", "effect"] == pytest.approx(1.0, abs=0.6)
    assert table.loc["mixed_model", "mean_2"] > table.loc["mixed_model", "mean_1_ci_high"]
