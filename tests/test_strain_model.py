"""The two-part model: its mathematics against scipy, its fits and probabilities against simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from strain_pairs import STUDY, pairs_of, study_of

from microbiome.strains.model import fit_models, judge
from microbiome.strains.parts import (
    FLOOR,
    GRID,
    SIZE,
    TAIL,
    Parts,
    base_parts,
    evidence,
    fit,
    likelihood,
    share_of_kind,
    tail,
)
from microbiome.strains.share import share
from microbiome.strains.thresholds import prepare, thresholds


@given(st.integers(0, 500), st.floats(0.01, 300), st.floats(0, 20))
def test_likelihood_is_the_negative_binomial(k: int, expected: float, noise: float) -> None:
    mean = GRID * expected + noise + FLOOR
    log = stats.nbinom.logpmf(k, SIZE, SIZE / (SIZE + mean))
    found = likelihood(np.array([float(k)]), np.array([expected]), np.array([noise]))[0]
    assert found == pytest.approx(np.exp(log - log.max()), rel=1e-6, abs=1e-12)


@given(st.integers(0, 500), st.floats(0.1, 300), st.floats(0, 20))
def test_p_value_is_the_tail_of_the_background(k: int, expected: float, noise: float) -> None:
    parts = base_parts()
    exact = parts.different @ stats.nbinom.cdf(k, SIZE, SIZE / (SIZE + GRID * expected + noise + FLOOR))
    found = tail(np.array([float(k)]), np.array([expected]), np.array([noise]), parts)[0]
    assert found == pytest.approx(exact, abs=0.005)


def naive_step(
    likelihoods: np.ndarray,
    weight: np.ndarray,
    anchor: np.ndarray,
    support: np.ndarray,
    prior: Parts,
    pseudo: float,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """One EM step from the prior, pair by pair and point by point."""
    same_prior = np.array([p if g <= 0.7 else 0 for p, g in zip(prior.same_person, GRID, strict=True)])
    different_prior = np.array([p if g >= 0.05 else 0 for p, g in zip(prior.different, GRID, strict=True)])
    s, d = same_prior / same_prior.sum(), different_prior / different_prior.sum()
    counts = {"same": same_prior * pseudo, "different": different_prior * pseudo}
    share = {True: prior.kept * pseudo, False: prior.shared * pseudo}
    total = {True: pseudo, False: pseudo}
    for row, w, one, log_factor in zip(likelihoods, weight, anchor.tolist(), support, strict=True):
        pi = prior.kept if one else prior.shared
        m = 0.0 if one else 0.35
        joint = {
            "same": pi * (1 - m) * s * row * np.exp(log_factor),
            "tail": pi * m * TAIL * row * np.exp(log_factor),
            "different": (1 - pi) * d * row,
        }
        evidence_of_pair = sum(part.sum() for part in joint.values())
        counts["same"] = counts["same"] + w * joint["same"] / evidence_of_pair
        counts["different"] = counts["different"] + w * joint["different"] / evidence_of_pair
        share[one] += w * (joint["same"].sum() + joint["tail"].sum()) / evidence_of_pair
        total[one] += w
    same, different = (counts[name] / counts[name].sum() for name in ("same", "different"))
    return same, different, share[False] / total[False], share[True] / total[True]


def some_likelihoods(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    k, e = rng.integers(0, 150, n).astype(float), rng.uniform(1, 120, n)
    support = np.where(rng.random(n) < 0.5, 0.0, rng.normal(0, 2, n))
    return likelihood(k, e, np.full(n, 0.5)), rng.uniform(0.1, 1, n), rng.random(n) < 0.4, support


@pytest.mark.parametrize("seed", range(3))
def test_a_step_of_the_fit_is_that_of_the_textbook(seed: int) -> None:
    pairs = some_likelihoods(seed)
    prior = base_parts()
    found = fit(*pairs, prior, 5.0, iterations=1)
    same, different, shared, kept = naive_step(*pairs, prior, 5.0)
    assert found.same_person == pytest.approx(same)
    assert (found.shared, found.kept) == pytest.approx((shared, kept))
    # What is judged by has the same sum of both parts where nothing had to be put in order.
    blend = 0.65 * same + 0.35 * TAIL
    ratio = np.divide(blend, blend + different, out=np.ones_like(blend), where=blend + different > 0)
    if (np.diff(ratio) <= 0).all():
        assert found.different == pytest.approx(different)


@pytest.mark.parametrize("seed", range(3))
def test_larger_distances_are_never_likelier_the_same(seed: int) -> None:
    parts = fit(*some_likelihoods(seed), base_parts(), 1.0)
    share_of_same = parts.same / (parts.same + parts.different)
    assert (np.diff(share_of_same) <= 1e-12).all()
    for part in (parts.same, parts.different, parts.same_person):
        assert part.sum() == pytest.approx(1)
    steps = np.linspace(0, 200, 401)
    factors = evidence(likelihood(steps, np.full(401, 80.0), np.full(401, 1.0)), np.zeros(401), parts)
    assert (np.diff(factors) <= 1e-9).all()


def test_share_of_a_kind_is_found() -> None:
    rng = np.random.default_rng(5)
    same = rng.random(4000) < 0.3
    factors = np.where(same, rng.normal(2, 2, 4000), rng.normal(-2, 2, 4000))  # log ratio of N(2, 2) to N(-2, 2)
    assert share_of_kind(factors, np.ones(4000), 0.5, 10) == pytest.approx(same.mean(), abs=0.02)
    assert share_of_kind(factors[:0], np.ones(0), 0.4, 10) == 0.4
    # Nothing known: the prior stays.
    assert share_of_kind(np.zeros(50), np.ones(50), 0.2, 10) == pytest.approx(0.2)


@pytest.mark.parametrize(("divergence", "least"), [(0.01, 1500), (0.002, 6000)])
def test_truth_is_found_although_unrelated_people_share(divergence: float, least: int) -> None:
    error = 1e-4
    pairs = pairs_of(11, divergence=divergence, error=error, sites=(least, 20000))
    table = share(pairs, STUDY, least_evidence=1)
    called, true = table["same_strain"] == 1, pairs["same"] == 1
    assert 2 * (called & true).sum() / (called.sum() + true.sum()) > 0.97
    for row in thresholds(pairs, STUDY).itertuples():
        assert row.threshold_origin == "model"
        assert row.shared_unrelated == pytest.approx(0.06, abs=0.03)
        taxon = int(row.taxon[1:])
        assert row.different_mean == pytest.approx(divergence * (1 + 0.05 * taxon), rel=0.1)
        assert 0.2 < (row.threshold - error) / row.different_mean < 0.65


@pytest.mark.parametrize(("mixed", "within"), [(0.35, 0.07), (0.15, 0.08)])
def test_probabilities_are_calibrated(mixed: float, within: float) -> None:
    """With positions so few that many pairs are doubtful: of pairs said to be the same with p, a part p is.

    The model takes 35 % of the pairs of two people with the same strain for mixed.
    """
    frames = [pairs_of(seed, sites=(60, 1500), mixed=mixed) for seed in range(20, 28)]
    tables = [share(frame, STUDY) for frame in frames]
    p = np.concatenate([table["p_same"] for table in tables])
    true = np.concatenate([frame["same"] for frame in frames])
    bins = np.digitize(p, [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
    for which in range(8):
        mask = bins == which
        assert mask.sum() > 100
        assert true[mask].mean() == pytest.approx(p[mask].mean(), abs=within)
    assert true.mean() == pytest.approx(p.mean(), abs=within / 5)
    # Knowing only how many are the same gives 0.27.
    assert -np.log(np.where(true == 1, p, 1 - p)).mean() < 0.12


def test_false_sharing_is_what_is_stated() -> None:
    """Different strains only: the part below the threshold, and p-values that are uniform."""
    pairs = pairs_of(31, taxa=4, sites=(3000, 3001))
    table = thresholds(pairs, STUDY).set_index("taxon")
    different = pairs[pairs["same"] == 0]
    below = different["distance"] <= different["taxon"].map(table["threshold"])
    assert below.mean() == pytest.approx(table["false_sharing_rate"].mean(), abs=0.006)
    p = share(pairs, STUDY)["p_value"][different.index]
    for level in (0.1, 0.25, 0.5, 0.75):
        assert (p <= level).mean() == pytest.approx(level, abs=0.06)


def test_order_of_the_rows_does_not_matter() -> None:
    pairs = pairs_of(41, taxa=3)
    shuffled = pairs.sample(frac=1, random_state=1)
    swapped = shuffled.rename(columns={"sample_1": "sample_2", "sample_2": "sample_1"})
    whole = share(pairs, STUDY)
    for other in (shuffled, swapped):
        # The result has rows 0, 1, ... in the order of what was given.
        found = share(other, STUDY).set_index(other.index).sort_index()
        for name in ("p_same", "p_value", "threshold"):
            assert found[name].to_numpy() == pytest.approx(whole[name].to_numpy(), abs=1e-9)


def test_few_positions_leave_a_pair_open() -> None:
    pairs = pairs_of(51)
    shallow = pd.DataFrame(
        {
            "taxon": "t0",
            "sample_1": "p00-0",
            "sample_2": ["p01-0", "p00-30"],
            "sites": 40,
            "noise": 0.004,
            "distance": 0.0,
            "method": "consensus",
        }
    )
    kept = pairs[~((pairs["sample_1"] == "p00-0") & pairs["sample_2"].isin(["p01-0", "p00-30"]))]
    table = share(pd.concat([kept, shallow]), STUDY).tail(2)
    assert table["same_strain"].isna().all()
    assert table["note"].eq("the distance tells too little").all()
    assert table["p_same"].between(0.02, 0.98).all()
    assert table["p_value"].gt(0.5).all()


def test_a_taxon_with_few_pairs_leans_on_the_others() -> None:
    pairs = pairs_of(61, taxa=5)
    few = pairs[
        (pairs["taxon"] != "t4") | (pairs["sample_1"].isin(["p00-0"]) & pairs["sample_2"].isin(["p01-0", "p02-0"]))
    ]
    table = thresholds(few, STUDY).set_index("taxon")
    assert table.loc["t4", "threshold_origin"] == "model_pooled"
    assert table.loc["t4", "note"] == "2 pairs of unrelated people: mostly the pooled fit"
    assert table.loc["t4", "weight_own"] == pytest.approx(2 / 22)
    # 24 people and 276 pairs of people, each once.
    assert table.loc["t0", "weight_own"] == pytest.approx(300 / 320)
    assert table.loc["t0", ["same_person_pairs", "unrelated_pairs"]].to_list() == [24, 1104]


def test_fmt_does_not_make_people_unrelated_or_change_the_prior() -> None:
    names = [(f"p{i:02d}-{day}", f"p{i:02d}", "control", day) for i in range(12) for day in (0, 30)]
    names += [(f"r{i}-{day}", f"r{i}", "recipient", day) for i in range(6) for day in (0, 30)]
    names.append(("d-1", "d", "donor", None))
    study = study_of(names, [(f"r{i}", 0, "d") for i in range(6)])
    pairs = pairs_of(71, study=study, shared=0.02)
    # Everybody who received it has the donor's strain.
    post = [name[0] for name in names if name[0].startswith("r") and name[0].endswith("30")]
    linked = pairs["sample_1"].isin([*post, "d-1"]) & pairs["sample_2"].isin([*post, "d-1"])
    pairs.loc[linked, "distance"] = 0.0
    without = thresholds(pairs[~linked], study).set_index("taxon")
    table = thresholds(pairs, study).set_index("taxon")
    for name in ("shared_unrelated", "different_mean", "weight_own"):
        assert table[name].to_numpy() == pytest.approx(without[name].to_numpy())
    prepared = prepare(pairs, study)
    model = fit_models({key: prepared.of(key) for key in prepared.groups})["t0", "consensus"]
    assert len({model.priors[name] for name in ("own_donor", "other_donor", "unrelated", "shared_donor", None)}) == 1
    assert model.priors["same_person"] == model.priors["before_after"] > model.priors["own_donor"]
    assert (share(pairs, study)["same_strain"][linked] == 1).mean() > 0.95


def test_distances_without_positions_are_judged_relative_to_the_taxon() -> None:
    pairs = pairs_of(81, sites=(5000, 20000), columns=False)
    tall = pairs.assign(distance=np.where(pairs["taxon"] == "t1", pairs["distance"] * 20, pairs["distance"]))
    first, second = share(pairs, STUDY), share(tall, STUDY)
    at = pairs["taxon"] == "t1"
    assert second["p_same"][at].to_numpy() == pytest.approx(first["p_same"][at].to_numpy(), abs=0.05)
    called, true = first["same_strain"] == 1, pairs["same"] == 1
    assert 2 * (called & true).sum() / (called.sum() + true.sum()) > 0.96


def test_nothing_to_compare_with_is_said() -> None:
    small = study_of([(f"q{i}-{day}", f"q{i}", "control", day) for i in range(3) for day in (0, 30)])
    pairs = pairs_of(91, taxa=1, study=small)
    table = share(pairs, small)
    assert table["same_strain"].isna().all()
    assert table["threshold_origin"].eq("none").all()
    assert table["note"].eq("only 3 pairs of unrelated people over all taxa (10 are needed)").all()
    same = share(pairs_of(92).assign(distance=0.0), STUDY)
    assert same["same_strain"].isna().all()
    assert same["note"].str.startswith("the distances of unrelated people are all 0").all()
    # One sample each: no anchors, which is said, and the model still tells two parts.
    alone = study_of([(f"a{i:02d}", f"a{i:02d}", "control", 0) for i in range(20)])
    pairs = pairs_of(93, study=alone)
    assert thresholds(pairs, alone)["note"].eq("no pairs of one person without a dose between").all()
    called = share(pairs, alone)["same_strain"]
    assert (called == pairs["same"]).mean() > 0.97
    judged = judge(prepare(pairs, alone).of(("t0", "consensus")), fit_models_of(pairs, alone)["t0", "consensus"])
    assert judged.p_same.min() < 0.01 < 0.9 < judged.p_same.max()


def fit_models_of(pairs: pd.DataFrame, study: object) -> dict[tuple[str, str], object]:
    prepared = prepare(pairs, study)  # type: ignore[arg-type]
    return fit_models({key: prepared.of(key) for key in prepared.groups})  # type: ignore[return-value]
