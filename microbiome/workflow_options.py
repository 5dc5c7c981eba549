"""Options of the commands that the workflow calls, from its configuration; and columns in the names of files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "compare_options",
    "file_words",
    "null_options",
    "outcome_options",
    "permanova_options",
    "rate_options",
    "sensitivity_options",
    "taxon_options",
]


def permanova_options(config: Mapping[str, Any]) -> str:
    """Return factors, strata, permutations and seed of PERMANOVA."""
    section = config["diversity"]["permanova"]
    options = ["--factor", *section["factors"]] if section["factors"] else []
    options += ["--strata", section["strata"]] if section["strata"] else []
    options += ["--continuous", *section["continuous"]] if section["continuous"] else []
    options += ["--which", section["samples"]]
    return shlex.join([*options, "--permutations", str(section["permutations"]), *_seed(config)])


def outcome_options(config: Mapping[str, Any]) -> str:
    """Return threshold and repair of outcomes, and the seed of the latter."""
    return shlex.join([*_detection(config), "--repair", config["detection"]["repair"], *_seed(config)])


def null_options(config: Mapping[str, Any]) -> str:
    """Return the options of the nulls."""
    section = config["nulls"]
    options = [*_detection(config), "--repair", section["repair"], "--products", section["products"]]
    options += ["--strata", section["strata"]] if section["strata"] else []
    return shlex.join([*options, *_window(config), "--permutations", str(section["permutations"]), *_seed(config)])


def rate_options(config: Mapping[str, Any]) -> str:
    """Return the rates that are compared."""
    rates = config["compare"]["rates"]
    return shlex.join(["--rate", *rates] if rates else [])


def compare_options(config: Mapping[str, Any]) -> str:
    """Return the options of a comparison, but for rates and groups."""
    section = config["compare"]
    options = ["--covariate", *section["covariates"]] if section["covariates"] else []
    options += ["--strata", section["strata"]] if section["strata"] else []
    return shlex.join([*options, *_permuted(config)])


def taxon_options(config: Mapping[str, Any]) -> str:
    """Return the options of what is tested of single taxa."""
    return shlex.join(_permuted(config))


def sensitivity_options(config: Mapping[str, Any]) -> str:
    """Return the thresholds of the grid, where they are given."""
    thresholds = [f"{threshold:g}" for threshold in config["sensitivity"]["thresholds"]]
    return shlex.join(["--thresholds", *thresholds] if thresholds else [])


def file_words(columns: Iterable[str]) -> dict[str, str]:
    """Return each column by the word that stands for it in the names of files.

    Whatever is no letter, digit, ``.``, ``_`` or ``-`` becomes ``_``; where that makes two columns alike (upper case
    counts as lower case: some disks know no difference), the later ones get a number.
    """
    words: dict[str, str] = {}
    for column in columns:
        plain = word = re.sub(r"[^A-Za-z0-9._-]+", "_", column)
        number = 1
        while word.lower() in map(str.lower, words):
            number += 1
            word = f"{plain}_{number}"
        words[word] = column
    return words


def _detection(config: Mapping[str, Any]) -> list[str]:
    return ["--detection", f"{config['profile']['detection']:g}"]


def _seed(config: Mapping[str, Any]) -> list[str]:
    return ["--seed", str(config["seed"])]


def _window(config: Mapping[str, Any]) -> list[str]:
    window = config["compare"]["window"]
    return ["--window", *map(str, window)] if window else []


def _permuted(config: Mapping[str, Any]) -> list[str]:
    return [*_window(config), "--permutations", str(config["compare"]["permutations"]), *_seed(config)]
