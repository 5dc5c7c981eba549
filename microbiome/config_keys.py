"""Every key of the configuration, declared once: validation, schema, template and documentation derive from here."""

from __future__ import annotations

from typing import Any

from microbiome.config_clinical import CLINICAL_KEYS, CLINICAL_SECTIONS, CLINICAL_TABLES
from microbiome.config_function import FUNCTION_KEYS, FUNCTION_SECTIONS
from microbiome.config_key import Key
from microbiome.config_profilers import PROFILER_KEYS, PROFILER_SECTIONS, TAXONOMY_KEY
from microbiome.config_tables import tables_schema
from microbiome.strains.allele_settings import AlleleSettings
from microbiome.strains.rate_tables import STRAIN_RATE_NAMES
from microbiome.tables import ID_PATTERN, RATE_NAMES

__all__ = [
    "ALPHA_METRICS",
    "BETA_METRICS",
    "KEPT",
    "KEYS",
    "RANKS",
    "REPAIR_CHOICES",
    "SAMPLE_CHOICES",
    "SECTIONS",
    "STRAIN_METHODS",
    "STRAIN_RULES",
    "TREE_METRICS",
    "Key",
    "config_schema",
]

ALPHA_METRICS = ("richness", "shannon", "simpson", "inverse_simpson", "pielou", "berger_parker", "faith_pd")
BETA_METRICS = (
    "bray_curtis",
    "jaccard",
    "aitchison",
    "robust_aitchison",
    "hellinger",
    "unweighted_unifrac",
    "weighted_unifrac",
)
#: Files on the way from FASTQ to the profile, in this order, that may be kept.
KEPT = ("merged", "trimmed", "nonhost", "rarefied", "sam")

RANKS = ("auto", "sgb", "species", "genus", "family", "order", "class", "phylum", "kingdom")

#: Where the distances between strains come from, and the rules that cut them (:mod:`microbiome.strains.rules`).
STRAIN_METHODS = ("auto", "alleles", "strainphlan", "distances", "none")
STRAIN_RULES = ("model", "percentile_table", "youden", "percentile_3", "samestr", "instrain", "fixed")

#: Which samples a comparison may be restricted to.
SAMPLE_CHOICES = ("all", "recipients", "baseline", "post")

#: What is done about profiles of different depth (:mod:`microbiome.repair`).
REPAIR_CHOICES = ("none", "threshold", "thinning", "auto")

TREE_METRICS = ("faith_pd", "unweighted_unifrac", "weighted_unifrac")


SECTIONS = {
    "metaphlan": "Profiling of FASTQ with MetaPhlAn.",
    **PROFILER_SECTIONS,
    "fastp": "Trimming and quality filter of FASTQ with fastp.",
    "profile": "How profiles are read.",
    "detection": "What is done where samples differ in depth.",
    "diversity": "Alpha- and beta-diversity.",
    "diversity.permanova": "PERMANOVA on each beta metric.",
    "nulls": "Engraftment and depletion against what chance alone would do.",
    "compare": "Rates and taxa between groups of subjects, and over time.",
    "sensitivity": "The rates and their comparison over detection thresholds and depths.",
    "strains": "Whose strain it is: strains of donors, baselines and post samples, told apart by their marker genes.",
    **FUNCTION_SECTIONS,
    **CLINICAL_SECTIONS,
    "report": "The report.",
}

KEYS: tuple[Key, ...] = (
    Key("samples", "path", "", "Table of samples.", needed=True, template="config/samples.tsv"),
    Key("subjects", "path", "", 'Table of subjects; "" = none.', template="config/subjects.tsv"),
    Key("doses", "path", "", 'Table of doses; "" = none: nobody received anything.', template="config/doses.tsv"),
    *CLINICAL_TABLES,
    Key(
        "units",
        "path",
        "",
        'First entry: table of FASTQ files; "" when starting from profiles. Give exactly one of units and profiles.',
        template="config/units.tsv",
    ),
    Key(
        "profiles",
        "paths",
        (),
        "Second entry: finished MetaPhlAn tables (single or merged, plain or .gz), or one table of feature x sample: a "
        'path, a pattern such as "profiles/*_profile.tsv", or a list of them; [] when starting from FASTQ.',
    ),
    Key("results", "path", "results", "Folder of all results.", needed=True),
    Key("seed", "integer", 1, "Seed of every random number.", minimum=0, maximum=2**32 - 1),
    Key(
        "host_index",
        "path",
        "",
        "Bowtie 2 index of the host genome (path without .1.bt2), against which reads are removed; "
        '"" = no host removal.',
    ),
    Key(
        "min_reads",
        "integer",
        1000,
        "A sample with fewer usable reads (both mates, at least 70 bases) after host removal is flagged, not profiled.",
        unit="reads",
        minimum=0,
    ),
    Key(
        "rarefy_reads",
        "integer",
        0,
        "Draw this many reads (both mates counted; whole pairs) of every sample after host removal, so that all are "
        "profiled at one depth; a sample with fewer keeps all and is named in qc/reads.tsv. 0 = profile all reads.",
        unit="reads",
        minimum=0,
    ),
    Key(
        "keep",
        "choices",
        (),
        "Files on the way that stay, of every sample; the others are deleted as soon as no step needs them: merged, "
        "trimmed, nonhost and rarefied are reads after that step (results/reads), sam the alignments to the markers "
        "(results/profiles), from which strains are counted again when strains.min_mapq and the like change. A sample "
        "takes at most 3 times the space of its FASTQ files while it is worked on (HUMAnN besides). What is added here "
        "later is made again.",
        allowed=KEPT,
    ),
    Key(
        "allow_missing_baseline",
        "flag",
        False,
        "Go on when a recipient has no sample with day <= 0; that subject has no outcomes then.",
    ),
    *PROFILER_KEYS,
    Key("metaphlan.database", "path", "", "Folder of the MetaPhlAn database; needed when starting from FASTQ."),
    Key(
        "metaphlan.index",
        "text",
        "",
        "Name of the database in that folder, for example mpa_vJan25_CHOCOPhlAnSGB_202503; needed when starting from "
        "FASTQ.",
        pattern=ID_PATTERN,
    ),
    Key(
        "metaphlan.min_mapq",
        "integer",
        5,
        "Reads must map with a mapping quality above this; 5 is MetaPhlAn's own, -1 keeps all.",
        minimum=-1,
        maximum=60,
    ),
    Key("metaphlan.extra", "text", "", "More options for MetaPhlAn."),
    Key(
        "fastp.min_length",
        "integer",
        70,
        "Shorter reads are dropped; MetaPhlAn does not use reads below 70 bases.",
        unit="bases",
        minimum=15,
        maximum=1000,
    ),
    Key("fastp.extra", "text", "", "More options for fastp."),
    Key(
        "profile.rank",
        "choice",
        "auto",
        "Rows of a MetaPhlAn table to use; auto is sgb, or species where the tables have no SGBs (MetaPhlAn 3).",
        allowed=RANKS,
    ),
    Key("profile.close", "flag", True, "Close the abundances of each sample to 1 over its classified part."),
    Key(
        "profile.detection",
        "number",
        0.0,
        "Of outcomes and rates: a taxon is detected in a sample when its abundance is above this. Diversity counts "
        "every taxon above 0.",
        unit="fraction",
        minimum=0.0,
        maximum=1.0,
    ),
    TAXONOMY_KEY,
    Key(
        "detection.repair",
        "choice",
        "none",
        "Of outcomes, rates and taxa from finished profiles: threshold is one detection threshold, 5 times the unit of "
        "the shallowest sample; thinning takes the evidence of every sample down to a fifth of that; auto is thinning "
        "where groups or time points differ in depth by more than 1.5, else none. rarefy_reads is the better way.",
        allowed=REPAIR_CHOICES,
    ),
    Key(
        "diversity.alpha",
        "choices",
        ("richness", "shannon", "simpson", "inverse_simpson", "pielou", "berger_parker"),
        "Alpha-diversity metrics; faith_pd needs the tree.",
        allowed=ALPHA_METRICS,
    ),
    Key(
        "diversity.beta",
        "choices",
        ("bray_curtis", "jaccard", "robust_aitchison"),
        "Beta-diversity metrics; the UniFrac metrics need the tree.",
        allowed=BETA_METRICS,
    ),
    Key("diversity.tree", "path", "", 'Newick tree of the SGBs (tips are bare SGB numbers), plain or .gz; "" = none.'),
    Key(
        "diversity.permanova.factors",
        "names",
        (),
        "Columns of the samples or subjects table to test; [] = no PERMANOVA.",
    ),
    Key(
        "diversity.permanova.strata",
        "text",
        "",
        'Column within whose groups the samples are permuted, usually subject; "" = none.',
    ),
    Key(
        "diversity.permanova.continuous",
        "names",
        (),
        "Of the factors, those that are numbers to be regressed on, such as age; the others are groups.",
    ),
    Key(
        "diversity.permanova.samples",
        "choice",
        "recipients",
        "Samples to test: all, those of recipients and controls, or of these the baseline or the post samples only.",
        allowed=SAMPLE_CHOICES,
    ),
    Key(
        "diversity.permanova.permutations",
        "integer",
        999,
        "Permutations; the smallest p-value is 1 / (permutations + 1).",
        minimum=1,
        maximum=1_000_000,
    ),
    Key(
        "nulls.permutations",
        "integer",
        9999,
        "Re-assignments of donors between recipients; fewer where there are no more.",
        minimum=1,
        maximum=1_000_000,
    ),
    Key(
        "nulls.strata",
        "text",
        "",
        'Column of samples or subjects (centre, batch, cohort) within whose groups donors are re-assigned; "" = none.',
    ),
    Key(
        "nulls.repair",
        "choice",
        "auto",
        "As detection.repair, for the nulls alone: samples that are compared with a null must be of one depth.",
        allowed=REPAIR_CHOICES,
    ),
    Key(
        "nulls.products",
        "choice",
        "common",
        "Donor sets of different size: common reduces all to one number of products, as_given leaves them as they are.",
        allowed=("common", "as_given"),
    ),
    Key(
        "compare.by",
        "names",
        ("responder", "arm"),
        "Columns of the subjects table whose groups are compared, each by itself, or donor; responder (also derived "
        "from best_response) and arm are passed over where the table has none.",
    ),
    Key(
        "compare.rates",
        "choices",
        RATE_NAMES,
        "Rates that are compared.",
        allowed=(*RATE_NAMES, "lost_taxa", "engrafted"),
    ),
    Key(
        "compare.window",
        "integers",
        (),
        "First and last day of the samples that count, here, in the nulls and per taxon; [] = the visits that all "
        "subjects have.",
        unit="days",
        minimum=1,
    ),
    Key("compare.covariates", "names", (), "Columns of the subjects (or samples) table to hold constant."),
    Key(
        "compare.strata",
        "text",
        "",
        'Column of subjects (centre, cohort) within whose groups subjects are permuted; "" = none.',
    ),
    Key("compare.permutations", "integer", 9999, "Permutations of subjects.", minimum=1, maximum=1_000_000),
    Key(
        "sensitivity.thresholds",
        "numbers",
        (),
        "Detection thresholds; [] = from 0 to 0.003. The common threshold of the study is added to them.",
        unit="fraction",
        minimum=0.0,
        maximum=1.0,
    ),
    Key(
        "sensitivity.by",
        "names",
        ("responder", "arm"),
        "As compare.by; each takes as long as some dozens of comparisons. [] = the mean over all subjects only.",
    ),
    Key(
        "strains.method",
        "choice",
        "auto",
        "Where the distances between strains come from: alleles counts the bases of the alignments that MetaPhlAn has "
        "made; strainphlan makes a tree of each clade; distances takes finished tables or trees; none leaves strains "
        "out. auto is distances where strains.distances names some, else alleles where strains.alleles does, or when "
        "starting from FASTQ with MetaPhlAn, else none.",
        allowed=STRAIN_METHODS,
    ),
    Key(
        "strains.distances",
        "paths",
        (),
        "Finished distances: trees and .mutation tables of StrainPhlAn, .dist of strain_transmission.py, tables with "
        "taxon, sample_1, sample_2 and distance, or SameStr's; a path, a pattern, or a list of them; TAXON=FILE where "
        "the name of a file does not tell its taxon.",
    ),
    Key(
        "strains.alleles",
        "paths",
        (),
        "Finished allele files (`microbiome strains alleles`), one per sample, for a study that starts from profiles "
        "and has its alignments: a path, a pattern, or a list of them.",
    ),
    Key(
        "strains.strainphlan",
        "flag",
        False,
        "Run StrainPhlAn too, for comparison: its distances, thresholds and calls stand in tables of their own, "
        "strains/strainphlan_*.tsv.",
    ),
    Key(
        "strains.clades",
        "words",
        ("all",),
        "Clades that are looked at: all, or a list such as [t__SGB1626, t__SGB4933_group]. StrainPhlAn, which makes a "
        'tree of each, can be kept to those in most samples: "top 20"; alleles compares all then.',
    ),
    Key(
        "strains.rule",
        "choice",
        "model",
        "How the cut between same strain and different strains is found: model fits the distances of each clade (same "
        "strain and background); the others are published rules.",
        allowed=STRAIN_RULES,
    ),
    Key("strains.fixed", "number", 0.0, "The cut of the rule fixed: pairs at or below it are the same.", minimum=0.0),
    Key(
        "strains.percentiles",
        "path",
        "",
        "Table of the rule percentile_table, one percentile per clade (VallesColomerM_2022_Jan21_thresholds.tsv of "
        "MetaPhlAn).",
    ),
    Key(
        "strains.parts",
        "integer",
        1,
        "Compare alleles in so many jobs, each with a part of the clades; more than 1 for many samples on a cluster.",
        minimum=1,
        maximum=1000,
    ),
    Key(
        "strains.min_base_quality",
        "integer",
        AlleleSettings.min_base_quality,
        "Bases below this quality are not counted.",
        minimum=0,
        maximum=93,
    ),
    Key(
        "strains.min_mapq",
        "integer",
        AlleleSettings.min_mapq,
        "Reads below this mapping quality are not counted.",
        minimum=0,
        maximum=255,
    ),
    Key(
        "strains.min_breadth",
        "number",
        AlleleSettings.min_breadth,
        "A clade with a smaller part of its marker positions covered is left out of a sample.",
        unit="fraction",
        minimum=0.0,
        maximum=1.0,
    ),
    Key("strains.min_depth", "integer", 1, "A position is compared from this depth on.", unit="reads", minimum=1),
    Key(
        "strains.min_sites",
        "integer",
        500,
        "A pair of samples with fewer positions covered in both has no distance.",
        unit="positions",
        minimum=1,
    ),
    Key(
        "strains.rates",
        "choices",
        (
            "strain_engraftment_rate_donor",
            "strain_engraftment_rate_profiled",
            "strain_persistence_rate",
            "weighted_donor_fraction",
        ),
        "Rates of strains that are compared between the groups of compare.by.",
        allowed=STRAIN_RATE_NAMES,
    ),
    *FUNCTION_KEYS,
    *CLINICAL_KEYS,
    Key("report.title", "text", "", 'Title of the report; "" = a general one.'),
)


def config_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the configuration; unknown keys are refused at every level."""
    root: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the workflow",
        **_section_schema(""),
    }
    for key in KEYS:
        target = root
        for section in key.place[:-1]:
            name = ".".join(key.place[: key.place.index(section) + 1])
            target = target["properties"].setdefault(section, _section_schema(name))
        target["properties"][key.place[-1]] = _key_schema(key)
        if key.needed and key.default == "":
            target.setdefault("required", []).append(key.place[-1])
    return root


def _section_schema(name: str) -> dict[str, Any]:
    words = {"description": SECTIONS[name]} if name else {}
    return {**words, "type": "object", "additionalProperties": False, "properties": {}}


def _key_schema(key: Key) -> dict[str, Any]:
    if key.kind == "tables":
        return tables_schema()
    schema: dict[str, Any] = {"description": key.meaning}
    if key.kind in ("paths", "words"):
        schema |= {"type": ["string", "array"], "items": {"type": "string", "minLength": 1}}
    elif key.kind in ("choices", "names"):
        item = {"enum": list(key.allowed)} if key.kind == "choices" else {"type": "string", "minLength": 1}
        schema |= {"type": "array", "items": item, "uniqueItems": True}
    elif key.kind in ("integers", "numbers"):
        schema |= {"type": "array", "items": {"type": key.kind.removesuffix("s"), **_bounds(key)}}
    elif key.kind == "choice":
        schema |= {"enum": list(key.allowed)}
    else:
        schema["type"] = {"integer": "integer", "number": "number", "flag": "boolean"}.get(key.kind, "string")
    if key.kind in ("integer", "number"):
        schema |= _bounds(key)
    if key.pattern:
        schema["pattern"] = f"^({key.pattern})?$"
    if key.needed:
        schema["minLength"] = 1
    if not (key.needed and key.default == ""):
        schema["default"] = key.absent
    return schema


def _bounds(key: Key) -> dict[str, Any]:
    bounds = {"minimum": key.minimum, "maximum": key.maximum}
    return {name: bound for name, bound in bounds.items() if bound is not None}
