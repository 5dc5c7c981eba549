"""What a stranger gets: the lock, the conda environments, the package by itself, and the targets of the Makefile."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from microbiome.tools import KRAKEN2, TOOLS

CHANNELS = ["conda-forge", "bioconda", "nodefaults"]
# Without a connection and without an environment of its own: with the setuptools of the lock.
BUILD = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
WORKFLOW_TOOLS = ["snakemake", "metaphlan", "multiqc", "pytest"]


def run(command: Sequence[str | Path], cwd: Path, **environment: str) -> str:
    """Run a command and return what it printed; a failure shows it."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# --------------------------------------------------------------------------------------------------------- the lock


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    with (repository / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["project"]
    return found


@pytest.fixture(scope="module")
def locked(repository: Path) -> list[tuple[Requirement, list[str]]]:
    """Return every entry of the lock: the requirement and its hashes."""
    text = (repository / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    entries = []
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement, *hashes = line.split(" --hash=")
            entries.append((Requirement(requirement.strip()), [word.strip() for word in hashes]))
    return entries


def test_lock_names_exact_versions_with_hashes(locked: list[tuple[Requirement, list[str]]]) -> None:
    assert len(locked) > 50
    for requirement, hashes in locked:
        assert [clause.operator for clause in requirement.specifier] == ["=="], requirement
        assert "*" not in str(requirement.specifier), requirement
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", value) for value in hashes), requirement


def test_lock_does_not_say_where_packages_come_from(repository: Path) -> None:
    # A mirror, a proxy or a folder of one machine must not end up in everybody's installation.
    text = (repository / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_lock_holds_every_dependency_at_an_allowed_version(
    project: dict[str, Any], locked: list[tuple[Requirement, list[str]]]
) -> None:
    declared = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    assert len(declared) > 10
    for line in declared:
        wanted = Requirement(line)
        # There may be several entries of a package, each for some versions of Python.
        found = [entry for entry, _ in locked if canonicalize_name(entry.name) == canonicalize_name(wanted.name)]
        assert found, f"{line} is declared in pyproject.toml and absent from requirements.lock: run `make lock`"
        for entry in found:
            (clause,) = entry.specifier
            assert wanted.specifier.contains(clause.version), (
                f"the lock has {entry}, pyproject.toml wants {line}: run `make lock`"
            )


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_lock_is_complete_for_each_python_that_the_bootstrap_takes(
    repository: Path, locked: list[tuple[Requirement, list[str]]], version: str
) -> None:
    script = (repository / "scripts" / "bootstrap.sh").read_text(encoding="utf-8")
    offered = re.search(r"^pythons=\((.*)\)$", script, re.MULTILINE)
    assert offered is not None
    assert version in offered[1].split()
    environment = {"python_version": version, "python_full_version": f"{version}.0"}
    names = [entry.name for entry, _ in locked if entry.marker is None or entry.marker.evaluate(environment)]
    assert len(names) == len(set(names)), "a package is locked twice for one Python"
    # setuptools builds the packages that have no wheel, and this one.
    assert {"setuptools", "snakemake", "metaphlan", "multiqc", "numpy", "pandas", "pytest"} <= set(names)


# -------------------------------------------------------------------------------------------- the conda environments


def environments(repository: Path) -> dict[str, dict[str, Any]]:
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((repository / "envs").iterdir())
    }


def test_conda_environments_are_pinned_exactly(repository: Path) -> None:
    found = environments(repository)
    assert {"bowtie2", "fastp", "metaphlan", "multiqc", "strainphlan", "tools"} <= set(found)
    for name, environment in found.items():
        assert environment["channels"] == CHANNELS, name
        assert set(environment) == {"channels", "dependencies"}, name
        for dependency in environment["dependencies"]:
            assert re.fullmatch(r"[a-z0-9_-]+=\d+(\.\d+)+", dependency), f"envs/{name}.yaml: {dependency}"


def test_fallback_environment_has_the_tools_of_the_rules(repository: Path) -> None:
    found = environments(repository)
    fallback = set(found.pop("tools")["dependencies"])
    for tool in ("bowtie2", "fastp", "strainphlan"):
        programs = {name for name in found[tool]["dependencies"] if not name.startswith("metaphlan=")}
        assert programs <= fallback
    # Bracken has no package of Debian, and no test runs it: who wants it installs it.
    assert {name for name in found["kraken2"]["dependencies"] if name.startswith("kraken2=")} <= fallback
    assert set(found["metaphlan"]["dependencies"]) <= set(found["strainphlan"]["dependencies"])
    assert any(dependency.startswith("python=3.12") for dependency in fallback)


def test_bootstrap_asks_for_the_versions_that_the_check_asks_for(repository: Path) -> None:
    script = (repository / "scripts" / "bootstrap.sh").read_text(encoding="utf-8")
    asked = dict(re.findall(r'echo "(\w+) +([\d.]+) ', script))
    installed = {tool.name: tool.minimum for tool in (*TOOLS, KRAKEN2) if tool.name not in WORKFLOW_TOOLS}
    assert installed
    assert installed.items() <= asked.items()


def test_every_conda_environment_is_used_and_every_used_one_exists(repository: Path) -> None:
    rules = [repository / "Snakefile", *sorted((repository / "workflow" / "rules").glob("*.smk"))]
    used = {name for path in rules for name in re.findall(r"envs/([\w-]+)\.yaml", path.read_text(encoding="utf-8"))}
    assert used == set(environments(repository)) - {"tools"}


# ------------------------------------------------------------------------------------------------ the package by itself


@pytest.fixture(scope="module")
def source(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what the package is made of: building writes beside the sources."""
    copy = tmp_path_factory.mktemp("source") / "a checkout"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, copy)
    shutil.copytree(repository / "microbiome", copy / "microbiome", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([*BUILD, "--wheel-dir", folder, source], cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_every_file_of_the_package(source: Path, wheel: Path) -> None:
    # Templates, tables and the py.typed mark get lost easily: they are in the tree, and tests run on the tree.
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        legal = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    there = {path.relative_to(source).as_posix() for path in (source / "microbiome").rglob("*") if path.is_file()}
    assert "microbiome/py.typed" in there
    assert held == there
    assert len(legal) == 1


def test_sdist_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    backend = "import setuptools.build_meta as b, sys; b.build_sdist(sys.argv[1])"
    run([sys.executable, "-c", backend, tmp_path], cwd=source)
    (built,) = tmp_path.glob("*.tar.gz")
    again = tmp_path / "again"
    run([*BUILD, "--wheel-dir", again, built], cwd=tmp_path)
    (rebuilt,) = again.glob("*.whl")
    assert sorted(zipfile.ZipFile(rebuilt).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def needed_by(requirements: Sequence[str]) -> dict[str, importlib.metadata.Distribution]:
    """Return the installed distributions that these requirements bring along, and no others."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        distribution = importlib.metadata.distribution(name)
        for wanted in ["", *requirement.extras] if name not in found else requirement.extras:
            waiting += [(Requirement(line), wanted) for line in distribution.requires or []]
        found[name] = distribution
    return found


@pytest.fixture(scope="module")
def bare(project: dict[str, Any], wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment as `pip install .` alone makes it, without opening a connection.

    What the package declares to need is linked from the environment that runs the tests; nothing else is there.
    """
    place = tmp_path_factory.mktemp("bare") / "environment"
    run([sys.executable, "-m", "venv", "--without-pip", place], cwd=place.parent)
    python = place / "bin" / "python"
    site = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], cwd=place).strip())
    for distribution in needed_by(project["dependencies"]).values():
        for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    run([*install, wheel], cwd=place)
    return place


def test_package_needs_no_workflow_tool(bare: Path, tmp_path: Path) -> None:
    everything = """
import importlib, importlib.util, pkgutil, sys
import microbiome
names = [module.name for module in pkgutil.walk_packages(microbiome.__path__, "microbiome.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
assert "site-packages" in microbiome.__file__, microbiome.__file__
print(len(names), *(tool for tool in sys.argv[1:] if importlib.util.find_spec(tool)))
"""
    # Isolated (-I): neither the checkout nor the caller's PYTHONPATH may stand in for what is missing.
    said = run([bare / "bin" / "python", "-I", "-c", everything, *WORKFLOW_TOOLS], cwd=tmp_path).split()
    assert int(said[0]) > 10
    assert said[1:] == [], "the bare environment is not bare"


def test_command_of_the_bare_package(bare: Path, tmp_path: Path) -> None:
    command, path = bare / "bin" / "microbiome", str(bare / "bin")
    assert run([command, "--version"], cwd=tmp_path, PATH=path).startswith("microbiome ")
    text = run([command, "--help"], cwd=tmp_path, PATH=path)
    subcommands = re.findall(r"^    ([a-z][a-z-]*)(?: |$)", text, re.MULTILINE)
    assert {"alpha", "beta", "check", "merge", "outcomes", "permanova", "rates", "report", "simulate"} <= set(
        subcommands
    )
    for subcommand in subcommands:
        assert "usage: microbiome" in run([command, subcommand, "--help"], cwd=tmp_path, PATH=path)


def test_citation_names_the_version(repository: Path, project: dict[str, Any]) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert "## [Unreleased]" in (repository / "CHANGELOG.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------ the Makefile


def make(repository: Path, *words: str) -> str:
    """Run make as from a terminal, although these tests themselves may have been started by make."""
    inherited = {"MAKEFLAGS": "", "MFLAGS": "", "MAKELEVEL": "", "BROWSER": "", "PYTEST_ARGS": ""}
    return run(["make", "--no-print-directory", *words], cwd=repository, **inherited)


def test_make_without_a_target_lists_the_targets(repository: Path) -> None:
    text = make(repository)
    listed = set(re.findall(r"^  make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test", "lint", "bench", "lock", "clean"} <= listed
    assert make(repository, "help") == text


@pytest.mark.parametrize(("target", "goal"), [("demo", "demo humann"), ("test", "test"), ("bench", "bench")])
def test_make_installs_before_it_runs(repository: Path, target: str, goal: str) -> None:
    first, second, *rest = make(repository, "--dry-run", target).splitlines()
    assert first == f"scripts/bootstrap.sh tools {goal}"
    assert second == "scripts/bootstrap.sh python"
    if target != "bench":
        assert rest.pop(0) == "scripts/bootstrap.sh humann"
    assert rest
    assert not any("bootstrap" in line for line in rest)


def test_make_test_lints_and_ends_with_pytest(repository: Path) -> None:
    lines = make(repository, "--dry-run", "test").splitlines()
    assert "-m pytest" in lines[-1]
    for tool in ("ruff check", "ruff format --check", "mypy", "snakefmt --check", "snakemake --lint"):
        assert any(line.startswith(tool) for line in lines), tool
    assert "make test" in (repository / ".ci" / "run").read_text(encoding="utf-8")


def test_clean_keeps_the_results_of_a_real_trial(repository: Path) -> None:
    text = make(repository, "--dry-run", "clean")
    assert "demo" in text
    assert "results" not in text
    assert ".venv" not in text


def test_scripts_can_be_started(repository: Path) -> None:
    scripts = [*(repository / "scripts").glob("*.sh"), repository / ".ci" / "run"]
    assert len(scripts) > 2
    for script in scripts:
        assert os.access(script, os.X_OK), script
        run(["bash", "-n", script], cwd=repository)
