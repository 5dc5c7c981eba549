"""What the rules for strains have to know: where distances come from, options of the commands, and results."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microbiome.config import expand_profiles
from microbiome.config_strains import listed_clades, runs_strainphlan, strain_method, top_clades
from microbiome.workflow_part import WorkflowPart

__all__ = ["StrainPlan", "allele_files", "allele_options", "distance_files", "rule_options", "strain_rate_options"]

#: What stands before the names of the tables that come from StrainPhlAn where it runs beside another method.
BESIDE = "strainphlan_"

# What the report calls a table of strains, and the name of its file.
_REPORTED = {
    "resolved": "resolved",
    "rates": "rates",
    "summary": "trajectories",
    "persistence": "persistence",
    "sweep": "sweep",
    "thresholds": "thresholds",
    "audit": "audit",
}


class StrainPlan(WorkflowPart):
    """The work on strains for one configuration."""

    place = "strains"

    @property
    def method(self) -> str:
        """Where distances come from: ``alleles``, ``strainphlan``, ``distances`` or ``none``."""
        return strain_method(self.config)

    # ------------------------------------------------------------------ distances

    def alleles(self) -> list[str]:
        """Return the allele files, one per sample: finished ones where the configuration names some."""
        if self.method == "alleles" and self.config["strains"]["alleles"]:
            return allele_files(self.config)
        return self.plan.per_sample("strains/alleles/{sample}.alleles") if self.method == "alleles" else []

    def sources(self) -> list[str]:
        """Return the files that the table of distances is made of."""
        if self.method == "strainphlan":
            return [f"{self.folder}/{BESIDE}distances.tsv"]
        if self.method == "distances":
            return [path.partition("=")[2] if not Path(path).exists() else path for path in self.named_files()]
        parts = self.config["strains"]["parts"]
        if parts == 1:
            return self.alleles()
        return [f"{self.folder}/distances/part{part}.tsv" for part in range(1, parts + 1)]

    def named_files(self) -> list[str]:
        """Return the finished distances as the command takes them: ``FILE`` or ``TAXON=FILE``."""
        return distance_files(self.config)

    def source_options(self) -> str:
        """Return the option that hands :meth:`sources` to ``strains distances``."""
        if self._at_once():
            return self.part_options()
        words = ["--table", *(f"@{path}" for path in self.source_list())] if self.source_list() else []
        words = words or ["--table", *self.sources()]
        if self.method == "strainphlan":
            words += ["--method", "ngd"]
        if self.method == "distances" and listed_clades(self.config):
            words += ["--clade", *listed_clades(self.config)]
        return shlex.join(words)

    def source_list(self) -> list[str]:
        """Return the file that lists :meth:`sources`, where there may be many."""
        if self.method == "strainphlan":
            return []
        return [self.plan.list_path("alleles" if self._at_once() else "distances")]

    def _at_once(self) -> bool:
        """Tell whether all alleles are compared in one job."""
        return self.method == "alleles" and self.config["strains"]["parts"] == 1

    def allele_list(self) -> list[str]:
        """Return the file that lists :meth:`alleles`, where there are any."""
        return [self.plan.list_path("alleles")] if self.method == "alleles" else []

    def percentiles(self) -> list[str]:
        """Return the table of percentiles, where the rule needs it."""
        strains = self.config["strains"]
        return [strains["percentiles"]] if strains["rule"] == "percentile_table" and strains["percentiles"] else []

    def part_options(self) -> str:
        """Return the options of one part of the comparison of alleles, but for its number."""
        return shlex.join(["--alleles", f"@{self.plan.list_path('alleles')}", *self._sites()])

    def _sites(self) -> list[str]:
        strains = self.config["strains"]
        words = ["--minimum-sites", str(strains["min_sites"]), "--minimum-depth", str(strains["min_depth"])]
        clades = listed_clades(self.config)
        return [*words, "--clade", *clades] if clades else words

    # ------------------------------------------------------------------ StrainPhlAn

    def database(self) -> list[str]:
        """Return the pickle of the MetaPhlAn database, when starting from FASTQ."""
        return [path for path in self.plan.database_files() if path.endswith(".pkl")]

    def markers(self) -> list[str]:
        """Return the consensus markers for StrainPhlAn, one file per sample."""
        return self.plan.per_sample("strains/markers/{sample}.json.bz2")

    def versions(self) -> list[str]:
        """Return the table of the versions of StrainPhlAn and what it calls, where it runs."""
        return [f"{self.folder}/{BESIDE}versions.tsv"] if runs_strainphlan(self.config) else []

    def clade_folders(self, listed: str | Path) -> list[str]:
        """Return the folders of the clades that a table of `strainphlan_clades.py` says are chosen."""
        rows = [line.split("\t") for line in Path(listed).read_text(encoding="utf-8").splitlines()[1:]]
        return [f"{self.folder}/strainphlan/{row[0]}" for row in rows if row[2] == "1"]

    def clade_options(self) -> str:
        """Return which clades StrainPhlAn looks at."""
        top, listed = top_clades(self.config), listed_clades(self.config)
        return shlex.join(["--top", str(top)] if top is not None else ["--clades", *listed] if listed else [])

    # ------------------------------------------------------------------ results

    def measured(self) -> list[str]:
        """Return the tables that the provenance and the report describe."""
        if self.method == "none":
            return []
        names = ["distances", "thresholds", "shared", "sweep", "rates", "persistence", "trajectories", "audit"]
        names += ["resolved", "sources"] if self.resolved() else []
        if runs_strainphlan(self.config):
            names += [f"{BESIDE}distances", f"{BESIDE}clades"]
            names += [] if self.method == "strainphlan" else [f"{BESIDE}thresholds", f"{BESIDE}shared"]
        return [*(f"{self.folder}/{name}.tsv" for name in names), *self.compared()]

    def compared(self) -> list[str]:
        """Return the comparisons of rates of strains, one per column that makes groups."""
        if self.method == "none" or not self.config["strains"]["rates"]:
            return []
        return [f"{self.folder}/compare_{word}.tsv" for word in self.plan.groups("compare")]

    def resolved(self) -> list[str]:
        """Return the table of resolved strains, where there are doses: without, there is nothing to resolve."""
        return [f"{self.folder}/resolved.tsv"] if self.method != "none" and self.config["doses"] else []

    def report_options(self) -> list[str]:
        """Return the tables that the report shows, by name; one that is not made is named as none."""
        made = self.measured()
        words = []
        for name, table in _REPORTED.items():
            path = f"{self.folder}/{table}.tsv"
            words += [f"--strain-{name}", path if path in made else ""]
        return [*words, "--strain-compare", *self.compared()]

    def resolve_sources(self) -> list[str]:
        """Return the files that strains are resolved from: read counts, or the calls of pairs."""
        return self.alleles() or [f"{self.folder}/shared.tsv"]

    def resolve_options(self) -> str:
        """Return the option that hands :meth:`resolve_sources` to ``strains resolve``."""
        if not self.allele_list():
            return shlex.join(["--shared", *self.resolve_sources()])
        clades = listed_clades(self.config)
        lists = [f"@{path}" for path in self.allele_list()]
        return shlex.join(["--alleles", *lists, *(["--clade", *clades] if clades else [])])


def distance_files(config: Mapping[str, Any]) -> list[str]:
    """Return ``strains.distances`` with its patterns expanded, each ``FILE`` or ``TAXON=FILE``."""
    return expand_profiles(config["strains"]["distances"])


def allele_files(config: Mapping[str, Any]) -> list[str]:
    """Return ``strains.alleles`` with its patterns expanded."""
    return expand_profiles(config["strains"]["alleles"])


def allele_options(config: Mapping[str, Any]) -> str:
    """Return the filters of the allele counts."""
    strains = config["strains"]
    options = ["--min-base-quality", str(strains["min_base_quality"]), "--min-mapq", str(strains["min_mapq"])]
    return shlex.join([*options, "--min-breadth", f"{strains['min_breadth']:g}"])


def strain_rate_options(config: Mapping[str, Any]) -> str:
    """Return the rates of strains that are compared."""
    return shlex.join(["--rate", *config["strains"]["rates"]])


def rule_options(config: Mapping[str, Any]) -> str:
    """Return the rule of the thresholds."""
    strains = config["strains"]
    options = ["--rule", strains["rule"]]
    options += ["--value", f"{strains['fixed']:.12g}"] if strains["rule"] == "fixed" else []
    options += ["--percentiles", strains["percentiles"]] if strains["rule"] == "percentile_table" else []
    return shlex.join(options)
