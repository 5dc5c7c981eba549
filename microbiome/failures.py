"""What is said last when jobs of the workflow failed: which, of what, after how many attempts, and how their logs end.

Snakemake tells of a failure when it happens, which on a cluster is hours and thousands of lines before the end, and
prints whole logs. This is the short list for the one who comes back in the morning.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Failure", "failure_report", "failures", "second_attempts"]

_LOG_LINES, _MOST_SHOWN = 5, 20
# What Snakemake's SLURM executor says of a job in the log of a run, and what it says when the job has failed.
_SUBMITTED = re.compile(r"^Job (\S+) has been submitted with SLURM jobid (\S+) \(log: (.+)\)\.$", re.MULTILINE)
_STATUS = re.compile(r"SLURM-job '(\S+)' failed.*?SLURM status is: '(\w+)'")
_REFUSED = re.compile(r"SLURM sbatch failed\. The error message was '(.*?)'\.$", re.MULTILINE | re.DOTALL)
# The lines of SLURM's own log that tell why it ended a job, and what they mean.
_VERDICT = re.compile(r"^(slurmstepd|sbatch)\S*: error:")
_MEANINGS = {
    "killed for memory": re.compile(r"exceeded (job )?memory limit|oom.?kill|out of memory", re.IGNORECASE),
    "stopped at its time limit": re.compile("DUE TO TIME LIMIT"),
    "lost with its node": re.compile("DUE TO NODE FAIL|DUE to SLURM NODE FAIL", re.IGNORECASE),
    "cancelled": re.compile("CANCELLED AT|DUE TO PREEMPTION"),
}
# The same, where SLURM says it as the state of the job.
_STATES = {
    "OUT_OF_MEMORY": "killed for memory",
    "TIMEOUT": "stopped at its time limit",
    "NODE_FAIL": "lost with its node",
    "CANCELLED": "cancelled",
    "DEADLINE": "stopped at its deadline",
    "BOOT_FAIL": "its node did not start",
}


@dataclass(frozen=True)
class Failure:
    """A job that failed for good.

    Parameters
    ----------
    rule
        Name of its rule.
    about
        What it was about: the values of its wildcards, as the sample.
    attempts
        How many times it was tried.
    logs
        Logs of the rule.
    reason
        Why the scheduler of the cluster ended it, in words; empty where it did not, or there is none.
    scheduler_log
        The log that the scheduler kept of the last attempt; empty where there is none.
    asked
        What the last attempt had asked for, as ``400 MB, 10 min``; empty where nothing is known.
    """

    rule: str
    about: str
    attempts: int
    logs: tuple[str, ...]
    reason: str = ""
    scheduler_log: str = ""
    asked: str = ""


def failure_report(found: Sequence[Failure], waiting: int) -> str:
    """Return the list of jobs that failed, with the last lines of their logs.

    Parameters
    ----------
    found
        The failures; beyond the first 20 only the name is given.
    waiting
        How many jobs were not run because they need what is missing.

    Returns
    -------
    str
        Lines, each with a line break; empty when nothing failed.
    """
    if not found:
        return ""
    jobs = f"{len(found)} job{'s' if len(found) > 1 else ''} failed for good"
    lines = ["", f"{jobs}; {waiting} that need what is missing were not run, all others are done."]
    for number, failure in enumerate(sorted(found, key=lambda failure: (failure.rule, failure.about))):
        lines.append(f"failed: {_headline(failure)}")
        if number < _MOST_SHOWN:
            lines += _ends(failure)
    lines.append("What is done stays done: mend the cause and give the same command again, and only the rest is run.")
    return "\n".join([*lines, ""])


def _headline(failure: Failure) -> str:
    times = f"attempt {failure.attempts}" if failure.attempts > 1 else ""
    asked = f"with {failure.asked}" if failure.asked and failure.reason else ""
    details = ", ".join(part for part in (times, " ".join(part for part in (failure.reason, asked) if part)) if part)
    return f"{failure.rule}{f' of {failure.about}' if failure.about else ''}{f' ({details})' if details else ''}"


def _ends(failure: Failure) -> list[str]:
    """Return the last lines of the logs of a job: those of the rule, and of the scheduler what it decided."""
    lines: list[str] = []
    for log in failure.logs:
        end = _lines(log)[-_LOG_LINES:]
        lines += [f"  {log}{':' if end else ' is empty or was not written'}", *(f"    {line}" for line in end)]
    if failure.scheduler_log:
        said = _lines(failure.scheduler_log)
        end = [line for line in said if _VERDICT.search(line)][-2:] or ([] if failure.logs else said[-_LOG_LINES:])
        lines += [f"  {failure.scheduler_log}{':' if end else ''}", *(f"    {line}" for line in end)]
    return lines


def _lines(path: str, most: int = 1 << 16) -> list[str]:
    """Return the lines of the end of a log that are not blank; of a missing one none."""
    try:
        with Path(path).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - most))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    # A progress bar overwrites its line: its last state is what a terminal shows.
    return [line.rstrip().rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()]


# ------------------------------------------------------------------------------------------- from Snakemake's objects


def failures(workflow: Any, logs: Sequence[str]) -> tuple[list[Failure], int]:
    """Return the jobs of a run that failed for good, and how many others were therefore not run.

    Parameters
    ----------
    workflow
        Snakemake's own object, as a handler in the Snakefile has it.
    logs
        Paths of Snakemake's logs of the run, in which an executor says which job became which of the cluster.
    """
    said = _whole(logs)
    submitted = {job: attempts[-1] for job, attempts in _submissions(said).items()}
    states = dict(_STATUS.findall(said))
    refused = _REFUSED.findall(said)
    found = []
    for job in workflow.scheduler.failed:
        number, slurm_log = submitted.get(str(job.jobid), ("", ""))
        reason = _STATES.get(states.get(number, "")) or _verdict(slurm_log)
        if not number and refused:
            reason = f"not taken by SLURM: {' '.join(refused[-1].split())}"
        members = _culprits(list(job), slurm_log) if job.is_group() else [job]
        resources = job.resources
        asked = f"{resources.get('mem_mb')} MB, {resources.get('runtime')} min" if number else ""
        found += [_failure(member, job.attempt, reason, slurm_log, asked) for member in members]
    dag = workflow.dag
    failed = {member for job in workflow.scheduler.failed for member in (job if job.is_group() else [job])}
    waiting = [job for job in dag.needrun_jobs() if not dag.finished(job) and job not in failed]
    return found, len(waiting)


def second_attempts(logs: Sequence[str]) -> str:
    """Return the list of jobs that were sent to SLURM again and then succeeded, and why: their estimates were too low.

    Parameters
    ----------
    logs
        Paths of Snakemake's logs of the run.

    Returns
    -------
    str
        Lines, each with a line break; empty when each job was sent once.
    """
    said = _whole(logs)
    states = dict(_STATUS.findall(said))
    lines = []
    for attempts in _submissions(said).values():
        # The log of an attempt is removed when it succeeds.
        if len(attempts) == 1 or Path(attempts[-1][1]).exists():
            continue
        for attempt, (number, path) in enumerate(attempts[:-1], start=1):
            reason = _STATES.get(states.get(number, "")) or _verdict(path) or "failed"
            lines.append(f"  {_target(path)}: {reason} in attempt {attempt} of {len(attempts)} (SLURM job {number})")
    if not lines:
        return ""
    return "\n".join(["", "Sent again with more time and memory, and done:", *sorted(lines), ""])


def _whole(logs: Sequence[str]) -> str:
    return "\n".join(line for log in logs for line in _lines(log, most=1 << 30))


def _submissions(said: str) -> dict[str, list[tuple[str, str]]]:
    """Return, of each job, SLURM's number and log of every attempt, from the log of a run."""
    found: dict[str, list[tuple[str, str]]] = {}
    for job, number, path in _SUBMITTED.findall(said):
        found.setdefault(job, []).append((number, path))
    return found


def _target(slurm_log: str) -> str:
    """Return rule and sample of a SLURM job; of a group the rule that failed, else the first."""
    said = "\n".join(_lines(slurm_log))
    targets = dict(
        re.findall(r"(\w+):\w+=(\S+)", "".join(re.findall(r"--target-jobs (.+?) --allowed-rules", said)[:1]))
    )
    rule = next(iter(re.findall(r"^Error in rule (\w+)", said, re.MULTILINE)), next(iter(targets), "a job"))
    return f"{rule} of {targets[rule]}" if rule in targets else rule


def _failure(job: Any, attempts: int, reason: str, slurm_log: str, asked: str) -> Failure:
    about = " ".join(str(value) for value in job.wildcards_dict.values() if str(value))
    return Failure(job.rule.name, about, attempts, tuple(map(str, job.log)), reason, slurm_log, asked)


def _verdict(slurm_log: str) -> str:
    """Return why SLURM ended a job, in words, from its log; empty where it did not."""
    said = "\n".join(line for line in _lines(slurm_log) if _VERDICT.search(line))
    return next((words for words, meaning in _MEANINGS.items() if meaning.search(said)), "")


def _culprits(jobs: Collection[Any], slurm_log: str) -> list[Any]:
    """Return which jobs of a group failed.

    SLURM's log has the errors of the rules in it; where the whole group was killed it has none, and it was the one that
    wrote its log last.
    """
    named = set(re.findall(r"^ +log: (.+?) \(check log file", "\n".join(_lines(slurm_log)), re.MULTILINE))
    found = [job for job in jobs if any(str(log) in words.split(", ") for log in job.log for words in named)]
    if found:
        return found
    written = [(Path(log).stat().st_mtime_ns, job) for job, log in _logs(jobs) if Path(log).is_file()]
    return [max(written, key=lambda pair: pair[0])[1]] if written else list(jobs)


def _logs(jobs: Iterable[Any]) -> list[tuple[Any, str]]:
    return [(job, str(log)) for job in jobs for log in job.log]
