"""``microbiome reads``, ``provenance`` and ``database``: what the workflow needs besides the measures."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "reads",
        _reads,
        "read accounting of every sample",
        "One row per sample: reads after each step, and whether there is a profile. Fails when reads were lost "
        "between two steps.",
    )
    options.samples(parser)
    options.profile(parser)
    options.taxonomy(parser)
    for name, what in (
        ("units", "tables of the merging of units"),
        ("fastp", "JSON reports of fastp, named SAMPLE.json"),
        ("host", "tables of the host removal"),
        ("rarefied", "tables of the rarefaction"),
        ("profiled", "tables of the profiling"),
    ):
        parser.add_argument(
            f"--{name}", nargs="*", action=options.Files, default=[], metavar="FILE", help=f"{what}, one per sample"
        )
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "provenance",
        _provenance,
        "versions, parameters and checksums behind a folder of results",
        "Write a JSON file with the versions of all programs, the configuration, the seed, and the checksums of inputs "
        "and results. What differs between two equal runs (times, the command) stands under `run`.",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="configuration as used (YAML or JSON)")
    parser.add_argument("--command", default="", help="command line to record")
    options.output(parser, "JSON file")

    parser = options.add_command(
        subparsers,
        "database",
        _database,
        "download a MetaPhlAn database",
        "Download a MetaPhlAn database with its bowtie2 index (tens of GB). An interrupted download goes on where it "
        "stopped; what is there is not fetched again. Writes a table of the files.",
    )
    parser.add_argument("--folder", required=True, metavar="DIR", help="where to put it")
    parser.add_argument("--index", default="", metavar="NAME", help="name of the database; empty is the latest one")
    parser.add_argument("--url", default="", help="folder of the published files; empty is that of MetaPhlAn's makers")
    options.output(parser)


def _reads(arguments: argparse.Namespace) -> None:
    from microbiome.profilers import read_taxonomy
    from microbiome.reads import read_accounting
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    samples = read_study(arguments.samples).samples["sample"]
    frame = read_accounting(
        list(samples),
        arguments.profile,
        arguments.units,
        arguments.fastp,
        arguments.host,
        arguments.profiled,
        arguments.rank,
        arguments.rarefied,
        read_taxonomy(arguments.taxonomy) if arguments.taxonomy else None,
    )
    write_table(frame, arguments.output)


def _provenance(arguments: argparse.Namespace) -> None:
    from microbiome.config import load_config
    from microbiome.provenance import provenance, write_provenance

    config = load_config(arguments.config)
    write_provenance(provenance(config, arguments.command), arguments.output)


def _database(arguments: argparse.Namespace) -> None:
    from microbiome.database import DATABASE_URL, download_database
    from microbiome.tsv import write_table

    write_table(download_database(arguments.folder, arguments.index, arguments.url or DATABASE_URL), arguments.output)
