"""The scripts around StrainPhlAn by themselves: stand-ins on PATH say what the real programs say."""

from __future__ import annotations

import bz2
import json
import subprocess
import sys
from pathlib import Path

import pytest
from reliability import Recorder

TREE = "RAxML_bestTree.t__SGB7.StrainPhlAn4.tre"
# Each finds its folder behind -o and sees whether hashes are repeatable.
STAND_IN = """#!/bin/bash
words="$*"
while [[ $# -gt 0 ]]; do case $1 in -o) out=$2 ;; --sample_list) list=$2 ;; esac; shift; done
[[ $PYTHONHASHSEED == 0 ]] || exit 9
"""
MAKES_TREE = f"""
[[ $words == *"--phylophlan_params=--sort"* && $words == *--mutation_rates* ]] || exit 8
echo "(A:1,B:1,C:1,D:2);" >"$out/{TREE}"
printf 'ids\\tA\\tB\\tC\\tD\\nA\\t0\\t0.5\\t0.5\\t0.5\\nB\\t1/2\\t0\\t0.5\\t0.5\\n' >"$out/t__SGB7.mutation"
printf 'C\\t1/2\\t1/2\\t0\\t0.5\\nD\\t1/2\\t1/2\\t1/2\\t0' >>"$out/t__SGB7.mutation"
touch "$out/RAxML_log.x"
"""
FEW = 'echo "[Error] Phylogeny can not be inferred. Less than 4 samples remained after filtering." >&2; exit 1\n'
FEW_INPUTS = 'echo "[Error] The main inputs samples + references are less than 4" >&2; exit 1\n'
ONE = (
    "printf 'ids\\tA\\tB\\nA\\t0\\t0.0\\nB\\t0/9\\t0' >\"$out/mutation_rates.tsv\"\n"
    'echo "[e] No alignments found to concatenate" >&2; exit 1\n'
)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """Return a folder that comes first on PATH, with an extract_markers.py."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    program(folder, "extract_markers.py", 'echo ">x" >"$out/t__SGB7.fna"\n')
    return folder


def program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(STAND_IN + body)
    path.chmod(0o755)


def run(repository: Path, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "workflow" / "scripts" / script), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def markers(names: dict[str, list[str]]) -> list[str]:
    """Write consensus markers: of each sample the SGBs it has markers of."""
    for name, sgbs in names.items():
        found = [{"marker": f"UniRef90_X{i}|1__{i}|{sgb}", "sequence": "ACGT"} for i, sgb in enumerate(sgbs)]
        text = json.dumps({"database_name": "x", "consensus_markers": found})
        Path(f"{name}.json.bz2").write_bytes(bz2.compress(text.encode()))
    return [f"{name}.json.bz2" for name in names]


# -------------------------------------------------------------------------------------------------------- one clade


CLADE = ["--clade", "t__SGB7", "--markers", "A.json.bz2", "B.json.bz2", "--database", "x.pkl", "--out", "made"]


@pytest.mark.parametrize(
    ("body", "status", "kept"),
    [
        (MAKES_TREE, "tree\t\t4", {TREE, "t__SGB7.mutation"}),
        (FEW, "few_samples\tfewer than 4 samples with enough markers\t0", set()),
        (FEW_INPUTS, "few_samples\tfewer than 4 samples in the study\t0", set()),
        (ONE, "one_strain\tno position differs: one single strain in all samples\t2", {"t__SGB7.mutation"}),
    ],
)
def test_no_tree_is_a_result(repository: Path, stand_in: Path, body: str, status: str, kept: set[str]) -> None:
    program(stand_in, "strainphlan", body)
    done = run(repository, "strainphlan_clade.py", *CLADE, "--tmp", str(stand_in.parent))
    assert done.returncode == 0, done.stderr
    lines = Path("made/status.tsv").read_text().splitlines()
    assert lines == ["taxon\tstatus\treason\tsamples", f"t__SGB7\t{status}"]
    assert {path.name for path in Path("made").iterdir()} == kept | {"status.tsv"}
    assert {path.name for path in stand_in.parent.iterdir()} == {"bin", "made"}, "temporary files are gone"


@pytest.mark.parametrize(
    ("fault", "body", "message"),
    [
        (
            "prints an error",
            'echo "[Error] The database does not exist" >&2; exit 1\n',
            "ended with exit code 1 ([Error] The database does not exist); see its messages above",
        ),
        (
            "is killed",
            "exit 137\n",
            "was killed by signal 9 (SIGKILL), usually because memory ran out; give the job more",
        ),
        # A run that ends well and leaves no tree is not "no tree".
        (
            "exits 0 without a tree",
            'echo "Less than 4 samples remained after filtering"\n',
            f"ended with exit code 0 and did not write {TREE}",
        ),
        ("cuts its tree off", f'echo "(A:1,B:1" >"$out/{TREE}"\n', f"ended with exit code 0, but {TREE} is cut off"),
        (
            "cuts its table off",
            MAKES_TREE + "sed -i '$d' \"$out/t__SGB7.mutation\"\n",
            "ended with exit code 0, but t__SGB7.mutation is cut off",
        ),
    ],
)
def test_another_failure_is_a_failure(
    repository: Path, stand_in: Path, reliability: Recorder, fault: str, body: str, message: str
) -> None:
    program(stand_in, "strainphlan", body)
    done = run(repository, "strainphlan_clade.py", *CLADE)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"error: t__SGB7: strainphlan {message}")
    assert not Path("made").exists()
    reliability("Programs", f"strainphlan: {fault}", done="A stand-in for strainphlan did so with a clade.", saw=said)


def test_markers_that_cannot_be_extracted(repository: Path, stand_in: Path) -> None:
    program(stand_in, "extract_markers.py", 'echo "[Error] The clade was not found" >&2; exit 1\n')
    done = run(repository, "strainphlan_clade.py", *CLADE)
    assert done.returncode == 1
    assert "[Error] The clade was not found" in done.stderr
    said = "extract_markers.py ended with exit code 1 ([Error] The clade was not found)"
    assert done.stderr.splitlines()[-1].startswith(f"error: t__SGB7: {said}")


# ------------------------------------------------------------------------------------------------- the list of clades

SAMPLES = {
    "A": ["SGB1", "SGB1", "SGB2", "SGB3"],
    "B.x": ["SGB1", "SGB2"],
    "C": ["SGB1", "SGB2"],
    "D": ["SGB1", "SGB2", "EUK5"],
    "E": ["SGB2"],
    "F": [],
}
LISTS = r"""
[[ $(wc -l <"$list") == 6 ]] || exit 7
printf 'Clade\tNumber_of_samples\tSamples\nt__SGB1\t4\tA,B.x,C,D\nt__SGB2_group\t5\tA,B.x,C,D,E\n' \
    >"$out/print_clades_only.tsv"
"""


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ([], ["t__SGB2_group\t5\t1\t", "t__SGB1\t4\t1\t", "t__EUK5\t0\t0\tfew", "t__SGB3\t0\t0\tfew"]),
        (
            ["--top", "1"],
            ["t__SGB2_group\t5\t1\t", "t__SGB1\t4\t0\tnot", "t__EUK5\t0\t0\tfew", "t__SGB3\t0\t0\tfew"],
        ),
        (
            ["--clades", "t__SGB1", "t__SGB99"],
            ["t__SGB1\t4\t1\t", "t__SGB2_group\t5\t0\tnot", "t__SGB99\t0\t0\tfew"],
        ),
    ],
)
def test_clades_are_chosen(repository: Path, stand_in: Path, words: list[str], rows: list[str]) -> None:
    program(stand_in, "strainphlan", LISTS)
    files = markers(SAMPLES)
    done = run(repository, "strainphlan_clades.py", "--markers", *files, "--database", "x", *words, "--out", "c.tsv")
    assert done.returncode == 0, done.stderr
    reasons = {"few": "fewer than 4 samples with enough markers", "not": "not among strains.clades"}
    expected = []
    for row in rows:
        *cells, word = row.split("\t")
        expected.append("\t".join([*cells, reasons.get(word, word)]))
    assert Path("c.tsv").read_text().splitlines() == ["taxon\tsamples\tchosen\treason", *expected]


def test_fewer_than_four_samples_are_not_shown_to_strainphlan(repository: Path, stand_in: Path) -> None:
    program(stand_in, "strainphlan", "exit 1\n")
    files = markers({"A": ["SGB1"], "B": ["SGB1"], "C": []})
    words = ["--markers", *files, "--database", "x", "--out", "c.tsv"]
    assert run(repository, "strainphlan_clades.py", *words).returncode == 0
    assert Path("c.tsv").read_text().splitlines()[1:] == ["t__SGB1\t0\t0\tfewer than 4 samples with enough markers"]
    files = markers(SAMPLES)
    words = ["--markers", *files, "--database", "x", "--out", "d.tsv"]
    done = run(repository, "strainphlan_clades.py", *words)
    assert (done.returncode, Path("d.tsv").exists()) == (1, False)
    assert "error: all samples: strainphlan ended with exit code 1" in done.stderr


# ----------------------------------------------------------------------------------------------------- what is gathered


def gathered(repository: Path, listed: str) -> subprocess.CompletedProcess[str]:
    Path("listed.tsv").write_text("taxon\tsamples\tchosen\treason\n" + listed)
    words = ["--listed", "listed.tsv", "--results", "."]
    return run(repository, "strainphlan_gather.py", *words, "--clades", "clades.tsv", "--distances", "distances.tsv")


def test_gathered(repository: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    program(stand_in, "strainphlan", MAKES_TREE)
    monkeypatch.setenv("PATH", f"{stand_in}:{Path(sys.executable).parent}:/usr/bin:/bin")
    assert run(repository, "strainphlan_clade.py", *CLADE[:-1], "t__SGB7").returncode == 0
    Path("t__SGB8").mkdir()
    Path("t__SGB8/t__SGB8.mutation").write_text("ids\tA\tB\nA\t0\t0.0\nB\t0/9\t0")
    Path("t__SGB8/status.tsv").write_text("taxon\tstatus\treason\tsamples\nt__SGB8\tone_strain\tone\t2\n")
    listed = "t__SGB7\t4\t1\t\nt__SGB8\t4\t1\t\nt__SGB1\t6\t0\tnot among\nt__SGB2\t0\t0\ttoo few\n"
    done = gathered(repository, listed)
    assert done.returncode == 0, done.stderr
    assert Path("clades.tsv").read_text().splitlines() == [
        "taxon\tstatus\treason\tsamples",
        "t__SGB7\ttree\t\t4",
        "t__SGB8\tone_strain\tone\t2",
        "t__SGB1\tnot_chosen\tnot among\t6",
        "t__SGB2\tfew_samples\ttoo few\t0",
    ]
    header, *rows = [line.split("\t") for line in Path("distances.tsv").read_text().splitlines()]
    found = [(row[0], row[header.index("method")]) for row in rows]
    assert {pair: found.count(pair) for pair in found} == {
        ("t__SGB7", "ngd"): 6,
        ("t__SGB7", "mutation_rate"): 6,
        ("t__SGB8", "mutation_rate"): 1,
    }
    # A tree that is promised and gone.
    Path("t__SGB7", TREE).unlink()
    done = gathered(repository, listed)
    assert (done.returncode, "the file does not exist" in done.stderr) == (2, True)


def test_nothing_to_gather(repository: Path, stand_in: Path) -> None:
    done = gathered(repository, "t__SGB2\t0\t0\ttoo few\n")
    assert done.returncode == 0, done.stderr
    assert Path("distances.tsv").read_text().splitlines() == [
        "taxon\tsample_1\tsample_2\tsites\tdistance\tmethod\tnote"
    ]
