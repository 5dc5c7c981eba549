"""What is counted and put in order for the figures of strains."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from microbiome.report.counting import named_taxa, timed, unique_names
from microbiome.report.theme import STRAIN_COLOURS

__all__ = [
    "PAIR_KINDS",
    "chunks",
    "fraction_rows",
    "pairs_of_people",
    "source_parts",
    "strain_counts",
    "tile_rows",
    "widest_taxa",
]

#: What two samples of one person are, and the colour of the pair.
PAIR_KINDS = {
    "recipient, no dose between": "#0072B2",
    "recipient, FMT between": "#E69F00",
    "lots of a donor": "#009E73",
    "control": "#56B4E9",
}


def tile_rows(resolved: pd.DataFrame, subjects: pd.DataFrame, lineages: pd.DataFrame) -> pd.DataFrame:
    """Return the resolved table with ``arm, response, time, order`` and the ``name`` of each taxon, by subject and day.

    Parameters
    ----------
    resolved
        Columns of :data:`microbiome.strains.tables.STRAIN_RESOLVED`.
    subjects
        As :func:`microbiome.report.roster.people` returns it.
    lineages
        As in :class:`microbiome.report.data.Tables`.
    """
    samples = timed(resolved[["subject", "sample", "day"]].drop_duplicates("sample"), subjects)
    named = named_taxa(resolved.drop(columns=[name for name in ("arm", "response") if name in resolved]), lineages)
    named = named.assign(name=unique_names(named))
    keep = ["sample", "arm", "response", "time", "order"]
    found = named.merge(samples[keep].assign(place=range(len(samples))), on="sample")
    return found.sort_values(["place", "name"], kind="stable").drop(columns="place").reset_index(drop=True)


def strain_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the taxa of each post sample by ``strain_outcome``, a row also where none has it.

    Columns ``subject, sample, day, time, order, strain_outcome, taxa``.
    """
    keys = ["subject", "sample", "day", "time", "order"]
    table = rows.groupby([*keys, "strain_outcome"], sort=False).size().unstack("strain_outcome", fill_value=0)
    table = table.reindex(columns=list(STRAIN_COLOURS), fill_value=0)
    long = table.reset_index().melt(keys, list(STRAIN_COLOURS), "strain_outcome", "taxa")
    place = {sample: i for i, sample in enumerate(dict.fromkeys(rows["sample"]))}
    rank = {name: i for i, name in enumerate(STRAIN_COLOURS)}
    long = long.assign(_a=long["sample"].map(place), _b=long["strain_outcome"].map(rank))
    return long.sort_values(["_a", "_b"]).drop(columns=["_a", "_b"]).reset_index(drop=True)


def source_parts(sources: pd.DataFrame, subjects: pd.DataFrame, rest: Sequence[str]) -> pd.DataFrame:
    """Return the mean part of each source over the taxa of every post sample.

    Parameters
    ----------
    sources
        Columns of :data:`microbiome.strains.tables.STRAIN_SOURCES`; a source without a row has no part of a taxon.
    subjects
        As :func:`microbiome.report.roster.people` returns it.
    rest
        Sources that are no donors.

    Returns
    -------
    DataFrame
        ``subject, sample, day, time, order, source, part, taxa`` (how many it is the mean of), donors first; samples
        of subjects and days in order.
    """
    known = sources[sources["fraction"].notna()]
    samples = timed(known[["subject", "sample", "day"]].drop_duplicates("sample"), subjects).reset_index(drop=True)
    number = known.groupby("sample")["taxon"].nunique().rename("taxa")
    total = known.groupby(["sample", "source"])["fraction"].sum().rename("part").reset_index()
    table = total.merge(number, on="sample")
    table = table.assign(part=table["part"] / table["taxa"], _rest=table["source"].isin(rest))
    keep = samples[["subject", "sample", "day", "time", "order"]].assign(_place=samples.index)
    found = keep.merge(table, on="sample").sort_values(["_place", "_rest", "source"], kind="stable")
    return found.drop(columns=["_place", "_rest"]).reset_index(drop=True)


def widest_taxa(rows: pd.DataFrame, most: int) -> list[str]:
    """Return the names of the taxa resolved in most subjects (in most samples, where alike), at most `most`."""
    known = rows[rows["strain_outcome"] != "unresolved"]
    table = known.groupby("name").agg(subjects=("subject", "nunique"), samples=("sample", "nunique"))
    everything = rows.groupby("name")["sample"].nunique().rename("all")
    table = table.reindex(everything.index, fill_value=0).join(everything).reset_index()
    table = table.sort_values(["subjects", "samples", "all", "name"], ascending=[False, False, False, True])
    return [str(name) for name in table["name"].head(most)]


def fraction_rows(rows: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows with a donor fraction of taxa that the donor has, and the names of the taxa most widely known.

    Returns
    -------
    rows
        Of these taxa only.
    names
        By how many subjects they are known in, then by how much is the donor's.
    """
    known = rows[rows["donor_fraction"].notna() & rows["outcome"].isin(["engrafted", "shared_kept"])]
    table = known.groupby("name").agg(subjects=("subject", "nunique"), mean=("donor_fraction", "mean")).reset_index()
    table = table.sort_values(["subjects", "mean", "name"], ascending=[False, False, True])
    names = [str(name) for name in table["name"].head(most)]
    return known[known["name"].isin(names)].reset_index(drop=True), names


def chunks(
    subjects: Sequence[str], columns: Sequence[int], room: int, least: int, tile: int, gap: int
) -> list[list[str]]:
    """Split subjects into runs whose panels fit side by side.

    Parameters
    ----------
    subjects, columns
        Names in order, and how many samples each has.
    room
        Pixels for all panels of a figure.
    least, tile, gap
        Smallest width of a panel, width of a sample, and distance between panels.
    """
    found: list[list[str]] = []
    used = room + 1
    for name, number in zip(subjects, columns, strict=True):
        width = max(tile * number, least) + gap
        if used + width > room:
            found.append([])
            used = 0
        found[-1].append(name)
        used += width
    return found


def pairs_of_people(persistence: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with a rate and a distance in days, and their ``kind`` (:data:`PAIR_KINDS`)."""
    known = persistence[persistence["same_strain_rate"].notna() & persistence["days_apart"].notna()]
    between = (known["doses_between"].fillna(0) > 0).to_numpy()
    kind = pd.Series("recipient, no dose between", index=known.index).mask(between, "recipient, FMT between")
    kind = kind.mask(known["role"] == "donor", "lots of a donor").mask(known["role"] == "control", "control")
    return known.assign(kind=kind).reset_index(drop=True)
