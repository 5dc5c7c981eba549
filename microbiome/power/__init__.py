"""How many patients a trial needs: power against n by simulation, for a stated effect, design and depth."""

from __future__ import annotations

from microbiome.power.needed import Needed, patients_needed
from microbiome.power.parameters import panel_parameters
from microbiome.power.pilot import Pilot, pilot, pilot_power
from microbiome.power.simulated import power

__all__ = ["Needed", "Pilot", "panel_parameters", "patients_needed", "pilot", "pilot_power", "power"]
