"""Names that look the same, or are the same to some file systems, and yet are two."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from microbiome.errors import Problem

__all__ = ["twin_problems"]

#: A name, and the file, line and column where it stands.
Named = tuple[str, str, int, str]


def twin_problems(what: str, names: Iterable[Named], named_files: bool = False) -> list[Problem]:
    """Return a problem for each name that is another one but for capitals or for the spelling of its accents.

    Parameters
    ----------
    what
        What is named: ``sample``, ``subject``.
    names
        Every name with its place, in the order in which they are read; of each only the first place matters.
    named_files
        Results are written to files named after them: on file systems that take capitals and small letters for the same
        (macOS, Windows, exFAT) one would replace the other.

    Returns
    -------
    list of Problem
        A warning where capitals differ: they may be meant. An error where the two names look alike and differ only in
        how Unicode writes a letter (e and an accent, or one letter for both), which nobody means.
    """
    first: dict[str, Named] = {}
    known: set[str] = set()
    problems: list[Problem] = []
    for name, file, line, column in names:
        if name in known:
            continue
        known.add(name)
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        other, other_file, other_line, _ = first.setdefault(key, (name, file, line, column))
        if other == name:
            continue
        place = f"line {other_line}" if other_file == file else f"{other_file}:{other_line}"
        if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other):
            spelt = f"{name!a} here and {other!a} there"
            message = f"{what} {name!r} looks like the one in {place}, but is {spelt}"
            fix = "write both alike: copy the name from one place to the other"
            problems.append(Problem(message, fix, file, line, column, name))
            continue
        message = f"{what} {name!r} and {what} {other!r} in {place} differ in capitals only"
        fix = "write both alike if they are one"
        if named_files:
            message += ": where a file system takes them for the same, the files of one replace those of the other"
            fix += ", else rename one"
        problems.append(Problem(message, fix, file, line, column, name, level="warning"))
    return problems
