"""Do tests hold their level and intervals cover? The most important cells of docs/calibration.md, with fewer trials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from microbiome.calibration.__main__ import main
from microbiome.calibration.analyses import (
    Case,
    compared,
    donor_rows,
    excess,
    naive_arms,
    quick,
    quick_donors,
    taxa_compared,
)
from microbiome.calibration.findings import Findings, append, key, read
from microbiome.calibration.run import draw, load, simulate
from microbiome.calibration.scenarios import SECTIONS, Scenario, scenarios
from microbiome.calibration.summary import coverage, level
from microbiome.simulate.panel import PanelParameters, simulate_panel

EVERY = {one.name: one for one in scenarios()}


def run(name: str, trials: int, seed: int = 1) -> list[Findings]:
    return [found for _, found in draw(EVERY[name], range(trials), seed)]


def rejected(found: Sequence[Findings], *words: str) -> int:
    return sum(one.p[key(*words)] <= 0.05 + 1e-9 for one in found)


def holds(found: Sequence[Findings], *words: str) -> bool:
    """Not more rejections than 0.05 gives in 1,999 of 2,000 such runs."""
    return rejected(found, *words) <= binom.ppf(0.9995, len(found), 0.05)


def covers(found: Sequence[Findings], least: float, *words: str) -> bool:
    """Not fewer intervals over the mean of all estimates than `least` gives in 1,999 of 2,000 such runs."""
    values = np.array([one.interval[key(*words)] for one in found])
    inside = (values[:, 1] <= values[:, 0].mean()) & (values[:, 0].mean() <= values[:, 2])
    return int(inside.sum()) >= binom.ppf(0.0005, len(found), least)


# --- the quick way is the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(), (0.8, 0.1, 0.1)])
def test_the_quick_way_gives_the_numbers_of_the_commands(weights: tuple[float, ...]) -> None:
    panel = simulate_panel(
        PanelParameters(taxa=80, recipients=9, donors=3, donor_weights=weights, post_days=(28, 56)), 5
    )
    case = Case(panel)
    fast, slow = quick(case, 3), compared(case, 3)
    for quantity in ("depletion_rate", "engraftment_rate", "lost_taxa"):
        name = key("compare", quantity, "subject_permutation")
        assert fast.p[name] == slow.p[name]
        name = key("compare", quantity, "difference")
        np.testing.assert_allclose(fast.interval[name], slow.interval[name], atol=1e-12)
    fast, slow = quick_donors(case, 3), donor_rows(case, 3, levels=("overall",), method="none")
    for name in fast.p:
        assert fast.p[name] == slow.p[name]
        np.testing.assert_allclose(fast.interval[name], slow.interval[name], atol=1e-12)


# --- type-I error ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["10x4x2-balanced", "10x1x5-dominant", "30x4x5-dominant"])
def test_comparing_per_subject_holds_its_level(name: str) -> None:
    found = run(f"response-grid-{name}", 150)
    for quantity in ("depletion_rate", "engraftment_rate", "donor_recovery", "lost_taxa"):
        assert holds(found, "compare", quantity, "subject_permutation")
    values = np.array([one.p[key("compare", "depletion_rate", "subject_permutation")] for one in found])
    # Uniform, not only small at one place.
    assert abs((values <= 0.5).mean() - 0.5) < 3.3 * np.sqrt(0.25 / len(values)) + 0.01


@pytest.mark.parametrize("name", ["10x1x2-dominant", "20x4x5-dominant"])
def test_engraftment_against_other_donors_holds_its_level(name: str) -> None:
    found = run(f"chance-grid-{name}", 150)
    assert holds(found, "nulls", "engraftment_rate", "donor_permutation")
    assert holds(found, "nulls", "donor_recovery", "donor_permutation")


def cases(trials: int, **values: Any) -> list[Case]:
    parameters = PanelParameters(**{"taxa": 100} | values)
    return [Case(simulate_panel(parameters, np.random.default_rng([2, number]))) for number in range(trials)]


def test_samples_counted_as_subjects_reject_too_often_and_the_other_analyses_do_not() -> None:
    some = cases(30, responders=4, post_days=(28, 56, 84, 112))
    found = [compared(case, seed, ("depletion_rate",)) for seed, case in enumerate(some)]
    assert rejected(found, "compare", "depletion_rate", "pooled_wilcoxon") >= 4
    assert holds(found, "compare", "depletion_rate", "subject_permutation")
    assert holds(found, "compare", "depletion_rate", "mixed_model")
    found = [taxa_compared(case, seed) for seed, case in enumerate(some[:6])]
    assert np.mean([one.share[key("taxa", "loss", "per taxon")] for one in found]) < 0.05


def test_donors_of_a_centre_need_strata() -> None:
    some = cases(25, recipients=16, donors=4, centres=2, centre_sd=1.0, engraftment=0.0)
    within = [donor_rows(case, seed, "centre", levels=("overall",)) for seed, case in enumerate(some)]
    across = [donor_rows(case, seed, levels=("overall",)) for seed, case in enumerate(some)]
    assert holds(within, "nulls", "engraftment_rate", "donor_permutation")
    assert rejected(across, "nulls", "donor_recovery", "donor_permutation") >= 8


def test_depth_that_differs_between_arms_is_not_taken_for_an_effect() -> None:
    some = cases(25, taxa=300, recipients=20, placebo=8, engraftment=0.0, depth_factors={"post+fmt": 0.1})
    found = [excess(case, seed, levels=("overall",)) for seed, case in enumerate(some)]
    assert holds(found, "nulls", "depletion_rate", "placebo_arm")
    values = np.array([one.interval[key("nulls", "depletion_rate", "placebo_arm")] for one in found])
    assert ((values[:, 1] <= 0) & (values[:, 2] >= 0)).sum() >= binom.ppf(0.0005, len(found), 0.95)
    naive = [naive_arms(case, seed) for seed, case in enumerate(some)]
    assert rejected(naive, "naive", "depletion_rate", "raw rates of the arms") >= 5


@pytest.mark.parametrize(
    ("name", "shortcut"), [("lag-arms", "arms whatever their lag"), ("lag-repeats", "repeats whatever their lag")]
)
def test_unequal_lags_are_refused(name: str, shortcut: str) -> None:
    found = run(f"traps-{name}", 8)
    assert all(one.flag and all(one.flag.values()) for one in found)
    assert rejected(found, "naive", "depletion_rate", shortcut) >= 3


# --- coverage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quantity", "least"),
    [
        ("depletion-5", "depletion_rate", 0.93),
        ("depletion-15", "depletion_rate", 0.93),
        ("rare-8", "engraftment_rate", 0.90),
    ],
)
def test_the_interval_of_a_mean_covers(name: str, quantity: str, least: float) -> None:
    found = run(f"coverage-{name}", 150)
    assert covers(found, least, "mean", quantity, "logit_t")


def test_the_percentile_bootstrap_does_not_cover_with_five_subjects() -> None:
    assert not covers(run("coverage-depletion-5", 150), 0.95, "mean", "depletion_rate", "percentile")


def test_no_interval_over_subjects_covers_donors_in_general() -> None:
    assert not covers(run("coverage-donors-2-any", 60), 0.93, "mean", "engraftment_rate", "logit_t")


# --- the machinery ---------------------------------------------------------------------------------------------------


def test_names_are_unique_and_sections_known() -> None:
    names = [one.name for one in scenarios()]
    assert len(set(names)) == len(names)
    assert {one.section for one in scenarios()} == set(SECTIONS)


def test_what_is_kept_reads_back(tmp_path: Path) -> None:
    one = Findings(
        {"a|b|c": 0.05, "d|b|c": float("nan")}, {"s|b|c": 0.1}, {"i|b|c": (1.0, float("nan"), 2.0)}, {"f|b|c": True}
    )
    path = tmp_path / "x.jsonl"
    append(path, [(3, one)])
    with path.open("a") as stream:
        stream.write('{"trial": 4, "p": {"a|b')
    found = read(path)
    assert list(found) == [3]
    assert found[3].p["a|b|c"] == 0.05
    assert np.isnan(found[3].p["d|b|c"])
    assert np.isnan(found[3].interval["i|b|c"][1])
    assert found[3].flag == one.flag


def test_an_interrupted_run_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    chosen = [EVERY["response-spread-6-4-3"], EVERY["coverage-depletion-5"]]
    small = [Scenario(one.name, one.section, one.labels, one.draw, one.parameters, one.truth, 1.0) for one in chosen]
    simulate(small, 3, 7, tmp_path / "a")
    simulate(small, 6, 7, tmp_path / "a")
    simulate(small, 6, 7, tmp_path / "b")
    assert load(small, 6, 7, tmp_path / "a") == load(small, 6, 7, tmp_path / "b")
    assert len(load(small, 6, 7, tmp_path / "a")["coverage-depletion-5"]) == 6
    assert load(small, 6, 8, tmp_path / "a")["coverage-depletion-5"] == []


def fake(p: Sequence[float], interval: Sequence[tuple[float, float, float]] = ()) -> list[Findings]:
    found = [Findings(p={"compare|x|subject_permutation": value}) for value in p]
    return found + [Findings(interval={"compare|x|difference": value}) for value in interval]


@pytest.mark.parametrize(
    ("small", "verdict"), [(50, "holds"), (20, "below"), (70, "above"), (200, "fails"), (None, "none")]
)
def test_verdicts_on_the_level(small: int | None, verdict: str) -> None:
    scenario = Scenario("s", "response", {"patients": 10}, lambda rng, seed: Findings(), {})
    p = [0.01] * small + [0.5] * (1000 - small) if small is not None else [float("nan")] * 5
    row = level([scenario], {"s": fake(p)}).iloc[0]
    assert row["verdict"] == verdict
    assert row["design"] == "10 patients"
    if small is not None:
        assert row["rejected"] == small / 1000
        assert row["ci_low"] < small / 1000 < row["ci_high"]


def test_verdicts_on_coverage() -> None:
    zero = Scenario("s", "response", {}, lambda rng, seed: Findings(), {}, {"*": 0.0})
    inside, outside, none = (0.1, -1.0, 1.0), (0.5, 0.2, 0.8), (0.5, float("nan"), 0.8)
    row = coverage([zero], {"s": fake([], [inside] * 95 + [outside] * 5 + [none] * 2)}).iloc[0]
    assert (row["covered"], row["trials"], row["without"], row["verdict"]) == (0.95, 100, 2, "covers")
    row = coverage([zero], {"s": fake([], [inside] * 70 + [outside] * 30)}).iloc[0]
    assert row["verdict"] == "fails"
    # Without a stated truth it is the mean of the estimates.
    free = Scenario("s", "coverage", {}, lambda rng, seed: Findings(), {})
    row = coverage([free], {"s": fake([], [(1.0, 0.5, 2.5), (3.0, 1.5, 3.5)])}).iloc[0]
    assert (row["truth"], row["covered"]) == (2.0, 1.0)


def test_the_page_is_written_from_whatever_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--trials", "2", "--only", "coverage-depletion", "response-spread", "--work", str(tmp_path / "work")]
    assert main([*arguments, "--docs", str(tmp_path / "docs")]) == 0
    page = (tmp_path / "docs" / "calibration.md").read_text()
    assert "5 subjects, 5 donors" in page
    assert "(not run)" in page
    assert (tmp_path / "docs" / "calibration" / "coverage_of_means.svg").read_text().startswith("<svg")
    designs = (tmp_path / "docs" / "calibration" / "designs.tsv").read_text().splitlines()
    assert json.loads(designs[-1].split("\t")[2].strip('"').replace('""', '"'))["recipients"] == 30
    assert main([*arguments, "--list"]) == 0
    assert "coverage-depletion-5" in capsys.readouterr().out
