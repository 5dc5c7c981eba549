"""The page: tables in, one self-contained HTML file out."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from microbiome.files import atomic_path, write_text
from microbiome.report import sections
from microbiome.report.blocks import Figure, FigureGroup, PatientPage, Section, TableBlock
from microbiome.report.citations import cited
from microbiome.report.data import Inputs, Tables, read
from microbiome.report.downloads import file_key, packed, tsv_name, tsv_uri
from microbiome.report.methods import methods
from microbiome.report.roster import people, sample_table, scheme
from microbiome.report.sections import sources
from microbiome.tsv import write_table

__all__ = ["build", "render", "report", "script_json", "write_figures"]

logger = logging.getLogger(__name__)

DEFAULT_TITLE = "Trial report"
_VEGA_LITE = "6.4"
_PAGE = 50  # rows of a long table that are shown at a time
_GLOBALS = "window.vegaEmbed = vegaEmbed;"


@dataclass(frozen=True)
class Page:
    """Sections in their order, and the references that the methods cite."""

    title: str
    sections: Sequence[Section]
    methods: Sequence[Markup]
    references: Sequence[tuple[str, str, str]]

    @property
    def figures(self) -> list[Figure]:
        """All figures, in the order of the page; those of the patients last."""
        found: list[Figure] = []
        for section in self.sections:
            for block in section.blocks:
                found += (
                    [block] if isinstance(block, Figure) else block.figures if isinstance(block, FigureGroup) else []
                )
        return found + [patient.figure for patient in self.patients]

    @property
    def patients(self) -> list[PatientPage]:
        """The pages of the patients."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, PatientPage)]


def report(
    paths: Inputs,
    samples: str | Path,
    subjects: str | Path | None = None,
    doses: str | Path | None = None,
    output: str = "-",
    figures: str | Path | None = None,
    title: str = "",
) -> None:
    """Read the tables, and write the page and, where a folder is given, its figures.

    Parameters
    ----------
    paths
        Result tables (:func:`microbiome.report.data.inputs`); what is not there is said in its section.
    samples, subjects, doses
        Tables of the study; the last two may be absent.
    output
        HTML file, ``-`` for standard output. Links to the tables are relative to its folder. The same inputs give the
        same bytes: the page holds no time of its own.
    figures
        Folder for each figure as ``KEY.svg`` with ``KEY.tsv`` beside it; made where it does not exist.
    title
        Heading; empty for a general one.

    Raises
    ------
    InputError
        With the problems of all files together; then nothing is written.
    """
    tables = read(paths, samples, subjects, doses)
    page = build(tables, title, output)
    html = render(page)
    if figures is not None:
        write_figures(page, figures)
    write_text(html, output)
    logger.info("report with %d figures: %.1f MB", len(page.figures), len(html.encode()) / 1e6)


def build(tables: Tables, title: str = "", output: str = "-") -> Page:
    """Make the sections of the page."""
    version = importlib.metadata.version("fmt-microbiome")
    subjects = people(tables)
    samples = sample_table(tables, subjects)
    by = scheme(subjects)
    paragraphs, references = cited(methods(tables, version))
    made = [
        sections.glance(tables, subjects, samples),
        sections.reads(tables, samples, by),
        sections.alpha(tables, samples, by),
        sections.beta(tables, samples, by),
        sections.similarity(tables, samples, by),
        sections.outcomes(tables, subjects, by),
        sections.rates(tables, subjects, by),
        sections.chance(tables, subjects),
        *sections.comparisons(tables, subjects),
        sections.sensitivity(tables, subjects),
        sections.decomposition(tables, subjects, by),
        sections.taxa(tables, subjects),
        *sections.strains(tables, subjects, by),
        *sections.function(tables, subjects, samples, by),
        *sections.clinical(tables, subjects, samples),
        *sections.toxicity(tables, subjects),
        *sections.donors(tables),
        *sections.associations(tables),
        *sections.patients(tables, subjects, samples),
        sections.limits(tables, samples, by),
        Section("methods", "Methods", (), sources.software(tables, version)),
        sources.files(tables, output),
    ]
    return Page(title or DEFAULT_TITLE, made, paragraphs, references)


def render(page: Page) -> str:
    """Render the page as HTML: styles, scripts and charts inlined, and no other address loaded.

    Every string is escaped by Jinja2; charts stand as JSON in script elements that are data, not code; and the page's
    own policy lets no script run but the two it brings (by their SHA-256), and lets nothing be loaded.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("microbiome.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(tsv_uri=tsv_uri, tsv_name=tsv_name, file_key=file_key, rows_of_a_page=_PAGE)
    scripts = [_bundle(), _resource("page.js")]
    folded = {patient.figure.key for patient in page.patients}
    drawn = [figure for figure in page.figures if figure.key not in folded]
    numbers = {figure.key: i for i, figure in enumerate(drawn, 1)}
    tables = [block for section in page.sections for block in section.blocks if isinstance(block, TableBlock)]
    return environment.get_template("template.html").render(
        page=page,
        version=importlib.metadata.version("fmt-microbiome"),
        style=Markup(_resource("style.css")),  # noqa: S704 - ours
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours and the chart library's
        policy=_policy(scripts),
        specs={figure.key: script_json(figure.spec) for figure in drawn},
        packed_specs={
            patient.figure.key: packed(json.dumps(patient.figure.spec, ensure_ascii=False, separators=(",", ":")))
            for patient in page.patients
        },
        figure_number=numbers,
        table_number={table.key: i for i, table in enumerate(tables, 1)},
        paged={
            table.key: packed(json.dumps(table.cells, ensure_ascii=False, separators=(",", ":")))
            for table in tables
            if len(table.rows) > 2 * _PAGE
        },
    )


def script_json(value: Any) -> Markup:
    """Return JSON that may stand in a script element: nothing in it can end the element or begin another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped on the lines above


def write_figures(page: Page, folder: str | Path) -> None:
    """Write each figure as SVG with its data as TSV beside it."""
    place = Path(folder)
    for figure in page.figures:
        svg = vl_convert.vegalite_to_svg(figure.spec, vl_version=_VEGA_LITE)
        with atomic_path(place / f"{figure.key}.svg") as part:
            part.write_text(svg, encoding="utf-8")
        write_table(figure.data, place / f"{figure.key}.tsv", [f"{figure.title}: {figure.size}"])


@functools.cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that also draws the SVG files."""
    script: str = vl_convert.javascript_bundle(_GLOBALS, vl_version=_VEGA_LITE)
    if "</script" in script.lower():
        raise RuntimeError("the chart library cannot be inlined: it holds the end of a script element")
    return script


def _policy(scripts: Sequence[str]) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    rules = ["default-src 'none'", f"script-src {hashes}", "style-src 'unsafe-inline'", "img-src data: blob:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _resource(name: str) -> str:
    return resources.files("microbiome.report").joinpath(name).read_text(encoding="utf-8")
