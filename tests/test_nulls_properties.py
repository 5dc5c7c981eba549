"""What holds for any study: nothing crashes or is dropped, order means nothing, and chance is chance."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nulls_trial import row
from strategies import studies

from microbiome.errors import InputError
from microbiome.nulls import NULLS, nulls
from microbiome.outcomes import outcomes, rates
from microbiome.simulate.panel import simulate_panel
from microbiome.simulate.panel_parameters import PanelParameters
from microbiome.study import Study
from microbiome.tables import RATE_NAMES
from microbiome.triads import triads
from microbiome.tsv import read_result, write_table
from microbiome.visits import subject_means

KEY = list(NULLS.key)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@given(studies(), st.sampled_from(["common", "as_given"]), st.sampled_from(["none", "auto", "thinning"]))
@settings(max_examples=25)
def test_every_study_has_a_whole_table(drawn: tuple[Study, pd.DataFrame], products: str, method: str) -> None:
    study, abundance = drawn
    try:
        table = nulls(abundance, study, method=method, products=products, permutations=99)
    except InputError:
        # No post sample has a profile.
        with pytest.raises(InputError):
            triads(abundance, study)
        return
    assert list(table) == NULLS.names
    assert not table.duplicated(KEY).any()
    for column in NULLS.columns:
        if column.allowed:
            assert set(table[column.name].dropna()) <= set(column.allowed)
    treated = set(study.doses["subject"])
    for _, part in table[table["level"] == "subject"].groupby(["quantity", "null"]):
        assert set(part["subject"]) == treated
    for _, part in table[table["level"] == "taxon"].groupby(["quantity", "null"]):
        assert list(part["taxon"]) == list(abundance.columns)
    refused = table["note"].fillna("").str.startswith("not testable: ")
    assert (refused == table["p_value"].isna()).all()
    assert table.loc[refused, ["q_value", "ci_low", "ci_high"]].isna().all(axis=None)
    tested = table[~refused]
    assert (tested["p_value"] >= tested["p_floor"] - 1e-12).all()
    assert np.allclose(tested["excess"], tested["observed"] - tested["expected"])
    assert table["observed"].dropna().between(0, 1).all()


@given(studies(), st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_order_means_nothing(drawn: tuple[Study, pd.DataFrame], random: object) -> None:
    study, abundance = drawn
    # Undated samples of a donor follow one another in the order of the table: they are dated here.
    samples = study.samples.copy()
    samples["day"] = samples["day"].fillna(pd.Series(range(len(samples)), index=samples.index, dtype="Int64") * 20)

    def shuffled(names: list[object]) -> list[object]:
        mixed = list(names)
        random.shuffle(mixed)  # type: ignore[attr-defined]
        return mixed

    other = Study(
        samples.loc[shuffled(list(samples.index))], study.subjects, study.doses.loc[shuffled(list(study.doses.index))]
    )
    mixed = abundance.loc[shuffled(list(abundance.index)), shuffled(list(abundance.columns))]
    try:
        first = nulls(abundance, Study(samples, study.subjects, study.doses), method="none", permutations=50, seed=1)
    except InputError:
        assume(False)
    second = nulls(mixed, other, method="none", permutations=50, seed=1)
    numbers = [column.name for column in NULLS.columns if column.kind in ("number", "integer")]
    pd.testing.assert_frame_equal(
        first.set_index(KEY)[numbers].sort_index(), second.set_index(KEY)[numbers].sort_index(), rtol=1e-12
    )


@given(studies())
@settings(max_examples=15)
def test_observed_is_the_mean_of_the_rates(drawn: tuple[Study, pd.DataFrame]) -> None:
    study, abundance = drawn
    try:
        table = nulls(abundance, study, method="none", products="as_given", levels=["overall"], permutations=9)
        by_sample = rates(outcomes(abundance, study))
    except InputError:
        assume(False)
    # Every rate here is of treated subjects with a baseline, also that which needs none.
    treated = by_sample["subject"].isin(study.doses["subject"]) & by_sample["baseline_sample"].notna()
    by_sample = by_sample[treated]
    for quantity in RATE_NAMES:
        means, _ = subject_means(by_sample, quantity)
        found = table[(table["quantity"] == quantity) & table["null"].isin(["donor_permutation", "none"])]
        # Where some have no other donor the test, and its mean, are of those that have.
        found = found[found["n_subjects"] == len(means)]
        if len(means) and len(found):
            assert found["observed"].iloc[0] == pytest.approx(means.mean())


def test_the_table_reads_back_as_declared(tmp_path: object) -> None:
    panel = simulate_panel(PanelParameters(taxa=60, recipients=6, placebo=2), 1)
    table = nulls(panel.abundance, panel.study, permutations=99)
    path = f"{tmp_path}/nulls.tsv"
    write_table(table, path)
    again = read_result(path, NULLS)
    pd.testing.assert_frame_equal(again, table, check_dtype=False)


def rejected(parameters: PanelParameters, quantity: str, null: str, trials: int, **options: object) -> float:
    """Return the share of simulated trials with p <= 0.05."""
    hits = []
    for seed in range(trials):
        panel = simulate_panel(parameters, seed)
        table = nulls(panel.abundance, panel.study, levels=["overall"], permutations=99, seed=seed, **options)  # type: ignore[arg-type]
        hits.append(row(table, quantity, null)["p_value"] <= 0.05)
    return float(np.mean(hits))


@pytest.mark.parametrize(
    ("posts", "donors", "weights"),
    [((28,), 2, ()), ((7, 28, 56, 84), 5, ()), ((28, 56), 3, (8.0, 1.0, 1.0))],
)
def test_nothing_true_is_rarely_rejected(posts: tuple[int, ...], donors: int, weights: tuple[float, ...]) -> None:
    parameters = PanelParameters(
        taxa=120, recipients=10, donors=donors, donor_weights=weights, post_days=posts, engraftment=0.0
    )
    # Of 20 trials 1 is expected; 5 or more have a probability of 0.003.
    assert rejected(parameters, "engraftment_rate", "donor_permutation", 20) < 0.25


def test_a_tenfold_difference_in_depth_is_rarely_rejected() -> None:
    parameters = PanelParameters(
        taxa=200, recipients=16, placebo=6, engraftment=0.0, depth_factors={"post+fmt": 0.1}, depth_sd=0.2
    )
    assert rejected(parameters, "depletion_rate", "placebo_arm", 16) < 0.25
    assert rejected(parameters, "depletion_rate", "placebo_arm", 8, method="none") > 0.3


def test_what_is_true_is_found() -> None:
    parameters = PanelParameters(taxa=200, recipients=10, donors=3, engraftment=0.4)
    assert rejected(parameters, "engraftment_rate", "donor_permutation", 5) == 1
    lost = PanelParameters(taxa=200, recipients=20, placebo=8, displacement=0.5, engraftment=0.0, loss_sd=0.0)
    assert rejected(lost, "depletion_rate", "placebo_arm", 5) > 0.7
