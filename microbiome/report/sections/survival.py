"""Blocks on survival: Kaplan-Meier curves with their tests, medians and landmarks, hazard ratios."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Cell,
    Figure,
    FigureGroup,
    Heading,
    Note,
    TableBlock,
    Title,
    below,
    number_cell,
    p_text,
    plural,
    signed,
)
from microbiome.report.clinical_frames import steps
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.groups import column_title, group_colours, group_title
from microbiome.report.notes import brief, named_methods

__all__ = ["survival"]

_ENDPOINTS = {"pfs": "Progression-free survival", "os": "Overall survival"}
_QUANTITIES = {
    "median": "median (days)",
    "survival": "survival at day",
    "median_follow_up": "median follow-up (days)",
    "restricted_mean": "restricted mean (days) to day",
}
_FOREST = 40  # hazard ratios drawn


def _worded(method: object) -> str:
    """Write the name of a method as people do."""
    text = "" if method is None or pd.isna(method) else str(method).replace("_", " ")
    names = {
        "kaplan meier": "Kaplan-Meier",
        "brookmeyer crowley": "Brookmeyer-Crowley",
        "clopper pearson": "Clopper-Pearson",
        "log rank": "log-rank",
        "log log": "log-log",
        "wald": "Wald",
        "efron": "Efron",
        "breslow": "Breslow",
        "harrell": "Harrell",
    }
    for name, written in names.items():
        text = text.replace(name, written)
    return text


def survival(tables: Tables, subjects: pd.DataFrame) -> list[Any]:
    """Make the blocks; none where survival was not analysed.

    Parameters
    ----------
    tables
        What was read.
    subjects
        As :func:`microbiome.report.roster.people` returns it.
    """
    results, curves = tables.clinical.get("survival"), tables.clinical.get("curves")
    blocks: list[Any] = []
    if curves is not None and len(curves):
        blocks += _curves(curves, results, subjects)
    if results is not None and len(results):
        blocks += [*_estimates(results), *_cox(results)]
    return [Title("Survival"), *blocks] if blocks else []


def _curves(curves: pd.DataFrame, results: pd.DataFrame | None, subjects: pd.DataFrame) -> list[Any]:
    found: list[Figure] = []
    for (endpoint, by), part in curves.groupby(["endpoint", "by"], dropna=False, sort=False):
        column = "" if pd.isna(by) else str(by)
        drawn = part.dropna(subset=["survival", "day"])
        if drawn.empty:
            continue
        names = list(dict.fromkeys(drawn["group"].astype(str)))
        named = steps(drawn)
        named = named.assign(group=[_group(column, name) for name in named["group"]])
        colours = group_colours(column, names, subjects) if column else {"everybody": "#1F2529"}
        at_start = named.sort_values("day", kind="stable").drop_duplicates("group")
        n = int(at_start["at_risk"].sum())
        events = int(drawn["events"].fillna(0).sum())
        title = _ENDPOINTS.get(str(endpoint), str(endpoint)) + (f" by {column_title(column)}" if column else "")
        found.append(
            Figure(
                file_key(f"survival_{endpoint}_{column or 'all'}"),
                title,
                f"{plural(events, 'event')} in {plural(n, 'subject')}. {_test(results, str(endpoint), column)}"
                f"{_method(drawn)} Ticks: subjects censored. {_landmark(drawn)}{_after_the_fact(column)}".strip(),
                figures.kaplan_meier(
                    named, colours, _ENDPOINTS.get(str(endpoint), str(endpoint)).lower(), _start(drawn)
                ),
                part.drop(columns=[name for name in part if part[name].isna().all()]),
                n,
                0,
            )
        )
    whole = [figure for figure in found if figure.key.endswith("_all")]
    grouped = [figure for figure in found if not figure.key.endswith("_all")]
    shown, folded = (grouped, whole) if grouped else (whole, [])
    rest = [*shown[4:], *folded]
    more = [FigureGroup(f"Further curves ({plural(len(rest), 'figure')})", rest)] if rest else []
    return [*shown[:4], *more]


def _group(by: str, name: object) -> str:
    return "everybody" if name == "all" else group_title(by, name) if by else str(name)


def _test(results: pd.DataFrame | None, endpoint: str, by: str) -> str:
    """Tell the log-rank test of these groups, every method by its name."""
    if results is None or not by:
        return ""
    rows = results[(results["analysis"] == "log_rank") & (results["endpoint"] == endpoint) & (results["by"] == by)]
    known = rows[rows["p_value"].notna()]
    if known.empty:
        reasons = [brief(note) for note in rows["note"].dropna()]
        return f"No log-rank test: {reasons[0]}. " if reasons else ""
    parts = []
    for row in known.to_dict("records"):
        method = _worded(row["method"])
        floor = "" if pd.isna(row["p_floor"]) else f", smallest possible {p_text(row['p_floor'])}"
        parts.append(f"p = {p_text(row['p_value'])} ({method}{floor})")
    return f"Log-rank test: {'; '.join(dict.fromkeys(parts))}. "


def _method(curves: pd.DataFrame) -> str:
    methods = [_worded(name) for name in curves["method"].dropna().unique()]
    level = f" {100 * curves['level'].dropna().iloc[0]:.0f} %" if curves["level"].notna().any() else ""
    return f"Shaded:{level} interval, point by point ({'; '.join(methods)})." if methods else ""


def _landmark(curves: pd.DataFrame) -> str:
    day = _start(curves)
    return f"The clock starts at day {day:.0f}: only who was then at risk counts. " if day else ""


def _start(curves: pd.DataFrame) -> float:
    """Return the day on which the clock starts; 0 where that is the first dose."""
    return min((float(day) for day in curves["landmark"].dropna() if day > 0), default=0.0)


def _after_the_fact(by: str) -> str:
    if by not in ("responder", "best_response"):
        return ""
    return "Response is known only later: who responds had to live until then, which these curves do not undo."


def _estimates(results: pd.DataFrame) -> list[Any]:
    rows = results[(results["analysis"] == "kaplan_meier") & results["quantity"].isin(list(_QUANTITIES))]
    tests = results[results["analysis"] == "log_rank"]
    blocks: list[Any] = []
    if len(rows):
        headings = [
            Heading("endpoint"),
            Heading("group"),
            Heading("what"),
            Heading("subjects", "In the analysis, and their events.", True),
            Heading("estimate", "With its interval; – where the curve does not come down to it.", True),
            Heading("method"),
            Heading("note"),
        ]
        cells = [
            [
                Cell(_ENDPOINTS.get(str(row["endpoint"]), str(row["endpoint"]))),
                Cell(_named(row["by"], row["group"])),
                Cell(_QUANTITIES[str(row["quantity"])] + ("" if pd.isna(row["time"]) else f" {row['time']:.0f}")),
                number_cell(row["n"], _whole(row["n"]), f"\n{_whole(row['events'])} events"),
                _estimate(row),
                Cell(_worded(row["method"])),
                Cell(brief(row["note"])),
            ]
            for row in rows.to_dict("records")
        ]
        blocks.append(TableBlock("survival", "Medians and landmarks", "", headings, cells, rows))
    if len(tests):
        blocks.append(_tests(tests))
    return blocks


def _named(by: Any, group: Any) -> str:
    if by is None or pd.isna(by):
        return "everybody"
    return f"{column_title(str(by))}: {group_title(str(by), group)}"


def _compared(row: dict[Any, Any]) -> str:
    by, reference = str(row["by"]), row["reference"]
    against = "" if reference is None or pd.isna(reference) else f" against {group_title(by, reference)}"
    return f"{column_title(by)}: {group_title(by, row['group'])}{against}"


def _whole(value: Any) -> str:
    return "–" if value is None or pd.isna(value) else f"{int(value)}"


def _estimate(row: dict[Any, Any]) -> Cell:
    digits = 2 if row["quantity"] == "survival" else 0
    low, high = row["ci_low"], row["ci_high"]
    if pd.isna(low) and pd.isna(high):
        sub = ""
    else:
        sub = "\n" + " to ".join("–" if pd.isna(value) else signed(value, digits) for value in (low, high))
    return number_cell(row["estimate"], signed(row["estimate"], digits), sub)


def _tests(rows: pd.DataFrame) -> TableBlock:
    headings = [
        Heading("endpoint"),
        Heading("groups"),
        Heading("subjects", "In the test, and their events.", True),
        Heading("p", "Two-sided; below it the smallest that could have come out.", True),
        Heading("q", "Benjamini-Hochberg within its family.", True),
        Heading("method"),
        Heading("note"),
    ]
    cells = [
        [
            Cell(_ENDPOINTS.get(str(row["endpoint"]), str(row["endpoint"]))),
            Cell(_compared(row)),
            number_cell(row["n"], _whole(row["n"]), f"\n{_whole(row['events'])} events"),
            number_cell(
                row["p_value"],
                p_text(row["p_value"]),
                "" if pd.isna(row["p_floor"]) else f"\n≥ {p_text(row['p_floor'])}",
            ),
            number_cell(row["q_value"], p_text(row["q_value"])),
            Cell(_worded(row["method"])),
            Cell(brief(row["note"])),
        ]
        for row in rows.to_dict("records")
    ]
    return TableBlock("log_rank", "Log-rank tests", "", headings, cells, rows)


def _interval(rows: pd.DataFrame) -> str:
    """Name level and kind of the intervals of hazard ratios."""
    kinds = [part for text in rows["method"].dropna() for part in str(text).split(", ") if part.endswith(" interval")]
    level = f"{100 * rows['level'].dropna().iloc[0]:.0f} % " if rows["level"].notna().any() else ""
    named = ", ".join(named_methods(kind.removesuffix(" interval")) for kind in dict.fromkeys(kinds))
    return f"{level}interval" + (f" ({named})" if named else "")


def _cox(results: pd.DataFrame) -> list[Any]:
    rows = results[results["analysis"].isin(["cox", "cox_joint"]) & (results["quantity"] == "hazard_ratio")]
    if rows.empty:
        return []
    # The standard deviation differs between endpoints (it is in the table): one row for the same predictor.
    plain = rows["unit"].astype(object).map(lambda value: "" if pd.isna(value) else str(value))
    unit = plain.str.replace(r"^per SD \(.*\)$", "per SD", regex=True).map(lambda value: f" ({value})" if value else "")
    together = rows["analysis"].map({"cox": "", "cox_joint": ", adjusted"})
    later = rows["landmark"].map(lambda day: f" from day {day:.0f}" if not pd.isna(day) and day > 0 else "")
    label = rows["predictor"].fillna("").str.replace("_", " ") + unit + together + later
    named = rows.assign(label=label, title=rows["endpoint"].map(_ENDPOINTS))
    drawn = named[named["estimate"].notna()].head(_FOREST)
    blocks: list[Any] = []
    if len(drawn):
        more = f" The first {_FOREST} of {len(named)}; all are in the table." if len(named) > _FOREST else ""
        blocks.append(
            Figure(
                "hazard_ratios",
                "Hazard ratios (Cox)",
                f"Each predictor in a model of its own unless it says adjusted, with its {_interval(drawn)}. With "
                f"fewer than 10 events per coefficient a hazard ratio is unstable: see the table.{more}",
                figures.hazard_ratios(drawn),
                drawn.drop(columns=["label", "title"]),
                int(drawn["n"].max()),
                0,
            )
        )
    headings = [
        Heading("endpoint"),
        Heading("predictor", "And what the ratio is per."),
        Heading("subjects", "In the model, and their events.", True),
        Heading("hazard ratio", f"With its {_interval(named)}; above 1: earlier events.", True),
        Heading("per", "What the ratio is for: a step of a number, or a group against another."),
        Heading("p", "Likelihood ratio of the predictor.", True),
        Heading("q", "Benjamini-Hochberg within its family.", True),
        Heading("proportional", "p of the test of proportional hazards; small: the ratio changes with time.", True),
        Heading("events per coefficient", "Below 10 is few.", True),
        Heading("note"),
    ]
    cells = [
        [
            Cell(str(row["title"])),
            Cell(str(row["label"])),
            number_cell(row["n"], _whole(row["n"]), f"\n{_whole(row['events'])} events"),
            number_cell(row["estimate"], signed(row["estimate"]), below(row["ci_low"], row["ci_high"])),
            Cell("" if pd.isna(row["unit"]) else str(row["unit"]).removeprefix("per ")),
            number_cell(row["p_value"], p_text(row["p_value"])),
            number_cell(row["q_value"], p_text(row["q_value"])),
            number_cell(row["ph_p_value"], p_text(row["ph_p_value"])),
            number_cell(row["events_per_variable"], signed(row["events_per_variable"], 1)),
            Cell(brief(row["note"])),
        ]
        for row in named.to_dict("records")
    ]
    naive = rows["method"].fillna("").str.contains("immortal_time_biased")
    if naive.any():
        words = (
            "Some predictors were measured after the clock had started (immortal_time_biased): who has a sample had "
        )
        blocks.append(Note(words + "to live until then. They are here because they were asked for by name.", "warn"))
    blocks.append(TableBlock("cox", "Cox regression", "", headings, cells, rows))
    return blocks
