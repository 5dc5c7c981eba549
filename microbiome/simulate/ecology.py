"""Which strains every sample holds, and how much of each taxon: the generative model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.simulate.parameters import Parameters, stream

__all__ = ["Carried", "Community", "communities"]

# Days between two samples of a donor: lots of one donor differ by this much turnover.
_LOT_DAYS = 30
# Of a taxon with two strains, neither is below this fraction: a lesser one would not show at the demo's depth.
_MINOR = 0.15


@dataclass(frozen=True)
class Carried:
    """One strain of a taxon in a person: its name, its share of the taxon (sums to 1) and where it came from."""

    strain: str
    share: float
    origin: str


@dataclass(frozen=True)
class Community:
    """What a stool holds: the strains of each taxon present, and the log abundance (before closing) of every taxon."""

    strains: dict[str, tuple[Carried, ...]]
    level: pd.Series


def communities(
    parameters: Parameters, taxa: list[str], samples: pd.DataFrame, subjects: pd.DataFrame, doses: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Draw what every sample holds.

    The model, for taxon i, person s, sample t:

    * Taxa have a prevalence :math:`\pi_i \sim` Beta(4 c, 4 (1 - c)) with c = ``carriage``, a log level :math:`\mu_i
      \sim N(0, taxon\_sd^2)` and a logit of engraftment :math:`e_i \sim N(logit(engraftment), engraftment\_sd^2)`.
    * A donor carries i with probability :math:`\pi_i`, a recipient with :math:`\pi_i` x ``recipient_richness``, at
      log level :math:`\mu_i + N(0, subject\_sd^2)`. A carried taxon has one strain of the person's own, with
      ``second_strain`` two; with ``common_strain`` a strain is not the person's own but the taxon's common one.
    * Without FMT, in d days: a carried taxon is lost with probability :math:`1 - (1 - loss)^{d / 30}`, an absent one
      comes from the environment with :math:`1 - (1 - gain\,\pi_i)^{d / 30}` with a strain nobody else has, and the
      strain of a carried one is replaced by such a strain with :math:`1 - (1 - turnover)^{d / 30}`. Samples of a
      donor are 30 days apart and differ by this turnover only.
    * A dose (after its day's sample): a taxon of the product that the recipient lacks engrafts, with the donor's
      strains, with probability :math:`logit^{-1}(e_i \pm response\_effect)` (plus for responders). Of a shared taxon,
      the first dose drives it out with ``shared_loss``; else the donor's strain joins (``coexistence``; its share is
      Beta(2, 2), kept within 0.15..0.85), replaces the resident (``replacement``), or has no effect. A resident taxon
      that the product lacks is driven out by the first dose with ``displacement``; both probabilities are moved by
      :math:`\pm loss\_effect` on the logit. The level of each product taxon moves ``donor_pull`` of the way to the
      donor's.
    * Sample: log abundance = level + N(0, sample_sd^2), exponentiated, closed to 1 over the carried taxa, raised to
      ``min_abundance`` where below it, and closed again. Abundance is in genome copies, as MetaPhlAn's is; equal to
      its relative abundance without unclassified reads.

    Parameters
    ----------
    parameters
        See :class:`microbiome.simulate.parameters.Parameters`.
    taxa
        Names.
    samples, subjects, doses
        Tables of :mod:`microbiome.simulate.design`.

    Returns
    -------
    abundance
        sample x taxon, fractions that sum to 1; 0 is absent.
    strains
        Columns of :data:`microbiome.simulate.tables.TRUTH_STRAINS`.
    """
    rng = stream(parameters.seed, "taxa ecology")
    size = len(taxa)
    prevalence = pd.Series(rng.beta(4 * parameters.carriage, 4 * (1 - parameters.carriage), size), index=taxa)
    mean_level = pd.Series(rng.normal(0, parameters.taxon_sd, size), index=taxa)
    logit = np.log(parameters.engraftment / (1 - parameters.engraftment))
    engraft = pd.Series(rng.normal(logit, parameters.engraftment_sd, size), index=taxa)
    people = _People(parameters, prevalence, mean_level, engraft)

    held: dict[str, Community] = {}
    for donor, group in samples[samples["role"] == "donor"].groupby("subject", sort=False):
        people.add(str(donor), prevalence)
        for lot, sample in enumerate(group["sample"]):
            if lot:
                people.pass_days(str(donor), _LOT_DAYS)
            held[sample] = people.community(str(donor))
    best = dict(zip(subjects["subject"], subjects["best_response"], strict=True))
    for recipient, group in samples[samples["role"] == "recipient"].groupby("subject", sort=False):
        subject = str(recipient)
        sign = 1 if best[subject] in ("CR", "PR") else -1
        people.add(subject, prevalence * parameters.recipient_richness)
        # On a day with both, the sample comes before the dose.
        own = doses.loc[doses["subject"] == subject, ["day", "donor", "donor_sample"]]
        events: list[tuple[int, int, str, str | None]] = [
            *((int(day), 0, sample, None) for day, sample in zip(group["day"], group["sample"], strict=True)),
            *((int(day), 1, giver, given) for day, giver, given in own.itertuples(index=False)),
        ]
        today = min(event[0] for event in events)
        for day, kind, name, product_lot in sorted(events, key=lambda event: event[:2]):
            people.pass_days(subject, day - today)
            today = day
            if kind == 0:
                held[name] = people.community(subject)
            else:
                all_lots = samples.loc[samples["subject"] == name, "sample"].tolist()
                lots = all_lots if product_lot is None else [product_lot]
                product = _pool([held[sample] for sample in lots])
                people.dose(subject, name, product, sign, first=bool(day == own["day"].min()))
    return _abundance(parameters, taxa, held), _strains(samples, held)


class _People:
    """The present state of everyone; each person has a random stream of their own."""

    def __init__(
        self, parameters: Parameters, prevalence: pd.Series, mean_level: pd.Series, engraft: pd.Series
    ) -> None:
        self.parameters = parameters
        self.prevalence = prevalence
        self.mean_level = mean_level
        self.engraft = engraft
        self.strains: dict[str, dict[str, tuple[Carried, ...]]] = {}
        self.level: dict[str, pd.Series] = {}
        self.rng: dict[str, np.random.Generator] = {}
        self.arrivals: dict[str, int] = {}

    def add(self, person: str, prevalence: pd.Series) -> None:
        """Draw what a person carries at first."""
        p = self.parameters
        rng = self.rng[person] = stream(p.seed, "person", person)
        self.arrivals[person] = 0
        self.level[person] = self.mean_level + rng.normal(0, p.subject_sd, len(self.mean_level))
        self.strains[person] = {}
        for taxon, chance in prevalence.items():
            carried, two, common_1, common_2 = rng.random(4)
            if carried >= chance:
                continue
            names = [_name(taxon, "common") if common_1 < p.common_strain else _name(taxon, person)]
            if two < p.second_strain:
                names.append(_name(taxon, f"{person}b") if common_2 >= p.common_strain else _name(taxon, "common"))
            names = list(dict.fromkeys(names))
            share = _share(rng) if len(names) == 2 else 1.0
            shares = [share, 1 - share][: len(names)]
            self.strains[person][str(taxon)] = tuple(
                Carried(name, part, "own") for name, part in zip(names, shares, strict=True)
            )
        if not self.strains[person]:
            # Nobody is empty: such a stool could not be sequenced.
            taxon = str(prevalence.idxmax())
            self.strains[person][taxon] = (Carried(_name(taxon, person), 1.0, "own"),)

    def pass_days(self, person: str, days: int) -> None:
        """Let turnover work for some days."""
        if days <= 0:
            return
        p, rng, strains = self.parameters, self.rng[person], self.strains[person]
        lost, changed = (1 - (1 - rate) ** (days / 30) for rate in (p.loss, p.turnover))
        gained = 1 - (1 - p.gain * self.prevalence) ** (days / 30)
        for taxon, chance in gained.items():
            draw = rng.random(2)
            name = str(taxon)
            if name not in strains:
                if draw[0] < chance:
                    strains[name] = self._arrival(person, name)
            elif draw[0] < lost and len(strains) > 1:
                del strains[name]
            elif draw[1] < changed:
                strains[name] = self._arrival(person, name)

    def dose(self, person: str, donor: str, product: Community, sign: int, first: bool) -> None:
        """Give a donor product; `sign` is 1 for a responder and -1 for others."""
        p, rng, strains = self.parameters, self.rng[person], self.strains[person]
        effect = sign * p.response_effect
        displacement, shared_loss = (_moved(chance, sign * p.loss_effect) for chance in (p.displacement, p.shared_loss))
        for taxon, logit in self.engraft.items():
            name = str(taxon)
            fate, kind, share = rng.random(), rng.random(), _share(rng)
            given = product.strains.get(name)
            resident = strains.get(name)
            if given is None:
                if resident and first and fate < displacement and len(strains) > 1:
                    del strains[name]
                continue
            level = self.level[person]
            level[taxon] += p.donor_pull * (product.level[taxon] - level[taxon])
            arriving = tuple(Carried(one.strain, one.share, donor) for one in given)
            if resident is None:
                if fate < 1 / (1 + np.exp(-(logit + effect))):
                    strains[name] = arriving
            elif first and fate < shared_loss and len(strains) > 1:
                del strains[name]
            elif kind < p.coexistence:
                strains[name] = _mix([(resident, 1 - share), (arriving, share)])
            elif kind < p.coexistence + p.replacement:
                strains[name] = arriving

    def community(self, person: str) -> Community:
        """Return a copy of the present state."""
        return Community(dict(self.strains[person]), self.level[person].copy())

    def _arrival(self, person: str, taxon: str) -> tuple[Carried, ...]:
        self.arrivals[person] += 1
        return (Carried(_name(taxon, f"{person}e{self.arrivals[person]}"), 1.0, "environment"),)


def _pool(lots: list[Community]) -> Community:
    """Mix several lots in equal parts."""
    names = list(dict.fromkeys(name for lot in lots for name in lot.strains))
    strains = {name: _mix([(lot.strains[name], 1.0) for lot in lots if name in lot.strains]) for name in names}
    return Community(strains, pd.concat([lot.level for lot in lots], axis=1).mean(axis=1))


def _mix(parts: list[tuple[tuple[Carried, ...], float]]) -> tuple[Carried, ...]:
    """Mix strains of one taxon by weight; a strain in several parts keeps its first origin."""
    shares: dict[str, float] = {}
    origins: dict[str, str] = {}
    total = sum(weight for _, weight in parts)
    for strains, weight in parts:
        for one in strains:
            shares[one.strain] = shares.get(one.strain, 0.0) + one.share * weight / total
            origins.setdefault(one.strain, one.origin)
    return tuple(Carried(name, share, origins[name]) for name, share in shares.items())


def _share(rng: np.random.Generator) -> float:
    return float(np.clip(rng.beta(2, 2), _MINOR, 1 - _MINOR))


def _moved(chance: float, effect: float) -> float:
    """Add to the logit of a probability; 0 and 1 stay what they are."""
    if effect == 0 or chance in (0.0, 1.0):
        return chance
    return float(1 / (1 + np.exp(-effect) * (1 - chance) / chance))


def _name(taxon: object, holder: str) -> str:
    return f"{str(taxon).removeprefix('t__')}:{holder}"


def _abundance(parameters: Parameters, taxa: list[str], held: dict[str, Community]) -> pd.DataFrame:
    rows = np.zeros((len(held), len(taxa)))
    for row, (sample, community) in zip(rows, held.items(), strict=True):
        rng = stream(parameters.seed, "sample", sample)
        noise = rng.normal(0, parameters.sample_sd, len(taxa))
        present = np.array([taxon in community.strains for taxon in taxa])
        weight = np.where(present, np.exp(community.level.to_numpy() + noise), 0.0)
        weight = np.where(present, np.maximum(weight / weight.sum(), parameters.min_abundance), 0.0)
        row[:] = weight / weight.sum()
    return pd.DataFrame(rows, index=pd.Index(list(held), name="sample"), columns=pd.Index(taxa, name="taxon"))


def _strains(samples: pd.DataFrame, held: dict[str, Community]) -> pd.DataFrame:
    subject = dict(zip(samples["sample"], samples["subject"], strict=True))
    rows = [
        (sample, subject[sample], taxon, one.strain, one.share, one.origin)
        for sample, community in held.items()
        for taxon, carried in sorted(community.strains.items())
        for one in carried
    ]
    return pd.DataFrame(rows, columns=["sample", "subject", "taxon", "strain", "fraction", "origin"])
