"""``microbiome join``: rows of tables of measurements that belong together, and those that have no partner."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from microbiome.cli import options

if TYPE_CHECKING:
    from microbiome.molecules import Measured

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "join",
        _join,
        "which rows of two tables of measurements belong together, and which have no partner",
        "Pair the rows of tables of measurements (metabolites, cytokines, cells, taxa) by subject and day, one to one: "
        "those of one sample, then the nearest two within the window, and so on; never one of before the first dose "
        "(day 0 and earlier) with one of after it. Every row that has no partner is listed "
        "with the reason. With more than two tables each two of them. Cells must be measurements, but their values do "
        "not matter.",
    )
    options.measurements(parser)
    options.profile_files(parser, "profiles, joined as the table called taxa")
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="NAME=COLUMNS",
        help="of a table: columns that are no features, such as a plate, separated by commas",
    )
    options.samples(parser)
    options.subjects(parser)
    parser.add_argument(
        "--window", type=int, default=7, metavar="DAYS", help="most days between two rows that are joined"
    )
    parser.add_argument(
        "--prefer",
        default="nearest",
        choices=["nearest", "before", "after"],
        help="which of several rows within the window is taken: the nearest, or first those of the second table that "
        "lie before (after) the row of the first, or on its day",
    )
    options.output(parser)


def _join(arguments: argparse.Namespace) -> None:
    import logging
    from itertools import combinations

    import pandas as pd

    from microbiome.errors import InputError, Problem
    from microbiome.molecules import joins_table
    from microbiome.tsv import write_table

    if arguments.window < 0:
        raise InputError(Problem(f"window {arguments.window} is below 0", "give 0 days or more", column="--window"))
    tables = _tables(arguments)
    if len(tables) < 2:
        raise InputError(
            Problem(
                f"{len(tables)} table is given", "give two or more with --features or --profile", column="--features"
            )
        )
    frames = []
    for first, second in combinations(tables, 2):
        frame = joins_table(first, second, arguments.window, arguments.prefer)
        counts = frame["status"].value_counts()
        logging.getLogger(__name__).info(
            "%s and %s: %d pairs; without partner %d of %d rows and %d of %d rows",
            first.name,
            second.name,
            counts.get("joined", 0),
            counts.get("only_1", 0),
            len(first.rows),
            counts.get("only_2", 0),
            len(second.rows),
        )
        frames.append(frame)
    write_table(pd.concat(frames, ignore_index=True), arguments.output)


def _tables(arguments: argparse.Namespace) -> list[Measured]:
    """Read all tables; every problem of every one at once."""
    import logging

    from microbiome.errors import InputError, Problem, collecting, raise_problems
    from microbiome.metaphlan import read_abundance
    from microbiome.molecules import from_profile, parse_rows
    from microbiome.study import read_study

    problems: list[Problem] = []
    tables: list[Measured] = []
    named: dict[str, str] = {}
    for word in arguments.features:
        name, mark, file = word.partition("=")
        if not (mark and name and file):
            problems.append(Problem(f"{word!r} has no name", "write NAME=FILE", column="--features", value=word))
        elif name in named or (name == "taxa" and arguments.profile):
            problems.append(Problem(f"two tables are called {name!r}", "name one otherwise", column="--features"))
        else:
            named[name] = file
    left: dict[str, tuple[str, ...]] = {}
    for word in arguments.leave_out:
        name, mark, columns = word.partition("=")
        if not (mark and name and columns):
            problems.append(Problem(f"{word!r} has no name", "write NAME=COLUMNS", column="--leave-out", value=word))
        elif name not in named:
            fix = f"use one of {', '.join(named) or 'the tables of --features'}"
            problems.append(Problem(f"no table is called {name!r}", fix, column="--leave-out", value=name))
        else:
            left[name] = tuple(filter(None, columns.split(",")))
    raise_problems(problems)
    study = read_study(arguments.samples, arguments.subjects)
    if arguments.profile:
        with collecting(problems):
            tables.append(from_profile(read_abundance(arguments.profile), study))
    for name, file in named.items():
        measured, found = parse_rows(file, name, study, left.get(name, ()))
        problems += found
        if measured is not None:
            tables.append(measured)
    if any(problem.level == "error" for problem in problems):
        raise InputError(problems)
    for problem in problems:
        logging.getLogger(__name__).warning("%s", problem)
    return tables
