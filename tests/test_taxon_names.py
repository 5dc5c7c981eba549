"""Taxa are found by the SGB first, then by the current and by former names, and what is not found is said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.donors import find_taxa, known_names, listed_taxa, taxon_lists
from microbiome.donors.names import plain_name, sgb_id
from microbiome.errors import InputError
from microbiome.metaphlan import taxonomy

PROFILE = [
    "k__Bacteria|g__Prevotella|s__Prevotella_copri_clade_A|t__SGB1626",
    "k__Bacteria|g__Segatella|s__Segatella_copri|t__SGB1644_group",
    "k__Bacteria|g__Prevotella|s__Prevotella_bivia|t__SGB1557",
    # As MetaPhlAn's vOct22 profiles have it: the SGB of C. innocuum under another name.
    "k__Bacteria|g__Clostridium|s__Clostridium_butyricum|t__SGB4037",
    "k__Bacteria|g__Lachnospiraceae_unclassified|s__Eubacterium_rectale|t__SGB4933_group",
    "k__Bacteria|g__Klebsiella|s__Klebsiella_pneumoniae|t__SGB10115",
    "k__Bacteria|g__Klebsiella|s__Klebsiella_oxytoca|t__SGB10118",
    "k__Bacteria|g__Bacteroides|s__Bacteroides_vulgatus|t__SGB999999",
]
LINEAGE = taxonomy(PROFILE)
TAXA = list(LINEAGE.index)


def found(name: str, lineage: pd.DataFrame | None = LINEAGE) -> list[tuple[object, ...]]:
    table = find_taxa([name], TAXA, lineage)
    return list(table[["taxon", "how", "certainty"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("asked", ["Prevotella copri", "s__Segatella_copri", "[Prevotella] copri", "segatella copri"])
@pytest.mark.parametrize("lineage", [LINEAGE, None])
def test_a_renamed_species_is_found_by_its_sgbs_under_any_of_its_names(
    asked: str, lineage: pd.DataFrame | None
) -> None:
    expected = [("t__SGB1626", "sgb_id", "sure"), ("t__SGB1644_group", "sgb_id", "sure")]
    assert found(asked, lineage) == expected
    assert set(find_taxa([asked], TAXA, lineage)["name"]) == {"Segatella copri"}


@pytest.mark.parametrize("asked", ["SGB4933", "t__SGB4933", "SGB4933_group", "t__SGB4933_group"])
def test_an_sgb_is_found_with_and_without_group(asked: str) -> None:
    assert found(asked) == [("t__SGB4933_group", "sgb_id", "sure")]
    assert find_taxa([asked], TAXA)["name"].tolist() == ["Agathobacter rectalis"]


def test_the_sgb_is_trusted_more_than_what_the_profile_calls_it() -> None:
    assert found("Clostridium innocuum") == [("t__SGB4037", "sgb_id", "sure")]
    # Whoever asks for the name that the profile wrongly uses is told that it is not sure.
    assert found("Clostridium butyricum") == [("t__SGB4037", "current_name", "likely")]


def test_names_without_a_known_sgb_are_matched_to_what_the_profile_calls_them() -> None:
    # Nobody has listed SGB999999: its species goes by a former name of Phocaeicola vulgatus.
    assert found("Phocaeicola vulgatus") == [("t__SGB999999", "former_name", "sure")]
    assert found("Klebsiella oxytoca") == [("t__SGB10118", "current_name", "sure")]
    assert found("Klebsiella oxytoca", None) == [(None, "not_found", None)]
    species = ["s__Prevotella_copri", "s__Escherichia_coli"]
    table = find_taxa(["Segatella copri", "Escherichia coli"], species)
    assert table["taxon"].tolist() == species
    assert table["how"].tolist() == ["former_name", "current_name"]


def test_one_word_is_a_genus_as_the_profile_calls_it() -> None:
    assert found("Klebsiella") == [("t__SGB10115", "genus", "sure"), ("t__SGB10118", "genus", "sure")]
    # Segatella left Prevotella; only what the profile still has in that genus is in it.
    assert [row[0] for row in found("Prevotella")] == ["t__SGB1626", "t__SGB1557"]


def test_what_is_not_found_keeps_its_row_and_order_is_that_of_the_names() -> None:
    table = find_taxa(["Akkermansia muciniphila", "SGB1626", "Akkermansia muciniphila"], TAXA, LINEAGE)
    assert table["asked"].tolist() == ["Akkermansia muciniphila", "SGB1626"]
    assert table["how"].tolist() == ["not_found", "sgb_id"]
    assert table["taxon"].isna().tolist() == [True, False]


def test_unsure_sgbs_can_be_left_out() -> None:
    taxa = ["t__SGB1626", "t__SGB1653"]
    assert find_taxa(["Segatella copri"], taxa)["certainty"].tolist() == ["sure", "likely"]
    assert find_taxa(["Segatella copri"], taxa, certainty=["sure"])["taxon"].tolist() == ["t__SGB1626"]


def test_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        find_taxa(["", "[]", "Segatella copri"], TAXA, certainty=["perhaps"])
    assert len(error.value.problems) == 3


@given(st.sampled_from(known_names()["name"].tolist()), st.sampled_from(["{}", "s__{}", "[{}]", " {} ", "'{}'"]))
def test_spelling_does_not_matter(name: str, form: str) -> None:
    assert plain_name(form.format(name.replace(" ", "_"))) == plain_name(name)


def test_no_sgb_goes_for_sure_by_two_names_and_every_row_has_its_source() -> None:
    table = known_names()
    ids = table.assign(sgb=table["sgb"].str.split(", ")).explode("sgb")
    assert ids["sgb"].map(sgb_id).eq(ids["sgb"]).all()
    assert not ids.duplicated("sgb").any()
    assert table["source"].str.len().gt(10).all()
    current = {plain_name(name) for name in table["name"]}
    left = {
        plain_name(part)
        for name, former in table[["name", "former"]].dropna().itertuples(index=False)
        for part in former.split("; ")
        if plain_name(part) != plain_name(name)
    }
    # Names in use of which a part has left: they are asked for with both, and what has left is not sure.
    assert left & current == {"anaerobutyricum hallii", "enterococcus faecium", "fusobacterium nucleatum"}
    both = find_taxa(["Fusobacterium nucleatum"], ["t__SGB6011", "t__SGB6007"])
    assert both["certainty"].tolist() == ["sure", "likely"]


@pytest.mark.real
@pytest.mark.parametrize("trial", ["ucfmt1", "baruch2021"])
def test_published_profiles(real_data: Path, trial: str) -> None:
    from microbiome.taxa.lineage import read_lineage

    lineage = read_lineage([real_data / trial / "profiles.tsv.gz"])
    taxa = [name for name in lineage.index if name.startswith("t__")]
    table = find_taxa(["Prevotella copri", "Clostridium innocuum", "Enterocloster citroniae"], taxa, lineage)
    assert table["how"].eq("sgb_id").all()
    copri = table[table["asked"] == "Prevotella copri"]
    assert {"t__SGB1626", "t__SGB1644"} <= set(copri["taxon"])
    assert copri.loc[copri["certainty"] == "sure", "species"].str.startswith("s__Prevotella_copri_clade_").all()
    # Every SGB that the table calls sure goes by one of its names in this profile, but for the one known exception.
    names = known_names()
    for name, former, sgb, certainty in names[["name", "former", "sgb", "certainty"]].itertuples(index=False):
        allowed = {plain_name(part) for part in [name, *(former or "").split(";")]}
        for part in sgb.split(", "):
            here = [taxon for taxon in taxa if sgb_id(taxon) == part]
            if certainty == "sure" and here and (trial, part) != ("baruch2021", "SGB4037"):
                assert plain_name(lineage.loc[here[0], "species"]) in allowed, (part, name)
    lists = listed_taxa(taxon_lists(), pd.Index(taxa), lineage)
    assert lists["how"].ne("not_found").mean() > 0.8
