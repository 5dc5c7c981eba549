"""Options that several subcommands share, so that each is spelled and explained once."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from microbiome.config_keys import RANKS
from microbiome.errors import InputError
from microbiome.files import open_text

__all__ = [
    "Files",
    "Parser",
    "add_command",
    "among",
    "by",
    "confidence",
    "detection",
    "doses",
    "group_order",
    "measurements",
    "no_close",
    "output",
    "profile",
    "profile_files",
    "rank",
    "reads",
    "repair",
    "samples",
    "seed",
    "subjects",
    "taxonomy",
]


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong, and leaves the usage to ``--help``."""

    def error(self, message: str) -> NoReturn:
        """Write the line to standard error and exit with 2."""
        text = re.sub(r"^argument ([^:]+): ", r"\1: ", message)
        found = re.fullmatch(r"(.*: )invalid (float|int) value: ('.*')", text)
        if found:
            place, kind, value = found.groups()
            comma = "; write decimals with a point" if "," in value else ""
            text = f"{place}{value} is not a {'number' + comma if kind == 'float' else 'whole number'}"
        self.exit(2, f"error: {text} (see `{self.prog} --help`)\n")


class Files(argparse.Action):
    """Paths, of which ``@LIST`` stands for those that the file LIST names, one per line.

    A command line holds no more than 128 KiB when a shell starts it: some thousand paths.
    """

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        """Put the paths into the place of the lists."""
        paths: list[str] = []
        for value in values or ():
            if not value.startswith("@"):
                paths.append(value)
                continue
            try:
                lines = open_text(value[1:]).split("\n")
            except InputError as error:
                raise argparse.ArgumentError(self, str(error)) from None
            paths += [path for path in (line.removesuffix("\r") for line in lines) if path.strip()]
        setattr(namespace, self.dest, paths)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that names a default only where there is one to know: not of flags, nor of what may be left out."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if isinstance(action, Files):
            return f"{action.help}; @LIST: those that the file LIST names, one per line"
        if action.required or action.default is None or isinstance(action.default, bool) or action.default in ("", []):
            return action.help
        if isinstance(action.default, list):
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return super()._get_help_string(action)


def add_command(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    summary: str,
    description: str = "",
) -> argparse.ArgumentParser:
    """Add subcommand `name`, which calls `run` with the parsed arguments."""
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=description or summary[:1].upper() + summary[1:] + ".",
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def output(parser: argparse.ArgumentParser, what: str = "table (TSV)") -> None:
    """Add ``-o/--output``."""
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help=f"{what}; - is standard output")


def profile(parser: argparse.ArgumentParser) -> None:
    """Add ``--profile``, which must be given, and how it is read."""
    profile_files(
        parser,
        "MetaPhlAn tables (single or merged, plain or .gz) or those of another profiler (docs/profilers.md), or one "
        "TSV or BIOM table of feature x sample",
        required=True,
    )
    rank(parser)
    no_close(parser, "do not close abundances to 1 over the classified part; MetaPhlAn percentages are divided by 100")


def profile_files(parser: argparse.ArgumentParser, what: str, required: bool = False) -> None:
    """Add ``--profile`` alone."""
    parser.add_argument("--profile", required=required, nargs="+", action=Files, default=[], metavar="FILE", help=what)


def rank(
    parser: argparse.ArgumentParser,
    what: str = "rows of a MetaPhlAn table to use; auto is sgb, or species where the table has no SGBs",
) -> None:
    """Add ``--rank``."""
    parser.add_argument("--rank", default="auto", choices=RANKS, help=what)


def no_close(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--no-close``."""
    parser.add_argument("--no-close", dest="close", action="store_false", help=what)


def measurements(parser: argparse.ArgumentParser) -> None:
    """Add ``--features``."""
    parser.add_argument(
        "--features",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="tables of measurements (TSV): sample and features; subject, day and features; or feature and samples",
    )


def samples(parser: argparse.ArgumentParser) -> None:
    """Add ``--samples``."""
    parser.add_argument("--samples", required=True, metavar="TSV", help="samples table: sample, subject, role, day")


def subjects(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Add ``--subjects``."""
    parser.add_argument(
        "--subjects", required=required, metavar="TSV", help="subjects table: subject, arm, response, ..."
    )


def doses(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add ``--doses``."""
    parser.add_argument(
        "--doses", required=required, metavar="TSV", help="doses table: subject, day, donor, donor_sample"
    )


def among(parser: argparse.ArgumentParser) -> None:
    """Add ``--among``."""
    parser.add_argument(
        "--among",
        nargs="+",
        default=[],
        metavar="COLUMN=VALUE",
        help="only subjects with these values of the subjects table, such as arm=fmt",
    )


def by(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--by`` for any number of columns; `what` says which."""
    parser.add_argument("--by", nargs="+", default=[], metavar="COLUMN", help=what)


def group_order(
    parser: argparse.ArgumentParser,
    what: str = "groups in order, the reference first; by default no, placebo, control, then by the alphabet",
) -> None:
    """Add ``--group-order``."""
    parser.add_argument("--group-order", nargs="+", default=[], metavar="GROUP", help=what)


def confidence(parser: argparse.ArgumentParser, what: str = "confidence level") -> None:
    """Add ``--level``."""
    parser.add_argument("--level", type=float, default=0.95, metavar="LEVEL", help=what)


def detection(parser: argparse.ArgumentParser) -> None:
    """Add ``--detection``."""
    parser.add_argument(
        "--detection", type=float, default=0.0, metavar="FRACTION", help="a taxon is detected above this abundance"
    )


def reads(parser: argparse.ArgumentParser) -> None:
    """Add ``--reads``."""
    parser.add_argument(
        "--reads",
        metavar="TSV",
        help="read accounting of the workflow (qc/reads.tsv): its reads of taxa give the limits of detection; else "
        "they come from the profiles, the reads of the samples table or the lowest abundances",
    )


def repair(parser: argparse.ArgumentParser, default: str = "none") -> None:
    """Add ``--repair``."""
    parser.add_argument(
        "--repair",
        default=default,
        choices=["none", "threshold", "thinning", "auto"],
        help="bring samples of different depth to one level: threshold is one detection threshold, 5 times the unit of "
        "the shallowest sample; thinning takes the evidence of every sample down to a fifth of it; auto is thinning "
        "where groups or time points differ in depth by more than 1.5, else none",
    )


def taxonomy(parser: argparse.ArgumentParser) -> None:
    """Add ``--taxonomy``."""
    parser.add_argument(
        "--taxonomy",
        default="",
        metavar="PATH",
        help="lineages for profiles that have none: a folder with nodes.dmp and names.dmp, or a CSV as sourmash tax "
        "takes it",
    )


def seed(parser: argparse.ArgumentParser) -> None:
    """Add ``--seed``."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
