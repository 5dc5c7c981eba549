"""``microbiome power``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from microbiome.cli import options

if TYPE_CHECKING:
    from microbiome.power.pilot import Pilot

__all__ = ["add"]

_DESCRIPTION = """Simulate trials of a design and give the power of a test for each number of patients, with its Monte
Carlo error, the effect seen and the smallest p-value attainable; the comment lines tell how many patients 80 % power
needs. The tests are those of `microbiome compare` (responders against the others, by subject) and `microbiome nulls`
(treated against placebo; own against re-assigned donors). With --rates, mean and variation of the rate are those of
your own pilot instead of a simulated microbiome."""

# Options that are parameters of the simulated trial: option, parameter, type, several, metavar, help.
_PARAMETERS = (
    ("--response-rate", "responders", float, False, "FRACTION", "share of the patients that respond"),
    (
        "--loss-ratio",
        "loss_ratio",
        float,
        False,
        "FACTOR",
        "effect: how many times as likely a taxon is lost in responders (against placebo: in the treated)",
    ),
    (
        "--engraftment-effect",
        "engraftment_effect",
        float,
        False,
        "LOGIT",
        "effect: added to the logit of engraftment in responders",
    ),
    (
        "--displacement",
        "displacement",
        float,
        False,
        "P",
        "probability that the first dose drives out a resident taxon; against placebo the effect",
    ),
    (
        "--engraftment",
        "engraftment",
        float,
        False,
        "P",
        "mean probability that a donor taxon engrafts; against re-assigned donors the effect",
    ),
    ("--days", "post_days", int, True, "DAY", "days of the samples after FMT"),
    ("--donors", "donors", int, False, "N", "donors"),
    ("--donor-weights", "donor_weights", float, True, "SHARE", "share of the patients that each donor treats"),
    ("--depth", "reads", float, False, "READS", "median reads (both mates) of a sample"),
    ("--loss", "loss", float, False, "P", "probability that a taxon of average abundance is lost in 30 days anyway"),
    ("--loss-sd", "loss_sd", float, False, "SD", "standard deviation between patients of its logit"),
)


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``power``."""
    from microbiome.power.tables import TESTS
    from microbiome.simulate.panel_parameters import PanelParameters
    from microbiome.tables import RATE_NAMES

    parser = options.add_command(
        subparsers, "power", _power, "how many patients a trial needs", " ".join(_DESCRIPTION.split())
    )
    parser.add_argument(
        "--patients", type=int, nargs="+", default=[10, 20, 40, 80], metavar="N", help="numbers of patients"
    )
    parser.add_argument("--test", default="response", choices=TESTS, help="what is tested")
    parser.add_argument(
        "--rate",
        choices=RATE_NAMES,
        metavar="NAME",
        help="the rate that is tested (default: depletion_rate; engraftment_rate with --test donors)",
    )
    parser.add_argument(
        "--placebo", type=float, default=0.5, metavar="FRACTION", help="share on placebo, with --test placebo"
    )
    defaults = PanelParameters()
    for name, parameter, kind, several, metavar, text in _PARAMETERS:
        value = getattr(defaults, parameter)
        parser.add_argument(
            name,
            dest=parameter,
            type=kind,
            nargs="+" if several else None,
            default=list(value) if several else value,
            metavar=metavar,
            help=text,
        )
    parser.add_argument(
        "--depth-factor",
        nargs="+",
        default=[],
        metavar="WHO=FACTOR",
        help="factors on the depth of some samples, such as post+responder=0.1; words: donor, recipient, baseline, "
        "post, fmt, placebo, responder, non_responder",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="any other parameter of the simulated trial, its value as JSON (see PanelParameters): taxa=500",
    )
    parser.add_argument(
        "--repair",
        default="none",
        choices=["none", "threshold"],
        help="threshold: detect as `outcomes --repair threshold` does, for designs that differ in depth",
    )
    parser.add_argument("--rates", metavar="TSV", help="rates of your pilot, written by `microbiome rates`")
    options.subjects(parser)
    parser.add_argument(
        "--rate-ratio",
        type=float,
        default=1.3,
        metavar="FACTOR",
        help="with --rates, the effect: rate of responders over that of the others",
    )
    parser.add_argument(
        "--trials", type=int, metavar="N", help="trials for each number (default: 400; 2000 of a pilot)"
    )
    parser.add_argument("--alpha", type=float, default=0.05, metavar="P", help="level of the test")
    parser.add_argument("--permutations", type=int, default=999, metavar="N", help="random permutations of a test")
    options.seed(parser)
    parser.add_argument("--figure", metavar="FILE.svg", help="also draw the table, with its data as TSV beside it")
    options.output(parser)


def _power(arguments: argparse.Namespace) -> None:
    from microbiome.power.needed import patients_needed
    from microbiome.power.parameters import panel_parameters
    from microbiome.power.pilot import pilot_power
    from microbiome.power.simulated import power
    from microbiome.tsv import write_table

    rate = arguments.rate or ("engraftment_rate" if arguments.test == "donors" else "depletion_rate")
    if arguments.rates:
        found, size = _pilot(arguments, rate)
        rest = (arguments.trials or 2000, arguments.alpha, arguments.permutations, arguments.seed)
        table, wide = (
            pilot_power(arguments.patients, found, arguments.rate_ratio, arguments.responders, size, factor, *rest)
            for factor in (1.0, found.high)
        )
        comments = [
            patients_needed(table).text,
            found.text,
            f"so few subjects leave open a deviation {found.high:.2f} times as large (95 %): then "
            + patients_needed(wide).text,
        ]
    else:
        values = {name: getattr(arguments, name) for _, name, *_ in _PARAMETERS}
        table = power(
            arguments.patients,
            panel_parameters(values, arguments.set, arguments.depth_factor),
            arguments.test,
            rate,
            arguments.placebo,
            arguments.repair,
            arguments.trials or 400,
            arguments.alpha,
            arguments.permutations,
            arguments.seed,
        )
        comments = [patients_needed(table).text]
    if arguments.figure:
        from microbiome.report.figures.power import power as draw
        from microbiome.report.svg import write_svg

        write_svg(draw(table), table, arguments.figure, "; ".join(comments))
    write_table(table, arguments.output, comments)


def _pilot(arguments: argparse.Namespace, rate: str) -> tuple[Pilot, int]:
    """Return what the pilot tells, and how many samples of each patient are planned."""
    from microbiome.errors import InputError, Problem
    from microbiome.power.pilot import pilot
    from microbiome.response import responder
    from microbiome.tables import RATES, SUBJECTS
    from microbiome.tsv import read_result, read_table

    if arguments.test != "response":
        raise InputError(Problem("a pilot of rates serves the test of responders only", "leave out --test, or --rates"))
    groups = responder(read_table(arguments.subjects, SUBJECTS)) if arguments.subjects else None
    return pilot(read_result(arguments.rates, RATES), rate, groups), len(arguments.post_days)
