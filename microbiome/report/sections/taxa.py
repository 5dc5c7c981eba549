"""Section on single taxa: which were lost, which engrafted, in which group; how long they stay and how they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    FigureGroup,
    Heading,
    Missing,
    Section,
    TableBlock,
    below,
    counts,
    number,
    number_cell,
    p_text,
    plural,
    signed,
    span,
)
from microbiome.report.counting import largest_analysis, named_taxa, unique_names
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.groups import column_title, effect_title, group_colours, group_title
from microbiome.report.notes import brief
from microbiome.report.sections.taxon_changes import changes, rests_on, retention
from microbiome.report.sections.taxon_counts import counted_taxa
from microbiome.report.text import CAVEATS
from microbiome.taxa.tables import TAXA

__all__ = ["taxa"]

_TOP = 20  # taxa in a figure
_DRAWN = {"loss": "Most lost taxa", "engraftment": "Most engrafted taxa"}
_SHARE = {
    "loss": "share of those who had it in whom it was lost",
    "engraftment": "share of those who could, in whom it engrafted",
}
# In the table of the page; gain is in the file.
_LISTED = ("loss", "engraftment", "arrival")
_ALL = {"all": "#1F2529"}


def taxa(tables: Tables, subjects: pd.DataFrame) -> Section:
    """Make the section; without a table of taxa the counts of the outcomes have to do."""
    if not any(len(frame) for frame in tables.taxa.values()):
        section = counted_taxa(tables, subjects)
        missing = Missing("Taxa were counted, but not tested (microbiome taxa, option --taxa).")
        more = [missing, *retention(tables, subjects), *changes(tables)]
        return Section(section.key, section.title, section.paragraphs, [*section.blocks, *more])
    blocks: list[Any] = []
    further: list[Any] = []
    for by, frame in tables.taxa.items():
        if frame.empty:
            continue
        frame = named_taxa(frame, tables.lineages)
        made = [figure for quantity in _DRAWN for figure in _figure(frame, by, quantity, subjects)]
        if blocks:
            further += made
        else:
            blocks += made or [Missing("In no subject was any taxon lost, or did any engraft.")]
        blocks += [*rests_on(tables, "taxa", by), _table(frame, by)]
    if further:
        blocks.append(
            FigureGroup(plural(len(further), "figure of further groups", "figures of further groups"), further)
        )
    blocks += [*retention(tables, subjects), *changes(tables)]
    text = (
        "A subject counts once for each taxon, by the share of its samples that count in which it happened: 1 where "
        "the taxon was gone (or had come) in all of them. Loss is among those who had the taxon at baseline, "
        "engraftment among those who received it and lacked it. Nothing is left out of the tables: where a taxon "
        "cannot be tested, the note says why."
    )
    return Section("taxa", "Taxa lost and engrafted", [text, f"{CAVEATS['presence']} {CAVEATS['dilution']}"], blocks)


def _groups(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the groups of the first pair with the ends of their columns: (name, ``_1`` or ``_2``)."""
    known = frame.dropna(subset=["group_1", "group_2"])
    return [] if known.empty else [(str(known[f"group_{i}"].iloc[0]), f"_{i}") for i in (1, 2)]


def _figure(frame: pd.DataFrame, by: str, quantity: str, subjects: pd.DataFrame) -> list[Figure]:
    rows = frame[(frame["quantity"] == quantity) & (frame["n_event"] > 0)]
    if len(rows) and rows["groups"].notna().any():
        rows = rows[rows["groups"] == rows["groups"].iloc[0]]
    if rows.empty:
        return []
    top = rows.sort_values(["n_event", "rate", "name"], ascending=[False, False, True], kind="stable").head(_TOP)
    top = top.assign(name=unique_names(top))
    parts = []
    groups = [(group, end) for group, end in _groups(top) if (top[f"n_at_risk{end}"] > 0).any()]
    for group, end in groups or [("all", "")]:
        prefix = f"rate{end}_ci" if end else "ci"
        parts.append(
            pd.DataFrame(
                {
                    "taxon": top["taxon"],
                    "name": top["name"],
                    "group": group_title(by, group),
                    "rate": top[f"rate{end}"],
                    "ci_low": top[f"{prefix}_low"],
                    "ci_high": top[f"{prefix}_high"],
                    "n_event": top[f"n_event{end}"],
                    "n_at_risk": top[f"n_at_risk{end}"],
                }
            )
        )
    long = pd.concat(parts, ignore_index=True)
    count = [f"{_few(did)} of {number(could)}" for did, could in zip(long["n_event"], long["n_at_risk"], strict=True)]
    palette = group_colours(by, [name for name, _ in groups], subjects) if groups else _ALL
    return [
        Figure(
            f"taxa_{quantity}_{file_key(by) if by else 'all'}",
            f"{_DRAWN[quantity]} by {column_title(by)}" if by else _DRAWN[quantity],
            f"The {len(top)} taxa with the most subjects in whom it happened. Points: mean over the subjects of a "
            "group who could show it, with 95 % intervals; on the right the number of subjects, each counted by the "
            "share of its samples, of those who could.",
            figures.taxon_rates(long.assign(count=count), palette, _SHARE[quantity]),
            long,
            *largest_analysis(rows),
        )
    ]


def _few(value: Any) -> str:
    """Write a number of subjects that need not be whole."""
    if pd.isna(value):
        return "–"
    return f"{value:.0f}" if abs(value - round(value)) < 1e-9 else f"{value:.1f}"


def _rate_cell(row: Mapping[str, Any], end: str) -> Cell:
    could = row[f"n_at_risk{end}"]
    words = "" if pd.isna(could) else f"\n{_few(row[f'n_event{end}'])} of {number(could)}"
    return number_cell(row[f"rate{end}"], signed(row[f"rate{end}"]), words)


def _table(frame: pd.DataFrame, by: str) -> TableBlock:
    # What engrafts cannot be compared with subjects who received nothing; what arrives can.
    testable = frame.loc[frame["quantity"] == "engraftment", "p_value"].notna().any()
    shown = [name for name in _LISTED if name != "arrival" or not testable]
    listed = frame[frame["quantity"].isin(shown) & (frame["n_event"] > 0)]
    rank = {name: i for i, name in enumerate(_LISTED)}
    listed = listed.assign(_q=listed["quantity"].map(rank), _p=listed["p_value"].fillna(2), _n=-listed["n_event"])
    listed = listed.sort_values(["_q", "_p", "_n", "name"], kind="stable").drop(columns=["_q", "_p", "_n"])
    groups = _groups(listed)
    pairs = listed["groups"].nunique()
    ends = [end for _, end in groups] if groups else []
    titles = [group_title(by, name) for name, _ in groups] if pairs == 1 else ["first group", "second group"]
    headings = [
        Heading("taxon", "Species of the profile and SGB, with its lineage."),
        Heading("what", TAXA["quantity"].meaning.replace("`", "")),
        *([Heading("groups", TAXA["groups"].meaning)] if pairs > 1 else []),
        *([] if groups and pairs == 1 else [Heading("all", f"{TAXA['rate'].meaning} Below: subjects.", True)]),
        *(
            Heading(title, TAXA[f"rate{end}"].meaning.replace("`", ""), True)
            for title, end in zip(titles, ends, strict=False)
        ),
    ]
    if groups:
        direction = effect_title(by, groups[0][0], groups[1][0]) if pairs == 1 else "second − first"
        headings += [
            Heading("difference", f"{direction}, with its 95 % interval.", True),
            Heading("p", TAXA["p_value"].meaning, True),
            Heading("smallest p", TAXA["p_floor"].meaning, True),
            Heading("q", TAXA["q_value"].meaning, True),
        ]
    else:
        headings.append(Heading("95 % interval", "Of the share, over subjects.", True))
    headings += [Heading("unsure", TAXA["n_below_limit"].meaning, True), Heading("note", TAXA["note"].meaning)]
    rows = []
    for row in listed.to_dict("records"):
        cells = [Cell(row["name"], row["lineage"]), Cell(row["quantity"])]
        cells += [Cell(effect_title(by, row["group_1"], row["group_2"]))] if pairs > 1 else []
        cells += [] if groups and pairs == 1 else [_rate_cell(row, "")]
        cells += [_rate_cell(row, end) for end in ends]
        if groups:
            cells += [
                number_cell(row["effect"], signed(row["effect"]), below(row["effect_ci_low"], row["effect_ci_high"])),
                *(number_cell(row[name], p_text(row[name])) for name in ("p_value", "p_floor", "q_value")),
            ]
        else:
            cells.append(number_cell(row["ci_low"], span(row["ci_low"], row["ci_high"])))
        unsure = row.get("n_below_limit")
        cells += [number_cell(unsure, number(unsure)), Cell(brief(row["note"]))]
        rows.append(cells)
    key = file_key(by) if by else "all"
    return TableBlock(
        f"taxa_{key}",
        f"All taxa by {column_title(by)}" if by else "All taxa",
        f"{_tested(frame[frame['quantity'].isin(shown)])} Search for a name, a family, or {', '.join(shown)}. Listed "
        "is what happened in at least one subject; everything else is in the file.",
        headings,
        rows,
        frame.drop(columns=["name", "lineage"]),
        counts(*largest_analysis(listed)),
    )


def _tested(frame: pd.DataFrame) -> str:
    if frame["groups"].isna().all():
        return f"{plural(frame['taxon'].nunique(), 'taxon', 'taxa')}, in the order of the subjects in whom it happened."
    parts = []
    for quantity, rows in frame.groupby("quantity", sort=False):
        tested, could = rows[rows["p_value"].notna()], rows[rows["n_at_risk"] > 0]
        clear = int((tested["q_value"] < 0.05).sum())
        parts.append(f"{quantity}: {len(tested):,} of {len(could):,} could be tested, q < 0.05 in {clear}")
    return f"{_upper('; '.join(parts))}."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
