"""What can be saved from the page, as addresses that hold it; and names that are safe for files."""

from __future__ import annotations

import base64
import gzip
import io
import re
from urllib.parse import quote

import pandas as pd

__all__ = ["file_key", "packed", "tsv_name", "tsv_uri"]

# Characters from which a download is compressed, and up to which (compressed) it is in the page.
_LONG_TSV, _MOST_TSV = 50_000, 1_000_000
_GZIP = "data:application/gzip;base64,"


def tsv_uri(frame: pd.DataFrame, long: int = _LONG_TSV) -> str:
    """Return a ``data:`` address that holds the frame as TSV, compressed (gzip) where it has more than `long` bytes.

    Empty where it is huge.
    """
    buffer = io.StringIO()
    frame.to_csv(buffer, sep="\t", index=False, lineterminator="\n")
    if buffer.tell() > long:
        text = packed(buffer.getvalue())
        return _GZIP + text if len(text) <= _MOST_TSV else ""
    return "data:text/tab-separated-values;charset=utf-8," + quote(buffer.getvalue(), safe="!*'();:@/,.-_~")


def packed(text: str) -> str:
    """Return a text compressed (gzip) and as base64; the same text gives the same result."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def tsv_name(key: str, address: str) -> str:
    """Return the file name for what :func:`tsv_uri` holds."""
    return f"{key}.tsv.gz" if address.startswith(_GZIP) else f"{key}.tsv"


def file_key(text: str) -> str:
    """Make a name safe for a file and an anchor."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)
