"""Columns that all tests of toxicity write: of a result, or of the reason why there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microbiome.stats import TestResult

__all__ = ["Row", "joined", "outcome_reason", "tested", "untestable"]

Row = dict[str, Any]
# What is written of huge numbers of arrangements.
_MOST_WRITTEN = 10**18


def joined(*texts: str | None) -> str | None:
    """Return the texts that there are as one note; None without any."""
    return "; ".join(text for text in texts if text) or None


def tested(result: TestResult) -> Row:
    """Return the columns of a test."""
    if math.isnan(result.p_value):
        return {"p_floor": 1.0}
    return {
        "p_value": result.p_value,
        "p_floor": result.p_floor,
        "permutations": min(result.permutations, _MOST_WRITTEN),
        "scheme": result.scheme,
    }


def untestable(reason: str) -> Row:
    """Return the columns of a test that cannot be made."""
    return {"p_floor": 1.0, "note": f"not testable: {reason}"}


def outcome_reason(severe: np.ndarray) -> str:
    """Say why nothing can be tested with these outcomes; empty where something can."""
    if not len(severe):
        return "no recipient"
    if severe.all():
        return "all recipients are severe"
    return "" if severe.any() else "no recipient is severe"
