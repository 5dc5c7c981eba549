"""Trials in which nothing is true: how often each analysis says otherwise. Small here, large in docs/calibration.md."""

from __future__ import annotations

import numpy as np
import pytest
from rate_tables import rates_and_subjects

from microbiome.compare import compare

TRIALS = 100
# Three standard errors of a rate of 0.05 estimated from that many trials.
ALLOWED = 0.05 + 3 * (0.05 * 0.95 / TRIALS) ** 0.5


@pytest.mark.parametrize(
    "options",
    [
        {"donor_sd": 1.0, "aligned": True},
        {"donors": 5, "donor_sd": 0.5},
    ],
    ids=["responders mostly of one of two donors", "five donors"],
)
def test_mixed_model_keeps_its_level(options: dict[str, object]) -> None:
    rng = np.random.default_rng(31)
    p = []
    for _ in range(TRIALS):
        rates, subjects, doses = rates_and_subjects(rng, **options)  # type: ignore[arg-type]
        table = compare(rates, subjects, "responder", ["depletion_rate"], doses, methods=["mixed_model"])
        p.append(table["p_value"].iloc[0])
    tested = np.array(p)[~np.isnan(p)]
    assert len(tested) > 0.9 * TRIALS
    assert (tested <= 0.05).mean() <= ALLOWED
    # Nor is it silent: p-values spread over 0..1.
    assert (tested <= 0.5).mean() == pytest.approx(0.5, abs=0.2)


def test_permutation_keeps_its_level_and_the_pooled_test_does_not() -> None:
    rng = np.random.default_rng(32)
    found = {"subject_permutation": 0, "pooled_wilcoxon": 0}
    for _ in range(TRIALS):
        rates, subjects, _ = rates_and_subjects(rng, donor_sd=0.3)
        table = compare(rates, subjects, "responder", ["depletion_rate"], methods=list(found))
        for method, p in zip(table["method"], table["p_value"], strict=True):
            found[method] += p <= 0.05
    assert found["subject_permutation"] / TRIALS <= ALLOWED
    assert found["pooled_wilcoxon"] / TRIALS > 0.2
