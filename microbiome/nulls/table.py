"""The table of nulls: what chance alone would do, beside what was seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from microbiome.depth import repair_study, study_limits
from microbiome.errors import Problem, raise_problems
from microbiome.nulls.engraftment import baseline_rows, donor_rows
from microbiome.nulls.material import Material, groups_of, material, strata_of
from microbiome.nulls.own import own_rates
from microbiome.nulls.repeats import Repeats, bare_rows, find_repeats, repeat_rows
from microbiome.nulls.rows import Plan, Row, as_frame
from microbiome.nulls.tables import LEVELS
from microbiome.nulls.untreated import comparable, untreated_rows
from microbiome.repair import REPAIRS, chosen_repair, depth_warnings, relevant_samples, repair
from microbiome.stats import tests_needed
from microbiome.study import Study, post_samples
from microbiome.triads import Triads, checked_detection, triads

__all__ = ["PRODUCTS", "nulls"]

logger = logging.getLogger(__name__)

#: What is done about donor sets of different size.
PRODUCTS = ("common", "as_given")


def nulls(
    abundance: pd.DataFrame,
    study: Study,
    detection: float = 0.0,
    table: pd.DataFrame | None = None,
    method: str = "auto",
    strata: str | None = None,
    window: Sequence[int] | None = None,
    products: str = "common",
    permutations: int = 9999,
    seed: int = 0,
    levels: Sequence[str] = LEVELS,
) -> pd.DataFrame:
    r"""Compare what became of the treated with what chance alone would do.

    A subject's samples are averaged within it first (:func:`microbiome.visits.subject_means`), so that every subject
    counts once.

    **Engraftment** (null ``donor_permutation``): the whole dose schedules of the treated are moved between them. M_ij
    is the rate of subject i against the donor set that schedule j would have given it on the days of its samples; the
    statistic is the mean of :math:`M_{i \pi(i)}`, one-sided (:func:`microbiome.nulls.reassignment.reassign`). The
    interval is the wider of the inverted test and of t over subjects. ``expected`` of a subject is the mean over the
    schedules of other donors in its stratum. Other products of the same donor are not another donor: with one donor
    for everybody nothing can be tested. ``engraftment_rate`` leaves out what the baseline has, ``donor_recovery``
    (PEDS) does not; ``baseline_recovery`` (PPRS, null ``baseline_permutation``) is compared with the recovery of other
    recipients' baselines in the same way.

    Per subject, p is the share of the schedules of its stratum against which its rate is at least as large. Per taxon,
    the rate is that of the subjects without it at the baseline whose donor set has it (whole sets), ``expected`` that
    of those whose own donor set lacks it, and the arrangements are the same.

    **Depletion.** The first of these that is there and comparable: (1) ``placebo_arm``, subjects without doses, at the
    visits that both groups have; (2) ``before_repeats``, pairs of samples before FMT of the treated (compared within
    persons), then ``donor_repeats``, of donors; refused where lag or depth differ by more than a factor of 1.5; (3)
    ``none``. The difference of means over persons has Welch's interval (within persons: t) and a two-sided permutation
    p; where groups differ in size and spread, one may leave out 0 when the other does not reject. Where a rate needs a
    donor, subjects without doses have the mean over all schedules of the treated (pseudo-donors); engraftment is
    compared with theirs, too. Per subject, p is the share of the null group, the subject included, with at least its
    rate. Per taxon, the loss is compared among those who had it. "Depleted" includes dilution by what engrafted.

    Parameters
    ----------
    abundance
        **sample x taxon**, any feature table (:func:`microbiome.metaphlan.read_abundance`). A sample that is no row
        of it, or a row of NaN, has no profile.
    study
        Samples, subjects and doses.
    detection
        A taxon is detected above this abundance; >= 0.
    table
        Limits of detection (:func:`microbiome.depth.study_limits`); None for those of the study.
    method
        Repair of depth (:data:`microbiome.repair.REPAIRS`). ``auto`` thins where baselines and post
        samples, or treated and untreated, differ in depth by more than 1.5.
    strata
        Column of the samples or subjects table (cohort, centre, batch): everything is permuted within its values.
    window
        First and last day that count, instead of the visits that all have.
    products
        ``common``: donor sets are reduced to a common number of products, and rates averaged over up to 20 subsets;
        ``as_given``: they stay as they are.
    permutations
        With at most so many + 1 arrangements all are looked at (exact); else so many random ones are, and
        p = (b + 1) / (m + 1).
    seed
        Of whatever is random.
    levels
        Which rows: of :data:`microbiome.nulls.tables.LEVELS`.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.nulls.tables.NULLS`. Every treated subject and every taxon has a row for each null;
        what cannot be tested has missing numbers and a note that says why. The numbers do not depend on the order of
        samples, subjects or taxa.

    Raises
    ------
    InputError
        An unknown word, a detection or window that makes no sense, a stratum that is not of subjects, no post sample
        with a profile.

    References
    ----------
    Phipson & Smyth, Stat Appl Genet Mol Biol 9:39 (2010), 10.2202/1544-6115.1585.
    """
    raise_problems(_problems(method, products, permutations, levels, window))
    checked_detection(abundance, detection)
    days = None if window is None else (window[0], window[1])
    plan = Plan(days, products, permutations, seed, tuple(levels))
    stratum = strata_of(study, strata)
    group = groups_of(study)
    aligned = triads(abundance, study)
    table = study_limits(abundance, study) if table is None else table
    unit = table.set_index("sample")["unit"]
    treated = _around(aligned, group, "treated")
    repeats: list[Repeats] = []
    if not comparable(_around(aligned, group, "treated", "untreated"), plan):
        repeats = find_repeats(study, pd.Index(table["sample"]), treated, plan)
    usable = [one for one in repeats if not one.why]
    pairs = {sample for one in usable for name in ("first", "second") for sample in one.pairs[name]}
    compared = table[table["sample"].isin({*relevant_samples(study, aligned.posts, aligned.products), *pairs})]
    depth = depth_warnings(compared, aligned.posts, group)
    chosen = chosen_repair(method, bool(depth))
    if chosen == "none":
        for sentence in depth:
            logger.warning("%s; see --repair", sentence)
        repaired = repair(abundance, compared, chosen, detection, seed)
    else:
        repaired = repair_study(abundance, study, table, chosen, detection, seed, pairs)
        logger.info("%s", repaired.note)
    posts = aligned.posts
    del aligned
    if repaired.left_out:
        left = post_samples(study, repaired.abundance.index[repaired.abundance.notna().all(axis=1)])
        posts = left[left["profiled"]]
    m = material(posts, study, repaired, group, stratum, tuple(depth))
    own = own_rates(m, m.posts)
    rows = donor_rows(m, own, plan)
    rows += baseline_rows(m, own, plan)
    rows += _turnover(m, own, group, repeats, unit, plan)
    result = as_frame(rows)
    _log_reach(result)
    return result


def _log_reach(table: pd.DataFrame) -> None:
    """Say how many taxa would have to reach the smallest p-value for any to have q < 0.05."""
    tested = table[(table["level"] == "taxon") & table["p_value"].notna()]
    for (quantity, null), part in tested.groupby(["quantity", "null"], sort=False):
        needed = tests_needed(float(part["p_floor"].min()), len(part))
        text = "%s per taxon (%s): %d can be tested; q < 0.05 needs at least %d of them at the floor of %.2g"
        logger.info(text, quantity, null, len(part), needed, part["p_floor"].min())


def _turnover(
    m: Material,
    own: pd.DataFrame,
    group: pd.Series,
    repeats: list[Repeats],
    unit: pd.Series,
    plan: Plan,
) -> list[Row]:
    """Return the rows of the first null of depletion that can be used, and of those that were refused before it."""
    rows: list[Row] = []
    if "untreated" in set(group):
        rows, done = untreated_rows(m, own, plan)
        if done:
            return rows
    for one in repeats:
        found, done = repeat_rows(m, own, one, unit, plan)
        rows += found
        if done:
            break
    return rows or bare_rows(m, own, plan)


def _around(aligned: Triads, group: pd.Series, *names: str) -> pd.DataFrame:
    """Return the post samples of some groups that have a baseline, with their group and lag."""
    posts = aligned.posts.assign(group=aligned.posts["subject"].map(group))
    posts = posts[posts["group"].isin(names) & posts["baseline_sample"].notna()]
    return posts.assign(lag=(posts["day"] - posts["baseline_day"]).astype(float))


def _problems(
    method: str, products: str, permutations: int, levels: Sequence[str], window: Sequence[int] | None
) -> list[Problem]:
    found = []
    for words, value, known in (
        ("repair", method, REPAIRS),
        ("products", products, PRODUCTS),
        *(("level", level, LEVELS) for level in levels),
    ):
        if value not in known:
            found.append(Problem(f"{words} {value!r} is unknown", f"use one of {', '.join(known)}", value=str(value)))
    if permutations < 1:
        found.append(Problem(f"{permutations} permutations are too few", "give at least 1", value=str(permutations)))
    if window is not None and (len(window) != 2 or window[0] > window[1]):
        text = " ".join(map(str, window))
        found.append(Problem(f"the day window {text} is not a first and a last day", "give two days", value=text))
    return found
