"""Rates between groups of subjects: one value per subject, a mixed model, and what published figures do."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from microbiome.among import among_subjects, mixed_doses, nobody_among
from microbiome.compare.checks import option_problems, order_problems, rate_names, table_problems
from microbiome.compare.material import (
    Pair,
    Row,
    Settings,
    covariate_columns,
    empty_donor_set,
    joined,
    needs_donor,
    rate_values,
)
from microbiome.compare.mixed import mixed_row
from microbiome.compare.pooled import pooled_row
from microbiome.compare.subject import overall_row, subject_row
from microbiome.compare.tables import COMPARE, COMPARE_METHODS
from microbiome.errors import Problem, raise_problems
from microbiome.repair import depth_sentences
from microbiome.stats import benjamini_hochberg
from microbiome.strains.rate_tables import STRAIN_RATES
from microbiome.subject_groups import (
    confounding,
    donor_sets,
    few_donors,
    group_labels,
    left_out,
    ordered,
    subject_columns,
)
from microbiome.validation import as_table
from microbiome.visits import empty_window, subject_means

__all__ = ["compare"]

logger = logging.getLogger(__name__)

_OVERALL = "subject_permutation"
_ROWS = {"subject_permutation": subject_row, "mixed_model": mixed_row, "pooled_wilcoxon": pooled_row}


def compare(
    rates: pd.DataFrame,
    subjects: pd.DataFrame,
    by: str,
    rate: Sequence[str] = (),
    doses: pd.DataFrame | None = None,
    samples: pd.DataFrame | None = None,
    window: Sequence[int] | None = None,
    covariates: Sequence[str] = (),
    strata: str | None = None,
    group_order: Sequence[str] = (),
    permutations: int = 9999,
    interval: str = "logit_t",
    level: float = 0.95,
    seed: int = 0,
    methods: Sequence[str] = COMPARE_METHODS,
    among: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare rates between groups of subjects.

    Three analyses of every pair of groups, the first of them primary:

    1. ``subject_permutation`` (:func:`microbiome.compare.subject.subject_row`): the mean of each subject over the
       visits that all have, or a window of days; labels are permuted between subjects.
    2. ``mixed_model`` (:func:`microbiome.compare.mixed.mixed_row`): all samples, subjects (and donors) being what
       repeats; adjusted for baseline richness, depth and lag.
    3. ``pooled_wilcoxon`` (:func:`microbiome.compare.pooled.pooled_row`): all samples as if independent, which rejects
       28-30 % of null trials; what published figures show.

    Parameters
    ----------
    rates
        One row per post sample: ``subject``, ``sample``, ``day``, and numbers. Of :func:`microbiome.rates.rates` the
        counts, limits and ``baseline_*`` are used where they are there.
    subjects
        Subjects table.
    by
        Its column that makes the groups (``responder`` is derived from ``best_response``), or ``donor``: the donors
        that a subject received from. Subjects without a value are left out, and named in the log.
    rate
        Columns of `rates` to compare; all rates that it has when empty.
    doses
        Doses table; needed for donors.
    samples
        Samples table; needed for covariates that are columns of it.
    window
        First and last day that count.
    covariates
        Columns of `subjects` (or `samples`) that are held constant: numbers as they are, words as groups.
    strata
        Column of `subjects` within which labels are permuted.
    group_order
        Groups in order; by default no, placebo and control first, then by the alphabet.
    permutations
        Arrangements of labels; with no more than one more than that all are looked at.
    interval
        Of the means of the groups (:data:`microbiome.compare.checks.INTERVALS`); what is no fraction gets ``t`` for
        ``logit_t``.
    level
        Confidence level of every interval.
    seed
        Of permutations and bootstrap.
    methods
        Analyses to make, of :data:`microbiome.compare.tables.COMPARE_METHODS`; a report shows all of them.
    among
        Value by column of `subjects`: only subjects with these values are compared. Without it subjects with and
        without doses may be in one group, which the notes say.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.compare.tables.COMPARE`. What cannot be tested has missing numbers and a note that
        says why.

    Raises
    ------
    InputError
        When a column does not exist or is no number, a sample stands twice, or an option is out of range; all problems
        at once.
    """
    raise_problems(table_problems(rates, subjects))
    problems = option_problems(interval, level, permutations, window, methods)
    # In an order of their own, so that no last bit depends on that of the table.
    rates = rates.sort_values(["subject", "day", "sample"], kind="stable")
    names = rate_names(rates, rate, problems)
    known = subject_columns(subjects)
    if among:
        rates = rates[rates["subject"].isin(among_subjects(known, among, problems))]
    values = {name: rate_values(rates, name, problems) for name in names}
    donors = donor_sets(doses)
    labels = group_labels(by, known, donors, problems)
    blocks = None if strata is None else group_labels(strata, known, donors, problems, "strata")
    adjust = covariate_columns(rates, covariates, known, samples, problems)
    for option, used in (("covariate", list(covariates)), ("strata", [strata])):
        if by in used:
            problems.append(
                Problem(f"{by!r} makes the groups and cannot be held constant", "leave it out", column=option)
            )
    raise_problems(problems)
    settings = Settings(
        by,
        tuple(dict.fromkeys(covariates)),
        strata,
        permutations,
        interval,
        level,
        seed,
        None if window is None else (int(window[0]), int(window[1])),
        donors,
        nobody_among(among) if among and rates.empty else "",
    )
    group = rates["subject"].map(labels)
    group = group.astype(object).where(group.notna(), None)
    for sentence in left_out(by, group.set_axis(rates["subject"]), known.index):
        logger.warning("%s", sentence)
    stratum = pd.Series("", index=rates.index) if blocks is None else rates["subject"].map(blocks)
    frame = rates.assign(group=group, stratum=stratum)
    order = ordered(group.dropna(), group_order)
    raise_problems(order_problems(group_order, order))
    rows: list[Row] = []
    nowhere = empty_window(rates["day"], window)
    said: dict[str, None] = {nowhere: None} if nowhere else {}
    for name in names:
        rows += _rate_rows(frame.assign(value=values[name]), name, adjust, order, settings, said, methods, known)
    for sentence in said:
        logger.warning("%s", sentence)
    return as_table(rows, COMPARE)


def _never(grouped: pd.DataFrame, everyone: pd.Series, subjects: pd.DataFrame) -> list[str]:
    """Name who has no value on any day, and who no post sample at all: the hardest drop-out of all."""
    empty = [str(name) for name in grouped["subject"].unique() if name not in everyone.index]
    found = [f"no value on any day: {', '.join(empty)}"] if empty else []
    # Donors stand in the subjects table, too; who is of an arm was meant to be followed.
    if "arm" in subjects:
        planned = subjects.loc[subjects["arm"].notna(), "subject"]
        followed = set(grouped["subject"])
        absent = [str(name) for name in planned if name not in followed]
        found += [f"of an arm, and without a post sample or a group: {', '.join(absent)}"] if absent else []
    return found


def _rate_rows(
    frame: pd.DataFrame,
    rate: str,
    adjust: pd.DataFrame,
    order: list[str],
    settings: Settings,
    said: dict[str, None],
    methods: Sequence[str],
    subjects: pd.DataFrame,
) -> list[Row]:
    """Return the rows of one rate; sentences for the log are added to `said`."""
    grouped = frame[frame["group"].notna()]
    if len(order) < 2:
        words = f"all subjects are in one group ({order[0]})" if order else f"no subject has a value of {settings.by}"
        words = settings.nobody or words
        return [_bare(rate, settings, method, " / ".join(order), grouped, words) for method in methods]
    there = grouped[grouped["value"].notna()]
    everyone = there.drop_duplicates("subject").set_index("subject")["group"]
    whole = there["stratum"].notna() & adjust.loc[there.index].notna().all(axis=1)
    complete = set(there.loc[whole, "subject"])
    incomplete = [name for name in there["subject"].unique() if name not in complete]
    used = there[whole]
    means, analysis = subject_means(used, "value", settings.window)
    if settings.window is not None:
        used = used[used["day"].between(*settings.window)]
    lacking = frame.loc[frame["group"].isna() & frame["value"].notna(), "subject"].unique()
    notes = [f"without a value of {settings.by}, left out: {', '.join(lacking)}"] if len(lacking) else []
    notes += [f"covariate or stratum missing, left out: {', '.join(incomplete)}"] if incomplete else []
    notes += _never(grouped, everyone, subjects)
    empty = empty_donor_set(grouped, settings.donors)
    rows: list[Row] = []
    if len(order) > 2 and _OVERALL in methods:
        mixed = [] if settings.by == "arm" else mixed_doses(used, grouped, order, subjects)
        said_of_all = (*notes, *mixed, *few_donors(used["subject"].unique(), settings.donors))
        both = Pair(rate, "", "", used, adjust.loc[used.index], means, analysis, everyone, said_of_all)
        words = _no_donor(rate, grouped, empty, order)
        overall = overall_row(both, order, settings) if not words else None
        rows.append(overall or _bare(rate, settings, _OVERALL, " / ".join(order), used, words))
    pairs = []
    for first, second in itertools.combinations(order, 2):
        chosen = used[used["group"].isin([first, second])]
        sentences = depth_sentences(chosen, everyone)
        if settings.by != "arm":
            sentences += mixed_doses(chosen, grouped, [first, second], subjects)
        said.update(dict.fromkeys(sentences))
        about = [*notes, *few_donors(chosen["subject"].unique(), settings.donors), *sentences]
        if settings.by != "donor":
            persons = [(name, chosen.loc[chosen["group"] == name, "subject"].unique()) for name in (first, second)]
            about += confounding(persons[0], persons[1], settings.donors)
        pair = Pair(rate, first, second, chosen, adjust.loc[chosen.index], means, analysis, everyone, tuple(about))
        words = _no_donor(rate, grouped, empty, [first, second]) or _no_value(rate, chosen, [first, second], settings)
        pairs.append((pair, words))
    for method in methods:
        own = [_pair_row(pair, method, words, settings) for pair, words in pairs]
        if len(own) > 1:
            q = benjamini_hochberg([_number(row.get("p_value")) for row in own])
            own = [row | {"q_value": float(value)} for row, value in zip(own, q, strict=True)]
        rows += own
    return rows


def _pair_row(pair: Pair, method: str, untestable: str, settings: Settings) -> Row:
    if not untestable:
        return _ROWS[method](pair, settings)
    row = pair.row(method, settings.by) | pair.counts(pair.samples, settings)
    return row | {"note": joined([f"not testable: {untestable}", *pair.notes])}


def _bare(rate: str, settings: Settings, method: str, groups: str, samples: pd.DataFrame, words: str) -> Row:
    """Return a row without numbers."""
    there = samples[samples["value"].notna()]
    return {
        "rate": rate,
        "by": settings.by,
        "groups": groups,
        "method": method,
        "n_subjects": there["subject"].nunique(),
        "n_samples": len(there),
        "n_donors": settings.n_donors(there["subject"]),
        "note": f"not testable: {words}",
    }


def _no_donor(rate: str, grouped: pd.DataFrame, empty: pd.Series, groups: list[str]) -> str:
    """Say why a rate that needs the donor cannot be compared between subjects with and without doses."""
    if not needs_donor(rate):
        return ""
    nulls = "use `microbiome nulls` (pseudo-donors)"
    strains = rate in STRAIN_RATES.names
    instead = "compare other_donor_sharing_rate" if strains else nulls
    inside = grouped["group"].isin(groups)
    counted = inside & grouped["value"].notna()
    if empty[counted].any() and not empty[counted].all():
        return f"without doses the donor set is empty, and {rate} is another quantity for those subjects; {instead}" + (
            "" if strains else ", or depletion_rate"
        )
    for name in groups:
        own = inside & (grouped["group"] == name)
        if own.any() and empty[own].all() and not grouped.loc[own, "value"].notna().any():
            return f"without doses the donor set is empty, so that {rate} has no value in {name}; {instead}"
    return ""


def _no_value(rate: str, chosen: pd.DataFrame, groups: list[str], settings: Settings) -> str:
    lacking = " and ".join(name for name in groups if not (chosen["group"] == name).any())
    when = f" from day {settings.window[0]} to {settings.window[1]}" if settings.window else ""
    return f"{rate} has no value in {lacking}{when}" if lacking else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan
