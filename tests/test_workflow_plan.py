"""What the workflow has to know of a study before its rules can be laid out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from microbiome.cli import main
from microbiome.config import validate_config
from microbiome.errors import InputError
from microbiome.workflow import Plan, prepare, read_plan
from microbiome.workflow_lists import FileLists
from microbiome.workflow_options import (
    compare_options,
    null_options,
    outcome_options,
    permanova_options,
    rate_options,
    sensitivity_options,
    taxon_options,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with a units table: A has two paired units, A_R1 and B.x have single reads."""
    monkeypatch.chdir(tmp_path)
    rows = ["A\tL2\ta2_1.fq\ta2_2.fq", "A_R1\tL1\tx.fq\t", "A\tL1\ta1_1.fq\ta1_2.fq", "B.x\tL1\tb.fq\t"]
    Path("units.tsv").write_text("\n".join(["sample\tunit\tfq1\tfq2", *rows]) + "\n")
    Path("samples.tsv").write_text("sample\tsubject\trole\tday\nA\tP\trecipient\t0\n")
    return tmp_path


def config_of(**given: Any) -> dict[str, Any]:
    base = {"samples": "samples.tsv", "units": "units.tsv", "metaphlan": {"database": "db", "index": "mpa_vT_1"}}
    config, problems = validate_config(base | given)
    assert problems == []
    return config


def plan_of(**given: Any) -> Plan:
    return read_plan(config_of(**given))


def test_units_keep_the_order_of_the_table() -> None:
    plan = plan_of()
    assert plan.samples == ["A", "A_R1", "B.x"]
    assert plan.unit_names("A") == ["L2", "L1"]
    assert plan.fastq("A", 1) == ["a2_1.fq", "a1_1.fq"]
    assert plan.fastq("A", 2) == ["a2_2.fq", "a1_2.fq"]


def test_patterns_match_their_own_samples_only() -> None:
    plan = plan_of()
    for sample in ("A", "A_R1", "B.x", "Bxx", "A_R", ""):
        assert bool(re.fullmatch(plan.pattern(paired=True), sample)) == (sample == "A")
        assert bool(re.fullmatch(plan.pattern(paired=False), sample)) == (sample in ("A_R1", "B.x"))


def test_samples_of_one_kind_need_no_list() -> None:
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\tb.fq\nB\tL1\tc.fq\td.fq\n")
    plan = plan_of()
    assert re.fullmatch(plan.pattern(paired=True), "A")
    assert not re.match(plan.pattern(paired=False), "A")


def test_lists_have_a_file_for_each_sample() -> None:
    lists = FileLists(plan_of(host_index="h", strains={"parts": 3}))
    samples = ["A", "A_R1", "B.x"]
    assert lists.files("profiles") == [f"results/profiles/{sample}_profile.tsv" for sample in samples]
    assert lists.text("host") == "".join(f"results/qc/host/{sample}.tsv\n" for sample in samples)
    assert len(lists.files("multiqc")) == 6
    assert lists.files("distances") == [f"results/strains/distances/part{part}.tsv" for part in (1, 2, 3)]
    assert lists.names() == ["profiles", "units", "fastp", "host", "profiled", "multiqc", "alleles", "distances"]
    options = shlex.split(lists.accounted_options())
    assert options[:4] == ["--profile", "@results/lists/profiles.txt", "--units", "@results/lists/units.txt"]
    assert "--rarefied" not in options
    with pytest.raises(KeyError):
        lists.files("nothing")


def test_without_such_samples_nothing_matches() -> None:
    assert re.match(Plan(config_of()).pattern(paired=True), "A") is None


def test_no_two_samples_share_a_file() -> None:
    plan = plan_of(host_index="h")
    files = [path for sample in plan.samples for path in (*plan.trimmed(sample), *plan.clean(sample))]
    assert len(files) == len(set(files)) == 7
    assert plan.clean("A") == ["results/reads/nonhost/A.fastq.gz"]
    assert plan_of().clean("A") == plan_of().trimmed("A")


def test_reads_are_rarefied_only_when_asked_for() -> None:
    for index in ("", "h"):
        plan = plan_of(host_index=index)
        assert plan.to_profile("A") == plan.clean("A")
        rarefied = plan_of(host_index=index, rarefy_reads=5000)
        assert rarefied.clean("A") == plan.clean("A")
        assert rarefied.to_profile("A") == ["results/reads/rarefied/A.fastq.gz"]


def test_jobs_grow_with_the_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("a1_1.fq", 3), ("a1_2.fq", 3), ("a2_1.fq", 2)):
        Path(name).write_bytes(bytes(size * 1_000_000))
    plan = plan_of()
    assert plan.megabytes("A") == 8.0, "the fourth file is missing"
    assert plan.megabytes("B.x") == 0.0
    assert plan.minutes("A", 10, 1000) == 18
    assert plan.threads("A", 8) == 1
    monkeypatch.setattr("microbiome.workflow._SMALL_MB", 5.0)
    assert (plan.threads("A", 8), plan.threads("B.x", 8)) == (8, 1)
    assert plan.memory(["a1_1.fq", "a2_1.fq"], 100) == 105


def test_index_files_are_those_of_the_index() -> None:
    Path("db").mkdir()
    for name in ("db/mpa_vT_1.pkl", "db/mpa_vT_1.rev.1.bt2l", "db/mpa_vT_10.pkl", "h.1.bt2", "hh.1.bt2", "h.fa"):
        Path(name).touch()
    plan = plan_of(host_index="h")
    assert plan.database_files() == ["db/mpa_vT_1.pkl", "db/mpa_vT_1.rev.1.bt2l"]
    assert plan.host_files() == ["h.1.bt2"]


def test_paired_and_single_units_of_one_sample_are_refused() -> None:
    Path("units.tsv").write_text("sample\tunit\tfq1\tfq2\nA\tL1\ta.fq\tb.fq\nA\tL2\tc.fq\t\n")
    with pytest.raises(InputError, match=r"units\.tsv:2: fq2: sample 'A' has units with and without fq2"):
        plan_of()


def test_options_of_the_commands_are_quoted() -> None:
    Path("my samples.tsv").write_text("sample\tsubject\trole\tday\n")
    plan = plan_of(
        samples="my samples.tsv",
        subjects="s.tsv",
        doses="",
        profile={"rank": "species", "close": False},
        diversity={
            "permanova": {
                "factors": ["arm", "my factor"],
                "strata": "subject",
                "continuous": ["my factor"],
                "permutations": 9,
            }
        },
        seed=5,
    )
    assert shlex.split(plan.table_options()) == ["--samples", "my samples.tsv", "--subjects", "s.tsv"]
    assert plan.profile_options() == "--profile results/profiles/merged.tsv --rank species --no-close"
    assert shlex.split(permanova_options(plan.config)) == [
        *("--factor", "arm", "my factor", "--strata", "subject", "--continuous", "my factor", "--which", "recipients"),
        *("--permutations", "9", "--seed", "5"),
    ]


def test_options_of_outcomes_and_comparisons() -> None:
    config = config_of(
        profile={"detection": 1e-5},
        detection={"repair": "thinning"},
        nulls={"strata": "my centre", "products": "as_given", "permutations": 99},
        compare={
            "rates": ["depletion_rate", "lost_taxa"],
            "window": [14, 40],
            "covariates": ["age", "my sex"],
            "strata": "centre",
            "permutations": 500,
        },
        sensitivity={"thresholds": [0, 1e-5, 0.001]},
        seed=4,
    )
    assert outcome_options(config) == "--detection 1e-05 --repair thinning --seed 4"
    assert null_options(config) == (
        "--detection 1e-05 --repair auto --products as_given --strata 'my centre' --window 14 40 --permutations 99 "
        "--seed 4"
    )
    assert rate_options(config) == "--rate depletion_rate lost_taxa"
    assert compare_options(config) == (
        "--covariate age 'my sex' --strata centre --window 14 40 --permutations 500 --seed 4"
    )
    assert taxon_options(config) == "--window 14 40 --permutations 500 --seed 4"
    assert sensitivity_options(config) == "--thresholds 0 1e-05 0.001"


def test_options_that_are_not_given_are_left_to_the_commands() -> None:
    config = config_of(compare={"rates": []})
    assert rate_options(config) == sensitivity_options(config) == ""
    assert compare_options(config) == taxon_options(config) == "--permutations 9999 --seed 1"
    assert "--strata" not in null_options(config)


class TestGroups:
    """Which columns make groups, and the names of their files."""

    @pytest.fixture(autouse=True)
    def subjects(self, folder: Path) -> None:
        """Write a subjects table with odd columns."""
        Path("s.tsv").write_text("subject\tarm\tbest_response\tper cent/%\tper_cent_\tArm\nP\tfmt\tCR\ta\tb\tc\n")

    def groups(self, *by: str, **given: Any) -> dict[str, str]:
        return plan_of(subjects="s.tsv", compare={"by": list(by)}, **given).groups("compare")

    def test_default_columns_that_there_are(self) -> None:
        assert plan_of(subjects="s.tsv").groups("compare") == {"responder": "responder", "arm": "arm"}
        Path("s.tsv").write_text("subject\tarm\nP\tfmt\n")
        assert plan_of(subjects="s.tsv").groups("sensitivity") == {"arm": "arm"}
        assert plan_of().groups("compare") == {}

    def test_donor_needs_doses_and_is_no_group_of_taxa(self) -> None:
        assert self.groups("donor") == {}
        plan = plan_of(subjects="s.tsv", compare={"by": ["donor"]}, doses="d.tsv")
        assert plan.groups("compare") == {"donor": "donor"}
        assert plan.grouped("compare") == ["results/outcomes/compare_donor.tsv"]
        assert plan.grouped("taxa") == ["results/outcomes/taxa.tsv"]

    def test_names_of_files_are_safe_and_different(self) -> None:
        found = self.groups("per_cent_", "per cent/%", "arm", "Arm")
        assert found == {"per_cent_": "per_cent_", "per_cent__2": "per cent/%", "arm": "arm", "Arm_2": "Arm"}
        assert len({word.lower() for word in found}) == 4
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", word) for word in found)

    def test_a_file_leads_back_to_its_column(self) -> None:
        plan = plan_of(
            subjects="s.tsv", compare={"by": ["per_cent_", "per cent/%"]}, sensitivity={"by": ["per cent/%"]}
        )
        assert plan.by_option("") == ""
        assert plan.by_option("_per_cent_") == "--by per_cent_"
        assert plan.by_option("_per_cent__2") == "--by 'per cent/%'"
        assert plan.by_option("_per_cent_", "sensitivity") == "--by 'per cent/%'"
        assert plan.grouped("sensitivity") == ["results/outcomes/sensitivity_per_cent_.tsv"]

    def test_without_groups_there_is_one_file_of_all(self) -> None:
        plan = plan_of()
        assert plan.grouped("compare") == []
        for name in ("trajectories", "taxa", "retention", "changes", "sensitivity"):
            assert plan.grouped(name) == [f"results/outcomes/{name}.tsv"]
        files = plan_of(subjects="s.tsv").grouped("taxa")
        assert files == ["results/outcomes/taxa_responder.tsv", "results/outcomes/taxa_arm.tsv"]

    def test_the_report_is_told_of_them(self) -> None:
        plan = plan_of(subjects="s.tsv", compare={"by": ["arm"]}, sensitivity={"by": []})
        words = shlex.split(plan.report_options())
        for name in ("compare", "trajectories", "taxa", "retention", "changes"):
            assert words[words.index(f"--{name}") + 1] == f"results/outcomes/{name}_arm.tsv"
            assert f"results/outcomes/{name}_arm.tsv" in plan.measured()
        assert words[words.index("--sensitivity") + 1] == "results/outcomes/sensitivity.tsv"
        # Without a file after it, an option says that there is none.
        assert plan_of().report_options().count("--compare --trajectories") == 1
        assert {f"results/outcomes/{name}.tsv" for name in ("limits", "nulls", "decomposition")} < set(plan.targets())


def test_the_tree_is_asked_for_where_it_is_needed() -> None:
    plan = plan_of(diversity={"tree": "t.nwk"})
    assert plan.tree_option("weighted_unifrac") == plan.tree_option() == "--tree t.nwk"
    assert plan.tree_option("jaccard") == plan_of().tree_option() == ""


def test_targets_follow_the_configuration() -> None:
    targets = plan_of(diversity={"beta": ["jaccard"], "alpha": []}).targets()
    assert "results/diversity/similarity_jaccard.tsv" in targets
    assert not [path for path in targets if path.endswith((".sam.bz2", ".fastq.gz"))]
    assert not [path for path in targets if "alpha" in path or "permanova" in path]
    tested = plan_of(diversity={"permanova": {"factors": ["arm"]}}).targets()
    assert "results/diversity/permanova_bray_curtis.tsv" in tested


def test_what_is_kept_is_asked_for() -> None:
    kept = plan_of(host_index="h", keep=["merged", "trimmed", "nonhost", "sam"]).targets()
    reads = {f"results/reads/{step}/A_R{mate}.fastq.gz" for step in ("merged", "trimmed") for mate in (1, 2)}
    reads |= {f"results/reads/{step}/B.x_single.fastq.gz" for step in ("merged", "trimmed")}
    assert {*reads, "results/reads/nonhost/A.fastq.gz", "results/profiles/A.sam.bz2"} <= set(kept)
    # Of a step that is not taken nothing can be kept, which the configuration is warned of.
    config, problems = validate_config(
        {"samples": "samples.tsv", "units": "units.tsv", "metaphlan": {"database": "db", "index": "i"}}
        | {"keep": ["nonhost", "rarefied"]}
    )
    assert [(problem.level, problem.column, problem.value) for problem in problems] == [
        ("warning", "keep", "rarefied"),
        ("warning", "keep", "nonhost"),
    ]
    assert not [path for path in read_plan(config).targets() if "/reads/" in path]


def test_the_key_that_kept_alignments_says_what_to_write_instead() -> None:
    metaphlan = {"database": "db", "index": "mpa_vT_1", "keep_sam": True}
    _, problems = validate_config({"samples": "samples.tsv", "units": "units.tsv", "metaphlan": metaphlan})
    assert [problem.column for problem in problems] == ["metaphlan.keep_sam"]
    assert "`keep: [sam]`" in str(problems[0])


def test_one_feature_table_is_used_as_it_stands() -> None:
    Path("ec.tsv").write_text("ec\tA\n1.1.1.1\t3\n")
    plan = plan_of(units="", profiles="ec.tsv")
    assert plan.profile == "ec.tsv"
    assert not {"results/profiles/merged.tsv", "results/qc/multiqc.html"} & set(plan.targets())


def test_several_profiles_are_merged() -> None:
    for sample in "BA":
        Path(f"{sample}.tsv").write_text("#mpa_vT_1\n#clade_name\trelative_abundance\n")
    plan = plan_of(units="", profiles=["*.tsv"])
    assert plan.single_profiles() == ["A.tsv", "B.tsv", "samples.tsv", "units.tsv"]
    assert plan.profile == "results/profiles/merged.tsv"


def test_every_problem_of_a_configuration_at_once() -> None:
    with pytest.raises(InputError) as error:
        prepare({"samples": "none.tsv", "units": "units.tsv", "seed": -1, "sed": 1}, tools=False)
    said = str(error.value)
    for part in ("none.tsv", "-1", "sed", "metaphlan.database", "a2_1.fq"):
        assert part in said, part


def test_the_download_of_the_database_needs_no_tables() -> None:
    Path("units.tsv").unlink()
    config = {"samples": "samples.tsv", "units": "units.tsv", "metaphlan": {"database": "db", "index": "mpa_vT_1"}}
    with pytest.raises(InputError):
        prepare(config, look=False)
    plan, problems = prepare(config, look=False, lenient=True)
    assert (plan.samples, problems) == ([], [])


def test_commands_take_lists_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.txt").write_text("no a.tsv\r\n\nb.tsv\n")
    assert main(["merge", "c.tsv", "@list.txt"]) == 2
    said = capsys.readouterr().err
    assert [line.split(": the file")[0] for line in said.splitlines()] == [
        "error: c.tsv",
        "error: no a.tsv",
        "error: b.tsv",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["merge", "@nowhere.txt"])
    assert ended.value.code == 2
    assert "nowhere.txt: the file does not exist" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["reads", "--help"])
    assert "@LIST" in capsys.readouterr().out
