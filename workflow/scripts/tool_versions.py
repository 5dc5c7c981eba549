#!/usr/bin/env python3
"""Write down the versions of programs, as they are on PATH where this runs: in the environment of a tool.

Uses the standard library alone, because it runs in any environment.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from whole_files import write_whole

#: How those are asked that do not know --version.
OPTIONS = {"blastn": "-version", "bracken": "-v", "diamond": "version", "raxmlHPC": "-v"}


def version_of(program: str) -> str:
    """Return the version that a program prints; empty where it is not on PATH or prints none."""
    path = shutil.which(program)
    if path is None:
        return ""
    done = subprocess.run(
        [path, OPTIONS.get(program, "--version")], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    said = (done.stdout + b"\n" + done.stderr).decode(errors="replace")
    found = re.search(r"version[ :]+v?(\d+(?:\.\d+)+)", said, re.IGNORECASE) or re.search(
        r"(?<![\w.])v?(\d+(?:\.\d+)+)", said
    )
    return found[1] if found else ""


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Write down the versions of programs.")
    parser.add_argument("programs", nargs="+", help="names on PATH")
    parser.add_argument("--first", help="program whose folder comes first on PATH, as for those that it calls")
    parser.add_argument("--out", required=True, type=Path, help="TSV to write: program, version")
    arguments = parser.parse_args()
    if arguments.first:
        found = shutil.which(arguments.first)
        if found is None:
            raise SystemExit(f"error: {arguments.first} is not on PATH")
        os.environ["PATH"] = os.pathsep.join([str(Path(found).resolve().parent), os.environ.get("PATH", os.defpath)])
    rows = ["program\tversion", *(f"{program}\t{version_of(program)}" for program in arguments.programs)]
    write_whole(arguments.out, "\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
