"""The design of a table-level trial: who is who, who gets which lot when, which visits take place, and how deep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.simulate.panel_parameters import PanelParameters
from microbiome.study import Study

__all__ = ["Design", "Dose", "allot", "depths", "design", "study_tables"]


@dataclass(frozen=True)
class Dose:
    """One product to each treated recipient: its day, the donor of each (position), and the lot (-1: all lots)."""

    day: int
    donor: np.ndarray
    lot: np.ndarray


@dataclass(frozen=True)
class Design:
    """Who is who, by position: donors first in the samples, then recipients.

    Parameters
    ----------
    donor_centre, centre
        Centre of each donor, of each recipient.
    treated, responder
        Boolean per recipient; the last ``placebo`` are not treated.
    doses
        In the order they are given; arrays have one entry per treated recipient.
    days
        Days of a recipient's samples, ascending.
    attends
        recipient x day: whether the visit takes place.
    """

    donor_centre: np.ndarray
    centre: np.ndarray
    treated: np.ndarray
    responder: np.ndarray
    doses: tuple[Dose, ...]
    days: tuple[int, ...]
    attends: np.ndarray


def allot(shares: np.ndarray, number: int) -> np.ndarray:
    """Split a whole number by shares: rounded down, what is left goes to the largest remainders (ties: the first)."""
    exact = shares / shares.sum() * number
    counts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: number - int(counts.sum())]] += 1
    return np.repeat(np.arange(len(shares)), counts)


def design(parameters: PanelParameters, rng: np.random.Generator) -> Design:
    """Draw the design; see :class:`microbiome.simulate.panel_parameters.PanelParameters` for its rules."""
    p = parameters
    donor_centre = np.arange(p.donors) % p.centres
    centre = np.arange(p.recipients) % p.centres
    treated = np.arange(p.recipients) < p.recipients - p.placebo
    if isinstance(p.responders, int):
        responder = rng.permutation(p.recipients) < p.responders
    else:
        responder = rng.random(p.recipients) < p.responders
    weights = np.array(p.donor_weights or (1.0,) * p.donors)
    places = np.flatnonzero(treated)
    first = np.zeros(len(places), dtype=int)
    next_donor = np.zeros(p.donors, dtype=int)
    for number in range(p.centres):
        own = np.flatnonzero(donor_centre == number)
        here = np.flatnonzero(centre[places] == number)
        shares = weights[own] if weights[own].any() else np.ones(len(own))
        first[here] = rng.permutation(own[allot(shares, len(here))])
        next_donor[own] = np.roll(own, -1)
    start = rng.integers(p.donor_samples, size=len(places))
    doses: list[Dose] = []
    for turn, day in enumerate(p.dose_days):
        donor = first
        for _ in range(p.donors_each):
            lot = np.full(len(places), -1) if p.all_lots else (start + turn) % p.donor_samples
            doses.append(Dose(day, donor, lot))
            donor = next_donor[donor]
    days = (*p.baseline_repeats, 0, *p.post_days)
    attends = np.ones((p.recipients, len(days)), dtype=bool)
    leave = np.where(responder, p.dropout_responder, p.dropout_non_responder)
    stays = rng.random((p.recipients, len(p.post_days) - 1)) >= leave[:, None]
    attends[:, len(days) - len(p.post_days) + 1 :] = np.logical_and.accumulate(stays, axis=1)
    return Design(donor_centre, centre, treated, responder, tuple(doses), days, attends)


def depths(parameters: PanelParameters, plan: Design, rng: np.random.Generator) -> np.ndarray:
    """Return the reads of each planned sample, donors' first; also of visits that do not take place."""
    p = parameters
    n_donor, n_visits = p.donors * p.donor_samples, len(plan.days)
    size = n_donor + p.recipients * n_visits
    is_donor = np.arange(size) < n_donor

    def spread(values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros(n_donor, dtype=bool), np.repeat(values, n_visits)])

    post = np.concatenate([np.zeros(n_donor, dtype=bool), np.tile(np.array(plan.days) > 0, p.recipients)])
    word = {
        "donor": is_donor,
        "recipient": ~is_donor,
        "baseline": ~is_donor & ~post,
        "post": post,
        "fmt": spread(plan.treated),
        "placebo": spread(~plan.treated),
        "responder": spread(plan.responder),
        "non_responder": spread(~plan.responder),
    }
    factor = np.ones(size)
    for key, value in p.depth_factors.items():
        factor[np.logical_and.reduce([word[name] for name in key.split("+")])] *= value
    drawn = p.reads * factor * np.exp(rng.normal(0, p.depth_sd, size))
    return np.maximum(1, np.rint(drawn)).astype(np.int64)


def study_tables(
    parameters: PanelParameters, plan: Design, reads: np.ndarray, rng: np.random.Generator
) -> tuple[Study, np.ndarray]:
    """Return the tables of the contract, and which of the planned samples are in them.

    `reads` are those of the planned samples, as :func:`depths` gives them.
    """
    p = parameters
    donors, recipients = _names("D", p.donors), _names("R", p.recipients)
    before = len(p.baseline_repeats)
    visits = [f"S{before - i}" for i in range(before)] + [f"T{i}" for i in range(len(p.post_days) + 1)]
    names = [f"{donor}-{lot + 1}" for donor in donors for lot in range(p.donor_samples)]
    names += [f"{recipient}-{visit}" for recipient in recipients for visit in visits]
    n_donor = p.donors * p.donor_samples
    samples = pd.DataFrame(
        {
            "sample": names,
            "subject": np.repeat([*donors, *recipients], [p.donor_samples] * p.donors + [len(visits)] * p.recipients),
            "role": ["donor"] * n_donor + ["recipient"] * (len(names) - n_donor),
            "day": pd.array(
                [lot * p.donor_gap for lot in range(p.donor_samples)] * p.donors + list(plan.days) * p.recipients,
                dtype="Int64",
            ),
        }
    )
    if p.with_reads:
        samples["reads"] = pd.array(reads, dtype="Int64")
    kept = np.concatenate([np.ones(n_donor, dtype=bool), plan.attends.ravel()])
    samples = samples[kept].reset_index(drop=True)
    best = rng.random(p.recipients)
    word = np.where(plan.responder, np.where(best < 0.3, "CR", "PR"), np.where(best < 0.5, "SD", "PD"))
    subjects = pd.DataFrame(
        {
            "subject": [*donors, *recipients],
            "arm": [None] * p.donors + ["fmt" if one else "placebo" for one in plan.treated],
            "best_response": [None] * p.donors + word.tolist(),
        }
    )
    if p.centres > 1:
        subjects["centre"] = [f"C{i + 1}" for i in (*plan.donor_centre, *plan.centre)]
    given = np.array(recipients, dtype=object)[plan.treated]
    rows = [
        (subject, dose.day, donors[donor], f"{donors[donor]}-{lot + 1}" if lot >= 0 else None)
        for dose in plan.doses
        for subject, donor, lot in zip(given, dose.donor, dose.lot, strict=True)
    ]
    doses = pd.DataFrame(rows, columns=["subject", "day", "donor", "donor_sample"]).astype({"day": "Int64"})
    return Study(samples, subjects, doses.sort_values("subject", kind="stable", ignore_index=True)), kept


def _names(prefix: str, number: int) -> list[str]:
    width = max(2, len(str(number)))
    return [f"{prefix}{i + 1:0{width}d}" for i in range(number)]
