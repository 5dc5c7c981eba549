"""What a patient's page is made of: events, values over time, counts and the main losses and gains of one subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from microbiome.report.counting import RATE_NAMES
from microbiome.report.data import Tables
from microbiome.report.patient_changes import CHANGE_COLUMNS, LOSSES, changes_of, tumour_change
from microbiome.report.text import ALPHA_TITLES, BETA_TITLES
from microbiome.report.theme import STRAIN_COLOURS, line_safe
from microbiome.tables import OUTCOME_NAMES

__all__ = ["PatientFrames", "events_of", "frames_of", "per_sample", "split_by_subject"]

EVENT_COLUMNS = ["lane", "what", "day", "end_day", "label", "detail"]
VALUE_COLUMNS = ["panel", "series", "sample", "day", "value", "low", "high"]
_LACKED = ("depleted", "shared_depleted", "not_engrafted")
_RATES = ("engraftment_rate", "depletion_rate")
_METRICS = ("bray_curtis", "jaccard", "weighted_unifrac", "hellinger")
_SIMILARITY = {"similarity_donor": "to its donors", "similarity_baseline": "to its baseline"}


@dataclass(frozen=True)
class PatientFrames:
    """Everything about one subject, in order of time.

    Parameters
    ----------
    events
        ``lane, what, day, end_day, label, detail``: ``what`` is treatment, dose, sample, toxicity, response,
        progression, death or censored (pfs, os); days are missing where the tables give none.
    lines
        ``panel, series, sample, day, value, low, high``: change of the sum of diameters (percent), alpha diversity,
        similarity (or distance), rates.
    outcomes, strains
        ``sample, day, outcome, taxa, signed`` and ``sample, day, strain_outcome, taxa``.
    changes
        The taxa that were lost and gained, those of the largest abundance first (:func:`changes_of`).
    titles
        Panel of ``lines`` and its title.
    donor_alpha
        Median alpha diversity of the profiled samples of the donor products received; missing without.
    alpha_range
        Lowest and highest alpha diversity of the study, so that all pages have one scale.
    """

    events: pd.DataFrame
    lines: pd.DataFrame
    outcomes: pd.DataFrame
    strains: pd.DataFrame
    changes: pd.DataFrame
    titles: dict[str, str]
    donor_alpha: float = float("nan")
    alpha_range: tuple[float, ...] = ()

    def reference(self, panel: str) -> pd.Series:
        """Return values that the axis of a panel holds whatever the patient's are."""
        values = {"tumour": (-30.0, 0.0, 20.0), "alpha": self.alpha_range}.get(panel, ())
        return pd.Series(values, dtype="float64")


def split_by_subject(frame: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Return the rows of each subject; empty without a table."""
    if frame is None or frame.empty:
        return {}
    return {str(name): part for name, part in frame.groupby("subject", sort=False)}


def frames_of(tables: Tables, samples: pd.DataFrame, names: Sequence[str]) -> dict[str, PatientFrames]:
    """Return the frames of recipients or controls.

    Parameters
    ----------
    tables
        What was read.
    samples
        As :func:`microbiome.report.roster.sample_table` returns it.
    names
        Of whom.
    """
    own = samples[samples["role"] != "donor"]
    metric = next((name for name in _METRICS if name in tables.similarity), next(iter(tables.similarity), ""))
    alpha_name = _alpha_name(tables)
    parts = {
        "samples": split_by_subject(own),
        "doses": split_by_subject(tables.study.doses),
        "subjects": split_by_subject(tables.study.subjects),
        "treatments": split_by_subject(tables.treatments),
        "toxicities": split_by_subject(tables.toxicities),
        "lesions": split_by_subject(tables.lesions),
        "assessments": split_by_subject(tables.clinical.get("assessments")),
        "rates": split_by_subject(tables.rates),
        "similarity": split_by_subject(tables.similarity.get(metric)),
        "resolved": split_by_subject(tables.strains.get("resolved")),
        "changes": split_by_subject(changes_of(tables)),
    }
    alpha = (
        tables.alpha.drop_duplicates("sample").set_index("sample") if alpha_name and tables.alpha is not None else None
    )
    spread = () if alpha is None else (float(alpha[alpha_name].min()), float(alpha[alpha_name].max()))
    titles = {
        "tumour": "Sum of diameters, change from baseline (%)",
        "alpha": ALPHA_TITLES.get(alpha_name, alpha_name.replace("_", " ")),
        "similarity": _similarity_title(tables, metric),
        "rates": "Rates (with bounds)",
    }
    return {
        name: PatientFrames(
            events_of({key: part[name] for key, part in parts.items() if name in part}),
            _values({key: part[name] for key, part in parts.items() if name in part}, alpha, alpha_name),
            _outcomes(parts["rates"].get(name)),
            _strains(parts["resolved"].get(name)),
            parts["changes"].get(name, pd.DataFrame(columns=["subject", *CHANGE_COLUMNS])),
            titles,
            _donor_alpha(parts["doses"].get(name), tables, alpha, alpha_name),
            spread,
        )
        for name in names
    }


def events_of(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what happened to one subject, a row per event, lanes from top to bottom.

    Parameters
    ----------
    parts
        The subject's rows of ``treatments``, ``doses``, ``samples``, ``toxicities``, ``assessments``, ``subjects``;
        any may be absent.
    """
    rows: list[dict[str, object]] = []

    def add(lane: str, what: str, day: object, label: object = "", detail: object = "", end: object = None) -> None:
        values = (lane, what, day, end, line_safe(label), line_safe(detail))
        rows.append(dict(zip(EVENT_COLUMNS, values, strict=True)))

    for row in _rows(parts, "assessments"):
        response = _first(row, "response", "overall_response", "timepoint_response")
        if response:
            add("response", "response", row.get("day"), response, "tumour assessment")
    for row in _rows(parts, "toxicities"):
        term = row.get("term") or "irAE"
        add(f"irAE: {term}", "toxicity", row.get("day"), row.get("grade"), term, row.get("end_day"))
    for row in _rows(parts, "treatments"):
        add(str(row["kind"]), "treatment", row.get("day"), row.get("name") or "", row["kind"], row.get("end_day"))
    doses = parts.get("doses")
    if doses is not None:
        for day, group in doses.groupby("day", sort=True):
            donors = " + ".join(dict.fromkeys(str(name) for name in group["donor"]))
            products = [str(name) for name in group["donor_sample"].dropna() if name] if "donor_sample" in group else []
            add("FMT", "dose", day, donors, ", ".join(products))
    for row in _rows(parts, "samples"):
        detail = row["kind"] if row["profiled"] else f"{row['kind']}, no profile"
        add("stool sample", "sample", row.get("day"), row["sample"], detail)
    for row in _rows(parts, "subjects")[:1]:
        _follow_up(row, add)
    frame = pd.DataFrame(rows, columns=EVENT_COLUMNS)
    for column in ("day", "end_day"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    return frame


def _follow_up(row: dict[str, object], add: object) -> None:
    """Progression, death, and where each is censored."""
    if not callable(add):  # for the type checker
        return
    for kind, event, text in (("pfs", "progression", "progression-free"), ("os", "death", "alive")):
        day, happened = row.get(f"{kind}_days"), row.get(f"{kind}_event")
        if _missing(day) or _missing(happened):
            continue
        if int(str(happened)) == 1:
            add("follow-up", event, day, event, "progression or death" if kind == "pfs" else "death")
        else:
            add("follow-up", f"censored_{kind}", day, "censored", f"last known {text}")


def _values(parts: dict[str, pd.DataFrame], alpha: pd.DataFrame | None, alpha_name: str) -> pd.DataFrame:
    """Return everything that is drawn as a line, of one subject."""
    rows: list[tuple[object, ...]] = []
    nothing = float("nan")
    if "lesions" in parts:
        for row in tumour_change(parts["lesions"]).itertuples():
            rows.append(("tumour", "new lesion" if row.new_lesion else "sum", "", row.day, row.change_percent))
    elif "assessments" in parts:
        known = parts["assessments"].dropna(subset=["change_from_baseline"])
        for row in known.itertuples():
            new = "new lesion" if row.new_lesion == 1 else "sum"
            rows.append(("tumour", new, "", row.day, 100 * row.change_from_baseline))
    if alpha is not None and "samples" in parts:
        for row in parts["samples"].itertuples():
            if row.sample in alpha.index:
                rows.append(("alpha", alpha_name, row.sample, row.day, alpha.loc[row.sample, alpha_name]))
    if "similarity" in parts:
        part = parts["similarity"]
        bounded = part[list(_SIMILARITY)].notna().any(axis=None)
        for column, series in _SIMILARITY.items():
            name = column if bounded else column.replace("similarity_", "") + "_distance"
            rows += [("similarity", series, row["sample"], row["day"], row[name]) for row in _rows(parts, "similarity")]
    found = [(*row, nothing, nothing) for row in rows]
    for record in _rows(parts, "rates"):
        for name in _RATES:
            ends = [record.get(f"{name}_{end}", nothing) for end in ("low", "high")]
            found.append(("rates", name.replace("_", " "), record["sample"], record["day"], record[name], *ends))
    frame = pd.DataFrame(found, columns=VALUE_COLUMNS)
    for column in ("day", "value", "low", "high"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    return frame.dropna(subset=["day", "value"]).reset_index(drop=True)


def _outcomes(rates: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["sample", "day", "outcome", "taxa"]
    if rates is None:
        return pd.DataFrame(columns=[*columns, "signed"])
    long = rates.melt(["sample", "day"], list(OUTCOME_NAMES), "outcome", "taxa").dropna(subset=["taxa", "day"])
    long = long.assign(taxa=long["taxa"].astype(int), day=long["day"].astype(float))
    return long.assign(signed=long["taxa"].where(~long["outcome"].isin(_LACKED), -long["taxa"])).reset_index(drop=True)


def _strains(resolved: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["sample", "day", "strain_outcome", "taxa"]
    if resolved is None:
        return pd.DataFrame(columns=columns)
    counts = resolved.dropna(subset=["day"]).groupby(["sample", "day", "strain_outcome"], sort=False).size()
    frame = counts.rename("taxa").reset_index()
    rank = {name: i for i, name in enumerate(STRAIN_COLOURS)}
    frame = frame.assign(day=frame["day"].astype(float), _rank=frame["strain_outcome"].map(rank))
    return frame.sort_values(["day", "sample", "_rank"]).drop(columns="_rank").reset_index(drop=True)[columns]


def _donor_alpha(doses: pd.DataFrame | None, tables: Tables, alpha: pd.DataFrame | None, name: str) -> float:
    """Return the median over the samples of the products received; an unnamed product is all samples of its donor."""
    if doses is None or alpha is None:
        return float("nan")
    samples: set[str] = set()
    for row in doses.itertuples():
        if isinstance(row.donor_sample, str) and row.donor_sample:
            samples.add(row.donor_sample)
        else:
            samples |= set(tables.study.samples.loc[tables.study.samples["subject"] == row.donor, "sample"])
    return float(alpha.loc[alpha.index.isin(samples), name].median())


def _alpha_name(tables: Tables) -> str:
    if tables.alpha is None:
        return ""
    names = [name for name in tables.alpha if name != "sample"]
    return "shannon" if "shannon" in names else str(names[0]) if names else ""


def _similarity_title(tables: Tables, metric: str) -> str:
    if not metric:
        return ""
    frame = tables.similarity[metric]
    what = "similarity" if frame["similarity_donor"].notna().any() or not len(frame) else "distance"
    return f"{BETA_TITLES.get(metric, metric.replace('_', ' '))} {what}"


def _rows(parts: dict[str, pd.DataFrame], name: str) -> list[dict[str, object]]:
    if name not in parts:
        return []
    frame = parts[name]
    ordered = frame.sort_values("day", kind="stable") if "day" in frame else frame
    return [
        {str(key): (None if _missing(value) else value) for key, value in row.items()}
        for row in ordered.to_dict("records")
    ]


def _first(row: dict[str, object], *names: str) -> str:
    return next((str(row[name]) for name in names if row.get(name) is not None), "")


def _missing(value: object) -> bool:
    return value is None or bool(pd.isna(value))


def per_sample(frames: PatientFrames, names: Sequence[str]) -> pd.DataFrame:
    """Return a row per sample for reading: those columns of `names` that have any value, and the strains."""
    events = frames.events[frames.events["what"] == "sample"]
    table = pd.DataFrame({"sample": events["label"], "day": events["day"], "kind": events["detail"]})
    wide = frames.lines[frames.lines["sample"] != ""].pivot_table(
        index="sample", columns="series", values="value", aggfunc="first", observed=True
    )
    counts = frames.outcomes.pivot_table(index="sample", columns="outcome", values="taxa", aggfunc="sum")
    if len(counts):
        counts = counts.assign(lost=counts[[name for name in LOSSES if name in counts]].sum(axis=1))
    for extra in (wide, counts):
        if len(extra):
            table = table.merge(extra, left_on="sample", right_index=True, how="left")
    strains = {
        sample: ", ".join(f"{n} {name}" for name, n in zip(part["strain_outcome"], part["taxa"], strict=True))
        for sample, part in frames.strains.groupby("sample", sort=False)
    }
    shown = [name for name in names if name in table and table[name].notna().any()]
    told = table["sample"].map(strains).fillna("")
    table = table[["sample", "day", "kind", *shown]]
    return (table.assign(strains=told) if strains else table).reset_index(drop=True)


if set(_RATES) - set(RATE_NAMES):
    raise RuntimeError("the patient pages draw rates that the report does not know")
