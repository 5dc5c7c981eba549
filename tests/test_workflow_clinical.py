"""Which results on patients, donors and molecules the workflow makes, and whether the commands know the options."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from microbiome.cli import _parser
from microbiome.config import validate_config
from microbiome.workflow import Plan, read_plan
from microbiome.workflow_association import AssociationPlan
from microbiome.workflow_clinical import ClinicalPlan

ALL = "subject\tarm\tbest_response\tpfs_days\tpfs_event\tos_days\tos_event\tirae_grade\nP\tfmt\tPR\t9\t1\t9\t1\t2\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the tables of one recipient."""
    monkeypatch.chdir(tmp_path)
    Path("samples.tsv").write_text("sample\tsubject\trole\tday\nA\tP\trecipient\t0\n")
    Path("p.tsv").write_text("#mpa_vT_1\n#clade_name\tA\n")
    return tmp_path


def plan_of(subjects: str = "", **given: Any) -> Plan:
    base: dict[str, Any] = {"samples": "samples.tsv", "profiles": "p.tsv"}
    if subjects:
        Path("subjects.tsv").write_text(subjects)
        base["subjects"] = "subjects.tsv"
    config, problems = validate_config(base | given)
    assert problems == []
    return read_plan(config)


def names(plan: ClinicalPlan) -> set[str]:
    return {Path(path).stem for path in plan.measured()}


def value(options: str, name: str) -> list[str]:
    """Return the words that follow an option."""
    words = shlex.split(options)
    rest = words[words.index(name) + 1 :]
    ends = [i for i, word in enumerate(rest) if word.startswith("--")]
    return rest[: ends[0]] if ends else rest


DONORS = {"donor_clusters", "donor_cluster_choice", "donors", "donor_spread", "donor_taxa"}
MATCH = {"donor_match_scores", "donor_match", "donor_pairs"}


def test_each_part_is_made_where_its_columns_are() -> None:
    assert names(ClinicalPlan(plan_of())) == set()
    assert names(ClinicalPlan(plan_of("subject\nP\n"))) == set()
    assert names(ClinicalPlan(plan_of("subject\tbest_response\nP\tPR\n"))) == {"response"}
    assert names(ClinicalPlan(plan_of("subject\tresponder\nP\tyes\n"))) == {"response"}
    assert ClinicalPlan(plan_of("subject\tresponder\nP\tyes\n", lesions="l.tsv")).criteria == "recist_1_1"
    assert names(ClinicalPlan(plan_of("subject\tos_days\tos_event\nP\t3\t1\n"))) == {"survival", "curves"}
    assert names(ClinicalPlan(plan_of("subject\tirae_grade\nP\t3\n"))) == {"toxicity"}
    assert names(ClinicalPlan(plan_of(ALL))) == {"response", "survival", "curves", "toxicity"}


def test_tables_of_patients_add_theirs() -> None:
    plan = ClinicalPlan(plan_of("subject\nP\n", lesions="l.tsv"))
    assert names(plan) == {"response", "assessments", "best_responses"}
    assert plan.criteria == "recist_1_1"
    assert names(ClinicalPlan(plan_of(ALL, toxicities="t.tsv"))) >= {"toxicity", "toxicity_curves"}
    assert names(ClinicalPlan(plan_of("subject\nP\n", toxicities="t.tsv"))) == {"toxicity"}
    assert names(ClinicalPlan(plan_of(doses="d.tsv"))) == DONORS | MATCH
    assert names(ClinicalPlan(plan_of(doses="d.tsv", donors={"match": False}))) == DONORS


def test_time_to_adverse_events_needs_events_and_follow_up() -> None:
    assert "toxicity_curves" in names(ClinicalPlan(plan_of(ALL, toxicities="t.tsv")))
    assert "toxicity_curves" not in names(ClinicalPlan(plan_of(ALL)))
    assert "toxicity_curves" not in names(ClinicalPlan(plan_of("subject\tos_days\nP\t3\n", toxicities="t.tsv")))
    # A severe event without a day is left out by name there; that is no reason to leave the whole table out.
    Path("t.tsv").write_text("subject\tday\tgrade\nP\t\t3\n")
    assert "toxicity_curves" in names(ClinicalPlan(plan_of(ALL, toxicities="t.tsv")))


def test_given_responses_come_before_those_of_lesions() -> None:
    assert ClinicalPlan(plan_of(ALL, lesions="l.tsv")).criteria == "given"
    chosen = plan_of(ALL, lesions="l.tsv", clinical={"criteria": "irecist", "confirmed": True})
    options = ClinicalPlan(chosen).response_options()
    assert value(options, "--criteria") == ["irecist"]
    assert "--confirmed" in options
    assert value(options, "--lesions") == ["l.tsv"]
    assert "--lesions" not in ClinicalPlan(plan_of(ALL)).response_options()


def test_groups_are_columns_that_there_are() -> None:
    plan = ClinicalPlan(plan_of(ALL, clinical={"by": ["arm", "centre"]}))
    assert plan.by_options() == "--by arm"
    assert ClinicalPlan(plan_of("subject\nP\n")).by_options() == ""


def test_survival_is_told_by_response_from_the_day_on_which_it_was_known() -> None:
    groups = {"by": ["arm", "responder"]}
    assert ClinicalPlan(plan_of(ALL, clinical=groups)).survival_groups() == "--by arm"
    told = ClinicalPlan(plan_of(ALL, clinical=groups | {"response_day": 90})).survival_groups()
    assert told == "--by arm responder --measured responder=90"
    assert ClinicalPlan(plan_of(ALL, clinical=groups)).by_options() == "--by arm responder"
    assert ClinicalPlan(plan_of(ALL, clinical=groups)).response_groups() == "--by arm"


def test_options_are_those_of_the_commands() -> None:
    """What the rules write must be understood by the command, whatever is configured."""
    plan = plan_of(
        ALL,
        doses="d.tsv",
        lesions="l.tsv",
        toxicities="t.tsv",
        treatments="r.tsv",
        clinical={
            "by": ["arm", "responder"],
            "response_day": 90,
            "predictors": ["age"],
            "covariates": ["sex"],
            "landmarks": [180, 365],
        },
        donors={"lists": "list.tsv", "cohort": "centre"},
        compare={"window": [7, 90]},
        tables={"metabolites": {"file": "m.tsv", "unit": "µmol/L", "transform": "log", "lod": 0.5}, "cells": "c d.tsv"},
        associate={"covariates": ["age"], "strata": "centre"},
    )
    clinical, associations = ClinicalPlan(plan), AssociationPlan(plan)
    tables, profile = plan.table_options(), plan.profile_options()
    people, events = plan.table_options("subjects", "samples"), clinical.event_options()
    lines = [
        f"clinical response {people} {clinical.response_groups()} {clinical.response_options()}",
        f"clinical survival {people} {clinical.survival_groups()} "
        f"{clinical.rate_options()} {clinical.survival_options()}",
        f"clinical toxicity {tables} {clinical.toxicity_groups()} {events} {clinical.toxicity_options()}",
        f"clinical time-to-toxicity {tables} {clinical.toxicity_groups()} {events}",
        f"donors {profile} {tables} {clinical.list_options()} {clinical.donor_options()}",
        f"match {profile} {tables} {clinical.list_options()} {clinical.donor_options()} {clinical.match_options()}",
        f"join {plan.table_options('samples', 'subjects')} {associations.join_options()}",
        *(f"associate {tables} {associations.options(name)}" for name in associations.names()),
    ]
    parser = _parser()
    for line in lines:
        parser.parse_args(shlex.split(line))
    assert associations.names() == ["subjects", "outcomes", "metabolites", "cells"]
    assert value(clinical.rate_options(), "--window") == ["7", "90"]
    assert value(clinical.survival_options(), "--times") == ["180", "365"]


def test_columns_of_which_nothing_is_known_are_not_associated() -> None:
    """Where all are NE nobody has a response: no reason for the workflow to end."""
    unknown = AssociationPlan(plan_of("subject\tarm\tbest_response\tirae_grade\nP\t\tNE\t\n"))
    assert unknown.by() == []
    assert AssociationPlan(plan_of("subject\tarm\tbest_response\tirae_grade\nP\tfmt\tSD\t2\n")).by() == [
        "responder",
        "arm",
        "irae_grade>=3",
    ]


def test_what_is_associated() -> None:
    assert AssociationPlan(plan_of()).measured() == []
    assert AssociationPlan(plan_of(ALL)).names() == ["subjects"]
    plan = AssociationPlan(plan_of(ALL, tables={"cells": "c.tsv"}, associate={"by": ["age", "irae_grade >= 3"]}))
    assert plan.by() == ["irae_grade >= 3"]
    assert plan.measured() == [
        *(f"results/association/associations_{name}.tsv" for name in ("subjects", "outcomes", "cells")),
        "results/association/joins.tsv",
    ]
    assert plan.files("cells") == ["results/profiles/merged.tsv", "c.tsv"]
    assert plan.files("outcomes") == ["results/outcomes/rates.tsv", "c.tsv"]
    assert value(plan.options("outcomes"), "--with") == ["cells=c.tsv"]
    left = dict(word.split("=") for word in value(plan.options("outcomes"), "--leave-out"))["rates"].split(",")
    assert {"subject", "day", "baseline_sample", "donor_taxa"} <= set(left)
    assert not {"sample", "engraftment_rate", "depletion_rate", "lost_taxa"} & set(left)


def test_the_narrowest_window_counts() -> None:
    """A table's own window stands in place of the common one, also where it is wider."""
    tables = {"a": {"file": "a.tsv", "window": 3}, "b": {"file": "b.tsv", "window": 30}}
    plan = AssociationPlan(plan_of(tables=tables))
    assert value(plan.options("a"), "--window") == ["3"]
    assert value(plan.options("b"), "--window") == ["30"]
    assert value(plan.options("outcomes"), "--window") == ["3"]


def test_the_report_is_told_of_what_is_made_and_of_what_is_not() -> None:
    options = plan_of(ALL, treatments="r.tsv").report_options()
    assert value(options, "--clinical-survival") == ["results/clinical/survival.tsv"]
    assert value(options, "--donor-table") == [""]
    assert value(options, "--treatments") == ["r.tsv"]
    assert value(options, "--associations") == ["results/association/associations_subjects.tsv"]


def test_other_inputs_are_recorded() -> None:
    tables = {"a": {"file": "a.tsv", "limits": "lod.tsv"}}
    plan = plan_of(ALL, lesions="l.tsv", tables=tables, donors={"lists": "list.tsv"})
    assert plan.other_inputs() == ["l.tsv", "list.tsv", "a.tsv", "lod.tsv"]
