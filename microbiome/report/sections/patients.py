"""Section with a page for each patient: what happened, what was measured, what was lost and gained."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Fact,
    Figure,
    Heading,
    PatientPage,
    Section,
    TableBlock,
    number,
    plural,
    signed,
)
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.patient_frames import PatientFrames, frames_of, per_sample
from microbiome.report.roster import doses_by_day
from microbiome.report.theme import natural_key

__all__ = ["patients"]

_LEAD = (
    "A page for each patient, for reading its course as a whole. One patient shows what happened, not why: what "
    "follows a dose in one person would follow in some without it. Tests stand in the other sections."
)
# A page is some 50 kB, and takes a tenth of a second.
_MOST_PAGES = 200
_SHOWN = ("to its donors", "to its baseline", "engraftment rate", "depletion rate", "engrafted", "gained", "lost")


_MEANINGS = {
    "to its donors": "Mean similarity (distance) to the profiled products received.",
    "to its baseline": "Similarity (distance) to the baseline.",
    "lost": "Baseline taxa not detected: depleted or shared_depleted.",
    "strains": "Taxa by whose strain they are.",
}


def patients(tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame) -> list[Section]:
    """Make the section; none where there is no recipient or control.

    Parameters
    ----------
    tables
        What was read.
    subjects, samples
        As :func:`microbiome.report.roster.people` and :func:`~microbiome.report.roster.sample_table` return them.
    """
    people = subjects[subjects["role"] != "donor"]
    if people.empty:
        return []
    shown = people.head(_MOST_PAGES).to_dict("records")
    frames = frames_of(tables, samples, [str(person["subject"]) for person in shown])
    donors = sorted(set(doses_by_day(tables)["donors"]), key=lambda text: (text.count(" + "), natural_key(text)))
    clinic = _clinic(tables)
    keys: set[str] = set()
    pages = []
    for person in shown:
        name = str(person["subject"])
        key = stem = f"patient_{file_key(name)}"
        number_of = 2
        while key.lower() in keys:
            key = f"{stem}_{number_of}"
            number_of += 1
        keys.add(key.lower())
        pages.append(_page(key, name, person, frames[name], donors, clinic.get(name, {}), tables))
    text = [_LEAD, _told(tables), _left_out(len(people))]
    return [Section("patients", "Patients", [part for part in text if part], pages)]


def _left_out(number: int) -> str:
    """Say that there are more subjects than pages; empty where there are not."""
    if number <= _MOST_PAGES:
        return ""
    return (
        f"Pages of the first {_MOST_PAGES} of {number:,} subjects: more would make this file too large to open. A "
        "report of a samples and a subjects table with the others alone has theirs."
    )


def _told(tables: Tables) -> str:
    """Say which tables on patients there are not."""
    lacking = [
        words
        for words, frame in (
            ("treatments (antibiotics, immunotherapy: --treatments)", tables.treatments),
            ("adverse events (--toxicities)", tables.toxicities),
            ("tumour assessments (--lesions)", tables.lesions),
        )
        if frame is None
    ]
    return f"There are no tables of {', '.join(lacking)}: the pages are without." if lacking else ""


def _clinic(tables: Tables) -> dict[str, dict[str, Any]]:
    """Return what the subjects table knows of each subject, missing values left out."""
    records = tables.study.subjects.to_dict("records")
    return {
        str(row["subject"]): {str(k): v for k, v in row.items() if v is not None and not pd.isna(v)} for row in records
    }


def _page(
    key: str,
    name: str,
    person: dict[Any, Any],
    frames: PatientFrames,
    donors: list[str],
    clinic: dict[str, Any],
    tables: Tables,
) -> PatientPage:
    n_samples = int((frames.events["what"] == "sample").sum())
    figure = Figure(
        key,
        "Course",
        _caption(frames),
        figures.patient(frames, donors, f"Course of subject {name}: events and measurements over days."),
        _data(name, frames),
        1,
        n_samples,
    )
    words = [str(person["arm"]), str(person["best_response"] or ""), str(person["response"])]
    summary = " · ".join(word for word in words if word and word != "response unknown")
    shown = tuple(table for table in (_samples(key, frames), _changes(key, frames)) if table)
    events = _events(key, frames)
    return PatientPage(key, name, summary, _facts(person, clinic, tables), figure, shown, (events,) if events else ())


def _facts(person: dict[Any, Any], clinic: dict[str, Any], tables: Tables) -> list[Fact]:
    """Return the numbers at the head of a page."""
    name = person["subject"]
    found = [Fact(str(person["best_response"] or "–"), "best response", str(person["response"]))]
    for kind, words, event in (
        ("pfs", "days progression-free", "progressed or died"),
        ("os", "days of survival", "died"),
    ):
        if f"{kind}_days" in clinic:
            ended = clinic.get(f"{kind}_event")
            remark = "event not known" if ended is None else event if int(ended) == 1 else "censored, no event"
            found.append(Fact(number(float(clinic[f"{kind}_days"]), 0), words, remark))
    toxic = None if tables.toxicities is None else tables.toxicities[tables.toxicities["subject"] == name]
    if toxic is not None and len(toxic):
        worst = int(toxic["grade"].max())
        terms = sorted(set(toxic.loc[toxic["grade"] == worst, "term"].dropna()))
        found.append(Fact(str(worst), "worst irAE grade", ", ".join(terms)))
    elif "irae_grade" in clinic:
        found.append(Fact(str(int(clinic["irae_grade"])), "worst irAE grade", ""))
    elif toxic is not None:
        found.append(Fact("0", "worst irAE grade", "no row in the table of adverse events"))
    days = int(person["dose_days"])
    found.append(Fact(str(days), "day with FMT" if days == 1 else "days with FMT", str(person["donors"])))
    found.append(Fact(str(person["samples"]), "samples", f"{person['profiled']} with a profile"))
    return found


def _caption(frames: PatientFrames) -> str:
    panels = set(frames.lines["panel"])
    text = (
        "Dashed: days with FMT. Samples: square baseline, triangle earlier, circle after the first dose; open without "
        "profile."
    )
    if (frames.events["what"] == "toxicity").any():
        text += " Adverse events: the number is the CTCAE grade, the bar lasts to the end day where it is known."
    if "alpha" in panels:
        text += " Alpha diversity on the scale of the whole study."
    if "rates" in panels:
        text += " Lines through the rates: bounds if every call below the limit of detection fell either way."
    if len(frames.strains):
        text += " Strains: of the taxa that donors or baseline have too; unresolved is no evidence of anything."
    if "tumour" in panels:
        text += " Sum of diameters: dotted at 0 and −30 %; a diamond is an assessment with a new lesion."
    undated = frames.events[frames.events["day"].isna()]
    if len(undated):
        text += f" Not drawn, without a day: {plural(len(undated), 'event')} (listed below)."
    return text


def _data(name: str, frames: PatientFrames) -> pd.DataFrame:
    """Return everything drawn, long: ``subject, panel, series, sample, day, end_day, value, low, high, text``."""
    events = frames.events
    parts = [
        pd.DataFrame(
            {
                "panel": "events",
                "series": events["what"],
                "sample": events["label"].where(events["what"] == "sample"),
                "day": events["day"],
                "end_day": events["end_day"],
                "text": [
                    "; ".join(part for part in (str(a), str(b), str(c)) if part)
                    for a, b, c in zip(events["lane"], events["label"], events["detail"], strict=True)
                ],
            }
        ),
        frames.lines,
        frames.outcomes.rename(columns={"outcome": "series", "taxa": "value"}).assign(panel="outcomes"),
        frames.strains.rename(columns={"strain_outcome": "series", "taxa": "value"}).assign(panel="strains"),
    ]
    columns = ["subject", "panel", "series", "sample", "day", "end_day", "value", "low", "high", "text"]
    records = [record for part in parts for record in part.to_dict("records")]
    return pd.DataFrame(records).assign(subject=name).reindex(columns=columns)


def _samples(key: str, frames: PatientFrames) -> TableBlock | None:
    table = per_sample(frames, [*_alpha_series(frames), *_SHOWN])
    if table.empty:
        return None
    words = ("sample", "kind", "strains")
    headings = [Heading(str(name).replace("_", " "), _MEANINGS.get(str(name), ""), name not in words) for name in table]
    rows = [
        [
            Cell(str(value)) if name in words else Cell(number(value, 2).replace("-", "−"), numeric=True)
            for name, value in record.items()
        ]
        for record in table.to_dict("records")
    ]
    return TableBlock(f"{key}_samples", "Samples", "", headings, rows, None, plural(len(table), "sample"))


def _alpha_series(frames: PatientFrames) -> list[str]:
    return [str(name) for name in frames.lines.loc[frames.lines["panel"] == "alpha", "series"].unique()]


def _changes(key: str, frames: PatientFrames) -> TableBlock | None:
    table = frames.changes
    if table.empty:
        return None
    sample, when = str(table["sample"].iloc[0]), table["day"].iloc[0]
    day = "" if pd.isna(when) else f" (day {when:.0f})"
    sizes = {kind: int(part["of"].iloc[0]) for kind, part in table.groupby("change")}
    shown = {kind: len(part) for kind, part in table.groupby("change")}
    told = ", ".join(f"{shown[kind]} of {sizes[kind]} {kind}" for kind in ("lost", "gained") if kind in sizes)
    headings = [
        Heading("taxon"),
        Heading("change", "Lost: in the baseline, not in the post sample. Gained: the reverse."),
        Heading("before (%)", "Abundance in the baseline, percent.", True),
        Heading("after (%)", "Abundance in the post sample, percent.", True),
        Heading("in its donors (%)", "Largest abundance among the products received, percent.", True),
        Heading("in samples", "Post samples in which it was lost (gained), of all that have outcomes.", True),
        Heading("strain", "Whose strain it is in this post sample, with the fraction that is the donor's."),
    ]
    told_of = table["strain_outcome"].notna().any()
    headings = headings if told_of else headings[:-1]
    rows = []
    for row in table.to_dict("records"):
        doubt = "perhaps below the limit of detection" if row["certainty"] == "below_limit" else ""
        rows.append(
            [
                Cell(str(row["name"]), str(row["lineage"])),
                Cell(str(row["outcome"]).replace("_", " "), doubt),
                *[_percent(row[f"{place}_abundance"]) for place in ("baseline", "post", "donor")],
                Cell(f"{row['changed_in']} of {row['post_samples']}", numeric=True),
                *([_strain(row)] if told_of else []),
            ]
        )
    caption = (
        f"From the baseline to {sample}{day}, the last sample with outcomes: {told}, those of the largest "
        "abundance (lost: before; gained: after). Species level: a gain is no proof of transfer, nor a loss of absence."
    )
    return TableBlock(f"{key}_changes", "Main losses and gains", caption, headings, rows)


def _percent(value: Any) -> Cell:
    if value is None or pd.isna(value):
        return Cell("–", numeric=True)
    return Cell("0" if value == 0 else f"{100 * value:.2g}" if value < 0.1 else f"{100 * value:.1f}", numeric=True)


def _strain(row: dict[Any, Any]) -> Cell:
    outcome = row["strain_outcome"]
    if not isinstance(outcome, str):
        return Cell("–")
    if outcome == "unresolved":
        return Cell(outcome, str(row["strain_reason"]) if isinstance(row["strain_reason"], str) else "")
    known = not pd.isna(row["donor_fraction"])
    return Cell(outcome, f"donor fraction {signed(row['donor_fraction'])}" if known else "")


def _events(key: str, frames: PatientFrames) -> TableBlock | None:
    events = frames.events
    if events.empty:
        return None
    ordered = events.assign(_place=range(len(events))).sort_values(["day", "_place"], na_position="last")
    rows = []
    for row in ordered.to_dict("records"):
        until = f" to {row['end_day']:.0f}" if not pd.isna(row["end_day"]) and row["end_day"] != row["day"] else ""
        day = "–" if pd.isna(row["day"]) else f"{row['day']:.0f}".replace("-", "−") + until.replace("-", "−")
        grade = f"grade {row['label']}" if row["what"] == "toxicity" else row["label"]
        rows.append([Cell(day), Cell(str(row["lane"])), Cell(str(grade)), Cell(str(row["detail"]))])
    headings = [Heading("day"), Heading("what"), Heading("which"), Heading("detail")]
    return TableBlock(f"{key}_events", "Events", "", headings, rows, None, plural(len(rows), "event"))
