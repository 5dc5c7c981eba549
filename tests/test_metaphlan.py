"""Reading and merging of MetaPhlAn tables of every version, against MetaPhlAn's own merging script."""

from __future__ import annotations

import bz2
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.errors import InputError
from microbiome.features import read_features, write_features
from microbiome.metaphlan import (
    MetaphlanTable,
    abundance_of,
    merge_profiles,
    read_abundance,
    read_metaphlan,
    taxonomy,
    write_merged,
)

K = "k__Bacteria"
S1 = f"{K}|p__P|c__C|o__O|f__F|g__G|s__G_one"
S2 = f"{K}|p__P|c__C|o__O|f__F|g__G|s__G_two"
T1, T2 = f"{S1}|t__SGB11", f"{S2}|t__SGB22_group"
DB = "mpa_vJan25_CHOCOPhlAnSGB_202503"


def rows_of(values: dict[str, float], columns: int) -> list[str]:
    """Rows of a single table; filler cells as the versions print them."""
    filler = {4: ("2|1", "", ""), 5: ("2|1", "1.5", "200")}[columns]
    if columns == 4:
        return [f"{clade}\t{filler[0]}\t{value}\t" for clade, value in values.items()]
    return [f"{clade}\t{filler[0]}\t{value}\t{filler[1]}\t{filler[2]}" for clade, value in values.items()]


def single(
    path: Path, values: dict[str, float], version: str = "4.2", sample: str = "Metaphlan_Analysis", db: str = DB
) -> Path:
    """Write a single table as the given version of MetaPhlAn prints it."""
    head = [f"#{db}", "#/usr/bin/metaphlan reads.fq --input_type fastq"]
    if version != "3.0":
        head.append("#28600 reads processed")
    head.append(f"#SampleID\t{sample}")
    if version == "4.1":
        head.insert(3, "#Average read length: 100")
    if version == "4.2":
        head.append("#clade_name\tclade_taxid\trelative_abundance\tcoverage\testimated_number_of_reads_from_the_clade")
        body = rows_of(values, 5)
    else:
        head.append("#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species")
        body = rows_of(values, 4)
    text = "\n".join(head + body) + "\n"
    if path.suffix in (".gz", ".bz2"):
        path.write_bytes({".gz": gzip, ".bz2": bz2}[path.suffix].compress(text.encode()))
    else:
        path.write_text(text)
    return path


FULL = {"UNCLASSIFIED": 20.0, K: 80.0, S1: 60.0, S2: 20.0, T1: 60.0, T2: 20.0}


def full(share: float) -> dict[str, float]:
    """A consistent profile in which the first of two SGBs has `share` percent."""
    return {
        K: 100.0,
        f"{K}|p__P": 100.0,
        f"{K}|p__P|c__C": 100.0,
        f"{K}|p__P|c__C|o__O": 100.0,
        f"{K}|p__P|c__C|o__O|f__F": 100.0,
        f"{K}|p__P|c__C|o__O|f__F|g__G": 100.0,
        S1: share,
        S2: 100 - share,
        T1: share,
        T2: 100 - share,
    }


@pytest.mark.parametrize("version", ["3.0", "3.1", "4.0", "4.1", "4.2"])
@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2"])
def test_single_tables_of_each_version(tmp_path: Path, version: str, suffix: str) -> None:
    table = read_metaphlan(single(tmp_path / f"s7_profile.tsv{suffix}", FULL, version))
    assert list(table.percent.columns) == ["s7"]  # named after the file, as MetaPhlAn's own script does
    assert table.database == DB
    assert table.percent.loc[T1, "s7"] == 60.0
    assert table.unclassified["s7"] == 20.0
    assert "UNCLASSIFIED" not in table.percent.index
    assert table.reads_processed["s7"] is pd.NA if version == "3.0" else table.reads_processed["s7"] == 28600


def test_sample_id_in_the_table_names_the_sample(tmp_path: Path) -> None:
    assert list(read_metaphlan(single(tmp_path / "x.tsv", FULL, sample="007")).percent.columns) == ["007"]


def test_merge_equals_metaphlans_own_script(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    paths = []
    for i in range(6):
        values = {k: round(v, 5) for k, v in full(float(rng.uniform(0, 100))).items()}
        if i == 2:
            values = {k: v for k, v in full(100.0).items() if v > 0}
        if i == 4:
            values = {"UNCLASSIFIED": 12.34567, **{k: v * 0.8765433 for k, v in values.items()}}
        paths.append(single(tmp_path / f"s{i}_profile.tsv", values))
    script = Path(sys.executable).parent / "merge_metaphlan_tables.py"
    printed = subprocess.run([sys.executable, script, *paths], capture_output=True, text=True, check=True).stdout
    ours = tmp_path / "ours.tsv"
    write_merged(merge_profiles(paths), ours)
    theirs_lines, our_lines = printed.splitlines(), ours.read_text().splitlines()
    assert our_lines[0] == theirs_lines[0] == f"#{DB}"
    assert our_lines[1] == theirs_lines[1]
    assert sorted(our_lines[2:]) == sorted(theirs_lines[2:])  # to the letter; rows of equal depth may swap


def test_a_merged_table_reads_back_and_merges_further(tmp_path: Path) -> None:
    a = single(tmp_path / "a_profile.tsv", FULL)
    b = single(tmp_path / "b_profile.tsv.gz", full(30.0))
    merged = tmp_path / "ab.tsv.gz"
    write_merged(merge_profiles([a, b]), merged)
    once = read_metaphlan([a, b])
    again = read_metaphlan(merged)
    pd.testing.assert_frame_equal(once.percent, again.percent)
    c = single(tmp_path / "c_profile.tsv", full(99.0), "4.0")
    three = read_metaphlan([merged, c])
    assert list(three.percent.columns) == ["a", "b", "c"]
    assert three.percent.loc[T1].tolist() == [60.0, 30.0, 99.0]


def test_merged_table_of_metaphlan_3(tmp_path: Path) -> None:
    path = tmp_path / "merged.tsv"
    path.write_text(
        f"#mpa_v30_CHOCOPhlAn_201901\nclade_name\tNCBI_tax_id\tNA\t1e5\n{K}\t2\t100\t100\n{S1}\t2|1\t100.0\t25\n{S2}\t2|2\t0\t75\n"
    )
    abundance = read_abundance(path)
    assert list(abundance.index) == ["NA", "1e5"]
    assert abundance.loc["1e5"].to_dict() == {"s__G_one": 0.25, "s__G_two": 0.75}


def test_abundances_are_closed_over_the_classified_part(tmp_path: Path) -> None:
    table = read_metaphlan(single(tmp_path / "s.tsv", FULL))
    assert abundance_of(table).loc["s"].to_dict() == pytest.approx({"t__SGB11": 0.75, "t__SGB22_group": 0.25})
    assert abundance_of(table, close=False).loc["s"].to_dict() == pytest.approx(
        {"t__SGB11": 0.6, "t__SGB22_group": 0.2}
    )
    assert abundance_of(table, rank="species").loc["s"].to_dict() == pytest.approx({"s__G_one": 0.75, "s__G_two": 0.25})
    assert abundance_of(table, rank="kingdom").loc["s"].to_dict() == {"k__Bacteria": 1.0}
    with pytest.raises(InputError, match="no rows of rank genus"):
        abundance_of(table, rank="genus")
    with pytest.raises(InputError, match="rank 'strain' is not known"):
        abundance_of(table, rank="strain")


def test_a_sample_with_nothing_classified_has_no_profile(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = single(tmp_path / "e_profile.tsv", {"UNCLASSIFIED": 100.0})
    table = read_metaphlan([empty, single(tmp_path / "s_profile.tsv", full(10.0))])
    with caplog.at_level("WARNING"):
        abundance = abundance_of(table)
    assert abundance.loc["e"].isna().all()
    assert abundance.loc["s"].sum() == pytest.approx(1)
    assert "1 of 2 samples have nothing classified: e" in caplog.text


def test_taxa_that_share_a_name_keep_their_lineage(tmp_path: Path) -> None:
    other = "k__Archaea|p__Q|c__C|o__O|f__F|g__G|s__G_one"
    path = tmp_path / "m.tsv"
    path.write_text(f"#{DB}\nclade_name\ta\n{K}\t90\nk__Archaea\t10\n{S1}\t50\n{other}\t10\n{S2}\t40\n")
    assert set(read_abundance(path, rank="species").columns) == {S1, other, "s__G_two"}


def test_taxonomy_splits_lineages() -> None:
    frame = taxonomy([T1, S2])
    assert frame.loc["t__SGB11", ["species", "genus", "sgb"]].tolist() == ["s__G_one", "g__G", "t__SGB11"]
    assert frame.loc["s__G_two", "lineage"] == S2
    assert frame.loc["s__G_two", "sgb"] is None


def problems(*paths: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_metaphlan(list(paths))
    return [str(problem).replace(f"{paths[0].parent}/", "") for problem in caught.value.problems]


def test_tables_of_different_databases_are_refused_by_name(tmp_path: Path) -> None:
    paths = [single(tmp_path / f"{s}.tsv", FULL) for s in "ab"]
    paths.append(single(tmp_path / "c.tsv", FULL, db="mpa_vJun23_CHOCOPhlAnSGB_202307"))
    (message,) = problems(*paths)
    assert message.startswith("c.tsv:1: the table is of database mpa_vJun23_CHOCOPhlAnSGB_202307, while 2 of 3 tables")


def test_the_same_sample_in_two_files_is_refused(tmp_path: Path) -> None:
    a, b = (single(tmp_path / name, FULL, sample="s") for name in ("a.tsv", "b.tsv"))
    (message,) = problems(a, b)
    assert message.startswith("b.tsv: sample 's' stands in")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\t60.0\t", "\tsixty\t", "t.tsv:8: t: 'sixty' is not a number"),
        ("\t60.0\t", "\t60,0\t", "t.tsv:8: t: '60,0' is not a number; write decimals with a point"),
        ("\t60.0\t", "\t-60.0\t", "t.tsv:8: t: -60.0 is negative"),
        ("\t60.0\t", "\tnan\t", "t.tsv:8: t: 'nan' is not a finite number"),
        ("\t60.0\t", "\tinf\t", "t.tsv:8: t: 'inf' is not a finite number"),
        ("\t60.0\t", "\t230\t", "t.tsv: t: the species rows of sample 't' sum to 270, not to 100 at most"),
        (S2 + "\t", S1 + "\t", f"t.tsv:9: clade '{S1}' stands already in line 8"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = single(tmp_path / "t.tsv", FULL)
    path.write_text(path.read_text().replace(old, new, 1))
    assert any(line.startswith(message) for line in problems(path)), problems(path)


def test_all_problems_of_all_files_at_once(tmp_path: Path) -> None:
    bad = single(tmp_path / "a.tsv", FULL)
    bad.write_text(bad.read_text().replace("\t60.0\t", "\tx\t"))
    messages = problems(bad, tmp_path / "missing.tsv")
    assert len(messages) == 3
    assert messages[-1] == "missing.tsv: the file does not exist; correct the path"


def test_a_table_cut_off_is_noticed(tmp_path: Path) -> None:
    path = single(tmp_path / "t.tsv", FULL)
    text = path.read_text()
    path.write_text(text[: text.rindex("t__SGB22") + 4])  # in the middle of a row
    assert any("the row is cut off: 1 of 5 cells" in line for line in problems(path))
    path.write_text(text[: text.rindex(T2)])  # between two rows
    assert any(
        "the sgb rows of sample 't' sum to 60 percent, its kingdoms to 80: rows are missing" in m
        for m in problems(path)
    )


@pytest.mark.parametrize(("total", "fine"), [(1.0, False), (0.95, False), (1.05, False), (0.3, False), (2.0, True)])
def test_any_small_total_is_taken_for_fractions(tmp_path: Path, total: float, fine: bool) -> None:
    path = single(tmp_path / "t.tsv", {k: v * total / 100 for k, v in full(60.0).items()})
    if fine:
        assert read_metaphlan(path).percent.loc[K, "t"] == pytest.approx(total)
    else:
        assert any("fractions, not percentages" in line for line in problems(path))


@pytest.mark.parametrize(("total", "fine"), [(100.4, True), (101.0, False)])
def test_totals_may_exceed_100_by_rounding_only(tmp_path: Path, total: float, fine: bool) -> None:
    path = single(tmp_path / "t.tsv", {k: v * total / 100 for k, v in full(60.0).items()})
    if fine:
        assert read_metaphlan(path).percent.loc[K, "t"] == pytest.approx(total)
    else:
        assert any("not to 100 at most" in line for line in problems(path))


@pytest.mark.parametrize("corner", ["clade_name", "#clade_name", "ID", '"clade_name"', "", "clade"])
def test_merged_tables_are_known_by_their_lineages_whatever_the_corner(tmp_path: Path, corner: str) -> None:
    quote = '"' if corner.startswith('"') else ""
    path = tmp_path / "m.tsv"
    rows = [f"{quote}{clade}{quote}\t{value}\t100" for clade, value in full(25.0).items() if clade not in (S2, T2)]
    rows += [f"{quote}{clade}{quote}\t75.0\t0" for clade in (S2, T2)]
    rows = [row.replace("\t25.0\t100", "\t25.0\t100.0") for row in rows]
    path.write_text("\n".join([f"{corner}\t{quote}a{quote}\t{quote}b{quote}", *rows]) + "\n")
    abundance = read_abundance(path)
    assert list(abundance.index) == ["a", "b"]
    assert abundance.loc["a"].to_dict() == pytest.approx({"t__SGB11": 0.25, "t__SGB22_group": 0.75})


def test_metaphlan_2_names_its_sample_after_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s9_profile.tsv"
    path.write_text(f"#SampleID\tMetaphlan2_Analysis\n{K}\t100.0\n{S1}\t40\n{S2}\t60\n")
    assert read_abundance(path).loc["s9"].to_dict() == {"s__G_one": 0.4, "s__G_two": 0.6}


def test_tables_that_lost_rows_are_not_taken_for_empty_samples(tmp_path: Path) -> None:
    whole = single(tmp_path / "a.tsv", full(10.0))
    without_sgbs = single(tmp_path / "b.tsv", {k: v for k, v in full(20.0).items() if "|t__" not in k})
    assert problems(whole, without_sgbs) == [
        "b.tsv: the table has no SGB rows (t__...), while others have; copy or make it again"
    ]
    nothing = single(tmp_path / "c.tsv", {})
    assert problems(nothing) == ["c.tsv:5: the table has no rows; copy or make it again"]
    merged = tmp_path / "m.tsv"
    merged.write_text(f"clade_name\ta\tb\n{K}\t100\t100\n{S1}\t100\t100\n{T1}\t100\t0\n")
    assert any("the sgb rows of sample 'b' sum to 0 percent" in line for line in problems(merged))


def test_a_rank_that_a_sample_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv"
    path.write_text(f"clade_name\ta\tb\n{K}\t100\t100\n{K}|p__P\t100\t0\n{S1}\t100\t100\n")
    with pytest.raises(InputError, match="rows of rank phylum are missing for b"):
        read_abundance(path, rank="phylum")


def test_a_table_without_database_beside_others_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    named, unnamed = single(tmp_path / "a.tsv", full(10.0)), single(tmp_path / "b.tsv", full(20.0))
    unnamed.write_text(unnamed.read_text().replace(f"#{DB}\n", ""))
    with caplog.at_level("WARNING"):
        read_metaphlan([named, unnamed])
    assert "b.tsv:1: the table names no database, while others do" in caplog.text


def test_gtdb_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.tsv"
    path.write_text(f"#{DB}\n#clade_name\trelative_abundance\nd__Bacteria\t100\nd__Bacteria;p__A\t100\n")
    assert problems(path)[0].startswith("g.tsv:3: the table has GTDB names (d__...); give the table that")


def test_a_file_given_twice_is_said(tmp_path: Path) -> None:
    path = single(tmp_path / "a.tsv", FULL)
    assert problems(path, path) == ["a.tsv: the file is given twice; give it once"]


def test_fractions_are_not_taken_for_percentages(tmp_path: Path) -> None:
    path = single(tmp_path / "t.tsv", {k: v / 100 for k, v in FULL.items()})
    assert any("sum to 1: fractions, not percentages" in line for line in problems(path))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("sample\tsubject\n1\t2\n")
    assert problems(path) == [
        "t.tsv: not a MetaPhlAn table; give the table that `metaphlan -o` writes, or a merged one"
    ]
    path.write_bytes(gzip.compress(b"#mpa_v\n" * 1000)[:-20])
    assert problems(path) == ["t.tsv: truncated or corrupt gzip file; copy or make the file again"]
    path.write_bytes(bz2.compress(b"x" * 1000)[:-5])
    assert problems(path) == ["t.tsv: truncated or corrupt bzip2 file; copy or make the file again"]
    path.write_bytes(b"#mpa_v\nK\xe9\n")
    assert problems(path) == ["t.tsv:2: the file is not UTF-8; save it as UTF-8 text"]
    with pytest.raises(InputError, match="no profile was given"):
        read_metaphlan([])


def test_feature_tables_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "ec.tsv"
    path.write_text("# Gene Family\ts1\ts2\nUNMAPPED\t50\t50\n1.1.1.1\t3\t0\n1.1.1.1|g__G.s__x\t3\t0\n2.2.2.2\t1\t0\n")
    abundance = read_abundance(path)
    assert abundance.loc["s1"].to_dict() == {"1.1.1.1": 0.75, "2.2.2.2": 0.25}
    assert abundance.loc["s2"].isna().all()
    assert read_abundance(path, close=False).loc["s1"].to_dict() == {"1.1.1.1": 3.0, "2.2.2.2": 1.0}
    path.write_text("f\ts1\nA\t\nB\t-1\n")
    with pytest.raises(InputError) as caught:
        read_abundance(path)
    assert [p.message for p in caught.value.problems] == [
        "feature 'A' of sample 's1' is empty",
        "feature 'B' of sample 's1' is negative",
    ]


@given(
    st.lists(st.lists(st.floats(0, 50, allow_nan=False, width=32), min_size=3, max_size=3), min_size=1, max_size=4),
    st.booleans(),
)
def test_writing_and_reading_gives_the_same_numbers(tmp_path_factory, columns: list[list[float]], gz: bool) -> None:
    values = np.array(columns).T
    table = MetaphlanTable(
        percent=pd.DataFrame(
            values, index=["k__B|g__a", "k__B|g__b", "k__B|g__c"], columns=[f"s{i}" for i in range(values.shape[1])]
        ).mul(0.5),
        unclassified=pd.Series(np.nan, index=[f"s{i}" for i in range(values.shape[1])]),
        database=DB,
    )
    totals = table.percent.sum()
    if ((totals > 0) & (totals < 1.1)).any():  # refused: fractions
        return
    path = tmp_path_factory.mktemp("m") / ("m.tsv.gz" if gz else "m.tsv")
    write_merged(table, path)
    assert (read_metaphlan(path).percent.to_numpy() == table.percent.to_numpy()).all()


def test_feature_table_round_trip(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [[0.1, 1 / 3], [2e-7, 5]], index=pd.Index(["007", "NA"], name="sample"), columns=["nan", "1e5"]
    )
    write_features(frame, tmp_path / "f.tsv")
    back = read_abundance(tmp_path / "f.tsv", close=False)
    assert back.to_numpy().tolist() == frame.to_numpy().tolist()
    assert list(back.index) == ["007", "NA"]
    assert list(back.columns) == ["nan", "1e5"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("study", "shape", "database"), [("ucfmt1", (65, 1088), "mpa_vJan21"), ("baruch2021", (42, 1067), "mpa_vOct22")]
)
def test_published_profiles(real_data: Path, study: str, shape: tuple[int, int], database: str) -> None:
    path = real_data / study / "profiles.tsv.gz"
    abundance = read_abundance(path)
    assert abundance.shape == shape
    assert np.allclose(abundance.sum(axis=1), 1)
    assert str(read_metaphlan(path).database).startswith(database)


SINGLE = "#mpa_vJan25_CHOCOPhlAnSGB_202503\n#clade_name\trelative_abundance\n{rows}"


@pytest.mark.parametrize("cell", ["6_0.0", "1_0", "\u0666\u0660", "60\u00a0", "\uff16\uff10"])
@pytest.mark.parametrize("zeros", [1, 200])
def test_only_plain_digits_are_numbers(cell: str, zeros: int, tmp_path: Path) -> None:
    single = tmp_path / "s.tsv"
    single.write_text(SINGLE.format(rows=f"k__Bacteria\t{cell}\n"), encoding="utf-8")
    merged = tmp_path / "m.tsv"
    header = "\t".join(["clade_name", "a", *(f"z{k}" for k in range(zeros))])
    merged.write_text("\n".join([header, "\t".join(["k__Bacteria", cell, *["0.0"] * zeros])]) + "\n", encoding="utf-8")
    # Taxonomy ids among the samples: the row is read cell by cell.
    between = tmp_path / "b.tsv"
    between.write_text(f"clade_name\ta\tNCBI_tax_id\tb\nk__Bacteria\t1.0\t2\t{cell}\n", encoding="utf-8")
    features = tmp_path / "f.tsv"
    features.write_text(f"feature\ta\tb\nx_\u00e9\t1\t{cell}\n", encoding="utf-8")
    for path, read in ((single, read_metaphlan), (merged, read_metaphlan), (between, read_metaphlan)):
        with pytest.raises(InputError, match=r"is not a number; write a percentage") as caught:
            read(path)
        assert [problem.value for problem in caught.value.problems] == [cell]
    with pytest.raises(InputError, match="is not a number"):
        read_features(features)
    features.write_text("feature\ta\tb\nx_\u00e9\t1\t60\n", encoding="utf-8")
    assert read_features(features)["x_\u00e9"].to_list() == [1.0, 60.0]


def test_the_unclassified_part_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(SINGLE.format(rows="UNCLASSIFIED\t10.0\nk__Bacteria\t85.0\nUNKNOWN\t5.0\n"))
    message = r"s\.tsv:5: UNCLASSIFIED and UNKNOWN are both there: each is the unclassified part; keep one row"
    with pytest.raises(InputError, match=message):
        read_metaphlan(path)
    path.write_text(SINGLE.format(rows="k__Bacteria\t85.0\nUNKNOWN\t5.0\n"))
    assert read_metaphlan(path).unclassified.to_list() == [5.0]


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\x0c", "\x1d"])
def test_only_line_ends_end_a_line(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    rows = f"k__Bacteria\t100.0\nk__Bacteria|p__A{mark}B\t60.0\nk__Bacteria|p__C\t40.0\n"
    path.write_text(SINGLE.format(rows=rows), encoding="utf-8")
    assert read_metaphlan(path).percent.iloc[:, 0].to_dict() == {
        "k__Bacteria": 100.0,
        f"k__Bacteria|p__A{mark}B": 60.0,
        "k__Bacteria|p__C": 40.0,
    }


def test_a_name_of_a_sample_that_cannot_be_printed(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv"
    path.write_text("clade_name\ta\x85b\tc\nk__Bacteria\t100.0\t100.0\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"m\.tsv:1: the sample name 'a\\x85b' has an invisible character"):
        read_metaphlan(path)
