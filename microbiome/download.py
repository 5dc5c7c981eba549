"""Download of large files over HTTP: resumable, with progress on standard error."""

from __future__ import annotations

import hashlib
import http.client
import logging
import re
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from microbiome.errors import InputError, Problem

__all__ = ["fetch", "find_text", "get_text", "md5_of"]

logger = logging.getLogger(__name__)

# What may be over after a while; everything else of OSError is about the disk.
_NETWORK = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
# The server says that there is no such file, and that it will not come back.
_ABSENT = (404, 410)
_CHUNK = 1 << 20
_TIMEOUT = 60.0
# Seconds between two lines of progress.
_PROGRESS_EVERY = 5.0
# What is left free on the disk when everything is in place.
_SPARE_BYTES = 1 << 28


def get_text(url: str) -> str:
    """Return a small text file; raise :class:`InputError` when it cannot be read."""
    try:
        return _text(url, 1 << 20)
    except urllib.error.HTTPError as error:
        raise _unreadable(url, error) from None


def find_text(url: str, most: int) -> str | None:
    """Return a text file of at most so many bytes, None where the server says that there is none.

    Raises :class:`InputError` when it cannot be told whether there is one, or it cannot be read.
    """
    try:
        return _text(url, most)
    except urllib.error.HTTPError as error:
        if error.code in _ABSENT:
            return None
        raise _unreadable(url, error) from None


def _text(url: str, most: int) -> str:
    try:
        with _open(url, {}) as response:
            data = response.read(most + 1)
            # Asked for a number of bytes, it does not say that fewer came than were announced.
            if response.length and len(data) <= most:
                raise ConnectionError(f"the connection ended after {len(data)} bytes")
        if len(data) > most:
            raise ValueError(f"larger than {_size(most)}, which it should not be")
        return data.decode()
    except urllib.error.HTTPError:
        raise
    except UnicodeDecodeError:
        raise _unreadable(url, ValueError("not a UTF-8 text")) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _unreadable(url, error) from None


def _unreadable(url: str, error: Exception) -> InputError:
    fix = "check the address, the name of the database and the network"
    return InputError(Problem(f"{url} cannot be read ({error})", fix))


def fetch(url: str, part: Path, attempts: int, wait: float) -> None:
    """Bring `url` into the file `part`, going on where an earlier attempt or an earlier run stopped.

    Parameters
    ----------
    url
        Address, http or https.
    part
        Target; beside it ``part.version`` says which version of the remote file it holds, until it is complete.
    attempts
        Interruptions in a row, none of them further than any before, that are put up with before giving up.
    wait
        Seconds before the first new attempt, doubled each time.

    Raises
    ------
    InputError
        Not published, too little space on the disk, interrupted for good.
    """
    failures, furthest = 0, part.stat().st_size if part.exists() else 0
    while True:
        try:
            _fetch_once(url, part)
            return
        except _NETWORK as error:
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                raise InputError(
                    Problem(f"{url} is not published ({error})", "check the name of the database")
                ) from None
            after = part.stat().st_size if part.exists() else 0
            # A server that cannot continue begins anew, and ends now here, now there.
            failures = 0 if after > furthest else failures + 1
            furthest = max(after, furthest)
            if failures >= attempts:
                fix = f"start it again later: {after} bytes are kept and the download goes on from there"
                raise InputError(Problem(f"{url} was interrupted again and again ({error})", fix)) from None
            seconds = wait * 2 ** max(0, failures - 1)
            logger.warning("interrupted at %s (%s); going on in %.0f s", _size(after), error, seconds)
            time.sleep(seconds)
        except OSError as error:
            fix = "make room, or choose another folder; what is there is kept"
            raise InputError(Problem(f"cannot be written ({error.strerror})", fix, str(part))) from None


def md5_of(path: Path) -> str:
    """Return the MD5 of a file as hexadecimal digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while data := stream.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()


def _open(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    # The scheme was checked to be http or https at the door.
    response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)  # noqa: S310
    assert isinstance(response, http.client.HTTPResponse)  # noqa: S101
    return response


def _fetch_once(url: str, part: Path) -> None:
    """Ask for what is missing once."""
    # The validator says which version of the remote file the bytes in `part` belong to.
    validator = part.with_name(f"{part.name}.version")
    have = part.stat().st_size if part.exists() else 0
    known = validator.read_text(encoding="utf-8") if validator.exists() else ""
    headers = {"Range": f"bytes={have}-", **({"If-Range": known} if known else {})} if have else {}
    try:
        response = _open(url, headers)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range", "") == f"bytes */{have}":
            validator.unlink(missing_ok=True)
            return  # all of it was there already
        if error.code == 416:
            part.unlink(missing_ok=True)
        raise
    with response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server sends all of it, because it cannot do otherwise or the file has changed
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        _check_space(part, have, total)
        version = response.headers.get("ETag", "") or response.headers.get("Last-Modified", "")
        # A weak validator may not be used to continue.
        validator.write_text("" if version.startswith("W/") else version, encoding="utf-8")
        progress = _Progress(part.name.removesuffix(".part"), have, total)
        with part.open("ab" if have else "wb") as stream:
            while data := response.read(_CHUNK):
                stream.write(data)
                have += len(data)
                progress.show(have)
        if total is not None and have != total:
            raise ConnectionError(f"the connection ended after {have} of {total} bytes")
    validator.unlink(missing_ok=True)
    progress.show(have, last=True)


def _check_space(part: Path, have: int, total: int | None) -> None:
    if total is None:
        return
    # The archive and what is unpacked from it lie side by side for a while; it is hardly compressed.
    need = (total - have) + total + _SPARE_BYTES
    free = shutil.disk_usage(part.parent).free
    if free < need:
        raise InputError(
            Problem(
                f"{_size(free)} are free on the disk and {_size(need)} are needed",
                "make room, or choose another folder (config, metaphlan: database)",
                str(part.parent),
            )
        )


class _Progress:
    """Lines of progress on standard error: one every few seconds, on a terminal always the same one."""

    def __init__(self, name: str, start: int, total: int | None) -> None:
        self.name, self.first, self.total = name, start, total
        self.begun = self.said = time.monotonic()

    def show(self, have: int, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self.said < _PROGRESS_EVERY:
            return
        self.said = now
        rate = (have - self.first) / max(now - self.begun, 1e-9)
        text = f"{self.name}: {_size(have)}"
        if self.total:
            text += f" of {_size(self.total)} ({100 * have / self.total:.0f} %), {_size(rate)}/s"
            if not last and rate:
                text += f", {(self.total - have) / rate / 60:.0f} min left"
        terminal = sys.stderr.isatty()
        sys.stderr.write(f"\r{text:<78}" + ("\n" if last else "") if terminal else text + "\n")
        sys.stderr.flush()


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
