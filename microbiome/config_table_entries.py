"""Reading of the key ``tables`` of the configuration."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from microbiome.config_tables import RESERVED_TABLES, TABLE_KEYS, TableEntry, TableKey
from microbiome.errors import Problem
from microbiome.tables import ID_PATTERN
from microbiome.validation import is_number, shown
from microbiome.yamlfile import Place, written

__all__ = ["table_entries"]

_BY_NAME = {key.name: key for key in TABLE_KEYS}
_WORDS = {
    "text": ("a text", "put it in quotes"),
    "path": ("a path", "put it in quotes"),
    "integer": ("an integer", "write a whole number, without quotes"),
    "number": ("a number", "write a number, with a decimal point and without quotes"),
    "choice": ("a text", "write one word"),
    "names": ("a list", "write [a, b] or one element per line behind `- `"),
}


def table_entries(
    value: object, file: str = "", lines: Mapping[Place, int] | None = None, texts: Mapping[Place, str] | None = None
) -> tuple[list[TableEntry], list[Problem]]:
    """Validate the value of ``tables``.

    Parameters
    ----------
    value
        What the configuration has under ``tables``: a mapping of names to a path or to a mapping of
        :data:`TABLE_KEYS`; None and an empty mapping are no tables.
    file
        The configuration, for messages.
    lines, texts
        Line, and text as written, of each key (:class:`microbiome.yamlfile.YamlFile`), where they are known: YAML reads
        the path ``007`` as the number 7.

    Returns
    -------
    entries
        Those without a problem, in the order given, defaults filled in.
    problems
        Everything that is wrong, each with its line, key and value.
    """
    reader = _Reader(file, lines or {}, texts or {})
    if value is None:
        return [], []
    if not isinstance(value, Mapping):
        fix = "write `NAME: {file: FILE}` under `tables:`, indented"
        return [], [reader.problem(("tables",), f"{written(value)} is not a section", fix, written(value))]
    entries: list[TableEntry] = []
    for given, entry in value.items():
        name = str(given)
        before = len(reader.problems)
        reader.name(name)
        fields = reader.entry(name, entry)
        if len(reader.problems) == before:
            entries.append(TableEntry(name, **fields))
    return entries, reader.problems


class _Reader:
    """Collects the problems of one value of ``tables``."""

    def __init__(self, file: str, lines: Mapping[Place, int], texts: Mapping[Place, str]) -> None:
        self.file, self.lines, self.texts = file, lines, texts
        self.problems: list[Problem] = []

    def problem(self, place: Place, message: str, fix: str, value: str = "") -> Problem:
        """Add a problem of a key, and return it."""
        at = place
        while at and at not in self.lines:
            at = at[:-1]
        key = ".".join(part for part in place if isinstance(part, str))
        found = Problem(message, fix, self.file, self.lines.get(at), key, value)
        self.problems.append(found)
        return found

    def name(self, name: str) -> None:
        """Check what a table is called."""
        if not re.fullmatch(ID_PATTERN, name):
            fix = "use letters, digits, '.', '_' and '-' only, a letter or digit first"
            self.problem(("tables", name), f"{shown(name)} is not a legal name", fix, name)
        elif name in RESERVED_TABLES:
            fix = f"name it otherwise: {', '.join(RESERVED_TABLES)} are tables of the toolkit"
            self.problem(("tables", name), f"{name!r} is the name of another table", fix, name)

    def entry(self, name: str, entry: object) -> dict[str, Any]:
        """Check one entry; return its fields."""
        place: Place = ("tables", name)
        if isinstance(entry, str) or entry is None:
            entry = {"file": entry}
        if not isinstance(entry, Mapping):
            self.problem(place, f"{written(entry)} is not a table", "write {file: FILE}, or the path", written(entry))
            return {}
        for extra in entry:
            if extra not in _BY_NAME:
                close = difflib.get_close_matches(str(extra).lower(), _BY_NAME, n=1)
                fix = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(_BY_NAME)}"
                self.problem((*place, str(extra)), f"key {str(extra)!r} is not known", fix, str(extra))
        fields: dict[str, Any] = {}
        for key in TABLE_KEYS:
            if key.name not in entry or (entry[key.name] is None and not key.needed):
                fields[key.name] = key.default
                if key.needed:
                    self.problem((*place, key.name), f"key {key.name!r} is missing", f"add it: {key.meaning}")
            else:
                fields[key.name] = self._value((*place, key.name), key, entry[key.name])
        return fields

    def _value(self, place: Place, key: TableKey, value: object) -> object:
        word, fix = _WORDS[key.kind]
        if key.kind in ("text", "path", "choice") and isinstance(value, int | float) and not isinstance(value, bool):
            value = self.texts.get(place, str(value))
        if key.kind == "number" and isinstance(value, str) and is_number(value):
            value = float(value)
        if key.kind == "names":
            return self._names(place, value)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        whole = number and float(str(value)).is_integer()
        good = {"integer": whole, "number": number}.get(key.kind, isinstance(value, str) or value is None)
        if not good:
            self.problem(place, f"{written(value)} is not {word}", fix, written(value))
        elif key.kind in ("integer", "number"):
            return self._number(place, key, float(str(value)))
        elif key.needed and not value:
            self.problem(place, "the value is empty", "name the file")
        elif key.allowed and value not in key.allowed:
            close = difflib.get_close_matches(str(value).lower(), key.allowed, n=1)
            fix = f"did you mean {close[0]!r}? Allowed: " if close else "use one of "
            self.problem(place, f"{written(value)} is not allowed", fix + ", ".join(key.allowed), str(value))
        return value

    def _number(self, place: Place, key: TableKey, value: float) -> float:
        low = -math.inf if key.minimum is None else key.minimum
        high = math.inf if key.maximum is None else key.maximum
        if not low <= value <= high:
            self.problem(place, f"{value:g} is out of range", f"it must be between {low:g} and {high:g}", f"{value:g}")
        return int(value) if key.kind == "integer" else value

    def _names(self, place: Place, value: object) -> tuple[str, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.problem(place, f"{written(value)} is not a list", _WORDS["names"][1], written(value))
            return ()
        names = tuple(self.texts.get((*place, i), str(name)) for i, name in enumerate(value))
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problem(place, f"{shown(name)} stands twice", "keep one", name)
        return names
