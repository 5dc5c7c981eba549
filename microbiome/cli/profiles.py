"""``microbiome merge``."""

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
        "merge MetaPhlAn tables into one",
        "Merge MetaPhlAn tables (3.x to 4.2, single or merged, plain or .gz) into one: the union of the clades, 0 "
        "where a table lacks one. Tables of different databases are refused. Values are those of "
        "merge_metaphlan_tables.py.",
    )
    parser.add_argument("profile", nargs="*", metavar="PROFILE", help="MetaPhlAn tables")
    parser.add_argument(
        "--list", metavar="FILE", help="file with one path per line, for more tables than a command line holds"
    )
    options.output(parser, "merged table (percentages)")


def _merge(arguments: argparse.Namespace) -> None:
    from microbiome.errors import InputError
    from microbiome.files import open_text
    from microbiome.metaphlan import merge_profiles, write_merged

    paths = list(arguments.profile)
    if arguments.list:
        paths += [line for line in open_text(arguments.list).splitlines() if line.strip()]
    if not paths:
        raise InputError("no profile was given; name at least one MetaPhlAn table, or --list FILE")
    write_merged(merge_profiles(paths), arguments.output)
