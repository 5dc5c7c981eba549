"""The best overall response of a subject, from the responses of its assessments (RECIST 1.1, section 4.4)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Best", "Rules", "best_overall", "confirmed_response"]

_SD_LIKE = ("SD", "non_CR_non_PD")


@dataclass(frozen=True)
class Rules:
    """What RECIST 1.1 and iRECIST leave to the protocol.

    Parameters
    ----------
    confirmed
        Whether CR and PR must be confirmed (RECIST 1.1 asks for it in trials that are not randomised and have response
        as the primary endpoint).
    confirm_days
        Days from the response to the assessment that confirms it, at least; of iRECIST also from iUPD to iCPD.
    sd_days
        Days since the first dose at which SD must have been seen, at least, to be a best response.
    between
        How many assessments with SD or NE may stand between a PR and the one that confirms it (of CR: NE).
    """

    confirmed: bool = False
    confirm_days: int = 28
    sd_days: int = 42
    between: int = 1


@dataclass(frozen=True)
class Best:
    """A best overall response and the day of the assessment that first showed it (None for NE)."""

    response: str
    day: int | None


def best_overall(days: Sequence[int], responses: Sequence[str], rules: Rules | None = None) -> Best:
    """Return the best overall response of one subject (section 4.4 and table 3 of RECIST 1.1).

    Parameters
    ----------
    days, responses
        Days since the first dose and overall responses of the assessments, by day. What follows a PD is not looked at.
    rules
        What the protocol says.

    Returns
    -------
    Best
        Unconfirmed, the best of CR, PR, SD, PD and NE, where SD must have been seen on `sd_days` or later.

        Confirmed, CR needs a CR `confirm_days` later or more, with nothing but CR (and `between` NE) in between; PR a
        PR or CR, with at most `between` SD or NE in between. A CR or PR that was not confirmed is SD where it, or any
        response but PD and NE, was seen on `sd_days` or later; a PR that SD follows is SD in any case. Else it is PD
        where PD followed, or where SD followed a CR; else NE.

        ``non_CR_non_PD`` stands for SD where there is no target lesion.
    """
    rules = rules or Rules()
    stop = responses.index("PD") if "PD" in responses else len(responses)
    rows = list(zip(days[:stop], responses[:stop], strict=True))
    found = confirmed_response(rows, rules) if rules.confirmed else _unconfirmed(rows)
    if found is not None:
        return found
    stable = "non_CR_non_PD" if any(response == "non_CR_non_PD" for _, response in rows) else "SD"
    controlled = ("CR", "PR", *_SD_LIKE) if rules.confirmed else _SD_LIKE
    lasting = [day for day, response in rows if response in controlled and day >= rules.sd_days]
    if lasting:
        return Best(stable, lasting[0])
    if rules.confirmed:
        for (_, first), (day, second) in itertools.pairwise(row for row in rows if row[1] != "NE"):
            if second in _SD_LIKE and first in ("CR", "PR"):
                return Best(stable, day) if first == "PR" else Best("PD", day)
    return Best("PD", days[stop]) if stop < len(responses) else Best("NE", None)


def _unconfirmed(rows: Sequence[tuple[int, str]]) -> Best | None:
    for wanted in ("CR", "PR"):
        for day, response in rows:
            if response == wanted:
                return Best(wanted, day)
    return None


def confirmed_response(rows: Sequence[tuple[int, str]], rules: Rules) -> Best | None:
    """Return the confirmed CR or PR among (day, response) before any PD, by :class:`Rules`; None without."""
    for wanted, same, other in (("CR", ("CR",), ("NE",)), ("PR", ("CR", "PR"), ("NE", *_SD_LIKE))):
        for place, (day, response) in enumerate(rows):
            if response not in same:
                continue
            passed = 0
            for later, again in rows[place + 1 :]:
                if again in same:
                    if later - day >= rules.confirm_days:
                        return Best(wanted, day)
                elif again in other and passed < rules.between:
                    passed += 1
                else:
                    break
    return None
