"""The page of each patient: events, measurements, losses and gains are those of the tables; drawn when opened."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import html.parser
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from report_patients import CODE, STUDY, write_patients

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.report import data, page
from microbiome.report.blocks import PatientPage
from microbiome.report.figures.patients import last_day
from microbiome.report.patient_changes import sum_changes
from microbiome.report.patient_frames import PatientFrames, frames_of, per_sample
from microbiome.report.roster import people, sample_table
from microbiome.strains.tables import STRAIN_RESOLVED
from microbiome.tsv import write_table


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_patients(tmp_path_factory.mktemp("patients"))


def read(options: list[str], **more: object) -> data.Tables:
    given = dict(zip(options[::2], options[1::2], strict=True))
    names = ("lesions", "toxicities", "treatments")
    inputs = data.inputs(given["--results"], **{name: given[f"--{name}"] for name in names}, **more)  # type: ignore[arg-type]
    return data.read(inputs, given["--samples"], given["--subjects"], given["--doses"])


@pytest.fixture(scope="module")
def tables(options: list[str]) -> data.Tables:
    return read(options)


@pytest.fixture(scope="module")
def frames(tables: data.Tables) -> dict[str, PatientFrames]:
    subjects = people(tables)
    return frames_of(
        tables, sample_table(tables, subjects), subjects.loc[subjects["role"] != "donor", "subject"].tolist()
    )


@pytest.fixture(scope="module")
def html_file(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "report.html"
    assert main(["report", *options, "-o", str(target), "--figures", str(target.parent / "figures")]) == 0
    return target


def rows_of(events: pd.DataFrame, what: str) -> list[tuple]:
    part = events[events["what"] == what]
    return [
        tuple(row)
        for row in part[["lane", "day", "end_day", "label"]].astype(object).where(part.notna(), None).to_numpy()
    ]


def test_every_event_is_there_once(frames: dict[str, PatientFrames]) -> None:
    events = frames["P1"].events
    assert rows_of(events, "dose") == [("FMT", 0.0, None, "D1"), ("FMT", 14.0, None, "D1")]
    assert rows_of(events, "sample") == [
        ("stool sample", -1.0, None, "a0"),
        ("stool sample", 30.0, None, "a1"),
        ("stool sample", 90.0, None, "a2"),
    ]
    assert rows_of(events, "toxicity") == [("irAE: colitis", 20.0, 50.0, "3"), ("irAE: rash", 70.0, None, "1")]
    assert rows_of(events, "treatment") == [
        ("antibiotic", -3.0, -1.0, "vancomycin"),
        ("immunotherapy", 7.0, None, "nivolumab"),
        ("immunotherapy", 28.0, None, "nivolumab"),
    ]
    assert rows_of(events, "response") == [("response", 50.0, None, "PR"), ("response", 100.0, None, "PR")]
    assert rows_of(events, "progression") == [("follow-up", 200.0, None, "progression")]
    assert not rows_of(events, "death")
    assert rows_of(events, "censored_os") == [("follow-up", 900.0, None, "censored")]
    assert rows_of(frames["P2"].events, "death") == [("follow-up", 60.0, None, "death")]
    assert rows_of(frames["P2"].events, "toxicity") == [("irAE: myocarditis", None, None, "4")]


def test_values_are_those_of_the_tables(frames: dict[str, PatientFrames], tables: data.Tables) -> None:
    lines = frames["P1"].lines.set_index(["series", "day"])["value"]
    # The last assessment on or before day 0 is the baseline: 100 mm on day -2.
    assert lines["sum"].to_dict() == {-2.0: 0.0, 50.0: -40.0, 100.0: -60.0}
    assert tables.alpha is not None
    shannon = tables.alpha.set_index("sample")["shannon"]
    assert lines["shannon"].to_dict() == {-1.0: shannon["a0"], 30.0: shannon["a1"], 90.0: shannon["a2"]}
    # Of the two taxa that the donor has and the baseline lacks, one is there.
    assert lines["engraftment rate"].to_dict() == {30.0: 0.5, 90.0: 0.5}
    assert lines["depletion rate"].to_dict() == {30.0: pytest.approx(2 / 3), 90.0: pytest.approx(1 / 3)}
    assert "new lesion" in set(frames["P2"].lines["series"])
    counts = frames["P1"].outcomes.pivot_table(index="sample", columns="outcome", values="taxa")
    assert counts.loc["a2"].to_dict() == {
        "engrafted": 1,
        "not_engrafted": 1,
        "shared_kept": 0,
        "shared_depleted": 0,
        "persisted": 2,
        "depleted": 1,
        "gained": 1,
    }


def test_main_losses_and_gains(frames: dict[str, PatientFrames]) -> None:
    columns = ["taxon", "change", "outcome", "baseline_abundance", "post_abundance", "changed_in", "post_samples"]
    found = [tuple(row) for row in frames["P1"].changes[columns].to_numpy()]
    # Of the last sample with outcomes: what came back on day 90 is no loss; gains by their abundance.
    assert found == [
        ("lost", "lost", "depleted", 0.3, 0.0, 2, 2),
        ("engrafted", "gained", "engrafted", 0.0, 0.3, 2, 2),
        ("gained", "gained", "gained", 0.0, 0.1, 1, 2),
    ]
    assert frames[CODE].changes.empty


def test_strain_evidence_stands_beside_the_gain(options: list[str], tmp_path: Path) -> None:
    resolved = tmp_path / "resolved.tsv"
    header = [column.name for column in STRAIN_RESOLVED.columns if column.required]
    rows = [
        {"sample": "a2", "day": 90, "taxon": "engrafted", "strain_outcome": "donor", "donor_fraction": 0.9},
        {"sample": "a1", "day": 30, "taxon": "engrafted", "strain_outcome": "other", "donor_fraction": 0.1},
        {"sample": "a2", "day": 90, "taxon": "kept", "outcome": "persisted", "strain_outcome": "unresolved"},
    ]
    same = {"subject": "P1", "baseline_sample": "a0", "outcome": "engrafted"}
    write_table(pd.DataFrame([same | row for row in rows]).reindex(columns=header), resolved)
    tables = read(options, strain_resolved=str(resolved))
    frames = frames_of(tables, sample_table(tables, people(tables)), ["P1"])["P1"]
    evidence = frames.changes.set_index("taxon")
    assert evidence.loc["engrafted", ["strain_outcome", "donor_fraction"]].tolist() == ["donor", 0.9]
    assert pd.isna(evidence.loc["lost", "strain_outcome"])
    assert frames.strains[frames.strains["sample"] == "a2"].set_index("strain_outcome")["taxa"].to_dict() == {
        "donor": 1,
        "unresolved": 1,
    }
    told = per_sample(frames, ["engrafted", "lost"]).set_index("sample")
    assert told.loc["a2", ["engrafted", "lost", "strains"]].tolist() == [1, 1, "1 donor, 1 unresolved"]


def test_change_of_the_sum_needs_a_baseline() -> None:
    lesions = pd.DataFrame(
        {
            "subject": ["a", "a", "b", "b", "c", "c"],
            "day": [-5, 30, 10, 40, 0, 30],
            "sum_diameters": [0.0, 10.0, 50.0, 60.0, 20.0, float("nan")],
            "new_lesion": [0, 1, 0, 0, 0, 0],
        }
    )
    found = sum_changes(lesions)  # a has nothing to measure, b no baseline, c is not measured later
    assert found[["subject", "day"]].to_numpy().tolist() == [["c", 0], ["c", 30]]
    assert found["change_percent"].isna().tolist() == [False, True]


def test_follow_up_does_not_squeeze_the_samples(frames: dict[str, PatientFrames]) -> None:
    # P1: last assessment on day 100; progression on day 200 is shown, day 900 is told at the edge.
    low, high = last_day(frames["P1"].events, frames["P1"].lines)
    assert low < -7 or low < -3
    assert 200 <= high < 250


class _Text(html.parser.HTMLParser):
    """Text within the page of each patient."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: dict[str, str] = {}
        self.links: list[str] = []
        self._open = ""
        self._depth = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "details":
            self._depth += 1
            if "data-patient" in attributes:
                self._open, self._depth = str(attributes["id"]), 1
                self.text[self._open] = ""
        if tag == "a" and str(attributes.get("href", "")).startswith("#patient_"):
            self.links.append(str(attributes["href"])[1:])

    def handle_endtag(self, tag: str) -> None:
        if tag == "details":
            self._depth -= 1
            self._open = self._open if self._depth else ""

    def handle_data(self, text: str) -> None:
        if self._open:
            self.text[self._open] += text + "\n"


def test_without_scripts_everything_is_a_list(html_file: Path) -> None:
    source = html_file.read_text(encoding="utf-8")
    assert CODE not in source
    found = _Text(source)
    assert sorted(found.links) == sorted(found.text)
    assert len(found.text) == 3
    text = found.text["patient_P1"]
    for words in ("colitis", "grade 3", "vancomycin", "nivolumab", "engrafted", "days of survival", "a2", "200"):
        assert words in text, words
    assert CODE in next(text for key, text in found.text.items() if "P3" in key)
    assert "1 event (listed below)" in found.text["patient_P2"]


def test_a_page_is_small(html_file: Path) -> None:
    source = html_file.read_text(encoding="utf-8")
    start = source.index('<details class="patient" id="patient_P1"')
    own = source[start : source.index("</details>\n", source.index("patient_P1_events", start)) + 10]
    assert 5_000 < len(own.encode()) < 60_000
    packed = source.split('id="folded-patient_P1">')[1].split("<")[0]
    spec = json.loads(gzip.decompress(base64.b64decode(packed)))
    drawn = [row for rows in spec["datasets"].values() for row in rows]
    assert {"a0", "a1", "a2"} <= {row.get("label") for row in drawn}
    # Nothing of another patient.
    assert not {"b0", "b1", "c0"} & {value for row in drawn for value in row.values() if isinstance(value, str)}


def test_the_figure_of_a_patient_is_written_with_its_data(html_file: Path) -> None:
    figures = html_file.parent / "figures"
    written = pd.read_csv(figures / "patient_P1.tsv", sep="\t", comment="#")
    assert set(written["panel"]) == {"events", "tumour", "alpha", "similarity", "rates", "outcomes"}
    assert set(written["subject"]) == {"P1"}
    assert "irAE: colitis" in (figures / "patient_P1.svg").read_text()


def test_nobody_but_donors_has_no_section(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text("sample\tsubject\trole\tday\nd1\tD\tdonor\t\n")
    made = page.build(data.read(data.Inputs(), tmp_path / "samples.tsv"))
    assert not made.patients
    assert "patients" not in [section.key for section in made.sections]


def test_patients_alone_have_a_page_each(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text(STUDY["samples"])
    made = page.build(data.read(data.Inputs(), tmp_path / "samples.tsv"))
    assert [block.name for block in made.patients] == ["<b>P3</b>", "P1", "P2"]
    assert all(isinstance(block, PatientPage) and block.figure.spec for block in made.patients)


def test_who_is_a_donor_is_told_by_the_samples(options: list[str], tmp_path: Path) -> None:
    given = dict(zip(options[::2], options[1::2], strict=True))
    more = tmp_path / "subjects.tsv"
    more.write_text(STUDY["subjects"] + "P9\tfmt\tSD\t10\t1\t20\t1\n")
    tables = data.read(data.Inputs(), given["--samples"], more, given["--doses"])
    made = page.build(tables)
    # P9 has no sample, and a page all the same.
    assert {block.name for block in made.patients} == {"P1", "P2", "P9", CODE}
    own = dataclasses.replace(tables.study, doses=tables.study.doses.assign(donor="P1"))
    made = page.build(dataclasses.replace(tables, study=own))
    assert {block.name for block in made.patients} == {"P1", "P2", "P9", CODE}


def test_strangers_are_refused_all_at_once(options: list[str], tmp_path: Path) -> None:
    given = dict(zip(options[::2], options[1::2], strict=True))
    for name, text in (
        ("lesions", "subject\tday\tsum_diameters\nX\t0\t10\n"),
        ("toxicities", "subject\tday\tgrade\nY\t0\t2\n"),
        ("treatments", "subject\tday\tkind\nZ\t0\tantibiotic\n"),
    ):
        (tmp_path / f"{name}.tsv").write_text(text)
    inputs = data.Inputs(**{name: str(tmp_path / f"{name}.tsv") for name in ("lesions", "toxicities", "treatments")})
    with pytest.raises(InputError) as caught:
        data.read(inputs, given["--samples"], given["--subjects"], given["--doses"])
    assert [problem.value for problem in caught.value.problems] == ["X", "Y", "Z"]


def test_a_grade_of_seven_is_refused(options: list[str], tmp_path: Path) -> None:
    given = dict(zip(options[::2], options[1::2], strict=True))
    (tmp_path / "t.tsv").write_text("subject\tday\tgrade\nP1\t0\t7\n")
    with pytest.raises(InputError, match="7"):
        data.read(data.Inputs(toxicities=str(tmp_path / "t.tsv")), given["--samples"], given["--subjects"])


# ---------------------------------------------------------------- in the browser


@pytest.fixture(scope="module")
def browser(html_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        driver.get(html_file.as_uri())
        # Those of the clinical sections, too.
        assert wait(driver, "return document.documentElement.dataset.figures") == "drawn"
        yield driver
    finally:
        driver.quit()


def wait(driver: object, script: str, seconds: float = 60) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := driver.execute_script(script):  # type: ignore[attr-defined]
            return found
        time.sleep(0.1)
    return pytest.fail(f"not within {seconds:g} s: {script}")


@pytest.mark.browser
def test_a_page_is_drawn_when_it_is_opened(browser) -> None:  # type: ignore[no-untyped-def]
    drawn = "return document.querySelectorAll('[data-folded] svg').length"
    assert browser.execute_script(drawn) == 0
    browser.execute_script("document.querySelector('.chooser a[href=\"#patient_P1\"]').click()")
    wait(browser, "return document.getElementById('patient_P1').dataset.figure === 'drawn'")
    assert browser.execute_script("return document.getElementById('patient_P1').open")
    assert browser.execute_script(drawn) == 1
    marks = "return document.querySelectorAll('#patient_P1 svg [role=graphics-symbol]').length"
    assert browser.execute_script(marks) > 30
    wide = "const p = document.querySelector('#patient_P1 .plot'); return p.scrollWidth - p.clientWidth"
    assert browser.execute_script(wide) <= 1
    assert browser.execute_script("return document.querySelectorAll('main b').length") == 0


@pytest.mark.browser
def test_all_are_opened_for_the_printer_and_found_by_name(browser) -> None:  # type: ignore[no-untyped-def]
    browser.execute_script("document.querySelector('[data-all=open]').click()")
    wait(browser, "return document.querySelectorAll('details[data-figure=drawn]').length === 3")
    # A sheet for each: without the other sections, the list of patients and three pages.
    browser.execute_script("for (const s of document.querySelectorAll('main section:not(#patients)')) s.remove()")
    sheets = base64.b64decode(browser.print_page())
    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) == 4
    browser.execute_script(
        "const f = document.querySelector('[data-find-patient]'); f.value = 'placebo';"
        "f.dispatchEvent(new Event('input'))"
    )
    shown = "return [...document.querySelectorAll('.chooser li:not([hidden]) a')].map(a => a.textContent)"
    assert browser.execute_script(shown) == [CODE]
