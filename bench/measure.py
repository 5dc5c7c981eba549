"""Time and peak memory of whole processes, measured side by side: what every benchmark of this folder prints."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Run", "measure", "paired", "print_pair"]


@dataclass(frozen=True)
class Run:
    """One finished process: wall and CPU time in seconds, peak memory of its largest process in MB, exit code."""

    wall: float
    cpu: float
    peak_mb: float
    code: int = 0


def measure(
    command: Sequence[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None, may_fail: bool = False
) -> Run:
    """Run `command` to its end and return what it took; exit with its last words when it fails, unless it may."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), cwd=cwd, env=env, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0 and not may_fail:
            log.seek(0)
            text = log.read().decode(errors="replace")[-2000:]
            sys.exit(f"failed with {process.returncode}: {' '.join(map(str, command))[:300]}\n{text}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def paired(ours: Sequence[str | Path], theirs: Sequence[str | Path], runs: int = 3) -> tuple[list[Run], list[Run]]:
    """Run both commands in turn, `runs` times, after one uncounted run of each."""
    measure(ours)
    measure(theirs)
    pairs = [(measure(ours), measure(theirs)) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def print_pair(what: str, ours: list[Run], theirs: list[Run], peer: str, target: str) -> None:
    """Print one benchmark: medians, peak memory and the ratio peer / ours, pair by pair."""
    ratios = [b.wall / a.wall for a, b in zip(ours, theirs, strict=True)]
    print(f"{what}")
    for name, runs in (("ours", ours), (peer, theirs)):
        wall = statistics.median(run.wall for run in runs)
        peak = max(run.peak_mb for run in runs)
        print(f"  {name:<28} {wall:9.2f} s wall  {peak:8.0f} MB peak  ({len(runs)} runs)")
    print(
        f"  ratio {peer} / ours: median {statistics.median(ratios):.2f} "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}); target {target}"
    )
