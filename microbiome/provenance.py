"""Provenance: what a folder of results was made from, with which programs and parameters."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text, write_text
from microbiome.metaphlan_format import database_in
from microbiome.provenance_files import described, described_folder, modified, sha256_of, unique
from microbiome.workflow import Plan, read_plan

__all__ = [
    "database_files",
    "database_name",
    "function_references",
    "packages",
    "provenance",
    "sha256_of",
    "study_inputs",
    "write_provenance",
]

_PACKAGE = "fmt-microbiome"
# Results whose bytes differ between equal runs: by their times, or with the number of threads.
_UNEQUAL = (".html", ".json", ".sam.bz2")
# Columns of the tables of single samples that tell a version.
_VERSIONS = ("bowtie2", "metaphlan", "kraken2", "bracken", "sourmash")
# Results of single samples and clades, below the folder of results; what there is of them.
_SINGLE = (
    "profiles/*_profile.tsv",
    "profiles/*.gather.csv",
    "qc/*/*",
    "strains/alleles/*",
    "strains/markers/*",
    "strains/strainphlan/*/*",
    "function/humann/*",
)


def provenance(config: Mapping[str, Any], command: str = "") -> dict[str, Any]:
    """Collect versions, parameters and checksums.

    Parameters
    ----------
    config
        Validated configuration, as used; the results it names are there.
    command
        Command line to record.

    Returns
    -------
    dict
        Ready for JSON.

        - ``microbiome``, ``software``: versions of this package, of every Python package that it declares to need, and
          of the tools, as the files of each sample record them, in a list: more than one means that a tool changed
          between samples. ``humann/metaphlan`` is the MetaPhlAn that HUMAnN calls.
        - ``parameters``: the configuration; ``seed`` once more.
        - ``database``: name, as the profiles have it, and files; ``host_index``, ``function_databases`` (nucleotides,
          proteins and maps of HUMAnN), ``inputs`` (each with the ``key`` of the configuration that names it, and of
          FASTQ files the ``sample``), ``results``: files, as :func:`microbiome.provenance_files.described` describes
          them. The checksum of a FASTQ file was taken when it was read for the analysis; of results that differ
          between equal runs (MultiQC's page, alignments) it is said only whether they are ``there``.
        - ``run``: all that differs between two equal runs.

    Raises
    ------
    InputError
        When the tables of the study cannot be read any more.
    """
    plan = read_plan(config)
    inputs = _inputs(plan)
    return {
        "microbiome": importlib.metadata.version(_PACKAGE),
        "seed": config["seed"],
        "parameters": dict(config),
        "software": {"python": platform.python_version(), **packages(), **_tools(plan)},
        "database": {
            "name": database_name(plan),
            "files": [described(path, whole=False) for path in database_files(plan)],
        },
        "host_index": [described(path, whole=False) for path in plan.host_files()],
        "function_databases": [
            described_folder(path) if Path(path).is_dir() else described(path, whole=False)
            for path in function_references(plan)
        ],
        "inputs": inputs,
        "results": _results(plan),
        "run": {
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "folder": str(Path.cwd()),
            "platform": platform.platform(),
            "inputs_modified": {entry["file"]: modified(entry["file"]) for entry in inputs},
        },
    }


def write_provenance(record: Mapping[str, Any], path: str | Path) -> None:
    """Write a provenance record as JSON (``-`` is standard output)."""
    write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", path)


def packages() -> dict[str, str]:
    """Return the versions of the Python packages that this one needs (any can change a number), and Snakemake."""
    names = [
        re.split(r"[^\w.-]", text, maxsplit=1)[0]
        for text in importlib.metadata.requires(_PACKAGE) or []
        if "extra ==" not in text
    ]
    found = {}
    for name in [*sorted(names), "snakemake"]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def study_inputs(plan: Plan) -> list[tuple[str, str]]:
    """Return the key of the configuration and the path of each file that the user gives, but for FASTQ files."""
    config, strains, functions = plan.config, plan.strains, plan.functions
    single = ("samples", "subjects", "doses", "units", "lesions", "toxicities", "treatments")
    files = [(key, config[key]) for key in single]
    files += [("diversity.tree", path) for path in plan.tree()]
    files += [("profiles", path) for path in plan.profiles]
    files += [("profile.taxonomy", path) for path in plan.profilers.taxonomy()]
    files += [("donors.lists", config["donors"]["lists"])]
    for name, entry in config["tables"].items():
        files += [(f"tables.{name}", entry["file"]), (f"tables.{name}", entry["limits"])]
    files += [("strains.percentiles", path) for path in strains.percentiles()]
    if strains.method == "distances":
        files += [("strains.distances", path) for path in strains.sources()]
    if config["strains"]["alleles"]:
        files += [("strains.alleles", path) for path in strains.alleles()]
    known = {path for _, path in files}
    # Whatever else is read: the tables of functions, and what a newer version of the workflow takes in.
    files += [
        ("function" if functions.method == "tables" else "", path) for path in plan.other_inputs() if path not in known
    ]
    return [(key, path) for key, path in dict.fromkeys(files) if path]


def database_files(plan: Plan) -> list[str]:
    """Return the files that profiling reads: the database, and lineages beside it."""
    return unique([*plan.database_files(), *(plan.profilers.lineages() if plan.config["units"] else [])])


def function_references(plan: Plan) -> list[str]:
    """Return the databases that HUMAnN reads: a folder of nucleotides, and files."""
    functions, section = plan.functions, plan.config["function"]
    if functions.method != "humann":
        return functions.references()
    profiled = sorted(map(str, Path(section["metaphlan_database"] or ".").glob(f"{section['metaphlan_index']}.*")))
    own = profiled if section["metaphlan_index"] else []
    return [*filter(None, [section["nucleotide_database"]]), *functions.references(), *own]


def database_name(plan: Plan) -> str | None:
    """Return the name of the database of the profiles, as they have it."""
    if not Path(plan.profile).is_file():
        return None
    # A BIOM table is no text, and names none.
    with suppress(InputError):
        return database_in(open_text(plan.profile).split("\n", 1)[0])
    return None


def _inputs(plan: Plan) -> list[dict[str, Any]]:
    files = study_inputs(plan)
    gone = [(key, path) for key, path in files if not Path(path).is_file()]
    raise_problems(Problem("the file does not exist any more", "bring it back", path, column=key) for key, path in gone)
    entries = [described(path) | {"key": key} for key, path in files]
    for row in _rows(plan, "qc/units/{sample}.tsv"):
        size, digest = int(row["bytes"]), row["sha256"]
        entries.append({"file": row["file"], "bytes": size, "sha256": digest, "key": "units", "sample": row["sample"]})
    return entries


def _results(plan: Plan) -> list[dict[str, Any]]:
    folder = Path(plan.config["results"])
    paths = [*plan.measured(), *plan.strains.versions(), *plan.functions.versions()]
    paths += [*plan.functions.species(), *plan.functions.map_made()]
    samples = set(plan.samples)
    for pattern in _SINGLE:
        paths += [str(path) for path in sorted(folder.glob(pattern)) if _is_of(path, samples)]
    return [_result(path) for path in unique([*paths, *plan.profilers.kept()])]


def _result(path: str) -> dict[str, Any]:
    if path.endswith(_UNEQUAL):
        return {"file": path, "bytes": None, "sha256": None, "there": Path(path).is_file()}
    return described(path)


def _is_of(path: Path, samples: set[str]) -> bool:
    """Tell whether a file is of one of the samples, or of a clade: those of samples that were removed may be there.

    Counts are temporary, and their contents stand in the table of all samples.
    """
    if not path.is_file() or path.name.startswith(".") or path.name.endswith("_counts.tsv"):
        return False
    if path.parent.parent.name == "strainphlan":
        return True
    stem = re.sub(r"\.(tsv|json|txt|alleles|json\.bz2|gather\.csv)$", "", path.name)
    return any(name in samples for name in (stem, stem.rpartition("_")[0]))


def _tools(plan: Plan) -> dict[str, list[str]]:
    """Return the versions of the tools as the results record them."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in filter(Path.is_file, map(Path, plan.per_sample("qc/fastp/{sample}.json"))):
        found["fastp"].add(json.loads(open_text(path))["summary"].get("fastp_version", ""))
    for row in [*_rows(plan, "qc/host/{sample}.tsv"), *_rows(plan, plan.profilers.counts())]:
        for tool in _VERSIONS:
            found[tool].add(row.get(tool, ""))
    for tool, version in _listed(plan.strains.versions()):
        found[tool].add(version)
    for tool, version in _listed(plan.functions.versions()):
        found[tool if tool not in ("metaphlan", "bowtie2") else f"humann/{tool}"].add(version)
    placed = Path(plan.config["results"], "function", "reads.tsv")
    if plan.functions.method == "humann" and placed.is_file():
        found["humann"].update(pd.read_csv(placed, sep="\t", dtype=str, keep_default_na=False)["humann"])
    log = Path(plan.config["results"], "qc", "multiqc_data", "multiqc.log")
    if plan.samples and log.is_file():
        found["multiqc"].update(re.findall(r"This is MultiQC v(\S+)", open_text(log)))
    return {tool: sorted(names - {""}) for tool, names in sorted(found.items()) if names - {""}}


def _listed(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield program and version of the rows of the tables of versions that are there."""
    for path in filter(os.path.isfile, files):
        for line in open_text(path).splitlines()[1:]:
            program, version = line.split("\t")
            yield program, version


def _rows(plan: Plan, pattern: str) -> list[dict[str, str]]:
    """Rows of the small tables of each sample that are there."""
    rows: list[dict[str, str]] = []
    for path in plan.per_sample(pattern):
        if Path(path).is_file():
            table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
            rows += table.to_dict("records")
    return rows
