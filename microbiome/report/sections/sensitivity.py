"""Section on what a finding hangs on: threshold, depth, denominator, unit of analysis."""

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
    Section,
    TableBlock,
    counts,
    plural,
)
from microbiome.report.choices import (
    ALPHA,
    GAIN,
    LOSS,
    depth_title,
    hangs_on,
    more_by,
    sign_changes,
    sign_counts,
    threshold_titles,
)
from microbiome.report.counting import largest_analysis
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.figures.comparison import METHOD_TITLES
from microbiome.report.groups import column_title, group_colours, group_noun, group_title
from microbiome.report.theme import ARM_COLOURS, colours

__all__ = ["sensitivity"]

_MOST_PAIRS = 6  # pairs of groups with figures; further ones are in the file
_NONE, _EQUAL = "not testable", "no difference"


def sensitivity(tables: Tables, subjects: pd.DataFrame) -> Section:
    """Make the section: what share of analyses has which sign, where, and the effects behind it."""
    title = "Does it hang on the choices?"
    if not tables.sensitivity:
        text = (
            "Comparisons were not repeated over thresholds, depths and units of analysis (microbiome sensitivity, "
            "option --sensitivity)."
        )
        return Section("sensitivity", title, (), [Missing(text)])
    blocks: list[Any] = []
    for by, frame in tables.sensitivity.items():
        blocks += _by_column(by, frame, subjects) if by else _alone(frame)
    what = "comparison" if any(tables.sensitivity) else "rates"
    text = (
        f"The same {what} under other choices: the abundance from which a taxon counts as detected, the depth "
        "(samples thinned to a fraction of that of the shallowest), the rate with its denominator, and what counts "
        "as one observation. A finding that changes its sign with a choice rests on that choice. The analyses are not "
        "independent of each other: their number is no test."
    )
    return Section("sensitivity", title, [text], blocks)


def _by_column(by: str, frame: pd.DataFrame, subjects: pd.DataFrame) -> list[Any]:
    known = hangs_on(frame)
    if known.empty:
        return [Missing(f"The table of sensitivity by {column_title(by)} has no pair of groups.")]
    blocks: list[Any] = []
    further: list[Figure] = []
    own = group_colours(by, dict.fromkeys([*known["group_1"], *known["group_2"]]), subjects)
    pairs = list(dict.fromkeys(known["groups"]))
    for groups in pairs[:_MOST_PAIRS]:
        part = known[known["groups"] == groups]
        first, second = (group_title(by, part[name].iloc[0]) for name in ("group_1", "group_2"))
        nouns = [group_noun(by, part[name].iloc[0]) for name in ("group_1", "group_2")]
        key = f"{file_key(by)}_{file_key(str(groups).replace(' - ', '_'))}"
        drawn, rest = _drawn(part)
        blocks += _sentences(part, *nouns)
        if drawn.empty:
            continue
        drawn = drawn.assign(sign=_signs(drawn, first, second))
        signs = _sign_figure(drawn, _palette(own, first, second), key, (first, second), rest)
        effects = _effect_figure(drawn[drawn["depth_fraction"].isna()], own, key, (first, second), nouns[1])
        if groups == pairs[0]:
            blocks += [signs, _sign_table(part, key, first, second), *effects]
        else:
            further += [signs, *effects]
    if further:
        words = plural(
            len(further), "further figure of other pairs of groups", "further figures of other pairs of groups"
        )
        blocks.append(FigureGroup(words, further))
    if len(pairs) > _MOST_PAIRS:
        words = plural(len(pairs) - _MOST_PAIRS, "further pair", "further pairs")
        blocks.append(Note(f"{words} of groups of {column_title(by)} are in the file."))
    return blocks


def _drawn(part: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out baseline recovery where it only mirrors depletion_rate, and rates that are nowhere testable."""
    mirrored = (part["rate"] == "baseline_recovery") & bool((part["rate"] == "depletion_rate").any())
    part = part[~mirrored]
    tested = part.groupby("rate", sort=False)["tested"].transform("any")
    return part[tested], list(dict.fromkeys(part.loc[~tested, "title"]))


def _sentences(part: pd.DataFrame, first: str, second: str) -> list[Note]:
    notes = []
    for rates, verb in ((LOSS, "lose"), (GAIN, "take up")):
        rows = part[part["rate"].isin(rates)]
        n = sign_counts(rows)
        tested = n["all"] - n["untested"]
        if rows.empty:
            continue
        if not tested:
            names = ", ".join(dict.fromkeys(rows["title"]))
            notes.append(
                Note(f"Whether {second} {verb} more than {first} could not be tested in any analysis ({names}).")
            )
            continue
        text = (
            f"{_upper(second)} {verb} more than {first} in {n['higher']} of {tested} analyses "
            f"({_clear(n['clear_higher'])}), less in {n['lower']} ({_clear(n['clear_lower'])})"
        )
        text += f", equally in {n['equal']}" if n["equal"] else ""
        text += f"; {n['untested']} further ones could not be tested." if n["untested"] else "."
        items = [more_by(rows, "rate"), more_by(rows, "method", METHOD_TITLES), sign_changes(rows)]
        notes.append(Note(text, items=[item for item in items if item]))
    return notes


def _clear(number: int) -> str:
    return f"{number or 'none'} with p < {ALPHA}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _signs(part: pd.DataFrame, first: str, second: str) -> pd.Series:
    higher = part["second_higher"].map({True: second, False: first})
    words = higher + " higher" + part["clear"].map({True: ", p < 0.05", False: ""})
    return words.where(part["second_higher"].notna(), part["tested"].map({True: _EQUAL, False: _NONE}))


def _palette(own: Mapping[str, str], first: str, second: str) -> dict[str, str]:
    pale = {name: _mixed(own[name]) for name in (first, second)}
    return {
        f"{second} higher, p < 0.05": own[second],
        f"{first} higher, p < 0.05": own[first],
        f"{second} higher": pale[second],
        f"{first} higher": pale[first],
        _EQUAL: "#E6E8EA",
        _NONE: "#F6F7F8",
    }


def _mixed(colour: str, white: float = 0.58) -> str:
    """Mix a colour with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * white):02X}" for part in parts)


_COLUMNS = (
    "rate",
    "title",
    "method",
    "threshold",
    "depth",
    "detection",
    "depth_fraction",
    "taxa_per_sample",
    "groups",
    "sign",
    "scale",
    "effect",
    "ci_low",
    "ci_high",
    "p_value",
    "p_floor",
    "n_subjects",
    "n_samples",
    "n_donors",
)


def _chosen(part: pd.DataFrame) -> pd.DataFrame:
    return part[[name for name in _COLUMNS if name in part]].reset_index(drop=True)


def _shown(palette: Mapping[str, str], part: pd.DataFrame, column: str = "sign") -> dict[str, str]:
    seen = set(part[column])
    return {name: colour for name, colour in palette.items() if name in seen}


def _sign_figure(
    part: pd.DataFrame, palette: Mapping[str, str], key: str, pair: tuple[str, str], rest: list[str]
) -> Figure:
    first, second = pair
    data = _chosen(part)
    starred = (
        " * is the common threshold: 5 times the unit of the shallowest sample."
        if data["threshold"].str.endswith("*").any()
        else ""
    )
    return Figure(
        f"signs_{key}",
        f"Which group is higher: {second} or {first}",
        "A tile per analysis: detection threshold from left to right, depth from top to bottom, rates in rows, units "
        f"of analysis in columns. {_more(data)}Strong colour: p < 0.05.{starred} One colour throughout means that the "
        "sign does not hang on these choices. Thinned, 0.5 ×: every sample brought to half the depth of the "
        "shallowest. Baseline recovery, which is 1 - depletion rate, is not drawn."
        + (f" Nowhere testable, and not drawn: {', '.join(rest)}." if rest else ""),
        figures.signs(data, _shown(palette, data), METHOD_TITLES),
        data.drop(columns="title"),
        *largest_analysis(part),
    )


def _more(data: pd.DataFrame) -> str:
    """Say which rows are of loss: higher means that more is lost there."""
    lost = [title for rate, title in zip(data["rate"], data["title"], strict=True) if rate in LOSS]
    return f"In {', '.join(dict.fromkeys(lost))} higher means that more is lost. " if lost else ""


def _effect_figure(
    part: pd.DataFrame, palette: Mapping[str, str], key: str, pair: tuple[str, str], noun: str
) -> list[Figure]:
    first, second = pair
    part = part[part["tested"]]
    if part.empty:
        return []
    data = _chosen(part)
    higher = part["second_higher"].map({True: second, False: first}).reset_index(drop=True)
    drawn = data.assign(higher=higher.fillna(_EQUAL), clear=part["clear"].to_numpy())
    shown = {second: palette[second], first: palette[first], _EQUAL: "#9AA1A8"}
    figure = Figure(
        f"sensitivity_{key}",
        f"Effects over thresholds, as sequenced: {second} − {first}",
        "Points are effects (filled: p < 0.05), lines their 95 % intervals; above the dashed line the value is "
        f"higher in {noun}. Rates are fractions, lost taxa and engrafted are numbers of taxa, and the mixed "
        "model gives differences of logits: compare signs and intervals, not heights, between columns.",
        figures.over_thresholds(drawn, _shown(shown, drawn, "higher"), METHOD_TITLES),
        data.drop(columns="title"),
        *largest_analysis(part),
    )
    return [figure]


def _sign_table(part: pd.DataFrame, key: str, first: str, second: str) -> TableBlock:
    headings = [
        Heading("rate"),
        Heading("unit of analysis"),
        Heading("analyses", "Thresholds x depths.", True),
        Heading(f"{second} higher", f"Of these with p < {ALPHA}.", True),
        Heading(f"{first} higher", f"Of these with p < {ALPHA}.", True),
        Heading("equal", "No difference at all.", True),
        Heading("not testable", "The table says why.", True),
    ]
    rows, data = [], []
    for (rate, method), group in part.groupby(["rate", "method"], sort=False):
        n = sign_counts(group)
        data.append({"rate": rate, "method": method, **n})
        rows.append(
            [
                Cell(str(rate).replace("_", " ")),
                Cell(METHOD_TITLES.get(str(method), str(method))),
                *(
                    Cell(str(n[name]), f"({n[clear]})" if clear else "", str(n[name]), numeric=True)
                    for name, clear in (
                        ("all", ""),
                        ("higher", "clear_higher"),
                        ("lower", "clear_lower"),
                        ("equal", ""),
                        ("untested", ""),
                    )
                ),
            ]
        )
    return TableBlock(
        f"sign_counts_{key}",
        "In how many analyses which group is higher",
        "In brackets those with p < 0.05.",
        headings,
        rows,
        pd.DataFrame(data),
        counts(*largest_analysis(part)),
    )


def _alone(frame: pd.DataFrame) -> list[Any]:
    """Without groups: the mean of every rate over thresholds and depths."""
    known = frame.assign(
        title=frame["rate"].str.replace("_", " "),
        threshold=threshold_titles(frame),
        depth=frame["depth_fraction"].map(depth_title),
    )
    known = known[known["mean_1"].notna()].reset_index(drop=True)
    if known.empty:
        return [Missing("The table of sensitivity holds no value to draw.")]
    columns = ["rate", "title", "threshold", "depth", "detection", "mean_1", "mean_1_ci_low", "mean_1_ci_high"]
    data = known[[*columns, "n_subjects", "n_samples"]]
    return [
        Figure(
            "sensitivity_all",
            "Rates over thresholds and depths",
            "Means over subjects with 95 % intervals. * is the common threshold: 5 times the unit of the shallowest "
            "sample.",
            figures.thresholds(data, colours(dict.fromkeys(data["depth"]), ARM_COLOURS)),
            data.drop(columns="title"),
            *largest_analysis(known),
        )
    ]
