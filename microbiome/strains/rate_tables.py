"""Columns of the tables of rates of strains and of the audit of identities, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.strains.tables import METHODS
from microbiome.tables import ID_PATTERN, RATES, Column, Table

__all__ = [
    "STRAIN_AUDIT",
    "STRAIN_PERSISTENCE",
    "STRAIN_RATES",
    "STRAIN_RATE_COUNTS",
    "STRAIN_RATE_NAMES",
    "VERDICTS",
]

#: Of each rate of strains the columns of its numerator and of its denominator.
STRAIN_RATE_COUNTS: dict[str, tuple[str, str]] = {
    "strain_engraftment_rate_donor": ("donor_strains_engrafted", "donor_strains_seen"),
    "strain_engraftment_rate_profiled": ("donor_taxa_same_strain", "donor_taxa_compared"),
    "engrafted_confirmed_rate": ("engrafted_confirmed", "engrafted_resolved"),
    "strain_persistence_rate": ("own_strains_kept", "own_taxa_resolved"),
    "strain_persistence_rate_profiled": ("own_taxa_same_strain", "own_taxa_compared"),
    "donor_sharing_rate_before": ("donor_taxa_same_strain_before", "donor_taxa_compared_before"),
    "other_donor_sharing_rate": ("other_donor_taxa_same_strain", "other_donor_taxa_compared"),
}
_WEIGHTED = {
    "weighted_donor_fraction": "strains of the donor",
    "weighted_baseline_fraction": "strains of the baseline",
    "weighted_common_fraction": "strains that donor and baseline both have",
    "weighted_other_fraction": "strains of neither",
}
#: Fractions that ``microbiome compare`` takes for rates.
STRAIN_RATE_NAMES = (*STRAIN_RATE_COUNTS, *_WEIGHTED)

#: What the audit can say of a sample.
VERDICTS = ("ok", "wrong_person", "swapped", "wrong_donor", "contaminated", "untestable")


def _count(name: str, meaning: str, required: bool = False) -> Column:
    return Column(name, "integer", meaning, unit="taxa", required=required, minimum=0)


def _fraction(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning, unit="fraction", minimum=0.0, maximum=1.0)


def _sample(name: str, meaning: str, filled: bool = True) -> Column:
    return Column(name, "id", meaning, required=filled, filled=filled, pattern=ID_PATTERN)


_SUBJECT = Column("subject", "id", "One person.", required=True, filled=True)

STRAIN_RATES = Table(
    "strain_rates",
    "Strains of the donor and of the recipient in every post sample. A rate with denominator 0 is missing; a taxon "
    "whose strains could not be told apart is counted as unresolved, and in no rate.",
    (
        _SUBJECT,
        _sample("sample", "The post sample."),
        Column("day", "integer", "Days since the subject's first dose.", unit="days", required=True),
        Column("baseline_sample", "id", "The baseline it is compared to; missing without.", required=True),
        Column("baseline_day", "integer", "Day of the baseline sample.", unit="days"),
        Column("donor_products", "integer", "Donor products (donor samples) received by then.", minimum=0),
        _count("taxa_resolved", "Taxa of the post sample, in donor or baseline too, with a strain_outcome.", True),
        _count("taxa_unresolved", "The same whose strain_outcome is unresolved.", True),
        _count("strains_donor", "Resolved taxa with strains of the donor only."),
        _count("strains_recipient", "Resolved taxa with strains of the baseline only."),
        _count("strains_coexist", "Resolved taxa with both."),
        _count("strains_other", "Resolved taxa with neither."),
        _fraction(
            "strain_engraftment_rate_donor",
            "donor_strains_engrafted / donor_strains_seen: over the strains of the donor set that could be seen.",
        ),
        _count(
            "donor_strains_engrafted",
            "Taxa of the donor set, outcome engrafted or shared_kept, whose strain_outcome is donor or coexist.",
        ),
        _count(
            "donor_strains_seen",
            "Taxa of the donor set whose strain is known in a received product, and that are either in the post sample "
            "and resolved, or surely not in it (outcome not_engrafted or shared_depleted, and not below the limit of "
            "detection of the post sample).",
        ),
        _count(
            "donor_strains_open",
            "Taxa of the donor set whose strain is known in a received product, and that are unresolved in the post "
            "sample or may have been missed there.",
        ),
        _fraction(
            "strain_engraftment_rate_donor_low", "strain_engraftment_rate_donor if no strain of those open engrafted."
        ),
        _fraction("strain_engraftment_rate_donor_high", "strain_engraftment_rate_donor if all of them did."),
        _fraction(
            "strain_engraftment_rate_profiled",
            "donor_taxa_same_strain / donor_taxa_compared: over taxa whose strains were compared between the post "
            "sample and a received product (Ianiro et al.).",
        ),
        _count("donor_taxa_same_strain", "Of the taxa compared, those with the same strain in any received product."),
        _count("donor_taxa_compared", "Taxa with a call between the post sample and a received product."),
        _count("donor_taxa_uncalled", "Taxa in the table of pairs of these samples without any call."),
        _fraction(
            "donor_sharing_rate_before",
            "The same between the baseline and these products: what is shared without FMT. Compare with "
            "strain_engraftment_rate_profiled.",
        ),
        _count("donor_taxa_same_strain_before", "Its numerator."),
        _count("donor_taxa_compared_before", "Its denominator."),
        _fraction(
            "other_donor_sharing_rate",
            "The same between the post sample and donors the subject had not received by then, a taxon counted once "
            "per donor.",
        ),
        Column("other_donor_taxa_same_strain", "integer", "Its numerator.", unit="taxa x donors", minimum=0),
        Column("other_donor_taxa_compared", "integer", "Its denominator.", unit="taxa x donors", minimum=0),
        _fraction(
            "engrafted_confirmed_rate",
            "engrafted_confirmed / engrafted_resolved: taxa that engrafted by presence whose strain is the donor's.",
        ),
        _count("engrafted_confirmed", "Taxa with outcome engrafted and strain_outcome donor or coexist."),
        _count("engrafted_resolved", "Taxa with outcome engrafted and any strain_outcome but unresolved."),
        _fraction(
            "strain_persistence_rate",
            "own_strains_kept / own_taxa_resolved: taxa in baseline and post sample that still have the subject's own "
            "strain.",
        ),
        _count(
            "own_strains_kept",
            "Outcome shared_kept or persisted, and strain_outcome recipient or coexist, or at least 2 % of strains "
            "that "
            "donor and baseline both have (common_fraction).",
        ),
        _count("own_taxa_resolved", "Outcome shared_kept or persisted, and any strain_outcome but unresolved."),
        _count("own_taxa_unresolved", "Outcome shared_kept or persisted, and strain_outcome unresolved."),
        _fraction(
            "strain_persistence_rate_profiled",
            "own_taxa_same_strain / own_taxa_compared: over taxa whose strains were compared between the baseline and "
            "the post sample.",
        ),
        _count("own_taxa_same_strain", "Of these, those with the same strain."),
        _count("own_taxa_compared", "Taxa with a call between the baseline and the post sample."),
        *(
            _fraction(
                name,
                f"Part of the abundance of the taxa_resolved with known fractions that is {words}: sum of "
                "post_abundance x fraction over sum of post_abundance.",
            )
            for name, words in _WEIGHTED.items()
        ),
        _fraction("resolved_abundance", "Abundance in the post sample of the taxa these fractions are taken over."),
        _fraction("unresolved_abundance", "Abundance in the post sample of the taxa_unresolved."),
        _count("baseline_taxa", "Taxa detected in the baseline."),
        RATES["baseline_limit"],
        RATES["post_limit"],
        Column("method", "choice", "The distance that the calls of pairs rest on.", allowed=METHODS),
        Column("note", "text", "Why rates are missing, or need care."),
    ),
    key=("sample",),
)

STRAIN_PERSISTENCE = Table(
    "strain_persistence",
    "The same strain in two samples of one person (recipients at all times, controls, lots of a donor), one row per "
    "pair of samples.",
    (
        _SUBJECT,
        Column("role", "choice", "Whose stool it is.", required=True, allowed=("recipient", "donor", "control")),
        _sample("sample_1", "The earlier sample; of donors the first in the samples table."),
        _sample("sample_2", "The later one."),
        Column("day_1", "integer", "Day of sample_1.", unit="days"),
        Column("day_2", "integer", "Day of sample_2.", unit="days"),
        Column("days_apart", "integer", "day_2 - day_1.", unit="days", minimum=0),
        Column("doses_between", "integer", "Doses the subject received after sample_1 and up to sample_2.", minimum=0),
        _fraction("same_strain_rate", "taxa_same_strain / taxa_compared; missing where nothing could be compared."),
        _fraction(
            "ci_low",
            "Lower bound of its 95 % Clopper-Pearson interval over the taxa of this pair, taken for independent.",
        ),
        _fraction("ci_high", "Upper bound."),
        _count("taxa_same_strain", "Taxa with the same strain in both samples."),
        _count("taxa_compared", "Taxa with a call."),
        _count("taxa_uncalled", "Taxa in the table of pairs of these two samples without a call."),
        Column("method", "choice", "The distance that the calls rest on.", allowed=METHODS),
    ),
    key=("sample_1", "sample_2"),
)


def _nearest(name: str, of: str, last: bool = False) -> tuple[Column, ...]:
    return (
        _sample(f"{name}_sample", f"The sample {of} that it shares strains with most clearly.", filled=False),
        _count(f"{name}_taxa", "Taxa compared with it."),
        _count(f"{name}_shared", "Of these, with the same strain."),
        Column(f"{name}_expected", "number", "How many unrelated samples would share.", unit="taxa", minimum=0.0),
        Column(
            f"{name}_p_value",
            "number",
            f"Probability of as many between unrelated samples (Poisson-binomial), times the samples {of} compared"
            + ("; 1 where it is no more than unrelated people of this study have in common anyway." if last else "."),
            minimum=0.0,
            maximum=1.0,
        ),
    )


STRAIN_AUDIT = Table(
    "strain_audit",
    "Whose sample it is by its strains, one row per sample.",
    (
        _sample("sample", "The sample as labelled."),
        Column("subject", "id", "The person it is labelled as.", required=True, filled=True),
        Column("role", "choice", "As in samples.", required=True, allowed=("recipient", "donor", "control")),
        Column("day", "integer", "As in samples.", unit="days"),
        Column(
            "verdict",
            "choice",
            "ok: its own strains are there, or after FMT those of its donor, and nothing speaks against the label. "
            "wrong_person: it is of another person, or of none in the study. swapped: it and `partner` have each "
            "other's labels. wrong_donor: it holds strains of a donor that the subject did not receive by then. "
            "contaminated: it holds its own strains and those of somebody unrelated. untestable: nothing speaks "
            "against the label, and nothing shows it (too few taxa compared, no sample to compare with, or the own "
            "strains replaced after FMT).",
            required=True,
            filled=True,
            allowed=VERDICTS,
        ),
        Column(
            "partner",
            "id",
            "Swapped: the other sample. Wrong_person, wrong_donor: the person it looks like. Contaminated: the sample "
            "whose strains it holds.",
        ),
        Column(
            "log_odds",
            "number",
            "Natural logarithm of how much likelier all calls are with that explanation than with the labels.",
        ),
        *_nearest("own", "of the same person"),
        *_nearest("donor", "of a donor received by then"),
        *_nearest("other", "of everybody unrelated by label", last=True),
        Column(
            "p_value",
            "number",
            "That the label is right: twice the smaller of other_p_value and p_missing.",
            minimum=0.0,
            maximum=1.0,
        ),
        Column(
            "p_missing",
            "number",
            "Probability of sharing as little with the samples of the same person between which nothing was given.",
            minimum=0.0,
            maximum=1.0,
        ),
        Column("q_value", "number", "Benjamini-Hochberg over the samples tested.", minimum=0.0, maximum=1.0),
        Column("sentence", "text", "The finding in words.", required=True),
    ),
    key=("sample",),
)
