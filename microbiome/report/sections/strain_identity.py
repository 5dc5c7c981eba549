"""What is called the same strain, and whether samples are whose their labels say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    Heading,
    Note,
    TableBlock,
    Title,
    counts,
    number,
    number_cell,
    p_text,
    plural,
    table_of,
)
from microbiome.report.counting import named_taxa
from microbiome.report.data import Tables
from microbiome.strains.rate_tables import STRAIN_AUDIT, VERDICTS
from microbiome.strains.tables import RELATIONS, STRAIN_THRESHOLDS

__all__ = ["cuts", "identity"]

_RELATION_TITLES = {
    "same_person": "one person, nothing between",
    "before_after": "one person, before and after FMT",
    "own_donor": "recipient and own donor",
    "shared_donor": "recipients of one donor",
    "other_donor": "recipient and another donor",
    "unrelated": "unrelated people",
}
if set(_RELATION_TITLES) != set(RELATIONS):
    raise RuntimeError("each relation needs its title in microbiome/report/sections/strain_identity.py")
_QUIET = ("ok", "untestable")
_SHOWN = (
    "taxon",
    "method",
    "rule",
    "threshold",
    "threshold_origin",
    "pairs",
    "same_person_pairs",
    "unrelated_pairs",
    "same_person_rate",
    "unrelated_rate",
    "false_sharing_rate",
    "shared_unrelated",
    "note",
)


def cuts(tables: Tables) -> list[Any]:
    """Make the blocks on the cut between same and different strains: the sweep, and the threshold of every taxon."""
    sweep, thresholds = tables.strains.get("sweep"), tables.strains.get("thresholds")
    blocks: list[Any] = []
    if sweep is not None and sweep["shared_rate"].notna().any():
        known = sweep[sweep["shared_rate"].notna()].reset_index(drop=True)
        used = _used(thresholds)
        marked = len(used) and set(used["method"]) & set(known["method"])
        blocks.append(
            Figure(
                "strain_sweep",
                "What each cut calls the same strain",
                "Part of the pairs of samples, over all taxa, with a distance up to the cut; each person, or pair of "
                "people, counts once. Bands are 95 % intervals over people. At a good cut nearly all pairs of one "
                "person are called the same strain, and few unrelated pairs."
                + (" Dashed: the median of the thresholds used; grey: their middle half." if marked else ""),
                figures.sweep(known, _RELATION_TITLES, used),
                known,
                tables.study.samples["subject"].nunique(),
                len(tables.study.samples),
            )
        )
    if thresholds is not None and len(thresholds):
        blocks.append(_thresholds(tables, thresholds))
    return [Title("What is called the same strain"), *blocks] if blocks else []


def _used(thresholds: pd.DataFrame | None) -> pd.DataFrame:
    if thresholds is None or not thresholds["threshold"].notna().any():
        return pd.DataFrame()
    known = thresholds[thresholds["threshold"].notna()]
    parts = known.groupby("method")["threshold"].quantile([0.25, 0.5, 0.75]).unstack()
    return parts.set_axis(["low", "median", "high"], axis=1).reset_index()


def _thresholds(tables: Tables, frame: pd.DataFrame) -> TableBlock:
    named = named_taxa(frame, tables.lineages)
    shown = named.assign(taxon=named["name"])[[name for name in _SHOWN if name in named]]
    shown = shown[[name for name in shown if name in ("taxon", "threshold") or shown[name].notna().any()]]
    none = int(frame["threshold"].isna().sum())
    words = f"{plural(none, 'taxon has', 'taxa have')} no threshold, and all its pairs are unresolved. " if none else ""
    if none > 1:
        words = words.replace("its pairs", "their pairs")
    tail = "Rates count each person, and each pair of people, once."
    return table_of(
        "strain_thresholds",
        "The cut of every taxon",
        f"{words}{tail}",
        shown,
        STRAIN_THRESHOLDS,
        formats={"threshold": lambda v: f"{v:.3g}"},
        size=plural(len(frame), "taxon", "taxa"),
        data=frame,
    )


def identity(tables: Tables) -> list[Any]:
    """Make the blocks on the audit: who is accused and why, a figure, and every sample."""
    frame = tables.strains.get("audit")
    if frame is None or frame.empty:
        return []
    wrong = frame[~frame["verdict"].isin(_QUIET)]
    blocks: list[Any] = [Title("Whose sample it is")]
    if len(wrong):
        lines = [f"{row['sample']}: {row['sentence']}" for row in wrong.to_dict("records")]
        words = (
            "Strains speak against the labels of these samples. Every number of this report takes the labels as given:"
        )
        blocks.append(Note(words, "warn", lines))
    else:
        blocks.append(Note("Strains speak against no label."))
    data = _points(frame)
    if len(data):
        blocks.append(
            Figure(
                "strain_audit",
                "Strains in common with the own person, and with a stranger",
                "Each sample: across, the part of the taxa compared that it has in common with the nearest sample of "
                "its person, or after FMT of its donor; upwards, with the nearest sample of somebody unrelated by "
                "label. Above the dashed line a sample looks like somebody else's, is the partner of one whose label "
                "is wrong, or rests on few taxa (their number stands in the table).",
                figures.identities(data),
                data,
                data["subject"].nunique(),
                len(data),
            )
        )
    blocks.append(_audit_table(frame))
    return blocks


def _points(frame: pd.DataFrame) -> pd.DataFrame:
    rate = {
        name: (frame[f"{name}_shared"].astype("Float64") / frame[f"{name}_taxa"].astype("Float64").replace(0, pd.NA))
        .astype("Float64")
        .astype("float64")
        for name in ("own", "donor", "other")
    }
    own = pd.concat([rate["own"], rate["donor"]], axis=1).max(axis=1)
    data = frame[["sample", "subject", "day", "verdict"]].assign(own_rate=own, other_rate=rate["other"])
    data = data.assign(own_taxa=frame["own_taxa"], other_taxa=frame["other_taxa"], sentence=frame["sentence"])
    return data.dropna(subset=["own_rate", "other_rate"]).reset_index(drop=True)


def _audit_table(frame: pd.DataFrame) -> TableBlock:
    rank = {name: i for i, name in enumerate([*(v for v in VERDICTS if v not in _QUIET), "untestable", "ok"])}
    ordered = frame.assign(_rank=frame["verdict"].map(rank)).sort_values("_rank", kind="stable")
    headings = [
        Heading("sample"),
        Heading("subject", STRAIN_AUDIT["subject"].meaning),
        Heading("day", STRAIN_AUDIT["day"].meaning, True),
        Heading("verdict", STRAIN_AUDIT["verdict"].meaning),
        Heading("partner", STRAIN_AUDIT["partner"].meaning),
        Heading("in words"),
        Heading("own person", "Taxa in common / compared with the nearest sample of the same person.", True),
        Heading("own donor", "The same of the donors received by then.", True),
        Heading("somebody else", "The same of everybody unrelated by label.", True),
        Heading("p", STRAIN_AUDIT["p_value"].meaning, True),
        Heading("q", STRAIN_AUDIT["q_value"].meaning, True),
    ]
    rows = [
        [
            Cell(str(row["sample"])),
            Cell(str(row["subject"])),
            number_cell(row["day"], number(row["day"])),
            Cell(str(row["verdict"]).replace("_", " ")),
            Cell(str(row["partner"]) if isinstance(row["partner"], str) else ""),
            Cell(str(row["sentence"])),
            *(_nearest(row, name) for name in ("own", "donor", "other")),
            number_cell(row["p_value"], p_text(row["p_value"])),
            number_cell(row["q_value"], p_text(row["q_value"])),
        ]
        for row in ordered.to_dict("records")
    ]
    return TableBlock(
        "strain_audit",
        "Every sample",
        "p: that the label is right (shares too much with somebody unrelated, or next to nothing with its own person). "
        "A sample that is only the partner of one with a wrong label has a small p, too, and is ok.",
        headings,
        rows,
        frame,
        counts(frame["subject"].nunique(), len(frame)),
    )


def _nearest(row: Mapping[str, Any], name: str) -> Cell:
    taxa, same = row[f"{name}_taxa"], row[f"{name}_shared"]
    if pd.isna(taxa) or taxa == 0 or pd.isna(same):
        return Cell("–", numeric=True)
    return Cell(f"{same} / {taxa}", f"\n{row[f'{name}_sample']}", f"{same / taxa:.4f}", numeric=True)
