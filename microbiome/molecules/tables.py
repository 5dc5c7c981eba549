"""Columns of the table of joins, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["FEATURE_LIMITS", "JOINS", "JOIN_STATUSES", "PREFERENCES", "TRANSFORMS"]

#: What became of a row: it has a partner, or it is of the first or of the second table and has none.
JOIN_STATUSES = ("joined", "only_1", "only_2")
#: Which of two partners within the window is taken.
PREFERENCES = ("nearest", "before", "after")
#: What can be done to the values of a table before analysis (:func:`microbiome.molecules.transform_values`).
TRANSFORMS = ("none", "log", "log2", "log10", "asinh", "logit", "rank")


def _of(number: int) -> tuple[Column, ...]:
    which = "first" if number == 1 else "second"
    return (
        Column(
            f"row_{number}", "id", f"Row of the {which} table: a sample, or subject and day; empty where it has none."
        ),
        Column(f"sample_{number}", "id", f"Stool sample of the row of the {which} table; empty where it is none."),
        Column(f"day_{number}", "integer", f"Day of the row of the {which} table.", unit="days"),
    )


JOINS = Table(
    "joins",
    "One row per pair of rows that were joined, and one per row of either table that was not. Rows of day 0 and before "
    "are joined to such rows only, and those of after the first dose to such.",
    (
        Column("table_1", "text", "First table.", required=True, filled=True),
        Column("table_2", "text", "Second table.", required=True, filled=True),
        Column("subject", "id", "One person.", required=True, filled=True),
        Column(
            "status",
            "choice",
            "`joined`; `only_1` and `only_2`: a row of the first or the second table that has no partner.",
            required=True,
            filled=True,
            allowed=JOIN_STATUSES,
        ),
        *_of(1),
        *_of(2),
        Column("lag", "integer", "day_2 - day_1; empty where a row has no day.", unit="days"),
        Column("window", "integer", "Most days between joined rows.", unit="days", minimum=0),
        Column("prefer", "choice", "Which of several partners is taken.", allowed=PREFERENCES),
        Column("note", "text", "Why a row was not joined.", required=True),
    ),
    open=False,
)

FEATURE_LIMITS = Table(
    "feature_limits",
    "One row per feature: between which values it can be measured.",
    (
        Column("feature", "id", "Column (or row) of the table of measurements.", required=True, filled=True),
        Column("lod", "number", "Limit of detection, in the unit of the table; what `<LOD` means.", required=True),
        Column("upper", "number", "Upper limit of quantification; what `>ULOQ` means."),
    ),
    key=("feature",),
)
