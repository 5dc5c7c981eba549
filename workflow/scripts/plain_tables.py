"""Tables that one script of the workflow writes for another: cells between tabs, as they are, none of them quoted.

Uses the standard library alone, because the scripts run in the environments of the tools.
"""

from __future__ import annotations

from pathlib import Path


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table, each with its cells by column."""
    # A cell may hold what else ends a line or begins a quotation: a file is called what it is called.
    header, *lines = (line.split("\t") for line in path.read_bytes().decode().removesuffix("\n").split("\n"))
    return [dict(zip(header, line, strict=True)) for line in lines]
