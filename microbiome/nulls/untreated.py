"""The treated against subjects who received nothing: turnover, and what would have seemed to engraft, without FMT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from microbiome.nulls.contrast import Contrast, TaxonValues, contrast_rows, taxon_rows
from microbiome.nulls.engraftment import donor_rates
from microbiome.nulls.material import Material
from microbiome.nulls.own import ELSEWHERE, candidates, strata_codes
from microbiome.nulls.recovery import BY_DONOR, subject_matrix
from microbiome.nulls.rerandomised import rerandomised
from microbiome.nulls.rows import Chosen, Plan, Row, join, listed
from microbiome.nulls.schedules import schedules
from microbiome.visits import visits

__all__ = ["HAD", "LAG_RATIO", "alone", "comparable", "lags_differ", "lost", "untreated_rows", "with_pseudo_donors"]

#: Lags that differ by no more than this factor are taken as alike.
LAG_RATIO = 1.5
#: Who counts for the loss of a taxon, in words.
HAD = "had it at the baseline"
_QUANTITIES = ("engraftment_rate", "donor_recovery", "depletion_rate", "depletion_rate_donor_absent")


def lags_differ(first: float, second: float) -> bool:
    """Tell whether two lags (days) are too different for one to be the null of the other."""
    return not second / LAG_RATIO <= first <= second * LAG_RATIO


def untreated_rows(m: Material, own: pd.DataFrame, plan: Plan) -> tuple[list[Row], bool]:
    """Return the rows of ``placebo_arm``, and whether depletion could be compared.

    The samples are those of the visits that all subjects of both groups have; visits without a sample of one of the
    groups do not count. An untreated subject has, where a rate needs a donor, the mean over the schedules of the
    treated of its stratum (pseudo-donors).

    Parameters
    ----------
    m
        The study.
    own
        Rates of the posts (:func:`microbiome.nulls.own.own_rates`).
    plan
        What was asked for.
    """
    rows: list[Row] = []
    compared = False
    for quantity in _QUANTITIES:
        usable, reasons = candidates(m, own, quantity)
        # An untreated subject has no donor of its own: its baseline is all that is needed of it.
        others, without = candidates(m, own, "depletion_rate", "untreated")
        empty = Contrast(m, quantity, "placebo_arm", permutations=plan.permutations, seed=plan.seed, reasons=reasons)
        if not usable.any():
            why = "no treated subject has a rate" if m.treated else "no subject received a dose"
            rows += contrast_rows(replace(empty, why=why), plan.levels)
            continue
        if others.any():
            chosen, why = _both(m.posts[usable | others], plan)
        else:
            why = f"no subject without doses has a rate: {listed(without)}"
        if why:
            chosen = plan.choose(m.posts[usable])
            one = alone(replace(empty, why=why), own, chosen)
        else:
            one = _filled(empty, own, chosen, without, plan)
        rows += contrast_rows(one, plan.levels)
        compared |= quantity == "depletion_rate" and not one.why
        if "taxon" in plan.levels and quantity in ("engraftment_rate", "depletion_rate"):
            rows += _taxa(one, chosen)
    return rows, compared


def alone(one: Contrast, own: pd.DataFrame, chosen: Chosen) -> Contrast:
    """Return the contrast with the rates of the treated, where there is nothing to compare them with."""
    values = chosen.means(own.loc[chosen.rows, one.quantity].to_numpy())
    return replace(
        one,
        treated=dict(zip(chosen.subjects, values.tolist(), strict=True)),
        samples=_counted(chosen),
        reasons={**one.reasons, **dict.fromkeys(chosen.analysis.left_out, ELSEWHERE)},
        analysis=chosen.analysis.note,
    )


def _counted(chosen: Chosen) -> dict[str, int]:
    """Return the number of samples of each subject."""
    return dict(zip(chosen.subjects, np.bincount(chosen.subject, minlength=len(chosen.subjects)).tolist(), strict=True))


def comparable(posts: pd.DataFrame, plan: Plan) -> bool:
    """Tell whether the samples of treated and untreated can be compared, as far as their days go.

    Parameters
    ----------
    posts
        ``subject``, ``sample``, ``day``, ``group``, ``lag``.
    plan
        What was asked for.
    """
    return set(posts["group"]) == {"treated", "untreated"} and not _both(posts, plan)[1]


def _both(posts: pd.DataFrame, plan: Plan) -> tuple[Chosen, str]:
    """Choose samples for both groups, or say why they cannot be compared."""
    shared = posts
    if plan.window is None:
        shared = posts[posts["group"].groupby(visits(posts)).transform("nunique") == 2]
    chosen = plan.choose(shared)
    sides = {str(name): frame for name, frame in posts.loc[chosen.rows].groupby("group")}
    if len(sides) < 2:
        spans = []
        for name in ("treated", "untreated"):
            days = posts.loc[posts["group"] == name, "day"]
            spans.append(f"{name}: {f'day {days.min()} to {days.max()}' if len(days) else 'none'}")
        where = "in the day window" if plan.window is not None else "of the same visits"
        return chosen, f"there are no samples {where} in both groups ({', '.join(spans)})"
    treated, untreated = (float(sides[name]["lag"].median()) for name in ("treated", "untreated"))
    if lags_differ(untreated, treated):
        return chosen, (
            f"post samples of the untreated are {untreated:g} days after the baseline, those of the treated "
            f"{treated:g} (medians)"
        )
    return chosen, ""


def _filled(one: Contrast, own: pd.DataFrame, chosen: Chosen, without: dict[str, str], plan: Plan) -> Contrast:
    """Return the contrast with a value of every subject of both groups."""
    m = one.m
    group = dict(zip(m.posts["subject"], m.posts["group"], strict=True))
    label = np.array([1 if group[s] == "treated" else 0 for s in chosen.subjects])
    reasons, without = dict(one.reasons), dict(without)
    posts = m.posts[m.posts["baseline_sample"].notna()]
    for s in {str(subject) for subject in posts["subject"]} - set(chosen.subjects):
        if group[s] in ("treated", "untreated"):
            (reasons if group[s] == "treated" else without).setdefault(s, ELSEWHERE)
    notes = []
    dealt = None
    if one.quantity in BY_DONOR:
        treated = [s for s, t in zip(chosen.subjects, label, strict=True) if t]
        rated = donor_rates(m, chosen, treated, plan)
        matrix = subject_matrix(rated.rates[one.quantity], chosen.subject, chosen.weight, len(label))
        schedule = np.full(len(label), -1)
        schedule[label == 1] = rated.found.label
        codes = strata_codes(m, chosen.subjects)
        values = with_pseudo_donors(matrix, schedule, codes)
        there = ~np.isnan(values) & (codes >= 0)
        dealt = rerandomised(matrix[there], schedule[there], codes[there], one.permutations, one.seed)
        notes.append(
            f"pseudo-donors of the untreated: every schedule of the treated, averaged; {rated.note(plan.products)}"
        )
        for i in np.flatnonzero(np.isnan(values)):
            if label[i]:
                reasons[chosen.subjects[i]] = "the denominator is 0"
            else:
                without[chosen.subjects[i]] = "no rate against any schedule of its stratum"
    else:
        values = chosen.means(own.loc[chosen.rows, one.quantity].to_numpy())
    known = [(s, float(v), int(t)) for s, v, t in zip(chosen.subjects, values, label, strict=True) if not np.isnan(v)]
    numbers = _counted(chosen)
    found = replace(
        one,
        treated={s: v for s, v, t in known if t},
        group={s: v for s, v, t in known if not t},
        stratum={s: m.stratum[s] or "" for s, _, _ in known},
        samples={s: numbers[s] for s, _, _ in known},
        reasons=reasons,
        analysis=chosen.analysis.note,
        dealt=dealt,
        notes=join(*notes, f"untreated not in it: {listed(without)}" if without else ""),
    )
    lacking = "the treated" if not found.treated else "the untreated" if not found.group else ""
    return replace(found, why=f"nobody of {lacking} has a rate") if lacking else found


def lost(m: Material, chosen: Chosen) -> tuple[np.ndarray, np.ndarray]:
    """Return the visit-averaged absence of each taxon, and whether it was in the baseline (subject x taxon)."""
    posts = m.posts.loc[chosen.rows]
    had = chosen.means(m.detected(posts["baseline_sample"]).astype(float)) > 0.5
    return 1 - chosen.means(m.detected(posts["sample"]).astype(float)), had


def with_pseudo_donors(matrix: np.ndarray, schedule: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Return the own rate of the treated, and of the untreated the mean over the schedules of the treated.

    Parameters
    ----------
    matrix
        **subject x schedule**; NaN is left out.
    schedule
        Own schedule; -1 for the untreated.
    stratum
        Stratum of each subject: pseudo-donors are those of its treated, each as often as it was given.
    """
    values = np.full(len(schedule), np.nan)
    treated = np.flatnonzero(schedule >= 0)
    values[treated] = matrix[treated, schedule[treated]]
    known = ~np.isnan(matrix)
    for s in np.unique(stratum):
        counts = np.bincount(schedule[(schedule >= 0) & (stratum == s)], minlength=matrix.shape[1]).astype(float)
        here = (schedule < 0) & (stratum == s)
        with np.errstate(invalid="ignore", divide="ignore"):
            values[here] = (np.where(known[here], matrix[here], 0) @ counts) / (known[here] @ counts)
    return values


def _taxa(one: Contrast, chosen: Chosen) -> list[Row]:
    """Return the rows of taxa: lost of those with it before, or appeared in those without it whose donors have it."""
    m = one.m
    value, had = lost(m, chosen)
    counts, among = had, HAD
    if one.quantity == "engraftment_rate":
        found = schedules(m.products, list(one.treated), chosen.days.tolist())
        # Of repeated doses, all that were received by the last sample that counts.
        sets = [m.detected(list(row[-1])).any(axis=0) if row[-1] else np.zeros(len(m.taxa), bool) for row in found.sets]
        own = dict(zip(found.subjects, found.label.tolist(), strict=True))
        anybody = np.any(sets, axis=0)
        donor = np.array([sets[own[s]] if s in own else anybody for s in chosen.subjects])
        value, counts, among = 1 - value, donor & ~had, "lacked it at the baseline and could have had it from a donor"
    parts = []
    for group in (one.treated, one.group):
        at = [i for i, s in enumerate(chosen.subjects) if s in group]
        parts.append(TaxonValues(tuple(chosen.subjects[i] for i in at), value[at], counts[at]))
    return taxon_rows(one, parts[0], parts[1], among)
