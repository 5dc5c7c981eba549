"""The grid of thresholds and depths: each cell against the plain commands, and what must hold for every grid."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import abundance_frame, doses_frame, samples_frame, studies

from microbiome.cli import main
from microbiome.compare.analysis import compare
from microbiome.errors import InputError
from microbiome.outcomes import outcomes, rates
from microbiome.repair import repair
from microbiome.sensitivity import SENSITIVITY, SENSITIVITY_RATES, sensitivity
from microbiome.sensitivity.grid import cells, mean_rates
from microbiome.simulate.panel import simulate_panel
from microbiome.simulate.panel_parameters import PanelParameters
from microbiome.stats import mean_interval
from microbiome.study import Study
from microbiome.tsv import read_result

COMPARED = ["rate", "groups", "method", "group_1", "group_2", "mean_1", "mean_1_ci_low", "mean_2", "mean_2_ci_high"]
COMPARED += ["scale", "effect", "ci_low", "ci_high", "p_value", "p_floor", "permutations", "scheme"]
COMPARED += ["n_subjects", "n_samples", "n_donors"]
FEW = ("depletion_rate", "lost_taxa", "engraftment_rate")


@pytest.fixture(scope="module")
def panel() -> Any:
    """Return a trial of 8 recipients with responders, two visits and depths that differ."""
    parameters = PanelParameters(
        taxa=120, recipients=8, responders=4, donors=2, post_days=(14, 60), depth_sd=0.8, reads=2e5, with_reads=False
    )
    return simulate_panel(parameters, 3)


def numbers(table: pd.DataFrame) -> pd.DataFrame:
    return table.reset_index(drop=True).astype({"n_subjects": float, "n_samples": float, "n_donors": float})


@pytest.fixture(scope="module")
def grid(panel: Any) -> pd.DataFrame:
    """Return a small grid of that trial with one draw of every thinning."""
    return sensitivity(
        panel.abundance,
        panel.study,
        "responder",
        thresholds=[1e-3, 0],
        depths=[0.2],
        rate=FEW,
        permutations=40,
        repeats=1,
        seed=5,
    )


class TestCellsAreThoseOfThePlainCommands:
    @pytest.mark.parametrize(
        ("depth", "detection", "common", "options"),
        [
            ("as_sequenced", 0.0, 0, {}),
            ("as_sequenced", 1e-3, 0, {"detection": 1e-3}),
            ("as_sequenced", None, 1, {"method": "threshold"}),
            ("thinned_0.2", 0.0, 0, {"method": "thinning", "seed": 5}),
            ("thinned_0.2", 1e-3, 0, {"method": "thinning", "seed": 5, "detection": 1e-3}),
        ],
    )
    def test_comparison(
        self, panel: Any, grid: pd.DataFrame, depth: str, detection: float | None, common: int, options: dict[str, Any]
    ) -> None:
        rows = grid[(grid["depth"] == depth) & (grid["common_threshold"] == common)]
        rows = rows[rows["detection"] == detection] if detection is not None else rows
        table = rates(outcomes(panel.abundance, panel.study, **options))
        expected = compare(
            table,
            panel.study.subjects,
            "responder",
            FEW,
            panel.study.doses,
            panel.study.samples,
            permutations=40,
            seed=5,
        )
        assert len(rows) == len(expected) == 9
        pd.testing.assert_frame_equal(numbers(rows[COMPARED]), numbers(expected[COMPARED]), check_exact=True)
        assert rows["p_value"].notna().all()

    def test_order_and_keys(self, grid: pd.DataFrame) -> None:
        assert list(grid.columns) == SENSITIVITY.names
        assert not grid.duplicated(list(SENSITIVITY.key)).any()
        assert list(grid["depth"].unique()) == ["as_sequenced", "thinned_0.2"]
        for _, rows in grid.groupby("depth"):
            assert rows["detection"].is_monotonic_increasing
            assert sorted(rows["detection"].unique())[0] == 0
            assert rows.drop_duplicates(["detection", "common_threshold"])["common_threshold"].sum() == 1

    def test_direction_is_the_sign_of_the_effect(self, grid: pd.DataFrame) -> None:
        signs = np.sign(grid["effect"]).map({1.0: "yes > no", -1.0: "no > yes", 0.0: "equal"})
        assert (grid["direction"] == signs).all()
        assert {"yes > no", "no > yes"} <= set(grid["direction"])


def test_rates_are_averaged_over_the_draws(panel: Any) -> None:
    table = sensitivity(panel.abundance, panel.study, thresholds=[0], depths=[0.5], rate=FEW, repeats=3, seed=7)
    cell = table[(table["depth"] == "thinned_0.5") & (table["common_threshold"] == 0)].set_index("rate")
    used = panel.study.samples["sample"]
    used = used[(panel.study.samples["role"] != "donor") | used.isin(panel.study.doses["donor_sample"])]
    limits = pd.DataFrame({"sample": used})
    lowest = panel.abundance.where(panel.abundance > 0).min(axis=1)
    limits["unit"] = lowest.reindex(used).to_numpy()
    limits["limit"] = limits["unit"]
    draws = [repair(panel.abundance, limits, "thinning", 0.0, 7 + k, factor=2.0) for k in range(3)]
    found = [rates(outcomes(d.abundance, panel.study, table=d.limits, fitted=False)) for d in draws]
    for rate in FEW:
        subjects = []
        for subject in found[0]["subject"].unique():
            by_day = [
                np.nanmean([float(f.loc[f["sample"] == sample, rate].iloc[0]) for f in found])
                for sample in found[0].loc[found[0]["subject"] == subject, "sample"]
            ]
            subjects.append(np.mean(by_day))
        expected = mean_interval(subjects, "t" if rate == "lost_taxa" else "logit_t")
        row = cell.loc[rate]
        found_numbers = [row["mean_1"], row["mean_1_ci_low"], row["mean_1_ci_high"]]
        assert found_numbers == pytest.approx([expected.estimate, expected.low, expected.high])
    assert cell["unit"].unique() == pytest.approx([2 * limits["unit"].max()])
    assert cell["repeats"].unique() == [3]
    assert cell["note"].str.contains("conditional on these 2 donors").all()
    taxa = [(d.abundance.loc[used].to_numpy() > 0).sum(axis=1) for d in draws]
    assert cell["taxa_per_sample"].unique() == pytest.approx([np.mean([np.median(counts) for counts in taxa])])


def test_a_draw_without_any_taxon_counts_as_none_lost() -> None:
    def drawn(*rows: tuple[str, int, float]) -> pd.DataFrame:
        frame = pd.DataFrame(rows, columns=["sample", "lost_taxa", "depletion_rate"]).assign(day=3, subject="P")
        return frame.astype({"lost_taxa": "Int64", "day": "Int64"})

    empty = pd.DataFrame()
    one, two = drawn(("a", 4, 0.5), ("b", 3, np.nan)), drawn(("a", 2, 0.25))
    mean = mean_rates([one, empty, two, empty]).set_index("sample")
    assert mean["lost_taxa"].to_dict() == {"a": 1.5, "b": 0.75}
    assert mean["depletion_rate"].to_dict() == pytest.approx({"a": 0.375, "b": np.nan}, nan_ok=True)
    assert set(mean["day"]) == {3}
    assert mean_rates([empty, empty]).empty
    pd.testing.assert_frame_equal(mean_rates([one]), one)


@settings(max_examples=15)
@given(
    studies(), st.lists(st.sampled_from([0.0, 0.005, 0.02, 0.1, 0.4, 0.9, 1.0]), min_size=2, max_size=4, unique=True)
)
def test_raising_the_threshold_never_adds_a_detection(
    made: tuple[Study, pd.DataFrame], thresholds: list[float]
) -> None:
    study, abundance = made
    try:
        found = list(cells(abundance, study, thresholds, [0.5], None, 2, 1))
    except InputError:  # no post sample has a profile
        return
    columns = ["donor_taxa", "baseline_taxa", "post_taxa"]
    for fraction in (np.nan, 0.5):
        of_depth = [cell for cell in found if cell.fraction == fraction or np.isnan([cell.fraction, fraction]).all()]
        # As sequenced, the common threshold leaves out samples that the others have.
        of_depth = [cell for cell in of_depth if not (np.isnan(fraction) and cell.common and cell.left_out)]
        assert [cell.detection for cell in of_depth] == sorted(cell.detection for cell in of_depth)
        for lower, higher in itertools.pairwise(of_depth):
            assert higher.taxa <= lower.taxa
            if higher.rates.empty:
                continue
            before = lower.rates.set_index("sample")[columns].astype("Float64")
            after = higher.rates.set_index("sample")[columns].astype("Float64")
            assert set(after.index) <= set(before.index)
            assert (after <= before.loc[after.index] + 1e-9).fillna(True).all(axis=None)


@pytest.fixture(scope="module")
def trial() -> tuple[Study, pd.DataFrame]:
    """Return a trial in which responders lose the rare taxa, and others fewer but abundant ones."""
    # 4 abundant taxa (0.2 each) and 20 rare ones (0.01 each); responders have half of the rare ones.
    samples: list[tuple[str, str, str, int | None]] = [("D.1", "D", "donor", None)]
    rows = [np.array([1.0] * 4 + [0.0] * 20)]
    responders = {"R0": "yes", "R1": "yes", "R2": "yes", "R3": "no", "R4": "no", "R5": "no"}
    for subject, response in responders.items():
        samples += [(f"{subject}.0", subject, "recipient", 0), (f"{subject}.1", subject, "recipient", 28)]
        before = np.array([20.0] * 4 + [1.0] * 20)
        after = before.copy()
        if response == "yes":
            before[14:] = after[14:] = 0
            after[4:10] = 0  # 6 of 14 taxa
        else:
            after[:2] = 0
            after[4:9] = 0  # 7 of 24 taxa, of which 2 of the 4 abundant ones
        rows += [before, after]
    study = Study(
        samples_frame(samples),
        pd.DataFrame({"subject": [*responders, "D"], "responder": [*responders.values(), None]}),
        doses_frame([(subject, 0, "D", None) for subject in responders]),
    )
    return study, abundance_frame(np.array(rows), [row[0] for row in samples])


class TestSigns:
    def sign(self, trial: tuple[Study, pd.DataFrame], threshold: float, rate: str, method: str) -> str:
        study, abundance = trial
        table = sensitivity(abundance, study, "responder", [threshold], [], [rate])
        row = table[(table["common_threshold"] == 0) & (table["method"] == method)]
        return str(row["direction"].item())

    def test_threshold_turns_it(self, trial: tuple[Study, pd.DataFrame]) -> None:
        assert self.sign(trial, 0.0, "depletion_rate", "subject_permutation") == "yes > no"
        assert self.sign(trial, 0.05, "depletion_rate", "subject_permutation") == "no > yes"

    def test_denominator_turns_it(self, trial: tuple[Study, pd.DataFrame]) -> None:
        assert self.sign(trial, 0.0, "lost_taxa", "subject_permutation") == "no > yes"
        assert self.sign(trial, 0.0, "depletion_rate", "subject_permutation") == "yes > no"

    def test_nothing_lost_is_equal(self, trial: tuple[Study, pd.DataFrame]) -> None:
        assert self.sign(trial, 0.0, "engrafted", "subject_permutation") == "equal"


class TestWhatCannotBeComputed:
    def table(self, panel: Any, **options: Any) -> pd.DataFrame:
        return sensitivity(panel.abundance, panel.study, depths=[1.0], rate=FEW, repeats=2, **options)

    @pytest.mark.parametrize("by", [None, "responder"])
    def test_a_threshold_above_everything(self, panel: Any, by: str | None) -> None:
        table = self.table(panel, by=by, thresholds=[1.0])
        rows = table[table["detection"] == 1.0]
        assert len(rows) == 2 * len(FEW) * (1 if by is None else 3)
        assert (rows["taxa_per_sample"] == 0).all()
        assert rows["note"].str.startswith("not testable: ").all()
        assert rows[["mean_1", "effect", "p_value"]].isna().all(axis=None)
        assert (rows["n_subjects"] == 0).all()

    def test_one_group(self, panel: Any) -> None:
        study = panel.study
        one = Study(study.samples, study.subjects.assign(responder="yes"), study.doses)
        table = sensitivity(panel.abundance, one, "responder", [0], [], FEW)
        assert len(table) == 2 * 3 * len(FEW)
        assert table["note"].str.startswith("not testable: ").all()
        assert table["direction"].isna().all()

    def test_one_subject(self) -> None:
        rows = [("D.1", "D", "donor", None), ("R.0", "R", "recipient", 0), ("R.1", "R", "recipient", 9)]
        study = Study(samples_frame(rows), doses=doses_frame([("R", 0, "D", None)]))
        abundance = abundance_frame(np.array([[5, 0, 1], [5, 4, 0], [5, 0, 1.0]]), [row[0] for row in rows])
        table = sensitivity(abundance, study, thresholds=[0], depths=[1.0], rate=["depletion_rate"])
        row = table.iloc[0]
        assert (row["mean_1"], row["n_subjects"], row["n_samples"], row["n_donors"]) == (0.5, 1, 1, 1)
        assert np.isnan(row["mean_1_ci_low"])
        assert row["note"].startswith("not testable: fewer than two subjects")

    def test_samples_too_shallow_are_named(self, panel: Any, caplog: pytest.LogCaptureFixture) -> None:
        shallow = panel.study.samples.loc[panel.study.samples["day"] == 60, "sample"].iloc[0]
        abundance = panel.abundance.copy()
        abundance.loc[shallow] = 0.0
        abundance.loc[shallow, abundance.columns[:2]] = 0.5
        with caplog.at_level(logging.WARNING):
            table = sensitivity(abundance, panel.study, thresholds=[0], depths=[1.0, 0.5], rate=FEW, repeats=3)
        usual = (table["depth"] == "as_sequenced") & (table["common_threshold"] == 0)
        said = table["note"].str.contains(f"too shallow, and left out: {shallow}")
        assert (said == ~usual).all()
        # Day 60 is no longer a visit that all have.
        assert table.loc[usual, "n_samples"].unique().tolist() == [16]
        assert table.loc[~usual, "n_samples"].unique().tolist() == [8]
        assert len([record for record in caplog.records if "too shallow" in record.getMessage()]) == 1, "said once"


def test_order_of_samples_and_taxa_is_irrelevant(panel: Any) -> None:
    options: dict[str, Any] = {"thresholds": [0, 1e-3], "depths": [0.5], "rate": FEW, "repeats": 2}
    rng = np.random.default_rng(2)
    shuffled = panel.abundance.iloc[rng.permutation(len(panel.abundance)), rng.permutation(panel.abundance.shape[1])]
    first = sensitivity(panel.abundance, panel.study, **options)
    pd.testing.assert_frame_equal(sensitivity(shuffled, panel.study, **options), first, check_exact=False, rtol=1e-12)


def test_same_seed_same_table(panel: Any) -> None:
    def made(seed: int) -> pd.DataFrame:
        return sensitivity(panel.abundance, panel.study, thresholds=[0], depths=[0.2], rate=FEW, repeats=2, seed=seed)

    pd.testing.assert_frame_equal(made(1), made(1), check_exact=True)
    differs = made(1)["mean_1"] != made(2)["mean_1"]
    assert (differs & made(1)["repeats"].notna()).any()
    assert not (differs & made(1)["repeats"].isna()).any()


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (
            {"thresholds": [-1e-3, 2], "depths": [0, 1.5], "rate": ["loss"], "repeats": 0},
            ["threshold -0.001", "threshold 2", "depth 0 ", "depth 1.5", "rate 'loss'", "0 repeats"],
        ),
        ({"by": "respond"}, ["no column 'respond'"]),
    ],
)
def test_bad_options(panel: Any, options: dict[str, Any], messages: Sequence[str]) -> None:
    with pytest.raises(InputError) as error:
        sensitivity(panel.abundance, panel.study, **options)
    said = [str(problem) for problem in error.value.problems]
    assert len(said) == len(messages)
    for message, line in zip(messages, said, strict=True):
        assert message in line


def test_command_writes_what_the_table_declares(panel: Any, tmp_path: Path) -> None:
    study = panel.study
    for name in ("samples", "subjects", "doses"):
        getattr(study, name).to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    panel.abundance.T.to_csv(tmp_path / "profile.tsv", sep="\t")
    words = ["sensitivity", "--profile", f"{tmp_path}/profile.tsv", "--by", "responder", "--thresholds", "0", "1e-3"]
    for name in ("samples", "subjects", "doses"):
        words += [f"--{name}", f"{tmp_path}/{name}.tsv"]
    words += ["--depths", "0.5", "--repeats", "2", "--rate", *FEW, "--permutations", "50", "--seed", "3", "--no-close"]
    assert main(["--quiet", *words, "-o", f"{tmp_path}/out.tsv"]) == 0
    expected = sensitivity(
        panel.abundance, study, "responder", [0, 1e-3], [0.5], FEW, permutations=50, repeats=2, seed=3
    )
    written = read_result(tmp_path / "out.tsv", SENSITIVITY)
    pd.testing.assert_frame_equal(written, expected, check_exact=True, check_dtype=False)


@pytest.mark.real
def test_published_trial(real_data: Path) -> None:
    """Lost taxa of responders and others, from the profiles of baruch2021, by loops."""
    from microbiome.metaphlan import read_abundance
    from microbiome.study import read_study

    folder = real_data / "baruch2021"
    study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv")
    abundance = read_abundance(folder / "profiles.tsv.gz")
    thresholds = [0.0, 1e-4, 3e-3]
    table = sensitivity(abundance, study, "responder", thresholds, [], SENSITIVITY_RATES)
    table = table[table["common_threshold"] == 0]
    response = dict(zip(study.subjects["subject"], study.subjects["responder"], strict=True))
    for threshold in thresholds:
        lost: dict[str, list[float]] = {"yes": [], "no": []}
        share: dict[str, list[float]] = {"yes": [], "no": []}
        for subject, samples in study.samples[study.samples["role"] == "recipient"].groupby("subject"):
            ordered = samples.sort_values("day")
            before = set(abundance.columns[abundance.loc[ordered["sample"].iloc[0]] > threshold])
            after = [set(abundance.columns[abundance.loc[name] > threshold]) for name in ordered["sample"].iloc[1:]]
            counts = [len(before - one) for one in after]
            lost[response[subject]].append(float(np.mean(counts)))
            share[response[subject]].append(float(np.mean(counts)) / len(before))
        for rate, values in (("lost_taxa", lost), ("depletion_rate", share)):
            rows = table[(table["detection"] == threshold) & (table["rate"] == rate)]
            row = rows[rows["method"] == "subject_permutation"].iloc[0]
            assert [row["mean_1"], row["mean_2"]] == pytest.approx([np.mean(values["no"]), np.mean(values["yes"])])
            assert row["direction"] == ("yes > no" if np.mean(values["yes"]) > np.mean(values["no"]) else "no > yes")
