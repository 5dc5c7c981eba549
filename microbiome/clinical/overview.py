"""Response rates and survival of a cohort and its groups, in one table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from microbiome.clinical.response import clinical_response
from microbiome.clinical.response_tables import CLINICAL
from microbiome.clinical.survival import survival
from microbiome.clinical.survival_tables import ENDPOINTS
from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.validation import as_table

__all__ = ["clinical_overview"]

_RATES = ("orr", "dcr", "clinical_benefit")
_SURVIVAL = ("median", "survival")


def clinical_overview(
    subjects: pd.DataFrame,
    by: str | None = None,
    interval: str = "clopper_pearson",
    landmark: Sequence[float] = (365,),
    level: float = 0.95,
) -> pd.DataFrame:
    """Return response rates, median survival and survival at landmarks of everybody and of groups, with intervals.

    Parameters
    ----------
    subjects
        Subjects table: ``best_response`` (or ``responder``, for the objective response rate alone); ``pfs_days`` and
        ``pfs_event``; ``os_days`` and ``os_event``. What is not there has a row that says so.
    by
        Column that makes groups; None for ``arm`` where somebody has one.
    interval
        Of a response rate: ``clopper_pearson`` or ``wilson``.
    landmark
        Days at which survival is told.
    level
        Confidence level.

    Returns
    -------
    DataFrame
        See :data:`microbiome.clinical.response_tables.CLINICAL`. More of each (single responses, differences, tests,
        regression) is in :func:`microbiome.clinical.response.clinical_response` and
        :func:`microbiome.clinical.survival.survival`.

    Raises
    ------
    InputError
        As those, with the problems of both; a table with neither response nor survival.
    """
    if by is None and "arm" in subjects and subjects["arm"].notna().any():
        by = "arm"
    groups = [by] if by is not None else []
    there = [name for name in ENDPOINTS if {f"{name}_days", f"{name}_event"} & set(subjects.columns)]
    response = bool({"best_response", "responder"} & set(subjects.columns))
    if not response and not there:
        fix = "add best_response (or responder); pfs_days and pfs_event; or os_days and os_event"
        raise InputError(Problem("the subjects table has neither response nor survival", fix, "subjects"))
    problems: list[Problem] = []
    rows: list[dict[str, object]] = []
    if response:
        with collecting(problems):
            rows += _response_rows(clinical_response(subjects, by=groups, interval=interval, level=level))
    else:
        rows.append(_absent("response", "orr", interval, "the subjects table has neither best_response nor responder"))
    for name in ENDPOINTS:
        if name in there:
            with collecting(problems):
                # The log-rank test is not shown here: its permutations are not needed.
                found = survival(subjects, groups, [name], list(landmark), level=level, permutations=1)
                rows += _survival_rows(found)
        else:
            words = f"the subjects table has neither {name}_days nor {name}_event"
            rows.append(_absent(name, "median", "kaplan_meier", words))
    raise_problems(dict.fromkeys(problems))
    return as_table(rows, CLINICAL)


def _absent(endpoint: str, quantity: str, method: str, note: str) -> dict[str, object]:
    return {"endpoint": endpoint, "group": "all", "quantity": quantity, "method": method, "note": note}


def _response_rows(table: pd.DataFrame) -> list[dict[str, object]]:
    chosen = table[table["measure"].eq("proportion") & table["quantity"].isin(_RATES)]
    shared = ("by", "group", "quantity", "n", "events", "estimate", "ci_low", "ci_high", "level", "method", "note")
    rows = []
    for row in chosen.to_dict("records"):
        missing = int(row["n_not_evaluable"])
        notes = [*([f"{missing} of n are NE"] if missing else []), *([row["note"]] if row["note"] else [])]
        kept: dict[str, object] = {name: row[name] for name in shared}
        rows.append({**kept, "endpoint": "response", "unit": "fraction", "note": "; ".join(notes) or None})
    return rows


def _survival_rows(table: pd.DataFrame) -> list[dict[str, object]]:
    chosen = table[table["analysis"].eq("kaplan_meier") & table["quantity"].isin(_SURVIVAL)]
    rows = []
    for row in chosen.to_dict("records"):
        kept: dict[str, object] = {name: row[name] for name in CLINICAL.names if name in row}
        method = row["method"] if isinstance(row["method"], str) else "kaplan_meier"
        rows.append({**kept, "unit": "days" if row["quantity"] == "median" else "fraction", "method": method})
    return rows
