"""The methods of limits, tests and intervals as paragraphs, from what the tables say was done."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from microbiome.report.blocks import number
from microbiome.report.data import Tables
from microbiome.report.groups import column_title

__all__ = ["abundance_methods", "chance_methods", "comparison_methods", "limit_methods", "taxa_methods"]

_SOURCES = {
    "reads_per_clade": "the fewest reads with which a taxon is reported",
    "reads": "the reads of the samples",
    "lowest_abundance": "the lowest abundance of each sample",
}
_NULLS = {
    "placebo_arm": "the subjects without doses, whose donor set is every schedule of the treated in turn where a rate "
    "needs a donor",
    "before_repeats": "repeated samples of the recipients before FMT",
    "donor_repeats": "repeated samples of donors",
}


def limit_methods(tables: Tables) -> list[str]:
    """Tell how limits of detection were found, and what makes an outcome unsure."""
    frame = tables.limits
    if frame is None or frame.empty:
        return []
    used = [_SOURCES[name] for name in frame["source"].dropna().unique()] if "source" in frame else []
    text = (
        "Limits of detection. A taxon of abundance a is taken to be seen in a sample with probability 1 - exp(-a / "
        "unit); the limit is the abundance seen with probability 0.95 [@lod]."
    )
    text += f" The unit comes from {' or '.join(used)}." if used else ""
    fitted = [line for line in tables.comments.get(("limits", ""), ()) if line.startswith("a piece of evidence")]
    text += "".join(f" In this study {line}." for line in fitted)
    if tables.rates is not None and "below_limit" in tables.rates:
        text += (
            " An outcome is unsure where a taxon that counts as absent would have been missed with a probability above "
            "5 %; the bounds of a rate are its values if all unsure calls fell either way."
        )
    return [text]


def chance_methods(tables: Tables) -> list[str]:
    """Tell what engraftment and depletion were compared with."""
    frame = tables.nulls
    if frame is None or frame.empty:
        return []
    tested = frame[(frame["level"] == "overall") & frame["p_value"].notna()]
    nulls = set(tested["null"])
    parts = []
    if "donor_permutation" in nulls:
        rows = tested[tested["null"] == "donor_permutation"]
        parts.append(
            "Engraftment was compared with what donors re-assigned between recipients would give: whole dose schedules "
            f"changed places, samples were averaged within recipients first ({_named_methods(rows)}; "
            f"{_arrangements(rows)})"
        )
    if "baseline_permutation" in nulls:
        rows = tested[tested["null"] == "baseline_permutation"]
        parts.append(
            "baseline recovery was compared with the baselines of other recipients "
            f"({_named_methods(rows)}; {_arrangements(rows)})"
        )
    for null, words in _NULLS.items():
        rows = tested[tested["null"] == null]
        if len(rows):
            rates = _and([str(name).replace("_", " ") for name in dict.fromkeys(rows["quantity"])])
            parts.append(f"{rates} were compared with {words} ({_named_methods(rows)}; {_arrangements(rows)})")
    if not parts:
        return ["Against chance. Nothing could be tested; the section says why."]
    text = "Against chance. " + ". ".join(part[:1].upper() + part[1:] for part in parts)
    text += ". Excess is observed less expected. The smallest p is what no data of the same design could go below."
    if (frame["level"] == "taxon").any() and frame["q_value"].notna().any():
        text += " q-values of taxa are those of Benjamini and Hochberg [@bh] over the testable ones."
    return [text]


def comparison_methods(tables: Tables) -> list[str]:
    """Tell how groups were compared, and over which choices."""
    frames = [frame for frame in tables.compare.values() if len(frame)]
    paragraphs = []
    if frames:
        whole = pd.concat(frames, ignore_index=True)
        paragraphs.append(_compared(whole, [column_title(by) for by, frame in tables.compare.items() if len(frame)]))
    intervals = {str(name) for frame in tables.trajectories.values() for name in frame["method"].dropna().unique()}
    if intervals:
        paragraphs.append(
            f"Rates over time. Means over subjects at each visit, with 95 % intervals ({_and(_intervals(intervals))})."
        )
    grids = [frame for frame in tables.sensitivity.values() if len(frame)]
    if grids:
        whole = pd.concat(grids, ignore_index=True)
        above = [f"{value:.3g}" for value in sorted(whole["detection"].dropna().unique())]
        depths = sorted(whole["depth_fraction"].dropna().unique(), reverse=True)
        text = f"Sensitivity. Outcomes, rates and comparisons were repeated with detection thresholds of {_and(above)}"
        if depths:
            text += (
                ", on the profiles as sequenced and with the evidence of every sample thinned to "
                f"{_and([f'{value:g}' for value in depths])} times that of the shallowest"
            )
        paragraphs.append(text + ".")
    return paragraphs


def _compared(whole: pd.DataFrame, columns: list[str]) -> str:
    methods = set(whole.loc[whole["effect"].notna(), "method"])
    text = f"Comparisons by {_and(columns)}."
    if "subject_permutation" in methods:
        rows = whole[whole["method"] == "subject_permutation"]
        text += (
            " Per subject: the mean over the time points that count; labels permuted between subjects "
            f"({_arrangements(rows)}); difference of means with Welch's interval [@welch] (by least squares where "
            "adjusted), means with Student's t on the logit, the Hodges-Lehmann shift [@hodges_lehmann] and Cliff's "
            "delta [@cliff]."
        )
        adjusted = _words(rows, "covariates")
        text += f" Adjusted for {_and(adjusted)}." if adjusted else ""
        strata = _words(rows, "strata")
        text += f" Labels were permuted within {_and(strata)}." if strata else ""
    if "mixed_model" in methods:
        terms = _words(whole[whole["method"] == "mixed_model"], "covariates")
        text += (
            " Mixed model [@mixed_model]: logit of the rate of every sample, random intercept of subject, t test "
            "with the degrees of freedom of the subjects; where it could not be fitted the note says what took its "
            "place."
        )
        text += f" Its other terms: {'; '.join(terms)}." if terms else ""
    if "pooled_wilcoxon" in methods:
        text += (
            " Samples pooled: Wilcoxon's rank-sum test [@wilcoxon] of all samples as if independent; "
            "anti-conservative, and shown for comparison with published figures only."
        )
    if whole["q_value"].notna().any() and len(set(whole["groups"])) > len(columns):
        text += " q-values over the pairs of groups: Benjamini and Hochberg [@bh]."
    return text


def taxa_methods(tables: Tables) -> list[str]:
    """Tell how single taxa were counted and tested."""
    paragraphs = []
    frames = [frame for frame in tables.taxa.values() if len(frame)]
    if frames:
        whole = pd.concat(frames, ignore_index=True)
        text = (
            "Taxa. Each subject counts once per taxon, by the share of its samples that count in which the taxon was "
            f"lost, engrafted or arrived; intervals over subjects: {_and(_intervals(_words(whole, 'method')))}."
        )
        tested = whole[whole["p_value"].notna()]
        if len(tested):
            text += (
                f" Groups were compared among the subjects at risk, labels permuted ({_arrangements(tested)}); "
                "q-values of Benjamini and Hochberg [@bh] over the testable taxa of a quantity."
            )
        paragraphs.append(text)
    curves = [frame for frame in tables.retention.values() if len(frame)]
    if curves:
        used = _words(pd.concat(curves, ignore_index=True), "method")
        text = f"Retention. Share of the baseline present at each visit, with 95 % intervals: {_and(_intervals(used))}."
        paragraphs.append(text)
    shifts = [frame for frame in tables.changes.values() if len(frame)]
    if shifts:
        paragraphs.append(
            "Changes. Presence: subjects who gained a taxon against those who lost it, exact McNemar test [@mcnemar]. "
            "Abundance: log2 of after over before in the subjects who have the taxon at both times, signs flipped. "
            "q-values of Benjamini and Hochberg [@bh]. Abundances of a sample sum to 1: a taxon changes against the "
            "rest."
        )
    return paragraphs


def abundance_methods(tables: Tables) -> list[str]:
    """Tell what the shares of the abundance are of."""
    if tables.decomposition is None or tables.decomposition.empty:
        return []
    return [
        "Shares of the abundance. The abundance of the taxa detected in a post sample is divided by outcome "
        "(engrafted, shared, persisted, gained; sum 1), that of the baseline into kept and lost, that of the donor "
        "set into taken up and not."
    ]


def _arrangements(frame: pd.DataFrame) -> str:
    """Say how arrangements were looked at: all, or how many random ones."""
    known = frame.dropna(subset=["scheme", "permutations"])
    parts = []
    for scheme, rows in known.groupby("scheme"):
        low, high = int(rows["permutations"].min()), int(rows["permutations"].max())
        count = number(low) if low == high else f"{number(low)} to {number(high)}"
        if scheme == "exact":
            parts.append(f"all {count} arrangements")
        else:
            parts.append(f"{count} random arrangements, p = (b + 1) / (m + 1) [@permutation_p]")
    return _and(parts) if parts else "not testable"


def _named_methods(frame: pd.DataFrame) -> str:
    """Put the methods of a null into words: the test, then its interval."""
    words = {
        "schedule_permutation": "permutation of schedules",
        "baseline_permutation": "permutation of baselines",
        "group_permutation": "permutation of subjects",
        "sign_flip": "signs flipped",
        "inverted or t": "interval: the wider of the inverted test and Student's t",
        "welch": "interval: Welch [@welch]",
        "t": "interval: Student's t",
    }
    parts = [part for text in _words(frame, "method") for part in text.split(", ")]
    return _and([words.get(part, part) for part in dict.fromkeys(parts)]) or "as the table says"


def _words(frame: pd.DataFrame, column: str) -> list[str]:
    if column not in frame:
        return []
    return [str(value) for value in frame[column].dropna().unique()]


def _intervals(names: Iterable[str]) -> list[str]:
    """Put names of intervals into words."""
    words = {
        "logit_t": "Student's t on the logit of the mean",
        "t": "Student's t",
        "clopper_pearson": "Clopper-Pearson [@clopper_pearson]",
        "bca": "bootstrap, BCa",
        "percentile": "bootstrap, percentile",
    }
    return [words.get(name, name) for name in sorted(names)]


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
