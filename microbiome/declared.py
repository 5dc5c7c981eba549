"""All tables that the package reads or writes, and which of them a file is by its header."""

from __future__ import annotations

from collections.abc import Collection

from microbiome.compare.tables import COMPARE, TRAJECTORIES
from microbiome.diversity.tables import ALPHA, PCOA, PERMANOVA, SIMILARITY
from microbiome.errors import Problem
from microbiome.nulls.tables import NULLS
from microbiome.power.tables import POWER
from microbiome.sensitivity.tables import SENSITIVITY
from microbiome.strains.clade_table import STRAINPHLAN_CLADES
from microbiome.strains.rate_tables import STRAIN_AUDIT, STRAIN_PERSISTENCE, STRAIN_RATES
from microbiome.strains.tables import (
    STRAIN_DISTANCES,
    STRAIN_RESOLVED,
    STRAIN_SHARED,
    STRAIN_SOURCES,
    STRAIN_SWEEP,
    STRAIN_THRESHOLDS,
)
from microbiome.tables import INPUT_TABLES, OUTPUT_TABLES, Table
from microbiome.taxa.tables import CHANGES, DECOMPOSITION, RETENTION, TAXA

__all__ = ["RESULT_TABLES", "wrong_table"]

#: What the subcommands write.
RESULT_TABLES = (
    *OUTPUT_TABLES,
    ALPHA,
    PCOA,
    PERMANOVA,
    SIMILARITY,
    NULLS,
    COMPARE,
    TRAJECTORIES,
    SENSITIVITY,
    POWER,
    TAXA,
    RETENTION,
    CHANGES,
    DECOMPOSITION,
    STRAIN_DISTANCES,
    STRAIN_THRESHOLDS,
    STRAIN_SHARED,
    STRAIN_SWEEP,
    STRAIN_RESOLVED,
    STRAIN_SOURCES,
    STRAIN_RATES,
    STRAIN_PERSISTENCE,
    STRAIN_AUDIT,
    STRAINPHLAN_CLADES,
)
# Subcommands that are not called as their table.
_COMMANDS = {
    "pcoa": "ordinate",
    "strain_distances": "strains distances",
    "strain_thresholds": "strains thresholds",
    "strain_shared": "strains share",
    "strain_sweep": "strains sweep",
    "strain_resolved": "strains resolve",
    "strain_sources": "strains resolve",
    "strain_rates": "strains rates",
    "strain_persistence": "strains rates",
    "strain_audit": "strains audit",
}


def wrong_table(header: Collection[str], table: Table | None, file: str) -> Problem | None:
    """Tell whether a file that cannot be used is another of our tables than the one asked for.

    Parameters
    ----------
    header
        Names of its columns.
    table
        The table asked for; None for a profile (feature x sample).
    file
        Name used in the message.

    Returns
    -------
    Problem or None
        What it is and what to give instead, where it has all required columns of another table, more columns of that
        than of `table`, and either columns of the other's key that `table` does not have, or not two or more of those
        that `table` requires. Else None: then a single column may be missing, or a cell be wrong.
    """
    names = set(header)
    own = {column.name for column in table.columns} if table else set()
    needed = {column.name for column in table.columns if column.required} if table else set()
    lacks = table is None or len(needed - names) > 1
    best, most = None, max(len(names & own), 1)
    for other in (*INPUT_TABLES, *RESULT_TABLES):
        columns = {column.name for column in other.columns}
        required = {column.name for column in other.columns if column.required} | set(other.key)
        foreign = not set(other.key or required) <= own
        another = table is None or other.name != table.name
        if another and required <= names and (lacks or foreign) and len(names & columns) > most:
            best, most = other, len(names & columns)
    if best is None:
        return None
    fix = "a profile: MetaPhlAn tables, or a TSV of feature x sample"
    if table is not None:
        fix = f"the {table.name} table (docs/tables.md)"
        if table.name in {result.name for result in RESULT_TABLES}:
            fix = f"the one that {_command(table)} writes"
    what = f"the {best.name} table" if best in INPUT_TABLES else f"a table of {best.name} (written by {_command(best)})"
    return Problem(f"this looks like {what}", f"give {fix}", file)


def _command(table: Table) -> str:
    return f"`microbiome {_COMMANDS.get(table.name, table.name)}`"
