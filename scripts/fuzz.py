"""Fuzz the readers for as long as is asked: one process after the other, one per group of readers.

``scripts/fuzz.py --minutes 10 [--out FOLDER] [READER ...]``. With atheris (``make fuzz`` installs it in an environment
of its own) the damage is guided by coverage of the package; without, it is drawn at random. Each different finding is
said once and its file is kept; exit code 1 when there are any.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzzing import Seed

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

try:
    import atheris
except ImportError:
    atheris = None


def main() -> int:
    """Run all groups of readers, or one (``--only``)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", help="groups of readers; default all")
    parser.add_argument("--minutes", type=float, default=10, help="in all")
    parser.add_argument("--out", type=Path, default=REPOSITORY / ".fuzz", help="where files with findings are kept")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    seed = random.randrange(2**31) if options.seed is None else options.seed
    if options.only:
        return _fuzz(options.readers[0], options.minutes * 60, options.out, seed)
    from fuzz_readers import READERS

    chosen = options.readers or list(READERS)
    how = "guided by coverage (atheris)" if atheris else "at random (atheris is not installed)"
    print(f"fuzzing {len(chosen)} groups of readers, {options.minutes:g} minutes, {how}, seed {seed}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    log = options.out / "log.txt"
    bad = 0
    for reader in chosen:
        words = ["--only", reader, "--minutes", f"{options.minutes / len(chosen):g}", "--out", str(options.out)]
        command = [sys.executable, __file__, *words, "--seed", str(seed)]
        # What libFuzzer tells of its progress is thousands of lines.
        with log.open("a") as stream:
            code = subprocess.run(command, check=False, stderr=stream).returncode
        if code not in (0, 1):
            print(f"{reader}: ended with exit code {code}; see {log}", flush=True)
        bad += code != 0
    return 1 if bad else 0


def _fuzz(reader: str, seconds: float, out: Path, seed: int) -> int:
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["microbiome"]) if atheris else contextlib.nullcontext():
        from fuzz_readers import seeds
        from fuzzing import Finding, attempt, mutated
    known = seeds(reader)
    contents = tuple(one.data for one in known)
    counts: Counter[str] = Counter()
    findings: dict[str, str] = {}
    end = time.monotonic() + seconds
    folder = tempfile.TemporaryDirectory()

    def once(number: int, data: bytes) -> None:
        one = known[number]
        counts["files"] += 1
        try:
            counts[attempt(one, data, Path(folder.name))] += 1
        except Finding as finding:
            place = _place(finding)
            counts["findings"] += 1
            if place not in findings:
                findings[place] = str(finding)
                out.mkdir(parents=True, exist_ok=True)
                kept = out / f"{reader}_{len(findings)}_{one.name}"
                kept.write_bytes(data)
                print(f"  FINDING in {reader}, seed {number}, kept as {kept}\n    {finding}\n    {place}", flush=True)

    def summary() -> int:
        print(f"{reader}: {', '.join(f'{number} {word}' for word, number in counts.items())}", flush=True)
        folder.cleanup()
        return 1 if findings else 0

    if atheris is None:
        draw = random.Random(seed)
        while time.monotonic() < end:
            number = draw.randrange(len(known))
            once(number, mutated(known[number], draw, contents))
        return summary()
    _guided(known, contents, once, end, seed, summary)
    raise AssertionError("libFuzzer ends the process itself")


def _guided(
    known: tuple[Seed, ...],
    contents: tuple[bytes, ...],
    once: Callable[[int, bytes], None],
    end: float,
    seed: int,
    summary: Callable[[], int],
) -> None:
    """Let libFuzzer choose: the first byte of its data is the number of the seed, the rest the file."""
    from fuzzing import mutated

    def test(data: bytes) -> None:
        if time.monotonic() >= end:
            code = summary()
            shutil.rmtree(corpus)
            # An exception would be taken for a finding.
            os._exit(code)
        if data:
            once(data[0] % len(known), data[1:])

    def mutate(data: bytes, size: int, drawn: int) -> bytes:
        draw = random.Random(drawn)
        if not data or draw.random() < 0.05:
            number = draw.randrange(len(known))
            return bytes([number]) + known[number].data
        if draw.random() < 0.3:
            return data[:1] + atheris.Mutate(data[1:], size - 1)
        one = known[data[0] % len(known)]
        damaged = mutated(replace(one, data=data[1:]), draw, contents)
        return data[:1] + damaged[: size - 1]

    corpus = tempfile.mkdtemp()
    for number, content in enumerate(contents):
        (Path(corpus) / str(number)).write_bytes(bytes([number]) + content)
    arguments = [
        sys.argv[0],
        corpus,
        "-max_len=300001",
        "-rss_limit_mb=0",
        "-timeout=3600",
        f"-seed={seed % 2**31 or 1}",
    ]
    atheris.Setup([*arguments, "-len_control=0", "-detect_leaks=0"], test, custom_mutator=mutate)
    atheris.Fuzz()


def _place(finding: BaseException) -> str:
    """Tell findings apart: the innermost lines of the package, and the kind of exception."""
    cause = finding.__cause__ or finding
    frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if "/microbiome/" in frame.filename]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))
    words = "" if frames and cause is not finding else re.sub("[0-9]+|:.*", "", str(finding).partition(": ")[2])[:80]
    return f"{type(cause).__name__} at {where} {words}"


if __name__ == "__main__":
    sys.exit(main())
