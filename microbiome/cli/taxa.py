"""``microbiome taxa``, ``retention``, ``changes`` and ``decomposition``."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "taxa",
        _taxa,
        "what became of each taxon, and whether that goes with a group of subjects",
        "For every taxon: lost among those who had it, engrafted among those who received it, gained, arrived; each "
        "subject counts once (mean over the visits that all have). With --by the difference between groups, an exact "
        "or permutation p-value among the subjects at risk, and Benjamini-Hochberg over the testable taxa; none is "
        "left out. The comment lines tell how many taxa would have to be at the floor.",
    )
    _outcomes(parser)
    options.subjects(parser)
    _by(parser)
    options.profile_files(parser, "MetaPhlAn tables, to join species, genus and family")
    parser.add_argument(
        "--rank",
        choices=["species", "genus", "family", "order", "class", "phylum"],
        help="sum taxa to clades: of each subject, the share of its taxa of the clade; needs --profile",
    )
    options.doses(parser, required=False)
    _window(parser)
    _permutations(parser)
    options.seed(parser)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "retention",
        _retention,
        "how much of the baseline is still present, visit by visit",
        "Share of the baseline taxa that is still present at each visit: mean over subjects, and for each taxon the "
        "subjects who still have it among those who had it, with intervals; for everybody and for each group.",
    )
    _outcomes(parser)
    options.subjects(parser)
    _by(parser)
    options.doses(parser, required=False)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "changes",
        _changes,
        "change of each taxon from baseline, presence and abundance apart",
        "For every taxon: subjects who gained it against subjects who lost it (exact McNemar test at the last visit "
        "that counts), and the log2 ratio of abundance where it is at both times (signs flipped); with --by for each "
        "group, and the difference from the reference group. Abundances that sum to 1 change against the rest of the "
        "sample.",
    )
    options.profile(parser)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    _by(parser)
    options.detection(parser)
    _window(parser)
    _permutations(parser)
    options.seed(parser)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "decomposition",
        _decomposition,
        "whose abundance each post sample is",
        "Shares of the abundance of each post sample that are engrafted, persisted, shared and gained (sum 1), of the "
        "baseline's that are lost and kept, and of the donor's that are taken up and not.",
    )
    _outcomes(parser)
    options.output(parser)


def _outcomes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--outcomes", required=True, metavar="TSV", help="table written by `microbiome outcomes`")


def _by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", metavar="COLUMN", help="column of the subjects table that makes groups, or donor")


def _window(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--window", nargs=2, type=int, metavar="DAY", help="first and last day that count, not the visits all have"
    )


def _permutations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--permutations", type=int, default=9999, help="random arrangements where not all are tried")


def _taxa(arguments: argparse.Namespace) -> None:
    from microbiome.tables import DOSES, OUTCOMES, SUBJECTS
    from microbiome.taxa.fates import taxa
    from microbiome.taxa.lineage import read_lineage
    from microbiome.tsv import read_result, read_table, write_table

    table, comments = taxa(
        read_result(arguments.outcomes, OUTCOMES),
        read_table(arguments.subjects, SUBJECTS) if arguments.subjects else None,
        arguments.by,
        read_lineage(arguments.profile) if arguments.profile else None,
        arguments.rank,
        read_table(arguments.doses, DOSES) if arguments.doses else None,
        arguments.window,
        arguments.permutations,
        arguments.seed,
    )
    write_table(table, arguments.output, comments)


def _retention(arguments: argparse.Namespace) -> None:
    from microbiome.tables import DOSES, OUTCOMES, SUBJECTS
    from microbiome.taxa.curves import retention
    from microbiome.tsv import read_result, read_table, write_table

    table = retention(
        read_result(arguments.outcomes, OUTCOMES),
        read_table(arguments.subjects, SUBJECTS) if arguments.subjects else None,
        arguments.by,
        read_table(arguments.doses, DOSES) if arguments.doses else None,
    )
    write_table(table, arguments.output)


def _changes(arguments: argparse.Namespace) -> None:
    from microbiome.metaphlan import read_abundance
    from microbiome.study import read_study
    from microbiome.taxa.lineage import lineage_if_any
    from microbiome.taxa.shifts import changes
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    table, comments = changes(
        read_abundance(arguments.profile, arguments.rank, arguments.close),
        study,
        arguments.by,
        lineage_if_any(arguments.profile),
        arguments.detection,
        arguments.window,
        arguments.permutations,
        arguments.seed,
    )
    write_table(table, arguments.output, comments)


def _decomposition(arguments: argparse.Namespace) -> None:
    from microbiome.tables import OUTCOMES
    from microbiome.taxa.shares import decomposition
    from microbiome.tsv import read_result, write_table

    write_table(decomposition(read_result(arguments.outcomes, OUTCOMES)), arguments.output)
