"""Keys of the configuration under ``function``: HUMAnN or finished tables, and what the keys mean together."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from microbiome.config_key import Key
from microbiome.tables import ID_PATTERN

__all__ = [
    "FUNCTION_GROUPS",
    "FUNCTION_KEYS",
    "FUNCTION_METHODS",
    "FUNCTION_SECTIONS",
    "accepts_profile",
    "function_method",
    "function_relations",
]

FUNCTION_METHODS = ("auto", "humann", "tables", "none")
FUNCTION_GROUPS = ("ec", "ko", "pathway", "genefamilies")

FUNCTION_SECTIONS = {
    "function": "What the microbes can do: enzymes (EC), orthologs (KO) and pathways, from HUMAnN 3.9."
}

FUNCTION_KEYS: tuple[Key, ...] = (
    Key(
        "function.method",
        "choice",
        "auto",
        "Where functions come from: humann runs HUMAnN on the cleaned reads; tables takes finished tables; none leaves "
        "functions out. auto is tables where function.tables names some, else humann where both of its databases are "
        "given, else none.",
        allowed=FUNCTION_METHODS,
    ),
    Key(
        "function.tables",
        "paths",
        (),
        "Finished tables of HUMAnN (gene families, ECs, KOs, pathways; one sample each or joined): a path, a pattern, "
        "or a list of them; ec=FILE where the names of its functions do not tell what they are.",
    ),
    Key(
        "function.groups",
        "choices",
        ("ec", "pathway"),
        "Functions that are measured: diversity, outcomes, rates, nulls, comparisons. genefamilies are many.",
        allowed=FUNCTION_GROUPS,
    ),
    Key("function.nucleotide_database", "path", "", "Folder of HUMAnN's nucleotide database (ChocoPhlAn v201901_v31)."),
    Key("function.protein_database", "path", "", "Folder of HUMAnN's protein database (UniRef 201901b, diamond)."),
    Key(
        "function.prescreen",
        "flag",
        True,
        "Search the species of the sample's profile only. HUMAnN takes profiles of vJun23: with another "
        "metaphlan.index it makes its own from function.metaphlan_database. false = search all species of the "
        "nucleotide database, which is for small ones.",
    ),
    Key(
        "function.metaphlan_database",
        "path",
        "",
        "Folder of the vJun23 database of MetaPhlAn for HUMAnN's own profile; not needed where metaphlan.index is one.",
    ),
    Key(
        "function.metaphlan_index",
        "text",
        "",
        "Name of that database, for example mpa_vJun23_CHOCOPhlAnSGB_202307.",
        pattern=ID_PATTERN,
    ),
    Key(
        "function.ec_map",
        "path",
        "",
        'Map of ECs to gene families (map_level4ec_uniref90.txt.gz of HUMAnN\'s utility mapping); "" = one derived '
        "from the reactions that come with HUMAnN: close to it, not the same.",
    ),
    Key(
        "function.ko_map", "path", "", "Map of KOs to gene families (map_ko_uniref90.txt.gz); needed for the group ko."
    ),
    Key(
        "function.reactions",
        "path",
        "",
        'Own map of reactions to gene families, beside function.pathways; "" = MetaCyc as it comes with HUMAnN.',
    ),
    Key("function.pathways", "path", "", 'Own pathways, as reactions; "" = MetaCyc as it comes with HUMAnN.'),
    Key(
        "function.detection",
        "number",
        0.0,
        "As profile.detection, for functions, closed to 1 over the functions of a sample.",
        unit="fraction",
        minimum=0.0,
        maximum=1.0,
    ),
    Key("function.extra", "text", "", "More options for HUMAnN."),
)

_Relation = tuple[str, str, str, str, Literal["error", "warning"]]


def function_method(config: Mapping[str, Any]) -> str:
    """Return ``humann``, ``tables`` or ``none``: what ``function.method`` comes to."""
    section = config["function"]
    if section["method"] != "auto":
        return str(section["method"])
    if section["tables"]:
        return "tables"
    both = section["nucleotide_database"] and section["protein_database"]
    return "humann" if config["units"] and both else "none"


def accepts_profile(index: str) -> bool:
    """Tell whether HUMAnN 3.9 takes profiles of a database: it looks for these words in the comments of a profile."""
    return "vJun23" in index or "v3" in index


def function_relations(config: Mapping[str, Any], bad: set[str]) -> Iterator[_Relation]:
    """Yield (key, message, fix, value, level) for what is wrong between the keys under ``function`` and with others."""
    section = config["function"]
    method = function_method(config)

    def wrong(key: str, message: str, fix: str, level: Literal["error", "warning"] = "error") -> Iterator[_Relation]:
        name = f"function.{key}"
        if name not in bad:
            value = section[key]
            yield name, message, fix, ", ".join(value) if isinstance(value, list) else str(value), level

    if method == "humann":
        if not config["units"]:
            yield from wrong("method", "HUMAnN needs reads", "start from FASTQ (units), or give function.tables")
        for key in ("nucleotide_database", "protein_database"):
            if not section[key]:
                yield from wrong(key, "the value is empty", "HUMAnN needs both of its databases")
        yield from _prescreen(config, section, wrong)
        if section["tables"]:
            yield from wrong("tables", "has no effect with function.method humann", "remove it", "warning")
    if method == "tables" and not section["tables"]:
        yield from wrong("tables", "the value is empty", "name the tables that function.method asks for")
    if method != "none" and not section["groups"]:
        yield from wrong(
            "groups", "no kind of function is named", "write [ec, pathway], or set function.method to none"
        )
    if method == "humann" and "ko" in section["groups"] and not section["ko_map"]:
        fix = "give map_ko_uniref90.txt.gz, or take ko out of function.groups"
        yield from wrong("ko_map", "the value is empty", fix)
    if bool(section["reactions"]) != bool(section["pathways"]):
        empty = "pathways" if section["reactions"] else "reactions"
        yield from wrong(empty, "the value is empty", "give function.reactions and function.pathways, or neither")
    try:
        shlex.split(section["extra"])
    except ValueError as error:
        yield from wrong("extra", f"is not a list of options ({str(error).lower()})", "close the quotes")


def _prescreen(config: Mapping[str, Any], section: Mapping[str, Any], wrong: Any) -> Iterator[_Relation]:
    own = (section["metaphlan_database"], section["metaphlan_index"])
    if any(own) and not all(own):
        empty = "metaphlan_index" if own[0] else "metaphlan_database"
        yield from wrong(empty, "the value is empty", "give the folder and the name of the database")
    elif own[1] and not accepts_profile(own[1]):
        fix = "give a vJun23 database, such as mpa_vJun23_CHOCOPhlAnSGB_202307"
        yield from wrong("metaphlan_index", f"HUMAnN does not take profiles of {own[1]!r}", fix)
    index = config["metaphlan"]["index"]
    if section["prescreen"] and not any(own) and index and not accepts_profile(index):
        fix = (
            "give function.metaphlan_database and function.metaphlan_index (vJun23), or set function.prescreen to false"
        )
        yield from wrong("prescreen", f"HUMAnN does not take profiles of {index!r}", fix)
