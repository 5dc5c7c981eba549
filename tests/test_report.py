"""The report: what it says is what the tables say, nothing in the tables can become code, same input same bytes."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import html.parser
import io
import itertools
import json
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_trial import ARM, METRICS, SCRIPT, SUBJECTS, TITLE, Trial, write_trial

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.report import data
from microbiome.report import page as report_page
from microbiome.report.blocks import Figure, FigureGroup, Missing, Note, number, plural
from microbiome.report.citations import cited
from microbiome.report.counting import RATE_NAMES, label_taxa, outcome_bars, rates_by_group, taxon_counts
from microbiome.report.downloads import tsv_name, tsv_uri
from microbiome.report.methods import methods
from microbiome.report.page import build, script_json
from microbiome.report.roster import people, sample_table, scheme
from microbiome.report.theme import KIND_SHAPES, OUTCOME_COLOURS, RESPONSE_COLOURS, natural_key
from microbiome.stats import mean_interval
from microbiome.tables import OUTCOME_NAMES, READS
from microbiome.tables import RATE_NAMES as DECLARED_RATES


class Page(html.parser.HTMLParser):
    """What a browser would make of the page: its elements with attributes, its scripts, its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open.append(tag)
            self.scripts += [(dict(attrs), "")] if tag == "script" else []

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, text: str) -> None:
        if self._open[-1:] == ["script"]:
            attributes, so_far = self.scripts[-1]
            self.scripts[-1] = (attributes, so_far + text)
        elif self._open[-1:] == ["style"]:
            self.style += text
        else:
            self.text.append(text)

    @property
    def specs(self) -> dict[str, dict]:
        """Charts by name."""
        return {
            str(attributes["id"]).removeprefix("spec-"): json.loads(text)
            for attributes, text in self.scripts
            if str(attributes.get("id", "")).startswith("spec-")
        }

    @property
    def rows(self) -> dict[str, list]:
        """Cells of the long tables by name."""
        return {
            str(attributes["id"]).removeprefix("rows-"): json.loads(gzip.decompress(base64.b64decode(text)))
            for attributes, text in self.scripts
            if str(attributes.get("id", "")).startswith("rows-")
        }

    @property
    def folded(self) -> dict[str, dict]:
        """Charts that are drawn when their page is opened, by name."""
        return {
            str(attributes["id"]).removeprefix("folded-"): json.loads(gzip.decompress(base64.b64decode(text)))
            for attributes, text in self.scripts
            if str(attributes.get("id", "")).startswith("folded-")
        }

    @property
    def code(self) -> list[str]:
        """Scripts that run."""
        return [text for attributes, text in self.scripts if not attributes.get("type")]


def rows_of(spec: dict) -> list[dict]:
    """Return all rows of data in a chart."""
    return [row for rows in spec["datasets"].values() for row in rows]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return write_trial(tmp_path_factory.mktemp("trial"))


@pytest.fixture(scope="module")
def source(trial: Trial) -> str:
    return trial.report("--results", str(trial.results), "--title", TITLE, "--figures", str(trial.results / "figures"))


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


@pytest.fixture(scope="module")
def tables(trial: Trial) -> data.Tables:
    return data.read(
        data.inputs(trial.results), *(trial.folder / f"{name}.tsv" for name in ("samples", "subjects", "doses"))
    )


@pytest.fixture(scope="module")
def whole(tables: data.Tables) -> report_page.Page:
    return build(tables)


# ---------------------------------------------------------------- one file, no network, no foreign code


def test_nothing_is_loaded_from_anywhere(page: Page, trial: Trial) -> None:
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "action", "formaction", "background", "poster"} & set(attributes), (
            tag,
            attributes,
        )
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        if tag == "link":
            assert attributes["href"] == "data:,"
        elif "href" in attributes:
            address = str(attributes["href"])
            kind = urllib.parse.urlsplit(address).scheme
            assert tag == "a"
            if kind == "https":  # literature, followed only by a click
                assert address.startswith(("https://doi.org/10.", "https://pubmed.ncbi.nlm.nih.gov/"))
            elif kind == "":
                file = urllib.parse.unquote(address)
                assert address.startswith("#") or (trial.results / file).is_file(), address
            else:
                assert address.startswith(("data:text/tab-separated-values;", "data:application/gzip;base64,"))
    assert not re.search(r"@import|url\(", page.style)


def test_ids_are_unique_and_links_within_the_page_lead_somewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inner = {str(a["href"])[1:] for tag, a in page.elements if tag == "a" and str(a.get("href", "")).startswith("#")}
    assert inner <= set(ids)
    searched = {a["data-search"] for _, a in page.elements if "data-search" in a}
    assert searched <= set(ids)


def test_the_policy_lets_only_the_two_scripts_of_the_page_run(page: Page) -> None:
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    assert len(page.code) == 2
    wanted = {f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" for code in page.code}
    assert set(rules["script-src"].split()) == wanted


def test_strings_of_the_tables_stay_strings(source: str, page: Page) -> None:
    for text in (SCRIPT, ARM, TITLE, "<i>G3</i>", "<1234>", "host/<idx>"):
        assert text not in source
    shown = "".join(page.text)
    for text in (SCRIPT, ARM, TITLE, "<1234>", "host/<idx>", "<i>G3</i>"):
        assert text in shown, text
    assert not {"img", "b", "i"} & {tag for tag, _ in page.elements}
    assert len(page.scripts) == 2 + len(page.specs) + len(page.rows) + len(page.folded)
    assert page.rows
    drawn = {row.get("subject") for spec in page.specs.values() for row in rows_of(spec)}
    assert set(SUBJECTS) <= drawn


@given(st.text())
def test_json_in_a_script_element_is_read_back_and_cannot_end_it(text: str) -> None:
    value = {"a": [text, f"</script>{text}<!--<script>"]}
    written = str(script_json(value))
    assert json.loads(written) == value
    assert not set("<>&\u2028\u2029") & set(written)


def test_no_number_is_missing_from_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        script_json({"a": float("nan")})


@given(
    st.lists(
        st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters='\r\n\t\0"'), min_size=1), min_size=1
    )
)
def test_the_data_behind_a_figure_survive_the_address(names: list[str]) -> None:
    frame = pd.DataFrame({"subject": names, "n": range(len(names))})
    address = tsv_uri(frame)
    assert re.fullmatch(r"[!-~]+", address)
    text = urllib.parse.unquote(address.split(",", 1)[1])
    assert tsv_name("a", address) == "a.tsv"
    assert text.split("\n")[1:-1] == [f"{name}\t{i}" for i, name in enumerate(names)]


def test_long_data_are_compressed_and_the_same_each_time() -> None:
    frame = pd.DataFrame({"n": np.arange(20_000), "name": "ä"})
    address = tsv_uri(frame)
    assert address == tsv_uri(frame)
    assert tsv_name("a", address) == "a.tsv.gz"
    text = gzip.decompress(base64.b64decode(address.split(",", 1)[1])).decode()
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(text), sep="\t"), frame)
    # What would make the page heavy is left to the file.
    assert tsv_uri(pd.DataFrame({"n": np.random.default_rng(1).random(200_000)})) == ""


# ---------------------------------------------------------------- same input, same bytes


def test_the_same_input_gives_the_same_bytes(trial: Trial, source: str) -> None:
    def pictures() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((trial.results / "figures").iterdir())}

    before = pictures()
    again = trial.report("--results", str(trial.results), "--title", TITLE, "--figures", str(trial.results / "figures"))
    assert again == source
    assert pictures() == before


# ---------------------------------------------------------------- every part is optional

_PARTS = {
    "reads": "There is no read accounting",
    "alpha": "There is no table of alpha diversity",
    "pcoa": "There is no ordination",
    "permanova": "No factor was tested",
    "similarity": "There is no table of similarity",
    "rates": "There is no table of counts and rates",
    "limits": "There is no table of limits of detection",
    "nulls": "Nothing was compared with chance",
    "compare": "Rates were not compared by",
    "trajectories": "were not summed up",
    "sensitivity": "Comparisons were not repeated",
    "decomposition": "Abundances were not decomposed",
    "taxa": "Taxa were counted, but not tested",
    "retention": "How long taxa stay was not counted",
    "changes": "Changes of presence and abundance were not tested",
    "provenance": "Versions and parameters were not recorded",
}
# Beginnings of the names of the figures that are made of a part.
_FIGURES = {
    "reads": ("reads", "depth"),
    "rates": ("outcomes", "rates"),
    "nulls": ("chance_",),
    "compare": ("effects_",),
    "sensitivity": ("signs_", "sensitivity_"),
    "taxa": ("taxa_", "retention_taxa_"),
}


# Parts that do not say the same thing: several are taken away at once, each of them once.
_TOGETHER = (
    ("reads", "compare", "taxa", "pcoa"),
    ("alpha", "trajectories", "retention", "permanova"),
    ("limits", "sensitivity", "changes", "similarity"),
    ("nulls", "rates", "provenance"),
    ("decomposition",),
)


@pytest.mark.parametrize("parts", _TOGETHER, ids=" ".join)
def test_missing_parts_are_said_and_the_others_stay(
    tables: data.Tables, whole: report_page.Page, parts: tuple[str, ...]
) -> None:
    empty = {part: {} if isinstance(getattr(tables, part), dict) else None for part in parts}
    made = build(dataclasses.replace(tables, **empty))
    missing = [block.text for section in made.sections for block in section.blocks if isinstance(block, Missing)]
    assert {name for name, words in _PARTS.items() if any(words in text for text in missing)} == set(parts)
    gone = tuple(start for part in parts for start in _FIGURES.get(part, (part,)))
    kept = {figure.key for figure in whole.figures if not figure.key.startswith(gone)}
    # Without a table of taxa the outcomes are counted.
    instead = {"taxa_engrafted", "taxa_depleted"} if "taxa" in parts else set()
    assert {figure.key for figure in made.figures} == kept | instead


def test_every_part_is_taken_away_once() -> None:
    assert sorted(part for parts in _TOGETHER for part in parts) == sorted(_PARTS)


def test_the_samples_table_alone_makes_a_page(trial: Trial, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    assert main(["report", "--samples", str(trial.folder / "samples.tsv"), "-o", str(target)]) == 0
    page = Page(target.read_text())
    assert set(page.specs) == {"timeline"}
    said = {**_PARTS, "compare": "No groups were compared", "outcomes": "There is no table of outcomes"}
    del said["trajectories"]  # of a column that nothing is compared by
    assert all(any(words in text for text in page.text) for words in said.values())


def test_donors_alone_make_a_page(tmp_path: Path) -> None:
    (tmp_path / "samples.tsv").write_text("sample\tsubject\trole\tday\nd1\tD\tdonor\t\n")
    (tmp_path / "alpha.tsv").write_text("sample\trichness\nd1\t3\n")
    target = tmp_path / "page.html"
    assert (
        main(
            [
                "report",
                "--samples",
                str(tmp_path / "samples.tsv"),
                "--alpha",
                str(tmp_path / "alpha.tsv"),
                "-o",
                str(target),
            ]
        )
        == 0
    )
    assert set(Page(target.read_text()).specs) == {"alpha_richness"}


# ---------------------------------------------------------------- what it says is what the tables say


def test_every_subject_and_every_donor_is_listed(page: Page, tables: data.Tables) -> None:
    cells = set(page.text)
    assert set(tables.study.samples["subject"]) <= cells
    timeline = rows_of(page.specs["timeline"])
    given_doses = {(row["subject"], row["day"]) for row in timeline if row.get("donors")}
    assert given_doses == {(row.subject, row.day) for row in tables.study.doses.itertuples()}
    sampled = {row["sample"] for row in timeline if row.get("sample")}
    assert sampled == set(tables.study.samples.loc[tables.study.samples["role"] != "donor", "sample"])


def test_flagged_samples_are_named_with_their_reason(page: Page) -> None:
    assert "s0.14: few_reads (12 reads, fewer than <1234>)" in page.text


@pytest.mark.parametrize(
    "unprofiled",
    [
        ["s1.7"],  # a baseline
        ["s0.0", "s0.7"],  # both samples before the first dose of one subject
        ["s1.14", "s1.35"],  # all post samples of one subject
        ["d0.1", "d0.2"],  # one donor
        ["d0.1", "d0.2", "d1.1"],  # all donors
        ["s1.7", "s2.7", "s3.7", "s4.7", "s0.0", "s0.7"],  # all baselines
    ],
)
def test_whatever_has_no_profile_the_page_is_made(tmp_path: Path, unprofiled: list[str]) -> None:
    trial = write_trial(tmp_path, unprofiled)
    text = trial.report("--results", str(trial.results))
    for name in unprofiled:
        assert name in text


def test_gaps_in_the_data_are_named(trial: Trial, tables: data.Tables) -> None:
    reads = tables.reads.copy()
    reads.loc[reads["sample"].isin(["d1.1", "s1.7"]), "status"] = "no_profile"
    glance = build(dataclasses.replace(tables, reads=reads)).sections[0]
    items = next(block.items for block in glance.blocks if isinstance(block, Note))
    assert "Without a profile: 3 samples (d1.1, s0.14, s1.7)." in items
    assert "No profiled baseline, hence no outcomes: 1 subject (007)." in items
    assert "Donor products received that have no profile: 1 (D1: d1.1), given to 2 subjects." in items


def test_kinds_of_samples(tables: data.Tables) -> None:
    frame = sample_table(tables, people(tables)).set_index("sample")
    # s0.14 is day 7 of a subject with samples on days -7, 0, 7 and 28; it has no profile.
    assert frame.loc[["s0.0", "s0.7", "s0.14", "s0.35", "d0.1"], "kind"].tolist() == [
        "before",
        "baseline",
        "post",
        "post",
        "donor",
    ]
    assert frame.index[~frame["profiled"]].tolist() == ["s0.14"]
    assert set(frame["kind"]) <= set(KIND_SHAPES)


def test_the_baseline_is_the_last_sample_with_a_profile(trial: Trial, tables: data.Tables) -> None:
    reads = tables.reads.copy()
    reads.loc[reads["sample"] == "s0.7", "status"] = "no_taxa"
    changed = data.Tables(tables.study, reads=reads)
    frame = sample_table(changed, people(changed)).set_index("sample")
    assert frame.loc[["s0.0", "s0.7"], "kind"].tolist() == ["baseline", "before"]


def test_parts_of_the_reads_add_up(page: Page, tables: data.Tables) -> None:
    total = defaultdict(float)
    for row in rows_of(page.specs["reads"]):
        if row.get("part"):
            total[row["sample"]] += row["reads"]
    expected = dict(zip(tables.reads["sample"], tables.reads["reads_raw"].astype(float), strict=True))
    assert total == expected


def test_outcome_bars_hold_every_count_once(tables: data.Tables) -> None:
    bars = outcome_bars(tables.rates, people(tables))
    for row in tables.rates.itertuples():
        part = bars[bars["sample"] == row.sample].set_index("outcome")
        for name in OUTCOME_NAMES:
            assert part.loc[name, "taxa"] == getattr(row, name)
        assert part["signed"].clip(lower=0).sum() == row.post_taxa
        assert -part["signed"].clip(upper=0).sum() == row.lost_taxa + row.not_engrafted


def test_two_samples_of_one_day_have_a_bar_each(tables: data.Tables) -> None:
    rates = tables.rates.assign(day=7)
    bars = outcome_bars(rates, people(tables))
    assert (bars.groupby(["subject", "time", "outcome"]).size() == 1).all()


def test_rates_have_the_declared_numerators_and_denominators(tables: data.Tables) -> None:
    assert tuple(RATE_NAMES) == DECLARED_RATES
    for rate, (over, under) in RATE_NAMES.items():
        expected = tables.rates[list(over)].sum(axis=1) / tables.rates[list(under)].sum(axis=1)
        expected = expected.astype("float64").where(tables.rates[rate].notna())
        np.testing.assert_allclose(tables.rates[rate], expected)


def test_rates_by_group_average_within_subjects_first(tables: data.Tables) -> None:
    subjects = people(tables)
    summary = rates_by_group(tables.rates, subjects, "arm").set_index(["group", "rate"])
    arm = subjects.set_index("subject")["arm"]
    for group, rate in itertools.product(set(arm[arm != "donor"]), RATE_NAMES):
        means = []
        for subject in arm.index[arm == group]:
            values = [v for v in tables.rates.loc[tables.rates["subject"] == subject, rate] if not np.isnan(v)]
            means += [sum(values) / len(values)] if values else []
        row = summary.loc[(group, rate)]
        assert row["subjects"] == len(means)
        if means:
            assert row["mean"] == pytest.approx(sum(means) / len(means))
            assert (row["low"], row["high"]) == (pytest.approx(min(means)), pytest.approx(max(means)))
            interval = mean_interval(means)
            assert [row["ci_low"], row["ci_high"]] == pytest.approx([interval.low, interval.high], nan_ok=True)
            assert row["bound_low"] <= row["mean"] <= row["bound_high"]
    assert summary.loc[("placebo", "engraftment_rate"), "subjects"] == 0


_CALLS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["p1", "p2", "p3"]),
        st.integers(1, 2),
        *[st.sampled_from([0, 1, None])] * 2,
        st.integers(0, 1),
    ),
    max_size=40,
    unique_by=lambda row: row[:3],
)


@settings(max_examples=40)
@given(_CALLS, st.sets(st.sampled_from(["p1", "p2", "p3"])), st.sampled_from(["engrafted", "depleted"]))
def test_taxa_are_counted_by_subjects(calls: list[tuple], dosed: set[str], event: str) -> None:
    outcomes = pd.DataFrame(
        calls, columns=["taxon", "subject", "time", "donor_detected", "baseline_detected", "post_detected"]
    ).astype({"donor_detected": "Int64", "baseline_detected": "Int64", "post_detected": "Int64"})
    subjects = pd.DataFrame({"subject": ["p1", "p2", "p3"], "response": ["responder", "non-responder", "responder"]})
    subjects["products"] = [int(name in dosed) for name in subjects["subject"]]
    counted = taxon_counts(outcomes, subjects, event).set_index("taxon")
    could, did = defaultdict(list), defaultdict(list)
    for taxon, subject, _, d, b, r in calls:
        if (d == 1 and b == 0) if event == "engrafted" else b == 1:
            could[taxon, subject in dosed].append(subject)
            if bool(r) == (event == "engrafted"):
                did[taxon, subject in dosed].append(subject)
    assert set(counted.index) == {taxon for taxon, _ in could}
    for taxon, (group, is_dosed) in itertools.product(counted.index, (("fmt", True), ("no_fmt", False))):
        row, key = counted.loc[taxon], (taxon, is_dosed)
        assert row[f"subjects_{group}"] == len(set(did[key]))
        assert row[f"subjects_{group}_possible"] == len(set(could[key]))
        assert row[f"samples_{group}"] == len(did[key])
        assert row[f"samples_{group}_possible"] == len(could[key])
    assert list(counted["subjects_fmt"]) == sorted(counted["subjects_fmt"], reverse=True)
    assert (counted["subjects_responder"] + counted["subjects_non_responder"] == counted["subjects_fmt"]).all()


def test_taxa_are_counted_alike_without_the_columns_of_detection(tables: data.Tables) -> None:
    subjects = people(tables)
    bare = tables.outcomes.drop(columns=["donor_detected", "baseline_detected", "post_detected"])
    for event in ("engrafted", "depleted"):
        pd.testing.assert_frame_equal(
            taxon_counts(bare, subjects, event), taxon_counts(tables.outcomes, subjects, event)
        )


def test_taxa_have_the_names_of_the_profile(tables: data.Tables) -> None:
    named = label_taxa(pd.Series(["t__SGB1", "EC:1.1.1.1"]), tables.lineages)
    assert named["name"].tolist() == ["G0 sp (SGB1)", "EC:1.1.1.1"]
    assert named["lineage"].tolist() == ["P0 › C0 › O0 › F0 › G0", ""]


def test_each_figure_says_how_many_subjects_and_samples_it_shows(tables: data.Tables, whole: report_page.Page) -> None:
    assert len({figure.key for figure in whole.figures}) == len(whole.figures)
    seen = set()
    for figure in whole.figures:
        rows = figure.data
        assert figure.size == f"n = {plural(figure.subjects, 'subject')}, {plural(figure.samples, 'sample')}"
        if {"subject", "sample"} <= set(rows):
            assert (figure.subjects, figure.samples) == (rows["subject"].nunique(), rows["sample"].nunique()), (
                figure.key
            )
            seen.add("samples")
        elif figure.key.startswith(("effects_", "signs_", "sensitivity_")):
            assert (figure.subjects, figure.samples) == (rows["n_subjects"].max(), rows["n_samples"].max()), figure.key
            seen.add("analyses")
        elif figure.key.startswith("taxa_"):
            frame = tables.taxa[figure.key.split("_", 2)[2]]
            expected = frame[(frame["quantity"] == figure.key.split("_")[1]) & (frame["n_event"] > 0)]
            assert (figure.subjects, figure.samples) == (expected["n_subjects"].max(), expected["n_samples"].max())
            seen.add("taxa")
        else:
            assert figure.subjects > 0
            assert figure.samples > 0
    assert seen == {"samples", "analyses", "taxa"}


def test_axes_tell_the_explained_fractions(page: Page, trial: Trial) -> None:
    line = (trial.results / "diversity" / "pcoa_bray_curtis.tsv").read_text().splitlines()[0]
    first, second = (float(part.split("=")[1]) for part in line.split()[2:4])
    titles = re.findall(r'"title":"(axis[^"]*)"', json.dumps(page.specs["pcoa_bray_curtis"], separators=(",", ":")))
    assert set(titles) == {f"axis 1 ({first:.1%})", f"axis 2 ({second:.1%})"}


def test_an_ordination_has_one_scale_for_both_axes(page: Page) -> None:
    for metric in METRICS:
        spec = page.specs[f"pcoa_{metric}"]
        encoding = spec["layer"][-1]["encoding"]
        (x0, x1), (y0, y1) = (encoding[axis]["scale"]["domain"] for axis in "xy")
        assert (x1 - x0) / spec["width"] == pytest.approx((y1 - y0) / spec["height"])


def test_distances_without_a_bound_are_not_called_similarity(page: Page) -> None:
    words = json.dumps(page.specs["similarity_robust_aitchison"])
    assert "robust Aitchison distance" in words
    assert "similarity" not in words
    assert "Bray-Curtis similarity" in json.dumps(page.specs["similarity_bray_curtis"])


def test_response_gives_the_colours_and_arms_the_panels(tables: data.Tables) -> None:
    by = scheme(people(tables))
    assert (by.panel, by.colour) == ("arm", "response")
    assert by.colours == RESPONSE_COLOURS
    alone = people(data.Tables(tables.study.__class__(tables.study.samples)))
    assert scheme(alone).panel == ""


def test_subjects_without_doses_are_offered_as_the_null(page: Page, tables: data.Tables) -> None:
    assert any(text.startswith("1 subject received no dose.") for text in page.text)
    bare = build(dataclasses.replace(tables, taxa={}))
    depleted = next(figure for figure in bare.figures if figure.key == "taxa_depleted")
    assert set(depleted.data["group"]) == {"fmt", "no_fmt"}


def test_the_caveats_stand_in_the_page(page: Page) -> None:
    words = " ".join(page.text)
    for piece in (
        "No rate has a depth-free or time-free meaning",
        "lose about a fifth of their SGBs within a month",
        "a matter of presence, not proof of transfer",
        "Depleted includes dilution",
        "Counting a subject once per sample makes it reject too often",
    ):
        assert piece in words, piece


# ---------------------------------------------------------------- methods


def test_methods_tell_the_recorded_versions_and_parameters(page: Page) -> None:
    words = " ".join(page.text)
    for piece in (
        "fastp 1.2.3, 1.2.4",
        "MetaPhlAn 4.9",
        "Bowtie 2 2.5.9",
        "Snakemake 9.99",
        "fewer than 1234 reads",
        "database mpa_vTest",
    ):
        assert piece in words, piece


def test_every_citation_leads_to_a_reference(page: Page, source: str) -> None:
    cited_numbers = {str(a["href"])[1:] for tag, a in page.elements if tag == "a" and a.get("class") == "ref"}
    references = [str(a["id"]) for tag, a in page.elements if tag == "li" and str(a.get("id", "")).startswith("ref-")]
    assert len(references) > 10
    assert cited_numbers == set(references)
    assert "[@" not in "".join(page.text)


def test_methods_say_nothing_of_steps_that_were_not_taken(tables: data.Tables) -> None:
    bare = data.Tables(tables.study, alpha=tables.alpha)
    words = " ".join(methods(bare, "1"))
    for name in ("fastp", "Bowtie", "PERMANOVA", "Outcomes", "Snakemake", "Bray"):
        assert name not in words, name


def test_citations_are_numbered_in_the_order_of_the_text_and_text_is_escaped() -> None:
    paragraphs, references = cited(["<b> [@fastp] and [@bowtie2]", "[@fastp] [@unknown]"])
    assert str(paragraphs[0]).startswith("&lt;b&gt; <a")
    assert [label for _, label, _ in references] == ["doi:10.1093/bioinformatics/bty560", "doi:10.1038/nmeth.1923"]
    assert "#ref-1" in paragraphs[1]
    assert "[@unknown]" in paragraphs[1]


# ---------------------------------------------------------------- files


def test_each_figure_is_written_as_svg_with_its_data(trial: Trial, source: str, whole: report_page.Page) -> None:
    folder = trial.results / "figures"
    figures = whole.figures
    assert {path.name for path in folder.iterdir()} == {f"{f.key}.{kind}" for f in figures for kind in ("svg", "tsv")}
    for figure in figures:
        root = ElementTree.parse(folder / f"{figure.key}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 3
        text = (folder / f"{figure.key}.tsv").read_text()
        assert text.startswith(f"# {figure.title}: {figure.size}\n")
        assert len(text.splitlines()) == 2 + len(figure.data)


def test_all_tables_are_linked_relative_to_the_page(page: Page, trial: Trial) -> None:
    linked = {urllib.parse.unquote(str(a["href"])) for tag, a in page.elements if tag == "a"}
    for path in trial.results.rglob("*.tsv"):
        if path.parent.name != "figures":
            assert path.relative_to(trial.results).as_posix() in linked
    assert {"../samples.tsv", "../subjects.tsv", "../doses.tsv", "provenance.json"} <= linked


def test_tables_by_name_win_over_the_folder_and_an_empty_option_means_none(trial: Trial) -> None:
    found = data.inputs(trial.results)
    assert [data.metric_of(path) for path in found.pcoa] == list(METRICS)
    named = data.inputs(trial.results, pcoa=["x/pcoa_jaccard.tsv"], permanova=[], reads="", similarity=[])
    assert named.pcoa == ("x/pcoa_jaccard.tsv",)
    assert (named.permanova, named.similarity, named.reads) == ((), (), None)
    assert named.alpha == str(trial.results / "diversity" / "alpha.tsv")
    assert not [path for path in named.link if "beta_" in path]  # of metrics that are not shown
    assert data.inputs() == data.Inputs()
    with pytest.raises(InputError, match="results folder does not exist"):
        data.inputs(trial.results / "nowhere")


def test_all_problems_are_told_at_once_and_nothing_is_written(
    trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "alpha.tsv": "sample\trichness\ns0.0\tmany\n",
        "pcoa_x.tsv": "sample\taxis_1\ns0.0\t1\n",
        "pcoa_y.tsv": "sample\taxis_1\taxis_2\ns0.0\t1\tfar\n",
        "reads.tsv": "\n".join(
            "\t".join(row)
            for row in (READS.names, [{"sample": "stranger", "status": "ok"}.get(name, "") for name in READS.names], [])
        ),
        "provenance.json": "[1]",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    options = [
        "--alpha",
        "alpha.tsv",
        "--pcoa",
        "pcoa_x.tsv",
        "pcoa_y.tsv",
        "--reads",
        "reads.tsv",
        "--provenance",
        "provenance.json",
    ]
    options = [word if word.startswith("--") else str(tmp_path / word) for word in options]
    target = tmp_path / "out" / "page.html"
    assert main(["report", *trial.study, *options, "--link", str(tmp_path / "gone.html"), "-o", str(target)]) == 2
    said = capsys.readouterr().err
    for piece in (
        "'many' is not",
        "fewer than two axes",
        "'far' is not a number",
        "'stranger'",
        "not a JSON object",
        "does not exist",
    ):
        assert piece in said, piece
    assert not target.parent.exists()


def test_rates_of_doses_that_are_not_given_are_refused(trial: Trial, tmp_path: Path, capsys) -> None:
    target = tmp_path / "page.html"
    options = ["--results", str(trial.results), "-o", str(target)]
    assert main(["report", *trial.study[:4], *options]) == 2
    assert "received donor products, but there are no doses; give --doses" in capsys.readouterr().err
    assert not target.exists()


def test_the_page_can_be_written_to_standard_output(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *trial.study, "-o", "-"]) == 0
    page = Page(capsys.readouterr().out)
    assert "timeline" in page.specs
    # Where the page will lie is not known: no link can be right.
    assert not [
        a
        for tag, a in page.elements
        if tag == "a" and ".tsv" in str(a["href"]) and not str(a["href"]).startswith("data:")
    ]


# ---------------------------------------------------------------- small things


def test_numbers_for_reading() -> None:
    assert [number(v) for v in (1234, 0, 0.1234567, 1e-7, 12.0, None, float("nan"), pd.NA)] == [
        "1,234",
        "0",
        "0.123",
        "1.00e-07",
        "12",
        "–",
        "–",
        "–",
    ]


def test_names_sort_as_people_count() -> None:
    assert sorted(["pt10", "pt9", "PT1", "a"], key=natural_key) == ["a", "PT1", "pt9", "pt10"]


def test_outcomes_have_different_colours_of_the_palette() -> None:
    okabe_ito = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000"}
    assert len(set(OUTCOME_COLOURS.values())) == len(OUTCOME_NAMES) == len(OUTCOME_COLOURS)
    assert set(OUTCOME_COLOURS.values()) - okabe_ito == {OUTCOME_COLOURS["not_engrafted"]}  # grey


def test_a_section_folds_what_would_make_it_long(whole: report_page.Page) -> None:
    blocks = next(section for section in whole.sections if section.key == "alpha").blocks
    assert [type(block) for block in blocks] == [Figure, Figure, FigureGroup]


# ---------------------------------------------------------------- published trials


@pytest.mark.real
@pytest.mark.parametrize("name", ["ucfmt1", "baruch2021"])
def test_published_trials(real_data: Path, tmp_path: Path, name: str) -> None:
    source = real_data / name
    study = [
        word for table in ("samples", "subjects", "doses") for word in (f"--{table}", str(source / f"{table}.tsv"))
    ]
    profile = ["--profile", str(source / "profiles.tsv.gz")]
    outcomes, rates = str(tmp_path / "outcomes.tsv"), str(tmp_path / "rates.tsv")
    assert main(["outcomes", *profile, *study, "-o", outcomes]) == 0
    assert main(["rates", "--outcomes", outcomes, "-o", rates]) == 0
    target = tmp_path / "report.html"
    assert main(["report", *profile, *study, "--outcomes", outcomes, "--rates", rates, "-o", str(target)]) == 0
    page = Page(target.read_text(encoding="utf-8"))
    samples = pd.read_csv(source / "samples.tsv", sep="\t", dtype=str)
    patients = set(samples.loc[samples["role"] == "recipient", "subject"])
    assert {row["subject"] for row in rows_of(page.specs["timeline"]) if "subject" in row} == patients
    assert {row["subject"] for row in rows_of(page.specs["outcomes"]) if "subject" in row} == patients
    assert patients <= set(page.text)
