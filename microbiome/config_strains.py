"""What the keys under ``strains`` mean together: the method, the clades, and what contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

__all__ = ["listed_clades", "runs_strainphlan", "strain_method", "strain_relations", "top_clades"]

_CLADE = re.compile(r"t__[A-Za-z0-9_.-]+")
_TOP = re.compile(r"top +([0-9]+)")

_Relation = tuple[str, str, str, str, Literal["error", "warning"]]


def strain_method(config: Mapping[str, Any]) -> str:
    """Return ``alleles``, ``strainphlan``, ``distances`` or ``none``: what ``strains.method`` comes to."""
    method = str(config["strains"]["method"])
    if method != "auto":
        return method
    if config["strains"]["distances"]:
        return "distances"
    if config["strains"]["alleles"]:
        return "alleles"
    # Only MetaPhlAn makes alignments to markers.
    aligned = config["units"] and config["profiler"] == "metaphlan"
    return "alleles" if aligned else "none"


def runs_strainphlan(config: Mapping[str, Any]) -> bool:
    """Tell whether StrainPhlAn is run, as the method or beside it."""
    method = strain_method(config)
    return method == "strainphlan" or (bool(config["strains"]["strainphlan"]) and method != "none")


def listed_clades(config: Mapping[str, Any]) -> list[str]:
    """Return the clades that are listed by name; none stands for all of them."""
    return [clade for clade in config["strains"]["clades"] if _CLADE.fullmatch(clade)]


def top_clades(config: Mapping[str, Any]) -> int | None:
    """Return N of ``top N``, None where the clades are not given like that."""
    found = [_TOP.fullmatch(clade) for clade in config["strains"]["clades"]]
    return next((int(match[1]) for match in found if match), None)


def strain_relations(config: Mapping[str, Any], bad: set[str]) -> Iterator[_Relation]:
    """Yield (key, message, fix, value, level) for what is wrong between the keys under ``strains`` and with others."""
    strains = config["strains"]
    method, given = strains["method"], strains["distances"]
    if "strains.method" not in bad and not bad & {"units", "profiles"} and not config["units"]:
        fix = "start from FASTQ (units), or give strains.alleles or strains.distances"
        if method == "strainphlan" or (method == "alleles" and not strains["alleles"]):
            yield "strains.method", f"{method} needs alignments, and profiles have none", fix, method, "error"
        if strains["strainphlan"] and method not in ("none", "strainphlan"):
            yield "strains.strainphlan", "StrainPhlAn needs alignments, and profiles have none", fix, "true", "error"
    if method == "distances" and not given and "strains.distances" not in bad:
        yield (
            "strains.distances",
            "the value is empty",
            "name the tables or trees that strains.method asks for",
            "",
            "error",
        )
    if given and method not in ("auto", "distances"):
        message = f"has no effect with strains.method {method}"
        yield "strains.distances", message, "remove it, or set the method to distances", given[0], "warning"
    if strains["alleles"] and (method not in ("auto", "alleles") or (method == "auto" and given)):
        message = "has no effect: the distances come from elsewhere (strains.method, strains.distances)"
        yield "strains.alleles", message, "remove it, or set the method to alleles", strains["alleles"][0], "warning"
    if strains["rule"] == "percentile_table" and not strains["percentiles"] and "strains.percentiles" not in bad:
        fix = "name the table that the rule percentile_table needs"
        yield "strains.percentiles", "the value is empty", fix, "", "error"
    for key, rule in (("percentiles", "percentile_table"), ("fixed", "fixed")):
        if strains[key] and strains["rule"] != rule:
            message = f"has no effect with strains.rule {strains['rule']}"
            yield f"strains.{key}", message, f"remove it, or set the rule to {rule}", str(strains[key]), "warning"
    if "strains.clades" not in bad:
        yield from _clades(strains["clades"])


def _clades(clades: Sequence[str]) -> Iterator[_Relation]:
    key, fix = "strains.clades", "write all, top 20, or a list of clades such as [t__SGB1626]"
    if not clades:
        yield key, "the value is empty", fix, "", "error"
    for clade in clades:
        top = _TOP.fullmatch(clade)
        word = clade == "all" or top
        if word and len(clades) > 1:
            yield key, f"{clade!r} stands beside other clades", "write it alone, or the clades alone", clade, "error"
        elif not word and not _CLADE.fullmatch(clade):
            hint = f"did you mean 't__{clade}'?" if _CLADE.fullmatch(f"t__{clade}") else fix
            yield key, f"{clade!r} is not a clade", hint, clade, "error"
        elif top and int(top[1]) == 0:
            yield key, "'top 0' leaves no clade", fix, clade, "error"
    for clade in sorted({clade for clade in clades if list(clades).count(clade) > 1}):
        yield key, f"{clade!r} stands twice", "keep one", clade, "error"
