"""``microbiome simulate`` and ``microbiome accuracy``: a trial with known truth, and results against that truth."""

from __future__ import annotations

import argparse
import logging

from microbiome.cli import options

__all__ = ["add"]

logger = logging.getLogger(__name__)

# Parameters that have an option of their own: name, metavar, help. Types and defaults come from the declaration.
_OPTIONS = (
    ("donors", "N", "donors"),
    ("donor_samples", "N", "samples (lots) of each donor"),
    ("recipients", "N", "recipients, placebo included"),
    ("placebo", "N", "how many of the recipients receive no donor product"),
    ("day_jitter", "DAYS", "a visit is up to this many days early or late"),
    ("sgbs", "N", "taxa; beyond the packaged names they are unknown SGBs"),
    ("engraftment", "P", "mean probability that a donor taxon the recipient lacks engrafts with a dose"),
    ("response_effect", "LOGIT", "added to the logit of that probability for responders, taken from it for the others"),
    ("loss_effect", "LOGIT", "added to the logit of what a dose drives out in responders, taken from it in the others"),
    ("min_abundance", "FRACTION", "no carried taxon falls below it"),
    ("read_pairs", "N", "median read pairs of a sample"),
    ("depth_sd", "SD", "standard deviation of the log depth between samples"),
    ("post_depth", "FACTOR", "factor on the depth of samples after day 0"),
    ("placebo_depth", "FACTOR", "further factor on these of placebo recipients"),
    ("nonresponder_depth", "FACTOR", "further factor on these of recipients without response"),
    ("dropout", "P", "probability that a recipient who came to a visit after day 0 comes to no later one"),
    ("host", "FRACTION", "mean fraction of host fragments"),
    ("junk", "FRACTION", "mean fraction of fragments of no known organism"),
    ("markers", "N", "markers of each SGB"),
    ("marker_length", "BP", "mean length of a marker"),
    ("strain_divergence", "FRACTION", "positions at which two strains differ"),
    ("read_length", "BP", "length of a read"),
)


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``simulate`` and ``accuracy``."""
    # The declaration of the parameters is light; the simulator itself is imported when it runs.
    from microbiome.simulate.parameters import Parameters, option

    parser = options.add_command(
        subparsers,
        "simulate",
        _simulate,
        "write a simulated trial with known truth",
        "Write a simulated FMT trial with known truth: tables and profiles, and with --reads also FASTQ, a miniature "
        "MetaPhlAn database (real names, made-up sequences), a host genome and a config for the workflow.",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write; new or empty")
    parser.add_argument(
        "--results",
        default="",
        metavar="DIR",
        help="folder for the results in config.yaml; empty is results beside DIR",
    )
    options.seed(parser)
    parser.add_argument(
        "--reads", action="store_true", help="also write FASTQ, marker database and host genome (needs bowtie2)"
    )
    parser.add_argument(
        "--function",
        action="store_true",
        help="with --reads: genes of known function on the markers, and miniature databases for HUMAnN (needs diamond)",
    )
    parser.add_argument(
        "--exact", action="store_true", help="write the true abundances as profiles, without sampling noise"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a simulated trial that is already in the folder, with all in it"
    )
    defaults = Parameters()
    parser.add_argument(
        "--days",
        type=int,
        nargs="+",
        default=list(defaults.days),
        metavar="DAY",
        help="days of a recipient's samples; the first dose is day 0",
    )
    parser.add_argument(
        "--donor-weights",
        type=float,
        nargs="+",
        default=[],
        metavar="WEIGHT",
        help="probability of each donor to be given to a recipient; without it, donors in turn",
    )
    for name, metavar, text in _OPTIONS:
        value = getattr(defaults, name)
        parser.add_argument(option(name), type=type(value), default=value, metavar=metavar, help=text)
    parser.add_argument(
        "--no-shallow-sample",
        dest="shallow_sample",
        action="store_false",
        help="leave out the sample with far too few reads",
    )

    parser = options.add_command(
        subparsers,
        "accuracy",
        _accuracy,
        "compare profiles and outcomes with the truth of a simulated trial",
        "Compare profiles and outcomes with the truth of a simulated trial; exit 1 when they fall short of the limits.",
    )
    parser.add_argument("--truth", required=True, metavar="DIR", help="folder truth/ of the simulated trial")
    options.profile(parser)
    parser.add_argument("--outcomes", required=True, metavar="TSV", help="outcomes table")
    parser.add_argument(
        "--functions", action="store_true", help="profile and outcomes are of ECs, in a trial simulated with --function"
    )
    parser.add_argument(
        "--min-f1", type=float, default=0.97, metavar="F1", help="least F1 of detected taxa, all samples together"
    )
    parser.add_argument(
        "--max-bray-curtis", type=float, default=0.05, metavar="BC", help="largest distance of any profile to the truth"
    )
    parser.add_argument(
        "--min-outcomes", type=float, default=0.95, metavar="FRACTION", help="least fraction of equal outcomes"
    )
    options.output(parser)


def _simulate(arguments: argparse.Namespace) -> None:
    from microbiome.simulate.parameters import Parameters
    from microbiome.simulate.write import write_trial

    values = {name: getattr(arguments, name) for name, _, _ in _OPTIONS}
    parameters = Parameters(
        seed=arguments.seed,
        days=tuple(arguments.days),
        donor_weights=tuple(arguments.donor_weights),
        shallow_sample=arguments.shallow_sample,
        **values,
    )
    write_trial(
        parameters,
        arguments.output,
        arguments.reads,
        arguments.exact,
        arguments.force,
        results=arguments.results,
        function=arguments.function,
    )


def _accuracy(arguments: argparse.Namespace) -> int:
    from microbiome.metaphlan import read_abundance
    from microbiome.simulate.accuracy import Limits, accuracy, judge, read_truth
    from microbiome.tables import OUTCOMES
    from microbiome.tsv import read_table, write_table

    truth = read_truth(arguments.truth, arguments.functions)
    profile = read_abundance(arguments.profile, rank=arguments.rank, close=arguments.close)
    result = accuracy(truth, profile, read_table(arguments.outcomes, OUTCOMES))
    limits = Limits(arguments.min_f1, arguments.max_bray_curtis, arguments.min_outcomes)
    verdict = judge(result, limits, "ECs" if arguments.functions else "SGBs")
    for line in verdict.lines:
        logger.log(logging.ERROR if line.endswith("FAILED") else logging.INFO, "%s", line)
    write_table(result, arguments.output, comments=verdict.lines)
    return 0 if verdict.passed else 1
