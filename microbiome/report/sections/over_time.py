"""Rates over time, by group: a part of the sections that compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import Figure, FigureGroup, Note
from microbiome.report.counting import largest_analysis
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.groups import column_title, group_colours, group_title, subject_groups

__all__ = ["over_time"]

_DRAWN_FIRST = ("engraftment_rate", "depletion_rate", "donor_recovery")


def over_time(tables: Tables, subjects: pd.DataFrame, by: str, frame: pd.DataFrame) -> list[Any]:
    """Draw means of groups over the lines of subjects, and say who has left; `by` is empty without groups."""
    means = frame[frame["mean"].notna() & frame["day_median"].notna()]
    if means.empty:
        return []
    rates = list(dict.fromkeys(means["rate"]))
    lines = _lines(tables, by, rates)
    titles = {name: group_title(by, name) for name in dict.fromkeys(means["group"])}
    means = means.assign(group=means["group"].map(titles))
    if len(set(means["visit"])) < 2:
        return [Note("All post samples are of one visit: there is no course over time to show.")]
    compared = tables.compare.get(by)
    order = [] if compared is None else [*compared["group_1"].dropna(), *compared["group_2"].dropna()]
    names = [name for name in dict.fromkeys([*map(str, order), *titles]) if name in titles]
    palette = group_colours(by, names, subjects) if by else {"all": "#1F2529"}
    first = [name for name in _DRAWN_FIRST if name in rates]
    rest = [name for name in rates if name not in first]
    made = []
    for names, suffix in ((first or rest, ""), (rest if first else [], "_further")):
        if names:
            made.append(_trajectory_figure(means, lines, palette, names, by, suffix))
    blocks: list[Any] = made[:1]
    if made[1:]:
        blocks.append(
            FigureGroup(f"Further rates over time: {', '.join(name.replace('_', ' ') for name in rest)}", made[1:])
        )
    left = frame[(frame["n_left"] > 0).fillna(False)] if "n_left" in frame else frame.iloc[:0]
    if len(left):
        last = left[left["visit"] == left["visit"].max()]
        gone = last.groupby("group")["n_left"].max()
        words = ", ".join(f"{n} of {group_title(by, name)}" for name, n in gone.items())
        blocks.append(
            Note(
                f"Some have left before the last visit ({words}): its means are of others than those of the first. The "
                "analysis per subject uses only visits that all have.",
                "warn",
            )
        )
    return blocks


def _lines(tables: Tables, by: str, rates: list[str]) -> pd.DataFrame:
    """One row per sample and rate, with the group of its subject."""
    columns = ["rate", "group", "subject", "sample", "day", "value"]
    if tables.rates is None:
        return pd.DataFrame(columns=columns)
    known = [name for name in rates if name in tables.rates]
    long = tables.rates.melt(["subject", "sample", "day"], known, "rate", "value").dropna(subset=["value", "day"])
    groups = subject_groups(tables, by) if by else {}
    group = long["subject"].map({name: group_title(by, label) for name, label in groups.items()}) if by else "all"
    long = long.assign(group=group, value=long["value"].astype("float64")).dropna(subset=["group"])
    return long[columns].reset_index(drop=True)


def _trajectory_figure(
    means: pd.DataFrame, lines: pd.DataFrame, palette: Mapping[str, str], rates: list[str], by: str, suffix: str
) -> Figure:
    shown = means[means["rate"].isin(rates)]
    thin = lines[lines["rate"].isin(rates)]
    columns = ["rate", "group", "visit", "day_median", "n_subjects", "n_samples", "mean", "ci_low", "ci_high", "n_left"]
    shown = shown[[name for name in columns if name in shown]]
    data = pd.concat([thin.assign(what="sample"), shown.assign(what="mean")], ignore_index=True)
    size = (thin["subject"].nunique(), thin["sample"].nunique()) if len(thin) else largest_analysis(shown)
    return Figure(
        f"trajectories_{file_key(by) if by else 'all'}{suffix}",
        f"Rates over time by {column_title(by)}" if by else "Rates over time",
        "Thick: the mean over subjects at each visit, with its 95 % interval. Thin: each subject.",
        figures.trajectories(shown, thin, palette, {name: name.replace("_", " ") for name in rates}),
        data[["what", *(name for name in data if name != "what")]],
        *size,
    )
