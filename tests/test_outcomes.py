"""The eight cells and the rates, against the definitions written naively and against published numbers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import abundance_frame, doses_frame, samples_frame, studies

from microbiome.cells import outcome_codes
from microbiome.errors import InputError
from microbiome.metaphlan import read_abundance
from microbiome.outcomes import outcomes, rates
from microbiome.study import Study, read_study
from microbiome.tables import OUTCOME_NAMES, OUTCOMES, RATES

NAME = {
    (1, 0, 1): "engrafted",
    (1, 0, 0): "not_engrafted",
    (1, 1, 1): "shared_kept",
    (0, 0, 1): "gained",
    (0, 1, 1): "persisted",
    (0, 1, 0): "depleted",
    (1, 1, 0): "shared_depleted",
}


def naive_outcomes(study: Study, abundance: pd.DataFrame, detection: float) -> dict[tuple[str, str], str | None]:
    """The contract, one cell at a time."""
    profile = {s: row for s, row in abundance.iterrows() if not row.isna().any()}
    result: dict[tuple[str, str], str | None] = {}
    for post in study.samples.itertuples():
        if post.role == "donor" or pd.isna(post.day) or post.day <= 0 or post.sample not in profile:
            continue
        own = study.samples[(study.samples["subject"] == post.subject) & (study.samples["day"] <= 0)]
        own = own[own["sample"].isin(list(profile))]
        baseline = None if own.empty else own.sort_values("day", kind="stable")["sample"].iloc[-1]
        received = study.doses[(study.doses["subject"] == post.subject) & (study.doses["day"] <= post.day)]
        products = set()
        for dose in received.itertuples():
            if dose.donor_sample is None:
                products |= set(study.samples.loc[study.samples["subject"] == dose.donor, "sample"])
            else:
                products.add(dose.donor_sample)
        usable = [p for p in products if p in profile]
        for taxon in abundance.columns:
            r = int(profile[post.sample][taxon] > detection)
            b = None if baseline is None else int(profile[baseline][taxon] > detection)
            d = None if products and not usable else int(any(profile[p][taxon] > detection for p in usable))
            if d is None or b is None:
                if d or b or r:
                    result[post.sample, taxon] = None
            elif d or b or r:
                result[post.sample, taxon] = NAME[d, b, r]
    return result


def small_study() -> tuple[Study, pd.DataFrame]:
    """One FMT recipient and one placebo recipient in which every outcome occurs once."""
    samples = samples_frame(
        [
            ("d", "D", "donor", None),
            ("r0", "R", "recipient", 0),
            ("r1", "R", "recipient", 28),
            ("p0", "P", "recipient", -1),
            ("p1", "P", "recipient", 28),
        ]
    )
    # taxa: engrafted, not_engrafted, shared_kept, shared_depleted, persisted, depleted, gained, nowhere
    d = [1, 1, 1, 1, 0, 0, 0, 0]
    b = [0, 0, 1, 1, 1, 1, 0, 0]
    r = [1, 0, 1, 0, 1, 0, 1, 0]
    abundance = abundance_frame(np.array([d, b, r, b, r], dtype=float), list(samples["sample"]))
    return Study(samples, doses=doses_frame([("R", 0, "D", None)])), abundance


def test_every_cell_of_the_contract() -> None:
    study, abundance = small_study()
    table = outcomes(abundance, study)
    assert list(table.columns) == OUTCOMES.names
    fmt = table[table["sample"] == "r1"].set_index("taxon")["outcome"]
    assert list(fmt) == [
        "engrafted",
        "not_engrafted",
        "shared_kept",
        "shared_depleted",
        "persisted",
        "depleted",
        "gained",
    ]
    assert "t__SGB8" not in fmt.index
    placebo = table[table["sample"] == "p1"].set_index("taxon")["outcome"]
    assert dict(placebo) == {
        "t__SGB1": "gained",
        "t__SGB3": "persisted",
        "t__SGB4": "depleted",
        "t__SGB5": "persisted",
        "t__SGB6": "depleted",
        "t__SGB7": "gained",
    }


def test_rates_of_the_contract() -> None:
    study, abundance = small_study()
    table = rates(outcomes(abundance, study)).set_index("sample")
    assert list(table.reset_index()[RATES.names].columns) == RATES.names
    fmt, placebo = table.loc["r1"], table.loc["p1"]
    assert all(fmt[name] == 1 for name in OUTCOME_NAMES)
    assert fmt["engraftment_rate"] == 1 / 2
    assert fmt["depletion_rate"] == 2 / 4
    assert fmt["depletion_rate_donor_absent"] == 1 / 2
    assert fmt["donor_recovery"] == 2 / 4
    assert fmt["baseline_recovery"] == 2 / 4
    assert (fmt["donor_taxa"], fmt["baseline_taxa"], fmt["post_taxa"], fmt["lost_taxa"]) == (4, 4, 4, 2)
    assert placebo["depletion_rate"] == placebo["depletion_rate_donor_absent"] == 2 / 4
    assert np.isnan(placebo["engraftment_rate"])  # denominator 0 is missing, not 0
    assert np.isnan(placebo["donor_recovery"])
    assert placebo["engrafted"] == 0


@given(studies(), st.sampled_from([0.0, 0.01, 0.2]))
def test_equals_the_definition_written_naively(case: tuple[Study, pd.DataFrame], detection: float) -> None:
    study, abundance = case
    expected = naive_outcomes(study, abundance, detection)
    if not expected:
        return
    table = outcomes(abundance, study, detection)
    found = {(s, t): o for s, t, o in table[["sample", "taxon", "outcome"]].itertuples(index=False)}
    assert found == expected
    # The abundances beside an outcome are the ones it follows from.
    for column in ("donor", "baseline", "post"):
        known = table[table[f"{column}_detected"].notna()]
        assert ((known[f"{column}_abundance"] > detection) == (known[f"{column}_detected"] == 1)).all()


@given(studies())
def test_rates_count_what_outcomes_says(case: tuple[Study, pd.DataFrame]) -> None:
    study, abundance = case
    expected = naive_outcomes(study, abundance, 0.0)
    if not expected:
        return
    table = outcomes(abundance, study)
    result = rates(table).set_index("sample")
    for sample, row in result.iterrows():
        cells = [o for (s, _), o in expected.items() if s == sample]
        if None in cells:
            assert row[list(OUTCOME_NAMES)].isna().all()
            continue
        n = {name: cells.count(name) for name in OUTCOME_NAMES}
        assert {name: row[name] for name in OUTCOME_NAMES} == n
        pairs = {
            "engraftment_rate": (n["engrafted"], n["engrafted"] + n["not_engrafted"]),
            "depletion_rate": (
                n["depleted"] + n["shared_depleted"],
                n["depleted"] + n["shared_depleted"] + n["persisted"] + n["shared_kept"],
            ),
            "depletion_rate_donor_absent": (n["depleted"], n["depleted"] + n["persisted"]),
            "donor_recovery": (
                n["engrafted"] + n["shared_kept"],
                n["engrafted"] + n["shared_kept"] + n["not_engrafted"] + n["shared_depleted"],
            ),
        }
        for name, (top, bottom) in pairs.items():
            assert np.isnan(row[name]) if bottom == 0 else row[name] == top / bottom
        if row["baseline_taxa"]:
            assert row["baseline_recovery"] == pytest.approx(1 - row["depletion_rate"])
    # The bare columns of the contract are enough: the extra ones follow from the outcome.
    bare = table.drop(columns=[c for c in table if c.endswith("_detected")])
    complete = table.groupby("sample")["outcome"].transform(lambda o: o.notna().all())
    if complete.any():
        again = rates(bare[complete]).set_index("sample")
        assert_frame_equal(again, result.loc[again.index], check_dtype=False)


@given(studies(), st.randoms(use_true_random=False))
def test_order_of_samples_and_taxa_is_irrelevant(case: tuple[Study, pd.DataFrame], random) -> None:
    study, abundance = case
    if not naive_outcomes(study, abundance, 0.0):
        return
    rows, columns = list(abundance.index), list(abundance.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    key = ["sample", "taxon"]
    first = outcomes(abundance, study).sort_values(key, ignore_index=True)
    second = outcomes(abundance.loc[rows, columns], study).sort_values(key, ignore_index=True)
    assert_frame_equal(first, second)


@given(studies())
def test_a_higher_threshold_never_adds_a_detection(case: tuple[Study, pd.DataFrame]) -> None:
    study, abundance = case
    if not naive_outcomes(study, abundance, 0.0):
        return
    low = rates(outcomes(abundance, study, 0.0)).set_index("sample")
    high_table = outcomes(abundance, study, 0.05)
    if high_table.empty:
        return
    high = rates(high_table).set_index("sample")
    for name in ("donor_taxa", "baseline_taxa", "post_taxa"):
        both = pd.concat([low[name], high[name]], axis=1, keys=["low", "high"]).dropna()
        assert (both["high"] <= both["low"]).all()


@given(
    st.lists(st.tuples(*[st.sampled_from([0.0, 0.0, 1.0, 7.0, 400.0])] * 3), min_size=2, max_size=12).filter(
        lambda rows: all(any(row[i] for row in rows) for i in range(3))
    ),
    st.sampled_from([0.0, 0.01, 0.2]),
)
def test_donor_equal_to_baseline_engrafts_nothing(rows: list[tuple[float, ...]], detection: float) -> None:
    baseline, *posts = np.array(rows).T
    samples = samples_frame(
        [
            ("d", "D", "donor", None),
            ("r0", "R", "recipient", 0),
            ("r1", "R", "recipient", 7),
            ("r2", "R", "recipient", 70),
        ]
    )
    study = Study(samples, doses=doses_frame([("R", 0, "D", None)]))
    table = outcomes(abundance_frame(np.array([baseline, baseline, *posts]), list(samples["sample"])), study, detection)
    assert set(table["outcome"]) <= {"shared_kept", "shared_depleted", "gained"}
    # Neither does anything that the limit of detection leaves open become engrafted: donor and baseline are alike.
    assert (rates(table)["engraftment_rate"].isna()).all()


def test_inputs_are_not_changed() -> None:
    study, abundance = small_study()
    before = abundance.copy(), study.samples.copy(), study.doses.copy()
    table = outcomes(abundance, study)
    kept = table.copy()
    rates(table)
    for old, new in zip((*before, kept), (abundance, study.samples, study.doses, table), strict=True):
        assert_frame_equal(old, new)


def test_codes_of_arrays_keep_their_shape() -> None:
    d, b, r = np.meshgrid([False, True], [False, True], [False, True], indexing="ij")
    codes = outcome_codes(d, b, r)
    for i, j, k in np.ndindex(2, 2, 2):
        expected = NAME.get((i, j, k))
        assert codes[i, j, k] == (-1 if expected is None else OUTCOME_NAMES.index(expected))


def test_a_dose_counts_from_its_day_on_and_day_0_samples_are_baseline() -> None:
    samples = samples_frame(
        [
            ("a", "A", "donor", None),
            ("b", "B", "donor", None),
            ("r0", "R", "recipient", 0),
            ("r1", "R", "recipient", 13),
            ("r2", "R", "recipient", 14),
        ]
    )
    values = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, 1]], dtype=float)
    doses = doses_frame([("R", 0, "A", "a"), ("R", 14, "B", None), ("R", 14, "A", "a")])
    table = outcomes(abundance_frame(values, list(samples["sample"])), Study(samples, doses=doses))
    wide = table.pivot(index="sample", columns="taxon", values="outcome")
    assert wide.loc["r1"].tolist() == ["engrafted", "gained", "persisted"]
    assert wide.loc["r2"].tolist() == ["engrafted", "engrafted", "persisted"]
    # A product received twice is one product.
    assert table.groupby("sample")["donor_products"].first().to_dict() == {"r1": 1, "r2": 2}
    assert set(table["baseline_sample"]) == {"r0"}


def test_products_without_profile_are_named_and_nothing_is_guessed(caplog: pytest.LogCaptureFixture) -> None:
    study, abundance = small_study()
    abundance.loc["d"] = np.nan
    with caplog.at_level("WARNING"):
        table = outcomes(abundance, study)
    assert "donor products without a profile are not counted as donor taxa: d" in caplog.text
    assert "have no outcomes that need the donor: R" in caplog.text
    row = rates(table).set_index("sample").loc["r1"]
    assert row[list(OUTCOME_NAMES)].isna().all()
    assert np.isnan(row["donor_recovery"])
    assert np.isnan(row["engraftment_rate"])
    assert row["depletion_rate"] == 2 / 4  # needs no donor
    assert (row["donor_products"], row["donor_products_unprofiled"]) == (1, 1)


def test_one_of_two_products_profiled_counts_that_one(caplog: pytest.LogCaptureFixture) -> None:
    study, abundance = small_study()
    samples = pd.concat([study.samples, samples_frame([("d2", "D", "donor", None)])], ignore_index=True)
    with caplog.at_level("WARNING"):
        table = outcomes(abundance, Study(samples, doses=study.doses))
    row = rates(table).set_index("sample").loc["r1"]
    assert row["engrafted"] == 1
    assert (row["donor_products"], row["donor_products_unprofiled"]) == (2, 1)
    assert "d2" in caplog.text


def test_no_baseline_leaves_what_needs_none(caplog: pytest.LogCaptureFixture) -> None:
    study, abundance = small_study()
    with caplog.at_level("WARNING"):
        row = rates(outcomes(abundance.drop(index="r0"), study)).set_index("sample").loc["r1"]
    assert "subjects without a profiled baseline have no outcomes: R" in caplog.text
    assert row[list(OUTCOME_NAMES)].isna().all()
    assert row["donor_recovery"] == 2 / 4
    assert (row["donor_taxa_present"], row["donor_taxa"]) == (2, 4)
    assert row[["baseline_taxa_present", "lost_taxa"]].isna().all()
    assert np.isnan(row["depletion_rate"])
    assert row["baseline_sample"] is None or pd.isna(row["baseline_sample"])


def test_post_samples_without_profile_and_unknown_profiles_are_named(caplog: pytest.LogCaptureFixture) -> None:
    study, abundance = small_study()
    changed = abundance.rename(index={"p1": "x1"})
    with caplog.at_level("WARNING"):
        table = outcomes(changed, study)
    assert "post samples without a profile have no outcomes: p1" in caplog.text
    assert "not in the samples table are not used: x1" in caplog.text
    assert set(table["sample"]) == {"r1"}


@pytest.mark.parametrize("detection", [-0.1, float("nan"), 1.0, 5.0, float("inf")])
def test_detection_must_be_a_fraction(detection: float) -> None:
    study, abundance = small_study()
    with pytest.raises(InputError, match="is not within 0 and the largest abundance"):
        outcomes(abundance, study, detection)


def test_nothing_after_day_0_is_said() -> None:
    study, abundance = small_study()
    with pytest.raises(InputError, match="no sample with day > 0"):
        outcomes(abundance.loc[["d", "r0", "p0"]], study)


def test_rates_refuses_other_tables() -> None:
    with pytest.raises(InputError, match="column 'outcome' is missing"):
        rates(pd.DataFrame({"subject": ["R"]}))
    study, abundance = small_study()
    table = outcomes(abundance, study)
    table["outcome"] = table["outcome"].replace("gained", "gaind")
    with pytest.raises(InputError, match="'gaind'"):
        rates(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: pd.concat([t, t.iloc[:2]]), "2 rows stand twice, the first is sample 'r1', taxon 't__SGB1'"),
        (lambda t: t.assign(sample=[None, *t["sample"][1:]]), "1 rows have no sample or no taxon"),
        (lambda t: t.assign(outcome=["gained", *t["outcome"][1:]]), "1 outcomes are not those of *_detected"),
        (lambda t: t.assign(outcome=[None, *t["outcome"][1:]]), "1 outcomes are not those of *_detected"),
        (lambda t: t.assign(donor_detected=300), "outcomes are not those of *_detected"),
    ],
)
def test_rates_refuses_what_would_change_counts(change, message: str) -> None:
    study, abundance = small_study()
    with pytest.raises(InputError) as caught:
        rates(change(outcomes(abundance, study)))
    assert message in str(caught.value)


def test_counts_that_need_no_profile_of_others_stay(caplog: pytest.LogCaptureFixture) -> None:
    study, abundance = small_study()
    table = outcomes(abundance.drop(index="r0"), study)
    row = rates(table).set_index("sample").loc["r1"]
    assert (row["post_taxa"], row["donor_taxa"]) == (4, 4)
    # Without the columns of detection nothing is known where the outcome is missing.
    bare = rates(table.drop(columns=[c for c in table if c.endswith("_detected")])).set_index("sample").loc["r1"]
    assert bare[["post_taxa", "donor_taxa", "baseline_taxa", "lost_taxa"]].isna().all()
    no_donor = rates(outcomes(abundance.drop(index="d"), study)).set_index("sample").loc["r1"]
    assert (no_donor["baseline_taxa"], no_donor["lost_taxa"], no_donor["post_taxa"]) == (4, 2, 4)


def test_an_older_baseline_is_said(caplog: pytest.LogCaptureFixture) -> None:
    study, abundance = small_study()
    samples = pd.concat([study.samples, samples_frame([("r00", "R", "recipient", -30)])], ignore_index=True)
    abundance = pd.concat([abundance.rename(index={"r0": "r00"})])
    with caplog.at_level("WARNING"):
        table = outcomes(abundance, Study(samples, doses=study.doses))
    assert "R: the last sample before FMT, r0, has no profile; r00 (day -30) is its baseline" in caplog.text
    assert set(table.loc[table["subject"] == "R", "baseline_sample"]) == {"r00"}


def test_samples_without_a_day_are_said(caplog: pytest.LogCaptureFixture) -> None:
    study, abundance = small_study()
    samples = pd.concat([study.samples, samples_frame([("c", "C", "control", None)])], ignore_index=True)
    with caplog.at_level("WARNING"):
        outcomes(abundance, Study(samples, doses=study.doses))
    assert "samples without a day have no outcomes: c" in caplog.text


def test_q2_fmt_unit_case(real_data: Path) -> None:
    """PEDS of q2-fmt's own unit case is donor_recovery."""
    case = json.loads((real_data / "q2fmt" / "unit_cases.json").read_text())["sample_peds_basic"]
    samples = samples_frame(
        [("base", "sub1", "recipient", 0)]
        + [(s, case["subject"][s], "recipient", case["time"][s]) for s in case["subject"]]
        + [(d, d, "donor", None) for d in ("donor1", "donor2")]
    )
    doses = doses_frame([(case["subject"][s], 0, d, d) for s, d in case["donor"].items()])
    counts = np.array([[1, 1, 1], *[case["table"][s] for s in samples["sample"][1:]]], dtype=float)
    result = rates(outcomes(abundance_frame(counts, list(samples["sample"])), Study(samples, doses=doses)))
    found = dict(zip(result["sample"], result["donor_recovery"], strict=True))
    # sample1 has no feature at all: for q2-fmt that is a recovery of 0, for us a sample without a profile.
    assert "sample1" not in found
    for sample in ("sample2", "sample3"):
        assert found[sample] == pytest.approx(case["expect"][sample][2])


def test_all_25_peds_of_the_q2_fmt_example(real_data: Path) -> None:
    biom = pytest.importorskip("biom")
    folder = real_data / "q2fmt"
    table = biom.load_table(str(folder / "feature-table.biom"))
    counts = table.matrix_data.toarray().T
    abundance = pd.DataFrame(
        counts / counts.sum(axis=1, keepdims=True),
        index=pd.Index(table.ids("sample"), name="sample", dtype=object),
        columns=pd.Index(table.ids("observation"), name="taxon", dtype=object),
    )
    rows = [line.split("\t") for line in (folder / "md-peds-usage.txt").read_text().splitlines()[1:]]
    samples = samples_frame(
        [(r[0], r[1], "recipient", int(r[2])) if r[1] else (r[0], r[0], "donor", None) for r in rows]
    )
    doses = doses_frame(list(dict.fromkeys((r[1], 0, r[3], None) for r in rows if r[1])))
    result = rates(outcomes(abundance, Study(samples, doses=doses))).set_index("sample")
    expected = [json.loads(line) for line in (folder / "peds_dist.ndjson").read_text().splitlines() if line]
    assert len(expected) == 25
    for row in expected:
        assert result.loc[row["id"], "donor_taxa"] == row["Total_Donor_Features"]
        assert result.loc[row["id"], "donor_recovery"] == pytest.approx(row["measure"], abs=1e-9)


@pytest.mark.real
@pytest.mark.parametrize(
    ("baseline", "post", "expected"),
    [
        (
            "PMCL356",  # pt10, FMT
            "PMCL360",
            {
                "engrafted": 92,
                "not_engrafted": 252,
                "shared_kept": 73,
                "shared_depleted": 23,
                "persisted": 10,
                "depleted": 19,
                "gained": 19,
            },
        ),
        ("PMCL805", "PMCL806", {"persisted": 87, "depleted": 82, "gained": 4}),  # pt77, placebo
    ],
)
def test_two_patients_of_ucfmt1_by_hand(real_data: Path, baseline: str, post: str, expected: dict[str, int]) -> None:
    """The published profile, read with nothing but split(), gives the same cells at the detection of its authors."""
    folder = real_data / "ucfmt1"
    lines = [
        line.split("\t") for line in gzip.decompress((folder / "profiles.tsv.gz").read_bytes()).decode().splitlines()
    ]
    position = {name: i for i, name in enumerate(lines[1])}
    sgbs = [line for line in lines[2:] if "|t__" in line[0]]
    donors = ["DonorB_D_2013", "DonorB_D_2016", "DonorB_D_May17", "DonorB_D_Oct17"] if "engrafted" in expected else []

    def present(sample: str) -> set[str]:
        total = sum(float(line[position[sample]]) for line in sgbs)
        return {line[0].split("|")[-1] for line in sgbs if float(line[position[sample]]) / total > 7.3e-5}

    d = set().union(*(present(s) for s in donors))
    b, r = present(baseline), present(post)
    by_hand = {
        "engrafted": (d & r) - b,
        "not_engrafted": d - b - r,
        "shared_kept": d & b & r,
        "shared_depleted": (d & b) - r,
        "persisted": (b & r) - d,
        "depleted": b - d - r,
        "gained": r - d - b,
    }
    assert {name: len(taxa) for name, taxa in by_hand.items() if taxa} == expected
    study = read_study(*(folder / f"{name}.tsv" for name in ("samples", "subjects", "doses")))
    table = outcomes(read_abundance(folder / "profiles.tsv.gz"), study, 7.3e-5)
    table = table[table["sample"] == post]
    assert {name: set(group) for name, group in table.groupby("outcome")["taxon"]} == {
        k: v for k, v in by_hand.items() if v
    }
