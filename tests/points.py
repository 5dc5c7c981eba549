"""Distances of made-up points, and the tables that go with them, for the tests of PERMANOVA."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from skbio import DistanceMatrix

from microbiome.diversity import permanova


def distances_of(points: np.ndarray, metric: str = "euclidean") -> DistanceMatrix:
    return DistanceMatrix(squareform(pdist(points, metric)), [f"s{i}" for i in range(len(points))])


def frame_of(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    frame.insert(0, "sample", [f"s{i}" for i in range(len(frame))])
    return frame


def letters(codes: object) -> list[str]:
    return [chr(97 + int(code)) for code in np.asarray(codes)]


def one(*arguments: object, **options: object) -> pd.Series:
    return permanova(*arguments, **options).iloc[0]  # type: ignore[arg-type]
