"""Associations: every feature against response, toxicity, arm, time, covariates and features of another table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microbiome.associate.tables import ASSOCIATIONS
from microbiome.lazy import lazy

if TYPE_CHECKING:
    from microbiome.associate.analysis import associate

__all__ = ["ASSOCIATIONS", "associate"]


__getattr__ = lazy(__name__, {"associate": "analysis"})
