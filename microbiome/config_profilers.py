"""Keys of the configuration for the profiler: which one, its database and settings, and what goes without MetaPhlAn."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from microbiome.config_key import Key

__all__ = [
    "BRACKEN_CHOICES",
    "KRAKEN2_FILES",
    "PROFILERS",
    "PROFILER_KEYS",
    "PROFILER_NAMES",
    "PROFILER_SECTIONS",
    "TAXONOMY_KEY",
    "bracken_file",
    "database_word",
    "profiler_relations",
    "runs_bracken",
    "unavailable",
]

PROFILERS = ("metaphlan", "kraken2", "sourmash")
BRACKEN_CHOICES = ("auto", "yes", "no")
#: What a database of Kraken2 consists of.
KRAKEN2_FILES = ("hash.k2d", "opts.k2d", "taxo.k2d")

PROFILER_SECTIONS = {
    "kraken2": "Profiling of FASTQ with Kraken2 and Bracken, where profiler is kraken2 (docs/profilers.md).",
    "sourmash": "Profiling of FASTQ with sourmash gather, where profiler is sourmash (docs/profilers.md).",
}

PROFILER_KEYS: tuple[Key, ...] = (
    Key(
        "profiler",
        "choice",
        "metaphlan",
        "Program that profiles the reads when starting from FASTQ; of finished profiles, the files tell. What rests on "
        "SGBs (strains, tree metrics, HUMAnN on the sample's profile) is there with metaphlan only.",
        allowed=PROFILERS,
    ),
    Key("kraken2.database", "path", "", "Folder of the Kraken2 database (hash.k2d, opts.k2d, taxo.k2d)."),
    Key(
        "kraken2.confidence",
        "number",
        0.0,
        "Least part of the k-mers of a read that must support its taxon; 0 is Kraken2's own. More means fewer false "
        "taxa, and fewer classified reads.",
        unit="fraction",
        minimum=0.0,
        maximum=1.0,
    ),
    Key(
        "kraken2.minimum_hit_groups",
        "integer",
        3,
        "Groups of overlapping k-mers that a read must have of its taxon; Kraken2's own is 2, its protocol says 3.",
        minimum=1,
        maximum=1000,
    ),
    Key(
        "kraken2.threshold",
        "integer",
        10,
        "A taxon with fewer reads (a pair is one) is left out of a sample's profile, and Bracken gives it none; 10 is "
        "Bracken's own. 0 keeps all: most taxa of few reads are false.",
        unit="reads",
        minimum=0,
    ),
    Key(
        "kraken2.bracken",
        "choice",
        "auto",
        "Let Bracken share out the reads that stop above the species. auto is yes where the database has Bracken's "
        "file for this read length, database150mers.kmer_distrib. Without, reads that stop above are of no species.",
        allowed=BRACKEN_CHOICES,
    ),
    Key(
        "kraken2.read_length",
        "integer",
        150,
        "Length of the reads, by which Bracken chooses its file.",
        unit="bases",
        minimum=20,
        maximum=100_000,
    ),
    Key(
        "kraken2.memory_mapping",
        "flag",
        False,
        "Leave the database on disk instead of reading it into memory: slower, for a machine with too little of it.",
    ),
    Key("kraken2.extra", "text", "", "More options for Kraken2."),
    Key(
        "sourmash.database",
        "path",
        "",
        "Database of sourmash: a .zip (or another collection) of sketches of genomes.",
    ),
    Key(
        "sourmash.lineages",
        "path",
        "",
        "Lineages of these genomes as `sourmash tax` takes them (CSV: ident, superkingdom to species).",
    ),
    Key("sourmash.ksize", "integer", 31, "Length of the k-mers, as in the database.", minimum=7, maximum=101),
    Key(
        "sourmash.scaled",
        "integer",
        1000,
        "One in so many k-mers is looked at, as in the database or more.",
        minimum=1,
    ),
    Key(
        "sourmash.threshold_bp",
        "integer",
        50_000,
        "A genome that explains less than this of the reads, in distinct k-mers, is not reported; 50000 is sourmash's "
        "own.",
        unit="bases",
        minimum=0,
    ),
    Key("sourmash.extra", "text", "", "More options for sourmash gather."),
)

#: Stands among the other keys on how profiles are read.
TAXONOMY_KEY = Key(
    "profile.taxonomy",
    "path",
    "",
    "Lineages for finished profiles of other profilers that have none: a folder with nodes.dmp and names.dmp, or a "
    "CSV as `sourmash tax` takes it.",
)

#: Other profilers by the word in the first line of their profiles, as their authors write them.
PROFILER_NAMES = {
    "kraken2": "Kraken2",
    "bracken": "Bracken",
    "sourmash": "sourmash",
    "taxpasta": "taxpasta",
    "biom": "BIOM",
}
_Relation = tuple[str, str, str, str, Literal["error", "warning"]]


def bracken_file(config: Mapping[str, Any]) -> Path:
    """Return Bracken's file in the Kraken2 database for the length of the reads."""
    section = config["kraken2"]
    return Path(section["database"]) / f"database{section['read_length']}mers.kmer_distrib"


def runs_bracken(config: Mapping[str, Any]) -> bool:
    """Tell whether Bracken follows Kraken2: what ``kraken2.bracken`` comes to."""
    if config["profiler"] != "kraken2" or not config["units"]:
        return False
    choice = str(config["kraken2"]["bracken"])
    return choice == "yes" or (
        choice == "auto" and bool(config["kraken2"]["database"]) and bracken_file(config).is_file()
    )


def database_word(config: Mapping[str, Any]) -> str:
    """Return what stands in the first line of the profiles: the profiler, and the name of its database."""
    profiler = config["profiler"]
    if profiler == "sourmash":
        section = config["sourmash"]
        parts = [Path(section["database"]).name.removesuffix(".zip"), f"k{section['ksize']}"]
        return "sourmash:" + "_".join([*parts, f"scaled{section['scaled']}"]).replace(" ", "_")
    name = Path(config["kraken2"]["database"]).resolve().name.replace(" ", "_")
    return f"{'bracken' if runs_bracken(config) else 'kraken2'}:{name}"


def unavailable(profiler: str) -> list[str]:
    """Return what the profiles of another profiler than MetaPhlAn cannot give, each with its reason."""
    name = PROFILER_NAMES | {"bracken": "Kraken2 and Bracken"}
    if profiler == "metaphlan":
        return []
    word = name.get(profiler, profiler)
    return [
        f"taxa are species, not SGBs: {word} does not know MetaPhlAn's species-level genome bins",
        "strains are not compared: that takes alignments to MetaPhlAn's marker genes",
        "no Faith's PD or UniFrac: the tree that they take is one of SGBs",
        "taxa that lists and questions name by their SGB are not found, those named by species are",
        "limits of detection rest on counted reads with Kraken2 and Bracken, and on the lowest abundances of samples "
        "with sourmash (k-mers are not reads), taxpasta and BIOM (whose counts may be anything)",
        "abundances are parts of the DNA that was classified, not of the genomes: a large genome weighs more",
    ]


def profiler_relations(config: Mapping[str, Any], bad: set[str]) -> Iterator[_Relation]:
    """Yield (key, message, fix, value, level) for what is wrong between the profiler and other keys."""
    profiler, units = config["profiler"], config["units"]
    for name in ("kraken2.extra", "sourmash.extra"):
        section, key = name.split(".")
        try:
            shlex.split(config[section][key])
        except ValueError as error:
            text = f"{config[section][key]!r} is not a list of options ({str(error).lower()})"
            yield name, text, "close the quotes", config[section][key], "error"
    if profiler == "metaphlan":
        return
    if not units:
        message = f"{profiler} has no effect on finished profiles, which tell themselves what they are"
        yield "profiler", message, "remove it, or start from FASTQ (units)", profiler, "warning"
        return
    needed = {"kraken2": ("database",), "sourmash": ("database", "lineages")}[profiler]
    for key in needed:
        if not config[profiler][key] and f"{profiler}.{key}" not in bad:
            fix = f"starting from FASTQ with profiler {profiler} needs it"
            yield f"{profiler}.{key}", "the value is empty", fix, "", "error"
    yield from _asked(config, PROFILER_NAMES[profiler])
    rest = "strains, tree metrics, SGBs and HUMAnN's prescreen are left out"
    yield "profiler", f"{profiler} has no SGBs: {rest}", "see docs/profilers.md", profiler, "warning"


def _asked(config: Mapping[str, Any], name: str) -> Iterator[_Relation]:
    """Yield what is asked for by name and needs SGBs."""
    strains, fix = config["strains"], "set profiler to metaphlan, or remove it"
    if strains["method"] in ("alleles", "strainphlan"):
        message = f"{strains['method']} needs alignments to MetaPhlAn's markers, and {name} makes none"
        yield "strains.method", message, fix, strains["method"], "error"
    elif strains["strainphlan"]:
        message = f"StrainPhlAn needs alignments to MetaPhlAn's markers, and {name} makes none"
        yield "strains.strainphlan", message, fix, "true", "error"
    for key in ("alleles", "distances"):
        if strains[key] and strains["method"] != "none":
            message = f"they are named by SGBs, and the taxa of {name} are species"
            yield f"strains.{key}", message, fix, str(strains[key][0]), "error"
    if config["profile"]["rank"] == "sgb":
        yield "profile.rank", f"{name} has no SGBs", "choose species or a rank above, or auto", "sgb", "error"
    if config["diversity"]["tree"]:
        message = f"the tree is one of SGBs, and the taxa of {name} are species"
        yield "diversity.tree", message, "remove it, and the metrics that need it", config["diversity"]["tree"], "error"
    function = config["function"]
    asked = function["method"] == "humann" or (function["method"] == "auto" and not function["tables"])
    given = function["nucleotide_database"] and function["protein_database"]
    if asked and given and function["prescreen"] and not function["metaphlan_index"]:
        fix = "give function.metaphlan_database and function.metaphlan_index (vJun23), or set it to false"
        message = f"HUMAnN chooses species by a profile of MetaPhlAn, and {name} makes none"
        yield "function.prescreen", message, fix, "true", "error"
