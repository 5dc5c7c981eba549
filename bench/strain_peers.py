"""StrainPhlAn with strain_transmission.py, and SameStr, run for real on the alignments of a strain trial.

Both with their defaults. What they need done for them: the metadata that strain_transmission.py reads by position;
for SameStr an environment of its own (its ``summarize`` needs pandas 1.5), ``samtools`` behind a wrapper (it says
``sort - -o NAME``, which samtools understood until 0.1), and profiles of three columns.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from measure import Run, measure

from microbiome.simulate.database import DATABASE

__all__ = [
    "PROGRAMS",
    "Steps",
    "environment",
    "run_samestr",
    "run_strainphlan",
    "samestr_calls",
    "samestr_programs",
    "transmission_calls",
]

#: Where the environment of SameStr is made.
PROGRAMS = Path(__file__).resolve().parent.parent / "build" / "samestr"
#: What SameStr is installed with.
SAMESTR = ("samestr==1.2025.111", "biopython==1.88", "scipy==1.11.4", "pandas==1.5.3", "numpy==1.26.4")
# SameStr's own rule: positions covered in both, and their similarity.
_SAMESTR_OVERLAP, _SAMESTR_SIMILARITY = 5000, 0.999
_SAMTOOLS = """#!/bin/sh
# samtools 1 for a caller that writes `sort - -o NAME` as samtools 0.1 had it: sort to standard output.
[ "$1" = sort ] && [ "$3" = -o ] && exec {samtools} sort -
exec {samtools} "$@"
"""


@dataclass
class Steps:
    """What the steps of a program took: one row per run."""

    rows: list[tuple[str, float, float, float, int]] = field(default_factory=list)

    def add(self, step: str, run: Run) -> Run:
        """Note a run."""
        self.rows.append((step, run.wall, run.cpu, run.peak_mb, run.code))
        return run

    def table(self) -> pd.DataFrame:
        """Return step, wall and cpu (seconds), peak_mb, code (0 = finished)."""
        return pd.DataFrame(self.rows, columns=["step", "wall", "cpu", "peak_mb", "code"])


def environment() -> dict[str, str]:
    """Return the environment of the tools: this interpreter's programs first, orders that repeat."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {"PATH": path, "PYTHONHASHSEED": "0"}


def run_strainphlan(trial: Path, out: Path) -> pd.DataFrame:
    """Run sample2markers.py, strainphlan for one clade after the other, and strain_transmission.py on each tree.

    Parameters
    ----------
    trial
        Folder of the trial, with ``sams``.
    out
        New folder: ``markers``, ``trees/CLADE``, ``transmission/CLADE``.

    Returns
    -------
    DataFrame
        Steps sample2markers, and per clade extract_markers, strainphlan (a code other than 0: no tree), transmission.
    """
    steps, env, pickle = Steps(), environment(), trial / "database" / f"{DATABASE}.pkl"
    for name in ("markers", "trees", "transmission", "dbmarkers"):
        (out / name).mkdir(parents=True, exist_ok=True)
    sams = sorted((trial / "sams").glob("*.sam.bz2"))
    command: list[str | Path] = ["sample2markers.py", "-i", *sams, "-o", out / "markers", "-d", pickle, "-n", "2"]
    steps.add("sample2markers", measure(command, out, env))
    consensus = sorted((out / "markers").glob("*.json.bz2"))
    listing: list[str | Path] = ["strainphlan", "-s", *consensus, "-d", pickle, "--print_clades_only", "-o", out]
    subprocess.run(listing, cwd=out, env=env, check=True, capture_output=True)
    clades = pd.read_csv(out / "print_clades_only.tsv", sep="\t").iloc[:, 0]
    (out / "meta.tsv").write_text(_metadata(trial))
    for clade in clades:
        folder = out / "trees" / clade
        folder.mkdir(exist_ok=True)
        command = ["extract_markers.py", "-d", pickle, "-c", clade, "-o", out / "dbmarkers"]
        steps.add("extract_markers", measure(command, out, env))
        command = ["strainphlan", "-s", *consensus, "-m", out / "dbmarkers" / f"{clade}.fna", "-c", clade, "-d", pickle]
        command += ["-o", folder, "-n", "2", "--mutation_rates", "--phylophlan_params=--sort"]
        # Too few samples or one single strain is exit code 1.
        run = steps.add("strainphlan", measure(command, out, env, may_fail=True))
        tree = folder / f"RAxML_bestTree.{clade}.StrainPhlAn4.tre"
        if run.code or not tree.exists():
            continue
        place = out / "transmission" / clade
        place.mkdir(exist_ok=True)
        command = ["strain_transmission.py", "-t", tree.resolve(), "-m", out / "meta.tsv", "-o", place, "--save_dist"]
        steps.add("transmission", measure(command, out, env))
    return steps.table()


def _metadata(trial: Path) -> str:
    """Return sample, subject, relation and timepoint: related are a donor and who received it first."""
    doses = pd.read_csv(trial / "doses.tsv", sep="\t", dtype=str)
    relation = doses.drop_duplicates("subject").set_index("subject")["donor"].to_dict()
    samples = pd.read_csv(trial / "samples.tsv", sep="\t", dtype=str)
    numbers = samples.groupby("subject").cumcount()
    rows = ["sampleID\tsubjectID\trelation\ttimepoint"]
    for sample, subject, number in zip(samples["sample"], samples["subject"], numbers, strict=True):
        rows.append(f"{sample}\t{subject}\t{relation.get(subject, subject)}\t{number}")
    return "\n".join(rows) + "\n"


def transmission_calls(out: Path) -> pd.DataFrame:
    """Return every pair of every tree with its nGD, and whether it is within the threshold of strain_transmission.py.

    Returns
    -------
    DataFrame
        taxon, sample_1, sample_2, distance, same_strain.
    """
    frames = []
    for report in sorted((out / "transmission").glob("*/transmission_events.info")):
        clade = report.parent.name
        cut = float(report.read_text().splitlines()[0].rpartition(":")[2])
        path = out / "trees" / clade / f"RAxML_bestTree.{clade}.StrainPhlAn4.tre.dist"
        table = pd.read_csv(path, sep="\t", names=["sample_1", "sample_2", "distance"], dtype={0: str, 1: str})
        table.insert(0, "taxon", clade)
        frames.append(table.assign(same_strain=(table["distance"] <= cut).astype(float)))
    return pd.concat(frames, ignore_index=True)


def samestr_programs(folder: Path = PROGRAMS) -> str | None:
    """Make the environment of SameStr once; return its PATH, or nothing (and say why) where it cannot be made."""
    programs, samtools = folder / "bin", shutil.which("samtools")
    if samtools is None:
        print("without SameStr: samtools is not on PATH", file=sys.stderr)
        return None
    if not (programs / "samestr").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *SAMESTR]
        if subprocess.run(command, check=False).returncode:
            print("without SameStr: pip could not install it", file=sys.stderr)
            return None
    wrapper = folder / "wrapped"
    wrapper.mkdir(exist_ok=True)
    (wrapper / "samtools").write_text(_SAMTOOLS.format(samtools=samtools))
    (wrapper / "samtools").chmod(0o755)
    return os.pathsep.join([str(wrapper), str(programs), os.environ.get("PATH", os.defpath)])


def run_samestr(trial: Path, out: Path, path: str) -> pd.DataFrame:
    """Run SameStr from its database to its summary.

    Parameters
    ----------
    trial
        Folder of the trial, with ``sams`` and ``profiles``.
    out
        New folder.
    path
        PATH of its environment (:func:`samestr_programs`).

    Returns
    -------
    DataFrame
        Steps db, convert, merge, filter, compare, summarize.
    """
    steps, env = Steps(), environment() | {"PATH": path}
    (out / "profiles").mkdir(parents=True)
    (out / "sams").mkdir()
    (out / "mpa_latest").write_text(DATABASE + "\n")
    for sam in sorted((trial / "sams").glob("*.sam.bz2")):
        (out / "sams" / sam.name).symlink_to(sam.resolve())
        name = sam.name.removesuffix(".sam.bz2")
        lines = (trial / "profiles" / f"{name}_profile.tsv").read_text().splitlines()
        rows = ["\t".join(line.split("\t")[:3]) for line in lines if not line.startswith("#")]
        head = [f"#{DATABASE}", "#clade_name\tNCBI_tax_id\trelative_abundance"]
        (out / "profiles" / f"{name}.profile.txt").write_text("\n".join([*head, *rows]) + "\n")

    def step(name: str, *words: str | Path) -> None:
        where = [] if name == "db" else ["--marker-dir", "db"]
        # Every file of a kind is an argument, as the shell would have it.
        steps.add(name, measure(["samestr", name, *where, *words, "--output-dir", name], out, env))

    def files(pattern: str) -> list[str]:
        return sorted(str(path.relative_to(out)) for path in out.glob(pattern))

    fasta, pickle = (trial.resolve() / "database" / f"{DATABASE}.{ending}" for ending in ("fna", "pkl"))
    step("db", "--db-version", "mpa_latest", "--markers-fasta", fasta, "--markers-info", pickle)
    step("convert", "--nprocs", "2", "--tax-profiles-dir", "profiles", "--input-files", *files("sams/*.sam.bz2"))
    step("merge", "--nprocs", "2", "--input-dir", "convert")
    for name, source in (("filter", "merge"), ("compare", "filter")):
        inputs = ["--input-files", *files(f"{source}/*.np*"), "--input-names", *files(f"{source}/*.names.txt")]
        step(name, "--nprocs", "2", *inputs)
    step("summarize", "--input-dir", "compare", "--tax-profiles-dir", "profiles")
    return steps.table()


def samestr_calls(out: Path) -> pd.DataFrame:
    """Return every pair of SameStr with its distance (1 - MVS) and its call; no call below its minimum overlap.

    Returns
    -------
    DataFrame
        taxon, sample_1, sample_2, sites, distance, same_strain.
    """
    frames = []
    for path in sorted((out / "compare").glob("*.fraction.txt")):
        clade = path.name.removesuffix(".fraction.txt")
        similarity = pd.read_csv(path, sep="\t", index_col=0)
        overlap = pd.read_csv(path.with_name(f"{clade}.overlap.txt"), sep="\t", index_col=0)
        one, other = np.triu_indices(len(similarity), 1)
        names = np.array([str(name) for name in similarity.index], dtype=object)
        sites, like = overlap.to_numpy()[one, other], similarity.to_numpy()[one, other]
        enough = sites >= _SAMESTR_OVERLAP
        frames.append(
            pd.DataFrame(
                {
                    "taxon": clade,
                    "sample_1": names[one],
                    "sample_2": names[other],
                    "sites": sites,
                    "distance": np.where(enough, 1 - like, np.nan),
                    "same_strain": np.where(enough, (like >= _SAMESTR_SIMILARITY).astype(float), np.nan),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
