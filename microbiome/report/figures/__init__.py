"""The figures: each function takes tidy frames and returns a Vega-Lite chart; nothing is counted here."""

from __future__ import annotations

from microbiome.report.figures.diversity import alpha, ordination, similarity
from microbiome.report.figures.fate import outcomes, rates, taxa
from microbiome.report.figures.trial import depth, reads, timeline

__all__ = ["alpha", "depth", "ordination", "outcomes", "rates", "reads", "similarity", "taxa", "timeline"]
