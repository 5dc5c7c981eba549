"""``microbiome limits``, ``microbiome outcomes`` and ``microbiome rates``."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "limits",
        _limits,
        "limit of detection of each sample",
        "Estimate what each sample can show: the abundance that gives one piece of evidence (unit) and the abundance "
        "detected with probability 0.95 (limit), from the reads of each clade, the reads of the sample, or its lowest "
        "abundance. The comment lines tell what the detection curve of the study's own repeats adds, and where groups "
        "or time points differ in depth.",
    )
    options.profile(parser)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    options.reads(parser)
    options.detection(parser)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "outcomes",
        _outcomes,
        "what became of each taxon in each post sample",
        "Compare each post sample with the donor products received by then and with the baseline: engrafted, "
        "not_engrafted, shared_kept, shared_depleted, persisted, depleted or gained. "
        "Presence alone does not prove transfer. A call is `below_limit` where the taxon may only have been missed.",
    )
    options.profile(parser)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    options.reads(parser)
    options.detection(parser)
    options.repair(parser)
    parser.add_argument(
        "--no-fitted",
        dest="fitted",
        action="store_false",
        help="judge certainty by the Poisson model alone, not by the detection curve of the study's own repeats",
    )
    options.seed(parser)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "rates",
        _rates,
        "engraftment and depletion rates of each post sample",
        "Count the outcomes of each post sample and give the rates beside the counts. A rate with denominator 0 is "
        "empty. RATE_low and RATE_high hold what the depth leaves open: the rate if every call below the limit of "
        "detection fell either way.",
    )
    parser.add_argument("--outcomes", required=True, metavar="TSV", help="table written by `microbiome outcomes`")
    options.output(parser)


def _limits(arguments: argparse.Namespace) -> None:
    from microbiome.depth import describe_limits
    from microbiome.evidence import evidence_for
    from microbiome.metaphlan import read_abundance
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    abundance = read_abundance(arguments.profile, arguments.rank, arguments.close)
    behind = evidence_for(arguments.profile, arguments.reads, arguments.rank, arguments.close)
    table, comments = describe_limits(abundance, study, arguments.detection, behind)
    write_table(table, arguments.output, comments)


def _outcomes(arguments: argparse.Namespace) -> None:
    from microbiome.depth import study_limits
    from microbiome.evidence import evidence_for
    from microbiome.metaphlan import read_abundance
    from microbiome.outcomes import outcomes
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    abundance = read_abundance(arguments.profile, arguments.rank, arguments.close)
    limits = study_limits(
        abundance, study, evidence_for(arguments.profile, arguments.reads, arguments.rank, arguments.close)
    )
    table = outcomes(abundance, study, arguments.detection, limits, arguments.repair, arguments.seed, arguments.fitted)
    write_table(table, arguments.output)


def _rates(arguments: argparse.Namespace) -> None:
    from microbiome.outcomes import rates
    from microbiome.tables import OUTCOMES
    from microbiome.tsv import read_result, write_table

    write_table(rates(read_result(arguments.outcomes, OUTCOMES)), arguments.output)
