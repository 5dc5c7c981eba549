"""Hypothesis strategies for whole studies, in one place."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from microbiome.study import Study


def samples_frame(rows: list[tuple[str, str, str, int | None]]) -> pd.DataFrame:
    """Samples table from (sample, subject, role, day)."""
    frame = pd.DataFrame(rows, columns=["sample", "subject", "role", "day"], dtype=object)
    frame.index = pd.RangeIndex(2, 2 + len(rows), name="line")
    return frame.astype({"day": "Int64"})


def doses_frame(rows: list[tuple[str, int, str, str | None]]) -> pd.DataFrame:
    """Doses table from (subject, day, donor, donor_sample)."""
    frame = pd.DataFrame(rows, columns=["subject", "day", "donor", "donor_sample"], dtype=object)
    frame.index = pd.RangeIndex(2, 2 + len(rows), name="line")
    return frame.astype({"day": "Int64"})


def abundance_frame(values: np.ndarray, samples: list[str]) -> pd.DataFrame:
    """Closed sample x taxon frame from counts; a row without counts becomes NaN."""
    totals = values.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        closed = values / totals
    taxa = [f"t__SGB{i + 1}" for i in range(values.shape[1])]
    return pd.DataFrame(
        closed, index=pd.Index(samples, name="sample", dtype=object), columns=pd.Index(taxa, name="taxon", dtype=object)
    )


@st.composite
def studies(draw: st.DrawFn, max_recipients: int = 4, max_taxa: int = 8) -> tuple[Study, pd.DataFrame]:
    """A study with placebo, pooled and repeated doses, missing profiles and baselines; and its abundances."""
    n_donors = draw(st.integers(1, 3))
    rows: list[tuple[str, str, str, int | None]] = []
    donor_samples: dict[str, list[str]] = {}
    for d in range(n_donors):
        donor_samples[f"D{d}"] = [f"D{d}.{k}" for k in range(draw(st.integers(1, 2)))]
        rows += [(name, f"D{d}", "donor", None) for name in donor_samples[f"D{d}"]]
    doses: list[tuple[str, int, str, str | None]] = []
    for r in range(draw(st.integers(1, max_recipients))):
        subject = f"R{r}"
        role = draw(st.sampled_from(["recipient", "recipient", "control"]))
        days = draw(st.lists(st.integers(-20, 60), min_size=1, max_size=5, unique=True))
        rows += [(f"{subject}.{k}", subject, role, day) for k, day in enumerate(days)]
        given = draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, n_donors - 1), st.booleans()), max_size=3))
        for i, (day, d, whole) in enumerate(given):
            sample = None if whole else donor_samples[f"D{d}"][0]
            doses.append((subject, 0 if i == 0 else day, f"D{d}", sample))
    names = [row[0] for row in rows]
    n_taxa = draw(st.integers(1, max_taxa))
    counts = draw(
        st.lists(
            st.lists(st.sampled_from([0, 0, 1, 5, 100]), min_size=n_taxa, max_size=n_taxa),
            min_size=len(names),
            max_size=len(names),
        )
    )
    study = Study(samples_frame(rows), doses=doses_frame(doses))
    return study, abundance_frame(np.array(counts, dtype=float), names)
