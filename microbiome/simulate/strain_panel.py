"""A trial made to test what tells strains apart: known strains in every sample, depths from hopeless to ample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.simulate.parameters import stream
from microbiome.simulate.strain_panel_parameters import StrainPanelParameters
from microbiome.simulate.tables import TRUTH_STRAINS
from microbiome.simulate.taxa import load_taxa

__all__ = ["StrainPanel", "StrainPanelParameters", "simulate_strain_panel"]

# A mixture of strains: of each its part, and where the person has it from.
_Mixture = dict[str, tuple[float, str]]


@dataclass(frozen=True)
class StrainPanel:
    """A strain trial and its truth, without sequences.

    Parameters
    ----------
    parameters
        What it was made with.
    taxa
        Index taxon (:func:`microbiome.simulate.taxa.load_taxa`).
    samples, subjects, doses
        Input tables.
    pairs
        Index sample: read pairs.
    abundance
        sample x taxon: fractions of genome copies, each row sums to 1; 0 is absent.
    strains
        Columns of :data:`microbiome.simulate.tables.TRUTH_STRAINS`.
    """

    parameters: StrainPanelParameters
    taxa: pd.DataFrame
    samples: pd.DataFrame
    subjects: pd.DataFrame
    doses: pd.DataFrame
    pairs: pd.Series
    abundance: pd.DataFrame
    strains: pd.DataFrame

    def depth(self) -> pd.DataFrame:
        r"""Return the expected sequenced depth of every taxon, sample x taxon; 0 where absent.

        :math:`2 n r w_i / L_i`: n read pairs of r bases, :math:`w_i` the taxon's part of the fragments (abundance x
        length of its miniature genome, closed to 1), :math:`L_i` that length. What an aligner loses at the ends of
        markers is not taken off.
        """
        length = self.taxa["miniature_length"]
        # w_i / L_i is the abundance over the mean length.
        per_genome = self.abundance.div(self.abundance @ length, axis=0)
        return per_genome.mul(2 * self.parameters.read_length * self.pairs, axis=0)


def simulate_strain_panel(parameters: StrainPanelParameters) -> StrainPanel:
    """Draw who holds which strains, and how deep every sample is sequenced.

    Donors ``D01...`` give lots ``D01-1...``, recipients ``R01...`` the samples ``R01-T0...``, controls ``C01...`` two.
    The first recipients receive one lot of a donor (donors in turn; every fourth one all lots of the donor), the next
    ``mixed_recipients`` a lot of each of two donors on one day, which make up 60 % and 40 % of the donor part, the last
    ``placebo`` nothing.

    A taxon that the products received and the baseline hold is in both post samples the mixture of f parts of the
    donor's strains and 1 - f of the baseline's, f drawn once from ``fractions``. One that only the products hold is
    there with ``engraftment``, one that only the baseline holds with 1 - ``depletion``; with ``elsewhere`` a strain
    that nobody else has takes 30 % or all of it. Without FMT there is only the latter.
    """
    p = parameters
    taxa = load_taxa(p.sequencing())
    samples, subjects, doses = _tables(p)
    strains: list[tuple[str, str, str, str, float, str]] = []
    levels: dict[str, dict[str, float]] = {}
    taxon_level = stream(p.seed, "taxon levels").normal(0, p.taxon_sd, len(taxa))

    def hold(sample: str, subject: str, content: dict[str, _Mixture]) -> None:
        own = stream(p.seed, "person levels", subject).normal(0, p.subject_sd, len(taxa))
        now = stream(p.seed, "sample levels", sample).normal(0, p.sample_sd, len(taxa))
        log = dict(zip(taxa.index, taxon_level + own + now, strict=True))
        levels[sample] = {taxon: float(np.exp(log[taxon])) for taxon in content}
        for taxon, mixture in content.items():
            for strain, (part, origin) in mixture.items():
                strains.append((sample, subject, taxon, strain, part, origin))

    held: dict[str, dict[str, _Mixture]] = {}
    for subject, group in samples.groupby("subject", sort=False):
        person, role = str(subject), group["role"].iloc[0]
        names = group["sample"].tolist()
        held[names[0]] = _carried(p, list(taxa.index), person, p.donor_carriage if role == "donor" else p.carriage)
        donated = _products(doses[doses["subject"] == person], samples, held)
        later = _after(p, person, held[names[0]], donated)
        for name in names[1:]:
            held[name] = later
        for name in names:
            hold(name, person, held[name])
    frame = pd.DataFrame(strains, columns=TRUTH_STRAINS.names)
    abundance = pd.DataFrame(levels, index=taxa.index).T.fillna(0.0)
    abundance = abundance.div(abundance.sum(axis=1), axis=0).rename_axis(index="sample", columns="taxon")
    span = np.log([p.pairs_low, p.pairs_high])
    pairs = {name: round(float(np.exp(stream(p.seed, "pairs", name).uniform(*span)))) for name in samples["sample"]}
    return StrainPanel(p, taxa, samples, subjects, doses, pd.Series(pairs, name="pairs"), abundance, frame)


def _tables(p: StrainPanelParameters) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    donors = [f"D{i + 1:02d}" for i in range(len(p.donor_lots))]
    recipients = [f"R{i + 1:02d}" for i in range(p.recipients)]
    controls = [f"C{i + 1:02d}" for i in range(p.controls)]
    treated = p.recipients - p.placebo
    rows: list[tuple[str, str, str, int | None]] = [
        (f"{donor}-{lot + 1}", donor, "donor", None)
        for donor, lots in zip(donors, p.donor_lots, strict=True)
        for lot in range(lots)
    ]
    rows += [(f"{name}-T{i}", name, "recipient", day) for name in recipients for i, day in enumerate(p.days)]
    rows += [(f"{name}-T{i}", name, "control", day) for name in controls for i, day in enumerate((0, 60))]
    samples = pd.DataFrame(rows, columns=["sample", "subject", "role", "day"]).astype({"day": "Int64"})
    doses: list[tuple[str, int, str, str | None]] = []
    for i, name in enumerate(recipients[:treated]):
        which = [i % len(donors)]
        if i >= treated - p.mixed_recipients:
            which.append((i + 1) % len(donors))
        for k in which:
            lot = f"{donors[k]}-{(i // len(donors)) % p.donor_lots[k] + 1}"
            doses.append((name, 0, donors[k], None if i % 4 == 3 else lot))
    arms = [(name, None) for name in donors] + [
        (r, "fmt" if i < treated else "placebo") for i, r in enumerate(recipients)
    ]
    subjects = pd.DataFrame([*arms, *((name, None) for name in controls)], columns=["subject", "arm"])
    return samples, subjects, pd.DataFrame(doses, columns=["subject", "day", "donor", "donor_sample"])


def _carried(p: StrainPanelParameters, taxa: list[str], person: str, carriage: float) -> dict[str, _Mixture]:
    """Draw the strains of a person, who carries one taxon at least."""
    content: dict[str, _Mixture] = {}
    chance = {taxon: stream(p.seed, "carried", person, taxon).random() for taxon in taxa}
    least = min(chance.values())
    for taxon in taxa:
        rng = stream(p.seed, "carried", person, taxon)
        if rng.random() >= carriage and chance[taxon] > least:
            continue
        greater = float(rng.choice([0.6, 0.7, 0.8]))
        parts = [greater, round(1 - greater, 10)] if rng.random() < p.second_strain else [1.0]
        content[taxon] = {}
        for k, part in enumerate(parts):
            common = f"{taxon}_common{int(rng.integers(p.common_strains)) + 1}"
            shared = rng.random() < p.common_strain and common not in content[taxon]
            content[taxon][common if shared else f"{taxon}_{person}_{k + 1}"] = (part, "own")
    return content


def _products(
    received: pd.DataFrame, samples: pd.DataFrame, held: dict[str, dict[str, _Mixture]]
) -> dict[str, _Mixture]:
    """Return the strains of the products that a subject received, with the donors' names as their origin."""
    weights = [1.0] if len(received) < 2 else [0.6, 0.4]
    donated: dict[str, dict[str, list[tuple[float, str]]]] = {}
    for (donor, lot), weight in zip(received[["donor", "donor_sample"]].itertuples(index=False), weights, strict=False):
        lots = samples.loc[samples["subject"] == donor, "sample"].tolist() if lot is None else [lot]
        for name in lots:
            for taxon, mixture in held[name].items():
                for strain, (part, _) in mixture.items():
                    donated.setdefault(taxon, {}).setdefault(strain, []).append((part * weight / len(lots), donor))
    content: dict[str, _Mixture] = {}
    for taxon, found in donated.items():
        # Closed to 1, because a donor or a lot may lack the taxon.
        total = sum(part for parts in found.values() for part, _ in parts)
        content[taxon] = {s: (sum(part for part, _ in parts) / total, max(parts)[1]) for s, parts in found.items()}
    return content


def _after(
    p: StrainPanelParameters, person: str, before: dict[str, _Mixture], donated: dict[str, _Mixture]
) -> dict[str, _Mixture]:
    """Draw what a person holds in later samples."""
    content: dict[str, _Mixture] = {}
    for taxon in sorted({*before, *donated}):
        rng = stream(p.seed, "after", person, taxon)
        part = float(rng.choice(p.fractions))
        stays, comes = rng.random() >= p.depletion, rng.random() < p.engraftment
        if taxon not in donated:
            if donated and not stays:
                continue
            part = 0.0
        elif taxon not in before:
            if not comes:
                continue
            part = 1.0
        foreign = float(rng.choice([0.3, 1.0])) if rng.random() < p.elsewhere else 0.0
        parts = [(part * (1 - foreign), donated.get(taxon, {})), ((1 - part) * (1 - foreign), before.get(taxon, {}))]
        parts.append((foreign, {f"{taxon}_{person}_new": (1.0, "environment")}))
        mixture: _Mixture = {}
        for weight, source in parts:
            for strain, (share, origin) in source.items():
                if weight > 0:
                    mixture[strain] = (mixture.get(strain, (0.0, origin))[0] + weight * share, origin)
        content[taxon] = mixture
    # Nobody is left without any.
    return content or before
