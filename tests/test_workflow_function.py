"""The real HUMAnN through the workflow, on a small simulated trial whose genes are known; and finished tables."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from snakemake_runs import must_run

from microbiome.cli import main
from microbiome.function.contributions import contributions
from microbiome.function.joining import join_functions
from microbiome.function.reading import read_functions
from microbiome.function.tables import FUNCTION_CONTRIBUTIONS, FUNCTION_READS, UNEXPLAINED
from microbiome.metaphlan import read_abundance
from microbiome.study import read_study
from microbiome.tables import OUTCOMES, RATES
from microbiome.tsv import read_result

pytestmark = pytest.mark.tools

INDEX = "mpa_vJun23Simulated_CHOCOPhlAnSGB_202601"
SHALLOW = "R01-T2"
TARGETS = [
    f"results/function/{name}.tsv" for name in ("reads", "names", "ec", "rates_ec", "alpha_ec", "contributions_ec")
]
TARGETS += [f"results/function/{name}.tsv" for name in ("beta_bray_curtis_ec", "limits_ec", "outcomes_pathway")]
DATABASES = ["--nucleotide", "trial/function/nucleotide", "--protein", "trial/function/protein"]
MAPS = ["--reactions", "trial/function/reactions.tsv", "--pathways", "trial/function/pathways.tsv"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None, repository: Path) -> Path:
    """Return a folder with seven samples, one of them too shallow, after HUMAnN with the profiles of the workflow.

    The markers are searched under the name of a database that HUMAnN takes profiles of.
    """
    folder = tmp_path_factory.mktemp("function")
    size = "--donors 1 --donor-samples 1 --recipients 2 --placebo 0 --days 0 14 --read-pairs 5000 --sgbs 12"
    marked = "--markers 26 --marker-length 400 --min-abundance 0.05 --engraftment 0.7 --host 0.01 --junk 0.05"
    words = f"simulate --output trial --reads --function --seed 7 {size} {marked} --depth-sd 0.05 --results results"
    subprocess.run(["microbiome", *words.split()], cwd=folder, check=True, capture_output=True)
    config = yaml.safe_load((folder / "trial" / "config.yaml").read_text())
    config |= {"host_index": "", "metaphlan": {"database": "trial/function/metaphlan", "index": INDEX}}
    config["function"]["prescreen"] = True
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    must_run(repository, folder, *TARGETS)
    return folder


def script(repository: Path, folder: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run HUMAnN on one sample by hand."""
    out.mkdir()
    reads = sorted(map(str, (folder / "trial" / "fastq").glob("D01-1_*.fastq.gz")))
    command = [str(repository / "workflow" / "scripts" / "humann_sample.py"), "--sample", "D01-1", "--reads", *reads]
    command += ["--min-reads", "100", *DATABASES, *MAPS]
    for name in ("genefamilies", "pathabundance", "pathcoverage", "counts"):
        command += [f"--{name}", str(out / f"{name}.tsv")]
    return subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True, check=False)


def test_ecs_are_those_of_the_genes(finished: Path) -> None:
    abundance = read_abundance([finished / "results" / "function" / "ec.tsv"])
    truth = pd.read_csv(finished / "trial" / "truth" / "functions.tsv", sep="\t", index_col="function").T
    deep = [name for name in abundance.index if name != SHALLOW]
    assert len(deep) == 6
    truth = truth.div(truth.sum(axis=1), axis=0)
    both = abundance.reindex(columns=truth.columns).fillna(0.0)
    assert set(abundance.columns) <= set(truth.columns), "nothing is found that nobody has"
    found = hits = there = 0
    for sample in deep:
        assert np.abs(both.loc[sample] - truth.loc[sample]).sum() / 2 < 0.12, sample
        found += int((both.loc[sample] > 0).sum())
        there += int((truth.loc[sample] > 0).sum())
        hits += int(((both.loc[sample] > 0) & (truth.loc[sample] > 0)).sum())
    assert 2 * hits / (found + there) > 0.97
    assert abundance.loc[SHALLOW].isna().all(), "too few reads are no profile"


def test_engrafted_functions_are_those_of_the_truth(finished: Path) -> None:
    outcomes = read_result(finished / "results" / "function" / "outcomes_ec.tsv", OUTCOMES)
    truth = pd.read_csv(finished / "trial" / "truth" / "functions.tsv", sep="\t", index_col="function").T > 0
    equal = 0
    for row in outcomes.itertuples():
        cell = (
            truth.loc["D01-1", row.taxon],
            truth.loc[row.baseline_sample, row.taxon],
            truth.loc[row.sample, row.taxon],
        )
        there = (row.donor_detected == 1, row.baseline_detected == 1, row.post_detected == 1)
        equal += cell == there
    assert equal / len(outcomes) > 0.95
    rates = read_result(finished / "results" / "function" / "rates_ec.tsv", RATES)
    for row in rates.itertuples():
        donor, before, after = truth.loc["D01-1"], truth.loc[row.baseline_sample], truth.loc[row.sample]
        assert row.engraftment_rate == pytest.approx(
            (donor & ~before & after).sum() / (donor & ~before).sum(), abs=0.12
        )


def test_accuracy_of_functions(finished: Path, tmp_path: Path) -> None:
    results = finished / "results" / "function"
    words = [
        "accuracy",
        "--functions",
        "--truth",
        str(finished / "trial" / "truth"),
        "--profile",
        str(results / "ec.tsv"),
    ]
    words += [
        "--outcomes",
        str(results / "outcomes_ec.tsv"),
        "--max-bray-curtis",
        "0.12",
        "-o",
        str(tmp_path / "a.tsv"),
    ]
    assert main(words) == 0
    assert "detected ECs against truth: F1" in (tmp_path / "a.tsv").read_text()
    assert f"{SHALLOW}: flagged for too few reads, as it must be" in (tmp_path / "a.tsv").read_text()
    assert main([*words, "--max-bray-curtis", "0.001"]) == 1
    # The true outcomes by their definition.
    there = pd.read_csv(finished / "trial" / "truth" / "functions.tsv", sep="\t", index_col="function").T > 0
    truth = pd.read_csv(finished / "trial" / "truth" / "function_outcomes.tsv", sep="\t")
    cells = {"engrafted": (1, 0, 1), "depleted": (0, 1, 0), "shared_kept": (1, 1, 1), "persisted": (0, 1, 1)}
    for name, cell in cells.items():
        rows = truth[truth["outcome"] == name]
        found = [
            (there.loc["D01-1", row.taxon], there.loc[row.baseline_sample, row.taxon], there.loc[row.sample, row.taxon])
            for row in rows.itertuples()
        ]
        assert found
        assert set(found) == {tuple(map(bool, cell))}


def test_contributions_name_who_has_the_gene(finished: Path) -> None:
    table = read_result(finished / "results" / "function" / "contributions_ec.tsv", FUNCTION_CONTRIBUTIONS)
    assert len(table) > 20
    # ECs are sums of gene families, and so add up.
    assert UNEXPLAINED not in set(table["taxon"])
    sums = table.groupby(["sample", "function"])[["change", "function_change"]].agg(
        {"change": "sum", "function_change": "first"}
    )
    np.testing.assert_allclose(sums["change"], sums["function_change"], atol=1e-12)
    engrafted = table[(table["outcome"] == "engrafted") & (table["change"] > 0) & table["taxon"].str.contains("s__")]
    assert len(engrafted) > 3
    # What came with an engrafted function is a species that was not there before.
    assert engrafted["taxon_outcome"].isin(["engrafted", "gained"]).mean() > 0.9


def test_samples_are_accounted_for(finished: Path) -> None:
    table = read_result(finished / "results" / "function" / "reads.tsv", FUNCTION_READS).set_index("sample")
    assert table["status"].to_dict() == {name: "few_reads" if name == SHALLOW else "ok" for name in table.index}
    assert len(table) == 7
    assert "1000 are needed (min_reads)" in table.loc[SHALLOW, "reason"]
    deep = table.drop(index=SHALLOW)
    assert set(deep["search"]) == {"prescreen: profile of the workflow"}
    assert set(deep["humann"]) == {"3.9"}
    assert deep["unmapped"].between(0.05, 0.6).all()
    names = pd.read_csv(finished / "results" / "function" / "names.tsv", sep="\t", index_col="function", quoting=3)
    assert names.loc["1.1.1.1", "name"] == "Alcohol dehydrogenase"
    assert names.loc["PWY-6163", "name"].startswith("chorismate biosynthesis")


def test_the_other_ways_to_choose_species(finished: Path, repository: Path, tmp_path: Path) -> None:
    """Its own profile, made by the MetaPhlAn beside HUMAnN; all species; and a profile that HUMAnN must not take."""
    reference = finished / "results" / "function" / "humann" / "D01-1_genefamilies.tsv"
    own = script(repository, finished, tmp_path / "own", "--metaphlan", "trial/function/metaphlan", "--index", INDEX)
    assert own.returncode == 0, own.stdout + own.stderr
    whole = script(repository, finished, tmp_path / "all")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    tables = [join_functions([path]).whole.loc["D01-1"] for path in (reference, *tmp_path.glob("*/genefamilies.tsv"))]
    together = pd.concat(tables, axis=1).fillna(0.0)
    for other in (1, 2):
        assert np.abs(together.iloc[:, 0] - together.iloc[:, other]).sum() / 2 < 0.1
    profile = finished / "results" / "profiles" / "D01-1_profile.tsv"
    text = profile.read_text().replace("mpa_vJun23Simulated", "mpa_vJan25")
    (tmp_path / "other.tsv").write_text(text)
    refused = script(repository, finished, tmp_path / "refused", "--profile", str(tmp_path / "other.tsv"))
    assert refused.returncode == 1
    assert "was not generated with the database version" in refused.stdout + refused.stderr
    assert "error: sample D01-1: humann ended with exit code 1" in refused.stderr


def test_our_tables_are_those_of_humanns_own_programs(finished: Path, tmp_path: Path) -> None:
    source = finished / "results" / "function" / "humann" / "D01-1_genefamilies.tsv"
    groups = finished / "trial" / "function" / "ec_map.tsv"
    raw, normal = tmp_path / "raw.tsv", tmp_path / "normal.tsv"
    for command in (
        ["humann_regroup_table", "-i", source, "-c", groups, "-o", raw],
        ["humann_renorm_table", "-i", raw, "-u", "cpm", "-p", "-o", normal],
    ):
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    for unit, file in (("as_given", raw), ("cpm", normal)):
        table = join_functions([source], groups, unit)
        parts = table.strata.loc["D01-1"]
        parts.index = pd.Index(["|".join(pair) for pair in parts.index])
        ours = pd.concat([table.whole.loc["D01-1"], parts])
        theirs = pd.read_csv(file, sep="\t", index_col=0).iloc[:, 0]
        assert set(ours.index) == set(theirs.index)
        # humann_renorm_table prints six digits.
        np.testing.assert_allclose(ours.loc[theirs.index], theirs, rtol=1e-9 if unit == "as_given" else 1e-5)


def test_finished_tables_take_the_place_of_humann(finished: Path, repository: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "trial", tmp_path / "trial", ignore=shutil.ignore_patterns("fastq", "database", "host"))
    shutil.copytree(finished / "results" / "function" / "humann", tmp_path / "tables")
    config = {
        **{name: f"trial/{name}.tsv" for name in ("samples", "subjects", "doses")},
        "profiles": "trial/profiles/*.tsv",
        "results": "results",
        "function": {
            "tables": ["tables/*_genefamilies.tsv", "pathway=tables/*_pathabundance.tsv"],
            "ec_map": "trial/function/ec_map.tsv",
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    names = ("ec", "pathway", "rates_ec", "contributions_pathway")
    said = must_run(repository, tmp_path, *(f"results/function/{name}.tsv" for name in names))
    assert "HUMAnN" not in said.split("Building DAG", 1)[-1]
    for name in ("ec", "ec_stratified", "pathway"):
        target = tmp_path / "results" / "function" / f"{name}.tsv"
        if (finished / "results" / "function" / f"{name}.tsv").exists():
            ours = pd.read_csv(target, sep="\t", index_col=0)
            theirs = pd.read_csv(finished / "results" / "function" / f"{name}.tsv", sep="\t", index_col=0)
            pd.testing.assert_frame_equal(ours[theirs.columns].loc[theirs.index], theirs)
    table = read_result(tmp_path / "results" / "function" / "contributions_pathway.tsv", FUNCTION_CONTRIBUTIONS)
    assert not table.empty
    # HUMAnN quantifies a pathway in the community and in each species: the rest is said, not spread.
    files = [tmp_path / "results" / "function" / f"{name}.tsv" for name in ("pathway", "pathway_stratified")]
    kept = read_result(tmp_path / "results" / "function" / "outcomes_pathway.tsv", OUTCOMES)
    trial = tmp_path / "trial"
    study = read_study(trial / "samples.tsv", trial / "subjects.tsv", trial / "doses.tsv")
    whole = contributions(read_functions(files), kept, study, which=["shared_kept"])
    assert UNEXPLAINED in set(whole.loc[whole["function"] == "COA-PWY", "taxon"])
    table = pd.concat([table, whole])
    sums = table.groupby(["sample", "function"])[["change", "function_change"]].agg(
        {"change": "sum", "function_change": "first"}
    )
    np.testing.assert_allclose(sums["change"], sums["function_change"], atol=1e-12)
