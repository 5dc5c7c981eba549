"""``microbiome sensitivity``."""

from __future__ import annotations

import argparse

from microbiome.cli import options
from microbiome.tables import SENSITIVITY_RATES

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "sensitivity",
        _sensitivity,
        "every rate and test over detection thresholds and depths",
        "Repeat `outcomes`, `rates` and `compare` over a grid: detection thresholds, and samples as sequenced or with "
        "their evidence thinned to fractions of that of the shallowest. The column direction says in words which group "
        "is higher, for each rate and unit of analysis: a finding whose direction changes hangs on that choice. "
        "Without --by, the mean of each rate over all subjects.",
    )
    options.profile(parser)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    options.reads(parser)
    parser.add_argument("--by", metavar="COLUMN", help="what makes the groups, as in `microbiome compare`")
    options.among(parser)
    parser.add_argument(
        "--rate",
        nargs="+",
        default=list(SENSITIVITY_RATES),
        choices=SENSITIVITY_RATES,
        metavar="NAME",
        help="columns of the rates table",
    )
    parser.add_argument(
        "--thresholds",
        nargs="+",
        type=float,
        metavar="FRACTION",
        help="detection thresholds; the common one, 5 times the unit of the shallowest sample, is added "
        "(default: 0 1e-5 3e-5 1e-4 3e-4 1e-3 3e-3)",
    )
    parser.add_argument(
        "--depths",
        nargs="*",
        type=float,
        metavar="FRACTION",
        help="thin every sample to these fractions of what the shallowest has; as sequenced is added "
        "(default: 1 0.5 0.2)",
    )
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="thinnings, over which rates are averaged")
    parser.add_argument(
        "--window", nargs=2, type=int, metavar="DAY", help="first and last day that count, not the visits all have"
    )
    parser.add_argument(
        "--covariate",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of the subjects (or samples) table to hold constant",
    )
    parser.add_argument("--strata", metavar="COLUMN", help="permute within these groups of subjects, such as a centre")
    parser.add_argument("--permutations", type=int, default=9999, metavar="N", help="random permutations")
    options.seed(parser)
    options.output(parser)


def _sensitivity(arguments: argparse.Namespace) -> None:
    from microbiome.among import parse_among
    from microbiome.depth import study_limits
    from microbiome.evidence import evidence_for
    from microbiome.metaphlan import read_abundance
    from microbiome.sensitivity import DEPTHS, THRESHOLDS, sensitivity
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    abundance = read_abundance(arguments.profile, arguments.rank, arguments.close)
    evidence = evidence_for(arguments.profile, arguments.reads, arguments.rank, arguments.close)
    table = sensitivity(
        abundance,
        study,
        arguments.by,
        THRESHOLDS if arguments.thresholds is None else arguments.thresholds,
        DEPTHS if arguments.depths is None else arguments.depths,
        arguments.rate,
        study_limits(abundance, study, evidence),
        arguments.window,
        arguments.covariate,
        arguments.strata or None,
        arguments.permutations,
        arguments.repeats,
        arguments.seed,
        parse_among(arguments.among),
    )
    write_table(table, arguments.output)
