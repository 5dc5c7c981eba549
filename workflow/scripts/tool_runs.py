"""Running a tool, and seeing that it did its work: how it ended, and whether the files it wrote are there and whole.

A tool that was killed, or whose disk was full, does not always say so: some end with 0 and leave half a file.

Uses the standard library alone, because the scripts run in the environments of the tools.
"""

from __future__ import annotations

import bz2
import gzip
import json
import re
import shutil
import signal
import subprocess
import sys
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import NoReturn

CHUNK = 1 << 20
AGAIN = "then start the same again: nothing half-written was left"
#: What the wrappers of bowtie2 and shells say of a program that they started.
_DIED = re.compile(r"died with signal (\d+)|^.*\bKilled\b\s*$", re.MULTILINE)
_MEMORY = re.compile(r"bad_alloc|MemoryError|out of memory|cannot allocate memory", re.IGNORECASE)
# What colours a terminal or erases its lines.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# The line of a tool that says why it failed, and how much of it is repeated.
_REASON = re.compile(r"error|fatal|\[e\]|exception|fail", re.IGNORECASE)
_REASON_LENGTH = 200
# Lines of a tool that are looked at for the cause of its end.
_LINES = 200
# The end of a bzip2 stream: a mark of 48 bits and a checksum of 32, then up to 7 bits.
_BZ2_END, _BZ2_BITS = 0x177245385090, 48


class IncompleteError(Exception):
    """A file that a tool should have written and that is not there, or not whole; the message says which and why."""


def refuse(about: str, message: str) -> NoReturn:
    """End the program: about what (``sample R01``), what happened and what to do."""
    raise SystemExit(f"error: {about}: {message}")


def how_it_ended(tool: str, code: int, said: str = "") -> str:
    """Say how a tool ended that did not end well, and what to do.

    Parameters
    ----------
    tool
        Its name.
    code
        Its exit code; below 0, and from 129 to 192 as shells give it, it stands for a signal.
    said
        The end of what it said: a tool that starts another one may name its signal there.
    """
    number = -code if code < 0 else code - 128 if 128 < code <= 192 else 0
    died = _DIED.search(said)
    if died and not number:
        number = int(died[1] or signal.SIGKILL)
    if number == signal.SIGKILL or (code and _MEMORY.search(said)):
        how = f"was killed by signal {number} (SIGKILL)" if number else f"ended with exit code {code}"
        fix = "give the job more (--set-resources RULE:mem_mb=...) or run fewer at once (--cores)"
        return f"{tool} {how}, usually because memory ran out; {fix}, {AGAIN}"
    if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU):
        how = f"was ended from outside by signal {number} ({signal.Signals(number).name})"
        return f"{tool} {how}, as at a time limit or a shutdown; see that there is time, {AGAIN}"
    if number:
        known = {member.value: f" ({member.name})" for member in signal.Signals}
        how = f"crashed with signal {number}{known.get(number, '')}"
        return f"{tool} {how}; see that its version is right and its database whole, {AGAIN}"
    words = [" ".join(line.split()) for line in _CONTROL.sub("", said).splitlines() if line.strip()]
    reason = next((line for line in reversed(words) if _REASON.search(line)), words[-1] if words else "")
    how = f"ended with exit code {code}{f' ({reason[:_REASON_LENGTH]})' if reason else ''}"
    return f"{tool} {how}; see its messages above, mend the cause, {AGAIN}"


def run_tool(about: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a tool; what it says goes on to the log. End the program where it fails.

    Parameters
    ----------
    about
        What the run is about, for the message: ``sample R01``.
    command
        Program and words.
    environment
        Variables, in place of those of this process.

    Returns
    -------
    str
        The end of what the tool said.
    """
    tool = Path(command[0]).name
    if shutil.which(command[0], path=(environment or {}).get("PATH")) is None:
        refuse(about, f"{tool} is not on PATH; install it (make setup), or let Snakemake: --sdm conda")
    last: deque[str] = deque(maxlen=_LINES)
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            sys.stderr.write(line)
            sys.stderr.flush()
            last.append(line)
    said = "".join(last)
    if process.returncode:
        refuse(about, how_it_ended(tool, process.returncode, said))
    return said


def final_name(path: Path) -> str:
    """Return the name that a file is to have, of the hidden one under which it is written (whole_files.py)."""
    return re.sub(r"^\.\d+\.part\.", "", path.name)


def wrote_nothing(tool: str, path: Path) -> IncompleteError:
    """Return the error of a tool that ended well without its file."""
    return IncompleteError(f"{tool} ended with exit code 0 and did not write {final_name(path)}")


def cut_off(tool: str, path: Path, why: str = "") -> IncompleteError:
    """Return the error of a tool that ended well and left half a file."""
    name = final_name(path)
    return IncompleteError(f"{tool} ended with exit code 0, but {name} is cut off{f' ({why})' if why else ''}")


def advice(error: IncompleteError) -> str:
    """Return the message of an incomplete file with what to do."""
    return f"{error}; see what it said above, and that there is room on the disk, {AGAIN}"


def reads_in(path: Path) -> int:
    """Count the records of a gzip FASTQ, reading it to its end; EOFError or OSError where it is not whole."""
    with gzip.open(path, "rb") as stream:
        return reads_left(stream)


def reads_left(stream: BufferedIOBase) -> int:
    """Count the records of a FASTQ from where the stream stands, between two of them, to its end."""
    newlines, last = 0, b"\n"
    while text := stream.read(CHUNK):
        newlines += text.count(b"\n")
        last = text[-1:]
    return (newlines + (last != b"\n")) // 4


def fastq_written(tool: str, path: Path, reads: int | None = None) -> int:
    """Return the reads of a gzip FASTQ that a tool wrote; refuse one that is missing, cut off, or has not `reads`."""
    if not path.is_file():
        raise wrote_nothing(tool, path)
    try:
        found = reads_in(path)
    except (EOFError, OSError, zlib.error):
        raise cut_off(tool, path) from None
    if reads is not None and found != reads:
        raise cut_off(tool, path, f"{found} of {reads} reads")
    return found


def json_written(tool: str, path: Path) -> object:
    """Return what a JSON file holds that a tool wrote; refuse one that is missing or cut off."""
    if not path.is_file():
        raise wrote_nothing(tool, path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise cut_off(tool, path) from None


def bz2_written(tool: str, path: Path) -> None:
    """Refuse a bzip2 file that is missing, or that does not end as one: only its last bytes are read."""
    if not path.is_file():
        raise wrote_nothing(tool, path)
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 11))
        end = int.from_bytes(stream.read(), "big")
    # The stream ends anywhere within the last byte.
    marks = ((end >> (32 + pad)) & ((1 << _BZ2_BITS) - 1) for pad in range(8))
    if _BZ2_END not in marks:
        raise cut_off(tool, path)


def bz2_lines(path: Path, number: int) -> list[bytes]:
    """Return the first lines of a bzip2 file."""
    with bz2.open(path, "rb") as stream:
        return [stream.readline(1 << 16) for _ in range(number)]


def text_written(tool: str, path: Path, end: str = "\n") -> str:
    """Return a text that a tool wrote; refuse one that is missing, empty, or does not end in `end`."""
    if not path.is_file():
        raise wrote_nothing(tool, path)
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.strip():
        raise IncompleteError(f"{tool} ended with exit code 0, but {final_name(path)} is empty")
    if not (text if end == "\n" else text.rstrip()).endswith(end):
        raise cut_off(tool, path)
    return text
