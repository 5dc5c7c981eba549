"""What became of each taxon over all subjects: lost, engrafted, retained, changed, and how much that is of a sample."""

from __future__ import annotations

from microbiome.taxa.curves import retention
from microbiome.taxa.fates import remarks, taxa, top
from microbiome.taxa.shares import decomposition
from microbiome.taxa.shifts import changes

__all__ = ["changes", "decomposition", "remarks", "retention", "taxa", "top"]
