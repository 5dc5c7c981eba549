"""PERMANOVA and PERMDISP on data without any effect: p-values must be uniform, whatever is repeated or unequal."""

from __future__ import annotations

import numpy as np
from points import distances_of, frame_of, letters, one

from microbiome.diversity.ordination import gower
from microbiome.diversity.squares import between_groups_of_values, dispersions
from microbiome.stats.permutations import restrict

TRIALS = 200


def null_trial(rng: np.random.Generator, subjects: int, per: int, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of repeated samples; the subject makes `correlation` of the variance."""
    subject = np.repeat(np.arange(subjects), per)
    between = rng.normal(size=(subjects, 4)) * np.sqrt(correlation)
    return between[subject] + rng.normal(size=(len(subject), 4)) * np.sqrt(1 - correlation), subject


def null_p_values(kind: str, strata: str | None, correlation: float) -> np.ndarray:
    rng = np.random.default_rng(11)
    found = []
    for seed in range(TRIALS):
        points, subject = null_trial(rng, 9, 3, correlation)
        groups = (subject % 3 == 0) if kind == "subject" else rng.integers(0, 3, len(subject))
        frame = frame_of(g=letters(groups), subject=letters(subject))
        found.append(one(distances_of(points), frame, "g", strata, permutations=79, seed=seed)["p_value"])
    return np.array(found)


def is_uniform(p_values: np.ndarray) -> bool:
    """Kolmogorov-Smirnov at 0.001 for multiples of 1/80, and a rejection rate at 0.05 within 3.3 standard errors."""
    grid = np.arange(1, 81) / 80
    gap = np.abs([(p_values <= value + 1e-9).mean() - value for value in grid]).max()
    rate = (p_values <= 0.05 + 1e-9).mean()
    return bool(gap < 1.95 / np.sqrt(len(p_values)) and abs(rate - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / len(p_values)))


def test_free_is_calibrated_for_independent_samples() -> None:
    assert is_uniform(null_p_values("sample", None, 0.0))


def test_within_strata_is_calibrated_for_repeated_samples() -> None:
    assert is_uniform(null_p_values("sample", "subject", 0.7))


def test_whole_strata_are_calibrated_where_free_permutation_is_not() -> None:
    assert is_uniform(null_p_values("subject", "subject", 0.7))
    assert (null_p_values("subject", None, 0.7) <= 0.05).mean() > 0.3


def test_unequal_strata_do_not_make_it_wrong() -> None:
    """One donor of 17 samples against 24 recipients of 2: counting samples would reject half of the time."""
    rng = np.random.default_rng(12)
    subject = np.repeat(np.arange(25), [17] + [2] * 24)
    rejected = 0
    for _ in range(100):
        points = rng.normal(size=(25, 10))[subject] * 0.8 + rng.normal(size=(len(subject), 10)) * 0.6
        frame = frame_of(g=letters(subject == 0), subject=letters(subject))
        rejected += one(distances_of(points), frame, "g", "subject")["p_value"] <= 0.05
    assert rejected <= 12


def test_permdisp_is_calibrated_for_unequal_groups() -> None:
    """5 against 15 subjects, alike in spread, with the adjustment; without it (or without strata) it is not."""
    rng = np.random.default_rng(13)
    rejected = {"adjusted": 0, "samples only": 0, "unadjusted": 0}
    subject = np.repeat(np.arange(20), 3)
    groups = (subject < 5).astype(int)
    design = restrict(groups, subject)
    for seed in range(TRIALS):
        points = rng.normal(size=(20, 30))[subject] * 0.8 + rng.normal(size=(60, 30)) * 0.6 + groups[:, None]
        distances = distances_of(points)
        frame = frame_of(g=letters(groups), subject=letters(subject))
        found = one(distances, frame, "g", "subject", permutations=99, seed=seed)
        rejected["adjusted"] += found["permdisp_p_value"] <= 0.05
        for name, adjust in (("samples only", True), ("unadjusted", False)):
            spread = dispersions(gower(distances.data), groups, 2, adjust=adjust)
            spread = np.array([spread[subject == s].mean() for s in range(20)])
            spread -= spread.mean()
            drawn = np.concatenate([design.labels[None, :], design.draw(rng, 99)])
            values = between_groups_of_values(spread, drawn, 2)
            rejected[name] += (values >= values[0] - 1e-12).mean() <= 0.05
    rates = {name: count / TRIALS for name, count in rejected.items()}
    assert rates["adjusted"] <= 0.10
    assert rates["unadjusted"] > 0.15
    assert rates["samples only"] > rates["adjusted"]
