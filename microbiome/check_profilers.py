"""Checks of other profilers than MetaPhlAn: databases, programs, and the taxonomy for finished profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microbiome.config_profilers import KRAKEN2_FILES, PROFILER_NAMES, bracken_file, runs_bracken
from microbiome.errors import Problem, collecting
from microbiome.profilers import Taxonomy, profile_format, profiler_in, read_taxonomy
from microbiome.tools import BRACKEN, KRAKEN2, SOURMASH, TOOLS, Tool

__all__ = ["finished_problems", "given_taxonomy", "profiler_problems", "profiler_tools"]

# Formats whose tables may have no lineages of their own.
_WITHOUT_LINEAGES = ("bracken", "sourmash", "taxpasta")


def profiler_problems(settings: Mapping[str, Any]) -> list[Problem]:
    """Look at the database of the profiler, where it is not MetaPhlAn's; the problems have their key as `column`."""
    if not settings["units"]:
        return []
    if settings["profiler"] == "kraken2":
        return _kraken2(settings)
    if settings["profiler"] == "sourmash":
        return _sourmash(settings["sourmash"])
    return []


def finished_problems(settings: Mapping[str, Any], files: Sequence[str]) -> list[Problem]:
    """Say what goes without MetaPhlAn where finished profiles are of another profiler.

    Parameters
    ----------
    settings
        The configuration.
    files
        The profiles; those of one study are of one profiler, so that the first one tells.

    Returns
    -------
    list of Problem
        With their key as `column`: an error for each thing that needs SGBs and is asked for by name, and one warning.
    """
    name = ""
    # What is wrong with the file is said where it is read.
    with collecting([]):
        name = PROFILER_NAMES.get(profiler_in(files[0]), "") if files else ""
    if not name:
        return []
    strains, tree = settings["strains"], settings["diversity"]["tree"]
    fix = "remove it, or give profiles of MetaPhlAn"
    problems = [
        Problem(
            f"they are named by SGBs, and the taxa of {name} are species", fix, "", None, f"strains.{key}", given[0]
        )
        for key in ("alleles", "distances")
        if (given := [strains[key]] if isinstance(strains[key], str) else [str(path) for path in strains[key]])
        and given[0]
        and strains["method"] != "none"
    ]
    if settings["profile"]["rank"] == "sgb":
        message = f"the profiles are of {name}, which has no SGBs"
        fix_rank = "choose species or a rank above, or auto"
        problems.append(Problem(message, fix_rank, column="profile.rank", value="sgb"))
    if tree:
        message = f"the tree is one of SGBs, and the taxa of {name} are species"
        problems.append(
            Problem(message, "remove it, and the metrics that need it", column="diversity.tree", value=tree)
        )
    message = f"the profiles are of {name}, which has no SGBs: strains, tree metrics and SGBs are left out"
    return [*problems, Problem(message, "see docs/profilers.md", column="profiles", value=files[0], level="warning")]


def profiler_tools(settings: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Return the programs that the way from FASTQ to profiles takes."""
    profiler = settings["profiler"]
    if profiler == "metaphlan":
        return TOOLS
    left_out = {"metaphlan"} if settings["host_index"] else {"metaphlan", "bowtie2"}
    own = (SOURMASH,) if profiler == "sourmash" else (KRAKEN2, BRACKEN) if runs_bracken(settings) else (KRAKEN2,)
    return (*(tool for tool in TOOLS if tool.name not in left_out), *own)


def given_taxonomy(settings: Mapping[str, Any], files: Sequence[str], problems: list[Problem]) -> Taxonomy | None:
    """Read ``profile.taxonomy`` where a profile may need it; what is wrong with it is added to `problems`."""
    path = settings["profile"]["taxonomy"]
    if not path or not any(profile_format(file) in _WITHOUT_LINEAGES for file in files):
        return None
    if not Path(path).exists():
        problems.append(Problem(f"{path!r} does not exist", "correct the path", column="profile.taxonomy", value=path))
        return None
    read: list[Taxonomy] = []
    with collecting(problems):
        read.append(read_taxonomy(path))
    return read[0] if read else None


def _kraken2(settings: Mapping[str, Any]) -> list[Problem]:
    folder, key = settings["kraken2"]["database"], "kraken2.database"
    if not folder:
        return []
    place = Path(folder)
    fix = "name the folder of a Kraken2 database (kraken2-build, or a published one)"
    if not place.is_dir():
        word = "is not a folder" if place.exists() else "does not exist"
        return [Problem(f"{folder!r} {word}", fix, column=key, value=folder)]
    bad = [name for name in KRAKEN2_FILES if not (place / name).is_file() or not (place / name).stat().st_size]
    if bad:
        return [Problem(f"{folder!r} lacks {', '.join(bad)} (missing or empty)", fix, column=key, value=folder)]
    if runs_bracken(settings) and not bracken_file(settings).is_file():
        there = ", ".join(sorted(path.name for path in place.glob("database*mers.kmer_distrib"))) or "none"
        message = f"{bracken_file(settings).name!r} is not in {folder!r} (of its kind there is {there})"
        fix = "set kraken2.read_length to one that is there, make it (bracken-build), or set kraken2.bracken to no"
        return [Problem(message, fix, column="kraken2.read_length", value=str(settings["kraken2"]["read_length"]))]
    return []


def _sourmash(section: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for name, fix in (("database", "name a collection of sketches (.zip)"), ("lineages", "name the CSV of lineages")):
        path = section[name]
        if path and not Path(path).exists():
            problems.append(Problem(f"{path!r} does not exist", fix, column=f"sourmash.{name}", value=path))
    if section["lineages"] and Path(section["lineages"]).is_file():
        found: list[Problem] = []
        with collecting(found):
            read_taxonomy(section["lineages"])
        place = section["lineages"]
        problems += [Problem(f"{place}: {p.message}", p.fix, column="sourmash.lineages", value=place) for p in found]
    return problems
