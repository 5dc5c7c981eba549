"""What the clinical figures are drawn from: best changes, courses and lanes of the patients, steps of the curves."""

from __future__ import annotations

import pandas as pd

from microbiome.report.data import Tables
from microbiome.report.patient_changes import sum_changes
from microbiome.report.theme import natural_key

__all__ = [
    "best_changes",
    "best_of",
    "changes_over_time",
    "disagreements",
    "lanes",
    "response_source",
    "risk_rows",
    "steps",
]

#: Best responses by iRECIST, and without target lesions, under the words that the colours have.
_PLAIN = {"iCR": "CR", "iPR": "PR", "iSD": "SD", "iUPD": "PD", "iCPD": "PD", "non_CR_non_PD": "SD"}
_PLAIN["non_iCR_non_iUPD"] = "SD"


def best_of(tables: Tables, subjects: pd.DataFrame) -> pd.Series:
    """Return the best response of each recipient or control, in the five words of RECIST; ``NE`` where it is not known.

    That of the subjects table where the response rates are of that; else that of the lesions where there is one.
    """
    people = subjects[subjects["role"] != "donor"].set_index("subject")
    given = people["best_response"].where(people["best_response"] != "")
    found = tables.clinical.get("best_responses")
    if found is not None and len(found):
        measured = found.drop_duplicates("subject").set_index("subject")["best_response"].reindex(people.index)
        rated = _given_first(tables)
        given = given.where(given.notna(), measured) if rated else measured.where(measured.notna(), given)
    return given.replace(_PLAIN).fillna("NE").rename("best_response")


def _given_first(tables: Tables) -> bool:
    """Tell whether the response rates are of the responses given in the subjects table."""
    rates = tables.clinical.get("response")
    return rates is not None and bool((rates["criteria"] == "best_response").any())


def response_source(tables: Tables) -> str:
    """Say in words where the best responses of :func:`best_of` come from."""
    found = tables.clinical.get("best_responses")
    if found is None or found.empty:
        return "as given in the subjects table"
    if _given_first(tables):
        return "as given in the subjects table; where it has none, that of the lesions"
    return "that of the lesions; where they have none, as given in the subjects table"


def disagreements(tables: Tables) -> pd.DataFrame:
    """Return the rows of subjects whose best response by the lesions is not that of the subjects table."""
    found = tables.clinical.get("best_responses")
    return pd.DataFrame() if found is None or found.empty else found[found["agrees"] == 0]


def changes_over_time(tables: Tables) -> pd.DataFrame:
    """Return the change of the sum of diameters at every assessment from the baseline on.

    Of the table of assessments, which ends with progression, or else of the lesions. Columns ``subject, day,
    change_percent, new_lesion``.
    """
    columns = ["subject", "day", "change_percent", "new_lesion"]
    assessed = tables.clinical.get("assessments")
    if assessed is not None and len(assessed):
        counted = assessed[assessed["visit"].isin(["baseline", "on_study"]) & assessed["change_from_baseline"].notna()]
        change = 100 * counted["change_from_baseline"]
        new = counted["new_lesion"].fillna(0).astype(int)
        return counted.assign(change_percent=change, new_lesion=new)[columns].reset_index(drop=True)
    if tables.lesions is not None and len(tables.lesions):
        return sum_changes(tables.lesions).dropna(subset=["change_percent"])[columns].reset_index(drop=True)
    return pd.DataFrame(columns=columns)


def best_changes(tables: Tables, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return the best (smallest) change from baseline of each subject who has one, the largest first.

    Columns ``subject, best_change_percent, best_response, arm``.
    """
    found = tables.clinical.get("best_responses")
    if found is not None and len(found):
        change = 100 * found.drop_duplicates("subject").set_index("subject")["best_change"].astype(float)
    else:
        course = changes_over_time(tables)
        change = course[course["day"] > 0].groupby("subject")["change_percent"].min().astype(float)
    change = change.dropna()
    best, arms = best_of(tables, subjects), subjects.set_index("subject")["arm"]
    frame = pd.DataFrame({"subject": change.index.astype(str), "best_change_percent": change.to_numpy()})
    frame = frame[frame["subject"].isin(set(best.index))]
    frame = frame.assign(best_response=frame["subject"].map(best), arm=frame["subject"].map(arms))
    order = sorted(
        range(len(frame)),
        key=lambda i: (-float(frame["best_change_percent"].iloc[i]), natural_key(frame["subject"].iloc[i])),
    )
    return frame.iloc[order].reset_index(drop=True)


def lanes(tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the bars and the marks of the swimmer plot.

    Returns
    -------
    bars
        One row per recipient or control, the longest first: ``subject, arm, best_response, start`` (day 0) and ``end``,
        the last day that is known of it: overall or progression-free follow-up, or else its last sample or dose.
    marks
        ``subject, day, what`` (dose, sample, progression, death, alive at last contact, severe irAE), ``text`` and
        ``arm``.
    """
    people = subjects[subjects["role"] != "donor"].set_index("subject")
    best = best_of(tables, subjects)
    known = tables.study.subjects.drop_duplicates("subject").set_index("subject")
    rows: list[dict[str, object]] = []
    for name, day, donor in tables.study.doses[["subject", "day", "donor"]].itertuples(index=False):
        rows.append({"subject": name, "day": day, "what": "dose", "text": str(donor)})
    dated = samples[(samples["role"] != "donor") & samples["day"].notna()]
    for name, day, sample in dated[["subject", "day", "sample"]].itertuples(index=False):
        rows.append({"subject": name, "day": day, "what": "sample", "text": str(sample)})
    if tables.toxicities is not None:
        severe = tables.toxicities[(tables.toxicities["grade"] >= 3) & tables.toxicities["day"].notna()]
        for name, day, grade, term in severe[["subject", "day", "grade", "term"]].itertuples(index=False):
            text = f"grade {grade}" + (f", {term}" if isinstance(term, str) else "")
            rows.append({"subject": name, "day": day, "what": "irAE grade ≥ 3", "text": text})
    for name in people.index:
        row = known.loc[name] if name in known.index else pd.Series(dtype=object)
        for kind, event, other in (("pfs", "progression", ""), ("os", "death", "alive at last contact")):
            day, happened = row.get(f"{kind}_days"), row.get(f"{kind}_event")
            if day is None or pd.isna(day) or happened is None or pd.isna(happened):
                continue
            what = event if int(happened) == 1 else other
            # A progression on the day of death is that death.
            same = what == "progression" and row.get("os_event") == 1 and row.get("os_days") == day
            if what and not same:
                rows.append({"subject": name, "day": day, "what": what, "text": ""})
    marks = pd.DataFrame(rows, columns=["subject", "day", "what", "text"])
    marks = marks[marks["subject"].isin(set(people.index))].assign(day=lambda frame: frame["day"].astype(float))
    last = marks.groupby("subject")["day"].max()
    for kind in ("pfs_days", "os_days"):
        if kind in known:
            last = pd.concat([last, known[kind].dropna().astype(float)]).groupby(level=0).max()
    end = people.index.map(last).astype("float64")
    bars = pd.DataFrame(
        {"subject": people.index, "arm": people["arm"], "best_response": best, "start": 0.0, "end": end}
    )
    bars = bars.dropna(subset=["end"])
    order = sorted(range(len(bars)), key=lambda i: (-float(bars["end"].iloc[i]), natural_key(bars["subject"].iloc[i])))
    marks = marks.assign(arm=marks["subject"].map(people["arm"]))
    return bars.iloc[order].reset_index(drop=True), marks.reset_index(drop=True)


def steps(curves: pd.DataFrame) -> pd.DataFrame:
    """Return curves with a row at the start of each group, if it has none: survival 1, everybody at risk."""
    rows = [curves.dropna(subset=["survival"])]
    for (_, _, _), part in curves.groupby(["endpoint", "by", "group"], dropna=False, sort=False):
        known = part.dropna(subset=["survival"]).sort_values("day")
        if len(known) and float(known["day"].iloc[0]) > 0:
            first = known.iloc[[0]]
            start = first.assign(day=0.0, survival=1.0, ci_low=1.0, ci_high=1.0, events=0, censored=0)
            rows.append(start)
    return pd.concat(rows, ignore_index=True).sort_values(["endpoint", "day"], kind="stable").reset_index(drop=True)


def risk_rows(curves: pd.DataFrame, days: list[float]) -> pd.DataFrame:
    """Return the numbers at risk of each group just before each of `days`: ``group, day, at_risk``."""
    rows = []
    for group, part in curves.groupby("group", sort=False):
        ordered = part.dropna(subset=["at_risk"]).sort_values("day")
        for day in days:
            later = ordered[ordered["day"] >= day]
            number = int(later["at_risk"].iloc[0]) if len(later) else 0
            rows.append({"group": str(group), "day": float(day), "at_risk": number})
    return pd.DataFrame(rows, columns=["group", "day", "at_risk"])
