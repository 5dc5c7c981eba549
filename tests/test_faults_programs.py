"""Programs that fail at work on a sample, each in several ways: what is seen, and that nothing half-written remains.

The scripts of the workflow run stand-ins that do what the real programs do, as far as the scripts can see it.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from reliability import Recorder

PROGRAMS = "Programs"
READS_GIVEN = 40
PROFILE = """#mpa_vTest_1
#{words}
#40 reads processed
#SampleID\tS
#clade_name\tclade_taxid\trelative_abundance\tcoverage\testimated_number_of_reads_from_the_clade
UNCLASSIFIED\t-1\t10.0\t-\t4
k__Bacteria\t2\t90.0\t0.1\t36
k__Bacteria|s__A\t2|5\t60.0\t0.1\t24
k__Bacteria|s__B\t2|6\t30.0\t0.1\t12
k__Bacteria|s__A|t__SGB1\t2|5|\t60.0\t0.1\t24
k__Bacteria|s__B|t__SGB2\t2|6|\t30.0\t0.1\t12
"""
STAND_INS = {
    "fastp": """
while (($#)); do case $1 in --in1) in=$2 ;; --out1) out=$2 ;; --json) json=$2 ;; esac; shift; done
cp "$in" "$out"
echo '{"summary": {"before_filtering": {"total_reads": 40}, "after_filtering": {"total_reads": 40}}}' >"$json"
""",
    "bowtie2": """
[[ $1 != --version ]] || { echo "bowtie2-align-s version 2.5.1"; exit; }
sam() { for i in {1..40}; do printf 'r%d\\t4\\t*\\t0\\t0\\t*\\t*\\t0\\t0\\tACGT\\tIIII\\tYT:Z:UU\\n' $i; done; }
WORK
echo "40 reads; of these:" >&2
""",
    "metaphlan": """
[[ $1 != --version ]] || { echo "MetaPhlAn version 4.1.1 (11 Mar 2024)"; exit; }
while (($#)); do case $1 in -o) out=$2 ;; -s) sam=$2 ;; esac; shift; done
cp profile.tsv "$out"
cp alignment.bz2 "$sam"
""",
    "multiqc": """
mkdir -p qc/multiqc_data
echo '<html></html>' >qc/multiqc.html
echo '{}' >qc/multiqc_data/multiqc_data.json
""",
    "humann": """
[[ $1 != --version ]] || { echo "humann v3.9"; exit; }
while (($#)); do case $1 in --output) out=$2 ;; esac; shift; done
mkdir "$out"
for table in genefamilies pathabundance pathcoverage; do
    printf '%s\\t%s\\n' '# Gene Family' S UNMAPPED 5 UniRef90_1 9 'UniRef90_1|s__A' 6 'UniRef90_1|s__B' 3 \\
        >"$out/S_$table.tsv"
done
""",
    "sample2markers.py": """
cp alignment.bz2 S.json.bz2
""",
}
NOTHING, KILL, CRASH = "exit 0", "kill -9 $$", "kill -11 $$"
# Tool, what it does wrong, in its place before or behind its work, and what is said of it.
CASES = [
    ("fastp", "exits 0 and writes nothing", NOTHING, "", "did not write S.json"),
    ("fastp", "cuts its FASTQ off", "", 'truncate -s -50 "$out"', "S.fastq.gz is cut off"),
    ("fastp", "leaves reads out of its FASTQ", "", 'zcat "$in" | head -80 | gzip >"$out"', "cut off (20 of 40 reads)"),
    ("fastp", "cuts its report off", "", 'truncate -s -9 "$json"', "S.json is cut off"),
    ("fastp", "dies of SIGKILL", KILL, "", "killed by signal 9 (SIGKILL), usually because memory ran out"),
    ("fastp", "dies of SIGSEGV", CRASH, "", "crashed with signal 11 (SIGSEGV)"),
    (
        "fastp",
        "prints an error",
        "echo 'ERROR: igzip: error' >&2; exit 255",
        "",
        "exit code 255 (ERROR: igzip: error)",
    ),
    ("bowtie2", "exits 0 and writes nothing", NOTHING, "", "gave 0 reads, its summary no count of them"),
    ("bowtie2", "ends in the middle of a line", "", "sam | head -c 900", "ended in the middle of an alignment"),
    ("bowtie2", "leaves reads out", "", "sam | head -n 20", "gave 20 reads, its summary 40 reads"),
    ("bowtie2", "dies of SIGSEGV", CRASH, "", "crashed with signal 11 (SIGSEGV)"),
    (
        "bowtie2",
        "says that its program died",
        "echo '(ERR): bowtie2-align died with signal 9 (KILL) ' >&2; exit 1",
        "",
        "killed by signal 9 (SIGKILL), usually because memory ran out",
    ),
    ("bowtie2", "prints an error", "echo 'Error: reads file is damaged' >&2; exit 1", "", "exit code 1 (Error: reads"),
    ("metaphlan", "exits 0 and writes nothing", NOTHING, "", "did not write S_profile.tsv"),
    ("metaphlan", "cuts its profile off in a row", "", 'truncate -s -9 "$out"', "S_profile.tsv is cut off"),
    (
        "metaphlan",
        "cuts its profile off between rows",
        "",
        "sed -i '$d' \"$out\"",
        "cut off (its SGBs sum to 60, its kingdoms to 90)",
    ),
    ("metaphlan", "writes only the header of its profile", "", "sed -i '/^[^#]/d' \"$out\"", "(it has no rows)"),
    ("metaphlan", "cuts its alignment off", "", 'truncate -s -9 "$sam"', "S.sam.bz2 is cut off"),
    (
        "metaphlan",
        "goes on without the alignments of bowtie2",
        "",
        'echo "@CO index" | bzip2 >"$sam"',
        "wrote no alignment",
    ),
    ("metaphlan", "loses the reads on their way", "", "sed -i 's/^#40 /#0 /' \"$out\"", "metaphlan processed 0 reads"),
    ("metaphlan", "dies of SIGKILL", KILL, "", "killed by signal 9 (SIGKILL), usually because memory ran out"),
    ("metaphlan", "runs out of memory", "echo MemoryError >&2; exit 1", "", "usually because memory ran out"),
    ("metaphlan", "prints an error", "echo 'Error: no database' >&2; exit 1", "", "exit code 1 (Error: no database)"),
    ("multiqc", "exits 0 and writes nothing", NOTHING, "", "did not write multiqc.html"),
    ("multiqc", "cuts its page off", "", "truncate -s -4 qc/multiqc.html", "multiqc.html is cut off"),
    ("multiqc", "leaves its folder empty", "", "rm qc/multiqc_data/*", "did not write multiqc_data"),
    ("multiqc", "dies of SIGKILL", KILL, "", "killed by signal 9 (SIGKILL), usually because memory ran out"),
    ("multiqc", "prints an error", "echo 'Error: x' >&2; exit 1", "", "exit code 1 (Error: x)"),
    ("humann", "exits 0 and writes nothing", NOTHING, "", "did not write S_genefamilies.tsv"),
    (
        "humann",
        "cuts a table off between rows",
        "",
        "sed -i '$d' \"$out/S_genefamilies.tsv\"",
        "cut off (the parts of UniRef90_1 sum to 6, not to 9)",
    ),
    ("humann", "cuts a table off in a row", "", 'truncate -s -3 "$out/S_pathabundance.tsv"', "is cut off"),
    ("humann", "dies of SIGKILL", KILL, "", "killed by signal 9 (SIGKILL), usually because memory ran out"),
    ("sample2markers.py", "exits 0 and writes nothing", NOTHING, "", "did not write S.json.bz2"),
    ("sample2markers.py", "cuts its file off", "", "truncate -s -7 S.json.bz2", "S.json.bz2 is cut off"),
]
COMMANDS = {
    "fastp": "fastp_sample.py --sample S --reads S_in.fastq.gz --units units.tsv --min-length 50 --out S.fastq.gz"
    " --json S.json",
    "bowtie2": "remove_host.py --sample S --index host --reads S_in.fastq.gz --out S.fastq.gz --summary S.txt"
    " --counts S.tsv",
    "metaphlan": "profile_sample.py --sample S --reads S_in.fastq.gz --min-reads 10 --database db --index mpa_vTest_1"
    " --profile S_profile.tsv --sam S.sam.bz2 --counts S.tsv",
    "multiqc": "run_checked.py --about samples --wrote qc/multiqc.html qc/multiqc_data -- multiqc",
    "humann": "humann_sample.py --sample S --reads S_in.fastq.gz --min-reads 10 --nucleotide n --protein p"
    " --genefamilies g.tsv --pathabundance a.tsv --pathcoverage c.tsv --counts S.tsv --tmp tmp",
    "sample2markers.py": "run_checked.py --about samples --wrote S.json.bz2 -- sample2markers.py",
}
GIVEN = {"S_in.fastq.gz", "units.tsv", "profile.tsv", "alignment.bz2", "bin", "p", "tmp", "qc"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of one sample, in which the programs of its folder bin come first."""
    text = "".join(f"@r{i}\n{hashlib.sha256(bytes([i])).hexdigest() * 2}\n+\n{'I' * 128}\n" for i in range(READS_GIVEN))
    (tmp_path / "S_in.fastq.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (tmp_path / "units.tsv").write_text(f"sample\tunit\tmate\tfile\tbytes\treads\nS\tL1\t1\tx.gz\t9\t{READS_GIVEN}\n")
    (tmp_path / "profile.tsv").write_text(PROFILE)
    (tmp_path / "alignment.bz2").write_bytes(bz2.compress(b"@CO\tindex:x\n@HD\tVN:1.0\n@SQ\tSN:m\tLN:9\n"))
    for name in ("bin", "p", "tmp", "qc"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "tmp"))
    return tmp_path


def call(repository: Path, folder: Path, tool: str, before: str = "", behind: str = "") -> tuple[int, str]:
    """Run the script of a tool with a stand-in; return its exit code and the last line that it said."""
    body = STAND_INS[tool]
    if tool == "bowtie2":
        body = body.replace("WORK", behind or "sam")
        # Its version is asked for before it is run.
        first, work = body.split("\n", 2)[1:]
        body = f"{first}\n{before}\n{work}"
    elif "--version" in body:
        first, work = body.split("\n", 2)[1:]
        body = f"{first}\n{before}\n{work}{behind}\n"
    else:
        body = f"{before}\n{body}{behind}\n"
    (folder / "bin" / tool).write_text(f"#!/bin/bash\n{body}")
    (folder / "bin" / tool).chmod(0o755)
    script, *words = COMMANDS[tool].split()
    command = [sys.executable, str(repository / "workflow" / "scripts" / script), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr.strip().split("\n")[-1]


def written(folder: Path) -> set[str]:
    """Return what is in the folder beside what was given, hidden files too."""
    found = {path.name for path in folder.iterdir()} - GIVEN
    return found | {f"qc/{path.name}" for path in (folder / "qc").iterdir()}


@pytest.mark.parametrize(("tool", "fault", "before", "behind", "message"), CASES)
def test_a_program_that_fails(
    bench: Path,
    repository: Path,
    reliability: Recorder,
    tool: str,
    fault: str,
    before: str,
    behind: str,
    message: str,
) -> None:
    """One line says what happened and what to do, nothing remains, and the program mended does the work."""
    code, said = call(repository, bench, tool, before, behind)
    assert code == 1, said
    assert re.match(r"error: (sample S|samples): ", said)
    assert message in said
    assert re.search(r"; .*then start the same again: nothing half-written was left$", said), "what to do"
    assert written(bench) == set()
    reliability(PROGRAMS, f"{tool}: {fault}", done=f"A stand-in for {tool} did so at work on a sample.", saw=said)


@pytest.mark.parametrize("tool", STAND_INS)
def test_a_program_that_does_its_work(bench: Path, repository: Path, tool: str) -> None:
    code, said = call(repository, bench, tool)
    assert code == 0, said
    assert written(bench)
    assert not [name for name in written(bench) if ".part" in name]
