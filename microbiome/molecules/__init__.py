"""Tables of other molecules and of cells: metabolites, cytokines, flow cytometry.

Functions are imported from their modules when first used: the declarations of the tables stay cheap to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from microbiome.lazy import lazy

if TYPE_CHECKING:
    from microbiome.molecules.fates import from_outcomes, from_rates
    from microbiome.molecules.joining import Joined, join, joins_table
    from microbiome.molecules.measured import Measured
    from microbiome.molecules.reading import from_profile, parse_measured, parse_rows, read_measured
    from microbiome.molecules.transforms import TRANSFORMS, filled, transform_values, transformed

__all__ = [
    "TRANSFORMS",
    "Joined",
    "Measured",
    "filled",
    "from_outcomes",
    "from_profile",
    "from_rates",
    "join",
    "joins_table",
    "parse_measured",
    "parse_rows",
    "read_measured",
    "transform_values",
    "transformed",
]

_MODULES = {
    "Joined": "joining",
    "Measured": "measured",
    "TRANSFORMS": "transforms",
    "filled": "transforms",
    "from_outcomes": "fates",
    "from_profile": "reading",
    "from_rates": "fates",
    "join": "joining",
    "joins_table": "joining",
    "parse_measured": "reading",
    "parse_rows": "reading",
    "read_measured": "reading",
    "transform_values": "transforms",
    "transformed": "transforms",
}


__getattr__ = lazy(__name__, _MODULES)
