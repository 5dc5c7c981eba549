"""What two samples are to each other, against the definitions pair by pair."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strain_pairs import study_of

from microbiome.errors import InputError
from microbiome.strains.relations import once, people, relations
from microbiome.study import Study

DAYS = (-7, 0, 7, 14, 28)


def naive(study: Study, one: str, other: str) -> str:
    """The relation of two samples, word by word."""
    samples = study.samples.set_index("sample")
    a, b = samples.loc[one], samples.loc[other]
    doses = list(zip(study.doses["subject"], study.doses["day"], study.doses["donor"], strict=True))

    def had(sample: pd.Series) -> list[tuple[int, str]]:
        if sample["role"] == "donor" or pd.isna(sample["day"]) or sample["day"] <= 0:
            return []
        return [(day, donor) for who, day, donor in doses if who == sample["subject"] and day <= sample["day"]]

    if a["subject"] == b["subject"]:
        return "same_person" if {day for day, _ in had(a)} == {day for day, _ in had(b)} else "before_after"
    if "donor" in (a["role"], b["role"]):
        donor, recipient = (a, b) if a["role"] == "donor" else (b, a)
        if recipient["role"] == "donor" or pd.isna(recipient["day"]) or recipient["day"] <= 0:
            return "unrelated"
        received = {name for _, name in had(recipient)}
        return "own_donor" if donor["subject"] in received else "other_donor"
    common = {donor for _, donor in had(a)} & {donor for _, donor in had(b)}
    return "shared_donor" if common else "unrelated"


@st.composite
def studies(draw: st.DrawFn) -> Study:
    samples = [(f"D{d}-{lot}", f"D{d}", "donor", None) for d in range(2) for lot in range(2)]
    doses = []
    for recipient in range(draw(st.integers(1, 3))):
        name = f"R{recipient}"
        days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=4, unique=True))
        samples += [(f"{name}{day}", name, draw(st.sampled_from(["recipient", "control"])), day) for day in days]
        doses += [(name, day, donor) for day, donor in draw(_doses())]
    samples.append(("C0", "C", "control", None))
    return study_of(samples, doses)


def _doses() -> st.SearchStrategy[list[tuple[int, str]]]:
    return st.lists(st.tuples(st.sampled_from([0, 7, 10]), st.sampled_from(["D0", "D1", "D2"])), max_size=3)


@given(studies())
def test_relations_follow_the_definitions(study: Study) -> None:
    names = study.samples["sample"].to_list()
    pairs = pd.DataFrame(itertools.permutations(names, 2), columns=["sample_1", "sample_2"])
    found = relations(pairs, study)
    assert found.to_list() == [naive(study, *pair) for pair in pairs.itertuples(index=False)]


STUDY = study_of(
    [
        ("A-1", "A", "donor", None),
        ("A-2", "A", "donor", None),
        ("B-1", "B", "donor", None),
        ("R-0", "R", "recipient", 0),
        ("R-7", "R", "recipient", 7),
        ("R-8", "R", "recipient", 8),
        ("R-9", "R", "recipient", 9),
        ("Q-5", "Q", "recipient", 5),
        ("P-0", "P", "recipient", 0),
        ("P-9", "P", "recipient", 9),
    ],
    [("R", 0, "A"), ("R", 8, "B"), ("Q", 0, "A")],
)


@pytest.mark.parametrize(
    ("one", "other", "relation"),
    [
        ("A-1", "A-2", "same_person"),  # lots of a donor
        ("R-0", "R-7", "before_after"),  # the first dose is after the sample of day 0
        ("R-7", "R-8", "before_after"),  # a later dose counts from its day on
        ("R-8", "R-9", "same_person"),
        ("P-0", "P-9", "same_person"),  # placebo
        ("R-7", "A-1", "own_donor"),
        ("R-7", "B-1", "other_donor"),  # received on day 8
        ("B-1", "R-8", "own_donor"),
        ("R-0", "A-1", "unrelated"),  # the later donor
        ("P-9", "A-1", "other_donor"),
        ("Q-5", "R-7", "shared_donor"),
        ("Q-5", "R-0", "unrelated"),
        ("P-9", "R-9", "unrelated"),
        ("A-1", "B-1", "unrelated"),
    ],
)
def test_worked_examples(one: str, other: str, relation: str) -> None:
    pairs = pd.DataFrame({"sample_1": [one, other], "sample_2": [other, one]}, index=[7, 3])
    assert relations(pairs, STUDY).to_dict() == {7: relation, 3: relation}


def test_unknown_samples_are_named_and_have_no_relation(caplog: pytest.LogCaptureFixture) -> None:
    from microbiome.strains.relations import unknown_samples

    pairs = pd.DataFrame({"sample_1": ["A-1", "zz", "aa"], "sample_2": ["A-2", "A-1", "zz"]})
    with caplog.at_level(logging.WARNING):
        assert unknown_samples(pairs, STUDY) == ["aa", "zz"]
    assert "lacks 2 samples" in caplog.text
    assert "aa, zz" in caplog.text
    assert relations(pairs, STUDY).to_list() == ["same_person", None, None]
    assert people(pairs, STUDY).to_list()[1:] == [-1, -1]
    with pytest.raises(InputError, match="none of the samples of the distances: aa, zz"):
        unknown_samples(pairs.iloc[[2]], STUDY)


def test_pairs_of_the_same_people_have_one_number_and_weights_that_sum_to_one() -> None:
    pairs = pd.DataFrame(
        [("A-1", "R-0"), ("R-7", "A-2"), ("A-1", "B-1"), ("A-1", "A-2"), ("R-0", "R-9")],
        columns=["sample_1", "sample_2"],
    )
    number = people(pairs, STUDY)
    assert number[0] == number[1]
    assert number.nunique() == 4
    assert once(number.to_numpy()).tolist() == [0.5, 0.5, 1, 1, 1]
    assert once(number.to_numpy(), np.array([0, 1, 0, 0, 0])).tolist() == [1, 1, 1, 1, 1]
