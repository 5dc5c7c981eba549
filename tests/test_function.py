"""Tables of functions and the taxa behind their changes, against naive sums; the simulated genes; what is refused."""

from __future__ import annotations

import gzip
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import doses_frame, samples_frame

from microbiome.check_function import function_problems
from microbiome.cli import main
from microbiome.config import validate_config
from microbiome.diversity import alpha, beta
from microbiome.errors import InputError
from microbiome.function.accounting import function_reads
from microbiome.function.contributions import CHANGED, contributions
from microbiome.function.joining import join_functions
from microbiome.function.reading import SPECIAL, FunctionTable, kind_of, kind_of_file, read_functions, write_functions
from microbiome.function.regroup import normalise, read_map, regroup
from microbiome.function.species import read_species
from microbiome.function.tables import FUNCTION_CONTRIBUTIONS, FUNCTION_READS, UNEXPLAINED
from microbiome.metaphlan import read_abundance
from microbiome.outcomes import outcomes, rates
from microbiome.simulate.function import Genes, load_reactions, true_functions
from microbiome.simulate.parameters import Parameters
from microbiome.simulate.strains import BASES, Genomes
from microbiome.simulate.taxa import load_taxa
from microbiome.study import Study
from microbiome.tables import OUTCOMES, SUBJECTS
from microbiome.tsv import empty_table, read_result

COLI, COPRI = "g__Escherichia.s__Escherichia_coli", "g__Segatella.s__Segatella_copri"
FAMILIES = f"""# Gene Family\tA_Abundance-RPKs
UNMAPPED\t100
UniRef90_1: a kinase\t30
UniRef90_1: a kinase|{COLI}\t20
UniRef90_1: a kinase|unclassified\t10
UniRef90_2\t8
UniRef90_2|{COPRI}\t8
UniRef90_3\t2
UniRef90_3|{COLI}\t2
"""
MAP = "1.1.1.1\tUniRef90_1\tUniRef90_2\n2.7.1.-\tUniRef90_1\n9.9.9.9\tUniRef90_77\n"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(*paths: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_functions(paths)
    return str(caught.value)


# ---------------------------------------------------------------------------------------------------------- reading


def test_a_table_of_humann_3_is_taken_apart(tmp_path: Path) -> None:
    table = read_functions(written(tmp_path, "a.tsv", FAMILIES))
    assert table.whole.loc["A"].to_dict() == {"UNMAPPED": 100, "UniRef90_1": 30, "UniRef90_2": 8, "UniRef90_3": 2}
    assert table.strata.loc["A"].to_dict() == {
        ("UniRef90_1", COLI): 20,
        ("UniRef90_1", "unclassified"): 10,
        ("UniRef90_2", COPRI): 8,
        ("UniRef90_3", COLI): 2,
    }
    assert table.names == {"UniRef90_1": "a kinase"}
    assert table.functions == ["UniRef90_1", "UniRef90_2", "UniRef90_3"]


def test_tables_of_humann_4_and_renormalised_ones_are_the_same_but_for_the_header(tmp_path: Path) -> None:
    four = FAMILIES.replace("# Gene Family\tA_Abundance-RPKs", "# Gene Family HUMAnN v4.0.0.alpha.2 Adjusted CPMs\tA")
    four = four.replace("UNMAPPED\t100", "READS_UNMAPPED\t5000000\nUNMAPPED\t100")
    three = read_functions(written(tmp_path, "a.tsv", FAMILIES))
    found = read_functions(written(tmp_path, "four.tsv", four))
    pd.testing.assert_frame_equal(found.whole, three.whole)
    pd.testing.assert_frame_equal(found.strata, three.strata)
    for suffix in ("_Abundance-CPM", "-RELAB", "-CPM", "_Abundance", ""):
        text = FAMILIES.replace("A_Abundance-RPKs", f"A{suffix}")
        assert list(read_functions(written(tmp_path, "s.tsv", text)).whole.index) == ["A"], suffix


def test_a_suffix_is_part_of_the_name_where_not_all_have_it(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", "# Pathway\tA_Abundance\tB\nPWY-1\t1\t2\n")
    assert list(read_functions(path).whole.index) == ["A_Abundance", "B"]


def test_samples_are_joined_and_what_a_table_lacks_is_zero(tmp_path: Path) -> None:
    one = written(tmp_path, "one.tsv", FAMILIES)
    other = tmp_path / "other.tsv.gz"
    other.write_bytes(gzip.compress(b"# Gene Family\tB_Abundance-RPKs\nUNMAPPED\t1\nUniRef90_2\t3\nUniRef90_9\t4\n"))
    table = read_functions([one, other])
    assert list(table.whole.index) == ["A", "B"]
    assert table.whole.loc["B"].to_dict() == {
        "UNMAPPED": 1,
        "UniRef90_1": 0,
        "UniRef90_2": 3,
        "UniRef90_3": 0,
        "UniRef90_9": 4,
    }
    assert table.strata.loc["B"].eq(0).all()
    assert table.strata.shape == (2, 4)


def test_a_split_table_is_put_together_again_and_written_tables_are_read_back(tmp_path: Path) -> None:
    table = read_functions(written(tmp_path, "a.tsv", FAMILIES))
    write_functions(table, tmp_path / "whole.tsv", tmp_path / "parts.tsv")
    again = read_functions([tmp_path / "whole.tsv", tmp_path / "parts.tsv"])
    pd.testing.assert_frame_equal(again.whole, table.whole)
    pd.testing.assert_frame_equal(again.strata, table.strata)
    # Whoever measures functions sees whole functions only, closed to 1.
    seen = read_abundance([tmp_path / "whole.tsv"])
    assert seen.loc["A"].to_dict() == {"UniRef90_1": 0.75, "UniRef90_2": 0.2, "UniRef90_3": 0.05}


def test_kinds_of_functions_are_told_by_their_names() -> None:
    assert kind_of(["UNMAPPED", "1.1.1.1", "2.7.1.-", "1.97.1.12", "3.6.3.n1"]) == "ec"
    assert kind_of(["K00001", "UNGROUPED"]) == "ko"
    assert kind_of(["UniRef90_A0A", "UniRef50_B"]) == "genefamilies"
    assert kind_of(["PWY-5695", "UNINTEGRATED", "VALSYN-PWY"]) == "pathway"


def test_kinds_of_files_are_told_by_their_first_rows(tmp_path: Path) -> None:
    assert kind_of_file(written(tmp_path, "a.tsv", FAMILIES)) == "genefamilies"
    # Of a sample in which nothing was found only the header tells.
    assert kind_of_file(written(tmp_path, "b.tsv", "# Gene Family\tB_Abundance-RPKs\nUNMAPPED\t0\n")) == "genefamilies"
    assert kind_of_file(written(tmp_path, "c.tsv", "# Pathway\tB_Abundance\nUNMAPPED\t0\n")) == "pathway"
    assert kind_of_file(written(tmp_path, "d.tsv", "# Gene Family\tB\nUNMAPPED\t0\n1.1.1.1: x|A\t1\n")) == "ec"
    assert kind_of_file(tmp_path / "absent.tsv") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Gene Family\tA\nUniRef90_1\t-3\n", "function 'UniRef90_1' of sample 'A' is negative"),
        ("# Gene Family\tA\nUniRef90_1\t\n", "function 'UniRef90_1' of sample 'A' is empty"),
        ("# Gene Family\tA\nUniRef90_2\t1\nUniRef90_1\tmany\n", "'many' is not a number"),
        ("# Gene Family\tA\nUniRef90_1: x\t1\nUniRef90_1: y\t1\n", "function 'UniRef90_1' stands twice"),
        ("# Pathway\tA_Coverage\nPWY-1\t1\n", "these are coverages of pathways; give the table of abundances"),
        (f"# Gene Family\tA\nUniRef90_1|{COLI}\t1\n", "1 functions have strata only (UniRef90_1, ...)"),
        ("sample\tsubject\trole\tday\nS1\tR1\tdonor\t0\n", "this looks like the samples table"),
        ("", "the file is empty"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    assert words in problems_of(written(tmp_path, "a.tsv", text))


def test_a_sample_in_two_tables_and_different_kinds_are_refused(tmp_path: Path) -> None:
    one, two = written(tmp_path, "one.tsv", FAMILIES), written(tmp_path, "two.tsv", FAMILIES)
    assert "sample 'A' stands in" in problems_of(one, two)
    ecs = written(tmp_path, "ec.tsv", "# Gene Family\tB\n1.1.1.1\t1\n")
    assert "different kinds of functions" in problems_of(one, ecs)
    # All problems at once.
    bad = written(tmp_path, "bad.tsv", "# Gene Family\tB\nUniRef90_1\t-1\n")
    text = problems_of(bad, tmp_path / "absent.tsv")
    assert "is negative" in text
    assert "does not exist" in text


def test_a_sample_without_anything_stays_and_has_no_profile(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = written(tmp_path, "b.tsv", "# Gene Family\tB_Abundance-RPKs\nUNMAPPED\t0\n")
    table = normalise(read_functions([written(tmp_path, "a.tsv", FAMILIES), empty]))
    assert "1 samples have no function at all: B" in caplog.text
    assert table.whole.loc["B"].eq(0).all()
    assert np.isfinite(table.whole.to_numpy()).all()
    write_functions(table, tmp_path / "whole.tsv")
    assert read_abundance([tmp_path / "whole.tsv"]).loc["B"].isna().all()


# ------------------------------------------------------------------------------------------- regrouping, normalising


@st.composite
def families(draw: st.DrawFn) -> tuple[FunctionTable, dict[str, list[str]]]:
    names = [f"UniRef90_{i}" for i in range(draw(st.integers(1, 6)))]
    taxa = [COLI, COPRI, "unclassified"]
    samples = [f"S{i}" for i in range(draw(st.integers(1, 3)))]
    keys = [(name, taxon) for name in names for taxon in taxa]
    number = st.integers(0, 50)
    parts = np.array([[draw(number) for _ in keys] for _ in samples], dtype=float)
    strata = pd.DataFrame(parts, index=samples, columns=pd.MultiIndex.from_tuples(keys, names=["function", "taxon"]))
    whole = pd.DataFrame({name: strata[name].sum(axis=1) for name in names})
    whole.insert(0, "UNMAPPED", [float(draw(number)) for _ in samples])
    groups = draw(st.dictionaries(st.sampled_from(names), st.lists(st.sampled_from("XYZ"), unique=True), max_size=6))
    return FunctionTable(whole, strata), {name: own for name, own in groups.items() if own}


@given(families())
def test_groups_are_sums_of_their_families(made: tuple[FunctionTable, dict[str, list[str]]]) -> None:
    table, groups = made
    found = regroup(table, groups)
    for sample in table.whole.index:
        wanted: dict[str, float] = defaultdict(float)
        for family, value in table.whole.loc[sample].items():
            for group in ["UNMAPPED"] if family == "UNMAPPED" else groups.get(str(family), ["UNGROUPED"]):
                wanted[group] += value
        assert found.whole.loc[sample].to_dict() == dict(wanted)
        parts: dict[tuple[str, str], float] = defaultdict(float)
        for (family, taxon), value in table.strata.loc[sample].items():
            for group in groups.get(str(family), ["UNGROUPED"]):
                parts[group, str(taxon)] += value
        assert found.strata.loc[sample].to_dict() == dict(parts)


@given(families(), st.sampled_from(["fraction", "cpm"]))
def test_a_sample_is_divided_by_its_total_and_its_strata_too(
    made: tuple[FunctionTable, dict[str, list[str]]], unit: str
) -> None:
    table = made[0]
    found = normalise(table, unit)
    for sample in table.whole.index:
        total = sum(table.whole.loc[sample])
        for frame, result in ((table.whole, found.whole), (table.strata, found.strata)):
            for name in frame.columns:
                factor = {"fraction": 1, "cpm": 1e6}[unit]
                expected = factor * frame.loc[sample, name] / total if total else 0
                assert result.loc[sample, name] == pytest.approx(expected)
    assert normalise(table, "as_given") is table
    with pytest.raises(InputError, match="unit 'percent' is not known"):
        normalise(table, "percent")


def test_samples_regrouped_one_by_one_are_those_regrouped_together(tmp_path: Path) -> None:
    one = written(tmp_path, "a.tsv", FAMILIES)
    other = written(tmp_path, "b.tsv", FAMILIES.replace("A_Ab", "B_Ab").replace("_2", "_4").replace("\t30", "\t32"))
    groups = written(tmp_path, "map.tsv", MAP)
    apart = join_functions([one, other], groups, "as_given")
    together = read_functions([one, other])
    at_once = regroup(together, read_map(groups, together.functions))
    pd.testing.assert_frame_equal(apart.whole[at_once.whole.columns], at_once.whole, check_names=False)
    pd.testing.assert_frame_equal(apart.strata[at_once.strata.columns], at_once.strata, check_names=False)
    # By hand: 1.1.1.1 has families 1 and 2 (B has no family 2), 2.7.1.- family 1, nothing has 3 and 4.
    assert apart.whole.loc["A"].to_dict() == {"UNMAPPED": 100, "UNGROUPED": 2, "1.1.1.1": 38, "2.7.1.-": 30}
    assert apart.whole.loc["B"].to_dict() == {"UNMAPPED": 100, "UNGROUPED": 10, "1.1.1.1": 32, "2.7.1.-": 32}


def test_maps_that_cannot_be_used(tmp_path: Path) -> None:
    one = written(tmp_path, "a.tsv", FAMILIES)
    with pytest.raises(InputError, match="none of the 3 gene families is in the map"):
        join_functions([one], written(tmp_path, "other.tsv", "1.1.1.1\tUniRef50_1\n"))
    with pytest.raises(InputError, match="is not a map of gene families"):
        join_functions([one], written(tmp_path, "none.tsv", "nothing\n"))
    with pytest.raises(InputError, match="does not exist"):
        join_functions([one], tmp_path / "absent.tsv")
    ecs = written(tmp_path, "ec.tsv", "# Gene Family\tB\n1.1.1.1\t1\n")
    with pytest.raises(InputError, match="of the kind ec, not gene families"):
        join_functions([ecs], written(tmp_path, "map.tsv", MAP))


# ---------------------------------------------------------------------------------------------------- contributions

STUDY = Study(
    samples_frame(
        [("D1", "D", "donor", None), ("D2", "D", "donor", None), ("B", "R", "recipient", 0), ("P", "R", "recipient", 9)]
    ),
    empty_table(SUBJECTS),
    doses_frame([("R", 0, "D", None)]),
)
SAMPLES = ["D1", "D2", "B", "P"]


@st.composite
def stratified(draw: st.DrawFn) -> FunctionTable:
    functions = [f"1.1.1.{i}" for i in range(1, draw(st.integers(2, 5)))]
    taxa = [COLI, COPRI, "unclassified"]
    amounts = st.sampled_from([0, 0, 0, 1, 7, 40])
    keys = [(function, taxon) for function in functions for taxon in taxa]
    values = np.array([[draw(amounts) for _ in keys] for _ in SAMPLES], dtype=float)
    strata = pd.DataFrame(values, index=SAMPLES, columns=pd.MultiIndex.from_tuples(keys, names=["function", "taxon"]))
    whole = pd.DataFrame({name: strata[name].sum(axis=1) for name in functions})
    # Of the last function the whole is more than its strata, as of pathways; and there is always something else.
    whole[functions[-1]] += [float(draw(amounts)) for _ in SAMPLES]
    whole["9.9.9.9"] = 5.0
    return FunctionTable(whole, strata)


@given(stratified())
def test_changes_are_divided_among_the_taxa_and_sum_to_the_whole(table: FunctionTable) -> None:
    closed = table.whole.div(table.whole.sum(axis=1), axis=0)
    parts = table.strata.div(table.whole.sum(axis=1), axis=0)
    found = outcomes(closed.rename_axis(columns="taxon"), STUDY, fitted=False)
    result = contributions(table, found, STUDY)
    wanted = found[found["outcome"].isin(CHANGED)]
    assert result["function"].drop_duplicates().tolist() == wanted["taxon"].tolist()
    for row in wanted.itertuples():
        own = result[result["function"] == row.taxon]
        function = row.taxon
        # The definition, one taxon at a time. The donor is the sample with most of the function.
        donor = max(["D1", "D2"], key=lambda name: closed.loc[name, function])
        assert set(own["donor_sample"]) == {donor}
        for one in own.itertuples():
            if one.taxon == UNEXPLAINED:
                continue
            expected = [parts.loc[sample, (function, one.taxon)] for sample in ("B", donor, "P")]
            assert [one.baseline_abundance, one.donor_abundance, one.post_abundance] == pytest.approx(expected)
            assert one.change == pytest.approx(expected[2] - expected[0])
        there = {
            taxon
            for name, taxon in table.strata.columns
            if name == function and any(parts.loc[sample, (name, taxon)] > 0 for sample in ("B", donor, "P"))
        }
        assert set(own["taxon"]) - {UNEXPLAINED} == there
        # Sums, with the row for what is not explained, are those of the function.
        for place, total in (
            ("baseline", row.baseline_abundance),
            ("donor", row.donor_abundance),
            ("post", row.post_abundance),
        ):
            assert math.fsum(own[f"{place}_abundance"]) == pytest.approx(total, abs=1e-15)
        change = row.post_abundance - row.baseline_abundance
        assert own["function_change"].tolist() == pytest.approx([change] * len(own), abs=1e-15)
        assert math.fsum(own["change"]) == pytest.approx(change, abs=1e-15)
        if own["share"].notna().all():
            assert math.fsum(own["share"]) == pytest.approx(1)
        else:
            assert own["function_change"].eq(0).all()


def small_case() -> tuple[FunctionTable, pd.DataFrame]:
    """Three functions: one that E. coli of the donor brings, one lost with S. copri, one without strata."""
    keys = [("1.1.1.1", COLI), ("1.1.1.1", "unclassified"), ("2.2.2.2", COPRI), ("4.4.4.4", COLI)]
    rows = {"D1": [3, 1, 0, 2], "D2": [0, 0, 0, 2], "B": [0, 0, 4, 2], "P": [2, 0, 0, 2]}
    strata = pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(keys, names=["function", "taxon"])).T.astype(float)
    whole = pd.DataFrame({name: strata[name].sum(axis=1) for name in ("1.1.1.1", "2.2.2.2", "4.4.4.4")})
    whole["3.3.3.3"] = [1.0, 1.0, 0.0, 1.0]
    closed = whole.div(whole.sum(axis=1), axis=0)
    return FunctionTable(whole, strata), outcomes(closed.rename_axis(columns="taxon"), STUDY, fitted=False)


def taxa_case() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcomes of SGBs: E. coli engrafted by one of its two SGBs and never there by the other, S. copri depleted."""
    taxa = pd.DataFrame(
        {
            "t__SGB1": [0.5, 0.0, 0.0, 0.5],
            "t__SGB2": [0.0, 0.5, 0.0, 0.0],
            "t__SGB3": [0.0, 0.0, 0.5, 0.0],
            "t__SGB4": 0.5,
        },
        index=pd.Index(SAMPLES, name="sample"),
    )
    species = ["s__Escherichia_coli", "s__Escherichia_coli", "s__Other_name", "s__Filler"]
    lineage = pd.DataFrame({"species": species}, index=["t__SGB1", "t__SGB2", "t__SGB3", "t__SGB4"])
    return outcomes(taxa.rename_axis(columns="taxon"), STUDY, fitted=False), lineage


def test_one_reads_who_brought_and_who_took_a_function(tmp_path: Path) -> None:
    table, found = small_case()
    taxa, lineage = taxa_case()
    names = read_species(written(tmp_path, "sgb.tsv", f"SGB3\t{COPRI}\nSGB9\tg__A.s__B\n"))
    result = contributions(table, found, STUDY, taxa, lineage, names).set_index(["function", "taxon"])
    brought = result.loc[("1.1.1.1", COLI)]
    assert (brought["outcome"], brought["share"]) == ("engrafted", 1.0)
    assert (brought["taxon_outcome"], brought["sgbs"]) == ("engrafted", "t__SGB1:engrafted,t__SGB2:not_engrafted")
    assert brought["donor_sample"] == "D1"
    unknown = result.loc[("1.1.1.1", "unclassified")]
    assert unknown["change"] == 0
    assert unknown["note"] == "found by translated search: of which species is not known"
    # MetaPhlAn calls the species otherwise; HUMAnN's own names of SGBs join the two.
    lost = result.loc[("2.2.2.2", COPRI)]
    assert (lost["outcome"], lost["share"], lost["taxon_outcome"]) == ("depleted", 1.0, "depleted")
    nobody = result.loc[("3.3.3.3", UNEXPLAINED)]
    assert nobody["share"] == 1
    assert nobody["note"] == "the table has no strata of this function"
    assert "4.4.4.4" not in result.index.get_level_values("function")
    without = contributions(table, found, STUDY, taxa, lineage).set_index(["function", "taxon"])
    assert without.loc[("2.2.2.2", COPRI), "note"] == "no taxon of the profiles of this subject is of this species"
    assert contributions(table, found, STUDY)["taxon_outcome"].isna().all()
    kept = contributions(table, found, STUDY, which=["shared_kept"])
    assert kept["function"].tolist() == ["4.4.4.4"]


def test_the_sgb_itself_is_named_by_humann_4() -> None:
    table, found = small_case()
    taxa, lineage = taxa_case()
    new = [(name, "s__Escherichia_coli.t__SGB2" if taxon == COLI else taxon) for name, taxon in table.strata.columns]
    strata = table.strata.set_axis(pd.MultiIndex.from_tuples(new, names=["function", "taxon"]), axis=1)
    result = contributions(FunctionTable(table.whole, strata), found, STUDY, taxa, lineage)
    assert result.loc[result["function"] == "1.1.1.1", "taxon_outcome"].tolist() == ["not_engrafted", None]


def test_contributions_that_cannot_be_told() -> None:
    table, found = small_case()
    with pytest.raises(InputError, match="'gone' is not an outcome"):
        contributions(table, found, STUDY, which=["gone"])
    less = FunctionTable(table.whole.drop(columns="1.1.1.1").drop(index="P"), table.strata)
    with pytest.raises(InputError) as caught:
        contributions(less, found, STUDY)
    assert "1 samples of the outcomes are not in the function table ('P' for example)" in str(caught.value)
    assert "1 functions of the outcomes are not in the function table ('1.1.1.1' for example)" in str(caught.value)
    none = contributions(table, found[found["outcome"] == "shared_kept"], STUDY)
    assert none.columns.tolist() == FUNCTION_CONTRIBUTIONS.names
    assert none.empty


# ------------------------------------------------------------------------------------------- the commands, end to end


def test_functional_engraftment_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EC absent before, in the donor and after, over ECs in the donor and absent before."""
    monkeypatch.chdir(tmp_path)
    table, _ = small_case()
    special = pd.DataFrame({"UNMAPPED": 50.0, "UNGROUPED": 3.0}, index=table.whole.index)
    write_functions(FunctionTable(pd.concat([special, table.whole], axis=1), table.strata), "in.tsv", "in_parts.tsv")
    study = {"samples.tsv": STUDY.samples, "doses.tsv": STUDY.doses}
    for name, frame in study.items():
        frame.to_csv(name, sep="\t", index=False)
    inputs = ["--samples", "samples.tsv", "--doses", "doses.tsv"]
    assert main(["function", "join", "in.tsv", "in_parts.tsv", "--stratified", "parts.tsv", "-o", "ec.tsv"]) == 0
    assert main(["outcomes", "--profile", "ec.tsv", *inputs, "-o", "outcomes.tsv"]) == 0
    assert main(["rates", "--outcomes", "outcomes.tsv", "-o", "rates.tsv"]) == 0
    words = ["function", "contributions", "--profile", "ec.tsv", "--stratified", "parts.tsv"]
    assert main([*words, "--outcomes", "outcomes.tsv", *inputs, "-o", "contributions.tsv"]) == 0
    there = {name: {ec for ec in table.whole if table.whole.loc[name, ec] > 0} for name in SAMPLES}
    at_risk = (there["D1"] | there["D2"]) - there["B"]
    expected = len(at_risk & there["P"]) / len(at_risk)
    found = pd.read_csv("rates.tsv", sep="\t")
    assert found["engraftment_rate"].tolist() == [expected]
    # The special rows are no functions.
    assert not set(read_result("outcomes.tsv", OUTCOMES)["taxon"]) & set(SPECIAL)
    # Fractions of the whole sample, closed again over the functions: the same shares as from the table itself.
    result = read_result("contributions.tsv", FUNCTION_CONTRIBUTIONS)
    direct = contributions(table, read_result("outcomes.tsv", OUTCOMES), STUDY)
    np.testing.assert_allclose(result["change"], direct["change"], atol=1e-15)


def test_counts_of_samples_are_joined(tmp_path: Path) -> None:
    head = "\t".join(FUNCTION_READS.names)
    one = written(tmp_path, "a.tsv", f"{head}\nA\t5000\tok\t\t0.25\t74\t5\t3.9\tall species of the database\n")
    two = written(tmp_path, "b.tsv", f"{head}\nB\t10\tfew_reads\t10 reads, 1000 are needed (min_reads)\t\t\t\t\t\n")
    table = function_reads([one, two])
    assert table["status"].tolist() == ["ok", "few_reads"]
    assert table["unmapped"].tolist()[0] == 0.25
    with pytest.raises(InputError, match="sample 'A' stands in another file too"):
        function_reads([one, one])


# --------------------------------------------------------------------------------------------------- configuration


def configured(**function: object) -> tuple[dict[str, object], list[str]]:
    given = {"samples": "samples.tsv", "units": "units.tsv", "metaphlan": {"database": "db", "index": "mpa_vJan25_X"}}
    config, problems = validate_config({**given, "function": function})
    return config, [str(problem) for problem in problems]


def test_contradictions_between_the_keys_of_functions() -> None:
    assert configured()[1] == []
    both = {"nucleotide_database": "n", "protein_database": "p"}
    assert any("HUMAnN does not take profiles of 'mpa_vJan25_X'" in text for text in configured(**both)[1])
    assert configured(**both, prescreen=False)[1] == []
    own = {"metaphlan_database": "m", "metaphlan_index": "mpa_vJun23_CHOCOPhlAnSGB_202307"}
    assert configured(**both, **own)[1] == []
    assert any(
        "does not take profiles of 'mpa_vJan21'" in t
        for t in configured(**both, **own | {"metaphlan_index": "mpa_vJan21"})[1]
    )
    assert any(
        "function.protein_database: the value is empty" in t
        for t in configured(method="humann", nucleotide_database="n")[1]
    )
    assert any("function.tables: the value is empty" in text for text in configured(method="tables")[1])
    assert any(
        "function.ko_map: the value is empty" in t for t in configured(**both, prescreen=False, groups=["ko"])[1]
    )
    assert any("function.pathways: the value is empty" in text for text in configured(reactions="r.tsv")[1])
    assert any("function.groups" in text for text in configured(tables="t.tsv", groups=[])[1])


def test_the_check_names_what_is_wrong_with_tables_and_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "ec.tsv", "# Gene Family\tA\tX\n1.1.1.1\t1\t2\n")

    def said(samples: list[str] | None = None, **function: object) -> list[str]:
        return [str(problem) for problem in function_problems(configured(**function)[0], True, samples)]

    assert said(["A"], tables="ec.tsv", groups=["ec"]) == [
        "function.tables: 1 samples of the tables of ec are not in the study: X; they are not used"
    ]
    assert any("function.tables has no table of the kind pathway" in text for text in said(["A", "X"], tables="ec.tsv"))
    assert any("no sample of the study is in the tables of ec" in text for text in said(["S"], tables="ec.tsv"))
    assert any("1 samples are not in the tables of ec: B" in text for text in said(["A", "B", "X"], tables="ec.tsv"))
    assert said(None, tables=["absent.tsv"]) == ["function.tables: 'absent.tsv' does not exist; correct the path"]
    written(tmp_path, "bad.tsv", "# Gene Family\tA\n1.1.1.1\t-1\n")
    assert any("is negative" in text for text in said(None, tables="bad.tsv"))
    both = {"nucleotide_database": "n", "protein_database": "p", "prescreen": False}
    found = said(None, **both)
    assert any("function.nucleotide_database: 'n' does not exist" in text for text in found)
    assert any("function.protein_database: 'p' does not exist" in text for text in found)
    (tmp_path / "n").mkdir()
    (tmp_path / "p").mkdir()
    written(tmp_path / "n", "g__A.s__B.centroids.v201901_v31.ffn.gz", "")
    written(tmp_path / "n", "README", "")
    written(tmp_path / "p", "uniref90_201901b_full.dmnd", "")
    assert any("'README' in 'n' is not of the version v201901_v31" in text for text in said(None, **both))
    (tmp_path / "n" / "README").unlink()
    assert said(None, **both) == []
    assert said(None) == []


# --------------------------------------------------------------------------------------------------- simulated genes

PARAMETERS = Parameters(seed=5, sgbs=14, markers=24, marker_length=300)
CODE = dict(
    zip(
        (a + b + c for a in "TCAG" for b in "TCAG" for c in "TCAG"),
        "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG",
        strict=True,
    )
)


def test_markers_are_genes_only_where_that_is_asked_for() -> None:
    taxa = load_taxa(PARAMETERS)
    genes = Genes(PARAMETERS, taxa)
    plain, with_genes = Genomes(PARAMETERS, taxa), Genomes(PARAMETERS, taxa, genes)
    for taxon in map(str, taxa.index):
        starts, stops = plain.marker_bounds(taxon)
        before, after = plain.ancestor(taxon), with_genes.ancestor(taxon)
        between = np.ones(before.size, dtype=bool)
        assert len(genes.families(taxon)) == len(starts)
        for family, start, stop in zip(genes.families(taxon), starts, stops, strict=True):
            between[start:stop] = False
            text = BASES[after[start : start + (stop - start) // 3 * 3]].tobytes().decode()
            protein = "".join(CODE[text[i : i + 3]] for i in range(0, len(text), 3))
            assert genes.protein(family).startswith(protein), "the gene spells the protein of its family"
        assert (before[between] == after[between]).all()


def test_genes_of_one_family_differ_between_sgbs_but_not_in_their_protein() -> None:
    taxa = load_taxa(PARAMETERS)
    genes = Genes(PARAMETERS, taxa)
    first, second = map(str, taxa.index[:2])
    shared = sorted(set(genes.families(first)) & set(genes.families(second)))
    assert shared
    for family in shared:
        one, other = genes.coding(first, family, 240), genes.coding(second, family, 240)
        assert 0.1 < np.mean(one != other) < 0.4


def test_true_functions_are_copies_per_genome() -> None:
    taxa = load_taxa(PARAMETERS)
    genes = Genes(PARAMETERS, taxa)
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(len(taxa)), 3)
    abundance = pd.DataFrame(weights, index=["A", "B", "C"], columns=taxa.index)
    found = true_functions(genes, abundance)
    rows = load_reactions()
    of_family = {
        family: ec for ec, both in zip(rows["ec"], rows["families"], strict=True) for family in both.split(",")
    }
    for ec in found.columns:
        for sample in abundance.index:
            wanted = sum(
                abundance.loc[sample, taxon] * sum(of_family.get(family) == ec for family in genes.families(str(taxon)))
                for taxon in taxa.index
            )
            assert found.loc[sample, ec] == pytest.approx(wanted)
    # Every organism has the core; nobody has more than all of it.
    pathways = true_functions(genes, abundance, "pathway")
    np.testing.assert_allclose(pathways["COA-PWY"], 1)
    assert pathways.to_numpy().max() <= 1 + 1e-12
    assert "METHANOGENESIS-PWY" in pathways
    assert set(genes.in_database()) < set(map(str, taxa.index))


def test_functions_need_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--output", str(tmp_path / "trial"), "--function"]) == 2
    assert "functions are read from FASTQ; add --reads" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- published data


@pytest.mark.real
def test_ecs_of_prism(real_data: Path, tmp_path: Path) -> None:
    """HUMAnN 2 ECs of 155 people: read, joined and measured as the textbook has it."""
    path = real_data / "prism_ibd" / "ibd_functions.tsv.gz"
    table = normalise(read_functions(path))
    assert table.whole.shape == (155, 2113)
    assert kind_of(table.functions) == "ec"
    assert table.names["1.1.1.1"] == "Alcohol dehydrogenase"
    write_functions(table, tmp_path / "ec.tsv")
    abundance = read_abundance([tmp_path / "ec.tsv"])
    raw = pd.read_csv(path, sep="\t", index_col=0)
    raw = raw[~raw.index.str.split(":").str[0].isin(SPECIAL)]
    shares = raw / raw.sum()
    some = list(shares.columns[[0, 40, 154]])
    metrics = alpha(abundance, ["richness", "shannon", "simpson"]).set_index("sample")
    distances = beta(abundance, "bray_curtis")
    for sample in some:
        p = [x for x in shares[sample] if x > 0]
        row = metrics.loc[sample]
        assert row["richness"] == len(p)
        assert row["shannon"] == pytest.approx(-sum(x * math.log(x) for x in p))
        assert row["simpson"] == pytest.approx(1 - sum(x * x for x in p))
        for other in some:
            naive = sum(abs(shares[sample] - shares[other])) / 2
            assert distances[sample, other] == pytest.approx(naive)


def test_rates_of_functions_are_those_of_any_features() -> None:
    _, found = small_case()
    row = rates(found).iloc[0]
    assert (row["engrafted"], row["depleted"], row["engraftment_rate"]) == (2, 1, 1.0)
