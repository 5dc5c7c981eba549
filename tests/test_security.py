"""Names and paths cannot run anything, YAML is data, and nothing is fetched that nobody asked for."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from reliability import Recorder, cleaned
from snakemake_runs import snakemake

from microbiome.check import check

pytestmark = pytest.mark.tools

GROUP = "Names and security"
MARK = "HACKED"
# What a shell would run, in each of the ways in which it can be made to.
HOSTILE = f"a;touch {MARK} `touch {MARK}` $(touch {MARK}) | touch {MARK} & '\"touch {MARK}"
BAD_NAMES = (
    f";touch {MARK}",
    f"`touch {MARK}`",
    f"$(touch {MARK})",
    f"s|touch {MARK}",
    "two\nlines",
    "-rf",
    "--help",
    "../../outside",
    "a/b",
    "a b",
    "{input}",
    "*",
    "~root",
    ".hidden",
)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def hacked(folder: Path) -> list[Path]:
    """Return what a name made, anywhere."""
    return list(folder.rglob(MARK))


def without_network() -> list[str]:
    """Return what starts a command where there is no network at all, not even loopback; nothing if not allowed to."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    allowed = shutil.which("unshare") and subprocess.run([*command, "true"], check=False, capture_output=True)
    return command if allowed and allowed.returncode == 0 else []


def simulated(folder: Path, output: str, words: str) -> dict[str, object]:
    """Simulate a trial into a folder of that name and return its configuration."""
    done = run(folder, "microbiome", "simulate", "--output", output, "--results", "results", *words.split())
    assert done.returncode == 0, done.stderr
    config: dict[str, object] = yaml.safe_load((folder / output / "config.yaml").read_text())
    return config


def test_names_and_paths_of_a_study_from_profiles(tmp_path: Path, repository: Path, reliability: Recorder) -> None:
    """People, columns, groups, folders and the title are free text: everything in them is passed on as it stands."""
    size = "--donors 2 --donor-samples 1 --recipients 8 --placebo 0 --days 0 14 --sgbs 12 --seed 3"
    config = simulated(tmp_path, HOSTILE, size)
    trial = tmp_path / HOSTILE
    names = {"R01": f"$(touch {MARK})", "R02": "-rf", "R03": "../../R03", "R04": "{input}", "D01": f"`touch {MARK}`"}
    for path in [*trial.glob("*.tsv"), *trial.glob("molecules/*.tsv")]:
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        frame = frame.assign(**{key: frame[key].replace(names) for key in ("subject", "donor") if key in frame})
        if path.stem == "subjects":
            frame[f"$(touch {MARK})"] = [f"; touch {MARK}" if row % 2 else "-rf" for row in range(len(frame))]
            frame["{input}"] = ["{wildcards.x}" if row % 2 else "%s" for row in range(len(frame))]
        frame.to_csv(path, sep="\t", index=False)
    columns = [f"$(touch {MARK})", "{input}"]
    config |= {
        "results": f"results $(touch {MARK}) 'é\"",
        "diversity": {"beta": ["bray_curtis"], "permanova": {"factors": columns, "permutations": 99}},
        "compare": {"by": columns, "permutations": 99},
        "nulls": {"permutations": 99},
        "tables": {},
        "donors": {"match": False},
        "sensitivity": {"by": [], "thresholds": [0, 0.001]},
        "report": {"title": HOSTILE},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    done = snakemake(repository, tmp_path, before=without_network())
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert hacked(tmp_path) == []
    results = tmp_path / str(config["results"])
    outcomes = pd.read_csv(results / "outcomes" / "outcomes.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert set(names.values()) - {names["D01"]} <= set(outcomes["subject"])
    reliability(
        GROUP,
        "Shell commands as subjects, columns, groups, folders and title",
        done="Ran a study of such names from profiles to its report, without a network.",
        saw=next(line for line in said.splitlines() if "100%) done" in line).split(" of ")[1].split(" ", 1)[1],
    )


def test_paths_of_a_study_from_fastq(tmp_path: Path, repository: Path, reliability: Recorder) -> None:
    """Folders of FASTQ files, host index and database go to fastp, bowtie2 and MetaPhlAn."""
    size = "--donors 1 --donor-samples 1 --recipients 1 --placebo 0 --days 0 14 --sgbs 6 --read-pairs 1500 --seed 3"
    folder = f"a;touch {MARK} | touch {MARK} & 'é"
    config = simulated(tmp_path, folder, f"{size} --reads --markers 12 --marker-length 400 --no-shallow-sample")
    units = pd.read_csv(tmp_path / folder / "units.tsv", sep="\t", dtype=str, keep_default_na=False)
    # One is written as by somebody who works in the folder: the name begins like an option.
    for column, name in (
        ("fq1", "-rf.fastq.gz"),
        ("fq2", f"$(touch {MARK}) `touch {MARK}` \"' *_2.fastq.gz"),
    ):
        (tmp_path / units.loc[0, column]).rename(tmp_path / name)
        units.loc[0, column] = name
    units.to_csv(tmp_path / folder / "units.tsv", sep="\t", index=False)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    done = snakemake(
        repository, tmp_path, "results/profiles/merged.tsv", "results/qc/reads.tsv", before=without_network()
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert hacked(tmp_path) == []
    reads = pd.read_csv(tmp_path / "results" / "qc" / "reads.tsv", sep="\t")
    assert set(reads["status"]) == {"ok"}
    reliability(
        GROUP,
        "Shell commands in the paths of FASTQ files and databases",
        done="Ran fastp, bowtie2 and MetaPhlAn on them, and on files that are called -rf.fastq.gz and `$(...)`.",
        saw=next(line for line in said.splitlines() if "100%) done" in line).split(" of ")[1].split(" ", 1)[1],
    )


@pytest.mark.parametrize("column", ["sample", "unit"])
def test_names_of_files_are_letters_digits_and_three_marks(
    tmp_path: Path, column: str, reliability: Recorder, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples and units name files and stand in commands: whatever else is in them is refused before anything runs."""
    said: list[str] = []
    for number, name in enumerate(BAD_NAMES):
        folder = tmp_path / str(number)
        folder.mkdir()
        quoted = f'"{name}"' if "\n" in name else name
        sample, unit = (quoted, "1") if column == "sample" else ("S1", quoted)
        (folder / "samples.tsv").write_text(f"sample\tsubject\trole\tday\n{sample}\tR1\trecipient\t0\n", "utf-8")
        (folder / "units.tsv").write_text(f"sample\tunit\tfq1\tfq2\n{sample}\t{unit}\tx.fastq.gz\t\n", "utf-8")
        config = {"samples": "samples.tsv", "subjects": "", "doses": "", "units": "units.tsv"}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            problems = [problem for problem in check("config.yaml", tools=False) if problem.level == "error"]
        found = [f"error: {problem}" for problem in problems if problem.column == column]
        assert found, (name, problems)
        said.append(found[0])
    started = snakemake(repository, tmp_path / "0", before=without_network())
    assert started.returncode == 2, started.stderr
    assert "Nothing was started." in started.stderr
    assert hacked(tmp_path) == []
    reliability(
        GROUP,
        f"Shell commands, options and paths as the name of a {column}",
        done=f"Checked studies, and started one, with {', '.join(map(repr, BAD_NAMES))}.",
        saw="\n".join([*said[:1], f"... and the same for the other {len(said) - 1}"]),
    )


def test_paths_that_a_program_would_run_are_refused(tmp_path: Path, reliability: Recorder) -> None:
    """Bowtie 2 hands the path of its index to a shell, and Snakemake takes braces for a wildcard."""
    size = "--donors 1 --donor-samples 1 --recipients 1 --placebo 0 --days 0 14 --sgbs 6 --seed 3"
    config = simulated(tmp_path, "trial", size)
    units = pd.DataFrame({"sample": ["R01-T1"], "unit": ["1"], "fq1": ["{x}.fastq.gz"], "fq2": [""]})
    units.to_csv(tmp_path / "units.tsv", sep="\t", index=False)
    config |= {
        "profiles": [],
        "units": "units.tsv",
        "host_index": f"$(touch {MARK})/host",
        "results": "re{x}sults",
        "doses": "-rf",
    }
    config |= {"metaphlan": {"database": f"`touch {MARK}`", "index": "mpa_vTest"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = run(tmp_path, "microbiome", "check", "--config", "config.yaml")
    lines = done.stderr.splitlines()
    said = [line for line in lines if " has '" in line]
    braces = [line for line in lines if "a brace in it" in line]
    assert any(line.endswith("doses: the path '-rf' begins like an option; write ./-rf") for line in lines)
    assert len(braces) == 1
    assert braces[0].startswith("error: units.tsv:2: fq1: {x}.fastq.gz: the path has a brace in it")
    assert done.returncode == 2
    assert [re.match(r"error: config.yaml:\d+: ([\w.]+): the path", line)[1] for line in said] == [  # type: ignore[index]
        "results",
        "host_index",
        "metaphlan.database",
    ]
    assert hacked(tmp_path) == []
    reliability(
        GROUP,
        "Paths that a program would run or misread",
        done="Put `$(...)`, backticks and braces into the paths of host index, database, results and a FASTQ file.",
        saw="\n".join([*said, *braces]),
    )


def test_yaml_is_data(tmp_path: Path, repository: Path, reliability: Recorder) -> None:
    text = f"samples: samples.tsv\nseed: !!python/object/apply:os.system ['touch {MARK}']\n"
    (tmp_path / "config.yaml").write_text(text)
    checked = run(tmp_path, "microbiome", "check", "--config", "config.yaml")
    started = run(tmp_path, "snakemake", "--snakefile", str(repository / "Snakefile"), "--configfile", "config.yaml",
                  "--cores", "1")  # fmt: skip
    assert checked.returncode == 2
    assert started.returncode != 0
    assert hacked(tmp_path) == []
    reliability(
        GROUP,
        "YAML that calls a function",
        done="Wrote `!!python/object/apply:os.system` into the configuration; checked it, and started the workflow.",
        saw=cleaned(checked.stderr, {str(tmp_path): "FOLDER"}),
    )


def test_one_module_alone_can_open_a_connection(repository: Path, reliability: Recorder) -> None:
    """The download of a database, which somebody has to ask for (tests/test_database.py: verified by its checksum)."""
    network = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "ssl", "telnetlib", "urllib3"}
    found: set[str] = set()
    for path in [*(repository / "microbiome").rglob("*.py"), *(repository / "workflow" / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] in network or name.startswith("urllib.request") for name in names):
                found.add(str(path.relative_to(repository)))
    assert found == {"microbiome/download.py"}
    rules = "".join(path.read_text("utf-8") for path in (repository / "workflow" / "rules").glob("*.smk"))
    assert not re.search(r"\b(curl|wget|rsync|https?://|ftp://)", rules)
    # Only a rule that nothing depends on calls it.
    assert rules.count("microbiome database ") == 1
    reliability(
        GROUP,
        "A connection that nobody asked for",
        done="Looked for whatever opens one, and ran the studies of the first two rows where there is no network.",
        saw="microbiome/download.py alone: `microbiome database` and `snakemake metaphlan_database`",
    )
