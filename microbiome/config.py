"""Reading and validating of the configuration: every problem at once, with its line and the nearest known name."""

from __future__ import annotations

import difflib
import glob
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import jsonschema

from microbiome.config_function import function_relations
from microbiome.config_keys import KEYS, SECTIONS, TREE_METRICS, config_schema
from microbiome.config_profilers import profiler_relations
from microbiome.config_strains import strain_relations
from microbiome.config_table_entries import table_entries
from microbiome.config_tables import TableEntry
from microbiome.errors import Problem, raise_problems
from microbiome.validation import is_number, shown
from microbiome.yamlfile import Place, YamlFile, read_yaml, written

__all__ = ["expand_profiles", "load_config", "parse_config", "validate_config"]

_TEXTUAL = ("text", "path", "paths", "words", "choice", "choices", "names")
_LISTS = ("paths", "words", "choices", "names", "integers", "numbers")

_ODD_NUMBER = re.compile(r":|^[-+]?0[0-9bx]")
_BY_NAME = {key.name: key for key in KEYS}
# Keys of earlier versions, and what to do about them.
_GONE = {
    "metaphlan.keep_sam": "remove it: alignments are deleted once strains are counted; `keep: [sam]` keeps them, and "
    "`strains: {method: none}` leaves strains out"
}
_WORDS = {
    "text": ("a text", "put it in quotes"),
    "path": ("a path", "put it in quotes"),
    "paths": ("a path or a list of paths", 'write "a.tsv" or ["a.tsv", "b.tsv"]'),
    "words": ("a text or a list of texts", "write one word, or [one, another]"),
    "integer": ("an integer", "write a whole number, without quotes"),
    "number": ("a number", "write a number, with a decimal point and without quotes"),
    "integers": ("a list", "write [1, 30] or one element per line behind `- `"),
    "numbers": ("a list", "write [0, 0.001] or one element per line behind `- `"),
    "flag": ("true or false", "write true or false, without quotes"),
    "choice": ("a text", "write one word"),
    "choices": ("a list", "write [a, b] or one element per line behind `- `"),
    "names": ("a list", "write [a, b] or one element per line behind `- `"),
}


def load_config(path: str | Path) -> dict[str, Any]:
    """Read and validate a configuration; raise one :class:`InputError` with all problems.

    Returns
    -------
    dict
        Nested as in the file, every key there, defaults filled in; ``profiles`` is always a list.
    """
    config, problems = parse_config(path)
    raise_problems(problems)
    return config


def parse_config(path: str | Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read and validate a configuration, and return what could be read together with every problem found."""
    source = read_yaml(path)
    if source.problems and not source.data:
        return _defaults(), source.problems
    return _validate(source.data, str(path), source)


def validate_config(config: Mapping[str, Any], file: str = "") -> tuple[dict[str, Any], list[Problem]]:
    """Validate a configuration that was read already, by Snakemake for example.

    Parameters
    ----------
    config
        Nested mapping.
    file
        Where it comes from. When it can be read, problems name its lines, a key that stands twice is found, and a name
        that YAML took for a number (``007``) is put right.

    Returns
    -------
    config
        A new dict with every key; a value that cannot be used is replaced by its default.
    problems
        Everything that is wrong; empty when the configuration is good.
    """
    source = read_yaml(file) if file and Path(file).is_file() else YamlFile()
    return _validate(config, file, source)


def expand_profiles(patterns: Sequence[str]) -> list[str]:
    """Return the files that the paths and patterns stand for, each once: in the order given, those of a pattern sorted.

    A pattern that no file matches is returned as it is, so that whoever opens it says so.
    """
    files: dict[str, None] = {}
    for pattern in patterns:
        # Path.glob() does not take an absolute pattern.
        found = sorted(glob.glob(pattern, recursive=True)) if not Path(pattern).exists() else [pattern]  # noqa: PTH207
        files.update(dict.fromkeys(found or [pattern]))
    return list(files)


def _defaults() -> dict[str, Any]:
    config: dict[str, Any] = {}
    for key in KEYS:
        _put(config, key.place, key.absent)
    return config


def _get(config: Mapping[str, Any], place: Sequence[str]) -> Any:
    value: Any = config
    for name in place:
        value = value[name]
    return value


def _put(config: dict[str, Any], place: Sequence[str], value: object) -> None:
    for name in place[:-1]:
        config = config.setdefault(name, {})
    config[place[-1]] = value


def _validate(given: Mapping[str, Any], file: str, source: YamlFile) -> tuple[dict[str, Any], list[Problem]]:
    data = _normal(given, source, ())
    entries, found = table_entries(data.pop("tables", None), file, source.lines, source.texts)
    validator = jsonschema.Draft202012Validator(config_schema())
    problems = [*source.problems, *found]
    bad: set[str] = set()
    for error in validator.iter_errors(data):
        for place, message, fix, text in _explained(error):
            name = ".".join(part for part in place if isinstance(part, str))
            problems.append(Problem(message, fix, file, _line(source, place), name, text))
            bad.add(name)
    config = _defaults()
    for key in KEYS:
        try:
            value: Any = _get(data, key.place)
        except (KeyError, TypeError):
            continue
        if key.name in bad or any(key.name.startswith(f"{name}.") for name in bad):
            continue
        if key.kind in ("integer", "number"):
            value = int(value) if key.kind == "integer" else float(value)
        if key.kind in ("integers", "numbers"):
            value = [int(number) if key.kind == "integers" else float(number) for number in value]
        if key.kind in ("paths", "words"):
            value = [path for path in ([value] if isinstance(value, str) else value) if path]
        _put(config, key.place, value)
    config["tables"] = {entry.name: _fields(entry) for entry in entries}
    problems += [
        Problem(message, fix, file, _line(source, tuple(name.split("."))), name, text, level=level)
        for name, message, fix, text, level in _relations(config, bad)
    ]
    problems.sort(key=lambda problem: (problem.line or 0, problem.column))
    return config, problems


def _fields(entry: TableEntry) -> dict[str, Any]:
    """Return the fields of an entry, but for its name, as JSON knows them."""
    fields = {name: value for name, value in asdict(entry).items() if name != "name"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _line(source: YamlFile, place: Place) -> int | None:
    """Line of a key, or of the section it should stand in."""
    while place:
        if place in source.lines:
            return source.lines[place]
        place = place[:-1]
    return None


def _normal(value: Any, source: YamlFile, place: Place) -> Any:
    """Copy the data: names as they are written, nothing (null) as empty, numbers such as 1e-4 as numbers."""
    if isinstance(value, Mapping):
        return {str(name): _normal(inner, source, (*place, str(name))) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(inner, source, (*place, position)) for position, inner in enumerate(value)]
    name = ".".join(part for part in place if isinstance(part, str))
    if value is None and name in SECTIONS:
        return {}
    key = _BY_NAME.get(name)
    if key is None:
        return value
    if value is None and (key.kind in _TEXTUAL or key.kind in _LISTS):
        return [] if key.kind in _LISTS and len(place) == len(key.place) else ""
    if key.kind in _TEXTUAL and not isinstance(value, str):
        written = source.texts.get(place)
        # A value given on the command line hides what stands in the file.
        if written is not None and _get_quietly(source.data, place) == value:
            return written
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if key.kind in ("number", "numbers") and isinstance(value, str) and is_number(value):
        # YAML 1.1 takes 1e-4 for a text because it has no point.
        return float(value)
    if isinstance(value, int | float) and key.kind.removesuffix("s") in ("integer", "number"):
        # YAML takes 010 for 8 and 12:61 for 781, which nobody means who writes a number.
        written = source.texts.get(place, "")
        if _ODD_NUMBER.search(written) and _get_quietly(source.data, place) == value:
            return written
    if isinstance(value, float) and not math.isfinite(value):
        # The schema's bounds do not stop NaN.
        return source.texts.get(place, str(value))
    return value


def _get_quietly(data: Any, place: Place) -> Any:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _explained(error: jsonschema.ValidationError) -> Iterator[tuple[Place, str, str, str]]:
    """Yield (place, message, fix, value) for one error of the schema."""
    place: Place = tuple(error.absolute_path)
    name = ".".join(part for part in place if isinstance(part, str))
    value: Any = error.instance
    key, rule, schema = _BY_NAME.get(name), str(error.validator), dict[str, Any](error.schema)  # type: ignore[arg-type]
    text = written(value)
    if rule == "additionalProperties":
        known = schema["properties"]
        for extra in value:
            if extra not in known:
                gone = _GONE.get(f"{name}.{extra}" if name else extra)
                fix = gone or _nearest_key(extra, place, known)
                yield (*place, extra), f"key {extra!r} is not known" + (" any more" if gone else ""), fix, extra
    elif rule == "required":
        for missing in schema["required"]:
            if missing not in value:
                yield (*place, missing), f"key {missing!r} is missing", f"add it: {_BY_NAME[missing].meaning}", ""
    elif rule == "uniqueItems":
        twice = next(item for i, item in enumerate(value) if item in value[:i])
        yield place, f"{written(twice)} stands twice", "keep one", written(twice)
    elif rule == "minLength":
        yield place, "the value is empty", "fill it in" if len(place) == 1 else "fill it in or remove it", ""
    elif rule == "pattern":
        fix = "use letters, digits, '.', '_' and '-' only: it is a name, not a path"
        yield place, f"{text} is not a legal name", fix, str(value)
    elif key is None:
        # A key of another section may have the name of this one.
        alike = [other.name for other in KEYS if other.place[-1] == name and len(other.place) > 1]
        fix = f"did you mean {alike[0]!r}?" if alike else f"write its keys under `{name}:`, indented"
        yield place, f"{text} is not a section", fix, text
    elif rule == "enum" and isinstance(value, str):
        close = difflib.get_close_matches(value.lower(), key.allowed, n=1)
        fix = f"did you mean {close[0]!r}? Allowed: " if close else "use one of "
        yield place, f"{text} is not allowed", fix + ", ".join(key.allowed), value
    elif rule in ("minimum", "maximum"):
        low, high = key.minimum, key.maximum
        bounds = f"between {low:.12g} and {high:.12g}" if high is not None else f"at least {low:.12g}"
        yield place, f"{text} is out of range", f"it must be {bounds}", text
    elif isinstance(place[-1], int):
        word, fix = _WORDS[key.kind.removesuffix("s") if key.kind in ("integers", "numbers") else "text"]
        yield place, f"{text} is not {word}", fix, text
    else:
        word, fix = _WORDS[key.kind]
        yield place, f"{text} is not {word}", fix, text


def _nearest_key(name: str, place: Place, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    # Perhaps the key is right but stands in another section.
    leaves: dict[str, list[str]] = {}
    for key in KEYS:
        leaves.setdefault(key.place[-1], []).append(repr(key.name))
    elsewhere = difflib.get_close_matches(name.lower(), [leaf for leaf in leaves if leaf not in known], n=1, cutoff=0.8)
    if elsewhere:
        return f"did you mean {' or '.join(leaves[elsewhere[0]])}?"
    where = f"in {'.'.join(map(str, place))!r} " if place else ""
    return f"known {where}are {', '.join(known)}"


_Relation = tuple[str, str, str, str, Literal["error", "warning"]]


def _relations(config: Mapping[str, Any], bad: set[str]) -> Iterator[_Relation]:
    """Yield (key, message, fix, value, level) for what is wrong between keys."""
    units, profiles = config["units"], config["profiles"]
    if not bad & {"units", "profiles"}:
        if units and profiles:
            yield "profiles", "both units and profiles are given", "give FASTQ files or profiles, not both", "", "error"
        elif not units and not profiles:
            yield (
                "units",
                "neither units nor profiles is given",
                "name the table of FASTQ files or the profiles",
                "",
                "error",
            )
    depth, least = config["rarefy_reads"], config["min_reads"]
    if depth and not bad & {"rarefy_reads", "min_reads"}:
        text = str(depth)
        if depth < least:
            message = f"{depth} reads are too few: a sample with fewer than min_reads ({least}) is not profiled"
            yield "rarefy_reads", message, "draw more reads, or 0 for all", text, "error"
        if not units and profiles:
            fix = "draw them before profiling, or set detection.repair"
            yield "rarefy_reads", "the reads of finished profiles cannot be drawn", fix, text, "warning"
    for kind, reason in (("rarefied", not depth), ("nonhost", not config["host_index"])):
        if kind in config["keep"] and units and reason and not bad & {"keep", "rarefy_reads", "host_index"}:
            needed = "rarefy_reads" if kind == "rarefied" else "host_index"
            yield "keep", f"there are no {kind} reads", f"set {needed}, or remove it", kind, "warning"
    metaphlan = config["metaphlan"]
    for name, meaning in (("database", "the folder of the MetaPhlAn database"), ("index", "the name of the database")):
        if units and config["profiler"] == "metaphlan" and not metaphlan[name] and f"metaphlan.{name}" not in bad:
            yield f"metaphlan.{name}", "the value is empty", f"starting from FASTQ needs {meaning}", "", "error"
    if metaphlan["index"] == "latest":
        yield (
            "metaphlan.index",
            "'latest' is not a database",
            "name the database, so that runs can be repeated",
            "latest",
            "error",
        )
    for name in ("metaphlan.extra", "fastp.extra"):
        value = _get(config, name.split("."))
        try:
            shlex.split(value)
        except ValueError as error:
            yield (
                name,
                f"{shown(value)} is not a list of options ({str(error).lower()})",
                "close the quotes",
                value,
                "error",
            )
    window = config["compare"]["window"]
    if window and (len(window) != 2 or window[0] > window[1]) and "compare.window" not in bad:
        text = ", ".join(map(str, window))
        yield (
            "compare.window",
            f"[{text}] is not a first and a last day",
            "give two days, or [] for none",
            text,
            "error",
        )
    diversity = config["diversity"]
    for name in ("alpha", "beta"):
        for metric in diversity[name]:
            if metric in TREE_METRICS and not diversity["tree"] and "diversity.tree" not in bad:
                fix = "set diversity.tree, or remove the metric"
                yield f"diversity.{name}", f"metric {metric!r} needs a tree", fix, metric, "error"
    factors, strata = diversity["permanova"]["factors"], diversity["permanova"]["strata"]
    if strata and strata in factors:
        message, fix = f"factor {strata!r} is also the strata", "samples are permuted within strata: remove one"
        yield "diversity.permanova.strata", message, fix, strata, "error"
    elif strata and not factors and "diversity.permanova.factors" not in bad:
        yield (
            "diversity.permanova.strata",
            "strata without factors has no effect",
            "name the factors",
            strata,
            "warning",
        )
    yield from profiler_relations(config, bad)
    yield from strain_relations(config, bad)
    yield from function_relations(config, bad)
