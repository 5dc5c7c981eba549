"""The eight cells of donor x baseline x post, and the outcome that each is called."""

from __future__ import annotations

import numpy as np

from microbiome.tables import OUTCOME_NAMES

__all__ = ["CELLS", "CODE_OF_CELL", "SOURCES", "outcome_codes"]

#: Outcome by 4 D + 2 B + R; the cell 0 0 0 is left out.
CELLS = ("", "gained", "depleted", "persisted", "not_engrafted", "engrafted", "shared_depleted", "shared_kept")
#: Where a taxon can be detected, in the order of the bits of :data:`CELLS`.
SOURCES = ("donor", "baseline", "post")
#: Position of each outcome in OUTCOME_NAMES; -1 is none.
CODE_OF_CELL = np.array([OUTCOME_NAMES.index(name) if name else -1 for name in CELLS], dtype=np.int8)


def outcome_codes(donor: np.ndarray, baseline: np.ndarray, post: np.ndarray) -> np.ndarray:
    """Return the outcome of each cell as its position in :data:`microbiome.tables.OUTCOME_NAMES`.

    Parameters
    ----------
    donor, baseline, post
        Boolean arrays of one shape: detected or not (D, B, R).

    Returns
    -------
    ndarray of int8
        Of the same shape. (D, B, R) = 101 engrafted, 100 not_engrafted, 111 shared_kept, 110 shared_depleted, 011
        persisted, 010 depleted, 001 gained, 000 -1.
    """
    return CODE_OF_CELL[4 * donor.astype(np.int8) + 2 * baseline.astype(np.int8) + post.astype(np.int8)]
