"""Whole trials through a real SLURM on this machine, with what goes wrong on clusters happening on the way.

The first cluster has accounting and runs the trial of ``make demo`` from FASTQ; the second has none and runs a small
trial. Each test looks at one thing that happened. ``make test-cluster`` runs them; with CLUSTER_TRIAL=small both are
small, to try out a change, and CLUSTER_KEEP=FOLDER keeps the logs.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from reliability import Recorder, cleaned
from slurm import ACCOUNT, MARK, PARTITION, PREFIX, Slurm, SlurmError, marked, refuse_or_tidy, started
from trial import PER_SAMPLE, REPOSITORY, Run, Trial

pytestmark = [pytest.mark.cluster, pytest.mark.tools]

GROUP = "Cluster"
DEMO = ("--function", "--seed", "1")
SIZE = "--donors 1 --donor-samples 1 --recipients 2 --placebo 0 --days 0 14 --read-pairs 1500 --sgbs 12"
SMALL = ("--seed", "3", *SIZE.split(), "--markers", "12", "--marker-length", "400")
HUNGRY, BROKEN = "R02-T0", "R01-T0"
# What must be the same to the byte as without a cluster.
TABLES = tuple(f"{folder}/*.tsv" for folder in ("qc", "profiles", "diversity", "outcomes", "strains", "clinical"))
# fastp asks for 2,500 MB; this sample needs 2,600, the first time and the second.
EATS = f"""case "$*" in
    *"--report_title {HUNGRY} "*) python3 -c "import time; block = b'x' * (2600 << 20); time.sleep(5)" ;;
esac"""
# Whoever comes first hangs, as on a file system that has gone.
HANGS = """case "$*" in
    *mpa_v*)
        if mkdir "$(dirname "$0")/hung" 2>/dev/null; then
            echo "$SLURM_JOB_ID" >"$(dirname "$0")/hung/job"
            while kill -0 $PPID; do sleep 1; done
        fi
        ;;
esac"""
# Two minutes for a profile instead of half an hour: the wait for the one that hangs would be too long.
SHORT = ("--set-resources", "metaphlan:runtime=attempt * 2")


@dataclass
class Story:
    """What happened to a trial on a cluster, in two calls of Snakemake."""

    trial: Trial
    runs: list[Run] = field(default_factory=list)
    node: str = ""
    node_states: dict[str, str] = field(default_factory=dict)
    lost_with_node: list[int] = field(default_factory=list)
    jobs: dict[int, dict[str, str]] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    later: dict[str, int] = field(default_factory=dict)

    @property
    def attempts(self) -> list[list[tuple[int, Path]]]:
        """Return, of each job of the first call, SLURM's numbers and logs of its attempts."""
        found: dict[str, list[tuple[int, Path]]] = {}
        pattern = r"^Job (\S+) has been submitted .* (\d+) \(log: (.+)\)"
        for job, number, log in re.findall(pattern, self.said, re.MULTILINE):
            found.setdefault(job, []).append((int(number), Path(log)))
        return list(found.values())

    def again(self, word: str) -> list[dict[str, str]]:
        """Return the attempts of the one job that was sent more than once and has this in the log of its first."""
        sent = [tries for tries in self.attempts if len(tries) > 1 and word in tries[0][1].read_text("utf-8")]
        assert len(sent) == 1, f"{word}: {sent}"
        return [self.jobs[number] for number, _ in sent[0]]

    def after(self, number: int) -> list[dict[str, str]]:
        """Return a SLURM job and the later attempts of the same job."""
        (numbers,) = [[sent for sent, _ in tries] for tries in self.attempts if number in [sent for sent, _ in tries]]
        return [self.jobs[sent] for sent in numbers[numbers.index(number) :]]

    @property
    def said(self) -> str:
        """What the first call said."""
        return self.runs[0].said

    @property
    def places(self) -> dict[str, str]:
        """What differs between two runs of the test, and what to call it."""
        return {f"{self.trial.folder}/": ""}


def shorten(trial: Trial) -> None:
    """Leave out of a configuration what would only add jobs of the same kind."""
    path = trial.folder / "trial" / "config.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    config["diversity"] = {"beta": ["bray_curtis"], "permanova": {"factors": [], "permutations": 99}}
    config["compare"] = {"by": [], "permutations": 99}
    config["sensitivity"] = {"by": [], "thresholds": [0, 0.001]}
    config["tables"] = {}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def broken(trial: Trial) -> tuple[Path, bytes]:
    """Cut the first FASTQ of a sample off in the middle; return it and what it was."""
    path = sorted((trial.folder / "trial" / "fastq").glob(f"{BROKEN}_*R1.fastq.gz"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path, whole


def known_jobs(cluster: Slurm) -> dict[int, dict[str, str]]:
    """Return what the controller knows of each job: ``JobState``, ``TimeLimit``, ``MinMemoryNode``, ``NodeList``."""
    jobs = {}
    for line in cluster.run("scontrol", "--oneliner", "show", "job").splitlines():
        pairs = dict(re.findall(r"(\w+)=(\S*)", line))
        jobs[int(pairs["JobId"])] = pairs
    return jobs


def fails_by_itself(trial: Trial, job: dict[str, str]) -> bool:
    """Tell whether a job is one of the samples with a fault, or the one that hangs; its log begins with its command."""
    log, hung = Path(job["StdOut"]), trial.folder / "stand-ins" / "hung" / "job"
    if not log.is_file() or "--target-jobs" not in log.read_text("utf-8"):
        return True  # just started: nothing is known of it
    text = log.read_text("utf-8")
    return bool(re.search(f"{HUNGRY}|{BROKEN}", text)) or (hung.is_file() and job["JobId"] in hung.read_text().split())


def keep(story: Story, cluster: Slurm, name: str) -> None:
    """Keep the logs where CLUSTER_KEEP names a folder."""
    if os.environ.get("CLUSTER_KEEP"):
        folder = Path(os.environ["CLUSTER_KEEP"]) / name
        shutil.copytree(cluster.folder, folder, ignore=shutil.ignore_patterns("database", "*socket*", "munge.key"))
        for number, run in enumerate(story.runs):
            (folder / f"said{number}").write_text(run.said, "utf-8")


def sentences(text: str, *patterns: str) -> str:
    """Return the first line of a text that each pattern is found in, without numbers that differ between runs."""
    found = []
    for pattern in patterns:
        line = next((line for line in text.splitlines() if re.search(pattern, line)), None)
        assert line is not None, f"{pattern} is not in:\n{text}"
        found.append(re.sub(r"StepId=\S+", "StepId=N", re.sub(r"\((\d+) > ", "(M > ", line)))
    text = "\n".join(found)
    text = re.sub(r"\d+ reads", "N reads", re.sub(r"(SLURM job|JOB|Job) '?\d+'?", r"\1 N", text))
    return re.sub(r"slurmstepd-n\d", "slurmstepd", re.sub(r" ON n\d | AT \d+-\S+", " ", text))


@pytest.fixture(scope="module")
def with_accounting(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None) -> Iterator[Story]:
    """Return what happened to the trial of ``make demo`` on four nodes with accounting.

    One sample needs more memory for its trimming than its rule asks for, one profile hangs, one FASTQ is cut off, and a
    node goes down. Then the FASTQ is mended and the same command given again.
    """
    small = os.environ.get("CLUSTER_TRIAL") == "small"
    trial = Trial.simulate(tmp_path_factory.mktemp("with") / "accounting", *(SMALL if small else DEMO))
    if small:
        shorten(trial)
    trial.stand_in("fastp", EATS)
    trial.stand_in("bowtie2", HANGS)
    path, whole = broken(trial)
    story = Story(trial)
    with started(memory=100_000) as cluster:

        def take_node_down(said: str) -> bool:
            """Take down a node as soon as some profiles are there: a busy one whose jobs do not fail by themselves."""
            if said.count("(Rule: metaphlan)") < 2:
                return False
            jobs = known_jobs(cluster)
            for node in cluster.nodes:
                running = cluster.running_on(node)
                if running and not any(fails_by_itself(trial, jobs[number]) for number in running):
                    story.node, story.lost_with_node = node, running
                    cluster.take_down(node)
                    return True
            return False

        story.runs.append(trial.run(cluster, *SHORT, meanwhile=take_node_down))
        story.before = trial.times()
        story.node_states = cluster.node_states()
        path.write_bytes(whole)
        story.runs.append(trial.run(cluster, *SHORT))
        story.later = trial.times()
        story.jobs = known_jobs(cluster)
        keep(story, cluster, "accounting")
        yield story


@pytest.fixture(scope="module")
def without_accounting(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None) -> Iterator[Story]:
    """Return what happened to a small trial where sacct does not work: memory, a FASTQ cut off, mended."""
    trial = Trial.simulate(tmp_path_factory.mktemp("without") / "accounting", *SMALL)
    shorten(trial)
    trial.stand_in("fastp", EATS)
    path, whole = broken(trial)
    story = Story(trial)
    with started(memory=100_000, accounting=False) as cluster:
        story.runs.append(trial.run(cluster))
        story.before = trial.times()
        path.write_bytes(whole)
        story.runs.append(trial.run(cluster))
        story.later = trial.times()
        story.jobs = known_jobs(cluster)
        keep(story, cluster, "no-accounting")
        yield story


def assert_second_attempt_had_more(story: Story) -> list[dict[str, str]]:
    """Check the two attempts of the job that needed more memory than its rule asks for."""
    first, second = story.again(f"fastp_paired:sample={HUNGRY}")
    assert first["JobState"] in ("FAILED", "OUT_OF_MEMORY")
    assert second["JobState"] == "COMPLETED"
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("2500M", "5000M")
    return [first, second]


def assert_only_what_was_missing_was_done(story: Story) -> None:
    """Check that the second call did the jobs of the mended sample, and those that wait for all samples; no others."""
    first, second = story.runs
    samples = len(story.trial.samples)
    steps = [rule for rule in PER_SAMPLE if first.finished[rule]]
    assert len(steps) >= 5
    assert {rule: first.finished[rule] for rule in steps} == dict.fromkeys(steps, samples - 1)
    assert {rule: second.finished[rule] for rule in steps} == dict.fromkeys(steps, 1)
    once = Counter(first.finished) + Counter(second.finished)
    assert {rule: number for rule, number in once.items() if rule in steps} == dict.fromkeys(steps, samples)
    per_sample = [path for path in story.before if any(f"/{sample}" in path for sample in story.trial.samples)]
    assert len(per_sample) > 5 * (samples - 1)
    # What is temporary is gone by now.
    changed = {path for path in per_sample if story.later.get(path, story.before[path]) != story.before[path]}
    assert all(BROKEN in path for path in changed), changed


# ------------------------------------------------------------------------------------------------- with accounting


def test_the_first_call_ends_with_an_error_and_the_second_with_the_report(with_accounting: Story) -> None:
    first, second = with_accounting.runs
    assert first.code == 1, first.said
    assert second.code == 0, second.said
    assert (with_accounting.trial.folder / "results" / "report.html").is_file()
    assert "Nothing was started" not in first.said


def test_account_and_partition_come_from_the_one_place_and_groups_save_jobs(with_accounting: Story) -> None:
    jobs, samples = with_accounting.jobs, len(with_accounting.trial.samples)
    assert {(job["Account"], job["Partition"]) for job in jobs.values()} == {(ACCOUNT, PARTITION)}
    assert "No SLURM account given" not in with_accounting.said
    # Three steps of a sample are one job, which has the most memory and the sum of the times (10, 10 and 15 minutes).
    reads = [tries[0][0] for tries in with_accounting.attempts if "/group_reads_" in str(tries[0][1])]
    assert len(reads) == samples
    assert {(jobs[number]["TimeLimit"], jobs[number]["MinMemoryNode"]) for number in reads} == {("00:35:00", "2500M")}


def test_a_job_killed_for_memory_gets_more_and_succeeds(with_accounting: Story, reliability: Recorder) -> None:
    first, _ = assert_second_attempt_had_more(with_accounting)
    log = Path(first["StdOut"]).read_text("utf-8")
    told = f"fastp_paired of {HUNGRY}: killed for memory in attempt 1 of 2"
    assert told in with_accounting.said
    reliability(
        GROUP,
        "a job needs more memory than it asked for",
        done="trimming of one sample takes 2,600 MB, its rule asks for 2,500 (`profiles/slurm`, SLURM with accounting)",
        saw=cleaned(
            sentences(log, "exceeded memory limit") + "\n" + sentences(with_accounting.said, "Sent again with", told),
            with_accounting.places,
        ),
    )


def test_a_job_over_its_time_gets_more_and_succeeds(with_accounting: Story, reliability: Recorder) -> None:
    hung = (with_accounting.trial.folder / "stand-ins" / "hung" / "job").read_text("utf-8")
    first, second = with_accounting.after(int(hung))
    assert (first["JobState"], second["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:02:00", "00:04:00")
    log = Path(first["StdOut"]).read_text("utf-8")
    saw = sentences(log, r"JOB .* DUE TO TIME LIMIT") + "\n"
    saw += sentences(
        with_accounting.said, "Sent again with", "metaphlan of .*: stopped at its time limit in attempt 1 of 2"
    )
    reliability(
        GROUP,
        "a job takes longer than it asked for",
        done="the profile of one sample hangs; 2 minutes asked for, 4 in the second attempt",
        saw=cleaned(re.sub(r"metaphlan of \S+:", "metaphlan of SAMPLE:", saw), with_accounting.places),
    )


def test_a_node_taken_down_loses_nothing(with_accounting: Story, reliability: Recorder) -> None:
    story = with_accounting
    assert story.lost_with_node, "no node was busy"
    assert story.node_states[story.node].startswith("down")
    for number in story.lost_with_node:
        lost, later = story.after(number)
        assert (lost["JobState"], lost["NodeList"]) == ("NODE_FAIL", story.node)
        assert later["JobState"] == "COMPLETED"
        assert later["NodeList"] != story.node
        assert f": lost with its node in attempt 1 of 2 (SLURM job {number})" in story.said
    saw = sentences(story.said, "nodes failed during job execution", "Sent again with", ": lost with its node in")
    reliability(
        GROUP,
        "a node goes down while it runs jobs",
        done="`scontrol update nodename=n1 state=down` in the middle of the run; its jobs are done on other nodes",
        saw=cleaned(
            re.sub(r"  \S+ of \S+: lost", "  RULE of SAMPLE: lost", re.sub(r"n\d$", "n1", saw, flags=re.M)),
            story.places,
        ),
    )


def test_a_job_that_fails_for_good_is_named_at_the_end_and_the_others_run(
    with_accounting: Story, reliability: Recorder
) -> None:
    first = with_accounting.runs[0]
    assert "1 job failed for good" in first.end
    assert f"failed: merge_units_paired of {BROKEN} (attempt 3)" in first.end
    assert "truncated gzip file" in first.end
    assert first.said.index("Exiting because a job execution failed") < first.said.index(first.end)
    assert first.finished["metaphlan"] == len(with_accounting.trial.samples) - 1
    shown = re.sub(r"\d+ reads", "N reads", re.sub(r"/\d+\.log", "/N.log", first.end))
    reliability(
        GROUP,
        "a job fails in every attempt",
        done="a FASTQ that is cut off in the middle; all other samples are profiled",
        saw=cleaned(re.sub(r"; \d+ that need", "; N that need", shown), with_accounting.places),
    )


def test_the_second_call_does_only_what_is_missing(with_accounting: Story) -> None:
    assert_only_what_was_missing_was_done(with_accounting)


def test_the_results_are_right(with_accounting: Story) -> None:
    folder = with_accounting.trial.folder
    commands = ["--profile results/profiles/merged.tsv --outcomes results/outcomes/outcomes.tsv"]
    if (folder / "results" / "function").is_dir():
        commands.append(
            "--functions --profile results/function/ec.tsv --outcomes results/function/outcomes_ec.tsv"
            " --min-f1 0.95 --max-bray-curtis 0.15 --min-outcomes 0.9"
        )
    if os.environ.get("CLUSTER_TRIAL") != "small":  # its few reads are too few for the bounds
        for words in commands:
            command = ["microbiome", "accuracy", "--truth", "trial/truth", *words.split(), "--output", "accuracy.tsv"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_runs_took(with_accounting: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """Print what docs/cluster.md tells of one run, or write it there (RELIABILITY=write); other runs differ in it."""
    first, second = with_accounting.runs
    assert len(first.submitted) + len(second.submitted) == len(with_accounting.jobs)
    states = Counter(job["JobState"] for job in with_accounting.jobs.values())
    groups = sum(job["Comment"].startswith("rule_reads_") for job in with_accounting.jobs.values())
    told = first.said[first.said.index("Sent again with") :].split("\n\n")[0]
    lines = [
        f"{len(with_accounting.trial.samples)} samples from FASTQ; {len(with_accounting.node_states)} nodes of 2"
        f" CPUs on one machine of {os.cpu_count()} cores",
        *(
            f"{name} call: {run.seconds / 60:.1f} min, {sum(run.finished.values())} steps done in"
            f" {len(run.submitted)} SLURM jobs, exit code {run.code}"
            for name, run in (("first", first), ("second", second))
        ),
        f"states of the SLURM jobs: {', '.join(f'{number} {state}' for state, number in states.most_common())}",
        f"of these jobs of three steps (reads): {groups}",
        f"jobs on the node {with_accounting.node} when it went down: {len(with_accounting.lost_with_node)}",
        *told.splitlines(),
    ]
    text = "\n".join(lines)
    with capsys.disabled():
        print(f"\n{text}")
    if os.environ.get("RELIABILITY") == "write" and os.environ.get("CLUSTER_TRIAL") != "small":
        page = REPOSITORY / "docs" / "cluster.md"
        begin, end = "<!-- written by make test-cluster -->\n", "<!-- end -->"
        before, after = page.read_text("utf-8").split(begin)
        page.write_text(f"{before}{begin}```text\n{text}\n```\n{end}{after.split(end)[1]}", "utf-8")


# ---------------------------------------------------------------------------------------------- without accounting


def test_without_accounting_memory_is_raised_and_a_failure_is_named(
    without_accounting: Story, reliability: Recorder
) -> None:
    first, second = without_accounting.runs
    assert (first.code, second.code) == (1, 0), first.said + second.said
    assert_second_attempt_had_more(without_accounting)
    told = f"fastp_paired of {HUNGRY}: killed for memory in attempt 1 of 2"
    named = f"failed: merge_units_paired of {BROKEN} \\(attempt 3\\)"
    reliability(
        GROUP,
        "a job needs more memory than it asked for, and there is no accounting",
        done="the same with `slurm-status-command: squeue` where sacct does not work",
        saw=cleaned(sentences(first.said, told, named, "truncated gzip"), without_accounting.places).replace(
            "    ", ""
        ),
    )


def test_without_accounting_the_second_call_does_only_what_is_missing(without_accounting: Story) -> None:
    assert_only_what_was_missing_was_done(without_accounting)


def test_a_cluster_gives_what_one_machine_gives(without_accounting: Story) -> None:
    folder = without_accounting.trial.folder
    results = {path: (folder / "results" / path).read_bytes() for path in without_accounting.trial.times(*TABLES)}
    (folder / "results").rename(folder / "on-the-cluster")
    command = ["snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "trial/config.yaml"]
    done = subprocess.run([*command, "--cores", "2"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(results) > 40
    different = [path for path, data in results.items() if (folder / "results" / path).read_bytes() != data]
    assert different == []
    assert set(without_accounting.trial.times(*TABLES)) == set(results)


# ------------------------------------------------------------------------------------------- the cluster of the tests


def test_a_slurm_that_is_there_is_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "slurm.conf"
    config.write_text("ClusterName=theirs\n")
    link = tmp_path / "link.conf"
    link.symlink_to(config)
    for path in (config, link):
        with pytest.raises(SlurmError, match=f"{path} exists: this machine has a SLURM already"):
            refuse_or_tidy(path)
    assert link.read_text() == config.read_text() == "ClusterName=theirs\n"


def test_what_a_killed_test_left_is_tidied(tmp_path: Path) -> None:
    folder = Path(tempfile.gettempdir()) / f"{PREFIX}{tmp_path.name}"
    folder.mkdir()
    (folder / "slurm.conf").touch()
    link = tmp_path / "slurm.conf"
    link.symlink_to(folder / "slurm.conf")
    with subprocess.Popen(["sleep", "600"], env=os.environ | {MARK: str(folder)}) as left:
        refuse_or_tidy(link)
        assert left.wait(5) == -signal.SIGTERM
    assert not link.is_symlink()
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_ctrl_c(number: signal.Signals) -> None:
    code = (
        "import slurm, subprocess, time\n"
        "with slurm.started(accounting=False) as cluster:\n"
        "    cluster.run('sbatch', '--output=/dev/null', '--wrap=sleep 600; sleep 600')\n"
        "    cluster.wait('job', lambda: 'RUNNING' in cluster.states().values())\n"
        "    print(cluster.folder, flush=True)\n"
        "    time.sleep(600)\n"
    )
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert len(marked(folder)) > 6
        time.sleep(0.5)
        process.send_signal(number)
        try:
            process.wait(60)
        finally:
            process.kill()
    assert process.returncode != 0
    assert marked(folder) == []
    assert not folder.exists()
    assert not Path("/etc/slurm/slurm.conf").is_symlink()
