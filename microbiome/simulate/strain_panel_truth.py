"""What is true of the strains of a simulated trial: which pairs of samples share one, and whose a post sample has."""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from microbiome.simulate.trial import true_outcomes

__all__ = ["PAIR_COLUMNS", "TRIAD_COLUMNS", "true_pairs", "true_triads"]

PAIR_COLUMNS = ("taxon", "sample_1", "sample_2", "same_dominant", "any_shared", "mixed", "depth_1", "depth_2")
TRIAD_COLUMNS = (
    *("subject", "sample", "day", "baseline_sample", "taxon", "outcome", "strain_outcome"),
    *("donor_fraction", "baseline_fraction", "common_fraction", "other_fraction", "clear", "depth"),
    *("depth_donor", "depth_baseline"),
)
# Fractions closer than this are a tie: none of the strains is dominant.
_TIE = 1e-9


def true_pairs(strains: pd.DataFrame, depth: pd.DataFrame) -> pd.DataFrame:
    """Return what is true of every two samples that hold a taxon.

    Parameters
    ----------
    strains
        ``sample``, ``taxon``, ``strain``, ``fraction``: every strain present.
    depth
        sample x taxon: expected depth.

    Returns
    -------
    DataFrame
        Columns :data:`PAIR_COLUMNS`; ``same_dominant`` (1, 0; missing where a tie of the most abundant strains of a
        sample decides it), ``any_shared`` (1, 0: at least one strain in common), ``mixed`` (1: one of the two
        has more than one strain). Samples in the order of `depth`.
    """
    order = {name: i for i, name in enumerate(depth.index)}
    reads = _cells(depth)
    rows = []
    for taxon, group in strains.groupby("taxon", sort=True):
        held = {name: dict(zip(g["strain"], g["fraction"], strict=True)) for name, g in group.groupby("sample")}
        top = {n: {s for s, f in h.items() if f >= max(h.values()) - _TIE} for n, h in held.items()}
        for one, other in combinations(sorted(held, key=order.__getitem__), 2):
            if not top[one] & top[other]:
                same: int | None = 0
            else:
                same = 1 if len(top[one] | top[other]) == 1 else None
            shared = int(bool(held[one].keys() & held[other].keys()))
            mixed = int(len(held[one]) > 1 or len(held[other]) > 1)
            depths = (reads[one, taxon], reads[other, taxon])
            rows.append((taxon, one, other, same, shared, mixed, *depths))
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS)).astype({"same_dominant": "Int64"})


def true_triads(samples: pd.DataFrame, doses: pd.DataFrame, strains: pd.DataFrame, depth: pd.DataFrame) -> pd.DataFrame:
    """Return whose strains every post sample has.

    Parameters
    ----------
    samples, doses
        Input tables.
    strains
        Every strain present, as in :func:`true_pairs`.
    depth
        sample x taxon: expected depth.

    Returns
    -------
    DataFrame
        Columns :data:`TRIAD_COLUMNS`: the true outcomes of taxa that are in the post sample
        (:func:`microbiome.simulate.trial.true_outcomes`), with ``clear`` (1: no strain is both in a product received
        and in the baseline, so that the fractions are defined), ``depth`` of the post sample, ``depth_donor`` (of the
        deepest product received) and ``depth_baseline``.
    """
    table = true_outcomes(samples, doses, strains).dropna(subset=["strain_outcome"]).reset_index(drop=True)
    held = {key: set(g["strain"]) for key, g in strains.groupby(["sample", "taxon"])}
    reads = _cells(depth)
    lots_of = samples[samples["role"] == "donor"].groupby("subject")["sample"].agg(list).to_dict()
    extra = []
    for row in table[["subject", "sample", "day", "baseline_sample", "taxon"]].itertuples(index=False):
        received = doses[(doses["subject"] == row.subject) & (doses["day"] <= row.day)]
        products: list[str] = []
        for donor, lot in received[["donor", "donor_sample"]].itertuples(index=False):
            products += lots_of[donor] if lot is None else [lot]
        given: set[str] = set().union(*(held.get((product, row.taxon), set()) for product in products))
        clear = int(not given & held.get((row.baseline_sample, row.taxon), set()))
        deepest = max((reads[product, row.taxon] for product in products), default=0.0)
        extra.append((clear, reads[row.sample, row.taxon], deepest, reads[row.baseline_sample, row.taxon]))
    columns = ["clear", "depth", "depth_donor", "depth_baseline"]
    return pd.concat([table, pd.DataFrame(extra, columns=columns)], axis=1)[list(TRIAD_COLUMNS)]


def _cells(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    return {(str(row), str(name)): value for name, column in frame.items() for row, value in column.items()}
