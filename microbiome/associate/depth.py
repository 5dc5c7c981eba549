"""Whether what is tested goes with how deep samples were sequenced: rare taxa are missed in shallow ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.associate.predictors import Predictor
from microbiome.molecules import Measured

__all__ = ["depth_comments"]

# Medians that differ by a larger factor, and a correlation above this, are told.
_FACTOR, _CORRELATED = 1.5, 0.5


def depth_comments(table: Measured, samples: pd.DataFrame, given: Predictor, subjects: set[str]) -> list[str]:
    """Say where the reads of samples before or after day 0 differ with what a table is tested against.

    Parameters
    ----------
    table
        Its rows tell the samples; rows of none (blood, for example) have no depth.
    samples
        Samples table, with ``reads``; where these are missing that is said.
    given
        What the features are tested against.
    subjects
        Who takes part.

    Returns
    -------
    list of str
        Medians of groups that differ by a factor above 1.5, an absolute Spearman correlation of a number above 0.5; of
        the day, medians before and after.
    """
    rows = table.rows[table.rows["subject"].astype(str).isin(subjects) & table.rows["day"].notna()]
    known = rows["sample"].isin(samples["sample"]) if "sample" in samples else pd.Series(False, index=rows.index)
    if not known.any():
        return []
    reads = samples.set_index("sample")["reads"] if "reads" in samples else pd.Series(dtype=float)
    depth = pd.to_numeric(rows["sample"].map(reads), errors="coerce").astype("Float64").astype(float)
    if depth.notna().sum() < 2:
        return [
            f"{table.name}: presence follows the depth of the samples, which is not known (column reads of samples)"
        ]
    after = rows["day"].astype(float) > 0
    if given.groups is None and given.numbers is None:
        return _medians(table.name, given.name, "", depth, pd.Series(np.where(after, "later", "day <= 0"), rows.index))
    found = []
    for when, inside in (("baseline", ~after), ("later", after)):
        own = depth[inside.to_numpy()].groupby(rows["subject"][inside.to_numpy()].astype(str)).median().dropna()
        if given.groups is not None:
            found += _medians(table.name, given.name, f"{when} ", own, given.groups.reindex(own.index))
        elif given.numbers is not None:
            number = given.numbers.reindex(own.index)
            # Missing where one of them does not vary.
            with np.errstate(invalid="ignore", divide="ignore"):
                rho = own.rank().corr(number.rank())
            if abs(rho) > _CORRELATED:
                words = f"the reads of {when} samples go with {given.name} (rho {rho:.2f}), and presence follows depth"
                found.append(f"{table.name}: {words}")
    return found


def _medians(table: str, name: str, when: str, depth: pd.Series, label: pd.Series) -> list[str]:
    medians = depth.groupby(label.to_numpy(dtype=object)).median().dropna()
    if len(medians) < 2 or medians.max() <= _FACTOR * medians.min():
        return []
    words = ", ".join(f"{group} {value:.3g}" for group, value in medians.items())
    return [f"{table}: median reads of {when}samples differ by {name}: {words}; presence follows depth"]
