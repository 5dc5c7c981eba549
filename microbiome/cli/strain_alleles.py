"""``microbiome strains alleles``."""

from __future__ import annotations

import argparse

from microbiome.cli import options
from microbiome.strains.allele_settings import AlleleSettings

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand of this group."""
    parser = options.add_command(
        subparsers,
        "alleles",
        _alleles,
        "allele counts of one sample, from the alignment that MetaPhlAn made (-s)",
        "Count the bases at every position of the markers of each SGB. One compact file per sample, made once.",
    )
    parser.add_argument(
        "--alignment",
        required=True,
        metavar="FILE",
        help="SAM (plain, .bz2, .gz) or BAM of the reads against the markers",
    )
    parser.add_argument(
        "--database",
        metavar="PKL",
        help="mpa_v....pkl: which marker belongs to which SGB; without it the names of the markers tell (the same, and "
        "quicker with a database of millions)",
    )
    parser.add_argument(
        "--sample", metavar="NAME", help="name of the sample; default: that of the alignment up to .sam"
    )
    defaults = AlleleSettings()
    for name, kind, meaning in _FILTERS:
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=kind, default=getattr(defaults, name), metavar="N", help=meaning)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="allele file to write")


_FILTERS = (
    ("min_base_quality", int, "bases of a lower quality are passed over"),
    ("min_mapq", int, "reads of a lower mapping quality are passed over"),
    ("min_identity", float, "reads with a smaller part of matching bases are passed over"),
    ("min_length", int, "shorter alignments are passed over, in bases"),
    ("edge", int, "positions left out at either end of a marker, where reads are aligned badly"),
    ("min_breadth", float, "SGBs with a smaller part of their positions covered are left out"),
    ("min_depth", float, "SGBs with a smaller mean depth over covered positions are left out"),
)


def _alleles(arguments: argparse.Namespace) -> None:
    from microbiome.strains.alleles import alleles

    settings = AlleleSettings(**{name: getattr(arguments, name) for name, *_ in _FILTERS})
    alleles(arguments.alignment, arguments.output, arguments.database, arguments.sample, settings)
