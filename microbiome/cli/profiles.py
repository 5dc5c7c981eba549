"""``microbiome merge`` and ``convert``."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "merge",
        _merge,
        "merge profiles into one",
        "Merge profiles into one, such as MetaPhlAn tables (3.x to 4.2, single or merged, plain or .gz): the union of "
        "the clades, 0 where a table lacks one. Tables of different databases are refused. Values are those of "
        "merge_metaphlan_tables.py. Kraken2 reports, Bracken tables, tables of sourmash gather, of taxpasta and BIOM "
        "are told by their content.",
    )
    parser.add_argument("profile", nargs="*", action=options.Files, metavar="PROFILE", help="profiles")
    parser.add_argument(
        "--list", metavar="FILE", help="file with one path per line, for more tables than a command line holds"
    )
    options.taxonomy(parser)
    options.output(parser, "merged table (percentages)")

    parser = options.add_command(
        subparsers,
        "convert",
        _convert,
        "bring the profile of another profiler into the form of MetaPhlAn's",
        "Write the profile of one sample (Kraken2 report, Bracken table, table of sourmash gather, ...) in the form of "
        "MetaPhlAn's tables: a row per clade, in percent of the whole sample, with reads where they were counted.",
    )
    parser.add_argument("profile", metavar="PROFILE", help="profile of one sample")
    parser.add_argument(
        "--sample", default="", metavar="NAME", help="name of the sample; empty takes that of the table"
    )
    parser.add_argument(
        "--database", default="", metavar="WORD", help="what stands in the first line, such as kraken2:standard"
    )
    parser.add_argument(
        "--threshold", type=float, default=0.0, metavar="READS", help="leave out clades with fewer reads"
    )
    parser.add_argument("--report", default="", metavar="FILE", help="Kraken2 report behind a table of Bracken")
    options.taxonomy(parser)
    parser.add_argument(
        "--profiled", default="", metavar="TSV", help="table of the profiling that the workflow writes: reads, status"
    )
    options.output(parser, "profile")


def _merge(arguments: argparse.Namespace) -> None:
    from pathlib import Path

    from microbiome.errors import InputError, Problem, raise_problems
    from microbiome.files import open_text
    from microbiome.metaphlan import merge_files
    from microbiome.number_text import lines_of
    from microbiome.profilers import read_taxonomy

    paths = list(arguments.profile)
    if arguments.list:
        lines = [(number, line) for number, line in enumerate(lines_of(open_text(arguments.list)), 1) if line.strip()]
        raise_problems(
            Problem(f"{line!r} does not exist", "correct the path, or remove the line", arguments.list, number)
            for number, line in lines
            if not Path(line).exists()
        )
        if not lines and not paths:
            raise InputError(Problem("the list names no profile", "write one path per line", arguments.list))
        paths += [line for _, line in lines]
    if not paths:
        raise InputError("no profile was given; name at least one profile, or --list FILE")
    taxonomy = read_taxonomy(arguments.taxonomy) if arguments.taxonomy else None
    merge_files(paths, arguments.output, taxonomy)


def _convert(arguments: argparse.Namespace) -> None:
    from microbiome.profilers import read_taxonomy
    from microbiome.profilers.convert import Origin, convert_profile, write_profile

    origin = Origin(
        arguments.sample,
        arguments.database,
        arguments.threshold,
        arguments.report,
        read_taxonomy(arguments.taxonomy) if arguments.taxonomy else None,
        arguments.profiled,
    )
    table, comments = convert_profile(arguments.profile, origin)
    write_profile(table, arguments.output, comments)
