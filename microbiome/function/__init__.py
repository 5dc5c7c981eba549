"""Functions of the microbiome: enzymes, orthologs and pathways, from HUMAnN or finished tables.

Rooms: :mod:`reading` (HUMAnN's tables into one), :mod:`regroup` (gene families to ECs and KOs, fractions),
:mod:`contributions` (which taxon brought or took a function), :mod:`species` (HUMAnN's names and MetaPhlAn's),
:mod:`accounting` (what HUMAnN could place of each sample), :mod:`tables` (columns). What is measured of functions
(diversity, outcomes, rates, nulls, comparisons) is measured by the same code as of taxa.
"""
