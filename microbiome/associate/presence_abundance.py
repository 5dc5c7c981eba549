"""The two parts of a taxon, one value per subject: whether it is there, and how much of it there is where it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special, stats

from microbiome.associate.logistic import logistic_fits
from microbiome.associate.permute import held_columns, rank_tests, same_subjects
from microbiome.associate.subject_level import Settings, cells, untested, words

__all__ = ["least_squares", "presence"]

# Subjects times fits that are made together.
_FITS = 1 << 18


def least_squares(
    x: np.ndarray, y: np.ndarray, settings: Settings, effect_name: str, per_sd: bool = False
) -> pd.DataFrame:
    r"""Regress every column of y on every column of x, one at a time, by least squares: R ``lm(y ~ x + covariates)``.

    With the residuals :math:`e_x, e_y` from intercept, covariates and strata, :math:`b = e_x' e_y / e_x' e_x`, t with
    n - 2 - k degrees of freedom. With `per_sd` per standard deviation of x among the subjects of the pair.

    Returns
    -------
    DataFrame
        One row per pair, x by x.
    """
    shape = (x.shape[1], y.shape[1])
    slope: np.ndarray = np.full(shape, np.nan)
    se, df, n = slope.copy(), slope.copy(), slope.copy()
    known = np.ones(len(x), dtype=bool)
    if settings.covariates is not None:
        known = ~np.isnan(settings.covariates).any(axis=1)
    for rows, left, right in same_subjects(x, y, known):
        where, size = np.ix_(left, right), int(rows.sum())
        n[where] = size
        z = held_columns(
            size,
            None if settings.covariates is None else settings.covariates[rows],
            None if settings.strata is None else np.unique(settings.strata[rows], return_inverse=True)[1],
        )
        free = size - 1 - z.shape[1]
        if free < 1:
            continue
        a, b = x[np.ix_(rows, left)], y[np.ix_(rows, right)]
        unit = a.std(axis=0, ddof=1) if per_sd else np.ones(len(left))
        with np.errstate(divide="ignore", invalid="ignore"):
            e_x, e_y = a / unit - z @ (z.T @ (a / unit)), b - z @ (z.T @ b)
            total_x, total_y = (e_x**2).sum(axis=0), (e_y**2).sum(axis=0)
            gone = [total <= 1e-16 * (side**2).sum(axis=0) for total, side in ((total_x, a / unit), (total_y, b))]
            cross = e_x.T @ e_y
            b_hat = cross / total_x[:, np.newaxis]
            rest = np.maximum(total_y - b_hat * cross, 0)
            error = np.sqrt(rest / free / total_x[:, np.newaxis])
            # A fit without residual has no standard error.
            error[rest <= 1e-14 * total_y] = np.nan
        b_hat[np.ix_(gone[0], np.ones(len(right), dtype=bool))] = np.nan
        b_hat[:, gone[1]] = np.nan
        slope[where], se[where], df[where] = b_hat, error, free
    slope, se, df, n = (side.reshape(-1) for side in (slope, se, df, n))
    se[np.isnan(slope)] = np.nan
    tested = ~np.isnan(se)
    with np.errstate(invalid="ignore"):
        t = slope / se
        half = stats.t.ppf((1 + settings.level) / 2, df) * se
        p = 2 * stats.t.sf(np.abs(t), df)
    note = untested(~tested, n, 3, settings.adjusted)
    note[~tested & ~np.isnan(slope)] = "not testable: the model leaves no residual"
    return pd.DataFrame(
        {
            "method": "least_squares",
            "n": n,
            "effect": slope,
            "effect_name": effect_name,
            "ci_low": slope - half,
            "ci_high": slope + half,
            "interval": words(tested, "t"),
            "statistic": t,
            "df": np.where(tested, df, np.nan),
            "p_value": p,
            "p_floor": np.nan,
            "permutations": np.nan,
            "scheme": words(tested, "t"),
            "scale": se,
            "note": note,
        }
    )


def presence(x: np.ndarray, y: np.ndarray, settings: Settings, groups: bool, per_sd: bool = False) -> pd.DataFrame:
    r"""Regress presence (columns of y, 0 and 1) on every column of x, by Firth's logistic regression.

    Effect and bounds are those of :func:`microbiome.associate.logistic.logistic_fits`, finite also where presence and
    absence are separated by x (said in the note). Without covariates the p-value is that of permuted subjects (within
    strata; :func:`microbiome.associate.permute.rank_tests` of the values themselves): exact with few subjects, where
    that of the likelihood ratio is not. With covariates, or without permutations, it comes from ``statistic``, the
    penalised likelihood ratio: residuals of presence cannot change places, for where the covariate makes presence
    nearly certain they hardly vary. With a strong confounder (presence and group follow it and not each other; 10 to 60
    subjects) permuted residuals rejected .15 to .22 at .05, the likelihood ratio .02 to .05.

    Parameters
    ----------
    x, y
        **subject x column**.
    settings
        Permutations and what is held constant.
    groups
        x is one column of 0 and 1.
    per_sd
        Per standard deviation of x among the subjects of the pair, else per unit.
    """
    plain = groups and not settings.adjusted
    held = settings.covariates
    varies = held is not None and bool((np.ptp(np.nan_to_num(held), axis=0) > 0).any())
    by_ratio = settings.permutations == 0 or varies
    tests = rank_tests(
        x,
        y,
        1 if by_ratio else settings.permutations,
        settings.seed,
        settings.covariates,
        settings.strata,
        plain,
        groups,
    )
    rows = cells(tests, settings)
    fits, variance, share, separated = _fits(x, y, settings, per_sd)
    nothing = np.isnan(tests.rho).ravel()
    fits[nothing], separated[nothing] = np.nan, False
    coefficient, low, high, ratio = fits.T
    if by_ratio:
        rows["p_value"] = stats.chi2.sf(ratio, 1)
        rows |= {"p_floor": np.full(len(ratio), np.nan), "permutations": np.full(len(ratio), np.nan)}
        rows["scheme"] = words(~np.isnan(ratio), "likelihood_ratio")
    elif settings.strata is None:
        rows["p_floor"] = np.maximum(rows["p_floor"], _floors(x, y, groups, rows["n"], share))
    rows["p_value"] = np.where(nothing, np.nan, rows["p_value"])
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / np.sqrt(rows["n"] * share * (1 - share) * variance)
    note = untested(nothing, rows["n"], 3, settings.adjusted)
    constant = nothing & ((share == 0) | (share == 1)) & (rows["n"] > 2)
    note[constant] = np.where(
        share[constant] == 0, "not testable: present in no subject", "not testable: present in every subject"
    )
    note[separated] = "presence and absence are separated: estimate and bounds rest on the penalty"
    note[~nothing & np.isnan(coefficient)] = "the logistic model did not converge"
    rows |= {
        "effect": coefficient,
        "ci_low": low,
        "ci_high": high,
        "interval": words(np.isfinite(low) | np.isfinite(high), "profile_penalised"),
        "statistic": ratio,
        "df": np.full(len(ratio), np.nan),
        "scale": np.where(nothing | ~np.isfinite(scale), np.nan, scale),
        "note": note,
    }
    return pd.DataFrame(rows).assign(method="logistic", effect_name="log_odds_ratio")


def _floors(x: np.ndarray, y: np.ndarray, groups: bool, n: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the smallest p-value with as many subjects in whom the feature is present: few are there by few orders."""
    inside = ((x == 1).T.astype(int) @ (~np.isnan(y)).astype(int)).ravel() if groups else np.zeros(len(n))
    found = np.full(len(n), np.nan)
    some = np.flatnonzero(~np.isnan(share))
    cases = np.column_stack([n, np.round(share * n), inside])[some].astype(int).reshape(-1, 3)
    unique, code = np.unique(cases, axis=0, return_inverse=True)
    floors = []
    for total, present, members in unique:
        if not groups:
            # Of half of the subjects the other half is as far away.
            floors.append(float((1 + (2 * present == total)) / special.binom(total, present)))
            continue
        counts = np.arange(max(0, members + present - total), min(members, present) + 1)
        away = np.abs(counts * total - members * present)
        floors.append(float(stats.hypergeom.pmf(counts[away == away.max()], total, present, members).sum()))
    found[some] = np.minimum(np.array(floors), 1.0)[code.reshape(-1)] if len(some) else found[some]
    return found


def _fits(
    x: np.ndarray, y: np.ndarray, settings: Settings, per_sd: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (coefficient, low, high, ratio), residual variance of x, share present, and separation, per pair."""
    shape = (x.shape[1], y.shape[1])
    fits = np.full((*shape, 4), np.nan)
    variance, share = np.full(shape, np.nan), np.full(shape, np.nan)
    separated = np.zeros(shape, dtype=bool)
    known = np.ones(len(x), dtype=bool)
    if settings.covariates is not None:
        known = ~np.isnan(settings.covariates).any(axis=1)
    for rows, left, right in same_subjects(x, y, known):
        n = int(rows.sum())
        if n < 3:
            continue
        strata = None if settings.strata is None else np.unique(settings.strata[rows], return_inverse=True)[1]
        z = held_columns(n, None if settings.covariates is None else settings.covariates[rows], strata)
        b = y[np.ix_(rows, right)].T
        share[np.ix_(left, right)] = b.mean(axis=1)
        for column in left:
            a = x[rows, column]
            sd = float(a.std(ddof=1))
            rest = a - z @ (z.T @ a)
            if sd == 0 or (rest**2).sum() <= 1e-16 * (a**2).sum() or n - 1 - z.shape[1] < 1:
                continue
            unit = sd if per_sd else 1.0
            variance[column, right] = (rest**2).mean() / unit**2
            design = np.column_stack([z * np.sqrt(n), (a - a.mean()) / sd])
            size = max(1, _FITS // (n * design.shape[1]))
            for start in range(0, len(right), size):
                part = slice(start, start + size)
                found = logistic_fits(
                    b[part], np.broadcast_to(design, (len(b[part]), *design.shape)), design.shape[1] - 1, settings.level
                )
                scaled = [side * unit / sd for side in (found.coefficient, found.low, found.high)]
                fits[column, right[part]] = np.column_stack([*scaled, found.ratio])
            separated[column, right] = _separated(a, b)
    return fits.reshape(-1, 4), variance.ravel(), share.ravel(), separated.ravel()


def _separated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Tell per row of b whether all values of `a` with presence lie on one side of those without (or touch)."""
    there = b == 1
    low_1, high_1 = np.where(there, a, np.inf).min(axis=1), np.where(there, a, -np.inf).max(axis=1)
    low_0, high_0 = np.where(~there, a, np.inf).min(axis=1), np.where(~there, a, -np.inf).max(axis=1)
    return np.asarray((low_1 >= high_0) | (low_0 >= high_1))
