"""Small trials written by hand for the tests of nulls, and the definitions, naively, over sets of taxa."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from strategies import abundance_frame, doses_frame, samples_frame

from microbiome.depth import study_limits
from microbiome.nulls import nulls
from microbiome.study import Study

Doses = list[tuple[str, int, str, str | None]]


class Trial:
    """Sets of taxa by sample (`sample` -> taxa), and who received what."""

    def __init__(
        self,
        people: Mapping[str, Mapping[int, Iterable[int]]],
        donors: Mapping[str, Mapping[str, Iterable[int]]],
        doses: Doses,
        subjects: pd.DataFrame | None = None,
        taxa: int = 12,
        donor_days: Mapping[str, int] | None = None,
    ) -> None:
        self.taxa = taxa
        self.doses = doses
        self.donors = {product: donor for donor, products in donors.items() for product in products}
        self.has = {product: frozenset(some) for products in donors.values() for product, some in products.items()}
        self.days = {subject: sorted(days) for subject, days in people.items()}
        for subject, days in people.items():
            self.has |= {f"{subject}.{day}": frozenset(some) for day, some in days.items()}
        rows = [(p, d, "donor", (donor_days or {}).get(p)) for p, d in self.donors.items()]
        rows += [(f"{s}.{day}", s, "recipient", day) for s, days in people.items() for day in days]
        values = np.zeros((len(rows), taxa))
        for i, row in enumerate(rows):
            values[i, sorted(self.has[row[0]])] = 1
        self.abundance = abundance_frame(values, [row[0] for row in rows])
        frame = doses_frame(doses)
        samples = samples_frame(rows)
        self.study = Study(samples, subjects, frame) if subjects is not None else Study(samples, doses=frame)

    def nulls(self, **options: object) -> pd.DataFrame:
        """Return the table; all samples are of one depth."""
        limits = study_limits(self.abundance, self.study).assign(unit=1e-6)
        settings: dict[str, object] = {"method": "none", "products": "as_given", "table": limits} | options
        return nulls(self.abundance, self.study, **settings)  # type: ignore[arg-type]

    def baseline(self, subject: str) -> frozenset[int]:
        """Return the taxa of the last sample with day <= 0."""
        return self.has[f"{subject}.{max(day for day in self.days[subject] if day <= 0)}"]

    def products(self, subject: str, day: int) -> frozenset[str]:
        """Return the products that the schedule of a subject gives by a day."""
        given: set[str] = set()
        for who, when, donor, sample in self.doses:
            if who == subject and when <= day:
                given |= {sample} if sample is not None else {p for p, d in self.donors.items() if d == donor}
        return frozenset(given)

    def donors_of(self, subject: str, day: int) -> frozenset[str]:
        """Return the donors of these products."""
        return frozenset(self.donors[product] for product in self.products(subject, day))

    def donor_set(self, subject: str, day: int) -> frozenset[int]:
        """Return the taxa of all these products."""
        return frozenset().union(*(self.has[product] for product in self.products(subject, day)))

    def rate(self, quantity: str, recipient: str, schedule: str) -> float:
        """Return the mean over the recipient's post samples of a rate against the schedule of somebody."""
        before = self.baseline(recipient)
        values = []
        for day in self.days[recipient]:
            if day > 0:
                values.append(rate(quantity, self.donor_set(schedule, day), before, self.has[f"{recipient}.{day}"]))
        return float(np.mean(values))

    def by_permutation(self, quantity: str, strata: Mapping[str, str] | None = None) -> dict[str, float]:
        """Return observed, expected and p of moving whole schedules, over all permutations within strata."""
        treated = sorted({row[0] for row in self.doses})
        where = {s: strata[s] if strata else "" for s in treated}
        m = {(i, j): self.rate(quantity, i, j) for i in treated for j in treated}
        visits = sorted({day for days in self.days.values() for day in days if day > 0})
        key = {s: tuple(self.donors_of(s, day) for day in visits) for s in treated}
        expected = [np.mean([m[i, j] for j in treated if where[j] == where[i] and key[i] != key[j]]) for i in treated]
        own = np.mean([m[i, i] for i in treated])
        blocks = [[s for s in treated if where[s] == stratum] for stratum in sorted(set(where.values()))]
        moved = []
        for orders in itertools.product(*(itertools.permutations(block) for block in blocks)):
            given = dict(zip(itertools.chain(*blocks), itertools.chain(*orders), strict=True))
            moved.append(np.mean([m[i, given[i]] for i in treated]))
        return {
            "observed": float(own),
            "expected": float(np.mean(expected)),
            "p_value": float(np.mean(np.array(moved) >= own - 1e-12)),
        }


def rate(quantity: str, donor: frozenset[int], before: frozenset[int], after: frozenset[int]) -> float:
    """Return a rate by its definition over sets of taxa."""
    top, bottom = {
        "engraftment_rate": ((donor - before) & after, donor - before),
        "donor_recovery": (donor & after, donor),
        "depletion_rate": (before - after, before),
        "depletion_rate_donor_absent": (before - donor - after, before - donor),
        "baseline_recovery": (before & after, before),
    }[quantity]
    return len(top) / len(bottom) if bottom else np.nan


def some(rng: np.random.Generator, taxa: int, share: float) -> list[int]:
    """Return a random set of taxa, never empty."""
    return sorted({*np.flatnonzero(rng.random(taxa) < share).tolist(), int(rng.integers(taxa))})


def random_trial(
    seed: int,
    schedules: Sequence[Sequence[tuple[int, str, str | None]]],
    days: Sequence[int] = (28,),
    placebo: int = 0,
    taxa: int = 12,
    subjects: pd.DataFrame | None = None,
    lots: int = 1,
) -> Trial:
    """Return a trial of recipients R0, R1... with these schedules (day, donor, product), and placebo P0, P1...."""
    rng = np.random.default_rng(seed)
    names = sorted({donor for schedule in schedules for _, donor, _ in schedule})
    donors = {d: {f"{d}.{k}": some(rng, taxa, 0.5) for k in range(lots)} for d in names}
    people = {f"R{i}": {day: some(rng, taxa, 0.5) for day in (0, *days)} for i in range(len(schedules))}
    people |= {f"P{i}": {day: some(rng, taxa, 0.5) for day in (0, *days)} for i in range(placebo)}
    doses = [(f"R{i}", day, d, product) for i, schedule in enumerate(schedules) for day, d, product in schedule]
    return Trial(people, donors, doses, subjects, taxa)


def row(
    table: pd.DataFrame, quantity: str, null: str, subject: str | None = None, taxon: str | None = None
) -> pd.Series:
    """Return one row: overall, or that of a subject or taxon."""
    level = "subject" if subject else "taxon" if taxon else "overall"
    found = table[(table["quantity"] == quantity) & (table["null"] == null) & (table["level"] == level)]
    found = found[found["subject"] == subject] if subject else found
    found = found[found["taxon"] == taxon] if taxon else found
    assert len(found) == 1, found
    return found.iloc[0]
