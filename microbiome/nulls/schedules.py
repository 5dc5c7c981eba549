"""Dose schedules that can be given to another recipient: which donor products each would have had on which day."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.seeds import stream

__all__ = ["Schedules", "product_subsets", "schedules"]

# Of more subsets than these a random choice is averaged over.
_SUBSETS = 20


@dataclass(frozen=True)
class Schedules:
    """The different dose schedules of some subjects, as far as the days of some samples can tell them apart.

    Parameters
    ----------
    subjects
        Whose schedules they are, in ascending order.
    label
        Schedule of each subject, 0, 1, ...: the same for subjects who had the same profiled products at every day that
        counts. Numbered in the order of the names of their products.
    starts
        First day of each epoch, ascending. Within an epoch no donor set changes.
    sets
        Profiled products by schedule and epoch, in ascending order.
    donors
        Number of the donors behind each schedule: the same for schedules whose products, at every epoch, came from the
        same donors. Other products of one's own donor are not another donor.
    names
        Donors behind each schedule.
    """

    subjects: tuple[str, ...]
    label: np.ndarray
    starts: tuple[int, ...]
    sets: tuple[tuple[tuple[str, ...], ...], ...]
    donors: np.ndarray
    names: tuple[tuple[str, ...], ...]

    def epoch(self, days: np.ndarray) -> np.ndarray:
        """Return the epoch of each day."""
        return np.searchsorted(self.starts, days, side="right") - 1

    @property
    def sizes(self) -> np.ndarray:
        """Number of profiled products, schedule x epoch."""
        return np.array([[len(products) for products in row] for row in self.sets], dtype=np.int64)


def schedules(products: pd.DataFrame, subjects: Sequence[str], days: Sequence[int]) -> Schedules:
    """Return the schedules of these subjects, at the days of the samples that count.

    The donor set of a schedule on a day is every profiled product received on or before it.

    Parameters
    ----------
    products
        As in :class:`microbiome.nulls.material.Material`.
    subjects
        Who exchange schedules; at least one.
    days
        Days of the post samples that count; at least one.
    """
    people = tuple(sorted(subjects))
    there = products[products["profiled"] & products["subject"].isin(people)]
    donor_of = dict(zip(there["donor_sample"], there["donor"], strict=True))
    given: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for subject, day, sample in zip(there["subject"], there["day"], there["donor_sample"], strict=True):
        given[subject].append((int(day), sample))
    raw = [tuple(sorted(given[subject])) for subject in people]
    ordered = sorted({int(day) for day in days})
    by_day = {
        schedule: tuple(tuple(sorted(name for day, name in schedule if day <= today)) for today in ordered)
        for schedule in set(raw)
    }
    changes = [i for i in range(len(ordered)) if i == 0 or any(sets[i] != sets[i - 1] for sets in by_day.values())]
    epochs = {schedule: tuple(sets[i] for i in changes) for schedule, sets in by_day.items()}
    different = sorted(set(epochs.values()))
    place = {sets: number for number, sets in enumerate(different)}
    behind = [tuple(frozenset(donor_of[name] for name in part) for part in sets) for sets in different]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(behind))}
    return Schedules(
        subjects=people,
        label=np.array([place[epochs[schedule]] for schedule in raw], dtype=np.int64),
        starts=tuple(ordered[i] for i in changes),
        sets=tuple(different),
        donors=np.array([numbers[key] for key in behind], dtype=np.int64),
        names=tuple(tuple(sorted(frozenset[str]().union(*parts))) for parts in behind),
    )


def product_subsets(products: Sequence[str], number: int, seed: int) -> list[tuple[str, ...]]:
    """Return the subsets of some size of a donor set: all of them, or 20 at random where there are more.

    Parameters
    ----------
    products
        Names, in ascending order.
    number
        Size of the subsets; a set no larger is its own only subset.
    seed
        Of the choice; the same set has the same subsets wherever it occurs.

    Returns
    -------
    list of tuple
        Different subsets, in ascending order.
    """
    if not products:
        return []
    if len(products) <= number:
        return [tuple(products)]
    if math.comb(len(products), number) <= _SUBSETS:
        return list(itertools.combinations(products, number))
    rng = stream(seed, "products", str(number), *products)
    found: set[tuple[str, ...]] = set()
    while len(found) < _SUBSETS:
        found.add(tuple(products[i] for i in sorted(rng.choice(len(products), number, replace=False))))
    return sorted(found)
