r"""Absent or only not seen: the limit of detection of each sample, and how likely a taxon would have been missed.

The model. A taxon of abundance a gives, in a sample whose *unit* is u, a Poisson number of pieces of evidence with mean
a / u, and is reported as k u where k of them are seen. It is detected where k u exceeds the threshold t:

.. math:: P(detected \mid a) = P(Poisson(a / u) > t / u), \quad\text{with t = 0}\quad 1 - e^{-a / u}.

The *limit of detection* is the abundance detected with probability 0.95: :math:`-u \ln 0.05 \approx 3.0 u` where t = 0
(LOD95; compare Armbruster and Pry 2008, PMID 18852857).

What is known of a sample gives u only up to how the profiler works: it may ask for several reads on several markers.
Where a study has enough pairs of samples of one person with no dose between, its own detection curve
(:class:`Curve`) tells how many such units are needed.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from microbiome.study import Study
from microbiome.tables import LIMITS

__all__ = ["MISSED", "Curve", "detection_limit", "fit_curve", "limits", "probability_detected", "repeat_pairs"]

logger = logging.getLogger(__name__)

#: A call is unsure where the taxon would have been missed with more than this probability.
MISSED = 0.05
# Quantile over samples of what is the same in all but for samples without rare taxa.
_COMMON = 0.1
# Abundance at which the turnover of a curve is centred, and the largest scale that is sensible.
_CENTRE, _LARGEST_SCALE = 1e-4, 1000.0
# A curve needs that many pairs of samples and observations (taxon x pair); below, Poisson alone is used.
_LEAST_PAIRS, _LEAST_OBSERVATIONS = 5, 200
# More pairs than these add nothing to three numbers but time: so many are taken, evenly spread over the persons.
_MOST_PAIRS = 200
# Reads contradict the lowest abundances when the log of their product spreads (MAD) more than this, and that many times
# as much as the lowest abundances alone. These vary by themselves: a stool with few taxa may have none near its limit.
_LARGEST_SPREAD, _MORE_SPREAD = 0.7, 1.5


@dataclass(frozen=True)
class Curve:
    r"""Probability that a taxon is seen again in another sample of the same person, with no dose between.

    .. math:: P = \mathrm{expit}(\alpha + \beta \log_{10}(a / 10^{-4})) \; (1 - e^{-a / (c u)})

    with a the abundance in one sample and u the unit of the other. The first factor is turnover (rarer taxa come and go
    more), the second detection: c is how many units one piece of evidence takes. The two can be told apart because
    turnover depends on the abundance, and detection on the abundance over the unit of the sample, which saturates.

    Parameters
    ----------
    scale
        c, 1 or more: the profile's own lowest abundance is the least that evidence can take.
    intercept, slope
        :math:`\alpha`, :math:`\beta` >= 0.
    pairs, observations, persons
        What it was fitted to.
    """

    scale: float
    intercept: float
    slope: float
    pairs: int
    observations: int
    persons: int

    def remains(self, abundance: np.ndarray) -> np.ndarray:
        """Return the probability that a taxon of this abundance is still there at the next sample."""
        return np.asarray(special.expit(self.intercept + self.slope * np.log10(abundance / _CENTRE)), dtype=float)

    def apply(self, table: pd.DataFrame, detection: float = 0.0) -> pd.DataFrame:
        """Return a table of limits with units c times as large, and the limits that go with them."""
        unit = self.scale * table["unit"]
        return table.assign(unit=unit, limit=detection_limit(unit.to_numpy(dtype=float), detection))


def limits(
    abundance: pd.DataFrame, reads: pd.Series | None = None, evidence: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the unit and the limit of detection of every sample, from the best that is known of it.

    1. ``reads_per_clade``: where the profile says how many reads each clade had, the unit is the abundance of the
       fewest reads with which a clade is reported: the 0.1 quantile over samples, because how many a profiler asks for
       is the same in all, and a sample without rare taxa shows more.
    2. ``reads``: the unit is c / reads, with c the 0.1 quantile over samples of reads x lowest abundance. Not used
       where the lowest abundances contradict it (their product with the reads varies by more than a factor of two, and
       1.5 times as much as they do themselves): the reads may be those of another library.
    3. ``lowest_abundance``: the unit is the lowest abundance of the sample.

    Parameters
    ----------
    abundance
        **sample x taxon**; a row of NaN has no profile, and is not in the result.
    reads
        Reads of each sample, by its name (the ``reads`` of the samples table); missing where not known.
    evidence
        As :func:`microbiome.evidence.evidence` returns it: ``reads_per_abundance``, ``fewest_reads`` by sample.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.tables.LIMITS`, a row per sample with a profile.
    """
    values = abundance.to_numpy(dtype=float)
    there = ~np.isnan(values).any(axis=1) & (values > 0).any(axis=1)
    names = abundance.index[there]
    lowest = np.where(values[there] > 0, values[there], np.inf).min(axis=1, initial=np.inf)
    unit, source = lowest.copy(), np.full(len(names), "lowest_abundance", dtype=object)
    known = np.full(len(names), np.nan)
    if reads is not None:
        known = pd.to_numeric(reads.reindex(names)).astype("Float64").astype("float64").to_numpy(na_value=np.nan)
        usable = np.isfinite(known) & (known > 0)
        constant = np.log(np.where(usable, known, np.nan) * lowest)
        if usable.sum() >= 3 and _explains(constant[usable], np.log(lowest[usable])):
            unit[usable] = np.exp(np.quantile(constant[usable], _COMMON)) / known[usable]
            source[usable] = "reads"
    if evidence is not None:
        rows = evidence.reindex(names)
        per_abundance = rows["reads_per_abundance"].to_numpy(dtype=float, na_value=np.nan)
        fewest = rows["fewest_reads"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        usable = np.isfinite(per_abundance) & (per_abundance > 0) & np.isfinite(fewest)
        if usable.any():
            unit[usable] = max(1.0, float(np.quantile(fewest[usable], _COMMON))) / per_abundance[usable]
            source[usable] = "reads_per_clade"
    frame = pd.DataFrame(
        {
            "sample": names.to_numpy(dtype=object),
            "unit": unit,
            "limit": -np.log(MISSED) * unit,
            "source": source,
            "taxa": (values[there] > 0).sum(axis=1),
            "reads": pd.array(np.where(np.isfinite(known), known, 0).astype(np.int64), dtype="Int64"),
        }
    )
    frame.loc[~np.isfinite(known), "reads"] = pd.NA
    return frame[LIMITS.names]


def _explains(constant: np.ndarray, lowest: np.ndarray) -> bool:
    """Tell whether reads may be behind the lowest abundances: their product varies little, or not much more."""
    spread = stats.median_abs_deviation(constant)
    if spread <= max(_LARGEST_SPREAD, _MORE_SPREAD * stats.median_abs_deviation(lowest)):
        return True
    logger.warning("the reads of the samples table do not go with the lowest abundances: these give the limits instead")
    return False


def probability_detected(abundance: np.ndarray, unit: np.ndarray, detection: float = 0.0) -> np.ndarray:
    r"""Return the probability that a taxon of this abundance is above the threshold in a sample with this unit.

    :math:`P(Poisson(a / u) > t / u)`, by the regularised lower incomplete gamma function :math:`P(t / u + 1, a / u)`,
    which is smooth in t.

    Parameters
    ----------
    abundance
        Abundance the taxon has there; broadcasts with `unit`.
    unit
        Unit of the sample (:func:`limits`), > 0; NaN gives NaN.
    detection
        Threshold t >= 0.

    Returns
    -------
    ndarray
        0..1.
    """
    if detection == 0:
        return np.asarray(-np.expm1(-abundance / unit), dtype=float)
    return np.asarray(special.gammainc(detection / unit + 1, abundance / unit), dtype=float)


def detection_limit(unit: np.ndarray, detection: float = 0.0) -> np.ndarray:
    """Return the abundance that is detected with probability 0.95 (shape of `unit`).

    The a at which :func:`probability_detected` is 0.95: the 0.95 quantile of the gamma distribution of shape
    t / u + 1 and scale u; -u ln 0.05 without a threshold.
    """
    return np.asarray(special.gammaincinv(detection / unit + 1, 1 - MISSED) * unit, dtype=float)


def repeat_pairs(study: Study, profiled: pd.Index) -> pd.DataFrame:
    """List pairs of neighbouring samples of one person with no dose between.

    Donor samples without a day follow one another in the order of the table.

    Parameters
    ----------
    study
        Samples and doses. A dose is given after the sample of its day.
    profiled
        Samples that have a profile; the others are passed over.

    Returns
    -------
    DataFrame
        ``subject``, ``role``, ``first``, ``second`` (samples), ``days`` between them (missing without days), ``kind``:
        ``donor``, ``before`` (both on or before day 0), ``after`` (both after a dose), ``untreated`` (a subject without
        doses, not both before).
    """
    rows: list[tuple[object, ...]] = []
    samples = study.samples[study.samples["sample"].isin(profiled)]
    dosed: dict[str, list[int]] = defaultdict(list)
    for subject, day in zip(study.doses["subject"], study.doses["day"].astype(int), strict=True):
        dosed[subject].append(day)
    own: dict[tuple[str, str], list[tuple[int | None, str]]] = defaultdict(list)
    for sample, subject, role, day in samples[["sample", "subject", "role", "day"]].itertuples(index=False):
        own[subject, role].append((None if pd.isna(day) else int(day), sample))
    for (subject, role), group in own.items():
        dated = [pair for pair in group if pair[0] is not None]
        ordered = sorted(dated, key=lambda pair: pair[0] or 0) if dated else group
        days, names = [day for day, _ in ordered], [sample for _, sample in ordered]
        for i in range(len(names) - 1):
            first, second = days[i], days[i + 1]
            gap = None if first is None or second is None else second - first
            kind = "donor"
            if role != "donor":
                assert first is not None  # noqa: S101 - undated samples of recipients were left out
                assert second is not None  # noqa: S101
                if any(first <= day < second for day in dosed.get(subject, ())):
                    continue
                kind = "before" if second <= 0 else "after" if subject in dosed else "untreated"
            rows.append((subject, role, names[i], names[i + 1], gap, kind))
    return pd.DataFrame(rows, columns=["subject", "role", "first", "second", "days", "kind"]).astype({"days": "Int64"})


def fit_curve(abundance: pd.DataFrame, study: Study, table: pd.DataFrame) -> tuple[Curve | None, str]:
    """Fit the detection curve to the study's own repeats, where there are enough.

    Each taxon present in one sample of a pair is one observation of the other sample, in both directions, by maximum
    likelihood. It needs 5 pairs and 200 observations, of which some are misses; of more than 200 pairs it takes 200.

    Parameters
    ----------
    abundance
        **sample x taxon**.
    study
        Whose samples they are.
    table
        As :func:`limits` returns it.

    Returns
    -------
    curve
        None where there is too little.
    text
        What it rests on, or why there is none.
    """
    unit = table.set_index("sample")["unit"]
    pairs = repeat_pairs(study, pd.Index(unit.index)).sort_values(["subject", "first", "second"])
    if len(pairs) > _MOST_PAIRS:
        pairs = pairs.iloc[np.linspace(0, len(pairs) - 1, _MOST_PAIRS).round().astype(int)]
    present, units, seen = _observations(abundance, pairs, unit)
    persons = int(pairs["subject"].nunique())
    size = f"{len(pairs)} pairs of samples of {persons} persons with no dose between, {len(seen)} observations"
    if len(pairs) < _LEAST_PAIRS or len(seen) < _LEAST_OBSERVATIONS:
        return None, f"Poisson model: too little for a fitted curve ({size})"
    if seen.all() or not seen.any():
        return None, f"Poisson model: all alike, no curve can be fitted ({size})"
    position = np.log10(present / _CENTRE)

    def loss(parameters: np.ndarray) -> float:
        intercept, slope, scale = parameters[0], parameters[1], np.exp(parameters[2])
        p = special.expit(intercept + slope * position) * -np.expm1(-present / (scale * units))
        p = np.clip(p, 1e-12, 1 - 1e-12)
        return -float(np.where(seen, np.log(p), np.log1p(-p)).sum())

    bounds = [(None, None), (0.0, None), (0.0, np.log(_LARGEST_SCALE))]
    starts = ([1.0, 1.0, 0.1], [0.0, 0.5, 2.0], [2.0, 0.1, 1.0])
    fits = [optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(fits, key=lambda found: found.fun)
    intercept, slope, scale = best.x[0], best.x[1], np.exp(best.x[2])
    curve = Curve(float(scale), float(intercept), float(slope), len(pairs), len(seen), persons)
    return curve, f"a piece of evidence takes {scale:.2f} units, fitted to {size}"


def _observations(
    abundance: pd.DataFrame, pairs: pd.DataFrame, unit: pd.Series
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return abundance of each taxon present in one sample of a pair, unit of the other, and whether that has it."""
    present, units, seen = [np.empty(0)], [np.empty(0)], [np.empty(0, dtype=bool)]
    for first, second in pairs[["first", "second"]].itertuples(index=False):
        for one, other in ((first, second), (second, first)):
            a, b = abundance.loc[one].to_numpy(dtype=float), abundance.loc[other].to_numpy(dtype=float)
            there = a > 0
            present.append(a[there])
            units.append(np.full(int(there.sum()), unit[other]))
            seen.append(b[there] > 0)
    return np.concatenate(present), np.concatenate(units), np.concatenate(seen)
