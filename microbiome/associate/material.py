"""From measurements to the numbers that are tested: by part, and one value per subject before, after or between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from microbiome.molecules import Measured, transformed
from microbiome.visits import analysis_samples

__all__ = ["Level", "Picked", "level_of", "pick", "share_words", "signed", "subject_values"]

# Weights of subject x row that are multiplied as a whole matrix.
_MOST_DENSE = 1_000_000


@dataclass(frozen=True)
class Level:
    """What is tested of each row of a table.

    Parameters
    ----------
    numbers
        **row x feature**; NaN where it is not known.
    low, high
        Boolean, the same shape: below (above) what can be measured. `numbers` then holds half the limit (the limit).
    """

    numbers: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def take(self, rows: np.ndarray) -> Level:
        """Return some of the rows, in that order."""
        return Level(self.numbers[rows], self.low[rows], self.high[rows])

    @property
    def ordered(self) -> np.ndarray:
        """The numbers for ranking: below the limit all alike at the bottom, above it all alike at the top."""
        return np.where(self.low, -np.inf, np.where(self.high, np.inf, self.numbers))


@dataclass(frozen=True)
class Picked:
    """Rows that count.

    Parameters
    ----------
    subjects
        In sorted order.
    weights
        **subject x row**: mean over the rows of a visit, then over visits.
    last
        Position of the last of these rows of each subject.
    note
        Which days count.
    """

    subjects: list[str]
    weights: np.ndarray
    last: np.ndarray
    note: str


def level_of(measured: Measured, part: str, detection: float = 0.0) -> Level:
    r"""Return what is tested of a table.

    * ``value``: the values by the transform of the table (:func:`microbiome.molecules.transformed`), half the limit
      where they are below it;
    * ``presence``: 1 where the value is above `detection` (or above what can be measured), 0 where it is not or is
      below the limit of detection;
    * ``abundance``: :math:`\log_2` of the value where it is present; missing where it is not.

    Of a feature with values below 0 all of presence and abundance is missing.
    """
    values = measured.values.to_numpy(dtype=float)  # noqa: PD011
    low, high = (_flags(frame, measured) for frame in (measured.below, measured.above))
    none = np.zeros(values.shape, dtype=bool)
    if part == "value":
        return Level(transformed(measured).to_numpy(dtype=float), low, high)
    # A score that can be negative is neither there nor not there.
    values = np.where(signed(measured), np.nan, values)
    low, high = low & ~signed(measured), high & ~signed(measured)
    there = (values > detection) | high
    if part == "presence":
        known = ~np.isnan(values) | low | high
        return Level(np.where(known, there.astype(float), np.nan), none, none)
    amounts = np.where(high, _aligned(measured.above, measured), values) if high.any() else values
    usable = there & (amounts > 0)
    return Level(np.log2(np.where(usable, amounts, 1.0), where=usable, out=np.full(values.shape, np.nan)), none, high)


def signed(measured: Measured) -> np.ndarray:
    """Return whether each feature has values below 0."""
    return np.asarray((measured.values.to_numpy(dtype=float) < 0).any(axis=0))  # noqa: PD011


def share_words(subjects: np.ndarray, day_held: bool) -> str:
    """Say what the share of a subject's rows does not show; empty where there is nothing to say.

    A share of few rows is more often 0: where the number of rows goes with the group, ranks of shares do, too. With
    nothing true, 4 rows against 2 reject .05 at .05, 4 against 1 reject .16.
    """
    number = np.unique(subjects, return_counts=True)[1]
    said = ["of all samples of a subject: the day is not held constant"] if day_held else []
    if len(number) and number.min() < number.max():
        words = "where that goes with what is tested, so do ranks of shares"
        said.append(f"subjects have {number.min()} to {number.max()} samples: {words}")
    return "; ".join(said)


def _flags(frame: pd.DataFrame, measured: Measured) -> np.ndarray:
    if frame.empty:
        return np.zeros(measured.values.shape, dtype=bool)  # noqa: PD011
    return ~np.isnan(_aligned(frame, measured))


def _aligned(frame: pd.DataFrame, measured: Measured) -> np.ndarray:
    values = measured.values  # noqa: PD011
    return frame.reindex(index=values.index, columns=values.columns).to_numpy(dtype=float)


def pick(rows: pd.DataFrame, at: str, days: Sequence[int] | None = None) -> Picked:
    """Choose the rows of each subject.

    Parameters
    ----------
    rows
        ``subject`` and ``day``; for pairs of rows the earlier day of two before, the later of two after, so that both
        lie on one side: give ``day`` and ``day_2``.
    at
        ``baseline``: the last row with day <= 0. ``post``: those of :func:`microbiome.visits.analysis_samples` (visits
        that all subjects have, or the window `days`).
    days
        First and last day of ``post``.
    """
    day = rows["day"].astype("Float64").astype(float).to_numpy()
    other = rows["day_2"].astype("Float64").astype(float).to_numpy() if "day_2" in rows else day
    names = rows["subject"].to_numpy(dtype=object)
    if at == "baseline":
        chosen = np.flatnonzero((day <= 0) & (other <= 0))
        chosen = chosen[np.argsort(day[chosen], kind="stable")]
        last = {names[i]: i for i in chosen}
        subjects = sorted(last)
        weights = np.zeros((len(subjects), len(rows)))
        weights[np.arange(len(subjects)), [last[name] for name in subjects]] = 1
        return Picked(subjects, weights, np.array([last[name] for name in subjects], dtype=int), "last day <= 0")
    after = np.flatnonzero((day > 0) & (other > 0))
    posts = pd.DataFrame({"subject": names[after], "sample": after, "day": day[after].astype(np.int64)}, index=after)
    if posts.empty:
        return Picked([], np.zeros((0, len(rows))), np.zeros(0, dtype=int), "no row after day 0")
    analysis = analysis_samples(posts, days)
    counted = analysis.samples.sort_values("day", kind="stable")
    subjects = sorted(counted["subject"].unique())
    place = pd.Index(subjects).get_indexer(counted["subject"])
    visits = counted.groupby("subject")["visit"].transform("nunique")
    weight = 1 / (visits * counted.groupby(["subject", "visit"])["sample"].transform("size"))
    weights = np.zeros((len(subjects), len(rows)))
    weights[place, counted["sample"]] = weight
    ends = counted.drop_duplicates("subject", keep="last").set_index("subject")["sample"]
    return Picked(subjects, weights, ends.loc[subjects].to_numpy(dtype=int), analysis.note)


def subject_values(level: Level, picked: Picked, last: bool = False) -> Level:
    """Return one value per subject: the mean of the rows that count and are known, or the last of them.

    A mean of rows that are all below the limit of detection is below it; one of some that are is of half the limit in
    their place.
    """
    if last:
        return level.take(picked.last)
    known = ~np.isnan(level.numbers)
    weights = _sparse(picked.weights)
    total = weights @ known.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        numbers = (weights @ np.where(known, level.numbers, 0.0)) / total
    # A single row is that row, to the last bit.
    single = (picked.weights > 0).sum(axis=1) == 1
    numbers[single] = level.numbers[picked.last[single]]
    numbers[total == 0] = np.nan
    there = _sparse((picked.weights > 0).astype(float))
    rows = there @ known.astype(float)

    def all_of(side: np.ndarray) -> np.ndarray:
        if not side.any():
            return np.zeros(rows.shape, dtype=bool)
        return np.asarray((rows > 0) & (there @ (side & known).astype(float) == rows))

    return Level(numbers, all_of(level.low), all_of(level.high))


def _sparse(weights: np.ndarray) -> np.ndarray | sparse.csr_array:
    """Return weights of which a subject has a few among thousands so that only these are multiplied."""
    return sparse.csr_array(weights) if weights.size > _MOST_DENSE else weights
