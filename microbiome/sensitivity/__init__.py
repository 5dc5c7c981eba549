"""Every rate and every test of it over thresholds of detection and depths."""

from __future__ import annotations

from microbiome.sensitivity.analysis import DEPTHS, THRESHOLDS, sensitivity
from microbiome.sensitivity.tables import SENSITIVITY, SENSITIVITY_RATES

__all__ = ["DEPTHS", "SENSITIVITY", "SENSITIVITY_RATES", "THRESHOLDS", "sensitivity"]
