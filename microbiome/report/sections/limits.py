"""Section on what each sample can show: limits of detection, and differences in depth."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.depth import study_depth_warnings
from microbiome.repair import relevant_samples
from microbiome.report import figures
from microbiome.report.blocks import Figure, Missing, Note, Section, counts, number, plural, table_of
from microbiome.report.data import Tables
from microbiome.report.roster import Scheme
from microbiome.report.text import parameter
from microbiome.report.theme import NEUTRAL
from microbiome.study import donor_products, post_samples
from microbiome.tables import LIMITS, OUTCOME_NAMES
from microbiome.visits import visits

__all__ = ["limits"]

_SOURCES = {
    "reads_per_clade": "the reads of each clade",
    "reads": "the reads of the sample",
    "lowest_abundance": "its lowest abundance",
}


def limits(tables: Tables, samples: pd.DataFrame, by: Scheme) -> Section:
    """Make the section on limits of detection: a figure by time point and group, and depth warnings."""
    title = "Detection limits"
    if tables.limits is None or tables.limits.empty:
        missing = Missing("There is no table of limits of detection (make it with microbiome limits, option --limits).")
        return Section("limits", title, (), [missing])
    known = samples.merge(tables.limits, on="sample", how="inner")
    drawn = known[known["limit"] > 0]
    blocks: list[Any] = [_warnings(tables)]
    fitted = [line for line in tables.comments.get(("limits", ""), ()) if line.startswith("a piece of evidence")]
    blocks += [Note(f"{line[:1].upper()}{line[1:]}.") for line in fitted]
    blocks += [_certainty(tables)] if tables.rates is not None and "below_limit" in tables.rates else []
    if len(drawn):
        blocks.append(_figure(drawn, by))
    used = [_SOURCES[name] for name in known["source"].dropna().unique()]
    shown = known[["sample", "subject", "kind", "day", *(name for name in LIMITS.names[1:] if name in known)]]
    shown = shown.drop(columns=[name for name in shown if shown[name].isna().all()])
    blocks.append(
        table_of(
            "limits",
            "Limit of detection of each sample",
            f"Taken from {' or '.join(used)}." if used else "",
            shown,
            LIMITS,
            {"kind": "donor, before, baseline (the last before the first dose) or post."},
            {name: (lambda v: f"{v:.2e}") for name in ("unit", "limit")},
            counts(known["subject"].nunique(), len(known)),
        )
    )
    text = (
        "A taxon that a sample lacks may be absent, or too rare for the depth of that sample. The limit of detection "
        "is the abundance that a sample shows with probability 0.95. Where groups or time points differ in it, what "
        "looks lost or engrafted may be depth."
    )
    return Section("limits", title, [text], blocks)


def _depth_sentences(tables: Tables) -> list[str]:
    """Say where depth differs between time points, arms or with response."""
    if tables.limits is None:
        return []
    profiled = set(tables.limits["sample"])
    posts = post_samples(tables.study, profiled)
    posts = posts[posts["profiled"]]
    compared = relevant_samples(tables.study, posts, donor_products(tables.study, profiled))
    found = study_depth_warnings(tables.limits[tables.limits["sample"].isin(compared)], tables.study, posts)
    return [f"{text[:1].upper()}{text[1:]}." for text in found]


def _warnings(tables: Tables) -> Note:
    found = _depth_sentences(tables)
    rarefied = parameter(tables.provenance, "rarefy_reads")
    done = f" The reads of every sample were subsampled to {number(rarefied)} before profiling." if rarefied else ""
    if not found:
        return Note("Time points, arms and responders do not differ in depth by more than a factor of 1.5." + done)
    return Note(f"Depth differs between what is compared.{done}", "warn", found)


def _certainty(tables: Tables) -> Note:
    rates = tables.rates
    assert rates is not None  # noqa: S101 - asked for by the caller
    unsure = int(rates["below_limit"].sum())
    calls = int(rates[list(OUTCOME_NAMES)].sum().sum())
    share = f" ({unsure / calls:.1%})" if calls else ""
    return Note(
        f"{number(unsure)} of {plural(calls, 'outcome')}{share} may be otherwise: a taxon counted as absent would have "
        "been missed with a probability above 5 % at the depth of that sample. The bounds of the rates above say what "
        "follows if all of them fell either way."
    )


def _visit_titles(posts: pd.DataFrame) -> pd.Series:
    """Return the visit of each post sample in words (``day 7``, ``days 20 to 33``), as comparisons group them."""
    if posts.empty:
        return pd.Series(dtype=object)
    visit = visits(posts)
    days = posts["day"].groupby(visit).agg(["min", "max"])
    words = {
        number: f"day {low}" if low == high else f"days {low} to {high}"
        for number, low, high in days.itertuples(name=None)
    }
    return visit.map(words)


def _figure(known: pd.DataFrame, by: Scheme) -> Figure:
    post = known[known["kind"] == "post"]
    time = known["kind"].replace({"donor": "donors", "post": "after"})
    time = time.where(known["kind"] != "post", _visit_titles(post).reindex(known.index))
    day = known["day"].astype("Float64").where(known["kind"] == "post")
    rank = known["kind"].map({"donor": 0, "before": 1, "baseline": 2, "post": 3, "no day": 4})
    frame = known.assign(
        time=time,
        group=known[by.colour].where(known["role"] != "donor", "donor").fillna("unknown"),
    )
    frame = frame.assign(rank=rank, at=day).sort_values(["rank", "at", "sample"], kind="stable")
    columns = ["sample", "subject", "day", "time", "group", "limit", "taxa", "source"]
    frame = frame[[name for name in columns if name in frame]].reset_index(drop=True)
    palette = {**by.colours, "donor": "#1F2529", "unknown": NEUTRAL}
    present = {name: palette.get(name, NEUTRAL) for name in [*palette, *frame["group"]] if name in set(frame["group"])}
    return Figure(
        "limits",
        "Limit of detection of each sample",
        "A point per sample, higher is shallower; the bar is the median of a group at a time point.",
        figures.limits(frame, present),
        frame,
        frame["subject"].nunique(),
        len(frame),
    )
