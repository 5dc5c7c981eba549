"""Reading of a YAML file with the line of every key, every problem at once, and names kept as they are written."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from microbiome.errors import InputError, Problem
from microbiome.files import open_text
from microbiome.validation import shown

__all__ = ["Place", "YamlFile", "read_yaml", "written"]

#: Keys from the root down to a value; the elements of a list are numbered.
Place = tuple[str | int, ...]


# A few lines of aliases of aliases can stand for more values than fit into memory.
_MOST_VALUES = 50_000


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file says.

    Parameters
    ----------
    data
        The mapping at the root; keys are strings as written.
    lines
        Line of each key or list element.
    texts
        Each scalar as it is written: YAML reads ``007`` as the number 7 and ``no`` as false, which is wrong where a
        name is meant.
    problems
        A file that cannot be read, a syntax error, a key that stands twice.
    """

    data: dict[str, object] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def written(value: object) -> str:
    """Return a value for a message as it could stand in the file, shortened where it is long."""
    if isinstance(value, str):
        return shown(value)
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_yaml(path: str | Path) -> YamlFile:
    """Read a YAML file; plain data only, a tag such as ``!!python/object`` is a problem and is never followed."""
    file = str(path)
    result = YamlFile()
    try:
        text = open_text(path)
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                result.problems.append(Problem("the file is empty", "start from the template config/config.yaml", file))
            elif not isinstance(root, yaml.MappingNode):
                line = root.start_mark.line + 1
                result.problems.append(
                    Problem("not a list of `key: value` lines", "start from the template", file, line)
                )
            else:
                data = _build(loader, root, (), result, file, ())
                if isinstance(data, dict):
                    result.data.update(data)
        finally:
            loader.dispose()
    except InputError as error:
        result.problems.extend(error.problems)
    except RecursionError:
        result.problems.append(Problem("not YAML: too many brackets or levels in each other", "mend the file", file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else None
        result.problems.append(Problem(f"not YAML: {words}", "mend the line, or the one above", file, line))
    except yaml.YAMLError as error:
        result.problems.append(Problem(f"not YAML: {' '.join(str(error).split())}", "mend the file", file))
    return result


def _build(
    loader: yaml.SafeLoader,
    node: yaml.Node,
    place: Place,
    result: YamlFile,
    file: str,
    above: tuple[yaml.Node, ...],
) -> object:
    result.lines.setdefault(place, node.start_mark.line + 1)
    if len(result.lines) > _MOST_VALUES:
        message = f"the file stands for more than {_MOST_VALUES} values"
        raise InputError(Problem(message, "write out what its aliases (*NAME) mean", file, node.start_mark.line + 1))
    if any(node is parent for parent in above):
        raise InputError(Problem("an alias refers to what it stands in", "remove it", file, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.value)
            line = key_node.start_mark.line + 1
            inner = (*place, key)
            if key in data:
                name = ".".join(map(str, inner))
                message = f"key {key!r} stands already in line {result.lines[inner]}"
                result.problems.append(Problem(message, "keep one", file, line, name, key))
                continue
            result.lines[inner] = line
            data[key] = _build(loader, value_node, inner, result, file, (*above, node))
        return data
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(loader, child, (*place, position), result, file, (*above, node))
            for position, child in enumerate(node.value)
        ]
    text = result.texts[place] = str(node.value)
    value: Hashable
    try:
        value = loader.construct_object(node)
    except (ValueError, AttributeError, OverflowError):
        # YAML takes 2020-13-45 for a date and 0x_ for a number, and then cannot make one of it.
        name, kind = ".".join(map(str, place)), node.tag.rsplit(":", 1)[-1]
        message = f"{shown(text)} looks like what YAML calls {kind} and is none"
        result.problems.append(Problem(message, "put it in quotes", file, node.start_mark.line + 1, name, text))
        return text
    return value
