"""Columns of the tables that comparisons of rates write, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["COMPARE", "COMPARE_METHODS", "SCALES", "TRAJECTORIES"]

#: The three analyses: the primary one, the adjusted one over all samples, and what published figures do.
COMPARE_METHODS = ("subject_permutation", "mixed_model", "pooled_wilcoxon")
#: What `effect` is: a difference of means, a difference of logits, or the Hodges-Lehmann shift.
SCALES = ("difference", "log_odds", "location")


def _interval(name: str, meaning: str, low: float | None = None, high: float | None = None) -> tuple[Column, ...]:
    return (
        Column(name, "number", meaning, minimum=low, maximum=high),
        Column(f"{name}_ci_low", "number", f"Lower bound of `{name}`.", minimum=low, maximum=high),
        Column(f"{name}_ci_high", "number", f"Upper bound of `{name}`.", minimum=low, maximum=high),
    )


_P_FLOOR = Column(
    "p_floor",
    "number",
    "Smallest p-value that any values of these subjects (or samples) could have given; missing for the mixed model.",
    minimum=0,
    maximum=1,
)

COMPARE = Table(
    "compare",
    "One row per rate, pair of groups and method; with more than two groups also one row per rate for all of them.",
    (
        Column("rate", "text", "Column of the rates table that is compared.", required=True, filled=True),
        Column("by", "text", "What makes the groups: a column of the subjects table, or donor.", required=True),
        Column(
            "groups",
            "text",
            "`second - first`, the direction of every effect; `a / b / c` for a test of all groups together.",
            required=True,
        ),
        Column(
            "method",
            "choice",
            "`subject_permutation` (primary): one value per subject, labels permuted between subjects. `mixed_model`: "
            "all samples, subject a random effect, donor a fixed one while there are few and else random; adjusted "
            "for baseline richness, depth and lag. "
            "`pooled_wilcoxon`: all samples as if independent, anti-conservative.",
            required=True,
            filled=True,
            allowed=COMPARE_METHODS,
        ),
        Column("group_1", "text", "First group, the reference; missing in a row for all groups together."),
        Column("group_2", "text", "Second group."),
        Column("n_subjects", "integer", "Subjects in the analysis.", unit="subjects", minimum=0),
        Column("n_samples", "integer", "Samples in the analysis.", unit="samples", minimum=0),
        Column(
            "n_donors", "integer", "Donors that these subjects received from; missing without doses table.", minimum=0
        ),
        Column("n_subjects_1", "integer", "Subjects of the first group in the analysis.", minimum=0),
        Column("n_subjects_2", "integer", "Subjects of the second group in the analysis.", minimum=0),
        Column("n_samples_1", "integer", "Samples of the first group in the analysis.", minimum=0),
        Column("n_samples_2", "integer", "Samples of the second group in the analysis.", minimum=0),
        Column(
            "n_left_out_1",
            "integer",
            "Subjects of the first group that have a value, but none at the days of the analysis (drop-out), or lack a "
            "covariate.",
            minimum=0,
        ),
        Column("n_left_out_2", "integer", "The same of the second group.", minimum=0),
        *_interval(
            "mean_1",
            "Mean of the first group: of subjects (`subject_permutation`), of samples (`pooled_wilcoxon`, without "
            "interval), or as the model expects it at average covariates (`mixed_model`).",
        ),
        *_interval("mean_2", "The same of the second group."),
        Column(
            "scale",
            "choice",
            "What `effect` is: `difference` of means, `log_odds` (difference of logits), or `location` "
            "(Hodges-Lehmann).",
            allowed=SCALES,
        ),
        Column("effect", "number", "Second group less first, on the scale named in `scale`."),
        Column("ci_low", "number", "Lower bound of `effect`."),
        Column("ci_high", "number", "Upper bound of `effect`."),
        *_interval("ratio", "Mean of the second group over that of the first; for `log_odds` the odds ratio.", low=0),
        *_interval("hodges_lehmann", "Median of all differences between a value of the second and one of the first."),
        *_interval(
            "cliffs_delta",
            "P(value of the second group is larger) - P(it is smaller), over all pairs of subjects.",
            low=-1,
            high=1,
        ),
        Column("df", "number", "Degrees of freedom of the t test of the mixed model: between subjects.", minimum=0),
        Column("p_value", "number", "Two-sided p-value.", minimum=0, maximum=1),
        _P_FLOOR,
        Column(
            "q_value",
            "number",
            "Benjamini-Hochberg over the pairs of groups of this rate and method.",
            minimum=0,
            maximum=1,
        ),
        Column("permutations", "integer", "Arrangements of the labels looked at.", minimum=0),
        Column(
            "scheme",
            "choice",
            "Whether all arrangements were looked at or random ones; missing where nothing is permuted.",
            allowed=("exact", "monte_carlo"),
        ),
        Column("covariates", "text", "What the comparison is adjusted for, separated by commas."),
        Column("strata", "text", "Column within whose groups labels were permuted."),
        Column("days", "text", "Which days count, and why."),
        Column("note", "text", "Why a comparison is not testable, or what its numbers do not show."),
    ),
    key=("rate", "groups", "method"),
)

TRAJECTORIES = Table(
    "trajectories",
    "One row per rate, group and visit.",
    (
        Column("rate", "text", "Column of the rates table.", required=True, filled=True),
        Column("by", "text", "What makes the groups; missing where all subjects are one.", required=True),
        Column("group", "text", "Group of subjects; `all` where there are no groups.", required=True, filled=True),
        Column(
            "visit",
            "integer",
            "1 is the earliest; the visits are the same for all rates and groups.",
            required=True,
            minimum=1,
        ),
        Column("day_low", "integer", "First day of the visit, over all groups.", unit="days"),
        Column("day_median", "number", "Median day of its samples; of all samples where it has none.", unit="days"),
        Column("day_high", "integer", "Last day of the visit, over all groups.", unit="days"),
        Column("n_subjects", "integer", "Subjects of the group with a value at the visit.", minimum=0),
        Column("n_samples", "integer", "Their samples.", unit="samples", minimum=0),
        Column("n_donors", "integer", "Donors that they received from; missing without doses table.", minimum=0),
        Column(
            "n_left",
            "integer",
            "Subjects of the group without a sample at this or a later visit: they have left.",
            minimum=0,
        ),
        Column("mean", "number", "Mean over subjects."),
        Column("ci_low", "number", "Lower bound of the mean."),
        Column("ci_high", "number", "Upper bound of the mean."),
        Column("n_change", "integer", "Subjects with a value at the first visit and at this one.", minimum=0),
        Column("change", "number", "Mean over them of the value less that of the first visit; missing at the first."),
        Column("change_ci_low", "number", "Lower bound of the change (t)."),
        Column("change_ci_high", "number", "Upper bound of the change (t)."),
        Column("method", "text", "Interval of the mean: logit_t, t, percentile or bca."),
        Column("note", "text", "Why a number is missing, or what it does not show."),
    ),
    key=("rate", "group", "visit"),
)
