"""Columns of the table that ``microbiome sensitivity`` writes, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.compare.tables import COMPARE_METHODS
from microbiome.tables import SENSITIVITY_RATES, Column, Table

__all__ = ["SENSITIVITY", "SENSITIVITY_RATES"]

SENSITIVITY = Table(
    "sensitivity",
    "One row per depth, threshold, rate, pair of groups and method; without groups one per depth, threshold and rate.",
    (
        Column(
            "depth",
            "text",
            "`as_sequenced`, or `thinned_F`: the evidence of every sample thinned to the fraction F of that of the "
            "shallowest.",
            required=True,
            filled=True,
        ),
        Column("depth_fraction", "number", "F; missing as sequenced.", unit="fraction", minimum=0.0, maximum=1.0),
        Column("unit", "number", "Abundance of one piece of evidence in every sample after thinning.", minimum=0.0),
        Column("repeats", "integer", "Thinnings, over which the rates of each sample are averaged.", minimum=1),
        Column("detection", "number", "A taxon is detected above this abundance.", required=True, minimum=0.0),
        Column(
            "common_threshold",
            "flag",
            "1 where that is 5 times the unit of the shallowest sample; samples too shallow for it are left out, as by "
            "`--repair threshold`.",
        ),
        Column("taxa_per_sample", "number", "Median number of taxa detected in a sample that counts.", minimum=0.0),
        Column("rate", "text", "Column of the rates table.", required=True, filled=True),
        Column("by", "text", "What makes the groups; missing without groups."),
        Column("groups", "text", "`second - first`, the direction of the effect; `all` without groups."),
        Column(
            "method",
            "choice",
            "The unit of analysis, as in the table of `microbiome compare`; `subject_mean` without groups.",
            required=True,
            filled=True,
            allowed=(*COMPARE_METHODS, "subject_mean"),
        ),
        Column("direction", "text", "Which group has the higher values: the sign of `effect` in words."),
        Column("group_1", "text", "First group, the reference; `all` without groups."),
        Column("group_2", "text", "Second group."),
        Column("mean_1", "number", "Mean of the first group, as in the table of `microbiome compare`."),
        Column("mean_1_ci_low", "number", "Lower bound of `mean_1`."),
        Column("mean_1_ci_high", "number", "Upper bound of `mean_1`."),
        Column("mean_2", "number", "The same of the second group."),
        Column("mean_2_ci_low", "number", "Lower bound of `mean_2`."),
        Column("mean_2_ci_high", "number", "Upper bound of `mean_2`."),
        Column("scale", "text", "What `effect` is: difference, log_odds or location."),
        Column("effect", "number", "Second group less first, on the scale named in `scale`."),
        Column("ci_low", "number", "Lower bound of `effect`."),
        Column("ci_high", "number", "Upper bound of `effect`."),
        Column("p_value", "number", "Two-sided p-value.", minimum=0.0, maximum=1.0),
        Column("p_floor", "number", "Smallest p-value that any values could have given.", minimum=0.0, maximum=1.0),
        Column("permutations", "integer", "Arrangements of the labels looked at.", minimum=0),
        Column("scheme", "choice", "How they were chosen.", allowed=("exact", "monte_carlo")),
        Column("n_subjects", "integer", "Subjects in the analysis.", unit="subjects", minimum=0),
        Column("n_samples", "integer", "Samples in the analysis.", unit="samples", minimum=0),
        Column("n_donors", "integer", "Donors that these subjects received from.", unit="donors", minimum=0),
        Column("note", "text", "Why a row is not testable, or what its numbers rest on."),
    ),
    key=("depth", "detection", "common_threshold", "rate", "groups", "method"),
)
