"""``microbiome clinical response``."""

from __future__ import annotations

import argparse
import logging

from microbiome.cli import options
from microbiome.cli.paths import distinct_outputs, named_files

__all__ = ["add"]

logger = logging.getLogger(__name__)


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand of this group."""
    parser = options.add_command(
        subparsers,
        "response",
        _response,
        "response rates with intervals, and their differences between groups; RECIST 1.1 and iRECIST from lesions",
        "Objective response, disease control and clinical benefit rates of everybody and of groups, with exact "
        "intervals; risk differences (Newcombe), odds ratios (exact), and Fisher's, the chi-squared and Yates' test, "
        "each in a row of its own. The best responses are those of the subjects table, or computed from lesions.",
    )
    options.subjects(parser, required=True)
    parser.add_argument(
        "--samples", metavar="TSV", help="samples table: sample, subject, role, day; tells the donors, who are left out"
    )
    parser.add_argument(
        "--lesions",
        metavar="TSV",
        help="lesions table (subject, day, sum_diameters, ...): compute best responses from it",
    )
    parser.add_argument(
        "--by",
        nargs="*",
        metavar="COLUMN",
        help="columns of the subjects table (arm, cohort, ...), each making groups; arm if not given and there; "
        "without a name no groups",
    )
    options.among(parser)
    options.group_order(parser)
    parser.add_argument(
        "--interval",
        default="clopper_pearson",
        choices=["clopper_pearson", "wilson"],
        help="interval of a proportion: exact, or Wilson's score",
    )
    options.confidence(parser)
    parser.add_argument(
        "--evaluable",
        action="store_true",
        help="leave subjects with NE out of the denominator; else they count as without response",
    )
    parser.add_argument(
        "--benefit-days",
        type=float,
        default=183,
        metavar="DAYS",
        help="SD is clinical benefit where it lasts at least that long (6 months)",
    )
    lesions = parser.add_argument_group("lesions")
    lesions.add_argument(
        "--criteria",
        default="recist_1_1",
        choices=["recist_1_1", "irecist", "given"],
        help="criteria by which the lesions are judged; of iRECIST iUPD and iCPD count as PD in the rates; given takes "
        "the rates from the subjects table and the lesions (RECIST 1.1) for --assessments and --best only",
    )
    lesions.add_argument("--confirmed", action="store_true", help="CR and PR must be confirmed")
    lesions.add_argument(
        "--confirm-days",
        type=int,
        default=28,
        metavar="DAYS",
        help="to a confirmation, of a response and (iRECIST) of a progression, at least",
    )
    lesions.add_argument(
        "--sd-days", type=int, default=42, metavar="DAYS", help="SD must have been seen on that day or later"
    )
    lesions.add_argument(
        "--between",
        type=int,
        default=1,
        metavar="N",
        help="assessments with SD or NE that may stand between a PR and its confirmation",
    )
    lesions.add_argument(
        "--assessments", metavar="FILE", help="also write every assessment with its response (TSV), for spider plots"
    )
    lesions.add_argument(
        "--best",
        metavar="FILE",
        help="also write the best response, best change and progression of each subject (TSV), for waterfall plots",
    )
    options.output(parser)


def _response(arguments: argparse.Namespace) -> None:
    from microbiome.among import parse_among
    from microbiome.clinical.assessments import assess, best_responses
    from microbiome.clinical.best import Rules
    from microbiome.clinical.lesions import lesion_problems
    from microbiome.clinical.response import clinical_response
    from microbiome.errors import Problem, raise_problems
    from microbiome.tables import LESIONS, SAMPLES, SUBJECTS
    from microbiome.tsv import parse_table, write_table

    distinct_outputs(arguments.output, arguments.assessments, arguments.best)
    among = parse_among(arguments.among)
    subjects, problems = parse_table(arguments.subjects, SUBJECTS)
    lesions = donors = None
    if arguments.samples:
        samples, found = parse_table(arguments.samples, SAMPLES)
        problems += found
        donors = set(samples.loc[samples["role"] == "donor", "subject"]) if "role" in samples else None
    if arguments.lesions:
        lesions, found = parse_table(arguments.lesions, LESIONS)
        problems += found
        if not any(problem.level == "error" for problem in problems):
            problems += lesion_problems(lesions, list(subjects["subject"]), arguments.lesions)
    raise_problems(problems)
    for problem in problems:
        logger.warning("%s", problem)
    if lesions is None:
        # Of no effect on the responses of the subjects table: the user would take them for judged so.
        needed = {
            "--assessments": arguments.assessments,
            "--best": arguments.best,
            "--criteria irecist": arguments.criteria == "irecist",
            "--confirmed": arguments.confirmed,
        }
        raise_problems(
            Problem(f"{option} needs lesions", "give --lesions") for option, asked in needed.items() if asked
        )
    given = arguments.criteria == "given"
    criteria = "recist_1_1" if given else arguments.criteria
    rules = Rules(arguments.confirmed, arguments.confirm_days, arguments.sd_days, arguments.between)
    with named_files({"subjects": arguments.subjects, "lesions.tsv": arguments.lesions}):
        table = clinical_response(
            subjects,
            None if given else lesions,
            arguments.by,
            arguments.interval,
            arguments.evaluable,
            arguments.benefit_days,
            criteria,
            rules,
            arguments.group_order,
            arguments.level,
            among,
            donors,
        )
    if lesions is not None and arguments.assessments:
        write_table(assess(lesions, criteria, rules), arguments.assessments)
    if lesions is not None and arguments.best:
        write_table(best_responses(lesions, subjects, criteria, rules), arguments.best)
    write_table(table, arguments.output)
