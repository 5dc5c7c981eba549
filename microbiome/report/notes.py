"""What the notes of result tables say, put together: each statement once, with the rows that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from microbiome.report.blocks import listed

__all__ = ["brief", "named_methods", "statements", "told"]

# Methods of the result tables, as people write them.
_METHODS = {
    "beta_binomial_ml": "beta-binomial by maximum likelihood",
    "bonett_wright": "Bonett-Wright",
    "clopper_pearson": "Clopper-Pearson",
    "feng_cliff": "Feng-Cliff",
    "fisher_z": "Fisher's z",
    "infinitesimal_jackknife": "infinitesimal jackknife",
    "logit_t": "t on the logit scale",
    "profile_likelihood": "profile likelihood",
    "profile_penalised": "profile of the penalised likelihood",
    "random_intercept_reml": "random intercept by REML",
}


def statements(note: object) -> list[str]:
    """Split a note at its semicolons, but for those within brackets."""
    if not isinstance(note, str):
        return []
    parts, depth, start = [], 0, 0
    for place, character in enumerate(note):
        depth += (character in "([") - (character in ")]")
        if note[place : place + 2] == "; " and depth <= 0:
            parts.append(note[start:place])
            start = place + 2
    return [part.strip() for part in [*parts, note[start:]] if part.strip()]


def told(frame: pd.DataFrame, *labels: Iterable[str], column: str = "note") -> list[str]:
    """Return each statement of a column of notes once, and behind it in brackets whom it is about, unless all say it.

    Parameters
    ----------
    frame
        Rows with notes.
    labels
        What to call each row, in one way or several (its rate; its method): named are the words of one way where they
        tell the rows, else those of all ways together.
    column
        The column of notes.

    Returns
    -------
    list of str
        Sentences, in the order of the rows.
    """
    ways = [list(way) for way in labels]
    found: dict[str, list[int]] = {}
    for place, note in enumerate(frame[column]):
        for text in statements(note):
            found.setdefault(text, []).append(place)
    found = {text.replace("`", ""): places for text, places in found.items()}
    return [f"{text[:1].upper()}{text[1:]}{_whom(places, ways, len(frame))}." for text, places in found.items()]


def _whom(places: Sequence[int], ways: Sequence[Sequence[str]], rows: int) -> str:
    if len(set(places)) == rows or not ways:
        return ""
    chosen = set(places)
    for way in ways:
        named = {way[place] for place in chosen}
        if all((way[place] in named) == (place in chosen) for place in range(rows)):
            return f" ({listed(list(named))})"
    for way, other in zip(ways, ways[::-1], strict=True) if len(ways) == 2 else ():
        if len({way[place] for place in chosen}) == 1:
            return f" ({way[places[0]]}: {listed(list({other[place] for place in chosen}))})"
    together = {", ".join(way[place] for way in ways) for place in chosen}
    return f" ({'; '.join(sorted(together))})"


def named_methods(method: object) -> str:
    """Write the methods of a result table as people name them."""
    if not isinstance(method, str):
        return ""
    return re.sub(r"[A-Za-z0-9_]*_[A-Za-z0-9_]*", lambda m: _METHODS.get(m[0], m[0].replace("_", " ")), method)


def brief(note: object) -> str:
    """Return a note for a cell of a table, without the words that say that it is a reason."""
    return note.removeprefix("not testable: ") if isinstance(note, str) else ""
