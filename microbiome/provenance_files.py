"""Files as the provenance describes them: size and checksum, of very large ones a checksum of pieces."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["described", "described_folder", "is_file", "is_there", "modified", "same", "sha256_of"]

#: Of larger files pieces are read: to read 20 GB takes longer than many an analysis.
LIMIT = 1 << 30
_CHUNK = 1 << 22
_PIECES, _PIECE = 64, 1 << 20


def is_there(path: str) -> bool:
    """Tell whether there is something; not so where the name cannot be one, or its folder may not be looked into."""
    # Path.exists() raises an error for such names.
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: str) -> bool:
    """Tell whether there is a file, as :func:`is_there` does."""
    return os.path.isfile(path)  # noqa: PTH113


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits, reading it in pieces."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while data := stream.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()


def described(path: str, whole: bool = True) -> dict[str, Any]:
    """Describe a file.

    Parameters
    ----------
    path
        It need not be there.
    whole
        Take the checksum of all of it however large it is.

    Returns
    -------
    dict
        ``file``, ``bytes`` and ``sha256``, both None for a file that is not there. A file above 1 GiB that is not read
        as a whole has None there and ``sha256_of_pieces`` besides: of its size and 64 pieces of 1 MiB, the first and
        the last among them, at equal distances.
    """
    file = Path(path)
    if not is_file(path):
        return {"file": path, "bytes": None, "sha256": None}
    size = file.stat().st_size
    if whole or size <= LIMIT:
        return {"file": path, "bytes": size, "sha256": sha256_of(file)}
    return {"file": path, "bytes": size, "sha256": None, "sha256_of_pieces": _sha256_of_pieces(file, size)}


def described_folder(path: str) -> dict[str, Any]:
    """Describe a folder of very many files (a nucleotide database of HUMAnN) by the names and sizes of its files."""
    files = sorted(file for file in Path(path).rglob("*") if file.is_file())
    sizes = [file.stat().st_size for file in files]
    lines = "".join(f"{file.relative_to(path)}\t{size}\n" for file, size in zip(files, sizes, strict=True))
    digest = hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()
    return {"file": path, "files": len(files), "bytes": sum(sizes), "sha256": None, "sha256_of_names_and_sizes": digest}


def same(recorded: dict[str, Any], now: dict[str, Any]) -> bool:
    """Tell whether two descriptions are of equal files, as far as the first of them goes."""
    kinds = [kind for kind in recorded if kind == "bytes" or kind.startswith("sha256")]
    return all(recorded[kind] is None or recorded[kind] == now.get(kind) for kind in kinds)


def modified(path: str) -> str | None:
    """Return when a file was last changed, None where it is not there."""
    if not is_there(path):
        return None
    return datetime.fromtimestamp(Path(path).stat().st_mtime, UTC).isoformat(timespec="seconds")


def unique(paths: Iterable[str]) -> list[str]:
    """Return paths without repetition, in their order."""
    return list(dict.fromkeys(paths))


def _sha256_of_pieces(file: Path, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        for number in range(_PIECES):
            stream.seek(max(0, size - _PIECE) * number // (_PIECES - 1))
            digest.update(stream.read(_PIECE))
    return digest.hexdigest()
