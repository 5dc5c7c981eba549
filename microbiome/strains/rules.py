"""Published cuts between the same strain and different strains, one taxon at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.study_tables import Study
from microbiome.tables import Column, Table

__all__ = ["PERCENTILES", "RULES", "Cut", "Rule", "cut_of", "first_samples", "percentile_cut", "youden_cut"]

#: The rules, by name.
RULES = ("model", "percentile_table", "youden", "percentile_3", "samestr", "instrain", "fixed")

#: A table of percentiles by taxon, as MetaPhlAn comes with.
PERCENTILES = Table(
    "strain_percentiles",
    "Percentile of unrelated pairs that cuts, by taxon (VallesColomerM_2022_Jan21_thresholds.tsv of MetaPhlAn).",
    (
        Column("SGB", "id", "Taxon.", required=True, filled=True),
        Column(
            "used_nGD_score_percentile",
            "number",
            "Percentile as a fraction; not a distance.",
            unit="fraction",
            required=True,
            filled=True,
            minimum=0.0,
            maximum=1.0,
        ),
    ),
    key=("SGB",),
)

# Pairs of one person are compared with others by Youden's index when there are so many, and these samples are so near.
_YOUDEN_PAIRS, _YOUDEN_DAYS = 50, 180
_CAP, _LOW = 0.05, 0.03


@dataclass(frozen=True)
class Rule:
    """A rule that was asked for.

    Parameters
    ----------
    name
        One of :data:`RULES`.
    value
        The cut of ``fixed``.
    percentiles
        Percentile (a fraction) by taxon, of ``percentile_table``.

    Raises
    ------
    InputError
        An unknown name, ``fixed`` without a value of at least 0, ``percentile_table`` without a table.
    """

    name: str = "model"
    value: float | None = None
    percentiles: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Validate."""
        if self.name not in RULES:
            raise InputError(
                Problem(f"there is no rule {self.name!r}", f"choose one of {', '.join(RULES)}", value=self.name)
            )
        if self.name == "fixed" and not (self.value is not None and 0 <= self.value < math.inf):
            raise InputError(Problem("rule fixed needs a distance of at least 0", "give it as --value"))
        if self.name == "percentile_table" and self.percentiles is None:
            fix = "give --percentiles FILE, such as metaphlan/utils/VallesColomerM_2022_Jan21_thresholds.tsv"
            raise InputError(Problem("rule percentile_table needs the table of percentiles", fix))

    @property
    def text(self) -> str:
        """As it is written into tables."""
        return f"fixed {self.value:g}" if self.name == "fixed" else self.name


@dataclass(frozen=True)
class Cut:
    """A cut: pairs with at most this distance (and more positions than `more_sites_than`) have the same strain.

    `false_sharing_rate` is the part of the unrelated pairs it was taken from that lie at or below it; NaN where it was
    not taken from any.
    """

    threshold: float
    origin: str
    note: str = ""
    more_sites_than: int = 0
    false_sharing_rate: float = math.nan


def percentile_cut(distances: np.ndarray, fraction: float) -> float:
    """Return the cut of MetaPhlAn's strain_transmission.py, ``sorted(distances)[int(n * fraction)]``; NaN of none.

    It is the smallest distance where n * fraction < 1; a fraction of 1 gives the largest.
    """
    ordered = np.sort(distances)
    return float(ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]) if len(ordered) else math.nan


def youden_cut(same: np.ndarray, different: np.ndarray) -> float:
    r"""Return the observed distance with the largest Youden index, :math:`P(same \le c) - P(different \le c)`.

    The smallest of several; NaN where either group is empty.
    """
    if not len(same) or not len(different):
        return math.nan
    cuts = np.unique(np.concatenate([same, different]))
    # Whole numbers, so that ties are ties.
    below = np.searchsorted(np.sort(same), cuts, side="right") * len(different)
    above = np.searchsorted(np.sort(different), cuts, side="right") * len(same)
    return float(cuts[int(np.argmax(below - above))])


def first_samples(study: Study) -> set[str]:
    """Return the first sample of every person in the order of the samples table, earlier days first."""
    samples = study.samples.assign(_day=study.samples["day"].astype("Float64").fillna(0).astype(float))
    samples = samples.sort_values("_day", kind="stable")
    return set(samples.drop_duplicates("subject")["sample"])


def cut_of(rule: Rule, taxon: str, method: str, pairs: pd.DataFrame) -> Cut:
    r"""Return the cut of a published rule for one taxon.

    - ``percentile_table``: the percentile p of the taxon in the table, of the distances between the first samples of
      different people (:func:`percentile_cut`), as MetaPhlAn's strain_transmission.py. A taxon that the table lacks
      gets the 3rd percentile, and a note. With fewer than 1 / p pairs that is the smallest distance.
    - ``percentile_3``: the same with p = 0.03 for all taxa (its default).
    - ``youden``: with at least 50 pairs of one person within 180 days, the distance with the largest Youden index
      against all pairs of unrelated people, or the 5th percentile of these where that is lower; with fewer, their 3rd
      percentile. All pairs count, as published, however many come from the same people.
    - ``samestr``: 0.001 for ``shared_alleles`` and ``samestr``, with more than 5,000 positions.
    - ``instrain``: 0.00001 for ``shared_alleles`` (popANI >= 99.999 %).
    - ``fixed``: the given distance.

    Parameters
    ----------
    rule, taxon, method
        What is asked for.
    pairs
        Pairs of the taxon with a distance: ``distance``, ``relation``, ``days`` (between the samples; NaN where
        unknown), ``first`` (both are the first samples of different people, :func:`first_samples`).

    Returns
    -------
    Cut
        Origin ``none`` and a note where there is nothing to take it from.

    References
    ----------
    Valles-Colomer et al. 2023, 10.1038/s41586-022-05620-1; Podlesny et al. 2022 (SameStr),
    10.1186/s40168-022-01251-w; Olm et al. 2021 (inStrain), 10.1038/s41587-020-00797-0.
    """
    if rule.name == "fixed":
        return Cut(float(rule.value or 0.0), "fixed")
    if rule.name in ("samestr", "instrain"):
        named = ("shared_alleles", "samestr") if rule.name == "samestr" else ("shared_alleles",)
        if method not in named:
            return Cut(math.nan, "none", f"rule {rule.name} is for {' and '.join(named)}, not {method}")
        return Cut(0.001, "fixed", "", 5000) if rule.name == "samestr" else Cut(0.00001, "fixed")
    if rule.name == "youden":
        return _youden(pairs)
    distances = pairs.loc[pairs["first"], "distance"].to_numpy(dtype=float)
    table = rule.percentiles if rule.name == "percentile_table" and rule.percentiles is not None else {}
    fraction = table.get(taxon)
    notes = []
    if fraction is None and rule.name == "percentile_table":
        notes.append("not in the table of percentiles: 3rd percentile")
    origin = "percentile_3" if fraction is None else "percentile_table"
    fraction = _LOW if fraction is None else fraction
    return _percentile(distances, fraction, origin, notes, "between first samples of people")


def _youden(pairs: pd.DataFrame) -> Cut:
    near = (pairs["relation"] == "same_person") & ~(pairs["days"] > _YOUDEN_DAYS)
    same = pairs.loc[near, "distance"].to_numpy(dtype=float)
    unrelated = pairs.loc[pairs["relation"] == "unrelated", "distance"].to_numpy(dtype=float)
    if len(same) < _YOUDEN_PAIRS:
        notes = [f"{len(same)} pairs of one person within {_YOUDEN_DAYS} days (50 are needed): 3rd percentile"]
        return _percentile(unrelated, _LOW, "percentile_3", notes, "of unrelated people")
    best, cap = youden_cut(same, unrelated), percentile_cut(unrelated, _CAP)
    if math.isnan(best):
        return Cut(math.nan, "none", "no pairs of unrelated people")
    if best > cap:
        note = f"Youden's cut {best:.6g} lies above the 5th percentile"
        return Cut(cap, "percentile_5", note, 0, float(np.mean(unrelated <= cap)))
    return Cut(best, "youden", "", 0, float(np.mean(unrelated <= best)))


def _percentile(distances: np.ndarray, fraction: float, origin: str, notes: list[str], whose: str) -> Cut:
    if not len(distances):
        return Cut(math.nan, "none", "; ".join([*notes, f"no pairs {whose}"]))
    if len(distances) * fraction < 1:
        notes = [*notes, f"{len(distances)} pairs {whose}: the smallest distance"]
    cut = percentile_cut(distances, fraction)
    return Cut(cut, origin, "; ".join(notes), 0, float(np.mean(distances <= cut)))
