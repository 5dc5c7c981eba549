"""What is compared: the samples of one rate with their groups, covariates, strata and donors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from microbiome.errors import Problem
from microbiome.strains.rate_tables import STRAIN_RATE_COUNTS, STRAIN_RATES
from microbiome.subject_groups import as_groups, no_such_column
from microbiome.tables import OUTCOME_NAMES, RATES
from microbiome.visits import Analysis

__all__ = [
    "Pair",
    "Row",
    "Settings",
    "all_samples",
    "covariate_columns",
    "empty_donor_set",
    "is_count",
    "is_fraction",
    "joined",
    "needs_donor",
    "rate_values",
]

Row = dict[str, object]

_WITH_DONOR = {"engraftment_rate", "depletion_rate_donor_absent", "donor_recovery"}
#: Columns of the rates table that mean something else, or nothing, where the donor set is empty.
_NEEDS_DONOR = {
    *OUTCOME_NAMES,
    "donor_taxa",
    "donor_taxa_present",
    *_WITH_DONOR,
    *(f"{name}_{end}" for name in _WITH_DONOR for end in ("low", "high")),
    *(name for name in STRAIN_RATES.names if name.startswith(("strain_engraftment", "donor_strains", "donor_taxa"))),
    *("donor_sharing_rate_before", "engrafted_confirmed_rate", *STRAIN_RATE_COUNTS["engrafted_confirmed_rate"]),
    *("weighted_donor_fraction", "weighted_common_fraction", "strains_donor", "strains_coexist"),
}
_UNITS = {column.name: column.unit for column in (*STRAIN_RATES.columns, *RATES.columns)}


@dataclass(frozen=True)
class Settings:
    """How groups are compared.

    Parameters
    ----------
    by
        What makes the groups.
    covariates, strata
        Names of columns.
    permutations, interval, level, seed
        As in :func:`microbiome.compare.compare`.
    window
        First and last day, where not all days count.
    donors
        Donors of each subject that received any (:func:`microbiome.subject_groups.donor_sets`); None where not known.
    nobody
        Why no subject is left to be compared; empty where there are some.
    """

    by: str
    covariates: tuple[str, ...] = ()
    strata: str | None = None
    permutations: int = 9999
    interval: str = "logit_t"
    level: float = 0.95
    seed: int = 0
    window: tuple[int, int] | None = None
    donors: Mapping[str, tuple[str, ...]] | None = None
    nobody: str = ""

    def n_donors(self, subjects: pd.Series) -> int | None:
        """Return from how many donors these subjects received; None where not known."""
        if self.donors is None:
            return None
        return len({name for subject in subjects.unique() for name in self.donors.get(subject, ())})


@dataclass(frozen=True)
class Pair:
    """Two groups and one rate.

    Parameters
    ----------
    rate
        Name of the column compared.
    first, second
        Names of the groups; the first is the reference.
    samples
        One row per sample with a value, a group and every covariate: ``subject``, ``sample``, ``day``, ``group``,
        ``value``, ``stratum``, and the columns of the rates table.
    adjust
        **sample x column**, same index: the covariates as numbers.
    means
        One value per subject (index) of the primary analysis.
    analysis
        Which samples that rests on.
    everyone
        Group of each subject (index) that has a value on any day.
    notes
        What holds for every analysis of this pair.
    """

    rate: str
    first: str
    second: str
    samples: pd.DataFrame
    adjust: pd.DataFrame
    means: pd.Series
    analysis: Analysis
    everyone: pd.Series
    notes: tuple[str, ...] = field(default=())

    @property
    def second_of(self) -> pd.Series:
        """Whether each subject (index) is of the second group."""
        return self.everyone == self.second

    def row(self, method: str, by: str) -> Row:
        """Return the cells that every row of this pair has."""
        return {
            "rate": self.rate,
            "by": by,
            "groups": f"{self.second} - {self.first}",
            "method": method,
            "group_1": self.first,
            "group_2": self.second,
        }

    def counts(self, samples: pd.DataFrame, settings: Settings) -> Row:
        """Return how many subjects, samples and donors an analysis rests on, and how many subjects it leaves out."""
        row: Row = {
            "n_subjects": samples["subject"].nunique(),
            "n_samples": len(samples),
            "n_donors": settings.n_donors(samples["subject"]),
        }
        for end, group in (("1", self.first), ("2", self.second)):
            own = samples[samples["group"] == group]
            row[f"n_subjects_{end}"] = own["subject"].nunique()
            row[f"n_samples_{end}"] = len(own)
            row[f"n_left_out_{end}"] = int((self.everyone == group).sum()) - own["subject"].nunique()
        return row


def all_samples(days: pd.Series) -> str | None:
    """Say which days the analyses of all samples are made of."""
    if not len(days):
        return None
    low, high = days.min(), days.max()
    return f"all samples: day {low}" if low == high else f"all samples: days {low} to {high}"


def joined(notes: Sequence[str]) -> str | None:
    """Return the notes as one text, each once; None without any."""
    return "; ".join(dict.fromkeys(note for note in notes if note)) or None


def rate_values(rates: pd.DataFrame, name: str, problems: list[Problem]) -> pd.Series:
    """Return a column of the rates table as numbers, NaN where empty; anything else is added to the problems."""
    column = rates[name]
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64").astype("float64")
    wrong = column.notna() & (column.astype(str) != "") & ~np.isfinite(numbers)
    if wrong.any():
        value = str(column[wrong].iloc[0])
        problems.append(
            Problem(f"column {name!r} has {value!r}, which is not a number", "compare a rate", column=name, value=value)
        )
    return numbers


def covariate_columns(
    rates: pd.DataFrame,
    names: Sequence[str],
    subjects: pd.DataFrame,
    samples: pd.DataFrame | None,
    problems: list[Problem],
) -> pd.DataFrame:
    """Return covariates as numbers, one row per row of `rates`.

    Parameters
    ----------
    rates
        ``subject``, ``sample``.
    names
        Columns of `subjects` or, where it has none of that name, of `samples`.
    subjects
        By subject (:func:`microbiome.subject_groups.subject_columns`).
    samples
        The samples table; None without.
    problems
        Added to when there is no such column.

    Returns
    -------
    DataFrame
        A covariate that holds numbers only is one column of its name; any other has one column ``NAME=LEVEL`` of 0 and
        1 for each level but the first (in alphabetical order). NaN where missing.
    """
    known = {name: rates["subject"].map(subjects[name]) for name in subjects if name != "subject"}
    if samples is not None:
        of_sample = samples.set_index("sample")
        known |= {n: rates["sample"].map(of_sample[n]) for n in of_sample if n not in ("subject", *known)}
    found: dict[str, np.ndarray] = {}
    for name in names:
        if name not in known:
            problems.append(no_such_column(name, known, "covariate", "subjects"))
            continue
        text = as_groups(known[name])
        numbers = pd.to_numeric(text, errors="coerce").astype(float)
        if np.isfinite(numbers[text.notna()]).all():
            found[name] = numbers.to_numpy(dtype=float)
            continue
        for level in sorted(text.dropna().unique())[1:]:
            found[f"{name}={level}"] = np.where(text.isna(), np.nan, (text == level).astype(float))
    return pd.DataFrame(found, index=rates.index)


def is_fraction(rate: str, values: pd.Series) -> bool:
    """Tell whether a column holds fractions: as declared, else by its values."""
    return _UNITS[rate] == "fraction" if rate in _UNITS else bool(values.dropna().between(0, 1).all())


def is_count(rate: str) -> bool:
    """Tell whether a column of the rates table counts taxa."""
    return _UNITS.get(rate, "").startswith("taxa")


def needs_donor(rate: str) -> bool:
    """Tell whether a column means something else where the donor set is empty."""
    return rate in _NEEDS_DONOR


def empty_donor_set(rates: pd.DataFrame, donors: Mapping[str, tuple[str, ...]] | None) -> pd.Series:
    """Tell for each row of the rates table whether the subject had received no donor product by then."""
    if "donor_products" in rates:
        return pd.to_numeric(rates["donor_products"]).eq(0).fillna(False).astype(bool)
    if donors is not None:
        return ~rates["subject"].isin(donors.keys())
    return pd.Series(False, index=rates.index)
