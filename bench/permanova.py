"""PERMANOVA, 999 permutations of 1,989 samples: ours with strata, scikit-bio without, vegan's adonis2 with blocks.

Bray-Curtis of the species of 14 published cohorts (metaml_stool in MICROBIOME_REAL_DATA or ../shared/data; without it,
made-up samples of the same number). The factor is `disease` (17 groups of 1 to 944 samples), the strata are the cohorts
(`dataset_name`): labels change places within a cohort. Ours also computes PERMDISP (here missing: a group has one
sample). Every program is a process of its own; the time is that of the test alone (no start, no reading), the memory
that of the process at its peak.
"""

from __future__ import annotations

import argparse
import bz2
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measure import measure

HERE = Path(__file__).resolve().parent
PERMUTATIONS = 999


def published(path: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Species abundances (sample x species) and the metadata rows above them."""
    with bz2.open(path, "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    metadata = pd.DataFrame({row[0]: row[1:] for row in rows if not row[0].startswith("k__")})
    species = [row for row in rows if "|s__" in row[0] and "|t__" not in row[0]]
    return np.array([row[1:] for row in species], dtype=float).T, metadata


def made_up(n: int = 1989) -> tuple[np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(1)
    sizes = [944, 223, 164, 148, 118, 89, 52, 49, 48, 47, 26, 25, 20, 13, 9, 6, 4, 4]
    disease = rng.permutation(np.repeat([f"disease{i}" for i in range(len(sizes))], sizes))
    metadata = pd.DataFrame({"disease": disease, "dataset_name": [f"cohort{i % 14}" for i in range(n)]})
    return rng.lognormal(0, 2, (n, 800)) * (rng.random((n, 800)) < 0.15), metadata


def prepare(folder: Path) -> str:
    """Write the distances (raw doubles, for R and Python alike) and the labels; return where they come from."""
    from microbiome.diversity import beta

    place = Path(os.environ.get("MICROBIOME_REAL_DATA") or HERE.parent.parent / "shared" / "data")
    path = place / "metaml_stool" / "abundance_stoolsubset.txt.bz2"
    values, metadata = published(path) if path.is_file() else made_up()
    samples = [f"s{i}" for i in range(len(values))]
    distances = beta(pd.DataFrame(values, index=samples), "bray_curtis")
    kept = [int(sample[1:]) for sample in distances.ids]
    labels = pd.DataFrame(
        {
            "sample": distances.ids,
            "disease": metadata["disease"].str.strip().to_numpy()[kept],
            "dataset_name": metadata["dataset_name"].to_numpy()[kept],
        }
    )
    np.asarray(distances.data).tofile(folder / "distances.bin")
    labels.to_csv(folder / "labels.tsv", sep="\t", index=False)
    return str(path.parent.name) if path.is_file() else "made-up samples"


def work(program: str, folder: Path) -> None:
    """Run one test in this process and write what it found and how long it took."""
    from skbio import DistanceMatrix

    labels = pd.read_csv(folder / "labels.tsv", sep="\t", keep_default_na=False)
    data = np.fromfile(folder / "distances.bin").reshape(len(labels), len(labels))
    distances = DistanceMatrix(data, labels["sample"].tolist())
    if program == "microbiome":
        from microbiome.diversity import permanova

        start, cpu = time.perf_counter(), time.process_time()
        row = permanova(distances, labels, "disease", "dataset_name", PERMUTATIONS, seed=1).iloc[0]
        found = {"seconds": time.perf_counter() - start, "f": row["pseudo_f"], "p": row["p_value"]}
        found["cpu"] = time.process_time() - cpu
    else:
        from skbio.stats.distance import permanova as skbio_permanova

        start, cpu = time.perf_counter(), time.process_time()
        result = skbio_permanova(distances, labels["disease"].to_numpy(), permutations=PERMUTATIONS, seed=1)
        found = {"seconds": time.perf_counter() - start, "f": result["test statistic"], "p": result["p-value"]}
        found["cpu"] = time.process_time() - cpu
    (folder / f"{program}.json").write_text(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of ours and scikit-bio, in turn; vegan runs once")
    parser.add_argument("--no-vegan", action="store_true", help="leave the slow one out")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], Path(arguments.work[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        origin = prepare(folder)
        groups = pd.read_csv(folder / "labels.tsv", sep="\t", keep_default_na=False)
        print(
            f"permanova of {len(groups)} samples ({origin}), {PERMUTATIONS} permutations, factor disease "
            f"({groups['disease'].nunique()} groups), strata dataset_name ({groups['dataset_name'].nunique()})"
        )
        commands = {
            who: [sys.executable, str(Path(__file__)), "--work", who, str(folder)]
            for who in ("microbiome", "scikit-bio")
        }
        rounds = [who for _ in range(arguments.runs) for who in commands]
        if not arguments.no_vegan and shutil.which("Rscript"):
            commands["vegan"] = ["Rscript", str(HERE / "permanova.R"), str(folder), str(PERMUTATIONS)]
            rounds.append("vegan")
        elif not arguments.no_vegan:
            print("  R is not installed: vegan is left out")
        seconds: dict[str, list[float]] = {who: [] for who in commands}
        peaks: dict[str, float] = dict.fromkeys(commands, 0.0)
        last: dict[str, dict[str, float]] = {}
        cpu: dict[str, float] = {}
        for who in rounds:
            peaks[who] = max(peaks[who], measure(commands[who]).peak_mb)
            last[who] = json.loads((folder / f"{who}.json").read_text())
            seconds[who].append(last[who]["seconds"])
            cpu[who] = min(cpu.get(who, np.inf), last[who]["cpu"])
    for who, times in seconds.items():
        print(
            f"  {who:<12} {statistics.median(times):8.2f} s  {cpu[who]:8.2f} s CPU  {peaks[who]:6.0f} MB peak  "
            f"pseudo-F {last[who]['f']:.9g}  p {last[who]['p']:.3f}  "
            f"({len(times)} runs, {min(times):.2f} to {max(times):.2f} s)"
        )
    ours = statistics.median(seconds["microbiome"])
    if "vegan" in seconds:
        print(f"  ratio vegan / ours: {seconds['vegan'][0] / ours:.1f}; target >= 30")
    if "vegan" in cpu:
        print(f"  ratio of CPU time vegan / ours: {cpu['vegan'] / cpu['microbiome']:.1f} (holds on a busy machine too)")
    print(f"  ratio ours / scikit-bio: {ours / statistics.median(seconds['scikit-bio']):.2f}; target <= 2")


if __name__ == "__main__":
    main()
