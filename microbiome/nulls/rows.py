"""Rows of the table of nulls, and what they have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse

from microbiome.nulls.material import Material
from microbiome.nulls.tables import LEVELS, NULLS
from microbiome.stats import TestResult, mean_interval
from microbiome.visits import Analysis, analysis_samples

__all__ = [
    "Chosen",
    "Plan",
    "Row",
    "as_frame",
    "choose",
    "join",
    "listed",
    "observed_interval",
    "row",
    "tested",
    "untestable",
]

Row = dict[str, object]

_MOST_PERMUTATIONS = 10**18
_DTYPES = {"integer": "Int64", "number": "float64"}


@dataclass(frozen=True)
class Chosen:
    """The post samples of a primary analysis, with weights that make every subject count once.

    Parameters
    ----------
    rows
        Index of each sample in the posts.
    subjects
        Subjects with such a sample, in ascending order.
    subject
        Position of the subject of each sample.
    weight
        Weight of each sample: samples within a visit, then visits, count the same; those of a subject sum to 1.
    days
        Day of each sample.
    analysis
        Which samples count, in words.
    """

    rows: np.ndarray
    subjects: tuple[str, ...]
    subject: np.ndarray
    weight: np.ndarray
    days: np.ndarray
    analysis: Analysis

    def means(self, values: np.ndarray) -> np.ndarray:
        """Average values of samples (along the first axis) within subjects."""
        where = (self.subject, np.arange(len(self.subject)))
        return np.asarray(sparse.csr_array((self.weight, where), (len(self.subjects), len(self.subject))) @ values)


@dataclass(frozen=True)
class Plan:
    """What was asked for; see :func:`microbiome.nulls.nulls`.

    Parameters
    ----------
    window, products, permutations, seed, levels
        As there.
    known
        Samples that were chosen already, by the samples that could count.
    """

    window: tuple[int, int] | None = None
    products: str = "common"
    permutations: int = 9999
    seed: int = 0
    levels: tuple[str, ...] = LEVELS
    known: dict[tuple[object, ...], Chosen] = field(default_factory=dict, compare=False)

    def choose(self, posts: pd.DataFrame) -> Chosen:
        """Choose the samples that count: those of :func:`choose`, worked out once for the same posts."""
        key = (*posts.index, *posts["sample"])
        if key not in self.known:
            self.known[key] = choose(posts, self.window)
        return self.known[key]


def choose(posts: pd.DataFrame, window: Sequence[int] | None = None) -> Chosen:
    """Choose the samples that count (:func:`microbiome.visits.analysis_samples`)."""
    analysis = analysis_samples(posts, window)
    used = analysis.samples
    subjects = tuple(sorted(set(used["subject"])))
    place = {subject: i for i, subject in enumerate(subjects)}
    in_visit = used.groupby(["subject", "visit"])["sample"].transform("size").to_numpy(dtype=float)
    visits = used.groupby("subject")["visit"].transform("nunique").to_numpy(dtype=float)
    return Chosen(
        rows=used.index.to_numpy(),
        subjects=subjects,
        subject=np.array([place[subject] for subject in used["subject"]], dtype=np.int64),
        weight=1 / (in_visit * visits),
        days=used["day"].to_numpy(dtype=np.int64),
        analysis=analysis,
    )


def row(m: Material, level: str, *cells: Mapping[str, object]) -> Row:
    """Return one row, put together from cells by column; those that are not given are missing."""
    known: Row = {"level": level, "detection": m.repaired.detection, "repair": m.repaired.method}
    for some in cells:
        known |= some
    return known


def tested(result: TestResult, method: str) -> Row:
    """Return the cells of a test."""
    return {
        "p_value": result.p_value,
        "p_floor": result.p_floor,
        "permutations": min(result.permutations, _MOST_PERMUTATIONS),
        "scheme": result.scheme,
        "method": method,
    }


def untestable(reason: str, *more: str) -> Row:
    """Return the cells of a row that cannot be tested."""
    return {"note": join(f"not testable: {reason}", *more)}


def observed_interval(values: Iterable[float]) -> Row:
    """Return the mean of rates of subjects, with its interval."""
    found = mean_interval(np.clip(np.asarray(list(values), dtype=float), 0, 1))
    return {"observed": found.estimate, "observed_ci_low": found.low, "observed_ci_high": found.high}


def join(*parts: str) -> str:
    """Put parts of a note together, empty ones left out."""
    return "; ".join(part for part in parts if part)


def listed(names: Mapping[str, str]) -> str:
    """Return names with what is said of each, those of whom the same is said together."""
    by_text: dict[str, list[str]] = {}
    for name, text in names.items():
        by_text.setdefault(text, []).append(name)
    return ", ".join(f"{', '.join(sorted(people))} ({text})" for text, people in sorted(by_text.items()))


def as_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a table with all declared columns."""
    columns = {}
    for column in NULLS.columns:
        cells = [one.get(column.name) for one in rows]
        if column.kind in _DTYPES:
            missing = [cell is None or (isinstance(cell, float) and math.isnan(cell)) for cell in cells]
            cells = [pd.NA if gone else cell for cell, gone in zip(cells, missing, strict=True)]
            if column.kind == "number":
                columns[column.name] = pd.array(cells, dtype="Float64").to_numpy(dtype=float, na_value=np.nan)
            else:
                columns[column.name] = pd.array(cells, dtype="Int64")
        else:
            columns[column.name] = np.array([cell or None for cell in cells], dtype=object)
    return pd.DataFrame(columns, columns=NULLS.names)
