"""The report as a person meets it: opened from disk in headless Chromium, without network."""

from __future__ import annotations

import base64
import gzip
import json
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from report_trial import SCRIPT, TITLE, write_trial
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

pytestmark = pytest.mark.browser

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A proxy that does not exist: whatever the page asked for would fail and stand in the log.
    "--proxy-server=127.0.0.1:9",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[webdriver.Chrome]:
    """Return a browser with the report of the small trial drawn."""
    trial = write_trial(tmp_path_factory.mktemp("trial"))
    trial.report("--results", str(trial.results), "--title", TITLE)
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
        driver.get((trial.results / "report.html").as_uri())
        _until(
            lambda: driver.execute_script("return document.documentElement.dataset.figures"),
            "the figures were not drawn",
        )
        _until(
            lambda: driver.execute_script("return document.documentElement.dataset.tables"), "the tables are not ready"
        )
        yield driver
    finally:
        driver.quit()


def _until(ready: Callable[[], object], what: str, seconds: float = 120) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.1)
    pytest.fail(f"{what} within {seconds:g} s")


def test_all_figures_are_drawn(browser: webdriver.Chrome) -> None:
    assert browser.execute_script("return document.documentElement.dataset.figures") == "drawn"
    assert browser.execute_script("return document.documentElement.dataset.tables") == "ready"
    marks = browser.execute_script(
        """return [...document.querySelectorAll("[data-chart]")].map(
             plot => [plot.dataset.chart, plot.querySelectorAll("svg [role=graphics-symbol]").length])"""
    )
    assert len(marks) >= 24
    assert not [name for name, number in marks if number < 5]


def test_the_page_is_as_wide_as_the_window(browser: webdriver.Chrome) -> None:
    assert browser.execute_script("return innerWidth") == 1280
    assert (
        browser.execute_script("const page = document.documentElement; return page.scrollWidth - page.clientWidth") == 0
    )
    # What is wider may scroll within its own frame (tables); figures fit.
    wider = browser.execute_script(
        """return [...document.querySelectorAll("body *")].filter(element => !element.closest(".scroll, .skip")
             && element.getBoundingClientRect().right > document.documentElement.clientWidth)
             .map(element => element.outerHTML.slice(0, 80))"""
    )
    assert wider == []
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.plot')].filter(plot => plot.scrollWidth > plot.clientWidth + "
        "1).map(plot => plot.dataset.chart)"
    )
    assert cut == []


def test_names_that_look_like_code_are_shown_and_not_run(browser: webdriver.Chrome) -> None:
    assert browser.execute_script("return document.title") == TITLE
    assert browser.execute_script("return document.querySelectorAll('img, main b, main i').length") == 0
    assert browser.execute_script("return document.querySelectorAll('script:not([type])').length") == 2
    labels = browser.execute_script(
        "return [...document.querySelectorAll('#fig-timeline svg text')].map(text => text.textContent)"
    )
    assert SCRIPT in labels


def test_a_tooltip_shows_names_as_text(browser: webdriver.Chrome) -> None:
    browser.execute_script(
        """const marks = [...document.querySelectorAll("#fig-timeline svg path[aria-roledescription]")];
           const mark = marks.find(path => path.ariaLabel.includes(arguments[0]));
           mark.scrollIntoView({block: "center", behavior: "instant"});
           const box = mark.getBoundingClientRect();
           const options = {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
           for (const kind of ["pointerover", "pointermove", "mouseover", "mousemove"])
             mark.dispatchEvent(new PointerEvent(kind, options));""",
        SCRIPT,
    )
    shown = _until(
        lambda: browser.execute_script("return document.querySelector('#vg-tooltip-element.visible')?.textContent"),
        "no tooltip",
    )
    assert SCRIPT in str(shown)
    assert browser.execute_script("return document.querySelectorAll('#vg-tooltip-element script').length") == 0


def test_a_figure_is_saved_as_svg(browser: webdriver.Chrome, downloads: Path) -> None:
    button = browser.find_element(By.CSS_SELECTOR, "#fig-outcomes button[data-save=svg]")
    browser.execute_script("arguments[0].click()", button)
    target = downloads / "outcomes.svg"
    _until(target.is_file, "no SVG file was saved")
    root = ElementTree.fromstring(target.read_text(encoding="utf-8"))
    assert root.tag.endswith("svg")
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 50


def test_a_figure_is_saved_as_png(browser: webdriver.Chrome, downloads: Path) -> None:
    browser.execute_script("document.querySelector('#fig-timeline button[data-save=png]').click()")
    target = downloads / "timeline.png"
    _until(target.is_file, "no PNG file was saved")
    assert target.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_data_of_a_figure_are_saved_as_tsv(browser: webdriver.Chrome, downloads: Path) -> None:
    browser.execute_script("document.querySelector('#fig-timeline a[download]').click()")
    target = downloads / "timeline.tsv"
    _until(target.is_file, "no TSV file was saved")
    assert SCRIPT in target.read_text(encoding="utf-8")


def _column(browser: webdriver.Chrome, table: str, position: int) -> list[str]:
    cells = browser.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].filter(row => !row.hidden).map(row => "
        "row.cells[arguments[1]].textContent)",
        table,
        position,
    )
    return [str(cell).strip() for cell in cells]


def test_tables_sort_by_value_both_ways(browser: webdriver.Chrome) -> None:
    def counts() -> list[int]:
        return [int(cell.replace(",", "")) for cell in _column(browser, "tab-reads", 2)]

    click = "document.querySelectorAll('#tab-reads th button')[2].click()"
    before = counts()
    browser.execute_script(click)
    up = counts()
    assert up == sorted(before) != before
    browser.execute_script(click)
    assert counts() == up[::-1]
    assert browser.execute_script("return document.querySelectorAll('#tab-reads th')[2].ariaSort") == "descending"


def test_missing_values_sort_last_both_ways(browser: webdriver.Chrome) -> None:
    for _ in range(2):
        browser.execute_script("document.querySelectorAll('#tab-rates_by_group th button')[2].click()")
        means = _column(browser, "tab-rates_by_group", 2)
        missing = [mean == "–" for mean in means]
        assert any(missing)
        assert missing == sorted(missing)


def test_tables_can_be_searched(browser: webdriver.Chrome) -> None:
    field = browser.find_element(By.CSS_SELECTOR, "input[data-search=tab-reads]")
    field.send_keys("FEW_reads")
    assert _column(browser, "tab-reads", 0) == ["s0.14"]
    assert browser.find_element(By.CSS_SELECTOR, "#tab-reads .found").text == "1 of 19 rows"
    field.clear()
    field.send_keys(" ")
    assert len(_column(browser, "tab-reads", 0)) == 19


def _long(browser: webdriver.Chrome) -> str:
    """Return the id of a table that shows one page of its rows at a time."""
    return str(browser.execute_script("return document.querySelector('.table[data-rows^=changes]').id"))


def _rows(browser: webdriver.Chrome, table: str) -> list[list[list[str]]]:
    """Return all rows of a long table: each cell as its text, what it is sorted by, and the smaller text."""
    text = browser.execute_script("return document.querySelector(`#${arguments[0]} script`).textContent", table)
    rows = json.loads(gzip.decompress(base64.b64decode(text)))
    return [[cell if isinstance(cell, list) else [cell, "", ""] for cell in row] for row in rows]


def test_a_long_table_is_turned_page_by_page(browser: webdriver.Chrome) -> None:
    table = _long(browser)
    rows = _rows(browser, table)
    names = [row[0][0] for row in rows]
    turn = "document.querySelectorAll(`#${arguments[0]} button[data-turn]`)[arguments[1]].click()"
    place = f"#{table} .place"
    seen: list[str] = []
    for start in range(0, len(rows), 50):
        shown = browser.execute_script(
            "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map(row => "
            "row.cells[0].firstChild.textContent)",
            table,
        )
        last = min(start + 50, len(rows))
        assert browser.find_element(By.CSS_SELECTOR, place).text == f"Rows {start + 1} to {last} of {len(rows)}"
        seen += shown
        browser.execute_script(turn, table, 1)
    assert seen == names
    assert browser.execute_script(
        "return document.querySelectorAll(`#${arguments[0]} button[data-turn]`)[1].disabled", table
    )
    for _ in range(len(rows) // 50 + 1):
        browser.execute_script(turn, table, 0)
    assert browser.find_element(By.CSS_SELECTOR, place).text.startswith("Rows 1 to 50")
    assert browser.execute_script("return document.querySelectorAll('main i, main b, main img').length") == 0


def test_a_long_table_is_sorted_and_searched_as_a_whole(browser: webdriver.Chrome) -> None:
    table = _long(browser)
    rows = _rows(browser, table)
    headings = browser.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} th`)].map(cell => cell.textContent)", table
    )
    position = headings.index("had")
    numbers = [float(row[position][1]) for row in rows]
    click = "document.querySelectorAll(`#${arguments[0]} th button`)[arguments[1]].click()"
    browser.execute_script(click, table, position)
    assert [float(cell) for cell in _column(browser, table, position)] == sorted(numbers)[:50]
    browser.execute_script(click, table, position)
    assert [float(cell) for cell in _column(browser, table, position)] == sorted(numbers, reverse=True)[:50]
    field = browser.find_element(By.CSS_SELECTOR, f"#{table} input")
    field.send_keys("PLACEBO sgb1")
    wanted = [row for row in rows if row[1][0] == "placebo" and "SGB1" in row[0][0]]
    assert 0 < len(wanted) < 50
    assert len(_column(browser, table, 0)) == len(wanted)
    assert set(_column(browser, table, 1)) == {"placebo"}
    assert browser.find_element(By.CSS_SELECTOR, f"#{table} .found").text == f"{len(wanted)} of {len(rows)} rows"
    field.clear()
    field.send_keys("nothing like it")
    assert browser.find_element(By.CSS_SELECTOR, f"#{table} .place").text == "No rows"
    field.clear()
    field.send_keys(" ")
    assert len(_column(browser, table, 0)) == 50


def test_contents_follow_the_reading(browser: webdriver.Chrome) -> None:
    browser.execute_script("document.querySelector('#rates').scrollIntoView({behavior: 'instant'})")
    current = "return document.querySelector('nav a[aria-current]')?.hash"
    _until(lambda: browser.execute_script(current) == "#rates", "the contents did not follow")
    assert browser.execute_script("return document.querySelector('nav').getBoundingClientRect().top") == 0


def test_nothing_went_wrong_and_nothing_was_asked_of_the_network(browser: webdriver.Chrome) -> None:
    assert browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    # Chromium's own first page (a new tab) may complain of a slow machine before the report is opened.
    assert [entry for entry in browser.get_log("browser") if not entry["message"].startswith("chrome://")] == []
