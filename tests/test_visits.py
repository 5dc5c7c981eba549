"""Visits and the samples of the primary analysis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microbiome.errors import InputError
from microbiome.visits import analysis_samples, subject_means, visits


def posts(days: dict[str, list[int]]) -> pd.DataFrame:
    rows = [(subject, f"{subject}-{i}", day) for subject, own in days.items() for i, day in enumerate(own)]
    return pd.DataFrame(rows, columns=["subject", "sample", "day"])


def spans(days: dict[str, list[int]]) -> list[tuple[int, int]]:
    table = analysis_samples(posts(days)).visits
    return list(zip(table["day_low"], table["day_high"], strict=True))


def test_planned_visits_come_together_although_some_came_early_or_late() -> None:
    assert spans({"a": [26, 85], "b": [28, 80], "c": [31, 84]}) == [(26, 31), (80, 85)]


def test_samples_of_one_person_stay_apart() -> None:
    assert spans({"a": [28, 30], "b": [29]}) == [(28, 29), (30, 30)]


def test_a_visit_does_not_span_months() -> None:
    # Nobody has both, but day 28 and day 168 are not the same time.
    assert spans({"a": [28], "b": [168]}) == [(28, 28), (168, 168)]


def test_two_samples_of_one_day_share_a_visit_and_count_once() -> None:
    table = posts({"a": [28, 28, 84], "b": [28, 84]}).assign(rate=[0.0, 1.0, 1.0, 0.5, 0.5])
    means, analysis = subject_means(table, "rate")
    assert means["a"] == pytest.approx((0.5 + 1.0) / 2)
    assert len(analysis.samples) == 5


def test_only_visits_that_all_have_count_when_someone_leaves() -> None:
    table = posts({"stays": [28, 84], "leaves": [28]}).assign(rate=[0.1, 0.9, 0.2])
    means, analysis = subject_means(table, "rate")
    assert means.to_dict() == {"stays": 0.1, "leaves": 0.2}
    assert analysis.note == "visits that all have: day 28; 1 of 3 samples do not count"
    assert analysis.visits[["visit", "n_subjects", "used"]].to_numpy().tolist() == [[1, 2, 1], [2, 1, 0]]


def test_the_visit_of_most_counts_where_none_is_had_by_all() -> None:
    table = posts({"a": [28, 84], "b": [28, 84], "c": [84], "d": [28]}).assign(rate=range(6))
    means, analysis = subject_means(table, "rate")
    assert means.to_dict() == {"a": 0, "b": 2, "d": 5}
    assert analysis.left_out == ("c",)
    assert "no visit is had by all" in analysis.note
    assert "left out: c" in analysis.note


def test_a_window_takes_whoever_has_a_sample_in_it() -> None:
    table = posts({"a": [7, 28, 84], "b": [30], "c": [90]}).assign(rate=[1.0, 2.0, 3.0, 4.0, 5.0])
    means, analysis = subject_means(table, "rate", (20, 60))
    assert means.to_dict() == {"a": 2.0, "b": 4.0}
    assert analysis.left_out == ("c",)


@pytest.mark.parametrize("window", [(60, 20), (1,)])
def test_a_window_that_is_none_is_refused(window: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="day window"):
        analysis_samples(posts({"a": [28]}), window)


def test_nobody_gives_an_empty_analysis() -> None:
    table = posts({"a": [28]}).assign(rate=np.nan)
    means, analysis = subject_means(table, "rate")
    assert means.empty
    assert analysis.samples.empty


PEOPLE = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.integers(1, 400), min_size=1, max_size=5), min_size=1, max_size=6
)


@given(PEOPLE, st.randoms(use_true_random=False))
def test_visits_hold_at_most_one_day_of_a_person_and_do_not_hang_on_the_order(days: dict, random) -> None:
    frame = posts(days)
    visit = visits(frame)
    per = frame.assign(visit=visit).groupby(["subject", "visit"])["day"].nunique()
    assert (per == 1).all()
    low, high = frame.groupby(visit)["day"].min(), frame.groupby(visit)["day"].max()
    assert (high <= 2 * low + 7).all()
    assert (low.to_numpy()[1:] > high.to_numpy()[:-1]).all()
    order = list(range(len(frame)))
    random.shuffle(order)
    assert visits(frame.iloc[order]).sort_index().equals(visit)


@given(PEOPLE)
def test_every_subject_is_analysed_or_named(days: dict) -> None:
    table = posts(days).assign(rate=1.0)
    means, analysis = subject_means(table, "rate")
    assert sorted([*means.index, *analysis.left_out]) == sorted(days)
    counted = analysis.samples.groupby("subject")["visit"].nunique()
    assert len(set(counted)) == 1
