"""Predictors of survival: from columns of the subjects table, or from samples up to the day the clock starts."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.clinical.cox_parts import Term
from microbiome.clinical.endpoints import Clock
from microbiome.errors import Problem
from microbiome.subject_groups import as_groups, no_such_column, ordered
from microbiome.visits import visits

__all__ = ["SCALES", "TRANSFORMS", "Values", "cut_in_two", "make_term", "sampled", "values_at"]

logger = logging.getLogger(__name__)

#: What a hazard ratio of a number is per.
SCALES = ("sd", "unit")
#: What is done to numbers before: nothing, log10 (0 as half of the smallest value above 0), or whether above 0.
TRANSFORMS = ("none", "log10", "presence")
_KEYS = ("subject", "sample", "day")
# More levels than that are no groups, but names.
_MOST_LEVELS = 10


@dataclass(frozen=True)
class Values:
    """Predictors taken from samples.

    Parameters
    ----------
    table
        **subject x predictor**, NaN where missing.
    clock
        From when times count.
    words
        Which samples they are taken from.
    lacking
        Why a subject that is not in `table` does not count.
    """

    table: pd.DataFrame
    clock: Clock
    words: str
    lacking: str


def sampled(
    frame: pd.DataFrame,
    samples: pd.DataFrame | None,
    names: Sequence[str],
    problems: list[Problem],
    source: str = "features",
) -> pd.DataFrame:
    """Return numbers per sample with the subject and day of each.

    Parameters
    ----------
    frame
        One row per sample: a table with a column ``sample`` (rates, alpha, ...) or **sample x feature** with the
        samples as index (a profile). Columns ``subject`` and ``day`` are used where they are there, else `samples` is.
    samples
        Samples table; samples of donors are left out.
    names
        Columns to take; all numbers when empty.
    problems
        Added to when a name is unknown, a column holds no numbers, or the samples are not known.
    source
        Name of the table in messages.

    Returns
    -------
    DataFrame
        ``subject``, ``sample``, ``day``, then the numbers; rows without subject or day left out.
    """
    table = frame if "sample" in frame else frame.rename_axis(index="sample").reset_index()
    if table["sample"].duplicated().any():
        value = str(table.loc[table["sample"].duplicated(), "sample"].iloc[0])
        problems.append(Problem(f"sample {value!r} stands twice", "keep one row", source, column="sample", value=value))
    known = [str(name) for name in table if name not in (*_KEYS, "baseline_sample")]
    wanted = list(dict.fromkeys(names))
    problems += [no_such_column(name, known, "predictor", source) for name in wanted if name not in known]
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in wanted or known if name in known}
    for name, column in list(numbers.items()):
        wrong = table[name].notna() & (table[name].astype(str) != "") & ~np.isfinite(column.astype(float))
        if wrong.any():
            value = str(table.loc[wrong, name].iloc[0])
            if wanted:
                words = f"column {name!r} has {value!r}, which is not a finite number"
                problems.append(Problem(words, "choose a column of numbers", source, column=name, value=value))
            del numbers[name]
    place = {name: table[name] for name in ("subject", "day") if name in table}
    if samples is not None:
        by_sample = samples.drop_duplicates("sample").set_index("sample")
        for name in ("subject", "day"):
            place.setdefault(name, table["sample"].map(by_sample[name]))
        roles = by_sample["role"] if "role" in by_sample else pd.Series(dtype=object)
        donor = table["sample"].map(roles).eq("donor").to_numpy()
        if not table["sample"].isin(by_sample.index).any():
            words = "none of its samples is in the samples table"
            problems.append(Problem(words, "give the samples table of the same study", source, column="sample"))
    elif len(place) < 2:
        words = "nothing says whose the samples are, or of which day"
        problems.append(Problem(words, "give the samples table (--samples)", source, column="samples"))
        place = {"subject": pd.Series(None, index=table.index), "day": pd.Series(math.nan, index=table.index)}
        donor = np.zeros(len(table), dtype=bool)
    else:
        donor = np.zeros(len(table), dtype=bool)
    day = pd.to_numeric(place["day"], errors="coerce").astype("Float64").astype(float)
    head = pd.DataFrame({"subject": place["subject"].astype(object), "sample": table["sample"], "day": day})
    body = pd.DataFrame({name: column.astype(float) for name, column in numbers.items()}, index=table.index)
    there = head["subject"].notna() & head["day"].notna() & ~donor
    lost = head.loc[~there.to_numpy() & ~donor, "sample"].astype(str).tolist()
    if lost and there.any():
        logger.warning("%d samples of %s without subject or day are left out: %s", len(lost), source, ", ".join(lost))
    return pd.concat([head, body], axis=1)[there.to_numpy()]


def values_at(
    features: pd.DataFrame,
    window: Sequence[float] | None,
    landmark: float | None,
    naive: bool,
    problems: list[Problem],
) -> Values:
    """Return one value per subject, from samples of the window that were there when the clock starts.

    Parameters
    ----------
    features
        As :func:`sampled` returns it.
    window
        First and last day. None: the last sample with day <= 0 of each subject where there are such samples, else the
        samples of the first visit (:func:`microbiome.visits.visits`).
    landmark
        Day on which the clock starts; None for the last day of the window, and 0 where that is before FMT.
    naive
        Count from day 0 what is known only later.
    problems
        Added to when the window is no window, or all of its samples are later than the landmark.
    """
    names, found = [name for name in features if name not in _KEYS], len(problems)
    if window is not None and (len(window) != 2 or not window[0] <= window[1]):
        text = " ".join(f"{day:g}" for day in window)
        problems.append(Problem(f"window {text!r} is not a first and a last day", "give two days", column="window"))
        return Values(features.iloc[:0].set_index("subject")[names], Clock(), "", "")
    before = features[features["day"] <= 0].sort_values("day", kind="stable")
    if window is None and len(before):
        table = before.drop_duplicates("subject", keep="last").set_index("subject")[names]
        return Values(
            table, Clock(landmark or 0.0), "from the last sample with day <= 0", "without a sample with day <= 0"
        )
    if window is None and len(features):
        first = features.loc[visits(features) == 1, "day"]
        low, high = float(first.min()), float(first.max())
    else:
        low, high = (float(window[0]), float(window[1])) if window is not None else (0.0, 0.0)
    start = max(high, 0.0) if landmark is None else landmark
    inside = features[features["day"].between(low, high)]
    notes: tuple[str, ...] = ()
    when = f"from day {low:g} to {high:g}" if low < high else f"on day {low:g}"
    if naive and high > 0:
        words = f"samples {when} count from day 0 on: whoever has one was immortal until then, the result is biased"
        clock, lacking = Clock(0.0, True, (words,)), f"without a sample {when}"
    else:
        late = inside["day"] > start
        if late.any() and late.all():
            problems.append(
                Problem(
                    f"the samples {when} cannot count from day {start:g} on: whoever has one was immortal until then "
                    "(immortal time)",
                    "give a later landmark or none, an earlier window, or ask for the biased analysis (--naive)",
                    column="landmark",
                    value=f"{start:g}",
                )
            )
        notes = (f"{int(late.sum())} samples later than day {start:g} do not count",) if late.any() else ()
        inside = inside[~late]
        clock, lacking = Clock(start, notes=notes), f"without a sample {when}"
    if inside.empty and len(problems) == found:
        lie = f"samples lie from day {features['day'].min():g} to {features['day'].max():g}" if len(features) else ""
        problems.append(Problem(f"there is no sample {when}", lie or "there are no samples", column="window"))
    table = inside.groupby("subject", sort=False)[names].mean()
    several = int((inside["subject"].value_counts() > 1).sum())
    words = f"samples {when}" + (f", their mean in {several} subjects with several" if several else "")
    return Values(table, clock, words, lacking)


def cut_in_two(values: pd.Series, percentile: float) -> tuple[pd.Series, float]:
    """Return whether values are above a percentile of them (linear interpolation, R ``quantile``), and where that lies.

    Parameters
    ----------
    values
        Numbers of all subjects that have one; NaN stays missing.
    percentile
        Between 0 and 100, chosen beforehand: the one that separates best is not offered, for searching it finds
        "significant" differences where there are none (Altman 1994, 10.1093/jnci/86.11.829).

    Returns
    -------
    labels
        ``high`` above, ``low`` at or below; None where missing.
    threshold
        The value cut at.
    """
    there = values.dropna()
    threshold = float(np.percentile(there, percentile)) if len(there) else math.nan
    labels = pd.Series(np.where(values > threshold, "high", "low"), index=values.index, dtype=object)
    return labels.where(values.notna(), None), threshold


def make_term(
    name: str,
    values: pd.Series,
    scale: str = "sd",
    transform: str = "none",
    cut: tuple[pd.Series, float, float] | None = None,
    categorical: Collection[str] = (),
    order: Sequence[str] = (),
) -> Term | str:
    """Return the columns of a predictor, or in words why there are none.

    Parameters
    ----------
    name
        The predictor.
    values
        Of the subjects analysed, none missing.
    scale
        A number counts per standard deviation of these subjects (``sd``) or as it is (``unit``).
    transform
        Of numbers (:data:`TRANSFORMS`).
    cut
        Labels of :func:`cut_in_two` (of more subjects than these), the percentile and the threshold.
    categorical
        Numbers that are groups.
    order
        Levels in order, the reference first.
    """
    text = as_groups(values)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    numeric = bool(np.isfinite(numbers).all()) and name not in categorical
    note = ""
    if numeric and cut is not None:
        labels, percentile, threshold = cut
        text, levels = labels.reindex(values.index), ["low", "high"]
        note = f"high: above {threshold:.4g}, the {percentile:g}th percentile, which must be chosen beforehand"
        there = [level for level in levels if (text == level).any()]
        if len(there) < 2:
            return f"all are {there[0]}, cut at {threshold:.4g}" if there else "no subject has a value"
        return _groups(name, text, levels, note)
    if numeric and transform == "presence":
        text = pd.Series(np.where(numbers > 0, "present", "absent"), index=values.index)
        return _groups(name, text, ["absent", "present"], note)
    if numeric and numbers.nunique() > 2:
        if transform == "log10":
            if (numbers < 0).any():
                return f"{name} has values below 0, of which there is no logarithm"
            least = float(numbers[numbers > 0].min()) / 2
            note = f"log10, 0 as {least:.3g} (half of the smallest value above 0)" if (numbers == 0).any() else "log10"
            numbers = np.log10(numbers.where(numbers > 0, least))
        spread = float(numbers.std(ddof=1))
        logs = "log10 " if transform == "log10" else ""
        if scale == "sd":
            return Term(
                name, (numbers / spread).to_numpy()[:, None], units=(f"per SD ({logs}{spread:.4g})",), note=note
            )
        return Term(name, numbers.to_numpy()[:, None], units=(f"per {logs}unit",), note=note)
    levels = ordered(text, order)
    if numeric:
        text = numbers.map("{:g}".format)
        levels = [f"{number:g}" for number in sorted(numbers.unique())]
        levels = sorted(levels, key=lambda level: order.index(level) if level in order else len(order))
    if len(levels) > _MOST_LEVELS:
        return f"{name} has {len(levels)} different words, too many to be groups"
    return _groups(name, text, levels, note)


def _groups(name: str, text: pd.Series, levels: Sequence[str], note: str) -> Term | str:
    there = [level for level in levels if (text == level).any()]
    if len(there) < 2:
        return f"{name} is {there[0]} in all" if there else "no subject has a value"
    own = np.column_stack([(text == level).to_numpy(dtype=float) for level in there[1:]])
    units = tuple(f"{level} / {there[0]}" for level in there[1:])
    return Term(name, own, tuple(there[1:]), there[0], units, note)
