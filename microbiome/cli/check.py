"""``microbiome check``."""

from __future__ import annotations

import argparse
import sys

from microbiome.cli.options import add_command
from microbiome.errors import report_lines

_DESCRIPTION = """Check configuration, tables, FASTQ files or profiles, references and programs, and print every
problem at once, one per line: FILE:LINE: COLUMN: what is wrong; what to do. Nothing is written. Paths are relative to
the current folder. Exits with 2 when there is any error. With --provenance, compare results with what they were made
from instead."""
_CONFIG = "config/config.yaml"


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``check``."""
    parser = add_command(subparsers, "check", _run, "check the whole input of the workflow", _DESCRIPTION)
    parser.add_argument("--config", metavar="FILE", help=f"configuration of the workflow (default {_CONFIG})")
    parser.add_argument(
        "--quick", action="store_true", help="of FASTQ files and profiles look at the first record or header only"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 2 for warnings as well")
    parser.add_argument("--no-tools", dest="tools", action="store_false", help="do not look for programs on PATH")
    parser.add_argument(
        "--provenance",
        nargs="?",
        const="",
        metavar="DIR",
        help="say what is out of date in this folder of results (default: that of the configuration): inputs, results, "
        "databases and versions that are not what its provenance.json records, and with --config the parameters; "
        "with --quick, files of the same size and time are not read",
    )


def _run(arguments: argparse.Namespace) -> int:
    if arguments.provenance is not None:
        return _compare(arguments)
    from microbiome.check import check_all

    arguments.config = arguments.config or _CONFIG
    checked = check_all(arguments.config, whole=not arguments.quick, tools=arguments.tools)
    sys.stderr.writelines(f"{line}\n" for line in report_lines(checked.problems))
    errors = sum(problem.level == "error" for problem in checked.problems)
    warnings = len(checked.problems) - errors
    said = [_counted(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    if errors or (warnings and arguments.strict):
        sys.stderr.write(f"{', '.join(said)} in the input described by {arguments.config}\n")
        return 2
    things = ", ".join(_counted(number, word.removesuffix("s")) for word, number in checked.counts.items())
    sys.stderr.write(f"OK: {things}{''.join(f'; {text}' for text in said)}\n")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from microbiome.config import load_config
    from microbiome.provenance_check import compare_provenance

    # A folder that is named is compared with its own parameters, unless a configuration is named too.
    file = arguments.config or ("" if arguments.provenance else _CONFIG)
    config = load_config(file) if file else None
    place = arguments.provenance or (config or {})["results"]
    compared = compare_provenance(place, config, arguments.quick, arguments.tools)
    sys.stderr.writelines(f"{line}\n" for line in report_lines(compared.problems))
    errors = sum(problem.level == "error" for problem in compared.problems)
    warnings = len(compared.problems) - errors
    said = f"; {_counted(warnings, 'warning')}" if warnings else ""
    if errors or (warnings and arguments.strict):
        differences = _counted(errors, "difference")
        sys.stderr.write(f"out of date: {place}, made {compared.written}: {differences}{said}\n")
        return 2
    things = ", ".join(_counted(number, word.removesuffix("s")) for word, number in compared.counts.items())
    sys.stderr.write(f"OK: {place}, made {compared.written}, is up to date: {things} compared{said}\n")
    return 0


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
