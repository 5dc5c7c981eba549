"""The ``microbiome`` command: each subcommand is a thin cover of one public function."""

from __future__ import annotations

import argparse
import errno
import importlib
import importlib.metadata
import logging
import os
import sys
from collections.abc import Sequence

from microbiome.cli.options import Parser
from microbiome.errors import InputError, report_lines

__all__ = ["main"]

# Modules of this package with a function ``add(subparsers)``, in the order of the help text.
_GROUPS = (
    "check",
    "simulate",
    "profiles",
    "diversity",
    "outcomes",
    "nulls",
    "compare",
    "taxa",
    "strains",
    "function",
    "molecules",
    "associate",
    "clinical",
    "donors",
    "sensitivity",
    "power",
    "workflow",
    "report",
)

# Reasons for which the operating system refuses a file that the user named.
_OF_THE_USER = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}

_EPILOG = """A subcommand that measures writes one tidy TSV to --output (- is standard output). All log to standard
error and exit with 0, or with 2 and one line per problem when the input cannot be used."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (0, or 2 for input that cannot be used)."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.WARNING if arguments.quiet else logging.INFO,
        format="%(levelname)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        code = arguments.run(arguments)
    except InputError as error:
        sys.stderr.writelines(f"{line}\n" for line in report_lines(error.problems))
        return 2
    except BrokenPipeError:
        # The reader of standard output has gone (`| head`): that is its right. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # What the user's disk, folders or rights refuse is not a bug; those of the program itself have a traceback too.
        if error.errno not in _OF_THE_USER:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}cannot be read or written ({error.strerror})\n")
        return 2
    return int(code or 0)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="microbiome",
        description="Analyse shotgun metagenomes of faecal microbiota transplantation trials.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    version = importlib.metadata.version("fmt-microbiome")
    parser.add_argument("--version", action="version", version=f"microbiome {version}")
    parser.add_argument("--quiet", action="store_true", help="log warnings only")
    subparsers = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for group in _GROUPS:
        # Imported late and one by one: `microbiome --help` stays quick, and a group reads in one sitting.
        importlib.import_module(f"microbiome.cli.{group}").add(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
