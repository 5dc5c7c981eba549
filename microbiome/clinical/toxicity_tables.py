"""Columns of the tables about toxicity and donor clusters, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = [
    "CLINICAL_TOXICITY",
    "CURVE_METHODS",
    "DONOR_CLUSTERS",
    "DONOR_CLUSTER_CHOICE",
    "TOXICITY_CURVES",
    "TOXICITY_QUANTITIES",
]

#: What a row of `clinical_toxicity` is of.
TOXICITY_QUANTITIES = (
    "grade_count",
    "severe",
    "severe_test",
    "grade_test",
    "odds_ratio",
    "risk_difference",
    "cliffs_delta",
)
#: How the share with an event by a day is estimated.
CURVE_METHODS = ("aalen_johansen", "one_minus_kaplan_meier")


def _number(name: str, meaning: str, low: float | None = None, high: float | None = None, unit: str = "") -> Column:
    return Column(name, "number", meaning, unit=unit, minimum=low, maximum=high)


def _count(name: str, meaning: str, unit: str = "", minimum: float | None = 0) -> Column:
    return Column(name, "integer", meaning, unit=unit, minimum=minimum)


_LEVEL = _number("level", "Confidence level of the interval.", 0, 1)

CLINICAL_TOXICITY = Table(
    "clinical_toxicity",
    "Worst grade of an immune-related adverse event: one row per factor, group or taxon, quantity, unit and method.",
    (
        Column(
            "factor",
            "id",
            "What makes the groups: `all` (everybody), a column of the subjects table, `treatment`, `donor`, "
            "`donor_cluster`, `taxon_presence`, `taxon_abundance` (every taxon of the donors), or "
            "`named_taxon_presence`, `named_taxon_abundance` (those asked for by name).",
            required=True,
            filled=True,
        ),
        Column(
            "group",
            "text",
            "The group; of a taxon's presence `present`; empty where the row is of all groups.",
            required=True,
        ),
        Column("reference", "text", "Group with which it is compared; empty where it is not compared.", required=True),
        Column("taxon", "id", "Taxon of the donors; empty for other factors.", required=True),
        Column(
            "quantity",
            "choice",
            "`grade_count`: recipients whose worst grade is `grade`. `severe`: whose worst grade is at least `grade`. "
            "`severe_test`: whether the share of severe ones differs between the groups. `grade_test`: whether the "
            "grades do. `odds_ratio`: odds of being severe, group against reference. `risk_difference`: mean over the "
            "donors with the taxon of the share of their recipients that is severe, less that of the donors without, "
            "each donor counting once (where recipients have several donors: of recipients, per unit of the exposure)."
            " `cliffs_delta`: how much more often the abundance that a severe recipient was given is the larger one "
            "than the smaller one.",
            required=True,
            filled=True,
            allowed=TOXICITY_QUANTITIES,
        ),
        Column("grade", "integer", "The grade, or the lowest one that is severe.", minimum=0, maximum=5),
        Column(
            "unit",
            "choice",
            "What is taken as independent: every recipient, or donors (all recipients of a donor stay together).",
            required=True,
            filled=True,
            allowed=("recipient", "donor"),
        ),
        _count("n", "Recipients (of the group and its reference where there is one).", "recipients"),
        _count("n_donors", "Their donors; missing without doses table.", "donors"),
        _count("events", "How many of the recipients have the grade, or are severe.", "recipients"),
        _number("estimate", "The share, odds ratio, difference or Cliff's delta."),
        _number("ci_low", "Lower bound of `estimate`."),
        _number("ci_high", "Upper bound of `estimate`."),
        _LEVEL,
        Column("method", "text", "Name of the interval or of the test.", required=True, filled=True),
        _number("statistic", "Chi-squared of chi2 and chi2_yates.", 0),
        _count("df", "Its degrees of freedom."),
        _number("p_value", "Two-sided p-value.", 0, 1),
        _number(
            "p_floor",
            "Smallest p-value that a permutation of this design, or these margins of a table, could have given.",
            0,
            1,
        ),
        _number(
            "q_value",
            "Benjamini-Hochberg over the testable taxa of one factor, quantity, unit and method; empty elsewhere.",
            0,
            1,
        ),
        _count("permutations", "Arrangements looked at; at most 10^18 is written."),
        Column(
            "scheme",
            "choice",
            "exact: all arrangements; monte_carlo: random ones, p = (b + 1) / (m + 1).",
            allowed=("exact", "monte_carlo"),
        ),
        Column("note", "text", "Why a row is not testable (begins `not testable: `), or what its numbers rest on."),
    ),
    key=("factor", "group", "reference", "taxon", "quantity", "grade", "unit", "method"),
)

DONOR_CLUSTERS = Table(
    "donor_clusters",
    "Donors grouped by composition: one row per donor.",
    (
        Column("donor", "id", "A subject with role donor.", required=True, filled=True),
        _count("samples", "Samples with a profile that its composition is the mean of.", "samples"),
        Column(
            "cluster",
            "id",
            "Cluster, c1 being the largest; empty where the donor has no profile.",
            required=True,
        ),
        _number("silhouette", "Silhouette of the donor: 1 well inside its cluster, below 0 nearer to another.", -1, 1),
        _number("stability", "Stability of its cluster: mean over resamples of the largest Jaccard index.", 0, 1),
        Column("method", "text", "Distance, clustering and what was resampled."),
        Column("note", "text", "Why a number is missing."),
    ),
    key=("donor",),
)

DONOR_CLUSTER_CHOICE = Table(
    "donor_cluster_choice",
    "How many clusters of donors: one row per number of clusters that was looked at.",
    (
        _count("clusters", "Number of clusters; 1 is no structure.", minimum=1),
        _number("silhouette", "Mean silhouette over donors; missing for one cluster.", -1, 1),
        _number("silhouette_null", "Its mean over reference data that have one cluster."),
        _number("gap", "Gap statistic: log dispersion expected of one cluster less the observed."),
        _number("gap_se", "Standard error of the gap with its simulation error.", 0),
        _number("stability", "Mean over clusters of their stability.", 0, 1),
        _number("stability_least", "Stability of the least stable cluster.", 0, 1),
        Column("chosen", "flag", "1 for the number that was chosen.", required=True, filled=True),
        Column("criterion", "text", "In words how it was chosen."),
        _number("p_value", "Of the largest mean silhouette against one cluster (same in all rows).", 0, 1),
        _number("p_floor", "Smallest p-value that the reference data sets allow.", 0, 1),
        _count("n", "Donors with a profile.", "donors"),
        Column("method", "text", "Distance, clustering and what was resampled."),
        Column("note", "text", "Why a number is missing."),
    ),
    key=("clusters",),
)

TOXICITY_CURVES = Table(
    "toxicity_curves",
    "Time to the first severe adverse event: one row per factor, group, method and day at which the estimate changes.",
    (
        Column("factor", "id", "What makes the groups; `all` for everybody.", required=True, filled=True),
        Column("group", "text", "The group; `all` for everybody.", required=True, filled=True),
        _number("day", "Day since the first dose.", unit="days"),
        _count("at_risk", "Recipients alive, followed and without event just before.", "recipients"),
        _count("events", "First severe events on that day.", "recipients"),
        _count("competing", "Deaths without a severe event before, on that day.", "recipients"),
        _count("censored", "Recipients whose follow-up ended on that day.", "recipients"),
        _number("incidence", "Share with a severe event by that day.", 0, 1, "fraction"),
        _number("ci_low", "Lower bound of `incidence`.", 0, 1),
        _number("ci_high", "Upper bound of `incidence`.", 0, 1),
        _LEVEL,
        Column(
            "method",
            "choice",
            "`aalen_johansen`: cumulative incidence, death competes. `one_minus_kaplan_meier`: deaths taken as the "
            "end of follow-up, which overstates the share that has an event.",
            required=True,
            filled=True,
            allowed=CURVE_METHODS,
        ),
        _count("n", "Recipients of the group whose time is known.", "recipients"),
        Column("note", "text", "Who is left out and why, or why a number is missing."),
    ),
    key=("factor", "group", "method", "day"),
)
