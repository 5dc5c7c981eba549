"""One run of the workflow at a time in a folder: who is at work there, and which jobs have outlived their run.

Snakemake's own lock is a file that stays when Snakemake is killed, and two runs that start at the same moment both find
none. Here a run holds a lock of the operating system, which ends with the process however it ends; and its jobs carry
a mark in their environment, by which those are found that are still writing when the run is gone. The results have a
lock of the same kind: they need not be below the folder in which Snakemake was started, and two folders may name the
same ones.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import secrets
import shlex
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from microbiome.errors import InputError, Problem

__all__ = ["MARK", "Holder", "claim", "describe", "mark", "outlived"]

#: Variable in the environment of every job: the process of its run with a random word, ``@``, and the folder.
MARK = "MICROBIOME_RUN"
_FILE = "microbiome.lock"
# Whatever else bears the name of a lock is neither followed nor waited for.
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Holder:
    """The run that holds a folder, or held it last."""

    process: int
    host: str
    since: str

    def __str__(self) -> str:
        """Process, host and time of its start."""
        return f"process {self.process} on {self.host}, since {self.since}"


def mark(folder: str | Path = ".") -> None:
    """Mark the jobs that this process will start in a folder."""
    # Numbers of processes come again: after a restart, and in every container.
    os.environ[MARK] = f"{os.getpid()}-{secrets.token_hex(4)}@{Path(folder).resolve()}"


def outlived(folder: str | Path = ".") -> list[int]:
    """Return the processes on this machine that another run in the folder has started and that are still there.

    Those of other users and other machines cannot be seen, and none where there is no ``/proc``.
    """
    begin, place = os.fsencode(f"{MARK}="), os.fsencode(Path(folder).resolve())
    own = os.fsencode(os.environ.get(MARK, ""))
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        marks = [variable.removeprefix(begin) for variable in variables if variable.startswith(begin)]
        if any(mark != own and mark.partition(b"@")[2] == place for mark in marks):
            found.append(int(entry.parent.name))
    return sorted(found)


def claim(folder: str | Path = ".", results: str | Path = "") -> None:
    """Hold a folder for this process until it ends, and that of its results.

    Parameters
    ----------
    folder
        Where Snakemake was started.
    results
        Where its results go, made where it is absent. No lock is held there where none can be: in a folder that may
        not be written to, and on a file system without locks.

    Raises
    ------
    InputError
        When another run holds one of them, jobs of another run are still at work, or no lock can be made in `folder`.
    """
    path = _lock_file(folder)
    # Never closed when all is well: the locks go when this process does.
    handles = [_held(path, folder)]
    try:
        if results:
            with suppress(OSError):
                handles.append(_held(_results_lock(results), results, needed=False))
        jobs = outlived(folder)
        if jobs:
            raise InputError(_orphans(jobs, folder))
    except InputError:
        for handle in handles:
            os.close(handle)
        raise
    since = datetime.now().isoformat(" ", timespec="seconds")
    for handle in handles:
        # The lock stands without it, as that of a file of another user, or on a full disk.
        with suppress(OSError):
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
    held = _is_held(path)
    if held:
        return replace(_busy(_present(path), folder), level="warning")
    jobs = outlived(folder)
    if jobs:
        return replace(_orphans(jobs, folder), level="warning")
    holder = _holder(path)
    if held is None:
        message = "the folder is locked, and it cannot be told whether a run is at work in it"
        fix = f"see whether one is, also of others and on other machines; if none is, unlock with: {unlock}"
        return Problem(message, fix, _named(folder), level="warning")
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


def _results_lock(results: str | Path) -> Path:
    return Path(results, f".{_FILE}")


def _held(path: Path, folder: str | Path, needed: bool = True) -> int:
    """Return the open file that holds a folder; OSError where there can be none and none is `needed`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _opened(path)
    except OSError as error:
        if not needed:
            raise
        # mkdir() says "File exists" of a folder that is a file.
        taken = path.parent if isinstance(error, FileExistsError) else path
        fix = "see that you may read and write it, or start in another folder"
        if os.path.lexists(taken) and (taken == path.parent or not _is_plain(taken)):
            fix = f"move it out of the way: mv {shlex.quote(str(taken))} {shlex.quote(f'{taken}.old')}"
        message = f"this cannot be the lock that a run holds ({error.strerror})"
        raise InputError(Problem(message, fix, str(taken))) from None
    if not _lock(handle):
        os.close(handle)
        raise InputError(_busy(_present(path), folder))
    return handle


def _opened(path: Path) -> int:
    """Open the file of a lock. One that is another user's is opened for reading, which is enough to lock it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _PLAIN, 0o666)
    except PermissionError:
        handle = os.open(path, os.O_RDONLY | _PLAIN)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not an ordinary file")
    return handle


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _lock(handle: int) -> bool:
    """Take the lock of an open file; false where another process has it. A file system without locks refuses nobody."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is_held(path: Path) -> bool | None:
    """Tell whether a living process has the lock; None where that cannot be told."""
    try:
        handle = os.open(path, os.O_RDONLY | _PLAIN)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        # A lock that several may have at once: over a network an exclusive one asks for a file open for writing.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False


def _holder(path: Path) -> Holder | None:
    """Return who held a folder last, as far as the file of its lock says so."""
    if not _is_plain(path):
        return None
    try:
        process, host, since = path.read_text("utf-8").rstrip("\n").split("\t")
        return Holder(int(process), host, since)
    except (OSError, ValueError):
        return None


def _present(path: Path) -> Holder | None:
    """Return who holds a folder now: where another user's file could not be written to, it tells of an earlier run."""
    holder = _holder(path)
    gone = holder is not None and holder.host == platform.node() and not Path(f"/proc/{holder.process}").exists()
    return None if gone and Path("/proc/self").exists() else holder
