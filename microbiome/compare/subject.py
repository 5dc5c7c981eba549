"""The primary analysis: one value per subject, labels permuted between subjects."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from microbiome.compare.material import Pair, Row, Settings, is_count, is_fraction, joined
from microbiome.stats import (
    Interval,
    TestResult,
    cliffs_delta,
    difference_interval,
    group_permutation,
    hodges_lehmann,
    mean_interval,
    ratio_interval,
)
from microbiome.stats.adjusted import adjust, freedman_lane

__all__ = ["group_mean", "interval_cells", "overall_row", "subject_row", "tested_cells"]

_METHOD = "subject_permutation"


def subject_row(pair: Pair, settings: Settings) -> Row:
    """Compare the subject means of two groups.

    Effect: difference of means, Welch's interval; with covariates or strata the coefficient of the group in least
    squares, t interval, and all other numbers from values adjusted to average covariates. P-value: exact or Monte
    Carlo permutation of subjects, within strata; with covariates that of Freedman and Lane.
    """
    row = pair.row(_METHOD, settings.by)
    notes: list[str] = []
    samples = pair.analysis.samples.assign(group=pair.analysis.samples["subject"].map(pair.everyone))
    samples = samples[samples["group"].isin([pair.first, pair.second])].join(pair.samples[["stratum"]])
    if settings.strata:
        found = samples.groupby("stratum")["group"]
        single = sorted(found.max().index[found.max() == found.min()])
        samples = samples[~samples["stratum"].isin(single)]
        notes += [f"strata of one group, which tell nothing, are left out: {', '.join(single)}"] if single else []
    row |= pair.counts(samples, settings)
    row |= {"scale": "difference", "days": pair.analysis.note, "strata": settings.strata}
    row["covariates"] = ", ".join(settings.covariates) or None
    subjects = sorted(samples["subject"].unique())
    second = pair.second_of.reindex(subjects).to_numpy(dtype=bool)
    values = pair.means.reindex(subjects).to_numpy(dtype=float)
    fraction = is_fraction(pair.rate, pair.means)
    adjusting = bool(settings.covariates or settings.strata)
    strata = samples.drop_duplicates("subject").set_index("subject")["stratum"].reindex(subjects).to_numpy(dtype=object)
    columns = _columns(pair, samples, subjects, strata if settings.strata else None)
    small = _too_small(pair, second)
    adjusted, effect = values, difference_interval(values[~second], values[second], settings.level)
    if adjusting and not small:
        try:
            fit = adjust(values, second, columns, settings.level)
        except ValueError as error:
            small, effect = f"not testable: {error}", Interval(math.nan, math.nan, math.nan, len(values), "")
        else:
            adjusted, effect = fit.adjusted, fit.difference
            notes.append(
                "means, ratio, Hodges-Lehmann and Cliff's delta are those of values adjusted to average covariates; "
                "their intervals take the adjustment as known"
            )
    row |= _effects(adjusted, second, effect, fraction and not (adjusting and not small), settings)
    if small:
        return row | {"note": joined([small, *notes, *pair.notes])}
    if settings.covariates:
        labels = np.where(second, "1", "0")
        stratum = strata if settings.strata else None
        test = freedman_lane(values, labels, columns, stratum, settings.permutations, settings.seed)
        notes.append("residuals permuted (Freedman-Lane): the level holds closely, not exactly")
    else:
        stratum = strata if settings.strata else None
        test = group_permutation(values, second, stratum, settings.permutations, settings.seed)
    if np.ptp(values) == 0:
        notes.append("all values are equal")
    notes += _drop_out(row, pair)
    notes += ["a count, which follows baseline richness: read the rate beside it"] if is_count(pair.rate) else []
    return row | tested_cells(test) | {"note": joined([*notes, *pair.notes])}


def overall_row(pairs: Pair, groups: list[str], settings: Settings) -> Row:
    """Test all groups together; `pairs` holds the samples of all of them.

    Between-group sum of squares of subject means (with covariates F), labels permuted between subjects. Groups with
    one subject are left out.
    """
    samples = pairs.analysis.samples
    samples = samples.assign(group=samples["subject"].map(pairs.everyone)).join(pairs.samples[["stratum"]])
    size = samples.groupby("group")["subject"].nunique().reindex(groups).fillna(0)
    kept = [name for name in groups if size[name] > 1]
    lost = [name for name in groups if size[name] <= 1]
    samples = samples[samples["group"].isin(kept)]
    row: Row = {
        "rate": pairs.rate,
        "by": settings.by,
        "groups": " / ".join(groups),
        "method": _METHOD,
        "n_subjects": samples["subject"].nunique(),
        "n_samples": len(samples),
        "n_donors": settings.n_donors(samples["subject"]),
        "covariates": ", ".join(settings.covariates) or None,
        "strata": settings.strata,
        "days": pairs.analysis.note,
    }
    notes = [f"fewer than two subjects, left out: {', '.join(lost)}"] if lost else []
    if len(kept) < 2:
        return row | {"note": joined(["not testable: fewer than two groups have two subjects", *pairs.notes])}
    subjects = sorted(samples["subject"].unique())
    labels = pairs.everyone.reindex(subjects).to_numpy(dtype=object)
    values = pairs.means.reindex(subjects).to_numpy(dtype=float)
    of_subject = samples.drop_duplicates("subject").set_index("subject")["stratum"].reindex(subjects)
    strata = of_subject.to_numpy(dtype=object) if settings.strata else None
    if settings.covariates:
        columns = _columns(pairs, samples, subjects, strata)
        try:
            test = freedman_lane(values, labels, columns, strata, settings.permutations, settings.seed)
        except ValueError as error:
            return row | {"note": joined([f"not testable: {error}", *notes, *pairs.notes])}
        notes.append("residuals permuted (Freedman-Lane): the level holds closely, not exactly")
    else:
        test = group_permutation(values, labels, strata, settings.permutations, settings.seed)
    return row | tested_cells(test) | {"note": joined([*notes, *pairs.notes])}


def tested_cells(test: TestResult) -> Row:
    """Return the cells of a permutation test; a test of nothing says so by its missing p-value."""
    return {
        "p_value": test.p_value,
        "p_floor": test.p_floor,
        "permutations": test.permutations,
        "scheme": test.scheme,
    }


def interval_cells(name: str, interval: Interval) -> Row:
    """Return estimate and bounds as the cells NAME, NAME_ci_low, NAME_ci_high."""
    return {name: interval.estimate, f"{name}_ci_low": interval.low, f"{name}_ci_high": interval.high}


def group_mean(values: np.ndarray, fraction: bool, settings: Settings) -> Interval:
    """Return the mean with the interval asked for; t instead of logit_t for what is no fraction."""
    method = "t" if settings.interval == "logit_t" and not fraction else settings.interval
    return mean_interval(values, method, settings.level, settings.seed)


def _effects(values: np.ndarray, second: np.ndarray, effect: Interval, fraction: bool, settings: Settings) -> Row:
    one, two = values[~second], values[second]
    row: Row = {"effect": effect.estimate, "ci_low": effect.low, "ci_high": effect.high}
    row |= interval_cells("mean_1", group_mean(one, fraction, settings))
    row |= interval_cells("mean_2", group_mean(two, fraction, settings))
    row |= interval_cells("ratio", ratio_interval(one, two, settings.level))
    row |= interval_cells("hodges_lehmann", hodges_lehmann(one, two, settings.level))
    return row | interval_cells("cliffs_delta", cliffs_delta(one, two, settings.level))


def _columns(pair: Pair, samples: pd.DataFrame, subjects: list[str], strata: np.ndarray | None) -> np.ndarray:
    """Return covariates (mean over the samples that count) and strata of each subject as columns of numbers."""
    means = pair.adjust.loc[samples.index].groupby(samples["subject"].to_numpy()).mean().reindex(subjects)
    columns = [means.to_numpy(dtype=float).reshape(len(subjects), pair.adjust.shape[1])]
    if strata is not None:
        levels = sorted(set(strata))[1:]
        columns.append((strata[:, np.newaxis] == np.array(levels, dtype=object)).astype(float))
    return np.column_stack(columns)


def _too_small(pair: Pair, second: np.ndarray) -> str:
    for name, number in ((pair.first, int((~second).sum())), (pair.second, int(second.sum()))):
        if number < 2:
            return f"not testable: group {name} has {'one subject' if number else 'no subject'}"
    return ""


def _drop_out(row: Row, pair: Pair) -> list[str]:
    parts = [
        f"{row[f'n_left_out_{end}']} of {int((pair.everyone == name).sum())} {name}"
        for end, name in (("1", pair.first), ("2", pair.second))
        if row[f"n_left_out_{end}"]
    ]
    return [f"left out: {', '.join(parts)}"] if parts else []
