"""Which samples are compared with which, and what can be wrong between the tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from strategies import doses_frame, samples_frame

from microbiome.errors import InputError
from microbiome.response import responder
from microbiome.study import Study, donor_products, post_samples, read_study, study_problems

GOOD = {
    "samples.tsv": [
        "sample\tsubject\trole\tday",
        "d1\tD\tdonor\t",
        "d2\tD\tdonor\t",
        "e1\tE\tdonor\t",
        "r0\tR\trecipient\t0",
        "r1\tR\trecipient\t28",
        "p0\tP\trecipient\t-2",
        "p1\tP\trecipient\t30",
    ],
    "subjects.tsv": ["subject\tarm\tbest_response", "D\t\t", "E\t\t", "R\tfmt\tPR", "P\tplacebo\tSD"],
    "doses.tsv": ["subject\tday\tdonor\tdonor_sample", "R\t0\tD\td1", "R\t14\tE\t"],
}


def write(folder: Path, changes: dict[str, list[tuple[str, str]]] | None = None) -> tuple[str, str, str]:
    """Write the good tables with some lines replaced (old, new); an empty old appends."""
    for name, lines in GOOD.items():
        text = "\n".join(lines) + "\n"
        for old, new in (changes or {}).get(name, []):
            assert old in text
            text = text.replace(old, new, 1) if old else text + new + "\n"
        (folder / name).write_text(text)
    return tuple(str(folder / name) for name in GOOD)  # type: ignore[return-value]


def test_good_tables_have_no_problem(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = read_study(*write(tmp_path), allow_missing_baseline=False)
    assert caplog.text == ""
    posts = post_samples(study)
    assert posts[["sample", "day", "baseline_sample", "baseline_day", "arm"]].to_numpy().tolist() == [
        ["r1", 28, "r0", 0, "fmt"],
        ["p1", 30, "p0", -2, "placebo"],
    ]
    products = donor_products(study)
    assert products[["sample", "dose_day", "donor", "donor_sample"]].to_numpy().tolist() == [
        ["r1", 0, "D", "d1"],
        ["r1", 14, "E", "e1"],
    ]


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "samples.tsv",
            ("r1\tR\trecipient\t28", "r1\tR\trecipient\t"),
            "samples.tsv:6: day: recipient sample 'r1' has no day; write",
        ),
        (
            "samples.tsv",
            ("r1\tR\trecipient", "r1\tR\tcontrol"),
            "samples.tsv:6: role: subject 'R' is control here but recipient in line 5",
        ),
        ("samples.tsv", ("-2", "2"), "samples.tsv:7: day: recipient 'P' has no baseline (no sample with day <= 0)"),
        (
            "samples.tsv",
            ("", "r00\tR\trecipient\t0"),
            "samples.tsv:9: day: recipient 'R' has 2 samples on its baseline day 0: 'r00' is used",
        ),
        (
            "subjects.tsv",
            ("R\tfmt", "r\tfmt"),
            "samples.tsv:5: subject: subject 'R' is not in subjects.tsv; add a row there",
        ),
        (
            "doses.tsv",
            ("R\t0\tD\td1\nR\t14\tE\t\n", ""),
            "subjects.tsv:4: arm: subject 'R' is of arm fmt but has no dose",
        ),
        ("subjects.tsv", ("P\tplacebo", "P\tfmt"), "subjects.tsv:5: arm: subject 'P' is of arm fmt but has no dose"),
        ("samples.tsv", ("", "c\tC\tcontrol\t"), "samples.tsv:9: day: control sample 'c' has no day: it is neither"),
        (
            "doses.tsv",
            ("R\t0", "Rx\t0"),
            "doses.tsv:2: subject: subject 'Rx' does not exist; correct it or add its samples (did you mean 'R'?)",
        ),
        ("doses.tsv", ("R\t0\tD", "D\t0\tE"), "doses.tsv:2: subject: subject 'D' has role donor but receives a dose"),
        ("doses.tsv", ("R\t0\tD\td1", "R\t0\tR\t"), "doses.tsv:2: donor: subject 'R' is its own donor"),
        (
            "doses.tsv",
            ("R\t0\tD\td1", "R\t0\tP\t"),
            "doses.tsv:2: donor: donor 'P' has role recipient; name a subject with role donor",
        ),
        ("doses.tsv", ("R\t0\tD\td1", "R\t0\tX\t"), "doses.tsv:2: donor: donor 'X' does not exist"),
        ("doses.tsv", ("D\td1", "D\td9"), "doses.tsv:2: donor_sample: donor_sample 'd9' does not exist"),
        (
            "doses.tsv",
            ("D\td1", "D\tp0"),
            "doses.tsv:2: donor_sample: donor_sample 'p0' is of 'P', who has role recipient",
        ),
        ("doses.tsv", ("D\td1", "D\te1"), "doses.tsv:2: donor_sample: donor_sample 'e1' is of donor 'E', not of 'D'"),
        ("doses.tsv", ("", "R\t14\tE\t"), "doses.tsv:4: donor: the same dose stands in line 3; it counts once"),
        ("doses.tsv", ("R\t0", "R\t1"), "doses.tsv:2: day: the first dose of subject 'R' is on day 1"),
    ],
)
def test_each_problem_names_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, change: tuple[str, str], message: str
) -> None:
    paths = write(tmp_path, {file: [change]})
    try:
        with caplog.at_level("WARNING"):
            read_study(*paths, allow_missing_baseline=False)
        said = [record.getMessage() for record in caplog.records]
    except InputError as error:
        said = [str(problem) for problem in error.problems]
    said = [line.replace(f"{tmp_path}/", "") for line in said]
    assert any(line.startswith(message) for line in said), said


def test_a_donor_known_only_by_name_is_a_product_without_profile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changes = {"subjects.tsv": [("E\t\t", "E\t\t\nF\t\t")], "doses.tsv": [("E\t", "F\t")]}
    study = read_study(*write(tmp_path, changes))
    assert "donor 'F' has no sample" in caplog.text
    product = donor_products(study).iloc[-1]
    assert (product["donor"], product["donor_sample"], product["profiled"]) == ("F", None, False)


def test_all_problems_at_once(tmp_path: Path) -> None:
    changes = {"samples.tsv": [("\t28", "\t"), ("-2", "2")], "doses.tsv": [("D\td1", "D\td9"), ("E\t", "X\t")]}
    with pytest.raises(InputError) as caught:
        read_study(*write(tmp_path, changes), allow_missing_baseline=False)
    assert len(caught.value.problems) == 4


def test_a_missing_baseline_can_be_allowed(tmp_path: Path) -> None:
    study = read_study(*write(tmp_path, {"samples.tsv": [("-2", "2")]}))
    posts = post_samples(study).set_index("sample")
    assert posts.loc["p1", "baseline_sample"] is None
    assert list(posts.index) == ["r1", "p0", "p1"]


def test_the_baseline_is_the_last_profiled_sample_before_the_first_dose() -> None:
    samples = samples_frame(
        [
            ("a", "R", "recipient", -30),
            ("b", "R", "recipient", 0),
            ("c", "R", "recipient", -7),
            ("d", "R", "recipient", 5),
        ]
    )
    study = Study(samples)
    assert post_samples(study)["baseline_sample"].tolist() == ["b"]
    assert post_samples(study, ["a", "c", "d"])["baseline_sample"].tolist() == ["c"]
    unprofiled = post_samples(study, ["a"])
    assert unprofiled[["baseline_sample", "profiled"]].to_numpy().tolist() == [["a", False]]


def test_products_accumulate_and_pool() -> None:
    samples = samples_frame(
        [
            ("d1", "D", "donor", None),
            ("d2", "D", "donor", 9),
            ("e1", "E", "donor", None),
            ("r0", "R", "recipient", 0),
            ("r1", "R", "recipient", 6),
            ("r2", "R", "recipient", 7),
        ]
    )
    doses = doses_frame([("R", 7, "E", "e1"), ("R", 0, "D", None), ("R", 7, "D", "d1")])
    products = donor_products(Study(samples, doses=doses), ["d1", "r0"])
    got = products.groupby("sample")["donor_sample"].apply(list).to_dict()
    assert got == {"r1": ["d1", "d2"], "r2": ["d1", "d2", "e1"]}
    assert products.set_index(["sample", "donor_sample"]).loc[("r2", "d1"), "profiled"]
    assert not products.set_index(["sample", "donor_sample"]).loc[("r2", "e1"), "profiled"]


def test_responder_is_derived_unless_given() -> None:
    subjects = pd.DataFrame(
        {
            "subject": list("abcdef"),
            "best_response": ["CR", "PR", "SD", "PD", "NE", None],
            "responder": [None, "no", *[None] * 4],
        }
    )
    assert responder(subjects).where(lambda s: s.notna(), None).to_dict() == {
        "a": "yes",
        "b": "no",
        "c": "no",
        "d": "no",
        "e": None,
        "f": None,
    }
    assert responder(subjects[["subject"]]).isna().all()


@pytest.mark.real
@pytest.mark.parametrize(("name", "posts", "recipients"), [("ucfmt1", 24, 24), ("baruch2021", 30, 10)])
def test_published_tables(real_data: Path, name: str, posts: int, recipients: int) -> None:
    folder = real_data / name
    study = read_study(*(folder / f"{t}.tsv" for t in ("samples", "subjects", "doses")), allow_missing_baseline=False)
    table = post_samples(study)
    assert (len(table), table["subject"].nunique()) == (posts, recipients)
    assert not [p for p in study_problems(study) if p.level == "error"]
