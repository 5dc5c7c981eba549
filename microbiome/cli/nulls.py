"""``microbiome nulls``."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand of this group."""
    parser = options.add_command(
        subparsers,
        "nulls",
        _nulls,
        "what chance alone would do: engraftment against re-assigned donors, depletion against turnover without FMT",
        "Compare engraftment with that of donors re-assigned between recipients (whole dose schedules are moved, "
        "samples averaged within subjects first), and depletion with the turnover of subjects without doses, or else "
        "of repeats before FMT or of donors that match in lag and depth. Overall, per subject and per taxon; what "
        "cannot be tested says why.",
    )
    options.profile(parser)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    options.reads(parser)
    options.detection(parser)
    options.repair(parser, default="auto")
    parser.add_argument(
        "--strata",
        metavar="COLUMN",
        help="column of the samples or subjects table (cohort, centre, batch): permute within its values",
    )
    parser.add_argument(
        "--window",
        nargs=2,
        type=int,
        metavar=("DAY", "DAY"),
        help="first and last day that count, instead of the visits that all have",
    )
    parser.add_argument(
        "--products",
        default="common",
        choices=["common", "as_given"],
        help="donor sets of different size: reduce all to a common number of products, or leave them as they are",
    )
    parser.add_argument("--permutations", type=int, default=9999, help="arrangements looked at where there are more")
    parser.add_argument(
        "--level",
        nargs="+",
        default=["overall", "subject", "taxon"],
        choices=["overall", "subject", "taxon"],
        help="which rows to write",
    )
    options.seed(parser)
    options.output(parser)


def _nulls(arguments: argparse.Namespace) -> None:
    from microbiome.depth import study_limits
    from microbiome.evidence import evidence_for
    from microbiome.metaphlan import read_abundance
    from microbiome.nulls import nulls
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    abundance = read_abundance(arguments.profile, arguments.rank, arguments.close)
    limits = study_limits(
        abundance, study, evidence_for(arguments.profile, arguments.reads, arguments.rank, arguments.close)
    )
    table = nulls(
        abundance,
        study,
        arguments.detection,
        limits,
        arguments.repair,
        arguments.strata,
        arguments.window,
        arguments.products,
        arguments.permutations,
        arguments.seed,
        arguments.level,
    )
    write_table(table, arguments.output)
