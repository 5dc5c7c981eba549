"""The section on strains: every number in it is one of its tables, and it is there only where they are."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pandas as pd
import pytest
from strain_trial import StrainTrial, strain_trial

from microbiome.cli import main
from microbiome.report import data
from microbiome.report import page as report_page
from microbiome.report.blocks import Figure, FigureGroup, Missing, Note, Section, TableBlock, p_text
from microbiome.report.methods import methods
from microbiome.report.page import build
from microbiome.report.strain_frames import chunks
from microbiome.report.theme import STRAIN_COLOURS
from microbiome.simulate.tables import STRAIN_OUTCOME_NAMES
from microbiome.strains.rate_tables import STRAIN_RATE_COUNTS, STRAIN_RATE_NAMES

SWAP = ("R1.14", "R2.60")


@pytest.fixture(scope="module")
def trial() -> StrainTrial:
    return strain_trial(3, recipients=6, taxa=45).swapped(*SWAP)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, trial: StrainTrial) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    place = trial.write(folder)
    strains = place / "strains"
    study = [f"--{name}={folder / name}.tsv" for name in ("samples", "doses")]
    subjects = f"--subjects={folder}/subjects.tsv"
    shared, resolved = f"--shared={strains}/shared.tsv", f"--resolved={strains}/resolved.tsv"
    extra = [f"--persistence={strains}/persistence.tsv", f"--summary={strains}/trajectories.tsv"]
    extra += [f"--outcomes={place}/outcomes/outcomes.tsv", subjects]
    for command in (
        ["strains", "rates", resolved, shared, *study, *extra, "-o", f"{strains}/rates.tsv"],
        ["strains", "audit", shared, *study, "-o", f"{strains}/audit.tsv"],
        ["compare", f"--rates={strains}/rates.tsv", subjects, "--by", "responder", "--permutations", "49",
         "-o", f"{strains}/compare_responder.tsv"],
    ):  # fmt: skip
        assert main(["--quiet", *command]) == 0
    return place


@pytest.fixture(scope="module")
def tables(results: Path) -> data.Tables:
    study = (results.parent / f"{name}.tsv" for name in ("samples", "subjects", "doses"))
    return data.read(data.inputs(results), *study)


@pytest.fixture(scope="module")
def page(tables: data.Tables) -> report_page.Page:
    return build(tables)


def section(page: report_page.Page) -> Section:
    return next(part for part in page.sections if part.key == "strains")


def figure(page: report_page.Page, key: str) -> Figure:
    return next(one for one in page.figures if one.key == key)


def table(page: report_page.Page, key: str) -> TableBlock:
    return next(block for block in section(page).blocks if isinstance(block, TableBlock) and block.key == key)


def column(block: TableBlock, name: str) -> list[str]:
    place = [heading.name for heading in block.headings].index(name)
    return [row[place].text for row in block.rows]


def words(page: report_page.Page) -> str:
    parts = list(section(page).paragraphs)
    for block in section(page).blocks:
        parts += [block.text, *block.items] if isinstance(block, Note) else []
        parts += [block.caption] if isinstance(block, Figure | TableBlock) else []
        parts += [block.text] if isinstance(block, Missing) else []
    return "\n".join(parts)


def drawn(chart: Figure) -> list[dict]:
    return [row for rows in chart.spec["datasets"].values() for row in rows]


def test_all_tables_are_found_and_the_pairs_are_linked_only(results: Path, tables: data.Tables) -> None:
    assert set(tables.strains) == {
        "resolved",
        "sources",
        "rates",
        "summary",
        "persistence",
        "sweep",
        "thresholds",
        "audit",
    }
    assert set(tables.strain_compare) == {"responder"}
    linked = dict(tables.files)
    assert linked[str(results / "strains" / "shared.tsv")] == "further result"
    assert linked[str(results / "strains" / "rates.tsv")] != "further result"


def test_without_tables_there_is_no_section(tables: data.Tables, page: report_page.Page) -> None:
    bare = build(dataclasses.replace(tables, strains={}, strain_compare={}))
    assert "strains" not in [part.key for part in bare.sections]
    assert [part.key for part in bare.sections] == [part.key for part in page.sections if part.key != "strains"]
    assert not [text for text in methods(dataclasses.replace(tables, strains={}), "0") if "strain" in text.lower()]


@pytest.mark.parametrize("name", ["resolved", "rates", "summary", "persistence", "sweep", "thresholds", "audit"])
def test_each_table_alone_makes_its_part(tables: data.Tables, page: report_page.Page, name: str) -> None:
    alone = build(data.Tables(tables.study, strains={name: tables.strains[name]}))
    rest = {key: frame for key, frame in tables.strains.items() if key != name}
    without = build(dataclasses.replace(tables, strains=rest))
    keys = {one.key for one in page.figures}
    made, left = ({one.key for one in part.figures} & keys for part in (alone, without))
    own = [block.key for block in section(alone).blocks if isinstance(block, TableBlock)]
    assert [key for key in made if key.startswith(("strain", "donor_fraction"))] or own
    if name != "resolved":
        missing = [block for block in section(alone).blocks if isinstance(block, Missing)]
        assert "strains resolve" in missing[0].text
    assert "strains" in [part.key for part in without.sections]
    # Nothing of the part is left without its table, but for rates, whose means are another table.
    assert not (made - left) & left


def test_bars_and_tiles_are_the_resolved_table(tables: data.Tables, page: report_page.Page) -> None:
    resolved = tables.strains["resolved"]
    bars = figure(page, "strain_counts").data
    counted = resolved.groupby(["sample", "strain_outcome"]).size()
    for row in bars.itertuples():
        assert row.taxa == counted.get((row.sample, row.strain_outcome), 0)
    assert bars["taxa"].sum() == len(resolved)
    tiles = pd.concat(one.data for one in page.figures if one.key.startswith("strain_fates"))
    source = resolved.set_index(["sample", "taxon"])
    assert tiles["name"].nunique() == 40
    assert not tiles.duplicated(["sample", "taxon"]).any()
    for row in tiles.itertuples():
        cell = source.loc[(row.sample, row.taxon)]
        assert (row.strain_outcome, row.outcome) == (cell["strain_outcome"], cell["outcome"])
    # Every row of these taxa is drawn, the unresolved ones too.
    assert len(tiles) == resolved["taxon"].isin(set(tiles["taxon"])).sum()
    assert (tiles["strain_outcome"] == "unresolved").any()
    assert set(STRAIN_COLOURS) == set(STRAIN_OUTCOME_NAMES)
    assert len(set(STRAIN_COLOURS.values())) == len(STRAIN_COLOURS)


def test_the_taxa_of_the_tiles_are_those_resolved_in_most_subjects(tables: data.Tables, page: report_page.Page) -> None:
    resolved = tables.strains["resolved"]
    known = resolved[resolved["strain_outcome"] != "unresolved"].groupby("taxon")["subject"].nunique()
    shown = set(figure(page, "strain_fates_1").data["taxon"])
    left = set(resolved["taxon"]) - shown
    assert left
    assert min(known.get(taxon, 0) for taxon in shown) >= max(known.get(taxon, 0) for taxon in left)


def test_sources_are_means_over_taxa(tables: data.Tables, page: report_page.Page) -> None:
    sources = tables.strains["sources"]
    parts = figure(page, "strain_sources").data
    for row in parts.itertuples():
        own = sources[sources["sample"] == row.sample]
        assert row.taxa == own["taxon"].nunique()
        assert row.part == pytest.approx(own.loc[own["source"] == row.source, "fraction"].sum() / row.taxa)
    assert parts.groupby("sample")["part"].sum().tolist() == pytest.approx([1.0] * parts["sample"].nunique())
    one = sources[sources["source"] != "D2"]
    alone = build(data.Tables(tables.study, strains={"sources": one}))
    assert not [chart for chart in alone.figures if chart.key == "strain_sources"]


def test_donor_fractions_have_their_intervals(tables: data.Tables, page: report_page.Page) -> None:
    source = tables.strains["resolved"].set_index(["sample", "taxon"])
    frame = pd.concat(one.data for one in page.figures if one.key.startswith("donor_fraction"))
    assert set(frame["outcome"]) == {"engrafted", "shared_kept"}
    for row in frame.itertuples():
        cell = source.loc[(row.sample, row.taxon)]
        for name in ("donor_fraction", "ci_low", "ci_high", "informative_sites"):
            assert getattr(row, name) == cell[name]
    assert frame["donor_fraction"].notna().all()
    first = figure(page, "donor_fraction_1")
    assert len([row for row in drawn(first) if "donor_fraction" in row]) == len(first.data)


def test_rates_stand_with_their_denominators(tables: data.Tables, page: report_page.Page) -> None:
    frame = tables.strains["rates"].set_index("sample")
    block = table(page, "strain_rates")
    assert column(block, "sample") == list(frame.index)
    headings = [heading.name for heading in block.headings]
    for rate in STRAIN_RATE_NAMES:
        place = headings.index(rate.replace("_", " "))
        for row in block.rows:
            source = frame.loc[row[1].text]
            value = source[rate]
            assert row[place].text == ("–" if pd.isna(value) else f"{value:.2f}")
            if rate in STRAIN_RATE_COUNTS and pd.notna(value):
                over, under = (source[name] for name in STRAIN_RATE_COUNTS[rate])
                assert row[place].sub.startswith(f"{over} / {under}")
    assert column(block, "unresolved") == [str(n) for n in frame["taxa_unresolved"]]
    lines = figure(page, "strain_rates").data
    known = lines[lines["rate"] == "strain_engraftment_rate_donor"].set_index("sample")
    for sample, row in known.iterrows():
        assert row["value"] == frame.loc[sample, "strain_engraftment_rate_donor"]
        assert row["low"] == frame.loc[sample, "strain_engraftment_rate_donor_low"]
        assert row["high"] == frame.loc[sample, "strain_engraftment_rate_donor_high"]
    assert lines[["low", "high"]].notna().all(axis=None)


def test_means_over_subjects_are_those_of_the_summary(tables: data.Tables, page: report_page.Page) -> None:
    known = tables.strains["summary"].dropna(subset=["mean"])
    block = table(page, "strain_summary")
    assert column(block, "mean") == [f"{value:.2f}" for value in known["mean"]]
    assert column(block, "subjects") == [str(n) for n in known["n_subjects"]]


def test_persistence_draws_every_dated_pair(tables: data.Tables, page: report_page.Page) -> None:
    frame = tables.strains["persistence"]
    one = figure(page, "strain_persistence")
    assert len(one.data) == frame["days_apart"].notna().sum()
    kinds = one.data.groupby("kind")["doses_between"].max()
    assert kinds["recipient, no dose between"] == 0
    assert kinds["recipient, FMT between"] > 0
    lots = frame[frame["role"] == "donor"]
    same, compared = lots["taxa_same_strain"].sum(), lots["taxa_compared"].sum()
    assert f"Lots of donors without days are not drawn: {len(lots)} pairs" in one.caption
    assert f"({same} of {compared}) with the same strain" in one.caption


def test_the_comparison_of_strains_has_keys_of_its_own(tables: data.Tables, page: report_page.Page) -> None:
    frame = tables.strain_compare["responder"]
    block = table(page, "strain_compare_responder")
    assert len(block.rows) == len(frame)
    assert column(block, "p") == [p_text(value) for value in frame["p_value"]]
    both = build(dataclasses.replace(tables, compare={"responder": frame}))
    tabled = [block.key for part in both.sections for block in part.blocks if isinstance(block, TableBlock)]
    for keys in ([one.key for one in both.figures], tabled):
        assert len(keys) == len(set(keys))
    assert "Strain persistence rate: " in words(page)


def test_cuts_are_those_of_the_tables(tables: data.Tables, page: report_page.Page) -> None:
    sweep = figure(page, "strain_sweep")
    assert len(sweep.data) == len(tables.strains["sweep"])
    thresholds = tables.strains["thresholds"]
    marks = next(row for row in drawn(sweep) if "median" in row)
    assert marks["median"] == pytest.approx(thresholds["threshold"].median())
    block = table(page, "strain_thresholds")
    assert column(block, "threshold") == ["–" if pd.isna(v) else f"{v:.3g}" for v in thresholds["threshold"]]
    assert "1 taxon has no threshold, and all its pairs are unresolved." in block.caption


def test_doubtful_labels_are_told_first_and_in_full(tables: data.Tables, page: report_page.Page) -> None:
    audit = tables.strains["audit"]
    block = table(page, "strain_audit")
    assert len(block.rows) == len(audit)
    assert column(block, "sample")[:2] == list(SWAP)
    assert column(block, "partner")[:2] == list(SWAP[::-1])
    first = section(page).blocks[0]
    assert isinstance(first, Note)
    assert first.level == "warn"
    assert all(name in first.text for name in SWAP)
    for row in audit[audit["verdict"] == "swapped"].itertuples():
        assert f"{row.sample}: {row.sentence}" in words(page)
    facts = {fact.label: fact for fact in section(page).facts}
    assert facts["samples with doubtful labels"].value == "2"
    points = figure(page, "strain_audit").data.set_index("sample")
    row = audit.set_index("sample").loc["R5.60"]
    assert points.loc["R5.60", "other_rate"] == row["other_shared"] / row["other_taxa"]
    clean = audit.assign(verdict="ok", partner=None)
    quiet = build(dataclasses.replace(tables, strains={**tables.strains, "audit": clean}))
    assert "Strains speak against no label." in words(quiet)


def test_facts_are_counted(tables: data.Tables, page: report_page.Page) -> None:
    resolved = tables.strains["resolved"]
    known = resolved["strain_outcome"] != "unresolved"
    facts = {fact.label: fact for fact in section(page).facts}
    assert facts["strains resolved"].value == f"{known.mean():.0%}"
    new = resolved[known & (resolved["outcome"] == "engrafted")]
    mine = new["strain_outcome"].isin(["donor", "coexist"])
    assert facts["engrafted taxa with the donor's strain"].remark == (
        f"{mine.sum()} of {len(new)} resolved, over all post samples"
    )


def test_methods_name_what_was_done(tables: data.Tables) -> None:
    text = "\n".join(methods(tables, "0"))
    assert "mixture of same and different strains" in text
    assert "(44 taxa)" not in text
    origins = tables.strains["thresholds"]["threshold_origin"].value_counts()
    assert f"({origins['model']} taxa)" in text
    for key in ("ianiro", "schmidt", "instrain", "bh"):
        assert f"[@{key}]" in text
    assert "strainphlan" not in text
    ngd = tables.strains["thresholds"].assign(method="ngd", threshold_origin="youden")
    other = "\n".join(methods(dataclasses.replace(tables, strains={"thresholds": ngd}), "0"))
    assert "[@strainphlan]" in other
    assert "[@youden]" in other


def test_panels_that_do_not_fit_go_to_the_next_figure() -> None:
    names = [f"R{i}" for i in range(10)]
    runs = chunks(names, [4] * 10, 200, 24, 15, 10)
    assert [name for run in runs for name in run] == names
    assert all(len(run) * 70 <= 200 for run in runs)
    assert chunks(["a"], [100], 200, 24, 15, 10) == [["a"]]
    assert chunks([], [], 200, 24, 15, 10) == []


def test_a_large_trial_folds_its_figures(tables: data.Tables) -> None:
    frame = tables.strains["resolved"]
    parts = [
        frame.assign(subject=f"{n:02d}-" + frame["subject"], sample=f"{n:02d}-" + frame["sample"]) for n in range(7)
    ]
    large = pd.concat(parts, ignore_index=True)
    samples = large.drop_duplicates("sample")[["sample", "subject", "day"]].assign(role="recipient")
    study = dataclasses.replace(tables.study, samples=samples, doses=tables.study.doses.iloc[:0])
    made = build(data.Tables(study, strains={"resolved": large}))
    groups = [block for block in section(made).blocks if isinstance(block, FigureGroup)]
    tiles = [one for one in made.figures if one.key.startswith("strain_fates")]
    assert len(tiles) > 2
    assert sorted(set().union(*(set(one.data["subject"]) for one in tiles))) == sorted(set(large["subject"]))
    assert any("further subjects" in group.summary for group in groups)


def test_tables_of_another_study_are_refused(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit = pd.read_csv(results / "strains" / "audit.tsv", sep="\t", dtype=str)
    audit.assign(sample="x" + audit["sample"]).to_csv(tmp_path / "audit.tsv", sep="\t", index=False)
    given = [f"--samples={results.parent}/samples.tsv", "--strain-audit", str(tmp_path / "audit.tsv")]
    assert main(["report", *given, "-o", str(tmp_path / "page.html")]) == 2
    assert "give the tables of one study" in capsys.readouterr().err


@pytest.fixture(scope="module")
def written(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write page and figures with the command, from a folder in which a name would be code."""
    folder, place = results.parent, tmp_path_factory.mktemp("page")
    study = [f"--{name}={folder / name}.tsv" for name in ("samples", "subjects", "doses")]
    options = ["--results", str(results), "--figures", str(place / "figures"), "-o", str(place / "report.html")]
    assert main(["--quiet", "report", *study, *options]) == 0
    return place


def test_names_cannot_become_code(written: Path) -> None:
    html = (written / "report.html").read_text(encoding="utf-8")
    assert "<b>SGB4</b>" not in html
    assert "&lt;b&gt;SGB4&lt;/b&gt;" in html


def test_every_figure_is_written_with_its_table(written: Path, page: report_page.Page) -> None:
    keys = {path.stem for path in (written / "figures").glob("*.svg")}
    assert keys == {path.stem for path in (written / "figures").glob("*.tsv")} == {one.key for one in page.figures}
    assert {"strain_counts", "strain_fates_1", "strain_sweep", "strain_audit"} <= keys


@pytest.mark.browser
def test_the_section_is_drawn_in_a_browser(written: Path, tmp_path: Path, page: report_page.Page) -> None:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By

    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--proxy-server=127.0.0.1:9"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        driver.get((written / "report.html").as_uri())
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if driver.execute_script("return document.documentElement.dataset.figures"):
                break
            time.sleep(0.1)
        for group in driver.find_elements(By.CSS_SELECTOR, "#strains details.more"):
            driver.execute_script("arguments[0].open = true", group)
        keys = [one.key for one in page.figures if one.key.startswith(("strain", "donor_fraction"))]
        assert keys
        while time.monotonic() < end:
            found = [driver.find_elements(By.CSS_SELECTOR, f"[data-chart='{key}'] svg") for key in keys]
            if all(found):
                break
            time.sleep(0.1)
        assert all(found)
        assert not [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    finally:
        driver.quit()
