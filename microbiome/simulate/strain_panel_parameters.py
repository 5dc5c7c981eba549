"""Everything about a strain trial that can be set."""

from __future__ import annotations

from dataclasses import dataclass

from microbiome.errors import Problem, raise_problems
from microbiome.simulate.parameters import Parameters

__all__ = ["StrainPanelParameters"]


@dataclass(frozen=True)
class StrainPanelParameters:
    """Parameters of a strain trial; the defaults are the benchmark of ``bench/strains.py``.

    Raises :class:`microbiome.errors.InputError` with every value that makes no sense.

    Parameters
    ----------
    seed
        Of every random number.
    sgbs, markers, marker_length
        Taxa, markers of each, and mean base pairs of a marker.
    divergence
        Expected fraction of positions at which two strains of different lineages differ (per base).
    structure, lineages
        Part of a strain's substitutions that all strains of its lineage have; 0 = a star, in which all strains are
        equally far apart. Strains of one lineage differ at ``(1 - structure) * divergence`` of positions. Each taxon
        has that many lineages.
    donor_lots
        Samples of each donor.
    recipients, placebo, mixed_recipients, controls
        Recipients; how many of them receive nothing; how many receive two donors on one day; people without FMT who
        give two samples.
    days
        Days of the samples of a recipient: the baseline and the post samples.
    donor_carriage, carriage
        Probability that a donor, or anyone else, carries a taxon.
    second_strain
        Probability that a carried taxon has two strains, the greater of them 60 %, 70 % or 80 %.
    common_strain, common_strains
        Probability that a strain is one of those that unrelated people share, and how many of these a taxon has: two
        unrelated carriers share a strain with about ``common_strain ** 2 / common_strains`` per pair of strains.
    fractions
        Donor fractions of a taxon that donor and baseline hold, all as likely.
    engraftment
        Probability that a donor taxon which the baseline lacks is in the post samples.
    depletion
        Probability that a baseline taxon which the donor lacks is not in the post samples.
    elsewhere
        Probability that a taxon of the post samples has a strain of neither donor nor baseline (30 % of the taxon, or
        all), and that a taxon of the second sample of a donor or control has.
    pairs_low, pairs_high
        Read pairs of a sample, uniform on the logarithm between these.
    taxon_sd, subject_sd, sample_sd
        Standard deviations (natural log) of the abundance between taxa, people, and samples of a person.
    read_length, insert_mean, insert_sd
        Base pairs of a read and of a fragment.
    flat_error
        ``None`` = errors as the qualities say; else every base has quality 37 and is wrong with this probability, so
        that qualities tell nothing.
    """

    seed: int = 1
    sgbs: int = 20
    markers: int = 60
    marker_length: int = 600
    divergence: float = 0.01
    structure: float = 0.3
    lineages: int = 4
    donor_lots: tuple[int, ...] = (2, 2, 1)
    recipients: int = 10
    placebo: int = 2
    mixed_recipients: int = 2
    controls: int = 2
    days: tuple[int, ...] = (0, 28, 84)
    donor_carriage: float = 0.75
    carriage: float = 0.65
    second_strain: float = 0.15
    common_strain: float = 0.4
    common_strains: int = 3
    fractions: tuple[float, ...] = (0.0, 0.1, 0.5, 0.9, 1.0)
    engraftment: float = 0.5
    depletion: float = 0.2
    elsewhere: float = 0.05
    pairs_low: int = 5_000
    pairs_high: int = 40_000
    taxon_sd: float = 0.7
    subject_sd: float = 0.7
    sample_sd: float = 0.4
    read_length: int = 150
    insert_mean: float = 320.0
    insert_sd: float = 50.0
    flat_error: float | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        found: list[Problem] = []
        for name in ("recipients", "lineages", "common_strains", "pairs_low"):
            if getattr(self, name) < 1:
                found.append(Problem(f"{name} {getattr(self, name)} is not possible", "give 1 or more"))
        chances = ("structure", "donor_carriage", "carriage", "second_strain", "common_strain", "engraftment")
        for name in (*chances, "depletion", "elsewhere"):
            if not 0 <= getattr(self, name) <= 1:
                found.append(Problem(f"{name} {getattr(self, name)} is not possible", "give a fraction"))
        if not self.donor_lots or min(self.donor_lots) < 1:
            found.append(Problem("a donor without a sample", "donor_lots: 1 or more each"))
        if not self.fractions or not all(0 <= value <= 1 for value in self.fractions):
            found.append(Problem("donor fractions that are none", "fractions: values from 0 to 1"))
        if self.placebo + self.mixed_recipients > self.recipients:
            found.append(Problem("more placebo and mixed recipients than recipients", "give more recipients"))
        if self.mixed_recipients and len(self.donor_lots) < 2:
            found.append(Problem("one donor cannot be mixed", "give a second donor, or mixed_recipients 0"))
        if self.pairs_high < self.pairs_low:
            found.append(Problem("pairs_high is below pairs_low", "exchange them"))
        raise_problems(found)

    def sequencing(self) -> Parameters:
        """Return what the makers of sequences, database and reads need to know (neither host nor junk)."""
        return Parameters(
            seed=self.seed,
            sgbs=self.sgbs,
            min_abundance=0.0,
            markers=self.markers,
            marker_length=self.marker_length,
            strain_divergence=self.divergence,
            read_length=self.read_length,
            insert_mean=self.insert_mean,
            insert_sd=self.insert_sd,
            short_inserts=0.02,
            host=0.0,
            junk=0.0,
            host_length=1_000,
        )
