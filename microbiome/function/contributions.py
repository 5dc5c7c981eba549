"""Whose a function was, is, and was to be: the taxa behind each function that is gained or lost."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.function.reading import SPECIAL, FunctionTable
from microbiome.function.species import SpeciesOutcomes
from microbiome.function.tables import FUNCTION_CONTRIBUTIONS, UNCLASSIFIED, UNEXPLAINED
from microbiome.study import Study, donor_products
from microbiome.tables import OUTCOME_NAMES

__all__ = ["CHANGED", "contributions"]

logger = logging.getLogger(__name__)

#: Outcomes of a function that came or went.
CHANGED = ("engrafted", "gained", "depleted", "shared_depleted")

# Part of a function below which a gap between it and its strata is rounding: HUMAnN prints ten decimals.
_ROUNDING = 1e-6
_PLACES = ("baseline", "donor", "post")


def contributions(
    table: FunctionTable,
    outcomes: pd.DataFrame,
    study: Study,
    taxa: pd.DataFrame | None = None,
    lineage: pd.DataFrame | None = None,
    names: Mapping[str, Collection[str]] | None = None,
    which: Collection[str] = CHANGED,
    close: bool = True,
) -> pd.DataFrame:
    r"""Divide the change of each function among the taxa that have it.

    With :math:`x_{ft}(s)` the abundance of function f from taxon t in sample s, baseline b and post sample p, the
    change of a taxon is :math:`x_{ft}(p) - x_{ft}(b)`, its share that over :math:`x_f(p) - x_f(b)`. What the strata do
    not add up to is a row of its own, ``unexplained``, so that the changes of a function always sum to its own: for a
    pathway it may be large, because HUMAnN quantifies a pathway in the community and in each species separately.

    The donor is the product received by then that has most of the function, whose abundance is ``donor_abundance`` of
    the outcomes.

    Parameters
    ----------
    table
        Functions of whole samples, and their strata.
    outcomes
        Outcomes of the functions (:data:`microbiome.tables.OUTCOMES`), made of the same table.
    study
        Samples and doses.
    taxa
        Outcomes of the taxa of the profiles; None leaves ``taxon_outcome`` missing.
    lineage
        Species of these taxa (:func:`microbiome.taxa.lineage.read_lineage`); None where they are species themselves.
    names
        Further names of the species of an SGB, HUMAnN's own (:func:`microbiome.function.species.read_species`).
    which
        Outcomes of functions to look at.
    close
        Divide each sample by its sum over functions, as the outcomes do by default.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.function.tables.FUNCTION_CONTRIBUTIONS`, in the order of the outcomes, of each
        function by falling size of the change, ``unexplained`` last.

    Raises
    ------
    InputError
        When the table lacks samples or functions of the outcomes, or `which` names no outcome.
    """
    unknown = sorted(set(which) - set(OUTCOME_NAMES))
    if unknown:
        message = f"{unknown[0]!r} is not an outcome"
        raise InputError(Problem(message, f"use {', '.join(OUTCOME_NAMES)}", value=unknown[0]))
    _same_table(table, outcomes)
    if not len(table.strata.columns):
        logger.warning("the table has no strata: nothing can be told of the taxa behind the functions")
    values, strata = _scaled(table, close)
    rows = outcomes[outcomes["outcome"].isin(list(which))]
    products = donor_products(study, set(map(str, values.index)))
    products = products[products["profiled"]].groupby("sample")["donor_sample"].agg(list).to_dict()
    of_taxa = SpeciesOutcomes(taxa, lineage, names)
    place = {str(name): i for i, name in enumerate(values.index)}
    columns: dict[str, list[int]] = {}
    for i, (function, _) in enumerate(strata.columns):
        columns.setdefault(str(function), []).append(i)
    labels = np.array([str(taxon) for _, taxon in strata.columns], dtype=object)
    whole, parts = values.to_numpy(dtype=float), strata.to_numpy(dtype=float)
    position = {str(name): i for i, name in enumerate(values.columns)}
    blocks: list[_Block] = []
    donors: list[str | None] = []
    keys = ["sample", "baseline_sample", "taxon"]
    for sample, baseline, function in rows[keys].itertuples(index=False):
        f = position[function]
        received = products.get(sample, [])
        donor = max(received, key=lambda name: float(whole[place[name], f])) if received else None
        samples = [place[baseline], place[donor] if donor is not None else None, place[sample]]
        own = np.array(columns.get(function, []), dtype=int)
        blocks.append(_divided(whole[:, f], parts[:, own], labels[own], samples))
        donors.append(donor)
    if not blocks:
        logger.warning("no function has one of the outcomes %s", ", ".join(which))
        return pd.DataFrame(columns=FUNCTION_CONTRIBUTIONS.names)
    keys = ["subject", "sample", "day", "baseline_sample", "taxon", "outcome"]
    repeated = rows[keys].rename(columns={"taxon": "function"}).assign(donor_sample=donors)
    result = repeated.iloc[np.repeat(np.arange(len(rows)), [len(block.taxa) for block in blocks])]
    result = result.reset_index(drop=True)
    result["taxon"] = [taxon for block in blocks for taxon in block.taxa]
    abundances = np.hstack([block.abundances for block in blocks])
    for name, abundance in zip(_PLACES, abundances, strict=True):
        result[f"{name}_abundance"] = abundance
    result["change"] = abundances[2] - abundances[0]
    result["function_change"] = np.repeat([block.change for block in blocks], [len(block.taxa) for block in blocks])
    # Adding 0 makes 0 of -0.
    result["share"] = (result["change"] / result["function_change"] + 0.0).where(result["function_change"] != 0)
    found = of_taxa.of(result[["sample", "taxon"]])
    result["taxon_outcome"], result["sgbs"] = found["outcome"].to_numpy(), found["sgbs"].to_numpy()
    result["note"] = _notes(result, of_taxa.there, {str(name) for name in columns})
    return result[FUNCTION_CONTRIBUTIONS.names].astype({"day": "Int64"})


@dataclass(frozen=True)
class _Block:
    """The taxa of one function, their abundances (baseline, donor, post x taxon), and the change of the function."""

    taxa: list[str]
    abundances: np.ndarray
    change: float


def _divided(whole: np.ndarray, parts: np.ndarray, labels: np.ndarray, samples: list[int | None]) -> _Block:
    """Return the taxa of one function by falling size of their change, the gap to the whole last.

    Parameters
    ----------
    whole
        Abundance of the function in each sample.
    parts
        sample x stratum.
    labels
        Taxon of each stratum.
    samples
        Positions of baseline, donor (None: nothing received) and post sample.
    """
    triple = np.array([whole[i] if i is not None else 0.0 for i in samples])
    of_taxa = np.array([parts[i] if i is not None else np.zeros(parts.shape[1]) for i in samples])
    there = (of_taxa > 0).any(axis=0)
    of_taxa, names = of_taxa[:, there], labels[there]
    order = np.lexsort((names.astype(str), -np.abs(of_taxa[2] - of_taxa[0])))
    of_taxa, taxa = of_taxa[:, order], [str(name) for name in names[order]]
    gap = triple - of_taxa.sum(axis=1)
    if not taxa or (np.abs(gap) > _ROUNDING * triple.max()).any():
        of_taxa, taxa = np.column_stack([of_taxa, gap]), [*taxa, UNEXPLAINED]
    return _Block(taxa, of_taxa, float(triple[2] - triple[0]))


def _scaled(table: FunctionTable, close: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    values = table.whole[table.functions]
    if not close:
        return values, table.strata
    total = values.sum(axis=1)
    scale = np.where(total > 0, 1 / total.where(total > 0, 1.0), 0.0)[:, None]
    return values * scale, table.strata * scale


def _same_table(table: FunctionTable, outcomes: pd.DataFrame) -> None:
    samples = {*outcomes["sample"], *outcomes["baseline_sample"].dropna()}
    problems = []
    for kind, lacking in (
        ("samples", samples - set(table.whole.index)),
        ("functions", set(outcomes["taxon"]) - set(table.whole.columns) - set(SPECIAL)),
    ):
        if lacking:
            first = min(lacking)
            message = f"{len(lacking)} {kind} of the outcomes are not in the function table ({first!r} for example)"
            problems.append(Problem(message, "give the table that the outcomes were made of", value=str(first)))
    if problems:
        raise InputError(problems)


def _notes(result: pd.DataFrame, known: bool, stratified: Collection[str]) -> np.ndarray:
    """Say why something is missing."""
    taxon = result["taxon"]
    none = ~result["function"].isin(list(stratified))
    notes = np.full(len(result), None, dtype=object)
    notes[((taxon == UNEXPLAINED) & none).to_numpy()] = "the table has no strata of this function"
    text = "the strata do not add up to the function"
    notes[((taxon == UNEXPLAINED) & ~none).to_numpy()] = text
    notes[(taxon == UNCLASSIFIED).to_numpy()] = "found by translated search: of which species is not known"
    if known:
        species = ~taxon.isin([UNEXPLAINED, UNCLASSIFIED]) & result["taxon_outcome"].isna()
        notes[species.to_numpy()] = "no taxon of the profiles of this subject is of this species"
    notes[(result["function_change"] == 0).to_numpy() & (notes == None)] = "the function did not change"  # noqa: E711
    return notes
