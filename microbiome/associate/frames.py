"""Rows of the table: one table against one predictor, or two tables against each other, at one time and part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.associate.choices import Options, Rows
from microbiome.associate.material import Level, Picked, level_of, pick, share_words, subject_values
from microbiome.associate.plan import method_of
from microbiome.associate.predictors import Predictor
from microbiome.associate.presence_abundance import least_squares, presence
from microbiome.associate.repeated import mixed_models
from microbiome.associate.subject_level import Settings, correlated, group_notes, grouped
from microbiome.associate.within import repeated_correlations, within_subjects
from microbiome.molecules import Measured

__all__ = ["against_features", "against_predictor"]

# Methods for which values below the limit are numbers, and not only the lowest ranks.
_OF_NUMBERS = ("least_squares", "mixed_model", "rm_corr", "logistic", "within_subject")


@dataclass(frozen=True)
class _Values:
    """One value per subject, and which rows are behind it."""

    subjects: list[str]
    level: Level
    known: np.ndarray


def _values(level: Level, rows: Rows, at: str, part: str, options: Options) -> _Values:
    last = part == "presence"
    picked = [pick(rows.frame, name, options.days) for name in (("baseline", "post") if at == "change" else (at,))]
    levels = [subject_values(level, one, last) for one in picked]
    subjects = picked[0].subjects
    if at == "change":
        subjects = sorted(set(picked[0].subjects) & set(picked[1].subjects))
        places = [pd.Index(one.subjects).get_indexer(subjects) for one in picked]
        before, after = (values.take(place) for values, place in zip(levels, places, strict=True))
        picked = [
            Picked(subjects, one.weights[place], one.last[place], one.note)
            for one, place in zip(picked, places, strict=True)
        ]
        numbers = after.numbers - before.numbers
        # From below the limit to below the limit nothing has changed that could be seen.
        numbers = np.where((before.low & after.low) | (before.high & after.high), 0.0, numbers)
        none = np.zeros(numbers.shape, dtype=bool)
        values = Level(numbers, none, none)
    else:
        values = levels[0]
    known = np.zeros(level.numbers.shape, dtype=bool)
    for one in picked:
        for place in range(len(subjects)):
            used = [one.last[place]] if last else np.flatnonzero(one.weights[place] > 0)
            known[used] = ~np.isnan(level.numbers[used]) & ~np.isnan(values.numbers[place])
    return _Values(subjects, values, known)


def _beyond(level: Level, known: np.ndarray, name: str) -> np.ndarray:
    """Say per feature how many of the values that count lie beyond the limit; empty where none does."""
    found = np.full(level.numbers.shape[1], "", dtype=object)
    low, high = ((side & known).sum(axis=0) for side in (level.low, level.high))
    total = known.sum(axis=0)
    for place in np.flatnonzero(low + high):
        parts = [f"{low[place]} of {total[place]} values of {name} below the limit: half of it taken"] * bool(
            low[place]
        )
        parts += [f"{high[place]} of {total[place]} values of {name} above the limit, which is taken"] * bool(
            high[place]
        )
        found[place] = "; ".join(parts)
    return found


def _joined(*notes: np.ndarray) -> np.ndarray:
    """Return the sentences of every row in one, separated by semicolons."""
    first, *others = notes
    found = first.copy()
    for other in others:
        both = (found != "") & (other != "")
        found = np.where(both, found + "; " + other, np.where(found == "", other, found))
    return found


def against_predictor(
    table: Measured, rows: Rows, given: Predictor, at: str, part: str, options: Options
) -> list[pd.DataFrame]:
    """Test every feature of a table against groups, a number or the day; one frame per group."""
    level = level_of(table, part, options.detection)
    kind = "day" if given.groups is None and given.numbers is None else "number" if given.groups is None else "group"
    method = method_of(kind, at, part, options.method, options.adjusted)
    if at == "all":
        return _over_rows(table, level, rows, given, kind, part, method, options)
    values = _values(level, rows, at, part, options)
    return [
        _with_subjects(found, x, values, rows, _beyond(level, values.known, table.name), at, method)
        for found, x in _per_subject(values.level, given, values.subjects, method, options)
    ]


def _per_subject(
    level: Level, given: Predictor, subjects: list[str], method: str, options: Options
) -> list[tuple[pd.DataFrame, np.ndarray]]:
    """Return the rows of each group (or of the number), and the predictor by subject."""
    settings = options.of(subjects)
    found = []
    for group, reference, x in given.indicators(subjects):
        column = x[:, np.newaxis]
        effect = "slope" if group is None else "difference"
        if method == "logistic":
            frame = presence(column, level.numbers, settings, group is not None)
        elif method == "least_squares":
            frame = least_squares(column, level.numbers, settings, effect)
        elif group is not None and reference is not None:
            frame = grouped(x, level.ordered, settings)
        else:
            frame = correlated(column, level.ordered, settings)
        if group is not None and reference is not None:
            frame = group_notes(frame, x, level.numbers, (group, reference))
        frame = _alone(frame, given, reference)
        found.append((frame.assign(method=method, group=group, reference=reference), _usable(x, settings)))
    return found


def _alone(frame: pd.DataFrame, given: Predictor, reference: str | None) -> pd.DataFrame:
    """Say of a group that there is no other, or that there is none."""
    if given.groups is None or reference is not None:
        return frame
    if not given.order:
        return frame.assign(note=f"not testable: no subject has a value of {given.name}")
    return frame.assign(note=f"not testable: every subject is in the group {given.order[0]}")


def _usable(x: np.ndarray, settings: Settings) -> np.ndarray:
    """Return whether each subject has the predictor and all covariates."""
    usable = ~np.isnan(x)
    return usable if settings.covariates is None else usable & ~np.isnan(settings.covariates).any(axis=1)


def _with_subjects(
    frame: pd.DataFrame, usable: np.ndarray, values: _Values, rows: Rows, beyond: np.ndarray, at: str, method: str
) -> pd.DataFrame:
    taking_part = pd.Index(np.asarray(values.subjects, dtype=str)[usable])
    inside = np.isin(rows.subjects, taking_part)
    out = frame.assign(n_subjects=frame["n"], n_samples=(values.known & inside[:, np.newaxis]).sum(axis=0))
    if at in ("post", "change") or method in _OF_NUMBERS:
        out["note"] = _joined(out["note"].to_numpy(dtype=object), beyond)
    return out


def _over_rows(
    table: Measured, level: Level, rows: Rows, given: Predictor, kind: str, part: str, method: str, options: Options
) -> list[pd.DataFrame]:
    """Test every feature over all rows that count."""
    keep = _within_days(rows, options)
    level, who, day = level.take(keep), rows.subjects[keep], rows.day[keep]
    settings = options.settings
    known = ~np.isnan(level.numbers)
    beyond = _beyond(level, known, table.name)
    if kind == "day":
        tests: list[tuple[str | None, str | None, np.ndarray]] = [(None, None, day)]
    else:
        subjects, code = np.unique(who, return_inverse=True)
        tests = [(group, base, x[code]) for group, base, x in given.indicators(list(subjects))]
    held = options.columns(who, day)
    found = []
    for group, reference, x in tests:
        column = x[:, np.newaxis]
        effect = "slope" if group is None else "difference"
        if method == "share":
            frame = _shares(level, who, given, group, options)
            said = np.full(len(frame), share_words(who, options.day_covariate), dtype=object)
            frame["note"] = _joined(frame["note"].to_numpy(dtype=object), said)
        elif method == "within_subject":
            frame = within_subjects(
                column, level.numbers, who, settings.level, settings.permutations, settings.seed, covariates=held
            )
        elif method == "rm_corr":
            frame = repeated_correlations(column, level.numbers, who, settings.level, held)
        else:
            frame = mixed_models(column, level.numbers, who, effect, settings.level, held)
        usable = ~np.isnan(column) if held is None else ~np.isnan(np.column_stack([column, held])).any(1, keepdims=True)
        n_subjects, n_samples = _counts(usable, known, who)
        frame = frame.assign(group=group, reference=reference, method=method, n_samples=n_samples.ravel())
        frame["n_subjects"] = n_subjects.ravel()
        if part == "value" or method == "mixed_model":
            frame["note"] = _joined(frame["note"].to_numpy(dtype=object), beyond)
        found.append(_alone(frame, given, reference))
    return found


def _within_days(rows: Rows, options: Options) -> np.ndarray:
    day = rows.day
    keep = ~np.isnan(day)
    if options.days is not None:
        keep &= (day >= options.days[0]) & (day <= options.days[1])
    return np.flatnonzero(keep)


def _shares(level: Level, who: np.ndarray, given: Predictor, group: str | None, options: Options) -> pd.DataFrame:
    """Test the share of a subject's rows in which the feature is present."""
    subjects, code = np.unique(who, return_inverse=True)
    there = ~np.isnan(level.numbers)
    total, held = (np.zeros((len(subjects), there.shape[1])) for _ in range(2))
    np.add.at(total, code, there)
    np.add.at(held, code, np.where(there, level.numbers, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = held / total
    none = np.zeros(share.shape, dtype=bool)
    tests = _per_subject(Level(share, none, none), given, list(subjects), "share", options)
    return next(frame for frame, _ in tests if group is None or (frame["group"] == group).all())


def _counts(first: np.ndarray, second: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return subjects and rows with both values, for every pair of columns of two booleans **row x column**."""
    shape = (first.shape[1], second.shape[1])
    subjects, samples = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for places in pd.Series(range(len(who))).groupby(who).indices.values():
        both = first[places].T.astype(np.float32) @ second[places].astype(np.float32)
        subjects += both > 0
        samples += both.astype(np.int64)
    return subjects, samples


def against_features(
    first: Measured,
    second: Measured,
    places: tuple[np.ndarray, np.ndarray],
    rows: Rows,
    at: str,
    part: str,
    options: Options,
) -> pd.DataFrame:
    """Test every feature of a table against every feature of another.

    Parameters
    ----------
    first, second
        The tables.
    places
        Positions of the rows of either that belong together.
    rows
        Subject and days of these pairs.
    at, part, options
        What is tested; of the second table always the value.
    """
    method = method_of("feature", at, part, options.method, options.adjusted)
    one = level_of(first, part, options.detection).take(places[0])
    two = level_of(second, "value").take(places[1])
    settings = options.settings
    # Rows (left) against columns (right) of what is computed; `turned` where the first table is on the right.
    turned = method in ("logistic", "least_squares", "mixed_model", "within_subject")
    if at == "all":
        keep = _within_days(rows, options)
        one, two, who, day = one.take(keep), two.take(keep), rows.subjects[keep], rows.day[keep]
        known = ~np.isnan(one.numbers), ~np.isnan(two.numbers)
        held = options.columns(who, day)
        if method == "rm_corr":
            found = repeated_correlations(one.numbers, two.numbers, who, settings.level, held)
        elif method == "within_subject":
            found = within_subjects(
                two.numbers, one.numbers, who, settings.level, settings.permutations, settings.seed, True, held
            )
        else:
            found = mixed_models(two.numbers, one.numbers, who, "slope", settings.level, held, per_sd=True)
        usable = np.ones(len(who), dtype=bool) if held is None else ~np.isnan(held).any(axis=1)
    else:
        # The same rows, and therefore the same subjects, are picked on both sides.
        values = [
            _values(one, rows, at, part, options),
            _values(two, rows, at, part if part == "presence" else "", options),
        ]
        subjects = values[0].subjects
        own = options.of(subjects)
        left, right = values[0].level, values[1].level
        if method == "logistic":
            found = presence(right.numbers, left.numbers, own, groups=False, per_sd=True)
        elif method == "least_squares":
            found = least_squares(right.numbers, left.numbers, own, "slope", per_sd=True)
        else:
            found = correlated(left.ordered, right.ordered, own)
        known, who = (values[0].known, values[1].known), rows.subjects
        usable = np.isin(who, np.asarray(subjects, dtype=str)[_usable(np.zeros(len(subjects)), own)])
    size = (one.numbers.shape[1], two.numbers.shape[1])
    if turned:
        order = np.arange(size[0] * size[1]).reshape(size[1], size[0]).T.ravel()
        found = found.iloc[order].reset_index(drop=True)
    n_subjects, n_samples = _counts(known[0] & usable[:, np.newaxis], known[1], who)
    found["n_samples"] = n_samples.ravel()
    found["n_subjects"] = n_subjects.ravel() if at == "all" else found["n"]
    if at in ("post", "change", "all") or method in _OF_NUMBERS:
        notes = [_beyond(one, known[0], first.name), _beyond(two, known[1], second.name)]
        if any((note != "").any() for note in notes):
            parts = [np.repeat(notes[0], size[1]), np.tile(notes[1], size[0])]
            found["note"] = _joined(found["note"].to_numpy(dtype=object), *parts)
    return found.assign(method=method, group=None, reference=None)
