"""Columns of the table of associations, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["ASSOCIATIONS", "AT", "EFFECTS", "METHODS", "PARTS", "SCHEMES"]

#: Which samples of a subject count.
AT = ("baseline", "post", "change", "all")
#: How a pair is tested.
METHODS = (
    "spearman",
    "partial_spearman",
    "permutation",
    "logistic",
    "least_squares",
    "mixed_model",
    "rm_corr",
    "share",
    "within_subject",
)
#: What of a feature is tested: its value, whether it is there, or how much of it there is where it is there.
PARTS = ("value", "presence", "abundance")
#: How a p-value comes about.
SCHEMES = ("exact", "monte_carlo", "t", "likelihood_ratio")
#: What `effect` is.
EFFECTS = {
    "rho": "Spearman's rank correlation",
    "partial_rho": "correlation of ranks with the covariates held constant",
    "cliffs_delta": "P(value of `group` is larger) - P(it is smaller), over all pairs of subjects",
    "log_odds_ratio": "natural logarithm of the odds ratio of presence, `group` against `reference`, per unit of a "
    "number, or per standard deviation of another feature",
    "difference": "mean of `group` less that of `reference`, of the transformed values (of log2 for `abundance`)",
    "slope": "change of the transformed value (log2 for `abundance`) per unit of a number (such as a day) or per "
    "standard deviation of another feature; with `within_subject` change of the share present",
    "r_rm": "repeated-measures correlation: common within-subject correlation",
}

ASSOCIATIONS = Table(
    "associations",
    "One row per pair that was to be tested, part and method: none is dropped.",
    (
        Column("table_1", "text", "Table of the feature.", required=True, filled=True),
        Column("feature_1", "text", "Feature.", required=True, filled=True),
        Column(
            "table_2",
            "text",
            "Table of what it is tested against; `subjects` for columns of that table, donors and days.",
            required=True,
            filled=True,
        ),
        Column("feature_2", "text", "Feature or covariate that it is tested against.", required=True, filled=True),
        Column(
            "at",
            "choice",
            "Samples that count: the last with day <= 0 (`baseline`), the mean of a subject's later ones (`post`), the "
            "one less the other (`change`), or all as repeated measures (`all`).",
            required=True,
            filled=True,
            allowed=AT,
        ),
        Column(
            "method",
            "choice",
            "`spearman` and `partial_spearman`: ranks of subjects, subjects permuted. `permutation`: groups of "
            "subjects by mean rank, labels permuted. `logistic`: presence, by penalised (Firth) logistic regression, "
            "subjects permuted (with covariates: likelihood ratio). `least_squares`: one value per subject, t. "
            "`mixed_model`: all samples, subject a random intercept. `rm_corr`: repeated-measures correlation. "
            "`share`: share of a subject's visits, subjects permuted. `within_subject`: slope within each subject, "
            "signs flipped by subject.",
            required=True,
            filled=True,
            allowed=METHODS,
        ),
        Column(
            "part",
            "choice",
            "`value` as measured, `presence` (above 0 or above the limit of detection), or `abundance`: log2 of the "
            "values above it, the others apart.",
            required=True,
            filled=True,
            allowed=PARTS,
        ),
        Column("group", "text", "Group that is compared; missing where `feature_2` is a number."),
        Column("reference", "text", "Group that it is compared with."),
        Column("n", "integer", "Values in the test: subjects, or samples of repeated measures.", minimum=0),
        Column("n_subjects", "integer", "Subjects in the test.", unit="subjects", minimum=0),
        Column("n_samples", "integer", "Samples in the test.", unit="samples", minimum=0),
        Column("effect", "number", "The effect named in `effect_name`."),
        Column("effect_name", "choice", "What `effect` is.", allowed=tuple(EFFECTS)),
        Column("ci_low", "number", "Lower bound of `effect`."),
        Column("ci_high", "number", "Upper bound of `effect`."),
        Column("interval", "text", "How the interval was made."),
        Column("level", "number", "Its confidence level.", minimum=0, maximum=1),
        Column(
            "statistic",
            "number",
            "t; of `logistic` twice the logarithm of the penalised likelihood ratio; else missing.",
        ),
        Column("df", "number", "Degrees of freedom of the statistic.", minimum=0),
        Column("p_value", "number", "Two-sided p-value.", minimum=0, maximum=1),
        Column(
            "p_floor",
            "number",
            "Smallest p-value that any values of these subjects could have given (`logistic`: any presence in as "
            "many of them); missing where p does not come from permutations.",
            minimum=0,
            maximum=1,
        ),
        Column("permutations", "integer", "Arrangements looked at.", minimum=0),
        Column(
            "scheme",
            "choice",
            "Whether these were all, or random ones; or p comes from t or from the likelihood ratio.",
            allowed=SCHEMES,
        ),
        Column("q_value", "number", "Benjamini-Hochberg within `family`.", minimum=0, maximum=1),
        Column("family", "text", "What was corrected together."),
        Column("family_size", "integer", "Tests in the family.", minimum=0),
        Column(
            "detectable",
            "number",
            "Smallest absolute effect that would have been found with probability 0.8 at p < 0.05 with this n; missing "
            "where even the largest effect would not.",
            minimum=0,
        ),
        Column(
            "detectable_family",
            "number",
            "The same at 0.05 / `family_size`, the level at which Benjamini-Hochberg finds a single true association.",
            minimum=0,
        ),
        Column("covariates", "text", "What is held constant, separated by commas."),
        Column("strata", "text", "Column within whose groups subjects were permuted."),
        Column("note", "text", "Why a pair could not be tested, or what its numbers do not show."),
    ),
    key=("table_1", "feature_1", "table_2", "feature_2", "at", "method", "part", "group"),
)
