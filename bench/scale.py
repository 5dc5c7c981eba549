"""Time and memory of every step after the profiles, for studies of 500 to 5,000 samples x 3,000 taxa, and their growth.

The steps are the commands that the workflow itself prints for such a study that starts from finished profiles, with
every default (and PERMANOVA of two factors); each runs in a process of its own with one thread, as its rule asks for,
one after the other. `microbiome merge` of as many single profiles stands beside them. There is no peer that does this:
the measure is the target, 10 minutes in all and 4 GB for each step at 5,000 samples, and 2 GB for the merge.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from measure import Run, measure

from workflow import PROGRAMS, REPOSITORY, commands, snakemake

SIZES = (500, 1000, 2000, 5000)
TAXA = 3000
MERGE = "merge of single profiles"
DOCUMENT = REPOSITORY / "docs" / "scale.md"
# Seconds of CPU that starting a process and importing the libraries takes.
START = 1.0

PAGE = """# How far it goes

Written by `python bench/scale.py --write`: one run on one machine, each step in a process of its own with one thread,
as its rule asks for. CPU time is what counts: wall time depends on what else the machine does, and the workflow runs as
many steps at a time as it is given cores.

The study is made by `bench/study.py`: {taxa} SGBs with all ranks above them, about 300 in a sample; recipients with a
baseline and four post samples each, a fifth of them on placebo; donors of five products each. The steps are all
that the workflow runs on finished profiles with every default, and PERMANOVA of two factors. The target is ten minutes
and 4 GB for 5,000 samples, and 2 GB for merging as many single profiles.

{together}

![CPU time and memory against the number of samples](scale/growth.svg)

## Step by step

CPU time in seconds and peak memory in MB of each step; *growth* is b where the time grows as the number of samples to
the power of b, between the two largest studies (1 s for the start of the process taken off).

{steps}

{missing}## What keeps it so

* Profiles are merged one after the other and only what is not 0 is kept: at most 64 bytes for each clade that a profile
  lists (tested). Merged tables are read row by row, and nine in ten cells, which are 0, are never taken for text.
* Tables of millions of rows (`outcomes.tsv`) are written in pieces, and distances row by row.
* Between more than 1,000 samples distances are sums over the taxa that a sample has, or matrix products, and pairs that
  lie close are measured by the definition: the same to rounding. Of more than 1,000 samples ordination finds all
  eigenvalues, but only the eigenvectors that are asked for.
* `sensitivity` counts calls without writing them down; orders of subjects are drawn once for tests of one design.
* `match` learns from and is judged on at most 100,000 taxa of samples, whole samples drawn at random, everybody's first
  one before anybody's second (`--rows`); a tree of the forest gets 5,000 of more than 50,000 rows; of more than 20
  donors (or cohorts) ten parts are held out in turn; of more than 1,000 pairs of recipient and donor those of
  recipients who received nothing yet are foretold first (`--most-pairs`). The tables say so.
* What still grows with the square of the samples is distances and their text, and with the cube ordination.
"""


def environment() -> dict[str, str]:
    """Return the variables of a job: our programs first, and as many threads as the rules ask for, one."""
    places = [str(PROGRAMS), str(REPOSITORY / "workflow" / "scripts"), os.environ.get("PATH", os.defpath)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | threads | {"PATH": os.pathsep.join(places)}


def name_of(command: str) -> str:
    """Return the name of a step: that of the table it writes."""
    found = re.search(r"(?:-o|>) (\S+)", command)
    return Path(found[1]).stem if found else command[:40]


def prepare(folder: Path, samples: int, singles: bool) -> dict[str, list[str]]:
    """Write the study, unless it is there; return the commands of the workflow, and the merge, by name."""
    trial = folder / "trial"
    # In a process of its own: a job inherits the memory of the process that starts it.
    program = [sys.executable, str(Path(__file__).with_name("study.py")), str(trial), "--samples", str(samples)]
    for done, more in ((trial / "profile.tsv", []), (trial / "list.txt", ["--singles"])):
        if not done.exists() and (singles or not more):
            subprocess.run([*program, "--taxa", str(TAXA), *more], check=True)
    found = [command for command in commands(folder, environment(), "--forceall") if command.startswith("microbiome")]
    for place in {Path(path).parent for command in found for path in re.findall(r"results/[\w./-]+", command)}:
        (folder / place).mkdir(parents=True, exist_ok=True)
    # Lists of files that commands take (@FILE), and the configuration, are written by rules that run no command.
    given = sorted(
        {path for command in found for path in re.findall(r"(?:@| )(results/(?:lists/\S+|config\.json))", command)}
    )
    if given:
        subprocess.run(
            snakemake("--cores", "1", *given), cwd=folder, env=environment(), capture_output=True, check=True
        )
    steps = {name_of(command): ["bash", "-c", command] for command in found}
    merge = ["microbiome", "merge", "--list", str(trial / "list.txt"), "-o", str(folder / "merged.tsv")]
    return {**steps, MERGE: merge}


def run_size(folder: Path, samples: int, only: str) -> dict[str, Run]:
    """Run all steps of one study in turn, and say what each took; those not asked for as they were before."""
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "runs.json"
    runs = {name: Run(**row) for name, row in json.loads(known.read_text()).items()} if known.exists() else {}
    steps = prepare(folder, samples, re.search(only, MERGE) is not None)
    for name, command in steps.items():
        if re.search(only, name):
            runs[name] = run = measure(command, folder, environment(), may_fail=True)
            failed = f"  FAILED with {run.code}: {shlex.join(command)[:300]}" if run.code else ""
            print(f"  {name:<32} {run.wall:8.1f} s {run.cpu:8.1f} s CPU {run.peak_mb:6.0f} MB{failed}", flush=True)
            known.write_text(json.dumps({step: asdict(took) for step, took in runs.items()}, indent=1))
    return {name: runs[name] for name in steps if name in runs}


def growth(small: Run, large: Run, times: float) -> str:
    """Return the exponent b of CPU time as size^b between two sizes; the start of a process is taken off both."""
    first, last = (max(run.cpu - START, 0.0) for run in (small, large))
    return f"{math.log(last / first) / math.log(times):.1f}" if min(first, last) > 0.5 else ""


def page(found: dict[int, dict[str, Run]]) -> str:
    """Return the document: what is measured, the table of all steps, and what it comes to."""
    sizes = sorted(found)
    largest = found[sizes[-1]]
    names = list(largest)
    head = "| step | " + " | ".join(f"{size:,}: CPU s, MB" for size in sizes) + " | growth |"
    lines = [head, "| --- |" + " ---: |" * (len(sizes) + 1)]
    # The slowest first.
    for name in sorted(names, key=lambda name: -largest[name].cpu):
        cells = []
        for size in sizes:
            run = found[size].get(name)
            cells.append("" if run is None else "failed" if run.code else f"{run.cpu:.1f}, {run.peak_mb:.0f}")
        before = found[sizes[-2]].get(name) if len(sizes) > 1 else None
        power = growth(before, largest[name], sizes[-1] / sizes[-2]) if before else ""
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {power} |")
    steps = {size: [run for name, run in found[size].items() if name != MERGE] for size in sizes}
    sums = [
        f"| {size:,} | {len(steps[size])} | {sum(r.cpu for r in steps[size]):.0f} | "
        f"{sum(r.wall for r in steps[size]):.0f} | {max(r.peak_mb for r in steps[size]):.0f} |"
        for size in sizes
    ]
    table = ["| samples | steps | CPU s together | wall s together | most memory of a step, MB |", "| ---: " * 5 + "|"]
    missing = sorted({name for size in sizes for name in found[size]} - set(names))
    return PAGE.format(
        taxa=f"{TAXA:,}",
        largest=f"{sizes[-1]:,}",
        together="\n".join([*table, *sums]),
        steps="\n".join(lines),
        missing=f"Not measured at {sizes[-1]:,} samples: {', '.join(missing)}.\n\n" if missing else "",
    )


def draw(found: dict[int, dict[str, Run]], path: Path) -> None:
    """Draw CPU time and memory of all steps together against the number of samples."""
    import altair as alt
    import pandas as pd

    from microbiome.report.figures.parts import finish, tips
    from microbiome.report.svg import write_svg

    rows = []
    for size, runs in sorted(found.items()):
        steps = [run for name, run in runs.items() if name != MERGE]
        both = {"all steps, one after the other": steps, MERGE: [runs[MERGE]] if MERGE in runs else []}
        for what, some in both.items():
            if some:
                rows.append((size, what, sum(run.cpu for run in some), max(run.peak_mb for run in some) / 1000))
    points = pd.DataFrame(rows, columns=["samples", "what", "cpu_seconds", "peak_gb"])
    charts = []
    for column, title in (("cpu_seconds", "CPU time (s)"), ("peak_gb", "most memory of a process (GB)")):
        base = alt.Chart(points).encode(
            x=alt.X("samples:Q", title="samples", scale=alt.Scale(domainMin=0)),
            y=alt.Y(f"{column}:Q", title=title, scale=alt.Scale(domainMin=0)),
            color=alt.Color("what:N", title=None),
            tooltip=tips("what:N", "samples:Q", cpu_seconds=".0f", peak_gb=".2f"),
        )
        charts.append((base.mark_line() + base.mark_point(filled=True, size=45)).properties(width=300, height=220))
    chart = finish(alt.hconcat(*charts), "CPU time and memory against the number of samples.")
    write_svg(chart, points, path, "time and memory against the number of samples, one run on one machine")


def main() -> None:
    """Print what every step takes; with --write also into docs/scale.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", default="", metavar="REGEX", help="only steps with such a name")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it; what is there is used again")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md and its figure")
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        base = (arguments.keep or Path(temporary)).resolve()
        for samples in arguments.samples:
            print(f"{samples} samples x {TAXA} taxa", flush=True)
            found[samples] = runs = run_size(base / str(samples), samples, arguments.only)
            steps = [run for name, run in runs.items() if name != MERGE]
            wall, cpu = sum(run.wall for run in steps), sum(run.cpu for run in steps)
            most = max((run.peak_mb for run in steps), default=0.0)
            print(f"  {len(steps)} steps together {wall:.0f} s, {cpu:.0f} s CPU; at most {most:.0f} MB", flush=True)
    if arguments.write:
        draw(found, DOCUMENT.parent / "scale" / "growth.svg")
        DOCUMENT.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
