"""The audit of identities: planted mistakes are named, nothing else is, and clean studies are left in peace."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from strain_trial import StrainTrial, strain_trial

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.strains.audit import strain_audit
from microbiome.strains.audit_labels import MAY, SAME, UNRELATED, labels_of, relations
from microbiome.strains.audit_links import links_of, poisson_binomial_tail, taxon_rates, usual_excess
from microbiome.strains.calls import pair_calls
from microbiome.strains.rate_tables import STRAIN_AUDIT
from microbiome.study import Study
from microbiome.tsv import read_result, write_table

QUIET = ("ok", "untestable")
SEEDS = (1, 2, 3)


def accused(trial: StrainTrial, **options) -> dict[str, tuple[str, str | None]]:
    """Return verdict and partner of the samples that are accused."""
    table = strain_audit(trial.study, trial.shared(), **options)
    wrong = table[~table["verdict"].isin(QUIET)]
    return {row.sample: (row.verdict, row.partner) for row in wrong.itertuples()}


# ---------------------------------------------------------------- planted mistakes


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clean_trial_is_ok_throughout(seed: int) -> None:
    trial = strain_trial(seed)
    table = strain_audit(trial.study, trial.shared())
    assert list(table.columns) == STRAIN_AUDIT.names
    assert table["sample"].tolist() == trial.names
    assert (table["verdict"] == "ok").all()
    assert table["partner"].isna().all()
    assert (table["q_value"] > 0.05).all()
    assert table["sentence"].str.startswith("Shares ").all()


def test_without_doses_no_donor_is_the_wrong_one(caplog: pytest.LogCaptureFixture) -> None:
    trial = strain_trial(1)
    without = Study(trial.study.samples, trial.study.subjects, trial.study.doses.iloc[:0])
    table = strain_audit(without, trial.shared())
    assert set(table["verdict"]) <= set(QUIET)
    assert "no doses: any post sample may have strains of any donor" in caplog.text


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("R1.14", "R2.60"),  # post samples of recipients of two donors
        ("R1.14", "R3.14"),  # of one donor: they look alike after FMT
        ("R1.0", "R2.0"),  # baselines
        ("R1.m14", "R4.60"),
        ("R5.14", "R6.0"),  # placebo
        ("D1-1", "D2-2"),  # lots of two donors
        ("D1-1", "R3.0"),
    ],
)
def test_two_exchanged_samples_are_named_and_nobody_else(seed: int, one: str, other: str) -> None:
    trial = strain_trial(seed).swapped(one, other)
    assert accused(trial) == {one: ("swapped", other), other: ("swapped", one)}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_baseline_exchanged_with_a_post_sample_of_the_same_person(seed: int) -> None:
    found = accused(strain_trial(seed).swapped("R1.0", "R1.60"))
    assert found == {"R1.0": ("swapped", "R1.60"), "R1.60": ("swapped", "R1.0")}


@pytest.mark.parametrize("seed", SEEDS)
def test_two_mistakes_at_once(seed: int) -> None:
    found = accused(strain_trial(seed, recipients=8).swapped("R1.0", "R2.60").swapped("R5.14", "R7.0"))
    pairs = (("R1.0", "R2.60"), ("R5.14", "R7.0"))
    assert found == {a: ("swapped", b) for pair in pairs for a, b in (pair, pair[::-1])}


def test_three_labels_that_went_round_are_each_given_their_person() -> None:
    trial = strain_trial(1, recipients=8).swapped("R1.m14", "R2.m14").swapped("R2.m14", "R7.m14")
    found = accused(trial)
    # What is in the tube R1 is R2's, in R2 is R7's, and in R7 is R1's.
    assert {name: partner for name, (_, partner) in found.items()} == {"R1.m14": "R2", "R2.m14": "R7", "R7.m14": "R1"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_donor_in_the_doses_table(seed: int) -> None:
    found = accused(strain_trial(seed).relabelled("R1", "D2"))
    assert found == {"R1.14": ("wrong_donor", "D1"), "R1.60": ("wrong_donor", "D1")}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_placebo_subject_that_received_a_donor(seed: int) -> None:
    trial = strain_trial(seed)
    doses = trial.study.doses
    bare = Study(trial.study.samples, trial.study.subjects, doses[doses["subject"] != "R2"])
    table = strain_audit(bare, trial.shared()).set_index("sample")
    wrong = table[~table["verdict"].isin(QUIET)]
    assert wrong.index.tolist() == ["R2.14", "R2.60"]
    assert wrong["verdict"].eq("wrong_donor").all()
    assert wrong["partner"].eq("D2").all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sample_that_leaked_into_another(seed: int) -> None:
    trial = strain_trial(seed).leaked("R2.14", "R5.0", 0.4)
    table = strain_audit(trial.study, trial.shared()).set_index("sample")
    wrong = table[~table["verdict"].isin(QUIET)]
    assert wrong.index.tolist() == ["R2.14"]
    assert wrong["verdict"].tolist() == ["contaminated"]
    assert wrong["partner"].iloc[0].startswith("R5.")
    # Its own strains are there as well.
    assert wrong["own_p_value"].iloc[0] < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sample_of_nobody_in_the_study(seed: int) -> None:
    trial = strain_trial(seed)
    strain = trial.strain.copy()
    place = trial.at("R5.60")
    # The same taxa, in strains that nobody else has.
    strain[place] = np.where(strain[place] > 0, np.arange(strain.shape[1]) + 10**7, 0)
    found = accused(StrainTrial(**{**trial.__dict__, "strain": strain}))
    assert found == {"R5.60": ("wrong_person", None)}


def test_of_two_samples_that_differ_nobody_knows_which_is_wrong() -> None:
    trial = strain_trial(1, lots=2)
    strain = trial.strain.copy()
    keep = [name for name in trial.names if not name.startswith("R5") or name in ("R5.m14", "R5.0")]
    strain[trial.at("R5.0")] = np.where(strain[trial.at("R5.0")] > 0, np.arange(strain.shape[1]) + 10**7, 0)
    order = [trial.at(name) for name in keep]
    samples = trial.study.samples.iloc[order].reset_index(drop=True)
    small = StrainTrial(
        Study(samples, trial.study.subjects, trial.study.doses),
        strain[order],
        trial.typed[order],
        trial.donor_part[order],
        trial.own_part[order],
        trial.abundance[order],
        1,
    )
    assert accused(small) == {"R5.m14": ("wrong_person", None), "R5.0": ("wrong_person", None)}


@pytest.mark.parametrize("seed", SEEDS)
def test_recipients_who_became_their_donor_are_not_accused(seed: int) -> None:
    trial = strain_trial(seed, recipients=6, placebo=0, donors=1, engrafts=1.0, keeps=0.3)
    table = strain_audit(trial.study, trial.shared())
    assert table["verdict"].isin(QUIET).all()
    posts = table[table["day"] > 0]
    # All is the donor's: that is engraftment, and shows whose sample it may be.
    assert (posts["verdict"] == "ok").all()
    assert (posts["donor_p_value"] < 1e-6).all()


def test_a_lost_baseline_link_is_no_mistake_and_no_proof() -> None:
    trial = strain_trial(2, donors=1, recipients=4, placebo=0, engrafts=1.0, keeps=0.02, days=(0, 28), lots=1)
    table = strain_audit(trial.study, trial.shared()).set_index("sample")
    assert table["verdict"].isin(QUIET).all()
    lost = table.loc["R1.0"]
    assert lost["verdict"] == "untestable"
    assert lost["sentence"].startswith("Nothing speaks against the label, and nothing shows it: shares ")


def test_what_cannot_be_told_apart_is_said() -> None:
    # One sample before and one after FMT each, and the same donor: exchanging either pair explains the same.
    trial = strain_trial(3, days=(0, 14), lots=1).swapped("R1.14", "R3.14")
    table = strain_audit(trial.study, trial.shared())
    wrong = table[~table["verdict"].isin(QUIET)]
    assert len(wrong) == 2
    words = " ".join(wrong["sentence"])
    for pair in (("R1.14", "R3.14"), ("R1.0", "R3.0")):
        assert all(name in words for name in pair)
    assert wrong["sentence"].str.contains("; as likely: ").all()


def test_too_little_to_go_by() -> None:
    trial = strain_trial(1)
    shared = trial.shared()
    few = shared[~shared[["sample_1", "sample_2"]].isin(["R5.14"]).any(axis=1) | (shared["taxon"] == "SGB1")]
    table = strain_audit(trial.study, few).set_index("sample")
    assert table.loc["R5.14", "verdict"] == "untestable"
    assert table.loc["R5.14", "sentence"].startswith("Too little to go by: ")
    none = strain_audit(trial.study, shared.iloc[:0])
    assert (none["verdict"] == "untestable").all()
    assert none["p_value"].isna().all()
    assert none["sentence"].str.contains("nothing was compared").all()


# ---------------------------------------------------------------- rate of false alarms


@pytest.mark.parametrize(("common", "taxa"), [(0.2, 15), (0.5, 30)])
def test_clean_studies_are_doubted_at_most_at_the_stated_rate(common: float, taxa: int) -> None:
    doubted, p = 0, []
    studies = 100
    for seed in range(studies):
        trial = strain_trial(seed, recipients=3, placebo=1, taxa=taxa, common=common, days=(0, 14, 60), lots=1)
        table = strain_audit(trial.study, trial.shared())
        doubted += (table["q_value"] <= 0.05).any()
        p += table["p_value"].dropna().tolist()
    assert len(p) > 500
    # As many as the exact binomial test lets pass at 5 % per study, and each p-value by itself.
    assert doubted <= stats.binom.ppf(0.999, studies, 0.05)
    for bound in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p) <= bound) <= bound * 1.2


# ---------------------------------------------------------------- the parts


@given(
    st.lists(st.floats(0, 1), min_size=0, max_size=8),
    st.integers(0, 10),
)
def test_poisson_binomial_is_the_sum_over_all_subsets(rates: list[float], least: int) -> None:
    expected = sum(
        float(np.prod([p if event else 1 - p for p, event in zip(rates, events, strict=True)]))
        for events in itertools.product((0, 1), repeat=len(rates))
        if sum(events) >= least
    )
    # Padding with impossible events changes nothing.
    table = np.array([[*rates, 0.0, 0.0]])
    assert poisson_binomial_tail(table, np.array([least]))[0] == pytest.approx(min(expected, 1.0), abs=1e-12)


def test_poisson_binomial_keeps_the_far_tail() -> None:
    found = poisson_binomial_tail(np.full((1, 60), 0.03), np.array([40]))[0]
    assert found == pytest.approx(stats.binom.sf(39, 60, 0.03), rel=1e-9)
    assert found < 1e-40


def test_rates_of_taxa_count_each_pair_of_people_once() -> None:
    trial = strain_trial(5, taxa=8)
    shared = trial.shared()
    calls = pair_calls(shared, trial.names)
    labels, _, _ = labels_of(trial.study)
    relation = relations(labels, labels)
    means: dict[str, list[float]] = {}
    pairs: dict[tuple[str, str, str], list[int]] = {}
    subject = trial.study.samples.set_index("sample")["subject"]
    for row in shared.dropna(subset=["same_strain"]).itertuples():
        if relation[trial.at(row.sample_1), trial.at(row.sample_2)] == UNRELATED:
            a, b = sorted((subject[row.sample_1], subject[row.sample_2]))
            pairs.setdefault((row.taxon, a, b), []).append(int(row.same_strain))
    for (taxon, _, _), same in pairs.items():
        means.setdefault(taxon, []).append(sum(same) / len(same))
    everything = [value for values in means.values() for value in values]
    pooled = (sum(everything) + 0.5) / (len(everything) + 1)
    found = taxon_rates(calls, relation, labels.person)
    for taxon, rate in zip(calls.taxa, found, strict=True):
        own = means[taxon]
        assert rate == pytest.approx((sum(own) + 4 * pooled) / (len(own) + 4))


def test_relations_are_those_of_the_labels() -> None:
    trial = strain_trial(1, recipients=5, placebo=1)
    samples, doses = trial.study.samples, trial.study.doses
    labels, _, _ = labels_of(trial.study)
    found = relations(labels, labels)

    def given_by(row) -> list[str]:
        if row.role == "donor" or row.day <= 0:
            return []
        return doses.loc[(doses["subject"] == row.subject) & (doses["day"] <= row.day), "donor"].tolist()

    for (i, a), (j, b) in itertools.combinations(enumerate(samples.itertuples()), 2):
        if a.subject == b.subject:
            expected = SAME if len(given_by(a)) == len(given_by(b)) else MAY
        else:
            kin = a.subject in given_by(b) or b.subject in given_by(a) or set(given_by(a)) & set(given_by(b))
            expected = MAY if kin else UNRELATED
        assert found[i, j] == found[j, i] == expected, (a, b)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_samples_and_pairs_changes_nothing(seed: int) -> None:
    trial = strain_trial(2).swapped("R1.14", "R2.60")
    shared = trial.shared()
    one = strain_audit(trial.study, shared).set_index("sample")
    samples = trial.study.samples.sample(frac=1, random_state=seed).reset_index(drop=True)
    other = strain_audit(
        Study(samples, trial.study.subjects, trial.study.doses), shared.sample(frac=1, random_state=seed)
    ).set_index("sample")
    names = ["verdict", "partner", "own_taxa", "donor_taxa", "p_value", "q_value", "other_p_value"]
    pd.testing.assert_frame_equal(one[names], other.loc[one.index, names], rtol=1e-9)


def test_numbers_of_a_row_are_those_of_the_pairs() -> None:
    trial = strain_trial(1)
    shared = trial.shared().dropna(subset=["same_strain"])
    for row in strain_audit(trial.study, shared).itertuples():
        for name in ("own", "donor", "other"):
            partner = getattr(row, f"{name}_sample")
            if partner is None:
                assert getattr(row, f"{name}_taxa") == 0
                continue
            ends = shared[["sample_1", "sample_2"]]
            pair = shared[(ends == row.sample).any(axis=1) & (ends == partner).any(axis=1)]
            assert getattr(row, f"{name}_taxa") == len(pair)
            assert getattr(row, f"{name}_shared") == pair["same_strain"].sum()


# ---------------------------------------------------------------- the command


def test_the_command_writes_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trial = strain_trial(1).swapped("R1.0", "R2.0")
    for name in ("samples", "doses"):
        write_table(getattr(trial.study, name), tmp_path / f"{name}.tsv")
    write_table(trial.shared(), tmp_path / "shared.tsv")
    given = [f"--{name}={tmp_path / name}.tsv" for name in ("samples", "doses", "shared")]
    assert main(["strains", "audit", *given, "-o", str(tmp_path / "audit.tsv")]) == 0
    table = read_result(tmp_path / "audit.tsv", STRAIN_AUDIT)
    pd.testing.assert_frame_equal(table, strain_audit(trial.study, trial.shared()), check_dtype=False)
    capsys.readouterr()
    assert main(["strains", "audit", *given, "--level", "5", "--taxa", "0"]) == 2
    said = capsys.readouterr().err
    assert "level 5 is not between 0 and 1" in said
    assert "0 taxa are too few" in said


def test_a_table_of_something_else_is_refused() -> None:
    trial = strain_trial(1)
    with pytest.raises(InputError, match="'same_strain' is missing"):
        strain_audit(trial.study, trial.shared().drop(columns="same_strain"))


# ---------------------------------------------------------------- people who live alike


@pytest.mark.parametrize(("common", "taxa"), [(0.5, 60), (0.7, 100)])
def test_people_of_two_towns_are_not_accused(common: float, taxa: int) -> None:
    for seed in range(8):
        trial = strain_trial(seed, recipients=10, placebo=4, taxa=taxa, common=common, places=2)
        table = strain_audit(trial.study, trial.shared())
        assert table["verdict"].isin(QUIET).all()
        # By chance alone, without the usual excess, they would be: the test below sees that there is something.
        labels, _, _ = labels_of(trial.study)
        relation = relations(labels, labels)
        links = links_of(pair_calls(trial.shared(), trial.names), relation, labels.person)
        strangers = np.triu(relation == UNRELATED, 1)
        assert (links.p[strangers] < 1e-3).mean() > 0.005


def test_an_exchange_is_found_among_people_of_two_towns() -> None:
    for seed in SEEDS:
        trial = strain_trial(seed, recipients=10, placebo=4, taxa=60, common=0.5, places=2).swapped("R1.14", "R2.60")
        assert accused(trial) == {"R1.14": ("swapped", "R2.60"), "R2.60": ("swapped", "R1.14")}


def test_the_usual_excess_is_tukeys_fence_of_the_medians_of_people() -> None:
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(6), 3)
    size = len(person)
    relation = np.where(person[:, None] == person[None, :], SAME, UNRELATED)
    relation[:3, 3:6] = relation[3:6, :3] = MAY
    excess = rng.normal(0, 0.1, (size, size))
    excess = (excess + excess.T) / 2
    excess[4, 9] = excess[9, 4] = np.nan
    medians = []
    for a, b in itertools.combinations(range(6), 2):
        if {a, b} != {0, 1}:
            cells = [excess[i, j] for i in range(size) for j in range(size) if (person[i], person[j]) == (a, b)]
            medians.append(np.nanmedian(cells))
    first, third = np.quantile(medians, [0.25, 0.75])
    expected = third + 3 * (third - first)
    assert expected > 0
    assert usual_excess(excess, relation, person) == pytest.approx(expected)
    # One sample in the wrong tube moves no median far.
    excess[0, 6:] = excess[6:, 0] = 0.9
    assert usual_excess(excess, relation, person) < 0.5
    assert usual_excess(excess, np.full_like(relation, SAME), person) == 0
