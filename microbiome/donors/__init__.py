"""Donors: what they carry, what became of their recipients, and what will engraft in whom."""

from __future__ import annotations

from microbiome.donors.lists import listed_taxa, taxon_lists
from microbiome.donors.match_rows import combine_rows, drawn_rows, match_rows
from microbiome.donors.match_scores import auroc
from microbiome.donors.match_table import MatchTables, match
from microbiome.donors.names import find_taxa, known_names
from microbiome.donors.pairs import match_pairs
from microbiome.donors.per_donor import DonorTables, donors, recipients_of
from microbiome.donors.shrink import shrink_means, shrink_proportions

__all__ = [
    "DonorTables",
    "MatchTables",
    "auroc",
    "combine_rows",
    "donors",
    "drawn_rows",
    "find_taxa",
    "known_names",
    "listed_taxa",
    "match",
    "match_pairs",
    "match_rows",
    "recipients_of",
    "shrink_means",
    "shrink_proportions",
    "taxon_lists",
]
