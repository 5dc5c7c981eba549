"""Toxicity by group: counts per grade, shares, exact tests, odds ratios, and the test that keeps donors together."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from microbiome.clinical.toxicity_donor import donor_row
from microbiome.clinical.toxicity_grades import Recipients, ToxicitySettings
from microbiome.clinical.toxicity_rows import Row, outcome_reason, tested, untestable
from microbiome.clinical.toxicity_tests import fisher_test
from microbiome.stats import TestResult, group_permutation, proportion_interval
from microbiome.subject_groups import ordered

__all__ = ["EVERYBODY", "factor_rows", "group_rows", "odds_ratio"]

#: Name of the group of all recipients.
EVERYBODY = "all"
_GRADES = range(6)
# A chi-squared test is an approximation that needs expected counts of at least this.
_LEAST_EXPECTED = 5


def group_rows(factor: str, group: str, recipients: Recipients, settings: ToxicitySettings) -> list[Row]:
    """Return counts per grade and the share of severe recipients of one group, each with its interval."""
    n = len(recipients.names)
    shared = {
        "factor": factor,
        "group": group,
        "unit": "recipient",
        "n": n,
        "n_donors": recipients.n_donors,
        "level": settings.level,
        "method": settings.interval,
        "note": None if n else "nobody",
    }
    counts = {grade: int((recipients.grades == grade).sum()) for grade in _GRADES}
    rows = [{"quantity": "grade_count", "grade": grade, "events": count} for grade, count in counts.items()]
    rows.append({"quantity": "severe", "grade": settings.threshold, "events": int(recipients.severe.sum())})
    for row in rows:
        found = proportion_interval(int(str(row["events"])), n, settings.interval, settings.level)
        row |= {**shared, "estimate": found.estimate, "ci_low": found.low, "ci_high": found.high}
    return rows


def odds_ratio(table: np.ndarray, level: float) -> Row:
    """Return the odds ratio of a 2 x 2 table (severe or not in columns, reference first) with its exact interval.

    The conditional maximum-likelihood estimate and the interval of the noncentral hypergeometric distribution; R
    ``fisher.test``. Where a count of 0 makes it 0 or infinite, one bound is left, and the note says so.
    """
    from scipy.stats.contingency import odds_ratio as conditional

    method = "conditional_exact"
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        word = "nobody is severe" if table[:, 1].sum() == 0 else "all are severe"
        word = "a group is empty" if (table.sum(axis=1) == 0).any() else word
        return {"method": method, **untestable(word)}
    # Severe of the group times not severe of the reference, over the other two.
    found = conditional(table)
    bounds = found.confidence_interval(level)
    test = fisher_test(table)
    numbers = {"estimate": float(found.statistic), "ci_low": float(bounds.low), "ci_high": float(bounds.high)}
    endless = [name for name, value in numbers.items() if math.isinf(value)]
    row = {name: None if math.isinf(value) else value for name, value in numbers.items()}
    notes = {"estimate": "the odds ratio is infinite", "ci_high": "no upper bound"}
    note = "; ".join(notes[name] for name in endless)
    return {**row, "level": level, "method": method, **tested(test), "note": note or None}


def factor_rows(
    factor: str,
    labels: pd.Series,
    recipients: Recipients,
    settings: ToxicitySettings,
    of_donor: Mapping[str, str] | None = None,
) -> list[Row]:
    """Return all rows of one factor.

    Parameters
    ----------
    factor
        Its name.
    labels
        Group of each recipient (index subject), missing where it has none.
    recipients, settings
        Whom it is about, and how.
    of_donor
        For a property of donors: the group of each donor of the recipients that have a label; the donor test then
        permutes it.
    """
    own = labels.reindex(recipients.names).to_numpy(dtype=object)
    there = np.array([label is not None and label == label for label in own], dtype=bool)
    part = recipients.part(there)
    groups = np.array([str(label) for label in own[there]], dtype=object)
    names = ordered(groups)
    without = [name for name, has in zip(recipients.names, there, strict=True) if not has]
    rows: list[Row] = []
    for name in names:
        rows += group_rows(factor, name, part.part(groups == name), settings)
    rows += _tests(factor, names, groups, part, settings)
    for name in names[1:]:
        pair = part.part(np.isin(groups, [names[0], name]))
        table = _table(groups, part.severe, [names[0], name])
        rows.append(
            {
                "factor": factor,
                "group": name,
                "reference": names[0],
                "quantity": "odds_ratio",
                "grade": settings.threshold,
                "unit": "recipient",
                "n": len(pair.names),
                "n_donors": pair.n_donors,
                "events": int(pair.severe.sum()),
                **odds_ratio(table, settings.level),
            }
        )
    for quantity, outcome in (("severe_test", part.severe), ("grade_test", _midranks(part.grades))):
        row = donor_row(factor, part, groups, outcome, settings, of_donor)
        row |= {"quantity": quantity, "grade": settings.threshold if quantity == "severe_test" else None}
        rows.append(row)
    if without:
        left = f"without a group and left out: {', '.join(without)}"
        for row in rows:
            if row["quantity"] in ("severe_test", "grade_test"):
                row["note"] = "; ".join(text for text in (row.get("note"), left) if text)
    return rows


def _table(groups: np.ndarray, outcome: np.ndarray, names: list[str]) -> np.ndarray:
    """Return counts: groups in rows, values of the outcome (not severe, severe; or grades) in columns."""
    columns = (0, 1) if outcome.max(initial=0) <= 1 else _GRADES
    return np.array([[int((outcome[groups == name] == value).sum()) for value in columns] for name in names])


def _midranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=float)


def _tests(
    factor: str, names: list[str], groups: np.ndarray, part: Recipients, settings: ToxicitySettings
) -> list[Row]:
    """Return the tests that take recipients as independent of each other."""
    shared: Row = {
        "factor": factor,
        "unit": "recipient",
        "n": len(part.names),
        "n_donors": part.n_donors,
        "events": int(part.severe.sum()),
    }
    severe: Row = {**shared, "quantity": "severe_test", "grade": settings.threshold}
    grade: Row = {**shared, "quantity": "grade_test"}
    exact = "fisher_exact" if len(names) <= 2 else "fisher_freeman_halton"
    ranks = "wilcoxon_permutation" if len(names) <= 2 else "kruskal_wallis_permutation"
    squares = ["chi2", *(["chi2_yates"] if len(names) == 2 else [])]
    one = f"one group ({names[0]})" if names else "no recipient has a group"
    reason = one if len(names) < 2 else ""
    why = reason or outcome_reason(part.severe)
    alike = reason or ("all grades are alike" if np.ptp(part.grades) == 0 else "")
    rows = []
    if why:
        rows += [{**severe, "method": method, **untestable(why)} for method in (exact, *squares)]
    else:
        table = _table(groups, part.severe, names)
        rows.append({**severe, "method": exact, **tested(fisher_test(table, settings.permutations, settings.seed))})
        rows += [{**severe, "method": method, **_chi2(table, method == "chi2_yates")} for method in squares]
    if alike:
        rows += [{**grade, "method": method, **untestable(alike)} for method in (ranks, "fisher_freeman_halton")]
        return rows
    rows.append({**grade, "method": ranks, **_rank_test(part.grades, names, groups, settings)})
    table = np.array([[int((part.grades[groups == name] == k).sum()) for k in _GRADES] for name in names])
    test = fisher_test(table, settings.permutations, settings.seed)
    return [*rows, {**grade, "method": "fisher_freeman_halton", **tested(test)}]


def _rank_test(grades: np.ndarray, names: list[str], groups: np.ndarray, settings: ToxicitySettings) -> Row:
    """Return the permutation test of the midranks of grades; of two groups counted by tables, hence mostly exact."""
    from microbiome.taxa.exchange import column_tests

    values = _midranks(grades)
    if len(names) > 2:
        return tested(group_permutation(values, groups.astype(str), None, settings.permutations, settings.seed))
    found = column_tests(values[:, np.newaxis], groups == names[1], settings.permutations, settings.seed).iloc[0]
    number = int(found["permutations"])
    return tested(TestResult(0.0, float(found["p_value"]), float(found["p_attainable"]), number, str(found["scheme"])))


def _chi2(table: np.ndarray, correct: bool) -> Row:
    """Return Pearson's chi-squared test, with or without Yates' correction; R ``chisq.test``."""
    from scipy.stats import chi2_contingency

    found = chi2_contingency(table, correction=correct)
    few = int((found.expected_freq < _LEAST_EXPECTED).sum())
    note = f"approximate: {few} of {table.size} expected counts are below {_LEAST_EXPECTED}" if few else None
    degrees = f"chi-squared {found.statistic:.4g}, {found.dof} degrees of freedom"
    numbers: Row = {"statistic": float(found.statistic), "df": int(found.dof), "p_value": float(found.pvalue)}
    return numbers | {"note": "; ".join(text for text in (degrees, note) if text)}
