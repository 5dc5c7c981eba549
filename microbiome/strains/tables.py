"""Columns of the tables of strains, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.simulate.tables import STRAIN_OUTCOME_NAMES
from microbiome.tables import ID_PATTERN, OUTCOME_NAMES, Column, Table

__all__ = [
    "METHODS",
    "PRESENT",
    "RELATIONS",
    "STRAIN_DISTANCES",
    "STRAIN_RESOLVED",
    "STRAIN_SHARED",
    "STRAIN_SOURCES",
    "STRAIN_SWEEP",
    "STRAIN_THRESHOLDS",
    "THRESHOLD_ORIGINS",
]

#: What a distance is.
METHODS = ("consensus", "shared_alleles", "ngd", "mutation_rate", "samestr", "table")

#: Smallest part of a taxon, by default, that counts as a strain that is there.
PRESENT = 0.02

#: What two samples are to each other.
RELATIONS = (
    "same_person",
    "before_after",
    "own_donor",
    "other_donor",
    "shared_donor",
    "unrelated",
)

#: Where a threshold comes from.
THRESHOLD_ORIGINS = (
    "model",
    "model_pooled",
    "youden",
    "youden_pooled",
    "percentile_5",
    "percentile_3",
    "percentile_table",
    "fixed",
    "none",
)


def _taxon(meaning: str = "SGB.") -> Column:
    return Column("taxon", "id", meaning, required=True, filled=True)


def _sample(name: str, meaning: str) -> Column:
    return Column(name, "id", meaning, required=True, filled=True, pattern=ID_PATTERN)


def _fraction(name: str, meaning: str, required: bool = False) -> Column:
    return Column(name, "number", meaning, unit="fraction", required=required, minimum=0.0, maximum=1.0)


def _count(name: str, meaning: str, unit: str, required: bool = False) -> Column:
    return Column(name, "integer", meaning, unit=unit, required=required, minimum=0)


_PAIR = (
    _taxon(),
    _sample("sample_1", "One sample."),
    _sample("sample_2", "The other; each pair stands once."),
    _count("sites", "Marker positions that were compared; empty where the source does not tell.", "positions"),
    Column(
        "distance",
        "number",
        "Distance of the strains, as `method` says; empty where too few positions are covered in both.",
        required=True,
        minimum=0.0,
    ),
    Column(
        "method",
        "choice",
        "consensus: positions whose most frequent bases differ / sites (1 - conANI of inStrain); shared_alleles: "
        "positions without any base in common / sites (1 - popANI of inStrain, 1 - MVS of SameStr); ngd: patristic "
        "distance / total branch length of a StrainPhlAn tree; mutation_rate: of StrainPhlAn; samestr: 1 - MVS as "
        "SameStr computed it; table: a table of distances without further word.",
        allowed=METHODS,
    ),
)
_ALLELE = (
    _count("consensus_differences", "Positions whose most frequent bases differ.", "positions"),
    _count("allele_differences", "Positions without any base in common.", "positions"),
    Column(
        "noise", "number", "Differences that reading errors alone are expected to make.", unit="positions", minimum=0.0
    ),
    Column("depth_1", "number", "Mean depth of sample_1 over the positions it covers.", unit="reads", minimum=0.0),
    Column("depth_2", "number", "The same of sample_2.", unit="reads", minimum=0.0),
    _fraction("minor_1", "Part of the second strain of the taxon in sample_1; 0 where one explains its reads."),
    _fraction("minor_2", "The same of sample_2."),
    Column(
        "evidence_same",
        "number",
        "Natural logarithm of the Bayes factor: the dominant strains are the same against unrelated.",
    ),
    Column(
        "evidence_1_in_2",
        "number",
        "The same of the dominant strain of sample_1 and the second strain of sample_2; empty where that has one "
        "strain.",
    ),
    Column("evidence_2_in_1", "number", "The same with the samples exchanged."),
    Column("evidence_minor", "number", "The same of the second strains of both."),
)
_NOTE = Column("note", "text", "Why something is missing or needs care.")

STRAIN_DISTANCES = Table(
    "strain_distances",
    "How far the strains of two samples are apart, one row per taxon and pair of samples.",
    (*_PAIR, *_ALLELE, _NOTE),
    key=("taxon", "sample_1", "sample_2", "method"),
)

_THRESHOLD = (
    Column(
        "threshold",
        "number",
        "Largest distance that counts as the same strain; empty = none. Under the model it is where p_same is 0.5 for "
        "two "
        "unrelated people at the usual number of sites: calls are made by p_same, which also knows the sites of the "
        "pair "
        "and whether the samples are of one person.",
        minimum=0.0,
    ),
    Column(
        "threshold_origin",
        "choice",
        "What the threshold was taken from, after any fall-back.",
        allowed=THRESHOLD_ORIGINS,
    ),
)

STRAIN_THRESHOLDS = Table(
    "strain_thresholds",
    "The cut between same strain and different strains, one row per taxon.",
    (
        _taxon("SGB."),
        Column("method", "choice", "The distance, as in strain_distances.", allowed=METHODS),
        Column("rule", "text", "The rule that was asked for.", required=True, filled=True),
        *_THRESHOLD,
        _count("pairs", "Pairs with a distance.", "pairs"),
        _count("same_person_pairs", "Of these, of one person without a dose between; one per person is used.", "pairs"),
        _count("unrelated_pairs", "Of these, of unrelated people; one per pair of people is used.", "pairs"),
        _fraction("same_person_rate", "Part of the same-person pairs used that is at or below the threshold."),
        _fraction("unrelated_rate", "Part of the unrelated pairs used that is at or below the threshold."),
        _fraction(
            "false_sharing_rate",
            "Part of pairs of different strains that the threshold calls the same strain: under the model its "
            "background, else the unrelated pairs used.",
        ),
        _fraction("shared_unrelated", "Under the model, part of unrelated pairs that truly have the same strain."),
        Column("same_mean", "number", "Under the model, mean distance of the same strain.", minimum=0.0),
        Column("different_mean", "number", "Under the model, mean distance of different strains.", minimum=0.0),
        _fraction("weight_own", "Under the model, weight of the taxon's own pairs against those of all taxa."),
        _NOTE,
    ),
    key=("taxon", "method"),
)

_CALL = (
    Column("same_strain", "flag", "1 the same dominant strain, 0 another; empty = unresolved."),
    _fraction("p_same", "Posterior probability that the dominant strains are the same."),
    _fraction("p_value", "Probability of so small a distance between different strains."),
    _fraction("q_value", "Benjamini-Hochberg over all pairs of all taxa in the table."),
    Column(
        "any_shared",
        "flag",
        "1 at least one strain in common, be it a minor one; 0 none; empty = unresolved, or the distance cannot tell.",
    ),
    _fraction("p_any", "Posterior probability of at least one strain in common."),
)

STRAIN_SHARED = Table(
    "strain_shared",
    "Which pairs of samples have the same strain, one row per taxon and pair.",
    (
        *_PAIR,
        Column("relation", "choice", "What the two samples are to each other.", allowed=RELATIONS),
        *_CALL,
        *_THRESHOLD,
        *_ALLELE,
        _NOTE,
    ),
    key=("taxon", "sample_1", "sample_2", "method"),
)

STRAIN_SWEEP = Table(
    "strain_sweep",
    "How much is called shared at every cut, one row per method, cut and relation.",
    (
        Column("method", "choice", "The distance.", required=True, allowed=METHODS),
        Column("cut", "number", "Largest distance that counts as the same strain.", required=True, minimum=0.0),
        Column("relation", "choice", "What the two samples are to each other.", required=True, allowed=RELATIONS),
        _count("pairs", "Pairs with a distance, over all taxa.", "pairs"),
        _count("subjects", "People, or pairs of people, that they come from.", ""),
        _fraction("shared_rate", "Part of the pairs at or below the cut; each person or pair of people counts once."),
        _fraction("ci_low", "Lower bound of its 95 % interval over people."),
        _fraction("ci_high", "Upper bound."),
    ),
    key=("method", "cut", "relation"),
)

STRAIN_RESOLVED = Table(
    "strain_resolved",
    "Whose strain it is, one row per post sample and taxon that is in it and in the donor, or in it and the baseline.",
    (
        Column("subject", "id", "One person.", required=True, filled=True),
        _sample("sample", "The post sample."),
        Column("day", "integer", "Days since the subject's first dose.", unit="days", required=True),
        Column("baseline_sample", "id", "The baseline it is compared to."),
        _taxon(),
        Column("outcome", "choice", "As in outcomes.", required=True, allowed=OUTCOME_NAMES),
        Column(
            "strain_outcome",
            "choice",
            "Whose strains the post sample has: donor, recipient (as in the baseline), coexist (both), other "
            "(neither) or "
            "unresolved. Of an engrafted taxon donor confirms the transfer.",
            required=True,
            filled=True,
            allowed=STRAIN_OUTCOME_NAMES,
        ),
        _fraction(
            "donor_fraction",
            "Part of the taxon in the post sample that is strains of the donor and not of the "
            "baseline; 0 where no donor has the taxon. Of calls 1 or 0.",
            required=True,
        ),
        _fraction("ci_low", "Lower bound of the 95 % interval of donor_fraction.", required=True),
        _fraction("ci_high", "Upper bound.", required=True),
        _fraction("baseline_fraction", "Part that is strains of the baseline and not of the donor.", required=True),
        _fraction("common_fraction", "Part that is strains that donor and baseline both have."),
        _fraction("other_fraction", "Part that is strains of neither.", required=True),
        _count(
            "informative_sites",
            "Positions read in the post sample at which the sources differ (probability above 0.8), each read twice or "
            "more there.",
            "positions",
            True,
        ),
        _count("distinguishing_sites", "The same, with sources that are read once.", "positions"),
        _count("informative_reads", "Reads on the latter.", "reads"),
        _fraction("p_donor", "p-value of no donor strain in the post sample."),
        _fraction("p_baseline", "p-value of no baseline strain in the post sample."),
        _fraction("post_abundance", "Abundance of the taxon in the post sample."),
        Column("main_donor", "id", "The donor with the largest part."),
        _fraction("main_donor_fraction", "Its part."),
        Column(
            "method", "choice", "fractions of reads (alleles) or calls of pairs (calls).", allowed=("alleles", "calls")
        ),
        Column("reason", "text", "Why it is unresolved."),
    ),
    key=("sample", "taxon"),
)

STRAIN_SOURCES = Table(
    "strain_sources",
    "Part of each source, one row per post sample, taxon and source.",
    (
        Column("subject", "id", "One person.", required=True, filled=True),
        _sample("sample", "The post sample."),
        Column("day", "integer", "Days since the subject's first dose.", unit="days", required=True),
        _taxon(),
        Column(
            "source",
            "id",
            "A donor, `baseline`, `common` (strains that donor and baseline both have) or `other`.",
            required=True,
            filled=True,
        ),
        _fraction("fraction", "Part of the taxon in the post sample.", required=True),
        _fraction("ci_low", "Lower bound of its 95 % interval."),
        _fraction("ci_high", "Upper bound."),
    ),
    key=("sample", "taxon", "source"),
)
