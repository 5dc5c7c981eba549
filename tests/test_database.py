"""The download of the MetaPhlAn database against a loopback server that misbehaves as real ones do."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from microbiome import database, download
from microbiome.cli import main
from microbiome.database import download_database
from microbiome.errors import InputError

INDEX = "mpa_vTest26_CHOCOPhlAnSGB_202601"


def tar_of(files: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if change:
                change(member)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


@dataclass
class Site:
    """What the server publishes, what it was asked, and how it behaves."""

    files: dict[str, bytes]
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: list[int] = field(
        default_factory=list
    )  # bytes of the body sent before the connection is cut, one per request of a tar
    ranges: bool = True
    etag: str = '"v1"'
    url: str = ""
    refused: dict[str, int] = field(default_factory=dict)  # status of what is there but not given
    length: str = ""  # what is said of the length of a tar, where it is wrong

    def publish(self, name: str, data: bytes) -> None:
        self.files[f"/{name}.tar"] = data
        self.files[f"/{name}.md5"] = f"{hashlib.md5(data).hexdigest()}  {name}.tar\n".encode()

    def tar_requests(self) -> list[tuple[str, str | None]]:
        return [(path, wanted) for path, wanted in self.requests if path.endswith(".tar")]


@pytest.fixture
def site() -> Iterator[Site]:
    place = Site({})
    place.publish(f"bowtie2_indexes/{INDEX}_bt2", tar_of({f"{INDEX}.{i}.bt2l": noise(i, 300_000) for i in range(1, 5)}))
    place.publish(
        INDEX, tar_of({f"{INDEX}.pkl": noise(9, 50_000), f"{INDEX}_SGB.fna.bz2": bz2.compress(b">m\nACGT\n")})
    )
    place.files[f"/{INDEX}.nwk"] = b"(1,2);\n"
    place.files["/mpa_latest"] = INDEX.encode() + b"\n"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            place.requests.append((self.path, wanted))
            data = place.files.get(self.path)
            if data is None or self.path in place.refused:
                self.send_error(place.refused.get(self.path, 404))
                return
            start = 0
            unchanged = self.headers.get("If-Range") in (None, place.etag)
            if wanted and place.ranges and unchanged:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(data):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(data)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            self.send_header("ETag", place.etag)
            tar = self.path.endswith(".tar")
            self.send_header("Content-Length", place.length if tar and place.length else str(len(data) - start))
            self.end_headers()
            body = data[start:]
            if self.path.endswith(".tar") and place.cut_after:
                self.wfile.write(body[: place.cut_after.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(body)
            self.close_connection = bool(place.length)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """Say nothing when the client hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    place.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield place
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(site: Site, folder: Path, index: str = INDEX, attempts: int = 2) -> None:
    download_database(folder, index, site.url, attempts=attempts, wait=0.0)


def assert_complete(folder: Path) -> None:
    for i in range(1, 5):
        assert (folder / f"{INDEX}.{i}.bt2l").read_bytes() == noise(i, 300_000)
    assert (folder / f"{INDEX}.pkl").read_bytes() == noise(9, 50_000)
    assert (folder / f"{INDEX}_SGB.fna").read_text() == ">m\nACGT\n"
    assert (folder / f"{INDEX}.nwk").read_text() == "(1,2);\n"
    assert not list(folder.glob("*.tar*"))


def test_downloads_and_lists_the_files(site: Site, tmp_path: Path) -> None:
    listed = download_database(tmp_path / "db", INDEX, site.url)
    assert_complete(tmp_path / "db")
    assert dict(zip(listed["file"], listed["bytes"], strict=True))[str(tmp_path / "db" / f"{INDEX}.1.bt2l")] == 300_000


def test_a_cut_connection_is_continued_and_nothing_is_sent_twice(site: Site, tmp_path: Path) -> None:
    site.cut_after = [500_000, 200_000]
    fetch(site, tmp_path)
    assert_complete(tmp_path)
    asked = [wanted for path, wanted in site.tar_requests() if "_bt2" in path]
    assert asked == [None, "bytes=500000-", "bytes=700000-"]


def test_progress_resets_the_count_of_failures(site: Site, tmp_path: Path) -> None:
    site.cut_after = [100_000] * 8
    fetch(site, tmp_path, attempts=1)
    assert_complete(tmp_path)


def test_gives_up_when_nothing_more_comes_and_goes_on_when_called_again(site: Site, tmp_path: Path) -> None:
    site.cut_after = [500_000, 0, 0]
    with pytest.raises(InputError, match=r"interrupted again and again .*500000 bytes are kept"):
        fetch(site, tmp_path)
    assert (tmp_path / f"{INDEX}_bt2.tar.part").stat().st_size == 500_000
    site.requests.clear()
    fetch(site, tmp_path)
    assert_complete(tmp_path)
    assert site.tar_requests()[0] == (f"/bowtie2_indexes/{INDEX}_bt2.tar", "bytes=500000-")


def test_killed_after_the_last_byte(site: Site, tmp_path: Path) -> None:
    (tmp_path / f"{INDEX}_bt2.tar.part").write_bytes(site.files[f"/bowtie2_indexes/{INDEX}_bt2.tar"])
    (tmp_path / f"{INDEX}_bt2.tar.part.version").write_text(site.etag)
    fetch(site, tmp_path)
    assert_complete(tmp_path)


def test_killed_while_unpacking(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = database.shutil.copyfileobj
    calls = iter([None, KeyboardInterrupt()])

    def stop(source: object, target: object, length: int) -> None:
        if (error := next(calls)) is not None:
            raise error
        copy(source, target, length)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(database.shutil, "copyfileobj", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch(site, tmp_path)
    assert (tmp_path / f"{INDEX}.1.bt2l").exists()
    assert not (tmp_path / f"{INDEX}.2.bt2l").exists()
    # A kill, unlike an exception, leaves the half-written file.
    stale = tmp_path / f".{INDEX}.2.bt2l.x1y2.part"
    stale.write_bytes(b"half")
    site.requests.clear()
    fetch(site, tmp_path)
    assert_complete(tmp_path)
    assert not stale.exists()
    assert [path for path, _ in site.tar_requests()] == [f"/{INDEX}.tar"], "the verified archive is not fetched again"


def test_a_server_without_ranges_sends_all_of_it_again(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.cut_after = [500_000]
    fetch(site, tmp_path)
    assert_complete(tmp_path)


def test_a_file_that_changed_in_between_is_not_glued_together(site: Site, tmp_path: Path) -> None:
    site.cut_after = [500_000, 0, 0]
    with pytest.raises(InputError):
        fetch(site, tmp_path)
    site.publish(f"bowtie2_indexes/{INDEX}_bt2", tar_of({f"{INDEX}.1.bt2l": noise(77, 900_000)}))
    site.etag = '"v2"'
    fetch(site, tmp_path)
    assert (tmp_path / f"{INDEX}.1.bt2l").read_bytes() == noise(77, 900_000)


def test_second_run_opens_no_connection(site: Site, tmp_path: Path) -> None:
    fetch(site, tmp_path)
    site.requests.clear()
    fetch(site, tmp_path)
    assert site.requests == []


def test_a_file_that_was_lost_is_brought_back(site: Site, tmp_path: Path) -> None:
    fetch(site, tmp_path)
    (tmp_path / f"{INDEX}.2.bt2l").write_bytes(b"short")
    fetch(site, tmp_path)
    assert_complete(tmp_path)


def test_md5_that_differs_is_refused_and_the_download_removed(site: Site, tmp_path: Path) -> None:
    site.files[f"/bowtie2_indexes/{INDEX}_bt2.md5"] = b"0" * 32 + b"  x\n"
    with pytest.raises(InputError, match=r"the MD5 is [0-9a-f]{32}, the published one 0{32}"):
        fetch(site, tmp_path)
    assert not list(tmp_path.glob("*bt2l"))
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/absolute/outside"])
def test_archive_with_a_path_outside_writes_nothing(site: Site, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "db"
    site.publish(f"bowtie2_indexes/{INDEX}_bt2", tar_of({f"{INDEX}.1.bt2l": b"x", name: b"evil"}))
    with pytest.raises(InputError, match="the archive wants to write"):
        fetch(site, folder)
    assert not list(tmp_path.rglob("outside"))
    assert not (folder / f"{INDEX}.1.bt2l").exists(), "names are looked at before the first file is written"


def test_archive_with_a_link_is_refused(site: Site, tmp_path: Path) -> None:
    def link(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0

    site.publish(f"bowtie2_indexes/{INDEX}_bt2", tar_of({f"{INDEX}.1.bt2l": b""}, link))
    with pytest.raises(InputError, match="the archive wants to write"):
        fetch(site, tmp_path)


def test_too_little_space_is_said_before_the_download(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = download.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(InputError, match=r"1\.0 MB are free on the disk and .* are needed; make room"):
        fetch(site, tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_a_full_disk_is_not_taken_for_an_interruption(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_fetch_once", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        fetch(site, tmp_path)


def test_database_that_is_not_published(site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mpa_vNone_1_bt2\.md5 cannot be read .*404"):
        fetch(site, tmp_path, index="mpa_vNone_1")


def test_without_an_index_the_latest_is_taken(site: Site, tmp_path: Path) -> None:
    fetch(site, tmp_path, index="")
    assert_complete(tmp_path)


@pytest.mark.parametrize("index", ["latest", "../mpa_v1", "mpa_v1/../x"])
def test_index_that_is_no_name(site: Site, tmp_path: Path, index: str) -> None:
    with pytest.raises(InputError, match="not the name of a MetaPhlAn database"):
        fetch(site, tmp_path, index=index)
    assert site.requests == []


def test_only_http(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an address to download from"):
        download_database(tmp_path, INDEX, "file:///etc")


def test_two_downloads_into_one_folder(site: Site, tmp_path: Path) -> None:
    with database._locked(tmp_path), pytest.raises(InputError, match="another download into this folder is running"):
        fetch(site, tmp_path)


def test_a_database_without_a_tree_is_asked_for_it_once(site: Site, tmp_path: Path) -> None:
    del site.files[f"/{INDEX}.nwk"]
    fetch(site, tmp_path)
    site.requests.clear()
    fetch(site, tmp_path)
    assert site.requests == []


def test_command(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["database", "--folder", str(tmp_path / "db"), "--index", INDEX, "--url", site.url]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "file\tbytes"
    assert f"{INDEX}.pkl\t50000" in printed.out
    assert f"{INDEX}_bt2.tar: 1.2 MB of 1.2 MB (100 %)" in printed.err
    assert json.loads((tmp_path / "db" / f".{INDEX}.json").read_text())["files"][f"{INDEX}.pkl"] == 50_000


@pytest.mark.parametrize("status", [404, 410])
def test_a_tree_that_is_said_not_to_exist(site: Site, tmp_path: Path, status: int) -> None:
    site.refused[f"/{INDEX}.nwk"] = status
    fetch(site, tmp_path)
    site.requests.clear()
    fetch(site, tmp_path)
    assert site.requests == []


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_tree_that_was_not_given_is_asked_for_again(
    site: Site, tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    site.refused[f"/{INDEX}.nwk"] = status
    fetch(site, tmp_path)
    assert f"was not fetched; start the same again later: {site.url}/{INDEX}.nwk cannot be read" in caplog.text
    assert not (tmp_path / f"{INDEX}.nwk").exists()
    site.refused.clear()
    fetch(site, tmp_path)
    assert_complete(tmp_path)


@pytest.mark.parametrize("text", [b"<html>Log in</html>", b"", b"(1,2", b"(1,\xff);"])
def test_a_text_that_is_no_tree(site: Site, tmp_path: Path, text: bytes, caplog: pytest.LogCaptureFixture) -> None:
    tree = site.files[f"/{INDEX}.nwk"]
    site.files[f"/{INDEX}.nwk"] = text
    fetch(site, tmp_path)
    assert "was not fetched" in caplog.text
    assert not list(tmp_path.glob("*.nwk"))
    site.files[f"/{INDEX}.nwk"] = tree
    fetch(site, tmp_path)
    assert_complete(tmp_path)


def test_a_mark_of_a_version_that_marked_whatever_happened(site: Site, tmp_path: Path) -> None:
    (tmp_path / f".{INDEX}.no_tree").touch()
    fetch(site, tmp_path)
    assert_complete(tmp_path)
    assert not (tmp_path / f".{INDEX}.no_tree").exists()


@pytest.mark.parametrize(
    ("data", "said"), [(b"\xff" * 40, "not a UTF-8 text"), (b"0" * (2 << 20), r"larger than 1\.0 MB")]
)
def test_an_md5_that_is_none(site: Site, tmp_path: Path, data: bytes, said: str) -> None:
    site.files[f"/bowtie2_indexes/{INDEX}_bt2.md5"] = data
    with pytest.raises(InputError, match=rf"_bt2\.md5 cannot be read \({said}"):
        fetch(site, tmp_path)


@pytest.mark.parametrize("length", ["abc", "9" * 5000])
def test_a_length_that_is_no_number(site: Site, tmp_path: Path, length: str) -> None:
    site.length = length
    fetch(site, tmp_path)
    assert_complete(tmp_path)


def test_a_server_that_wants_no_range_at_once_is_no_full_disk(site: Site, tmp_path: Path) -> None:
    site.refused[f"/bowtie2_indexes/{INDEX}_bt2.tar"] = 416
    with pytest.raises(InputError, match=r"interrupted again and again \(HTTP Error 416"):
        fetch(site, tmp_path)


def test_to_and_fro_is_no_progress(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.cut_after = [50_000, 90_000] * 20
    with pytest.raises(InputError, match="interrupted again and again"):
        fetch(site, tmp_path, attempts=3)
    assert len(site.tar_requests()) == 5, "two that went further, and three that did not"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (f"{INDEX}_SGB.fna.bz2", b"no bzip2", "Invalid data stream"),
        (f"{INDEX}_SGB.fna.bz2", bz2.compress(noise(1, 1000))[:-20], "ended before the end-of-stream"),
        ("n" * 300, b"x", "File name too long"),
    ],
)
def test_an_archive_that_cannot_be_unpacked(site: Site, tmp_path: Path, name: str, data: bytes, said: str) -> None:
    site.publish(INDEX, tar_of({name: data}))
    with pytest.raises(InputError, match=rf"cannot be unpacked \(.*{said}.*remove it and start again"):
        fetch(site, tmp_path)
    assert not list(tmp_path.glob(".*.part"))
