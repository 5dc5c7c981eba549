"""Profiles of other profilers than MetaPhlAn: Kraken2, Bracken, sourmash gather, taxpasta, BIOM.

Each reader turns a file into the same :class:`microbiome.metaphlan_format.ParsedTable`: lineages as MetaPhlAn writes
them, a row for each clade down to the species, percentages of the whole sample, the unclassified part by itself.
What comes after does not know which profiler it was.
"""

from __future__ import annotations

from microbiome.profilers.recognise import has_clades, parse_profile, profile_format, profiler_in
from microbiome.profilers.taxonomy import Taxonomy, read_taxonomy

__all__ = ["Taxonomy", "has_clades", "parse_profile", "profile_format", "profiler_in", "read_taxonomy"]
