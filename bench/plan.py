"""Planning of the workflow: a dry run, and the time until the first jobs start, of 500, 2,000 and 5,000 samples.

From FASTQ with removal of host reads and strains, five jobs a sample; and with every option on (reads brought to one
depth, StrainPhlAn, HUMAnN), eight. Files are stand-ins, programs only say their version; of a real run the first jobs
are awaited, and then it is stopped. A growth curve is printed as a table.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Run, measure

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))
from stand_in_study import write_programs, write_study  # noqa: E402

TARGET = "target 90 s, 1000 MB at 5000"
# What of the stand-in study is not on unless it is asked for.
MORE = ("rarefy_reads", "strains", "function")


def command(*words: str) -> list[str]:
    """Return the command of the workflow for the study in the current folder."""
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
        *("--configfile", "config.yaml", "--cores", "2", *words),
    ]


def first_jobs(folder: Path, environment: dict[str, str], patience: float = 1800) -> Run:
    """Start a run, wait until its first job is started, stop it as Ctrl-C does; return what it took until then."""
    log = folder / "first.log"
    start = time.perf_counter()
    with log.open("w") as stream:
        process = subprocess.Popen(
            command(), cwd=folder, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
        while "\nJob " not in log.read_text(errors="replace"):
            if process.poll() is not None or time.perf_counter() - start > patience:
                sys.exit(f"no job was started\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        wall = time.perf_counter() - start
        peak = peak_mb(process.pid)
        process.send_signal(signal.SIGINT)
        _, _, usage = os.wait4(process.pid, 0)
    return Run(wall, usage.ru_utime + usage.ru_stime, peak)


def peak_mb(process: int) -> float:
    """Return the largest memory that a running process has had."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[500, 2000, 5000])
    arguments = parser.parse_args()
    print(f"planning of the workflow ({TARGET})")
    print("  samples  options  step                  wall s     CPU s    peak MB")
    for samples in arguments.samples:
        for options in ("usual", "every"):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                config = write_study(folder, samples)
                if options == "usual":
                    config = {key: value for key, value in config.items() if key not in MORE}
                (folder / "config.yaml").write_text(json.dumps(config))
                programs = write_programs(folder / "programs")
                path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
                environment = os.environ | {"PATH": path}
                runs = {
                    "dry run": measure(command("--dry-run"), folder, environment),
                    "until the first job": first_jobs(folder, environment),
                }
            for step, run in runs.items():
                print(
                    f"  {samples:7d}  {options:<7}  {step:<20} {run.wall:7.1f}  {run.cpu:8.1f}  {run.peak_mb:9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
