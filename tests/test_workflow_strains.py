"""The real StrainPhlAn through the workflow, beside the alleles, on a small simulated trial whose strains are known."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake_runs import must_run

from microbiome.strains.clade_table import STRAINPHLAN_CLADES
from microbiome.strains.tables import STRAIN_DISTANCES, STRAIN_SHARED
from microbiome.strains.trees import ngd
from microbiome.tsv import read_result, read_table

pytestmark = pytest.mark.tools

BESIDE = [f"results/strains/strainphlan_{name}.tsv" for name in ("distances", "clades", "thresholds", "shared")]
ALLELES = "results/strains/distances.tsv"


def write_config(folder: Path, name: str, **strains: object) -> str:
    config = yaml.safe_load((folder / "trial" / "config.yaml").read_text())
    # Three or four people: a published rule, because a model has too few pairs to say anything.
    config |= {"host_index": "", "strains": {"rule": "percentile_3", "min_sites": 100, **strains}}
    (folder / name).write_text(yaml.safe_dump(config))
    return name


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None, repository: Path) -> tuple[Path, str]:
    """Return a folder with eight samples of a donor and two recipients after both routes, and what the run said.

    Two of its four clades have several strains, one has a single strain everywhere, one is in two samples.
    """
    folder = tmp_path_factory.mktemp("strains")
    size = "--donors 1 --donor-samples 1 --recipients 2 --placebo 0 --days 0 7 14 --read-pairs 5000 --sgbs 6"
    marked = "--markers 22 --marker-length 450 --min-abundance 0.1 --strain-divergence 0.01 --engraftment 0.8"
    quiet = "--no-shallow-sample --host 0.01 --junk 0.01 --depth-sd 0.05 --results results"
    words = f"simulate --output trial --reads --seed 7 {size} {marked} {quiet}"
    subprocess.run(["microbiome", *words.split()], cwd=folder, check=True, capture_output=True)
    config = write_config(folder, "config.yaml", strainphlan=True)
    return folder, must_run(repository, folder, *BESIDE, ALLELES, config=config)


@pytest.fixture(scope="module")
def dominant(finished: tuple[Path, str]) -> pd.DataFrame:
    """Return the strain that is the larger part of each taxon in each sample, and its part."""
    truth = pd.read_csv(finished[0] / "trial" / "truth" / "strains.tsv", sep="\t", dtype={"sample": str})
    return truth.sort_values("fraction").groupby(["taxon", "sample"]).tail(1).set_index(["taxon", "sample"])


def with_truth(distances: pd.DataFrame, dominant: pd.DataFrame) -> pd.DataFrame:
    """Add `same` (the dominant strains are the same) and `part` (the smaller of their parts)."""
    one = pd.MultiIndex.from_frame(distances[["taxon", "sample_1"]])
    two = pd.MultiIndex.from_frame(distances[["taxon", "sample_2"]])
    same = dominant["strain"].reindex(one).to_numpy() == dominant["strain"].reindex(two).to_numpy()
    parts = [dominant["fraction"].reindex(index).to_numpy(dtype=float) for index in (one, two)]
    return distances.assign(same=same, part=pd.DataFrame(parts).min().to_numpy())


def test_every_clade_has_a_status(finished: tuple[Path, str], dominant: pd.DataFrame) -> None:
    """No tree is a result: it follows from the truth which clades have one, and the run goes on."""
    clades = read_table(finished[0] / BESIDE[1], STRAINPHLAN_CLADES).set_index("taxon")
    truth = dominant.reset_index().groupby("taxon").agg(samples=("sample", "nunique"), strains=("strain", "nunique"))
    expected = {
        taxon: "few_samples" if row["samples"] < 4 else "tree" if row["strains"] > 1 else "one_strain"
        for taxon, row in truth.to_dict("index").items()
    }
    assert clades["status"].to_dict() == expected
    assert set(expected.values()) == {"tree", "one_strain", "few_samples"}
    enough = clades["status"] != "few_samples"
    assert clades.loc[enough, "samples"].to_dict() == truth.loc[clades.index[enough], "samples"].to_dict()
    assert clades["reason"].isna().equals(clades["status"] == "tree")


def test_jobs(finished: tuple[Path, str]) -> None:
    """Markers once per sample, one job per clade that has enough samples."""
    folder, said = finished
    assert said.count(": consensus markers for StrainPhlAn") == 8
    assert said.count(": tree with StrainPhlAn") == 3
    kept = {path.name for path in (folder / "results" / "strains" / "strainphlan").rglob("*.tre")}
    assert len(kept) == 2
    assert not list((folder / "results" / "strains" / "strainphlan").rglob("tmp*"))
    # PhyloPhlAn leaves a folder where it is started.
    assert {path.name for path in folder.iterdir() if path.suffix != ".yaml"} <= {".snakemake", "trial", "results"}


def test_ngd_is_that_of_strain_transmission(finished: tuple[Path, str], tmp_path: Path) -> None:
    """On fresh trees of RAxML, to 1e-12; and what the workflow wrote is the same."""
    folder = finished[0]
    table = read_result(folder / BESIDE[0], STRAIN_DISTANCES)
    metadata = tmp_path / "metadata.tsv"
    trees = sorted((folder / "results" / "strains" / "strainphlan").rglob("RAxML_bestTree.*.tre"))
    assert len(trees) == 2
    for tree in trees:
        copy = tmp_path / tree.name
        shutil.copy(tree, copy)
        ours = ngd(copy)
        samples = sorted({*ours["sample_1"], *ours["sample_2"]})
        rows = [f"{sample}\t{sample}\tF{place}\t0" for place, sample in enumerate(samples)]
        metadata.write_text("\n".join(["sample\tsubject\trelation\ttimepoint", *rows]) + "\n")
        command = ["strain_transmission.py", "-t", str(copy), "-m", str(metadata), "-o", str(tmp_path), "--save_dist"]
        subprocess.run(command, capture_output=True, check=True)
        lines = [line.split("\t") for line in Path(f"{copy}.dist").read_text().splitlines()]
        theirs = {(one, two): float(value) for one, two, value in lines}
        taxon = ours["taxon"].iloc[0]
        written = table[(table["taxon"] == taxon) & (table["method"] == "ngd")]
        for frame in (ours, written):
            found = dict(zip(zip(frame["sample_1"], frame["sample_2"], strict=True), frame["distance"], strict=True))
            assert set(found) == set(theirs)
            assert max(abs(found[pair] - theirs[pair]) for pair in theirs) < 1e-12


def test_distances_tell_the_strains_apart(finished: tuple[Path, str], dominant: pd.DataFrame) -> None:
    """Strains differ at 1 % of positions: every distance of both routes against the strains that were simulated."""
    table = with_truth(read_result(finished[0] / BESIDE[0], STRAIN_DISTANCES), dominant)
    rates = table[table["method"] == "mutation_rate"]
    assert (rates["sites"] > 5000).all()
    assert (rates["consensus_differences"] / rates["sites"]).astype(float).equals(rates["distance"])
    assert rates.loc[rates["same"], "distance"].max() < 0.0005
    assert rates.loc[~rates["same"], "distance"].min() > 0.0005
    # Mixtures of two strains lie in between.
    pure = rates[~rates["same"] & (rates["part"] > 0.9)]
    assert len(pure) > 5
    assert pure["distance"].between(0.008, 0.012).all()
    trees = table[table["method"] == "ngd"]
    assert set(trees["taxon"]) < set(rates["taxon"])
    for _, pairs in trees.groupby("taxon"):
        assert pairs.loc[pairs["same"], "distance"].max() < pairs.loc[~pairs["same"], "distance"].min() / 5
    alleles = with_truth(read_result(finished[0] / ALLELES, STRAIN_DISTANCES), dominant)
    consensus = alleles[(alleles["method"] == "consensus") & alleles["distance"].notna()]
    assert len(consensus) >= len(rates)
    # Without StrainPhlAn's limits on depth and breadth shallow mixtures are compared too: these waver.
    assert consensus.loc[consensus["same"] & (consensus["part"] > 0.9), "distance"].max() < 0.001
    pure = consensus[~consensus["same"] & (consensus["part"] > 0.9)]
    assert pure["distance"].between(0.007, 0.013).all()


def test_calls_stand_in_tables_of_their_own(finished: tuple[Path, str]) -> None:
    folder = finished[0]
    distances = read_result(folder / BESIDE[0], STRAIN_DISTANCES)
    shared = read_result(folder / BESIDE[3], STRAIN_SHARED)
    key = ["taxon", "sample_1", "sample_2", "method"]
    assert shared[key].equals(distances[key])
    assert set(shared["threshold_origin"].dropna()) <= {"percentile_3", "none"}
    thresholds = pd.read_csv(folder / BESIDE[2], sep="\t")
    assert set(zip(thresholds["taxon"], thresholds["method"], strict=True)) == set(
        zip(distances["taxon"], distances["method"], strict=True)
    )


def test_parts_make_the_same_table(finished: tuple[Path, str], repository: Path) -> None:
    folder = finished[0]
    whole = read_result(folder / ALLELES, STRAIN_DISTANCES)
    config = write_config(folder, "parts.yaml", strainphlan=True, parts=2)
    said = must_run(repository, folder, ALLELES, config=config)
    assert "distances between strains, part 2 of 2" in said
    key = list(STRAIN_DISTANCES.key)
    parts = read_result(folder / ALLELES, STRAIN_DISTANCES)
    pd.testing.assert_frame_equal(parts, whole.sort_values(key, ignore_index=True)[list(parts.columns)])


def test_strainphlan_as_the_method(finished: tuple[Path, str], repository: Path) -> None:
    """The table that all later steps read is that of the trees; chosen clades only, and the others say so."""
    folder = finished[0]
    clades = pd.read_csv(folder / BESIDE[1], sep="\t").set_index("taxon")
    chosen = clades.index[clades["status"] == "tree"][0]
    config = write_config(folder, "trees.yaml", method="strainphlan", clades=[chosen])
    must_run(repository, folder, ALLELES, config=config)
    table = read_result(folder / ALLELES, STRAIN_DISTANCES)
    assert set(table["taxon"]) == {chosen}
    assert set(table["method"]) == {"ngd"}
    again = pd.read_csv(folder / BESIDE[1], sep="\t").set_index("taxon")
    assert again.loc[chosen, "status"] == "tree"
    others = clades.index[(clades["status"] != "few_samples") & (clades.index != chosen)]
    assert set(again.loc[others, "status"]) == {"not_chosen"}
