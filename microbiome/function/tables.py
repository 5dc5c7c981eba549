"""Columns of the tables about functions, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import ID_PATTERN, OUTCOME_NAMES, Column, Table

__all__ = ["FUNCTION_CONTRIBUTIONS", "FUNCTION_READS", "FUNCTION_STATUSES", "UNCLASSIFIED", "UNEXPLAINED"]

#: HUMAnN's stratum of what it found by translated search: the function is there, whose it is nobody knows.
UNCLASSIFIED = "unclassified"
#: The row that closes the gap where the strata of a function do not add up to it.
UNEXPLAINED = "unexplained"

FUNCTION_STATUSES = ("ok", "few_reads", "no_functions")

_SAMPLE = Column("sample", "id", "One stool library.", required=True, filled=True, pattern=ID_PATTERN)


def _abundance(name: str, meaning: str) -> Column:
    return Column(name, "number", f"{meaning} Negative only of `unexplained`, where strata exceed it.", unit="fraction")


FUNCTION_CONTRIBUTIONS = Table(
    "function_contributions",
    "One row per post sample, function and taxon that has any of it: who brought the function, and who took it along. "
    "Of each post sample and function the changes of the taxa sum to the change of the function.",
    (
        Column("subject", "id", "One person.", required=True, filled=True),
        _SAMPLE,
        Column("day", "integer", "Days since the subject's first dose.", unit="days"),
        Column("baseline_sample", "id", "The subject's last profiled sample with day <= 0.", required=True),
        Column(
            "donor_sample",
            "id",
            "The donor product received by then that holds most of the function; missing where none is received.",
        ),
        Column("function", "id", "EC, KO, pathway or gene family.", required=True, filled=True),
        Column(
            "outcome",
            "choice",
            "Outcome of the function (`microbiome outcomes` on the function table).",
            required=True,
            allowed=OUTCOME_NAMES,
        ),
        Column(
            "taxon",
            "id",
            "Stratum of HUMAnN's table (`g__Genus.s__Species`); `unclassified` is what HUMAnN gives to no species; "
            "`unexplained` is what the strata do not add up to, all of it where a function has none.",
            required=True,
            filled=True,
        ),
        _abundance("baseline_abundance", "Abundance of the function from this taxon in the baseline."),
        _abundance("donor_abundance", "Abundance of the function from this taxon in that donor product."),
        _abundance("post_abundance", "Abundance of the function from this taxon in the post sample."),
        Column("change", "number", "post_abundance - baseline_abundance.", unit="fraction"),
        Column("function_change", "number", "The same of the function as a whole.", unit="fraction"),
        Column(
            "share",
            "number",
            "change / function_change: 1 in sum; negative of a taxon that goes the other way; missing where the "
            "function does not change.",
        ),
        Column(
            "taxon_outcome",
            "choice",
            "Outcome of the species itself, all its SGBs together; missing where the profiles do not have it.",
            allowed=OUTCOME_NAMES,
        ),
        Column("sgbs", "text", "The SGBs behind it, each with its outcome (`t__SGB1:engrafted,...`)."),
        Column("note", "text", "Why something is missing, or what stands in the way of a reading."),
    ),
    key=("sample", "function", "taxon"),
)

FUNCTION_READS = Table(
    "function_reads",
    "One row per sample: what HUMAnN had to work with, how much of it it could place, and whether it ran at all.",
    (
        _SAMPLE,
        Column("reads", "integer", "Reads given to HUMAnN (both mates count).", unit="reads", minimum=0, required=True),
        Column(
            "status",
            "choice",
            "ok; few_reads: too few reads to run HUMAnN; no_functions: it ran and found nothing.",
            required=True,
            filled=True,
            allowed=FUNCTION_STATUSES,
        ),
        Column("reason", "text", "Why the status is not ok.", required=True),
        Column(
            "unmapped",
            "number",
            "Part of the sample, in HUMAnN's reads per kilobase, that hit no gene family.",
            unit="fraction",
            minimum=0.0,
            maximum=1.0,
        ),
        Column("families", "integer", "Gene families found.", minimum=0),
        Column("species", "integer", "Species that gene families were found of.", minimum=0),
        Column("humann", "text", "Version of HUMAnN."),
        Column("search", "text", "How the species to search were chosen: prescreen, or all of the database."),
    ),
    key=("sample",),
)
