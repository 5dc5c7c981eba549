"""Sections that compare rates between groups: effects of three analyses, donors of the groups, rates over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from microbiome.compare.tables import COMPARE
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
    below,
    counts,
    number,
    number_cell,
    p_text,
    plural,
    signed,
    span,
    table_of,
)
from microbiome.report.counting import largest_analysis
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.figures.comparison import METHOD_TITLES
from microbiome.report.groups import (
    column_title,
    donors_by_group,
    effect_title,
    group_noun,
    group_title,
    subject_groups,
)
from microbiome.report.notes import statements, told
from microbiome.report.sections.over_time import over_time
from microbiome.report.text import CAVEATS
from microbiome.strains.rate_tables import STRAIN_RATE_NAMES
from microbiome.tables import RATE_NAMES

__all__ = ["compared", "comparisons"]

_HEADLINES = ("depletion_rate", "engraftment_rate", "strain_engraftment_rate_donor", "strain_persistence_rate")
# Words of the notes that bear on the reading of every number.
_WEIGHTY = ("deeper than", "roup and donor", "without doses (")
_MOST_PAIRS = 3  # pairs of groups that are drawn and put into words; further ones are folded
_MOST_FIGURES = 15


def comparisons(tables: Tables, subjects: pd.DataFrame) -> list[Section]:
    """Make a section per column that makes groups; one that says what is missing where there is none."""
    columns = [name for name in dict.fromkeys([*tables.compare, *tables.trajectories]) if name]
    sections = [_section(tables, subjects, by) for by in columns]
    if "" in tables.trajectories:
        blocks = over_time(tables, subjects, "", tables.trajectories[""])
        sections.append(Section("over_time", "Rates over time", (), blocks))
    if not columns:
        text = "No groups were compared (microbiome compare --by COLUMN, option --compare)."
        sections.insert(0, Section("compare", "Comparison", (), [Missing(text)]))
    return sections


def _section(tables: Tables, subjects: pd.DataFrame, by: str) -> Section:
    blocks: list[Any] = []
    frame = tables.compare.get(by)
    if frame is None or frame.empty:
        words = f"Rates were not compared by {column_title(by)} (microbiome compare --by {by}, option --compare)."
        blocks.append(Missing(words))
    else:
        blocks += compared(tables, by, frame)
    trajectories = tables.trajectories.get(by)
    if trajectories is None or trajectories.empty:
        words = f"Rates over time by {column_title(by)} were not summed up (microbiome trajectories --by {by}, option "
        blocks.append(Missing(f"{words}--trajectories)."))
    else:
        blocks += over_time(tables, subjects, by, trajectories)
    text = (
        "The first analysis is the one to go by: each subject counts once, with its mean over the time points that "
        "all have, and labels are permuted between subjects. The mixed model uses all samples and adjusts for baseline "
        "richness, depth and day. The third, samples pooled as if they were of different people, is what published "
        f"figures show; it is here to be compared with. {CAVEATS['pooled']}"
    )
    key = f"compare_{file_key(by)}"
    return Section(key, f"Comparison by {column_title(by)}", [text], blocks)


def compared(tables: Tables, by: str, frame: pd.DataFrame) -> list[Any]:
    """Return the blocks of one table of comparisons: effects in words, as a figure and as tables, and what to mind."""
    pairs = {
        str(groups): effect_title(by, first, second)
        for groups, first, second in frame.dropna(subset=["group_1", "group_2"])[["groups", "group_1", "group_2"]]
        .drop_duplicates()
        .itertuples(index=False)
    }
    blocks: list[Any] = []
    headlines = _headlines(frame, by, list(pairs)[:_MOST_PAIRS])
    if headlines:
        blocks.append(Note("Per subject, the analysis to go by:", items=headlines))
    warnings, said = _said(frame, by)
    blocks += warnings
    drawn = frame[frame["groups"].isin(pairs) & frame["effect"].notna()]
    figures_made = [
        _forest(drawn[drawn["groups"] == groups], by, groups, direction)
        for groups, direction in pairs.items()
        if (drawn["groups"] == groups).any()
    ]
    blocks += figures_made[:_MOST_PAIRS]
    rest = figures_made[_MOST_PAIRS:_MOST_FIGURES]
    if rest:
        left = len(figures_made) - _MOST_FIGURES
        words = f"; {left} more are in the table" if left > 0 else ""
        blocks.append(
            FigureGroup(f"{plural(len(rest), 'further pair of groups', 'further pairs of groups')}{words}", rest)
        )
    if not figures_made:
        blocks.append(Missing("No effect could be computed; the table says why."))
    blocks += [_table(frame, by, len(pairs)), *_further(frame, by, len(pairs)), *said]
    order = [str(name) for name in dict.fromkeys([*frame["group_1"].dropna(), *frame["group_2"].dropna()])]
    donors = donors_by_group(tables, by, order) if by != "donor" else pd.DataFrame()
    if len(donors):
        given = tables.study.doses.loc[tables.study.doses["subject"].isin(subject_groups(tables, by)), "subject"]
        blocks.append(
            table_of(
                f"donors_{file_key(by)}",
                f"Donors and {column_title(by)}",
                "Subjects of each group who received from each donor. Where a donor has recipients in one group only, "
                "group and donor cannot be told apart.",
                donors,
                meanings={"donor": "Donor whose products were received."},
                size=plural(given.nunique(), "subject"),
            )
        )
    return blocks


def _title(rate: str) -> str:
    return rate.replace("_", " ")


def _headlines(frame: pd.DataFrame, by: str, pairs: list[str]) -> list[str]:
    primary = frame[(frame["method"] == "subject_permutation") & frame["groups"].isin(pairs)]
    lines = []
    for rate in _HEADLINES:
        for row in primary[primary["rate"] == rate].to_dict("records"):
            if pd.isna(row["effect"]):
                continue
            interval = "" if pd.isna(row["ci_low"]) else f" (95 % interval {span(row['ci_low'], row['ci_high'])})"
            lines.append(
                f"{_title(rate).capitalize()}: {signed(row['mean_2'])} in {group_noun(by, row['group_2'])} "
                f"(n = {number(row['n_subjects_2'])}), {signed(row['mean_1'])} in {group_noun(by, row['group_1'])} "
                f"(n = {number(row['n_subjects_1'])}); difference {signed(row['effect'])}{interval}{_p_words(row)}."
            )
    return lines


def _p_words(row: Mapping[str, Any]) -> str:
    if pd.isna(row["p_value"]):
        reasons = [text for text in statements(row["note"]) if text.startswith("not testable")]
        return f"; {reasons[0]}" if reasons else ""
    text = f", p = {p_text(row['p_value'])}"
    if pd.isna(row["p_floor"]):
        return text
    return text + f" (no data of this design could give less than {p_text(row['p_floor'])})"


def _forest(frame: pd.DataFrame, by: str, groups: str, direction: str) -> Figure:
    keys = ["rate", "groups", "method", "scale", "effect", "ci_low", "ci_high", "p_value", "p_floor"]
    sizes = ["n_subjects", "n_samples", "n_donors"]
    data = frame[[name for name in [*keys, *sizes] if name in frame]].reset_index(drop=True)
    drawn = data.assign(title=data["rate"].map(_title))
    others = tuple(name for name in dict.fromkeys(data["rate"]) if name not in (*RATE_NAMES, *STRAIN_RATE_NAMES))
    pooled = frame[frame["method"] == "pooled_wilcoxon"]
    single = len(pooled) > 0 and bool((pooled["n_samples"] == pooled["n_subjects"]).all())
    return Figure(
        f"effects_{file_key(by)}_{file_key(groups.replace(' - ', '_'))}",
        f"Effects: {direction}",
        f"Right of the dashed line the value is higher in {group_noun(by, frame['group_2'].iloc[0])}. Points are "
        "effects, lines their 95 % intervals. Black: means of subjects. Grey: samples pooled, whose intervals and "
        "p-values claim more than there is. Blue: the mixed model, whose effect is a difference of logits and stands "
        "on an axis of its own."
        + (" Every subject has one sample here, so that pooling does no harm." if single else ""),
        figures.effects(drawn, {groups: direction}, others),
        data,
        *largest_analysis(frame),
    )


def _table(frame: pd.DataFrame, by: str, pairs: int) -> TableBlock:
    single = frame.dropna(subset=["group_1", "group_2"])[["group_1", "group_2"]].drop_duplicates()
    names = (
        [group_title(by, name) for name in single.iloc[0]]
        if pairs == 1 and len(single)
        else ["first group", "second group"]
    )
    headings = [
        Heading("rate and analysis", COMPARE["method"].meaning.replace("`", "")),
        *([] if pairs == 1 else [Heading("groups", COMPARE["groups"].meaning.replace("`", ""))]),
        Heading(names[0], COMPARE["mean_1"].meaning, True),
        Heading(names[1], COMPARE["mean_2"].meaning, True),
        Heading("effect", f"{COMPARE['effect'].meaning} {COMPARE['scale'].meaning} Below: its 95 % interval.", True),
        Heading("p", COMPARE["p_value"].meaning, True),
        Heading("smallest p", COMPARE["p_floor"].meaning, True),
        Heading("subjects", COMPARE["n_subjects"].meaning, True),
        Heading("samples", COMPARE["n_samples"].meaning, True),
        Heading("donors", COMPARE["n_donors"].meaning, True),
    ]
    rows = []
    for row in frame.to_dict("records"):
        words = {"log_odds": " log odds", "location": " shift"}.get(str(row["scale"]), "")
        cells = [Cell(_title(row["rate"]), METHOD_TITLES[row["method"]])]
        cells += [] if pairs == 1 else [Cell(_groups(by, row))]
        cells += [
            *(_mean_cell(row, end) for end in ("1", "2")),
            number_cell(row["effect"], f"{signed(row['effect'])}{words}", below(row["ci_low"], row["ci_high"])),
            number_cell(row["p_value"], p_text(row["p_value"])),
            number_cell(row["p_floor"], p_text(row["p_floor"])),
            *(number_cell(row[name], number(row[name])) for name in ("n_subjects", "n_samples", "n_donors")),
        ]
        rows.append(cells)
    return TableBlock(
        f"compare_{file_key(by)}",
        "All comparisons",
        "Means with the number of subjects (samples, where they are pooled), effects with 95 % intervals. p cannot "
        "fall below the smallest p. Intervals (Welch) and p-values (permutation) of the analysis per subject are "
        "computed in different ways, and need not agree where p is near 0.05.",
        headings,
        rows,
        frame,
        counts(*largest_analysis(frame)),
    )


def _groups(by: str, row: Mapping[str, Any]) -> str:
    if pd.isna(row["group_1"]) or pd.isna(row["group_2"]):
        return str(row["groups"])
    return effect_title(by, row["group_1"], row["group_2"])


def _mean_cell(row: Mapping[str, Any], end: str) -> Cell:
    pooled = row["method"] == "pooled_wilcoxon"
    n = row[f"n_samples_{end}" if pooled else f"n_subjects_{end}"]
    return number_cell(row[f"mean_{end}"], signed(row[f"mean_{end}"]), "" if pd.isna(n) else f"\nn = {n}")


def _further(frame: pd.DataFrame, by: str, pairs: int) -> list[Any]:
    primary = frame[(frame["method"] == "subject_permutation") & frame["effect"].notna()]
    if primary.empty:
        return []
    sizes = [name for name in ("effect", "ratio", "hodges_lehmann", "cliffs_delta") if name in primary]
    titles = {"effect": "difference of means", "hodges_lehmann": "median difference", "cliffs_delta": "Cliff's delta"}
    headings = [Heading("rate"), *([] if pairs == 1 else [Heading("groups")])]
    headings += [Heading(titles.get(name, name), COMPARE[name].meaning, True) for name in sizes]
    rows = []
    for row in primary.to_dict("records"):
        cells = [Cell(_title(row["rate"])), *([] if pairs == 1 else [Cell(_groups(by, row))])]
        for name in sizes:
            prefix = "" if name == "effect" else f"{name}_"
            interval = span(row[f"{prefix}ci_low"], row[f"{prefix}ci_high"])
            cells.append(number_cell(row[name], signed(row[name]), f"({interval})" if interval != "–" else ""))
        rows.append(cells)
    return [
        TableBlock(
            f"sizes_{file_key(by)}",
            "Effect sizes per subject",
            "Of the primary analysis, with 95 % intervals: the difference and the ratio of the means, the median of "
            "all differences between two subjects of the two groups (Hodges-Lehmann), and Cliff's delta, which is 1 "
            "where every subject of the second group is above every one of the first.",
            headings,
            rows,
            None,
            counts(*largest_analysis(primary)),
        )
    ]


def _said(frame: pd.DataFrame, by: str) -> tuple[list[Any], list[Any]]:
    """Return what bears on the reading of every number (depth, donors), and what else the table says of them."""
    rates = [_title(rate) for rate in frame["rate"]]
    methods = [METHOD_TITLES[method].split(",")[0].split(" (")[0] for method in frame["method"]]
    primary = frame["method"] == "subject_permutation"
    # Notes name the groups as the table of subjects does.
    names = list(dict.fromkeys([*frame["group_1"].dropna(), *frame["group_2"].dropna()]))
    words = ", ".join(f"{name} is {group_title(by, name)}" for name in names if group_title(by, name) != str(name))
    called = f" ({words})" if words else ""
    notes = told(frame, rates, methods)
    first = [text for text in notes if any(word in text for word in _WEIGHTY)]
    warnings: list[Any] = [Note(f"Before these groups are compared{called}:", "warn", first)] if first else []
    said: list[Any] = []
    days = told(frame[primary], [_title(rate) for rate in frame.loc[primary, "rate"]], column="days")
    if days:
        said.append(Note("Which samples count in the analysis per subject:", items=days))
    left = frame.loc[primary, [name for name in ("n_left_out_1", "n_left_out_2") if name in frame]].max()
    gone = 0 if left.isna().all() else int(left.sum())
    if gone:
        who = plural(gone, "subject is", "subjects are")
        said.append(Note(f"{who} left out of the analysis per subject, for want of a sample at these days.", "warn"))
    rest = [text for text in notes if text not in first]
    if rest:
        said.append(Note(f"What the table says of these numbers{called}:", items=rest))
    return warnings, said
