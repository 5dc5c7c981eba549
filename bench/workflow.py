"""Wall time of the workflow on the demo against the same commands, two at a time, in a plain shell script.

The commands of the script are those that Snakemake itself prints, so that both do the same work; the script knows
what has to wait for
what and nothing else. The time of the workflow is that of the whole process, with its start and the check of the input.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import measure, print_pair

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent

# What a plain script runs after the samples, stage by stage; within a stage two commands at a time.
STAGES = (
    ("printf", "microbiome merge", "microbiome reads", "run_checked.py"),
    (
        *("microbiome alpha", "microbiome beta", "microbiome limits", "microbiome outcomes", "microbiome nulls"),
        *("microbiome changes", "microbiome sensitivity"),
    ),
    (
        *("microbiome ordinate", "microbiome permanova", "microbiome similarity", "microbiome rates"),
        *("microbiome taxa", "microbiome retention", "microbiome decomposition"),
    ),
    ("microbiome compare", "microbiome trajectories"),
    ("microbiome provenance",),
    ("microbiome report",),
)
PER_SAMPLE = ("merge_units.py", "fastp_sample.py", "remove_host.py", "profile_sample.py")


def snakemake(*words: str) -> list[str]:
    """Return the command of the workflow for the trial in the current folder."""
    return ["snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "trial/config.yaml", *words]


def commands(folder: Path, environment: dict[str, str], *words: str) -> list[str]:
    """Return the shell commands of the workflow, each after those it needs; `words` are more options of Snakemake."""
    done = subprocess.run(
        snakemake("--dry-run", "--printshellcmds", *words),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    # A command ends at the next of Snakemake's own lines.
    pattern = r"^Shell command: (.*?)\n(?=\n|\[|Would remove|Job )"
    found = re.findall(pattern, done.stdout + done.stderr, flags=re.MULTILINE | re.DOTALL)
    return [command for command in found if command != "None"]


def write_plain(folder: Path, found: list[str]) -> Path:
    """Write the plain script and the files it runs; return its path."""
    scripts = folder / "plain"
    scripts.mkdir()
    samples: dict[str, list[str]] = {}
    stages: list[list[str]] = [[] for _ in STAGES]
    for command in found:
        words = command.split()
        name = " ".join(words[:2]) if words[0] == "microbiome" else words[0]
        if name in PER_SAMPLE:
            sample = re.search(r"--(?:sample|report_title) (\S+)", command)
            assert sample is not None, command
            samples.setdefault(sample.group(1), []).append(command)
        else:
            stages[next(i for i, names in enumerate(STAGES) if name in names)].append(command)
    folders = {str(Path(path).parent) for command in found for path in re.findall(r"results/[\w./-]+", command)}
    lines = ["#!/usr/bin/env bash", "set -euo pipefail", "mkdir -p " + " ".join(sorted(folders))]
    for i, chains in enumerate([list(samples.values()), *([[command] for command in stage] for stage in stages)]):
        for j, chain in enumerate(chains):
            # Each sample's steps one after the other; they come in that order.
            chain.sort(key=lambda c: PER_SAMPLE.index(c.split()[0]) if c.split()[0] in PER_SAMPLE else 0)
            (scripts / f"{i}_{j:04d}.sh").write_text("set -euo pipefail\n" + "\n".join(chain) + "\n")
        lines.append(f"printf '%s\\n' plain/{i}_*.sh | xargs -P 2 -n 1 bash")
    path = folder / "plain.sh"
    path.write_text("\n".join(lines) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it")
    arguments = parser.parse_args()
    path = os.pathsep.join(
        [str(PROGRAMS), str(REPOSITORY / "workflow" / "scripts"), os.environ.get("PATH", os.defpath)]
    )
    environment = os.environ | {"PATH": path}
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as temporary:
        base = (arguments.keep or Path(temporary)).resolve()
        base.mkdir(exist_ok=True)
        simulate = ["microbiome", "simulate", "--output", "trial", "--reads", "--seed", "1", "--results", "results"]
        subprocess.run(simulate, cwd=base, env=environment, check=True, capture_output=True)
        for run in range(arguments.runs):
            for kind in ("plain", "workflow"):
                folder = base / f"{kind}_{run}"
                folder.mkdir()
                shutil.copytree(base / "trial", folder / "trial")
                if kind == "plain":
                    script = write_plain(folder, commands(folder, environment))
                    theirs.append(measure(["bash", script], folder, environment))
                else:
                    ours.append(measure(snakemake("--cores", "2"), folder, environment))
            equal = same(base / f"plain_{run}", base / f"workflow_{run}")
            print(f"run {run + 1}: tables of both are {'equal' if equal else 'DIFFERENT'}", flush=True)
    print_pair("workflow on the demo, 2 cores", ours, theirs, "plain shell script", ">= 0.67 (workflow / plain <= 1.5)")
    cpu = [sum(run.cpu for run in runs) / len(runs) for runs in (ours, theirs)]
    print(f"  CPU time {cpu[0]:.0f} s against {cpu[1]:.0f} s")


def same(first: Path, second: Path) -> bool:
    """Tell whether two folders hold the same tables of results."""
    patterns = ("profiles/*_profile.tsv", "profiles/merged.tsv", "qc/reads.tsv", "diversity/*.tsv", "outcomes/*.tsv")
    tables = [
        {path.name: path.read_bytes() for pattern in patterns for path in (folder / "results").glob(pattern)}
        for folder in (first, second)
    ]
    return len(tables[0]) > 0 and tables[0] == tables[1]


if __name__ == "__main__":
    main()
