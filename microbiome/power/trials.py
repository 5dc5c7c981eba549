"""One simulated trial and one p-value, by matrices only: thousands of trials are looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.nulls.reassignment import Reassigned, reassign
from microbiome.nulls.recovery import pair_rates, rates_by_schedule, subject_matrix
from microbiome.nulls.schedules import schedules
from microbiome.simulate.panel import Panel
from microbiome.stats import TestResult, group_permutation

__all__ = ["Presence", "Trial", "against_donors", "presence", "primary", "run_trial", "trial_rates"]


@dataclass(frozen=True)
class Presence:
    """A simulated trial as detected or not, one row per post sample.

    Parameters
    ----------
    subjects
        Recipients, in the order of the samples table.
    treated, responder
        Boolean per recipient.
    subject, visit
        Position of the recipient and of the day (among `days`) of each post sample.
    days
        Days of the post samples, ascending.
    donor, baseline, post
        **post sample x taxon**, boolean.
    products
        One row per treated recipient and donor product: ``subject, day, donor, donor_sample, profiled``.
    product
        Detected taxa of each donor product, boolean.
    """

    subjects: tuple[str, ...]
    treated: np.ndarray
    responder: np.ndarray
    subject: np.ndarray
    visit: np.ndarray
    days: np.ndarray
    donor: np.ndarray
    baseline: np.ndarray
    post: np.ndarray
    products: pd.DataFrame
    product: dict[str, np.ndarray]


@dataclass(frozen=True)
class Trial:
    """What one trial gave.

    Parameters
    ----------
    result
        Of the test.
    mean_1, mean_2, sd
        Means of the groups over subjects (``donors``: re-assigned, own), standard deviation between subjects within
        a group.
    n_samples
        Post samples that count.
    """

    result: TestResult
    mean_1: float
    mean_2: float
    sd: float
    n_samples: int


def presence(panel: Panel, detection: float = 0.0) -> Presence:
    """Return what is detected where; D, B and R are those of :func:`microbiome.outcomes.outcomes`.

    Parameters
    ----------
    panel
        A simulated trial: each recipient has its baseline at day 0. Samples in which nothing was detected have no row
        (post), or count as without taxa.
    detection
        A taxon is detected above this abundance.
    """
    samples, doses = panel.study.samples, panel.study.doses
    values = panel.abundance.to_numpy(dtype=float)
    present = values > detection
    is_donor = (samples["role"] == "donor").to_numpy()
    day = samples["day"].to_numpy(dtype=np.int64)
    code, names = pd.factorize(samples["subject"].to_numpy(dtype=object)[~is_donor])
    rows, days = np.flatnonzero(~is_donor), day[~is_donor]
    baseline_row = np.empty(len(names), dtype=np.int64)
    baseline_row[code[days == 0]] = rows[days == 0]
    counts = (days > 0) & ~np.isnan(values[rows, 0])
    subject, rows, days = code[counts], rows[counts], days[counts]
    distinct = np.unique(days)
    products, product = _products(panel, present, is_donor)
    donor = np.zeros((len(rows), present.shape[1]), dtype=bool)
    place = {name: i for i, name in enumerate(names)}
    of = [np.flatnonzero(subject == i) for i in range(len(names))]
    for name, given, sample in zip(products["subject"], products["day"], products["donor_sample"], strict=True):
        at = of[place[name]]
        donor[at[days[at] >= given]] |= product[sample]
    people = panel.study.subjects.set_index("subject").loc[list(names)]
    return Presence(
        tuple(names),
        np.isin(names, doses["subject"].to_numpy(dtype=object)),
        people["best_response"].isin(["CR", "PR"]).to_numpy(),
        subject,
        np.searchsorted(distinct, days),
        distinct,
        donor,
        present[baseline_row[subject]],
        present[rows],
        products,
        product,
    )


def _products(panel: Panel, present: np.ndarray, is_donor: np.ndarray) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    samples, doses = panel.study.samples, panel.study.doses
    names = samples.loc[is_donor, "sample"].tolist()
    product = dict(zip(names, present[is_donor], strict=True))
    lots: dict[str, list[str]] = {}
    for donor, sample in zip(samples.loc[is_donor, "subject"], names, strict=True):
        lots.setdefault(donor, []).append(sample)
    rows = [
        (subject, int(day), donor, one, True)
        for subject, day, donor, sample in doses[["subject", "day", "donor", "donor_sample"]].itertuples(index=False)
        for one in ([sample] if sample is not None else lots[donor])
    ]
    return pd.DataFrame(rows, columns=["subject", "day", "donor", "donor_sample", "profiled"]), product


def trial_rates(trial: Presence, rate: str) -> np.ndarray:
    """Return a rate (:data:`microbiome.tables.RATE_NAMES`) or ``lost_taxa``, **recipient x day**; NaN is none."""
    found = np.full((len(trial.subjects), len(trial.days)), np.nan)
    if rate == "lost_taxa":
        found[trial.subject, trial.visit] = (trial.baseline & ~trial.post).sum(axis=1)
    else:
        found[trial.subject, trial.visit] = pair_rates(trial.donor, trial.baseline, trial.post)[rate]
    return found


def primary(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each recipient over the days that all have, and which days these are.

    As :func:`microbiome.visits.subject_means`: recipients without any rate do not count; where no day is had by all, it
    is the day that most have (the earlier of two), and the others are NaN.
    """
    known = ~np.isnan(rates)
    some = known.any(axis=1)
    days = known[some].all(axis=0)
    if not days.any():
        days = np.arange(rates.shape[1]) == int(np.argmax(known.sum(axis=0)))
    means = np.full(len(rates), np.nan)
    means[some] = rates[some][:, days].mean(axis=1)
    return means, days


def run_trial(panel: Panel, test: str, rate: str, detection: float, permutations: int, seed: int) -> Trial:
    """Test one simulated trial.

    Parameters
    ----------
    panel
        The trial.
    test
        One of :data:`microbiome.power.tables.TESTS`.
    rate
        With ``donors`` one that needs a donor.
    detection
        A taxon is detected above this abundance.
    permutations, seed
        Of the test.
    """
    trial = presence(panel, detection)
    if test == "donors":
        tested, n_samples = against_donors(trial, rate, permutations, seed)
        inside, spread = tested.inside, np.nan
        if inside.sum() > 1:
            spread = float(np.std(tested.observed[inside], ddof=1))
        result = TestResult(tested.excess.estimate, tested.p_value, tested.p_floor, tested.permutations, tested.scheme)
        return Trial(result, _mean(tested.expected[inside]), _mean(tested.observed[inside]), spread, n_samples)
    means, days = primary(trial_rates(trial, rate))
    if test == "placebo":
        label = trial.treated
    else:
        label = trial.responder
        means = np.where(trial.treated, means, np.nan)
    known = ~np.isnan(means)
    result = group_permutation(means[known], label[known], permutations=permutations, seed=seed)
    first, second = means[known & ~label], means[known & label]
    freedom = len(first) + len(second) - 2
    spread = float(((first - _mean(first)) ** 2).sum() + ((second - _mean(second)) ** 2).sum())
    sd = float(np.sqrt(spread / freedom)) if freedom > 0 else np.nan
    return Trial(result, _mean(first), _mean(second), sd, int(known.sum() * days.sum()))


def against_donors(trial: Presence, rate: str, permutations: int, seed: int) -> tuple[Reassigned, int]:
    """Compare own with re-assigned donors: the overall test of :mod:`microbiome.nulls`.

    Parameters
    ----------
    trial
        The trial.
    rate
        One that needs a donor.
    permutations, seed
        Of the test.

    Returns
    -------
    tested
        Of :func:`microbiome.nulls.reassignment.reassign`.
    n_samples
        Post samples that count.
    """
    treated = np.flatnonzero(trial.treated)
    own = np.where(trial.treated[:, np.newaxis], trial_rates(trial, rate), np.nan)
    _, days = primary(own)
    at = np.flatnonzero(trial.treated[trial.subject] & days[trial.visit])
    found = schedules(trial.products, [trial.subjects[i] for i in treated], trial.days[days].tolist())
    rates = rates_by_schedule(
        trial.post[at], trial.baseline[at], trial.days[trial.visit[at]], found, trial.product, None
    )[rate]
    place = {name: i for i, name in enumerate(found.subjects)}
    subject = np.array([place[trial.subjects[i]] for i in trial.subject[at]])
    matrix = subject_matrix(rates, subject, np.ones(len(at)), len(found.subjects))
    stratum = np.zeros(len(found.subjects), dtype=np.int64)
    return reassign(matrix, found.label, found.donors, stratum, permutations, seed), len(at)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
