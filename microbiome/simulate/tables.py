"""The tables of truth and of accuracy, each column declared once."""

from __future__ import annotations

from microbiome.simulate.molecule_tables import TRUTH_LINKS
from microbiome.tables import ID_PATTERN, OUTCOME_NAMES, Column, Table

__all__ = [
    "ACCURACY",
    "STRAIN_OUTCOME_NAMES",
    "TRUTH_DIVERGENCE",
    "TRUTH_OUTCOMES",
    "TRUTH_READS",
    "TRUTH_STRAINS",
    "TRUTH_TABLES",
]

STRAIN_OUTCOME_NAMES = ("donor", "recipient", "coexist", "other", "unresolved")

_SAMPLE = Column("sample", "id", "One stool library.", required=True, filled=True, pattern=ID_PATTERN)
_SUBJECT = Column("subject", "id", "One person.", required=True, filled=True)
_TAXON = Column("taxon", "id", "SGB.", required=True, filled=True)


def _fraction(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning, unit="fraction", minimum=0.0, maximum=1.0)


def _count(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, "integer", meaning, unit=unit, minimum=0)


TRUTH_OUTCOMES = Table(
    "outcomes",
    "The true outcome of every taxon in every post sample, from what is in the samples, not from what was detected.",
    (
        _SUBJECT,
        _SAMPLE,
        Column("day", "integer", "Days since the subject's first dose.", unit="days"),
        Column("baseline_sample", "id", "The subject's last sample with day <= 0.", required=True, filled=True),
        _TAXON,
        Column(
            "outcome",
            "choice",
            "The cell of donor x baseline x post.",
            required=True,
            filled=True,
            allowed=OUTCOME_NAMES,
        ),
        Column(
            "strain_outcome",
            "choice",
            "Whose strain the post sample holds: the donor's, the recipient's own (baseline), both, or neither; "
            "unresolved where donor and baseline hold the very same strain. Missing where the taxon is absent.",
            allowed=STRAIN_OUTCOME_NAMES,
        ),
        _fraction(
            "donor_fraction",
            "Of the taxon in the post sample, strains that the donor products hold and the baseline does not.",
        ),
        _fraction("baseline_fraction", "Strains that the baseline holds and the donor products do not."),
        _fraction("common_fraction", "Strains that both hold."),
        _fraction("other_fraction", "Strains that neither holds."),
    ),
    key=("sample", "taxon"),
    open=False,
)

TRUTH_STRAINS = Table(
    "strains",
    "The strains of every taxon in every sample.",
    (
        _SAMPLE,
        _SUBJECT,
        _TAXON,
        Column("strain", "id", "Name of the strain; equal names are equal sequences.", required=True, filled=True),
        _fraction("fraction", "Of the taxon in this sample; sums to 1 over its strains."),
        Column(
            "origin",
            "id",
            "Where the subject has it from: own (from the start), environment (came without FMT), or the donor's name.",
            required=True,
            filled=True,
        ),
    ),
    key=("sample", "taxon", "strain"),
    open=False,
)

TRUTH_DIVERGENCE = Table(
    "strain_divergence",
    "How far each two strains of a taxon are apart.",
    (
        _TAXON,
        Column("strain_1", "id", "One strain.", required=True, filled=True),
        Column("strain_2", "id", "The other.", required=True, filled=True),
        _count("sites", "Positions of the markers.", "base pairs"),
        _count("differences", "Positions at which the two differ.", "base pairs"),
        _fraction("divergence", "differences / sites."),
    ),
    key=("taxon", "strain_1", "strain_2"),
    open=False,
)

TRUTH_READS = Table(
    "reads",
    "What was sequenced of each sample, by source. A fragment is one pair, or one read of a single-end sample.",
    (
        _SAMPLE,
        Column("layout", "choice", "Paired or single reads.", required=True, filled=True, allowed=("paired", "single")),
        _count("units", "Sequencing runs."),
        _count("reads", "Reads, both mates.", "reads"),
        _count("fragments", "Fragments sequenced.", "fragments"),
        _count("sgb", "Of these, of the SGBs in truth/abundance.tsv.", "fragments"),
        _count("host", "Of these, human.", "fragments"),
        _count("junk", "Of these, of no known organism.", "fragments"),
        _count("adapter", "Fragments shorter than a read; missing where no reads were written.", "fragments"),
        Column(
            "expected_status",
            "choice",
            "few_reads for a sample that must be flagged and not profiled, else ok.",
            required=True,
            filled=True,
            allowed=("ok", "few_reads"),
        ),
    ),
    key=("sample",),
    open=False,
)

TRUTH_TABLES = (TRUTH_OUTCOMES, TRUTH_STRAINS, TRUTH_DIVERGENCE, TRUTH_READS, TRUTH_LINKS)

ACCURACY = Table(
    "accuracy",
    "One row per sample of the truth: a workflow's profile and outcomes against it.",
    (
        _SAMPLE,
        Column(
            "status",
            "choice",
            "ok; few_reads (flagged as it must be, not counted); no_profile (missing, counted as wrong); "
            "unexpected_profile (too shallow, yet profiled; counted as wrong).",
            required=True,
            filled=True,
            allowed=("ok", "few_reads", "no_profile", "unexpected_profile"),
        ),
        _count("true_taxa", "Taxa in the sample.", "taxa"),
        _count("detected_taxa", "Taxa in the profile.", "taxa"),
        _count("both_taxa", "Taxa in both.", "taxa"),
        _fraction("f1", "2 both_taxa / (true_taxa + detected_taxa)."),
        _fraction("bray_curtis", "Bray-Curtis dissimilarity of profile and true abundances, both closed to 1."),
        _count("outcomes", "Taxa with an outcome in the truth or in the results (post samples only).", "taxa"),
        _count("outcomes_equal", "Of these, with the same outcome in both.", "taxa"),
    ),
    key=("sample",),
    open=False,
)
