"""FASTQ files that are damaged or odd, and programs that fail: what is seen before, during and after a run."""

from __future__ import annotations

import bz2
import gzip
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from reliability import Recorder, cleaned
from snakemake_runs import simulate, snakemake

from microbiome.tables import READS
from microbiome.tsv import read_table

pytestmark = pytest.mark.tools

FILES, PROGRAMS = "FASTQ files", "Programs"
TRIAL = "trial"
# What is done to the reads of each sample of the trial.
PLACES, KILLED = "D01-1", "R01-T0"
CUT, UNEVEN, LONG, SWAPPED, GROWS = "R01-T1", "R02-T0", "R04-S", "R04-T0", "R04-T1"
EMPTY, NS, HOST, SHORT = "R01-T2", "R02-T1", "R03-T0", "R03-T1"
BROKEN, FLAGGED = (CUT, UNEVEN, LONG, SWAPPED, GROWS), (EMPTY, NS, HOST, SHORT)
ODD = "lectures du séquenceur"


def check(folder: Path) -> str:
    done = subprocess.run(
        ["microbiome", "check", "--config", "config.yaml"], cwd=folder, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def about(said: str, name: str) -> str:
    """Return the lines of errors and warnings with a name in them."""
    found = [line.strip() for line in said.splitlines() if re.match(r"\s*(error|warning): ", line) and name in line]
    return "\n".join(dict.fromkeys(found))


def last_words(said: str) -> str:
    """Return the list of jobs that failed, which is said last."""
    return said[said.index(" failed for good") :]


def fastq(folder: Path, sample: str, unit: str = "L1", mate: int = 1) -> Path:
    return folder / TRIAL / "fastq" / f"{sample}_{unit}_R{mate}.fastq.gz"


def rewrite(path: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> None:
    """Change the records of a gzip FASTQ: lists of four lines."""
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
    records = change([lines[i : i + 4] for i in range(0, len(lines), 4)])
    path.write_bytes(gzip.compress("".join(f"{line}\n" for record in records for line in record).encode(), mtime=0))


def each(change: Callable[[str, str], tuple[str, str]]) -> Callable[[list[list[str]]], list[list[str]]]:
    """Return a change of bases and qualities alone."""

    def changed(records: list[list[str]]) -> list[list[str]]:
        return [[r[0], bases, r[2], qualities] for r in records for bases, qualities in [change(r[1], r[3])]]

    return changed


def of_the_host(folder: Path) -> Callable[[list[list[str]]], list[list[str]]]:
    """Return a change of the reads for those of the host, in the direction of each mate."""
    done = subprocess.run(
        ["bowtie2-inspect", str(folder / TRIAL / "host" / "host")], capture_output=True, text=True, check=True
    )
    genome = "".join(line for line in done.stdout.splitlines() if not line.startswith(">"))
    backwards = genome[::-1].translate(str.maketrans("ACGT", "TGCA"))

    def change(records: list[list[str]]) -> list[list[str]]:
        generator = random.Random(1)
        found = []
        for header, _, plus, _ in records:
            at = generator.randrange(len(genome) - 250)
            second = bool(re.search(r"/2$| 2:", header))
            bases = backwards[len(genome) - at - 250 :][:100] if second else genome[at : at + 100]
            found.append([header, bases, plus, "I" * 100])
        return found

    return change


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None) -> Path:
    """Return a folder with a simulated trial of eleven samples and a configuration with few steps."""
    folder = tmp_path_factory.mktemp("reads")
    size = "--donors 1 --donor-samples 1 --recipients 4 --placebo 1 --days 0 14 --read-pairs 800 --sgbs 8"
    simulate(folder, *size.split(), markers=8, length=300)
    given = yaml.safe_load((folder / TRIAL / "config.yaml").read_text())
    config = {key: given[key] for key in ("samples", "units", "results", "seed", "host_index", "metaphlan")}
    config |= {
        "min_reads": 500,
        "diversity": {"alpha": [], "beta": []},
        "compare": {"by": [], "permutations": 99},
        "sensitivity": {"by": [], "thresholds": [0, 0.001]},
        "strains": {"method": "none"},
        "keep": ["sam"],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def copy_of(trial: Path, target: Path) -> Path:
    target.mkdir()
    shutil.copytree(trial / TRIAL, target / TRIAL)
    shutil.copy(trial / "config.yaml", target / "config.yaml")
    return target


def program(folder: Path, name: str, body: str) -> None:
    """Write a stand-in, which finds the real program as $REAL."""
    real = shutil.which(name)
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\nREAL={real}\n{body}")
    (folder / name).chmod(0o755)


class Study:
    """A trial in which the reads of nearly every sample are broken in a way of their own, and its two runs.

    In the first run a program is killed, too, and a file grows; before the second one all is mended.
    """

    COUNTED, MERGED = "results/qc/reads.tsv", "results/profiles/merged.tsv"

    def __init__(self, trial: Path, folder: Path, repository: Path) -> None:
        self.folder = copy_of(trial, folder)
        self.damage()
        self.checked = check(self.folder)
        grown, mark, stand_ins = fastq(self.folder, GROWS), self.folder / "grown", self.folder / "bin"
        program(
            stand_ins,
            "fastp",
            f'if [[ $* == *"{GROWS}"* && ! -e "{mark}" ]]; then touch "{mark}"; '
            f'printf "@new\\nACGT\\n+\\nIIII\\n" | gzip >>"{grown}"; fi\nexec "$REAL" "$@"\n',
        )
        program(stand_ins, "bowtie2", f'[[ $* != *trimmed/{KILLED}_* ]] || kill -9 $$\nexec "$REAL" "$@"\n')
        self.first = snakemake(repository, self.folder, self.COUNTED, self.MERGED, path=str(stand_ins), merged=True)
        assert mark.exists()
        results = self.folder / "results"
        self.left = sorted(str(path.relative_to(results)) for path in results.rglob("*") if path.is_file())
        for sample in BROKEN:
            for path in (trial / TRIAL / "fastq").glob(f"{sample}_*"):
                shutil.copy(path, self.folder / TRIAL / "fastq" / path.name)
        self.second = snakemake(repository, self.folder, self.COUNTED, self.MERGED, merged=True)

    def damage(self) -> None:
        folder = self.folder
        for mate in (1, 2):
            rewrite(fastq(folder, EMPTY, mate=mate), lambda records: [])
            rewrite(fastq(folder, HOST, mate=mate), of_the_host(folder))
            rewrite(fastq(folder, SHORT, mate=mate), each(lambda bases, qualities: (bases[:40], qualities[:40])))
            for unit in ("L1", "L2"):
                rewrite(fastq(folder, KILLED, unit, mate), each(lambda bases, qualities: (bases.lower(), qualities)))
        rewrite(fastq(folder, NS), each(lambda bases, qualities: ("N" * len(bases), "#" * len(bases))))
        path = fastq(folder, CUT)
        path.write_bytes(path.read_bytes()[:-5000])
        rewrite(fastq(folder, UNEVEN, mate=2), lambda records: records[:-3])
        rewrite(fastq(folder, LONG, "L2"), lambda r: [*r[:99], [*r[99][:3], r[99][3] + "I"], *r[100:]])
        rewrite(fastq(folder, SWAPPED, "L2", mate=2), lambda records: [*records[:60], *records[:59:-1]])
        # Odd places: spaces, letters beyond ASCII, a link.
        odd = folder / TRIAL / ODD
        odd.mkdir()
        fastq(folder, PLACES).rename(odd / "Probe 1 (é).fastq.gz")
        fastq(folder, PLACES, mate=2).rename(odd / "x.fastq.gz")
        (odd / "Probe 2 (é).fastq.gz").symlink_to("x.fastq.gz")
        table = folder / TRIAL / "units.tsv"
        text = table.read_text()
        for mate in (1, 2):
            text = text.replace(f"{TRIAL}/fastq/{PLACES}_L1_R{mate}.", f"{TRIAL}/{ODD}/Probe {mate} (é).")
        table.write_text(text)

    def reads(self) -> pd.DataFrame:
        return read_table(self.folder / self.COUNTED, READS).set_index("sample")


@pytest.fixture(scope="module")
def study(trial: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return the study after a run with broken reads and one after they were mended."""
    return Study(trial, tmp_path_factory.mktemp("study") / "study", repository)


# --------------------------------------------------------------------------------------- broken in the middle of a file


@pytest.mark.parametrize(
    ("sample", "fault", "done", "found", "rule"),
    [
        (
            CUT,
            "A truncated gzip",
            "Cut the last 5,000 bytes off a FASTQ.",
            "truncated gzip: the file ends in the middle",
            "merge_units_paired",
        ),
        (
            UNEVEN,
            "Mates of different number",
            "Took the last three reads off the file of the second mates.",
            "it has 743 reads, fq1 has 746",
            "merge_units_paired",
        ),
        (
            LONG,
            "A quality line longer than its sequence",
            "Added a quality to read 100 of a file (fastp itself ends well and leaves out all reads behind it).",
            "a read has 100 bases and 101 qualities",
            "fastp_paired",
        ),
        (
            SWAPPED,
            "Mates in another order",
            "Turned the order of the second mates round from read 61 on.",
            "its read 61 is ",
            "merge_units_paired",
        ),
        (
            GROWS,
            "A FASTQ that grows during the run",
            "Appended a read to a file after it was verified and before it was trimmed.",
            "",
            "fastp_paired",
        ),
    ],
)
def test_reads_broken_in_the_middle(
    study: Study, reliability: Recorder, sample: str, fault: str, done: str, found: str, rule: str
) -> None:
    """`microbiome check` finds them beforehand; a run goes on without the sample, names it last, and resumes."""
    before = about(study.checked, f"/{sample}_")
    assert (found in before) if found else before == ""
    said = last_words(study.first.stdout)
    assert f"failed: {rule} of {sample}\n" in said
    reason = about(said, f"error: sample {sample}: ")
    assert reason.count("\n") == 0
    assert f"{TRIAL}/fastq/{sample}_" in reason
    # Nothing is left of the step that failed, and nothing was made of half of the reads.
    steps = {"merge_units_paired": "qc/units/{}.tsv", "fastp_paired": "qc/fastp/{}.json"}
    assert not {steps[rule].format(sample), f"profiles/{sample}_profile.tsv"} & set(study.left)
    assert study.reads().loc[sample, "status"] == "ok"
    shown = re.sub(r"\d+ bytes when it was verified, now \d+", "N bytes when it was verified, now M", reason)
    reliability(
        FILES,
        fault,
        done=f"{done} After the run the file was mended, and the same command given again.",
        saw=cleaned("\n".join(filter(None, [before, f"failed: {rule} of {sample}", shown]))),
    )


def test_the_good_samples_of_such_a_run_are_done(study: Study, reliability: Recorder) -> None:
    said = last_words(study.first.stdout)
    assert study.first.returncode == 1
    assert sorted(re.findall(r"^failed: \w+ of (\S+)", said, re.MULTILINE)) == sorted([*BROKEN, KILLED])
    done = {f"profiles/{sample}_profile.tsv" for sample in (PLACES, *FLAGGED)}
    assert {name for name in study.left if name.startswith("profiles/") and name.endswith(".tsv")} == done
    # The tables of all samples wait for all samples.
    assert not {"qc/reads.tsv", "profiles/merged.tsv"} & set(study.left)
    assert not [name for name in study.left if ".part" in name]
    assert study.second.returncode == 0, study.second.stdout
    again = set(re.findall(r"Job \d+: (\S+): ", study.second.stdout))
    assert again == {*BROKEN, KILLED}, "what was done is not done again"
    trimmed = set(re.findall(r"Job \d+: (\S+): trim with fastp", study.second.stdout))
    assert trimmed == set(BROKEN), "the one whose host removal was killed is trimmed already"
    lines = study.first.stdout.splitlines()
    first = next(line for line in lines if " failed for good; " in line)
    last = next(line for line in lines if line.startswith("What is done stays done"))
    assert first.startswith("6 jobs failed for good; ")
    reliability(
        FILES,
        "Six bad samples among eleven",
        done="Five samples had broken reads and a program was killed at work on the sixth; then all was mended, and "
        "the same command given again.",
        saw=cleaned(f"{first}\n{last}"),
    )


def test_a_program_killed_in_a_run(study: Study, reliability: Recorder) -> None:
    said = last_words(study.first.stdout)
    reason = about(said, f"error: sample {KILLED}: ")
    assert "bowtie2 was killed by signal 9 (SIGKILL), usually because memory ran out" in reason
    assert f"results/logs/remove_host/{KILLED}.log:" in said
    assert not {f"qc/host/{KILLED}.tsv", f"qc/host/{KILLED}.txt", f"reads/nonhost/{KILLED}.fastq.gz"} & set(study.left)
    assert study.reads().loc[KILLED, "status"] == "ok"
    reliability(
        PROGRAMS,
        "bowtie2 killed by SIGKILL (host reads)",
        done="Killed bowtie2 in a run of the workflow; then gave the same command again.",
        saw=cleaned(f"failed: remove_host of {KILLED}\n  results/logs/remove_host/{KILLED}.log:\n{reason}"),
    )


# ------------------------------------------------------------------------------------------------- odd, but not broken


@pytest.mark.parametrize(
    ("sample", "fault", "done", "reason"),
    [
        (EMPTY, "No reads (a gzip of nothing)", "Emptied both files of a sample.", "the FASTQ files hold no reads"),
        (NS, "Reads of Ns only", "Replaced every base of a sample by N.", "fastp left out 2400"),
        (HOST, "Host reads only", "Replaced the reads of a sample by those of the host.", "1158 are of the host"),
        (SHORT, "Reads of 40 bases", "Cut every read of a sample to 40 bases.", "fastp left out 1556"),
    ],
)
def test_samples_without_usable_reads_are_flagged(
    study: Study, reliability: Recorder, sample: str, fault: str, done: str, reason: str
) -> None:
    """The run goes on to the report, which names them."""
    row = study.reads().loc[sample]
    assert (row["status"], row["reads_profiled"] in (0, pd.NA)) == ("few_reads", True)
    assert reason in row["reason"]
    merged = pd.read_csv(study.folder / "results" / "profiles" / "merged.tsv", sep="\t", comment="#", index_col=0)
    assert merged[f"{sample}_profile" if f"{sample}_profile" in merged else sample].drop("UNCLASSIFIED").eq(0).all()
    page = study.folder / "report.html"
    if not page.exists():
        words = ["report", "--samples", f"{TRIAL}/samples.tsv", "--results", "results", "--reads", Study.COUNTED]
        words += ["--profile", "results/profiles/merged.tsv", "-o", "report.html"]
        subprocess.run(["microbiome", *words], cwd=study.folder, check=True, capture_output=True)
    assert f"{sample}: few_reads ({row['reason']})" in page.read_text()
    # A file without reads may be one that was not copied.
    warned = about(study.checked, f"/{sample}_")
    assert warned.count("the file holds no reads") == (2 if sample == EMPTY else 0)
    assert "error: " not in warned
    reliability(
        FILES,
        fault,
        done=f"{done} The run went on to the report.",
        saw=f"{warned}\n{sample}: few_reads ({row['reason']})",
    )


def test_lower_case_bases_and_odd_paths_are_read(study: Study, reliability: Recorder) -> None:
    reads = study.reads()
    truth = pd.read_csv(study.folder / TRIAL / "truth" / "reads.tsv", sep="\t", index_col="sample")
    for sample, fault, done in (
        (KILLED, "Lower-case bases (read)", "Wrote the bases of a sample in lower case."),
        (
            PLACES,
            "Spaces, letters beyond ASCII and a link in a path (read)",
            f"Moved the files of a sample to '{ODD}/Probe 1 (é).fastq.gz', one of them behind a symbolic link.",
        ),
    ):
        row, made = reads.loc[sample], truth.loc[sample]
        assert (row["status"], row["reads_raw"]) == ("ok", made["reads"])
        # As many reads of the host and of no taxon as were made.
        assert abs((row["reads_trimmed"] - row["reads_nonhost"]) / 2 - made["host"]) < 0.02 * made["fragments"]
        assert row["unclassified"] < 0.15
        assert about(study.checked, sample) == ""
        counts = f"{row['reads_raw']} reads, {row['reads_profiled']} profiled, {row['taxa']} taxa"
        reliability(FILES, fault, done=done, saw=f"{sample}: {row['status']}: {counts}")


# ------------------------------------------------------------------------------------- what a look at the files finds


@pytest.fixture(scope="module")
def refused(trial: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return what the check and a run say of a trial whose files cannot be what they are said to be."""
    folder = copy_of(trial, tmp_path_factory.mktemp("wrong") / "study")
    text = {(s, u): [gzip.decompress(fastq(folder, s, u, m).read_bytes()) for m in (1, 2)] for s, u in PAIRS}
    path = fastq(folder, "D01-1")
    path.write_bytes(path.read_bytes() + b"trailing bytes")
    fastq(folder, "R01-T0", "L1").write_bytes(text["R01-T0", "L1"][0])
    fastq(folder, "R01-T0", "L2").write_bytes(bz2.compress(text["R01-T0", "L2"][0]))
    fastq(folder, "R01-T1").write_bytes(gzip.compress(text["R01-T1", "L1"][0].replace(b"\n", b"\r\n")))
    fastq(folder, "R01-T2").write_bytes(
        gzip.compress(re.sub(rb"(?m)^@(.*)\n(.*)\n\+\n.*\n", rb">\1\n\2\n", text["R01-T2", "L1"][0]))
    )
    one, two = (data.split(b"\n")[:-1] for data in text["R03-T0", "L1"])
    mixed = [line for i in range(0, len(one), 4) for line in (*one[i : i + 4], *two[i : i + 4])]
    fastq(folder, "R02-T1").write_bytes(gzip.compress(b"\n".join(mixed) + b"\n"))
    shutil.copy(fastq(folder, "R03-T0"), fastq(folder, "R03-T0", mate=2))
    fastq(folder, "R03-T1", mate=2).write_bytes(gzip.compress(text["R03-T1", "L1"][1].replace(b"@SIM:", b"@OTHER:")))
    fastq(folder, "R04-S", "L1").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(range(99)))
    fastq(folder, "R04-S", "L2").write_bytes(b"")
    fastq(folder, "R04-S", "L3").unlink()
    fastq(folder, "R04-S", "L3").symlink_to("moved.fastq.gz")
    fastq(folder, "R04-T0", "L1", 2).write_bytes(gzip.compress(text["R04-T0", "L1"][1].replace(b" 2:N:", b" 1:N:")))
    table = folder / TRIAL / "units.tsv"
    rows = table.read_text().replace("R02-T0_L1_R2", "R02-T0_L1_R1")
    swapped = "\t".join(f"{TRIAL}/fastq/R04-T1_L1_R{mate}.fastq.gz" for mate in (1, 2))
    back = "\t".join(f"{TRIAL}/fastq/R04-T1_L1_R{mate}.fastq.gz" for mate in (2, 1))
    table.write_text(rows.replace(swapped, back))
    checked = check(folder)
    done = snakemake(repository, folder, "--dry-run", merged=True)
    assert done.returncode == 2
    assert "Nothing was started." in done.stdout
    return checked, done.stdout


PAIRS = [
    *(("R01-T0", "L1"), ("R01-T0", "L2"), ("R01-T1", "L1"), ("R01-T2", "L1"), ("R03-T0", "L1"), ("R03-T1", "L1")),
    ("R04-T0", "L1"),
]


@pytest.mark.parametrize(
    ("name", "fault", "done", "message"),
    [
        (
            "D01-1_",
            "Garbage behind the end of a gzip",
            "Appended bytes to a gzip.",
            "something else follows the end of the gzip",
        ),
        ("R01-T0_L1", "Plain text named .gz", "Gave a FASTQ that is not compressed the name of a gzip.", "not gzip"),
        ("R01-T0_L2", "bzip2 named .gz", "Compressed a FASTQ with bzip2.", "compressed with bzip2"),
        ("R01-T1_", "Windows line ends in a FASTQ", "Gave every line of a FASTQ CR LF.", "CR LF (Windows)"),
        ("R01-T2_", "A FASTA", "Gave a FASTA in place of a FASTQ.", "FASTA, not FASTQ"),
        ("R02-T0_", "The same file twice", "Named the file of the first mates twice.", "are the same file"),
        ("R02-T1_", "Interleaved mates", "Gave both mates in one file, as single reads.", "interleaved"),
        ("R03-T0_", "A copy of R1 given as R2", "Copied the file of the first mates to that of the second.", "a copy"),
        ("R03-T1_", "Mates with other names", "Gave the second mates other names.", "its first read is"),
        ("R04-S_L1", "zstd named .gz", "Compressed a FASTQ with zstd.", "compressed with zstd"),
        ("R04-S_L2", "A file of 0 bytes", "Emptied a file.", "empty (0 bytes)"),
        ("R04-S_L3", "A link to nothing", "Made a FASTQ a symbolic link to a file that is not there.", "to nothing"),
        (
            "R04-T0_",
            "First mates given as R2",
            "Let the second mates say that they are the first.",
            "both hold mates 1",
        ),
        ("R04-T1_", "R1 and R2 the wrong way round (read)", "Exchanged the files of the mates.", "swap them"),
    ],
)
def test_files_that_are_not_what_they_are_said_to_be(
    refused: tuple[str, str], reliability: Recorder, name: str, fault: str, done: str, message: str
) -> None:
    """A run looks at the first reads of each file before it begins."""
    checked, started = (about(said, name) for said in refused)
    assert message in checked
    assert checked.count("\n") == 0, "said once"
    # What stands at the end of a file is found by the check, and by the run when it comes to the file.
    assert started == ("" if name == "D01-1_" else checked)
    nothing = "" if checked.startswith("warning: ") or not started else "\nNothing was started."
    reliability(FILES, fault, done=done, saw=cleaned(checked) + nothing)
