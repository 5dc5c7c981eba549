"""Section on whose strain it is: fates, donor fractions, rates, persistence, comparison, cuts and identities."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import Fact, Figure, FigureGroup, Missing, Note, Section, Title, listed, plural
from microbiome.report.data import Tables
from microbiome.report.groups import column_title
from microbiome.report.roster import Scheme
from microbiome.report.sections.comparison import compared
from microbiome.report.sections.strain_identity import cuts, identity
from microbiome.report.sections.strain_rates import over_time, rates
from microbiome.report.strain_frames import chunks, fraction_rows, source_parts, strain_counts, tile_rows, widest_taxa
from microbiome.report.text import CAVEATS
from microbiome.report.theme import natural_key

__all__ = ["strains"]

_TILE_TAXA, _TILE_FIGURES = 40, 12
_PANELS, _FURTHER_PANELS = 12, 24
# Green is what is the donor's elsewhere; several donors have colours that no other source has.
_SOURCE_COLOURS = ("#009E73", "#E69F00", "#CC79A7", "#D55E00", "#F0E442", "#000000")
_NO_DONOR = {"common": "#56B4E9", "baseline": "#0072B2", "other": "#8A9099"}
_ROOM, _LEAST, _TILE, _GAP = 605, 24, 15, 10


def strains(tables: Tables, subjects: pd.DataFrame, by: Scheme) -> list[Section]:
    """Make the section; none where there is no table on strains.

    Parameters
    ----------
    tables
        What was read.
    subjects
        As :func:`microbiome.report.roster.people` returns it.
    by
        What the colour of a subject means.
    """
    if not tables.strains and not tables.strain_compare:
        return []
    blocks: list[Any] = [*_doubt(tables)]
    resolved = tables.strains.get("resolved")
    if resolved is None or resolved.empty:
        text = "Strains were not resolved (microbiome strains resolve, option --strain-resolved)."
        blocks.append(Missing(text))
    else:
        blocks += _fates(tables, resolved, subjects, by)
    blocks += _sources(tables, subjects)
    blocks += rates(tables, subjects, by)
    blocks += over_time(tables)
    for column, frame in tables.strain_compare.items():
        if len(frame):
            blocks.append(Title(f"Strains by {column_title(column)}" if column else "Strains of groups"))
            # Keys of their own: the same comparison of species stands in another section.
            blocks += [_renamed(block) for block in compared(tables, column, frame)]
    blocks += cuts(tables)
    blocks += identity(tables)
    return [Section("strains", "Whose strain it is", [CAVEATS["strains"]], blocks, _facts(tables))]


def _renamed(block: Any) -> Any:
    if isinstance(block, FigureGroup):
        return dataclasses.replace(block, figures=[_renamed(figure) for figure in block.figures])
    return dataclasses.replace(block, key=f"strain_{block.key}") if hasattr(block, "key") else block


def _doubt(tables: Tables) -> list[Any]:
    audit = tables.strains.get("audit")
    wrong = [] if audit is None else audit.loc[~audit["verdict"].isin(["ok", "untestable"]), "sample"].tolist()
    if not wrong:
        return []
    words = "Strains speak against the label of" if len(wrong) == 1 else "Strains speak against the labels of"
    return [Note(f"{words} {listed(wrong)} (see below, Whose sample it is): look into it before reading on.", "warn")]


def _facts(tables: Tables) -> list[Fact]:
    found = []
    resolved = tables.strains.get("resolved")
    if resolved is not None and len(resolved):
        known = resolved["strain_outcome"] != "unresolved"
        words = (
            f"of {len(resolved):,}: each taxon of each post sample that donor or baseline have too; "
            f"{int((~known).sum()):,} are not"
        )
        found.append(Fact(f"{known.mean():.0%}", "strains resolved", words))
        new = resolved[(resolved["outcome"] == "engrafted") & known]
        if len(new):
            mine = new["strain_outcome"].isin(["donor", "coexist"])
            words = f"{int(mine.sum()):,} of {len(new):,} resolved, over all post samples"
            found.append(Fact(f"{mine.mean():.0%}", "engrafted taxa with the donor's strain", words))
    audit = tables.strains.get("audit")
    if audit is not None and len(audit):
        wrong = int((~audit["verdict"].isin(["ok", "untestable"])).sum())
        shown = int((audit["verdict"] == "ok").sum())
        words = f"of {len(audit):,} samples; the label of {shown:,} is confirmed"
        found.append(
            Fact(str(wrong), "sample with a doubtful label" if wrong == 1 else "samples with doubtful labels", words)
        )
    return found


def _fates(tables: Tables, resolved: pd.DataFrame, subjects: pd.DataFrame, by: Scheme) -> list[Any]:
    rows = tile_rows(resolved, subjects, tables.lineages)
    order = list(dict.fromkeys(rows["subject"]))
    bars = strain_counts(rows)
    size = (len(order), rows["sample"].nunique())
    blocks: list[Any] = [
        Figure(
            "strain_counts",
            "Whose strains each post sample holds",
            "Taxa of the post sample that the donor set or the baseline have too: with strains of the donor only, of "
            "the recipient's own baseline only, of both, or of neither. Grey: nothing could be told; that is no "
            "evidence of anything.",
            figures.strain_bars(bars, order),
            bars,
            *size,
        )
    ]
    taxa = widest_taxa(rows, _TILE_TAXA)
    shown = rows[rows["name"].isin(taxa)]
    present = [name for name in order if name in set(shown["subject"])]
    number = [int(shown.loc[shown["subject"] == name, "sample"].nunique()) for name in present]
    runs = chunks(present, number, _ROOM, _LEAST, _TILE, _GAP)
    tiles = [_tile_figure(shown, taxa, run, i, len(taxa) < rows["name"].nunique()) for i, run in enumerate(runs)]
    blocks += tiles[:1]
    rest = tiles[1:_TILE_FIGURES]
    if rest:
        left = len(tiles) - _TILE_FIGURES
        words = f"; {left} more are in the table" if left > 0 else ""
        blocks.append(FigureGroup(f"The same of further subjects ({plural(len(rest), 'figure')}{words})", rest))
    return blocks + _fractions(rows, by)


def _tile_figure(rows: pd.DataFrame, taxa: list[str], subjects: list[str], place: int, cut: bool) -> Figure:
    part = rows[rows["subject"].isin(subjects)]
    columns = ["subject", "sample", "day", "time", "order", "taxon", "name", "outcome", "strain_outcome"]
    columns += ["donor_fraction", "ci_low", "ci_high", "informative_sites", "reason"]
    data = part[[name for name in columns if name in part]].reset_index(drop=True)
    which = f" The {len(taxa)} taxa that are resolved in most subjects." if cut else ""
    return Figure(
        f"strain_fates_{place + 1}",
        "Strains of each subject" if place == 0 else f"Strains of further subjects: {subjects[0]} to {subjects[-1]}",
        f"Columns are post samples, by day. A place without tile: the taxon is not in the sample.{which}",
        figures.strain_tiles(data, taxa, subjects),
        data.drop(columns=["time", "order"]),
        len(subjects),
        part["sample"].nunique(),
    )


def _sources(tables: Tables, subjects: pd.DataFrame) -> list[Any]:
    """Make the figure of several donors; of one it would say what the donor fractions say."""
    sources = tables.strains.get("sources")
    donors = [] if sources is None else sorted(set(sources["source"]) - set(_NO_DONOR), key=natural_key)
    if sources is None or len(donors) < 2 or not sources["fraction"].notna().any():
        return []
    parts = source_parts(sources, subjects, list(_NO_DONOR))
    palette = {name: _SOURCE_COLOURS[i % len(_SOURCE_COLOURS)] for i, name in enumerate(donors)} | _NO_DONOR
    shown = {name: colour for name, colour in palette.items() if (parts["source"] == name).any()}
    order = list(dict.fromkeys(parts["subject"]))
    return [
        Figure(
            "strain_sources",
            "Which donor the strains are of",
            "The mean over the taxa of a post sample whose parts are known, each taxon counting once: the part of each "
            "donor, of the recipient's own baseline, of strains that donor and baseline both have (common; such taxa "
            "count here even where all of it is common and donor or recipient is unresolved), and of neither.",
            figures.source_bars(parts, order, shown),
            parts.drop(columns=["time", "order"]),
            len(order),
            parts["sample"].nunique(),
        )
    ]


def _fractions(rows: pd.DataFrame, by: Scheme) -> list[Any]:
    # Short enough for the title of a panel; the SGB tells species of one name apart.
    brief = rows["name"].str.replace(r"^([A-Z])[a-z]+ (?=[a-z]+ \()", r"\1. ", regex=True)
    known, names = fraction_rows(rows.assign(name=brief), _PANELS + _FURTHER_PANELS)
    if known.empty:
        return [Missing("No donor fraction is known: no taxon of a donor was resolved in any post sample.")]
    made = []
    for place, part in enumerate([names[:_PANELS], names[_PANELS:]]):
        frame = known[known["name"].isin(part)]
        if frame.empty:
            continue
        columns = ["taxon", "name", "subject", "sample", "day", "arm", "response", "outcome", "strain_outcome"]
        columns += ["donor_fraction", "ci_low", "ci_high", "informative_sites"]
        made.append(
            Figure(
                f"donor_fraction_{place + 1}",
                "How much of a taxon is the donor's" if place == 0 else "How much of further taxa is the donor's",
                "The part of the taxon in the post sample that is strains of the donor set, with its 95 % interval; "
                "the taxa known in most subjects. Unresolved samples have no point. Where there were distances only "
                "and no reads, 100 % and 0 % are calls without interval, and coexisting strains have no point.",
                figures.donor_fractions(frame, by, part),
                frame[columns],
                frame["subject"].nunique(),
                frame["sample"].nunique(),
            )
        )
    rest = [FigureGroup(f"The same of {plural(len(names) - _PANELS, 'further taxon', 'further taxa')}", made[1:])]
    return [made[0], *(rest if len(made) > 1 else [])]
