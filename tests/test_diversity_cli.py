"""`microbiome alpha`, `beta`, `ordinate`, `permanova` and `similarity`, from files to files."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microbiome import config_keys
from microbiome.cli import diversity as commands
from microbiome.cli import main
from microbiome.diversity import (
    ALPHA_METRICS,
    BETA_METRICS,
    alpha,
    beta,
    permanova,
    read_distances,
    with_subjects,
)
from microbiome.diversity.tables import ALPHA, PERMANOVA, SIMILARITY
from microbiome.study import read_study
from microbiome.tsv import read_result

TAXA = [f"t__SGB{number}" for number in (1626, 4933, 1877, 2318, 15286)]
RECIPIENTS = [f"p{i}" for i in range(8)]


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """Write eight recipients before and after, one sample without any taxon, two donors, and a tree."""
    rng = np.random.default_rng(1)
    rows, doses = [("don1", "d1", "donor", ""), ("don2", "d2", "donor", "")], []
    for i, subject in enumerate(RECIPIENTS):
        rows += [(f"{subject}.0", subject, "recipient", "0"), (f"{subject}.30", subject, "recipient", "30")]
        if i % 4:
            doses.append((subject, "0", f"d{i % 2 + 1}", ""))
    pd.DataFrame(rows, columns=["sample", "subject", "role", "day"]).to_csv(
        tmp_path / "samples.tsv", sep="\t", index=False
    )
    pd.DataFrame(doses, columns=["subject", "day", "donor", "donor_sample"]).to_csv(
        tmp_path / "doses.tsv", sep="\t", index=False
    )
    subjects = pd.DataFrame({"subject": RECIPIENTS, "arm": ["placebo" if i % 4 == 0 else "fmt" for i in range(8)]})
    subjects["best_response"] = ["CR", "PD", "SD", "PR"] * 2
    subjects["age"] = [str(50 + i) for i in range(8)]
    subjects.to_csv(tmp_path / "subjects.tsv", sep="\t", index=False)
    values = rng.random((len(rows), len(TAXA))) * (rng.random((len(rows), len(TAXA))) < 0.6)
    values[:, 0] += 0.01
    values *= 100 / values.sum(axis=1, keepdims=True)
    values[5] = 0  # p1.30
    lines = ["#mpa_vJan21_CHOCOPhlAnSGB_202103", "\t".join(["clade_name", *(row[0] for row in rows)])]
    lines.append("\t".join(["k__Bacteria", *(str(100.0 if total else 0) for total in values.sum(axis=1))]))
    for taxon, column in zip(TAXA, values.T, strict=True):
        lines.append("\t".join([f"k__Bacteria|s__x{taxon[6:]}|{taxon}", *map(repr, column.tolist())]))
    (tmp_path / "profile.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "tree.nwk").write_text("((1626:1,4933:2):1,(1877:1,2318:1):1,15286:0.5);")
    return tmp_path


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def tables(trial: Path, *names: str) -> list[object]:
    return [part for name in names for part in (f"--{name}", trial / f"{name}.tsv")]


def test_help_names_every_metric() -> None:
    # The command line and the config declare the names without importing the package: it takes a second.
    assert config_keys.ALPHA_METRICS == ALPHA_METRICS
    assert config_keys.BETA_METRICS == BETA_METRICS
    parser = argparse.ArgumentParser()
    commands.add(parser.add_subparsers())


def test_alpha(trial: Path) -> None:
    run(
        "alpha",
        "--profile",
        trial / "profile.tsv",
        "--metric",
        *ALPHA_METRICS,
        "--tree",
        trial / "tree.nwk",
        "-o",
        trial / "a.tsv",
    )
    found = read_result(trial / "a.tsv", ALPHA)
    assert list(found) == ALPHA.names
    assert found["sample"].tolist()[5] == "p1.30"
    assert found.iloc[5].drop("sample").isna().all()
    assert found["faith_pd"].notna().sum() == 17
    run("alpha", "--profile", trial / "profile.tsv", "-o", trial / "plain.tsv")
    pd.testing.assert_frame_equal(read_result(trial / "plain.tsv", ALPHA), found.iloc[:, :7])


@pytest.mark.parametrize("metric", BETA_METRICS)
def test_beta_to_similarity(trial: Path, metric: str, caplog: pytest.LogCaptureFixture) -> None:
    out = trial / "beta.tsv"
    run("beta", "--profile", trial / "profile.tsv", "--metric", metric, "--tree", trial / "tree.nwk", "-o", out)
    assert "p1.30" in caplog.text
    first = out.read_bytes()
    run("beta", "--profile", trial / "profile.tsv", "--metric", metric, "--tree", trial / "tree.nwk", "-o", out)
    assert out.read_bytes() == first
    assert out.read_text().startswith(f"# metric: {metric}\nsample\tdon1\t")
    assert len(read_distances(out).ids) == 17

    run("ordinate", "--distances", out, "--axes", 3, "-o", trial / "pcoa.tsv")
    assert (trial / "pcoa.tsv").read_text().startswith("# explained: axis_1=0.")
    assert list(pd.read_csv(trial / "pcoa.tsv", sep="\t", comment="#")) == ["sample", "axis_1", "axis_2", "axis_3"]

    options = ["--factor", "arm", "responder", "day", "age", "--strata", "subject", "--continuous", "age", "--seed", 4]
    for name in ("one.tsv", "two.tsv"):
        run("permanova", "--distances", out, *tables(trial, "samples", "subjects"), *options, "-o", trial / name)
    assert (trial / "one.tsv").read_bytes() == (trial / "two.tsv").read_bytes()
    found = read_result(trial / "one.tsv", PERMANOVA).set_index("factor")
    assert found.index.tolist() == ["arm", "responder", "day", "age"]
    assert found["scheme"].tolist() == [
        "whole strata, exact",
        "whole strata, exact",
        "within strata, exact",
        "whole strata",
    ]
    assert found["n_samples"].tolist() == [15, 15, 15, 15]
    assert found["n_missing"].tolist() == [2, 2, 2, 2]
    assert found["p_value"].between(0, 1).all()
    assert found.loc["arm", "permutations"] == 28

    run("similarity", "--distances", out, *tables(trial, "samples", "subjects", "doses"), "-o", trial / "s.tsv")
    table = read_result(trial / "s.tsv", SIMILARITY)
    assert list(table) == SIMILARITY.names
    assert len(table) == 16
    assert table["similarity_other_donors"].notna().any() == (
        metric in ("bray_curtis", "jaccard", "unweighted_unifrac")
    )


def test_normalized_weighted_unifrac_is_a_similarity(trial: Path) -> None:
    out = trial / "beta.tsv"
    run(
        "beta",
        "--profile",
        trial / "profile.tsv",
        "--metric",
        "weighted_unifrac",
        "--normalized",
        "--tree",
        trial / "tree.nwk",
        "-o",
        out,
    )
    assert out.read_text().startswith("# metric: weighted_unifrac_normalized\n")
    run("similarity", "--distances", out, *tables(trial, "samples"), "-o", trial / "s.tsv")
    table = read_result(trial / "s.tsv", SIMILARITY)
    assert table["similarity_other_donors"].notna().sum() == 15
    assert table["donor_distance"].isna().all()  # no doses: nobody received anything


def test_pseudocount(trial: Path) -> None:
    out = trial / "beta.tsv"
    run(
        "beta",
        "--profile",
        trial / "profile.tsv",
        "--metric",
        "aitchison",
        "--zeros",
        "pseudocount",
        "--delta",
        0.01,
        "-o",
        out,
    )
    from microbiome.metaphlan import read_abundance

    expected = beta(read_abundance([trial / "profile.tsv"]), "aitchison", zeros="pseudocount", delta=0.01)
    np.testing.assert_array_equal(read_distances(out).data, expected.data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alpha", "--profile", "profile.tsv", "--metric", "faith_pd"], "faith_pd needs a tree"),
        (["beta", "--profile", "profile.tsv", "--metric", "weighted_unifrac"], "weighted_unifrac needs a tree"),
        (["beta", "--profile", "profile.tsv", "--metric", "jaccard", "--tree", "no.nwk", "-o", "x.tsv"], None),
        (["beta", "--profile", "profile.tsv", "--metric", "weighted_unifrac", "--tree", "no.nwk"], "does not exist"),
        (["ordinate", "--distances", "samples.tsv"], "not square"),
        (["permanova", "--distances", "b.tsv", "--samples", "samples.tsv", "--factor", "sex"], "no column 'sex'"),
        (["similarity", "--distances", "none.tsv", "--samples", "samples.tsv"], "does not exist"),
    ],
)
def test_what_is_wrong_is_said(
    trial: Path,
    arguments: list[str],
    message: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(trial)
    run("beta", "--profile", "profile.tsv", "--metric", "bray_curtis", "-o", "b.tsv")
    capsys.readouterr()
    code = main(arguments)
    if message is None:
        assert code == 0  # a tree that the metric does not need is not read
        return
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.real
def test_published_trial(real_data: Path, tmp_path: Path) -> None:
    """Arm on 24 patients sampled twice: p < 0.05 when samples count as independent, far from it when patients do."""
    data, out = real_data / "ucfmt1", tmp_path / "beta.tsv"
    run("beta", "--profile", data / "profiles.tsv.gz", "--metric", "bray_curtis", "-o", out)
    options = [
        "--distances",
        out,
        "--samples",
        data / "samples.tsv",
        "--subjects",
        data / "subjects.tsv",
        "--factor",
        "arm",
    ]
    run("permanova", *options, "-o", tmp_path / "free.tsv")
    run("permanova", *options, "--strata", "subject", "-o", tmp_path / "whole.tsv")
    free, whole = (read_result(tmp_path / name, PERMANOVA).iloc[0] for name in ("free.tsv", "whole.tsv"))
    assert free["pseudo_f"] == whole["pseudo_f"]
    assert free["p_value"] < 0.1
    assert "48 samples of 24 subjects are taken as independent" in free["note"]
    assert whole["p_value"] > 0.4
    run(
        "similarity",
        "--distances",
        out,
        "--samples",
        data / "samples.tsv",
        "--doses",
        data / "doses.tsv",
        "-o",
        tmp_path / "s.tsv",
    )
    table = read_result(tmp_path / "s.tsv", SIMILARITY)
    assert len(table) == 48
    treated = table[table["n_donors"] == 1].pivot_table(index="subject", columns="day", values="similarity_donor")
    assert (treated.max(axis=1) >= treated[0]).all()
    # alpha and beta read the same profile
    from microbiome.metaphlan import read_abundance

    assert len(alpha(read_abundance([data / "profiles.tsv.gz"]))) == len(read_distances(out).ids) == 65


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ordinate", "--distances", "d.tsv", "--axes", "1000000000"], "1000000000 axes were asked for"),
        (
            ["outcomes", "--profile", "profile.tsv", "--samples", "samples.tsv", "-o", "profile.tsv/o.tsv"],
            "profile.tsv",
        ),
        (["simulate", "-o", "profile.tsv/trial"], "profile.tsv"),
        (
            ["permanova", "--distances", "d.tsv", "--samples", "samples.tsv", "--factor", "day", "--seed", "-1"],
            "seed -1 is negative",
        ),
        (["rates", "--outcomes", "cut.tsv"], "cut.tsv:"),
        (["rates", "--outcomes", "twice.tsv"], "twice.tsv:4"),
        (
            ["report", "--samples", "samples.tsv", "--rates", "samples.tsv", "-o", "r.html"],
            "samples.tsv: this looks like the samples table",
        ),
    ],
)
def test_bad_input_is_one_message_and_2(
    trial: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(trial)
    run("beta", "--profile", "profile.tsv", "--metric", "bray_curtis", "-o", "d.tsv")
    run("outcomes", "--profile", "profile.tsv", *map(str, tables(Path(), "samples", "doses")), "-o", "o.tsv")
    text = (trial / "o.tsv").read_text()
    (trial / "cut.tsv").write_text(text[: len(text) // 2 + 7].rsplit("\t", 3)[0])
    lines = text.splitlines()
    (trial / "twice.tsv").write_text("\n".join([*lines[:3], lines[2], *lines[3:]]) + "\n")
    capsys.readouterr()
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
    assert not (trial / "r.html").exists()


def test_a_covariate_of_both_tables_is_said(trial: Path, caplog: pytest.LogCaptureFixture) -> None:
    samples = pd.read_csv(trial / "samples.tsv", sep="\t", dtype=str).assign(arm="all")
    samples.to_csv(trial / "samples.tsv", sep="\t", index=False)
    run("beta", "--profile", trial / "profile.tsv", "--metric", "bray_curtis", "-o", trial / "d.tsv")
    with caplog.at_level("WARNING"):
        run(
            "permanova",
            "--distances",
            trial / "d.tsv",
            *tables(trial, "samples", "subjects"),
            "--factor",
            "arm",
            "-o",
            trial / "p.tsv",
        )
    assert "both tables have arm: that of the samples table is used" in caplog.text


def test_permanova_of_some_samples(trial: Path) -> None:
    """Restricting the samples is the same as giving a matrix of these samples only."""
    run("beta", "--profile", trial / "profile.tsv", "--metric", "bray_curtis", "-o", trial / "d.tsv")
    distances = read_distances(trial / "d.tsv")
    chosen = {
        "recipients": [name for name in distances.ids if not name.startswith("don")],
        "baseline": [name for name in distances.ids if name.endswith(".0")],
        "post": [name for name in distances.ids if name.endswith(".30")],
    }
    given = [
        "--distances",
        trial / "d.tsv",
        *tables(trial, "samples", "subjects"),
        "--factor",
        "arm",
        "--strata",
        "subject",
    ]
    for which, names in chosen.items():
        run("permanova", *given, "--which", which, "-o", trial / "p.tsv")
        row = read_result(trial / "p.tsv", PERMANOVA).iloc[0]
        study = read_study(trial / "samples.tsv", trial / "subjects.tsv")
        frame = with_subjects(study)
        expected = permanova(distances.filter(names), frame[frame["sample"].isin(names)], "arm", "subject").iloc[0]
        assert row["n_samples"] == len(names)
        assert (row["pseudo_f"], row["p_value"]) == (expected["pseudo_f"], expected["p_value"])
        assert row["note"].startswith("samples of recipients" if which == "recipients" else f"{which} samples")
