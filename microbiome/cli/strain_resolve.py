"""``microbiome strains resolve``."""

from __future__ import annotations

import argparse

from microbiome.cli import options
from microbiome.cli.strain_distances import part
from microbiome.strains.tables import PRESENT

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand of this group."""
    parser = options.add_command(
        subparsers,
        "resolve",
        _resolve,
        "whose strains each post sample has: parts of donor, baseline and others, with intervals",
        "For every taxon of a post sample that the donor or the baseline has as well: which part of it are strains of "
        "the donor, of the baseline, or of neither, by maximum likelihood from the reads (--alleles), or the calls of "
        "pairs (--shared) where there are no alleles.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--alleles", nargs="+", action=options.Files, metavar="FILE", help="allele files of all samples"
    )
    source.add_argument("--shared", metavar="TSV", help="table of `strains share`, where there are only distances")
    options.samples(parser)
    options.doses(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--outcomes", metavar="TSV", help="table of `outcomes`: which taxa to look at, and their outcome")
    what.add_argument(
        "--profile",
        nargs="+",
        action=options.Files,
        metavar="FILE",
        help="profiles, from which the outcomes are made; without either a taxon is where the allele files have it",
    )
    parser.add_argument("--detection", type=float, default=0.0, help="with --profile: a taxon is detected above this")
    parser.add_argument("--clade", nargs="+", metavar="SGB", help="only these taxa (t__SGB...)")
    parser.add_argument("--part", type=part, metavar="K/N", help="only the k-th of n parts of the taxa")
    parser.add_argument(
        "--minimum-sites",
        type=int,
        metavar="N",
        default=10,
        help="positions that tell the sources apart (distinguishing_sites) below which it is unresolved",
    )
    parser.add_argument(
        "--minimum-fraction",
        type=float,
        default=PRESENT,
        help="smallest part that counts as present, if it is significant",
    )
    parser.add_argument("--bootstraps", type=int, default=200, help="draws of the markers for the intervals")
    parser.add_argument("--sources", metavar="FILE", help="also write the part of every single source (TSV)")
    options.seed(parser)
    options.output(parser)


def _resolve(arguments: argparse.Namespace) -> None:
    from microbiome.metaphlan import read_abundance
    from microbiome.outcomes import outcomes
    from microbiome.strains.resolve import resolve_alleles
    from microbiome.strains.resolve_calls import resolve_calls
    from microbiome.strains.tables import STRAIN_SHARED
    from microbiome.study import read_study
    from microbiome.tables import OUTCOMES
    from microbiome.tsv import read_result, write_table

    study = read_study(arguments.samples, None, arguments.doses)
    table = None
    if arguments.outcomes:
        table = read_result(arguments.outcomes, OUTCOMES)
    elif arguments.profile:
        table = outcomes(read_abundance(arguments.profile), study, arguments.detection)
    if arguments.shared:
        shared = read_result(arguments.shared, STRAIN_SHARED)
        resolved, sources = resolve_calls(shared, study, table, arguments.clade)
    else:
        resolved, sources = resolve_alleles(
            arguments.alleles,
            study,
            table,
            arguments.clade,
            arguments.part,
            arguments.minimum_sites,
            arguments.minimum_fraction,
            arguments.bootstraps,
            arguments.seed,
        )
    if arguments.sources:
        write_table(sources, arguments.sources)
    write_table(resolved, arguments.output)
