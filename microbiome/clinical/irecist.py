"""iRECIST: unconfirmed and confirmed progression under immunotherapy (10.1016/S1470-2045(17)30074-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from microbiome.clinical.best import Best, Rules, best_overall
from microbiome.clinical.lesions import Visit
from microbiome.clinical.recist import Judged, overall_response, reaches

__all__ = ["Course", "ImmuneJudged", "best_immune", "judge_immune", "progression"]

_WORDS = {
    "CR": "iCR",
    "PR": "iPR",
    "SD": "iSD",
    "non_CR_non_PD": "non_iCR_non_iUPD",
    "NE": "NE",
}
_BACK = {word: plain for plain, word in _WORDS.items()}
# Millimetres of a further increase that confirm, as of RECIST's PD: what measurements can tell apart.
_GROWTH = 5.0
_RANK = ("CR", "PR", "non_CR_non_PD", "SD", "PD")


@dataclass(frozen=True)
class ImmuneJudged:
    """An assessment and its response by iRECIST; None before the first dose and after iCPD."""

    day: int
    response: str | None
    by: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Course:
    """An iUPD that has neither been confirmed nor taken back.

    Parameters
    ----------
    day
        Day of the first iUPD.
    causes
        Categories that showed it so far: ``target``, ``non_target``, ``new_lesion``.
    total, new_total
        Smallest sums of target and of new lesions since then: further increases add up.
    last
        The last assessment that could be evaluated.
    category
        Response of target and other lesions at that time, new ones aside.
    """

    day: int
    causes: frozenset[str]
    total: float | None
    new_total: float | None
    last: Visit
    category: str


@dataclass(frozen=True)
class _New:
    """What is known of the new lesions so far."""

    there: bool = False
    count: int | None = None
    nadir: float | None = None


def judge_immune(judged: Sequence[Judged], confirm_days: int = 28, late_days: int = 56) -> list[ImmuneJudged]:
    """Return the response of each assessment of one subject by iRECIST.

    Target lesions, other lesions and new lesions progress as in RECIST 1.1, against baseline and the smallest sum so
    far, but a progression is unconfirmed at first (iUPD). It is confirmed (iCPD) at a later assessment, at least
    `confirm_days` after the first iUPD, by

    - a further increase of what showed it: the sum of the target lesions by 5 mm or more, other lesions that are
      ``larger`` (column ``non_target_change``), new lesions whose sum is 5 mm or more larger, that are ``larger`` or
      more (column ``new_lesions``). Increases since the iUPD add up;
    - or progression, as RECIST 1.1 defines it, of a category that had not shown it, a first new lesion included.

    Otherwise it stays iUPD where a category still progresses, or where the new lesions are still there and nothing has
    shrunk. Where lesions have shrunk so that iCR, iPR or iSD holds, that is the response, the iUPD is taken back and
    the bar is reset: progression has to occur again, against the smallest sum so far. With new lesions still there,
    shrunk means that the response of the target and other lesions is better than at the assessment before, or that the
    sum of target or of new lesions is 5 mm or more smaller (the paper sets no bound; 5 mm is what it asks of growth).
    iCR needs all new lesions gone. NE leaves an iUPD as it is.

    After such a reset new lesions that are known show iUPD again where there are more of them, where they are
    ``larger``, or where their sum is 20 % and 5 mm above its smallest.

    Parameters
    ----------
    judged
        As :func:`microbiome.clinical.recist.judge` returns it.
    confirm_days
        Days from the first iUPD to an assessment that may confirm it. Earlier ones cannot.
    late_days
        Later than that a confirmation is noted as late (the paper asks for 4 to 8 weeks).

    Returns
    -------
    list of ImmuneJudged
        One for each assessment.
    """
    found: list[ImmuneJudged] = []
    course: Course | None = None
    new = _New()
    over = False
    for row in judged:
        visit = row.visit
        if row.response is None or over:
            note = "after confirmed progression" if over else ""
            found.append(ImmuneJudged(visit.day, None, note=note))
            continue
        fresh = _new_progression(visit, new)
        shown = frozenset(row.progression_by) - {"new_lesion"} | ({"new_lesion"} if fresh else set())
        # The response of what baseline had, its own progression included.
        category = overall_response(row.target, "PD" if "non_target" in shown else row.non_target, False)
        category = "PR" if row.held else category
        result, after = _next(visit, row, category, shown, course, confirm_days, late_days)
        found.append(result)
        over = result.response == "iCPD"
        # What came too early to confirm is looked at again at the next assessment, as if not seen.
        if not (result.response == "iUPD" and after is course):
            new = _seen(visit, new)
        course = after
    return found


def _next(
    visit: Visit,
    row: Judged,
    category: str,
    shown: frozenset[str],
    course: Course | None,
    confirm_days: int,
    late_days: int,
) -> tuple[ImmuneJudged, Course | None]:
    """Return the response of an assessment, and the iUPD that is open after it."""
    if course is None:
        if not shown:
            return ImmuneJudged(visit.day, _WORDS[_with_new(category, row)], note=row.note), None
        opened = Course(visit.day, shown, visit.total, visit.new_total, visit, category)
        return ImmuneJudged(visit.day, "iUPD", _sorted(shown), row.note), opened
    further = _further(visit, course, shown)
    if further:
        waited = visit.day - course.day
        if waited >= confirm_days:
            late = f"confirmed {waited} days after the first iUPD, later than {late_days}" if waited > late_days else ""
            return ImmuneJudged(visit.day, "iCPD", _sorted(further), _joined(row.note, late)), course
        note = f"increase only {waited} days after the first iUPD: does not confirm before {confirm_days}"
        return ImmuneJudged(visit.day, "iUPD", _sorted(course.causes | shown), _joined(row.note, note)), course
    stays = bool(shown & {"target", "non_target"}) or (visit.new_lesion and not _shrunk(visit, course, category))
    if not stays and (category == "NE" or ("non_target" in course.causes and row.non_target == "NE")):
        return ImmuneJudged(visit.day, "NE", note=row.note), course
    if not stays:
        response = _WORDS[_with_new(category, row)]
        return ImmuneJudged(visit.day, response, note=_joined(row.note, "iUPD taken back")), None
    unknown = ""
    if "non_target" in course.causes & shown and visit.non_target_change is None:
        unknown = "whether non-target lesions are larger than before is not recorded (column non_target_change)"
    kept = replace(
        course,
        causes=course.causes | shown,
        total=_least(course.total, visit.total),
        new_total=_least(course.new_total, visit.new_total),
        last=visit,
        category=category if category != "NE" else course.category,
    )
    return ImmuneJudged(visit.day, "iUPD", _sorted(kept.causes), _joined(row.note, unknown)), kept


def _further(visit: Visit, course: Course, shown: frozenset[str]) -> frozenset[str]:
    """Return the categories that confirm an open iUPD: a further increase, or one that had not progressed before."""
    found = set(shown - course.causes)
    if "target" in course.causes and _grown(visit.total, course.total):
        found.add("target")
    if "non_target" in course.causes and visit.non_target_change == "larger":
        found.add("non_target")
    if "new_lesion" in course.causes and visit.new_lesion:
        before = course.last.new_lesions
        more = visit.new_lesions is not None and before is not None and visit.new_lesions > before
        again = not course.last.new_lesion
        if more or again or visit.new_non_target == "larger" or _grown(visit.new_total, course.new_total):
            found.add("new_lesion")
    return frozenset(found)


def _new_progression(visit: Visit, new: _New) -> bool:
    """Tell whether new lesions show progression by themselves: the first, more of them, or known ones that grow."""
    if not visit.new_lesion:
        return False
    if not new.there or visit.new_non_target == "larger":
        return True
    if visit.new_lesions is not None and new.count is not None and visit.new_lesions > new.count:
        return True
    if visit.new_total is None or new.nadir is None:
        return False
    by_share = reaches(visit.new_total, 1.2 * new.nadir, visit.new_total)
    return by_share and _grown(visit.new_total, new.nadir)


def _seen(visit: Visit, new: _New) -> _New:
    """Return what is known of the new lesions after an assessment."""
    if not visit.new_lesion:
        # Gone: one that appears later is new again.
        return _New()
    count = visit.new_lesions if visit.new_lesions is not None else new.count
    return _New(True, count, _least(new.nadir, visit.new_total))


def _shrunk(visit: Visit, course: Course, category: str) -> bool:
    """Tell whether lesions have shrunk since the assessment before, although new ones are still there."""
    better = category in _RANK and course.category in _RANK and _RANK.index(category) < _RANK.index(course.category)
    last = course.last
    return better or _grown(last.total, visit.total) or _grown(last.new_total, visit.new_total)


def _with_new(category: str, row: Judged) -> str:
    """Return the response with known new lesions still there: nothing is complete then."""
    if category != "CR" or not row.visit.new_lesion:
        return category
    return "non_CR_non_PD" if row.target is None else "PR"


def _grown(later: float | None, earlier: float | None) -> bool:
    if later is None or earlier is None:
        return False
    return reaches(later - earlier, _GROWTH, max(later, _GROWTH))


def _least(first: float | None, second: float | None) -> float | None:
    there = [value for value in (first, second) if value is not None]
    return min(there) if there else None


def _sorted(causes: frozenset[str]) -> tuple[str, ...]:
    return tuple(name for name in ("target", "non_target", "new_lesion") if name in causes)


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def progression(rows: Sequence[ImmuneJudged]) -> tuple[int, tuple[str, ...], bool] | None:
    """Return the day of progression by iRECIST, what showed it, and whether it was confirmed; None without one.

    It is the day of the first iUPD of those that iCPD confirmed, or that nothing but iUPD and NE followed. An iUPD that
    iSD, iPR or iCR followed does not count.
    """
    first: ImmuneJudged | None = None
    for row in rows:
        if row.response == "iCPD" and first is not None:
            return first.day, first.by, True
        if row.response == "iUPD":
            first = first or row
        elif row.response not in ("NE", None):
            first = None
    return (first.day, first.by, False) if first else None


def best_immune(days: Sequence[int], responses: Sequence[str], rules: Rules | None = None) -> Best:
    """Return the best overall response by iRECIST (iBOR; table 3 of the paper).

    The best of iCR, iPR and iSD before iCPD, whatever iUPD stands in between, with the rules of
    :func:`microbiome.clinical.best.best_overall`; without any, iCPD, else iUPD, else NE.

    Parameters
    ----------
    days, responses
        Days and responses of the assessments, by day. What follows iCPD is not looked at.
    rules
        What the protocol says. Between a response and its confirmation an iUPD counts as an SD or NE.
    """
    stop = responses.index("iCPD") if "iCPD" in responses else len(responses)
    plain = [_BACK.get(response, "NE") for response in responses[:stop]]
    best = best_overall(days[:stop], plain, rules)
    if best.response in _WORDS and best.response != "NE":
        return Best(_WORDS[best.response], best.day)
    if stop < len(responses):
        return Best("iCPD", days[stop])
    unconfirmed = [day for day, response in zip(days, responses, strict=True) if response == "iUPD"]
    return Best("iUPD", unconfirmed[0]) if unconfirmed else Best("NE", None)
