"""``microbiome outcomes`` and ``microbiome rates``."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "outcomes",
        _outcomes,
        "what became of each taxon in each post sample",
        "Compare each post sample with the donor products received by then and with the baseline: engrafted, "
        "not_engrafted, shared_kept, shared_depleted, persisted, depleted or gained. "
        "Presence alone does not prove transfer.",
    )
    options.profile(parser)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    parser.add_argument(
        "--detection", type=float, default=0.0, metavar="FRACTION", help="a taxon is detected above this abundance"
    )
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "rates",
        _rates,
        "engraftment and depletion rates of each post sample",
        "Count the outcomes of each post sample and give the rates beside the counts. A rate with denominator 0 is "
        "empty.",
    )
    parser.add_argument("--outcomes", required=True, metavar="TSV", help="table written by `microbiome outcomes`")
    options.output(parser)


def _outcomes(arguments: argparse.Namespace) -> None:
    from microbiome.metaphlan import read_abundance
    from microbiome.outcomes import outcomes
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    abundance = read_abundance(arguments.profile, arguments.rank, arguments.close)
    write_table(outcomes(abundance, study, arguments.detection), arguments.output)


def _rates(arguments: argparse.Namespace) -> None:
    from microbiome.outcomes import rates
    from microbiome.tables import OUTCOMES
    from microbiome.tsv import read_result, write_table

    write_table(rates(read_result(arguments.outcomes, OUTCOMES)), arguments.output)
