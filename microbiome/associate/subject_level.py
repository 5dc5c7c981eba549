"""One value per subject: rank correlations, differences of groups, presence and abundance, all pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.associate.permute import RankTests, rank_tests
from microbiome.stats.cliff import cliffs_deltas

__all__ = ["Settings", "cells", "correlated", "group_notes", "grouped", "untested", "words"]

# A group of fewer subjects than this, against this many times as many, is alone in how well its spread is known.
_SMALL, _TIMES = 5, 4
_CONSTANT, _FEW = "not testable: all values are equal", "not testable: fewer than {} subjects with both values"


@dataclass(frozen=True)
class Settings:
    """How tests are made.

    Parameters
    ----------
    permutations, seed
        Of the permutation tests.
    level
        Of the intervals.
    covariates
        **subject x column**, or None.
    strata
        Stratum of each subject (0, 1, ...), or None.
    """

    permutations: int = 9999
    seed: int = 0
    level: float = 0.95
    covariates: np.ndarray | None = None
    strata: np.ndarray | None = None

    @property
    def adjusted(self) -> bool:
        """Whether anything is held constant."""
        return self.covariates is not None or self.strata is not None


def cells(tests: RankTests, settings: Settings) -> dict[str, np.ndarray]:
    """Return p-values and how they came about, by row (x by x, of each every y)."""
    there = ~np.isnan(tests.p_value).ravel()
    scheme: str | np.ndarray = "t"
    if settings.permutations:
        scheme = np.where(tests.exact.ravel(), "exact", "monte_carlo")
    looked = tests.permutations.ravel().astype(float)
    return {
        "n": tests.n.ravel(),
        "p_value": tests.p_value.ravel(),
        "p_floor": tests.p_floor.ravel(),
        "permutations": np.where(there & (looked > 0), looked, np.nan),
        "scheme": words(there, scheme),
    }


def correlated(x: np.ndarray, y: np.ndarray, settings: Settings) -> pd.DataFrame:
    r"""Correlate the ranks of every column of x with those of every column of y.

    :func:`microbiome.associate.permute.rank_tests`; the interval is :math:`\tanh(\operatorname{atanh} \rho \pm z
    \sqrt{(1 + \rho^2 / 2) / (n - 3 - k)})` with k coefficients held constant (Bonett & Wright).

    Returns
    -------
    DataFrame
        One row per pair, x by x; columns of :data:`microbiome.associate.tables.ASSOCIATIONS` and ``scale``.

    References
    ----------
    Bonett & Wright, Psychometrika 65:23 (2000), 10.1007/BF02294183.
    """
    tests = rank_tests(x, y, settings.permutations, settings.seed, settings.covariates, settings.strata)
    rows = cells(tests, settings)
    rho, n, held = tests.rho.ravel(), rows["n"], tests.held.ravel()
    free = n - 3.0 - held
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(free > 0, 1 / np.sqrt(free), np.nan)
        centre = np.arctanh(rho)
        half = stats.norm.ppf((1 + settings.level) / 2) * np.sqrt(1 + rho**2 / 2) * scale
        bounds = [np.where(np.isfinite(centre), np.tanh(centre + sign * half), np.nan) for sign in (-1, 1)]
        df = np.where(np.isnan(rho) | (settings.permutations > 0), np.nan, n - 2.0 - held)
        t = rho * np.sqrt(df / (1 - rho**2))
    note = untested(np.isnan(rho), n, 3 + held, settings.adjusted)
    note[(note == "") & ~np.isfinite(bounds[0])] = "no interval: too few subjects, or ranks agree wholly"
    rows |= {
        "effect": rho,
        "effect_name": np.full(len(rho), "partial_rho" if settings.adjusted else "rho", dtype=object),
        "ci_low": bounds[0],
        "ci_high": bounds[1],
        "interval": words(np.isfinite(bounds[0]), "bonett_wright"),
        "statistic": t,
        "df": df,
        "scale": np.where(np.isnan(rho), np.nan, scale),
        "note": note,
    }
    method = "partial_spearman" if settings.adjusted else "spearman"
    return pd.DataFrame(rows).assign(method=method)


def words(where: np.ndarray, text: str | np.ndarray) -> np.ndarray:
    """Return `text` where a condition holds, else None."""
    found = np.full(where.shape, None, dtype=object)
    found[where] = text if isinstance(text, str) else text[where]
    return found


def untested(nothing: np.ndarray, n: np.ndarray, least: np.ndarray | int, adjusted: bool = False) -> np.ndarray:
    """Return why a pair was not tested; empty where it was."""
    note = np.full(len(n), "", dtype=object)
    least = np.broadcast_to(np.asarray(least), n.shape)
    few = nothing & (n < least)
    note[nothing] = _CONSTANT + (", or follow from what is held constant" if adjusted else "")
    for number in np.unique(least[few]):
        note[few & (least == number)] = _FEW.format(number)
    note[nothing & (n == 0)] = "not testable: no subject has both values"
    return note


def grouped(x: np.ndarray, y: np.ndarray, settings: Settings) -> pd.DataFrame:
    """Compare two groups of subjects in every column of y: Cliff's delta, labels permuted by mean rank.

    With covariates or strata the ranks are adjusted, as in :func:`correlated`, and the effect is the partial
    correlation.

    Parameters
    ----------
    x
        1 for the subjects of the group, 0 for those of the reference, NaN for others.
    y
        **subject x column**.
    settings
        Permutations and what is held constant.
    """
    sizes = _sizes(x, y)
    if settings.adjusted:
        found = correlated(x[:, np.newaxis], y, settings)
    else:
        tests = rank_tests(x[:, np.newaxis], y, settings.permutations, settings.seed, groups=True)
        found = pd.DataFrame(cells(tests, settings)).assign(method="permutation", effect_name="cliffs_delta")
        small = sizes.min(axis=1)
        lopsided = _lopsided(small, sizes.max(axis=1))
        df = np.where(lopsided & (small > 1), small - 1, np.nan)
        found[["effect", "ci_low", "ci_high"]] = cliffs_deltas(x, y, settings.level, df)
        n = sizes.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.sqrt((n + 1) / (3.0 * sizes.prod(axis=1)))
        none = np.isnan(found["p_value"].to_numpy())
        found["scale"] = np.where(none | ~np.isfinite(scale), np.nan, scale)
        name = np.where(lopsided, "feng_cliff, t of the smaller group", "feng_cliff").astype(object)
        found["interval"] = words(found["ci_low"].notna().to_numpy(), name)
        found["note"] = untested(none, n, 3)
        found["statistic"], found["df"] = np.nan, np.nan
    return found


def _sizes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return per column of y how many subjects of the group and of the reference have a value."""
    there = ~np.isnan(y)
    return np.column_stack([(there & (x == value)[:, np.newaxis]).sum(axis=0) for value in (1, 0)])


def group_notes(frame: pd.DataFrame, x: np.ndarray, y: np.ndarray, names: tuple[str, str]) -> pd.DataFrame:
    """Add the names of group and reference, and say where one of them has no subject, or one.

    Parameters
    ----------
    frame
        One row per column of y.
    x, y
        As in :func:`grouped`.
    names
        Group and reference.
    """
    sizes = _sizes(x, y)
    found = frame.assign(group=names[0], reference=names[1])
    note = found["note"].to_numpy(dtype=object).copy()
    for place in np.flatnonzero((sizes.min(axis=1) < 2) & (sizes.sum(axis=1) > 0)):
        small = int(sizes[place].argmin())
        if sizes[place, small] == 0:
            note[place] = f"not testable: no subject of group {names[small]} has a value"
        else:
            note[place] = "; ".join(filter(None, [note[place], f"group {names[small]} has one subject"]))
            if found["effect_name"].iloc[place] == "cliffs_delta":
                found.loc[place, ["ci_low", "ci_high"]], found.loc[place, "interval"] = np.nan, None
    return found.assign(note=note)


def _lopsided(small: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Tell where the degrees of freedom of both groups together make the interval of Cliff's delta too short.

    3 subjects against 21 with many equal values: .81 instead of .95; with those of the smaller group .98.
    """
    return np.asarray((small < _SMALL) & (large >= _TIMES * small))
