"""What the Snakemake workflow has to know of a study: its samples, files, sizes, options and results."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from microbiome.config import expand_profiles, validate_config
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.profilers import has_clades
from microbiome.tables import ID_PATTERN, SUBJECTS, UNITS
from microbiome.tsv import parse_table, read_table
from microbiome.workflow_association import AssociationPlan
from microbiome.workflow_clinical import ClinicalPlan
from microbiome.workflow_function import FunctionPlan
from microbiome.workflow_kept import kept_files
from microbiome.workflow_options import file_words
from microbiome.workflow_part import BY_COLUMN, BY_DONOR
from microbiome.workflow_profilers import ProfilerPlan
from microbiome.workflow_strains import StrainPlan

__all__ = ["Plan", "Unit", "prepare", "read_plan"]

# Below this a sample is done in seconds, and more threads would only wait for one another.
_SMALL_MB = 200.0
_TREE_METRICS = ("unweighted_unifrac", "weighted_unifrac")


@dataclass(frozen=True)
class Unit:
    """One sequencing run of a sample: its name and FASTQ files; `fq2` is None for single reads."""

    name: str
    fq1: str
    fq2: str | None


@dataclass(frozen=True)
class Plan:
    """The work to be done for one configuration.

    Parameters
    ----------
    config
        Validated configuration.
    units
        Units of each sample, in the order of the table; empty when starting from profiles.
    profiles
        Finished profiles; empty when starting from FASTQ.
    metaphlan
        The profiles are those of MetaPhlAn, or another profiler, and not one table of any other features.
    columns
        What subjects can be grouped by: the columns of the subjects table, and ``responder`` where it can be derived.
    """

    config: Mapping[str, Any]
    units: Mapping[str, tuple[Unit, ...]] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    metaphlan: bool = True
    columns: frozenset[str] = frozenset()

    # ------------------------------------------------------------------ parts of the work

    @cached_property
    def profilers(self) -> ProfilerPlan:
        """The work of other profilers than MetaPhlAn."""
        return ProfilerPlan(self)

    @cached_property
    def strains(self) -> StrainPlan:
        """The work on strains."""
        return StrainPlan(self)

    @cached_property
    def functions(self) -> FunctionPlan:
        """The work on functions."""
        return FunctionPlan(self)

    @cached_property
    def clinical(self) -> ClinicalPlan:
        """The work on patients and donors."""
        return ClinicalPlan(self)

    @cached_property
    def associations(self) -> AssociationPlan:
        """The associations."""
        return AssociationPlan(self)

    @property
    def parts(self) -> tuple[StrainPlan, FunctionPlan, ClinicalPlan, AssociationPlan]:
        """All of them."""
        return self.strains, self.functions, self.clinical, self.associations

    # ------------------------------------------------------------------ samples and their reads

    @property
    def samples(self) -> list[str]:
        """Samples with FASTQ files."""
        return list(self.units)

    def paired(self, sample: str) -> bool:
        """Tell whether the reads of a sample come in pairs."""
        return all(unit.fq2 is not None for unit in self.units[sample])

    def pattern(self, paired: bool) -> str:
        """Return a regular expression that matches the samples with paired, or with single, reads, and no others.

        Where all samples are of one kind it is that of any name: every job on a cluster compiles it for every file of
        four rules.
        """
        names = [re.escape(sample) for sample in self.samples if self.paired(sample) == paired]
        if len(names) == len(self.samples) > 0:
            return ID_PATTERN
        return "|".join(names) if names else "(?!)"

    def unit_names(self, sample: str) -> list[str]:
        """Units of a sample, in the order of the table."""
        return [unit.name for unit in self.units[sample]]

    def fastq(self, sample: str, mate: int) -> list[str]:
        """FASTQ files of one mate (1 or 2) of a sample, in the order of :meth:`unit_names`."""
        files = [unit.fq1 if mate == 1 else unit.fq2 for unit in self.units[sample]]
        return [file for file in files if file is not None]

    def trimmed(self, sample: str) -> list[str]:
        """Return the reads after trimming: one file per mate."""
        mates = ("R1", "R2") if self.paired(sample) else ("single",)
        return [f"{self.config['results']}/reads/trimmed/{sample}_{mate}.fastq.gz" for mate in mates]

    def clean(self, sample: str) -> list[str]:
        """Return the reads after the removal of host reads, which takes place where a host index is configured."""
        if not self.config["host_index"]:
            return self.trimmed(sample)
        return [f"{self.config['results']}/reads/nonhost/{sample}.fastq.gz"]

    def to_profile(self, sample: str) -> list[str]:
        """Return the reads to profile: brought to one depth where that is configured."""
        if not self.config["rarefy_reads"]:
            return self.clean(sample)
        return [f"{self.config['results']}/reads/rarefied/{sample}.fastq.gz"]

    def per_sample(self, pattern: str) -> list[str]:
        """One result file per sample with FASTQ files; `pattern` holds ``{sample}`` and is relative to the results."""
        return [f"{self.config['results']}/{pattern}".replace("{sample}", sample) for sample in self.samples]

    def list_path(self, name: str) -> str:
        """File that a list of :class:`microbiome.workflow_lists.FileLists` is written to."""
        return f"{self.config['results']}/lists/{name}.txt"

    # ------------------------------------------------------------------ databases

    def database_files(self) -> list[str]:
        """Files of the database that profiling reads."""
        if self.config["profiler"] != "metaphlan":
            return self.profilers.database_files()
        return list(self._database_files)

    @cached_property
    def _database_files(self) -> list[str]:
        folder, index = self.config["metaphlan"]["database"], self.config["metaphlan"]["index"]
        if not (self.config["units"] and folder and index):
            return []
        return sorted(map(str, [*Path(folder).glob(f"{index}.pkl"), *Path(folder).glob(f"{index}.*bt2l")]))

    def host_files(self) -> list[str]:
        """Files of the bowtie2 index of the host."""
        return list(self._host_files)

    @cached_property
    def _host_files(self) -> list[str]:
        prefix = Path(self.config["host_index"])
        return sorted(map(str, prefix.parent.glob(f"{prefix.name}.*bt2*"))) if self.config["host_index"] else []

    # ------------------------------------------------------------------ what a job may cost

    def megabytes(self, sample: str) -> float:
        """Size of all FASTQ files of a sample on disk; a missing one counts nothing (``check`` reports it)."""
        if sample not in self._megabytes:
            files = [Path(file) for mate in (1, 2) for file in self.fastq(sample, mate)]
            self._megabytes[sample] = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
        return self._megabytes[sample]

    @cached_property
    def _megabytes(self) -> dict[str, float]:
        # Asked for by eight rules, threads and run time each: on a file system that stalls once is enough.
        return {}

    def threads(self, sample: str, most: int) -> int:
        """Threads worth giving to a sample: small ones get one, so that as many samples as possible run at a time."""
        return 1 if self.megabytes(sample) < _SMALL_MB else most

    def minutes(self, sample: str, at_least: int, per_gigabyte: int) -> int:
        """Estimate of the run time of a step on a sample, on the generous side."""
        return int(at_least + per_gigabyte * self.megabytes(sample) / 1000)

    def memory(self, index: Sequence[str], besides: int) -> int:
        """Memory (MB) of a mapping: the whole index, and something besides."""
        return int(1.1 * self._bytes_of(tuple(index)) / 1e6 + besides)

    def _bytes_of(self, index: tuple[str, ...]) -> int:
        if index not in self._index_bytes:
            self._index_bytes[index] = sum(Path(file).stat().st_size for file in index)
        return self._index_bytes[index]

    @cached_property
    def _index_bytes(self) -> dict[tuple[str, ...], int]:
        return {}

    # ------------------------------------------------------------------ profiles, tables and options of the commands

    def single_profiles(self) -> list[str]:
        """Profiles as they come, before merging."""
        return self.per_sample("profiles/{sample}_profile.tsv") if self.config["units"] else list(self.profiles)

    @property
    def profile(self) -> str:
        """The one table that every measure reads."""
        return f"{self.config['results']}/profiles/merged.tsv" if self.metaphlan else self.profiles[0]

    def profile_options(self) -> str:
        """Return ``--profile`` and how it is read."""
        options = ["--profile", self.profile, "--rank", self.config["profile"]["rank"]]
        return shlex.join(options if self.config["profile"]["close"] else [*options, "--no-close"])

    def lineages(self) -> list[str]:
        """Return the merged profile, where it tells the species, genus and family of taxa."""
        return [self.profile] if self.metaphlan else []

    def tables(self, *keys: str) -> list[str]:
        """Tables of the study (or those of them in `keys`) that are given; a job reruns when one of its own changes."""
        return [self.config[key] for key in keys or ("samples", "subjects", "doses") if self.config[key]]

    def outcome_tables(self) -> list[str]:
        """Return the names of the tables that outcomes depend on: subjects tell groups, which a repair may ask for."""
        repaired = self.config["detection"]["repair"] == "auto"
        return ["samples", "subjects", "doses"] if repaired else ["samples", "doses"]

    def other_inputs(self) -> list[str]:
        """Return the other finished tables that are given: of patients, molecules, functions and strains."""
        config = self.config
        files = [config[name] for name in ("lesions", "toxicities", "treatments")] + [config["donors"]["lists"]]
        files += [entry[name] for entry in config["tables"].values() for name in ("file", "limits")]
        strains, functions = self.strains, self.functions
        files += strains.sources() if strains.method == "distances" else []
        files += strains.alleles() if config["strains"]["alleles"] else []
        files += (
            [path for group in functions.groups for path in functions.tables(group)]
            if functions.method == "tables"
            else []
        )
        return list(dict.fromkeys(file for file in files if file))

    def table_options(self, *keys: str) -> str:
        """Return ``--samples``, ``--subjects`` and ``--doses`` (or those of them in `keys`), where given."""
        keys = keys or ("samples", "subjects", "doses")
        return shlex.join(word for key in keys if self.config[key] for word in (f"--{key}", self.config[key]))

    def tree(self, metric: str | None = None) -> list[str]:
        """Return the SGB tree where one is given and the metric (None: any) may need it."""
        tree = self.config["diversity"]["tree"]
        return [tree] if tree and (metric is None or metric in _TREE_METRICS) else []

    def tree_option(self, metric: str | None = None) -> str:
        """Return ``--tree``, where needed."""
        return shlex.join(word for tree in self.tree(metric) for word in ("--tree", tree))

    # ------------------------------------------------------------------ groups of subjects

    def groups(self, section: str, donor: bool = True) -> dict[str, str]:
        """Return the columns that make groups of subjects, by the word that stands for each in the names of files.

        Parameters
        ----------
        section
            ``compare`` or ``sensitivity``.
        donor
            Groups may be those of the donors, which the doses tell.

        Returns
        -------
        dict
            As :func:`microbiome.workflow_options.file_words` makes them; columns that there are not are passed over.
        """
        there = self.columns | ({"donor"} if donor and self.config["doses"] else set())
        return {word: column for word, column in file_words(self.config[section]["by"]).items() if column in there}

    def grouped(self, name: str) -> list[str]:
        """Return the files of a kind of result, one per column that makes groups; without any, one of all subjects."""
        words = self.groups("sensitivity" if name == "sensitivity" else "compare", name in BY_DONOR)
        if not words and name == "compare":
            return []
        endings = [f"_{word}" for word in words] or [""]
        return [f"{self.config['results']}/outcomes/{name}{ending}.tsv" for ending in endings]

    def by_option(self, ending: str, section: str = "compare") -> str:
        """Return ``--by`` for the ending of a file of :meth:`grouped`: ``_`` and the word of a column, or nothing."""
        return shlex.join(["--by", self.groups(section)[ending.removeprefix("_")]]) if ending else ""

    def report_options(self) -> str:
        """Return the title, and tables by name, so that those of an earlier configuration are not taken for them."""
        options = ["--title", self.config["report"]["title"], "--profile", self.profile]
        for kind in ("pcoa", "permanova", "similarity"):
            files = [path for path in self.measured() if f"/diversity/{kind}_" in path]
            options += [f"--{kind}", *files]
        for kind in BY_COLUMN:
            options += [f"--{kind}", *self.grouped(kind)]
        options += [] if self.config["diversity"]["alpha"] else ["--alpha", ""]
        for part in self.parts:
            options += part.report_options()
        return shlex.join(options)

    # ------------------------------------------------------------------ results

    def measured(self) -> list[str]:
        """Results that the provenance and the report describe."""
        diversity = self.config["diversity"]
        names = ["qc/reads.tsv"]
        names += [f"outcomes/{name}.tsv" for name in ("limits", "outcomes", "rates", "nulls", "decomposition")]
        names += ["profiles/merged.tsv"] if self.metaphlan else []
        names += ["qc/multiqc.html"] if self.config["units"] else []
        names += ["diversity/alpha.tsv"] if diversity["alpha"] else []
        for metric in diversity["beta"]:
            kinds = ["beta", "pcoa", "similarity"]
            kinds += ["permanova"] if diversity["permanova"]["factors"] else []
            names += [f"diversity/{kind}_{metric}.tsv" for kind in kinds]
        compared = [path for kind in BY_COLUMN for path in self.grouped(kind)]
        others = [path for part in self.parts for path in part.measured()]
        return [*(f"{self.config['results']}/{name}" for name in names), *compared, *others]

    def targets(self) -> list[str]:
        """All results of a run."""
        results = self.config["results"]
        return [*self.measured(), *kept_files(self), f"{results}/provenance.json", f"{results}/report.html"]


def read_plan(config: Mapping[str, Any]) -> Plan:
    """Read what the rules need before they can be laid out.

    Parameters
    ----------
    config
        Validated configuration.

    Raises
    ------
    InputError
        When the units table cannot be used, a sample has paired and single units, or there is no profile to begin with.
    """
    if not config["units"]:
        profiles = tuple(expand_profiles(config["profiles"]))
        if not profiles:
            raise InputError(Problem("no profile was found", "correct the paths", column="profiles"))
        # One table of features is used as it stands; everything else has to be that of a profiler.
        metaphlan = len(profiles) > 1 or has_clades(profiles[0])
        return Plan(config, {}, profiles, metaphlan, _groupings(config))
    table = read_table(config["units"], UNITS)
    units: dict[str, tuple[Unit, ...]] = {}
    for row in table.to_dict("records"):
        units[row["sample"]] = (*units.get(row["sample"], ()), Unit(row["unit"], row["fq1"], row["fq2"]))
    raise_problems(
        Problem(
            f"sample {sample!r} has units with and without fq2",
            "give all units of a sample as pairs, or all as single reads",
            str(config["units"]),
            int(table.index[table["sample"] == sample][0]),
            "fq2",
        )
        for sample, rows in units.items()
        if len({unit.fq2 is None for unit in rows}) > 1
    )
    return Plan(config, units, columns=_groupings(config))


def _groupings(config: Mapping[str, Any]) -> frozenset[str]:
    """Return the names that subjects can be grouped by; of a table that cannot be read, ``check`` complains."""
    columns = set(parse_table(config["subjects"], SUBJECTS)[0].columns) if config["subjects"] else set()
    columns |= {"responder"} if "best_response" in columns else set()
    return frozenset(columns - {"subject"})


def prepare(
    config: Mapping[str, Any], file: str = "", look: bool = True, tools: bool = True, lenient: bool = False
) -> tuple[Plan, list[Problem]]:
    """Validate a configuration and plan the work.

    Parameters
    ----------
    config
        As Snakemake read it.
    file
        Where it comes from, for the messages.
    look
        Look at all tables and files too, as ``microbiome check`` does.
    tools
        Look at the tools on PATH too.
    lenient
        Plan without samples where the tables cannot be read.

    Returns
    -------
    plan
        The work to be done.
    warnings
        What does not stop the run.

    Raises
    ------
    InputError
        With every problem.
    """
    from microbiome.check import check

    valid, problems = validate_config(config, file)
    if look:
        problems = check(config, file=file, whole=False, tools=tools)
    raise_problems(problems)
    try:
        return read_plan(valid), problems
    except InputError:
        if not lenient:
            raise
        return Plan(valid), problems
