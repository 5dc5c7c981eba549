"""Taxa counted by the subjects in whom they engrafted or were depleted: where there is no table of taxa."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import Cell, Figure, Heading, Missing, Section, TableBlock, counts
from microbiome.report.counting import label_taxa, taxon_counts
from microbiome.report.data import Tables
from microbiome.report.text import CAVEATS

__all__ = ["counted_taxa"]

_TOP = 20  # taxa in a figure
_LISTED = 300  # taxa in a table of the page; the download has all
_GROUPS = {
    "fmt": "after FMT",
    "no_fmt": "without FMT",
    "responder": "responders",
    "non_responder": "non-responders",
}


def counted_taxa(tables: Tables, subjects: pd.DataFrame) -> Section:
    """Make the section on the taxa that engrafted, and that were depleted, in most subjects."""
    title = "Most engrafted and most depleted taxa"
    if tables.outcomes is None:
        return Section(
            "taxa",
            title,
            (),
            [Missing("There is no table of outcomes (make it with microbiome outcomes, option --outcomes).")],
        )
    blocks: list[Any] = []
    for event, words in (("engrafted", "Most engrafted taxa"), ("depleted", "Most depleted taxa")):
        frame = taxon_counts(tables.outcomes, subjects, event)
        frame = pd.concat(
            [frame[["taxon"]], label_taxa(frame["taxon"], tables.lineages), frame.drop(columns="taxon")], axis=1
        )
        happened = frame[frame["subjects_fmt"] > 0]
        size = _size(tables.outcomes, subjects)
        if happened.empty:
            blocks.append(Missing(f"No taxon was {event} in any subject who received a dose."))
            continue
        blocks += [_taxa_figure(happened, event, words, size), _taxa_table(frame, event, words, size)]
    text = (
        "Subjects who received a dose in whom a taxon engrafted (in the donor set and not in the baseline, then in "
        "a post sample), or was depleted (in the baseline, then not in a post sample, whether or not the donor has "
        "it), of those in whom it could. A subject counts once, when it happened in at least one of its post "
        "samples: more samples give more occasions."
    )
    return Section(
        "taxa", title, [text, CAVEATS["patients"] + " " + CAVEATS["presence"] + " " + CAVEATS["dilution"]], blocks
    )


def _size(frame: pd.DataFrame, subjects: pd.DataFrame) -> tuple[int, int]:
    dosed = set(subjects.loc[subjects["products"] > 0, "subject"])
    part = frame[frame["subject"].isin(dosed)]
    return part["subject"].nunique(), part["sample"].nunique()


def _taxa_figure(frame: pd.DataFrame, event: str, title: str, size: tuple[int, int]) -> Figure:
    top = frame.head(_TOP)
    # Two taxa may share a name where the profile has no SGBs beside it; a bar each is needed.
    twice = top["name"].duplicated(keep=False)
    names = top["name"].where(~twice, top["name"] + " [" + top["taxon"] + "]")
    long = pd.concat(
        [
            pd.DataFrame(
                {
                    "taxon": top["taxon"],
                    "name": names,
                    "group": group,
                    "subjects": top[f"subjects_{group}"],
                    "possible": top[f"subjects_{group}_possible"],
                    "samples": top[f"samples_{group}"],
                    "samples_possible": top[f"samples_{group}_possible"],
                }
            )
            for group in ("fmt", "no_fmt")
        ],
        ignore_index=True,
    )
    beside = (
        " Beside it the subjects without a dose." if (long.loc[long["group"] == "no_fmt", "possible"] > 0).any() else ""
    )
    return Figure(
        f"taxa_{event}",
        title,
        f"The {len(top)} taxa that were {event} in most subjects. Coloured: subjects in whom it happened; grey: in "
        f"whom it could have.{beside}",
        figures.taxa(long, event, _GROUPS),
        long,
        *size,
    )


def _taxa_table(frame: pd.DataFrame, event: str, title: str, size: tuple[int, int]) -> TableBlock:
    shown = frame[frame["subjects_fmt"] > 0].head(_LISTED)
    groups = [group for group in _GROUPS if frame[f"subjects_{group}_possible"].sum() > 0]
    headings = [Heading("taxon", "Species of the profile and SGB, with its lineage.")]
    for group in groups:
        headings.append(
            Heading(
                f"subjects {_GROUPS[group]}",
                f"Subjects in whom it was {event} in at least one post sample, of those in whom it could be.",
                True,
            )
        )
        if group in ("fmt", "no_fmt"):
            headings.append(
                Heading(
                    f"samples {_GROUPS[group]}",
                    f"Post samples in which it was {event}, of those in which it could be.",
                    True,
                )
            )
    rows = []
    for record in shown.to_dict("records"):
        row = [Cell(record["name"], record["lineage"])]
        for group in groups:
            names = ("subjects", "samples") if group in ("fmt", "no_fmt") else ("subjects",)
            for name in names:
                did, could = record[f"{name}_{group}"], record[f"{name}_{group}_possible"]
                row.append(
                    Cell(
                        f"{did} of {could}" if could else "–",
                        sort=f"{did + did / max(could, 1) / 2:.6f}" if could else "",
                        numeric=True,
                    )
                )
        rows.append(row)
    total = int((frame["subjects_fmt"] > 0).sum())
    extent = f"All {total}" if total <= _LISTED else f"The first {_LISTED} of {total}"
    return TableBlock(
        f"taxa_{event}_table",
        f"{title}, table",
        f"{extent} taxa that were {event} in at least one subject who received a dose; the download has all "
        f"{len(frame)} taxa that could be.",
        headings,
        rows,
        frame,
        counts(*size),
    )
