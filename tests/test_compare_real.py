"""Published trials: the numbers hang together, and the notes say what a reader must know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.compare import compare
from microbiome.metaphlan import read_abundance
from microbiome.outcomes import outcomes, rates
from microbiome.study import read_study

pytestmark = pytest.mark.real


def compared(folder: Path, by: str) -> pd.DataFrame:
    study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv")
    table = rates(outcomes(read_abundance([folder / "profiles.tsv.gz"]), study, fitted=False))
    return compare(table, study.subjects, by, (), study.doses)


def test_baruch2021(real_data: Path) -> None:
    table = compared(real_data / "baruch2021", "responder").set_index(["rate", "method"])
    assert table["note"].str.contains("confounded: all 3 of yes received Donor1, of no 2 of 7").all()
    assert table["note"].str.contains("times deeper").all()
    row = table.loc[("depletion_rate", "subject_permutation")]
    assert (row["n_subjects"], row["n_samples"], row["n_donors"]) == (10, 30, 2)
    assert (row["permutations"], row["p_floor"]) == (120, 1 / 120)
    assert table.loc[("depletion_rate", "pooled_wilcoxon"), "p_value"] < 0.05 < row["p_value"]
    mirrored = table.loc[("baseline_recovery", "subject_permutation")]
    assert mirrored["effect"] == pytest.approx(-row["effect"])
    assert mirrored["p_value"] == pytest.approx(row["p_value"])


def test_ucfmt1(real_data: Path) -> None:
    table = compared(real_data / "ucfmt1", "arm")
    assert table["groups"].eq("fmt - placebo").all()
    needs_donor = table["rate"].isin(["engraftment_rate", "depletion_rate_donor_absent", "donor_recovery"])
    assert table.loc[needs_donor, "note"].str.contains("without doses the donor set is empty").all()
    assert table.loc[needs_donor, "p_value"].isna().all()
    assert np.isfinite(table.loc[~needs_donor, "p_value"]).all()
    assert table["note"].str.contains(r"conditional on the one donor \(DonorB\)").all()
