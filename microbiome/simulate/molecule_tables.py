"""The table of the links planted between simulated molecules and the microbiome."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["LINK_KINDS", "TRUTH_LINKS"]

#: What a feature is linked to: a count or rate of a post sample, a taxon, or a column of the subjects table.
LINK_KINDS = ("rate", "taxon", "subject")

TRUTH_LINKS = Table(
    "links",
    "One row per link planted between a measured feature and the microbiome or the patient; all other features are "
    "linked to nothing.",
    (
        Column("table", "text", "Table of measurements.", required=True, filled=True),
        Column("feature", "text", "Its feature.", required=True, filled=True),
        Column(
            "kind",
            "choice",
            "`rate`: a column of the rates table; `taxon`; `subject`: a column of the subjects table.",
            required=True,
            filled=True,
            allowed=LINK_KINDS,
        ),
        Column("partner", "text", "The rate, taxon or column.", required=True, filled=True),
        Column("part", "text", "What of it: value, abundance (log10) or presence.", required=True, filled=True),
        Column("direction", "integer", "1 both rise together, -1 one falls.", minimum=-1, maximum=1),
        Column(
            "strength",
            "number",
            "Correlation between the two over post samples, before noise of detection.",
            minimum=0,
            maximum=1,
        ),
    ),
    key=("table", "feature", "kind", "partner"),
    open=False,
)
