"""``microbiome donors`` and ``match``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from typing import Any

from microbiome.cli import options

__all__ = ["add"]

logger = logging.getLogger(__name__)


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "donors",
        _donors,
        "one row per donor: what it carries, and what became of its recipients",
        "Richness, Shannon index, taxa of concern and of benefit of every donor; response, toxicity (grade >= 3), "
        "engraftment and depletion rate of its recipients (each counts once) with their intervals, and drawn towards "
        "the mean of all donors as far as chance may have spread them (empirical Bayes: beta-binomial for proportions, "
        "random intercept by REML for means). A difference between donors is no effect of donors unless recipients "
        "were assigned to them at random.",
    )
    options.profile(parser)
    options.samples(parser)
    options.doses(parser)
    options.subjects(parser)
    parser.add_argument("--rates", metavar="TSV", help="output of `microbiome rates`; else they are computed")
    parser.add_argument("--outcomes", metavar="TSV", help="output of `microbiome outcomes`, to compute the rates of")
    parser.add_argument("--alpha", metavar="TSV", help="output of `microbiome alpha` (richness, shannon), to be used")
    _list(parser)
    options.detection(parser)
    _window(parser)
    parser.add_argument("--permutations", type=int, default=9999, help="arrangements looked at where there are more")
    parser.add_argument(
        "--spread", metavar="FILE", help="write how much donors differ, one row per rate, to this table"
    )
    parser.add_argument("--taxa", metavar="FILE", help="write every listed taxon of every donor to this table")
    options.seed(parser)
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "match",
        _match,
        "foretell which taxa are present after FMT, and how well that goes in donors and cohorts not learnt from",
        "For the taxa of donor or baseline: learn from abundance, presence, richness, day, and what became of the "
        "taxon and its genus in others, whether they are present after FMT; test it on donors, cohorts or subjects "
        "that were held out; and compare it with simple rules on the same people. One donor or one cohort cannot be "
        "tested, which is said.",
    )
    options.profile(parser)
    options.samples(parser)
    options.doses(parser)
    options.subjects(parser)
    parser.add_argument("--cohort", default="", metavar="COLUMN", help="column of the subjects table with the cohort")
    parser.add_argument(
        "--cv",
        nargs="+",
        default=["donor", "cohort", "subject"],
        choices=["donor", "cohort", "subject"],
        help="what is held out together",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        default=["random_forest", "logistic"],
        choices=["random_forest", "logistic"],
        help="what learns; predictions are those of the first",
    )
    parser.add_argument("--trees", type=int, default=200, help="trees of the forest")
    options.detection(parser)
    _window(parser)
    _list(parser)
    parser.add_argument("--predictions", metavar="FILE", help="write the prediction of every taxon to this table")
    parser.add_argument(
        "--pairs",
        metavar="FILE",
        help="write what is expected of every donor in every recipient to this table, from a model of all data",
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=100_000,
        metavar="N",
        help="learn from and judge on at most so many taxa of samples, whole samples drawn at random; 0 for all",
    )
    parser.add_argument(
        "--most-pairs",
        type=int,
        default=1_000,
        metavar="N",
        help="of more pairs of recipient and donor, foretell all donors for some recipients only, those who received "
        "nothing yet first; 0 for all",
    )
    parser.add_argument("--day", type=int, help="day after FMT that --pairs is about; else the median of the samples")
    options.seed(parser)
    options.output(parser, "table of scores (TSV)")


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--list",
        metavar="TSV",
        help="taxa of concern and of benefit (list, taxon, reason, source), instead of those of the package",
    )


def _window(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--window",
        nargs=2,
        type=int,
        metavar=("DAY", "DAY"),
        help="first and last day that count, instead of the visits that all have",
    )


def _all_at_once(*readers: Callable[[], Any]) -> list[Any]:
    """Call every reader, and raise the problems of all together."""
    from microbiome.errors import Problem, collecting, raise_problems

    problems: list[Problem] = []
    found = []
    for read in readers:
        with collecting(problems):
            found.append(read())
    raise_problems(problems)
    return found


def _donors(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from microbiome.diversity.tables import ALPHA
    from microbiome.donors import donors, taxon_lists
    from microbiome.metaphlan import read_abundance
    from microbiome.rates import rates
    from microbiome.study import read_study
    from microbiome.tables import OUTCOMES, RATES
    from microbiome.taxa.lineage import lineage_if_any
    from microbiome.tsv import read_result, write_table

    def given() -> pd.DataFrame | None:
        if arguments.rates:
            return read_result(arguments.rates, RATES)
        return rates(read_result(arguments.outcomes, OUTCOMES)) if arguments.outcomes else None

    study, abundance, lineage, lists, rate_table, alpha = _all_at_once(
        lambda: read_study(arguments.samples, arguments.subjects, arguments.doses),
        lambda: read_abundance(arguments.profile, arguments.rank, arguments.close),
        lambda: lineage_if_any(arguments.profile),
        lambda: taxon_lists(arguments.list),
        given,
        lambda: read_result(arguments.alpha, ALPHA) if arguments.alpha else None,
    )
    tables = donors(
        abundance,
        study,
        lists,
        lineage,
        rate_table,
        arguments.detection,
        arguments.window,
        arguments.permutations,
        arguments.seed,
        alpha,
    )
    for table, path in ((tables.spread, arguments.spread), (tables.taxa, arguments.taxa)):
        if path:
            write_table(table, path)
    write_table(tables.donors, arguments.output)


def _match(arguments: argparse.Namespace) -> None:
    from microbiome.donors import drawn_rows, match, match_pairs, match_rows, taxon_lists
    from microbiome.metaphlan import read_abundance
    from microbiome.study import read_study
    from microbiome.taxa.lineage import lineage_if_any
    from microbiome.tsv import write_table

    study, abundance, lineage, lists = _all_at_once(
        lambda: read_study(arguments.samples, arguments.subjects, arguments.doses),
        lambda: read_abundance(arguments.profile, arguments.rank, arguments.close),
        lambda: lineage_if_any(arguments.profile),
        lambda: taxon_lists(arguments.list),
    )
    rows = match_rows(abundance, study, lineage, arguments.detection, arguments.cohort, arguments.window)
    rows, left_out = drawn_rows(rows, arguments.rows, arguments.seed)
    if left_out:
        logger.warning("match: %s (--rows)", left_out)
    comments = [left_out] if left_out else []
    tables = match(rows, arguments.cv, arguments.model, arguments.trees, arguments.seed)
    if arguments.pairs:
        pairs = match_pairs(
            rows,
            abundance,
            study,
            lineage,
            lists,
            arguments.detection,
            arguments.day,
            arguments.model[0],
            arguments.trees,
            arguments.seed,
            arguments.most_pairs,
        )
        write_table(pairs, arguments.pairs, comments)
    if arguments.predictions:
        write_table(tables.predictions, arguments.predictions, comments)
    write_table(tables.scores, arguments.output, comments)
