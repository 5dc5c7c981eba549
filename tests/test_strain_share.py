"""Calls of pairs, the sweep and the commands; the real trial of ulcerative colitis."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from strain_pairs import STUDY, pairs_of, study_of

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.strains.distance_files import read_distances
from microbiome.strains.relations import relations
from microbiome.strains.rules import PERCENTILES, Rule
from microbiome.strains.share import share
from microbiome.strains.sweep import default_cuts, sweep
from microbiome.strains.tables import STRAIN_SHARED, STRAIN_SWEEP, STRAIN_THRESHOLDS
from microbiome.strains.thresholds import thresholds
from microbiome.study import read_study
from microbiome.study_tables import Study
from microbiome.tsv import read_table, write_table


def test_columns_are_as_declared_and_rows_stay(tmp_path: Path) -> None:
    pairs = pairs_of(1, taxa=2)
    pairs.loc[[3, 5], "distance"] = np.nan
    before = pairs.copy()
    table = share(pairs.drop(columns="same"), STUDY)
    pd.testing.assert_frame_equal(pairs, before)
    for name in ("taxon", "sample_1", "sample_2", "distance"):
        pd.testing.assert_series_equal(table[name], pairs[name])
    assert table.loc[[3, 5], ["same_strain", "p_same", "p_value", "q_value", "any_shared"]].isna().all(axis=None)
    for name, frame, declared in (
        ("shared", table, STRAIN_SHARED),
        ("thresholds", thresholds(pairs, STUDY), STRAIN_THRESHOLDS),
        ("sweep", sweep(pairs, STUDY), STRAIN_SWEEP),
    ):
        write_table(frame, tmp_path / name)
        back = read_table(tmp_path / name, declared)
        assert list(back.columns) == [column for column in declared.names if column in frame.columns]


def test_q_values_are_over_all_pairs() -> None:
    pairs = pairs_of(2, taxa=3)
    table = share(pairs, STUDY)
    p = table["p_value"].to_numpy(dtype=float)
    order = np.argsort(p)
    naive = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert table["q_value"].to_numpy()[order] == pytest.approx(np.minimum(naive, 1))


def test_certain_and_least_evidence_leave_calls_open() -> None:
    pairs = pairs_of(3, sites=(60, 3000))
    every, sure = share(pairs, STUDY, least_evidence=1), share(pairs, STUDY, certain=0.9, least_evidence=1)
    assert every["same_strain"].notna().all()
    assert (every["same_strain"] == (every["p_same"] >= 0.5)).all()
    assert (sure["same_strain"].isna() == every["p_same"].between(0.1, 0.9, inclusive="neither")).all()
    strict = share(pairs, STUDY, least_evidence=20)
    assert strict["same_strain"].isna().mean() > share(pairs, STUDY)["same_strain"].isna().mean() > 0
    for options, message in (({"certain": 0.3}, "not within 0.5 to 1"), ({"least_evidence": 0.5}, "not at least 1")):
        with pytest.raises(InputError, match=message):
            share(pairs, STUDY, **options)


def test_any_strain_follows_the_evidence_of_second_strains() -> None:
    pairs = pairs_of(4, taxa=1, sites=(5000, 20000), mixed=0)
    without = share(pairs, STUDY)
    assert (without["any_shared"].dropna() == 1).all()
    assert (without["any_shared"].notna() == (without["same_strain"] == 1)).all()
    both = share(pairs.assign(method="shared_alleles"), STUDY)
    assert both["any_shared"].equals(both["same_strain"])
    assert both["p_any"].equals(both["p_same"])

    two = (relations(pairs, STUDY) == "unrelated").to_numpy()
    different = np.flatnonzero((pairs["same"] == 0) & two)
    evidence = np.full(len(pairs), np.nan)
    evidence[different[:40]] = 8.0
    evidence[different[40:90]] = -math.inf
    table = share(
        pairs.assign(evidence_same=np.where(pairs["same"] == 1, 20.0, -20.0), evidence_1_in_2=evidence), STUDY
    )
    assert (table["any_shared"].iloc[different[:40]] == 1).all()
    assert (table["any_shared"].iloc[different[40:]] == 0).mean() > 0.995
    assert (table["same_strain"] == pairs["same"]).mean() > 0.995
    # One prior for all pairs of two people, by EM from 0.05 worth 10 pairs; each pair of people counts once.
    people = pairs["sample_1"].str[:3] + pairs["sample_2"].str[:3]
    weight = 1 / people.groupby(people).transform("size")
    asked = two & ~np.isnan(evidence)
    prior = 0.05
    for _ in range(200):
        p = special.expit(evidence[asked] + special.logit(prior))
        prior = (float(weight[asked] @ p) + 0.5) / (float(weight[asked].sum()) + 10)
    at = different[0]
    expected = 1 - (1 - table["p_same"].iloc[at]) * (1 - special.expit(8 + special.logit(prior)))
    assert table["p_any"].iloc[at] == pytest.approx(expected, abs=1e-4)


def test_evidence_of_reads_tells_mixtures_from_near_lineages() -> None:
    """Some different strains lie as near as a mixture of the same strain; the reads tell them apart."""
    rng = np.random.default_rng(5)
    pairs = pairs_of(5, sites=(5000, 20000), mixed=0.6, shared=0.15)
    near = (pairs["same"] == 0) & (rng.random(len(pairs)) < 0.05)
    pairs.loc[near, "distance"] = pairs.loc[near, "distance"] * 0.3
    told = pairs.assign(evidence_same=rng.normal(np.where(pairs["same"] == 1, 15, -15), 8))

    def right(frame: pd.DataFrame) -> float:
        return float((share(frame, STUDY, least_evidence=1)["same_strain"] == pairs["same"]).mean())

    plain = right(pairs)
    assert 1 - right(told) < (1 - plain) / 2
    # It is of the same reads, and cannot overrule a clear distance.
    clear = (relations(pairs, STUDY) == "same_person") & (pairs["same"] == 1) & (pairs["distance"] < 0.0002)
    wrong = told.assign(evidence_same=told["evidence_same"].where(~clear, -50.0))
    assert clear.sum() > 90
    assert (share(wrong, STUDY)["p_same"][clear] > 0.5).mean() > 0.95


def test_unknown_samples_keep_their_rows(caplog: pytest.LogCaptureFixture) -> None:
    pairs = pairs_of(6, taxa=2)
    known = Study(STUDY.samples[STUDY.samples["subject"] != "p00"], STUDY.subjects, STUDY.doses)
    table = share(pairs, known)
    absent = pairs["sample_1"].str.startswith("p00") | pairs["sample_2"].str.startswith("p00")
    assert "lacks 2 samples of the distances" in caplog.text
    assert table["relation"].isna().equals(absent)
    assert table["p_same"].notna().all()
    # A missing column is said.
    with pytest.raises(InputError, match="column 'distance' is missing"):
        share(pairs.drop(columns="distance"), STUDY)


def naive_rate(pairs: pd.DataFrame, study: Study, relation: str, cut: float) -> list[float]:
    """The mean of each person or pair of people."""
    subject = dict(zip(study.samples["sample"], study.samples["subject"], strict=True))
    found: dict[frozenset[str], list[bool]] = {}
    for one, other, distance, word in zip(
        pairs["sample_1"], pairs["sample_2"], pairs["distance"], relations(pairs, study), strict=True
    ):
        if word == relation and not math.isnan(distance):
            found.setdefault(frozenset([subject[one], subject[other]]), []).append(distance <= cut)
    return [float(np.mean(values)) for values in found.values()]


@pytest.mark.parametrize("relation", ["same_person", "unrelated"])
def test_sweep_counts_people_once(relation: str) -> None:
    pairs = pairs_of(7, taxa=3)
    pairs.loc[::9, "distance"] = np.nan
    table = sweep(pairs, STUDY, [0, 0.0005, 0.005, 0.02])
    rows = table[table["relation"] == relation].set_index("cut")
    assert rows.index.to_list() == [0, 0.0005, 0.005, 0.02]
    for cut, row in rows.iterrows():
        values = naive_rate(pairs, STUDY, relation, float(cut))  # type: ignore[arg-type]
        assert (row["subjects"], row["shared_rate"]) == (len(values), pytest.approx(np.mean(values)))
        assert row["ci_low"] <= row["shared_rate"] <= row["ci_high"]
    assert set(rows["pairs"]) == {int(((relations(pairs, STUDY) == relation) & pairs["distance"].notna()).sum())}
    assert rows["shared_rate"].is_monotonic_increasing


def test_sweep_interval_of_pairs_is_a_jackknife_over_people() -> None:
    pairs = pairs_of(8, taxa=2, sites=(5000, 20000))
    row = sweep(pairs, STUDY, [0.004]).set_index("relation").loc["unrelated"]
    subject = dict(zip(STUDY.samples["sample"], STUDY.samples["subject"], strict=True))
    frame = pairs[relations(pairs, STUDY) == "unrelated"].assign(
        a=lambda f: f["sample_1"].map(subject), b=lambda f: f["sample_2"].map(subject)
    )
    units = (frame["distance"] <= 0.004).groupby([frame["a"], frame["b"]]).mean()
    mean = units.mean()
    without = np.array(
        [
            units[(units.index.get_level_values(0) != p) & (units.index.get_level_values(1) != p)].mean()
            for p in sorted(set(subject.values()))
        ]
    )
    error = math.sqrt(23 / 24 * ((without - without.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, 23) * error / (mean * (1 - mean))
    centre = special.logit(mean)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(
        (special.expit(centre - half), special.expit(centre + half))
    )


def test_sweep_with_one_donor_is_over_the_recipients() -> None:
    names = [("d-1", "d", "donor", None), *((f"r{i}", f"r{i}", "recipient", 9) for i in range(6))]
    study = study_of(names, [(f"r{i}", 0, "d") for i in range(6)])
    pairs = pd.DataFrame(
        {"taxon": "t", "sample_1": "d-1", "sample_2": [f"r{i}" for i in range(6)], "distance": [0.0, 0, 0, 1, 1, 1]}
    )
    row = sweep(pairs, study, [0.5]).iloc[0]
    assert (row["relation"], row["subjects"], row["shared_rate"]) == ("own_donor", 6, 0.5)
    # The jackknife of a mean is its standard error.
    half = stats.t.ppf(0.975, 5) * np.std([0, 0, 0, 1, 1, 1], ddof=1) / math.sqrt(6) / 0.25
    assert row["ci_high"] == pytest.approx(special.expit(half))
    none = sweep(pairs, study, [0.0]).iloc[0]
    assert none["shared_rate"] == 0.5
    with pytest.raises(InputError, match="at least 0"):
        sweep(pairs, study, [-1])


def test_default_cuts_span_the_distances() -> None:
    cuts = default_cuts(np.array([0.0, 0.0004, 0.02]))
    assert cuts == pytest.approx([0, 3e-4, 5e-4, 7e-4, 1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 7e-3, 0.01, 0.015, 0.02])
    assert default_cuts(np.zeros(3)).tolist() == [0]
    pairs = pairs_of(9, taxa=2, divergence=0.01)
    relative = sweep(pairs, STUDY, relative=True).set_index(["relation", "cut"])["shared_rate"]
    assert relative["unrelated", 0.5] < 0.2 < 0.8 < relative["unrelated", 1.5]


def write_study(folder: Path, study: Study) -> list[str]:
    write_table(study.samples, folder / "samples.tsv")
    return ["--samples", str(folder / "samples.tsv")]


def test_commands_write_what_the_functions_return(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = pairs_of(10, taxa=2).drop(columns="same")
    write_table(pairs, tmp_path / "distances.tsv")
    write_table(pd.DataFrame({"SGB": ["t0"], "used_nGD_score_percentile": [0.05]}), tmp_path / "percentiles.tsv")
    start = ["--distances", str(tmp_path / "distances.tsv"), *write_study(tmp_path, STUDY)]
    out = str(tmp_path / "out.tsv")
    read = read_distances([tmp_path / "distances.tsv"])
    cases = (
        (["share"], share(read, STUDY), STRAIN_SHARED),
        (["share", "--certain", "0.95"], share(read, STUDY, certain=0.95), STRAIN_SHARED),
        (["share", "--rule", "fixed", "--value", "0.003"], share(read, STUDY, Rule("fixed", 0.003)), STRAIN_SHARED),
        (["thresholds"], thresholds(read, STUDY), STRAIN_THRESHOLDS),
        (
            ["thresholds", "--rule", "percentile_table", "--percentiles", str(tmp_path / "percentiles.tsv")],
            thresholds(read, STUDY, Rule("percentile_table", percentiles={"t0": 0.05})),
            STRAIN_THRESHOLDS,
        ),
        (["sweep", "--relative"], sweep(read, STUDY, relative=True), STRAIN_SWEEP),
    )
    for command, expected, declared in cases:
        assert main(["--quiet", "strains", *command, *start, "-o", out]) == 0
        back = read_table(out, declared).reset_index(drop=True)
        pd.testing.assert_frame_equal(back, expected, check_dtype=False)
    capsys.readouterr()
    for command, message in (
        (["share", "--rule", "fixed"], "rule fixed needs a distance"),
        (["share", "--value", "1"], "--value belongs to rule fixed"),
        (["thresholds", "--rule", "percentile_table"], "needs the table of percentiles"),
        (["share", "--certain", "2"], "not within 0.5 to 1"),
    ):
        assert main(["--quiet", "strains", *command, *start, "-o", out]) == 2
        assert message in capsys.readouterr().err


FOUR = [f"DonorB_D_{name}" for name in ("2013", "2016", "May17", "Oct17")]


def engrafted(calls: pd.DataFrame, study: Study) -> dict[str, int]:
    """Recipient and taxon pairs that share a strain with one of the four stools after, and not before."""
    person = dict(zip(study.samples["sample"], study.samples["subject"], strict=True))
    arm = dict(zip(study.subjects["subject"], study.subjects["arm"], strict=True))
    day = dict(zip(study.samples["sample"], study.samples["day"], strict=True))
    after, before = set(), set()
    shared = calls[calls["same_strain"] == 1]
    for taxon, one, other in zip(shared["taxon"], shared["sample_1"], shared["sample_2"], strict=True):
        for donor, sample in ((one, other), (other, one)):
            if donor in FOUR and not sample.startswith("Donor"):
                (after if day[sample] > 0 else before).add((taxon, person[sample]))
    new = [arm[who] for _, who in after - before]
    return {name: new.count(name) for name in ("fmt", "placebo")}


@pytest.mark.real
def test_published_trial_fmt_against_placebo(real_data: Path) -> None:
    folder = real_data / "ucfmt1"
    study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv")
    pairs = read_distances([folder / "strain_distances.tsv.gz"])
    table = read_table(real_data / "mpa_refs" / "VallesColomerM_2022_Jan21_thresholds.tsv", PERCENTILES)
    percentiles = dict(zip(table["SGB"], table["used_nGD_score_percentile"], strict=True))
    listed = pairs[pairs["taxon"].isin(percentiles)]
    found = {}
    # Percentiles of first samples: 86 and 12; the same column read as distances: 71 and 2 (as published).
    found["percentile_table"] = engrafted(
        share(listed, study, Rule("percentile_table", percentiles=percentiles)), study
    )
    distances = (listed["distance"] <= listed["taxon"].map(percentiles)).astype(int)
    found["as_distances"] = engrafted(listed.assign(same_strain=distances), study)
    for rule in ("youden", "percentile_3", "model"):
        found[rule] = engrafted(share(pairs, study, Rule(rule)), study)
    assert found == {
        "percentile_table": {"fmt": 86, "placebo": 12},
        "as_distances": {"fmt": 71, "placebo": 2},
        "youden": {"fmt": 83, "placebo": 6},
        "percentile_3": {"fmt": 89, "placebo": 11},
        "model": {"fmt": 71, "placebo": 1},
    }
    # Same person against unrelated: how far any cut of these distances could tell them apart.
    relation = relations(pairs, study)
    donor = pairs["sample_1"].str.startswith("Donor")
    unrelated = pairs["distance"][relation == "unrelated"]
    for mask, auroc in ((~donor, 0.967), (donor, 0.861)):
        same = pairs["distance"][(relation == "same_person") & mask]
        u = stats.mannwhitneyu(unrelated, same).statistic
        assert u / len(same) / len(unrelated) == pytest.approx(auroc, abs=0.001)
