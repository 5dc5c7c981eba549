"""Outcomes, rates, donor permutations and comparisons of large trials: time, peak memory, and growth with size.

There is no peer that does this; the measure is the target, and that time grows no faster than the number of recipients.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from measure import Run, measure

from microbiome.study import Study

TAXA, SEEN, POSTS = 5000, 300, (28, 56, 84, 112)
DONORS, LOTS = 20, 3


def study_of(recipients: int) -> Study:
    """Build the tables of a trial: a baseline and four post samples each, half of them responders, 20 donors."""
    rows: list[tuple[str, str, str, int | None]] = [
        (f"D{d}-{lot}", f"D{d}", "donor", None) for d in range(DONORS) for lot in range(LOTS)
    ]
    rows += [(f"R{r}-{day}", f"R{r}", "recipient", day) for r in range(recipients) for day in (0, *POSTS)]
    doses = [(f"R{r}", 0, f"D{r % DONORS}", f"D{r % DONORS}-{r % LOTS}") for r in range(recipients)]
    subjects = [(f"R{r}", "fmt", "yes" if r % 2 else "no") for r in range(recipients)]
    return Study(
        pd.DataFrame(rows, columns=["sample", "subject", "role", "day"]).astype({"day": "Int64"}),
        pd.DataFrame(subjects, columns=["subject", "arm", "responder"]),
        pd.DataFrame(doses, columns=["subject", "day", "donor", "donor_sample"]).astype({"day": "Int64"}),
    )


def abundance_of(study: Study, seed: int = 1) -> pd.DataFrame:
    """Draw about 300 of 5,000 taxa for every sample, prevalent ones more often."""
    rng = np.random.default_rng(seed)
    weight = rng.beta(0.3, 1.5, TAXA)
    chance = np.minimum(weight * SEEN / weight.sum(), 1)
    names = study.samples["sample"]
    values = np.where(rng.random((len(names), TAXA)) < chance, rng.lognormal(0, 2, (len(names), TAXA)), 0.0)
    values /= values.sum(axis=1, keepdims=True)
    return pd.DataFrame(values, index=pd.Index(names, name="sample"), columns=[f"t__SGB{i}" for i in range(TAXA)])


def step(name: str, folder: Path, recipients: int) -> None:
    """Do one step in this process; what it needs from before lies in `folder`."""
    from microbiome.compare import compare
    from microbiome.nulls import nulls
    from microbiome.outcomes import outcomes, rates

    study = study_of(recipients)
    if name == "nothing":
        abundance_of(study)
    elif name == "outcomes":
        rates(outcomes(abundance_of(study), study)).to_pickle(folder / f"rates{recipients}.pkl")
    elif name == "nulls":
        nulls(abundance_of(study), study, permutations=999)
    else:
        table = pd.read_pickle(folder / f"rates{recipients}.pkl")
        compare(table, study.subjects, "responder", permutations=9999)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step(arguments.step, arguments.folder, arguments.recipients[0])
        return
    with tempfile.TemporaryDirectory() as name:
        largest = max(arguments.recipients)
        targets = {"outcomes": "20 s", "nulls": "60 s, 4 GB", "compare": "none set"}
        words = {
            "outcomes": "outcomes and rates, with certainty and bounds",
            "nulls": "all nulls, 999 permutations of the donors",
            "compare": "compare: 5 rates, 3 methods",
        }
        times: dict[tuple[str, int], float] = {}
        for recipients in arguments.recipients:
            print(f"{recipients} recipients x {len(POSTS)} post samples x {TAXA} taxa")
            for part in ("nothing", *words):
                command = [sys.executable, __file__, "--step", part, "--folder", name, "--recipients", str(recipients)]
                runs: list[Run] = [measure(command) for _ in range(arguments.runs)]
                times[part, recipients] = statistics.median(run.wall for run in runs)
                if part == "nothing":
                    continue
                # What making the data takes is not theirs.
                base = times["nothing", recipients] if part != "compare" else 0.0
                times[part, recipients] -= base
                peak = max(run.peak_mb for run in runs)
                target = f"; target {targets[part]}" if recipients == largest else ""
                print(f"  {words[part]:<48} {times[part, recipients]:7.1f} s  {peak:6.0f} MB peak{target}")
        smallest = min(arguments.recipients)
        for part, text in words.items():
            ratio = times[part, largest] / max(times[part, smallest], 1e-9)
            print(f"growth of {text}: {ratio:.1f} times the time for {largest / smallest:.0f} times the recipients")


if __name__ == "__main__":
    main()
