"""The merged table of many profiles, written row by row: memory grows with the cells that are not 0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from microbiome.metaphlan_format import ParsedTable
from microbiome.number_text import number_row

__all__ = ["Gathered", "clade_order", "merged_pieces"]


def clade_order(clades: Iterable[str]) -> list[str]:
    """Return clades by depth and then by name, each once."""
    return sorted(set(clades), key=lambda name: (name.count("|"), name))


@dataclass(frozen=True)
class _Cells:
    """Cells of one table that are not 0: numbers of the clade and of the sample, and the percentage."""

    clade: np.ndarray
    sample: np.ndarray
    percent: np.ndarray


class Gathered:
    """Profiles one after the other, of each what is not 0.

    A profile of some hundred clades among thousands takes 16 bytes per such cell; its text and the names of its clades
    are not kept.
    """

    def __init__(self) -> None:
        #: The tables in their order, without rows: what :func:`microbiome.metaphlan_combine.combination_problems` asks.
        self.tables: list[ParsedTable] = []
        self._number: dict[str, int] = {}
        self._cells: list[_Cells] = []
        self._samples = 0

    def add(self, table: ParsedTable) -> None:
        """Take in one table."""
        number = self._number
        clades = np.array([number.setdefault(clade, len(number)) for clade in table.clades], dtype=np.int32)
        row, column = np.nonzero(table.percent)
        sample = (column + self._samples).astype(np.int32)
        self._cells.append(_Cells(clades[row], sample, table.percent[row, column]))
        self._samples += len(table.samples)
        # Of the clades one of each kind is enough to tell whether there are any, and SGBs among them.
        kept = [next((c for c in table.clades if "|t__" in c), None), table.clades[0] if table.clades else None]
        some = [clade for clade in kept if clade is not None]
        self.tables.append(replace(table, clades=some, percent=np.zeros((0, len(table.samples))), clade_reads=None))

    def pieces(self) -> Iterator[str]:
        """Yield the merged table as text."""
        names = clade_order(self._number)
        number = np.array([self._number[name] for name in names], dtype=np.intp)
        clade, sample, percent = (
            np.concatenate([getattr(cells, part) for cells in self._cells]) for part in ("clade", "sample", "percent")
        )
        self._cells.clear()
        order = np.argsort(clade, kind="stable")
        sample, percent = sample[order], percent[order]
        stops = np.cumsum(np.bincount(clade, minlength=len(names)))
        starts = stops - np.bincount(clade, minlength=len(names))
        unclassified = np.concatenate([table.unclassified for table in self.tables])
        samples = [name for table in self.tables for name in table.samples]
        database = next((table.database for table in self.tables if table.database), None)

        def rows() -> Iterator[tuple[str, np.ndarray]]:
            for name, at in zip(names, number.tolist(), strict=True):
                row = np.zeros(len(samples))
                here = slice(int(starts[at]), int(stops[at]))
                row[sample[here]] = percent[here]
                yield name, row

        yield from merged_pieces(database, samples, unclassified, rows())


def merged_pieces(
    database: str | None, samples: Iterable[object], unclassified: np.ndarray, rows: Iterable[tuple[str, np.ndarray]]
) -> Iterator[str]:
    """Yield the form of ``merge_metaphlan_tables.py``, line by line.

    Parameters
    ----------
    database
        None where no table names one.
    samples
        Names of the columns.
    unclassified
        Percentages; NaN, written as 0, where not estimated. Without a row where no sample has one.
    rows
        Clades with their percentages.
    """
    if database:
        yield f"#{database}\n"
    yield "\t".join(["clade_name", *map(str, samples)]) + "\n"
    if not np.isnan(unclassified).all():
        yield f"UNCLASSIFIED\t{number_row(np.nan_to_num(unclassified))}\n"
    for clade, row in rows:
        yield f"{clade}\t{number_row(row)}\n"
