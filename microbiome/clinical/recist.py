"""RECIST 1.1: the response of each tumour assessment (10.1016/j.ejca.2008.10.026)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microbiome.clinical.best import Rules, confirmed_response
from microbiome.clinical.lesions import Visit, baseline_of

__all__ = ["Judged", "judge", "overall_response", "reaches", "target_response"]

# Sums are decimals that binary fractions miss: 70.07 is 70 % of 100.1. A difference below this share is none.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Judged:
    """An assessment and its response by RECIST 1.1.

    Parameters
    ----------
    visit
        The assessment.
    kind
        ``before`` (earlier than baseline), ``baseline``, ``on_study`` or ``after_progression``.
    nadir
        Smallest sum before it, baseline included; None where none was measured.
    target, non_target
        Response of the target lesions and status of the others, None without such lesions at baseline.
    response
        Overall response; None up to baseline.
    progression_by
        What shows PD: of ``target``, ``non_target``, ``new_lesion``.
    note
        What to know of it.
    held
        Whether it is PR only because an earlier PR was confirmed.
    """

    visit: Visit
    kind: str
    nadir: float | None = None
    target: str | None = None
    non_target: str | None = None
    response: str | None = None
    progression_by: tuple[str, ...] = ()
    note: str = ""
    held: bool = False


def reaches(value: float, bound: float, scale: float) -> bool:
    """Tell whether value >= bound, numbers that differ by rounding (1e-9 of `scale`) being equal."""
    return value >= bound - _ROUNDING * scale


def target_response(
    total: float | None,
    baseline: float,
    nadir: float,
    nodes_normal: bool = False,
    cr_total: float | None = None,
) -> str:
    r"""Return the response of the target lesions at one assessment.

    With the sum of diameters :math:`s`, that of baseline :math:`b` and the smallest before :math:`m`:

    - CR: :math:`s = 0`, or only normal lymph nodes are left;
    - PD: :math:`s \ge 1.2\,m` and :math:`s - m \ge 5` mm; or disease after an overall CR that left none;
    - PR: :math:`s \le 0.7\,b`;
    - SD: neither.

    CR is looked at first and PD before PR: a sum may be 30 % below baseline and yet 20 % above the nadir.

    Parameters
    ----------
    total
        The sum in mm; None where not all target lesions were measured, which gives NE.
    baseline, nadir
        Sums of baseline (above 0) and the smallest before this assessment, baseline included.
    nodes_normal
        All that is left are lymph nodes with a short axis below 10 mm.
    cr_total
        Sum at an earlier overall CR; None without one. Where nodes made it more than 0, the rule of 20 % and 5 mm
        goes on.

    Returns
    -------
    str
        ``CR``, ``PR``, ``SD``, ``PD`` or ``NE``. Both bounds belong to PR and PD (exactly 30 %; exactly 20 % and 5 mm).
    """
    if total is None:
        return "NE"
    if total == 0 or nodes_normal:
        return "CR"
    if cr_total == 0:
        return "PD"
    if reaches(total, 1.2 * nadir, total) and reaches(total - nadir, 5, max(total, 5)):
        return "PD"
    return "PR" if reaches(0.7 * baseline, total, baseline) else "SD"


def overall_response(target: str | None, non_target: str | None, new_lesion: bool) -> str:
    """Return the overall response of one assessment (tables 1 and 2 of RECIST 1.1).

    Parameters
    ----------
    target
        ``CR``, ``PR``, ``SD``, ``PD``, ``NE``; None without target lesions at baseline.
    non_target
        ``CR``, ``non_CR_non_PD``, ``PD``, ``NE``; None without other lesions at baseline.
    new_lesion
        Whether there is a new lesion.

    Returns
    -------
    str
        PD where anything progresses. Else NE where not all target lesions were measured; CR where all of both is gone;
        PR where target lesions are gone and others remain or were not all evaluated; else the response of the target
        lesions. Without target lesions: CR, ``non_CR_non_PD`` or NE, as the others; NE without any lesion.
    """
    if new_lesion or "PD" in (target, non_target):
        return "PD"
    if target is None:
        return non_target or "NE"
    if target == "CR":
        return "CR" if non_target in ("CR", None) else "PR"
    return target


def judge(visits: Sequence[Visit], rules: Rules | None = None) -> list[Judged]:
    """Return the response of each assessment of one subject, in the order of the days.

    Baseline is the last assessment with day <= 0. A sum above 0 there makes target lesions, a status there or at an
    assessment since makes other lesions. Without baseline every assessment is NE. Assessments after the first PD have
    their response and ``after_progression``. A PR that was confirmed, as `rules` say, stays PR until progression, also
    where the sum is no longer 30 % below baseline (the RECIST working group's answer to that question; `target` is
    then SD).
    """
    ordered = sorted(visits, key=lambda visit: visit.day)
    baseline = baseline_of(ordered)
    if baseline is None:
        note = "no baseline: no assessment with day <= 0"
        return [Judged(visit, "on_study", response="NE", note=note) for visit in ordered]
    has_target = bool(baseline.total)
    has_other = baseline.non_target is not None
    start = nadir = baseline.total or 0.0
    judged: list[Judged] = []
    cr_total: float | None = None
    seen_cr = progressed = False
    since: list[tuple[int, str]] = []
    rules = rules or Rules()
    for visit in ordered:
        if visit.day <= 0:
            kind = "baseline" if visit is baseline else "before"
            judged.append(Judged(visit, kind, note=_of_baseline(has_target, has_other) if kind == "baseline" else ""))
            continue
        notes = []
        target = None
        if has_target:
            target = target_response(visit.total, start, nadir, visit.nodes_normal, cr_total)
            if target == "NE":
                notes.append("not all target lesions measured")
        has_other = has_other or visit.non_target is not None
        other = (visit.non_target or "NE") if has_other else None
        if has_other and visit.non_target is None:
            notes.append("no status of the non-target lesions: taken as not evaluated")
        back = seen_cr and other == "non_CR_non_PD"
        response = overall_response(target, "PD" if back else other, visit.new_lesion)
        if back or (cr_total == 0 and target == "PD"):
            notes.append("disease after complete response")
        holds = response == "SD" and confirmed_response(since, rules) is not None
        if holds:
            response = "PR"
            notes.append("PR was confirmed: it stays PR until progression")
        causes = {"target": target == "PD", "non_target": back or other == "PD", "new_lesion": visit.new_lesion}
        judged.append(
            Judged(
                visit,
                "after_progression" if progressed else "on_study",
                nadir if has_target else None,
                target,
                other,
                response,
                tuple(name for name, shows in causes.items() if shows),
                "; ".join(notes),
                holds,
            )
        )
        since = [] if response == "PD" else [*since, (visit.day, response)]
        progressed = progressed or response == "PD"
        if response == "CR":
            seen_cr, cr_total = True, visit.total if has_target else None
        if visit.total is not None:
            nadir = min(nadir, visit.total)
    return judged


def _of_baseline(has_target: bool, has_other: bool) -> str:
    if has_target:
        return ""
    if has_other:
        return "no target lesions: CR, non_CR_non_PD or PD"
    return "no lesions at baseline: only a new lesion can be seen"
