"""A study of any size as files, in seconds: the merged table of profiles and the sheets, for the benchmarks of scale.

Real enough to cost what a real one costs: 3,000 SGBs with all ranks above them, a tenth of them in a sample, a baseline
and four post samples for each recipient, a fifth of whom got placebo; 15 samples in 200 are of donors, five products
each. People keep most of what they have, and take a part of what their donor has. Not for judging methods:
:mod:`microbiome.simulate` is. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from microbiome.tsv import write_table

__all__ = ["SizedStudy", "lineages", "sized_study", "write_config", "write_merged_profile", "write_single_profiles"]

DATABASE = "mpa_vJan25_CHOCOPhlAnSGB_202503"
DAYS = (0, 28, 56, 84, 112)
PRODUCTS = 5
SEEN = 0.1
_RANKS = ("k__", "p__", "c__", "o__", "f__", "g__", "s__", "t__")


@dataclass(frozen=True)
class SizedStudy:
    """Tables of a study, and the percentages of its SGBs (**sample x SGB**, rows add up to 100)."""

    samples: pd.DataFrame
    subjects: pd.DataFrame
    doses: pd.DataFrame
    percent: np.ndarray


def lineages(taxa: int) -> list[str]:
    """Return whole lineages of so many SGBs: 2 kingdoms, 20 phyla and so on, each below one of the rank above."""
    numbers = (2, 20, 40, 80, 240, 720)
    result = []
    for i in range(taxa):
        above = [f"{rank}{i % number}" for rank, number in zip(_RANKS, numbers, strict=False)]
        result.append("|".join([*above, f"s__Species_{i}", f"t__SGB{i + 1000}"]))
    return result


def sized_study(samples: int, taxa: int = 3000, seed: int = 1) -> SizedStudy:
    """Draw a study of exactly so many samples (100 or more)."""
    rng = np.random.default_rng([seed, samples, taxa])
    recipients = round(samples * 0.925 / len(DAYS))
    rest = samples - recipients * len(DAYS)
    owners = [f"D{i // PRODUCTS:03d}" for i in range(rest)]
    donors = list(dict.fromkeys(owners))
    people = [f"R{i:04d}" for i in range(recipients)]
    treated = np.arange(recipients) % 5 != 4
    gives = rng.integers(0, rest, recipients)

    weight = rng.beta(0.3, 1.5, taxa)
    chance = np.minimum(weight * SEEN * taxa / weight.sum(), 0.98)
    level = rng.normal(0, 1.5, taxa) + 2 * (chance - SEEN)
    owned = {name: rng.random(taxa) < chance for name in [*donors, *people]}
    responds = rng.random(recipients) < 0.4

    values = np.zeros((samples, taxa), dtype=float)

    def observe(row: int, there: np.ndarray) -> None:
        # What is rare is seen in some samples only; the rest is noise about the level of the taxon.
        found = np.flatnonzero(there & (rng.random(taxa) < 0.85))
        found = found if found.size else np.array([0])
        values[row, found] = np.exp(level[found] + rng.normal(0, 1, found.size))

    for row, owner in enumerate(owners):
        observe(row, owned[owner])
    rows = [(f"{owner}-{row}", owner, "donor", None) for row, owner in enumerate(owners)]
    at = rest
    for i, person in enumerate(people):
        own = owned[person]
        for day in DAYS:
            there = own
            if day:
                kept = own & (rng.random(taxa) < (0.8 if treated[i] else 0.9))
                taken = owned[owners[gives[i]]] & (rng.random(taxa) < (0.4 if responds[i] else 0.3))
                there = (kept | taken) if treated[i] else kept
            observe(at, there)
            rows.append((f"{person}-{day}", person, "recipient", day))
            at += 1
    values *= 100 / values.sum(axis=1, keepdims=True)
    progress = np.maximum(20, rng.exponential(300, recipients) * (1 + 0.5 * responds)).round().astype(int)
    death = progress + rng.exponential(300, recipients).round().astype(int)
    subjects = pd.DataFrame(
        {
            "subject": [*people, *donors],
            "arm": [*np.where(treated, "fmt", "placebo"), *[None] * len(donors)],
            "responder": [*np.where(responds, "yes", "no"), *[None] * len(donors)],
            "best_response": [
                *np.where(responds, "PR", np.where(rng.random(recipients) < 0.5, "SD", "PD")),
                *[None] * len(donors),
            ],
            "pfs_days": pd.array([*progress, *[None] * len(donors)], dtype="Int64"),
            "pfs_event": pd.array([*(rng.random(recipients) < 0.8).astype(int), *[None] * len(donors)], dtype="Int64"),
            "os_days": pd.array([*death, *[None] * len(donors)], dtype="Int64"),
            "os_event": pd.array([*(rng.random(recipients) < 0.5).astype(int), *[None] * len(donors)], dtype="Int64"),
            "irae_grade": pd.array([*rng.integers(0, 5, recipients), *[None] * len(donors)], dtype="Int64"),
        }
    )
    doses = pd.DataFrame(
        [
            (person, 0, owners[g], f"{owners[g]}-{g}")
            for person, g, got in zip(people, gives, treated, strict=True)
            if got
        ],
        columns=["subject", "day", "donor", "donor_sample"],
    )
    frame = pd.DataFrame(rows, columns=["sample", "subject", "role", "day"]).astype({"day": "Int64"})
    return SizedStudy(frame, subjects, doses, values)


def _clades(taxa: int) -> tuple[list[str], list[np.ndarray]]:
    """Return all clades, by depth and then by name, and the SGBs below each."""
    members: dict[str, list[int]] = {}
    for i, lineage in enumerate(lineages(taxa)):
        parts = lineage.split("|")
        for depth in range(1, len(parts) + 1):
            members.setdefault("|".join(parts[:depth]), []).append(i)
    names = sorted(members, key=lambda name: (name.count("|"), name))
    return names, [np.array(members[name]) for name in names]


def write_merged_profile(study: SizedStudy, path: Path) -> None:
    """Write the percentages as `microbiome merge` does, five decimals, a row per clade of any rank."""
    names, members = _clades(study.percent.shape[1])
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f"#{DATABASE}\n" + "\t".join(["clade_name", *study.samples["sample"]]) + "\n")
        for name, below in zip(names, members, strict=True):
            row = study.percent[:, below].sum(axis=1).round(5)
            cells = ["0.0"] * len(row)
            found = row.nonzero()[0]
            for i, value in zip(found.tolist(), row[found].tolist(), strict=True):
                cells[i] = repr(value)
            stream.write(name + "\t" + "\t".join(cells) + "\n")


def write_single_profiles(study: SizedStudy, folder: Path) -> list[Path]:
    """Write one MetaPhlAn table per sample; return their paths."""
    names, members = _clades(study.percent.shape[1])
    folder.mkdir(parents=True, exist_ok=True)
    columns = np.repeat(np.arange(len(names)), [len(below) for below in members])
    inside = (np.ones(len(columns)), (np.concatenate(members), columns))
    totals = sparse.csr_array(study.percent) @ sparse.csr_array(inside, shape=(study.percent.shape[1], len(names)))
    paths = []
    for place, sample in enumerate(study.samples["sample"]):
        start, stop = totals.indptr[place : place + 2]
        row = dict(zip(totals.indices[start:stop].tolist(), totals.data[start:stop].tolist(), strict=True))
        lines = [f"#{DATABASE}", "#metaphlan", "#20000000 reads processed", f"#SampleID\t{sample}"]
        lines.append("#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species")
        lines += [f"{names[j]}\t2|1239|186801\t{row[j]:.5f}\t" for j in sorted(row)]
        path = folder / f"{sample}_profile.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def write_config(study: SizedStudy, folder: Path, profile: str) -> Path:
    """Write the sheets, and a configuration with every default but for PERMANOVA, which has factors to test."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in ("samples", "subjects", "doses"):
        write_table(getattr(study, name), folder / f"{name}.tsv")
        lines.append(f"{name}: {folder.name}/{name}.tsv")
    lines += ['units: ""', f"profiles: {folder.name}/{profile}", "results: results"]
    lines.append("diversity: {permanova: {factors: [arm, responder], strata: subject}}")
    path = folder / "config.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Write a study into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--taxa", type=int, default=3000)
    parser.add_argument("--singles", action="store_true", help="only a table per sample, in FOLDER/profiles")
    arguments = parser.parse_args()
    study = sized_study(arguments.samples, arguments.taxa)
    if arguments.singles:
        paths = write_single_profiles(study, arguments.folder / "profiles")
        (arguments.folder / "list.txt").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        return
    write_config(study, arguments.folder, "profile.tsv")
    write_merged_profile(study, arguments.folder / "profile.tsv")


if __name__ == "__main__":
    main()
