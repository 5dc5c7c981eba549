"""Many tests at once: which are corrected together, and what can be found among so many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from microbiome.associate.detectable import detectable
from microbiome.errors import Problem
from microbiome.stats import benjamini_hochberg, tests_needed

__all__ = ["DEFAULT_FAMILY", "FAMILY_COLUMNS", "corrected", "family_problems", "reach"]

#: One family per pair of tables, method and part.
DEFAULT_FAMILY = ("table_1", "table_2", "method", "part")
#: Columns that may make families.
FAMILY_COLUMNS = ("table_1", "feature_1", "table_2", "feature_2", "at", "method", "part", "group")
_LEVEL = 0.05


def family_problems(columns: Sequence[str]) -> list[Problem]:
    """Return a problem for each name that cannot make families."""
    fix = f"use some of {', '.join(FAMILY_COLUMNS)}, or all"
    return [
        Problem(f"families cannot be made by {name!r}", fix, column="family", value=name)
        for name in columns
        if name not in FAMILY_COLUMNS and name != "all"
    ]


def corrected(rows: pd.DataFrame, columns: Sequence[str] = DEFAULT_FAMILY) -> pd.DataFrame:
    """Add ``family``, ``family_size``, ``q_value`` (Benjamini-Hochberg), ``detectable`` and ``detectable_family``.

    Parameters
    ----------
    rows
        Rows of :data:`microbiome.associate.tables.ASSOCIATIONS` with ``scale``
        (:func:`microbiome.associate.detectable.detectable`).
    columns
        Rows alike in these make a family; ``all`` for one family of everything. What could not be tested does not
        count.
    """
    # The columns stay those of `rows`; only new ones are added.
    found = rows.copy(deep=False)
    by = [name for name in columns if name != "all"]
    if not by:
        found["family"] = "all tests"
    else:
        code = found.groupby(by, sort=False, dropna=False).ngroup().to_numpy()
        first = found[by].iloc[np.unique(code, return_index=True)[1]].astype(object)
        names = [_name(row) for row in first.where(first.notna(), "number").to_dict("records")]
        found["family"] = np.array(names, dtype=object)[code]
    q, size = np.full(len(found), np.nan), np.zeros(len(found), dtype=np.int64)
    p = found["p_value"].to_numpy(dtype=float)
    for places in found.groupby("family", sort=False).indices.values():
        q[places] = benjamini_hochberg(p[places])
        size[places] = int((~np.isnan(p[places])).sum())
    found["q_value"], found["family_size"] = q, size
    found["detectable"] = detectable(found, np.full(len(found), _LEVEL))
    found["detectable_family"] = detectable(found, _LEVEL / np.maximum(size, 1))
    return found


def _name(row: dict[object, object]) -> str:
    """Return a family in words: ``taxa x metabolites, spearman, value``."""
    cells = {str(key): str(value) for key, value in row.items()}
    tables = [cells.pop(name) for name in ("table_1", "table_2") if name in cells]
    return ", ".join([" x ".join(tables), *cells.values()] if tables else cells.values())


def reach(rows: pd.DataFrame) -> list[str]:
    """Say for each family in which a single association could not be found, how many it takes."""
    found = []
    tested = rows.loc[rows["p_value"].notna().to_numpy(), ["family", "p_floor"]]
    for family, part in tested.groupby("family", sort=False):
        floor = float(part["p_floor"].min())
        needed = tests_needed(floor, len(part)) if floor == floor else 1
        if needed > 1:
            many = "more than there are" if needed > len(part) else str(needed)
            found.append(
                f"{family}: {len(part)} tests, smallest attainable p {floor:.2g}: a q-value of 0.05 needs {many} "
                "associations at that floor"
            )
    return found
