"""Columns of the table that ``microbiome power`` writes, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import RATE_NAMES, Column, Table

__all__ = ["POWER", "TESTS"]

#: What is tested: responders against the others, treated against placebo, own donors against re-assigned ones.
TESTS = ("response", "placebo", "donors")

POWER = Table(
    "power",
    "One row per number of patients.",
    (
        Column("n_subjects", "integer", "Patients in the trial.", unit="subjects", required=True, minimum=0),
        Column(
            "test",
            "choice",
            "`response`: responders against the others, labels permuted between subjects. `placebo`: treated against "
            "placebo, the same way. `donors`: own against re-assigned donors, dose schedules permuted between subjects "
            "(one-sided).",
            required=True,
            filled=True,
            allowed=TESTS,
        ),
        Column("rate", "choice", "The rate that is tested.", required=True, filled=True, allowed=RATE_NAMES),
        Column("effect", "text", "What is put in: parameters and their values; `none` is the null.", required=True),
        Column("groups", "text", "`second - first`, the direction of the difference."),
        Column("n_1", "integer", "Patients of the first group; all of them with `donors`.", minimum=0),
        Column("n_2", "integer", "Patients of the second group; missing with `donors`.", minimum=0),
        Column("n_samples", "number", "Samples that count, mean over trials.", unit="samples", minimum=0),
        Column("n_donors", "integer", "Donors in the trial; missing from a pilot.", unit="donors", minimum=0),
        Column("mean_1", "number", "Rate of the first group (`donors`: of re-assigned donors), mean over trials."),
        Column("mean_2", "number", "Rate of the second group (`donors`: of the own donors), mean over trials."),
        Column("difference", "number", "Effect seen: mean_2 - mean_1."),
        Column("ratio", "number", "Effect seen: mean_2 / mean_1.", minimum=0),
        Column("sd", "number", "Standard deviation between subjects within a group, mean over trials.", minimum=0),
        Column("power", "number", "Share of trials with p <= alpha.", required=True, minimum=0, maximum=1),
        Column("ci_low", "number", "Lower bound of `power` (Monte Carlo error).", minimum=0, maximum=1),
        Column("ci_high", "number", "Upper bound of `power` (Monte Carlo error).", minimum=0, maximum=1),
        Column("alpha", "number", "Level of the test.", minimum=0, maximum=1),
        Column("trials", "integer", "Trials simulated.", unit="trials", minimum=0),
        Column("n_untestable", "integer", "Trials in which nothing could be tested; they count as p > alpha."),
        Column("p_floor", "number", "Smallest p-value that the design can give (median trial).", minimum=0, maximum=1),
        Column("permutations", "integer", "Arrangements looked at in a trial (median).", minimum=0),
        Column(
            "scheme",
            "choice",
            "Whether all arrangements are looked at or random ones.",
            allowed=("exact", "monte_carlo"),
        ),
        Column("method", "text", "Test, and interval of the power."),
        Column("note", "text", "Why a row is not testable (begins `not testable: `)."),
    ),
    key=("n_subjects",),
)
