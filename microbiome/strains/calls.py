"""Calls of pairs of samples as numbers, and counting them over sets of pairs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.strains.tables import METHODS, STRAIN_SHARED
from microbiome.tsv import missing_columns

__all__ = ["Calls", "counts_of_links", "known_strains", "pair_calls"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calls:
    """Calls of the same strain, one element per taxon and pair of samples.

    Parameters
    ----------
    samples, taxa
        Names, in the order of their codes.
    first, second
        Codes of the two samples, the smaller first.
    taxon
        Code of the taxon.
    same
        1 the same strain, 0 another, NaN unresolved.
    method
        The distance that the calls rest on; None where the table does not say.
    """

    samples: tuple[str, ...]
    taxa: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    taxon: np.ndarray
    same: np.ndarray
    method: str | None = None


def pair_calls(shared: pd.DataFrame, samples: Sequence[str], method: str | None = None) -> Calls:
    """Return the calls of one method between samples of the study.

    Parameters
    ----------
    shared
        Columns of :data:`microbiome.strains.tables.STRAIN_SHARED`.
    samples
        Names of the samples of the study; pairs with others are passed over, with a warning.
    method
        The distance to use. Without it the only one there is, or of several the first in the order of
        :data:`microbiome.strains.tables.METHODS` (said in the log): the calls of two methods are of the same reads, and
        must not be counted twice.

    Raises
    ------
    InputError
        When a column is missing, there is no such method, a pair stands twice, or a sample is compared with itself.
    """
    problems = missing_columns(shared, STRAIN_SHARED, "shared")
    if "same_strain" not in shared:
        fix = "give the table that `microbiome strains share` writes"
        problems.append(Problem("column 'same_strain' is missing", fix, "shared", column="same_strain"))
    raise_problems(problems)
    chosen = _method(shared, method)
    if chosen is not None and "method" in shared:
        shared = shared[shared["method"].to_numpy() == chosen]
    codes = {name: code for code, name in enumerate(samples)}
    one, other = (shared[name].map(codes) for name in ("sample_1", "sample_2"))
    known = (one.notna() & other.notna()).to_numpy()
    if not known.all():
        strange = pd.concat([shared.loc[one.isna(), "sample_1"], shared.loc[other.isna(), "sample_2"]]).unique()
        logger.warning(
            "%d samples of the pairs are not in the samples table and are left out, such as %s",
            len(strange),
            strange[0],
        )
    a, b = one[known].to_numpy(dtype=np.int64), other[known].to_numpy(dtype=np.int64)
    taxon, taxa = pd.factorize(shared.loc[known, "taxon"])
    same = pd.to_numeric(shared.loc[known, "same_strain"]).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    first, second = np.minimum(a, b), np.maximum(a, b)
    raise_problems(_wrong(first, second, taxon, same, samples))
    return Calls(tuple(samples), tuple(taxa), first, second, taxon.astype(np.int64), same, chosen)


def _method(shared: pd.DataFrame, method: str | None) -> str | None:
    there = [str(name) for name in shared["method"].dropna().unique()] if "method" in shared else []
    if method is not None:
        if method not in there:
            words = ", ".join(there) or "none"
            raise InputError(Problem(f"no pair has method {method!r}", f"there are {words}", "shared", value=method))
        return method
    ordered = sorted(there, key=lambda name: METHODS.index(name) if name in METHODS else len(METHODS))
    if len(ordered) > 1:
        logger.warning("the pairs have the methods %s; %s is used", ", ".join(ordered), ordered[0])
    return ordered[0] if ordered else None


def _wrong(
    first: np.ndarray, second: np.ndarray, taxon: np.ndarray, same: np.ndarray, samples: Sequence[str]
) -> list[Problem]:
    problems = []
    own = first == second
    if own.any():
        name = samples[int(first[own][0])]
        problems.append(Problem(f"sample {name!r} is compared with itself", "make the table again", "shared"))
    if not np.isin(same[~np.isnan(same)], (0.0, 1.0)).all():
        problems.append(Problem("same_strain is not 0, 1 or empty", "make the table again", "shared"))
    key = (taxon * len(samples) + first) * len(samples) + second
    order = np.argsort(key, kind="stable")
    twice = np.flatnonzero(key[order][1:] == key[order][:-1])
    if len(twice):
        place = order[twice[0]]
        pair = f"{samples[first[place]]!r} and {samples[second[place]]!r}"
        message = f"{len(twice)} pairs of a taxon stand twice, the first is {pair}"
        problems.append(Problem(message, "keep one row per taxon, pair and method", "shared"))
    return problems


def counts_of_links(calls: Calls, links: pd.DataFrame, rows: int) -> dict[str, np.ndarray]:
    """Count taxa over sets of pairs of samples: each taxon counts once per set.

    Parameters
    ----------
    calls
        As :func:`pair_calls` returns them.
    links
        ``row`` (the set, 0 to `rows` - 1), ``one``, ``other``: names of two samples. A set may have several pairs (a
        post sample and each product it received); names that are missing or unknown give nothing.
    rows
        How many sets there are.

    Returns
    -------
    dict
        ``compared``: taxa with the same strain in any pair of the set, or a call of all of its pairs in the table;
        ``same``: of these, with the same strain in any; ``uncalled``: the other taxa that stand in the table for a pair
        of the set.
    """
    codes = {name: code for code, name in enumerate(calls.samples)}
    known = links.assign(a=links["one"].map(codes), b=links["other"].map(codes)).dropna(subset=["a", "b"])
    a, b = known["a"].to_numpy(dtype=np.int64), known["b"].to_numpy(dtype=np.int64)
    size = len(calls.samples)
    wanted = pd.DataFrame({"row": known["row"].to_numpy(), "pair": np.minimum(a, b) * size + np.maximum(a, b)})
    wanted = wanted.drop_duplicates()
    pair = calls.first * size + calls.second
    # Of millions of pairs few are asked for.
    here = np.flatnonzero(np.isin(pair, wanted["pair"].to_numpy()))
    table = pd.DataFrame({"pair": pair[here], "taxon": calls.taxon[here], "same": calls.same[here]})
    # One pair with the same strain settles it; another strain only when every pair is called.
    merged = wanted.merge(table, on="pair")
    grouped = merged.assign(open=merged["same"].isna()).groupby(["row", "taxon"], sort=False)
    each = grouped.agg(same=("same", "max"), open=("open", "any")).reset_index()
    row, same = each["row"].to_numpy(dtype=np.int64), each["same"].to_numpy(dtype=float)
    same = np.where(each["open"].to_numpy() & (same != 1), np.nan, same)
    return {
        name: np.bincount(row[cells], minlength=rows)
        for name, cells in (("compared", ~np.isnan(same)), ("same", same == 1), ("uncalled", np.isnan(same)))
    }


def known_strains(calls: Calls, samples: Sequence[str]) -> set[tuple[str, str]]:
    """Return (sample, taxon) of the samples whose strain of a taxon was compared with that of any other sample."""
    wanted = set(samples)
    found: set[tuple[str, str]] = set()
    called = ~np.isnan(calls.same)
    for end in (calls.first[called], calls.second[called]):
        both = np.unique(end * max(len(calls.taxa), 1) + calls.taxon[called])
        for code in both.tolist():
            sample = calls.samples[code // len(calls.taxa)]
            if sample in wanted:
                found.add((sample, calls.taxa[code % len(calls.taxa)]))
    return found
