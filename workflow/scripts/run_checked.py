#!/usr/bin/env python3
"""Run a tool, and see that the files it is to write are there and whole; remove them where they are not.

How that is told follows from the end of the name: .json is read, .html ends in its last tag, .bz2 in the mark of its
end, and a folder has something in it.

Uses the standard library alone, because it runs in the environments of the tools.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tool_runs import IncompleteError, advice, bz2_written, json_written, refuse, run_tool, text_written, wrote_nothing
from whole_files import remove


def look(tool: str, path: Path) -> None:
    """Refuse a file or folder that is missing or not whole."""
    if path.name.endswith(".json"):
        json_written(tool, path)
    elif path.name.endswith(".html"):
        text_written(tool, path, "</html>")
    elif path.name.endswith(".bz2"):
        bz2_written(tool, path)
    elif not path.exists() or (path.is_dir() and not any(path.iterdir())):
        raise wrote_nothing(tool, path)


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Run a tool and see that what it writes is whole.")
    parser.add_argument("--about", required=True, help="what the run is about, for messages: sample R01")
    parser.add_argument("--wrote", required=True, nargs="+", type=Path, help="files and folders that the tool writes")
    parser.add_argument("command", nargs="+", help="program and words, after --")
    arguments = parser.parse_args()
    tool = Path(arguments.command[0]).name
    done = False
    try:
        # What an earlier run left is not what this one wrote.
        for path in arguments.wrote:
            remove(path)
        run_tool(arguments.about, arguments.command)
        for path in arguments.wrote:
            look(tool, path)
        done = True
    except IncompleteError as error:
        refuse(arguments.about, advice(error))
    finally:
        for path in () if done else arguments.wrote:
            remove(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
