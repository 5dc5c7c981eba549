"""Pairwise strain distances of a clade at scale: time and memory of `strains distances`, growing samples and sites.

Target: 1,000 samples x 100 kb of markers within 60 s and 4 GB on two cores. The samples are simulated as allele files
(no reads): people of four samples, their strains 1 % apart, in lineages; one person in seven has a mixture of two;
depth log-normal around 5; one base in a thousand read wrong. SameStr's ``compare`` runs on the same counts for as many
samples as it is given (its time grows with their square, as ours does).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from measure import Run, measure
from strain_peers import PROGRAMS as SAMESTR
from strain_peers import samestr_programs

from microbiome.seeds import stream
from microbiome.strains.allele_file import CladeAlleles, write_alleles

PROGRAMS = Path(sys.executable).parent
TAXON = "t__SGB1626"
SAMPLES_EACH, MARKER_LENGTH, LINEAGES, ERROR = 4, 1_000, 5, 1e-3
# (samples, kilobases): growth with samples, then with sites; the largest last.
GRID = ((125, 100), (250, 100), (500, 100), (1000, 25), (1000, 50), (1000, 100))
_COMPARE = """
import json, sys
from samestr.compare.compare import compare
compare({**json.loads(sys.argv[1]), "dominant_variants": False, "dominant_variants_added": False})
"""


def sample_counts(number: int, sites: int) -> np.ndarray:
    """Return the counts of one sample, position x base in the order of codes 0 to 3; 0 is the base of the marker."""
    rng, person = stream(1, "sample", str(number)), number // SAMPLES_EACH
    weights = [0.7, 0.3] if person % 7 == 0 else [1.0]
    depth = float(np.clip(rng.lognormal(np.log(5), 1.0), 0.3, 100))
    counts = np.zeros((sites, 4), dtype=np.uint16)
    for which, weight in enumerate(weights):
        own = stream(1, "strain", str(person), str(which))
        lineage = stream(1, "lineage", str(own.integers(LINEAGES)))
        codes = np.zeros(sites, dtype=np.int64)
        for source, rate in ((lineage, 0.0015), (own, 0.0035)):
            changed = np.flatnonzero(source.random(sites) < rate)
            codes[changed] = source.integers(1, 4, changed.size)
        reads = rng.poisson(depth * weight, sites)
        np.add.at(counts, (np.arange(sites), codes), reads.astype(np.uint16))
    wrong = np.flatnonzero(rng.random(sites) < ERROR * counts.sum(axis=1))
    np.add.at(counts, (wrong, rng.integers(0, 4, wrong.size)), np.uint16(1))
    return counts


def write_sample(path: Path, name: str, counts: np.ndarray) -> None:
    """Write one allele file."""
    position, base = np.nonzero(counts[:, 1:])
    kept = CladeAlleles(
        counts.sum(axis=1).astype(np.uint16),
        position.astype(np.int32),
        (base + 1).astype(np.uint8),
        counts[position, base + 1],
    )
    markers = {TAXON: np.full(len(counts) // MARKER_LENGTH, MARKER_LENGTH)}
    write_alleles(path, name, "mpa_vSimulated_CHOCOPhlAnSGB_202601", "00000000", {}, markers, {TAXON: kept})


def ours(folder: Path, samples: int, kilobases: int) -> tuple[Run, int]:
    """Write the allele files, compare all pairs, return what that took and the number of pairs with a distance."""
    place = folder / f"{kilobases}kb"
    place.mkdir(exist_ok=True)
    files = [place / f"S{i:04d}.alleles" for i in range(samples)]
    for i, file in enumerate(files):
        if not file.exists():
            write_sample(file, file.stem, sample_counts(i, kilobases * 1000))
    out = folder / "distances.tsv"
    run = measure([PROGRAMS / "microbiome", "strains", "distances", "--alleles", *files, "-o", out])
    table = pd.read_csv(out, sep="\t", comment="#", usecols=["distance"])
    if len(table) != samples * (samples - 1) // 2:
        sys.exit(f"error: {len(table)} pairs of {samples} samples")
    return run, int(table["distance"].notna().sum())


def samestr(folder: Path, samples: int, kilobases: int, programs: Path) -> Run:
    """Run the compare function of SameStr on the same counts; its own files hold them as 64-bit numbers."""
    counts = np.stack([sample_counts(i, kilobases * 1000) for i in range(samples)]).astype(float)
    np.save(folder / f"{TAXON}.npy", counts)
    (folder / "names.txt").write_text("\n".join(f"S{i:04d}" for i in range(samples)) + "\n")
    place = folder / f"samestr_{samples}"
    place.mkdir()
    settings = {"clade": TAXON, "input_file": str(folder / f"{TAXON}.npy"), "input_name": str(folder / "names.txt")}
    settings |= {"output_dir": str(place)}
    return measure([programs / "bin" / "python", "-c", _COMPARE, json.dumps(settings)])


def line(name: str, samples: int, kilobases: int, run: Run) -> str:
    """Return one line of the result."""
    what = f"  {name:<8} {samples:5d} samples x {kilobases:4d} kb"
    return f"{what} {run.wall:8.1f} s wall {run.cpu:8.1f} s CPU {run.peak_mb:7.0f} MB peak"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", nargs="+", metavar="SAMPLES,KB", help="instead of the usual sizes")
    parser.add_argument("--samestr", nargs="*", type=int, default=[60, 125], help="samples that SameStr compares")
    parser.add_argument("--environment", type=Path, default=SAMESTR, help="where SameStr is installed")
    arguments = parser.parse_args()
    grid = [tuple(map(int, size.split(","))) for size in arguments.grid] if arguments.grid else GRID
    print(f"pairwise strain distances of one clade, {os.cpu_count()} cores; target 1,000 x 100 kb: <= 60 s, <= 4 GB")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for samples, kilobases in grid:
            run, pairs = ours(folder, samples, kilobases)
            print(line("ours", samples, kilobases, run) + f", {pairs} pairs with a distance", flush=True)
        there = bool(arguments.samestr) and samestr_programs(arguments.environment) is not None
        for samples in arguments.samestr if there else []:
            run = samestr(folder, samples, 100, arguments.environment)
            print(line("SameStr", samples, 100, run), flush=True)


if __name__ == "__main__":
    main()
