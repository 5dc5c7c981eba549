"""Section on adverse events: worst grades by donor and other groups, tests by recipient and donor, time to them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    FigureGroup,
    Heading,
    Missing,
    Note,
    Section,
    TableBlock,
    Title,
    below,
    number,
    number_cell,
    p_text,
    plural,
    signed,
    table_of,
)
from microbiome.report.counting import label_taxa
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.groups import column_title, group_colours, group_title
from microbiome.report.notes import brief, told
from microbiome.report.theme import natural_key

__all__ = ["toxicity"]

_TEXT = (
    "Recipients of one donor share what that donor carries, and are not independent: beside every test of recipients "
    "stands one in which whole donors are permuted. With few donors the latter can hardly reach a small p-value; the "
    "smallest that it could is told."
)
_TAXA = ("taxon_presence", "taxon_abundance", "named_taxon_presence", "named_taxon_abundance")
_FACTORS = {"all": "everybody", "donor": "by donor", "donor_cluster": "by donor cluster", "treatment": "by treatment"}
_TESTS = ("severe_test", "grade_test", "odds_ratio", "risk_difference", "cliffs_delta")
_QUANTITIES = {
    "severe_test": "share of severe ones",
    "grade_test": "worst grades",
    "odds_ratio": "odds ratio, severe",
    "risk_difference": "difference of the share",
    "cliffs_delta": "Cliff's delta of the abundance",
}
_TAXON_ROWS = 60
_BAND = "point by point, log-log"
_METHODS = {
    "chi2": "chi-squared (Pearson)",
    "chi2_yates": "chi-squared, Yates' correction",
    "conditional_exact": "conditional exact",
    "feng_cliff": "Feng-Cliff",
    "fisher_exact": "Fisher's exact test",
    "fisher_freeman_halton": "Fisher-Freeman-Halton",
    "kruskal_wallis_permutation": "Kruskal-Wallis, permutation",
    "permutation_within_donors": "permutation within donors",
    "welch_over_donors": "Welch over donors",
    "wilcoxon_permutation": "Wilcoxon, permutation",
}


def toxicity(tables: Tables, subjects: pd.DataFrame) -> list[Section]:
    """Make the section; none where toxicity was not analysed and there is no table of adverse events.

    Parameters
    ----------
    tables
        What was read.
    subjects
        As :func:`microbiome.report.roster.people` returns it.
    """
    results, curves = tables.clinical.get("toxicity"), tables.clinical.get("toxicity_curves")
    if results is None and curves is None:
        if tables.toxicities is None:
            return []
        missing = Missing("Toxicity was not analysed (microbiome clinical toxicity, option --clinical-toxicity).")
        return [Section("toxicity", "Toxicity", [], [missing])]
    blocks: list[Any] = []
    if results is not None and len(results):
        blocks += _bars(results)
        groups = results[~results["factor"].isin(_TAXA) & results["quantity"].isin(_TESTS)]
        if len(groups):
            blocks.append(_tests("toxicity_tests", "Do the groups differ?", groups, tables))
    if curves is not None and len(curves):
        blocks += _curves(curves, subjects)
    blocks += _clusters(tables)
    if results is not None:
        blocks += _taxa(tables, results)
    return [Section("toxicity", "Toxicity by donor", [_TEXT], blocks)]


def _factor(name: object) -> str:
    return _FACTORS.get(str(name), f"by {column_title(str(name))}")


def _bars(results: pd.DataFrame) -> list[Any]:
    rows = results[(results["quantity"] == "grade_count") & ~results["factor"].isin(_TAXA)]
    if rows.empty:
        return []
    severe = results[(results["quantity"] == "severe") & ~results["factor"].isin(_TAXA)]
    threshold = int(severe["grade"].iloc[0]) if len(severe) else 3
    words = {
        (str(row["factor"]), str(row["group"])): f"grade ≥ {threshold}: {number(row['events'])}/{number(row['n'])}"
        + ("" if pd.isna(row["ci_low"]) else f" ({100 * row['ci_low']:.0f}–{100 * row['ci_high']:.0f} %)")
        for row in severe.to_dict("records")
    }
    rank = {name: i for i, name in enumerate(("all", "donor", "donor_cluster", "treatment"))}
    order = sorted(
        range(len(rows)),
        key=lambda i: (
            rank.get(str(rows["factor"].iloc[i]), 9),
            natural_key(rows["group"].iloc[i]),
            int(rows["grade"].iloc[i]),
        ),
    )
    rows = rows.iloc[order]
    pairs = list(zip(rows["factor"].astype(str), rows["group"].astype(str), strict=True))
    drawn = rows.assign(
        title=[_factor(name) for name, _ in pairs],
        label=["everybody" if name == "all" else group_title(name, group) for name, group in pairs],
        severe=[words.get(pair, "") for pair in pairs],
    )
    n = int(drawn["n"].max())
    methods = ", ".join(dict.fromkeys(str(m).replace("_", "-").title() for m in severe["method"].dropna()))
    several = " Recipients of the same several donors are a group of their own."
    return [
        Figure(
            "toxicity_grades",
            "Worst grade of an immune-related adverse event",
            f"Recipients by their worst CTCAE grade; on the right those with grade {threshold} or more"
            f"{f', with interval ({methods})' if methods else ''}.{several if 'donor' in set(rows['factor']) else ''}",
            figures.grade_bars(drawn),
            rows.drop(columns=[name for name in rows if rows[name].isna().all()]),
            n,
            0,
        )
    ]


def _tests(key: str, title: str, rows: pd.DataFrame, tables: Tables) -> TableBlock:
    taxa = rows["factor"].isin(_TAXA).any()
    names = label_taxa(rows["taxon"].fillna(""), tables.lineages)["name"].to_numpy()
    headings = [
        Heading("taxon" if taxa else "groups"),
        Heading("what"),
        Heading("unit", "What is taken as independent: every recipient, or whole donors."),
        Heading("recipients", "In the test, and how many of them are severe.", True),
        Heading("donors", "", True),
        Heading("estimate", "With its interval.", True),
        Heading("p", "Two-sided; below it the smallest that this design could have given.", True),
        *([Heading("q", "Benjamini-Hochberg over the taxa.", True)] if taxa else []),
        Heading("method"),
        Heading("note"),
    ]
    cells = []
    for name, row in zip(names, rows.to_dict("records"), strict=True):
        group = "" if row["group"] is None or pd.isna(row["group"]) else group_title(str(row["factor"]), row["group"])
        reference = "" if row["reference"] is None or pd.isna(row["reference"]) else f" against {row['reference']}"
        what = _QUANTITIES.get(str(row["quantity"]), str(row["quantity"]))
        first = Cell(name, "present or not" if "presence" in str(row["factor"]) else "abundance")
        if not taxa:
            first = Cell(_factor(row["factor"]), f"{group}{reference}")
        floor = "" if pd.isna(row["p_floor"]) else f"\n≥ {p_text(row['p_floor'])}"
        cells.append(
            [
                first,
                Cell(what),
                Cell(str(row["unit"])),
                number_cell(
                    row["n"], number(row["n"]), "" if pd.isna(row["events"]) else f"\n{number(row['events'])} severe"
                ),
                number_cell(row["n_donors"], number(row["n_donors"])),
                number_cell(row["estimate"], signed(row["estimate"]), below(row["ci_low"], row["ci_high"])),
                number_cell(row["p_value"], p_text(row["p_value"]), floor),
                *([number_cell(row["q_value"], p_text(row["q_value"]))] if taxa else []),
                Cell(_worded(row["method"])),
                Cell(brief(row["note"])),
            ]
        )
    return TableBlock(key, title, "", headings, cells, rows, plural(len(rows), "row"))


def _worded(method: object) -> str:
    """Write the methods of a row as people name them."""
    return ", ".join(_METHODS.get(name, name.replace("_", " ")) for name in str(method).split(", "))


def _taxa(tables: Tables, results: pd.DataFrame) -> list[Any]:
    rows = results[results["factor"].isin(_TAXA)]
    if rows.empty:
        return []
    named = rows[rows["factor"].str.startswith("named_")]
    every = rows[~rows["factor"].str.startswith("named_")]
    blocks: list[Any] = [Title("Taxa of the donors")]
    if len(named):
        blocks.append(_tests("toxicity_named", "Taxa asked for by name", named, tables))
    if len(every):
        tested = every["p_value"].notna()
        found = int((every["q_value"] <= 0.05).sum())
        blocks.append(
            Note(
                f"{plural(every['taxon'].nunique(), 'taxon', 'taxa')} of the donors: "
                f"{plural(int(tested.sum()), 'test')} made, {found} with q ≤ 0.05; "
                f"{int((~tested).sum()):,} rows could not be tested (why is in the table)."
            )
        )
        shown = every.sort_values("p_value", kind="stable", na_position="last").head(_TAXON_ROWS)
        block = _tests(
            "toxicity_taxa", f"Smallest p-values of all taxa of the donors ({len(shown)} rows)", shown, tables
        )
        full = TableBlock(block.key, block.title, block.caption, block.headings, block.rows, every, block.size)
        blocks.append(full)
    return blocks


def _curves(curves: pd.DataFrame, subjects: pd.DataFrame) -> list[Any]:
    found: list[Figure] = []
    primary = "aalen_johansen" if (curves["method"] == "aalen_johansen").any() else str(curves["method"].iloc[0])
    drawn = curves[(curves["method"] == primary) & curves["incidence"].notna() & curves["day"].notna()]
    for factor, part in drawn.groupby("factor", sort=False):
        by = "" if factor == "all" else str(factor)
        names = list(dict.fromkeys(part["group"].astype(str)))
        shown = part.assign(group=["everybody" if factor == "all" else group_title(by, name) for name in part["group"]])
        palette = group_colours(by, names, subjects) if by else {"everybody": "#1F2529"}
        n = int(part.drop_duplicates("group")["n"].sum())
        method = (
            "cumulative incidence by Aalen and Johansen: who dies without one can no longer have it"
            if primary == "aalen_johansen"
            else "one minus Kaplan-Meier, which overstates the share where people die of something else"
        )
        level = part["level"].dropna()
        shade = f" Shaded: {100 * level.iloc[0]:.0f} % interval ({_BAND})." if len(level) and len(palette) <= 3 else ""
        groups = [*shown["group"].astype(str)]
        said = " ".join(f"{text}" for text in told(shown, groups))
        found.append(
            Figure(
                file_key(f"toxicity_time_{factor}"),
                f"Time to the first severe adverse event{'' if factor == 'all' else f', {_factor(factor)}'}",
                f"Share of recipients with a severe event by each day ({method}).{shade} {said}".strip(),
                figures.incidence(shown, palette, "share with a severe event"),
                part.drop(columns=[name for name in part if part[name].isna().all()]),
                n,
                0,
            )
        )
    rest = found[1:]
    return [*found[:1], *([FigureGroup(f"By groups ({plural(len(rest), 'figure')})", rest)] if rest else [])]


def _clusters(tables: Tables) -> list[Any]:
    donors, choice = tables.clinical.get("donor_clusters"), tables.clinical.get("donor_cluster_choice")
    blocks: list[Any] = []
    if donors is not None and len(donors):
        blocks.append(Title("Clusters of donors"))
        if choice is not None and len(choice):
            chosen = choice[choice["chosen"] == 1]
            if len(chosen):
                row = chosen.iloc[0]
                words = f"{plural(int(row['clusters']), 'cluster')} of {plural(int(row['n']), 'donor')}"
                least = (
                    "" if pd.isna(row["stability_least"]) else f" Least stable cluster: {row['stability_least']:.2f}."
                )
                blocks.append(Note(f"{words}: {row['criterion']}.{least}"))
        title, declared = "Donors and their cluster", _declared("donor_clusters")
        blocks.append(
            table_of("donor_clusters", title, "", donors, declared, size=f"n = {plural(len(donors), 'donor')}")
        )
    if choice is not None and len(choice):
        title = "How many clusters"
        shown = choice.drop(columns=["criterion", "method", "note", "p_value", "p_floor", "n"], errors="ignore")
        declared = _declared("donor_cluster_choice")
        blocks.append(table_of("donor_cluster_choice", title, "", shown, declared, data=choice))
    return blocks


def _declared(name: str) -> Any:
    from microbiome.clinical.toxicity_tables import DONOR_CLUSTER_CHOICE, DONOR_CLUSTERS

    return {table.name: table for table in (DONOR_CLUSTERS, DONOR_CLUSTER_CHOICE)}[name]
