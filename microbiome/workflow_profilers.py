"""What the rules for other profilers than MetaPhlAn have to know: databases, options of the programs, and results."""

from __future__ import annotations

import shlex
from pathlib import Path

from microbiome.config_profilers import KRAKEN2_FILES, bracken_file, database_word, runs_bracken
from microbiome.tables import ID_PATTERN
from microbiome.workflow_part import WorkflowPart

__all__ = ["ProfilerPlan"]

_NOBODY = "(?!)"
# Folders of a taxonomy: what is read of it.
_DUMPS = ("nodes.dmp", "names.dmp", "merged.dmp")


class ProfilerPlan(WorkflowPart):
    """The work of the profiler for one configuration."""

    place = "profiles"

    @property
    def name(self) -> str:
        """``metaphlan``, ``kraken2`` or ``sourmash``."""
        return str(self.config["profiler"])

    def pattern(self, *names: str) -> str:
        """Return a regular expression for the samples that one of these profilers profiles: all of them, or none.

        Kraken2 that Bracken follows is ``kraken2+bracken``.
        """
        return ID_PATTERN if self.name + ("+bracken" if runs_bracken(self.config) else "") in names else _NOBODY

    def database_files(self) -> list[str]:
        """Files of the database that profiling reads, where it is not MetaPhlAn's."""
        if not self.config["units"] or self.name == "metaphlan" or not self.config[self.name]["database"]:
            return []
        section = self.config[self.name]
        if self.name == "sourmash":
            return [section["database"], *filter(None, [section["lineages"]])]
        files = [str(Path(section["database"]) / name) for name in KRAKEN2_FILES]
        return [*files, *([str(bracken_file(self.config))] if runs_bracken(self.config) else [])]

    # ------------------------------------------------------------------ Kraken2 and Bracken

    def report(self, sample: str) -> str:
        """Return the report of Kraken2."""
        return f"{self.config['results']}/profiles/{sample}.kreport"

    def bracken(self, sample: str) -> list[str]:
        """Return the table of Bracken, where it is run."""
        return [f"{self.config['results']}/profiles/{sample}.bracken.tsv"] if runs_bracken(self.config) else []

    def kraken2_options(self, sample: str) -> str:
        """Return the settings of Kraken2 and Bracken, and whether the reads of the sample are pairs."""
        section = self.config["kraken2"]
        words = ["--database", section["database"], "--confidence", f"{section['confidence']:g}"]
        words += ["--minimum-hit-groups", str(section["minimum_hit_groups"])]
        words += ["--threshold", str(section["threshold"]), "--read-length", str(section["read_length"])]
        words += ["--paired"] if self.plan.paired(sample) else []
        for table in self.bracken(sample):
            words += ["--bracken", table]
        return shlex.join(words)

    def kraken2_extra(self) -> str:
        """Return the further options of Kraken2."""
        section = self.config["kraken2"]
        return " ".join([*(["--memory-mapping"] if section["memory_mapping"] else []), section["extra"]]).strip()

    def memory(self) -> int:
        """Memory (MB): Kraken2 reads its whole database, sourmash as much as it takes of it in memory."""
        if self.name == "kraken2" and self.config["kraken2"]["memory_mapping"]:
            return 4000
        files = [Path(path) for path in self.database_files()]
        size = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
        return int(1.05 * size + 2000)

    # ------------------------------------------------------------------ sourmash

    def sourmash_options(self) -> str:
        """Return the settings of sourmash."""
        section = self.config["sourmash"]
        words = ["--database", section["database"], "--ksize", str(section["ksize"])]
        words += ["--scaled", str(section["scaled"]), "--threshold-bp", str(section["threshold_bp"])]
        return shlex.join(words)

    # ------------------------------------------------------------------ the profile that all others read

    def raw(self, sample: str) -> list[str]:
        """Return what the profiler wrote of a sample: the table to convert, and first the report behind it."""
        if self.name == "sourmash":
            return [f"{self.config['results']}/profiles/{sample}.gather.csv"]
        return [self.report(sample), *self.bracken(sample)]

    def lineages(self) -> list[str]:
        """Return the lineages that a conversion needs."""
        return [self.config["sourmash"]["lineages"]] if self.name == "sourmash" else []

    def convert_options(self, sample: str) -> str:
        """Return the options of ``microbiome convert`` for a sample."""
        words = ["--sample", sample, "--database", database_word(self.config)]
        if self.name == "kraken2":
            words += ["--threshold", str(self.config["kraken2"]["threshold"])]
        if self.bracken(sample):
            words += ["--report", self.report(sample)]
        for path in self.lineages():
            words += ["--taxonomy", path]
        return shlex.join([*words, self.raw(sample)[-1]])

    def counts(self) -> str:
        """Return the tables of the profiling, one per sample, below the results."""
        return f"qc/{self.name}/{{sample}}.tsv"

    def counts_of(self, sample: str) -> str:
        """Return the table of the profiling of one sample."""
        return f"{self.config['results']}/{self.counts()}".replace("{sample}", sample)

    def kept(self) -> list[str]:
        """Return what is kept of the profiler beside the profiles: the alignments, where the configuration says so."""
        keep = self.name == "metaphlan" and "sam" in self.config["keep"]
        return self.plan.per_sample("profiles/{sample}.sam.bz2") if keep else []

    # ------------------------------------------------------------------ finished profiles of other profilers

    def taxonomy(self) -> list[str]:
        """Return the files of the taxonomy for finished profiles that have no lineages."""
        given = self.config["profile"]["taxonomy"]
        if not given or self.config["units"]:
            return []
        folder = Path(given)
        files = [str(folder / name) for name in _DUMPS if (folder / name).is_file()]
        return files if folder.is_dir() else [given]

    def taxonomy_option(self) -> str:
        """Return ``--taxonomy``, where needed."""
        return shlex.join(["--taxonomy", self.config["profile"]["taxonomy"]] if self.taxonomy() else [])
