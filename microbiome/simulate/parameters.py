"""Everything about a simulated trial that can be set, and the random streams it is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

from microbiome.errors import Problem, raise_problems
from microbiome.seeds import stream

__all__ = ["Parameters", "stream"]


@dataclass(frozen=True)
class Parameters:
    """Parameters of a simulated trial; the defaults are the demo.

    Raises :class:`microbiome.errors.InputError` with every value that makes no sense.

    Parameters
    ----------
    seed
        Of every random number; 0 to 2^32 - 1.
    donors, donor_samples
        Number of donors, and of samples (lots) of each.
    recipients, placebo
        Number of recipients, and how many of them receive no donor product.
    days
        Days of the planned samples of a recipient, ascending; at least one <= 0 (the last such is the baseline) and
        one > 0.
    day_jitter
        A visit is up to this many days early or late, never across day 0.
    donor_weights
        Probability of each donor to be given to a recipient; empty = in turn.
    shallow_sample
        Add one post sample that was sequenced far too shallowly to be profiled.
    sgbs
        Number of taxa; beyond the packaged list they are unknown SGBs with made-up numbers.
    carriage
        Mean prevalence of a taxon among donors; 0..1. The prevalence of each taxon is Beta distributed around it.
    recipient_richness
        Factor on the prevalences for recipients, whose baseline is poorer; 0..1.
    taxon_sd, subject_sd, sample_sd
        Standard deviations (natural log) of the abundance between taxa, between people, between samples of a person.
    min_abundance
        Abundance (fraction) below which no carried taxon falls before closing; 0 = no floor. The demo's floor keeps
        every taxon of the truth within reach of its small depth.
    engraftment, engraftment_sd
        Mean probability that a donor taxon the recipient lacks engrafts with one dose, and its standard deviation
        between taxa (logit).
    response_effect
        Added to the logit of that probability for responders, and taken from it for the others; 0 = engraftment has
        no part in response.
    loss_effect
        Added to the logits of ``displacement`` and ``shared_loss`` for responders, and taken from them for the others;
        0 = loss has no part in response.
    displacement, shared_loss
        Probability that the first dose drives out a resident taxon that the product lacks, or holds as well.
    coexistence, replacement
        Probabilities that, of a shared taxon that is kept, the donor's strain joins the resident's, or replaces it.
    donor_pull
        How far a dose moves the abundance (log) of a taxon of the product towards the donor's; 0..1.
    loss, gain, turnover
        Probabilities within 30 days, without any FMT, of losing a resident taxon, of gaining an absent one (times its
        prevalence), of having the strain of a resident one replaced by one from the environment.
    second_strain, common_strain
        Probability that a carried taxon has two strains, and that a strain is one that others carry too.
    response_rate
        Probability of response (CR or PR).
    read_pairs, depth_sd
        Median read pairs of a sample and the standard deviation (natural log) of the depth between samples; cut at
        0.7 and 1.5 times the median.
    post_depth
        Factor on the depth of samples after day 0 (of placebo recipients too).
    placebo_depth, nonresponder_depth
        Further factors on the depth of samples after day 0, of placebo recipients and of recipients without response.
    dropout
        Probability that a recipient who came to a visit after day 0 comes to no later one. The first such visit is
        always kept, and so are those of the recipient with the shallow sample.
    shallow_pairs, min_reads
        Read pairs of the shallow sample; reads without host below which a sample counts as too shallow.
    host, junk
        Mean fractions of fragments that are human, or of no known organism.
    markers, marker_length, spacer
        Markers per SGB, their mean length (base pairs; 75 % to 125 % of it), and the sequence between two markers in
        base pairs per million base pairs of the SGB's real genome.
    strain_divergence
        Expected fraction of positions at which two strains differ.
    read_length, insert_mean, insert_sd, short_inserts
        Base pairs of a read, of a fragment, and the fraction of fragments so short that reads run into the adapter.
    host_length
        Base pairs of the made-up host genome.
    """

    seed: int = 0
    donors: int = 2
    donor_samples: int = 2
    recipients: int = 10
    placebo: int = 3
    days: tuple[int, ...] = (0, 28, 84)
    day_jitter: int = 3
    donor_weights: tuple[float, ...] = ()
    shallow_sample: bool = True
    sgbs: int = 40
    carriage: float = 0.5
    recipient_richness: float = 0.85
    taxon_sd: float = 0.6
    subject_sd: float = 0.6
    sample_sd: float = 0.3
    min_abundance: float = 0.008
    engraftment: float = 0.45
    engraftment_sd: float = 1.0
    response_effect: float = 0.0
    loss_effect: float = 0.0
    displacement: float = 0.25
    shared_loss: float = 0.1
    coexistence: float = 0.35
    replacement: float = 0.25
    donor_pull: float = 0.5
    loss: float = 0.12
    gain: float = 0.08
    turnover: float = 0.03
    second_strain: float = 0.08
    common_strain: float = 0.2
    response_rate: float = 0.45
    read_pairs: int = 12_000
    depth_sd: float = 0.25
    post_depth: float = 1.0
    placebo_depth: float = 1.0
    nonresponder_depth: float = 1.0
    dropout: float = 0.0
    shallow_pairs: int = 150
    min_reads: int = 1000
    host: float = 0.06
    junk: float = 0.08
    markers: int = 30
    marker_length: int = 600
    spacer: float = 50.0
    strain_divergence: float = 0.01
    read_length: int = 100
    insert_mean: float = 250.0
    insert_sd: float = 40.0
    short_inserts: float = 0.04
    host_length: int = 150_000

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        raise_problems(self.problems())

    def problems(self) -> list[Problem]:
        """Return everything that is wrong with the values."""
        found: list[Problem] = []

        def want(name: str, good: bool, rule: str) -> None:
            if not good:
                value = getattr(self, name)
                found.append(Problem(f"{name} {value} is not possible", rule, column=option(name), value=str(value)))

        lowest = {"seed": 0, "donors": 1, "donor_samples": 1, "recipients": 1, "placebo": 0, "day_jitter": 0, "sgbs": 2}
        lowest |= {"read_pairs": 1, "shallow_pairs": 0, "min_reads": 0, "markers": 5, "read_length": 50}
        for name, low in lowest.items():
            want(name, getattr(self, name) >= low, f"give {low} or more")
        want(
            "marker_length",
            self.marker_length >= 2 * self.read_length,
            "markers must hold two reads: give twice --read-length or more",
        )
        want("host_length", self.host_length >= 1000, "give 1000 or more")
        want("seed", self.seed < 2**32, "give less than 2^32")
        want("placebo", self.placebo <= self.recipients, "at most as many as --recipients")
        days = self.days
        ordered = all(a < b for a, b in pairwise(days))
        want(
            "days",
            ordered and any(d <= 0 for d in days) and any(d > 0 for d in days),
            "ascending, one <= 0 and one > 0 at least",
        )
        weights = self.donor_weights
        good = not weights or (len(weights) == self.donors and min(weights) >= 0 and sum(weights) > 0)
        want("donor_weights", good, "one weight of 0 or more per donor")
        chances = [
            "carriage",
            "recipient_richness",
            "min_abundance",
            "displacement",
            "shared_loss",
            "coexistence",
            "replacement",
        ]
        chances += [
            "donor_pull",
            "loss",
            "gain",
            "turnover",
            "second_strain",
            "common_strain",
            "response_rate",
            "dropout",
            "host",
            "junk",
        ]
        for name in [*chances, "short_inserts"]:
            want(name, 0 <= getattr(self, name) <= 1, "give a fraction between 0 and 1")
        want("engraftment", 0 < self.engraftment < 1, "give a fraction above 0 and below 1")
        want("carriage", 0 < self.carriage < 1, "give a fraction above 0 and below 1")
        want("min_abundance", self.min_abundance * self.sgbs < 1, "the floors of all taxa must not sum to 1")
        want("coexistence", self.coexistence + self.replacement <= 1, "coexistence + replacement is 1 at most")
        want("host", self.host + self.junk < 0.9, "host + junk must stay below 0.9")
        want("strain_divergence", 0 <= self.strain_divergence <= 0.2, "give a fraction between 0 and 0.2")
        for name in ("taxon_sd", "subject_sd", "sample_sd", "engraftment_sd", "depth_sd", "spacer", "insert_sd"):
            want(name, getattr(self, name) >= 0, "give 0 or more")
        want("insert_mean", self.insert_mean >= self.read_length, "give --read-length or more")
        for name in ("post_depth", "placebo_depth", "nonresponder_depth"):
            want(name, getattr(self, name) > 0, "give a factor above 0")
        return list({(problem.column, problem.message): problem for problem in found}.values())

    @property
    def max_insert(self) -> int:
        """Longest fragment in base pairs."""
        return int(self.insert_mean + 4 * self.insert_sd)

    def as_dict(self) -> dict[str, object]:
        """Return every parameter by name (tuples as lists), for the record beside the results."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def option(name: str) -> str:
    """Spell a parameter as an option of the command line."""
    return "--" + name.replace("_", "-")
