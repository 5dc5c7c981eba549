"""Whether a finding hangs on the threshold of detection, on depth, on the denominator or on the unit of analysis."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from microbiome.among import among_subjects
from microbiome.compare.analysis import compare
from microbiome.compare.tables import COMPARE_METHODS
from microbiome.errors import Problem, raise_problems
from microbiome.sensitivity.grid import Cell, cells, said_once
from microbiome.sensitivity.tables import SENSITIVITY, SENSITIVITY_RATES
from microbiome.stats import mean_interval
from microbiome.study import Study
from microbiome.subject_groups import donor_sets, few_donors, subject_columns
from microbiome.tables import RATE_NAMES
from microbiome.visits import empty_window, subject_means

__all__ = ["DEPTHS", "THRESHOLDS", "sensitivity"]

logger = logging.getLogger(__name__)

#: Thresholds of detection; the common one of the study (5 times the unit of its shallowest sample) comes on top.
THRESHOLDS = (0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
#: Depths that samples are thinned to, as fractions of that of the shallowest sample; as they are comes on top.
DEPTHS = (1.0, 0.5, 0.2)
# Effects closer to 0 than this are rounding.
_EQUAL = 1e-12


def sensitivity(
    abundance: pd.DataFrame,
    study: Study,
    by: str | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    depths: Sequence[float] = DEPTHS,
    rate: Sequence[str] = SENSITIVITY_RATES,
    limits: pd.DataFrame | None = None,
    window: Sequence[int] | None = None,
    covariates: Sequence[str] = (),
    strata: str | None = None,
    permutations: int = 9999,
    repeats: int = 5,
    seed: int = 0,
    among: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    r"""Return every rate, and every test of it, over thresholds of detection and depths.

    Each cell of the grid is what ``outcomes``, ``rates`` and ``compare`` give with that threshold. As sequenced the
    profiles are as they come. To compare depths, the evidence of every sample is thinned as in
    :func:`microbiome.repair.repair`, to the fractions F of what the shallowest sample has: its unit u becomes
    :math:`u_{max} / F`. Thinning is drawn `repeats` times, with the seeds `seed`, `seed` + 1, ...; the rates of each
    sample are averaged over the draws in which they are defined (their denominator is not 0), counts over all, and then
    tested once: a p-value remains one, because a draw knows nothing of the groups.

    Parameters
    ----------
    abundance
        **sample x taxon**, fractions.
    study
        Samples, subjects and doses.
    by
        What makes the groups, as in :func:`microbiome.compare.compare`; None for the mean over all subjects, with the
        interval of :func:`microbiome.stats.mean_interval` (``logit_t``; of counts ``t``).
    thresholds
        Of detection, fractions in 0..1. The common threshold of the study (5 times the unit of the
        shallowest sample) is added, as sequenced without the samples that are too shallow for it.
    depths
        Fractions F of the depth of the shallowest sample, above 0 and at most 1.
    rate
        Columns of the rates table.
    limits
        Limits of detection (:func:`microbiome.depth.study_limits`); None for those of the study.
    window, covariates, strata, permutations
        As in :func:`microbiome.compare.compare`; but for the window they need groups.
    repeats
        Thinnings per depth, 1 or more.
    seed
        Of thinnings and permutations.
    among
        As in :func:`microbiome.compare.compare`.

    Returns
    -------
    DataFrame
        Columns of :data:`SENSITIVITY`: as sequenced first, then from deep to shallow; thresholds ascending. What cannot
        be computed is a row with missing numbers and a note.

    Raises
    ------
    InputError
        When a threshold, depth or number of repeats is not possible, and where :func:`microbiome.triads.triads` or
        :func:`microbiome.compare.compare` raise it.
    """
    problems = list(_problems(thresholds, depths, rate, repeats))
    chosen = among_subjects(subject_columns(study.subjects), among, problems)
    raise_problems(problems)
    frames = []
    with said_once("microbiome.repair", "microbiome.outcomes", "microbiome.compare.analysis", __name__):
        for cell in cells(abundance, study, thresholds, depths, limits, repeats, seed):
            if cell.rates.empty:
                frame = _untestable(by, rate)
            elif by is None:
                known = cell.rates[cell.rates["subject"].isin(chosen)] if among else cell.rates
                frame = _means(known, study, rate, window)
            else:
                frame = compare(
                    cell.rates,
                    study.subjects,
                    by,
                    rate=rate,
                    doses=study.doses,
                    samples=study.samples,
                    window=window,
                    covariates=covariates,
                    strata=strata,
                    permutations=permutations,
                    seed=seed,
                    among=among,
                )
            frames.append(_typed(_described(frame, cell)))
    return pd.concat(frames, ignore_index=True)


def _problems(
    thresholds: Sequence[float], depths: Sequence[float], rates: Sequence[str], repeats: int
) -> Iterator[Problem]:
    for value in thresholds:
        if not 0 <= value <= 1:
            yield Problem(
                f"the threshold {value:g} is not within 0 and 1", "give fractions such as 1e-4", value=f"{value}"
            )
    for value in depths:
        if not 0 < value <= 1:
            fix = "give fractions of the shallowest sample, above 0 and at most 1"
            yield Problem(f"the depth {value:g} is not possible", fix, value=f"{value}")
    for name in rates:
        if name not in SENSITIVITY_RATES:
            yield Problem(f"rate {name!r} is unknown", f"use {', '.join(SENSITIVITY_RATES)}", value=name)
    if repeats < 1:
        yield Problem(f"{repeats} repeats are too few", "give 1 or more", value=str(repeats))


def _means(table: pd.DataFrame, study: Study, rates: Sequence[str], window: Sequence[int] | None) -> pd.DataFrame:
    """Return one row per rate: its mean over all subjects with an interval."""
    received = donor_sets(study.doses)
    nowhere = empty_window(table["day"], window)
    if nowhere:
        logger.warning("%s", nowhere)
    rows = []
    for rate in rates:
        means, analysis = subject_means(table, rate, window)
        interval = mean_interval(means, "logit_t" if rate in RATE_NAMES else "t")
        too_few = ["not testable: fewer than two subjects have a value"] if len(means) < 2 else []
        donors = study.doses.loc[study.doses["subject"].isin(means.index), "donor"].nunique()
        rows.append(
            {
                "rate": rate,
                "groups": "all",
                "method": "subject_mean",
                "group_1": "all",
                "mean_1": interval.estimate,
                "mean_1_ci_low": interval.low,
                "mean_1_ci_high": interval.high,
                "n_subjects": len(means),
                "n_samples": len(analysis.samples),
                "n_donors": donors,
                "note": "; ".join([*too_few, analysis.note, *few_donors(means.index, received)]),
            }
        )
    return pd.DataFrame(rows)


def _untestable(by: str | None, rates: Sequence[str]) -> pd.DataFrame:
    methods = ["subject_mean"] if by is None else list(COMPARE_METHODS)
    rows = [{"rate": rate, "method": method} for rate in rates for method in methods]
    note = "not testable: nothing is detected in any post sample"
    return pd.DataFrame(rows).assign(by=by, n_subjects=0, n_samples=0, n_donors=0, note=note)


def _described(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Put the cell beside the results, and say the sign of the effect in words."""
    left_out = f"too shallow, and left out: {', '.join(cell.left_out)}" if cell.left_out else ""
    described = frame.assign(
        depth=f"thinned_{cell.fraction:g}" if cell.repeats else "as_sequenced",
        depth_fraction=cell.fraction,
        unit=cell.unit,
        repeats=cell.repeats or None,
        detection=cell.detection,
        common_threshold=int(cell.common),
        taxa_per_sample=cell.taxa,
        note=["; ".join(part for part in (said, left_out) if isinstance(part, str) and part) for said in frame["note"]],
    ).reindex(columns=SENSITIVITY.names)
    untestable = described["note"].fillna("").str.startswith("not testable: ")
    known = described.assign(effect=described["effect"].mask(untestable))
    signs = known[["group_1", "group_2", "effect"]].itertuples(index=False, name=None)
    return described.assign(direction=[_direction(first, second, effect) for first, second, effect in signs])


def _direction(first: object, second: object, effect: float) -> str | None:
    if pd.isna(effect) or pd.isna(second):
        return None
    if abs(effect) < _EQUAL:
        return "equal"
    return f"{second} > {first}" if effect > 0 else f"{first} > {second}"


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give every column the type that its declaration says; empty texts are missing."""
    kinds = {"integer": "Int64", "flag": "Int64", "number": "float64"}
    for column in SENSITIVITY.columns:
        cells_of = frame[column.name]
        if column.kind in kinds:
            frame = frame.assign(**{column.name: cells_of.astype(kinds[column.kind])})
        else:
            text = cells_of.astype(object)
            frame = frame.assign(**{column.name: text.where(text.notna() & (text != ""), None)})
    return frame
