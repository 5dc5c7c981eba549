"""``microbiome alpha``, ``beta``, ``ordinate``, ``permanova`` and ``similarity``."""

from __future__ import annotations

import argparse

from microbiome.cli import options
from microbiome.config_keys import ALPHA_METRICS, BETA_METRICS, SAMPLE_CHOICES

__all__ = ["add"]

_TREE = "Newick tree of the SGBs (plain or .gz), for faith_pd and UniFrac"


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    _add_alpha(subparsers)
    _add_beta(subparsers)
    parser = options.add_command(
        subparsers,
        "ordinate",
        _ordinate,
        "principal coordinates of a distance matrix",
        "Principal coordinates analysis (PCoA). The comment lines above the header tell the fraction that each axis "
        "explains and the weight of the negative eigenvalues.",
    )
    _distances(parser)
    parser.add_argument("--axes", type=int, default=10, metavar="N", help="how many axes to write")
    options.output(parser)
    _add_permanova(subparsers)
    parser = options.add_command(
        subparsers,
        "similarity",
        _similarity,
        "how close each recipient sample is to its donors, its baseline and other donors",
        "Compare every recipient and control sample with the donors received at any time (averaged within each donor "
        "first), with the subject's baseline, and with donors of whom nothing was received.",
    )
    _distances(parser)
    parser.add_argument(
        "--metric",
        default="",
        metavar="NAME",
        help="what the distances are, where the file does not say so; 1 - distance is given for metrics within 0..1",
    )
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    options.output(parser)


def _add_alpha(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = options.add_command(
        subparsers,
        "alpha",
        _alpha,
        "diversity within each sample",
        "Diversity within each sample; a sample without profile has every value missing. With faith_pd two columns "
        "tell what of the sample is not in the tree.",
    )
    options.profile(parser)
    parser.add_argument(
        "--metric",
        nargs="+",
        choices=ALPHA_METRICS,
        metavar="NAME",
        default=list(ALPHA_METRICS[:-1]),
        help=f"any of {', '.join(ALPHA_METRICS)}",
    )
    parser.add_argument("--tree", metavar="NEWICK", help=_TREE)
    options.output(parser)


def _add_beta(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = options.add_command(
        subparsers,
        "beta",
        _beta,
        "distances between samples",
        "Distances between every two samples that have a profile; the others are named in the log.",
    )
    options.profile(parser)
    parser.add_argument(
        "--metric", required=True, choices=BETA_METRICS, metavar="NAME", help=f"one of {', '.join(BETA_METRICS)}"
    )
    parser.add_argument("--tree", metavar="NEWICK", help=_TREE)
    parser.add_argument(
        "--zeros",
        choices=("multiplicative", "pseudocount"),
        default="multiplicative",
        help="for aitchison: replace zeros by delta and shrink the other parts, or add delta to every part",
    )
    parser.add_argument(
        "--delta",
        type=float,
        metavar="FRACTION",
        help="for aitchison; half of the smallest abundance above 0 when not given",
    )
    parser.add_argument(
        "--normalized",
        action="store_true",
        help="for weighted_unifrac: divide by the largest possible value, range 0..1",
    )
    options.output(parser, "square matrix (TSV)")


def _add_permanova(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = options.add_command(
        subparsers,
        "permanova",
        _permanova,
        "test whether groups of samples lie apart",
        "PERMANOVA and PERMDISP of each factor by itself. With --strata labels change places within strata, or, where "
        "the factor is constant within every stratum, whole strata change labels. p_floor is the smallest p-value "
        "attainable.",
    )
    _distances(parser)
    options.samples(parser)
    options.subjects(parser)
    parser.add_argument(
        "--factor", required=True, nargs="+", metavar="COLUMN", help="columns of the samples or subjects table to test"
    )
    parser.add_argument("--strata", metavar="COLUMN", help="samples that belong together, usually subject")
    parser.add_argument(
        "--continuous", nargs="+", default=[], metavar="COLUMN", help="factors that are numbers to be regressed on"
    )
    parser.add_argument(
        "--which",
        default="all",
        choices=SAMPLE_CHOICES,
        help="samples to test; recipients leaves out the donors, baseline and post are those of recipients",
    )
    parser.add_argument("--permutations", type=int, default=999, metavar="N", help="random permutations")
    options.seed(parser)
    options.output(parser)


def _distances(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--distances", required=True, metavar="TSV", help="matrix written by `microbiome beta`")


def _alpha(arguments: argparse.Namespace) -> None:
    from microbiome.diversity import alpha, read_tree
    from microbiome.metaphlan import read_abundance
    from microbiome.tsv import write_table

    tree = read_tree(arguments.tree) if arguments.tree and "faith_pd" in arguments.metric else None
    abundance = read_abundance(arguments.profile, arguments.rank, arguments.close)
    write_table(alpha(abundance, arguments.metric, tree), arguments.output)


def _beta(arguments: argparse.Namespace) -> None:
    from microbiome.diversity import beta, read_tree, write_distances
    from microbiome.metaphlan import read_abundance

    metric = arguments.metric
    tree = read_tree(arguments.tree) if arguments.tree and metric.endswith("unifrac") else None
    abundance = read_abundance(arguments.profile, arguments.rank, arguments.close)
    distances = beta(abundance, metric, tree, arguments.zeros, arguments.delta, arguments.normalized)
    normalized = metric == "weighted_unifrac" and arguments.normalized
    write_distances(distances, arguments.output, metric + ("_normalized" if normalized else ""))


def _ordinate(arguments: argparse.Namespace) -> None:
    from microbiome.diversity import ordinate, read_distances
    from microbiome.tsv import write_table

    ordination = ordinate(read_distances(arguments.distances), arguments.axes)
    write_table(ordination.coordinates, arguments.output, ordination.comments())


def _permanova(arguments: argparse.Namespace) -> None:
    from microbiome.diversity import permanova, read_distances, samples_of, with_subjects
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects)
    distances = read_distances(arguments.distances)
    samples = with_subjects(study)
    if arguments.which != "all":
        chosen = samples_of(study, arguments.which, distances.ids)
        distances, samples = distances.filter(chosen), samples[samples["sample"].isin(chosen)]
    table = permanova(
        distances,
        samples,
        arguments.factor,
        arguments.strata or None,
        arguments.permutations,
        arguments.seed,
        arguments.continuous,
    )
    if arguments.which != "all":
        said = "samples of recipients" if arguments.which == "recipients" else f"{arguments.which} samples"
        table = table.assign(note=[f"{said}; {note}" if note else said for note in table["note"]])
    write_table(table, arguments.output)


def _similarity(arguments: argparse.Namespace) -> None:
    from microbiome.diversity import read_distances, read_metric, similarity
    from microbiome.study import read_study
    from microbiome.tsv import write_table

    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    metric = arguments.metric or read_metric(arguments.distances)
    write_table(similarity(read_distances(arguments.distances), study, metric), arguments.output)
