"""A simulated trial that runs through Snakemake on the test cluster, with faults on the way."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slurm import ACCOUNT, PARTITION, Slurm

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# Options of this test alone: a person can wait longer for the next look at the queue.
QUICK = ["--slurm-init-seconds-before-status-checks", "4", "--seconds-between-status-checks", "4"]
# Rules that run once for each sample.
PER_SAMPLE = ("merge_units", "fastp", "remove_host", "metaphlan", "strain_alleles", "humann")


@dataclass(frozen=True)
class Run:
    """One call of Snakemake: its exit code, all that it said, and how long it took."""

    code: int
    said: str
    seconds: float

    @property
    def end(self) -> str:
        """What it said last: the list of failures."""
        found = re.search(
            r"^\d+ jobs? failed for good.*?same command again[^\n]*$", self.said, re.MULTILINE | re.DOTALL
        )
        return found.group() if found else ""

    @property
    def finished(self) -> Counter[str]:
        """How many jobs of each rule were finished; those for single and for paired reads count as one rule."""
        rules = re.findall(r"^Finished jobid: \S+ \(Rule: (\w+)\)", self.said, re.MULTILINE)
        return Counter(re.sub("_(paired|single)$", "", rule) for rule in rules)

    @property
    def submitted(self) -> list[int]:
        """Numbers of its SLURM jobs, in the order of their submission."""
        return [int(number) for number in re.findall(r"has been submitted with SLURM jobid (\d+)", self.said)]


def stop(process: subprocess.Popen[bytes], patience: float = 30) -> None:
    """Stop Snakemake as Ctrl-C does: it cancels its jobs (a SIGTERM would let it wait for them)."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Trial:
    """A folder with a simulated trial, the profile, and programs that stand in for others.

    Parameters
    ----------
    folder
        Where Snakemake is started.
    samples
        Its samples.
    """

    folder: Path
    samples: tuple[str, ...]

    @classmethod
    def simulate(cls, folder: Path, *options: str) -> Trial:
        """Simulate a trial in the folder ``trial`` of a new folder."""
        folder.mkdir()
        words = ["microbiome", "simulate", "--output", "trial", "--reads", *options]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
        (folder / "stand-ins").mkdir()
        rows = (folder / "trial" / "samples.tsv").read_text("utf-8").splitlines()[1:]
        return cls(folder, tuple(row.split("\t")[0] for row in rows))

    def profile(self, cluster: Slurm) -> Path:
        """Copy profiles/slurm with what a user has to set: account and partition, or how to ask without accounting."""
        text = (REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text("utf-8")
        changes = {
            "#default-resources:": "default-resources:",
            "#  slurm_partition: my_partition": f"  slurm_partition: {PARTITION}",
        }
        if cluster.accounting:
            changes["#  slurm_account: my_account"] = f"  slurm_account: {ACCOUNT}"
            changes["slurm-no-account: true"] = ""
        else:
            changes["#slurm-status-command: squeue"] = "slurm-status-command: squeue"
        for old, new in changes.items():
            assert text.count(old) == 1, f"profiles/slurm/config.yaml: {old}"
            text = text.replace(old, new)
        place = self.folder / "profile"
        place.mkdir(exist_ok=True)
        (place / "config.yaml").write_text(text, encoding="utf-8")
        return place

    def stand_in(self, program: str, script: str) -> None:
        """Put a program first on PATH that does something before it becomes the one of that name."""
        path = self.folder / "stand-ins" / program
        path.write_text(f'#!/bin/bash\n{script}\nexec {shutil.which(program)} "$@"\n', encoding="utf-8")
        path.chmod(0o755)

    def run(self, cluster: Slurm, *options: str, meanwhile: Callable[[str], bool] = lambda _said: True) -> Run:
        """Run the workflow on the cluster.

        Parameters
        ----------
        cluster, options
            Where, and further options of Snakemake.
        meanwhile
            Is given, every other moment, what was said so far, until it returns True or the run is over.
        """
        path = f"{self.folder / 'stand-ins'}:{cluster.environment['PATH']}"
        command = ["snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "trial/config.yaml"]
        command += ["--workflow-profile", str(self.profile(cluster)), *QUICK, *options]
        log, start = self.folder / "said", time.monotonic()
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                command, cwd=self.folder, stdout=out, stderr=out, env=cluster.environment | {"PATH": path}
            )
            try:
                done = False
                while process.poll() is None:
                    done = done or meanwhile(log.read_text("utf-8"))
                    time.sleep(0.5)
            finally:
                stop(process)
        return Run(process.returncode, log.read_text("utf-8"), time.monotonic() - start)

    def times(self, *patterns: str) -> dict[str, int]:
        """Return when each result (of those that the patterns name) was written; logs are none."""
        results = self.folder / "results"
        files = [path for pattern in patterns or ("**/*",) for path in results.glob(pattern) if path.is_file()]
        found = {str(path.relative_to(results)): path.stat().st_mtime_ns for path in files}
        return {path: when for path, when in found.items() if not path.startswith(("logs/", "benchmarks/"))}
