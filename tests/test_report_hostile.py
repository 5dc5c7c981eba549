"""A report of sheets in which every string is code: nothing of it becomes code, and all of it is shown."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html.parser
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reliability import Recorder
from report_hostile import FOLDER, FORMS, write_hostile

from microbiome.cli import main

#: The only elements that the page is made of; each is in the template or made by the page's own script.
_ELEMENTS = {
    *("a", "body", "button", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "h1", "h2", "h3", "h4"),
    *("head", "header", "html", "input", "label", "li", "link", "main", "meta", "nav", "noscript", "ol", "p", "script"),
    *("section", "span", "style", "summary", "table", "tbody", "td", "th", "thead", "title", "tr", "ul"),
}
#: A place in the page, what it holds, a reference, or a file below the report's folder.
_ADDRESS = r"#[A-Za-z0-9_.-]+$|data:(,$|text/tab-separated-values;|application/gzip;)|https://|[A-Za-z0-9._~/%-]*$"
_DATA = ("application/json", "application/gzip;base64")


class Elements(html.parser.HTMLParser):
    """What a browser makes of the page: elements with their attributes, scripts and what is text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.comments: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.elements[-1] if self.elements else ("", {})
        if tag == "script" and self.cdata_elem == "script":
            self.scripts.append((attributes.get("type", ""), data))
        else:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return the page, and every string of the sheets, the results and the command line."""
    folder = tmp_path_factory.mktemp("hostile")
    options, names = write_hostile(folder)
    path = folder / FOLDER / "report.html"
    assert main(["--quiet", "report", *options, "-o", str(path)]) == 0
    return path, names


@pytest.fixture(scope="module")
def page(hostile: tuple[Path, list[str]]) -> Elements:
    return Elements(hostile[0].read_text(encoding="utf-8"))


def test_no_string_makes_an_element_or_an_attribute(page: Elements) -> None:
    assert {tag for tag, _ in page.elements} <= _ELEMENTS
    assert page.comments == []
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("autofocus", "x", "src")], tag
        # What becomes part of an address of the page or of a file's name keeps to plain letters.
        for name in ("id", "for", "data-chart", "data-folded", "data-rows", "data-search", "download"):
            assert re.fullmatch(r"[A-Za-z0-9_.-]*", attributes.get(name, "")), (tag, name, attributes[name])
        address = attributes.get("href", "")
        assert re.match(_ADDRESS, address), address


def test_only_the_scripts_of_the_page_run(page: Elements) -> None:
    code = [text for kind, text in page.scripts if not kind]
    assert len(code) == 2
    policy = next(values["content"] for tag, values in page.elements if values.get("http-equiv"))
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code}
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    data = [(kind, text) for kind, text in page.scripts if kind]
    assert {kind for kind, _ in data} == set(_DATA)
    for kind, text in data:
        # Nothing in data can end its element, or begin a comment or another script within it.
        assert "<" not in text
        json.loads(text if kind == _DATA[0] else gzip.decompress(base64.b64decode(text)))


def test_all_strings_are_shown_as_they_are(page: Elements, hostile: tuple[Path, list[str]]) -> None:
    shown = "\n".join(page.text)
    charts = "\n".join(
        json.dumps(json.loads(text if kind == _DATA[0] else gzip.decompress(base64.b64decode(text))))
        for kind, text in page.scripts
        if kind
    )
    places = ("subject", "donor", "arm", "cohort", "title", "toxicity", "kind", "treatment", "taxon", "molecule")
    places += ("function name", "stratum", "software", "version", "parameter", "database")
    for place in places:
        own = [name for name in hostile[1] if re.search(rf"hack\('{place}( \d+)?'\)", name)]
        assert own, place
        # Where a table or figure shows the first of many, not all; a version or parameter is part of a sentence.
        seen = [name for name in own if name in shown or json.dumps(name)[1:-1] in charts]
        assert seen, place
        if place in ("subject", "donor", "arm", "cohort", "toxicity", "treatment"):
            assert len(seen) == len(own), place


@pytest.fixture(scope="module")
def browser(hostile: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Return a browser with the page, its policy switched off: what is not escaped would run."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", "--proxy-server=127.0.0.1:9"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    trap = (
        "window.hacked = []; window.hack = (place) => { window.hacked.push(String(place)); };"
        "for (const name of ['alert', 'confirm', 'prompt', 'open']) window[name] = (text) => hack(`${name}: ${text}`);"
    )
    try:
        driver.execute_cdp_cmd("Page.enable", {})
        driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": trap})
        driver.get(hostile[0].as_uri())
        _until(lambda: driver.execute_script("return document.documentElement.dataset.figures"), "drawn")
        _until(lambda: driver.execute_script("return document.documentElement.dataset.tables"), "ready")
        yield driver
    finally:
        driver.quit()


def _until(ready: Callable[[], object], wanted: object, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    found = None
    while time.monotonic() < end:
        found = ready()
        if found:
            break
        time.sleep(0.1)
    assert found == wanted


_USE_EVERYTHING = """
for (const button of document.querySelectorAll("th button, button[data-turn]")) button.click();
for (const input of document.querySelectorAll("input[type=search]")) {
  input.value = arguments[0];
  input.dispatchEvent(new Event("input"));
  input.value = "";
  input.dispatchEvent(new Event("input"));
}
for (const element of document.querySelectorAll("details")) element.open = true;
for (const mark of [...document.querySelectorAll("svg [aria-roledescription]")].filter((_, i) => i % 9 === 0)) {
  const box = mark.getBoundingClientRect();
  const at = { bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
  for (const kind of ["pointerover", "pointermove", "mouseover", "mousemove", "focus", "click"])
    mark.dispatchEvent(new PointerEvent(kind, at));
}
for (const element of document.querySelectorAll("main *"))
  for (const kind of ["mouseover", "focus"]) element.dispatchEvent(new Event(kind));
"""


_NOTED = """
const found = [];
for (const row of document.querySelectorAll("#tab-survival tbody tr"))
  if (row.className === "remark") found.at(-1).push(row.textContent, row.hidden);
  else found.push([[...row.cells].map(cell => cell.textContent).join("|"), row.hidden]);
return found;
"""


@pytest.mark.browser
def test_a_note_stands_below_its_row_and_moves_with_it(browser, hostile) -> None:  # type: ignore[no-untyped-def]
    before = browser.execute_script(_NOTED)
    assert len(before) > 4
    assert all(len(row) == 4 and row[2] in hostile[1] for row in before)
    browser.execute_script("document.querySelectorAll('#tab-survival th button')[3].click()")
    browser.execute_script("document.querySelectorAll('#tab-survival th button')[3].click()")
    after = browser.execute_script(_NOTED)
    assert after != before
    assert sorted(after) == sorted(before)
    search = (
        "const field = document.querySelector('#tab-survival input'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('input'));"
    )
    browser.execute_script(search, "median follow-up")
    shown = [row for row in browser.execute_script(_NOTED) if not row[1]]
    assert 0 < len(shown) < len(before)
    assert all("median follow-up" in row[0] and not row[3] for row in shown)
    # What a note says is found, too: the row is shown with it.
    browser.execute_script(search, before[0][2])
    assert before[0] in browser.execute_script(_NOTED)
    browser.execute_script(search, "")


@pytest.mark.browser
def test_script_in_a_sheet(browser, hostile, reliability: Recorder) -> None:  # type: ignore[no-untyped-def]
    browser.execute_script(_USE_EVERYTHING, FORMS[0].format("search"))
    drawn = "return [...document.querySelectorAll('details[data-patient]')].every(p => p.dataset.figure === 'drawn')"
    _until(lambda: browser.execute_script(drawn), True)
    browser.execute_script(_USE_EVERYTHING, FORMS[1].format("search"))
    time.sleep(0.3)
    assert browser.execute_script("return window.hacked") == []
    foreign = "img, iframe, object, embed, svg script"
    assert browser.execute_script("return document.querySelectorAll(arguments[0]).length", foreign) == 0
    attributes = "return [...document.querySelectorAll('*')].flatMap(element => element.getAttributeNames())"
    assert not [name for name in browser.execute_script(attributes) if name.startswith("on")]
    addresses = "return [...document.querySelectorAll('a, svg a')].map(a => a.href?.baseVal ?? a.href)"
    assert not [link for link in browser.execute_script(addresses) if link.startswith("javascript")]
    names = browser.execute_script(
        "return [...document.querySelectorAll('details[data-patient] > summary .name')].map(n => n.textContent)"
    )
    title = browser.execute_script("return document.querySelector('h1').textContent")
    assert title == browser.execute_script("return document.title").strip()
    assert set(names) < set(hostile[1])
    labels = browser.execute_script(
        "return [...document.querySelectorAll('#fig-swimmer svg text')].map(text => text.textContent)"
    )
    saw = [f"Heading: {title}", f"Patients: {names[0]}"]
    # The trap works: the same string, not escaped, runs.
    browser.execute_script("document.body.insertAdjacentHTML('beforeend', arguments[0])", FORMS[3].format("control"))
    _until(lambda: browser.execute_script("return window.hacked"), ["control"])
    assert any(name[:10] in label for name in names for label in labels)
    reliability(
        "Names and security",
        "`<script>` in a sheet",
        done="Put strings that would run a script into every sheet, profile, result and title, and opened the report "
        "in Chromium with its content security policy switched off",
        saw="\n".join(saw),
    )
