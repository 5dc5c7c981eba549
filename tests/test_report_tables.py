"""Tables of the report that sum up: rows joined and not, how donors differ, what could not be tested, and notes."""

from __future__ import annotations

import dataclasses
import itertools

import pandas as pd
import pytest
from report_patients import write_patients

from microbiome.associate.tables import ASSOCIATIONS
from microbiome.donors.tables import DONOR_SPREAD
from microbiome.molecules.tables import JOINS
from microbiome.report import data
from microbiome.report.blocks import Note, TableBlock
from microbiome.report.clinical_frames import best_of, response_source
from microbiome.report.data_clinical import complete
from microbiome.report.figures.courses import end_labels
from microbiome.report.notes import named_methods
from microbiome.report.page import build, render
from microbiome.report.roster import people, sample_table
from microbiome.report.sections import associations, clinical, donors


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> data.Tables:
    options = write_patients(tmp_path_factory.mktemp("tables"))
    given = dict(zip(options[::2], options[1::2], strict=True))
    names = ("lesions", "toxicities", "treatments")
    inputs = data.inputs(given["--results"], **{name: given[f"--{name}"] for name in names})
    return data.read(inputs, given["--samples"], given["--subjects"], given["--doses"])


def with_clinical(tables: data.Tables, **more: pd.DataFrame) -> data.Tables:
    return dataclasses.replace(tables, clinical={**tables.clinical, **more})


def texts(block: TableBlock) -> list[list[str]]:
    return [[cell.text for cell in row] for row in block.rows]


def pairs(notes: list[str | None]) -> pd.DataFrame:
    rows = [
        {"table_1": "taxa", "feature_1": f"f{i}", "table_2": "m", "feature_2": "x", "method": "spearman", "at": "post"}
        | {"part": "value", "effect_name": "rho", "note": note, "p_value": None if note else 0.5, "n_subjects": 9}
        | {"effect": None if note else 0.1, "ci_low": -0.2, "ci_high": 0.4, "interval": "bonett_wright"}
        for i, note in enumerate(notes)
    ]
    return complete(pd.DataFrame(rows), ASSOCIATIONS)


def test_rows_that_were_joined_and_those_that_were_not_are_told(tables: data.Tables) -> None:
    one = {"table_1": "taxa", "table_2": "cytokines", "window": 7, "prefer": "nearest"}
    rows = [
        {**one, "subject": "P1", "status": "joined", "row_1": "a0", "day_1": -1, "row_2": "P1 day -3", "day_2": -3}
        | {"lag": -2},
        {**one, "subject": "P1", "status": "joined", "row_1": "a1", "day_1": 30, "row_2": "P1 day 31", "day_2": 31}
        | {"lag": 1},
        {**one, "subject": "P2", "status": "only_1", "row_1": "b0", "day_1": 0, "note": "no row of this subject"},
        {**one, "subject": "P1", "status": "only_2", "row_2": "P1 day 99", "day_2": 99, "note": "none within 7 days"},
    ]
    joins = complete(pd.DataFrame(rows), JOINS)
    found = with_clinical(tables, joins=joins)
    section = associations(dataclasses.replace(found, associations={"subjects": pairs([None])}))[0]
    blocks = {block.key: block for block in section.blocks if isinstance(block, TableBlock)}
    assert texts(blocks["joins"]) == [["taxa with cytokines", "2", "1", "1", "−2 to 1", "7", "nearest"]]
    assert texts(blocks["joins_alone"]) == [
        ["taxa", "cytokines", "P2", "b0", "0", "no row of this subject"],
        ["cytokines", "taxa", "P1", "P1 day 99", "99", "none within 7 days"],
    ]
    assert blocks["joins"].data is not None
    assert len(blocks["joins"].data) == 4
    whole = with_clinical(tables, joins=joins[joins["status"] == "joined"])
    section = associations(dataclasses.replace(whole, associations={"subjects": pairs([None])}))[0]
    assert any(isinstance(block, Note) and "Every row" in block.text for block in section.blocks)


def test_how_much_donors_differ_is_told(tables: data.Tables) -> None:
    row = {"quantity": "response_rate", "n_donors": 4, "n_subjects": 20, "mean": 0.4, "ci_low": 0.2, "ci_high": 0.6}
    row |= {"between_sd": 0.125, "i_squared": 0.3, "p_value": 0.04, "p_floor": 0.001, "note": "one thing"}
    method = {"method": "beta_binomial_ml; recipients permuted between donors"}
    spread = complete(pd.DataFrame([row | method]), DONOR_SPREAD)
    donor = pd.DataFrame([{"donor": "D1", "note": None, "method": "clopper_pearson"}])
    from microbiome.donors.tables import DONORS

    found = with_clinical(tables, donor_table=complete(donor, DONORS), donor_spread=spread)
    blocks = {getattr(block, "key", ""): block for block in donors(found)[0].blocks}
    assert texts(blocks["donor_spread"]) == [
        [
            *("response", "4", "0.40", "0.125", "0.30", "0.040"),
            *("beta-binomial by maximum likelihood; recipients permuted between donors", "one thing"),
        ]
    ]
    assert [cell.sub.strip() for cell in blocks["donor_spread"].rows[0][1:3]] == ["20 recipients", "0.20 to 0.60"]


def test_pairs_that_could_not_be_tested_are_counted_by_reason(tables: data.Tables) -> None:
    notes = [None, *["not testable: all values are equal"] * 500, "not testable: one subject; half of it taken"]
    section = associations(dataclasses.replace(tables, associations={"m": pairs(notes)}))[0]
    note = next(block for block in section.blocks if isinstance(block, Note) and "testable" in block.text)
    assert note.text.startswith("Not testable: 501 pairs")
    assert list(note.items) == [
        "500: all values are equal (f1 ~ x, f2 ~ x, f3 ~ x and 497 more)",
        "1: one subject (f501 ~ x)",
    ]
    table = next(block for block in section.blocks if isinstance(block, TableBlock))
    assert "interval: Bonett-Wright" in table.rows[0][3].sub


def test_notes_stand_below_their_rows(tables: data.Tables) -> None:
    table = build(tables).sections
    noted = next(b for section in table for b in section.blocks if isinstance(b, TableBlock) and b.key == "survival")
    assert noted.noted
    assert [heading.name for heading in noted.columns] == [heading.name for heading in noted.headings[:-1]]
    notes = [row[-1].text for row in noted.rows if row[-1].text]
    assert notes
    source = render(build(tables))
    part = source.split('id="tab-survival"')[1].split("</table>")[0]
    assert part.count('<tr class="remark">') == len(notes)
    assert part.count("<th ") == len(noted.headings) - 1
    assert ">note</th>" not in part


def test_whose_response_the_waterfall_shows_is_told(tables: data.Tables) -> None:
    subjects = people(tables)
    found = tables.clinical["best_responses"].assign(best_response="SD", agrees=0)
    by_lesions = with_clinical(tables, best_responses=found)
    assert best_of(by_lesions, subjects)["P1"] == "SD"
    assert response_source(by_lesions).startswith("that of the lesions")
    # Where the rates are of the responses that were given, so are the colours.
    given = tables.clinical["response"].assign(criteria="best_response")
    by_sheet = with_clinical(by_lesions, response=given)
    assert best_of(by_sheet, subjects)["P1"] == "PR"
    assert response_source(by_sheet).startswith("as given in the subjects table")
    blocks = {
        getattr(b, "key", ""): b for b in clinical(by_sheet, subjects, sample_table(by_sheet, subjects))[0].blocks
    }
    caption = blocks["waterfall"].caption
    assert "as given in the subjects table" in caption
    assert f"Of {len(found)} subjects lesions and subjects table differ" in caption


def test_names_at_the_ends_of_lines_do_not_cover_each_other() -> None:
    rows = [
        {"subject": f"patient {i}", "day": day, "change_percent": change}
        for i in range(20)
        for day, change in ((-5, 0.0), (100, 0.1 * i))
    ]
    height = 270.0
    labels = end_labels(pd.DataFrame(rows), height)
    assert len(labels) == 20
    # The axis spans from below -30 to above 20 %.
    pixels = sorted(labels["label_at"] * height / 56)
    assert min(b - a for a, b in itertools.pairwise(pixels)) > 9.9
    apart = pd.DataFrame([("a", 10, 50.0), ("b", 400, 50.0)], columns=["subject", "day", "change_percent"])
    assert end_labels(apart, height)["label_at"].tolist() == pytest.approx([50.0, 50.0])


def test_methods_are_written_as_people_write_them() -> None:
    assert (
        named_methods("clopper_pearson; logit_t over recipients")
        == "Clopper-Pearson; t on the logit scale over recipients"
    )
    assert named_methods("some_new_one") == "some new one"
    assert named_methods(None) == ""
