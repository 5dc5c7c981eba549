"""From gene families to ECs and KOs, and from HUMAnN's reads per kilobase to fractions."""

from __future__ import annotations

import bz2
import gzip
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.files import refuse_special
from microbiome.function.reading import SPECIAL, FunctionTable, kind_of

__all__ = ["UNITS", "normalise", "read_map", "regroup"]

logger = logging.getLogger(__name__)

#: Units of :func:`normalise`: what each sample is divided by its total and multiplied with.
UNITS = {"as_given": None, "fraction": 1.0, "cpm": 1e6}

_UNMAPPED, _UNGROUPED = "UNMAPPED", "UNGROUPED"


def read_map(path: str | Path, families: Iterable[str]) -> dict[str, list[str]]:
    """Read a map of HUMAnN's form: in each line a group, then its gene families, separated by tabs.

    Parameters
    ----------
    path
        Plain, gzip or bzip2 (``map_level4ec_uniref90.txt.gz``, ``map_ko_uniref90.txt.gz``). Read line by line: the real
        ones have millions of families.
    families
        Those that are asked for.

    Returns
    -------
    dict
        The groups of each family that has any, in the order of the map.

    Raises
    ------
    InputError
        When the file cannot be read, or none of the families is in it.
    """
    wanted = {name for name in families if name not in SPECIAL}
    found: dict[str, list[str]] = {}
    lines = 0
    for line in _lines(path):
        group, *members = line.rstrip("\r\n").split("\t")
        lines += bool(members)
        for family in wanted.intersection(members):
            groups = found.setdefault(family, [])
            if group not in groups:
                groups.append(group)
    if not lines:
        fix = "give a map with a group, a tab and its gene families in each line"
        raise InputError(Problem("the file is not a map of gene families", fix, str(path)))
    if wanted and not found:
        example = min(wanted)
        message = f"none of the {len(wanted)} gene families is in the map ({example!r} for example)"
        raise InputError(Problem(message, "give the map for this kind of gene families", str(path), value=example))
    return found


def regroup(table: FunctionTable, groups: Mapping[str, Iterable[str]]) -> FunctionTable:
    r"""Sum gene families to groups, as ``humann_regroup_table`` does.

    .. math:: y_{sg} = \sum_{f \in g} x_{sf}

    A family of several groups counts in each. What is of no group becomes ``UNGROUPED``; ``UNMAPPED`` stays. The strata
    are summed in the same way, each taxon by itself.

    Parameters
    ----------
    table
        Gene families.
    groups
        Groups of each family (:func:`read_map`).
    """
    targets = [_targets(str(name), groups) for name in table.whole.columns]
    first = [name for name in (_UNMAPPED, _UNGROUPED) if any(name in own for own in targets)]
    whole, order = _summed(table.whole, targets, lambda name: (name not in first, name))
    values = pd.DataFrame(whole, table.whole.index, pd.Index(order, name="function", dtype=object))
    pairs = [[(group, taxon) for group in _targets(str(name), groups)] for name, taxon in table.strata.columns]
    strata = table.strata.iloc[:, :0]
    if pairs:
        parts, keys = _summed(table.strata, pairs, None)
        strata = pd.DataFrame(parts, table.strata.index, pd.MultiIndex.from_tuples(keys, names=["function", "taxon"]))
    known = sum(family in groups for family in table.functions)
    logger.info("%d of %d gene families are of a group; %d groups", known, len(table.functions), values.shape[1])
    return FunctionTable(values, strata)


def normalise(table: FunctionTable, unit: str = "fraction") -> FunctionTable:
    r"""Divide each sample by its total, as ``humann_renorm_table`` does (mode community, special rows included).

    .. math:: y_{sf} = c \, x_{sf} / \sum_g x_{sg}

    with c = 1 (``fraction``) or :math:`10^6` (``cpm``), the sum over the rows of whole samples, ``UNMAPPED`` and
    ``UNGROUPED`` among them: the fractions of functions sum to less than 1. Strata are divided by the same total.

    Parameters
    ----------
    table
        Any unit.
    unit
        A key of :data:`UNITS`; ``as_given`` changes nothing.

    Raises
    ------
    InputError
        Of an unknown unit.
    """
    if unit not in UNITS:
        raise InputError(Problem(f"unit {unit!r} is not known", f"use one of {', '.join(UNITS)}", value=unit))
    factor = UNITS[unit]
    if factor is None:
        return table
    total = table.whole.sum(axis=1)
    # A sample without anything stays 0: nothing is a fraction of nothing.
    scale = np.where(total > 0, factor / total.where(total > 0, 1.0), 0.0)[:, None]
    return FunctionTable(table.whole * scale, table.strata * scale, table.names)


def _targets(family: str, groups: Mapping[str, Iterable[str]]) -> list[str]:
    return [family] if family == _UNMAPPED else list(groups.get(family, ())) or [_UNGROUPED]


def _summed(
    frame: pd.DataFrame, targets: list[list[Any]], key: Callable[[Any], Any] | None
) -> tuple[np.ndarray, list[Any]]:
    """Sum the columns of a frame to the targets of each; return **row x target**, and the targets in order of `key`."""
    from scipy import sparse

    order = sorted({target for own in targets for target in own}, key=key)
    place = {target: i for i, target in enumerate(order)}
    rows = np.repeat(np.arange(len(targets)), [len(own) for own in targets])
    columns = np.array([place[target] for own in targets for target in own], dtype=int)
    shape = (len(targets), len(order))
    # A matrix of 0 and 1, nearly empty: with a million families a dense one would not fit.
    member = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    return np.asarray(frame.to_numpy(dtype=float) @ member), order


def families_only(table: FunctionTable, source: str) -> FunctionTable:
    """Return the table, or complain where it is not of gene families, which alone a map can regroup."""
    kind = kind_of(table.functions)
    if table.functions and kind != "genefamilies":
        message = f"the functions are of the kind {kind}, not gene families"
        raise InputError(Problem(message, "leave out the map, or give the table of gene families", source))
    return table


def _lines(path: str | Path) -> Iterator[str]:
    name = str(path)
    try:
        refuse_special(path)
        with Path(path).open("rb") as handle:
            start = handle.read(3)
        opened = gzip.open if start[:2] == b"\x1f\x8b" else bz2.open if start == b"BZh" else open
        with opened(path, "rt", encoding="utf-8") as stream:
            yield from stream
    except FileNotFoundError:
        raise InputError(Problem("the file does not exist", "correct the path", name)) from None
    except (EOFError, OSError, UnicodeDecodeError, ValueError, zlib.error) as error:
        raise InputError(Problem(f"cannot be read ({error})", "copy or make the file again", name)) from None
