"""Check where results go, and the times of the files they are made from."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from microbiome.errors import Problem

__all__ = ["future_problems", "results_problems"]

#: With less room than this hardly any run ends.
_LITTLE = 100_000_000
#: Seconds by which a file may be ahead.
_TOLERATED = 2.0


def results_problems(results: str) -> list[Problem]:
    """Return what is wrong with the folder of results, which need not be there yet: without a place of their own."""
    place = Path(results)
    if place.exists() and not place.is_dir():
        return [Problem(f"{results!r} is a file", "name a folder", value=results)]
    existing = _existing(place)
    if not existing.is_dir():
        return [Problem(f"{str(existing)!r} is a file", "name a folder", value=results)]
    try:
        # Rights alone do not tell: of a quota, a read-only mount, or the access lists of a network drive.
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        fix = "make room there" if full else "make it writable"
        return [
            Problem(
                f"nothing can be written into {str(existing)!r} ({error.strerror})",
                f"{fix}, or name another folder",
                value=results,
            )
        ]
    free = shutil.disk_usage(existing).free
    if free < _LITTLE:
        room = f"{free / 1e6:.0f} MB" if free > 1e6 else f"{free / 1e3:.0f} kB"
        message = f"only {room} are free in {str(existing)!r}" if free else f"{str(existing)!r} is full"
        fix = "make room there, or name another folder"
        return [Problem(message, fix, value=results, level="warning" if free else "error")]
    return []


def future_problems(files: Iterable[str], results: str) -> list[Problem]:
    """Return a problem for each file that was changed in the future.

    Snakemake takes no result that is older than what it was made from. What counts is the time of the disk that the
    results are on, which a machine with another clock may keep.
    """
    problems = []
    limit = _time_in(_existing(Path(results))) + _TOLERATED
    for file in dict.fromkeys(files):
        try:
            changed = Path(file).stat().st_mtime
        except OSError:
            continue
        if changed > limit:
            when = datetime.fromtimestamp(changed).isoformat(" ", timespec="seconds")
            message = f"was changed in the future ({when}); Snakemake would take each result for older than it"
            problems.append(Problem(message, f"see that the clocks are right, then: touch {shlex.quote(file)}", file))
    return problems


def _existing(place: Path) -> Path:
    """Return a folder, or what there is of the way to it."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _time_in(folder: Path) -> float:
    try:
        with tempfile.TemporaryFile(dir=folder) as stream:
            return os.fstat(stream.fileno()).st_mtime
    except OSError:
        return time.time()
