"""Provenance: what a folder of results was made from, with which programs and parameters."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.files import open_text, write_text
from microbiome.workflow import Plan, read_plan
from microbiome.workflow_function import FunctionPlan

__all__ = ["provenance", "sha256_of", "write_provenance"]

# Python packages whose version can change a number, and the runner.
_PACKAGES = (
    "numpy",
    "pandas",
    "scipy",
    "scikit-bio",
    "lifelines",
    "statsmodels",
    "scikit-learn",
    "snakemake",
)
# Larger files of an index are listed with their size alone: to read 20 GB takes longer than the analysis.
_INDEX_LIMIT = 1 << 30
_CHUNK = 1 << 22


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

        - ``microbiome``, ``software``: versions; those of the tools as the files of each sample record them, in a
          list: more than one means that a tool changed between samples.
        - ``parameters``: the configuration; ``seed`` once more.
        - ``database``: name, as the profiles have it, and files; ``host_index``, ``function_databases`` (proteins and
          maps of HUMAnN), ``inputs``, ``results``: files. Each has its bytes and SHA-256, which is missing for index
          files above 1 GiB. That of a FASTQ file was taken when it was read for the analysis.
        - ``run``: all that differs between two equal runs.

    Raises
    ------
    InputError
        When the tables of the study cannot be read any more.
    """
    plan = read_plan(config)
    inputs = _inputs(plan)
    return {
        "microbiome": importlib.metadata.version("fmt-microbiome"),
        "seed": config["seed"],
        "parameters": dict(config),
        "software": _software(plan),
        "database": {"name": _database_name(plan), "files": _index(plan.database_files())},
        "host_index": _index(plan.host_files()),
        "function_databases": _index(FunctionPlan(plan).references()),
        "inputs": inputs,
        "results": [_described(path) for path in plan.measured() if path.endswith(".tsv")],
        "run": {
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "platform": platform.platform(),
            "inputs_modified": {entry["file"]: _modified(entry["file"]) for entry in inputs},
        },
    }


def write_provenance(record: Mapping[str, Any], path: str | Path) -> None:
    """Write a provenance record as JSON (``-`` is standard output)."""
    write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", path)


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits, reading it in pieces."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while data := stream.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()


def _described(path: str, limit: float = float("inf")) -> dict[str, Any]:
    file = Path(path)
    if not file.is_file():
        return {"file": path, "bytes": None, "sha256": None}
    size = file.stat().st_size
    return {"file": path, "bytes": size, "sha256": sha256_of(file) if size <= limit else None}


def _index(files: list[str]) -> list[dict[str, Any]]:
    return [_described(path, _INDEX_LIMIT) for path in files]


def _modified(path: str) -> str | None:
    file = Path(path)
    if not file.exists():
        return None
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _inputs(plan: Plan) -> list[dict[str, Any]]:
    units = [plan.config["units"]] if plan.config["units"] else []
    files = [*plan.tables(), *units, *plan.tree(), *plan.profiles, *plan.other_inputs()]
    entries = [_described(path) for path in files]
    for row in _rows(plan, "qc/units/{sample}.tsv"):
        entries.append({"file": row["file"], "bytes": int(row["bytes"]), "sha256": row["sha256"]})
    return entries


def _database_name(plan: Plan) -> str | None:
    if not Path(plan.profile).is_file():
        return None
    first = open_text(plan.profile).split("\n", 1)[0]
    return first[1:] if first.startswith("#mpa_v") else None


def _software(plan: Plan) -> dict[str, Any]:
    versions: dict[str, Any] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    tools = ("bowtie2", "fastp", "humann", "metaphlan", "multiqc")
    found: dict[str, set[str]] = {tool: set() for tool in tools}
    for path in filter(Path.is_file, map(Path, plan.per_sample("qc/fastp/{sample}.json"))):
        found["fastp"].add(json.loads(open_text(path))["summary"].get("fastp_version", ""))
    for row in [*_rows(plan, "qc/host/{sample}.tsv"), *_rows(plan, "qc/metaphlan/{sample}.tsv")]:
        for tool in ("bowtie2", "metaphlan"):
            found[tool].add(row.get(tool, ""))
    placed = Path(plan.config["results"], "function", "reads.tsv")
    if FunctionPlan(plan).method == "humann" and placed.is_file():
        found["humann"].update(pd.read_csv(placed, sep="\t", dtype=str, keep_default_na=False)["humann"])
    log = Path(plan.config["results"], "qc", "multiqc_data", "multiqc.log")
    if plan.samples and log.is_file():
        found["multiqc"].update(re.findall(r"This is MultiQC v(\S+)", open_text(log)))
    return versions | {tool: sorted(names - {""}) for tool, names in found.items() if names - {""}}


def _rows(plan: Plan, pattern: str) -> list[dict[str, str]]:
    """Rows of the small tables of each sample that are there."""
    rows: list[dict[str, str]] = []
    for path in plan.per_sample(pattern):
        if Path(path).is_file():
            table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
            rows += table.to_dict("records")
    return rows
