"""The table of nulls against R, which goes through all permutations by loops (tests/golden/make_nulls.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.cli import main
from microbiome.nulls.tables import NULLS
from microbiome.tsv import read_result

KEY = ["quantity", "null", "level", "subject", "taxon"]


@pytest.fixture(scope="module")
def ours(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    target = tmp_path_factory.mktemp("nulls") / "nulls.tsv"
    tables = [f"--{name}={golden / f'nulls_{name}.tsv'}" for name in ("profile", "samples", "subjects", "doses")]
    code = main(["--quiet", "nulls", *tables, "--repair", "none", "--products", "as_given", "-o", str(target)])
    assert code == 0
    return read_result(target, NULLS)


@pytest.fixture(scope="module")
def expected(golden: Path) -> pd.DataFrame:
    frame = pd.read_csv(golden / "nulls_expected.tsv", sep="\t", keep_default_na=False)
    numbers = [name for name in frame if name not in KEY]
    frame[numbers] = frame[numbers].replace("", np.nan).astype(float)
    return frame


def test_every_number_is_that_of_r(ours: pd.DataFrame, expected: pd.DataFrame) -> None:
    found = expected[KEY].merge(ours.fillna({"subject": "", "taxon": ""}), on=KEY, how="left")
    assert len(found) == len(expected) == 102
    # With pseudo-donors schedules are dealt out together with arms: see tests/test_nulls_depletion.py.
    dealt = (expected["null"] == "placebo_arm") & (expected["level"] == "overall")
    dealt &= expected["quantity"] != "depletion_rate"
    assert dealt.sum() == 3
    for column in ("observed", "expected", "ci_low", "ci_high", "p_value"):
        rows = ~dealt if column == "p_value" else slice(None)
        np.testing.assert_allclose(
            found.loc[rows, column], expected.loc[rows, column], rtol=1e-9, atol=1e-12, err_msg=column
        )
    excess = expected["observed"] - expected["expected"]
    tested = expected["p_value"].notna()
    np.testing.assert_allclose(found.loc[tested, "excess"], excess[tested], rtol=1e-9, atol=1e-12)


def test_all_arrangements_are_looked_at(ours: pd.DataFrame) -> None:
    overall = ours[ours["level"] == "overall"].set_index(["null", "quantity"])
    # Two with A, two with B, one with C, one with C and later A; and 4 of 10 subjects.
    assert overall.loc[("donor_permutation", "engraftment_rate"), "permutations"] == 180
    assert overall.loc[("donor_permutation", "engraftment_rate"), "p_floor"] == pytest.approx(1 / 180)
    assert overall.loc[("placebo_arm", "depletion_rate"), "permutations"] == 210
    assert overall.loc[("placebo_arm", "depletion_rate"), "p_floor"] == pytest.approx(1 / 210)
    exact = overall[overall["p_value"].notna() & ~overall["method"].fillna("").str.startswith("arm_and_schedule")]
    assert len(exact) >= 3
    assert set(exact["scheme"]) == {"exact"}


def test_what_r_cannot_test_says_why(ours: pd.DataFrame, expected: pd.DataFrame) -> None:
    found = expected[KEY].merge(ours.fillna({"subject": "", "taxon": ""}), on=KEY, how="left")
    untestable = expected["p_value"].isna().to_numpy()
    assert untestable.any()
    assert found.loc[untestable, "note"].str.startswith("not testable: ").all()
    assert not found.loc[~untestable, "note"].fillna("").str.startswith("not testable").any()


def test_differing_sets_are_said(ours: pd.DataFrame) -> None:
    row = ours[(ours["null"] == "donor_permutation") & (ours["level"] == "overall")].iloc[0]
    assert "donor sets differ in size (1 to 2 products): not comparable across recipients" in row["note"]
    assert "conditional on these 3 donors" in row["note"]
