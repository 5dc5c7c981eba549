"""Files and folders that are written whole or not at all: beside their place first, then renamed.

Uses the standard library alone, because the scripts run in the environments of the tools.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: No room, over the quota, or a file larger than a file may be.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ROOM = "make room there, then start the same again: nothing half-written was left"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a hidden path beside `path` for a file or folder; rename it to `path` when the block ends well.

    It ends as `path` does, by which programs tell what to write. It is removed when the block fails, and so is what a
    process that was killed left behind: one job at a time writes a path. A full disk ends the program with a message
    that names `path`.
    """
    part = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".*.part.{glob_escaped(path.name)}"):
            remove(stale)
        yield part
        if part.is_dir():
            remove(path)
        part.replace(path)
    except OSError as error:
        # Writing to a file that is open names no file.
        if error.errno in FULL and error.filename in (None, str(part)):
            raise SystemExit(f"error: {path}: cannot be written ({error.strerror}); {ROOM}") from None
        raise
    finally:
        remove(part)


def write_whole(path: Path, text: str) -> None:
    """Write text to a file, whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file or a folder that may not be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def glob_escaped(name: str) -> str:
    """Return a name as a pattern that matches nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
