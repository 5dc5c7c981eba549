"""The declarations of the tables, and reading and writing of TSV."""

from __future__ import annotations

import gzip
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.features import read_features, write_features
from microbiome.files import atomic_path, open_text, write_text
from microbiome.tables import ALL_TABLES, DOSES, INPUT_TABLES, SAMPLES, SUBJECTS, UNITS, Column, Table
from microbiome.tsv import empty_table, missing_columns, parse_table, read_result, read_table, write_table
from microbiome.validation import did_you_mean, is_number, shown, visible

#: Names that other programs take for something else than text.
ODD_IDS = [
    "007",
    "NA",
    "1e5",
    "true",
    "nan",
    "None",
    "null",
    "-0",
    "0x1F",
    "1.0",
    "inf",
    "FALSE",
    "N/A",
    "2024-01-02",
    "1_0",
]
#: Those that are also legal sample names.
ODD_NAMES = [name for name in ODD_IDS if name[0].isalnum() and "/" not in name]

HEADER = "sample\tsubject\trole\tday\n"
GOOD = HEADER + "s1\tp1\trecipient\t-3\ns2\tp1\trecipient\t28\nd1\tDonor\tdonor\t\n"


def written(tmp_path: Path, text: str | bytes, name: str = "samples.tsv") -> str:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def said(path: str, table: Table = SAMPLES) -> list[str]:
    """Every problem of a table as one line, without the folder."""
    _, problems = parse_table(path, table)
    return [("warning: " if p.level == "warning" else "") + str(p).replace(path, Path(path).name) for p in problems]


# --- declarations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_declarations_are_sound(table: Table) -> None:
    assert len(set(table.names)) == len(table.names)
    assert set(table.key) <= set(table.names)
    for column in table.columns:
        assert column.meaning.endswith("."), column.name
        assert (column.kind == "choice") == bool(column.allowed), column.name
        if column.minimum is not None and column.maximum is not None:
            assert column.minimum < column.maximum
        assert table[column.name] is column


def test_the_contract_of_the_input_tables() -> None:
    assert SAMPLES.names == ["sample", "subject", "role", "day", "reads"]
    assert UNITS.names == ["sample", "unit", "fq1", "fq2"]
    assert DOSES.names == ["subject", "day", "donor", "donor_sample"]
    assert SUBJECTS["best_response"].allowed == ("CR", "PR", "SD", "PD", "NE")
    assert SAMPLES["role"].allowed == ("recipient", "donor", "control")
    assert [c.name for c in SUBJECTS.columns if c.required] == ["subject"]
    with pytest.raises(KeyError, match="nothing"):
        SAMPLES["nothing"]


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_good_table(tmp_path: Path) -> None:
    frame, problems = parse_table(written(tmp_path, "# a comment\n\n" + GOOD), SAMPLES)
    assert problems == []
    assert frame.index.tolist() == [4, 5, 6]
    assert frame.index.name == "line"
    assert frame.columns.tolist() == ["sample", "subject", "role", "day"]
    assert frame["sample"].tolist() == ["s1", "s2", "d1"]
    assert str(frame["day"].dtype) == "Int64"
    assert frame["day"].tolist()[:2] == [-3, 28]
    assert frame["day"].isna().tolist() == [False, False, True]


def test_types_and_missing(tmp_path: Path) -> None:
    text = (
        "subject\tarm\tbest_response\tpfs_days\tpfs_event\tirae_grade\tsite\n"
        "a\tfmt\tCR\t12.5\t1\t3\tx\nb\t\t\t\t\t\t\nc\tplacebo\tPD\t1e2\t0\t0\ty z\n"
    )
    frame = read_table(written(tmp_path, text), SUBJECTS)
    assert frame["arm"].tolist() == ["fmt", None, "placebo"]
    assert frame["best_response"].tolist() == ["CR", None, "PD"]
    assert frame["pfs_days"].dtype == np.float64
    assert frame["pfs_days"].tolist()[::2] == [12.5, 100.0]
    assert math.isnan(frame["pfs_days"].iloc[1])
    assert frame["pfs_event"].tolist()[::2] == [1, 0]
    assert frame["pfs_event"].iloc[1] is pd.NA
    assert frame["site"].tolist() == ["x", None, "y z"]
    # Declared columns come first, in their declared order.
    shuffled = read_table(written(tmp_path, "site\tirae_grade\tsubject\nx\t1\ta\n"), SUBJECTS)
    assert shuffled.columns.tolist() == ["subject", "irae_grade", "site"]


def test_ids_stay_as_they_are(tmp_path: Path) -> None:
    text = HEADER + "".join(f"{name}\t{name}\tdonor\t\n" for name in ODD_NAMES)
    frame = read_table(written(tmp_path, text), SAMPLES)
    assert frame["sample"].tolist() == ODD_NAMES
    assert frame["subject"].tolist() == ODD_NAMES
    assert all(type(name) is str for name in frame["sample"])


def test_covariates_stay_text(tmp_path: Path) -> None:
    text = "subject\tcovariate\n" + "".join(f"p{i}\t{name}\n" for i, name in enumerate(ODD_IDS))
    assert read_table(written(tmp_path, text), SUBJECTS)["covariate"].tolist() == ODD_IDS


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\n\n").replace("d1", "\t\t\t\nd1"),
        lambda text: '# "an open quote\t"here\n' + text,
        lambda text: text.replace("s1", '"s1"'),
    ],
    ids=["crlf", "cr", "no last line break", "blank lines", "quote in a comment", "quoted cell"],
)
def test_harmless_forms(tmp_path: Path, change: object) -> None:
    plain = read_table(written(tmp_path, GOOD), SAMPLES).reset_index(drop=True)
    path = written(tmp_path, change(GOOD), "changed.tsv")  # type: ignore[operator]
    frame, problems = parse_table(path, SAMPLES)
    assert problems == []
    pd.testing.assert_frame_equal(frame.reset_index(drop=True), plain)


def test_lines_are_lines_of_the_file(tmp_path: Path) -> None:
    # Comments, blank lines and a quoted line break all count.
    text = '# one\n# two\nsubject\tnote\n\na\t"x\ny"\nb\tz\n'
    frame = read_table(written(tmp_path, text), SUBJECTS)
    assert frame.index.tolist() == [5, 7]
    assert frame["note"].tolist() == ["x\ny", "z"]


def test_gzip_is_told_by_content(tmp_path: Path) -> None:
    plain = read_table(written(tmp_path, GOOD), SAMPLES)
    for name in ("s.tsv.gz", "s.tsv"):
        pd.testing.assert_frame_equal(read_table(written(tmp_path, gzip.compress(GOOD.encode()), name), SAMPLES), plain)
    # Two members, as `cat a.gz b.gz` makes them, and padding.
    half = len(HEADER)
    joined = gzip.compress(GOOD[:half].encode()) + gzip.compress(GOOD[half:].encode()) + b"\0" * 100
    pd.testing.assert_frame_equal(read_table(written(tmp_path, joined, "j.gz"), SAMPLES), plain)


def test_byte_order_mark_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())
    assert said(path) == [
        "warning: samples.tsv:1: the file begins with a byte-order mark; save it as UTF-8 without BOM"
    ]
    assert read_table(path, SAMPLES)["sample"].tolist() == ["s1", "s2", "d1"]
    assert open_text(path) == GOOD


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "samples.tsv: the file is empty; write a header row: sample subject role day reads"),
        (b"\n# only a comment\n", "samples.tsv: the file is empty; write a header row: sample subject role day reads"),
        (b"\xef\xbb\xbf", "samples.tsv: the file is empty; write a header row: sample subject role day reads"),
        (GOOD.encode("utf-16"), "samples.tsv: the file is not UTF-8 but looks like UTF-16; save it as UTF-8 text"),
        (GOOD.encode("utf-16-le"), "samples.tsv: the file is not UTF-8 but looks like UTF-16; save it as UTF-8 text"),
        (HEADER.encode() + b"s1\tJos\xe9\tdonor\t\n", "samples.tsv:2: the file is not UTF-8; save it as UTF-8 text"),
        (
            b"PK\x03\x04 and so on",
            "samples.tsv: the file is a workbook or zip archive; export the sheet as tab-separated text",
        ),
        (
            gzip.compress(GOOD.encode())[:-9],
            "samples.tsv: truncated or corrupt gzip file; copy or make the file again",
        ),
        (
            gzip.compress(GOOD.encode()) + b"more",
            "samples.tsv: truncated or corrupt gzip file; copy or make the file again",
        ),
    ],
    ids=["empty", "comments", "mark only", "utf-16", "utf-16 bare", "latin-1", "workbook", "truncated", "garbage"],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    assert [line for line in said(path) if not line.startswith("warning")] == [message]
    frame, _ = parse_table(path, SAMPLES)
    assert frame.empty
    assert frame.columns.tolist() == ["sample", "subject", "role", "day"]
    with pytest.raises(InputError) as error:
        read_table(path, SAMPLES)
    assert str(error.value.problems[-1]).endswith(message.removeprefix("samples.tsv"))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert said(str(tmp_path / "no.tsv")) == ["no.tsv: the file does not exist; correct the path"]
    assert said(str(tmp_path)) == [f"{tmp_path.name}: cannot be read (Is a directory); correct the path or its rights"]


@pytest.mark.parametrize(
    ("header", "messages"),
    [
        ("sample,subject,role,day", [":1: the columns are separated by commas; separate them by tabs (TSV)"]),
        ("sample;subject;role;day", [":1: the columns are separated by semicolons; separate them by tabs (TSV)"]),
        ("sample|subject|role|day", [":1: the columns are separated by bars; separate them by tabs (TSV)"]),
        ("sample subject role day", [":1: the columns are separated by spaces; separate them by tabs (TSV)"]),
        ("sample\tsubject\trole", [":1: day: column 'day' is missing; add it: " + SAMPLES["day"].meaning]),
        (
            "sample \tsubject\trole\tday",
            [":1: sample: the column name 'sample ' has extra white space; write 'sample'"],
        ),
        (
            "Sample\tsubject\trole\tday",
            [":1: Sample: column 'Sample' must be written 'sample'; column names are lower case"],
        ),
        ("sample\tsubject\trole\tday\tday", [":1: day: column 'day' stands twice; keep one"]),
        ("sample\tsubject\trole\tday\t", [":1: column 5 has no name; name it or remove it"]),
        (
            "sample\tsubject\trole\tday\t ",
            [":1: the column name ' ' has extra white space; name it or remove it"],
        ),
        (
            "Sample\t subject\trole",
            [
                ":1: Sample: column 'Sample' must be written 'sample'; column names are lower case",
                ":1: subject: the column name ' subject' has extra white space; write 'subject'",
                ":1: day: column 'day' is missing; add it: " + SAMPLES["day"].meaning,
            ],
        ),
    ],
)
def test_headers(tmp_path: Path, header: str, messages: list[str]) -> None:
    row = "\t".join(cell.strip().replace("day", "1").replace("role", "control") for cell in header.split("\t"))
    assert said(written(tmp_path, f"{header}\n{row}\n")) == ["samples.tsv" + message for message in messages]


def test_a_broken_header_does_not_hide_broken_cells(tmp_path: Path) -> None:
    text = "sample\tSubject\trole \nbad name\tp1\trecipient\ns2\tp2\tpatient\n"
    path = written(tmp_path, text)
    assert said(path) == [
        "samples.tsv:1: Subject: column 'Subject' must be written 'subject'; column names are lower case",
        "samples.tsv:1: role: the column name 'role ' has extra white space; write 'role'",
        "samples.tsv:1: day: column 'day' is missing; add it: " + SAMPLES["day"].meaning,
        "samples.tsv:2: sample: 'bad name' is not a legal sample name; "
        "use letters, digits, '.', '_' and '-' only, a letter or digit first",
        "samples.tsv:3: role: 'patient' is not allowed; use one of recipient, donor, control",
    ]
    # Without a needed column there is nothing that later checks could use.
    frame, _ = parse_table(path, SAMPLES)
    assert frame.empty
    assert "day" in frame


def test_a_covariate_may_differ_from_a_column_by_its_case(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER.replace("\n", "\tDay\n") + "s1\tp1\tdonor\t3\tMonday\n")
    assert said(path) == []
    assert read_table(path, SAMPLES)["Day"].tolist() == ["Monday"]


def test_a_closed_table_refuses_unknown_columns(tmp_path: Path) -> None:
    table = Table("t", "T.", (Column("a", "text", "A.", required=True), Column("b", "text", "B.")), open=False)
    assert said(written(tmp_path, "a\tc\n1\t2\n", "t.tsv"), table) == ["t.tsv:1: c: column 'c' is not known; remove it"]


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("sample", "", "the cell is empty; fill it in"),
        (
            "sample",
            "-s1",
            "'-s1' is not a legal sample name; use letters, digits, '.', '_' and '-' only, a letter or digit first",
        ),
        (
            "sample",
            "a/b",
            "'a/b' is not a legal sample name; use letters, digits, '.', '_' and '-' only, a letter or digit first",
        ),
        ("sample", "s1 ", "'s1 ' has extra white space; write 's1'"),
        ("subject", " p1", "' p1' has extra white space; write 'p1'"),
        ("subject", "p\u200b1", r"'p\u200b1' has an invisible character; type the cell again"),
        ("subject", "p1\u00a0", r"'p1\xa0' has extra white space; write 'p1'"),
        ("role", "Donor", "'Donor' is not allowed; use one of recipient, donor, control"),
        ("role", "x" * 90, f"'{'x' * 75}...' is not allowed; use one of recipient, donor, control"),
        ("day", "3.5", "'3.5' is not an integer; write whole days"),
        ("day", "D3", "'D3' is not an integer; write whole days"),
        ("day", "9" * 5000, f"'{'9' * 75}...' is not an integer; write whole days"),
        ("day", "\u0663", "'\u0663' is not an integer; write whole days"),
        ("day", " ", "' ' has extra white space; leave the cell empty"),
        ("reads", "-1", "-1 is out of range; it must be at least 0"),
    ],
)
def test_cells_of_samples(tmp_path: Path, column: str, cell: str, message: str) -> None:
    cells = {"sample": "s1", "subject": "p1", "role": "donor", "day": "0", "reads": "5"} | {column: cell}
    path = written(tmp_path, "\t".join(cells) + "\n" + "\t".join(cells.values()) + "\n")
    assert said(path) == [f"samples.tsv:2: {column}: {message}"]
    (problem,) = parse_table(path, SAMPLES)[1]
    assert (problem.line, problem.column, problem.value) == (2, column, cell)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("best_response", "cr", "'cr' is not allowed; use one of CR, PR, SD, PD, NE"),
        ("responder", "1", "'1' is not allowed; use one of yes, no"),
        ("pfs_days", "12,5", "'12,5' is not a number; write decimals with a point"),
        ("pfs_days", "NA", "'NA' is not a number; write a number or leave it empty"),
        ("pfs_days", "nan", "'nan' is not a number; write a number or leave it empty"),
        ("pfs_days", "inf", "'inf' is not a number; write a number or leave it empty"),
        ("pfs_days", "1e999", "'1e999' is not a number; write a number or leave it empty"),
        ("pfs_days", "1_000", "'1_000' is not a number; write a number or leave it empty"),
        ("pfs_days", "-3", "-3 is out of range; it must be at least 0"),
        ("pfs_event", "yes", "'yes' is not 0 or 1; write 1 for yes, 0 for no, or leave it empty"),
        ("irae_grade", "6", "6 is out of range; it must be between 0 and 5"),
        ("irae_grade", "III", "'III' is not an integer; write whole numbers"),
    ],
)
def test_cells_of_subjects(tmp_path: Path, column: str, cell: str, message: str) -> None:
    path = written(tmp_path, f"subject\t{column}\np1\t{cell}\n", "subjects.tsv")
    assert said(path, SUBJECTS) == [f"subjects.tsv:2: {column}: {message}"]
    assert parse_table(path, SUBJECTS)[0][column].isna().all()


def test_an_upper_bound_alone(tmp_path: Path) -> None:
    table = Table("t", "T.", (Column("x", "number", "X.", maximum=1.5), Column("y", "text", "Y.")))
    assert said(written(tmp_path, "x\ty\n2\ta\n-7\tb\n", "t.tsv"), table) == [
        "t.tsv:2: x: 2 is out of range; it must be at most 1.5"
    ]


def test_white_space_around_free_text_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, "subject\tsite\np1\tRome \np2\tRome\np3\t \n", "subjects.tsv")
    assert said(path, SUBJECTS) == [
        "warning: subjects.tsv:2: site: 'Rome ' has extra white space; write 'Rome'",
        "warning: subjects.tsv:4: site: ' ' has extra white space; leave the cell empty",
    ]
    assert read_table(path, SUBJECTS)["site"].tolist() == ["Rome", "Rome", None]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            HEADER + "s1\tp1\tdonor\ns2\tp2\tdonor\t1\tx\n",
            [
                "samples.tsv:2: the row has 3 cells, the header has 4; separate all cells by tabs, also the empty ones",
                "samples.tsv:3: the row has 5 cells, the header has 4; separate all cells by tabs, also the empty ones",
            ],
        ),
        # The cells that are not there are not said to be empty as well.
        (
            HEADER + "s1\n",
            ["samples.tsv:2: the row has 1 cells, the header has 4; separate all cells by tabs, also the empty ones"],
        ),
        (
            HEADER + "s1\tp1\tdonor\t\ns1\tp2\tdonor\t\ns1\tp3\tdonor\t\n",
            [
                "samples.tsv:3: sample: sample 's1' stands already in line 2; keep one row",
                "samples.tsv:4: sample: sample 's1' stands already in line 2; keep one row",
            ],
        ),
        (
            HEADER + 's1\t"p1\tdonor\t\ns2\tp2\tdonor\t\n',
            ['samples.tsv:2: a quote (") opens a cell here and is never closed; remove or close it'],
        ),
        (
            "# comment\n\n" + HEADER + 's1\tp1\tdonor\t\ns2\t"p2"x\tdonor\t\n',
            ['samples.tsv:5: a cell goes on after its closing quote ("); remove the quotes'],
        ),
    ],
    ids=["cells", "short row", "duplicates", "open quote", "quote within"],
)
def test_rows(tmp_path: Path, text: str, messages: list[str]) -> None:
    assert said(written(tmp_path, text)) == messages


def test_duplicate_units_name_both_parts(tmp_path: Path) -> None:
    text = "sample\tunit\tfq1\tfq2\ns1\tL1\ta\t\ns1\tL2\tb\t\ns1\tL1\tc\t\n"
    assert said(written(tmp_path, text, "units.tsv"), UNITS) == [
        "units.tsv:4: unit: sample 's1' unit 'L1' stands already in line 2; keep one row"
    ]


def test_all_problems_come_at_once_in_file_order(tmp_path: Path) -> None:
    text = HEADER + "s 1\tp1\tx\ty\n\tp1\tdonor\t\ns3\t\tdonor\t1.5\n"
    lines = said(written(tmp_path, text))
    assert [line.split(": ")[:2] for line in lines] == [
        ["samples.tsv:2", "sample"],
        ["samples.tsv:2", "role"],
        ["samples.tsv:2", "day"],
        ["samples.tsv:3", "sample"],
        ["samples.tsv:4", "subject"],
        ["samples.tsv:4", "day"],
    ]
    with pytest.raises(InputError) as error:
        read_table(str(tmp_path / "samples.tsv"), SAMPLES)
    assert len(error.value.problems) == 6


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "t.tsv"
    path.write_bytes(content)
    frame, problems = parse_table(path, SAMPLES)
    assert isinstance(frame, pd.DataFrame)
    assert problems, "random bytes are no samples table"
    assert all("\n" not in str(problem) for problem in problems)


@given(st.lists(st.lists(st.text(max_size=6), min_size=4, max_size=4), max_size=4))
def test_no_cells_break_the_reader(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "t.tsv"
    write_table(pd.DataFrame(rows, columns=["sample", "subject", "role", "day"]), path)
    frame, problems = parse_table(path, SAMPLES)
    assert len(frame) <= len(rows)
    # Whatever is kept is legal.
    assert frame["role"].dropna().isin(SAMPLES["role"].allowed).all()
    assert all(problem.line is None or problem.line >= 1 for problem in problems)


# --- writing --------------------------------------------------------------------------------------------------------

# Free text is read without white space around it and without characters that nobody sees.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12).map(visible)


@given(
    st.lists(
        st.tuples(
            TEXT.filter(bool),
            st.one_of(st.none(), TEXT.filter(bool), st.sampled_from(ODD_IDS)),
            st.one_of(st.none(), st.floats(0, 1e300, allow_nan=False)),
            st.one_of(st.none(), st.integers(0, 1)),
        ),
        unique_by=lambda row: row[0],
        max_size=6,
    )
)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str | None, float | None, int | None]]
) -> None:
    frame = pd.DataFrame(rows, columns=["subject", "note", "pfs_days", "pfs_event"])
    frame = frame.astype({"subject": object, "note": object, "pfs_days": float, "pfs_event": "Int64"})
    path = tmp_path_factory.mktemp("round") / "t.tsv.gz"
    write_table(frame, path, comments=["made by a test", "with\ttabs and\nbreaks"])
    table = Table(
        "t",
        "T.",
        (Column("subject", "text", "S."), SUBJECTS["pfs_days"], SUBJECTS["pfs_event"], Column("note", "text", "N.")),
    )
    back, problems = parse_table(path, table)
    assert problems == []
    assert back["subject"].tolist() == frame["subject"].tolist()
    assert back["note"].tolist() == [None if pd.isna(note) else note for note in frame["note"]]
    # To the last bit.
    np.testing.assert_array_equal(back["pfs_days"].to_numpy(), frame["pfs_days"].to_numpy())
    assert back["pfs_event"].tolist() == frame["pfs_event"].tolist()
    if len(frame):
        quick = read_result(path, table)
        pd.testing.assert_frame_equal(quick, back.reset_index(drop=True)[quick.columns.tolist()])


def test_odd_ids_survive_writing(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"sample": ODD_NAMES, "subject": ODD_NAMES, "role": "donor", "day": pd.array([None] * len(ODD_NAMES), "Int64")}
    )
    write_table(frame, tmp_path / "t.tsv")
    for reader in (read_table, read_result):
        back = reader(tmp_path / "t.tsv", SAMPLES)
        assert back["sample"].tolist() == ODD_NAMES
        assert back["subject"].tolist() == ODD_NAMES
        assert back["day"].isna().all()


def test_the_written_form(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": ["x", None], "b": [0.1, np.nan], "c": pd.array([1, None], "Int64")}, index=[7, 8])
    write_table(frame, tmp_path / "t.tsv", comments=["note"])
    assert (tmp_path / "t.tsv").read_bytes() == b"# note\na\tb\tc\nx\t0.1\t1\n\t\t\n"


def test_compressed_bytes_do_not_depend_on_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text("a\n", tmp_path / "1.gz")
    monkeypatch.setattr("time.time", lambda: 1e9)
    write_text("a\n", tmp_path / "2.gz")
    assert (tmp_path / "1.gz").read_bytes() == (tmp_path / "2.gz").read_bytes()
    assert gzip.decompress((tmp_path / "1.gz").read_bytes()) == b"a\n"


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(pd.DataFrame({"a": ["1"]}), "-")
    assert capsys.readouterr().out == "a\n1\n"


def test_nothing_half_written(tmp_path: Path) -> None:
    target = tmp_path / "new" / "t.tsv"
    write_text("old\n", target)

    def fail_half_way() -> None:
        with atomic_path(target) as part:
            part.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_half_way()
    assert target.read_text() == "old\n"
    assert [path.name for path in target.parent.iterdir()] == ["t.tsv"]


def test_written_files_have_usual_rights(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text("x", tmp_path / "t")
    finally:
        os.umask(before)
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write_text("new", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_what_is_no_file_is_written_into(tmp_path: Path) -> None:
    # The pipe stands for devices too. Never /dev/null itself: were the code wrong, root would replace it by a file.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = f"from microbiome.files import write_text; write_text('through\\n', {str(pipe)!r})"
    writer = subprocess.Popen([sys.executable, "-c", code])
    assert pipe.read_text() == "through\n"
    assert writer.wait() == 0
    assert pipe.is_fifo()


def test_targets_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "file" / "t", "Not a directory")):
        with pytest.raises(InputError) as error:
            write_text("x", path)
        (problem,) = error.value.problems
        assert str(problem) == f"{path}: cannot be written ({reason}); choose another output file"


# --- feature tables -------------------------------------------------------------------------------------------------


def test_features(tmp_path: Path) -> None:
    text = "# made by a program\nfeature\ts1\t007\tNA\nEC:1.1\t1\t2.5\t\n1e5\t0\t1e-3\t.5\n\ntrue\t3\t4\t5\n"
    frame = read_features(written(tmp_path, text))
    assert frame.index.tolist() == ["s1", "007", "NA"]
    assert (frame.index.name, frame.columns.name) == ("sample", "taxon")
    assert frame.columns.tolist() == ["EC:1.1", "1e5", "true"]
    expected = np.array([[1, 0, 3], [2.5, 1e-3, 4], [np.nan, 0.5, 5]])
    np.testing.assert_array_equal(frame.to_numpy(), expected)


@pytest.mark.parametrize(
    "text",
    [
        "#OTU ID\ts1\ts2\na\t1\t2\n",
        "# Constructed from biom file\n#OTU ID\ts1\ts2\na\t1\t2\n",
        "# a\tcomment\twith tabs\nfeature\ts1\ts2\na\t1\t2\n",
        '"feature"\t"s1"\t"s2"\n"a"\t"1"\t2\n',
        "feature\ts1\ts2\r\na\t1\t2\r\n",
        "\ufefffeature\ts1\ts2\na\t1\t2",
    ],
)
def test_forms_of_feature_tables(tmp_path: Path, text: str) -> None:
    frame = read_features(written(tmp_path, text))
    assert frame.to_dict() == {"a": {"s1": 1.0, "s2": 2.0}}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", [": the file is empty; write a header row: feature, then the samples"]),
        ("feature\n", [":1: the header has one column only; separate feature and samples by tabs"]),
        ("feature,s1\na,1\n", [":1: the header has one column only; separate feature and samples by tabs"]),
        ("f\ts1\ts1\na\t1\t2\n", [":1: s1: sample 's1' stands twice in the header; keep one"]),
        (
            "f\ts1 \t\na\t1\t2\n",
            [
                ":1: s1: the sample name 's1 ' has extra white space; write 's1'",
                ":1: column 3 has no name; name it or remove it",
            ],
        ),
        ("f\ts1\na\t1\nb\t2\na\t3\n", [":4: feature 'a' stands already in line 2; keep one row per feature"]),
        ("f\ts1\n\t1\n", [":2: the feature has no name; name it or remove the row"]),
        (
            "f\ts1\ts2\na\t1\nb\t1\t2\t3\n",
            [
                ":2: the row has 1 values for 2 samples; mend the row",
                ":3: the row has 3 values for 2 samples; mend the row",
            ],
        ),
        (
            "f\ts1\ts2\na\tx\t1,5\nb\tnan\tinf\nc\t1_0\t2\n",
            [
                ":2: s1: 'x' is not a number; write a number or leave it empty",
                ":2: s2: '1,5' is not a number; write decimals with a point",
                ":3: s1: 'nan' is not a number; write a number or leave it empty",
                ":3: s2: 'inf' is not a number; write a number or leave it empty",
                ":4: s1: '1_0' is not a number; write a number or leave it empty",
            ],
        ),
    ],
)
def test_broken_feature_tables(tmp_path: Path, text: str, messages: list[str]) -> None:
    path = written(tmp_path, text, "f.tsv")
    with pytest.raises(InputError) as error:
        read_features(path)
    assert [str(problem).removeprefix(path) for problem in error.value.problems] == messages


def test_a_hopeless_feature_table_does_not_flood_the_terminal(tmp_path: Path) -> None:
    row = "\t".join(["1,5"] * 50)
    path = written(
        tmp_path, "f\t" + "\t".join(f"s{i}" for i in range(50)) + "\n" + "".join(f"f{i}\t{row}\n" for i in range(50))
    )
    with pytest.raises(InputError) as error:
        read_features(path)
    assert len(error.value.problems) == 100


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n\x00"), min_size=1, max_size=8).filter(
            str.strip
        ),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    st.lists(st.sampled_from([*ODD_IDS, "s1", "s 2", 'a"b', "#c"]), min_size=1, max_size=4, unique=True),
    st.data(),
)
def test_features_read_back(
    tmp_path_factory: pytest.TempPathFactory, features: list[str], samples: list[str], data: st.DataObject
) -> None:
    value = st.one_of(st.just(math.nan), st.floats(allow_nan=False, allow_infinity=False))
    values = [[data.draw(value) for _ in features] for _ in samples]
    frame = pd.DataFrame(
        values,
        index=pd.Index(samples, name="sample", dtype=object),
        columns=pd.Index(features, name="taxon", dtype=object),
    )
    path = tmp_path_factory.mktemp("features") / "f.tsv"
    write_features(frame, path)
    pd.testing.assert_frame_equal(read_features(path), frame, check_exact=True)


def test_names_that_would_break_the_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has a tab or line break"):
        write_features(pd.DataFrame([[1.0]], index=["s1"], columns=["a\tb"]), tmp_path / "f.tsv")
    assert list(tmp_path.iterdir()) == []


# --- results --------------------------------------------------------------------------------------------------------


def test_result_falls_back_to_naming_the_line(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "s1\tp1\tdonor\tsoon\n")
    with pytest.raises(InputError) as error:
        read_result(path, SAMPLES)
    assert str(error.value.problems[0]) == f"{path}:2: day: 'soon' is not an integer; write whole days"
    with pytest.raises(InputError, match="the file is empty"):
        read_result(written(tmp_path, "# only a comment"), SAMPLES)


# --- problems -------------------------------------------------------------------------------------------------------


def test_a_problem_is_one_line() -> None:
    problem = Problem("value 'a\nb' is bad", "mend it", "t.tsv", 3, "x", "a\nb")
    assert str(problem) == "t.tsv:3: x: value 'a\\nb' is bad; mend it"
    assert str(Problem("bad")) == "bad"
    assert str(Problem("bad", file="f")) == "f: bad"
    assert str(Problem("bad", column="k")) == "k: bad"


def test_warnings_do_not_raise() -> None:
    warning = Problem("odd", level="warning")
    raise_problems([warning])
    with pytest.raises(InputError) as error:
        raise_problems([warning, Problem("bad")])
    assert len(error.value.problems) == 2
    found: list[Problem] = []
    with collecting(found):
        raise InputError([warning, Problem("bad")])
    assert [problem.message for problem in found] == ["odd", "bad"]
    assert InputError("text").problems == (Problem("text"),)


def test_missing_columns_of_a_frame() -> None:
    assert [p.column for p in missing_columns(pd.DataFrame({"sample": []}), DOSES, "d")] == [
        "subject",
        "day",
        "donor",
        "donor_sample",
    ]
    assert missing_columns(empty_table(UNITS), UNITS, "u") == []


@pytest.mark.parametrize("table", INPUT_TABLES, ids=lambda table: table.name)
def test_an_empty_table_has_the_types_of_a_read_one(tmp_path: Path, table: Table) -> None:
    path = written(tmp_path, "\t".join(c.name for c in table.columns if c.required) + "\n")
    pd.testing.assert_frame_equal(read_table(path, table), empty_table(table))


def test_small_helpers() -> None:
    assert is_number("1")
    assert is_number("-.5e-3")
    assert not any(is_number(text) for text in ("", ".", "1e", "nan", "inf", "1_0", "0x1", "1e400", " 1", "\u0663"))
    assert shown("a\u200bb") == r"'a\u200bb'"
    assert len(shown("x" * 1000)) == 80
    assert did_you_mean("patient_01", ["P2", "Patient-01"]) == " (did you mean 'Patient-01'?)"
    assert did_you_mean("recipent1", ["recipient1", "zzz"]) == " (did you mean 'recipient1'?)"
    assert did_you_mean("abc", ["xyz", None, ""]) == ""
    assert did_you_mean("recipent1", [f"recipient{i}" for i in range(5000)]) == "", "too many to compare"


@pytest.mark.parametrize(("cell", "day"), [("42.0", 42), ("-7.00", -7), ("+3", 3), ("0.0", 0)])
def test_a_whole_number_with_zeros_behind_the_point_is_an_integer(tmp_path: Path, cell: str, day: int) -> None:
    path = written(tmp_path, f"sample\tsubject\trole\tday\ns1\tp1\trecipient\t{cell}\n")
    frame, problems = parse_table(path, SAMPLES)
    assert not problems
    assert frame["day"].tolist() == [day]
