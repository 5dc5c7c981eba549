"""Text files: any compression in, whole or not at all out."""

from __future__ import annotations

import bz2
import errno
import gzip
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from microbiome.errors import InputError, Problem

__all__ = ["BOM", "atomic_path", "decoded", "open_text", "write_text"]

#: The byte-order mark that some programs put before a UTF-8 text.
BOM = "\ufeff"

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


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
    if data[:4] == b"PK\x03\x04":
        raise InputError(
            Problem("the file is a workbook or zip archive", "export the sheet as tab-separated text", name)
        )
    if data[:2] in _UTF16 or b"\x00" in data[:1000]:
        raise InputError(Problem("the file is not UTF-8 but looks like UTF-16", "save it as UTF-8 text", name))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(Problem("the file is not UTF-8", "save it as UTF-8 text", name, line)) from None


def write_text(text: str, path: str | Path) -> None:
    """Write text whole or not at all; ``-`` is standard output, a name that ends in ``.gz`` is compressed."""
    if str(path) == "-":
        if sys.stdout is None:
            raise InputError("standard output is closed; name a file with --output")
        sys.stdout.write(text)
        return
    with atomic_path(path) as part:
        data = text.encode()
        if str(path).endswith(".gz"):
            data = gzip.compress(data, compresslevel=6, mtime=0)
        part.write_bytes(data)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, remove it otherwise.

    A symbolic link stays one: what it points to is replaced. What is no ordinary file (``/dev/null``, a pipe) is
    written into when the block has ended well. Raises :class:`InputError` when `path` is a folder or cannot be written.
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
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{target.name}."[:200], suffix=".part")
    except OSError as error:
        # mkdir() says "File exists" of a folder that is a file.
        reason = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
        raise InputError(Problem(f"cannot be written ({reason})", "choose another output file", str(path))) from error
    os.close(handle)
    part = Path(temporary)
    try:
        yield part
        if special:
            with target.open("wb") as stream:
                stream.write(part.read_bytes())
            return
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
