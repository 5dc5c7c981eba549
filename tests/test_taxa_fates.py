"""Loss, engraftment, gain and arrival of each taxon, against the definitions written naively and against R."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import abundance_frame, doses_frame, samples_frame, studies

from microbiome.cells import CELLS
from microbiome.errors import InputError
from microbiome.outcomes import outcomes
from microbiome.stats import mean_interval
from microbiome.study import Study
from microbiome.taxa.calls import calls
from microbiome.taxa.fates import remarks, taxa, top
from microbiome.taxa.tables import QUANTITIES, TAXA
from microbiome.visits import analysis_samples

BITS = {name: (int(i >> 2 & 1), int(i >> 1 & 1), int(i & 1)) for i, name in enumerate(CELLS) if name}


def table_of(rows: list[tuple[str, int, str, str]]) -> pd.DataFrame:
    """Outcomes from (subject, day, taxon, outcome)."""
    frame = pd.DataFrame(rows, columns=["subject", "day", "taxon", "outcome"])
    frame["sample"] = frame["subject"] + "." + frame["day"].astype(str)
    frame["baseline_sample"] = frame["subject"] + ".0"
    for place, source in enumerate(("donor", "baseline", "post")):
        frame[f"{source}_abundance"] = [0.1 * BITS[name][place] for name in frame["outcome"]]
    return frame.astype({"day": "Int64"})


def subjects_of(**groups: str) -> pd.DataFrame:
    return pd.DataFrame({"subject": list(groups), "group": list(groups.values())})


def naive(table: pd.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    """Shares of each subject, one sample and taxon at a time; (quantity, taxon) -> subject -> share."""
    known = table[table["baseline_detected"].notna()]
    samples = known.drop_duplicates("sample")[["subject", "sample", "day"]].sort_values(["subject", "day"])
    counted = analysis_samples(samples).samples
    found: dict[tuple[str, str], dict[str, float]] = {}
    for quantity in QUANTITIES:
        for taxon in table["taxon"].unique():
            for subject, own in counted.groupby("subject"):
                over, under = 0.0, 0.0
                for _, here in own.groupby("visit"):
                    for sample in here["sample"]:
                        rows = known[known["sample"] == sample]
                        weight = 1 / own["visit"].nunique() / len(here)
                        donor_known = rows["donor_detected"].notna().all()
                        cell = rows[rows["taxon"] == taxon]
                        d, b, r = (
                            (0, 0, 0)
                            if cell.empty
                            else (
                                cell["donor_detected"].fillna(0).iloc[0],
                                cell["baseline_detected"].iloc[0],
                                cell["post_detected"].iloc[0],
                            )
                        )
                        if quantity in ("engraftment", "gain") and not donor_known:
                            continue
                        risk, event = {
                            "loss": (b, not r),
                            "engraftment": (d and not b, r),
                            "gain": (not d and not b, r),
                            "arrival": (not b, r),
                        }[quantity]
                        under += weight * bool(risk)
                        over += weight * bool(risk and event)
                if under:
                    found.setdefault((quantity, taxon), {})[subject] = over / under
    return found


@settings(max_examples=30)
@given(studies())
def test_equals_the_definition_written_naively(case: tuple[Study, pd.DataFrame]) -> None:
    study, abundance = case
    try:
        table = outcomes(abundance, study)
        found, _ = taxa(table)
    except InputError:
        return
    expected = naive(table)
    assert len(found) == len(QUANTITIES) * table["taxon"].nunique()
    for row in found.itertuples():
        shares = list(expected.get((row.quantity, row.taxon), {}).values())
        assert row.n_at_risk == len(shares)
        assert row.n_event == pytest.approx(sum(shares), abs=1e-9)
        assert row.n_ever == sum(share > 0 for share in shares)
        assert row.n_always == sum(share > 1 - 1e-9 for share in shares)
        interval = mean_interval(np.clip(shares, 0, 1))
        np.testing.assert_allclose(
            [row.rate, row.ci_low, row.ci_high], [interval.estimate, interval.low, interval.high], atol=1e-6
        )
        assert (row.note is None) == bool(shares)


@settings(max_examples=15)
@given(studies(), st.randoms(use_true_random=False))
def test_order_of_rows_is_irrelevant(case: tuple[Study, pd.DataFrame], random: object) -> None:
    study, abundance = case
    try:
        table = outcomes(abundance, study)
        found, comments = taxa(table, seed=1)
    except InputError:
        return
    order = list(range(len(table)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again, same = taxa(table.iloc[order], seed=1)
    assert_frame_equal(found, again, check_exact=True)
    assert sorted(comments[0]) == sorted(same[0])


def golden_trial(golden: Path) -> tuple[pd.DataFrame, Study]:
    profile = pd.read_csv(golden / "taxa_profile.tsv", sep="\t", index_col="taxon").T
    profile.index.name = "sample"
    subjects = pd.read_csv(golden / "taxa_subjects.tsv", sep="\t", dtype=object)
    rows: list[tuple[str, str, str, int | None]] = [("D1", "D", "donor", None)]
    rows += [(name, name.split(".")[0], "recipient", int(name.split(".")[1])) for name in profile.index[1:]]
    doses = doses_frame([(name, 0, "D", "D1") for name in subjects["subject"]])
    return profile, Study(samples_frame(rows), subjects, doses)


def test_equals_r(golden: Path) -> None:
    profile, study = golden_trial(golden)
    found, _ = taxa(outcomes(profile, study), study.subjects, "responder", doses=study.doses)
    found = found.set_index(["quantity", "taxon"])
    expected = pd.read_csv(golden / "taxa_fates.tsv", sep="\t").set_index(["quantity", "taxon"])
    absent = expected.index.difference(found.index)
    assert {taxon for _, taxon in absent} == {"t02"}  # nobody ever has it: no row of outcomes
    expected = expected.loc[found.index]
    for name in ("n_at_risk", "n_event", "rate", "rate_1", "rate_2"):
        np.testing.assert_allclose(found[name].astype(float), expected[name], rtol=1e-9, atol=1e-12)
    testable = expected["p_attainable"] < 1
    assert (found["p_value"].notna() == testable).all()
    for name in ("p_value", "p_attainable", "q_value"):
        np.testing.assert_allclose(found.loc[testable, name], expected.loc[testable, name], rtol=1e-9)
    np.testing.assert_allclose(found["effect"], expected["rate_2"] - expected["rate_1"], atol=1e-12)
    assert (found["groups"] == "yes - no").all()
    assert (found["n_donors"].fillna(0) <= 1).all()
    assert found["note"][~testable].str.startswith("not testable: ").all()
    assert found["note"][testable].isna().all()


def test_table_is_as_declared(golden: Path) -> None:
    profile, study = golden_trial(golden)
    found, comments = taxa(outcomes(profile, study), study.subjects, "responder")
    assert list(found.columns) == TAXA.names
    assert comments[0] == "samples: visits that all have: day 30, day 90"
    for column in TAXA.columns:
        values = found[column.name].dropna()
        if column.minimum is not None:
            assert (values >= column.minimum).all(), column.name
        if column.maximum is not None:
            assert (values <= column.maximum).all(), column.name
        if column.allowed:
            assert set(values) <= set(column.allowed)
    assert found["n_donors"].isna().all()
    assert (found["p_value"] >= found["p_attainable"])[found["p_value"].notna()].all()
    assert (found["p_attainable"] >= found["p_floor"] - 1e-15)[found["p_value"].notna()].all()


def test_a_thousand_taxa_at_four_of_ten_need_96_at_the_floor() -> None:
    rows = []
    for i in range(10):
        for k in range(1000):
            # Each taxon is lost by four, not always the same.
            lost = (i - k) % 10 < 4
            rows.append((f"S{i}", 30, f"t{k:04d}", "depleted" if lost else "persisted"))
    groups = subjects_of(**{f"S{i}": "yes" if i < 4 else "no" for i in range(10)})
    found, comments = taxa(table_of(rows), groups, "group")
    loss = found[found["quantity"] == "loss"]
    assert (loss["p_floor"] == 1 / 210).all()
    assert "loss, yes - no: at this n, q < 0.05 needs at least 96 taxa at the floor (p = 0.00476) of 1000 testable" in (
        comments
    )
    # One taxon in ten reaches the floor: 100 of them are enough, and those of them are found.
    assert (loss["p_value"] == loss["p_floor"]).sum() == 100
    assert (loss["q_value"] < 0.05).sum() == 100
    assert remarks(found) == [line for line in comments if line.startswith("loss")]


def test_what_cannot_be_reached_is_said() -> None:
    rows = [(f"S{i}", 30, "t", "depleted" if i < 2 else "persisted") for i in range(5)]
    found, comments = taxa(table_of(rows), subjects_of(S0="b", S1="b", S2="a", S3="a", S4="a"), "group")
    loss = found[found["quantity"] == "loss"].iloc[0]
    assert (loss["rate_1"], loss["rate_2"], loss["p_value"]) == (0, 1, 1 / comb(5, 2))
    # Two taxa at the floor would be needed, and there is one.
    assert (
        comments[-1] == "loss, b - a: at this n, q < 0.05 cannot be reached: 1 testable taxon, smallest possible p 0.1"
    )
    assert (loss["permutations"], loss["scheme"]) == (comb(5, 2), "exact")


def test_enough_taxa_that_do_not_all_have_the_floor() -> None:
    # Two of these four would have to be at the floor of t0, which the other three cannot reach.
    rows = [(f"S{i}", 30, "t0", "depleted" if i < 3 else "persisted") for i in range(8)]
    for k in range(1, 4):
        rows += [(f"S{i}", 30, f"t{k}", "depleted" if i == k else "persisted") for i in range(8)]
    groups = subjects_of(**{f"S{i}": "b" if i < 3 else "a" for i in range(8)})
    _, comments = taxa(table_of(rows), groups, "group")
    assert comments[-1] == (
        "loss, b - a: at this n, q < 0.05 needs at least 2 taxa at the floor (p = 0.0179) of 4 testable; not reached "
        "even with every taxon at its smallest attainable p"
    )


def test_what_could_have_been_reached_and_was_not() -> None:
    # Four of ten lost it, two of them in the group of four: p is far from the floor, which one taxon alone could pass.
    rows = [(f"S{i}", 30, "t", "depleted" if i in (0, 1, 8, 9) else "persisted") for i in range(10)]
    groups = subjects_of(**{f"S{i}": "yes" if i < 4 else "no" for i in range(10)})
    found, comments = taxa(table_of(rows), groups, "group")
    loss = found[found["quantity"] == "loss"].iloc[0]
    assert loss["p_value"] > 0.3
    assert loss["p_attainable"] == pytest.approx(1 / 210)
    assert comments[-1] == (
        "loss, yes - no: at this n, q < 0.05 needs at least 1 taxon at the floor (p = 0.00476) of 1 testable"
    )


@pytest.mark.parametrize(
    ("lost", "groups", "note"),
    [
        ("0000", "aabb", "not testable: loss in nobody of the 4 subjects at risk"),
        ("1111", "aabb", "not testable: loss in everybody of the 4 subjects at risk"),
        ("01--", "aabb", "not testable: nobody of b had it at baseline"),
        ("--01", "aabb", "not testable: nobody of a had it at baseline"),
        ("----", "aabb", "not testable: nobody had it at baseline"),
        ("0-1-", "aabb", "not testable: with 1 and 1 subjects at risk no arrangement has p < 1"),
        ("0001", "aabb", "not testable: with 2 and 2 subjects at risk no arrangement has p < 1"),
        ("0001", "aaab", None),
        ("0011", "aaaa", "not testable: all subjects are a (group)"),
    ],
)
def test_reasons(lost: str, groups: str, note: str | None) -> None:
    rows = [(f"S{i}", 30, "other", "persisted") for i in range(4)]
    words = {"0": "persisted", "1": "depleted", "-": "gained"}
    rows += [(f"S{i}", 30, "t", words[mark]) for i, mark in enumerate(lost)]
    found, _ = taxa(table_of(rows), subjects_of(**{f"S{i}": g for i, g in enumerate(groups)}), "group")
    row = found[(found["quantity"] == "loss") & (found["taxon"] == "t")].iloc[0]
    assert row["note"] == note
    assert np.isnan(row["p_value"]) == (note is not None)
    assert np.isnan(row["q_value"]) == (note is not None)


def test_all_missing_response_and_one_subject() -> None:
    rows = [("S0", 30, "t", "depleted"), ("S0", 30, "u", "engrafted")]
    groups = pd.DataFrame({"subject": ["S0"], "best_response": [None]})
    found, comments = taxa(table_of(rows), groups, "responder")
    assert set(found["note"]) == {"not testable: no subject has a value (responder)"}
    loss = found[(found["quantity"] == "loss") & (found["taxon"] == "t")].iloc[0]
    assert (loss["n_at_risk"], loss["rate"]) == (1, 1)
    assert np.isnan(loss["ci_low"])  # one subject has no interval
    assert comments == ["samples: visits that all have: day 30"]


def test_more_than_two_groups_are_compared_in_pairs() -> None:
    rows = [(f"S{i}", 30, "t", "depleted" if i % 2 else "persisted") for i in range(9)]
    groups = subjects_of(**{f"S{i}": ["c", "placebo", "b"][i // 3] for i in range(9)})
    found, _ = taxa(table_of(rows), groups, "group")
    loss = found[found["quantity"] == "loss"]
    assert list(loss["groups"]) == ["b - placebo", "c - placebo", "c - b"]
    assert list(loss["n_at_risk_1"]) == [3, 3, 3]


def test_visits_are_averaged_within_subjects_and_dropouts_do_not_shift_them() -> None:
    # A has both visits, B and C too, D only the first: the first is what all have.
    days = {"A": (30, 90), "B": (31, 90), "C": (30, 91), "D": (30,)}
    rows = [(s, day, "t", "depleted" if day > 60 else "persisted") for s, all_days in days.items() for day in all_days]
    found, comments = taxa(table_of(rows))
    loss = found[found["quantity"] == "loss"].iloc[0]
    assert (loss["n_at_risk"], loss["rate"], loss["n_samples"]) == (4, 0, 4)
    assert comments[0] == "samples: visits that all have: days 30 to 31; 3 of 7 samples do not count"
    found, comments = taxa(table_of(rows), window=(60, 100))
    loss = found[found["quantity"] == "loss"].iloc[0]
    assert (loss["n_at_risk"], loss["rate"], loss["n_samples"]) == (3, 1, 3)
    assert "left out: D" in comments[0]
    found, _ = taxa(table_of([row for row in rows if row[0] != "D"]))
    loss = found[found["quantity"] == "loss"].iloc[0]
    assert (loss["n_event"], loss["rate"], loss["n_ever"], loss["n_always"]) == (1.5, 0.5, 3, 0)
    assert (loss["taxa_event"], loss["taxa_at_risk"], loss["n_calls"]) == (1.5, 3, 6)
    with pytest.raises(InputError, match="day window"):
        taxa(table_of(rows), window=(100, 60))


def test_two_samples_of_one_day_count_as_one_visit() -> None:
    table = table_of([("A", 30, "t", "depleted"), ("A", 30, "t", "persisted"), ("A", 90, "t", "depleted")])
    table["sample"] = ["A.1", "A.2", "A.3"]
    loss = taxa(table)[0].iloc[0]
    assert (loss["quantity"], loss["n_samples"], loss["n_calls"]) == ("loss", 3, 3)
    assert loss["rate"] == (1 / 2 + 1) / 2


def test_engraftment_needs_somebody_to_receive() -> None:
    rows = [(f"F{i}", 42, "t", "engrafted" if i else "not_engrafted") for i in range(4)]
    rows += [(f"P{i}", 42, "t", "gained") for i in range(2)] + [("P2", 42, "u", "persisted")]
    groups = subjects_of(**{f"F{i}": "fmt" for i in range(4)}, **{f"P{i}": "placebo" for i in range(3)})
    found, _ = taxa(table_of(rows), groups, "group")
    t = found[found["taxon"] == "t"].set_index("quantity")
    assert t.loc["engraftment", "note"].startswith("not testable: placebo received nothing that has a profile")
    assert (t.loc["engraftment", "n_subjects"], t.loc["engraftment", "rate"]) == (4, 0.75)
    assert np.isnan(t.loc["engraftment", "p_value"])
    # Arrival needs no donor: three of four against two of three.
    assert (t.loc["arrival", "n_at_risk_1"], t.loc["arrival", "n_at_risk_2"]) == (3, 4)
    assert t.loc["arrival", "effect"] == pytest.approx(0.75 - 2 / 3)
    assert t.loc["arrival", "p_value"] == 1
    # A taxon that placebo P2 neither had nor gained is at risk there, though it has no row.
    assert (t.loc["gain", "n_at_risk_1"], t.loc["gain", "rate_1"]) == (3, 2 / 3)
    assert t.loc["gain", "note"] == "not testable: nobody of fmt lacked it and did not receive it"


def test_without_a_profiled_donor_loss_is_still_known() -> None:
    samples = [("d", "D", "donor", None), ("a0", "A", "recipient", 0), ("a1", "A", "recipient", 9)]
    study = Study(samples_frame(samples), doses=doses_frame([("A", 0, "D", "d")]))
    abundance = abundance_frame(np.array([[1.0, 1, 0], [0, 1, 1]]), ["a0", "a1"])
    found, _ = taxa(outcomes(abundance, study), doses=study.doses)
    by = found.set_index(["quantity", "taxon"])
    assert list(by.loc["loss", "rate"].dropna()) == [1, 0]
    assert by.loc[("arrival", "t__SGB3"), "rate"] == 1
    assert (by.loc["engraftment", "n_at_risk"] == 0).all()
    assert (by.loc["gain", "n_at_risk"] == 0).all()
    assert (by.loc["gain", "n_subjects"] == 0).all()
    assert by.loc[("loss", "t__SGB1"), "n_donors"] == 1


def test_donors_are_those_of_the_subjects_at_risk() -> None:
    rows = [
        ("A", 30, "t", "persisted"),
        ("B", 30, "t", "persisted"),
        ("C", 30, "t", "gained"),
        ("C", 30, "u", "persisted"),
    ]
    doses = doses_frame([("A", 0, "X", None), ("B", 0, "X", None), ("C", 0, "Y", None), ("C", 9, "Z", None)])
    found, comments = taxa(table_of(rows), subjects_of(A="a", B="a", C="b"), "group", doses=doses)
    by = found.set_index(["quantity", "taxon"])["n_donors"]
    assert (by["loss", "t"], by["loss", "u"], by["arrival", "t"], by["engraftment", "t"]) == (1, 2, 2, 0)
    assert any("confounded" in line for line in comments)
    # Groups may be the donors themselves.
    found, comments = taxa(table_of(rows), by="donor", doses=doses)
    assert set(found["groups"]) == {"Y+Z - X"}
    assert not any("confounded" in line for line in comments)


def test_calls_below_the_limit_are_counted_where_they_matter() -> None:
    rows = [
        ("A", 30, "t", "depleted", "below_limit", "post"),
        ("B", 30, "t", "persisted", "below_limit", "donor"),
        ("C", 30, "t", "gained", "below_limit", "baseline"),
        ("D", 30, "t", "engrafted", "sure", None),
    ]
    table = table_of([row[:4] for row in rows]).assign(certainty=[r[4] for r in rows], unsure=[r[5] for r in rows])
    found = taxa(table)[0].set_index("quantity")
    assert list(found.loc[list(QUANTITIES), "n_calls"]) == [2, 1, 1, 2]
    assert list(found.loc[list(QUANTITIES), "n_below_limit"]) == [1, 0, 1, 1]
    assert (taxa(table.drop(columns=["certainty", "unsure"]))[0]["n_below_limit"] == 0).all()


def lineage_of(**genus: str | None) -> pd.DataFrame:
    return pd.DataFrame(
        {"species": [f"s__{t}" for t in genus], "genus": list(genus.values()), "family": "f__F"}, index=list(genus)
    )


def test_taxa_roll_up_to_clades() -> None:
    rows = [
        *(("A", 30, t, o) for t, o in (("t1", "depleted"), ("t2", "persisted"), ("t3", "depleted"), ("u", "depleted"))),
        *(("B", 30, t, o) for t, o in (("t1", "persisted"), ("t2", "depleted"), ("t3", "gained"), ("u", "gained"))),
    ]
    table = table_of(rows)
    lineage = lineage_of(t1="g__G", t2="g__G", t3="g__G", u=None)
    found, _ = taxa(table, lineage=lineage, rank="genus")
    loss = found[found["quantity"] == "loss"].set_index("taxon")
    assert list(loss.index) == ["(no genus)", "g__G"]
    g = loss.loc["g__G"]
    # A lost 2 of 3 taxa of the genus, B 1 of 2.
    assert (g["n_taxa"], g["taxa_at_risk"], g["taxa_event"], g["n_at_risk"]) == (3, 5, 3, 2)
    assert g["rate"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (g["n_always"], g["n_ever"], g["n_calls"]) == (0, 2, 5)
    assert loss.loc["(no genus)", "n_at_risk"] == 1
    plain, _ = taxa(table, lineage=lineage)
    assert list(plain.loc[:3, "species"]) == ["s__t1", "s__t2", "s__t3", "s__u"]
    with pytest.raises(InputError, match="1 of 4 taxa are not in the profile, the first are 'u'"):
        taxa(table, lineage=lineage.drop("u"), rank="genus")
    with pytest.raises(InputError, match="needs lineages"):
        taxa(table, rank="genus")
    with pytest.raises(InputError, match="'tribe' is not known"):
        taxa(table, lineage=lineage, rank="tribe")


def test_each_rank_of_single_taxa_is_the_taxon_itself(golden: Path) -> None:
    profile, study = golden_trial(golden)
    table = outcomes(profile, study)
    lineage = lineage_of(**{name: f"g__{name}" for name in profile.columns})
    single, _ = taxa(table, study.subjects, "responder")
    rolled, _ = taxa(table, study.subjects, "responder", lineage, "genus")
    assert list(rolled["taxon"]) == [f"g__{name}" for name in single["taxon"]]
    assert_frame_equal(rolled.drop(columns="taxon"), single.drop(columns="taxon"))


def test_top_is_a_sorted_view(golden: Path) -> None:
    profile, study = golden_trial(golden)
    found, _ = taxa(outcomes(profile, study), study.subjects, "responder")
    lost = top(found, "loss", 5)
    assert len(lost) == 5
    everything = found[found["quantity"] == "loss"]
    assert list(lost["n_event"]) == sorted(everything["n_event"], reverse=True)[:5]
    assert (top(found, "engraftment", 1000)["n_event"] > 0).all()
    assert top(found, "loss", 1, "p_value")["p_value"].iloc[0] == everything["p_value"].min()
    assert top(found, "loss", 1, "effect")["effect"].abs().iloc[0] == everything["effect"].abs().max()
    assert len(found) == len(taxa(outcomes(profile, study), study.subjects, "responder")[0])
    with pytest.raises(InputError, match="no such order"):
        top(found, "loss", 5, "name")


def test_p_values_are_calibrated_when_nothing_is_true() -> None:
    rng = np.random.default_rng(8)
    n, number = 20, 1200
    had = rng.random((n, number)) < rng.uniform(0.3, 1, number)
    # A subject that loses much loses much of everything; taxa differ too.
    chance = np.clip(rng.beta(2, 3, (n, 1)) * rng.uniform(0.2, 1.6, number), 0, 1)
    parts = []
    for day in (30, 60, 90):
        lost = rng.random((n, number)) < chance
        s, t = np.nonzero(had)
        parts.append(
            pd.DataFrame(
                {"subject": s, "day": day, "taxon": t, "outcome": np.where(lost[s, t], "depleted", "persisted")}
            )
        )
    table = pd.concat(parts)
    table["subject"] = "S" + table["subject"].astype(str)
    table["taxon"] = "t" + table["taxon"].astype(str)
    table["sample"] = table["subject"] + "." + table["day"].astype(str)
    table["baseline_sample"] = table["subject"] + ".0"
    for source in ("donor", "baseline", "post"):
        table[f"{source}_abundance"] = 0.1
    rates = []
    for _ in range(6):
        labels = rng.permutation(np.repeat(["no", "yes"], [12, 8]))
        groups = subjects_of(**{f"S{i}": label for i, label in enumerate(labels)})
        found, _ = taxa(table.astype({"day": "Int64"}), groups, "group")
        p = found.loc[found["quantity"] == "loss", "p_value"].dropna()
        assert len(p) > 1150
        rates.append([(p <= level).mean() for level in (0.01, 0.05)])
    # Taxa of one trial are correlated through its subjects: the mean over trials is what is held.
    means = np.mean(rates, axis=0)
    assert means[0] < 0.02
    assert means[1] < 0.07
    assert means[1] > 0.02


def test_bad_tables_are_refused() -> None:
    table = table_of([("A", 30, "t", "depleted")])
    with pytest.raises(InputError, match="column 'taxon' is missing"):
        taxa(table.drop(columns="taxon"))
    with pytest.raises(InputError, match="1 rows stand twice"):
        taxa(pd.concat([table, table]))
    with pytest.raises(InputError, match="no post sample has a baseline"):
        taxa(table.assign(outcome=None))
    with pytest.raises(InputError, match="need a subjects table"):
        taxa(table, by="arm")
    with pytest.raises(InputError, match="did you mean 'group'"):
        taxa(table, subjects_of(A="x"), "grop")
    with pytest.raises(InputError, match="'A' stands twice"):
        taxa(table, pd.concat([subjects_of(A="x")] * 2), "group")


def test_calls_need_no_detected_columns(golden: Path) -> None:
    profile, study = golden_trial(golden)
    table = outcomes(profile, study)
    bare = table.drop(columns=[f"{name}_detected" for name in ("donor", "baseline", "post")])
    for quantity in QUANTITIES:
        full, less = calls(table).tallies[quantity], calls(bare).tallies[quantity]
        np.testing.assert_array_equal(full.risk, less.risk)
        np.testing.assert_array_equal(full.event, less.event)
