"""Calibration: what every test and interval of the package does on simulated trials, published as docs/calibration.md.

``python -m microbiome.calibration`` (``make calibration``) simulates, tabulates, draws and writes the page.
"""

from __future__ import annotations
