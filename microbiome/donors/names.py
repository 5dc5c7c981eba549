"""Taxa by name: what they were called before, and which SGBs they are; names keep changing, SGB ids less so."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from microbiome.donors.tables import CERTAINTY, HOW, NAMES
from microbiome.errors import InputError, Problem

__all__ = ["find_taxa", "known_names", "plain_name", "sgb_id"]

_SGB = re.compile(r"(?:t__)?((?:SGB|EUK)[0-9]+)(?:_group)?")
_RANK = re.compile(r"[kpcofgst]__")


def sgb_id(name: str) -> str | None:
    """Return the SGB of a taxon: ``SGB4933`` of ``t__SGB4933_group``, ``SGB4933`` or a lineage that ends so; else None.

    MetaPhlAn writes ``_group`` behind an SGB that stands for several, in some databases and not in others; the number
    is the same.
    """
    found = _SGB.fullmatch(name.strip().rsplit("|", 1)[-1])
    return found.group(1) if found else None


def plain_name(name: str) -> str:
    """Return a name as it is compared: lower case, blanks for underscores, no rank prefix, brackets or clade.

    ``s__Prevotella_copri_clade_A``, ``[Prevotella] copri`` and ``Prevotella copri`` are the same, and so are
    ``Ruminococcus_B gnavus`` and ``Ruminococcus gnavus``: the capital letters that GTDB puts behind a genus that it has
    split.
    """
    text = _RANK.sub("", name.strip().rsplit("|", 1)[-1], count=1)
    text = re.sub(r"[\[\]()'\"]", "", text)
    text = re.sub(r"[\s_]+", " ", text).strip()
    text = re.sub(r"^([A-Z][a-z]+) [A-Z]{1,2}(?= [a-z])", r"\1", text)
    text = re.sub(r"(?<=[a-z]) [A-Z]$", "", text)
    text = re.sub(r" clade [A-Za-z]$", "", text)
    return text.lower()


@functools.cache
def _names() -> pd.DataFrame:
    from importlib import resources

    from microbiome.tsv import read_table

    with resources.as_file(resources.files("microbiome.donors").joinpath("names.tsv")) as path:
        return read_table(path, NAMES).reset_index(drop=True)


def known_names() -> pd.DataFrame:
    """Return the table of names: ``name``, ``former`` (separated by ``; ``), ``sgb`` (``, ``), ``certainty``, ...

    A name may have two rows: SGBs that are its for sure, and those that only some database calls so (``likely``).
    """
    return _names().copy()


@functools.cache
def _entries() -> tuple[tuple[str, frozenset[str], frozenset[str], str], ...]:
    """Return (current name, plain former names, SGB ids, certainty) of each row of the table of names."""
    rows = []
    for name, former, sgb, certainty in _names()[["name", "former", "sgb", "certainty"]].itertuples(index=False):
        before = frozenset(plain_name(part) for part in (former or "").split(";") if part.strip())
        ids = frozenset(part.strip() for part in (sgb or "").split(",") if part.strip())
        rows.append((name, before - {plain_name(name)}, ids, certainty))
    return tuple(rows)


def find_taxa(
    names: Iterable[str],
    taxa: Sequence[str],
    lineage: pd.DataFrame | None = None,
    certainty: Iterable[str] = CERTAINTY,
) -> pd.DataFrame:
    """Find the rows of a profile that are meant by names, whatever the taxonomy of the profile calls them.

    A name is an SGB (``SGB1626``, ``t__SGB4933_group``), a species in its current or a former name (``Segatella
    copri``, ``s__Prevotella_copri``), or, as one word, a genus (with lineage only; as the profile calls it). A taxon is
    the one meant, in this order, when (1) its SGB is that of the name, asked for or in the table of names
    (:func:`known_names`), (2) its species is called by the name asked for or the current one of the table, (3) its
    species is called by a former one, or by the name that one asked for has left behind. Every row says which.

    Parameters
    ----------
    names
        What is looked for; doubles are looked for once.
    taxa
        Rows of a profile: SGBs, species names, or whole lineages.
    lineage
        As :func:`microbiome.taxa.lineage.read_lineage` gives it (index taxon, a column ``species`` and ``genus``).
        Without, taxa that are not SGBs are taken for species names, and SGBs are only found by their id.
    certainty
        Which rows of the table of names are used for SGBs: ``sure``, ``likely`` or both.

    Returns
    -------
    DataFrame
        One row per name and taxon found, in the order of `names` and `taxa`: ``asked``, ``name`` (its current name;
        as asked where the table does not know it), ``taxon``, ``species`` (as the profile calls it), ``how``
        (``sgb_id``, ``current_name``, ``former_name``, ``genus``, ``not_found``), ``certainty`` (``sure``, ``likely``;
        missing where nothing was found). A name without any taxon keeps one row with ``how`` = ``not_found`` and an
        empty taxon: that may mean absent, or called otherwise.

    Raises
    ------
    InputError
        When a name is empty, or a certainty unknown.

    Examples
    --------
    >>> find_taxa(["Prevotella copri"], ["t__SGB1626", "t__SGB4933_group"])[["name", "taxon", "how"]].values.tolist()
    [['Segatella copri', 't__SGB1626', 'sgb_id']]
    """
    asked = list(dict.fromkeys(names))
    levels = tuple(dict.fromkeys(certainty))
    problems = [
        Problem("a name is empty", "give a species name or an SGB id") for name in asked if not plain_name(name)
    ]
    problems += [
        Problem(f"certainty {word!r} is not known", f"use {' or '.join(CERTAINTY)}", value=word)
        for word in levels
        if word not in CERTAINTY
    ]
    if problems:
        raise InputError(problems)
    rows: list[dict[str, str | None]] = []
    places = [(taxon, sgb_id(taxon), *_called(taxon, lineage)) for taxon in taxa]
    for name in asked:
        wanted = _wanted(name, levels)
        found = [
            {
                "asked": name,
                "name": wanted.current,
                "taxon": taxon,
                "species": species,
                "how": hit[0],
                "certainty": hit[1],
            }
            for taxon, sgb, species, genus in places
            if (hit := wanted.hit(sgb, species, genus)) is not None
        ]
        empty = dict.fromkeys(("taxon", "species", "certainty"))
        rows += found or [{"asked": name, "name": wanted.current, "how": HOW[-1], **empty}]
    columns = ["asked", "name", "taxon", "species", "how", "certainty"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _called(taxon: str, lineage: pd.DataFrame | None) -> tuple[str | None, str | None]:
    """Return species and genus of a taxon as the profile calls them."""
    if lineage is not None and taxon in lineage.index:
        row = lineage.loc[taxon]
        species, genus = (row[rank] if isinstance(row.get(rank), str) else None for rank in ("species", "genus"))
        return species, genus
    parts = {part[:3]: part for part in taxon.split("|")}
    if "s__" in parts or "g__" in parts:
        return parts.get("s__"), parts.get("g__")
    return (None if sgb_id(taxon) else taxon), None


class _Wanted:
    """What one name stands for: SGBs with their certainty, plain current and former species names, or a genus."""

    def __init__(self, current: str, ids: dict[str, str], now: set[str], before: set[str], genus: str | None) -> None:
        self.current, self.ids, self.now, self.before, self.genus = current, ids, now, before - now, genus

    def hit(self, sgb: str | None, species: str | None, genus: str | None) -> tuple[str, str] | None:
        """Return how a taxon is the one that is meant and how sure that is, or None where it is not."""
        if sgb is not None and sgb in self.ids:
            return HOW[0], self.ids[sgb]
        called = plain_name(species) if species else ""
        # What the profile calls an SGB that the table of names gives to another species is not sure.
        certainty = "likely" if sgb is not None and _owned(sgb) else "sure"
        if called and called in self.now:
            return HOW[1], certainty
        if called and called in self.before:
            return HOW[2], certainty
        if self.genus and genus and plain_name(genus) == self.genus:
            return HOW[3], "sure"
        return None


@functools.cache
def _owned(sgb: str) -> bool:
    return any(sgb in ids for _, _, ids, _ in _entries())


def _wanted(name: str, levels: tuple[str, ...]) -> _Wanted:
    sgb = sgb_id(name)
    if sgb is not None:
        called = next((current for current, _, ids, _ in _entries() if sgb in ids), name)
        return _Wanted(called, {sgb: "sure"}, set(), set(), None)
    plain = plain_name(name)
    # A name that is current somewhere means that taxon, and perhaps what has left it; one that is only former means all
    # that have left it.
    own = [entry for entry in _entries() if plain_name(entry[0]) == plain]
    left = [entry for entry in _entries() if plain in entry[1]]
    entries = own or left
    if not entries:
        genus = plain if " " not in plain else None
        return _Wanted(name, {}, {plain}, set(), genus)
    sure = [entry for entry in entries if entry[3] == "sure"] or entries
    ids = {part: CERTAINTY[1] for entry in left if own and CERTAINTY[1] in levels for part in entry[2]}
    ids |= {part: entry[3] for entry in reversed(entries) if entry[3] in levels for part in entry[2]}
    now = {plain_name(entry[0]) for entry in entries} | {plain}
    before = {part for entry in sure for part in entry[1]}
    return _Wanted(sure[0][0], ids, now, before, None)
