"""Donors grouped by composition: against R, against the definitions, and where there is nothing to find."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from microbiome.cli import main
from microbiome.clinical.donor_clusters_analysis import donor_clusters
from microbiome.clinical.donor_clusters_kernels import (
    coordinates,
    jaccard,
    log_dispersion,
    partitions,
    silhouettes,
)
from microbiome.clinical.toxicity_tables import DONOR_CLUSTER_CHOICE, DONOR_CLUSTERS
from microbiome.errors import InputError
from microbiome.tsv import read_result, write_table

GOLDEN = Path(__file__).parent / "golden"


def golden_donors() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "toxicity_donors.tsv", sep="\t", index_col="donor", float_precision="round_trip")


def samples_of(donors: list[str], each: int = 1) -> pd.DataFrame:
    rows = [(f"{donor}_{i}", donor, "donor", None) for donor in donors for i in range(each)]
    return pd.DataFrame(rows, columns=["sample", "subject", "role", "day"])


def study_of(profiles: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One sample per donor, and a recipient that does not matter."""
    samples = samples_of(list(profiles.index))
    abundance = profiles.set_axis(samples["sample"], axis=0)
    extra = pd.DataFrame([("r1", "R1", "recipient", 0)], columns=samples.columns)
    abundance = pd.concat(
        [abundance, pd.DataFrame([[1.0] + [0.0] * (profiles.shape[1] - 1)], ["r1"], profiles.columns)]
    )
    return abundance, pd.concat([samples, extra])


def apart(rng: np.random.Generator, groups: list[int], taxa: int = 60) -> pd.DataFrame:
    """Donors of several compositions that differ clearly."""
    centres = rng.gamma(0.3, 1, (max(groups) + 1, taxa))
    x = np.array([rng.gamma(20 * centres[g] + 1e-3, 1) for g in groups])
    names = [f"D{i:02d}" for i in range(len(groups))]
    return pd.DataFrame(x / x.sum(axis=1, keepdims=True), names, [f"t{i}" for i in range(taxa)])


def naive_silhouette(distances: np.ndarray, labels: np.ndarray) -> list[float]:
    found = []
    for i, own in enumerate(labels):
        mates = [j for j in range(len(labels)) if labels[j] == own and j != i]
        if not mates:
            found.append(0.0)
            continue
        a = np.mean([distances[i, j] for j in mates])
        b = min(np.mean(distances[i, labels == other]) for other in set(labels) - {own})
        found.append((b - a) / max(a, b) if max(a, b) > 0 else 0.0)
    return found


@pytest.mark.parametrize("method", ["average", "pam"])
def test_partitions_silhouettes_and_dispersion_are_those_of_r(method: str) -> None:
    profiles = golden_donors()
    distances = squareform(pdist(profiles, "braycurtis"))
    expected = pd.read_csv(GOLDEN / "toxicity_clusters.tsv", sep="\t", float_precision="round_trip")
    expected = expected[expected["method"] == method]
    found = partitions(distances, [2, 3, 4, 5, 6], method)
    points = coordinates(distances)
    for k, rows in expected.groupby("clusters"):
        labels = found[int(str(k))]
        pairs = set(zip(labels, rows["cluster"], strict=True))
        assert len(pairs) == k, f"{k} clusters are others than R's"
        np.testing.assert_allclose(silhouettes(distances, labels), rows["silhouette"], atol=1e-10)
        assert log_dispersion(points, labels) == pytest.approx(rows["log_dispersion"].iloc[0], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 9), st.integers(2, 4))
def test_silhouette_is_the_definition(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    distances = squareform(pdist(rng.integers(0, 4, (n, 3)).astype(float)))
    labels = np.unique(np.concatenate([rng.integers(0, k, n - 1), [0]]), return_inverse=True)[1]
    if labels.max() == 0:
        assert np.isnan(silhouettes(distances, labels)).all()
        return
    np.testing.assert_allclose(silhouettes(distances, labels), naive_silhouette(distances, labels), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 8), st.integers(2, 3))
def test_pam_is_a_local_optimum(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    distances = squareform(pdist(rng.random((n, 2))))
    labels = partitions(distances, [k], "pam")[k]
    assert set(labels) == set(range(k))

    def cost(medoids: tuple[int, ...]) -> float:
        return float(distances[:, list(medoids)].min(axis=1).sum())

    def swaps(medoids: tuple[int, ...]) -> list[tuple[int, ...]]:
        others = [m for m in range(n) if m not in medoids]
        return [(*medoids[:i], m, *medoids[i + 1 :]) for i in range(k) for m in others]

    # The medoids minimise the sum within their cluster; of a cluster of two either may be the one.
    tied = []
    for cluster in range(k):
        inside = np.flatnonzero(labels == cluster)
        sums = distances[np.ix_(inside, inside)].sum(axis=1)
        tied.append(inside[sums <= sums.min() + 1e-12].tolist())
    assert any(cost(m) <= min(map(cost, swaps(m))) + 1e-9 for m in itertools.product(*tied))


def test_jaccard_on_paper() -> None:
    # {0, 1, 2} and {3, 4} against {0, 1}, {2, 3, 4}: 2/3 and 2/3.
    np.testing.assert_allclose(jaccard(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])), [2 / 3, 2 / 3])
    # A cluster without members in a subsample tells nothing.
    assert np.isnan(jaccard(np.array([0, 2, 2]), np.array([0, 1, 1]))[1])


@pytest.mark.parametrize("clustering", ["average", "pam"])
@pytest.mark.parametrize("criterion", ["silhouette", "gap"])
def test_clear_groups_are_found(clustering: str, criterion: str) -> None:
    groups = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    abundance, samples = study_of(apart(np.random.default_rng(1), groups))
    clusters, choice = donor_clusters(
        abundance, samples, clustering=clustering, criterion=criterion, resamples=30, references=39
    )
    assert choice["clusters"].tolist() == list(range(1, 9))
    assert choice.loc[choice["chosen"] == 1, "clusters"].tolist() == [3]
    assert clusters["cluster"].tolist() == ["c1"] * 5 + ["c2"] * 4 + ["c3"] * 3
    assert (clusters["stability"] > 0.85).all()
    # Groups that are not there depend on which taxa are looked at.
    assert choice["stability"].iloc[-1] < 0.95
    assert choice["p_value"].iloc[0] == choice["p_floor"].iloc[0] == 1 / 40
    assert (clusters["silhouette"] > 0.3).all()


def test_subsampling_is_the_other_stability() -> None:
    abundance, samples = study_of(apart(np.random.default_rng(1), [0] * 6 + [1] * 4))
    clusters, choice = donor_clusters(abundance, samples, resample="donors", resamples=30, references=19)
    assert clusters["cluster"].tolist() == ["c1"] * 6 + ["c2"] * 4
    assert (clusters["stability"] == 1).all()
    # Two groups cut into five are not stable.
    assert choice.set_index("clusters").loc[5, "stability"] < 0.9


def test_one_cluster_is_a_possible_answer() -> None:
    rng = np.random.default_rng(3)
    several: dict[str, int] = {"silhouette": 0, "gap": 0}
    for trial in range(40):
        base = rng.normal(0, 1.5, 80)
        x = np.exp(base + rng.normal(0, 1, (8, 80)))
        profiles = pd.DataFrame(x / x.sum(axis=1, keepdims=True), [f"D{i}" for i in range(8)], map(str, range(80)))
        abundance, samples = study_of(profiles)
        for criterion in several:
            _, choice = donor_clusters(
                abundance, samples, criterion=criterion, resamples=1, references=19, most=5, seed=trial
            )
            several[criterion] += int(choice.loc[choice["chosen"] == 1, "clusters"].iloc[0] > 1)
    assert several["silhouette"] <= 6
    assert several["gap"] <= 6


def test_samples_of_a_donor_are_averaged_and_order_does_not_matter() -> None:
    profiles = apart(np.random.default_rng(2), [0, 0, 0, 1, 1])
    samples = samples_of(list(profiles.index), each=2)
    twice = pd.concat([profiles, profiles]).sort_index().set_axis(samples["sample"], axis=0)
    # One sample above and one below the mean, so that only the mean is that of the donor.
    shift = np.tile([[1.1], [0.9]], (5, 1))
    abundance = twice * shift
    found, choice = donor_clusters(abundance, samples, resamples=10, references=9)
    single, _ = donor_clusters(*study_of(profiles), resamples=10, references=9)
    assert found["cluster"].tolist() == single["cluster"].tolist()
    np.testing.assert_allclose(found["silhouette"].astype(float), single["silhouette"].astype(float), atol=1e-12)
    assert found["samples"].tolist() == [2] * 5
    again, choice2 = donor_clusters(abundance.iloc[::-1], samples.iloc[::-1], resamples=10, references=9)
    pd.testing.assert_frame_equal(found, again)
    pd.testing.assert_frame_equal(choice, choice2)


@pytest.mark.parametrize(("donors", "word"), [(1, "one donor"), (2, "two donors")])
def test_too_few_donors_say_so(donors: int, word: str) -> None:
    profiles = apart(np.random.default_rng(2), [0, 1][:donors])
    clusters, choice = donor_clusters(*study_of(profiles), resamples=5, references=5)
    assert clusters["cluster"].tolist() == ["c1"] * donors
    assert choice["chosen"].tolist() == [1]
    assert word in choice["note"].iloc[0]
    assert clusters["note"].notna().all()


def test_donors_that_are_all_alike_are_one_cluster() -> None:
    profiles = pd.DataFrame(np.full((4, 5), 0.2), list("abcd"), list("vwxyz"))
    clusters, choice = donor_clusters(*study_of(profiles), resamples=5, references=5)
    assert set(clusters["cluster"]) == {"c1"}
    assert choice.loc[choice["chosen"] == 1, "clusters"].tolist() == [1]
    assert choice["note"].str.contains("alike").all()


def test_a_donor_without_profile_keeps_its_row() -> None:
    abundance, samples = study_of(apart(np.random.default_rng(2), [0, 0, 0, 1, 1]))
    abundance.loc["D01_0"] = np.nan
    clusters, choice = donor_clusters(abundance, samples, resamples=5, references=5)
    row = clusters.set_index("donor").loc["D01"]
    assert row["cluster"] is None
    assert "no sample with a profile" in row["note"]
    assert row["samples"] == 0
    assert choice["n"].tolist() == [4] * 3


def test_bad_options_are_all_named_at_once() -> None:
    abundance, samples = study_of(apart(np.random.default_rng(2), [0, 0, 1, 1]))
    with pytest.raises(InputError) as error:
        donor_clusters(abundance, samples, metric="euclid", clustering="ward", criterion="best", clusters=4, most=0)
    text = str(error.value)
    for word in ("euclid", "ward", "best", "4 clusters of 4 donors", "most"):
        assert word in text
    with pytest.raises(InputError, match="no donor has a sample with a profile"):
        donor_clusters(abundance, samples[samples["role"] == "recipient"])


def test_number_asked_for_is_given() -> None:
    abundance, samples = study_of(apart(np.random.default_rng(2), [0, 0, 0, 1, 1]))
    clusters, choice = donor_clusters(abundance, samples, clusters=3, resamples=5, references=5)
    assert clusters["cluster"].nunique() == 3
    assert choice["criterion"].iloc[0] == "asked for: 3"


def test_command_writes_both_tables(tmp_path: Path) -> None:
    abundance, samples = study_of(apart(np.random.default_rng(1), [0, 0, 0, 0, 1, 1, 1]))
    write_table(samples, tmp_path / "samples.tsv")
    abundance.T.to_csv(tmp_path / "profile.tsv", sep="\t", index_label="taxon")
    options = ["--profile", str(tmp_path / "profile.tsv"), "--samples", str(tmp_path / "samples.tsv")]
    options += ["--resamples", "10", "--references", "19", "-o", str(tmp_path / "clusters.tsv")]
    assert main(["clinical", "donor-clusters", *options, "--choice", str(tmp_path / "choice.tsv")]) == 0
    clusters = read_result(tmp_path / "clusters.tsv", DONOR_CLUSTERS)
    choice = read_result(tmp_path / "choice.tsv", DONOR_CLUSTER_CHOICE)
    assert clusters["cluster"].tolist() == ["c1"] * 4 + ["c2"] * 3
    assert choice["chosen"].sum() == 1
