"""Tables of measurements: reading in three shapes, limits of detection, transforms, joining, configuration."""

# ruff: noqa: PD011 - Measured.values is no frame
from __future__ import annotations

import itertools
import logging
import math
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.check_tables import check_tables, read_tables
from microbiome.cli import main
from microbiome.config_table_entries import table_entries
from microbiome.config_tables import TableEntry, tables_schema
from microbiome.errors import InputError
from microbiome.features import write_features
from microbiome.molecules import (
    Measured,
    filled,
    from_outcomes,
    from_profile,
    from_rates,
    join,
    joins_table,
    parse_measured,
    parse_rows,
    read_measured,
    transform_values,
    transformed,
)
from microbiome.molecules.cells import parse_cell
from microbiome.molecules.tables import JOINS
from microbiome.outcomes import outcomes
from microbiome.rates import rates
from microbiome.simulate.molecules import MOLECULE_TABLES, simulate_molecules, write_molecules
from microbiome.simulate.panel import Panel, PanelParameters, simulate_panel
from microbiome.study import Study
from microbiome.tsv import read_result, write_table
from tests.strategies import samples_frame

STUDY = Study(
    samples_frame(
        [
            ("D1-1", "D1", "donor", None),
            ("007", "P1", "recipient", 0),
            ("1e5", "P1", "recipient", 28),
            ("NA", "P2", "recipient", -3),
            ("s4", "P2", "recipient", 30),
        ]
    )
)


def written(tmp_path: Path, text: str, name: str = "table.tsv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(tmp_path: Path, text: str, **options: object) -> list[str]:
    measured, problems = parse_measured(written(tmp_path, text), "m", STUDY, **options)  # type: ignore[arg-type]
    assert measured is None
    return [str(problem).replace(f"{tmp_path}/", "") for problem in problems]


# --- cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("", "missing", math.nan),
        (" ", "missing", math.nan),
        ("NA", "missing", math.nan),
        ("NaN", "missing", math.nan),
        ("0", "number", 0.0),
        ("-1.5e-3", "number", -0.0015),
        ("<0.5", "below", 0.5),
        ("< 0.5", "below", 0.5),
        ("<LOD", "below", math.nan),
        ("< lloq", "below", math.nan),
        (">100", "above", 100.0),
        ("> 1e2", "above", 100.0),
        (">ULOQ", "above", math.nan),
        (">LOD", "bad", math.nan),
        ("<", "bad", math.nan),
        ("<0,5", "bad", math.nan),
        ("<=0.5", "bad", math.nan),
        ("1,5", "bad", math.nan),
        ("inf", "bad", math.nan),
        ("1_000", "bad", math.nan),
        ("n.d.", "bad", math.nan),
        ("5 mg", "bad", math.nan),
    ],
)
def test_cell(text: str, kind: str, value: float) -> None:
    cell = parse_cell(text)
    assert cell.kind == kind
    assert cell.value == value or (math.isnan(cell.value) and math.isnan(value))
    assert bool(cell.message and cell.fix) == (kind == "bad")


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", "<", ">", "< ", "> "]))
def test_cell_of_any_number(number: float, mark: str) -> None:
    kind = {"": "number", "<": "below", ">": "above"}[mark.strip()]
    cell = parse_cell(f"{mark}{number!r}")
    assert (cell.kind, cell.value) == (kind, number)


# --- reading ---------------------------------------------------------------------------------------------------------

_CELLS = st.sampled_from(["", "NA", "0", "1.5", "-2", "1e3", "<0.5", "< 2", ">100"])


def naive(text: str) -> tuple[float, float, float]:
    """Value, limit it is below, limit it is above."""
    nan = math.nan
    if text in ("", "NA"):
        return nan, nan, nan
    if text[0] == "<":
        return nan, float(text[1:]), nan
    if text[0] == ">":
        return nan, nan, float(text[1:])
    return float(text), nan, nan


@given(st.lists(st.lists(_CELLS, min_size=3, max_size=3), min_size=5, max_size=5), st.permutations(range(5)))
def test_three_shapes_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("shapes")
    features = ["kynurenine", "007", "NA"]
    samples = STUDY.samples.iloc[order]
    table = [cells[i] for i in range(5)]
    by_sample = "".join("\t".join([sample, *row]) + "\n" for sample, row in zip(samples["sample"], table, strict=True))
    by_subject = "".join(
        "\t".join([subject, "" if pd.isna(day) else str(day), *row]) + "\n"
        for subject, day, row in zip(samples["subject"], samples["day"], table, strict=True)
    )
    by_feature = "\t".join(["", *samples["sample"]]) + "\n"
    by_feature += "".join("\t".join([feature, *(row[j] for row in table)]) + "\n" for j, feature in enumerate(features))
    head = "\t".join(features)
    for name, text in (
        ("a.tsv", f"# a comment\nsample\t{head}\n{by_sample}"),
        ("b.tsv", f"subject\tday\t{head}\n{by_subject}"),
        ("c.tsv", by_feature),
    ):
        path = folder / name
        path.write_text(text)
        measured = read_measured(path, "m", STUDY, "pg/mL", "rank")
        assert list(measured.values.columns) == features
        assert measured.rows.index.equals(measured.values.index)
        assert measured.rows["subject"].tolist() == samples["subject"].tolist()
        assert measured.rows["day"].fillna(-99).tolist() == samples["day"].fillna(-99).tolist()
        if name == "b.tsv":
            assert measured.rows["sample"].isna().all()
            assert measured.values.index.is_unique
        else:
            assert measured.rows["sample"].tolist() == measured.values.index.tolist() == samples["sample"].tolist()
        expected = np.array([[naive(cell) for cell in row] for row in table])
        for k, frame in enumerate((measured.values, measured.below, measured.above)):
            want = expected[:, :, k]
            if frame.empty:
                assert k > 0
                assert np.isnan(want).all()
            else:
                np.testing.assert_array_equal(frame.to_numpy(), want)


def test_shapes_are_said_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    read_measured(written(tmp_path, "sample\tx\ty\n007\t1\t<2\nNA\t\t>3\n"), "m", STUDY)
    assert (
        "one row per sample; 2 rows of 2 subjects, 2 features; 1 of 4 cells missing, 1 below and 1 above" in caplog.text
    )


def test_corner_called_sample_is_feature_by_sample(tmp_path: Path) -> None:
    measured = read_measured(written(tmp_path, "sample\t007\tNA\nkyn\t1\t2\n"), "m", STUDY)
    assert measured.values.loc["NA", "kyn"] == 2


def test_header_behind_a_hash(tmp_path: Path) -> None:
    measured = read_measured(written(tmp_path, "# made by X\n#OTU ID\t007\tNA\nkyn\t1\t<2\n"), "m", STUDY)
    assert measured.values.loc["007", "kyn"] == 1
    assert measured.below.loc["NA", "kyn"] == 2


def test_quotes_and_line_ends(tmp_path: Path) -> None:
    measured = read_measured(written(tmp_path, '"sample"\t"a b"\r\n"007"\t"1"\r\n'), "m", STUDY)
    assert measured.values.loc["007", "a b"] == 1


def test_unknown_names_are_listed_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    measured = read_measured(written(tmp_path, "subject\tday\tx\nP1\t1\t1\nP8\t1\t1\nP9\t1\t1\n"), "m", STUDY)
    assert measured.rows["subject"].tolist() == ["P1"]
    assert "2 subjects are not in the study and are left out: P8, P9" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["the file is empty"]),
        ("# only a comment\n", ["the file is empty"]),
        ("sample,x\n007,1\n", ["separated by commas"]),
        ("sample\tx\n", ["table.tsv: the table has no rows"]),
        ("sample\n007\n", ["has one column only"]),
        ("subject\tday\nP1\t0\n", ["no features"]),
        ("subject\tx\nP1\t1\n", ["column 'day' is missing"]),
        ("day\tx\n1\t1\n", ["column 'subject' is missing"]),
        ("Sample\tx\n007\t1\n", ["column 'Sample' must be written 'sample'"]),
        ("what\tx\ty\nkyn\t1\t2\n", ["names no sample of the study"]),
        ("sample\tx\ns1\t1\ns2\t2\n", ["none of the 2 samples is in the study ('s1', 's2')"]),
        ("subject\tday\tx\np1\t1\t1\n", ["none of the 1 subjects is in the study ('p1'); correct"]),
        ("subject\tday\tx\nq\t1\t1\n", ["those of the study are like 'P1'"]),  # 'D' is a donor
        ("sample\tx\n007\t1\n007\t2\n", [":3: sample: sample '007' stands already in line 2"]),
        ("sample\tx\n\t1\n007\t2\n", [":2: sample: the cell is empty"]),
        ("sample\tday\tx\n007\t3\t1\n", [":2: day: sample '007' has day '3', but 0 in the samples table"]),
        ("sample\tsubject\tx\n007\tP2\t1\n", [":2: subject: sample '007' has subject 'P2', but 'P1'"]),
        ("sample\tx\tx\n007\t1\t2\n", ["column 'x' stands twice"]),
        ("sample\tx\t\n007\t1\t2\n", ["column 3 has no name"]),
        ("sample\tx\n007\t1\t2\n", [":2: the row has 3 cells, the header has 2"]),
        ('sample\tx\n007\t"1\n', ["not a tab-separated table"]),
        ("subject\tday\tx\nP1\t1\t1\nP1\t1\t2\n", [":3: day: subject 'P1' day 1 stands already in line 2"]),
        ("subject\tday\tx\nP1\t1.5\t1\nP1\t\t2\n", [":2: day: '1.5' is not an integer", ":3: day: the cell is empty"]),
        ("subject\tday\tx\nP1\t1\tone\nP2\t1\t1\n", [":2: x: 'one' is not a number"]),
        (
            "subject\tday\tx\ty\nP1\t1\t1,5\t<LOD\nP2\t1\t2\t<=3\n",
            [":2: x: '1,5' is not a number; write decimals", ":2: y: the limit that '<LOD' means", ":3: y: '<=3'"],
        ),
        ("f\t007\tNA\nkyn\t1\tx\nkyn\t1\t1\n", [":2: NA: 'x' is not", ":3: feature 'kyn' stands already in line 2"]),
        ("f\t007\tNA\n\t1\t2\n", [":2: the feature has no name"]),
        ("subject\tday\tplate\tx\nP1\t1\tA\t1\nP2\t1\tB\t2\n", ["plate: feature 'plate' holds no number, but 'A'"]),
        ("sample\tsubject\trole\tday\n007\tP1\trecipient\t0\nNA\tP2\trecipient\t-3\n", ["looks like the samples"]),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = problems_of(tmp_path, text)
    assert len(found) == len(expected), found
    for message, part in zip(found, expected, strict=True):
        assert part in message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_measured(tmp_path / "no.tsv", "m", STUDY)


def test_the_first_hundred_bad_cells(tmp_path: Path) -> None:
    rows = "".join(f"P1\t{day}\t?\t1\n" if day else "P1\t0\t3\t1\n" for day in range(131))
    found = problems_of(tmp_path, f"subject\tday\tx\ty\n{rows}")
    assert len(found) == 101
    assert "30 more cells are no measurement" in found[0] + found[-1]


def test_columns_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "subject\tday\tplate\tx\nP1\t1\tA\t1\nP2\t1\tB\t2\n")
    assert list(read_measured(path, "m", STUDY, leave_out=["plate"]).values) == ["x"]
    with pytest.raises(InputError, match=r"'plat' is to be left out and is not there.*did you mean 'plate'"):
        read_measured(path, "m", STUDY, leave_out=["plate", "plat"])


# --- limits and transforms -------------------------------------------------------------------------------------------


def test_limits_by_feature(tmp_path: Path) -> None:
    path = written(tmp_path, "subject\tday\ta\tb\nP1\t1\t<LOD\t<LOD\nP2\t1\t>ULOQ\t4\n")
    limits = written(tmp_path, "feature\tlod\tupper\na\t0.5\t80\nzz\t1\t\n", "limits.tsv")
    measured, problems = parse_measured(path, "m", STUDY, limits=limits, lod=0.1)
    assert [str(problem.level) for problem in problems] == ["warning"]
    assert "not in the table: zz" in problems[0].message
    assert measured is not None
    np.testing.assert_array_equal(measured.below, [[0.5, 0.1], [np.nan, np.nan]])
    np.testing.assert_array_equal(measured.above, [[np.nan, np.nan], [80, np.nan]])


def test_a_bad_table_of_limits(tmp_path: Path) -> None:
    limits = written(tmp_path, "feature\tlod\tupper\na\t5\t1\na\tx\t\n", "limits.tsv")
    found = problems_of(tmp_path, "subject\tday\ta\nP1\t1\t1\n", limits=limits)
    assert len(found) == 3
    for line, part in zip(found, ("2: upper: the upper limit of 'a'", "3: lod: 'x' is not", "3: feature"), strict=True):
        assert f"limits.tsv:{part}" in line


def test_zero_under_a_logarithm_is_below_the_smallest_value(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = written(tmp_path, "subject\tday\ta\tb\tc\nP1\t1\t0\t0\t0\nP1\t2\t3\t4\t0\nP2\t1\t2\t<1.5\t0\n")
    measured = read_measured(path, "m", STUDY, transform="log2")
    assert measured.below.loc["P1 day 1"].tolist() == [2, 1.5, 1.5]  # c has no value above 0: the table's smallest
    assert measured.values.loc["P1 day 1"].isna().all()
    assert "cells: 5, features: 3" in caplog.text
    assert read_measured(path, "m", STUDY, transform="log2", lod=0.7).below.loc["P1 day 1"].tolist() == [0.7] * 3
    assert read_measured(path, "m", STUDY, transform="asinh").values.loc["P1 day 1"].tolist() == [0, 0, 0]
    assert transformed(measured).loc["P1 day 1"].tolist() == pytest.approx([math.log2(1), *[math.log2(0.75)] * 2])


def test_a_whole_under_logit_is_above_the_largest_value(tmp_path: Path) -> None:
    path = written(tmp_path, "subject\tday\ta\nP1\t1\t100\nP1\t2\t0\nP1\t3\t80\nP1\t4\t10\n")
    measured = read_measured(path, "m", STUDY, "% of CD8+", "logit")
    assert measured.above["a"].tolist()[0] == 80
    assert measured.below["a"].tolist()[1] == 10
    values = transformed(measured)["a"]
    assert values.tolist() == pytest.approx([math.log(9), math.log(5 / 95), math.log(4), math.log(1 / 9)])
    with pytest.raises(InputError, match="100 cannot stand under the transform logit; give values between 0 and 1"):
        read_measured(path, "m", STUDY, "", "logit")


@pytest.mark.parametrize(
    ("cell", "transform"), [("-1", "log"), ("<0", "log10"), ("<-1", "log"), ("1.2", "logit"), (">1", "logit")]
)
def test_outside_of_the_transform(tmp_path: Path, cell: str, transform: str) -> None:
    found = problems_of(tmp_path, f"subject\tday\tx\nP1\t1\t{cell}\nP1\t2\t0.5\n", transform=transform)
    assert len(found) == 1
    assert f":2: x: {cell} cannot stand under the transform {transform}" in found[0]


def test_only_zeros_under_a_logarithm(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "subject\tday\tx\nP1\t1\t0\n", transform="log")
    assert found == [
        "table.tsv: no value is above 0, so that log cannot be taken; look for the numbers, or use another transform"
    ]


def test_only_zeros_below_a_stated_limit_are_measurements(tmp_path: Path) -> None:
    path = written(tmp_path, "subject\tday\tx\nP1\t1\t0\nP1\t2\t0\n")
    measured = read_measured(path, "m", STUDY, "", "log", lod=0.5)
    assert measured.below["x"].tolist() == [0.5, 0.5]
    assert measured.values["x"].isna().all()


def test_hints_at_what_was_meant(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "subject\tday\tx\nP1\t1\t1,234.5\nP1\t2\t1,234,567\nP1\t3\t2\n")
    assert [problem.rpartition("; ")[2] for problem in found] == ["leave the commas out"] * 2
    found = problems_of(tmp_path, "subject\tday\tx\nP1\t1\t45\nP1\t2\t0.5\n", transform="logit")
    assert found[0].endswith("or another one; of percentages, the unit %")


@given(st.lists(st.one_of(st.floats(1e-3, 0.999), st.just(math.nan)), min_size=1, max_size=8))
def test_transforms(values: list[float]) -> None:
    there = [value for value in values if not math.isnan(value)]
    rank = [
        (sum(other < value for other in there) + (sum(other == value for other in there) + 1) / 2 - 0.5) / len(there)
        if not math.isnan(value)
        else math.nan
        for value in values
    ]
    column = np.array(values)[:, None]
    oracles = {
        "none": values,
        "log": [math.log(x) for x in values],
        "log2": [math.log2(x) for x in values],
        "log10": [math.log10(x) for x in values],
        "asinh": [math.log(x + math.sqrt(x * x + 1)) for x in values],
        "logit": [math.log(x / (1 - x)) for x in values],
        "rank": rank,
    }
    for name, expected in oracles.items():
        np.testing.assert_allclose(transform_values(column, name)[:, 0], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        transform_values(100 * column, "logit", "%")[:, 0], oracles["logit"], rtol=1e-9, atol=1e-9
    )


def test_transforms_refuse() -> None:
    for name, value in (("log", 0.0), ("logit", 1.0), ("squared", 1.0)):
        with pytest.raises(ValueError, match=name):
            transform_values(np.array([[value]]), name)


def test_filled() -> None:
    index = pd.Index(["a", "b", "c", "d"])
    rows = pd.DataFrame({"subject": list("pqrs"), "day": 0, "sample": None}, index=index)
    values = pd.DataFrame({"x": [1.0, np.nan, np.nan, np.nan]}, index=index)
    below = pd.DataFrame({"x": [np.nan, 4, np.nan, np.nan]}, index=index)
    above = pd.DataFrame({"x": [np.nan, np.nan, 9, np.nan]}, index=index)
    measured = Measured("m", values, rows, below, above)
    before = values.copy()
    np.testing.assert_array_equal(filled(measured)["x"], [1, 2, 9, np.nan])
    np.testing.assert_array_equal(filled(measured, "limit")["x"], [1, 4, 9, np.nan])
    np.testing.assert_array_equal(filled(measured, "missing")["x"], [1, np.nan, np.nan, np.nan])
    pd.testing.assert_frame_equal(values, before)


def test_from_profile(caplog: pytest.LogCaptureFixture) -> None:
    abundance = pd.DataFrame({"t__SGB1": [0.5, np.nan, 1]}, index=["1e5", "D1-1", "stranger"])
    measured = from_profile(abundance, STUDY)
    assert measured.rows["day"].tolist() == [28, pd.NA]
    assert measured.rows["subject"].tolist() == ["P1", "D1"]
    assert measured.name == "taxa"
    assert "stranger" in caplog.text
    with pytest.raises(InputError, match="no sample of taxa is in the study"):
        from_profile(abundance.iloc[2:], STUDY)


def test_from_outcomes_and_rates(panel: Panel) -> None:
    table = outcomes(panel.abundance, panel.study)
    word = {
        (sample, taxon): name for sample, taxon, name in table[["sample", "taxon", "outcome"]].itertuples(index=False)
    }
    meaning = {
        "depleted": {"depleted": 1, "shared_depleted": 1, "persisted": 0, "shared_kept": 0},
        "engrafted": {"engrafted": 1, "not_engrafted": 0},
    }
    for fate, numbers in meaning.items():
        measured = from_outcomes(table, panel.study, fate)  # type: ignore[arg-type]
        assert measured.name == fate
        assert measured.rows["day"].gt(0).all()
        met = {taxon for (_, taxon), name in word.items() if name in numbers}
        assert set(measured.values.columns) == met
        for sample, row in measured.values.iterrows():
            expected = [numbers.get(word.get((sample, taxon), ""), math.nan) for taxon in measured.values.columns]
            np.testing.assert_array_equal(row, expected)
        counts = rates(table).set_index("sample")
        wanted = counts["lost_taxa" if fate == "depleted" else "engrafted"]
        ones = from_rates(counts.reset_index(), panel.study).values[wanted.name]
        np.testing.assert_array_equal(ones, wanted.astype(float))
        np.testing.assert_array_equal(measured.values.sum(axis=1)[ones.index], ones)
    with pytest.raises(ValueError, match="no column xyz"):
        from_rates(counts.reset_index(), panel.study, ["xyz"])
    with pytest.raises(InputError, match="'outcome' is missing"):
        from_outcomes(table.drop(columns="outcome"), panel.study, "depleted")


def test_donors_have_no_day(tmp_path: Path) -> None:
    study = Study(samples_frame([("d1", "D1", "donor", 28), ("p1", "P1", "recipient", 28)]))
    texts = ("sample\tday\tx\nd1\t5\t1\np1\t28\t1\n", "f\td1\tp1\nx\t1\t2\n", "subject\tday\tx\nD1\t28\t1\nP1\t28\t2\n")
    tables = [read_measured(written(tmp_path, text), "m", study) for text in texts]
    tables.append(from_profile(pd.DataFrame({"x": [1.0, 2.0]}, index=["d1", "p1"]), study))
    for measured in tables:
        assert measured.rows["day"].tolist() == [pd.NA, 28]
    assert join(tables[0], tables[3]).pairs["row_1"].tolist() == ["d1", "p1"]
    assert join(tables[2], tables[3]).pairs["row_2"].tolist() == ["p1"]


# --- joining ---------------------------------------------------------------------------------------------------------


def measured_of(rows: list[tuple[str, int | None, str | None]], name: str) -> Measured:
    names = [sample or f"{name}{i}" for i, (_, _, sample) in enumerate(rows)]
    index = pd.Index(names, name="row", dtype=object)
    frame = pd.DataFrame(
        {
            "subject": pd.Series([row[0] for row in rows], index=index, dtype=object),
            "day": pd.array([row[1] for row in rows], dtype="Int64"),
            "sample": pd.Series([row[2] for row in rows], index=index, dtype=object),
        },
        index=index,
    )
    return Measured(name, pd.DataFrame({"x": 1.0}, index=index), frame)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Measured, Measured]:
    """Two tables with rows by sample and by day, some of the same samples, some without day."""
    pool = [(f"s{i}", draw(st.sampled_from("PQ")), draw(st.one_of(st.none(), st.integers(-9, 9)))) for i in range(4)]
    made = []
    for name in ("a", "b"):
        own = draw(st.lists(st.sampled_from(pool), unique=True, max_size=4))
        rows: list[tuple[str, int | None, str | None]] = [(subject, day, sample) for sample, subject, day in own]
        rows += draw(st.lists(st.tuples(st.sampled_from("PQR"), st.integers(-9, 9), st.none()), max_size=5))
        made.append(measured_of(rows, name))
    return made[0], made[1]


def naive_pairs(first: Measured, second: Measured, window: int, prefer: str) -> set[tuple[str, str]]:
    """Take the best pair of all that are left, until none is."""
    left_1, left_2 = list(first.rows.itertuples()), list(second.rows.itertuples())
    pairs: set[tuple[str, str]] = set()
    while True:
        possible = []
        for one, two in itertools.product(left_1, left_2):
            if one.subject != two.subject:
                continue
            if one.sample is not None and one.sample == two.sample:
                possible.append(((0,), one, two))
            elif pd.isna(one.day) or pd.isna(two.day) or (one.day <= 0) != (two.day <= 0):
                continue
            elif abs(two.day - one.day) <= window:
                lag = two.day - one.day
                other_side = {"nearest": False, "before": lag > 0, "after": lag < 0}[prefer]
                rank = (1, other_side, abs(lag), min(one.day, two.day), one.Index, two.Index)
                possible.append((rank, one, two))
        if not possible:
            return pairs
        _, one, two = min(possible, key=lambda candidate: candidate[0])
        pairs.add((one.Index, two.Index))
        left_1.remove(one)
        left_2.remove(two)


@given(tables(), st.integers(0, 8), st.sampled_from(["nearest", "before", "after"]))
def test_join_is_what_it_says(two: tuple[Measured, Measured], window: int, prefer: str) -> None:
    first, second = two
    joined = join(first, second, window, prefer)  # type: ignore[arg-type]
    pairs, unjoined = joined.pairs, joined.unjoined
    assert set(zip(pairs["row_1"], pairs["row_2"], strict=True)) == naive_pairs(first, second, window, prefer)
    for side, table in ((1, first), (2, second)):
        rows = [*pairs[f"row_{side}"], *unjoined.loc[unjoined["side"] == side, "row"]]
        assert sorted(rows) == sorted(table.rows.index)  # each row joined or listed, once
        assert pairs["subject"].tolist() == table.rows.loc[pairs[f"row_{side}"], "subject"].tolist()
    assert pairs["lag"].fillna(0).abs().le(window).all() or (pairs["lag"].abs() > window).sum() == 0
    assert (pairs["lag"] == pairs["day_2"] - pairs["day_1"]).fillna(True).all()
    assert unjoined["reason"].str.len().gt(0).all()


@given(tables(), st.integers(0, 8), st.randoms(use_true_random=False))
def test_join_does_not_depend_on_order(two: tuple[Measured, Measured], window: int, random: object) -> None:
    first, second = two
    pairs = {(one, two) for one, two in join(first, second, window).pairs[["row_1", "row_2"]].itertuples(index=False)}
    swapped = {(one, two) for two, one in join(second, first, window).pairs[["row_1", "row_2"]].itertuples(index=False)}
    assert swapped == pairs
    order = list(range(len(first.rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    mixed = Measured(first.name, first.values.iloc[order], first.rows.iloc[order])
    again = join(mixed, second, window).pairs
    assert {(one, two) for one, two in again[["row_1", "row_2"]].itertuples(index=False)} == pairs


def test_join_on_paper() -> None:
    first = measured_of([("P", 0, None), ("P", 28, None), ("P", 60, None), ("Q", 5, None), ("D", None, "d")], "a")
    second = measured_of([("P", -3, None), ("P", 3, None), ("P", 30, None), ("P", 90, None), ("D", None, None)], "b")
    joined = join(first, second, 7)
    assert joined.pairs.to_dict("records") == [
        {"subject": "P", "row_1": "a0", "row_2": "b0", "day_1": 0, "day_2": -3, "lag": -3},
        {"subject": "P", "row_1": "a1", "row_2": "b2", "day_1": 28, "day_2": 30, "lag": 2},
    ]
    assert dict(zip(joined.unjoined["row"], joined.unjoined["reason"], strict=True)) == {
        "a2": "none within 7 days: the nearest is of day 30",
        "a3": "no row of this subject in the other table",
        "d": "the row has no day",
        "b1": "those within 7 days (the nearest is of day 0) are of before the first dose",
        "b3": "none within 7 days: the nearest is of day 60",
        "b4": "the row has no day",
    }
    assert join(first, second, 7, "after").pairs["row_2"].tolist() == ["b0", "b2"]  # b1 is after the dose, a0 before
    assert join(first, second, 7, "before").pairs["row_2"].tolist() == ["b0", "b2"]  # 30 is after 28, but all there is
    assert join(first, second, 0).pairs.empty


def test_a_baseline_is_never_joined_to_what_came_after_the_dose() -> None:
    stool = measured_of([("P", 0, None), ("P", 1, None), ("Q", 0, "q")], "a")
    blood = measured_of([("P", 2, None), ("P", -6, None), ("Q", 3, None)], "b")
    joined = join(stool, blood, 7)
    assert joined.pairs[["day_1", "day_2"]].to_numpy().tolist() == [[0, -6], [1, 2]]
    assert dict(zip(joined.unjoined["row"], joined.unjoined["reason"], strict=True)) == {
        "q": "those within 7 days (the nearest is of day 3) are of after the first dose",
        "b2": "those within 7 days (the nearest is of day 0) are of before the first dose",
    }


def test_a_row_whose_partner_is_taken_is_not_told_of_distances_that_are_not_so() -> None:
    stool = measured_of([("P", 10, None)], "a")
    blood = measured_of([("P", 8, None), ("P", 11, None)], "b")
    joined = join(stool, blood, 7, "before")
    assert joined.pairs["row_2"].tolist() == ["b0"]  # the other is nearer, but after it
    reason = "taken by another row: each within the window has a partner that comes first"
    assert joined.unjoined["reason"].tolist() == [reason]


def test_rows_alone(tmp_path: Path) -> None:
    text = "subject\tday\tplate\tx\nP1\t1\tA\t<LOD\nP2\t2\tB\t-1\nP9\t1\tC\t1\n"
    measured, problems = parse_rows(written(tmp_path, text), "m", STUDY, ["plate"])  # the limit does not matter
    assert measured is not None
    assert measured.values.shape == (2, 0)
    assert measured.rows["day"].tolist() == [1, 2]
    assert [problem.level for problem in problems] == ["warning"]
    assert parse_rows(tmp_path / "no.tsv", "m", STUDY)[0] is None


@pytest.mark.parametrize("cell", ["low", "n.d.", "1,5", "<", "3"])
def test_a_table_that_can_be_joined_can_be_tested(tmp_path: Path, cell: str) -> None:
    path = written(tmp_path, f"subject\tday\tplate\tx\nP1\t1\tA\t{cell}\nP2\t2\tB\t-1\n")
    for leave_out in ((), ("plate",), ("batch",)):
        joined, tested = parse_rows(path, "m", STUDY, leave_out), parse_measured(path, "m", STUDY, leave_out=leave_out)
        assert joined[1] == tested[1]
        assert (joined[0] is None) == (tested[0] is None) == (leave_out != ("plate",) or cell != "3")


def test_join_refuses() -> None:
    table = measured_of([("P", 0, None)], "a")
    with pytest.raises(ValueError, match="window -1"):
        join(table, table, -1)
    with pytest.raises(ValueError, match="prefer 'later'"):
        join(table, table, 1, "later")  # type: ignore[arg-type]


@given(tables(), st.integers(0, 8))
def test_joins_table(tmp_path_factory: pytest.TempPathFactory, two: tuple[Measured, Measured], window: int) -> None:
    table = joins_table(*two, window)
    joined = join(*two, window)
    assert len(table) == len(joined.pairs) + len(joined.unjoined)
    path = tmp_path_factory.mktemp("joins") / "joins.tsv"
    write_table(table, path)
    back = read_result(path, JOINS)  # keeps to its declaration
    assert back["status"].eq("joined").sum() == len(joined.pairs)
    assert (back["note"].isna() == (back["status"] == "joined")).all()
    assert back.loc[back["status"] == "only_2", "row_1"].isna().all()


# --- command line ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate_panel(PanelParameters(taxa=60, recipients=12, donors=2, post_days=(28, 84)), 3)


@pytest.fixture(scope="module")
def trial(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    study = panel.study
    for name in ("samples", "subjects", "doses"):
        write_table(getattr(study, name), folder / f"{name}.tsv")
    write_features(panel.abundance, folder / "profiles.tsv")
    write_molecules(*simulate_molecules(study.samples, study.subjects, study.doses, panel.truth, 3), folder)
    return folder


def test_join_command(trial: Path, tmp_path: Path) -> None:
    names = ["metabolites", "cells"]
    features = [f"{name}={trial}/molecules/{name}.tsv" for name in names]
    common = ["--samples", f"{trial}/samples.tsv", "--subjects", f"{trial}/subjects.tsv", "-o", f"{tmp_path}/joins.tsv"]
    code = main(["join", "--features", *features, "--profile", f"{trial}/profiles.tsv", "--window", "3", *common])
    assert code == 0
    frame = read_result(tmp_path / "joins.tsv", JOINS)
    assert set(zip(frame["table_1"], frame["table_2"], strict=True)) == {
        ("taxa", "metabolites"),
        ("taxa", "cells"),
        ("metabolites", "cells"),
    }
    draws = pd.read_csv(trial / "molecules" / "cells.tsv", sep="\t")
    pairs = frame[(frame["table_1"] == "taxa") & (frame["table_2"] == "cells")]
    assert pairs["status"].value_counts()["joined"] == len(draws)  # each draw lies within 3 days of its stool
    assert pairs["lag"].dropna().abs().max() == 3
    assert pairs.loc[pairs["status"] == "only_1", "subject"].str.startswith("D").sum() == 4  # the donors' stools
    same = frame[(frame["table_1"] == "metabolites") & (frame["status"] == "joined")]
    assert len(same) == len(draws)
    assert (same["lag"] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "molecules/cells.tsv"], "'molecules/cells.tsv' has no name; write NAME=FILE"),
        (["--features", "a=molecules/cells.tsv"], "1 table is given"),
        (["--features", "a=molecules/cells.tsv", "a=x.tsv"], "two tables are called 'a'"),
        (["--features", "a=molecules/cells.tsv", "b=no.tsv"], "no.tsv: the file does not exist"),
        (["--features", "a=molecules/cells.tsv", "b=subjects.tsv"], "subjects.tsv: this looks like the subjects table"),
        (["--features", "a=x.tsv", "b=y.tsv", "--window", "-1"], "window -1 is below 0"),
        (["--features", "a=x.tsv", "b=y.tsv", "--leave-out", "c=plate"], "no table is called 'c'; use one of a, b"),
        (["--features", "a=x.tsv", "b=y.tsv", "--leave-out", "plate"], "'plate' has no name; write NAME=COLUMNS"),
    ],
)
def test_join_command_refuses(
    trial: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trial)
    assert main(["join", *arguments, "--samples", "samples.tsv"]) == 2
    assert message in capsys.readouterr().err


# --- configuration ---------------------------------------------------------------------------------------------------


def test_table_entries() -> None:
    value = {
        "metabolites": {"file": "m.tsv", "unit": "µmol/L", "transform": "log", "window": 3, "leave_out": ["plate"]},
        "cells": "cells.tsv",
        "cytokines": {"file": 7, "lod": "1e-3", "window": None},
    }
    texts: dict[tuple[str | int, ...], str] = {("tables", "cytokines", "file"): "007"}
    entries, problems = table_entries(value, texts=texts)
    assert not problems
    assert entries == [
        TableEntry("metabolites", "m.tsv", "µmol/L", "log", 3, leave_out=("plate",)),
        TableEntry("cells", "cells.tsv"),
        TableEntry("cytokines", "007", lod=1e-3),
    ]
    assert table_entries(None) == table_entries({}) == ([], [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a.tsv"], ["tables: [\"a.tsv\"] is not a section"]),
        ({"m": 5}, ["tables.m: 5 is not a table"]),
        ({"m": None}, ["tables.m.file: the value is empty"]),
        ({"m": {}}, ["tables.m.file: key 'file' is missing"]),
        ({"m": {"file": ""}}, ["tables.m.file: the value is empty"]),
        ({"m": {"file": "x", "lodd": 1}}, ["tables.m.lodd: key 'lodd' is not known; did you mean 'lod'?"]),
        ({"m": {"file": "x", "transform": "Log2"}}, ["tables.m.transform: 'Log2' is not allowed; did you mean 'log2'"]),
        ({"m": {"file": "x", "window": -1}}, ["tables.m.window: -1 is out of range"]),
        ({"m": {"file": "x", "window": 1.5}}, ["tables.m.window: 1.5 is not an integer"]),
        ({"m": {"file": "x", "lod": True}}, ["tables.m.lod: true is not a number"]),
        ({"m": {"file": "x", "lod": math.nan}}, ["tables.m.lod: NaN is not a number"]),
        ({"m": {"file": ["x"]}}, ['tables.m.file: ["x"] is not a path']),
        ({"m": {"file": "x", "leave_out": "plate"}}, ["tables.m.leave_out: 'plate' is not a list"]),
        ({"m": {"file": "x", "leave_out": ["a", "a"]}}, ["tables.m.leave_out: 'a' stands twice"]),
        ({"a b": "x", "taxa": "y"}, ["tables.a b: 'a b' is not a legal name", "tables.taxa: 'taxa' is the name of"]),
    ],
)  # fmt: skip
def test_bad_entries(value: object, expected: list[str]) -> None:
    lines: dict[tuple[str | int, ...], int] = {("tables",): 4}
    entries, problems = table_entries(value, "c.yaml", lines)
    assert not entries
    assert len(problems) == len(expected)
    for problem, part in zip(problems, expected, strict=True):
        assert str(problem).startswith(f"c.yaml:4: {part}")
    if value != {"m": {"file": "x", "lod": math.nan}}:  # a JSON schema cannot refuse it
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(tables_schema()).validate(value)


def test_schema_is_valid_and_accepts() -> None:
    schema = tables_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {"m": "a.tsv", "n": {"file": "b", "unit": "%", "transform": "logit", "window": 3, "lod": None}}
    jsonschema.Draft202012Validator(schema).validate(good)


def test_check_tables(trial: Path, panel: Panel, tmp_path: Path) -> None:
    good = TableEntry("cells", f"{trial}/molecules/cells.tsv", "%", "logit")
    assert not check_tables([good], panel.study)
    bad = written(tmp_path, "subject\tday\tx\nR01\t0\t-1\nR02\t0\t1\n")
    entries = [good, TableEntry("a", "no.tsv", limits="nor.tsv"), TableEntry("b", str(bad), transform="log")]
    found = [str(problem) for problem in check_tables(entries, panel.study, "c.yaml", {("tables", "a"): 7})]
    assert found[:2] == [
        "c.yaml:7: tables.a.file: 'no.tsv' does not exist; correct the path",
        "c.yaml:7: tables.a.limits: 'nor.tsv' does not exist; correct the path",
    ]
    assert len(found) == 3
    assert ":2: x: -1 cannot stand under the transform log" in found[2]
    with pytest.raises(InputError, match="cannot stand under"):
        read_tables([good, entries[2]], panel.study)
    assert list(read_tables([good], panel.study)) == ["cells"]


# --- simulation ------------------------------------------------------------------------------------------------------


def test_simulated_molecules_are_read(trial: Path, panel: Panel) -> None:
    for name, how in MOLECULE_TABLES.items():
        measured = read_measured(trial / "molecules" / f"{name}.tsv", name, panel.study, how.unit, how.transform)
        values = transformed(measured)
        assert np.isfinite(values.to_numpy()).mean() > 0.95
        assert set(measured.rows["subject"]) == {f"R{i:02d}" for i in range(1, 13)}
        assert measured.below.notna().to_numpy().mean() > 0.1 if name == "cytokines" else True


def test_links_change_linked_features_only(panel: Panel) -> None:
    study = panel.study
    with_links, links = simulate_molecules(study.samples, study.subjects, study.doses, panel.truth, 5, 0.8)
    without, none = simulate_molecules(study.samples, study.subjects, study.doses, panel.truth, 5, 0.0)
    again, _ = simulate_molecules(study.samples, study.subjects, study.doses, panel.truth, 5, 0.8)
    assert (links["strength"] == 0.8).all()
    assert (none["strength"] == 0).all()
    linked = set(zip(links["table"], links["feature"], strict=True))
    assert {("metabolites", "kynurenine"), ("metabolites", "L-histidine"), ("cells", "CD8_memory")} < linked
    for name, table in with_links.items():
        pd.testing.assert_frame_equal(table, again[name])
        changed = {(name, column) for column in table if not table[column].equals(without[name][column])}
        assert changed == {link for link in linked if link[0] == name}
