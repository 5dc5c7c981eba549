"""What the tables of a profiler say of the reads behind them, against tables written by hand."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.errors import InputError
from microbiome.evidence import evidence
from microbiome.metaphlan import merge_profiles, read_abundance, read_metaphlan, write_merged

COLUMNS = "#clade_name\tclade_taxid\trelative_abundance\tcoverage\testimated_number_of_reads_from_the_clade\n"
S1, S2, S3 = (f"k__Bacteria|g__G|s__G_{name}" for name in ("one", "two", "three"))
T1, T2, T3 = f"{S1}|t__SGB11", f"{S2}|t__SGB22_group", f"{S3}|t__SGB33"

# Each as that version prints it: two species, three to one, of which 4.2 sees a third one that rounds to 0. There
# more reads are estimated than were processed.
V3 = (
    "#mpa_v30_CHOCOPhlAn_201901\n#/opt/metaphlan a.fq -t rel_ab_w_read_stats\n#SampleID\tMetaphlan_Analysis\n"
    "#estimated_reads_mapped_to_known_clades:4300\n" + COLUMNS + "UNKNOWN\t-1\t60.0\t-\t6450\n"
    "k__Bacteria\t2\t40.0\t0.4\t4300\n"
    "k__Bacteria|g__G\t2|7\t40.0\t0.4\t4300\n"
    f"{S1}\t2|7|8\t30.0\t0.3\t3000\n"
    f"{S2}\t2|7|9\t10.0\t0.1\t1300\n"
)
V41 = (
    "#mpa_vJun23_CHOCOPhlAnSGB_202307\n#/opt/metaphlan a.fq -t rel_ab_w_read_stats\n#10750 reads processed\n"
    "#Average read length 99.2\n#SampleID\ta\n#estimated_reads_mapped_to_known_clades:4300\n" + COLUMNS + ""
    "UNCLASSIFIED\t-1\t60.0\t-\t6450\n"
    "k__Bacteria\t2\t40.0\t0.4\t4300\n"
    f"{S1}\t2|7|8\t30.0\t0.3\t3000\n"
    f"{S2}\t2|7|9\t10.0\t0.1\t1300\n"
    f"{T1}\t2|7|8|\t30.0\t0.3\t3000\n"
    f"{T2}\t2|7|9|\t10.0\t0.1\t1300\n"
)
V42 = (
    "#mpa_vJan25_CHOCOPhlAnSGB_202503\n#/opt/metaphlan a.fq -t rel_ab_w_read_stats\n#4200 reads processed\n"
    "#SampleID\ta\n#Estimated reads mapped to known clades: 4302\n" + COLUMNS + ""
    "UNCLASSIFIED\t-1\t0.0\t-\t-102\n"
    "k__Bacteria\t2\t100.0\t0.40000000000000013\t4302\n"
    f"{S1}\t2|7|8\t75.0\t0.3\t3000\n"
    f"{S2}\t2|7|9\t25.0\t0.1\t1300\n"
    f"{T1}\t2|7|8|\t75.0\t0.3\t3000\n"
    f"{T2}\t2|7|9|\t25.0\t0.1\t1300\n"
    f"{S3}\t2|7|10\t0.0\t1e-09\t2\n"
    f"{T3}\t2|7|10|\t0.0\t1e-09\t2\n"
)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# 3000 reads for three quarters, 1300 for one: 4000 and 5200 reads for all, and the median of two is their mean.
@pytest.mark.parametrize(
    ("text", "processed", "ranks", "classified"),
    [
        (V3, pd.NA, ("auto", "species"), 0.4),
        (V41, 10750, ("auto", "sgb", "species"), 0.4),
        (V42, 4200, ("auto", "sgb", "species"), 1),
    ],
    ids=["3", "4.1", "4.2"],
)
def test_tables_with_reads_of_each_version(
    tmp_path: Path, text: str, processed: object, ranks: tuple[str, ...], classified: float
) -> None:
    path = written(tmp_path / "a_profile.tsv", text)
    assert sorted(read_abundance(path).loc["a"])[-2:] == pytest.approx([0.25, 0.75])
    for rank in ranks:
        frame = evidence(path, rank)
        assert frame.loc["a", "reads_per_abundance"] == pytest.approx(4600)
        # The third one is not detected at 0, and its 2 reads do not count.
        assert frame.loc["a", "fewest_reads"] == 1300
        given = frame.loc["a", "reads_processed"]
        assert given is processed or given == processed
    assert evidence(path, close=False).loc["a", "reads_per_abundance"] == pytest.approx(4600 / classified)
    assert evidence(path, "kingdom").loc["a", "reads_per_abundance"] == pytest.approx(4300, abs=3)


def test_the_form_of_the_result(tmp_path: Path) -> None:
    frame = evidence([written(tmp_path / f"{name}.tsv", V3) for name in ("s2", "s1")])
    assert frame.index.name == "sample"
    assert frame.index.tolist() == ["s2", "s1"]
    assert frame.dtypes.astype(str).to_dict() == {
        "reads_processed": "Int64",
        "reads_per_abundance": "float64",
        "fewest_reads": "Int64",
    }


def test_clades_without_a_number_are_passed_over(tmp_path: Path) -> None:
    text = V3.replace("\t1300\n", "\t-\n")
    assert evidence(written(tmp_path / "a.tsv", text)).loc["a", ["reads_per_abundance", "fewest_reads"]].tolist() == [
        4000,
        3000,
    ]
    nowhere = text.replace("\t0.3\t3000\n", "\t0.3\t-\n")
    assert evidence(written(tmp_path / "a.tsv", nowhere)).isna().all(axis=None)


def test_a_detected_clade_without_reads_is_not_the_fewest(tmp_path: Path) -> None:
    frame = evidence(written(tmp_path / "a.tsv", V3.replace("\t1300\n", "\t0\n")))
    assert frame.loc["a", "fewest_reads"] == 3000
    assert frame.loc["a", "reads_per_abundance"] == (4000 + 0) / 2
    none = V3.replace("\t1300\n", "\t0\n").replace("\t0.3\t3000\n", "\t0.3\t0\n")
    frame = evidence(written(tmp_path / "a.tsv", none))
    assert frame.loc["a", "fewest_reads"] is pd.NA
    assert frame.loc["a", "reads_per_abundance"] == 0


def without_reads(text: str) -> str:
    """The same table as -t rel_ab prints it."""
    lines = [line if line.startswith("#") else "\t".join(line.split("\t")[:3]) + "\t" for line in text.splitlines()]
    return "\n".join(lines).replace(COLUMNS.strip(), "#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species")


def test_tables_that_say_nothing_of_reads(tmp_path: Path) -> None:
    plain = written(tmp_path / "p.tsv", without_reads(V41).replace("#SampleID\ta", "#SampleID\tp"))
    stats = written(tmp_path / "a.tsv", V41)
    write_merged(merge_profiles([plain]), tmp_path / "merged.tsv")
    frame = evidence([plain, stats])
    assert frame["reads_processed"].tolist() == [10750, 10750]
    assert frame.loc["p"].isna().tolist() == [False, True, True]
    assert frame.loc["a"].tolist() == [10750, 4600, 1300]
    pd.testing.assert_frame_equal(frame.loc[["a"]], evidence(stats))
    frame = evidence([tmp_path / "merged.tsv", stats])
    assert frame.loc["p"].isna().all()
    assert frame.loc["a"].tolist() == [10750, 4600, 1300]
    features = written(tmp_path / "ec.tsv", "feature\t007\tNA\n1.1.1.1\t3\t0\n2.2.2.2\t\t-1\n")
    assert evidence(features).index.tolist() == ["007", "NA"]
    assert evidence(features).isna().all(axis=None)
    assert evidence(features).dtypes.equals(frame.dtypes)


def test_bases_are_not_taken_for_reads(tmp_path: Path) -> None:
    text = V42.replace("number_of_reads", "number_of_bases").replace("reads processed", "bases processed")
    path = written(tmp_path / "a.tsv", text)
    assert sorted(read_abundance(path).loc["a"]) == [0, 0.25, 0.75]
    assert evidence(path).isna().all(axis=None)


def test_a_sample_with_nothing_classified(tmp_path: Path) -> None:
    start = V41[: V41.index("UNCLASSIFIED")]
    paths = [
        # What MetaPhlAn 4.1 prints, and the workflow for a sample with too few reads.
        written(tmp_path / "e.tsv", start.replace("#SampleID\ta", "#SampleID\te") + "unclassified\t-1\t100.0\t0\t0\n"),
        written(tmp_path / "a.tsv", V41),
    ]
    frame = evidence(paths)
    assert frame.loc["e"].isna().tolist() == [False, True, True]
    assert frame.loc["a"].tolist() == [10750, 4600, 1300]
    assert evidence(paths[:1]).loc["e"].isna().tolist() == [False, True, True]


def problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        evidence(path)
    with pytest.raises(InputError) as again:
        read_metaphlan(path)
    assert again.value.problems == caught.value.problems
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


READS = "estimated_number_of_reads_from_the_clade"


@pytest.mark.parametrize("cell", ["-1300", "1300.5", "many", "nan", "inf", "1,300", ""])
def test_what_is_no_number_of_reads_is_named(tmp_path: Path, cell: str) -> None:
    path = written(tmp_path / "t.tsv", V3.replace("\t1300\n", f"\t{cell}\n"))
    assert problems(path) == [
        f"t.tsv:10: {READS}: {cell!r} is no number of reads; "
        "write a whole number, 0 or more, or - where it is not known"
    ]


@pytest.mark.parametrize("cell", ["1300.0", "1.3e3", "1300"])
def test_whole_numbers_that_other_programs_wrote(tmp_path: Path, cell: str) -> None:
    path = written(tmp_path / "t.tsv", V3.replace("\t1300\n", f"\t{cell}\n"))
    assert evidence(path).loc["t", "fewest_reads"] == 1300


@pytest.mark.parametrize("cells", [1, 2, 3, 4])
def test_a_row_cut_off(tmp_path: Path, cells: int) -> None:
    head, last = V3.rstrip("\n").rsplit("\n", 1)
    path = written(tmp_path / "t.tsv", head + "\n" + "\t".join(last.split("\t")[:cells]))
    assert problems(path) == [
        f"t.tsv:10: the row is cut off: {cells} of 5 cells; copy or make the table again",
    ]


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "t.tsv", V3.replace("30.0\t0.3\t3000", "x\t0.3\t-1").replace("\t1300\n", "\tz\n"))
    assert [line.split(": ")[2].split(";")[0] for line in problems(path)] == [
        "'x' is not a number",
        "'-1' is no number of reads",
        "'z' is no number of reads",
    ]


def test_ranks_as_for_abundances(tmp_path: Path) -> None:
    path = written(tmp_path / "t.tsv", V3)
    with pytest.raises(InputError, match="no rows of rank sgb"):
        evidence(path, "sgb")
    with pytest.raises(InputError, match="rank 'strain' is not known"):
        evidence(path, "strain")


TABLE = st.lists(st.tuples(st.integers(0, 10**6), st.one_of(st.none(), st.integers(0, 10**9))), min_size=1, max_size=8)


@given(st.lists(TABLE, min_size=1, max_size=3), st.booleans(), st.randoms())
def test_any_tables_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, tables: list[list[tuple[int, int | None]]], close: bool, random: object
) -> None:
    folder = tmp_path_factory.mktemp("e")
    paths, expected = [], {}
    for number, table in enumerate(tables):
        whole = sum(weight for weight, _ in table)
        percent = [90 * weight / whole if whole else 0.0 for weight, _ in table]
        rows = [
            f"k__B|s__{i}\t1\t{value!r}\t-\t{'-' if reads is None else reads}\n"
            for i, (value, (_, reads)) in enumerate(zip(percent, table, strict=True))
        ]
        random.shuffle(rows)  # type: ignore[attr-defined]
        paths.append(written(folder / f"s{number}.tsv", COLUMNS + "".join(rows)))
        total = sum(percent) if close else 100
        known = [
            (value, reads) for value, (_, reads) in zip(percent, table, strict=True) if value and reads is not None
        ]
        expected[f"s{number}"] = (
            statistics.median(reads / (value / total) for value, reads in known) if known else math.nan,
            min((reads for _, reads in known if reads), default=pd.NA),
        )
    random.shuffle(paths)  # type: ignore[attr-defined]
    frame = evidence(paths, close=close)
    assert frame.index.tolist() == [path.stem for path in paths]
    for sample, (ratio, fewest) in expected.items():
        assert np.isclose(frame.loc[sample, "reads_per_abundance"], ratio, rtol=1e-12, atol=0, equal_nan=True)
        assert (frame.loc[sample, "fewest_reads"] is fewest) or (frame.loc[sample, "fewest_reads"] == fewest)
