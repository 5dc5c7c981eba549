"""Intervals, permutation tests, effect sizes and corrections for many tests; nothing here knows of FMT."""

from __future__ import annotations

from microbiome.stats.cliff import cliffs_delta
from microbiome.stats.effects import difference_by_permutation, hodges_lehmann
from microbiome.stats.intervals import (
    Interval,
    difference_interval,
    difference_within,
    mean_interval,
    proportion_interval,
    ratio_interval,
)
from microbiome.stats.multiplicity import benjamini_hochberg, tests_needed
from microbiome.stats.permutations import Design, restrict
from microbiome.stats.tests import TestResult, group_permutation, sign_flip

__all__ = [
    "Design",
    "Interval",
    "TestResult",
    "benjamini_hochberg",
    "cliffs_delta",
    "difference_by_permutation",
    "difference_interval",
    "difference_within",
    "group_permutation",
    "hodges_lehmann",
    "mean_interval",
    "proportion_interval",
    "ratio_interval",
    "restrict",
    "sign_flip",
    "tests_needed",
]
