"""What the rules for functions have to know: where tables come from, options of the commands, and results."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from microbiome.config import expand_profiles
from microbiome.config_function import FUNCTION_GROUPS, accepts_profile, function_method
from microbiome.config_keys import TREE_METRICS
from microbiome.function.reading import kind_of_file
from microbiome.workflow_part import BY_COLUMN, BY_DONOR, WorkflowPart

__all__ = ["FunctionPlan", "function_files"]

# What HUMAnN writes of a sample, by the kind of function it is for.
_TABLES = {"ec": "genefamilies", "ko": "genefamilies", "genefamilies": "genefamilies", "pathway": "pathabundance"}
_MAPPED = ("ec", "ko")
_REPORTED = ("alpha", "outcomes", "rates", "nulls", "contributions")


class FunctionPlan(WorkflowPart):
    """The work on functions for one configuration."""

    place = "function"

    @property
    def method(self) -> str:
        """Where functions come from: ``humann``, ``tables`` or ``none``."""
        return function_method(self.config)

    # ------------------------------------------------------------------ tables of functions

    @cached_property
    def _given(self) -> dict[str, list[str]]:
        return function_files(self.config) if self.method == "tables" else {}

    @cached_property
    def groups(self) -> list[str]:
        """Kinds of functions that are measured: those asked for that there are tables of."""
        if self.method == "none":
            return []
        return [group for group in FUNCTION_GROUPS if group in self.config["function"]["groups"] and self.tables(group)]

    def tables(self, group: str) -> list[str]:
        """Return the tables that a kind of function is made of: of it, or of gene families where there is a map."""
        if self.method == "humann":
            return self.plan.per_sample(f"function/humann/{{sample}}_{_TABLES[group]}.tsv")
        own = self._given.get(group, [])
        return own or (self._given.get("genefamilies", []) if group in _MAPPED and self._map(group) else [])

    def maps(self, group: str) -> list[str]:
        """Return the map that takes gene families to a kind of function, where one is needed."""
        regrouped = group in _MAPPED and (self.method == "humann" or not self._given.get(group))
        return [self._map(group)] if regrouped else []

    def _map(self, group: str) -> str:
        given = str(self.config["function"][f"{group}_map"])
        return given or (f"{self.folder}/ec_map.tsv.gz" if group == "ec" and self.method == "humann" else "")

    def map_option(self, group: str) -> str:
        """Return ``--map``, where needed."""
        return shlex.join(word for path in self.maps(group) for word in ("--map", path))

    def species(self) -> list[str]:
        """Return HUMAnN's own names of SGBs, where HUMAnN is run."""
        return [f"{self.folder}/species.tsv"] if self.method == "humann" else []

    # ------------------------------------------------------------------ HUMAnN

    def profile(self, sample: str) -> list[str]:
        """Return the profile of a sample where HUMAnN takes it."""
        section = self.config["function"]
        takes = section["prescreen"] and not section["metaphlan_index"]
        takes = takes and self.config["profiler"] == "metaphlan"
        if not takes or not accepts_profile(self.config["metaphlan"]["index"]):
            return []
        return [f"{self.config['results']}/profiles/{sample}_profile.tsv"]

    def database_options(self) -> str:
        """Return the databases of HUMAnN, and how the species to search are chosen where it is not by the profile."""
        section = self.config["function"]
        words = ["--nucleotide", section["nucleotide_database"], "--protein", section["protein_database"]]
        if section["prescreen"] and section["metaphlan_index"]:
            words += ["--metaphlan", section["metaphlan_database"], "--index", section["metaphlan_index"]]
        for key in ("reactions", "pathways"):
            words += [f"--{key}", section[key]] if section[key] else []
        return shlex.join(words)

    def databases(self) -> list[str]:
        """Files that HUMAnN reads, but for those of the nucleotide database, which are thousands."""
        return list(self._databases)

    @cached_property
    def _databases(self) -> list[str]:
        section = self.config["function"]
        proteins = sorted(map(str, Path(section["protein_database"]).glob("*.dmnd"))) if self.method == "humann" else []
        return [*proteins, *(section[key] for key in ("reactions", "pathways") if section[key])]

    def references(self) -> list[str]:
        """Files that the results rest on, but for those of the nucleotide database: proteins and maps."""
        given = [self.config["function"][f"{group}_map"] for group in _MAPPED if group in self.groups]
        return [*self.databases(), *filter(None, given)] if self.method != "none" else []

    def versions(self) -> list[str]:
        """Return the table of the versions of HUMAnN and what it calls, where it runs."""
        return [f"{self.folder}/versions.tsv"] if self.method == "humann" else []

    def memory(self) -> int:
        """Memory (MB) of HUMAnN: diamond takes the proteins in blocks, the reactions of all MetaCyc take 5 GB."""
        return self._memory

    @cached_property
    def _memory(self) -> int:
        proteins = [path for path in self.databases() if path.endswith(".dmnd")]
        size = sum(Path(path).stat().st_size for path in proteins) / 1e6
        return int(min(1.1 * size, 24_000) + (2000 if self.config["function"]["reactions"] else 7000))

    def map_made(self) -> list[str]:
        """Return the map of ECs that is taken from HUMAnN, where none is given."""
        return [path for path in self.maps("ec") if path == f"{self.folder}/ec_map.tsv.gz"]

    # ------------------------------------------------------------------ options of the measures

    @property
    def measuring(self) -> dict[str, Any]:
        """The configuration with the detection of functions in place of that of taxa."""
        detection = self.config["function"]["detection"]
        return {**self.config, "profile": {**self.config["profile"], "detection": detection}}

    def profile_option(self, group: str) -> str:
        """Return ``--profile`` for a kind of function."""
        return shlex.join(["--profile", f"{self.folder}/{group}.tsv"])

    @property
    def alpha(self) -> list[str]:
        """Metrics of alpha-diversity that need no tree."""
        return [metric for metric in self.config["diversity"]["alpha"] if metric not in TREE_METRICS]

    @property
    def beta(self) -> list[str]:
        """Metrics of beta-diversity that need no tree."""
        return [metric for metric in self.config["diversity"]["beta"] if metric not in TREE_METRICS]

    # ------------------------------------------------------------------ results

    def made(self, kind: str, group: str) -> list[str]:
        """Return the tables of one kind of result and function: one per column that makes groups, or metric, or one."""
        if kind in BY_COLUMN:
            words = self.plan.groups("compare", kind in BY_DONOR)
            endings = [f"_{word}" for word in words] or ([] if kind == "compare" else [""])
            return [f"{self.folder}/{kind}_{group}{ending}.tsv" for ending in endings]
        if kind in ("beta", "pcoa", "similarity", "permanova"):
            there = kind != "permanova" or self.config["diversity"]["permanova"]["factors"]
            return [f"{self.folder}/{kind}_{metric}_{group}.tsv" for metric in self.beta] if there else []
        if kind == "alpha" and not self.alpha:
            return []
        return [f"{self.folder}/{kind}_{group}.tsv"]

    def measured(self) -> list[str]:
        """Return the tables that the provenance and the report describe."""
        kinds = ["alpha", "beta", "pcoa", "permanova", "similarity", "limits", "outcomes", "rates", "nulls"]
        kinds += [*(kind for kind in BY_COLUMN if kind != "sensitivity"), "decomposition", "contributions"]
        names = [f"{self.folder}/{group}{end}.tsv" for group in self.groups for end in ("", "_stratified")]
        names += [f"{self.folder}/{name}.tsv" for name in ("reads", "names")] if self.method == "humann" else []
        return [*names, *(path for group in self.groups for kind in kinds for path in self.made(kind, group))]

    def report_options(self) -> list[str]:
        """Return the tables that the report shows, by name, as GROUP=FILE; of none, an empty text."""
        words = []
        for kind in (*_REPORTED, "compare", "pcoa", "permanova", "similarity"):
            files = [f"{group}={path}" for group in self.groups for path in self.made(kind, group)]
            words += [f"--function-{kind}", *(files or [""])]
        reads = [f"{self.folder}/reads.tsv"] if self.method == "humann" else [""]
        names = [f"{self.folder}/names.tsv"] if self.method == "humann" else [""]
        return [*words, "--function-reads", *reads, "--function-names", *names]


def function_files(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the files of ``function.tables``, patterns expanded, by what their functions are.

    A file that cannot be read is left out: ``check`` complains of it.
    """
    found: dict[str, list[str]] = {}
    for entry in expand_profiles(config["function"]["tables"]):
        group, equals, path = entry.partition("=")
        if equals and group in FUNCTION_GROUPS:
            for file in expand_profiles([path]):
                found.setdefault(group, []).append(file)
            continue
        kind = kind_of_file(entry)
        if kind is not None:
            found.setdefault(kind, []).append(entry)
    return found
