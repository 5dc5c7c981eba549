"""Published data: species, enzymes and metabolites, the numbers of selected pairs equal those of R."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from associate_tables import measured, study_of

from microbiome.associate import associate
from microbiome.molecules import Measured

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def expected(golden: Path) -> pd.DataFrame:
    table = pd.read_csv(golden / "associate_real.tsv", sep="\t", float_precision="round_trip")
    return table.pivot_table(
        index=["data", "method", "feature_1", "feature_2"], columns="quantity", values="value"
    ).sort_index()


def table_of(name: str, values: pd.DataFrame) -> Measured:
    """People who were seen once: day 0."""
    return measured(name, values, [str(who) for who in values.index], [0] * len(values))


def same(found: pd.DataFrame, wanted: pd.DataFrame, against: str, tolerance: float = 1e-6) -> None:
    """Compare what R has of each pair; `against` is the column that R's second name stands in."""
    wanted = wanted.dropna(axis=1, how="all")
    own = found.set_index(["feature_1", against]).loc[wanted.index, list(wanted.columns)].astype(float)
    pd.testing.assert_frame_equal(own, wanted, check_names=False, rtol=tolerance, atol=tolerance)


def near(found: pd.DataFrame, wanted: pd.DataFrame, against: str) -> None:
    """Compare p-values of permutations with those of the normal approximation of R."""
    own = found.set_index(["feature_1", against]).loc[wanted.index]
    assert own["effect"].astype(float).to_numpy() == pytest.approx(wanted["effect"].to_numpy(), abs=1e-9)
    assert own["n"].astype(int).tolist() == wanted["n"].astype(int).tolist()
    p = wanted["p_value"].to_numpy()
    apart = np.abs(own["p_value"].to_numpy(dtype=float) - p)
    # At least 999 permutations each.
    assert (apart < 4 * np.sqrt(p * (1 - p) / 999) + 0.002).all()


def test_prism_ibd(real_data: Path, expected: pd.DataFrame) -> None:
    folder, wanted = real_data / "prism_ibd", expected.loc["prism_ibd"]
    species, ecs, people = (
        pd.read_csv(folder / f"ibd_{name}.tsv.gz", sep="\t", index_col=0) for name in ("taxa", "functions", "metadata")
    )
    subjects = people.rename_axis("subject").reset_index()
    tables = [table_of("taxa", species.T), table_of("ec", ecs[species.columns].T)]
    found, _ = associate(tables, study_of(subjects), ["Diagnosis"], permutations=4999)
    assert found.groupby("table_1").size().to_dict() == {"taxa": 2 * 201, "ec": 2 * 2113}
    assert found["note"].isna().equals(found["p_value"].notna())
    # The normal approximation of R holds where not nearly everybody has the same value.
    held = wanted.loc["wilcoxon"].loc[
        [name for name in wanted.loc["wilcoxon"].index if (pd.concat([species, ecs]).loc[name[0]] > 0).mean() > 0.4]
    ]
    assert len(held) == 14
    near(found, held, "group")
    parts, _ = associate(
        tables[:1], study_of(subjects), ["Diagnosis"], part=["presence", "abundance"], permutations=199
    )  # fmt: skip
    same(parts[parts["part"] == "presence"], wanted.loc["logistic"], "group", 1e-5)
    same(parts[parts["part"] == "abundance"], wanted.loc["least_squares"], "group")
    numbers, _ = associate(tables[:1], study_of(subjects), ["Age", "Fecal.Calprotectin"], permutations=0)
    same(numbers, wanted.loc["spearman"], "feature_2")


def test_gastrectomy_metabolome(real_data: Path, expected: pd.DataFrame) -> None:
    folder, wanted = real_data / "gastrectomy_metabolome", expected.loc["gastrectomy_metabolome"]
    genera = pd.read_csv(folder / "genera.counts.tsv.gz", sep="\t", index_col="Sample")
    genera = genera.div(genera.sum(axis=1), axis=0)
    genera = genera[genera.mean().sort_values(ascending=False).index[:60]]
    molecules = pd.read_csv(folder / "mtb.tsv.gz", sep="\t", index_col="Sample").loc[genera.index]
    people = pd.read_csv(folder / "metadata.tsv.gz", sep="\t", dtype={"Sample": str}).drop(columns="Subject")
    study = study_of(people.rename(columns={"Sample": "subject"}))
    tables = table_of("genera", genera), table_of("metabolites", molecules)
    found, _ = associate(tables[:1], study, others=tables[1:], permutations=999)
    assert len(found) == 60 * 524
    near(found, wanted.loc["spearman"], "feature_2")
    constant = molecules.columns[molecules.max() == molecules.min()]
    assert found.loc[found["p_value"].isna(), "feature_2"].isin(constant).all()
    exact, _ = associate(tables[:1], study, others=tables[1:], permutations=0)
    same(exact, wanted.loc["spearman"], "feature_2", 1e-9)
    held, _ = associate(tables[:1], study, others=tables[1:], covariates=["Age", "BMI"], permutations=0)
    same(held, wanted.loc["partial_spearman"], "feature_2", 1e-9)


def test_toposcore(real_data: Path, expected: pd.DataFrame) -> None:
    folder, wanted = real_data / "toposcore", expected.loc["toposcore"]
    species = pd.read_csv(folder / "DS2_oncology_microbiome_data_DiscValid.csv.gz", index_col=0) / 100
    people = pd.read_csv(folder / "DS1_oncology_clinical_data_DiscValid.csv")
    people = people[people["IDMGP"].isin(species.index)].rename(columns={"IDMGP": "subject"})
    people["best_response"] = people["Best_response"].where(people["Best_response"].isin(["CR", "PR", "SD", "PD"]))
    assert (len(species), species.shape[1], len(people)) == (499, 1779, 245)
    table = table_of("taxa", species)
    found, comments = associate([table], study_of(people), ["responder"], permutations=4999)
    assert len(found) == 1779
    assert any("not in subjects.tsv are left out" in comment for comment in comments)
    responder = found.assign(group="responder")
    near(responder, wanted.loc["wilcoxon"], "group")
    own = table_of("taxa", species[sorted({name for _, name, _ in wanted.index})])
    parts, _ = associate([own], study_of(people), ["responder"], part=["presence", "abundance"], permutations=199)
    parts = parts.assign(group="responder")
    same(parts[parts["part"] == "presence"], wanted.loc["logistic"], "group", 1e-5)
    same(parts[parts["part"] == "abundance"], wanted.loc["least_squares"], "group")
    survival, _ = associate([own], study_of(people), ["OS"], permutations=0)
    same(survival, wanted.loc["spearman"], "feature_2", 1e-9)
    held, _ = associate([own], study_of(people), ["OS"], covariates=["Age"], permutations=0)
    same(held, wanted.loc["partial_spearman"], "feature_2", 1e-9)
