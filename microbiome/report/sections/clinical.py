"""Section on the patients' response and survival: rates with intervals, courses, Kaplan-Meier curves, hazard ratios."""

from __future__ import annotations

from typing import Any

import pandas as pd

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
    listed,
    number_cell,
    p_text,
    plural,
    signed,
)
from microbiome.report.clinical_frames import (
    best_changes,
    best_of,
    changes_over_time,
    disagreements,
    lanes,
    response_source,
)
from microbiome.report.data import Tables
from microbiome.report.groups import column_title, group_colours, group_title
from microbiome.report.notes import brief
from microbiome.report.sections.survival import survival
from microbiome.report.theme import NEUTRAL

__all__ = ["clinical"]

_QUANTITIES = {
    "orr": "objective response (CR, PR)",
    "dcr": "disease control (CR, PR, SD)",
    "clinical_benefit": "clinical benefit",
}
_DRAWN = ("orr", "dcr", "clinical_benefit")
_METHODS = {
    "clopper_pearson": "Clopper-Pearson",
    "wilson": "Wilson",
    "newcombe": "Newcombe",
    "conditional_exact": "conditional exact",
    "fisher_exact": "Fisher's exact test",
    "chi2": "chi-squared (Pearson)",
    "chi2_yates": "chi-squared, Yates' correction",
}
_FOLLOWED = ("pfs_days", "os_days")


def clinical(tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame) -> list[Section]:
    """Make the section; none where nothing is known of tumours, survival or other treatments.

    Parameters
    ----------
    tables
        What was read.
    subjects, samples
        As :func:`microbiome.report.roster.people` and :func:`~microbiome.report.roster.sample_table` return them.
    """
    followed = any(name in tables.study.subjects and tables.study.subjects[name].notna().any() for name in _FOLLOWED)
    known = {"response", "assessments", "best_responses", "survival", "curves"} & set(tables.clinical)
    if not known and tables.lesions is None and not followed:
        return []
    blocks: list[Any] = [*_rates(tables, subjects), *_changes(tables, subjects)]
    blocks += _swimmer(tables, subjects, samples)
    blocks += survival(tables, subjects)
    text = (
        "Response and survival of the patients, with an interval and its method beside every number. Comparisons of "
        "arms hold only as far as the arms were drawn by lot; those of responders after the fact do not show a cause."
    )
    return [Section("clinical", "Response and survival", [text], blocks)]


def _rates(tables: Tables, subjects: pd.DataFrame) -> list[Any]:
    frame = tables.clinical.get("response")
    if frame is None or frame.empty:
        return [Missing("Response rates were not computed (microbiome clinical response, option --clinical-response).")]
    shares = frame[(frame["measure"] == "proportion") & frame["estimate"].notna()]
    columns_by = [str(name) for name in dict.fromkeys(shares["by"].dropna())]
    colours = {"everybody": "#1F2529"}
    for by in columns_by:
        groups = list(dict.fromkeys(shares.loc[shares["by"] == by, "group"]))
        colours |= {_group(by, n, columns_by): c for n, c in zip(groups, _colours(by, groups, subjects), strict=True)}
    label = [_group(by, name, columns_by) for by, name in zip(shares["by"], shares["group"], strict=True)]
    shares = shares.assign(
        label=label,
        title=shares["quantity"].map(_QUANTITIES).fillna(shares["quantity"]),
        colour=[colours.get(name, NEUTRAL) for name in label],
    )
    drawn = shares[shares["quantity"].isin(_DRAWN)]
    blocks: list[Any] = [Title("Response rates")]
    if len(drawn):
        one = drawn.drop_duplicates(["quantity", "label"])
        methods = ", ".join(dict.fromkeys(_METHODS.get(str(name), str(name)) for name in one["method"]))
        level = f"{100 * one['level'].iloc[0]:.0f} %" if one["level"].notna().any() else ""
        columns = ["by", "group", "quantity", "label", "events", "n", "estimate", "ci_low", "ci_high", "method", "note"]
        blocks.append(
            Figure(
                "response_rates",
                "Response rates",
                f"Share of the subjects of each group, with its {level} interval ({methods}); above the point the "
                "subjects with it, over all that count." + _criteria(frame),
                figures.response_rates(one),
                one[columns],
                int(one["n"].max()),
                0,
            )
        )
    blocks += [_shares_table(shares), *_differences(frame)]
    return blocks


def _criteria(frame: pd.DataFrame) -> str:
    words = {
        "best_response": "the best response given in the subjects table",
        "recist_1_1": "the measured lesions by RECIST 1.1, unconfirmed",
        "recist_1_1_confirmed": "the measured lesions by RECIST 1.1, CR and PR confirmed",
        "irecist": "the measured lesions by iRECIST, unconfirmed",
        "irecist_confirmed": "the measured lesions by iRECIST, confirmed",
    }
    found = [words.get(str(name), str(name)) for name in dict.fromkeys(frame["criteria"].dropna())]
    days = frame["benefit_days"].dropna()
    text = f" From {' and '.join(found)}." if found else ""
    return text + (f" Clinical benefit: SD for at least {days.iloc[0]:.0f} days." if len(days) else "")


def _colours(by: str, groups: list[str], subjects: pd.DataFrame) -> list[str]:
    found = group_colours(by, groups, subjects)
    return [found.get(group_title(by, name), NEUTRAL) for name in groups]


def _group(by: object, name: object, columns: list[str]) -> str:
    """Name a group, with its column where several make groups."""
    if by is None or pd.isna(by):
        return "everybody" if name == "all" else str(name)
    title = group_title(str(by), name)
    return title if len(columns) < 2 else f"{column_title(str(by))}: {title}"


def _shares_table(shares: pd.DataFrame) -> TableBlock:
    headings = [
        Heading("rate", "orr: CR or PR; dcr: CR, PR or SD; or the share with that best response."),
        Heading("group"),
        Heading("subjects", "With it, of all that count.", True),
        Heading("share", "Estimate and interval.", True),
        Heading("method", "Of the interval."),
        Heading("note"),
    ]
    rows = [
        [
            Cell(str(row["title"])),
            Cell(str(row["label"])),
            number_cell(row["events"], f"{row['events']} of {row['n']}"),
            number_cell(row["estimate"], signed(row["estimate"]), below(row["ci_low"], row["ci_high"])),
            Cell(_METHODS.get(str(row["method"]), str(row["method"]))),
            Cell(brief(row["note"])),
        ]
        for row in shares.to_dict("records")
    ]
    return TableBlock("response_rates", "Response rates", "", headings, rows, shares.drop(columns=["colour"]))


def _differences(frame: pd.DataFrame) -> list[Any]:
    rows = frame[frame["measure"] != "proportion"]
    if rows.empty:
        return []
    headings = [
        Heading("rate"),
        Heading("groups", "Difference: the first less the second; odds ratio: the first over the second."),
        Heading("measure"),
        Heading("subjects", "With it, of all that count, in either group.", True),
        Heading("estimate", "Estimate and interval.", True),
        Heading("p", "Two-sided; below it the smallest that these margins allow.", True),
        Heading("method", "Of the interval or test."),
        Heading("note"),
    ]
    cells = [
        [
            Cell(_QUANTITIES.get(str(row["quantity"]), str(row["quantity"]))),
            Cell(f"{_group(row['by'], row['group'], [])} against {_group(row['by'], row['reference'], [])}"),
            Cell(str(row["measure"]).replace("_", " ")),
            Cell(
                f"{_n(row['events'])} of {_n(row['n'])}, {_n(row['events_reference'])} of {_n(row['n_reference'])}",
                numeric=True,
            ),
            number_cell(row["estimate"], signed(row["estimate"]), below(row["ci_low"], row["ci_high"])),
            number_cell(row["p_value"], p_text(row["p_value"]), _floor(row["p_floor"])),
            Cell(_METHODS.get(str(row["method"]), str(row["method"]))),
            Cell(brief(row["note"])),
        ]
        for row in rows.to_dict("records")
    ]
    caption = (
        "Each test by its own name: where they disagree the exact one (Fisher) is the one to report with few subjects."
    )
    return [
        TableBlock(
            "response_differences",
            f"Response by {listed([column_title(str(by)) for by in rows['by'].dropna().unique()])}",
            caption,
            headings,
            cells,
            rows,
        )
    ]


def _n(value: Any) -> str:
    return "–" if value is None or pd.isna(value) else str(int(value))


def _floor(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"\n≥ {p_text(value)}"


def _changes(tables: Tables, subjects: pd.DataFrame) -> list[Any]:
    best = best_changes(tables, subjects)
    course = changes_over_time(tables)
    if best.empty and course.empty:
        return []
    patients = subjects.loc[subjects["role"] != "donor", "subject"]
    measured = tables.clinical.get("assessments") is not None or tables.clinical.get("best_responses") is not None
    until = (
        "Assessments until progression count."
        if measured
        else "All assessments of the lesions table count, those after progression, too."
    )
    blocks: list[Any] = [Title("Tumour size")]
    if len(best):
        lacking = [name for name in patients if name not in set(best["subject"])]
        without = (
            f" Without a measured change: {plural(len(lacking), 'subject')} ({listed(lacking)})." if lacking else ""
        )
        without += _differing(tables)
        blocks.append(
            Figure(
                "waterfall",
                "Best change of the sum of diameters",
                "Smallest sum of the target lesions after the first dose against the baseline; dashed at −30 % and "
                f"+20 %. {until} The colour is the best response ({response_source(tables)}), which new lesions and "
                "other lesions decide, too, so that a shrunken tumour may stand with PD; +20 % counts from the "
                f"smallest sum.{without}",
                figures.waterfall(best),
                best,
                len(best),
                0,
            )
        )
    if len(course):
        response, arms = best_of(tables, subjects), subjects.set_index("subject")["arm"]
        course = course[course["subject"].isin(set(response.index))]
        course = course.assign(best_response=course["subject"].map(response), arm=course["subject"].map(arms))
        blocks.append(
            Figure(
                "spider",
                "Change of the sum of diameters over time",
                f"A line per subject from its baseline on; a large diamond is an assessment with a new lesion. {until}",
                figures.spider(course),
                course,
                int(course["subject"].nunique()),
                0,
            )
        )
    return blocks + _disagreements(tables)


def _differing(tables: Tables) -> str:
    wrong = disagreements(tables)
    return f" Of {plural(len(wrong), 'subject')} lesions and subjects table differ: see below." if len(wrong) else ""


def _disagreements(tables: Tables) -> list[Any]:
    wrong = disagreements(tables)
    if wrong.empty:
        return []
    items = [
        f"{row['subject']}: {row['best_response']} by the lesions, {row['given_best_response']} in the subjects table"
        for row in wrong.to_dict("records")
    ]
    return [Note("Best responses of lesions and subjects table that differ:", "warn", items)]


def _swimmer(tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame) -> list[Any]:
    bars, marks = lanes(tables, subjects, samples)
    if bars.empty:
        return []
    whole = " Severe adverse events need the table of toxicities." if tables.toxicities is None else ""
    drawn = samples[(samples["role"] != "donor") & samples["day"].notna()]
    data = pd.concat(
        [bars.rename(columns={"end": "day"}).assign(what="followed to").drop(columns="start"), marks], ignore_index=True
    )
    figure = Figure(
        "swimmer",
        "Course of every subject",
        "A bar per subject, from the first dose to the last day that is known, in the colour of its best response; "
        f"marked are doses, stool samples, progression, death and severe adverse events.{whole}",
        figures.swimmer(bars, marks),
        data,
        len(bars),
        len(drawn),
    )
    return [Title("Courses"), *_after_death(marks), figure]


def _after_death(marks: pd.DataFrame) -> list[Any]:
    """Name who has a sample, dose or event after its death: one of the two is wrong."""
    death = marks[marks["what"] == "death"].drop_duplicates("subject").set_index("subject")["day"]
    later = marks[marks["day"] > marks["subject"].map(death)]
    if later.empty:
        return []
    items = [
        f"{row.subject}: {row.what} on day {row.day:.0f}, death on day {death[row.subject]:.0f}"
        for row in later.itertuples()
    ]
    return [Note("Something happened after the day of death; dates of one or the other are wrong:", "warn", items[:20])]
