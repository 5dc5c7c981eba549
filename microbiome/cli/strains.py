"""``microbiome strains ...``: whose strain it is."""

from __future__ import annotations

import argparse
import importlib

__all__ = ["add"]

# Modules of this package with a function ``add(subparsers)``, in the order of the help text.
_GROUPS = ("strain_alleles", "strain_distances", "strain_sharing", "strain_resolve", "strain_results")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = subparsers.add_parser(
        "strains",
        help="whose strain it is: alleles, distances, thresholds, sharing, donor fractions, rates, audit",
        description="Tell the strains of donor, baseline and post sample apart, from alignments or trees to rates.",
        allow_abbrev=False,
    )
    nested = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for group in _GROUPS:
        importlib.import_module(f"microbiome.cli.{group}").add(nested)
