"""Rates between groups of subjects, and over the days."""

from __future__ import annotations

from microbiome.compare.analysis import compare
from microbiome.compare.checks import INTERVALS
from microbiome.compare.reading import read_rates
from microbiome.compare.tables import COMPARE, COMPARE_METHODS, SCALES, TRAJECTORIES
from microbiome.compare.trajectories import trajectories

__all__ = [
    "COMPARE",
    "COMPARE_METHODS",
    "INTERVALS",
    "SCALES",
    "TRAJECTORIES",
    "compare",
    "read_rates",
    "trajectories",
]
