"""``microbiome clinical ...``: from patients; without a subcommand, response and survival in one table."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

from microbiome.cli import options
from microbiome.cli.paths import named_files
from microbiome.errors import InputError, Problem

__all__ = ["add"]

# Modules of this package with a function ``add(subparsers)``, in the order of the help text.
_GROUPS = ("clinical_response", "clinical_survival", "clinical_toxicity")
# The options of the command itself are stored under this prefix: those of a subcommand would overwrite them.
_OWN = "clinical_"


class _Nested(argparse._SubParsersAction):  # type: ignore[type-arg]  # generic for the checker only
    """Subcommands that refuse options which stand before them: argparse would forget what these say."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        own = {action.dest: action.option_strings[-1] for action in parser._actions if action.dest.startswith(_OWN)}
        given = [option for dest, option in own.items() if getattr(namespace, dest, None) is not None]
        if given and isinstance(values, Sequence) and values:
            parser.error(f"{' '.join(given)} stands before the subcommand {values[0]!r}; write its options after it")
        super().__call__(parser, namespace, values, option_string)


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and the subcommands of this group."""
    parser = options.add_command(
        subparsers,
        "clinical",
        _clinical,
        "from patients: response rates, survival, toxicity",
        "Without a subcommand: response rates and survival (Kaplan-Meier medians and landmarks) of everybody and by "
        "arm from the subjects table, each with interval, n and the name of the method, in one tidy table.",
    )
    parser.add_argument(
        "--subjects",
        dest=f"{_OWN}subjects",
        metavar="TSV",
        help="subjects table: arm, best_response, pfs_days, ...",
    )
    parser.add_argument(
        "--by", dest=f"{_OWN}by", metavar="COLUMN", help="column that makes the groups; arm where it is there"
    )
    parser.add_argument(
        "--interval",
        dest=f"{_OWN}interval",
        choices=["clopper_pearson", "wilson"],
        help="interval of a response rate (clopper_pearson, the exact one, if not given)",
    )
    parser.add_argument(
        "--landmark",
        dest=f"{_OWN}landmark",
        nargs="+",
        type=float,
        metavar="DAYS",
        help="days at which survival is estimated (365 if not given)",
    )
    parser.add_argument("--level", dest=f"{_OWN}level", type=float, metavar="LEVEL", help="confidence level (0.95)")
    parser.add_argument(
        "-o", "--output", dest=f"{_OWN}output", metavar="FILE", help="table (TSV); - is standard output"
    )
    nested = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=False, action=_Nested)
    for group in _GROUPS:
        if importlib.util.find_spec(f"microbiome.cli.{group}"):
            importlib.import_module(f"microbiome.cli.{group}").add(nested)


def _clinical(arguments: argparse.Namespace) -> None:
    if arguments.clinical_subjects is None:
        raise InputError(Problem("`microbiome clinical` needs --subjects, or a subcommand", "see its --help"))
    from microbiome.clinical.overview import clinical_overview
    from microbiome.tables import SUBJECTS
    from microbiome.tsv import read_table, write_table

    given = {
        name: value
        for name in ("by", "interval", "landmark", "level")
        if (value := getattr(arguments, f"{_OWN}{name}")) is not None
    }
    with named_files({"subjects": arguments.clinical_subjects}):
        table = clinical_overview(read_table(arguments.clinical_subjects, SUBJECTS), **given)
    write_table(table, arguments.clinical_output or "-")
