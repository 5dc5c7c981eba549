"""Sections on alpha diversity, beta diversity and similarity."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.diversity.tables import ALPHA, PERMANOVA
from microbiome.report import figures
from microbiome.report.blocks import Figure, FigureGroup, Missing, Note, Section, number, plural, table_of
from microbiome.report.data import Ordination, Tables
from microbiome.report.downloads import file_key
from microbiome.report.roster import Scheme
from microbiome.report.text import ALPHA_TITLES, BETA_TITLES

__all__ = ["alpha", "beta", "similarity"]

_FIRST = 2  # figures of a kind that are open from the start


def _folded(made: list[Figure], first: int, what: str) -> list[Any]:
    """Show the first figures, fold the others."""
    if len(made) <= first:
        return list(made)
    names = ", ".join(figure.title for figure in made[first:])
    return [*made[:first], FigureGroup(f"{plural(len(made) - first, 'further ' + what)}: {names}", made[first:])]


def alpha(tables: Tables, samples: pd.DataFrame, by: Scheme) -> Section:
    """Make the section on alpha diversity over time, a figure per metric."""
    title = "Alpha diversity"
    if tables.alpha is None:
        return Section(
            "alpha",
            title,
            (),
            [Missing("There is no table of alpha diversity (make it with microbiome alpha, option --alpha).")],
        )
    frame = samples.merge(tables.alpha, on="sample", how="inner")
    metrics = [name for name in tables.alpha.columns if name in ALPHA_TITLES and frame[name].notna().any()]
    made = [_alpha_figure(frame, by, metric) for metric in metrics]
    blocks: list[Any] = (
        _folded(made, _FIRST, "measure")
        if made
        else [Missing("The table of alpha diversity has no measure known here.")]
    )
    if "faith_unplaced_taxa" in tables.alpha and (tables.alpha["faith_unplaced_taxa"] > 0).any():
        worst = tables.alpha["faith_unplaced_abundance"].max()
        blocks.append(
            Note(
                "Faith PD leaves out taxa that are no tips of the tree: at most "
                f"{plural(int(tables.alpha['faith_unplaced_taxa'].max()), 'taxon', 'taxa')} and {worst:.1%} of the "
                "abundance of a sample."
            )
        )
    return Section(
        "alpha", title, ["Diversity within each sample over time; the donors beside it for reference."], blocks
    )


def _alpha_figure(frame: pd.DataFrame, by: Scheme, metric: str) -> Figure:
    columns = ["sample", "subject", "role", "day", "kind", "arm", "response"]
    known = frame.loc[frame[metric].notna() & ((frame["role"] == "donor") | frame["day"].notna()), [*columns, metric]]
    known = known.assign(**{metric: known[metric].astype("float64")})
    return Figure(
        f"alpha_{file_key(metric)}",
        ALPHA_TITLES[metric],
        f"{ALPHA[metric].meaning} A line per subject; the dashed line is the first dose. Donors' samples on the "
        "right, without a day.",
        figures.alpha(known, by, metric, ALPHA_TITLES[metric]),
        known,
        known["subject"].nunique(),
        len(known),
    )


def beta(tables: Tables, samples: pd.DataFrame, by: Scheme) -> Section:
    """Make the section of ordinations and tests."""
    blocks: list[Any] = []
    if tables.pcoa:
        blocks += _folded([_pcoa_figure(name, tables.pcoa[name], samples, by) for name in tables.pcoa], 2, "distance")
    else:
        blocks.append(Missing("There is no ordination (make it with microbiome ordinate, option --pcoa)."))
    if tables.permanova:
        blocks.append(_permanova(tables))
    else:
        blocks.append(
            Missing(
                "No factor was tested (microbiome permanova, option --permanova; in the workflow "
                "diversity.permanova.factors)."
            )
        )
    text = "Each point of an ordination is a sample; samples that lie near each other have similar taxa."
    return Section("beta", "Beta diversity", [text], blocks)


def _pcoa_figure(metric: str, ordination: Ordination, samples: pd.DataFrame, by: Scheme) -> Figure:
    frame = samples.merge(ordination.axes[["sample", "axis_1", "axis_2"]], on="sample", how="inner")
    frame["group"] = frame[by.colour].where(frame["role"] != "donor", "donor")
    frame = frame.dropna(subset=["axis_1", "axis_2"])[["sample", "subject", "kind", "day", "group", "axis_1", "axis_2"]]
    name = BETA_TITLES.get(metric, metric.replace("_", " "))
    return Figure(
        f"pcoa_{file_key(metric)}",
        f"{name}",
        "Principal coordinates; one unit is as long on either axis. A thin line joins a subject's samples in the "
        "order of their days.",
        figures.ordination(frame, by, ordination.explained, name),
        frame,
        frame["subject"].nunique(),
        len(frame),
        half=True,
    )


def _permanova(tables: Tables) -> Any:
    frames = []
    for metric, frame in tables.permanova.items():
        frame = frame.copy()
        frame.insert(0, "distance", BETA_TITLES.get(metric, metric.replace("_", " ")))
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    # Short headings: the table must fit the page. The download has all columns under their own names.
    headings = {
        "distance": "distance",
        "factor": "factor",
        "r2": "R2",
        "pseudo_f": "F",
        "p_value": "p",
        "p_floor": "smallest p",
        "permdisp_p_value": "permdisp p",
        "n_samples": "samples",
        "n_missing": "missing",
        "n_groups": "groups",
        "said": "permuted; notes",
    }
    said = whole[[name for name in ("scheme", "note") if name in whole]]
    table = whole.assign(said=["; ".join(str(cell) for cell in row if pd.notna(cell)) for row in said.to_numpy()])
    there = [name for name in headings if name in table and table[name].notna().any()]
    there = [name for name in there if name != "n_missing" or (table[name] > 0).any()]
    shown = table[there].rename(columns=headings)
    meanings = {headings[name]: PERMANOVA[name].meaning for name in there if name not in ("distance", "said")}
    meanings["permuted; notes"] = f"{PERMANOVA['scheme'].meaning} {PERMANOVA['note'].meaning}"
    precise = {name: (lambda v: number(v, 4)) for name in ("p", "smallest p", "permdisp p") if name in shown}
    return table_of(
        "permanova",
        "PERMANOVA and PERMDISP",
        "One factor at a time. Read R2 first, beside the number of groups: it is the share of the variation that "
        "the factor explains, and grows with the groups by chance alone. p cannot fall below the smallest p. Where "
        "permdisp p is small the groups differ in spread, and a small p need not mean that they differ in place. "
        "No correction for the number of tests was made.",
        shown,
        None,
        {"distance": "Distance between samples."} | meanings,
        precise,
        plural(len(whole), "test"),
        whole,
    )


def similarity(tables: Tables, samples: pd.DataFrame, by: Scheme) -> Section:
    """Make the section on similarity to donors and baseline over time."""
    title = "Similarity to donor and baseline"
    if not tables.similarity:
        missing = Missing("There is no table of similarity (make it with microbiome similarity, option --similarity).")
        return Section("similarity", title, (), [missing])
    made = []
    for metric, frame in tables.similarity.items():
        figure = _similarity_figure(metric, frame, samples, by)
        made += [figure] if figure is not None else []
    text = (
        "How near each sample lies to the products its subject had received, to the subject's baseline, and to "
        "donors it did not receive from. Becoming more similar to every donor alike is no sign of transfer."
    )
    blocks = _folded(made, _FIRST, "distance") if made else [Missing("The tables of similarity hold no value to draw.")]
    return Section("similarity", title, [text], blocks)


# Column (similarity, or distance where the metric has no upper bound) and the title of its panel.
_REFERENCES = (
    ("similarity_donor", "donor_distance", "to its donors"),
    ("similarity_baseline", "baseline_distance", "to its baseline"),
    ("similarity_other_donors", "other_donor_distance", "to donors not received"),
)


def _similarity_figure(metric: str, frame: pd.DataFrame, samples: pd.DataFrame, by: Scheme) -> Figure | None:
    bounded = any(name in frame and frame[name].notna().any() for name, _, _ in _REFERENCES)
    titles = {(near if bounded else far): title for near, far, title in _REFERENCES}
    shown = [name for name in titles if name in frame]
    known = samples[["sample", "subject", "day", "arm", "response"]].merge(frame[["sample", *shown]], on="sample")
    long = known.melt(["sample", "subject", "day", "arm", "response"], shown, "reference", "value").dropna(
        subset=["value", "day"]
    )
    if long.empty:
        return None
    name = BETA_TITLES.get(metric, metric.replace("_", " "))
    what = "similarity" if bounded else "distance"
    meaning = (
        "1 - distance: 1 is the same, 0 has nothing in common."
        if bounded
        else "This distance has no upper bound: smaller is more similar."
    )
    return Figure(
        f"similarity_{file_key(metric)}",
        f"{name} {what}",
        f"{meaning} A line per subject; the dashed line is the first dose. Donors are those received at any time, so "
        "that points before it show how near the subject was to its donors to come.",
        figures.similarity(long, by, f"{name} {what}", titles),
        long,
        long["subject"].nunique(),
        long["sample"].nunique(),
    )
