"""The workflow with Kraken2, Bracken and sourmash gather in MetaPhlAn's place, from FASTQ to the report."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from profiler_databases import Reference, reference, write_kraken2, write_sourmash
from reliability import Recorder, cleaned
from snakemake_runs import must_run, simulate

from microbiome.check import check
from microbiome.check_profilers import profiler_tools
from microbiome.config import load_config
from microbiome.metaphlan import read_abundance, read_metaphlan
from microbiome.tables import LIMITS, READS
from microbiome.tools import check_tools
from microbiome.tsv import read_result, read_table

pytestmark = pytest.mark.tools

SHALLOW = "R01-T2"
KRAKEN2 = {"profiler": "kraken2", "kraken2": {"database": "kraken_db", "threshold": 3}}
SOURMASH = {
    "profiler": "sourmash",
    "sourmash": {
        "database": "sourmash_db/genomes.zip",
        "lineages": "sourmash_db/lineages.csv",
        "scaled": 10,
        "threshold_bp": 100,
    },
}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None) -> tuple[Path, Reference]:
    """Return a folder with a simulated trial of four samples, one too shallow, and both databases; and its genomes."""
    folder = tmp_path_factory.mktemp("profilers")
    size = "--donors 1 --donor-samples 1 --recipients 1 --placebo 0 --days 0 14 --read-pairs 1500 --sgbs 12"
    simulate(folder, *size.split())
    made = reference(folder / "trial")
    write_kraken2(made, folder / "kraken_db")
    write_sourmash(made, folder / "sourmash_db")
    return folder, made


def configure(folder: Path, name: str, **given: object) -> str:
    """Write a small configuration with results of its own; return its name."""
    config: dict[str, object] = {
        **{key: f"trial/{key}.tsv" for key in ("samples", "doses", "units")},
        "results": f"results_{name}",
        "min_reads": 1000,
        "nulls": {"permutations": 99},
        "compare": {"by": []},
        "sensitivity": {"by": [], "thresholds": [0, 0.001]},
        "associate": {"by": []},
        "diversity": {"alpha": ["richness"], "beta": ["bray_curtis"]},
    }
    config |= given
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({key: value for key, value in config.items() if value}))
    return f"{name}.yaml"


def assert_true(folder: Path, made: Reference, results: Path, most: float) -> None:
    """Compare the profiles with what the reads were drawn from: the same species, in the same parts of the DNA."""
    truth = pd.read_csv(folder / "trial" / "truth" / "abundance.tsv", sep="\t", index_col=0).T
    wanted, found = made.expected(truth), read_abundance(results / "profiles" / "merged.tsv")
    richness = pd.read_csv(results / "diversity" / "alpha.tsv", sep="\t", comment="#", index_col="sample")["richness"]
    assert set(found.index[found.notna().all(axis=1)]) == set(truth.index) - {SHALLOW}
    for sample, row in found.dropna().iterrows():
        true = wanted.loc[str(sample)]
        assert set(row.index[row > 0]) == set(true.index[true > 0]), sample
        assert richness[sample] == (true > 0).sum()
        overlap = np.minimum(row.reindex(true.index, fill_value=0.0), true).sum()
        assert 1 - overlap < most, (sample, 1 - overlap)


def assert_finished(results: Path, profiler: str, name: str, database: str) -> None:
    """Look at what the run says of itself: reads, flags, versions, and what cannot be had with this profiler."""
    reads = read_table(results / "qc" / "reads.tsv", READS).set_index("sample")
    others = reads.drop(index=SHALLOW)
    assert (others["reads_profiled"] == others["reads_nonhost"]).all()
    assert set(others["status"]) == {"ok"}
    assert others["unclassified"].between(0.02, 0.6).all()
    assert (reads.loc[SHALLOW, "status"], reads.loc[SHALLOW, "taxa"]) == ("few_reads", 0)
    assert "#not profiled: " in (results / "profiles" / f"{SHALLOW}_profile.tsv").read_text()
    record = json.loads((results / "provenance.json").read_text())
    assert re.fullmatch(r"\d+\.\d[\w.]*", *record["software"][profiler])
    assert "metaphlan" not in record["software"]
    assert record["database"]["name"] == database
    assert len(record["database"]["files"]) >= 2
    assert all(entry["sha256"] for entry in record["database"]["files"])
    page = (results / "report.html").read_text()
    assert f"Taxa were profiled with {name} {record['software'][profiler][0]} " in page
    assert "strains are not compared: that takes alignments to MetaPhlAn&#39;s marker genes" in page
    assert not (results / "strains").exists()
    assert "engrafted" in (results / "outcomes" / "outcomes.tsv").read_text()


@pytest.fixture(scope="module")
def with_kraken2(trial: tuple[Path, Reference], repository: Path) -> str:
    """Run everything with Kraken2; return what was said."""
    folder, _ = trial
    return must_run(repository, folder, config=configure(folder, "kraken2", **KRAKEN2, host_index="trial/host/host"))


@pytest.fixture(scope="module")
def with_sourmash(trial: tuple[Path, Reference], repository: Path) -> str:
    """Run everything with sourmash; return what was said."""
    folder, _ = trial
    return must_run(repository, folder, config=configure(folder, "sourmash", **SOURMASH))


def test_kraken2_from_fastq_to_the_report(trial: tuple[Path, Reference], with_kraken2: str) -> None:
    folder, made = trial
    assert "profiler: kraken2 has no SGBs: strains, tree metrics" in with_kraken2
    results = folder / "results_kraken2"
    assert_true(folder, made, results, 0.06)
    assert_finished(results, "kraken2", "Kraken2", "kraken2:kraken_db")
    # Every read is one piece of evidence.
    limits = read_result(results / "outcomes" / "limits.tsv", LIMITS)
    assert set(limits["source"]) == {"reads_per_clade"}
    # The reports themselves say the same, but for what has fewer reads than the threshold.
    reports = sorted((results / "profiles").glob("*.kreport"))
    raw, profiled = read_abundance(reports).dropna(), read_abundance(results / "profiles" / "merged.tsv").dropna()
    common = raw[profiled.columns].reindex(profiled.index)
    np.testing.assert_allclose(common.div(common.sum(axis=1), axis=0), profiled, rtol=1e-9)


def test_sourmash_from_fastq_to_the_report(trial: tuple[Path, Reference], with_sourmash: str) -> None:
    folder, made = trial
    assert "profiler: sourmash has no SGBs" in with_sourmash
    results = folder / "results_sourmash"
    assert_true(folder, made, results, 0.08)
    assert_finished(results, "sourmash", "sourmash gather", "sourmash:genomes_k31_scaled10")
    # A k-mer is no read: limits come from the reads of the samples table, which has them here, and lowest abundances.
    limits = read_result(results / "outcomes" / "limits.tsv", LIMITS)
    assert set(limits["source"]) == {"reads"}


def test_finished_tables_of_a_profiler_are_a_way_in(
    trial: tuple[Path, Reference], with_sourmash: str, repository: Path
) -> None:
    folder, _ = trial
    given: dict[str, object] = {"units": "", "profiles": "results_sourmash/profiles/*.csv"}
    config = configure(folder, "finished", **given, profile={"taxonomy": "sourmash_db/lineages.csv"})
    must_run(repository, folder, "results_finished/qc/reads.tsv", "results_finished/outcomes/rates.tsv", config=config)
    one, other = (
        read_abundance(folder / name / "profiles" / "merged.tsv").dropna()
        for name in ("results_finished", "results_sourmash")
    )
    pd.testing.assert_frame_equal(one.loc[other.index, other.columns], other)
    reads = read_table(folder / "results_finished" / "qc" / "reads.tsv", READS).set_index("sample")
    assert (reads["taxa"].drop(SHALLOW) == (other > 0).sum(axis=1)).all()


STAND_IN_BRACKEN = """#!/usr/bin/env python3
# In Bracken's place: all that stops above the species goes to the most abundant one.
import sys
if "-v" in sys.argv:
    print("Bracken v3.1 (stand-in)")
    raise SystemExit
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
rows = [line.rstrip("\\n").split("\\t") for line in open(given["-i"])]
least = int(given["-t"])
found = [[int(r[1]), int(r[1]), r[-2], r[-1].strip()] for r in rows if r[-3] == given["-l"] and int(r[1]) >= least]
total = sum(int(r[1]) for r in rows if r[-2] == "1")
max(found)[1] += total - sum(row[0] for row in found)
with open(given["-o"], "w") as out:
    out.write("name\\ttaxonomy_id\\ttaxonomy_lvl\\tkraken_assigned_reads\\tadded_reads\\tnew_est_reads\\t")
    out.write("fraction_total_reads\\n")
    for own, new, taxid, name in found:
        out.write(f"{name}\\t{taxid}\\tS\\t{own}\\t{new - own}\\t{new}\\t{new / total:.5f}\\n")
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return what puts a program first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, text: str) -> None:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return put


def test_bracken_follows_where_the_database_has_its_file(
    trial: tuple[Path, Reference], repository: Path, tmp_path: Path, stand_in: Callable[[str, str], None]
) -> None:
    folder, _ = trial
    database = tmp_path / "with bracken"
    database.mkdir()
    for name in ("hash.k2d", "opts.k2d", "taxo.k2d"):
        (database / name).symlink_to(folder / "kraken_db" / name)
    (database / "database150mers.kmer_distrib").write_text("a stand-in does not read it\n")
    stand_in("bracken", STAND_IN_BRACKEN)
    section = {"database": str(database), "threshold": 3}
    config = configure(folder, "bracken", profiler="kraken2", kraken2=section)
    wanted = [f"results_bracken/profiles/{sample}_profile.tsv" for sample in ("D01-1", SHALLOW)]
    must_run(repository, folder, *wanted, config=config)
    profile, shallow = (read_metaphlan(folder / path) for path in wanted)
    assert profile.database == "bracken:with_bracken"
    table = pd.read_csv(folder / "results_bracken" / "profiles" / "D01-1.bracken.tsv", sep="\t")
    species = profile.clade_reads["D01-1"].filter(like="|s__").sort_values()
    assert species.to_list() == sorted(table["new_est_reads"])
    # Nothing stops above the species any more.
    whole = profile.clade_reads["D01-1"]
    assert species.sum() == whole[~whole.index.str.contains("|", regex=False)].sum()
    assert shallow.percent.empty
    counts = (folder / "results_bracken" / "qc" / "kraken2" / "D01-1.tsv").read_text()
    assert re.search(r"\tok\t\t2\.\d+\S*\t3\.1$", counts.strip())


def classify(
    repository: Path, folder: Path, out: Path, *more: str, reads: tuple[str, ...]
) -> subprocess.CompletedProcess[str]:
    words = ["--sample", "D01-1", "--min-reads", "10", "--database", str(folder / "kraken_db"), *more]
    script = str(repository / "workflow" / "scripts" / "kraken2_sample.py")
    outputs = ["--report", str(out / "x.kreport"), "--counts", str(out / "x.tsv")]
    command = [sys.executable, script, *words, *outputs, "--reads", *reads]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pairs_in_one_file_are_those_in_two(trial: tuple[Path, Reference], repository: Path, tmp_path: Path) -> None:
    folder, _ = trial
    two = [str(folder / "trial" / "fastq" / f"D01-1_L1_R{mate}.fastq.gz") for mate in (1, 2)]
    lines = [gzip.decompress(Path(path).read_bytes()).decode().splitlines(keepends=True) for path in two]
    records = [["".join(mate[k : k + 4]) for k in range(0, len(mate), 4)] for mate in lines]
    joined = tmp_path / "one.fastq.gz"
    joined.write_bytes(gzip.compress("".join(itertools.chain.from_iterable(zip(*records, strict=True))).encode()))
    reports = []
    for number, reads in enumerate((tuple(two), (str(joined),))):
        out = tmp_path / str(number)
        out.mkdir()
        done = classify(repository, folder, out, "--paired", reads=reads)
        assert done.returncode == 0, done.stderr
        reports.append((out / "x.kreport").read_text())
    assert reports[0] == reports[1]
    # A pair is one sequence, and two reads.
    assert f"D01-1\t{2 * len(records[0])}\tok" in (out / "x.tsv").read_text()
    odd = tmp_path / "odd.fastq.gz"
    odd.write_bytes(gzip.compress("".join(records[0][:21]).encode()))
    done = classify(repository, folder, tmp_path, "--paired", reads=(str(odd),))
    assert done.returncode == 1
    assert "odd.fastq.gz: a read has no mate" in done.stderr
    assert not (tmp_path / "x.kreport").exists()


def test_a_size_of_kmers_that_the_database_has_not_is_named(
    trial: tuple[Path, Reference], repository: Path, tmp_path: Path
) -> None:
    folder, _ = trial
    words = ["--sample", "D01-1", "--min-reads", "10", "--database", str(folder / "sourmash_db" / "genomes.zip")]
    words += ["--ksize", "21", "--table", str(tmp_path / "x.csv"), "--counts", str(tmp_path / "y.tsv")]
    script = str(repository / "workflow" / "scripts" / "sourmash_sample.py")
    reads = str(folder / "trial" / "fastq" / "D01-1_L1_R1.fastq.gz")
    done = subprocess.run(
        [sys.executable, script, *words, "--reads", reads], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: sample D01-1: the database has no sketches with these ksize, scaled and molecule; set sourmash.ksize "
        "and sourmash.scaled to those of the database"
    )
    assert list(tmp_path.iterdir()) == []


QUIET = '#!/bin/sh\nif [ "$1" = --version ] || [ "$1" = -v ]; then echo version 2.1.3; fi\nexit 0\n'


def test_a_profiler_that_ends_well_and_writes_nothing(
    trial: tuple[Path, Reference],
    repository: Path,
    tmp_path: Path,
    stand_in: Callable[[str, str], None],
    reliability: Recorder,
) -> None:
    folder, _ = trial
    reads = str(folder / "trial" / "fastq" / "D01-1_L1_R1.fastq.gz")
    said = []
    stand_in("bracken", QUIET)
    done = classify(repository, folder, tmp_path, "--bracken", str(tmp_path / "x.bracken"), reads=(reads,))
    assert done.returncode == 1
    said.append(done.stderr.strip().splitlines()[-1])
    stand_in("kraken2", QUIET)
    (tmp_path / "x.kreport").unlink()
    done = classify(repository, folder, tmp_path, reads=(reads,))
    assert done.returncode == 1
    said.append(done.stderr.strip().splitlines()[-1])
    stand_in("sourmash", QUIET)
    script = str(repository / "workflow" / "scripts" / "sourmash_sample.py")
    words = ["--sample", "D01-1", "--min-reads", "10", "--database", str(folder / "sourmash_db" / "genomes.zip")]
    outputs = ["--table", str(tmp_path / "x.csv"), "--counts", str(tmp_path / "y.tsv")]
    done = subprocess.run(
        [sys.executable, script, *words, *outputs, "--reads", reads], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    said.append(done.stderr.strip().splitlines()[-1])
    left = {path.name for path in tmp_path.iterdir()} - {"bin"}
    assert left == set(), "no half-written results"
    reliability(
        "Programs",
        "Kraken2, Bracken or sourmash ends well and writes nothing",
        done="a stand-in for each program that prints its version and exits with 0",
        saw=cleaned("\n".join(said), {str(folder): "FOLDER", str(tmp_path): "FOLDER"}),
    )


def test_check_names_what_a_profiler_lacks(
    trial: tuple[Path, Reference], stand_in: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = trial
    monkeypatch.chdir(folder)

    def errors(**given: object) -> list[str]:
        found = check(configure(folder, "check", **given), whole=False, tools=False)
        return [str(problem) for problem in found if problem.level == "error"]

    assert errors(**KRAKEN2) == []
    assert errors(**SOURMASH) == []
    (found,) = errors(profiler="kraken2", kraken2={"database": "trial"})
    assert "'trial' lacks hash.k2d, opts.k2d, taxo.k2d (missing or empty)" in found
    (found,) = errors(profiler="kraken2", kraken2={"database": "nowhere"})
    assert "kraken2.database: 'nowhere' does not exist" in found
    with_bracken = configure(folder, "b", profiler="kraken2", kraken2={"database": "kraken_db", "bracken": "yes"})
    (found,) = errors(profiler="kraken2", kraken2={"database": "kraken_db", "bracken": "yes"})
    assert "'database150mers.kmer_distrib' is not in 'kraken_db' (of its kind there is none)" in found
    section = SOURMASH["sourmash"]
    assert isinstance(section, dict)
    found = errors(profiler="sourmash", sourmash=section | {"lineages": "trial/samples.tsv"})[0]
    assert "sourmash.lineages: trial/samples.tsv: column 'ident' is missing" in found
    stand_in("kraken2", "#!/bin/sh\necho Kraken version 2.0.8\n")
    for program in ("fastp", "multiqc"):
        stand_in(program, "#!/bin/sh\necho version 9.9.9\n")
    settings = load_config(with_bracken)
    assert [tool.name for tool in profiler_tools(settings)] == ["fastp", "multiqc", "kraken2", "bracken"]
    assert [str(problem) for problem in check_tools(profiler_tools(settings))] == [
        f"kraken2: {shutil.which('kraken2')} is version 2.0.8, 2.1 or newer is needed; install kraken2 2.1 or newer, "
        "or run Snakemake with --sdm conda",
        "bracken: not found on PATH (estimates the reads of species); install bracken 2.7 or newer, or run Snakemake "
        "with --sdm conda",
    ]
    settings = load_config(configure(folder, "s", **SOURMASH, host_index="x"))
    assert [tool.name for tool in profiler_tools(settings)] == ["fastp", "bowtie2", "multiqc", "sourmash"]
