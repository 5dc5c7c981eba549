"""The scripts around HUMAnN by themselves, the plan of the rules, and how HUMAnN gets its environment."""

from __future__ import annotations

import argparse
import bz2
import gzip
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from workflow_scripts import load

from microbiome.config import validate_config
from microbiome.function.tables import FUNCTION_READS
from microbiome.tools import HUMANN_TOOLS
from microbiome.tsv import read_table
from microbiome.workflow import Plan, Unit
from microbiome.workflow_function import FunctionPlan

READ = "@r{} 1:N:0\nACGTACGT\n+\nIIIIIIII\n"
PROFILE = """#mpa_vJun23_CHOCOPhlAnSGB_202307
#metaphlan a.fastq
#28600 reads processed
#SampleID\tS
#clade_name\tclade_taxid\trelative_abundance\tcoverage\testimated_number_of_reads_from_the_clade
UNCLASSIFIED\t-1\t12.5\t-\t3575
k__Bacteria|s__A_b\t2|5\t87.5\t1.25\t25025
k__Bacteria|s__A_b|t__SGB7\t2|5|\t87.5\t1.25\t25025
"""


@pytest.fixture
def sample(repository: Path) -> ModuleType:
    return load(repository, "humann_sample")


def reads(folder: Path, name: str, number: int) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress("".join(READ.format(i) for i in range(number)).encode()))
    return path


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# ------------------------------------------------------------------------------------------------------ one sample


def test_a_profile_keeps_its_comments_and_loses_the_columns_that_humann_would_misread(
    sample: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "in.tsv").write_text(PROFILE)
    sample.write_profile(tmp_path / "in.tsv", tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_text().splitlines() == [
        *PROFILE.splitlines()[:4],
        "#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species",
        "k__Bacteria|s__A_b\t2|5\t87.5\t",
        "k__Bacteria|s__A_b|t__SGB7\t2|5|\t87.5\t",
    ]


def test_a_profile_of_rel_ab_stays_as_it_is(sample: ModuleType, tmp_path: Path) -> None:
    header = "#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species"
    text = f"#mpa_v31_X\n{header}\nk__B|s__A_b\t2|5\t100.0\tk__B|s__C\n"
    (tmp_path / "in.tsv").write_text(text)
    sample.write_profile(tmp_path / "in.tsv", tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_text() == text


def run(repository: Path, folder: Path, path: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "workflow" / "scripts" / "humann_sample.py"), "--sample", "S"]
    command += ["--reads", *map(str, files), "--min-reads", "10", "--nucleotide", "n", "--protein", "p", "--tmp", "."]
    for name in ("genefamilies", "pathabundance", "pathcoverage", "counts"):
        command += [f"--{name}", f"{name}.tsv"]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_sample_with_few_reads_is_flagged_without_humann(repository: Path, tmp_path: Path) -> None:
    files = [reads(tmp_path, "1.fastq.gz", 4), reads(tmp_path, "2.fastq.gz", 5)]
    done = run(repository, tmp_path, "/nowhere", *files)
    assert done.returncode == 0, done.stderr
    row = read_table(tmp_path / "counts.tsv", FUNCTION_READS).iloc[0]
    assert (row["reads"], row["status"]) == (9, "few_reads")
    assert row["reason"] == "9 reads, 10 are needed (min_reads)"
    assert (tmp_path / "genefamilies.tsv").read_text() == "# Gene Family\tS_Abundance-RPKs\nUNMAPPED\t0\n"
    assert (tmp_path / "pathabundance.tsv").read_text() == "# Pathway\tS_Abundance\nUNMAPPED\t0\n"


# A HUMAnN that says which MetaPhlAn it would take, and that it got all reads of both mates.
STAND_IN = """#!/bin/bash
[[ $1 != --version ]] || { echo "humann v3.9"; exit; }
while (($#)); do
    case $1 in --input) input=$2 ;; --output) output=$2 ;; --output-basename) name=$2 ;; --bypass-pre*) all=1 ;; esac
    shift
done
mkdir "$output"
echo "metaphlan is $(command -v metaphlan); reads $(gunzip -c "$input" | wc -l); all ${all:-0}"
[[ -z ${FAILS:-} ]] || exit 3
for table in genefamilies pathabundance pathcoverage; do
    printf '%s\\t%s\\n' '# Gene Family' S UNMAPPED 30 UniRef90_1 10 'UniRef90_1|s__B' 10 >"$output/${name}_$table.tsv"
done
"""


def test_humann_is_found_through_a_link_with_its_own_metaphlan(repository: Path, tmp_path: Path) -> None:
    """The MetaPhlAn that stands first on PATH is another one."""
    own, main = tmp_path / "humann" / "bin", tmp_path / "main" / "bin"
    program(own / "humann", STAND_IN)
    program(own / "metaphlan", "#!/bin/bash\n")
    program(main / "metaphlan", "#!/bin/bash\n")
    (main / "humann").symlink_to(own / "humann")
    files = [reads(tmp_path, "1.fastq.gz", 6), reads(tmp_path, "2.fastq.gz", 6)]
    path = os.pathsep.join([str(main), os.environ["PATH"]])
    (tmp_path / "p").mkdir()
    done = run(repository, tmp_path, path, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"metaphlan is {own}/metaphlan; reads 48; all 1" in done.stdout
    row = read_table(tmp_path / "counts.tsv", FUNCTION_READS).iloc[0]
    assert (row["status"], row["families"], row["species"], row["unmapped"]) == ("ok", 1, 1, 0.75)
    assert (row["humann"], row["search"]) == ("3.9", "all species of the database")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAILS", "1")
        failed = run(repository, tmp_path, path, *files)
    assert failed.returncode == 1
    assert "error: sample S: humann ended with exit code 3" in failed.stderr


def test_names_are_left_out_only_where_none_would_be_used(sample: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3", "")
    for name, quick in (("uniref90_201901b_full.dmnd", True), ("uniref50_201901b_full.dmnd", False)):
        folder = tmp_path / name.split("_")[0]
        folder.mkdir()
        (folder / name).touch()
        command = sample.program(tmp_path / "bin", folder)
        assert (command[0].endswith("python3"), command[-1] == sample.NAMELESS) == (quick, quick)


def test_options_of_the_ways_to_choose_species(sample: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "profile.tsv").write_text(PROFILE)
    (tmp_path / "work").mkdir()
    folders = {"nucleotide": tmp_path / "a folder", "protein": tmp_path, "reactions": None, "pathways": None}
    given = {"sample": "S", "threads": 2, "extra": ["--evalue", "0.1"], "index": "mpa_vJun23_X", **folders}
    ways: dict[str, dict[str, Path | None]] = {
        "prescreen: profile of the workflow": {"profile": tmp_path / "profile.tsv", "metaphlan": None},
        "prescreen: mpa_vJun23_X": {"profile": None, "metaphlan": tmp_path / "a folder"},
        "all species of the database": {"profile": None, "metaphlan": None},
    }
    found = {}
    for way, own in ways.items():
        arguments = argparse.Namespace(**given, **own)
        command, search = sample.command_line(arguments, tmp_path / "r.gz", tmp_path / "work", tmp_path / "bin")
        assert search == way
        assert command[-2:] == ["--evalue", "0.1"]
        found[way] = command
    assert "--taxonomic-profile" in found["prescreen: profile of the workflow"]
    assert "-t rel_ab --offline --bowtie2db metaphlan -x mpa_vJun23_X" in found["prescreen: mpa_vJun23_X"]
    assert (tmp_path / "work" / "metaphlan").readlink() == tmp_path / "a folder"
    assert [way for way, command in found.items() if "--bypass-prescreen" in command] == ["all species of the database"]


def test_the_map_of_ecs_is_made_of_reactions(repository: Path, tmp_path: Path) -> None:
    maps = load(repository, "humann_maps")
    lines = [
        "RXN-1\t1.1.1.1\tUniRef50_A\tUniRef90_A\tUniRef90_B",
        "RXN-2\t1.1.1.1,2.2.2.2\tUniRef90_B\tUniRef90_C",
        "RXN-3\t\tUniRef90_D",
    ]
    path = tmp_path / "reactions.bz2"
    path.write_bytes(bz2.compress("\n".join(lines).encode()))
    found = {ec: list(families) for ec, families in maps.ec_families(path).items()}
    assert found == {"1.1.1.1": ["UniRef90_A", "UniRef90_B", "UniRef90_C"], "2.2.2.2": ["UniRef90_B", "UniRef90_C"]}


# --------------------------------------------------------------------------------------------------------- the plan


def plan(**function: object) -> FunctionPlan:
    given = {"samples": "s.tsv", "subjects": "p.tsv", "units": "u.tsv", "doses": "d.tsv", "function": function}
    config, _ = validate_config({**given, "metaphlan": {"database": "db", "index": "mpa_vJun23_X"}})
    units = {"A": (Unit("L1", "a1", "a2"),), "B": (Unit("L1", "b1", None),)}
    return FunctionPlan(Plan(config, units, columns=frozenset({"arm"})))


BOTH = {"nucleotide_database": "n", "protein_database": "p"}


def test_nothing_is_planned_without_databases_or_tables() -> None:
    assert plan().method == "none"
    assert plan().measured() == []
    assert plan(**BOTH, method="none").measured() == []


def test_humann_is_planned_for_every_sample() -> None:
    made = plan(**BOTH)
    assert (made.method, made.groups) == ("humann", ["ec", "pathway"])
    assert made.tables("ec") == [f"results/function/humann/{name}_genefamilies.tsv" for name in "AB"]
    assert made.tables("pathway") == [f"results/function/humann/{name}_pathabundance.tsv" for name in "AB"]
    assert made.maps("ec") == made.map_made() == ["results/function/ec_map.tsv.gz"]
    assert made.maps("pathway") == []
    assert plan(**BOTH, ec_map="m.gz").map_made() == []
    assert plan(**BOTH, ec_map="m.gz").references() == ["m.gz"]
    assert made.profile("A") == ["results/profiles/A_profile.tsv"]
    assert plan(**BOTH, prescreen=False).profile("A") == []
    own = {"metaphlan_database": "m", "metaphlan_index": "mpa_vJun23_Y"}
    assert plan(**BOTH, **own).profile("A") == []
    assert plan(**BOTH, **own).database_options() == "--nucleotide n --protein p --metaphlan m --index mpa_vJun23_Y"
    files = made.measured()
    for name in ("ec.tsv", "ec_stratified.tsv", "outcomes_ec.tsv", "compare_pathway_arm.tsv", "contributions_ec.tsv"):
        assert f"results/function/{name}" in files
    assert "results/function/beta_bray_curtis_ec.tsv" in files
    assert len(set(files)) == len(files)
    assert made.measuring["profile"]["detection"] == 0
    assert plan(**BOTH, detection=0.01).measuring["profile"]["detection"] == 0.01


def test_finished_tables_are_sorted_by_what_they_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, row in (("ec", "1.1.1.1"), ("pwy", "PWY-1"), ("gene", "UniRef90_A"), ("odd", "anything")):
        (tmp_path / f"{name}.tsv").write_text(f"# Gene Family\tA\n{row}\t1\n")
    made = plan(tables=["ec.tsv", "pwy.tsv"])
    assert (made.tables("ec"), made.tables("pathway"), made.maps("ec")) == (["ec.tsv"], ["pwy.tsv"], [])
    # Gene families stand in for ECs where there is a map.
    made = plan(tables=["gene.tsv", "ko=odd.tsv"], ec_map="m.tsv", groups=["ec", "ko", "pathway"])
    assert (made.tables("ec"), made.maps("ec"), made.tables("ko")) == (["gene.tsv"], ["m.tsv"], ["odd.tsv"])
    assert made.groups == ["ec", "ko"], "of pathways there is no table"
    assert plan(tables=["gene.tsv"]).groups == []
    assert plan(tables=["gene.tsv"], groups=["genefamilies"]).groups == ["genefamilies"]


# ---------------------------------------------------------------------------------------------------- its environment


def test_humann_has_an_environment_of_its_own_in_both_ways(repository: Path) -> None:
    lock = (repository / "requirements-humann.lock").read_text(encoding="utf-8")
    conda = (repository / "envs" / "humann.yaml").read_text(encoding="utf-8")
    for name, version in (("humann", "3.9"), ("metaphlan", "4.1.1")):
        assert f"\n{name}=={version} \\\n    --hash=sha256:" in lock
        assert f"- {name}={version}\n" in conda
    assert "http" not in lock.split("#")[0]
    rules = (repository / "workflow" / "rules" / "function.smk").read_text(encoding="utf-8")
    assert rules.count("envs/humann.yaml") == 3, "maps, samples, versions"


def test_the_bootstrap_asks_for_the_programs_that_the_check_asks_for(repository: Path) -> None:
    script = (repository / "scripts" / "bootstrap.sh").read_text(encoding="utf-8")
    tools = {tool.name: tool for tool in HUMANN_TOOLS}
    assert f'echo "diamond   {tools["diamond"].minimum} diamond-aligner' in script
    assert 'echo "glpsol ' in script
    fallback = (repository / "envs" / "tools.yaml").read_text(encoding="utf-8")
    assert "- diamond=" in fallback
    assert "- glpk=" in fallback


def test_the_bootstrap_links_humann_and_not_its_metaphlan(repository: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    (checkout / "scripts").mkdir(parents=True)
    for name in ("scripts/bootstrap.sh", "requirements-humann.lock"):
        (checkout / name).write_bytes((repository / name).read_bytes())
    command = ["bash", str(checkout / "scripts" / "bootstrap.sh"), "humann"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split("\n")[0]) == (
        1,
        "error: there is no .venv yet: run scripts/bootstrap.sh python first",
    )
    program(checkout / ".venv" / "bin" / "python", "#!/bin/bash\necho 'Python 3.11.2'\n")
    own = checkout / ".tools" / "humann" / "bin"
    for name in ("humann", "humann_regroup_table", "metaphlan", "python3"):
        program(own / name, "#!/bin/bash\n")
    # Everything is installed already, as its stamp says.
    code = f'cd "{checkout}"; sha256sum requirements-humann.lock | cut -d " " -f 1'
    checksum = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    stamp = f"{checksum} Python 3.11.2 {checkout}/.tools/humann\n"
    (checkout / ".tools" / "humann" / ".complete").write_text(stamp)
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "HUMAnN environment: up to date\n"), done.stderr
        assert (checkout / ".venv" / "bin" / "humann").resolve() == own / "humann"
    there = {path.name for path in (checkout / ".venv" / "bin").iterdir()}
    assert there == {"python", "humann", "humann_regroup_table"}
