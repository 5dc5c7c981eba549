"""What a simulated trial with sequences can be asked for beyond the demo: depth, drop-out, donors, loss by response."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.response import responder
from microbiome.simulate.design import depths, doses_table, samples_table, subjects_table
from microbiome.simulate.parameters import Parameters
from microbiome.simulate.trial import simulate_trial


def planned(**values: object) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return samples with their reads, subjects and doses, without any microbes."""
    parameters = Parameters(**{"recipients": 40, "placebo": 15, "shallow_sample": False, **values})  # type: ignore[arg-type]
    samples, subjects = samples_table(parameters), subjects_table(parameters)
    reads = depths(parameters, samples, subjects)["reads"]
    return samples.assign(reads=samples["sample"].map(reads)), subjects, doses_table(parameters)


@pytest.mark.parametrize("name", ["placebo_depth", "nonresponder_depth"])
def test_depth_of_post_samples_follows_arm_and_response(name: str) -> None:
    before, subjects, _ = planned(read_pairs=100_000)
    after, _, _ = planned(read_pairs=100_000, **{name: 0.1})
    named = subjects["arm"].eq("placebo") if name == "placebo_depth" else responder(subjects).eq("no").to_numpy()
    touched = before["subject"].isin(subjects.loc[named, "subject"]) & (before["day"] > 0).fillna(False)
    assert 10 < touched.sum() < len(before) - 10
    ratio = after["reads"] / before["reads"]
    np.testing.assert_allclose(ratio[touched], 0.1, rtol=1e-3)
    assert (ratio[~touched] == 1).all()


def test_depth_factors_multiply() -> None:
    before, subjects, _ = planned(read_pairs=1_000_000)
    after, _, _ = planned(read_pairs=1_000_000, post_depth=0.5, placebo_depth=0.5, nonresponder_depth=0.2)
    both = subjects["arm"].eq("placebo") & responder(subjects).eq("no").to_numpy()
    touched = before["subject"].isin(subjects.loc[both, "subject"]) & (before["day"] > 0).fillna(False)
    assert touched.any()
    np.testing.assert_allclose((after["reads"] / before["reads"])[touched], 0.05, rtol=1e-3)


def test_who_drops_out_comes_to_no_later_visit() -> None:
    days = (-7, 0, 28, 56, 84)
    full, _, _ = planned(recipients=2000, placebo=0, days=days)
    left, _, _ = planned(recipients=2000, placebo=0, days=days, dropout=0.3)
    # Those who stay keep their days and names.
    assert left["sample"].isin(full["sample"]).all()
    same = full.set_index("sample").loc[left["sample"], "day"]
    assert same.tolist() == left["day"].tolist()
    visits = (
        left[left["sample"].str.contains("-T")]
        .groupby("subject")["sample"]
        .agg(lambda names: "".join(n[-1] for n in names))
    )
    counts = visits[visits.index.str.startswith("R")].value_counts(normalize=True)
    assert set(counts.index) == {"012", "0123", "01234"}
    assert counts["012"] == pytest.approx(0.3, abs=0.04)
    assert counts["0123"] == pytest.approx(0.7 * 0.3, abs=0.04)


def test_drop_out_leaves_the_shallow_sample() -> None:
    trial = simulate_trial(Parameters(seed=1, dropout=1.0, recipients=5, sgbs=12))
    recipients = trial.samples[trial.samples["role"] == "recipient"]
    posts = recipients[recipients["day"] > 0].groupby("subject").size().to_dict()
    assert posts == {"R01": 3, "R02": 1, "R03": 1, "R04": 1, "R05": 1}
    assert trial.depth.loc["R01-T3", "fragments"] == 150
    assert (trial.depth["fragments"] < 1000).sum() == 1
    assert set(trial.outcomes["sample"]) <= set(trial.samples["sample"])


def test_donor_weights_choose_the_donors() -> None:
    _, _, doses = planned(recipients=600, placebo=0, donors=3, donor_weights=(0.7, 0.2, 0.1))
    first = doses[doses["day"] == 0].groupby("donor").size() / 600
    assert first.to_dict() == pytest.approx({"D01": 0.7, "D02": 0.2, "D03": 0.1}, abs=0.05)


def test_loss_effect_moves_the_loss_of_responders() -> None:
    def gap(effect: float) -> float:
        trial = simulate_trial(Parameters(seed=2, recipients=100, placebo=0, days=(0, 28), loss_effect=effect))
        table = trial.outcomes.assign(
            lost=trial.outcomes["outcome"].isin(["depleted", "shared_depleted"]),
            answer=trial.outcomes["subject"].map(responder(trial.subjects)),
        )
        baseline = table[table["outcome"].isin(["depleted", "shared_depleted", "persisted", "shared_kept"])]
        rate = baseline.groupby("answer")["lost"].mean()
        return float(rate["yes"] - rate["no"])

    assert abs(gap(0.0)) < 0.06
    assert gap(1.0) > 0.12


def test_impossible_factors_are_refused_together() -> None:
    with pytest.raises(InputError) as caught:
        Parameters(placebo_depth=0.0, nonresponder_depth=-1.0, dropout=1.5)
    assert {problem.column for problem in caught.value.problems} == {
        "--placebo-depth",
        "--nonresponder-depth",
        "--dropout",
    }


def test_command_takes_the_weights(tmp_path: Path) -> None:
    target = tmp_path / "trial"
    command = ["--quiet", "simulate", "--output", str(target), "--recipients", "4", "--placebo", "1", "--sgbs", "12"]
    options = ["--donor-weights", "0", "1", "--dropout", "0.5", "--placebo-depth", "0.5", "--loss-effect", "1"]
    assert main([*command, *options]) == 0
    parameters = json.loads((target / "truth" / "parameters.json").read_text())["parameters"]
    assert parameters["donor_weights"] == [0, 1]
    assert (parameters["dropout"], parameters["placebo_depth"], parameters["loss_effect"]) == (0.5, 0.5, 1.0)
    doses = pd.read_csv(target / "doses.tsv", sep="\t")
    assert set(doses.loc[doses["day"] == 0, "donor"]) == {"D02"}
    assert main([*command, "--force", "--donor-weights", "1", "1", "1"]) == 2
