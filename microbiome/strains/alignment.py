"""Opening alignments of reads to markers: SAM as MetaPhlAn writes it, compressed or not, and BAM."""

from __future__ import annotations

import bz2
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import BufferedReader
from pathlib import Path

import pysam

from microbiome.errors import InputError, Problem
from microbiome.files import open_text

__all__ = ["has_reads", "index_of", "opened"]


def index_of(header: dict[str, object]) -> str:
    """Return the index of the MetaPhlAn database that a header names (``@CO index:...``), or an empty string."""
    comments = header.get("CO", [])
    for comment in comments if isinstance(comments, list) else []:
        found = re.match(r"index:(\S+)", str(comment))
        if found:
            return found.group(1)
    return ""


def has_reads(alignment: str | Path) -> bool:
    """Tell whether a SAM has more than a header; pysam reads none of it where the header has no ``@SQ``."""
    return any(line and not line.startswith("@") for line in open_text(alignment).splitlines())


@contextmanager
def opened(alignment: str | Path) -> Iterator[pysam.AlignmentFile]:
    """Open an alignment; bzip2, which pysam does not know, goes through a pipe."""
    name = str(alignment)
    try:
        with Path(alignment).open("rb") as stream:
            magic = stream.read(3)
    except FileNotFoundError:
        raise InputError(Problem("the file does not exist", "correct the path", name)) from None
    except OSError as error:
        raise InputError(Problem(f"cannot be read ({error.strerror})", "correct the path", name)) from None
    quiet = pysam.set_verbosity(0)
    try:
        with _decompressed(name) if magic == b"BZh" else nullcontext(name) as source:
            with _refused(name):
                file = pysam.AlignmentFile(source, "r", check_sq=False)
            try:
                # What goes wrong with the reads is told by who reads them; here it would hide mistakes of the program.
                yield file
            except BaseException:
                with suppress(OSError):
                    file.close()
                raise
            with _refused(name):
                file.close()
    finally:
        pysam.set_verbosity(quiet)


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Say in one message that pysam cannot open a file, or found at its end that it is cut off."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise InputError(
            Problem(f"not an alignment, or cut off ({error})", "give SAM or BAM; make it again", name)
        ) from None


@contextmanager
def _decompressed(name: str) -> Iterator[BufferedReader]:
    into, out = os.pipe()
    failure: list[str] = []

    def feed() -> None:
        try:
            with bz2.open(name) as source, os.fdopen(out, "wb") as sink:
                while block := source.read(1 << 20):
                    sink.write(block)
        except BrokenPipeError:
            pass
        except (EOFError, OSError, ValueError) as error:
            # What was read so far must not pass for the whole.
            failure.append(str(error))

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    with os.fdopen(into, "rb") as pipe:
        yield pipe
    feeder.join()
    if failure:
        raise InputError(Problem(f"truncated or corrupt bzip2 file ({failure[0]})", "make it again", name))
