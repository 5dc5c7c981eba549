"""Download of the MetaPhlAn database: on request only, resumable, checked, and safe to repeat."""

from __future__ import annotations

import bz2
import fcntl
import json
import logging
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from microbiome.download import fetch, find_text, get_text, md5_of
from microbiome.errors import InputError, Problem
from microbiome.files import atomic_path, write_text

__all__ = ["DATABASE_URL", "database_files", "download_database"]

logger = logging.getLogger(__name__)

#: Where the makers of MetaPhlAn publish its databases.
DATABASE_URL = "http://cmprod1.cibio.unitn.it/biobakery4/metaphlan_databases"

_CHUNK = 1 << 20
_INDEX = re.compile(r"mpa_v\w+", re.ASCII)
# Many times the largest tree.
_LARGEST_TREE = 1 << 28


@dataclass(frozen=True)
class _Archive:
    """One published tar file: its name without ``.tar``, and the URL of its folder."""

    name: str
    url: str


def database_files(folder: str | Path, index: str) -> pd.DataFrame:
    """List the files of an installed database.

    Returns
    -------
    DataFrame
        ``file``, ``bytes``; sorted by name, empty when nothing of `index` is there.
    """
    found = sorted(path for path in Path(folder).glob(f"{index}*") if path.is_file() and path.suffix != ".part")
    return pd.DataFrame(
        {"file": [str(path) for path in found], "bytes": [path.stat().st_size for path in found]},
        columns=["file", "bytes"],
    )


def download_database(
    folder: str | Path, index: str = "", url: str = DATABASE_URL, attempts: int = 5, wait: float = 10.0
) -> pd.DataFrame:
    """Download a MetaPhlAn database and its bowtie2 index into `folder`: ``metaphlan --install``, but resumable.

    Every archive is fetched into ``NAME.tar.part``, continued there after an interruption (HTTP Range), compared with
    the published MD5 and only then unpacked; each unpacked file appears whole or not at all. When all files of an
    archive are in place, ``.NAME.json`` says so and the archive is removed. Called again, it goes on where it
    stopped; when all is there it opens no connection.

    Parameters
    ----------
    folder
        Target, made where it is absent.
    index
        Name of the database (``mpa_v...``). Empty: the one that ``mpa_latest`` names.
    url
        Folder of the published files: ``INDEX.tar``, ``INDEX.md5``, ``INDEX.nwk``, ``bowtie2_indexes/INDEX_bt2.tar``
        and ``.md5``.
    attempts, wait
        As in :func:`microbiome.download.fetch`.

    Returns
    -------
    DataFrame
        As :func:`database_files`.

    Raises
    ------
    InputError
        Index or URL that cannot be, no connection, not published, too little space on the disk, an MD5 that differs,
        an archive with names outside the folder, another download into the same folder.
    """
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise InputError(Problem(f"{url!r} is not an address to download from", "it begins with http:// or https://"))
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        if not index:
            index = get_text(f"{url}/mpa_latest").strip()
            logger.warning("the latest database is %s: write it into the config (metaphlan: index)", index)
        if not _INDEX.fullmatch(index):
            raise InputError(
                Problem(
                    f"{index!r} is not the name of a MetaPhlAn database",
                    "it looks like mpa_vJan25_CHOCOPhlAnSGB_202503",
                )
            )
        for archive in (_Archive(f"{index}_bt2", f"{url}/bowtie2_indexes"), _Archive(index, url)):
            if not _installed(archive, target):
                _install(archive, target, attempts, wait)
        _install_tree(index, url, target)
    return database_files(target, index)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one download at a time write into a folder; the lock goes when the process does, however it ends."""
    with (folder / ".download.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                Problem("another download into this folder is running", "wait until it has ended", str(folder))
            ) from None
        yield


def _receipt(archive: _Archive, folder: Path) -> Path:
    return folder / f".{archive.name}.json"


def _installed(archive: _Archive, folder: Path) -> bool:
    """Tell whether every file of the archive is in place with its size."""
    path = _receipt(archive, folder)
    if not path.is_file():
        return False
    files: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))["files"]
    return all((folder / name).is_file() and (folder / name).stat().st_size == size for name, size in files.items())


def _install(archive: _Archive, folder: Path, attempts: int, wait: float) -> None:
    tar = folder / f"{archive.name}.tar"
    expected = get_text(f"{archive.url}/{archive.name}.md5").split()
    if not expected or not re.fullmatch(r"[0-9a-f]{32}", expected[0]):
        raise InputError(Problem(f"{archive.url}/{archive.name}.md5 holds no MD5", "check the address"))
    if not tar.is_file():
        part = folder / f"{archive.name}.tar.part"
        fetch(f"{archive.url}/{archive.name}.tar", part, attempts, wait)
        logger.info("%s: comparing the MD5", tar.name)
        found = md5_of(part)
        if found != expected[0]:
            part.unlink()
            fix = "the download was removed; start it again, and if it fails again ask those who publish it"
            raise InputError(Problem(f"the MD5 is {found}, the published one {expected[0]}", fix, str(tar)))
        # From here on the name without .part means: complete and verified.
        part.rename(tar)
    files = _unpack(tar, folder)
    write_text(json.dumps({"md5": expected[0], "files": files}, indent=1) + "\n", _receipt(archive, folder))
    tar.unlink()


def _install_tree(index: str, url: str, folder: Path) -> None:
    """Fetch the SGB tree, which not every database has; one that could not be fetched is asked for the next time."""
    tree = folder / f"{index}.nwk"
    none = folder / f".{index}.no_tree"
    # A mark without content is of a version that wrote it whatever the server said.
    if tree.is_file() or (none.is_file() and none.stat().st_size):
        return
    address = f"{url}/{index}.nwk"
    try:
        text = find_text(address, _LARGEST_TREE)
        if text is not None and not (text.lstrip().startswith("(") and text.rstrip().endswith(";")):
            raise InputError(Problem(f"what {address} gives is no Newick tree", "check the address and the network"))
    except InputError as error:
        missed = "the tree of SGBs (needed for UniFrac and Faith's PD only) was not fetched; start the same again later"
        logger.warning("%s: %s", missed, error)
        return
    if text is None:
        logger.warning("no tree of SGBs is published (needed for UniFrac and Faith's PD only): %s", address)
        write_text(f"{address} does not exist\n", none)
        return
    none.unlink(missing_ok=True)
    write_text(text, tree)


def _unpack(tar: Path, folder: Path) -> dict[str, int]:
    """Unpack a verified archive; return the names and sizes of the files it leaves behind.

    Only ordinary files inside `folder` are written, whatever the archive says; all names are looked at before the
    first file is written. FASTA files compressed with bzip2 are decompressed, as MetaPhlAn does.
    """
    files: dict[str, int] = {}
    try:
        with tarfile.open(tar) as archive:
            members = [member for member in archive.getmembers() if not member.isdir()]
            bad = [member.name for member in members if not _safe(member)]
            if bad:
                fix = "do not use this archive, and tell those who publish it"
                raise InputError([Problem(f"the archive wants to write {name!r}", fix, str(tar)) for name in bad])
            for member in members:
                source = archive.extractfile(member)
                assert source is not None  # noqa: S101 -- it is an ordinary file
                name = str(PurePosixPath(member.name))
                packed = name.endswith(".fna.bz2")
                target = folder / (name.removesuffix(".bz2") if packed else name)
                logger.info("unpacking %s", target.name)
                for stale in target.parent.glob(f".{target.name}.*.part"):
                    stale.unlink()  # of a run that was killed
                try:
                    with atomic_path(target) as part, part.open("wb") as out:
                        shutil.copyfileobj(bz2.BZ2File(source) if packed else source, out, _CHUNK)
                except (EOFError, OSError) as error:
                    reason = getattr(error, "strerror", None) or error
                    fix = "remove it and start again; if that does not help, tell those who publish it"
                    raise InputError(Problem(f"{name!r} cannot be unpacked ({reason})", fix, str(tar))) from None
                files[str(target.relative_to(folder))] = target.stat().st_size
    except tarfile.TarError as error:
        raise InputError(Problem(f"not a tar archive ({error})", "remove it and start again", str(tar))) from None
    return files


def _safe(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    return member.isreg() and not path.is_absolute() and ".." not in path.parts and "\\" not in member.name
