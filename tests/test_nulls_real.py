"""Published trials through the table of nulls: designs, floors and refusals that follow from who received what."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from nulls_trial import row

from microbiome.metaphlan import read_abundance
from microbiome.nulls import nulls
from microbiome.study import read_study

pytestmark = pytest.mark.real


def table_of(folder: Path, **options: object) -> pd.DataFrame:
    study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv")
    return nulls(read_abundance(folder / "profiles.tsv.gz"), study, **options)  # type: ignore[arg-type]


def test_two_donors_of_five_each(real_data: Path) -> None:
    table = table_of(real_data / "baruch2021")
    found = row(table, "engraftment_rate", "donor_permutation")
    # 10 recipients, 5 + 5: the own arrangement is the best of 252.
    assert (found["permutations"], found["scheme"], found["n_donors"]) == (252, "exact", 2)
    assert found["p_value"] == found["p_floor"] == pytest.approx(1 / 252)
    assert found["ci_low"] > 0
    assert (found["n_subjects"], found["n_samples"]) == (10, 30)
    assert row(table, "engraftment_rate", "donor_permutation", "R1")["p_floor"] == 0.5
    # What subtraction of the baseline does: others' donors recover more where it is not done.
    assert row(table, "donor_recovery", "donor_permutation")["expected"] > found["expected"]
    depletion = row(table, "depletion_rate", "none")
    assert depletion["note"].startswith("not testable: no placebo or control arm, and no repeats")
    assert 0.3 < depletion["observed"] < 0.7


def test_one_donor_and_a_placebo_arm(real_data: Path) -> None:
    table = table_of(real_data / "ucfmt1", method="none", levels=["overall", "subject"])
    assert row(table, "engraftment_rate", "donor_permutation")["note"].startswith(
        "not testable: one donor for everybody (DonorB)"
    )
    for quantity in ("engraftment_rate", "depletion_rate"):
        found = row(table, quantity, "placebo_arm")
        assert (found["n_subjects"], found["n_null"], found["n_donors"]) == (12, 12, 1)
        assert "times deeper than baselines of treated" in found["note"]
    assert row(table, "engraftment_rate", "placebo_arm")["excess"] > 0
