"""``--sdm conda``: every rule that runs a program names the environment which has it, and no environment is idle."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import stand_in_conda
import yaml
from snakemake_runs import must_run

pytestmark = pytest.mark.tools

SAMPLE = "R01-T1"
# One file of each kind of job: all programs run. The other jobs run `microbiome`, as alpha does.
TARGETS = (
    "results/strains/strainphlan_distances.tsv",
    "results/strains/distances.tsv",
    "results/qc/multiqc.html",
    "results/qc/reads.tsv",
    "results/diversity/alpha.tsv",
    f"results/function/humann/{SAMPLE}_pathabundance.tsv",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None, repository: Path) -> tuple[Path, Path, str]:
    """Return the folder after a run with the stand-in, and what the run said."""
    folder = tmp_path_factory.mktemp("with conda")
    base = tmp_path_factory.mktemp("conda") / "base"
    size = "--donors 1 --donor-samples 1 --recipients 1 --placebo 0 --days 0 7 14 --read-pairs 4000 --sgbs 6"
    marked = "--markers 26 --marker-length 400 --min-abundance 0.1 --strain-divergence 0.01 --engraftment 0.8"
    quiet = "--no-shallow-sample --host 0.01 --junk 0.01 --depth-sd 0.05 --results results"
    words = f"--reads --function --seed 7 {size} {marked} {quiet}"
    subprocess.run(
        ["microbiome", "simulate", "--output", "a trial", *words.split()], cwd=folder, check=True, capture_output=True
    )
    config = yaml.safe_load((folder / "a trial" / "config.yaml").read_text())
    config |= {"rarefy_reads": 5000, "strains": {"rule": "percentile_3", "min_sites": 100, "strainphlan": True}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    stand_in_conda.install(base, repository / "workflow" / "scripts")
    words = ("--sdm", "conda", "--conda-prefix", str(base / "environments"))
    return folder, base, must_run(repository, folder, *words, *TARGETS, path=str(base / "bin"))


def rules_of(repository: Path) -> dict[str, tuple[str | None, str]]:
    """Return environment and command of every rule, as they are written; a rule made from another has the other's."""
    found: dict[str, tuple[str | None, str]] = {}
    for path in (repository / "Snakefile", *sorted((repository / "workflow" / "rules").glob("*.smk"))):
        # One piece of text per rule.
        for piece in re.split(r"^(?=(?:use )?(?:rule|checkpoint) )", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            if again := re.match(r"use rule (\w+) as (\w+)", piece):
                base, name = again.groups()
            else:
                base, name = "", re.match(r"(?:rule|checkpoint) (\w+)", piece).group(1)  # type: ignore[union-attr]
            environment = re.search(r"conda:\s+\"\.\./\.\./envs/([\w-]+)\.yaml\"", piece)
            command = re.search(r"^    shell:\n((?:        .*\n)+)", piece, re.MULTILINE)
            inherited = found.get(base, (None, ""))
            found[name] = (
                environment.group(1) if environment else inherited[0],
                command.group(1) if command else inherited[1],
            )
    return found


def test_every_rule_with_a_command_names_an_environment(repository: Path) -> None:
    rules = rules_of(repository)
    assert {"fastp_single", "metaphlan", "humann", "alpha", "report"} <= set(rules)
    without = [name for name, (environment, command) in rules.items() if command and environment is None]
    assert without == []
    # The command of this package is in the environment that runs Snakemake; the rules that call it need nothing else.
    wrong = [
        name
        for name, (environment, command) in rules.items()
        if re.match(r'\s*"microbiome ', command) and environment != "microbiome"
    ]
    assert wrong == []


def test_the_stand_in_knows_every_package(repository: Path) -> None:
    for path in (repository / "envs").glob("*.yaml"):
        if path.stem != "tools":
            packages = {entry.split("=")[0] for entry in yaml.safe_load(path.read_text())["dependencies"]}
            assert packages <= set(stand_in_conda.PROGRAMS), path.name


def test_a_whole_run_in_environments_that_have_nothing_else(run: tuple[Path, Path, str], repository: Path) -> None:
    folder, base, said = run
    assert all((folder / target).is_file() for target in TARGETS)
    made = dict(line.split("\t") for line in (base / "made").read_text().splitlines())
    packages = {path.stem: path for path in (repository / "envs").glob("*.yaml")}
    wanted = {
        stem: " ".join(entry.split("=")[0] for entry in yaml.safe_load(path.read_text())["dependencies"])
        for stem, path in packages.items()
    }
    used = {stem for stem, names in wanted.items() if names in made.values()}
    # Those of the other profilers are made when these are chosen (tests/test_workflow_profilers.py).
    assert used == set(wanted) - {"tools", "kraken2", "bracken", "sourmash"}
    activated = (base / "activated").read_text().split()
    assert set(activated) == set(made), "an environment was made for nothing"
    jobs = [int(found) for found in re.findall(r"^(?:all|total)\s+(\d+)$", said, re.MULTILINE)]
    assert len(activated) >= max(jobs) - 2, "a job ran outside of an environment"
