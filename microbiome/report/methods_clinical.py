"""The methods of clinical results, donors, associations and functions as paragraphs, from what the tables say."""

from __future__ import annotations

import pandas as pd

from microbiome.report.data import Tables

__all__ = ["clinical_methods"]

_INTERVALS = {
    "clopper_pearson": "exact (Clopper-Pearson [@clopper_pearson])",
    "wilson": "Wilson's score interval [@wilson]",
    "newcombe": "Newcombe's hybrid score interval [@newcombe] for differences",
    "conditional_exact": "the conditional exact interval for odds ratios",
}
_TESTS = {
    "fisher_exact": "Fisher's exact test [@fisher]",
    "chi2": "Pearson's chi-squared test without correction",
    "chi2_yates": "the same with Yates' correction",
}
_CRITERIA = {
    "recist_1_1": "by RECIST 1.1 [@recist], CR and PR unconfirmed",
    "recist_1_1_confirmed": "by RECIST 1.1 [@recist], CR and PR confirmed",
    "irecist": "by iRECIST [@irecist], unconfirmed",
    "irecist_confirmed": "by iRECIST [@irecist], confirmed",
    "best_response": "as the subjects table gives them",
}
_ASSOCIATIONS = {
    "spearman": "Spearman's rank correlation [@spearman] over subjects, p by permuting subjects",
    "partial_spearman": "partial rank correlation over subjects, p by permuting subjects",
    "permutation": "a permutation test of mean ranks between groups of subjects",
    "logistic": "penalised (Firth [@firth]) logistic regression of presence, p by permuting subjects",
    "least_squares": "least squares with one value per subject",
    "mixed_model": "a linear mixed model [@mixed_model] with a random intercept per subject",
    "rm_corr": "repeated-measures correlation [@rm_corr]",
    "share": "the share of a subject's visits with the feature, subjects permuted",
    "within_subject": "the slope within each subject, signs flipped by subject",
}


def clinical_methods(tables: Tables) -> list[str]:
    """Tell how response, survival, toxicity, donors, associations and functions were analysed."""
    return [*_response(tables), *_survival(tables), *_toxicity(tables), *_donors(tables), *_rest(tables)]


def _known(frame: pd.DataFrame | None, column: str, words: dict[str, str]) -> list[str]:
    if frame is None or column not in frame:
        return []
    seen = list(dict.fromkeys(frame[column].dropna().astype(str)))
    return [words[name] for name in seen if name in words]


def _response(tables: Tables) -> list[str]:
    frame = tables.clinical.get("response")
    if frame is None or frame.empty:
        return []
    criteria = _known(frame, "criteria", _CRITERIA)
    text = f"Response. Best overall responses {' and '.join(criteria)}." if criteria else "Response."
    intervals = _known(frame, "method", _INTERVALS)
    text += f" Intervals: {'; '.join(intervals)}." if intervals else ""
    tests = _known(frame, "method", _TESTS)
    text += f" Groups were compared by {', '.join(tests)}, each in a row of its own." if tests else ""
    if "all" in set(frame["denominator"].dropna()):
        text += " Subjects with response NE count as without response."
    return [text]


def _survival(tables: Tables) -> list[str]:
    frame, curves = tables.clinical.get("survival"), tables.clinical.get("curves")
    if (frame is None or frame.empty) and (curves is None or curves.empty):
        return []
    text = (
        "Survival. Kaplan-Meier estimates [@kaplan_meier] of the subjects' own days and events, with the interval that "
        "each row names."
    )
    if frame is not None:
        analyses = set(frame["analysis"])
        if "log_rank" in analyses:
            text += " Groups were compared by the log-rank test [@log_rank], by chi-squared and by permutation."
        if analyses & {"cox", "cox_joint"}:
            text += (
                " Hazard ratios: Cox regression [@cox] with likelihood-ratio tests; proportional hazards were tested "
                "by Schoenfeld residuals [@schoenfeld]."
            )
        if (frame["landmark"] > 0).any():
            text += (
                " Predictors that are known only after the first dose were analysed from a landmark day [@landmark], "
                "with those then at risk, so that nobody counts as immortal until sampled."
            )
    return [text]


def _toxicity(tables: Tables) -> list[str]:
    frame, curves = tables.clinical.get("toxicity"), tables.clinical.get("toxicity_curves")
    found = []
    if frame is not None and len(frame):
        text = "Toxicity. Each recipient counts by its worst CTCAE grade."
        if (frame["unit"] == "donor").any():
            text += (
                " Tests take recipients as independent, and beside that permute whole donors with all of their "
                "recipients; the smallest p-value that a design can give is told."
            )
        if frame["q_value"].notna().any():
            text += " q-values over the taxa of a factor [@bh]."
        found.append(text)
    if curves is not None and (curves["method"] == "aalen_johansen").any():
        found.append(
            "Time to the first severe event: cumulative incidence (Aalen-Johansen), death as a competing event."
        )
    clusters = tables.clinical.get("donor_clusters")
    if clusters is not None and clusters["method"].notna().any():
        choice = tables.clinical.get("donor_cluster_choice")
        reason = "" if choice is None else " The number of clusters was chosen by its silhouette [@silhouette] or the "
        reason += "" if choice is None else "gap statistic [@gap], as the table says."
        found.append(f"Donors were grouped by composition ({clusters['method'].dropna().iloc[0]}).{reason}")
    return found


def _donors(tables: Tables) -> list[str]:
    found = []
    frame = tables.clinical.get("donor_table")
    if frame is not None and len(frame):
        found.append(
            "Donors. The rates of a donor's recipients were drawn towards the mean of all donors by empirical Bayes "
            "(beta-binomial for shares, a random intercept for means): the fewer its recipients, the more."
        )
    if "donor_match" in tables.clinical:
        found.append(
            "Presence after FMT was foretold for donors, cohorts or subjects that the model had not seen, and compared "
            "with simple rules on the same subjects [@ianiro]."
        )
    return found


def _rest(tables: Tables) -> list[str]:
    found = []
    if tables.associations:
        methods = list(
            dict.fromkeys(name for frame in tables.associations.values() for name in frame["method"].dropna())
        )
        words = [_ASSOCIATIONS[name] for name in methods if name in _ASSOCIATIONS]
        found.append(
            f"Associations: {'; '.join(words)}. q-values within each family [@bh]; p-values of permutations count the "
            "observed arrangement [@permutation_p]. Detectable is the smallest effect that would be found with a power "
            "of 80 % at this n."
        )
    if tables.functions.reads is not None:
        versions = [str(v) for v in tables.functions.reads["humann"].dropna().unique()]
        version = f" {', '.join(versions)}" if versions else ""
        found.append(f"Functions were found with HUMAnN{version} [@humann], and summed to what the sections name.")
    elif tables.functions.kinds:
        found.append("Functions: finished tables were given.")
    return found
