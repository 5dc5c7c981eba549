"""Rates of strains and the audit on published trees: FMT against placebo, and a sample with the label of another."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from microbiome.strains.audit import strain_audit
from microbiome.strains.persistence import strain_persistence
from microbiome.strains.rates import strain_rates
from microbiome.study import Study, read_study

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def study(real_data: Path) -> Study:
    place = real_data / "ucfmt1"
    return read_study(place / "samples.tsv", place / "subjects.tsv", place / "doses.tsv")


@pytest.fixture(scope="module")
def shared(real_data: Path, study: Study) -> pd.DataFrame:
    """Call the same strain up to the 5th percentile of the pairs of two people, taxon by taxon."""
    pairs = pd.read_csv(real_data / "ucfmt1" / "strain_distances.tsv.gz", sep="\t")
    person = study.samples.set_index("sample")["subject"]
    two = pairs["sample_1"].map(person) != pairs["sample_2"].map(person)
    cut = pairs["taxon"].map(pairs[two].groupby("taxon")["distance"].quantile(0.05))
    same = (pairs["distance"] <= cut).astype("Int64").mask(cut.isna())
    return pairs.assign(same_strain=same)


def test_strains_engraft_after_fmt_and_not_after_placebo(study: Study, shared: pd.DataFrame) -> None:
    table = strain_rates(study, shared=shared)
    arm = table["subject"].map(study.subjects.set_index("subject")["arm"])
    after = table.loc[arm == "fmt", "strain_engraftment_rate_profiled"]
    before = table.loc[arm == "fmt", "donor_sharing_rate_before"]
    placebo = table.loc[arm == "placebo", "other_donor_sharing_rate"]
    assert len(after) == 12
    assert after.mean() > 2 * before.mean()
    assert after.mean() > 2 * placebo.mean()
    assert table.loc[arm == "placebo", "strain_engraftment_rate_profiled"].isna().all()


def test_own_strains_stay_longer_without_fmt(study: Study, shared: pd.DataFrame) -> None:
    pairs = strain_persistence(study, shared)
    own = pairs[pairs["role"] == "recipient"]
    treated = own["doses_between"] > 0
    assert own.loc[~treated, "same_strain_rate"].mean() > own.loc[treated, "same_strain_rate"].mean() + 0.1
    # 17 samples of one donor: all pairs of them stand in the table.
    assert (pairs["role"] == "donor").sum() == 17 * 16 / 2


def test_a_published_sample_is_of_another_patient(study: Study, shared: pd.DataFrame) -> None:
    table = strain_audit(study, shared).set_index("sample")
    row = table.loc["PMCL818"]
    assert (row["subject"], row["verdict"], row["partner"]) == ("pt80", "wrong_person", "pt83")
    # By hand: it shares nearly everything with either sample of that patient, and nothing with its own.
    known = shared.dropna(subset=["same_strain"])
    ends = known[["sample_1", "sample_2"]]
    for partner, least, most in (("PMCL820", 0.9, 1), ("PMCL821", 0.9, 1), ("PMCL817", 0, 0)):
        pair = known[(ends == "PMCL818").any(axis=1) & (ends == partner).any(axis=1)]
        assert least <= pair["same_strain"].mean() <= most
    # Its partners are not accused for it, and no post sample for what it has of its donor.
    assert table.loc[["PMCL820", "PMCL821"], "verdict"].eq("ok").all()
    assert (~table["verdict"].isin(["ok", "untestable"])).sum() <= 2
