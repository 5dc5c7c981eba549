"""What is done with one simulated trial: the commands of the package, and the shortcuts that they replace."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from microbiome.calibration.findings import Findings, key
from microbiome.compare import compare
from microbiome.nulls import LEVELS, nulls
from microbiome.outcomes import outcomes, rates
from microbiome.power.trials import against_donors, presence, primary, trial_rates
from microbiome.simulate.panel import Panel
from microbiome.stats import difference_interval, group_permutation, mean_interval, sign_flip
from microbiome.study import Study
from microbiome.tables import RATE_NAMES
from microbiome.taxa.fates import taxa

__all__ = [
    "ALPHA",
    "Analysis",
    "Case",
    "all_rates",
    "compared",
    "compared_by_centre",
    "dilution",
    "donor_rows",
    "donors_by_centre",
    "drop_out",
    "excess",
    "means",
    "mixed_lags",
    "naive_arms",
    "quick",
    "quick_donors",
    "repaired",
    "repeats",
    "spread",
    "taxa_compared",
]


@dataclass(frozen=True)
class Case:
    """One simulated trial, its outcomes and rates computed once for all that is done with it."""

    panel: Panel

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """Return the outcomes without repair."""
        return outcomes(self.panel.abundance, self.panel.study, fitted=False)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """Return their rates."""
        return rates(self.outcomes)


Analysis = Callable[[Case, int], Findings]

ALPHA = 0.05
_PERMUTATIONS = 499
# p-values are multiples of 1 / arrangements: 0.05 must be reached in spite of rounding.
_ROUNDING = 1e-9
_RATES = ("depletion_rate", "engraftment_rate", "lost_taxa")
_EFFECTS = {"effect": ("ci_low", "ci_high"), "ratio": ("ratio_ci_low", "ratio_ci_high")} | {
    name: (f"{name}_ci_low", f"{name}_ci_high") for name in ("hodges_lehmann", "cliffs_delta")
}
_DIFFERENCE = {"effect": "difference"}

logging.getLogger("microbiome").addHandler(logging.NullHandler())


def quick(case: Case, seed: int) -> Findings:
    """Compare responders with the others by the primary analysis, for every rate, without the table around it."""
    trial = presence(case.panel)
    found = Findings()
    for quantity in (*RATE_NAMES, "lost_taxa"):
        values, _ = primary(trial_rates(trial, quantity))
        known = ~np.isnan(values)
        y, label = values[known], trial.responder[known]
        name = key("compare", quantity, "subject_permutation")
        found.p[name] = group_permutation(y, label, permutations=_PERMUTATIONS, seed=seed).p_value
        interval = difference_interval(y[~label], y[label])
        found.interval[key("compare", quantity, "difference")] = (interval.estimate, interval.low, interval.high)
    return found


def quick_donors(case: Case, seed: int) -> Findings:
    """Compare own with re-assigned donors overall, without the table around it."""
    trial = presence(case.panel)
    found = Findings()
    for quantity in ("engraftment_rate", "donor_recovery"):
        tested, _ = against_donors(trial, quantity, _PERMUTATIONS, seed)
        name = key("nulls", quantity, "donor_permutation")
        found.p[name] = tested.p_value
        found.interval[name] = (tested.excess.estimate, tested.excess.low, tested.excess.high)
    return found


def compared(case: Case, seed: int, quantities: Sequence[str] = _RATES) -> Findings:
    """Compare rates between responders and the others by all three analyses of ``microbiome compare``."""
    return _compare(case.rates, case.panel.study, seed, quantities)


def all_rates(case: Case, seed: int) -> Findings:
    """Compare every rate, as :func:`compared`."""
    return compared(case, seed, (*RATE_NAMES, "lost_taxa"))


def taxa_compared(case: Case, seed: int) -> Findings:
    """Compare each taxon between responders and the others (``microbiome taxa --by responder``)."""
    table, _ = taxa(
        case.outcomes,
        case.panel.study.subjects,
        "responder",
        permutations=_PERMUTATIONS,
        seed=seed,
    )
    found = Findings()
    for quantity, rows in table.groupby("quantity"):
        name = key("taxa", str(quantity), "per taxon")
        found.share[name] = _share(rows["p_value"])
        found.flag[key("taxa", str(quantity), "any q < 0.05")] = bool((rows["q_value"] < ALPHA).any())
    return found


def compared_by_centre(case: Case, seed: int) -> Findings:
    """Compare with a covariate that differs between groups, and within centres that differ in response.

    The labels are dealt out anew: 80 % of the patients of one centre respond and 20 % of the other, some and not all
    of each. ``age`` is a standard deviation higher in responders and means nothing.
    """
    rng = np.random.default_rng([seed, 1])
    people = case.panel.study.subjects
    is_recipient = people["arm"].notna().to_numpy()
    chance = np.where(people["centre"] == "C1", 0.8, 0.2)
    answer = np.full(len(people), "no")
    while len({*zip(people["centre"][is_recipient], answer[is_recipient], strict=True)}) < 4:
        answer = np.where(rng.random(len(people)) < chance, "yes", "no")
    subjects = people.drop(columns="best_response").assign(
        responder=pd.Series(answer, index=people.index, dtype=object).where(is_recipient, None),
        age=60 + 10 * ((answer == "yes") + rng.normal(size=len(people))),
    )
    study = replace(case.panel.study, subjects=subjects)
    found = Findings()
    for name, covariates, strata in (
        ("free", (), None),
        ("covariate", ("age",), None),
        ("strata", (), "centre"),
        ("covariate and strata", ("age",), "centre"),
    ):
        found.add(_compare(case.rates, study, seed, ("depletion_rate",), name, covariates, strata))
    return found


def donor_rows(
    case: Case,
    seed: int,
    strata: str | None = None,
    name: str = "nulls",
    levels: Sequence[str] = LEVELS,
    method: str = "auto",
) -> Findings:
    """Test engraftment against re-assigned donors: overall, per recipient, per taxon."""
    panel = case.panel
    table = nulls(
        panel.abundance,
        panel.study,
        method=method,
        strata=strata,
        permutations=_PERMUTATIONS,
        seed=seed,
        levels=levels,
    )
    found = Findings()
    for (quantity, null), rows in table[table["null"] == "donor_permutation"].groupby(["quantity", "null"]):
        _levels(found, rows, name, str(quantity), str(null))
    return found


def donors_by_centre(case: Case, seed: int) -> Findings:
    """Test engraftment with donors of the own centre: within centres, and across them."""
    found = donor_rows(case, seed, "centre", "nulls within centres")
    found.add(donor_rows(case, seed, None, "nulls across centres"))
    return found


def excess(case: Case, seed: int, levels: Sequence[str] = LEVELS) -> Findings:
    """Test depletion against turnover without FMT: overall, per recipient, per taxon."""
    table = nulls(case.panel.abundance, case.panel.study, permutations=_PERMUTATIONS, seed=seed, levels=levels)
    found = Findings()
    chosen = table["null"].isin(["placebo_arm", "before_repeats", "donor_repeats"])
    for (quantity, null), rows in table[chosen].groupby(["quantity", "null"]):
        _levels(found, rows, "nulls", str(quantity), str(null))
    return found


def dilution(case: Case, seed: int) -> Findings:
    """Test depletion against placebo, overall; what engrafts is not looked at."""
    whole = excess(case, seed, ("overall",))
    name = key("nulls", "depletion_rate", "placebo_arm")
    return Findings(p={name: whole.p[name]}, interval={name: whole.interval[name]})


def naive_arms(case: Case, seed: int) -> Findings:
    """Compare the arms as if their depth were the same: raw rates, and what FMT recipients alone show."""
    trial = presence(case.panel)
    found = Findings()
    values, _ = primary(trial_rates(trial, "depletion_rate"))
    known = ~np.isnan(values)
    result = group_permutation(values[known], trial.treated[known], permutations=_PERMUTATIONS, seed=seed)
    name = key("naive", "depletion_rate", "raw rates of the arms")
    found.p[name] = result.p_value
    interval = difference_interval(values[known & ~trial.treated], values[known & trial.treated])
    found.interval[name] = (interval.estimate, interval.low, interval.high)
    # An empty donor set leaves all baseline taxa in: another quantity than in the treated.
    values, _ = primary(trial_rates(trial, "depletion_rate_donor_absent"))
    known = ~np.isnan(values)
    result = group_permutation(values[known], trial.treated[known], permutations=_PERMUTATIONS, seed=seed)
    found.p[key("naive", "depletion_rate_donor_absent", "raw rates of the arms")] = result.p_value
    return found


def repaired(case: Case, seed: int) -> Findings:
    """Compare responders with the others after each repair of depth."""
    found = Findings()
    for method in ("none", "threshold", "thinning", "auto"):
        table = rates(outcomes(case.panel.abundance, case.panel.study, method=method, seed=seed, fitted=False))
        result = compare(
            table, case.panel.study.subjects, "responder", ["depletion_rate"], permutations=_PERMUTATIONS, seed=seed
        )
        row = result[result["method"] == "subject_permutation"].iloc[0]
        name = key("compare", "depletion_rate", f"repair {method}")
        found.p[name] = row["p_value"]
        found.interval[name] = (row["effect"], row["ci_low"], row["ci_high"])
        row = result[result["method"] == "mixed_model"].iloc[0]
        found.p[key("compare", "depletion_rate", f"mixed model, repair {method}")] = row["p_value"]
    return found


def drop_out(case: Case, seed: int) -> Findings:
    """Compare where patients leave: the common visits, and the mean over whatever samples there are."""
    found = compared(case, seed, ("depletion_rate",))
    trial = presence(case.panel)
    matrix = trial_rates(trial, "depletion_rate")
    known = ~np.isnan(matrix)
    values = np.where(known, matrix, 0).sum(axis=1) / known.sum(axis=1)
    result = group_permutation(values, trial.responder, permutations=_PERMUTATIONS, seed=seed)
    found.p[key("naive", "depletion_rate", "mean over whatever samples there are")] = result.p_value
    return found


def mixed_lags(case: Case, seed: int) -> Findings:
    """Sample the placebo arm at the first post day only and the treated at the last: the lags differ."""
    panel = case.panel
    samples, subjects = panel.study.samples, panel.study.subjects
    placebo = set(subjects.loc[subjects["arm"] == "placebo", "subject"])
    day = samples["day"].astype("float64")
    posts = day[(day > 0) & (samples["role"] == "recipient")]
    of_placebo = samples["subject"].isin(placebo)
    unwanted = (samples["role"] == "recipient") & (
        (of_placebo & (day > posts.min())) | (~of_placebo & (day > 0) & (day < posts.max()))
    )
    study = Study(samples[~unwanted].reset_index(drop=True), subjects, panel.study.doses)
    there = replace(panel, study=study, abundance=panel.abundance.loc[study.samples["sample"]])
    return _refusal(Case(there), seed, "placebo_arm", _naive_lags)


def repeats(case: Case, seed: int) -> Findings:
    """Test depletion against repeats before FMT, which are refused where their lag differs; and all the same."""
    return _refusal(case, seed, "before_repeats", _naive_repeats)


def means(case: Case, seed: int, quantities: Sequence[str] = ("depletion_rate", "engraftment_rate")) -> Findings:
    """Return the intervals of the mean over subjects by all methods."""
    trial = presence(case.panel)
    found = Findings()
    for quantity in quantities:
        values, _ = primary(trial_rates(trial, quantity))
        for method in ("logit_t", "t", "percentile", "bca"):
            interval = mean_interval(values, method, seed=seed)
            found.interval[key("mean", quantity, method)] = (interval.estimate, interval.low, interval.high)
    return found


def spread(rng: np.random.Generator, seed: int, sizes: tuple[int, int], ratio: float) -> Findings:
    """Compare two groups of normal values with the same mean and unequal spread; no trial is simulated."""
    values = np.concatenate([rng.normal(0, 1, sizes[0]), rng.normal(0, ratio, sizes[1])])
    label = np.repeat([0, 1], sizes)
    result = group_permutation(values, label, permutations=_PERMUTATIONS, seed=seed)
    interval = difference_interval(values[label == 0], values[label == 1])
    found = Findings(p={key("stats", "normal values", "group_permutation"): result.p_value})
    found.interval[key("stats", "normal values", "welch")] = (interval.estimate, interval.low, interval.high)
    return found


def _compare(
    table: pd.DataFrame,
    study: Study,
    seed: int,
    quantities: Sequence[str],
    suffix: str = "",
    covariates: Sequence[str] = (),
    strata: str | None = None,
) -> Findings:
    result = compare(
        table,
        study.subjects,
        "responder",
        quantities,
        doses=study.doses,
        covariates=covariates,
        strata=strata,
        permutations=_PERMUTATIONS,
        seed=seed,
    )
    found = Findings()
    for row in result.to_dict("records"):
        method = f"{row['method']}, {suffix}" if suffix else str(row["method"])
        name = key("compare", str(row["rate"]), method)
        found.p[name] = _float(row["p_value"])
        if row["method"] == "subject_permutation":
            for effect, (low, high) in _EFFECTS.items():
                words = _DIFFERENCE.get(effect, effect) + (f", {suffix}" if suffix else "")
                values = tuple(_float(row[column]) for column in (effect, low, high))
                found.interval[key("compare", str(row["rate"]), words)] = values  # type: ignore[assignment]
        elif row["method"] == "mixed_model":
            values = tuple(_float(row[column]) for column in ("effect", "ci_low", "ci_high"))
            found.interval[name] = values  # type: ignore[assignment]
    return found


def _levels(found: Findings, rows: pd.DataFrame, test: str, quantity: str, null: str) -> None:
    """Add the rows of ``nulls`` of one quantity and null."""
    for row in rows[rows["level"] == "overall"].to_dict("records"):
        name = key(test, quantity, null)
        found.p[name] = _float(row["p_value"])
        found.interval[name] = (_float(row["excess"]), _float(row["ci_low"]), _float(row["ci_high"]))
    for level in ("subject", "taxon"):
        part = rows[rows["level"] == level]
        if len(part):
            found.share[key(test, quantity, f"{null}, per {level}")] = _share(part["p_value"])
            found.flag[key(test, quantity, f"{null}, any {level} q < 0.05")] = bool((part["q_value"] < ALPHA).any())


def _refusal(case: Case, seed: int, null: str, naive: Analysis) -> Findings:
    table = nulls(case.panel.abundance, case.panel.study, permutations=_PERMUTATIONS, seed=seed, levels=("overall",))
    row = table[(table["quantity"] == "depletion_rate") & (table["null"] == null)].iloc[0]
    found = naive(case, seed)
    name = key("nulls", "depletion_rate", null)
    found.p[name] = _float(row["p_value"])
    found.interval[name] = (_float(row["excess"]), _float(row["ci_low"]), _float(row["ci_high"]))
    found.flag[key("nulls", "depletion_rate", f"{null} refused")] = str(row["note"]).startswith("not testable: ")
    return found


def _naive_lags(case: Case, seed: int) -> Findings:
    """Compare the arms whatever the days of their samples."""
    trial = presence(case.panel)
    values = np.nanmean(trial_rates(trial, "depletion_rate"), axis=1)
    result = group_permutation(values, trial.treated, permutations=_PERMUTATIONS, seed=seed)
    return Findings(p={key("naive", "depletion_rate", "arms whatever their lag"): result.p_value})


def _naive_repeats(case: Case, seed: int) -> Findings:
    """Compare turnover after FMT with that before it within patients, whatever the days between."""
    samples = case.panel.study.samples[case.panel.study.samples["role"] == "recipient"]
    present = case.panel.abundance > 0
    losses = {}
    for subject, group in samples.sort_values("day").groupby("subject"):
        names = group["sample"].tolist()
        zero = group["day"].tolist().index(0)
        before, at, after = (present.loc[names[i]].to_numpy() for i in (zero - 1, zero, zero + 1))
        losses[subject] = (at & ~after).sum() / at.sum() - (before & ~at).sum() / before.sum()
    result = sign_flip(list(losses.values()), _PERMUTATIONS, seed)
    return Findings(p={key("naive", "depletion_rate", "repeats whatever their lag"): result.p_value})


def _share(p_values: pd.Series) -> float:
    known = p_values.dropna()
    return float((known <= ALPHA + _ROUNDING).mean()) if len(known) else float("nan")


def _float(value: Any) -> float:
    return float("nan") if value is None or pd.isna(value) else float(value)
