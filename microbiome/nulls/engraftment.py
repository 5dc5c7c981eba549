"""Engraftment and recovery of the treated against donors, and baselines, re-assigned between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.nulls.engrafted_taxa import appearance, donor_taxa, engrafted_taxa
from microbiome.nulls.material import Material
from microbiome.nulls.own import ELSEWHERE, candidates, strata_codes
from microbiome.nulls.reassignment import Reassigned, reassign
from microbiome.nulls.recovery import (
    common_number,
    rates_by_baseline,
    rates_by_schedule,
    subject_matrix,
)
from microbiome.nulls.rows import Chosen, Plan, Row, join, listed, observed_interval, row, untestable
from microbiome.nulls.schedules import Schedules, schedules

__all__ = ["DonorRates", "baseline_rows", "donor_rates", "donor_rows"]

_ENGRAFTMENT = ("engraftment_rate", "donor_recovery")


@dataclass(frozen=True)
class DonorRates:
    """Rates of the samples that count against every schedule of the treated.

    Parameters
    ----------
    chosen
        The samples.
    found
        Schedules of the treated among their subjects.
    rates
        By rate, **sample x schedule**.
    number, smallest, largest
        Products that sets are reduced to; sizes of the sets as they are.
    """

    chosen: Chosen
    found: Schedules
    rates: dict[str, np.ndarray]
    number: int
    smallest: int
    largest: int

    def note(self, products: str) -> str:
        """Say what was done about donor sets of different size."""
        if self.smallest == self.largest:
            return f"donor sets of {self.number} product{'s' * (self.number > 1)}"
        sizes = f"{self.smallest} to {self.largest} products"
        if products == "as_given":
            return f"donor sets differ in size ({sizes}): not comparable across recipients"
        return f"donor sets of {sizes} reduced to {self.number}, mean over their subsets"


def donor_rates(m: Material, chosen: Chosen, treated: Sequence[str], plan: Plan) -> DonorRates:
    """Return the rates of the samples that count against every schedule of these treated subjects."""
    found = schedules(m.products, treated, chosen.days.tolist())
    number, smallest, largest = common_number(found)
    names = sorted({name for sets in found.sets for one in sets for name in one})
    taxa = dict(zip(names, m.detected(names), strict=True))
    posts = m.posts.loc[chosen.rows]
    rates = rates_by_schedule(
        m.detected(posts["sample"]),
        m.detected(posts["baseline_sample"]),
        chosen.days,
        found,
        taxa,
        None if plan.products == "as_given" or smallest == largest else number,
        plan.seed,
    )
    return DonorRates(chosen, found, rates, number, smallest, largest)


def donor_rows(m: Material, own: pd.DataFrame, plan: Plan) -> list[Row]:
    """Return the rows of ``donor_permutation``: engraftment_rate (also per taxon) and donor_recovery."""
    rows: list[Row] = []
    before: DonorRates | None = None
    for quantity in _ENGRAFTMENT:
        usable, reasons = candidates(m, own, quantity)
        start = {"quantity": quantity, "null": "donor_permutation"}
        if not usable.any():
            why = "no subject received a dose" if not m.treated else f"no treated subject has a rate: {listed(reasons)}"
            rows += _nothing(m, start, why, reasons, plan.levels)
            continue
        chosen = plan.choose(m.posts[usable])
        reasons |= _left_out(chosen)
        if not chosen.subjects:
            rows += _nothing(m, start, "no sample lies in the day window", reasons, plan.levels)
            continue
        same = before is not None and np.array_equal(before.chosen.rows, chosen.rows)
        rated = before if before is not None and same else donor_rates(m, chosen, chosen.subjects, plan)
        before = rated
        found = rated.found
        matrix = subject_matrix(rated.rates[quantity], chosen.subject, chosen.weight, len(chosen.subjects))
        stratum = strata_codes(m, chosen.subjects)
        result = reassign(matrix, found.label, found.donors, stratum, plan.permutations, plan.seed)
        names = {s: found.names[found.label[i]] for i, s in enumerate(chosen.subjects)}
        why = _why_not(chosen.subjects, names, stratum)
        cells = _Cells(m, start, chosen, result, matrix[np.arange(len(found.label)), found.label], names, reasons, why)
        rows += cells.rows(plan.levels, rated.note(plan.products), "schedule")
        if quantity == "engraftment_rate" and "taxon" in plan.levels:
            rows += _taxon_rows(m, start, rated, result, stratum, why, plan)
    return rows


def baseline_rows(m: Material, own: pd.DataFrame, plan: Plan) -> list[Row]:
    """Return the rows of ``baseline_permutation``: baseline_recovery against the baselines of other recipients."""
    start = {"quantity": "baseline_recovery", "null": "baseline_permutation"}
    usable, reasons = candidates(m, own, "baseline_recovery")
    if not usable.any():
        why = "no subject received a dose" if not m.treated else f"no treated subject has a rate: {listed(reasons)}"
        return _nothing(m, start, why, reasons, plan.levels)
    chosen = plan.choose(m.posts[usable])
    reasons |= _left_out(chosen)
    if not chosen.subjects:
        return _nothing(m, start, "no sample lies in the day window", reasons, plan.levels)
    posts = m.posts.loc[chosen.rows]
    baseline_of = dict(zip(posts["subject"], posts["baseline_sample"], strict=True))
    baselines = m.detected([baseline_of[subject] for subject in chosen.subjects])
    rates = rates_by_baseline(m.detected(posts["sample"]), baselines)
    matrix = subject_matrix(rates, chosen.subject, chosen.weight, len(chosen.subjects))
    label = np.arange(len(chosen.subjects))
    stratum = strata_codes(m, chosen.subjects)
    result = reassign(matrix, label, label, stratum, plan.permutations, plan.seed)
    donors = m.products[m.products["profiled"]].groupby("subject")["donor"].agg(lambda names: tuple(sorted(set(names))))
    names = {subject: donors.get(subject, ()) for subject in chosen.subjects}
    why = "one recipient" if len(chosen.subjects) == 1 else "no other recipient in its stratum"
    cells = _Cells(m, start, chosen, result, matrix[label, label], names, reasons, why)
    return cells.rows(plan.levels, "expected: the recovery of other recipients' baselines", "baseline")


@dataclass(frozen=True)
class _Cells:
    """Everything that the overall row and the rows of subjects are made of."""

    m: Material
    start: dict[str, str]
    chosen: Chosen
    result: Reassigned
    own: np.ndarray
    donors: dict[str, tuple[str, ...]]
    reasons: dict[str, str]
    why: str

    def rows(self, levels: Sequence[str], note: str, moved: str) -> list[Row]:
        rows = []
        if "overall" in levels:
            rows.append(self._overall(note, moved))
        if "subject" in levels:
            place = {name: i for i, name in enumerate(self.chosen.subjects)}
            rows += [self._subject(subject, place.get(subject), moved) for subject in self.m.treated]
        return rows

    def _overall(self, note: str, moved: str) -> Row:
        result, inside = self.result, self.result.inside
        testable = bool(inside.any())
        taken = inside if testable else ~np.isnan(self.own)
        donors = sorted(
            {name for s, one in zip(self.chosen.subjects, taken, strict=True) if one for name in self.donors[s]}
        )
        cells: Row = {
            **observed_interval(self.own[taken]),
            "n_subjects": int(taken.sum()),
            "n_samples": int(taken[self.chosen.subject].sum()),
            "n_donors": len(donors),
            "analysis": self.chosen.analysis.note,
        }
        gone = dict(self.reasons)
        if testable:
            alone = "no other donor in its stratum" if moved == "schedule" else "no other recipient in its stratum"
            gone |= {s: alone for s, one in zip(self.chosen.subjects, inside, strict=True) if not one}
        left = f"not in it: {listed(gone)}" if gone else ""
        repaired = self.m.said_of_repair()
        if not testable:
            return row(self.m, "overall", self.start, cells, untestable(self.why, note, left, repaired))
        cells |= {
            "expected": float(result.expected[inside].mean()),
            "excess": result.excess.estimate,
            "ci_low": result.excess.low,
            "ci_high": result.excess.high,
            "p_value": result.p_value,
            "p_floor": result.p_floor,
            "permutations": result.permutations,
            "scheme": result.scheme,
            "method": f"{moved}_permutation, inverted or t",
        }
        bounds = {"lower": result.excess.low, "upper": result.excess.high}
        lacking = [side for side, bound in bounds.items() if np.isnan(bound)]
        few = f"too few re-assignments for the {' and the '.join(lacking)} bound of a 95 % interval" if lacking else ""
        conditional = f"conditional on these {len(donors)} donors" if moved == "schedule" else ""
        return row(self.m, "overall", self.start, cells, {"note": join(note, conditional, few, left, repaired)})

    def _subject(self, subject: str, i: int | None, moved: str) -> Row:
        if i is None:
            why = self.reasons.get(subject, ELSEWHERE)
            return row(self.m, "subject", self.start, {"subject": subject, "n_subjects": 0}, untestable(why))
        result = self.result
        cells: Row = {
            "subject": subject,
            "observed": self.own[i],
            "n_subjects": 1,
            "n_samples": int((self.chosen.subject == i).sum()),
            "n_donors": len(self.donors[subject]),
        }
        if not result.inside[i]:
            alone = "no other donor in its stratum" if moved == "schedule" else "no other recipient in its stratum"
            why = alone if result.inside.any() else self.why
            return row(self.m, "subject", self.start, cells, untestable(why))
        cells |= {
            "expected": result.expected[i],
            "excess": result.observed[i] - result.expected[i],
            "p_value": result.subject_p[i],
            "p_floor": result.subject_floor[i],
            "q_value": result.subject_q[i],
            "permutations": int(result.subject_schedules[i]),
            "scheme": "exact",
            "method": f"{moved}_rank",
        }
        return row(self.m, "subject", self.start, cells)


def _taxon_rows(
    m: Material,
    start: dict[str, str],
    rated: DonorRates,
    result: Reassigned,
    stratum: np.ndarray,
    why: str,
    plan: Plan,
) -> list[Row]:
    chosen, found = rated.chosen, rated.found
    testable = bool(result.inside.any())
    taken = result.inside if testable else np.ones(len(chosen.subjects), dtype=bool)
    posts = m.posts.loc[chosen.rows]
    keep = taken[chosen.subject]
    names = sorted({name for sets in found.sets for one in sets for name in one})
    seen = appearance(
        m.detected(posts.loc[keep, "sample"]),
        m.detected(posts.loc[keep, "baseline_sample"]),
        (np.cumsum(taken) - 1)[chosen.subject[keep]],
        chosen.weight[keep],
        found.epoch(chosen.days[keep]),
        int(taken.sum()),
        len(found.starts),
    )
    holds = donor_taxa(found, dict(zip(names, m.detected(names), strict=True)), len(m.taxa))
    test = engrafted_taxa(seen, holds, found.label[taken], stratum[taken], plan.permutations, plan.seed, testable)
    donors = len({name for label in np.unique(found.label[taken]) for name in found.names[label]})
    rows = []
    for t, taxon in enumerate(m.taxa):
        cells: Row = {
            "taxon": taxon,
            "observed": test.observed[t],
            "expected": test.expected[t],
            "excess": test.observed[t] - test.expected[t],
            "n_subjects": int(test.n_with[t]),
            "n_null": int(test.n_without[t]),
            "n_samples": int(keep.sum()),
            "n_donors": donors,
        }
        if not testable or test.reason[t]:
            rows.append(row(m, "taxon", start, cells, untestable(test.reason[t] or why)))
            continue
        cells |= {
            "p_value": test.p_value[t],
            "p_floor": test.p_floor[t],
            "q_value": test.q_value[t],
            "permutations": int(test.permutations[t]),
            "scheme": test.scheme,
            "method": "schedule_permutation",
        }
        rows.append(row(m, "taxon", start, cells))
    return rows


def _nothing(m: Material, start: dict[str, str], why: str, reasons: dict[str, str], levels: Sequence[str]) -> list[Row]:
    """Return the rows of a quantity that nobody has."""
    rows = []
    nobody = {"n_subjects": 0, "n_samples": 0, "n_donors": 0}
    if "overall" in levels:
        rows.append(row(m, "overall", start, nobody, untestable(why)))
    if "subject" in levels:
        for subject in m.treated:
            reason = reasons.get(subject, why)
            rows.append(row(m, "subject", start, {"subject": subject, "n_subjects": 0}, untestable(reason)))
    return rows


def _left_out(chosen: Chosen) -> dict[str, str]:
    return dict.fromkeys(chosen.analysis.left_out, ELSEWHERE)


def _why_not(subjects: Sequence[str], names: dict[str, tuple[str, ...]], stratum: np.ndarray) -> str:
    """Say why no schedule of another donor could have been given to anybody."""
    if len(subjects) == 1:
        return f"one recipient ({subjects[0]})"
    different = sorted(set(names.values()))
    if len(different) == 1:
        text = ", ".join(different[0])
        return (
            f"one donor for everybody ({text})" if len(different[0]) == 1 else f"the same donors for everybody ({text})"
        )
    if len(np.unique(stratum)) > 1:
        return "one donor for everybody within each stratum"
    return "no schedule of another donor can be compared"
