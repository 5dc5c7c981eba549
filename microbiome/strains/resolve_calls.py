"""Whose strains each post sample has, where there are only distances between samples (trees, published tables)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.strains.resolve import Asked, asked_cells, tidy_frames
from microbiome.strains.tables import STRAIN_SHARED
from microbiome.study import Study
from microbiome.tsv import missing_columns

__all__ = ["resolve_calls"]


def resolve_calls(
    shared: pd.DataFrame, study: Study, outcomes: pd.DataFrame | None, taxa: Collection[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say whose strains a post sample has from the calls of its pairs with donor products and baseline.

    A call is that of ``any_shared`` where the table has one, else ``same_strain``. ``strain_outcome`` is coexist when
    the post sample has the same strain as a donor product and as the baseline, donor or recipient when it has that of
    one of the two and not that of the other, other when it has neither. It is unresolved when a call that this needs is
    missing (of any product in the table, where none has the same strain; of donor and baseline, where both have it), or
    when donor and baseline themselves have that strain. Fractions cannot be known from distances: they
    are missing, but for donor_fraction 1 and 0 of donor and of recipient or other.

    Parameters
    ----------
    shared
        Table of :func:`microbiome.strains.share.share`; of one method.
    study
        The study.
    outcomes
        Table of outcomes: which taxa are in donor, baseline and post sample.
    taxa
        Only these; default: all.

    Returns
    -------
    resolved, sources
        As :func:`microbiome.strains.resolve.resolve_alleles` returns them; ``sources`` has no rows.

    Raises
    ------
    InputError
        When a column is missing, there are several methods, or no outcomes are given.
    """
    problems = missing_columns(shared, STRAIN_SHARED, "shared")
    if "same_strain" not in shared:
        fix = "give the table that `microbiome strains share` writes"
        problems.append(Problem("column 'same_strain' is missing", fix, "shared", column="same_strain"))
    if problems:
        raise InputError(problems)
    if outcomes is None:
        raise InputError("distances do not say which taxa a sample has; give --outcomes or --profile as well")
    methods = sorted(map(str, shared["method"].dropna().unique())) if "method" in shared else []
    if len(methods) > 1:
        raise InputError(f"the pairs have the methods {', '.join(methods)}; keep the rows of one of them")
    calls = shared["same_strain"].astype("Float64")
    if "any_shared" in shared:
        calls = shared["any_shared"].astype("Float64").fillna(calls)
    known = {
        (taxon, min(one, other), max(one, other)): call
        for taxon, one, other, call in zip(
            shared["taxon"],
            shared["sample_1"],
            shared["sample_2"],
            calls.to_numpy(dtype=float, na_value=np.nan),
            strict=True,
        )
    }
    cells = [cell for cell in asked_cells(study, outcomes) if taxa is None or cell.taxon in taxa]
    return tidy_frames([_called(cell, known) for cell in cells], [], cells)


def _called(cell: Asked, known: dict[tuple[str, str, str], float]) -> dict[str, object]:
    def call(one: str, other: str) -> float | None:
        # None: the pair is not in the table; NaN: it is, without a call.
        return known.get((cell.taxon, min(one, other), max(one, other)))

    row: dict[str, object] = {name: getattr(cell, name) for name in ("subject", "sample", "day", "baseline_sample")}
    row |= {"taxon": cell.taxon, "outcome": cell.outcome, "post_abundance": cell.post_abundance, "method": "calls"}
    products = list(dict.fromkeys(sample for _, sample in cell.products)) if cell.outcome != "persisted" else []
    with_donor = {product: call(cell.sample, product) for product in products}
    there = [value for value in with_donor.values() if value is not None]
    # A product without a call may be the one: only when every product that has the taxon is called is it none of them.
    donor = 1.0 if 1.0 in there else 0.0 if there and not np.isnan(there).any() else np.nan
    if cell.outcome == "engrafted":
        word = "unresolved" if np.isnan(donor) else "donor" if donor else "other"
        return {**row, **_fractions(word), "reason": _missing("donor products") if word == "unresolved" else None}
    found = call(cell.sample, str(cell.baseline_sample))
    baseline = np.nan if found is None else found
    if cell.outcome == "persisted":
        word = "unresolved" if np.isnan(baseline) else "recipient" if baseline else "other"
        return {**row, **_fractions(word), "reason": _missing("baseline") if word == "unresolved" else None}
    reason = None
    alike = [call(str(cell.baseline_sample), product) for product, value in with_donor.items() if value == 1]
    between = [np.nan if value is None else value for value in alike]
    if np.isnan(donor) or np.isnan(baseline):
        word, reason = "unresolved", _missing("donor products" if np.isnan(donor) else "baseline")
    elif donor and 1 in between:
        word, reason = "unresolved", "donor and baseline have the same strain"
    elif donor and baseline and np.isnan(between).any():
        word, reason = "unresolved", "no call of the pair of donor product and baseline"
    else:
        word = {(1, 1): "coexist", (1, 0): "donor", (0, 1): "recipient", (0, 0): "other"}[int(donor), int(baseline)]
    return {**row, **_fractions(word), "reason": reason}


def _missing(what: str) -> str:
    return f"no call of the pair with the {what}"


def _fractions(word: str) -> dict[str, object]:
    parts = {"donor": (1.0, 0.0, 0.0), "recipient": (0.0, 1.0, 0.0), "other": (0.0, 0.0, 1.0)}
    found: dict[str, object] = {"strain_outcome": word}
    if word in parts:
        names = ("donor_fraction", "baseline_fraction", "other_fraction")
        found |= dict(zip(names, parts[word], strict=True))
    return found
