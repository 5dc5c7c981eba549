"""Damaging valid files, and telling a reader that copes from one that does not.

A reader copes with any bytes when it returns a result, or says in an ``InputError`` (or in a list of problems) what is
wrong: in lines that can be printed. Everything else is a finding: another exception, a warning of a library, a result
that breaks the reader's own promise, or no end within :data:`SECONDS`.
"""

from __future__ import annotations

import bz2
import gzip
import resource
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from microbiome.errors import InputError, Problem

__all__ = ["LONGEST_LINE", "SECONDS", "Finding", "Seed", "attempt", "mutated"]

#: A single file of the size of the seeds takes milliseconds; what takes longer than this has no end.
SECONDS = 20.0
#: What a file of a few hundred kilobytes may need.
MOST_MEMORY = 2 << 30
#: No problem may fill a terminal.
LONGEST_LINE = 3000
_MOST_BYTES = 300_000

#: What breaks readers: numbers that are none, or too many digits of one; characters that split, hide or steer;
#: the marks of every format that is read.
_TOKENS = (
    *("-1", "0", "-0", "1_000", "1,5", "1.", ".", "1e-400", "9" * 18, "9" * 30, "9" * 400, "9" * 5000, "0x1F"),
    *("0x_", "1e5", "007", "٣", "½", "1.0", "100.0", "250", "true", "on", "~", "null", "2020-13-45", "12:61"),
    *("0o9", "0b2", '"', '""', "'", "\\", "\x00", "\x01", "\x07", "\x0b", "\x0c", "\x1a", "\x1b[31m", "\x7f"),
    *("\x85", "\xa0", "\u2028", "\u200b", "\u202e", "\ufeff", "\ufffd", "é", "e\u0301", "😀", "漢", "$(id)"),
    *("../x", "-rf", "<script>"),
)
_LATIN = b"\xe9"


class _TooSlowError(BaseException):
    """Not an ``Exception``, so that no reader takes it for a broken file."""


class Finding(AssertionError):  # noqa: N818 - it is what was found
    """A reader did not cope."""


@dataclass(frozen=True)
class Seed:
    """A valid file and its reader.

    Parameters
    ----------
    name
        Of the file that is damaged.
    data
        Its content when it is whole.
    read
        Reads the file at a path. What it returns is looked through for lists of problems; it raises AssertionError
        where a result breaks a promise.
    beside
        Files that stand beside it.
    damage
        Further ways to damage this kind of file.
    """

    name: str
    data: bytes
    read: Callable[[Path], object]
    beside: dict[str, bytes] = field(default_factory=dict)
    damage: tuple[Callable[[bytes, Random], bytes], ...] = ()


def mutated(seed: Seed, random: Random, others: tuple[bytes, ...] = ()) -> bytes:
    """Return the content of a seed after one to four kinds of damage, drawn by `random`."""
    data = seed.data
    kinds = [_lines, _cells, _cells, _cells, _bytes, _bytes, _column, *seed.damage * 3]
    for _ in range(random.randint(1, 4)):
        data = random.choice(kinds)(data, random)
    if others and random.random() < 0.05:
        other = random.choice(others)
        data = data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]
    if random.random() < 0.25:
        data = _encoded(data, random)
    return data[:_MOST_BYTES]


def attempt(seed: Seed, data: bytes, folder: Path) -> str:
    """Let the reader of a seed read some bytes; return ``result`` or ``problem``, raise :class:`Finding` else."""
    for name, content in seed.beside.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    path = folder / seed.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        with _limited(), warnings.catch_warnings():
            warnings.simplefilter("error")
            found = seed.read(path)
    except InputError as error:
        if not any(problem.level == "error" for problem in error.problems):
            raise Finding(f"{seed.name}: an InputError without an error") from error
        _check(seed, error.problems)
        return "problem"
    except _TooSlowError:
        raise Finding(f"{seed.name}: no end after {SECONDS:g} s") from None
    except Exception as error:
        raise Finding(f"{seed.name}: {type(error).__name__}: {str(error)[:300]}") from error
    problems = [problem for part in (found if isinstance(found, tuple) else (found,)) for problem in _problems(part)]
    _check(seed, tuple(problems))
    return "problem" if problems else "result"


def _problems(part: object) -> list[Problem]:
    return [item for item in part if isinstance(item, Problem)] if isinstance(part, list | tuple) else []


def _check(seed: Seed, problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        line = str(problem)
        if not line.isprintable():
            raise Finding(f"{seed.name}: what is said cannot be printed: {line[:300]!a}")
        if len(line) > LONGEST_LINE:
            raise Finding(f"{seed.name}: what is said has {len(line)} characters, such as: {line[:300]}")


@contextmanager
def _limited() -> Iterator[None]:
    """Interrupt what takes longer than SECONDS of processor time (a shared machine stalls now and then).

    What asks for more than MOST_MEMORY on top of what the process has gets a MemoryError.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        raise _TooSlowError

    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (min(most, limits[0]) if limits[0] > 0 else most, limits[1]))
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _token(random: Random) -> bytes:
    return _LATIN if random.random() < 0.02 else random.choice(_TOKENS).encode()


def _bytes(data: bytes, random: Random) -> bytes:
    a = random.randint(0, len(data))
    b = min(len(data), a + random.choice((1, 2, 4, 20, 200)))
    kind = random.randrange(6)
    if kind == 0:
        return data[:a]
    if kind == 1:
        return data[:a] + data[b:]
    if kind == 2:
        return data[:a] + _token(random) + data[a:]
    if kind == 3:
        return data[:a] + bytes(random.randrange(256) for _ in range(b - a)) + data[b:]
    if kind == 4:
        return data[:b] + data[a:]
    return data[:a] + bytes([data[a] ^ 1 << random.randrange(8)]) + data[a + 1 :] if a < len(data) else data


def _lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    i, j = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(5)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(j, lines[i])
    elif kind == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 3:
        lines.insert(i, _token(random))
    else:
        lines = lines[i:]
    return b"\n".join(lines)


def _cells(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    i = random.randrange(len(lines))
    cells = lines[i].split(b"\t")
    j, k = random.randrange(len(cells)), random.randrange(len(cells))
    kind = random.randrange(7)
    if kind == 0:
        del cells[j]
    elif kind == 1:
        cells.insert(j, cells[k])
    elif kind == 2:
        cells[j], cells[k] = cells[k], cells[j]
    elif kind == 3:
        at = random.randint(0, len(cells[j]))
        cells[j] = cells[j][:at] + _token(random) + cells[j][at:]
    else:
        cells[j] = _token(random)
    lines[i] = b"\t".join(cells)
    return b"\n".join(lines)


def _column(data: bytes, random: Random) -> bytes:
    lines = [line.split(b"\t") for line in data.split(b"\n")]
    width = max(len(cells) for cells in lines)
    j, token, first = random.randrange(width), _token(random)[:200], random.randint(0, 1)
    kind = random.randrange(3)
    for cells in lines[first:]:
        if j < len(cells):
            if kind == 0:
                cells[j] = token
            elif kind == 1:
                del cells[j]
            else:
                cells.insert(j, cells[j])
    return b"\n".join(b"\t".join(cells) for cells in lines)


def _encoded(data: bytes, random: Random) -> bytes:
    kind = random.randrange(10)
    if kind == 0:
        return b"\xef\xbb\xbf" + data
    if kind == 1:
        return data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b"\x0b", "\u2028".encode())))
    if kind == 2:
        return data.replace(b"\t", random.choice((b",", b";", b" ", b"|")))
    if kind == 3:
        return data.decode("utf-8", errors="replace").encode(random.choice(("utf-16", "utf-16-le", "utf-32", "utf-7")))
    if kind == 4:
        return b"\n".join(b"\t".join(b'"%s"' % cell for cell in line.split(b"\t")) for line in data.split(b"\n"))
    packed = gzip.compress(data, 1, mtime=0) if kind < 8 else bz2.compress(data, 1)
    if kind == 5:
        return packed + random.choice((packed, b"more", b"\0\0"))
    return packed if kind in (6, 8) else _bytes(packed, random)
