"""What the configuration says of strains, and what the workflow makes of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microbiome.check import check
from microbiome.check_strains import strain_problems
from microbiome.config import validate_config
from microbiome.config_keys import STRAIN_RULES
from microbiome.config_strains import listed_clades, runs_strainphlan, strain_method, top_clades
from microbiome.strains.rate_tables import STRAIN_RATE_NAMES
from microbiome.strains.rules import RULES
from microbiome.tools import STRAINPHLAN_TOOLS
from microbiome.workflow import Plan, read_plan
from microbiome.workflow_lists import FileLists
from microbiome.workflow_strains import StrainPlan, allele_options, rule_options, strain_rate_options
from tests.strain_counts import Clade, write


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta_1.fq\ta_2.fq\nB.x\tL1\tb.fq\t\n")
    Path("samples.tsv").write_text("sample\tsubject\trole\tday\nA\tP\trecipient\t0\nB.x\tP\trecipient\t7\n")
    Path("subjects.tsv").write_text("subject\tarm\nP\tfmt\n")
    Path("db").mkdir()
    for name in ("mpa_vT_1.pkl", "mpa_vT_1.1.bt2l"):
        (Path("db") / name).touch()
    return tmp_path


def validated(strains: dict[str, Any], **given: Any) -> tuple[dict[str, Any], list[str]]:
    base = {"samples": "samples.tsv", "subjects": "subjects.tsv", "units": "units.tsv", "strains": strains}
    config, problems = validate_config(base | {"metaphlan": {"database": "db", "index": "mpa_vT_1"}} | given)
    return config, [str(problem) for problem in problems if problem.level == "error"]


def plan_of(strains: dict[str, Any], **given: Any) -> StrainPlan:
    config, problems = validated(strains, **given)
    assert problems == []
    return StrainPlan(read_plan(config))


PROFILES = {"units": "", "profiles": ["p.tsv"]}


@pytest.mark.parametrize(
    ("strains", "given", "method", "strainphlan"),
    [
        ({}, {}, "alleles", False),
        ({}, PROFILES, "none", False),
        ({"distances": "d.tsv"}, PROFILES, "distances", False),
        ({"distances": "d.tsv"}, {}, "distances", False),
        ({"alleles": "*.alleles"}, PROFILES, "alleles", False),
        ({"alleles": "*.alleles", "distances": "d.tsv"}, PROFILES, "distances", False),
        ({"method": "strainphlan"}, {}, "strainphlan", True),
        ({"strainphlan": True}, {}, "alleles", True),
        ({"method": "none", "strainphlan": True}, {}, "none", False),
        ({"method": "none"}, {}, "none", False),
    ],
)
def test_method(strains: dict[str, Any], given: dict[str, Any], method: str, strainphlan: bool) -> None:
    config, problems = validated(strains, **given)
    assert problems == []
    assert strain_method(config) == method
    assert runs_strainphlan(config) == strainphlan


@pytest.mark.parametrize(
    ("clades", "listed", "top"),
    [
        ("all", [], None),
        (["all"], [], None),
        ("top 20", [], 20),
        ("t__SGB15", ["t__SGB15"], None),
        (["t__SGB15", "t__SGB4933_group"], ["t__SGB15", "t__SGB4933_group"], None),
    ],
)
def test_clades(clades: Any, listed: list[str], top: int | None) -> None:
    config, problems = validated({"clades": clades})
    assert problems == []
    assert (listed_clades(config), top_clades(config)) == (listed, top)


@pytest.mark.parametrize(
    ("strains", "given", "message"),
    [
        ({"clades": ["SGB15"]}, {}, "'SGB15' is not a clade; did you mean 't__SGB15'?"),
        ({"clades": ["t__SGB1", "all"]}, {}, "'all' stands beside other clades"),
        ({"clades": "top many"}, {}, "'top many' is not a clade; write all, top 20"),
        ({"clades": "top 0"}, {}, "'top 0' leaves no clade"),
        ({"clades": []}, {}, "strains.clades: the value is empty"),
        ({"clades": ["t__SGB1", "t__SGB1"]}, {}, "'t__SGB1' stands twice"),
        ({"clades": 7}, {}, "'7' is not a clade"),
        ({"method": "allele"}, {}, "did you mean 'alleles'?"),
        ({"method": "alleles"}, PROFILES, "alleles needs alignments"),
        ({"method": "strainphlan"}, PROFILES, "strainphlan needs alignments"),
        ({"strainphlan": True}, PROFILES, "strains.strainphlan: StrainPhlAn needs alignments"),
        ({"method": "distances"}, {}, "strains.distances: the value is empty"),
        ({"rule": "percentile_table"}, {}, "strains.percentiles: the value is empty"),
        ({"parts": 0}, {}, "strains.parts: 0 is out of range"),
        ({"rates": ["engraftment_rate"]}, {}, "did you mean 'strain_engraftment_rate_"),
    ],
)
def test_problems(strains: dict[str, Any], given: dict[str, Any], message: str) -> None:
    _, problems = validated(strains, **given)
    assert any(message in problem for problem in problems), problems


def test_finished_allele_files(tmp_path: Path) -> None:
    """A study that starts from profiles and kept its alignments."""
    clade, rng = Clade(1, 2000), np.random.default_rng(1)
    write(tmp_path, {name: {"t__SGB1": clade.counts({name: 1}, 5, rng)} for name in ("A", "B.x")})
    Path("p.tsv").touch()
    plan = plan_of({"alleles": "*.alleles", "parts": 2}, **PROFILES)
    assert plan.alleles() == ["A.alleles", "B.x.alleles"]
    assert "results/strains/resolved.tsv" in plan_of({"alleles": "*.alleles"}, doses="doses.tsv", **PROFILES).measured()
    config, _ = validated({"alleles": "*.alleles"}, **PROFILES)
    assert strain_problems(config, whole=True) == []
    Path("B.x.alleles").write_text("something else")
    assert [problem.message for problem in strain_problems(config, whole=False)] == ["the file is no allele file"]


def test_what_has_no_effect_is_said() -> None:
    base = {"samples": "samples.tsv", "units": "units.tsv", "metaphlan": {"database": "db", "index": "i"}}
    strains = {"method": "alleles", "distances": ["d.tsv"], "fixed": 0.1, "percentiles": "p.tsv"}
    _, problems = validate_config(base | {"strains": strains})
    assert [(problem.column, problem.level) for problem in problems] == [
        ("strains.distances", "warning"),
        ("strains.fixed", "warning"),
        ("strains.percentiles", "warning"),
    ]


def test_choices_are_those_of_the_commands() -> None:
    assert STRAIN_RULES == RULES
    config, _ = validated({})
    assert set(config["strains"]["rates"]) <= set(STRAIN_RATE_NAMES)


def test_results_of_each_method() -> None:
    def names(strains: dict[str, Any], **given: Any) -> set[str]:
        found = plan_of(strains, **given).measured()
        assert all(path.startswith("results/strains/") for path in found)
        return {path.removeprefix("results/strains/") for path in found}

    common = {f"{name}.tsv" for name in ("distances", "thresholds", "shared", "sweep", "rates", "persistence")}
    common |= {"trajectories.tsv", "audit.tsv", "compare_arm.tsv"}
    alleles = common
    resolved = {"resolved.tsv", "sources.tsv"}
    beside = {"strainphlan_distances.tsv", "strainphlan_clades.tsv"}
    assert names({}) == alleles
    assert names({"rates": []}) == alleles - {"compare_arm.tsv"}
    assert names({"strainphlan": True}) == alleles | beside | {"strainphlan_thresholds.tsv", "strainphlan_shared.tsv"}
    assert names({"method": "strainphlan"}) == common | beside
    assert names({"method": "none"}) == set()
    # Without doses there is no donor to point to.
    Path("doses.tsv").write_text("subject\tday\tdonor\n")
    for method in ("alleles", "strainphlan"):
        assert names({"method": method}, doses="doses.tsv") >= resolved
    Path("p.tsv").write_text("clade_name\tA\tB.x\nx\t1\t1\n")
    Path("d.tsv").touch()
    assert names({"distances": "d.tsv"}, **PROFILES) == common
    plan = read_plan(validated({})[0])
    assert set(StrainPlan(plan).measured()) <= set(plan.targets())


def test_report_is_told_which_tables_there_are() -> None:
    words = plan_of({}, compare={"by": ["arm"]}).report_options()
    said = dict(zip(words[::2], words[1::2], strict=True))
    assert said["--strain-rates"] == "results/strains/rates.tsv"
    assert said["--strain-summary"] == "results/strains/trajectories.tsv"
    assert said["--strain-resolved"] == "", "there are no doses"
    assert said["--strain-compare"] == "results/strains/compare_arm.tsv"
    words = plan_of({"method": "none"}).report_options()
    assert words.count("") == len(words[:-1]) // 2
    assert words[-1] == "--strain-compare"


def test_sources_of_distances() -> None:
    alleles = ["results/strains/alleles/A.alleles", "results/strains/alleles/B.x.alleles"]
    listed = ["--alleles", "@results/lists/alleles.txt"]
    assert shlex.split(plan_of({}).resolve_options()) == listed
    assert shlex.split(plan_of({"method": "strainphlan"}).resolve_options()) == [
        "--shared",
        "results/strains/shared.tsv",
    ]
    one = plan_of({"min_sites": 80, "min_depth": 2, "clades": ["t__SGB1"]})
    assert one.sources() == one.alleles() == alleles
    words = [*listed, "--minimum-sites", "80", "--minimum-depth", "2", "--clade", "t__SGB1"]
    assert shlex.split(one.source_options()) == words
    two = plan_of({"parts": 2})
    parts = ["results/strains/distances/part1.tsv", "results/strains/distances/part2.tsv"]
    assert two.sources() == parts
    assert shlex.split(two.source_options()) == ["--table", "@results/lists/distances.txt"]
    assert shlex.split(two.part_options())[:2] == listed
    tree = plan_of({"method": "strainphlan"})
    assert tree.alleles() == []
    assert shlex.split(tree.source_options()) == [
        "--table",
        "results/strains/strainphlan_distances.tsv",
        "--method",
        "ngd",
    ]


def test_finished_distances() -> None:
    Path("trees").mkdir()
    for name in ("t__SGB2.tre", "t__SGB1.tre"):
        (Path("trees") / name).write_text("(A:1,B.x:1);")
    plan = plan_of({"distances": ["trees/*.tre", "t__SGB9=my tree.nwk"]})
    assert plan.sources() == ["trees/t__SGB1.tre", "trees/t__SGB2.tre", "my tree.nwk"]
    assert shlex.split(plan.source_options()) == ["--table", "@results/lists/distances.txt"]
    assert FileLists(plan.plan).text("distances") == "trees/t__SGB1.tre\ntrees/t__SGB2.tre\nt__SGB9=my tree.nwk\n"


def test_options() -> None:
    config, _ = validated({"min_base_quality": 25, "min_mapq": 3, "min_breadth": 0.2})
    assert allele_options(config) == "--min-base-quality 25 --min-mapq 3 --min-breadth 0.2"
    assert rule_options(config) == "--rule model"
    assert rule_options(validated({"rule": "fixed", "fixed": 0.00125})[0]) == "--rule fixed --value 0.00125"
    words = rule_options(validated({"rule": "percentile_table", "percentiles": "my table.tsv"})[0])
    assert shlex.split(words) == ["--rule", "percentile_table", "--percentiles", "my table.tsv"]
    assert strain_rate_options(config).startswith("--rate strain_engraftment_rate_donor ")
    assert plan_of({"clades": "top 7"}).clade_options() == "--top 7"
    assert plan_of({"clades": ["t__SGB2", "t__SGB1"]}).clade_options() == "--clades t__SGB2 t__SGB1"
    assert plan_of({}).clade_options() == ""
    assert plan_of({}).database() == ["db/mpa_vT_1.pkl"]
    assert StrainPlan(Plan(validated({}, **PROFILES)[0])).database() == []


def test_clade_folders() -> None:
    Path("clades.tsv").write_text(
        "taxon\tsamples\tchosen\treason\nt__SGB2\t7\t1\t\nt__SGB1\t5\t0\tnot among strains.clades\nt__SGB3\t4\t1\t\n"
    )
    plan = plan_of({"strainphlan": True})
    assert plan.clade_folders("clades.tsv") == [
        "results/strains/strainphlan/t__SGB2",
        "results/strains/strainphlan/t__SGB3",
    ]


def problems_of(strains: dict[str, Any], whole: bool = True, **given: Any) -> list[str]:
    config = {"samples": "samples.tsv", "subjects": "subjects.tsv", "profiles": ["p.tsv"], "strains": strains}
    Path("p.tsv").write_text("taxon\tA\tB.x\nx\t1\t1\n")
    return [str(problem) for problem in check(config | given, whole=whole, tools=False) if problem.level == "error"]


def test_check_reads_what_is_named() -> None:
    absent = {"distances": ["d.tsv", "t__SGB1=e.tre"], "rule": "percentile_table", "percentiles": "q.tsv"}
    for whole in (True, False):
        assert problems_of(absent, whole) == [
            "d.tsv: the file does not exist; correct strains.distances",
            "e.tre: the file does not exist; correct strains.distances",
            "q.tsv: the file does not exist; correct the path",
        ]
    Path("d.tsv").write_text("taxon\tsample_1\tsample_2\tdistance\nt__SGB1\tA\tB.x\tfar\n")
    assert problems_of({"distances": "d.tsv"}, whole=False) == []
    (problem,) = problems_of({"distances": "d.tsv"})
    assert problem.startswith("d.tsv:2: distance: ")
    Path("d.tsv").write_text("taxon\tsample_1\tsample_2\tdistance\nt__SGB1\tA\tB.x\t0.5\n")
    assert problems_of({"distances": "d.tsv"}) == []


def test_programs_of_strainphlan_are_asked_for_only_where_it_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bin").mkdir()
    monkeypatch.setenv("PATH", str(folder / "bin"))
    base = {"samples": "samples.tsv", "units": "units.tsv", "metaphlan": {"database": "db", "index": "mpa_vT_1"}}

    def missing(strains: dict[str, Any]) -> set[str]:
        found = check(base | {"strains": strains})
        return {problem.column for problem in found if "not found on PATH" in problem.message}

    names = {tool.name for tool in STRAINPHLAN_TOOLS}
    assert names == {"strainphlan", "samtools", "blastn", "mafft", "raxmlHPC"}
    assert not missing({}) & names
    assert names <= missing({"strainphlan": True})
    assert names <= missing({"method": "strainphlan"})
    assert not missing({"method": "none", "strainphlan": True}) & names
