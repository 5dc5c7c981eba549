"""Response of a subject, from what the subjects table says."""

from __future__ import annotations

import pandas as pd

__all__ = ["responder"]


def responder(subjects: pd.DataFrame) -> pd.Series:
    """Return response per subject as ``yes``, ``no`` or missing.

    The column ``responder`` where it is filled, else from ``best_response``: CR and PR are yes, SD and PD are no, NE
    is missing.

    Returns
    -------
    Series
        Indexed by subject, named ``responder``.
    """
    given = subjects["responder"] if "responder" in subjects else pd.Series(None, index=subjects.index, dtype=object)
    if "best_response" in subjects:
        derived = subjects["best_response"].map({"CR": "yes", "PR": "yes", "SD": "no", "PD": "no"})
        given = given.where(given.notna(), derived)
    return pd.Series(given.to_numpy(dtype=object), index=pd.Index(subjects["subject"]), name="responder")
