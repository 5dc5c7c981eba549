"""``microbiome function ...``: tables of functions, and the taxa behind what functions were gained and lost."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]

_OUTCOMES = ("engrafted", "not_engrafted", "shared_kept", "shared_depleted", "persisted", "depleted", "gained")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``function`` and its subcommands."""
    group = subparsers.add_parser(
        "function",
        help="functions (ECs, KOs, pathways) of HUMAnN: tables, and who brought or took them",
        description="Functions of the microbiome, as HUMAnN finds them. Their diversity, outcomes, rates, nulls and "
        "comparisons come from the same commands as those of taxa, with --profile the table that `join` writes.",
        allow_abbrev=False,
    )
    commands = group.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)

    parser = options.add_command(
        commands,
        "join",
        _join,
        "join, regroup and normalise tables of functions",
        "Join tables of HUMAnN (gene families, ECs, KOs or pathways; of one or several samples, 2.x to 4) into one TSV "
        "of function x sample. With --map, gene families are summed to the groups of a map first, sample by sample; "
        "what is of no group becomes UNGROUPED. Each sample is divided by its total (UNMAPPED and UNGROUPED included), "
        "as humann_renorm_table does.",
    )
    parser.add_argument(
        "tables", nargs="+", action=options.Files, metavar="TABLE", help="tables of HUMAnN, plain, .gz or .bz2"
    )
    parser.add_argument("--map", metavar="FILE", help="map of groups to gene families, as humann_regroup_table takes")
    parser.add_argument(
        "--unit", default="fraction", choices=["fraction", "cpm", "as_given"], help="unit of the result"
    )
    parser.add_argument("--stratified", metavar="FILE", help="also write the functions of each taxon (FUNCTION|taxon)")
    options.output(parser)

    parser = options.add_command(
        commands,
        "reads",
        _reads,
        "how much of each sample HUMAnN could place",
        "Join the counts that the workflow keeps of each sample: reads, gene families, the part that hit nothing, and "
        "why a sample was passed over.",
    )
    parser.add_argument("counts", nargs="+", action=options.Files, metavar="TSV", help="one file per sample")
    options.output(parser)

    parser = options.add_command(
        commands,
        "contributions",
        _contributions,
        "which taxa brought and took the functions that were gained and lost",
        "Divide the change of each function from baseline to post sample among the taxa that have it, with the outcome "
        "of these taxa themselves. What the strata do not add up to is a row `unexplained`; the changes of a function "
        "sum to its own.",
    )
    parser.add_argument("--profile", required=True, metavar="TSV", help="function x sample, written by `function join`")
    parser.add_argument("--stratified", required=True, metavar="TSV", help="the functions of each taxon, beside it")
    parser.add_argument("--outcomes", required=True, metavar="TSV", help="outcomes of these functions")
    options.samples(parser)
    options.doses(parser, required=False)
    parser.add_argument("--taxa", metavar="TSV", help="outcomes of the taxa (`microbiome outcomes` on the profiles)")
    parser.add_argument("--taxa-profile", nargs="+", metavar="FILE", help="MetaPhlAn tables, for the species of SGBs")
    parser.add_argument("--species", metavar="TSV", help="HUMAnN's names of SGBs: SGB, tab, g__Genus.s__Species")
    parser.add_argument(
        "--outcome",
        nargs="+",
        choices=_OUTCOMES,
        default=["engrafted", "gained", "depleted", "shared_depleted"],
        metavar="NAME",
        help="outcomes of functions to look at",
    )
    options.no_close(parser, "do not close to 1 over the functions")
    options.output(parser)


def _join(arguments: argparse.Namespace) -> None:
    from microbiome.function.joining import join_functions
    from microbiome.function.reading import write_functions

    table = join_functions(arguments.tables, arguments.map, arguments.unit)
    write_functions(table, arguments.output, arguments.stratified)


def _reads(arguments: argparse.Namespace) -> None:
    from microbiome.function.accounting import function_reads
    from microbiome.tsv import write_table

    write_table(function_reads(arguments.counts), arguments.output)


def _contributions(arguments: argparse.Namespace) -> None:
    from microbiome.function.contributions import contributions
    from microbiome.function.reading import read_functions
    from microbiome.function.species import read_species
    from microbiome.study import read_study
    from microbiome.tables import OUTCOMES
    from microbiome.taxa.lineage import lineage_if_any
    from microbiome.tsv import read_result, write_table

    table = contributions(
        read_functions([arguments.profile, arguments.stratified]),
        read_result(arguments.outcomes, OUTCOMES),
        read_study(arguments.samples, None, arguments.doses),
        read_result(arguments.taxa, OUTCOMES) if arguments.taxa else None,
        lineage_if_any(arguments.taxa_profile) if arguments.taxa_profile else None,
        read_species(arguments.species) if arguments.species else None,
        arguments.outcome,
        arguments.close,
    )
    write_table(table, arguments.output)
