"""What a measure asks of an abundance frame, checked once at the door."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems

__all__ = ["check_abundance"]


def check_abundance(abundance: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Check a sample x taxon frame and tell which samples have a profile.

    Parameters
    ----------
    abundance
        sample x taxon, non-negative; a row of NaN is a sample without a profile.

    Returns
    -------
    values
        ``float64`` copy, samples x taxa, the rows without a profile set to 0.
    profiled
        Whether the sample has a profile: at least one taxon with abundance > 0. A row of NaN and a row of zeros have
        none.

    Raises
    ------
    InputError
        A sample or taxon twice, a cell that is negative, infinite or not a number, or missing in a row that has values.
    """
    problems: list[Problem] = []
    for axis, labels in (("sample", abundance.index), ("taxon", abundance.columns)):
        for label in labels[labels.duplicated()].unique():
            problems.append(Problem(f"{axis} {label!r} stands twice in the profile", "keep one", value=str(label)))
    try:
        values = abundance.to_numpy(dtype=float, na_value=np.nan, copy=True)
    except (TypeError, ValueError) as error:
        raise InputError(
            Problem(f"the profile holds a cell that is not a number ({error})", "mend the table")
        ) from None
    missing = np.isnan(values)
    empty = missing.all(axis=1) if values.shape[1] else np.ones(len(values), dtype=bool)
    wrong = (
        (missing & ~empty[:, None], "is missing", "fill it in, or leave the whole sample empty"),
        (values < 0, "is negative", "abundances are 0 or more"),
        (np.isinf(values), "is infinite", "write a number"),
    )
    for where, what, fix in wrong:
        for sample in np.flatnonzero(where.any(axis=1)):
            taxa = abundance.columns[where[sample]]
            more = f" and {len(taxa) - 1} more" if len(taxa) > 1 else ""
            problems.append(
                Problem(
                    f"the abundance of {taxa[0]!r}{more} {what} in sample {abundance.index[sample]!r}",
                    fix,
                    value=str(abundance.index[sample]),
                )
            )
    raise_problems(problems)
    values[empty] = 0.0
    return values, (values > 0).any(axis=1)
