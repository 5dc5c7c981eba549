"""Whose strains post samples have, at the level of a study: from allele files, from calls, and by the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.strains.resolve import resolve_alleles
from microbiome.strains.resolve_calls import resolve_calls
from microbiome.strains.tables import STRAIN_RESOLVED, STRAIN_SOURCES
from microbiome.study import read_study
from microbiome.tsv import read_table, write_table
from tests.strain_counts import Clade, write

TAXA = ("t__SGB1", "t__SGB2", "t__SGB3", "t__SGB4")
# Strains of each sample, taxon by taxon; what the post sample P has decides the outcome.
HELD: dict[str, dict[str, dict[str, float]]] = {
    "D1": {"t__SGB1": {"d": 1}, "t__SGB2": {"d": 1}, "t__SGB3": {"x": 1}, "t__SGB4": {"d": 1}},
    "B": {"t__SGB1": {"b": 1}, "t__SGB3": {"x": 1}, "t__SGB4": {"b": 1}},
    "P": {"t__SGB1": {"d": 0.6, "b": 0.4}, "t__SGB2": {"d": 1}, "t__SGB3": {"x": 1}, "t__SGB4": {"new": 1}},
    "Q": {"t__SGB1": {"b": 1}, "t__SGB2": {"new": 1}, "t__SGB4": {"d": 1}},
    "C0": {"t__SGB1": {"c": 1}, "t__SGB2": {"c": 1}},
    "C1": {"t__SGB1": {"c": 1}, "t__SGB2": {"new2": 1}},
    **{f"O{i}": {taxon: {f"o{i}": 1.0} for taxon in TAXA} for i in range(6)},
}
SAMPLES = """sample\tsubject\trole\tday
D1\tdonor1\tdonor\t
B\tpatient\trecipient\t0
P\tpatient\trecipient\t20
Q\tpatient\trecipient\t60
C0\tplacebo\trecipient\t0
C1\tplacebo\trecipient\t30
"""
DOSES = "subject\tday\tdonor\tdonor_sample\npatient\t0\tdonor1\tD1\n"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resolve")
    rng = np.random.default_rng(1)
    clades = {taxon: Clade(i, 10_000) for i, taxon in enumerate(TAXA)}
    counts = {
        sample: {taxon: clades[taxon].counts(mixture, 6, rng) for taxon, mixture in held.items()}
        for sample, held in HELD.items()
    }
    write(folder, counts)
    others = "".join(f"O{i}\tother{i}\tcontrol\t1\n" for i in range(6))
    (folder / "samples.tsv").write_text(SAMPLES + others)
    (folder / "doses.tsv").write_text(DOSES)
    return folder


def alleles_in(folder: Path, *without: str) -> list[Path]:
    return sorted(path for path in folder.glob("*.alleles") if path.stem not in without)


def resolved(folder: Path, *without: str, **options: object) -> pd.DataFrame:
    study = read_study(folder / "samples.tsv", None, folder / "doses.tsv")
    table, _ = resolve_alleles(alleles_in(folder, *without), study, bootstraps=40, **options)
    return table.set_index(["sample", "taxon"])


def test_every_cell_is_resolved_or_says_why(trial: Path) -> None:
    found = resolved(trial)
    calls = found[["outcome", "strain_outcome"]].apply(tuple, axis=1).to_dict()
    assert calls == {
        ("P", "t__SGB1"): ("shared_kept", "coexist"),
        ("P", "t__SGB2"): ("engrafted", "donor"),
        ("P", "t__SGB3"): ("shared_kept", "unresolved"),
        ("P", "t__SGB4"): ("shared_kept", "other"),
        ("Q", "t__SGB1"): ("shared_kept", "recipient"),
        ("Q", "t__SGB2"): ("engrafted", "other"),
        ("Q", "t__SGB4"): ("shared_kept", "donor"),
        ("C1", "t__SGB1"): ("persisted", "recipient"),
        ("C1", "t__SGB2"): ("persisted", "other"),
    }
    assert found.loc[("P", "t__SGB1"), "donor_fraction"] == pytest.approx(0.6, abs=0.1)
    assert found.loc[("P", "t__SGB3"), "reason"] == "donor and baseline have the same strain"
    whole = found[found["strain_outcome"] != "unresolved"]
    names = ["donor_fraction", "baseline_fraction", "common_fraction", "other_fraction"]
    np.testing.assert_allclose(whole[names].sum(axis=1), 1)
    asked = whole[whole["outcome"] != "persisted"]
    assert (asked["ci_low"] <= asked["donor_fraction"]).all()
    assert (asked["ci_high"] >= asked["donor_fraction"]).all()
    assert (whole["distinguishing_sites"] >= whole["informative_sites"]).all()
    assert (whole["informative_sites"] > 10).all()
    assert found.loc[("C1", "t__SGB1"), "main_donor"] is None or pd.isna(found.loc[("C1", "t__SGB1"), "main_donor"])


def test_sources_sum_to_the_whole(trial: Path) -> None:
    study = read_study(trial / "samples.tsv", None, trial / "doses.tsv")
    table, sources = resolve_alleles(alleles_in(trial), study, bootstraps=20)
    assert list(sources.columns) == STRAIN_SOURCES.names
    total = sources.groupby(["sample", "taxon"])["fraction"].sum()
    np.testing.assert_allclose(total, 1)
    donor = sources[sources["source"] == "donor1"].set_index(["sample", "taxon"])["fraction"]
    own = table.set_index(["sample", "taxon"])["donor_fraction"]
    pd.testing.assert_series_equal(donor, own[donor.index], check_names=False)


def test_two_lots_of_a_donor_are_one_source_and_two_donors_are_two(trial: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    clade = Clade(50, 10_000)
    held = {"L1": {"d": 1}, "L2": {"d": 1}, "E1": {"e": 1}, "B": {"b": 1}, "P": {"d": 0.5, "e": 0.3, "b": 0.2}}
    held |= {f"O{i}": {f"o{i}": 1} for i in range(6)}
    write(tmp_path, {s: {"t__SGB1": clade.counts(m, 6, rng)} for s, m in held.items()})
    lines = ["sample\tsubject\trole\tday", "L1\tdonor1\tdonor\t", "L2\tdonor1\tdonor\t", "E1\tdonor2\tdonor\t"]
    lines += ["B\tp\trecipient\t0", "P\tp\trecipient\t9", *(f"O{i}\to{i}\tcontrol\t1" for i in range(6))]
    (tmp_path / "samples.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "doses.tsv").write_text("subject\tday\tdonor\tdonor_sample\np\t0\tdonor1\t\np\t0\tdonor2\tE1\n")
    study = read_study(tmp_path / "samples.tsv", None, tmp_path / "doses.tsv")
    table, sources = resolve_alleles(alleles_in(tmp_path), study, bootstraps=40)
    row = table[table["sample"] == "P"].iloc[0]
    assert (row["strain_outcome"], row["main_donor"]) == ("coexist", "donor1")
    assert row["donor_fraction"] == pytest.approx(0.8, abs=0.08)
    parts = sources[sources["sample"] == "P"].set_index("source")["fraction"]
    assert parts["donor1"] == pytest.approx(0.5, abs=0.08)
    assert parts["donor2"] == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(
    ("lost", "sample", "reason"),
    [
        ("D1", "P", "no allele file of the donor products (D1)"),
        ("B", "P", "no allele file of the baseline (B)"),
        ("P", "P", "no allele file of the post sample (P)"),
    ],
)
def test_a_sample_without_alleles_leaves_cells_unresolved(trial: Path, lost: str, sample: str, reason: str) -> None:
    """The profile says that the taxon is there; nothing is guessed from the reads of the others."""
    rows = [("patient", "P", 20, "B", "t__SGB1", "shared_kept", 0.1, 0.1, 0.1)]
    names = ["subject", "sample", "day", "baseline_sample", "taxon", "outcome"]
    outcomes = pd.DataFrame(rows, columns=[*names, "donor_abundance", "baseline_abundance", "post_abundance"])
    row = resolved(trial, lost, outcomes=outcomes).loc[(sample, "t__SGB1")]
    assert (row["strain_outcome"], row["reason"]) == ("unresolved", reason)
    assert np.isnan(row["donor_fraction"])
    assert row["post_abundance"] == 0.1


def test_without_other_people_nothing_is_guessed(trial: Path) -> None:
    """What is rare among people cannot be told from one family: its own bases all look common."""
    study = read_study(trial / "samples.tsv", None, trial / "doses.tsv")
    table, _ = resolve_alleles([trial / f"{name}.alleles" for name in ("D1", "B", "P", "Q")], study, bootstraps=20)
    assert set(table["strain_outcome"]) == {"unresolved"}
    assert table["reason"].str.contains("strains of 0 other people are known, 2 are needed").all()


def test_a_pooled_product_of_many_strains(tmp_path: Path) -> None:
    rng, clade = np.random.default_rng(8), Clade(70, 10_000)
    pool = {f"d{i}": 0.2 for i in range(5)}
    held = {"D1": pool, "B": {"b": 1}, "P": {"d0": 0.5, "b": 0.5}, "Q": {"b": 1.0}, "R": {"new": 1.0}}
    held |= {f"O{i}": {f"o{i}": 1} for i in range(6)}
    write(tmp_path, {s: {"t__SGB1": clade.counts(m, 15, rng)} for s, m in held.items()})
    lines = ["sample\tsubject\trole\tday", "D1\tdonor1\tdonor\t", "B\tp\trecipient\t0"]
    lines += [f"{name}\tp\trecipient\t{day}" for name, day in (("P", 9), ("Q", 19), ("R", 29))]
    lines += [f"O{i}\to{i}\tcontrol\t1" for i in range(6)]
    (tmp_path / "samples.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "doses.tsv").write_text("subject\tday\tdonor\tdonor_sample\np\t0\tdonor1\tD1\n")
    study = read_study(tmp_path / "samples.tsv", None, tmp_path / "doses.tsv")
    found = resolve_alleles(alleles_in(tmp_path), study, bootstraps=20)[0].set_index("sample")
    assert found["strain_outcome"].to_dict() == {"P": "coexist", "Q": "recipient", "R": "other"}
    assert found.loc["P", "donor_fraction"] == pytest.approx(0.5, abs=0.12)


def test_a_taxon_that_no_file_has_is_unresolved(trial: Path) -> None:
    rows = [("patient", "P", 20, "B", "t__SGB99", "shared_kept", 0.1, 0.1, 0.1)]
    names = ["subject", "sample", "day", "baseline_sample", "taxon", "outcome"]
    outcomes = pd.DataFrame(rows, columns=[*names, "donor_abundance", "baseline_abundance", "post_abundance"])
    row = resolved(trial, outcomes=outcomes).loc[("P", "t__SGB99")]
    assert row["strain_outcome"] == "unresolved"


def test_too_few_positions_are_unresolved(trial: Path) -> None:
    found = resolved(trial, minimum_sites=100_000)
    assert (found["strain_outcome"] == "unresolved").all()
    assert found.loc[("P", "t__SGB1"), "reason"].endswith("positions tell the sources apart, 100000 are needed")
    assert (found["distinguishing_sites"] > 0).sum() > 5


def test_parts_put_together_equal_the_whole(trial: Path) -> None:
    whole = resolved(trial, seed=3)
    parts = pd.concat([resolved(trial, seed=3, part=(k, 2)) for k in (1, 2)])
    pd.testing.assert_frame_equal(parts.loc[whole.index], whole, check_dtype=False)
    assert not resolved(trial, seed=4)["ci_low"].equals(whole["ci_low"])


def test_numbers_that_are_not_possible(trial: Path) -> None:
    with pytest.raises(InputError) as caught:
        resolved(trial, minimum_sites=0, minimum_fraction=0.7)
    assert len(caught.value.problems) == 2


def test_files_of_another_study_are_refused(trial: Path, tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text("sample\tsubject\trole\tday\nX\tx\trecipient\t0\nY\tx\trecipient\t5\n")
    study = read_study(tmp_path / "samples.tsv")
    with pytest.raises(InputError, match="none of the allele files is of a sample of the study"):
        resolve_alleles(alleles_in(trial), study)
    with pytest.raises(InputError, match="there are no allele files"):
        resolve_alleles([], study)


def shared_of(calls: dict[tuple[str, str], int | None]) -> pd.DataFrame:
    rows = [("t__SGB1", *pair, 0.1, "ngd", same) for pair, same in calls.items()]
    frame = pd.DataFrame(rows, columns=["taxon", "sample_1", "sample_2", "distance", "method", "same_strain"])
    return frame.astype({"same_strain": "Int64"})


@pytest.mark.parametrize(
    ("donor", "baseline", "between", "expected"),
    [
        (1, 0, 0, "donor"),
        (0, 1, 0, "recipient"),
        (1, 1, 0, "coexist"),
        (0, 0, 0, "other"),
        (None, 1, 0, "unresolved"),
        (1, None, 0, "unresolved"),
        (1, 1, 1, "unresolved"),
        (1, 1, None, "unresolved"),
        (1, 0, None, "donor"),
        (0, 0, 1, "other"),
    ],
)
def test_calls_of_pairs(
    trial: Path, donor: int | None, baseline: int | None, between: int | None, expected: str
) -> None:
    study = read_study(trial / "samples.tsv", None, trial / "doses.tsv")
    rows = [("patient", "P", 20, "B", "t__SGB1", "shared_kept", 0.1, 0.1, 0.1)]
    names = ["subject", "sample", "day", "baseline_sample", "taxon", "outcome"]
    outcomes = pd.DataFrame(rows, columns=[*names, "donor_abundance", "baseline_abundance", "post_abundance"])
    shared = shared_of({("D1", "P"): donor, ("B", "P"): baseline, ("B", "D1"): between})
    table, sources = resolve_calls(shared, study, outcomes)
    assert sources.empty
    row = table.iloc[0]
    assert row["strain_outcome"] == expected
    assert (row["reason"] is not None) == (expected == "unresolved")
    certain = {"donor": 1.0, "recipient": 0.0, "other": 0.0}
    assert row["donor_fraction"] == certain.get(expected, pytest.approx(np.nan, nan_ok=True))


def test_a_product_without_a_call_leaves_the_donor_open(trial: Path, tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text((trial / "samples.tsv").read_text() + "D2\tdonor1\tdonor\t\n")
    (tmp_path / "doses.tsv").write_text(DOSES + "patient\t0\tdonor1\tD2\n")
    study = read_study(tmp_path / "samples.tsv", None, tmp_path / "doses.tsv")
    rows = [("patient", "P", 20, "B", "t__SGB1", "shared_kept", 0.1, 0.1, 0.1)]
    names = ["subject", "sample", "day", "baseline_sample", "taxon", "outcome"]
    outcomes = pd.DataFrame(rows, columns=[*names, "donor_abundance", "baseline_abundance", "post_abundance"])
    calls: dict[tuple[str, str], int | None] = {("D1", "P"): 0, ("B", "P"): 1, ("B", "D1"): 0}
    without = resolve_calls(shared_of(calls), study, outcomes)[0]
    assert without["strain_outcome"].tolist() == ["recipient"]
    open_one = resolve_calls(shared_of({**calls, ("D2", "P"): None}), study, outcomes)[0]
    assert open_one["strain_outcome"].tolist() == ["unresolved"]


def test_the_donor_among_many_is_found(tmp_path: Path) -> None:
    """More donor strains than can be compared at once: those most like the post sample are."""
    rng, clade = np.random.default_rng(6), Clade(60, 10_000)
    held = {f"L{i}": {f"d{i}": 1} for i in range(9)} | {"B": {"b": 1}, "P": {"d3": 0.6, "b": 0.4}}
    held |= {f"O{i}": {f"o{i}": 1} for i in range(4)}
    depths = {"L3": 3}
    write(tmp_path, {s: {"t__SGB1": clade.counts(m, depths.get(s, 8), rng)} for s, m in held.items()})
    lines = ["sample\tsubject\trole\tday", *(f"L{i}\tdonor{i}\tdonor\t" for i in range(9))]
    lines += ["B\tp\trecipient\t0", "P\tp\trecipient\t9", *(f"O{i}\to{i}\tcontrol\t1" for i in range(4))]
    (tmp_path / "samples.tsv").write_text("\n".join(lines) + "\n")
    doses = "".join(f"p\t0\tdonor{i}\tL{i}\n" for i in range(9))
    (tmp_path / "doses.tsv").write_text("subject\tday\tdonor\tdonor_sample\n" + doses)
    study = read_study(tmp_path / "samples.tsv", None, tmp_path / "doses.tsv")
    row = resolve_alleles(alleles_in(tmp_path), study, bootstraps=20)[0].iloc[0]
    assert (row["strain_outcome"], row["main_donor"]) == ("coexist", "donor3")
    assert row["donor_fraction"] == pytest.approx(0.6, abs=0.1)


def test_a_product_without_alleles_leaves_strains_of_neither_open(trial: Path, tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text((trial / "samples.tsv").read_text() + "D2\tdonor2\tdonor\t\n")
    (tmp_path / "doses.tsv").write_text(DOSES + "patient\t0\tdonor2\tD2\n")
    study = read_study(tmp_path / "samples.tsv", None, tmp_path / "doses.tsv")
    found = resolve_alleles(alleles_in(trial), study, bootstraps=20)[0].set_index(["sample", "taxon"])
    row = found.loc[("P", "t__SGB4")]
    assert row["strain_outcome"] == "unresolved"
    assert row["reason"] == "strains of neither, and D2, which was received, has no allele file"
    assert row["other_fraction"] > 0.9
    # What is known of the donor that was compared stays.
    assert found.loc[("P", "t__SGB1"), "strain_outcome"] == "coexist"


def test_a_donor_whose_name_is_a_word_of_the_results_is_refused(trial: Path, tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text((trial / "samples.tsv").read_text().replace("donor1", "other"))
    (tmp_path / "doses.tsv").write_text(DOSES.replace("donor1", "other"))
    study = read_study(tmp_path / "samples.tsv", None, tmp_path / "doses.tsv")
    with pytest.raises(InputError, match="a donor is called 'other', which is a word of the results; rename it"):
        resolve_alleles(alleles_in(trial), study)


def test_a_recipient_of_unknown_products_has_no_rows(trial: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = resolved(trial, "D1")
    assert "P" not in found.index.get_level_values("sample")
    assert "P: no product it received has an allele file" in caplog.text


def test_calls_need_outcomes_and_one_method(trial: Path) -> None:
    study = read_study(trial / "samples.tsv", None, trial / "doses.tsv")
    shared = shared_of({("D1", "P"): 1})
    with pytest.raises(InputError, match="give --outcomes or --profile"):
        resolve_calls(shared, study, None)
    outcomes = pd.DataFrame(columns=["subject", "sample", "day", "baseline_sample", "taxon", "outcome"])
    with pytest.raises(InputError, match="have the methods ngd, table"):
        resolve_calls(pd.concat([shared, shared.assign(method="table")]), study, outcomes)


def test_the_command(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = list(map(str, alleles_in(trial)))
    common = ["--samples", str(trial / "samples.tsv"), "--doses", str(trial / "doses.tsv")]
    out, sources = tmp_path / "resolved.tsv", tmp_path / "sources.tsv"
    arguments = ["strains", "resolve", "--alleles", *paths, *common, "--bootstraps", "20", "--sources", str(sources)]
    assert main([*arguments, "--seed", "1", "-o", str(out)]) == 0
    table = read_table(out, STRAIN_RESOLVED)
    assert list(table.columns) == STRAIN_RESOLVED.names
    assert len(table) == 9
    assert len(read_table(sources, STRAIN_SOURCES)) > 9
    first = out.read_bytes()
    assert main([*arguments, "--seed", "1", "-o", str(out)]) == 0
    assert out.read_bytes() == first
    write_table(shared_of({("D1", "P"): 1}), tmp_path / "shared.tsv")
    assert main(["strains", "resolve", "--shared", str(tmp_path / "shared.tsv"), *common]) == 2
    assert "give --outcomes or --profile" in capsys.readouterr().err


def test_a_table_of_resolve_is_no_table_of_outcomes(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the key columns of outcomes, but not the taxa that did not engraft."""
    common = ["--samples", str(trial / "samples.tsv"), "--doses", str(trial / "doses.tsv")]
    out = str(tmp_path / "resolved.tsv")
    arguments = ["strains", "resolve", "--alleles", *map(str, alleles_in(trial)), *common, "--bootstraps", "20"]
    assert main([*arguments, "-o", out]) == 0
    assert main(["strains", "rates", "--resolved", out, "--outcomes", out, *common, "-o", str(tmp_path / "r")]) == 2
    assert "the file is a table of `strains resolve`; give that of `microbiome outcomes`" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
