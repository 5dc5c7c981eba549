"""Write tests/golden/strains: tables of distances as SameStr and PhyloPhlAn (StrainPhlAn's .mutation) write them.

    python make_strains.py        in an environment with samestr 1.2025.111 (PyPI) and phylophlan 3.2.1

The inputs are random and written beside the results: bases.tsv (one row per sample: a letter per position, lower case
where a second allele is there too, - where nothing is) for SameStr, and marker_1.aln, marker_2.aln for PhyloPhlAn.
"""

from __future__ import annotations

import sys
import tempfile
from multiprocessing import Event
from pathlib import Path

import numpy as np
from phylophlan import phylophlan
from samestr.compare.compare import compare
from samestr.summarize.read_samestr_data import analyze_strain_events, read_samestr_data

BASES = "ACGT"
# A name that looks like a number, and one that sorts last although it comes first.
SAMPLES = ["z9", "007", "P1.pre", "P1_post", "D1", "empty"]


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(4)
    positions = 60
    first = rng.integers(0, 4, positions)
    counts = np.zeros((len(SAMPLES), positions, 4), dtype=int)
    lines = []
    for place, sample in enumerate(SAMPLES):
        strain = np.where(rng.random(positions) < 0.1 * (place % 3), (first + 1) % 4, first)
        covered = rng.random(positions) < (0.0 if sample == "empty" else 0.8)
        second = rng.random(positions) < 0.15
        counts[place, np.arange(positions), strain] = 9 * covered
        counts[place, np.arange(positions), (strain + 1) % 4] = 2 * (covered & second)
        letters = [
            "-" if not c else (BASES[b].lower() if s else BASES[b])
            for b, c, s in zip(strain, covered, second, strict=True)
        ]
        lines.append(f"{sample}\t{''.join(letters)}")
    (folder / "bases.tsv").write_text("\n".join(["sample\tbases", *lines]) + "\n")
    with tempfile.TemporaryDirectory() as scratch:
        np.savez(f"{scratch}/t__SGB1.npz", counts)
        Path(scratch, "names.txt").write_text("\n".join(SAMPLES) + "\n")
        compare(
            {
                "output_dir": str(folder),
                "input_file": f"{scratch}/t__SGB1.npz",
                "input_name": f"{scratch}/names.txt",
                "clade": "t__SGB1",
                "dominant_variants": False,
                "dominant_variants_added": False,
            }
        )
    events, _ = analyze_strain_events(read_samestr_data(str(folder)), 0.9, 20)
    events.to_csv(folder / "sstr_strain_events.tsv", sep="\t", index=False)

    samples = [sample for sample in SAMPLES if sample != "empty"]
    alignments = {
        "marker_1": {s: "".join(rng.choice(list("ACGT-N"), 30, p=[0.6, 0.1, 0.1, 0.1, 0.05, 0.05])) for s in samples},
        # One sample is missing, another covers nothing.
        "marker_2": {s: "-" * 20 if s == "D1" else "".join(rng.choice(list("AC"), 20)) for s in samples[1:]},
    }
    # z9 has marker_1 alone; it shares no position with 007, whose marker_1 is empty.
    alignments["marker_1"]["007"] = "-" * 30
    with tempfile.TemporaryDirectory() as scratch:
        phylophlan.terminating = Event()
        for marker, rows in alignments.items():
            text = "".join(f">{sample}\n{sequence}\n" for sample, sequence in rows.items())
            (folder / f"{marker}.aln").write_text(text)
            phylophlan.mutation_rates_rec((str(folder / f"{marker}.aln"), scratch, marker, False))
        target = folder / "t__SGB1.mutation"
        target.unlink(missing_ok=True)
        phylophlan.aggregate_mutation_rates(scratch, str(target))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("strains"))
