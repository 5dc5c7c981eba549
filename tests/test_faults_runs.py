"""Runs of the workflow that are killed, started twice, out of room or out of time: what is seen, and what is lost."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import snakemake_runs
import yaml
from reliability import Recorder, cleaned

from microbiome import running
from microbiome.check_folders import future_problems, results_problems
from microbiome.errors import InputError
from microbiome.running import claim, describe, outlived

pytestmark = pytest.mark.tools

GROUP = "Interrupted and concurrent runs"
RECORD = "results/provenance.json"
MERGED = "results/profiles/merged.tsv"
COUNTED = "results/qc/reads.tsv"


# What is said is read in the order in which it is said.
snakemake = partial(snakemake_runs.snakemake, merged=True)
must_run = partial(snakemake_runs.must_run, merged=True)


def lines(said: str, *patterns: str) -> str:
    """Return the lines that a user would look for, without what differs between runs."""
    found = [line for line in said.splitlines() if any(re.search(pattern, line) for pattern in patterns)]
    text = "\n".join(dict.fromkeys(found))
    text = re.sub(r"process \d+ on \S+, since [\d-]+ [\d:]+", "process N on HOST, since TIME", text)
    text = re.sub(r"kill [\d ]+", "kill N", re.sub(r"\(\d+ processes\)", "(N processes)", text))
    text = re.sub(r"-s \S+/Snakefile", "-s Snakefile", text)
    return re.sub(r"\(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)", "(TIME)", text)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the results that are in place, without logs, benchmarks and what a killed job has left under way."""
    results = folder / "results"
    files = [path for path in sorted(results.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    return {
        name: record(path) if name == "provenance.json" else path.read_bytes()
        for path in files
        if not (name := str(path.relative_to(results))).startswith(("logs/", "benchmarks/"))
    }


def record(path: Path) -> bytes:
    """Return a provenance without its times."""
    content = json.loads(path.read_text())
    del content["run"]
    return json.dumps(content).encode()


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None) -> Path:
    """Return a folder with a study of seven profiles and a configuration with few steps."""
    folder = tmp_path_factory.mktemp("faults")
    size = "--donors 1 --donor-samples 1 --recipients 2 --placebo 1 --days 0 14 --sgbs 12 --seed 3"
    subprocess.run(["microbiome", "simulate", "--output", "trial", *size.split()], cwd=folder, check=True)
    config = {
        "samples": "trial/samples.tsv",
        "profiles": "trial/profiles/*_profile.tsv",
        "results": "results",
        "seed": 3,
        "diversity": {"alpha": [], "beta": []},
        "compare": {"by": [], "permutations": 99},
        "sensitivity": {"by": [], "thresholds": [0, 0.001]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def undisturbed(trial: Path, repository: Path) -> dict[str, bytes]:
    """Return the results of a run that nothing happened to."""
    folder = copy_of(trial, trial / "undisturbed")
    must_run(repository, folder, RECORD)
    return contents(folder)


def copy_of(trial: Path, target: Path) -> Path:
    target.mkdir()
    shutil.copytree(trial / "trial", target / "trial")
    shutil.copy(trial / "config.yaml", target / "config.yaml")
    return target


@pytest.fixture
def study(trial: Path, tmp_path: Path) -> Path:
    """Return a copy of the study."""
    return copy_of(trial, tmp_path / "study")


class Run:
    """A run of the workflow that the test can look at and kill."""

    def __init__(self, repository: Path, folder: Path, *words: str) -> None:
        self.folder = folder
        self.log = folder / "run.log"
        with self.log.open("w") as log:
            # A session of its own: a kill of the group ends Snakemake and its jobs, and nothing else.
            self.process = subprocess.Popen(
                snakemake_runs.command(repository, *words), cwd=folder, stdout=log, stderr=log, start_new_session=True
            )

    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, reached: Callable[[], object]) -> bool:
        """Wait until something is so; false when the run has ended before."""
        deadline = time.monotonic() + 120
        while not reached():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        return True

    def jobs(self) -> list[int]:
        """Return the processes of the package that work for this run, which are not those of shells."""
        found = []
        for process in outlived(self.folder):
            try:
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.endswith(b"/microbiome") for word in words):
                found.append(process)
        return found

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_alone(self) -> None:
        self.process.kill()
        self.process.wait()


def killed(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def test_killed_at_ten_moments(
    study: Path, undisturbed: dict[str, bytes], repository: Path, reliability: Recorder
) -> None:
    moments = random.Random(20261121)
    seen = ""
    for victim in ("run", "run", "alone", "run", "alone", "job", "job", "job", "job", "job"):
        while True:
            run = Run(repository, study, RECORD)
            ready = run.wait_for(run.jobs)
            wait = moments.uniform(0, 2 if victim == "job" else 1)
            time.sleep(wait)
            jobs = run.jobs() if ready else []
            if run.process.poll() is None and (jobs or victim != "job"):
                break
            # It was done before its moment: from the beginning.
            run.kill() if run.process.poll() is None else None
            unlocked(repository, study)
            shutil.rmtree(study / "results")
        if victim == "job":
            killed(moments.choice(jobs))
            assert run.process.wait() in (0, 1)
            if run.process.returncode:
                seen = re.sub(r"failed: \w+", "failed: STEP", lines(run.said(), r"^failed: ", r"^What is done stays"))
        else:
            run.kill() if victim == "run" else run.kill_alone()
            while outlived(study):
                time.sleep(0.05)
            unlocked(repository, study)
        # Whatever is there under its name is whole.
        there = contents(study)
        assert {name: undisturbed.get(name) for name in there} == there, victim
    must_run(repository, study, RECORD)
    assert contents(study) == undisturbed
    assert not list((study / "results").rglob(".*.part*")), "what the killed jobs had begun is removed"
    reliability(
        GROUP,
        "SIGKILL at ten random moments",
        done="Five times Snakemake was killed (three times with its jobs), five times one job; each time the same "
        "command was started again, after `--unlock` where Snakemake had been killed. Each result that was in place "
        "was that of an undisturbed run, and so were all of them at the end.",
        saw=cleaned(seen),
        lost="the steps that were running are made again",
    )


def unlocked(repository: Path, folder: Path) -> None:
    if any((folder / ".snakemake" / "locks").glob("*")):
        must_run(repository, folder, "--unlock")


def test_a_stale_lock(study: Path, repository: Path, reliability: Recorder) -> None:
    run = Run(repository, study, MERGED)
    assert run.wait_for(run.jobs), run.said()
    run.kill()
    done = snakemake(repository, study, MERGED)
    assert done.returncode == 1
    assert not (study / MERGED).exists()
    saw = lines(done.stdout, r"^warning: ", r"^Error: Directory cannot be locked", r"^If you are sure")
    unlock = re.search(r"unlock with: (snakemake .*--unlock)  and start", done.stdout)
    assert unlock, done.stdout
    # The command is one that can be copied.
    subprocess.run(unlock[1], shell=True, cwd=study, check=True, capture_output=True)
    said = must_run(repository, study, MERGED)
    assert "was killed" not in said
    assert (study / MERGED).is_file()
    reliability(
        GROUP,
        "A stale lock",
        done="Snakemake was killed with its jobs (SIGKILL), and started again; then the command that is named was run.",
        saw=cleaned(saw),
    )


def test_jobs_that_outlive_their_run(
    study: Path, undisturbed: dict[str, bytes], repository: Path, reliability: Recorder
) -> None:
    run = Run(repository, study, MERGED)
    assert run.wait_for(run.jobs), run.said()
    orphans = run.jobs()
    for process in orphans:
        os.kill(process, signal.SIGSTOP)
    try:
        run.kill_alone()
        assert outlived(study), "the job is still there"
        first = snakemake(repository, study, MERGED)
        must_run(repository, study, "--unlock")
        second = snakemake(repository, study, MERGED)
    finally:
        for process in orphans:
            os.kill(process, signal.SIGCONT)
    saw = lines(second.stdout, r"^error: .*still at work", r"^Nothing was started")
    assert first.returncode == 1
    assert "still at work" in first.stdout
    assert second.returncode == 2, second.stdout
    while outlived(study):
        time.sleep(0.05)
    must_run(repository, study, MERGED)
    assert (study / MERGED).read_bytes() == undisturbed["profiles/merged.tsv"]
    reliability(
        GROUP,
        "Jobs that outlive Snakemake",
        done="Snakemake alone was killed while a job was at work; unlocked, and started before the job had ended.",
        saw=cleaned(saw),
    )


def test_two_runs_at_once(study: Path, undisturbed: dict[str, bytes], repository: Path, reliability: Recorder) -> None:
    first = Run(repository, study, COUNTED)
    assert first.wait_for(first.jobs), first.said()
    held = first.jobs()
    for process in held:
        os.kill(process, signal.SIGSTOP)
    try:
        later = snakemake(repository, study, COUNTED)
        # As when both look for the lock of Snakemake in the same moment: neither finds any.
        shutil.rmtree(study / ".snakemake" / "locks")
        together = snakemake(repository, study, COUNTED)
    finally:
        for process in held:
            os.kill(process, signal.SIGCONT)
    assert first.process.wait() == 0, first.said()
    assert (study / COUNTED).read_bytes() == undisturbed["qc/reads.tsv"]
    assert (later.returncode, together.returncode) == (1, 2), together.stdout
    said = [
        lines(text, r"at work in this folder", r"^Error: Directory cannot", r"^Nothing was started")
        for text in (later.stdout, together.stdout)
    ]
    warned, refused = (text.splitlines()[0] for text in said)
    assert warned.removeprefix("warning: ") == refused.removeprefix("error: ")
    assert f"process {first.process.pid} on {platform.node()}" in together.stdout
    reliability(
        GROUP,
        "Two runs started at once in one folder",
        done="A second run was started while the first was at work, and once more with Snakemake's own lock taken "
        "away, as when both look for it in the same moment.",
        saw=cleaned("\n".join(said)),
        lost="nothing: the first run ends well, the second starts nothing",
    )


def test_results_older_than_their_inputs(
    trial: Path, undisturbed: dict[str, bytes], tmp_path: Path, repository: Path, reliability: Recorder
) -> None:
    study = tmp_path / "study"
    shutil.copytree(trial / "undisturbed", study)
    day = time.time() - 86400
    for name in (MERGED, COUNTED):
        os.utime(study / name, (day, day))
    said = must_run(repository, study, RECORD)
    assert contents(study) == undisturbed
    # A profile that is replaced by one with an older time is what Snakemake does not notice.
    profile = study / "trial" / "profiles" / "R01-T1_profile.tsv"
    profile.write_text(profile.read_text() + "# changed\n")
    os.utime(profile, (day - 86400, day - 86400))
    said += must_run(repository, study, RECORD)
    assert contents(study) == undisturbed
    checked = subprocess.run(
        ["microbiome", "check", "--provenance", "results"], cwd=study, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 2
    touched = re.search(r"error: (\S+): profiles: has changed since", checked.stderr)
    assert touched, checked.stderr
    assert touched[1] == str(profile.relative_to(study))
    profile.touch()
    assert "merge the profiles" in must_run(repository, study, "--dry-run", RECORD)
    reliability(
        GROUP,
        "Results older than their inputs, and an input with an older time",
        done="Two results were given a time one day back, as by a clock that is behind, and the workflow started: "
        "nothing changed. Then a profile was changed and given a time before its results; the workflow was started, "
        "and `microbiome check --provenance results`.",
        saw=cleaned(lines(said, r"^Nothing to be done") + "\n" + lines(checked.stderr, r"^error: trial")),
    )


def test_a_record_that_is_cut_off(trial: Path, undisturbed: dict[str, bytes], tmp_path: Path, repository: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(trial / "undisturbed", study)
    page = study / "results" / "report.html"
    must_run(repository, study)
    made = page.read_bytes()
    (study / RECORD).write_bytes((study / RECORD).read_bytes()[:300])
    checking = ["microbiome", "check", "--provenance", "results", "--config", "config.yaml"]
    said = subprocess.run(checking, cwd=study, capture_output=True, text=True, check=False).stderr
    fix = re.search(r"not a record of provenance .*; remove it \((rm \S+)\) and start the workflow again", said)
    assert fix, said
    # Started at once, it does not get through, and takes nothing away.
    failed = snakemake(repository, study)
    assert failed.returncode == 1
    assert "failed: report" in failed.stdout
    assert page.read_bytes() == made
    subprocess.run(fix[1], shell=True, cwd=study, check=True)
    must_run(repository, study)
    done = subprocess.run(checking, cwd=study, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert contents(study)["provenance.json"] == undisturbed["provenance.json"]


def test_an_input_from_the_future(study: Path, repository: Path, reliability: Recorder) -> None:
    ahead = study / "trial" / "profiles" / "R01-T1_profile.tsv"
    hour = time.time() + 3600
    os.utime(ahead, (hour, hour))
    done = snakemake(repository, study, MERGED)
    assert done.returncode == 2
    assert not (study / "results").exists()
    fix = re.search(r"then: (touch \S+)", done.stdout)
    assert fix, done.stdout
    subprocess.run(fix[1], shell=True, cwd=study, check=True)
    must_run(repository, study, MERGED)
    reliability(
        GROUP,
        "An input from the future",
        done="A profile was given a time one hour ahead, as by a clock that is ahead; then the command that is named "
        "was run.",
        saw=cleaned(lines(done.stdout, r"^error: ", r"^Nothing was started")),
    )


@pytest.fixture
def mounted() -> Iterator[Callable[..., None]]:
    """Return what mounts something for the time of the test."""
    places: list[Path] = []

    def mount(place: Path, *words: str) -> None:
        if os.geteuid():
            pytest.fail("this test mounts a folder: run it as root, as make test in a container does")
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", *words, str(place)], check=True)
        places.append(place)

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", str(place)], check=False)


def test_a_full_disk(
    study: Path,
    undisturbed: dict[str, bytes],
    repository: Path,
    mounted: Callable[..., None],
    reliability: Recorder,
) -> None:
    # Room for the list of profiles and for half of the merged table, besides who held the folder in an earlier run.
    mounted(study / "results", "-t", "tmpfs", "-o", "size=12k", "tmpfs")
    (study / "results" / ".microbiome.lock").write_text("1\thost\ttime\n")
    done = snakemake(repository, study, MERGED)
    assert done.returncode == 1
    assert not (study / MERGED).exists()
    assert not list((study / "results").rglob(".*.part*")), "nothing is left in the way"
    saw = lines(done.stdout, r"^warning: config.* free in", r"^error: .*: cannot be written")
    assert f"error: {MERGED}: cannot be written (No space left on device); make room there" in saw
    # Not even a log can be written any more.
    filler = study / "results" / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(20_000))
    full = snakemake(repository, study, MERGED)
    assert full.returncode == 2
    saw += "\n" + lines(full.stdout, r"^error: .* is full", r"^Nothing was started")
    subprocess.run(["mount", "-o", "remount,size=10m", str(study / "results")], check=True)
    filler.unlink()
    must_run(repository, study, MERGED)
    assert (study / MERGED).read_bytes() == undisturbed["profiles/merged.tsv"]
    reliability(
        "Disk and folders",
        "A full disk",
        done="The folder of results was a disk of 8 kB; then it was filled up, then enlarged, with a start each time.",
        saw=cleaned(saw),
    )


def test_a_read_only_folder_of_results(
    study: Path, repository: Path, mounted: Callable[..., None], reliability: Recorder
) -> None:
    results = study / "results"
    mounted(results, "-t", "tmpfs", "-o", "ro", "tmpfs")
    done = snakemake(repository, study, MERGED)
    checked = subprocess.run(
        ["microbiome", "check", "--config", "config.yaml"], cwd=study, capture_output=True, text=True, check=False
    )
    assert (done.returncode, checked.returncode) == (2, 2)
    assert "(Read-only file system)" in checked.stderr
    reliability(
        "Disk and folders",
        "A read-only folder of results",
        done="The folder of results was mounted read-only.",
        saw=cleaned(lines(done.stdout, r"^error: ", r"^Nothing was started")),
    )


# --- without the workflow -------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_the_users(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir(mode=0o755)
    new = tmp_path / "results" / "new"
    code = "from microbiome.check_folders import results_problems as found; import os, sys; os.setuid(65534); "
    code += "print(*found(sys.argv[1]))"
    tmp_path.chmod(0o755)
    for place in tmp_path.parents:
        if place == Path("/tmp"):
            break
        place.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code, str(new)], capture_output=True, text=True, check=True)
    assert "(Permission denied); make it writable, or name another folder" in done.stdout
    assert results_problems(str(new)) == []
    assert not new.exists()


def test_times_are_those_of_the_disk_of_the_results(tmp_path: Path) -> None:
    now, ahead = tmp_path / "now", tmp_path / "a head"
    for file, seconds in ((now, 0), (ahead, 60)):
        file.touch()
        os.utime(file, (time.time() + seconds,) * 2)
    (problem,) = future_problems([str(now), str(ahead), str(ahead), str(tmp_path / "none")], str(tmp_path / "r"))
    assert problem.file == str(ahead)
    assert problem.fix.endswith(f"touch '{ahead}'")


def test_a_folder_is_held_by_one_process_until_it_ends(tmp_path: Path) -> None:
    code = "import sys; from microbiome.running import claim; claim(); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=rf"another run \(process {holder.pid} on "):
        claim(tmp_path)
    (tmp_path / ".snakemake" / "locks").mkdir()
    (tmp_path / ".snakemake" / "locks" / "0.input.lock").touch()
    assert "is at work" in str(describe(tmp_path))
    holder.kill()
    holder.wait()
    problem = describe(tmp_path)
    assert problem is not None
    assert problem.level == "warning"
    assert f"an earlier run (process {holder.pid} on {platform.node()}, since " in str(problem)


@contextlib.contextmanager
def holding(folder: Path, results: str = "") -> Iterator[subprocess.Popen[str]]:
    """Hold a folder, and results, in another process."""
    code = "import sys; from microbiome.running import claim; claim(results=sys.argv[1]); print('held', flush=True); "
    words = [sys.executable, "-c", code + "sys.stdin.read()", results]
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def as_nobody(code: str, folder: Path) -> str:
    """Run some lines in a folder as a user who owns nothing, and return what they print."""
    before = "import os; from microbiome.running import claim, describe; "
    before += "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    for place in [folder, *folder.parents]:
        if place == Path("/tmp"):
            break
        place.chmod(place.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", before + code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


TRIED = """
try:
    claim()
    print("claimed")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_folder_that_two_users_share(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    (folder / ".snakemake" / "locks").mkdir(parents=True)
    (folder / ".snakemake" / "locks" / "0.input.lock").touch()
    for place in (folder, folder / ".snakemake"):
        place.chmod(0o777)
    lock = folder / ".snakemake" / "microbiome.lock"
    with holding(folder) as holder:
        lock.chmod(0o644)
        busy = f"another run (process {holder.pid} on "
        assert as_nobody("print(describe())", folder).startswith(busy)
        assert as_nobody(TRIED, folder).startswith(f"InputError {busy}")
        # What cannot be opened at all does not tell that a run was killed.
        lock.chmod(0o600)
        said = as_nobody("print(describe(unlock='UNLOCK'))", folder)
        assert said.startswith("the folder is locked, and it cannot be told whether a run is at work in it; see "), said
        assert "if none is, unlock with: UNLOCK" in said
        said = as_nobody(TRIED, folder)
        assert said.startswith(f"InputError {lock.relative_to(folder)}: this cannot be the lock that a run holds (Perm")
    lock.chmod(0o644)
    assert as_nobody(TRIED, folder) == "claimed\n", "nobody holds it any more"
    # The file still tells of the run before, whose user it is; it is not taken for the one at work.
    code = f"{TRIED}\nprint(describe('.'), flush=True)"
    assert as_nobody(code, folder).splitlines()[1].startswith("another run is at work in this folder; ")


def test_what_is_in_the_place_of_a_lock_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("mine")
    places: dict[str, Callable[[Path], object]] = {
        "folder": lambda lock: lock.mkdir(),
        "link": lambda lock: lock.symlink_to(other),
        "dangling": lambda lock: lock.symlink_to(tmp_path / "none"),
        "pipe": os.mkfifo,
    }
    for name, make in places.items():
        lock = tmp_path / name / ".snakemake" / "microbiome.lock"
        lock.parent.mkdir(parents=True)
        make(lock)
        with pytest.raises(InputError, match=r"this cannot be the lock that a run holds .*; move it out of") as caught:
            claim(tmp_path / name)
        assert caught.value.problems[0].file == str(lock)
        fix = caught.value.problems[0].fix.partition(": ")[2]
        subprocess.run(fix, shell=True, check=True)
        claim(tmp_path / name)
    assert other.read_text() == "mine"
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / ".snakemake").touch()
    with pytest.raises(InputError, match=r"\.snakemake: this cannot be the lock .*: mv \S+ \S+\.old$"):
        claim(tmp_path / "file")


def test_results_are_held_from_whichever_folder(tmp_path: Path) -> None:
    one, two, results = tmp_path / "one", tmp_path / "two", tmp_path / "results"
    one.mkdir()
    two.mkdir()
    with holding(one, str(results)) as holder:
        with pytest.raises(InputError, match=rf"another run \(process {holder.pid} on .* at work in this") as caught:
            claim(two, two / ".." / "results")
        assert caught.value.problems[0].file == str(two / ".." / "results")
        claim(two, tmp_path / "others")
    assert [path.name for path in results.iterdir()] == [".microbiome.lock"]
    claim(tmp_path, results)


def test_results_that_cannot_be_locked_refuse_nobody(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir(mode=0o755)
    (tmp_path / "work").mkdir()
    (tmp_path / "work").chmod(0o777)
    code = "claim('.', '../results'); print('claimed')"
    assert as_nobody(code, tmp_path / "work") == "claimed\n"
    assert not list((tmp_path / "results").iterdir())


def test_jobs_are_found_by_their_folder(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "one more"
    jobs = []
    for folder in (one, two):
        folder.mkdir()
        # Another variable whose name ends alike comes first.
        variables = {f"X_{running.MARK}": "2@/", **os.environ, running.MARK: f"1@{folder}"}
        jobs.append(subprocess.Popen(["sleep", "60"], env=variables))
    # A folder that ends like the mark of another.
    elsewhere = os.environ | {running.MARK: f"1@/x@{two}"}
    jobs.append(subprocess.Popen(["sleep", "60"], env=elsewhere))
    try:
        deadline = time.monotonic() + 10
        while outlived(one) != [jobs[0].pid]:
            assert time.monotonic() < deadline
        assert outlived(two) == [jobs[1].pid]
        assert outlived(tmp_path) == []
        with pytest.raises(InputError, match=f"kill {jobs[0].pid}$"):
            claim(one)
    finally:
        for job in jobs:
            job.kill()
            job.wait()
    claim(one)


def test_a_run_that_had_our_number_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(running.MARK, "")
    running.mark(tmp_path)
    before = os.environ[running.MARK]
    running.mark(tmp_path)
    for text, expected in ((before, True), (os.environ[running.MARK], False)):
        job = subprocess.Popen(["sleep", "60"], env=os.environ | {running.MARK: text})
        try:
            time.sleep(0.2)
            assert (job.pid in outlived(tmp_path)) == expected
        finally:
            job.kill()
            job.wait()
