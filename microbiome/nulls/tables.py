"""Columns of the table that ``microbiome nulls`` writes, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import RATE_NAMES, Column, Table

__all__ = ["LEVELS", "NULLS", "NULL_NAMES"]

#: What a row is about.
LEVELS = ("overall", "subject", "taxon")
#: What an observed rate is compared with.
NULL_NAMES = ("donor_permutation", "baseline_permutation", "placebo_arm", "before_repeats", "donor_repeats", "none")

NULLS = Table(
    "nulls",
    "What chance alone would do: one row per quantity, null and level; per treated subject; per taxon.",
    (
        Column(
            "quantity",
            "choice",
            "The rate. Per taxon: the share of subjects without it at the baseline and with it in the donor set in "
            "whom it appeared (`engraftment_rate`), or of those with it at the baseline who lost it "
            "(`depletion_rate`).",
            required=True,
            filled=True,
            allowed=RATE_NAMES,
        ),
        Column(
            "null",
            "choice",
            "What it is compared with: donor_permutation, dose schedules re-assigned between recipients; "
            "baseline_permutation, baselines re-assigned; placebo_arm, subjects without doses (with every schedule of "
            "the treated as pseudo-donors where a rate needs a donor); before_repeats, repeats before FMT of the "
            "recipients; donor_repeats, repeats of the donors; none, there is nothing.",
            required=True,
            filled=True,
            allowed=NULL_NAMES,
        ),
        Column("level", "choice", "What the row is about.", required=True, filled=True, allowed=LEVELS),
        Column("subject", "id", "One treated subject; empty at the other levels.", required=True),
        Column("taxon", "id", "One taxon; empty at the other levels.", required=True),
        Column("observed", "number", "The rate of the treated, mean over subjects.", unit="fraction", required=True),
        Column("expected", "number", "The same under the null.", unit="fraction", required=True),
        Column("excess", "number", "observed - expected.", unit="fraction", required=True),
        Column("ci_low", "number", "Lower bound of the 95 % interval of the excess.", required=True),
        Column("ci_high", "number", "Upper bound of the 95 % interval of the excess.", required=True),
        Column(
            "observed_ci_low",
            "number",
            "Lower bound of the 95 % interval of the observed rate over subjects (t on the logit of the mean).",
            unit="fraction",
            minimum=0.0,
            maximum=1.0,
        ),
        Column(
            "observed_ci_high", "number", "Upper bound of the same interval.", unit="fraction", minimum=0.0, maximum=1.0
        ),
        Column(
            "p_value",
            "number",
            "Of the excess; one-sided (greater) against re-assigned donors or baselines and per subject, else "
            "two-sided.",
            required=True,
            minimum=0.0,
            maximum=1.0,
        ),
        Column(
            "p_floor", "number", "Smallest p-value that any data of this design could have given.", minimum=0, maximum=1
        ),
        Column(
            "q_value",
            "number",
            "Benjamini-Hochberg, over the testable subjects or taxa of one quantity and null.",
            minimum=0.0,
            maximum=1.0,
        ),
        Column("permutations", "integer", "Arrangements looked at or counted; at most 10^18 is written.", minimum=0),
        Column(
            "scheme",
            "choice",
            "exact: all arrangements; monte_carlo: random ones, p = (b + 1) / (m + 1).",
            allowed=("exact", "monte_carlo"),
        ),
        Column("n_subjects", "integer", "Treated subjects that the observed rate is of.", unit="subjects", minimum=0),
        Column(
            "n_null",
            "integer",
            "Persons of the null group; missing where the null is a re-assignment (per taxon: the subjects without it "
            "whose own donor set lacks it).",
            unit="subjects",
            minimum=0,
        ),
        Column("n_samples", "integer", "Post samples that count, of both groups.", unit="samples", minimum=0),
        Column("n_donors", "integer", "Donors of the treated subjects.", unit="donors", minimum=0),
        Column("method", "text", "Test, and interval where there is one."),
        Column(
            "detection",
            "number",
            "A taxon is detected above this abundance; that of the repair where there was one.",
            minimum=0,
        ),
        Column(
            "repair",
            "choice",
            "How depth was repaired before.",
            allowed=("none", "threshold", "thinning"),
        ),
        Column("analysis", "text", "Which post samples count (overall rows)."),
        Column("note", "text", "Why a row is not testable (begins `not testable: `), or what its numbers rest on."),
    ),
    key=("quantity", "null", "level", "subject", "taxon"),
)
