"""The second analysis: all samples, subjects and donors as what repeats, adjusted for richness, depth and lag."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special, stats

from microbiome.compare.design import ModelDesign, logit_of_rate, model_design, nuisances
from microbiome.compare.material import Pair, Row, Settings, all_samples, is_count, joined
from microbiome.stats.mixed import fit_nested

__all__ = ["FEW_DONORS", "mixed_row"]

#: Fewer donors are fixed effects: the variance of so few is estimated too badly to keep the level of the test.
FEW_DONORS = 10


@dataclass(frozen=True)
class _Fit:
    """Estimate of every column of the design, and in words how it came about."""

    coefficients: np.ndarray
    covariance: np.ndarray
    design: ModelDesign
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Data:
    """Rows that a model is fitted to: samples, or subjects."""

    y: np.ndarray
    group: np.ndarray
    kept: pd.DataFrame
    nuisance: pd.DataFrame
    unit: np.ndarray
    donor: np.ndarray | None

    def by_unit(self) -> _Data:
        """Return the mean of each unit as one row."""
        first = np.unique(self.unit, return_index=True)[1]

        def mean(frame: pd.DataFrame) -> pd.DataFrame:
            return frame.groupby(self.unit).mean().reset_index(drop=True)

        return _Data(
            mean(pd.DataFrame({"y": self.y}))["y"].to_numpy(),
            self.group[first],
            mean(self.kept),
            mean(self.nuisance),
            self.unit[first],
            None if self.donor is None else self.donor[first],
        )


def mixed_row(pair: Pair, settings: Settings) -> Row:
    r"""Compare two groups by a linear mixed model over all samples.

    Outcome: the empirical logit of a rate, any other column as it is. Fixed effects: group, the covariates asked for,
    strata, and where they vary depth (log post_limit, log baseline_limit), baseline richness (log baseline_taxa) and
    lag (log of the days from the baseline). Random intercept: subject. Donor, where at least two donors have at least
    two subjects: a fixed effect while there are fewer than 10 (the comparison is then within donors, and conditional on
    them), a random one from 10 on, and where every donor has recipients of one group only.

    The t test of the group has the degrees of freedom of its level (:func:`microbiome.stats.mixed.containment_df`): of
    a group of subjects n subjects - coefficients that are constant within subjects, and not those of the number of
    samples, with which Wald's z rejects too often.

    Fallbacks, in this order, each said in the note: nuisance covariates are given up while there are fewer than 4
    degrees of freedom; the donor is left out where there are none; least squares of subject means where the model does
    not converge, nothing varies within subjects, or each has one sample.
    """
    row = pair.row("mixed_model", settings.by) | pair.counts(pair.samples, settings)
    row["days"] = all_samples(pair.samples["day"])
    logits = logit_of_rate(pair.rate, pair.samples)
    row["scale"] = "difference" if logits is None else "log_odds"
    notes = [] if logits is not None else ["the column is analysed as it is, not as the logit of a rate"]
    for end, name in (("1", pair.first), ("2", pair.second)):
        number = int(str(row[f"n_subjects_{end}"]))
        if number < 2:
            words = f"not testable: group {name} has {'one' if number else 'no'} subject"
            return row | {"note": joined([words, *pair.notes])}
    data, unknown = _data(pair, settings, pair.samples["value"] if logits is None else logits)
    if np.ptp(pair.samples["value"].to_numpy(dtype=float)) == 0 or np.ptp(data.y) == 0:
        return row | {"note": joined(["not testable: all values are equal", *pair.notes])}
    notes += [f"not known for all samples, and not in the model: {', '.join(unknown)}"] if unknown else []
    fit = _fit(data)
    if isinstance(fit, str):
        return row | {"note": joined([fit, *notes, *pair.notes])}
    row |= _cells(fit, settings.level, logits is not None)
    row["covariates"] = _described(fit, settings)
    if math.isnan(float(str(row["p_value"]))):
        return row | {"note": joined(["not testable: the model leaves no residual", *fit.notes, *notes, *pair.notes])}
    notes += ["a count, which follows baseline richness: read the rate beside it"] if is_count(pair.rate) else []
    return row | {"note": joined([*fit.notes, *notes, *pair.notes])}


def _data(pair: Pair, settings: Settings, outcome: pd.Series) -> tuple[_Data, list[str]]:
    samples = pair.samples
    nuisance, unknown = nuisances(pair.rate, samples)
    kept = pair.adjust.copy()
    if settings.strata:
        for level in sorted(samples["stratum"].unique())[1:]:
            kept[f"{settings.strata}={level}"] = (samples["stratum"] == level).astype(float)
    donor = None
    if settings.donors and settings.by != "donor":
        names = samples["subject"].map({who: "+".join(all_of) for who, all_of in settings.donors.items()})
        donor = names.astype(object).where(names.notna(), None).to_numpy()
    data = _Data(
        outcome.to_numpy(dtype=float),
        (samples["group"] == pair.second).to_numpy(dtype=float),
        kept.reset_index(drop=True),
        nuisance.reset_index(drop=True),
        samples["subject"].to_numpy(dtype=object).astype(str),
        donor,
    )
    return data, unknown


def _fit(data: _Data) -> _Fit | str:
    """Return the first model of the fallbacks that can be fitted, or why none can."""
    role, words, between = _role_of_donor(data)
    if words:
        return words
    notes: list[str] = []
    rows = data
    within = data.y - pd.Series(data.y).groupby(data.unit).transform("mean").to_numpy()
    if len(np.unique(data.unit)) == len(data.unit):
        notes.append("one sample per subject: least squares")
    elif np.abs(within).max() < 1e-9 * np.abs(data.y).max():
        notes.append("nothing varies within subjects: least squares of subject means")
        rows = data.by_unit()
    mixed = not notes
    while True:
        clusters = rows.donor if role == "random" and mixed else None
        design = model_design(
            rows.group,
            rows.kept,
            _donor_columns(rows) if role == "fixed" else pd.DataFrame(index=rows.kept.index),
            rows.nuisance,
            rows.unit,
            clusters,
        )
        if design.entangled:
            return f"not testable: the groups cannot be told from {design.entangled}"
        if design.df < 1 and role == "fixed":
            notes.append("too few subjects to tell the donors apart: donor not in the model")
            role = "none"
            continue
        if design.df < 1:
            return f"not testable: too few {'donors' if between else 'subjects'} for the covariates"
        x = design.columns.to_numpy(dtype=float)
        if not mixed:
            return _least_squares(rows.y, x, design, notes)
        try:
            fit = fit_nested(rows.y, x, rows.unit, clusters)
        except np.linalg.LinAlgError:
            fit = None
        if fit is not None and fit.converged:
            break
        if between:
            return (
                "not testable: each donor has recipients in one group only, and the model with donors did not converge"
            )
        if role == "random":
            notes.append("did not converge with donors: donor not in the model")
            role = "none"
            continue
        notes.append("did not converge: least squares of subject means")
        mixed, rows = False, data.by_unit()
    if fit.unit_variance == 0:
        notes.append("variance between subjects estimated as 0")
    if role == "random":
        notes.append("donor a random effect" + (" of variance 0" if fit.cluster_variance == 0 else ""))
    return _Fit(fit.coefficients, fit.covariance, design, (*notes, *_given_up(design)))


def _role_of_donor(data: _Data) -> tuple[str, str, bool]:
    """Return ``none``, ``fixed`` or ``random``, why donors make groups untestable, and if donors are nested in them."""
    if data.donor is None:
        return "none", "", False
    subjects = pd.DataFrame({"unit": data.unit, "donor": data.donor, "group": data.group}).drop_duplicates("unit")
    treated = subjects[subjects["donor"].notna()]
    per_donor = treated.groupby("donor")["group"]
    if (per_donor.size() > 1).sum() < 2 or treated["group"].nunique() < 2:
        return "none", "", False
    if (per_donor.max() == per_donor.min()).all():
        each = treated.drop_duplicates("donor")["group"].value_counts()
        if each.min() < 2:
            words = "not testable: no donor has recipients in both groups, and one group has a single donor"
            return "none", words, True
        return "random", "", True
    return ("fixed" if len(per_donor) < FEW_DONORS else "random"), "", False


def _donor_columns(data: _Data) -> pd.DataFrame:
    names = pd.Series(data.donor, dtype=object).fillna("")
    levels = sorted(names.unique())[1:]
    return pd.DataFrame({f"donor={level}": (names == level).astype(float) for level in levels}, index=names.index)


def _least_squares(y: np.ndarray, x: np.ndarray, design: ModelDesign, notes: list[str]) -> _Fit:
    coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
    residual = y - x @ coefficients
    variance = float(residual @ residual) / (len(y) - x.shape[1])
    covariance = variance * np.linalg.inv(x.T @ x)
    return _Fit(coefficients, covariance, design, (*notes, *_given_up(design)))


def _given_up(design: ModelDesign) -> list[str]:
    return [f"too few subjects for more covariates, given up: {', '.join(design.dropped)}"] if design.dropped else []


def _cells(fit: _Fit, level: float, logit: bool) -> Row:
    """Return effect, odds ratio, means at average covariates, df and p-value."""
    x = fit.design.columns.to_numpy(dtype=float)
    place = fit.design.columns.columns.get_loc("group")
    reach = float(stats.t.ppf((1 + level) / 2, fit.design.df))
    effect = float(fit.coefficients[place])
    se = math.sqrt(max(float(fit.covariance[place, place]), 0.0))
    exact = se <= 1e-10 * max(abs(effect), 1e-300)
    half = math.nan if exact else reach * se
    row: Row = {"effect": effect, "ci_low": effect - half, "ci_high": effect + half, "df": fit.design.df}
    row["p_value"] = math.nan if exact else float(2 * stats.t.sf(abs(effect) / se, fit.design.df))
    if logit:
        with np.errstate(over="ignore"):
            odds = np.exp([effect, effect - half, effect + half])
        row |= {"ratio": float(odds[0]), "ratio_ci_low": float(odds[1]), "ratio_ci_high": float(odds[2])}
    for name, group in (("mean_1", 0.0), ("mean_2", 1.0)):
        average = x.mean(axis=0)
        average[place] = group
        centre = float(average @ fit.coefficients)
        half = reach * math.sqrt(max(float(average @ fit.covariance @ average), 0.0))
        cells = np.array([centre, centre - half, centre + half])
        cells = special.expit(cells) if logit else cells
        row |= {name: float(cells[0]), f"{name}_ci_low": float(cells[1]), f"{name}_ci_high": float(cells[2])}
    return row


def _described(fit: _Fit, settings: Settings) -> str | None:
    """Return the names of what is held constant: levels of one covariate are one name, donors are said to be fixed."""
    names = []
    for column in fit.design.columns.columns:
        if column in ("intercept", "group"):
            continue
        name = str(column).split("=")[0]
        names.append(
            "donor (fixed)"
            if name == "donor" and settings.by != "donor" and "donor" not in settings.covariates
            else name
        )
    return ", ".join(dict.fromkeys(names)) or None
