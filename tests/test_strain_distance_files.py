"""Distances between strains from the files of other programs: what SameStr, PhyloPhlAn and MetaPhlAn really write."""

from __future__ import annotations

import bz2
import gzip
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.cli import main
from microbiome.errors import InputError
from microbiome.strains.distance_files import kind_of, read_distances, tidy_pairs
from microbiome.strains.tables import STRAIN_DISTANCES
from microbiome.tsv import read_result, write_table

HEADER = "taxon\tsample_1\tsample_2\tdistance\n"


@pytest.fixture(scope="module")
def strains(golden: Path) -> Path:
    return golden / "strains"


def values(frame: pd.DataFrame, column: str = "distance") -> dict[tuple[str, str], float]:
    cells = pd.to_numeric(frame[column]).astype(float)
    return dict(zip(zip(frame["sample_1"], frame["sample_2"], strict=True), cells, strict=True))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


# ------------------------------------------------------------------------------------------------ what programs write


def test_samestr(strains: Path) -> None:
    """1 - MVS by its definition, from the alleles; both tables of the real program give the same."""
    frame = read_distances([strains / "t__SGB1.fraction.txt"])
    assert set(frame["taxon"]) == {"t__SGB1"}
    assert set(frame["method"]) == {"samestr"}
    rows = dict(line.split("\t") for line in (strains / "bases.tsv").read_text().splitlines()[1:])
    # Upper case: one allele; lower case: it and the next of ACGT.
    alleles = {
        sample: [
            {base.upper()} | ({"ACGT"[("ACGT".index(base.upper()) + 1) % 4]} if base.islower() else set())
            if base != "-"
            else set()
            for base in bases
        ]
        for sample, bases in rows.items()
    }
    assert len(frame) == 15
    for (one, two), distance in values(frame).items():
        assert one < two
        both = [(a, b) for a, b in zip(alleles[one], alleles[two], strict=True) if a and b]
        assert values(frame, "sites")[one, two] == len(both)
        if both:
            differing = sum(not a & b for a, b in both)
            assert distance == differing / len(both)
            assert values(frame, "allele_differences")[one, two] == differing
        else:  # SameStr writes an MVS of 0 there
            assert np.isnan(distance)
    pd.testing.assert_frame_equal(frame, read_distances([strains / "sstr_strain_events.tsv"]))
    # All files of a run, by a pattern or as a folder.
    pd.testing.assert_frame_equal(frame, read_distances(sorted(strains.glob("*.txt"))))
    pd.testing.assert_frame_equal(frame, read_distances([strains]))
    pd.testing.assert_frame_equal(frame, read_distances([strains, strains / "sstr_strain_events.tsv"]))


def test_samestr_dominant_variants(strains: Path, tmp_path: Path) -> None:
    expected = read_distances([strains / "t__SGB1.fraction.txt"])
    for what in ("fraction", "overlap"):
        rows = [line.split("\t") for line in (strains / f"t__SGB1.{what}.txt").read_text().splitlines()]
        head = [rows[0][0], *(f"{name}.dom" for name in rows[0][1:])]
        only = [head, *([f"{row[0]}.dom", *row[1:]] for row in rows[1:])]
        added = [rows[0] + head[1:], *(row + row[1:] for row in rows[1:]), *(row + row[1:] for row in only[1:])]
        for taxon, table in (("t__SGB2", only), ("t__SGB3", added)):
            write(tmp_path, f"{taxon}.{what}.txt", "\n".join("\t".join(row) for row in table) + "\n")
    for taxon in ("t__SGB2", "t__SGB3"):
        frame = read_distances([tmp_path / f"{taxon}.fraction.txt"])
        pd.testing.assert_frame_equal(frame, expected.assign(taxon=pd.Series(taxon, frame.index, dtype=object)))


def test_mutation_rates(strains: Path) -> None:
    """Positions by their definition, from the alignments that the real program read."""
    frame = read_distances([strains / "t__SGB1.mutation"])
    assert set(frame["method"]) == {"mutation_rate"}
    aligned: list[dict[str, str]] = []
    for marker in ("marker_1", "marker_2"):
        lines = (strains / f"{marker}.aln").read_text().splitlines()
        aligned.append({name[1:]: sequence for name, sequence in zip(lines[::2], lines[1::2], strict=True)})
    samples = sorted({sample for marker in aligned for sample in marker})
    found, sites, differences = values(frame), values(frame, "sites"), values(frame, "consensus_differences")
    assert set(found) == set(itertools.combinations(samples, 2))
    for one, two in found:
        columns = [
            (a, b)
            for marker in aligned
            if one in marker and two in marker
            for a, b in zip(marker[one], marker[two], strict=True)
            if a in "ACGT" and b in "ACGT"
        ]
        differing = sum(a != b for a, b in columns)
        assert (sites[one, two], differences[one, two]) == (len(columns), differing)
        if columns:
            assert found[one, two] == differing / len(columns)
        else:
            assert np.isnan(found[one, two])
    assert np.isnan(found["007", "D1"])


def test_dist_and_tree(tmp_path: Path) -> None:
    tree = write(tmp_path, "RAxML_bestTree.t__SGB9.StrainPhlAn4.tre", "(B:1,A:2,C:1);\n")
    dist = write(tmp_path, "RAxML_bestTree.t__SGB9.StrainPhlAn4.tre.dist", "B\tC\t0.5\nA\tB\t0.75\nC\tA\t0.75\n")
    frame = read_distances([dist])
    assert values(frame) == {("A", "B"): 0.75, ("A", "C"): 0.75, ("B", "C"): 0.5}
    assert set(frame["method"]) == {"ngd"}
    # The same numbers from both are said once.
    pd.testing.assert_frame_equal(read_distances([tree, dist]), read_distances([tree]))
    renamed = write(tmp_path, "x.dist", dist.read_text())
    assert set(read_distances([f"t__SGB9={renamed}"])["taxon"]) == {"t__SGB9"}
    with pytest.raises(InputError, match="give it as TAXON=FILE"):
        read_distances([renamed])


# --------------------------------------------------------------------------------------------------------- own tables


def test_plain_table(tmp_path: Path) -> None:
    text = "# made by hand\n" + HEADER + "t__SGB1\t007\t1e5\t0.25\nt__SGB1\tNA\t007\t\nt__SGB1\tX\tX\t0\n"
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    frame = read_distances([path])
    assert list(frame.columns) == ["taxon", "sample_1", "sample_2", "sites", "distance", "method", "note"]
    assert frame[["sample_1", "sample_2"]].to_numpy().tolist() == [["007", "1e5"], ["007", "NA"]]
    assert frame["distance"].tolist()[0] == 0.25
    assert np.isnan(frame["distance"].tolist()[1])
    assert set(frame["method"]) == {"table"}
    packed = tmp_path / "pairs.tsv.bz2"
    packed.write_bytes(bz2.compress(text.encode()))
    pd.testing.assert_frame_equal(read_distances([packed]), frame)


@given(st.permutations(["S1", "S2", "S3", "S4"]), st.data())
def test_own_table_comes_back_in_any_order(order: list[str], data: st.DataObject) -> None:
    """Turning pairs round, with what belongs to either sample, and shuffling the rows changes nothing."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pairs = list(itertools.combinations(sorted(order), 2))
    table = pd.DataFrame(
        {
            "taxon": "t__SGB1",
            "sample_1": [one for one, _ in pairs],
            "sample_2": [two for _, two in pairs],
            "sites": pd.array(rng.integers(1, 1000, len(pairs)), dtype="Int64"),
            "distance": rng.random(len(pairs)),
            "method": "consensus",
        }
    )
    exchange = {"sample_1": "sample_2", "depth_1": "depth_2", "evidence_1_in_2": "evidence_2_in_1"}
    mirrored = [name for pair in exchange.items() for name in pair if not name.startswith("sample")]
    assert {"depth_1", "depth_2", "evidence_1_in_2", "evidence_2_in_1"} <= set(STRAIN_DISTANCES.names)
    table = table.assign(**{name: rng.random(len(pairs)) for name in mirrored}, note=None)
    other_way = table.rename(columns=exchange | {two: one for one, two in exchange.items()})
    turned = rng.random(len(pairs)) < 0.5
    mixed = pd.concat([table[~turned], other_way[turned]]).sample(frac=1, random_state=1)
    expected = tidy_pairs([table])
    assert list(expected.columns) == [name for name in STRAIN_DISTANCES.names if name in table]
    pd.testing.assert_frame_equal(tidy_pairs([mixed]), expected)
    pd.testing.assert_frame_equal(tidy_pairs([table, mixed]), expected)


def test_written_table_is_the_declared_one(strains: Path, tmp_path: Path) -> None:
    frame = read_distances([strains, strains / "t__SGB1.mutation"])
    assert set(frame["method"]) == {"samestr", "mutation_rate"}
    write_table(frame, tmp_path / "distances.tsv")
    read = read_result(tmp_path / "distances.tsv", STRAIN_DISTANCES)
    pd.testing.assert_frame_equal(read[list(frame.columns)], frame)
    pd.testing.assert_frame_equal(read_distances([tmp_path / "distances.tsv"]), frame)


def test_nothing(tmp_path: Path) -> None:
    frame = read_distances([write(tmp_path, "pairs.tsv", HEADER)])
    assert len(frame) == 0
    assert list(frame.columns) == ["taxon", "sample_1", "sample_2", "sites", "distance", "method", "note"]


# ------------------------------------------------------------------------------------------------------ what is wrong


def test_conflicts_name_file_and_line(tmp_path: Path) -> None:
    one = write(tmp_path, "one.tsv", "# c\n" + HEADER + "t__SGB1\tB\tA\t0.1\nt__SGB2\tB\tA\t0.1\n")
    two = write(tmp_path, "two.tsv", HEADER + "t__SGB1\tA\tB\t0.1\nt__SGB2\tA\tB\t0.2\n")
    with pytest.raises(InputError) as caught:
        read_distances([one, two])
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(two), 3)
    assert f"t__SGB2: A and B have table distance 0.2 here, but table distance 0.1 in {one}:4" in problem.message


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("t__SGB1.mutation", "ids\tA\tB\nA\t0\t0.5\nB\t1/4\t0\n", 3, "1/4 contradicts 0.5"),
        ("t__SGB1.mutation", "ids\tA\tB\nA\t0\tnan\nB\t1/4\t0\n", 3, "1/4 contradicts nan"),
        ("t__SGB1.mutation", "ids\tA\tB\nA\t0\t0.5\nB\tnan\t0\n", 3, "nan contradicts 0.5"),
        ("t__SGB1.mutation", "ids\tA\tB\nA\t0\t1.25\nB\t5/4\t0\n", 3, "5/4 contradicts"),
        ("t__SGB1.mutation", "ids\tA\tB\nA\t0\t0.5\nB\t0.5\t0\n", 3, "'0.5' is no ratio"),
        ("t__SGB1.mutation", "ids\tA\tB\nA\t0\t0.5\n", 1, "the rows are not named as the columns"),
        ("t__SGB1.mutation", "ids\tA\tB\nA\t0\t0.5\nB\t1/2\n", 3, "the row has 2 cells, the header has 3"),
        ("t__SGB1.mutation", "ids\tA\tA\nA\t0\t0.5\nA\t1/2\t0\n", 1, "a sample has two columns"),
        ("t__SGB1.dist", "A\tB\t0.5\nA\tC\tfar\n", 2, "is no pair"),
        ("t__SGB1.dist", "A\tB\t0.5\nA\tC\t-0.5\n", 2, "is no pair"),
        ("t__SGB1.dist", "A\tB\t0.5\nB\tA\t0.6\n", 2, "ngd distance 0.6 here, but ngd distance 0.5 in"),
        ("pairs.tsv", HEADER + "t__SGB1\tA\tB\t-1\n", 2, "-1"),
        ("pairs.tsv", HEADER + "t__SGB1\tA\tB\tnear\n", 2, "near"),
        ("pairs.tsv", "sample_1\tsample_2\tdistance\nA\tB\t1\n", 1, "taxon"),
        ("events.tsv", "row\tcol\tclade\tsimilarity\toverlap\nA\tB\tt__SGB1\t1.2\t10\n", 2, "'1.2' is no similarity"),
        ("events.tsv", "row\tcol\tclade\tsimilarity\toverlap\nA\tB\tt__SGB1\t1\t10.5\n", 2, "'10.5' is no overlap"),
        ("events.tsv", "row\tcol\tclade\tsimilarity\toverlap\nA\tB\tt__SGB1\t1\n", 2, "the row has 4 cells"),
        ("t__SGB1.dist", "A\ta sample\t0.5\n", None, "'a sample' cannot be the name of a sample"),
        ("t__SGB1.tre", "(A:1,'a b':1,C:2);", None, "'a b' cannot be the name of a sample"),
        ("other.tsv", "one\ttwo\n1\t2\n", None, "not a file of distances"),
        ("other.tsv", "\n", None, "the file is empty"),
        ("other.tsv", "sample\tsubject\trole\tday\nA\tA\tdonor\t\n", None, "samples table"),
    ],
)
def test_bad_files(name: str, text: str, line: int | None, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(InputError) as caught:
        read_distances([path])
    assert any(
        message in str(problem) and (problem.file, problem.line) == (str(path), line)
        for problem in caught.value.problems
    ), caught.value


def test_samestr_without_its_sister(strains: Path, tmp_path: Path) -> None:
    text = (strains / "t__SGB1.fraction.txt").read_text()
    path = write(tmp_path, "t__SGB1.fraction.txt", text)
    with pytest.raises(InputError, match=r"t__SGB1\.overlap\.txt: the file does not exist"):
        read_distances([path])
    with pytest.raises(InputError, match="keep SameStr's name"):
        read_distances([write(tmp_path, "mvs.txt", text)])
    write(tmp_path, "t__SGB1.overlap.txt", (strains / "t__SGB1.overlap.txt").read_text())
    path.write_text(text.replace("0.975", "0.5", 1))
    with pytest.raises(InputError, match="differ between the two triangles"):
        read_distances([path])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"the folder has no file \*\.fraction\.txt"):
        read_distances([empty])


def test_all_problems_at_once(tmp_path: Path) -> None:
    files = [tmp_path / "absent.tsv", write(tmp_path, "a.dist", "A\tB\t1\n"), write(tmp_path, "b.tsv", "x\ty\n")]
    with pytest.raises(InputError) as caught:
        read_distances(files)
    assert [problem.file for problem in caught.value.problems] == [str(file) for file in files]


# ------------------------------------------------------------------------------------------------------------ command


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    try:
        code = main([str(argument) for argument in ("strains", "distances", *arguments)])
    except SystemExit as error:
        code = int(str(error.code))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_command(strains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = write(tmp_path, "RAxML_bestTree.t__SGB9.StrainPhlAn4.tre", "(P1.pre:1,A:2,C:1);\n")
    mutation, events = strains / "t__SGB1.mutation", strains / "sstr_strain_events.tsv"
    target = tmp_path / "distances.tsv"
    code, _, _ = run(capsys, "--tree", tree, "--mutations", mutation, "--samestr", events, "-o", target)
    assert code == 0
    frame = read_result(target, STRAIN_DISTANCES)
    assert frame["method"].value_counts().to_dict() == {"samestr": 15, "mutation_rate": 10, "ngd": 3}
    # --table takes any kind, and what the command wrote itself.
    again = tmp_path / "again.tsv"
    assert run(capsys, "--table", tree, mutation, events, target, "-o", again)[0] == 0
    assert again.read_bytes() == target.read_bytes()
    code, out, _ = run(capsys, "--table", target, "--clade", "t__SGB9", "t__SGB8")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["taxon", *["t__SGB9"] * 3]


def test_command_refuses(strains: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys)
    assert (code, "no source of distances" in err) == (2, True)
    code, _, err = run(capsys, "--tree", strains / "t__SGB1.mutation")
    assert code == 2
    assert "t__SGB1.mutation: this is a table of mutation rates (.mutation of StrainPhlAn); give a tree" in err
    for part in ("0/2", "3/2", "2", "a/b"):
        code, _, err = run(capsys, "--table", "x", "--part", part)
        assert (code, "is not a part such as 2/8" in err) == (2, True)


@pytest.mark.real
def test_published_distances(real_data: Path) -> None:
    frame = read_distances([real_data / "ucfmt1" / "strain_distances.tsv.gz"])
    assert len(frame) == 18097
    assert frame["taxon"].nunique() == 214
    published = pd.read_csv(real_data / "ucfmt1" / "strain_distances.tsv.gz", sep="\t", dtype={"distance": float})
    assert frame["distance"].sum() == pytest.approx(published["distance"].sum(), rel=1e-12)
    folder = real_data / "strain_transmission"
    assert kind_of((folder / "tree.nwk.dist").read_text()) == "dist"
    both = read_distances([f"t__SGB1={folder / 'tree.nwk.dist'}"])
    ours = read_distances([f"t__SGB1={folder / 'tree.nwk'}"])
    assert (both["distance"] - ours["distance"]).abs().max() < 1e-12
    assert both[["sample_1", "sample_2"]].equals(ours[["sample_1", "sample_2"]])
