"""``microbiome merge`` of 1,000 profiles against MetaPhlAn's merge_metaphlan_tables.py, as whole processes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import paired, print_pair


def write_profiles(folder: Path, n_samples: int, n_sgbs: int = 3000, seen: int = 300) -> list[Path]:
    """Write profiles of the size of real ones: about 300 SGBs a sample, of 3,000, with all ranks above them."""
    rng = np.random.default_rng(1)
    lineages = []
    for i in range(n_sgbs):
        names = [f"k__{i % 2}", f"p__{i % 20}", f"c__{i % 40}", f"o__{i % 80}", f"f__{i % 200}", f"g__{i % 800}"]
        lineages.append("|".join([*names, f"s__Species_{i}", f"t__SGB{i}"]))
    paths = []
    for number in range(n_samples):
        chosen = rng.choice(n_sgbs, seen, replace=False)
        share = rng.lognormal(0, 2, seen)
        totals: dict[str, float] = {}
        for i, part in zip(chosen, 100 * share / share.sum(), strict=True):
            parts = lineages[i].split("|")
            for depth in range(1, len(parts) + 1):
                clade = "|".join(parts[:depth])
                totals[clade] = totals.get(clade, 0.0) + part
        lines = ["#mpa_vJan25_CHOCOPhlAnSGB_202503", "#metaphlan", "#1000000 reads processed", f"#SampleID\ts{number}"]
        lines.append("#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species")
        lines += [f"{clade}\t1|2|3\t{totals[clade]:.5f}\t" for clade in sorted(totals)]
        path = folder / f"s{number}_profile.tsv"
        path.write_text("\n".join(lines) + "\n")
        paths.append(path)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_profiles(folder, arguments.samples)
        listing = folder / "list.txt"
        listing.write_text("".join(f"{path}\n" for path in paths))
        programs = Path(sys.executable).parent
        ours = [programs / "microbiome", "merge", "--list", listing, "-o", folder / "ours.tsv"]
        peer = programs / "merge_metaphlan_tables.py"
        theirs = [sys.executable, peer, "-l", listing, "-o", folder / "theirs.tsv", "--overwrite"]
        a, b = paired(ours, theirs, arguments.runs)
        print_pair(f"merge of {len(paths)} profiles", a, b, "merge_metaphlan_tables.py", ">= 1.5")
        mine, other = ((folder / f"{who}.tsv").read_text().splitlines() for who in ("ours", "theirs"))
        print(f"  the two outputs are {'equal' if sorted(mine) == sorted(other) else 'DIFFERENT'} row by row")


if __name__ == "__main__":
    main()
