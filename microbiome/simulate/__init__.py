"""A simulated FMT trial whose truth is known: tables, MetaPhlAn profiles and, on request, FASTQ with a marker database.

Rooms: :mod:`parameters` (everything that can be set), :mod:`taxa` (names), :mod:`design` (who gave which stool to
whom and when), :mod:`ecology` (which strains each sample holds), :mod:`trial` (the two together, with the true
outcomes), :mod:`observe` (profiles as MetaPhlAn would print them), :mod:`database`, :mod:`strains` and :mod:`reads`
(sequences), :mod:`write` (files), :mod:`accuracy` (a workflow's results against the truth).

Trials by the thousand, as tables only and drawn from real stool's turnover, prevalence and depth rather than from a
demo's few taxa, come from :mod:`panel`, with :mod:`panel_parameters`, :mod:`panel_design` and :mod:`panel_ecology`.

A trial made to test what tells strains apart, with depths from hopeless to ample and strains in lineages, comes from
:mod:`strain_panel`, with :mod:`strain_panel_parameters`, :mod:`strain_panel_truth` and :mod:`strain_panel_write`.
"""
