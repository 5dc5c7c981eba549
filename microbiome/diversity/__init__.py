"""Diversity within samples, distances between them, and what the distances tell."""

from __future__ import annotations

from microbiome.diversity.alpha import ALPHA_METRICS, alpha
from microbiome.diversity.beta import BETA_METRICS, BOUNDED_METRICS, beta
from microbiome.diversity.distances import read_distances, read_metric, write_distances
from microbiome.diversity.factors import samples_of, with_subjects
from microbiome.diversity.ordination import Ordination, ordinate
from microbiome.diversity.permanova import permanova
from microbiome.diversity.similarity import similarity
from microbiome.diversity.tree import read_tree

__all__ = [
    "ALPHA_METRICS",
    "BETA_METRICS",
    "BOUNDED_METRICS",
    "Ordination",
    "alpha",
    "beta",
    "ordinate",
    "permanova",
    "read_distances",
    "read_metric",
    "read_tree",
    "samples_of",
    "similarity",
    "with_subjects",
    "write_distances",
]
