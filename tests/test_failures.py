"""What is said last when jobs failed, from logs as Snakemake, its SLURM plugin and SLURM 22.05 to 24.11 write them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from snakemake.cli import parse_args

from microbiome.failures import Failure, failure_report, failures, second_attempts

KILLED = "slurmstepd-n1: error: StepId=7.0 exceeded memory limit (2644824064 > 2621440000), being killed"
OOM = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch. Some of the step tasks have been OOM Killed."
LATE = "slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T15:43:27 DUE TO TIME LIMIT ***"
GONE = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T15:43:27 DUE TO NODE FAILURE, SEE SLURMCTLD LOG ***"


@dataclass(frozen=True)
class Job:
    """As much of a job of Snakemake as is read, or of a group of jobs."""

    name: str
    sample: str = ""
    log: tuple[str, ...] = ()
    members: tuple[Job, ...] = ()
    jobid: object = 7
    attempt: int = 3
    resources: Any = field(default_factory=lambda: {"mem_mb": 7500, "runtime": 30}, hash=False)

    @property
    def rule(self) -> SimpleNamespace:
        return SimpleNamespace(name=self.name)

    @property
    def wildcards_dict(self) -> dict[str, str]:
        return {"sample": self.sample} if self.sample else {}

    def is_group(self) -> bool:
        return bool(self.members)

    def __iter__(self) -> Iterator[Job]:
        return iter(self.members)


def workflow(*failed: Job, needed: tuple[Job, ...] = (), finished: tuple[Job, ...] = ()) -> SimpleNamespace:
    dag = SimpleNamespace(needrun_jobs=lambda: iter((*failed, *needed)), finished=lambda job: job in finished)
    return SimpleNamespace(scheduler=SimpleNamespace(failed=set(failed)), dag=dag)


def written(folder: Path, name: str, *lines: str) -> str:
    path = folder / name
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


def run_log(folder: Path, *more: str, job: object = 7) -> str:
    first = f"Job {job} has been submitted with SLURM jobid 6 (log: {folder}/6.log)."
    last = f"Job {job} has been submitted with SLURM jobid 7 (log: {folder}/7.log)."
    return written(folder, "run.log", "Building DAG of jobs...", first, last, *more)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (KILLED, "killed for memory"),
        (OOM, "killed for memory"),
        (LATE, "stopped at its time limit"),
        (GONE, "lost with its node"),
    ],
)
def test_why_slurm_ended_a_job_is_read_from_its_log(tmp_path: Path, line: str, reason: str) -> None:
    written(tmp_path, "6.log", "slurmstepd: error: of an earlier attempt")
    written(tmp_path, "7.log", "SNAKEMAKE", line, "WorkflowError:", "At least one job did not complete successfully.")
    rule_log = written(tmp_path, "fastp.log", *(f"line {number}" for number in range(9)))
    found, waiting = failures(workflow(Job("fastp", "S1", (rule_log,))), [run_log(tmp_path)])
    assert (found[0].reason, found[0].asked, waiting) == (reason, "7500 MB, 30 min", 0)
    text = failure_report(found, waiting)
    assert f"failed: fastp of S1 (attempt 3, {reason} with 7500 MB, 30 min)" in text
    assert f"    {line}" in text
    assert ("    line 3\n" in text, "    line 4\n" in text, "    line 8\n" in text) == (False, True, True)
    assert "earlier attempt" not in text


def test_the_state_that_slurm_gave_comes_before_the_log(tmp_path: Path) -> None:
    said = (
        "    message: SLURM-job '7' failed, SLURM status is: 'OUT_OF_MEMORY'. Reason: Unknown.For further error details"
    )
    found, _ = failures(workflow(Job("fastp", "S1")), [run_log(tmp_path, said)])
    assert found[0].reason == "killed for memory"
    node = "    message: SLURM-job '7' failed due to a node failure, SLURM status is: 'NODE_FAIL'. Failed nodes will be"
    found, _ = failures(workflow(Job("fastp", "S1")), [run_log(tmp_path, node)])
    assert found[0].reason == "lost with its node"


def test_a_job_that_slurm_did_not_take_says_so(tmp_path: Path) -> None:
    said = (
        "    message: SLURM sbatch failed. The error message was 'sbatch: error: invalid partition specified: x\n"
        "sbatch: error: Batch job submission failed: Invalid partition name specified'.\n    sbatch call:"
    )
    found, _ = failures(workflow(Job("fastp", "S1", jobid=1)), [written(tmp_path, "run.log", said)])
    assert "invalid partition specified: x sbatch: error" in found[0].reason
    assert found[0].asked == ""


def test_of_a_group_only_the_job_that_failed_is_named(tmp_path: Path) -> None:
    logs = [written(tmp_path, f"{name}.log", name) for name in ("merge", "trim", "host")]
    members = tuple(Job(Path(log).stem, "S1", (log,)) for log in logs)
    group = Job("reads", members=members, jobid="2f4a-1")
    run = run_log(tmp_path, job="2f4a-1")
    written(
        tmp_path, "7.log", "Error in rule trim:", f"    log: {logs[1]} (check log file(s) for error details)", KILLED
    )
    found, _ = failures(workflow(group), [run])
    assert [(failure.rule, failure.reason) for failure in found] == [("trim", "killed for memory")]
    # Killed as a whole, SLURM's log names no rule: then it was the one that wrote last.
    written(tmp_path, "7.log", LATE)
    os.utime(logs[0], (2e9, 2e9))
    found, _ = failures(workflow(group), [run])
    assert [(failure.rule, failure.reason) for failure in found] == [("merge", "stopped at its time limit")]


def test_jobs_that_were_sent_again_are_listed_with_the_reason(tmp_path: Path) -> None:
    command = "  Command: snakemake --target-jobs merge:sample=S1 trim:sample=S1 --allowed-rules merge trim --cores all"
    written(tmp_path, "6.log", command, "Error in rule trim:", KILLED)
    run = run_log(tmp_path)
    assert second_attempts([run]).splitlines()[1:] == [
        "Sent again with more time and memory, and done:",
        "  trim of S1: killed for memory in attempt 1 of 2 (SLURM job 6)",
    ]
    written(tmp_path, "6.log", command, LATE)
    assert "  merge of S1: stopped at its time limit in attempt 1 of 2" in second_attempts([run])
    # SLURM's log of the last attempt is there: it failed, too.
    written(tmp_path, "7.log", command, LATE)
    assert second_attempts([run]) == ""
    assert second_attempts([]) == ""


def test_jobs_that_wait_are_counted_and_those_that_failed_are_not(tmp_path: Path) -> None:
    failed, done, waits = Job("a"), Job("b", jobid=8), Job("c", jobid=9)
    found, waiting = failures(workflow(failed, needed=(done, waits), finished=(done,)), [])
    assert (len(found), waiting) == (1, 1)
    assert failure_report(found, waiting).startswith("\n1 job failed for good; 1 that need")


def test_a_long_list_is_complete_but_shows_few_logs(tmp_path: Path) -> None:
    log = written(tmp_path, "x.log", "\xfe progress 1\rprogress 2", "", "the end ")
    text = failure_report([Failure("fastp", f"S{number}", 1, (log,)) for number in range(30)], 0)
    assert text.count("failed: fastp of S") == 30
    assert text.count("    the end\n") == 20
    assert text.count("    progress 2\n") == 20
    assert failure_report([], 5) == ""


def test_logs_that_are_missing_are_said_to_be(tmp_path: Path) -> None:
    text = failure_report([Failure("fastp", "S1", 1, (str(tmp_path / "no.log"),))], 0)
    assert f"  {tmp_path}/no.log is empty or was not written\n" in text
    assert "failed: fastp of S1\n" in text


@pytest.mark.parametrize("option", ["--workflow-profile", "--profile"])
def test_every_line_of_the_slurm_profile_takes_effect(
    repository: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Snakemake reads profiles/default after a --profile: nothing in there may undo a line for the cluster."""
    monkeypatch.chdir(repository)
    profile = yaml.safe_load((repository / "profiles" / "slurm" / "config.yaml").read_text("utf-8"))
    _, args = parse_args([option, "profiles/slurm"])
    for key, value in profile.items():
        got = getattr(args, key.replace("-", "_"))
        if key == "quiet":
            got, value = {str(item).lower().rsplit(".", 1)[-1] for item in got}, set(value)
        assert got == value, key
