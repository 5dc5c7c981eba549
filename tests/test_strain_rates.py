"""Rates of strains and persistence: counted by hand from a trial whose strains are known, compared as other rates."""

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
from microbiome.compare import compare, read_rates, trajectories
from microbiome.compare.design import logit_of_rate
from microbiome.compare.material import is_count, is_fraction, needs_donor
from microbiome.errors import InputError
from microbiome.strains.calls import pair_calls
from microbiome.strains.persistence import strain_persistence
from microbiome.strains.rate_tables import (
    STRAIN_PERSISTENCE,
    STRAIN_RATE_COUNTS,
    STRAIN_RATE_NAMES,
    STRAIN_RATES,
)
from microbiome.strains.rates import strain_rates
from microbiome.strains.tables import STRAIN_RESOLVED, STRAIN_SHARED
from microbiome.study import Study, donor_products, post_samples
from microbiome.tsv import read_result, write_table

_PARTS = ["donor_fraction", "baseline_fraction", "common_fraction", "other_fraction"]


@pytest.fixture(scope="module")
def trial() -> StrainTrial:
    return strain_trial(1)


@pytest.fixture(scope="module")
def table(trial: StrainTrial) -> pd.DataFrame:
    return strain_rates(trial.study, trial.resolved(), trial.shared(), trial.outcomes())


def call_of(shared: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """Return the call of (taxon, sample, sample) both ways round; NaN is unresolved."""
    rows = zip(shared["taxon"], shared["sample_1"], shared["sample_2"], shared["same_strain"], strict=True)
    found = {}
    for taxon, one, other, same in rows:
        found[taxon, one, other] = found[taxon, other, one] = float("nan") if pd.isna(same) else float(same)
    return found


def naive(trial: StrainTrial) -> pd.DataFrame:
    """Count everything by hand, one taxon of one sample after the other."""
    shared, resolved, outcomes = trial.shared(), trial.resolved(), trial.outcomes()
    calls = call_of(shared)
    taxa = sorted({taxon for taxon, _, _ in calls})
    known = {(taxon, one) for (taxon, one, _), same in calls.items() if same == same}
    products = donor_products(trial.study)
    donors = trial.study.samples[trial.study.samples["role"] == "donor"]
    rows = []
    for post in post_samples(trial.study).itertuples():
        own = products[products["sample"] == post.sample]
        row = dict.fromkeys([name for pair in STRAIN_RATE_COUNTS.values() for name in pair], 0)
        row |= {"sample": post.sample, "donor_strains_open": 0, "products": len(own)}
        cells = resolved[resolved["sample"] == post.sample].set_index("taxon")
        word, common = cells["strain_outcome"].to_dict(), cells["common_fraction"].fillna(0.0).to_dict()
        for cell in outcomes[outcomes["sample"] == post.sample].itertuples():
            strain = word.get(cell.taxon, "unresolved")
            donor_known = any((cell.taxon, product) in known for product in own["donor_sample"])
            if cell.outcome in ("engrafted", "shared_kept"):
                if strain == "unresolved":
                    row["donor_strains_open"] += donor_known
                else:
                    row["donor_strains_seen"] += 1
                    row["donor_strains_engrafted"] += strain in ("donor", "coexist")
            if cell.outcome in ("not_engrafted", "shared_depleted") and donor_known:
                unsure = cell.certainty == "below_limit" and "post" in cell.unsure.split(",")
                row["donor_strains_open" if unsure else "donor_strains_seen"] += 1
            if cell.outcome == "engrafted" and strain != "unresolved":
                row["engrafted_resolved"] += 1
                row["engrafted_confirmed"] += strain in ("donor", "coexist")
            if cell.outcome in ("shared_kept", "persisted") and strain != "unresolved":
                row["own_taxa_resolved"] += 1
                row["own_strains_kept"] += strain in ("recipient", "coexist") or common.get(cell.taxon, 0) >= 0.02
        for taxon in taxa:
            for names, one, others in (
                (("donor_taxa_compared", "donor_taxa_same_strain"), post.sample, own["donor_sample"]),
                (("donor_taxa_compared_before", "donor_taxa_same_strain_before"), post.baseline_sample,
                 own["donor_sample"]),
                (("own_taxa_compared", "own_taxa_same_strain"), post.sample, [post.baseline_sample]),
                *(
                    (("other_donor_taxa_compared", "other_donor_taxa_same_strain"), post.sample, lots["sample"])
                    for name, lots in donors.groupby("subject")
                    if name not in set(own["donor"])
                ),
            ):  # fmt: skip
                # None: no row of the pair; nan: a row without a call, which leaves it open.
                found = [calls.get((taxon, one, other)) for other in others]
                there = [same for same in found if same is not None]
                same_strain = any(same == 1 for same in there)
                row[names[0]] += same_strain or (bool(there) and all(same == same for same in there))
                row[names[1]] += same_strain
        rows.append(row)
    return pd.DataFrame(rows)


def test_counts_are_those_counted_by_hand(trial: StrainTrial, table: pd.DataFrame) -> None:
    expected = naive(trial)
    treated = (expected["products"] > 0).to_numpy()
    assert treated.any()
    assert not treated.all()
    for name in expected.columns.drop(["sample", "products"]):
        counted = name.startswith(("own_", "other_"))
        rows = np.ones(len(table), dtype=bool) if counted else treated
        assert table.loc[rows, name].tolist() == expected.loc[rows, name].tolist(), name
        # Without any product there is nothing to count.
        assert table.loc[~rows, name].isna().all(), name
    assert table["donor_strains_open"].max() > 0


def test_every_rate_is_its_counts(table: pd.DataFrame) -> None:
    for rate, (over, under) in STRAIN_RATE_COUNTS.items():
        for row in table.to_dict("records"):
            if pd.isna(row[under]) or row[under] == 0:
                assert np.isnan(row[rate])
            else:
                assert row[rate] == row[over] / row[under]
    known = table[table["donor_strains_seen"].notna()].astype(float, errors="ignore")
    total = known["donor_strains_seen"] + known["donor_strains_open"]
    low, high = (known[f"strain_engraftment_rate_donor_{end}"] for end in ("low", "high"))
    assert low.tolist() == pytest.approx((known["donor_strains_engrafted"] / total).tolist())
    assert high.tolist() == pytest.approx(
        ((known["donor_strains_engrafted"] + known["donor_strains_open"]) / total).tolist()
    )
    rate = known["strain_engraftment_rate_donor"]
    assert ((low <= rate) & (rate <= high)).all()


def test_fractions_weigh_by_abundance(trial: StrainTrial, table: pd.DataFrame) -> None:
    resolved = trial.resolved()
    for row in table.itertuples():
        own = resolved[(resolved["sample"] == row.sample) & (resolved["strain_outcome"] != "unresolved")]
        weight = own["post_abundance"] / own["post_abundance"].sum()
        if row.donor_products:
            assert row.weighted_donor_fraction == pytest.approx((weight * own["donor_fraction"]).sum())
            assert row.weighted_common_fraction == pytest.approx((weight * own["common_fraction"]).sum())
            parts = [getattr(row, f"weighted_{name}_fraction") for name in ("donor", "baseline", "common", "other")]
            assert sum(parts) == pytest.approx((weight * own[_PARTS].sum(axis=1)).sum())
        assert row.weighted_baseline_fraction == pytest.approx((weight * own["baseline_fraction"]).sum())
        assert row.resolved_abundance == pytest.approx(own["post_abundance"].sum())
        rest = resolved[(resolved["sample"] == row.sample) & (resolved["strain_outcome"] == "unresolved")]
        assert row.unresolved_abundance == pytest.approx(rest["post_abundance"].sum())
        assert (row.taxa_resolved, row.taxa_unresolved) == (len(own), len(rest))


def test_more_engraftment_is_a_higher_rate_and_nothing_is_no_rate() -> None:
    few, many = (
        strain_rates(t.study, t.resolved(), t.shared(), t.outcomes())
        for t in (strain_trial(2, engrafts=e, placebo=0) for e in (0.1, 0.9))
    )
    for name in ("strain_engraftment_rate_donor", "strain_engraftment_rate_profiled", "weighted_donor_fraction"):
        assert many[name].mean() > few[name].mean() + 0.4, name
    for name in ("strain_persistence_rate", "strain_persistence_rate_profiled"):
        assert many[name].mean() < few[name].mean(), name
    # What people share without FMT does not move.
    for name in ("donor_sharing_rate_before", "other_donor_sharing_rate"):
        assert many[name].mean() == pytest.approx(few[name].mean(), abs=0.05)
        assert many[name].mean() < 0.1


def test_no_evidence_is_unresolved_and_never_not_shared(trial: StrainTrial) -> None:
    shared = trial.shared()
    blank = shared.assign(same_strain=pd.array([pd.NA] * len(shared), dtype="Int64"))
    resolved = trial.resolved()
    open_ = resolved.assign(
        strain_outcome="unresolved", donor_fraction=np.nan, baseline_fraction=np.nan, other_fraction=np.nan
    )
    table = strain_rates(trial.study, open_, blank, trial.outcomes())
    # No strain of any donor is known: nothing could have been seen.
    for rate in STRAIN_RATE_NAMES:
        assert table[rate].isna().all(), rate
    assert (table["taxa_unresolved"] == resolved.groupby("sample").size().reindex(table["sample"]).to_numpy()).all()
    assert (table["donor_taxa_uncalled"].dropna() > 0).all()
    pairs = strain_persistence(trial.study, blank)
    assert pairs["same_strain_rate"].isna().all()
    assert (pairs["taxa_uncalled"] > 0).all()


def test_a_taxon_without_a_row_is_unresolved(trial: StrainTrial, table: pd.DataFrame) -> None:
    resolved = trial.resolved()
    gone = resolved[resolved["strain_outcome"] != "unresolved"]
    same = strain_rates(trial.study, gone, trial.shared(), trial.outcomes())
    pd.testing.assert_frame_equal(same, table)


def test_unsure_absences_are_open_and_not_missed_strains(trial: StrainTrial) -> None:
    outcomes, resolved, shared = trial.outcomes(), trial.resolved(), trial.shared()
    sure = strain_rates(trial.study, resolved, shared, outcomes.assign(certainty="sure", unsure=None))
    unsure = outcomes.assign(certainty="below_limit", unsure="baseline,post")
    loose = strain_rates(trial.study, resolved, shared, unsure)
    other = strain_rates(trial.study, resolved, shared, unsure.assign(unsure="baseline"))
    pd.testing.assert_series_equal(sure["donor_strains_seen"], other["donor_strains_seen"])
    assert (loose["donor_strains_seen"].dropna() < sure["donor_strains_seen"].dropna()).all()
    total = [frame["donor_strains_seen"] + frame["donor_strains_open"] for frame in (sure, loose)]
    pd.testing.assert_series_equal(*total)
    bare = strain_rates(trial.study, resolved, shared, outcomes.drop(columns=["certainty", "unsure"]))
    assert bare["note"].str.contains("every absence is taken for sure").all()
    pd.testing.assert_series_equal(bare["donor_strains_seen"], sure["donor_strains_seen"])


def test_each_table_alone_gives_its_part(trial: StrainTrial, table: pd.DataFrame) -> None:
    pairs = strain_rates(trial.study, shared=trial.shared())
    alone = strain_rates(trial.study, trial.resolved())
    for rate in ("strain_engraftment_rate_profiled", "other_donor_sharing_rate", "strain_persistence_rate_profiled"):
        pd.testing.assert_series_equal(pairs[rate], table[rate])
        assert alone[rate].isna().all()
    for rate in ("strain_persistence_rate", "engrafted_confirmed_rate", "weighted_baseline_fraction"):
        pd.testing.assert_series_equal(alone[rate], table[rate])
        assert pairs[rate].isna().all()
    assert pairs["strain_engraftment_rate_donor"].isna().all()
    assert list(pairs["sample"]) == list(table["sample"])
    with pytest.raises(InputError, match="need the table of strains resolved"):
        strain_rates(trial.study)


def test_tables_that_contradict_each_other_are_refused(trial: StrainTrial) -> None:
    resolved, outcomes, shared = trial.resolved(), trial.outcomes(), trial.shared()
    wrong = resolved.assign(outcome=resolved["outcome"].replace("engrafted", "persisted"))
    with pytest.raises(InputError, match="not those of the outcomes table"):
        strain_rates(trial.study, wrong, shared, outcomes)
    with pytest.raises(InputError, match="not those of the outcomes table"):
        strain_rates(trial.study, resolved, shared, outcomes.iloc[:50])
    with pytest.raises(InputError, match="no post samples of the study"):
        strain_rates(trial.study, resolved.assign(sample="x" + resolved["sample"]), shared)
    with pytest.raises(InputError, match="stands twice"):
        strain_rates(trial.study, pd.concat([resolved, resolved.iloc[:1]]), shared)
    with pytest.raises(InputError, match="stand twice"):
        strain_rates(trial.study, None, pd.concat([shared, shared.iloc[:1]]))
    turned = shared.iloc[:1].rename(columns={"sample_1": "sample_2", "sample_2": "sample_1"})
    with pytest.raises(InputError, match="stand twice"):
        strain_rates(trial.study, None, pd.concat([shared, turned]))
    with pytest.raises(InputError, match="compared with itself"):
        strain_rates(trial.study, None, shared.assign(sample_2=shared["sample_1"]))
    with pytest.raises(InputError, match="same_strain"):
        strain_rates(trial.study, None, shared.drop(columns="same_strain").assign(same_strain=2))
    with pytest.raises(InputError, match=r"'strain_outcome' is missing"):
        strain_rates(trial.study, resolved.drop(columns="strain_outcome"))


def test_calls_of_one_method_are_used(trial: StrainTrial, caplog: pytest.LogCaptureFixture) -> None:
    shared = trial.shared()
    ngd = shared.assign(method="ngd", same_strain=pd.array([0] * len(shared), dtype="Int64"))
    both = pd.concat([ngd, shared])
    one = strain_rates(trial.study, None, both)
    assert "the pairs have the methods consensus, ngd; consensus is used" in caplog.text
    pd.testing.assert_frame_equal(one, strain_rates(trial.study, None, shared))
    other = strain_rates(trial.study, None, both, method="ngd")
    assert (other["own_taxa_same_strain"] == 0).all()
    assert (other["method"] == "ngd").all()
    with pytest.raises(InputError, match="no pair has method 'samestr'"):
        strain_rates(trial.study, None, both, method="samestr")


def test_pairs_of_other_samples_are_passed_over_with_a_word(
    trial: StrainTrial, caplog: pytest.LogCaptureFixture
) -> None:
    shared = trial.shared()
    extra = shared.iloc[:3].assign(sample_2="reference")
    table = strain_rates(trial.study, None, pd.concat([shared, extra]))
    pd.testing.assert_frame_equal(table, strain_rates(trial.study, None, shared))
    assert "1 samples of the pairs are not in the samples table and are left out, such as reference" in caplog.text


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    trial = strain_trial(4, recipients=3, placebo=1, taxa=15)
    rng = np.random.default_rng(seed)
    shared, resolved, outcomes = trial.shared(), trial.resolved(), trial.outcomes()
    turn = rng.random(len(shared)) < 0.5
    mixed = shared.assign(
        sample_1=shared["sample_1"].where(turn, shared["sample_2"]),
        sample_2=shared["sample_2"].where(turn, shared["sample_1"]),
    ).sample(frac=1, random_state=seed)
    parts = (frame.sample(frac=1, random_state=seed) for frame in (resolved, outcomes))
    one = strain_rates(trial.study, resolved, shared, outcomes)
    other = strain_rates(trial.study, next(parts), mixed, next(parts))
    pd.testing.assert_frame_equal(one, other, rtol=1e-12)


# ---------------------------------------------------------------- persistence


def test_persistence_of_every_pair_of_a_person(trial: StrainTrial) -> None:
    shared = trial.shared()
    calls = call_of(shared)
    table = strain_persistence(trial.study, shared).set_index(["sample_1", "sample_2"])
    assert set(table.columns) | {"sample_1", "sample_2"} == set(STRAIN_PERSISTENCE.names)
    expected = 0
    for _, own in trial.study.samples.groupby("subject", sort=False):
        for one, other in itertools.combinations(own.itertuples(), 2):
            expected += 1
            row = table.loc[(one.sample, other.sample)]
            found = [same for (_, a, b), same in calls.items() if (a, b) == (one.sample, other.sample)]
            known = [same for same in found if same == same]
            assert (row["taxa_compared"], row["taxa_same_strain"]) == (len(known), sum(known))
            assert row["taxa_uncalled"] == len(found) - len(known)
            bounds = stats.binomtest(int(sum(known)), len(known)).proportion_ci(method="exact")
            assert (row["ci_low"], row["ci_high"]) == pytest.approx((bounds.low, bounds.high))
            if one.role == "donor":
                assert row["doses_between"] == 0
                assert pd.isna(row["days_apart"])
            else:
                assert row["days_apart"] == other.day - one.day
                treated = one.subject in set(trial.study.doses["subject"])
                assert row["doses_between"] == int(treated and one.day <= 0 < other.day)
    assert len(table) == expected


def test_doses_on_the_day_of_a_sample() -> None:
    samples = pd.DataFrame(
        {"sample": ["a", "b", "c"], "subject": "R", "role": "recipient", "day": pd.array([0, 7, 9], dtype="Int64")}
    )
    doses = pd.DataFrame({"subject": "R", "day": pd.array([0, 7, 8]), "donor": "D", "donor_sample": None})
    shared = pd.DataFrame({"taxon": ["t"], "sample_1": ["a"], "sample_2": ["b"], "distance": [0.0], "same_strain": [1]})
    table = strain_persistence(Study(samples, doses=doses), shared)
    assert table[["sample_1", "sample_2", "doses_between"]].to_numpy().tolist() == [
        ["a", "b", 2],
        ["a", "c", 3],
        ["b", "c", 1],
    ]
    assert pair_calls(shared, ["a", "b", "c"]).method is None


def test_two_products_of_one_day_are_one_dose() -> None:
    samples = pd.DataFrame(
        {"sample": ["a", "b"], "subject": "R", "role": "recipient", "day": pd.array([0, 7], dtype="Int64")}
    )
    doses = pd.DataFrame({"subject": "R", "day": pd.array([0, 0, 5]), "donor": ["D", "E", "D"], "donor_sample": None})
    shared = pd.DataFrame({"taxon": ["t"], "sample_1": ["a"], "sample_2": ["b"], "distance": [0.0], "same_strain": [1]})
    assert strain_persistence(Study(samples, doses=doses), shared)["doses_between"].tolist() == [2]


# ---------------------------------------------------------------- the command, and comparison


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, trial: StrainTrial) -> Path:
    place = tmp_path_factory.mktemp("strains")
    for name in ("samples", "subjects", "doses"):
        write_table(getattr(trial.study, name), place / f"{name}.tsv")
    write_table(trial.shared(), place / "shared.tsv")
    write_table(trial.resolved(), place / "resolved.tsv")
    write_table(trial.outcomes(), place / "outcomes.tsv")
    study = [f"--{name}={place / name}.tsv" for name in ("samples", "subjects", "doses")]
    given = [f"--{name}={place / name}.tsv" for name in ("shared", "resolved", "outcomes")]
    extra = [f"--persistence={place}/persistence.tsv", f"--summary={place}/summary.tsv"]
    assert main(["--quiet", "strains", "rates", *given, *study, *extra, "-o", f"{place}/rates.tsv"]) == 0
    return place


def test_the_command_writes_what_the_function_returns(folder: Path, table: pd.DataFrame, trial: StrainTrial) -> None:
    assert len(read_result(folder / "shared.tsv", STRAIN_SHARED)) == len(trial.shared())
    assert len(read_result(folder / "resolved.tsv", STRAIN_RESOLVED)) == len(trial.resolved())
    read = read_result(folder / "rates.tsv", STRAIN_RATES)
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    pairs = read_result(folder / "persistence.tsv", STRAIN_PERSISTENCE)
    assert len(pairs) == len(strain_persistence(trial.study, trial.shared()))
    summary = pd.read_csv(folder / "summary.tsv", sep="\t")
    assert set(summary["rate"]) == set(STRAIN_RATE_NAMES)
    row = summary[(summary["rate"] == "strain_persistence_rate") & (summary["group"] == "placebo")].iloc[0]
    first = table[(table["day"] == 14) & table["subject"].isin(["R5", "R6"])]
    assert (row["n_subjects"], row["mean"]) == (2, pytest.approx(first["strain_persistence_rate"].mean()))


def test_rates_of_strains_are_compared_as_others(folder: Path, table: pd.DataFrame, trial: StrainTrial) -> None:
    out = folder / "compare.tsv"
    rates = ["strain_engraftment_rate_profiled", "strain_persistence_rate", "weighted_baseline_fraction"]
    options = ["--rates", f"{folder}/rates.tsv", "--subjects", f"{folder}/subjects.tsv", "--by", "responder"]
    assert main(["--quiet", "compare", *options, "--rate", *rates, "-o", str(out)]) == 0
    written = pd.read_csv(out, sep="\t").set_index(["rate", "method"])
    persons = trial.study.subjects.assign(responder=["yes", "no"] * 3)
    for rate in rates:
        row = written.loc[(rate, "subject_permutation")]
        means = table.dropna(subset=[rate]).groupby("subject")[rate].mean()
        yes = means.index.isin(persons.loc[persons["responder"] == "yes", "subject"])
        assert (row["n_subjects_1"], row["n_subjects_2"]) == ((~yes).sum(), yes.sum())
        assert row["effect"] == pytest.approx(means[yes].mean() - means[~yes].mean())
        assert 0 < row["p_value"] <= 1
        assert row["p_floor"] <= row["p_value"]
    # Rates of counts are modelled on the logit, with their own denominators; weighted fractions as they are.
    scales = written.xs("mixed_model", level="method")["scale"]
    assert scales[rates[:2]].tolist() == ["log_odds"] * 2
    assert scales[rates[2]] == "difference"
    seen = table[table["strain_persistence_rate"].notna()]
    found = logit_of_rate("strain_persistence_rate", seen.assign(value=seen["strain_persistence_rate"]))
    k, n = seen["own_strains_kept"].astype(float), seen["own_taxa_resolved"].astype(float)
    assert found is not None
    assert found.tolist() == pytest.approx(np.log((k + 0.5) / (n - k + 0.5)).tolist())


def test_all_rates_of_strains_are_compared_without_a_name(folder: Path, trial: StrainTrial) -> None:
    read = read_rates(folder / "rates.tsv")
    made = compare(read, trial.study.subjects, "responder", permutations=19, doses=trial.study.doses)
    assert list(dict.fromkeys(made["rate"])) == list(STRAIN_RATE_NAMES)
    over = trajectories(read, trial.study.subjects, "arm", doses=trial.study.doses)
    assert set(over["rate"]) == set(STRAIN_RATE_NAMES)
    assert over["method"].dropna().eq("logit_t").all()


def test_what_needs_a_donor_is_not_compared_with_placebo(folder: Path, trial: StrainTrial) -> None:
    read = read_rates(folder / "rates.tsv")
    made = compare(read, trial.study.subjects, "arm", permutations=19).set_index(["rate", "method"])
    for rate in STRAIN_RATE_NAMES:
        note = made.loc[(rate, "subject_permutation"), "note"]
        barred = "has no value in placebo; compare other_donor_sharing_rate" in str(note)
        assert barred == needs_donor(rate), rate
    assert needs_donor("strain_engraftment_rate_donor")
    assert not needs_donor("other_donor_sharing_rate")
    assert is_count("donor_taxa_compared")
    assert not is_count("strain_persistence_rate")
    assert is_fraction("strain_persistence_rate", pd.Series([1.0]))


def test_options_that_do_not_fit_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = f"--samples={folder}/samples.tsv"
    assert main(["strains", "rates", samples]) == 2
    assert "give --resolved, --shared or both" in capsys.readouterr().err
    both = [f"--outcomes={folder}/outcomes.tsv", "--profile", "x.tsv", f"--shared={folder}/shared.tsv"]
    assert main(["strains", "rates", samples, *both]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert main(["strains", "rates", samples, f"--resolved={folder}/resolved.tsv", "--persistence=x.tsv"]) == 2
    assert "give --shared" in capsys.readouterr().err
    assert main(["strains", "rates", samples, f"--resolved={folder}/shared.tsv"]) == 2
    assert "this looks like a table of strain_shared (written by `microbiome strains share`)" in capsys.readouterr().err
