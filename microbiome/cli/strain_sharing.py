"""``microbiome strains thresholds``, ``microbiome strains share`` and ``microbiome strains sweep``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from microbiome.cli import options

if TYPE_CHECKING:
    from microbiome.strains.rules import Rule

__all__ = ["add"]

_RULES = ("model", "percentile_table", "youden", "percentile_3", "samestr", "instrain", "fixed")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "thresholds",
        _thresholds,
        "where the same strain ends, taxon by taxon: with origin, pairs and the false sharing it implies",
        "Find the cut between same strain and different strains of every taxon: by a model of the distances (of pairs "
        "of one person without a dose between, and of unrelated people, of whom an unknown part has the same strain), "
        "or by a published rule.",
    )
    _study(parser)
    _rule(parser)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "share",
        _share,
        "which pairs of samples have the same strain: call, probability and threshold",
        "Call every pair of samples: the same dominant strain, another one, or unresolved; and any strain in common "
        "where the distances tell. Under the model with the posterior probability, which knows one person from two but "
        "not who received what.",
    )
    _study(parser)
    _rule(parser)
    parser.add_argument(
        "--certain",
        type=float,
        metavar="P",
        help="leave calls unresolved whose probability is below this (0.5 to 1); without, each pair is called",
    )
    parser.add_argument(
        "--least-evidence",
        type=float,
        default=2.0,
        metavar="FACTOR",
        help="under the model, leave a pair unresolved whose Bayes factor is below this either way: too few positions "
        "to tell; 1 calls each pair",
    )
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "sweep",
        _sweep,
        "how much is shared at every cut, by relation: own donor, other donors, same person, unrelated",
        "Part of the pairs at or below every cut, by relation of the two samples; each person or pair of people counts "
        "once, with an interval over people.",
    )
    _study(parser)
    parser.add_argument(
        "--cuts", nargs="+", type=float, metavar="DISTANCE", help="the cuts; without, a series over all distances"
    )
    parser.add_argument(
        "--relative",
        action="store_true",
        help="cuts are multiples of the typical distance of different strains of the taxon",
    )
    options.output(parser)


def _study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--distances",
        required=True,
        nargs="+",
        metavar="FILE",
        help="output of `microbiome strains distances`, or any file that it reads but alleles",
    )
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)


def _rule(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rule",
        default="model",
        choices=_RULES,
        help="model; percentile_table of MetaPhlAn (--percentiles); youden, capped at the 5th percentile of unrelated "
        "pairs; percentile_3 of unrelated pairs; samestr (MVS >= 0.999, more than 5000 positions); instrain (popANI >= "
        "0.99999); fixed (--value)",
    )
    parser.add_argument("--value", type=float, metavar="DISTANCE", help="the cut of rule fixed")
    parser.add_argument(
        "--percentiles",
        metavar="TSV",
        help="the table of rule percentile_table: SGB, used_nGD_score_percentile (percentiles as fractions, not "
        "distances)",
    )


def _rule_of(arguments: argparse.Namespace) -> Rule:
    from microbiome.errors import InputError, Problem
    from microbiome.strains.rules import PERCENTILES, Rule
    from microbiome.tsv import read_table

    for name, rule in (("value", "fixed"), ("percentiles", "percentile_table")):
        if getattr(arguments, name) is not None and arguments.rule != rule:
            raise InputError(Problem(f"--{name} belongs to rule {rule}", f"add --rule {rule}, or leave it out"))
    percentiles = None
    if arguments.percentiles is not None:
        table = read_table(arguments.percentiles, PERCENTILES)
        percentiles = dict(zip(table["SGB"], table["used_nGD_score_percentile"], strict=True))
    return Rule(arguments.rule, arguments.value, percentiles)


def _thresholds(arguments: argparse.Namespace) -> None:
    from microbiome.strains.distance_files import read_distances
    from microbiome.strains.thresholds import thresholds
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    rule = _rule_of(arguments)
    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    write_table(thresholds(read_distances(arguments.distances), study, rule), arguments.output)


def _share(arguments: argparse.Namespace) -> None:
    from microbiome.strains.distance_files import read_distances
    from microbiome.strains.share import share
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    rule = _rule_of(arguments)
    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    pairs = read_distances(arguments.distances)
    table = share(pairs, study, rule, arguments.certain, arguments.least_evidence)
    write_table(table, arguments.output)


def _sweep(arguments: argparse.Namespace) -> None:
    from microbiome.strains.distance_files import read_distances
    from microbiome.strains.sweep import sweep
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    table = sweep(read_distances(arguments.distances), study, arguments.cuts, arguments.relative)
    comments = ["cut is a multiple of the typical distance of different strains of the taxon"]
    write_table(table, arguments.output, comments if arguments.relative else ())
