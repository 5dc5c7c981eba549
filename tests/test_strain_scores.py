"""The scores of the strain benchmark: a table whose scores can be counted on paper."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def scores() -> ModuleType:
    path = Path(__file__).parent.parent / "bench" / "strain_scores.py"
    spec = importlib.util.spec_from_file_location("strain_scores", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# taxon, samples, same dominant, any shared, mixed, depths. The last pair is too shallow for 2x; f has a tie.
PAIRS = pd.DataFrame(
    [
        ("t", "a", "b", 1, 1, 0, 5.0, 5.0),
        ("t", "a", "c", 1, 1, 0, 5.0, 9.0),
        ("t", "a", "d", 0, 1, 1, 5.0, 5.0),
        ("t", "a", "e", 0, 0, 0, 5.0, 5.0),
        ("t", "a", "f", np.nan, 1, 1, 5.0, 5.0),
        ("t", "b", "c", 1, 1, 0, 5.0, 5.0),
        ("t", "b", "d", 1, 1, 0, 5.0, 0.5),
    ],
    columns=["taxon", "sample_1", "sample_2", "same_dominant", "any_shared", "mixed", "depth_1", "depth_2"],
)


def calls(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["sample_1", "sample_2", "same_strain", "any_shared"])
    return frame.assign(taxon="t")


def test_scores_of_pairs_by_hand(scores: ModuleType) -> None:
    # The order within a pair does not matter; a-e is called by mistake, a-c is unresolved, b-c has no row.
    table = calls([("b", "a", 1, 1), ("a", "c", np.nan, 1), ("a", "d", 0, 0), ("e", "a", 1, 1), ("a", "f", 1, 1)])
    deep, all_of_them = scores.score_pairs(PAIRS, table, "x").to_dict("records")
    # Resolved with a known answer: a-b right, a-d right (0), a-e wrong.
    assert (deep["pairs"], deep["dominant_precision"], deep["dominant_recall"]) == (6, 0.5, 1.0)
    assert deep["dominant_f1"] == pytest.approx(2 / 3)
    # Any: a-b, a-c, a-f right; a-d missed; a-e wrong.
    assert (deep["any_precision"], deep["any_recall"]) == (0.75, 0.75)
    assert deep["any_f1_mixed"] == pytest.approx(2 / 3)
    assert deep["unresolved"] == pytest.approx(2 / 6)
    assert deep["any_unresolved"] == pytest.approx(1 / 6)
    assert (all_of_them["pairs"], all_of_them["unresolved"]) == (7, pytest.approx(3 / 7))


def test_calls_without_any_shared_are_scored_by_same_strain(scores: ModuleType) -> None:
    table = calls([("a", "b", 1, 0), ("a", "d", 1, 0)]).drop(columns="any_shared")
    assert scores.score_pairs(PAIRS, table, "x")["any_precision"].tolist() == [1.0, 1.0]


def test_best_cut_is_the_best(scores: ModuleType) -> None:
    table = calls([("a", "b", 0, 0), ("a", "c", 0, 0), ("a", "d", 0, 0), ("a", "e", 0, 0), ("b", "c", 0, 0)])
    table["distance"] = [0.1, 0.2, 0.15, 0.9, 0.21]
    cut = scores.best_cut(PAIRS, table)
    f1 = {}
    for value in table["distance"]:
        called = table.assign(same_strain=(table["distance"] <= value).astype(float))
        f1[value] = scores.score_pairs(PAIRS, called, "x")["dominant_f1"].iloc[0]
    assert f1[cut] == max(f1.values())
    assert cut == 0.21


TRIADS = pd.DataFrame(
    {
        "subject": "s",
        "sample": ["p1", "p2", "p3", "p4", "p5", "p6"],
        "day": 28,
        "baseline_sample": "b",
        "taxon": "t",
        "outcome": ["shared_kept"] * 5 + ["engrafted"],
        "strain_outcome": ["donor", "recipient", "coexist", "coexist", "coexist", "donor"],
        "donor_fraction": [1.0, 0.0, 0.5, 0.5, 0.5, 1.0],
        "clear": [1, 1, 1, 1, 0, 1],
        "depth": [5.0, 5.0, 5.0, 1.0, 5.0, 5.0],
        "depth_donor": 5.0,
        "depth_baseline": 5.0,
    }
)


def test_scores_of_triads_by_hand(scores: ModuleType) -> None:
    resolved = pd.DataFrame(
        {
            "sample": ["p1", "p2", "p3", "p4", "p5"],
            "taxon": "t",
            "strain_outcome": ["donor", "unresolved", "coexist", "donor", "other"],
            "donor_fraction": [0.9, np.nan, 0.3, 0.5, 0.0],
            "ci_low": [0.8, np.nan, 0.2, 0.4, 0.0],
            "ci_high": [1.0, np.nan, 0.4, 0.6, 0.0],
            "informative_sites": [100, 3, 20, 10, 10],
        }
    )
    deep, everything = scores.score_triads(TRIADS, resolved, "x").to_dict("records")
    # p1, p2, p3: p4 is shallow, p5 not clear, p6 in the donor only.
    assert deep["triads"] == 3
    assert (deep["recall_donor"], deep["recall_coexist"]) == (1.0, 1.0)
    assert math.isnan(deep["recall_recipient"])
    assert deep["balanced_accuracy_strict"] == pytest.approx(2 / 3)
    assert deep["triads_unresolved"] == pytest.approx(1 / 3)
    assert deep["rmse"] == pytest.approx(np.sqrt((0.1**2 + 0.2**2) / 2))
    assert deep["rmse_50_sites"] == pytest.approx(0.1)
    assert deep["coverage"] == 0.5
    assert everything["triads"] == 4
    assert everything["recall_coexist"] == 0.5


def test_triads_from_calls_of_pairs(scores: ModuleType) -> None:
    samples = pd.DataFrame(
        {"sample": ["d1", "d2", "b", "p1"], "subject": ["D", "D", "s", "s"], "role": ["donor"] * 2 + ["recipient"] * 2}
    )
    doses = pd.DataFrame({"subject": ["s"], "day": [0], "donor": ["D"], "donor_sample": [np.nan]})
    truth = TRIADS[TRIADS["sample"] == "p1"]

    def word(rows: list[tuple[str, str, float, float]]) -> str:
        return str(scores.calls_of_triads(truth, calls(rows), samples, doses)["strain_outcome"].iloc[0])

    assert word([("p1", "d1", 0, 0), ("d2", "p1", 1, 1), ("b", "p1", 0, 0)]) == "donor"
    assert word([("p1", "d1", 1, 1), ("b", "p1", 1, 1)]) == "coexist"
    assert word([("p1", "d1", 0, 0), ("b", "p1", 1, 1)]) == "recipient"
    assert word([("p1", "d1", 0, 0), ("b", "p1", 0, 0)]) == "other"
    assert word([("p1", "d1", 1, 1)]) == "unresolved"
    assert word([("b", "p1", 1, 1)]) == "unresolved"
