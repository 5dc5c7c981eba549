"""The references of the workflow, host index and MetaPhlAn database: whether they are there and whole."""

from __future__ import annotations

from pathlib import Path

from microbiome.errors import Problem

__all__ = ["host_index_problems", "metaphlan_database_problems"]

_PARTS = ("1", "2", "3", "4", "rev.1", "rev.2")


def host_index_problems(prefix: str) -> list[Problem]:
    """Return what is wrong with a Bowtie 2 index, small (``.bt2``) or large (``.bt2l``).

    Parameters
    ----------
    prefix
        Path without ``.1.bt2``, as ``bowtie2 -x`` takes it.
    """
    for suffix in (".bt2", ".bt2l"):
        for part in _PARTS:
            if prefix.endswith(f".{part}{suffix}"):
                short = prefix.removesuffix(f".{part}{suffix}")
                return [Problem(f"{prefix!r} is one file of an index", f"write the prefix {short!r}", value=prefix)]
    small, large = _index_files(prefix, ".bt2"), _index_files(prefix, ".bt2l")
    present = large if any(path.exists() for path in large) else small
    if not any(path.exists() for path in present):
        fix = f"correct the prefix, or make it: bowtie2-build HOST.fa {prefix}"
        return [Problem(f"no Bowtie 2 index {prefix!r} (.1.bt2 or .1.bt2l)", fix, value=prefix)]
    return _incomplete(present, prefix)


def metaphlan_database_problems(folder: str, index: str) -> list[Problem]:
    """Return what is wrong with a MetaPhlAn database: its folder, ``INDEX.pkl`` and the large index ``INDEX.*.bt2l``.

    Each problem's `column` says which of the two settings it is about, ``database`` or ``index``.
    """
    install = "correct it, or download the database: snakemake metaphlan_database"
    place = Path(folder)
    if not place.is_dir():
        word = "is not a folder" if place.exists() else "does not exist"
        return [Problem(f"{folder!r} {word}", install, column="database", value=folder)]
    pickle = place / f"{index}.pkl"
    prefix = str(place / index)
    large = _index_files(prefix, ".bt2l")
    if not pickle.exists() and not any(path.exists() for path in large):
        there = sorted(path.stem for path in place.glob("*.pkl"))
        fix = f"there is {', '.join(there)}" if there else install
        return [Problem(f"no database {index!r} in {folder!r}", fix, column="index", value=index)]
    problems: list[Problem] = []
    if not pickle.is_file() or pickle.stat().st_size == 0:
        word = "is empty" if pickle.is_file() else "is missing"
        problems.append(Problem(f"{str(pickle)!r} {word}", "download the database again", column="index", value=index))
    else:
        with pickle.open("rb") as stream:
            if stream.read(3) != b"BZh":
                message = f"{str(pickle)!r} is not a MetaPhlAn database (bz2)"
                problems.append(Problem(message, "download the database again", column="index", value=index))
    if any(path.exists() for path in large):
        found = _incomplete(large, prefix)
    elif any(path.exists() for path in _index_files(prefix, ".bt2")):
        fix = "make it with bowtie2-build --large-index"
        found = [Problem(f"the Bowtie 2 index {prefix!r} is small (.bt2), MetaPhlAn needs a large one (.bt2l)", fix)]
    else:
        found = [Problem(f"the Bowtie 2 index of {prefix!r} is missing (.1.bt2l and so on)", install)]
    return problems + [Problem(p.message, p.fix, column="index", value=index) for p in found]


def _index_files(prefix: str, suffix: str) -> list[Path]:
    return [Path(f"{prefix}.{part}{suffix}") for part in _PARTS]


def _incomplete(files: list[Path], prefix: str) -> list[Problem]:
    bad = [path.name for path in files if not path.is_file() or path.stat().st_size == 0]
    if not bad:
        return []
    message = f"the Bowtie 2 index {prefix!r} lacks {', '.join(bad)} (missing or empty)"
    return [Problem(message, "copy or make the index again", value=prefix)]
