"""One run of the workflow at a time in a folder: who is at work there, and which jobs have outlived their run.

Snakemake's own lock is a file that stays when Snakemake is killed, and two runs that start at the same moment both find
none. Here a run holds a lock of the operating system, which ends with the process however it ends; and its jobs carry
a mark in their environment, by which those are found that are still writing when the run is gone.
"""

from __future__ import annotations

import fcntl
import os
import platform
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from microbiome.errors import InputError, Problem

__all__ = ["MARK", "Holder", "claim", "describe", "mark", "outlived"]

#: Variable in the environment of every job: the process of its run and the folder.
MARK = "MICROBIOME_RUN"
_FILE = "microbiome.lock"


@dataclass(frozen=True)
class Holder:
    """The run that holds a folder, or held it last; `alive` where its lock is still there."""

    process: int
    host: str
    since: str
    alive: bool

    def __str__(self) -> str:
        """Process, host and time of its start."""
        return f"process {self.process} on {self.host}, since {self.since}"


def mark(folder: str | Path = ".") -> None:
    """Mark the jobs that this process will start in a folder."""
    os.environ[MARK] = f"{os.getpid()}@{Path(folder).resolve()}"


def outlived(folder: str | Path = ".") -> list[int]:
    """Return the processes on this machine that another run in the folder has started and that are still there.

    Those of other users and other machines cannot be seen, and none where there is no ``/proc``.
    """
    # The mark ends in the folder, which in the environment is followed by a zero byte.
    ending = f"@{Path(folder).resolve()}\0".encode()
    own = f"{MARK}={os.getpid()}".encode() + ending
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = entry.read_bytes()
        except OSError:
            continue
        start = variables.find(f"{MARK}=".encode())
        marked = variables[start : variables.find(b"\0", start) + 1] if start >= 0 else b""
        if marked.endswith(ending) and marked != own:
            found.append(int(entry.parent.name))
    return sorted(found)


def claim(folder: str | Path = ".") -> None:
    """Hold a folder for this process until it ends.

    Raises
    ------
    InputError
        When another run holds it, or jobs of another run are still at work in it.
    """
    path = _lock_file(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Never closed: the lock goes when this process does.
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    if not _lock(handle):
        os.close(handle)
        raise InputError(_busy(_holder(path, True), folder))
    jobs = outlived(folder)
    if jobs:
        os.close(handle)
        raise InputError(_orphans(jobs, folder))
    since = datetime.now().isoformat(" ", timespec="seconds")
    os.truncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\t{platform.node()}\t{since}\n".encode(), 0)


def describe(folder: str | Path = ".", unlock: str = "snakemake --unlock") -> Problem | None:
    """Say why Snakemake's lock of a folder is there, as a warning; None where there is none.

    Parameters
    ----------
    folder
        Where Snakemake was started.
    unlock
        The command that removes the lock.
    """
    if not any(Path(folder, ".snakemake", "locks").glob("*.lock")):
        return None
    path = _lock_file(folder)
    holder = _holder(path, _is_held(path))
    if holder is not None and holder.alive:
        return replace(_busy(holder, folder), level="warning")
    jobs = outlived(folder)
    if jobs:
        return replace(_orphans(jobs, folder), level="warning")
    who = f"an earlier run ({holder})" if holder else "an earlier run"
    elsewhere = holder is not None and holder.host != platform.node()
    sure = f"make sure that it has ended on {holder.host}, then " if holder and elsewhere else ""
    fix = f"{sure}unlock with: {unlock}  and start the same again: what is finished stays"
    return Problem(f"{who} was killed and left the folder locked", fix, _named(folder), level="warning")


def _named(folder: str | Path) -> str:
    """Return a folder as messages name it, the current one not at all."""
    return "" if Path(folder) == Path() else str(folder)


def _busy(holder: Holder | None, folder: str | Path) -> Problem:
    who = f" ({holder})" if holder else ""
    fix = "wait until it has ended, or stop it (Ctrl-C) first"
    return Problem(f"another run{who} is at work in this folder", fix, _named(folder))


def _orphans(jobs: list[int], folder: str | Path) -> Problem:
    some = " ".join(map(str, jobs[:10]))
    fix = f"wait until they have ended, or end them: kill {some}"
    return Problem(f"jobs of a run that was killed are still at work ({len(jobs)} processes)", fix, _named(folder))


def _lock_file(folder: str | Path) -> Path:
    return Path(folder, ".snakemake", _FILE)


def _lock(handle: int) -> bool:
    """Take the lock of an open file; false where another process has it. A file system without locks refuses nobody."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is_held(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def _holder(path: Path, alive: bool) -> Holder | None:
    try:
        process, host, since = path.read_text("utf-8").rstrip("\n").split("\t")
        return Holder(int(process), host, since, alive)
    except (OSError, ValueError):
        return None
