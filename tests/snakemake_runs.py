"""The workflow of this repository, started in the folder of a test as a user starts it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = ["command", "must_run", "simulate", "snakemake"]


def simulate(folder: Path, *size: str, seed: int = 3, markers: int = 12, length: int = 400) -> None:
    """Simulate a trial with reads in the folder `trial` of a folder; its configuration writes into `results`."""
    words = ["--output", "trial", "--reads", "--seed", str(seed), *size, "--results", "results"]
    words += ["--markers", str(markers), "--marker-length", str(length)]
    subprocess.run(["microbiome", "simulate", *words], cwd=folder, check=True, capture_output=True)


def command(repository: Path, *words: str, config: str = "config.yaml") -> list[str]:
    """Return what starts it on two cores; of an option that stands in `words`, too, the latter counts."""
    return ["snakemake", "-s", str(repository / "Snakefile"), "--configfile", config, "--cores", "2", *words]


def snakemake(
    repository: Path,
    folder: Path,
    *words: str,
    config: str = "config.yaml",
    before: Sequence[str] = (),
    path: str = "",
    merged: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is.

    Parameters
    ----------
    repository, folder
        The checkout, and the folder to start in.
    words
        Targets and options.
    config
        Its configuration.
    before
        What the command is given to, such as ``unshare --net``.
    path
        Folder that comes first on PATH; empty for none.
    merged
        Both streams are its `stdout`, in the order in which they were written.
    """
    return subprocess.run(
        [*before, *command(repository, *words, config=config)],
        cwd=folder,
        env=os.environ | ({"PATH": os.pathsep.join([path, os.environ["PATH"]])} if path else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        text=True,
        check=False,
    )


def must_run(
    repository: Path, folder: Path, *words: str, config: str = "config.yaml", path: str = "", merged: bool = False
) -> str:
    """Run it to its end, which must be a good one; return what it said."""
    done = snakemake(repository, folder, *words, config=config, path=path, merged=merged)
    said = done.stdout + (done.stderr or "")
    assert done.returncode == 0, said
    return said
