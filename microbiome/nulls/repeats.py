"""Turnover between two samples with no dose between, as the null of depletion where there is no placebo arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from microbiome.detection import repeat_pairs
from microbiome.nulls.contrast import Contrast, TaxonValues, contrast_rows, taxon_rows
from microbiome.nulls.material import Material
from microbiome.nulls.own import candidates
from microbiome.nulls.recovery import BY_DONOR, pair_rates
from microbiome.nulls.rows import Chosen, Plan, Row, choose, join
from microbiome.nulls.schedules import schedules
from microbiome.nulls.untreated import HAD, alone, lags_differ, lost
from microbiome.repair import NOTABLE_RATIO, depth_ratio
from microbiome.study import Study

__all__ = ["Repeats", "bare_rows", "find_repeats", "repeat_rows"]

_DEPLETION = ("depletion_rate", "depletion_rate_donor_absent")
_QUANTITIES = {"before_repeats": ("engraftment_rate", "donor_recovery", *_DEPLETION), "donor_repeats": _DEPLETION}
_WORDS = {"before_repeats": "repeats before FMT", "donor_repeats": "repeats of donors"}


@dataclass(frozen=True)
class Repeats:
    """Pairs of samples of one person with no dose between, the first taken as baseline and the second as post sample.

    Parameters
    ----------
    null
        ``before_repeats`` or ``donor_repeats``.
    pairs
        ``subject``, ``first``, ``second``, ``days``: those as far apart as a visit is from the baseline.
    posts
        Post samples of that visit.
    note
        Which pairs and which visit.
    why
        Why they cannot be the null; empty where they can.
    """

    null: str
    pairs: pd.DataFrame
    posts: frozenset[str]
    note: str
    why: str = ""


def find_repeats(study: Study, profiled: pd.Index, posts: pd.DataFrame, plan: Plan) -> list[Repeats]:
    """Return the repeats that there are, and which of them match the treated in lag.

    A pair matches a visit when the days between its samples are within a factor of 1.5 of the median lag (days since
    the baseline) of the treated at that visit. Of the visits of the primary analysis the one with most persons with a
    matching pair is taken, the earliest of several.

    Parameters
    ----------
    study
        The study.
    profiled
        Samples with a profile.
    posts
        Post samples of the treated that have a baseline, with ``lag``.
    plan
        What was asked for.

    Returns
    -------
    list of Repeats
        Before FMT, then of donors; empty where there are no pairs, or no post samples.
    """
    everything = repeat_pairs(study, profiled)
    chosen = plan.choose(posts) if len(posts) else None
    if chosen is None or not len(chosen.rows):
        return []
    samples = chosen.analysis.samples.assign(lag=posts["lag"])
    lags = samples.groupby("visit")["lag"].median()
    found = []
    treated = everything["subject"].isin(study.doses["subject"])
    for null, pairs in (
        ("before_repeats", everything[(everything["kind"] == "before") & treated]),
        ("donor_repeats", everything[everything["kind"] == "donor"]),
    ):
        if pairs.empty:
            continue
        dated = pairs[pairs["days"].notna()]
        days = dated["days"].to_numpy(dtype=float)
        matching = {
            visit: dated[np.array([not lags_differ(gap, lag) for gap in days], dtype=bool)]
            for visit, lag in lags.items()
        }
        visit = max(lags.index, key=lambda v: (matching[v]["subject"].nunique(), -v))
        of_visit = frozenset(samples.loc[samples["visit"] == visit, "sample"])
        persons = matching[visit]["subject"].nunique()
        why = ""
        if dated.empty:
            why = f"{_WORDS[null]} have no days: nobody knows how far they are apart"
        elif not persons:
            lag = samples["lag"].median()
            why = f"{_WORDS[null]} are {np.median(days):g} days apart, post samples {lag:g} days after the baseline"
            why += " (medians)"
        elif persons == 1:
            why = f"only one person has {_WORDS[null]} of that lag"
        used = matching[visit] if persons else dated
        note = ""
        if persons:
            note = f"{_WORDS[null]}: {len(used)} of {len(pairs)} pairs, {used['days'].median():g} days apart, "
            note += f"against post samples {lags[visit]:g} days after the baseline (medians)"
        found.append(Repeats(null, used[["subject", "first", "second", "days"]], of_visit, note, why))
    return found


def _depth_sentences(repeats: Repeats, posts: pd.DataFrame, unit: pd.Series) -> list[str]:
    """Say where repeats and samples around FMT differ in depth by more than 1.5.

    Parameters
    ----------
    repeats
        The pairs.
    posts
        Post samples of the treated (``sample``, ``baseline_sample``).
    unit
        Unit of each sample, by its name.
    """
    of_visit = posts[posts["sample"].isin(repeats.posts)]
    found = []
    for names, other, words in (
        (repeats.pairs["first"], of_visit["baseline_sample"].drop_duplicates(), ("first of the", "baselines")),
        (repeats.pairs["second"], of_visit["sample"], ("second of the", "post samples")),
    ):
        ratio = depth_ratio(names.map(unit).dropna(), other.map(unit).dropna())
        if max(ratio, 1 / ratio) > NOTABLE_RATIO:
            deep, shallow = (f"{words[0]} {_WORDS[repeats.null]}", words[1])
            deep, shallow = (deep, shallow) if ratio > 1 else (shallow, deep)
            found.append(f"{deep} are {max(ratio, 1 / ratio):.1f} times deeper than {shallow}")
    return found


def repeat_rows(
    m: Material, own: pd.DataFrame, repeats: Repeats, unit: pd.Series, plan: Plan
) -> tuple[list[Row], bool]:
    """Return the rows of one kind of repeats, and whether depletion could be compared.

    A person with several pairs has the mean over them. Repeats before FMT of the treated are compared within persons;
    the donor set of a rate that needs one is the same for both: what the person had received by that visit.
    """
    rows: list[Row] = []
    compared = False
    pairs = repeats.pairs[repeats.pairs["first"].isin(m.rows) & repeats.pairs["second"].isin(m.rows)]
    pairs = pairs.sort_values(["subject", "first", "second"])
    why = repeats.why
    if not why and m.repaired.method == "none":
        differ = _depth_sentences(repeats, m.posts, unit)
        why = f"{' and '.join(differ)} (see --repair)" if differ else ""
    if not why and pairs["subject"].nunique() < 2:
        why = f"fewer than two persons have {_WORDS[repeats.null]} that are deep enough"
    for quantity in _QUANTITIES[repeats.null]:
        usable, reasons = candidates(m, own, quantity)
        one = Contrast(m, quantity, repeats.null, permutations=plan.permutations, seed=plan.seed, reasons=reasons)
        one = replace(one, paired=repeats.null == "before_repeats", notes=repeats.note)
        reason = why
        at_visit = usable & m.posts["sample"].isin(repeats.posts)
        if repeats.null == "donor_repeats" and quantity in BY_DONOR:
            reason = why or "a donor has no donor set"
        if not usable.any():
            rows += contrast_rows(replace(one, why="no treated subject has a rate"), plan.levels)
            continue
        chosen = choose(m.posts[at_visit] if at_visit.any() else m.posts[usable])
        one = alone(replace(one, why=reason), own, chosen)
        if not reason:
            one = _with_repeats(one, pairs, chosen)
        rows += contrast_rows(one, plan.levels)
        compared |= quantity == "depletion_rate" and not one.why
        if "taxon" in plan.levels and quantity == "depletion_rate":
            value, had = lost(m, chosen)
            treated = TaxonValues(chosen.subjects, value, had)
            rows += taxon_rows(one, treated, _lost_between(m, pairs), HAD)
    return rows, compared


def _with_repeats(one: Contrast, pairs: pd.DataFrame, chosen: Chosen) -> Contrast:
    """Return the contrast with the rates of the repeats."""
    m = one.m
    donor = np.zeros((len(pairs), len(m.taxa)), dtype=bool)
    if one.quantity in BY_DONOR:
        found = schedules(m.products, sorted(set(pairs["subject"])), chosen.days.tolist())
        label = dict(zip(found.subjects, found.label.tolist(), strict=True))
        # Of somebody without a post sample, who is in no pair of rates, the set on the last day serves.
        day = {
            chosen.subjects[i]: d for d, i in sorted(zip(chosen.days.tolist(), chosen.subject.tolist(), strict=True))
        }
        for i, subject in enumerate(pairs["subject"]):
            epoch = int(found.epoch(np.array([day.get(subject, chosen.days.max())]))[0])
            products = found.sets[label[subject]][epoch]
            if products:
                donor[i] = m.detected(list(products)).any(axis=0)
    values = pair_rates(donor, m.detected(pairs["first"]), m.detected(pairs["second"]))[one.quantity]
    group = pairs.assign(value=values).groupby("subject")["value"].mean().dropna()
    persons = {str(subject): float(value) for subject, value in group.items()}
    numbers = {**one.samples, **{f"{s} (repeats)": int(n) for s, n in pairs["subject"].value_counts().items()}}
    stratum = {person: m.stratum.get(person) or "" if one.paired else "" for person in [*one.treated, *persons]}
    without = sorted(set(one.treated) - set(persons)) if one.paired else []
    left = f"treated without repeats: {', '.join(without)}" if without else ""
    found_group = replace(one, group=persons, samples=numbers, stratum=stratum, notes=join(one.notes, left))
    both = set(persons) & set(one.treated) if one.paired else set(persons)
    if len(both) < 2:
        why = f"fewer than two persons have {_WORDS[one.null]}{' and a post sample' if one.paired else ''}"
        return replace(found_group, why=why)
    return found_group


def _lost_between(m: Material, pairs: pd.DataFrame) -> TaxonValues:
    """Return the loss of each taxon between the samples of a person's pairs, averaged over those in which it was."""
    persons = tuple(sorted(set(pairs["subject"])))
    first, second = m.detected(pairs["first"]), m.detected(pairs["second"])
    of = pd.Categorical(pairs["subject"], categories=list(persons)).codes
    had, gone = np.zeros((len(persons), len(m.taxa))), np.zeros((len(persons), len(m.taxa)))
    np.add.at(had, of, first)
    np.add.at(gone, of, first & ~second)
    pairs_of = np.bincount(of, minlength=len(persons))[:, np.newaxis]
    return TaxonValues(persons, gone / np.maximum(had, 1), had / pairs_of)


def bare_rows(m: Material, own: pd.DataFrame, plan: Plan) -> list[Row]:
    """Return the rows of depletion where there is nothing to compare it with."""
    rows: list[Row] = []
    for quantity in _DEPLETION:
        usable, reasons = candidates(m, own, quantity)
        why = "no placebo or control arm, and no repeats"
        one = Contrast(m, quantity, "none", reasons=reasons, why=why)
        if not usable.any():
            why = "no treated subject has a rate" if m.treated else "no subject received a dose"
            rows += contrast_rows(replace(one, why=why), plan.levels)
            continue
        chosen = plan.choose(m.posts[usable])
        one = alone(one, own, chosen)
        rows += contrast_rows(one, plan.levels)
        if "taxon" in plan.levels and quantity == "depletion_rate":
            value, had = lost(m, chosen)
            nobody = TaxonValues((), np.zeros((0, len(m.taxa))), np.zeros((0, len(m.taxa)), dtype=bool))
            rows += taxon_rows(one, TaxonValues(chosen.subjects, value, had), nobody, HAD)
    return rows
