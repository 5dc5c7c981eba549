"""Text files: any compression in, whole or not at all out."""

from __future__ import annotations

import bz2
import errno
import fcntl
import gzip
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from microbiome.errors import InputError, Problem

__all__ = ["BOM", "atomic_path", "decoded", "open_text", "write_pieces", "write_text"]

#: The byte-order mark that some programs put before a UTF-8 text.
BOM = "\ufeff"

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Excel's .xlsx (and everything else in a zip), its older .xls.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_PART = ".part"
# Seconds within which a process that has made a file has locked it, too.
_INSTANT = 60
# No room, over the quota, or a file larger than a file may be.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ROOM = "make room there or name another folder, then start the same again: nothing half-written was left"


def open_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file, plain, gzip or bzip2 (told by its first bytes, not its name).

    A byte-order mark is taken off. Raises :class:`InputError` when the file is missing, a folder, truncated,
    UTF-16, a workbook or not UTF-8.
    """
    return decoded(path).removeprefix(BOM)


def decoded(path: str | Path) -> str:
    """Return the text of a file as :func:`open_text` does, with the byte-order mark that it may begin with."""
    name = str(path)
    try:
        refuse_special(path)
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(Problem("the file does not exist", "correct the path", name)) from None
    except OSError as error:
        raise InputError(
            Problem(f"cannot be read ({error.strerror})", "correct the path or its rights", name)
        ) from None
    for magic, decompress, word in ((b"\x1f\x8b", gzip.decompress, "gzip"), (b"BZh", bz2.decompress, "bzip2")):
        if data.startswith(magic):
            try:
                data = decompress(data)
            except (EOFError, OSError, ValueError, zlib.error):
                message = f"truncated or corrupt {word} file"
                raise InputError(Problem(message, "copy or make the file again", name)) from None
            break
    if data.startswith(_WORKBOOKS):
        raise InputError(
            Problem("the file is a workbook or zip archive", "export the sheet as tab-separated text", name)
        )
    # Without a mark, Latin letters in UTF-16 and UTF-32 have zeros beside them; a disk that failed leaves zeros only.
    if data[:2] in _UTF16 or 0 < data[:4].count(0) < 4:
        raise InputError(Problem("the file is not UTF-8 but looks like UTF-16", "save it as UTF-8 text", name))
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        message = "the file is damaged: a NUL byte stands in it"
        raise InputError(Problem(message, "copy or export it again", name, line))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(Problem("the file is not UTF-8", "save it as UTF-8 text", name, line)) from None


def refuse_special(path: str | Path) -> None:
    """Refuse what would never end: a named pipe without a writer, a terminal, a device such as ``/dev/zero``.

    What a shell hands over as ``<(command)`` or ``/dev/stdin`` is read, and so is ``/dev/null``.
    """
    mode = Path(path).stat().st_mode
    place = str(path)
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or place.startswith(("/dev/fd/", "/proc/")) or place == os.devnull:
        return
    if place == "/dev/stdin" and not stat.S_ISCHR(mode):
        return
    raise InputError(Problem("not an ordinary file", "give a file: this one could be read once, or never ends", place))


def write_text(text: str, path: str | Path) -> None:
    """Write text whole or not at all; ``-`` is standard output, a name that ends in ``.gz`` is compressed."""
    write_pieces([text], path)


def write_pieces(pieces: Iterable[str], path: str | Path) -> None:
    """Write pieces of a text one after the other, as :func:`write_text` does: the whole text is never held."""
    if str(path) == "-":
        if sys.stdout is None:
            raise InputError("standard output is closed; name a file with --output")
        for piece in pieces:
            sys.stdout.write(piece)
        return
    with atomic_path(path) as part, part.open("wb") as stream:
        if not str(path).endswith(".gz"):
            for piece in pieces:
                stream.write(piece.encode())
            return
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=stream, mtime=0) as compressed:
            for piece in pieces:
                compressed.write(piece.encode())


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, remove it otherwise.

    A symbolic link stays one: what it points to is replaced. What is no ordinary file (``/dev/null``, a pipe) is
    written into when the block has ended well. What a process that was killed left behind, a hidden file whose name
    begins like that of `path` and ends in ``.part``, is removed when `path` is written the next time; one without
    content not before it is a minute old. Raises :class:`InputError` when `path` is a folder or cannot be written, or
    the disk is full.
    """
    target = Path(path)
    special = target.exists() and not target.is_file()
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not special:
            target = Path(os.path.realpath(target))
            target.parent.mkdir(parents=True, exist_ok=True)
        folder = None if special else target.parent
        prefix = f".{target.name}."[:200]
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=_PART)
    except OSError as error:
        # mkdir() says "File exists" of a folder that is a file.
        reason = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
        fix = _ROOM if error.errno in _FULL else "choose another output file"
        raise InputError(Problem(f"cannot be written ({reason})", fix, str(path))) from error
    part = Path(temporary)
    try:
        # Held while the file is being written: it tells a living writer's file from one that was left behind.
        _lock(handle)
        yield part
        if special:
            with target.open("wb") as stream:
                stream.write(part.read_bytes())
            return
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(target)
        _remove_stale(target, prefix)
    except OSError as error:
        # Writing to a file that is open names no file.
        if error.errno in _FULL and error.filename in (None, temporary):
            raise InputError(Problem(f"cannot be written ({error.strerror})", _ROOM, str(path))) from error
        raise
    finally:
        part.unlink(missing_ok=True)
        os.close(handle)


def _lock(handle: int) -> bool:
    """Take the lock of an open file if nobody has it; False as well where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_stale(target: Path, prefix: str) -> None:
    """Remove temporary files of :func:`atomic_path` that no living process writes, when `target` has been written."""
    with os.scandir(target.parent) as entries:
        names = [entry.path for entry in entries if _is_part(entry.name, prefix)]
    for name in names:
        with suppress(OSError):
            handle = os.open(name, os.O_RDWR)
            try:
                # A file without content may be one that another process has made this instant and not locked yet. Both
                # times are of the same disk, whatever clock it goes by.
                state = os.fstat(handle)
                if (state.st_size or target.stat().st_mtime - state.st_mtime > _INSTANT) and _lock(handle):
                    Path(name).unlink()
            finally:
                os.close(handle)


def _is_part(name: str, prefix: str) -> bool:
    """Tell whether a name is the prefix, the letters that tempfile puts in, and the ending."""
    middle = name[len(prefix) : -len(_PART)]
    return name.startswith(prefix) and name.endswith(_PART) and len(middle) == 8 and "." not in middle
