"""What chance alone would do: engraftment against re-assigned donors, depletion against turnover without FMT."""

from __future__ import annotations

from microbiome.nulls.table import PRODUCTS, nulls
from microbiome.nulls.tables import LEVELS, NULL_NAMES, NULLS

__all__ = ["LEVELS", "NULLS", "NULL_NAMES", "PRODUCTS", "nulls"]
