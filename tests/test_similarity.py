"""Similarity to donors, baseline and other donors: a small trial worked out by hand, and random ones."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skbio import DistanceMatrix
from strategies import doses_frame, samples_frame

from microbiome.diversity import similarity
from microbiome.diversity.tables import SIMILARITY
from microbiome.study import Study

# p gets both samples of donor d, and one of donor e 60 days later; q gets sample f1 of donor f; r is on placebo.
SAMPLES = samples_frame(
    [
        ("d1", "d", "donor", None),
        ("d2", "d", "donor", None),
        ("e1", "e", "donor", None),
        ("e2", "e", "donor", None),
        ("f1", "f", "donor", None),
        ("p-5", "p", "recipient", -5),
        ("p0", "p", "recipient", 0),
        ("p30", "p", "recipient", 30),
        ("p90", "p", "recipient", 90),
        ("q30", "q", "recipient", 30),
        ("r0", "r", "recipient", 0),
        ("r30", "r", "recipient", 30),
        ("c0", "c", "control", None),
    ]
)
DOSES = doses_frame([("p", 0, "d", None), ("p", 60, "e", "e1"), ("p", 61, "e", "e1"), ("q", 0, "f", "f1")])
IDS = ["d1", "d2", "e1", "e2", "f1", "p-5", "p0", "p30", "p90", "r0", "r30", "c0"]


def distances() -> DistanceMatrix:
    half = np.triu(np.random.default_rng(0).random((len(IDS), len(IDS))), 1)
    return DistanceMatrix(half + half.T, IDS)


@pytest.fixture
def table() -> pd.DataFrame:
    return similarity(distances(), Study(SAMPLES, doses=DOSES), "bray_curtis").set_index("sample")


def test_by_hand(table: pd.DataFrame) -> None:
    d = distances()
    for sample in ("p-5", "p0", "p30", "p90"):
        row = table.loc[sample]
        own = (np.mean([d[sample, "d1"], d[sample, "d2"]]) + d[sample, "e1"]) / 2
        assert row["donor_distance"] == pytest.approx(own)
        assert row["donor_distance_min"] == min(d[sample, name] for name in ("d1", "d2", "e1"))
        # e2 was not received, but its donor is not another donor.
        assert row["other_donor_distance"] == d[sample, "f1"]
        assert row["similarity_donor"] == pytest.approx(1 - own)
        assert row["similarity_donor_max"] == pytest.approx(1 - row["donor_distance_min"])
        assert row["similarity_other_donors"] == pytest.approx(1 - d[sample, "f1"])
        assert row["distance_difference"] == pytest.approx(own - d[sample, "f1"])
        assert row["similarity_difference"] == pytest.approx(d[sample, "f1"] - own)
        assert row["baseline_sample"] == "p0"
        assert (row["n_donors"], row["n_donor_samples"], row["n_other_donors"], row["n_other_donor_samples"]) == (
            2,
            3,
            1,
            1,
        )
    assert np.isnan(table.loc["p0", "baseline_distance"])
    assert table.loc["p-5", "baseline_distance"] == d["p-5", "p0"]
    assert table.loc["p90", "similarity_baseline"] == pytest.approx(1 - d["p90", "p0"])


def test_received_by_the_day_of_the_sample(table: pd.DataFrame) -> None:
    """The first dose follows the sample of day 0."""
    assert table.loc[["p-5", "p0", "p30", "p90"], "n_donor_samples_received"].tolist() == [0, 0, 2, 3]


def test_placebo_and_control(table: pd.DataFrame) -> None:
    d = distances()
    row = table.loc["r30"]
    assert np.isnan(row["donor_distance"])
    assert np.isnan(row["similarity_difference"])
    others = np.mean(
        [np.mean([d["r30", "d1"], d["r30", "d2"]]), np.mean([d["r30", "e1"], d["r30", "e2"]]), d["r30", "f1"]]
    )
    assert row["other_donor_distance"] == pytest.approx(others)
    assert (row["n_donors"], row["n_other_donors"], row["n_other_donor_samples"]) == (0, 3, 5)
    assert row["baseline_distance"] == d["r30", "r0"]
    control = table.loc["c0"]
    assert pd.isna(control["day"])
    assert control["baseline_sample"] is None
    assert control["other_donor_distance"] > 0


def test_sample_without_profile_stays(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        table = similarity(distances(), Study(SAMPLES, doses=DOSES), "jaccard").set_index("sample")
    row = table.loc["q30"]
    assert row["profiled"] == 0
    assert row[["donor_distance", "baseline_distance", "other_donor_distance"]].isna().all()
    assert (row["n_donor_samples"], row["n_other_donors"]) == (1, 2)
    assert "q30" in caplog.text
    assert list(table.reset_index()[SIMILARITY.names]) == SIMILARITY.names


def test_products_without_profile_are_counted() -> None:
    d = distances().filter([name for name in IDS if name not in ("d2", "e1")])
    row = similarity(d, Study(SAMPLES, doses=DOSES)).set_index("sample").loc["p90"]
    assert (row["n_donors"], row["n_donor_samples"], row["n_donor_samples_unprofiled"]) == (1, 1, 2)
    assert row["donor_distance"] == d["p90", "d1"]


def test_unbounded_metrics_have_no_similarity() -> None:
    study = Study(SAMPLES, doses=DOSES)
    columns = [name for name in SIMILARITY.names if name.startswith("similarity")]
    assert len(columns) == 5
    for metric in ("aitchison", "robust_aitchison", "hellinger", "weighted_unifrac"):
        table = similarity(distances(), study, metric)
        assert table[columns].isna().all(axis=None)
        assert table["donor_distance"].notna().any()
    assert similarity(distances(), study, "weighted_unifrac_normalized")["similarity_donor"].notna().any()
    large = DistanceMatrix(distances().data * 3, IDS)
    assert similarity(distances(), study)["similarity_donor"].notna().any()
    assert similarity(large, study)[columns].isna().all(axis=None)


def test_one_donor_has_no_other_donors() -> None:
    samples = SAMPLES[~SAMPLES["subject"].isin(["e", "f", "q"])]
    row = similarity(distances(), Study(samples, doses=DOSES.iloc[:1])).set_index("sample").loc["p30"]
    assert np.isnan(row["other_donor_distance"])
    assert np.isnan(row["distance_difference"])
    assert row["n_other_donors"] == 0


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_order_of_the_tables_does_not_matter(random: object) -> None:
    rows, doses, ids = list(range(len(SAMPLES))), list(range(len(DOSES))), list(IDS)
    for each in (rows, doses, ids):
        random.shuffle(each)  # type: ignore[attr-defined]
    one = similarity(distances(), Study(SAMPLES, doses=DOSES), "jaccard").set_index("sample")
    two = similarity(distances().filter(ids), Study(SAMPLES.iloc[rows], doses=DOSES.iloc[doses]), "jaccard")
    pd.testing.assert_frame_equal(one, two.set_index("sample").loc[one.index])
