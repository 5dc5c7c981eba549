"""Many tests at once: the false discovery rate, and whether it can be reached at all."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["benjamini_hochberg", "tests_needed"]


def benjamini_hochberg(p: ArrayLike) -> np.ndarray:
    r"""Return the q-values of p-values.

    :math:`q_{(i)} = \min_{j \ge i} \min(1, m p_{(j)} / j)` over the m p-values that are not missing, in ascending
    order; R ``p.adjust(p, "BH")``.

    Parameters
    ----------
    p
        P-values; NaN for what was not tested.

    Returns
    -------
    ndarray
        q-values in the order of `p`, within 0..1; NaN stays NaN and does not count as a test.

    Raises
    ------
    ValueError
        A p-value outside 0..1.

    References
    ----------
    Benjamini & Hochberg, J R Stat Soc B 57:289 (1995), 10.1111/j.2517-6161.1995.tb02031.x.
    """
    values = np.asarray(p, dtype=float)
    q = np.full(values.shape, np.nan)
    tested = ~np.isnan(values)
    if tested.any():
        q[tested] = stats.false_discovery_control(values[tested], method="bh")
    return q


def tests_needed(p_floor: float, tests: int, q: float = 0.05) -> int:  # noqa: PT028 (no test)
    r"""Return how many tests must reach the smallest attainable p-value for Benjamini-Hochberg to find any of them.

    The smallest K with :math:`p_{floor} \le q K / m`: with fewer than K of m tests at the floor, no q-value can be at
    most q.

    Parameters
    ----------
    p_floor
        Smallest p-value that a test can give, above 0 and at most 1.
    tests
        How many tests are made, m.
    q
        The false discovery rate, above 0 and below 1.

    Returns
    -------
    int
        At least 1. More than `tests` where nothing can be found, whatever the data.

    Raises
    ------
    ValueError
        A number outside its range.

    Examples
    --------
    Four responders of ten subjects have 210 arrangements:

    >>> tests_needed(1 / 210, 1000)
    96
    """
    if not 0 < p_floor <= 1 or tests < 1 or not 0 < q < 1:
        raise ValueError(f"p_floor {p_floor}, {tests} tests and q {q} are not a floor, a number of tests and a rate")
    # Slightly less, so that rounding does not ask for one more: 0.05 * 3 / 0.05 is just above 3.
    return max(1, math.ceil(p_floor * tests / q * (1 - 1e-12)))


# pytest takes every function named test... for a test.
tests_needed.__test__ = False  # type: ignore[attr-defined]
