"""Studies at the edge of what can be analysed: every command gives a sensible row or one clear message."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome.cli import main

RNG = np.random.default_rng(11)
TAXA = [f"t__SGB{i}" for i in range(60)]


@dataclasses.dataclass(frozen=True)
class Files:
    """A small study on disk, and what the commands write beside it."""

    folder: Path

    def run(self, *words: str) -> pd.DataFrame:
        """Run a command and read what it wrote."""
        out = self.folder / f"{'_'.join(words[:1])}.tsv"
        assert main(["--quiet", *words, "-o", str(out)]) == 0
        return pd.read_csv(out, sep="\t", comment="#", dtype={"subject": str, "taxon": str})

    @property
    def study(self) -> list[str]:
        names = [name for name in ("samples", "subjects", "doses") if (self.folder / f"{name}.tsv").exists()]
        return [word for name in names for word in (f"--{name}", str(self.folder / f"{name}.tsv"))]

    @property
    def profile(self) -> list[str]:
        return ["--profile", str(self.folder / "profile.tsv")]

    def all_commands(self, by: str = "responder") -> dict[str, pd.DataFrame]:
        """Run every command of the comparison on the study."""
        subjects = ["--subjects", str(self.folder / "subjects.tsv"), "--by", by]
        found = {
            "limits": self.run("limits", *self.profile, *self.study),
            "outcomes": self.run("outcomes", *self.profile, *self.study),
            "nulls": self.run("nulls", *self.profile, *self.study, "--permutations", "99", "--repair", "none"),
        }
        outcomes = ["--outcomes", str(self.folder / "outcomes.tsv")]
        found["rates"] = self.run("rates", *outcomes)
        rates = ["--rates", str(self.folder / "rates.tsv")]
        found["compare"] = self.run("compare", *rates, *subjects, "--permutations", "99")
        found["trajectories"] = self.run("trajectories", *rates, *subjects)
        found["taxa"] = self.run("taxa", *outcomes, *subjects, "--permutations", "99")
        found["retention"] = self.run("retention", *outcomes, *subjects)
        found["changes"] = self.run("changes", *self.profile, *self.study, "--by", by, "--permutations", "99")
        found["decomposition"] = self.run("decomposition", *outcomes)
        found["sensitivity"] = self.run("sensitivity", *self.profile, *self.study, "--by", by, "--thresholds", "0")
        return found


def write(
    folder: Path,
    recipients: dict[str, list[int]],
    donors: dict[str, str],
    response: dict[str, str],
    change: dict[str, np.ndarray] | None = None,
) -> Files:
    """Write a study: days of each recipient's samples, the donor of each who has one, the response of each."""
    rows = [(f"{donor}.1", donor, "donor", None) for donor in sorted(set(donors.values()))]
    rows += [(f"{who}.{day}", who, "recipient", day) for who, days in recipients.items() for day in days]
    samples = pd.DataFrame(rows, columns=["sample", "subject", "role", "day"]).astype({"day": "Int64"})
    people = list(dict.fromkeys(samples["subject"]))
    arm = [None if name.startswith("D") else "fmt" if name in donors else "placebo" for name in people]
    subjects = pd.DataFrame({"subject": people, "arm": arm, "responder": [response.get(name) for name in people]})
    doses = pd.DataFrame(
        [(who, 0, donor, None) for who, donor in donors.items()], columns=["subject", "day", "donor", "donor_sample"]
    )
    rng = np.random.default_rng(11)
    values = {}
    for sample in samples["sample"]:
        values[sample] = np.where(rng.random(len(TAXA)) < 0.5, rng.lognormal(0, 1.5, len(TAXA)), 0.0)
        # One taxon is in everybody, one in nobody.
        values[sample][0], values[sample][1] = 1.0, 0.0
    values |= change or {}
    profile = pd.DataFrame(values, index=pd.Index(TAXA, name="taxon"))
    for name, frame in (("samples", samples), ("subjects", subjects), ("doses", doses)):
        frame.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    (profile / profile.sum()).to_csv(folder / "profile.tsv", sep="\t")
    return Files(folder)


def response_of(names: str, responders: str) -> dict[str, str]:
    return {name: "yes" if name in responders else "no" for name in names}


def notes(frame: pd.DataFrame) -> pd.Series:
    return frame["note"].fillna("")


def check_whole(found: dict[str, pd.DataFrame]) -> None:
    """Nothing is both tested and not testable; no p-value is below its floor; bounds hold their rate."""
    for name in ("nulls", "compare", "taxa"):
        frame = found[name]
        for p, floor in [(c, c.replace("p_value", "p_floor")) for c in frame if c.endswith("p_value")]:
            if floor in frame:
                both = frame[[p, floor]].dropna()
                assert (both[p] >= both[floor] - 1e-12).all(), name
        untestable = notes(frame).str.startswith("not testable: ")
        assert frame.loc[untestable, "p_value"].isna().all(), name
    for rate in ("engraftment_rate", "depletion_rate"):
        both = found["rates"][[f"{rate}_low", rate, f"{rate}_high"]].dropna()
        assert (both.to_numpy() == np.sort(both.to_numpy(), axis=1)).all()


def test_one_donor_for_everybody(tmp_path: Path) -> None:
    names = "ABCDEF"
    files = write(tmp_path, {n: [0, 28, 56] for n in names}, dict.fromkeys(names, "D1"), response_of(names, "ABC"))
    found = files.all_commands()
    check_whole(found)
    overall = found["nulls"].query("level == 'overall' and quantity == 'engraftment_rate'")
    assert notes(overall).str.contains("not testable: one donor for everybody").all()
    assert overall["observed"].notna().all()
    assert overall["p_floor"].dropna().eq(1).all()
    # Exact: 6 choose 3 = 20 arrangements, and each has its mirror image.
    primary = found["compare"].query("method == 'subject_permutation'")
    assert primary["p_floor"].to_numpy() == pytest.approx(0.1)


def test_one_recipient(tmp_path: Path) -> None:
    files = write(tmp_path, {"A": [0, 28]}, {"A": "D1"}, {"A": "yes"})
    found = files.all_commands()
    check_whole(found)
    assert notes(found["compare"]).str.startswith("not testable: ").all()
    assert len(found["compare"]) >= 3
    assert found["decomposition"]["sample"].tolist() == ["A.28"]
    assert set(found["taxa"]["taxon"]) == set(found["outcomes"]["taxon"])


def test_a_recipient_without_post_samples_is_no_reason_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    days = {"A": [0, 28], "B": [0], "C": [0, 30], "E": [0, 27]}
    files = write(tmp_path, days, dict.fromkeys(days, "D1") | {"E": "D2"}, response_of("ABCE", "AB"))
    found = files.all_commands()
    check_whole(found)
    assert set(found["rates"]["subject"]) == {"A", "C", "E"}
    subject_rows = found["nulls"].query("level == 'subject' and quantity == 'engraftment_rate'")
    assert {"A", "C", "E"} <= set(subject_rows["subject"])
    # One responder is left: a group of one has no spread.
    primary = found["compare"].query("method == 'subject_permutation'")
    assert primary["ci_low"].isna().all()
    assert primary["n_subjects"].dropna().eq(3).all()


def test_rates_with_denominator_0_are_missing_and_said(tmp_path: Path) -> None:
    everything = np.ones(len(TAXA))
    names = "ABCD"
    # The baselines hold all that the donors have: nothing could engraft.
    files = write(
        tmp_path,
        {n: [0, 28] for n in names},
        dict(zip(names, ["D1", "D1", "D2", "D2"], strict=True)),
        response_of(names, "AC"),
        {f"{n}.0": everything for n in names},
    )
    found = files.all_commands()
    check_whole(found)
    assert found["rates"]["engraftment_rate"].isna().all()
    rows = found["compare"].query("rate == 'engraftment_rate'")
    assert notes(rows).str.startswith("not testable: ").all()
    overall = found["nulls"].query("level == 'overall' and quantity == 'engraftment_rate'")
    assert notes(overall).str.contains("not testable: ").all()


def test_response_that_nobody_has_filled_in(tmp_path: Path) -> None:
    names = "ABCD"
    files = write(tmp_path, {n: [0, 28] for n in names}, dict(zip(names, ["D1", "D2"] * 2, strict=True)), {})
    found = files.all_commands()
    check_whole(found)
    assert notes(found["compare"]).str.startswith("not testable: ").all()
    assert set(found["compare"]["rate"]) >= {"depletion_rate", "engraftment_rate"}
    assert found["taxa"]["p_value"].isna().all()


def test_a_group_of_one(tmp_path: Path) -> None:
    names = "ABCDE"
    donors = dict(zip(names, ["D1", "D2", "D1", "D2", "D1"], strict=True))
    files = write(tmp_path, {n: [0, 28, 56] for n in names}, donors, response_of(names, "A"))
    found = files.all_commands()
    check_whole(found)
    rows = found["compare"].query("rate == 'depletion_rate'")
    assert notes(rows).str.contains("one subject").all()


def test_a_taxon_in_everybody_and_one_in_nobody(tmp_path: Path) -> None:
    names = "ABCDEFGH"
    donors = dict(zip(names, ["D1", "D2"] * 4, strict=True))
    files = write(tmp_path, {n: [0, 28] for n in names}, donors, response_of(names, "ABCD"))
    found = files.all_commands()
    check_whole(found)
    everywhere = found["taxa"][found["taxa"]["taxon"] == "t__SGB0"]
    assert len(everywhere) > 0
    assert everywhere["p_value"].isna().all()
    assert notes(everywhere).str.startswith("not testable: ").all()
    assert "t__SGB1" not in set(found["outcomes"]["taxon"])
    by_taxon = found["nulls"].query("level == 'taxon' and taxon == 't__SGB0' and quantity == 'engraftment_rate'")
    assert notes(by_taxon).str.startswith("not testable: ").all()


def test_a_column_that_is_none_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write(tmp_path, {n: [0, 28] for n in "AB"}, {"A": "D1", "B": "D1"}, response_of("AB", "A"))
    files.run("outcomes", *files.profile, *files.study)
    files.run("rates", "--outcomes", str(tmp_path / "outcomes.tsv"))
    subjects = ["--subjects", str(tmp_path / "subjects.tsv")]
    code = main(["compare", "--rates", str(tmp_path / "rates.tsv"), *subjects, "--by", "respnder"])
    assert code == 2
    error = capsys.readouterr().err
    assert "respnder" in error
    assert "did you mean 'responder'" in error
