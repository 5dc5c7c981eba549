"""``microbiome strains distances``."""

from __future__ import annotations

import argparse
import logging
import re

from microbiome.cli import options

__all__ = ["add", "part"]

logger = logging.getLogger(__name__)

# Options that name files of other programs, and the kinds of microbiome.strains.distance_files that each may be.
_SOURCES = {"tree": ("tree",), "mutations": ("mutations",), "samestr": ("samestr_events", "samestr_matrix")}


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "distances",
        _distances,
        "how far the strains of two samples are apart: from alleles, trees, tables of StrainPhlAn or SameStr",
        "Distances between the strains of all pairs of samples, taxon by taxon, in one table: computed from allele "
        "files, or read from what StrainPhlAn, strain_transmission.py, SameStr or this command wrote. A FILE may be "
        "given as TAXON=FILE where its name does not tell the taxon (as RAxML_bestTree.t__SGB6751.StrainPhlAn4.tre "
        "does).",
    )
    sources = parser.add_argument_group("sources (at least one)")
    for name, what in (
        ("alleles", "allele files, one per sample"),
        ("tree", "trees of StrainPhlAn (Newick): nGD, method ngd"),
        ("mutations", ".mutation of StrainPhlAn, method mutation_rate"),
    ):
        sources.add_argument(f"--{name}", nargs="+", action=options.Files, default=[], metavar="FILE", help=what)
    sources.add_argument(
        "--samestr",
        nargs="+",
        action=options.Files,
        default=[],
        metavar="FILE",
        help="SameStr: sstr_strain_events.tsv, or TAXON.fraction.txt (with TAXON.overlap.txt beside it), or the folder "
        "of the latter, method samestr",
    )
    sources.add_argument(
        "--table",
        nargs="+",
        action=options.Files,
        default=[],
        metavar="FILE",
        help="tables with taxon, sample_1, sample_2, distance (and sites, method, ...), .dist of "
        "strain_transmission.py, or any of the files above but alleles: told by the content",
    )
    parser.add_argument("--clade", nargs="+", metavar="TAXON", help="only these taxa (t__SGB...)")
    parser.add_argument(
        "--method",
        nargs="+",
        metavar="NAME",
        help="only distances of these methods (ngd, mutation_rate, ...); alleles give consensus, or shared_alleles (of "
        "popANI and MVS) when it is asked for",
    )
    parser.add_argument(
        "--part",
        type=part,
        metavar="K/N",
        help="of the allele files, only the K-th of N parts of the taxa; the parts are put together by --table",
    )
    parser.add_argument(
        "--minimum-sites",
        type=int,
        default=500,
        metavar="SITES",
        help="of alleles: a pair with fewer positions covered in both has no distance",
    )
    parser.add_argument(
        "--minimum-depth", type=int, default=1, metavar="READS", help="of alleles: a position is covered by so many"
    )
    options.output(parser)


def part(text: str) -> tuple[int, int]:
    """Read ``K/N`` of the command line."""
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a part such as 2/8")
    return int(found[1]), int(found[2])


def _distances(arguments: argparse.Namespace) -> None:
    from microbiome.errors import InputError, Problem
    from microbiome.strains.distance_files import read_distances, tidy_pairs
    from microbiome.tsv import write_table

    files = {name: getattr(arguments, name) for name in (*_SOURCES, "table")}
    if not any(files.values()) and not arguments.alleles:
        raise InputError(Problem("no source of distances", "give --alleles, --tree, --mutations, --samestr or --table"))
    frames = [read_distances(files[name], kinds) for name, kinds in _SOURCES.items() if files[name]]
    if files["table"]:
        frames.append(read_distances(files["table"]))
    if arguments.clade:
        frames = [frame[frame["taxon"].isin(arguments.clade)] for frame in frames]
    if arguments.alleles:
        from microbiome.strains.pairs import ALLELE_METHODS, allele_distances

        frames.append(
            allele_distances(
                arguments.alleles,
                arguments.clade,
                part=arguments.part,
                minimum_sites=arguments.minimum_sites,
                minimum_depth=arguments.minimum_depth,
                methods=[name for name in arguments.method or ("consensus",) if name in ALLELE_METHODS],
            )
        )
    table = frames[0] if len(frames) == 1 else tidy_pairs(frames)
    if arguments.method:
        table = table[table["method"].isin(arguments.method)]
    for clade in sorted(set(arguments.clade or []) - set(table["taxon"])):
        if not arguments.part:
            logger.warning("%s: no pair of samples", clade)
    write_table(table, arguments.output)
