"""``microbiome clinical toxicity``, ``time-to-toxicity`` and ``donor-clusters``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from microbiome.cli import options
from microbiome.cli.paths import distinct_outputs, named_files

if TYPE_CHECKING:
    import pandas as pd

    from microbiome.tables import Table

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    _add_toxicity(subparsers)
    _add_time(subparsers)
    _add_clusters(subparsers)


def _tables(parser: argparse.ArgumentParser, events_required: bool) -> None:
    options.subjects(parser, required=True)
    parser.add_argument(
        "--toxicities",
        required=events_required,
        metavar="TSV",
        help="events: subject, day, grade; a subject's worst one must agree with irae_grade of the subjects table",
    )
    options.doses(parser, required=False)
    parser.add_argument("--samples", metavar="TSV", help="samples table: sample, subject, role, day; tells the donors")
    parser.add_argument("--treatments", metavar="TSV", help="courses of drugs: subject, day, kind, name")
    parser.add_argument(
        "--treatment-kind",
        default="immunotherapy",
        metavar="KIND",
        help="kind of the treatments table that `--by treatment` makes groups of",
    )
    parser.add_argument(
        "--clusters",
        metavar="TSV",
        help="clusters of donors, as `microbiome clinical donor-clusters` writes them",
    )
    parser.add_argument(
        "--threshold", type=int, default=3, metavar="GRADE", help="a worst grade of at least this is severe"
    )
    options.among(parser)
    options.confidence(parser, "confidence level of the intervals")


def _add_toxicity(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = options.add_command(
        subparsers,
        "toxicity",
        _toxicity,
        "worst grade of adverse events by cohort, treatment, donor, donor cluster and donor taxa",
        "Count recipients by worst CTCAE grade, with exact intervals, and test whether severe events differ between "
        "groups: Fisher's exact test (Fisher-Freeman-Halton of more than two groups), Pearson's and Yates' "
        "chi-squared, a permutation test of the grades, odds ratios. Recipients of one donor are not independent: "
        "beside each test of recipients stands one that permutes the donors' property between donors. Every taxon of "
        "the donors is tested, by presence and by abundance; what cannot be tested says why.",
    )
    _tables(parser, events_required=False)
    options.by(
        parser,
        "columns of the subjects table that make groups (cohort, arm, ...), or treatment; donor and donor_cluster are "
        "added where doses and profiles are given",
    )
    options.profile_files(parser, "profiles with the donors' samples, for their taxa")
    options.rank(parser)
    options.detection(parser)
    parser.add_argument(
        "--taxon",
        nargs="+",
        default=[],
        metavar="NAME",
        help="taxa to test by name, such as 'Segatella copri': all SGBs that the name means, also by a former name",
    )
    parser.add_argument(
        "--several",
        default="mean",
        choices=["mean", "any"],
        help="exposure of a recipient of several donors: the mean over them, or the largest (any)",
    )
    parser.add_argument(
        "--interval",
        default="clopper_pearson",
        choices=["clopper_pearson", "wilson"],
        help="interval of a share",
    )
    parser.add_argument("--permutations", type=int, default=9999, help="arrangements looked at where there are more")
    options.seed(parser)
    options.output(parser)


def _add_time(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = options.add_command(
        subparsers,
        "time-to-toxicity",
        _time,
        "share of recipients with a severe adverse event by each day",
        "Cumulative incidence of the first severe event (Aalen-Johansen: death competes) and, named as such, 1 - "
        "Kaplan-Meier, which takes deaths for the end of follow-up and overstates it. Needs os_days and os_event.",
    )
    _tables(parser, events_required=True)
    options.by(parser, "columns of the subjects table that make groups, donor, donor_cluster or treatment")
    options.output(parser)


def _add_clusters(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = options.add_command(
        subparsers,
        "donor-clusters",
        _clusters,
        "donors grouped by composition, with the choice of how many groups, and their stability",
        "Average the samples of each donor and cluster the donors. For every number of clusters: mean silhouette, gap "
        "statistic and stability; one cluster is a possible answer.",
    )
    options.profile(parser)
    options.samples(parser)
    parser.add_argument(
        "--metric",
        default="bray_curtis",
        choices=["bray_curtis", "jaccard", "aitchison", "robust_aitchison", "hellinger"],
        help="distance between donors",
    )
    parser.add_argument(
        "--clustering",
        default="average",
        choices=["average", "pam"],
        help="hierarchical with average linkage, or partitioning around medoids",
    )
    parser.add_argument(
        "--criterion",
        default="silhouette",
        choices=["silhouette", "gap"],
        help="largest mean silhouette (one cluster where data of one cluster reach it with p > 0.05), or the gap rule",
    )
    parser.add_argument("--number", type=int, metavar="K", help="this many clusters instead of a criterion")
    parser.add_argument("--most", type=int, default=8, metavar="K", help="largest number of clusters looked at")
    parser.add_argument(
        "--resample",
        default="taxa",
        choices=["taxa", "donors"],
        help="stability under a bootstrap of the taxa, or under leaving out a fifth of the donors",
    )
    parser.add_argument("--resamples", type=int, default=200, help="how many resamples the stability is of")
    parser.add_argument("--references", type=int, default=199, help="data sets of one cluster that are drawn")
    options.seed(parser)
    parser.add_argument("--choice", metavar="FILE", help="also write the table of what was looked at")
    options.output(parser)


def _read(arguments: argparse.Namespace) -> dict[str, pd.DataFrame | None]:
    """Read the tables that were given; raise all that is wrong with any of them at once."""
    from microbiome.clinical.toxicity_tables import DONOR_CLUSTERS
    from microbiome.errors import Problem, raise_problems
    from microbiome.tables import DOSES, SAMPLES, SUBJECTS, TOXICITIES, TREATMENTS
    from microbiome.tsv import parse_table

    wanted: dict[str, Table] = {
        "subjects": SUBJECTS,
        "toxicities": TOXICITIES,
        "doses": DOSES,
        "samples": SAMPLES,
        "treatments": TREATMENTS,
        "clusters": DONOR_CLUSTERS,
    }
    problems: list[Problem] = []
    frames: dict[str, pd.DataFrame | None] = {}
    for name, table in wanted.items():
        path = getattr(arguments, name)
        frames[name] = None
        if path:
            frames[name], found = parse_table(path, table)
            problems += found
    raise_problems(problems)
    return frames


def _toxicity(arguments: argparse.Namespace) -> None:
    from microbiome.clinical.toxicity_analysis import toxicity
    from microbiome.clinical.toxicity_grades import ToxicitySettings
    from microbiome.errors import InputError, Problem
    from microbiome.tsv import write_table

    frames = _read(arguments)
    abundance = lineage = None
    if arguments.profile:
        from microbiome.metaphlan import read_abundance
        from microbiome.taxa.lineage import lineage_if_any

        if frames["samples"] is None or frames["doses"] is None:
            raise InputError(Problem("--profile needs --samples and --doses", "give both: they tell whose donor it is"))
        abundance = read_abundance(arguments.profile, arguments.rank)
        lineage = lineage_if_any(arguments.profile) if arguments.taxon else None
    settings = ToxicitySettings(
        threshold=arguments.threshold,
        several=arguments.several,
        detection=arguments.detection,
        interval=arguments.interval,
        permutations=arguments.permutations,
        seed=arguments.seed,
        level=arguments.level,
    )
    with named_files(vars(arguments)):
        table = toxicity(
            **_given(frames, arguments),
            abundance=abundance,
            taxa=arguments.taxon,
            lineage=lineage,
            settings=settings,
        )
    write_table(table, arguments.output)


def _time(arguments: argparse.Namespace) -> None:
    from microbiome.clinical.toxicity_grades import ToxicitySettings
    from microbiome.clinical.toxicity_time import time_to_toxicity
    from microbiome.tsv import write_table

    frames = _read(arguments)
    with named_files(vars(arguments)):
        table = time_to_toxicity(
            **_given(frames, arguments),
            settings=ToxicitySettings(threshold=arguments.threshold, level=arguments.level),
        )
    write_table(table, arguments.output)


def _given(frames: dict[str, pd.DataFrame | None], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what both analyses take; frames that are not given are left to the default."""
    from microbiome.among import parse_among

    shared = {name: getattr(arguments, name) for name in ("by", "treatment_kind")}
    tables = {name: frame for name, frame in frames.items() if frame is not None}
    return {**tables, **shared, "among": parse_among(arguments.among)}


def _clusters(arguments: argparse.Namespace) -> None:
    from microbiome.clinical.donor_clusters_analysis import donor_clusters
    from microbiome.metaphlan import read_abundance
    from microbiome.tables import SAMPLES
    from microbiome.tsv import read_table, write_table

    distinct_outputs(arguments.output, arguments.choice)
    clusters, choice = donor_clusters(
        read_abundance(arguments.profile, arguments.rank, arguments.close),
        read_table(arguments.samples, SAMPLES),
        arguments.metric,
        arguments.clustering,
        arguments.criterion,
        arguments.number,
        arguments.most,
        arguments.resample,
        arguments.resamples,
        arguments.references,
        arguments.seed,
    )
    write_table(clusters, arguments.output)
    if arguments.choice:
        write_table(choice, arguments.choice)
