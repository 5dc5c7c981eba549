"""Simulate, in pieces that are kept: an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from microbiome.calibration.findings import Findings, append, read
from microbiome.calibration.scenarios import Scenario, scenarios
from microbiome.seeds import stream

__all__ = ["draw", "load", "planned", "simulate"]

_PIECE = 20


def planned(scenario: Scenario, trials: int) -> int:
    """Return how many trials of a scenario are run when `trials` are asked for."""
    return max(1, round(trials * scenario.share))


def draw(scenario: Scenario, numbers: Iterable[int], seed: int) -> list[tuple[int, Findings]]:
    """Run some trials of a scenario; each has random numbers of its own, whatever ran before."""
    logging.disable(logging.WARNING)
    found = []
    with warnings.catch_warnings():
        # Fits of the mixed model that do not converge: the table says so.
        warnings.simplefilter("ignore")
        for number in numbers:
            rng = stream(seed, "calibration", scenario.name, str(number))
            found.append((number, scenario.draw(rng, number)))
    logging.disable(logging.NOTSET)
    return found


def simulate(chosen: Sequence[Scenario], trials: int, seed: int, folder: Path, workers: int = 1) -> None:
    """Run what is not there yet, and say on standard error how far it is.

    Parameters
    ----------
    chosen
        Scenarios.
    trials
        Trials of each (times its share).
    seed
        Of everything.
    folder
        One file per scenario, seed and set of parameters, to which trials are added. Code that has changed is not
        noticed: remove the folder then.
    workers
        Processes.
    """
    pieces = []
    for scenario in chosen:
        done = read(_file(folder, scenario, seed))
        missing = [number for number in range(planned(scenario, trials)) if number not in done]
        pieces += [(scenario.name, missing[i : i + _PIECE], seed) for i in range(0, len(missing), _PIECE)]
    by_name = {scenario.name: scenario for scenario in chosen}
    started, total = time.monotonic(), sum(len(piece[1]) for piece in pieces)
    finished = 0
    if workers == 1:
        results = map(_work, pieces)
        finished = _collect(results, by_name, folder, seed, started, total)
    elif pieces:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            finished = _collect(pool.imap_unordered(_work, pieces), by_name, folder, seed, started, total)
    sys.stderr.write(f"{finished} trials in {time.monotonic() - started:.0f} s\n")


def load(chosen: Sequence[Scenario], trials: int, seed: int, folder: Path) -> dict[str, list[Findings]]:
    """Return the trials of each scenario that are there, in their order, at most as many as are asked for."""
    found = {}
    for scenario in chosen:
        there = read(_file(folder, scenario, seed))
        found[scenario.name] = [there[number] for number in range(planned(scenario, trials)) if number in there]
    return found


def _collect(
    results: Iterable[tuple[str, list[tuple[int, Findings]]]],
    by_name: dict[str, Scenario],
    folder: Path,
    seed: int,
    started: float,
    total: int,
) -> int:
    finished = 0
    for name, found in results:
        append(_file(folder, by_name[name], seed), found)
        finished += len(found)
        passed = time.monotonic() - started
        left = passed / finished * (total - finished)
        sys.stderr.write(f"{finished} of {total} trials, {left / 60:.0f} min left: {name}\n")
    return finished


def _work(piece: tuple[str, list[int], int]) -> tuple[str, list[tuple[int, Findings]]]:
    name, numbers, seed = piece
    scenario = next(one for one in scenarios() if one.name == name)
    return name, draw(scenario, numbers, seed)


def _file(folder: Path, scenario: Scenario, seed: int) -> Path:
    """Return the file of a scenario: another one when its parameters change."""
    digest = hashlib.sha256(json.dumps(dict(scenario.parameters), sort_keys=True).encode()).hexdigest()[:8]
    return folder / f"{scenario.name}-seed{seed}-{digest}.jsonl"
