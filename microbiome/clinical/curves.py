"""Kaplan-Meier curves with the numbers at risk, for figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from microbiome.clinical.kaplan_meier import kaplan_meier
from microbiome.clinical.survival_groups import prepare
from microbiome.clinical.survival_tables import SURVIVAL_CURVES
from microbiome.compare.material import Row
from microbiome.validation import as_table

__all__ = ["curves"]


def curves(
    subjects: pd.DataFrame,
    by: Sequence[str] = (),
    endpoints: Sequence[str] = (),
    interval: str = "log_log",
    level: float = 0.95,
    landmark: float | None = None,
    measured: Mapping[str, float] | None = None,
    naive: bool = False,
    group_order: Sequence[str] = (),
    among: Mapping[str, str] | None = None,
    file: str = "subjects",
) -> pd.DataFrame:
    """Return the Kaplan-Meier curve of everybody and of each group.

    Parameters
    ----------
    subjects, by, endpoints, interval, level, landmark, measured, naive, group_order, among, file
        As in :func:`microbiome.clinical.survival.survival`.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.clinical.survival_tables.SURVIVAL_CURVES`; one row with a note for a group in
        which nobody is left. How many are at risk on any day is ``at_risk`` of the first row from that day on, and 0
        without one.

    Raises
    ------
    InputError
        As :func:`microbiome.clinical.survival.survival`.
    """
    days = dict(measured or {})
    ready = prepare(subjects, endpoints, among, file, level, interval, landmark, days)
    rows: list[Row] = []
    for grouped in ready.grouped(by, None, group_order, days, landmark, naive):
        for group in grouped.groups:
            members = grouped.members(group)
            row: Row = {
                "endpoint": grouped.endpoint,
                "by": grouped.by,
                "group": group,
                "level": level,
                "method": grouped.clock.method(f"kaplan_meier, {interval}"),
                "landmark": grouped.clock.landmark,
            }
            if members.time.empty:
                rows.append(row | {"note": f"no curve: nobody is left ({members.exclusions})"})
                continue
            curve = kaplan_meier(members.time, members.event, level, interval).drop(columns="error")
            rows += [row | {str(name): value for name, value in one.items()} for one in curve.to_dict("records")]
    return as_table(rows, SURVIVAL_CURVES)
