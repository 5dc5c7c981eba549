"""Checks of what the keys under ``strains`` name: distances, the table of percentiles, programs of StrainPhlAn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microbiome.config_strains import runs_strainphlan, strain_method
from microbiome.errors import Problem, collecting
from microbiome.tools import STRAINPHLAN_TOOLS, Tool
from microbiome.tsv import parse_table
from microbiome.workflow_strains import allele_files, distance_files

__all__ = ["strain_problems", "strain_tools"]


def strain_problems(settings: Mapping[str, Any], whole: bool) -> list[Problem]:
    """Look at the files that the configuration names for strains.

    Parameters
    ----------
    settings
        Validated configuration.
    whole
        Read distances to their end. Otherwise only whether each file is there: the workflow asks at every start.
    """
    problems: list[Problem] = []
    if strain_method(settings) == "distances":
        problems += _distance_problems(distance_files(settings), whole)
    if strain_method(settings) == "alleles" and settings["strains"]["alleles"]:
        from microbiome.strains.pairs import open_all

        # Their heads are read only.
        with collecting(problems):
            open_all(allele_files(settings))
    percentiles = settings["strains"]["percentiles"]
    if percentiles and settings["strains"]["rule"] == "percentile_table":
        from microbiome.strains.rules import PERCENTILES

        problems += parse_table(percentiles, PERCENTILES)[1]
    return problems


def _distance_problems(files: list[str], whole: bool) -> list[Problem]:
    # Imported late: what reads trees takes a second and 60 MB to load, and few configurations need it.
    from microbiome.strains.distance_files import read_distances
    from microbiome.strains.trees import taxon_and_path

    problems: list[Problem] = []
    absent = [file for file in files if not taxon_and_path(file)[1].exists()]
    for file in absent:
        path = str(taxon_and_path(file)[1])
        problems.append(Problem("the file does not exist", "correct strains.distances", path, value=file))
    if whole and files and not absent:
        with collecting(problems):
            read_distances(files)
    return problems


def strain_tools(settings: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Return the programs that StrainPhlAn needs, where it is run."""
    return STRAINPHLAN_TOOLS if settings["units"] and runs_strainphlan(settings) else ()
