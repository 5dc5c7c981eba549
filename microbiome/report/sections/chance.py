"""Section on engraftment and depletion against what chance alone would do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from microbiome.nulls.tables import NULLS
from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    Heading,
    Missing,
    Note,
    Section,
    TableBlock,
    Title,
    below,
    counts,
    number,
    number_cell,
    p_text,
    plural,
    signed,
    span,
)
from microbiome.report.counting import largest_analysis, named_taxa
from microbiome.report.data import Tables
from microbiome.report.notes import brief, statements, told
from microbiome.report.roster import by_group
from microbiome.report.text import CAVEATS

__all__ = ["chance"]

_NULLS = {
    "donor_permutation": "re-assigned donors",
    "baseline_permutation": "re-assigned baselines",
    "placebo_arm": "subjects without doses",
    "before_repeats": "repeats before FMT",
    "donor_repeats": "repeats of donors",
    "none": "no null",
}
_ENGRAFTMENT = {
    "engraftment_rate": "Engraftment rate (baseline subtracted)",
    "donor_recovery": "Donor recovery (PEDS, not subtracted)",
    "baseline_recovery": "Baseline recovery (PPRS)",
}
_CAVEATS = {"donor_permutation": "reassigned", "placebo_arm": "pseudo_donors"}
_DEPLETION = ("depletion_rate", "depletion_rate_donor_absent")
_REPAIRS = {
    "none": "Depth was not repaired.",
    "threshold": "Depth was repaired by one detection threshold for all samples.",
    "thinning": "Depth was repaired by thinning the evidence of every sample to that of the shallowest.",
}


def chance(tables: Tables, subjects: pd.DataFrame) -> Section:
    """Make the section: engraftment against re-assigned donors, depletion against turnover without FMT."""
    title = "Against chance"
    frame = tables.nulls
    if frame is None or frame.empty:
        missing = Missing("Nothing was compared with chance (make the table with microbiome nulls, option --nulls).")
        return Section("chance", title, (), [missing])
    overall = frame[frame["level"] == "overall"]
    blocks: list[Any] = [Note(_depth(overall if len(overall) else frame))]
    gain, loss = (_ordered(overall, rates) for rates in (_ENGRAFTMENT, _DEPLETION))
    tested = set(gain.loc[gain["expected"].notna(), "null"])
    caveats = [CAVEATS[name] for null, name in _CAVEATS.items() if null in tested]
    blocks += [Title("Engraftment"), *_words(gain, " ".join(caveats))]
    blocks += _overall_figure(gain, "engraftment")
    blocks += _recipients(frame, subjects)
    blocks += [Title("Depletion"), *_words(loss, CAVEATS["turnover"])]
    blocks += _overall_figure(loss, "depletion")
    blocks += [_overall_table(overall), *_said(overall)]
    blocks += _taxa(frame, tables)
    text = (
        "Taxa appear and disappear without any transplant. What was observed is set beside what would be expected: for "
        "engraftment, had each recipient received the doses of another; for depletion, what people without FMT lose in "
        "the same time. The excess is observed less expected."
    )
    return Section("chance", title, [text], blocks)


def _ordered(frame: pd.DataFrame, rates: Iterable[str]) -> pd.DataFrame:
    """Rows of these rates, in their order and that of the nulls."""
    ranks = [{name: i for i, name in enumerate(names)} for names in (rates, _NULLS)]
    rows = frame[frame["quantity"].isin(ranks[0])]
    rows = rows.assign(_null=rows["null"].map(ranks[1]), _rate=rows["quantity"].map(ranks[0]))
    return rows.sort_values(["_null", "_rate"], kind="stable").drop(columns=["_null", "_rate"])


def _depth(frame: pd.DataFrame) -> str:
    done = [str(name) for name in frame["repair"].dropna().unique()] if "repair" in frame else []
    words = [_REPAIRS.get(name, name) for name in done] or ["What was done about depth is not recorded."]
    above = frame["detection"].dropna().unique() if "detection" in frame else []
    return " ".join(words) + (f" A taxon counts as detected above {above[0]:.3g}." if len(above) == 1 else "")


def _row_title(row: Mapping[str, Any]) -> str:
    return f"{str(row['quantity']).replace('_', ' ')} · {_NULLS.get(row['null'], row['null'])}"


def _words(frame: pd.DataFrame, caveat: str) -> list[Any]:
    """Put the overall rows into sentences; what cannot be tested is said apart."""
    lines, refused = [], []
    for row in frame.to_dict("records"):
        reasons = [text for text in statements(row["note"]) if text.startswith("not testable")]
        if pd.isna(row["excess"]) or (reasons and pd.isna(row["p_value"])):
            against = "" if row["null"] == "none" else f" against {_NULLS.get(row['null'], row['null'])}"
            why = "; ".join(reasons).removeprefix("not testable: ") or "the table does not say why"
            refused.append(f"{_rate(row['quantity'])}, observed {_observed(row)}{against}: {why}.")
            if pd.isna(row["excess"]):
                continue
        lines.append(_sentence(row))
    blocks: list[Any] = [Note(caveat, items=lines)] if caveat or lines else []
    if refused:
        blocks.append(Note("Not tested, and why:", "warn", refused))
    if not len(frame):
        blocks.append(Missing("The table of nulls has no row on this."))
    return blocks


def _rate(quantity: str) -> str:
    words = quantity.replace("_", " ")
    return _ENGRAFTMENT.get(quantity, words[:1].upper() + words[1:])


def _observed(row: Mapping[str, Any]) -> str:
    interval = span(row.get("observed_ci_low"), row.get("observed_ci_high"))
    return signed(row["observed"]) + (f" (95 % interval {interval})" if interval != "–" else "")


def _sentence(row: Mapping[str, Any]) -> str:
    within = span(row["ci_low"], row["ci_high"])
    about = f" (95 % interval {within})" if within != "–" else ""
    text = (
        f"{_rate(row['quantity'])}: observed {_observed(row)}, expected from "
        f"{_NULLS.get(row['null'], row['null'])} {signed(row['expected'])}; excess {signed(row['excess'])}{about}"
    )
    if not pd.isna(row["p_value"]):
        text += f", p = {p_text(row['p_value'])}"
        if not pd.isna(row["p_floor"]):
            text += f" (no data of this design could give less than {p_text(row['p_floor'])})"
    size = [plural(int(row["n_subjects"]), "subject")] if not pd.isna(row["n_subjects"]) else []
    if not pd.isna(row.get("n_null")):
        size.append(f"{number(row['n_null'])} in the null")
    for name, word in (("n_samples", "sample"), ("n_donors", "donor")):
        size += [plural(int(row[name]), word)] if name in row and not pd.isna(row[name]) else []
    return f"{text}; {', '.join(size)}." if size else f"{text}."


def _size(frame: pd.DataFrame) -> tuple[int, int]:
    """Subjects, those of the null group among them, and samples of the largest comparison."""
    null = pd.Series(frame.get("n_null", 0), index=frame.index).fillna(0)
    return largest_analysis(frame.assign(n_subjects=frame["n_subjects"] + null))


def _overall_figure(frame: pd.DataFrame, what: str) -> list[Any]:
    known = frame[frame["observed"].notna() & frame["expected"].notna()]
    if known.empty:
        return []
    columns = [
        *("quantity", "null", "observed", "observed_ci_low", "observed_ci_high", "expected"),
        *("excess", "ci_low", "ci_high", "p_value", "p_floor", "n_subjects", "n_null", "n_samples", "n_donors"),
    ]
    data = known[[name for name in columns if name in known]].reset_index(drop=True)
    drawn = data.assign(title=[_row_title(row) for row in data.to_dict("records")])
    return [
        Figure(
            f"chance_{what}",
            f"{what.capitalize()}, observed and expected",
            "Left: the mean over subjects with its 95 % interval, and what is expected by chance. Right: the excess "
            "with its 95 % interval; where it covers 0 (dashed) chance would do as well.",
            figures.overall(drawn),
            data,
            *_size(known),
        )
    ]


def _recipients(frame: pd.DataFrame, subjects: pd.DataFrame) -> list[Any]:
    known = frame["observed"].notna() & frame["expected"].notna()
    rows = frame[(frame["level"] == "subject") & frame["quantity"].isin(_ENGRAFTMENT) & known]
    if rows.empty:
        return []
    # Re-assigned donors where they can be; else the subjects without doses.
    first = rows.groupby("quantity")["null"].transform(lambda names: min(names, key=list(_NULLS).index))
    data = by_group(rows[rows["null"] == first], subjects)
    group = data["response"].where(data["response"] != "response unknown", data["arm"])
    columns = ["quantity", "null", "subject", "group", "observed", "expected", "p_value", "p_floor", "q_value", "note"]
    data = data.assign(group=group)[[name for name in columns if name in [*data, "group"]]].reset_index(drop=True)
    used = [_NULLS[name] for name in dict.fromkeys(data["null"])]
    per_subject = rows[rows["null"] == first].groupby("subject")["n_samples"].max()
    return [
        Figure(
            "chance_recipients",
            "Each recipient, observed and expected",
            f"Black: what is found in the recipient. Orange: what would be expected from {' or '.join(used)}. Without "
            "subtraction of the baseline much of what the donor has was there before.",
            figures.recipients(data, _ENGRAFTMENT, list(subjects["subject"])),
            data,
            data["subject"].nunique(),
            int(per_subject.sum()),
        )
    ]


def _overall_table(frame: pd.DataFrame) -> TableBlock:
    headings = [
        Heading("rate and null", f"{NULLS['quantity'].meaning} {NULLS['null'].meaning}"),
        Heading("observed", NULLS["observed"].meaning, True),
        Heading("expected", NULLS["expected"].meaning, True),
        Heading("excess", NULLS["excess"].meaning, True),
        Heading("p", NULLS["p_value"].meaning, True),
        Heading("smallest p", NULLS["p_floor"].meaning, True),
        Heading("subjects", NULLS["n_subjects"].meaning, True),
        Heading("null persons", NULLS["n_null"].meaning, True),
        Heading("samples", NULLS["n_samples"].meaning, True),
        Heading("donors", NULLS["n_donors"].meaning, True),
    ]
    rows = []
    for row in frame.to_dict("records"):
        seen = below(row.get("observed_ci_low"), row.get("observed_ci_high"))
        rows.append(
            [
                Cell(str(row["quantity"]).replace("_", " "), _NULLS.get(row["null"], str(row["null"]))),
                number_cell(row["observed"], signed(row["observed"]), seen),
                number_cell(row["expected"], signed(row["expected"])),
                number_cell(row["excess"], signed(row["excess"]), below(row["ci_low"], row["ci_high"])),
                number_cell(row["p_value"], p_text(row["p_value"])),
                number_cell(row["p_floor"], p_text(row["p_floor"])),
                *(
                    number_cell(row.get(name), number(row.get(name)))
                    for name in ("n_subjects", "n_null", "n_samples", "n_donors")
                ),
            ]
        )
    return TableBlock(
        "nulls",
        "Observed, expected, excess",
        "With 95 % intervals below the numbers.",
        headings,
        rows,
        frame.dropna(axis=1, how="all"),
        counts(*_size(frame)),
    )


def _said(frame: pd.DataFrame) -> list[Any]:
    """Tell which samples count, and what the notes say besides why something is not testable."""
    rates = [str(name).replace("_", " ") for name in frame["quantity"]]
    nulls = [_NULLS.get(name, str(name)) for name in frame["null"]]
    items = told(frame, rates, nulls, column="analysis") if "analysis" in frame else []
    items += [text for text in told(frame, rates, nulls) if not text.startswith("Not testable")]
    return [Note("What the table says of these numbers:", items=items)] if items else []


def _taxa(frame: pd.DataFrame, tables: Tables) -> list[Any]:
    rows = frame[(frame["level"] == "taxon") & frame["taxon"].notna()]
    if rows.empty:
        return []
    shown = rows[rows["observed"].notna()]
    order = shown.assign(_p=shown["p_value"].fillna(2), _x=-shown["excess"].fillna(-2))
    shown = order.sort_values(["_p", "_x", "taxon"], kind="stable").drop(columns=["_p", "_x"]).reset_index(drop=True)
    names = named_taxa(shown, tables.lineages)
    headings = [
        Heading("taxon", "Species of the profile and SGB, with its lineage."),
        Heading("rate and null", f"{NULLS['quantity'].meaning} {NULLS['null'].meaning}"),
        *(Heading(name, NULLS[name].meaning, True) for name in ("observed", "expected", "excess")),
        Heading("p", NULLS["p_value"].meaning, True),
        Heading("q", NULLS["q_value"].meaning, True),
        Heading("subjects", NULLS["n_subjects"].meaning, True),
        Heading("note", NULLS["note"].meaning),
    ]
    cells = []
    for name, lineage, row in zip(names["name"], names["lineage"], shown.to_dict("records"), strict=True):
        cells.append(
            [
                Cell(name, lineage),
                Cell(str(row["quantity"]).replace("_", " "), _NULLS.get(row["null"], str(row["null"]))),
                *(number_cell(row[name], signed(row[name])) for name in ("observed", "expected", "excess")),
                number_cell(row["p_value"], p_text(row["p_value"])),
                number_cell(row["q_value"], p_text(row["q_value"])),
                number_cell(row["n_subjects"], number(row["n_subjects"])),
                Cell(brief(row["note"])),
            ]
        )
    tested = rows[rows["p_value"].notna()]
    found = int((tested["q_value"] < 0.05).sum())
    return [
        TableBlock(
            "nulls_taxa",
            "Each taxon against chance",
            f"{len(tested):,} of {plural(len(rows), 'row')} could be tested; q < 0.05 in {found}. In the order of p. "
            "Taxa for which nothing could be observed are in the download.",
            headings,
            cells,
            rows.dropna(axis=1, how="all"),
            counts(*_size(frame[frame["level"] == "overall"])),
        )
    ]
