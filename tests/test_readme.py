"""The README says what is so: its Python runs, its commands and options exist, its links lead somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from microbiome import cli
from microbiome.config_keys import KEYS


def blocks(repository: Path, language: str) -> list[str]:
    text = (repository / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_python_example_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = blocks(repository, "python")
    assert len([line for line in code.splitlines() if line and not line.startswith(("from", "import"))]) <= 10
    monkeypatch.chdir(tmp_path)
    assert cli.main(["--quiet", "simulate", "--output", "trial", "--seed", "1"]) == 0
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    for column in ("shannon", "engraftment_rate", "donor_distance", "pseudo_f"):
        assert column in printed


def test_the_commands_and_options_exist(repository: Path) -> None:
    parser = cli._parser()
    (group,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    lines = [line for block in blocks(repository, "sh") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("microbiome ")]
    assert len(commands) >= 6
    for command in commands:
        group.choices[command[1]].parse_args(command[2:])


def test_the_make_targets_and_rules_exist(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    makefile = (repository / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z]+)\b(?=`|  )", text)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    rules = "".join(path.read_text() for path in (repository / "workflow" / "rules").glob("*.smk"))
    assert re.search(r"^rule metaphlan_database:", rules, flags=re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(repository: Path, document: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", (repository / document).read_text()):
        assert (repository / link).exists(), link


def test_the_config_keys_exist(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    names = {key.name.split(".")[-1] for key in KEYS} | {key.name.split(".")[0] for key in KEYS}
    for name in ("profiles", "units", "host_index", "metaphlan", "database", "index"):
        assert name in names
        assert name in text
