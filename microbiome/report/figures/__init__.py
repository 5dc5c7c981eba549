"""The figures: each function takes tidy frames and returns a Vega-Lite chart; nothing is counted here."""

from __future__ import annotations

from microbiome.report.figures.bars import decomposition, outcomes
from microbiome.report.figures.chance import overall, recipients
from microbiome.report.figures.comparison import effects, trajectories
from microbiome.report.figures.diversity import alpha, ordination, similarity
from microbiome.report.figures.fate import rates, taxa
from microbiome.report.figures.limits import limits
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
from microbiome.report.figures.trial import depth, reads, timeline

__all__ = [
    "alpha",
    "decomposition",
    "depth",
    "donor_fractions",
    "effects",
    "identities",
    "limits",
    "ordination",
    "outcomes",
    "over_thresholds",
    "overall",
    "persistence",
    "rates",
    "reads",
    "recipients",
    "retention",
    "retention_of_taxa",
    "signs",
    "similarity",
    "source_bars",
    "strain_bars",
    "strain_tiles",
    "sweep",
    "taxa",
    "taxon_rates",
    "thresholds",
    "timeline",
    "trajectories",
]
