"""Change of presence and of abundance against R, and the commands of this group on simulated and published data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import abundance_frame, samples_frame, studies
from test_taxa_fates import golden_trial

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.features import write_features
from microbiome.metaphlan import read_abundance
from microbiome.outcomes import outcomes
from microbiome.study import Study, read_study
from microbiome.taxa.fates import taxa, top
from microbiome.taxa.lineage import read_lineage
from microbiome.taxa.shifts import changes
from microbiome.taxa.tables import CHANGES, DECOMPOSITION, RETENTION, TAXA
from microbiome.tsv import read_result, write_table


def test_equals_r(golden: Path) -> None:
    profile, study = golden_trial(golden)
    found, comments = changes(profile, study, "responder")
    assert list(found.columns) == CHANGES.names
    found = found.set_index(["group", "taxon"])
    expected = pd.read_csv(golden / "taxa_changes.tsv", sep="\t").set_index(["group", "taxon"])
    assert list(found.index) == list(expected.index)
    for name in ("n_lost", "n_gained", "n_both"):
        assert (found[name] == expected[name]).all()
    several = (expected["n_both"] > 1).to_numpy()
    for ours, theirs in {
        "presence_p_value": "presence_p_value",
        "log2_change": "log2_change",
        "log2_change_ci_low": "low",
        "log2_change_ci_high": "high",
        "log2_change_p_value": "p_value",
        "effect": "effect",
        "effect_ci_low": "effect_low",
        "effect_ci_high": "effect_high",
    }.items():
        np.testing.assert_allclose(found[ours], expected[theirs], rtol=1e-8, atol=1e-12, err_msg=ours)
    tested = found["effect_p_value"].notna()
    np.testing.assert_allclose(found.loc[tested, "effect_p_value"], expected.loc[tested, "effect_p_value"], rtol=1e-9)
    rest = expected.loc[~tested, "effect_p_value"].dropna()
    assert (rest == 1).all()
    assert found["log2_change_note"].isna().to_numpy().tolist() == several.tolist()
    assert comments[0] == "samples: visits that all have: day 30, day 90"
    assert "compositional" in comments[-1]
    assert list(found["reference"].dropna().unique()) == ["no"]


def test_untestable_taxa_stay_with_a_reason() -> None:
    names = ["a0", "a1", "b0", "b1", "c0", "c1"]
    rows = [(name, name[0].upper(), "recipient", 30 * int(name[1])) for name in names]
    # In nobody; in A only; lost by A; kept by A and B; kept by all.
    counts = np.array(
        [[0, 2, 1, 1, 4], [0, 1, 0, 1, 7], [0, 0, 0, 1, 9], [0, 0, 0, 1, 9], [0, 0, 0, 0, 3], [0, 0, 0, 0, 8]],
        dtype=float,
    )
    study = Study(samples_frame(rows))
    found, comments = changes(abundance_frame(counts, names), study)
    assert list(found["log2_change_note"]) == [
        "not testable: no subject has it at baseline and after",
        "not testable: one subject has it at baseline and after",
        "not testable: no subject has it at baseline and after",
        None,
        None,
    ]
    assert list(found["presence_note"]) == [
        "not testable: it came or went in nobody",
        "not testable: it came or went in nobody",
        "not testable: it came or went in one subject",
        "not testable: it came or went in nobody",
        "not testable: it came or went in nobody",
    ]
    assert (found["group"] == "all").all()
    assert found["presence_q_value"].isna().all()
    unchanged = counts.copy()
    unchanged[:, :] = counts[2]
    found, _ = changes(abundance_frame(unchanged, names), study)
    assert list(found["log2_change_note"])[3:] == ["not testable: nothing changed"] * 2
    assert found["log2_change_ci_low"].isna().all()
    subjects = pd.DataFrame({"subject": list("ABC"), "arm": [None, None, None]})
    found, comments = changes(abundance_frame(counts, names), Study(samples_frame(rows), subjects), "arm")
    assert comments[-1] == "not testable: fewer than two groups of arm"
    assert len(found) == 5
    # Abundances that are not closed are not called compositional.
    assert not any("compositional" in line for line in changes(abundance_frame(counts, names) * 7, study)[1])


def test_what_is_below_detection_is_absent() -> None:
    names = [f"{subject}{visit}" for subject in "abc" for visit in (0, 1)]
    rows = [(name, name[0].upper(), "recipient", 30 * int(name[1])) for name in names]
    # The first taxon: A 10 % -> 20 %, B 2 % -> 40 %, C 40 % -> 2 %.
    abundance = abundance_frame(np.array([[10, 90], [20, 80], [2, 98], [40, 60], [40, 60], [2, 98]]), names)
    first = changes(abundance, Study(samples_frame(rows)), detection=0.05)[0].iloc[0]
    assert (first["n_had"], first["n_has"], first["n_lost"], first["n_gained"]) == (2, 2, 1, 1)
    assert (first["n_both"], first["log2_change"]) == (1, pytest.approx(1))
    first = changes(abundance, Study(samples_frame(rows)))[0].iloc[0]
    assert (first["n_had"], first["n_both"], first["log2_change"]) == (3, 3, pytest.approx(1 / 3))


def test_two_samples_of_one_day_count_as_one_visit() -> None:
    rows = [("a0", "A", "recipient", 0), *((f"a{i}", "A", "recipient", day) for i, day in ((1, 30), (2, 30), (3, 90)))]
    abundance = abundance_frame(np.array([[10, 90], [20, 80], [40, 60], [80, 20]]), ["a0", "a1", "a2", "a3"])
    first = changes(abundance, Study(samples_frame(rows)))[0].iloc[0]
    assert (first["n_samples"], first["n_both_samples"], first["n_both"]) == (3, 3, 1)
    assert first["log2_change"] == pytest.approx(((1 + 2) / 2 + 3) / 2)


def test_no_baseline_and_bad_settings_are_refused(golden: Path) -> None:
    profile, study = golden_trial(golden)
    with pytest.raises(InputError, match="no post sample has a profiled baseline"):
        changes(profile[~profile.index.str.endswith(".0")], study)
    with pytest.raises(InputError, match="0 permutations"):
        changes(profile, study, permutations=0)
    with pytest.raises(InputError, match="detection"):
        changes(profile, study, detection=-1)
    with pytest.raises(InputError, match="no column 'sex'"):
        changes(profile, study, "sex")


@settings(max_examples=15)
@given(studies(), st.randoms(use_true_random=False))
def test_order_of_samples_and_taxa_is_irrelevant(case: tuple[Study, pd.DataFrame], random: object) -> None:
    study, abundance = case
    try:
        found, _ = changes(abundance, study)
    except InputError:
        return
    rows, columns = list(range(len(abundance))), list(range(abundance.shape[1]))
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    again, _ = changes(abundance.iloc[rows, columns], study)
    assert_frame_equal(found, again)


def test_presence_and_abundance_are_calibrated_when_nothing_changes() -> None:
    rng = np.random.default_rng(6)
    subjects, number = 12, 1500
    level = rng.normal(0, 2, number)
    rows, values = [], []
    for i in range(subjects):
        own = level + rng.normal(0, 1, number)
        for day in (0, 30, 60):
            rows.append((f"S{i}.{day}", f"S{i}", "recipient", day))
            values.append(np.where(rng.random(number) < 0.7, np.exp(own + rng.normal(0, 1, number)), 0))
    # Not closed: the sum of a closed sample would tie the taxa of a trial together.
    abundance = abundance_frame(np.array(values), [row[0] for row in rows])
    study = Study(
        samples_frame(rows), pd.DataFrame({"subject": [f"S{i}" for i in range(12)], "arm": ["a", "b", "b"] * 4})
    )
    found, _ = changes(abundance, study, "arm")
    for name in ("presence", "log2_change"):
        p = found.loc[found["group"] == "all", f"{name}_p_value"].dropna()
        assert len(p) > 1000
        assert (p <= 0.05).mean() < 0.075
    p = found["effect_p_value"].dropna()
    assert 0.02 < (p <= 0.05).mean() < 0.075


def written(golden: Path, tmp_path: Path) -> dict[str, str]:
    """The golden trial as files."""
    profile, study = golden_trial(golden)
    files = {name: str(tmp_path / f"{name}.tsv") for name in ("profile", "samples", "subjects", "doses", "outcomes")}
    write_features(profile, files["profile"])
    for name in ("samples", "subjects", "doses"):
        write_table(getattr(study, name), files[name])
    write_table(outcomes(profile, study), files["outcomes"])
    return files


def test_commands_write_what_the_functions_return(golden: Path, tmp_path: Path) -> None:
    files = written(golden, tmp_path)
    profile, study = golden_trial(golden)
    out = tmp_path / "out.tsv"
    group = ["--subjects", files["subjects"], "--by", "responder"]
    table = ["--outcomes", files["outcomes"]]
    doses = ["--doses", files["doses"]]
    assert main(["--quiet", "taxa", *table, *group, *doses, "--seed", "1", "-o", str(out)]) == 0
    found = read_result(out, TAXA)
    expected, comments = taxa(outcomes(profile, study), study.subjects, "responder", doses=study.doses, seed=1)
    assert_frame_equal(found[TAXA.names], expected)
    assert out.read_text(encoding="utf-8").splitlines()[: len(comments)] == [f"# {line}" for line in comments]
    first = out.read_bytes()
    assert main(["--quiet", "taxa", *table, *group, *doses, "--seed", "1", "-o", str(out)]) == 0
    assert out.read_bytes() == first
    assert main(["--quiet", "retention", *table, *group, "-o", str(out)]) == 0
    assert set(read_result(out, RETENTION)["group"]) == {"all", "no", "yes"}
    assert main(["--quiet", "decomposition", *table, "-o", str(out)]) == 0
    assert len(read_result(out, DECOMPOSITION)) == 20
    arguments = ["--profile", files["profile"], "--samples", files["samples"], *group]
    assert main(["--quiet", "changes", *arguments, "--window", "80", "100", "-o", str(out)]) == 0
    late = read_result(out, CHANGES)
    assert (late["n_samples"] == late["n_subjects"]).all()


def test_commands_refuse_what_cannot_be_used(golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(golden, tmp_path)
    assert main(["taxa", "--outcomes", files["outcomes"], "--profile", files["profile"], "--rank", "genus"]) == 2
    assert "has no lineages" in capsys.readouterr().err
    assert main(["taxa", "--outcomes", files["outcomes"], "--by", "arm"]) == 2
    assert "need a subjects table" in capsys.readouterr().err
    assert main(["taxa", "--outcomes", files["outcomes"], "--permutations", "0"]) == 2
    assert main(["retention", "--outcomes", str(tmp_path / "none.tsv")]) == 2


def published(real_data: Path, name: str) -> tuple[pd.DataFrame, Study, pd.DataFrame]:
    folder = real_data / name
    study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv")
    files = [folder / "profiles.tsv.gz"]
    return outcomes(read_abundance(files), study), study, read_lineage(files)


@pytest.mark.real
def test_baruch2021_by_response(real_data: Path) -> None:
    table, study, lineage = published(real_data, "baruch2021")
    found, comments = taxa(table, study.subjects, "responder", lineage, doses=study.doses)
    assert len(found) == 4 * table["taxon"].nunique()
    assert "conditional on these 2 donors" in comments
    loss = found[found["quantity"] == "loss"].set_index("species")
    # Three responders of ten: no test can fall below 1/120, and none is significant after correction.
    assert loss["p_value"].min() >= 1 / 120
    assert loss["q_value"].min() > 0.5
    for line in comments[-4:]:
        assert "not reached even with every taxon at its smallest attainable p" in line
    # SGBs that a published trial names as lost (C. innocuum, E. citroniae, E. lavalensis; names change, numbers stay).
    named = loss.set_index("taxon").loc[["t__SGB4037", "t__SGB4761", "t__SGB4725"]]
    assert list(named["n_at_risk"]) == [5, 1, 0]
    assert list(named["p_value"].fillna(-1)) == [0.4, -1, -1]
    assert list(named["note"])[1:] == [
        "not testable: nobody of no had it at baseline",
        "not testable: nobody had it at baseline",
    ]
    genera, _ = taxa(table, study.subjects, "responder", lineage, "genus")
    assert (genera["taxa_event"] <= genera["taxa_at_risk"] + 1e-9).all()
    # Taxa at risk are the same, however they are summed.
    sums = [frame[frame["quantity"] == "loss"]["taxa_at_risk"].sum() for frame in (found, genera)]
    assert sums[0] == pytest.approx(sums[1])


@pytest.mark.real
def test_ucfmt1_by_arm(real_data: Path) -> None:
    table, study, lineage = published(real_data, "ucfmt1")
    found, comments = taxa(table, study.subjects, "arm", lineage, doses=study.doses)
    by = found.groupby("quantity")
    engraftment = by.get_group("engraftment")
    assert (engraftment["groups"] == "fmt - placebo").all()
    assert engraftment["p_value"].isna().all()
    assert engraftment["note"].str.contains("placebo received nothing").all()
    assert (engraftment["n_subjects"] == 12).all()
    assert top(found, "engraftment", 1)["n_event"].iloc[0] >= 5
    assert by.get_group("arrival")["p_value"].notna().sum() > 400
    assert by.get_group("loss")["n_subjects"].eq(24).all()
    assert "conditional on the one donor (DonorB)" in comments
