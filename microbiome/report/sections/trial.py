"""Section on the trial itself: who, when, which donor."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Fact,
    Figure,
    Note,
    Section,
    TableBlock,
    counts,
    listed,
    plural,
    table_of,
)
from microbiome.report.data import Tables
from microbiome.report.roster import doses_by_day, profiled_samples
from microbiome.study import donor_products, post_samples

__all__ = ["glance"]


def glance(tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame) -> Section:
    """Make the section with the numbers of the trial, gaps, the timeline, and a row per subject."""
    patients = subjects[subjects["role"] != "donor"]
    donors = subjects[subjects["role"] == "donor"]
    blocks: list[Any] = _gaps(tables, subjects, samples)
    if len(patients):
        blocks += [_timeline(tables, patients, samples), _people(patients)]
    if len(donors):
        blocks.append(_donors(tables, donors))
    return Section("glance", "The trial at a glance", (), blocks, _facts(tables, patients, donors, samples))


def _facts(tables: Tables, patients: pd.DataFrame, donors: pd.DataFrame, samples: pd.DataFrame) -> list[Fact]:
    own = samples[samples["role"] != "donor"]
    arms = patients["arm"].value_counts(sort=False)
    by_arm = (
        ", ".join(f"{n} {arm}" for arm, n in arms.items()) if len(arms) > 1 else str(arms.index[0]) if len(arms) else ""
    )
    post = int((own["kind"] == "post").sum())
    facts = [
        Fact(f"{len(patients):,}", "subject" if len(patients) == 1 else "subjects", by_arm),
        Fact(
            f"{len(donors):,}",
            "donor" if len(donors) == 1 else "donors",
            plural(int((samples["role"] == "donor").sum()), "sample"),
        ),
        Fact(f"{len(own):,}", "samples of subjects", f"{post} after the first dose"),
        Fact(
            f"{len(tables.study.doses):,}",
            "donor products given",
            f"to {plural(int((patients['products'] > 0).sum()), 'subject')}",
        ),
    ]
    followed = patients.loc[patients["post"] > 0, "last_day"].dropna().astype(float)
    if len(followed):
        low, high = int(followed.min()), int(followed.max())
        span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        facts.append(
            Fact(
                f"{followed.median():,.0f}",
                "days to the last sample (median)",
                "the same for all" if low == high else f"range {span}",
            )
        )
    response = patients[patients["response"] != "response unknown"]
    if len(response):
        yes = int((response["response"] == "responder").sum())
        facts.append(
            Fact(f"{yes:,}", "responder" if yes == 1 else "responders", f"of {len(response)} whose response is known")
        )
    return facts


def _gaps(tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame) -> list[Any]:
    """Name what is missing in the data: said first, since it bounds everything below."""
    profiled = profiled_samples(tables)
    items = []
    without = samples.loc[~samples["profiled"], "sample"]
    if len(without):
        items.append(f"Without a profile: {plural(len(without), 'sample')} ({listed(list(without))}).")
    posts = post_samples(tables.study, profiled)
    no_baseline = posts.loc[posts["baseline_sample"].isna(), "subject"].unique()
    if len(no_baseline):
        items.append(
            f"No profiled baseline, hence no outcomes: {plural(len(no_baseline), 'subject')} "
            f"({listed(list(no_baseline))})."
        )
    patients = subjects[subjects["role"] != "donor"]
    no_post = patients.loc[patients["post"] == 0, "subject"]
    if len(no_post):
        items.append(f"No sample after the first dose: {plural(len(no_post), 'subject')} ({listed(list(no_post))}).")
    products = donor_products(tables.study, profiled)
    lacking = products[~products["profiled"]]
    if len(lacking):
        names = [
            f"{donor}: {sample or 'no sample'}"
            for donor, sample in lacking[["donor", "donor_sample"]].drop_duplicates().itertuples(index=False)
        ]
        items.append(
            f"Donor products received that have no profile: {len(names)} ({listed(names)}), given to "
            f"{plural(lacking['subject'].nunique(), 'subject')}."
        )
    undated = samples.loc[samples["kind"] == "no day", "sample"]
    if len(undated):
        items.append(
            f"Without a day, hence in no figure over time: {plural(len(undated), 'sample')} ({listed(list(undated))})."
        )
    return [Note("What the data lack:", "warn", items)] if items else []


def _timeline(tables: Tables, patients: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    own = samples[samples["role"] != "donor"]
    doses = doses_by_day(tables)
    chart = figures.timeline(
        own[["sample", "subject", "day", "kind", "profiled"]],
        doses,
        patients[["subject", "arm", "response", "best_response"]],
    )
    events = [frame for frame in (own.assign(what="sample"), doses.assign(what="dose")) if len(frame)]
    data = pd.concat(events, ignore_index=True)
    columns = ["what", "subject", "day", "sample", "kind", "profiled", "arm", "response", "donors", "products"]
    response = "On the right the best response, where it is known. " if (patients["best_response"] != "").any() else ""
    return Figure(
        "timeline",
        "Samples and doses over time",
        "A row per subject: samples on the line, doses just below it in the colour and shape of their donor (donors "
        f"of one day are joined by +). {response}The baseline is the last profiled sample on or before day 0.",
        chart,
        data.reindex(columns=columns),
        own["subject"].nunique(),
        len(own),
    )


def _people(patients: pd.DataFrame) -> TableBlock:
    frame = patients[
        [
            "subject",
            "arm",
            "response",
            "best_response",
            "samples",
            "profiled",
            "before",
            "post",
            "first_day",
            "last_day",
            "dose_days",
            "products",
            "donors",
        ]
    ]
    unknown = {"best_response": "", "response": "response unknown"}
    frame = frame.drop(columns=[name for name, word in unknown.items() if (frame[name] == word).all()])
    meanings = {
        "arm": "Arm of the trial; the role where the subjects table has no arm.",
        "response": "From responder, else best_response: CR and PR respond.",
        "profiled": "Samples with a profile.",
        "before": "Samples with day <= 0.",
        "post": "Samples with day > 0.",
        "first_day": "Day of the first sample.",
        "last_day": "Day of the last sample.",
        "dose_days": "Days with a dose.",
        "products": "Donor products received (rows of the doses table).",
        "donors": "Donors of these products.",
    }
    return table_of(
        "subjects", "Subjects", "", frame, None, meanings, size=counts(len(frame), int(frame["samples"].sum()))
    )


def _donors(tables: Tables, donors: pd.DataFrame) -> TableBlock:
    doses = tables.study.doses
    given = doses.groupby("donor")
    frame = donors[["subject", "samples", "profiled"]].rename(columns={"subject": "donor"}).reset_index(drop=True)
    frame["recipients"] = frame["donor"].map(given["subject"].nunique()).fillna(0).astype(int)
    frame["products"] = frame["donor"].map(given.size()).fillna(0).astype(int)
    meanings = {
        "profiled": "Samples with a profile.",
        "recipients": "Subjects who received a product of this donor.",
        "products": "Products given (rows of the doses table).",
    }
    return table_of("donors", "Donors", "", frame, None, meanings, size=counts(len(frame), int(frame["samples"].sum())))
