"""Every key of the configuration, declared once: validation, schema, template and documentation derive from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from microbiome.tables import ID_PATTERN

__all__ = [
    "ALPHA_METRICS",
    "BETA_METRICS",
    "KEYS",
    "RANKS",
    "SAMPLE_CHOICES",
    "SECTIONS",
    "TREE_METRICS",
    "Key",
    "config_schema",
]

Kind = Literal["text", "path", "paths", "integer", "number", "flag", "choice", "choices", "names"]

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
RANKS = ("auto", "sgb", "species", "genus", "family", "order", "class", "phylum", "kingdom")

#: Which samples a comparison may be restricted to.
SAMPLE_CHOICES = ("all", "recipients", "baseline", "post")

TREE_METRICS = ("faith_pd", "unweighted_unifrac", "weighted_unifrac")


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Parameters
    ----------
    name
        With its sections, joined by dots (``diversity.permanova.strata``).
    kind
        ``text``, ``path`` (one path or ``""``), ``paths`` (one path or pattern, or a list of them), ``integer``,
        ``number``, ``flag`` (true or false), ``choice`` (one of `allowed`), ``choices`` (a list of them), ``names`` (a
        list of texts).
    default
        Taken where the key is absent.
    meaning
        What it does, for the template and the documentation.
    unit
        Unit of a number.
    needed
        The value must not be empty, and without a default the key must be there.
    allowed, minimum, maximum, pattern
        What a value may be; bounds are included; a pattern must match the whole of a text that is not empty.
    template
        What the template has in place of the default.
    """

    name: str
    kind: Kind
    default: str | float | bool | tuple[str, ...]
    meaning: str
    unit: str = ""
    needed: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    template: str | None = None

    @property
    def place(self) -> tuple[str, ...]:
        """Keys from the root down to the value."""
        return tuple(self.name.split("."))


SECTIONS = {
    "metaphlan": "Profiling of FASTQ with MetaPhlAn.",
    "fastp": "Trimming and quality filter of FASTQ with fastp.",
    "profile": "How profiles are read.",
    "diversity": "Alpha- and beta-diversity.",
    "diversity.permanova": "PERMANOVA on each beta metric.",
    "report": "The report.",
}

KEYS: tuple[Key, ...] = (
    Key("samples", "path", "", "Table of samples.", needed=True, template="config/samples.tsv"),
    Key("subjects", "path", "", 'Table of subjects; "" = none.', template="config/subjects.tsv"),
    Key("doses", "path", "", 'Table of doses; "" = none: nobody received anything.', template="config/doses.tsv"),
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
        "allow_missing_baseline",
        "flag",
        False,
        "Go on when a recipient has no sample with day <= 0; that subject has no outcomes then.",
    ),
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
    Key("metaphlan.keep_sam", "flag", True, "Keep the alignments to the markers; strain analysis needs them."),
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
    schema: dict[str, Any] = {"description": key.meaning}
    if key.kind == "paths":
        schema |= {"type": ["string", "array"], "items": {"type": "string", "minLength": 1}}
    elif key.kind in ("choices", "names"):
        item = {"enum": list(key.allowed)} if key.kind == "choices" else {"type": "string", "minLength": 1}
        schema |= {"type": "array", "items": item, "uniqueItems": True}
    elif key.kind == "choice":
        schema |= {"enum": list(key.allowed)}
    else:
        schema["type"] = {"integer": "integer", "number": "number", "flag": "boolean"}.get(key.kind, "string")
    if key.minimum is not None:
        schema["minimum"] = key.minimum
    if key.maximum is not None:
        schema["maximum"] = key.maximum
    if key.pattern:
        schema["pattern"] = f"^({key.pattern})?$"
    if key.needed:
        schema["minLength"] = 1
    if not (key.needed and key.default == ""):
        schema["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    return schema
