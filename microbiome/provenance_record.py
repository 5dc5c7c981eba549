"""The file of provenance as it is read again, which may be cut off, or be another JSON file altogether."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from microbiome.errors import InputError, Problem
from microbiome.files import open_text

__all__ = ["NAME", "read_record"]

NAME = "provenance.json"
# Several times as deep as any record; validation goes down by calling itself.
_DEEPEST = 30


def read_record(file: Path) -> dict[str, Any]:
    """Read a record of provenance whose parts are of the kinds that :func:`microbiome.provenance.provenance` gives.

    Raises
    ------
    InputError
        When there is none, or what is there is something else.
    """
    if not file.exists():
        fix = "name a folder of finished results"
        raise InputError(Problem("there is no record of what these results were made from", fix, str(file)))
    try:
        record = json.loads(open_text(file))
        wrong = _wrong(record)
    except RecursionError:
        wrong = "it is nested too deep"
    except ValueError as error:
        wrong = str(error)
    if wrong:
        fix = "name the folder of results, or the file of that name in it"
        if file.name == NAME:
            fix = f"remove it (rm {shlex.quote(str(file))}) and start the workflow again, which makes it anew"
        raise InputError(Problem(f"not a record of provenance ({wrong})", fix, str(file)))
    assert isinstance(record, dict)  # noqa: S101 -- else something is wrong
    return record


def _wrong(record: object) -> str:
    """Return what is wrong with the shape of a record, nothing when it can be used."""
    if not isinstance(record, dict):
        return "it lacks a part"
    missing = [name for name in _PARTS if name not in record and name != "function_databases"]
    if missing:
        return f"it lacks a part: {', '.join(missing)}"
    if _is_deeper(record, _DEEPEST):
        return "it is nested too deep"
    for name, is_right in _PARTS.items():
        if name in record and not is_right(record[name]):
            return f"{name} is not as it is written there"
    return ""


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [below for above in level for below in _below(above)]
    return bool(level)


def _below(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number_or_none(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _is_entry(value: object) -> bool:
    """Tell whether a value describes a file as :mod:`microbiome.provenance_files` does."""
    if not isinstance(value, dict) or not isinstance(value.get("file"), str) or not value["file"]:
        return False
    checksums = [value[name] for name in value if name.startswith("sha256")]
    return (
        "bytes" in value
        and _is_number_or_none(value["bytes"])
        and "sha256" in value
        and all(map(_is_text_or_none, checksums))
        and _is_text(value.get("key", ""))
        and _is_text(value.get("sample", ""))
    )


def _are_entries(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_entry, value))


def _are_parameters(value: object) -> bool:
    # The others are looked at as those of any configuration.
    return isinstance(value, dict) and _is_text(value.get("results", "")) and _is_text(value.get("profiler", ""))


def _are_versions(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_text(version) or (isinstance(version, list) and bool(version) and all(map(_is_text, version)))
        for version in value.values()
    )


def _is_database(value: object) -> bool:
    return (
        isinstance(value, dict)
        and "name" in value
        and _is_text_or_none(value["name"])
        and _are_entries(value.get("files"))
    )


def _is_run(value: object) -> bool:
    if not isinstance(value, dict) or not all(_is_text(value.get(name, "")) for name in ("written", "folder")):
        return False
    times = value.get("inputs_modified", {})
    return isinstance(times, dict) and all(map(_is_text_or_none, times.values()))


_PARTS: dict[str, Callable[[object], bool]] = {
    "microbiome": _is_text,
    "parameters": _are_parameters,
    "software": _are_versions,
    "database": _is_database,
    "host_index": _are_entries,
    "function_databases": _are_entries,
    "inputs": _are_entries,
    "results": _are_entries,
    "run": _is_run,
}
