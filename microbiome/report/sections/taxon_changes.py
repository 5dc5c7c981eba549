"""How long taxa stay, and how presence and abundance change: parts of the section on taxa."""

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
    Note,
    TableBlock,
    Title,
    below,
    counts,
    number,
    number_cell,
    p_text,
    signed,
)
from microbiome.report.counting import largest_analysis, named_taxa, unique_names
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.groups import column_title, group_colours, group_title
from microbiome.taxa.tables import CHANGES

__all__ = ["changes", "rests_on", "retention"]

_CURVES = 12  # taxa with a curve of their own
_ALL = {"all": "#1F2529"}


def rests_on(tables: Tables, name: str, by: str) -> list[Any]:
    """Say what stands above the header of a table by column: which samples count, donors, depth, floors."""
    said = [f"{line[:1].upper()}{line[1:]}." for line in tables.comments.get((name, by), ()) if line]
    words = f" by {column_title(by)}" if by else ""
    called = " (yes is responder, no is non-responder)" if by == "responder" else ""
    return [Note(f"What these numbers{words} rest on{called}:", items=said)] if said else []


def retention(tables: Tables, subjects: pd.DataFrame) -> list[Any]:
    """Make the curves of what is retained: all baseline taxa, and the most lost ones; or what is missing."""
    if not tables.retention:
        return [Missing("How long taxa stay was not counted (microbiome retention, option --retention).")]
    blocks: list[Any] = []
    for by, frame in tables.retention.items():
        known = frame[frame["retention"].notna() & frame["day_low"].notna()]
        if known.empty:
            continue
        # A single taxon has no median of its own: the middle of the visit is that of all taxa.
        days = known[known["level"] == "all"].groupby(["group", "visit"])["day_median"].first()
        middle = (known["day_low"].astype(float) + known["day_high"].astype(float)) / 2
        at = pd.Series([days.get(key) for key in zip(known["group"], known["visit"], strict=True)], index=known.index)
        known = known.assign(day_median=known["day_median"].fillna(at.astype(float)).fillna(middle))
        names = [str(name) for name in dict.fromkeys(known["group"])]
        groups = [name for name in names if name != "all"] or ["all"]
        known = known[known["group"].isin(groups)]
        palette = group_colours(by, groups, subjects) if groups != ["all"] else _ALL
        known = known.assign(group=[group_title(by, name) for name in known["group"]])
        blocks += _curves(tables, by, known, palette)
    return [Title("How long taxa stay"), *blocks] if blocks else []


_CURVE = (
    "group",
    "visit",
    "day_median",
    "retention",
    "ci_low",
    "ci_high",
    "n_subjects",
    "n_samples",
    "n_donors",
    "method",
)


def _curves(tables: Tables, by: str, known: pd.DataFrame, palette: Mapping[str, str]) -> list[Any]:
    key, words = (file_key(by), f" by {column_title(by)}") if by else ("all", "")
    blocks: list[Any] = []
    columns = [name for name in _CURVE if name in known]
    whole = known.loc[known["level"] == "all", columns].reset_index(drop=True)
    if len(whole):
        first = whole[whole["visit"] == whole["visit"].min()]
        blocks.append(
            Figure(
                f"retention_{key}",
                f"Baseline taxa still present{words}",
                "Mean over subjects of the share of their baseline taxa that each visit shows, with 95 % intervals "
                "(t on the logit of the mean). What is missing may also have fallen below detection.",
                figures.retention(whole, palette),
                whole,
                int(first["n_subjects"].sum()),
                int(whole["n_samples"].sum()),
            )
        )
    chosen = _most_lost(tables, by)
    single = known[(known["level"] == "taxon") & known["taxon"].isin(chosen)]
    if len(single):
        labels = named_taxa(single, tables.lineages)
        labels = labels.assign(name=unique_names(labels))
        rank = {name: i for i, name in enumerate(chosen)}
        labels = labels.assign(_rank=labels["taxon"].map(rank)).sort_values(["_rank", "visit"], kind="stable")
        data = labels[["taxon", "name", *columns]].reset_index(drop=True)
        figure = Figure(
            f"retention_taxa_{key}",
            f"Subjects who still have a taxon{words}",
            f"The {data['taxon'].nunique()} most lost taxa: share of the subjects who had it at baseline that show "
            "it at each visit, with 95 % intervals (Clopper-Pearson).",
            figures.retention_of_taxa(data, palette),
            data,
            *largest_analysis(whole if len(whole) else data),
        )
        blocks.append(FigureGroup(f"Curves of the {data['taxon'].nunique()} most lost taxa", [figure]))
    return blocks


def _most_lost(tables: Tables, by: str) -> list[str]:
    frame = tables.taxa.get(by)
    frame = next(iter(tables.taxa.values()), None) if frame is None else frame
    if frame is None or frame.empty:
        return []
    rows = frame[(frame["quantity"] == "loss") & (frame["n_event"] > 0)].drop_duplicates("taxon")
    return list(rows.sort_values(["n_event", "rate", "taxon"], ascending=[False, False, True])["taxon"].head(_CURVES))


def changes(tables: Tables) -> list[Any]:
    """Make the tables of change of every taxon, presence and abundance apart; or what is missing."""
    if not tables.changes:
        return [Missing("Changes of presence and abundance were not tested (microbiome changes, option --changes).")]
    blocks: list[Any] = []
    for by, frame in tables.changes.items():
        known = frame[(frame["n_had"] > 0) | (frame["n_has"] > 0) | (frame["n_both"] > 0)]
        # Everybody is in the first table already.
        known = known[(known["group"] != "all") | (not blocks)]
        if len(known):
            blocks += [*rests_on(tables, "changes", by), _changes_table(named_taxa(known, tables.lineages), by)]
    return [Title("Presence and abundance apart"), *blocks] if blocks else []


def _changes_table(frame: pd.DataFrame, by: str) -> TableBlock:
    least = frame[["presence_p_value", "log2_change_p_value", "effect_p_value"]].min(axis=1)
    everybody = (frame["group"] != "all").astype(int)
    frame = frame.assign(_g=everybody, _p=least.fillna(2)).sort_values(["_g", "_p", "name"], kind="stable")
    frame = frame.drop(columns=["_g", "_p"])
    several = len(set(frame["group"])) > 1
    headings = [
        Heading("taxon", "Species of the profile and SGB, with its lineage."),
        *([Heading("group", CHANGES["group"].meaning.replace("`", ""))] if several else []),
        Heading("had", CHANGES["n_had"].meaning, True),
        Heading("has", CHANGES["n_has"].meaning, True),
        Heading("lost", CHANGES["n_lost"].meaning, True),
        Heading("gained", CHANGES["n_gained"].meaning, True),
        Heading("p presence", f"{CHANGES['presence_p_value'].meaning} Below: q.", True),
        Heading("both", CHANGES["n_both"].meaning, True),
        Heading("log2 change", CHANGES["log2_change"].meaning, True),
        Heading("p change", f"{CHANGES['log2_change_p_value'].meaning} Below: q.", True),
        *(
            [
                Heading("against reference", CHANGES["effect"].meaning.replace("`", ""), True),
                Heading("p against", f"{CHANGES['effect_p_value'].meaning} Below: q.", True),
            ]
            if several
            else []
        ),
    ]
    rows = []
    for row in frame.to_dict("records"):
        cells = [Cell(row["name"], row["lineage"]), *([Cell(group_title(by, row["group"]))] if several else [])]
        cells += [number_cell(row[name], number(row[name])) for name in ("n_had", "n_has", "n_lost", "n_gained")]
        cells += [_test(row, "presence_"), number_cell(row["n_both"], number(row["n_both"]))]
        cells += [_change(row, "log2_change", "log2_change_"), _test(row, "log2_change_")]
        cells += [_change(row, "effect", "effect_"), _test(row, "effect_")] if several else []
        rows.append(cells)
    key = file_key(by) if by else "all"
    return TableBlock(
        f"changes_{key}",
        f"Change of every taxon by {column_title(by)}" if by else "Change of every taxon",
        "Presence: subjects who lost a taxon against those who gained it (exact McNemar test). Abundance: log2 of "
        "after over before, of the subjects who have it at both times, tested by flipping signs.",
        headings,
        rows,
        frame.drop(columns=["name", "lineage"]),
        counts(*largest_analysis(frame)),
    )


def _test(row: Mapping[str, Any], prefix: str) -> Cell:
    p, q = row[f"{prefix}p_value"], row[f"{prefix}q_value"]
    return number_cell(p, p_text(p), "" if pd.isna(q) else f"\nq {p_text(q)}")


def _change(row: Mapping[str, Any], name: str, prefix: str) -> Cell:
    return number_cell(row[name], signed(row[name]), below(row[f"{prefix}ci_low"], row[f"{prefix}ci_high"]))
