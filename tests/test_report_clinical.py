"""The clinical sections: what they draw and say is what the tables hold, and what cannot be shown is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_patients import CODE, write_patients

from microbiome.associate.tables import ASSOCIATIONS
from microbiome.clinical.toxicity_tables import CLINICAL_TOXICITY
from microbiome.errors import InputError
from microbiome.report import data, page
from microbiome.report.association_frames import cloud, named_pairs, network, passing
from microbiome.report.blocks import Figure, Missing, TableBlock
from microbiome.report.clinical_frames import best_changes, best_of, changes_over_time, lanes, risk_rows, steps
from microbiome.report.data_clinical import complete
from microbiome.report.data_function import split_word
from microbiome.report.function_frames import OTHERS, contribution_bars, taxon_name
from microbiome.report.methods import methods
from microbiome.report.roster import people, sample_table
from microbiome.report.sections import associations, clinical, toxicity


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> data.Tables:
    options = write_patients(tmp_path_factory.mktemp("clinical"))
    given_paths = dict(zip(options[::2], options[1::2], strict=True))
    names = ("lesions", "toxicities", "treatments")
    inputs = data.inputs(given_paths["--results"], **{name: given_paths[f"--{name}"] for name in names})
    return data.read(inputs, given_paths["--samples"], given_paths["--subjects"], given_paths["--doses"])


@pytest.fixture(scope="module")
def subjects(tables: data.Tables) -> pd.DataFrame:
    return people(tables)


def blocks_of(sections: list) -> dict[str, object]:
    return {block.key: block for section in sections for block in section.blocks if hasattr(block, "key")}


def test_the_waterfall_falls(tables: data.Tables, subjects: pd.DataFrame) -> None:
    best = best_changes(tables, subjects)
    # P1 from 100 to 40 mm; P2 has one assessment, a progression, from 50 to 65 mm.
    assert best[["subject", "best_response"]].to_numpy().tolist() == [["P2", "PD"], ["P1", "PR"]]
    assert best["best_change_percent"].tolist() == pytest.approx([30.0, -60.0])
    without = dataclasses.replace(tables, clinical={})
    again = best_changes(without, subjects)
    assert again["best_change_percent"].tolist() == pytest.approx([30.0, -60.0])


def test_assessments_after_progression_count_only_where_there_are_no_criteria(
    tables: data.Tables, subjects: pd.DataFrame
) -> None:
    assert tables.lesions is not None
    late = tables.lesions.iloc[[-1]].assign(day=80, sum_diameters=20.0)
    more = dataclasses.replace(tables, lesions=pd.concat([tables.lesions, late], ignore_index=True))
    assert changes_over_time(more)["day"].max() == 100
    bare = dataclasses.replace(more, clinical={})
    assert best_changes(bare, subjects).set_index("subject").loc["P2", "best_change_percent"] == pytest.approx(-60.0)
    figure = blocks_of(clinical(bare, subjects, sample_table(bare, subjects)))["waterfall"]
    assert "those after progression, too" in figure.caption


def test_the_response_of_the_lesions_goes_before_that_of_the_subjects_table(
    tables: data.Tables, subjects: pd.DataFrame
) -> None:
    found = tables.clinical["best_responses"]
    changed = found.assign(best_response=found["best_response"].replace("PR", "iUPD"), agrees=0)
    other = dataclasses.replace(tables, clinical={**tables.clinical, "best_responses": changed})
    assert best_of(other, subjects).to_dict()["P1"] == "PD"
    # Who has no assessment is NE by the lesions, as in the response rates; without lesions the table is asked.
    assert best_of(other, subjects).to_dict()[CODE] == "NE"
    assert best_of(dataclasses.replace(tables, clinical={}), subjects).to_dict()[CODE] == "SD"
    words = [
        getattr(block, "items", []) for block in clinical(other, subjects, sample_table(tables, subjects))[0].blocks
    ]
    assert any("P1: iUPD by the lesions, PR in the subjects table" in items for items in words)


def test_lanes_of_the_swimmer_plot(tables: data.Tables, subjects: pd.DataFrame) -> None:
    bars, marks = lanes(tables, subjects, sample_table(tables, subjects))
    assert bars.set_index("subject")["end"].to_dict() == {"P1": 900.0, CODE: 120.0, "P2": 60.0}
    assert bars["subject"].tolist() == ["P1", CODE, "P2"]
    found = {(row.subject, row.what, row.day) for row in marks.itertuples() if row.what not in ("sample", "dose")}
    assert found == {
        ("P1", "irAE grade ≥ 3", 20.0),
        ("P1", "progression", 200.0),
        ("P1", "alive at last contact", 900.0),
        ("P2", "progression", 40.0),
        ("P2", "death", 60.0),
        (CODE, "alive at last contact", 120.0),
    }
    assert (marks["what"] == "dose").sum() == 3
    assert (marks["what"] == "sample").sum() == 7


def test_sections_hold_the_numbers_of_the_tables(tables: data.Tables, subjects: pd.DataFrame) -> None:
    found = blocks_of(clinical(tables, subjects, sample_table(tables, subjects)))
    assert {"response_rates", "waterfall", "spider", "swimmer", "survival_pfs_arm", "survival_os_arm"} <= set(found)
    rates = tables.clinical["response"]
    everybody = rates[(rates["group"] == "all") & (rates["quantity"] == "orr")].iloc[0]
    table = found["response_rates"]
    assert isinstance(table, Figure | TableBlock)
    drawn = found["survival_os_arm"]
    assert isinstance(drawn, Figure)
    assert "No log-rank test: 1 event, and 2 are needed." in drawn.caption
    pfs = found["survival_pfs_arm"]
    assert isinstance(pfs, Figure)
    assert "Log-rank test: p = " in pfs.caption
    assert drawn.subjects == 3
    assert int(everybody["n"]) == 3
    assert drawn.data["events"].sum() == 1
    for block in found.values():
        if isinstance(block, Figure):
            assert block.spec["config"]
            assert block.subjects > 0


def test_no_section_without_anything_to_show(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text("sample\tsubject\trole\tday\ns\tP\trecipient\t0\n")
    bare = data.read(data.Inputs(), tmp_path / "samples.tsv")
    kinds = {section.key for section in page.build(bare).sections}
    assert not kinds & {"clinical", "toxicity", "donors", "associations", "function"}
    assert "patients" in kinds


def test_methods_name_what_was_done(tables: data.Tables) -> None:
    words = " ".join(methods(tables, "1"))
    for piece in ("[@recist]", "[@clopper_pearson]", "[@kaplan_meier]", "[@log_rank]", "[@cox]", "Fisher"):
        assert piece in words, piece
    bare = " ".join(methods(dataclasses.replace(tables, clinical={}), "1"))
    for piece in ("[@recist]", "[@kaplan_meier]", "Response. "):
        assert piece not in bare, piece


# ---------------------------------------------------------------- curves


def curve(days: list[float], at_risk: list[int], survival: list[float], group: str = "a") -> pd.DataFrame:
    events = [0] * len(days)
    return pd.DataFrame(
        {
            "endpoint": "os",
            "by": None,
            "group": group,
            "day": days,
            "at_risk": at_risk,
            "events": events,
            "censored": events,
            "survival": survival,
            "ci_low": survival,
            "ci_high": survival,
        }
    )


def test_numbers_at_risk_are_those_just_before_a_day() -> None:
    rows = risk_rows(curve([0, 10, 25], [9, 9, 4], [1.0, 0.5, 0.2]), [0, 10, 11, 25, 26])
    assert rows["at_risk"].tolist() == [9, 9, 4, 4, 0]


@given(st.lists(st.integers(0, 60), min_size=3, max_size=12, unique=True))
def test_numbers_at_risk_count_who_has_not_left(times: list[int]) -> None:
    # Everybody leaves on a day of its own: at risk just before day t are those with time >= t.
    ordered = sorted(times)
    days = sorted({0, *ordered})
    at_risk = [sum(time >= day for time in ordered) for day in days]
    rows = risk_rows(curve(days, at_risk, [1.0] * len(days)), [float(day) for day in range(0, 70, 7)])
    assert rows["at_risk"].tolist() == [sum(time >= day for time in ordered) for day in range(0, 70, 7)]


def test_curves_begin_at_one() -> None:
    found = steps(curve([12, 30], [5, 3], [0.8, 0.5]))
    assert found.iloc[0][["day", "survival"]].tolist() == [0.0, 1.0]
    assert len(steps(curve([0, 30], [5, 3], [1.0, 0.5]))) == 2


# ---------------------------------------------------------------- associations


def pairs(n: int, seed: int = 0, found: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    frame = pd.DataFrame(
        {
            "table_1": "taxa",
            "feature_1": [f"t{i % 50}" for i in range(n)],
            "table_2": "metabolites",
            "feature_2": [f"m{i // 50}" for i in range(n)],
            "at": "change",
            "method": "spearman",
            "part": "value",
            "n": 20,
            "n_subjects": 20,
            "n_samples": 40,
            "effect": rng.uniform(-0.9, 0.9, n),
            "effect_name": "rho",
            "p_value": p,
            "q_value": np.where(np.arange(n) < found, 0.01, 0.9),
            "family_size": n,
            "detectable": 0.58,
            "detectable_family": 0.8,
        }
    )
    frame.loc[n - 1, ["p_value", "q_value", "effect"]] = float("nan")
    frame["note"] = None
    frame.loc[n - 1, "note"] = "not testable: all values are equal"
    return complete(frame, ASSOCIATIONS)


def with_pairs(tables: data.Tables, **named: pd.DataFrame) -> data.Tables:
    return dataclasses.replace(tables, associations=named)


@pytest.mark.parametrize("n", [60, 12_000])
def test_every_tested_pair_is_in_the_volcano(tables: data.Tables, n: int) -> None:
    frame = named_pairs(pairs(n, found=4), tables.lineages)
    drawn = cloud(frame)
    assert drawn["pairs"].sum() == n - 1
    assert (drawn["found"] & (drawn["pairs"] == 1)).sum() == 4
    assert len(drawn) <= max(60, 90 * 60 + 4)


def test_the_network_holds_what_passes_and_nothing_else(tables: data.Tables) -> None:
    hits = passing(named_pairs(pairs(300, found=7), tables.lineages))
    nodes, edges = network(hits)
    assert edges["edge"].nunique() == 7
    assert set(nodes["name"]) == set(hits["feature_1"]) | set(hits["feature_2"])
    assert nodes["partners"].sum() == 14
    assert not nodes.duplicated(["x", "y"]).any()
    signs = edges.drop_duplicates("edge").set_index("pair")["sign"]
    for row in hits.to_dict("records"):
        assert signs[f"{row['name_1']} ~ {row['name_2']}"] == ("together" if row["effect"] > 0 else "opposite")


def test_associations_tell_what_was_tested_and_what_could_have_been_found(tables: data.Tables) -> None:
    (section,) = associations(with_pairs(tables, molecules=pairs(300, found=3)))
    assert [fact.value for fact in section.facts] == ["300", "3"]
    found = blocks_of([section])
    volcano = found["associations_spearman"]
    assert isinstance(volcano, Figure)
    assert "299 pairs tested, 1 not testable" in volcano.caption
    assert "0.58 at p < 0.05" in volcano.caption
    assert "0.8" in volcano.caption
    table = found["associations"]
    assert isinstance(table, TableBlock)
    assert len(table.rows) == 150
    assert table.data is not None
    assert len(table.data) == 300
    notes = [item for block in section.blocks for item in getattr(block, "items", [])]
    assert any("all values are equal" in item for item in notes)


def test_nothing_found_has_no_network(tables: data.Tables) -> None:
    (section,) = associations(with_pairs(tables, molecules=pairs(100)))
    assert "associations_network" not in blocks_of([section])
    assert any("No pair passes" in str(getattr(block, "text", "")) for block in section.blocks)


def test_several_tables_keep_their_names_apart(tables: data.Tables) -> None:
    made = page.build(with_pairs(tables, clinic=pairs(60, found=2), molecules=pairs(80, 1, found=2)))
    keys = [figure.key for figure in made.figures]
    assert len(keys) == len(set(keys))
    assert {"associations_network_clinic", "associations_network_molecules"} <= set(keys)


# ---------------------------------------------------------------- toxicity


def test_worst_grades_are_drawn_by_donor(tables: data.Tables, subjects: pd.DataFrame) -> None:
    rows = [
        {"factor": "donor", "group": "D1", "quantity": "grade_count", "grade": grade, "n": 9, "events": events}
        for grade, events in enumerate((4, 3, 1, 1, 0, 0))
    ]
    rows.append(
        {"factor": "donor", "group": "D1", "quantity": "severe", "grade": 3, "n": 9, "events": 1, "ci_low": 0.0,
         "ci_high": 0.48, "method": "clopper_pearson"}
    )  # fmt: skip
    rows.append(
        {"factor": "donor", "quantity": "severe_test", "grade": 3, "unit": "donor", "n": 9, "n_donors": 1,
         "method": "donor_permutation", "note": "not testable: one donor"}
    )  # fmt: skip
    frame = complete(pd.DataFrame(rows), CLINICAL_TOXICITY)
    made = toxicity(dataclasses.replace(tables, clinical={"toxicity": frame}), subjects)
    found = blocks_of(made)
    figure = found["toxicity_grades"]
    assert isinstance(figure, Figure)
    drawn = [row for part in figure.spec["datasets"].values() for row in part]
    assert {(row["grade"], row["events"]) for row in drawn if "grade_name" in row and row.get("events")} >= {
        (0, 4),
        (1, 3),
        (2, 1),
        (3, 1),
    }
    assert any(row.get("severe") == "grade ≥ 3: 1/9 (0–48 %)" for row in drawn)
    table = found["toxicity_tests"]
    assert isinstance(table, TableBlock)
    assert any(cell.text == "one donor" for cell in table.rows[0])
    # Without the analysis it is said, where there are events.
    (bare,) = toxicity(dataclasses.replace(tables, clinical={}), subjects)
    assert any(isinstance(block, Missing) for block in bare.blocks)


# ---------------------------------------------------------------- functions


def test_contributions_add_up_and_count_each_subject_once() -> None:
    rows = [
        # P1 has two post samples, P2 one: EC1 rises by 0.2 and 0.4 (mean 0.3) in P1, and by 0.1 in P2.
        ("P1", "a1", "EC1", "g__X.s__X_one", 0.2),
        ("P1", "a2", "EC1", "g__X.s__X_one", 0.3),
        ("P1", "a2", "EC1", "unclassified", 0.1),
        ("P2", "b1", "EC1", "g__Y.s__Y_two", 0.1),
        ("P2", "b1", "EC2", "g__Y.s__Y_two", -0.02),
    ]
    frame = pd.DataFrame(rows, columns=["subject", "sample", "function", "taxon", "change"])
    bars = contribution_bars(frame, {"EC1": "first"}, taxa=1)
    assert list(dict.fromkeys(bars["title"])) == ["EC1: first", "EC2"]
    first = bars[bars["function"] == "EC1"]
    assert first["change"].sum() == pytest.approx((0.3 + 0.1) / 2)
    assert first["function_change"].iloc[0] == pytest.approx(0.2)
    assert first.set_index("taxon")["change"].to_dict() == pytest.approx(
        {"X one": 0.125, OTHERS: 0.05, taxon_name("unclassified"): 0.025}
    )
    assert bars[bars["function"] == "EC2"]["change"].sum() == pytest.approx(-0.01)


def test_kinds_of_functions_are_told_by_word_or_by_name() -> None:
    assert split_word("ec=folder/rates.tsv") == ("ec", "folder/rates.tsv")
    assert split_word("results/function/pcoa_bray_curtis_pathway.tsv")[0] == "pathway"
    assert split_word("results/function/compare_ko_arm.tsv")[0] == "ko"
    with pytest.raises(InputError, match="which kind of function"):
        split_word("rates.tsv")


def test_what_happens_after_death_is_told(tables: data.Tables, subjects: pd.DataFrame) -> None:
    samples = sample_table(tables, subjects)
    said = [item for block in clinical(tables, subjects, samples)[0].blocks for item in getattr(block, "items", [])]
    assert not [item for item in said if "death on day" in item]
    late = samples.assign(day=samples["day"].mask(samples["sample"] == "b2", 75))
    said = [item for block in clinical(tables, subjects, late)[0].blocks for item in getattr(block, "items", [])]
    assert [item for item in said if "death on day" in item] == ["P2: sample on day 75, death on day 60"]
