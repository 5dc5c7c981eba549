"""One self-contained HTML file with everything that was found: tables in, page out."""

from __future__ import annotations

from microbiome.report.data import inputs
from microbiome.report.page import report

__all__ = ["inputs", "report"]
