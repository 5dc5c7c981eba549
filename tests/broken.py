"""Good input of both entries of the workflow, and ways to break it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

INDEX = "mpa_vTest_202601"

CONFIG_FASTQ = f"""samples: samples.tsv
subjects: subjects.tsv
doses: doses.tsv
units: units.tsv
host_index: ref/host
metaphlan:
  database: db
  index: {INDEX}
diversity:
  tree: tree.nwk
  permanova:
    factors: [arm]
    strata: subject
"""

CONFIG_PROFILES = """samples: samples.tsv
subjects: subjects.tsv
doses: doses.tsv
profiles: profiles/*_profile.tsv
seed: 3
"""

SAMPLES = """sample\tsubject\trole\tday
D1.a\tD1\tdonor\t
D2.a\tD2\tdonor\t
R1.0\tR1\trecipient\t-1
R1.28\tR1\trecipient\t28
C1.0\tC1\tcontrol\t0
"""

SUBJECTS = """subject\tarm\tbest_response
D1\t\t
D2\t\t
R1\tfmt\tPR
C1\tplacebo\tSD
"""

DOSES = """subject\tday\tdonor\tdonor_sample
R1\t0\tD1\tD1.a
R1\t7\tD2\t
"""

UNITS = """sample\tunit\tfq1\tfq2
D1.a\tL1\treads/D1_1.fq.gz\treads/D1_2.fq.gz
D2.a\tL1\treads/D2_1.fq.gz\treads/D2_2.fq.gz
R1.0\tL1\treads/R1_1.fq.gz\treads/R1_2.fq.gz
R1.28\tL1\treads/R2_1.fq.gz\treads/R2_2.fq.gz
R1.28\tL2\treads/R3_1.fq.gz\treads/R3_2.fq.gz
C1.0\tL1\treads/C1.fq\t
"""

EC = """ec\tD1.a\tD2.a\tR1.0\tR1.28\tC1.0
1.1.1.1\t4\t1\t2\t3\t5
2.7.7.7\t1\t1\t\t3\t2
"""

VERSIONS = {
    "fastp": "fastp 0.23.2",
    "bowtie2": "/opt/9.9/bowtie2-align-s version 2.5.0\n64-bit",
    "metaphlan": "MetaPhlAn version 4.2.5 (13 Jul 2026)",
    "multiqc": "multiqc, version 1.35",
}


def reads(name: str, number: int = 20, mate: int = 1) -> bytes:
    bases = "ACGTTGCAAC" * 8
    return b"".join(f"@{name}.{i} {mate}:N:0:AC\n{bases}\n+\n{'F' * 80}\n".encode() for i in range(number))


def profile(sample: str, index: str = INDEX) -> str:
    return (
        f"#{index}\n#metaphlan\n#1000 reads processed\n#SampleID\t{sample}\n"
        "#clade_name\tclade_taxid\trelative_abundance\tcoverage\testimated_number_of_reads_from_the_clade\n"
        "UNCLASSIFIED\t-1\t20.0\t-\t200\n"
        "k__Bacteria\t2\t80.0\t-\t800\n"
        "k__Bacteria|s__A_b\t2|3\t80.0\t-\t800\n"
        "k__Bacteria|s__A_b|t__SGB1\t2|3|\t50.0\t-\t500\n"
        "k__Bacteria|s__A_b|t__SGB2\t2|3|\t30.0\t-\t300\n"
    )


def good(root: Path, entry: str) -> None:
    """Write input without any fault below `root`, and programs that only state a version."""
    put(root / "samples.tsv", SAMPLES)
    put(root / "subjects.tsv", SUBJECTS)
    put(root / "doses.tsv", DOSES)
    put(root / "config.yaml", CONFIG_FASTQ if entry == "fastq" else CONFIG_PROFILES)
    for name, text in VERSIONS.items():
        tool(root, name, "\n".join(f"echo '{line}'" for line in text.split("\n")))
    if entry == "profiles":
        for sample in ("D1.a", "D2.a", "R1.0", "R1.28", "C1.0"):
            put(root / "profiles" / f"{sample}_profile.tsv", profile(sample))
        return
    put(root / "units.tsv", UNITS)
    for name in ("D1", "D2", "R1", "R2", "R3"):
        for mate in (1, 2):
            put(root / "reads" / f"{name}_{mate}.fq.gz", gzip.compress(reads(name, mate=mate), mtime=0))
    put(root / "reads" / "C1.fq", reads("C1"))
    for part in ("1", "2", "3", "4", "rev.1", "rev.2"):
        put(root / "ref" / f"host.{part}.bt2", "index")
        put(root / "db" / f"{INDEX}.{part}.bt2l", "index")
    put(root / "db" / f"{INDEX}.pkl", b"BZh9 and so on")
    put(root / "tree.nwk", "((1:1,2:1):1,3:2);\n")


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def tool(root: Path, name: str, script: str) -> None:
    path = root / "bin" / name
    put(path, f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


Change = Callable[[Path], object]


def edit(file: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / file).read_bytes()
        assert old.encode() in text, f"{old!r} is not in {file}"
        put(root / file, text.replace(old.encode(), new.encode(), 1))

    return change


def append(file: str, text: str) -> Change:
    return lambda root: put(root / file, (root / file).read_bytes() + text.encode())


def replace(file: str, content: str | bytes) -> Change:
    return lambda root: put(root / file, content)


def remove(file: str) -> Change:
    return lambda root: (root / file).unlink()


def link(file: str, target: str) -> Change:
    def change(root: Path) -> None:
        (root / file).unlink(missing_ok=True)
        (root / file).symlink_to(target)

    return change


def cut(file: str, size: int) -> Change:
    return lambda root: put(root / file, (root / file).read_bytes()[:-size])


def both(*changes: Change) -> Change:
    return lambda root: [change(root) for change in changes]


@dataclass(frozen=True)
class Case:
    """One kind of broken input.

    `what` is broken in the good input of `entry` (``fastq`` or ``profiles``) by `change`; `says` are all the lines that
    are printed of it.
    """

    group: str
    what: str
    change: Change
    says: tuple[str, ...]
    entry: str = "fastq"


def small_index(root: Path) -> None:
    for path in (root / "db").glob("*.bt2l"):
        path.rename(path.with_suffix(".bt2"))


READ1 = "reads/R1_1.fq.gz"
READ2 = "reads/R1_2.fq.gz"
