"""``microbiome compare`` and ``microbiome trajectories``."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]

_INTERVALS = ("logit_t", "t", "percentile", "bca")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "compare",
        _compare,
        "rates between groups of subjects",
        "Compare rates between groups of subjects, in three ways: one value per subject with permuted labels "
        "(the primary analysis), a mixed model over all samples adjusted for richness, depth and lag, and the pooled "
        "Wilcoxon test of published figures, which takes the samples of a person for independent.",
    )
    _common(parser, by_required=True)
    parser.add_argument(
        "--samples",
        metavar="TSV",
        help="samples table, for covariates that are columns of it: sample, subject, role, day",
    )
    parser.add_argument(
        "--window",
        nargs=2,
        type=int,
        metavar="DAY",
        help="first and last day that count; without it the visits that all subjects have (mixed model and Wilcoxon: "
        "all samples)",
    )
    parser.add_argument(
        "--covariate",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of the subjects (or samples) table to hold constant: numbers as they are, words as groups",
    )
    parser.add_argument("--strata", metavar="COLUMN", help="permute within these groups of subjects, such as a centre")
    parser.add_argument("--permutations", type=int, default=9999, metavar="N", help="random permutations")
    options.seed(parser)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "trajectories",
        _trajectories,
        "rates of groups of subjects over the days",
        "Mean of each rate over subjects at each visit, with interval, the change from the first visit, and how many "
        "subjects have left by then.",
    )
    _common(parser, by_required=False)
    options.seed(parser)
    options.output(parser)


def _common(parser: argparse.ArgumentParser, by_required: bool) -> None:
    parser.add_argument(
        "--rates",
        required=True,
        metavar="TSV",
        help="table written by `microbiome rates`, or any with one row per sample",
    )
    options.subjects(parser, required=by_required)
    parser.add_argument(
        "--by",
        required=by_required,
        metavar="COLUMN",
        help="column of the subjects table that makes the groups (responder is derived from best_response), or donor",
    )
    parser.add_argument(
        "--rate",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns of the rates table; all rates when not given. Counts are allowed, and follow baseline richness",
    )
    options.among(parser)
    options.doses(parser, required=False)
    options.group_order(parser)
    parser.add_argument(
        "--interval",
        default="logit_t",
        choices=_INTERVALS,
        help="interval of the mean of a group; percentile and bca miss too often with fewer than 30 subjects",
    )
    options.confidence(parser)


def _compare(arguments: argparse.Namespace) -> None:
    from microbiome.among import parse_among
    from microbiome.compare import compare, read_rates
    from microbiome.tables import DOSES, SAMPLES, SUBJECTS
    from microbiome.tsv import read_table, write_table

    table = compare(
        read_rates(arguments.rates),
        read_table(arguments.subjects, SUBJECTS),
        arguments.by,
        arguments.rate,
        read_table(arguments.doses, DOSES) if arguments.doses else None,
        read_table(arguments.samples, SAMPLES) if arguments.samples else None,
        arguments.window,
        arguments.covariate,
        arguments.strata,
        arguments.group_order,
        arguments.permutations,
        arguments.interval,
        arguments.level,
        arguments.seed,
        among=parse_among(arguments.among),
    )
    write_table(table, arguments.output)


def _trajectories(arguments: argparse.Namespace) -> None:
    from microbiome.among import parse_among
    from microbiome.compare import read_rates, trajectories
    from microbiome.tables import DOSES, SUBJECTS
    from microbiome.tsv import read_table, write_table

    table = trajectories(
        read_rates(arguments.rates),
        read_table(arguments.subjects, SUBJECTS) if arguments.subjects else None,
        arguments.by,
        arguments.rate,
        read_table(arguments.doses, DOSES) if arguments.doses else None,
        arguments.group_order,
        arguments.interval,
        arguments.level,
        arguments.seed,
        among=parse_among(arguments.among),
    )
    write_table(table, arguments.output)
