"""Presence after FMT is foretold without a look at the answer, and scored as the definitions say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from microbiome.cli import main
from microbiome.donors import auroc, combine_rows, match, match_pairs, match_rows
from microbiome.donors.match_features import FEATURES, Experience
from microbiome.donors.match_folds import blocks, folds
from microbiome.donors.match_scores import clustered_mean, pooled_auroc, subject_aurocs
from microbiome.donors.match_table import cross_validate
from microbiome.donors.tables import DONOR_MATCH, DONOR_MATCH_SCORES, DONOR_PAIRS
from microbiome.errors import InputError
from microbiome.outcomes import outcomes
from microbiome.simulate.panel import Panel, PanelParameters, simulate_panel
from microbiome.tsv import read_table, write_table


def panel(seed: int = 0, **changes: object) -> Panel:
    parameters = {"taxa": 90, "recipients": 12, "donors": 4, "donor_samples": 1, "post_days": (28,), **changes}
    return simulate_panel(PanelParameters(**parameters), seed)  # type: ignore[arg-type]


def rows_of(made: Panel) -> pd.DataFrame:
    return match_rows(made.abundance, made.study)


@pytest.fixture(scope="module")
def simulated() -> Panel:
    return panel(1, engraftment_sd=2.5, post_days=(28, 60))


@pytest.fixture(scope="module")
def rows(simulated: Panel) -> pd.DataFrame:
    return rows_of(simulated)


# ---- rows


def test_rows_are_the_outcomes_without_double_zeroes(simulated: Panel, rows: pd.DataFrame) -> None:
    table = outcomes(simulated.abundance, simulated.study, fitted=False)
    table = table[table["sample"].isin(rows["sample"])]
    size = table["outcome"].value_counts()
    kinds = rows.groupby(["donor_present", "baseline_present", "present"]).size()
    assert kinds[1, 0, 1] == size["engrafted"]
    assert kinds[1, 0, 0] == size["not_engrafted"]
    assert kinds[0, 1, 0] == size["depleted"]
    assert kinds[1, 1, 1] == size["shared_kept"]
    assert kinds.sum() == size.sum() - size["gained"]
    assert not rows.duplicated(["sample", "taxon"]).any()
    one = rows[rows["sample"] == rows["sample"].iloc[0]]
    assert one["donor_richness"].unique().tolist() == [one["donor_present"].sum()]
    there = one[one["baseline_present"] == 1]
    rank = [(there["baseline_abundance"] <= value).mean() for value in there["baseline_abundance"]]
    assert there["baseline_rank"].tolist() == pytest.approx(rank)


def test_the_same_sgb_of_two_databases_is_one_taxon() -> None:
    made = panel()
    names = [f"t__SGB{i}{'_group' * (i % 2)}" for i in range(made.abundance.shape[1])]
    got = match_rows(made.abundance.set_axis(names, axis=1), made.study)
    assert set(got["taxon"]) <= {f"SGB{i}" for i in range(len(names))}
    # Two rows of one profile that are one SGB are summed.
    twice = made.abundance.iloc[:, :2].set_axis(["t__SGB1", "t__SGB1_group"], axis=1)
    first = match_rows(twice, made.study).iloc[0]
    donor = made.study.samples.set_index("subject").loc[first["donor"], "sample"]
    assert first["donor_abundance"] == pytest.approx(twice.loc[donor].sum())


def test_donors_without_profile_link_their_recipients() -> None:
    made = panel(3, donors=4, donors_each=2, recipients=8)
    whole = match_rows(made.abundance, made.study)
    samples = made.study.samples
    lost = samples.loc[samples["subject"] == samples["subject"].iloc[0], "sample"]
    less = match_rows(made.abundance.drop(index=lost), made.study)
    assert less.groupby("subject")["donor"].first().equals(whole.groupby("subject")["donor"].first())
    assert len(less) < len(whole)


# ---- scores


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=25))
def test_auroc_counts_pairs(pairs: list[tuple[bool, int]]) -> None:
    up = [score for present, score in pairs if present]
    down = [score for present, score in pairs if not present]
    wins = [1.0 if p > a else 0.5 if p == a else 0.0 for p in up for a in down]
    found = auroc([present for present, _ in pairs], [score for _, score in pairs])
    assert found == pytest.approx(np.mean(wins)) if wins else math.isnan(found)


def made_scores(seed: int, people: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"subject": np.repeat([f"s{i}" for i in range(people)], 12)})
    frame["present"] = rng.integers(0, 2, len(frame))
    frame["good"] = frame["present"] + rng.normal(0, 1, len(frame)).round(1)
    frame["poor"] = rng.integers(0, 3, len(frame))
    return frame.assign(sample=frame["subject"], _subject=frame["subject"])


def test_pooled_auroc_and_its_jackknife_are_those_of_the_rows() -> None:
    frame = made_scores(0, 6)
    found, difference = pooled_auroc(frame, "good", "poor", "_subject")
    good, poor = auroc(frame["present"], frame["good"]), auroc(frame["present"], frame["poor"])
    assert found.estimate == pytest.approx(good)
    assert difference.estimate == pytest.approx(good - poor)
    without = [frame[frame["subject"] != f"s{i}"] for i in range(6)]
    areas = np.array([[auroc(part["present"], part[name]) for name in ("good", "poor")] for part in without])
    t = stats.t.ppf(0.975, 5)

    def error(values: np.ndarray) -> float:
        return math.sqrt(5 / 6 * ((values - values.mean()) ** 2).sum())

    half = t * error(areas[:, 0]) / (good * (1 - good))
    assert special.logit([found.low, found.high]) == pytest.approx(
        [special.logit(good) - half, special.logit(good) + half]
    )
    half = t * error(areas[:, 0] - areas[:, 1])
    assert (difference.low, difference.high) == pytest.approx((good - poor - half, good - poor + half))


def test_intervals_of_two_people_are_wide_and_of_one_there_are_none() -> None:
    # Resampled, two people would give three values only, and the estimate would be its own bound.
    found, difference = pooled_auroc(made_scores(3, 2), "good", "poor", "_subject")
    assert found.low < found.estimate - 0.1 < found.estimate + 0.1 < found.high
    assert -1 <= difference.low < difference.high <= 1
    alone, _ = pooled_auroc(made_scores(3, 1), "good", "poor", "_subject")
    assert math.isnan(alone.low)
    apart = clustered_mean(pd.Series([0.4, -0.3]), pd.Series(["a", "b"]), fraction=False)
    assert (apart.low, apart.high) == (-1, 1)


def test_pooled_interval_holds_the_truth_with_few_donors() -> None:
    rng = np.random.default_rng(2)
    donors, people, taxa, size = 6, 2, 30, 120
    spread, subject = 0.5, np.repeat(np.arange(donors * people), taxa)
    names = pd.Series(subject).map("s{}".format)
    frame = pd.DataFrame({"subject": names, "sample": names, "_donor": subject // people})
    truth = float(stats.norm.cdf(1 / math.sqrt(2 + spread**2)))
    held = 0
    for _ in range(size):
        present = rng.integers(0, 2, len(frame))
        score = rng.normal(size=len(frame)) + present * rng.normal(1, spread, donors)[frame["_donor"]]
        made = frame.assign(present=present, score=score)
        found, _ = pooled_auroc(made, "score", "score", "_donor")
        held += found.low <= truth <= found.high
    # Percentiles of resampled donors hold it in .83.
    assert held / size > 0.9


def test_the_note_counts_the_donors_that_the_interval_is_of() -> None:
    part = match_rows((made := panel(5, donors=5, recipients=10)).abundance, made.study)
    block = blocks(part, "donor")
    # All subjects of one donor have all of their taxa: no AUROC of their own.
    part.loc[block == block.iloc[0], "present"] = 1
    scores = match(part, ["donor"], ["logistic"]).scores
    own = scores[(scores["model"] == "logistic") & (scores["fold"] == "all")].set_index("level")
    assert own.loc["subject_mean", "method"] == "logit_t"
    assert "conditional on 4 donors" in own.loc["subject_mean", "note"]
    assert "conditional" not in own.loc["pooled", "note"]


def test_interval_of_the_mean_is_cluster_robust() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    donor = np.repeat(np.arange(8), [3, 1, 4, 2, 2, 5, 1, 3])
    values = pd.Series(rng.normal(0.1, 0.05, len(donor)) + rng.normal(0, 0.05, 8)[donor])
    found = clustered_mean(values, pd.Series(donor), fraction=False)
    fit = sm.OLS(values, np.ones(len(donor))).fit(cov_type="cluster", cov_kwds={"groups": donor}, use_t=True)
    low, high = fit.conf_int().iloc[0]
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.method == "cluster_t"
    few = clustered_mean(values, pd.Series(donor) % 3, fraction=False)
    assert few.method == "t"


# ---- nobody is on both sides


def most(fold: pd.Series, of: pd.Series) -> int:
    """Return the largest number of folds of any one of them."""
    return max(len(set(part)) for _, part in fold.groupby(of))


@settings(max_examples=40)
@given(st.lists(st.sets(st.integers(0, 7), min_size=1, max_size=2), min_size=1, max_size=9), st.data())
def test_no_subject_donor_or_cohort_is_on_both_sides(received: list[set[int]], data: st.DataObject) -> None:
    people = pd.DataFrame(
        {
            "subject": [f"s{i}" for i in range(len(received))],
            "donor": [" + ".join(sorted(map(str, donors))) for donors in received],
            "cohort": [data.draw(st.sampled_from("xyz")) for _ in received],
        }
    )
    frame = pd.concat([people, people], ignore_index=True)
    for cv, kept in (("subject", "s"), ("donor", "sd"), ("cohort", "sdc")):
        fold = folds(frame, cv)
        assert most(fold, frame["subject"]) == 1
        if "d" in kept:
            single = frame.assign(fold=fold, donor=frame["donor"].str.split(" + ", regex=False)).explode("donor")
            assert most(single["fold"], single["donor"]) == 1
        if "c" in kept:
            assert most(fold, frame["cohort"]) == 1
        assert most(fold, blocks(frame, cv)) == 1


@pytest.mark.parametrize("cv", ["donor", "cohort", "subject"])
def test_the_answers_of_a_fold_never_reach_its_predictions(rows: pd.DataFrame, cv: str) -> None:
    half = rows["donor"].isin(sorted(rows["donor"].unique())[:2])
    frame = rows.assign(cohort=np.where(half, "x", "y"))
    first = cross_validate(frame, cv, trees=5)
    name = first["fold"].iloc[0]
    # Neither its answers, nor who else is tested with it.
    held = first["fold"] == name
    lied = frame.assign(present=np.where(held, 1 - frame["present"], frame["present"]))
    again = cross_validate(lied, cv, trees=5)
    columns = ["random_forest", "logistic", "prevalence", "base_rate"]
    pd.testing.assert_frame_equal(first.loc[held, columns], again.loc[held, columns])
    assert not np.allclose(first.loc[~held, "logistic"], again.loc[~held, "logistic"])


@pytest.mark.parametrize("cv", ["donor", "subject"])
def test_shuffled_answers_cannot_be_foretold(rows: pd.DataFrame, cv: str) -> None:
    rng = np.random.default_rng(5)
    areas = []
    for _ in range(4):
        answers = rows.groupby("sample")["present"].transform(lambda x: rng.permutation(x.to_numpy()))
        tested = cross_validate(rows.assign(present=answers), cv, trees=5)
        areas.append([subject_aurocs(tested, model).mean() for model in ("random_forest", "logistic")])
    # One such mean varies by 0.03 (what is learnt in error is the same for all who are tested).
    assert np.abs(np.mean(areas, axis=0) - 0.5).max() < 4 * 0.03 / math.sqrt(4)


def test_what_hangs_on_donor_and_taxon_does_not_help_with_other_donors() -> None:
    # Every donor has its own set of taxa that engraft, the same in all of its recipients, and nothing else matters.
    rng = np.random.default_rng(6)
    taxa, parts = [f"t{i}" for i in range(60)], []
    for donor in range(6):
        takes = rng.permutation(np.repeat([0, 1], 30))
        for person in range(4):
            part = pd.DataFrame(
                {"taxon": taxa, "present": takes, "donor": f"d{donor}", "subject": f"p{donor}_{person}"}
            )
            parts.append(part.assign(sample=part["subject"], donor_abundance=rng.uniform(0.001, 0.01, 60)))
    frame = pd.concat(parts, ignore_index=True).assign(
        cohort="all", day=28, genus=None, baseline_abundance=0.0, baseline_rank=0.0, donor_present=1, baseline_present=0
    )
    frame = frame.assign(donor_rank=0.5, donor_richness=60, baseline_richness=50)
    found = match(frame, ["donor", "subject"], trees=30).scores
    found = found[(found["fold"] == "all") & (found["level"] == "subject_mean")].set_index(["cv", "model"])["auroc"]
    assert found["subject", "random_forest"] > 0.6
    assert abs(found["donor", "random_forest"] - 0.5) < 0.06
    assert abs(found["donor", "logistic"] - 0.5) < 0.06


# ---- what a model is told


def test_experience_is_what_its_docstring_says(rows: pd.DataFrame) -> None:
    rows = rows.assign(genus=np.where(rows["taxon"].str[-1] < "5", "low", None))
    units = rows["subject"]
    told = Experience(rows, units).features(rows, units)
    assert tuple(told) == FEATURES
    rng = np.random.default_rng(0)
    kind = rows["donor_present"] * 2 + rows["baseline_present"]
    samples = rows.groupby("subject")["sample"].transform("nunique")
    everyone = rows.drop_duplicates("subject")
    for place in rng.choice(len(rows), 12, replace=False):
        row = rows.iloc[place]
        others = (rows["subject"] != row["subject"]) & (kind == kind.iloc[place])
        share = 1 / samples

        def rate(mask: pd.Series, toward: float, share: pd.Series = share) -> float:
            y, n = (rows["present"] * share)[mask].sum(), share[mask].sum()
            return float((y + 2 * toward) / (n + 2))

        overall = (rows["present"] * share)[others].sum() / share[others].sum()
        genus = rows["genus"] == "low" if row["genus"] == "low" else rows["taxon"] == row["taxon"]
        genus_rate = rate(others & genus, overall)
        assert told["genus_rate"].iloc[place] == pytest.approx(genus_rate)
        expected = rate(others & (rows["taxon"] == row["taxon"]), genus_rate)
        assert told["taxon_rate"].iloc[place] == pytest.approx(expected)
        has = rows[(rows["taxon"] == row["taxon"]) & (rows["baseline_present"] == 1)]["subject"].unique()
        others_with = len(set(has) - {row["subject"]})
        assert told["prevalence_baselines"].iloc[place] == pytest.approx(others_with / (len(everyone) - 1))
    new = Experience(rows, units).features(rows.drop(columns="present").assign(present=1))
    assert new["prevalence_donors"].between(0, 1 + 1e-9).all()
    donors = rows.drop_duplicates("donor")
    one = rows[rows["taxon"] == rows["taxon"].iloc[0]]
    share_of_donors = one[one["donor_present"] == 1]["donor"].nunique() / len(donors)
    assert new["prevalence_donors"].iloc[0] == pytest.approx(share_of_donors)


# ---- the tables


def test_a_taxon_that_engrafts_or_not_is_learnt_from_other_donors(rows: pd.DataFrame) -> None:
    tables = match(rows, ["donor"], trees=40)
    assert list(tables.scores) == DONOR_MATCH_SCORES.names
    assert list(tables.predictions) == DONOR_MATCH.names
    assert len(tables.predictions) == len(rows)
    scores = tables.scores[tables.scores["fold"] == "all"].set_index(["level", "model"])
    forest = scores.loc["subject_mean", "random_forest"]
    assert forest["difference"] > 0
    assert forest["difference_ci_low"] > 0
    assert forest["brier"] < forest["brier_reference"]
    assert forest["ci_low"] < forest["auroc"] < forest["ci_high"]
    assert "0.77" in forest["note"]
    assert "conditional on 4 donors" in forest["note"]
    assert math.isnan(scores.loc["subject_mean", "donor_or_baseline"]["difference"])
    assert set(tables.scores["fold"]) == {"all", *rows["donor"].unique()}
    joined = tables.predictions.groupby(["subject", "sample"])[["present", "predicted"]].apply(
        lambda part: auroc(part["present"], part["predicted"])
    )
    assert forest["auroc"] == pytest.approx(joined.groupby("subject").mean().mean())
    pooled = auroc(tables.predictions["present"], tables.predictions["predicted"])
    assert scores.loc["pooled", "random_forest"]["auroc"] == pytest.approx(pooled)
    again = match(rows, ["donor"], trees=40)
    pd.testing.assert_frame_equal(again.scores, tables.scores)


def test_what_cannot_be_tested_says_why() -> None:
    made = rows_of(panel(2, donors=1, recipients=6))
    scores = match(made, trees=5).scores
    for cv, words in (("donor", "not testable: one donor (donor"), ("cohort", "not testable: one cohort")):
        part = scores[scores["cv"] == cv]
        assert len(part) == 10
        assert part["note"].str.lower().str.startswith(words.split(" (")[0]).all()
        assert part["auroc"].isna().all()
    assert scores.loc[scores["cv"] == "subject", "auroc"].notna().all()
    linked = made.assign(donor=np.where(made["subject"] == made["subject"].iloc[0], "a + b", "b"))
    assert "link all donors" in match(linked, ["donor"], trees=5).scores["note"].iloc[0]


def test_bad_input(rows: pd.DataFrame, simulated: Panel) -> None:
    with pytest.raises(InputError) as error:
        match(rows, ["centre"], ["oracle"], trees=0)
    assert len(error.value.problems) == 3
    with pytest.raises(InputError, match="no column 'hospital'"):
        match_rows(simulated.abundance, simulated.study, cohort="hospital")
    alone = replace(simulated.study, subjects=simulated.study.subjects[["subject"]])
    with pytest.raises(InputError, match=r"'hospital' of the subjects table, which is not given; give .*--subjects"):
        match_rows(simulated.abundance, alone, cohort="hospital")
    with pytest.raises(InputError, match="is in cohort a and in cohort b"):
        combine_rows({"a": rows, "b": rows})
    with pytest.raises(InputError, match="no cohort"):
        combine_rows({})
    with pytest.raises(InputError, match="window"):
        match_rows(simulated.abundance, simulated.study, window=(500, 600))
    samples = simulated.study.samples
    nobody = simulated.abundance.drop(index=samples.loc[samples["role"] == "donor", "sample"])
    with pytest.raises(InputError, match="donor that was received"):
        match_rows(nobody, simulated.study)


def test_pairs_of_every_donor_and_recipient(simulated: Panel, rows: pd.DataFrame) -> None:
    table = match_pairs(rows, simulated.abundance, simulated.study, trees=30)
    assert list(table) == DONOR_PAIRS.names
    samples = simulated.study.samples
    people, donors = (samples.loc[samples["role"] == role, "subject"].unique() for role in ("recipient", "donor"))
    assert len(table) == len(people) * len(donors)
    assert table["received"].sum() == len(people)
    assert (table["expected_engrafted"] <= table["n_candidates"]).all()
    row = table.iloc[0]
    donor = samples.loc[samples["subject"] == row["donor"], "sample"]
    there = (simulated.abundance.loc[donor] > 0).any()
    assert row["n_candidates"] == (there & ~(simulated.abundance.loc[row["baseline_sample"]] > 0)).sum()
    assert table.groupby("subject")["rank"].min().eq(1).all()
    # Of the donors received, the expected numbers are near those that engrafted.
    truth = rows[(rows["donor_present"] == 1) & (rows["baseline_present"] == 0)]
    truth = truth.groupby(["subject", "sample"])["present"].sum().groupby("subject").mean()
    got = table[table["received"] == 1].set_index("subject")["expected_engrafted"]
    assert got.sum() == pytest.approx(truth.sum(), rel=0.2)


def test_pairs_without_profile_stay_and_say_so(simulated: Panel, rows: pd.DataFrame) -> None:
    first = simulated.study.samples["sample"].iloc[0]
    less = simulated.abundance.drop(index=first)
    owner = simulated.study.samples["subject"].iloc[0]
    table = match_pairs(rows, less, simulated.study, model="logistic")
    part = table[table["donor"] == owner]
    assert len(part) > 0
    assert part["note"].eq("not foretold: the donor has no profile").all()
    assert part["expected_engrafted"].isna().all()
    with pytest.raises(InputError, match="not known"):
        match_pairs(rows, less, simulated.study, model="oracle")


def test_the_command_writes_declared_tables(tmp_path: Path, simulated: Panel) -> None:
    study = simulated.study
    for name, frame in (("samples", study.samples), ("subjects", study.subjects), ("doses", study.doses)):
        write_table(frame, tmp_path / f"{name}.tsv")
    write_table(simulated.abundance.T.rename_axis("taxon").reset_index(), tmp_path / "profile.tsv")
    words = ["match"]
    for name in ("samples", "subjects", "doses", "profile"):
        words += [f"--{name}", str(tmp_path / f"{name}.tsv")]
    files = {name: str(tmp_path / f"{name}.out") for name in ("scores", "predictions", "pairs")}
    options = ["--trees", "5", "--cv", "donor", "--predictions", files["predictions"], "--pairs", files["pairs"]]
    assert main([*words, *options, "-o", files["scores"]]) == 0
    sizes = [
        len(read_table(files[name], table))
        for name, table in (("scores", DONOR_MATCH_SCORES), ("predictions", DONOR_MATCH), ("pairs", DONOR_PAIRS))
    ]
    assert min(sizes) > 0
    assert main([*words, "--cohort", "nowhere", "-o", files["scores"]]) == 2


@pytest.mark.real
def test_published_trials_apart_and_together(real_data: Path) -> None:
    from microbiome.metaphlan import read_abundance
    from microbiome.study import read_study
    from microbiome.taxa.lineage import read_lineage

    cohorts = {}
    for name in ("baruch2021", "ucfmt1"):
        folder = real_data / name
        study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv")
        files = [folder / "profiles.tsv.gz"]
        cohorts[name] = match_rows(read_abundance(files), study, read_lineage(files))
    scores = match(combine_rows(cohorts), ["donor", "cohort"], ["logistic"]).scores
    pooled = scores[(scores["fold"] == "all") & (scores["level"] == "subject_mean")].set_index(["cv", "model"])
    assert set(scores["fold"]) == {"all", "Donor1", "Donor2", "DonorB", "baruch2021", "ucfmt1"}
    assert (pooled.loc["cohort", "n_subjects"] == 22).all()
    assert pooled["auroc"].between(0.55, 0.8).all()
    # Two small cohorts do not teach each other: the rule does better than the model, and the table says so.
    assert pooled.loc[("cohort", "logistic"), "difference_ci_high"] < 0
    # Within one trial the other donor helps.
    own = match(cohorts["baruch2021"], ["donor"], ["logistic"]).scores.set_index(["model", "fold", "level"])
    assert own.loc[("logistic", "all", "subject_mean"), "difference_ci_low"] > 0
    single = match(cohorts["ucfmt1"], ["donor"], ["logistic"]).scores
    assert single["note"].str.startswith("not testable: one donor (DonorB)").all()


@pytest.mark.parametrize(("value", "word"), [(1, "all"), (0, "no")])
def test_one_outcome_is_a_row_with_the_reason(simulated: Panel, rows: pd.DataFrame, value: int, word: str) -> None:
    """A small trial in which every taxon stayed is no error: the workflow goes on, and the tables say why."""
    alike = rows.assign(present=value)
    tables = match(alike, ("donor", "subject"), ("logistic",))
    assert tables.predictions.empty
    assert list(dict.fromkeys(tables.scores["cv"])) == ["donor", "subject"]
    why = f"{word} taxa of donor or baseline are present after FMT"
    assert tables.scores["note"].str.startswith(f"not testable: {why}").all()
    assert tables.scores["auroc"].isna().all()
    pairs = match_pairs(alike, simulated.abundance, simulated.study, model="logistic")
    assert set(pairs["note"]) == {f"not foretold: {why}"}
    assert pairs["expected_engrafted"].isna().all()
