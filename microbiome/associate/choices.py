"""What is the same for all tests of a table, and the rows that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from microbiome.associate.subject_level import Settings

__all__ = ["Options", "Rows"]


@dataclass(frozen=True)
class Options:
    """What is the same for all tests.

    Parameters
    ----------
    method, detection, days
        As in :func:`microbiome.associate.associate`.
    settings
        Permutations, seed and level; covariates and strata by subject are put in for each test.
    covariates
        Values by subject (index), or None.
    day_covariate
        Whether the day is held constant over repeated measures.
    strata
        Stratum of each subject, or None.
    """

    method: str
    detection: float
    days: Sequence[int] | None
    settings: Settings
    covariates: pd.DataFrame | None
    day_covariate: bool
    strata: pd.Series | None

    @property
    def adjusted(self) -> bool:
        """Whether anything is held constant among subjects."""
        return self.covariates is not None or self.strata is not None

    def of(self, subjects: Sequence[str]) -> Settings:
        """Return the settings of a test of these subjects; who has no stratum has missing covariates."""
        z = None if self.covariates is None else self.covariates.reindex(subjects).to_numpy(dtype=float)
        code = None
        if self.strata is not None:
            code, _ = pd.factorize(self.strata.reindex(subjects).to_numpy(dtype=object), sort=True)
            lacking = np.where(code < 0, np.nan, 0.0)[:, np.newaxis]
            z = lacking if z is None else np.column_stack([z, lacking])
        return replace(self.settings, covariates=z, strata=code)

    def columns(self, subjects: np.ndarray, day: np.ndarray) -> np.ndarray | None:
        """Return **row x column** of what a model over rows holds constant."""
        own = self.of(list(subjects))
        blocks = [] if own.covariates is None else [own.covariates]
        if own.strata is not None and own.strata.max(initial=0) > 0:
            blocks.append((own.strata[:, np.newaxis] == np.arange(1, own.strata.max() + 1)).astype(float))
        if self.day_covariate:
            blocks.append(day[:, np.newaxis])
        return np.column_stack(blocks) if blocks else None


@dataclass(frozen=True)
class Rows:
    """Rows of two tables that belong together (or of one), in the order of subjects and days.

    Parameters
    ----------
    frame
        ``subject``, ``day`` and, of pairs, ``day_2``.
    """

    frame: pd.DataFrame

    @property
    def subjects(self) -> np.ndarray:
        """Subject of each row."""
        return self.frame["subject"].to_numpy(dtype=object).astype(str)

    @property
    def day(self) -> np.ndarray:
        """Day of each row."""
        return self.frame["day"].astype("Float64").astype(float).to_numpy()
