"""Lists of files that grow with the study: the rules write them into files and hand those to the commands.

Linux starts no command with an argument of more than 128 KiB, and Snakemake hands each command to a shell as one: some
thousand paths.
"""

from __future__ import annotations

import shlex

from microbiome.config_strains import runs_strainphlan
from microbiome.workflow_part import WorkflowPart

__all__ = ["FileLists"]

#: What the accounting of reads takes of each sample: its option, and where the files are below the results; empty is
#: where the profiler has them.
_ACCOUNTED = {
    "units": "qc/units/{sample}.tsv",
    "fastp": "qc/fastp/{sample}.json",
    "host": "qc/host/{sample}.tsv",
    "rarefied": "qc/rarefied/{sample}.tsv",
    "profiled": "",
}


class FileLists(WorkflowPart):
    """The lists of one configuration, by name; each is written to ``<results>/lists/NAME.txt``, one path per line."""

    place = "lists"

    def files(self, name: str) -> list[str]:
        """Return the files of a list; KeyError when there is no list of that name."""
        if name in _ACCOUNTED:
            pattern = _ACCOUNTED[name] or self.plan.profilers.counts()
            return self.plan.per_sample(pattern) if name in self.accounted() else []
        if name == "profiles":
            return self.plan.single_profiles()
        if name == "multiqc":
            host = self.plan.per_sample("qc/host/{sample}.txt") if self.config["host_index"] else []
            return [*self.plan.per_sample("qc/fastp/{sample}.json"), *host]
        if name == "alleles":
            return self.plan.strains.alleles()
        if name == "distances":
            strains = self.plan.strains
            return strains.named_files() if strains.method == "distances" else strains.sources()
        if name == "markers":
            return self.plan.strains.markers()
        if name == "function_reads":
            return self.plan.per_sample("function/humann/{sample}_counts.tsv")
        group = name.removeprefix("function_")
        if group in self.plan.functions.groups:
            return self.plan.functions.tables(group)
        raise KeyError(name)

    def names(self) -> list[str]:
        """Return the names of all lists that a job of this configuration may ask for."""
        strains, functions = self.plan.strains, self.plan.functions
        names = ["profiles", *self.accounted(), *(["multiqc"] if self.config["units"] else [])]
        names += ["alleles"] if strains.allele_list() else []
        names += ["distances"] if self.path("distances") in strains.source_list() else []
        names += ["markers"] if self.config["units"] and runs_strainphlan(self.config) else []
        names += ["function_reads"] if functions.method == "humann" else []
        return [*names, *(f"function_{group}" for group in functions.groups)]

    def text(self, name: str) -> str:
        """Return the text of a list."""
        return "".join(f"{path}\n" for path in self.files(name))

    def path(self, name: str) -> str:
        """Return the file that a list is written to."""
        return self.plan.list_path(name)

    def accounted(self) -> list[str]:
        """Return the lists of what the accounting of reads takes of each sample."""
        if not self.config["units"]:
            return []
        left = {"host": self.config["host_index"], "rarefied": self.config["rarefy_reads"]}
        return [name for name in _ACCOUNTED if left.get(name, True)]

    def accounted_options(self) -> str:
        """Return the options that hand them over, after ``--profile``."""
        lists = {"profile": "profiles", **{name: name for name in self.accounted()}}
        return shlex.join(word for option, name in lists.items() for word in (f"--{option}", f"@{self.path(name)}"))
