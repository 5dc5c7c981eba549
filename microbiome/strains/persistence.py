"""The same strain in two samples of one person: how long strains stay, with and without FMT."""

from __future__ import annotations

import itertools

import pandas as pd

from microbiome.stats import proportion_interval
from microbiome.strains.calls import counts_of_links, pair_calls
from microbiome.strains.rate_tables import STRAIN_PERSISTENCE
from microbiome.study import Study
from microbiome.validation import typed

__all__ = ["strain_persistence"]


def strain_persistence(
    study: Study, shared: pd.DataFrame, method: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Return, for every two samples of one person, how many taxa have the same strain in both.

    Recipients and controls at all times, and the lots of a donor. ``doses_between`` tells the pairs that show how long
    strains stay by themselves (0) from those with an FMT between; products of one day are one dose.

    Parameters
    ----------
    study
        The study.
    shared
        Columns of :data:`microbiome.strains.tables.STRAIN_SHARED`.
    method
        Which distance of `shared` to use (:func:`microbiome.strains.calls.pair_calls`).
    level
        Confidence level of the interval over the taxa of a pair.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.strains.rate_tables.STRAIN_PERSISTENCE`, one row per pair of samples of a person,
        also where nothing could be compared (rate missing). By person in the order of the samples table; a recipient's
        samples by day, a donor's as they stand in the table. The interval (Clopper-Pearson) takes the taxa of one pair
        for independent, and says nothing of other people: for that, average over subjects.

    Raises
    ------
    InputError
        As :func:`microbiome.strains.calls.pair_calls`.
    """
    calls = pair_calls(shared, study.samples["sample"].tolist(), method)
    doses = study.doses.groupby("subject")["day"].apply(lambda days: sorted(set(map(int, days)))).to_dict()
    rows: list[dict[str, object]] = []
    for subject, own in study.samples.groupby("subject", sort=False):
        for (one, role, first), (other, _, second) in itertools.combinations(_dated(own), 2):
            dated = first is not None and second is not None
            rows.append(
                {
                    "subject": subject,
                    "role": role,
                    "sample_1": one,
                    "sample_2": other,
                    "day_1": first,
                    "day_2": second,
                    "days_apart": second - first if first is not None and second is not None else None,
                    "doses_between": _between(doses.get(subject, []), first, second) if dated else 0,
                    "method": calls.method,
                }
            )
    links = pd.DataFrame(
        [(i, row["sample_1"], row["sample_2"]) for i, row in enumerate(rows)], columns=["row", "one", "other"]
    )
    counted = counts_of_links(calls, links, len(rows))
    for i, row in enumerate(rows):
        compared, same = int(counted["compared"][i]), int(counted["same"][i])
        interval = proportion_interval(same, compared, level=level)
        row |= {"taxa_compared": compared, "taxa_same_strain": same, "taxa_uncalled": int(counted["uncalled"][i])}
        row |= {"same_strain_rate": interval.estimate, "ci_low": interval.low, "ci_high": interval.high}
    index = pd.RangeIndex(len(rows))
    columns = {}
    for column in STRAIN_PERSISTENCE.columns:
        cells = [row[column.name] for row in rows]
        columns[column.name] = typed([None if cell != cell else cell for cell in cells], column.kind, index)
    return pd.DataFrame(columns, index=index)


def _dated(own: pd.DataFrame) -> list[tuple[str, str, int | None]]:
    """Return (sample, role, day) of one person's samples by day, those without a day as they stand, last."""
    days = [None if pd.isna(day) else int(day) for day in own["day"]]
    rows = list(zip(own["sample"], own["role"], days, strict=True))
    return sorted(rows, key=lambda row: (row[2] is None, 0 if row[2] is None else row[2]))


def _between(doses: list[int], first: int | None, second: int | None) -> int:
    """Count the doses given after one sample and before the other; that of day 0 is given after the sample."""
    if first is None or second is None:
        return 0
    before, after = (sum(dose <= day for dose in doses) if day > 0 else 0 for day in (first, second))
    return after - before
