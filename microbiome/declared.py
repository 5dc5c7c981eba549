"""All tables that the package reads or writes, and which of them a file is by its header."""

from __future__ import annotations

from collections.abc import Collection

from microbiome.associate.tables import ASSOCIATIONS
from microbiome.clinical.response_tables import ASSESSMENTS, BEST_RESPONSES, CLINICAL, CLINICAL_RESPONSE
from microbiome.clinical.survival_tables import CLINICAL_SURVIVAL, SURVIVAL_CURVES
from microbiome.clinical.toxicity_tables import (
    CLINICAL_TOXICITY,
    DONOR_CLUSTER_CHOICE,
    DONOR_CLUSTERS,
    TOXICITY_CURVES,
)
from microbiome.compare.tables import COMPARE, TRAJECTORIES
from microbiome.diversity.tables import ALPHA, PCOA, PERMANOVA, SIMILARITY
from microbiome.donors.tables import (
    DONOR_MATCH,
    DONOR_MATCH_SCORES,
    DONOR_PAIRS,
    DONOR_SPREAD,
    DONOR_TAXA,
    DONORS,
    LISTS,
)
from microbiome.errors import Problem
from microbiome.function.tables import FUNCTION_CONTRIBUTIONS, FUNCTION_READS
from microbiome.molecules.tables import FEATURE_LIMITS, JOINS
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

__all__ = ["OTHER_INPUTS", "RESULT_TABLES", "wrong_table"]

#: What a user may give besides the tables of the study.
OTHER_INPUTS = (LISTS, FEATURE_LIMITS)

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
    JOINS,
    CLINICAL,
    CLINICAL_RESPONSE,
    ASSESSMENTS,
    BEST_RESPONSES,
    FUNCTION_CONTRIBUTIONS,
    FUNCTION_READS,
    ASSOCIATIONS,
    CLINICAL_SURVIVAL,
    SURVIVAL_CURVES,
    CLINICAL_TOXICITY,
    TOXICITY_CURVES,
    DONOR_CLUSTERS,
    DONOR_CLUSTER_CHOICE,
    DONORS,
    DONOR_SPREAD,
    DONOR_TAXA,
    DONOR_MATCH_SCORES,
    DONOR_MATCH,
    DONOR_PAIRS,
)
# Subcommands that are not called as their table.
_COMMANDS = {
    "donor_spread": "donors",
    "donor_taxa": "donors",
    "donor_match_scores": "match",
    "donor_match": "match",
    "donor_pairs": "match",
    "joins": "join",
    "clinical_response": "clinical response",
    "assessments": "clinical response",
    "best_responses": "clinical response",
    "function_contributions": "function contributions",
    "function_reads": "function join",
    "associations": "associate",
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
    "clinical_survival": "clinical survival",
    "survival_curves": "clinical survival --curves FILE",
    "clinical_toxicity": "clinical toxicity",
    "toxicity_curves": "clinical time-to-toxicity",
    "donor_clusters": "clinical donor-clusters",
    "donor_cluster_choice": "clinical donor-clusters --choice FILE",
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
