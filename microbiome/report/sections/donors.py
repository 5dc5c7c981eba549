"""Section on donors: a row each, taxa of concern and of benefit, and the prediction of what is present after FMT."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    Heading,
    Note,
    Section,
    TableBlock,
    below,
    number,
    number_cell,
    p_text,
    plural,
    signed,
    span,
)
from microbiome.report.data import Tables
from microbiome.report.notes import brief, named_methods, told
from microbiome.report.theme import natural_key

__all__ = ["donors"]

_TEXT = (
    "What each donor carries, and what became of those who received it. A donor with few recipients has a rate of its "
    "own that may be anything: beside it stands the rate drawn towards the mean of all donors, as far as the donor's "
    "own data are few. Unless donors were drawn by lot, a donor's recipients may differ in other ways, too."
)
_RATES = {
    "response_rate": ("response", "n_evaluable"),
    "toxicity_rate": ("adverse event of grade ≥ 3", "n_toxicity_known"),
    "engraftment_rate": ("engraftment rate", "n_engraftment"),
    "depletion_rate": ("depletion rate", "n_depletion"),
}
_MODELS = {
    "random_forest": "random forest",
    "logistic": "logistic regression",
    "donor_or_baseline": "rule: in donor or baseline",
    "larger_abundance": "rule: larger abundance",
    "prevalence": "rule: prevalence of the taxon",
}
_HELD = {"donor": "donors held out", "cohort": "cohorts held out", "subject": "subjects held out"}


def donors(tables: Tables) -> list[Section]:
    """Make the section; none where there is no table of donors."""
    blocks: list[Any] = []
    frame = tables.clinical.get("donor_table")
    if frame is not None and len(frame):
        names = list(frame["donor"])
        ordered = frame.iloc[sorted(range(len(names)), key=lambda i: natural_key(names[i]))]
        blocks += [_table(ordered), *_estimates(tables, ordered), *_spread(tables.clinical.get("donor_spread"))]
    blocks += _taxa(tables, tables.clinical.get("donor_taxa"))
    blocks += _match(tables, tables.clinical.get("donor_match"))
    return [Section("donors", "Donors", [_TEXT], blocks)] if blocks else []


def _table(frame: pd.DataFrame) -> TableBlock:
    headings = [
        Heading("donor"),
        Heading("samples", "With a profile, of all.", True),
        Heading("richness", "Detected taxa, mean over its samples; below it the Shannon index.", True),
        Heading("of concern", "Taxa of concern it carries, and their summed abundance."),
        Heading("of benefit", "Taxa of benefit it carries, and their summed abundance."),
        Heading("recipients", "And how many of them received no other donor.", True),
        *[
            Heading(title, "The donor's own rate with its n; below it the one drawn towards all donors.", True)
            for title, _ in _RATES.values()
        ],
        Heading("note"),
    ]
    rows = []
    for row in frame.to_dict("records"):
        cells = [
            Cell(str(row["donor"])),
            number_cell(row["n_profiled"], f"{number(row['n_profiled'])} of {number(row['n_samples'])}"),
            number_cell(row["richness"], number(row["richness"], 1), f"\nShannon {signed(row['shannon'])}"),
            *[_carried(row, kind) for kind in ("concern", "benefit")],
            number_cell(row["n_recipients"], number(row["n_recipients"]), f"\n{number(row['n_sole'])} only this one"),
        ]
        for name, (_, n) in _RATES.items():
            shrunken = row[f"{name}_shrunken"]
            text = f"{signed(shrunken)}\n{span(row[f'{name}_shrunken_low'], row[f'{name}_shrunken_high'])}"
            count = number(row[n])
            own = f"{signed(row[name])} (n = {count})"
            cells.append(number_cell(row[name], own, "" if pd.isna(shrunken) else f"\n{text}"))
        rows.append([*cells, Cell(brief(row["note"]))])
    size = f"n = {plural(len(frame), 'donor')}"
    return TableBlock("donor_rows", "Donors and their recipients", "", headings, rows, frame, size)


def _carried(row: dict[Any, Any], kind: str) -> Cell:
    count, share, names = row[f"{kind}_taxa"], row[f"{kind}_abundance"], row[f"{kind}_names"]
    if pd.isna(count):
        return Cell("–")
    share_text = "" if pd.isna(share) else f", {100 * share:.2g} % in sum"
    return Cell(f"{int(count)}{share_text}", names if isinstance(names, str) else "", str(count))


def _estimates(tables: Tables, frame: pd.DataFrame) -> list[Any]:
    rows = []
    for row in frame.to_dict("records"):
        for name, (title, n) in _RATES.items():
            for kind, ends in (
                ("own data", (name, f"{name}_ci_low", f"{name}_ci_high")),
                ("drawn towards all donors", (f"{name}_shrunken", f"{name}_shrunken_low", f"{name}_shrunken_high")),
            ):
                values = dict(zip(("estimate", "ci_low", "ci_high"), (row[end] for end in ends), strict=True))
                rows.append({"donor": row["donor"], "title": title, "estimate_of": kind, "n": row[n], **values})
    long = pd.DataFrame(rows)
    drawn = long[long["estimate"].notna()]
    if drawn.empty:
        return []
    notes = [note for name in _RATES for note in told(frame[frame[f"{name}_note"].notna()], column=f"{name}_note")]
    own = tables.study.samples["role"] != "donor"
    figure = Figure(
        "donor_estimates",
        "What became of the recipients of each donor",
        "Grey: the donor's own recipients. Black: drawn towards the mean of all donors (empirical Bayes), the more so "
        f"the fewer they are. 95 % intervals: {_intervals(frame)}. Who received several donors counts for each.",
        figures.donor_estimates(drawn),
        long,
        int(tables.study.doses["subject"].nunique()),
        int(own.sum()),
    )
    return [figure, *([Note("On these rates:", items=list(dict.fromkeys(notes))[:12])] if notes else [])]


def _spread(frame: pd.DataFrame | None) -> list[Any]:
    """Make the table of how much the donors differ, a row per rate."""
    if frame is None or frame.empty:
        return []
    headings = [
        Heading("rate of the recipients"),
        Heading("donors", "Donors with a recipient that tells, and these recipients.", True),
        Heading("mean", "Mean over donors that they are drawn to, with its 95 % interval.", True),
        Heading("SD between donors", "Standard deviation between donors beyond chance.", True),
        Heading("I²", "Share of the variance of the donors' estimates that is beyond chance.", True),
        Heading("p", "Of no difference between donors; below it the smallest that could have come out.", True),
        Heading("method", "Estimator; and the test, of the recipients of a single donor."),
        Heading("note"),
    ]
    rows = [
        [
            Cell(_RATES[str(row["quantity"])][0] if row["quantity"] in _RATES else str(row["quantity"])),
            number_cell(row["n_donors"], number(row["n_donors"]), f"\n{number(row['n_subjects'])} recipients"),
            number_cell(row["mean"], signed(row["mean"]), below(row["ci_low"], row["ci_high"])),
            number_cell(row["between_sd"], signed(row["between_sd"], 3)),
            number_cell(row["i_squared"], signed(row["i_squared"])),
            number_cell(
                row["p_value"],
                p_text(row["p_value"]),
                "" if pd.isna(row["p_floor"]) else f"\n≥ {p_text(row['p_floor'])}",
            ),
            Cell(named_methods(row["method"])),
            Cell(brief(row["note"])),
        ]
        for row in frame.to_dict("records")
    ]
    caption = (
        "Recipients were not assigned to donors by lot unless the trial says so: a difference between donors is not "
        "their effect. With few donors and recipients an equal spread is no proof that donors are alike."
    )
    title = "Do donors differ in what became of their recipients?"
    return [TableBlock("donor_spread", title, caption, headings, rows, frame)]


def _intervals(frame: pd.DataFrame) -> str:
    """Name the intervals, and how the rates were drawn towards each other."""
    return named_methods("; ".join(map(str, frame["method"].dropna().unique()))) or "see the table"


def _taxa(tables: Tables, frame: pd.DataFrame | None) -> list[Any]:
    if frame is None or frame.empty:
        return []
    known = frame[frame["abundance"].notna()].assign(
        name=lambda rows: rows["name"].where(rows["name"].notna(), rows["asked"])
    )
    blocks: list[Any] = []
    missing = frame[(frame["how"] == "not_found") | frame["taxon"].isna()]["asked"].unique()
    if len(known):
        held = known.groupby(["donor", "list", "name"], sort=False)[["abundance", "prevalence"]].agg(
            {"abundance": "sum", "prevalence": "max"}
        )
        held = held.reset_index()
        seen = held.groupby(["list", "name"])["abundance"].transform("max") > 0
        drawn = held[seen]
        absent = held.loc[~seen, "name"].nunique()
        if len(drawn):
            names = list(drawn["donor"])
            drawn = drawn.iloc[sorted(range(len(names)), key=lambda i: natural_key(names[i]))]
            samples = tables.study.samples["role"] == "donor"
            blocks.append(
                Figure(
                    "donor_taxa",
                    "Taxa of concern and of benefit in each donor",
                    "Mean abundance over the donor's samples, all SGBs of a name together; pale: not detected."
                    + (
                        f" In no donor: {plural(absent, 'further taxon', 'further taxa')} of the lists."
                        if absent
                        else ""
                    )
                    + (f" Not in the profiles at all: {len(missing)}." if len(missing) else "")
                    + " The lists are opinions with sources, given in the table.",
                    figures.donor_tiles(drawn),
                    frame,
                    int(drawn["donor"].nunique()),
                    int(samples.sum()),
                    who="donor",
                )
            )
    wanted = ["list", "asked", "name", "reason", "source", "evidence"]
    sources = frame[wanted].drop_duplicates(["list", "asked"])
    headings = [Heading(name) for name in ("list", "taxon", "why", "source", "how well known")]
    rows = [
        [
            Cell(str(row["list"])),
            Cell(
                str(row["asked"]),
                str(row["name"]) if isinstance(row["name"], str) and row["name"] != row["asked"] else "",
            ),
            *[Cell(row[name] if isinstance(row[name], str) else "") for name in ("reason", "source", "evidence")],
        ]
        for row in sources.to_dict("records")
    ]
    blocks.append(TableBlock("donor_lists", "Taxa on the lists", "", headings, rows, frame))
    return blocks


def _match(tables: Tables, frame: pd.DataFrame | None) -> list[Any]:
    if frame is None or frame.empty:
        return []
    whole = frame[(frame["fold"] == "all") & (frame["level"] == "subject_mean")]
    drawn = whole[whole["auroc"].notna()]
    drawn = drawn.assign(title=drawn["cv"].map(_HELD), label=drawn["model"].map(_MODELS))
    blocks: list[Any] = []
    if len(drawn):
        own = tables.study.samples["role"] != "donor"
        blocks.append(
            Figure(
                "donor_match",
                "Which taxa are present after FMT: how well it is foretold",
                f"Area under the ROC curve, mean over the held-out subjects, with 95 % interval "
                f"({', '.join(map(named_methods, drawn['method'].dropna().unique()))}); dashed: chance. A model is "
                "worth only what it has over the simple rules.",
                figures.auroc(drawn),
                frame,
                int(drawn["n_subjects"].max()),
                int(own.sum()),
            )
        )
    headings = [
        Heading("held out"),
        Heading("model"),
        Heading("subjects", "Held out, and their donors.", True),
        Heading("AUROC", "Mean over subjects, with its interval.", True),
        Heading("over the rule", "AUROC less that of the rule donor or baseline, on the same subjects.", True),
        Heading("note"),
    ]
    rows = [
        [
            Cell(_HELD.get(str(row["cv"]), str(row["cv"]))),
            Cell(_MODELS.get(str(row["model"]), str(row["model"]))),
            number_cell(row["n_subjects"], number(row["n_subjects"]), f"\n{number(row['n_donors'])} donors"),
            number_cell(row["auroc"], signed(row["auroc"], 3), f"\n{span(row['ci_low'], row['ci_high'])}"),
            number_cell(
                row["difference"],
                signed(row["difference"], 3),
                f"\n{span(row['difference_ci_low'], row['difference_ci_high'])}",
            ),
            Cell(brief(row["note"])),
        ]
        for row in whole.to_dict("records")
    ]
    blocks.append(TableBlock("donor_match", "Prediction of presence after FMT", "", headings, rows, frame))
    return blocks
