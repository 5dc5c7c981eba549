"""A stand-in for conda, which cannot download anything where the tests run.

It answers what Snakemake asks of conda, and makes an environment of the programs that are installed here: of those,
only the ones that the packages named in the YAML file bring. While such an environment is active nothing else is on
PATH, no other Python and no other tool; a rule that forgot its environment, or names one that lacks a program, fails.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

__all__ = ["PROGRAMS", "install"]

_BOWTIE2 = ("bowtie2*", "perl*")
_METAPHLAN = ("metaphlan", "read_fastx.py", "sample2markers.py", "strainphlan", "extract_markers.py")
#: What each package brings, with what it depends on; ``python:PLACE`` is the interpreter beside that program.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "blast": ("blastn", "makeblastdb"),
    "bowtie2": (*_BOWTIE2, "python:"),
    "bracken": ("bracken*",),
    "fastp": ("fastp",),
    "humann": ("humann*", "diamond", "glpsol", *_BOWTIE2, "python:humann"),
    "kraken2": ("kraken2*", "perl*", "python:"),
    "mafft": ("mafft*",),
    "metaphlan": (*_METAPHLAN, "phylophlan*", *_BOWTIE2, "python:metaphlan"),
    "multiqc": ("multiqc", "python:multiqc"),
    "python": ("python:",),
    "raxml": ("raxmlHPC*",),
    "samtools": ("samtools",),
    "sourmash": ("sourmash", "python:sourmash"),
}

_CONDA = """#!{python}
import json, os, re, stat, sys
from pathlib import Path

base = Path({base!r})
words = sys.argv[1:]
with (base / "asked").open("a") as log:
    log.write(" ".join(words) + "\\n")
if words == ["--version"]:
    print("conda 25.1.1")
elif words == ["info", "--json"]:
    print(json.dumps({{"conda_prefix": str(base), "platform": "linux-64", "envs": [], "root_prefix": str(base)}}))
elif words[:3] == ["config", "--get", "channel_priority"]:
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif words[:2] == ["env", "create"]:
    file, prefix = (Path(words[words.index(option) + 1]) for option in ("--file", "--prefix"))
    programs = json.loads((base / "programs.json").read_text())
    (prefix / "bin").mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "history").write_text("")
    packages = re.findall(r"^  - ([a-z0-9_-]+)=", file.read_text(), re.M)
    for package in packages:
        for name, place in programs[package].items():
            # Of two interpreters that of the program counts: it finds the packages beside it, as those of conda do.
            if name.startswith("python") and package == "python" and (prefix / "bin" / name).exists():
                continue
            (prefix / "bin" / name).unlink(missing_ok=True)
            if name.startswith("python"):
                # Not a link: through one the interpreter would look for its packages here.
                (prefix / "bin" / name).write_text(f'#!/bin/sh\\nexec "{{place}}" "$@"\\n')
                (prefix / "bin" / name).chmod(0o755)
            else:
                (prefix / "bin" / name).symlink_to(place)
    with (base / "made").open("a") as log:
        log.write(f"{{prefix}}\\t{{' '.join(packages)}}\\n")
elif words[0] != "clean":
    sys.exit(f"the stand-in for conda does not know: {{words}}")
"""
_ACTIVATE = """echo "$1" >> "{base}/activated"
export CONDA_PREFIX="$1"
export PATH="$1/bin:{base}/basics"
"""


def install(base: Path, scripts: Path) -> None:
    """Put the stand-in into ``base/bin``, which is to come first on PATH.

    Parameters
    ----------
    base
        New folder, without a space in its path (Snakemake does not quote it). It will hold ``made`` (environments and
        their packages) and ``activated`` (one line per job).
    scripts
        Folder of the scripts of the workflow, which stay on PATH as they do with the real conda.
    """
    (base / "bin").mkdir(parents=True)
    (base / "basics").mkdir()
    plain = str(getattr(sys, "_base_executable", sys.executable))
    found: dict[str, dict[str, str]] = {}
    for package, patterns in PROGRAMS.items():
        found[package] = {}
        for pattern in patterns:
            if pattern.startswith("python:"):
                beside = pattern.removeprefix("python:")
                place = _interpreter_of(beside) if beside else plain
                found[package] |= {"python": place, "python3": place}
            else:
                found[package].update(_matching(pattern))
    (base / "programs.json").write_text(json.dumps(found))
    written = {"conda": _CONDA.format(python=plain, base=str(base)), "activate": _ACTIVATE.format(base=base)}
    for name, text in written.items():
        (base / "bin" / name).write_text(text)
        (base / "bin" / name).chmod(0o755)
    # The system's own programs, none of the tools and no Python, and what the workflow itself brings.
    tools = {name for programs in found.values() for name in programs}
    for folder in ("/bin", "/usr/bin"):
        for program in Path(folder).iterdir():
            target = base / "basics" / program.name
            if program.name not in tools and not program.name.startswith("python") and not target.exists():
                target.symlink_to(program)
    (base / "basics" / "microbiome").symlink_to(str(shutil.which("microbiome")))
    for script in scripts.glob("*.py"):
        (base / "basics" / script.name).symlink_to(script)


def _matching(pattern: str) -> dict[str, str]:
    """Return the programs on PATH of that name, with ``*`` at its end those that begin so."""
    found: dict[str, str] = {}
    for folder in os.environ["PATH"].split(os.pathsep):
        if Path(folder).is_dir():
            for program in sorted(Path(folder).glob(pattern)):
                found.setdefault(program.name, str(program))
    return found


def _interpreter_of(program: str) -> str:
    """Return the interpreter of a Python program that is on PATH; a program that is absent has none."""
    place = shutil.which(program)
    if place is None:
        return "/nonexistent/python3"
    return Path(place).resolve().read_text("utf-8").split("\n", 1)[0].removeprefix("#!").strip()
