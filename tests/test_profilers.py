"""Profiles of Kraken2, Bracken, sourmash gather, taxpasta and BIOM: all end in the same frame."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import biom
import h5py
import numpy as np
import pandas as pd
import pytest
from biom.util import biom_open
from hypothesis import given
from hypothesis import strategies as st

from microbiome.check import check_all
from microbiome.check_profilers import finished_problems
from microbiome.cli import main
from microbiome.config import validate_config
from microbiome.config_profilers import unavailable
from microbiome.detection import limits
from microbiome.errors import InputError
from microbiome.evidence import evidence
from microbiome.features import read_features
from microbiome.metaphlan import abundance_of, merge_profiles, read_abundance, read_metaphlan, taxonomy, write_merged
from microbiome.profilers import has_clades, parse_profile, profile_format, read_taxonomy
from microbiome.profilers.convert import Origin, convert_profile, profile_text
from microbiome.reads import read_accounting

# One community in every form: lineage and taxonomy ids of each species, and its reads.
RANKS = ("superkingdom", "phylum", "class", "order", "family", "genus", "species")
CODES = "DPCOFGS"
SPECIES: dict[str, tuple[tuple[str, ...], tuple[int, ...], int]] = {
    "Blautia wexlerae": (
        ("Bacteria", "Bacillota", "Clostridia", "Lachnospirales", "Lachnospiraceae", "Blautia", "Blautia wexlerae"),
        (2, 1239, 186801, 3085636, 186803, 572511, 418240),
        600,
    ),
    "Blautia obeum": (
        ("Bacteria", "Bacillota", "Clostridia", "Lachnospirales", "Lachnospiraceae", "Blautia", "Blautia obeum"),
        (2, 1239, 186801, 3085636, 186803, 572511, 40520),
        40,
    ),
    "Segatella copri": (
        ("Bacteria", "Bacteroidota", "Bacteroidia", "Bacteroidales", "Prevotellaceae", "Segatella", "Segatella copri"),
        (2, 976, 200643, 171549, 171552, 2974251, 165179),
        250,
    ),
    "Methanobrevibacter smithii": (
        (
            *("Archaea", "Methanobacteriota", "Methanobacteria", "Methanobacteriales", "Methanobacteriaceae"),
            *("Methanobrevibacter", "Methanobrevibacter smithii"),
        ),
        (2157, 28890, 183925, 2158, 2159, 2172, 2173),
        10,
    ),
}
UNCLASSIFIED = 100
TOTAL = UNCLASSIFIED + sum(reads for _, _, reads in SPECIES.values())

Row = tuple[str, int, str, int, list["Row"]]


def tree_report(
    direct: dict[tuple[int, ...], int], names: dict[int, tuple[str, str]], unclassified: int, wide: bool = False
) -> str:
    """Write a Kraken2 report: clade counts are those of the node and all below it."""
    nodes = sorted({place[:depth] for place in direct for depth in range(1, len(place) + 1)})
    total = unclassified + sum(direct.values())
    rows = [f"{100 * unclassified / max(1, total):6.2f}\t{unclassified}\t{unclassified}\tU\t0\tunclassified"]
    for node in nodes:
        clade = sum(number for place, number in direct.items() if place[: len(node)] == node)
        code, name = names[node[-1]]
        more = f"\t{clade * 9}\t{clade * 3}" if wide else ""
        cells = [f"{100 * clade / max(1, total):6.2f}", clade, direct.get(node, 0)]
        rows.append("\t".join(map(str, cells)) + more + f"\t{code}\t{node[-1]}\t{'  ' * (len(node) - 1)}{name}")
    return "\n".join(rows) + "\n"


def report(numbers: dict[str, int] | None = None, unclassified: int = UNCLASSIFIED, **how: bool) -> str:
    numbers = {name: reads for name, (_, _, reads) in SPECIES.items()} if numbers is None else numbers
    names = {1: ("R", "root"), 131567: ("R1", "cellular organisms")}
    direct = {}
    for name, (lineage, ids, _) in SPECIES.items():
        names |= {number: (code, word) for code, number, word in zip(CODES, ids, lineage, strict=True)}
        if name in numbers:
            direct[(1, 131567, *ids)] = numbers[name]
    return tree_report(direct, names, unclassified, **how)


def bracken_table(numbers: dict[str, int] | None = None) -> str:
    numbers = {name: reads for name, (_, _, reads) in SPECIES.items()} if numbers is None else numbers
    whole = sum(numbers.values())
    rows = [
        "name\ttaxonomy_id\ttaxonomy_lvl\tkraken_assigned_reads\tadded_reads\tnew_est_reads\tfraction_total_reads",
        *(
            f"{name}\t{SPECIES[name][1][-1]}\tS\t{reads}\t0\t{reads}\t{reads / whole:.5f}"
            for name, reads in numbers.items()
        ),
    ]
    return "\n".join(rows) + "\n"


def taxpasta_table(lineages: bool = True) -> str:
    head = ["taxonomy_id", *(["name", "rank", "lineage", "id_lineage", "rank_lineage"] if lineages else []), "s1"]
    rows = [head, ["0", *(["", "", "", "", ""] if lineages else []), str(UNCLASSIFIED)]]
    for name, (lineage, ids, reads) in SPECIES.items():
        about = [name, "species", ";".join(lineage), ";".join(map(str, ids)), ";".join(RANKS)]
        rows.append([str(ids[-1]), *(about if lineages else []), str(reads)])
    return "\n".join("\t".join(row) for row in rows) + "\n"


GATHER = ("intersect_bp", "f_unique_to_query", "f_unique_weighted", "name", "filename", "query_name", "ksize", "scaled")


def gather_table(**changed: str) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, GATHER)
    writer.writeheader()
    for k, (_, _, reads) in enumerate(SPECIES.values()):
        same = {"filename": "db/gtdb rs.zip", "query_name": "s1", "ksize": "31", "scaled": "1000"}
        row = {"intersect_bp": 1000, "f_unique_to_query": 0.1, "f_unique_weighted": reads / TOTAL, **same}
        writer.writerow(row | {"name": f"GCF_{k}.1 strain {k}"} | changed)
    return stream.getvalue()


def lineage_table() -> str:
    rows = ["ident," + ",".join(RANKS)]
    rows += [f"GCF_{k}.1," + ",".join(lineage) for k, (lineage, _, _) in enumerate(SPECIES.values())]
    return "\n".join(rows) + "\n"


def biom_table(lineage: Callable[[tuple[str, ...]], object]) -> biom.Table:
    metadata = [{"taxonomy": lineage(places)} for places, _, _ in SPECIES.values()]
    values = np.array([[reads] for _, _, reads in SPECIES.values()], dtype=float)
    values = np.vstack([values, [[UNCLASSIFIED]]])
    return biom.Table(values, [f"f{k}" for k in range(5)], ["s1"], [*metadata, {"taxonomy": ["Unassigned"]}])


def prefixed(places: tuple[str, ...]) -> list[str]:
    return [f"{letter}__{name}" for letter, name in zip("kpcofgs", places, strict=True)]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def forms(tmp_path: Path) -> dict[str, Path]:
    """Return the community in every form."""
    files = {
        "kraken2": write(tmp_path, "s1.kreport", report()),
        "minimizers": write(tmp_path, "s1.kreport.txt", report(wide=True)),
        "taxpasta": write(tmp_path, "s1.taxpasta.tsv", taxpasta_table()),
        "biom1": tmp_path / "v1.biom",
        "biom2": tmp_path / "v2.biom",
        "lineages": write(tmp_path, "lineages.csv", lineage_table()),
        "sourmash": write(tmp_path, "s1.gather.csv", gather_table()),
        "bracken": write(tmp_path, "s1.bracken", bracken_table()),
    }
    files["biom1"].write_text(biom_table(prefixed).to_json("test"))
    with biom_open(str(files["biom2"]), "w") as stream:
        biom_table(prefixed).to_hdf5(stream, "test")
    table, comments = convert_profile(files["kraken2"])
    files["converted"] = write(tmp_path, "s1_profile.tsv", profile_text(table, comments))
    table, comments = convert_profile(files["bracken"], Origin(report=str(files["kraken2"]), database="bracken:db"))
    files["bracken with report"] = write(tmp_path, "bracken_profile.tsv", profile_text(table, comments))
    table, comments = convert_profile(files["sourmash"], Origin(taxonomy=read_taxonomy(files["lineages"])))
    files["sourmash converted"] = write(tmp_path, "gather_profile.tsv", profile_text(table, comments))
    return files


def expected(depth: int) -> pd.Series:
    """Return the part of all reads that each clade of a depth has, added up by hand."""
    parts: dict[str, float] = {}
    for lineage, _, reads in SPECIES.values():
        clade = "|".join(prefixed(tuple(name.replace(" ", "_") for name in lineage))[:depth])
        parts[clade] = parts.get(clade, 0.0) + reads / TOTAL
    return pd.Series(parts)


SAME = ("kraken2", "minimizers", "taxpasta", "biom1", "biom2", "converted", "bracken with report", "sourmash converted")


@pytest.mark.parametrize("form", SAME)
def test_one_community_in_every_form_is_one_profile(forms: dict[str, Path], form: str) -> None:
    table = read_metaphlan(forms[form])
    for depth in range(1, 8):
        rows = table.percent.index.str.count(r"\|") == depth - 1
        found = table.percent.loc[rows].iloc[:, 0] / 100
        wanted = expected(depth)
        assert set(found.index) == set(wanted.index)
        np.testing.assert_allclose(found, wanted[found.index], rtol=1e-12)
    assert table.unclassified.iloc[0] == pytest.approx(100 * UNCLASSIFIED / TOTAL, rel=1e-12)
    species = abundance_of(table)
    assert species.loc[species.index[0], "s__Blautia_wexlerae"] == pytest.approx(600 / 900)
    assert abundance_of(table, "genus").iloc[0]["g__Blautia"] == pytest.approx(640 / 900)
    assert abundance_of(table, close=False).to_numpy().sum() == pytest.approx(1 - UNCLASSIFIED / TOTAL)
    assert taxonomy(table.percent.index).loc["s__Segatella_copri", "phylum"] == "p__Bacteroidota"


@pytest.mark.parametrize("form", SAME)
def test_every_form_writes_the_same_merged_table(forms: dict[str, Path], form: str, tmp_path: Path) -> None:
    merged = tmp_path / "merged.tsv"
    write_merged(merge_profiles([forms[form]]), merged)
    again = read_metaphlan(merged)
    assert again.database == read_metaphlan(forms[form]).database
    pd.testing.assert_frame_equal(again.percent, read_metaphlan(forms[form]).percent, check_exact=True)
    kinds = {"kraken2": "kraken2", "minimizers": "kraken2", "converted": "kraken2", "taxpasta": "taxpasta"}
    kinds |= {"biom1": "biom", "biom2": "biom", "bracken with report": "bracken:db"}
    assert again.database == kinds.get(form, "sourmash:gtdb_rs_k31_scaled1000")


def test_forms_are_told_by_their_content(forms: dict[str, Path], tmp_path: Path) -> None:
    kinds = {form: profile_format(path) for form, path in forms.items()}
    assert kinds["kraken2"] == kinds["minimizers"] == "kraken2"
    assert (kinds["bracken"], kinds["sourmash"], kinds["taxpasta"]) == ("bracken", "sourmash", "taxpasta")
    assert kinds["biom1"] == kinds["biom2"] == "biom"
    assert kinds["converted"] == "metaphlan"
    assert kinds["lineages"] == "features"
    packed = tmp_path / "any_name"
    packed.write_bytes(gzip.compress(report().encode()))
    assert profile_format(packed) == "kraken2"
    pd.testing.assert_frame_equal(
        read_metaphlan(packed).percent, read_metaphlan(forms["kraken2"]).percent.set_axis(["any_name"], axis=1),
        check_names=False,
    )  # fmt: skip


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[tuple[int, ...], int], dict[int, tuple[str, str]], int]:
    """Draw a taxonomy in which ranks are missing here and there, and the sequences of each node."""
    names = {1: ("R", "root")}
    direct: dict[tuple[int, ...], int] = {(1,): draw(st.integers(0, 5))}
    for number in range(draw(st.integers(1, 8))):
        place, identifier = (1,), 100 * (number + 1)
        codes = [code for code in ("D", "P", "G", "S", "S1") if code in "DS" or draw(st.booleans())]
        if number and draw(st.booleans()):
            # A sister of the species before.
            before = max(direct, key=lambda node: node[-1])
            place, codes = before[:-1] if names[before[-1]][0] != "S1" else before[:-2], ["S"]
            if len(place) < 2:
                continue
        for step, code in enumerate(codes):
            place = (*place, identifier + step)
            names[identifier + step] = (code, f"taxon {identifier + step}")
            direct[place] = draw(st.integers(0, 50))
    return direct, names, draw(st.integers(0, 30))


@given(trees())
def test_a_report_read_naively(tree: tuple[dict[tuple[int, ...], int], dict[int, tuple[str, str]], int]) -> None:
    direct, names, unclassified = tree
    text = tree_report(direct, names, unclassified)
    rows = list(csv.reader(io.StringIO(text), delimiter="\t"))
    total = sum(int(row[1]) for row in rows if row[4] in ("0", "1"))
    from microbiome.profilers.kraken2 import read_report, report_profile

    table = report_profile("x.kreport", read_report("x.kreport", text))
    found = dict(zip(table.clades, table.clade_reads, strict=True)) if table.clade_reads is not None else {}
    for code, prefix in (("D", "k__"), ("P", "p__"), ("G", "g__"), ("S", "s__")):
        wanted = {f"{prefix}{row[5].strip().replace(' ', '_')}": int(row[1]) for row in rows if row[3] == code}
        of_rank = {
            clade.rsplit("|", 1)[-1]: reads for clade, reads in found.items() if clade.rsplit("|", 1)[-1][:3] == prefix
        }
        assert of_rank == {name: reads for name, reads in wanted.items() if reads}
    if total:
        np.testing.assert_allclose(table.percent[:, 0], 100 * np.array([found[c] for c in table.clades]) / total)
        assert table.unclassified[0] == pytest.approx(100 * unclassified / total)


def test_a_report_without_the_letters_of_the_upper_ranks(tmp_path: Path) -> None:
    # As Kraken2 2.1.2 of Debian writes it.
    text = report().replace("\tR\t1\t", "\t\t1\t").replace("\tR1\t", "\t1\t").replace("\tD\t", "\t\t")
    path, whole = write(tmp_path, "s1.kreport", text), write(tmp_path, "whole.kreport", report())
    pd.testing.assert_frame_equal(
        read_metaphlan(path).percent.set_axis(["x"], axis=1), read_metaphlan(whole).percent.set_axis(["x"], axis=1)
    )


def test_reads_that_stop_above_the_species_are_in_none(tmp_path: Path) -> None:
    names = {
        1: ("R", "root"),
        2: ("D", "Bacteria"),
        3: ("K", "Bacillati"),
        4: ("G", "Blautia"),
        5: ("S", "Blautia obeum"),
    }
    text = tree_report({(1, 2): 5, (1, 2, 3, 4): 15, (1, 2, 3, 4, 5): 60}, names, 20)
    path = write(tmp_path, "a.kreport", text)
    table = read_metaphlan(path)
    assert table.percent["a"].to_dict() == {
        "k__Bacteria": 80.0,
        "k__Bacteria|g__Blautia": 75.0,
        "k__Bacteria|g__Blautia|s__Blautia_obeum": 60.0,
    }
    assert table.unclassified["a"] == 20.0
    converted, comments = convert_profile(path, Origin(sample="b"))
    assert comments == ["20 percent of all reads have a taxon above the species only"]
    # The missing part is no sign of a table that lost rows, as it is in MetaPhlAn's.
    back = write(tmp_path, "b_profile.tsv", profile_text(converted, comments))
    assert read_metaphlan(back).percent["b"].to_list() == [80.0, 75.0, 60.0]


def test_a_threshold_leaves_out_what_has_fewer_reads(forms: dict[str, Path]) -> None:
    table, _ = convert_profile(forms["kraken2"], Origin(threshold=41))
    assert {clade.rsplit("|")[-1] for clade in table.clades if "|s__" in clade} == {
        "s__Blautia_wexlerae",
        "s__Segatella_copri",
    }
    # What is left out stays in the clade above it.
    genus = next(k for k, clade in enumerate(table.clades) if clade.endswith("g__Blautia"))
    assert table.clade_reads is not None
    assert table.clade_reads[genus] == 640


def test_bracken_takes_the_place_of_the_reports_own_reads(forms: dict[str, Path], tmp_path: Path) -> None:
    numbers = {"Blautia wexlerae": 500, "Blautia obeum": 130, "Segatella copri": 260}
    table = write(tmp_path, "b.tsv", bracken_table(numbers))
    found, _ = convert_profile(table, Origin(sample="s1", report=str(forms["kraken2"])))
    percent = dict(zip(found.clades, found.percent[:, 0], strict=True))
    species = {clade.rsplit("|", 1)[-1]: value for clade, value in percent.items() if "|s__" in clade}
    assert species == {
        "s__Blautia_wexlerae": pytest.approx(50.0),
        "s__Blautia_obeum": pytest.approx(13.0),
        "s__Segatella_copri": pytest.approx(26.0),
    }
    assert percent["k__Bacteria"] == pytest.approx(89.0)
    assert found.unclassified[0] == pytest.approx(10.0)


def test_the_example_of_bracken_alone(tmp_path: Path) -> None:
    # The table that taxpasta's documentation shows.
    text = (
        "name\ttaxonomy_id\ttaxonomy_lvl\tkraken_assigned_reads\tadded_reads\tnew_est_reads\tfraction_total_reads\n"
        "Homo sapiens\t9606\tS\t156\t0\t156\t0.90173\nSaccharomyces cerevisiae\t4932\tS\t17\t0\t17\t0.09827\n"
    )
    path = write(tmp_path, "x.bracken.tsv", text)
    found = read_abundance(path).loc["x"]
    assert found.to_dict() == {
        "s__Homo_sapiens": pytest.approx(156 / 173),
        "s__Saccharomyces_cerevisiae": pytest.approx(17 / 173),
    }
    with pytest.raises(InputError, match="no rows of rank genus"):
        read_abundance(path, "genus")


def test_standard_and_wide_tables_of_taxpasta(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = write(tmp_path, "a.tsv", "taxonomy_id\tcount\n418240\t30\n40520\t10\n0\t10\n")
    two = write(tmp_path, "b.tsv", "taxonomy_id\tcount\n418240\t5\n165179\t15\n")
    wide = write(tmp_path, "wide.tsv", "taxonomy_id\ta\tb\n418240\t30\t5\n40520\t10\t0\n0\t10\t0\n165179\t0\t15\n")
    with caplog.at_level(logging.WARNING):
        separate, together = read_metaphlan([one, two]), read_metaphlan(wide)
    assert "taxonomy ids and neither names nor lineages" in caplog.text
    pd.testing.assert_frame_equal(separate.percent, together.percent)
    assert separate.percent.loc["s__taxid_418240"].to_list() == [60.0, 25.0]
    assert (separate.unclassified["a"], together.unclassified["a"]) == (20.0, 20.0)
    assert read_abundance([one, two]).loc["a", "s__taxid_40520"] == 0.25


def test_taxpasta_counts_are_added_up_with_a_taxonomy(tmp_path: Path) -> None:
    nodes = [(1, 1, "no rank", "root"), (2, 1, "superkingdom", "Bacteria"), (572511, 2, "genus", "Blautia")]
    nodes += [(40520, 572511, "species", "Blautia obeum"), (411459, 40520, "strain", "Blautia obeum ATCC 29174")]
    folder = tmp_path / "taxonomy"
    folder.mkdir()
    write(folder, "nodes.dmp", "".join(f"{a}\t|\t{b}\t|\t{c}\t|\n" for a, b, c, _ in nodes))
    names = [f"{a}\t|\t{d}\t|\t\t|\tscientific name\t|\n{a}\t|\tother\t|\t\t|\tsynonym\t|\n" for a, _, _, d in nodes]
    write(folder, "names.dmp", "".join(names))
    write(folder, "merged.dmp", "999\t|\t40520\t|\n")
    known = read_taxonomy(folder)
    # Directly assigned: to the genus, the species, a strain of it, and an identifier that was replaced.
    text = "taxonomy_id\tcount\n572511\t10\n40520\t20\n411459\t30\n999\t40\n"
    table = parse_profile(write(tmp_path, "a.tsv", text), known)
    percent = dict(zip(table.clades, table.percent[:, 0], strict=True))
    assert percent == {
        "k__Bacteria": 100.0,
        "k__Bacteria|g__Blautia": 100.0,
        "k__Bacteria|g__Blautia|s__Blautia_obeum": 90.0,
    }
    with pytest.raises(InputError, match=r"a2\.tsv:2: taxonomy_id: taxonomy id 77 is not in"):
        parse_profile(write(tmp_path, "a2.tsv", "taxonomy_id\tcount\n77\t1\n"), known)


def greengenes(places: tuple[str, ...]) -> str:
    return "; ".join([*prefixed(places)[:6], f"s__{places[-1].split(' ')[1]}"])


@pytest.mark.parametrize("lineage", [list, greengenes, lambda places: "; ".join(places)], ids=["list", "gg", "text"])
def test_lineages_of_biom_in_their_spellings(
    lineage: Callable[[tuple[str, ...]], object], forms: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "x.biom"
    path.write_text(biom_table(lineage).to_json("test"))
    pd.testing.assert_frame_equal(read_metaphlan(path).percent, read_metaphlan(forms["biom2"]).percent)


def test_a_biom_table_without_lineages_is_one_of_features(tmp_path: Path) -> None:
    table = biom.Table(np.array([[1.0, 3.0], [1.0, 0.0]]), ["007", "NA"], ["a", "b"])
    path = tmp_path / "x.biom"
    with biom_open(str(path), "w") as stream:
        table.to_hdf5(stream, "test")
    assert not has_clades(path)
    assert read_features(path).to_dict() == {"007": {"a": 1.0, "b": 3.0}, "NA": {"a": 1.0, "b": 0.0}}
    assert read_abundance(path).to_dict() == {"007": {"a": 0.5, "b": 1.0}, "NA": {"a": 0.5, "b": 0.0}}
    with pytest.raises(InputError, match="the observations of the BIOM table have no taxonomy"):
        read_metaphlan([path])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_a_gather_table_read_naively(parts: list[float], random: object) -> None:
    whole = sum(parts) * 1.2 or 1.0
    chosen = [list(SPECIES)[k % len(SPECIES)] for k in range(len(parts))]
    rows = [f"{k},{part / whole!r},0.1,G{k} some words" for k, part in enumerate(parts)]
    text = "intersect_bp,f_unique_weighted,f_unique_to_query,name\n" + "\n".join(rows) + "\n"
    from microbiome.profilers.clades import Place
    from microbiome.profilers.sourmash import parse_gather
    from microbiome.profilers.taxonomy import Taxonomy

    places = {f"G{k}": Place((f"s__{name}",), ("",)) for k, name in enumerate(chosen)}
    table = parse_gather("x.csv", text, Taxonomy("test", places))
    wanted: dict[str, float] = {}
    for row in csv.DictReader(io.StringIO(text)):
        name = f"s__{chosen[int(row['intersect_bp'])]}"
        wanted[name] = wanted.get(name, 0.0) + 100 * float(row["f_unique_weighted"])
    found = dict(zip(table.clades, table.percent[:, 0], strict=True))
    assert set(found) == {name for name, value in wanted.items() if value > 0}
    for name, value in found.items():
        assert value == pytest.approx(wanted[name])
    assert table.unclassified[0] == pytest.approx(100 - sum(wanted.values()))


def test_genomes_are_found_without_their_version(forms: dict[str, Path], tmp_path: Path) -> None:
    known = read_taxonomy(write(tmp_path, "other.csv", lineage_table().replace(".1,", ".2,")))
    assert (
        parse_profile(forms["sourmash"], known).clades
        == parse_profile(forms["sourmash"], read_taxonomy(forms["lineages"])).clades
    )


def test_a_gather_table_with_lineages_needs_no_others(forms: dict[str, Path], tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(gather_table())))
    lineages = ["lineage", *(";".join(lineage) for lineage, _, _ in SPECIES.values())]
    text = "\n".join(",".join([*row, extra]) for row, extra in zip(rows, lineages, strict=True)) + "\n"
    table = read_metaphlan(write(tmp_path, "x.csv", text))
    pd.testing.assert_frame_equal(table.percent, read_metaphlan(forms["sourmash converted"]).percent)


def test_limits_rest_on_counted_reads_and_on_nothing_like_them(forms: dict[str, Path]) -> None:
    found = evidence(forms["kraken2"])
    # Every read is one piece of evidence: 900 of them are of species, the rarest has 10.
    assert found.loc["s1", "reads_per_abundance"] == pytest.approx(900)
    assert found.loc["s1", "fewest_reads"] == 10
    table = limits(read_abundance(forms["kraken2"]), evidence=found).set_index("sample")
    assert table.loc["s1", "source"] == "reads_per_clade"
    assert table.loc["s1", "unit"] == pytest.approx(10 / 900)
    for form in ("sourmash converted", "taxpasta", "biom2"):
        found = evidence(forms[form])
        assert found[["reads_per_abundance", "fewest_reads"]].isna().all(axis=None), form
        table = limits(read_abundance(forms[form]), evidence=found)
        assert table["source"].to_list() == ["lowest_abundance"]
        assert table["unit"].to_list() == [pytest.approx(10 / 900)]


def test_the_accounting_of_reads_takes_every_form(forms: dict[str, Path]) -> None:
    row = read_accounting(["s1"], [forms["kraken2"]]).iloc[0]
    assert (row["taxa"], row["unclassified"], row["fewest_reads"]) == (4, 0.1, 10)
    row = read_accounting(["s1"], [forms["sourmash"]], taxonomy=read_taxonomy(forms["lineages"])).iloc[0]
    assert (row["taxa"], row["unclassified"]) == (4, pytest.approx(0.1))


def test_convert_by_command(forms: dict[str, Path], tmp_path: Path) -> None:
    profiled = write(tmp_path, "c.tsv", "sample\treads\tstatus\treason\nX\t1800\tok\t\n")
    out = tmp_path / "X_profile.tsv"
    words = ["--sample", "X", "--database", "kraken2:standard", "--threshold", "20", "--profiled", str(profiled)]
    assert main(["convert", str(forms["kraken2"]), *words, "-o", str(out)]) == 0
    lines = out.read_text().splitlines()
    assert lines[0] == "#kraken2:standard"
    assert "#1800 reads processed" in lines
    assert "UNCLASSIFIED\t-1\t10.0\t-\t-" in lines
    genus = "k__Bacteria|p__Bacillota|c__Clostridia|o__Lachnospirales|f__Lachnospiraceae|g__Blautia"
    assert f"{genus}\t2|1239|186801|3085636|186803|572511\t64.0\t-\t640" in lines
    table = read_metaphlan(out)
    assert (table.database, table.reads_processed["X"]) == ("kraken2:standard", 1800)
    assert not table.percent.index.str.contains("smithii").any()
    flagged = write(tmp_path, "few.tsv", "sample\treads\tstatus\treason\nX\t5\tfew_reads\tonly 5 reads\n")
    empty = write(tmp_path, "few.kreport", "100.00\t0\t0\tU\t0\tunclassified\n")
    assert main(["convert", str(empty), "--sample", "X", "--profiled", str(flagged), "-o", str(out)]) == 0
    assert "#not profiled: only 5 reads" in out.read_text()
    assert read_metaphlan(out).unclassified["X"] == 100.0
    assert read_abundance(out).isna().all(axis=None)


def test_merge_by_command_with_lineages(forms: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "merged.tsv"
    words = ["--taxonomy", str(forms["lineages"]), "-o", str(out)]
    assert main(["merge", str(forms["sourmash"]), *words]) == 0
    assert read_metaphlan(out).percent.shape == read_metaphlan(forms["sourmash converted"]).percent.shape


REPORT, BRACKEN, TAXPASTA = report(), bracken_table(), taxpasta_table()
BAD: dict[str, tuple[str, str, str]] = {
    "report with a row twice": (
        "x.kreport",
        REPORT + REPORT.splitlines()[-1] + "\n",
        r"taxonomy id \d+ stands already in line",
    ),
    "report that lost its end": (
        "x.kreport",
        "\n".join(REPORT.splitlines()[:-2]) + "\n",
        "the rows have .* sequences, the root .*: rows are missing",
    ),
    "report cut off in a row": ("x.kreport", REPORT[:-30], "the row has 5 cells|rows are missing|no row of a report"),
    "report with a negative count": ("x.kreport", REPORT.replace("\t600\t600", "\t600\t-600"), "no row of a report"),
    "bracken without a column": (
        "x.tsv",
        BRACKEN.replace("\tnew_est_reads", "\tanything"),
        "column 'new_est_reads' is missing",
    ),
    "bracken with a negative count": ("x.tsv", BRACKEN.replace("\t600\t0\t600", "\t600\t0\t-600"), "-600 is negative"),
    "bracken in percent": ("x.tsv", BRACKEN.replace("0.66667", "66.667"), "'66.667' is not a fraction"),
    "bracken that lost rows": (
        "x.tsv",
        "\n".join(BRACKEN.splitlines()[:3]) + "\n",
        "fraction_total_reads sums to 0.7111, not to 1",
    ),
    "bracken of two ranks": ("x.tsv", BRACKEN.replace("40520\tS", "40520\tG"), r"of several ranks \(S, G\)"),
    "bracken of strains": ("x.tsv", BRACKEN.replace("\tS\t", "\tS1\t"), "'S1' is no rank of a profile"),
    "bracken with an id twice": ("x.tsv", BRACKEN.replace("40520", "418240"), "taxonomy id 418240 stands already"),
    "taxpasta without counts": ("x.tsv", "taxonomy_id\tname\n1\troot\n", "column 'count' is missing"),
    "taxpasta by commas": ("x.tsv", "taxonomy_id,count\n1,5\n", "separated by commas"),
    "taxpasta in fractions": ("x.tsv", TAXPASTA.replace("\t600", "\t0.6"), "0.6 is not a whole number.*not fractions"),
    "taxpasta with a negative count": ("x.tsv", TAXPASTA.replace("\t600", "\t-6"), "-6 is negative"),
    "taxpasta with a word": ("x.tsv", TAXPASTA.replace("\t600", "\tmany"), "'many' is not a number"),
    "taxpasta with an empty cell": ("x.tsv", "taxonomy_id\ta\n5\t\n", "'' is not a number"),
    "taxpasta with an id twice": (
        "x.tsv",
        TAXPASTA.replace("\n40520", "\n418240"),
        "'418240' stands already in line 3",
    ),
    "taxpasta in the long form": ("x.tsv", "taxonomy_id\tcount\tsample\n1\t5\ta\n", "long form.*--wide"),
    "taxpasta cut off": ("x.tsv", TAXPASTA[:-60], "the row is cut off|is not a number"),
    "taxpasta with a sample twice": ("x.tsv", "taxonomy_id\ta\ta\n1\t5\t5\n", "column 'a' stands twice"),
    "gather without lineages": ("x.csv", gather_table(), "does not tell which species its genomes are"),
    "gather without its column": ("x.csv", gather_table().replace("f_unique_to", "anything"), "is missing"),
    "biom cut off": ("x.biom", biom_table(prefixed).to_json("test")[:-40], "not a BIOM table that can be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused_with_file_and_advice(case: str, tmp_path: Path) -> None:
    name, text, message = BAD[case]
    path = write(tmp_path, name, text)
    with pytest.raises(InputError, match=message) as caught:
        read_metaphlan(path)
    for problem in caught.value.problems:
        assert problem.file == str(path)
        assert problem.fix


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"f_unique_weighted": "66"}, "'66' is not a fraction.*not percentages"),
        ({"f_unique_weighted": "-0.1"}, "'-0.1' is not a fraction"),
        ({"f_unique_weighted": "0.5"}, "sums to 2, more than 1"),
        ({"name": "GCF_0.1 strain"}, "genome 'GCF_0.1 strain' stands already in line 2"),
        ({"name": "GCF_9.1"}, "genome 'GCF_9.1' is not in "),
    ],
)
def test_bad_tables_of_gather(changed: dict[str, str], message: str, forms: dict[str, Path], tmp_path: Path) -> None:
    path = write(tmp_path, "bad.csv", gather_table(**changed))
    with pytest.raises(InputError, match=message):
        parse_profile(path, read_taxonomy(forms["lineages"]))


def test_tables_of_several_runs_of_gather(forms: dict[str, Path], tmp_path: Path) -> None:
    text = gather_table().replace("s1,31", "s2,31", 1)
    with pytest.raises(InputError, match="query_name is 's2' and 's1': tables of several runs"):
        parse_profile(write(tmp_path, "bad.csv", text), read_taxonomy(forms["lineages"]))


def test_bracken_of_another_report(forms: dict[str, Path], tmp_path: Path) -> None:
    table = write(tmp_path, "b.tsv", BRACKEN.replace("40520", "77"))
    with pytest.raises(InputError, match=r"taxonomy id 77 \(Blautia obeum\) is not in the report"):
        convert_profile(table, Origin(report=str(forms["kraken2"])))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ident,phylum,class,order,family,genus\nG,a,b,c,d,e\n", "column 'species' is missing"),
        (lineage_table() + "GCF_0.1,a,b,c,d,e,f,g\n", "'GCF_0.1' stands already in line 2"),
        (lineage_table() + "GCF_8.1,a\n", "the row has 2 cells for 8 columns"),
    ],
)
def test_bad_lineages(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_taxonomy(write(tmp_path, "l.csv", text))
    (tmp_path / "dumps").mkdir()
    with pytest.raises(InputError, match=r"nodes\.dmp is missing"):
        read_taxonomy(tmp_path / "dumps")


def test_profiles_of_two_databases_are_refused_together(forms: dict[str, Path], tmp_path: Path) -> None:
    known = read_taxonomy(forms["lineages"])
    other = write(tmp_path, "s2.csv", gather_table(query_name="s2", ksize="51"))
    with pytest.raises(InputError, match="database sourmash:gtdb_rs_k51_scaled1000, while 1 of 2 tables"):
        read_metaphlan([forms["sourmash"], other], known)
    with pytest.raises(InputError, match="the table is of database"):
        read_metaphlan([forms["kraken2"], write(tmp_path, "s2.bracken", BRACKEN)])
    metaphlan = "#mpa_vJan25_CHOCOPhlAnSGB_202503\n#clade_name\trelative_abundance\nk__Bacteria\t100.0\n"
    with pytest.raises(InputError, match="the table is of database"):
        read_metaphlan([forms["kraken2"], write(tmp_path, "s2_profile.tsv", metaphlan)])
    renamed = write(tmp_path, "s2.kreport", REPORT.replace("Bacillota", "Firmicutes"))
    with pytest.raises(InputError, match=r"taxonomy id 1239 is k__Bacteria\|p__Firmicutes here and .*two taxonomies"):
        read_metaphlan([forms["kraken2"], renamed])
    # A sample in which nothing was found goes with any.
    nothing = write(tmp_path, "s3.csv", gather_table().splitlines()[0] + "\n")
    assert list(read_metaphlan([forms["sourmash"], nothing], known).percent) == ["s1", "s3"]


def settings(**given: object) -> dict[str, object]:
    return {"samples": "s.tsv", "units": "u.tsv", "profiler": "kraken2", "kraken2": {"database": "db"}, **given}


def problems(config: dict[str, object], level: str) -> dict[str, str]:
    return {problem.column: problem.message for problem in validate_config(config)[1] if problem.level == level}


def test_what_needs_sgbs_is_refused_where_it_is_asked_for() -> None:
    assert problems(settings(), "error") == {}
    assert "has no SGBs" in problems(settings(), "warning")["profiler"]
    asked: dict[str, dict[str, object]] = {
        "strains.method": {"strains": {"method": "alleles"}},
        "strains.strainphlan": {"strains": {"strainphlan": True}},
        "strains.distances": {"strains": {"distances": "d.tsv"}},
        "profile.rank": {"profile": {"rank": "sgb"}},
        "diversity.tree": {"diversity": {"tree": "t.nwk"}},
        "function.prescreen": {"function": {"nucleotide_database": "n", "protein_database": "p"}},
    }
    for key, section in asked.items():
        assert set(problems(settings(**section), "error")) == {key}, key
    assert problems(settings(strains={"method": "none"}), "error") == {}
    own = {"metaphlan_database": "m", "metaphlan_index": "mpa_vJun23_x"}
    function = {"nucleotide_database": "n", "protein_database": "p", **own}
    assert problems(settings(function=function), "error") == {}


def test_each_profiler_asks_for_its_own_database() -> None:
    def needed(profiler: str) -> set[str]:
        return set(problems({"samples": "s.tsv", "units": "u.tsv", "profiler": profiler}, "error"))

    assert needed("metaphlan") == {"metaphlan.database", "metaphlan.index"}
    assert needed("kraken2") == {"kraken2.database"}
    assert needed("sourmash") == {"sourmash.database", "sourmash.lineages"}
    finished = {"samples": "s.tsv", "profiles": "x.kreport", "profiler": "kraken2"}
    assert "has no effect on finished profiles" in problems(finished, "warning")["profiler"]
    assert validate_config(json.loads('{"samples": "s", "units": "u", "kraken2": {"bracken": "maybe"}}'))[1]


def test_only_metaphlan_gives_everything() -> None:
    assert unavailable("metaphlan") == []
    for profiler in ("kraken2", "bracken", "sourmash", "taxpasta", "biom"):
        assert any("strains" in text for text in unavailable(profiler))


def annotated(lineages: list[str]) -> str:
    rows = list(csv.reader(io.StringIO(gather_table())))
    return "\n".join(",".join([*row, extra]) for row, extra in zip(rows, ["lineage", *lineages], strict=True)) + "\n"


@pytest.mark.parametrize("empty", ["", ";;;;;;", "d__;p__;c__;o__;f__;g__;s__"])
def test_a_genome_without_a_lineage_does_not_vanish(empty: str, tmp_path: Path) -> None:
    lineages = [";".join(lineage) for lineage, _, _ in SPECIES.values()]
    path = write(tmp_path, "x.csv", annotated([*lineages[:2], empty, lineages[3]]))
    with pytest.raises(InputError, match=r"x\.csv:4: name: genome 'GCF_2\.1' has no lineage; run `sourmash tax annot"):
        parse_profile(path)
    cells = empty.split(";") if ";" in empty else [""] * 7
    empty_row = lineage_table().replace(",".join(SPECIES["Segatella copri"][0]), ",".join(cells))
    known = read_taxonomy(write(tmp_path, "l.csv", empty_row))
    with pytest.raises(InputError, match=r"y\.csv:4: name: genome 'GCF_2\.1' has no name at any rank in .*l\.csv"):
        parse_profile(write(tmp_path, "y.csv", gather_table()), known)


def damaged_biom(path: Path, part: str, values: list[int]) -> None:
    table = biom.Table(
        np.array([[5.0, 0.0], [2.0, 3.0]]),
        ["o1", "o2"],
        ["s1", "s2"],
        [{"taxonomy": ["k__B", f"p__{k}"]} for k in "ab"],
    )
    with biom_open(str(path), "w") as stream:
        table.to_hdf5(stream, "test")
    with h5py.File(path, "r+") as stream:
        if part:
            del stream[part]
            stream[part] = np.array(values, dtype="i4")


@pytest.mark.parametrize("axis", ["sample", "observation"])
@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("indices", [0, 9, 1], "an index lies outside of 0 to 1"),
        ("indices", [0, -1, 1], "an index lies outside of 0 to 1"),
        ("indices", [0, 1], "3 values for 2 indices"),
        ("indptr", [0, 9, 3], "indptr does not rise from 0 to 3"),
        ("indptr", [0, 3], "indptr has 2 entries for 2 names"),
        ("indptr", [1, 2, 3], "indptr does not rise from 0 to 3"),
        ("indptr", [0, 2, 2], "indptr does not rise from 0 to 3"),
    ],
)
def test_a_damaged_biom_table_is_refused(axis: str, part: str, values: list[int], message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.biom"
    damaged_biom(path, f"{axis}/matrix/{part}", values)
    for read in (parse_profile, read_features):
        with pytest.raises(InputError, match=rf"the BIOM table is damaged \({axis}/matrix: {message}\)"):
            read(path)


def test_a_biom_cell_that_stands_twice_and_a_part_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.biom"
    damaged_biom(path, "", [])
    assert parse_profile(path).percent[0].tolist() == [100.0, 100.0]
    damaged_biom(path, "sample/matrix/indices", [0, 0, 1])
    with pytest.raises(InputError, match="one cell stands twice"):
        parse_profile(path)
    with h5py.File(path, "r+") as stream:
        del stream["sample/matrix"]
    with pytest.raises(InputError, match="not a BIOM table that can be read"):
        parse_profile(path)


def test_an_empty_biom_table_is_not_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.biom"
    with biom_open(str(path), "w") as stream:
        biom.Table(np.zeros((2, 2)), ["o1", "o2"], ["s1", "s2"]).to_hdf5(stream, "test")
    assert read_features(path).to_numpy().tolist() == [[0.0, 0.0], [0.0, 0.0]]


BAD_NAMES = ["s\tx", "s\nx", "s\x07x", "s\u2028x", " s1", "s1 ", ""]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_of_samples_that_no_table_can_hold(name: str, tmp_path: Path) -> None:
    message = "sample 1 has no name" if not name else "extra white space" if name.strip() != name else "invisible"
    gather = gather_table().replace(",s1,", f',"{name}",')
    known = read_taxonomy(write(tmp_path, "l.csv", lineage_table()))
    if name:
        with pytest.raises(InputError, match=message):
            parse_profile(write(tmp_path, "x.csv", gather), known)
    for file, about in (("a.biom", [{"taxonomy": ["k__B"]}]), ("b.biom", None)):
        table = biom.Table(np.array([[5.0]]), ["o1"], [name], about)
        path = write(tmp_path, file, table.to_json("test"))
        with pytest.raises(InputError, match=message):
            (parse_profile if about else read_features)(path)
    if "\t" not in name and "\n" not in name:
        path = write(tmp_path, "x.tsv", f"taxonomy_id\tb\t{name}\n5\t1\t1\n")
        with pytest.raises(InputError, match="has no name|" + message):
            parse_profile(path)
    if name:
        path = write(tmp_path, "x.kreport", report())
        with pytest.raises(InputError, match=f"--sample.*{message}"):
            convert_profile(path, Origin(sample=name))


@pytest.mark.parametrize("end", ["\r", "\r\n"])
@pytest.mark.parametrize("form", ["kraken2", "bracken", "taxpasta", "sourmash", "converted"])
def test_every_line_end_is_read(end: str, form: str, forms: dict[str, Path], tmp_path: Path) -> None:
    lineages = tmp_path / "l.csv"
    lineages.write_bytes(lineage_table().replace("\n", end).encode())
    known = read_taxonomy(lineages) if form == "sourmash" else None
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / forms[form].name
    wanted = parse_profile(forms[form], known)
    path.write_bytes(forms[form].read_bytes().replace(b"\r\n", b"\n").replace(b"\n", end.encode()))
    found = parse_profile(path, known)
    assert (found.clades, found.samples) == (wanted.clades, wanted.samples)
    np.testing.assert_array_equal(found.percent, wanted.percent)


def test_a_cell_that_no_csv_has(forms: dict[str, Path], tmp_path: Path) -> None:
    long = "x" * 200_000
    with pytest.raises(InputError, match=r"x\.csv:2: no table separated by commas \(field larger than field limit"):
        parse_profile(write(tmp_path, "x.csv", gather_table(name=long)), read_taxonomy(forms["lineages"]))
    with pytest.raises(InputError, match=r"l\.csv:6: no table separated by commas"):
        read_taxonomy(write(tmp_path, "l.csv", lineage_table() + f"{long},a,b,c,d,e,f,g\n"))


@pytest.mark.parametrize("digits", [19, 400, 5000])
def test_counts_beyond_all_numbers(digits: int, tmp_path: Path) -> None:
    huge = "9" * digits
    cases = {
        "a.kreport": (REPORT.replace("\t600\t600", f"\t{huge}\t{huge}"), "no row of a report"),
        "b.kreport": (REPORT + f"  0.01\t{huge}\t0\tU\t0\tunclassified\n", "no row of a report"),
        "c.bracken": (BRACKEN.replace("\t600\t0\t600", f"\t600\t0\t{huge}"), "is no count"),
    }
    for name, (text, message) in cases.items():
        with pytest.raises(InputError, match=message):
            parse_profile(write(tmp_path, name, text))


def test_amounts_whose_sum_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="amounts of sample 'a' are too large"):
        parse_profile(write(tmp_path, "a.tsv", "taxonomy_id\ta\tb\n5\t1e308\t1\n6\t1e308\t1\n"))


@pytest.mark.parametrize("odd", [7, {"a": 1}, [1, 2], [["k__B"]], True, 0.5])
def test_a_taxonomy_of_biom_that_is_none(odd: object, tmp_path: Path) -> None:
    table = json.loads(biom_table(prefixed).to_json("test"))
    table["rows"][1]["metadata"]["taxonomy"] = odd
    with pytest.raises(InputError, match=r"the taxonomy of observation 'f1' is .*give a list of names"):
        parse_profile(write(tmp_path, "x.biom", json.dumps(table)))


def test_ranks_of_biom_that_are_null(tmp_path: Path) -> None:
    table = json.loads(biom_table(prefixed).to_json("test"))
    table["rows"][3]["metadata"]["taxonomy"] = ["k__Archaea", None, float("nan")]
    found = parse_profile(write(tmp_path, "x.biom", json.dumps(table)))
    assert dict(zip(found.clades, found.percent[:, 0], strict=True))["k__Archaea"] == pytest.approx(1.0)


@pytest.mark.parametrize("threshold", ["-3", "nan", "inf"])
def test_a_threshold_below_nothing(threshold: str, forms: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(forms["kraken2"]), f"--threshold={threshold}", "-o", "-"]) == 2
    assert f"--threshold: the threshold is {threshold}; give a number of reads" in capsys.readouterr().err


def test_convert_says_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "samples.tsv", "sample\tsubject\nA\tB\n")
    assert main(["convert", str(path)]) == 2
    said = capsys.readouterr().err
    assert "samples.tsv: not a profile that is read here; give a Kraken2 report" in said
    assert "metaphlan" not in said
    assert main(["convert", str(tmp_path / "none.tsv")]) == 2
    assert "does not exist" in capsys.readouterr().err


def changed_report(old: str, new: str) -> str:
    assert REPORT.count(old) == 1
    return REPORT.replace(old, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Percentages would be of the classified sequences only, 100 for the 90 that the root says.
        (REPORT.split("\n", 1)[1], r"root has 90\.00 percent of the sequences, but 100\.00 of those in the rows"),
        (changed_report("\t100\t100\tU", "\t10\t10\tU"), r"root has 90\.00 percent .*, but 98\.90"),
        (
            changed_report("\t250\t0\tP", "\t299\t0\tP"),
            "the clade has 299 sequences, itself and the clades below it 250",
        ),
        (changed_report("    Bacteria", "     Bacteria"), "'     Bacteria' stands below no row: .* by 5 blanks"),
        (changed_report("    Bacteria", "        Bacteria"), "stands below no row: it is indented by 8 blanks"),
        (changed_report("\t600\t600", "\t\u0666\u0660\u0660\t\u0666\u0660\u0660"), "no row of a report"),
    ],
)
def test_a_report_whose_numbers_do_not_fit_each_other(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        parse_profile(write(tmp_path, "x.kreport", text))


def test_a_report_cut_to_whole_sequences_is_read(tmp_path: Path) -> None:
    names = {1: ("R", "root"), 2: ("D", "B"), 3: ("S", "a"), 4: ("S", "b"), 5: ("S", "c")}
    text = tree_report({(1,): 1, (1, 2, 3): 10, (1, 2, 4): 9}, names, 0)
    # As Bracken writes them: 10.6 and 9.6 are 20 in the clade above, and 10 and 9 themselves.
    table = parse_profile(write(tmp_path, "x.kreport", text.replace("\t19\t0\tD", "\t20\t0\tD")))
    assert table.clades == ["k__B", "k__B|s__a", "k__B|s__b"]


def test_numbers_of_bracken_that_do_not_fit_each_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    changed = BRACKEN.replace("\t600\t0\t600", "\t600\t0\t0")
    with pytest.raises(
        InputError, match=r"b\.tsv:2: new_est_reads: new_est_reads is 0 of 300, fraction_total_reads 0\.6"
    ):
        parse_profile(write(tmp_path, "b.tsv", changed))
    with pytest.raises(InputError, match=r"b\.tsv:3: name: taxonomy id 40520 has no name"):
        parse_profile(write(tmp_path, "b.tsv", BRACKEN.replace("Blautia obeum", " ")))
    with caplog.at_level(logging.WARNING):
        parse_profile(write(tmp_path, "b.tsv", BRACKEN.replace("Blautia obeum", "Blautia wexlerae")))
    assert "s__Blautia_wexlerae is the name of taxonomy ids 418240 and 40520" in caplog.text


def test_what_stops_at_the_root_is_told(tmp_path: Path) -> None:
    head = "taxonomy_id\tname\trank\tlineage\trank_lineage\tcount\n"
    rows = "1\troot\tno rank\t\t\t50\n853\tF p\tspecies\tBacteria;F p\tsuperkingdom;species\t30\n0\t\t\t\t\t20\n"
    table, comments = convert_profile(write(tmp_path, "x.tsv", head + rows))
    assert dict(zip(table.clades, table.percent[:, 0], strict=True)) == {
        "k__Bacteria": 30.0,
        "k__Bacteria|s__F_p": 30.0,
    }
    assert comments == ["50 percent of all reads have a taxon above the species only"]
    nothing, comments = convert_profile(write(tmp_path, "n.tsv", "taxonomy_id\tcount\n5\t0\n"))
    assert (nothing.clades, comments) == ([], [])


def test_a_compressed_biom_table_is_told(forms: dict[str, Path], tmp_path: Path) -> None:
    for form in ("biom1", "biom2"):
        path = tmp_path / f"{form}.gz"
        path.write_bytes(gzip.compress(forms[form].read_bytes()))
        assert profile_format(path) == "biom"
        for read in (parse_profile, read_features):
            with pytest.raises(InputError, match="a compressed BIOM table; unpack it first"):
                read(path)


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("kraken2", "Kraken2"),
        ("bracken", "Bracken"),
        ("sourmash", "sourmash"),
        ("taxpasta", "taxpasta"),
        ("biom2", "BIOM"),
        ("converted", "Kraken2"),
        ("sourmash converted", "sourmash"),
    ],
)
def test_finished_tables_of_other_profilers_say_what_they_lack(form: str, name: str, forms: dict[str, Path]) -> None:
    files = [str(forms[form])]

    def found(**given: object) -> dict[str, tuple[str, str]]:
        config, wrong = validate_config({"samples": "s.tsv", "profiles": files[0], **given})
        assert not [problem for problem in wrong if problem.level == "error" and problem.column == "profile.rank"]
        return {problem.column: (problem.level, problem.message) for problem in finished_problems(config, files)}

    left_out = f"the profiles are of {name}, which has no SGBs: strains, tree metrics and SGBs are left out"
    warned = {"profiles": ("warning", left_out)}
    assert found() == warned
    assert found(profile={"rank": "species"}, strains={"method": "none"}) == warned
    rank = found(profile={"rank": "sgb"})
    assert rank == warned | {"profile.rank": ("error", f"the profiles are of {name}, which has no SGBs")}
    tree = found(diversity={"tree": "t.nwk"})
    assert tree == warned | {
        "diversity.tree": ("error", f"the tree is one of SGBs, and the taxa of {name} are species")
    }
    for key in ("alleles", "distances"):
        asked = found(strains={key: "d.tsv"})
        assert asked[f"strains.{key}"] == ("error", f"they are named by SGBs, and the taxa of {name} are species")
        assert asked["profiles"][0] == "warning"


def test_finished_tables_with_nothing_to_say(tmp_path: Path) -> None:
    metaphlan = write(
        tmp_path, "m.tsv", "#mpa_vJan25_CHOCOPhlAnSGB_202503\n#clade_name\trelative_abundance\nk__B\t100\n"
    )
    features = write(tmp_path, "f.tsv", "feature\ta\nx\t1\n")
    config, _ = validate_config({"samples": "s.tsv", "profiles": "x", "profile": {"rank": "sgb"}})
    for file in (str(metaphlan), str(features), str(tmp_path / "none.tsv")):
        assert finished_problems(config, [file]) == []
    assert finished_problems(config, []) == []


@pytest.mark.parametrize(
    ("form", "name"), [("biom2", "BIOM"), ("taxpasta", "taxpasta"), ("converted", "Kraken2"), ("kraken2", "Kraken2")]
)
def test_a_rank_that_a_profiler_has_not_is_not_offered(form: str, name: str, forms: dict[str, Path]) -> None:
    with pytest.raises(InputError) as caught:
        read_abundance(forms[form], "sgb")
    (problem,) = caught.value.problems
    assert problem.message == f"the profile has no rows of rank sgb: {name} has no SGBs"
    assert problem.fix == "choose a rank that it has: kingdom, phylum, class, order, family, genus, species"


def test_a_list_of_profiles_names_its_lines(
    forms: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = write(tmp_path, "list.txt", f"{forms['kraken2']}\n\nnope.tsv\nnor this\n")
    assert main(["merge", "--list", str(listed), "-o", str(tmp_path / "m.tsv")]) == 2
    said = capsys.readouterr().err
    for text in ("list.txt:3: 'nope.tsv' does not exist; correct the path", "list.txt:4: 'nor this' does not exist"):
        assert text in said
    listed.write_text("\n \n")
    assert main(["merge", "--list", str(listed), "-o", str(tmp_path / "m.tsv")]) == 2
    assert "list.txt: the list names no profile; write one path per line" in capsys.readouterr().err
    listed.write_bytes(f"{forms['kraken2']}\r\n".encode())
    assert main(["merge", "--list", str(listed), "-o", str(tmp_path / "m.tsv")]) == 0


def test_check_says_once_what_finished_tables_lack(forms: dict[str, Path], tmp_path: Path) -> None:
    samples = write(tmp_path, "samples.tsv", "sample\tsubject\trole\tday\ns1\tA\trecipient\t0\n")
    for rank, expected in (("auto", []), ("sgb", ["the profiles are of BIOM, which has no SGBs"])):
        config = {"samples": str(samples), "profiles": str(forms["biom2"]), "profile": {"rank": rank}}
        found = check_all(config).problems
        assert [problem.message for problem in found if problem.level == "error"] == expected
        assert sum("are left out" in problem.message for problem in found) == 1
