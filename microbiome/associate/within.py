"""All samples of all subjects, compared within subjects: repeated-measures correlation, and slopes by sign flips."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.associate.permute import same_subjects
from microbiome.associate.subject_level import untested, words
from microbiome.stats.adjusted import independent_columns
from microbiome.taxa.columns import column_signs

__all__ = ["repeated_correlations", "within_subjects"]


def repeated_correlations(
    x: np.ndarray, y: np.ndarray, unit: np.ndarray, level: float = 0.95, covariates: np.ndarray | None = None
) -> pd.DataFrame:
    r"""Correlate every column of x with every column of y within subjects.

    The common within-subject correlation: that of the values less their subject's mean, over the N rows of S subjects
    that have both,

    .. math:: r_{rm} = \frac{\sum (x - \bar x_s)(y - \bar y_s)}{\sqrt{\sum (x - \bar x_s)^2 \sum (y - \bar y_s)^2}},
              \qquad t = r_{rm} \sqrt{\frac{df}{1 - r_{rm}^2}}, \quad df = N - S - 1 - k

    which is the F of x in the analysis of covariance ``lm(y ~ subject + x)``. Interval: :math:`\tanh
    (\operatorname{atanh} r_{rm} \pm z / \sqrt{df - 1})`. k covariates that vary within subjects are held constant; what
    is constant within subjects is so by design. R ``rmcorr::rmcorr``.

    Parameters
    ----------
    x, y
        **row x column**, NaN where it is not known.
    unit
        Subject of each row.
    level
        Of the interval.
    covariates
        **row x column**.

    References
    ----------
    Bakdash & Marusich, Front Psychol 8:456 (2017), 10.3389/fpsyg.2017.00456.
    """
    shape = (x.shape[1], y.shape[1])
    all_r, all_df, all_n = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
    known = np.ones(len(x), dtype=bool) if covariates is None else ~np.isnan(covariates).any(axis=1)
    for rows, left, right in same_subjects(x, y, known):
        where, size = np.ix_(left, right), int(rows.sum())
        all_n[where] = size
        if not size:
            continue
        code = np.unique(unit[rows], return_inverse=True)[1]
        z = np.zeros((size, 0)) if covariates is None else _within(covariates[rows], code)
        z = z[:, independent_columns(z, np.zeros((size, 0)))]
        free = size - int(code.max()) - 2 - z.shape[1]
        if free < 1:
            continue
        sides = [_within(x[np.ix_(rows, left)], code), _within(y[np.ix_(rows, right)], code)]
        q = np.linalg.qr(z)[0]
        rest = [side - q @ (q.T @ side) for side in sides]
        norms = [np.sqrt((side**2).sum(axis=0)) for side in rest]
        full = [np.abs(side[np.ix_(rows, cols)]).max(axis=0) for side, cols in ((x, left), (y, right))]
        varies = [norm > 1e-10 * np.maximum(top, 1e-300) for norm, top in zip(norms, full, strict=True)]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.clip(rest[0].T @ rest[1] / np.outer(*norms), -1, 1)
        all_r[where] = np.where(np.outer(*varies), found, np.nan)
        all_df[where] = free
    r, df, n = all_r.ravel(), all_df.ravel(), all_n.ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(df > 1, 1 / np.sqrt(df - 1), np.nan)
        t = r * np.sqrt(df / (1 - r**2))
        half = stats.norm.ppf((1 + level) / 2) * scale
        bounds = [np.tanh(np.arctanh(r) + sign * half) for sign in (-1, 1)]
    none = np.isnan(r)
    whole = np.abs(r) >= 1 - 1e-12
    bounds = [np.where(whole, np.nan, side) for side in bounds]
    note = untested(none, n, 0)
    note[none & (note != "")] = "not testable: nothing varies within subjects"
    note[none & np.isnan(df)] = "not testable: too few subjects with repeated samples"
    note[none & (n == 0)] = "not testable: no sample has both values"
    return pd.DataFrame(
        {
            "method": "rm_corr",
            "n": n,
            "effect": r,
            "effect_name": "r_rm",
            "ci_low": bounds[0],
            "ci_high": bounds[1],
            "interval": words(np.isfinite(bounds[0]), "fisher_z"),
            "statistic": t,
            "df": np.where(none, np.nan, df),
            "p_value": np.where(none, np.nan, 2 * stats.t.sf(np.abs(t), df)),
            "p_floor": np.nan,
            "permutations": np.nan,
            "scheme": words(~none, "t"),
            "scale": np.where(none, np.nan, scale),
            "note": note,
        }
    )


def _within(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Return each value less the mean of its subject."""
    indicator = (code[:, np.newaxis] == np.arange(code.max(initial=-1) + 1)).astype(float)
    return np.asarray(values - indicator @ ((indicator.T @ values) / indicator.sum(axis=0)[:, np.newaxis]))


def within_subjects(
    x: np.ndarray,
    y: np.ndarray,
    unit: np.ndarray,
    level: float = 0.95,
    permutations: int = 9999,
    seed: int = 0,
    per_sd: bool = False,
    covariates: np.ndarray | None = None,
) -> pd.DataFrame:
    r"""Test whether y (0 and 1) follows x within subjects, for every pair of columns.

    Of each subject i the score :math:`s_i = \sum_t (y_{it} - \bar y_i)(x_{it} - \bar x_i)`; the slope
    :math:`\sum_i s_i / \sum_{it} (x_{it} - \bar x_i)^2` is the change of the share present per unit of x. Subjects in
    whom nothing changes tell nothing. p by flipping the signs of the subjects' scores
    (:func:`microbiome.stats.sign_flip`): nothing is assumed of how the samples of a subject go together. Interval: t of
    the scores of those subjects. With covariates, x and y less what these explain within subjects take the place of
    both, and every subject in whom x changes counts.

    Parameters
    ----------
    x, y
        **row x column**.
    unit
        Subject of each row.
    level
        Of the interval.
    permutations, seed
        Of the signs; 0 takes p from the t of the interval.
    per_sd
        x in units of its standard deviation.
    covariates
        **row x column**, held constant; what is constant within subjects is so by design.
    """
    blocks = [_scores(column, y, unit, per_sd, covariates) for column in x.T]
    scores = np.column_stack([block[0] for block in blocks])
    total = np.concatenate([block[1] for block in blocks])
    n = np.concatenate([block[2] for block in blocks])
    changes = np.concatenate([block[3] for block in blocks])
    found = column_signs(scores, max(permutations, 1), seed)
    m = (~np.isnan(scores)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = np.where(np.isnan(scores), 0, scores)
        mean = filled.sum(axis=0) / m
        spread = np.sqrt((np.where(np.isnan(scores), 0, scores - mean) ** 2).sum(axis=0) / (m - 1))
        se = np.where(spread > 0, m * spread / np.sqrt(m) / total, np.nan)
        slope = filled.sum(axis=0) / total
        half = stats.t.ppf((1 + level) / 2, np.maximum(m - 1, 1)) * se
    none = m == 0
    note = np.where(none, "not testable: it changes within no subject", "").astype(object)
    note[none & (changes > 0)] = "not testable: what is held constant explains all that changes within subjects"
    note[~none] = [f"{k} {'subject' if k == 1 else 'subjects'} in whom it changes" for k in changes[~none]]
    if permutations == 0:
        t = slope / se
        found = found.assign(
            p_value=2 * stats.t.sf(np.abs(t), np.maximum(m - 1, 1)), p_floor=np.nan, permutations=np.nan, scheme="t"
        )
        lost = found["p_value"].isna().to_numpy()
        found.loc[lost, "scheme"] = None
        note[lost & ~none] = ["not testable without permutations: " + text for text in note[lost & ~none]]
    return pd.DataFrame(
        {
            "method": "within_subject",
            "n": n,
            "effect": np.where(none, np.nan, slope),
            "effect_name": "slope",
            "ci_low": np.where(none, np.nan, slope - half),
            "ci_high": np.where(none, np.nan, slope + half),
            "interval": words(np.isfinite(half) & ~none, "t"),
            "statistic": np.nan,
            "df": np.nan,
            "p_value": found["p_value"].to_numpy(),
            "p_floor": np.where(none, np.nan, found["p_floor"]),
            "permutations": np.where(none, np.nan, found["permutations"]),
            "scheme": found["scheme"].to_numpy(dtype=object),
            "scale": np.where(none, np.nan, se),
            "note": note,
        }
    )


def _scores(
    column: np.ndarray, y: np.ndarray, unit: np.ndarray, per_sd: bool, covariates: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return **subject x feature** scores (NaN where nothing changes), sums of squares of x, rows, who changes."""
    code = np.unique(unit, return_inverse=True)[1]
    scores = np.full((int(code.max(initial=-1)) + 1, y.shape[1]), np.nan)
    total, n = np.zeros(y.shape[1]), np.zeros(y.shape[1])
    changes = np.zeros(y.shape[1], dtype=np.int64)
    known = ~np.isnan(column)
    if covariates is not None:
        known &= ~np.isnan(covariates).any(axis=1)
    for place in range(y.shape[1]):
        there = ~np.isnan(y[:, place]) & known
        n[place] = there.sum()
        if not there.any():
            continue
        own, x = code[there], column[there]
        sd = float(x.std(ddof=1)) if per_sd and len(x) > 1 else 1.0
        x = _within((x / (sd or 1.0))[:, np.newaxis], own)[:, 0]
        value = _within(y[there, place][:, np.newaxis], own)[:, 0]
        counted = np.bincount(own, np.abs(x), minlength=len(scores)) > 1e-12
        moved = counted & (np.bincount(own, np.abs(value), minlength=len(scores)) > 1e-12)
        changes[place] = int(moved.sum())
        if not moved.any():
            continue
        z = np.zeros((len(x), 0)) if covariates is None else _within(covariates[there], own)
        z = z[:, independent_columns(z, np.zeros((len(x), 0)))]
        if z.shape[1]:
            q = np.linalg.qr(z)[0]
            before = float((x**2).sum())
            x, value = x - q @ (q.T @ x), value - q @ (q.T @ value)
            if float((x**2).sum()) <= 1e-16 * before:
                continue
        else:
            counted = moved
        of = np.bincount(own, x * value, minlength=len(scores))
        scores[counted, place] = of[counted]
        total[place] = float((x**2).sum())
    return scores, total, n, changes
