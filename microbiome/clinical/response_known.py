"""What is known of the response of each subject, and what of it counts for a rate."""

from __future__ import annotations

import logging

import pandas as pd

from microbiome.clinical.assessments import best_responses, plain_response
from microbiome.clinical.best import Rules
from microbiome.errors import InputError, Problem

__all__ = ["BENEFIT_DAYS", "counts", "disagreeing", "remarks", "response_rates"]

logger = logging.getLogger(__name__)

#: Six months: SD for at least that long is clinical benefit.
BENEFIT_DAYS = 183.0
# Of subjects whose response is known from the column `responder` only: CR or PR, or neither.
_RESPONDER = {"yes": "CR or PR", "no": "neither"}
_COUNTED = {"orr": ("CR", "PR", "CR or PR"), "dcr": ("CR", "PR", "SD")}


def response_rates(
    subjects: pd.DataFrame,
    lesions: pd.DataFrame | None,
    criteria: str,
    rules: Rules,
    benefit_days: float = BENEFIT_DAYS,
) -> pd.DataFrame:
    """Return what is counted of each subject.

    Returns
    -------
    DataFrame
        Indexed by subject: ``response`` (CR, PR, SD, PD or NE; where `best_response` is empty and ``responder`` is not,
        ``CR or PR`` or ``neither``) and ``benefit`` (True, False, or None where an SD is not known to have lasted or
        not). Subjects of whom neither is known are left out, and named in the log.
    """
    if lesions is not None:
        best = best_responses(lesions, subjects, criteria, rules)
        response = best["best_response"].map(plain_response)
        days = best["progression_day"].fillna(best["last_day"]).astype("Float64")
        ended = best["progression_day"].notna()
        index = pd.Index(best["subject"], name="subject", dtype=object)
        assessed = set(index)
        without = [name for name in subjects["subject"] if name not in assessed]
    else:
        absent = pd.Series(None, index=subjects.index, dtype=object)
        words = subjects.get("best_response", absent).astype(object)
        words = words.where(words.notna(), subjects.get("responder", absent).map(_RESPONDER))
        there = subjects[words.notna()]
        known = set(there["subject"])
        without = [name for name in subjects["subject"] if name not in known]
        response = words[words.notna()]
        days = pd.to_numeric(there.get("pfs_days", absent[there.index])).astype("Float64")
        ended = pd.to_numeric(there.get("pfs_event", absent[there.index])).eq(1).fillna(False)
        index = pd.Index(there["subject"], name="subject", dtype=object)
        if differ := disagreeing(subjects):
            text = "responder is not what best_response says of %s: best_response counts"
            logger.warning(text, ", ".join(differ))
    if without:
        fix = "write NE where response was to be assessed and could not be"
        logger.warning("subjects without best response are not counted: %s (%s)", ", ".join(map(str, without)), fix)
    if not len(index):
        fix = "fill best_response (CR, PR, SD, PD, NE) or responder (yes, no), or give lesions"
        raise InputError(Problem("no subject has a best response", fix, "subjects", column="best_response"))
    benefit = [_benefit(word, day, end, benefit_days) for word, day, end in zip(response, days, ended, strict=True)]
    return pd.DataFrame(
        {"response": response.to_numpy(dtype=object), "benefit": pd.Series(benefit, dtype=object).to_numpy()},
        index=index,
    )


def disagreeing(subjects: pd.DataFrame) -> list[str]:
    """Return the subjects whose ``responder`` is not yes with CR or PR, or not no with any other best response."""
    if not {"best_response", "responder"} <= set(subjects.columns):
        return []
    rows = subjects[["subject", "best_response", "responder"]].dropna()
    expected = rows["best_response"].isin(("CR", "PR")).map({True: "yes", False: "no"})
    return [str(name) for name in rows.loc[expected != rows["responder"], "subject"]]


def _benefit(response: str, days: object, ended: bool, benefit_days: float) -> bool | None:
    """Tell whether a response is clinical benefit; None for an SD that is not known to have lasted."""
    if response != "SD":
        return response in ("CR", "PR")
    if pd.isna(days):
        return None
    if float(str(days)) >= benefit_days:
        return True
    return False if ended else None


def counts(own: pd.DataFrame, quantity: str, evaluable: bool) -> tuple[int, int]:
    """Return how many of these subjects have it, and how many count.

    Whose response is known from ``responder`` only counts for the objective response rate and nothing else.
    """
    response = own["response"]
    counted = response.ne("NE") if evaluable else pd.Series(True, index=own.index)
    if quantity != "orr":
        counted &= ~response.isin(list(_RESPONDER.values()))
    if quantity == "clinical_benefit":
        has = own["benefit"].map(lambda value: value is True)
        counted &= own["benefit"].notna() if evaluable else True
    else:
        has = response.isin(_COUNTED.get(quantity, (quantity,)))
    return int((has & counted).sum()), int(counted.sum())


def remarks(own: pd.DataFrame, quantity: str, evaluable: bool, benefit_days: float) -> tuple[str, bool]:
    """Return what to know of the counts, and whether nothing can be counted."""
    coarse = int(own["response"].isin(list(_RESPONDER.values())).sum())
    if coarse == len(own) > 0 and quantity != "orr":
        return "not available: only responder is known, not best_response", True
    words = []
    if coarse:
        what = "counted by responder" if quantity == "orr" else "known as responder yes or no only and not counted"
        words.append(f"{coarse} without best_response {what}")
    if quantity == "NE" and evaluable:
        return "; ".join([*words, "left out of the denominator"]), True
    unknown = int(own["benefit"].isna().sum())
    if quantity == "clinical_benefit" and unknown:
        stable = int(own["response"].eq("SD").sum())
        if unknown == stable and not evaluable and own["benefit"].map(lambda value: value is True).sum() == 0:
            words.append(f"how long SD lasted is known of none of {stable} subjects with SD")
            return "; ".join(words), True
        what = "are left out" if evaluable else "count as without benefit"
        words.append(f"{unknown} with SD not known to have lasted {benefit_days:g} days {what}")
    return "; ".join(words), False
