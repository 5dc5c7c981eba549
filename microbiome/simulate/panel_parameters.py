"""Everything about a table-level trial (:mod:`microbiome.simulate.panel`) that can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise

from microbiome.errors import Problem, raise_problems

__all__ = ["DEPTH_WORDS", "PanelParameters"]

#: Words that a key of ``depth_factors`` is made of, joined by ``+``; a factor applies where all its words do.
DEPTH_WORDS = (
    "donor",
    "recipient",
    "baseline",
    "post",
    "fmt",
    "placebo",
    "responder",
    "non_responder",
)


@dataclass(frozen=True)
class PanelParameters:
    """Parameters of a table-level trial; the model is stated in :func:`microbiome.simulate.panel.simulate_panel`.

    Raises :class:`microbiome.errors.InputError` with every value that makes no sense.

    Parameters
    ----------
    taxa
        Number of taxa there are.
    recipients, placebo
        Number of recipients, and how many of them receive no donor product.
    responders
        A whole number: exactly so many of all recipients respond; a fraction (float): each does with this probability.
    donors, donor_samples, donor_gap
        Number of donors, samples (lots) of each, and days between two of them (their ``day`` is 0, gap, 2 gap...).
    donor_weights
        Share of the treated recipients that each donor gets, rounded to whole recipients by largest remainders; empty
        = equal shares. Who gets which is random.
    donors_each
        Donors that a treated recipient receives from.
    dose_days
        Days of the doses, ascending from 0; each dose after the first is the donor's next lot.
    all_lots
        A product is all lots of the donor (``donor_sample`` empty).
    post_days
        Days of the samples after FMT, ascending, all > 0.
    baseline_repeats
        Days of further samples before FMT, ascending, all < 0; the baseline is day 0.
    centres, centre_sd
        Number of centres (column ``centre``; donors and recipients in turn, recipients receive from donors of their
        own centre), and the standard deviation between centres of the logit of a taxon's prevalence.
    prevalence, prevalence_spread
        Mean and total of the two parameters of the Beta distribution of the taxa's prevalence (a total below 2 is
        U-shaped).
    prevalence_level
        Correlation of a taxon's log abundance with its prevalence (normal scores); -1..1.
    taxon_sd, subject_sd, sample_sd
        Standard deviations (natural log) of the abundance between taxa, between people, between samples of a person.
    recipient_richness
        Factor on the prevalences for recipients.
    richness_sd
        Standard deviation (natural log) of a factor on the prevalences between people.
    loss
        Probability that a resident taxon of average abundance dies out within 30 days without FMT.
    loss_level
        Taken from the logit of ``loss`` for each unit of natural log by which a taxon is more abundant in the person
        than taxa are on average: rare taxa come and go.
    gain
        Factor on the arrivals that would keep the richness as it is: 1 = balance.
    loss_sd
        Standard deviation between recipients of the logit of ``loss``.
    displacement
        Probability that the first dose drives out a resident taxon that no product of that day holds.
    engraftment
        Mean probability that a taxon of a product that the recipient lacks engrafts with one dose.
    engraftment_sd, engraftment_subject_sd, engraftment_donor_sd
        Standard deviations of its logit between taxa, recipients, and donors.
    donor_loss_sd
        Standard deviation between donors of what is added to the logit of the loss of their recipients from day 0.
    loss_ratio
        Factor on the probability of loss (``loss`` from day 0, and ``displacement``) of treated responders.
    engraftment_effect
        Added to the logit of engraftment of responders.
    richness_effect
        Added to the log of ``recipient_richness`` of responders.
    reads, depth_sd
        Median reads (both mates) of a sample and the standard deviation of its natural log.
    depth_factors
        Factors on the reads of some samples, such as ``{"post": 0.1}`` or ``{"post+non_responder": 0.1}``; the words
        are :data:`DEPTH_WORDS`, and factors that apply together are multiplied.
    marker_reads
        Effective marker reads per read: what remains of the reads sequenced after host, unknown organisms and all that
        is not on a marker.
    min_reads
        Effective marker reads from which a taxon is detected.
    efficiency_sd
        Standard deviation (natural log) between taxa of the effective marker reads at the same abundance.
    with_reads
        Write the reads into the samples table.
    dropout_responder, dropout_non_responder
        Probability that a recipient who came to a post visit comes to no later one; the first is always kept.
    world_seed
        Seed of what the taxa are (prevalence, level, engraftment, efficiency); None = of each trial anew. With it,
        many trials are draws from one world, so that a quantity has one true mean.
    fixed_donors
        The donors too are those of ``world_seed``, the same in every trial.
    """

    taxa: int = 1000
    recipients: int = 10
    placebo: int = 0
    responders: int | float = 0.5
    donors: int = 2
    donor_samples: int = 2
    donor_gap: int = 28
    donor_weights: tuple[float, ...] = ()
    donors_each: int = 1
    dose_days: tuple[int, ...] = (0,)
    all_lots: bool = False
    post_days: tuple[int, ...] = (28,)
    baseline_repeats: tuple[int, ...] = ()
    centres: int = 1
    centre_sd: float = 0.0
    prevalence: float = 0.3
    prevalence_spread: float = 1.4
    prevalence_level: float = 0.3
    taxon_sd: float = 1.5
    subject_sd: float = 1.8
    sample_sd: float = 1.35
    recipient_richness: float = 0.9
    richness_sd: float = 0.3
    loss: float = 0.2
    loss_level: float = 1.0
    gain: float = 1.0
    loss_sd: float = 1.2
    displacement: float = 0.0
    engraftment: float = 0.15
    engraftment_sd: float = 1.0
    engraftment_subject_sd: float = 0.5
    engraftment_donor_sd: float = 0.0
    donor_loss_sd: float = 0.0
    loss_ratio: float = 1.0
    engraftment_effect: float = 0.0
    richness_effect: float = 0.0
    reads: float = 2e7
    depth_sd: float = 0.4
    depth_factors: Mapping[str, float] = field(default_factory=dict)
    marker_reads: float = 0.017
    min_reads: int = 2
    efficiency_sd: float = 0.3
    with_reads: bool = True
    dropout_responder: float = 0.0
    dropout_non_responder: float = 0.0
    world_seed: int | None = None
    fixed_donors: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        raise_problems(self.problems())

    def problems(self) -> list[Problem]:
        """Return everything that is wrong with the values."""
        found: list[Problem] = []

        def want(name: str, good: bool, rule: str) -> None:
            if not good:
                value = getattr(self, name)
                found.append(Problem(f"{name} {value} is not possible", rule, column=name, value=str(value)))

        lowest = {"taxa": 2, "recipients": 1, "placebo": 0, "donors": 1, "donor_samples": 1, "donor_gap": 1}
        lowest |= {"donors_each": 1, "centres": 1, "min_reads": 1}
        for name, low in lowest.items():
            want(name, getattr(self, name) >= low, f"give {low} or more")
        want("placebo", self.placebo <= self.recipients, "at most as many as recipients")
        whole = isinstance(self.responders, int)
        want(
            "responders",
            0 <= self.responders <= (self.recipients if whole else 1),
            "give a whole number of recipients, or a fraction between 0 and 1",
        )
        weights = self.donor_weights
        good = not weights or (len(weights) == self.donors and min(weights) >= 0 and sum(weights) > 0)
        want("donor_weights", good, "one weight of 0 or more per donor")
        want("centres", self.centres <= self.donors, "at most as many as donors: each centre has its own")
        want(
            "donors_each", self.donors_each <= max(1, self.donors // max(1, self.centres)), "at most those of a centre"
        )
        for name in ("dose_days", "post_days", "baseline_repeats"):
            days = getattr(self, name)
            want(name, all(a < b for a, b in pairwise(days)), "give ascending days")
        want("dose_days", self.dose_days[:1] == (0,), "the first dose is on day 0")
        want("post_days", bool(self.post_days) and min(self.post_days) > 0, "give one day or more, all above 0")
        want("baseline_repeats", max(self.baseline_repeats, default=-1) < 0, "give days below 0")
        for name in ("recipient_richness", "displacement", "dropout_responder", "dropout_non_responder"):
            want(name, 0 <= getattr(self, name) <= 1, "give a fraction between 0 and 1")
        for name in ("loss", "engraftment"):
            want(name, 0 <= getattr(self, name) < 1, "give a fraction from 0 to below 1")
        want("prevalence", 0 < self.prevalence < 1, "give a fraction above 0 and below 1")
        want("prevalence_level", -1 <= self.prevalence_level <= 1, "give a correlation between -1 and 1")
        for name in ("prevalence_spread", "reads", "marker_reads"):
            want(name, getattr(self, name) > 0, "give a number above 0")
        others = ("gain", "loss_ratio", *(f.name for f in fields(self) if f.name.endswith("_sd")))
        for name in others:
            want(name, getattr(self, name) >= 0, "give 0 or more")
        want("fixed_donors", not self.fixed_donors or self.world_seed is not None, "give a world_seed with it")
        want("world_seed", self.world_seed is None or self.world_seed >= 0, "give 0 or more")
        for key, factor in self.depth_factors.items():
            good = set(key.split("+")) <= set(DEPTH_WORDS) and factor > 0
            want("depth_factors", good, f"give factors above 0 of {', '.join(DEPTH_WORDS)} joined by +")
        return list({(problem.column, problem.message): problem for problem in found}.values())

    def as_dict(self) -> dict[str, object]:
        """Return every parameter by name (tuples as lists), for the record beside the results."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["depth_factors"] = dict(self.depth_factors)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
