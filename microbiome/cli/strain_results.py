"""``microbiome strains rates`` and ``microbiome strains audit``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from microbiome.cli import options

if TYPE_CHECKING:
    import pandas as pd

    from microbiome.study import Study

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "rates",
        _rates,
        "strain engraftment and persistence of every post sample",
        "Strain engraftment of every post sample over both denominators (donor strains that could be seen; taxa "
        "compared between post sample and donor), persistence of the subject's own strains, and donor fractions "
        "weighted by abundance. Give the table of `strains resolve`, that of `strains share`, or both; a column "
        "without its table is missing.",
    )
    parser.add_argument("--resolved", metavar="TSV", help="output of `microbiome strains resolve`")
    _shared(parser, required=False)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    parser.add_argument(
        "--outcomes",
        metavar="TSV",
        help="output of `microbiome outcomes`, of which the taxa that did not engraft and the limits are taken",
    )
    options.profile_files(
        parser, "instead of --outcomes: MetaPhlAn tables, or one TSV of feature x sample; SGBs where there are any"
    )
    options.detection(parser)
    options.reads(parser)
    parser.add_argument(
        "--persistence",
        metavar="FILE",
        help="also write how many strains two samples of a person have in common, one row per pair of its samples",
    )
    parser.add_argument(
        "--summary",
        metavar="FILE",
        help="also write the mean of every rate over subjects at each visit, with 95 %% interval, by arm",
    )
    options.output(parser)

    parser = options.add_command(
        subparsers,
        "audit",
        _audit,
        "whether samples are whose their labels say, by their strains",
        "Find samples that share strains with somebody they have nothing to do with, instead of with the person on "
        "their label or, after FMT, with its donor; and the exchange of labels that would explain it.",
    )
    _shared(parser, required=True)
    options.samples(parser)
    options.doses(parser, required=False)
    parser.add_argument("--level", type=float, default=0.05, metavar="Q", help="q-value up to which a label is doubted")
    parser.add_argument(
        "--taxa", type=int, default=5, metavar="N", help="with fewer taxa compared a sample is not said to be ok"
    )
    options.output(parser)


def _shared(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument("--shared", required=required, metavar="TSV", help="output of `microbiome strains share`")
    parser.add_argument(
        "--method",
        metavar="NAME",
        help="the distance whose calls are used, where --shared has several (consensus, shared_alleles, ngd, ...)",
    )


def _rates(arguments: argparse.Namespace) -> None:
    from microbiome.compare import trajectories
    from microbiome.errors import InputError, Problem
    from microbiome.strains.persistence import strain_persistence
    from microbiome.strains.rate_tables import STRAIN_RATE_NAMES
    from microbiome.strains.rates import strain_rates
    from microbiome.strains.tables import STRAIN_RESOLVED, STRAIN_SHARED
    from microbiome.study import read_study
    from microbiome.tsv import read_result, write_table

    if arguments.outcomes and arguments.profile:
        raise InputError(Problem("--outcomes and --profile are both given", "give one of them"))
    if arguments.persistence and not arguments.shared:
        raise InputError(Problem("--persistence needs the table of pairs", "give --shared"))
    if not arguments.resolved and not arguments.shared:
        raise InputError(Problem("there is no table of strains", "give --resolved, --shared or both"))
    study = read_study(arguments.samples, arguments.subjects, arguments.doses)
    shared = read_result(arguments.shared, STRAIN_SHARED) if arguments.shared else None
    resolved = read_result(arguments.resolved, STRAIN_RESOLVED) if arguments.resolved else None
    table = strain_rates(study, resolved, shared, _outcomes(arguments, study), arguments.method)
    if arguments.persistence and shared is not None:
        write_table(strain_persistence(study, shared, arguments.method), arguments.persistence)
    if arguments.summary:
        subjects = study.subjects if arguments.subjects else None
        by = "arm" if subjects is not None and "arm" in subjects and subjects["arm"].notna().any() else None
        doses = study.doses if arguments.doses else None
        write_table(trajectories(table, subjects, by, STRAIN_RATE_NAMES, doses), arguments.summary)
    write_table(table, arguments.output)


def _outcomes(arguments: argparse.Namespace, study: Study) -> pd.DataFrame | None:
    from microbiome.depth import study_limits
    from microbiome.errors import InputError, Problem
    from microbiome.evidence import evidence_for
    from microbiome.metaphlan import read_abundance
    from microbiome.outcomes import outcomes
    from microbiome.tables import OUTCOMES
    from microbiome.tsv import read_result

    if arguments.outcomes:
        table = read_result(arguments.outcomes, OUTCOMES)
        if "strain_outcome" in table:
            fix = "give that of `microbiome outcomes`, which has the taxa that did not engraft as well"
            raise InputError(Problem("the file is a table of `strains resolve`", fix, arguments.outcomes))
        return table
    if not arguments.profile:
        return None
    abundance = read_abundance(arguments.profile)
    limits = study_limits(abundance, study, evidence_for(arguments.profile, arguments.reads))
    return outcomes(abundance, study, arguments.detection, limits)


def _audit(arguments: argparse.Namespace) -> None:
    from microbiome.strains.audit import strain_audit
    from microbiome.strains.tables import STRAIN_SHARED
    from microbiome.study import read_study
    from microbiome.tsv import read_result, write_table

    study = read_study(arguments.samples, None, arguments.doses)
    shared = read_result(arguments.shared, STRAIN_SHARED)
    write_table(strain_audit(study, shared, arguments.method, arguments.level, arguments.taxa), arguments.output)
