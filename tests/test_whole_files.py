"""Every output is written whole or not at all: who writes how, and what a kill in the middle leaves behind."""

from __future__ import annotations

import ast
import errno
import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import whole_files
from reliability import Recorder, cleaned

from microbiome.errors import InputError
from microbiome.files import atomic_path, write_text

# What gives a path that becomes a result only when all of it is written, or never.
TEMPORARY = {"atomic_path", "whole", "TemporaryDirectory", "mkdtemp", "mkstemp", "BytesIO", "StringIO"}
WRITERS = {"write_text", "write_bytes", "to_csv", "to_pickle", "touch"}
COPIES = {"copyfile", "copy", "copy2", "copytree", "move"}

# Who writes into a place by itself, and why that is no half-written result. File, function.
ALLOWED = {
    ("microbiome/files.py", "atomic_path"): "into what is no ordinary file, when everything is written",
    ("microbiome/database.py", "_locked"): "a lock without content",
    ("microbiome/download.py", "_fetch_once"): "a part that is continued; it is renamed when its checksum is right",
    ("workflow/scripts/remove_host.py", "remove_host"): "into the temporary path of whole, which it is given",
    ("workflow/scripts/humann_sample.py", "write_profile"): "into the scratch folder of a run",
    ("workflow/scripts/kraken2_sample.py", "mates"): "into the scratch folder of a run",
    ("microbiome/calibration/findings.py", "append"): "a journal; a line that is cut off is passed over",
}


def modules(repository: Path) -> list[Path]:
    return [*sorted((repository / "microbiome").rglob("*.py")), *sorted((repository / "workflow/scripts").glob("*.py"))]


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    top = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    yield "", ast.Module(top, [])
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node


def names_in(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def target_of(call: ast.Call) -> ast.AST | None:
    """Return where a call writes to; None where it does not write."""
    name = called(call)
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    modes = [word.value for word in (*call.args, *(k.value for k in call.keywords)) if isinstance(word, ast.Constant)]
    writes = any(isinstance(mode, str) and re.fullmatch(r"[rwaxb+t]*[wax+][rwaxb+t]*", mode) for mode in modes)
    if name == "GzipFile" and writes:
        named = next((k.value for k in call.keywords if k.arg == "fileobj"), None)
        return named or call.args[0]
    if name == "open" and writes:
        # Path.open has the path before the dot; open, gzip.open and bz2.open have it in the brackets.
        of_path = receiver is not None and not (isinstance(receiver, ast.Name) and receiver.id in ("gzip", "bz2"))
        return receiver if of_path else call.args[0]
    if name == "to_csv":
        return call.args[0] if call.args else call
    if name == "write_text" and receiver is None:
        return None  # our own, which is whole
    if name in WRITERS and receiver is not None:
        return receiver
    if name in COPIES and isinstance(receiver, ast.Name) and receiver.id == "shutil":
        return call.args[1]
    return None


def offenders(path: Path) -> Iterator[str]:
    """Yield the functions that write into a place that is not a temporary one."""
    for name, function in functions(ast.parse(path.read_text(encoding="utf-8"))):
        safe: set[str] = set()
        for _ in range(5):
            for node in ast.walk(function):
                if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
                    value = node.context_expr
                    bound = called(value) in TEMPORARY or target_is(value, safe)
                    safe |= {node.optional_vars.id} if bound else set()
                elif isinstance(node, ast.Assign) and (makes(node.value) or target_is(node.value, safe)):
                    safe |= {t.id for target in node.targets for t in ast.walk(target) if isinstance(t, ast.Name)}
        for node in ast.walk(function):
            target = target_of(node) if isinstance(node, ast.Call) else None
            if target is not None and not target_is(target, safe) and called(target) not in TEMPORARY:
                yield name


def makes(node: ast.AST) -> bool:
    """Tell whether an expression makes a temporary place, alone or in a list."""
    return any(called(part) in TEMPORARY for part in ast.walk(node))


def target_is(node: ast.AST, safe: set[str]) -> bool:
    return bool(names_in(node) & safe)


def test_every_writer_writes_beside_and_renames(repository: Path) -> None:
    found = {
        (str(path.relative_to(repository)), name)
        for path in modules(repository)
        # A trial is simulated into a folder that gets its name when all is there.
        if "simulate" not in path.parts
        for name in offenders(path)
    }
    assert found - set(ALLOWED) == set(), "write through files.atomic_path, or whole_files.whole in a script"
    assert set(ALLOWED) - found == set(), "no longer needed"


@pytest.mark.parametrize(
    ("code", "caught"),
    [
        ("path.write_text('x')", True),
        ("open(path, 'w').write('x')", True),
        ("path.open('ab')", True),
        ("gzip.open(path, 'wt')", True),
        ("gzip.GzipFile(path, 'wb', mtime=0)", True),
        ("frame.to_csv(path)", True),
        ("shutil.copyfile(a, path)", True),
        ("path.open()", False),
        ("gzip.open(path, 'rb')", False),
        ("write_text('x', path)", False),
        ("with whole(path) as part, part.open('wb') as out:\n        gzip.GzipFile(path, 'wb', fileobj=out)", False),
        ("with atomic_path(path) as part:\n        (part / 'a').write_text('x')", False),
        ("buffer = io.StringIO()\n    frame.to_csv(buffer)", False),
    ],
)
def test_the_search_finds_what_it_should(tmp_path: Path, code: str, caught: bool) -> None:
    (tmp_path / "code.py").write_text(f"def f(path, a, frame):\n    {code}\n")
    assert list(offenders(tmp_path / "code.py")) == (["f"] if caught else [])


def test_commands_of_rules_redirect_into_logs_only(repository: Path) -> None:
    for path in (repository / "workflow" / "rules").glob("*.smk"):
        for target in re.findall(r">>?\s*(\{[^}]*\}|[\w./-]+)", "\n".join(commands(path.read_text()))):
            assert target in ("{log:q}", "{log}", "/dev/null"), (path.name, target)


def commands(text: str) -> list[str]:
    return re.findall(r"    shell:\n((?:        .*\n)+)", text)


# --- what a kill leaves behind --------------------------------------------------------------------------------------

WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
if sys.argv[3] == "script":
    from whole_files import whole as made
else:
    from microbiome.files import atomic_path as made
with made(Path(sys.argv[1])) as part, part.open("w") as stream:
    for number in range(10**9):
        stream.write(f"row {number}\\n" * 1000)
        stream.flush()
"""


@pytest.mark.parametrize("kind", ["package", "script"])
def test_a_kill_in_the_middle_of_writing(
    tmp_path: Path, repository: Path, reliability: Recorder, kind: str, request: pytest.FixtureRequest
) -> None:
    target = tmp_path / "table.tsv"
    target.write_text("old\n")
    (tmp_path / "other.tsv").write_text("x")
    writer = subprocess.Popen([sys.executable, "-c", WRITE, str(target), str(repository / "workflow/scripts"), kind])
    deadline = time.monotonic() + 30
    while not (parts := list(tmp_path.glob(".*.part*"))) or not parts[0].stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    writer.kill()
    writer.wait()
    assert target.read_text() == "old\n"
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 3
    assert left[0].startswith("."), "hidden: no pattern of the workflow takes it"
    assert left[1:] == ["other.tsv", "table.tsv"]
    if kind == "package":
        write_text("new\n", target)
    else:
        whole_files.write_whole(target, "new\n")
    assert target.read_text() == "new\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.tsv", "table.tsv"]
    if kind == "package":
        reliability(
            "Interrupted and concurrent runs",
            "SIGKILL in the middle of writing a table",
            done="A process that had written a part of a table was killed; then the table was written again.",
            saw="table.tsv, as it was before",
            lost="nothing: what was begun is a hidden file, which goes when the table is written again",
        )


def test_the_file_of_a_living_writer_stays(tmp_path: Path) -> None:
    target = tmp_path / "t.tsv"
    with atomic_path(target) as part:
        part.write_text("first\n")
        write_text("second\n", target)
        assert part.read_text() == "first\n", "another writer has removed it"
        assert target.read_text() == "second\n"
    assert target.read_text() == "first\n"
    # Files that only look alike belong to somebody else.
    for name in (".t.tsv.part", ".t.tsv.x.part", ".t.tsv.abcdefgh.part.gz", ".at.tsv.abcdefgh.part"):
        (tmp_path / name).write_text("x")
    write_text("third\n", target)
    assert len(list(tmp_path.iterdir())) == 5


def test_what_was_killed_before_its_first_byte_is_removed_later(tmp_path: Path) -> None:
    old, new, held = (tmp_path / f".t.tsv.{letter * 8}.part" for letter in "abc")
    for path in (old, new, held):
        path.touch()
    for path in (old, held):
        os.utime(path, (time.time() - 90,) * 2)
    with held.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        write_text("x\n", tmp_path / "t.tsv")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([new.name, held.name, "t.tsv"])


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / ".t.abcdefgh.part").write_text("of whom?")
    write_text("x\n", tmp_path / "t")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".t.abcdefgh.part", "t"]


def test_a_folder_is_whole_too(tmp_path: Path) -> None:
    target = tmp_path / "t__SGB1"

    def fail_half_way() -> None:
        with whole_files.whole(target) as part:
            part.mkdir()
            (part / "half").write_text("x")
            raise SystemExit(1)

    with pytest.raises(SystemExit):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []
    for name in ("one", "two"):
        with whole_files.whole(target) as part:
            part.mkdir()
            (part / name).write_text("x")
    assert [path.name for path in target.iterdir()] == ["two"]


@pytest.mark.parametrize("kind", ["package", "script"])
def test_no_room_is_said_with_the_name_of_the_file(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "t.tsv"
    target.write_text("old\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        if kind == "package":
            with pytest.raises(InputError) as raised:
                write_text("x" * 2000, target)
            said = str(raised.value)
        else:
            with pytest.raises(SystemExit) as ended:
                whole_files.write_whole(target, "x" * 2000)
            said = str(ended.value)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert f"{target}: cannot be written (File too large); make room there" in cleaned(said)
    assert target.read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["t.tsv"]
