"""The sections of the page, each made from the tables it is about."""

from __future__ import annotations

from microbiome.report.sections.associations import associations
from microbiome.report.sections.chance import chance
from microbiome.report.sections.clinical import clinical
from microbiome.report.sections.comparison import comparisons
from microbiome.report.sections.decomposition import decomposition
from microbiome.report.sections.diversity import alpha, beta, similarity
from microbiome.report.sections.donors import donors
from microbiome.report.sections.fate import outcomes, rates
from microbiome.report.sections.function import function
from microbiome.report.sections.limits import limits
from microbiome.report.sections.patients import patients
from microbiome.report.sections.reads import reads
from microbiome.report.sections.sensitivity import sensitivity
from microbiome.report.sections.strains import strains
from microbiome.report.sections.taxa import taxa
from microbiome.report.sections.toxicity import toxicity
from microbiome.report.sections.trial import glance

__all__ = [
    "alpha",
    "associations",
    "beta",
    "chance",
    "clinical",
    "comparisons",
    "decomposition",
    "donors",
    "function",
    "glance",
    "limits",
    "outcomes",
    "patients",
    "rates",
    "reads",
    "sensitivity",
    "similarity",
    "strains",
    "taxa",
    "toxicity",
]
