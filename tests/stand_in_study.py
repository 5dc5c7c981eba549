"""A study of any number of samples from FASTQ whose files are stand-ins: enough for the workflow to be planned.

Every FASTQ file holds one read; databases and programs are there by name alone. Nothing of it can be run.
"""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

__all__ = ["STAND_IN_PROGRAMS", "write_programs", "write_study"]

INDEX = "mpa_vJun23StandIn_CHOCOPhlAnSGB_202601"
_BOWTIE2 = ("1", "2", "3", "4", "rev.1", "rev.2")
#: Programs that the check at the start asks for their version.
STAND_IN_PROGRAMS = {
    "fastp": "0.23.4",
    "bowtie2": "2.5.4",
    "metaphlan": "4.2.5",
    "multiqc": "1.35",
    "humann": "3.9",
    "diamond": "2.1.8",
    "glpsol": "5.0",
    "strainphlan": "4.2.5",
    "samtools": "1.19",
    "blastn": "2.14",
    "mafft": "7.520",
    "raxmlHPC": "8.2.12",
    "kraken2": "2.1.3",
    "bracken": "2.9",
    "sourmash": "4.9.4",
}


def write_programs(folder: Path) -> Path:
    """Write programs that print a version and do nothing else; return their folder, for PATH."""
    folder.mkdir(parents=True)
    for name, version in STAND_IN_PROGRAMS.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {name} version {version}\n")
        program.chmod(0o755)
    return folder


def write_study(folder: Path, samples: int) -> dict[str, Any]:
    """Write tables, FASTQ files and databases of a study into `folder`, and ``config.yaml`` with every option on.

    Parameters
    ----------
    folder
        An empty folder; paths in the tables are relative to it.
    samples
        One in four is of a donor, the others make threes of a recipient; every seventh has single reads, these and
        every fifth have two units.

    Returns
    -------
    dict
        The configuration, to be varied.
    """
    trial = folder / "trial"
    (trial / "fastq").mkdir(parents=True)
    rows: dict[str, list[tuple[object, ...]]] = {
        "samples": [("sample", "subject", "role", "day")],
        "subjects": [
            ("subject", "arm", "best_response", "pfs_days", "pfs_event", "os_days", "os_event", "irae_grade", "age")
        ],
        "doses": [("subject", "day", "donor", "donor_sample")],
        "units": [("sample", "unit", "fq1", "fq2")],
        "lesions": [("subject", "day", "sum_diameters", "new_lesion")],
        "toxicities": [("subject", "day", "grade", "term")],
        "treatments": [("subject", "day", "kind", "name")],
        "metabolites": [("subject", "day", "kynurenine", "histidine")],
    }
    donors = max(1, samples // 4)
    recipients = [f"R{i // 3:04d}" for i in range(samples - donors)]
    names = [f"D{i:04d}-1" for i in range(donors)]
    rows["samples"] += [(name, name[:-2], "donor", "") for name in names]
    rows["subjects"] += [(name[:-2], *[""] * 8) for name in names]
    for i, subject in enumerate(recipients):
        day = (0, 28, 84)[i % 3]
        names.append(f"{subject}-T{day:02d}")
        rows["samples"].append((names[-1], subject, "recipient", day))
        rows["metabolites"].append((subject, day, 1 + i % 7, 2 + i % 5))
    for i, subject in enumerate(dict.fromkeys(recipients)):
        arm = "placebo" if i % 4 == 3 else "fmt"
        response = ("CR", "PR", "SD", "PD")[i % 4]
        rows["subjects"].append((subject, arm, response, 100 + i, i % 2, 200 + i, i % 2, i % 5, 40 + i % 40))
        if arm == "fmt":
            rows["doses"].append((subject, 0, f"D{i % donors:04d}", ""))
        rows["lesions"] += [(subject, 0, 50, 0), (subject, 84, 20 + i % 40, 0)]
        rows["toxicities"] += [(subject, 20 + i % 50, i % 5, "colitis")] if i % 5 else []
        rows["treatments"].append((subject, 0, "immunotherapy", "nivolumab"))
    for i, name in enumerate(names):
        for unit in ("L1", "L2")[: 1 + (i % 5 == 4 or i % 7 == 6)]:
            files = [f"trial/fastq/{name}_{unit}_R{mate}.fastq.gz" for mate in (1, 2)[: 1 + (i % 7 != 6)]]
            for file in files:
                bases = ("ACGT" if file == files[0] else "TTGA") * 20
                read = f"@{name}:{unit}\n{bases}\n+\n{'I' * 80}\n"
                (folder / file).write_bytes(gzip.compress(read.encode(), 1, mtime=0))
            rows["units"].append((name, unit, *files, *[""][len(files) - 1 :]))
    for table, lines in rows.items():
        text = "".join("\t".join(map(str, line)) + "\n" for line in lines)
        (trial / f"{table}.tsv").write_text(text, encoding="utf-8")
    _write_databases(trial)
    config = _config(names)
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML.
    return config


def _write_databases(trial: Path) -> None:
    for folder in ("metaphlan", "nucleotide", "protein"):
        (trial / folder).mkdir()
    (trial / "metaphlan" / f"{INDEX}.pkl").write_bytes(bz2.compress(b"stand-in"))
    for part in _BOWTIE2:
        (trial / "metaphlan" / f"{INDEX}.{part}.bt2l").write_bytes(b"stand-in")
        (trial / f"host.{part}.bt2").write_bytes(b"stand-in")
    (trial / "nucleotide" / "g__A.s__B.centroids.v201901_v31.ffn.gz").write_bytes(b"stand-in")
    (trial / "protein" / "uniref90_201901b_full.dmnd").write_bytes(b"stand-in")


def _config(names: list[str]) -> dict[str, Any]:
    given = {name: f"trial/{name}.tsv" for name in ("samples", "subjects", "doses", "units")}
    given |= {name: f"trial/{name}.tsv" for name in ("lesions", "toxicities", "treatments")}
    return {
        **given,
        "tables": {"metabolites": {"file": "trial/metabolites.tsv"}},
        "host_index": "trial/host",
        "rarefy_reads": 100_000,
        "metaphlan": {"database": "trial/metaphlan", "index": INDEX},
        "diversity": {"permanova": {"factors": ["arm"]}},
        "strains": {"strainphlan": True},
        "function": {"nucleotide_database": "trial/nucleotide", "protein_database": "trial/protein"},
    }
