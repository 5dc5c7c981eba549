"""The configuration: keys declared once, every problem at once, names kept as written; and what derives from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from microbiome import docs
from microbiome.config import expand_profiles, load_config, parse_config, validate_config
from microbiome.config_keys import ALPHA_METRICS, BETA_METRICS, KEYS, RANKS, SECTIONS, config_schema
from microbiome.errors import InputError
from microbiome.metaphlan import RANKS as METAPHLAN_RANKS
from microbiome.tables import INPUT_TABLES, RATE_NAMES, Column, Table
from microbiome.yamlfile import read_yaml

PROFILES = "samples: samples.tsv\nprofiles: merged.tsv\n"


def written(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def said(tmp_path: Path, text: str | bytes) -> list[str]:
    path = written(tmp_path, text)
    return [str(problem).removeprefix(path) for problem in parse_config(path)[1]]


def test_declarations_are_sound() -> None:
    names = [key.name for key in KEYS]
    assert len(set(names)) == len(names)
    assert {".".join(key.place[:-1]) for key in KEYS} - {""} | {"diversity"} == set(SECTIONS)
    for key in KEYS:
        assert key.meaning.endswith("."), key.name
        assert (key.kind in ("choice", "choices")) == bool(key.allowed), key.name
    assert set(RANKS) == {"auto", *METAPHLAN_RANKS}


def test_defaults(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, PROFILES))
    assert config == {
        "samples": "samples.tsv",
        "subjects": "",
        "doses": "",
        "lesions": "",
        "toxicities": "",
        "treatments": "",
        "tables": {},
        "units": "",
        "profiles": ["merged.tsv"],
        "results": "results",
        "seed": 1,
        "host_index": "",
        "min_reads": 1000,
        "rarefy_reads": 0,
        "keep": [],
        "allow_missing_baseline": False,
        "metaphlan": {"database": "", "index": "", "min_mapq": 5, "extra": ""},
        "fastp": {"min_length": 70, "extra": ""},
        "profiler": "metaphlan",
        "kraken2": {
            "database": "",
            "confidence": 0.0,
            "minimum_hit_groups": 3,
            "threshold": 10,
            "bracken": "auto",
            "read_length": 150,
            "memory_mapping": False,
            "extra": "",
        },
        "sourmash": {
            "database": "",
            "lineages": "",
            "ksize": 31,
            "scaled": 1000,
            "threshold_bp": 50_000,
            "extra": "",
        },
        "profile": {"rank": "auto", "close": True, "detection": 0.0, "taxonomy": ""},
        "detection": {"repair": "none"},
        "diversity": {
            "alpha": ["richness", "shannon", "simpson", "inverse_simpson", "pielou", "berger_parker"],
            "beta": ["bray_curtis", "jaccard", "robust_aitchison"],
            "tree": "",
            "permanova": {
                "factors": [],
                "strata": "",
                "continuous": [],
                "samples": "recipients",
                "permutations": 999,
            },
        },
        "nulls": {"permutations": 9999, "strata": "", "repair": "auto", "products": "common"},
        "compare": {
            "by": ["responder", "arm"],
            "rates": list(RATE_NAMES),
            "window": [],
            "covariates": [],
            "strata": "",
            "permutations": 9999,
        },
        "sensitivity": {"thresholds": [], "by": ["responder", "arm"]},
        "strains": {
            "method": "auto",
            "distances": [],
            "alleles": [],
            "strainphlan": False,
            "clades": ["all"],
            "rule": "model",
            "fixed": 0.0,
            "percentiles": "",
            "parts": 1,
            "min_base_quality": 20,
            "min_mapq": 10,
            "min_breadth": 0.01,
            "min_depth": 1,
            "min_sites": 500,
            "rates": [
                "strain_engraftment_rate_donor",
                "strain_engraftment_rate_profiled",
                "strain_persistence_rate",
                "weighted_donor_fraction",
            ],
        },
        "function": {
            "method": "auto",
            "tables": [],
            "groups": ["ec", "pathway"],
            "nucleotide_database": "",
            "protein_database": "",
            "prescreen": True,
            "metaphlan_database": "",
            "metaphlan_index": "",
            "ec_map": "",
            "ko_map": "",
            "reactions": "",
            "pathways": "",
            "detection": 0.0,
            "extra": "",
        },
        "clinical": {
            "by": ["arm"],
            "criteria": "auto",
            "confirmed": False,
            "benefit_days": 183,
            "interval": "clopper_pearson",
            "response_day": 0,
            "landmarks": [365],
            "predictors": [],
            "covariates": [],
            "rates": ["engraftment_rate", "depletion_rate"],
            "grade": 3,
        },
        "donors": {"lists": "", "match": True, "cohort": ""},
        "associate": {
            "by": ["responder", "arm", "irae_grade>=3"],
            "window": 7,
            "covariates": [],
            "strata": "",
            "permutations": 9999,
        },
        "report": {"title": ""},
    }


def test_values_are_taken(tmp_path: Path) -> None:
    text = """
samples: s.tsv
subjects: p.tsv
units: u.tsv
seed: 7
allow_missing_baseline: yes
metaphlan: {database: db, index: mpa_vJan25, min_mapq: -1, extra: "--stat_q 0.1"}
profile:
  detection: 1e-4
  rank: species
diversity:
  alpha: []
  tree: tree.nwk
  beta: [weighted_unifrac]
  permanova: {factors: [arm, age], strata: subject, continuous: [age], samples: post, permutations: 9_999}
compare: {by: [007, best response], window: [28, 28], covariates: [age], strata: centre}
sensitivity:
  thresholds: [0, 1e-5, 0.001]
  by: []
report:
  title: A trial
"""
    config = load_config(written(tmp_path, text))
    assert config["metaphlan"] == {
        "database": "db",
        "index": "mpa_vJan25",
        "min_mapq": -1,
        "extra": "--stat_q 0.1",
    }
    # YAML 1.1 reads 1e-4 as a text.
    assert config["profile"] == {"rank": "species", "close": True, "detection": 1e-4, "taxonomy": ""}
    assert config["diversity"]["permanova"] == {
        "factors": ["arm", "age"],
        "strata": "subject",
        "continuous": ["age"],
        "samples": "post",
        "permutations": 9999,
    }
    assert config["compare"]["by"] == ["007", "best response"]
    assert config["compare"]["window"] == [28, 28]
    assert config["sensitivity"] == {"thresholds": [0.0, 1e-5, 1e-3], "by": []}
    assert config["diversity"]["alpha"] == []
    assert config["allow_missing_baseline"] is True
    assert config["report"]["title"] == "A trial"


def test_names_stay_as_written(tmp_path: Path) -> None:
    text = PROFILES.replace("merged.tsv", "[007, 1e5, true, nan, NA, 2024-01-02, 0x1F, no]") + (
        "host_index: 0123\nreport: {title: 1.50}\ndiversity: {permanova: {factors: [007, on], strata: 1_0}}\n"
    )
    path = written(tmp_path, text)
    for config, problems in (parse_config(path), validate_config(yaml.safe_load(text), path)):
        assert problems == []
        assert config["profiles"] == ["007", "1e5", "true", "nan", "NA", "2024-01-02", "0x1F", "no"]
        assert config["host_index"] == "0123"
        assert config["report"]["title"] == "1.50"
        assert config["diversity"]["permanova"]["factors"] == ["007", "on"]
        assert config["diversity"]["permanova"]["strata"] == "1_0"


def test_nothing_stands_for_empty(tmp_path: Path) -> None:
    config = load_config(
        written(tmp_path, PROFILES + "units:\ndoses: ~\nmetaphlan:\ndiversity: {alpha: , permanova: }\n")
    )
    assert (config["units"], config["doses"], config["diversity"]["alpha"]) == ("", "", [])
    assert config["metaphlan"]["min_mapq"] == 5


def test_a_good_configuration_is_its_own_fixed_point(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, PROFILES))
    again, problems = validate_config(config)
    assert problems == []
    assert again == config
    jsonschema.Draft202012Validator(config_schema()).validate(config)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", [": the file is empty; start from the template config/config.yaml"]),
        ("# nothing\n", [": the file is empty; start from the template config/config.yaml"]),
        ("- a\n- b\n", [":1: not a list of `key: value` lines; start from the template"]),
        (
            "samples: [a\n",
            [
                ":2: not YAML: while parsing a flow sequence expected ',' or ']', but got '<stream end>'; "
                "mend the line, or the one above"
            ],
        ),
        (
            PROFILES + "report: title: x\n",
            [":3: not YAML: mapping values are not allowed here; mend the line, or the one above"],
        ),
        (
            PROFILES + "report:\n\ttitle: x\n",
            [
                ":4: not YAML: while scanning for the next token found character '\\t' that cannot start any token; "
                "mend the line, or the one above"
            ],
        ),
        (
            PROFILES + "---\nseed: 1\n",
            [
                ":3: not YAML: expected a single document in the stream but found another document; "
                "mend the line, or the one above"
            ],
        ),
        (PROFILES + "seed: !!python/object/apply:os.system [exit 7]\n", None),
        (PROFILES + "seed: 1\nseed: 2\n", [":4: seed: key 'seed' stands already in line 3; keep one"]),
        (
            PROFILES + "report: {title: a, title: b}\n",
            [":3: report.title: key 'title' stands already in line 3; keep one"],
        ),
        (PROFILES + "report: &r {title: *r}\n", [":3: an alias refers to what it stands in; remove it"]),
        (PROFILES + "smaples: x\n", [":3: smaples: key 'smaples' is not known; did you mean 'samples'?"]),
        (PROFILES + "Seed: 2\n", [":3: Seed: key 'Seed' is not known; did you mean 'seed'?"]),
        (PROFILES + "alpha: [shannon]\n", [":3: alpha: key 'alpha' is not known; did you mean 'diversity.alpha'?"]),
        (
            PROFILES + "report: {heading: x}\n",
            [":3: report.heading: key 'heading' is not known; known in 'report' are title"],
        ),
        (
            PROFILES + "007: x\n",
            [":3: 007: key '007' is not known; known are " + ", ".join(dict.fromkeys(key.place[0] for key in KEYS))],
        ),
        ("profiles: m.tsv\n", [": samples: key 'samples' is missing; add it: Table of samples."]),
        ("profiles: m.tsv\nsamples: ''\n", [":2: samples: the value is empty; fill it in"]),
        (PROFILES + "results:\n", [":3: results: the value is empty; fill it in"]),
        (PROFILES + "seed: one\n", [":3: seed: 'one' is not an integer; write a whole number, without quotes"]),
        (PROFILES + "seed: '1'\n", [":3: seed: '1' is not an integer; write a whole number, without quotes"]),
        (PROFILES + "seed: 1.5\n", [":3: seed: 1.5 is not an integer; write a whole number, without quotes"]),
        (PROFILES + "seed: true\n", [":3: seed: true is not an integer; write a whole number, without quotes"]),
        (PROFILES + "seed:\n", [":3: seed: null is not an integer; write a whole number, without quotes"]),
        (PROFILES + "seed: -1\n", [":3: seed: -1 is out of range; it must be between 0 and 4294967295"]),
        (PROFILES + "min_reads: -1\n", [":3: min_reads: -1 is out of range; it must be at least 0"]),
        (
            PROFILES + "profile: {detection: 1.5}\n",
            [":3: profile.detection: 1.5 is out of range; it must be between 0 and 1"],
        ),
        (PROFILES + "profile: {detection: 0,5}\n", None),
        (PROFILES + "profile: {detection: .nan}\n", None),
        (PROFILES + "profile: {detection: .inf}\n", None),
        (
            PROFILES + "profile: {close: 1}\n",
            [":3: profile.close: 1 is not true or false; write true or false, without quotes"],
        ),
        (
            PROFILES + "profile: {rank: sgbs}\n",
            [":3: profile.rank: 'sgbs' is not allowed; did you mean 'sgb'? Allowed: " + ", ".join(RANKS)],
        ),
        (PROFILES + "profile: {rank: no}\n", [":3: profile.rank: 'no' is not allowed; use one of " + ", ".join(RANKS)]),
        (
            PROFILES + "profile: species\n",
            [":3: profile: 'species' is not a section; write its keys under `profile:`, indented"],
        ),
        (PROFILES + "host_index: [a, b]\n", [':3: host_index: ["a", "b"] is not a path; put it in quotes']),
        (
            "samples: s\nprofiles: {a: b}\n",
            [':2: profiles: {"a": "b"} is not a path or a list of paths; write "a.tsv" or ["a.tsv", "b.tsv"]'],
        ),
        ("samples: s\nprofiles: [a, [b]]\n", [':2: profiles: ["b"] is not a text; put it in quotes']),
        ("samples: s\nprofiles: [a, '']\n", [":2: profiles: the value is empty; fill it in or remove it"]),
        (
            PROFILES + "diversity: {alpha: shannon}\n",
            [":3: diversity.alpha: 'shannon' is not a list; write [a, b] or one element per line behind `- `"],
        ),
        (
            PROFILES + "diversity:\n  alpha:\n    - shannon\n    - chao1\n",
            [":6: diversity.alpha: 'chao1' is not allowed; use one of " + ", ".join(ALPHA_METRICS)],
        ),
        (
            PROFILES + "diversity: {beta: [braycurtis]}\n",
            [
                ":3: diversity.beta: 'braycurtis' is not allowed; did you mean 'bray_curtis'? Allowed: "
                + ", ".join(BETA_METRICS)
            ],
        ),
        (
            PROFILES + "diversity: {beta: [jaccard, jaccard]}\n",
            [":3: diversity.beta: 'jaccard' stands twice; keep one"],
        ),
        (
            PROFILES + "diversity: {beta: [weighted_unifrac]}\n",
            [":3: diversity.beta: metric 'weighted_unifrac' needs a tree; set diversity.tree, or remove the metric"],
        ),
        (
            PROFILES + "diversity: {permanova: {strata: subject}}\n",
            [":3: diversity.permanova.strata: strata without factors has no effect; name the factors"],
        ),
        (
            PROFILES + "diversity: {permanova: {factors: [arm], strata: arm}}\n",
            [
                ":3: diversity.permanova.strata: factor 'arm' is also the strata; "
                "samples are permuted within strata: remove one"
            ],
        ),
        (
            PROFILES + "compare: {window: 28}\n",
            [":3: compare.window: 28 is not a list; write [1, 30] or one element per line behind `- `"],
        ),
        (
            PROFILES + "compare: {window: [7, 28.5]}\n",
            [":3: compare.window: 28.5 is not an integer; write a whole number, without quotes"],
        ),
        (
            PROFILES + "compare: {window: [0, 28]}\n",
            [":3: compare.window: 0 is out of range; it must be at least 1"],
        ),
        *(
            (
                PROFILES + f"compare: {{window: [{days}]}}\n",
                [f":3: compare.window: [{days}] is not a first and a last day; give two days, or [] for none"],
            )
            for days in ("28", "28, 7", "7, 14, 28")
        ),
        (
            PROFILES + "sensitivity: {thresholds: [0, low, 1.5]}\n",
            [
                ":3: sensitivity.thresholds: 'low' is not a number; write a number, with a decimal point and without "
                "quotes",
                ":3: sensitivity.thresholds: 1.5 is out of range; it must be between 0 and 1",
            ],
        ),
        (
            PROFILES + "sensitivity: {thresholds: [.nan]}\n",
            [
                ":3: sensitivity.thresholds: '.nan' is not a number; write a number, with a decimal point and without "
                "quotes"
            ],
        ),
        (
            PROFILES + "detection: 1e-4\n",
            [":3: detection: '1e-4' is not a section; did you mean 'profile.detection'?"],
        ),
        (
            PROFILES + "rarefy_reads: 5000\n",
            [
                ":3: rarefy_reads: the reads of finished profiles cannot be drawn; draw them before profiling, or set "
                "detection.repair"
            ],
        ),
        (
            PROFILES.replace("profiles: merged.tsv", "units: u.tsv")
            + "metaphlan: {database: d, index: i}\nmin_reads: 50\nrarefy_reads: 49\n",
            [
                ":5: rarefy_reads: 49 reads are too few: a sample with fewer than min_reads (50) is not profiled; draw "
                "more reads, or 0 for all"
            ],
        ),
        (
            PROFILES + "diversity: {permanova: {permutations: 0}}\n",
            [":3: diversity.permanova.permutations: 0 is out of range; it must be between 1 and 1000000"],
        ),
        (
            PROFILES + 'fastp: {extra: "--adapter \'x"}\n',
            [':3: fastp.extra: "--adapter \'x" is not a list of options (no closing quotation); close the quotes'],
        ),
        (
            PROFILES + "metaphlan: {index: db/mpa_v}\n",
            [
                ":3: metaphlan.index: 'db/mpa_v' is not a legal name; "
                "use letters, digits, '.', '_' and '-' only: it is a name, not a path"
            ],
        ),
        (
            PROFILES + "metaphlan: {index: latest}\n",
            [":3: metaphlan.index: 'latest' is not a database; name the database, so that runs can be repeated"],
        ),
        (
            PROFILES + "units: u.tsv\nmetaphlan: {database: d, index: i}\n",
            [":2: profiles: both units and profiles are given; give FASTQ files or profiles, not both"],
        ),
        (
            "samples: s.tsv\n",
            [": units: neither units nor profiles is given; name the table of FASTQ files or the profiles"],
        ),
        (
            "samples: s.tsv\nunits: u.tsv\n",
            [
                ": metaphlan.database: the value is empty; "
                "starting from FASTQ needs the folder of the MetaPhlAn database",
                ": metaphlan.index: the value is empty; starting from FASTQ needs the name of the database",
            ],
        ),
    ],
)
def test_messages(tmp_path: Path, text: str, messages: list[str] | None) -> None:
    found = said(tmp_path, text)
    if messages is None:
        assert len(found) == 1
        assert found[0].startswith(":3: ")
    else:
        assert found == messages


def test_tags_are_never_followed(tmp_path: Path) -> None:
    target = tmp_path / "made"
    (line,) = said(tmp_path, f"samples: !!python/object/apply:os.mkdir [{target}]\nprofiles: m.tsv\n")
    assert "could not determine a constructor for the tag" in line or "is missing" in line or "is not a" in line
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"samples: \xe9\n", ":1: the file is not UTF-8; save it as UTF-8 text"),
        ("samples: s\n".encode("utf-16"), ": the file is not UTF-8 but looks like UTF-16; save it as UTF-8 text"),
    ],
)
def test_other_encodings(tmp_path: Path, content: bytes, message: str) -> None:
    assert said(tmp_path, content) == [message]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert said(tmp_path, b"\xef\xbb\xbf" + PROFILES.encode()) == []


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.yaml: the file does not exist; correct the path"):
        load_config(tmp_path / "no.yaml")


def test_all_problems_come_at_once_in_file_order(tmp_path: Path) -> None:
    text = "smaples: x\nseed: a\nprofile:\n  rank: x\n  detection: 2\ndiversity: {alpha: [y], z: 1}\n"
    places = [line.split(": ")[:2] for line in said(tmp_path, text)]
    assert places == [
        ["", "samples"],
        ["", "units"],
        [":1", "smaples"],
        [":2", "seed"],
        [":4", "profile.rank"],
        [":5", "profile.detection"],
        [":6", "diversity.alpha"],
        [":6", "diversity.z"],
    ]


def test_bad_values_give_way_to_defaults(tmp_path: Path) -> None:
    config, problems = parse_config(
        written(tmp_path, PROFILES + "seed: a\nmetaphlan: 3\nprofile: {rank: x, close: false}\n")
    )
    assert len(problems) == 3
    assert (config["seed"], config["metaphlan"]["min_mapq"]) == (1, 5)
    assert config["profile"] == {"rank": "auto", "close": False, "detection": 0.0, "taxonomy": ""}


def test_values_of_the_command_line_hide_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, PROFILES + "host_index: 007\nreport: {title: 010}\n")
    given = yaml.safe_load(Path(path).read_text())
    assert given["host_index"] == 7
    given["host_index"] = 8
    config, problems = validate_config(given, path)
    assert problems == []
    assert config["host_index"] == "8"
    assert config["report"]["title"] == "010"


def test_a_mapping_without_a_file(tmp_path: Path) -> None:
    given = {"samples": "s.tsv", "profiles": ["a", "b"], "report": {"title": 2026}, "seed": 3}
    config, problems = validate_config(given)
    assert problems == []
    assert config["profiles"] == ["a", "b"]
    assert config["report"]["title"] == "2026"
    assert given == {"samples": "s.tsv", "profiles": ["a", "b"], "report": {"title": 2026}, "seed": 3}
    (problem,) = validate_config(given | {"seed": -1}, str(tmp_path / "absent.yaml"))[1]
    assert str(problem) == (f"{tmp_path}/absent.yaml: seed: -1 is out of range; it must be between 0 and 4294967295")
    # What YAML made of `no` and 1.50 cannot be told without the file.
    found = validate_config(given | {"host_index": False, "report": {"title": 1.5}})[1]
    assert [str(problem) for problem in found] == [
        "host_index: false is not a path; put it in quotes",
        "report.title: 1.5 is not a text; put it in quotes",
    ]


def test_expand_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b_profile.tsv", "a_profile.tsv", "c.tsv", "odd[1].tsv"):
        Path(name).touch()
    assert expand_profiles(["c.tsv", "*_profile.tsv", "c.tsv"]) == ["c.tsv", "a_profile.tsv", "b_profile.tsv"]
    absolute = [f"{tmp_path}/a_profile.tsv", f"{tmp_path}/b_profile.tsv"]
    assert expand_profiles([f"{tmp_path}/*_profile.tsv"]) == absolute
    assert expand_profiles(["odd[1].tsv"]) == ["odd[1].tsv"]
    assert expand_profiles(["no*.tsv", "no.tsv"]) == ["no*.tsv", "no.tsv"]
    assert expand_profiles([]) == []


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "c.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    _, problems = parse_config(path)
    assert problems
    assert all("\n" not in str(problem) for problem in problems)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([key.place[0] for key in KEYS]), _JSON, max_size=4))
def test_no_value_breaks_the_validation(given_config: dict[str, Any]) -> None:
    config, problems = validate_config(given_config)
    errors = [problem for problem in problems if problem.level == "error"]
    # Whatever was wrong: what comes out is complete, and of the declared types.
    jsonschema.Draft202012Validator(config_schema()).validate(config | {"samples": "s", "results": "r"})
    # An independent judge: what the published schema refuses must have been said.
    if not errors:
        assert jsonschema.Draft202012Validator(config_schema()).is_valid(config)


def test_lines_of_yaml(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\nb:\n  - x\n  - y: 007\n")
    source = read_yaml(path)
    assert source.data == {"a": 1, "b": ["x", {"y": 7}]}
    assert source.lines["b", 1, "y"] == 4
    assert source.texts["b", 1, "y"] == "007"


# --- what derives from the declarations -----------------------------------------------------------------------------


def test_generated_files_are_up_to_date(repository: Path) -> None:
    stale = [name for name, text in docs.generated_files().items() if (repository / name).read_text() != text]
    assert stale == [], "run `python -m microbiome.docs`"


def test_generator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--check", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []
    assert docs.main([str(tmp_path)]) == 0
    assert docs.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "docs" / "tables.md").write_text("old")
    capsys.readouterr()
    assert docs.main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "not up to date: docs/tables.md\n"


def test_the_template_states_every_key_and_its_default(tmp_path: Path) -> None:
    template = yaml.safe_load(docs.config_template())
    stated = dict(_leaves(template))
    assert list(stated) == [key.name for key in KEYS]
    for key in KEYS:
        assert stated[key.name] == (key.absent if key.template is None else key.template), key.name
    # Only the database is for the user to name.
    assert [line.split(": ")[1] for line in said(tmp_path, docs.config_template())] == [
        "metaphlan.database",
        "metaphlan.index",
    ]


def _leaves(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, inner in value.items():
        section = isinstance(inner, dict) and f"{prefix}{name}" != "tables"
        found += _leaves(inner, f"{prefix}{name}.") if section else [(f"{prefix}{name}", inner)]
    return found


def test_schemas_are_schemas() -> None:
    for name, text in docs.generated_files().items():
        if name.endswith(".json"):
            schema = json.loads(text)
            assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
            jsonschema.Draft202012Validator.check_schema(schema)
    # Unknown keys are refused at every level.
    config = config_schema()
    sections = [config, *(value for value in config["properties"].values() if value.get("type") == "object")]
    sections.append(config["properties"]["diversity"]["properties"]["permanova"])
    tables = config["properties"]["tables"]
    sections = [tables["additionalProperties"]["anyOf"][1] if section is tables else section for section in sections]
    assert len(sections) == len(SECTIONS) + 2
    assert all(section["additionalProperties"] is False for section in sections)


@pytest.mark.parametrize(
    ("table", "row", "valid"),
    [
        ("samples", {"sample": "007", "subject": "p", "role": "donor", "age": "x"}, True),
        ("samples", {"sample": "a b", "subject": "p", "role": "donor"}, False),
        ("samples", {"sample": "a", "role": "donor"}, False),
        ("samples", {"sample": "a", "subject": "p", "role": "patient"}, False),
        ("samples", {"sample": "a", "subject": "p", "role": "donor", "day": 1.5}, False),
        ("doses", {"subject": "p", "day": 0, "donor": "d"}, True),
        ("doses", {"subject": "p", "day": -1, "donor": "d"}, False),
        ("subjects", {"subject": "p", "pfs_event": 2}, False),
        ("subjects", {"subject": "p", "irae_grade": 6}, False),
        ("units", {"sample": "a", "unit": "1", "fq1": "x"}, True),
        ("units", {"sample": "a", "unit": "1"}, False),
    ],
)
def test_row_schemas(table: str, row: dict[str, object], valid: bool) -> None:
    declared = next(t for t in INPUT_TABLES if t.name == table)
    assert jsonschema.Draft202012Validator(docs.table_schema(declared)).is_valid(row) is valid


def test_a_closed_table_has_a_closed_schema() -> None:
    table = Table("t", "T.", (Column("a", "text", "A."),), open=False)
    assert not jsonschema.Draft202012Validator(docs.table_schema(table)).is_valid({"b": "x"})
    assert jsonschema.Draft202012Validator(docs.table_schema(replace(table, open=True))).is_valid({"b": "x"})


def test_pages_name_everything() -> None:
    page = docs.config_page()
    assert all(f"| `{key.place[-1]}` |" in page for key in KEYS)
    tables = docs.tables_page()
    assert all(f"| `{column.name}` |" in tables for table in INPUT_TABLES for column in table.columns)
    # A bar within a cell would break the row.
    for line in (page + tables).splitlines():
        if line.startswith("| `"):
            assert line.replace("\\|", "").count("|") == 5, line
