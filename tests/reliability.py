"""The rows of docs/reliability.md: each is what one test did to a run, what the user saw, and what was lost.

A test that plays a fault ends with the fixture ``reliability``: it fails when the row is not in the page word for
word. ``make reliability`` runs these tests and writes the rows instead (``RELIABILITY=write``), so that the page says
what the tests saw and nothing else.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["GROUPS", "PAGE", "Recorder", "cleaned", "named_tests", "page", "rows_of"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
GROUPS = (
    "FASTQ files",
    "Programs",
    "Disk and folders",
    "Interrupted and concurrent runs",
    "Sheets",
    "Profiles",
    "Names and security",
    "Cluster",
)
_HEAD = """# Reliability

Each row is a test that did this to a run, in which the user saw that. The page is written by the tests (`make
reliability`), and `make test` (the group Cluster: `make test-cluster`) fails where a row is not what happens.
"""
_COLUMNS = "| fault | what was done | what the user saw | what was lost | test |\n| --- | --- | --- | --- | --- |"


class Recorder:
    """Compare, or write, the row of one test.

    Parameters
    ----------
    test
        Its place: ``tests/test_x.py::test_y``.
    write
        Write the row instead of comparing it.
    path
        The page.
    """

    def __init__(self, test: str, write: bool = False, path: Path = PAGE) -> None:
        self._test, self._write, self._path = test, write, path

    def __call__(self, group: str, fault: str, *, done: str, saw: str, lost: str = "nothing") -> None:
        """State what happened.

        Parameters
        ----------
        group
            One of `GROUPS`: the heading.
        fault
            What went wrong; unique within the group, sorts the rows.
        done
            What the test did to bring it about.
        saw
            The text that the user saw, from the run itself (``cleaned``), with nothing in it that differs between runs.
        lost
            What could not be had back.
        """
        assert group in GROUPS, f"{group!r} is none of the groups of the page"
        cells = [*(_cell(text) for text in (fault, done)), _quoted(saw), _cell(lost), f"`{self._test}`"]
        row = "| " + " | ".join(cells) + " |"
        if not self._write:
            there = rows_of(self._path).get((group, cells[0]))
            assert row == there, f"docs/reliability.md has another row (make reliability writes it):\n{there}\n{row}"
            return
        self._path.touch()
        # The tests run in several processes, each of which writes its rows.
        with self._path.open("r+", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            text = page({**rows_of(self._path), (group, cells[0]): row})
            stream.truncate()
            stream.write(text)


def cleaned(text: str, places: Mapping[str, str] | None = None) -> str:
    """Return a text without what differs between two runs: places (as `places` renames them), colours, white space."""
    for place, name in (places or {}).items():
        text = text.replace(place, name)
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def rows_of(path: Path = PAGE) -> dict[tuple[str, str], str]:
    """Return the rows of the page by group and fault."""
    rows: dict[tuple[str, str], str] = {}
    group = ""
    for line in path.read_text("utf-8").split("\n") if path.exists() else []:
        if line.startswith("## "):
            group = line[3:]
        elif line.startswith("| ") and not line.startswith(("| fault |", "| --- |")):
            rows[group, line[2:].split(" | ")[0]] = line
    return rows


def page(rows: Mapping[tuple[str, str], str]) -> str:
    """Return the page: the groups in their order, within them the faults by name."""
    parts = [_HEAD]
    for group in GROUPS:
        lines = [rows[key] for key in sorted(rows) if key[0] == group]
        if lines:
            parts.append("\n".join([f"## {group}", "", _COLUMNS, *lines, ""]))
    return "\n".join(parts)


def named_tests(path: Path = PAGE) -> list[str]:
    """Return the tests that the rows name."""
    return [line.rsplit("`", 2)[1] for line in rows_of(path).values()]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _quoted(text: str) -> str:
    """Return lines as code, one under the other, as a cell of a table can hold them."""
    lines = [line.replace("|", "\\|") for line in text.strip().split("\n")]
    return "<br>".join(f"`` {line} ``" if "`" in line else f"`{line}`" for line in lines if line.strip())
