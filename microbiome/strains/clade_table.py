"""The table of what StrainPhlAn made of each clade, as ``workflow/scripts/strainphlan_gather.py`` writes it."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["CLADE_STATUSES", "STRAINPHLAN_CLADES"]

#: What became of a clade.
CLADE_STATUSES = ("tree", "one_strain", "few_samples", "not_chosen")

STRAINPHLAN_CLADES = Table(
    "strainphlan_clades",
    "What StrainPhlAn made of each clade of which any sample has markers.",
    (
        Column("taxon", "id", "SGB.", required=True, filled=True),
        Column(
            "status",
            "choice",
            "tree: a tree and mutation rates; one_strain: no position differs between the samples, so that there are "
            "mutation rates (all 0) and no tree; few_samples: fewer than four samples have enough markers; not_chosen: "
            "left out by strains.clades.",
            required=True,
            filled=True,
            allowed=CLADE_STATUSES,
        ),
        Column("reason", "text", "Why there is no tree."),
        Column(
            "samples",
            "integer",
            "Samples in the alignment; where there is none, those that StrainPhlAn would keep.",
            unit="samples",
            required=True,
            minimum=0,
        ),
    ),
    key=("taxon",),
)
