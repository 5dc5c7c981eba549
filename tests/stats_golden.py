"""Golden values of the statistics, and what the tests of them share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from microbiome.stats import Interval

# Numbers such as rates: whole hundredths, so that ties are frequent and sums of them exact enough to reason about.
rates = st.integers(0, 100).map(lambda hundredths: hundredths / 100)


def read(golden: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(golden / f"stats_{name}.tsv", sep="\t", float_precision="round_trip")


def values_of(golden: Path, dataset: str, group: str) -> np.ndarray:
    data = read(golden, "data")
    return data.loc[(data["dataset"] == dataset) & (data["group"] == group), "value"].to_numpy()


def bounds(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def same(one: Interval, two: Interval, tolerance: float = 1e-12) -> bool:
    """Tell whether two intervals are the same numbers, missing ones included, by the same method."""
    numbers = [[i.estimate, i.low, i.high, float(i.n)] for i in (one, two)]
    return one.method == two.method and np.allclose(*numbers, rtol=tolerance, atol=tolerance, equal_nan=True)
