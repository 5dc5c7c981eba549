"""The rates of every post sample over a grid of detection thresholds and depths."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.depth import repair_study, study_limits
from microbiome.detection import Curve, fit_curve
from microbiome.errors import InputError
from microbiome.repair import Repaired, relevant_samples, repair
from microbiome.study import Study
from microbiome.tables import RATES
from microbiome.triad_rates import TriadRates
from microbiome.triads import Triads, align, triads

__all__ = ["Cell", "cells", "mean_rates", "said_once"]


@dataclass(frozen=True)
class Cell:
    """One depth and threshold.

    Parameters
    ----------
    fraction
        Depth that every sample was thinned to, of that of the shallowest; NaN as sequenced.
    unit
        Abundance of one piece of evidence after thinning; NaN as sequenced.
    repeats
        Thinnings that the rates are averaged over; 0 as sequenced.
    detection
        Threshold.
    common
        It is the common threshold of the study.
    taxa
        Median number of taxa detected in a sample that counts (mean over the thinnings).
    rates
        As :func:`microbiome.rates.rates`, averaged; empty where nothing is detected in any post sample.
    left_out
        Samples that are too shallow for this.
    """

    fraction: float
    unit: float
    repeats: int
    detection: float
    common: bool
    taxa: float
    rates: pd.DataFrame
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Study:
    """What every cell needs: abundances, limits of the samples compared, and how these are aligned.

    `compared` are those as sequenced, `repaired` those that are left, or take the place of others, at a common level.
    """

    abundance: pd.DataFrame
    compared: pd.DataFrame
    repaired: pd.DataFrame
    level: Repaired
    aligned: Triads
    without: Triads | None


def cells(
    abundance: pd.DataFrame,
    study: Study,
    thresholds: Sequence[float],
    depths: Sequence[float],
    limits: pd.DataFrame | None,
    repeats: int,
    seed: int,
) -> Iterator[Cell]:
    """Yield the rates of every cell of the grid: as sequenced, then from deep to shallow; thresholds ascending.

    Parameters
    ----------
    abundance, study, thresholds, depths, limits, repeats, seed
        As in :func:`microbiome.sensitivity.sensitivity`.
    """
    aligned = triads(abundance, study)
    table = study_limits(abundance, study) if limits is None else limits
    compared = table[table["sample"].isin(relevant_samples(study, aligned.posts, aligned.products))]
    level = repair_study(abundance, study, table, "threshold")
    repaired = table[table["sample"].isin(level.limits["sample"])]
    known = _Study(abundance, compared, repaired, level, aligned, _without(aligned, level, study))
    steps = sorted([*((threshold, False) for threshold in set(thresholds)), (level.detection, True)])
    yield from _as_sequenced(known, steps, fit_curve(abundance, study, table)[0])
    for fraction in sorted(set(depths), reverse=True):
        yield from _thinned(known, steps, fraction, repeats, seed)


def _as_sequenced(known: _Study, steps: Sequence[tuple[float, bool]], curve: Curve | None) -> Iterator[Cell]:
    whole = TriadRates(known.aligned)
    same = known.without is known.aligned
    without = whole if same else None if known.without is None else TriadRates(known.without)
    for detection, common in steps:
        found, limits = (without, known.level.limits) if common else (whole, known.compared)
        taxa = _taxa(known.abundance, limits, detection)
        table = _rates(found, detection, limits if curve is None else curve.apply(limits, detection))
        left_out = known.level.left_out if common else ()
        yield Cell(np.nan, np.nan, 0, detection, common, taxa, table, left_out)


def _thinned(
    known: _Study, steps: Sequence[tuple[float, bool]], fraction: float, repeats: int, seed: int
) -> Iterator[Cell]:
    found: list[list[pd.DataFrame]] = [[] for _ in steps]
    taxa = np.zeros((len(steps), repeats))
    for draw in range(repeats):
        thinned = repair(known.level.abundance, known.repaired, "thinning", 0.0, seed + draw, 1 / fraction)
        without = known.without
        aligned = without and align(thinned.abundance, without.posts, without.products)
        quick = None if aligned is None else TriadRates(aligned)
        for place, (detection, _) in enumerate(steps):
            found[place].append(_rates(quick, detection, thinned.limits))
            taxa[place, draw] = _taxa(thinned.abundance, thinned.limits, detection)
    unit = float(thinned.limits["unit"].iloc[0])
    for (detection, common), frames, counts in zip(steps, found, taxa.mean(axis=1).tolist(), strict=True):
        yield Cell(fraction, unit, repeats, detection, common, counts, mean_rates(frames), known.level.left_out)


def _without(aligned: Triads, level: Repaired, study: Study) -> Triads | None:
    """Align anew without the samples that are too shallow to be brought to a common level; None where none is left."""
    if not level.left_out:
        return aligned
    try:
        return triads(level.abundance, study)
    except InputError:
        return None


def _rates(aligned: TriadRates | None, detection: float, limits: pd.DataFrame) -> pd.DataFrame:
    """Rates of the post samples in which anything is detected (there, before, or in the donor)."""
    return pd.DataFrame() if aligned is None else aligned.at(detection, limits)


def mean_rates(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average the numbers of each sample over draws.

    A draw in which nothing of a sample is detected has no row of it: its counts are 0. A rate is averaged over the
    draws in which its denominator is not 0.

    Parameters
    ----------
    frames
        As :func:`microbiome.rates.rates`, one per draw; empty where nothing at all is detected.
    """
    found = [frame for frame in frames if len(frame)]
    if len(frames) < 2 or not found:
        return found[0] if found else pd.DataFrame()
    stacked = pd.concat(found, ignore_index=True)
    counts = [c.name for c in RATES.columns if c.unit == "taxa" and c.name in stacked]
    numbers = [n for n in stacked.select_dtypes("number") if n not in ("day", "baseline_day")]
    groups = stacked.astype(dict.fromkeys(numbers, "float64")).groupby("sample", sort=False)
    mean = groups[numbers].mean()
    mean[counts] = groups[counts].sum(min_count=1) / len(frames)
    texts = groups[[name for name in stacked if name not in (*numbers, "sample")]].first()
    return texts.join(mean).reset_index()[list(stacked.columns)]


def _taxa(abundance: pd.DataFrame, limits: pd.DataFrame, detection: float) -> float:
    """Median number of taxa detected in the samples that have limits."""
    values = abundance.loc[limits["sample"]].to_numpy(dtype=float)
    return float(np.median((values > detection).sum(axis=1)))


class _Once(logging.Filter):
    """Lets each message pass once: the cells of the grid would say the same of the same samples."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in self.said
        self.said.add(message)
        return new


@contextmanager
def said_once(*names: str) -> Iterator[None]:
    """While this lasts, these loggers say nothing twice."""
    once = _Once()
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(once)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(once)
