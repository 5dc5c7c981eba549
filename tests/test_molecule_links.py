"""The worked example: kynurenine, L-histidine and CD8+ memory cells against depleted and engrafted taxa.

Simulated trials of 50 recipients with molecules of which six are linked to something (truth/links.tsv). The chain is
the user's: tables on disk, rates and outcomes from the profiles as seen, `associate` after the transplant.

Power at q <= 0.05, and the mean share of false discoveries, in a larger run (25 taxa, 9,999 permutations, about 1,680
tests in 15 families per trial):

=========  ======  ==========  ===========  ==========  =====================  ====================================
strength   trials  kynurenine  L-histidine  CD8_memory  false discoveries      unlinked pairs with p <= 0.05
=========  ======  ==========  ===========  ==========  =====================  ====================================
0.7        25      1.00        0.92         1.00        0.019 (se 0.006)       0.045
0.5        20      0.70        0.50         0.60        0.020 (se 0.007)       0.046
0.35       15      0.07        0.00         0.33        0.022 (se 0.009)       0.044
=========  ======  ==========  ===========  ==========  =====================  ====================================
"""

# ruff: noqa: PD011 - Measured.values is no frame
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.associate import associate
from microbiome.molecules import Measured, from_outcomes, from_profile, from_rates, read_measured
from microbiome.outcomes import outcomes
from microbiome.rates import rates
from microbiome.simulate.molecules import MOLECULE_TABLES, simulate_molecules, write_molecules
from microbiome.simulate.panel import PanelParameters, simulate_panel

_SEEDS = range(6)
_STRENGTH = 0.7
_RATES = ("lost_taxa", "depletion_rate", "engrafted", "engraftment_rate")
_TAXA, _UNLINKED, _PERMUTATIONS = 16, 5, 4999
_WORKED = ("kynurenine", "L-histidine", "CD8_memory")
_TABLE_OF = {"rate": "rates", "taxon": "taxa", "subject": "subjects"}


@dataclass(frozen=True)
class Example:
    """Associations of one trial, and the links that were planted in it."""

    table: pd.DataFrame
    links: pd.DataFrame


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return [example(seed, tmp_path_factory.mktemp(f"trial_{seed}")) for seed in _SEEDS]


def example(seed: int, folder: Path) -> Example:
    panel = simulate_panel(PanelParameters(recipients=50, donors=5, taxa=60, post_days=(28, 84)), seed)
    study = panel.study
    made, links = simulate_molecules(study.samples, study.subjects, study.doses, panel.truth, seed, _STRENGTH)
    write_molecules(made, links, folder)
    molecules = []
    for name, how in MOLECULE_TABLES.items():
        measured = read_measured(folder / "molecules" / f"{name}.tsv", name, study, how.unit, how.transform)
        linked = [feature for feature in measured.values.columns if feature in set(links["feature"])]
        others = [feature for feature in measured.values.columns if feature not in linked]
        molecules.append(some(measured, linked + others[:_UNLINKED]))
    # Few taxa: the smallest q-value that so many permutations can give grows with the number of tests.
    common = (panel.abundance > 0).mean().sort_values(ascending=False, kind="stable").index[:_TAXA]
    taxa = list(dict.fromkeys([*links.loc[links["kind"] == "taxon", "partner"], *common]))
    fates = outcomes(panel.abundance, study)
    microbiome = [from_rates(rates(fates), study, _RATES), from_profile(panel.abundance[taxa].fillna(0.0), study)]
    for fate in ("depleted", "engrafted"):
        measured = from_outcomes(fates, study, fate)  # type: ignore[arg-type]
        microbiome.append(some(measured, [taxon for taxon in taxa if taxon in measured.values.columns]))
    table, _ = associate(
        molecules,
        study,
        ["responder"],
        microbiome,
        at=("post",),
        days=(1, 120),
        permutations=_PERMUTATIONS,
        seed=seed,
    )
    linked_rows = pd.MultiIndex.from_frame(links[["table", "feature"]])
    table["linked"] = pd.MultiIndex.from_frame(table[["table_1", "feature_1"]]).isin(linked_rows)
    table["found"] = (table["q_value"] <= 0.05).fillna(False)
    return Example(table, links)


def some(measured: Measured, features: list[str]) -> Measured:
    below = measured.below if measured.below.empty else measured.below[features]
    return replace(measured, values=measured.values[features], below=below)


def test_every_pair_is_there(examples: list[Example]) -> None:
    for one in examples:
        features = one.table.groupby("table_1")["feature_1"].nunique()
        partners = one.table.groupby("table_2")["feature_2"].nunique()
        assert len(one.table) == features.sum() * partners.sum()
        untested = one.table["p_value"].isna()
        assert one.table.loc[untested, "note"].notna().all()


def test_planted_links_are_found(examples: list[Example]) -> None:
    found = dict.fromkeys(_WORKED, 0)
    for one in examples:
        for link in one.links[one.links["feature"].isin(_WORKED)].itertuples():
            row = one.table[
                (one.table["table_1"] == link.table)
                & (one.table["feature_1"] == link.feature)
                & (one.table["table_2"] == _TABLE_OF[link.kind])
                & (one.table["feature_2"] == link.partner)
            ]
            assert len(row) == 1
            found[link.feature] += bool(row["found"].iloc[0] and np.sign(row["effect"].iloc[0]) == link.direction)
    assert all(number >= len(examples) - 1 for number in found.values()), found


def test_unplanted_are_not_found_beyond_fdr(examples: list[Example]) -> None:
    # A feature that is linked to nothing is independent of everything in the stool: all its pairs are null. Those of a
    # linked feature are not (who loses many taxa loses single ones), and count as neither.
    shares = [
        (family["found"] & ~family["linked"]).sum() / max(1, family["found"].sum())
        for one in examples
        for _, family in one.table.groupby("family")
    ]
    error = np.sqrt(0.05 * 0.95 / len(shares))
    assert np.mean(shares) <= 0.05 + 3 * error
    null = pd.concat([one.table[~one.table["linked"] & one.table["p_value"].notna()] for one in examples])
    assert 0.03 < (null["p_value"] <= 0.05).mean() < 0.07
