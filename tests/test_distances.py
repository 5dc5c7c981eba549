"""Distance matrices as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skbio import DistanceMatrix

from microbiome.diversity import read_distances, read_metric, write_distances
from microbiome.errors import InputError


def matrix(n: int = 4) -> DistanceMatrix:
    rng = np.random.default_rng(0)
    half = np.triu(rng.random((n, n)) / 3, 1)
    return DistanceMatrix(half + half.T, ["007", "NA", "1e5", "true"][:n])


@pytest.mark.parametrize("name", ["d.tsv", "d.tsv.gz"])
def test_round_trip_is_exact(tmp_path: Path, name: str) -> None:
    write_distances(matrix(), tmp_path / name, "bray_curtis", ["made for a test"])
    found = read_distances(tmp_path / name)
    assert found.ids == matrix().ids
    np.testing.assert_array_equal(found.data, matrix().data)
    assert read_metric(tmp_path / name) == "bray_curtis"


def test_reads_what_scikit_bio_writes(tmp_path: Path) -> None:
    matrix().write(str(tmp_path / "d.txt"))
    found = read_distances(tmp_path / "d.txt")
    assert found.ids == matrix().ids
    assert read_metric(tmp_path / "d.txt") == ""


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "d.tsv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_distances(path)
    return [str(problem).replace(str(path), "d.tsv") for problem in caught.value.problems]


def test_every_problem_is_told(tmp_path: Path) -> None:
    found = problems(tmp_path, "# c\nsample\ta\tb\tb\na\t0\tx\t1\nc\t-1\t0\nb\t\tnan\t0\nd\t1\t1\t1\n")
    for part in (
        "d.tsv:2: sample 'b' stands twice",
        "the matrix is not square: 4 rows for 3 samples",
        "d.tsv:4: the row is 'c', the header has 'b' here",
        "d.tsv:4: the row has 2 distances for 3 samples",
        "d.tsv:3: b: 'x' is not a distance",
        "d.tsv:5: a: '' is not a distance",
        "d.tsv:5: b: 'nan' is not a distance",
    ):
        assert any(part in problem for problem in found), (part, found)


def test_asymmetry_and_diagonal(tmp_path: Path) -> None:
    found = problems(tmp_path, "sample\ta\tb\na\t0.5\t1\nb\t2\t0\n")
    assert len(found) == 2
    assert "sample 'a' has distance 0.5 to itself" in found[0]
    assert "1 between 'a' and 'b' is 2 in line 3" in found[1]


def test_many_problems_of_a_kind_are_counted(tmp_path: Path) -> None:
    n = 30
    rows = ["\t".join([f"s{i}", *("0" if i == j else str(i) for j in range(n))]) for i in range(n)]
    found = problems(tmp_path, "\n".join(["\t".join(["sample", *(f"s{i}" for i in range(n))]), *rows]))
    assert len(found) == 21
    assert "435 pairs are not symmetric; the first 20 are named" in found[-1]


@pytest.mark.parametrize(("text", "message"), [("", "empty"), ("# only\n", "empty"), ("a,b\n0,1\n", "one column only")])
def test_not_a_matrix(tmp_path: Path, text: str, message: str) -> None:
    assert message in problems(tmp_path, text)[0]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_distances(tmp_path / "none.tsv")


@pytest.mark.parametrize("n", [2, 100])
@pytest.mark.parametrize("cell", ["0_5", "\u0660", "1\u00a0"])
def test_only_plain_digits_are_distances(cell: str, n: int, tmp_path: Path) -> None:
    ids = [f"s{k}" for k in range(n)]
    rows = ["\t".join([name, *["0.0"] * n]) for name in ids]
    rows[0] = "\t".join(["s0", "0.0", cell, *["0.0"] * (n - 2)])
    found = problems(tmp_path, "\n".join(["\t".join(["sample", *ids]), *rows]) + "\n")
    assert [problem.partition(" is ")[2] for problem in found] == ["not a distance; write a number, 0 or more"]
    assert found[0].startswith("d.tsv:2: s1: ")


def test_very_large_distances_stay_numbers(tmp_path: Path) -> None:
    path = tmp_path / "d.tsv"
    path.write_text("sample\ta\tb\na\t0\t1e308\nb\t1e308\t0\n")
    assert read_distances(path).data.tolist() == [[0.0, 1e308], [1e308, 0.0]]
    # What differs in the last digits is the mean of both.
    path.write_text("sample\ta\tb\na\t0\t0.3\nb\t0.3000000001\t0\n")
    assert read_distances(path)["a", "b"] == read_distances(path)["b", "a"] == pytest.approx(0.30000000005, rel=1e-15)


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_every_line_end_is_read(end: str, tmp_path: Path) -> None:
    path = tmp_path / "d.tsv"
    path.write_bytes(f"sample\ta\tb{end}a\t0\t0.5{end}b\t0.5\t0{end}".encode())
    found = read_distances(path)
    assert (found.ids, found.data.tolist()) == (("a", "b"), [[0.0, 0.5], [0.5, 0.0]])
