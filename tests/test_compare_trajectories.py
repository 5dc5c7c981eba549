"""Rates over the days, by group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rate_tables import rates_and_subjects

from microbiome.cli import main
from microbiome.compare import TRAJECTORIES, trajectories
from microbiome.errors import InputError
from microbiome.stats import mean_interval
from microbiome.tsv import read_table, write_table

SMALL = pd.DataFrame(
    [
        ("A", "A1", 6, 0.2),
        ("A", "A2", 8, 0.4),
        ("A", "A3", 30, 0.5),
        ("B", "B1", 7, 0.1),
        ("C", "C1", 7, 0.3),
        ("C", "C3", 28, np.nan),
        ("C", "C4", 90, 0.7),
        ("D", "D1", 28, 0.6),
    ],
    columns=["subject", "sample", "day", "depletion_rate"],
)
ARMS = pd.DataFrame({"subject": list("ABCD"), "arm": ["fmt", "fmt", "fmt", "placebo"]})


def test_by_hand() -> None:
    # Subject A was seen on days 6 and 8: these are visits of their own.
    table = trajectories(SMALL[SMALL["sample"] != "A2"], ARMS, "arm").set_index(["group", "visit"])
    assert table.loc["fmt"][["day_low", "day_high"]].to_numpy().tolist() == [[6, 7], [28, 30], [90, 90]]
    fmt = table.loc["fmt"]
    assert fmt["n_subjects"].tolist() == [3, 1, 1]
    assert fmt["n_samples"].tolist() == [3, 1, 1]
    assert fmt["n_left"].tolist() == [0, 1, 2]
    assert fmt["day_median"].tolist() == [7, 29, 90]
    assert fmt["mean"].tolist() == pytest.approx([0.2, 0.5, 0.7])
    interval = mean_interval([0.2, 0.1, 0.3])
    assert fmt.loc[1, ["ci_low", "ci_high"]].tolist() == pytest.approx([interval.low, interval.high])
    assert fmt["n_change"].tolist() == [pd.NA, 1, 1]
    assert fmt["change"].tolist()[1:] == pytest.approx([0.3, 0.4])
    assert fmt.loc[2, "note"] == "one subject: no interval"
    placebo = table.loc["placebo"]
    assert placebo["n_subjects"].tolist() == [0, 1, 0]
    assert placebo["n_left"].tolist() == [0, 0, 1]
    assert placebo.loc[1, "note"] == placebo.loc[3, "note"] == "no sample at this visit"


def test_samples_of_one_visit_are_averaged_first() -> None:
    two = SMALL.assign(day=SMALL["day"].replace({6: 8}))
    table = trajectories(two, rate=["depletion_rate"])
    assert table["group"].eq("all").all()
    first = table.iloc[0]
    assert (first["n_subjects"], first["n_samples"]) == (3, 4)
    assert first["mean"] == pytest.approx((0.3 + 0.1 + 0.3) / 3)


def test_equals_means_and_changes_of_subjects() -> None:
    rates, subjects, doses = rates_and_subjects(np.random.default_rng(3), subjects=12, drop_out=0.3, donors=3)
    table = trajectories(rates, subjects, "responder", ["depletion_rate", "lost_taxa"], doses)
    assert list(table) == TRAJECTORIES.names
    group = rates["subject"].map(subjects.set_index("subject")["responder"])
    for row in table.itertuples():
        own = rates[group == row.group]
        wide = own.pivot_table(index="subject", columns="day", values=row.rate)
        day = (7, 28, 56, 84)[row.visit - 1]
        assert row.mean == pytest.approx(wide[day].mean())
        assert row.n_subjects == wide[day].notna().sum()
        assert row.n_left == (own.groupby("subject")["day"].max() < day).sum()
        assert row.method == ("logit_t" if row.rate == "depletion_rate" else "t")
        if row.visit > 1:
            change = (wide[day] - wide[7]).dropna()
            interval = mean_interval(change, "t")
            assert row.change == pytest.approx(interval.estimate)
            assert (row.change_ci_low, row.change_ci_high) == pytest.approx((interval.low, interval.high), nan_ok=True)
    assert table["note"].str.contains("conditional on these 3 donors").all()


def test_command_and_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates, subjects, _ = rates_and_subjects(np.random.default_rng(3))
    write_table(rates, tmp_path / "rates.tsv")
    write_table(subjects, tmp_path / "subjects.tsv")
    call = ["trajectories", "--rates", str(tmp_path / "rates.tsv"), "-o", str(tmp_path / "out.tsv")]
    assert main([*call, "--subjects", str(tmp_path / "subjects.tsv"), "--by", "responder"]) == 0
    read = read_table(tmp_path / "out.tsv", TRAJECTORIES).reset_index(drop=True)
    pd.testing.assert_frame_equal(read, trajectories(rates, subjects, "responder"), check_dtype=False)
    assert main([*call, "--by", "responder"]) == 2
    assert "subjects table" in capsys.readouterr().err
    with pytest.raises(InputError, match="did you mean 'responder'"):
        trajectories(rates, subjects, "responders")
    assert trajectories(rates.iloc[:0], subjects, "responder").empty
