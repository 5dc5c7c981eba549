"""The programs that the workflow calls: whether they are there and new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from microbiome.errors import Problem

__all__ = [
    "BRACKEN",
    "HUMANN_TOOLS",
    "KRAKEN2",
    "SOURMASH",
    "STRAINPHLAN_TOOLS",
    "TOOLS",
    "Tool",
    "check_tools",
    "installed_version",
    "version_in",
]

# MetaPhlAn takes seconds to print its version, more on a network drive.
_TIMEOUT = 120.0
_STATED = re.compile(r"version[ :]+v?(\d+(?:\.\d+)+)", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+)")


@dataclass(frozen=True)
class Tool:
    """A program, the oldest version that serves, what for, how it is asked for its version and what it comes with."""

    name: str
    minimum: str
    purpose: str
    option: str = "--version"
    package: str = ""


TOOLS = (
    Tool("fastp", "0.20", "trims and filters reads"),
    Tool("bowtie2", "2.4", "maps reads to the host and to the markers"),
    Tool("metaphlan", "4.1", "profiles reads"),
    Tool("multiqc", "1.12", "sums up the quality control"),
)

#: Programs that profile in MetaPhlAn's place.
KRAKEN2 = Tool("kraken2", "2.1", "classifies reads")
BRACKEN = Tool("bracken", "2.7", "estimates the reads of species", "-v")
SOURMASH = Tool("sourmash", "4.8", "finds genomes in reads")

#: What StrainPhlAn calls besides.
STRAINPHLAN_TOOLS = (
    Tool("strainphlan", "4.1", "makes trees of strains", package="metaphlan"),
    Tool("samtools", "1.0", "sorts alignments for StrainPhlAn"),
    Tool("blastn", "2.6", "finds markers for StrainPhlAn", "-version", "blast"),
    Tool("mafft", "7.0", "aligns markers for StrainPhlAn"),
    Tool("raxmlHPC", "8.0", "makes trees for StrainPhlAn", "-v", "raxml"),
)

#: HUMAnN, and what it calls besides. Its MetaPhlAn is not on PATH but beside it (scripts/bootstrap.sh humann).
HUMANN_TOOLS = (
    Tool("humann", "3.9", "finds gene families and pathways"),
    Tool("diamond", "0.9.36", "aligns proteins for HUMAnN", "version"),
    Tool("glpsol", "4.0", "chooses pathways for HUMAnN", package="glpk"),
)


def version_in(text: str) -> str:
    """Return the version number in what a program prints for ``--version``, empty where there is none."""
    # Bowtie 2 prints its path first, which may hold other numbers.
    found = _STATED.search(text) or _BARE.search(text)
    return found.group(1) if found else ""


def installed_version(name: str) -> str:
    """Return the version of a program on PATH; empty where it is not there or does not tell.

    ``A/B`` is the B that A finds: A's own folder comes first.
    """
    host, _, called = name.rpartition("/")
    first = shutil.which(host) if host else None
    path = os.environ.get("PATH", os.defpath)
    path = os.pathsep.join([str(Path(first).resolve().parent), path]) if first else path
    program = shutil.which(called, path=path)
    if program is None:
        return ""
    known = {tool.name: tool.option for tool in (*TOOLS, KRAKEN2, BRACKEN, SOURMASH, *STRAINPHLAN_TOOLS, *HUMANN_TOOLS)}
    try:
        done = subprocess.run(  # noqa: S603 - a program that made the results, no shell
            [program, known.get(called, "--version")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env=os.environ | {"PATH": path},
        )
    except (subprocess.TimeoutExpired, OSError):
        return ""
    return version_in((done.stdout + b"\n" + done.stderr).decode(errors="replace"))


def check_tools(tools: Iterable[Tool] = TOOLS) -> list[Problem]:
    """Return a problem for each program that is not on PATH, does not run, or is too old."""
    with ThreadPoolExecutor(4) as pool:
        return [problem for found in pool.map(_check_tool, tools) for problem in found]


def _check_tool(tool: Tool) -> list[Problem]:
    fix = f"install {tool.package or tool.name} {tool.minimum} or newer, or run Snakemake with --sdm conda"
    program = shutil.which(tool.name)
    if program is None:
        return [Problem(f"not found on PATH ({tool.purpose})", fix, column=tool.name)]
    try:
        done = subprocess.run(  # noqa: S603 - one of the names above, no shell
            [program, tool.option], stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return [Problem(f"{program} {tool.option} does not end", fix, column=tool.name, value=program)]
    except OSError as error:
        return [Problem(f"{program} cannot be started ({error.strerror})", fix, column=tool.name, value=program)]
    # Printed on standard error by fastp, on standard output by the others.
    text = (done.stdout + b"\n" + done.stderr).decode(errors="replace").strip()
    version = version_in(text)
    if done.returncode:
        last = text.splitlines()[-1][:200] if text else "no message"
        message = f"{program} {tool.option} ends with exit code {done.returncode} ({last})"
        return [Problem(message, fix, column=tool.name, value=program)]
    if not version:
        message = f"the version of {program} cannot be told"
        return [Problem(message, fix, column=tool.name, value=text[:200], level="warning")]
    if _parts(version) < _parts(tool.minimum):
        message = f"{program} is version {version}, {tool.minimum} or newer is needed"
        return [Problem(message, fix, column=tool.name, value=version)]
    return []


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
