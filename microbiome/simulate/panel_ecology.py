"""What every sample of a table-level trial holds: taxa, donors, recipients, and their fates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri

from microbiome.simulate.panel_design import Design
from microbiome.simulate.panel_parameters import PanelParameters

__all__ = ["Donors", "World", "communities", "donors", "world"]

# No prevalence is quite 0 or 1, so that its odds are finite.
_LEAST, _MOST = 1e-9, 1 - 1e-6


@dataclass(frozen=True)
class World:
    """What the taxa are.

    Parameters
    ----------
    prevalence
        centre x taxon.
    level, engraftment, efficiency
        Per taxon: mean log abundance, what is added to the logit of engraftment, factor on the marker reads.
    """

    prevalence: np.ndarray
    level: np.ndarray
    engraftment: np.ndarray
    efficiency: np.ndarray


@dataclass(frozen=True)
class Donors:
    """What the donors are.

    Parameters
    ----------
    lots
        donor x sample x taxon: present or not.
    level
        donor x taxon: log abundance.
    noise
        donor x sample x taxon: added to it in each sample.
    loss, engraftment
        Per donor: what is added to the logits of loss and of engraftment of the recipients.
    """

    lots: np.ndarray
    level: np.ndarray
    noise: np.ndarray
    loss: np.ndarray
    engraftment: np.ndarray


def world(parameters: PanelParameters, rng: np.random.Generator) -> World:
    """Draw the taxa."""
    p = parameters
    prevalence = rng.beta(p.prevalence * p.prevalence_spread, (1 - p.prevalence) * p.prevalence_spread, p.taxa)
    prevalence = np.clip(prevalence, _LEAST, _MOST)
    score = np.empty(p.taxa)
    score[np.argsort(prevalence, kind="stable")] = ndtri((np.arange(p.taxa) + 0.5) / p.taxa)
    own = np.sqrt(1 - p.prevalence_level**2) * rng.normal(size=p.taxa)
    by_centre = expit(logit(prevalence) + rng.normal(0, p.centre_sd, (p.centres, p.taxa)))
    return World(
        by_centre,
        p.taxon_sd * (p.prevalence_level * score + own),
        rng.normal(0, p.engraftment_sd, p.taxa),
        np.exp(rng.normal(0, p.efficiency_sd, p.taxa)),
    )


def donors(parameters: PanelParameters, plan: Design, taxa: World, rng: np.random.Generator) -> Donors:
    """Draw the donors and let turnover work between their samples."""
    p = parameters
    chance = _carriage(p, taxa.prevalence[plan.donor_centre], rng)
    present = rng.random(chance.shape) < chance
    level = taxa.level + rng.normal(0, p.subject_sd, chance.shape)
    rate = _rate(_shifted(p.loss, -p.loss_level * level))
    lots = np.empty((p.donors, p.donor_samples, p.taxa), dtype=bool)
    for lot in range(p.donor_samples):
        if lot:
            present = _pass(present, p.donor_gap, rate, p.gain * rate, chance, rng)
        lots[:, lot] = present
    return Donors(
        lots,
        level,
        rng.normal(0, p.sample_sd, lots.shape),
        rng.normal(0, p.donor_loss_sd, p.donors),
        rng.normal(0, p.engraftment_donor_sd, p.donors),
    )


def communities(
    parameters: PanelParameters,
    plan: Design,
    taxa: World,
    givers: Donors,
    people: np.random.Generator,
    fates: np.random.Generator,
) -> np.ndarray:
    """Return the true fractions of every planned sample, donors' first, then recipients' by visit: sample x taxon.

    The model is stated in :func:`microbiome.simulate.panel.simulate_panel`.
    """
    p = parameters
    factor = p.recipient_richness * np.where(plan.responder, np.exp(p.richness_effect), 1.0)
    chance = _carriage(p, taxa.prevalence[plan.centre] * factor[:, None], people)
    present = people.random(chance.shape) < chance
    level = taxa.level + people.normal(0, p.subject_sd, chance.shape)
    own = people.normal(0, p.loss_sd, (p.recipients, 1))
    engraft_subject = people.normal(0, p.engraftment_subject_sd, (p.recipients, 1))
    noise = people.normal(0, p.sample_sd, (p.recipients, len(plan.days), p.taxa))

    treated = np.flatnonzero(plan.treated)
    shift = own.copy()
    shift[treated, 0] += givers.loss[plan.doses[0].donor]
    ratio = np.where(plan.treated & plan.responder, p.loss_ratio, 1.0)[:, None]
    displaced = np.minimum(_shifted(p.displacement, shift) * ratio, 1)[treated]
    engraft = _logit(p.engraftment) + taxa.engraftment + engraft_subject[treated]
    engraft = engraft + p.engraftment_effect * plan.responder[treated, None]
    products = [
        givers.lots[dose.donor].any(axis=1) if p.all_lots else givers.lots[dose.donor, dose.lot] for dose in plan.doses
    ]
    first = np.logical_or.reduce([product for dose, product in zip(plan.doses, products, strict=True) if not dose.day])

    weights = np.empty(noise.shape)
    # On a day with both, the sample comes before the dose.
    events = sorted(
        [(day, 0, i) for i, day in enumerate(plan.days)] + [(d.day, 1, i) for i, d in enumerate(plan.doses)]
    )
    today = plan.days[0]
    for day, kind, number in events:
        if day > today:
            usual = _shifted(p.loss, own - p.loss_level * level)
            lost = usual
            if today >= 0:
                lost = np.minimum(_shifted(p.loss, shift - p.loss_level * level) * ratio, _MOST)
            present = _pass(present, day - today, _rate(lost), p.gain * _rate(usual), chance, fates)
            today = day
        if kind == 0:
            weights[:, number] = np.where(present, np.exp(level + noise[:, number]), 0.0)
        else:
            donor = plan.doses[number].donor
            resident = present[treated]
            # Of the first dose day's products, the first one given drives out.
            if number == 0:
                resident &= first | (fates.random(resident.shape) >= displaced)
            draw = fates.random(resident.shape)
            engrafts = products[number] & ~resident & (draw < expit(engraft + givers.engraftment[donor, None]))
            present, level = present.copy(), level.copy()
            present[treated] = resident | engrafts
            level[treated] = np.where(engrafts, givers.level[donor], level[treated])
    given = np.where(givers.lots, np.exp(givers.level[:, None] + givers.noise), 0.0)
    every = np.concatenate([given.reshape(-1, p.taxa), weights.reshape(-1, p.taxa)])
    # Nobody is empty: such a stool could not be sequenced.
    every[~every.any(axis=1), int(np.argmax(taxa.prevalence.mean(axis=0)))] = 1.0
    return every / every.sum(axis=1, keepdims=True)


def _carriage(p: PanelParameters, prevalence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the probabilities with which people carry the taxa: prevalence times a factor of the person."""
    factor = np.exp(rng.normal(-(p.richness_sd**2) / 2, p.richness_sd, (len(prevalence), 1)))
    return np.minimum(prevalence * factor, _MOST)


def _pass(
    present: np.ndarray, days: int, loss: np.ndarray, balance: np.ndarray, chance: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Let the two-state chain run; `loss` per day, and arrivals that would balance the loss `balance` at `chance`."""
    arrival = balance * chance / (1 - chance)
    total = np.maximum(loss + arrival, 1e-300)
    share = -np.expm1(-total * days) / total
    draw = rng.random(present.shape)
    return np.where(present, draw >= loss * share, draw < arrival * share)


def _logit(chance: float) -> float:
    return float(logit(chance)) if chance > 0 else -np.inf


def _shifted(chance: float, shift: np.ndarray) -> np.ndarray:
    return np.asarray(expit(_logit(chance) + shift), dtype=float)


def _rate(chance: np.ndarray) -> np.ndarray:
    """Turn a probability within 30 days into a rate per day."""
    return -np.log1p(-chance) / 30
