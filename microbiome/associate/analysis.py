"""Every feature against groups, numbers and days, and against every feature of other tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from microbiome.among import among_subjects, nobody_among
from microbiome.associate.choices import Options, Rows
from microbiome.associate.depth import depth_comments
from microbiome.associate.families import DEFAULT_FAMILY, corrected, family_problems, reach
from microbiome.associate.frames import against_features, against_predictor
from microbiome.associate.material import signed
from microbiome.associate.plan import SUBJECTS, features_of, option_problems, table_problems
from microbiome.associate.predictors import DAY, Predictor, covariate_columns, predictor, strata_of
from microbiome.associate.subject_level import Settings
from microbiome.associate.tables import ASSOCIATIONS
from microbiome.errors import Problem, raise_problems
from microbiome.molecules import Measured, join
from microbiome.study import Study
from microbiome.subject_groups import donor_sets, left_out, subject_columns
from microbiome.taxa.frames import as_declared
from microbiome.taxa.groups import cautions
from microbiome.visits import analysis_samples

__all__ = ["associate"]


def associate(
    tables: Sequence[Measured],
    study: Study,
    by: Sequence[str] = (),
    others: Sequence[Measured] = (),
    at: Sequence[str] = ("baseline",),
    method: str = "auto",
    part: Sequence[str] = ("value",),
    covariates: Sequence[str] = (),
    strata: str | None = None,
    window: int = 7,
    days: Sequence[int] | None = None,
    detection: float = 0.0,
    family: Sequence[str] = DEFAULT_FAMILY,
    group_order: Sequence[str] = (),
    among: Mapping[str, str] | None = None,
    permutations: int = 9999,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[pd.DataFrame, list[str]]:
    r"""Test every feature of `tables` against everything in `by` and against every feature of `others`.

    One value per subject (`at` baseline, post, change), so that nobody counts twice:

    * **groups**: Cliff's delta (interval of Feng & Cliff), labels permuted by mean rank;
    * **numbers and other features**: Spearman's correlation (interval of Bonett & Wright), subjects permuted;
    * with covariates or strata both become correlations of the ranks with the covariates held constant;
    * **presence**: Firth's logistic regression with profile bounds, subjects permuted; of a ``change`` the step from
      absent to present (1) or back (-1), as a value;
    * **abundance**: least squares of :math:`\log_2` where it is present.

    Over repeated measures (`at` all): a linear mixed model with a random intercept of the subject, for pairs of
    features the repeated-measures correlation; presence as the share of a subject's visits, against the day and other
    features as the slope within subjects.

    Parameters
    ----------
    tables
        What is tested; values by the transform of each table.
    study
        Subjects, and doses for groups by donor.
    by
        Columns of the subjects table, ``donor``, ``day`` (always over all samples), or comparisons such as
        ``irae_grade>=3``.
    others
        Tables whose features are tested against those of `tables`, joined by :func:`microbiome.molecules.join`.
    at
        Some of ``baseline`` (last row with day <= 0), ``post`` (mean of the visits that all subjects have, or of
        `days`), ``change`` (post less baseline), ``all``.
    method
        ``auto``, or the one for part ``value``: ``spearman``, ``partial_spearman``, ``permutation``, ``mixed_model``,
        ``rm_corr``.
    part
        Some of ``value``, ``presence``, ``abundance``, of the features of `tables`.
    covariates
        Columns of the subjects table (``donor``; at ``all`` also ``day``) that are held constant.
    strata
        Column within whose groups subjects are permuted, held constant as well.
    window
        Most days between rows of two tables that are a pair.
    days
        First and last day of ``post`` and ``all``.
    detection
        A feature is present where its value is above this.
    family
        Columns that make families of tests for Benjamini-Hochberg; ``all`` for one family.
    group_order
        Groups in order, the reference first; each other group is compared with it.
    among
        Only subjects with these values of the subjects table.
    permutations, seed
        As in :func:`microbiome.associate.permute.rank_tests`; 0 takes p from t (or the likelihood ratio).
    level
        Of the intervals.

    Returns
    -------
    table
        :data:`microbiome.associate.tables.ASSOCIATIONS`: every pair, also those that could not be tested (why is in
        ``note``).
    comments
        Which days count, what did not join, what the number of tests allows to be found.

    Raises
    ------
    InputError
        With every problem of the options; where tables have no row in common.

    Notes
    -----
    Values below the limit of detection are the lowest, all alike, for ranks; half the limit for means, models and
    changes (how many is in ``note``). The second of a pair of tables counts with its value whatever the part.
    ``p_value`` of permuted subjects is exact without covariates; with them residuals are permuted (Freedman-Lane), and
    that of presence is by the penalised likelihood ratio.
    """
    problems: list[Problem] = []
    subjects = subject_columns(study.subjects)
    donors = donor_sets(study.doses) if len(study.doses) else None
    found = [predictor(text, subjects, donors, problems, group_order) for text in dict.fromkeys(by)]
    predictors = [one for one in found if one is not None]
    names = sorted({str(name) for table in (*tables, *others) for name in table.rows["subject"]})
    allowed = among_subjects(subjects, among, problems) if among else set(names)
    held_names = [name for name in covariates if name != DAY or DAY in subjects]
    held = covariate_columns(held_names, subjects, names, donors, problems)
    stratum = strata_of(strata, subjects, names, problems) if strata else None
    kinds = [(one.name, _kind(one)) for one in predictors] + [(table.name, "feature") for table in others]
    adjusted = bool(covariates) or strata is not None
    problems += option_problems(kinds, at, part, method, adjusted)
    problems += table_problems(tables, others, by, at, covariates, held_names, days, permutations, level, window)
    problems += family_problems(family)
    groups = {group for one in predictors for group in one.order}
    for name in [name for name in group_order if name not in groups]:
        fix = f"the groups are {', '.join(sorted(groups)) or 'none'}"
        problems.append(Problem(f"there is no group {name!r}", fix, column="group-order", value=name))
    if among and not allowed & set(names) and not problems:
        problems.append(Problem(nobody_among(among).replace("a post sample", "a row"), "compare the tables"))
    raise_problems(problems)
    options = Options(
        method,
        detection,
        days,
        Settings(permutations, seed, level),
        None if held is None else pd.DataFrame(held, index=names),
        len(held_names) < len(covariates),
        stratum,
    )
    blocks: list[pd.DataFrame] = []
    comments: list[str] = []
    for table in tables:
        inside = _inside(table.rows["subject"], allowed) & table.rows["day"].notna().to_numpy()
        own, rows = _taken(table, np.flatnonzero(inside)), Rows(table.rows[inside][["subject", "day"]])
        comments += [f"{table.name}: {text}" for text in _days(rows.frame, at, days)] if predictors else []
        for one in predictors:
            of_day = _kind(one) == "day"
            for time, which in product(["all"] if of_day else dict.fromkeys(at), dict.fromkeys(part)):
                for frame in against_predictor(own, rows, one, time, which, options):
                    blocks.append(_named(frame, table.name, features_of(own), SUBJECTS, one.name, time, which))
        for other in others:
            places, pairs = _pairs(table, other, allowed, window, comments)
            comments += [f"{table.name} x {other.name}: {text}" for text in _days(pairs.frame, at, days)]
            for time, which in product(dict.fromkeys(at), dict.fromkeys(part)):
                frame = against_features(table, other, places, pairs, time, which, options)
                first, second = features_of(table), features_of(other)
                left, right = np.repeat(first, len(second)), np.tile(second, len(first))
                blocks.append(_named(frame, table.name, left, other.name, right, time, which))
    everything = pd.concat([block for block in blocks if len(block)], ignore_index=True)
    del blocks
    everything["covariates"] = ", ".join(covariates) or None
    everything["strata"], everything["level"] = strata, level
    everything["note"] = everything["note"].where(everything["note"] != "", None)
    _say_signed(everything, tables)
    everything = corrected(everything, family)
    comments += reach(everything)
    if others and "all" in at and DAY not in covariates:
        words = (
            "over all samples, features that both change after FMT go together: --covariate day holds the day constant"
        )
        comments.append(words)
    people = [name for name in names if name in allowed]
    for one in predictors:
        if "presence" in part:
            comments += [text for table in tables for text in depth_comments(table, study.samples, one, allowed)]
        if one.groups is not None:
            labels = one.groups.reindex(people)
            said = left_out(one.name, labels, study.subjects["subject"])
            said += cautions(labels, one.name, study.doses) if donors else []
            comments += [f"{one.name}: {text}" for text in said]
    return _declared(everything), list(dict.fromkeys(comments))


def _declared(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table as declared, column by column: with millions of rows every copy counts. `frame` is used up."""
    columns = {}
    for column in ASSOCIATIONS.columns:
        one = pd.DataFrame({column.name: frame.pop(column.name)})
        columns[column.name] = as_declared(one, replace(ASSOCIATIONS, columns=(column,), key=()))[column.name]
    return pd.DataFrame(columns, copy=False)


def _say_signed(rows: pd.DataFrame, tables: Sequence[Measured]) -> None:
    """Say of features with values below 0 why they have no presence and no amount; `rows` is changed."""
    parts = rows["part"].ne("value").to_numpy()
    for table in tables if parts.any() else ():
        names = set(features_of(table)[signed(table)])
        if names:
            place = parts & rows["table_1"].eq(table.name).to_numpy() & rows["feature_1"].isin(names).to_numpy()
            rows.loc[place, "note"] = (
                "not testable: some values are below 0, so that there is no presence and no amount"
            )


def _kind(one: Predictor) -> str:
    return "group" if one.groups is not None else "number" if one.numbers is not None else "day"


def _inside(names: pd.Series, allowed: set[str]) -> np.ndarray:
    return np.asarray(names.astype(str).isin(allowed).to_numpy(dtype=bool))


def _taken(table: Measured, rows: np.ndarray) -> Measured:
    """Return some rows of a table."""
    values = table.values.iloc[rows]  # noqa: PD011
    below, above = (frame if frame.empty else frame.reindex(values.index) for frame in (table.below, table.above))
    return replace(table, values=values, rows=table.rows.iloc[rows], below=below, above=above)


def _pairs(
    first: Measured, second: Measured, allowed: set[str], window: int, comments: list[str]
) -> tuple[tuple[np.ndarray, np.ndarray], Rows]:
    """Join two tables; say what did not join, and raise where nothing does."""
    joined = join(first, second, window)
    pairs = joined.pairs[_inside(joined.pairs["subject"], allowed) & joined.pairs["day_1"].notna().to_numpy()]
    if pairs.empty:
        reasons = "; ".join(joined.unjoined["reason"].value_counts().index[:3]) or "no subject is asked for"
        message = f"no row of {first.name} belongs to a row of {second.name} within {window} days ({reasons})"
        raise_problems([Problem(message, "compare subjects and days of the tables, or widen the window")])
    alone = Counter(joined.unjoined["side"].tolist())
    comments.append(
        f"{first.name} x {second.name}: {len(pairs)} rows joined within {window} days; without a partner "
        f"{alone[1]} of {first.name} and {alone[2]} of {second.name}"
    )
    places = (first.rows.index.get_indexer(pairs["row_1"]), second.rows.index.get_indexer(pairs["row_2"]))
    frame = pairs[["subject", "day_1", "day_2"]].rename(columns={"day_1": "day"})
    frame["day_2"] = frame["day_2"].where(frame["day_2"].notna(), frame["day"])
    return places, Rows(frame)


def _days(rows: pd.DataFrame, at: Sequence[str], days: Sequence[int] | None) -> list[str]:
    """Say which days count after FMT."""
    if not {"post", "change"} & set(at):
        return []
    after = rows[(rows["day"] > 0) & (rows["day_2"] > 0)] if "day_2" in rows else rows[rows["day"] > 0]
    if after.empty:
        return ["no row after day 0"]
    posts = after[["subject", "day"]].astype({"day": np.int64}).assign(sample=range(len(after)))
    counted = analysis_samples(posts, days)
    found = [f"post: {counted.note}"]
    number = counted.samples["subject"].value_counts()
    if days is not None and len(number) and number.min() < number.max():
        words = "their means are of other days, and differ in how exact they are"
        found.append(f"post: subjects have {number.min()} to {number.max()} samples in these days: {words}")
    return found


def _named(
    frame: pd.DataFrame,
    table_1: str,
    feature_1: np.ndarray | pd.Index,
    table_2: str,
    feature_2: np.ndarray | str,
    at: str,
    part: str,
) -> pd.DataFrame:
    names = {"table_1": table_1, "feature_1": feature_1, "table_2": table_2, "feature_2": feature_2}
    return frame.assign(**names, at=at, part=part)
