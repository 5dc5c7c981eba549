"""Trials simulated as tables: their design, the model behind them, and how close they come to real stool."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from microbiome.errors import InputError
from microbiome.features import feature_abundance
from microbiome.metaphlan import read_abundance
from microbiome.outcomes import outcomes, rates
from microbiome.response import responder
from microbiome.simulate.panel import Panel, PanelParameters, simulate_panel, write_panel
from microbiome.study import post_samples, read_study, study_problems

# People and taxa all alike: every quantity has a closed form.
PLAIN = PanelParameters(
    taxa=400,
    recipients=30,
    prevalence=0.3,
    prevalence_spread=1e9,
    recipient_richness=1.0,
    richness_sd=0.0,
    loss_sd=0.0,
    loss_level=0.0,
    engraftment=0.0,
    engraftment_sd=0.0,
    engraftment_subject_sd=0.0,
)


def changed(parameters: PanelParameters = PLAIN, **values: object) -> PanelParameters:
    return dataclasses.replace(parameters, **values)  # type: ignore[arg-type]


def held(panel: Panel, visit: str) -> np.ndarray:
    """Presence in truth, recipient x taxon."""
    names = panel.truth.index
    return (panel.truth[names.str.startswith("R") & names.str.endswith(f"-{visit}")] > 0).to_numpy()


def product(panel: Panel) -> np.ndarray:
    """Presence in the truth of the product of each treated recipient (one dose each), recipient x taxon."""
    doses = panel.study.doses.sort_values("subject")
    return (panel.truth.loc[doses["donor_sample"]] > 0).to_numpy()


def responds(panel: Panel) -> np.ndarray:
    subjects = panel.study.subjects
    return responder(subjects[subjects["arm"].notna()]).eq("yes").to_numpy()


def near(found: float, expected: float, draws: float) -> bool:
    """Within four standard errors of a proportion."""
    return bool(abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / draws) + 1e-9)


# ---- parameters


@pytest.mark.parametrize(
    "wrong",
    [
        {"taxa": 1},
        {"placebo": 11},
        {"responders": 11},
        {"responders": 1.5},
        {"donor_weights": (0.5, 0.5, 0.5)},
        {"donor_weights": (0.0, 0.0)},
        {"donors_each": 3},
        {"centres": 3},
        {"post_days": ()},
        {"post_days": (28, 7)},
        {"post_days": (0, 28)},
        {"baseline_repeats": (-7, 0)},
        {"dose_days": (7,)},
        {"loss": 1.0},
        {"engraftment": -0.1},
        {"displacement": 1.2},
        {"depth_sd": -1.0},
        {"loss_ratio": -1.0},
        {"depth_factors": {"after": 0.1}},
        {"depth_factors": {"post+non_responder": 0.0}},
        {"min_reads": 0},
        {"fixed_donors": True},
        {"dropout_responder": 2.0},
        {"prevalence": 0.0},
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        PanelParameters(**wrong)  # type: ignore[arg-type]
    assert {problem.column for problem in caught.value.problems} == set(wrong)
    assert all(problem.fix for problem in caught.value.problems)


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        PanelParameters(taxa=0, post_days=(), reads=0.0)
    assert {problem.column for problem in caught.value.problems} == {"taxa", "post_days", "reads"}


# ---- form


EVERYTHING = PanelParameters(
    taxa=60,
    recipients=9,
    placebo=3,
    donors=4,
    donor_samples=3,
    donors_each=2,
    dose_days=(0, 14),
    post_days=(28, 56),
    baseline_repeats=(-28, -7),
    centres=2,
    centre_sd=1.0,
    displacement=0.2,
    depth_factors={"post": 0.5},
    dropout_responder=0.3,
    dropout_non_responder=0.3,
)


@pytest.mark.parametrize("parameters", [PanelParameters(), EVERYTHING, changed(EVERYTHING, all_lots=True)])
def test_tables_are_those_of_the_contract(parameters: PanelParameters, tmp_path: Path) -> None:
    panel = simulate_panel(parameters, 3)
    assert study_problems(panel.study) == []
    write_panel(panel, tmp_path)
    study = read_study(*(tmp_path / f"{name}.tsv" for name in ("samples", "subjects", "doses")))
    for name in ("samples", "subjects", "doses"):
        ours, read = getattr(panel.study, name), getattr(study, name)
        pd.testing.assert_frame_equal(ours, read.reset_index(drop=True), check_index_type=False)
    abundance = feature_abundance(tmp_path / "profiles.tsv")
    pd.testing.assert_frame_equal(abundance, panel.abundance, check_index_type=False)
    record = json.loads((tmp_path / "parameters.json").read_text())["parameters"]
    again = {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
    assert PanelParameters(**again) == parameters


def test_rows_agree_and_close_to_one() -> None:
    panel = simulate_panel(EVERYTHING, 1)
    names = panel.study.samples["sample"].tolist()
    for frame in (panel.abundance, panel.truth):
        assert frame.index.tolist() == names
        np.testing.assert_allclose(frame.sum(axis=1), 1)
    assert panel.reads.index.tolist() == names
    assert panel.study.samples["reads"].tolist() == panel.reads.tolist()
    assert ((panel.abundance > 0) <= (panel.truth > 0)).all(axis=None)
    assert "reads" not in simulate_panel(changed(EVERYTHING, with_reads=False), 1).study.samples


def test_visits_stand_where_they_were_asked_for() -> None:
    samples = simulate_panel(changed(EVERYTHING, dropout_responder=0.0, dropout_non_responder=0.0)).study.samples
    days = samples.set_index("sample")["day"]
    assert [days[f"R04-{visit}"] for visit in ("S2", "S1", "T0", "T1", "T2")] == [-28, -7, 0, 28, 56]
    assert [days[f"D02-{lot}"] for lot in (1, 2, 3)] == [0, 28, 56]
    study = simulate_panel(EVERYTHING).study
    assert set(post_samples(study)["baseline_sample"]) == {f"R{i:02d}-T0" for i in range(1, 10)}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    def digest(name: str, seed: int | np.random.Generator) -> dict[str, str]:
        write_panel(simulate_panel(EVERYTHING, seed), tmp_path / name)
        files = sorted((tmp_path / name).iterdir())
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    first = digest("a", 5)
    assert len(first) == 6
    assert digest("b", 5) == first == digest("c", np.random.default_rng(5))
    other = digest("d", 6)
    assert all(other[name] != first[name] for name in ("samples.tsv", "profiles.tsv", "truth.tsv", "doses.tsv"))
    generator = np.random.default_rng(5)
    assert digest("e", generator) == first != digest("f", generator)


def test_a_sample_too_shallow_for_anything_is_a_row_of_nan(tmp_path: Path) -> None:
    panel = simulate_panel(PanelParameters(taxa=50, depth_factors={"post": 1e-9}), 0)
    post = panel.abundance.index.str.endswith("-T1")
    assert panel.abundance[post].isna().all(axis=None)
    assert panel.abundance[~post].notna().all(axis=None)
    write_panel(panel, tmp_path)
    assert feature_abundance(tmp_path / "profiles.tsv")[post].isna().all(axis=None)


# ---- design


@pytest.mark.parametrize(
    ("donors", "weights", "expected"),
    [
        (3, (), [4, 3, 3]),
        (5, (), [2, 2, 2, 2, 2]),
        (4, (0.7, 0.1, 0.1, 0.1), [7, 1, 1, 1]),
        (3, (8, 1, 1), [8, 1, 1]),
        (2, (0.0, 1.0), [0, 10]),
    ],
)
def test_donors_are_assigned_as_asked(donors: int, weights: tuple[float, ...], expected: list[int]) -> None:
    given = []
    for seed in range(40):
        panel = simulate_panel(PanelParameters(taxa=5, donors=donors, donor_weights=weights), seed)
        counts = panel.study.doses["donor"].value_counts()
        assert [counts.get(f"D{i + 1:02d}", 0) for i in range(donors)] == expected
        given.append(tuple(panel.study.doses["donor"]))
    # Who gets which is left to chance, unless there is only one way.
    assert len(set(given)) > 8 or 0 in expected


def test_a_treated_recipient_gets_the_lots_that_were_asked_for() -> None:
    doses = simulate_panel(EVERYTHING, 2).study.doses
    assert set(doses["subject"]) == {f"R{i:02d}" for i in range(1, 7)}
    for _, own in doses.groupby("subject"):
        assert own.groupby("day")["donor"].nunique().to_dict() == {0: 2, 14: 2}
        lot = own["donor_sample"].str[-1].astype(int)
        assert (lot[own["day"] == 14].to_numpy() == lot[own["day"] == 0].to_numpy() % 3 + 1).all()
    assert (doses["donor_sample"].str[:3] == doses["donor"]).all()
    assert simulate_panel(changed(EVERYTHING, all_lots=True), 2).study.doses["donor_sample"].isna().all()


def test_centres_keep_to_their_donors_and_resemble_them() -> None:
    parameters = changed(recipients=30, donors=4, centres=2, centre_sd=2.0, prevalence_spread=1e9)
    panel = simulate_panel(parameters, 0)
    centre = panel.study.subjects.set_index("subject")["centre"]
    assert centre.value_counts().to_dict() == {"C1": 17, "C2": 17}
    doses = panel.study.doses
    assert (doses["donor"].map(centre) == doses["subject"].map(centre)).all()
    assert doses["donor"].nunique() == 4
    present = held(panel, "T0")
    own = centre[[f"R{i + 1:02d}" for i in range(30)]].to_numpy()
    profile = {name: present[own == name].mean(axis=0) for name in ("C1", "C2")}
    first = (panel.truth.loc["D01-1"] > 0).to_numpy()
    assert np.corrcoef(first, profile["C1"])[0, 1] > 0.5 > np.corrcoef(first, profile["C2"])[0, 1]


def test_responders_are_as_many_as_asked_and_anybody() -> None:
    exact = np.array(
        [responds(simulate_panel(PanelParameters(taxa=5, responders=4), seed)) for seed in range(1000, 1300)]
    )
    assert (exact.sum(axis=1) == 4).all()
    assert all(near(share, 0.4, 300) for share in exact.mean(axis=0))
    rate = np.array([responds(simulate_panel(PanelParameters(taxa=5, responders=0.3), seed)) for seed in range(300)])
    assert near(float(rate.mean()), 0.3, rate.size)
    assert len(set(rate.sum(axis=1))) > 4


def test_who_leaves_comes_to_no_later_visit() -> None:
    parameters = PanelParameters(
        taxa=5,
        recipients=3000,
        responders=1500,
        post_days=(7, 28, 56),
        dropout_responder=0.1,
        dropout_non_responder=0.4,
    )
    panel = simulate_panel(parameters, 0)
    samples = panel.study.samples
    visits = samples[samples["role"] == "recipient"].groupby("subject")["day"].agg(list)
    assert set(map(tuple, visits)) == {(0, 7), (0, 7, 28), (0, 7, 28, 56)}
    answer = responds(panel)
    for who, leave in ((answer, 0.1), (~answer, 0.4)):
        there = visits.map(len).to_numpy()[who]
        assert near(float((there >= 3).mean()), 1 - leave, who.sum())
        assert near(float((there == 4).mean()), (1 - leave) ** 2, who.sum())


def test_depth_factors_multiply_the_reads_of_those_they_name_and_nothing_else() -> None:
    plain = changed(EVERYTHING, depth_factors={})
    base = simulate_panel(plain, 4)
    factors = {"donor": 2.0, "post": 0.1, "post+non_responder": 0.5, "placebo": 4.0, "baseline+fmt": 3.0}
    panel = simulate_panel(changed(plain, depth_factors=factors), 4)
    pd.testing.assert_frame_equal(panel.truth, base.truth)
    subjects = panel.study.subjects.set_index("subject")
    answer = responder(panel.study.subjects)
    for sample, subject, day in panel.study.samples[["sample", "subject", "day"]].itertuples(index=False):
        expected = 1.0
        if subject.startswith("D"):
            expected *= 2.0
        else:
            expected *= 0.1 if day > 0 else 1.0
            expected *= 0.5 if day > 0 and answer[subject] == "no" else 1.0
            expected *= 4.0 if subjects["arm"][subject] == "placebo" else 1.0
            expected *= 3.0 if day <= 0 and subjects["arm"][subject] == "fmt" else 1.0
        assert panel.reads[sample] / base.reads[sample] == pytest.approx(expected, rel=1e-5)


def test_depth_is_log_normal() -> None:
    reads = simulate_panel(PanelParameters(taxa=5, recipients=2000, reads=1e7, depth_sd=0.5), 0).reads
    assert np.log(reads).mean() == pytest.approx(np.log(1e7), abs=0.03)
    assert np.log(reads).std() == pytest.approx(0.5, abs=0.03)


# ---- model


@pytest.mark.parametrize("day", [7, 28, 90, 3000])
def test_turnover_follows_its_lag_and_levels_off(day: int) -> None:
    loss, p = 0.2, 0.3
    panel = simulate_panel(changed(loss=loss, recipients=300, post_days=(day,)), day)
    before, after = held(panel, "T0"), held(panel, "T1")
    rate = -np.log(1 - loss) / 30
    # A two-state chain whose equilibrium is p: out at `rate`, in at rate p / (1 - p).
    moved = 1 - np.exp(-rate / (1 - p) * day)
    assert near(float(before.mean()), p, before.size)
    assert near(float((before & ~after).sum() / before.sum()), (1 - p) * moved, float(before.sum()))
    assert near(float((~before & after).sum() / (~before).sum()), p * moved, float((~before).sum()))


def test_donors_and_placebo_have_the_same_turnover() -> None:
    panel = simulate_panel(changed(loss=0.2, donors=30, donor_samples=2, placebo=30, baseline_repeats=(-28,)), 1)
    lots = (panel.truth[panel.truth.index.str.startswith("D")] > 0).to_numpy().reshape(30, 2, -1)
    expected = 0.7 * (1 - np.exp(np.log(0.8) / 0.7 * 28 / 30))
    for before, after in (
        (lots[:, 0], lots[:, 1]),
        (held(panel, "S1"), held(panel, "T0")),
        (held(panel, "T0"), held(panel, "T1")),
    ):
        assert near(float((before & ~after).sum() / before.sum()), expected, float(before.sum()))
    assert panel.study.doses.empty


def test_without_turnover_nothing_changes() -> None:
    panel = simulate_panel(changed(loss=0.0), 0)
    assert (held(panel, "T0") == held(panel, "T1")).all()


def test_gain_moves_richness_and_rare_taxa_are_lost_first() -> None:
    more = simulate_panel(changed(loss=0.2, gain=3.0, post_days=(90,)), 0)
    assert held(more, "T1").mean() > held(more, "T0").mean() + 0.1
    panel = simulate_panel(changed(loss=0.2, loss_level=1.0), 0)
    before, after = held(panel, "T0"), held(panel, "T1")
    abundance = panel.truth[panel.truth.index.str.endswith("-T0")].to_numpy()
    rare = before & (abundance < np.median(abundance[before]))
    assert (rare & ~after).sum() / rare.sum() > 2 * (before & ~rare & ~after).sum() / (before & ~rare).sum()


def test_subjects_differ_in_turnover_and_stay_as_they_are() -> None:
    def between(sd: float) -> float:
        panel = simulate_panel(changed(loss=0.1, loss_sd=sd, recipients=200, baseline_repeats=(-28,)), 0)
        first, second, third = (held(panel, visit) for visit in ("S1", "T0", "T1"))
        one = (first & ~second).sum(axis=1) / first.sum(axis=1)
        other = (second & ~third).sum(axis=1) / second.sum(axis=1)
        return float(np.corrcoef(one, other)[0, 1])

    assert abs(between(0.0)) < 0.25
    assert between(1.0) > 0.7


def test_effects_touch_treated_responders_only() -> None:
    base = changed(recipients=40, placebo=10, responders=20, loss=0.1, engraftment=0.2, displacement=0.1)
    reference = simulate_panel(base, 3)
    answer = responds(reference)
    treated = np.arange(40) < 30
    before = held(reference, "T0")
    for effect in ({"loss_ratio": 2.0}, {"engraftment_effect": 2.0}, {"richness_effect": 0.5}):
        panel = simulate_panel(changed(base, **effect), 3)
        assert (responds(panel) == answer).all()
        touched = (held(panel, "T1") != held(reference, "T1")).any(axis=1)
        anybody = answer if "richness_effect" in effect else answer & treated
        assert (touched == anybody).all()
        if "richness_effect" in effect:
            richer = held(panel, "T0")[answer].mean() / before[answer].mean()
            assert richer == pytest.approx(np.exp(0.5), rel=0.03)
        else:
            assert (held(panel, "T0") == before).all()


def test_loss_ratio_is_a_ratio_of_probabilities() -> None:
    panel = simulate_panel(changed(recipients=200, responders=100, loss=0.05, loss_ratio=2.0, post_days=(30,)), 0)
    before, after, answer = held(panel, "T0"), held(panel, "T1"), responds(panel)
    arrivals = -np.log(1 - 0.05) / 30 * 0.3 / 0.7
    for who, loss in ((answer, 0.1), (~answer, 0.05)):
        rate = -np.log(1 - loss) / 30
        expected = rate / (rate + arrivals) * (1 - np.exp(-(rate + arrivals) * 30))
        there = before[who]
        assert near(float((there & ~after[who]).sum() / there.sum()), expected, float(there.sum()))


def test_loss_of_responders_does_not_bring_more_taxa() -> None:
    parameters = changed(recipients=200, responders=100, loss=0.1, loss_ratio=4.0, post_days=(60,))
    panel = simulate_panel(parameters, 0)
    before, after, answer = held(panel, "T0"), held(panel, "T1"), responds(panel)
    arrivals = -np.log(1 - 0.1) / 30 * 0.3 / 0.7
    rate = -np.log(1 - 0.4) / 30
    expected = arrivals / (rate + arrivals) * (1 - np.exp(-(rate + arrivals) * 60))
    absent = ~before[answer]
    assert near(float((absent & after[answer]).sum() / absent.sum()), expected, float(absent.sum()))


def test_nothing_of_the_donor_or_response_acts_before_day_0() -> None:
    base = changed(loss=0.1, baseline_repeats=(-60, -28), responders=15)
    plain = simulate_panel(base, 0)
    other = simulate_panel(changed(base, loss_ratio=3.0, donor_loss_sd=2.0, displacement=0.5, engraftment=0.5), 0)
    for visit in ("S2", "S1", "T0"):
        assert (held(plain, visit) == held(other, visit)).all()
    assert (held(plain, "T1") != held(other, "T1")).any(axis=1).all()


def test_displacement_too_has_the_loss_ratio() -> None:
    parameters = changed(loss=0.0, displacement=0.2, recipients=60, responders=30, loss_ratio=2.0)
    panel = simulate_panel(parameters, 0)
    own, after, answer = held(panel, "T0") & ~product(panel), held(panel, "T1"), responds(panel)
    for who, expected in ((answer, 0.4), (~answer, 0.2)):
        assert near(float((own & ~after)[who].sum() / own[who].sum()), expected, float(own[who].sum()))


def test_recipients_are_poorer_and_people_differ_in_richness() -> None:
    panel = simulate_panel(changed(recipients=500, donors=500, recipient_richness=0.5, richness_sd=0.3), 0)
    donors = panel.truth.index.str.fullmatch(r"D\d+-1")
    for present, mean in ((held(panel, "T0"), 0.15), ((panel.truth[donors] > 0).to_numpy(), 0.3)):
        rich = present.mean(axis=1)
        # Means of log-normal factors with mean 1: their standard error is about 0.3 / sqrt(500).
        assert rich.mean() == pytest.approx(mean, rel=4 * 0.3 / np.sqrt(500))
        assert np.log(rich).std() == pytest.approx(np.hypot(0.3, np.sqrt((1 - mean) / mean / 400)), rel=0.2)


@pytest.mark.parametrize(("name", "axis"), [("engraftment_sd", 0), ("engraftment_subject_sd", 1)])
def test_engraftment_varies_between_taxa_and_between_recipients(name: str, axis: int) -> None:
    def spread(sd: float) -> float:
        values = {name: sd, "recipients": 300, "donors": 10}
        panel = simulate_panel(changed(loss=0.0, engraftment=0.3, **values), 0)
        open_to = product(panel) & ~held(panel, "T0")
        share = (open_to & held(panel, "T1")).sum(axis=axis) / open_to.sum(axis=axis).clip(30)
        return float(np.std(share[open_to.sum(axis=axis) >= 30]))

    assert spread(0.0) < 0.08
    assert spread(1.0) > 0.15


def test_displacement_spares_what_the_product_holds() -> None:
    panel = simulate_panel(changed(loss=0.0, displacement=0.3, placebo=5, recipients=60, responders=0), 0)
    before, after, given = held(panel, "T0"), held(panel, "T1"), product(panel)
    assert (before[55:] == after[55:]).all()
    before, after = before[:55], after[:55]
    assert (before & given & after == before & given).all()
    own = before & ~given
    assert near(float((own & ~after).sum() / own.sum()), 0.3, float(own.sum()))


def test_engraftment_has_its_probability_and_dilutes_the_rest() -> None:
    parameters = changed(
        loss=0.0, engraftment=0.25, engraftment_effect=1.0, sample_sd=0.0, recipients=60, responders=30
    )
    panel = simulate_panel(parameters, 0)
    before, after, given, answer = held(panel, "T0"), held(panel, "T1"), product(panel), responds(panel)
    open_to = given & ~before
    for who, odds in ((answer, np.e / 3), (~answer, 1 / 3)):
        engrafted = (open_to & after)[who].sum() / open_to[who].sum()
        assert near(float(engrafted), odds / (1 + odds), float(open_to[who].sum()))
    assert not (after & ~before & ~given).any()
    t0, t1 = (panel.truth[panel.truth.index.str.endswith(f"-{visit}")].to_numpy() for visit in ("T0", "T1"))
    for row in range(60):
        resident = before[row]
        share = t1[row, resident] / t0[row, resident]
        assert share.max() == pytest.approx(share.min())
        assert share[0] == pytest.approx(1 - t1[row, ~resident].sum())
    # What engrafts has the donor's level: abundances among the engrafted are in the donor's proportions.
    donor = panel.truth.loc[panel.study.doses.sort_values("subject")["donor_sample"]].to_numpy()
    came = (after & ~before)[0]
    ratio = t1[0, came] / donor[0, came]
    assert ratio.max() == pytest.approx(ratio.min())


def test_donors_differ_where_asked() -> None:
    def spread(name: str, sd: float, seed: int) -> float:
        values = {name: sd, "recipients": 200, "donors": 5}
        panel = simulate_panel(changed(loss=0.1, engraftment=0.2, **values), seed)
        before, after, given = held(panel, "T0"), held(panel, "T1"), product(panel)
        donor = panel.study.doses.sort_values("subject")["donor"].to_numpy()
        cells, event = (given & ~before, after) if "engraftment" in name else (before & ~given, ~after)
        means = [(cells & event)[donor == d].sum() / cells[donor == d].sum() for d in sorted(set(donor))]
        return float(np.std(means))

    for name in ("engraftment_donor_sd", "donor_loss_sd"):
        none, some = (np.mean([spread(name, sd, seed) for seed in range(4)]) for sd in (0.0, 1.0))
        assert none < 0.01
        assert some > 0.04


@pytest.mark.parametrize(("min_reads", "efficiency_sd"), [(1, 0.0), (3, 0.0), (2, 0.5)])
def test_a_taxon_is_detected_with_the_probability_of_its_reads(min_reads: int, efficiency_sd: float) -> None:
    parameters = PanelParameters(
        recipients=40, min_reads=min_reads, efficiency_sd=efficiency_sd, marker_reads=0.001, world_seed=0
    )
    panel = simulate_panel(parameters, 0)
    truth, seen = panel.truth.to_numpy(), panel.abundance.to_numpy()
    mean = truth * panel.reads.to_numpy()[:, None] * 0.001
    if efficiency_sd == 0:
        chance = stats.poisson.sf(min_reads - 1, mean)
        for low, high in ((0.1, 0.5), (0.5, 2), (2, 5), (5, 20)):
            cells = (mean > low) & (mean <= high)
            assert near(float((seen[cells] > 0).mean()), float(chance[cells].mean()), float(cells.sum()))
        # Fractions are whole reads over the total of the sample.
        for row in seen[:5]:
            counts = row / row[row > 0].min() * min_reads
            whole = min(np.abs(counts * k - np.rint(counts * k)).max() for k in (1, 2, 1 / 3, 4 / 3, 5 / 3, 2 / 3))
            assert whole < 1e-6
    deep = mean > 200
    assert np.log(seen[deep] / truth[deep]).mean() == pytest.approx(0, abs=0.02)
    assert np.log(seen[deep] / truth[deep]).std() < 0.08


def test_one_world_has_the_same_taxa_and_fixed_donors_the_same_stool() -> None:
    def prevalence(seed: int, **values: object) -> np.ndarray:
        return held(simulate_panel(changed(prevalence_spread=1.0, recipients=100, **values), seed), "T0").mean(axis=0)

    assert np.corrcoef(prevalence(0, world_seed=1), prevalence(1, world_seed=1))[0, 1] > 0.95
    assert abs(np.corrcoef(prevalence(0), prevalence(1))[0, 1]) < 0.3
    fixed = changed(world_seed=1, fixed_donors=True, loss=0.1)
    stools = [simulate_panel(fixed, seed).truth.iloc[:4] for seed in (0, 1)]
    pd.testing.assert_frame_equal(*stools)
    free = [simulate_panel(changed(fixed, fixed_donors=False), seed).truth.iloc[:4] for seed in (0, 1)]
    assert ((free[0] > 0) != (free[1] > 0)).any(axis=None)


# ---- what a trial with nothing true looks like


def lost(panel: Panel) -> np.ndarray:
    """Return depletion_rate, recipient x post sample, counted afresh from the observed fractions."""
    names = panel.abundance.index
    seen = (panel.abundance[names.str.startswith("R")] > 0).to_numpy()
    seen = seen.reshape(panel.parameters.recipients, -1, panel.parameters.taxa)
    baseline, post = seen[:, :1], seen[:, 1:]
    return np.asarray((baseline & ~post).sum(axis=2) / baseline.sum(axis=2))


def mean_rate(trials: int = 20, **values: object) -> float:
    panels = (simulate_panel(PanelParameters(recipients=20, **values), seed) for seed in range(trials))  # type: ignore[arg-type]
    return float(np.mean([lost(panel).mean() for panel in panels]))


def test_rates_of_the_package_are_those_counted_here() -> None:
    panel = simulate_panel(PanelParameters(post_days=(28, 84)), 7)
    table = rates(outcomes(panel.abundance, panel.study))
    found = table.set_index("sample")["depletion_rate"]
    expected = lost(panel)
    for i in range(10):
        assert [found[f"R{i + 1:02d}-T1"], found[f"R{i + 1:02d}-T2"]] == pytest.approx(expected[i].tolist())


def test_unchanged_people_lose_a_fifth_in_a_month_and_depth_moves_it() -> None:
    equal = mean_rate()
    assert equal == pytest.approx(0.20, abs=0.02)
    assert mean_rate(depth_factors={"post": 0.1}) == pytest.approx(0.37, abs=0.03)
    assert mean_rate(depth_factors={"baseline": 0.1}) == pytest.approx(0.12, abs=0.025)
    days = np.array([3, 28, 84, 365])
    by_day = [mean_rate(8, post_days=(int(day),)) for day in days]
    slopes = np.diff(by_day) / np.diff(days)
    # Part of it is there at once (chance of detection); the rest grows ever more slowly.
    assert by_day[0] > 0.08
    assert slopes[0] > 2 * slopes[1] > 4 * slopes[2] > 0


def test_labels_mean_nothing_unless_an_effect_is_asked_for() -> None:
    gaps: dict[str, list[float]] = {"depletion": [], "richness": [], "reads": [], "donor": []}
    for seed in range(300):
        panel = simulate_panel(PanelParameters(taxa=150, responders=5, donors=2), seed)
        answer = responds(panel)
        samples = panel.study.samples.query("role == 'recipient'")
        values = {
            "depletion": lost(panel).mean(axis=1),
            "richness": held(panel, "T0").sum(axis=1),
            "reads": np.log(samples["reads"].to_numpy(dtype=float).reshape(10, 2)).mean(axis=1),
            "donor": panel.study.doses.sort_values("subject")["donor"].eq("D01").to_numpy(dtype=float),
        }
        for name, value in values.items():
            gaps[name].append(float(value[answer].mean() - value[~answer].mean()))
    for name, gap in gaps.items():
        assert abs(np.mean(gap)) < 3.5 * np.std(gap) / np.sqrt(len(gap)), name


def test_repeated_samples_of_a_patient_are_alike() -> None:
    grouped = np.concatenate(
        [lost(simulate_panel(PanelParameters(recipients=30, post_days=(28, 56, 84)), seed)) for seed in range(4)]
    )
    centred = grouped - grouped.mean(axis=0)
    between = centred.mean(axis=1).var()
    within = (centred - centred.mean(axis=1, keepdims=True)).var()
    assert between / (between + within) > 0.6


# ---- against real stool


def known_taxa(abundance: pd.DataFrame, names: pd.Series) -> np.ndarray:
    return (abundance.loc[names] > 0).to_numpy()


def jaccard(seen: np.ndarray) -> float:
    pairs = [(a, b) for i, a in enumerate(seen) for b in seen[:i]]
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))


@pytest.mark.real
def test_stools_look_like_real_ones(real_data: Path) -> None:
    folder = real_data / "baruch2021"
    real = read_abundance([folder / "profiles.tsv.gz"])
    study = read_study(*(folder / f"{name}.tsv" for name in ("samples", "subjects", "doses")))
    recipients = study.samples[study.samples["role"] == "recipient"].sort_values("day")
    baseline = recipients[recipients["day"] <= 0].groupby("subject").tail(1)["sample"]
    panel = simulate_panel(PanelParameters(recipients=200), 0)
    simulated = panel.abundance[panel.abundance.index.str.endswith("-T0")]

    ours, theirs = (frame.to_numpy() for frame in (simulated, real.loc[recipients["sample"]]))
    # Taxa detected per stool, and how much people differ.
    rich, real_rich = ((values > 0).sum(axis=1) for values in (ours, theirs))
    assert np.median(rich) == pytest.approx(np.median(real_rich), rel=0.15)
    assert np.std(np.log(rich)) == pytest.approx(np.std(np.log(real_rich)), rel=0.35)
    # Spread of the abundances (decades) within a stool.
    for share, digits in ((0.25, 0.6), (0.5, 0.7), (0.75, 0.7), (0.95, 0.6)):
        logs, real_logs = (np.log10(values[values > 0]) for values in (ours, theirs))
        assert np.quantile(logs, share) == pytest.approx(np.quantile(real_logs, share), abs=digits)
    # The prevalence curve over ten people, and what two of them share. Real stool has more taxa seen only once.
    real_seen = known_taxa(real, baseline)
    prevalence, real_prevalence = ((values > 0).sum(axis=0) for values in (ours[:10], real_seen))
    for carriers, less in ((1, 0.25), (3, 0.2), (5, 0.15), (8, 0.05)):
        share, real_share = ((p[p > 0] <= carriers).mean() for p in (prevalence, real_prevalence))
        assert real_share - less < share < real_share + 0.05, carriers
    shared, real_shared = (jaccard(values > 0) for values in (ours[:40], real_seen))
    assert shared == pytest.approx(real_shared, abs=0.06)


@pytest.mark.real
def test_turnover_looks_like_that_of_real_placebo_patients(real_data: Path) -> None:
    folder = real_data / "ucfmt1"
    real = read_abundance([folder / "profiles.tsv.gz"])
    study = read_study(*(folder / f"{name}.tsv" for name in ("samples", "subjects", "doses")))
    table = rates(outcomes(real, study)).merge(study.subjects[["subject", "arm"]], on="subject")
    placebo = table[(table["arm"] == "placebo") & (table["baseline_taxa"] > 50)]
    lag = int(placebo["day"].median())
    trials = [simulate_panel(PanelParameters(recipients=20, placebo=20, post_days=(lag,)), seed) for seed in range(5)]
    ours = np.concatenate([lost(panel).ravel() for panel in trials])
    assert ours.mean() == pytest.approx(placebo["depletion_rate"].mean(), abs=0.08)
