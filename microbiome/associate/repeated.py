"""All samples of all subjects by a mixed model: what repeats within a subject is not taken for independent."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.associate.permute import same_subjects
from microbiome.associate.random_intercepts import random_intercepts
from microbiome.associate.subject_level import words
from microbiome.stats.adjusted import independent_columns
from microbiome.stats.mixed import containment_df, fit_nested

__all__ = ["mixed_models"]


def mixed_models(
    x: np.ndarray,
    y: np.ndarray,
    unit: np.ndarray,
    effect_name: str,
    level: float = 0.95,
    covariates: np.ndarray | None = None,
    per_sd: bool = False,
) -> pd.DataFrame:
    r"""Fit :math:`y = \beta_0 + \beta_1 x + Z \gamma + u_{subject} + e` for every column of x and of y.

    Restricted maximum likelihood (:func:`microbiome.stats.mixed.fit_nested`); t test of :math:`\beta_1` with the
    degrees of freedom of its level (:func:`microbiome.stats.mixed.containment_df`): what is constant within subjects is
    tested among subjects. R ``nlme::lme(y ~ x + z, random = ~ 1 | subject)``. Where no subject has two rows, nothing
    varies within subjects or the model does not converge: least squares of subject means, said in the note.

    Parameters
    ----------
    x, y
        **row x column**, NaN where it is not known.
    unit
        Subject of each row.
    effect_name
        What the effect is called.
    level
        Of the interval.
    covariates
        **row x column**, held constant.
    per_sd
        x in units of its standard deviation.

    Returns
    -------
    DataFrame
        One row per pair, x by x, as :func:`microbiome.associate.subject_level.correlated`.
    """
    z = np.zeros((len(y), 0)) if covariates is None else covariates
    rows: list[tuple[object, ...]] = []
    for column in x.T:
        together = _models(column, y, unit, z, level, per_sd)
        rows += [together.get(i) or _model(column, b, unit, z, level, per_sd) for i, b in enumerate(y.T)]
    columns = ["n", "effect", "ci_low", "ci_high", "statistic", "df", "p_value", "scale", "note"]
    found = pd.DataFrame(rows, columns=columns)
    tested = found["p_value"].notna()
    found["interval"] = found["scheme"] = words(tested.to_numpy(), "t")
    return found.assign(method="mixed_model", effect_name=effect_name, p_floor=np.nan, permutations=np.nan)


def _models(
    a: np.ndarray, y: np.ndarray, unit: np.ndarray, z: np.ndarray, level: float, per_sd: bool
) -> dict[int, tuple[object, ...]]:
    """Return the rows of outcomes (by column) to which the mixed model can be fitted at once; others are left out."""
    found: dict[int, tuple[object, ...]] = {}
    known = ~(np.isnan(a) | np.isnan(z).any(axis=1))
    for rows, _, columns in same_subjects(a[:, np.newaxis], y, known):
        x, who, held = a[rows], unit[rows], z[rows]
        values = y[np.ix_(rows, columns)]
        subjects = len(np.unique(who))
        if subjects < 3 or subjects == len(who) or np.ptp(x) == 0:
            continue
        one = np.ones((len(x), 1))
        x = x / x.std(ddof=1) if per_sd else x
        held = held[:, independent_columns(held, one)]
        design = np.column_stack([one, x, held])
        df = float(containment_df(design[:, 1:], who)[0])
        if df < 1 or not independent_columns(x[:, np.newaxis], np.column_stack([one, held])):
            continue
        varies = np.ptp(values, axis=0) > 0
        fit = random_intercepts(values[:, varies], design, who)
        reach = float(stats.t.ppf((1 + level) / 2, df))
        for column, effect, variance in zip(
            columns[varies][fit.converged], fit.coefficient[fit.converged], fit.variance[fit.converged], strict=True
        ):
            se = math.sqrt(variance)
            if se <= 1e-10 * max(abs(effect), 1e-300):
                continue
            p = float(2 * stats.t.sf(abs(effect) / se, df))
            bounds = (effect - reach * se, effect + reach * se)
            found[int(column)] = (len(x), effect, *bounds, effect / se, df, p, se, "")
    return found


def _model(
    a: np.ndarray, b: np.ndarray, unit: np.ndarray, z: np.ndarray, level: float, per_sd: bool
) -> tuple[object, ...]:
    there = ~(np.isnan(a) | np.isnan(b) | np.isnan(z).any(axis=1))
    x, y, who, held = a[there], b[there], unit[there], z[there]
    n = len(y)

    def none(words: str) -> tuple[object, ...]:
        return (n, *[math.nan] * 7, f"not testable: {words}")

    subjects = np.unique(who)
    if len(subjects) < 3:
        return none("fewer than 3 subjects with both values" if n else "no sample has both values")
    if np.ptp(y) == 0 or np.ptp(x) == 0:
        return none("all values are equal")
    if per_sd:
        x = x / x.std(ddof=1)
    notes: list[str] = []
    code = np.unique(who, return_inverse=True)[1]
    sizes = np.bincount(code)
    within = y - (np.bincount(code, y) / sizes)[code]
    mixed = True
    if len(subjects) == n:
        notes, mixed = ["one sample per subject: least squares"], False
    elif np.abs(within).max() <= 1e-9 * np.abs(y).max():
        notes, mixed = ["nothing varies within subjects: least squares of subject means"], False
    while True:
        if not mixed:
            y, x = np.bincount(code, y) / sizes, np.bincount(code, x) / sizes
            held = np.column_stack([np.zeros((len(sizes), 0)), *(np.bincount(code, c) / sizes for c in held.T)])
            who = subjects
        one = np.ones((len(y), 1))
        held = held[:, independent_columns(held, one)]
        if not independent_columns(x[:, np.newaxis], np.column_stack([one, held])):
            return none("it cannot be told from the covariates")
        design = np.column_stack([one, x, held])
        df = float(containment_df(design[:, 1:], who)[0]) if mixed else float(len(y) - design.shape[1])
        if df < 1:
            return none("too few subjects for the covariates")
        if not mixed:
            beta = np.linalg.lstsq(design, y, rcond=None)[0]
            residual = y - design @ beta
            variance = float(residual @ residual) / df * float(np.linalg.inv(design.T @ design)[1, 1])
            effect = float(beta[1])
            break
        try:
            fit = fit_nested(y, design, who)
        except (np.linalg.LinAlgError, ValueError):
            fit = None
        if fit is not None and fit.converged:
            effect, variance = float(fit.coefficients[1]), float(fit.covariance[1, 1])
            break
        notes, mixed = ["did not converge: least squares of subject means"], False
    se = math.sqrt(max(variance, 0.0))
    if se <= 1e-10 * max(abs(effect), 1e-300):
        return (n, effect, *[math.nan] * 6, "not testable: the model leaves no residual")
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    p = float(2 * stats.t.sf(abs(effect) / se, df))
    return (n, effect, effect - half, effect + half, effect / se, df, p, se, "; ".join(notes))
