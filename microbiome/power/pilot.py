"""Power against the number of patients from the rates of a pilot: its mean, and its variation between subjects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.power.simulated import assemble, common_problems
from microbiome.power.tables import POWER
from microbiome.power.trials import Trial
from microbiome.seeds import stream
from microbiome.stats import group_permutation
from microbiome.tables import RATE_NAMES
from microbiome.visits import visits

__all__ = ["Pilot", "pilot", "pilot_power"]


@dataclass(frozen=True)
class Pilot:
    """What a pilot tells of a rate.

    Parameters
    ----------
    rate
        Name of the rate.
    mean
        Mean over subjects (of each subject's mean over samples).
    sd_subjects, sd_samples
        Standard deviation between subjects and between samples of a subject (visits taken out); the latter NaN where
        no subject has two samples, and then in the former.
    low, high
        95 % bounds of the standard deviation of one subject's mean over samples, as a factor on it (chi-squared).
    n_subjects, n_samples
        What it rests on.
    """

    rate: str
    mean: float
    sd_subjects: float
    sd_samples: float
    low: float
    high: float
    n_subjects: int
    n_samples: int

    def sd(self, samples: int) -> float:
        """Return the standard deviation between subjects of the mean over so many samples of each."""
        within = 0.0 if math.isnan(self.sd_samples) else self.sd_samples**2 / samples
        return math.sqrt(self.sd_subjects**2 + within)

    @property
    def text(self) -> str:
        """What was taken from the pilot."""
        within = "not known" if math.isnan(self.sd_samples) else f"{self.sd_samples:.3f}"
        return (
            f"pilot: {self.rate} {self.mean:.3f}, sd between subjects {self.sd_subjects:.3f}, between samples of a "
            f"subject {within}; {self.n_subjects} subjects, {self.n_samples} samples"
        )


def pilot(rates: pd.DataFrame, rate: str = "depletion_rate", groups: pd.Series | None = None) -> Pilot:
    r"""Take mean and variation of a rate from a pilot.

    The variation is that of a one-way random model :math:`y_{sv} = \mu_g + \tau_v + b_s + e_{sv}`, by the analysis of
    variance: with the means of the visits taken out, :math:`\sigma_e^2 = MS_{within}`,
    :math:`\sigma_b^2 = \max(0, (MS_{between} - MS_{within}) / n_0)`,
    :math:`n_0 = (N - \sum n_s^2 / N) / (S - 1)`.

    Parameters
    ----------
    rates
        ``subject, sample, day`` and the rate (:data:`microbiome.tables.RATES`).
    rate
        Name of the column; a fraction.
    groups
        Group of each subject (response, say); a difference between groups then does not count as variation, and
        subjects without a group are left out.

    Raises
    ------
    InputError
        When there is no such rate, or fewer than three subjects (and one more than groups) have it.
    """
    if rate not in RATE_NAMES or rate not in rates:
        raise InputError(Problem(f"there is no rate {rate!r}", f"use {', '.join(RATE_NAMES)}", value=rate))
    known = rates.loc[rates[rate].notna(), ["subject", "sample", "day", rate]]
    group = pd.Series("", index=known.index)
    if groups is not None:
        group = known["subject"].map(groups)
        known, group = known[group.notna()], group[group.notna()]
    people = known["subject"].nunique()
    freedom = people - group.nunique()
    if people < 3 or freedom < 1:
        raise InputError(
            Problem(f"{people} subjects of the pilot have a {rate}", "their variation needs 3 or more, 2 in a group")
        )
    value = known[rate].astype(float)
    visit = visits(known[["subject", "day"]].astype({"day": np.int64}))
    value = value - value.groupby(visit).transform("mean") + value.mean()
    means = value.groupby(known["subject"]).mean()
    sizes = known.groupby("subject").size()
    total, own = len(value), group.groupby(known["subject"]).first()
    centre = (means * sizes).groupby(own).transform("sum") / sizes.groupby(own).transform("sum")
    between = float((sizes * (means - centre) ** 2).sum()) / freedom
    within = math.nan
    if total > people:
        within = float(((value - known["subject"].map(means)) ** 2).sum()) / (total - people)
    n0 = (total - float((sizes**2).sum()) / total) / (people - 1)
    subjects = math.sqrt(between) if math.isnan(within) else math.sqrt(max(0.0, (between - within) / n0))
    low, high = (math.sqrt(freedom / float(stats.chi2.ppf(q, freedom))) for q in (0.975, 0.025))
    samples = math.nan if math.isnan(within) else math.sqrt(within)
    return Pilot(rate, float(known.groupby("subject")[rate].mean().mean()), subjects, samples, low, high, people, total)


def pilot_power(
    patients: Sequence[int],
    found: Pilot,
    rate_ratio: float,
    response_rate: float = 0.5,
    samples: int = 1,
    inflation: float = 1.0,
    trials: int = 1000,
    alpha: float = 0.05,
    permutations: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the power of responders against the others for rates that vary as in a pilot.

    The mean over samples of each subject is drawn from a beta distribution with the mean of the pilot (times
    `rate_ratio` for responders) and its standard deviation (for responders, the same share of what that mean allows).

    Parameters
    ----------
    patients
        Numbers of patients.
    found
        As :func:`pilot` returns it.
    rate_ratio
        Rate of responders over that of the others.
    response_rate
        Share of the patients that respond, rounded.
    samples
        Post samples of each subject.
    inflation
        Factor on the standard deviation between subjects: ``found.high`` for the upper end of what a small pilot
        leaves open.
    trials, alpha, permutations, seed
        As in :func:`microbiome.power.simulated.power`.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.power.tables.POWER`; ``n_donors`` is missing.

    Raises
    ------
    InputError
        When a value makes no sense, such as a rate above 1 or a deviation that no fraction can have.
    """
    problems = common_problems(patients, trials, alpha, permutations)
    means = np.array([found.mean, found.mean * rate_ratio])
    sd = found.sd(samples) * inflation
    share = sd**2 / (found.mean * (1 - found.mean)) if 0 < found.mean < 1 else math.nan
    if not (means > 0).all() or not (means < 1).all():
        text = f"rates of {means[0]:.3g} and {means[1]:.3g} are not both between 0 and 1"
        problems.append(Problem(text, "give another rate ratio", value=str(rate_ratio)))
    elif not 0 < share < 1:
        problems.append(Problem(f"a mean of {found.mean:.3g} and a deviation of {sd:.3g} are of no fraction", "none"))
    if not 0 < response_rate < 1:
        problems.append(Problem(f"response rate {response_rate:g} is not possible", "give a share between 0 and 1"))
    if samples < 1:
        problems.append(Problem(f"{samples} samples are too few", "give 1 or more"))
    raise_problems(problems)
    precision = 1 / share - 1
    rows = []
    for n in patients:
        second = min(max(1, round(n * response_rate)), n - 1)
        label = np.arange(n) < second
        mean = means[label.astype(int)]
        trial = []
        for number in range(trials):
            rng = stream(seed, "pilot", str(n), str(number))
            value = rng.beta(mean * precision, (1 - mean) * precision)
            result = group_permutation(value, label, permutations=permutations, seed=number)
            spread = sum(float(((value[one] - value[one].mean()) ** 2).sum()) for one in (label, ~label))
            deviation = math.sqrt(spread / (n - 2)) if n > 2 else math.nan
            trial.append(Trial(result, float(value[~label].mean()), float(value[label].mean()), deviation, n * samples))
        rows.append(
            {
                "n_subjects": n,
                "test": "response",
                "rate": found.rate,
                "effect": f"rate_ratio {rate_ratio:g}" if rate_ratio != 1 else "none",
                "groups": "yes - no",
                "n_1": n - second,
                "n_2": second,
                "n_donors": pd.NA,
                **assemble(trial, alpha),
            }
        )
    return pd.DataFrame(rows)[POWER.names].astype({"n_donors": "Int64"})
