"""Write the synthetic inputs of make_vegan.R: `python make_inputs.py [FOLDER]`, by default beside this file.

Ten subjects with three samples each: `arm` and `age` are properties of the subject, `time` changes within it, `group`
is free. The effects are small on purpose: p-values near 0 or 1 would agree between any two programs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def main(folder: Path) -> None:
    rng = np.random.default_rng(20260)
    subjects, times, taxa = 10, 3, 25
    subject = np.repeat(np.arange(subjects), times)
    time = np.tile(np.arange(times), subjects)
    arm = np.where(np.arange(subjects) % 5 < 2, "placebo", "fmt")[subject]
    group = rng.choice(["a", "b", "c"], len(subject), p=[0.5, 0.3, 0.2])
    age = rng.integers(30, 80, subjects)[subject]
    logs = rng.normal(0, 1.5, taxa) + rng.normal(0, 1.0, (subjects, taxa))[subject]
    logs += rng.normal(0, 0.8, (len(subject), taxa)) * np.where(group == "b", 1.3, 1.0)[:, None]
    logs += np.where(arm == "fmt", 0.35, 0.0)[:, None] * rng.normal(0, 1, taxa)
    logs += np.where(time == 1, 0.3, 0.0)[:, None] * rng.normal(0, 1, taxa)
    logs += np.where(group == "b", 0.4, 0.0)[:, None] * rng.normal(0, 1, taxa)
    counts = rng.poisson(60 * np.exp(logs - logs.mean(axis=1, keepdims=True)) * rng.binomial(1, 0.75, logs.shape))
    samples = [f"s{number:02d}" for number in range(1, len(subject) + 1)]
    abundance = pd.DataFrame(
        counts / counts.sum(axis=1, keepdims=True),
        index=pd.Index(samples, name="sample"),
        columns=[f"t{number:02d}" for number in range(1, taxa + 1)],
    )
    abundance.to_csv(folder / "vegan_abundance.tsv", sep="\t", lineterminator="\n")
    frame = pd.DataFrame({"sample": samples, "subject": [f"p{number}" for number in subject], "arm": arm})
    frame["time"] = [f"t{number}" for number in time]
    frame["group"] = group
    frame["age"] = age
    frame.to_csv(folder / "vegan_samples.tsv", sep="\t", index=False, lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
