"""``microbiome check``."""

from __future__ import annotations

import argparse
import sys

from microbiome.cli.options import add_command

_DESCRIPTION = """Check configuration, tables, FASTQ files or profiles, references and programs, and print every
problem at once, one per line: FILE:LINE: COLUMN: what is wrong; what to do. Nothing is written. Paths are relative to
the current folder. Exits with 2 when there is any error."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``check``."""
    parser = add_command(subparsers, "check", _run, "check the whole input of the workflow", _DESCRIPTION)
    parser.add_argument("--config", default="config/config.yaml", metavar="FILE", help="configuration of the workflow")
    parser.add_argument(
        "--quick", action="store_true", help="of FASTQ files and profiles look at the first record or header only"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 2 for warnings as well")
    parser.add_argument("--no-tools", dest="tools", action="store_false", help="do not look for programs on PATH")


def _run(arguments: argparse.Namespace) -> int:
    from microbiome.check import check_all

    checked = check_all(arguments.config, whole=not arguments.quick, tools=arguments.tools)
    for problem in checked.problems:
        sys.stderr.write(f"{problem.level}: {problem}\n")
    errors = sum(problem.level == "error" for problem in checked.problems)
    warnings = len(checked.problems) - errors
    said = [_counted(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    if errors or (warnings and arguments.strict):
        sys.stderr.write(f"{', '.join(said)} in the input described by {arguments.config}\n")
        return 2
    things = ", ".join(_counted(number, word.removesuffix("s")) for word, number in checked.counts.items())
    sys.stderr.write(f"OK: {things}{''.join(f'; {text}' for text in said)}\n")
    return 0


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
