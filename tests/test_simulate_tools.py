"""The simulated reads and database under the real programs: bowtie2, fastp and MetaPhlAn find what the truth says."""

from __future__ import annotations

import bz2
import os
import pickle
import shutil
import statistics
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.evidence import evidence
from microbiome.metaphlan import read_abundance, read_metaphlan
from microbiome.simulate.accuracy import accuracy, read_truth
from microbiome.simulate.database import DATABASE
from microbiome.simulate.observe import truncated_coverage
from microbiome.simulate.parameters import Parameters
from microbiome.simulate.tables import TRUTH_DIVERGENCE, TRUTH_READS
from microbiome.simulate.trial import Trial
from microbiome.simulate.write import write_trial
from microbiome.tables import UNITS
from microbiome.tsv import read_table

pytestmark = pytest.mark.tools

PARAMETERS = Parameters(
    seed=11,
    donors=1,
    donor_samples=1,
    recipients=2,
    placebo=1,
    days=(0, 28),
    sgbs=24,
    read_pairs=9_000,
    shallow_pairs=100,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reads")


@pytest.fixture(scope="module")
def trial(place: Path) -> Trial:
    return write_trial(PARAMETERS, place / "trial", reads=True)


def run(*command: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "0"}
    )
    assert done.returncode == 0, done.stderr
    return done


def profile(place: Path, sample: str, units: pd.DataFrame) -> tuple[Path, int]:
    """Trim, remove host, profile; return the profile and the reads left without host."""
    rows = units[units["sample"] == sample]
    work = place / "work" / sample
    work.mkdir(parents=True)
    mates = ["fq1", "fq2"] if rows["fq2"].notna().all() else ["fq1"]
    for mate, column in enumerate(mates, start=1):
        with (work / f"raw{mate}.fq.gz").open("wb") as joined:
            for file in rows[column]:
                joined.write(Path(file).read_bytes())
    trimmed = [work / f"trimmed{mate}.fq.gz" for mate in range(1, len(mates) + 1)]
    nonhost = [work / f"nonhost{mate}.fq" for mate in range(1, len(mates) + 1)]
    host = place / "trial" / "host" / "host"
    report = ["-j", work / "fastp.json", "-h", work / "fastp.html", "-l", 70, "-w", 1]
    if len(mates) == 2:
        run("fastp", "-i", work / "raw1.fq.gz", "-I", work / "raw2.fq.gz", "-o", trimmed[0], "-O", trimmed[1], *report)
        run(
            "bowtie2",
            "-x",
            host,
            "-1",
            trimmed[0],
            "-2",
            trimmed[1],
            "--un-conc",
            work / "nonhost%.fq",
            "-S",
            os.devnull,
        )
    else:
        run("fastp", "-i", work / "raw1.fq.gz", "-o", trimmed[0], *report)
        run("bowtie2", "-x", host, "-U", trimmed[0], "--un", nonhost[0], "-S", os.devnull)
    kept = sum(file.read_bytes().count(b"\n") // 4 for file in nonhost)
    target = work / f"{sample}_profile.tsv"
    run(
        "metaphlan", ",".join(map(str, nonhost)), "--input_type", "fastq", "--db_dir", place / "trial" / "database",
        "-x", DATABASE, "--offline", "--nproc", 1, "-t", "rel_ab_w_read_stats", "--sample_id", sample,
        "--mapout", work / "mapout.bz2", "-o", target,
    )  # fmt: skip
    return target, kept


@pytest.fixture(scope="module")
def profiles(trial: Trial, place: Path) -> dict[str, tuple[Path, int]]:
    """Profiles of a paired sample and of a single one, with the reads they were made from."""
    units = read_table(place / "trial" / "units.tsv", UNITS)
    paired = str(trial.depth.index[(trial.depth["units"] > 1) & (trial.depth["layout"] == "paired")][0])
    single = str(trial.depth.index[trial.depth["layout"] == "single"][0])
    return {sample: profile(place, sample, units) for sample in (paired, single)}


def test_metaphlan_finds_the_truth(trial: Trial, place: Path, profiles: dict[str, tuple[Path, int]]) -> None:
    truth = read_truth(place / "trial" / "truth")
    paired, single = profiles
    files, kept = zip(*profiles.values(), strict=True)
    nothing = pd.DataFrame(columns=["sample", "taxon", "outcome"])
    found = accuracy(truth, read_abundance(files), nothing).set_index("sample").loc[[paired, single]]
    assert found["f1"].tolist() == [1, 1]
    assert found["bray_curtis"].max() <= 0.05
    reads = truth.reads.set_index("sample")
    table = read_metaphlan(files)
    for sample, number in zip((paired, single), kept, strict=True):
        mates = 2 if sample == paired else 1
        foreign = (reads.loc[sample, "sgb"] + reads.loc[sample, "junk"]) * mates
        # What fastp dropped is a few per cent: fragments below 70 bases and reads of poor quality.
        assert 0.9 * foreign < number <= foreign
        junk = 100 * reads.loc[sample, "junk"] / (reads.loc[sample, "sgb"] + reads.loc[sample, "junk"])
        assert table.unclassified[sample] == pytest.approx(junk, abs=5)
        assert table.database == DATABASE


def test_evidence_of_metaphlans_own_tables(trial: Trial, profiles: dict[str, tuple[Path, int]]) -> None:
    found = evidence([file for file, _ in profiles.values()])
    assert found.index.tolist() == list(profiles)
    for sample, (file, kept) in profiles.items():
        rows = [line.split("\t") for line in file.read_text().splitlines() if "|t__" in line]
        total = sum(float(row[2]) for row in rows)
        counts = {row[0].split("|")[-1]: int(row[4]) for row in rows}
        assert found.loc[sample, "reads_processed"] == kept
        assert found.loc[sample, "fewest_reads"] == min(counts.values())
        ratio = statistics.median(int(row[4]) / (float(row[2]) / total) for row in rows)
        assert found.loc[sample, "reads_per_abundance"] == pytest.approx(ratio, rel=1e-9)
        # By the truth: of r classified reads, r x L / sum(x L) are of a taxon with abundance x and genome length L.
        genome = trial.taxa.loc[list(counts), "miniature_length"].astype(float)
        abundance = trial.abundance.loc[sample, list(counts)]
        expected = (sum(counts.values()) * genome / (abundance / abundance.sum() @ genome)).median()
        assert ratio == pytest.approx(expected, rel=0.05)


def test_every_file_is_the_same_for_the_same_seed(
    trial: Trial, tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # units.tsv and config.yaml hold the folder's name: write the second one under the same name.
    shutil.copytree(place / "trial", tmp_path / "first")
    shutil.rmtree(place / "trial")
    write_trial(PARAMETERS, place / "trial", reads=True)
    files = sorted(path.relative_to(place / "trial") for path in (place / "trial").rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file()
    )
    assert {".bt2l", ".bt2", ".gz", ".pkl", ".fna", ".tsv", ".yaml", ".md", ".json"} == {path.suffix for path in files}
    for file in files:
        assert (place / "trial" / file).read_bytes() == (tmp_path / "first" / file).read_bytes(), file


def test_tables_are_those_of_a_trial_without_reads(trial: Trial, place: Path) -> None:
    write_trial(PARAMETERS, place / "tables")
    for file in sorted((place / "tables").rglob("*.tsv")):
        name = file.relative_to(place / "tables")
        if name != Path("truth/reads.tsv"):
            assert file.read_bytes() == (place / "trial" / name).read_bytes(), name


def test_reads_of_the_files_are_those_of_the_truth(trial: Trial, place: Path) -> None:
    import gzip

    counts = read_table(place / "trial" / "truth" / "reads.tsv", TRUTH_READS).set_index("sample")
    units = read_table(place / "trial" / "units.tsv", UNITS)
    assert units.groupby("sample").size().to_dict() == counts["units"].to_dict()
    seen: dict[str, int] = dict.fromkeys(counts.index, 0)
    for sample, one, two in units[["sample", "fq1", "fq2"]].itertuples(index=False):
        names = []
        for file in (one, two):
            if file is None:
                continue
            lines = gzip.decompress(Path(file).read_bytes()).decode().splitlines()
            names.append([line.split()[0] for line in lines[::4]])
            seen[sample] += len(lines) // 4
        assert all(other == names[0] for other in names)
        assert len(set(names[0])) == len(names[0])
    assert seen == counts["reads"].to_dict()
    assert (counts["sgb"] + counts["host"] + counts["junk"] == counts["fragments"]).all()
    assert counts["expected_status"].eq("few_reads").sum() == 1
    read_table(place / "trial" / "truth" / "strain_divergence.tsv", TRUTH_DIVERGENCE)


def test_database_is_of_metaphlans_form(trial: Trial, place: Path) -> None:
    folder = place / "trial" / "database"
    content = pickle.loads(bz2.decompress((folder / f"{DATABASE}.pkl").read_bytes()))
    assert set(content) == {"markers", "taxonomy", "merged_taxon"}
    assert len(content["markers"]) == PARAMETERS.sgbs * PARAMETERS.markers
    sequences = (folder / f"{DATABASE}.fna").read_text().split(">")[1:]
    lengths = {text.split("\n", 1)[0]: len(text.split("\n", 1)[1].replace("\n", "")) for text in sequences}
    assert lengths == {name: marker["len"] for name, marker in content["markers"].items()}
    for name, marker in content["markers"].items():
        assert name.endswith(marker["clade"].removeprefix("t__"))
        assert not set(name) & set("/ ")
        assert marker["taxon"] in content["taxonomy"]
    assert all(len(ids.split("|")) == 8 and length > 0 for ids, length in content["taxonomy"].values())
    assert len(list(folder.glob("*.bt2l"))) == 6


def test_truncated_coverage_is_that_of_metaphlan() -> None:
    """Against the class of the program itself, for the markers of one SGB."""
    from metaphlan.metaphlan import TaxClade

    rng = np.random.default_rng(5)
    TaxClade.stat, TaxClade.stat_q, TaxClade.avg_read_length = "tavg_g", 0.2, 98.5
    for _ in range(50):
        number = int(rng.integers(6, 80))
        counts, lengths = rng.poisson(rng.uniform(0.1, 5), number), rng.integers(60, 1500, number)
        clade = TaxClade("t__SGB1", "1")
        clade.normalize_coverage(list(zip(lengths.tolist(), counts.tolist(), strict=True)))
        found = truncated_coverage(counts[None], lengths[None], 98.5)[0]
        assert found == pytest.approx(clade.coverage, rel=1e-12, abs=1e-15)
