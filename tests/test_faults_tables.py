"""Sheets, profiles and configurations as they come from spreadsheets, other systems and interrupted copies.

Each fault is a row of docs/reliability.md. Nothing is dropped in silence: what can be read without a doubt gives the
same results as the clean file, to the byte; everything else is refused, in one line that names file, line and value.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import re
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from broken import (
    CONFIG_PROFILES,
    DOSES,
    INDEX,
    SUBJECTS,
    Case,
    Change,
    append,
    both,
    cut,
    edit,
    good,
    link,
    profile,
    put,
    replace,
)
from broken_cases import CASES
from reliability import Recorder, cleaned

from microbiome.cli import main

PROFILE = "profiles/R1.0_profile.tsv"
ROWS = 10_000
NOBODY = 65534


# ------------------------------------------------------------------------------------------------- how it comes about


def changed(file: str, how: Callable[[bytes], bytes]) -> Change:
    return lambda root: put(root / file, how((root / file).read_bytes()))


def quoted(data: bytes) -> bytes:
    lines = data.decode().rstrip("\n").split("\n")
    return ("\n".join("\t".join(f'"{cell}"' for cell in line.split("\t")) for line in lines) + "\n").encode()


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def workbook(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", data)
    return buffer.getvalue()


def many(row: str) -> Change:
    return append("samples.tsv", "".join(row.format(i=i) for i in range(ROWS)))


def instead(file: str, make: Callable[[Path], object]) -> Change:
    def change(root: Path) -> None:
        (root / file).unlink()
        make(root / file)

    return change


def renamed(old: str, new: str) -> Change:
    def change(root: Path) -> None:
        (root / f"profiles/{old}_profile.tsv").unlink()
        put(root / f"profiles/{new}_profile.tsv", profile(new))

    return both(edit("samples.tsv", old, new), change)


SHEETS, PROFILES = "Sheets", "Profiles"
DAMAGED = "the file is damaged: a NUL byte stands in it; copy or export it again"
UTF16 = "the file is not UTF-8 but looks like UTF-16; save it as UTF-8 text"
WORKBOOK = "the file is a workbook or zip archive; export the sheet as tab-separated text"
SPECIAL = "not an ordinary file; give a file: this one could be read once, or never ends"
NO_BASELINE = (
    "has no baseline (no sample with day <= 0); add the sample, or set allow_missing_baseline to go on without "
    "outcomes for this subject"
)

#: Fault, what was done, and all that `microbiome check` says of it.
FAULTS: tuple[tuple[Case, str], ...] = (
    (
        Case(
            SHEETS,
            "UTF-16 without a byte-order mark",
            changed("subjects.tsv", lambda data: data.decode().encode("utf-16-le")),
            (f"error: subjects.tsv: {UTF16}",),
            "profiles",
        ),
        "saved the subjects table as UTF-16 (little endian, no mark)",
    ),
    (
        Case(
            SHEETS,
            "Excel workbook (.xlsx)",
            changed("samples.tsv", workbook),
            (f"error: samples.tsv: {WORKBOOK}",),
            "profiles",
        ),
        "gave a zip archive with a sheet in it under the name of the samples table",
    ),
    (
        Case(
            SHEETS,
            "Excel workbook (.xls)",
            replace("samples.tsv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)),
            (f"error: samples.tsv: {WORKBOOK}",),
            "profiles",
        ),
        "gave a file of the older Excel format",
    ),
    (
        Case(
            SHEETS,
            f"a wrong column in {ROWS:,} rows",
            many("X{i}\tC1\tpatient\tday {i}\n"),
            (
                "error: samples.tsv:7: role: 'patient' is not allowed; use one of recipient, donor, control",
                "error: samples.tsv:7: day: 'day 0' is not an integer; write whole days",
                "error: samples.tsv:8: role: 'patient' is not allowed; use one of recipient, donor, control",
                "error: samples.tsv:8: day: 'day 1' is not an integer; write whole days",
                "error: samples.tsv:9: role: 'patient' is not allowed; use one of recipient, donor, control",
                "error: samples.tsv:9: day: 'day 2' is not an integer; write whole days",
                f"error: samples.tsv: ... and {ROWS - 3} more in column role",
                f"error: samples.tsv: ... and {ROWS - 3} more in column day",
                "error: samples.tsv:7: sample: sample 'X0' has no profile; add the profile, or remove the row",
                "error: samples.tsv:8: sample: sample 'X1' has no profile; add the profile, or remove the row",
                "error: samples.tsv:9: sample: sample 'X2' has no profile; add the profile, or remove the row",
                f"error: samples.tsv: ... and {ROWS - 3} more in column sample",
            ),
            "profiles",
        ),
        f"added {ROWS:,} rows with no role and no day in them (said within 20 s of processor time)",
    ),
    (
        Case(
            SHEETS,
            "no-break space behind a name",
            edit("samples.tsv", "R1.28\tR1\t", "R1.28\tR1\u00a0\t"),
            ("error: samples.tsv:5: subject: 'R1\\xa0' has extra white space; write 'R1'",),
            "profiles",
        ),
        "put U+00A0 behind a subject",
    ),
    (
        Case(
            SHEETS,
            "zero-width space in a column name",
            edit("samples.tsv", "subject", "sub\u200bject"),
            (
                "error: samples.tsv:1: subject: the column name 'sub\\u200bject' has an invisible character; write "
                "'subject'",
            ),
            "profiles",
        ),
        "put U+200B into a column name",
    ),
    (
        Case(
            SHEETS,
            "zero-width space in a group (read without it)",
            edit("subjects.tsv", "placebo", "placebo\u200b"),
            ("warning: subjects.tsv:5: arm: 'placebo\\u200b' has an invisible character; write 'placebo'",),
            "profiles",
        ),
        "put U+200B behind a group, which would have made two groups of one",
    ),
    (
        Case(
            SHEETS,
            "samples that differ in capitals only",
            renamed("C1.0", "r1.0"),
            (
                "warning: samples.tsv:6: sample: sample 'r1.0' and sample 'R1.0' in line 4 differ in capitals "
                "only: where a "
                "file system takes them for the same, the files of one replace those of the other; write both alike if "
                "they are one, else rename one",
            ),
            "profiles",
        ),
        "named two samples R1.0 and r1.0, whose files are one on macOS and Windows",
    ),
    (
        Case(
            SHEETS,
            "subjects that differ in capitals only",
            edit("samples.tsv", "R1.28\tR1", "R1.28\tr1"),
            (
                f"error: samples.tsv:5: day: recipient 'r1' {NO_BASELINE}",
                "warning: samples.tsv:5: subject: subject 'r1' is not in subjects.tsv; add a row there (did you "
                "mean 'R1'?)",
                "warning: samples.tsv:5: subject: subject 'r1' and subject 'R1' in line 4 differ in capitals only; "
                "write both "
                "alike if they are one",
            ),
            "profiles",
        ),
        "wrote one subject as R1 and r1",
    ),
    (
        Case(
            SHEETS,
            "one name in two Unicode spellings (NFC, NFD)",
            both(
                edit("samples.tsv", "R1.0\tR1", "R1.0\tRen\u00e9"),
                edit("samples.tsv", "R1.28\tR1", "R1.28\tRene\u0301"),
                edit("subjects.tsv", "R1", "Ren\u00e9"),
                replace("doses.tsv", DOSES.replace("R1", "Ren\u00e9")),
            ),
            (
                f"error: samples.tsv:5: day: recipient 'Rene\u0301' {NO_BASELINE}",
                "warning: samples.tsv:5: subject: subject 'Rene\u0301' is not in subjects.tsv; add a row there "
                "(did you mean "
                "'Ren\u00e9'?)",
                "error: samples.tsv:5: subject: subject 'Rene\u0301' looks like the one in line 4, but is "
                "'Rene\\u0301' here "
                "and 'Ren\\xe9' there; write both alike: copy the name from one place to the other",
            ),
            "profiles",
        ),
        "wrote one subject once with the letter é and once with e and an accent (as macOS does)",
    ),
    (
        Case(
            SHEETS,
            "a cell of 200,000 characters",
            edit("subjects.tsv", "placebo", "x" * 200_000),
            (
                "error: subjects.tsv:5: a cell has more than 131072 characters; look at this line: something else "
                "was pasted "
                "into it, or a quote is missing",
            ),
            "profiles",
        ),
        "pasted a long text into a cell",
    ),
    (
        Case(
            SHEETS,
            "a sample name of 300 characters",
            renamed("C1.0", "C" * 200),
            (
                f"error: samples.tsv:6: sample: '{'C' * 75}...' has 200 characters; use at most 150: files are "
                "named after it",
            ),
            "profiles",
        ),
        "named a sample longer than a file name may be",
    ),
    (
        Case(SHEETS, "NUL bytes", append("samples.tsv", "\0" * 40), (f"error: samples.tsv:7: {DAMAGED}",), "profiles"),
        "put NUL bytes at the end of the samples table, as a file system does that lost power",
    ),
    (
        Case(
            SHEETS,
            "a folder in place of a table",
            instead("doses.tsv", Path.mkdir),
            ("error: doses.tsv: cannot be read (Is a directory); correct the path or its rights",),
            "profiles",
        ),
        "made a folder of the name of the doses table",
    ),
    (
        Case(
            SHEETS,
            "a named pipe in place of a table",
            instead("doses.tsv", os.mkfifo),
            (f"error: doses.tsv: {SPECIAL}",),
            "profiles",
        ),
        "made a FIFO of the name of the doses table (opening it would wait for ever)",
    ),
    (
        Case(
            SHEETS,
            "an endless device in place of a table",
            edit("config.yaml", "doses.tsv", "/dev/zero"),
            (f"error: /dev/zero: {SPECIAL}",),
            "profiles",
        ),
        "named /dev/zero in the configuration",
    ),
    (
        Case(
            SHEETS,
            "/dev/null in place of a table",
            edit("config.yaml", "doses.tsv", "/dev/null"),
            ("error: /dev/null: the file is empty; write a header row: subject day donor donor_sample",),
            "profiles",
        ),
        "named /dev/null in the configuration",
    ),
    (
        Case(
            SHEETS,
            "a symbolic link to nothing",
            link("doses.tsv", "gone.tsv"),
            (
                "error: config.yaml:3: doses: 'doses.tsv' does not exist; correct the path, or write the table "
                "(docs/tables.md)",
            ),
            "profiles",
        ),
        "linked the doses table to a file that is not there",
    ),
    (
        Case(
            SHEETS,
            "octal and sexagesimal numbers in the configuration",
            append("config.yaml", "min_reads: 0100\nnulls: {permutations: 16:39}\n"),
            (
                "error: config.yaml:6: min_reads: '0100' is not an integer; write a whole number, without quotes",
                "error: config.yaml:7: nulls.permutations: '16:39' is not an integer; write a whole number, without "
                "quotes",
            ),
            "profiles",
        ),
        "wrote numbers that YAML takes for 64 and 999",
    ),
    (
        Case(
            SHEETS,
            "a date that is none in the configuration",
            append("config.yaml", "results: 2026-13-02\n"),
            (
                "error: config.yaml:6: results: '2026-13-02' looks like what YAML calls timestamp and is none; put "
                "it in quotes",
            ),
            "profiles",
        ),
        "named the results folder 2026-13-02",
    ),
    (
        Case(
            SHEETS,
            "`yes` and `no` as names in the configuration",
            append("config.yaml", "compare: {by: [yes]}\nnulls: {strata: no}\n"),
            (
                "error: config.yaml:6: compare.by: column 'yes' is not in subjects.tsv; name a column",
                "error: config.yaml:7: nulls.strata: column 'no' is not in subjects.tsv and samples.tsv; name a column",
            ),
            "profiles",
        ),
        "named columns yes and no, which YAML takes for true and false",
    ),
    (
        Case(
            SHEETS,
            "a text in place of `true` in the configuration",
            append("config.yaml", "allow_missing_baseline: 'yes'\n"),
            (
                "error: config.yaml:6: allow_missing_baseline: 'yes' is not true or false; write true or false, "
                "without quotes",
            ),
            "profiles",
        ),
        "put yes in quotes",
    ),
    (
        Case(
            SHEETS,
            "UTF-16 in the configuration",
            replace("config.yaml", CONFIG_PROFILES.encode("utf-16")),
            (f"error: config.yaml: {UTF16}",),
            "profiles",
        ),
        "saved the configuration as UTF-16",
    ),
    (
        Case(
            SHEETS,
            "aliases of aliases in the configuration",
            append(
                "config.yaml",
                "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}' if i else 'x'] * 9)}]\n" for i in range(9)),
            ),
            (
                "error: config.yaml:6: the file stands for more than 50000 values; write out what its aliases "
                "(*NAME) mean",
            ),
            "profiles",
        ),
        "wrote nine lines of YAML that stand for 400 million values",
    ),
    (
        Case(
            PROFILES,
            "a profile cut off in the middle of a row",
            cut(PROFILE, 30),
            (f"error: {PROFILE}:10: the row is cut off: 1 of 5 cells; copy or make the table again",),
            "profiles",
        ),
        "cut the last 30 bytes off a MetaPhlAn table",
    ),
    (
        Case(
            PROFILES,
            "a profile cut off between two rows",
            cut(PROFILE, len("k__Bacteria|s__A_b|t__SGB2\t2|3|\t30.0\t-\t300\n")),
            (
                f"error: {PROFILE}: R1.0: the sgb rows of sample 'R1.0' sum to 50 percent, its kingdoms to 80: "
                "rows are missing; "
                "copy or make the table again",
            ),
            "profiles",
        ),
        "took the last row off a MetaPhlAn table",
    ),
    (
        Case(
            PROFILES,
            "a truncated .gz profile",
            changed(PROFILE, lambda data: zipped(data)[:-30]),
            (f"error: {PROFILE}: truncated or corrupt gzip file; copy or make the file again",),
            "profiles",
        ),
        "cut the end off a compressed MetaPhlAn table",
    ),
    (
        Case(
            PROFILES,
            "an empty profile",
            replace(PROFILE, ""),
            (f"error: {PROFILE}: the file is empty; copy or make it again",),
            "profiles",
        ),
        "emptied a MetaPhlAn table",
    ),
    (
        Case(
            PROFILES,
            "a clade that stands twice",
            append(PROFILE, "k__Bacteria|s__A_b|t__SGB2\t2|3|\t30.0\t-\t300\n"),
            (f"error: {PROFILE}:11: clade 'k__Bacteria|s__A_b|t__SGB2' stands already in line 10; keep one row",),
            "profiles",
        ),
        "wrote the last row twice",
    ),
    (
        Case(
            PROFILES,
            "a negative abundance",
            edit(PROFILE, "50.0", "-50.0"),
            (f"error: {PROFILE}:9: R1.0: -50.0 is negative; percentages are 0 to 100",),
            "profiles",
        ),
        "put a minus before a percentage",
    ),
    (
        Case(
            PROFILES,
            "an abundance of NaN",
            edit(PROFILE, "50.0", "NaN"),
            (f"error: {PROFILE}:9: R1.0: 'NaN' is not a finite number; write a percentage",),
            "profiles",
        ),
        "wrote NaN for a percentage",
    ),
    (
        Case(
            PROFILES,
            "abundances that sum to 250",
            both(edit(PROFILE, "50.0", "200.0"), edit(PROFILE, "UNCLASSIFIED\t-1\t20.0", "UNCLASSIFIED\t-1\t20.0")),
            (
                f"error: {PROFILE}: R1.0: the sgb rows of sample 'R1.0' sum to 250, not to 100 at most; give "
                "MetaPhlAn's relative "
                "abundances (percent)",
            ),
            "profiles",
        ),
        "made the percentages of a sample 250 together",
    ),
    (
        Case(
            PROFILES,
            "decimal commas",
            edit(PROFILE, "50.0", "50,0"),
            (f"error: {PROFILE}:9: R1.0: '50,0' is not a number; write decimals with a point",),
            "profiles",
        ),
        "wrote a percentage as 50,0",
    ),
    (
        Case(
            PROFILES,
            "a profile of another database",
            edit(PROFILE, INDEX, "mpa_vJan25_CHOCOPhlAnSGB_202503"),
            (
                f"error: {PROFILE}:1: the table is of database mpa_vJan25_CHOCOPhlAnSGB_202503, while 4 of 5 "
                "tables are of "
                f"{INDEX} (such as profiles/C1.0_profile.tsv); profile all samples with one database: SGBs of "
                "different "
                "databases are not comparable",
            ),
            "profiles",
        ),
        "named another MetaPhlAn database in one of five tables",
    ),
    (
        Case(
            PROFILES,
            "a profile in UTF-16",
            changed(PROFILE, lambda data: data.decode().encode("utf-16")),
            (f"error: {PROFILE}: {UTF16}",),
            "profiles",
        ),
        "saved a MetaPhlAn table as UTF-16",
    ),
    (
        Case(
            PROFILES,
            "a folder in place of a profile",
            instead(PROFILE, Path.mkdir),
            (f"error: {PROFILE}: cannot be read (Is a directory); correct the path or its rights",),
            "profiles",
        ),
        "made a folder of the name of a MetaPhlAn table",
    ),
    (
        Case(
            PROFILES,
            "a named pipe in place of a profile",
            instead(PROFILE, os.mkfifo),
            (f"error: {PROFILE}: {SPECIAL}",),
            "profiles",
        ),
        "made a FIFO of the name of a MetaPhlAn table",
    ),
    (
        Case(
            PROFILES,
            "NUL bytes in a profile",
            append(PROFILE, "\0" * 40),
            (f"error: {PROFILE}:11: {DAMAGED}",),
            "profiles",
        ),
        "put NUL bytes at the end of a MetaPhlAn table",
    ),
)

#: Faults of docs/messages.md: group and name there; group here, and what was done.
KNOWN: dict[tuple[str, str], str] = {
    ("Tables", "text in UTF-16"): "saved the subjects table as UTF-16, as Excel's Unicode text is",
    ("Tables", "text in Latin-1"): "saved the subjects table as Latin-1",
    ("Tables", "a truncated gzip"): "cut the end off a compressed table",
    ("Tables", "an empty file"): "emptied the doses table",
    ("Tables", "columns separated by commas"): "saved the samples table as CSV",
    ("Tables", "columns separated by semicolons"): "saved the units table as CSV of a European Excel",
    ("Tables", "a column twice"): "gave two columns one name",
    ("Tables", "a quote that is never closed"): "put a quote before a name",
    ("Tables", "an invisible character"): "put U+200B behind a subject",
    ("Config", "a tab in YAML"): "indented the configuration with a tab",
    ("Config", "a key twice"): "wrote a key twice",
}

#: What is read all the same: fault, what was done to every sheet and profile, and what is said of the samples table.
ACCEPTED: tuple[tuple[str, str, Callable[[bytes], bytes], str], ...] = (
    ("Windows line ends (CR LF)", "gave every table CR LF", crlf, ""),
    ("a byte-order mark", "put a byte-order mark before every table", lambda data: b"\xef\xbb\xbf" + data, "BOM"),
    ("quotes around every cell", "put quotes around every cell of every table", quoted, ""),
    ("compressed tables", "compressed every table with gzip and left the names", zipped, ""),
    (
        "everything at once",
        "compressed tables with byte-order mark, quotes and CR LF",
        lambda data: zipped(b"\xef\xbb\xbf" + crlf(quoted(data))),
        "BOM",
    ),
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder without programs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def check(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    code = main(["--quiet", "check", "--config", "config.yaml"])
    return code, capsys.readouterr().err.splitlines()


def verdict(code: int, lines: list[str], says: tuple[str, ...]) -> None:
    """Exit code and last line are those of the problems."""
    errors = sum(line.startswith("error: ") and "... and" not in line for line in says)
    assert code == (2 if errors else 0)
    assert lines[-1].endswith("in the input described by config.yaml") if errors else lines[-1].startswith("OK: ")


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("case", "done"), FAULTS, ids=[case.what for case, _ in FAULTS])
def test_what_is_said(
    root: Path, capsys: pytest.CaptureFixture[str], reliability: Recorder, case: Case, done: str
) -> None:
    good(root, case.entry)
    case.change(root)
    start = time.process_time()
    code, lines = check(capsys)
    assert time.process_time() - start < 20
    assert lines[:-1] == list(case.says)
    verdict(code, lines, case.says)
    reliability(case.group, case.what, done=done, saw=cleaned("\n".join(lines)))


@pytest.mark.parametrize("known", KNOWN, ids=": ".join)
def test_known_messages(
    root: Path, capsys: pytest.CaptureFixture[str], reliability: Recorder, known: tuple[str, str]
) -> None:
    case = next(case for case in CASES if (case.group, case.what) == known)
    good(root, case.entry)
    case.change(root)
    code, lines = check(capsys)
    lines = [line for line in lines if not line.startswith(("error: fastp", "error: metaphlan"))]
    assert lines[:-1] == list(case.says)
    verdict(code, lines, case.says)
    reliability(SHEETS, case.what, done=KNOWN[known], saw=cleaned("\n".join(lines)))


def test_no_right_to_read(root: Path, capsys: pytest.CaptureFixture[str], reliability: Recorder) -> None:
    good(root, "profiles")
    check(capsys)
    Path("doses.tsv").chmod(0)
    Path(PROFILE).chmod(0)
    root.chmod(0o777)
    user = os.geteuid()
    try:
        if not user:
            os.seteuid(NOBODY)
        code, lines = check(capsys)
    finally:
        os.seteuid(user)
    assert lines[:-1] == [
        "error: doses.tsv: cannot be read (Permission denied); correct the path or its rights",
        f"error: {PROFILE}: cannot be read (Permission denied); correct the path or its rights",
    ]
    verdict(code, lines, tuple(lines))
    done = "took the right to read from a table and a profile and ran as another user"
    reliability(SHEETS, "no right to read", done=done, saw=cleaned("\n".join(lines)))


# --------------------------------------------------------------------------------------- what gives the same results


def results(capsys: pytest.CaptureFixture[str], folder: str) -> tuple[dict[str, bytes], str]:
    """Run commands on the study; return what they wrote, and what was said."""
    profiles = sorted(map(str, Path("profiles").glob("*")))
    study = ["--samples", "samples.tsv", "--doses", "doses.tsv"]
    merged, outcomes = f"{folder}/merged.tsv", f"{folder}/outcomes.tsv"
    subjects = ["--subjects", "subjects.tsv"]
    assert main(["--quiet", "merge", *profiles, "-o", merged]) == 0
    assert (
        main(["--quiet", "alpha", "--profile", merged, "--metric", "richness", "shannon", "-o", f"{folder}/alpha.tsv"])
        == 0
    )
    assert main(["--quiet", "outcomes", "--profile", *profiles, *study, "-o", outcomes]) == 0
    assert main(["--quiet", "rates", "--outcomes", outcomes, "-o", f"{folder}/rates.tsv"]) == 0
    assert main(["--quiet", "clinical", "response", *subjects, "-o", f"{folder}/response.tsv"]) == 0
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}, capsys.readouterr().err


@pytest.mark.parametrize(("fault", "done", "how", "said"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_same_results(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    reliability: Recorder,
    fault: str,
    done: str,
    how: Callable[[bytes], bytes],
    said: str,
) -> None:
    good(root, "profiles")
    logging.disable(logging.INFO)
    try:
        clean, _ = results(capsys, "clean")
        for path in [*root.glob("*.tsv"), *root.glob("profiles/*")]:
            path.write_bytes(how(path.read_bytes()))
        code, lines = check(capsys)
        assert code == 0
        warning = "the file begins with a byte-order mark; save it as UTF-8 without BOM"
        sheets = ("samples.tsv", "subjects.tsv", "doses.tsv")
        assert lines[:-1] == ([f"warning: {name}:1: {warning}" for name in sheets] if said else [])
        same, _ = results(capsys, "changed")
    finally:
        logging.disable(logging.NOTSET)
    assert clean.keys() == same.keys()
    assert len(clean) == 5
    for name, content in clean.items():
        assert content == same[name], name
    reliability(SHEETS, f"{fault} (read)", done=f"{done}: results are those of the clean tables", saw="\n".join(lines))


def test_ten_thousand_rows(root: Path, capsys: pytest.CaptureFixture[str], reliability: Recorder) -> None:
    """A sheet of that size is no fault: it is checked in seconds."""
    good(root, "profiles")
    names = [f"X{i}" for i in range(ROWS)]
    append("samples.tsv", "".join(f"{name}\t{name}\tcontrol\t{i}\n" for i, name in enumerate(names)))(root)
    append("subjects.tsv", "".join(f"{name}\tplacebo\tSD\n" for name in names))(root)
    header = "\t".join(["feature", "D1.a", "D2.a", "R1.0", "R1.28", "C1.0", *names])
    put(root / "all.tsv", header + "\n" + "a\t" + "\t".join(["1"] * (ROWS + 5)) + "\n")
    edit("config.yaml", "profiles/*_profile.tsv", "all.tsv")(root)
    start = time.process_time()
    code, lines = check(capsys)
    assert time.process_time() - start < 30
    assert (code, lines) == (0, [f"OK: {ROWS + 5} samples, {ROWS + 4} subjects, 2 doses, {ROWS + 5} profiles"])
    reliability(
        SHEETS,
        f"{ROWS:,} rows (read)",
        done=f"checked a study of {ROWS:,} samples and subjects (within 30 s of processor time)",
        saw="\n".join(lines),
    )


# ------------------------------------------------------------------------------------------ the workflow, to its end


def written(root: Path) -> None:
    """Write a study whose samples differ, and which keeps to what is quick."""
    good(root, "profiles")
    present = {"D1.a": "1234", "D2.a": "3456", "R1.0": "5678", "R1.28": "12568", "C1.0": "78"}
    for sample, numbers in present.items():
        each = 80 / len(numbers)
        rows = "".join(f"k__Bacteria|s__A_{n}\t2|{n}\t{each}\t-\t1\n" for n in numbers)
        rows += "".join(f"k__Bacteria|s__A_{n}|t__SGB{n}\t2|{n}|\t{each}\t-\t1\n" for n in numbers)
        head = profile(sample).split("k__Bacteria|s__A_b")[0]
        put(root / "profiles" / f"{sample}_profile.tsv", head + rows)


@pytest.mark.tools
def test_odd_paths_and_links(tmp_path: Path, repository: Path, reliability: Recorder) -> None:
    """Spaces, letters beyond ASCII and links at every level: the run ends well, with the results of the plain one."""
    short = "compare: {by: [], permutations: 19}\nsensitivity: {by: [], thresholds: [0]}\nnulls: {permutations: 19}\n"
    short += "donors: {match: false}\ndiversity: {beta: [bray_curtis]}\n"
    plain = tmp_path / "plain"
    written(plain)
    append("config.yaml", short)(plain)
    odd, stock = tmp_path / "Étude à Zürich (1)" / "it's a study", tmp_path / "stock 材料"
    written(stock)
    (odd / "my profiles").mkdir(parents=True)
    for path in (stock / "profiles").iterdir():
        (odd / "my profiles" / path.name).symlink_to(path)
    (odd / "sämples.tsv").symlink_to(stock / "samples.tsv")
    (odd / "doses.tsv").symlink_to("../../stock 材料/doses.tsv")
    put(odd / "subjects.tsv", SUBJECTS)
    config = CONFIG_PROFILES.replace("samples: samples", "samples: sämples").replace("profiles/*", "my profiles/*")
    put(odd / "my config.yaml", config + short + "results: the résults\n")
    linked = tmp_path / "linked study"
    linked.symlink_to(odd)
    wanted = ("outcomes/rates.tsv", "outcomes/outcomes.tsv", "diversity/alpha.tsv", "profiles/merged.tsv")
    options = ["--snakefile", str(repository / "Snakefile"), "--cores", "2", "--configfile"]
    runs = {
        plain: ["snakemake", *(f"results/{name}" for name in wanted), *options, "config.yaml"],
        linked: ["snakemake", *options, "my config.yaml"],
    }
    said = {}
    for folder, words in runs.items():
        run = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        said[folder] = run.stdout + run.stderr
        assert run.returncode == 0, said[folder]
    there = odd / "the résults"
    assert (there / "report.html").stat().st_size > 10_000
    for name in wanted:
        assert (there / name).read_bytes() == (plain / "results" / name).read_bytes(), name
    assert not (odd / "results").exists()
    assert (odd / "sämples.tsv").is_symlink()
    last = [line for line in said[linked].splitlines() if "steps (100%) done" in line]
    assert len(last) == 1
    reliability(
        "Disk and folders",
        "paths with spaces and non-ASCII letters, symbolic links",
        done="ran a study to its end in a linked folder with spaces, quotes, brackets and accents in its path, samples "
        "table, doses and profiles being links, the results folder having a space: its tables are those of a plain run",
        saw=re.sub(r"\d+ of \d+ steps", "all steps", last[0].strip()),
    )
