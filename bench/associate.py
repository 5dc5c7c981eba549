"""Associations, 500 taxa x 1,000 metabolites x 200 subjects, 999 permutations: all pairs at once against one at a time.

Ours: :func:`microbiome.associate.associate`, from tables to the finished table (correlation, interval, p, q, smallest
detectable effect of each of 500,000 pairs). SciPy: ``scipy.stats.permutation_test`` with the correlation of ranks as
statistic (vectorised over the permutations of a pair, ranks taken once: the quickest form of it that is in its manual)
and ``scipy.stats.spearmanr`` 1,000 times, on a sample of the pairs; times are scaled to all. They run in turn, each in
a process of its own, and must agree on the pairs of the sample (permutation_test doubles the smaller tail).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SUBJECTS, TAXA, METABOLITES, PERMUTATIONS = 200, 500, 1000, 999
SAMPLED = {"permutation_test": 40, "spearmanr": 4}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Taxa with zeros and metabolites, a tenth of them linked."""
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(SUBJECTS, 20))
    taxa = np.exp(rng.normal(size=(SUBJECTS, TAXA)) + hidden[:, rng.integers(0, 20, TAXA)])
    taxa *= rng.random((SUBJECTS, TAXA)) < rng.uniform(0.1, 1, TAXA)
    metabolites = np.exp(rng.normal(size=(SUBJECTS, METABOLITES)))
    metabolites[:, :100] *= np.exp(hidden[:, rng.integers(0, 20, 100)])
    return taxa / taxa.sum(axis=1, keepdims=True), metabolites


def ours(out: Path) -> dict[str, float]:
    """Test all pairs."""
    from microbiome.associate import associate
    from microbiome.molecules import Measured
    from microbiome.study import Study

    taxa, metabolites = data()
    samples = [f"s{i}" for i in range(SUBJECTS)]
    rows = pd.DataFrame({"subject": [f"P{i:03d}" for i in range(SUBJECTS)], "day": 0, "sample": samples}, index=samples)
    rows["day"] = rows["day"].astype("Int64")
    tables = [
        Measured(name, pd.DataFrame(values, index=samples).add_prefix(name), rows)
        for name, values in (("taxa", taxa), ("metabolites", metabolites))
    ]
    empty = pd.DataFrame(columns=["subject", "day", "donor", "donor_sample"])
    study = Study(rows.assign(role="recipient"), rows[["subject"]].reset_index(drop=True), empty)
    start = time.perf_counter()
    table, _ = associate(tables[:1], study, others=tables[1:], permutations=PERMUTATIONS)
    seconds = time.perf_counter() - start
    table[["effect", "p_value"]].to_pickle(out)
    return {"seconds": seconds, "pairs": len(table)}


def kernel() -> dict[str, float]:
    """Compute the matrix products alone."""
    from microbiome.associate.permute import rank_tests

    start = time.perf_counter()
    rank_tests(*data(), PERMUTATIONS)
    return {"seconds": time.perf_counter() - start, "pairs": TAXA * METABOLITES}


def theirs(name: str, out: Path) -> dict[str, float]:
    """Test a sample of pairs, one at a time."""
    from scipy import stats

    taxa, metabolites = data()
    rng = np.random.default_rng(2)
    pairs = [(int(i), int(j)) for i, j in zip(rng.integers(0, TAXA, 40), rng.integers(0, METABOLITES, 40), strict=True)]
    rows = []
    start = time.perf_counter()
    for i, j in pairs[: SAMPLED[name]]:
        x, y = taxa[:, i], metabolites[:, j]
        if name == "spearmanr":
            rho = stats.spearmanr(x, y).statistic
            drawn = np.array([stats.spearmanr(rng.permutation(x), y).statistic for _ in range(PERMUTATIONS)])
            p = (1 + (np.abs(drawn) >= abs(rho) - 1e-12).sum()) / (PERMUTATIONS + 1)
        else:
            a, b = stats.zscore(stats.rankdata(x)), stats.zscore(stats.rankdata(y))
            found = stats.permutation_test(
                (a,),
                lambda values, axis, b=b: (values * b).mean(axis=axis),
                permutation_type="pairings",
                n_resamples=PERMUTATIONS,
                vectorized=True,
                rng=np.random.default_rng(3),
            )
            rho, p = found.statistic, found.pvalue
        rows.append((i * METABOLITES + j, rho, p))
    seconds = time.perf_counter() - start
    pd.DataFrame(rows, columns=["pair", "effect", "p_value"]).to_pickle(out)
    return {"seconds": seconds / len(rows) * TAXA * METABOLITES, "pairs": len(rows)}


def child(what: str, out: Path) -> dict[str, float]:
    """Run one side in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--run", what, str(out)], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print the times, the ratios and the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs=2)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.run:
        what, out = arguments.run[0], Path(arguments.run[1])
        found = ours(out) if what == "ours" else kernel() if what == "kernel" else theirs(what, out)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found | {"peak_mb": peak}))
        return
    programs = ("ours", "kernel", *SAMPLED)
    with tempfile.TemporaryDirectory() as folder:
        out = {name: Path(folder) / name for name in programs}
        runs = [{name: child(name, out[name]) for name in programs} for _ in range(arguments.runs)]
        table = pd.read_pickle(out["ours"])
        for name in SAMPLED:
            sample = pd.read_pickle(out[name])
            same = table.iloc[sample["pair"]]
            assert np.allclose(same["effect"], sample["effect"])
            apart = np.abs(same["p_value"].to_numpy() - sample["p_value"].to_numpy()).max()
            assert apart < 0.15, f"{name}: p-values differ by {apart:.3f}"
    print(f"associate: {TAXA} taxa x {METABOLITES} metabolites x {SUBJECTS} subjects, {PERMUTATIONS} permutations")
    for name, words in (
        ("ours", "ours, tables to table"),
        ("kernel", "ours, matrix products alone"),
        ("permutation_test", "scipy permutation_test"),
        ("spearmanr", "scipy spearmanr, permuted"),
    ):
        seconds = np.median([run[name]["seconds"] for run in runs])
        peak = max(run[name]["peak_mb"] for run in runs)
        pairs = int(runs[0][name]["pairs"])
        how = "all pairs" if pairs == TAXA * METABOLITES else f"scaled from {pairs} pairs"
        print(f"  {words:<28} {seconds:10.1f} s  {peak:6.0f} MB peak  ({how}; median of {len(runs)} runs)")
    for name in SAMPLED:
        ratios = [run[name]["seconds"] / run["ours"]["seconds"] for run in runs]
        least, most = min(ratios), max(ratios)
        print(f"  ratio {name} / ours: median {np.median(ratios):.0f} (from {least:.0f} to {most:.0f}); target >= 50")


if __name__ == "__main__":
    main()
