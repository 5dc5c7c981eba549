"""Rows of rates of the treated against those of a null group: overall, per subject, per taxon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from microbiome.nulls.lost_taxa import UNTESTABLE, compare_taxa, flip_taxa
from microbiome.nulls.material import Material
from microbiome.nulls.rows import Row, join, listed, observed_interval, row, tested, untestable
from microbiome.stats import (
    TestResult,
    benjamini_hochberg,
    difference_interval,
    difference_within,
    group_permutation,
    mean_interval,
    sign_flip,
)

__all__ = ["DILUTION", "Contrast", "TaxonValues", "contrast_rows", "taxon_rows"]

DILUTION = "depletion includes dilution by what engrafted"


@dataclass(frozen=True)
class Contrast:
    """A rate of the treated, and the same rate of the persons of a null group.

    Parameters
    ----------
    m
        The study.
    quantity, null
        Names of the rate and of the null.
    treated, group
        Rate of each subject treated, of each person of the null group.
    paired
        The persons of the null group are the treated themselves at another time: differences within persons are
        tested.
    stratum
        Stratum of every person (all the same without strata).
    reasons
        Why treated subjects have no rate.
    samples
        Number of samples of each subject treated that count, and of each person of the null group.
    analysis, notes
        Which samples count; what else is to be said.
    why
        Why the two cannot be compared; empty where they can.
    permutations, seed
        Of the test.
    dealt
        Test by dealing out arms and schedules together, where the null group has pseudo-donors
        (:func:`microbiome.nulls.rerandomised.rerandomised`); None for permuted arms.
    """

    m: Material
    quantity: str
    null: str
    treated: Mapping[str, float] = field(default_factory=dict)
    group: Mapping[str, float] = field(default_factory=dict)
    paired: bool = False
    stratum: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    analysis: str = ""
    notes: str = ""
    why: str = ""
    permutations: int = 9999
    seed: int = 0
    dealt: TestResult | None = None

    @property
    def start(self) -> Row:
        """The cells that all rows have."""
        return {"quantity": self.quantity, "null": self.null}

    def remarks(self, overall: bool) -> str:
        """Say what holds for every rate of depletion, and where depth differs."""
        m = self.m
        unrepaired = f"not repaired: {'; '.join(m.depth)}" if m.depth and m.repaired.method == "none" else ""
        diluted = DILUTION if self.quantity.startswith("depletion") else ""
        return join(unrepaired, m.said_of_repair() if overall else "", diluted)

    def donors(self, subjects: Sequence[str]) -> int:
        """Count the donors of some treated subjects."""
        products = self.m.products
        return int(products.loc[products["subject"].isin(list(subjects)), "donor"].nunique())


def contrast_rows(one: Contrast, levels: Sequence[str]) -> list[Row]:
    """Return the overall row and those of the subjects."""
    rows = []
    if "overall" in levels:
        rows.append(_overall(one))
    if "subject" in levels:
        rows += _subjects(one)
    return rows


def _overall(one: Contrast) -> Row:
    treated, group = dict(sorted(one.treated.items())), dict(sorted(one.group.items()))
    if one.paired and not one.why:
        both = sorted(set(treated) & set(group))
        treated, group = {s: treated[s] for s in both}, {s: group[s] for s in both}
    values, null = np.array(list(treated.values())), np.array(list(group.values()))
    donors = one.donors(list(treated))
    cells: Row = {
        **observed_interval(values),
        "n_subjects": len(treated),
        "n_null": len(group),
        "n_samples": sum(one.samples.values()),
        "n_donors": donors,
        "analysis": one.analysis,
    }
    left = f"not in it: {listed(one.reasons)}" if one.reasons else ""
    conditional = f"conditional on {_these(donors)}" if 0 < donors < len(treated) else ""
    remarks = join(one.notes, conditional, left, one.remarks(True))
    if one.why:
        return row(one.m, "overall", one.start, cells, untestable(one.why, remarks))
    stratified, expected = "", float(null.mean())
    if one.paired:
        result = sign_flip(values - null, one.permutations, one.seed)
        interval, method = mean_interval(values - null, "t"), "sign_flip, paired_t"
    else:
        persons = [*treated, *group]
        label = np.repeat([1, 0], [len(treated), len(group)])
        strata = [one.stratum[person] for person in persons]
        together = np.concatenate([values, null])
        permuted = group_permutation(together, label, strata, one.permutations, one.seed)
        result, name = (
            (permuted, "group_permutation") if one.dealt is None else (one.dealt, "arm_and_schedule_permutation")
        )
        interval, method = difference_interval(null, values), f"{name}, welch"
        if np.isnan(result.p_value):
            why = "no stratum has subjects of both groups"
            return row(one.m, "overall", one.start, cells, untestable(why, remarks))
        if len(set(strata)) > 1:
            interval = difference_within(null, values, strata[len(treated) :], strata[: len(treated)])
            method = f"{name}, welch_within_strata"
            stratified = "excess, interval and p within strata; expected = observed - excess"
            expected = float(values.mean()) - interval.estimate
    cells |= {
        "expected": expected,
        "excess": interval.estimate,
        "ci_low": interval.low,
        "ci_high": interval.high,
        **tested(result, method),
    }
    return row(one.m, "overall", one.start, cells, {"note": join(stratified, remarks)})


def _these(donors: int) -> str:
    return "this 1 donor" if donors == 1 else f"these {donors} donors"


def _subjects(one: Contrast) -> list[Row]:
    def null_of(subject: str) -> np.ndarray:
        own = one.stratum.get(subject)
        return np.array(sorted(value for who, value in one.group.items() if one.paired or one.stratum.get(who) == own))

    p = {}
    for subject, value in one.treated.items():
        null = null_of(subject)
        if len(null) and not one.why:
            p[subject] = (1 + int((null >= value - 1e-12).sum())) / (len(null) + 1)
    q = dict(zip(p, benjamini_hochberg(list(p.values())), strict=True))
    rows = []
    for subject in one.m.treated:
        cells: Row = {"subject": subject, "n_subjects": int(subject in one.treated)}
        if subject not in one.treated:
            why = one.reasons.get(subject, "no sample in the primary analysis")
            rows.append(row(one.m, "subject", one.start, cells, untestable(why, one.remarks(False))))
            continue
        null = null_of(subject)
        cells |= {
            "observed": one.treated[subject],
            "n_samples": one.samples.get(subject, 0),
            "n_donors": one.donors([subject]),
            "n_null": len(null),
        }
        if subject not in p:
            why = one.why or "nobody of the null group is in its stratum"
            rows.append(row(one.m, "subject", one.start, cells, untestable(why, one.remarks(False))))
            continue
        result = TestResult(one.treated[subject], p[subject], 1 / (len(null) + 1), len(null) + 1, "exact")
        cells |= {
            "expected": float(null.mean()),
            "excess": one.treated[subject] - float(null.mean()),
            "q_value": q[subject],
            **tested(result, "rank_in_null"),
        }
        rows.append(row(one.m, "subject", one.start, cells, {"note": one.remarks(False)}))
    return rows


@dataclass(frozen=True)
class TaxonValues:
    """What became of each taxon in each person: arrays **person x taxon**.

    Parameters
    ----------
    persons
        Names.
    value
        Visit-averaged loss, or presence, 0..1.
    counts
        How much the person counts for the taxon: 0 or 1 (whether it had it, or lacked it); of a person with several
        pairs of samples the share of them.
    """

    persons: tuple[str, ...]
    value: np.ndarray
    counts: np.ndarray


def taxon_rows(one: Contrast, treated: TaxonValues, group: TaxonValues, among: str) -> list[Row]:
    """Return a row per taxon: the mean over those treated who count against those of the null group who do.

    Where the null is the treated themselves at another time, what is tested within persons is the loss itself, 0 also
    for who did not have the taxon: among those who had it both times nobody can have lost it in between, the second
    sample of a repeat being the baseline. When nothing has changed, losing it the one time is as likely as the other.

    Parameters
    ----------
    one
        The contrast of the same samples.
    treated, group
        In the order of the names of the persons.
    among
        Who counts, in words.
    """
    results = [UNTESTABLE] * len(one.m.taxa)
    method, constant = "", np.ones(len(one.m.taxa), dtype=bool)
    if one.why:
        first, second, n_first, n_second = treated.value, group.value, treated.counts, group.counts
    elif one.paired:
        place = {person: i for i, person in enumerate(group.persons)}
        both = [(i, place[person]) for i, person in enumerate(treated.persons) if person in place]
        at, of = [i for i, _ in both], [j for _, j in both]
        first, second, n_first, n_second = treated.value[at], group.value[of], treated.counts[at], group.counts[of]
        events = n_first * first - n_second * second
        results = flip_taxa(events, np.ones(events.shape, dtype=bool), one.permutations, one.seed)
        constant = np.abs(events).max(axis=0, initial=0) < 1e-9
        method = "sign_flip"
    else:
        first, second, n_first, n_second = treated.value, group.value, treated.counts, group.counts
        persons = [*treated.persons, *group.persons]
        order = np.argsort(persons, kind="stable")
        label = np.repeat([1, 0], [len(treated.persons), len(group.persons)])[order]
        stratum = np.unique([one.stratum[person] for person in persons], return_inverse=True)[1][order]
        results = compare_taxa(
            np.concatenate([first, second])[order],
            np.concatenate([n_first, n_second])[order] > 0,
            label,
            stratum,
            one.permutations,
            one.seed,
        )
        method = "group_permutation"
        constant = _constant(np.concatenate([first, second]), np.concatenate([n_first, n_second]) > 0)
    observed, expected = _means(first, n_first), _means(second, n_second)
    number, null_number = (n_first > 0).sum(axis=0), (n_second > 0).sum(axis=0)
    donors = one.donors(treated.persons)
    remarks = one.remarks(False)
    reasons = []
    for t in range(len(one.m.taxa)):
        if one.why:
            reasons.append(one.why)
        elif not number[t] or not null_number[t]:
            side = "the treated" if not number[t] else "the null group"
            reasons.append(f"nobody {among}" if not number[t] and not null_number[t] else f"nobody of {side} {among}")
        elif np.isnan(results[t].p_value):
            reasons.append(f"no stratum has subjects of both groups {among}")
        else:
            same = "nobody lost it" if one.paired else "all values are the same"
            reasons.append(same if constant[t] else "")
    q = benjamini_hochberg([np.nan if why else found.p_value for why, found in zip(reasons, results, strict=True)])
    rows = []
    for t, taxon in enumerate(one.m.taxa):
        cells: Row = {
            "taxon": taxon,
            "observed": observed[t],
            "expected": expected[t],
            "excess": observed[t] - expected[t],
            "n_subjects": int(number[t]),
            "n_null": int(null_number[t]),
            "n_samples": sum(one.samples.values()),
            "n_donors": donors,
        }
        if reasons[t]:
            cells |= untestable(reasons[t], remarks)
        else:
            cells |= {**tested(results[t], method), "q_value": q[t], "note": remarks}
        rows.append(row(one.m, "taxon", one.start, cells))
    return rows


def _means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((counts * values).sum(axis=0) / counts.sum(axis=0))


def _constant(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Tell whether all values that count are the same."""
    high = np.where(counts, values, -np.inf).max(axis=0, initial=-np.inf)
    low = np.where(counts, values, np.inf).min(axis=0, initial=np.inf)
    return np.asarray(high - low < 1e-9)
