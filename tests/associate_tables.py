"""Tables of measurements and studies for the tests of associations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from microbiome.molecules import Measured
from microbiome.study import Study

NO_DOSES = pd.DataFrame(columns=["subject", "day", "donor", "donor_sample"])


def measured(
    name: str,
    values: np.ndarray | pd.DataFrame,
    subjects: Sequence[str],
    days: Sequence[int],
    below: np.ndarray | None = None,
    transform: str = "none",
) -> Measured:
    """Make a table of rows (subject, day), features f0, f1, ... unless named."""
    index = pd.Index([f"{subject} day {day}" for subject, day in zip(subjects, days, strict=True)])
    frame = pd.DataFrame(values)
    columns = [f"f{i}" for i in range(frame.shape[1])] if isinstance(values, np.ndarray) else list(frame.columns)
    frame = pd.DataFrame(frame.to_numpy(dtype=float), index=index, columns=columns)
    rows = pd.DataFrame({"subject": list(subjects), "day": pd.array(list(days), dtype="Int64"), "sample": None})
    rows.index = index
    limits = pd.DataFrame() if below is None else pd.DataFrame(below, index=index, columns=columns)
    return Measured(name, frame, rows, limits, transform=transform)


def study_of(subjects: pd.DataFrame, doses: pd.DataFrame = NO_DOSES) -> Study:
    """Make a study of a subjects table; samples play no part."""
    return Study(pd.DataFrame(columns=["sample", "subject", "role", "day"]), subjects, doses)


def cross_section(values: np.ndarray, seed: int = 0, name: str = "taxa") -> tuple[Measured, Study]:
    """Make a table of one baseline row per subject and a study with random groups and numbers."""
    n = len(values)
    names = [f"S{i:03d}" for i in range(n)]
    rng = np.random.default_rng(seed)
    subjects = pd.DataFrame(
        {
            "subject": names,
            "arm": rng.permutation(np.where(np.arange(n) < n // 2, "fmt", "placebo")),
            "age": rng.normal(60, 9, n),
            "centre": np.where(rng.random(n) < 0.5, "a", "b"),
        }
    )
    return measured(name, values, names, [0] * n), study_of(subjects)
