"""Associations: every feature against response, toxicity, arm, time, covariates and features of another table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microbiome.associate.tables import ASSOCIATIONS

if TYPE_CHECKING:
    from microbiome.associate.analysis import associate

__all__ = ["ASSOCIATIONS", "associate"]


def __getattr__(name: str) -> object:
    """Import the analysis when it is asked for: the declaration of its table is needed more often."""
    if name == "associate":
        from microbiome.associate.analysis import associate

        return associate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
