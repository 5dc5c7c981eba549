"""Change of each taxon from baseline to after: whether it is there, and how much of it there is where it is at both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.errors import InputError, Problem
from microbiome.stats import benjamini_hochberg
from microbiome.study import Study
from microbiome.taxa.columns import column_means, column_signs
from microbiome.taxa.exchange import check_permutations, column_tests
from microbiome.taxa.frames import as_declared
from microbiome.taxa.groups import EVERYBODY, cautions, donor_matrix, groups_of, members_of
from microbiome.taxa.lineage import with_lineage
from microbiome.taxa.tables import CHANGES
from microbiome.triads import Triads, checked_detection, triads
from microbiome.visits import Analysis, analysis_samples

__all__ = ["changes", "remarks_of_changes"]

_TEST = ("p_value", "p_floor", "permutations", "scheme")


def changes(
    abundance: pd.DataFrame,
    study: Study,
    by: str | None = None,
    lineage: pd.DataFrame | None = None,
    detection: float = 0.0,
    window: Sequence[int] | None = None,
    permutations: int = 9999,
    seed: int = 0,
) -> tuple[pd.DataFrame, list[str]]:
    r"""Return how each taxon changed from baseline to after FMT, with presence and abundance apart.

    * **Presence**: subjects who gained the taxon against those who lost it, at the last visit that counts, so that each
      subject is one pair. The exact two-sided McNemar test: of the g + l subjects in whom it changed, g is binomial
      with probability 1/2.
    * **Abundance**: :math:`\log_2(a_{post} / a_{baseline})` in the samples that count of the subjects with the taxon at
      baseline and in the sample; the mean over visits within each subject, then over subjects, with a t interval, and
      tested by flipping signs.
    * **Groups**: both parts for everybody (``all``) and for each group; for each group but the reference also the
      difference of the means of log ratios from the reference, with Welch's interval and a permutation test of labels.

    ``q_value`` is Benjamini-Hochberg over the taxa that are testable (for some arrangement p < 1), by part and group.

    Parameters
    ----------
    abundance
        **sample x taxon**, any feature table.
    study
        Samples, subjects (for `by`) and doses (to count donors).
    by
        Column of the subjects table that makes groups.
    lineage
        :func:`microbiome.taxa.lineage.read_lineage`; gives species, genus, family.
    detection
        A taxon is there where its abundance is above this.
    window
        First and last day that count, instead of the visits that all have.
    permutations, seed
        Of the tests.

    Returns
    -------
    table
        :data:`microbiome.taxa.tables.CHANGES`: by group, every taxon of `abundance` in alphabetical order.
    comments
        Which samples count, and what the numbers do not show.

    Raises
    ------
    InputError
        As :func:`microbiome.triads.triads`; when no post sample has a baseline, `by` is no column or `detection` is out
        of range.

    Notes
    -----
    Abundances that sum to 1 are compositional: what grows makes everything else shrink, so that a log ratio is a change
    against the rest of the sample. The abundance part is of those who kept the taxon: a trace that fell below
    detection counts under presence only.
    """
    check_permutations(permutations)
    checked_detection(abundance, detection)
    aligned = triads(abundance, study)
    usable = aligned.posts["baseline_sample"].notna()
    if not usable.any():
        raise InputError(Problem("no post sample has a profiled baseline", "compare profile and samples table"))
    analysis = analysis_samples(aligned.posts[usable], window)
    names = sorted(analysis.samples["subject"].unique())
    columns = np.argsort(aligned.taxa.to_numpy(dtype=str), kind="stable")
    taxa = aligned.taxa.to_numpy(dtype=object)[columns]
    doses = study.doses if len(study.doses) else None
    donors = donor_matrix(doses, names)
    counts = analysis.samples.groupby("subject").size().loc[names].to_numpy()
    had, has = _presence(aligned, analysis, names, columns, detection)
    ratios, both = _log_ratios(aligned, analysis, names, columns, detection)
    label = groups_of(study.subjects, by, names, doses)
    members = members_of(label)
    reference = next((name for name in members if name != EVERYBODY), None)
    blocks = []
    for group, mask in members.items():
        block = pd.DataFrame({"taxon": taxa, "by": by, "group": group})
        block["n_subjects"], block["n_samples"] = int(mask.sum()), int(counts[mask].sum())
        block["n_donors"] = pd.NA if donors is None else int(donors[mask].any(axis=0).sum())
        block = block.join(_presence_test(had[mask], has[mask]))
        block = block.join(_change_test(ratios[mask], both[mask], permutations, seed))
        if group not in (EVERYBODY, reference) and reference is not None:
            compared = _effect_test(ratios[members[reference]], ratios[mask], (reference, group), permutations, seed)
            block = block.assign(reference=reference).join(compared)
        blocks.append(block)
    found = as_declared(with_lineage(pd.concat(blocks, ignore_index=True), lineage), CHANGES)
    comments = [f"samples: {analysis.note}", *cautions(label, by, doses), *remarks_of_changes(abundance)]
    if by is not None and len(members) < 3:
        comments.append(f"not testable: fewer than two groups of {by}")
        found["effect_note"] = comments[-1]
    return found, comments


def remarks_of_changes(abundance: pd.DataFrame) -> list[str]:
    """Say what changes of these abundances do not show."""
    sums = abundance.sum(axis=1)
    found = ["presence and log2 change follow the depth of the samples where baseline and post differ in it"]
    if np.allclose(sums[sums > 0], 1):
        found.append("abundances sum to 1 (compositional): a log2 change is relative to the rest of the sample")
    return found


def _presence(
    aligned: Triads, analysis: Analysis, names: list[str], columns: np.ndarray, detection: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return presence at baseline and at the last sample that counts, **subject x taxon**."""
    last = analysis.samples.sort_values(["subject", "day", "sample"], kind="stable").drop_duplicates(
        "subject", keep="last"
    )
    rows = pd.Index(aligned.posts["sample"]).get_indexer(last.set_index("subject").loc[names, "sample"])
    return aligned.baseline[rows][:, columns] > detection, aligned.post[rows][:, columns] > detection


def _presence_test(had: np.ndarray, has: np.ndarray) -> pd.DataFrame:
    """Return the columns of the presence part."""
    lost, gained = (had & ~has).sum(axis=0), (has & ~had).sum(axis=0)
    changed = lost + gained
    p = np.minimum(1, 2 * stats.binom.cdf(np.minimum(lost, gained), changed, 0.5))
    # Of one subject the test has p = 1 whatever happens.
    testable = changed > 1
    frame = pd.DataFrame({"n_had": had.sum(axis=0), "n_has": has.sum(axis=0), "n_lost": lost, "n_gained": gained})
    frame["presence_p_value"] = np.where(testable, p, np.nan)
    frame["presence_p_floor"] = np.where(testable, 2.0 ** (1 - np.maximum(changed, 1)), np.nan)
    frame["presence_q_value"] = benjamini_hochberg(frame["presence_p_value"])
    texts = ["not testable: it came or went in nobody", "not testable: it came or went in one subject", None]
    frame["presence_note"] = np.array(texts, dtype=object)[np.minimum(changed, 2)]
    return frame


def _change_test(ratios: np.ndarray, both: np.ndarray, permutations: int, seed: int) -> pd.DataFrame:
    """Return the columns of the abundance part."""
    mean = column_means(ratios, "t")
    # Values that do not differ give a t interval of no width, which of so few subjects says nothing.
    bounds = mean[["low", "high"]].where(mean["low"] < mean["high"])
    frame = pd.DataFrame({"n_both": mean["n"], "n_both_samples": both.sum(axis=0), "log2_change": mean["mean"]})
    frame["log2_change_ci_low"], frame["log2_change_ci_high"] = bounds["low"], bounds["high"]
    note = np.full(len(frame), None, dtype=object)
    note[(np.nan_to_num(ratios) == 0).all(axis=0)] = "not testable: nothing changed"
    note[mean["n"] == 1] = "not testable: one subject has it at baseline and after"
    note[mean["n"] == 0] = "not testable: no subject has it at baseline and after"
    test = column_signs(ratios, permutations, seed)
    for name in _TEST:
        frame[f"log2_change_{name}"] = test[name].where(pd.isna(note))
    frame["log2_change_q_value"] = benjamini_hochberg(frame["log2_change_p_value"])
    return frame.assign(log2_change_note=note)


def _log_ratios(
    aligned: Triads, analysis: Analysis, names: list[str], columns: np.ndarray, detection: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean log2 ratios, **subject x taxon**, NaN where it is not at both, and in how many samples it is."""
    counted = analysis.samples
    rows = pd.Index(aligned.posts["sample"]).get_indexer(counted["sample"])
    before, after = aligned.baseline[rows][:, columns], aligned.post[rows][:, columns]
    both = (before > detection) & (after > detection)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(both, np.log2(after) - np.log2(before), np.nan)
    result = np.full((len(names), len(columns)), np.nan)
    number = np.zeros(result.shape, dtype=np.int64)
    for place, name in enumerate(names):
        own = (counted["subject"] == name).to_numpy()
        by_visit = [
            _mean_there(ratio[own & (counted["visit"] == visit).to_numpy()])
            for visit in sorted(counted.loc[own, "visit"].unique())
        ]
        result[place] = _mean_there(np.array(by_visit))
        number[place] = both[own].sum(axis=0)
    return result, number


def _mean_there(values: np.ndarray) -> np.ndarray:
    """Return the mean of each column over what is not NaN; NaN of nothing."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis=0) / there.sum(axis=0)


def _effect_test(
    first: np.ndarray, second: np.ndarray, names: tuple[str, str], permutations: int, seed: int
) -> pd.DataFrame:
    """Return the columns of the difference between two groups."""
    n1, n2 = ((~np.isnan(values)).sum(axis=0) for values in (first, second))
    effect = _mean_there(second) - _mean_there(first)
    half = _welch(first, second)
    frame = pd.DataFrame({"effect": effect, "effect_ci_low": effect - half, "effect_ci_high": effect + half})
    test = column_tests(
        np.concatenate([first, second]), np.repeat([False, True], [len(first), len(second)]), permutations, seed
    )
    note = np.full(len(frame), None, dtype=object)
    for i in np.flatnonzero(test["p_attainable"] >= 1):
        note[i] = f"not testable: with {n1[i]} and {n2[i]} subjects no arrangement has p < 1"
    for n, name in ((n2, names[1]), (n1, names[0])):
        note[n == 0] = f"not testable: nobody of {name} has it at baseline and after"
    for name in _TEST:
        frame[f"effect_{name}"] = test[name].where(pd.isna(note))
    frame["effect_q_value"] = benjamini_hochberg(frame["effect_p_value"])
    return frame.assign(effect_note=note)


def _welch(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Return half the width of Welch's interval for each column; NaN where there is none.

    As :func:`microbiome.stats.difference_interval`.
    """
    parts = []
    for values in (first, second):
        n = (~np.isnan(values)).sum(axis=0)
        mean = _mean_there(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.nansum((values - mean) ** 2, axis=0) / (n - 1) / n
        parts.append((n, np.where(n > 1, variance, np.nan)))
    (n1, v1), (n2, v2) = parts
    with np.errstate(invalid="ignore", divide="ignore"):
        share = v1 / (v1 + v2)
        freedom = 1 / (share**2 / (n1 - 1) + (1 - share) ** 2 / (n2 - 1))
        return np.asarray(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(v1 + v2))
