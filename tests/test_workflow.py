"""The Snakemake workflow on a tiny simulated trial, with the real tools."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake_runs import command, must_run, simulate, snakemake

from microbiome.config import load_config
from microbiome.tables import READS
from microbiome.tsv import read_table
from microbiome.workflow import read_plan

pytestmark = pytest.mark.tools

TRIAL = "trial"
SHALLOW = "R01-T2"
SINGLE = "R02-T1"
# Everything a rerun must reproduce to the byte.
TABLES = (
    "qc/reads.tsv",
    "qc/units/*.tsv",
    "qc/host/*.tsv",
    "profiles/*",
    "diversity/*.tsv",
    "outcomes/*.tsv",
    "strains/*.tsv",
    "strains/alleles/*",
    "clinical/*.tsv",
    "association/*.tsv",
    "config.json",
)


def contents(results: Path) -> dict[str, str]:
    files = sorted(path for pattern in TABLES for path in results.glob(pattern))
    return {str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None) -> Path:
    """Return a folder with a simulated trial of seven samples: several units, single reads, one sample too shallow."""
    folder = tmp_path_factory.mktemp("workflow")
    size = "--donors 1 --donor-samples 1 --recipients 2 --placebo 1 --days 0 14 --read-pairs 1500 --sgbs 12"
    simulate(folder, *size.split())
    config = yaml.safe_load((folder / TRIAL / "config.yaml").read_text())
    config["diversity"] = {"beta": ["bray_curtis"], "permanova": {"factors": ["arm"], "permutations": 99}}
    config["compare"] = {"by": [], "permutations": 99}
    config["sensitivity"] = {"by": [], "thresholds": [0, 0.001]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def finished(trial: Path, repository: Path) -> tuple[Path, str]:
    """Return the folder after a whole run from FASTQ, and what the run said."""
    return trial, must_run(repository, trial)


def copy_of(trial: Path, target: Path) -> Path:
    target.mkdir()
    shutil.copytree(trial / TRIAL, target / TRIAL)
    shutil.copy(trial / "config.yaml", target / "config.yaml")
    return target


def test_every_result_is_there(finished: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, said = finished
    monkeypatch.chdir(folder)
    plan = read_plan(load_config("config.yaml"))
    missing = [path for path in plan.targets() if not (folder / path).is_file()]
    assert missing == []
    assert "100%) done" in said
    assert not list((folder / "results" / "reads").rglob("*.gz")), "reads on the way are temporary"
    for rule in ("merge_units", "fastp", "remove_host", "metaphlan"):
        for kind in ("logs", "benchmarks"):
            assert len(list((folder / "results" / kind / rule).iterdir())) == len(plan.samples), (rule, kind)


def test_progress_is_one_message_per_job(finished: tuple[Path, str]) -> None:
    said = finished[1]
    assert re.search(rf"Job \d+: {SHALLOW}: profile with MetaPhlAn", said)
    assert re.search(r"\d+ of \d+ steps \(\d+%\) done", said)
    assert "profile_sample.py" not in said, "commands are not printed"
    assert max(map(len, said.splitlines())) < 200


def test_reads_are_accounted_for_at_every_step(finished: tuple[Path, str]) -> None:
    folder = finished[0]
    reads = read_table(folder / "results" / "qc" / "reads.tsv", READS).set_index("sample")
    samples = pd.read_csv(folder / TRIAL / "samples.tsv", sep="\t", index_col="sample")
    truth = pd.read_csv(folder / TRIAL / "truth" / "reads.tsv", sep="\t", index_col="sample")
    units = pd.read_csv(folder / TRIAL / "units.tsv", sep="\t")
    assert list(reads.index) == list(samples.index)
    assert (reads["reads_raw"] == truth["reads"]).all()
    assert (reads["units"] == units.groupby("sample").size()).all()
    steps = reads[["reads_raw", "reads_trimmed", "reads_nonhost"]]
    assert (steps.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
    # Reads of the simulated host go; those of the SGBs and the junk stay.
    lost = (reads["reads_trimmed"] - reads["reads_nonhost"]) / reads["reads_raw"]
    assert ((lost - truth["host"] / truth["fragments"]).abs() < 0.02).all()
    others = reads.drop(index=SHALLOW)
    assert (others["reads_profiled"] == others["reads_nonhost"]).all()
    assert set(others["status"]) == {"ok"}


def test_a_shallow_sample_is_flagged_and_does_not_stop_the_run(finished: tuple[Path, str]) -> None:
    results = finished[0] / "results"
    row = read_table(results / "qc" / "reads.tsv", READS).set_index("sample").loc[SHALLOW]
    assert (row["status"], row["taxa"], row["reads_profiled"]) == ("few_reads", 0, 0)
    assert "1000 are needed (min_reads)" in row["reason"]
    profile = (results / "profiles" / f"{SHALLOW}_profile.tsv").read_text()
    assert f"#not profiled: {row['reason']}\n" in profile
    assert profile.splitlines()[-1].startswith("UNCLASSIFIED\t-1\t100.0")
    assert SHALLOW in (results / "report.html").read_text()
    assert SHALLOW not in (results / "diversity" / "beta_bray_curtis.tsv").read_text()


def test_merged_profiles_are_those_of_metaphlan(finished: tuple[Path, str]) -> None:
    profiles = finished[0] / "results" / "profiles"
    files = sorted(map(str, profiles.glob("*_profile.tsv")))
    done = subprocess.run(["merge_metaphlan_tables.py", *files], capture_output=True, text=True, check=True)
    (finished[0] / "expected.tsv").write_text(done.stdout)
    expected = pd.read_csv(finished[0] / "expected.tsv", sep="\t", skiprows=1, index_col=0)
    merged = pd.read_csv(profiles / "merged.tsv", sep="\t", skiprows=1, index_col=0)
    pd.testing.assert_frame_equal(
        merged, expected.loc[merged.index, merged.columns], check_names=False, check_exact=True
    )
    assert merged.shape == expected.shape


def test_provenance_of_a_run_from_fastq(finished: tuple[Path, str]) -> None:
    folder = finished[0]
    record = json.loads((folder / "results" / "provenance.json").read_text())
    for tool in ("fastp", "bowtie2", "metaphlan", "multiqc"):
        assert re.fullmatch(r"\d+\.\d[\w.]*", *record["software"][tool]), tool
    assert record["seed"] == 3
    assert record["database"]["name"] == record["parameters"]["metaphlan"]["index"]
    files = {entry["file"]: entry for entry in record["inputs"]}
    units = pd.read_csv(folder / TRIAL / "units.tsv", sep="\t")
    for name in [*units["fq1"], *units["fq2"].dropna(), f"{TRIAL}/samples.tsv"]:
        data = (folder / name).read_bytes()
        assert (files[name]["bytes"], files[name]["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert "--configfile config.yaml" in record["run"]["command"]
    # No result is left out, but for what is written later or only tells how the run went.
    results = folder / "results"
    made = {str(path.relative_to(folder)) for path in results.rglob("*") if path.is_file()}
    apart = ("logs", "benchmarks", "figures", "lists", "reads", "qc/multiqc_data", "config.json", "provenance.json")
    apart = (*apart, ".microbiome.lock")
    apart = tuple(f"results/{name}" for name in (*apart, "report.html"))
    assert {name for name in made if not name.startswith(apart)} == {entry["file"] for entry in record["results"]}
    checked = ["microbiome", "check", "--provenance", "results", "--config", "config.yaml"]
    done = subprocess.run(checked, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_alignments_go_when_strains_are_counted(finished: tuple[Path, str]) -> None:
    assert not list((finished[0] / "results" / "profiles").glob("*.sam.bz2"))
    assert len(list((finished[0] / "results" / "strains" / "alleles").glob("*.alleles"))) == 7


def test_a_second_run_does_nothing(finished: tuple[Path, str], repository: Path) -> None:
    assert "Nothing to be done" in must_run(repository, finished[0])


def test_a_fastq_that_disappeared_is_noticed_when_all_results_are_there(
    finished: tuple[Path, str], repository: Path
) -> None:
    folder = finished[0]
    name = f"{TRIAL}/fastq/{SINGLE}_L1_R1.fastq.gz"
    aside = folder / "aside.fastq.gz"
    (folder / name).rename(aside)
    try:
        done = snakemake(repository, folder)
    finally:
        aside.rename(folder / name)
    assert done.returncode == 2
    assert f"{name}" in done.stderr
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_snakemakes_own_report(finished: tuple[Path, str], repository: Path) -> None:
    must_run(repository, finished[0], "--report", "snakemake.html")
    assert (finished[0] / "snakemake.html").stat().st_size > 100_000


def test_killed_in_the_middle_and_started_again(
    finished: tuple[Path, str], trial: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(trial, tmp_path / "killed")
    # Nothing of this may matter.
    for name, value in (("TZ", "Asia/Tokyo"), ("LC_ALL", "C"), ("PYTHONHASHSEED", "77"), ("TMPDIR", str(tmp_path))):
        monkeypatch.setenv(name, value)
    started = command(repository, "--cores", "3")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(started, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 120
        while len(re.findall(r"\d+ of \d+ steps", (folder / "log").read_text())) < 12:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # The group is the one made for this process: Snakemake and its jobs.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (folder / "results" / "report.html").exists()
    must_run(repository, folder, "--unlock")
    must_run(repository, folder, "--cores", "1")
    assert contents(folder / "results") == contents(trial / "results")
    records = [json.loads((place / "results" / "provenance.json").read_text()) for place in (folder, trial)]
    for record in records:
        del record["run"]
    assert records[0] == records[1]


def test_a_truncated_fastq_stops_its_sample_only(trial: Path, repository: Path, tmp_path: Path) -> None:
    folder = copy_of(trial, tmp_path / "truncated")
    broken = folder / TRIAL / "fastq" / f"{SINGLE}_L1_R1.fastq.gz"
    broken.write_bytes(broken.read_bytes()[:-5000])
    wanted = [f"results/qc/units/{sample}.tsv" for sample in (SINGLE, SHALLOW)]
    done = snakemake(repository, folder, *wanted)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert f"{TRIAL}/fastq/{SINGLE}_L1_R1.fastq.gz: truncated gzip file" in said, "the log is shown"
    assert [(folder / path).exists() for path in wanted] == [False, True]


def test_reads_are_brought_to_one_depth_where_that_is_asked_for(
    finished: tuple[Path, str], repository: Path, tmp_path: Path
) -> None:
    folder = copy_of(finished[0], tmp_path / "rarefied")
    config = yaml.safe_load((folder / "config.yaml").read_text()) | {"rarefy_reads": 2001}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    single, paired = SINGLE, "R01-T1"
    wanted = [f"results/qc/metaphlan/{single}.tsv", f"results/qc/rarefied/{paired}.tsv"]
    must_run(repository, folder, *wanted, f"results/qc/rarefied/{SHALLOW}.tsv")
    kept = {
        sample: pd.read_csv(folder / "results" / "qc" / "rarefied" / f"{sample}.tsv", sep="\t").iloc[0]
        for sample in (single, paired, SHALLOW)
    }
    reads = read_table(finished[0] / "results" / "qc" / "reads.tsv", READS).set_index("sample")
    assert {sample: row["reads"] for sample, row in kept.items()} == reads["reads_nonhost"].loc[list(kept)].to_dict()
    assert kept[single]["reads_rarefied"] == 2001
    assert kept[paired]["reads_rarefied"] == 2000, "whole pairs"
    assert kept[SHALLOW]["reads_rarefied"] == kept[SHALLOW]["reads"] < 2000
    assert kept[SHALLOW]["reason"].startswith("fewer reads than rarefy_reads: ")
    profiled = pd.read_csv(folder / "results" / "qc" / "metaphlan" / f"{single}.tsv", sep="\t").iloc[0]
    assert profiled["reads"] == 2001
    said = must_run(repository, folder, "--dry-run", "--printshellcmds", "results/qc/reads.tsv")
    assert "--rarefied @results/lists/rarefied.txt" in said


# What depends on the covariates of subjects, whatever they are; and what only gathers.
OF_SUBJECTS = {"limits", "nulls", "permanova", "trajectories", "taxa", "retention", "changes", "sensitivity"}
OF_SUBJECTS |= {"strain_rates", "clinical_response", "clinical_survival", "clinical_toxicity", "toxicity_curves"}
OF_SUBJECTS |= {"donors", "donor_match", "associate", "joins"}
GATHERED = {"provenance", "report", "all"}
# Of every sample, when its reads or what is done with them changes.
PER_SAMPLE = {"merge_units", "fastp", "remove_host", "metaphlan", "strain_alleles"}
LISTS = {"alleles", "fastp", "host", "multiqc", "profiled", "profiles", "units"}


def planned(repository: Path, folder: Path, *arguments: str) -> tuple[dict[str, int], str]:
    """Return how many jobs of each rule a dry run plans (both kinds of merge_units and fastp as one), and its text."""
    said = must_run(repository, folder, "--dry-run", *arguments)
    jobs: dict[str, int] = {}
    # The table stands at the beginning and at the end.
    for rule, count in re.findall(r"^(\w+) +(\d+)$", said.partition("\ntotal ")[0], re.MULTILINE):
        name = re.sub("_(paired|single)$", "", rule)
        jobs[name] = max(jobs.get(name, 0), int(count)) if rule == name else jobs.get(name, 0) + int(count)
    return jobs, said


@pytest.fixture
def done(finished: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a copy of the folder of the finished run, times of the files included, to change something in."""
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder, symlinks=True, ignore=shutil.ignore_patterns("report.html", "*.lock"))
    shutil.copy2(finished[0] / "results" / "report.html", folder / "results" / "report.html")
    return folder


def test_what_is_only_touched_is_not_run_again(done: Path, repository: Path) -> None:
    for name in ("samples", "subjects", "doses", "units"):
        (done / TRIAL / f"{name}.tsv").touch()
    for path in (done / TRIAL / "fastq").iterdir():
        path.touch()
    assert "Nothing to be done" in must_run(repository, done, "--dry-run")


def test_a_covariate_reruns_what_reads_subjects(done: Path, repository: Path) -> None:
    path = done / TRIAL / "subjects.tsv"
    subjects = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    subjects.assign(centre="north").to_csv(path, sep="\t", index=False)
    jobs, _ = planned(repository, done)
    # Not profiles, distances, outcomes, similarity, and not whose strains they are.
    assert set(jobs) == OF_SUBJECTS | GATHERED


def test_a_config_value_reruns_what_it_concerns(done: Path, repository: Path) -> None:
    config = yaml.safe_load((done / "config.yaml").read_text())
    (done / "config.yaml").write_text(yaml.safe_dump(config | {"report": {"title": "Another title"}}))
    assert set(planned(repository, done)[0]) == {"record_config", *GATHERED}
    diversity = config["diversity"] | {"permanova": {"factors": ["arm"], "permutations": 199}}
    (done / "config.yaml").write_text(yaml.safe_dump(config | {"diversity": diversity}))
    assert set(planned(repository, done)[0]) == {"permanova", "record_config", *GATHERED}
    (done / "config.yaml").write_text(yaml.safe_dump(config | {"strains": {"min_sites": 400}}))
    jobs, _ = planned(repository, done)
    strains = {"distances", "thresholds", "share", "sweep", "rates", "audit", "compare"}
    assert set(jobs) - {"strain_compare"} == {f"strain_{name}" for name in strains - {"compare"}} | {
        "record_config",
        *GATHERED,
    }


def test_a_sample_that_is_added_is_the_only_one_worked_on(done: Path, repository: Path) -> None:
    tables = {name: done / TRIAL / f"{name}.tsv" for name in ("samples", "units")}
    new, old = "R02-T1b", "R02-T1"
    for name, path in tables.items():
        rows = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        row = rows[rows["sample"] == old].head(1).assign(sample=new)
        if name == "units":
            row["fq1"] = f"{TRIAL}/fastq/{new}.fastq.gz"
            (done / row["fq1"].item()).write_bytes(
                gzip.compress(b"@new\n" + b"ACGT" * 20 + b"\n+\n" + b"I" * 80 + b"\n")
            )
        else:
            row["day"] = "15"
        pd.concat([rows, row]).to_csv(path, sep="\t", index=False)
    jobs, said = planned(repository, done)
    assert {rule: jobs[rule] for rule in PER_SAMPLE} == dict.fromkeys(PER_SAMPLE, 1)
    assert set(re.findall(r"^Job \d+: ([DR]\d\d-\w+): ", said, re.MULTILINE)) == {new}
    assert set(re.findall(r"list of files: (\w+)", said)) == LISTS
    # All that is measured of the whole study follows.
    assert {"merge_profiles", "alpha", "outcomes", "rates", "report"} <= set(jobs)
    assert not {"record_config", "metaphlan_database"} & set(jobs)


def test_a_fastq_that_changes_reruns_its_sample(done: Path, repository: Path) -> None:
    path = done / TRIAL / "fastq" / f"{SINGLE}_L1_R1.fastq.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    jobs, said = planned(repository, done)
    assert {rule: jobs[rule] for rule in PER_SAMPLE} == dict.fromkeys(PER_SAMPLE, 1)
    assert set(re.findall(r"^Job \d+: ([DR]\d\d-\w+): ", said, re.MULTILINE)) == {SINGLE}
    assert "list_files" not in jobs


def test_a_profile_that_is_added_reaches_every_table(trial: Path, repository: Path, tmp_path: Path) -> None:
    folder = copy_of(trial, tmp_path / "profiles")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for key in ("units", "host_index", "min_reads", "metaphlan"):
        del config[key]
    config["profiles"] = f"{TRIAL}/profiles/*_profile.tsv"
    # Groups that are odd in name and few in number.
    site = "site (1/2) $x"
    config["compare"] = {"by": ["arm", site], "permutations": 99}
    config["sensitivity"] = {"by": [site], "thresholds": [0, 0.001]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    subjects = pd.read_csv(folder / TRIAL / "subjects.tsv", sep="\t", dtype=str)
    subjects.assign(**{site: [str(row % 2) for row in range(len(subjects))]}).to_csv(
        folder / TRIAL / "subjects.tsv", sep="\t", index=False
    )
    late = folder / TRIAL / "profiles" / f"{SINGLE}_profile.tsv"
    late.rename(folder / "late.tsv")
    samples = folder / TRIAL / "samples.tsv"
    rows = samples.read_text()
    samples.write_text("".join(line for line in rows.splitlines(keepends=True) if not line.startswith(SINGLE)))
    must_run(repository, folder, "results/qc/reads.tsv", "results/outcomes/rates.tsv")
    reads = read_table(folder / "results" / "qc" / "reads.tsv", READS).set_index("sample")
    assert SINGLE not in reads.index
    (folder / "late.tsv").rename(late)
    samples.write_text(rows)
    must_run(repository, folder)
    reads = read_table(folder / "results" / "qc" / "reads.tsv", READS).set_index("sample")
    assert reads.loc[SINGLE, "status"] == "ok"
    assert reads[["units", "reads_raw", "reads_trimmed", "reads_nonhost"]].isna().all(axis=None)
    assert SINGLE in set(pd.read_csv(folder / "results" / "outcomes" / "rates.tsv", sep="\t")["sample"])
    # What was compared stands in the table, whatever the file is called.
    for name in ("compare", "trajectories", "taxa", "changes", "sensitivity"):
        by = set(pd.read_csv(folder / "results" / "outcomes" / f"{name}_site_1_2_x.tsv", sep="\t", comment="#")["by"])
        assert by == {site}, name
    assert {path.name for path in (folder / "results" / "outcomes").glob("*_arm.tsv")} == {
        f"{name}_arm.tsv" for name in ("compare", "trajectories", "taxa", "retention", "changes")
    }
    assert (folder / "results" / "report.html").is_file()
    assert not (folder / "results" / "qc" / "multiqc.html").exists()


def test_problems_stop_the_workflow_before_anything_runs(trial: Path, repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / TRIAL).symlink_to(trial / TRIAL)
    config = yaml.safe_load((trial / "config.yaml").read_text()) | {"min_read": 5, "seed": "one"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(repository, folder)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert re.search(
        r"error: config\.yaml:\d+: min_read: key 'min_read' is not known; did you mean 'min_reads'\?", done.stderr
    )
    assert "Traceback" not in done.stderr
    assert 'File "' not in done.stderr
    assert not (folder / "results").exists()


def test_the_database_is_downloaded_only_when_asked_for(trial: Path, repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    # Neither tables nor database exist yet: that must not stand in the way of the download.
    shutil.copy(trial / "config.yaml", folder / "config.yaml")
    said = must_run(repository, folder, "--dry-run", "metaphlan_database")
    assert f"into {TRIAL}/database" in said
    assert "metaphlan_database" not in must_run(repository, trial, "--dry-run", "--forceall")


def test_the_slurm_profile_is_accepted(trial: Path, repository: Path) -> None:
    done = subprocess.run(
        [
            *("snakemake", "--snakefile", str(repository / "Snakefile"), "--configfile", "config.yaml", "--dry-run"),
            *("--profile", str(repository / "profiles" / "slurm"), "--forceall"),
        ],
        cwd=trial,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_clean(trial: Path, repository: Path) -> None:
    assert "in a good condition" in must_run(repository, trial, "--lint")
    files = [str(repository / "Snakefile"), *map(str, sorted((repository / "workflow" / "rules").glob("*.smk")))]
    subprocess.run([sys.executable, "-m", "snakefmt", "--check", *files], check=True, capture_output=True)
