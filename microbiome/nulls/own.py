"""The rate of every post sample with its own donors, and which samples can count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from microbiome.nulls.material import Material
from microbiome.nulls.recovery import pair_rates
from microbiome.nulls.schedules import schedules

__all__ = ["ELSEWHERE", "candidates", "own_rates", "strata_codes"]

_BLOCK = 512
#: Reason of a subject whose samples are not those that all have.
ELSEWHERE = "no sample in the primary analysis"


def own_rates(m: Material, posts: pd.DataFrame) -> pd.DataFrame:
    """Return the rates of each sample with all products received by then as its donor set.

    Returns
    -------
    DataFrame
        Index of `posts`; the rates of :func:`microbiome.nulls.recovery.pair_rates` (NaN without baseline; those that
        need a donor also without profiled product) and ``has_donor``.
    """
    result = pd.DataFrame(np.nan, index=posts.index, columns=list(pair_rates(*np.zeros((3, 0, 1), dtype=bool))))
    result["has_donor"] = False
    known = posts[posts["baseline_sample"].notna()]
    if known.empty:
        return result
    people = set(known["subject"]) & set(m.treated)
    sets: dict[tuple[str, int], tuple[str, ...]] = {}
    if people:
        found = schedules(m.products, sorted(people), known["day"].tolist())
        for subject, label in zip(found.subjects, found.label.tolist(), strict=True):
            for e, names in enumerate(found.sets[label]):
                sets[subject, e] = names
        epoch = found.epoch(known["day"].to_numpy())
    else:
        epoch = np.zeros(len(known), dtype=np.int64)
    for start in range(0, len(known), _BLOCK):
        part = known.iloc[start : start + _BLOCK]
        products = [sets.get((s, e), ()) for s, e in zip(part["subject"], epoch[start : start + _BLOCK], strict=True)]
        donor = np.zeros((len(part), len(m.taxa)), dtype=bool)
        for i, names in enumerate(products):
            if names:
                donor[i] = m.detected(list(names)).any(axis=0)
        found_rates = pair_rates(donor, m.detected(part["baseline_sample"]), m.detected(part["sample"]))
        has_donor = np.array([len(names) > 0 for names in products])
        for name, values in found_rates.items():
            free = name in ("depletion_rate", "baseline_recovery")
            result.loc[part.index, name] = values if free else np.where(has_donor, values, np.nan)
        result.loc[part.index, "has_donor"] = has_donor
    return result


def candidates(
    m: Material, own: pd.DataFrame, quantity: str, group: str = "treated"
) -> tuple[pd.Series, dict[str, str]]:
    """Return which posts of a group have a rate, and why subjects have none.

    Returns
    -------
    usable
        Boolean, index of the posts.
    reasons
        By subject without any usable sample, in words.
    """
    posts = m.posts
    here = posts["group"] == group
    usable = here & own[quantity].notna() & posts["stratum"].notna()
    free = quantity in ("depletion_rate", "baseline_recovery")
    reasons: dict[str, str] = {}
    everyone = m.treated if group == "treated" else m.untreated
    rows_of = {str(subject): frame for subject, frame in posts[here].groupby("subject")}
    with_rate = set(posts.loc[usable, "subject"])
    for subject in everyone:
        if subject in with_rate:
            continue
        frame = rows_of.get(subject)
        if m.stratum.get(subject) is None:
            reasons[subject] = "its stratum is not known"
        elif (frame is None or frame["baseline_sample"].isna().all()) and subject in m.shallow:
            reasons[subject] = "left out by the repair of depth: too shallow"
        elif frame is None:
            reasons[subject] = "no profiled post sample"
        elif frame["baseline_sample"].isna().all():
            reasons[subject] = "no profiled baseline"
        elif not free and not own.loc[frame.index, "has_donor"].any():
            reasons[subject] = "none of its donor products is profiled"
        else:
            reasons[subject] = "the denominator is 0"
    return usable, reasons


def strata_codes(m: Material, subjects: Sequence[str]) -> np.ndarray:
    """Return the stratum of each subject as a number."""
    names = [m.stratum[subject] or "" for subject in subjects]
    return np.unique(names, return_inverse=True)[1] if names else np.empty(0, dtype=np.int64)
