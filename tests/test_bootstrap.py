"""scripts/bootstrap.sh and scripts/demo.sh on made-up machines: PATH holds a few plain programs and stand-ins."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PLAIN = """
bash cat chmod cut date dirname env find flock grep head mkdir nproc printf rm sed sha256sum sort tail touch tr true
xargs
"""

# Each stand-in writes its name and words to the log of the machine, so that a test sees what was called, and how.
STAND_IN = '#!/bin/bash\nprintf "%s\\n" "{name} $*" >>"$MACHINE/calls"\n'
FASTP = 'echo "fastp 0.23.4" >&2\n'
BOWTIE2 = 'echo "/usr/bin/bowtie2-align-s version 2.5.0"\n'
APT_KNOWS = (
    'case $1 in show) [[ " bowtie2 fastp python3-venv " == *" ${!#} "* ]] ;; policy) echo "  Candidate: 3.13" ;; esac\n'
)
APT_INSTALLS = """
for word; do
    new=$MACHINE/bin/$word
    [[ ! -f $MACHINE/packages/$word ]] || { cat "$MACHINE/packages/$word" >"$new"; chmod +x "$new"; }
done
"""
CONDA = """
[[ $1 == env ]] || exit 1
while [[ $1 != --prefix ]]; do shift; done
mkdir -p "$2/bin"
for tool in bowtie2 fastp; do cat "$MACHINE/packages/$tool" >"$2/bin/$tool"; chmod +x "$2/bin/$tool"; done
"""


@dataclass(frozen=True)
class Machine:
    """A checkout, and a PATH with nothing but what a test puts there."""

    root: Path

    @property
    def checkout(self) -> Path:
        return self.root / "a checkout"

    def program(self, name: str, body: str = "", folder: str = "bin") -> None:
        path = self.root / folder / name
        path.write_text(STAND_IN.format(name=name) + body, encoding="utf-8")
        path.chmod(0o755)

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.root / "bin"), "MACHINE": str(self.root), "HOME": str(self.root)}
        command = ["bash", str(self.checkout / "scripts" / script), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def calls(self, *names: str) -> list[str]:
        """Return the calls of these programs so far, and forget all calls."""
        log = self.root / "calls"
        found = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line for line in found if line.split()[0] in names]


@pytest.fixture
def machine(repository: Path, tmp_path: Path) -> Machine:
    """Return a machine of a user called root with a good Python and no other tool."""
    made = Machine(tmp_path)
    for folder in ("bin", "packages"):
        (tmp_path / folder).mkdir()
    made.checkout.mkdir()
    for name in ("scripts", "envs"):
        shutil.copytree(repository / name, made.checkout / name)
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(repository / name, made.checkout)
    for name in PLAIN.split():
        found = shutil.which(name)
        if found:
            (tmp_path / "bin" / name).symlink_to(found)
    made.program("id", "echo 0\n")
    made.program("sleep", f"exec {shutil.which('sleep')} 0.05\n")
    made.program("python3", f'exec "{sys.executable}" "$@"\n')
    for name, body in (("bowtie2", BOWTIE2), ("fastp", FASTP)):
        made.program(name, body, folder="packages")
    return made


def give(machine: Machine, *names: str) -> None:
    for name in names:
        shutil.copy(machine.root / "packages" / name, machine.root / "bin" / name)


def with_apt(machine: Machine) -> None:
    machine.program("apt-cache", APT_KNOWS)
    machine.program("apt-get", APT_INSTALLS)


# ------------------------------------------------------------------------------------------------------ system tools


def test_nothing_is_called_when_all_tools_are_there(machine: Machine) -> None:
    with_apt(machine)
    machine.program("conda", CONDA)
    give(machine, "bowtie2", "fastp")
    done = machine.run("bootstrap.sh", "tools", "demo")
    assert (done.returncode, done.stdout) == (0, "system tools: all there\n")
    assert machine.calls("apt-get", "conda") == []
    assert not (machine.checkout / ".tools" / "log").exists()


def test_root_installs_what_is_missing_with_apt_and_only_once(machine: Machine) -> None:
    with_apt(machine)
    machine.program("conda", CONDA)
    give(machine, "bowtie2")
    done = machine.run("bootstrap.sh", "tools", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installing system tools: fastp (apt)" in done.stdout
    update, install, *more = machine.calls("apt-get", "conda")
    assert update.endswith(" update")
    assert install.endswith(" install --yes --no-install-recommends fastp")
    assert more == []
    assert machine.run("bootstrap.sh", "tools", "demo").stdout == "system tools: all there\n"
    assert machine.calls("apt-get", "conda") == []


def test_user_goes_through_sudo_that_asks_for_no_password(machine: Machine) -> None:
    with_apt(machine)
    machine.program("id", "echo 1000\n")
    machine.program("sudo", 'shift; exec "$@"\n')
    done = machine.run("bootstrap.sh", "tools", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    calls = machine.calls("sudo", "apt-get")
    assert [line for line in calls if line.startswith("apt-get")][-1].endswith("bowtie2 fastp")
    assert all(line.startswith("sudo -n ") for line in calls if line.startswith("sudo"))


@pytest.mark.parametrize("tool", ["conda", "mamba", "micromamba"])
def test_user_without_sudo_gets_the_tools_from_conda_once(machine: Machine, tool: str) -> None:
    with_apt(machine)
    machine.program("id", "echo 1000\n")
    machine.program("sudo", "exit 1\n")  # a password is required
    machine.program(tool, CONDA.replace("[[ $1 == env ]] || exit 1", ""))
    done = machine.run("bootstrap.sh", "tools", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = machine.checkout / ".tools" / "conda"
    words = f"--prefix {prefix} --file envs/tools.yaml"
    expected = f"micromamba create --yes {words}" if tool == "micromamba" else f"{tool} env create {words}"
    assert machine.calls("apt-get", tool) == [expected]
    assert machine.run("bootstrap.sh", "tools", "demo").stdout == "system tools: all there\n"
    assert machine.calls("apt-get", tool) == []


def test_failed_apt_is_shown_and_conda_is_next(machine: Machine) -> None:
    with_apt(machine)
    machine.program("apt-get", 'echo "E: no space left"; exit 100\n')
    machine.program("conda", CONDA)
    done = machine.run("bootstrap.sh", "tools", "demo")
    assert done.returncode == 0
    assert "E: no space left" in done.stdout
    assert "envs/tools.yaml into .tools/conda" in done.stdout


def test_failed_conda_leaves_no_stamp(machine: Machine) -> None:
    machine.program("conda", 'mkdir -p "$4/bin"; echo "PackagesNotFoundError: fastp"; exit 1\n')
    done = machine.run("bootstrap.sh", "tools", "demo")
    assert done.returncode == 1
    assert "PackagesNotFoundError: fastp" in done.stdout
    machine.program("conda", CONDA)
    assert machine.run("bootstrap.sh", "tools", "demo").returncode == 0


def test_one_message_names_everything_that_is_missing(machine: Machine) -> None:
    machine.program("python3", 'echo "3.9"\n')
    machine.program("fastp", 'echo "fastp 0.12.4"\n')
    done = machine.run("bootstrap.sh", "tools", "test")
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    for word in (
        "bowtie2",
        "fastp 0.20 or newer",
        "found 0.12.4",
        "chromium",
        "chromedriver",
        "samtools",
        "blastn",
        "mafft",
        "raxmlHPC",
        "diamond",
        "glpsol",
        "kraken2",
        "Python 3.11, 3.12 or 3.13",
    ):
        assert word in done.stderr, word
    (command,) = (line for line in done.stderr.splitlines() if "apt-get install" in line)
    packages = command.split("apt-get install ")[1].split()
    of_strainphlan = ["bzip2", "mafft", "ncbi-blast+", "raxml", "samtools"]
    others = ["bowtie2", "chromium", "chromium-driver", "fastp", "kraken2", "python3", "python3-venv"]
    of_humann = ["diamond-aligner", "glpk-utils"]
    assert sorted(packages) == sorted([*of_strainphlan, *of_humann, *others])


def test_the_test_cluster_needs_slurm_and_a_database_but_not_its_service(machine: Machine) -> None:
    give(machine, "bowtie2", "fastp")
    done = machine.run("bootstrap.sh", "tools", "cluster")
    assert done.returncode == 1
    (command,) = (line for line in done.stderr.splitlines() if "apt-get install" in line)
    wanted = {"slurmctld", "slurmd", "slurm-client", "slurmdbd", "munge", "mariadb-server-core", "mariadb-client-core"}
    assert set(command.split("apt-get install ")[1].split()) == wanted | {"diamond-aligner", "glpk-utils"}


def test_python_without_venv_gets_its_debian_package(machine: Machine) -> None:
    # Debian's python3 as it is without python3-venv: the module ensurepip is absent.
    give(machine, "bowtie2", "fastp")
    broken = (
        f'[[ "$*" != *ensurepip* ]] || [[ -e "$MACHINE/bin/python3-venv" ]] || exit 1\nexec "{sys.executable}" "$@"\n'
    )
    machine.program("python3", broken)
    machine.program("python3-venv", folder="packages")
    with_apt(machine)
    done = machine.run("bootstrap.sh", "tools", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.calls("apt-get")[-1].endswith(" python3-venv")


def test_newer_python_beside_an_old_one_is_found(machine: Machine) -> None:
    give(machine, "bowtie2", "fastp")
    machine.program("python3", 'echo "3.9"\n')
    machine.program("python3.12", '[[ "$*" != *version_info* ]] || echo "3.12"\n')
    assert machine.run("bootstrap.sh", "tools", "demo").stdout == "system tools: all there\n"


# ------------------------------------------------------------------------------------------------ Python environment

PIP = """
[[ "$1" != -V ]] || echo "Python 3.11.2"
[[ ! -e "$MACHINE/pip fails" || "$*" != *requirements.lock* ]] || exit 1
"""
PYTHON = """
case "$*" in
    *version_info*) echo 3.11 ;;
    "-m venv --clear "*) mkdir -p "$4/bin"; rm -f "$4/.complete"; cp "$MACHINE/packages/pip" "$4/bin/python" ;;
esac
"""


@pytest.fixture
def with_python(machine: Machine) -> Machine:
    """Return the machine with a stand-in for Python, whose environments hold a stand-in for pip."""
    (machine.root / "bin" / "cp").symlink_to(str(shutil.which("cp")))
    machine.program("python3", PYTHON)
    machine.program("pip", PIP, folder="packages")
    return machine


def installs(machine: Machine) -> list[str]:
    """Return what pip was asked to install, without the options that are always there."""
    return [line.split("-m pip ")[1] for line in machine.calls("pip") if "-m pip " in line]


def test_environment_comes_from_the_lock_and_only_once(with_python: Machine) -> None:
    assert with_python.run("bootstrap.sh", "python").returncode == 0
    build, locked, project, check = installs(with_python)
    for words in (build, locked):
        assert words.startswith("install --no-deps --require-hashes")
    assert build.endswith("setuptools.lock")
    assert locked.endswith("--no-build-isolation --use-pep517 --requirement requirements.lock")
    assert project == "install --no-index --no-deps --no-build-isolation --editable ."
    assert check == "check"
    first = (with_python.checkout / ".tools" / "log" / "setuptools.lock").read_text(encoding="utf-8")
    assert first.startswith("setuptools==")
    assert first.count("==") == 1
    assert first.count("--hash=sha256:") >= 1

    again = with_python.run("bootstrap.sh", "python")
    assert (again.returncode, again.stdout) == (0, "Python environment: up to date\n")
    assert installs(with_python) == []


def test_environment_follows_the_lock_the_project_and_the_place(with_python: Machine) -> None:
    with_python.run("bootstrap.sh", "python")
    installs(with_python)

    with (with_python.checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    with_python.run("bootstrap.sh", "python")
    assert [line.split()[0] for line in installs(with_python)] == ["install", "check"], "only the project, no network"

    with (with_python.checkout / "requirements.lock").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    with_python.run("bootstrap.sh", "python")
    assert len(installs(with_python)) == 4

    moved = Machine(with_python.root / "moved")
    shutil.copytree(with_python.checkout, moved.checkout)
    environment = {"PATH": str(with_python.root / "bin"), "MACHINE": str(with_python.root)}
    subprocess.run(["bash", str(moved.checkout / "scripts" / "bootstrap.sh"), "python"], env=environment, check=True)
    assert len(installs(with_python)) == 4


def test_interrupted_installation_is_begun_again(with_python: Machine) -> None:
    (with_python.root / "pip fails").touch()
    done = with_python.run("bootstrap.sh", "python")
    assert done.returncode == 1
    assert "pip failed" in done.stderr
    assert "up to date" not in done.stdout
    (with_python.root / "pip fails").unlink()
    assert "installing" in with_python.run("bootstrap.sh", "python").stdout
    assert with_python.run("bootstrap.sh", "python").stdout == "Python environment: up to date\n"


# ------------------------------------------------------------------------------------------------------------ the demo


@pytest.fixture
def with_demo(machine: Machine, repository: Path) -> Machine:
    (machine.checkout / "microbiome").mkdir()
    shutil.copytree(repository / "microbiome" / "simulate", machine.checkout / "microbiome" / "simulate")
    simulate = '[[ $1 != simulate ]] || { mkdir -p "$3"; [[ ! -e "$MACHINE/fails" ]] || exit 1; }\n'
    machine.program("microbiome", simulate + '[[ $1 != accuracy || ! -e "$MACHINE/inaccurate" ]] || exit 1\n')
    machine.program("snakemake")
    return machine


def test_demo_simulates_once_and_always_compares(with_demo: Machine) -> None:
    first = with_demo.run("demo.sh", "2")
    assert first.returncode == 0, first.stderr
    assert "demo/results/report.html" in first.stdout
    calls = with_demo.calls("microbiome", "snakemake")
    assert [line.split()[:2] for line in calls] == [
        ["microbiome", "simulate"],
        ["snakemake", "--snakefile"],
        ["microbiome", "accuracy"],
        ["microbiome", "accuracy"],
    ]
    # Taxa, and functions.
    assert [" --functions " in line for line in calls[-2:]] == [False, True]
    assert with_demo.run("demo.sh", "2").returncode == 0
    assert [line.split()[1] for line in with_demo.calls("microbiome")] == ["accuracy"] * 2


def test_demo_simulates_again_when_the_simulator_changed_or_was_stopped(with_demo: Machine) -> None:
    (with_demo.root / "fails").touch()
    assert with_demo.run("demo.sh", "2").returncode != 0
    (with_demo.root / "fails").unlink()
    with_demo.calls()
    assert with_demo.run("demo.sh", "2").returncode == 0
    assert with_demo.calls("microbiome")[0].startswith("microbiome simulate")
    (with_demo.checkout / "microbiome" / "simulate" / "new.py").touch()
    assert with_demo.run("demo.sh", "2").returncode == 0
    assert with_demo.calls("microbiome")[0].startswith("microbiome simulate")


def test_demo_goes_on_after_it_was_killed(with_demo: Machine) -> None:
    assert with_demo.run("demo.sh", "2").returncode == 0
    locks = with_demo.checkout / "demo" / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").touch()
    with_demo.calls()
    assert with_demo.run("demo.sh", "2").returncode == 0
    unlock, run = with_demo.calls("snakemake")
    assert unlock == f"{run} --unlock"


def test_demo_does_not_touch_the_files_of_one_that_runs(with_demo: Machine) -> None:
    (with_demo.checkout / "demo").mkdir()
    with (with_demo.checkout / "demo" / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = with_demo.run("demo.sh", "2")
    assert done.returncode == 1
    assert "another 'make demo' is running" in done.stderr
    assert with_demo.calls("microbiome", "snakemake") == []


def test_demo_fails_when_the_results_are_inaccurate(with_demo: Machine) -> None:
    (with_demo.root / "inaccurate").touch()
    done = with_demo.run("demo.sh", "2")
    assert done.returncode == 1
    assert "report.html" in done.stdout, "a person still wants to look at it"


def test_bootstrap_refuses_unknown_words(machine: Machine) -> None:
    for words in ((), ("tool",), ("tools", "dmeo")):
        done = machine.run("bootstrap.sh", *words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("error:"), words
    assert os.access(machine.checkout / "scripts" / "bootstrap.sh", os.X_OK)
