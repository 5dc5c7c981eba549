"""Columns of the tables that the diversity measures write, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["ALPHA", "PCOA", "PERMANOVA", "SIMILARITY"]

_SAMPLE = Column("sample", "id", "One stool library.", required=True, filled=True)

ALPHA = Table(
    "alpha",
    "One row per sample; a sample without profile has every measure missing.",
    (
        _SAMPLE,
        Column("richness", "integer", "Taxa present.", unit="taxa", minimum=1),
        Column("shannon", "number", "Shannon entropy, -sum p ln p.", unit="nat", minimum=0),
        Column("simpson", "number", "Gini-Simpson index, 1 - sum p^2.", minimum=0, maximum=1),
        Column("inverse_simpson", "number", "1 / sum p^2.", unit="taxa", minimum=1),
        Column(
            "pielou",
            "number",
            "Evenness: Shannon entropy over ln richness; missing for one taxon.",
            minimum=0,
            maximum=1,
        ),
        Column(
            "berger_parker", "number", "Abundance of the most abundant taxon.", unit="fraction", minimum=0, maximum=1
        ),
        Column(
            "faith_pd", "number", "Faith's phylogenetic diversity: branch length from the taxa to the root.", minimum=0
        ),
        Column(
            "faith_unplaced_taxa", "integer", "Taxa of the sample that are no tips of the tree.", unit="taxa", minimum=0
        ),
        Column("faith_unplaced_abundance", "number", "Their summed abundance.", unit="fraction", minimum=0),
    ),
    key=("sample",),
)

PCOA = Table(
    "pcoa",
    "One row per sample: principal coordinates axis_1, axis_2, ...; the comment lines tell the explained fractions.",
    (_SAMPLE,),
    key=("sample",),
)

PERMANOVA = Table(
    "permanova",
    "One row per factor.",
    (
        Column("factor", "text", "Column tested.", required=True, filled=True),
        Column("n_samples", "integer", "Samples in the test.", unit="samples", minimum=0),
        Column("n_missing", "integer", "Samples left out: factor or stratum missing.", unit="samples", minimum=0),
        Column("n_groups", "integer", "Groups of the factor; missing for a regression on a number.", minimum=0),
        Column("strata", "text", "Column whose samples belong together; missing without."),
        Column("n_strata", "integer", "Strata in the test.", minimum=0),
        Column(
            "scheme",
            "text",
            "What changed labels: `free`, `within strata` or `whole strata`; `, exact`: all arrangements were used.",
        ),
        Column("pseudo_f", "number", "Pseudo-F of PERMANOVA; below 0 only where distances are not Euclidean."),
        Column("r2", "number", "Share of the sum of squares that the factor explains.", unit="fraction"),
        Column("p_value", "number", "Share of arrangements with a pseudo-F as large or larger.", minimum=0, maximum=1),
        Column("permutations", "integer", "Arrangements looked at.", minimum=1),
        Column("p_floor", "number", "Smallest p-value that any data could have given.", minimum=0, maximum=1),
        Column("permdisp_f", "number", "F of the distances to the group centroids (PERMDISP).", minimum=0),
        Column("permdisp_p_value", "number", "Its p-value, by the same permutations.", minimum=0, maximum=1),
        Column("note", "text", "Why a factor could not be tested, or what its numbers do not show."),
    ),
    key=("factor",),
)
SIMILARITY = Table(
    "similarity",
    "One row per recipient or control sample: how close it is to its donors, its baseline and donors it did not get.",
    (
        Column("subject", "id", "One person.", required=True, filled=True),
        _SAMPLE,
        Column("role", "choice", "Whose stool it is.", allowed=("recipient", "control")),
        Column("day", "integer", "Days since the subject's first dose; day <= 0 is before it.", unit="days"),
        Column("baseline_sample", "id", "The subject's last profiled sample with day <= 0."),
        Column("profiled", "flag", "Whether the sample has a profile."),
        Column("n_donors", "integer", "Donors received at any time, with a profiled product.", minimum=0),
        Column("n_donor_samples", "integer", "Their profiled products, received at any time.", minimum=0),
        Column("n_donor_samples_unprofiled", "integer", "Products received that have no profile.", minimum=0),
        Column(
            "n_donor_samples_received", "integer", "Profiled products received by the day of the sample.", minimum=0
        ),
        Column("n_other_donors", "integer", "Donors of whom the subject received nothing.", minimum=0),
        Column("n_other_donor_samples", "integer", "Their profiled samples.", minimum=0),
        Column("donor_distance", "number", "Mean distance to the donors received at any time.", minimum=0),
        Column("donor_distance_min", "number", "Distance to the nearest sample of them.", minimum=0),
        Column("baseline_distance", "number", "Distance to the baseline; missing for the baseline itself.", minimum=0),
        Column("other_donor_distance", "number", "Mean distance to donors not received.", minimum=0),
        Column("distance_difference", "number", "donor_distance - other_donor_distance."),
        Column("similarity_donor", "number", "1 - donor_distance; missing for metrics that can exceed 1.", maximum=1),
        Column("similarity_donor_max", "number", "1 - donor_distance_min.", maximum=1),
        Column("similarity_baseline", "number", "1 - baseline_distance.", maximum=1),
        Column("similarity_other_donors", "number", "1 - other_donor_distance.", maximum=1),
        Column("similarity_difference", "number", "similarity_donor - similarity_other_donors."),
    ),
    key=("sample",),
)
