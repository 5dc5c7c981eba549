"""The figures: each function takes tidy frames and returns a Vega-Lite chart; nothing is counted here."""

from __future__ import annotations

from microbiome.report.figures.associations import network, volcano
from microbiome.report.figures.bars import decomposition, outcomes
from microbiome.report.figures.chance import overall, recipients
from microbiome.report.figures.clinical import hazard_ratios, kaplan_meier, response_rates
from microbiome.report.figures.comparison import effects, trajectories
from microbiome.report.figures.courses import spider, swimmer, waterfall
from microbiome.report.figures.diversity import alpha, ordination, similarity
from microbiome.report.figures.donors import auroc, donor_estimates, donor_tiles
from microbiome.report.figures.fate import rates, taxa
from microbiome.report.figures.functions import contributions
from microbiome.report.figures.limits import limits
from microbiome.report.figures.patients import patient
from microbiome.report.figures.sensitivity import over_thresholds, signs, thresholds
from microbiome.report.figures.single_taxa import retention, retention_of_taxa, taxon_rates
from microbiome.report.figures.strains import (
    donor_fractions,
    identities,
    persistence,
    source_bars,
    strain_bars,
    strain_tiles,
    sweep,
)
from microbiome.report.figures.toxicity import grade_bars, incidence
from microbiome.report.figures.trial import depth, reads, timeline

__all__ = [
    "alpha",
    "auroc",
    "contributions",
    "decomposition",
    "depth",
    "donor_estimates",
    "donor_fractions",
    "donor_tiles",
    "effects",
    "grade_bars",
    "hazard_ratios",
    "identities",
    "incidence",
    "kaplan_meier",
    "limits",
    "network",
    "ordination",
    "outcomes",
    "over_thresholds",
    "overall",
    "patient",
    "persistence",
    "rates",
    "reads",
    "recipients",
    "response_rates",
    "retention",
    "retention_of_taxa",
    "signs",
    "similarity",
    "source_bars",
    "spider",
    "strain_bars",
    "strain_tiles",
    "sweep",
    "swimmer",
    "taxa",
    "taxon_rates",
    "thresholds",
    "timeline",
    "trajectories",
    "volcano",
    "waterfall",
]
