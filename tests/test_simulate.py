"""The simulated trial: its design, its model, its truth, its profiles and its files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from microbiome.cli import main
from microbiome.clinical.assessments import best_responses
from microbiome.errors import InputError
from microbiome.features import read_features
from microbiome.metaphlan import read_abundance, read_metaphlan
from microbiome.outcomes import outcomes
from microbiome.simulate.observe import exact_profile, observe, truncated_coverage
from microbiome.simulate.parameters import Parameters, stream
from microbiome.simulate.tables import TRUTH_OUTCOMES, TRUTH_READS, TRUTH_STRAINS
from microbiome.simulate.taxa import RANKS, load_taxa, marker_lengths, spacer_lengths
from microbiome.simulate.trial import Trial, simulate_trial, true_outcomes
from microbiome.simulate.write import write_trial
from microbiome.study import donor_products, post_samples, read_study
from microbiome.tables import LESIONS, OUTCOME_NAMES, SAMPLES, TOXICITIES, TREATMENTS
from microbiome.tsv import read_table

SMALL = Parameters(recipients=4, placebo=1, sgbs=12, seed=3)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def trial() -> Trial:
    return simulate_trial(Parameters(seed=1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulate") / "trial"
    write_trial(Parameters(seed=1), path)
    return path


# ---- parameters


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 2**32},
        {"donors": 0},
        {"recipients": 2, "placebo": 3},
        {"days": (3, 4)},
        {"days": (-7, 0)},
        {"days": (28, 0)},
        {"donor_weights": (1.0,)},
        {"donor_weights": (0.0, 0.0)},
        {"sgbs": 1},
        {"sgbs": 200},
        {"carriage": 1.0},
        {"engraftment": 0.0},
        {"coexistence": 0.7, "replacement": 0.4},
        {"host": 0.6, "junk": 0.4},
        {"strain_divergence": 0.5},
        {"marker_length": 150},
        {"insert_mean": 80.0},
        {"depth_sd": -0.1},
        {"post_depth": 0.0},
        {"loss": 1.5},
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        Parameters(**wrong)  # type: ignore[arg-type]
    options = {problem.column.removeprefix("--").replace("-", "_") for problem in caught.value.problems}
    assert options <= {*wrong, "min_abundance"}
    assert all(problem.fix for problem in caught.value.problems)


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Parameters(seed=-1, placebo=99, days=(3, 4))
    assert [problem.column for problem in caught.value.problems] == ["--seed", "--placebo", "--days"]


def test_streams_differ_by_name_and_seed_only() -> None:
    draws = {name: stream(1, *name).random() for name in (("a",), ("b",), ("a", "b"), ("ab",))}
    assert len(set(draws.values())) == 4
    assert stream(1, "a").random() == draws[("a",)] != stream(2, "a").random()


# ---- taxa


def test_packaged_taxa_are_whole_lineages() -> None:
    taxa = load_taxa(Parameters(sgbs=44))
    assert taxa.index.is_unique
    assert {"t__SGB1626", "t__SGB4037", "t__SGB4761", "t__SGB4725", "t__SGB9226"} <= set(taxa.index)
    for taxon, row in taxa.iterrows():
        names, ids = row["lineage"].split("|"), row["taxids"].split("|")
        assert [name[:3] for name in names] == list(RANKS)
        assert names[-1] == taxon
        assert len(ids) == 8
        assert all(part.isdigit() or not part for part in ids)
        assert 1_000_000 < row["genome_length"] < 8_000_000


def test_same_clade_has_same_taxid_everywhere() -> None:
    seen: dict[str, str] = {}
    for lineage, ids in load_taxa(Parameters(sgbs=44))[["lineage", "taxids"]].itertuples(index=False):
        names, numbers = lineage.split("|"), ids.split("|")
        for rank in range(1, 9):
            clade = "|".join(names[:rank])
            assert seen.setdefault(clade, numbers[rank - 1]) == numbers[rank - 1], clade


def test_more_taxa_than_names_are_made_up() -> None:
    taxa = load_taxa(Parameters(sgbs=60, min_abundance=0.001))
    assert len(taxa) == 60
    assert taxa.index.is_unique
    assert (taxa.index[44:].str.removeprefix("t__SGB").astype(int) >= 900_000).all()


def test_miniature_genome_is_markers_and_spacers() -> None:
    parameters = Parameters(markers=20, marker_length=400, spacer=50)
    for taxon, row in load_taxa(parameters).iterrows():
        markers = marker_lengths(parameters, str(taxon))
        spacers = spacer_lengths(parameters, str(taxon), row["genome_length"])
        assert markers.size == spacers.size == 20
        assert 300 <= markers.min() <= markers.max() <= 500
        assert spacers.mean() == pytest.approx(50 * row["genome_length"] / 1e6, rel=0.35)
        assert row["miniature_length"] == markers.sum() + spacers.sum()


# ---- design


def test_defaults_are_the_demo(trial: Trial) -> None:
    samples = trial.samples
    donors = samples[samples["role"] == "donor"].groupby("subject").size()
    assert len(donors) >= 2
    assert (donors >= 2).any()
    recipients = samples[samples["role"] == "recipient"]
    assert recipients["subject"].nunique() >= 8
    assert (trial.subjects["arm"] == "placebo").sum() >= 2
    assert set(trial.subjects.loc[trial.subjects["arm"] == "fmt", "subject"]) == set(trial.doses["subject"])
    for _, group in recipients.groupby("subject"):
        assert (group["day"] <= 0).sum() >= 1
        assert (group["day"] > 0).sum() >= 2
    assert (trial.depth["layout"] == "single").sum() == 1
    assert (trial.depth["units"] > 1).sum() >= 5
    assert (trial.depth["fragments"] < 500).sum() == 1
    deep = trial.depth.loc[trial.depth["fragments"] >= 500, "reads"]
    assert deep.max() / deep.min() > 1.5
    assert trial.doses["donor_sample"].isna().any()
    assert trial.doses.duplicated("subject").any()
    assert trial.doses.groupby("subject")["donor"].nunique().max() == 2


@pytest.mark.parametrize("seed", range(12))
def test_every_seed_has_all_seven_outcomes(seed: int) -> None:
    counts = simulate_trial(Parameters(seed=seed)).outcomes["outcome"].value_counts()
    assert set(counts.index) == set(OUTCOME_NAMES)


@pytest.mark.parametrize("jitter", [0, 3, 60])
@pytest.mark.parametrize("days", [(0, 28, 84), (-30, -1, 0, 1, 2, 90), (-7, 14)])
def test_visits_keep_their_order(days: tuple[int, ...], jitter: int) -> None:
    samples = simulate_trial(dataclasses.replace(SMALL, days=days, day_jitter=jitter, shallow_sample=False)).samples
    for _, group in samples[samples["role"] == "recipient"].groupby("subject"):
        taken = group[group["sample"].str.contains("-T")]["day"].astype(int).to_numpy()
        assert (np.diff(taken) > 0).all()
        assert (taken <= 0).sum() == sum(day <= 0 for day in days)
        assert np.abs(taken - np.array(days)).max() <= jitter + len(days)


def test_tables_are_a_valid_study(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv", False)
    assert len(post_samples(study)) == (study.samples["day"] > 0).sum()
    assert not caplog.records
    first = study.doses.groupby("subject")["day"].min()
    assert (first == 0).all()


def test_clinical_data_are_plausible() -> None:
    subjects = simulate_trial(Parameters(recipients=300, placebo=0, seed=5)).subjects.query("arm == 'fmt'")
    assert (subjects["os_days"] >= subjects["pfs_days"]).all()
    assert ((subjects["os_event"] == 0) | (subjects["pfs_event"] == 1)).all()
    assert set(subjects["best_response"]) == {"CR", "PR", "SD", "PD"}
    responder = subjects["best_response"].isin(["CR", "PR"])
    assert responder.mean() == pytest.approx(0.45, abs=0.12)
    assert subjects.loc[responder, "pfs_days"].median() > subjects.loc[~responder, "pfs_days"].median()
    assert subjects["irae_grade"].between(0, 5).all()


def test_donor_weights_choose_donors() -> None:
    doses = simulate_trial(Parameters(donor_weights=(0.0, 1.0), days=(0, 28))).doses
    assert set(doses.loc[doses["day"] == 0, "donor"]) == {"D02"}


def test_depth_can_differ_after_fmt() -> None:
    plain, shallow = simulate_trial(SMALL), simulate_trial(dataclasses.replace(SMALL, post_depth=0.5))
    ratio = shallow.depth["fragments"] / plain.depth["fragments"]
    post = plain.samples.set_index("sample")["day"].gt(0).fillna(False).reindex(ratio.index).astype(bool)
    kept = plain.depth["fragments"] > 500
    assert ratio[~post & kept].eq(1).all()
    assert ratio[post & kept].between(0.499, 0.501).all()


def test_foreign_fragments_leave_room_for_sgbs() -> None:
    depth = simulate_trial(Parameters(host=0.6, junk=0.28, recipients=40)).depth
    assert (depth["host"] + depth["junk"]).max() <= 0.95 + 1e-12
    assert depth["host"].mean() == pytest.approx(0.6, abs=0.05)


# ---- truth


def test_abundance_and_strains_agree(trial: Trial) -> None:
    abundance, strains = trial.abundance, trial.strains
    assert list(abundance.index) == trial.samples["sample"].tolist()
    np.testing.assert_allclose(abundance.sum(axis=1), 1, atol=1e-12)
    share = strains.groupby(["sample", "taxon"])["fraction"].sum()
    np.testing.assert_allclose(share, 1, atol=1e-12)
    present = {(s, t) for s, t in zip(*np.nonzero(abundance.to_numpy()), strict=True)}
    held = {(abundance.index.get_loc(sample), abundance.columns.get_loc(taxon)) for sample, taxon in share.index}
    assert present == held
    p = trial.parameters
    assert abundance.to_numpy()[abundance.to_numpy() > 0].min() >= p.min_abundance / (1 + p.sgbs * p.min_abundance)


def test_truth_equals_the_packages_outcomes_of_the_true_abundances(folder: Path) -> None:
    for seed in (1, 2, 3):
        simulated = simulate_trial(Parameters(seed=seed))
        place = folder.parent / f"tables{seed}"
        write_trial(Parameters(seed=seed), place)
        study = read_study(place / "samples.tsv", place / "subjects.tsv", place / "doses.tsv")
        found = outcomes(simulated.abundance, study).set_index(["sample", "taxon"])["outcome"]
        true = simulated.outcomes.set_index(["sample", "taxon"])["outcome"]
        pd.testing.assert_series_equal(true.sort_index(), found.sort_index(), check_dtype=False)


def test_true_outcomes_by_hand() -> None:
    samples = pd.DataFrame(
        {
            "sample": ["d1", "d2", "b0", "b", "p", "q"],
            "subject": ["D", "D", "R", "R", "R", "R"],
            "role": ["donor", "donor", *["recipient"] * 4],
            "day": pd.array([None, None, -9, 0, 5, 30], dtype="Int64"),
        }
    )
    doses = pd.DataFrame({"subject": ["R", "R"], "day": [0, 10], "donor": ["D", "D"], "donor_sample": ["d1", None]})
    rows = [
        ("d1", "E", "E:D", 1.0), ("d1", "N", "N:D", 1.0), ("d1", "K", "K:D", 1.0), ("d1", "L", "L:D", 1.0),
        ("d1", "U", "U:c", 1.0), ("d1", "O", "O:D", 1.0), ("d2", "X", "X:D", 1.0), ("b0", "Z", "Z:R", 1.0),
        ("b", "K", "K:R", 1.0), ("b", "L", "L:R", 1.0), ("b", "P", "P:R", 1.0), ("b", "A", "A:R", 1.0),
        ("b", "U", "U:c", 1.0), ("b", "O", "O:R", 1.0),
        ("p", "E", "E:D", 1.0), ("p", "K", "K:D", 0.25), ("p", "K", "K:R", 0.75), ("p", "P", "P:R", 1.0),
        ("p", "G", "G:e", 1.0), ("p", "U", "U:c", 1.0), ("p", "O", "O:e", 1.0), ("p", "X", "X:D", 1.0),
        ("q", "X", "X:D", 0.5), ("q", "X", "X:e", 0.5), ("q", "K", "K:R", 1.0), ("q", "Z", "Z:R", 1.0),
    ]  # fmt: skip
    table = true_outcomes(samples, doses, pd.DataFrame(rows, columns=["sample", "taxon", "strain", "fraction"]))
    assert set(table["baseline_sample"]) == {"b"}
    found = {
        sample: {t: (o, s) for t, o, s in group[["taxon", "outcome", "strain_outcome"]].itertuples(index=False)}
        for sample, group in table.fillna({"strain_outcome": ""}).groupby("sample")
    }
    assert found["p"] == {
        "E": ("engrafted", "donor"),
        "N": ("not_engrafted", ""),
        "K": ("shared_kept", "coexist"),
        "L": ("shared_depleted", ""),
        "P": ("persisted", "recipient"),
        "A": ("depleted", ""),
        "G": ("gained", "other"),
        "U": ("shared_kept", "unresolved"),
        "O": ("shared_kept", "other"),
        # Lot d2 came on day 10 only: on day 5 its taxon is nobody's.
        "X": ("gained", "other"),
    }
    assert found["q"]["X"] == ("engrafted", "donor")
    assert found["q"]["K"] == ("shared_kept", "recipient")
    assert found["q"]["Z"] == ("gained", "other")
    k = table.query("sample == 'p' and taxon == 'K'").iloc[0]
    assert (k["donor_fraction"], k["baseline_fraction"], k["common_fraction"], k["other_fraction"]) == (
        0.25,
        0.75,
        0,
        0,
    )


def test_strain_names_tell_where_they_come_from(trial: Trial) -> None:
    subject = trial.strains["subject"]
    holder = trial.strains["strain"].str.split(":").str[1]
    own = trial.strains["origin"] == "own"
    assert (holder[own].isin(["common"]) | (holder[own].str.rstrip("b") == subject[own])).all()
    given = trial.strains["origin"].str.fullmatch(r"D\d+")
    received = set(zip(trial.doses["subject"], trial.doses["donor"], strict=True))
    assert set(zip(subject[given], trial.strains.loc[given, "origin"], strict=True)) <= received
    placebo = set(trial.subjects.loc[trial.subjects["arm"] == "placebo", "subject"])
    assert not given[subject.isin(placebo)].any()


def test_placebo_has_the_outcomes_of_an_empty_donor_set(trial: Trial) -> None:
    placebo = trial.subjects.loc[trial.subjects["arm"] == "placebo", "subject"]
    table = trial.outcomes[trial.outcomes["subject"].isin(placebo)]
    assert set(table["outcome"]) == {"persisted", "depleted", "gained"}
    assert table["donor_fraction"].fillna(0).eq(0).all()


def test_donor_set_grows_with_the_doses(trial: Trial, folder: Path) -> None:
    products = donor_products(read_study(folder / "samples.tsv", None, folder / "doses.tsv"))
    last = trial.doses["subject"].iloc[-1]
    lots = products[products["subject"] == last].groupby("sample")["donor"].nunique()
    assert lots.tolist() == [1, 2]
    for sample, group in products.groupby("sample"):
        held = set(trial.strains.loc[trial.strains["sample"].isin(group["donor_sample"]), "taxon"])
        rows = trial.outcomes[trial.outcomes["sample"] == sample]
        donor_cells = rows["outcome"].isin(["engrafted", "not_engrafted", "shared_kept", "shared_depleted"])
        assert set(rows.loc[donor_cells, "taxon"]) == held


def test_people_do_not_depend_on_how_many_there_are() -> None:
    few = simulate_trial(Parameters(recipients=6, placebo=2, seed=9))
    many = simulate_trial(Parameters(recipients=12, placebo=2, seed=9))
    # The fourth treated one is the last of few, and has a dose more.
    same = [f"R{i:02d}-T{visit}" for i in (1, 2, 3) for visit in (0, 1, 2)]
    pd.testing.assert_frame_equal(few.abundance.loc[same], many.abundance.loc[same])


# ---- model


FROZEN: dict[str, object] = {
    "loss": 0.0, "gain": 0.0, "turnover": 0.0, "displacement": 0.0, "shared_loss": 0.0, "coexistence": 0.0,
    "replacement": 0.0, "engraftment_sd": 0.0, "second_strain": 0.0, "common_strain": 0.0, "shallow_sample": False,
}  # fmt: skip


def one_dose(**changes: object) -> pd.DataFrame:
    """Outcomes of the only post sample of 120 recipients of one lot, taken before any second dose."""
    settings = FROZEN | {"donors": 1, "donor_samples": 1, "recipients": 121, "placebo": 1, "days": (0, 5), **changes}
    table = simulate_trial(Parameters(day_jitter=0, **settings)).outcomes  # type: ignore[arg-type]
    return table[table["subject"] != "R121"]


def near(hits: pd.Series, chance: float) -> bool:
    """Whether a share is within 4.5 standard errors of a probability."""
    return abs(hits.mean() - chance) < 4.5 * np.sqrt(chance * (1 - chance) / len(hits)) + 1e-12


def test_nothing_changes_when_all_rates_are_zero() -> None:
    table = one_dose(engraftment=1e-9)
    assert set(table["outcome"]) == {"not_engrafted", "shared_kept", "persisted"}
    assert set(table["strain_outcome"].dropna()) == {"recipient"}


@pytest.mark.parametrize("engraftment", [0.2, 0.7])
def test_engraftment_is_the_stated_probability(engraftment: float) -> None:
    table = one_dose(engraftment=engraftment)
    donor_only = table[table["outcome"].isin(["engrafted", "not_engrafted"])]
    assert near(donor_only["outcome"] == "engrafted", engraftment)
    assert set(donor_only["strain_outcome"].dropna()) == {"donor"}


def test_displacement_and_shared_loss_are_the_stated_probabilities() -> None:
    table = one_dose(displacement=0.3, shared_loss=0.15)
    absent = table[table["outcome"].isin(["persisted", "depleted"])]
    shared = table[table["outcome"].isin(["shared_kept", "shared_depleted"])]
    assert near(absent["outcome"] == "depleted", 0.3)
    assert near(shared["outcome"] == "shared_depleted", 0.15)


def test_coexistence_and_replacement_are_the_stated_probabilities() -> None:
    table = one_dose(coexistence=0.3, replacement=0.2)
    kept = table[table["outcome"] == "shared_kept"]
    assert near(kept["strain_outcome"] == "coexist", 0.3)
    assert near(kept["strain_outcome"] == "donor", 0.2)
    mixed = kept.loc[kept["strain_outcome"] == "coexist", "donor_fraction"]
    assert mixed.between(0.15 - 1e-12, 0.85 + 1e-12).all()
    assert mixed.mean() == pytest.approx(0.5, abs=0.06)


def test_turnover_without_fmt_is_the_stated_probability() -> None:
    days = 90
    settings = FROZEN | {"recipients": 150, "placebo": 150, "days": (0, days), "loss": 0.1, "turnover": 0.05}
    table = simulate_trial(Parameters(day_jitter=0, **settings)).outcomes  # type: ignore[arg-type]
    lost = table["outcome"] == "depleted"
    assert set(table["outcome"]) == {"persisted", "depleted"}
    assert near(lost, 1 - 0.9 ** (days / 30))
    assert near(table.loc[~lost, "strain_outcome"] == "other", 1 - 0.95 ** (days / 30))


def test_gain_without_fmt_grows_with_prevalence() -> None:
    settings = FROZEN | {"recipients": 200, "placebo": 200, "days": (0, 30), "gain": 0.5, "recipient_richness": 1.0}
    simulated = simulate_trial(Parameters(day_jitter=0, **settings))  # type: ignore[arg-type]
    taxa = simulated.abundance.columns
    baseline = simulated.abundance[simulated.abundance.index.str.endswith("-T0")] > 0
    absent = 200 - baseline.sum()
    gained = simulated.outcomes.query("outcome == 'gained'")["taxon"].value_counts().reindex(taxa, fill_value=0)
    # The share gained among those who lack a taxon is gain x prevalence.
    expected = 0.5 * baseline.mean() * absent
    assert gained.sum() == pytest.approx(expected.sum(), rel=0.1)
    assert np.corrcoef(gained / absent, baseline.mean())[0, 1] > 0.7


def test_response_effect_moves_engraftment() -> None:
    def gap(effect: float) -> float:
        simulated = simulate_trial(Parameters(seed=2, recipients=120, placebo=0, response_effect=effect))
        table = simulated.outcomes[simulated.outcomes["outcome"].isin(["engrafted", "not_engrafted"])]
        responders = simulated.subjects.loc[simulated.subjects["best_response"].isin(["CR", "PR"]), "subject"]
        engrafted = table["outcome"] == "engrafted"
        mine = table["subject"].isin(responders)
        return float(engrafted[mine].mean() - engrafted[~mine].mean())

    assert abs(gap(0.0)) < 0.06
    assert gap(1.0) > 0.2


def test_recipients_come_to_resemble_their_donor(trial: Trial) -> None:
    def distance(one: str, other: str) -> float:
        return float(1 - np.minimum(trial.abundance.loc[one], trial.abundance.loc[other]).sum())

    before, after = [], []
    for subject, donor in trial.doses.query("day == 0")[["subject", "donor"]].itertuples(index=False):
        before.append(distance(f"{subject}-T0", f"{donor}-1"))
        after.append(distance(f"{subject}-T1", f"{donor}-1"))
    assert np.mean(after) < np.mean(before) - 0.1


# ---- profiles


def test_truncated_coverage_is_metaphlans_definition() -> None:
    rng = np.random.default_rng(0)
    counts, lengths = rng.poisson(3, (20, 33)), rng.integers(80, 900, (20, 33))
    found = truncated_coverage(counts, lengths, 100)
    for row, (n, length) in enumerate(zip(counts, lengths, strict=True)):
        markers = sorted(
            ((k / (abs(m - 100) + 1), abs(m - 100) + 1, k) for k, m in zip(n, length, strict=True)), key=lambda m: m[0]
        )
        kept = markers[6:-6]
        assert found[row] == pytest.approx(sum(m[2] for m in kept) / sum(m[1] for m in kept), rel=1e-12)


def test_taxon_on_a_fifth_of_the_markers_is_not_detected() -> None:
    lengths = np.full((1, 30), 600)
    few, more = np.zeros((1, 30), dtype=int), np.zeros((1, 30), dtype=int)
    few[0, :6] = 50
    more[0, :7] = 50
    assert truncated_coverage(few, lengths, 100)[0] == 0
    assert truncated_coverage(more, lengths, 100)[0] > 0


def test_profiles_are_close_to_the_truth_and_closer_with_depth() -> None:
    def mean_distance(pairs: int) -> float:
        simulated = simulate_trial(Parameters(seed=4, read_pairs=pairs, recipients=3, placebo=1, shallow_sample=False))
        found = [
            1 - np.minimum(observe(simulated, sample).abundance, simulated.abundance.loc[sample]).sum()
            for sample in simulated.samples["sample"]
        ]
        return float(np.mean(found))

    shallow, deep = mean_distance(6_000), mean_distance(96_000)
    # Four times finer at sixteen times the depth, as counting noise is.
    assert deep == pytest.approx(shallow / 4, rel=0.25)


def test_profile_files_read_back(trial: Trial, folder: Path) -> None:
    paths = sorted((folder / "profiles").glob("*_profile.tsv"))
    assert [path.name.removesuffix("_profile.tsv") for path in paths] == sorted(trial.samples["sample"])
    abundance = read_abundance(paths)
    table = read_metaphlan(paths)
    assert table.database == "mpa_vSimulated_CHOCOPhlAnSGB_202601"
    for sample in trial.samples["sample"]:
        profile = observe(trial, sample)
        assert table.unclassified[sample] == pytest.approx(100 * profile.unclassified, abs=1e-5)
        assert table.reads_processed[sample] == profile.reads
        if sample == "R01-T3":
            assert abundance.loc[sample].isna().all()
            continue
        expected = profile.abundance.reindex(abundance.columns)
        np.testing.assert_allclose(abundance.loc[sample], expected, atol=1e-6)
        kingdoms = table.percent.index.str.count(r"\|") == 0
        assert table.percent.loc[kingdoms, sample].sum() + table.unclassified[sample] == pytest.approx(100, abs=1e-4)


def test_exact_profiles_are_the_truth(trial: Trial) -> None:
    for sample in trial.samples["sample"]:
        profile = exact_profile(trial, sample)
        if sample == "R01-T3":
            assert profile.abundance.eq(0).all()
        else:
            pd.testing.assert_series_equal(profile.abundance, trial.abundance.loc[sample])
            depth = trial.depth.loc[sample]
            assert profile.unclassified == pytest.approx(depth["junk"] / (1 - depth["host"]))


# ---- files


def test_files_follow_their_declarations(folder: Path, trial: Trial) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.yaml", "doses.tsv", "lesions.tsv", "molecules", "profiles", "samples.tsv", "subjects.tsv",
        "toxicities.tsv", "treatments.tsv", "truth",
    ]  # fmt: skip
    assert read_table(folder / "samples.tsv", SAMPLES)["reads"].notna().all()
    for table, frame in ((LESIONS, trial.lesions), (TOXICITIES, trial.toxicities), (TREATMENTS, trial.treatments)):
        written = read_table(folder / f"{table.name}.tsv", table)
        pd.testing.assert_frame_equal(written.reset_index(drop=True), frame, check_dtype=False)
    truth = folder / "truth"
    read_table(truth / "outcomes.tsv", TRUTH_OUTCOMES)
    read_table(truth / "strains.tsv", TRUTH_STRAINS)
    reads = read_table(truth / "reads.tsv", TRUTH_READS)
    assert (reads["sgb"] + reads["host"] + reads["junk"] == reads["fragments"]).all()
    assert reads.set_index("sample")["expected_status"].value_counts().to_dict() == {"ok": 35, "few_reads": 1}
    pd.testing.assert_frame_equal(read_features(truth / "abundance.tsv"), trial.abundance)
    record = json.loads((truth / "parameters.json").read_text())
    again = {k: tuple(v) if isinstance(v, list) else v for k, v in record["parameters"].items()}
    assert Parameters(**again) == Parameters(seed=1)
    assert "made up" in (folder / "README.md").read_text()


def test_config_names_the_files_as_the_folder_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_trial(SMALL, "demo/trial")
    config = yaml.safe_load(Path("demo/trial/config.yaml").read_text())
    assert config["samples"] == "demo/trial/samples.tsv"
    assert config["profiles"] == "demo/trial/profiles/*_profile.tsv"
    assert config["results"] == "demo/results"
    assert "units" not in config
    assert main(["--quiet", "check", "--config", "demo/trial/config.yaml"]) == 0


def test_same_seed_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for place, parameters in (("a", SMALL), ("b", SMALL), ("c", dataclasses.replace(SMALL, seed=4))):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        write_trial(parameters, "trial")
        digests.append(digest(tmp_path / place))
    assert digests[0] == digests[1]
    # Of another seed, every file differs but the tables that chance does not touch.
    same = [name for name, value in digests[2].items() if digests[0].get(name) == value]
    assert set(same) <= {"trial/doses.tsv"}


def test_a_folder_with_files_is_not_touched(tmp_path: Path) -> None:
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    for force in (False, True):
        with pytest.raises(InputError, match="no simulation wrote"):
            write_trial(SMALL, foreign, force=force)
    assert digest(foreign).keys() == {"thesis.txt"}
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        write_trial(SMALL, tmp_path / "file")


def test_a_simulated_trial_is_replaced_only_when_told(tmp_path: Path) -> None:
    target = tmp_path / "trial"
    target.mkdir()
    write_trial(SMALL, target)
    before = digest(target)
    with pytest.raises(InputError, match="--force"):
        write_trial(dataclasses.replace(SMALL, seed=4), target)
    assert digest(target) == before
    (target / "stray").write_text("")
    write_trial(SMALL, target, force=True)
    assert digest(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["trial"]


def test_without_bowtie2_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="bowtie2-build is not on PATH"):
        write_trial(SMALL, tmp_path / "trial", reads=True)
    assert list(tmp_path.iterdir()) == []


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "trial"
    command = ["--quiet", "simulate", "--output", str(target), "--seed", "3", "--recipients", "4", "--placebo", "1"]
    assert main([*command, "--sgbs", "12", "--days", "-7", "14", "28"]) == 0
    assert json.loads((target / "truth" / "parameters.json").read_text())["parameters"]["days"] == [-7, 14, 28]
    assert main(command) == 2
    assert main(["simulate", "--output", str(tmp_path / "x"), "--seed", "-1", "--placebo", "11"]) == 2
    error = capsys.readouterr().err
    assert "--seed" in error
    assert "--placebo" in error
    assert not (tmp_path / "x").exists()


# ---- patients


def test_toxicities_are_those_of_the_subjects() -> None:
    trial = simulate_trial(Parameters(seed=3, recipients=60))
    people = trial.subjects.dropna(subset=["best_response"]).set_index("subject")
    worst = trial.toxicities.groupby("subject")["grade"].max().reindex(people.index, fill_value=0)
    assert worst.eq(people["irae_grade"]).all()
    last = trial.toxicities["subject"].map(people["os_days"])
    assert trial.toxicities["day"].between(1, last).all()
    assert (trial.toxicities["end_day"].dropna() < last[trial.toxicities["end_day"].notna()]).all()


def test_immunotherapy_ends_with_progression() -> None:
    trial = simulate_trial(Parameters(seed=3, recipients=60))
    cycles = trial.treatments[trial.treatments["kind"] == "immunotherapy"]
    last = cycles["subject"].map(trial.subjects.set_index("subject")["pfs_days"])
    assert (cycles["day"] < last).all()
    assert cycles.groupby("subject")["day"].diff().dropna().eq(21).all()
    courses = trial.treatments[trial.treatments["kind"] == "antibiotic"]
    assert courses["subject"].is_unique
    assert (courses["end_day"] - courses["day"]).between(5, 10).all()
    assert 5 <= len(courses) <= 25


def test_lesions_tell_the_responses_and_progressions_of_the_subjects() -> None:
    trial = simulate_trial(Parameters(seed=3, recipients=120))
    best = best_responses(trial.lesions, trial.subjects).set_index("subject")
    people = trial.subjects.dropna(subset=["best_response"]).set_index("subject").loc[best.index]
    progressed = people["pfs_days"].where(people["pfs_event"] == 1)
    assert best["progression_day"].astype("Int64").equals(progressed.astype("Int64").rename("progression_day"))
    # Stable disease must have lasted 42 days.
    early = (people["best_response"] == "SD") & (people["pfs_days"] < 52)
    assert best.loc[~early, "best_response"].eq(people.loc[~early, "best_response"]).all()
    assert 0 < early.sum() < 15
    assert set(best.loc[early, "best_response"]) == {"PD"}
