"""The number of patients for a power, read off a monotone curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.special import ndtr, ndtri

__all__ = ["Needed", "curve", "monotone", "patients_needed"]


@dataclass(frozen=True)
class Needed:
    """Patients needed for a power.

    Parameters
    ----------
    n
        Whole number, rounded up; NaN where the power is not reached.
    low, high
        The same from the upper and the lower Monte Carlo bounds of the powers; NaN where these do not reach it.
    text
        The sentence.
    """

    n: float
    low: float
    high: float
    text: str


def monotone(n: np.ndarray, power: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return the powers made non-decreasing in `n` (ascending): isotonic least squares, weights `trials`."""
    return np.asarray(isotonic_regression(power, weights=trials).x) if len(n) else np.empty(0)


def patients_needed(table: pd.DataFrame, target: float = 0.8) -> Needed:
    r"""Return the number of patients at which the power reaches `target`.

    The powers are made non-decreasing in n, and between two neighbouring n the probit of the power is taken as linear
    in :math:`\sqrt n`, as it is for a test of a mean.

    Parameters
    ----------
    table
        ``n_subjects, power, ci_low, ci_high, trials`` of :data:`microbiome.power.tables.POWER`. Rows without a power
        are left out.
    target
        Power wanted, within 0..1.
    """
    known = table[table["power"].notna()].sort_values("n_subjects")
    if known.empty:
        return Needed(math.nan, math.nan, math.nan, f"{target:.0%} power: nothing could be tested")
    n = known["n_subjects"].to_numpy(dtype=float)
    trials = known["trials"].to_numpy(dtype=float)
    middle, upper, lower = (
        _crossing(n, monotone(n, known[name].to_numpy(dtype=float), trials), trials, target)
        for name in ("power", "ci_high", "ci_low")
    )
    fitted = monotone(n, known["power"].to_numpy(dtype=float), trials)
    name = f"{target:.0%}".replace("%", " %")
    if math.isnan(middle):
        text = f"{name} power is not reached up to n = {n[-1]:.0f} (power {fitted[-1]:.2f})"
    elif fitted[0] >= target:
        text = f"{name} power needs at most {n[0]:.0f} patients, the fewest looked at (power {fitted[0]:.2f})"
    else:
        end = f"more than {n[-1]:.0f}" if math.isnan(lower) else f"{lower:.0f}"
        text = f"{name} power needs {middle:.0f} patients ({upper:.0f} to {end} by Monte Carlo error)"
    return Needed(middle, upper, lower, text)


def _crossing(n: np.ndarray, power: np.ndarray, trials: np.ndarray, target: float) -> float:
    """Return the smallest whole n whose power is `target`; NaN where there is none up to the largest."""
    reached = np.flatnonzero(power >= target)
    if not len(reached):
        return math.nan
    after = int(reached[0])
    if after == 0:
        return float(n[0])
    # A power of 0 or 1 has no probit: half a trial is put between.
    room = 0.5 / trials
    probit = ndtri(np.clip(power, room, 1 - room))[after - 1 : after + 1]
    aim = min(float(ndtri(target)), float(probit[1]))
    root = np.sqrt(n[after - 1 : after + 1])
    share = (aim - probit[0]) / (probit[1] - probit[0]) if probit[1] > probit[0] else 1.0
    return float(math.ceil((root[0] + share * (root[1] - root[0])) ** 2 - 1e-9))


def curve(table: pd.DataFrame, points: int = 200) -> pd.DataFrame:
    """Return the curve that :func:`patients_needed` reads off: ``n_subjects, power``, over the range of n.

    Empty with fewer than two rows that have a power.
    """
    known = table[table["power"].notna()].sort_values("n_subjects")
    if len(known) < 2:
        return pd.DataFrame({"n_subjects": np.empty(0), "power": np.empty(0)})
    n, trials = known["n_subjects"].to_numpy(dtype=float), known["trials"].to_numpy(dtype=float)
    room = 0.5 / trials
    probit = ndtri(np.clip(monotone(n, known["power"].to_numpy(dtype=float), trials), room, 1 - room))
    at = np.linspace(n[0], n[-1], points)
    return pd.DataFrame({"n_subjects": at, "power": ndtr(np.interp(np.sqrt(at), np.sqrt(n), probit))})
