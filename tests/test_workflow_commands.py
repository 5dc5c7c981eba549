"""No command of the workflow grows with the number of samples: lists of files go through files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stand_in_study import write_study

FEW, MANY = 8, 40
# Snakemake prints the message of a job in place of its rule.
WRAPPER = (
    "import snakemake.jobs as jobs, snakemake.cli as cli; "
    "jobs.Job.message = property(lambda job: f'RULE {job.rule.name}'); cli.main()"
)
#: Rules that only gather others.
NO_COMMAND = {"all"}


WITHOUT: dict[str, Any] = {"strains": {"method": "none"}, "function": {"method": "none"}}
OTHER_FILES = ("kraken2/database150mers.kmer_distrib", "genomes.zip", "l.csv")
#: Other profilers, without what needs MetaPhlAn.
OTHERS: tuple[dict[str, Any], ...] = (
    {"profiler": "kraken2", "kraken2": {"database": "trial/kraken2", "bracken": "no"}, **WITHOUT},
    {"profiler": "kraken2", "kraken2": {"database": "trial/kraken2", "bracken": "yes"}, **WITHOUT},
    {"profiler": "sourmash", "sourmash": {"database": "trial/genomes.zip", "lineages": "trial/l.csv"}, **WITHOUT},
)


def commands(repository: Path, folder: Path, config: Mapping[str, Any], *targets: str) -> dict[str, int]:
    """Return the length of the longest command of each rule that a dry run prints."""
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-c", WRAPPER, "--snakefile", str(repository / "Snakefile"), "--configfile"]
    # With the database as a target, files and programs are not looked at.
    command += ["config.json", "--cores", "1", "--dry-run", "--printshellcmds", "metaphlan_database", *targets]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    longest: dict[str, int] = {}
    for rule, text in re.findall(
        r"^Job \d+: RULE (\w+)\nShell command: (.*?)\n(?=\n|\[|Would|DAG|Job )", said, re.M | re.S
    ):
        longest[rule] = max(longest.get(rule, 0), len(text))
    return longest


def profiled(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a study that starts from profiles, each named by itself, with finished functions and alleles."""
    samples = [line.split("\t")[0] for line in (folder / "trial" / "samples.tsv").read_text().splitlines()[1:]]
    head = "#mpa_vJun23_CHOCOPhlAnSGB_202307\n#SampleID\t{}\n#clade_name\tNCBI_tax_id\trelative_abundance\n"
    for sample in samples:
        (folder / f"{sample}_profile.tsv").write_text(head.format(sample) + "k__Bacteria\t2\t100.0\n")
        (folder / f"{sample}_ec.tsv").write_text(f"# Gene Family\t{sample}\n1.1.1.1\t3\n")
    given = {name: config[name] for name in ("samples", "subjects", "doses")}
    tables = [f"ec={sample}_ec.tsv" for sample in samples]
    return {
        **given,
        "results": "from_profiles",
        "profiles": [f"{sample}_profile.tsv" for sample in samples],
        "function": {"tables": tables, "groups": ["ec"]},
        "strains": {"method": "distances", "distances": [f"{sample}_ec.tsv" for sample in samples]},
    }


def everything(repository: Path, folder: Path, samples: int) -> dict[str, int]:
    """Return the longest commands of all rules, over studies with every option between them."""
    folder.mkdir()
    config = write_study(folder, samples)
    for name in (*(f"kraken2/{name}.k2d" for name in ("hash", "opts", "taxo")), *OTHER_FILES):
        path = folder / "trial" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"stand-in")
    whole = config | {"strains": {"strainphlan": True, "parts": 2}}
    found = commands(repository, folder, whole, "all", "results/strains/strainphlan/t__SGB1")
    for part in OTHERS:
        found |= commands(repository, folder, config | part, "results/profiles/merged.tsv")
    return found | {
        f"{rule} from profiles": length
        for rule, length in commands(repository, folder, profiled(config, folder), "all").items()
    }


@pytest.fixture(scope="module")
def lengths(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> tuple[dict[str, int], dict[str, int]]:
    folder = tmp_path_factory.mktemp("commands")
    few, many = (everything(repository, folder / f"s{samples:02d}", samples) for samples in (FEW, MANY))
    return few, many


def test_no_command_grows_with_the_samples(lengths: tuple[dict[str, int], dict[str, int]]) -> None:
    few, many = lengths
    assert set(few) == set(many)
    grown = {rule: (few[rule], many[rule]) for rule in few if few[rule] != many[rule]}
    assert grown == {}, "write the list into a file (microbiome/workflow_lists.py, workflow/rules/lists.smk)"


def test_every_rule_was_looked_at(lengths: tuple[dict[str, int], dict[str, int]], repository: Path) -> None:
    text = "".join(path.read_text() for path in [*(repository / "workflow" / "rules").glob("*.smk")])
    rules = set(re.findall(r"^(?:rule|checkpoint) (\w+):", text, re.M))
    rules |= set(re.findall(r"^use rule \w+ as (\w+) with:", text, re.M))
    missing = rules - {rule.split()[0] for rule in lengths[0]} - NO_COMMAND
    assert missing == set(), "add a study in which they run"
