"""Toxicity: worst grade by cohort, treatment, donor, donor cluster and donor taxa."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from microbiome.clinical.donor_clusters_profiles import donor_profiles
from microbiome.clinical.toxicity_grades import (
    Recipients,
    ToxicitySettings,
    chosen_among,
    recipients_of,
    said_of_among,
    table_problems,
    treatment_problems,
    worst_grades,
)
from microbiome.clinical.toxicity_groups import EVERYBODY, factor_rows, group_rows
from microbiome.clinical.toxicity_rows import joined, untestable
from microbiome.clinical.toxicity_tables import CLINICAL_TOXICITY
from microbiome.clinical.toxicity_taxa import taxon_rows
from microbiome.clinical.toxicity_tests import SEVERAL
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.subject_groups import group_labels, subject_columns
from microbiome.validation import as_table

__all__ = ["donor_roles", "settings_problems", "toxicity", "treatment_labels"]

logger = logging.getLogger(__name__)
_INTERVALS = ("clopper_pearson", "wilson")


def toxicity(
    subjects: pd.DataFrame,
    toxicities: pd.DataFrame | None = None,
    doses: pd.DataFrame | None = None,
    samples: pd.DataFrame | None = None,
    abundance: pd.DataFrame | None = None,
    by: Sequence[str] = (),
    clusters: pd.DataFrame | None = None,
    taxa: Sequence[str] = (),
    lineage: pd.DataFrame | None = None,
    treatments: pd.DataFrame | None = None,
    treatment_kind: str = "immunotherapy",
    settings: ToxicitySettings | None = None,
    among: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Tabulate and test the worst grade of immune-related adverse events.

    Parameters
    ----------
    subjects
        Subjects table; ``irae_grade`` where it is known there. Donors in it are left out.
    toxicities
        Events. Where both tables have a grade of a subject they must agree.
    doses
        Who received which donor; without it nothing is said of donors.
    samples, abundance
        Samples table, and sample x taxon: the composition of the donors.
    by
        Columns of the subjects table that make groups (cohort, arm, ...), or ``treatment``. With doses, ``donor`` and,
        with clusters or profiles, ``donor_cluster`` are added.
    clusters
        As :func:`microbiome.clinical.donor_clusters` returns them; without, they are made with its defaults and the
        seed of `settings` where there are profiles.
    taxa
        Names of taxa (species in an old or new name, SGBs) of which the sum is tested by name, besides every taxon.
    lineage
        Of the taxa, for names (:func:`microbiome.taxa.lineage.read_lineage`).
    treatments, treatment_kind
        Treatments table; ``treatment`` is the names of a subject's courses of this kind.
    settings
        Threshold of what is severe (grade >= 3), and the other parameters.
    among
        Only recipients with these values, by column: a cohort, where cohorts differ in risk and in their donors.

    Returns
    -------
    DataFrame
        :data:`microbiome.clinical.toxicity_tables.CLINICAL_TOXICITY`. For everybody and each group the recipients with
        each worst grade, and the severe ones, with an exact interval; for each factor Fisher's exact test
        (Fisher-Freeman-Halton of more than two groups), Pearson's chi-squared and Yates', a permutation test of the
        grades' ranks (Wilcoxon, Kruskal-Wallis), odds ratios, and **beside these tests of recipients one in which the
        donor is what is independent**; for every taxon of the donors the same two levels. What cannot be tested keeps
        its row, with the reason.

    Raises
    ------
    InputError
        With every problem: rows twice, unknown subjects or donors, grades outside 0..5, tables that disagree, nobody
        with a grade, unknown columns, options out of range.

    Notes
    -----
    Tests of recipients reject too often where recipients share donors and donors differ, whatever of the donors is
    tested. Measured at 0.05 with nothing true of a taxon in half of the donors, whose risks differ (beta(0.6, 0.6)):
    Fisher's test rejects in 0.30 of trials with 4 donors of 8 recipients each, 0.33 with 6 of 8, 0.23 with 8 of 5, 0.12
    with 12 of 3; the donor test in 0.00, 0.00, 0.02 and 0.03. With few donors it cannot reject at all: look at
    ``p_floor``.
    """
    chosen = settings or ToxicitySettings()
    problems = settings_problems(chosen) + table_problems(subjects, toxicities, doses, samples)
    if "treatment" in by and not any(problem.level == "error" for problem in problems):
        problems += treatment_problems(subjects, treatments, treatment_kind)
    if doses is None and (taxa or clusters is not None):
        problems.append(Problem("taxa and clusters of donors need the doses table", "give doses"))
    if taxa and (abundance is None or samples is None):
        problems.append(Problem("taxa of donors need profiles and the samples table", "give both"))
    if abundance is not None and samples is not None and not set(abundance.index) & set(samples["sample"]):
        some = ", ".join(map(repr, abundance.index[:5]))
        fix = "correct the names in the profiles or in the samples table"
        problems.append(Problem(f"no sample of the profiles is in the samples table ({some})", fix, "samples"))
    if any(problem.level == "error" for problem in problems):
        raise InputError(problems)
    if "irae_grade" not in subjects and toxicities is None:
        fix = "give toxicities, or a column irae_grade in the subjects table"
        raise InputError([*problems, Problem("nobody has a grade: there is neither irae_grade nor events", fix)])
    grades, source = worst_grades(subjects, toxicities, problems)
    wanted = chosen_among(subjects, among, problems)
    recipients, left = recipients_of(subjects, grades, doses, donor_roles(samples), chosen.threshold, wanted)
    if wanted and not recipients.names:
        problems.append(Problem("nobody has a grade", "fill in irae_grade, or give their events", "subjects"))
    if clusters is not None and not set(clusters["donor"]) & {name for own in recipients.donors or [] for name in own}:
        fix = "correct the names of the donors"
        problems.append(Problem("no donor of the clusters table gave to a recipient", fix, "clusters", column="donor"))
    labels = _labels(by, subjects, recipients, treatments, treatment_kind, problems)
    raise_problems(problems)
    for problem in problems:
        logger.warning("%s", problem)
    if "irae_grade" not in subjects and doses is None and samples is None:
        # Whoever has no event has grade 0: also a donor that nothing tells from a recipient.
        untold = "all subjects count: without samples or doses table donors are not told from recipients"
        logger.warning("%s", untold)
        left = "; ".join(text for text in (left, untold) if text)
    note = "; ".join(text for text in (source, left) if text)
    rows = [row | {"note": note} for row in group_rows(EVERYBODY, EVERYBODY, recipients, chosen)]
    for name, own in labels.items():
        drugs = name == "treatment" and "treatment" not in subjects
        how = f"{treatment_kind} of any day counts, also after the worst event" if drugs else None
        rows += _said_of_tests(factor_rows(name, own, recipients, chosen), how)
    if doses is not None:
        rows += _donor_rows(recipients, samples, abundance, clusters, taxa, lineage, chosen)
    for row in rows:
        row["note"] = joined(row.get("note"), said_of_among(among))
    return as_table(rows, CLINICAL_TOXICITY)


def _said_of_tests(rows: Sequence[dict[str, Any]], text: str | None) -> list[dict[str, Any]]:
    """Return the rows with a text added to the notes of the tests of all groups."""
    tests = ("severe_test", "grade_test")
    return [row | {"note": joined(row.get("note"), text)} if row["quantity"] in tests else row for row in rows]


def donor_roles(samples: pd.DataFrame | None) -> set[str]:
    """Return the subjects with role donor."""
    return set() if samples is None else set(samples.loc[samples["role"] == "donor", "subject"].dropna())


def settings_problems(settings: ToxicitySettings) -> list[Problem]:
    """Return what is wrong with the parameters."""
    checks = [
        ("threshold", settings.threshold in range(1, 6), "give a grade from 1 to 5"),
        ("several", settings.several in SEVERAL, f"use {' or '.join(SEVERAL)}"),
        ("interval", settings.interval in _INTERVALS, f"use {' or '.join(_INTERVALS)}"),
        ("permutations", settings.permutations >= 1, "give 1 or more"),
        ("level", 0 < settings.level < 1, "give a number between 0 and 1, such as 0.95"),
        ("detection", settings.detection >= 0, "give 0 or more"),
    ]
    return [
        Problem(
            f"{name} {getattr(settings, name)} is not possible", fix, column=name, value=str(getattr(settings, name))
        )
        for name, good, fix in checks
        if not good
    ]


def treatment_labels(treatments: pd.DataFrame, kind: str, names: Iterable[str]) -> pd.Series:
    """Return the drugs of one kind that each subject had, in sorted order joined by ``+``; None where it had none."""
    rows = treatments[(treatments["kind"] == kind).to_numpy()]
    drugs = rows["name"] if "name" in rows else rows["kind"]
    had: dict[str, set[str]] = {}
    for subject, drug in zip(rows["subject"], drugs, strict=True):
        had.setdefault(subject, set()).add(drug if isinstance(drug, str) else kind)
    return pd.Series({name: "+".join(sorted(had[name])) if name in had else None for name in names}, dtype=object)


def _labels(
    by: Sequence[str],
    subjects: pd.DataFrame,
    recipients: Recipients,
    treatments: pd.DataFrame | None,
    kind: str,
    problems: list[Problem],
) -> dict[str, pd.Series]:
    """Return the groups of each factor asked for (with doses, donors and clusters are looked at in any case)."""
    table = subject_columns(subjects)
    found = {}
    for name in dict.fromkeys(by):
        if name in ("donor", "donor_cluster") and recipients.donors is not None:
            continue
        if name == "treatment" and name not in subjects:
            if treatments is None:
                fix = "give treatments, or a column treatment"
                problems.append(Problem("groups by treatment need the treatments table", fix, column="by", value=name))
                continue
            found[name] = treatment_labels(treatments, kind, recipients.names)
            continue
        labels = group_labels(name, table, None, problems)
        found[name] = labels[~labels.index.duplicated()]
    return found


def _donor_rows(
    recipients: Recipients,
    samples: pd.DataFrame | None,
    abundance: pd.DataFrame | None,
    clusters: pd.DataFrame | None,
    taxa: Sequence[str],
    lineage: pd.DataFrame | None,
    settings: ToxicitySettings,
) -> list[dict[str, Any]]:
    """Return the rows of donors, of their clusters and of their taxa."""
    own = recipients.donors or []
    donors = pd.Series(
        {name: "+".join(one) or None for name, one in zip(recipients.names, own, strict=True)}, dtype=object
    )
    rows = factor_rows("donor", donors, recipients, settings)
    profiled = abundance is not None and samples is not None and bool(len(donor_profiles(abundance, samples)[0]))
    how = None
    if clusters is None and profiled:
        from microbiome.clinical.donor_clusters_analysis import donor_clusters

        clusters, choice = donor_clusters(abundance, samples, seed=settings.seed)
        how = f"clusters of {choice['n'].iloc[0]} donors by {choice['criterion'].iloc[0]}"
    if clusters is not None:
        known = clusters.dropna(subset=["cluster"])
        of_donor = dict(zip(known["donor"], known["cluster"], strict=True))
        labels = pd.Series(
            {
                name: "+".join(sorted({of_donor[donor] for donor in one}))
                if one and all(donor in of_donor for donor in one)
                else None
                for name, one in zip(recipients.names, own, strict=True)
            },
            dtype=object,
        )
        rows += _said_of_tests(factor_rows("donor_cluster", labels, recipients, settings, of_donor), how)
    if abundance is None or samples is None:
        return rows
    if not profiled:
        reason = untestable("no donor has a sample with a profile")
        row = {"quantity": "severe_test", "grade": settings.threshold, "unit": "donor", "method": "donor_permutation"}
        factors = [*([] if clusters is not None else ["donor_cluster"]), "taxon_presence", "taxon_abundance"]
        rows += [{"factor": factor, "n": len(recipients.names), **row, **reason} for factor in factors]
    mean, _, largest = donor_profiles(abundance, samples)
    if len(mean):
        rows += taxon_rows("", mean, largest, recipients, settings)
    if taxa:
        rows += _named_rows(taxa, abundance, samples, lineage, recipients, settings)
    return rows


def _named_rows(
    taxa: Sequence[str],
    abundance: pd.DataFrame,
    samples: pd.DataFrame,
    lineage: pd.DataFrame | None,
    recipients: Recipients,
    settings: ToxicitySettings,
) -> list[dict[str, Any]]:
    """Return the rows of taxa asked for by name: the sum of all that the name means."""
    from microbiome.donors.names import find_taxa

    found = find_taxa(taxa, list(abundance.columns), lineage)
    sums, notes = {}, {}
    for asked, rows in found.groupby("asked", sort=False):
        there = rows.dropna(subset=["taxon"])
        sums[str(asked)] = (
            abundance[there["taxon"].tolist()].sum(axis=1, min_count=0).where(abundance.notna().any(axis=1))
        )
        each = [f"{taxon} ({how})" for taxon, how in zip(there["taxon"], there["how"], strict=True)]
        notes[str(asked)] = f"{rows['name'].iloc[0]}: {', '.join(each) or 'no taxon of the profiles is called so'}"
    together = pd.DataFrame(sums, index=abundance.index)
    # A donor without any of them is no donor without profile, and a name that nobody has keeps its rows.
    mean, _, largest = donor_profiles(together, samples)
    mean, largest = (frame.reindex(columns=list(sums), fill_value=0.0) for frame in (mean, largest))
    return taxon_rows("named_", mean, largest, recipients, settings, notes)
