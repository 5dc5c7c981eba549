"""What HUMAnN had of each sample and could place of it: the counts that the workflow keeps, as one table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from microbiome.errors import Problem, collecting, raise_problems
from microbiome.function.tables import FUNCTION_READS
from microbiome.tsv import read_table

__all__ = ["function_reads"]


def function_reads(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Join the counts of samples (one file each, written beside HUMAnN's tables).

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.function.tables.FUNCTION_READS`, in the order given.

    Raises
    ------
    InputError
        With every problem of every file, and of samples that stand in two.
    """
    problems: list[Problem] = []
    frames: list[pd.DataFrame] = []
    for path in paths:
        with collecting(problems):
            frames.append(read_table(path, FUNCTION_READS).assign(file=str(path)))
    raise_problems(problems)
    if not frames:
        return pd.DataFrame(columns=FUNCTION_READS.names)
    joined = pd.concat(frames, ignore_index=True)
    again = joined[joined["sample"].duplicated()]
    raise_problems(
        Problem(f"sample {sample!r} stands in another file too", "give each sample once", str(file), value=str(sample))
        for sample, file in zip(again["sample"], again["file"], strict=True)
    )
    return joined.reindex(columns=FUNCTION_READS.names)
