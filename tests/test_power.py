"""Power against the number of patients: the quick trials against the long way, and the curve against theory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestIndPower

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.outcomes import outcomes, rates
from microbiome.power.needed import patients_needed
from microbiome.power.parameters import panel_parameters
from microbiome.power.pilot import Pilot, pilot, pilot_power
from microbiome.power.simulated import power
from microbiome.power.tables import POWER
from microbiome.power.trials import presence, primary, run_trial, trial_rates
from microbiome.simulate.panel import PanelParameters, simulate_panel
from microbiome.stats import group_permutation
from microbiome.tables import RATE_NAMES, RATES
from microbiome.tsv import read_table, write_table
from microbiome.visits import subject_means

SMALL = {"taxa": 60, "recipients": 8, "reads": 2e6}
PANELS = {
    "plain": PanelParameters(**SMALL),
    "drop-out": PanelParameters(
        **SMALL, post_days=(7, 28, 84), dropout_non_responder=0.5, dropout_responder=0.2, donors=3
    ),
    "many doses": PanelParameters(
        **SMALL, post_days=(7, 28, 84), dose_days=(0, 14, 28), donors=4, donor_samples=3, donors_each=2, placebo=3
    ),
    "all lots": PanelParameters(**SMALL, post_days=(28, 56), all_lots=True, donor_samples=3),
}


@pytest.mark.parametrize("name", PANELS)
def test_rates_of_the_quick_way_are_those_of_outcomes(name: str) -> None:
    panel = simulate_panel(PANELS[name], 3)
    for detection in (0.0, 2e-3):
        trial = presence(panel, detection)
        table = rates(outcomes(panel.abundance, panel.study, detection, fitted=False))
        table = table.set_index(["subject", "day"])
        for rate in RATE_NAMES:
            found = trial_rates(trial, rate)
            expected = np.full(found.shape, np.nan)
            for i, subject in enumerate(trial.subjects):
                for j, day in enumerate(trial.days):
                    if (subject, day) in table.index:
                        expected[i, j] = table.loc[(subject, day), rate]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["plain", "drop-out"])
def test_a_trial_is_tested_as_by_hand(name: str) -> None:
    panel = simulate_panel(PANELS[name], 4)
    table = rates(outcomes(panel.abundance, panel.study, fitted=False))
    means, analysis = subject_means(table, "depletion_rate")
    best = panel.study.subjects.set_index("subject")["best_response"]
    label = means.index.map(best).isin(["CR", "PR"])
    expected = group_permutation(means.to_numpy(), label, permutations=199, seed=5)
    found = run_trial(panel, "response", "depletion_rate", 0.0, 199, 5)
    assert found.result.p_value == expected.p_value
    assert found.result.p_floor == expected.p_floor
    assert found.mean_2 == pytest.approx(means[label].mean())
    assert found.mean_1 == pytest.approx(means[~label].mean())
    assert found.n_samples == len(analysis.samples)
    residual = [*(means[label] - means[label].mean()), *(means[~label] - means[~label].mean())]
    assert found.sd == pytest.approx(np.sqrt(np.sum(np.square(residual)) / (len(means) - 2)))


def test_placebo_and_donors_are_tested_on_the_right_groups() -> None:
    panel = simulate_panel(PanelParameters(**SMALL | {"recipients": 10}, placebo=4, donors=3), 6)
    table = rates(outcomes(panel.abundance, panel.study, fitted=False)).set_index("subject")
    arm = panel.study.subjects.set_index("subject")["arm"]
    treated = table.index.map(arm) == "fmt"
    found = run_trial(panel, "placebo", "depletion_rate", 0.0, 999, 0)
    assert found.mean_2 - found.mean_1 == pytest.approx(
        table.loc[treated, "depletion_rate"].mean() - table.loc[~treated, "depletion_rate"].mean()
    )
    found = run_trial(panel, "donors", "engraftment_rate", 0.0, 999, 0)
    assert found.mean_2 == pytest.approx(table.loc[treated, "engraftment_rate"].mean())
    assert found.n_samples == treated.sum()
    # Naively: every donor sample that another treated recipient got from another donor, each as often as given.
    given = panel.study.doses.set_index("subject")
    there = panel.abundance > 0
    others = []
    for subject, row in table[treated].iterrows():
        b, r = there.loc[row["baseline_sample"]], there.loc[row["sample"]]
        lots = given.loc[given["donor"] != given.loc[subject, "donor"], "donor_sample"]
        others.append(np.mean([(there.loc[lot] & ~b & r).sum() / (there.loc[lot] & ~b).sum() for lot in lots]))
    assert found.mean_1 == pytest.approx(np.mean(others))


def test_drop_out_leaves_the_days_that_all_have() -> None:
    nan = np.nan
    means, days = primary(np.array([[0.1, 0.3, nan], [0.2, nan, nan], [0.3, 0.5, 0.9], [nan, nan, nan]]))
    np.testing.assert_array_equal(days, [True, False, False])
    np.testing.assert_array_equal(means, [0.1, 0.2, 0.3, nan])
    means, days = primary(np.array([[0.1, nan], [nan, 0.4], [nan, 0.6]]))
    np.testing.assert_array_equal(days, [False, True])
    np.testing.assert_array_equal(means, [nan, 0.4, 0.6])


def test_power_is_the_level_without_an_effect_and_grows_with_it_and_with_n() -> None:
    small = {"taxa": 80, "donors": 2}
    null = power([12], PanelParameters(**small), trials=150, permutations=99, seed=1)
    assert null["effect"].item() == "none"
    assert null["power"].item() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    effect = power([12, 30], PanelParameters(**small, loss_ratio=3.0), trials=60, permutations=99, seed=1)
    assert effect["power"].iloc[0] > null["power"].item() + 0.1
    assert effect["power"].is_monotonic_increasing
    assert (effect["ratio"] > 1.3).all()
    assert list(effect.columns) == POWER.names


def test_same_seed_same_table_whatever_stands_beside() -> None:
    parameters = PanelParameters(taxa=40, loss_ratio=2.0, donors=2)
    both = power([8, 10], parameters, trials=5, seed=3)
    pd.testing.assert_frame_equal(both, power([8, 10], parameters, trials=5, seed=3))
    alone = power([10], parameters, trials=5, seed=3)
    pd.testing.assert_frame_equal(both.iloc[[1]].reset_index(drop=True), alone)
    assert power([10], parameters, trials=5, seed=4)["mean_1"].item() != alone["mean_1"].item()


def test_groups_follow_the_design() -> None:
    table = power([10, 11], PanelParameters(taxa=40, responders=0.4), trials=2)
    assert table["n_2"].tolist() == [4, 4]
    assert table["n_1"].tolist() == [6, 7]
    table = power([10], PanelParameters(taxa=40), "placebo", placebo=0.3, trials=2)
    assert (table["n_1"].item(), table["n_2"].item()) == (3, 7)
    table = power([6], PanelParameters(taxa=40, donors=2), "donors", "engraftment_rate", trials=2)
    assert (table["n_1"].item(), table["n_2"].item()) == (6, pd.NA)


def test_a_design_that_can_never_be_significant_says_so() -> None:
    table = power([6], PanelParameters(taxa=40, loss_ratio=3.0), trials=4)
    assert table["p_floor"].item() == pytest.approx(0.1)
    assert table["power"].item() == 0
    assert table["note"].item().startswith("not testable: ")
    table = power([6], PanelParameters(taxa=40, donors=1), "donors", "engraftment_rate", trials=4)
    assert table["n_untestable"].item() == 4
    assert table["note"].item().startswith("not testable: ")


def test_depth_that_differs_is_repaired_by_a_threshold() -> None:
    """Responders' post samples tenfold shallower: they seem to lose more, and not after the repair."""
    parameters = PanelParameters(taxa=300, depth_factors={"post+responder": 0.1}, donors=2)
    naive = power([16], parameters, trials=40, permutations=199)
    repaired = power([16], parameters, trials=40, permutations=199, repair="threshold")
    assert naive["power"].item() > 0.3
    assert repaired["power"].item() < 0.2
    assert abs(repaired["difference"].item()) < 0.25 * naive["difference"].item()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patients": [1]}, "too few"),
        ({"patients": []}, "no number"),
        ({"trials": 0}, "trials 0"),
        ({"alpha": 1.0}, "alpha"),
        ({"test": "placebo", "rate": "engraftment_rate"}, "needs a donor"),
        ({"test": "donors"}, "does not depend on the donor"),
        ({"parameters": PanelParameters(responders=3)}, "fraction"),
        ({"test": "placebo", "placebo": 1.0}, "placebo 1"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        power(**({"patients": [10], "trials": 2} | changes))


def table_of(n: list[int], powers: list[float], trials: int = 1000) -> pd.DataFrame:
    return pd.DataFrame({"n_subjects": n, "power": powers, "ci_low": powers, "ci_high": powers, "trials": trials})


def test_patients_needed_by_theory() -> None:
    """A test of a mean has power Phi(d sqrt(n) - z): the crossing is then known."""
    from scipy.stats import norm

    n = np.array([10, 20, 40, 80])
    found = patients_needed(table_of(n.tolist(), norm.cdf(0.4 * np.sqrt(n) - 1.96).tolist(), 10**9))
    assert found.n == np.ceil(((1.96 + norm.ppf(0.8)) / 0.4) ** 2) == 50
    assert found.text == "80 % power needs 50 patients (50 to 50 by Monte Carlo error)"


def test_patients_needed_at_the_ends() -> None:
    assert patients_needed(table_of([10, 20], [0.1, 0.79])).text == (
        "80 % power is not reached up to n = 20 (power 0.79)"
    )
    assert "at most 10" in patients_needed(table_of([10, 20], [0.85, 0.9])).text
    # Noise that goes down is evened out: the mean of .81 and .75 is below .80.
    assert patients_needed(table_of([10, 20, 40], [0.81, 0.75, 0.99])).n > 20
    assert np.isnan(patients_needed(table_of([10], [np.nan])).n)
    assert patients_needed(table_of([10, 20], [0.5, 1.0])).n <= 20


def test_a_pilot_by_hand() -> None:
    """Three subjects at two days: the analysis of variance on paper."""
    values = [[0.1, 0.2], [0.3, 0.4], [0.2, 0.6]]
    table = pd.DataFrame(
        [(f"s{i}", f"s{i}-{j}", 28 * (j + 1), v) for i, row in enumerate(values) for j, v in enumerate(row)],
        columns=["subject", "sample", "day", "depletion_rate"],
    )
    found = pilot(table)
    # Means of the days .2 and .4 are taken out; grand mean .3. Rows become (.2, .1), (.4, .3), (.3, .5).
    between = 2 * ((0.15 - 0.3) ** 2 + (0.35 - 0.3) ** 2 + (0.4 - 0.3) ** 2) / 2
    within = 2 * (0.05**2 + 0.05**2 + 0.1**2) / 3
    assert found.mean == pytest.approx(0.3)
    assert found.sd_samples == pytest.approx(np.sqrt(within))
    assert found.sd_subjects == pytest.approx(np.sqrt((between - within) / 2))
    assert found.sd(2) == pytest.approx(np.sqrt(between / 2))
    one = pilot(table[table["day"] == 28])
    assert np.isnan(one.sd_samples)
    assert one.sd(1) == one.sd(4) == pytest.approx(np.std([0.1, 0.3, 0.2], ddof=1))


def test_groups_of_a_pilot_do_not_count_as_variation() -> None:
    table = pd.DataFrame(
        {
            "subject": list("abcdef"),
            "sample": list("ABCDEF"),
            "day": 28,
            "depletion_rate": [0.1, 0.2, 0.3, 0.6, 0.7, 0.8],
        }
    )
    groups = pd.Series(["no"] * 3 + ["yes"] * 3, index=list("abcdef"))
    assert pilot(table, groups=groups).sd_subjects == pytest.approx(0.1)
    assert pilot(table).sd_subjects == pytest.approx(table["depletion_rate"].std())
    groups["f"] = None
    assert pilot(table, groups=groups).n_subjects == 5
    with pytest.raises(InputError, match="2 subjects"):
        pilot(table.iloc[:2])
    with pytest.raises(InputError, match="no rate"):
        pilot(table, "engraftment_rate")


@pytest.mark.parametrize(("n", "ratio"), [(20, 1.3), (40, 1.2), (40, 1.0)])
def test_power_of_a_pilot_is_that_of_the_t_test(n: int, ratio: float) -> None:
    """Beta values of small spread are nearly normal; the permutation test of means then has the power of Student's."""
    found = Pilot("depletion_rate", 0.3, 0.08, np.nan, 0.7, 1.8, 10, 10)
    trials = 600
    row = pilot_power([n], found, ratio, trials=trials, permutations=499, seed=2).iloc[0]
    spread = 0.08 * np.sqrt((1 + ratio * (1 - 0.3 * ratio) / 0.7) / 2)
    theory = TTestIndPower().power(0.3 * (ratio - 1) / spread, n // 2, 0.05) if ratio != 1 else 0.05
    assert row["power"] == pytest.approx(theory, abs=3 * np.sqrt(theory * (1 - theory) / trials) + 0.01)
    assert row["mean_1"] == pytest.approx(0.3, abs=0.005)
    assert row["ratio"] == pytest.approx(ratio, rel=0.02)


def test_a_pilot_that_fits_no_fraction_is_refused() -> None:
    found = Pilot("depletion_rate", 0.6, 0.08, np.nan, 0.7, 1.8, 10, 10)
    with pytest.raises(InputError, match="not both between 0 and 1"):
        pilot_power([10], found, 2.0)
    with pytest.raises(InputError, match="of no fraction"):
        pilot_power([10], Pilot("depletion_rate", 0.1, 0.5, np.nan, 0.7, 1.8, 10, 10), 1.2)


def test_parameters_from_text() -> None:
    found = panel_parameters(
        {"post_days": [28, 56]}, ["taxa=50", "baseline_repeats=[-28]", "all_lots=true"], ["post+responder=0.1"]
    )
    assert found == PanelParameters(
        taxa=50, post_days=(28, 56), baseline_repeats=(-28,), all_lots=True, depth_factors={"post+responder": 0.1}
    )
    with pytest.raises(InputError) as caught:
        panel_parameters({}, ["taxxa=50", "taxa=many", "taxa=0.5", "all_lots=1"], ["post"])
    assert len(caught.value.problems) == 5
    assert "did you mean taxa?" in str(caught.value)


def test_command(tmp_path: Path) -> None:
    arguments = ["power", "--patients", "8", "10", "--trials", "4", "--loss-ratio", "2", "--set", "taxa=40"]
    figure = tmp_path / "power.svg"
    assert main([*arguments, "-o", str(tmp_path / "a.tsv"), "--figure", str(figure)]) == 0
    assert (tmp_path / "a.tsv").read_text().startswith("# 80 % power ")
    table = read_table(tmp_path / "a.tsv", POWER)
    assert table["effect"].unique().tolist() == ["loss_ratio 2"]
    assert figure.read_text().startswith("<svg")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "power.tsv", POWER).reset_index(drop=True), table.reset_index(drop=True)
    )
    assert main([*arguments, "-o", str(tmp_path / "b.tsv")]) == 0
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()
    assert main([*arguments, "--figure", str(tmp_path / "power.png")]) == 2
    assert main([*arguments[:-1], "taxxa=40"]) == 2


def test_command_with_a_pilot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    panel = simulate_panel(PANELS["plain"], 3)
    table = rates(outcomes(panel.abundance, panel.study, fitted=False))
    write_table(table, tmp_path / "rates.tsv")
    write_table(panel.study.subjects, tmp_path / "subjects.tsv")
    arguments = ["power", "--patients", "10", "40", "--trials", "20", "--rates", str(tmp_path / "rates.tsv")]
    arguments += ["--subjects", str(tmp_path / "subjects.tsv"), "--rate-ratio", "1.5"]
    assert main([*arguments, "-o", str(tmp_path / "a.tsv")]) == 0
    text = (tmp_path / "a.tsv").read_text()
    assert "8 subjects" in text
    assert "times as large (95 %)" in text
    assert read_table(tmp_path / "a.tsv", POWER)["mean_1"].iloc[1] == pytest.approx(
        table["depletion_rate"].mean(), abs=0.05
    )
    assert main([*arguments, "--test", "placebo"]) == 2
    assert "pilot" in capsys.readouterr().err
    assert set(RATES.names) >= set(table.columns)
