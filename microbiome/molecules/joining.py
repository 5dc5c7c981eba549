"""Rows of two tables of one person at nearly one time: which belong together, and which have no partner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from microbiome.molecules.measured import Measured
from microbiome.molecules.tables import JOINS

__all__ = ["PAIR_COLUMNS", "UNJOINED_COLUMNS", "Joined", "Prefer", "join", "joins_table"]

Prefer = Literal["nearest", "before", "after"]

PAIR_COLUMNS = ("subject", "row_1", "row_2", "day_1", "day_2", "lag")
UNJOINED_COLUMNS = ("side", "table", "subject", "day", "sample", "row", "reason")

_NO_SUBJECT = "no row of this subject in the other table"
_NO_DAY = "the row has no day"
_NO_OTHER_DAY = "no row of this subject in the other table has a day"


@dataclass(frozen=True)
class Joined:
    """Two tables joined.

    Parameters
    ----------
    pairs
        One row per pair, by subject (in the order of the first table) and day: ``subject``, ``row_1``, ``row_2`` (the
        index of either table), ``day_1``, ``day_2`` and ``lag`` = day_2 - day_1 (``Int64``, missing without days).
    unjoined
        One row per row of either table that has no partner: ``side`` (1 the first table, 2 the second), ``table`` (its
        name), ``subject``, ``day``, ``sample``, ``row``, ``reason``. Every row of either table is in one of the two
        frames, once.
    """

    pairs: pd.DataFrame
    unjoined: pd.DataFrame


@dataclass(frozen=True)
class _Row:
    name: str
    day: int | None
    sample: str | None


def join(first: Measured, second: Measured, window: int = 7, prefer: Prefer = "nearest") -> Joined:
    r"""Pair the rows of two tables by subject and day, one to one.

    Rows of one stool sample belong together whatever their day. Of the others of a subject, those at most `window` days
    apart can be paired: :math:`|d_2 - d_1| \le window`, and never one of before the first dose (day 0 and earlier: the
    dose comes after that day's sample) with one of after it: what the one tells of the patient, the dose may have
    changed in the other. The nearest two are made a pair, then the nearest two of the rest, and so on; of several that
    are equally near, the two of which one is the earliest (then by name). This is greedy: no two rows are nearer to
    each other than each is to its partner, which the largest number of pairs would not give; there are at least half as
    many pairs as that number.

    Parameters
    ----------
    first, second
        The tables, also two of a name.
    window
        Most days between two rows of a pair, 0 or more.
    prefer
        ``nearest``; ``before`` first pairs rows of `second` that lie on the day of a row of `first` or before it
        (nearest first), and only then the rest; ``after``, on the day or after it.

    Returns
    -------
    Joined
        The pairs, and what has none with the reason. The order of the rows does not matter to who is paired, and with
        ``nearest`` nor does which of the tables is the first.
    """
    if window < 0:
        raise ValueError(f"window {window}: give 0 days or more")
    if prefer not in ("nearest", "before", "after"):
        raise ValueError(f"prefer {prefer!r}; known are nearest, before, after")
    of_first, of_second = _by_subject(first), _by_subject(second)
    pairs: list[tuple[object, ...]] = []
    unjoined: list[tuple[object, ...]] = []
    for subject in [*of_first, *(subject for subject in of_second if subject not in of_first)]:
        ones, twos = of_first.get(subject, []), of_second.get(subject, [])
        partner = _pair(ones, twos, window, prefer)
        for one, two in sorted(partner.items(), key=lambda pair: _day_order(ones[pair[0]])):
            day_1, day_2 = ones[one].day, twos[two].day
            lag = None if day_1 is None or day_2 is None else day_2 - day_1
            pairs.append((subject, ones[one].name, twos[two].name, day_1, day_2, lag))
        for side, table, own, other, taken in (
            (1, first.name, ones, twos, set(partner)),
            (2, second.name, twos, ones, set(partner.values())),
        ):
            for i, row in enumerate(own):
                if i not in taken:
                    reason = _reason(row, other, window)
                    unjoined.append((side, table, subject, row.day, row.sample, row.name, reason))
    joined = pd.DataFrame(pairs, columns=list(PAIR_COLUMNS)).astype(dict.fromkeys(("day_1", "day_2", "lag"), "Int64"))
    left = pd.DataFrame(unjoined, columns=list(UNJOINED_COLUMNS)).astype({"day": "Int64"})
    return Joined(joined, left)


def joins_table(first: Measured, second: Measured, window: int = 7, prefer: Prefer = "nearest") -> pd.DataFrame:
    """Return :func:`join` as one table (:data:`microbiome.molecules.tables.JOINS`): pairs and rows without partner."""
    joined = join(first, second, window, prefer)
    known = {"table_1": first.name, "table_2": second.name, "window": window, "prefer": prefer}
    rows: list[dict[str, object]] = []
    for pair in joined.pairs.to_dict("records"):
        one, two = first.rows.loc[pair["row_1"]], second.rows.loc[pair["row_2"]]
        samples = {"sample_1": one["sample"], "sample_2": two["sample"]}
        rows.append({**known, "status": "joined", **{str(key): value for key, value in pair.items()}, **samples})
    for row in joined.unjoined.to_dict("records"):
        number = row["side"]
        own = {f"{key}_{number}": row[key] for key in ("row", "sample", "day")}
        rows.append(
            {**known, "subject": row["subject"], "status": f"only_{number}", **own, "note": row["reason"]},
        )
    frame = pd.DataFrame(rows, columns=JOINS.names)
    frame = frame.astype(dict.fromkeys(("day_1", "day_2", "lag", "window"), "Int64"))
    words = [column.name for column in JOINS.columns if column.kind in ("id", "text", "choice")]
    return frame.astype(dict.fromkeys(words, object)).where(frame.notna() | ~frame.columns.isin(words), None)


def _by_subject(table: Measured) -> dict[str, list[_Row]]:
    rows: dict[str, list[_Row]] = defaultdict(list)
    for name, subject, day, sample in table.rows[["subject", "day", "sample"]].itertuples():
        has_sample = isinstance(sample, str)
        rows[subject].append(_Row(name, None if pd.isna(day) else int(day), sample if has_sample else None))
    return rows


def _pair(ones: Sequence[_Row], twos: Sequence[_Row], window: int, prefer: Prefer) -> dict[int, int]:
    """Return the position of the partner of each row of the first table that has one."""
    candidates = []
    for i, one in enumerate(ones):
        for j, two in enumerate(twos):
            rank = _rank(one, two, window, prefer)
            if rank is not None:
                candidates.append((rank, i, j))
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(candidates):
        if i not in partner and j not in taken:
            partner[i] = j
            taken.add(j)
    return partner


def _rank(one: _Row, two: _Row, window: int, prefer: Prefer) -> tuple[int, int, int, int, str, str] | None:
    """Return the place of a possible pair in the order in which pairs are made; None for one that cannot be."""
    if one.sample is not None and one.sample == two.sample:
        return (0, 0, 0, 0, one.name, two.name)
    if one.day is None or two.day is None or abs(two.day - one.day) > window or not _same_side(one.day, two.day):
        return None
    lag = two.day - one.day
    wrong_side = (prefer == "before" and lag > 0) or (prefer == "after" and lag < 0)
    return (1, int(wrong_side), abs(lag), min(one.day, two.day), one.name, two.name)


def _reason(row: _Row, others: Sequence[_Row], window: int) -> str:
    if not others:
        return _NO_SUBJECT
    if row.day is None:
        return _NO_DAY
    days = [other.day for other in others if other.day is not None]
    if not days:
        return _NO_OTHER_DAY
    own = row.day
    nearest = min(days, key=lambda day: (abs(day - own), day))
    if abs(nearest - own) > window:
        return f"none within {window} days: the nearest is of day {nearest}"
    if not any(_same_side(own, day) and abs(day - own) <= window for day in days):
        where = "after" if own <= 0 else "before"
        return f"those within {window} days (the nearest is of day {nearest}) are of {where} the first dose"
    return "taken by another row: each within the window has a partner that comes first"


def _same_side(one: int, two: int) -> bool:
    """Tell whether both are of before the first dose, day 0 included, or both of after it."""
    return (one <= 0) == (two <= 0)


def _day_order(row: _Row) -> tuple[bool, int, str]:
    return (row.day is None, row.day or 0, row.name)
