"""``microbiome clinical survival``."""

from __future__ import annotations

import argparse

from microbiome.cli import options

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand of this group."""
    parser = options.add_command(
        subparsers,
        "survival",
        _survival,
        "Kaplan-Meier, log-rank and Cox regression of progression-free and overall survival",
        "Kaplan-Meier of everybody and of groups (medians, survival at given days, follow-up), log-rank tests by "
        "permutation and chi-square, and Cox regression on columns of the subjects table and on numbers per sample. "
        "What was measured after FMT counts from a landmark day on, among those still at risk then: from day 0 on, "
        "whoever lived until the sample would be immortal until then.",
    )
    options.subjects(parser, required=True)
    parser.add_argument("--endpoint", nargs="+", default=[], metavar="NAME", help="pfs, os; all that there are")
    _groups(parser)
    _predictors(parser)
    parser.add_argument(
        "--landmark",
        type=float,
        metavar="DAY",
        help="start the clock on this day, with those then at risk; without it on day 0, or for what was measured "
        "after FMT on the last day on which it was measured",
    )
    parser.add_argument(
        "--measured",
        nargs="+",
        default=[],
        metavar="COLUMN=DAY",
        help="columns of the subjects table that were known only on that day, such as responder=90",
    )
    parser.add_argument(
        "--naive",
        action="store_true",
        help="count from day 0 what was measured later: biased (immortal time), and labelled so in every row",
    )
    options.among(parser)
    options.group_order(parser, "groups and levels in order, the reference first")
    parser.add_argument("--strata", metavar="COLUMN", help="compare within these groups of subjects, such as a centre")
    options.confidence(parser)
    parser.add_argument(
        "--curves", metavar="FILE", help="also write the Kaplan-Meier curves (TSV) with numbers at risk"
    )
    options.seed(parser)
    options.output(parser)


def _groups(parser: argparse.ArgumentParser) -> None:
    options.by(parser, "columns of the subjects table that make groups")
    parser.add_argument(
        "--times", nargs="+", type=float, default=[365], metavar="DAY", help="days at which survival is told"
    )
    parser.add_argument(
        "--interval", default="log_log", choices=["log_log", "log", "plain"], help="interval of survival and of medians"
    )
    parser.add_argument(
        "--restricted-mean", type=float, metavar="DAY", help="also the mean time up to this day (after the landmark)"
    )
    parser.add_argument("--permutations", type=int, default=9999, metavar="N", help="random permutations (log-rank)")


def _predictors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--predictors",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of the subjects table for Cox regression, one at a time",
    )
    parser.add_argument(
        "--covariates", nargs="+", default=[], metavar="COLUMN", help="columns held constant in every Cox model"
    )
    parser.add_argument(
        "--features",
        metavar="TSV",
        help="table with one row per sample (rates, alpha, ...), whose numbers are predictors",
    )
    parser.add_argument(
        "--rate",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns of it; without, the usual rates or else all numbers",
    )
    options.profile_files(parser, "profile whose taxa are predictors, one at a time")
    options.rank(parser, "rows of a MetaPhlAn profile to use")
    parser.add_argument("--taxa", nargs="+", default=[], metavar="TAXON", help="taxa of it; all when not given")
    parser.add_argument(
        "--prevalence",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="taxa present in a smaller share of the subjects are not tested; their rows say so",
    )
    parser.add_argument(
        "--samples",
        metavar="TSV",
        help="samples table; needed for a profile, and where --features lacks subject or day",
    )
    parser.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar="DAY",
        help="samples from this to that day, their mean; without it the last sample with day <= 0, or where there is "
        "none the first visit",
    )
    parser.add_argument("--joint", action="store_true", help="all predictors in one model, not one at a time")
    parser.add_argument(
        "--scale", default="sd", choices=["sd", "unit"], help="hazard ratios of numbers per standard deviation or unit"
    )
    parser.add_argument(
        "--transform", default="none", choices=["none", "log10", "presence"], help="of the numbers per sample"
    )
    parser.add_argument(
        "--categorical", nargs="+", default=[], metavar="COLUMN", help="columns whose numbers are names of groups"
    )
    parser.add_argument(
        "--cut",
        type=float,
        metavar="PERCENTILE",
        help="cut numbers in two at this percentile, chosen beforehand (50 is the median), with Kaplan-Meier and "
        "log-rank of the two; the cutpoint that separates best is not offered, as it finds differences by chance",
    )
    parser.add_argument("--ties", default="efron", choices=["efron", "breslow"], help="how Cox models take ties")
    parser.add_argument(
        "--cox-interval",
        default="profile",
        choices=["profile", "wald"],
        help="interval of hazard ratios: by profile likelihood, or Wald's, which fails with few events",
    )


def _survival(arguments: argparse.Namespace) -> None:
    from microbiome.among import parse_among
    from microbiome.clinical.survival_command import Request, survival_command
    from microbiome.tsv import write_table

    request = Request(
        subjects=arguments.subjects,
        samples=arguments.samples,
        features=arguments.features,
        rate=tuple(arguments.rate),
        profile=tuple(arguments.profile),
        rank=arguments.rank,
        taxa=tuple(arguments.taxa),
        prevalence=arguments.prevalence,
        predictors=tuple(arguments.predictors),
        covariates=tuple(arguments.covariates),
        window=tuple(arguments.window) if arguments.window else None,
        joint=arguments.joint,
        scale=arguments.scale,
        transform=arguments.transform,
        categorical=tuple(arguments.categorical),
        cut=arguments.cut,
        ties=arguments.ties,
        cox_interval=arguments.cox_interval,
        by=tuple(arguments.by),
        endpoints=tuple(arguments.endpoint),
        times=tuple(arguments.times),
        interval=arguments.interval,
        until=arguments.restricted_mean,
        permutations=arguments.permutations,
        landmark=arguments.landmark,
        measured=tuple(arguments.measured),
        naive=arguments.naive,
        among=parse_among(arguments.among),
        group_order=tuple(arguments.group_order),
        strata=arguments.strata,
        level=arguments.level,
        seed=arguments.seed,
        curves=arguments.curves is not None,
    )
    table, curves = survival_command(request)
    write_table(table, arguments.output)
    if curves is not None:
        write_table(curves, arguments.curves)
