"""What one simulated trial gave, and how thousands of them are kept on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Findings", "append", "key", "read"]


def key(test: str, quantity: str, method: str) -> str:
    """Return the name of one measure: ``test|quantity|method``."""
    return "|".join((test, quantity, method))


@dataclass
class Findings:
    """What one trial gave, by :func:`key`.

    Parameters
    ----------
    p
        p-values; NaN where nothing could be tested.
    share
        Of tests made for each taxon or subject of the trial: the share with p <= 0.05; NaN without any.
    interval
        Estimate, lower and upper bound.
    flag
        Whether something happened, such as a refusal.
    """

    p: dict[str, float] = field(default_factory=dict)
    share: dict[str, float] = field(default_factory=dict)
    interval: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    flag: dict[str, bool] = field(default_factory=dict)

    def add(self, other: Findings) -> None:
        """Take in what another analysis of the same trial gave."""
        self.p |= other.p
        self.share |= other.share
        self.interval |= other.interval
        self.flag |= other.flag


def append(path: Path, found: Iterable[tuple[int, Findings]]) -> None:
    """Add trials to a file, one JSON object per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        for number, one in found:
            record = {
                "trial": number,
                "p": {name: _finite(value) for name, value in one.p.items()},
                "share": {name: _finite(value) for name, value in one.share.items()},
                "interval": {name: [_finite(value) for value in values] for name, values in one.interval.items()},
                "flag": one.flag,
            }
            stream.write(json.dumps(record) + "\n")


def read(path: Path) -> dict[int, Findings]:
    """Return the trials of a file by number; a line that was cut off by an interruption is passed over."""
    found: dict[int, Findings] = {}
    if not path.exists():
        return found
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[record["trial"]] = Findings(
            {name: _number(value) for name, value in record["p"].items()},
            {name: _number(value) for name, value in record["share"].items()},
            {name: (_number(e), _number(low), _number(high)) for name, (e, low, high) in record["interval"].items()},
            record["flag"],
        )
    return found


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
