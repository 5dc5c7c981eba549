"""What goes into the functions of this package: numbers, one per subject, of which some may be missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["check_level", "present"]


def present(values: ArrayLike) -> np.ndarray:
    """Return the numbers that are not missing (NaN), in ascending order: no result depends on the order of subjects.

    Raises
    ------
    ValueError
        A value that is infinite, or a table instead of one number per subject.
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1:
        raise ValueError(f"one number per subject is needed, not an array of shape {numbers.shape}")
    numbers = np.sort(numbers[~np.isnan(numbers)])
    if not np.isfinite(numbers).all():
        raise ValueError("a value is infinite")
    return numbers


def check_level(level: float) -> None:
    """Raise ValueError unless `level` is a confidence level between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, such as 0.95, and is not {level}")
