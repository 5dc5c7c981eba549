"""``microbiome associate``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from microbiome.cli import options

if TYPE_CHECKING:
    from microbiome.errors import Problem
    from microbiome.molecules import Measured
    from microbiome.study import Study

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "associate",
        _associate,
        "every feature against response, toxicity, arm, time, covariates, and features of other tables",
        "Test every feature of a profile or of tables of measurements against columns of the subjects table and "
        "against every feature of other tables. A subject counts once (ranks, subjects permuted), or its samples are "
        "repeated measures (mixed model, repeated-measures correlation). Every pair is a row: effect, interval, p, q, "
        "n, and the smallest effect that could have been found.",
    )
    _tables(parser)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    _questions(parser)
    _tests(parser)
    options.seed(parser)
    options.output(parser)


def _tables(parser: argparse.ArgumentParser) -> None:
    options.profile_files(parser, "MetaPhlAn tables, or one TSV of feature x sample: the table called taxa")
    options.rank(parser, "rows of a MetaPhlAn table to use")
    options.no_close(parser, "do not close abundances to 1 over the classified part")
    options.measurements(parser)
    parser.add_argument(
        "--with",
        dest="others",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="tables whose features are tested against those of --profile and --features",
    )
    for name, what in (
        ("transform", "none, log, log2, log10, asinh, logit or rank"),
        ("unit", "unit of its values"),
        ("limits", "table of limits of detection (feature, lod)"),
        ("lod", "limit of detection of all its features"),
        ("leave-out", "columns that are no features, separated by commas"),
    ):
        parser.add_argument(f"--{name}", nargs="+", default=[], metavar="NAME=VALUE", help=f"of a table: {what}")


def _questions(parser: argparse.ArgumentParser) -> None:
    options.by(
        parser,
        "columns of the subjects table (words make groups, more than two numbers are a number), donor, day (over all "
        "samples), or comparisons such as 'irae_grade>=3'",
    )
    parser.add_argument(
        "--at",
        nargs="+",
        default=["baseline"],
        choices=["baseline", "post", "change", "all"],
        help="samples that count: the last with day <= 0, the mean of later ones, the one less the other, or all as "
        "repeated measures",
    )
    parser.add_argument(
        "--days",
        nargs=2,
        type=int,
        metavar="DAY",
        help="first and last day of post and all; without it the visits that all subjects have (all: every sample)",
    )
    parser.add_argument(
        "--window", type=int, default=7, metavar="DAYS", help="most days between rows of two tables that are a pair"
    )
    parser.add_argument(
        "--part",
        nargs="+",
        default=["value"],
        choices=["value", "presence", "abundance"],
        help="of a feature: its value, whether it is there, how much of it (log2) there is where it is",
    )
    options.detection(parser)
    options.among(parser)
    options.group_order(parser)


def _tests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--method",
        default="auto",
        choices=["auto", "spearman", "partial_spearman", "permutation", "mixed_model", "rm_corr"],
        help="of part value; auto takes ranks with permuted subjects, and over all samples rm_corr for pairs of "
        "features, else mixed_model",
    )
    parser.add_argument(
        "--covariate",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of the subjects table to hold constant; with --at all also day",
    )
    parser.add_argument(
        "--strata", metavar="COLUMN", help="permute within these groups of subjects, and hold them constant"
    )
    parser.add_argument(
        "--permutations",
        type=int,
        default=9999,
        metavar="N",
        help="random permutations where not all are tried; 0 takes p from t",
    )
    options.confidence(parser)
    parser.add_argument(
        "--family",
        nargs="+",
        default=["table_1", "table_2", "method", "part"],
        metavar="COLUMN",
        help="tests alike in these columns are corrected together (Benjamini-Hochberg); all for one family",
    )


def _associate(arguments: argparse.Namespace) -> None:
    from microbiome.among import parse_among
    from microbiome.associate import associate
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    tables, others = _read(arguments, study)
    table, comments = associate(
        tables,
        study,
        arguments.by,
        others,
        arguments.at,
        arguments.method,
        arguments.part,
        arguments.covariate,
        arguments.strata,
        arguments.window,
        arguments.days,
        arguments.detection,
        arguments.family,
        arguments.group_order,
        parse_among(arguments.among),
        arguments.permutations,
        arguments.level,
        arguments.seed,
    )
    write_table(table, arguments.output, comments)


def _read(arguments: argparse.Namespace, study: Study) -> tuple[list[Measured], list[Measured]]:
    """Read all tables; every problem of every one at once."""
    import logging

    from microbiome.errors import Problem, collecting, raise_problems
    from microbiome.metaphlan import read_abundance
    from microbiome.molecules import TRANSFORMS, from_profile, parse_measured

    problems: list[Problem] = []
    files = [_named(words, f"--{option}", problems) for option, words in _words(arguments, "features", "others")]
    for name in sorted(set(files[0]) & set(files[1])):
        problems.append(Problem(f"two tables are called {name!r}", "name one otherwise", column="--with", value=name))
    if arguments.profile and any("taxa" in part for part in files):
        problems.append(Problem("two tables are called 'taxa', as the profile is", "name one otherwise", value="taxa"))
    given = dict(_words(arguments, "transform", "unit", "limits", "lod", "leave_out"))
    settings = {option: _named(words, f"--{option.replace('_', '-')}", problems) for option, words in given.items()}
    for option, values in settings.items():
        for name, value in values.items():
            if name not in files[0] and name not in files[1]:
                fix = f"use one of {', '.join([*files[0], *files[1]]) or 'the tables of --features'}"
                problems.append(
                    Problem(f"no table is called {name!r}", fix, column=f"--{option.replace('_', '-')}", value=name)
                )
            if option == "transform" and value not in TRANSFORMS:
                fix = f"use one of {', '.join(TRANSFORMS)}"
                problems.append(Problem(f"no transform is called {value!r}", fix, column="--transform", value=value))
            if option == "lod" and not _is_number(value):
                problems.append(Problem(f"{value!r} is not a number", "give a number", column="--lod", value=value))
    raise_problems(problems)
    found: list[list[Measured]] = [[], []]
    if arguments.profile:
        with collecting(problems):
            found[0].append(from_profile(read_abundance(arguments.profile, arguments.rank, arguments.close), study))
    for side, named in zip(found, files, strict=True):
        for name, file in named.items():
            lod = settings["lod"].get(name)
            measured, said = parse_measured(
                file,
                name,
                study,
                settings["unit"].get(name, ""),
                settings["transform"].get(name, "none"),
                settings["limits"].get(name),
                None if lod is None else float(lod),
                tuple(filter(None, settings["leave_out"].get(name, "").split(","))),
            )
            problems += said
            if measured is not None:
                side.append(measured)
    raise_problems(problems)
    for problem in problems:
        logging.getLogger(__name__).warning("%s", problem)
    return found[0], found[1]


def _words(arguments: argparse.Namespace, *names: str) -> list[tuple[str, list[str]]]:
    return [("with" if name == "others" else name, getattr(arguments, name)) for name in names]


def _is_number(text: str) -> bool:
    from microbiome.validation import is_number

    return is_number(text)


def _named(words: list[str], option: str, problems: list[Problem]) -> dict[str, str]:
    """Return what stands behind each name of NAME=VALUE."""
    from microbiome.errors import Problem

    found: dict[str, str] = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not (mark and name and value):
            problems.append(Problem(f"{word!r} has no name", "write NAME=VALUE", column=option, value=word))
        elif name in found:
            problems.append(Problem(f"{name!r} stands twice", "give it once", column=option, value=word))
        else:
            found[name] = value
    return found
