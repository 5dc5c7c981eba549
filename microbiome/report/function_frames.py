"""What is counted for the figures of functions: which functions change most, and from which taxa."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from microbiome.function.tables import UNCLASSIFIED, UNEXPLAINED

__all__ = ["OTHERS", "contribution_bars", "function_name", "taxon_name"]

OTHERS = "other taxa"
_OPEN = {UNCLASSIFIED: "of no species (unclassified)", UNEXPLAINED: "unexplained by the strata"}


def function_name(function: str, names: Mapping[str, str]) -> str:
    """Return a function with its name, where it has one and does not hold it already."""
    name = names.get(function, "")
    return function if not name or name in function or ": " in function else f"{function}: {name}"


def taxon_name(stratum: str) -> str:
    """Return a stratum of HUMAnN for reading: ``g__Genus.s__Genus_species`` is ``Genus species``."""
    if stratum in _OPEN:
        return _OPEN[stratum]
    return stratum.split(".s__")[-1].removeprefix("s__").removeprefix("g__").replace("_", " ")


def contribution_bars(
    contributions: pd.DataFrame, names: Mapping[str, str], most: int = 14, taxa: int = 6
) -> pd.DataFrame:
    """Return the mean change of the functions that change most, by the taxon it comes from.

    A subject counts once: its mean over its post samples, then the mean over the subjects who have post samples in the
    table (a taxon without a row has changed by 0).

    Parameters
    ----------
    contributions
        Columns of :data:`microbiome.function.tables.FUNCTION_CONTRIBUTIONS`.
    names
        Function and its name.
    most, taxa
        How many functions, those of the largest absolute mean change; and how many taxa have a bar of their own.

    Returns
    -------
    DataFrame
        ``function, title, taxon, change, function_change, subjects`` (in how many the taxon's part changed), functions
        in the order of the absolute change; ``change`` sums to ``function_change`` over the taxa of a function.
    """
    columns = ["function", "title", "taxon", "change", "function_change", "subjects"]
    known = contributions[contributions["change"].notna()]
    if known.empty:
        return pd.DataFrame(columns=columns)
    samples = known.drop_duplicates("sample").groupby("subject")["sample"].nunique()
    people = len(samples)
    weight = 1.0 / (known["subject"].map(samples) * people)
    weighted = known.assign(part=known["change"] * weight)
    total = weighted.groupby("function")["part"].sum()
    top = total.loc[total.abs().sort_values(ascending=False, kind="stable").index[:most]]
    kept = weighted[weighted["function"].isin(set(top.index))]
    size = kept.assign(size=kept["part"].abs()).groupby("taxon")["size"].sum().drop([*_OPEN], errors="ignore")
    own = set(size.sort_values(ascending=False, kind="stable").index[:taxa])
    label = kept["taxon"].where(kept["taxon"].isin(own | set(_OPEN)), OTHERS)
    kept = kept.assign(label=[taxon_name(str(name)) if name != OTHERS else OTHERS for name in label])
    grouped = kept.groupby(["function", "label"], sort=False)
    changed = kept[kept["change"] != 0].groupby(["function", "label"])["subject"].nunique()
    frame = grouped["part"].sum().rename("change").reset_index()
    frame["subjects"] = [int(changed.get((f, t), 0)) for f, t in zip(frame["function"], frame["label"], strict=True)]
    order = {name: i for i, name in enumerate(top.index)}
    frame = frame.assign(
        title=[function_name(str(name), names) for name in frame["function"]],
        function_change=frame["function"].map(top),
        _order=frame["function"].map(order),
        taxon=frame["label"],
    )
    return frame.sort_values(["_order", "taxon"], kind="stable")[columns].reset_index(drop=True)
